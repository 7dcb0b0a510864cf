//! Both losses of a generator while its discriminator is trained ahead of it.

mod experiment;
mod report;

pub use experiment::{Measurement, Saturation, saturation};
pub(super) use report::explain;
