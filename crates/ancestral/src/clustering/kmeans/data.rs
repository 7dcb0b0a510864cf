//! The rows of K-means: centered, with weights.

use super::super::centers::square;
use super::super::error::{Error, Result};
use super::super::points::{Points, Real};

/// Centered rows with their weights.
#[derive(Debug)]
pub(super) struct Data<'a, T> {
    rows: Vec<T>,
    columns: usize,
    means: Vec<f64>,
    /// Squared lengths of the rows.
    squares: Vec<T>,
    weights: Option<&'a [f64]>,
}

impl<'a, T: Real> Data<'a, T> {
    pub(super) fn new(points: Points<'_, T>, weights: Option<&'a [f64]>) -> Result<Self> {
        if let Some(weights) = weights {
            let (found, expected) = (weights.len(), points.rows());
            if found != expected {
                return Err(Error::Mismatch { what: "sample weights", found, expected });
            }
            let bad = weights.iter().position(|w| !(*w >= 0.0 && w.is_finite()));
            if let Some(row) = bad {
                return Err(Error::Weight { row, value: weights[row] });
            }
            if !weights.iter().any(|&w| w > 0.0) {
                return Err(Error::Weight { row: 0, value: 0.0 });
            }
        }
        let (means, columns) = (points.means(), points.columns());
        let rows = points.centered(&means);
        let squares = rows.chunks_exact(columns).map(square).collect();
        Ok(Self { rows, columns, means, squares, weights })
    }

    pub(super) fn rows(&self) -> usize {
        self.squares.len()
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn means(&self) -> &[f64] {
        &self.means
    }

    #[inline]
    pub(super) fn row(&self, row: usize) -> &[T] {
        &self.rows[row * self.columns..][..self.columns]
    }

    /// The squared length of a row.
    #[inline]
    pub(super) fn square(&self, row: usize) -> T {
        self.squares[row]
    }

    #[inline]
    pub(super) fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// The rows of a block of `size` rows, with their squared lengths.
    pub(super) fn block(&self, block: usize, size: usize) -> (&[T], &[T]) {
        let (start, end) = (block * size, self.rows().min((block + 1) * size));
        (&self.rows[start * self.columns..end * self.columns], &self.squares[start..end])
    }

    /// The mean over columns of their variances, to which `tol` is relative.
    pub(super) fn mean_variance(&self) -> f64 {
        let sum: f64 = self.squares.iter().map(|x| x.to_f64()).sum();
        sum / self.rows() as f64 / self.columns as f64
    }
}
