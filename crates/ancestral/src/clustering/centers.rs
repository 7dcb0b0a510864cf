//! Distances from rows to centers by products.

use super::points::Real;
use super::product::{Packed, squared_distance, vectorized};

/// Rows whose distances are computed at once.
pub(super) const ROWS: usize = 128;

/// Centers `[count, columns]` with what their distances need.
#[derive(Debug)]
pub(super) struct Centers<T> {
    values: Vec<T>,
    packed: Packed<T>,
    squares: Vec<T>,
    columns: usize,
    /// The largest rounding error of a squared distance, relative to the squared lengths.
    error: T,
}

impl<T: Real> Centers<T> {
    pub(super) fn new(values: Vec<T>, columns: usize) -> Self {
        let packed = Packed::new(&values, columns);
        let squares = values.chunks_exact(columns).map(square).collect();
        Self { values, packed, squares, columns, error: T::of(rounding::<T>(columns)) }
    }

    /// The number of centers.
    pub(super) fn len(&self) -> usize {
        self.squares.len()
    }

    /// The values of a center.
    #[inline(always)]
    pub(super) fn row(&self, center: usize) -> &[T] {
        &self.values[center * self.columns..][..self.columns]
    }

    /// All values.
    pub(super) fn values(&self) -> &[T] {
        &self.values
    }

    /// The squared distances of rows to all centers, into `out` `[rows, centers]`.
    ///
    /// Those that are small against the lengths of row and center, and so would have few digits, are
    /// computed from differences.
    pub(super) fn squared_distances(&self, rows: &[T], squares: &[T], out: &mut [T]) {
        let all: Vec<&[T]> = rows.chunks_exact(self.columns).collect();
        self.packed.dots(&all, out);
        vectorized(
            #[inline(always)]
            || self.turn_into_distances(rows, squares, out),
        );
    }

    /// Turns the products of rows with all centers into their squared distances.
    #[inline(always)]
    fn turn_into_distances(&self, rows: &[T], squares: &[T], out: &mut [T]) {
        let two = T::of(2.0);
        // Below this, at least a thousandth of the distance could be rounding error.
        let near = self.error * T::of(1000.0);
        let rows = rows.chunks_exact(self.columns).zip(squares);
        for ((row, &square), out) in rows.zip(out.chunks_exact_mut(self.len())) {
            for (center, (out, &other)) in out.iter_mut().zip(&self.squares).enumerate() {
                let lengths = square + other;
                *out = lengths - two * *out;
                if *out <= near * lengths {
                    *out = squared_distance(row, self.row(center));
                }
            }
        }
    }

    /// The dot products of rows with all centers, into `out` `[rows, centers]`.
    #[inline]
    pub(super) fn dots(&self, rows: &[&[T]], out: &mut [T]) {
        self.packed.dots(rows, out);
    }

    /// Turns the products of a row with all centers into lower bounds of its squared distances.
    #[inline(always)]
    pub(super) fn squared_distance_bounds(&self, square: T, dots: &mut [T]) {
        for (dot, &other) in dots.iter_mut().zip(&self.squares) {
            let lengths = square + other;
            let bound = lengths - T::of(2.0) * *dot - self.error * lengths;
            *dot = if bound > T::default() { bound } else { T::default() };
        }
    }

    /// The squared length of a center.
    pub(super) fn square(&self, center: usize) -> T {
        self.squares[center]
    }

    /// A lower bound of the squared distance to a center, from the dot product.
    #[inline(always)]
    pub(super) fn squared_distance_bound(&self, square: T, center: usize, dot: T) -> T {
        let bound = square + self.squares[center] - T::of(2.0) * dot - self.error(square, center);
        if bound > T::default() { bound } else { T::default() }
    }

    /// The error of [`Self::squared_distances`] for a row and a center with these squared lengths.
    #[inline(always)]
    pub(super) fn error(&self, square: T, center: usize) -> T {
        self.error * (square + self.squares[center])
    }
}

/// The relative rounding error of a sum over the columns.
pub(super) fn rounding<T: Real>(columns: usize) -> f64 {
    (columns + 8) as f64 * T::EPSILON.to_f64()
}

/// The squared length of a row.
#[inline(always)]
pub(super) fn square<T: Real>(row: &[T]) -> T {
    const LANES: usize = 16;
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += x.to_f64() * x.to_f64();
        }
    }
    let rest: f64 = rest.iter().map(|x| x.to_f64() * x.to_f64()).sum();
    T::of(lanes.iter().sum::<f64>() + rest)
}
