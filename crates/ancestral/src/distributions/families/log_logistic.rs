//! The log-logistic (Fisk) distribution: ln X is logistic, F(x) = 1 / (1 + (x / α)^(−β)), x > 0.

use super::error::Result;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::logistic::logistic_tails;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::LogTails;

/// The log-logistic distribution; parameters shape and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogLogistic;

impl Family for LogLogistic {
    const NAME: &'static str = "log-logistic";
    const ABOUT: &'static str = "log-logistic (Fisk) distribution";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("shape", "shape β", Domain::Positive, Unit::Shape),
        Parameter::new("scale", "scale α, the median", Domain::Positive, Unit::Scale),
    ];
    type Summary = ();

    fn support(&self, _: &[f64]) -> Support {
        Support::POSITIVE
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        theta[0].ln()
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let z = theta[0] * (theta[1] / x).ln();
        z - z.softplus() * 2.0 - x.ln()
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        if x <= 0.0 { LogTails::NONE } else { logistic_tails(theta[0] * (x / theta[1]).ln()) }
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        theta[1] * ((p.lower - p.upper) / theta[0]).exp()
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        if fixed.iter().any(Option::is_some) { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, sample: &Sample, (): &(), fixed: &Fixed) -> Vec<Vec<f64>> {
        let few = sample.thinned(2000);
        let scale = fixed[1].unwrap_or_else(|| few.quantile(0.5));
        let spread = few.mean(|x| (x / scale).ln().abs());
        vec![vec![1.386_294_4 / spread.max(1e-15), scale]]
    }
}
