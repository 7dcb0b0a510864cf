//! p(x | θ): what a network's outputs say about an example, and plain distributions fitted by
//! maximum likelihood.

pub mod fitted;
mod observation;

pub use observation::Likelihood;

use burn::tensor::Tensor;

use ancestral_kernels as kernels;

/// log Σ exp over the last dimension, which is dropped; safe for any finite input.
pub(crate) fn log_sum_exp<const D: usize, const E: usize>(x: Tensor<D>) -> Tensor<E> {
    let max = x.clone().detach().max_dim(D - 1);
    let sum = kernels::exp(x - max.clone()).sum_dim(D - 1);
    (kernels::log(sum) + max).squeeze_dim::<E>(D - 1)
}

/// log((1/n) Σ exp xᵢ) in double precision; −∞ for no terms or only −∞.
pub fn log_mean_exp(x: &[f64]) -> f64 {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !max.is_finite() {
        return max;
    }
    let sum: f64 = x.iter().map(|v| (v - max).exp()).sum();
    max + (sum / x.len() as f64).ln()
}
