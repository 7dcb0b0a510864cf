//! Starting centers: greedy k-means++ (Arthur and Vassilvitskii 2007, section 5), as in scikit-learn.

use rayon::prelude::*;

use super::super::centers::Centers;
use super::super::points::{BLOCK, Real, index_below};
use super::data::Data;

/// Rows of starting centers, each drawn with a probability proportional to its weight times its squared
/// distance to the nearest center so far; of 2 + ln k draws, the one that lowers the total most is kept.
///
/// They are fewer than `count` if there are fewer distinct rows of positive weight; `None` if it is stopped.
pub(super) fn plus_plus<T: Real>(
    data: &Data<'_, T>,
    count: usize,
    uniform: &mut dyn FnMut() -> f64,
    stops: &mut dyn FnMut() -> bool,
) -> Option<Vec<usize>> {
    let trials = 2 + (count as f64).ln() as usize;
    let weights: Vec<f64> = (0..data.rows()).map(|row| data.weight(row)).collect();
    let mut chosen = vec![Draw::new(&weights).row(uniform())];
    let mut nearest = vec![f64::INFINITY; data.rows()];
    lower(data, &mut nearest, &distances(data, &chosen), 1, 0);
    while chosen.len() < count {
        if stops() {
            return None;
        }
        let scaled: Vec<f64> = nearest.iter().zip(&weights).map(|(d, w)| d * w).collect();
        let draw = Draw::new(&scaled);
        if draw.total() <= 0.0 {
            break;
        }
        let candidates: Vec<usize> = (0..trials).map(|_| draw.row(uniform())).collect();
        let found = distances(data, &candidates);
        let totals = totals(&found, &nearest, &weights, trials);
        let mut best = 0;
        for trial in 1..trials {
            if totals[trial] < totals[best] {
                best = trial;
            }
        }
        lower(data, &mut nearest, &found, trials, best);
        chosen.push(candidates[best]);
    }
    Some(chosen)
}

/// Different rows, drawn with a probability proportional to their weights.
pub(super) fn random<T: Real>(
    data: &Data<'_, T>,
    count: usize,
    uniform: &mut dyn FnMut() -> f64,
) -> Vec<usize> {
    // The largest u^(1/w) are a weighted draw without replacement (Efraimidis and Spirakis 2006).
    let mut keys: Vec<(f64, usize)> = (0..data.rows())
        .map(|row| ((1.0 - uniform()).ln() / data.weight(row), row))
        .filter(|&(_, row)| data.weight(row) > 0.0)
        .collect();
    keys.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    keys.into_iter().take(count).map(|(_, row)| row).collect()
}

/// Squared distances of all rows to some rows `[rows, some]`.
fn distances<T: Real>(data: &Data<'_, T>, some: &[usize]) -> Vec<T> {
    let columns = data.columns();
    let values = some.iter().flat_map(|&row| data.row(row).iter().copied()).collect();
    let centers = Centers::new(values, columns);
    let mut out = vec![T::default(); data.rows() * some.len()];
    out.par_chunks_mut(BLOCK * some.len()).enumerate().for_each(|(block, out)| {
        let (rows, squares) = data.block(block, BLOCK);
        centers.squared_distances(rows, squares, out);
    });
    out
}

/// Lowers the distances to the nearest center by those to a new one.
fn lower<T: Real>(
    data: &Data<'_, T>,
    nearest: &mut [f64],
    found: &[T],
    trials: usize,
    trial: usize,
) {
    debug_assert_eq!(nearest.len(), data.rows());
    for (nearest, found) in nearest.iter_mut().zip(found.chunks_exact(trials)) {
        *nearest = nearest.min(found[trial].to_f64());
    }
}

/// The weighted sum of distances to the nearest center, if each trial were added.
fn totals<T: Real>(found: &[T], nearest: &[f64], weights: &[f64], trials: usize) -> Vec<f64> {
    let blocks: Vec<Vec<f64>> = found
        .par_chunks(BLOCK * trials)
        .zip(nearest.par_chunks(BLOCK).zip(weights.par_chunks(BLOCK)))
        .map(|(found, (nearest, weights))| {
            let mut sums = vec![0.0; trials];
            for ((found, nearest), weight) in found.chunks_exact(trials).zip(nearest).zip(weights) {
                for (sum, distance) in sums.iter_mut().zip(found) {
                    *sum += weight * nearest.min(distance.to_f64());
                }
            }
            sums
        })
        .collect();
    let mut sums = vec![0.0; trials];
    for block in blocks {
        sums.iter_mut().zip(block).for_each(|(sum, x)| *sum += x);
    }
    sums
}

/// Draws rows in proportion to their weights.
struct Draw {
    /// Sums up to and including each row.
    sums: Vec<f64>,
}

impl Draw {
    fn new(weights: &[f64]) -> Self {
        let mut sum = 0.0;
        let sums = weights
            .iter()
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        Self { sums }
    }

    fn total(&self) -> f64 {
        self.sums.last().copied().unwrap_or(0.0)
    }

    /// A row of positive weight, from a uniform number.
    fn row(&self, uniform: f64) -> usize {
        let at = uniform * self.total();
        let row = self.sums.partition_point(|&sum| sum <= at);
        if row < self.sums.len() {
            return row;
        }
        // Rounding reached the total: the last row of positive weight.
        let last = self.sums.partition_point(|&sum| sum < self.total());
        last.min(index_below(uniform, self.sums.len()).max(last))
    }
}
