//! What every method offers as a model.

use toml::Table;

use super::super::{Dbscan, Hdbscan, Kmeans, Metric, Nearest, Som, UniformStreams, Watch};
use super::gather::Matrix;
use crate::columns::KindName;
use crate::model::{Assigning, Assignments, DataSpec, NamedTensors, Size};
use crate::settings::Field;
use crate::{Error, Result, choices};

/// The kinds of columns that have distances.
pub(super) const KINDS: &[KindName] =
    &[KindName::Real, KindName::Count, KindName::Binary, KindName::Levels];

choices! {
    /// The distance between rows.
    pub enum MetricSetting {
        /// root of the sum of squared differences
        Euclidean = "euclidean",
        /// sum of absolute differences
        Manhattan = "manhattan",
        /// 1 minus the cosine of the angle between rows
        Cosine = "cosine",
    }
}

impl From<MetricSetting> for Metric {
    fn from(setting: MetricSetting) -> Self {
        match setting {
            MetricSetting::Euclidean => Self::Euclidean,
            MetricSetting::Manhattan => Self::Manhattan,
            MetricSetting::Cosine => Self::Cosine,
        }
    }
}

/// What a clustering is given beside the rows.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// A weight for each row.
    pub weights: Option<Vec<f64>>,
    /// Starting centers `[clusters, columns]`, in the units in which rows are clustered.
    pub centers: Option<Vec<f64>>,
}

/// All that a method found.
#[derive(Debug, Clone)]
pub enum Found {
    /// By K-means.
    Kmeans(Kmeans),
    /// By DBSCAN.
    Dbscan(Dbscan),
    /// By HDBSCAN.
    Hdbscan(Box<Hdbscan>),
    /// By a self-organizing map, with the units of each row.
    Som(Box<Som>, Vec<Nearest>),
    /// By a mixture: the probability of each component `[rows, clusters]`.
    Mixture(Vec<f64>),
}

/// The clusters of rows.
#[derive(Debug, Clone)]
pub struct Clustering {
    /// The cluster of each row; `None` is noise.
    pub labels: Vec<Option<u32>>,
    /// The number of clusters.
    pub clusters: usize,
    /// All that was found.
    pub found: Found,
    /// Values of the method by name, as the inertia.
    pub values: Vec<(&'static str, f64)>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// What one should know of the result, a sentence each.
    pub notes: Vec<String>,
}

/// A method of clustering with its settings and what it keeps of its clusters.
pub trait Method: Send + Sync {
    /// The name.
    fn name(&self) -> &'static str;

    /// All settings.
    fn settings(&self) -> Table;

    /// The distance that it clusters by.
    fn metric(&self) -> Metric {
        Metric::Euclidean
    }

    /// Clusters rows.
    ///
    /// # Errors
    /// If the rows do not suit the settings.
    fn cluster(
        &self,
        matrix: &Matrix,
        given: &Given,
        streams: &dyn UniformStreams,
        watch: &mut Watch<'_>,
    ) -> Result<Clustering>;

    /// Keeps what assigning needs.
    fn keep(&mut self, found: &Clustering, matrix: &Matrix);

    /// What is kept.
    fn tensors(&self) -> NamedTensors;

    /// Loads what is kept.
    ///
    /// # Errors
    /// If a tensor is missing or has another size.
    fn load(&mut self, tensors: &NamedTensors) -> Result<()>;

    /// The number of clusters that are kept.
    fn clusters(&self) -> usize;

    /// What it says of other rows.
    fn assigning(&self) -> Assigning;

    /// The clusters of rows.
    ///
    /// # Errors
    /// If it cannot, or there are no clusters yet.
    fn assign(&self, rows: &Matrix) -> Result<Assignments>;
}

/// What the registry lists of a method.
pub(super) trait Listed: Method + Sized {
    /// The name.
    const NAME: &'static str;
    /// A description in one line.
    const ABOUT: &'static str;
    /// The paper.
    const PAPER: &'static str;
    /// What it says of other rows.
    const ASSIGNING: Assigning;

    /// Its settings.
    fn fields() -> Vec<Field>;

    /// The method with these settings.
    fn new(settings: &Table, data: &DataSpec) -> Result<Self>;

    /// The size of a model with these settings.
    fn size(settings: &Table, data: &DataSpec) -> Result<Size>;
}

/// Tensors `model.NAME` of any length.
pub(super) fn any_length<const N: usize>(
    method: &str,
    tensors: &NamedTensors,
    names: [&str; N],
) -> Result<[Vec<f64>; N]> {
    let mut found = [const { Vec::new() }; N];
    for (found, name) in found.iter_mut().zip(names) {
        let full = format!("model.{name}");
        let values = tensors
            .iter()
            .find(|(name, _)| *name == full)
            .and_then(|(_, data)| data.try_to_vec_as::<f64>().ok());
        *found = values.ok_or_else(|| Error::Unsupported {
            model: method.to_owned(),
            problem: format!("cannot take these weights: tensor '{full}' is missing"),
        })?;
    }
    Ok(found)
}

/// The number of clusters of labels from 0, where −1 is noise.
pub(super) fn clusters_of(labels: &[f64]) -> usize {
    labels.iter().fold(-1.0, |most: f64, &label| most.max(label)) as usize + 1
}
