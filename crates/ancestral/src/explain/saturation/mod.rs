//! Both generator losses while the discriminator is trained against a frozen generator.

mod experiment;
mod report;

pub use experiment::{Measurement, Saturation, saturation};
pub(super) use report::explain;
