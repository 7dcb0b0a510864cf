//! Rows of numbers in single or double precision, and the random numbers of a caller.

use rayon::prelude::*;

use super::error::{Error, Result};

/// Rows of a block, over which sums are taken; blocks are merged in order, so that results do not
/// depend on the number of threads.
pub(super) const BLOCK: usize = 256;

/// `f32` or `f64`.
pub trait Real:
    Copy
    + Send
    + Sync
    + PartialOrd
    + Default
    + std::fmt::Debug
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::AddAssign
    + super::lanes::Lanes
    + 'static
{
    /// Infinity.
    const INFINITY: Self;
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The nearest number of this precision.
    fn of(x: f64) -> Self;
    /// The same number in double precision.
    fn to_f64(self) -> f64;
    /// The square root.
    fn root(self) -> Self;
}

macro_rules! real {
    ($t:ty) => {
        impl Real for $t {
            const INFINITY: Self = <$t>::INFINITY;
            const EPSILON: Self = <$t>::EPSILON;
            #[inline]
            fn of(x: f64) -> Self {
                x as $t
            }
            #[inline]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline]
            fn root(self) -> Self {
                self.sqrt()
            }
        }
    };
}
real!(f32);
real!(f64);

/// A borrowed matrix `[rows, columns]` of finite numbers, at least one row and one column.
#[derive(Debug, Clone, Copy)]
pub struct Points<'a, T> {
    values: &'a [T],
    columns: usize,
}

impl<'a, T: Real> Points<'a, T> {
    /// The rows in `values`, row after row.
    ///
    /// # Errors
    /// If there are no rows, more than `u32::MAX`, no whole rows, or a value is not finite.
    pub fn new(values: &'a [T], columns: usize) -> Result<Self> {
        if values.is_empty() {
            return Err(Error::Empty);
        }
        if columns == 0 || !values.len().is_multiple_of(columns) {
            return Err(Error::Shape { values: values.len(), columns });
        }
        let rows = values.len() / columns;
        if rows >= u32::MAX as usize {
            return Err(Error::TooManyRows { rows });
        }
        match values.iter().position(|x| !x.to_f64().is_finite()) {
            Some(at) => Err(Error::NotFinite {
                row: at / columns,
                column: at % columns,
                value: values[at].to_f64(),
            }),
            None => Ok(Self { values, columns }),
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All values, row after row.
    pub fn values(&self) -> &'a [T] {
        self.values
    }

    /// A row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, i: usize) -> &'a [T] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }

    /// The values in double precision, row after row.
    pub fn to_f64(&self) -> Vec<f64> {
        self.values.iter().map(|x| x.to_f64()).collect()
    }

    /// The mean of each column, from differences to the first row, so that data far from the origin
    /// keeps its digits.
    pub fn means(&self) -> Vec<f64> {
        let first: Vec<f64> = self.row(0).iter().map(|x| x.to_f64()).collect();
        let blocks: Vec<Vec<f64>> = self
            .values
            .par_chunks(BLOCK * self.columns)
            .map(|block| {
                let mut sums = vec![0.0; self.columns];
                for row in block.chunks_exact(self.columns) {
                    for ((sum, x), origin) in sums.iter_mut().zip(row).zip(&first) {
                        *sum += x.to_f64() - origin;
                    }
                }
                sums
            })
            .collect();
        let mut sums = vec![0.0; self.columns];
        for block in blocks {
            sums.iter_mut().zip(block).for_each(|(sum, x)| *sum += x);
        }
        let rows = self.rows() as f64;
        first.iter().zip(sums).map(|(origin, sum)| origin + sum / rows).collect()
    }

    /// The rows minus `means`, computed in double precision and rounded once.
    pub fn centered(&self, means: &[f64]) -> Vec<T> {
        let mut out = vec![T::default(); self.values.len()];
        let size = BLOCK * self.columns;
        let blocks = out.par_chunks_mut(size).zip(self.values.par_chunks(size));
        blocks.for_each(|(out, values)| {
            let rows = out.chunks_exact_mut(self.columns);
            for (out, row) in rows.zip(values.chunks_exact(self.columns)) {
                for ((out, x), mean) in out.iter_mut().zip(row).zip(means) {
                    *out = T::of(x.to_f64() - mean);
                }
            }
        });
        out
    }

    /// The rows divided by their Euclidean lengths, in double precision; the cosine distance of two
    /// rows is half the squared Euclidean distance of these.
    ///
    /// # Errors
    /// If a row is all zeros.
    pub fn normalized(&self) -> Result<Vec<f64>> {
        let mut out = Vec::with_capacity(self.values.len());
        for (i, row) in self.values.chunks_exact(self.columns).enumerate() {
            // The largest entry is divided out first: squares of large and small numbers stay finite.
            let largest = row.iter().fold(0.0, |m: f64, x| m.max(x.to_f64().abs()));
            if largest == 0.0 {
                return Err(Error::ZeroRow { row: i });
            }
            let scaled = |x: &T| x.to_f64() / largest;
            let length = row.iter().map(|x| scaled(x).powi(2)).sum::<f64>().sqrt();
            out.extend(row.iter().map(|x| scaled(x) / length));
        }
        Ok(out)
    }
}

/// Random streams of a caller, by purpose and the number of an item.
pub trait UniformStreams: Sync {
    /// The stream of an item: each call of it gives a uniform number in \[0, 1).
    fn stream(&self, purpose: &str, item: u64) -> Box<dyn FnMut() -> f64>;
}

/// An index below `count`, from a uniform number.
pub(super) fn index_below(uniform: f64, count: usize) -> usize {
    ((uniform * count as f64) as usize).min(count.saturating_sub(1))
}
