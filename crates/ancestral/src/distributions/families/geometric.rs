//! The geometric distribution of the number of trials up to the first success:
//! P(x) = p (1 − p)^(x − 1), x = 1, 2, … Its maximum is 1 / mean; for ones alone it is p = 1.

use super::family::{Domain, Family, Fixed, Limit, Parameter, Support, Unit};
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::LogTails;

/// The geometric distribution on 1, 2, …; parameter probability.
#[derive(Debug, Clone, Copy, Default)]
pub struct Geometric;

impl Family for Geometric {
    const NAME: &'static str = "geometric";
    const ABOUT: &'static str = "geometric distribution on 1, 2, …";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::new("probability", "probability p of success", Domain::Unit, Unit::Shape)];
    const DISCRETE: bool = true;
    const LIMITS: &'static [Limit] =
        &[Limit { parameter: 0, value: 1.0, family: "point mass at 1" }];
    type Summary = ();

    fn support(&self, _: &[f64]) -> Support {
        Support { lower: 1.0, ..Support::NONNEGATIVE }
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        theta[0].ln()
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        if x == 1.0 { T::constant(0.0) } else { (-theta[0]).ln_1p() * (x - 1.0) }
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        if x < 1.0 {
            return LogTails::NONE;
        }
        LogTails::from_upper((-theta[0]).ln_1p() * x.floor())
    }

    fn starts(&self, sample: &Sample, (): &(), _: &Fixed) -> Vec<Vec<f64>> {
        vec![vec![(1.0 / sample.mean(|x| x)).min(1.0 - 1e-9)]]
    }
}
