//! Products by the crate `gemm` with the kernels of a given instruction set, where its own choice, the
//! fastest, is not wanted.

use ::gemm::Parallelism;
#[cfg(target_arch = "x86_64")]
use gemm_common::{
    gemm::gemm_basic_generic,
    simd::{MixedSimd, Scalar, V3},
};

use crate::simd::Isa;

/// A matrix in memory, with the distances of its rows and of its columns.
#[derive(Clone, Copy)]
pub(crate) struct Strided<P> {
    pub(crate) at: P,
    pub(crate) row: isize,
    pub(crate) column: isize,
}

impl<P> Strided<P> {
    /// The transposed matrix, in the same memory.
    fn transposed(self) -> Self {
        Self { at: self.at, row: self.column, column: self.row }
    }
}

/// Calls a product of `gemm`, whose arguments after those named are the same in all of them.
macro_rules! call {
    ($product:expr, ($($first:expr)?), $size:ident, $out:ident, $add:ident, $a:ident, $b:ident, ($($last:expr),*), $parallelism:ident) => {{
        let ([m, n, k], beside) = ($size, 1.0f32);
        let before = if $add { 1.0f32 } else { 0.0 };
        $product(
            $($first,)? m, n, k,
            $out.at, $out.column, $out.row, $add,
            $a.at, $a.column, $a.row,
            $b.at, $b.column, $b.row,
            before, beside, false, false, false,
            $($last,)* $parallelism,
        )
    }};
}

/// out = a·b, added to what is there if `add`; `size` is the rows of a, the columns of b and the sum's
/// length.
///
/// # Safety
/// What the size and the distances, which are positive, name must be readable and, at `out`, writable;
/// `out` is read only if `add`.
pub(crate) unsafe fn product(
    isa: Isa,
    size: [usize; 3],
    out: Strided<*mut f32>,
    add: bool,
    a: Strided<*const f32>,
    b: Strided<*const f32>,
    parallelism: Parallelism,
) {
    // The kernels write columns.
    let (size, out, a, b) = match out.column < out.row {
        true => ([size[1], size[0], size[2]], out.transposed(), b.transposed(), a.transposed()),
        false => (size, out, a, b),
    };
    #[cfg(target_arch = "x86_64")]
    if isa != Isa::fastest() {
        let sum = |a: f32, b: f32, c: f32| a * b + c;
        match (isa, <V3 as MixedSimd<f32, f32, f32, f32>>::try_new()) {
            // The crate has one kind for both.
            (Isa::Amx | Isa::Avx512Bf16 | Isa::Avx512, _) => {}
            (Isa::Avx2, Some(v3)) => {
                use gemm_f32::microkernel::fma::f32::{H_M, H_N, H_UKR, MR_DIV_N, NR, UKR};
                const LANES: usize = 8;
                let product = gemm_basic_generic::<
                    _,
                    f32,
                    LANES,
                    { MR_DIV_N * LANES },
                    NR,
                    MR_DIV_N,
                    H_M,
                    H_N,
                >;
                // SAFETY: the caller's; the token shows that the processor has the instructions.
                return unsafe {
                    call!(
                        product,
                        (v3),
                        size,
                        out,
                        add,
                        a,
                        b,
                        (sum, &UKR, &H_UKR, false),
                        parallelism
                    )
                };
            }
            _ => {
                use gemm_f32::microkernel::scalar::f32::{H_M, H_N, H_UKR, MR_DIV_N, NR, UKR};
                let product = gemm_basic_generic::<_, f32, 1, MR_DIV_N, NR, MR_DIV_N, H_M, H_N>;
                // SAFETY: the caller's.
                return unsafe {
                    call!(
                        product,
                        (Scalar),
                        size,
                        out,
                        add,
                        a,
                        b,
                        (sum, &UKR, &H_UKR, false),
                        parallelism
                    )
                };
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = isa;
    // SAFETY: the caller's.
    unsafe { call!(::gemm::gemm, (), size, out, add, a, b, (), parallelism) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The product of two matrices of a size with ragged tiles.
    fn ragged(
        multiply: impl Fn([usize; 3], Strided<*mut f32>, Strided<*const f32>, Strided<*const f32>),
    ) -> Vec<u32> {
        let [m, n, k] = [70, 41, 300];
        let (a, b, mut out) = (wave(m * k, 0.7), wave(k * n, 1.3), vec![0.0; m * n]);
        let by_rows = |columns: usize| (columns as isize, 1);
        let ((row, column), to) = (by_rows(k), by_rows(n));
        let left = Strided { at: a.as_ptr(), row, column };
        let right = Strided { at: b.as_ptr(), row: to.0, column: to.1 };
        multiply([m, n, k], Strided { at: out.as_mut_ptr(), row: to.0, column: to.1 }, left, right);
        out.iter().map(|x| x.to_bits()).collect()
    }

    #[test]
    fn the_fastest_is_the_choice_of_gemm_and_others_are_not() {
        let own = ragged(|[m, n, k], out, a, b| {
            // SAFETY: the sizes and strides are those of the matrices.
            unsafe {
                ::gemm::gemm(
                    m,
                    n,
                    k,
                    out.at,
                    out.column,
                    out.row,
                    false,
                    a.at,
                    a.column,
                    a.row,
                    b.at,
                    b.column,
                    b.row,
                    0.0,
                    1.0,
                    false,
                    false,
                    false,
                    Parallelism::None,
                );
            }
        });
        for isa in Isa::available() {
            let found = ragged(|size, out, a, b| {
                // SAFETY: as above.
                unsafe { product(isa, size, out, false, a, b, Parallelism::None) };
            });
            match isa {
                isa if isa == Isa::fastest() => assert!(found == own, "{isa:?}"),
                // Without fused steps sums are rounded otherwise.
                Isa::Portable => assert!(found != own),
                _ => {}
            }
        }
    }

    fn wave(n: usize, by: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * by).sin()).collect()
    }

    /// Every order of the three matrices, at sizes around the tiles', against sums in double precision:
    /// within k + 1 roundings of the sum of the magnitudes.
    #[test]
    fn products_are_those_of_f64_with_every_instruction_set() {
        for isa in Isa::available() {
            for (m, n, k) in [
                (0, 3, 2),
                (3, 2, 0),
                (1, 1, 1),
                (1, 17, 33),
                (15, 1, 16),
                (16, 31, 2),
                (33, 15, 17),
                (70, 41, 300),
            ] {
                let (a, b, before) = (wave(m * k, 0.7), wave(k * n, 1.3), wave(m * n, 0.4));
                for orders in 0..16 {
                    let [a_rows, b_rows, out_rows, add] =
                        [0, 1, 2, 3].map(|bit| orders >> bit & 1 == 1);
                    let strides = |by_rows: bool, rows: usize, columns: usize| match by_rows {
                        true => (columns as isize, 1),
                        false => (1, rows as isize),
                    };
                    let (a_at, b_at, out_at) =
                        (strides(a_rows, m, k), strides(b_rows, k, n), strides(out_rows, m, n));
                    let place = |(row, column): (isize, isize), i: usize, j: usize| {
                        i * row as usize + j * column as usize
                    };
                    let mut out = before.clone();
                    let left = Strided { at: a.as_ptr(), row: a_at.0, column: a_at.1 };
                    let right = Strided { at: b.as_ptr(), row: b_at.0, column: b_at.1 };
                    let to = Strided { at: out.as_mut_ptr(), row: out_at.0, column: out_at.1 };
                    // SAFETY: the sizes and strides are those of the vectors.
                    unsafe { product(isa, [m, n, k], to, add, left, right, Parallelism::None) };
                    for i in 0..m {
                        for j in 0..n {
                            let to = place(out_at, i, j);
                            let terms = (0..k).map(|l| {
                                f64::from(a[place(a_at, i, l)]) * f64::from(b[place(b_at, l, j)])
                            });
                            let start = if add { f64::from(before[to]) } else { 0.0 };
                            let terms: Vec<f64> = terms.chain([start]).collect();
                            let size: f64 = terms.iter().map(|x| x.abs()).sum();
                            let apart = (f64::from(out[to]) - terms.iter().sum::<f64>()).abs();
                            let most = (k + 1) as f64 * f64::from(f32::EPSILON) * size;
                            assert!(apart <= most, "{isa:?} {m}x{n}x{k}, {orders}: {apart}");
                        }
                    }
                }
            }
        }
    }
}
