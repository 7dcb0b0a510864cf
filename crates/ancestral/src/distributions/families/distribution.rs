//! A family as a value: what a caller asks of any distribution.

use super::error::{Error, Result};
use super::family::{Family, Parameter, Support, log_density};
use super::fit::{Fit, FitOptions, fit};
use super::likelihood::{Likelihood, Objective};
use super::sample::Sample;
use super::special::LogTails;

/// A family with everything that follows from its formulas; object-safe.
///
/// Without a number for each parameter every answer is NaN; their ranges are checked by
/// [`Distribution::check_parameters`] alone.
pub trait Distribution: Send + Sync {
    /// The name as users spell it.
    fn name(&self) -> &'static str;
    /// What it is, in one line.
    fn about(&self) -> &'static str;
    /// Its parameters.
    fn parameters(&self) -> &'static [Parameter];
    /// Whether it has a mass on whole numbers instead of a density.
    fn is_discrete(&self) -> bool;
    /// Refuses parameters out of their range.
    ///
    /// # Errors
    /// The parameter and its range.
    fn check_parameters(&self, theta: &[f64]) -> Result<()>;
    /// Where the support begins that the family has from 0 on.
    fn location(&self) -> f64 {
        0.0
    }
    /// The values with a density.
    fn support(&self, theta: &[f64]) -> Support;
    /// The circle on which values lie, of a density with a period: probabilities and quantiles are of
    /// the value within it.
    fn circle(&self) -> Option<(f64, f64)>;
    /// The log-density in nats, or the log-mass; −∞ outside of the support.
    fn log_density(&self, theta: &[f64], x: f64) -> f64;
    /// ln P(X ≤ x) and ln P(X > x).
    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails;
    /// P(X ≤ x).
    fn cdf(&self, theta: &[f64], x: f64) -> f64 {
        self.log_tails(theta, x).lower.exp()
    }
    /// P(X > x).
    fn survival(&self, theta: &[f64], x: f64) -> f64 {
        self.log_tails(theta, x).upper.exp()
    }
    /// The value with P(X ≤ x) = p, NaN unless p is in \[0, 1\].
    fn quantile(&self, theta: &[f64], p: f64) -> f64;
    /// The value with P(X > x) = p.
    fn upper_quantile(&self, theta: &[f64], p: f64) -> f64;
    /// A draw by uniform numbers in (0, 1).
    fn sample(&self, theta: &[f64], uniform: &mut dyn FnMut() -> f64) -> f64;
    /// The parameters of maximum likelihood, with their errors.
    ///
    /// # Errors
    /// If there is no maximum, with the reason and the rows at fault.
    fn fit(&self, sample: &Sample, options: &FitOptions) -> Result<Fit>;
    /// The log-likelihood of rows as a function of the parameters, in nats; −∞ where a row has no
    /// density. The rows are summed up once, if the family can.
    fn log_likelihood<'a>(&'a self, sample: &'a Sample) -> OfParameters<'a>;
}

/// A number for each vector of parameters.
pub type OfParameters<'a> = Box<dyn Fn(&[f64]) -> f64 + Send + Sync + 'a>;

/// Whether there is a number for each parameter.
fn complete<F: Family>(theta: &[f64]) -> bool {
    theta.len() == F::PARAMETERS.len()
}

impl<F: Family> Distribution for F {
    fn name(&self) -> &'static str {
        F::NAME
    }
    fn about(&self) -> &'static str {
        F::ABOUT
    }
    fn parameters(&self) -> &'static [Parameter] {
        F::PARAMETERS
    }
    fn is_discrete(&self) -> bool {
        F::DISCRETE
    }
    fn check_parameters(&self, theta: &[f64]) -> Result<()> {
        for (parameter, &value) in F::PARAMETERS.iter().zip(theta) {
            if !parameter.domain.allows(value) {
                return Err(Error::OutOfRange {
                    family: F::NAME,
                    name: parameter.name.to_owned(),
                    value,
                    allowed: parameter.domain.words().to_owned(),
                });
            }
        }
        if theta.len() == F::PARAMETERS.len() {
            return Ok(());
        }
        Err(Error::Length { found: theta.len(), expected: F::PARAMETERS.len() })
    }
    fn support(&self, theta: &[f64]) -> Support {
        if complete::<F>(theta) { Family::support(self, theta) } else { Support::REALS }
    }
    fn circle(&self) -> Option<(f64, f64)> {
        Family::circle(self)
    }
    fn log_density(&self, theta: &[f64], x: f64) -> f64 {
        if complete::<F>(theta) { log_density(self, theta, x) } else { f64::NAN }
    }
    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        if complete::<F>(theta) && !x.is_nan() {
            Family::log_tails(self, theta, x)
        } else {
            LogTails { lower: f64::NAN, upper: f64::NAN }
        }
    }
    fn quantile(&self, theta: &[f64], p: f64) -> f64 {
        let p = LogTails::from_probability(p);
        if complete::<F>(theta) { quantile(self, theta, p) } else { f64::NAN }
    }
    fn upper_quantile(&self, theta: &[f64], p: f64) -> f64 {
        let p = LogTails::from_probability(p).swapped();
        if complete::<F>(theta) { quantile(self, theta, p) } else { f64::NAN }
    }
    fn sample(&self, theta: &[f64], uniform: &mut dyn FnMut() -> f64) -> f64 {
        if complete::<F>(theta) { Family::sample(self, theta, uniform) } else { f64::NAN }
    }
    fn fit(&self, sample: &Sample, options: &FitOptions) -> Result<Fit> {
        fit(self, sample, options)
    }
    fn log_likelihood<'a>(&'a self, sample: &'a Sample) -> OfParameters<'a> {
        let likelihood = Likelihood::new(self, sample);
        let (low, high) = sample.range();
        Box::new(move |theta| {
            if !complete::<F>(theta) {
                return f64::NAN;
            }
            let support = Family::support(self, theta);
            let inside = low > high || support.contains(low) && support.contains(high);
            if inside { likelihood.value(theta) } else { f64::NEG_INFINITY }
        })
    }
}

/// The quantile, with the ends of the support for probabilities 0 and 1.
fn quantile<F: Family>(family: &F, theta: &[f64], p: LogTails) -> f64 {
    let support = family.support(theta);
    let support = family.circle().map_or(support, |(from, to)| Support::open(from, to));
    if p.lower.is_nan() || p.upper.is_nan() {
        f64::NAN
    } else if p.lower == f64::NEG_INFINITY {
        support.lower
    } else if p.upper == f64::NEG_INFINITY {
        support.upper
    } else {
        family.quantile(theta, p)
    }
}
