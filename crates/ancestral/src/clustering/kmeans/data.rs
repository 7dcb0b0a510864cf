//! The rows of K-means: centered, with weights.

use std::borrow::Cow;

use rayon::prelude::*;

use super::super::centers::square;
use super::super::error::{Error, Result};
use super::super::points::{BLOCK, Points, Real};
use super::super::product::vectorized;

/// Rows with their weights; centered, unless they are near the origin anyway.
#[derive(Debug)]
pub(super) struct Data<'a, T: Clone> {
    rows: Cow<'a, [T]>,
    columns: usize,
    /// What was subtracted from each column.
    means: Vec<f64>,
    /// The mean over columns of their variances.
    variance: f64,
    /// Squared lengths of the rows.
    squares: Vec<T>,
    weights: Option<&'a [f64]>,
}

impl<'a, T: Real> Data<'a, T> {
    pub(super) fn new(points: Points<'a, T>, weights: Option<&'a [f64]>) -> Result<Self> {
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
        let (mut means, columns) = (points.means(), points.columns());
        let length = means.iter().map(|mean| mean * mean).sum::<f64>();
        let squares = squares(points.values(), columns);
        let total = squares.iter().map(|x| x.to_f64()).sum::<f64>() / points.rows() as f64;
        // Lengths of which at least half is spread keep the digits of distances.
        if total >= 2.0 * length {
            means.fill(0.0);
            let (rows, variance) = (Cow::Borrowed(points.values()), total - length);
            let variance = variance / columns as f64;
            return Ok(Self { rows, columns, means, variance, squares, weights });
        }
        let rows = Cow::Owned(points.centered(&means));
        let squares = self::squares(&rows, columns);
        let sum: f64 = squares.iter().map(|x| x.to_f64()).sum();
        let variance = sum / points.rows() as f64 / columns as f64;
        Ok(Self { rows, columns, means, variance, squares, weights })
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
        self.variance
    }
}

/// The squared lengths of rows.
fn squares<T: Real>(rows: &[T], columns: usize) -> Vec<T> {
    let blocks: Vec<Vec<T>> = rows
        .par_chunks(BLOCK * columns)
        .map(|rows| {
            vectorized(
                #[inline(always)]
                || rows.chunks_exact(columns).map(square).collect(),
            )
        })
        .collect();
    blocks.concat()
}
