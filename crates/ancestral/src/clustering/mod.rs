//! Clustering: K-means, DBSCAN, HDBSCAN and self-organizing maps, with indices of their results.
//!
//! Settings have scikit-learn's names, conventions and defaults. Rows are [`Points`], in single or double
//! precision; a label is a cluster's number from 0, or `None` for noise.
//! Equal rows, settings and streams give equal bits for any number of threads.

mod centers;
mod components;
mod dbscan;
mod error;
#[cfg(test)]
mod golden;
mod hdbscan;
mod indices;
mod kmeans;
mod lanes;
mod methods;
mod metric;
mod nearest;
mod points;
mod product;
#[cfg(test)]
mod reported;
mod som;
#[cfg(test)]
mod testing;
mod tree;
mod union_find;
mod watch;
mod within;

pub use components::Plane;
pub use dbscan::{Dbscan, DbscanConfig, k_distances, k_distances_watched};
pub use error::{Error, Result};
pub use hdbscan::{CondensedCluster, CondensedTree, Edge, Hdbscan, HdbscanConfig, Selection};
pub use indices::{
    SILHOUETTE_ROWS, Silhouette, adjusted_mutual_information, adjusted_rand, calinski_harabasz,
    davies_bouldin, normalized_mutual_information, silhouette, silhouette_watched, silhouettes,
};
pub use kmeans::{Init, Kmeans, KmeansConfig, MiniBatch, MiniBatchConfig};
pub use methods::{
    Clustering, DbscanMethod, DbscanSettings, Found, Given, GridSetting, HdbscanMethod,
    HdbscanSettings, KmeansInit, KmeansMethod, KmeansSettings, Matrix, Method, MetricSetting,
    NeighborhoodSetting, RunStreams, SelectionSetting, SomMethod, SomSettings, SomStart,
    SomTraining, entries, method,
};
pub(crate) use methods::{
    Parts, kmeans, nearest_centers, standardized, with_points, without_empty, wrong,
};
pub use metric::Metric;
pub use nearest::Nearest;
pub use points::{Points, Real, UniformStreams};
pub use som::{Grid, Neighborhood, Som, SomConfig, SomInit, Training};
pub use watch::Watch;
