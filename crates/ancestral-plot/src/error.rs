//! The errors of drawing and writing.

use std::path::PathBuf;

use ancestral_data::DataError;

/// An image or a plot that could not be drawn, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// Pixels that do not fill an image.
    #[error("an image of {width}×{height} has three bytes per pixel, not {bytes} in all")]
    Pixels {
        /// The width in pixels.
        width: usize,
        /// The height in pixels.
        height: usize,
        /// The number of bytes.
        bytes: usize,
    },
    /// An image too small or too large for a file format.
    #[error("an image of {width}×{height} pixels cannot be a {format}")]
    Size {
        /// The width in pixels.
        width: usize,
        /// The height in pixels.
        height: usize,
        /// The format.
        format: &'static str,
    },
    /// An animation without frames.
    #[error("an animation needs at least one frame")]
    NoFrames,
    /// A frame of another size than the first.
    #[error(
        "frame {frame} of the animation is {}×{} and the first is {}×{}",
        size.0, size.1, first.0, first.1
    )]
    FrameSize {
        /// The number of the frame, from 0.
        frame: usize,
        /// Its width and height in pixels.
        size: (usize, usize),
        /// The size of the first frame.
        first: (usize, usize),
    },
    /// A file name without a supported extension.
    #[error("{}: a plot is saved as .svg or .png", path.display())]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// A file that is not an image.
    #[error("{}: {problem}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// An image that could not be encoded.
    #[error("cannot encode a {format}: {problem}")]
    Encode {
        /// The format.
        format: &'static str,
        /// The problem.
        problem: String,
    },
    /// A plot that could not be drawn.
    #[error("cannot draw '{title}': {problem}")]
    Draw {
        /// The title of the plot.
        title: String,
        /// The problem.
        problem: String,
    },
    /// Data that could not be read, or a file that could not be written.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl PlotError {
    /// Whether the cause is the user's input, rather than the program or the system.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Data(error) => error.is_usage(),
            _ => true,
        }
    }
}
