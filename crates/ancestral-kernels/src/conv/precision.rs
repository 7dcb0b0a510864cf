//! The precision of the products of convolutions.

/// The precision of a convolution's products; its sums are `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// `f32`.
    #[default]
    F32,
    /// Both factors rounded to bf16 (to 8 binary digits, nearest, ties to even), forward and in
    /// both gradients. Faster where the processor has AVX-512 BF16, slower elsewhere.
    /// Sums over a single channel or image, filters that cover the whole image, and other types or
    /// backends stay in `f32`.
    Bf16,
}
