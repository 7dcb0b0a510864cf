//! Observation models p(x | θ), whose parameters θ are the outputs of a network, and means of importance
//! weights.

mod importance;
mod levels;
mod observation;

pub use importance::MonteCarlo;
pub use observation::{Deviation, Likelihood, LikelihoodName};

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

/// A running log((1/n) Σ exp xᵢ) of many numbers at once.
#[derive(Debug, Clone)]
pub struct LogMeanExp {
    count: usize,
    max: Vec<f64>,
    /// Σ exp(xᵢ − max).
    sum: Vec<f64>,
}

impl LogMeanExp {
    /// `len` means without terms.
    pub fn new(len: usize) -> Self {
        Self { count: 0, max: vec![f64::NEG_INFINITY; len], sum: vec![0.0; len] }
    }

    /// Adds a term to each.
    ///
    /// # Panics
    /// If the number of terms is not `len`.
    pub fn add(&mut self, terms: &[f64]) {
        assert_eq!(terms.len(), self.max.len(), "LogMeanExp: one term for each number");
        self.count += 1;
        for ((max, sum), &x) in self.max.iter_mut().zip(&mut self.sum).zip(terms) {
            if x > *max {
                *sum = *sum * (*max - x).exp() + 1.0;
                *max = x;
            } else if x > f64::NEG_INFINITY || x.is_nan() {
                *sum += (x - *max).exp();
            }
        }
    }

    /// The means so far; −∞ without terms.
    pub fn finish(&self) -> Vec<f64> {
        let n = (self.count.max(1) as f64).ln();
        self.max.iter().zip(&self.sum).map(|(max, sum)| max + sum.ln() - n).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_mean_is_the_mean() {
        let rows = [[-800.0, 3.0], [-810.0, f64::NEG_INFINITY], [-799.0, 2.0], [-5000.0, 3.0]];
        let mut running = LogMeanExp::new(2);
        for n in 1..=rows.len() {
            running.add(&rows[n - 1]);
            for (i, got) in running.finish().into_iter().enumerate() {
                let column: Vec<f64> = rows[..n].iter().map(|row| row[i]).collect();
                assert!((got - log_mean_exp(&column)).abs() < 1e-12, "{n} {i}: {got}");
            }
        }
        let mut nothing = LogMeanExp::new(1);
        nothing.add(&[f64::NEG_INFINITY]);
        assert_eq!(nothing.finish(), [f64::NEG_INFINITY]);
    }
}
