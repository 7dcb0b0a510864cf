//! The errors of association rules.

use std::io;
use std::path::PathBuf;

/// An error of reading baskets, of mining them or of writing results.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// A minimum support that is neither a share nor a count.
    #[error(
        "a minimum support of {value} is not allowed; give a share of the baskets above 0 and \
         below 1, as 0.01, or a whole number of baskets from 1"
    )]
    Support {
        /// The value as it was given.
        value: String,
    },
    /// A setting out of its range.
    #[error("{name} is {value}; {allowed}")]
    Setting {
        /// The name of the setting.
        name: &'static str,
        /// The value as it was given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A line that does not fit the format of the file.
    #[error("{}, line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: u64,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// An item that no basket holds.
    #[error(
        "no basket holds '{name}'{}",
        nearest.as_ref().map_or(String::new(), |near| format!("; did you mean '{near}'?"))
    )]
    UnknownItem {
        /// The name as it was given.
        name: String,
        /// The nearest name of an item.
        nearest: Option<String>,
    },
    /// A file without a basket.
    #[error("{} has no baskets", path.display())]
    NoBaskets {
        /// The file.
        path: PathBuf,
    },
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Results that cannot be written.
    #[error("cannot write the results: {source}")]
    Write {
        /// The cause.
        source: io::Error,
    },
    /// The memory limit.
    #[error(
        "{what} would need more than the memory limit of {} MiB; {lower}", limit >> 20
    )]
    Memory {
        /// What needs the memory.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
        /// What to change.
        lower: &'static str,
    },
    /// More than 32-bit numbers can count.
    #[error("{what} are more than {}; split the data into parts", u32::MAX)]
    TooMany {
        /// What is counted.
        what: &'static str,
    },
    /// A file that changed between two passes.
    #[error("the file had {before} baskets when it was first read, and {after} now")]
    Changed {
        /// Baskets of the first pass.
        before: u64,
        /// Baskets of the second pass.
        after: u64,
    },
    /// The receiver of the results wants no more of them.
    #[error("stopped by the receiver of the results")]
    Stopped,
}

impl RulesError {
    /// Whether the input or a setting is wrong, or too large for the memory limit.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Write { .. } | Self::Changed { .. } | Self::Stopped)
    }
}

/// The result of a function of this module.
pub type Result<T> = std::result::Result<T, RulesError>;
