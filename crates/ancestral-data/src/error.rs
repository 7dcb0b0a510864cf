//! One error type for everything that can be wrong with data.

use std::io;
use std::path::{Path, PathBuf};

/// What went wrong while finding, reading, converting or writing data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused a file or folder.
    // The cause is part of the text and no `source`, so that it is not printed twice.
    #[error("cannot {action} {}: {cause}{}", path.display(), advice(cause))]
    Io {
        /// What was tried: "read", "create", "rename" and so on.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
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
    #[error(
        "data set '{name}' was not found; {}{}",
        place(looked_in.as_deref()),
        other(nearest.as_deref(), known)
    )]
    Missing {
        /// The name as the user gave it.
        name: String,
        /// Where it was looked for; `None` on a system that names no folder for data.
        looked_in: Option<PathBuf>,
        /// Of a known set, its folder within the data folder.
        folder: Option<&'static str>,
        /// Of any other name, the nearest name of a known set.
        nearest: Option<String>,
        /// Of any other name, the names of all known sets.
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
        /// Those of the first image.
        expected: [usize; 2],
    },
    /// Real values were to be binarized.
    #[error("{name} holds real values, which have no levels to binarize")]
    NoLevels {
        /// The data set's name.
        name: String,
    },
    /// The data cannot be used in the way that was asked.
    #[error("{0}")]
    Unsuitable(String),
    /// A download failed.
    #[cfg(feature = "fetch")]
    #[error("cannot fetch {url}: {problem}")]
    Fetch {
        /// The address that was tried.
        url: String,
        /// What went wrong.
        problem: String,
        /// Whether the server requires HTTPS, which needs the feature `tls`.
        needs_tls: bool,
        /// Where the file belongs; it is used if it is put there by other means.
        file: PathBuf,
    },
}

/// Where a data set was looked for.
fn place(looked_in: Option<&Path>) -> String {
    match looked_in {
        Some(path) => format!("looked in {}", path.display()),
        None => "this system names no folder for data".to_owned(),
    }
}

/// What may have been meant by a name that is not that of a known set.
fn other(nearest: Option<&str>, known: &[&str]) -> String {
    match (nearest, known) {
        (Some(near), _) => format!("; did you mean '{near}'?"),
        (None, []) => String::new(),
        (None, known) => format!("; give a file, a folder, or one of {}", known.join(", ")),
    }
}

/// What to do about a refusal of the system.
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

    /// Whether the cause is what the user gave, rather than the program or the machine.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Malformed { .. }
            | Self::Missing { .. }
            | Self::MissingFile { .. }
            | Self::Transparent { .. }
            | Self::ImageSize { .. }
            | Self::NoLevels { .. }
            | Self::Unsuitable(_) => true,
            Self::Io { .. } => false,
            #[cfg(feature = "fetch")]
            Self::Fetch { .. } => false,
        }
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
