//! Matrix products of `f32`, with bias and activation.

use std::ops::Range;

use rayon::prelude::*;

use crate::{
    activation::Activation,
    flex,
    gemm_isa::{self, Strided},
    math,
    matrix::Matrix,
    parallel::{self, SharedPtr},
    precision::Products,
    simd::{Isa, Kernel, Simd},
    tiles::{self, Tiles},
};

/// Products below this many multiplications are done by one thread.
const PARALLEL: usize = 1 << 20;

/// The largest batch for which memory traffic is dominated by the weights: such products are split
/// along the weights, so that each weight is read by one thread.
const THIN: usize = 256;

/// The longest side of weights that is not split.
const SHORT: usize = 128;

const NO_THREADS: ::gemm::Parallelism = ::gemm::Parallelism::None;

/// a·b, written row after row to `out`.
///
/// # Safety
/// a.rows × b.columns values must be writable at `out`.
unsafe fn product_into(a: Matrix, b: Matrix, out: *mut f32, parallel: bool) {
    assert_eq!(a.columns, b.rows, "the inner sizes of a product agree");
    let (m, n, k) = (a.rows, b.columns, a.columns);
    let out = SharedPtr(out);
    let whole = |parallelism| {
        // SAFETY: the strides and sizes are those of the slices, and the caller guarantees for `out`.
        unsafe { parted(a, 0..m, b, 0..n, (out.get(), [n, 1]), parallelism) }
    };
    if !parallel || m * n * k < PARALLEL {
        whole(NO_THREADS);
    } else if m <= THIN && n > SHORT && b.row_stride == 1 && b.column_stride != 1 {
        // Weights with rows along the sum are read in place, and the batch is transposed, which is
        // cheaper.
        each_part(n, |columns| {
            let width = columns.len();
            // SAFETY: all of the part is written; parts of `out` do not overlap.
            unsafe {
                let transposed = flex::filled(m * width, |transposed| {
                    parted(a, 0..m, b, columns.clone(), (transposed, [1, m]), NO_THREADS);
                });
                for row in 0..m {
                    let out = out.get().add(row * n + columns.start);
                    for column in 0..width {
                        *out.add(column) = transposed[column * m + row];
                    }
                }
            }
        });
    } else if m <= THIN && n > SHORT {
        each_part(n, |columns| {
            // SAFETY: parts of `out` do not overlap.
            unsafe {
                let out = out.get().add(columns.start);
                parted(a, 0..m, b, columns, (out, [n, 1]), NO_THREADS);
            }
        });
    } else if k <= THIN && m > SHORT {
        // The gradient of weights, a sum over the batch.
        each_part(m, |rows| {
            // SAFETY: parts of `out` do not overlap.
            unsafe {
                let out = out.get().add(rows.start * n);
                parted(a, rows, b, 0..n, (out, [n, 1]), NO_THREADS);
            }
        });
    } else {
        whole(::gemm::Parallelism::Rayon(0));
    }
}

/// Calls `work` for parts of `0..len`, which do not depend on the number of threads.
fn each_part(len: usize, work: impl Fn(Range<usize>) + Sync) {
    let part = (len / 8).next_multiple_of(64).min(256);
    (0..len.div_ceil(part)).into_par_iter().for_each(|i| {
        work(i * part..len.min((i + 1) * part));
    });
}

/// Some rows of a times some columns of b, written to `out`, whose strides are those of rows and of
/// columns.
///
/// # Safety
/// The inner sizes must agree; what `out` and its strides name must be writable, and is not read.
unsafe fn parted(
    a: Matrix,
    rows: Range<usize>,
    b: Matrix,
    columns: Range<usize>,
    (out, [row_stride, column_stride]): (*mut f32, [usize; 2]),
    parallelism: ::gemm::Parallelism,
) {
    assert!(rows.end <= a.rows && columns.end <= b.columns, "parts lie inside their matrices");
    let out = Strided { at: out, row: row_stride as isize, column: column_stride as isize };
    let size = [rows.len(), columns.len(), a.columns];
    // SAFETY: the strides and sizes are those of the slices, and the caller guarantees for `out`.
    unsafe {
        let from = a.values.as_ptr().offset(rows.start as isize * a.row_stride);
        let left = Strided { at: from, row: a.row_stride, column: a.column_stride };
        let from = b.values.as_ptr().offset(columns.start as isize * b.column_stride);
        let right = Strided { at: from, row: b.row_stride, column: b.column_stride };
        gemm_isa::product(Isa::best(), size, out, false, left, right, parallelism);
    }
}

/// a·b, row after row, by products of some precision.
pub(crate) fn product(products: Products, a: Matrix, b: Matrix) -> Vec<f32> {
    // SAFETY: the product writes every value, zeros where the inner size is zero.
    unsafe { flex::filled(a.rows * b.columns, |out| into_by(products, a, b, out)) }
}

/// a·b, written row after row to `out`.
///
/// # Safety
/// a.rows × b.columns values must be writable at `out`.
unsafe fn into_by(products: Products, a: Matrix, b: Matrix, out: *mut f32) {
    // SAFETY: the caller's.
    unsafe {
        let done = match products {
            Products::Tiles(tiles) if Tiles::suits([a.rows, b.columns, a.columns]) => {
                tiles::product(Isa::best(), tiles, a, b, out)
            }
            _ => false,
        };
        if !done {
            product_into(a, b, out, true);
        }
    }
}

/// a·b, row after row, on the calling thread.
pub(crate) fn product_here(a: Matrix, b: Matrix) -> Vec<f32> {
    // SAFETY: as in `product`.
    unsafe { flex::filled(a.rows * b.columns, |out| product_into(a, b, out, false)) }
}

/// act(x·w + bias), row after row.
pub(crate) fn affine(
    isa: Isa,
    x: Matrix,
    w: Matrix,
    bias: &[f32],
    activation: Activation,
    products: Products,
) -> Vec<f32> {
    let (m, n) = (x.rows, w.columns);
    assert_eq!(bias.len(), n, "one bias for each output");
    // SAFETY: the product writes every value before the rows are updated.
    unsafe {
        flex::filled(m * n, |out| {
            into_by(products, x, w, out);
            bias_activation(isa, SharedPtr(out), bias, m, activation);
        })
    }
}

/// a·b for parts of matrices, on the calling thread; added to what is there if `accumulate`.
///
/// `size` is the rows of a, the columns of b and the sum's length; strides are those of rows and of
/// columns, `out_stride` that of the output's rows.
///
/// # Safety
/// All that the sizes and strides name must be readable and, at `out`, writable; `out` is read only
/// if `accumulate`.
pub(crate) unsafe fn strided(
    [m, n, k]: [usize; 3],
    out: *mut f32,
    out_stride: usize,
    accumulate: bool,
    (a, [a_row, a_column]): (*const f32, [usize; 2]),
    (b, [b_row, b_column]): (*const f32, [usize; 2]),
) {
    let out = Strided { at: out, row: out_stride as isize, column: 1 };
    let left = Strided { at: a, row: a_row as isize, column: a_column as isize };
    let right = Strided { at: b, row: b_row as isize, column: b_column as isize };
    // SAFETY: the caller's.
    unsafe {
        gemm_isa::product(Isa::best(), [m, n, k], out, accumulate, left, right, NO_THREADS);
    }
}

/// out = act(out + bias) for `rows` rows of as many values as there are biases.
///
/// # Safety
/// The rows must lie at `out`, written before.
pub(crate) unsafe fn bias_activation(
    isa: Isa,
    out: SharedPtr,
    bias: &[f32],
    rows: usize,
    activation: Activation,
) {
    let n = bias.len();
    parallel::rows(rows, n, |first, count| {
        // SAFETY: the caller's; runs of rows do not overlap.
        let out = unsafe { out.get().add(first * n) };
        isa.run(BiasActivation {
            from: out,
            from_stride: n,
            out,
            out_stride: n,
            bias,
            rows: count,
            width: n,
            activation,
        });
    });
}

/// out = act(from + bias) for rows of `width` values, each row a stride after the one before it;
/// `bias` has a value for each, or none.
pub(crate) struct BiasActivation<'a> {
    pub(crate) from: *const f32,
    pub(crate) from_stride: usize,
    pub(crate) out: *mut f32,
    pub(crate) out_stride: usize,
    pub(crate) bias: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) activation: Activation,
}

impl BiasActivation<'_> {
    #[inline(always)]
    fn each<S: Simd>(self, s: S, activation: impl Fn(S::V) -> S::V) {
        let biased = !self.bias.is_empty();
        assert!(!biased || self.bias.len() == self.width, "one bias for each value of a row");
        let bias = self.bias.as_ptr();
        for row in 0..self.rows {
            let mut i = 0;
            // SAFETY: `rows` rows of `width` values at `from` and at `out`, `width` at `bias`; whole
            // vectors while they fit, then the part that is left.
            unsafe {
                let from = self.from.add(row * self.from_stride);
                let out = self.out.add(row * self.out_stride);
                while i + S::N <= self.width {
                    let mut sum = s.load(from.add(i));
                    if biased {
                        sum = s.add(sum, s.load(bias.add(i)));
                    }
                    s.store(out.add(i), activation(sum));
                    i += S::N;
                }
                if i < self.width {
                    let n = self.width - i;
                    let mut sum = s.load_part(from.add(i), n);
                    if biased {
                        sum = s.add(sum, s.load_part(bias.add(i), n));
                    }
                    s.store_part(out.add(i), n, activation(sum));
                }
            }
        }
    }
}

impl Kernel for BiasActivation<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // One branch-free loop for each activation.
        match self.activation {
            Activation::None => self.each(
                s,
                #[inline(always)]
                |x| x,
            ),
            Activation::Tanh => self.each(
                s,
                #[inline(always)]
                |x| math::tanh(s, x),
            ),
            Activation::Sigmoid => self.each(
                s,
                #[inline(always)]
                |x| math::sigmoid(s, x),
            ),
            Activation::Softplus => self.each(
                s,
                #[inline(always)]
                |x| math::softplus(s, x),
            ),
            Activation::Relu => self.each(
                s,
                #[inline(always)]
                |x| s.max(s.splat(0.0), x),
            ),
        }
    }
}

struct Columns {
    values: *const f32,
    rows: usize,
    width: usize,
    out: *mut f32,
}

impl Kernel for Columns {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut i = 0;
        // SAFETY: `rows` × `width` values, and `width` outputs.
        unsafe {
            while i < self.width {
                let n = self.width - i;
                let mut sum = s.splat(0.0);
                for row in 0..self.rows {
                    let p = self.values.add(row * self.width + i);
                    let x = if n >= S::N { s.load(p) } else { s.load_part(p, n) };
                    sum = s.add(sum, x);
                }
                if n >= S::N {
                    s.store(self.out.add(i), sum);
                } else {
                    s.store_part(self.out.add(i), n, sum);
                }
                i += S::N;
            }
        }
    }
}

/// The sum of each column, top to bottom.
pub(crate) fn column_sums(isa: Isa, values: &[f32], rows: usize, width: usize) -> Vec<f32> {
    assert_eq!(values.len(), rows * width, "a matrix has rows × columns values");
    // SAFETY: every column's sum is written.
    unsafe {
        flex::filled(width, |out| isa.run(Columns { values: values.as_ptr(), rows, width, out }))
    }
}
