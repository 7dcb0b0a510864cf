//! The logistic distribution: F(x) = 1 / (1 + e^(−z)), z = (x − μ) / s.

use super::error::Result;
use super::expansion::Expansion;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::passes::{Terms, sums};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::{LogTails, vectorized};
use super::summary::Moments;

/// The logistic distribution; parameters location and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct Logistic;

/// ψ = −|z| − 2 ln(1 + e^(−|z|)), ψ′ = −tanh(z / 2) and ψ″, and the number whose logarithm is in ψ.
#[inline(always)]
pub(super) fn slopes(z: f64) -> ([f64; 3], f64) {
    let e = vectorized::exp(-z.abs());
    let inverse = 1.0 / (1.0 + e);
    let slope = (1.0 - e) * inverse;
    let slope = if z < 0.0 { slope } else { -slope };
    ([-z.abs(), slope, -2.0 * e * inverse * inverse], 1.0 + e)
}

struct Row {
    location: f64,
    scale: f64,
}

impl Terms<6> for Row {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 6], f64) {
        let z = (x - self.location) / self.scale;
        let ([far, slope, curve], factor) = slopes(z);
        ([far, slope, z * slope, curve, z * curve, z * z * curve], factor)
    }
}

impl Family for Logistic {
    const NAME: &'static str = "logistic";
    const ABOUT: &'static str = "logistic distribution";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("location", "location μ, the mean", Domain::Real, Unit::Location),
        Parameter::new("scale", "scale s", Domain::Positive, Unit::Scale),
    ];
    type Summary = Moments;

    fn support(&self, _: &[f64]) -> Support {
        Support::REALS
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        -theta[1].ln()
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let z = (theta[0] - x) / theta[1];
        z - z.softplus() * 2.0
    }

    fn expansion(&self, theta: &[f64], rows: Rows<'_>) -> Option<Expansion> {
        let (location, scale) = (theta[0], theta[1]);
        let (mut sums, logs) = sums(rows, &Row { location, scale });
        sums[0] -= 2.0 * logs;
        Expansion::of_location_and_scale(0, scale, sums).finite()
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        logistic_tails((x - theta[0]) / theta[1])
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        theta[0] + theta[1] * (p.lower - p.upper)
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        let apart = matches!(fixed[0], Some(m) if sample.range() != (m, m));
        if fixed[1].is_some() || apart { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, sample: &Sample, _: &Moments, fixed: &Fixed) -> Vec<Vec<f64>> {
        // Quartiles are at ± s ln 3; a few far rows do not move them.
        let few = sample.thinned(2000);
        let middle = fixed[0].unwrap_or_else(|| few.quantile(0.5));
        let spread = few.mean(|x| (x - middle).abs()) / 1.386_294_4;
        vec![vec![middle, spread.max(1e-300)]]
    }
}

/// The tails at a standardized value.
pub(super) fn logistic_tails(z: f64) -> LogTails {
    LogTails { lower: -Scalar::softplus(-z), upper: -Scalar::softplus(z) }
}
