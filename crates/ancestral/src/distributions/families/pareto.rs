//! The Pareto distribution: f(x) = α x_mᵅ / x^(α + 1), x ≥ x_m. Its maximum in the scale x_m is the
//! smallest row, on the edge of the support.

use super::error::Result;
use super::family::{Domain, Family, Fixed, Parameter, Pinned, Support, Unit, refuse_constant};
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::LogTails;
use super::summary::Deviance;

/// The Pareto distribution; parameters shape and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pareto;

impl Family for Pareto {
    const NAME: &'static str = "pareto";
    const ABOUT: &'static str = "Pareto distribution";
    const CLOSED: bool = true;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("shape", "shape α, the tail index", Domain::Positive, Unit::Shape),
        Parameter::new("scale", "scale x_m, the smallest value", Domain::Positive, Unit::Scale),
    ];
    type Summary = Deviance;

    fn support(&self, theta: &[f64]) -> Support {
        if theta[1].is_nan() {
            return Support::POSITIVE;
        }
        Support { lower: theta[1], ..Support::NONNEGATIVE }
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        theta[0].ln()
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        if x < theta[1].value() {
            return T::constant(f64::NEG_INFINITY);
        }
        // ln(x / x_m), exact where x is close to the scale.
        -(theta[0] * ((-theta[1] + x) / theta[1]).ln_1p()) - x.ln()
    }

    /// Σ ln(x / x_m) by the mean; rows close to the scale, from which the mean has lost digits, are summed
    /// one by one.
    fn summarized<T: Scalar>(&self, theta: &[T], s: &Deviance) -> Option<T> {
        let scale = theta[1].value();
        if s.mean - scale <= 1e-3 * scale {
            return None;
        }
        let logs = ((-theta[1] + s.mean) / theta[1]).ln_1p() * s.weight - s.deviance;
        Some(-(theta[0] * logs) - s.log_sum())
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        if x <= theta[1] {
            return LogTails::NONE;
        }
        LogTails::from_upper(-theta[0] * ((x - theta[1]) / theta[1]).ln_1p())
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        theta[1] * (-p.upper / theta[0]).exp()
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        let apart = matches!(fixed[1], Some(scale) if sample.range() != (scale, scale));
        if fixed[0].is_some() || apart { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn pinned(&self, sample: &Sample, fixed: &Fixed) -> Vec<Pinned> {
        if fixed[1].is_some() {
            return Vec::new();
        }
        let ends = sample.intervals().iter().map(|i| i.upper);
        let value = ends.fold(sample.range().0, f64::min);
        let note = "the scale is on the edge of the support, where there is no standard error";
        vec![Pinned { parameter: 1, value, note }]
    }

    /// Of the logarithm of the scale, in units of 1 / α̂.
    fn exact_interval(&self, theta: &[f64], parameter: usize, reach: f64) -> Option<(f64, f64)> {
        (parameter == 1).then(|| (theta[1] * (-reach / theta[0]).exp(), theta[1]))
    }

    fn starts(&self, sample: &Sample, s: &Deviance, fixed: &Fixed) -> Vec<Vec<f64>> {
        let scale = fixed[1].unwrap_or_else(|| sample.range().0);
        let mean = ((s.mean - scale) / scale).ln_1p() - s.deviance / s.weight;
        vec![vec![1.0 / mean.max(1e-15), scale]]
    }
}
