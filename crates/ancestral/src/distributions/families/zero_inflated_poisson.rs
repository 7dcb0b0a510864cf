//! The zero-inflated Poisson distribution: 0 with probability π, else Poisson with rate λ (Lambert
//! 1992). With fewer zeros than a Poisson distribution, the likelihood rises to that limit, π = 0.

use super::family::{Domain, Family, Fixed, Limit, Parameter, Support, Unit};
use super::poisson::{poisson_log_mass, poisson_tails};
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::{LogTails, ln_add_exp};

/// The zero-inflated Poisson distribution; parameters inflation and rate.
#[derive(Debug, Clone, Copy, Default)]
pub struct ZeroInflatedPoisson;

impl Family for ZeroInflatedPoisson {
    const NAME: &'static str = "zero-inflated-poisson";
    const ABOUT: &'static str = "Poisson distribution of counts with additional zeros";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new(
            "inflation",
            "probability π of an additional zero",
            Domain::Unit,
            Unit::Shape,
        ),
        Parameter::new("rate", "rate λ of the Poisson part", Domain::Positive, Unit::Shape),
    ];
    const DISCRETE: bool = true;
    const LIMITS: &'static [Limit] = &[
        Limit { parameter: 0, value: 0.0, family: "poisson" },
        Limit { parameter: 1, value: 0.0, family: "point mass at 0" },
    ];
    type Summary = ();

    fn support(&self, _: &[f64]) -> Support {
        Support::NONNEGATIVE
    }

    fn log_normalizer<T: Scalar>(&self, _: &[T]) -> T {
        T::constant(0.0)
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let (inflation, rate) = (theta[0], theta[1]);
        if x == 0.0 {
            // Near 1, by its distance from it.
            return if rate.value() < 0.5 {
                ((-inflation + 1.0) * (-rate).exp_m1()).ln_1p()
            } else {
                (inflation + (-inflation + 1.0) * (-rate).exp()).ln()
            };
        }
        (-inflation).ln_1p() + poisson_log_mass(rate, x)
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        let tails = poisson_tails(theta[1], x);
        if x < 0.0 {
            return tails;
        }
        let rest = (-theta[0]).ln_1p();
        LogTails { lower: ln_add_exp(theta[0].ln(), rest + tails.lower), upper: rest + tails.upper }
    }

    fn starts(&self, sample: &Sample, (): &(), _: &Fixed) -> Vec<Vec<f64>> {
        let total = sample.exact_weight();
        let zeros = sample.sum(|x, w| if x == 0.0 { w } else { 0.0 }) / total;
        let mean = sample.mean(|x| x);
        let excess = (zeros - (-mean).exp()) / -(-mean).exp_m1();
        let inflation = if excess.is_nan() { 0.5 } else { excess.clamp(0.01, 0.99) };
        vec![vec![inflation, mean / (1.0 - inflation)]]
    }
}
