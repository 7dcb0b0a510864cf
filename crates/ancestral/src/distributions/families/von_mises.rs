//! The von Mises distribution of angles: f(x) = exp(κ cos(x − μ)) / (2π I₀(κ)), in radians.
//!
//! The density has period 2π, so that rows may be any angles; probabilities and quantiles are of the angle
//! in (−π, π]. The maximum is the
//! mean direction, and κ where I₁(κ) / I₀(κ) is the mean resultant length (Mardia and Jupp 2000).

use super::error::Result;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::bessel::{resultant_rest, resultant_slope, scaled_i0};
use super::special::owen::gauss_legendre;
use super::special::{LogTails, ln_add_exp};
use super::summary::Summary;
use std::f64::consts::{PI, TAU};

/// What π has beyond the double.
const PI_REST: f64 = 1.224_646_799_147_353_2e-16;

/// The von Mises distribution; parameters location and concentration.
#[derive(Debug, Clone, Copy, Default)]
pub struct VonMises;

/// The resultant of the rows.
#[derive(Debug, Clone, Copy)]
pub struct Resultant {
    weight: f64,
    /// The mean direction t.
    direction: f64,
    /// Σ w (1 − cos(x − t)), which keeps its digits where all rows are close.
    spread: f64,
}

impl Resultant {
    /// Σ w cos(x − t), the length.
    fn length(&self) -> f64 {
        self.weight - self.spread
    }
}

/// 1 − cos x without cancellation.
fn versine(x: f64) -> f64 {
    2.0 * (0.5 * x).sin().powi(2)
}

impl Summary for Resultant {
    fn of(rows: Rows<'_>) -> Self {
        let sum = |f: &dyn Fn(f64) -> f64| rows.iter().map(|(x, w)| w * f(x)).sum::<f64>();
        let direction = sum(&f64::sin).atan2(sum(&f64::cos));
        let weight = rows.total();
        let spread = sum(&|x| versine(x - direction));
        let length = weight - spread;
        // The rounding of the direction itself.
        let rest = if length > 0.0 { sum(&|x| (x - direction).sin()) / length } else { 0.0 };
        Self { weight, direction: direction + rest, spread }
    }
    fn merge(&mut self, later: &Self) {
        let apart = later.direction - self.direction;
        let (a, b) = (self.length(), later.length());
        let turn = (b * apart.sin()).atan2(a + b * apart.cos());
        self.spread += later.spread + a * versine(turn) + b * versine(apart - turn);
        self.weight += later.weight;
        self.direction += turn;
    }
}

/// ln ∫ exp(κ (cos t − 1)) dt from a to b, in pieces between the peak and the trough of the density.
fn log_arc(a: f64, b: f64, k: f64) -> f64 {
    let (mut sum, mut start) = (f64::NEG_INFINITY, a);
    let mut half = (a / PI).floor();
    while start < b {
        let end = b.min((half + 1.0) * PI);
        // The distances from the nearest peak, an even multiple of π.
        let odd = half.rem_euclid(2.0) == 1.0;
        let peak = if odd { half + 1.0 } else { half } * PI;
        let ends = if odd { (peak - end, peak - start) } else { (start - peak, end - peak) };
        sum = ln_add_exp(sum, log_piece(ends.0.max(0.0), ends.1.min(PI), k));
        (start, half) = (end, half + 1.0);
    }
    sum
}

/// The same for 0 ≤ from < to ≤ π, in steps that double, since the density falls from `from` on.
fn log_piece(from: f64, to: f64, k: f64) -> f64 {
    let mut width = 1.0 / (k * from.sin()).max(k.sqrt()).max(1.0);
    let (mut start, mut area) = (from, 0.0);
    while start < to {
        let end = (start + width).min(to);
        // cos t − cos d = −2 sin((t + d) / 2) sin((t − d) / 2).
        area += gauss_legendre(start, end, |t| {
            (-2.0 * k * (0.5 * (t + from)).sin() * (0.5 * (t - from)).sin()).exp()
        });
        (start, width) = (end, 2.0 * width);
    }
    area.ln() - k * versine(from)
}

/// ln of the same from −π up to a value close to it, at a distance d: the ends of the circle, and their
/// differences from μ, are no doubles.
fn log_end(d: f64, m: f64, k: f64) -> f64 {
    let area = gauss_legendre(0.0, d, |s| (-2.0 * k * (m - 0.5 * s).sin() * (0.5 * s).sin()).exp());
    area.ln() - 2.0 * k * (0.5 * m).cos().powi(2)
}

impl Family for VonMises {
    const NAME: &'static str = "von-mises";
    const ABOUT: &'static str = "von Mises distribution of angles";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("location", "mean direction μ, radians", Domain::Real, Unit::Shape),
        Parameter::new("concentration", "concentration κ", Domain::Positive, Unit::Shape),
    ];
    type Summary = Resultant;

    fn support(&self, _: &[f64]) -> Support {
        Support::REALS
    }

    /// −ln(2π e^(−κ) I₀(κ)).
    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        let k = theta[1].value();
        let value = scaled_i0(k).ln();
        -theta[1].chain(value, || (-resultant_rest(k), resultant_slope(k))) - TAU.ln()
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        theta[1] * (theta[0] - x).cos_m1()
    }

    fn summarized<T: Scalar>(&self, theta: &[T], s: &Resultant) -> Option<T> {
        Some(theta[1] * ((theta[0] - s.direction).cos_m1() * s.length() - s.spread))
    }

    /// Both tails by integration over the arcs from the value to −π and to π.
    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        if x <= -PI {
            return LogTails::NONE;
        }
        if x >= PI {
            return LogTails::ALL;
        }
        let (m, k) = (theta[0], theta[1]);
        let norm = (TAU * scaled_i0(k)).ln();
        let (below, above) = ((x + PI) + PI_REST, (PI - x) + PI_REST);
        let close = 0.1 / k.max(1.0);
        if below < close {
            return LogTails::from_lower(log_end(below, m, k) - norm);
        }
        if above < close {
            return LogTails::from_upper(log_end(above, -m, k) - norm);
        }
        let lower = log_arc(-PI - m, x - m, k) - norm;
        let upper = log_arc(x - m, PI - m, k) - norm;
        if lower < upper {
            LogTails::from_lower(lower.min(0.0))
        } else {
            LogTails::from_upper(upper.min(0.0))
        }
    }

    fn circle(&self) -> Option<(f64, f64)> {
        Some((-PI, PI))
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        let apart = matches!(fixed[0], Some(m) if sample.range() != (m, m));
        if fixed[1].is_some() || apart { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, _: &Sample, s: &Resultant, _: &Fixed) -> Vec<Vec<f64>> {
        let rest = (s.spread / s.weight).max(1e-300);
        let mean = (1.0 - rest).max(1e-8);
        // Best and Fisher (1981).
        let k = if mean < 0.53 {
            2.0 * mean + mean.powi(3) + 5.0 * mean.powi(5) / 6.0
        } else if mean < 0.85 {
            -0.4 + 1.39 * mean + 0.43 / rest
        } else {
            1.0 / (mean * rest * (3.0 - mean))
        };
        // In (−π, π].
        let turn = (s.direction / TAU - 0.5).ceil();
        vec![vec![s.direction - turn * TAU, k]]
    }
}
