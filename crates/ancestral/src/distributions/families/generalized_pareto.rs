//! The generalized Pareto distribution of excesses over a threshold: P(X > x) = (1 + ξ x / σ)^(−1/ξ),
//! x ≥ 0; the shape ξ is positive for heavy tails, and 0 is the exponential distribution.
//!
//! Below ξ = −1 the likelihood has no bound, as the generalized extreme value distribution's.

use super::error::Result;
use super::expansion::Expansion;
use super::exponential::zeros;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::generalized_extreme_value::{
    IRREGULAR, LEAST, REGULAR, SMALL, UNBOUNDED, beyond, expanded, reduced, reduced_slopes,
};
use super::passes::{Terms, sums};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::LogTails;
use super::summary::Moments;

/// The generalized Pareto distribution; parameters shape and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct GeneralizedPareto;

/// ψ = −(1 + ξ) y with its derivatives in z = x / σ, then those in ξ.
struct Row<const SERIES: bool> {
    shape: f64,
    scale: f64,
}

impl<const SERIES: bool> Terms<6> for Row<SERIES> {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 6], f64) {
        let z = x * (1.0 / self.scale);
        let [y, q, first, second] = reduced_slopes::<SERIES>(self.shape, z);
        let by_y = -(1.0 + self.shape);
        let zq = z * q;
        let by_shape = by_y * first - y;
        let by_shape_twice = by_y * second - 2.0 * first;
        let mixed = -zq * (1.0 + by_y * zq);
        ([by_y * y, by_y * zq, -self.shape * by_y * zq * zq, by_shape, by_shape_twice, mixed], 1.0)
    }
}

impl Family for GeneralizedPareto {
    const NAME: &'static str = "gpd";
    const ABOUT: &'static str = "generalized Pareto distribution of excesses";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("shape", "shape ξ, positive for heavy tails", Domain::Real, Unit::Shape),
        Parameter::new("scale", "scale σ", Domain::Positive, Unit::Scale),
    ];
    type Summary = Moments;

    fn support(&self, theta: &[f64]) -> Support {
        if theta[0] < 0.0 && (theta[1] / theta[0]).is_finite() {
            return Support::closed(0.0, -theta[1] / theta[0]);
        }
        Support::NONNEGATIVE
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        -theta[1].ln()
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        match reduced(theta[0], T::constant(0.0), theta[1], x) {
            Ok(y) => -((theta[0] + 1.0) * y),
            Err(_) => T::constant(f64::NEG_INFINITY),
        }
    }

    fn expansion(&self, theta: &[f64], rows: Rows<'_>) -> Option<Expansion> {
        let (shape, scale) = (theta[0], theta[1]);
        let (found, _) = match shape.abs() < SMALL {
            true => sums(rows, &Row::<true> { shape, scale }),
            false => sums(rows, &Row::<false> { shape, scale }),
        };
        let [value, slope, curve, by_shape, by_shape_twice, mixed] = found;
        let mut all = Expansion { value, ..Expansion::default() };
        all.gradient = [by_shape, -slope / scale, 0.0];
        all.hessian[0][0] = by_shape_twice;
        all.hessian[1][0] = -mixed / scale;
        all.hessian[1][1] = (2.0 * slope + curve) / (scale * scale);
        all.finite().or_else(|| beyond(rows, shape, 0.0, scale))
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        if x <= 0.0 {
            return LogTails::NONE;
        }
        LogTails::from_upper(-reduced(theta[0], 0.0, theta[1], x).unwrap_or_else(|end| end))
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        theta[1] * expanded(theta[0], -p.upper)
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        zeros(Self::NAME, sample, fixed)?;
        if fixed.iter().any(Option::is_some) { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, sample: &Sample, s: &Moments, fixed: &Fixed) -> Vec<Vec<f64>> {
        let few = sample.thinned(500);
        let ratio = s.mean * s.mean / s.variance();
        let middle = few.quantile(0.5).max(1e-300);
        let largest = sample.range().1;
        let by_moments = (0.5 * (1.0 - ratio), 0.5 * s.mean * (1.0 + ratio));
        let others = [(0.1, s.mean), (0.5, 1.2 * middle), (1.5, middle), (3.0, 0.5 * middle)];
        let lighter = [(-0.2, 1.2 * s.mean), (-0.5, 0.51 * largest), (-0.7, 0.75 * largest)];
        std::iter::once(by_moments)
            .chain(others)
            .chain(lighter)
            .map(|(shape, scale)| (fixed[0].unwrap_or(shape), scale))
            .filter(|(shape, scale)| *scale > 0.0 && 1.0 + shape * largest / scale > 0.0)
            .map(|(shape, scale)| vec![shape, scale])
            .collect()
    }

    fn refuses(&self, theta: &[f64], _: f64, _: bool) -> Option<&'static str> {
        (theta[0] <= LEAST).then_some(UNBOUNDED)
    }

    fn note(&self, theta: &[f64]) -> Option<&'static str> {
        (theta[0] < REGULAR).then_some(IRREGULAR)
    }
}
