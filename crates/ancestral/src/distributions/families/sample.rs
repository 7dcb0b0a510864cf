//! The rows that a distribution is fitted to: exact values, weights or counts, censored rows.

use super::error::{Error, Result};
use rayon::prelude::*;

/// Rows that are summed by one task; it does not depend on the number of threads.
pub const BLOCK: usize = 4096;

/// A row known to lie between two ends, one of which may be infinite.
///
/// For a density the probability of an end is 0; for a mass both ends belong to the row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub lower: f64,
    /// The upper end, above the lower one.
    pub upper: f64,
    /// The weight.
    pub weight: f64,
}

/// A block of exact values.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The values.
    pub values: &'a [f64],
    /// As many weights, or `None` if each is 1.
    pub weights: Option<&'a [f64]>,
}

impl Rows<'_> {
    /// Σ weights.
    pub fn total(self) -> f64 {
        self.weights.map_or(self.values.len() as f64, |w| w.iter().sum())
    }

    /// The values with their weights.
    pub fn iter(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let weight = |i: usize| self.weights.and_then(|w| w.get(i)).copied().unwrap_or(1.0);
        self.values.iter().enumerate().map(move |(i, &x)| (x, weight(i)))
    }
}

/// Rows to fit, checked: no NaN, exact values finite, weights positive.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    values: Vec<f64>,
    /// As many as values, or none if each is 1.
    weights: Vec<f64>,
    intervals: Vec<Interval>,
    /// Σ weights.
    total: f64,
}

impl Sample {
    /// Exact values.
    ///
    /// # Errors
    /// If there are none, or some are NaN or infinite.
    pub fn new(values: Vec<f64>) -> Result<Self> {
        check_values(&values)?;
        if values.is_empty() {
            return Err(Error::NoRows);
        }
        let total = values.len() as f64;
        Ok(Self { values, weights: Vec::new(), intervals: Vec::new(), total })
    }

    /// Values with their weights, or with how often each was seen; rows of weight 0 are left out. The
    /// number of rows is the sum of the weights.
    ///
    /// # Errors
    /// If nothing has a weight, or a weight or value is not usable.
    pub fn weighted(values: &[f64], weights: &[f64]) -> Result<Self> {
        let ends: Vec<(f64, f64)> = values.iter().map(|&x| (x, x)).collect();
        Self::from_ends(&ends, Some(weights))
    }

    /// Censored rows by their ends: equal ends are an exact value, an infinite end is open.
    ///
    /// # Errors
    /// If nothing has a weight, or ends or weights are not usable.
    pub fn censored(lower: &[f64], upper: &[f64], weights: Option<&[f64]>) -> Result<Self> {
        if upper.len() != lower.len() {
            return Err(Error::Length { found: upper.len(), expected: lower.len() });
        }
        let ends: Vec<(f64, f64)> = lower.iter().copied().zip(upper.iter().copied()).collect();
        Self::from_ends(&ends, weights)
    }

    /// Checks and sorts rows into exact and censored ones.
    fn from_ends(ends: &[(f64, f64)], weights: Option<&[f64]>) -> Result<Self> {
        if let Some(weights) = weights {
            if weights.len() != ends.len() {
                return Err(Error::Length { found: weights.len(), expected: ends.len() });
            }
            let rows = weights.iter().filter(|w| !w.is_finite() || **w < 0.0).count();
            if rows > 0 {
                return Err(Error::Weight { rows });
            }
        }
        let mut out = Self {
            values: Vec::with_capacity(ends.len()),
            weights: Vec::new(),
            intervals: Vec::new(),
            total: 0.0,
        };
        let (mut nan, mut reversed) = (0, 0);
        for (i, &(lower, upper)) in ends.iter().enumerate() {
            let weight = weights.and_then(|w| w.get(i)).copied().unwrap_or(1.0);
            if weight == 0.0 {
                continue;
            }
            nan += usize::from(lower.is_nan() || upper.is_nan());
            reversed += usize::from(lower > upper);
            if lower == upper {
                out.values.push(lower);
                if weights.is_some() {
                    out.weights.push(weight);
                }
            } else if lower > f64::NEG_INFINITY || upper < f64::INFINITY {
                out.intervals.push(Interval { lower, upper, weight });
            }
            out.total += weight;
        }
        if nan > 0 {
            return Err(Error::NotANumber { rows: nan });
        }
        if reversed > 0 {
            return Err(Error::Reversed { rows: reversed });
        }
        check_values(&out.values)?;
        if out.values.is_empty() && out.intervals.is_empty() {
            return Err(Error::NoRows);
        }
        Ok(out)
    }

    /// The exact values.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The weight of exact value i.
    pub fn weight(&self, i: usize) -> f64 {
        self.weights.get(i).copied().unwrap_or(1.0)
    }

    /// The censored rows.
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// The number of rows: the sum of all weights.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// The weight of the exact values.
    pub fn exact_weight(&self) -> f64 {
        if self.weights.is_empty() {
            return self.values.len() as f64;
        }
        self.weights.iter().sum()
    }

    /// The exact values with their weights.
    pub fn weighted_values(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.values.iter().enumerate().map(|(i, &x)| (x, self.weight(i)))
    }

    /// The sum of f over the exact values with their weights, the same for any number of threads.
    pub fn sum(&self, f: impl Fn(f64, f64) -> f64 + Sync) -> f64 {
        self.blocks(|rows| rows.iter().map(|(x, w)| f(x, w)).sum::<f64>()).into_iter().sum()
    }

    /// The mean of f over the exact values.
    pub fn mean(&self, f: impl Fn(f64) -> f64 + Sync) -> f64 {
        self.sum(|x, w| w * f(x)) / self.exact_weight()
    }

    /// f of each block of exact values, in order.
    pub fn blocks<T: Send>(&self, f: impl Fn(Rows<'_>) -> T + Sync) -> Vec<T> {
        let of = |(block, values): (usize, &[f64])| {
            let first = block * BLOCK;
            f(Rows { values, weights: self.weights.get(first..first + values.len()) })
        };
        if self.values.len() <= 2 * BLOCK {
            return self.values.chunks(BLOCK).enumerate().map(of).collect();
        }
        self.values.par_chunks(BLOCK).enumerate().map(of).collect()
    }

    /// Every value by a function that keeps the order.
    #[must_use]
    pub fn map(&self, f: impl Fn(f64) -> f64 + Sync) -> Self {
        let ends = |i: &Interval| Interval { lower: f(i.lower), upper: f(i.upper), ..*i };
        Self {
            values: self.values.par_iter().with_min_len(BLOCK).map(|&x| f(x)).collect(),
            weights: self.weights.clone(),
            intervals: self.intervals.iter().map(ends).collect(),
            total: self.total,
        }
    }

    /// Equal values joined, in ascending order: for counts, a fit then takes a pass over the distinct
    /// ones.
    #[must_use]
    pub fn distinct(&self) -> Self {
        let mut rows: Vec<(f64, f64)> = self.weighted_values().collect();
        rows.par_sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut values, mut weights): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for (x, w) in rows {
            match weights.last_mut().filter(|_| values.last() == Some(&x)) {
                Some(last) => *last += w,
                None => {
                    values.push(x);
                    weights.push(w);
                }
            }
        }
        Self { values, weights, intervals: self.intervals.clone(), total: self.total }
    }

    /// Exact values and, for censored ones, a point of their interval: what a start is found from.
    #[must_use]
    pub fn points(&self) -> Self {
        if self.intervals.is_empty() {
            return self.clone();
        }
        let mut out = Self { intervals: Vec::new(), ..self.clone() };
        if out.weights.is_empty() {
            out.weights = vec![1.0; out.values.len()];
        }
        for i in &self.intervals {
            let at = match (i.lower.is_finite(), i.upper.is_finite()) {
                (true, true) => 0.5 * (i.lower + i.upper),
                (true, false) => i.lower,
                _ => i.upper,
            };
            out.values.push(at);
            out.weights.push(i.weight);
        }
        out
    }

    /// The smallest and the largest exact value.
    pub fn range(&self) -> (f64, f64) {
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        self.values.iter().fold(ends, |(low, high), &x| (low.min(x), high.max(x)))
    }

    /// The weighted quantile of the exact values: the smallest x with at least a share p of the weight
    /// up to it.
    pub fn quantile(&self, p: f64) -> f64 {
        let sorted = self.distinct();
        let goal = p * sorted.exact_weight();
        let mut sum = 0.0;
        for (x, w) in sorted.weighted_values() {
            sum += w;
            if sum >= goal * (1.0 - 1e-12) {
                return x;
            }
        }
        sorted.values.last().copied().unwrap_or(f64::NAN)
    }

    /// At most a few thousand exact values, evenly spaced among the rows, to choose starts by.
    #[must_use]
    pub fn thinned(&self, most: usize) -> Self {
        let step = self.values.len().div_ceil(most.max(1)).max(1);
        if step == 1 {
            return Self { intervals: Vec::new(), ..self.clone() };
        }
        let rows = (0..self.values.len()).step_by(step);
        let weights: Vec<f64> = rows.clone().map(|i| self.weight(i)).collect();
        Self {
            values: rows.filter_map(|i| self.values.get(i).copied()).collect(),
            total: weights.iter().sum(),
            weights,
            intervals: Vec::new(),
        }
    }
}

/// Refuses NaN and infinities.
fn check_values(values: &[f64]) -> Result<()> {
    let rows = values.iter().filter(|x| x.is_nan()).count();
    if rows > 0 {
        return Err(Error::NotANumber { rows });
    }
    let rows = values.iter().filter(|x| x.is_infinite()).count();
    if rows > 0 { Err(Error::Infinite { rows }) } else { Ok(()) }
}
