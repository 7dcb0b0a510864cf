//! The types that most programs need: `use ancestral::prelude::*`.

pub use ancestral_data::{
    Batch, Binarize, Dataset, Domain, Examples, OpenOptions, Shape, Split, SplitName, Values,
};

pub use crate::adversarial::gan::GanConfig;
pub use crate::autoencoder::ae::AeConfig;
pub use crate::autoencoder::vae::VaeConfig;
pub use crate::autoregressive::deep_nade::DeepNadeConfig;
pub use crate::autoregressive::fvsbn::FvsbnConfig;
pub use crate::autoregressive::made::MadeConfig;
pub use crate::autoregressive::nade::NadeConfig;
pub use crate::autoregressive::rnade::RnadeConfig;
pub use crate::classifier::features::FeaturesConfig;
pub use crate::classifier::logistic::LogisticConfig;
pub use crate::distributions::bernoulli::BernoulliConfig;
pub use crate::distributions::gaussian::GaussianConfig;
pub use crate::model::{
    Density, Known, Latent, Model, ModelConfig, ModelEntry, SampleRequest, Sampler,
};
pub use crate::optim::{Rule, ScheduleName};
pub use crate::registry::Registry;
pub use crate::run::{DataQuery, Run, RunSpec, Session, Weights};
pub use crate::train::{Budget, Event, Observer, TrainConfig};
