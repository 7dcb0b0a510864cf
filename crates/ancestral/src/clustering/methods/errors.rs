//! Errors of clustering in the words of the library.

use super::super::error::Error as Problem;
use crate::Error;
use crate::model::DataSpec;

/// An error of clustering, in the words of the library.
pub(crate) fn wrong(method: &str, data: &DataSpec, problem: Problem) -> Error {
    match problem {
        Problem::Stopped => Error::Interrupted,
        Problem::Setting { field, value, allowed } => Error::setting(field, value, allowed),
        Problem::TooManyClusters { clusters, rows } => Error::setting(
            "n_clusters",
            clusters,
            format!("there {}; lower it to at most as many", are(rows)),
        ),
        Problem::Mismatch { what: what @ "min_samples", found, expected } => Error::setting(
            what,
            found,
            format!("there {}; lower it to at most as many", are(expected)),
        ),
        Problem::NotFinite { row, column, value } => unsuitable(
            method,
            format!(
                "row {} has {value} in column '{}'; fill or drop missing values",
                row + 1,
                data.column_name(column)
            ),
        ),
        Problem::Weight { row, value } => unsuitable(
            method,
            format!(
                "the weight of row {} is {value}; weights are finite numbers, at least 0 and not all 0",
                row + 1
            ),
        ),
        Problem::ZeroRow { row } => unsuitable(
            method,
            format!(
                "row {} is all zeros, which has no angle to other rows; drop it, or choose another \
                 metric than cosine",
                row + 1
            ),
        ),
        other => unsuitable(method, other.to_string()),
    }
}

fn are(rows: usize) -> String {
    if rows == 1 { "is 1 row".to_owned() } else { format!("are {rows} rows") }
}

fn unsuitable(method: &str, problem: String) -> Error {
    Error::UnsuitableData { model: method.to_owned(), problem }
}

/// The error of a model that has no clusters yet.
pub(super) fn not_fitted(method: &str) -> Error {
    Error::Unsupported {
        model: method.to_owned(),
        problem: "has no clusters yet; cluster rows first".to_owned(),
    }
}
