//! Pictures in memory: grids of examples, heat maps, captions, PNG and GIF files.

use std::path::Path;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use crate::{DataError, write_atomic};

/// The one font of every picture, embedded so that none has to be found on the system.
pub(crate) const FONT: &[u8] = include_bytes!("../../../assets/font/DejaVuSans-subset.ttf");

const CAPTION_PIXELS: f32 = 15.0;
const CAPTION_LINE: usize = 24;
/// Between black and white, so that examples of either ground are told apart.
const SEPARATOR: [u8; 3] = [200, 206, 214];

/// A colour picture, row after row from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    /// A picture of the given pixels, three bytes each.
    ///
    /// # Errors
    /// If there are not `width · height · 3` bytes.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Result<Self, DataError> {
        let expected = width.checked_mul(height).and_then(|n| n.checked_mul(3));
        if expected != Some(rgb.len()) {
            return Err(DataError::Unsuitable(format!(
                "a picture of {width}×{height} has three bytes a pixel, not {} in all",
                rgb.len()
            )));
        }
        Ok(Self { width, height, rgb })
    }

    /// A picture of one colour.
    pub fn filled(width: usize, height: usize, colour: [u8; 3]) -> Self {
        Self { width, height, rgb: colour.repeat(width * height) }
    }

    /// Examples side by side, from the left and from the top.
    ///
    /// `values` holds one example after the other, 0 black and 1 white, clamped; `shape` is
    /// `[channels, height, width]` with one or three channels; every value becomes a square of
    /// `scale` pixels. An incomplete last example is left out.
    pub fn grid(values: &[f32], shape: [usize; 3], columns: usize, scale: usize) -> Self {
        let [channels, height, width] = shape;
        let (size, plane) = (channels * height * width, height * width);
        let scale = scale.max(1);
        let examples = values.len().checked_div(size).unwrap_or(0);
        let columns = columns.clamp(1, examples.max(1));
        let rows = examples.div_ceil(columns).max(1);
        let mut picture = Self::filled(
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
                    let colour = if channels == 3 {
                        [0, 1, 2].map(|c| to_byte(example[c * plane + at]))
                    } else {
                        [to_byte(example[at]); 3]
                    };
                    picture.fill(left + x * scale, top + y * scale, scale, scale, colour);
                }
            }
        }
        picture
    }

    /// Pictures one over another, each under its caption.
    pub fn stack(parts: &[(&str, Self)]) -> Self {
        let parts: Vec<Self> =
            parts.iter().map(|(caption, part)| part.captioned(caption)).collect();
        let width = parts.iter().map(|p| p.width).max().unwrap_or(0);
        let height = parts.iter().map(|p| p.height).sum();
        let mut picture = Self::filled(width, height, [255; 3]);
        let mut top = 0;
        for part in &parts {
            picture.paste(part, 0, top);
            top += part.height;
        }
        picture
    }

    /// Pictures from left to right, each under its caption.
    pub fn beside(parts: &[(&str, Self)]) -> Self {
        const GAP: usize = 12;
        let parts: Vec<Self> =
            parts.iter().map(|(caption, part)| part.captioned(caption)).collect();
        let width = parts.iter().map(|p| p.width + GAP).sum::<usize>().saturating_sub(GAP);
        let height = parts.iter().map(|p| p.height).max().unwrap_or(0);
        let mut picture = Self::filled(width, height, [255; 3]);
        let mut left = 0;
        for part in &parts {
            picture.paste(part, left, 0);
            left += part.width + GAP;
        }
        picture
    }

    /// The picture with a line of text above it, wider if the text is.
    pub fn captioned(&self, caption: &str) -> Self {
        let text = text_width(caption, CAPTION_PIXELS).ceil() as usize + 8;
        let mut picture = Self::filled(self.width.max(text), self.height + CAPTION_LINE, [255; 3]);
        picture.write(caption, 4, 3, CAPTION_PIXELS, [30; 3]);
        picture.paste(self, 0, CAPTION_LINE);
        picture
    }

    /// The picture with so many white pixels around it.
    pub fn with_margin(&self, pixels: usize) -> Self {
        let (width, height) = (self.width + 2 * pixels, self.height + 2 * pixels);
        let mut picture = Self::filled(width, height, [255; 3]);
        picture.paste(self, pixels, pixels);
        picture
    }

    /// Every pixel as a square of `scale` pixels.
    pub fn enlarged(&self, scale: usize) -> Self {
        let scale = scale.max(1);
        self.resized(self.width * scale, self.height * scale)
    }

    /// The picture at another size, each pixel taken from the nearest one.
    pub fn resized(&self, width: usize, height: usize) -> Self {
        self.window((0.0, 1.0), (0.0, 1.0), width, height)
    }

    /// A part of the picture at another size; the part is given in shares of width and height.
    pub(crate) fn window(
        &self,
        across: (f64, f64),
        down: (f64, f64),
        width: usize,
        height: usize,
    ) -> Self {
        let mut picture = Self::filled(width, height, [255; 3]);
        if self.rgb.is_empty() {
            return picture;
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
                picture.rgb[to..to + 3].copy_from_slice(&self.rgb[at..at + 3]);
            }
        }
        picture
    }

    /// The picture at a `k`-th of its size, each pixel the mean of a square.
    pub(crate) fn averaged(&self, k: usize) -> Self {
        let mut picture = Self::filled(self.width / k, self.height / k, [255; 3]);
        for y in 0..picture.height {
            for x in 0..picture.width {
                for c in 0..3 {
                    let square = (0..k * k)
                        .map(|i| ((y * k + i / k) * self.width + x * k + i % k) * 3 + c)
                        .map(|at| usize::from(self.rgb[at]));
                    let mean = (square.sum::<usize>() + k * k / 2) / (k * k);
                    picture.rgb[(y * picture.width + x) * 3 + c] = mean as u8;
                }
            }
        }
        picture
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

    /// The picture in the upper left corner of a larger one of a colour; as it is where it is not
    /// smaller.
    pub fn padded(&self, width: usize, height: usize, colour: [u8; 3]) -> Self {
        let (width, height) = (width.max(self.width), height.max(self.height));
        let mut all = Self::filled(width, height, colour);
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
    /// If it cannot be read or is no PNG.
    pub fn open_png(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| DataError::io("read", path, e))?;
        let picture = image::load_from_memory_with_format(&bytes, image::ImageFormat::Png)
            .map_err(|e| DataError::Unsuitable(format!("{}: {e}", path.display())))?
            .to_rgb8();
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        Self::new(width, height, picture.into_raw())
    }

    /// Writes a PNG file, whole or not at all.
    ///
    /// # Errors
    /// If the picture has no pixels or the file cannot be written.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<(), DataError> {
        write_atomic(path.as_ref(), &self.to_png()?)
    }

    pub(crate) fn to_png(&self) -> Result<Vec<u8>, DataError> {
        let too_large = || self.unfit("PNG");
        let width = u32::try_from(self.width).map_err(|_| too_large())?;
        let height = u32::try_from(self.height).map_err(|_| too_large())?;
        if self.rgb.is_empty() {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
            .write_image(&self.rgb, width, height, ExtendedColorType::Rgb8)
            .map_err(|e| DataError::Unsuitable(format!("cannot encode a PNG: {e}")))?;
        Ok(bytes)
    }

    fn unfit(&self, format: &str) -> DataError {
        DataError::Unsuitable(format!(
            "a picture of {}×{} pixels cannot be a {format}",
            self.width, self.height
        ))
    }

    /// Paints a rectangle; what lies outside is cut off.
    pub(crate) fn fill(&mut self, left: usize, top: usize, w: usize, h: usize, colour: [u8; 3]) {
        let right = (left + w).min(self.width);
        for y in top..(top + h).min(self.height) {
            for x in left..right {
                let at = (y * self.width + x) * 3;
                self.rgb[at..at + 3].copy_from_slice(&colour);
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
    fn write(&mut self, text: &str, left: usize, top: usize, pixels: f32, colour: [u8; 3]) {
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
                for (byte, &ink) in self.rgb[at..at + 3].iter_mut().zip(&colour) {
                    let mixed =
                        f32::from(*byte) + (f32::from(ink) - f32::from(*byte)) * coverage.min(1.0);
                    *byte = mixed.round() as u8;
                }
            });
        }
    }
}

/// How far a line of text reaches, in pixels.
pub(crate) fn text_width(text: &str, pixels: f32) -> f32 {
    let Ok(font) = FontRef::try_from_slice(FONT) else { return 0.0 };
    let font = font.as_scaled(PxScale::from(pixels));
    text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
}

fn to_byte(value: f32) -> u8 {
    // A cast of NaN is 0.
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// A heat map, one pixel a value, from the left and from the top; dark blue is the smallest
/// value and yellow the largest (viridis), grey is no finite number.
pub fn heat(values: &[f64], columns: usize) -> Picture {
    let finite = values.iter().copied().filter(|v| v.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    heat_between(values, columns, low, high)
}

/// As [`heat`], between two given values, so that several maps share a scale.
pub fn heat_between(values: &[f64], columns: usize, low: f64, high: f64) -> Picture {
    coloured(values, columns, low, high, 0.0)
}

/// How much white is mixed into the colours of a map that something is drawn on.
pub(crate) const PALE: f64 = 0.45;

/// The colour of a share from 0 to 1, with some white mixed in.
pub(crate) fn colour(share: f64, white: f64) -> [u8; 3] {
    let full = colorous::VIRIDIS.eval_continuous(share.clamp(0.0, 1.0));
    [full.r, full.g, full.b].map(|c| {
        let c = f64::from(c);
        (c + (255.0 - c) * white).round() as u8
    })
}

/// A heat map with some white mixed into its colours.
pub(crate) fn coloured(values: &[f64], columns: usize, low: f64, high: f64, white: f64) -> Picture {
    let columns = columns.max(1);
    let mut picture = Picture::filled(columns, values.len().div_ceil(columns), [128; 3]);
    let span = if high > low { high - low } else { 1.0 };
    for (pixel, &value) in picture.rgb.chunks_exact_mut(3).zip(values) {
        if value.is_finite() {
            pixel.copy_from_slice(&colour((value - low) / span, white));
        }
    }
    picture
}

/// A map of a few cells as one of many, interpolated between their middles, and its columns.
pub(crate) fn refined(values: &[f64], columns: usize) -> (Vec<f64>, usize) {
    const SIDE: usize = 480;
    let columns = columns.max(1);
    let rows = values.len() / columns;
    let factor = SIDE / columns.min(rows).max(1);
    if factor < 2 || rows == 0 || (columns * factor).max(rows * factor) > 8 * SIDE {
        return (values.to_vec(), columns);
    }
    // The cells on both sides of a fine one, and how far it is from the first to the second.
    let place = |fine: usize, cells: usize| {
        let at = ((fine as f64 + 0.5) / factor as f64 - 0.5).clamp(0.0, (cells - 1) as f64);
        let low = at as usize;
        (low, (low + 1).min(cells - 1), at - low as f64)
    };
    let mix = |a: f64, b: f64, t: f64| if t == 0.0 { a } else { a + (b - a) * t };
    let mut fine = Vec::with_capacity(values.len() * factor * factor);
    for y in 0..rows * factor {
        let (above, below, down) = place(y, rows);
        let (above, below) = (&values[above * columns..], &values[below * columns..]);
        for x in 0..columns * factor {
            let (left, right, along) = place(x, columns);
            let over = mix(above[left], above[right], along);
            fine.push(mix(over, mix(below[left], below[right], along), down));
        }
    }
    (fine, columns * factor)
}

/// Writes an endless animation, whole or not at all.
///
/// # Errors
/// If there is no frame, the frames differ in size, or the file cannot be written.
pub fn save_gif(
    frames: &[Picture],
    milliseconds: u32,
    path: impl AsRef<Path>,
) -> Result<(), DataError> {
    let first = frames
        .first()
        .ok_or_else(|| DataError::Unsuitable("an animation needs at least one frame".into()))?;
    let side = |n: usize| u16::try_from(n).ok().filter(|&n| n > 0);
    let (Some(width), Some(height)) = (side(first.width), side(first.height)) else {
        return Err(first.unfit("GIF"));
    };
    let failed = |e: gif::EncodingError| DataError::Unsuitable(format!("cannot encode a GIF: {e}"));
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, width, height, &[]).map_err(failed)?;
    encoder.set_repeat(gif::Repeat::Infinite).map_err(failed)?;
    for (i, picture) in frames.iter().enumerate() {
        if (picture.width, picture.height) != (first.width, first.height) {
            return Err(DataError::Unsuitable(format!(
                "frame {i} of the animation is {}×{} where the first is {width}×{height}",
                picture.width, picture.height
            )));
        }
        let mut frame = gif::Frame::from_rgb_speed(width, height, &picture.rgb, 10);
        // The format counts in hundredths of a second.
        frame.delay = u16::try_from(milliseconds.div_ceil(10)).unwrap_or(u16::MAX);
        encoder.write_frame(&frame).map_err(failed)?;
    }
    drop(encoder);
    write_atomic(path.as_ref(), &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_picture_keeps_its_corner_and_comes_back_from_a_file() {
        let picture = Picture::new(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
        let padded = picture.padded(3, 2, [9; 3]);
        assert_eq!(padded.rgb()[..9], [1, 2, 3, 4, 5, 6, 9, 9, 9]);
        assert!(padded.rgb()[9..].iter().all(|&c| c == 9));
        assert_eq!(picture.padded(1, 1, [9; 3]).rgb(), picture.rgb());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        padded.save_png(&path).unwrap();
        assert_eq!(Picture::open_png(&path).unwrap().rgb(), padded.rgb());
        assert!(Picture::open_png(dir.path().join("none.png")).is_err());
    }

    #[test]
    fn a_grid_puts_each_value_where_it_belongs() {
        // Two examples of 1×2: black, white; grey, beyond the range.
        let picture = Picture::grid(&[0.0, 1.0, 0.5, 7.0], [1, 1, 2], 1, 2);
        assert_eq!((picture.width(), picture.height()), (8, 10));
        let pixel = |x: usize, y: usize| picture.rgb()[(y * 8 + x) * 3];
        assert_eq!([pixel(2, 2), pixel(3, 3), pixel(4, 2), pixel(5, 3)], [0, 0, 255, 255]);
        assert_eq!([pixel(2, 6), pixel(4, 7)], [128, 255]);
        assert_eq!([pixel(0, 0), pixel(6, 3), pixel(3, 4), pixel(7, 9)], [SEPARATOR[0]; 4]);
    }

    #[test]
    fn colours_are_taken_plane_by_plane() {
        let picture = Picture::grid(&[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], [3, 1, 2], 4, 1);
        let at = (picture.width() + 1) * 3;
        assert_eq!(picture.rgb()[at..at + 6], [255, 0, 0, 0, 255, 0]);
    }

    #[test]
    fn nothing_to_draw_is_no_panic() {
        for shape in [[1, 8, 8], [0, 0, 0], [3, 0, 4]] {
            let picture = Picture::grid(&[], shape, 0, 0);
            assert!(picture.width() > 0);
        }
        assert_eq!(Picture::stack(&[]).width(), 0);
        assert!(Picture::stack(&[]).save_png("never.png").is_err());
        assert_eq!(heat(&[], 0).height(), 0);
        assert!(save_gif(&[], 10, "never.gif").is_err());
        assert!(Picture::new(usize::MAX, 2, vec![]).is_err());
    }

    #[test]
    fn png_and_gif_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let frames = [0.0, 0.5, 1.0].map(|v| Picture::grid(&[v; 16], [1, 4, 4], 1, 3));
        let png = dir.path().join("a.png");
        frames[1].save_png(&png).unwrap();
        let back = image::open(&png).unwrap().to_rgb8();
        assert_eq!(back.as_raw(), frames[1].rgb());
        let path = dir.path().join("a.gif");
        save_gif(&frames, 120, &path).unwrap();
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(std::fs::File::open(&path).unwrap()).unwrap();
        let mut seen = 0;
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            assert_eq!(frame.delay, 12);
            let rgb: Vec<u8> = frame.buffer.chunks(4).flat_map(|p| p[..3].to_vec()).collect();
            assert_eq!(rgb, frames[seen].rgb());
            seen += 1;
        }
        assert_eq!(seen, 3);
        let mixed = [frames[0].clone(), Picture::filled(2, 2, [0; 3])];
        assert!(save_gif(&mixed, 10, &path).unwrap_err().to_string().contains("2×2"));
    }
}
