//! The chi-squared distribution, the gamma distribution of shape ν / 2 and scale 2, x > 0.

use super::family::{Domain, Family, Fixed, Parameter, Support, Unit};
use super::gamma::Gamma;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::LogTails;
use super::special::gamma::chi_squared_tails;
use super::summary::Deviance;

/// The chi-squared distribution; parameter degrees of freedom, any number above 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChiSquared;

impl Family for ChiSquared {
    const NAME: &'static str = "chi-squared";
    const ABOUT: &'static str = "chi-squared distribution";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::new("df", "degrees of freedom ν", Domain::Positive, Unit::Shape)];
    type Summary = Deviance;

    fn support(&self, _: &[f64]) -> Support {
        Support::POSITIVE
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        Gamma.log_normalizer(&[theta[0] * 0.5, T::constant(2.0)])
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        Gamma.log_kernel(&[theta[0] * 0.5, T::constant(2.0)], x)
    }

    fn summarized<T: Scalar>(&self, theta: &[T], s: &Deviance) -> Option<T> {
        Gamma.summarized(&[theta[0] * 0.5, T::constant(2.0)], s)
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        chi_squared_tails(theta[0], x)
    }

    fn starts(&self, _: &Sample, s: &Deviance, _: &Fixed) -> Vec<Vec<f64>> {
        // ψ(ν / 2) is about ln(ν / 2 − ½) for large ν.
        let mean_log = s.log_sum() / s.weight - std::f64::consts::LN_2;
        vec![vec![2.0 * (mean_log.exp() + 0.5).min(1e300)]]
    }
}
