//! The quality of the samples of a run, or of the images of a folder: compared with data by the
//! features of a classifier, or by the modes of a mixture that they cover.

use std::path::Path;

use ancestral_data::{Binarize, Dataset, Domain, Examples, OpenOptions, SplitName, Values};
use serde::Serialize;

use super::folder::Weights;
use super::loaded::{DataQuery, Run};
use super::networks::FeatureNetwork;
use super::session::Session;
use crate::evaluate::{
    self, DENSITY_NEIGHBORS, ENERGY_SAMPLES, EnergyEvaluator, GeneratedExamples, Modes,
    NamedClassifier, NoiseReference, Quality, RequestedClasses, Rows, Training,
};
use crate::model::{Capability, Classified, Estimate, SampleRequest};
use crate::{Error, Result};

/// The fewest samples of the nearest-neighbor metrics.
pub const LEAST_SAMPLES: usize = DENSITY_NEIGHBORS + 1;

/// Options of the evaluation of samples.
#[derive(Debug, Clone)]
pub struct QualitySpec {
    /// The number of samples.
    pub count: usize,
    /// The seed of the samples and of the subsets of the kernel distance.
    pub seed: u64,
    /// Whether to evaluate means of the last conditional, compared with data that is not binarized.
    pub mean: bool,
    /// The data that they are compared with.
    pub reference: DataQuery,
    /// A run whose features are used; else the built-in network for the data.
    pub network: Option<std::path::PathBuf>,
}

impl Default for QualitySpec {
    fn default() -> Self {
        Self {
            count: 10_000,
            seed: 0,
            mean: false,
            reference: DataQuery::split(SplitName::Test),
            network: None,
        }
    }
}

/// A folder of images to evaluate.
#[derive(Debug, Clone)]
pub struct ImageFolder<'a> {
    /// The folder.
    pub path: &'a Path,
    /// Whether its images, and those of a reference folder, are converted to grayscale.
    pub gray: bool,
    /// The color behind transparent pixels of those images.
    pub background: Option<ancestral_data::Background>,
}

/// The quality of samples, and how it was evaluated.
#[derive(Debug, Clone)]
pub struct QualityReport {
    /// The data that samples were compared with.
    pub data: String,
    /// How it was binarized.
    pub binarize: &'static str,
    /// Examples that samples were compared with.
    pub n_reference: usize,
    /// The split; `None` for all of the data.
    pub split: Option<SplitName>,
    /// The network.
    pub network: String,
    /// The data that the network was trained on.
    pub network_trained_on: String,
    /// The quality of the samples, for each of the run's weights.
    pub samples: Vec<WeightsQuality>,
    /// The same metrics for as many examples of the validation split, which the network was not
    /// trained on, instead of samples.
    pub data_itself: Option<Quality>,
    /// Samples of the first weights, in the levels of the reference.
    pub values: Vec<f64>,
    /// The examples they were compared with.
    pub reference: Examples,
    /// The examples that the run was trained on, or the data's training split.
    pub train: Examples,
}

/// The quality of the samples of some weights.
#[derive(Debug, Clone, Serialize)]
pub struct WeightsQuality {
    /// "best" or "last".
    pub weights: &'static str,
    /// The step of the weights.
    pub step: u64,
    /// The metrics.
    #[serde(flatten)]
    pub quality: Quality,
}

/// The modes that samples cover.
#[derive(Debug, Clone)]
pub struct ModesReport {
    /// The mixture.
    pub data: String,
    /// The standard deviation of a mode along each axis.
    pub std: f64,
    /// The modes that samples cover, for each of the run's weights.
    pub samples: Vec<WeightsModes>,
}

/// The modes that the samples of some weights cover.
#[derive(Debug, Clone, Serialize)]
pub struct WeightsModes {
    /// "best" or "last".
    pub weights: &'static str,
    /// The step of the weights.
    pub step: u64,
    /// The metrics.
    pub modes: Modes,
}

/// The energy distance of samples from a split, for data that no feature network fits.
#[derive(Debug, Clone)]
pub struct DistanceReport {
    /// The name of the data.
    pub data: String,
    /// The split.
    pub split: SplitName,
    /// The number of its examples that are compared.
    pub n_reference: usize,
    /// The distance for each of the run's weights.
    pub samples: Vec<WeightsDistance>,
    /// That of training examples in the place of samples.
    pub training: Option<Estimate>,
}

/// The energy distance of the samples of some weights.
#[derive(Debug, Clone, Serialize)]
pub struct WeightsDistance {
    /// "best" or "last".
    pub weights: &'static str,
    /// The step of the weights.
    pub step: u64,
    /// The number of samples.
    pub n: usize,
    /// The distance, from 0 to 1 but for chance.
    pub energy_distance: f64,
    /// Its standard error.
    pub energy_stderr: Option<f64>,
}

/// The name of the data that samples are compared with, before it is read.
fn reference_name<'a>(run: &'a Run, spec: &'a QualitySpec) -> &'a str {
    spec.reference.data.as_deref().unwrap_or(&run.config.data.name)
}

/// Runs with different weights, each with the name of the weights.
pub type NamedWeights = Vec<(&'static str, Run)>;

impl Session<'_> {
    /// The weights of a run folder whose samples are evaluated: the requested ones, else the best
    /// and, where they differ, the last.
    ///
    /// # Errors
    /// If there is no such run, or it has no such weights.
    pub fn load_weights(&self, path: &Path, requested: Option<Weights>) -> Result<NamedWeights> {
        if let Some(requested) = requested {
            return Ok(vec![(requested.as_str(), self.load(path, requested)?)]);
        }
        let best = self.load(path, Weights::Best)?;
        let step = best.weights().step;
        let mut all = vec![(if best.weights().best { "best" } else { "last" }, best)];
        // A packed run has no others.
        if path.join("last.safetensors").exists() {
            let last = self.load(path, Weights::Last)?;
            if last.weights().step != step {
                all.push(("last", last));
            }
        }
        Ok(all)
    }

    /// The modes that samples of a mixture cover; `None` if the data is not a mixture.
    ///
    /// # Errors
    /// If the model cannot be sampled, or the data is not found.
    pub fn modes(
        &mut self,
        runs: &NamedWeights,
        spec: &QualitySpec,
    ) -> Result<Option<ModesReport>> {
        let Some((_, first)) = runs.first() else { return Ok(None) };
        let name = reference_name(first, spec);
        let Some(mixture) = ancestral_data::modes(name) else { return Ok(None) };
        let (data, std) = (name.to_owned(), mixture.std);
        let mut samples = Vec::new();
        for (weights, run) in runs {
            let GeneratedExamples { values, .. } = self.draw(run, spec)?;
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            let rows = Rows::new(&values, 2, "samples")?;
            let modes = evaluate::modes(rows, &mixture.centers, mixture.std)?;
            samples.push(WeightsModes { weights, step: run.weights().step, modes });
        }
        Ok(Some(ModesReport { data, std, samples }))
    }

    /// The energy distance of samples from a split, at most 500 on each side; `None` if a feature network
    /// is asked for or fits the data, or the split has too few examples.
    ///
    /// # Errors
    /// If the model cannot be sampled, the data is not found, or a value is not finite.
    pub fn distances(
        &mut self,
        runs: &NamedWeights,
        spec: &QualitySpec,
    ) -> Result<Option<DistanceReport>> {
        let Some((_, first)) = runs.first() else { return Ok(None) };
        let has_network =
            spec.network.is_some() || FeatureNetwork::of(reference_name(first, spec)).is_some();
        if has_network || spec.mean || first.model().sampler().is_none() {
            return Ok(None);
        }
        let (reference, data) = first.query(&spec.reference, self.data_dir())?;
        let binarize = reference.binarize();
        let train = Examples::new(&data, SplitName::Train, binarize, first.config.seed)?;
        let Some(evaluator) = EnergyEvaluator::new(&train, &reference)? else { return Ok(None) };
        self.tell_notes(&data.notes)?;
        let mut samples = Vec::new();
        for (weights, run) in runs {
            let few = QualitySpec { count: spec.count.min(ENERGY_SAMPLES), ..spec.clone() };
            let mut drawn = self.draw(run, &few)?;
            let own = run.model().data().domain().unwrap_or(Domain::Real);
            rescale(&mut drawn.values, own, reference.domain());
            let found = evaluator.distance(&drawn.values)?;
            samples.push(WeightsDistance {
                weights,
                step: run.weights().step,
                n: few.count,
                energy_distance: found.value,
                energy_stderr: found.stderr,
            });
        }
        Ok(Some(DistanceReport {
            data: data.name.clone(),
            split: reference.split_name(),
            n_reference: evaluator.reference_len(),
            samples,
            training: evaluator
                .distance_of_data()
                .filter(|_| reference.split_name() != SplitName::Train)
                .cloned(),
        }))
    }

    /// The samples of a run compared with a split, by the features of a network.
    ///
    /// # Errors
    /// If the model cannot be sampled, the data is not found, there is no network for it, or too
    /// few samples are requested.
    pub fn quality(&mut self, runs: &NamedWeights, spec: &QualitySpec) -> Result<QualityReport> {
        if spec.count < LEAST_SAMPLES {
            let allowed = format!("the nearest-neighbor metrics need at least {LEAST_SAMPLES}");
            return Err(Error::setting("count", spec.count, allowed));
        }
        let (_, first) = runs.first().ok_or_else(|| Error::Unsupported {
            model: "the run".to_owned(),
            problem: "has no weights to evaluate".to_owned(),
        })?;
        let model = first.model();
        if model.sampler().is_none() {
            return Err(
                self.lacks(first, "cannot draw examples", &|can| can == Capability::Samples)
            );
        }
        let shape = model.data().shape.clone();
        let (mut reference, data) = first.query(&spec.reference, self.data_dir())?;
        self.tell_notes(&data.notes)?;
        let seed = first.config.seed;
        let split = reference.split_name();
        if spec.mean {
            let n = reference.len();
            reference = Examples::new(&data, split, Binarize::None, seed)?.first(n);
            if reference.domain() == Domain::Binary {
                return Err(Error::UnsuitableData {
                    model: "the quality of means".to_owned(),
                    problem: format!(
                        "{} is binary, so means cannot be compared with gray images",
                        data.name
                    ),
                });
            }
        }
        if shape.as_image().is_none() && spec.network.is_none() {
            return Err(Error::NoNetwork { data: data.name.clone(), labels: data.classes() > 1 });
        }
        let network_run = self.network(spec.network.as_deref(), &data)?;
        let name = network_run.name();
        let network = NamedClassifier::new(&name, network_run.model())?;
        network.check("the samples", model.data().domain().unwrap_or(Domain::Real), &shape)?;
        let seen = self.classify_all(&network, &reference, "reference")?;
        let train = Examples::new(&data, SplitName::Train, reference.binarize(), seed)?;
        let trained = self.classify_train(&network, &train, &reference)?;
        let others = validation(&network, &data, &reference, spec)?;
        // Among all of the training file are those of validation.
        let held_out = others.as_ref().filter(|_| !first.config.data.all_train);
        let training = trained.as_ref().map(|examples| Training { examples, held_out });
        let noise = self.noise_reference(&data, &reference, first.config.data.all_train)?;
        let mut samples = Vec::new();
        let mut first_values = None;
        for (weights, run) in runs {
            let mut drawn = self.draw(run, spec)?;
            let own = run.model().data().domain().unwrap_or(Domain::Real);
            rescale(&mut drawn.values, own, reference.domain());
            let of_samples = network.classify(&drawn.values, reference.domain(), &shape)?;
            let known = run.config.data.classes_among(&network_run.config.data);
            let requested = drawn.requested();
            let by_name: Vec<u32> = match (&requested, &known) {
                (Some(requested), Some(places)) if requested.codes == 0 => {
                    requested.classes.iter().map(|&class| places[class as usize]).collect()
                }
                _ => Vec::new(),
            };
            let requested = match requested {
                Some(requested) if requested.codes > 0 => Some(requested),
                Some(_) if !by_name.is_empty() => {
                    Some(RequestedClasses { classes: &by_name, codes: 0 })
                }
                _ => None,
            };
            let mut quality =
                evaluate::quality(&network, &of_samples, requested, &seen, training, spec.seed)?;
            quality.noise = noise.as_ref().map(|noise| noise.share(&drawn.values)).transpose()?;
            samples.push(WeightsQuality { weights, step: run.weights().step, quality });
            first_values.get_or_insert(drawn.values);
        }
        let of_others = |others| evaluate::quality(&network, others, None, &seen, None, spec.seed);
        let data_itself = others.as_ref().map(of_others).transpose()?;
        Ok(QualityReport {
            data: data.name.clone(),
            binarize: reference.binarize().as_str(),
            n_reference: reference.len(),
            split: Some(split),
            network_trained_on: network_run.config.data.name.clone(),
            network: name,
            samples,
            data_itself,
            values: first_values.unwrap_or_default(),
            train,
            reference,
        })
    }

    /// The images of a folder compared with those of a data set, by the features of a network.
    ///
    /// # Errors
    /// If either is not found, their shapes differ, or there is no network for the data.
    pub fn folder_quality(
        &mut self,
        folder: &ImageFolder<'_>,
        spec: &QualitySpec,
    ) -> Result<QualityReport> {
        let ImageFolder { path, gray, background } = *folder;
        let unsuitable = |problem: String| Error::UnsuitableData {
            model: "the comparison of images".to_owned(),
            problem,
        };
        if !path.is_dir() {
            return Err(Error::run(path, "no such folder of images"));
        }
        let name = spec.reference.data.as_deref().unwrap_or_default();
        let known = ancestral_data::list(None).iter().any(|set| set.name == name);
        let folder_given = !known && Path::new(name).is_dir();
        let options = OpenOptions {
            data_dir: self.data_dir.clone(),
            whole: true,
            gray: gray && folder_given,
            background: background.filter(|_| folder_given),
            ..OpenOptions::default()
        };
        let data = ancestral_data::open(name, &options)?;
        if data.shape.as_image().is_none() {
            return Err(Error::NoImage { shape: data.shape.clone() });
        }
        // Always a path, even if it has a known name.
        let full = path.canonicalize().map_err(|e| Error::run(path, e.to_string()))?;
        let options = OpenOptions { whole: true, gray, background, ..OpenOptions::default() };
        let Some(name) = full.to_str() else {
            return Err(Error::run(&full, "the path is not UTF-8; rename it"));
        };
        let images = ancestral_data::open(name, &options)?;
        if images.shape != data.shape {
            let colored = images.shape.dims().first() > data.shape.dims().first();
            let hint = if colored { " (convert them to grayscale)" } else { "" };
            return Err(unsuitable(format!(
                "the images of {} are {}{hint} and those of {} are {} (channels × height × \
                 width); they must be equal",
                path.display(),
                images.shape,
                data.name,
                data.shape
            )));
        }
        let mut values = all_values(&images);
        let n = values.len() / images.shape.size();
        if n < LEAST_SAMPLES {
            return Err(unsuitable(format!(
                "{} holds {n} images, and the nearest-neighbor metrics need at least \
                 {LEAST_SAMPLES}",
                path.display()
            )));
        }
        // A data set without splits is the reference as a whole.
        let whole = data.split(SplitName::Test).is_err();
        let requested = spec.reference.split.unwrap_or(SplitName::Test);
        let split = if whole { SplitName::Train } else { requested };
        let mut reference = Examples::new(&data, split, Binarize::None, spec.seed)?;
        if let Some(limit) = spec.reference.limit {
            reference = reference.first(limit);
        }
        let network_run = self.network(spec.network.as_deref(), &data)?;
        let network_name = network_run.name();
        let network = NamedClassifier::new(&network_name, network_run.model())?;
        network.check("the images", images.domain, &images.shape)?;
        let seen = self.classify_all(&network, &reference, "reference")?;
        let of_images = network.classify(&values, images.domain, &images.shape)?;
        let train = Examples::new(&data, SplitName::Train, Binarize::None, spec.seed)?;
        let trained = self.classify_train(&network, &train, &reference)?;
        let others = validation(&network, &data, &reference, spec)?;
        let training =
            trained.as_ref().map(|examples| Training { examples, held_out: others.as_ref() });
        let mut quality =
            evaluate::quality(&network, &of_images, None, &seen, training, spec.seed)?;
        rescale(&mut values, images.domain, data.domain);
        let noise = self.noise_reference(&data, &reference, false)?;
        quality.noise = noise.map(|noise| noise.share(&values)).transpose()?;
        Ok(QualityReport {
            data: data.name.clone(),
            binarize: reference.binarize().as_str(),
            n_reference: reference.len(),
            split: (!whole).then_some(split),
            network_trained_on: network_run.config.data.name.clone(),
            network: network_name,
            samples: vec![WeightsQuality { weights: "images", step: 0, quality }],
            data_itself: None,
            values,
            train,
            reference,
        })
    }

    /// The requested network, or the built-in one for this data.
    fn network(&self, requested: Option<&Path>, data: &Dataset) -> Result<Run> {
        if let Some(path) = requested {
            return self.load(path, Weights::Best);
        }
        let found = FeatureNetwork::of(&data.name).ok_or_else(|| Error::NoNetwork {
            data: data.name.clone(),
            labels: data.classes() > 1,
        })?;
        found.run(&self.device)
    }

    fn draw(&mut self, run: &Run, spec: &QualitySpec) -> Result<GeneratedExamples> {
        let request =
            SampleRequest { mean: spec.mean, ..SampleRequest::new(spec.count, spec.seed) };
        self.working("drawing", spec.count, |progress| {
            evaluate::draw(run.model(), &request, progress)
        })
    }

    /// Training examples, unless they are the reference.
    fn classify_train(
        &mut self,
        network: &NamedClassifier<'_>,
        train: &Examples,
        reference: &Examples,
    ) -> Result<Option<Classified>> {
        match reference.split_name() {
            SplitName::Train => Ok(None),
            _ => self.classify_all(network, train, "training examples").map(Some),
        }
    }

    /// What samples that are like no data are told by: training and validation examples, or those of the
    /// reference where validation is trained on; `None` if it is the training split.
    fn noise_reference(
        &mut self,
        data: &Dataset,
        reference: &Examples,
        all_train: bool,
    ) -> Result<Option<NoiseReference>> {
        if reference.split_name() == SplitName::Train {
            return Ok(None);
        }
        let seed = 0;
        let of = |split| Examples::new(data, split, reference.binarize(), seed);
        let train = of(SplitName::Train)?;
        let held_out = match all_train || data.len(SplitName::Valid) == 0 {
            true => reference.clone(),
            false => of(SplitName::Valid)?,
        };
        self.working("nearest examples", 1, |_| NoiseReference::new(&train, &held_out)).map(Some)
    }

    fn classify_all(
        &mut self,
        network: &NamedClassifier<'_>,
        examples: &Examples,
        what: &str,
    ) -> Result<Classified> {
        let indices: Vec<u64> = (0..examples.len() as u64).collect();
        self.working(what, indices.len(), |progress| {
            network.classify_examples(examples, &indices, progress)
        })
    }
}

/// As many validation examples as samples, which the network was not trained on; `None` if they are the
/// reference or too few.
fn validation(
    network: &NamedClassifier<'_>,
    data: &Dataset,
    reference: &Examples,
    spec: &QualitySpec,
) -> Result<Option<Classified>> {
    let split = SplitName::Valid;
    if reference.split_name() == split {
        return Ok(None);
    }
    let Ok(others) = Examples::new(data, split, reference.binarize(), spec.seed) else {
        return Ok(None);
    };
    let others = others.first(spec.count);
    if others.len() < LEAST_SAMPLES {
        return Ok(None);
    }
    let indices: Vec<u64> = (0..others.len() as u64).collect();
    network.classify_examples(&others, &indices, &mut |_| {}).map(Some)
}

/// The values of every split.
fn all_values(data: &Dataset) -> Vec<f64> {
    let mut all = Vec::new();
    for name in [SplitName::Train, SplitName::Valid, SplitName::Test] {
        match data.split(name).map(|split| &split.values) {
            Ok(Values::Bytes(v)) => all.extend(v.iter().map(|&x| f64::from(x))),
            Ok(Values::Reals(v)) => all.extend(v),
            Err(_) => {}
        }
    }
    all
}

/// Levels of one domain as those of another.
fn rescale(values: &mut [f64], from: Domain, to: Domain) {
    if let (Some(from), Some(to)) = (from.max_level(), to.max_level())
        && from != to
    {
        let factor = to as f32 / from as f32;
        values.iter_mut().for_each(|v| *v = (*v as f32 * factor).into());
    }
}
