//! Products whose left factor is mostly zeros, such as binary images.
//!
//! Each row of the result is a short sum of rows of the right factor. With the usual 15 to 20 % of
//! ones this is faster than the dense product, although that runs closer to peak performance.

use crate::{
    activation::Activation,
    flex, math,
    parallel::{self, SharedPtr},
    simd::{Isa, Kernel, Simd},
};

/// Entries other than zero, row after row.
#[derive(Debug)]
pub(crate) struct Sparse {
    columns: usize,
    /// The start of each row in the other two, and the end of the last one.
    starts: Vec<u32>,
    places: Vec<u32>,
    values: Vec<f32>,
}

/// Smaller left factors are not checked for sparsity.
const SMALLEST: usize = 1 << 12;

impl Sparse {
    /// The sparse form of `rows` × `columns` values, if there are enough of them and at most a quarter
    /// is not zero.
    pub(crate) fn from_dense(
        isa: Isa,
        values: &[f32],
        rows: usize,
        columns: usize,
    ) -> Option<Self> {
        assert_eq!(values.len(), rows * columns, "a matrix has rows × columns values");
        if values.len() < SMALLEST || values.len() > u32::MAX as usize {
            return None;
        }
        // Checks the start first, so that dense inputs cost little.
        let start = &values[..1024];
        if isa.run(Count(start)) > start.len() / 2 {
            return None;
        }
        let count = isa.run(Count(values));
        if count > values.len() / 4 {
            return None;
        }
        let mut sparse = Self {
            columns,
            starts: Vec::with_capacity(rows + 1),
            places: Vec::with_capacity(count),
            values: Vec::with_capacity(count),
        };
        isa.run(Gather { dense: values, columns, sparse: &mut sparse });
        Some(sparse)
    }

    fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The range of the entries of a row.
    #[inline(always)]
    fn entries(&self, row: usize) -> (usize, usize) {
        (self.starts[row] as usize, self.starts[row + 1] as usize)
    }

    /// The transposed matrix; entries of a row stay in order.
    pub(crate) fn transposed(&self) -> Self {
        let mut starts = vec![0u32; self.columns + 1];
        for &place in &self.places {
            starts[place as usize + 1] += 1;
        }
        for i in 0..self.columns {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut places = vec![0u32; self.places.len()];
        let mut values = vec![0.0; self.places.len()];
        for row in 0..self.rows() {
            let (start, end) = self.entries(row);
            for i in start..end {
                let at = &mut next[self.places[i] as usize];
                places[*at as usize] = row as u32;
                values[*at as usize] = self.values[i];
                *at += 1;
            }
        }
        Self { columns: self.rows(), starts, places, values }
    }

    /// act(self·dense + bias), row after row, where `dense` has `width` columns; no bias is zeros.
    pub(crate) fn affine(
        &self,
        isa: Isa,
        dense: &[f32],
        width: usize,
        bias: Option<&[f32]>,
        activation: Activation,
    ) -> Vec<f32> {
        let rows = self.rows();
        assert_eq!(dense.len(), self.columns * width, "the inner sizes of a product agree");
        assert!(bias.is_none_or(|bias| bias.len() == width), "one bias for each output");
        // SAFETY: runs of rows cover the output and do not overlap.
        unsafe {
            flex::filled(rows * width, |out| {
                let out = SharedPtr(out);
                // Four additions are about as much work as one value of a block.
                let work = (self.places.len() / rows.max(1) + 1) * width / 4;
                parallel::rows(rows, work, |first, count| {
                    let out = out.get().add(first * width);
                    isa.run(SumRows {
                        sparse: self,
                        dense,
                        width,
                        bias,
                        activation,
                        first,
                        count,
                        out,
                    });
                });
            })
        }
    }
}

struct Count<'a>(&'a [f32]);

impl Kernel for Count<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> usize {
        let mut count = 0;
        let mut i = 0;
        while i + S::N <= self.0.len() {
            // SAFETY: i + N ≤ len.
            count += s.nonzero(unsafe { s.load(self.0.as_ptr().add(i)) }).count_ones() as usize;
            i += S::N;
        }
        for x in &self.0[i..] {
            count += usize::from(*x != 0.0);
        }
        count
    }
}

struct Gather<'a> {
    dense: &'a [f32],
    columns: usize,
    sparse: &'a mut Sparse,
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { dense, columns, sparse } = self;
        sparse.starts.push(0);
        for row in dense.chunks_exact(columns) {
            let mut i = 0;
            while i < columns {
                let left = columns - i;
                // SAFETY: `left` values are there from the `i`th on.
                let v = unsafe {
                    let p = row.as_ptr().add(i);
                    if left >= S::N { s.load(p) } else { s.load_part(p, left) }
                };
                let mut bits = s.nonzero(v);
                while bits != 0 {
                    let place = i + bits.trailing_zeros() as usize;
                    sparse.places.push(place as u32);
                    sparse.values.push(row[place]);
                    bits &= bits - 1;
                }
                i += S::N;
            }
            sparse.starts.push(sparse.places.len() as u32);
        }
    }
}

struct SumRows<'a> {
    sparse: &'a Sparse,
    dense: &'a [f32],
    width: usize,
    bias: Option<&'a [f32]>,
    activation: Activation,
    first: usize,
    count: usize,
    out: *mut f32,
}

#[allow(
    clippy::needless_range_loop,
    reason = "loops are unrolled inside the kernel, closures may not be"
)]
impl SumRows<'_> {
    /// `B` vectors of one row, from column `at` on.
    ///
    /// # Safety
    /// `row` and the columns `at..at + B·N` lie inside the result.
    #[inline(always)]
    unsafe fn vectors<S: Simd, const B: usize>(&self, s: S, row: usize, at: usize) {
        let mut sums = [s.splat(0.0); B];
        let (start, end) = self.sparse.entries(self.first + row);
        // SAFETY: every place is a row of `dense`, which is `width` wide, as are bias and output;
        // starts are places in the other two lists.
        unsafe {
            if let Some(bias) = self.bias {
                for b in 0..B {
                    sums[b] = s.load(bias.as_ptr().add(at + b * S::N));
                }
            }
            for i in start..end {
                let place = *self.sparse.places.get_unchecked(i) as usize;
                let value = s.splat(*self.sparse.values.get_unchecked(i));
                let p = self.dense.as_ptr().add(place * self.width + at);
                for b in 0..B {
                    sums[b] = s.fma(value, s.load(p.add(b * S::N)), sums[b]);
                }
            }
            for b in 0..B {
                let y = math::activate(s, self.activation, sums[b]);
                s.store(self.out.add(row * self.width + at + b * S::N), y);
            }
        }
    }

    /// The last `n` < `N` columns of one row.
    ///
    /// # Safety
    /// `row` and the columns `at..at + n` lie inside the result.
    #[inline(always)]
    unsafe fn part<S: Simd>(&self, s: S, row: usize, at: usize, n: usize) {
        let (start, end) = self.sparse.entries(self.first + row);
        // SAFETY: as in `vectors`.
        unsafe {
            let mut sum = match self.bias {
                Some(bias) => s.load_part(bias.as_ptr().add(at), n),
                None => s.splat(0.0),
            };
            for i in start..end {
                let place = *self.sparse.places.get_unchecked(i) as usize;
                let value = s.splat(*self.sparse.values.get_unchecked(i));
                let p = self.dense.as_ptr().add(place * self.width + at);
                sum = s.fma(value, s.load_part(p, n), sum);
            }
            let y = math::activate(s, self.activation, sum);
            s.store_part(self.out.add(row * self.width + at), n, y);
        }
    }
}

impl Kernel for SumRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for row in 0..self.count {
            let mut at = 0;
            // SAFETY: the columns are taken in turn while they last.
            unsafe {
                while at + 12 * S::N <= self.width {
                    self.vectors::<S, 12>(s, row, at);
                    at += 12 * S::N;
                }
                while at + 4 * S::N <= self.width {
                    self.vectors::<S, 4>(s, row, at);
                    at += 4 * S::N;
                }
                while at + S::N <= self.width {
                    self.vectors::<S, 1>(s, row, at);
                    at += S::N;
                }
                if at < self.width {
                    self.part(s, row, at, self.width - at);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(rows: usize, columns: usize) -> Vec<f32> {
        let value = |i: usize| if i * 7919 % 101 < 17 { [1.0, 0.5, -2.0][i % 3] } else { 0.0 };
        (0..rows * columns).map(value).collect()
    }

    #[test]
    fn agrees_with_f64_at_odd_sizes_on_every_instruction_set() {
        let shapes =
            [(100, 784, 200), (64, 65, 1), (5, 1000, 17), (4096, 1, 3), (1, 4099, 77), (70, 70, 0)];
        for (rows, columns, width) in shapes {
            let x = images(rows, columns);
            let wave =
                |len: usize| -> Vec<f32> { (0..len).map(|i| (i as f32 * 0.61).sin()).collect() };
            let (w, bias) = (wave(columns * width), wave(width));
            for isa in Isa::available() {
                let sparse = Sparse::from_dense(isa, &x, rows, columns).unwrap();
                let y = sparse.affine(isa, &w, width, Some(&bias), Activation::None);
                assert_eq!(y.len(), rows * width);
                for row in 0..rows {
                    for column in 0..width {
                        let product =
                            |i| f64::from(x[row * columns + i]) * f64::from(w[i * width + column]);
                        let exact =
                            (0..columns).map(product).sum::<f64>() + f64::from(bias[column]);
                        let ours = f64::from(y[row * width + column]);
                        assert!((ours - exact).abs() < 1e-4, "{isa:?}: {ours} against {exact}");
                    }
                }
                let back = sparse.transposed().transposed();
                assert_eq!(back.starts, sparse.starts);
                assert_eq!(back.places, sparse.places);
                assert_eq!(back.values, sparse.values);
            }
        }
    }

    #[test]
    fn dense_and_small_inputs_are_left_to_the_dense_product() {
        let isa = Isa::best();
        assert!(Sparse::from_dense(isa, &vec![1.0; 78_400], 100, 784).is_none());
        assert!(Sparse::from_dense(isa, &[0.0; 64], 8, 8).is_none());
        assert!(Sparse::from_dense(isa, &[], 0, 784).is_none());
        // Zeros at the start only.
        let mut late = vec![0.0; 78_400];
        late[30_000..].fill(1.0);
        assert!(Sparse::from_dense(isa, &late, 100, 784).is_none());
        // A NaN is an entry.
        let mut one = vec![0.0; 78_400];
        one[5] = f32::NAN;
        let sparse = Sparse::from_dense(isa, &one, 100, 784).unwrap();
        assert!(sparse.places == [5] && sparse.values[0].is_nan());
    }
}
