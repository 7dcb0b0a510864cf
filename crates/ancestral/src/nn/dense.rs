//! Fully connected layers.

use ancestral_data::{Batch, Streams, fill_uniform};
use ancestral_kernels::{self as kernels, Precision};
use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

use crate::choices;
use crate::spec::Init;

/// The negative slope of the leaky ReLU.
const LEAK: f64 = 0.2;

/// An activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The identity.
    Identity,
    /// Hyperbolic tangent.
    Tanh,
    /// max(0, x).
    Relu,
    /// x above 0, 0.2 x below.
    LeakyRelu,
    /// log(1 + eˣ).
    Softplus,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
}

choices! {
    /// The activation of a hidden layer.
    pub enum HiddenActivation {
        /// hyperbolic tangent
        Tanh = "tanh",
        /// max(0, x)
        Relu = "relu",
        /// x above 0, 0.2 x below
        LeakyRelu = "leaky-relu",
        /// log(1 + eˣ)
        Softplus = "softplus",
    }
}

choices! {
    /// The activation of a hidden layer that one kernel computes.
    pub enum FusedActivation {
        /// hyperbolic tangent
        Tanh = "tanh",
        /// max(0, x)
        Relu = "relu",
        /// log(1 + eˣ)
        Softplus = "softplus",
    }
}

impl From<HiddenActivation> for Activation {
    fn from(activation: HiddenActivation) -> Self {
        match activation {
            HiddenActivation::Tanh => Self::Tanh,
            HiddenActivation::Relu => Self::Relu,
            HiddenActivation::LeakyRelu => Self::LeakyRelu,
            HiddenActivation::Softplus => Self::Softplus,
        }
    }
}

impl From<FusedActivation> for Activation {
    fn from(activation: FusedActivation) -> Self {
        match activation {
            FusedActivation::Tanh => Self::Tanh,
            FusedActivation::Relu => Self::Relu,
            FusedActivation::Softplus => Self::Softplus,
        }
    }
}

impl From<FusedActivation> for kernels::Activation {
    fn from(activation: FusedActivation) -> Self {
        match activation {
            FusedActivation::Tanh => Self::Tanh,
            FusedActivation::Relu => Self::Relu,
            FusedActivation::Softplus => Self::Softplus,
        }
    }
}

impl Activation {
    /// The kernels' name for it, if the kernel of a dense layer applies it.
    pub(crate) fn fused(self) -> Option<kernels::Activation> {
        match self {
            Self::Identity => Some(kernels::Activation::None),
            Self::Tanh => Some(kernels::Activation::Tanh),
            Self::Relu => Some(kernels::Activation::Relu),
            Self::Softplus => Some(kernels::Activation::Softplus),
            Self::Sigmoid => Some(kernels::Activation::Sigmoid),
            Self::LeakyRelu => None,
        }
    }

    /// Applies the activation.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Identity => x,
            Self::Tanh => kernels::tanh(x),
            Self::Relu => kernels::relu(x),
            Self::LeakyRelu => kernels::leaky_relu(x, LEAK),
            Self::Softplus => kernels::softplus(x),
            Self::Sigmoid => kernels::sigmoid(x),
        }
    }

    /// The negative slope of a leaky ReLU; 0 for the ReLU, `None` for others.
    pub(crate) fn slope(self) -> Option<f64> {
        match self {
            Self::Relu => Some(0.0),
            Self::LeakyRelu => Some(LEAK),
            _ => None,
        }
    }

    /// `v` times the derivative at each entry, from input and output, in differentiable operations.
    pub(crate) fn vjp<const D: usize>(
        self,
        v: Tensor<D>,
        before: Tensor<D>,
        after: Tensor<D>,
    ) -> Tensor<D> {
        match self {
            Self::Identity => v,
            Self::Tanh => v * (after.square().neg() + 1.0),
            Self::Relu => kernels::leaky_relu_vjp(v, before, 0.0),
            Self::LeakyRelu => kernels::leaky_relu_vjp(v, before, LEAK),
            Self::Softplus => v * kernels::sigmoid(before),
            Self::Sigmoid => v * after.clone() * (after.neg() + 1.0),
        }
    }
}

/// `activation(x W + b)`.
#[derive(Module, Debug)]
pub struct Dense {
    /// `[input, output]`.
    pub weight: Param<Tensor<2>>,
    /// `[output]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    precision: Precision,
}

impl Dense {
    /// Weights from U(−a, a) with a = √(6 / (input + output)) (Glorot and Bengio 2010), bias 0.
    ///
    /// `name` is part of the key of this layer's random stream.
    pub fn init(
        input: usize,
        output: usize,
        activation: Activation,
        name: &str,
        init: &Init,
    ) -> Self {
        Self {
            weight: glorot([input, output], input + output, name, init),
            bias: parameter(TensorData::new(vec![0.0f32; output], [output]), init),
            activation,
            precision: init.precision,
        }
    }

    /// The same layer with another initial bias `[output]`.
    pub fn with_bias(mut self, bias: Vec<f32>) -> Self {
        self.bias = with_value(self.bias, bias);
        self
    }

    /// The same layer with its initial weights multiplied by `factor`.
    pub fn scaled(mut self, factor: f64) -> Self {
        self.weight = scaled(self.weight, factor);
        self
    }

    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        self.bias.lazy_shape()[0]
    }

    /// `[batch, input]` to `[batch, output]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let linear = |activation| {
            kernels::linear(x, self.weight.val(), self.bias.val(), activation, self.precision)
        };
        match self.activation.fused() {
            Some(activation) => linear(activation),
            None => self.activation.forward(linear(kernels::Activation::None)),
        }
    }
}

/// A trainable tensor on the device of `init`, in its type.
pub(crate) fn parameter<const D: usize>(data: TensorData, init: &Init) -> Param<Tensor<D>> {
    let device = init.device.clone().autodiff();
    Param::from_tensor(Tensor::from_data(data, (&device, init.dtype)))
}

/// Weights from U(−a, a) with a = √(6 / `connections`), the sum of fan-in and fan-out (Glorot and
/// Bengio 2010, equation 16).
pub(crate) fn glorot<const D: usize>(
    shape: [usize; D],
    connections: usize,
    name: &str,
    init: &Init,
) -> Param<Tensor<D>> {
    let mut weight = vec![0.0f32; shape.iter().product()];
    fill_uniform(&mut init.streams.item(&format!("init {name}"), 0, 0), &mut weight);
    let bound = (6.0 / connections as f32).sqrt();
    weight.iter_mut().for_each(|w| *w = (2.0 * *w - 1.0) * bound);
    parameter(TensorData::new(weight, shape), init)
}

/// A buffer: a tensor that is saved but not trained.
pub(crate) fn frozen(values: Vec<f32>, init: &Init) -> Param<Tensor<1>> {
    let n = values.len();
    let data = TensorData::new(values, [n]);
    Param::from_tensor(Tensor::from_data(data, (&init.device, init.dtype))).set_require_grad(false)
}

/// The same parameter multiplied by `factor`.
pub(crate) fn scaled<const D: usize>(old: Param<Tensor<D>>, factor: f64) -> Param<Tensor<D>> {
    old.map(|old| {
        let tracked = old.is_autodiff();
        let new = old.inner() * factor;
        if tracked { Tensor::from_inner(new).require_grad() } else { new }
    })
}

/// The same parameter with another value of the same length.
pub(crate) fn with_value(old: Param<Tensor<1>>, value: Vec<f32>) -> Param<Tensor<1>> {
    old.map(|old| {
        let (device, dtype) = (old.device(), old.dtype());
        let shape = old.dims();
        let new = Tensor::from_data(TensorData::new(value, shape), (&device, dtype));
        if device.is_autodiff() { new.require_grad() } else { new }
    })
}

/// Dropout in training: each value is dropped with probability `rate`, the others are scaled to keep
/// the mean. `what` is part of the key of the random stream.
pub(crate) fn dropout<const D: usize>(
    x: Tensor<D>,
    rate: f64,
    what: &str,
    batch: &Batch,
    streams: Streams,
) -> Tensor<D> {
    if rate == 0.0 {
        return x;
    }
    let width = x.dims()[1..].iter().product();
    let purpose = streams.purpose(&format!("dropout {what}"), batch.epoch);
    let mut kept = purpose.uniforms(&batch.indices, width);
    let factor = (1.0 / (1.0 - rate)) as f32;
    kept.iter_mut().for_each(|u| *u = if f64::from(*u) < rate { 0.0 } else { factor });
    let kept = Tensor::from_data(TensorData::new(kept, x.dims()), (&x.device(), x.dtype()));
    x * kept
}

/// A sequence of dense layers.
#[derive(Module, Debug)]
pub struct Mlp {
    /// First to last.
    pub layers: Vec<Dense>,
}

impl Mlp {
    /// Layers from `input` through every size of `hidden`, each followed by `activation`.
    pub fn init(
        input: usize,
        hidden: &[usize],
        activation: Activation,
        name: &str,
        init: &Init,
    ) -> Self {
        let mut from = input;
        let layers = hidden
            .iter()
            .enumerate()
            .map(|(i, &size)| {
                let layer = Dense::init(from, size, activation, &format!("{name}.{i}"), init);
                from = size;
                layer
            })
            .collect();
        Self { layers }
    }

    /// `[batch, input]` to `[batch, last hidden]`; the input itself if there is no layer.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.layers.iter().fold(x, |x, layer| layer.forward(x))
    }
}
