//! The skew-normal distribution (Azzalini 1985): f(x) = 2/σ φ(z) Φ(αz), z = (x − ξ) / σ.
//!
//! The shape α is 0 for the normal distribution, where the information is singular. For some rows the
//! likelihood rises without end as |α| grows: to the half-normal distribution that begins at an extreme
//! row.

use super::error::Result;
use super::expansion::Expansion;
use super::family::{
    Domain, Family, Fixed, Limit, Parameter, Pinned, Support, Unit, quantile_by_search,
    refuse_constant,
};
use super::passes::{Terms, sums};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::normal::{normal_log_density, normal_quantile, normal_tails, scaled_erfc};
use super::special::owen::{gauss_legendre, owens_t};
use super::special::{HALF_LN_TAU, LN_2, LogTails, vectorized};
use super::student_t::Square;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI, PI};

/// The skew-normal distribution; parameters shape, location and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct SkewNormal;

/// ψ = −½ z² + ln Φ(v), v = α z, with its derivatives in z, then those in α. In ψ, ln of the factor
/// min(1, e^(½ v²)) Φ(v) is left out.
struct Row {
    shape: f64,
    location: f64,
    scale: f64,
}

impl Terms<10> for Row {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 10], f64) {
        let z = (x - self.location) / self.scale;
        let v = self.shape * z;
        let half_square = 0.5 * v * v;
        let tail = 0.5 * vectorized::scaled_erfc(v.abs() * FRAC_1_SQRT_2);
        let density = vectorized::exp(-half_square);
        let below = v < 0.0;
        let factor = if below { tail } else { 1.0 - tail * density };
        // φ(v) / Φ(v).
        let ratio = (if below { 1.0 } else { density }) / factor * (0.5 * FRAC_2_PI.sqrt());
        let bend = -ratio * (v + ratio);
        let value = -0.5 * z * z - if below { half_square } else { 0.0 };
        let slope = self.shape * ratio - z;
        let curve = self.shape * self.shape * bend - 1.0;
        let mixed = ratio + v * bend;
        // v + φ / Φ has lost digits far below, where its limits are used.
        let inside = if v > FAR { 0.0 } else { f64::NAN };
        (
            [
                value + inside,
                slope,
                z * slope,
                curve,
                z * curve,
                z * z * curve,
                z * ratio,
                z * z * bend,
                mixed,
                z * mixed,
            ],
            factor,
        )
    }
}

impl Family for SkewNormal {
    const NAME: &'static str = "skew-normal";
    const ABOUT: &'static str = "skew-normal distribution";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("shape", "shape α, 0 for a normal one", Domain::Real, Unit::Shape),
        Parameter::new("location", "location ξ", Domain::Real, Unit::Location),
        Parameter::new("scale", "scale σ", Domain::Positive, Unit::Scale),
    ];
    const LIMITS: &'static [Limit] = &[
        Limit { parameter: 0, value: f64::INFINITY, family: "half-normal from the smallest row" },
        Limit { parameter: 0, value: f64::NEG_INFINITY, family: "half-normal to the largest row" },
    ];
    type Summary = ();

    fn support(&self, theta: &[f64]) -> Support {
        let end = theta[1];
        match theta[0] {
            a if a == f64::INFINITY && !end.is_nan() => {
                Support { lower: end, lower_closed: true, ..Support::REALS }
            }
            a if a == f64::NEG_INFINITY && !end.is_nan() => {
                Support { upper: end, upper_closed: true, ..Support::REALS }
            }
            _ => Support::REALS,
        }
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        -theta[2].ln() + (LN_2 - HALF_LN_TAU)
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let z = (-theta[1] + x) / theta[2];
        let square = z.square() * -0.5;
        let shape = theta[0].value();
        if shape.is_infinite() {
            let inside = z.value() == 0.0 || (z.value() > 0.0) == (shape > 0.0);
            return if inside { square } else { T::constant(f64::NEG_INFINITY) };
        }
        square + log_phi(theta[0] * z)
    }

    fn expansion(&self, theta: &[f64], rows: Rows<'_>) -> Option<Expansion> {
        let (shape, location, scale) = (theta[0], theta[1], theta[2]);
        if shape.is_infinite() {
            let inside = |x: &f64| *x == location || (*x > location) == (shape > 0.0);
            let all = rows.values.iter().all(inside);
            return if all { Square { location, scale }.expansion(rows) } else { None };
        }
        let ([a, b, c, d, e, f, in_shape @ ..], logs) = sums(rows, &Row { shape, location, scale });
        let around = Expansion::of_location_and_scale(1, scale, [a + logs, b, c, d, e, f]);
        around.with_shape(scale, in_shape).finite()
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        let z = (x - theta[1]) / theta[2];
        if theta[0] < 0.0 { tails(-theta[0], -z).swapped() } else { tails(theta[0], z) }
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        let (shape, p) = if theta[0] < 0.0 { (-theta[0], p.swapped()) } else { (theta[0], p) };
        let z = if shape.is_infinite() {
            -normal_quantile(LogTails::from_lower(p.upper - LN_2))
        } else if shape == 0.0 {
            normal_quantile(p)
        } else {
            quantile_by_search(self, &[shape, 0.0, 1.0], p)
        };
        theta[1] + theta[2] * if theta[0] < 0.0 { -z } else { z }
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        if fixed[2].is_some() { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    /// At the limits the location is the extreme row.
    fn pinned(&self, sample: &Sample, fixed: &Fixed) -> Vec<Pinned> {
        let Some(shape) = fixed[0].filter(|shape| shape.is_infinite()) else { return Vec::new() };
        if fixed[1].is_some() {
            return Vec::new();
        }
        let (low, high) = sample.range();
        let value = if shape > 0.0 { low } else { high };
        let note = "the location is on the edge of the support, where there is no standard error";
        vec![Pinned { parameter: 1, value, note }]
    }

    fn starts(&self, sample: &Sample, (): &(), fixed: &Fixed) -> Vec<Vec<f64>> {
        let few = sample.thinned(500);
        let mean = few.mean(|x| x);
        let variance = few.mean(|x| (x - mean).powi(2)).max(1e-300);
        let skew = few.mean(|x| (x - mean).powi(3)) / variance.powf(1.5);
        if let (Some(shape), Some(location)) = (fixed[0], fixed[1]) {
            let square = few.mean(|x| (x - location).powi(2));
            return vec![vec![shape, location, square.sqrt().max(1e-300)]];
        }
        // By the moments (Azzalini 1985), and on both sides.
        let part = skew.abs().powf(2.0 / 3.0);
        let other = (0.5 * (4.0 - PI)).powf(2.0 / 3.0);
        let delta = (part / (FRAC_2_PI * (part + other))).sqrt().clamp(0.3, 0.99) * skew.signum();
        let of = |delta: f64| {
            let scale = (variance / (1.0 - FRAC_2_PI * delta * delta)).sqrt();
            let location = mean - scale * delta * FRAC_2_PI.sqrt();
            vec![delta / (1.0 - delta * delta).sqrt(), location, scale]
        };
        [delta, 0.7, -0.7, 0.95, -0.95, 0.998, -0.998].map(of).to_vec()
    }

    fn note(&self, theta: &[f64]) -> Option<&'static str> {
        if theta[0].is_infinite() {
            return Some(
                "the location is the extreme row, on the edge of the support, and has no standard error",
            );
        }
        (theta[0].abs() < 0.5).then_some(
            "near a shape of 0 the information is nearly singular, and standard errors say little",
        )
    }
}

/// Where φ(x) / Φ(x) is −x to all digits that its derivative keeps.
const FAR: f64 = -1e4;

/// ln Φ(x) with its derivatives λ and −λ (x + λ), where λ = φ(x) / Φ(x).
fn log_phi<T: Scalar>(x: T) -> T {
    let z = x.value();
    x.chain(normal_tails(z).lower, || {
        if z < FAR {
            return (-z, -1.0);
        }
        let ratio = if z < 0.0 {
            FRAC_2_PI.sqrt() / scaled_erfc(-z * FRAC_1_SQRT_2)
        } else {
            (normal_log_density(z) - normal_tails(z).lower).exp()
        };
        (ratio, -ratio * (z + ratio))
    })
}

/// The tails of the standard distribution with a shape of 0 or more: Φ(z) − 2 T(z, α) below.
fn tails(shape: f64, z: f64) -> LogTails {
    if z.is_nan() || z.is_infinite() {
        return normal_tails(z);
    }
    if shape.is_infinite() {
        return match z <= 0.0 {
            true => LogTails::NONE,
            false => LogTails::from_upper(LN_2 + normal_tails(z).upper),
        };
    }
    let (below, above) = (normal_tails(z).lower, normal_tails(z).upper);
    let part = 2.0 * owens_t(z, shape);
    if z > 0.0 {
        // ½ at least, so that the smaller tail is the upper one, up to small z of large shapes.
        let upper = above.exp() + part;
        if upper < 0.9 {
            return LogTails::from_upper(above + (part / above.exp()).ln_1p());
        }
        return LogTails::from_lower(beside_zero(shape, z).ln());
    } else if part < 0.5 * below.exp() {
        return LogTails::from_lower(below + (-part / below.exp()).ln_1p());
    }
    LogTails::from_lower(lower_tail(shape, z))
}

/// P(X ≤ z) for a small z > 0: what is below 0, and an integral in steps that double from the width in
/// which Φ(α t) rises.
fn beside_zero(shape: f64, z: f64) -> f64 {
    let (mut start, mut width, mut area) = (0.0, shape.recip().max(1e-18 * z), 0.0);
    while start < z {
        let end = z.min(start + width);
        area += gauss_legendre(start, end, |t| {
            (normal_log_density(t) + normal_tails(shape * t).lower).exp()
        });
        (start, width) = (end, 2.0 * width);
    }
    shape.recip().atan() / PI + 2.0 * area
}

/// ln of the lower tail of a value of 0 or less, by integration away from it in steps that double.
fn lower_tail(shape: f64, z: f64) -> f64 {
    let log = |t: f64| normal_log_density(t) + normal_tails(shape * t).lower;
    let top = log(z);
    let slope = z.abs() * (1.0 + shape * shape) + shape.min(1e8) + 1.0;
    let (mut end, mut width, mut area) = (z, 1.0 / slope, 0.0);
    for _ in 0..200 {
        let more = gauss_legendre(end - width, end, |t| (log(t) - top).exp());
        area += more;
        (end, width) = (end - width, 2.0 * width);
        if more <= 1e-18 * area {
            break;
        }
    }
    top + area.ln() + LN_2
}
