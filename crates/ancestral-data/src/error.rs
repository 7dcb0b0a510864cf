//! One error type for everything that can be wrong with data.

use std::io;
use std::path::PathBuf;

/// What went wrong while finding, reading, converting or writing data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused a file or folder.
    // The cause stands in the text and is no `source`: whoever prints a chain would say it twice.
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
    #[cfg(feature = "fetch")]
    #[error("cannot fetch {url}: {problem}")]
    Fetch {
        /// The address that was tried.
        url: String,
        /// What went wrong and what to do.
        problem: String,
    },
}

/// What to do about a refusal of the system.
fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space, or give a path on another disk"
        }
        io::ErrorKind::PermissionDenied => "; give a path that this user may use",
        io::ErrorKind::ReadOnlyFilesystem => "; give a path that can be written",
        io::ErrorKind::NotFound => "; check how the path is spelt",
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
            Self::Malformed { .. } | Self::Missing { .. } | Self::Unsuitable(_) => true,
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
