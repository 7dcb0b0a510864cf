//! What a discriminator of two known densities learns.

mod experiment;
mod report;

pub use experiment::{Comparison, Densities, optimal_discriminator};
pub(super) use report::explain;
