//! What a family of distributions is: its formulas. The rest, from maximum likelihood to reports, is
//! in [`Distribution`](super::Distribution), which every family has by itself.

use super::error::{Error, Result};
use super::expansion::Expansion;
use super::rows::Rows;
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
    pub(super) fn allows(self, x: f64) -> bool {
        match self {
            Self::Real => x.is_finite(),
            Self::Positive => x >= 0.0,
            Self::Unit => (0.0..=1.0).contains(&x),
        }
    }

    /// In words.
    pub(super) fn words(self) -> &'static str {
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
        let number = |x: f64| {
            if x.is_infinite() { "∞".to_owned() } else { x.abs().to_string() }
        };
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
    /// Whether sums, or the range of the rows, give its maximum: rows of a usual size then need no unit.
    const CLOSED: bool = false;
    /// Whether it knows a way to the maximum that costs less than [`Family::expansion`].
    const CLOSER: bool = false;
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
    /// The sum of the log-kernels of a block of rows with its derivatives in closed form; `None` if the
    /// family has none, or they would lose digits or are not finite: they are found by automatic
    /// differentiation of [`Family::log_kernel`] then.
    fn expansion(&self, theta: &[f64], rows: Rows<'_>) -> Option<Expansion> {
        let _ = (theta, rows);
        None
    }
    /// ln P(X ≤ x) and ln P(X > x), for any x.
    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails;
    /// The value with these tails; for a mass the smallest whole number that has at least this much
    /// up to it.
    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        quantile_by_search(self, theta, p)
    }
    /// A draw by uniform numbers in (0, 1).
    fn sample(&self, theta: &[f64], uniform: &mut dyn FnMut() -> f64) -> f64 {
        self.quantile(theta, LogTails::from_probability(uniform()))
    }
    /// The circle on which values lie, for a density with a period: what differs by a turn is the same.
    fn circle(&self) -> Option<(f64, f64)> {
        None
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
    /// Parameters closer to the maximum for exact rows, from those for a part of them; `None` if they
    /// are not found.
    fn closer(&self, theta: &[f64], sample: &Sample, fixed: &Fixed) -> Option<Vec<f64>> {
        let _ = (theta, sample, fixed);
        None
    }
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
    /// The exact interval of a parameter on the edge of the support: in its own unit, the distance t of the
    /// parameter from the extreme row has P(t > s) = (1 + s)^−(n − 1), and `reach` is the s of the
    /// confidence.
    fn exact_interval(&self, theta: &[f64], parameter: usize, reach: f64) -> Option<(f64, f64)> {
        let _ = (theta, parameter, reach);
        None
    }
    /// Why what the climb found for so many rows is no maximum, although it ended there.
    fn refuses(&self, theta: &[f64], rows: f64, converged: bool) -> Option<&'static str> {
        let _ = (theta, rows, converged);
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

/// Refuses rows that are all equal, for a family that can narrow on them; censored rows do not hold it
/// back if they may have that value, as where the only failure is the longest time.
///
/// # Errors
/// The value.
pub fn refuse_constant(family: &'static str, sample: &Sample) -> Result<()> {
    let (low, high) = sample.range();
    let around = sample.intervals().iter().all(|i| i.lower <= low && low <= i.upper);
    if low == high && around {
        return Err(Error::Constant { family, value: low, rows: sample.exact_rows() });
    }
    Ok(())
}

/// The relative rounding error of a logarithm of a tail.
const SLACK: f64 = 1e-12;

/// The quantile of a family without a formula, by search in a coordinate that maps the support onto the real numbers.
pub fn quantile_by_search<F: Family>(family: &F, theta: &[f64], p: LogTails) -> f64 {
    if F::DISCRETE { whole(family, theta, p) } else { continuous(family, theta, p) }
}

/// A map of the real numbers onto a support.
#[derive(Clone, Copy)]
struct Chart(Support);

impl Chart {
    /// The value and its derivative at a coordinate.
    fn value(self, t: f64) -> (f64, f64) {
        let Support { lower, upper, .. } = self.0;
        match (lower.is_finite(), upper.is_finite()) {
            (true, true) => {
                let (s, c) = (sigmoid(t), sigmoid(-t));
                let x =
                    if t < 0.0 { lower + (upper - lower) * s } else { upper - (upper - lower) * c };
                (x, (upper - lower) * s * c)
            }
            (true, false) => (lower + t.exp(), t.exp()),
            (false, true) => (upper - (-t).exp(), (-t).exp()),
            (false, false) => {
                // Linear near 0, exponential far out, so that heavy tails take few steps.
                (t.sinh(), t.cosh())
            }
        }
    }
}

/// Newton's method on the logarithm of the smaller tail, kept within a bracket.
fn continuous<F: Family>(family: &F, theta: &[f64], p: LogTails) -> f64 {
    let support = family.support(theta);
    let chart = Chart(family.circle().map_or(support, |(from, to)| Support::open(from, to)));
    let low_tail = p.lower <= p.upper;
    // Increasing in t for both tails.
    let error = |t: f64| {
        let (x, slope) = chart.value(t);
        let tails = family.log_tails(theta, x);
        let log_density = log_density(family, theta, x);
        if low_tail {
            (tails.lower - p.lower, (log_density - tails.lower).exp() * slope)
        } else {
            (p.upper - tails.upper, (log_density - tails.upper).exp() * slope)
        }
    };
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    let (mut t, mut widen) = (0.0, 1.0);
    for _ in 0..300 {
        let (e, slope) = error(t);
        if e == 0.0 {
            break;
        }
        if e > 0.0 {
            high = t
        } else {
            low = t
        }
        let newton = t - e / slope;
        let limit = 4.0 * widen;
        let next = if newton > low && newton < high && (newton - t).abs() <= limit {
            newton
        } else if low == f64::NEG_INFINITY {
            t - limit
        } else if high == f64::INFINITY {
            t + limit
        } else {
            0.5 * (low + high)
        };
        widen = if low.is_finite() && high.is_finite() { widen } else { widen * 2.0 };
        let done = (next - t).abs() <= 4e-16 * t.abs().max(1e-3) && slope.is_finite();
        t = next;
        if done || !t.is_finite() {
            break;
        }
    }
    chart.value(t).0
}

/// The smallest whole number with enough probability up to it, by doubling and halving.
fn whole<F: Family>(family: &F, theta: &[f64], p: LogTails) -> f64 {
    let support = family.support(theta);
    let enough = |k: f64| {
        let tails = family.log_tails(theta, k);
        if p.lower <= p.upper {
            tails.lower >= p.lower - SLACK * p.lower.abs().max(1e-3)
        } else {
            tails.upper <= p.upper + SLACK * p.upper.abs().max(1e-3)
        }
    };
    if enough(support.lower) {
        return support.lower;
    }
    let (mut low, mut step) = (support.lower, 1.0);
    let mut high = low + step;
    while high < support.upper && !enough(high) {
        low = high;
        step *= 2.0;
        high = low + step;
        if high > 1e300 {
            return f64::INFINITY;
        }
    }
    high = high.min(support.upper);
    while high - low > 1.0 {
        let middle = (0.5 * (low + high)).floor();
        if middle <= low || middle >= high {
            break;
        }
        if enough(middle) { high = middle } else { low = middle }
    }
    high
}
