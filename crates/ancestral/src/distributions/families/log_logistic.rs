//! The log-logistic (Fisk) distribution: ln X is logistic, F(x) = 1 / (1 + (x / α)^(−β)), x > 0.

use super::error::Result;
use super::expansion::Expansion;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::logistic::{logistic_tails, slopes};
use super::passes::{Terms, sums};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::{LogTails, vectorized};

/// The log-logistic distribution; parameters shape and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogLogistic;

/// ψ of the logistic distribution at t = β l, l = ln(x / α), with ψ′, l ψ′, ψ″, l ψ″, l² ψ″ and l.
struct Row {
    shape: f64,
    scale: f64,
}

impl Terms<7> for Row {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 7], f64) {
        let l = vectorized::ln(x / self.scale);
        let ([far, slope, curve], factor) = slopes(self.shape * l);
        ([far, slope, l * slope, curve, l * curve, l * l * curve, l], factor)
    }
}

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
        let ratio = theta[1] / x;
        // A ratio below the smallest number has a logarithm all the same.
        let tiny = ratio.value() < f64::MIN_POSITIVE;
        let z = theta[0] * if tiny { theta[1].ln() - x.ln() } else { ratio.ln() };
        z - z.softplus() * 2.0 - x.ln()
    }

    fn expansion(&self, theta: &[f64], rows: Rows<'_>) -> Option<Expansion> {
        let (shape, scale) = (theta[0], theta[1]);
        let ([far, sums @ .., l], logs) = sums(rows, &Row { shape, scale });
        let value = far - 2.0 * logs - (l + rows.total() * scale.ln());
        Expansion::of_shape_and_scale(theta, value, sums).finite()
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        if x <= 0.0 {
            return LogTails::NONE;
        }
        let ratio = x / theta[1];
        let log = if ratio.is_finite() { ratio.ln() } else { x.ln() - theta[1].ln() };
        logistic_tails(theta[0] * log)
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        let log = (p.lower - p.upper) / theta[0];
        if log.abs() < 700.0 { theta[1] * log.exp() } else { (log + theta[1].ln()).exp() }
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
