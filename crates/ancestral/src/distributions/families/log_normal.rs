//! The log-normal distribution: ln X is normal, f(x) = exp(−(ln x − μ)² / (2 σ²)) / (x σ √(2π)), x > 0.

use super::error::Result;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::sample::{Rows, Sample};
use super::scalar::Scalar;
use super::special::normal::{normal_quantile, normal_tails};
use super::special::{HALF_LN_TAU, LogTails};
use super::summary::{Moments, Summary};

/// The log-normal distribution; parameters μ and σ of the logarithm.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogNormal;

/// The moments of ln x.
#[derive(Debug, Clone, Copy)]
pub struct LogMoments(Moments);

impl Summary for LogMoments {
    fn of(rows: Rows<'_>) -> Self {
        Self(Moments::by(rows, f64::ln))
    }
    fn merge(&mut self, later: &Self) {
        self.0.merge_with(&later.0);
    }
}

impl Family for LogNormal {
    const NAME: &'static str = "log-normal";
    const ABOUT: &'static str = "log-normal distribution";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("mu", "mean μ of the logarithm", Domain::Real, Unit::LogScale),
        Parameter::new("sigma", "standard deviation σ of the logarithm", Domain::Positive, Unit::Shape),
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
        let s = s.0;
        let squares = (theta[0] - s.mean).square() * s.weight + s.squares;
        Some(squares / theta[1].square() * -0.5 - s.weight * s.mean)
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
        let mean = fixed[0].unwrap_or(s.0.mean);
        let variance = s.0.variance() + (s.0.mean - mean).powi(2);
        vec![vec![s.0.mean, variance.sqrt().max(1e-300)]]
    }
}
