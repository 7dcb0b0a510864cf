//! Convolutions that halve an image, and transposed ones that double it.

use ancestral_kernels::{self as kernels, Precision};
use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

use super::dense::{Activation, glorot, parameter, scaled, with_value};
use crate::spec::Init;

/// Side of the filters. With stride 2 and one pixel of padding a side of s becomes ⌊s/2⌋.
pub(crate) const KERNEL: usize = 4;
const STRIDE: usize = 2;
const PADDING: usize = 1;

/// Filters from U(−a, a) with a of Glorot and Bengio 2010; `first` and `second` are the numbers of
/// channels in the order of the weight's dimensions.
fn filters(first: usize, second: usize, name: &str, init: &Init) -> Param<Tensor<4>> {
    let area = KERNEL * KERNEL;
    glorot([first, second, KERNEL, KERNEL], (first + second) * area, name, init)
}

/// A convolution with 4×4 filters, stride 2 and padding 1, then an activation:
/// `[batch, input, height, width]` to `[batch, output, ⌊height/2⌋, ⌊width/2⌋]`.
#[derive(Module, Debug)]
pub struct DownConv {
    /// `[output, input, 4, 4]`.
    pub weight: Param<Tensor<4>>,
    /// `[output]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    precision: Precision,
}

impl DownConv {
    /// Initial weights as in [`Dense`](super::Dense), with the filter's area as a factor of the
    /// sizes.
    pub fn init(
        input: usize,
        output: usize,
        activation: Activation,
        name: &str,
        init: &Init,
    ) -> Self {
        Self {
            weight: filters(output, input, name, init),
            bias: parameter(TensorData::new(vec![0.0f32; output], [output]), init),
            activation,
            precision: init.precision,
        }
    }

    /// Applies the layer.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), Some(self.bias.val()));
        let y = kernels::conv2d(x, weight, bias, [STRIDE; 2], [PADDING; 2], self.precision);
        self.activation.forward(y)
    }
}

/// A transposed convolution with 4×4 filters, stride 2 and padding 1, then an activation:
/// `[batch, input, ⌊height/2⌋, ⌊width/2⌋]` to `[batch, output, height, width]`.
#[derive(Module, Debug)]
pub struct UpConv {
    /// `[input, output, 4, 4]`.
    pub weight: Param<Tensor<4>>,
    /// `[output]`.
    pub bias: Param<Tensor<1>>,
    /// The `[height, width]` of the output.
    #[module(skip)]
    size: [usize; 2],
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    precision: Precision,
}

impl UpConv {
    /// Initial weights as in [`DownConv::init`]; `size` is the `[height, width]` of the output.
    pub fn init(
        input: usize,
        output: usize,
        size: [usize; 2],
        activation: Activation,
        name: &str,
        init: &Init,
    ) -> Self {
        Self {
            weight: filters(input, output, name, init),
            bias: parameter(TensorData::new(vec![0.0f32; output], [output]), init),
            size,
            activation,
            precision: init.precision,
        }
    }

    /// The same layer with another initial bias `[output]`.
    pub fn with_bias(mut self, bias: Vec<f32>) -> Self {
        self.bias = with_value(self.bias, bias);
        self
    }

    /// The same layer with its initial filters multiplied by `factor`.
    pub fn scaled(mut self, factor: f64) -> Self {
        self.weight = scaled(self.weight, factor);
        self
    }

    /// Applies the layer.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        // An odd side needs one row more than the doubled one.
        let odd = self.size.map(|side| side % 2);
        let (weight, bias) = (self.weight.val(), Some(self.bias.val()));
        let (stride, padding) = ([STRIDE; 2], [PADDING; 2]);
        let y = kernels::conv_transpose2d(x, weight, bias, stride, padding, odd, self.precision);
        self.activation.forward(y)
    }
}
