//! Cases: models with settings on small data.

use ancestral_data::{
    Batch, Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Streams, Values,
};
use toml::Table;

use super::problem::Problem;
use crate::model::{
    Assigning, BatchIterator, DataSpec, DensityOptions, Init, Known, Metrics, Model, ModelEntry,
    SampleRequest, StepContext, fit, sample,
};
use crate::optim::Optimizers;
use crate::registry::Registry;
use crate::spec::cpu;

/// Training examples that a case needs at least.
const LEAST_EXAMPLES: usize = 10;

/// A model with settings on small data.
///
/// Use several cases with different settings, networks of a few hidden units, and smooth activations (at a kink
/// of ReLU, finite differences are wrong).
#[derive(Debug, Clone)]
pub struct Case {
    /// The name of the model in the registry.
    pub name: String,
    /// Settings of the model.
    pub settings: Table,
    /// Data that the model takes, with at least 10 training examples; see [`small_data`].
    pub data: Dataset,
    /// Settings of the training loop for the run that is stopped and resumed.
    pub train: Table,
    /// Whether the defaults of the model's settings depend on the data.
    pub data_defaults: bool,
    /// Whether a tensor is updated by something other than the gradient of the reported loss: an estimator with
    /// lower variance, a rescaled gradient.
    pub surrogate: fn(tensor: &str) -> bool,
}

impl Case {
    /// A case whose other fields have their defaults.
    pub fn new(name: impl Into<String>, settings: Table, data: Dataset) -> Self {
        Self {
            name: name.into(),
            settings,
            data,
            train: Table::new(),
            data_defaults: false,
            surrogate: |_| false,
        }
    }

    /// The specification of the data.
    pub fn spec(&self) -> DataSpec {
        DataSpec::new(self.data.domain, self.data.shape.clone(), self.data.classes())
    }

    /// Model, data and settings in one line.
    pub fn label(&self) -> String {
        let settings = self.settings.to_string().trim().replace('\n', "; ");
        format!("{} on {} ({}): {settings}", self.name, self.data.domain, self.data.shape)
    }
}

/// A small data set: 60 labeled examples of three clusters, with splits.
///
/// # Errors
/// If the shape has no entries.
pub fn small_data(domain: Domain, shape: Shape) -> crate::Result<Dataset> {
    let n = 60;
    let size = shape.size();
    let noise = Streams::new(11).purpose("data", 0).normals(&[0], n * size);
    let center = |i: usize, j: usize| if (i + j).is_multiple_of(3) { 1.0 } else { -1.0 };
    let at = |k: usize| center(k / size % 3, k % size) + 0.3 * noise[k];
    let values = match domain {
        Domain::Real => Values::Reals((0..n * size).map(|k| f64::from(at(k))).collect()),
        Domain::Binary => Values::Bytes((0..n * size).map(|k| u8::from(at(k) > 0.0)).collect()),
        Domain::Levels(levels) => {
            let top = levels.saturating_sub(1) as f32;
            let level = |k: usize| ((at(k) + 2.0) / 4.0 * top).round().clamp(0.0, top) as u8;
            Values::Bytes((0..n * size).map(level).collect())
        }
    };
    let labels = Some((0..n).map(|i| (i % 3) as u32).collect());
    let split = Split { values, labels };
    Ok(Dataset::new("small", domain, shape, split, None, None)?.with_splits(0)?)
}

/// A case with the entry that it is of.
pub(super) struct Subject<'a> {
    pub(super) registry: &'a Registry,
    pub(super) entry: &'a ModelEntry,
    pub(super) case: &'a Case,
}

impl<'a> Subject<'a> {
    pub(super) fn new(registry: &'a Registry, case: &'a Case) -> Result<Self, Problem> {
        let entry = registry.find(&case.name)?;
        let examples = case.data.len(SplitName::Train);
        if examples < LEAST_EXAMPLES {
            return Err(Problem::case(format!(
                "there are {examples} training examples; give {LEAST_EXAMPLES} or more"
            )));
        }
        Ok(Self { registry, entry, case })
    }

    /// Entries of an example.
    pub(super) fn size(&self) -> usize {
        self.case.data.shape.size()
    }

    pub(super) fn domain(&self) -> Domain {
        self.case.data.domain
    }

    /// The training examples.
    pub(super) fn examples(&self) -> crate::Result<Examples> {
        Ok(Examples::new(&self.case.data, SplitName::Train, Binarize::None, 0)?)
    }

    pub(super) fn batch(&self, indices: &[u64]) -> crate::Result<Batch> {
        Ok(self.examples()?.batch(indices, 0))
    }

    /// The model with other settings.
    pub(super) fn build_with(
        &self,
        settings: &Table,
        init: &Init,
    ) -> crate::Result<Box<dyn Model>> {
        (self.entry.build)(settings, &self.case.spec(), init)
    }

    /// The model with its first weights.
    pub(super) fn build(&self, seed: u64) -> crate::Result<Box<dyn Model>> {
        self.build_with(&self.case.settings, &Init::new(&cpu(), seed))
    }

    /// The model, fitted or at the start of its training.
    pub(super) fn prepare(&self, init: &Init) -> crate::Result<Box<dyn Model>> {
        let mut model = self.build_with(&self.case.settings, init)?;
        if let Some(estimator) = model.estimator() {
            fit(estimator, &self.examples()?, 0)?;
        }
        if let Some(trainable) = model.trainable() {
            trainable.start(&self.examples()?)?;
        }
        Ok(model)
    }

    /// [`Subject::prepare`] as most checks use it.
    pub(super) fn model(&self) -> crate::Result<Box<dyn Model>> {
        self.prepare(&Init::new(&cpu(), 1))
    }

    /// The numbers of the first examples that differ from one another.
    pub(super) fn different(&self, count: usize) -> Result<Vec<u64>, Problem> {
        let examples = self.examples()?;
        let mut found: Vec<(u64, Vec<f64>)> = Vec::new();
        for index in 0..examples.len() as u64 {
            let values = examples.batch(&[index], 0).values;
            if found.len() < count && !found.iter().any(|(_, other)| *other == values) {
                found.push((index, values));
            }
        }
        if found.len() < count {
            return Err(Problem::case(format!("only {} examples differ", found.len())));
        }
        Ok(found.into_iter().map(|(index, _)| index).collect())
    }

    /// Makes training steps and returns the metrics of the last; none if the model is not trained by steps.
    pub(super) fn steps(
        &self,
        model: &mut dyn Model,
        (count, batch_size, seed): (u64, usize, u64),
        optimizers: &mut Optimizers,
    ) -> crate::Result<Metrics> {
        let mut batches = BatchIterator::new(self.examples()?, batch_size, 0);
        let mut metrics = Metrics::new();
        let Some(trainable) = model.trainable() else { return Ok(metrics) };
        for step in 1..=count {
            let epoch = batches.epoch();
            metrics = trainable.step(&mut StepContext {
                batches: &mut batches,
                optimizers,
                streams: Streams::new(seed),
                step,
                epoch,
            })?;
        }
        Ok(metrics)
    }

    /// The outputs of all capabilities.
    pub(super) fn outputs(&self, model: &dyn Model) -> crate::Result<Outputs> {
        let batch = self.batch(&[0, 5, 3])?;
        let mut outputs = Outputs::default();
        if let Some(target) = model.target().filter(|_| model.sampler().is_some()) {
            let given = (0..batch.values.len()).map(|at| at % self.size() != target).collect();
            let known = Some(Known { values: batch.values.clone(), given });
            let request = SampleRequest { known, ..SampleRequest::new(batch.len(), 1) };
            outputs.samples = sample(model, &request)?;
        } else if model.sampler().is_some() {
            outputs.samples = sample(model, &SampleRequest::new(5, 1))?;
        }
        if let Some(density) = model.density() {
            outputs.nats = density.log_probability(&batch, DensityOptions::new(7, 2))?.nats;
        }
        if let Some(latent) = model.latent() {
            outputs.codes = latent.encode(&batch)?;
        }
        if let Some(classifier) = model.classifier() {
            outputs.probabilities = classifier.classify(&batch.values)?.probabilities;
        }
        if let Some(discriminator) = model.discriminator() {
            outputs.scores = discriminator.score(&batch)?;
        }
        if let Some(clusterer) = model.clusterer().filter(|c| c.assigning() != Assigning::Never) {
            outputs.clusters = clusterer.assign(&batch)?.labels;
        }
        Ok(outputs)
    }
}

/// The outputs of a model; empty for capabilities that it does not have.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outputs {
    samples: Vec<f64>,
    nats: Vec<f64>,
    codes: Vec<f32>,
    probabilities: Vec<f64>,
    scores: Vec<f64>,
    clusters: Vec<Option<u32>>,
}
