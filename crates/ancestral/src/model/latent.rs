//! Latent codes.

use ancestral_data::Batch;

use crate::Result;

/// A model with latent codes.
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
    fn decode(&self, codes: &[f32], labels: Option<&[u32]>) -> Result<Vec<f64>>;
}
