//! The exponential distribution: f(x) = exp(−x / θ) / θ, x ≥ 0. Its maximum is the mean.

use super::error::{Error, Result};
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit};
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::LogTails;
use super::summary::Powers;

/// The exponential distribution; parameter scale, which is its mean.
#[derive(Debug, Clone, Copy, Default)]
pub struct Exponential;

impl Family for Exponential {
    const NAME: &'static str = "exponential";
    const ABOUT: &'static str = "exponential distribution";
    const CLOSED: bool = true;
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::new("scale", "scale θ, the mean", Domain::Positive, Unit::Scale)];
    type Summary = Powers;

    fn support(&self, _: &[f64]) -> Support {
        Support::NONNEGATIVE
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        -theta[0].ln()
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        theta[0].recip() * -x
    }

    fn summarized<T: Scalar>(&self, theta: &[T], s: &Powers) -> Option<T> {
        Some(theta[0].recip() * -s.sum)
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        LogTails::from_upper(-x.max(0.0) / theta[0])
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        -p.upper * theta[0]
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        zeros(Self::NAME, sample, fixed)
    }

    fn starts(&self, _: &Sample, s: &Powers, _: &Fixed) -> Vec<Vec<f64>> {
        vec![vec![(s.sum / s.weight).max(1e-300)]]
    }
}

/// Refuses a sample of zeros, on which a scale alone narrows.
pub(super) fn zeros(family: &'static str, sample: &Sample, fixed: &Fixed) -> Result<()> {
    let (low, high) = sample.range();
    let held =
        fixed.iter().all(Option::is_some) || sample.intervals().iter().any(|i| i.lower > 0.0);
    if low == 0.0 && high == 0.0 && !held {
        return Err(Error::Constant { family, value: 0.0, rows: sample.exact_rows() });
    }
    Ok(())
}
