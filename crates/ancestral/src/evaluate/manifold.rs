//! Precision and recall, density and coverage, and the nearest neighbors that they are computed
//! from: a set is approximated by balls around its examples.
//!
//! Distances are Euclidean, and balls are closed. Products of `f32` blocks rule out most pairs, and
//! distances that their rounding errors could affect are recomputed in `f64`, so that every result
//! is that of a plain `f64` loop over all pairs, for any number of threads.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::rows::Rows;
use crate::Result;

/// Rows of the left and of the right side of one product: half a MiB of distances.
const LEFT: usize = 128;
const RIGHT: usize = 1024;
/// Distances that are compared at once.
const LOOK: usize = 64;

/// The squared distance of two rows, in `f64`, from the first entry to the last.
fn exact(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
}

/// Rows prepared for the products: centered on a common point, scaled by a power of two.
struct Side<'a> {
    rows: Rows<'a>,
    moved: Vec<f32>,
    /// Squared norms of the moved rows.
    norms: Vec<f32>,
}

/// Two sides between which distances are computed.
struct Pairs<'a> {
    left: Side<'a>,
    right: Side<'a>,
    /// The factor of squared distances between moved rows.
    scale: f64,
    /// A squared distance between moved rows is off by at most this times the sum of the two squared
    /// norms: 2⁻²⁴ for each of `dim` terms of the product, and for what is done before and after it.
    doubt: f32,
}

impl<'a> Pairs<'a> {
    fn new(left: Rows<'a>, right: Rows<'a>) -> Self {
        let center = right.means();
        let dim = right.dim();
        let off = |rows: Rows<'_>| {
            let reach = |(i, &x): (usize, &f32)| (f64::from(x) - center[i % dim]).abs();
            rows.values().iter().enumerate().map(reach).fold(0.0, f64::max)
        };
        let reach = off(left).max(off(right));
        let unit = if reach > 0.0 { (-reach.log2().ceil()).exp2() } else { 1.0 };
        let side = |rows: Rows<'a>| {
            let entries = rows.values().iter().enumerate();
            let moved: Vec<f32> =
                entries.map(|(i, &x)| ((f64::from(x) - center[i % dim]) * unit) as f32).collect();
            let norm = |row: &[f32]| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() as f32;
            let norms = moved.chunks_exact(dim).map(norm).collect();
            Side { rows, moved, norms }
        };
        Self {
            left: side(left),
            right: side(right),
            scale: unit * unit,
            doubt: (dim as f32 + 32.0) * 2f32.powi(-24),
        }
    }

    /// A squared distance in the scale of the products, rounded up.
    fn bound(&self, squared: f64) -> f32 {
        ((squared * self.scale) as f32).next_up()
    }

    fn exact(&self, i: usize, j: usize) -> f64 {
        exact(self.left.rows.row(i), self.right.rows.row(j))
    }

    /// For each block of left rows: creates a state, and calls it for each row i with runs of right
    /// rows from j on and lower bounds on the squared distances.
    fn visit<S: Send>(
        &self,
        make: impl Fn(usize, usize) -> S + Sync,
        look: impl Fn(&mut S, usize, usize, &[f32]) + Sync,
    ) -> Vec<S> {
        let dim = self.right.rows.dim();
        let n = self.left.rows.len();
        let weights: Vec<f32> =
            self.right.norms.iter().map(|norm| norm * (1.0 - self.doubt)).collect();
        (0..n.div_ceil(LEFT))
            .into_par_iter()
            .map(|block| {
                let first = block * LEFT;
                let count = LEFT.min(n - first);
                let mut state = make(first, count);
                let rows = &self.left.moved[first * dim..(first + count) * dim];
                let rows = MatRef::from_row_major_slice(rows, count, dim);
                let mut tile = vec![0.0f32; LEFT * RIGHT];
                for (t, others) in self.right.moved.chunks(RIGHT * dim).enumerate() {
                    let wide = others.len() / dim;
                    let tile = &mut tile[..count * wide];
                    matmul(
                        MatMut::from_row_major_slice_mut(tile, count, wide),
                        Accum::Replace,
                        rows,
                        MatRef::from_row_major_slice(others, wide, dim).transpose(),
                        -2.0f32,
                        Par::Seq,
                    );
                    let weights = &weights[t * RIGHT..t * RIGHT + wide];
                    for (i, line) in tile.chunks_exact_mut(wide).enumerate() {
                        let own = self.left.norms[first + i] * (1.0 - self.doubt);
                        line.iter_mut().zip(weights).for_each(|(x, w)| *x += w + own);
                        look(&mut state, first + i, t * RIGHT, line);
                    }
                }
                state
            })
            .collect()
    }
}

/// A neighbor of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbor {
    /// Its index.
    pub index: usize,
    /// Its distance.
    pub distance: f64,
}

/// The k nearest of `others` for each of `rows`, nearest first; ties are broken by the smaller
/// index.
///
/// # Errors
/// If there are fewer than k others or the widths differ.
pub fn nearest(rows: Rows<'_>, others: Rows<'_>, k: usize) -> Result<Vec<Vec<Neighbor>>> {
    rows.expect("the search for neighbors", 1, &others)?;
    others.expect("the search for neighbors", k, &others)?;
    Ok(neighbors(rows, others, k, false))
}

/// As [`nearest`]; with `same` the two sides are one and no row is its own neighbor.
fn neighbors(rows: Rows<'_>, others: Rows<'_>, k: usize, same: bool) -> Vec<Vec<Neighbor>> {
    if k == 0 {
        return vec![Vec::new(); rows.len()];
    }
    let pairs = Pairs::new(rows, others);
    /// The nearest so far of each row, and the distance below which others matter.
    struct Best {
        first: usize,
        rows: Vec<(Vec<(f64, usize)>, f32)>,
    }
    let found = pairs.visit(
        |first, count| Best {
            first,
            rows: vec![(Vec::with_capacity(k + 1), f32::INFINITY); count],
        },
        |best, i, from, lower| {
            let (list, limit) = &mut best.rows[i - best.first];
            for (part, lower) in lower.chunks(LOOK).enumerate() {
                if !lower.iter().fold(false, |any, x| any | (*x <= *limit)) {
                    continue;
                }
                for (at, &x) in lower.iter().enumerate() {
                    let j = from + part * LOOK + at;
                    if x > *limit || same && i == j {
                        continue;
                    }
                    let candidate = (pairs.exact(i, j), j);
                    let place = list.partition_point(|known| *known <= candidate);
                    if place < k {
                        list.insert(place, candidate);
                        list.truncate(k);
                    }
                    if let (true, Some(last)) = (list.len() == k, list.last()) {
                        // No distance is below 0, and ties have larger indices.
                        let zero = last.0 == 0.0;
                        *limit = if zero { f32::NEG_INFINITY } else { pairs.bound(last.0) };
                    }
                }
            }
        },
    );
    let named = |(squared, index): (f64, usize)| Neighbor { index, distance: squared.sqrt() };
    let lists = found.into_iter().flat_map(|best| best.rows);
    lists.map(|(list, _)| list.into_iter().map(named).collect()).collect()
}

/// The squared distance of each row to its k-th nearest other one, for each of `ks`.
fn radii<const N: usize>(rows: Rows<'_>, ks: [usize; N]) -> [Vec<f64>; N] {
    let most = ks.into_iter().max().unwrap_or(0);
    let found = neighbors(rows, rows, most, true);
    // Computed again, since the root loses bits.
    let squared = |(i, list): (usize, &Vec<Neighbor>), k: usize| {
        list.get(k - 1).map_or(0.0, |n| exact(rows.row(i), rows.row(n.index)))
    };
    ks.map(|k| found.iter().enumerate().map(|row| squared(row, k)).collect())
}

/// How well two sets cover each other.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Coverage {
    /// Fraction of generated examples in a ball of a reference example: how many look like the
    /// data.
    pub precision: f64,
    /// Fraction of reference examples in a ball of a generated one: how much of the data is
    /// covered.
    pub recall: f64,
    /// Mean number of reference balls that a generated example lies in, divided by k; above 1 if
    /// samples lie where the data is dense.
    pub density: f64,
    /// Fraction of reference examples whose ball contains a generated one.
    pub coverage: f64,
}

/// The k of precision and recall, as in the paper.
pub const PRECISION_NEIGHBORS: usize = 3;
/// The k of density and coverage, as in the paper.
pub const DENSITY_NEIGHBORS: usize = 5;

/// Improved precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991, equations 1 and 2,
/// k = 3), and density and coverage (Naeem et al. 2020, arXiv:2002.09797, section 3, k = 5).
///
/// The ball of an example reaches to its k-th nearest neighbor in its own set, excluding itself.
///
/// # Errors
/// If a side has fewer than six rows or their widths differ.
pub fn coverage(generated: Rows<'_>, reference: Rows<'_>) -> Result<Coverage> {
    let metric = "the measure of precision, recall, density and coverage";
    generated.expect(metric, DENSITY_NEIGHBORS + 1, &reference)?;
    Ok(coverage_with(generated, reference, PRECISION_NEIGHBORS, DENSITY_NEIGHBORS))
}

fn coverage_with(generated: Rows<'_>, reference: Rows<'_>, near: usize, far: usize) -> Coverage {
    let [small, large] = radii(reference, [near, far]);
    let [own] = radii(generated, [near]);
    let pairs = Pairs::new(generated, reference);
    let limits: Vec<f32> = small.iter().zip(&large).map(|(a, b)| pairs.bound(a.max(*b))).collect();
    let own_limits: Vec<f32> = own.iter().map(|&r| pairs.bound(r)).collect();
    /// The results of one block of generated rows.
    struct Met {
        first: usize,
        /// Of each row, whether it lies in a ball.
        precise: Vec<bool>,
        balls: u64,
        recalled: Vec<bool>,
        covered: Vec<bool>,
    }
    let n = reference.len();
    let met = pairs.visit(
        |first, count| Met {
            first,
            precise: vec![false; count],
            balls: 0,
            recalled: vec![false; n],
            covered: vec![false; n],
        },
        |met, i, from, lower| {
            let own_limit = own_limits[i];
            for (part, lower) in lower.chunks(LOOK).enumerate() {
                let start = from + part * LOOK;
                let limits = &limits[start..start + lower.len()];
                let within = |x: f32, limit: f32| (x <= limit) | (x <= own_limit);
                let near = |any, (x, limit): (&f32, &f32)| any | within(*x, *limit);
                if !lower.iter().zip(limits).fold(false, near) {
                    continue;
                }
                for (at, (&x, &limit)) in lower.iter().zip(limits).enumerate() {
                    if !within(x, limit) {
                        continue;
                    }
                    let j = start + at;
                    let squared = pairs.exact(i, j);
                    met.precise[i - met.first] |= squared <= small[j];
                    if squared <= large[j] {
                        met.balls += 1;
                        met.covered[j] = true;
                    }
                    met.recalled[j] |= squared <= own[i];
                }
            }
        },
    );
    let any = |pick: fn(&Met) -> &[bool]| {
        (0..n).filter(|&j| met.iter().any(|m| pick(m)[j])).count() as f64 / n as f64
    };
    let m = generated.len() as f64;
    Coverage {
        precision: met.iter().flat_map(|m| &m.precise).filter(|p| **p).count() as f64 / m,
        recall: any(|m| &m.recalled),
        density: met.iter().map(|m| m.balls).sum::<u64>() as f64 / (far as f64 * m),
        coverage: any(|m| &m.covered),
    }
}

#[cfg(test)]
mod tests {
    use ancestral_data::Streams;

    use super::*;
    use crate::evaluate::rows::tests::golden;

    /// Values of tests/golden_quality.py.
    const COVERAGE: [f64; 4] = [0.333333333333, 0.32, 0.3, 0.66];

    fn rows(values: &[f32], dim: usize) -> Rows<'_> {
        Rows::new(values, dim, "test rows").unwrap()
    }

    fn all(c: &Coverage) -> [f64; 4] {
        [c.precision, c.recall, c.density, c.coverage]
    }

    /// The definitions, pair by pair.
    fn by_pairs(fake: Rows<'_>, real: Rows<'_>, near: usize, far: usize) -> [f64; 4] {
        let squared = |a: Rows<'_>, i, b: Rows<'_>, j| exact(a.row(i), b.row(j));
        let radius = |of: Rows<'_>, i: usize, k: usize| {
            let others = (0..of.len()).filter(|&j| j != i);
            let mut found: Vec<f64> = others.map(|j| squared(of, i, of, j)).collect();
            found.sort_by(f64::total_cmp);
            found[k - 1]
        };
        let radii = |of: Rows<'_>, k| (0..of.len()).map(|i| radius(of, i, k)).collect::<Vec<_>>();
        let (small, large, own) = (radii(real, near), radii(real, far), radii(fake, near));
        let (n, m) = (real.len(), fake.len());
        let share = |count: usize, of: usize| count as f64 / of as f64;
        let in_ball = |i: usize, radii: &[f64], j: usize| squared(fake, i, real, j) <= radii[j];
        let precise = (0..m).filter(|&i| (0..n).any(|j| in_ball(i, &small, j))).count();
        let recalled = (0..n).filter(|&j| (0..m).any(|i| squared(fake, i, real, j) <= own[i]));
        let balls: usize = (0..m).map(|i| (0..n).filter(|&j| in_ball(i, &large, j)).count()).sum();
        let covered = (0..n).filter(|&j| (0..m).any(|i| in_ball(i, &large, j))).count();
        [
            share(precise, m),
            share(recalled.count(), n),
            balls as f64 / (far as f64 * m as f64),
            share(covered, n),
        ]
    }

    #[test]
    fn a_set_on_a_line_is_as_counted_by_hand() {
        // k = 1: the balls of 0, 1, 3 and 7 reach 1, 1, 2 and 4 far.
        let real = [0.0, 1.0, 3.0, 7.0];
        // Those of −1, 2, 4 and 20 reach 3, 2, 2 and 16 far.
        let fake = [-1.0, 2.0, 4.0, 20.0];
        let found = coverage_with(rows(&fake, 1), rows(&real, 1), 1, 1);
        // −1 is in the ball of 0 (on its rim), 2 in those of 1 and 3, 4 in those of 3 and 7.
        // 0 and 1 are in the balls of −1 and 2, 3 in those of 2 and 4, 7 in that of 20 alone.
        assert_eq!(all(&found), [0.75, 1.0, 5.0 / 4.0, 1.0]);
        let far = [30.0, 31.0, 32.0, 60.0];
        let found = coverage_with(rows(&far, 1), rows(&real, 1), 1, 1);
        assert_eq!(all(&found), [0.0; 4]);
    }

    #[test]
    fn coverage_agrees_with_numpy_and_with_all_pairs() {
        let (a, b) = (golden(60, 5, 1.3, 0.0), golden(50, 5, 0.9, 0.6));
        let found = all(&coverage(rows(&a, 5), rows(&b, 5)).unwrap());
        assert!(found.iter().zip(COVERAGE).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
        // More than a tile each way, and far from 0, where products cancel.
        let draws = |seed, n: usize| Streams::new(seed).purpose("k", 0).normals(&[0], 7 * n);
        let real: Vec<f32> = draws(0, 1100).iter().map(|x| 40.0 + x).collect();
        let fake: Vec<f32> = draws(1, 300).iter().map(|x| 40.3 + 0.8 * x).collect();
        let (fake, real) = (rows(&fake, 7), rows(&real, 7));
        let found = coverage(fake, real).unwrap();
        assert_eq!(all(&found), by_pairs(fake, real, 3, 5));
        assert_eq!(all(&coverage(real, fake).unwrap()), by_pairs(real, fake, 3, 5));
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| coverage(fake, real)).unwrap(), found);
        }
    }

    /// Equal rows, near-equal rows and rows of one value: every distance is at a rim.
    #[test]
    fn ties_are_counted_as_all_pairs_count_them() {
        let grid: Vec<f32> = (0..400).map(|i| (i * 7 % 3) as f32 / 3.0).collect();
        let nudged: Vec<f32> =
            grid.iter().enumerate().map(|(i, x)| x + (i % 2) as f32 * 1e-7).collect();
        let same = [0.1f32; 64];
        for (a, b) in [(&grid[..], &grid[..]), (&nudged, &grid), (&same, &grid), (&same, &same)] {
            let (a, b) = (rows(a, 4), rows(b, 4));
            assert_eq!(all(&coverage(a, b).unwrap()), by_pairs(a, b, 3, 5));
        }
        let error = coverage(rows(&same[..20], 4), rows(&grid, 4)).unwrap_err().to_string();
        assert!(error.contains("5 examples") && error.contains("at least 6"), "{error}");
    }

    #[test]
    fn neighbors_are_those_of_all_pairs() {
        let a = golden(150, 3, 1.3, 0.0);
        let b = golden(1500, 3, 0.37, 0.1);
        let (a, b) = (rows(&a, 3), rows(&b, 3));
        let found = nearest(a, b, 4).unwrap();
        for (i, found) in found.iter().enumerate() {
            let mut all: Vec<(f64, usize)> =
                (0..b.len()).map(|j| (exact(a.row(i), b.row(j)), j)).collect();
            all.sort_by(|x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
            let expected =
                all[..4].iter().map(|&(d, index)| Neighbor { index, distance: d.sqrt() });
            assert!(found.iter().copied().eq(expected), "{i}: {found:?} {:?}", &all[..4]);
        }
        assert_eq!(nearest(b, b, 1).unwrap()[7], [Neighbor { index: 7, distance: 0.0 }]);
        assert!(nearest(a, b, 1501).is_err());
        assert_eq!(nearest(a, b, 0).unwrap()[0], []);
    }
}
