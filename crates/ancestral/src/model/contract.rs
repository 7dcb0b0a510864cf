//! The contract: the trait that every model implements.

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
    /// The name of the model.
    fn name(&self) -> &'static str;

    /// All its settings, under the names that run folders store.
    fn settings(&self) -> Table;

    /// The specification of its data.
    fn data(&self) -> &DataSpec;

    /// Whether it accepts examples with missing entries; batches with missing entries are refused
    /// otherwise.
    fn takes_missing(&self) -> bool {
        false
    }

    /// The column that the model predicts from the others, of a regression: its density is that of this
    /// column given the others, and its samples complete rows of the others.
    fn target(&self) -> Option<usize> {
        None
    }

    /// Parameters and buffers.
    fn tensors(&self) -> NamedTensors;

    /// Loads parameters and buffers.
    ///
    /// # Errors
    /// If a tensor is missing, unknown, or has another shape.
    fn load(&mut self, tensors: &NamedTensors) -> Result<()>;

    /// Log-probabilities, if the model has a density.
    fn density(&self) -> Option<&dyn Density> {
        None
    }

    /// Sampling, if the model can.
    fn sampler(&self) -> Option<&dyn Sampler> {
        None
    }

    /// Latent codes, if the model has them.
    fn latent(&self) -> Option<&dyn Latent> {
        None
    }

    /// Discriminator scores, if the model has a discriminator.
    fn discriminator(&self) -> Option<&dyn Discriminator> {
        None
    }

    /// Features and class probabilities, if the model is a classifier.
    fn classifier(&self) -> Option<&dyn Classifier> {
        None
    }

    /// Clusters, if the model is a clusterer.
    fn clusterer(&self) -> Option<&dyn Clusterer> {
        None
    }

    /// Training by gradient steps, if the model is trained that way.
    fn trainable(&mut self) -> Option<&mut dyn Trainable> {
        None
    }

    /// Fitting in one call, if the model is fitted that way.
    fn estimator(&mut self) -> Option<&mut dyn Estimator> {
        None
    }
}
