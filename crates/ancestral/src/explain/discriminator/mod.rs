//! The optimal discriminator of two known densities.

mod experiment;
mod report;

pub use experiment::{Comparison, Densities, optimal_discriminator};
pub(super) use report::explain;
