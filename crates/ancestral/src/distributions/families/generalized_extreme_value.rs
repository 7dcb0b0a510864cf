//! The generalized extreme value distribution: F(x) = exp(−e^(−y)), y = ln(1 + ξ z) / ξ, z = (x − μ) / σ;
//! the shape ξ is positive for heavy tails, and 0 is the Gumbel distribution.
//!
//! Below ξ = −1 the likelihood has no bound as the upper end of the support goes to the largest row; the
//! interior maximum is given, if there is one. It is regular above −½ (Smith 1985).

use super::error::Result;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::LogTails;
use super::summary::Moments;

/// The generalized extreme value distribution; parameters shape, location and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct GeneralizedExtremeValue;

/// Below this shape standard errors do not hold.
pub(super) const REGULAR: f64 = -0.5;
/// What is said then.
pub(super) const IRREGULAR: &str =
    "the shape is below −½, where standard errors and intervals are not valid";
/// Why a shape below −1 is no maximum.
pub(super) const UNBOUNDED: &str = "the shape went below −1, where it grows without bound as the \
                                    upper end of the support goes to the largest row";

impl Family for GeneralizedExtremeValue {
    const NAME: &'static str = "gev";
    const ABOUT: &'static str = "generalized extreme value distribution of maxima";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("shape", "shape ξ, positive for heavy tails", Domain::Real, Unit::Shape),
        Parameter::new("location", "location μ", Domain::Real, Unit::Location),
        Parameter::new("scale", "scale σ", Domain::Positive, Unit::Scale),
    ];
    type Summary = Moments;

    fn support(&self, theta: &[f64]) -> Support {
        let end = theta[1] - theta[2] / theta[0];
        if theta[0] > 0.0 && end.is_finite() {
            Support::open(end, f64::INFINITY)
        } else if theta[0] < 0.0 && end.is_finite() {
            Support::open(f64::NEG_INFINITY, end)
        } else {
            Support::REALS
        }
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        -theta[2].ln()
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        match reduced(theta[0], theta[1], theta[2], x) {
            Ok(y) => -((theta[0] + 1.0) * y) - (-y).exp(),
            Err(_) => T::constant(f64::NEG_INFINITY),
        }
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        let y = reduced(theta[0], theta[1], theta[2], x).unwrap_or_else(|end| end);
        LogTails::from_lower(-(-y).exp())
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        theta[1] + theta[2] * expanded(theta[0], -(-p.lower).ln())
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        let apart = matches!(fixed[1], Some(m) if sample.range() != (m, m));
        if fixed[2].is_some() || apart { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, sample: &Sample, s: &Moments, fixed: &Fixed) -> Vec<Vec<f64>> {
        let few = sample.thinned(2000);
        let quartiles = [0.25, 0.5, 0.75].map(|p| few.quantile(p));
        let spread = (quartiles[2] - quartiles[0]) / 1.5;
        let deviation = 0.779_696_8 * s.variance().sqrt();
        let range = few.range();
        let mut starts = Vec::new();
        for scale in [spread, deviation, 4.0 * deviation].into_iter().filter(|s| *s > 0.0) {
            let middle = quartiles[1] - 0.366_5 * scale;
            for shape in [0.1, -0.1, 0.6, 1.2, -0.4] {
                let shape = fixed[0].unwrap_or(shape);
                let ends = [range.0, range.1].map(|x| 1.0 + shape * (x - middle) / scale);
                if ends.iter().all(|e| *e > 0.0) {
                    starts.push(vec![shape, middle, scale]);
                }
            }
        }
        starts.dedup();
        starts
    }

    fn refuses(&self, theta: &[f64], _: bool) -> Option<&'static str> {
        (theta[0] <= -1.0).then_some(UNBOUNDED)
    }

    fn note(&self, theta: &[f64]) -> Option<&'static str> {
        (theta[0] < REGULAR).then_some(IRREGULAR)
    }
}

/// y = ln(1 + ξ z) / ξ, where z = (x − location) / scale.
///
/// # Errors
/// Its limit, −∞ or ∞, at the end of the support and beyond.
pub(super) fn reduced<T: Scalar>(
    shape: T,
    location: T,
    scale: T,
    x: f64,
) -> std::result::Result<T, f64> {
    let z = (-location + x) / scale;
    let w = shape * z;
    if w.value().abs() < 0.1 {
        return Ok(z * w.ln_1p_ratio());
    } else if w.value() >= -0.5 || w.value().is_nan() {
        return Ok(w.ln_1p() / shape);
    }
    // Near the end 1 + ξ z cancels, unless it is rounded once.
    let (m, s, k) = (location.value(), scale.value(), shape.value());
    let apart = x - m;
    let taken = apart - x;
    let lost = (x - (apart - taken)) - (m + taken);
    let rest = (k.mul_add(apart, s) + k * lost) / s;
    // No number if x is infinite.
    if rest.is_nan() || rest <= 0.0 {
        return Err(if k > 0.0 { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    Ok(w.chain(rest.ln(), || (1.0 / rest, -1.0 / (rest * rest))) / shape)
}

/// z of y, the inverse of [`reduced`].
pub(super) fn expanded(shape: f64, y: f64) -> f64 {
    if shape == 0.0 { y } else { (shape * y).exp_m1() / shape }
}
