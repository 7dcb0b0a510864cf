//! Transposed convolution as a convolution of the zero-stuffed input.

mod experiment;
mod report;

pub use experiment::{FeatureMap, TransposedConvolution, convolution, transposed_convolution};
pub(super) use report::explain;
