//! The first two principal components of rows.

use rayon::prelude::*;

use super::points::{BLOCK, Points, Real, UniformStreams};

/// Most rows from which principal components are computed.
const PCA_ROWS: usize = 10_000;
/// Iterations for principal components.
const PCA_ITERATIONS: usize = 50;

/// Rows on the plane of their first two principal components.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    means: Vec<f64>,
    /// Orthonormal directions; the second is all zeros where rows lie on a line.
    directions: [Vec<f64>; 2],
    /// The share of the variance along each direction.
    pub shares: [f64; 2],
}

impl Plane {
    /// The plane of some rows.
    pub fn of<T: Real>(points: Points<'_, T>, streams: &dyn UniformStreams) -> Self {
        let (means, columns) = (points.means(), points.columns());
        let rows = points.values().chunks_exact(columns);
        let squares =
            rows.flat_map(|row| row.iter().zip(&means)).map(|(x, m)| (x.to_f64() - m).powi(2));
        let total = squares.sum::<f64>() / points.rows() as f64;
        let mut directions = components(points, &means, streams);
        let mut shares = [0.0; 2];
        for (direction, share) in directions.iter_mut().zip(&mut shares) {
            let length = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
            if length > 0.0 {
                direction.iter_mut().for_each(|x| *x /= length);
                *share = length * length / total;
            }
        }
        Self { means, directions, shares }
    }

    /// Where a row lies on it.
    pub fn place(&self, row: &[f64]) -> (f64, f64) {
        let along = |direction: &[f64]| {
            let row = row.iter().zip(&self.means).map(|(x, mean)| x - mean);
            row.zip(direction).map(|(x, d)| x * d).sum()
        };
        (along(&self.directions[0]), along(&self.directions[1]))
    }
}

/// The first two principal components of rows, each times its standard deviation, by orthogonal
/// iteration; at most [`PCA_ROWS`] rows in equal steps are used.
pub(super) fn components<T: Real>(
    points: Points<'_, T>,
    means: &[f64],
    streams: &dyn UniformStreams,
) -> [Vec<f64>; 2] {
    let columns = means.len();
    let step = points.rows().div_ceil(PCA_ROWS);
    let some: Vec<&[T]> = points.values().chunks_exact(columns).step_by(step).collect();
    let mut uniform = streams.stream("som components", 0);
    let mut vectors = [0, 1].map(|_| (0..columns).map(|_| uniform() - 0.5).collect::<Vec<f64>>());
    for _ in 0..PCA_ITERATIONS {
        orthonormalize(&mut vectors);
        let blocks: Vec<[Vec<f64>; 2]> = some
            .par_chunks(BLOCK)
            .map(|block| {
                let mut sums = [vec![0.0; columns], vec![0.0; columns]];
                let mut centered = vec![0.0; columns];
                for row in block {
                    for ((out, x), mean) in centered.iter_mut().zip(*row).zip(means) {
                        *out = x.to_f64() - mean;
                    }
                    for (sum, vector) in sums.iter_mut().zip(&vectors) {
                        let along: f64 = centered.iter().zip(vector).map(|(x, v)| x * v).sum();
                        sum.iter_mut().zip(&centered).for_each(|(s, x)| *s += along * x);
                    }
                }
                sums
            })
            .collect();
        for (i, vector) in vectors.iter_mut().enumerate() {
            vector.fill(0.0);
            for block in &blocks {
                vector.iter_mut().zip(&block[i]).for_each(|(v, s)| *v += s / some.len() as f64);
            }
        }
    }
    // Lengths are variances.
    let variances = orthonormalize(&mut vectors);
    for (vector, variance) in vectors.iter_mut().zip(variances) {
        // The sign is that of the largest entry.
        let largest =
            vector.iter().copied().fold(0.0, |m: f64, x| if x.abs() > m.abs() { x } else { m });
        let scale = variance.sqrt() * if largest < 0.0 { -1.0 } else { 1.0 };
        vector.iter_mut().for_each(|v| *v *= scale);
    }
    vectors
}

/// Makes vectors orthonormal; their lengths before, 0 for one that depends on the first.
fn orthonormalize([first, second]: &mut [Vec<f64>; 2]) -> [f64; 2] {
    let length = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let scale = |v: &mut [f64], by: f64| v.iter_mut().for_each(|x| *x *= by);
    let one = length(first);
    scale(first, if one > 0.0 { 1.0 / one } else { 0.0 });
    let along: f64 = first.iter().zip(second.iter()).map(|(a, b)| a * b).sum();
    second.iter_mut().zip(first.iter()).for_each(|(b, a)| *b -= along * a);
    let mut two = length(second);
    if two <= 1e-12 * one {
        two = 0.0;
    }
    scale(second, if two > 0.0 { 1.0 / two } else { 0.0 });
    [one, two]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Noise, Streams};
    use super::*;

    #[test]
    fn a_plane_holds_most_of_the_variance() {
        let mut noise = Noise::new(3);
        let mut values = Vec::new();
        for _ in 0..500 {
            let (a, b) = (10.0 * noise.normal(), 3.0 * noise.normal());
            values.extend([100.0 + a, b, a, 0.01 * noise.normal()]);
        }
        let plane = Plane::of(Points::new(&values, 4).unwrap(), &Streams(1));
        assert!(plane.shares[0] > plane.shares[1] && plane.shares.iter().sum::<f64>() > 0.999);
        // Distances survive.
        let place = |row: usize| plane.place(&values[row * 4..][..4]);
        for (i, j) in [(0, 1), (7, 300)] {
            let (p, q) = (place(i), place(j));
            let apart = (p.0 - q.0).hypot(p.1 - q.1);
            let rows = values[i * 4..][..4].iter().zip(&values[j * 4..][..4]);
            let real = rows.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            assert!((apart / real - 1.0).abs() < 1e-2, "{apart} {real}");
        }
        // Rows on a line, and equal rows.
        let line: Vec<f64> = (0..20).flat_map(|i| [f64::from(i), 2.0 * f64::from(i)]).collect();
        let plane = Plane::of(Points::new(&line, 2).unwrap(), &Streams(1));
        assert!(plane.shares[1] < 1e-12 && plane.place(&[3.0, 6.0]).1.abs() < 1e-9);
        let plane = Plane::of(Points::new(&[1.0; 8], 2).unwrap(), &Streams(1));
        assert_eq!(plane.place(&[1.0, 1.0]), (0.0, 0.0));
    }
}
