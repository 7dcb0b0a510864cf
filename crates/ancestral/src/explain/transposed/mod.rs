//! Transposed convolution as a convolution of the zero-stuffed input.

mod experiment;
mod report;

pub use experiment::{Enlarged, Map, enlarge, reduce};
pub(super) use report::explain;
