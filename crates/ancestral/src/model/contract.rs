//! The contract: what every model answers.

use toml::Table;

use super::classify::{Classifier, Clusterer, Discriminator};
use super::density::Density;
use super::estimator::Estimator;
use super::latent::Latent;
use super::sampler::Sampler;
use super::trainable::Trainable;
use crate::Result;
use crate::spec::{DataSpec, NamedTensors};

/// A generative model.
pub trait Model: Send + Sync {
    /// The name it is asked for by.
    fn name(&self) -> &'static str;

    /// All settings that made it, under the names that files of runs keep.
    fn settings(&self) -> Table;

    /// The data it was made for.
    fn data(&self) -> &DataSpec;

    /// Whether it can do without missing entries of an example; batches that have some are refused
    /// for it otherwise.
    fn takes_missing(&self) -> bool {
        false
    }

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

    /// Latent codes, if the model has them.
    fn latent(&self) -> Option<&dyn Latent> {
        None
    }

    /// Scores that tell data from samples, if the model has a discriminator.
    fn discriminator(&self) -> Option<&dyn Discriminator> {
        None
    }

    /// Features and probabilities of classes, if the model tells classes apart.
    fn classifier(&self) -> Option<&dyn Classifier> {
        None
    }

    /// Clusters, if the model groups examples.
    fn clusterer(&self) -> Option<&dyn Clusterer> {
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
