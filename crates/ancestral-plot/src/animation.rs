//! Animations as GIF files.

use std::path::Path;

use ancestral_data::write_atomic;

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
    let first = frames.first().ok_or(PlotError::NoFrames)?;
    let size = |image: &Image| (image.width(), image.height());
    let side = |n: usize| u16::try_from(n).ok().filter(|&n| n > 0);
    let (Some(width), Some(height)) = (side(first.width()), side(first.height())) else {
        return Err(first.unfit("GIF"));
    };
    let failed =
        |e: gif::EncodingError| PlotError::Encode { format: "GIF", problem: e.to_string() };
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, width, height, &[]).map_err(failed)?;
    encoder.set_repeat(gif::Repeat::Infinite).map_err(failed)?;
    for (i, image) in frames.iter().enumerate() {
        if size(image) != size(first) {
            let (size, first) = (size(image), size(first));
            return Err(PlotError::FrameSize { frame: i, size, first });
        }
        let mut frame = gif::Frame::from_rgb_speed(width, height, image.rgb(), 10);
        // The format has a resolution of hundredths of a second.
        frame.delay = u16::try_from(milliseconds.div_ceil(10)).unwrap_or(u16::MAX);
        encoder.write_frame(&frame).map_err(failed)?;
    }
    drop(encoder);
    Ok(write_atomic(path.as_ref(), &bytes)?)
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
    }
}
