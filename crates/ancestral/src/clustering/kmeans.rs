//! K-means: k centers that minimize the inertia Σ w ‖x − c(x)‖², the weighted sum of squared distances to
//! the nearest center, by Lloyd's iterations (Lloyd 1982) from several starts.
//!
//! Columns are centered in double precision; distances are computed in the precision of the rows, and
//! sums, centers and the inertia in double precision.
//! An empty cluster takes the row farthest from its center, as in scikit-learn.

mod bounds;
mod data;
mod lloyd;
mod minibatch;
mod seeding;

use rayon::prelude::*;

use super::error::{Error, Result, setting};
use super::nearest::{Nearest, nearest};
use super::points::{BLOCK, Points, Real, UniformStreams};
use super::product::vectorized;
use super::watch::Watch;

use data::Data;
use lloyd::{Limits, lloyd};
pub use minibatch::{MiniBatch, MiniBatchConfig};

/// Most centers for which each has a lower bound of its own, whatever memory rows take.
const OWN_BOUNDS: usize = 20;
/// Centers of a group otherwise.
const GROUP: usize = 10;

/// How starting centers are chosen.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Init {
    /// Greedy k-means++.
    #[default]
    PlusPlus,
    /// Random rows.
    Random,
    /// Given centers `[n_clusters, columns]`, for a single start.
    Centers(Vec<f64>),
}

/// Settings of K-means, with scikit-learn's names and defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct KmeansConfig {
    /// The number of clusters, at least 1.
    pub n_clusters: usize,
    /// How starting centers are chosen.
    pub init: Init,
    /// The number of starts, of which the one with the least inertia is kept; by default 1, and 10 from
    /// random rows.
    pub n_init: Option<usize>,
    /// The largest number of iterations.
    pub max_iter: usize,
    /// The sum of squared shifts of all centers at convergence, relative to the mean variance of the
    /// columns; at 0, iterations end when no label changes.
    pub tol: f64,
}

impl Default for KmeansConfig {
    fn default() -> Self {
        Self { n_clusters: 8, init: Init::PlusPlus, n_init: None, max_iter: 300, tol: 1e-4 }
    }
}

/// The clusters that K-means found.
#[derive(Debug, Clone, PartialEq)]
pub struct Kmeans {
    /// The centers `[clusters, columns]`; fewer than asked for if there are fewer distinct rows.
    pub centers: Vec<f64>,
    /// The number of columns.
    pub columns: usize,
    /// The cluster of each row.
    pub labels: Vec<u32>,
    /// Σ w ‖x − c‖², from differences in double precision.
    pub inertia: f64,
    /// Iterations of the best start.
    pub iterations: usize,
    /// Whether the best start converged within the largest number of iterations.
    pub converged: bool,
    /// Whether it was stopped before.
    pub stopped: bool,
    /// The number of clusters asked for, if more than were found.
    pub missing_from: Option<usize>,
    /// The inertia of each start.
    pub starts: Vec<f64>,
}

impl KmeansConfig {
    /// Clusters rows, with weights if given.
    ///
    /// # Errors
    /// If a setting is out of range, there are more clusters than rows, or weights or given centers do
    /// not suit the rows; [`Error::Stopped`] if it is stopped before there are starting centers.
    pub fn fit<T: Real>(
        &self,
        points: Points<'_, T>,
        weights: Option<&[f64]>,
        streams: &dyn UniformStreams,
    ) -> Result<Kmeans> {
        self.fit_watched(points, weights, streams, &mut Watch::new(None, &mut |_, _| {}))
    }

    /// The same while someone watches; if it is stopped, the centers of the last iteration are the result.
    ///
    /// # Errors
    /// As [`Self::fit`].
    pub fn fit_watched<T: Real>(
        &self,
        points: Points<'_, T>,
        weights: Option<&[f64]>,
        streams: &dyn UniformStreams,
        watch: &mut Watch<'_>,
    ) -> Result<Kmeans> {
        let starts = self.check(points)?;
        let data = Data::new(points, weights)?;
        let limits = Limits {
            iterations: self.max_iter,
            shift: self.tol * data.mean_variance(),
            // Own bounds take at most half of the memory of the rows.
            groups: if self.n_clusters <= OWN_BOUNDS.max(points.columns() / 2) {
                self.n_clusters
            } else {
                self.n_clusters / GROUP
            },
        };
        let mut best: Option<Kmeans> = None;
        let mut inertias = Vec::with_capacity(starts);
        for start in 0..starts {
            let uniform = &mut *streams.stream("kmeans", start as u64);
            let (done, total) = (start * self.max_iter, starts * self.max_iter);
            let found = self.run(points, &data, limits, uniform, &mut |iterations| {
                watch.tell(done + iterations, total);
                watch.is_stopped()
            });
            // Without starting centers.
            let Some(found) = found else { break };
            let stopped = found.stopped;
            inertias.push(found.inertia);
            // Equal inertias keep the earlier start.
            if best.as_ref().is_none_or(|best| found.inertia < best.inertia) {
                best = Some(found);
            }
            if stopped {
                break;
            }
        }
        match best {
            Some(best) => {
                Ok(Kmeans { starts: inertias, stopped: best.stopped || watch.is_stopped(), ..best })
            }
            None => Err(Error::Stopped),
        }
    }

    /// Refuses settings that are out of range; the number of starts.
    fn check<T: Real>(&self, points: Points<'_, T>) -> Result<usize> {
        if self.n_clusters == 0 {
            return setting("n_clusters", 0, "it is at least 1");
        }
        if self.n_clusters > points.rows() {
            let (clusters, rows) = (self.n_clusters, points.rows());
            return Err(Error::TooManyClusters { clusters, rows });
        }
        if self.max_iter == 0 {
            return setting("max_iter", 0, "it is at least 1");
        }
        if !(self.tol >= 0.0 && self.tol.is_finite()) {
            return setting("tol", self.tol, "it is a finite number, at least 0");
        }
        if self.n_init == Some(0) {
            return setting("n_init", 0, "it is at least 1");
        }
        match &self.init {
            Init::Centers(values) => {
                let found = Points::new(values, points.columns())?.rows();
                if found != self.n_clusters {
                    let (what, expected) = ("given centers", self.n_clusters);
                    return Err(Error::Mismatch { what, found, expected });
                }
                Ok(1)
            }
            Init::PlusPlus => Ok(self.n_init.unwrap_or(1)),
            Init::Random => Ok(self.n_init.unwrap_or(10)),
        }
    }

    fn run<T: Real>(
        &self,
        points: Points<'_, T>,
        data: &Data<'_, T>,
        limits: Limits,
        uniform: &mut dyn FnMut() -> f64,
        stops: &mut dyn FnMut(usize) -> bool,
    ) -> Option<Kmeans> {
        let columns = data.columns();
        let of_rows =
            |rows: Vec<usize>| rows.iter().flat_map(|&row| data.row(row)).copied().collect();
        let start: Vec<T> = match &self.init {
            Init::PlusPlus => {
                of_rows(seeding::plus_plus(data, self.n_clusters, uniform, &mut || stops(0))?)
            }
            Init::Random => of_rows(seeding::random(data, self.n_clusters, uniform)),
            Init::Centers(values) => {
                let rows = values.chunks_exact(columns);
                rows.flat_map(|row| row.iter().zip(data.means()).map(|(x, m)| T::of(x - m)))
                    .collect()
            }
        };
        let fitted = lloyd(data, start, limits, stops);
        // Clusters without rows are left out.
        let mut names = vec![None; fitted.centers.len() / columns];
        fitted.labels.iter().for_each(|&label| names[label as usize] = Some(0));
        let (mut clusters, mut centers) = (0, Vec::new());
        for (name, center) in names.iter_mut().zip(fitted.centers.chunks_exact(columns)) {
            if name.is_some() {
                *name = Some(clusters);
                clusters += 1;
                centers.extend(center.iter().zip(data.means()).map(|(x, mean)| x.to_f64() + mean));
            }
        }
        let labels: Vec<u32> =
            fitted.labels.iter().map(|&label| names[label as usize].unwrap_or(0)).collect();
        let mut found = Kmeans {
            inertia: 0.0,
            centers,
            columns,
            labels,
            iterations: fitted.iterations,
            converged: fitted.converged,
            stopped: fitted.stopped,
            missing_from: ((clusters as usize) < self.n_clusters).then_some(self.n_clusters),
            starts: Vec::new(),
        };
        found.inertia = inertia(points, data, &found);
        Some(found)
    }
}

fn inertia<T: Real>(points: Points<'_, T>, data: &Data<'_, T>, found: &Kmeans) -> f64 {
    let columns = found.columns;
    let blocks: Vec<f64> = points
        .values()
        .par_chunks(BLOCK * columns)
        .enumerate()
        .map(|(block, values)| {
            vectorized(
                #[inline(always)]
                || {
                    let rows = values.chunks_exact(columns).enumerate();
                    rows.map(|(i, row)| {
                        let i = block * BLOCK + i;
                        let center =
                            &found.centers[found.labels[i] as usize * columns..][..columns];
                        data.weight(i) * squared(row, center)
                    })
                    .sum()
                },
            )
        })
        .collect();
    blocks.iter().sum()
}

/// The squared distance of a row to a center in double precision.
#[inline(always)]
fn squared<T: Real>(row: &[T], center: &[f64]) -> f64 {
    const LANES: usize = 16;
    let mut lanes = [0.0; LANES];
    let ((a, rest_a), (b, rest_b)) = (row.as_chunks::<LANES>(), center.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for l in 0..LANES {
            lanes[l] += (a[l].to_f64() - b[l]).powi(2);
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(x, c)| (x.to_f64() - c).powi(2)).sum();
    lanes.iter().sum::<f64>() + rest
}

impl Kmeans {
    /// The nearest center of each row, also of rows that were not clustered.
    ///
    /// # Errors
    /// If the rows have another number of columns.
    pub fn assign<T: Real>(&self, points: Points<'_, T>) -> Result<Vec<Nearest>> {
        check_centers(&self.centers, self.columns, points.columns())?;
        Ok(nearest(points, &self.centers))
    }
}

fn check_centers(centers: &[f64], columns: usize, found: usize) -> Result<()> {
    if found != columns || centers.is_empty() {
        return Err(Error::Mismatch { what: "columns", found, expected: columns });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Noise, Streams, blobs, permuted};
    use super::*;

    fn fit(values: &[f64], columns: usize, config: &KmeansConfig) -> Kmeans {
        config.fit(Points::new(values, columns).unwrap(), None, &Streams(1)).unwrap()
    }

    fn given(centers: Vec<f64>, columns: usize) -> KmeansConfig {
        KmeansConfig {
            n_clusters: centers.len() / columns,
            init: Init::Centers(centers),
            tol: 0.0,
            ..KmeansConfig::default()
        }
    }

    /// Lloyd's iterations as written in a textbook, without empty clusters.
    fn plain(values: &[f64], columns: usize, mut centers: Vec<f64>) -> (Vec<f64>, Vec<u32>) {
        let mut labels = Vec::new();
        loop {
            let new: Vec<u32> = values
                .chunks_exact(columns)
                .map(|row| {
                    let distances: Vec<f64> =
                        centers.chunks_exact(columns).map(|c| squared(row, c)).collect();
                    let least = distances.iter().copied().fold(f64::INFINITY, f64::min);
                    distances.iter().position(|&d| d == least).unwrap() as u32
                })
                .collect();
            if new == labels {
                return (centers, labels);
            }
            labels = new;
            for (c, center) in centers.chunks_exact_mut(columns).enumerate() {
                let own: Vec<&[f64]> = values
                    .chunks_exact(columns)
                    .zip(&labels)
                    .filter(|(_, label)| **label as usize == c)
                    .map(|(row, _)| row)
                    .collect();
                assert!(!own.is_empty());
                for (j, x) in center.iter_mut().enumerate() {
                    *x = own.iter().map(|row| row[j]).sum::<f64>() / own.len() as f64;
                }
            }
        }
    }

    #[test]
    fn bounds_leave_lloyds_iterations_as_they_are() {
        for (columns, k) in [(1, 3), (2, 10), (5, 30), (17, 50), (40, 7)] {
            let mut noise = Noise::new(columns as u64);
            let mut values = noise.normals(1500 * columns);
            values.iter_mut().step_by(3).for_each(|x| *x = x.exp());
            let start = values[..k * columns].to_vec();
            let (centers, labels) = plain(&values, columns, start.clone());
            let found = fit(&values, columns, &given(start.clone(), columns));
            assert!(found.labels == labels && found.converged, "{columns} {k}");
            let close = found.centers.iter().zip(&centers).all(|(a, b)| (a - b).abs() < 1e-10);
            assert!(close, "{columns} {k}");
            let single: Vec<f32> = values.iter().map(|&x| x as f32).collect();
            let points = Points::new(&single, columns).unwrap();
            let config = given(start, columns);
            let in_single = config.fit(points, None, &Streams(1)).unwrap();
            assert!((in_single.inertia / found.inertia - 1.0).abs() < 1e-3);
            // A local minimum: each row is with its nearest center, each center the mean of its rows.
            let nearest = in_single.assign(points).unwrap();
            let worse =
                nearest.iter().zip(&in_single.labels).filter(|(n, l)| n.center != **l).count();
            assert!(worse <= 2, "{worse}");
        }
    }

    #[test]
    fn every_number_of_groups_gives_the_same_result() {
        let values = Noise::new(4).normals(2000 * 6);
        let points = Points::new(&values, 6).unwrap();
        let data = Data::new(points, None).unwrap();
        let run = |groups: usize| {
            let limits = Limits { iterations: 300, shift: 0.0, groups };
            let start = (0..30).flat_map(|row| data.row(row)).copied().collect();
            lloyd(&data, start, limits, &mut |_| false)
        };
        let one = run(1);
        for groups in [2, 3, 10, 30] {
            let other = run(groups);
            assert!(other.labels == one.labels && other.iterations == one.iterations, "{groups}");
        }
        assert!(one.iterations > 10);
    }

    #[test]
    fn blobs_are_found_far_from_the_origin_and_in_single_precision() {
        let mut values = blobs(6, 50, 0.3, 8);
        values.iter_mut().step_by(2).for_each(|x| *x += 1e8);
        let config = KmeansConfig { n_clusters: 6, n_init: Some(5), ..KmeansConfig::default() };
        let found = fit(&values, 2, &config);
        for row in 0..300 {
            assert_eq!(found.labels[row], found.labels[row % 6]);
        }
        assert!(found.inertia < 300.0 * 2.0 * 0.3 * 0.3 * 1.3);
        assert_eq!(found.starts.len(), 5);
        assert!(found.starts.iter().all(|&start| start >= found.inertia));
        let single: Vec<f32> = blobs(6, 50, 0.3, 8).iter().map(|&x| x as f32 + 1000.0).collect();
        let points = Points::new(&single, 2).unwrap();
        let found = config.fit(points, None, &Streams(2)).unwrap();
        assert!((0..300).all(|row| found.labels[row] == found.labels[row % 6]));
    }

    #[test]
    fn an_empty_cluster_takes_the_farthest_row() {
        // The third center is far from all rows; row 5 is the farthest from its center.
        let values = [0.0, 0.2, 0.4, 10.0, 10.4, 13.0];
        let found = fit(&values, 1, &given(vec![0.2, 10.0, 500.0], 1));
        assert_eq!(found.labels, [0, 0, 0, 1, 1, 2]);
        assert!((found.centers[1] - 10.2).abs() < 1e-12 && found.centers[2] == 13.0);
    }

    #[test]
    fn fewer_distinct_rows_than_clusters_are_fewer_clusters() {
        let values = [1.0, 1.0, 5.0, 5.0, 5.0, 1.0];
        for init in [Init::PlusPlus, Init::Random, Init::Centers(vec![1.0, 1.0, 5.0, 7.0])] {
            let config = KmeansConfig { n_clusters: 4, init, ..KmeansConfig::default() };
            let found = fit(&values, 1, &config);
            assert_eq!((found.missing_from, found.inertia), (Some(4), 0.0));
            let mut centers = found.centers.clone();
            centers.sort_by(f64::total_cmp);
            assert_eq!(centers, [1.0, 5.0]);
        }
        let equal = vec![2.5; 40_000];
        let found = fit(&equal, 1, &KmeansConfig::default());
        assert_eq!((found.centers, found.inertia), (vec![2.5], 0.0));
    }

    #[test]
    fn weights_stand_for_repeated_rows() {
        let values = blobs(3, 20, 2.0, 1);
        let start = values[..6].to_vec();
        let mut noise = Noise::new(6);
        let weights: Vec<f64> = (0..60).map(|_| (noise.uniform() * 4.0).floor()).collect();
        let repeated: Vec<f64> = values
            .chunks_exact(2)
            .zip(&weights)
            .flat_map(|(row, &weight)| row.repeat(weight as usize))
            .collect();
        let points = Points::new(&values, 2).unwrap();
        let found = given(start.clone(), 2).fit(points, Some(&weights), &Streams(0)).unwrap();
        let other = fit(&repeated, 2, &given(start, 2));
        assert!((found.inertia - other.inertia).abs() < 1e-9 * other.inertia);
        assert!(found.centers.iter().zip(&other.centers).all(|(a, b)| (a - b).abs() < 1e-9));
        // Rows without weight are labeled, too.
        assert!(weights.contains(&0.0) && found.labels.len() == 60);
        for bad in [vec![1.0; 59], vec![0.0; 60], vec![-1.0; 60], vec![f64::NAN; 60]] {
            assert!(KmeansConfig::default().fit(points, Some(&bad), &Streams(0)).is_err());
        }
    }

    #[test]
    fn the_order_of_rows_units_and_the_number_of_threads_do_not_matter() {
        let values = Noise::new(11).normals(900 * 3);
        let start = values[..12].to_vec();
        let found = fit(&values, 3, &given(start.clone(), 3));
        let order = Noise::new(5).permutation(900);
        let moved = fit(&permuted(&values, 3, &order), 3, &given(start.clone(), 3));
        let want: Vec<u32> = order.iter().map(|&row| found.labels[row]).collect();
        assert_eq!(moved.labels, want);
        let scale = |x: &[f64]| x.iter().map(|x| 4.0 * x).collect::<Vec<_>>();
        let scaled = fit(&scale(&values), 3, &given(scale(&start), 3));
        assert_eq!((scaled.labels, scaled.inertia), (found.labels.clone(), 16.0 * found.inertia));
        let config = KmeansConfig { n_clusters: 7, n_init: Some(3), ..KmeansConfig::default() };
        let one = fit(&values, 3, &config);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(|| fit(&values, 3, &config)), one);
    }

    #[test]
    fn stopped_iterations_go_on_from_their_centers() {
        let values = Noise::new(8).normals(4000 * 3);
        let points = Points::new(&values, 3).unwrap();
        let config = given(values[..60].to_vec(), 3);
        let whole = config.fit(points, None, &Streams(1)).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        let mut told = |done, total| {
            assert!(done <= total);
            stop.store(done >= 5, std::sync::atomic::Ordering::Relaxed);
        };
        let watch = &mut Watch::new(Some(&stop), &mut told);
        let found = config.fit_watched(points, None, &Streams(1), watch).unwrap();
        assert!(found.stopped && !found.converged && found.iterations == 5);
        assert!(found.inertia > whole.inertia && whole.iterations > 10 && !whole.stopped);
        let rest = given(found.centers, 3).fit(points, None, &Streams(1)).unwrap();
        assert!((rest.inertia / whole.inertia - 1.0).abs() < 1e-12);
        assert_eq!(rest.labels, whole.labels);
    }

    #[test]
    fn bad_settings_are_errors() {
        let points = Points::new(&[0.0, 1.0, 2.0], 1).unwrap();
        let fit = |config: KmeansConfig| config.fit(points, None, &Streams(0));
        let config = || KmeansConfig { n_clusters: 2, ..KmeansConfig::default() };
        assert_eq!(
            fit(KmeansConfig { n_clusters: 4, ..config() }).unwrap_err(),
            Error::TooManyClusters { clusters: 4, rows: 3 }
        );
        assert!(fit(KmeansConfig { n_clusters: 0, ..config() }).is_err());
        assert!(fit(KmeansConfig { tol: f64::NAN, ..config() }).is_err());
        assert!(fit(KmeansConfig { n_init: Some(0), ..config() }).is_err());
        assert!(fit(KmeansConfig { max_iter: 0, ..config() }).is_err());
        assert!(fit(KmeansConfig { init: Init::Centers(vec![1.0]), ..config() }).is_err());
        assert!(
            fit(KmeansConfig { init: Init::Centers(vec![1.0, f64::NAN]), ..config() }).is_err()
        );
        let one = Points::new(&[3.0, 4.0], 2).unwrap();
        let single =
            KmeansConfig { n_clusters: 1, ..config() }.fit(one, None, &Streams(0)).unwrap();
        assert_eq!((single.centers, single.labels), (vec![3.0, 4.0], vec![0]));
    }

    #[test]
    fn mini_batches_approach_the_centers_of_all_rows() {
        let values = blobs(4, 500, 1.0, 2);
        let all = fit(
            &values,
            2,
            &KmeansConfig { n_clusters: 4, n_init: Some(4), ..KmeansConfig::default() },
        );
        // Two of the starting centers are never nearest, and are reassigned.
        let start = vec![0.0, 0.0, 1.0, 1.0, 500.0, 0.0, 0.0, 900.0];
        let config = MiniBatchConfig { rows: Some(2000), ..MiniBatchConfig::default() };
        let mut model = MiniBatch::new(start, 2, config).unwrap();
        let mut stream = Streams(3).stream("batches", 0);
        let mut batches = values.chunks(200).cycle().take(2000);
        while !model.converged() {
            let batch = Points::new(batches.next().unwrap(), 2).unwrap();
            model.partial_fit(batch, &mut *stream).unwrap();
        }
        let points = Points::new(&values, 2).unwrap();
        let inertia: f64 =
            nearest(points, model.centers()).iter().map(|found| found.squared_distance).sum();
        assert!(inertia < 1.1 * all.inertia, "{inertia} {}", all.inertia);
        assert!(model.partial_fit(Points::new(&values, 1).unwrap(), &mut *stream).is_err());
    }
}
