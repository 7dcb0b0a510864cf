//! What a transposed convolution does to a map.

mod experiment;
mod report;

pub use experiment::{Enlarged, Map, enlarge, reduce};
pub(super) use report::explain;
