//! Maximum likelihood for any family: checks, standardized units, the maximum or the limit that it
//! tends to, standard errors by the observed information, and the report.

use super::error::{Error, Result};
use super::family::{Family, Limit, Pinned, Support, Unit};
use super::likelihood::{Likelihood, Objective};
use super::newton::{Optimum, cholesky, climb, climb_to, inverse};
use super::profile;
use super::sample::Sample;
use super::scalar::{Jet, Scalar};
use super::summary::Summary;
use std::borrow::Cow;

/// Rows from which starts are chosen.
const FEW: usize = 250;
/// Rows that the unit is chosen by.
const UNIT_ROWS: usize = 100;
/// How many times as far as they are apart rows may be from 0 without an origin of their own.
const FAR_ORIGIN: f64 = 100.0;
/// Values whose squares and inverses are far from the ends of what numbers can be.
const USUAL: (f64, f64) = (1e-60, 1e60);
/// How many times as many rows the search goes on with, until it has all.
const MORE: usize = 4;
/// Rows that a single start is improved by: it is as good as the maximum for fewer.
const SINGLE: usize = 4000;
/// The accuracy of the maximum for a part of the rows, in its standard errors.
const ROUGH: f64 = 0.1;
/// Nats that a limit may be lower by, for few rows, so that it is looked at for all.
const HOPELESS: f64 = 20.0;

/// What a fit is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOptions {
    /// Parameters by name that keep a value.
    pub fixed: Vec<(String, f64)>,
    /// Whether profile-likelihood intervals are computed.
    pub intervals: bool,
    /// The confidence of intervals, between 0 and 1.
    pub confidence: f64,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { fixed: Vec::new(), intervals: true, confidence: 0.95 }
    }
}

impl FitOptions {
    /// Fixes a parameter.
    #[must_use]
    pub fn fix(mut self, name: &str, value: f64) -> Self {
        self.fixed.push((name.to_owned(), value));
        self
    }

    /// Without intervals.
    #[must_use]
    pub fn without_intervals(mut self) -> Self {
        self.intervals = false;
        self
    }
}

/// One parameter, or a quantity that follows from several.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The name.
    pub name: &'static str,
    /// The maximum-likelihood value.
    pub value: f64,
    /// Its standard error; `None` for a fixed one and where there is none.
    pub stderr: Option<f64>,
    /// The profile-likelihood interval, of a parameter on the edge of the support the exact one; an end
    /// may be infinite.
    pub interval: Option<(f64, f64)>,
    /// Whether it was given.
    pub fixed: bool,
}

/// The parameter that is at its limit, and the family there.
#[derive(Debug, Clone, PartialEq)]
pub struct Boundary {
    /// The parameter.
    pub parameter: &'static str,
    /// Its limit.
    pub value: f64,
    /// The family that the fitted one becomes.
    pub family: &'static str,
}

/// The result of a fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The family.
    pub family: &'static str,
    /// Its parameters.
    pub parameters: Vec<f64>,
    /// The parameters with their errors, then derived quantities.
    pub estimates: Vec<Estimate>,
    /// The places of the parameters that were searched.
    pub free: Vec<usize>,
    /// Their covariance by the observed information, `[free, free]`; `None` where it is singular.
    pub covariance: Option<Vec<Vec<f64>>>,
    /// The log-likelihood of the rows, in nats and in the units of the data.
    pub log_likelihood: f64,
    /// The number of rows: the sum of the weights.
    pub n: f64,
    /// 2 k − 2 ℓ, where k counts all parameters that were not fixed, at a limit or not.
    pub aic: f64,
    /// k ln n − 2 ℓ.
    pub bic: f64,
    /// Whether a maximum, or the limit of the likelihood, was reached.
    pub converged: bool,
    /// The limit, if the likelihood has no maximum at finite parameters but a limiting family.
    pub boundary: Option<Boundary>,
    /// Remarks.
    pub notes: Vec<String>,
    /// Newton's steps.
    pub iterations: usize,
}

/// An origin and a unit for the data: x = origin + unit · z, the unit a power of two, so that
/// dividing by it is exact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standard {
    origin: f64,
    unit: f64,
}

impl Standard {
    /// A choice by the middle half of the rows.
    fn of<F: Family>(sample: &Sample) -> Self {
        let has = |unit| F::PARAMETERS.iter().any(|p| p.unit == unit);
        let (low, high) = sample.range();
        let size = low.abs().max(high.abs());
        let usual = match has(Unit::Location) {
            // An origin far away would cost digits.
            true => size <= FAR_ORIGIN * (high - low) && size >= USUAL.0,
            false => low >= USUAL.0,
        } && size <= USUAL.1;
        if F::CLOSED && usual && sample.intervals().is_empty() {
            return Self { origin: 0.0, unit: 1.0 };
        }
        let few = match sample.intervals().is_empty() {
            true => sample.thinned(UNIT_ROWS),
            false => sample.points().thinned(UNIT_ROWS),
        };
        let nonzero = |x: f64| x.is_finite() && x > 0.0;
        if has(Unit::Location) {
            let [low, origin, high] = few.quantiles([0.25, 0.5, 0.75]);
            let spread = high - low;
            let mean = few.mean(|x| (x - origin).abs());
            let unit = [spread, mean, high - low].into_iter().find(|&x| nonzero(x)).unwrap_or(1.0);
            Self { origin, unit: power_of_two(unit) }
        } else if has(Unit::Scale) || has(Unit::LogScale) {
            let middle = few.quantile(0.5).abs();
            let mean = few.mean(f64::abs);
            let unit = [middle, mean, size].into_iter().find(|&x| nonzero(x)).unwrap_or(1.0);
            Self { origin: 0.0, unit: power_of_two(unit) }
        } else {
            Self { origin: 0.0, unit: 1.0 }
        }
    }

    /// A parameter in standardized units.
    fn inward(self, unit: Unit, x: f64) -> f64 {
        match unit {
            Unit::Location => (x - self.origin) / self.unit,
            Unit::Scale => x / self.unit,
            Unit::LogScale => x - self.unit.ln(),
            Unit::Shape => x,
        }
    }

    /// A parameter in the units of the data.
    pub fn outward(self, unit: Unit, x: f64) -> f64 {
        match unit {
            Unit::Location => self.origin + self.unit * x,
            Unit::Scale => x * self.unit,
            Unit::LogScale => x + self.unit.ln(),
            Unit::Shape => x,
        }
    }

    /// By what errors of a parameter are multiplied.
    fn factor(self, unit: Unit) -> f64 {
        if matches!(unit, Unit::Shape | Unit::LogScale) { 1.0 } else { self.unit }
    }
}

/// The power of two at or below a positive number.
fn power_of_two(x: f64) -> f64 {
    let exponent = libm::ilogb(x).clamp(-1000, 1000);
    libm::ldexp(1.0, exponent)
}

/// Refuses rows of which only one end is known, the same of all: the likelihood rises as the
/// distribution moves away from them.
fn refuse_one_sided<F: Family>(sample: &Sample) -> Result<()> {
    let rows = sample.intervals();
    if rows.is_empty() || sample.exact_rows() > 0 {
        return Ok(());
    }
    let reason = if rows.iter().all(|row| row.upper == f64::INFINITY) {
        "no row has a known upper end, and the larger the values may be, the more likely are all"
    } else if !F::DISCRETE && rows.iter().all(|row| row.lower == f64::NEG_INFINITY) {
        "no row has a known lower end, and the smaller the values may be, the more likely are all"
    } else {
        return Ok(());
    };
    Err(Error::NoMaximum { family: F::NAME, reason: reason.to_owned(), rows: rows.len() })
}

/// The parameters of maximum likelihood.
///
/// # Errors
/// If a parameter is unknown or out of range, rows are outside of the support, or there is no maximum.
pub fn fit<F: Family>(family: &F, sample: &Sample, options: &FitOptions) -> Result<Fit> {
    let found = fit_rows(family, sample, options);
    // What could not be read was taken for NaN.
    sample.check_read()?;
    let mut fit = found?;
    if options.intervals {
        exact_intervals(family, &mut fit, sample, options.confidence);
    }
    Ok(fit)
}

/// The exact intervals of parameters on the edge of the support, of unweighted exact rows where no
/// parameter is given ([`Family::exact_interval`]).
fn exact_intervals<F: Family>(family: &F, fit: &mut Fit, sample: &Sample, confidence: f64) {
    let n = sample.exact_rows();
    let plain = sample.intervals().is_empty() && sample.total() == n as f64;
    if !plain || n < 2 || fit.estimates.iter().any(|estimate| estimate.fixed) {
        return;
    }
    let reach = (-(-confidence).ln_1p() / (n as f64 - 1.0)).exp_m1();
    for (place, estimate) in fit.estimates.iter_mut().enumerate() {
        let exact = family.exact_interval(&fit.parameters, place, reach);
        estimate.interval = estimate.interval.or(exact);
    }
}

/// [`fit`] of rows that can be read.
fn fit_rows<F: Family>(family: &F, sample: &Sample, options: &FitOptions) -> Result<Fit> {
    let fixed = fixed_parameters::<F>(options)?;
    check_support(family, sample, &fixed)?;
    family.check(sample, &fixed)?;
    refuse_one_sided::<F>(sample)?;
    let standard = Standard::of::<F>(sample);
    let inner: Vec<Option<f64>> = F::PARAMETERS
        .iter()
        .zip(&fixed)
        .map(|(p, x)| x.map(|x| standard.inward(p.unit, x)))
        .collect();
    let mut work = if standard == (Standard { origin: 0.0, unit: 1.0 }) {
        sample.clone()
    } else {
        sample.standardized(standard.origin, standard.unit)
    };
    if F::DISCRETE {
        work = work.distinct();
    }
    let likelihood = Likelihood::new(family, &work);
    let pinned = family.pinned(&work, &inner);
    let mut held = inner;
    for p in &pinned {
        if let Some(x) = held.get_mut(p.parameter) {
            *x = Some(p.value);
        }
    }
    let (best, limit) = highest(&likelihood, &held)?;
    if let Some(reason) = family.refuses(&best.theta, sample.total(), best.converged) {
        let rows = sample.total().round() as usize;
        return Err(Error::NoMaximum { family: F::NAME, reason: reason.to_owned(), rows });
    }
    let fit = report(&likelihood, standard, &fixed, &pinned, best, limit, options);
    refuse_unheld::<F>(&fit)?;
    Ok(fit)
}

/// Refuses parameters that a number cannot hold, but for a limit.
fn refuse_unheld<F: Family>(fit: &Fit) -> Result<()> {
    let at_limit = |name: &str| fit.boundary.as_ref().is_some_and(|b| b.parameter == name);
    for ((parameter, &value), estimate) in
        F::PARAMETERS.iter().zip(&fit.parameters).zip(&fit.estimates)
    {
        let vanished = parameter.unit == Unit::Scale && value == 0.0;
        if (vanished || !value.is_finite()) && !estimate.fixed && !at_limit(parameter.name) {
            let of_unit = matches!(parameter.unit, Unit::Scale | Unit::Location) && !value.is_nan();
            let (family, parameter) = (F::NAME, parameter.name);
            return Err(match of_unit {
                true => Error::Unheld { family, parameter, small: vanished },
                false => Error::Lost { family, parameter },
            });
        }
    }
    Ok(())
}

/// Fixed parameters by place.
fn fixed_parameters<F: Family>(options: &FitOptions) -> Result<Vec<Option<f64>>> {
    let mut fixed = vec![None; F::PARAMETERS.len()];
    for (name, value) in &options.fixed {
        let place = F::PARAMETERS.iter().position(|p| p.name == name);
        let (Some(slot), Some(parameter)) =
            (place.and_then(|i| fixed.get_mut(i)), place.and_then(|i| F::PARAMETERS.get(i)))
        else {
            let known: Vec<&str> = F::PARAMETERS.iter().map(|p| p.name).collect();
            return Err(Error::UnknownParameter {
                family: F::NAME,
                name: name.clone(),
                known: known.join(", "),
            });
        };
        let limit = F::LIMITS.iter().any(|l| Some(l.parameter) == place && l.value == *value);
        let inside = parameter.domain.parameter(parameter.domain.coordinate(*value)).is_finite()
            && parameter.domain.coordinate(*value).is_finite();
        if !inside && !limit {
            return Err(Error::OutOfRange {
                family: F::NAME,
                name: name.clone(),
                value: *value,
                allowed: parameter.domain.words().to_owned(),
            });
        }
        *slot = Some(*value);
    }
    Ok(fixed)
}

/// Refuses rows without a density for any parameters. A support that moves with free parameters is
/// given as all numbers by the family at NaN.
fn check_support<F: Family>(family: &F, sample: &Sample, fixed: &[Option<f64>]) -> Result<()> {
    let theta: Vec<f64> = fixed.iter().map(|x| x.unwrap_or(f64::NAN)).collect();
    let support = family.support(&theta);
    let words = || support.words();
    let Support { lower, upper, .. } = support;
    let (low, high) = sample.range();
    let beyond = low < lower || high > upper;
    let mut rows = if beyond { sample.count(|x| x < lower || x > upper) } else { 0 };
    rows += sample.intervals().iter().filter(|i| i.upper < lower || i.lower > upper).count();
    if rows > 0 {
        return Err(Error::OutsideSupport { family: F::NAME, support: words(), rows });
    }
    for (edge, closed) in [(lower, support.lower_closed), (upper, support.upper_closed)] {
        let at_edge = !closed && (low == edge || high == edge);
        let rows = if at_edge { sample.count(|x| x == edge) } else { 0 };
        if rows > 0 {
            return Err(Error::EdgeOfSupport { family: F::NAME, support: words(), edge, rows });
        }
    }
    if F::DISCRETE {
        let rows = sample.fractional();
        if rows > 0 {
            return Err(Error::NotWhole { family: F::NAME, rows });
        }
    }
    Ok(())
}

/// The highest of the maxima from all starts, and the limit that is not below it.
fn highest<F: Family>(
    likelihood: &Likelihood<'_, F>,
    fixed: &[Option<f64>],
) -> Result<(Optimum, Option<Limit>)> {
    let points = match likelihood.sample.intervals().is_empty() {
        true => Cow::Borrowed(likelihood.sample),
        false => Cow::Owned(likelihood.sample.points()),
    };
    let rows = points.exact_rows();
    let none = |reason: &str| Error::NoMaximum { family: F::NAME, reason: reason.to_owned(), rows };
    let summed;
    let summary = match (&points, likelihood.summary()) {
        (Cow::Borrowed(_), Some(summary)) => summary,
        _ => {
            summed = F::Summary::of_sample(&points).ok_or_else(|| none("no row has an end"))?;
            &summed
        }
    };
    let mut best: Option<Optimum> = None;
    for found in climbs(likelihood, &points, summary, fixed, None) {
        if best.as_ref().is_none_or(|best| better(likelihood, &found, best)) {
            best = Some(found);
        }
    }
    let mut limit = None;
    for l in F::LIMITS.iter().filter(|l| fixed.get(l.parameter) == Some(&None)) {
        let mut pinned = fixed.to_vec();
        pinned[l.parameter] = Some(l.value);
        // A parameter may be known at the limit.
        for p in likelihood.family.pinned(likelihood.sample, &pinned) {
            pinned[p.parameter] = Some(p.value);
        }
        for found in climbs(likelihood, &points, summary, &pinned, best.as_ref()) {
            let rounding = 1e-10 + 1e-13 * found.at.value.abs();
            let reached = |b: &Optimum| !b.converged || b.at.value <= found.at.value + rounding;
            if best.as_ref().is_none_or(reached) {
                best = Some(found);
                limit = Some(*l);
            }
        }
    }
    let best =
        best.ok_or_else(|| none("no parameters were found that give the rows a likelihood"))?;
    Ok((best, limit))
}

/// The maxima from the starts of a family. Of a large sample whose rows have no sums, the best of them for a
/// part of the rows goes on with more, then with all; none does if it is hopeless beside a rival.
fn climbs<F: Family>(
    likelihood: &Likelihood<'_, F>,
    points: &Sample,
    summary: &F::Summary,
    fixed: &[Option<f64>],
    rival: Option<&Optimum>,
) -> Vec<Optimum> {
    let free: Vec<usize> = (0..fixed.len()).filter(|&i| fixed[i].is_none()).collect();
    let mut starts = likelihood.family.starts(points, summary, fixed);
    for start in &mut starts {
        for (x, fixed) in start.iter_mut().zip(fixed) {
            *x = fixed.unwrap_or(*x);
        }
    }
    let all = likelihood.sample;
    let from_all = |starts: &[Vec<f64>]| -> Vec<Optimum> {
        starts.iter().filter_map(|start| climb(likelihood, start, &free)).collect()
    };
    let summarized =
        starts.iter().all(|start| likelihood.family.summarized::<f64>(start, summary).is_some());
    if summarized || !all.intervals().is_empty() {
        return from_all(&starts);
    }
    let (mut size, mut from) =
        (if starts.len() == 1 && rival.is_none() { SINGLE } else { FEW }, starts.clone());
    while 4 * size < all.exact_rows() {
        let few = all.thinned(size);
        let part = Likelihood::new(likelihood.family, &few);
        let found = from.iter().filter_map(|start| climb_to(&part, start, &free, ROUGH));
        let higher = |a: Optimum, b: Optimum| if better(&part, &b, &a) { b } else { a };
        let Some(best) = found.reduce(higher) else { break };
        if let Some(rival) = rival.filter(|rival| rival.converged && best.converged)
            && best.at.value + HOPELESS < part.value(&rival.theta)
        {
            return Vec::new();
        }
        from = vec![best.theta];
        if F::CLOSER {
            break;
        }
        size *= MORE;
    }
    if F::CLOSER && MORE * FEW < all.exact_rows() {
        for theta in &mut from {
            if let Some(closer) = likelihood.family.closer(theta, all, fixed) {
                *theta = closer;
            }
        }
    }
    let found = from_all(&from);
    if from == starts || found.iter().any(|found| found.converged) {
        return found;
    }
    from_all(&starts)
}

/// Whether a maximum is to be preferred: one that is not refused, that is a maximum, then the higher one.
fn better<F: Family>(likelihood: &Likelihood<'_, F>, a: &Optimum, b: &Optimum) -> bool {
    let of = |o: &Optimum| {
        let refused = likelihood.family.refuses(&o.theta, likelihood.rows(), o.converged);
        (refused.is_none(), o.converged, o.at.value)
    };
    of(a) > of(b)
}

/// The report in the units of the data.
fn report<F: Family>(
    likelihood: &Likelihood<'_, F>,
    standard: Standard,
    fixed: &[Option<f64>],
    pinned: &[Pinned],
    best: Optimum,
    limit: Option<Limit>,
    options: &FitOptions,
) -> Fit {
    let mut notes: Vec<String> = F::NOTE.iter().map(|&n| n.to_owned()).collect();
    for p in pinned {
        if !notes.iter().any(|n| n == p.note) {
            notes.push(p.note.to_owned());
        }
    }
    notes.extend(likelihood.family.note(&best.theta).map(str::to_owned));
    let n = likelihood.sample.total();
    let covariance = covariance(likelihood, &best);
    if covariance.is_none() && !best.free.is_empty() {
        notes.push(
            "the observed information is singular, so that there are no standard errors".to_owned(),
        );
    }
    let natural: Vec<f64> = F::PARAMETERS
        .iter()
        .zip(&best.theta)
        .zip(fixed)
        .map(|((p, &x), fixed)| fixed.unwrap_or_else(|| standard.outward(p.unit, x)))
        .collect();
    let mut estimates = Vec::new();
    for (i, p) in F::PARAMETERS.iter().enumerate() {
        let place = best.free.iter().position(|&f| f == i);
        let stderr = place.zip(covariance.as_ref()).map(|(k, covariance)| {
            let slope = p.domain.slope(best.u[k]) * standard.factor(p.unit);
            covariance[k][k].sqrt() * slope
        });
        let pin = pinned.iter().find(|pin| pin.parameter == i);
        let pinned_error = pin.and_then(|_| likelihood.family.pinned_error(&best.theta, i, n));
        let stderr = stderr.or_else(|| Some(pinned_error? * standard.factor(p.unit)));
        let interval = place.filter(|_| options.intervals && covariance.is_some()).map(|k| {
            let ends = profile::interval(likelihood, &best, k, options.confidence);
            (standard.outward(p.unit, ends.0), standard.outward(p.unit, ends.1))
        });
        let interval = interval.or_else(|| {
            let error = pinned_error.filter(|_| options.intervals)?;
            let ends =
                profile::interval_of_pinned(likelihood, &best, (i, error), options.confidence);
            Some((standard.outward(p.unit, ends.0), standard.outward(p.unit, ends.1)))
        });
        let fixed = fixed.get(i).is_some_and(Option::is_some);
        estimates.push(Estimate { name: p.name, value: natural[i], stderr, interval, fixed });
    }
    estimates.extend(derived_estimates(likelihood.family, standard, &natural, &best, &covariance));
    let slopes: Vec<f64> = best
        .free
        .iter()
        .zip(&best.u)
        .map(|(&i, &u)| {
            let p = F::PARAMETERS.get(i);
            p.map_or(1.0, |p| p.domain.slope(u) * standard.factor(p.unit))
        })
        .collect();
    let natural_covariance = covariance.as_ref().map(|covariance| {
        let row =
            |(row, a): (&Vec<f64>, &f64)| row.iter().zip(&slopes).map(|(c, b)| a * c * b).collect();
        covariance.iter().zip(&slopes).map(row).collect()
    });
    let parameters = fixed.iter().filter(|x| x.is_none()).count() as f64;
    let exact = likelihood.sample.exact_weight();
    let unit = if F::DISCRETE || standard.unit == 1.0 { 0.0 } else { exact * standard.unit.ln() };
    let log_likelihood = best.at.value - unit;
    let boundary = limit.and_then(|l| {
        let parameter = F::PARAMETERS.get(l.parameter)?.name;
        Some(Boundary { parameter, value: l.value, family: l.family })
    });
    Fit {
        family: F::NAME,
        parameters: natural,
        estimates,
        free: best.free.clone(),
        covariance: natural_covariance,
        log_likelihood,
        n,
        aic: 2.0 * parameters - 2.0 * log_likelihood,
        bic: parameters * n.ln() - 2.0 * log_likelihood,
        converged: best.converged,
        boundary,
        notes,
        iterations: best.iterations,
    }
}

/// The inverse of the observed information in the coordinates; `None` unless it is positive definite.
///
/// Where coordinates nearly determine each other, as shape and scale of rows that hardly vary, its
/// determinant has lost most digits; it is formed anew in directions that do not.
fn covariance<F: Family>(likelihood: &Likelihood<'_, F>, best: &Optimum) -> Option<Vec<Vec<f64>>> {
    /// The least share of a variance that the other coordinates leave.
    const APART: f64 = 1e-6;
    let rough = best.covariance()?;
    let negative: Vec<Vec<f64>> =
        rough.iter().map(|row| row.iter().map(|entry| -entry).collect()).collect();
    let Some(directions) = cholesky(&negative, 0.0) else { return Some(rough) };
    let n = rough.len();
    let apart = (0..n).all(|i| directions[i][i].powi(2) >= APART * rough[i][i]);
    if apart || !likelihood.sample.intervals().is_empty() {
        return Some(rough);
    }
    let direction = |i: usize, k: usize| directions[i][k];
    let at = likelihood.exact_along((&best.u, &best.free, &best.theta), direction, false);
    let Some(inner) = inverse(&at.hessian) else { return Some(rough) };
    let entry = |i: usize, j: usize| {
        let of = |k: usize| (0..n).map(|l| inner[k][l] * directions[j][l]).sum::<f64>();
        (0..n).map(|k| directions[i][k] * of(k)).sum()
    };
    Some((0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect())
}

/// Derived quantities with their errors by the delta method.
fn derived_estimates<F: Family>(
    family: &F,
    standard: Standard,
    natural: &[f64],
    best: &Optimum,
    covariance: &Option<Vec<Vec<f64>>>,
) -> Vec<Estimate> {
    let mut theta: Vec<Jet<3>> = natural.iter().map(|&x| Jet::constant(x)).collect();
    for (k, &i) in best.free.iter().enumerate() {
        if let (Some(x), Some(p)) = (theta.get_mut(i), F::PARAMETERS.get(i)) {
            let slope = p.domain.slope(best.u[k]) * standard.factor(p.unit);
            *x = Jet::variable(0.0, k) * slope + x.value();
        }
    }
    let quantities = family.derived(&theta);
    let names = family.derived_names().iter();
    names
        .zip(quantities)
        .map(|(&name, jet)| {
            let stderr = covariance.as_ref().filter(|c| !c.is_empty()).map(|c| {
                let pairs = c.iter().zip(jet.gradient).map(|(row, a)| {
                    a * row.iter().zip(jet.gradient).map(|(c, b)| c * b).sum::<f64>()
                });
                pairs.sum::<f64>().max(0.0).sqrt()
            });
            Estimate { name, value: jet.value, stderr, interval: None, fixed: false }
        })
        .collect()
}
