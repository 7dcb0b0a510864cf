//! The common part of models with one network: settings, data, tensors, and the network, which the
//! optimizer takes out while it updates it.

use burn::module::Module;
use toml::Table;

use super::classify::{Classifier, Clusterer, Discriminator};
use super::contract::Model;
use super::density::Density;
use super::latent::Latent;
use super::sampler::Sampler;
use super::trainable::{PART, Trainable};
use crate::nn::{InputPipeline, load_module, module_tensors};
use crate::spec::{DataSpec, NamedTensors};
use crate::{Error, Result};

/// The state of a model of one network.
pub struct Core<N> {
    settings: Table,
    /// The conversion of batches to tensors.
    pub pipeline: InputPipeline,
    /// Taken out only while the optimizer holds it.
    network: Option<N>,
}

impl<N: Module> Core<N> {
    /// The state of a model from its settings, input pipeline and network.
    pub fn new(settings: Table, pipeline: InputPipeline, network: N) -> Self {
        Self { settings, pipeline, network: Some(network) }
    }

    /// The network, with gradient tracking.
    ///
    /// # Errors
    /// If a failed update lost it.
    pub fn network(&self) -> Result<&N> {
        self.network.as_ref().ok_or_else(|| Error::weights_lost(self.pipeline.model))
    }

    /// The network for inference, without gradient tracking.
    ///
    /// # Errors
    /// As [`Core::network`].
    pub fn inference(&self) -> Result<N> {
        Ok(self.network()?.valid())
    }

    /// Replaces the network.
    pub fn change(&mut self, change: impl FnOnce(N) -> N) {
        self.network = self.network.take().map(change);
    }

    /// The slot that an optimizer takes the network from and puts it back to.
    pub fn slot(&mut self) -> &mut Option<N> {
        &mut self.network
    }
}

/// The capabilities of a model other than training.
#[derive(Default)]
pub struct Abilities<'a> {
    /// Log-probabilities.
    pub density: Option<&'a dyn Density>,
    /// Sampling.
    pub sampler: Option<&'a dyn Sampler>,
    /// Latent codes.
    pub latent: Option<&'a dyn Latent>,
    /// Discriminator scores.
    pub discriminator: Option<&'a dyn Discriminator>,
    /// Features and class probabilities.
    pub classifier: Option<&'a dyn Classifier>,
    /// Clusters.
    pub clusterer: Option<&'a dyn Clusterer>,
    /// Whether it accepts missing entries.
    pub missing: bool,
}

/// A model with one network that is trained by gradient steps; it implements [`Model`].
pub trait NeuralModel: Trainable + Send + Sync {
    /// Its network.
    type Network: Module;

    /// Its state.
    fn core(&self) -> &Core<Self::Network>;

    /// Its state, mutable.
    fn core_mut(&mut self) -> &mut Core<Self::Network>;

    /// Its other capabilities.
    fn abilities(&self) -> Abilities<'_>;
}

impl<M: NeuralModel> Model for M {
    fn name(&self) -> &'static str {
        self.core().pipeline.model
    }

    fn settings(&self) -> Table {
        self.core().settings.clone()
    }

    fn data(&self) -> &DataSpec {
        &self.core().pipeline.data
    }

    fn takes_missing(&self) -> bool {
        self.abilities().missing
    }

    fn tensors(&self) -> NamedTensors {
        self.core().network.as_ref().map(|n| module_tensors(PART, n)).unwrap_or_default()
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        // A clone shares the tensors; a failure leaves the model unchanged.
        let network = self.core().network()?.clone();
        *self.core_mut().slot() = Some(load_module(PART, network, tensors)?);
        Ok(())
    }

    fn density(&self) -> Option<&dyn Density> {
        self.abilities().density
    }

    fn sampler(&self) -> Option<&dyn Sampler> {
        self.abilities().sampler
    }

    fn latent(&self) -> Option<&dyn Latent> {
        self.abilities().latent
    }

    fn discriminator(&self) -> Option<&dyn Discriminator> {
        self.abilities().discriminator
    }

    fn classifier(&self) -> Option<&dyn Classifier> {
        self.abilities().classifier
    }

    fn clusterer(&self) -> Option<&dyn Clusterer> {
        self.abilities().clusterer
    }

    fn trainable(&mut self) -> Option<&mut dyn Trainable> {
        Some(self)
    }
}
