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

/// A text that is at most so wide, with dots in place of its end if it is wider.
pub(crate) fn fitted(text: &str, pixels: f32, width: f32) -> String {
    if text_width(text, pixels) <= width {
        return text.to_owned();
    }
    let mut kept: Vec<char> = text.chars().collect();
    loop {
        kept.pop();
        let shorter = kept.iter().collect::<String>() + "…";
        if kept.is_empty() || text_width(&shorter, pixels) <= width {
            return shorter;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_wide_ends_in_dots() {
        assert_eq!(fitted("short", 14.0, 100.0), "short");
        let long = "a name that is much too long for its place";
        let cut = fitted(long, 14.0, 100.0);
        assert!(cut.ends_with('…') && text_width(&cut, 14.0) <= 100.0, "{cut}");
        assert!(long.starts_with(cut.trim_end_matches('…')) && cut.chars().count() > 8, "{cut}");
        assert_eq!(fitted("é", 14.0, 0.0), "…");
    }
}
