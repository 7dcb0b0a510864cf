//! Layers with a differentiable vector-Jacobian product, for gradient penalties.
//!
//! A penalty on the critic's input gradient needs second derivatives, and automatic differentiation
//! here gives first ones only.
//! So every layer has, next to [`Layer::forward`], its vector-Jacobian product ([`Layer::vjp`]) made
//! of differentiable operations; one backward pass through it gives the exact gradient.
//!
//! A layer is a linear map (dense, convolution or transposed convolution), then a normalization,
//! then an activation.
//! Feature maps are `[batch, channels, height, width]` throughout; vectors have height and width 1.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

use ancestral_data::fill_normal;
use ancestral_kernels::{self as kernels, Precision};

use super::normalization::{BatchNorm, LayerNorm, Mode, Norm, Spectral, Statistics};
use crate::model::{Init, SizeBuilder, product};
use crate::nn::{Activation, glorot, parameter};

/// `[channels, height, width]` of a feature map.
pub(crate) type ImageShape = [usize; 3];

/// The distribution of initial weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum WeightInit {
    /// Uniform, by Glorot and Bengio 2010.
    Glorot,
    /// N(0, std²).
    Normal(f64),
}

/// The linear part of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinearOp {
    /// A fully connected layer.
    Dense,
    /// A convolution with square filters.
    Convolution { kernel: usize, stride: usize, padding: usize },
    /// A transposed convolution with square filters.
    Transposed { kernel: usize, stride: usize, padding: usize },
}

/// The specification of a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerSpec {
    pub(crate) op: LinearOp,
    pub(crate) from: ImageShape,
    pub(crate) to: ImageShape,
    pub(crate) norm: Norm,
    pub(crate) activation: Activation,
    /// Whether the layer has a bias for each output channel.
    pub(crate) bias: bool,
    /// The precision of the products.
    pub(crate) precision: Precision,
}

/// A linear map, a normalization and an activation.
#[derive(Module, Debug)]
pub(crate) struct Layer {
    /// `[outputs, inputs, kernel, kernel]` of a convolution, `[inputs, outputs, kernel, kernel]`
    /// of a transposed one, `[inputs, outputs, 1, 1]` of a dense map.
    pub(crate) weight: Param<Tensor<4>>,
    /// One value per output channel (dense: per output).
    bias: Option<Param<Tensor<1>>>,
    batch_norm: Option<BatchNorm>,
    pub(crate) layer_norm: Option<LayerNorm>,
    spectral: Option<Spectral>,
    #[module(skip)]
    op: LinearOp,
    #[module(skip)]
    from: ImageShape,
    #[module(skip)]
    to: ImageShape,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    precision: Precision,
}

/// The values of a forward pass that [`Layer::vjp`] needs.
pub(crate) struct Trace {
    weight: Tensor<4>,
    /// The output of the linear map.
    linear: Tensor<4>,
    /// The output of the layer.
    after: Tensor<4>,
}

/// The number of entries of a feature map, saturating.
pub(crate) fn size(image_shape: ImageShape) -> usize {
    product(&image_shape)
}

impl LayerSpec {
    /// The shape of the weights.
    fn shape(&self) -> [usize; 4] {
        let Self { from, to, .. } = *self;
        match self.op {
            LinearOp::Dense => [size(from), size(to), 1, 1],
            LinearOp::Convolution { kernel, .. } => [to[0], from[0], kernel, kernel],
            LinearOp::Transposed { kernel, .. } => [from[0], to[0], kernel, kernel],
        }
    }

    /// The number of biases.
    fn outputs(&self) -> usize {
        if self.op == LinearOp::Dense { size(self.to) } else { self.to[0] }
    }

    /// The dimension of the weights that indexes outputs.
    fn outputs_at(&self) -> usize {
        if matches!(self.op, LinearOp::Convolution { .. }) { 0 } else { 1 }
    }

    /// Counts the tensors of a [`Layer`].
    pub(crate) fn count(&self, count: &mut SizeBuilder) {
        count.trained(&self.shape());
        if self.bias {
            count.trained(&[self.outputs()]);
        }
        match self.norm {
            Norm::None => {}
            Norm::Batch => {
                count.trained(&[self.to[0], 2]);
                count.buffer(&[self.to[0], 2]);
            }
            Norm::Layer => count.trained(&[self.to[0], 2]),
            Norm::Spectral => {
                count.buffer(&[self.shape()[self.outputs_at()]]);
                // The normalized weights and two transposed copies.
                count.fixed(product(&self.shape()).saturating_mul(3) as u64);
            }
        }
    }

    /// Counts the activations that a forward pass keeps.
    pub(crate) fn count_pass(&self, count: &mut SizeBuilder) {
        let normalized = u64::from(matches!(self.norm, Norm::Batch | Norm::Layer));
        let activated = u64::from(self.activation != Activation::Identity);
        count.outputs(size(self.to), 1 + normalized.max(activated));
    }
}

impl Layer {
    pub(crate) fn init(spec: LayerSpec, start: WeightInit, name: &str, init: &Init) -> Self {
        let LayerSpec { op, from, to, norm, activation, bias, precision } = spec;
        let shape = spec.shape();
        let weight = match start {
            WeightInit::Glorot => {
                glorot(shape, (shape[0] + shape[1]) * shape[2] * shape[3], name, init)
            }
            WeightInit::Normal(std) => {
                let mut values = vec![0.0f32; shape.iter().product()];
                let mut stream = init.streams.item(&format!("init {name}"), 0, 0);
                fill_normal(&mut stream, &mut values);
                values.iter_mut().for_each(|w| *w *= std as f32);
                parameter(TensorData::new(values, shape), init)
            }
        };
        let outputs = spec.outputs();
        Self {
            weight,
            bias: bias.then(|| parameter(TensorData::new(vec![0.0f32; outputs], [outputs]), init)),
            batch_norm: (norm == Norm::Batch).then(|| BatchNorm::init(to[0], init)),
            layer_norm: (norm == Norm::Layer).then(|| LayerNorm::init(to[0], init)),
            spectral: (norm == Norm::Spectral).then(|| {
                let outputs = spec.outputs_at();
                Spectral::init(shape[outputs], outputs, name, init)
            }),
            op,
            from,
            to,
            activation,
            precision,
        }
    }

    /// Applies the layer. Returns the moments of the batch if it computed any, and with `keep` the
    /// values that [`Layer::vjp`] needs.
    pub(crate) fn forward(
        &self,
        x: Tensor<4>,
        mode: Mode,
        keep: bool,
    ) -> (Tensor<4>, Option<Statistics>, Option<Trace>) {
        let weight = match &self.spectral {
            Some(spectral) => spectral.normalize(self.weight.val()),
            None => self.weight.val(),
        };
        let y = self.apply(x, weight.clone());
        if let Some(norm) = &self.batch_norm {
            let (y, statistics) = norm.forward(y, mode, self.activation);
            return (y, statistics, None);
        }
        let before = match &self.layer_norm {
            Some(norm) => norm.forward(y.clone(), self.activation),
            None => y.clone(),
        };
        let after = if self.norm_activates() { before } else { self.activation.forward(before) };
        let trace = keep.then(|| Trace { weight, linear: y, after: after.clone() });
        (after, None, trace)
    }

    /// Whether the normalization kernel applies the activation too.
    fn norm_activates(&self) -> bool {
        self.layer_norm.is_some() && self.activation.slope().is_some()
    }

    fn apply(&self, x: Tensor<4>, weight: Tensor<4>) -> Tensor<4> {
        let n = x.dims()[0];
        let [channels, height, width] = self.from;
        let bias = self.bias.as_ref().map(Param::val);
        match self.op {
            LinearOp::Dense => {
                let [inputs, outputs, ..] = weight.dims();
                let x = x.reshape([n, inputs]);
                let weight = weight.reshape([inputs, outputs]);
                let y = match bias {
                    Some(bias) => {
                        let none = kernels::Activation::None;
                        kernels::linear(x, weight, bias, none, self.precision)
                    }
                    None => x.matmul(weight),
                };
                y.reshape([n, self.to[0], self.to[1], self.to[2]])
            }
            LinearOp::Convolution { stride, padding, .. } => {
                let x = x.reshape([n, channels, height, width]);
                kernels::conv2d(x, weight, bias, [stride; 2], [padding; 2], self.precision)
            }
            LinearOp::Transposed { kernel, stride, padding } => {
                let x = x.reshape([n, channels, height, width]);
                let odd = [0, 1].map(|i| {
                    self.to[i + 1] + 2 * padding - kernel - (self.from[i + 1] - 1) * stride
                });
                let (stride, padding) = ([stride; 2], [padding; 2]);
                kernels::conv_transpose2d(x, weight, bias, stride, padding, odd, self.precision)
            }
        }
    }

    /// vᵀ·∂output/∂input for each example, `v` in the shape of the output; not with batch
    /// normalization, where examples depend on each other.
    pub(crate) fn vjp(&self, trace: Trace, v: Tensor<4>) -> Tensor<4> {
        let Trace { weight, linear, after } = trace;
        let n = v.dims()[0];
        let [channels, height, width] = self.to;
        let v = v.reshape([n, channels, height, width]);
        let v = match &self.layer_norm {
            Some(norm) if self.norm_activates() => norm.vjp(v, linear, self.activation),
            Some(norm) => {
                let before = norm.forward(linear.clone(), self.activation);
                norm.vjp(self.activation.vjp(v, before, after), linear, self.activation)
            }
            None => self.activation.vjp(v, linear, after),
        };
        let [c, h, w] = self.from;
        match self.op {
            LinearOp::Dense => {
                let [inputs, outputs, ..] = weight.dims();
                let weight = weight.reshape([inputs, outputs]);
                let v = v.reshape([n, outputs]);
                kernels::linear_vjp(v, weight, self.precision).reshape([n, c, h, w])
            }
            LinearOp::Convolution { kernel, stride, padding } => {
                // Rows at the far border that the stride skipped have gradient 0.
                let odd = [0, 1].map(|i| {
                    self.from[i + 1] + 2 * padding - kernel - (self.to[i + 1] - 1) * stride
                });
                let (stride, padding) = ([stride; 2], [padding; 2]);
                kernels::conv_transpose2d(v, weight, None, stride, padding, odd, self.precision)
            }
            LinearOp::Transposed { stride, padding, .. } => {
                kernels::conv2d(v, weight, None, [stride; 2], [padding; 2], self.precision)
            }
        }
    }

    /// Updates the running moments with those of a batch, which get the weight `share`.
    fn update_running_stats(&mut self, statistics: Option<Statistics>, share: f64) {
        if let (Some(norm), Some(statistics)) = (&mut self.batch_norm, statistics) {
            norm.update_running_stats(statistics, share);
        }
    }

    /// Takes one step of the power iteration for the largest singular value of the weights.
    pub(crate) fn update_spectral_norm(&mut self) {
        if let Some(spectral) = &mut self.spectral {
            spectral.update_spectral_norm(self.weight.val());
        }
    }

    /// Clamps its weights and biases to [−bound, bound].
    pub(crate) fn clip(&mut self, bound: f64) {
        clip(&mut self.weight, bound);
        self.bias.iter_mut().for_each(|bias| clip(bias, bound));
        if let Some(norm) = &mut self.batch_norm {
            clip(&mut norm.gamma, bound);
            clip(&mut norm.beta, bound);
        }
        if let Some(norm) = &mut self.layer_norm {
            clip(&mut norm.gamma, bound);
            clip(&mut norm.beta, bound);
        }
    }
}

/// Clamps a parameter to [−bound, bound].
pub(crate) fn clip<const D: usize>(parameter: &mut Param<Tensor<D>>, bound: f64) {
    *parameter = parameter.clone().map(|old| {
        let tracked = old.is_autodiff();
        let new = old.inner().clamp(-bound, bound);
        if tracked { Tensor::from_inner(new).require_grad() } else { new }
    });
}

/// A sequence of layers.
#[derive(Module, Debug)]
pub(crate) struct Network {
    /// First to last.
    layers: Vec<Layer>,
}

/// The moments and traces of a forward pass.
#[derive(Default)]
pub(crate) struct Passed {
    /// Of each layer with batch normalization in training.
    pub(crate) statistics: Vec<Option<Statistics>>,
    traces: Vec<Trace>,
}

impl Network {
    pub(crate) fn init(specs: &[LayerSpec], start: WeightInit, name: &str, init: &Init) -> Self {
        let layer = |(i, &spec): (usize, &LayerSpec)| {
            Layer::init(spec, start, &format!("{name}.{i}"), init)
        };
        Self { layers: specs.iter().enumerate().map(layer).collect() }
    }

    /// Applies the layers; with `keep`, keeps the values that [`Network::vjp`] needs.
    pub(crate) fn forward(&self, x: Tensor<4>, mode: Mode, keep: bool) -> (Tensor<4>, Passed) {
        let mut passed = Passed::default();
        let y = self.layers.iter().fold(x, |x, layer| {
            let (y, statistics, trace) = layer.forward(x, mode, keep);
            passed.statistics.push(statistics);
            passed.traces.extend(trace);
            y
        });
        (y, passed)
    }

    /// vᵀ·∂output/∂input for each example.
    pub(crate) fn vjp(&self, passed: Passed, v: Tensor<4>) -> Tensor<4> {
        self.layers.iter().zip(passed.traces).rev().fold(v, |v, (layer, trace)| layer.vjp(trace, v))
    }

    pub(crate) fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether the output for an example depends on the others of its batch.
    pub(crate) fn is_batch_dependent(&self) -> bool {
        self.layers.iter().any(|layer| layer.batch_norm.is_some())
    }

    /// Updates the running moments with those of a pass, which get the weight `share`.
    pub(crate) fn update_running_stats(&mut self, statistics: Vec<Option<Statistics>>, share: f64) {
        self.layers
            .iter_mut()
            .zip(statistics)
            .for_each(|(layer, s)| layer.update_running_stats(s, share));
    }

    pub(crate) fn update_spectral_norm(&mut self) {
        self.layers.iter_mut().for_each(Layer::update_spectral_norm);
    }

    pub(crate) fn clip(&mut self, bound: f64) {
        self.layers.iter_mut().for_each(|layer| layer.clip(bound));
    }
}
