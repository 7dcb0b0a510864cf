//! The Rayleigh distribution: f(x) = x / σ² exp(−x² / (2 σ²)), x > 0. Its maximum is the root of half
//! the mean square.

use super::family::{Domain, Family, Fixed, Parameter, Support, Unit};
use super::sample::{Rows, Sample};
use super::scalar::Scalar;
use super::special::LogTails;
use super::summary::{Moments, Summary};

/// The Rayleigh distribution; parameter scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rayleigh;

/// The moments of x and Σ w ln x.
#[derive(Debug, Clone, Copy)]
pub struct Sums {
    moments: Moments,
    logs: f64,
}

impl Summary for Sums {
    fn of(rows: Rows<'_>) -> Self {
        let logs = rows.iter().map(|(x, w)| w * x.ln()).sum();
        Self { moments: Moments::of(rows), logs }
    }
    fn merge(&mut self, later: &Self) {
        self.moments.merge_with(&later.moments);
        self.logs += later.logs;
    }
}

impl Sums {
    /// Σ w x².
    fn squares(&self) -> f64 {
        self.moments.squares + self.moments.weight * self.moments.mean * self.moments.mean
    }
}

impl Family for Rayleigh {
    const NAME: &'static str = "rayleigh";
    const ABOUT: &'static str = "Rayleigh distribution";
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
        Some(theta[0].recip().square() * (-0.5 * s.squares()) + s.logs)
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        let z = x.max(0.0) / theta[0];
        LogTails::from_upper(-0.5 * z * z)
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        theta[0] * (-2.0 * p.upper).sqrt()
    }

    fn starts(&self, _: &Sample, s: &Sums, _: &Fixed) -> Vec<Vec<f64>> {
        vec![vec![(0.5 * s.squares() / s.moments.weight).sqrt()]]
    }
}
