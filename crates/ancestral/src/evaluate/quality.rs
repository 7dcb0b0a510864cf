//! Sample quality: drawing samples, extracting features, and all metrics compared with a reference.

use std::collections::BTreeSet;
use std::time::Instant;

use ancestral_data::{Domain, Examples, Shape};
use serde::{Deserialize, Serialize};

use super::classes::{
    best_assignment, class_agreement, classifier_score, confusion, most_probable,
};
use super::copying::{Copying, Training, copying, spread};
use super::distances::{frechet_distance, frechet_estimate, kernel_distance};
use super::manifold::{Coverage, coverage};
use super::noise::NoiseShare;
use super::rows::Rows;
use crate::model::{self, Classified, Classifier, Estimate, Model, SampleRequest};
use crate::{Error, Result};

/// Examples per batch.
const AT_ONCE: usize = 500;

/// Samples of a model.
#[derive(Debug, Clone)]
pub struct GeneratedExamples {
    /// The samples, row after row, in the values of the model's columns.
    pub values: Vec<f64>,
    /// The class that each was conditioned on, for conditional samplers.
    pub requested: Option<Vec<u32>>,
    /// The number of codes if these classes are codes learned without labels, else 0.
    pub codes: usize,
}

impl GeneratedExamples {
    /// The class or code that each was conditioned on, if any.
    pub fn requested(&self) -> Option<RequestedClasses<'_>> {
        let codes = self.codes;
        self.requested.as_deref().map(|classes| RequestedClasses { classes, codes })
    }
}

/// The classes or codes that samples were conditioned on.
#[derive(Debug, Clone, Copy)]
pub struct RequestedClasses<'a> {
    /// The class or code of each sample.
    pub classes: &'a [u32],
    /// The number of codes; 0 for classes of the data.
    pub codes: usize,
}

/// Draws the samples of `request`, equally many of every class if the sampler is conditional.
///
/// `progress` is called with the number drawn so far.
///
/// # Errors
/// If the model cannot be sampled.
pub fn draw(
    model: &dyn Model,
    request: &SampleRequest,
    progress: &mut dyn FnMut(usize),
) -> Result<GeneratedExamples> {
    let count = request.count;
    let sampler = model.sampler().ok_or_else(|| Error::Unsupported {
        model: model.name().to_owned(),
        problem: "cannot draw samples to evaluate".to_owned(),
    })?;
    model::check_memory_of_samples(model, count)?;
    let classes = sampler.classes();
    let conditional = classes > 0;
    let mut drawn = GeneratedExamples {
        values: Vec::with_capacity(count * model.data().shape.size()),
        requested: conditional.then(Vec::new),
        codes: if sampler.classes_are_codes() { classes } else { 0 },
    };
    let runs = classes.max(1);
    for run in 0..runs {
        let (mut first, last) = (count * run / runs, count * (run + 1) / runs);
        let class = conditional.then_some(run as u32);
        while first < last {
            let part = AT_ONCE.min(last - first);
            let number = request.first + first as u64;
            let request = SampleRequest { first: number, count: part, class, ..request.clone() };
            drawn.values.extend(model::sample(model, &request)?);
            first += part;
            progress(first);
        }
        if let Some(requested) = &mut drawn.requested {
            requested.resize(last, run as u32);
        }
    }
    Ok(drawn)
}

/// A trained classifier, which is the feature extractor, with its name.
#[derive(Clone, Copy)]
pub struct NamedClassifier<'a> {
    name: &'a str,
    model: &'a dyn Model,
    classifier: &'a dyn Classifier,
}

impl<'a> NamedClassifier<'a> {
    /// A classifier, under the name that metrics are printed with.
    ///
    /// # Errors
    /// If it is not a classifier.
    pub fn new(name: &'a str, model: &'a dyn Model) -> Result<Self> {
        let no_features = || Error::NoFeatures { model: model.name().to_owned() };
        let classifier = model.classifier().ok_or_else(no_features)?;
        Ok(Self { name, model, classifier })
    }

    /// The name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.model.data().classes
    }

    /// Refuses examples of another shape, or reals where the network takes levels.
    ///
    /// # Errors
    /// Naming both.
    pub fn check(&self, what: &str, domain: Domain, shape: &Shape) -> Result<()> {
        let own = self.model.data();
        let wrong = |given: String, expected: String| {
            let (network, what) = (self.name.to_owned(), what.to_owned());
            Err(Error::OtherFeatures { network, what, given, expected })
        };
        if own.shape != *shape {
            return wrong(shape.to_string(), own.shape.to_string());
        }
        let of = |domain: Option<Domain>| match domain {
            Some(domain) => domain.to_string(),
            None => "of several kinds".to_owned(),
        };
        // Columns of several kinds are numbers, of whatever domain.
        let is_real = own.domain().map(|own| own == Domain::Real);
        if is_real.is_some_and(|is_real| is_real != (domain == Domain::Real)) {
            return wrong(domain.to_string(), of(own.domain()));
        }
        Ok(())
    }

    /// Features and class probabilities of values of a domain, row after row; gray levels are
    /// rescaled to the range of the network.
    ///
    /// # Errors
    /// If they do not fit the network.
    pub fn classify(&self, values: &[f64], domain: Domain, shape: &Shape) -> Result<Classified> {
        self.check("the examples", domain, shape)?;
        // A ReLU would turn it into 0.
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::UnsuitableData {
                model: self.name.to_owned(),
                problem: format!("example {} holds {}", at / shape.size(), values[at]),
            });
        }
        let factor =
            match (domain.max_level(), self.model.data().domain().and_then(Domain::max_level)) {
                (Some(from), Some(to)) => to as f32 / from as f32,
                _ => 1.0,
            };
        if factor == 1.0 {
            return self.classifier.classify(values);
        }
        let scaled = values.iter().map(|&v| f64::from(v as f32 * factor)).collect::<Vec<f64>>();
        self.classifier.classify(&scaled)
    }

    /// Features and class probabilities of some examples of a split, in order.
    ///
    /// # Errors
    /// If they do not fit the network.
    pub fn classify_examples(
        &self,
        examples: &Examples,
        indices: &[u64],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Classified> {
        let mut found = Classified::default();
        let mut done = 0;
        for chunk in indices.chunks(AT_ONCE) {
            let values = examples.batch(chunk, 0).values;
            let part = self.classify(&values, examples.domain(), examples.shape())?;
            found.features.extend(part.features);
            found.probabilities.extend(part.probabilities);
            done += chunk.len();
            progress(done);
        }
        Ok(found)
    }

    /// The accuracy on labeled examples, with its standard error.
    ///
    /// # Errors
    /// If they do not fit the network or have no labels.
    pub fn accuracy(&self, examples: &Examples) -> Result<Estimate> {
        let labels = examples.labels().ok_or_else(|| Error::UnsuitableData {
            model: self.name.to_owned(),
            problem: "the examples have no labels".to_owned(),
        })?;
        let indices: Vec<u64> = (0..examples.len() as u64).collect();
        let seen = self.classify_examples(examples, &indices, &mut |_| {})?;
        let found = class_agreement(&seen.probabilities, self.classes(), labels)?;
        Ok(Estimate { name: "accuracy".to_owned(), ..found })
    }
}

/// Metrics of generated examples compared with a reference; all depend on the named network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Quality {
    /// The network that extracted the features.
    pub network: String,
    /// Number of generated examples.
    pub n: usize,
    /// Number of reference examples.
    pub n_reference: usize,
    /// Squared Fréchet distance; lower is better.
    pub frechet_distance: f64,
    /// Its resampling error ([`frechet_estimate`]).
    #[serde(default)]
    pub frechet_stderr: Option<f64>,
    /// The squared Fréchet distance to as many training examples as there are of the reference: where it
    /// is far below the other one, training examples were repeated.
    #[serde(default)]
    pub frechet_distance_train: Option<f64>,
    /// Whether training examples were repeated.
    #[serde(default)]
    pub copying: Option<Copying>,
    /// Samples that are like no data, by their values rather than their features.
    #[serde(default)]
    pub noise: Option<NoiseShare>,
    /// Kernel distance; lower is better, about 0 for one distribution. Absent for fewer than 20
    /// examples on a side.
    pub kernel_distance: Option<f64>,
    /// Its standard error over subsets.
    pub kernel_stderr: Option<f64>,
    /// Precision, recall, density and coverage; higher is better.
    #[serde(flatten)]
    pub coverage: Coverage,
    /// Classifier score of the generated examples; higher is better, up to the number of classes.
    pub classifier_score: f64,
    /// Classifier score of the reference.
    pub reference_score: f64,
    /// Fraction of conditional samples whose predicted class is the one they were conditioned on.
    pub class_agreement: Option<f64>,
    /// Its standard error.
    pub class_agreement_stderr: Option<f64>,
    /// The same for codes learned without labels, under the best assignment of codes to classes.
    pub code_agreement: Option<f64>,
    /// Number of classes predicted for at least one generated example.
    pub classes_found: usize,
    /// Duration of the metrics in seconds, without that of the features.
    pub seconds: f64,
}

/// Compares generated examples with a reference, by their features; `requested` are the classes
/// that the generated ones were conditioned on, `train` the training examples, none of which is in the
/// reference.
///
/// `seed` affects only the subsets of the kernel distance.
///
/// # Errors
/// If a side has fewer than six examples, the features are not of the same network, or a feature is
/// not finite.
pub fn quality(
    network: &NamedClassifier<'_>,
    generated: &Classified,
    requested: Option<RequestedClasses<'_>>,
    reference: &Classified,
    train: Option<Training<'_>>,
    seed: u64,
) -> Result<Quality> {
    let began = Instant::now();
    let (dim, classes) = (network.classifier.feature_dim(), network.classes());
    if dim == 0 {
        return Err(Error::NoFeatures { model: network.name.to_owned() });
    }
    let rows = Rows::new(&generated.features, dim, "the features of generated examples")?;
    let others = Rows::new(&reference.features, dim, "the features of the reference")?;
    let coverage = coverage(rows, others)?;
    let frechet = frechet_estimate(rows, others)?;
    let known = train.map(|train| features(train.examples, dim)).transpose()?;
    let held_out = train.and_then(|train| train.held_out);
    let held_out = held_out.map(|held_out| features(held_out, dim)).transpose()?;
    let as_many = |known: Rows<'_>| -> Result<f64> {
        let some = spread(others.len(), known.len()).flat_map(|i| known.row(i));
        let some: Vec<f32> = some.copied().collect();
        frechet_distance(rows, Rows::new(&some, dim, "features")?)
    };
    let kernel = match rows.len().min(others.len()) {
        0..20 => None,
        _ => Some(kernel_distance(rows, others, seed)?),
    };
    let seen = &generated.probabilities;
    let agreement = requested
        .filter(|requested| requested.codes == 0)
        .map(|requested| class_agreement(seen, classes, requested.classes))
        .transpose()?;
    let code_agreement = requested
        .filter(|requested| requested.codes > 0)
        .map(|requested| {
            best_assignment(&confusion(seen, classes, requested.classes, requested.codes)?, classes)
        })
        .transpose()?;
    let found: BTreeSet<u32> = most_probable(seen, classes)?.into_iter().collect();
    Ok(Quality {
        network: network.name.to_owned(),
        n: rows.len(),
        n_reference: others.len(),
        frechet_distance: frechet.value,
        frechet_stderr: frechet.stderr,
        frechet_distance_train: known.map(as_many).transpose()?,
        copying: known.map(|known| copying(rows, held_out, others, known)).transpose()?,
        noise: None,
        kernel_distance: kernel.as_ref().map(|k| k.value),
        kernel_stderr: kernel.and_then(|k| k.stderr),
        coverage,
        classifier_score: classifier_score(&generated.probabilities, classes)?,
        reference_score: classifier_score(&reference.probabilities, classes)?,
        class_agreement: agreement.as_ref().map(|a| a.value),
        class_agreement_stderr: agreement.and_then(|a| a.stderr),
        code_agreement,
        classes_found: found.len(),
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// The features of training or held-out examples.
fn features(of: &Classified, dim: usize) -> Result<Rows<'_>> {
    Rows::new(&of.features, dim, "the features of training examples")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;
    use crate::model::{DataSpec, Init};
    use crate::spec::cpu;

    fn network(settings: &str, domain: Domain) -> Box<dyn Model> {
        let data = DataSpec::new(domain, Shape::image(1, 4, 4), 3);
        let settings = settings.parse().unwrap();
        Registry::standard().build("features", &settings, &data, &Init::new(&cpu(), 0)).unwrap()
    }

    #[test]
    fn levels_are_seen_from_black_to_white() {
        let model = network("channels = [4]\ndim = 5", Domain::Levels(256));
        let network = NamedClassifier::new("net", model.as_ref()).unwrap();
        let shape = Shape::image(1, 4, 4);
        let bits: Vec<f64> = (0..32).map(|i| f64::from(i % 3 % 2)).collect();
        let bytes: Vec<f64> = bits.iter().map(|b| 255.0 * b).collect();
        let seen = network.classify(&bits, Domain::Binary, &shape).unwrap();
        assert_eq!(seen, network.classify(&bytes, Domain::Levels(256), &shape).unwrap());
        assert_eq!((seen.features.len(), seen.probabilities.len()), (10, 6));
        let sum: f64 = seen.probabilities[..3].iter().sum();
        assert!((sum - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_does_not_fit_the_network_is_named() {
        let model = network("channels = [4]\ndim = 5", Domain::Levels(256));
        let network = NamedClassifier::new("net", model.as_ref()).unwrap();
        let error = |values: &[f64], domain, shape: &Shape| {
            network.classify(values, domain, shape).unwrap_err().to_string()
        };
        let shape = Shape::image(1, 4, 4);
        let said = error(&[0.0; 16], Domain::Real, &shape);
        assert!(said.contains("are real and it was trained on 256 levels"), "{said}");
        let said = error(&[0.0; 48], Domain::Binary, &Shape::image(3, 4, 4));
        assert!(said.contains("3×4×4 and it was trained on 1×4×4"), "{said}");
        let mut values = [0.0; 32];
        values[20] = f64::NAN;
        let said = error(&values, Domain::Binary, &shape);
        assert!(said.contains("example 1 holds NaN"), "{said}");
        assert!(error(&[0.0; 17], Domain::Binary, &shape).contains("not a whole number"));
    }
}
