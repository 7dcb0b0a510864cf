//! A convolution that skips what its mask hides: only the taps that are left have weights.

use burn::{
    backend::TensorMetadata,
    tensor::{Shape, Tensor},
};
use rayon::prelude::*;

use super::frame::{Products, Scratch, Tap, WeightSums, column_sums, images_together, joined};
use crate::{
    activation::Activation,
    autodiff::Operation,
    flex::{self, Primitive},
    linear::{composed_activation, through},
    parallel::SharedPtr,
    simd::Isa,
};

/// y\[n, i, j\] = act(bias\[n\] + Σₜ x\[n, i + taps\[t\]\[0\], j + taps\[t\]\[1\]\]·weight\[t\]), where
/// pixels outside the image are zeros: images `x` \[n, height, width, c\], `weight` \[taps·c, k\],
/// tap after tap, `bias` \[n, k\], or \[1, k\] for all images alike; the result is
/// \[n, height, width, k\].
///
/// `f32` on Flex runs as one operation; any other type or backend is composed of Burn's operations.
/// The gradient of `x` is computed only if `x` is tracked. A sum of t products is within t·2⁻²⁴ of
/// the sum of their magnitudes.
///
/// # Panics
/// If the shapes do not fit, or there are no taps or channels.
pub fn masked_conv2d(
    x: Tensor<4>,
    weight: Tensor<2>,
    bias: Tensor<2>,
    taps: &[Tap],
    activation: Activation,
) -> Tensor<4> {
    let ([n, _, _, c], [rows, k], [biases, width]) = (x.dims(), weight.dims(), bias.dims());
    assert!(
        rows == taps.len() * c && rows > 0 && k == width && (biases == 1 || biases == n),
        "masked_conv2d: x [{n}, _, _, {c}], weight [{rows}, {k}], bias [{biases}, {width}] and {} \
         taps do not fit",
        taps.len()
    );
    if flex::is_fast(&x) && flex::is_fast(&weight) && flex::is_fast(&bias) {
        return MaskedConv::run((x, weight, bias), (taps.to_vec(), activation));
    }
    composed_masked_conv2d(x, weight, bias, taps, activation)
}

/// The same, composed of Burn's operations.
pub(crate) fn composed_masked_conv2d(
    x: Tensor<4>,
    weight: Tensor<2>,
    bias: Tensor<2>,
    taps: &[Tap],
    activation: Activation,
) -> Tensor<4> {
    let ([n, h, w, c], k) = (x.dims(), weight.dims()[1]);
    let [images, _] = bias.dims();
    let mut sum = bias.reshape([images, 1, 1, k]).expand([n, h, w, k]).reshape([n * h * w, k]);
    for (t, tap) in taps.iter().enumerate() {
        let moved = moved(x.clone(), *tap).reshape([n * h * w, c]);
        sum = sum + moved.matmul(weight.clone().narrow(0, t * c, c));
    }
    composed_activation(sum, activation).reshape([n, h, w, k])
}

/// For each pixel the one that a tap reads, zeros outside.
pub(super) fn moved(x: Tensor<4>, tap: Tap) -> Tensor<4> {
    let mut x = x;
    for (axis, by) in [(1, tap[0]), (2, tap[1])] {
        let (mut shape, size) = (x.dims(), x.dims()[axis]);
        let gap = by.unsigned_abs().min(size);
        shape[axis] = gap;
        if gap == 0 {
            continue;
        }
        let zeros = Tensor::zeros(shape, (&x.device(), x.dtype()));
        x = if gap == size {
            zeros
        } else if by > 0 {
            Tensor::cat(vec![x.narrow(axis, gap, size - gap), zeros], axis)
        } else {
            Tensor::cat(vec![zeros, x.narrow(axis, 0, size - gap)], axis)
        };
    }
    x
}

#[derive(Debug, Clone)]
struct MaskedConv {
    x: Primitive,
    weight: Primitive,
    /// Kept only for the gradient of an activation.
    y: Option<Primitive>,
    /// Whether each image has its own bias.
    own_bias: bool,
    taps: Vec<Tap>,
    activation: Activation,
}

impl Operation<3> for MaskedConv {
    type Parameters = (Vec<Tap>, Activation);

    fn forward(
        [x, weight, bias]: [Primitive; 3],
        (taps, activation): Self::Parameters,
    ) -> (Primitive, Self) {
        let ([n, h, w, _], k) = (x.shape().dims(), weight.shape()[1]);
        let y = forward(Isa::best(), &x, &weight, bias.storage(), &taps, activation);
        let y = flex::tensor(y, Shape::new([n, h, w, k]));
        let own_bias = bias.shape()[0] > 1;
        let kept = (activation != Activation::None).then(|| y.clone());
        (y, Self { x, weight, y: kept, own_bias, taps, activation })
    }

    fn backward(self, grad: Primitive, wanted: [bool; 3]) -> [Option<Primitive>; 3] {
        let delta = match self.y {
            Some(y) => through(self.activation, grad, y),
            None => flex::contiguous(grad),
        };
        let (isa, [n, ..]) = (Isa::best(), self.x.shape().dims::<4>());
        let k = self.weight.shape()[1];
        let found = backward(isa, &self.x, &self.weight, delta.storage(), &self.taps, wanted);
        let biases = if self.own_bias { n } else { 1 };
        let for_bias = wanted[2].then(|| {
            let values =
                if self.own_bias { found.biases.concat() } else { joined(k, found.biases.iter()) };
            flex::tensor(values, Shape::new([biases, k]))
        });
        [
            found.x.map(|values| flex::tensor(values, self.x.shape())),
            found.weight.map(|values| flex::tensor(values, self.weight.shape())),
            for_bias,
        ]
    }
}

pub(super) fn forward(
    isa: Isa,
    x: &Primitive,
    weight: &Primitive,
    bias: &[f32],
    taps: &[Tap],
    activation: Activation,
) -> Vec<f32> {
    let ([n, h, w, c], k) = (x.shape().dims::<4>(), weight.shape()[1]);
    let (x, weight) = (x.storage::<f32>(), weight.storage::<f32>());
    let start = |t: usize, channel: usize| (t * c + channel) * k;
    let products = Products::new(isa, [h, w], taps, [c, k], weight, start, 1);
    let (from, to) = (h * w * c, h * w * k);
    let write = |out: *mut f32| {
        let out = SharedPtr(out);
        (0..n).into_par_iter().for_each_init(Scratch::default, |scratch, i| {
            let bias = if bias.len() == k { bias } else { &bias[i * k..(i + 1) * k] };
            let image = &x[i * from..(i + 1) * from];
            // SAFETY: images do not overlap, and there is room for all.
            unsafe {
                products.image(isa, image, bias, activation, scratch, out.get().add(i * to));
            }
        });
    };
    // SAFETY: every image is written.
    unsafe { flex::filled(n * to, write) }
}

/// Gradients; that of the bias for each image.
pub(super) struct Found {
    pub(super) x: Option<Vec<f32>>,
    pub(super) weight: Option<Vec<f32>>,
    pub(super) biases: Vec<Vec<f32>>,
}

/// From the gradient of the pre-activations.
pub(super) fn backward(
    isa: Isa,
    x: &Primitive,
    weight: &Primitive,
    delta: &[f32],
    taps: &[Tap],
    [for_x, for_weight, for_bias]: [bool; 3],
) -> Found {
    let ([n, h, w, c], k) = (x.shape().dims::<4>(), weight.shape()[1]);
    let (x, weight) = (x.storage::<f32>(), weight.storage::<f32>());
    let back: Vec<Tap> = taps.iter().map(|tap| tap.map(|distance| -distance)).collect();
    let start = |t: usize, output: usize| t * c * k + output;
    let products = for_x.then(|| Products::new(isa, [h, w], &back, [k, c], weight, start, k));
    let (from, to) = (h * w * c, h * w * k);
    let together = images_together(n);
    let mut parts: Vec<(Vec<f32>, Vec<Vec<f32>>)> = Vec::new();
    let mut write = |out: *mut f32| {
        let out = SharedPtr(out);
        let work = |scratch: &mut Scratch, task: usize| {
            let mut sums = for_weight.then(|| WeightSums::new(isa, [h, w], taps, [c, k]));
            let mut biases = Vec::new();
            for i in task * together..n.min((task + 1) * together) {
                let (image, delta) = (&x[i * from..(i + 1) * from], &delta[i * to..(i + 1) * to]);
                if let Some(products) = &products {
                    // SAFETY: images do not overlap, and there is room for all.
                    unsafe {
                        let out = out.get().add(i * from);
                        products.image(isa, delta, &[], Activation::None, scratch, out);
                    }
                }
                if let Some(sums) = &mut sums {
                    sums.add(isa, image, delta);
                }
                if for_bias {
                    biases.push(column_sums(isa, delta, k));
                }
            }
            (sums.map(WeightSums::finish).unwrap_or_default(), biases)
        };
        parts =
            (0..n.div_ceil(together)).into_par_iter().map_init(Scratch::default, work).collect();
    };
    let x = if for_x {
        // SAFETY: every image is written.
        Some(unsafe { flex::filled(n * from, write) })
    } else {
        write(std::ptr::null_mut());
        None
    };
    let weights = parts.iter().map(|(weights, _)| weights);
    Found {
        x,
        weight: for_weight.then(|| joined(weight.len(), weights)),
        biases: parts.iter().flat_map(|(_, biases)| biases.iter().cloned()).collect(),
    }
}
