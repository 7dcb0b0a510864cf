//! The common parts of the normalizations.

use burn::{backend::TensorMetadata, tensor::Shape};

use crate::flex::{self, Primitive};

/// Vectors that are summed in `f32`, before the sums are added in `f64`.
pub(super) const RUN: usize = 256;

/// Images, channels and values of a channel.
pub(super) fn sizes(x: &Primitive) -> [usize; 3] {
    let shape = x.shape();
    [shape[0], shape[1], shape[2..].iter().product()]
}

/// A value for each channel.
pub(super) fn statistic(values: Vec<f32>) -> Primitive {
    let shape = Shape::new([values.len()]);
    flex::tensor(values, shape)
}
