//! The sum of the two sides of a Diagonal BiLSTM.

use burn::{backend::TensorMetadata, tensor::Tensor};
use rayon::prelude::*;

use super::conv::moved;
use crate::{
    autodiff::Operation,
    flex::{self, Primitive},
};

/// The maps of a Diagonal BiLSTM's two LSTMs \[n, height, width, h\] together: left\[i, j\] +
/// right\[i − 1, j\], with zeros above the first row (van den Oord et al. 2016, section 3.2: "the
/// right output map is shifted down by one row").
///
/// `f32` on Flex runs as one operation; any other type or backend is composed of Burn's operations.
///
/// # Panics
/// If the shapes differ.
pub fn sum_of_sides(left: Tensor<4>, right: Tensor<4>) -> Tensor<4> {
    assert_eq!(left.dims(), right.dims(), "sum_of_sides: two maps of one shape");
    if flex::is_fast(&left) && flex::is_fast(&right) {
        return SumOfSides::run((left, right), ());
    }
    composed_sum_of_sides(left, right)
}

/// The same, composed of Burn's operations.
pub(crate) fn composed_sum_of_sides(left: Tensor<4>, right: Tensor<4>) -> Tensor<4> {
    left + moved(right, [-1, 0])
}

#[derive(Debug, Clone)]
struct SumOfSides;

impl Operation<2> for SumOfSides {
    type Parameters = ();

    fn forward([left, right]: [Primitive; 2], (): ()) -> (Primitive, Self) {
        let ([_, height, width, channels], shape) = (left.shape().dims(), left.shape());
        let (row, image) = (width * channels, height * width * channels);
        let mut sum = left.storage::<f32>().to_vec();
        let right = right.storage::<f32>();
        if row > 0 && height > 0 {
            sum.par_chunks_exact_mut(image).zip(right.par_chunks_exact(image)).for_each(
                |(sum, right)| {
                    sum[row..].iter_mut().zip(right).for_each(|(sum, value)| *sum += value);
                },
            );
        }
        (flex::tensor(sum, shape), Self)
    }

    fn backward(self, grad: Primitive, wanted: [bool; 2]) -> [Option<Primitive>; 2] {
        let ([_, height, width, channels], shape) = (grad.shape().dims(), grad.shape());
        let (row, image) = (width * channels, height * width * channels);
        let right = wanted[1].then(|| {
            let mut all = Vec::with_capacity(shape.num_elements());
            for grad in grad.storage::<f32>().chunks_exact(image.max(1)) {
                all.extend_from_slice(&grad[row..]);
                all.resize(all.len() + row, 0.0);
            }
            flex::tensor(all, shape)
        });
        [Some(grad), right]
    }
}
