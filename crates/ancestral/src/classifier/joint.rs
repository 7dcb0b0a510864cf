//! Models of examples with their classes, p(x, y) = p(y) p(x | y), as one density for each class.
//!
//! Bayes' rule makes each a classifier, p(y | x) = p(y) p(x | y) / p(x), with the class probabilities of
//! the training split. The log-probability of a labeled example is log p(x | y), as that of every model
//! that is conditional on classes; that of an example without a label is log p(x) = log Σ p(y) p(x | y).
//! Samples of no given class are of p(x).
//!
//! Where all classes have density 0, the probabilities of classes are those of the training split.

use ancestral_data::{Batch, Examples};
use rand::Rng;
use rayon::prelude::*;
use toml::Table;

use crate::distributions::fitted::open_uniform;
use crate::distributions::log_sum_exp;
use crate::model::{
    Capability, Classified, Classifier, DataSpec, Density, DensityKind, DensityOptions, Estimate,
    Estimator, FitContext, FitReport, LogProbability, Model, NamedTensors, SampleRequest, Sampler,
    Task,
};
use crate::{Error, Result};

/// Rows that a thread classifies at once.
const ROWS: usize = 256;
/// The most estimates that a report lists.
pub(super) const LISTED: usize = 20_000;

/// The tasks of such a model.
pub(super) const TASKS: &[Task] = &[Task::Classification, Task::Density, Task::Sampling];
/// Its capabilities.
pub(super) const CAPABILITIES: &[Capability] =
    &[Capability::ExactDensity, Capability::Samples, Capability::ClassSamples, Capability::Classes];

/// A density for each class, with the probabilities of classes.
pub(super) trait ClassConditional: Send + Sync + 'static {
    /// Whether samples have noise around a mean, which a temperature scales.
    const HAS_NOISE: bool;

    fn name(&self) -> &'static str;
    fn settings(&self) -> Table;
    fn data(&self) -> &DataSpec;
    /// p(y) in the training split `[classes]`.
    fn priors(&self) -> &[f64];
    fn tensors(&self) -> NamedTensors;
    fn load(&mut self, tensors: &NamedTensors) -> Result<()>;
    /// log p(x | y) of some rows `[rows, classes]`; −∞ for classes without training examples.
    fn log_densities(&self, rows: &[f64]) -> Vec<f64>;
    /// log p(x | y) by column, for classes whose columns are independent.
    fn terms(&self, _row: &[f64], _class: usize) -> Option<Vec<f64>> {
        None
    }
    /// Adds a draw from p(x | y); `spread` scales the noise.
    fn draw(&self, class: usize, spread: f64, rng: &mut impl Rng, out: &mut Vec<f64>);
    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport>;
}

/// A density for each class as a model.
pub(super) struct Joint<C>(pub(super) C);

impl<C: ClassConditional> Joint<C> {
    fn unsuitable(&self, problem: String) -> Error {
        unsuitable(self.0.name(), problem)
    }

    /// log p(x | y) `[rows, classes]`.
    fn by_class(&self, values: &[f64]) -> Vec<f64> {
        let size = self.0.data().size().max(1);
        let parts = values.par_chunks(ROWS * size);
        parts.flat_map_iter(|rows| self.0.log_densities(rows)).collect()
    }

    /// log p(x, y) = log p(y) + log p(x | y) `[rows, classes]`.
    fn joint(&self, values: &[f64]) -> Vec<f64> {
        let mut all = self.by_class(values);
        let logs: Vec<f64> = self.0.priors().iter().map(|p| p.ln()).collect();
        for row in all.chunks_exact_mut(logs.len().max(1)) {
            row.iter_mut().zip(&logs).for_each(|(nats, log)| *nats += log);
        }
        all
    }
}

impl<C: ClassConditional> Model for Joint<C> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn settings(&self) -> Table {
        self.0.settings()
    }

    fn data(&self) -> &DataSpec {
        self.0.data()
    }

    fn tensors(&self) -> NamedTensors {
        self.0.tensors()
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        self.0.load(tensors)
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn sampler(&self) -> Option<&dyn Sampler> {
        Some(self)
    }

    fn classifier(&self) -> Option<&dyn Classifier> {
        Some(self)
    }

    fn estimator(&mut self) -> Option<&mut dyn Estimator> {
        Some(self)
    }
}

impl<C: ClassConditional> Density for Joint<C> {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        let classes = self.0.priors().len().max(1);
        let nats = match &batch.labels {
            None => self.joint(&batch.values).chunks_exact(classes).map(log_sum_exp).collect(),
            Some(labels) => {
                let all = self.by_class(&batch.values);
                let of = |(row, &label): (&[f64], &u32)| {
                    row.get(label as usize).copied().ok_or_else(|| {
                        self.unsuitable(format!(
                            "an example is of class {label} and the model has {classes} classes"
                        ))
                    })
                };
                all.chunks_exact(classes).zip(labels).map(of).collect::<Result<_>>()?
            }
        };
        Ok(LogProbability { nats, monte_carlo: None })
    }

    fn is_mass(&self, data: &DataSpec) -> bool {
        !C::HAS_NOISE
            && (0..data.size()).all(|at| data.kind(at).is_some_and(|kind| kind.is_discrete()))
    }

    fn column_terms(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let Some(labels) = &batch.labels else { return Ok(None) };
        let rows = batch.values.chunks_exact(self.0.data().size().max(1));
        let terms = rows.zip(labels).map(|(row, &label)| self.0.terms(row, label as usize));
        Ok(terms.collect::<Option<Vec<_>>>().map(|rows| rows.concat()))
    }
}

impl<C: ClassConditional> Classifier for Joint<C> {
    /// 0: it has no learned features.
    fn feature_dim(&self) -> usize {
        0
    }

    fn classify(&self, values: &[f64]) -> Result<Classified> {
        let data = self.0.data();
        let size = data.size();
        if !values.len().is_multiple_of(size) {
            return Err(self.unsuitable(format!(
                "{} entries were given, which is not a whole number of examples of {size} ({})",
                values.len(),
                data.shape
            )));
        }
        check_finite(self.0.name(), values, size, 0)?;
        let priors = self.0.priors();
        let mut probabilities = self.joint(values);
        for row in probabilities.chunks_exact_mut(priors.len().max(1)) {
            normalize(row, priors);
        }
        Ok(Classified { features: Vec::new(), probabilities })
    }

    fn priors(&self) -> Option<&[f64]> {
        Some(self.0.priors())
    }
}

/// The probabilities of classes from log p(x, y); `priors` where that is −∞ for all.
fn normalize(row: &mut [f64], priors: &[f64]) {
    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        row.copy_from_slice(priors);
        return;
    }
    row.iter_mut().for_each(|nats| {
        *nats = if top == f64::INFINITY { f64::from(*nats == top) } else { (*nats - top).exp() }
    });
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|p| *p /= sum);
}

impl<C: ClassConditional> Sampler for Joint<C> {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let (data, priors) = (self.0.data(), self.0.priors());
        if let Some(class) = request.class
            && priors.get(class as usize) == Some(&0.0)
        {
            return Err(self.unsuitable(format!(
                "class {} had no training examples, and has no distribution",
                data.class_name(class as usize)
            )));
        }
        let purpose = request.streams.purpose("sample", 0);
        let spread = if request.mean { 0.0 } else { request.temperature };
        let mut out = Vec::with_capacity(request.count * data.size());
        for index in request.first..request.first + request.count as u64 {
            let mut rng = purpose.item(index);
            let u = open_uniform(&mut rng);
            let class = request.class.map_or_else(|| chosen(priors, u), |class| class as usize);
            self.0.draw(class, spread, &mut rng, &mut out);
        }
        for (at, x) in out.iter_mut().enumerate() {
            let kind = data.kind(at % data.size()).filter(|kind| kind.is_discrete());
            if let Some(kind) = kind {
                *x = x.round().clamp(0.0, kind.max_level().map_or(f64::INFINITY, f64::from));
            }
        }
        Ok(out)
    }

    fn classes(&self) -> usize {
        self.0.priors().len()
    }

    fn has_temperature(&self) -> bool {
        C::HAS_NOISE
    }

    fn has_noise(&self) -> bool {
        C::HAS_NOISE
    }
}

/// The place of a uniform number among probabilities that add up to 1.
pub(super) fn chosen(probabilities: &[f64], u: f64) -> usize {
    let mut sum = 0.0;
    let found = probabilities.iter().position(|p| {
        sum += p;
        u < sum
    });
    // Rounding may leave the sum below the number.
    found.or_else(|| probabilities.iter().rposition(|&p| p > 0.0)).unwrap_or(0)
}

impl<C: ClassConditional> Estimator for Joint<C> {
    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport> {
        let data = self.0.data();
        if examples.shape().size() != data.size() {
            let (given, own) = (examples.shape(), &data.shape);
            return Err(self.unsuitable(format!("examples are {given} and it was made for {own}")));
        }
        context.check_stop()?;
        self.0.fit(examples, context)
    }
}

/// What labeled examples of a model must be.
pub(super) struct Labeled<'a> {
    pub(super) model: &'static str,
    pub(super) classes: usize,
    pub(super) columns: usize,
    pub(super) data: &'a DataSpec,
}

impl<'a> Labeled<'a> {
    pub(super) fn new(model: &'static str, data: &'a DataSpec) -> Self {
        Self { model, classes: data.classes, columns: data.size(), data }
    }

    /// The labels of a block, whose values must be finite.
    pub(super) fn check<'b>(&self, block: &'b Batch) -> Result<&'b [u32]> {
        let first = block.indices.first().copied().unwrap_or(0);
        check_finite(self.model, &block.values, self.columns, first)?;
        let labels = block.labels.as_ref().ok_or_else(|| {
            unsuitable(
                self.model,
                "it is a classifier and these examples have no labels".to_owned(),
            )
        })?;
        match labels.iter().find(|&&label| label as usize >= self.classes) {
            None => Ok(labels),
            Some(label) => Err(unsuitable(
                self.model,
                format!(
                    "an example is of class {label} and the model has {} classes",
                    self.classes
                ),
            )),
        }
    }

    /// The share of each class, with notes on classes without examples; refuses fewer than two classes
    /// with examples.
    pub(super) fn priors(&self, counts: &[f64], notes: &mut Vec<String>) -> Result<Vec<f64>> {
        let named = |some: &dyn Fn(f64) -> bool| -> Vec<String> {
            let of = counts.iter().enumerate().filter(|(_, n)| some(**n));
            of.map(|(class, _)| self.data.class_name(class)).collect()
        };
        let (there, none) = (named(&|n| n > 0.0), named(&|n| n == 0.0));
        if there.len() < 2 {
            return Err(unsuitable(
                self.model,
                format!(
                    "all training examples are of class {}, and it learns to tell two or more apart",
                    there.concat()
                ),
            ));
        }
        if !none.is_empty() {
            notes.push(format!(
                "without training examples, probability 0: class {}",
                listed(none.into_iter())
            ));
        }
        let total: f64 = counts.iter().sum();
        Ok(counts.iter().map(|n| n / total).collect())
    }

    /// Estimates of the class probabilities.
    pub(super) fn prior_estimates(&self, counts: &[f64]) -> Vec<Estimate> {
        let total: f64 = counts.iter().sum();
        let of = |(class, n): (usize, &f64)| {
            let p = n / total;
            let stderr = Some((p * (1.0 - p) / total).sqrt());
            Estimate { name: format!("prior[{}]", self.data.class_name(class)), value: p, stderr }
        };
        counts.iter().enumerate().map(of).collect()
    }
}

/// Refuses data without two classes.
pub(super) fn check_labels(model: &'static str, data: &DataSpec) -> Result<()> {
    match data.classes {
        0 => Err(unsuitable(
            model,
            "it is a classifier and this data has no labels; a table's are in a column named label, \
             class or target"
                .to_owned(),
        )),
        1 => Err(unsuitable(model, "it is a classifier and this data has 1 class".to_owned())),
        _ => Ok(()),
    }
}

/// The most names that a note or an error lists.
const NAMES: usize = 5;

/// The first few names, and how many more there are.
pub(super) fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMES);
    let first: Vec<String> = names.take(NAMES).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

/// Refuses values that are not finite; `first` is the number of the first example.
pub(super) fn check_finite(model: &str, values: &[f64], size: usize, first: u64) -> Result<()> {
    match values.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => Err(unsuitable(
            model,
            format!(
                "example {} holds {} where a finite number was expected",
                first + (at / size) as u64,
                values[at]
            ),
        )),
    }
}

pub(super) fn unsuitable(model: &str, problem: String) -> Error {
    Error::UnsuitableData { model: model.to_owned(), problem }
}
