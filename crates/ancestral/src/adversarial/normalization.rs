//! Batch, layer and spectral normalization.
//!
//! | name | normalizes | source |
//! |---|---|---|
//! | batch | each channel over the batch, to mean 0 and variance 1 | Ioffe and Szegedy 2015 |
//! | layer | each example over all its features, to mean 0 and variance 1 | Ba, Kiros and Hinton 2016 |
//! | spectral | the weights, by their largest singular value | Miyato et al. 2018 |
//!
//! Batch and layer normalization then scale and shift each channel by learned γ and β.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

use ancestral_data::fill_normal;
use ancestral_kernels as kernels;

use crate::choices;
use crate::model::Init;
use crate::nn::{Activation, frozen, parameter, with_value};

/// Added to variances before the root is taken.
const EPSILON: f64 = 1e-5;
/// Weight of a new batch in the running moments: PyTorch's `momentum`.
pub(crate) const MOMENTUM: f64 = 0.1;

/// Which moments batch normalization uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Those of the batch.
    Training,
    /// The running moments of training.
    Sampling,
}

/// The normalization of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Norm {
    None,
    Batch,
    Layer,
    Spectral,
}

choices! {
    /// Normalization of a generator.
    pub enum GeneratorNorm {
        /// batch for networks with convolutions, else none
        Auto = "auto",
        /// none
        None = "none",
        /// batch normalization: each channel over the batch
        Batch = "batch",
        /// layer normalization: each example over its features
        Layer = "layer",
    }
}

choices! {
    /// Normalization of a critic.
    pub enum CriticNorm {
        /// batch for networks with convolutions (layer with a gradient penalty), else none
        Auto = "auto",
        /// none
        None = "none",
        /// batch normalization: each channel over the batch
        Batch = "batch",
        /// layer normalization: each example over its features
        Layer = "layer",
        /// spectral normalization: weights divided by their largest singular value
        Spectral = "spectral",
    }
}

impl GeneratorNorm {
    /// The normalization for these networks.
    pub(crate) fn resolve(self, convolutions: bool) -> Norm {
        match self {
            Self::Auto if convolutions => Norm::Batch,
            Self::Auto | Self::None => Norm::None,
            Self::Batch => Norm::Batch,
            Self::Layer => Norm::Layer,
        }
    }
}

impl CriticNorm {
    /// The normalization for these networks; `gradient_penalty` tells whether input gradients are
    /// penalized.
    pub(crate) fn resolve(self, convolutions: bool, gradient_penalty: bool) -> Norm {
        match self {
            Self::Auto if convolutions && gradient_penalty => Norm::Layer,
            Self::Auto if convolutions => Norm::Batch,
            Self::Auto | Self::None => Norm::None,
            Self::Batch => Norm::Batch,
            Self::Layer => Norm::Layer,
            Self::Spectral => Norm::Spectral,
        }
    }
}

/// Mean and variance `[channels]` of a batch, for the running moments.
pub(crate) struct Statistics {
    mean: Tensor<1>,
    /// Unbiased: divided by n − 1.
    variance: Tensor<1>,
}

/// Batch normalization, with its running moments as buffers.
#[derive(Module, Debug)]
pub(crate) struct BatchNorm {
    /// Scale `[channels]`.
    pub(crate) gamma: Param<Tensor<1>>,
    /// Shift `[channels]`.
    pub(crate) beta: Param<Tensor<1>>,
    /// Running mean `[channels]`.
    mean: Param<Tensor<1>>,
    /// Running variance `[channels]`.
    variance: Param<Tensor<1>>,
}

fn ones(n: usize, init: &Init) -> Param<Tensor<1>> {
    parameter(TensorData::new(vec![1.0f32; n], [n]), init)
}

fn zeros(n: usize, init: &Init) -> Param<Tensor<1>> {
    parameter(TensorData::new(vec![0.0f32; n], [n]), init)
}

/// Reshapes `[channels]` to broadcast over feature maps.
fn spread(x: Tensor<1>) -> Tensor<4> {
    let channels = x.dims()[0];
    x.reshape([1, channels, 1, 1])
}

impl BatchNorm {
    pub(crate) fn init(channels: usize, init: &Init) -> Self {
        Self {
            gamma: ones(channels, init),
            beta: zeros(channels, init),
            mean: frozen(vec![0.0; channels], init),
            variance: frozen(vec![1.0; channels], init),
        }
    }

    /// The normalized maps after `activation`, and in training the moments of the batch.
    pub(crate) fn forward(
        &self,
        x: Tensor<4>,
        mode: Mode,
        activation: Activation,
    ) -> (Tensor<4>, Option<Statistics>) {
        match mode {
            Mode::Training => {
                let [n, _, height, width] = x.dims();
                let slope = activation.slope();
                let (gamma, beta) = (self.gamma.val(), self.beta.val());
                let (y, mean, variance) = kernels::batch_norm(x, gamma, beta, EPSILON, slope);
                let y = if slope.is_some() { y } else { activation.forward(y) };
                let count = (n * height * width) as f64;
                let unbiased = variance.inner() * (count / (count - 1.0).max(1.0));
                (y, Some(Statistics { mean: mean.inner(), variance: unbiased }))
            }
            Mode::Sampling => {
                let (gamma, beta) = (spread(self.gamma.val()), spread(self.beta.val()));
                let running = |p: &Param<Tensor<1>>| {
                    let value = p.val().inner();
                    let tracked = gamma.is_autodiff();
                    spread(if tracked { Tensor::from_inner(value) } else { value })
                };
                let std = (running(&self.variance) + EPSILON).sqrt();
                let y = (x - running(&self.mean)) / std * gamma + beta;
                (activation.forward(y), None)
            }
        }
    }

    /// running ← (1 − share) · running + share · batch.
    pub(crate) fn update_running_stats(&mut self, statistics: Statistics, share: f64) {
        let blend = |old: &Param<Tensor<1>>, new: Tensor<1>| {
            old.clone().map(|old| {
                let new = if old.is_autodiff() { Tensor::from_inner(new) } else { new };
                (old * (1.0 - share) + new * share).set_require_grad(false)
            })
        };
        self.mean = blend(&self.mean, statistics.mean);
        self.variance = blend(&self.variance, statistics.variance);
    }
}

/// Layer normalization: over all features of an example.
#[derive(Module, Debug)]
pub(crate) struct LayerNorm {
    /// Scale `[channels]`.
    pub(crate) gamma: Param<Tensor<1>>,
    /// Shift `[channels]`.
    pub(crate) beta: Param<Tensor<1>>,
}

impl LayerNorm {
    pub(crate) fn init(channels: usize, init: &Init) -> Self {
        Self { gamma: ones(channels, init), beta: zeros(channels, init) }
    }

    /// The normalized maps, after `activation` if it is a (leaky) ReLU, which the kernel applies;
    /// else before it.
    pub(crate) fn forward(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        kernels::layer_norm(x, gamma, beta, EPSILON, activation.slope())
    }

    /// vᵀ·∂[`LayerNorm::forward`]/∂x.
    pub(crate) fn vjp(&self, v: Tensor<4>, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        kernels::layer_norm_vjp(v, x, gamma, beta, EPSILON, activation.slope())
    }
}

/// The state of the power iteration for a layer's largest singular value.
#[derive(Module, Debug)]
pub(crate) struct Spectral {
    /// The left singular vector `[outputs]`.
    left: Param<Tensor<1>>,
    /// The dimension of the weights that indexes outputs.
    #[module(skip)]
    outputs: usize,
}

/// x / ‖x‖.
fn unit(x: Tensor<2>) -> Tensor<2> {
    let norm = (x.clone().square().sum_dim(0).sum_dim(1) + 1e-24).sqrt();
    x / norm
}

impl Spectral {
    pub(crate) fn init(size: usize, outputs: usize, name: &str, init: &Init) -> Self {
        let mut left = vec![0.0f32; size];
        fill_normal(&mut init.streams.item(&format!("init spectral {name}"), 0, 0), &mut left);
        let norm = left.iter().map(|x| x * x).sum::<f32>().sqrt();
        left.iter_mut().for_each(|x| *x /= norm);
        Self { left: frozen(left, init), outputs }
    }

    /// The weights as a matrix `[outputs, inputs · area]`.
    fn matrix(&self, weight: Tensor<4>) -> Tensor<2> {
        let weight = if self.outputs == 1 { weight.swap_dims(0, 1) } else { weight };
        let [outputs, a, b, c] = weight.dims();
        weight.reshape([outputs, a * b * c])
    }

    /// The weights divided by uᵀWv, with v = Wᵀu / ‖Wᵀu‖; no gradient flows through u and v (Miyato et
    /// al. 2018, section 2.1).
    pub(crate) fn normalize(&self, weight: Tensor<4>) -> Tensor<4> {
        let matrix = self.matrix(weight.clone());
        let u = self.left.val().inner().unsqueeze_dim::<2>(0);
        let v = unit(u.clone().matmul(matrix.clone().inner()));
        let (u, v) = if matrix.is_autodiff() {
            (Tensor::from_inner(u), Tensor::from_inner(v))
        } else {
            (u, v)
        };
        let sigma = u.matmul(matrix).matmul(v.transpose());
        weight / sigma.reshape([1, 1, 1, 1])
    }

    /// u ← Wv / ‖Wv‖ with v = Wᵀu / ‖Wᵀu‖.
    pub(crate) fn update_spectral_norm(&mut self, weight: Tensor<4>) {
        let matrix = self.matrix(weight.inner());
        let u = self.left.val().inner().unsqueeze_dim::<2>(0);
        let v = unit(u.matmul(matrix.clone()));
        let u = unit(v.matmul(matrix.transpose()));
        let values = u.into_data().try_into_vec_as::<f32>().unwrap_or_default();
        self.left = with_value(self.left.clone(), values).set_require_grad(false);
    }
}
