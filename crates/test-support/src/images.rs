//! Checks of images: plots and contact sheets of fixed data by a hash, samples of trained weights by
//! size, ink and mean.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use sha2::{Digest, Sha256};

/// The background of grids of gray examples.
pub const BLACK: [u8; 3] = [0; 3];
/// The background of plots.
pub const WHITE: [u8; 3] = [255; 3];

/// A pixel is ink if a channel is further than this from the background.
const FAINT: u8 = 32;

/// Writes a gray PNG file of so many pixels a row.
///
/// # Panics
/// If the file cannot be written.
pub fn save_gray(path: &Path, width: usize, bytes: &[u8]) {
    let size = [width, bytes.len() / width].map(|side| u32::try_from(side).unwrap());
    image::save_buffer(path, bytes, size[0], size[1], image::ColorType::L8).unwrap();
}

/// Decoded pixels, row after row from the top, three bytes each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Image {
    /// An image of pixels in memory.
    ///
    /// # Panics
    /// If there are not `width · height · 3` bytes.
    pub fn new(width: usize, height: usize, rgb: &[u8]) -> Self {
        assert_eq!(rgb.len(), width * height * 3);
        Self { width, height, rgb: rgb.to_vec() }
    }

    /// The image of a PNG file.
    ///
    /// # Panics
    /// If it is not one.
    pub fn open(path: &Path) -> Self {
        let image = image::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let image = image.to_rgb8();
        Self::new(image.width() as usize, image.height() as usize, image.as_raw())
    }

    /// The frames of a GIF file, each of which must fill the whole image.
    ///
    /// # Panics
    /// If it is not one.
    pub fn frames(path: &Path) -> Vec<Self> {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut decoder = options.read_info(file).unwrap();
        let size = (decoder.width(), decoder.height());
        let mut frames = Vec::new();
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            assert_eq!((frame.width, frame.height), size, "{}", path.display());
            let (pixels, _) = frame.buffer.as_chunks::<4>();
            let rgb: Vec<u8> = pixels.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
            frames.push(Self::new(size.0.into(), size.1.into(), &rgb));
        }
        frames
    }

    /// Width and height.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// The fraction of pixels that differ from the background.
    pub fn ink(&self, background: [u8; 3]) -> f64 {
        let (pixels, _) = self.rgb.as_chunks::<3>();
        let differs =
            |pixel: &&[u8; 3]| pixel.iter().zip(background).any(|(a, b)| a.abs_diff(b) > FAINT);
        pixels.iter().filter(differs).count() as f64 / pixels.len() as f64
    }

    /// The mean of all bytes, 0 to 255.
    pub fn mean(&self) -> f64 {
        self.rgb.iter().map(|&byte| f64::from(byte)).sum::<f64>() / self.rgb.len() as f64
    }

    /// Asserts that the fraction of ink and the mean are within ranges; for samples of trained weights,
    /// whose pixels depend on the rounding of the processor.
    ///
    /// # Panics
    /// If they do not.
    #[track_caller]
    pub fn assert_looks(&self, background: [u8; 3], ink: Range<f64>, mean: Range<f64>) {
        let (found, brightness) = (self.ink(background), self.mean());
        assert!(ink.contains(&found), "a share of {found:.4} is ink, not {ink:?}");
        assert!(mean.contains(&brightness), "the mean is {brightness:.2}, not in {mean:?}");
    }

    /// SHA-256 over width, height (eight bytes each, the lowest first) and pixels, in hexadecimal.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        hash.update((self.width as u64).to_le_bytes());
        hash.update((self.height as u64).to_le_bytes());
        hash.update(&self.rgb);
        hexadecimal(hash)
    }
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Asserts that a PNG file has the pixels, or an SVG file the text, of a SHA-256 that begins with
/// the given 16 digits.
///
/// Only for images that do not depend on training. Look at an image before you store its hash.
///
/// # Panics
/// If it has not; the image is then kept in the folder for temporary files.
#[track_caller]
pub fn assert_hash(path: &Path, expected: &str) {
    let vectors = path.extension().is_some_and(|e| e == "svg");
    let found = if vectors {
        hexadecimal(Sha256::new_with_prefix(std::fs::read(path).unwrap()))
    } else {
        Image::open(path).hash()
    };
    if found[..16] != *expected {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kept = std::env::temp_dir().join(format!("{}-{name}", &found[..8]));
        std::fs::copy(path, &kept).unwrap();
        panic!("{name} is another image, of hash {}: look at {}", &found[..16], kept.display());
    }
}

/// Asserts that an SVG plot has the given words and, inside its frame, one line of a series for
/// each of the given numbers of points.
///
/// # Panics
/// If it has not.
#[track_caller]
pub fn assert_lines(path: &Path, words: &[&str], points: &[usize]) {
    let svg = std::fs::read_to_string(path).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{}", path.display());
    for word in words {
        // Each text is on its own line.
        assert!(svg.lines().any(|line| line == *word), "'{word}' is not in {}", path.display());
    }
    let numbers = |text: &str| -> Vec<f64> {
        text.split([' ', ',']).filter(|t| !t.is_empty()).map(|t| t.parse().unwrap()).collect()
    };
    let within = |line: &str, from: &str| -> Option<String> {
        Some(line.split_once(from)?.1.split_once('"')?.0.to_owned())
    };
    let view = numbers(&svg.lines().find_map(|line| within(line, "viewBox=\"")).unwrap());
    // Axes and ticks are thinner than series.
    let series = svg.lines().filter(|l| l.starts_with("<polyline") && l.contains("width=\"16\""));
    let found: Vec<usize> = series
        .map(|line| {
            let line = numbers(&within(line, "points=\"").unwrap());
            for (x, y) in line.iter().step_by(2).zip(line.iter().skip(1).step_by(2)) {
                assert!((0.0..=view[2]).contains(x) && (0.0..=view[3]).contains(y), "{x}, {y}");
            }
            line.len() / 2
        })
        .collect();
    assert_eq!(found, points, "points of the lines of {}", path.display());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_tells_pixels_and_sizes_apart() {
        let image = Image::new(2, 1, &[0, 1, 2, 3, 4, 5]);
        // As `printf '\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\1\2\3\4\5' | sha256sum` has it.
        let known = "c147ef38ce4b8852eb0e73a78bcf07dfcaa55f2311cb253d99a69fa410f3e780";
        assert_eq!(image.hash(), known);
        assert_ne!(Image::new(1, 2, &[0, 1, 2, 3, 4, 5]).hash(), known);
        assert_ne!(Image::new(2, 1, &[0, 1, 2, 3, 4, 6]).hash(), known);
        // The same pixels packed otherwise are the same image.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        image::save_buffer(&path, &image.rgb, 2, 1, image::ColorType::Rgb8).unwrap();
        assert_hash(&path, &known[..16]);
        let other = std::panic::catch_unwind(|| assert_hash(&path, &known[1..17]));
        assert!(other.is_err());
    }

    #[test]
    fn ink_and_mean_are_those_of_the_pixels() {
        let image = Image::new(2, 2, &[0, 0, 0, 0, 0, 32, 0, 33, 0, 255, 255, 255]);
        assert_eq!((image.ink(BLACK), image.ink(WHITE)), (0.5, 0.75));
        assert_eq!(image.mean(), (32.0 + 33.0 + 3.0 * 255.0) / 12.0);
        image.assert_looks(BLACK, 0.4..0.6, 60.0..80.0);
        for (ink, mean) in [(0.6..1.0, 60.0..80.0), (0.4..0.6, 0.0..60.0)] {
            let image = image.clone();
            assert!(std::panic::catch_unwind(|| image.assert_looks(BLACK, ink, mean)).is_err());
        }
    }

    #[test]
    fn frames_come_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gif");
        let mut encoder = gif::Encoder::new(File::create(&path).unwrap(), 2, 1, &[]).unwrap();
        for pixels in [[BLACK, WHITE], [WHITE, WHITE]] {
            let frame = gif::Frame::from_rgb(2, 1, pixels.as_flattened());
            encoder.write_frame(&frame).unwrap();
        }
        drop(encoder);
        let frames = Image::frames(&path);
        let inks: Vec<f64> = frames.iter().map(|frame| frame.ink(WHITE)).collect();
        assert_eq!((inks, frames[0].size()), (vec![0.5, 0.0], (2, 1)));
    }
}
