//! The log-normal distribution: ln X is normal, f(x) = exp(−(ln x − μ)² / (2 σ²)) / (x σ √(2π)), x > 0.

use super::error::Result;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::normal::{normal_quantile, normal_tails};
use super::special::{HALF_LN_TAU, LogTails, vectorized};
use super::summary::{Moments, Summary};

/// The log-normal distribution; parameters μ and σ of the logarithm.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogNormal;

/// The moments of ln(x / c) for a value c of the rows, which keep their digits where rows hardly
/// differ.
#[derive(Debug, Clone, Copy)]
pub struct LogMoments {
    /// c.
    reference: f64,
    /// Of ln(x / c).
    moments: Moments,
}

impl LogMoments {
    /// The mean of ln x.
    fn mean(&self) -> f64 {
        self.reference.ln() + self.moments.mean
    }
}

impl Summary for LogMoments {
    fn of(rows: Rows<'_>) -> Self {
        let reference = rows.values.first().copied().unwrap_or(1.0);
        let mut logs = rows.mapped(|x| vectorized::ln_ratio(x, reference));
        if logs.iter().any(|x| x.is_nan()) {
            logs = rows.values.iter().map(|&x| log_ratio(x, reference)).collect();
        }
        Self { reference, moments: Moments::of(Rows { values: &logs, ..rows }) }
    }
    fn merge(&mut self, later: &Self) {
        let mut moved = later.moments;
        moved.mean += log_ratio(later.reference, self.reference);
        self.moments.merge_with(&moved);
    }
}

/// ln(x / c), exact where x is close to c.
fn log_ratio(x: f64, c: f64) -> f64 {
    let apart = (x - c) / c;
    if apart.abs() < 0.5 { apart.ln_1p() } else { (x / c).ln() }
}

impl Family for LogNormal {
    const NAME: &'static str = "log-normal";
    const ABOUT: &'static str = "log-normal distribution";
    const CLOSED: bool = true;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("mu", "mean μ of the logarithm", Domain::Real, Unit::LogScale),
        Parameter::new(
            "sigma",
            "standard deviation σ of the logarithm",
            Domain::Positive,
            Unit::Shape,
        ),
    ];
    type Summary = LogMoments;

    fn support(&self, _: &[f64]) -> Support {
        Support::POSITIVE
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        -theta[1].ln() - HALF_LN_TAU
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        ((theta[0] - x.ln()) / theta[1]).square() * -0.5 - x.ln()
    }

    fn summarized<T: Scalar>(&self, theta: &[T], s: &LogMoments) -> Option<T> {
        let (mean, moments) = (s.mean(), s.moments);
        let squares = (theta[0] - mean).square() * moments.weight + moments.squares;
        Some(squares / theta[1].square() * -0.5 - moments.weight * mean)
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        if x <= 0.0 { LogTails::NONE } else { normal_tails((x.ln() - theta[0]) / theta[1]) }
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        (theta[0] + theta[1] * normal_quantile(p)).exp()
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        let apart = matches!(fixed[0], Some(mu) if sample.range().0.ln() != mu);
        if fixed[1].is_some() || apart { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, _: &Sample, s: &LogMoments, fixed: &Fixed) -> Vec<Vec<f64>> {
        let mean = fixed[0].unwrap_or(s.mean());
        let variance = s.moments.variance() + (s.mean() - mean).powi(2);
        vec![vec![s.mean(), variance.sqrt().max(1e-300)]]
    }
}
