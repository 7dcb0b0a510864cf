//! One error type for everything that can be wrong with data.

use std::io;
use std::path::PathBuf;

/// What went wrong while finding, reading, converting or writing data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused a file or folder.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: "read", "create", "rename" and so on.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what its format says it must be.
    #[error("{}: {place}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in it: "byte 12", "line 3, column 7", "member 'train.npy'" and so on.
        place: String,
        /// What was found and what was expected.
        problem: String,
    },
    /// A data set is not where it was looked for.
    #[error("data set '{name}' was not found; looked in {looked_in}; {hint}")]
    Missing {
        /// The name as the user gave it.
        name: String,
        /// The places that were tried.
        looked_in: String,
        /// What to do about it.
        hint: String,
    },
    /// The data cannot be used in the way that was asked.
    #[error("{0}")]
    Unsuitable(String),
    /// A download failed.
    #[error("cannot fetch {url}: {problem}")]
    Fetch {
        /// The address that was tried.
        url: String,
        /// What went wrong and what to do.
        problem: String,
    },
}

impl DataError {
    /// Wraps an operating-system error with the action and the path.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }

    /// A malformed file, with the place in it.
    pub fn malformed(
        path: impl Into<PathBuf>,
        place: impl Into<String>,
        problem: impl Into<String>,
    ) -> Self {
        Self::Malformed { path: path.into(), place: place.into(), problem: problem.into() }
    }
}
