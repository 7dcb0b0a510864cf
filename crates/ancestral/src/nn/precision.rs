//! The precision of the products of layers, as a setting.

use ancestral_kernels::Precision;

use crate::choices;

choices! {
    /// The precision of products.
    pub enum PrecisionName {
        /// single precision
        F32 = "f32",
        /// six products of bfloat16 for one, as near as single precision
        Bf16x6 = "bf16x6",
        /// three products of bfloat16 for one, within 2⁻¹⁵ of it
        Bf16x3 = "bf16x3",
        /// bfloat16
        Bf16 = "bf16",
    }
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::F32 => Self::F32,
            PrecisionName::Bf16x6 => Self::Bf16x6,
            PrecisionName::Bf16x3 => Self::Bf16x3,
            PrecisionName::Bf16 => Self::Bf16,
        }
    }
}

/// Asserts that all layers of a network have products of one precision.
#[cfg(test)]
#[track_caller]
pub(crate) fn assert_precision(network: &impl std::fmt::Debug, precision: Precision) {
    let text = format!("{network:?}");
    let count = |word: &str| text.matches(word).count();
    let (all, own) = (count("precision: "), count(&format!("precision: {precision:?}")));
    assert!(all > 1 && own == all, "{own} of {all}");
}
