//! The Weibull distribution: f(x) = k / λ (x / λ)^(k − 1) exp(−(x / λ)ᵏ), x > 0.

use super::error::Result;
use super::expansion::Expansion;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::passes::{Terms, sums};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::{LogTails, vectorized};
use super::summary::{Moments, Summary};

/// The Weibull distribution; parameters shape and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weibull;

/// The moments of ln x, for the start.
#[derive(Debug, Clone, Copy)]
pub struct Logs(Moments);

impl Summary for Logs {
    fn of(rows: Rows<'_>) -> Self {
        let mut logs = rows.mapped(vectorized::ln);
        if logs.iter().any(|x| x.is_nan()) {
            logs = rows.values.iter().map(|x| x.ln()).collect();
        }
        Self(Moments::of(Rows { values: &logs, ..rows }))
    }
    fn merge(&mut self, later: &Self) {
        self.0.merge_with(&later.0);
    }
}

/// ψ = t − eᵗ at t = k l, l = ln(x / λ), with ψ′, l ψ′, ψ″, l ψ″, l² ψ″ and l.
struct Row {
    shape: f64,
    scale: f64,
}

impl Terms<7> for Row {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 7], f64) {
        let l = vectorized::ln(x / self.scale);
        let t = self.shape * l;
        let e = vectorized::exp(t);
        let slope = 1.0 - e;
        ([t - e, slope, l * slope, -e, -l * e, -l * l * e, l], 1.0)
    }
}

impl Family for Weibull {
    const NAME: &'static str = "weibull";
    const ABOUT: &'static str = "Weibull distribution";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("shape", "shape k", Domain::Positive, Unit::Shape),
        Parameter::new("scale", "scale λ", Domain::Positive, Unit::Scale),
    ];
    type Summary = Logs;

    fn support(&self, _: &[f64]) -> Support {
        Support::POSITIVE
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        theta[0].ln()
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let t = theta[0] * (T::constant(x) / theta[1]).ln();
        t - t.exp() - x.ln()
    }

    fn expansion(&self, theta: &[f64], rows: Rows<'_>) -> Option<Expansion> {
        let (shape, scale) = (theta[0], theta[1]);
        let ([value, sums @ .., l], _) = sums(rows, &Row { shape, scale });
        let value = value - (l + rows.total() * scale.ln());
        Expansion::of_shape_and_scale(theta, value, sums).finite()
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        LogTails::from_upper(-(x.max(0.0) / theta[1]).powf(theta[0]))
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        theta[1] * (-p.upper).powf(1.0 / theta[0])
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        if fixed.iter().any(Option::is_some) { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, _: &Sample, s: &Logs, fixed: &Fixed) -> Vec<Vec<f64>> {
        // ln X is a Gumbel distribution of minima, of deviation π / (k √6) and mean ln λ − γ / k.
        let shape = fixed[0].unwrap_or(1.282_549_8 / s.0.variance().sqrt().max(1e-15));
        vec![vec![shape, (s.0.mean + 0.577_215_66 / shape).exp()]]
    }
}
