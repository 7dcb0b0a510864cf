//! The half-normal distribution, |X| of a normal X with mean 0: f(x) = √(2 / π) exp(−x² / (2 σ²)) / σ,
//! x ≥ 0. Its maximum is the root mean square.

use super::error::Result;
use super::exponential::zeros;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit};
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::normal::{normal_quantile, normal_tails};
use super::special::{HALF_LN_TAU, LN_2, LogTails};
use super::summary::Powers;

/// The half-normal distribution; parameter scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct HalfNormal;

impl Family for HalfNormal {
    const NAME: &'static str = "half-normal";
    const ABOUT: &'static str = "half-normal distribution";
    const CLOSED: bool = true;
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::new("scale", "scale σ", Domain::Positive, Unit::Scale)];
    type Summary = Powers;

    fn support(&self, _: &[f64]) -> Support {
        Support::NONNEGATIVE
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        -theta[0].ln() + (LN_2 - HALF_LN_TAU)
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        (theta[0].recip() * x).square() * -0.5
    }

    fn summarized<T: Scalar>(&self, theta: &[T], s: &Powers) -> Option<T> {
        Some(theta[0].recip().square() * (-0.5 * s.squares))
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        if x <= 0.0 {
            return LogTails::NONE;
        }
        let z = x / theta[0];
        if z > 0.5 {
            return LogTails::from_upper(normal_tails(z).upper + LN_2);
        }
        LogTails::from_lower(libm::erf(z * std::f64::consts::FRAC_1_SQRT_2).ln())
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        if p.upper < -0.4 {
            let upper = p.upper - LN_2;
            return -theta[0] * normal_quantile(LogTails::from_lower(upper));
        }
        // Close to 0 the normal quantile of ½ + p / 2 has lost digits.
        super::family::quantile_by_search(self, theta, p)
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        zeros(Self::NAME, sample, fixed)
    }

    fn starts(&self, _: &Sample, s: &Powers, _: &Fixed) -> Vec<Vec<f64>> {
        vec![vec![(s.squares / s.weight).sqrt().max(1e-300)]]
    }
}
