//! The inverse Gaussian (Wald) distribution: f(x) = √(λ / (2π x³)) exp(−λ (x − μ)² / (2 μ² x)), x > 0.
//!
//! Its maximum is the mean, and 1 / λ the mean of 1 / x − 1 / mean, formed without cancellation.

use super::error::Result;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::passes::{Terms, sums};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::normal::{normal_tails, scaled_erfc};
use super::special::{HALF_LN_TAU, LN_2, LogTails, ln_add_exp};
use super::summary::{Summary, log_sum};
use std::f64::consts::FRAC_1_SQRT_2;

/// The inverse Gaussian distribution; parameters mean and shape, both in the unit of the data.
#[derive(Debug, Clone, Copy, Default)]
pub struct InverseGaussian;

/// The sums that determine the likelihood.
#[derive(Debug, Clone, Copy)]
pub struct Sums {
    weight: f64,
    mean: f64,
    /// Σ w (x − mean)² / (mean² x) = Σ w (1 / x − 1 / mean).
    excess: f64,
    /// Σ w ln x.
    logs: f64,
}

/// (x − mean)² / (mean² x) and ln x.
struct Row {
    mean: f64,
}

impl Terms<1> for Row {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 1], f64) {
        let apart = (x - self.mean) / self.mean;
        ([apart * apart / x], x)
    }
}

impl Summary for Sums {
    fn of(rows: Rows<'_>) -> Self {
        let weight = rows.total();
        let [sum] = rows.sums(|x| [x]);
        let mean = sum / weight;
        let ([excess], logs) = sums(rows, &Row { mean });
        let logs = if logs.is_nan() { log_sum(rows) } else { logs };
        Self { weight, mean, excess, logs }
    }
    fn merge(&mut self, later: &Self) {
        let all = self.weight + later.weight;
        let mean = self.mean + (later.mean - self.mean) * (later.weight / all);
        let between = |s: &Self| s.weight * ((s.mean - mean) / mean).powi(2) / s.mean;
        let excess = self.excess + later.excess + between(self) + between(later);
        *self = Self { weight: all, mean, excess, logs: self.logs + later.logs };
    }
}

impl Family for InverseGaussian {
    const NAME: &'static str = "inverse-gaussian";
    const ABOUT: &'static str = "inverse Gaussian (Wald) distribution";
    const CLOSED: bool = true;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("mean", "mean μ", Domain::Positive, Unit::Scale),
        Parameter::new("shape", "shape λ", Domain::Positive, Unit::Scale),
    ];
    type Summary = Sums;

    fn support(&self, _: &[f64]) -> Support {
        Support::POSITIVE
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        theta[1].ln() * 0.5 - HALF_LN_TAU
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let apart = (theta[0] - x) / theta[0];
        theta[1] * apart.square() * (-0.5 / x) - 1.5 * x.ln()
    }

    fn summarized<T: Scalar>(&self, theta: &[T], s: &Sums) -> Option<T> {
        let apart = (theta[0] - s.mean) / theta[0];
        let sum = apart.square() * (s.weight / s.mean) + s.excess;
        Some(theta[1] * sum * -0.5 - 1.5 * s.logs)
    }

    /// Φ(a) + e^(2λ/μ) Φ(−b), whose second term is e^(−a²/2) erfcx(b / √2) / 2.
    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        if x <= 0.0 {
            return LogTails::NONE;
        }
        if x == f64::INFINITY {
            return LogTails::ALL;
        }
        let (mean, root) = (theta[0], (theta[1] / x).sqrt());
        let (a, b) = (root * (x - mean) / mean, root * (x + mean) / mean);
        let second = scaled_erfc(b * FRAC_1_SQRT_2);
        if a < 0.0 {
            return LogTails::from_lower(ln_add_exp(
                normal_tails(a).lower,
                -0.5 * a * a + second.ln() - LN_2,
            ));
        }
        let difference = scaled_erfc(a * FRAC_1_SQRT_2) - second;
        LogTails::from_upper(-0.5 * a * a + difference.max(0.0).ln() - LN_2)
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        let apart = matches!(fixed[0], Some(m) if sample.range() != (m, m));
        if fixed[1].is_some() || apart { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, _: &Sample, s: &Sums, fixed: &Fixed) -> Vec<Vec<f64>> {
        let mean = fixed[0].unwrap_or(s.mean);
        let excess = s.excess / s.weight + ((mean - s.mean) / mean).powi(2) / s.mean;
        vec![vec![s.mean, 1.0 / excess.max(1e-300)]]
    }
}
