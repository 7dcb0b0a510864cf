//! Numbers in vector registers, in single or double precision.

use pulp::Simd;

/// Numbers in vector registers.
pub trait Lanes: Copy + Default {
    /// A vector register.
    type Vector<S: Simd>: Copy;

    /// Numbers of a vector.
    fn lanes<S: Simd>() -> usize;

    /// A vector of equal numbers.
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Vector<S>;

    /// `a · b + c`, rounded once where the processor does so.
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;

    /// `a − b`.
    fn subtract<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// The sum of the numbers of a vector.
    fn reduce<S: Simd>(simd: S, a: Self::Vector<S>) -> Self;

    /// Numbers as vectors, and the rest.
    fn vectors<S: Simd>(values: &[Self]) -> (&[Self::Vector<S>], &[Self]);

    /// As [`Self::vectors`], to write.
    fn vectors_mut<S: Simd>(values: &mut [Self]) -> (&mut [Self::Vector<S>], &mut [Self]);
}

macro_rules! lanes {
    (
        $t:ty, $vector:ident, $lanes:ident, $splat:ident, $mul_add:ident, $sub:ident, $reduce:ident,
        $as:ident, $as_mut:ident
    ) => {
        impl Lanes for $t {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, x: Self) -> Self::Vector<S> {
                simd.$splat(x)
            }

            #[inline(always)]
            fn mul_add<S: Simd>(
                simd: S,
                a: Self::Vector<S>,
                b: Self::Vector<S>,
                c: Self::Vector<S>,
            ) -> Self::Vector<S> {
                simd.$mul_add(a, b, c)
            }

            #[inline(always)]
            fn subtract<S: Simd>(
                simd: S,
                a: Self::Vector<S>,
                b: Self::Vector<S>,
            ) -> Self::Vector<S> {
                simd.$sub(a, b)
            }

            #[inline(always)]
            fn reduce<S: Simd>(simd: S, a: Self::Vector<S>) -> Self {
                simd.$reduce(a)
            }

            #[inline(always)]
            fn vectors<S: Simd>(values: &[Self]) -> (&[Self::Vector<S>], &[Self]) {
                S::$as(values)
            }

            #[inline(always)]
            fn vectors_mut<S: Simd>(values: &mut [Self]) -> (&mut [Self::Vector<S>], &mut [Self]) {
                S::$as_mut(values)
            }
        }
    };
}
lanes!(
    f32,
    f32s,
    F32_LANES,
    splat_f32s,
    mul_add_e_f32s,
    sub_f32s,
    reduce_sum_f32s,
    as_simd_f32s,
    as_mut_simd_f32s
);
lanes!(
    f64,
    f64s,
    F64_LANES,
    splat_f64s,
    mul_add_e_f64s,
    sub_f64s,
    reduce_sum_f64s,
    as_simd_f64s,
    as_mut_simd_f64s
);
