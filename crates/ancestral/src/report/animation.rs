//! The samples during training as an animation.

use std::path::Path;

use ancestral_plot::{Image, save_gif};

use crate::Result;

/// The duration of a frame, in milliseconds.
const FRAME: u32 = 150;

/// Combines the images of a folder, in the order of their names, into an animation; false if there
/// are fewer than two.
///
/// # Errors
/// If an image cannot be read or the animation not be written.
pub fn animation(folder: &Path, path: &Path) -> Result<bool> {
    let Ok(folder) = std::fs::read_dir(folder) else { return Ok(false) };
    let mut files: Vec<_> = folder.filter_map(|file| Some(file.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "png"));
    files.sort();
    let frames: std::result::Result<Vec<Image>, _> = files.iter().map(Image::open_png).collect();
    let frames = frames?;
    if frames.len() < 2 {
        return Ok(false);
    }
    // Tick labels may be wider in one frame than in another.
    let width = frames.iter().map(Image::width).max().unwrap_or(0);
    let height = frames.iter().map(Image::height).max().unwrap_or(0);
    let pad = |frame: &Image| frame.padded(width, height, [255; 3]);
    let mut frames: Vec<Image> = frames.iter().map(pad).collect();
    // The last frame is shown longest.
    if let Some(last) = frames.last().cloned() {
        frames.extend(std::iter::repeat_n(last, 8));
    }
    save_gif(&frames, FRAME, path)?;
    Ok(true)
}
