//! HDBSCAN as a model. It keeps the rows and the condensed tree, and assigns another row as PyPI's
//! `hdbscan` does: to the cluster of its nearest row by mutual reachability, as far up the tree as its
//! distance is.

use burn::tensor::TensorData;
use rayon::prelude::*;
use toml::Table;

use super::super::hdbscan::{HdbscanConfig, Selection};
use super::super::{Metric, Points, UniformStreams, Watch};
use super::errors::{not_fitted, wrong};
use super::gather::{Matrix, with_points};
use super::method::{
    Clustering, Found, Given, Listed, Method, MetricSetting, any_length, clusters_of,
};
use crate::model::{Assigning, Assignments, DataSpec, NamedTensors, Size};
use crate::settings::{Field, Settings};
use crate::{Error, Result, choices, settings};

choices! {
    /// How clusters are chosen from the condensed tree.
    pub enum SelectionSetting {
        /// excess of mass: the most stable clusters
        Eom = "eom",
        /// the leaves: more and smaller clusters
        Leaf = "leaf",
    }
}

settings! {
    /// Settings of HDBSCAN, with scikit-learn's names and defaults.
    pub struct HdbscanSettings {
        /// Smallest number of rows of a cluster.
        pub min_cluster_size: usize = 5, in 2..;
        /// Neighbors that define how dense a row is, itself included; 0 for min_cluster_size.
        pub min_samples: usize = 0, in 0..;
        /// Distance below which clusters are not parted.
        pub cluster_selection_epsilon: f64 = 0.0, in 0.0..;
        /// Largest number of rows of a cluster that eom chooses; 0 for any.
        pub max_cluster_size: usize = 0, in 0..;
        /// Whether all rows may be one cluster.
        pub allow_single_cluster: bool = false;
        /// How clusters are chosen from the condensed tree.
        pub cluster_selection_method: SelectionSetting = SelectionSetting::Eom;
        /// Distance between rows.
        pub metric: MetricSetting = MetricSetting::Euclidean;
    }
}

/// The tensors by name.
const NAMES: [&str; 8] =
    ["rows", "core_distances", "cluster", "lambda", "parents", "births", "deaths", "labels"];

/// What is kept of a clustering.
#[derive(Debug, Default)]
struct Kept {
    /// `[rows, columns]`, as the metric compares them.
    rows: Vec<f64>,
    /// `[rows]`, in units of distance.
    core_distances: Vec<f64>,
    /// The smallest cluster of the condensed tree of each row, and where the row leaves it.
    cluster: Vec<f64>,
    lambda: Vec<f64>,
    /// Of each cluster of the condensed tree: its parent (−1 for the root), λ at its birth and death, the
    /// label of its rows (−1 for noise).
    parents: Vec<f64>,
    births: Vec<f64>,
    deaths: Vec<f64>,
    labels: Vec<f64>,
}

/// HDBSCAN.
#[derive(Debug)]
pub struct HdbscanMethod {
    settings: HdbscanSettings,
    data: DataSpec,
    kept: Kept,
}

impl HdbscanMethod {
    fn min_samples(&self) -> usize {
        match self.settings.min_samples {
            0 => self.settings.min_cluster_size,
            samples => samples,
        }
    }

    /// The label of a row, in the form in which the metric compares rows; `near` is a buffer.
    fn label(&self, row: &[f64], near: &mut Vec<f64>) -> Option<u32> {
        let (kept, metric, columns) = (&self.kept, self.metric(), row.len());
        near.clear();
        near.extend(kept.rows.chunks_exact(columns).map(|other| metric.distance(row, other)));
        // A new row counts in its own neighborhood, as it would had it been clustered.
        let place = self.min_samples().saturating_sub(2).min(near.len() - 1);
        let mut sorted = near.clone();
        let own = match self.min_samples() {
            1 => 0.0,
            _ => *sorted.select_nth_unstable_by(place, f64::total_cmp).1,
        };
        let reach = |at: usize| near[at].max(own).max(kept.core_distances[at]);
        // Of equally near rows the one that is nearest by itself.
        let nearest = (0..near.len()).min_by(|&a, &b| {
            reach(a).total_cmp(&reach(b)).then(near[a].total_cmp(&near[b])).then(a.cmp(&b))
        })?;
        let lambda = 1.0 / reach(nearest);
        let mut cluster = kept.cluster[nearest] as usize;
        if kept.lambda[nearest] > lambda {
            while kept.parents[cluster] >= 0.0 && kept.births[cluster] >= lambda {
                cluster = kept.parents[cluster] as usize;
            }
        }
        let label = kept.labels[cluster];
        // Rows that leave the root belong to it only if they stay to the end.
        let leaves = kept.parents[cluster] < 0.0 && lambda < kept.deaths[cluster];
        (label >= 0.0 && !leaves).then_some(label as u32)
    }
}

impl Listed for HdbscanMethod {
    const NAME: &'static str = "hdbscan";
    const ABOUT: &'static str =
        "HDBSCAN: the most stable clusters of all densities, and noise; needs no distance";
    const PAPER: &'static str = "Campello, Moulavi and Sander 2013";
    const ASSIGNING: Assigning = Assigning::Approximate;

    fn fields() -> Vec<Field> {
        HdbscanSettings::fields()
    }

    fn new(settings: &Table, data: &DataSpec) -> Result<Self> {
        let settings = HdbscanSettings::from_table(settings)?;
        settings.check_values()?;
        Ok(Self { settings, data: data.clone(), kept: Kept::default() })
    }

    fn size(settings: &Table, _: &DataSpec) -> Result<Size> {
        // What is kept depends on the rows.
        HdbscanSettings::from_table(settings).map(|_| Size::default())
    }
}

impl Method for HdbscanMethod {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn settings(&self) -> Table {
        self.settings.to_table()
    }

    fn metric(&self) -> Metric {
        self.settings.metric.into()
    }

    fn cluster(
        &self,
        matrix: &Matrix,
        _: &Given,
        _: &dyn UniformStreams,
        watch: &mut Watch<'_>,
    ) -> Result<Clustering> {
        let of = &self.settings;
        let config = HdbscanConfig {
            min_cluster_size: of.min_cluster_size,
            min_samples: (of.min_samples > 0).then_some(of.min_samples),
            cluster_selection_epsilon: of.cluster_selection_epsilon,
            max_cluster_size: (of.max_cluster_size > 0).then_some(of.max_cluster_size),
            allow_single_cluster: of.allow_single_cluster,
            cluster_selection_method: match of.cluster_selection_method {
                SelectionSetting::Eom => Selection::Eom,
                SelectionSetting::Leaf => Selection::Leaf,
            },
            metric: self.metric(),
        };
        let found = with_points!(matrix, points => config.fit_watched(points, watch))
            .map_err(|error| wrong(Self::NAME, &self.data, error))?;
        let mut notes = Vec::new();
        if found.clusters == 0 {
            notes.push(match matrix.rows() < of.min_cluster_size {
                true => format!(
                    "all rows are noise: there are fewer than min_cluster_size = {}",
                    of.min_cluster_size
                ),
                false => {
                    "all rows are noise: no two clusters part; allow_single_cluster=true lets \
                          all rows be one cluster, a lower min_cluster_size finds smaller ones"
                        .to_owned()
                }
            });
        }
        Ok(Clustering {
            stopped: false,
            labels: found.labels.clone(),
            clusters: found.clusters,
            values: Vec::new(),
            notes,
            found: Found::Hdbscan(Box::new(found)),
        })
    }

    fn keep(&mut self, found: &Clustering, matrix: &Matrix) {
        let Found::Hdbscan(found) = &found.found else { return };
        let tree = &found.condensed_tree;
        let mut labels = vec![-1.0; tree.clusters.len()];
        for (label, &cluster) in found.selected.iter().enumerate() {
            labels[cluster as usize] = label as f64;
        }
        for (at, cluster) in tree.clusters.iter().enumerate() {
            if let Some(parent) = cluster.parent.filter(|_| labels[at] < 0.0) {
                labels[at] = labels[parent as usize];
            }
        }
        // A metric that could not prepare the rows has found no clusters either.
        let rows = with_points!(matrix, points => self.metric().prepare(points));
        self.kept = Kept {
            rows: rows.unwrap_or_default(),
            core_distances: found.core_distances.clone(),
            cluster: tree.cluster.iter().map(|&c| c.into()).collect(),
            lambda: tree.lambda.clone(),
            parents: tree.clusters.iter().map(|c| c.parent.map_or(-1.0, f64::from)).collect(),
            births: tree.clusters.iter().map(|c| c.birth).collect(),
            deaths: tree.clusters.iter().map(|c| c.death).collect(),
            labels,
        };
    }

    fn tensors(&self) -> NamedTensors {
        let Kept { rows, core_distances, cluster, lambda, parents, births, deaths, labels } =
            &self.kept;
        let all = [rows, core_distances, cluster, lambda, parents, births, deaths, labels];
        let columns = self.data.size().max(1);
        NAMES
            .iter()
            .zip(all)
            .map(|(name, values)| {
                let data = match *name {
                    "rows" => TensorData::new(values.clone(), [values.len() / columns, columns]),
                    _ => TensorData::new(values.clone(), [values.len()]),
                };
                (format!("model.{name}"), data)
            })
            .collect()
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        let [rows, core_distances, cluster, lambda, parents, births, deaths, labels] =
            any_length(Self::NAME, tensors, NAMES)?;
        let (n, clusters) = (core_distances.len(), parents.len());
        let fit = rows.len() == n * self.data.size()
            && [&cluster, &lambda].iter().all(|values| values.len() == n)
            && [&births, &deaths, &labels].iter().all(|values| values.len() == clusters)
            && cluster.iter().all(|&at| (at as usize) < clusters)
            && parents.iter().enumerate().all(|(at, &parent)| parent < at as f64);
        if !fit {
            return Err(Error::Unsupported {
                model: Self::NAME.to_owned(),
                problem: "cannot take these weights: their sizes do not fit each other".to_owned(),
            });
        }
        self.kept = Kept { rows, core_distances, cluster, lambda, parents, births, deaths, labels };
        Ok(())
    }

    fn clusters(&self) -> usize {
        clusters_of(&self.kept.labels)
    }

    fn assigning(&self) -> Assigning {
        Self::ASSIGNING
    }

    fn assign(&self, rows: &Matrix) -> Result<Assignments> {
        if self.kept.rows.is_empty() {
            return Err(not_fitted(Self::NAME));
        }
        let (values, columns) = (rows.doubles(), self.data.size());
        let values = Points::new(&values, columns)
            .and_then(|points| self.metric().prepare(points))
            .map_err(|error| wrong(Self::NAME, &self.data, error))?;
        let labels = values
            .par_chunks_exact(columns)
            .map_init(Vec::new, |near, row| self.label(row, near))
            .collect();
        Ok(Assignments { labels, responsibilities: None })
    }
}
