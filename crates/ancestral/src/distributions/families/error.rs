//! Why a distribution cannot be fitted.

/// An error of a fit or of a request to a distribution; rows are counted, those without weight not.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// No rows, or none with a weight.
    #[error("there are no rows to fit")]
    NoRows,
    /// Values that are not numbers.
    #[error("{rows} rows are not a number (NaN)")]
    NotANumber {
        /// How many.
        rows: usize,
    },
    /// Exact values that are infinite.
    #[error("{rows} rows are infinite; a censored row has a lower and an upper end")]
    Infinite {
        /// How many.
        rows: usize,
    },
    /// Weights that are negative or not finite.
    #[error("{rows} weights are negative or not finite")]
    Weight {
        /// How many.
        rows: usize,
    },
    /// As many weights as rows are needed.
    #[error("there are {found} weights or ends for {expected} rows")]
    Length {
        /// How many there are.
        found: usize,
        /// How many rows there are.
        expected: usize,
    },
    /// Censored rows whose lower end is above the upper one.
    #[error("{rows} rows have a lower end above their upper end")]
    Reversed {
        /// How many.
        rows: usize,
    },
    /// Rows to which no parameters give a probability.
    #[error("{rows} rows are outside the support of {family}, {support}")]
    OutsideSupport {
        /// The family.
        family: &'static str,
        /// Its support.
        support: String,
        /// How many.
        rows: usize,
    },
    /// Rows on the edge of an open support, where the likelihood is 0 or has no bound.
    #[error("{rows} rows are {edge}, on the edge of the open support of {family}, {support}")]
    EdgeOfSupport {
        /// The family.
        family: &'static str,
        /// Its support.
        support: String,
        /// The edge.
        edge: f64,
        /// How many.
        rows: usize,
    },
    /// Values between whole numbers, for a family of counts.
    #[error("{rows} rows are not whole numbers, which {family} needs")]
    NotWhole {
        /// The family.
        family: &'static str,
        /// How many.
        rows: usize,
    },
    /// All rows are equal, so that the likelihood has no bound as the distribution narrows.
    #[error(
        "all {rows} rows are {value}: the likelihood of {family} has no maximum, it grows without bound as the distribution narrows"
    )]
    Constant {
        /// The family.
        family: &'static str,
        /// The value.
        value: f64,
        /// How many rows.
        rows: usize,
    },
    /// So many rows are equal that the likelihood has no bound as the distribution narrows on them.
    #[error(
        "{rows} of {of} rows are {value}: the likelihood of {family} has no maximum, it grows without bound as the distribution narrows on them"
    )]
    Ties {
        /// The family.
        family: &'static str,
        /// The value.
        value: f64,
        /// How many rows are equal to it.
        rows: usize,
        /// How many rows there are.
        of: usize,
    },
    /// The likelihood has no maximum for another reason.
    #[error("the likelihood of {family} has no maximum: {reason} ({rows} rows)")]
    NoMaximum {
        /// The family.
        family: &'static str,
        /// The reason.
        reason: String,
        /// The rows at fault.
        rows: usize,
    },
    /// A parameter that the family does not have.
    #[error("{family} has no parameter '{name}'; it has {known}")]
    UnknownParameter {
        /// The family.
        family: &'static str,
        /// The name given.
        name: String,
        /// The names it has.
        known: String,
    },
    /// A parameter out of its range.
    #[error("{family}: {name} is {value}, but must be {allowed}")]
    OutOfRange {
        /// The family.
        family: &'static str,
        /// The parameter.
        name: String,
        /// Its value.
        value: f64,
        /// What is allowed.
        allowed: String,
    },
}

/// The result of a fallible function of this module.
pub type Result<T> = std::result::Result<T, Error>;
