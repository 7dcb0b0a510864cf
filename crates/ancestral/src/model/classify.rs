//! Telling examples apart: by class, by cluster, or data from samples.

use ancestral_data::Batch;

use crate::Result;

/// What a classifier finds in some examples.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Classified {
    /// Features `[examples, feature_dim]`, row after row.
    pub features: Vec<f32>,
    /// The probability of each class `[examples, classes]`, row after row.
    pub probabilities: Vec<f64>,
}

/// A model that tells classes apart.
pub trait Classifier {
    /// The number of features of an example; 0 for models that have none of their own.
    fn feature_dim(&self) -> usize;

    /// Features and class probabilities of examples, row after row, in the values of the model's
    /// domain.
    ///
    /// # Errors
    /// If these are no whole examples.
    fn classify(&self, values: &[f64]) -> Result<Classified>;
}

/// A model with a discriminator, which tells data from samples (a critic, in Wasserstein models).
pub trait Discriminator {
    /// The score of each example, higher for what looks like data; logits, or on a scale that the
    /// loss leaves open.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn score(&self, batch: &Batch) -> Result<Vec<f64>>;
}

/// The clusters of some examples.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Assignments {
    /// The number of each example's cluster; `None` for noise.
    pub labels: Vec<Option<u32>>,
    /// The probability of each cluster `[examples, clusters]`, row after row, where there are some.
    pub responsibilities: Option<Vec<f64>>,
}

/// A model that groups examples without labels.
pub trait Clusterer {
    /// The number of clusters.
    fn clusters(&self) -> usize;

    /// The cluster of each example.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn assign(&self, batch: &Batch) -> Result<Assignments>;
}
