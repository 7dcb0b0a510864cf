//! The gamma distribution: f(x) = x^(k − 1) exp(−x / θ) / (Γ(k) θᵏ), x > 0.
//!
//! The log-density is formed around its saddle point x = k θ (Loader 2000), so that a large shape
//! costs no digits: ln f = −k φ(x / (k θ)) − ln x + ½ ln(k / 2π) − δ(k), with φ(t) = t − 1 − ln t and
//! Stirling's rest δ. The likelihood depends on the mean and on the mean of φ(x / mean).

use super::error::Result;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::gamma::gamma_tails;
use super::special::{HALF_LN_TAU, LogTails};
use super::summary::Deviance;

/// The gamma distribution; parameters shape and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gamma;

impl Family for Gamma {
    const NAME: &'static str = "gamma";
    const ABOUT: &'static str = "gamma distribution";
    const CLOSED: bool = true;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("shape", "shape k", Domain::Positive, Unit::Shape),
        Parameter::new("scale", "scale θ", Domain::Positive, Unit::Scale),
    ];
    type Summary = Deviance;

    fn support(&self, _: &[f64]) -> Support {
        Support::POSITIVE
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        theta[0].ln() * 0.5 - theta[0].stirling_rest() - HALF_LN_TAU
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let mean = theta[0] * theta[1];
        -(theta[0] * (T::constant(x) / mean).deviance()) - x.ln()
    }

    fn summarized<T: Scalar>(&self, theta: &[T], s: &Deviance) -> Option<T> {
        let mean = theta[0] * theta[1];
        let own = (T::constant(s.mean) / mean).deviance() * s.weight;
        Some(-(theta[0] * (own + s.deviance)) - s.log_sum())
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        gamma_tails(theta[0], x / theta[1])
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        if fixed.iter().any(Option::is_some) { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, _: &Sample, s: &Deviance, fixed: &Fixed) -> Vec<Vec<f64>> {
        let shape = start_shape(s.deviance / s.weight);
        let shape = match (fixed[0], fixed[1]) {
            (Some(shape), _) => shape,
            (None, Some(scale)) => s.mean / scale,
            _ => shape,
        };
        vec![vec![shape, s.mean / shape]]
    }
}

/// A shape within 2 % of the maximum, by the mean deviance (Minka 2002).
pub(super) fn start_shape(s: f64) -> f64 {
    let s = s.clamp(1e-30, 1e10);
    ((3.0 - s) + ((s - 3.0).powi(2) + 24.0 * s).sqrt()) / (12.0 * s)
}
