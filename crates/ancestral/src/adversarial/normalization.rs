//! Normalisations of feature maps and of weights.
//!
//! | name | what has mean 0 and variance 1 | source |
//! |---|---|---|
//! | batch | each channel over the batch | Ioffe and Szegedy 2015 |
//! | layer | each example over all its features | Ba, Kiros and Hinton 2016 |
//! | spectral | nothing; weights are divided by their largest singular value | Miyato et al. 2018 |
//!
//! Batch and layer normalisation then scale and shift each channel by learned γ and β.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

use ancestral_data::fill_normal;
use ancestral_kernels as kernels;

use crate::choices;
use crate::model::Init;
use crate::nn::{Activation, frozen, parameter, with_value};

/// Added to variances before the root is taken.
const EPSILON: f64 = 1e-5;
/// Share of the new batch in the running moments, PyTorch's `momentum`.
pub(crate) const MOMENTUM: f64 = 0.1;

/// How batch normalisation takes its moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// From the batch.
    Training,
    /// From what training has seen.
    Sampling,
}

/// Which normalisation a layer has.
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
        /// batch for convolutions, else none
        Auto = "auto",
        /// none
        None = "none",
        /// each channel over the batch
        Batch = "batch",
        /// each example over its features
        Layer = "layer",
    }
}

choices! {
    /// Normalization of a discriminator.
    pub enum CriticNorm {
        /// batch for convolutions (layer under a penalty on input gradients), else none
        Auto = "auto",
        /// none
        None = "none",
        /// each channel over the batch
        Batch = "batch",
        /// each example over its features
        Layer = "layer",
        /// weights divided by their largest singular value
        Spectral = "spectral",
    }
}

impl GeneratorNorm {
    /// What it means for these networks.
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
    /// What it means for these networks; `slopes` tells whether input gradients are penalized.
    pub(crate) fn resolve(self, convolutions: bool, slopes: bool) -> Norm {
        match self {
            Self::Auto if convolutions && slopes => Norm::Layer,
            Self::Auto if convolutions => Norm::Batch,
            Self::Auto | Self::None => Norm::None,
            Self::Batch => Norm::Batch,
            Self::Layer => Norm::Layer,
            Self::Spectral => Norm::Spectral,
        }
    }
}

/// Mean and variance `[channels]` of a batch, on their way to the running moments.
pub(crate) struct Statistics {
    mean: Tensor<1>,
    /// Of the population, not of the batch: with n − 1.
    variance: Tensor<1>,
}

/// Normalisation over the batch, with the moments that sampling uses as buffers of its own.
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

/// `[channels]` as it broadcasts over feature maps.
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

    /// The normalised maps after `activation`, and in training the batch's moments.
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
    pub(crate) fn absorb(&mut self, statistics: Statistics, share: f64) {
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

/// Normalisation over all features of one example.
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

    /// The normalised maps, after `activation` where its slope is known below 0; else before it.
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
    /// The left singular vector, one entry an output.
    left: Param<Tensor<1>>,
    /// Which dimension of the weights counts outputs.
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

    /// The weights divided by uᵀWv, with v = Wᵀu / ‖Wᵀu‖; u and v count as constants (Miyato et
    /// al. 2018, section 2.1).
    pub(crate) fn normalise(&self, weight: Tensor<4>) -> Tensor<4> {
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
    pub(crate) fn refresh(&mut self, weight: Tensor<4>) {
        let matrix = self.matrix(weight.inner());
        let u = self.left.val().inner().unsqueeze_dim::<2>(0);
        let v = unit(u.matmul(matrix.clone()));
        let u = unit(v.matmul(matrix.transpose()));
        let values = u.into_data().try_into_vec_as::<f32>().unwrap_or_default();
        self.left = with_value(self.left.clone(), values).set_require_grad(false);
    }
}
