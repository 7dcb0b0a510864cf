//! The uniform distribution on \[a, b\]. Its maximum is the range of the rows, on the edge of the
//! support.

use super::error::Result;
use super::family::{Domain, Family, Fixed, Parameter, Pinned, Support, Unit, refuse_constant};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::LogTails;
use super::summary::Summary;

/// The uniform distribution; parameters lower and upper.
#[derive(Debug, Clone, Copy, Default)]
pub struct Uniform;

/// The range of the rows.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    low: f64,
    high: f64,
}

impl Summary for Ends {
    fn of(rows: Rows<'_>) -> Self {
        let (low, high) = rows.range();
        Self { low, high }
    }
    fn merge(&mut self, later: &Self) {
        *self = Self { low: self.low.min(later.low), high: self.high.max(later.high) };
    }
    fn of_sample(sample: &Sample) -> Option<Self> {
        let (low, high) = sample.range();
        (low <= high).then_some(Self { low, high })
    }
}

impl Family for Uniform {
    const NAME: &'static str = "uniform";
    const ABOUT: &'static str = "uniform distribution";
    const CLOSED: bool = true;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("lower", "lower end a", Domain::Real, Unit::Location),
        Parameter::new("upper", "upper end b", Domain::Real, Unit::Location),
    ];
    type Summary = Ends;

    fn support(&self, theta: &[f64]) -> Support {
        let or = |x: f64, other: f64| if x.is_nan() { other } else { x };
        Support::closed(or(theta[0], f64::NEG_INFINITY), or(theta[1], f64::INFINITY))
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        -(theta[1] - theta[0]).ln()
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let inside = theta[0].value() <= x && x <= theta[1].value();
        T::constant(if inside { 0.0 } else { f64::NEG_INFINITY })
    }

    fn summarized<T: Scalar>(&self, theta: &[T], s: &Ends) -> Option<T> {
        let inside = theta[0].value() <= s.low && s.high <= theta[1].value();
        Some(T::constant(if inside { 0.0 } else { f64::NEG_INFINITY }))
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        let (a, b) = (theta[0], theta[1]);
        if x <= a {
            LogTails::NONE
        } else if x >= b {
            LogTails::ALL
        } else {
            LogTails { lower: ((x - a) / (b - a)).ln(), upper: ((b - x) / (b - a)).ln() }
        }
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        let (a, b) = (theta[0], theta[1]);
        if p.lower < p.upper { a + (b - a) * p.lower.exp() } else { b - (b - a) * p.upper.exp() }
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        if fixed.iter().any(Option::is_some) { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn pinned(&self, sample: &Sample, fixed: &Fixed) -> Vec<Pinned> {
        let note = "the ends are on the edge of the support, where there is no standard error";
        // A censored row needs room: its end that is known.
        let ends = sample.intervals().iter().flat_map(|i| [i.lower, i.upper]);
        let (low, high) = sample.range();
        let (low, high) =
            ends.filter(|x| x.is_finite()).fold((low, high), |(a, b), x| (a.min(x), b.max(x)));
        let both = [low, high].into_iter().enumerate();
        both.filter(|(i, _)| fixed[*i].is_none())
            .map(|(parameter, value)| Pinned { parameter, value, note })
            .collect()
    }

    /// In units of the range.
    fn exact_interval(&self, theta: &[f64], parameter: usize, reach: f64) -> Option<(f64, f64)> {
        let (low, high) = (theta[0], theta[1]);
        let far = reach * (high - low);
        Some(if parameter == 0 { (low - far, low) } else { (high, high + far) })
    }

    fn starts(&self, sample: &Sample, _: &Ends, _: &Fixed) -> Vec<Vec<f64>> {
        let (low, high) = sample.range();
        vec![vec![low, high]]
    }
}
