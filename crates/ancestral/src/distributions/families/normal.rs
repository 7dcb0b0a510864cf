//! The normal distribution: f(x) = exp(−z² / 2) / (σ √(2π)), z = (x − μ) / σ.
//!
//! Its maximum is the mean and the root of the mean squared deviation.

use super::error::Result;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::normal::{normal_quantile, normal_tails};
use super::special::{HALF_LN_TAU, LogTails};
use super::summary::Moments;

/// The normal distribution; parameters mean and standard deviation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Normal;

impl Family for Normal {
    const NAME: &'static str = "normal";
    const ABOUT: &'static str = "normal (Gaussian) distribution";
    const CLOSED: bool = true;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("mean", "mean μ", Domain::Real, Unit::Location),
        Parameter::new("deviation", "standard deviation σ", Domain::Positive, Unit::Scale),
    ];
    type Summary = Moments;

    fn support(&self, _: &[f64]) -> Support {
        Support::REALS
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        -theta[1].ln() - HALF_LN_TAU
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        ((theta[0] - x) / theta[1]).square() * -0.5
    }

    fn summarized<T: Scalar>(&self, theta: &[T], s: &Moments) -> Option<T> {
        let squares = (theta[0] - s.mean).square() * s.weight + s.squares;
        Some(squares / theta[1].square() * -0.5)
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        normal_tails((x - theta[0]) / theta[1])
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        theta[0] + theta[1] * normal_quantile(p)
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        // A mean that is fixed elsewhere holds the deviation up.
        let apart = matches!(fixed[0], Some(mean) if sample.range() != (mean, mean));
        if fixed[1].is_some() || apart { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, _: &Sample, s: &Moments, fixed: &Fixed) -> Vec<Vec<f64>> {
        let mean = fixed[0].unwrap_or(s.mean);
        let variance = s.variance() + (s.mean - mean).powi(2);
        vec![vec![s.mean, variance.sqrt().max(1e-300)]]
    }
}
