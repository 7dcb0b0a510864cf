//! HDBSCAN (Campello, Moulavi and Sander 2013; Campello et al. 2015): the hierarchy of DBSCAN's clusters
//! over all distances, from which the most stable ones are chosen.
//!
//! The core distance of a row is that to its `min_samples`-th nearest row, itself included, as in
//! scikit-learn (`hdbscan` of PyPI counts without it). The minimum spanning tree of the mutual
//! reachability distances max(core(a), core(b), d(a, b)) is exact, in double precision.
//! Edges of one length are removed at once, as the paper has it. Rows between large parts that meet at one
//! distance, as their own core distance is, would belong to none of them; other programs remove one edge after
//! another in an arbitrary order, and leave such rows with one of the parts. Here it is the nearest one.
//! Rows equal to `min_samples` others have an infinite density: they never part, and their cluster has
//! an infinite stability.

mod attach;
mod condensed;
mod select;
mod spanning;

use super::error::{Error, Result, setting};
use super::metric::{Cosine, Euclidean, Manhattan, Metric};
use super::points::{Points, Real};
use super::watch::{Watch, Work};
pub use condensed::{CondensedCluster, CondensedTree};
pub use spanning::Edge;

/// How clusters are chosen from the condensed tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Selection {
    /// Excess of mass: the clusters with the largest total stability.
    #[default]
    Eom,
    /// The leaves of the tree: more and smaller clusters.
    Leaf,
}

/// Settings of HDBSCAN, with scikit-learn's names and defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HdbscanConfig {
    /// The smallest number of rows of a cluster, at least 2.
    pub min_cluster_size: usize,
    /// The neighbors that define a core distance, the row included; `min_cluster_size` by default.
    pub min_samples: Option<usize>,
    /// Clusters closer than this distance are not parted; 0 parts all.
    pub cluster_selection_epsilon: f64,
    /// The largest number of rows of a cluster that excess of mass chooses.
    pub max_cluster_size: Option<usize>,
    /// Whether all rows may be one cluster.
    pub allow_single_cluster: bool,
    /// How clusters are chosen.
    pub cluster_selection_method: Selection,
    /// The distance.
    pub metric: Metric,
}

impl Default for HdbscanConfig {
    fn default() -> Self {
        Self {
            min_cluster_size: 5,
            min_samples: None,
            cluster_selection_epsilon: 0.0,
            max_cluster_size: None,
            allow_single_cluster: false,
            cluster_selection_method: Selection::Eom,
            metric: Metric::Euclidean,
        }
    }
}

/// The clusters that HDBSCAN found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hdbscan {
    /// The cluster of each row, numbered by the lowest row; `None` is noise.
    pub labels: Vec<Option<u32>>,
    /// How strongly each row belongs to its cluster, from 0 to 1; 0 for noise.
    pub probabilities: Vec<f64>,
    /// How much sparser each row is than the densest part of its neighborhood, from 0 to 1 (GLOSH).
    pub outlier_scores: Vec<f64>,
    /// The number of clusters.
    pub clusters: usize,
    /// The cluster of the condensed tree that each label is.
    pub selected: Vec<u32>,
    /// The core distance of each row.
    pub core_distances: Vec<f64>,
    /// The minimum spanning tree, in ascending order of distances.
    pub spanning_tree: Vec<Edge>,
    /// The condensed tree.
    pub condensed_tree: CondensedTree,
}

impl HdbscanConfig {
    /// Clusters rows.
    ///
    /// # Errors
    /// If a setting is out of range, `min_samples` is above the number of rows, or a row is all zeros and
    /// the metric is cosine.
    pub fn fit<T: Real>(&self, points: Points<'_, T>) -> Result<Hdbscan> {
        self.fit_watched(points, &mut Watch::new(None, &mut |_, _| {}))
    }

    /// The same while someone watches.
    ///
    /// # Errors
    /// As [`Self::fit`], and [`Error::Stopped`] if it is stopped.
    pub fn fit_watched<T: Real>(
        &self,
        points: Points<'_, T>,
        watch: &mut Watch<'_>,
    ) -> Result<Hdbscan> {
        if self.min_cluster_size < 2 {
            return setting("min_cluster_size", self.min_cluster_size, "it is at least 2");
        }
        let epsilon = self.cluster_selection_epsilon;
        if !(epsilon >= 0.0 && epsilon.is_finite()) {
            let allowed = "it is a finite number, at least 0";
            return setting("cluster_selection_epsilon", epsilon, allowed);
        }
        if self.min_samples == Some(0) {
            return setting("min_samples", 0, "it is at least 1");
        }
        let rows = points.rows();
        if let Some(found) = self.min_samples.filter(|&samples| samples > rows) {
            return Err(Error::Mismatch { what: "min_samples", found, expected: rows });
        }
        // Fewer rows than a cluster needs are all noise, whatever their core distances.
        let min_samples = self.min_samples.unwrap_or(self.min_cluster_size).min(rows);
        let (values, columns) = (self.metric.prepare(points)?, points.columns());
        let spanning = |work: &Work<'_>| match self.metric {
            Metric::Euclidean => {
                spanning::spanning_tree::<Euclidean>(&values, columns, min_samples, work)
            }
            Metric::Manhattan => {
                spanning::spanning_tree::<Manhattan>(&values, columns, min_samples, work)
            }
            Metric::Cosine => {
                spanning::spanning_tree::<Cosine>(&values, columns, min_samples, work)
            }
        };
        let (core_distances, spanning_tree, neighbors) = watch.during(spanning);
        if watch.is_stopped() {
            return Err(Error::Stopped);
        }
        let near = |row: u32, height: f64, found: &mut dyn FnMut(u32, f64)| {
            let row = &values[row as usize * columns..][..columns];
            // Of rows with a larger core distance there is no edge of this length.
            let found = &mut |other: u32, apart: f64| {
                if core_distances[other as usize] <= height {
                    found(other, apart);
                }
            };
            match self.metric {
                Metric::Euclidean => attach::within::<Euclidean>(&neighbors, row, height, found),
                Metric::Manhattan => attach::within::<Manhattan>(&neighbors, row, height, found),
                Metric::Cosine => attach::within::<Cosine>(&neighbors, row, height, found),
            }
        };
        let tree = CondensedTree::new(rows, &spanning_tree, self.min_cluster_size, &near);
        let chosen = if rows < self.min_cluster_size {
            vec![false; tree.clusters.len()]
        } else {
            select::select(&tree, self)
        };
        let members = select::members(&tree, &chosen, self);
        let mut names = vec![None; tree.clusters.len()];
        let (mut labels, mut selected) = (vec![None; rows], Vec::new());
        for (label, member) in labels.iter_mut().zip(&members) {
            if let Some(member) = *member {
                *label = Some(*names[member as usize].get_or_insert_with(|| {
                    selected.push(member);
                    selected.len() as u32 - 1
                }));
            }
        }
        let probability = |(&member, &lambda): (&Option<u32>, &f64)| match member {
            None => 0.0,
            Some(member) => {
                let most = tree.clusters[member as usize].death;
                if most == 0.0 || lambda >= most { 1.0 } else { lambda / most }
            }
        };
        let probabilities = members.iter().zip(&tree.lambda).map(probability).collect();
        Ok(Hdbscan {
            labels,
            probabilities,
            outlier_scores: tree.outlier_scores(),
            clusters: selected.len(),
            selected,
            core_distances,
            spanning_tree,
            condensed_tree: tree,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::metric::Norm;
    use super::super::testing::{Noise, blobs, canonical, permuted, reordered};
    use super::*;

    fn fit(values: &[f64], columns: usize, config: HdbscanConfig) -> Hdbscan {
        config.fit(Points::new(values, columns).unwrap()).unwrap()
    }

    /// Core distances and the weights of the spanning tree by Prim's algorithm over all pairs.
    fn plain<N: Norm>(values: &[f64], columns: usize, min_samples: usize) -> (Vec<f64>, Vec<f64>) {
        let rows = values.len() / columns;
        let row = |i: usize| &values[i * columns..][..columns];
        let distance = |i: usize, j: usize| N::restore(N::between(row(i), row(j)));
        let core: Vec<f64> = (0..rows)
            .map(|i| {
                let mut all: Vec<f64> = (0..rows).map(|j| distance(i, j)).collect();
                all.sort_by(f64::total_cmp);
                all[min_samples - 1]
            })
            .collect();
        let mut best = vec![f64::INFINITY; rows];
        let (mut outside, mut at) = ((1..rows).collect::<Vec<_>>(), 0);
        let mut weights = Vec::new();
        while !outside.is_empty() {
            for &j in &outside {
                best[j] = best[j].min(distance(at, j).max(core[at]).max(core[j]));
            }
            let place = (0..outside.len())
                .min_by(|&a, &b| best[outside[a]].total_cmp(&best[outside[b]]))
                .unwrap();
            at = outside.swap_remove(place);
            weights.push(best[at]);
        }
        weights.sort_by(f64::total_cmp);
        (core, weights)
    }

    #[test]
    fn the_spanning_tree_weighs_what_prims_does() {
        for columns in [1, 2, 3, 9] {
            let mut noise = Noise::new(columns as u64);
            let mut values = noise.normals(400 * columns);
            values[..200 * columns].iter_mut().for_each(|x| *x = (*x * 2.0).round() / 2.0);
            for min_samples in [1, 2, 5, 20, 400] {
                let config = HdbscanConfig {
                    min_samples: Some(min_samples),
                    metric: Metric::Euclidean,
                    ..HdbscanConfig::default()
                };
                let check = |found: &Hdbscan, (core, weights): (Vec<f64>, Vec<f64>)| {
                    assert!(found.core_distances == core, "{columns} {min_samples}");
                    let found: Vec<f64> =
                        found.spanning_tree.iter().map(|edge| edge.distance).collect();
                    assert!(found == weights, "{columns} {min_samples}");
                };
                let found = fit(&values, columns, config);
                check(&found, plain::<Euclidean>(&values, columns, min_samples));
                let found =
                    fit(&values, columns, HdbscanConfig { metric: Metric::Manhattan, ..config });
                check(&found, plain::<Manhattan>(&values, columns, min_samples));
            }
        }
    }

    #[test]
    fn blobs_are_found_and_their_edges_are_less_certain() {
        let values = blobs(4, 100, 1.0, 3);
        for method in [Selection::Eom, Selection::Leaf] {
            let config = HdbscanConfig {
                min_cluster_size: 25,
                cluster_selection_method: method,
                ..HdbscanConfig::default()
            };
            let found = fit(&values, 2, config);
            assert_eq!(found.clusters, 4);
            for (row, label) in found.labels.iter().enumerate() {
                assert!(label.is_none_or(|label| label as usize == row % 4));
                let p = found.probabilities[row];
                assert_eq!(p == 0.0, label.is_none());
                assert!((0.0..=1.0).contains(&p));
                assert!((0.0..=1.0).contains(&found.outlier_scores[row]));
            }
        }
    }

    #[test]
    fn the_order_of_rows_and_the_number_of_threads_do_not_matter() {
        let mut values = blobs(5, 80, 2.0, 4);
        // A lattice, so that many distances are equal.
        values.iter_mut().for_each(|x| *x = (*x * 2.0).round() / 2.0);
        let config =
            HdbscanConfig { min_cluster_size: 8, min_samples: Some(3), ..HdbscanConfig::default() };
        let found = fit(&values, 2, config);
        assert!(found.clusters > 1, "{}", found.clusters);
        for seed in 0..5 {
            let order = Noise::new(seed).permutation(400);
            let moved = fit(&permuted(&values, 2, &order), 2, config);
            assert_eq!(canonical(&moved.labels), canonical(&reordered(&found.labels, &order)));
            assert_eq!(moved.probabilities, reordered(&found.probabilities, &order));
            assert_eq!(moved.outlier_scores, reordered(&found.outlier_scores, &order));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(|| fit(&values, 2, config)), found);
        // Units: doubling is exact.
        let doubled: Vec<f64> = values.iter().map(|x| 2.0 * x).collect();
        let other = fit(&doubled, 2, config);
        assert_eq!((other.labels, other.probabilities), (found.labels, found.probabilities));
    }

    #[test]
    fn equal_rows_have_an_infinite_density_and_no_undefined_values() {
        // Two piles of 10 equal rows, and a loose cloud of 30.
        let mut values = vec![0.0; 20];
        values.extend([5.0; 20]);
        values.extend(Noise::new(1).normals(60).iter().map(|x| 50.0 + x));
        let found = fit(&values, 2, HdbscanConfig::default());
        let piles = [found.labels[0], found.labels[10]];
        assert!(piles[0].is_some() && piles[1].is_some() && piles[0] != piles[1]);
        assert!(found.labels[..10].iter().all(|&label| label == piles[0]));
        assert!(found.labels[10..20].iter().all(|&label| label == piles[1]));
        assert!(found.probabilities[..20].iter().all(|&p| p == 1.0));
        assert!(found.probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
        assert!(found.outlier_scores.iter().all(|p| (0.0..=1.0).contains(p)));
        assert!(found.condensed_tree.clusters.iter().all(|cluster| !cluster.stability.is_nan()));
    }

    #[test]
    fn many_equal_rows_are_one_cluster_if_one_is_allowed() {
        let values = vec![3.0; 80_000];
        let found = fit(&values, 2, HdbscanConfig::default());
        assert!(found.clusters == 0 && found.labels.iter().all(Option::is_none));
        let config = HdbscanConfig { allow_single_cluster: true, ..HdbscanConfig::default() };
        let found = fit(&values, 2, config);
        assert!(found.labels.iter().all(|&label| label == Some(0)));
        assert!(found.probabilities.iter().all(|&p| p == 1.0));
    }

    #[test]
    fn a_row_between_two_clusters_belongs_to_the_nearer_one() {
        // Five rows at either side, and one between them, whose core distance joins them.
        let values = [0.0, 0.125, 0.25, 0.375, 0.5, 2.375, 4.0, 4.125, 4.25, 4.375, 4.5];
        let config = HdbscanConfig { min_samples: Some(5), ..HdbscanConfig::default() };
        let found = fit(&values, 1, config);
        assert_eq!(found.clusters, 2);
        assert_eq!(found.labels[5], found.labels[6]);
        assert!(found.labels[0].is_some() && found.labels[0] != found.labels[6]);
        let least = found.probabilities.iter().copied().fold(1.0, f64::min);
        assert!(found.probabilities[5] > 0.0 && found.probabilities[5] == least);
        // As near to both, it belongs to neither.
        let mut even = values;
        even[5] = 2.25;
        assert_eq!(fit(&even, 1, config).labels[5], None);
    }

    #[test]
    fn a_flag_stops_it_without_a_result() {
        use std::sync::atomic::AtomicBool;
        let (stop, values) = (AtomicBool::new(true), Noise::new(3).normals(8000));
        let mut tell = |_, _| {};
        let watch = &mut Watch::new(Some(&stop), &mut tell);
        let points = Points::new(&values, 2).unwrap();
        let found = HdbscanConfig::default().fit_watched(points, watch);
        assert_eq!(found.unwrap_err(), Error::Stopped);
    }

    #[test]
    fn few_rows_are_noise() {
        for rows in 1..5 {
            let values: Vec<f64> = (0..rows).map(f64::from).collect();
            let found = fit(&values, 1, HdbscanConfig::default());
            assert_eq!(found.labels, vec![None; rows as usize]);
            let config = HdbscanConfig { allow_single_cluster: true, ..HdbscanConfig::default() };
            assert_eq!(fit(&values, 1, config).clusters, 0);
        }
    }

    #[test]
    fn bad_settings_are_errors() {
        let points = Points::new(&[0.0, 1.0, 2.0], 1).unwrap();
        let config = HdbscanConfig::default();
        assert!(HdbscanConfig { min_cluster_size: 1, ..config }.fit(points).is_err());
        assert!(HdbscanConfig { min_samples: Some(0), ..config }.fit(points).is_err());
        assert!(HdbscanConfig { min_samples: Some(4), ..config }.fit(points).is_err());
        let epsilon = HdbscanConfig { cluster_selection_epsilon: -1.0, ..config };
        assert!(epsilon.fit(points).is_err());
    }

    #[test]
    fn epsilon_joins_clusters_that_part_below_it() {
        let values = blobs(4, 100, 0.5, 3);
        let many =
            HdbscanConfig { cluster_selection_method: Selection::Leaf, ..HdbscanConfig::default() };
        let joined = HdbscanConfig { cluster_selection_epsilon: 2.0, ..many };
        assert!(fit(&values, 2, many).clusters > 4);
        assert_eq!(fit(&values, 2, joined).clusters, 4);
    }
}
