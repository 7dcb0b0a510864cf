//! The contract of models.
//!
//! Callers never match on the type of a model: they ask a [`Model`] for a capability, get an `Option`,
//! and report an error if the model lacks it.

mod classify;
mod contract;
mod density;
mod entry;
mod estimator;
mod latent;
mod lower;
mod neural;
mod request;
mod sampler;
mod size;
mod trainable;

pub use classify::{Assigning, Assignments, Classified, Classifier, Clusterer, Discriminator};
pub use contract::Model;
pub use density::{Density, DensityKind, DensityOptions, ElboTerms, Ensemble, LogProbability};
pub use entry::{Capability, Learning, ModelConfig, ModelEntry, Preset, Task};
pub use estimator::{
    BLOCK, Coefficient, Criteria, Estimate, Estimator, FitContext, FitReport, Regression,
    SumEstimator, block_sums, fit,
};
pub use latent::Latent;
pub(crate) use lower::{Lowered, setting_to_lower};
pub use neural::{Abilities, Core, NeuralModel};
pub(crate) use request::check_memory_of_samples;
pub use request::{
    check_batch, column_terms, input_gradients, log_probability, sample, sample_observed,
    sampler_for,
};
pub use sampler::{Completion, Conditional, Known, SampleRequest, SampleStep, Sampler};
pub use size::{Size, SizeBuilder, product};
pub use trainable::{BatchIterator, Metrics, StepContext, Trainable};

pub use crate::spec::{ColumnKind, Columns, DataSpec, Init, KindName, NamedTensors};
