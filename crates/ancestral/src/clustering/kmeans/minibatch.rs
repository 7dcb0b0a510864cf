//! Mini-batch K-means (Sculley 2010), for streams larger than memory: each center is the weighted mean
//! of the rows that were assigned to it so far, as in scikit-learn.

use rayon::prelude::*;

use super::super::error::{Result, setting};
use super::super::nearest::nearest;
use super::super::points::{Points, Real, index_below};
use super::check_centers;

/// Batches between reassignments of clusters with few rows, in rows per cluster.
const REASSIGN_ROWS: f64 = 10.0;
/// The most that a batch counts in the moving average of inertias.
const FIRST_SHARE: f64 = 1.0;

/// Settings of mini-batches, with scikit-learn's names and defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MiniBatchConfig {
    /// Clusters with a weight below this fraction of the largest start anew at random rows; 0 never.
    pub reassignment_ratio: f64,
    /// Batches without a lower moving average of inertias after which the iterations have converged.
    pub max_no_improvement: usize,
    /// Rows of all data, if known, for the length of the moving average.
    pub rows: Option<u64>,
}

impl Default for MiniBatchConfig {
    fn default() -> Self {
        Self { reassignment_ratio: 0.01, max_no_improvement: 10, rows: None }
    }
}

/// Centers that follow batches of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct MiniBatch {
    config: MiniBatchConfig,
    columns: usize,
    /// `[k, columns]`, in units of the data.
    centers: Vec<f64>,
    /// The weight of the rows of each center so far.
    weights: Vec<f64>,
    rows_since_reassignment: f64,
    average: Option<f64>,
    lowest: f64,
    stale: usize,
}

impl MiniBatch {
    /// Starts from centers `[k, columns]`, for instance those of K-means on a first sample.
    ///
    /// # Errors
    /// If a setting is out of range or the centers are not whole rows of finite numbers.
    pub fn new(centers: Vec<f64>, columns: usize, config: MiniBatchConfig) -> Result<Self> {
        if !(0.0..1.0).contains(&config.reassignment_ratio) {
            let allowed = "it is at least 0 and below 1";
            return setting("reassignment_ratio", config.reassignment_ratio, allowed);
        }
        let k = Points::new(&centers, columns)?.rows();
        Ok(Self {
            config,
            columns,
            centers,
            weights: vec![0.0; k],
            rows_since_reassignment: 0.0,
            average: None,
            lowest: f64::INFINITY,
            stale: 0,
        })
    }

    /// The centers `[k, columns]`.
    pub fn centers(&self) -> &[f64] {
        &self.centers
    }

    /// The weight of all rows that were assigned to each center.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Whether the moving average of inertias has stopped to fall.
    pub fn converged(&self) -> bool {
        self.stale >= self.config.max_no_improvement
    }

    /// Takes in a batch; the mean over its rows of their squared distance to the nearest center before.
    ///
    /// # Errors
    /// If the batch has another number of columns.
    pub fn partial_fit<T: Real>(
        &mut self,
        batch: Points<'_, T>,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<f64> {
        check_centers(&self.centers, self.columns, batch.columns())?;
        let found = nearest(batch, &self.centers);
        let rows = batch.rows() as f64;
        let inertia = found.iter().map(|found| found.squared_distance).sum::<f64>() / rows;
        let k = self.weights.len();
        let mut members = vec![Vec::new(); k];
        for (row, found) in found.iter().enumerate() {
            members[found.center as usize].push(row);
        }
        let clusters = self.centers.par_chunks_mut(self.columns).zip(&mut self.weights);
        clusters.zip(&members).for_each(|((center, weight), members)| {
            // From differences to the center, so that data far from the origin keeps its digits.
            let mut sums = vec![0.0; center.len()];
            for &row in members {
                for ((sum, x), center) in sums.iter_mut().zip(batch.row(row)).zip(center.iter()) {
                    *sum += x.to_f64() - center;
                }
            }
            *weight += members.len() as f64;
            if !members.is_empty() {
                center.iter_mut().zip(sums).for_each(|(x, sum)| *x += sum / *weight);
            }
        });
        self.reassign(batch, uniform);
        let share = match self.config.rows {
            Some(all) => (2.0 * rows / (all as f64 + 1.0)).min(FIRST_SHARE),
            None => 0.1,
        };
        let average = self.average.map_or(inertia, |old| old * (1.0 - share) + inertia * share);
        self.average = Some(average);
        if average < self.lowest {
            (self.lowest, self.stale) = (average, 0);
        } else {
            self.stale += 1;
        }
        Ok(inertia)
    }

    /// Moves clusters with few rows to random rows of the batch, at most to half of them.
    fn reassign<T: Real>(&mut self, batch: Points<'_, T>, uniform: &mut dyn FnMut() -> f64) {
        let k = self.weights.len() as f64;
        self.rows_since_reassignment += batch.rows() as f64;
        let due = self.rows_since_reassignment >= REASSIGN_ROWS * k;
        if self.config.reassignment_ratio == 0.0 || !(due || self.weights.contains(&0.0)) {
            return;
        }
        self.rows_since_reassignment = 0.0;
        let largest = self.weights.iter().copied().fold(0.0, f64::max);
        let least = self.config.reassignment_ratio * largest;
        let mut few: Vec<usize> =
            (0..self.weights.len()).filter(|&c| self.weights[c] < least).collect();
        few.sort_by(|&a, &b| self.weights[a].total_cmp(&self.weights[b]).then(a.cmp(&b)));
        few.truncate(batch.rows() / 2);
        if few.is_empty() {
            return;
        }
        let kept = (0..self.weights.len()).filter(|c| !few.contains(c));
        let weight = kept.map(|c| self.weights[c]).fold(f64::INFINITY, f64::min);
        let mut rows: Vec<usize> = (0..batch.rows()).collect();
        for (i, cluster) in few.into_iter().enumerate() {
            let other = i + index_below(uniform(), rows.len() - i);
            rows.swap(i, other);
            let center = &mut self.centers[cluster * self.columns..][..self.columns];
            center.iter_mut().zip(batch.row(rows[i])).for_each(|(x, new)| *x = new.to_f64());
            self.weights[cluster] = weight;
        }
    }
}
