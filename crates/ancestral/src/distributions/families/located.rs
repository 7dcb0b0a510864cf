//! Families whose support begins at 0, moved to another origin, which is given or estimated.
//!
//! With a free origin the likelihood of several families has no bound as it goes to the smallest row
//! (gamma, Weibull, log-normal: Hill 1963; Smith 1985); the highest interior maximum is the estimate
//! then, and a note says so. It is searched by the likelihood maximized over the other parameters.

use std::convert::Infallible;
use std::sync::Arc;

use rayon::prelude::*;

use super::distribution::{Distribution, OfParameters};
use super::error::{Error, Result};
use super::family::{Parameter, Support, Unit};
use super::fit::{Estimate, Fit, FitOptions};
use super::sample::Sample;
use super::section::golden_section;
use super::special::LogTails;
use super::special::normal::normal_quantile;

/// Origins that are tried at first.
const GRID: usize = 72;
/// The distances of the first and the last of them from the smallest row, in quartile ranges.
const ENDS: (f64, f64) = (1e-7, 1e5);
/// What is said of a maximum with higher values elsewhere.
const INTERIOR: &str = "the likelihood rises again as the location goes to the smallest row, where it may \
                        have no bound; this is its highest interior maximum";
/// What is said of a maximum at the smallest row.
const EDGE: &str = "the maximum is on the edge of the support: the location is the smallest row, and has \
                    no standard error by the observed information";

/// Whether the support of a family begins at 0 and can begin elsewhere.
pub fn has_origin(family: &dyn Distribution) -> bool {
    let units = || family.parameters().iter().map(|p| p.unit);
    !family.is_discrete()
        && units().any(|unit| matches!(unit, Unit::Scale | Unit::LogScale))
        && units().all(|unit| unit != Unit::Location)
}

/// A family with its origin at a location.
pub struct Shifted {
    family: Arc<dyn Distribution>,
    location: f64,
}

impl Shifted {
    /// Moves a family from 0.
    pub fn new(family: Arc<dyn Distribution>, location: f64) -> Self {
        Self { family, location }
    }

    fn moved(&self, sample: &Sample) -> Sample {
        let location = self.location;
        sample.map(move |x| x - location)
    }
}

impl Distribution for Shifted {
    fn name(&self) -> &'static str {
        self.family.name()
    }
    fn about(&self) -> &'static str {
        self.family.about()
    }
    fn parameters(&self) -> &'static [Parameter] {
        self.family.parameters()
    }
    fn is_discrete(&self) -> bool {
        self.family.is_discrete()
    }
    fn location(&self) -> f64 {
        self.location
    }
    fn check_parameters(&self, theta: &[f64]) -> Result<()> {
        self.family.check_parameters(theta)
    }
    fn support(&self, theta: &[f64]) -> Support {
        let support = self.family.support(theta);
        let at = |x: f64| x + self.location;
        Support { lower: at(support.lower), upper: at(support.upper), ..support }
    }
    fn circle(&self) -> Option<(f64, f64)> {
        None
    }
    fn log_density(&self, theta: &[f64], x: f64) -> f64 {
        self.family.log_density(theta, x - self.location)
    }
    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        self.family.log_tails(theta, x - self.location)
    }
    fn quantile(&self, theta: &[f64], p: f64) -> f64 {
        self.location + self.family.quantile(theta, p)
    }
    fn upper_quantile(&self, theta: &[f64], p: f64) -> f64 {
        self.location + self.family.upper_quantile(theta, p)
    }
    fn sample(&self, theta: &[f64], uniform: &mut dyn FnMut() -> f64) -> f64 {
        self.location + self.family.sample(theta, uniform)
    }
    fn fit(&self, sample: &Sample, options: &FitOptions) -> Result<Fit> {
        self.family.fit(&self.moved(sample), options)
    }
    fn log_likelihood<'a>(&'a self, sample: &'a Sample) -> OfParameters<'a> {
        let moved = self.moved(sample);
        Box::new(move |theta| self.family.log_likelihood(&moved)(theta))
    }
}

/// A fit with the origin that it was found with.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The origin of the support.
    pub location: f64,
    /// The parameters, then the origin, with standard errors of all by the observed information. The
    /// origin counts as a parameter.
    pub fit: Fit,
}

/// The fit of a family at distances of the origin below the smallest row.
struct Profile<'a> {
    family: &'a dyn Distribution,
    sample: &'a Sample,
    options: FitOptions,
    low: f64,
}

impl Profile<'_> {
    fn fit(&self, gap: f64) -> Option<Fit> {
        // The smallest row is exact.
        let low = self.low;
        let moved = self.sample.map(move |x| (x - low) + gap);
        let fit = self.family.fit(&moved, &self.options).ok()?;
        (fit.converged && fit.log_likelihood.is_finite()).then_some(fit)
    }

    fn value(&self, gap: f64) -> f64 {
        self.fit(gap).map_or(f64::NEG_INFINITY, |fit| fit.log_likelihood)
    }

    /// The first and the second derivative, by central differences of sixth order.
    fn slopes(&self, gap: f64, h: f64) -> (f64, f64) {
        let at: Vec<f64> =
            (-3..=3).into_par_iter().map(|k| self.value(gap + f64::from(k) * h)).collect();
        let [f, d, b, middle, a, c, e] = at[..] else { return (f64::NAN, f64::NAN) };
        let first = (45.0 * (a - b) - 9.0 * (c - d) + (e - f)) / (60.0 * h);
        let second = 2.0 * (e + f) - 27.0 * (c + d) + 270.0 * (a + b) - 490.0 * middle;
        (first, second / (180.0 * h * h))
    }

    /// The highest value between two distances, by golden section on their logarithm.
    fn golden(&self, (low, high): (f64, f64)) -> f64 {
        let value = |t: f64| Ok::<_, Infallible>(self.value(t.exp()));
        let Ok(found) = golden_section((low.ln(), high.ln()), 1e-5, value);
        found.exp()
    }

    /// The distance between two of them where the value is below `level`, by halving.
    fn crossing(&self, inside: f64, outside: f64, level: f64) -> f64 {
        let (mut inside, mut outside) = (inside, outside);
        for _ in 0..50 {
            let middle = 0.5 * (inside + outside);
            if self.value(middle) >= level {
                inside = middle
            } else {
                outside = middle
            }
            if (inside - outside).abs() <= 1e-9 * inside.abs() {
                break;
            }
        }
        0.5 * (inside + outside)
    }
}

/// The maximum-likelihood fit with a free origin: its highest interior maximum, or the smallest row where
/// the density is highest at the edge of its support.
///
/// # Errors
/// If rows are censored or all equal, or the likelihood rises to an end with no maximum between.
pub fn fit_located(
    family: &dyn Distribution,
    sample: &Sample,
    options: &FitOptions,
) -> Result<Located> {
    let (low, high) = sample.range();
    let rows = sample.exact_rows();
    let none = |reason: &str| Error::NoMaximum {
        family: family.name(),
        reason: reason.to_owned(),
        rows: rows.max(sample.intervals().len()),
    };
    if !sample.intervals().is_empty() {
        return Err(none("a free location takes rows that are values"));
    }
    if low == high {
        return Err(Error::Constant { family: family.name(), value: low, rows });
    }
    let plain = options.clone().without_intervals();
    let profile = Profile { family, sample, options: plain, low };
    let few = sample.thinned(2000);
    let quartiles = few.quantile(0.75) - few.quantile(0.25);
    let unit = if quartiles > 0.0 { quartiles } else { high - low };
    let step = (ENDS.1 / ENDS.0).ln() / (GRID - 1) as f64;
    let gap = |i: usize| unit * ENDS.0 * (step * i as f64).exp();
    let values: Vec<f64> = (0..GRID).into_par_iter().map(|i| profile.value(gap(i))).collect();
    let last = values.iter().copied().rfind(|v| v.is_finite()).unwrap_or(f64::NEG_INFINITY);
    let rounding = 1e-7 * last.abs().max(1.0);
    let inner = (1..GRID - 1)
        .filter(|&i| values[i] > values[i - 1] && values[i] >= values[i + 1])
        .filter(|&i| values[i] > last + rounding)
        .max_by(|&a, &b| values[a].total_cmp(&values[b]));
    let edge = profile.fit(0.0);
    let closest = values.iter().copied().find(|v| v.is_finite()).unwrap_or(f64::NEG_INFINITY);
    match (inner, edge) {
        (inner, Some(edge)) if inner.is_none_or(|i| edge.log_likelihood >= values[i]) => {
            if edge.log_likelihood < last {
                return Err(none("it rises as the location goes to −∞"));
            }
            let mut fit = edge;
            fit.notes.push(EDGE.to_owned());
            Ok(Located { location: low, fit: with_location(fit, low, None, None) })
        }
        (Some(i), _) => {
            let found = interior(&profile, (gap(i - 1), gap(i + 1)), options.confidence);
            let mut found = found.ok_or_else(|| none("no interior maximum was found"))?;
            if closest > found.fit.log_likelihood
                || values[..i].windows(2).any(|pair| pair[0] > pair[1] + rounding)
            {
                found.fit.notes.push(INTERIOR.to_owned());
            }
            Ok(found)
        }
        (None, _) if closest > last => Err(none(
            "it rises as the location goes to the smallest row, without an interior maximum",
        )),
        (None, _) => Err(none("it rises as the location goes to −∞")),
    }
}

/// The maximum between two distances, with errors.
fn interior(profile: &Profile<'_>, ends: (f64, f64), confidence: f64) -> Option<Located> {
    let mut gap = profile.golden(ends);
    let mut h = 1e-3 * gap;
    let mut variance = f64::NAN;
    for _ in 0..4 {
        let (first, second) = profile.slopes(gap, h);
        if !(second < 0.0 && first.is_finite()) {
            return None;
        }
        variance = -1.0 / second;
        let next = gap - (first / second).clamp(-0.1 * gap, 0.1 * gap);
        let done = (next - gap).abs() <= 1e-9 * variance.sqrt();
        gap = next;
        h = (0.1 * variance.sqrt()).min(0.03 * gap);
        if done {
            break;
        }
    }
    let mut fit = profile.fit(gap)?;
    let (above, below) = (profile.fit(gap + h)?, profile.fit(gap - h)?);
    // The other parameters follow the location, so that its error is added to theirs.
    let slope = |k: usize| -> f64 {
        let of = |fit: &Fit| fit.parameters.get(k).copied().unwrap_or(f64::NAN);
        (of(&above) - of(&below)) / (2.0 * h)
    };
    let slopes: Vec<f64> = fit.free.iter().map(|&k| slope(k)).collect();
    if let Some(covariance) = &mut fit.covariance {
        for (row, a) in covariance.iter_mut().zip(&slopes) {
            row.iter_mut().zip(&slopes).for_each(|(c, b)| *c += variance * a * b);
        }
        for (k, &place) in fit.free.iter().enumerate() {
            if let Some(estimate) = fit.estimates.get_mut(place) {
                estimate.stderr = covariance.get(k).and_then(|row| row.get(k)).map(|v| v.sqrt());
            }
        }
    }
    let z = normal_quantile(LogTails::from_probability(0.5 * (1.0 - confidence))).abs();
    let level = fit.log_likelihood - 0.5 * z * z;
    let error = variance.sqrt();
    // Towards the smallest row, the interval may not end before it.
    let near = (1..400).map(|i| gap * (1.0 - f64::from(i) / 400.0));
    let near = near.into_iter().find(|g| profile.value(*g) < level);
    let upper = near.map_or(profile.low, |g| profile.low - profile.crossing(gap, g, level));
    let mut far = gap + z * error;
    let mut steps = 0;
    while profile.value(far) >= level && steps < 60 {
        far += far - gap;
        steps += 1;
    }
    let lower = match steps {
        60 => f64::NEG_INFINITY,
        _ => profile.low - profile.crossing(gap, far, level),
    };
    let location = profile.low - gap;
    let fit = with_location(fit, location, Some(error), Some((lower, upper)));
    Some(Located { location, fit })
}

/// A fit with the location after its parameters.
fn with_location(
    mut fit: Fit,
    value: f64,
    stderr: Option<f64>,
    interval: Option<(f64, f64)>,
) -> Fit {
    let count = fit.parameters.len();
    for derived in fit.estimates.iter_mut().skip(count) {
        derived.stderr = None;
    }
    let location = Estimate { name: "location", value, stderr, interval, fixed: false };
    fit.estimates.insert(count.min(fit.estimates.len()), location);
    fit.aic += 2.0;
    fit.bic += fit.n.ln();
    fit
}
