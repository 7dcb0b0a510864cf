//! The binomial distribution of successes in a known number of trials n:
//! P(x) = C(n, x) pˣ (1 − p)^(n − x), x = 0, …, n, formed around its saddle point (Loader 2000). Its
//! maximum is the share of successes; one trial is the Bernoulli distribution.

use super::family::{Domain, Family, Fixed, Limit, Parameter, Support, Unit};
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::beta::beta_tails;
use super::special::gamma::stirling_rest;
use super::special::{HALF_LN_TAU, LogTails};

/// The binomial distribution; parameter probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Binomial {
    /// The number of trials of each row, a whole number above 0.
    pub trials: f64,
}

impl Family for Binomial {
    const NAME: &'static str = "binomial";
    const ABOUT: &'static str = "binomial distribution of successes in a number of trials";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::new("probability", "probability p of success", Domain::Unit, Unit::Shape)];
    const DISCRETE: bool = true;
    const LIMITS: &'static [Limit] = &[
        Limit { parameter: 0, value: 0.0, family: "point mass at 0" },
        Limit { parameter: 0, value: 1.0, family: "point mass at the number of trials" },
    ];
    type Summary = ();

    fn support(&self, _: &[f64]) -> Support {
        Support::closed(0.0, self.trials)
    }

    fn log_normalizer<T: Scalar>(&self, _: &[T]) -> T {
        T::constant(0.0)
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let (n, p) = (self.trials, theta[0]);
        let rest = n - x;
        if x == 0.0 {
            return (-p).ln_1p() * n;
        }
        if rest == 0.0 {
            return p.ln() * n;
        }
        if p.value() == 0.0 || p.value() == 1.0 {
            return T::constant(f64::NEG_INFINITY);
        }
        let constant = stirling_rest(n) - stirling_rest(x) - stirling_rest(rest) - HALF_LN_TAU
            + 0.5 * (n / x / rest).ln();
        let misses = (p * (n / x)).deviance() * x + ((-p + 1.0) * (n / rest)).deviance() * rest;
        -misses + constant
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        let k = x.floor();
        if k < 0.0 {
            LogTails::NONE
        } else if k >= self.trials {
            LogTails::ALL
        } else {
            // P(X ≤ k) = I(1 − p; n − k, k + 1).
            beta_tails(self.trials - k, k + 1.0, 1.0 - theta[0], theta[0])
        }
    }

    fn starts(&self, sample: &Sample, (): &(), _: &Fixed) -> Vec<Vec<f64>> {
        let share = sample.mean(|x| x) / self.trials;
        vec![vec![share.clamp(1e-12, 1.0 - 1e-12)]]
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Distribution, FitOptions};
    use super::*;

    #[test]
    fn nine_hundred_of_thirteen_hundred_is_the_coin() {
        let coin = Binomial { trials: 1.0 };
        let sample = Sample::weighted(&[1.0, 0.0], &[900.0, 400.0]).unwrap();
        let fit = coin.fit(&sample, &FitOptions::default()).unwrap();
        let p = 900.0 / 1300.0;
        assert!((fit.parameters[0] - p).abs() < 1e-15 && fit.n == 1300.0, "{fit:?}");
        let stderr = (p * (1.0 - p) / 1300.0_f64).sqrt();
        assert!((fit.estimates[0].stderr.unwrap() / stderr - 1.0).abs() < 1e-12);
        let likelihood = 900.0 * p.ln() + 400.0 * (1.0 - p).ln();
        assert!((fit.log_likelihood - likelihood).abs() < 1e-10);
        // The same as one row of all trials, but for the number of orders.
        let all = Binomial { trials: 1300.0 };
        let fit = all.fit(&Sample::new(vec![900.0]).unwrap(), &FitOptions::default()).unwrap();
        assert!((fit.parameters[0] - p).abs() < 1e-15, "{fit:?}");
    }

    #[test]
    fn masses_add_up_to_the_tails_and_extremes_are_points() {
        for (trials, p) in [(1.0, 0.3), (20.0, 0.07), (50.0, 0.9), (300.0, 1e-4)] {
            let family = Binomial { trials };
            let (mut sum, mut k) = (0.0, 0.0);
            while k <= trials {
                sum += family.log_density(&[p], k).exp();
                assert!((sum - family.cdf(&[p], k)).abs() < 1e-13, "{trials} {p} {k}");
                k += 1.0;
            }
            assert!((sum - 1.0).abs() < 1e-13);
            assert_eq!(Distribution::quantile(&family, &[p], 1.0), trials);
            let fit = |x| family.fit(&Sample::new(vec![x; 3]).unwrap(), &FitOptions::default());
            assert_eq!(fit(0.0).unwrap().parameters, [0.0]);
            assert_eq!(fit(trials).unwrap().parameters, [1.0]);
            assert!(fit(trials + 1.0).is_err());
        }
    }
}
