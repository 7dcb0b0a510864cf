//! The Cauchy distribution: f(x) = 1 / (π γ (1 + z²)), z = (x − x₀) / γ.
//!
//! Location and scale together have one maximum (Copas 1975), unless half of the rows or more are
//! equal; then there is none.

use super::error::Result;
use super::expansion::Expansion;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::passes::{Terms, sums};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::LogTails;
use super::student_t::refuse_ties;
use std::f64::consts::PI;

/// The Cauchy distribution; parameters location and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cauchy;

/// The derivatives of ψ = −ln(1 + z²).
struct Row {
    location: f64,
    scale: f64,
}

impl Terms<5> for Row {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 5], f64) {
        let z = (x - self.location) / self.scale;
        let factor = 1.0 + z * z;
        let inverse = 1.0 / factor;
        let slope = -2.0 * z * inverse;
        let curve = 2.0 * (z * z - 1.0) * inverse * inverse;
        ([slope, z * slope, curve, z * curve, z * z * curve], factor)
    }
}

impl Family for Cauchy {
    const NAME: &'static str = "cauchy";
    const ABOUT: &'static str = "Cauchy distribution";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("location", "location x₀, the median", Domain::Real, Unit::Location),
        Parameter::new("scale", "scale γ", Domain::Positive, Unit::Scale),
    ];
    type Summary = ();

    fn support(&self, _: &[f64]) -> Support {
        Support::REALS
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        -theta[1].ln() - PI.ln()
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let z = (theta[0] - x) / theta[1];
        if z.value().abs() > 1e150 {
            // z² would overflow.
            return (if z.value() < 0.0 { -z } else { z }).ln() * -2.0;
        }
        -z.square().ln_1p()
    }

    fn expansion(&self, theta: &[f64], rows: Rows<'_>) -> Option<Expansion> {
        let (location, scale) = (theta[0], theta[1]);
        let ([a, b, c, d, e], logs) = sums(rows, &Row { location, scale });
        Expansion::of_location_and_scale(0, scale, [-logs, a, b, c, d, e]).finite()
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        let z = (x - theta[0]) / theta[1];
        let small = (1.0_f64.atan2(z.abs()) / PI).ln();
        if z < 0.0 { LogTails::from_lower(small) } else { LogTails::from_upper(small) }
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        let (small, sign) = if p.lower < p.upper { (p.lower, -1.0) } else { (p.upper, 1.0) };
        let p = small.exp();
        let z = if p < 0.25 { 1.0 / (PI * p).tan() } else { (PI * (0.5 - p)).tan() };
        theta[0] + sign * theta[1] * z
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        if fixed[1].is_some() {
            return Ok(());
        }
        if fixed[0].is_none() {
            refuse_constant(Self::NAME, sample)?;
        }
        refuse_ties(Self::NAME, sample, 1.0, fixed[0])
    }

    fn starts(&self, sample: &Sample, (): &(), fixed: &Fixed) -> Vec<Vec<f64>> {
        let few = sample.thinned(2000);
        let quarters = few.quantiles([0.25, 0.5, 0.75]);
        let spread = 0.5 * (quarters[2] - quarters[0]);
        let spread = if spread > 0.0 { spread } else { few.mean(|x| (x - quarters[1]).abs()) };
        // With a fixed scale there may be several maxima, near rows.
        let places: Vec<f64> = match fixed[1] {
            Some(_) => (0..=20).map(|i| few.quantile(f64::from(i) / 20.0)).collect(),
            None => vec![quarters[1]],
        };
        places.into_iter().map(|x| vec![x, spread]).collect()
    }
}
