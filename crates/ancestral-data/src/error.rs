//! The errors of data.

use std::io;
use std::path::{Path, PathBuf};

/// An error while finding, reading, converting or writing data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused a file or folder.
    // The cause is part of the text and no `source`, so that it is not printed twice.
    #[error("cannot {action} {}: {cause}{}", path.display(), advice(cause))]
    Io {
        /// The action: "read", "create", "rename" and so on.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
    /// A file does not conform to its format.
    #[error("{}: {place}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The position in it: "byte 12", "line 3, column 7", "member 'train.npy'" and so on.
        place: String,
        /// What was found and what was expected.
        problem: String,
    },
    /// A data set was not found.
    #[error(
        "data set '{name}' was not found; {}{}",
        place(looked_in.as_deref()),
        other(nearest.as_deref(), known)
    )]
    Missing {
        /// The name as the user gave it.
        name: String,
        /// The folder that was searched; `None` on a system without a default data folder.
        looked_in: Option<PathBuf>,
        /// For a known set, its folder within the data folder.
        folder: Option<&'static str>,
        /// For any other name, the nearest name of a known set.
        nearest: Option<String>,
        /// For any other name, the names of all known sets.
        known: &'static [&'static str],
        /// Whether it can be downloaded by name.
        can_fetch: bool,
    },
    /// A file of a data set is missing where other files of the set are.
    #[error(
        "file '{name}' was not found in {}, where other files of its set are; it may have the \
         ending .gz",
        folder.display()
    )]
    MissingFile {
        /// The file's name.
        name: String,
        /// The folder it was looked for in.
        folder: PathBuf,
    },
    /// An image has transparent pixels, and no background was given for them.
    #[error("{}: image: it has transparent pixels, and no background was given", path.display())]
    Transparent {
        /// The file.
        path: PathBuf,
    },
    /// The images of a data set differ in size.
    #[error(
        "{}: image: {}×{} pixels (width × height); expected {}×{} as in the first",
        path.display(), size[0], size[1], expected[0], expected[1]
    )]
    ImageSize {
        /// The file.
        path: PathBuf,
        /// Its width and height in pixels.
        size: [usize; 2],
        /// The size of the first image.
        expected: [usize; 2],
    },
    /// Real values were to be binarized.
    #[error("{name} holds real values, which have no levels to binarize")]
    NoLevels {
        /// The data set's name.
        name: String,
    },
    /// A pipe, a socket or a device where a plain file was expected.
    #[error("{}: is {kind}; give a plain file", path.display())]
    Special {
        /// The path.
        path: PathBuf,
        /// What it is, as in "a pipe".
        kind: &'static str,
    },
    /// More memory is needed than available.
    #[error(
        "{}: its data would need more than {} MiB, and {} MiB of memory are available",
        path.display(), needed >> 20, free >> 20
    )]
    Memory {
        /// The file.
        path: PathBuf,
        /// Bytes needed for what has been read so far.
        needed: u64,
        /// Bytes available.
        free: u64,
    },
    /// The data cannot be used as requested.
    #[error("{0}")]
    Unsuitable(String),
    /// A download failed.
    #[cfg(feature = "fetch")]
    #[error("cannot fetch {url}: {problem}")]
    Fetch {
        /// The URL that was tried.
        url: String,
        /// What went wrong.
        problem: String,
        /// Whether the server requires HTTPS, which needs the feature `tls`.
        needs_tls: bool,
        /// The path of the file, where it can also be placed manually.
        file: PathBuf,
    },
}

/// The searched folder as text.
fn place(looked_in: Option<&Path>) -> String {
    match looked_in {
        Some(path) => format!("looked in {}", path.display()),
        None => "this system names no folder for data".to_owned(),
    }
}

/// Suggestions for a name that is not that of a known set.
fn other(nearest: Option<&str>, known: &[&str]) -> String {
    match (nearest, known) {
        (Some(near), _) => format!("; did you mean '{near}'?"),
        (None, []) => String::new(),
        (None, known) => format!("; give a file, a folder, or one of {}", known.join(", ")),
    }
}

/// A hint on an error of the system.
fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space, or give a path on another disk"
        }
        io::ErrorKind::PermissionDenied => "; give a path that this user may use",
        io::ErrorKind::ReadOnlyFilesystem => "; give a path that can be written",
        io::ErrorKind::NotFound => "; check the spelling of the path",
        _ => "",
    }
}

impl DataError {
    /// Wraps an operating-system error with the action and the path.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, cause: io::Error) -> Self {
        Self::Io { action, path: path.into(), cause }
    }

    /// Whether the cause is the user's input, rather than the program or the system.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Malformed { .. }
            | Self::Missing { .. }
            | Self::MissingFile { .. }
            | Self::Transparent { .. }
            | Self::ImageSize { .. }
            | Self::NoLevels { .. }
            | Self::Special { .. }
            | Self::Memory { .. }
            | Self::Unsuitable(_) => true,
            Self::Io { .. } => false,
            #[cfg(feature = "fetch")]
            Self::Fetch { .. } => false,
        }
    }

    /// The error for a malformed file, with the position in it.
    pub fn malformed(
        path: impl Into<PathBuf>,
        place: impl Into<String>,
        problem: impl Into<String>,
    ) -> Self {
        Self::Malformed { path: path.into(), place: place.into(), problem: problem.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_once_with_what_to_do() {
        let cause = io::Error::from(io::ErrorKind::StorageFull);
        let said = cause.to_string();
        let error = DataError::io("write", "a.npy", cause);
        assert!(std::error::Error::source(&error).is_none());
        let text = error.to_string();
        assert_eq!(text.matches(&said).count(), 1, "{text}");
        assert!(text.starts_with("cannot write a.npy: ") && text.contains("free some"), "{text}");
    }
}
