//! Censored rows: columns of lower and upper ends, read from a table.

use std::path::Path;

use ancestral_data::{Dataset, Domain, OpenOptions, Shape, Split, Values, read_columns};

use crate::distributions::families::{Distribution, Sample};
use crate::{Error, Result};

/// Rows by their ends, in the order of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct CensoredRows {
    /// The lower ends, −∞ where open.
    pub(super) lower: Vec<f64>,
    /// The upper ends, ∞ where open.
    pub(super) upper: Vec<f64>,
    /// The weights, if there are any.
    pub(super) weights: Option<Vec<f64>>,
}

impl CensoredRows {
    /// Reads the columns of lower ends, of upper ends and, if there is a third name, of weights; a
    /// missing end is open.
    ///
    /// # Errors
    /// If the table cannot be read or lacks a column.
    pub(super) fn read(place: &str, names: &[String], options: &OpenOptions) -> Result<Self> {
        let mut read = read_columns(place, names, options)?.into_iter();
        let mut next = || read.next().unwrap_or_default();
        let open = |mut ends: Vec<f64>, end: f64| {
            ends.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = end);
            ends
        };
        let lower = open(next(), f64::NEG_INFINITY);
        let upper = open(next(), f64::INFINITY);
        let weights = (names.len() > 2).then(next);
        Ok(Self { lower, upper, weights })
    }

    /// The rows with their weights.
    pub(super) fn iter(&self) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        let weight = |i: usize| self.weights.as_ref().and_then(|w| w.get(i)).copied();
        let ends = self.lower.iter().zip(&self.upper).enumerate();
        ends.map(move |(i, (&a, &b))| (a, b, weight(i).unwrap_or(1.0)))
    }

    /// A point for each row that has an end and a weight: the value, the known end, or the middle of both.
    fn points(&self) -> Vec<f64> {
        let known = self.iter().filter(|(a, b, w)| *w > 0.0 && (a.is_finite() || b.is_finite()));
        let point = |(a, b, _): (f64, f64, f64)| match (a.is_finite(), b.is_finite()) {
            _ if a == b => a,
            (true, true) => 0.5 * (a + b),
            (true, false) => a,
            _ => b,
        };
        known.map(point).collect()
    }

    /// The rows as data of one column, of these points.
    ///
    /// # Errors
    /// If there are none.
    pub(super) fn data(&self, name: &str, column: &str) -> Result<Dataset> {
        one_column(name, column, self.points())
    }

    /// The log-probability of each row that has an end and a weight, with its weight.
    pub(super) fn log_probabilities(
        &self,
        family: &dyn Distribution,
        theta: &[f64],
    ) -> Vec<(f64, f64)> {
        let known = self.iter().filter(|(a, b, w)| *w > 0.0 && (a.is_finite() || b.is_finite()));
        let of = |(a, b, w): (f64, f64, f64)| {
            if a == b {
                return (family.log_density(theta, a), w);
            }
            let row = Sample::censored(&[a], &[b], None);
            let nats = row.map(|row| family.log_likelihood(&row)(theta));
            (nats.unwrap_or(f64::NAN), w)
        };
        known.map(of).collect()
    }
}

/// The last part of a path.
pub(super) fn file_name(place: &str) -> String {
    let name = Path::new(place).file_name();
    name.map_or(place.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// A data set of one column.
///
/// # Errors
/// If there are no values.
pub(super) fn one_column(name: &str, column: &str, values: Vec<f64>) -> Result<Dataset> {
    if values.is_empty() {
        return Err(Error::UnsuitableData {
            model: "a distribution".to_owned(),
            problem: "no row has an end that is known".to_owned(),
        });
    }
    let split = Split { values: Values::Reals(values), labels: None };
    let mut data = Dataset::new(name, Domain::Real, Shape::columns(1), split, None, None)?;
    data.column_names = vec![column.to_owned()];
    Ok(data)
}
