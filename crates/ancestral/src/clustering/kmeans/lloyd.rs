//! Lloyd's iterations: each row is assigned to its nearest center, and each center is the mean of its rows.
//!
//! Sums of rows follow the changes of labels, so that an iteration costs what changes.

use rayon::prelude::*;

use super::super::centers::Centers;
use super::super::points::Real;
use super::super::product::{squared_distance, vectorized};
use super::bounds::{Change, State};
use super::data::Data;

/// Centers and labels at the end of the iterations.
pub(super) struct Fitted<T> {
    /// `[k, columns]`, centered like the data.
    pub(super) centers: Vec<T>,
    pub(super) labels: Vec<u32>,
    pub(super) iterations: usize,
    pub(super) converged: bool,
    pub(super) stopped: bool,
}

/// When iterations end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) iterations: usize,
    /// The sum of squared shifts of centers at convergence.
    pub(super) shift: f64,
    /// The number of groups of centers.
    pub(super) groups: usize,
}

/// Iterates from starting centers until no label changes, or a limit, or `stops` says so of the number of
/// iterations.
pub(super) fn lloyd<T: Real>(
    data: &Data<'_, T>,
    start: Vec<T>,
    limits: Limits,
    stops: &mut dyn FnMut(usize) -> bool,
) -> Fitted<T> {
    let mut state = State::new(data, Centers::new(start, data.columns()), limits.groups);
    let mut sums = Sums::new(data.columns(), state.centers.len());
    let all =
        (0..data.rows()).map(|row| Change { row: row as u32, to: state.labels[row], from: None });
    sums.apply(data, &all.collect::<Vec<_>>());
    let (mut iterations, mut converged) = (1, false);
    let stopped = loop {
        let new = sums.centers(data, &state);
        let shift = state.move_to(new);
        let stopped = stops(iterations);
        if stopped || iterations >= limits.iterations {
            break stopped;
        }
        if shift <= limits.shift && limits.shift > 0.0 {
            converged = true;
            break false;
        }
        let changes = state.assign(data);
        iterations += 1;
        if changes.is_empty() {
            converged = true;
            break false;
        }
        sums.apply(data, &changes);
    };
    // Labels of the last centers.
    state.assign(data);
    let State { centers, labels, .. } = state;
    Fitted { centers: centers.values().to_vec(), labels, iterations, converged, stopped }
}

/// The weighted sum of the rows of each cluster.
struct Sums {
    columns: usize,
    /// `[k, columns]`.
    sums: Vec<f64>,
    weights: Vec<f64>,
    /// Rows of positive weight.
    counts: Vec<usize>,
}

impl Sums {
    fn new(columns: usize, count: usize) -> Self {
        let sums = vec![0.0; columns * count];
        Self { columns, sums, weights: vec![0.0; count], counts: vec![0; count] }
    }

    /// Follows changes of labels; each cluster adds its rows in order.
    fn apply<T: Real>(&mut self, data: &Data<'_, T>, changes: &[Change]) {
        let mut moves: Vec<Vec<(u32, f64)>> = vec![Vec::new(); self.weights.len()];
        for change in changes {
            let weight = data.weight(change.row as usize);
            if weight == 0.0 {
                continue;
            }
            let to = change.to as usize;
            moves[to].push((change.row, weight));
            self.weights[to] += weight;
            self.counts[to] += 1;
            if let Some(from) = change.from {
                let from = from as usize;
                moves[from].push((change.row, -weight));
                self.weights[from] -= weight;
                self.counts[from] -= 1;
            }
        }
        self.sums.par_chunks_mut(self.columns).zip(&moves).for_each(|(sums, moves)| {
            vectorized(
                #[inline(always)]
                || {
                    let (fours, rest) = moves.as_chunks::<4>();
                    for fours in fours {
                        let rows = fours.map(|(row, _)| data.row(row as usize));
                        add_four(sums, rows, fours.map(|(_, weight)| weight));
                    }
                    for &(row, weight) in rest {
                        add(sums, data.row(row as usize), weight);
                    }
                },
            );
        });
    }

    /// The mean of each cluster; an empty one gets the row farthest from its center, which leaves its
    /// own cluster, as in scikit-learn.
    fn centers<T: Real>(&self, data: &Data<'_, T>, state: &State<T>) -> Vec<T> {
        let empty: Vec<usize> = (0..self.counts.len()).filter(|&c| self.counts[c] == 0).collect();
        if empty.is_empty() {
            return self.means(&self.sums, &self.weights, state);
        }
        let mut far: Vec<(f64, usize)> = (0..data.rows())
            .into_par_iter()
            .filter(|&row| data.weight(row) > 0.0)
            .map(|row| {
                let center = state.centers.row(state.labels[row] as usize);
                (squared_distance(data.row(row), center).to_f64(), row)
            })
            .collect();
        far.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let (mut sums, mut weights) = (self.sums.clone(), self.weights.clone());
        let mut counts = self.counts.clone();
        for (cluster, (distance, row)) in empty.into_iter().zip(far) {
            let (from, weight) = (state.labels[row] as usize, data.weight(row));
            // Fewer distinct rows than clusters.
            if distance == 0.0 {
                break;
            }
            if counts[from] == 1 {
                continue;
            }
            add(&mut sums[from * self.columns..][..self.columns], data.row(row), -weight);
            add(&mut sums[cluster * self.columns..][..self.columns], data.row(row), weight);
            weights[from] -= weight;
            weights[cluster] += weight;
            counts[from] -= 1;
        }
        self.means(&sums, &weights, state)
    }

    fn means<T: Real>(&self, sums: &[f64], weights: &[f64], state: &State<T>) -> Vec<T> {
        let mut out = state.centers.values().to_vec();
        let clusters = out.chunks_exact_mut(self.columns).zip(sums.chunks_exact(self.columns));
        for ((out, sums), &weight) in clusters.zip(weights) {
            if weight > 0.0 {
                out.iter_mut().zip(sums).for_each(|(x, sum)| *x = T::of(sum / weight));
            }
        }
        out
    }
}

#[inline(always)]
fn add<T: Real>(sums: &mut [f64], row: &[T], weight: f64) {
    sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * x.to_f64());
}

/// Adds four rows, which are fetched from memory at once.
#[inline(always)]
fn add_four<T: Real>(sums: &mut [f64], [a, b, c, d]: [&[T]; 4], weights: [f64; 4]) {
    let rows = a.iter().zip(b).zip(c.iter().zip(d));
    for (sum, ((a, b), (c, d))) in sums.iter_mut().zip(rows) {
        let (first, second) = (
            weights[0] * a.to_f64() + weights[1] * b.to_f64(),
            weights[2] * c.to_f64() + weights[3] * d.to_f64(),
        );
        *sum += first + second;
    }
}
