//! Demonstrations of concepts: small experiments with real networks, with numerical checks and
//! plots.
//!
//! [`Session::explain`](crate::run::Session::explain) runs one; the experiments without plots are
//! separate functions.

mod ae_vs_vae;
mod clustering;
mod color_chain;
mod dbscan;
mod density;
mod discriminator;
mod elbo;
mod inputs;
mod kmeans;
mod likelihood;
mod network;
mod receptive_field;
mod rules;
mod saturation;
mod session;
mod shapes;
mod som;
mod spec;
mod supervised;
mod topic;
mod transposed;
mod work;

pub use color_chain::{ColorChain, color_chain};
pub use discriminator::{Comparison, Densities, optimal_discriminator};
pub use receptive_field::{ReceptiveField, receptive_field};
pub use saturation::{Measurement, Saturation, saturation};
pub use spec::{ExplainSpec, Explanation};
pub use topic::Topic;
pub use transposed::{FeatureMap, TransposedConvolution, convolution, transposed_convolution};
