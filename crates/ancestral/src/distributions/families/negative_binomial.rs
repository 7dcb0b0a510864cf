//! The negative binomial distribution: P(x) = Γ(x + r) / (x! Γ(r)) pʳ (1 − p)ˣ, x = 0, 1, …, of size r
//! and mean m, p = r / (r + m). Size and mean have independent errors, and p keeps no digits where it
//! is near 1, so that m is the parameter and p is derived.
//!
//! Without more spread than a Poisson distribution, the likelihood rises to that limit, r = ∞.

use super::family::{Domain, Family, Fixed, Limit, Parameter, Pinned, Support, Unit};
use super::poisson::{poisson_log_mass, poisson_tails};
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::beta::beta_tails;
use super::special::gamma::stirling_rest;
use super::special::{HALF_LN_TAU, LogTails};

/// The negative binomial distribution; parameters size and mean.
#[derive(Debug, Clone, Copy, Default)]
pub struct NegativeBinomial;

impl Family for NegativeBinomial {
    const NAME: &'static str = "negative-binomial";
    const ABOUT: &'static str = "negative binomial distribution of counts";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("size", "size r, the number of successes", Domain::Positive, Unit::Shape),
        Parameter::new("mean", "mean m = r (1 − p) / p", Domain::Positive, Unit::Shape),
    ];
    const DISCRETE: bool = true;
    const LIMITS: &'static [Limit] = &[
        Limit { parameter: 0, value: f64::INFINITY, family: "poisson" },
        Limit { parameter: 1, value: 0.0, family: "point mass at 0" },
    ];
    type Summary = ();

    fn support(&self, _: &[f64]) -> Support {
        Support::NONNEGATIVE
    }

    fn log_normalizer<T: Scalar>(&self, _: &[T]) -> T {
        T::constant(0.0)
    }

    /// The binomial mass of r successes among n = r + x by its saddle point, times r / n.
    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let (r, m) = (theta[0], theta[1]);
        if r.value().is_infinite() {
            return poisson_log_mass(m, x);
        }
        if x == 0.0 {
            return -(r * (m / r).ln_1p());
        }
        if m.value() == 0.0 {
            return T::constant(f64::NEG_INFINITY);
        }
        let (n, total) = (r + x, r + m);
        let ratio = n / total;
        (r / n).ln() * 0.5 - r * ratio.deviance() - (ratio * m / x).deviance() * x
            + n.stirling_rest()
            - r.stirling_rest()
            - (0.5 * x.ln() + stirling_rest(x) + HALF_LN_TAU)
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        let (r, m) = (theta[0], theta[1]);
        if x < 0.0 {
            return LogTails::NONE;
        }
        if r.is_infinite() || m == 0.0 || x == f64::INFINITY {
            return poisson_tails(m, x);
        }
        // P(X ≤ k) = I(p; r, k + 1).
        beta_tails(r, x.floor() + 1.0, r / (r + m), m / (r + m))
    }

    fn starts(&self, sample: &Sample, (): &(), _: &Fixed) -> Vec<Vec<f64>> {
        let mean = sample.mean(|x| x);
        let variance = sample.mean(|x| (x - mean).powi(2));
        let size = mean * mean / (variance - mean);
        let size = if size > 0.0 { size.clamp(1e-6, 1e6) } else { 100.0 * mean.max(1.0) };
        vec![vec![size, mean]]
    }

    fn pinned(&self, sample: &Sample, fixed: &Fixed) -> Vec<Pinned> {
        let zeros = sample.intervals().is_empty() && sample.range() == (0.0, 0.0);
        if !zeros || fixed[0].is_some() || fixed[1].is_some() {
            return Vec::new();
        }
        let note = "all rows are 0: the mean is 0, and every size is as likely; 1 stands for it";
        vec![Pinned { parameter: 0, value: 1.0, note }]
    }

    fn derived_names(&self) -> &'static [&'static str] {
        &["probability", "dispersion"]
    }

    fn derived<T: Scalar>(&self, theta: &[T]) -> Vec<T> {
        let (r, m) = (theta[0], theta[1]);
        let dispersion = r.recip();
        vec![(dispersion * m + 1.0).recip(), dispersion]
    }
}
