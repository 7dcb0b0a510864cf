//! All pairs of rows within a distance, in blocks, with memory for a few pairs a row.
//!
//! Euclidean distances come from products in single precision; pairs whose distance is near the
//! threshold, by a bound of the rounding errors, are computed again from differences in double precision.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use rayon::prelude::*;

use super::metric::Norm;
use super::points::Points;
use super::product::Packed;

/// Rows of a block.
const ROWS: usize = 128;
/// Pairs a row that are kept; with more of them, they are found again.
const KEPT: usize = 32;

/// Rows among which pairs within a distance are found.
pub(super) struct Within<'a> {
    values: &'a [f64],
    columns: usize,
    eps: f64,
    between: fn(&[f64], &[f64]) -> f64,
    products: Option<Products>,
    /// The pairs of each block of rows, once they are known to be few.
    kept: Vec<Vec<(u32, u32)>>,
    counts: Vec<u32>,
}

/// Centered rows in single precision, for products.
struct Products {
    /// `[rows, columns]`.
    rows: Vec<f32>,
    packed: Vec<Packed<f32>>,
    /// Squared lengths of the rows in single precision.
    squares: Vec<f32>,
    eps: f32,
    /// The rounding error of a squared distance, relative to the two squared lengths.
    error: f32,
}

impl Products {
    fn new(values: &[f64], columns: usize, eps: f64) -> Option<Self> {
        let points = Points::new(values, columns).ok()?;
        let centered = points.centered(&points.means());
        // Scaled to at most 1, so that squares do not overflow.
        let largest = centered.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        if !(largest > 0.0 && largest.is_finite()) {
            return None;
        }
        let rows: Vec<f32> = centered.iter().map(|x| (x / largest) as f32).collect();
        let packed = rows.chunks(ROWS * columns).map(|block| Packed::new(block, columns)).collect();
        let square = |row: &[f32]| row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        let squares = rows.chunks_exact(columns).map(|row| square(row) as f32).collect();
        // Each of the products' `columns` sums and a few steps more err by half a unit in the last place.
        let error = (columns + 8) as f32 * f32::EPSILON;
        Some(Self { rows, packed, squares, eps: (eps / (largest * largest)) as f32, error })
    }
}

impl<'a> Within<'a> {
    /// Finds the pairs within a reduced distance; `products` says whether it is a squared Euclidean one.
    pub(super) fn new<N: Norm>(
        values: &'a [f64],
        columns: usize,
        eps: f64,
        products: bool,
    ) -> Self {
        let products = products.then(|| Products::new(values, columns, eps)).flatten();
        let (kept, counts) = (Vec::new(), Vec::new());
        let mut own = Self { values, columns, eps, between: N::between, products, kept, counts };
        own.count();
        own
    }

    fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// The number of rows within the distance of each row, itself included.
    pub(super) fn counts(&self) -> &[u32] {
        &self.counts
    }

    fn count(&mut self) {
        let counts: Vec<AtomicU32> = (0..self.rows()).map(|_| AtomicU32::new(1)).collect();
        let (total, most) = (AtomicUsize::new(0), KEPT * self.rows());
        let kept: Vec<Vec<(u32, u32)>> = (0..self.rows().div_ceil(ROWS))
            .into_par_iter()
            .map(|block| {
                let mut pairs = Vec::new();
                let mut local = vec![0u32; ROWS];
                self.block(block, &mut |a, b| {
                    local[a % ROWS] += 1;
                    counts[b].fetch_add(1, Relaxed);
                    if pairs.len() <= most {
                        pairs.push((a as u32, b as u32));
                    }
                });
                for (count, row) in local.into_iter().zip(&counts[block * ROWS..]) {
                    row.fetch_add(count, Relaxed);
                }
                if total.fetch_add(pairs.len(), Relaxed) + pairs.len() > most {
                    pairs = Vec::new();
                }
                pairs
            })
            .collect();
        if total.into_inner() <= most {
            self.kept = kept;
        }
        self.counts = counts.into_iter().map(AtomicU32::into_inner).collect();
    }

    /// Calls a function for every pair within the distance, once, in parallel.
    pub(super) fn for_each(&self, pair: &(dyn Fn(usize, usize) + Sync)) {
        if self.kept.is_empty() {
            (0..self.rows().div_ceil(ROWS))
                .into_par_iter()
                .for_each(|block| self.block(block, &mut |a, b| pair(a, b)));
        } else {
            let pairs = self.kept.par_iter();
            pairs.for_each(|block| block.iter().for_each(|&(a, b)| pair(a as usize, b as usize)));
        }
    }

    /// Calls a function for the pairs of the rows of a block with themselves and later rows.
    fn block(&self, block: usize, pair: &mut dyn FnMut(usize, usize)) {
        let rows = self.rows();
        let (start, end) = (block * ROWS, rows.min((block + 1) * ROWS));
        let mut dots = vec![0.0; (end - start) * ROWS];
        let own: Vec<&[f32]> = match &self.products {
            Some(products) => products.rows[start * self.columns..end * self.columns]
                .chunks_exact(self.columns)
                .collect(),
            None => Vec::new(),
        };
        for other in block..rows.div_ceil(ROWS) {
            let (first, last) = (other * ROWS, rows.min((other + 1) * ROWS));
            match &self.products {
                Some(products) => {
                    let dots = &mut dots[..(end - start) * (last - first)];
                    products.packed[other].dots(&own, dots);
                    for (a, dots) in (start..end).zip(dots.chunks_exact(last - first)) {
                        self.classify(products, a, first, dots, pair);
                    }
                }
                None => {
                    for a in start..end {
                        for b in first.max(a + 1)..last {
                            if self.is_within(a, b) {
                                pair(a, b);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Decides the pairs of a row with the rows from `first`, by their products.
    #[inline]
    fn classify(
        &self,
        products: &Products,
        a: usize,
        first: usize,
        dots: &[f32],
        pair: &mut dyn FnMut(usize, usize),
    ) {
        let square = products.squares[a];
        let skipped = (a + 1).saturating_sub(first);
        let squares = &products.squares[first..first + dots.len()];
        for (j, (&dot, &other)) in dots.iter().zip(squares).enumerate().skip(skipped) {
            let lengths = square + other;
            let apart = lengths - 2.0 * dot;
            let slack = products.error * (lengths + products.eps) + f32::MIN_POSITIVE;
            if apart > products.eps + slack {
                continue;
            }
            // Also where eps is out of range in single precision.
            let sure = apart < products.eps - slack && products.eps.is_finite();
            if sure || self.is_within(a, first + j) {
                pair(a, first + j);
            }
        }
    }

    fn is_within(&self, a: usize, b: usize) -> bool {
        let row = |i: usize| &self.values[i * self.columns..][..self.columns];
        (self.between)(row(a), row(b)) <= self.eps
    }
}
