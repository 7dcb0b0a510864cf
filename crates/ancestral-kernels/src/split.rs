//! Numbers as sums of bf16, two by two in the bits of one `f32`: a product of pairs is two steps of a
//! sum at once, and the loops over them have half as many steps.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    parallel::{self, SharedPtr},
    simd::{Isa, Kernel, Simd},
};

/// Numbers split into bf16, the first part nearest to them, the next nearest to what that leaves, …
pub(crate) struct Split {
    /// Each as long as there are pairs.
    pub(crate) parts: Vec<Vec<f32>>,
    /// Whether every first part is finite; the others of an infinite one are not numbers.
    pub(crate) finite: bool,
}

/// Splits numbers into `count` bf16, 1 to 3, two by two along the middle axis of `values`
/// \[outer, axis, inner\], the first of two in the lower half of an `f32`'s bits:
/// \[outer, ⌈axis / 2⌉, inner\] of them. A missing second number is 0.
pub(crate) fn split(
    isa: Isa,
    values: &[f32],
    [outer, axis, inner]: [usize; 3],
    count: usize,
) -> Split {
    assert_eq!(values.len(), outer * axis * inner, "sizes fit");
    assert!((1..=3).contains(&count), "one to three parts");
    let half = axis.div_ceil(2);
    let finite = AtomicBool::new(true);
    let whole = |outs: [SharedPtr; 3]| {
        // Neighbors in memory, or lines of them.
        let (lines, width) = if inner == 1 { (outer, half) } else { (outer * half, inner) };
        parallel::rows(lines, width, |first, some| {
            for line in first..first + some {
                let (i, j) = (line / half.max(1), line % half.max(1) * 2);
                let (lower, upper) = match inner {
                    1 => (&values[line * axis..][..axis], &[][..]),
                    _ if j + 1 < axis => {
                        let from = (i * axis + j) * inner;
                        (&values[from..][..inner], &values[from + inner..][..inner])
                    }
                    _ => (&values[(i * axis + j) * inner..][..inner], &[][..]),
                };
                // SAFETY: each line is written once, by one call.
                let outs = outs.map(|out| unsafe { out.get().add(line * width) });
                let neighbors = inner == 1;
                if !isa.run(Round { lower, upper, neighbors, outs, count }) {
                    finite.store(false, Ordering::Relaxed);
                }
            }
        });
    };
    let len = outer * half * inner;
    let mut parts: Vec<Vec<f32>> = (0..count).map(|_| Vec::with_capacity(len)).collect();
    whole([0, 1, 2].map(|i| SharedPtr(parts[i.min(count - 1)].as_mut_ptr())));
    for part in &mut parts {
        // SAFETY: there is room for all, and every line of every part was written.
        unsafe { part.set_len(len) };
    }
    Split { parts, finite: finite.into_inner() }
}

/// A line of pairs; where there is no upper value it is 0.
struct Round<'a> {
    lower: &'a [f32],
    upper: &'a [f32],
    /// Whether lower and upper values alternate in memory.
    neighbors: bool,
    /// As many as there are lower values.
    outs: [*mut f32; 3],
    count: usize,
}

/// The nearest bf16, ties to even, as the lower half of the result.
#[inline(always)]
fn bf16(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    if x.is_nan() { bits >> 16 | 0x40 } else { rounded }
}

impl Round<'_> {
    /// Whether every first part is finite.
    #[inline(always)]
    fn parts<const COUNT: usize>(self) -> bool {
        let Self { lower, upper, neighbors, outs, .. } = self;
        let mut infinite = 0;
        // SAFETY: there is room for a pair for every lower value.
        let mut write = |i: usize, mut low: f32, mut high: f32| unsafe {
            for (part, out) in outs.iter().enumerate().take(COUNT) {
                let (a, b) = (bf16(low), bf16(high));
                if part == 0 {
                    let full = |bits: u32| u32::from(bits & 0x7f80 == 0x7f80);
                    infinite |= full(a) | full(b);
                }
                out.add(i).write(f32::from_bits(a | b << 16));
                low -= f32::from_bits(a << 16);
                high -= f32::from_bits(b << 16);
            }
        };
        if neighbors {
            let pairs = lower.as_chunks::<2>();
            for (i, &[low, high]) in pairs.0.iter().enumerate() {
                write(i, low, high);
            }
            if let [low] = pairs.1 {
                write(pairs.0.len(), *low, 0.0);
            }
        } else if upper.is_empty() {
            for (i, &low) in lower.iter().enumerate() {
                write(i, low, 0.0);
            }
        } else {
            for (i, (&low, &high)) in lower.iter().zip(upper).enumerate() {
                write(i, low, high);
            }
        }
        infinite == 0
    }
}

impl Kernel for Round<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> bool {
        match self.count {
            1 => self.parts::<1>(),
            2 => self.parts::<2>(),
            _ => self.parts::<3>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::noise;

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|x| x.to_bits()).collect()
    }

    #[test]
    fn pairs_are_the_nearest_bf16_two_by_two() {
        let special = [
            0.0,
            -0.0,
            1.0,
            // Halfway between two: to the even one, down and up.
            f32::from_bits(0x3f80_8000),
            f32::from_bits(0x3f81_8000),
            f32::from_bits(0x3f80_8001),
            f32::MAX,
            f32::INFINITY,
            f32::NEG_INFINITY,
            // A NaN whose payload is in the truncated bits.
            f32::from_bits(0x7f80_0001),
            f32::from_bits(1),
        ];
        let nearest: [u32; 11] =
            [0, 0x8000, 0x3f80, 0x3f80, 0x3f82, 0x3f81, 0x7f80, 0x7f80, 0xff80, 0x7fc0, 0];
        for isa in Isa::available() {
            // Along an axis of length one, the other half of each pair is 0.
            for sizes in [[11, 1, 1], [1, 1, 11]] {
                let found = split(isa, &special, sizes, 1);
                assert_eq!(bits(&found.parts[0]), nearest, "{isa:?}");
                assert!(!found.finite);
            }
            // Twice three lines of 35: the third of each is paired with 0.
            let x = noise(1, 2 * 3 * 35);
            let alone = bits(&split(isa, &x, [2 * 3 * 35, 1, 1], 1).parts[0]);
            for (one, x) in alone.iter().zip(&x) {
                let error = (f32::from_bits(one << 16) - x).abs();
                assert!(error <= x.abs() / 256.0, "{isa:?}: {x}");
            }
            let both = bits(&split(isa, &x, [2, 3, 35], 1).parts[0]);
            for (i, pair) in both.iter().enumerate() {
                let (outer, row, column) = (i / 70, i / 35 % 2, i % 35);
                let at = |j: usize| alone[(outer * 3 + j) * 35 + column];
                let expected = if row == 0 { at(0) | at(1) << 16 } else { at(2) };
                assert_eq!(*pair, expected, "{isa:?} at {i}");
            }
            // Six lines of 35 neighbors, the last of each paired with 0.
            let both = bits(&split(isa, &x, [6, 35, 1], 1).parts[0]);
            for (i, pair) in both.iter().enumerate() {
                let (line, j) = (i / 18, i % 18 * 2);
                let at = |j: usize| if j < 35 { alone[line * 35 + j] } else { 0 };
                assert_eq!(*pair, at(j) | at(j + 1) << 16, "{isa:?} at {i}");
            }
        }
    }

    #[test]
    fn parts_add_up_to_the_numbers() {
        let x: Vec<f32> = noise(3, 37).iter().map(|x| x * 1e5).collect();
        for isa in Isa::available() {
            for (count, digits) in [(1, 8), (2, 16), (3, 24)] {
                let Split { parts, finite } = split(isa, &x, [1, 37, 1], count);
                assert!(finite && parts.len() == count);
                for (i, x) in x.iter().enumerate() {
                    let of = |part: &Vec<f32>| {
                        let pair = part[i / 2].to_bits();
                        f64::from(f32::from_bits(if i % 2 == 0 {
                            pair << 16
                        } else {
                            pair & !0xffff
                        }))
                    };
                    let sum: f64 = parts.iter().map(of).sum();
                    let error = (sum - f64::from(*x)).abs();
                    let bound = f64::from(x.abs()) * 0.5f64.powi(digits);
                    assert!(if count == 3 { error == 0.0 } else { error <= bound }, "{isa:?}: {x}");
                }
            }
        }
    }
}
