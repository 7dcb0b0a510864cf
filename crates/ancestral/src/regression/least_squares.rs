//! Least squares by QR decomposition, of rows in blocks: the triangular factors of blocks are joined in
//! order (TSQR: Demmel, Grigori, Hoemmen and Langou 2012), so that rows are read once and the products of
//! columns, which square the condition number, are never formed.

use faer::Mat;

/// The part of a column that the columns before it leave unexplained, below which it counts as a linear
/// combination of them; squared, as a part of its variance.
const ALIASED: f64 = 1e-10;

/// An upper triangular factor of rows with `side` columns, row after row; or, of few rows, the rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Triangle {
    /// `[rows, side]`, at most `side` rows.
    pub(super) rows: Vec<f64>,
    pub(super) side: usize,
}

impl Triangle {
    /// That of rows `[n, side]`.
    pub(super) fn of(rows: Vec<f64>, side: usize) -> Self {
        let n = rows.len() / side.max(1);
        if n <= side {
            return Self { rows, side };
        }
        let r = Mat::from_fn(n, side, |i, j| rows[i * side + j]).qr();
        let r = r.thin_R();
        let of = |i: usize| (0..side).map(move |j| if j < i { 0.0 } else { r[(i, j)] });
        Self { rows: (0..side).flat_map(of).collect(), side }
    }

    /// That of these rows and of later ones.
    pub(super) fn join(&mut self, later: Self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.extend(later.rows);
        *self = Self::of(rows, later.side);
    }
}

/// The solution of min ‖t − Z v‖² + Σ λ v², t the last column of the rows and Z the others.
#[derive(Debug, Clone)]
pub(super) struct Solution {
    /// The columns that have weights.
    pub(super) chosen: Vec<usize>,
    /// Their weights.
    pub(super) weights: Vec<f64>,
    /// ‖t − Z v‖².
    pub(super) rest: f64,
    /// A factor F of the covariance of the weights over the variance of noise, F Fᵀ; `[chosen, chosen]`.
    pub(super) spread: Vec<f64>,
    /// (ZᵀZ + Λ)⁻¹ `[chosen, chosen]`.
    pub(super) inverse: Vec<f64>,
    /// The trace of Z (ZᵀZ + Λ)⁻¹ Zᵀ: the number of weights, or less with a penalty.
    pub(super) degrees: f64,
}

/// Solves a triangle, whose last column is the target, for the columns `of`; without a penalty, columns that
/// are linear combinations of those before them are left out.
pub(super) fn solve(triangle: &Triangle, of: &[usize], penalty: &[f64]) -> Solution {
    let side = triangle.side;
    let height = triangle.rows.len() / side.max(1);
    let column = |at: usize| (0..height).map(|i| triangle.rows[i * side + at]).collect::<Vec<_>>();
    let target = column(side - 1);
    let plain = of.iter().map(|&at| column(at)).collect::<Vec<_>>();
    let ridged = penalty.iter().any(|&lambda| lambda > 0.0);
    let (kept, r, q) = orthogonalize(&plain, &target, if ridged { -1.0 } else { ALIASED });
    let n = kept.len();
    let rest = q[n.min(q.len())..].iter().map(|x| x * x).sum::<f64>();
    if !ridged {
        let weights = back_substitute(&r, &q[..n], n);
        let spread = inverse_of_upper(&r, n);
        let inverse = gram_of_rows(&spread, n);
        let chosen = kept.into_iter().map(|at| of[at]).collect();
        return Solution { chosen, weights, rest, spread, inverse, degrees: n as f64 };
    }
    // The rows of the penalty under those of the data.
    let count = of.len();
    let extended: Vec<Vec<f64>> = plain
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let below = (0..count).map(|i| if i == at { penalty[at].sqrt() } else { 0.0 });
            column.iter().copied().chain(below).collect()
        })
        .collect();
    let below = std::iter::repeat_n(0.0, count);
    let longer: Vec<f64> = target.iter().copied().chain(below).collect();
    let (kept, ridge, q) = orthogonalize(&extended, &longer, 0.0);
    let n = kept.len();
    let weights = back_substitute(&ridge, &q[..n], n);
    let fitted =
        |i: usize| -> f64 { kept.iter().zip(&weights).map(|(&at, w)| plain[at][i] * w).sum() };
    let rest = (0..height).map(|i| (target[i] - fitted(i)).powi(2)).sum();
    let back = inverse_of_upper(&ridge, n);
    // Gᵀ with G = Z R⁻¹, of the rows of the data: R⁻ᵀ Zᵀ.
    let mut g = vec![0.0; height * n];
    for i in 0..height {
        for k in 0..n {
            g[i * n + k] = (0..=k).map(|j| plain[kept[j]][i] * back[j * n + k]).sum();
        }
    }
    let degrees = g.iter().map(|x| x * x).sum();
    let mut spread = vec![0.0; n * height];
    for j in 0..n {
        for i in 0..height {
            spread[j * height + i] = (j..n).map(|k| back[j * n + k] * g[i * n + k]).sum();
        }
    }
    let inverse = gram_of_rows(&back, n);
    let chosen = kept.into_iter().map(|at| of[at]).collect();
    Solution { chosen, weights, rest, spread, inverse, degrees }
}

/// Householder reflections of columns in turn: the columns that are no combination of those before them, the
/// upper triangle of these `[kept, kept]`, and the reflected target.
fn orthogonalize(
    columns: &[Vec<f64>],
    target: &[f64],
    aliased: f64,
) -> (Vec<usize>, Vec<f64>, Vec<f64>) {
    let height = target.len();
    let (mut kept, mut tops) = (Vec::new(), Vec::<Vec<f64>>::new());
    let mut reflections: Vec<(usize, Vec<f64>)> = Vec::new();
    let reflect = |(first, v): &(usize, Vec<f64>), x: &mut [f64]| {
        let below = &mut x[*first..];
        let product: f64 = 2.0 * v.iter().zip(&*below).map(|(v, x)| v * x).sum::<f64>();
        below.iter_mut().zip(v).for_each(|(x, v)| *x -= product * v);
    };
    for (at, column) in columns.iter().enumerate() {
        let mut x = column.clone();
        reflections.iter().for_each(|reflection| reflect(reflection, &mut x));
        let rank = kept.len();
        let all: f64 = column.iter().map(|x| x * x).sum();
        let left: f64 = x.iter().skip(rank).map(|x| x * x).sum();
        if rank >= height || left <= aliased * all || left == 0.0 {
            continue;
        }
        let mut v = x[rank..].to_vec();
        let norm = left.sqrt();
        let head = if v[0] > 0.0 { -norm } else { norm };
        v[0] -= head;
        let length = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        if length > 0.0 {
            v.iter_mut().for_each(|v| *v /= length);
        }
        x[rank] = head;
        x.truncate(rank + 1);
        tops.push(x);
        reflections.push((rank, v));
        kept.push(at);
    }
    let mut reflected = target.to_vec();
    reflections.iter().for_each(|reflection| reflect(reflection, &mut reflected));
    let n = kept.len();
    let mut r = vec![0.0; n * n];
    for (j, top) in tops.iter().enumerate() {
        top.iter().enumerate().for_each(|(i, x)| r[i * n + j] = *x);
    }
    (kept, r, reflected)
}

/// The solution of R v = q.
fn back_substitute(r: &[f64], q: &[f64], n: usize) -> Vec<f64> {
    let mut v = vec![0.0; n];
    for i in (0..n).rev() {
        let inner: f64 = (i + 1..n).map(|j| r[i * n + j] * v[j]).sum();
        v[i] = (q[i] - inner) / r[i * n + i];
    }
    v
}

/// R⁻¹.
fn inverse_of_upper(r: &[f64], n: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; n * n];
    for j in 0..n {
        inverse[j * n + j] = 1.0 / r[j * n + j];
        for i in (0..j).rev() {
            let inner: f64 = (i + 1..=j).map(|k| r[i * n + k] * inverse[k * n + j]).sum();
            inverse[i * n + j] = -inner / r[i * n + i];
        }
    }
    inverse
}

/// A Aᵀ of an upper triangle A.
fn gram_of_rows(a: &[f64], n: usize) -> Vec<f64> {
    let mut gram = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let product: f64 = (i..n).map(|k| a[i * n + k] * a[j * n + k]).sum();
            gram[i * n + j] = product;
            gram[j * n + i] = product;
        }
    }
    gram
}
