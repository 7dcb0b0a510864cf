//! The Rayleigh distribution: f(x) = x / σ² exp(−x² / (2 σ²)), x > 0. Its maximum is the root of half
//! the mean square.

use super::family::{Domain, Family, Fixed, Parameter, Support, Unit};
use super::passes::{Terms, sums};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::LogTails;
use super::summary::{Summary, log_sum};

/// The Rayleigh distribution; parameter scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rayleigh;

/// Σ w x² and Σ w ln x.
#[derive(Debug, Clone, Copy)]
pub struct Sums {
    weight: f64,
    squares: f64,
    logs: f64,
}

struct Row;

impl Terms<1> for Row {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 1], f64) {
        ([x * x], x)
    }
}

impl Summary for Sums {
    fn of(rows: Rows<'_>) -> Self {
        let ([squares], logs) = sums(rows, &Row);
        let logs = if logs.is_nan() { log_sum(rows) } else { logs };
        Self { weight: rows.total(), squares, logs }
    }
    fn merge(&mut self, later: &Self) {
        self.weight += later.weight;
        self.squares += later.squares;
        self.logs += later.logs;
    }
}

impl Family for Rayleigh {
    const NAME: &'static str = "rayleigh";
    const ABOUT: &'static str = "Rayleigh distribution";
    const CLOSED: bool = true;
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::new("scale", "scale σ, the mode", Domain::Positive, Unit::Scale)];
    type Summary = Sums;

    fn support(&self, _: &[f64]) -> Support {
        Support::POSITIVE
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        theta[0].ln() * -2.0
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        (theta[0].recip() * x).square() * -0.5 + x.ln()
    }

    fn summarized<T: Scalar>(&self, theta: &[T], s: &Sums) -> Option<T> {
        Some(theta[0].recip().square() * (-0.5 * s.squares) + s.logs)
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        let z = x.max(0.0) / theta[0];
        LogTails::from_upper(-0.5 * z * z)
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        theta[0] * (-2.0 * p.upper).sqrt()
    }

    fn starts(&self, _: &Sample, s: &Sums, _: &Fixed) -> Vec<Vec<f64>> {
        vec![vec![(0.5 * s.squares / s.weight).sqrt()]]
    }
}
