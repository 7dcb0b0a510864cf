//! Latent codes.

use ancestral_data::Batch;

use crate::Result;

/// A model with latent codes.
pub trait Latent {
    /// The number of latent dimensions.
    fn latent_dim(&self) -> usize;

    /// The code of each example, or its posterior mean, `[batch, latent_dim]`.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn encode(&self, batch: &Batch) -> Result<Vec<f32>>;

    /// Mean and standard deviation of q(code | example), each `[batch, latent_dim]`; `None` if
    /// the encoder is deterministic, or the entries are not independent.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn posterior(&self, _batch: &Batch) -> Result<Option<(Vec<f32>, Vec<f32>)>> {
        Ok(None)
    }

    /// The mean of p(x | code) for each code, in values of the model's domain; conditional
    /// models need a class for each code.
    ///
    /// # Errors
    /// If the codes have another length.
    fn decode(&self, codes: &[f32], labels: Option<&[u32]>) -> Result<Vec<f64>>;
}
