//! The font of captions and labels.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont};

/// The font of images and plots, embedded so that no system font is needed.
pub(crate) const FONT: &[u8] = include_bytes!("../assets/DejaVuSans-subset.ttf");

/// The width of a line of text, in pixels.
pub(crate) fn text_width(text: &str, pixels: f32) -> f32 {
    let Ok(font) = FontRef::try_from_slice(FONT) else { return 0.0 };
    let font = font.as_scaled(PxScale::from(pixels));
    text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
}
