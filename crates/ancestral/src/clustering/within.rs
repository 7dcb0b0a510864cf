//! All pairs of rows within a distance, in blocks, with memory for a few pairs a row.
//!
//! Euclidean distances come from products in single precision; pairs whose distance is near the
//! threshold, by a bound of the rounding errors, are computed again from differences in double precision.
//! Rows are taken in the order of a k-d tree, so that most blocks have no pairs with most others, which
//! is found out once.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use rayon::prelude::*;

use super::metric::Norm;
use super::points::Points;
use super::product::{Packed, vectorized};
use super::tree::Tree;
use super::watch::Work;

/// Rows of a block.
const ROWS: usize = 128;
/// Pairs that are compared with the threshold at once.
const CHUNK: usize = 16;
/// Pairs a row that are kept; with more of them, they are found again.
const KEPT: usize = 32;

/// Rows among which pairs within a distance are found.
pub(super) struct Within<'a> {
    values: &'a [f64],
    columns: usize,
    /// How many equal rows each stands for.
    weights: &'a [u32],
    eps: f64,
    between: fn(&[f64], &[f64]) -> f64,
    products: Option<Products>,
    /// Rows by position.
    order: Vec<u32>,
    /// The pairs of each block of rows, once they are known to be few.
    kept: Vec<Vec<(u32, u32)>>,
    /// For each block, which later ones it has pairs with, as bits.
    partners: Vec<Vec<u64>>,
    counts: Vec<u32>,
    work: &'a Work<'a>,
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
    fn new(values: &[f64], columns: usize, order: &[u32], eps: f64) -> Option<Self> {
        let points = Points::new(values, columns).ok()?;
        let centered = points.centered(&points.means());
        // Scaled to at most 1, so that squares do not overflow.
        let largest = centered.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        if !(largest > 0.0 && largest.is_finite()) {
            return None;
        }
        let row = |&row: &u32| &centered[row as usize * columns..][..columns];
        let rows: Vec<f32> = order.iter().flat_map(row).map(|x| (x / largest) as f32).collect();
        let packed = rows.chunks(ROWS * columns).map(|block| Packed::new(block, columns)).collect();
        let square = |row: &[f32]| row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        let squares = rows.chunks_exact(columns).map(|row| square(row) as f32).collect();
        // Each of the products' `columns` sums and a few steps more err by half a unit in the last place.
        let error = (columns + 8) as f32 * f32::EPSILON;
        Some(Self { rows, packed, squares, eps: (eps / (largest * largest)) as f32, error })
    }

    /// The squared distance of a row to one with a squared length, by their product, and its largest
    /// error.
    #[inline(always)]
    fn apart(&self, row: usize, other: f32, dot: f32) -> (f32, f32) {
        let lengths = self.squares[row] + other;
        let slack = self.error * (lengths + self.eps) + f32::MIN_POSITIVE;
        (lengths - 2.0 * dot, slack)
    }
}

impl<'a> Within<'a> {
    /// Finds the pairs within a reduced distance; `products` says whether it is a squared Euclidean one.
    pub(super) fn new<N: Norm>(
        values: &'a [f64],
        columns: usize,
        weights: &'a [u32],
        eps: f64,
        products: bool,
        work: &'a Work<'a>,
    ) -> Self {
        let order = Tree::new(values, columns).order().to_vec();
        let products = products.then(|| Products::new(values, columns, &order, eps)).flatten();
        let (kept, partners, counts) = (Vec::new(), Vec::new(), Vec::new());
        let between = N::between;
        let mut own = Self {
            values,
            columns,
            weights,
            eps,
            between,
            products,
            order,
            kept,
            partners,
            counts,
            work,
        };
        // They are gone through three times: counting, joining and border rows.
        work.expect(3 * own.pairs_of_blocks());
        own.count();
        own
    }

    fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    fn pairs_of_blocks(&self) -> usize {
        let blocks = self.rows().div_ceil(ROWS);
        blocks * (blocks + 1) / 2
    }

    /// The weight of the rows within the distance of each row, itself included.
    pub(super) fn counts(&self) -> &[u32] {
        &self.counts
    }

    fn count(&mut self) {
        let counts: Vec<AtomicU32> = self.weights.iter().copied().map(AtomicU32::new).collect();
        let (total, most) = (AtomicUsize::new(0), KEPT * self.rows());
        let blocks = self.rows().div_ceil(ROWS);
        let (kept, partners) = (0..blocks)
            .into_par_iter()
            .map(|block| {
                let (mut pairs, mut partners) = (Vec::new(), vec![0; blocks.div_ceil(64)]);
                self.work.add(blocks - block);
                for other in block..blocks {
                    if self.work.is_stopped() {
                        break;
                    }
                    let mut any = false;
                    self.block(block, other, &mut |a, b| {
                        any = true;
                        let (a, b) = (self.order[a] as usize, self.order[b] as usize);
                        counts[a].fetch_add(self.weights[b], Relaxed);
                        counts[b].fetch_add(self.weights[a], Relaxed);
                        if pairs.len() <= most {
                            pairs.push((a as u32, b as u32));
                        }
                    });
                    partners[other / 64] |= u64::from(any) << (other % 64);
                }
                if total.fetch_add(pairs.len(), Relaxed) + pairs.len() > most {
                    pairs = Vec::new();
                }
                (pairs, partners)
            })
            .unzip();
        if total.into_inner() <= most {
            self.kept = kept;
        }
        self.partners = partners;
        self.counts = counts.into_iter().map(AtomicU32::into_inner).collect();
    }

    /// Calls a function for pairs within the distance, once, in parallel: for all that have a row in each of two
    /// sets of rows unless `skip` says of these that no pair of theirs matters.
    pub(super) fn for_each(
        &self,
        skip: &(dyn Fn([&[u32]; 2]) -> bool + Sync),
        pair: &(dyn Fn(usize, usize) + Sync),
    ) {
        if !self.kept.is_empty() {
            self.work.add(self.pairs_of_blocks());
            let pairs = self.kept.par_iter();
            pairs.for_each(|block| block.iter().for_each(|&(a, b)| pair(a as usize, b as usize)));
            return;
        }
        let rows: Vec<&[u32]> = self.order.chunks(ROWS).collect();
        (0..rows.len()).into_par_iter().for_each(|block| {
            let is_partner =
                |other: &usize| self.partners[block][other / 64] >> (other % 64) & 1 == 1;
            self.work.add(rows.len() - block);
            for other in (block..rows.len()).filter(is_partner) {
                if self.work.is_stopped() {
                    return;
                }
                if !skip([rows[block], rows[other]]) {
                    self.block(block, other, &mut |a, b| {
                        pair(self.order[a] as usize, self.order[b] as usize);
                    });
                }
            }
        });
    }

    /// Calls a function for the pairs of positions of two blocks, or of one with itself.
    fn block(&self, block: usize, other: usize, pair: &mut dyn FnMut(usize, usize)) {
        let rows = self.rows();
        let (start, end) = (block * ROWS, rows.min((block + 1) * ROWS));
        let (first, last) = (other * ROWS, rows.min((other + 1) * ROWS));
        let Some(products) = &self.products else {
            for a in start..end {
                for b in first.max(a + 1)..last {
                    if self.is_within(a, b) {
                        pair(a, b);
                    }
                }
            }
            return;
        };
        let mut dots = [0.0; ROWS * ROWS];
        let dots = &mut dots[..(end - start) * (last - first)];
        let own =
            products.rows[start * self.columns..end * self.columns].chunks_exact(self.columns);
        products.packed[other].dots(&own.collect::<Vec<_>>(), dots);
        vectorized(
            #[inline(always)]
            || {
                for (a, dots) in (start..end).zip(dots.chunks_exact(last - first)) {
                    self.classify(products, a, first, dots, pair);
                }
            },
        );
    }

    /// Decides the pairs of a row with the rows from `first`, by their products.
    #[inline(always)]
    fn classify(
        &self,
        products: &Products,
        a: usize,
        first: usize,
        dots: &[f32],
        pair: &mut dyn FnMut(usize, usize),
    ) {
        let squares = &products.squares[first..first + dots.len()];
        let (chunks, rest) = dots.as_chunks::<CHUNK>();
        let (others, rest_others) = squares.as_chunks::<CHUNK>();
        for (number, (dots, others)) in chunks.iter().zip(others).enumerate() {
            let mut excess = [0.0; CHUNK];
            for (l, excess) in excess.iter_mut().enumerate() {
                let (apart, slack) = products.apart(a, others[l], dots[l]);
                *excess = apart - (products.eps + slack);
            }
            // Most chunks have no pair.
            if excess.iter().fold(false, |near, &x| near | (x <= 0.0)) {
                self.decide(products, a, first + number * CHUNK, dots, others, pair);
            }
        }
        self.decide(products, a, first + chunks.len() * CHUNK, rest, rest_others, pair);
    }

    /// As [`Self::classify`], pair after pair.
    #[inline(always)]
    fn decide(
        &self,
        products: &Products,
        a: usize,
        first: usize,
        dots: &[f32],
        squares: &[f32],
        pair: &mut dyn FnMut(usize, usize),
    ) {
        for (b, (&dot, &other)) in (first..).zip(dots.iter().zip(squares)) {
            let (apart, slack) = products.apart(a, other, dot);
            if b <= a || apart > products.eps + slack {
                continue;
            }
            // Also where eps is out of range in single precision.
            let sure = apart < products.eps - slack && products.eps.is_finite();
            if sure || self.is_within(a, b) {
                pair(a, b);
            }
        }
    }

    fn is_within(&self, a: usize, b: usize) -> bool {
        let row = |i: usize| &self.values[self.order[i] as usize * self.columns..][..self.columns];
        (self.between)(row(a), row(b)) <= self.eps
    }
}
