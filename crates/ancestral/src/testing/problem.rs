//! Failures of checks.

use crate::Error;

/// What is wrong with a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A result is wrong.
    #[error("{what}")]
    Wrong {
        /// What was found, with the values.
        what: String,
    },
    /// It accepts what it must refuse.
    #[error("{what} was taken")]
    Taken {
        /// The request or the input.
        what: String,
    },
    /// An error lacks a part of its message.
    #[error("the error for {what} does not say \"{wanted}\": {error}")]
    Unsaid {
        /// The request or the input.
        what: String,
        /// The part.
        wanted: String,
        /// The message.
        error: String,
    },
    /// The case cannot be used for the check.
    #[error("the case does not suffice: {why}")]
    Case {
        /// Why, and what to give.
        why: String,
    },
    /// It refuses what it must accept, or fails.
    #[error(transparent)]
    Failed(#[from] Error),
    /// A temporary folder cannot be made.
    #[error("a temporary folder cannot be made: {0}")]
    Folder(#[from] std::io::Error),
}

impl Problem {
    pub(super) fn wrong(what: impl Into<String>) -> Self {
        Self::Wrong { what: what.into() }
    }

    pub(super) fn taken(what: impl Into<String>) -> Self {
        Self::Taken { what: what.into() }
    }

    pub(super) fn case(why: impl Into<String>) -> Self {
        Self::Case { why: why.into() }
    }
}

impl From<ancestral_data::DataError> for Problem {
    fn from(error: ancestral_data::DataError) -> Self {
        Self::Failed(error.into())
    }
}

/// A check that failed.
#[derive(Debug, thiserror::Error)]
#[error("{check}: {of}: {problem}")]
pub struct Failure {
    /// The name of the check.
    pub check: &'static str,
    /// The model, with data and settings if it is a single case.
    pub of: String,
    /// What is wrong.
    pub problem: Box<Problem>,
}

/// The number of comparisons of a check; 0 if it does not apply.
pub(super) type Tried = std::result::Result<usize, Problem>;

/// Returns [`Problem::Wrong`] unless a condition holds.
macro_rules! ensure {
    ($holds:expr, $($what:tt)+) => {
        // NaN makes a comparison false, so that this is not the negation of the opposite one.
        match $holds {
            true => {}
            false => return Err($crate::testing::Problem::Wrong { what: format!($($what)+) }),
        }
    };
}

pub(super) use ensure;

/// The error of something that must be refused, which must contain all of `wanted`.
pub(super) fn refused<T>(
    result: crate::Result<T>,
    what: impl std::fmt::Display,
    wanted: &[&str],
) -> Result<Error, Problem> {
    let Err(error) = result else { return Err(Problem::taken(what.to_string())) };
    let said = error.to_string();
    match wanted.iter().find(|wanted| !said.contains(**wanted)) {
        None => Ok(error),
        Some(wanted) => Err(Problem::Unsaid {
            what: what.to_string(),
            wanted: (*wanted).to_owned(),
            error: said,
        }),
    }
}
