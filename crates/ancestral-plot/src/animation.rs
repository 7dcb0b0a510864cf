//! Animations as GIF files.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use ancestral_data::write_atomic;
use color_quant::NeuQuant;

use crate::{Image, PlotError};

/// Writes an animation that loops forever, atomically.
///
/// # Errors
/// If there is no frame, the frames differ in size, or the file cannot be written.
pub fn save_gif(
    frames: &[Image],
    milliseconds: u32,
    path: impl AsRef<Path>,
) -> Result<(), PlotError> {
    let mut animation = Animation::new();
    for frame in frames {
        animation.push(frame, milliseconds)?;
    }
    animation.save_gif(path)
}

/// An endless animation, of which only the encoded frames are held.
#[derive(Default)]
pub struct Animation {
    frames: Option<Frames>,
    count: usize,
}

/// Frames of one size in pixels.
struct Frames {
    size: (usize, usize),
    encoder: gif::Encoder<Vec<u8>>,
}

impl Animation {
    /// An animation without frames.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of frames.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no frames.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a frame that is shown for so many milliseconds.
    ///
    /// # Errors
    /// If it has no pixels, or another size than the first.
    pub fn push(&mut self, image: &Image, milliseconds: u32) -> Result<(), PlotError> {
        let size = (image.width(), image.height());
        let side = |n: usize| u16::try_from(n).ok().filter(|&n| n > 0);
        let (Some(width), Some(height)) = (side(size.0), side(size.1)) else {
            return Err(image.unfit("GIF"));
        };
        let frames = match &mut self.frames {
            Some(frames) => frames,
            frames => {
                let mut encoder =
                    gif::Encoder::new(Vec::new(), width, height, &[]).map_err(failed)?;
                encoder.set_repeat(gif::Repeat::Infinite).map_err(failed)?;
                frames.insert(Frames { size, encoder })
            }
        };
        if size != frames.size {
            return Err(PlotError::FrameSize { frame: self.count, size, first: frames.size });
        }
        let (palette, buffer) = indexed(image.rgb());
        let frame = gif::Frame {
            width,
            height,
            palette: Some(palette),
            buffer: buffer.into(),
            // The format has a resolution of hundredths of a second.
            delay: u16::try_from(milliseconds.div_ceil(10)).unwrap_or(u16::MAX),
            ..gif::Frame::default()
        };
        frames.encoder.write_frame(&frame).map_err(failed)?;
        self.count += 1;
        Ok(())
    }

    /// Writes it as a GIF file, whole or not at all.
    ///
    /// # Errors
    /// If there is no frame, or the file cannot be written.
    pub fn save_gif(self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        let Frames { encoder, .. } = self.frames.ok_or(PlotError::NoFrames)?;
        // Writes the end of the file.
        let bytes = encoder.into_inner().map_err(failed)?;
        Ok(write_atomic(path.as_ref(), &bytes)?)
    }
}

/// The most colors of a frame.
const COLORS: usize = 256;

/// The network that chooses colors learns from one pixel of so many.
const LEARNED: i32 = 10;

/// A palette, and each pixel's place in it: its colors where they are few enough, else the nearest of
/// those that fit the image.
fn indexed(rgb: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let pixels = rgb.as_chunks::<3>().0;
    let mut colors = BTreeSet::new();
    let mut last = None;
    for &pixel in pixels {
        if last.replace(pixel) != Some(pixel) && colors.insert(pixel) && colors.len() > COLORS {
            break;
        }
    }
    if colors.len() <= COLORS {
        let places: HashMap<[u8; 3], u8> = colors.iter().copied().zip(0..=255).collect();
        let buffer = by_color(pixels, |color| places[&color]);
        return (colors.into_iter().flatten().collect(), buffer);
    }
    let rgba: Vec<u8> = pixels.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect();
    let network = NeuQuant::new(LEARNED, COLORS, &rgba);
    let buffer = by_color(pixels, |[r, g, b]| network.index_of(&[r, g, b, 255]) as u8);
    (network.color_map_rgb(), buffer)
}

/// The place of each pixel, looked for once for each color.
fn by_color(pixels: &[[u8; 3]], place: impl Fn([u8; 3]) -> u8) -> Vec<u8> {
    let mut known: HashMap<[u8; 3], u8> = HashMap::new();
    let mut last = ([0; 3], None);
    let mut of = |pixel: [u8; 3]| match last {
        (color, Some(found)) if color == pixel => found,
        _ => {
            let found = *known.entry(pixel).or_insert_with(|| place(pixel));
            last = (pixel, Some(found));
            found
        }
    };
    pixels.iter().map(|&pixel| of(pixel)).collect()
}

fn failed(error: gif::EncodingError) -> PlotError {
    PlotError::Encode { format: "GIF", problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gif_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let frames = [0.0, 0.5, 1.0].map(|v| Image::grid(&[v; 16], [1, 4, 4], 1, 3));
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
        let mixed = [frames[0].clone(), Image::filled(2, 2, [0; 3])];
        assert!(save_gif(&mixed, 10, &path).unwrap_err().to_string().contains("2×2"));
        assert!(save_gif(&[], 10, "never.gif").is_err());
        // The last frame is shown longest.
        let mut animation = Animation::new();
        animation.push(&frames[0], 40).unwrap();
        animation.push(&frames[1], 3000).unwrap();
        assert_eq!(animation.len(), 2);
        animation.save_gif(&path).unwrap();
        let mut decoder =
            gif::DecodeOptions::new().read_info(std::fs::File::open(&path).unwrap()).unwrap();
        let mut delays = Vec::new();
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            delays.push(frame.delay);
        }
        assert_eq!(delays, [4, 300]);
    }

    #[test]
    fn frames_of_many_colors_are_those_of_the_encoder() {
        let mut image = Image::filled(61, 47, [250; 3]);
        for (i, byte) in image.rgb_mut().iter_mut().enumerate().skip(600) {
            *byte = (i * i / 7) as u8;
        }
        let theirs = gif::Frame::from_rgb_speed(61, 47, image.rgb(), LEARNED);
        let (palette, buffer) = indexed(image.rgb());
        assert_eq!(theirs.palette.unwrap(), palette);
        assert_eq!(&*theirs.buffer, buffer);
    }
}
