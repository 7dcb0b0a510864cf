//! The beta distribution: f(x) = x^(α − 1) (1 − x)^(β − 1) / B(α, β), 0 < x < 1.
//!
//! As the gamma distribution's, its log-density is formed around the saddle point x = α / (α + β), and
//! its likelihood depends on the means of x and 1 − x and of their deviances.

use super::error::Result;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::beta::beta_tails;
use super::special::{HALF_LN_TAU, LogTails};
use super::summary::{Deviance, Summary};

/// The beta distribution; parameters alpha and beta.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beta;

/// The deviances of x and of 1 − x.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    x: Deviance,
    rest: Deviance,
    /// Σ w (x − mean)², for the start.
    squares: super::summary::Moments,
}

impl Summary for Shares {
    fn of(rows: Rows<'_>) -> Self {
        let squares = super::summary::Moments::of(rows);
        Self { x: Deviance::of(rows), rest: Deviance::by(rows, |x| 1.0 - x), squares }
    }
    fn merge(&mut self, later: &Self) {
        self.x.merge(&later.x);
        self.rest.merge(&later.rest);
        self.squares.merge(&later.squares);
    }
}

impl Family for Beta {
    const NAME: &'static str = "beta";
    const ABOUT: &'static str = "beta distribution on (0, 1)";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("alpha", "shape α at 0", Domain::Positive, Unit::Shape),
        Parameter::new("beta", "shape β at 1", Domain::Positive, Unit::Shape),
    ];
    type Summary = Shares;

    fn support(&self, _: &[f64]) -> Support {
        Support::UNIT
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        let (a, b) = (theta[0], theta[1]);
        let sum = a + b;
        (a.ln() + (b / sum).ln()) * 0.5 - a.stirling_rest() - b.stirling_rest()
            + sum.stirling_rest()
            - HALF_LN_TAU
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let (a, b) = (theta[0], theta[1]);
        let (y, sum) = (1.0 - x, a + b);
        -(a * (sum / a * x).deviance()) - b * (sum / b * y).deviance() - (x.ln() + (-x).ln_1p())
    }

    fn summarized<T: Scalar>(&self, theta: &[T], s: &Shares) -> Option<T> {
        let sum = theta[0] + theta[1];
        let part = |a: T, d: &Deviance| {
            a * ((sum / a * d.mean).deviance() * d.weight + d.deviance) + d.log_sum()
        };
        Some(-part(theta[0], &s.x) - part(theta[1], &s.rest))
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        beta_tails(theta[0], theta[1], x, 1.0 - x)
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        if fixed.iter().any(Option::is_some) { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, _: &Sample, s: &Shares, _: &Fixed) -> Vec<Vec<f64>> {
        let (mean, variance) = (s.squares.mean, s.squares.variance());
        let total = (mean * (1.0 - mean) / variance - 1.0).clamp(1e-3, 1e15);
        let total = if total.is_finite() { total } else { 2.0 };
        // The deviances say more than the variance where rows crowd at an edge.
        let deviance = (s.x.deviance + s.rest.deviance) / s.x.weight;
        let other = (0.5 / deviance).clamp(1e-6, 1e15);
        let start = |t: f64| vec![t * mean, t * (1.0 - mean)];
        if other < 0.3 * total { vec![start(other)] } else { vec![start(total)] }
    }
}
