//! Pairs of bf16 in the bits of one `f32`: a product of pairs is two steps of a sum at once, and the
//! loops of [`gather`](crate::gather) have half as many steps.

use crate::{
    flex,
    parallel::{self, SharedPtr},
    simd::{Isa, Kernel, Simd},
};

/// Numbers rounded to bf16, two by two along the middle axis of `values` \[outer, axis, inner\],
/// the first of two in the lower half of an `f32`'s bits: \[outer, ⌈axis / 2⌉, inner\] of them. A
/// missing second number is 0.
pub(super) fn pairs(isa: Isa, values: &[f32], [outer, axis, inner]: [usize; 3]) -> Vec<f32> {
    assert_eq!(values.len(), outer * axis * inner, "sizes fit");
    let half = axis.div_ceil(2);
    let write = |out: *mut f32| {
        let out = SharedPtr(out);
        parallel::rows(outer * half, inner, |first, count| {
            for row in first..first + count {
                let (i, j) = (row / half.max(1), row % half.max(1) * 2);
                let line = |j: usize| match j < axis {
                    true => &values[(i * axis + j) * inner..][..inner],
                    false => &[],
                };
                // SAFETY: each row is written once, by one call.
                let out = unsafe { out.get().add(row * inner) };
                isa.run(Round { lower: line(j), upper: line(j + 1), out });
            }
        });
    };
    // SAFETY: all rows are written.
    unsafe { flex::filled(outer * half * inner, write) }
}

/// A line of pairs; without upper values these are 0.
struct Round<'a> {
    lower: &'a [f32],
    upper: &'a [f32],
    /// As many as there are lower values.
    out: *mut f32,
}

/// The nearest bf16, ties to even, as the lower half of the result.
#[inline(always)]
fn bf16(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    if x.is_nan() { bits >> 16 | 0x40 } else { rounded }
}

impl Kernel for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { lower, upper, out } = self;
        // SAFETY: there is room for a pair for every lower value.
        let write = |i: usize, bits: u32| unsafe { out.add(i).write(f32::from_bits(bits)) };
        if upper.is_empty() {
            for (i, &low) in lower.iter().enumerate() {
                write(i, bf16(low));
            }
        } else {
            for (i, (&low, &high)) in lower.iter().zip(upper).enumerate() {
                write(i, bf16(low) | bf16(high) << 16);
            }
        }
    }
}
