//! The Gumbel distribution of maxima: F(x) = exp(−e^(−z)), z = (x − μ) / β.

use super::error::Result;
use super::expansion::Expansion;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::passes::{Terms, sums};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::{LogTails, vectorized};
use super::summary::Moments;

/// The Gumbel distribution; parameters location and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gumbel;

/// ψ = −z − e^(−z).
struct Row {
    location: f64,
    scale: f64,
}

impl Terms<6> for Row {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 6], f64) {
        let z = (x - self.location) / self.scale;
        let e = vectorized::exp(-z);
        let slope = e - 1.0;
        ([-z - e, slope, z * slope, -e, -z * e, -z * z * e], 1.0)
    }
}

impl Family for Gumbel {
    const NAME: &'static str = "gumbel";
    const ABOUT: &'static str = "Gumbel distribution of maxima";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("location", "location μ, the mode", Domain::Real, Unit::Location),
        Parameter::new("scale", "scale β", Domain::Positive, Unit::Scale),
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
        z - z.exp()
    }

    fn expansion(&self, theta: &[f64], rows: Rows<'_>) -> Option<Expansion> {
        let (location, scale) = (theta[0], theta[1]);
        let (sums, _) = sums(rows, &Row { location, scale });
        Expansion::of_location_and_scale(0, scale, sums).finite()
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        LogTails::from_lower(-((theta[0] - x) / theta[1]).exp())
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        theta[0] - theta[1] * (-p.lower).ln()
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        let apart = matches!(fixed[0], Some(m) if sample.range() != (m, m));
        if fixed[1].is_some() || apart { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, _: &Sample, s: &Moments, _: &Fixed) -> Vec<Vec<f64>> {
        let scale = (0.779_696_8 * s.variance().sqrt()).max(1e-300);
        vec![vec![s.mean - 0.577_215_66 * scale, scale]]
    }
}
