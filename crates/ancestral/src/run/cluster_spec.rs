//! What is to be clustered, and what was found.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use ancestral_data::{Dataset, Examples};

use super::loaded::Run;
use super::spec::RunSpec;
use crate::clustering::{Clustering, Matrix, Metric};

/// What is to be clustered, and how.
#[derive(Debug, Clone, Default)]
pub struct ClusterSpec {
    /// The method with its settings, the data, the seed and where the run is stored. All rows of data
    /// without a test split of its own are clustered, else those of the training and validation splits.
    pub run: RunSpec,
    /// Whether columns are standardized to mean 0 and standard deviation 1.
    pub standardize: bool,
    /// A file of starting centers for K-means (.csv or .npy), in the units of the data.
    pub centers: Option<PathBuf>,
    /// A run whose latent codes of the data are clustered.
    pub encoder: Option<PathBuf>,
    /// Columns that are written beside the labels and not clustered, as columns of words are.
    pub identifiers: Vec<String>,
    /// A column that weights the rows (K-means).
    pub weights: Option<String>,
    /// Numbers of clusters that are compared (K-means, mixtures); the best one is kept.
    pub range: Option<RangeInclusive<usize>>,
    /// Whether indices of the clusters are computed.
    pub indices: bool,
    /// Entries of a table up to which it is held whole when it is clustered in mini-batches, some 4 million if
    /// not given.
    pub held: Option<usize>,
}

/// A number of clusters among others.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The number of clusters that were asked for.
    pub clusters: usize,
    /// The inertia of K-means.
    pub inertia: Option<f64>,
    /// The mean silhouette coefficient, where there are two clusters or more.
    pub silhouette: Option<f64>,
    /// The Bayesian information criterion of a mixture.
    pub bic: Option<f64>,
}

/// Indices of clusters; noise is in none, except in the comparison with labels, where it is a cluster.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClusterIndices {
    /// The mean silhouette coefficient.
    pub silhouette: Option<f64>,
    /// The rows that it is the mean of; fewer than there are in large data.
    pub silhouette_rows: usize,
    /// The Davies–Bouldin index.
    pub davies_bouldin: Option<f64>,
    /// The Caliński–Harabasz index.
    pub calinski_harabasz: Option<f64>,
    /// The adjusted Rand index against the labels of the data.
    pub adjusted_rand: Option<f64>,
    /// The adjusted mutual information with them.
    pub adjusted_mutual_information: Option<f64>,
    /// The normalized mutual information with them.
    pub normalized_mutual_information: Option<f64>,
}

/// Columns of text beside the labels: their names and cells.
pub type Beside = Vec<(String, Vec<String>)>;

/// A file whose rows were clustered in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InParts {
    /// Its rows.
    pub rows: usize,
    /// Its labels in the folder of the run.
    pub labels: Option<PathBuf>,
    /// The columns that are written beside them.
    pub beside: Vec<String>,
}

/// The clusters of some data.
pub struct Clustered {
    /// The model.
    pub run: Run,
    /// The clusters.
    pub clustering: Clustering,
    /// Rows of each cluster.
    pub sizes: Vec<usize>,
    /// Rows in no cluster.
    pub noise: usize,
    /// The metric.
    pub metric: Metric,
    /// Indices of the clusters.
    pub indices: ClusterIndices,
    /// Numbers of clusters that were compared.
    pub compared: Vec<Compared>,
    /// Rows on which their silhouettes were computed.
    pub compared_rows: usize,
    /// The rows as they were clustered.
    pub matrix: Matrix,
    /// The data before it was encoded.
    pub data: Dataset,
    /// The same as examples, in the order of the rows.
    pub examples: Examples,
    /// What is written beside the labels.
    pub beside: Beside,
    /// Files that were written.
    pub files: Vec<PathBuf>,
    /// Whether work was stopped before all was found: the clusters are those found until then, or indices are
    /// missing.
    pub stopped: bool,
    /// The file, if it was clustered in parts; rows, labels, examples and indices are then those of a sample,
    /// sizes and inertia those of the file.
    pub in_parts: Option<InParts>,
}

impl Clustered {
    /// The number of rows that were clustered.
    pub fn rows(&self) -> usize {
        self.in_parts.as_ref().map_or(self.clustering.labels.len(), |parts| parts.rows)
    }
}

/// Rows that were put into the clusters of a run.
pub struct Assigned {
    /// The cluster of each row.
    pub labels: Vec<Option<u32>>,
    /// The probability of its cluster, for mixtures.
    pub probabilities: Option<Vec<f64>>,
    /// Rows of each cluster of the run.
    pub sizes: Vec<usize>,
    /// Rows in no cluster.
    pub noise: usize,
    /// Whether the clusters are only approximately those that the method would find.
    pub approximate: bool,
    /// What is written beside the labels.
    pub beside: Beside,
}

/// The distances of rows to their k-th nearest row, the curve from which eps is chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Distances {
    /// In ascending order.
    pub distances: Vec<f64>,
    /// Which neighbor they are to, the row itself included.
    pub min_samples: usize,
    /// Where the curve bends most: a first guess of eps.
    pub bend: f64,
    /// The name of the data.
    pub data: String,
}

impl Distances {
    /// The distance that this share of the rows is within, from 0 to 1; not a number without rows.
    pub fn within(&self, share: f64) -> f64 {
        let at = self.distances.len().saturating_sub(1) as f64 * share;
        self.distances.get(at as usize).copied().unwrap_or(f64::NAN)
    }

    /// The rows that are farther than this from that neighbor, and so no core rows.
    pub fn beyond(&self, eps: f64) -> usize {
        self.distances.iter().filter(|&&distance| distance > eps).count()
    }
}
