//! The von Mises distribution of angles: f(x) = exp(κ cos(x − μ)) / (2π I₀(κ)), in radians.
//!
//! The density has period 2π; probabilities and quantiles count from μ − π to μ + π. The maximum is the
//! mean direction, and κ where I₁(κ) / I₀(κ) is the mean resultant length (Mardia and Jupp 2000).

use super::error::Result;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::sample::{Rows, Sample};
use super::scalar::Scalar;
use super::special::LogTails;
use super::special::bessel::{resultant_rest, resultant_slope, scaled_i0};
use super::special::owen::gauss_legendre;
use super::summary::Summary;
use std::f64::consts::{PI, TAU};

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

    /// The smaller tail by integration away from the value, in steps that double.
    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        let (apart, k) = (x - theta[0], theta[1]);
        if apart <= -PI {
            return LogTails::NONE;
        }
        if apart >= PI {
            return LogTails::ALL;
        }
        let from = apart.abs();
        let mut width = 1.0 / (k * from.sin()).max(k.sqrt()).max(1.0);
        let (mut start, mut area) = (from, 0.0);
        while start < PI {
            let end = (start + width).min(PI);
            // cos t − cos d = −2 sin((t + d) / 2) sin((t − d) / 2).
            area += gauss_legendre(start, end, |t| {
                (-2.0 * k * (0.5 * (t + from)).sin() * (0.5 * (t - from)).sin()).exp()
            });
            (start, width) = (end, 2.0 * width);
        }
        let small = area.ln() - k * versine(from) - (TAU * scaled_i0(k)).ln();
        if apart < 0.0 { LogTails::from_lower(small) } else { LogTails::from_upper(small) }
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
