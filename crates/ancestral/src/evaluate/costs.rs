//! The cost of each pixel.

use std::f64::consts::LN_2;

use ancestral_data::Examples;

use crate::model::{Model, column_terms};
use crate::{Error, Result};

/// Examples per batch.
const AT_ONCE: usize = 500;

/// The cost of each entry of images in bits, averaged over examples: −log₂ of the probability of the
/// entry given those before it.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelCosts {
    /// Channels, height and width.
    pub shape: [usize; 3],
    /// Number of examples.
    pub n: usize,
    /// The mean cost of each entry, `[channels, height, width]`.
    pub bits: Vec<f64>,
}

impl PixelCosts {
    /// The cost of an image: the sum over all entries.
    pub fn total(&self) -> f64 {
        self.bits.iter().sum()
    }

    /// The cost of an image divided by the number of its entries, as
    /// [`Likelihoods::bits_per_dim`](super::Likelihoods::bits_per_dim) has it.
    pub fn bits_per_dim(&self) -> f64 {
        self.total() / self.bits.len() as f64
    }

    /// The costs of the entries of a channel `[height, width]`.
    pub fn channel(&self, channel: usize) -> &[f64] {
        let area = self.shape[1] * self.shape[2];
        &self.bits[channel * area..(channel + 1) * area]
    }

    /// The cost of each pixel `[height, width]`: the sum over its channels.
    pub fn pixels(&self) -> Vec<f64> {
        let [channels, height, width] = self.shape;
        let pixel = |p: usize| (0..channels).map(|c| self.channel(c)[p]).sum();
        (0..height * width).map(pixel).collect()
    }
}

/// Measures the cost of each pixel over all examples.
///
/// `progress` is called with the number of examples done.
///
/// # Errors
/// If the examples are no images or do not fit the model, or its log-probability is no sum over
/// entries, or a density of reals.
pub fn pixel_costs(
    model: &dyn Model,
    examples: &Examples,
    progress: &mut dyn FnMut(usize),
) -> Result<PixelCosts> {
    let Some(shape) = examples.shape().as_image() else {
        return Err(Error::NoImage { shape: examples.shape().clone() });
    };
    let unsupported = |problem: &str| Error::Unsupported {
        model: model.name().to_owned(),
        problem: problem.to_owned(),
    };
    let no_terms = || {
        unsupported(
            "has no cost of each pixel, because its log-probability is not a sum over pixels; \
             autoregressive models, such as pixel-cnn, nade and made, have one",
        )
    };
    let density = model.density().ok_or_else(no_terms)?;
    if !density.is_mass(model.data()) {
        return Err(unsupported(
            "has a density of real values, whose terms are no bits; binary pixels and levels have a \
             cost in bits",
        ));
    }
    let (n, size) = (examples.len(), examples.shape().size());
    let mut nats = vec![0.0; size];
    let indices: Vec<u64> = (0..n as u64).collect();
    for chunk in indices.chunks(AT_ONCE) {
        let terms = column_terms(model, &examples.batch(chunk, 0))?.ok_or_else(no_terms)?;
        for row in terms.chunks_exact(size) {
            nats.iter_mut().zip(row).for_each(|(sum, term)| *sum -= term);
        }
        progress(chunk.last().map_or(n, |&last| last as usize + 1));
    }
    let bits = nats.into_iter().map(|nats| nats / (n.max(1) as f64 * LN_2)).collect();
    Ok(PixelCosts { shape, n, bits })
}
