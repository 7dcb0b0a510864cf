//! The samples during training as an animation.

use std::path::Path;

use ancestral_plot::{Animation, Image};

use crate::Result;

/// The duration of a frame, in milliseconds, and that of the last.
const FRAME: u32 = 150;
const LAST: u32 = 1350;

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
    let mut animation = Animation::new();
    for (i, frame) in frames.iter().enumerate() {
        let duration = if i + 1 == frames.len() { LAST } else { FRAME };
        animation.push(&frame.padded(width, height, [255; 3]), duration)?;
    }
    animation.save_gif(path)?;
    Ok(true)
}
