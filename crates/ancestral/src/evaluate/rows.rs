//! Validated rows of features.

use crate::{Error, Result};

/// Values of a model's columns in single precision.
pub(crate) fn singles(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// Features `[n, dim]`, row after row: at least one row, all numbers finite.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    values: &'a [f32],
    dim: usize,
}

impl<'a> Rows<'a> {
    /// Rows of `dim` numbers each; `what` names them in errors ("generated features").
    ///
    /// # Errors
    /// If there are none, they are ragged, or a number is not finite.
    pub fn new(values: &'a [f32], dim: usize, what: &str) -> Result<Self> {
        let wrong = |problem: String| Error::Unsupported {
            model: what.to_owned(),
            problem: format!("cannot be measured: {problem}"),
        };
        if dim == 0 || values.is_empty() || !values.len().is_multiple_of(dim) {
            let n = values.len();
            return Err(wrong(format!(
                "{n} numbers were given; expected one or more rows of {dim}"
            )));
        }
        if let Some(at) = values.iter().position(|x| !x.is_finite()) {
            return Err(wrong(format!("entry {} of row {} is {}", at % dim, at / dim, values[at])));
        }
        Ok(Self { values, dim })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Whether there is no row; always false.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The number of entries per row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All entries, row after row.
    pub fn values(&self) -> &'a [f32] {
        self.values
    }

    /// One row.
    pub(crate) fn row(&self, i: usize) -> &'a [f32] {
        &self.values[i * self.dim..(i + 1) * self.dim]
    }

    /// The mean of each entry over rows, summed in `f64` from the first row to the last.
    pub(crate) fn means(&self) -> Vec<f64> {
        let mut means = vec![0.0; self.dim];
        for row in self.values.chunks_exact(self.dim) {
            means.iter_mut().zip(row).for_each(|(m, &x)| *m += f64::from(x));
        }
        means.iter_mut().for_each(|m| *m /= self.len() as f64);
        means
    }

    /// Refuses fewer than `least` rows, and another width than `other` has.
    pub(crate) fn expect(&self, metric: &str, least: usize, other: &Rows<'_>) -> Result<()> {
        let wrong = |problem: String| Error::UnsuitableData { model: metric.to_owned(), problem };
        if self.dim != other.dim {
            return Err(wrong(format!(
                "rows of {} features on one side and of {} on the other; they must come from one \
                 network",
                self.dim, other.dim
            )));
        }
        for n in [self.len(), other.len()] {
            if n < least {
                return Err(wrong(format!(
                    "{n} examples on one side; it needs at least {least} on each"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The rows of tests/golden_quality.py.
    pub(crate) fn golden(n: usize, dim: usize, f: f64, s: f64) -> Vec<f32> {
        let entry = |i: f64, j: f64| (s + (f * i + 0.7 * j + 0.05 * i * j).sin()) as f32;
        (0..n * dim).map(|k| entry((k / dim) as f64, (k % dim) as f64)).collect()
    }

    #[test]
    fn what_are_no_rows_is_refused() {
        for (values, dim, words) in [
            (&[][..], 2, "one or more rows of 2"),
            (&[1.0, 2.0, 3.0], 2, "3 numbers"),
            (&[1.0], 0, "rows of 0"),
            (&[1.0, 2.0, f32::NAN, 1.0], 2, "entry 0 of row 1 is NaN"),
            (&[1.0, f32::INFINITY], 2, "entry 1 of row 0 is inf"),
        ] {
            let error = Rows::new(values, dim, "these").unwrap_err().to_string();
            assert!(
                error.starts_with("these cannot be measured") && error.contains(words),
                "{error}"
            );
        }
    }
}
