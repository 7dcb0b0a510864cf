//! Self-organizing maps (Kohonen 1982, 2001): units on a grid, each with a weight vector in the space of
//! the data, such that near units have near weights.
//!
//! Online training (as MiniSom) moves all units toward one row after another,
//! w ← w + η h(u, b) (x − w), where b is the unit nearest to x (the best matching unit). Batch training
//! (as Somoclu) sets w(u) = Σ h(u, b(x)) x / Σ h(u, b(x)) once in each pass over the rows.
//! The neighborhood h is a Gaussian of the distance on the grid, or a bubble; its radius σ and the learning
//! rate η decay as σ / (1 + 2t / T), from their first value to a third of it.
//! Columns are centered in double precision before training.

mod grid;

use rayon::prelude::*;

use super::centers::{Centers, ROWS, square};
use super::components::components;
use super::error::{Error, Result, setting};
use super::nearest::{Nearest, nearest};
use super::points::{Points, Real, UniformStreams, index_below};
use super::product::{squared_distance, vectorized};
use super::watch::Watch;
pub use grid::Grid;
use grid::Units;

/// Updates between two reports of progress.
const TOLD: usize = 256;
/// Values of all weights from which an online update is parallel.
const PARALLEL: usize = 1 << 17;
/// Values of a part of them.
const PART: usize = 1 << 16;

/// The neighborhood of the best matching unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Neighborhood {
    /// exp(−d² / 2σ²), with the distance d on the grid.
    #[default]
    Gaussian,
    /// 1 below σ, else 0: of the larger of the distances along rows and columns on a rectangular grid, of
    /// the distance on a hexagonal one.
    Bubble,
}

/// How weights are trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Training {
    /// One update for each row.
    Online {
        /// The number of updates.
        updates: usize,
        /// The first learning rate, above 0 and at most 1.
        learning_rate: f64,
        /// Whether each pass over the rows has a random order of its own.
        shuffle: bool,
    },
    /// One update for each pass over the rows.
    Batch {
        /// The number of passes.
        epochs: usize,
    },
}

/// How weights start.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum SomInit {
    /// On the plane of the first two principal components.
    #[default]
    Pca,
    /// Random rows.
    Random,
    /// Given weights `[rows · columns, columns of the data]`.
    Weights(Vec<f64>),
}

/// Settings of a self-organizing map.
#[derive(Debug, Clone, PartialEq)]
pub struct SomConfig {
    /// Rows of the grid.
    pub rows: usize,
    /// Columns of the grid.
    pub columns: usize,
    /// The shape of the grid.
    pub grid: Grid,
    /// The neighborhood.
    pub neighborhood: Neighborhood,
    /// The first radius of the neighborhood, above 0, in steps of the grid; by default half the longer
    /// side, and at least 1.
    pub sigma: Option<f64>,
    /// How weights start.
    pub init: SomInit,
    /// How weights are trained.
    pub training: Training,
}

impl Default for SomConfig {
    fn default() -> Self {
        Self {
            rows: 10,
            columns: 10,
            grid: Grid::Rectangular,
            neighborhood: Neighborhood::Gaussian,
            sigma: None,
            init: SomInit::Pca,
            training: Training::Batch { epochs: 20 },
        }
    }
}

/// A trained self-organizing map.
#[derive(Debug, Clone, PartialEq)]
pub struct Som {
    units: Units,
    columns: usize,
    weights: Vec<f64>,
    /// The share of the training that was done, 1 unless it was stopped.
    trained: f64,
}

impl SomConfig {
    /// Trains a map.
    ///
    /// # Errors
    /// If a setting is out of range or given weights do not suit the data.
    pub fn fit<T: Real>(&self, points: Points<'_, T>, streams: &dyn UniformStreams) -> Result<Som> {
        self.fit_watched(points, streams, &mut Watch::new(None, &mut |_, _| {}))
    }

    /// The same while someone watches; if it is stopped, the weights until then are the result.
    ///
    /// # Errors
    /// As [`Self::fit`].
    pub fn fit_watched<T: Real>(
        &self,
        points: Points<'_, T>,
        streams: &dyn UniformStreams,
        watch: &mut Watch<'_>,
    ) -> Result<Som> {
        let units = Units::new(self.grid, self.rows, self.columns)?;
        let sigma = self.sigma.unwrap_or((self.rows.max(self.columns) as f64 / 2.0).max(1.0));
        if !(sigma > 0.0 && sigma.is_finite()) {
            return setting("sigma", sigma, "it is a finite number above 0");
        }
        let (means, columns) = (points.means(), points.columns());
        let start = self.start(&units, points, &means, streams)?;
        let rows = Rows { points, means: &means };
        let hood = Hood { units: &units, shape: self.neighborhood, sigma };
        let (weights, trained) = match self.training {
            Training::Online { updates: 0, .. } => {
                return setting("updates", 0, "it is at least 1");
            }
            Training::Batch { epochs: 0 } => return setting("epochs", 0, "it is at least 1"),
            Training::Online { learning_rate, .. }
                if !(learning_rate > 0.0 && learning_rate <= 1.0) =>
            {
                return setting("learning_rate", learning_rate, "it is above 0 and at most 1");
            }
            Training::Online { updates, learning_rate, shuffle } => {
                let order = Order::new(points.rows(), shuffle.then_some(streams));
                online(&rows, start, &hood, updates, learning_rate, order, watch)
            }
            Training::Batch { epochs } => batch(&rows, start, &hood, epochs, watch),
        };
        let weights = weights.chunks_exact(columns);
        let weights =
            weights.flat_map(|row| row.iter().zip(&means).map(|(x, mean)| x.to_f64() + mean));
        Ok(Som { weights: weights.collect(), units, columns, trained })
    }

    /// The first weights, centered like `rows`.
    fn start<T: Real>(
        &self,
        units: &Units,
        points: Points<'_, T>,
        means: &[f64],
        streams: &dyn UniformStreams,
    ) -> Result<Vec<T>> {
        let columns = means.len();
        match &self.init {
            SomInit::Weights(weights) => {
                let found = Points::new(weights, columns)?.rows();
                if found != units.len() {
                    let (what, expected) = ("given weights", units.len());
                    return Err(Error::Mismatch { what, found, expected });
                }
                let rows = weights.chunks_exact(columns);
                Ok(rows
                    .flat_map(|row| row.iter().zip(means).map(|(x, mean)| T::of(x - mean)))
                    .collect())
            }
            SomInit::Random => {
                let mut uniform = streams.stream("som start", 0);
                let rows = Rows { points, means };
                let mut weights = vec![T::default(); units.len() * columns];
                for weights in weights.chunks_exact_mut(columns) {
                    rows.centered(index_below(uniform(), points.rows()), weights);
                }
                Ok(weights)
            }
            SomInit::Pca => {
                let [first, second] = components(points, means, streams);
                let (height, width) = units.shape();
                // A uniform distribution on (−√3 s, √3 s) has standard deviation s.
                let spread = |at: usize, size: usize| match size {
                    1 => 0.0,
                    _ => 3f64.sqrt() * (2.0 * at as f64 / (size - 1) as f64 - 1.0),
                };
                Ok((0..units.len())
                    .flat_map(|unit| {
                        let mut along = [spread(unit % width, width), spread(unit / width, height)];
                        // The longer side gets the first component.
                        if height > width {
                            along.swap(0, 1);
                        }
                        let pairs = first.iter().zip(&second);
                        pairs.map(move |(a, b)| T::of(along[0] * a + along[1] * b))
                    })
                    .collect())
            }
        }
    }
}

/// Rows that are centered one after another, so that no copy of all is needed.
struct Rows<'a, T> {
    points: Points<'a, T>,
    means: &'a [f64],
}

impl<T: Real> Rows<'_, T> {
    /// A row minus the means of the columns.
    fn centered(&self, row: usize, out: &mut [T]) {
        for ((out, x), mean) in out.iter_mut().zip(self.points.row(row)).zip(self.means) {
            *out = T::of(x.to_f64() - mean);
        }
    }
}

/// The order in which rows are taken.
struct Order<'a> {
    rows: Vec<u32>,
    streams: Option<&'a dyn UniformStreams>,
}

impl<'a> Order<'a> {
    fn new(rows: usize, streams: Option<&'a dyn UniformStreams>) -> Self {
        Self { rows: (0..rows as u32).collect(), streams }
    }

    /// The row of an update; updates are asked for one after another.
    fn row(&mut self, update: usize) -> usize {
        let count = self.rows.len();
        if let Some(streams) = self.streams.filter(|_| update.is_multiple_of(count)) {
            let mut uniform = streams.stream("som order", (update / count) as u64);
            for i in (1..count).rev() {
                self.rows.swap(i, index_below(uniform(), i + 1));
            }
        }
        self.rows[update % count] as usize
    }
}

/// The neighborhood function.
struct Hood<'a> {
    units: &'a Units,
    shape: Neighborhood,
    sigma: f64,
}

impl Hood<'_> {
    /// Its values around a unit with radius `sigma / (1 + 2t)`, into `out` `[units]`, times `scale`.
    fn values(&self, center: usize, time: f64, scale: f64, out: &mut [f64]) {
        let sigma = decayed(self.sigma, time);
        for (unit, out) in out.iter_mut().enumerate() {
            *out = scale * self.value(center, unit, sigma);
        }
    }

    fn value(&self, center: usize, unit: usize, sigma: f64) -> f64 {
        let (x, y) = self.units.apart(center, unit);
        match self.shape {
            Neighborhood::Gaussian => (-(x * x + y * y) / (2.0 * sigma * sigma)).exp(),
            Neighborhood::Bubble => {
                let far = if self.units.is_hexagonal() { x.hypot(y) } else { x.max(y) };
                f64::from(u8::from(far < sigma))
            }
        }
    }
}

/// A radius or learning rate at a time from 0 to 1.
fn decayed(first: f64, time: f64) -> f64 {
    first / (1.0 + 2.0 * time)
}

/// Online training: each pass over the weights moves them toward a row and finds the unit nearest to the
/// next one.
fn online<T: Real>(
    rows: &Rows<'_, T>,
    mut weights: Vec<T>,
    hood: &Hood<'_>,
    updates: usize,
    learning_rate: f64,
    mut order: Order<'_>,
    watch: &mut Watch<'_>,
) -> (Vec<T>, f64) {
    let columns = rows.means.len();
    let mut moves = vec![0.0; hood.units.len()];
    let (mut from, mut next) = (vec![T::default(); columns], vec![T::default(); columns]);
    rows.centered(order.row(0), &mut next);
    let part = (PART / columns).max(1);
    // Too small to change a weight by more than its rounding error.
    let least = T::EPSILON.to_f64() / 16.0;
    let pass = |weights: &mut Vec<T>, moves: &[f64], from: &[T], to: &[T]| -> usize {
        let moved = |first: usize, weights: &mut [T], moves: &[f64]| {
            let mut best = (T::INFINITY, first);
            for (i, (weights, &by)) in weights.chunks_exact_mut(columns).zip(moves).enumerate() {
                if by >= least {
                    let by = T::of(by);
                    weights.iter_mut().zip(from).for_each(|(w, &x)| *w += by * (x - *w));
                }
                let distance = squared_distance(weights, to);
                if distance < best.0 {
                    best = (distance, first + i);
                }
            }
            best
        };
        let own = |first: usize, weights: &mut [T], moves: &[f64]| {
            vectorized(
                #[inline(always)]
                || moved(first, weights, moves),
            )
        };
        if weights.len() < PARALLEL {
            return own(0, weights, moves).1;
        }
        let parts = weights.par_chunks_mut(part * columns).zip(moves.par_chunks(part));
        let found: Vec<(T, usize)> = parts
            .enumerate()
            .map(|(number, (weights, moves))| own(number * part, weights, moves))
            .collect();
        let mut best = (T::INFINITY, 0);
        for found in found {
            if found.0 < best.0 {
                best = found;
            }
        }
        best.1
    };
    let mut unit = pass(&mut weights, &moves, &next, &next);
    for update in 0..updates {
        let time = update as f64 / updates as f64;
        if update.is_multiple_of(TOLD) {
            watch.tell(update, updates);
            if watch.is_stopped() {
                return (weights, time);
            }
        }
        hood.values(unit, time, decayed(learning_rate, time), &mut moves);
        from.copy_from_slice(&next);
        if update + 1 < updates {
            rows.centered(order.row(update + 1), &mut next);
        }
        unit = pass(&mut weights, &moves, &from, &next);
    }
    (weights, 1.0)
}

/// Batch training.
fn batch<T: Real>(
    rows: &Rows<'_, T>,
    mut weights: Vec<T>,
    hood: &Hood<'_>,
    epochs: usize,
    watch: &mut Watch<'_>,
) -> (Vec<T>, f64) {
    let (units, columns, count) = (hood.units.len(), rows.means.len(), rows.points.rows());
    for epoch in 0..epochs {
        watch.tell(epoch, epochs);
        if watch.is_stopped() {
            return (weights, epoch as f64 / epochs as f64);
        }
        let table = Centers::new(weights, columns);
        let best: Vec<Vec<u32>> = (0..count.div_ceil(ROWS))
            .into_par_iter()
            .map_init(
                || (vec![T::default(); ROWS * columns], vec![T::default(); ROWS * units]),
                |(centered, found), block| {
                    let own = block * ROWS..count.min((block + 1) * ROWS);
                    let centered = &mut centered[..own.len() * columns];
                    for (row, out) in own.clone().zip(centered.chunks_exact_mut(columns)) {
                        rows.centered(row, out);
                    }
                    let squares: Vec<T> = centered.chunks_exact(columns).map(square).collect();
                    let found = &mut found[..own.len() * units];
                    table.squared_distances(centered, &squares, found);
                    found.chunks_exact(units).map(first_least).collect()
                },
            )
            .collect();
        let mut members = vec![Vec::new(); units];
        for (row, &unit) in best.iter().flatten().enumerate() {
            members[unit as usize].push(row as u32);
        }
        let mut sums = vec![0.0; units * columns];
        sums.par_chunks_mut(columns).zip(&members).for_each(|(sums, members)| {
            vectorized(
                #[inline(always)]
                || {
                    for &row in members {
                        let row = rows.points.row(row as usize).iter().zip(rows.means);
                        for (sum, (x, mean)) in sums.iter_mut().zip(row) {
                            *sum += x.to_f64() - mean;
                        }
                    }
                },
            );
        });
        let sigma = decayed(hood.sigma, epoch as f64 / epochs as f64);
        weights = table.values().to_vec();
        let move_unit = |(unit, weights): (usize, &mut [T])| {
            let (mut total, mut mean) = (0.0, vec![0.0; columns]);
            for (other, members) in members.iter().enumerate().filter(|(_, m)| !m.is_empty()) {
                let share = hood.value(unit, other, sigma);
                if share > 0.0 {
                    total += share * members.len() as f64;
                    let sums = &sums[other * columns..][..columns];
                    mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean += share * sum);
                }
            }
            // A unit without rows nearby stays.
            if total > 0.0 {
                weights.iter_mut().zip(mean).for_each(|(w, mean)| *w = T::of(mean / total));
            }
        };
        weights.par_chunks_mut(columns).enumerate().for_each(|unit| {
            vectorized(
                #[inline(always)]
                || move_unit(unit),
            );
        });
    }
    (weights, 1.0)
}

/// The first of the least values.
fn first_least<T: Real>(values: &[T]) -> u32 {
    let mut best = 0;
    for (i, value) in values.iter().enumerate() {
        if *value < values[best] {
            best = i;
        }
    }
    best as u32
}

impl Som {
    /// A map with given weights `[rows · columns, columns of the data]`.
    ///
    /// # Errors
    /// If the weights do not suit the grid.
    pub fn new(
        grid: Grid,
        rows: usize,
        columns: usize,
        weights: Vec<f64>,
        data_columns: usize,
    ) -> Result<Self> {
        let units = Units::new(grid, rows, columns)?;
        let found = Points::new(&weights, data_columns)?.rows();
        if found != units.len() {
            return Err(Error::Mismatch { what: "given weights", found, expected: units.len() });
        }
        Ok(Self { units, columns: data_columns, weights, trained: 1.0 })
    }

    /// The share of the training that was done, 1 unless it was stopped.
    pub fn trained(&self) -> f64 {
        self.trained
    }

    /// The weights `[units, columns]`, unit after unit along the rows of the grid.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Rows and columns of the grid.
    pub fn shape(&self) -> (usize, usize) {
        self.units.shape()
    }

    /// The place of each unit on the plane, in steps between neighbors of a row.
    pub fn places(&self) -> Vec<(f64, f64)> {
        (0..self.units.len()).map(|unit| self.units.place(unit)).collect()
    }

    /// The best matching unit of each row, and the second best.
    ///
    /// # Errors
    /// If the rows have another number of columns.
    pub fn assign<T: Real>(&self, points: Points<'_, T>) -> Result<Vec<Nearest>> {
        let (found, expected) = (points.columns(), self.columns);
        if found != expected {
            return Err(Error::Mismatch { what: "columns", found, expected });
        }
        Ok(nearest(points, &self.weights))
    }

    /// The number of rows of each unit: the hit map.
    pub fn hits(&self, assigned: &[Nearest]) -> Vec<u64> {
        let mut hits = vec![0; self.units.len()];
        for found in assigned {
            if let Some(hits) = hits.get_mut(found.center as usize) {
                *hits += 1;
            }
        }
        hits
    }

    /// The mean distance of rows to their best matching units.
    pub fn quantization_error(&self, assigned: &[Nearest]) -> f64 {
        let sum: f64 = assigned.iter().map(|found| found.squared_distance.sqrt()).sum();
        sum / assigned.len() as f64
    }

    /// The fraction of rows whose two best matching units are not adjacent; `None` for a single unit.
    pub fn topographic_error(&self, assigned: &[Nearest]) -> Option<f64> {
        if self.units.len() < 2 {
            return None;
        }
        let torn = |found: &&Nearest| {
            found.second.is_some_and(|s| !self.units.adjacent(found.center as usize, s as usize))
        };
        Some(assigned.iter().filter(torn).count() as f64 / assigned.len() as f64)
    }

    /// The mean distance of each unit's weights to those of adjacent units: the U-matrix (Ultsch and
    /// Siemon 1990); large values are borders between clusters.
    pub fn u_matrix(&self) -> Vec<f64> {
        let weights = |unit: usize| &self.weights[unit * self.columns..][..self.columns];
        (0..self.units.len())
            .map(|unit| {
                let neighbors = self.units.neighbors(unit);
                let apart = |&other: &usize| squared_distance(weights(unit), weights(other)).sqrt();
                let sum: f64 = neighbors.iter().map(apart).sum();
                if neighbors.is_empty() { 0.0 } else { sum / neighbors.len() as f64 }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Noise, Streams, blobs, permuted};
    use super::*;

    fn fit(values: &[f64], columns: usize, config: &SomConfig) -> Som {
        config.fit(Points::new(values, columns).unwrap(), &Streams(5)).unwrap()
    }

    fn square_data(rows: usize) -> Vec<f64> {
        let mut noise = Noise::new(3);
        (0..2 * rows).map(|_| noise.uniform()).collect()
    }

    fn configs() -> Vec<SomConfig> {
        let mut all = Vec::new();
        for grid in [Grid::Rectangular, Grid::Torus, Grid::Hexagonal] {
            for neighborhood in [Neighborhood::Gaussian, Neighborhood::Bubble] {
                for training in [
                    Training::Batch { epochs: 15 },
                    Training::Online { updates: 4000, learning_rate: 0.5, shuffle: true },
                ] {
                    for init in [SomInit::Pca, SomInit::Random] {
                        let (rows, columns, sigma) = (6, 7, Some(3.0));
                        let config =
                            SomConfig { rows, columns, grid, neighborhood, sigma, init, training };
                        all.push(config);
                    }
                }
            }
        }
        all
    }

    #[test]
    fn every_kind_of_map_unfolds_over_a_square() {
        let values = square_data(1500);
        let points = Points::new(&values, 2).unwrap();
        for config in configs() {
            let som = fit(&values, 2, &config);
            let assigned = som.assign(points).unwrap();
            // One unit has an error of 0.38; 42 units on a lattice about 0.06. A torus folds.
            let most = if config.grid == Grid::Torus { 0.2 } else { 0.1 };
            assert!(som.quantization_error(&assigned) < most, "{config:?}");
            assert_eq!(som.hits(&assigned).iter().sum::<u64>(), 1500);
            if config.grid != Grid::Torus && config.neighborhood == Neighborhood::Gaussian {
                // A torus cannot lie flat on a square.
                assert!(som.topographic_error(&assigned).unwrap() < 0.15, "{config:?}");
            }
            assert!(som.u_matrix().iter().all(|&u| u > 0.0 && u < 0.5), "{config:?}");
        }
    }

    #[test]
    fn the_u_matrix_shows_borders_between_clusters() {
        let values = blobs(2, 200, 0.5, 4);
        let config = SomConfig { rows: 1, columns: 12, ..SomConfig::default() };
        let som = fit(&values, 2, &config);
        let u = som.u_matrix();
        let hits = som.hits(&som.assign(Points::new(&values, 2).unwrap()).unwrap());
        let highest = (0..12).max_by(|&a, &b| u[a].total_cmp(&u[b])).unwrap();
        assert!(u[highest] > 3.0 * u[0].max(u[11]) && hits[highest] < hits[0].max(hits[11]));
    }

    #[test]
    fn batch_maps_depend_on_rows_as_a_set_and_follow_units() {
        let values = square_data(400);
        let config = SomConfig { rows: 4, columns: 5, ..SomConfig::default() };
        let start: Vec<f64> = fit(&values, 2, &config).weights().to_vec();
        let given = |start: Vec<f64>| SomConfig { init: SomInit::Weights(start), ..config.clone() };
        let som = fit(&values, 2, &given(start.clone()));
        let order = Noise::new(8).permutation(400);
        let moved = fit(&permuted(&values, 2, &order), 2, &given(start.clone()));
        assert!(som.weights().iter().zip(moved.weights()).all(|(a, b)| (a - b).abs() < 1e-12));
        let scale = |x: &[f64]| x.iter().map(|x| 100.0 * x + 1e6).collect::<Vec<_>>();
        let scaled = fit(&scale(&values), 2, &given(scale(&start)));
        let close = |(a, b): (&f64, &f64)| (100.0 * a + 1e6 - b).abs() < 1e-6;
        assert!(som.weights().iter().zip(scaled.weights()).all(close));
    }

    #[test]
    fn threads_do_not_matter() {
        // Wide enough that online updates are parallel.
        let values = Noise::new(2).normals(60 * 800);
        let online = Training::Online { updates: 100, learning_rate: 0.5, shuffle: true };
        for training in [online, Training::Batch { epochs: 2 }] {
            let config = SomConfig { rows: 13, columns: 14, training, ..SomConfig::default() };
            let som = fit(&values, 800, &config);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
            assert_eq!(pool.install(|| fit(&values, 800, &config)), som);
            let single: Vec<f32> = values.iter().map(|&x| x as f32).collect();
            let points = Points::new(&single, 800).unwrap();
            let other = config.fit(points, &Streams(5)).unwrap();
            let error = |som: &Som| som.quantization_error(&som.assign(points).unwrap());
            assert!((error(&som) / error(&other) - 1.0).abs() < 1e-3);
        }
    }

    #[test]
    fn degenerate_data_gives_a_map_without_undefined_values() {
        for values in [vec![2.0, 3.0], vec![1.0; 40], (0..20).map(f64::from).collect()] {
            for config in configs() {
                let som = fit(&values, 2, &config);
                assert!(som.weights().iter().all(|w| w.is_finite()), "{config:?}");
            }
        }
        let single = SomConfig { rows: 1, columns: 1, ..SomConfig::default() };
        let som = fit(&[1.0, 3.0], 1, &single);
        let assigned = som.assign(Points::new(&[1.0, 3.0], 1).unwrap()).unwrap();
        assert_eq!((som.weights(), som.topographic_error(&assigned)), (&[2.0][..], None));
    }

    #[test]
    fn bad_settings_are_errors() {
        let points = Points::new(&[0.0, 1.0], 1).unwrap();
        let bad = |config: SomConfig| config.fit(points, &Streams(0)).unwrap_err();
        let config = SomConfig::default;
        bad(SomConfig { rows: 0, ..config() });
        bad(SomConfig { sigma: Some(0.0), ..config() });
        bad(SomConfig { sigma: Some(f64::NAN), ..config() });
        bad(SomConfig { training: Training::Batch { epochs: 0 }, ..config() });
        bad(SomConfig { init: SomInit::Weights(vec![0.0; 3]), ..config() });
        for (updates, learning_rate) in [(0, 0.5), (5, 0.0), (5, 1.5)] {
            let training = Training::Online { updates, learning_rate, shuffle: false };
            bad(SomConfig { training, ..config() });
        }
        let som = SomConfig { rows: 2, columns: 1, ..config() }.fit(points, &Streams(0)).unwrap();
        assert!(som.assign(Points::new(&[0.0, 1.0], 2).unwrap()).is_err());
    }
}
