//! What a family of distributions is: its formulas. The rest, from maximum likelihood to reports, is
//! in [`Distribution`], which every family has by itself.

use super::error::{Error, Result};
use super::fit::{Fit, FitOptions, fit};
use super::quantile;
use super::sample::Sample;
use super::scalar::{Scalar, sigmoid};
use super::special::LogTails;
use super::summary::Summary;

/// The values that a parameter can have, and the coordinate u in which it is searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Domain {
    /// Any number; u is the parameter.
    Real,
    /// Above 0; u is its logarithm.
    Positive,
    /// Between 0 and 1; u is its log-odds.
    Unit,
}

impl Domain {
    /// The parameter at a coordinate.
    pub fn parameter<T: Scalar>(self, u: T) -> T {
        match self {
            Self::Real => u,
            Self::Positive => u.exp(),
            Self::Unit => u.sigmoid(),
        }
    }

    /// The coordinate of a parameter.
    pub fn coordinate(self, x: f64) -> f64 {
        match self {
            Self::Real => x,
            Self::Positive => x.ln(),
            Self::Unit => x.ln() - (-x).ln_1p(),
        }
    }

    /// The derivative of the parameter.
    pub fn slope(self, u: f64) -> f64 {
        match self {
            Self::Real => 1.0,
            Self::Positive => u.exp(),
            Self::Unit => sigmoid(u) * sigmoid(-u),
        }
    }

    /// Whether a value is inside, its limits included.
    fn allows(self, x: f64) -> bool {
        match self {
            Self::Real => x.is_finite(),
            Self::Positive => x >= 0.0,
            Self::Unit => (0.0..=1.0).contains(&x),
        }
    }

    /// In words.
    fn words(self) -> &'static str {
        match self {
            Self::Real => "a finite number",
            Self::Positive => "above 0",
            Self::Unit => "between 0 and 1",
        }
    }
}

/// How a parameter follows the unit and the origin of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// It moves with the data and is measured in their unit.
    Location,
    /// It is measured in the unit of the data.
    Scale,
    /// It is the logarithm of a number in the unit of the data.
    LogScale,
    /// It has no unit.
    Shape,
}

/// A parameter of a family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// The name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Its range.
    pub domain: Domain,
    /// Its unit.
    pub unit: Unit,
}

impl Parameter {
    /// A parameter.
    pub const fn new(name: &'static str, about: &'static str, domain: Domain, unit: Unit) -> Self {
        Self { name, about, domain, unit }
    }
}

/// The values that have a density or a mass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Support {
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
    /// Whether the lower end belongs to it.
    pub lower_closed: bool,
    /// Whether the upper end belongs to it.
    pub upper_closed: bool,
}

impl Support {
    /// All real numbers.
    pub const REALS: Self = Self::open(f64::NEG_INFINITY, f64::INFINITY);
    /// The numbers above 0.
    pub const POSITIVE: Self = Self::open(0.0, f64::INFINITY);
    /// The numbers from 0 on.
    pub const NONNEGATIVE: Self = Self { lower_closed: true, ..Self::POSITIVE };
    /// The numbers between 0 and 1.
    pub const UNIT: Self = Self::open(0.0, 1.0);

    /// Without its ends.
    pub const fn open(lower: f64, upper: f64) -> Self {
        Self { lower, upper, lower_closed: false, upper_closed: false }
    }

    /// With its ends.
    pub const fn closed(lower: f64, upper: f64) -> Self {
        Self { lower, upper, lower_closed: true, upper_closed: true }
    }

    /// Whether a value belongs to it.
    pub fn contains(self, x: f64) -> bool {
        (x > self.lower || self.lower_closed && x == self.lower)
            && (x < self.upper || self.upper_closed && x == self.upper)
    }

    /// In words, as intervals are written.
    pub fn words(self) -> String {
        let open = if self.lower_closed { '[' } else { '(' };
        let close = if self.upper_closed { ']' } else { ')' };
        let number = |x: f64| if x.is_infinite() { "∞".to_owned() } else { x.abs().to_string() };
        let sign = |x: f64| if x < 0.0 { "−" } else { "" };
        let (a, b) = (self.lower, self.upper);
        format!("{open}{}{}, {}{}{close}", sign(a), number(a), sign(b), number(b))
    }
}

/// A family that is the limit of another one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// The parameter that goes to a limit, by its place.
    pub parameter: usize,
    /// The limit, which the formulas of the family take as a value.
    pub value: f64,
    /// The family there.
    pub family: &'static str,
}

/// A parameter whose maximum is known in advance, at a point where the likelihood has no derivative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pinned {
    /// The parameter, by its place.
    pub parameter: usize,
    /// Its maximum-likelihood value.
    pub value: f64,
    /// Why it has no standard error by the observed information.
    pub note: &'static str,
}

/// Parameters that a fit leaves as they are, by place.
pub type Fixed = [Option<f64>];

/// The formulas of a family.
///
/// `theta` has one entry for each of [`Family::PARAMETERS`].
pub trait Family: Clone + Send + Sync + 'static {
    /// The name as users spell it.
    const NAME: &'static str;
    /// What it is, in one line.
    const ABOUT: &'static str;
    /// Its parameters, at most three.
    const PARAMETERS: &'static [Parameter];
    /// Whether it has a mass on whole numbers instead of a density.
    const DISCRETE: bool = false;
    /// Its limits that are families of their own.
    const LIMITS: &'static [Limit] = &[];
    /// A remark on every fit.
    const NOTE: Option<&'static str> = None;
    /// The sums that determine its likelihood, or `()`.
    type Summary: Summary;

    /// The values with a density, for some parameters.
    fn support(&self, theta: &[f64]) -> Support;
    /// The part of the log-density that is the same for all values.
    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T;
    /// The rest of the log-density, for a value in the support of some parameters; −∞ where these
    /// parameters give it none.
    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T;
    /// The sum of the log-kernels by their summary; `None` if the family has none.
    fn summarized<T: Scalar>(&self, theta: &[T], summary: &Self::Summary) -> Option<T> {
        let _ = (theta, summary);
        None
    }
    /// ln P(X ≤ x) and ln P(X > x), for any x.
    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails;
    /// The value with these tails; for a mass the smallest whole number that has at least this much
    /// up to it.
    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        quantile::search(self, theta, p)
    }
    /// A draw by uniform numbers in (0, 1).
    fn sample(&self, theta: &[f64], uniform: &mut dyn FnMut() -> f64) -> f64 {
        self.quantile(theta, LogTails::from_probability(uniform()))
    }
    /// Refuses rows whose likelihood has no maximum; they are within the support of some parameters.
    ///
    /// # Errors
    /// The reason.
    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        let _ = (sample, fixed);
        Ok(())
    }
    /// Parameters to start from, by exact values or points of intervals, in standardized units; those
    /// that are fixed are overwritten. The climb goes on from the one that is best for a part of a
    /// large sample.
    fn starts(&self, sample: &Sample, summary: &Self::Summary, fixed: &Fixed) -> Vec<Vec<f64>>;
    /// Parameters known in advance, among those that are not fixed, in standardized units.
    fn pinned(&self, sample: &Sample, fixed: &Fixed) -> Vec<Pinned> {
        let _ = (sample, fixed);
        Vec::new()
    }
    /// The standard error of a pinned parameter by other means, in standardized units.
    fn pinned_error(&self, theta: &[f64], parameter: usize, rows: f64) -> Option<f64> {
        let _ = (theta, parameter, rows);
        None
    }
    /// Why what the climb found is no maximum, although it ended there.
    fn refuses(&self, theta: &[f64], converged: bool) -> Option<&'static str> {
        let _ = (theta, converged);
        None
    }
    /// A remark on parameters of maximum likelihood.
    fn note(&self, theta: &[f64]) -> Option<&'static str> {
        let _ = theta;
        None
    }
    /// Names of quantities that are functions of the parameters, reported beside them.
    fn derived_names(&self) -> &'static [&'static str] {
        &[]
    }
    /// Their values.
    fn derived<T: Scalar>(&self, theta: &[T]) -> Vec<T> {
        let _ = theta;
        Vec::new()
    }
}

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
    /// The values with a density.
    fn support(&self, theta: &[f64]) -> Support;
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
}

/// The log-density of one value.
pub fn log_density<F: Family>(family: &F, theta: &[f64], x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let inside = family.support(theta).contains(x) && x.is_finite();
    if !inside || F::DISCRETE && x.fract() != 0.0 {
        return f64::NEG_INFINITY;
    }
    family.log_normalizer(theta) + family.log_kernel(theta, x)
}

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
        if complete::<F>(theta) { quantile::at(self, theta, p) } else { f64::NAN }
    }
    fn upper_quantile(&self, theta: &[f64], p: f64) -> f64 {
        let p = LogTails::from_probability(p).swapped();
        if complete::<F>(theta) { quantile::at(self, theta, p) } else { f64::NAN }
    }
    fn sample(&self, theta: &[f64], uniform: &mut dyn FnMut() -> f64) -> f64 {
        if complete::<F>(theta) { Family::sample(self, theta, uniform) } else { f64::NAN }
    }
    fn fit(&self, sample: &Sample, options: &FitOptions) -> Result<Fit> {
        fit(self, sample, options)
    }
}

/// Refuses rows that are all equal, for a family that can narrow on them; censored rows do not hold it
/// back if they may have that value, as where the only failure is the longest time.
///
/// # Errors
/// The value.
pub fn refuse_constant(family: &'static str, sample: &Sample) -> Result<()> {
    let (low, high) = sample.range();
    let around = sample.intervals().iter().all(|i| i.lower <= low && low <= i.upper);
    if low == high && around {
        return Err(Error::Constant { family, value: low, rows: sample.values().len() });
    }
    Ok(())
}
