//! Diagonal Gaussian distributions of latent codes.

use ancestral_kernels as kernels;
use burn::tensor::Tensor;

/// A batch of diagonal Gaussians, `[rows, dims]` each.
#[derive(Clone)]
pub(super) struct Normal {
    pub(super) mean: Tensor<2>,
    pub(super) log_sigma: Tensor<2>,
}

impl Normal {
    /// The whole batch repeated `times` times.
    pub(super) fn repeat(self, times: usize) -> Self {
        if times == 1 {
            return self;
        }
        Self {
            mean: self.mean.repeat_dim(0, times),
            log_sigma: self.log_sigma.repeat_dim(0, times),
        }
    }

    /// The same, detached from the graph.
    pub(super) fn detach(self) -> Self {
        Self { mean: self.mean.detach(), log_sigma: self.log_sigma.detach() }
    }

    /// A reparameterized sample, mean + σ ε.
    pub(super) fn rsample(&self, noise: Tensor<2>) -> Tensor<2> {
        self.mean.clone() + kernels::exp(self.log_sigma.clone()) * noise
    }

    /// log N(mean + σ ε; mean, σ²) of each row without its constant −d/2 log 2π.
    pub(super) fn log_density_at(&self, noise: Tensor<2>) -> Tensor<1> {
        let terms = noise.clone() * noise * 0.5 + self.log_sigma.clone();
        terms.neg().sum_dim(1).squeeze_dim(1)
    }

    /// log N(z; mean, σ²) of each row without its constant −d/2 log 2π.
    pub(super) fn log_density(&self, z: Tensor<2>) -> Tensor<1> {
        let noise = (z - self.mean.clone()) * kernels::exp(self.log_sigma.clone().neg());
        self.log_density_at(noise)
    }

    /// KL divergence from N(0, 1) of each entry: ½ (μ² + σ² − log σ² − 1).
    pub(super) fn kl_standard(&self) -> Tensor<2> {
        let variance = kernels::exp(self.log_sigma.clone() * 2.0);
        let mean = self.mean.clone();
        (mean.clone() * mean + variance - self.log_sigma.clone() * 2.0 - 1.0) * 0.5
    }
}

/// log N(z; 0, I) of each row without its constant −d/2 log 2π.
pub(super) fn standard_log_density(z: Tensor<2>) -> Tensor<1> {
    (z.clone() * z * -0.5).sum_dim(1).squeeze_dim(1)
}
