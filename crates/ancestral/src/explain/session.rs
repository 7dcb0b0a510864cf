//! Carries an explanation out.

use super::spec::{ExplainSpec, Explanation};
use super::topic::Topic;
use super::{ae_vs_vae, density, discriminator, elbo, saturation, transposed};
use crate::Result;
use crate::run::Session;

impl Session<'_> {
    /// Demonstrates a concept: trains what it needs, measures, and draws images into the folder of
    /// `spec`.
    ///
    /// # Errors
    /// If the topic has no use for an option, its runs would be mixed up with others in the folder,
    /// the data is not found or does not suit, training fails, an image cannot be written, or the
    /// session was stopped.
    pub fn explain(&mut self, spec: &ExplainSpec) -> Result<Explanation> {
        spec.check()?;
        match spec.topic {
            Topic::AeVsVae => ae_vs_vae::explain(self, spec),
            Topic::Elbo => elbo::explain(self, spec),
            Topic::Density => density::explain(spec),
            Topic::Saturation => saturation::explain(self, spec),
            Topic::OptimalDiscriminator => discriminator::explain(self, spec),
            Topic::TransposedConvolution => transposed::explain(spec),
        }
    }
}
