//! Images in memory: grids of examples, captions, PNG files.

use std::path::Path;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use ancestral_data::{DataError, write_atomic};

use crate::PlotError;
use crate::font::{FONT, text_width};

const CAPTION_PIXELS: f32 = 15.0;
const CAPTION_LINE: usize = 24;
/// Light gray, which differs from black and white backgrounds.
const SEPARATOR: [u8; 3] = [200, 206, 214];

/// A color image, row after row from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Image {
    /// An image of the given pixels, three bytes each.
    ///
    /// # Errors
    /// If there are not `width · height · 3` bytes.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Result<Self, PlotError> {
        let expected = width.checked_mul(height).and_then(|n| n.checked_mul(3));
        if expected != Some(rgb.len()) {
            return Err(PlotError::Pixels { width, height, bytes: rgb.len() });
        }
        Ok(Self { width, height, rgb })
    }

    /// An image of one color.
    pub fn filled(width: usize, height: usize, color: [u8; 3]) -> Self {
        Self { width, height, rgb: color.repeat(width * height) }
    }

    /// One example, a pixel for each value of a plane.
    ///
    /// `values` and `shape` are as in [`Image::grid`]; missing values are black.
    pub fn of(values: &[f32], shape: [usize; 3]) -> Self {
        let [channels, height, width] = shape;
        let plane = height * width;
        let value = |at: usize| to_byte(values.get(at).copied().unwrap_or(0.0));
        let color = |at: usize| match channels {
            3 => [0, 1, 2].map(|c| value(c * plane + at)),
            _ => [value(at); 3],
        };
        Self { width, height, rgb: (0..plane).flat_map(color).collect() }
    }

    /// A grid of examples, row by row from the top left.
    ///
    /// `values` holds one example after the other, 0 black and 1 white, clamped; `shape` is
    /// `[channels, height, width]` with one or three channels; every value becomes a square of
    /// `scale` pixels. An incomplete last example is omitted.
    pub fn grid(values: &[f32], shape: [usize; 3], columns: usize, scale: usize) -> Self {
        let [channels, height, width] = shape;
        let (size, plane) = (channels * height * width, height * width);
        let scale = scale.max(1);
        let examples = values.len().checked_div(size).unwrap_or(0);
        let columns = columns.clamp(1, examples.max(1));
        let rows = examples.div_ceil(columns).max(1);
        let mut image = Self::filled(
            (columns * (width + 1) + 1) * scale,
            (rows * (height + 1) + 1) * scale,
            SEPARATOR,
        );
        for (i, example) in values.chunks_exact(size.max(1)).take(examples).enumerate() {
            let left = (1 + (i % columns) * (width + 1)) * scale;
            let top = (1 + (i / columns) * (height + 1)) * scale;
            for y in 0..height {
                for x in 0..width {
                    let at = y * width + x;
                    let color = if channels == 3 {
                        [0, 1, 2].map(|c| to_byte(example[c * plane + at]))
                    } else {
                        [to_byte(example[at]); 3]
                    };
                    image.fill(left + x * scale, top + y * scale, scale, scale, color);
                }
            }
        }
        image
    }

    /// Stacks images vertically, each under its caption.
    pub fn vstack(parts: &[(&str, Self)]) -> Self {
        let parts: Vec<Self> =
            parts.iter().map(|(caption, part)| part.captioned(caption)).collect();
        let width = parts.iter().map(|p| p.width).max().unwrap_or(0);
        let height = parts.iter().map(|p| p.height).sum();
        let mut image = Self::filled(width, height, [255; 3]);
        let mut top = 0;
        for part in &parts {
            image.paste(part, 0, top);
            top += part.height;
        }
        image
    }

    /// Stacks images horizontally, each under its caption.
    pub fn hstack(parts: &[(&str, Self)]) -> Self {
        const GAP: usize = 12;
        let parts: Vec<Self> =
            parts.iter().map(|(caption, part)| part.captioned(caption)).collect();
        let width = parts.iter().map(|p| p.width + GAP).sum::<usize>().saturating_sub(GAP);
        let height = parts.iter().map(|p| p.height).max().unwrap_or(0);
        let mut image = Self::filled(width, height, [255; 3]);
        let mut left = 0;
        for part in &parts {
            image.paste(part, left, 0);
            left += part.width + GAP;
        }
        image
    }

    /// The image with a line of text above it, wider if the text is.
    pub fn captioned(&self, caption: &str) -> Self {
        let text = text_width(caption, CAPTION_PIXELS).ceil() as usize + 8;
        let mut image = Self::filled(self.width.max(text), self.height + CAPTION_LINE, [255; 3]);
        image.write(caption, 4, 3, CAPTION_PIXELS, [30; 3]);
        image.paste(self, 0, CAPTION_LINE);
        image
    }

    /// The image with a white margin of `pixels`.
    pub fn with_margin(&self, pixels: usize) -> Self {
        let (width, height) = (self.width + 2 * pixels, self.height + 2 * pixels);
        let mut image = Self::filled(width, height, [255; 3]);
        image.paste(self, pixels, pixels);
        image
    }

    /// Every pixel as a square of `scale` pixels.
    pub fn enlarged(&self, scale: usize) -> Self {
        let scale = scale.max(1);
        self.resized(self.width * scale, self.height * scale)
    }

    /// The image at another size, by nearest-neighbor interpolation.
    pub fn resized(&self, width: usize, height: usize) -> Self {
        self.window((0.0, 1.0), (0.0, 1.0), width, height)
    }

    /// A part of the image at another size; the part is given in fractions of width and height.
    pub(crate) fn window(
        &self,
        across: (f64, f64),
        down: (f64, f64),
        width: usize,
        height: usize,
    ) -> Self {
        let mut image = Self::filled(width, height, [255; 3]);
        if self.rgb.is_empty() {
            return image;
        }
        let source = |to: usize, size: usize, (from, till): (f64, f64), of: usize| {
            let share = from + (till - from) * (to as f64 + 0.5) / size as f64;
            ((share * of as f64) as usize).min(of - 1)
        };
        for y in 0..height {
            let row = source(y, height, down, self.height) * self.width;
            for x in 0..width {
                let at = (row + source(x, width, across, self.width)) * 3;
                let to = (y * width + x) * 3;
                image.rgb[to..to + 3].copy_from_slice(&self.rgb[at..at + 3]);
            }
        }
        image
    }

    /// The image downsampled by `k`, each pixel the mean of a square.
    pub(crate) fn averaged(&self, k: usize) -> Self {
        let mut image = Self::filled(self.width / k, self.height / k, [255; 3]);
        for y in 0..image.height {
            for x in 0..image.width {
                for c in 0..3 {
                    let square = (0..k * k)
                        .map(|i| ((y * k + i / k) * self.width + x * k + i % k) * 3 + c)
                        .map(|at| usize::from(self.rgb[at]));
                    let mean = (square.sum::<usize>() + k * k / 2) / (k * k);
                    image.rgb[(y * image.width + x) * 3 + c] = mean as u8;
                }
            }
        }
        image
    }

    /// The width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels, row after row, three bytes each.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    pub(crate) fn rgb_mut(&mut self) -> &mut [u8] {
        &mut self.rgb
    }

    /// The image padded on the right and at the bottom with a color; unchanged where it is large
    /// enough.
    pub fn padded(&self, width: usize, height: usize, color: [u8; 3]) -> Self {
        let (width, height) = (width.max(self.width), height.max(self.height));
        let mut all = Self::filled(width, height, color);
        for (to, from) in
            all.rgb.chunks_exact_mut(3 * width).zip(self.rgb.chunks_exact(3 * self.width.max(1)))
        {
            to[..from.len()].copy_from_slice(from);
        }
        all
    }

    /// Reads a PNG file.
    ///
    /// # Errors
    /// If it cannot be read or is not a PNG.
    pub fn open_png(path: impl AsRef<Path>) -> Result<Self, PlotError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| DataError::io("read", path, e))?;
        let image = image::load_from_memory_with_format(&bytes, image::ImageFormat::Png)
            .map_err(|e| PlotError::Decode { path: path.into(), problem: e.to_string() })?
            .to_rgb8();
        let (width, height) = (image.width() as usize, image.height() as usize);
        Self::new(width, height, image.into_raw())
    }

    /// Writes a PNG file, atomically.
    ///
    /// # Errors
    /// If the image has no pixels or the file cannot be written.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        Ok(write_atomic(path.as_ref(), &self.to_png()?)?)
    }

    /// The image encoded as PNG.
    ///
    /// # Errors
    /// If the image has no pixels.
    pub fn to_png(&self) -> Result<Vec<u8>, PlotError> {
        self.encode(&self.rgb, ExtendedColorType::Rgb8)
    }

    /// The same with one byte for each pixel, of an image whose pixels are gray.
    ///
    /// # Errors
    /// As [`Image::to_png`].
    pub fn to_gray_png(&self) -> Result<Vec<u8>, PlotError> {
        let gray: Vec<u8> = self.rgb.iter().step_by(3).copied().collect();
        self.encode(&gray, ExtendedColorType::L8)
    }

    fn encode(&self, pixels: &[u8], color: ExtendedColorType) -> Result<Vec<u8>, PlotError> {
        let too_large = || self.unfit("PNG");
        let width = u32::try_from(self.width).map_err(|_| too_large())?;
        let height = u32::try_from(self.height).map_err(|_| too_large())?;
        if self.rgb.is_empty() {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
            .write_image(pixels, width, height, color)
            .map_err(|e| PlotError::Encode { format: "PNG", problem: e.to_string() })?;
        Ok(bytes)
    }

    /// The error for a size that the format does not support.
    pub(crate) fn unfit(&self, format: &'static str) -> PlotError {
        PlotError::Size { width: self.width, height: self.height, format }
    }

    /// Fills a rectangle, clipped to the image.
    pub fn fill(&mut self, left: usize, top: usize, w: usize, h: usize, color: [u8; 3]) {
        let right = (left + w).min(self.width);
        for y in top..(top + h).min(self.height) {
            for x in left..right {
                let at = (y * self.width + x) * 3;
                self.rgb[at..at + 3].copy_from_slice(&color);
            }
        }
    }

    fn paste(&mut self, other: &Self, left: usize, top: usize) {
        let width = other.width.min(self.width.saturating_sub(left)) * 3;
        if width == 0 {
            return;
        }
        for (y, row) in other.rgb.chunks_exact(other.width * 3).enumerate() {
            let at = ((top + y) * self.width + left) * 3;
            if let Some(to) = self.rgb.get_mut(at..at + width) {
                to.copy_from_slice(&row[..width]);
            }
        }
    }

    /// Writes a line of text whose upper left corner is given.
    pub(crate) fn write(
        &mut self,
        text: &str,
        left: usize,
        top: usize,
        pixels: f32,
        color: [u8; 3],
    ) {
        let Ok(font) = FontRef::try_from_slice(FONT) else { return };
        let font = font.as_scaled(PxScale::from(pixels));
        let baseline = top as f32 + font.ascent();
        let mut x = left as f32;
        let mut previous = None;
        for c in text.chars() {
            let id = font.glyph_id(c);
            if let Some(previous) = previous {
                x += font.kern(previous, id);
            }
            previous = Some(id);
            let glyph = id.with_scale_and_position(PxScale::from(pixels), point(x, baseline));
            x += font.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let bounds = outline.px_bounds();
            outline.draw(|dx, dy, coverage| {
                let (px, py) = (bounds.min.x + dx as f32, bounds.min.y + dy as f32);
                if px < 0.0 || py < 0.0 || px as usize >= self.width || py as usize >= self.height {
                    return;
                }
                let at = (py as usize * self.width + px as usize) * 3;
                for (byte, &ink) in self.rgb[at..at + 3].iter_mut().zip(&color) {
                    let mixed =
                        f32::from(*byte) + (f32::from(ink) - f32::from(*byte)) * coverage.min(1.0);
                    *byte = mixed.round() as u8;
                }
            });
        }
    }
}

fn to_byte(value: f32) -> u8 {
    // A cast of NaN is 0.
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_image_keeps_its_corner_and_comes_back_from_a_file() {
        let image = Image::new(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
        let padded = image.padded(3, 2, [9; 3]);
        assert_eq!(padded.rgb()[..9], [1, 2, 3, 4, 5, 6, 9, 9, 9]);
        assert!(padded.rgb()[9..].iter().all(|&c| c == 9));
        assert_eq!(image.padded(1, 1, [9; 3]).rgb(), image.rgb());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        padded.save_png(&path).unwrap();
        assert_eq!(Image::open_png(&path).unwrap().rgb(), padded.rgb());
        assert!(Image::open_png(dir.path().join("none.png")).is_err());
    }

    #[test]
    fn a_grid_puts_each_value_where_it_belongs() {
        // Two examples of 1×2: black, white; gray, beyond the range.
        let image = Image::grid(&[0.0, 1.0, 0.5, 7.0], [1, 1, 2], 1, 2);
        assert_eq!((image.width(), image.height()), (8, 10));
        let pixel = |x: usize, y: usize| image.rgb()[(y * 8 + x) * 3];
        assert_eq!([pixel(2, 2), pixel(3, 3), pixel(4, 2), pixel(5, 3)], [0, 0, 255, 255]);
        assert_eq!([pixel(2, 6), pixel(4, 7)], [128, 255]);
        assert_eq!([pixel(0, 0), pixel(6, 3), pixel(3, 4), pixel(7, 9)], [SEPARATOR[0]; 4]);
    }

    #[test]
    fn colors_are_taken_plane_by_plane() {
        let image = Image::grid(&[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], [3, 1, 2], 4, 1);
        let at = (image.width() + 1) * 3;
        assert_eq!(image.rgb()[at..at + 6], [255, 0, 0, 0, 255, 0]);
    }

    #[test]
    fn nothing_to_draw_is_no_panic() {
        for shape in [[1, 8, 8], [0, 0, 0], [3, 0, 4]] {
            let image = Image::grid(&[], shape, 0, 0);
            assert!(image.width() > 0);
        }
        assert_eq!(Image::vstack(&[]).width(), 0);
        assert!(Image::vstack(&[]).save_png("never.png").is_err());
        assert!(Image::new(usize::MAX, 2, vec![]).is_err());
    }

    #[test]
    fn a_png_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let written = Image::grid(&[0.5; 16], [1, 4, 4], 1, 3);
        let png = dir.path().join("a.png");
        written.save_png(&png).unwrap();
        let back = image::open(&png).unwrap().to_rgb8();
        assert_eq!(back.as_raw(), written.rgb());
    }

    #[test]
    fn what_the_user_gave_is_told_from_what_the_system_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!Image::open_png(dir.path().join("none.png")).unwrap_err().is_usage());
        let text = dir.path().join("text.png");
        std::fs::write(&text, "no image").unwrap();
        let error = Image::open_png(&text).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains("text.png"), "{error}");
        let image = Image::filled(1, 1, [0; 3]);
        assert!(!image.save_png(text.join("below-a-file.png")).unwrap_err().is_usage());
    }
}
