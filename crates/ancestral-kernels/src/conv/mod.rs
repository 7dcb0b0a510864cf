//! Convolutions and transposed convolutions of images, with their gradients.
//!
//! Each is the input gradient of the other; three loops ([`cores`]) serve both.

mod cores;
mod geometry;
mod tiled;

use burn::{
    backend::TensorMetadata,
    tensor::{
        Shape, Tensor, module,
        ops::{ConvOptions, ConvTransposeOptions},
    },
};

use crate::{
    autodiff::Operation,
    flex::{self, Primitive},
    norm,
    precision::Precision,
    simd::Isa,
};
use geometry::Geometry;

/// Convolves images `x` \[n, c, h, w\] with `weight` \[k, c, r, s\] and adds `bias` \[k\]; the
/// result is \[n, k, (h + 2·padding − r) / stride + 1, …\], rounded down.
///
/// `stride` and `padding` (of zeros, on either side) are those of the rows and of the columns, in
/// pixels. `f32` on Flex runs as one operation; any other type or backend runs Burn's own. The
/// gradient of `x` is computed only if `x` is tracked. A value that is a sum of t products is
/// within t·2⁻²⁴ of the sum of their magnitudes; long sums are joined from parts of 512 (1024 of
/// bf16), and typical errors are far below. A [`Precision`] below `f32` adds its
/// own error of each product.
///
/// # Panics
/// If the shapes do not fit, a stride is 0, or a filter does not fit into the padded image.
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
        "conv2d: a filter of {filter:?} does not fit into an image of {image:?} with {padding:?}"
    );
    if !(flex::is_fast(&x) && flex::is_fast(&weight) && bias.as_ref().is_none_or(flex::is_fast)) {
        return composed_conv2d(x, weight, bias, stride, padding);
    }
    let out = [0, 1].map(|i| (image[i] + 2 * padding[i] - filter[i]) / stride[i] + 1);
    let products = precision.on(Isa::best());
    let geometry = Geometry { n, c, k, image, filter, out, stride, padding, products };
    let bias = bias.unwrap_or_else(|| Tensor::zeros([0], &x.device()));
    Convolution::run((x, weight, bias), (geometry, false))
}

/// The transposed convolution of images `x` \[n, k, h, w\] with `weight` \[k, c, r, s\], plus
/// `bias` \[c\]; the result is \[n, c, (h − 1)·stride − 2·padding + r + output_padding, …\].
///
/// It is the transpose of [`conv2d`] with the same `weight`, `stride` and `padding`;
/// `output_padding` chooses among the heights that [`conv2d`] maps to `h`. For backends and errors,
/// see there.
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
    let products = precision.on(Isa::best());
    let geometry = Geometry { n, c, k, image, filter, out, stride, padding, products };
    let bias = bias.unwrap_or_else(|| Tensor::zeros([0], &x.device()));
    Convolution::run((x, weight, bias), (geometry, true))
}

fn check(name: &str, image: [usize; 2], filter: [usize; 2], stride: [usize; 2]) {
    assert!(
        image.iter().chain(&filter).chain(&stride).all(|&size| size > 0),
        "{name}: images of {image:?}, filters of {filter:?} and strides of {stride:?} are \
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

impl Geometry {
    fn x_shape(&self) -> Shape {
        Shape::new([self.n, self.c, self.image[0], self.image[1]])
    }

    fn y_shape(&self) -> Shape {
        Shape::new([self.n, self.k, self.out[0], self.out[1]])
    }
}

/// Both directions; an empty bias means none.
#[derive(Debug, Clone)]
struct Convolution {
    x: Primitive,
    weight: Primitive,
    geometry: Geometry,
    transposed: bool,
}

impl Convolution {
    /// The convolution, or its transpose with `back`.
    fn map(g: &Geometry, from: &[f32], weight: &Primitive, bias: &[f32], back: bool) -> Primitive {
        let (isa, weight) = (Isa::best(), weight.storage());
        if back {
            flex::tensor(cores::data(isa, g, from, weight, bias), g.x_shape())
        } else {
            flex::tensor(cores::forward(isa, g, from, weight, bias), g.y_shape())
        }
    }
}

impl Operation<3> for Convolution {
    type Parameters = (Geometry, bool);

    fn forward(
        [x, weight, bias]: [Primitive; 3],
        (geometry, transposed): Self::Parameters,
    ) -> (Primitive, Self) {
        let y = Self::map(&geometry, x.storage(), &weight, bias.storage(), transposed);
        (y, Self { x, weight, geometry, transposed })
    }

    fn backward(self, grad: Primitive, [x, weight, bias]: [bool; 3]) -> [Option<Primitive>; 3] {
        let (g, isa, delta) = (&self.geometry, Isa::best(), grad.storage::<f32>());
        // First, because it needs the most memory.
        let for_weight = weight.then(|| {
            // In a transposed convolution, the data take the place of the other's output.
            let data = self.x.storage();
            let (image, out) = if self.transposed { (delta, data) } else { (data, delta) };
            let shape = Shape::new([g.k, g.c, g.filter[0], g.filter[1]]);
            flex::tensor(cores::filters(isa, g, image, out), shape)
        });
        let for_bias = || {
            let [n, channels, height, width] = grad.shape().dims();
            let sums = norm::channel_sums(isa, delta, [n, channels, height * width]);
            flex::tensor(sums, Shape::new([channels]))
        };
        [
            x.then(|| Self::map(g, delta, &self.weight, &[], !self.transposed)),
            for_weight,
            bias.then(for_bias),
        ]
    }
}

#[cfg(test)]
mod tests;
