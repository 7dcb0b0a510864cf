//! Why a distribution cannot be fitted.

/// An error of a fit or of a request to a distribution; rows are counted, those without weight not.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// No rows, or none with a weight.
    #[error("there are no rows to fit")]
    NoRows,
    /// Values that are not numbers.
    #[error("{} not a number (NaN)", are(*rows, "row"))]
    NotANumber {
        /// How many.
        rows: usize,
    },
    /// Exact values that are infinite.
    #[error("{} infinite; a censored row has a lower and an upper end", are(*rows, "row"))]
    Infinite {
        /// How many.
        rows: usize,
    },
    /// Weights that are negative or not finite.
    #[error("{} negative or not finite", are(*rows, "weight"))]
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
    #[error("{} a lower end above the upper one", have(*rows))]
    Reversed {
        /// How many.
        rows: usize,
    },
    /// Rows to which no parameters give a probability.
    #[error("{} outside the support of {family}, {support}", are(*rows, "row"))]
    OutsideSupport {
        /// The family.
        family: &'static str,
        /// Its support.
        support: String,
        /// How many.
        rows: usize,
    },
    /// Rows on the edge of an open support, where the likelihood is 0 or has no bound.
    #[error("{} {edge}, on the edge of the open support of {family}, {support}", are(*rows, "row"))]
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
    #[error("{} not whole numbers, which {family} needs", are(*rows, "row"))]
    NotWhole {
        /// The family.
        family: &'static str,
        /// How many.
        rows: usize,
    },
    /// All rows are equal, so that the likelihood has no bound as the distribution narrows.
    #[error(
        "{}: the likelihood of {family} has no maximum, it grows without bound as the distribution narrows",
        all_are(*rows, *value)
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
    #[error("the likelihood of {family} has no maximum: {reason} ({})", counted(*rows))]
    NoMaximum {
        /// The family.
        family: &'static str,
        /// The reason.
        reason: String,
        /// The rows at fault.
        rows: usize,
    },
    /// A parameter with the unit of the column is beyond the numbers of double precision.
    #[error(
        "the {parameter} of {family} is too {} for a number; write the column in a {} unit",
        if *small { "small" } else { "large" },
        if *small { "smaller" } else { "larger" }
    )]
    Unheld {
        /// The family.
        family: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// Whether it vanishes, instead of being too large.
        small: bool,
    },
    /// The search for the maximum ended at a parameter that is no number.
    #[error(
        "the search for the maximum ended where the {parameter} of {family} is no finite number"
    )]
    Lost {
        /// The family.
        family: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// Rows that are not held could not be read again.
    #[error("the rows could not be read again: {reason}")]
    Unreadable {
        /// The reason.
        reason: String,
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

/// So many things with the verb.
fn are(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what} is") } else { format!("{count} {what}s are") }
}

fn counted(rows: usize) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

fn have(rows: usize) -> String {
    if rows == 1 { "1 row has".to_owned() } else { format!("{rows} rows have") }
}

fn all_are(rows: usize, value: f64) -> String {
    match rows {
        1 => format!("the only row is {value}"),
        _ => format!("all {rows} rows are {value}"),
    }
}

/// The result of a fallible function of this module.
pub type Result<T> = std::result::Result<T, Error>;
