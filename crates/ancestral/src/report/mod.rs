//! Runs as images: samples and how they are drawn, curves, reconstructions, the latent space, nearest
//! training examples, costs of pixels, association rules, fitted distributions, clusters, predicted
//! classes, residuals.

mod animation;
mod classification;
mod clusters;
mod costs;
mod curves;
mod distribution;
mod frames;
mod latent;
mod nearest;
mod plane;
mod regression;
mod rules;
mod samples;

pub use animation::animation;
pub use classification::{
    confusion_matrix, precision_recall_curves, reliability_diagram, roc_curves,
};
pub use clusters::{
    ClusterCurve, cluster_scatter, compared_clusters, component_planes, condensed_tree,
    nearest_to_centers, neighbor_distances, unit_map,
};
pub use costs::cost_map;
pub use curves::curves;
pub use distribution::{
    coin_likelihood, die_shares, fit_plots, fitted_density, likelihood_plot, probability_plot,
    quantile_plot, ranked_fits, ranking,
};
pub use frames::{MOST_FRAMED, MOST_FRAMES, sampling_frames};
pub use latent::{interpolation, interpolation_frames, latent_space, manifold, reconstructions};
pub use nearest::{Nearest, nearest_examples};
pub use plane::Plane;
pub use regression::{leverage_plot, residual_plot, residual_quantiles};
pub use rules::{rules_graph, rules_scatter};
pub use samples::{grid, grid_bytes, intensities, samples};
