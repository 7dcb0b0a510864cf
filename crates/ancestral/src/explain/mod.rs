//! Small experiments that show a point of the field; each gives the figures, and whoever calls it
//! draws the picture.

mod transposed;

pub use transposed::{Enlarged, Map, enlarge, reduce};
