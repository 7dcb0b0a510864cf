//! Classifiers, clusterers and discriminators.

use ancestral_data::Batch;

use crate::Result;

/// The features and class probabilities of some examples.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Classified {
    /// Features `[examples, feature_dim]`, row after row.
    pub features: Vec<f32>,
    /// The probability of each class `[examples, classes]`, row after row.
    pub probabilities: Vec<f64>,
}

/// A model that predicts classes.
pub trait Classifier {
    /// The number of features per example; 0 for models without learned features.
    fn feature_dim(&self) -> usize;

    /// Features and class probabilities of examples, row after row, in the values of the model's
    /// domain.
    ///
    /// # Errors
    /// If the values are not whole examples.
    fn classify(&self, values: &[f64]) -> Result<Classified>;

    /// The probabilities of classes in the training split, `[classes]`, of models whose Bayes' rule uses
    /// them; `None` for models that learn p(class | example) alone.
    fn priors(&self) -> Option<&[f64]> {
        None
    }
}

/// A model with a discriminator (critic, in Wasserstein models), which distinguishes data from
/// samples.
pub trait Discriminator {
    /// The score of each example, higher for examples that look like data: a logit, or a value whose
    /// scale depends on the loss.
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
    /// The probability of each cluster `[examples, clusters]`, row after row, for soft clusterings.
    pub responsibilities: Option<Vec<f64>>,
}

/// What a clustering says of examples that were not clustered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assigning {
    /// They are in the clusters in which the method would put them, if its clusters stayed as they are.
    Exact,
    /// Their clusters are those of similar examples: with them, the method could find other clusters.
    Approximate,
    /// Nothing: clusters are sets of the examples that were clustered.
    Never,
}

/// A model that groups examples without labels.
pub trait Clusterer {
    /// The number of clusters.
    fn clusters(&self) -> usize;

    /// What it says of examples that were not clustered; where it says nothing, `assign` is an error.
    fn assigning(&self) -> Assigning {
        Assigning::Exact
    }

    /// The cluster of each example.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn assign(&self, batch: &Batch) -> Result<Assignments>;
}
