//! Distances between two sets of features: the Fréchet distance of Gaussians (as in FID), the
//! kernel distance (as in KID), and the Chamfer distance.
//!
//! The first two compare activations of a network, and values are comparable only for the same
//! network. Everything is computed in `f64`, in an order that does not depend on the number of
//! threads.

use ancestral_data::Streams;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par, Side};
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::rows::Rows;
use crate::model::Estimate;
use crate::{Error, Result};

/// Rows that are converted to `f64` at once.
const AT_ONCE: usize = 1000;

/// Mean and covariance of a set of features.
#[derive(Debug, Clone)]
pub struct Gaussian {
    mean: Vec<f64>,
    covariance: Mat<f64>,
}

impl Gaussian {
    /// The moments of rows, with the unbiased covariance (divisor n − 1).
    ///
    /// # Errors
    /// If there are fewer than two rows.
    pub fn of(rows: Rows<'_>) -> Result<Self> {
        let (n, dim) = (rows.len(), rows.dim());
        if n < 2 {
            return Err(Error::UnsuitableData {
                model: "the Fréchet distance".to_owned(),
                problem: "a covariance needs two examples or more, and there is one".to_owned(),
            });
        }
        let mean = rows.means();
        let mut covariance = Mat::zeros(dim, dim);
        let factor = 1.0 / (n as f64 - 1.0);
        for part in rows.values().chunks(AT_ONCE * dim) {
            let centered: Vec<f64> =
                part.iter().enumerate().map(|(i, &x)| f64::from(x) - mean[i % dim]).collect();
            let centered = MatRef::from_row_major_slice(&centered, part.len() / dim, dim);
            let (sum, x) = (covariance.as_mut(), centered.transpose());
            matmul(sum, Accum::Add, x, centered, factor, Par::Seq);
        }
        Ok(Self { mean, covariance })
    }

    /// A Gaussian with the given mean `[dim]` and covariance `[dim, dim]`, row after row.
    ///
    /// # Errors
    /// If the covariance has another size than the mean.
    pub fn new(mean: Vec<f64>, covariance: &[f64]) -> Result<Self> {
        let dim = mean.len();
        if dim == 0 || covariance.len() != dim * dim {
            return Err(Error::UnsuitableData {
                model: "the Fréchet distance".to_owned(),
                problem: format!(
                    "a mean of {dim} entries and a covariance of {} do not belong together",
                    covariance.len()
                ),
            });
        }
        let covariance = MatRef::from_row_major_slice(covariance, dim, dim).to_owned();
        Ok(Self { mean, covariance })
    }

    /// The squared Fréchet distance (2-Wasserstein) to another Gaussian (Dowson and Landau 1982;
    /// Heusel et al. 2017, arXiv:1706.08500, equation 6):
    /// |μ₁ − μ₂|² + tr(C₁ + C₂ − 2 (C₁ C₂)^½).
    ///
    /// The last trace is that of (S₁ C₂ S₁)^½ with S = C^½, hence the sum of the singular values of
    /// S₁ S₂, which loses no digits to a square root of values near 0.
    ///
    /// # Errors
    /// If the sizes differ or a decomposition does not converge.
    pub fn frechet_distance(&self, other: &Self) -> Result<f64> {
        if self.mean.len() != other.mean.len() {
            return Err(Error::UnsuitableData {
                model: "the Fréchet distance".to_owned(),
                problem: format!(
                    "{} features on one side and {} on the other",
                    self.mean.len(),
                    other.mean.len()
                ),
            });
        }
        let shift: f64 = self.mean.iter().zip(&other.mean).map(|(a, b)| (a - b).powi(2)).sum();
        let trace = |m: &Mat<f64>| (0..m.nrows()).map(|i| m[(i, i)]).sum::<f64>();
        let roots = self.root()? * other.root()?;
        let values = roots.singular_values().map_err(|_| stuck())?;
        let overlap: f64 = values.iter().sum();
        // Rounding may leave a little less than nothing.
        Ok((shift + trace(&self.covariance) + trace(&other.covariance) - 2.0 * overlap).max(0.0))
    }

    /// C^½; negative eigenvalues from rounding are set to 0.
    fn root(&self) -> Result<Mat<f64>> {
        let eigen = self.covariance.self_adjoint_eigen(Side::Lower).map_err(|_| stuck())?;
        let vectors = eigen.U();
        let values = eigen.S().column_vector();
        let scaled = Mat::from_fn(vectors.nrows(), vectors.ncols(), |i, j| {
            vectors[(i, j)] * values[j].max(0.0).sqrt()
        });
        Ok(scaled * vectors.transpose())
    }
}

fn stuck() -> Error {
    Error::Unsupported {
        model: "the Fréchet distance".to_owned(),
        problem: "cannot be computed: a decomposition does not converge".to_owned(),
    }
}

/// The squared Fréchet distance between Gaussians with the moments of two sets
/// ([`Gaussian::frechet_distance`]).
///
/// With n examples it is biased upwards, by about the same on both sides of a comparison if n is the
/// same: compare values at the same n only.
///
/// # Errors
/// If a side has fewer than two rows or their widths differ.
pub fn frechet_distance(a: Rows<'_>, b: Rows<'_>) -> Result<f64> {
    a.expect("the Fréchet distance", 2, &b)?;
    Gaussian::of(a)?.frechet_distance(&Gaussian::of(b)?)
}

/// Groups of rows that are left out in turn for the error of the Fréchet distance.
const GROUPS: usize = 20;
/// The most features for which this takes seconds.
const MOST_RESAMPLED: usize = 256;

/// The Fréchet distance with its resampling error: a jackknife over twenty groups of every side (Efron
/// and Stein 1981). No error is given for fewer than 40 rows on a side or more than 256 features.
///
/// The error is that of drawing other examples from the same distributions; the bias of a distance of n
/// examples is not in it.
///
/// # Errors
/// If a side has fewer than two rows or their widths differ.
pub fn frechet_estimate(a: Rows<'_>, b: Rows<'_>) -> Result<Estimate> {
    a.expect("the Fréchet distance", 2, &b)?;
    let (of_a, of_b) = (Gaussian::of(a)?, Gaussian::of(b)?);
    let value = of_a.frechet_distance(&of_b)?;
    let resampled = a.len().min(b.len()) >= 2 * GROUPS && a.dim() <= MOST_RESAMPLED;
    let variance = |rows: Rows<'_>, other: &Gaussian| -> Result<f64> {
        let without = |group: usize| {
            let kept = (0..rows.len()).filter(|i| i % GROUPS != group);
            let kept: Vec<f32> = kept.flat_map(|i| rows.row(i)).copied().collect();
            Gaussian::of(Rows::new(&kept, rows.dim(), "features")?)?.frechet_distance(other)
        };
        let found: Vec<f64> = (0..GROUPS).into_par_iter().map(without).collect::<Result<_>>()?;
        let count = GROUPS as f64;
        let mean = found.iter().sum::<f64>() / count;
        let squares: f64 = found.iter().map(|x| (x - mean).powi(2)).sum();
        Ok(squares * (count - 1.0) / count)
    };
    let stderr = match resampled {
        true => Some((variance(a, &of_b)? + variance(b, &of_a)?).sqrt()),
        false => None,
    };
    Ok(Estimate { name: "Fréchet distance".to_owned(), value, stderr })
}

/// The Chamfer distance (Fan, Su and Guibas 2017, arXiv:1612.00603, equation 1, without squares):
/// the mean distance of each row of `a` to the nearest of `b`, plus that of each of `b` to the
/// nearest of `a`. Samples far from the data raise the first term, modes without samples the
/// second.
///
/// # Errors
/// If a side is empty or their widths differ.
pub fn chamfer_distance(a: Rows<'_>, b: Rows<'_>) -> Result<f64> {
    a.expect("the Chamfer distance", 1, &b)?;
    let one_way = |a: &Rows<'_>, b: &Rows<'_>| {
        let squared = |x: &[f32], y: &[f32]| {
            x.iter().zip(y).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum::<f64>()
        };
        let nearest = |i: usize| {
            (0..b.len()).map(|j| squared(a.row(i), b.row(j))).fold(f64::INFINITY, f64::min).sqrt()
        };
        (0..a.len()).map(nearest).sum::<f64>() / a.len() as f64
    };
    Ok(one_way(&a, &b) + one_way(&b, &a))
}

/// The energy distance relative to its largest value (Székely and Rizzo 2013, "Energy statistics", the
/// coefficient H): (2 E|X − Y| − E|X − X′| − E|Y − Y′|) / (2 E|X − Y|), by means over distinct pairs. It
/// is 0 for equal distributions, up to chance on both sides of 0, and 1 for two different points.
///
/// Its standard error is that of the jackknife over the rows of both sides, from three on each.
///
/// # Errors
/// If a side has fewer than two rows or their widths differ.
pub fn energy_distance(a: Rows<'_>, b: Rows<'_>) -> Result<Estimate> {
    a.expect("the energy distance", 2, &b)?;
    let distance = |x: &[f32], y: &[f32]| {
        x.iter().zip(y).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum::<f64>().sqrt()
    };
    // Summed by rows, so that the value does not depend on the number of threads.
    let sums = |a: Rows<'_>, b: Rows<'_>| -> Vec<f64> {
        let of_row = |i| (0..b.len()).map(|j| distance(a.row(i), b.row(j))).sum::<f64>();
        (0..a.len()).into_par_iter().map(of_row).collect()
    };
    let [a_to_b, b_to_a, a_to_a, b_to_b] = [sums(a, b), sums(b, a), sums(a, a), sums(b, b)];
    let [between, in_a, in_b] =
        [&a_to_b, &a_to_a, &b_to_b].map(|sums: &Vec<f64>| sums.iter().sum::<f64>());
    let value = |n: f64, m: f64, between: f64, in_a: f64, in_b: f64| {
        let between = 2.0 * between / (n * m);
        let within = in_a / (n * (n - 1.0)) + in_b / (m * (m - 1.0));
        if between > 0.0 { (between - within) / between } else { 0.0 }
    };
    let (n, m) = (a.len() as f64, b.len() as f64);
    let variance = |without: Vec<f64>| {
        let n = without.len() as f64;
        let mean = without.iter().sum::<f64>() / n;
        (n - 1.0) / n * without.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
    };
    let stderr = (a.len() > 2 && b.len() > 2).then(|| {
        // Without a row of a side; its pairs within the side were counted twice.
        let rows = a_to_b.iter().zip(&a_to_a);
        let of_a = rows.map(|(to, own)| value(n - 1.0, m, between - to, in_a - 2.0 * own, in_b));
        let rows = b_to_a.iter().zip(&b_to_b);
        let of_b = rows.map(|(to, own)| value(n, m - 1.0, between - to, in_a, in_b - 2.0 * own));
        (variance(of_a.collect()) + variance(of_b.collect())).sqrt()
    });
    Ok(Estimate {
        name: "energy distance".to_owned(),
        value: value(n, m, between, in_a, in_b),
        stderr,
    })
}

/// Examples per side in a subset of the kernel distance, if there are at least ten times as many.
const SUBSET: usize = 1000;
/// The smallest number of subsets.
const SUBSETS: usize = 10;

/// The kernel distance of KID (Bińkowski et al. 2018, arXiv:1801.01401, section 4): the squared
/// maximum
/// mean discrepancy under k(x, y) = (x·y / dim + 1)³, by the unbiased estimator of Gretton et al.
/// 2012, equation 3, so that it may be a little below 0.
///
/// It is the mean over disjoint subsets of 1000 examples per side (or a tenth of the smaller side,
/// if that is less), drawn by `seed`, with the standard error of that mean. The usual 100 subsets
/// overlap, so that their spread underestimates the error.
///
/// # Errors
/// If a side has fewer than 20 rows or their widths differ.
pub fn kernel_distance(a: Rows<'_>, b: Rows<'_>, seed: u64) -> Result<Estimate> {
    a.expect("the kernel distance", 2 * SUBSETS, &b)?;
    let least = a.len().min(b.len());
    let size = SUBSET.min(least / SUBSETS);
    let order = |side: u64, n: usize| {
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut Streams::new(seed).item("kernel distance", 0, side));
        order
    };
    let (order_a, order_b) = (order(0, a.len()), order(1, b.len()));
    let found: Vec<f64> = (0..least / size)
        .into_par_iter()
        .map(|i| {
            let at = i * size..(i + 1) * size;
            discrepancy(&gathered(a, &order_a[at.clone()]), &gathered(b, &order_b[at]))
        })
        .collect();
    let n = found.len() as f64;
    let mean = found.iter().sum::<f64>() / n;
    let variance = found.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Ok(Estimate {
        name: "kernel distance".to_owned(),
        value: mean,
        stderr: Some((variance / n).sqrt()),
    })
}

fn gathered(rows: Rows<'_>, chosen: &[usize]) -> Mat<f64> {
    // By columns, so that rows of products are contiguous.
    Mat::from_fn(rows.dim(), chosen.len(), |j, i| f64::from(rows.row(chosen[i])[j]))
}

/// The unbiased squared maximum mean discrepancy of two sets of the same size, one example per
/// column.
fn discrepancy(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    let n = a.ncols() as f64;
    let dim = a.nrows() as f64;
    let kernel = |x: f64| {
        let base = x / dim + 1.0;
        base * base * base
    };
    let mut products = Mat::zeros(a.ncols(), b.ncols());
    let mut sum = |a: &Mat<f64>, b: &Mat<f64>, diagonal: bool| {
        matmul(products.as_mut(), Accum::Replace, a.transpose(), b, 1.0, Par::Seq);
        let mut sum = 0.0;
        for (j, column) in products.col_iter().enumerate() {
            for (i, &x) in column.iter().enumerate() {
                if diagonal || i != j {
                    sum += kernel(x);
                }
            }
        }
        sum
    };
    let within = (sum(a, a, false) + sum(b, b, false)) / (n * (n - 1.0));
    within - 2.0 * sum(a, b, true) / (n * n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::rows::tests::golden;

    /// Values of tests/golden_quality.py.
    const FRECHET: f64 = 1.82836838655;
    const DISCREPANCY: f64 = 1.48237299141;

    fn rows(values: &[f32], dim: usize) -> Rows<'_> {
        Rows::new(values, dim, "test rows").unwrap()
    }

    /// Two points and one, on a line: (2 + 1) / 2 one way, 1 the other.
    #[test]
    fn the_chamfer_distance_is_its_formula() {
        let found = chamfer_distance(rows(&[0.0, 1.0], 1), rows(&[2.0], 1)).unwrap();
        near(found, 2.5, 1e-12);
        let set = golden(30, 3, 0.7, 0.2);
        near(chamfer_distance(rows(&set, 3), rows(&set, 3)).unwrap(), 0.0, 1e-12);
    }

    /// Two points at 0 and 1 and two at 2 and 4: between them 2.5 on average, within 1 and 2.
    #[test]
    fn the_energy_distance_is_its_formula() {
        let (a, b) = ([0.0, 1.0], [2.0, 4.0]);
        near(energy_distance(rows(&a, 1), rows(&b, 1)).unwrap().value, 2.0 / 5.0, 1e-12);
        near(energy_distance(rows(&[1.0; 4], 2), rows(&[3.0; 6], 2)).unwrap().value, 1.0, 1e-12);
        near(energy_distance(rows(&[1.0; 4], 2), rows(&[1.0; 6], 2)).unwrap().value, 0.0, 1e-12);
        let (a, b) = (golden(200, 3, 0.7, 0.2), golden(150, 3, 0.7, 0.2));
        assert!(energy_distance(rows(&a, 3), rows(&b, 3)).unwrap().value.abs() < 0.02);
        assert!(energy_distance(rows(&a, 3), rows(&[1.0], 1)).is_err());
    }

    fn near(found: f64, expected: f64, error: f64) {
        assert!((found - expected).abs() < error, "{found} {expected}");
    }

    #[test]
    fn frechet_has_its_closed_forms() {
        // Covariances that commute, by their eigenvalues: |Δμ|² + Σ (√λ − √κ)², turned by 30°.
        let (c, s) = (0.75f64.sqrt(), 0.5);
        let turned = |a: f64, b: f64| {
            let off = (a - b) * c * s;
            [a * c * c + b * s * s, off, off, a * s * s + b * c * c]
        };
        let gaussian = |mean: [f64; 2], a, b| Gaussian::new(mean.to_vec(), &turned(a, b)).unwrap();
        let (p, q) = (gaussian([1.0, 2.0], 4.0, 9.0), gaussian([0.0, 5.0], 1.0, 16.0));
        near(p.frechet_distance(&q).unwrap(), 10.0 + 1.0 + 1.0, 1e-12);
        near(q.frechet_distance(&p).unwrap(), 12.0, 1e-12);
        near(p.frechet_distance(&p).unwrap(), 0.0, 1e-12);
        // Some that do not: [[2, 1], [1, 2]] and diag(1, 4), whose product has trace 10 and
        // determinant 12, so that the trace of its root is √(10 + 2 √12).
        let (p, q) = (
            Gaussian::new(vec![0.0; 2], &[2.0, 1.0, 1.0, 2.0]).unwrap(),
            Gaussian::new(vec![0.0; 2], &[1.0, 0.0, 0.0, 4.0]).unwrap(),
        );
        let expected = 4.0 + 5.0 - 2.0 * (10.0 + 2.0 * 12f64.sqrt()).sqrt();
        near(p.frechet_distance(&q).unwrap(), expected, 1e-12);
        // A point and a Gaussian: no covariance to share.
        let point = Gaussian::new(vec![3.0, 4.0], &[0.0; 4]).unwrap();
        near(p.frechet_distance(&point).unwrap(), 25.0 + 4.0, 1e-12);
        assert!(Gaussian::new(vec![0.0; 2], &[1.0]).is_err());
    }

    #[test]
    fn frechet_of_rows() {
        let (a, b) = (golden(60, 5, 1.3, 0.0), golden(50, 5, 0.9, 0.6));
        near(frechet_distance(rows(&a, 5), rows(&b, 5)).unwrap(), FRECHET, 1e-10);
        near(frechet_distance(rows(&a, 5), rows(&a, 5)).unwrap(), 0.0, 1e-12);
        // Fewer rows than features, and features that are always 0.
        let few = golden(4, 30, 1.3, 0.0);
        near(frechet_distance(rows(&few, 30), rows(&few, 30)).unwrap(), 0.0, 1e-10);
        near(frechet_distance(rows(&[0.0; 6], 3), rows(&[2.0; 9], 3)).unwrap(), 12.0, 1e-12);
        let error = frechet_distance(rows(&a, 5), rows(&few, 30)).unwrap_err().to_string();
        assert!(error.contains("5 features on one side and of 30"), "{error}");
        assert!(frechet_distance(rows(&a, 5), rows(&a[..5], 5)).is_err());
    }

    /// The errors are the spread of repeated draws.
    #[test]
    fn errors_of_frechet_distances_are_those_of_repetition() {
        let draws = |seed, n: usize| Streams::new(seed).purpose("k", 0).normals(&[0], 4 * n);
        let wide = |seed, n| draws(seed, n).iter().map(|x| 0.4 + 1.5 * x).collect::<Vec<f32>>();
        let mut found = Vec::new();
        for seed in 0..200 {
            let (a, b) = (draws(2 * seed, 400), wide(2 * seed + 1, 600));
            found.push(frechet_estimate(rows(&a, 4), rows(&b, 4)).unwrap());
        }
        let n = found.len() as f64;
        let mean = found.iter().map(|f| f.value).sum::<f64>() / n;
        let spread =
            (found.iter().map(|f| (f.value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let error = found.iter().map(|f| f.stderr.unwrap()).sum::<f64>() / n;
        // The spread of 200 is known to 5 %.
        assert!((0.8..1.25).contains(&(error / spread)), "{error} {spread}");
        let few = draws(0, 39);
        assert!(frechet_estimate(rows(&few, 4), rows(&few, 4)).unwrap().stderr.is_none());
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (a, b) = (draws(0, 400), wide(1, 600));
            let again = pool.install(|| frechet_estimate(rows(&a, 4), rows(&b, 4))).unwrap();
            assert_eq!(again.stderr, found[0].stderr);
        }
    }

    #[test]
    fn kernel_distance_of_rows() {
        let (a, b) = (golden(50, 5, 1.3, 0.0), golden(50, 5, 0.9, 0.6));
        let all: Vec<usize> = (0..50).collect();
        let found = discrepancy(&gathered(rows(&a, 5), &all), &gathered(rows(&b, 5), &all));
        near(found, DISCREPANCY, 1e-10);
        assert!(kernel_distance(rows(&a[..95], 5), rows(&b, 5), 0).is_err());
    }

    /// Two halves of one distribution are 0 apart, within errors that are those of repetition.
    #[test]
    fn kernel_distance_is_unbiased() {
        let draws = |seed, n: usize| Streams::new(seed).purpose("k", 0).normals(&[0], 4 * n);
        let mut scores = Vec::new();
        for seed in 0..40 {
            let (a, b) = (draws(2 * seed, 200), draws(2 * seed + 1, 240));
            let found = kernel_distance(rows(&a, 4), rows(&b, 4), seed).unwrap();
            scores.push(found.value / found.stderr.unwrap());
        }
        let n = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / n;
        let spread = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        // Student's t with nine degrees of freedom has a deviation of 1.13.
        assert!(mean.abs() < 4.0 * 1.13 / n.sqrt(), "{mean}");
        assert!((0.8..1.6).contains(&spread), "{spread}");
        let moved: Vec<f32> = draws(1, 240).iter().map(|x| x + 0.6).collect();
        let a = draws(0, 200);
        let found = kernel_distance(rows(&a, 4), rows(&moved, 4), 0).unwrap();
        assert!(found.value > 4.0 * found.stderr.unwrap(), "{found:?}");
    }
}
