//! Convolutions and transposed convolutions of pictures, with their gradients.
//!
//! The gradient of either for its data is the other; three loops ([`cores`]) serve both.

mod cores;
mod gather;
mod pairs;

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::FloatTensor,
    },
    tensor::{
        Shape, Tensor, module,
        ops::{ConvOptions, ConvTransposeOptions},
    },
};

use crate::{
    flex::{self, Primitive},
    norm,
    simd::Isa,
};
use cores::Geometry;

/// The numbers that a convolution multiplies; its sums are `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// `f32` as they come.
    #[default]
    F32,
    /// Both factors rounded to bf16 (to 8 binary digits, nearest, ties to even), forward and in
    /// both gradients. Faster where the processor has AVX-512 BF16, slower elsewhere.
    /// Sums along a single channel or of a single picture, those of filters that see the whole
    /// picture, and any other type or backend stay as they are.
    Bf16,
}

/// Convolves pictures `x` \[n, c, h, w\] with `weight` \[k, c, r, s\] and adds `bias` \[k\]; the
/// result is \[n, k, (h + 2·padding − r) / stride + 1, …\], rounded down.
///
/// `stride` and `padding` (of zeros, on either side) are those of the rows and of the columns, in
/// pixels. `f32` on Flex runs as one operation; any other type or backend runs Burn's own. The
/// gradient for `x` is computed only where `x` is tracked. A value that is a sum of t products is
/// within t·2⁻²⁴ of the sum of their magnitudes; long sums are joined from parts of 512 (1024 of
/// bf16), which keeps typical errors far below. Under [`Precision::Bf16`] each factor is rounded
/// before, by up to 2⁻⁹ of itself.
///
/// # Panics
/// If the shapes do not fit, a stride is 0, or a filter does not fit into the padded picture.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: [usize; 2],
    padding: [usize; 2],
    precision: Precision,
) -> Tensor<4> {
    let ([n, c, h, w], [k, channels, r, s]) = (x.dims(), weight.dims());
    let ((image, filter), biases) = (([h, w], [r, s]), bias.as_ref().map_or(k, |b| b.dims()[0]));
    assert!(
        c == channels && biases == k,
        "conv2d: x [_, {c}, _, _], weight [{k}, {channels}, _, _] and bias [{biases}] do not fit"
    );
    check("conv2d", image, filter, stride);
    assert!(
        (0..2).all(|i| image[i] + 2 * padding[i] >= filter[i]),
        "conv2d: a filter of {filter:?} does not fit into a picture of {image:?} with {padding:?}"
    );
    if !(flex::is_fast(&x) && flex::is_fast(&weight) && bias.as_ref().is_none_or(flex::is_fast)) {
        return composed_conv2d(x, weight, bias, stride, padding);
    }
    let out = [0, 1].map(|i| (image[i] + 2 * padding[i] - filter[i]) / stride[i] + 1);
    let geometry = Geometry { n, c, k, image, filter, out, stride, padding, precision };
    let bias = bias.unwrap_or_else(|| Tensor::zeros([0], &x.device()));
    Tensor::from_dispatch(<Dispatch as ConvolutionOps>::fused_convolution(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        geometry,
        false,
    ))
}

/// The transposed convolution of pictures `x` \[n, k, h, w\] with `weight` \[k, c, r, s\], plus
/// `bias` \[c\]; the result is \[n, c, (h − 1)·stride − 2·padding + r + output_padding, …\].
///
/// Its map from `x` is the transpose of [`conv2d`]'s with the same `weight`, `stride` and
/// `padding`; of the heights that one would take to `h`, `output_padding` chooses. For the rest,
/// and for the error, see there.
///
/// # Panics
/// If the shapes do not fit, a stride is 0, an output padding is not less than its stride, or the
/// result would be empty.
pub fn conv_transpose2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: [usize; 2],
    padding: [usize; 2],
    output_padding: [usize; 2],
    precision: Precision,
) -> Tensor<4> {
    let ([n, k, h, w], [channels, c, r, s]) = (x.dims(), weight.dims());
    let ((out, filter), biases) = (([h, w], [r, s]), bias.as_ref().map_or(c, |b| b.dims()[0]));
    assert!(
        k == channels && biases == c,
        "conv_transpose2d: x [_, {k}, _, _], weight [{channels}, {c}, _, _] and bias [{biases}] \
         do not fit"
    );
    check("conv_transpose2d", out, filter, stride);
    assert!(
        (0..2).all(|i| output_padding[i] < stride[i]),
        "conv_transpose2d: output padding {output_padding:?} is not less than {stride:?}"
    );
    let full = [0, 1].map(|i| (out[i] - 1) * stride[i] + filter[i] + output_padding[i]);
    assert!(
        (0..2).all(|i| full[i] > 2 * padding[i]),
        "conv_transpose2d: nothing is left of {full:?} without {padding:?} on either side"
    );
    if !(flex::is_fast(&x) && flex::is_fast(&weight) && bias.as_ref().is_none_or(flex::is_fast)) {
        return composed_conv_transpose2d(x, weight, bias, stride, padding, output_padding);
    }
    let image = [0, 1].map(|i| full[i] - 2 * padding[i]);
    let geometry = Geometry { n, c, k, image, filter, out, stride, padding, precision };
    let bias = bias.unwrap_or_else(|| Tensor::zeros([0], &x.device()));
    Tensor::from_dispatch(<Dispatch as ConvolutionOps>::fused_convolution(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        geometry,
        true,
    ))
}

fn check(name: &str, picture: [usize; 2], filter: [usize; 2], stride: [usize; 2]) {
    assert!(
        picture.iter().chain(&filter).chain(&stride).all(|&size| size > 0),
        "{name}: pictures of {picture:?}, filters of {filter:?} and strides of {stride:?} are \
         at least 1"
    );
}

/// [`conv2d`] in Burn's operations.
pub(crate) fn composed_conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: [usize; 2],
    padding: [usize; 2],
) -> Tensor<4> {
    module::conv2d(x, weight, bias, ConvOptions::new(stride, padding, [1, 1], 1))
}

/// [`conv_transpose2d`] in Burn's operations.
pub(crate) fn composed_conv_transpose2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: [usize; 2],
    padding: [usize; 2],
    output_padding: [usize; 2],
) -> Tensor<4> {
    let options = ConvTransposeOptions::new(stride, padding, output_padding, [1, 1], 1);
    module::conv_transpose2d(x, weight, bias, options)
}

/// The extension: one operation for both directions.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait ConvolutionOps: Backend {
    /// A bias without values is none.
    fn fused_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
        transposed: bool,
    ) -> FloatTensor<Self>;
}

/// The output; `x` and `weight` contiguous.
fn forward(
    x: &Primitive,
    weight: &Primitive,
    bias: Primitive,
    g: Geometry,
    transposed: bool,
) -> Primitive {
    let bias = flex::contiguous(bias);
    let (x, weight, bias) = (x.storage(), weight.storage(), bias.storage());
    let isa = Isa::best();
    if transposed {
        flex::tensor(cores::data(isa, &g, x, weight, bias), g.x_shape())
    } else {
        flex::tensor(cores::forward(isa, &g, x, weight, bias), g.y_shape())
    }
}

impl Geometry {
    fn x_shape(&self) -> Shape {
        Shape::new([self.n, self.c, self.image[0], self.image[1]])
    }

    fn y_shape(&self) -> Shape {
        Shape::new([self.n, self.k, self.out[0], self.out[1]])
    }
}

impl ConvolutionOps for Flex {
    fn fused_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
        transposed: bool,
    ) -> FloatTensor<Self> {
        forward(&flex::contiguous(x), &flex::contiguous(weight), bias, geometry, transposed)
    }
}

#[derive(Debug, Clone)]
struct ConvolutionState {
    x: Primitive,
    weight: Primitive,
    geometry: Geometry,
    transposed: bool,
}

#[derive(Debug)]
struct ConvolutionBackward;

impl Backward<Flex, 3> for ConvolutionBackward {
    type State = ConvolutionState;

    fn backward(self, ops: Ops<ConvolutionState, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let delta = flex::contiguous(grads.consume::<Flex>(&ops.node));
        let ConvolutionState { x, weight, geometry: g, transposed } = ops.state;
        let [for_x, for_weight, for_bias] = ops.parents;
        let (isa, d) = (Isa::best(), delta.storage::<f32>());
        if let Some(node) = for_weight {
            // Of a transposed convolution, the data stand where the other has its result.
            let (image, out) = if transposed { (d, x.storage()) } else { (x.storage(), d) };
            let shape = Shape::new([g.k, g.c, g.filter[0], g.filter[1]]);
            let out = cores::filters(isa, &g, image, out);
            grads.register::<Flex>(node.id, flex::tensor(out, shape));
        }
        if let Some(node) = for_x {
            let out = if transposed {
                flex::tensor(cores::forward(isa, &g, d, weight.storage(), &[]), g.y_shape())
            } else {
                flex::tensor(cores::data(isa, &g, d, weight.storage(), &[]), g.x_shape())
            };
            grads.register::<Flex>(node.id, out);
        }
        if let Some(node) = for_bias {
            let [n, channels, height, width] = delta.shape().dims();
            let out = norm::channel_sums(isa, d, [n, channels, height * width]);
            grads.register::<Flex>(node.id, flex::tensor(out, Shape::new([channels])));
        }
    }
}

impl<C: CheckpointStrategy> ConvolutionOps for Autodiff<Flex, C> {
    fn fused_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
        transposed: bool,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let (x, weight) = (flex::contiguous(x), flex::contiguous(weight));
        let y = forward(&x, &weight, bias, geometry, transposed);
        let prep = ConvolutionBackward.prepare::<C>([x_node, weight_node, bias_node]);
        match prep.compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                prep.finish(ConvolutionState { x, weight, geometry, transposed }, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[cfg(test)]
mod tests;
