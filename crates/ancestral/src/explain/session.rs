//! Runs a demonstration.

use super::spec::{ExplainSpec, Explanation};
use super::topic::Topic;
use super::{
    ae_vs_vae, clustering, color_chain, dbscan, density, discriminator, elbo, kmeans, likelihood,
    receptive_field, rules, saturation, som, supervised, transposed,
};
use crate::Result;
use crate::run::Session;

impl Session<'_> {
    /// Demonstrates a concept: trains models, measures, and saves plots to the folder of `spec`.
    ///
    /// # Errors
    /// If the topic does not use an option, the folder already has runs, the data is not found or
    /// does not fit, training fails, an image cannot be written, or the session was stopped.
    pub fn explain(&mut self, spec: &ExplainSpec) -> Result<Explanation> {
        spec.check()?;
        match spec.topic {
            Topic::AeVsVae => ae_vs_vae::explain(self, spec),
            Topic::Elbo => elbo::explain(self, spec),
            Topic::Density => density::explain(spec),
            Topic::Saturation => saturation::explain(self, spec),
            Topic::OptimalDiscriminator => discriminator::explain(self, spec),
            Topic::TransposedConvolution => transposed::explain(spec),
            Topic::ReceptiveField => receptive_field::explain(self, spec),
            Topic::ColorChain => color_chain::explain(self, spec),
            Topic::Likelihood => likelihood::explain(spec),
            Topic::Rules => rules::explain(self, spec),
            Topic::Kmeans => kmeans::explain(self, spec),
            Topic::Dbscan => dbscan::explain(spec),
            Topic::Som => som::explain(self, spec),
            Topic::Clustering => clustering::explain(self, spec),
            Topic::Supervised => supervised::explain(spec),
        }
    }
}
