//! The errors of clustering; messages say how to fix the problem.

/// An error of clustering.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It was stopped before there was a result.
    #[error("stopped before there was a result")]
    Stopped,
    /// There are no rows.
    #[error("there are no rows to cluster")]
    Empty,
    /// The values are not whole rows.
    #[error("{values} values are not whole rows of {columns} columns")]
    Shape {
        /// The number of values.
        values: usize,
        /// The number of columns.
        columns: usize,
    },
    /// More rows than row numbers can hold.
    #[error("{rows} rows are too many; at most {} can be clustered", u32::MAX)]
    TooManyRows {
        /// The number of rows.
        rows: usize,
    },
    /// A value is missing or not finite.
    #[error(
        "row {row}, column {column} is {value}, not a finite number; fill or drop missing values"
    )]
    NotFinite {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// The value.
        value: f64,
    },
    /// A row of zeros has no cosine distance.
    #[error("row {row} is all zeros, so that it has no cosine distance to other rows; drop it")]
    ZeroRow {
        /// The row, from 0.
        row: usize,
    },
    /// A setting has a value that is not allowed.
    #[error("setting '{field}' is {value}; {allowed}")]
    Setting {
        /// The setting's name.
        field: &'static str,
        /// The value as it was given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// More clusters than rows.
    #[error("{clusters} clusters of {rows} rows; lower n_clusters to at most the number of rows")]
    TooManyClusters {
        /// The number of clusters.
        clusters: usize,
        /// The number of rows.
        rows: usize,
    },
    /// Given values have another number of rows or columns than the data.
    #[error("{what}: {found} where the data has {expected}")]
    Mismatch {
        /// What does not fit.
        what: &'static str,
        /// Its size.
        found: usize,
        /// The size of the data.
        expected: usize,
    },
    /// A sample weight is negative or not finite, or all are 0.
    #[error("sample weight {row} is {value}; weights are finite, at least 0 and not all 0")]
    Weight {
        /// The row, from 0.
        row: usize,
        /// The weight.
        value: f64,
    },
    /// An index of fewer than two clusters, or of as many clusters as rows.
    #[error(
        "{index} needs at least 2 clusters and at most one less than rows; \
         there are {clusters} clusters of {rows} rows"
    )]
    Undefined {
        /// The index.
        index: &'static str,
        /// The number of clusters.
        clusters: usize,
        /// The number of rows.
        rows: usize,
    },
}

/// A result of clustering.
pub type Result<T> = std::result::Result<T, Error>;

/// The error of a setting.
pub(super) fn setting<T>(
    field: &'static str,
    value: impl ToString,
    allowed: &'static str,
) -> Result<T> {
    Err(Error::Setting { field, value: value.to_string(), allowed })
}
