//! The generalized extreme value distribution: F(x) = exp(−e^(−y)), y = ln(1 + ξ z) / ξ, z = (x − μ) / σ;
//! the shape ξ is positive for heavy tails, and 0 is the Gumbel distribution.
//!
//! Below ξ = −1 the likelihood has no bound as the upper end of the support goes to the largest row; the
//! interior maximum is given, if there is one. Nor has it a bound for ξ > n − 1, where the scale goes to 0
//! at the smallest of n rows. It is regular above −½ (Smith 1985).

use super::error::Result;
use super::expansion::Expansion;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::passes::{Terms, sums};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::{LogTails, vectorized};
use super::summary::Moments;

/// The generalized extreme value distribution; parameters shape, location and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct GeneralizedExtremeValue;

/// Below this shape standard errors do not hold.
pub(super) const REGULAR: f64 = -0.5;
/// What is said then.
pub(super) const IRREGULAR: &str =
    "the shape is below −½, where standard errors and intervals are not valid";
/// A shape from which on no series is needed.
pub(super) const SMALL: f64 = 0.1;
/// A shape up to this one is below −1, or is held there by rounding on its way down.
pub(super) const LEAST: f64 = -1.0 + 1e-9;
/// Why a shape below −1 is no maximum.
pub(super) const UNBOUNDED: &str = "the shape went below −1, where it grows without bound as the \
                                    upper end of the support goes to the largest row";

/// y = ln(1 + ξ z) / ξ with 1 / (1 + ξ z) and the first and the second derivative of y in ξ; NaN close to the
/// end of the support, where 1 + ξ z has lost digits, and beyond.
///
/// Near ξ z = 0 they are formed by a `SERIES`; without it errors of rows there are of the size of 1 / ξ².
#[inline(always)]
pub(super) fn reduced_slopes<const SERIES: bool>(shape: f64, z: f64) -> [f64; 4] {
    const CLOSE: f64 = 1e-3 - 1.0;
    let w = shape * z;
    // One division for 1 / (1 + w) and 2 / (2 + w).
    let joint = 1.0 / ((1.0 + w) * (2.0 + w));
    let (q, r) = ((2.0 + w) * joint, 2.0 * (1.0 + w) * joint);
    let log = vectorized::ln_1p_by(w, q);
    let inside = if w > CLOSE { 0.0 } else { f64::NAN };
    let inverse = 1.0 / shape;
    let y = log * inverse;
    let first = (z * q - y) * inverse;
    let second = -(z * z * q * q + 2.0 * first) * inverse;
    if !SERIES {
        return [y + inside, q, first, second];
    }
    // Near ξ z = 0: y = z r A(s²), with s = w / (2 + w) and A(a) = artanh(√a) / √a.
    let s = 0.5 * w * r;
    let a = s * s;
    let [series, slope, curve] = [
        vectorized::polynomial(&ARTANH[0], a),
        vectorized::polynomial(&ARTANH[1], a),
        vectorized::polynomial(&ARTANH[2], a),
    ];
    // The derivatives of r and s in w are −½ r² and ½ r².
    let by_w = 0.5 * r * r * (2.0 * r * s * slope - series);
    let by_w_twice =
        0.5 * r * r * r * (series + r * slope * (r - 4.0 * s) + 2.0 * r * r * a * curve);
    let near = w.abs() < 0.1;
    let y = if near { z * r * series } else { y };
    let first = if near { z * z * by_w } else { first };
    let second = if near { z * z * z * by_w_twice } else { second };
    [y + inside, q, first, second]
}

/// What rows have of which one is beyond the end of the support, if one is so clearly.
pub(super) fn beyond(rows: Rows<'_>, shape: f64, location: f64, scale: f64) -> Option<Expansion> {
    const CLEARLY: f64 = 1.0 + 1e-9;
    let (low, high) = rows.range();
    let extreme = if shape > 0.0 { low } else { high };
    let outside = shape * ((extreme - location) / scale) < -CLEARLY;
    outside.then_some(Expansion { value: f64::NEG_INFINITY, ..Expansion::default() })
}

/// A(a) = Σ aᵏ / (2 k + 1) and its first and second derivative, for a up to 0.003.
const ARTANH: [[f64; 7]; 3] = {
    let (mut series, mut k) = ([[0.0; 7]; 3], 0);
    while k < 7 {
        let n = k as f64;
        series[0][k] = 1.0 / (2.0 * n + 1.0);
        series[1][k] = (n + 1.0) / (2.0 * n + 3.0);
        series[2][k] = (n + 1.0) * (n + 2.0) / (2.0 * n + 5.0);
        k += 1;
    }
    series
};

/// ψ = −(1 + ξ) y − e^(−y) with its derivatives in z, then those in ξ.
struct Row<const SERIES: bool> {
    shape: f64,
    location: f64,
    scale: f64,
}

impl<const SERIES: bool> Terms<10> for Row<SERIES> {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 10], f64) {
        let z = (x - self.location) * (1.0 / self.scale);
        let [y, q, first, second] = reduced_slopes::<SERIES>(self.shape, z);
        let e = vectorized::exp(-y);
        // ψ in y.
        let by_y = e - (1.0 + self.shape);
        let slope = by_y * q;
        let curve = -q * q * (e + self.shape * by_y);
        let by_shape = by_y * first - y;
        let by_shape_twice = by_y * second - first * (2.0 + e * first);
        let mixed = -q * (1.0 + e * first + by_y * z * q);
        let value = -(1.0 + self.shape) * y - e;
        let z_curve = z * curve;
        (
            [
                value,
                slope,
                z * slope,
                curve,
                z_curve,
                z * z_curve,
                by_shape,
                by_shape_twice,
                mixed,
                z * mixed,
            ],
            1.0,
        )
    }
}

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

    fn expansion(&self, theta: &[f64], rows: Rows<'_>) -> Option<Expansion> {
        let (shape, location, scale) = (theta[0], theta[1], theta[2]);
        let (found, _) = match shape.abs() < SMALL {
            true => sums(rows, &Row::<true> { shape, location, scale }),
            false => sums(rows, &Row::<false> { shape, location, scale }),
        };
        let [a, b, c, d, e, f, in_shape @ ..] = found;
        let around = Expansion::of_location_and_scale(1, scale, [a, b, c, d, e, f]);
        let found = around.with_shape(scale, in_shape).finite();
        found.or_else(|| beyond(rows, shape, location, scale))
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
        let few = sample.thinned(500);
        let quartiles = few.quantiles([0.25, 0.5, 0.75]);
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

    fn refuses(&self, theta: &[f64], rows: f64, converged: bool) -> Option<&'static str> {
        if theta[0] <= LEAST {
            return Some(UNBOUNDED);
        }
        // With the location at the smallest row it is (n − 1) / ξ − 1 times ln σ, and bounded terms.
        (!converged && theta[0] >= rows - 1.0).then_some(
            "for a shape above the number of rows less 1 it grows without bound as the scale goes to 0 at \
             the smallest row, and no interior maximum was found",
        )
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
