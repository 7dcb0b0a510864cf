//! What convolutions multiply.

/// The numbers that a convolution multiplies; its sums are `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// `f32` as they come.
    #[default]
    F32,
    /// Both factors rounded to bf16 (to 8 binary digits, nearest, ties to even), forward and in
    /// both gradients. Faster where the processor has AVX-512 BF16, slower elsewhere.
    /// Sums along a single channel or of a single image, those of filters that see the whole
    /// image, and any other type or backend stay as they are.
    Bf16,
}
