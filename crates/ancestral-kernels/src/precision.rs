//! The precision of products, and how a processor forms them.

use crate::{simd::Isa, tiles::Tiles};

/// The precision of the products of dense layers and of convolutions; their sums are `f32`.
///
/// All but [`Precision::F32`] round their factors to sums of bf16, numbers of 8 binary digits, forward
/// and in both gradients, where the processor multiplies those faster than `f32`: with AMX, and on AMD's
/// processors with AVX-512 BF16, where [`Precision::Bf16`] is that of convolutions alone. Elsewhere, in
/// other types or backends, and where a product is small, has one factor of mostly zeros, sums over a
/// single channel or image, or is not finite, products stay in `f32`. Parts below 2⁻¹²⁶ in magnitude
/// count as 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// `f32`.
    #[default]
    F32,
    /// Each factor is split into three bf16, which together have its 24 digits, and the six largest of
    /// the nine products are summed: within 2⁻²³ of the product, as products of `f32` are.
    Bf16x6,
    /// Each factor is split into two bf16, and the product of the lower ones is left out: within 2⁻¹⁵
    /// of the product.
    Bf16x3,
    /// Each factor is rounded to the nearest bf16, ties to even: within 2⁻⁷ of the product.
    Bf16,
}

impl Precision {
    /// The name: `f32`, `bf16x6`, `bf16x3` or `bf16`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16x6 => "bf16x6",
            Self::Bf16x3 => "bf16x3",
            Self::Bf16 => "bf16",
        }
    }

    /// Whether products of this precision are formed of bf16 on this processor.
    pub fn is_fast(self) -> bool {
        self.on(Isa::best()) != Products::F32
    }

    /// How an instruction set forms the products.
    pub(crate) fn on(self, isa: Isa) -> Products {
        match (self, isa) {
            (Self::F32, _) => Products::F32,
            (Self::Bf16x6, Isa::Amx) => Products::Tiles(Tiles::of_processor(3)),
            (Self::Bf16x3, Isa::Amx) => Products::Tiles(Tiles::of_processor(2)),
            (Self::Bf16, Isa::Amx) => Products::Tiles(Tiles::of_processor(1)),
            (Self::Bf16, Isa::Avx512Bf16) if pairs_are_fast() => Products::Pairs,
            _ => Products::F32,
        }
    }
}

/// How products are formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Products {
    F32,
    /// Of bf16, two at a time; the dense layers' stay in `f32`.
    Pairs,
    /// Of bf16, by tiles.
    Tiles(Tiles),
}

/// Whether the instruction for pairs of bf16 does more than that for `f32` in the same time: Intel's
/// processors start half as many of them a cycle, which leaves the work of rounding without a gain.
fn pairs_are_fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        static KNOWN: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *KNOWN.get_or_init(|| {
            let vendor = core::arch::x86_64::__cpuid(0);
            [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).concat() == b"AuthenticAMD"
        })
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_is_used_where_it_is_faster_and_f32_elsewhere() {
        let all = [Precision::F32, Precision::Bf16x6, Precision::Bf16x3, Precision::Bf16];
        for precision in all {
            for isa in [Isa::Avx512, Isa::Avx2, Isa::Portable] {
                assert_eq!(precision.on(isa), Products::F32);
            }
        }
        let parts = all.map(|precision| match precision.on(Isa::Amx) {
            Products::Tiles(tiles) => tiles.parts,
            _ => 0,
        });
        assert_eq!(parts, [0, 3, 2, 1]);
        assert_eq!(Precision::Bf16x3.on(Isa::Avx512Bf16), Products::F32);
    }
}
