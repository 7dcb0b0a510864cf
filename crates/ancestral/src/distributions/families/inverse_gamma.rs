//! The inverse gamma distribution: 1 / X is gamma, f(x) = θᵏ / Γ(k) x^(−k − 1) exp(−θ / x), x > 0.

use super::error::Result;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::gamma::start_shape;
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::gamma::gamma_tails;
use super::special::{HALF_LN_TAU, LogTails};
use super::summary::{Deviance, Summary};

/// The inverse gamma distribution; parameters shape and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct InverseGamma;

/// The deviance of 1 / x.
#[derive(Debug, Clone, Copy)]
pub struct Inverses(Deviance);

impl Summary for Inverses {
    fn of(rows: Rows<'_>) -> Self {
        Self(Deviance::by(rows, f64::recip))
    }
    fn merge(&mut self, later: &Self) {
        self.0.merge_with(&later.0);
    }
}

impl Family for InverseGamma {
    const NAME: &'static str = "inverse-gamma";
    const ABOUT: &'static str = "inverse gamma distribution";
    const CLOSED: bool = true;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("shape", "shape k", Domain::Positive, Unit::Shape),
        Parameter::new("scale", "scale θ", Domain::Positive, Unit::Scale),
    ];
    type Summary = Inverses;

    fn support(&self, _: &[f64]) -> Support {
        Support::POSITIVE
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        theta[0].ln() * 0.5 - theta[0].stirling_rest() - HALF_LN_TAU
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        -(theta[0] * (theta[1] / theta[0] / x).deviance()) - x.ln()
    }

    fn summarized<T: Scalar>(&self, theta: &[T], s: &Inverses) -> Option<T> {
        let s = s.0;
        let own = (theta[1] / theta[0] * s.mean).deviance() * s.weight;
        Some(-(theta[0] * (own + s.deviance)) + s.log_sum())
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        if x <= 0.0 { LogTails::NONE } else { gamma_tails(theta[0], theta[1] / x).swapped() }
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        if fixed.iter().any(Option::is_some) { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, _: &Sample, s: &Inverses, fixed: &Fixed) -> Vec<Vec<f64>> {
        let shape = match (fixed[0], fixed[1]) {
            (Some(shape), _) => shape,
            (None, Some(scale)) => s.0.mean * scale,
            _ => start_shape(s.0.deviance / s.0.weight),
        };
        vec![vec![shape, shape / s.0.mean]]
    }
}
