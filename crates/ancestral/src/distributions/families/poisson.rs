//! The Poisson distribution: P(x) = λˣ e^(−λ) / x!, x = 0, 1, …; ln P = −x φ(λ / x) − ½ ln(2π x) − δ(x)
//! (Loader 2000). Its maximum is the mean; for zeros alone it is the point mass at 0, λ = 0.

use super::family::{Domain, Family, Fixed, Limit, Parameter, Support, Unit};
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::gamma::{gamma_tails, stirling_rest};
use super::special::{HALF_LN_TAU, LogTails};

/// The Poisson distribution; parameter rate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Poisson;

impl Family for Poisson {
    const NAME: &'static str = "poisson";
    const ABOUT: &'static str = "Poisson distribution of counts";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::new("rate", "rate λ, the mean", Domain::Positive, Unit::Shape)];
    const DISCRETE: bool = true;
    const LIMITS: &'static [Limit] =
        &[Limit { parameter: 0, value: 0.0, family: "point mass at 0" }];
    type Summary = ();

    fn support(&self, _: &[f64]) -> Support {
        Support::NONNEGATIVE
    }

    fn log_normalizer<T: Scalar>(&self, _: &[T]) -> T {
        T::constant(0.0)
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        poisson_log_mass(theta[0], x)
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        poisson_tails(theta[0], x)
    }

    fn starts(&self, sample: &Sample, (): &(), _: &Fixed) -> Vec<Vec<f64>> {
        vec![vec![sample.mean(|x| x)]]
    }
}

/// The log-mass at a rate, which may be 0.
pub(super) fn poisson_log_mass<T: Scalar>(rate: T, x: f64) -> T {
    if x == 0.0 {
        return -rate;
    }
    if rate.value() == 0.0 {
        return T::constant(f64::NEG_INFINITY);
    }
    (rate / x).deviance() * -x - (0.5 * x.ln() + HALF_LN_TAU + stirling_rest(x))
}

/// The tails at a rate.
pub(super) fn poisson_tails(rate: f64, x: f64) -> LogTails {
    if x < 0.0 {
        return LogTails::NONE;
    }
    if x == f64::INFINITY {
        return LogTails::ALL;
    }
    // P(X ≤ k) = Q(k + 1, λ).
    gamma_tails(x.floor() + 1.0, rate).swapped()
}
