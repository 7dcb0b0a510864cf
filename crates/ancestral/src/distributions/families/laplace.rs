//! The Laplace distribution: f(x) = exp(−|z|) / (2 b), z = (x − μ) / b.
//!
//! Its maximum is the median, where the likelihood has no derivative, and the mean absolute deviation
//! from it. The standard error of the location is that of the expected information, b / √n; its interval
//! is of the likelihood itself, as for other parameters.

use super::error::Result;
use super::expansion::Expansion;
use super::family::{Domain, Family, Fixed, Parameter, Pinned, Support, Unit, refuse_constant};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::{LN_2, LogTails};

/// The Laplace distribution; parameters location and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct Laplace;

impl Family for Laplace {
    const NAME: &'static str = "laplace";
    const ABOUT: &'static str = "Laplace (double exponential) distribution";
    const CLOSED: bool = true;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("location", "location μ, the median", Domain::Real, Unit::Location),
        Parameter::new("scale", "scale b", Domain::Positive, Unit::Scale),
    ];
    type Summary = ();

    fn support(&self, _: &[f64]) -> Support {
        Support::REALS
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        -theta[1].ln() - LN_2
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let apart = if theta[0].value() < x { -theta[0] + x } else { theta[0] - x };
        -(apart / theta[1])
    }

    fn expansion(&self, theta: &[f64], rows: Rows<'_>) -> Option<Expansion> {
        let (location, scale) = (theta[0], theta[1]);
        let [far, signs] = rows
            .sums(|x| [(x - location).abs(), f64::from(x > location) - f64::from(x <= location)]);
        let far = far / scale;
        // ψ = −|z|, whose first derivative is −1 above the location.
        Expansion::of_location_and_scale(0, scale, [-far, -signs, -far, 0.0, 0.0, 0.0]).finite()
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        let z = (x - theta[0]) / theta[1];
        let small = -z.abs() - LN_2;
        if z < 0.0 { LogTails::from_lower(small) } else { LogTails::from_upper(small) }
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        let z = if p.lower < p.upper { p.lower + LN_2 } else { -(p.upper + LN_2) };
        theta[0] + theta[1] * z
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        let apart = matches!(fixed[0], Some(m) if sample.range() != (m, m));
        if fixed[1].is_some() || apart { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn pinned(&self, sample: &Sample, fixed: &Fixed) -> Vec<Pinned> {
        if fixed[0].is_some() || !sample.intervals().is_empty() {
            return Vec::new();
        }
        // Any value between the two middle rows is a maximum; the middle one is symmetric.
        let (low, high) = sample.medians();
        let value = 0.5 * (low + high);
        let note = "the standard error of the location is that of the expected information";
        vec![Pinned { parameter: 0, value, note }]
    }

    fn pinned_error(&self, theta: &[f64], _: usize, rows: f64) -> Option<f64> {
        Some(theta[1] / rows.sqrt())
    }

    fn starts(&self, sample: &Sample, (): &(), fixed: &Fixed) -> Vec<Vec<f64>> {
        let middle = fixed[0].unwrap_or_else(|| sample.thinned(500).quantile(0.5));
        let far = sample.quick_blocks(|rows| rows.sums(|x| [(x - middle).abs()])[0]);
        let scale = far.into_iter().sum::<f64>() / sample.exact_weight();
        vec![vec![middle, scale.max(1e-300)]]
    }
}
