//! What a model can be asked, and the list of all models.
//!
//! A command never matches on a type: it asks a [`Model`] for a capability, gets an `Option`, and
//! says plainly when the model lacks it.

use std::ops::Range;

use ancestral_data::{Batch, Domain, Examples, Shape, Streams};
use burn::tensor::{DType, Device, TensorData};
use toml::Table;

use crate::settings::Field;
use crate::train::StepContext;
use crate::{Error, Result};

/// Tensors by name, in the order the model lists them; a name is `part.path.to.tensor`.
pub type NamedTensors = Vec<(String, TensorData)>;

/// The data a model is made for.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSpec {
    /// What values the entries take, after binarisation.
    pub domain: Domain,
    /// The shape of one example.
    pub shape: Shape,
    /// The number of classes, 0 if the data is not labelled.
    pub classes: usize,
}

/// Where and from what a model's first weights are made.
#[derive(Debug, Clone)]
pub struct Init {
    /// The device that holds the weights.
    pub device: Device,
    /// The weights' type: `F32`, or `F64` where gradients are checked.
    pub dtype: DType,
    /// Where the first weights are drawn from.
    pub streams: Streams,
}

impl Init {
    /// Single precision on the processor.
    pub fn cpu(seed: u64) -> Self {
        Self { device: Device::flex(), dtype: DType::F32, streams: Streams::new(seed) }
    }

    /// Double precision on the processor, for checks against finite differences.
    pub fn cpu_f64(seed: u64) -> Self {
        Self { dtype: DType::F64, ..Self::cpu(seed) }
    }
}

/// A generative model.
pub trait Model: Send {
    /// The name it is asked for by.
    fn name(&self) -> &'static str;

    /// All settings that made it.
    fn settings(&self) -> Table;

    /// The data it was made for.
    fn data(&self) -> &DataSpec;

    /// Parameters and buffers.
    fn tensors(&self) -> NamedTensors;

    /// Puts parameters and buffers back.
    ///
    /// # Errors
    /// If a tensor is missing, is too many, or has another shape.
    fn load(&mut self, tensors: &NamedTensors) -> Result<()>;

    /// Log-probabilities, if the model has them.
    fn density(&self) -> Option<&dyn Density> {
        None
    }

    /// Drawing examples, if the model can.
    fn sampler(&self) -> Option<&dyn Sampler> {
        None
    }

    /// Codes, if the model has them.
    fn latent(&self) -> Option<&dyn Latent> {
        None
    }

    /// A critic's verdicts, if the model has one.
    fn critic(&self) -> Option<&dyn Critic> {
        None
    }

    /// Features and probabilities of classes, if the model tells classes apart.
    fn classifier(&self) -> Option<&dyn Classifier> {
        None
    }

    /// Training step by step, if the model learns that way.
    fn trainable(&mut self) -> Option<&mut dyn Trainable> {
        None
    }

    /// Fitting in one go, if the model learns that way.
    fn estimator(&mut self) -> Option<&mut dyn Estimator> {
        None
    }
}

/// What a log-probability is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DensityKind {
    /// The log-probability itself.
    Exact,
    /// A lower bound from this many importance samples an example.
    LowerBound {
        /// K.
        samples: usize,
    },
}

/// How to estimate log-probabilities.
#[derive(Debug, Clone)]
pub struct DensityOptions {
    /// Importance samples an example (K); models with an exact density need none.
    pub samples: usize,
    /// Where the importance samples are drawn from.
    pub streams: Streams,
    /// Which members of an ensemble are averaged, as probabilities of the whole example; others
    /// than the first for models that are one ([`Density::ensemble`]).
    pub members: Range<u64>,
}

impl DensityOptions {
    /// K samples by seed, and the first member of an ensemble.
    pub fn new(samples: usize, seed: u64) -> Self {
        Self { samples, streams: Streams::new(seed), members: 0..1 }
    }
}

/// The members of a model that is an ensemble of exact densities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ensemble {
    /// What a member is: "ordering" or "mask".
    pub member: &'static str,
    /// How many there are; `None` for as many as one likes.
    pub count: Option<u64>,
}

/// The log-probabilities of some examples.
#[derive(Debug, Clone, PartialEq)]
pub struct LogProbability {
    /// One an example, in nats.
    pub nats: Vec<f64>,
    /// The Monte Carlo standard error of each, in nats, where there is one.
    pub mc_stderr: Option<Vec<f64>>,
}

/// The terms of the evidence lower bound of each example, in nats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ElboTerms {
    /// E_q[log p(x | z)].
    pub reconstruction: Vec<f64>,
    /// The divergence from the prior, summed over stochastic layers; the ELBO is
    /// reconstruction − kl.
    pub kl: Vec<f64>,
    /// The mean code of each example `[examples, latent_dim]`, for the count of active units.
    pub means: Vec<f32>,
}

/// A model with a log-probability.
pub trait Density {
    /// Exact, or a bound with K samples.
    fn kind(&self, samples: usize) -> DensityKind;

    /// The log-probability of each example, summed in double precision.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn log_probability(&self, batch: &Batch, options: DensityOptions) -> Result<LogProbability>;

    /// The members whose probabilities can be averaged, for models that are an ensemble.
    fn ensemble(&self) -> Option<Ensemble> {
        None
    }

    /// Whether the values are probabilities, which bits per dimension ask for, and not a density
    /// at a point of the real line.
    fn is_mass(&self, domain: Domain) -> bool {
        domain.is_discrete()
    }

    /// The evidence lower bound in its terms, for models that have one.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn elbo_terms(&self, _batch: &Batch, _streams: Streams) -> Result<Option<ElboTerms>> {
        Ok(None)
    }
}

/// What to draw.
#[derive(Debug, Clone)]
pub struct SampleRequest {
    /// The number of the first sample; each sample's draws depend on its number alone.
    pub first: u64,
    /// How many.
    pub count: usize,
    /// Where the draws come from.
    pub streams: Streams,
    /// Scales the spread of the prior: 1 as learned, below 1 more typical, above 1 more varied.
    pub temperature: f64,
    /// The class to draw, for conditional models; else classes are drawn evenly.
    pub class: Option<u32>,
    /// Whether to give the mean of the last conditional instead of drawing from it.
    pub mean: bool,
    /// Entries that are given and stay as they are.
    pub known: Option<Known>,
}

/// The given part of the examples to be completed.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Examples `[count, size]` in the values of the domain; what is not given does not matter.
    pub values: Vec<f32>,
    /// Which entries are given, `[count, size]`.
    pub given: Vec<bool>,
}

/// Which entries a sampler can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// None: it draws whole examples.
    None,
    /// The first ones in the model's order.
    Prefix,
    /// Any.
    Any,
}

impl SampleRequest {
    /// `count` plain samples by seed.
    pub fn new(count: usize, seed: u64) -> Self {
        Self {
            first: 0,
            count,
            streams: Streams::new(seed),
            temperature: 1.0,
            class: None,
            mean: false,
            known: None,
        }
    }
}

/// A model that draws.
pub trait Sampler {
    /// Draws examples, row after row, in the values of the model's domain.
    ///
    /// # Errors
    /// If the request asks for what the model has not (a class, a temperature).
    fn sample(&self, request: &SampleRequest) -> Result<Vec<f32>>;

    /// Which entries of an example it can be given to complete.
    fn completion(&self) -> Completion {
        Completion::None
    }

    /// How many classes can be asked for; 0 if none can.
    fn classes(&self) -> usize {
        0
    }

    /// Whether these classes are values of a code that was found without labels, so that their
    /// numbers are not those of the data.
    fn classes_are_codes(&self) -> bool {
        false
    }

    /// Whether a sample is a draw around the mean of a last conditional, so that the two differ.
    fn has_noise(&self) -> bool {
        true
    }
}

/// A model with a critic, which tells examples from samples.
pub trait Critic {
    /// The score of each example, higher for what looks like data; logits, or on a scale that the
    /// loss leaves open.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn criticise(&self, batch: &Batch) -> Result<Vec<f64>>;
}

/// A model with codes.
pub trait Latent {
    /// The number of entries of a code.
    fn latent_dim(&self) -> usize;

    /// The mean code of each example `[batch, latent_dim]`.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn encode(&self, batch: &Batch) -> Result<Vec<f32>>;

    /// Mean and standard deviation of q(code | example), each `[batch, latent_dim]`; `None` where
    /// a code is a point, or where the entries are not independent.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn posterior(&self, _batch: &Batch) -> Result<Option<(Vec<f32>, Vec<f32>)>> {
        Ok(None)
    }

    /// The mean of p(x | code) for each code, in the values of the model's domain; a class for
    /// each code if the model is conditional.
    ///
    /// # Errors
    /// If the codes have another length.
    fn decode(&self, codes: &[f32], labels: Option<&[u32]>) -> Result<Vec<f32>>;
}

/// What a classifier finds in some examples.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Classified {
    /// Features `[examples, feature_dim]`, row after row.
    pub features: Vec<f32>,
    /// The probability of each class `[examples, classes]`, row after row.
    pub probabilities: Vec<f64>,
}

/// A model that tells classes apart.
pub trait Classifier {
    /// The number of features of an example.
    fn feature_dim(&self) -> usize;

    /// Features and class probabilities of examples, row after row, in the values of the model's
    /// domain.
    ///
    /// # Errors
    /// If these are no whole examples.
    fn classify(&self, values: &[f32]) -> Result<Classified>;
}

/// Named figures of one step, the loss first.
pub type Metrics = Vec<(&'static str, f64)>;

/// A model that learns step by step.
pub trait Trainable {
    /// One step: draws as many batches as it needs and updates each of its parts once (a GAN:
    /// one generator update).
    ///
    /// # Errors
    /// If a loss or gradient is not finite.
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics>;

    /// What checkpoints are chosen by: one figure an example, lower is better; `None` if the
    /// model has no such figure.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>>;

    /// What [`Trainable::validation`] is called where it is printed.
    fn validation_name(&self) -> &'static str {
        "validation"
    }

    /// What somebody who watches the run should know, from the means of its metrics since the last
    /// report.
    fn concerns(&self, _means: &[(String, f64)]) -> Vec<String> {
        Vec::new()
    }

    /// Called once before the first step of a new run, with the training examples, for starts
    /// that depend on the data (an output bias at the marginals' logit).
    ///
    /// # Errors
    /// If the examples do not fit the model.
    fn start(&mut self, _examples: &Examples) -> Result<()> {
        Ok(())
    }

    /// Examples that a batch takes at least: 2 where those of a batch are normalised together.
    fn least_batch(&self) -> usize {
        1
    }

    /// Called with averaged weights in place, before these are measured, drawn from or stored: for
    /// state that has to fit the weights, as moments of normalisation.
    ///
    /// # Errors
    /// If the weights are lost.
    fn settle(&mut self) -> Result<()> {
        Ok(())
    }
}

/// One fitted number with its standard error, where there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// What it is.
    pub name: String,
    /// The estimate.
    pub value: f64,
    /// Its standard error.
    pub stderr: Option<f64>,
}

/// A model that is fitted in one go.
pub trait Estimator {
    /// Fits to the examples and says what was found.
    ///
    /// # Errors
    /// If the examples do not determine the parameters.
    fn fit(&mut self, examples: &Examples) -> Result<Vec<Estimate>>;
}

/// A model in the list.
pub struct ModelEntry {
    /// The name it is asked for by.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// What it can be asked: "density (bound)", "samples", "codes" and so on.
    pub can: &'static [&'static str],
    /// Named settings of papers.
    pub presets: &'static [Preset],
    /// Its settings with documentation and defaults.
    pub fields: fn() -> Vec<Field>,
    /// Makes one with its first weights.
    pub build: fn(&Table, &DataSpec, &Init) -> Result<Box<dyn Model>>,
    /// Settings of the training loop that differ from the loop's own defaults on such data.
    pub train: fn(&DataSpec) -> Table,
}

/// Settings under a name.
pub struct Preset {
    /// The name, as in `--preset name`.
    pub name: &'static str,
    /// Whose settings, in one line.
    pub about: &'static str,
    /// Tables `model`, `train` and `data`, as TOML.
    pub settings: &'static str,
}

/// All models.
pub fn models() -> Vec<ModelEntry> {
    let mut models = vec![
        crate::autoregressive::nade::entry(),
        crate::autoregressive::rnade::entry(),
        crate::autoregressive::deep_nade::entry(),
        crate::autoregressive::made::entry(),
        crate::autoregressive::fvsbn::entry(),
        crate::autoencoder::ae::entry(),
        crate::autoencoder::vae::entry(),
        crate::autoencoder::vae::iwae_entry(),
    ];
    models.extend(crate::adversarial::presets::entries());
    models.extend([
        crate::likelihood::fitted::gaussian_entry(),
        crate::likelihood::fitted::bernoulli_entry(),
        crate::evaluate::features::entry(),
    ]);
    models
}

/// The model of a name.
///
/// # Errors
/// If there is none, with the nearest name.
pub fn find(name: &str) -> Result<ModelEntry> {
    let models = models();
    let names: Vec<&'static str> = models.iter().map(|m| m.name).collect();
    models.into_iter().find(|m| m.name == name).ok_or_else(|| Error::Unknown {
        what: "model",
        name: name.to_owned(),
        hint: match crate::settings::nearest(name, &names) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("the models are {}", names.join(", ")),
        },
    })
}
