//! Goodness of fit: distances between the rows and a fitted distribution. Since the parameters were
//! estimated from the same rows, their p-values come from a bootstrap, not from tables.

use super::distribution::Distribution;
use super::fit::{Fit, FitOptions};
use super::sample::Sample;
use super::special::LogTails;
use super::special::gamma::chi_squared_tails;
use rayon::prelude::*;

/// The smallest expected count of a class of the chi-squared statistic.
const CLASS: f64 = 5.0;

/// The largest distance between the distribution functions of the exact rows and of the fit
/// (Kolmogorov and Smirnov); for counts, at whole numbers.
pub fn kolmogorov_smirnov(family: &dyn Distribution, theta: &[f64], sample: &Sample) -> f64 {
    let (total, mut below, mut worst) = (sample.exact_weight(), 0.0, 0.0_f64);
    for (x, w) in sample.distinct().weighted_values() {
        let at = family.cdf(theta, x);
        let left = if family.is_discrete() { family.cdf(theta, x - 1.0) } else { at };
        worst = worst.max((left - below / total).abs());
        below += w;
        worst = worst.max((below / total - at).abs());
    }
    worst
}

/// The distance of Anderson and Darling (1954), which weights the tails; of a density.
///
/// A² = n ∫ (Fₙ − F)² / (F (1 − F)) dF, summed over the steps of Fₙ in closed form.
pub fn anderson_darling(family: &dyn Distribution, theta: &[f64], sample: &Sample) -> f64 {
    let n = sample.exact_weight();
    let (mut below, mut sum) = (0.0, 0.0);
    let mut last = LogTails { lower: f64::NEG_INFINITY, upper: 0.0 };
    // Over a step where Fₙ = s: ∫ (s − F)² / (F (1 − F)) dF = s² ln F − (1 − s)² ln(1 − F) − F.
    let mut add = |from: LogTails, to: LogTails, s: f64| {
        let lower = if s == 0.0 { 0.0 } else { s * s * (to.lower - from.lower) };
        let rest = 1.0 - s;
        let upper = if s >= 1.0 - 1e-14 { 0.0 } else { rest * rest * (to.upper - from.upper) };
        sum += lower - upper;
    };
    for (x, w) in sample.distinct().weighted_values() {
        let tails = family.log_tails(theta, x);
        add(last, tails, below / n);
        below += w;
        last = tails;
    }
    add(last, LogTails { lower: 0.0, upper: f64::NEG_INFINITY }, 1.0);
    // ∫ dF = 1 over all steps.
    n * (sum - 1.0)
}

/// Pearson's chi-squared statistic of counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquared {
    /// Σ (observed − expected)² / expected.
    pub statistic: f64,
    /// Classes − 1 − estimated parameters; 0 if there are too few classes.
    pub df: f64,
    /// P(χ² ≥ statistic), which is exact for many rows only; NaN without degrees of freedom.
    pub p_value: f64,
}

/// Pearson's statistic over classes of neighboring counts, each with an expected count of 5 or more.
pub fn chi_squared(
    family: &dyn Distribution,
    theta: &[f64],
    sample: &Sample,
    estimated: usize,
) -> ChiSquared {
    let n = sample.exact_weight();
    let distinct = sample.distinct();
    let (mut classes, mut statistic) = (0.0, 0.0);
    let (mut observed, mut start) = (0.0, f64::NEG_INFINITY);
    let mass = |from: f64, to: f64| {
        if from == f64::NEG_INFINITY {
            family.cdf(theta, to)
        } else {
            (family.survival(theta, from) - family.survival(theta, to)).max(0.0)
        }
    };
    for (x, w) in distinct.weighted_values() {
        // The gap before a count closes the class before it, where enough is expected.
        let gap = n * mass(start, x - 1.0);
        if gap >= CLASS && n * family.survival(theta, x - 1.0) >= CLASS {
            statistic += (observed - gap).powi(2) / gap;
            (classes, observed, start) = (classes + 1.0, 0.0, x - 1.0);
        }
        observed += w;
        let expected = n * mass(start, x);
        if expected >= CLASS && n * family.survival(theta, x) >= CLASS {
            statistic += (observed - expected).powi(2) / expected;
            (classes, observed, start) = (classes + 1.0, 0.0, x);
        }
    }
    let rest = if start == f64::NEG_INFINITY { n } else { n * family.survival(theta, start) };
    if rest > 0.0 {
        statistic += (observed - rest).powi(2) / rest;
        classes += 1.0;
    }
    let df = (classes - 1.0 - estimated as f64).max(0.0);
    let p_value = if df > 0.0 { chi_squared_tails(df, statistic).upper.exp() } else { f64::NAN };
    ChiSquared { statistic, df, p_value }
}

/// The distances between rows and a fitted distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goodness {
    /// The rows that were compared: the sum of their weights.
    pub rows: f64,
    /// [`kolmogorov_smirnov`].
    pub kolmogorov_smirnov: f64,
    /// [`anderson_darling`], of a density; `None` where it is infinite, with rows on the edge of the
    /// support.
    pub anderson_darling: Option<f64>,
    /// [`chi_squared`], of counts.
    pub chi_squared: Option<ChiSquared>,
    /// The p-values, if they were asked for.
    pub bootstrap: Option<Bootstrap>,
}

/// p-values by a parametric bootstrap: the share of samples of the fitted distribution that lie as far
/// from their own fits, with 1 added to both counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Samples that were drawn and fitted.
    pub samples: usize,
    /// Of Kolmogorov and Smirnov's distance.
    pub kolmogorov_smirnov: f64,
    /// Of Anderson and Darling's distance.
    pub anderson_darling: Option<f64>,
    /// Of the chi-squared statistic.
    pub chi_squared: Option<f64>,
}

/// Samples of a bootstrap between two reports of progress.
const TOGETHER: u64 = 16;

/// Uniform numbers in (0, 1) of a bootstrap sample, by its number.
pub type Uniforms<'a> = &'a (dyn Fn(u64) -> Box<dyn FnMut() -> f64> + Sync);

impl Goodness {
    /// The distances of exact rows; `None` if some are censored.
    pub fn of(family: &dyn Distribution, fit: &Fit, sample: &Sample) -> Option<Self> {
        if !sample.intervals().is_empty() || sample.exact_rows() == 0 {
            return None;
        }
        let (theta, discrete) = (&fit.parameters, family.is_discrete());
        let estimated = fit.estimates.iter().take(theta.len()).filter(|e| !e.fixed).count();
        let distance = (!discrete).then(|| anderson_darling(family, theta, sample));
        Some(Self {
            rows: sample.exact_weight(),
            kolmogorov_smirnov: kolmogorov_smirnov(family, theta, sample),
            anderson_darling: distance.filter(|d| d.is_finite()),
            chi_squared: discrete.then(|| chi_squared(family, theta, sample, estimated)),
            bootstrap: None,
        })
    }

    /// With p-values by `count` samples of as many rows, each fitted as the rows were; samples without a
    /// maximum are left out. The same for any number of threads. `progress` is told how many are done.
    #[must_use]
    pub fn with_p_values(
        mut self,
        family: &dyn Distribution,
        fit: &Fit,
        options: &FitOptions,
        count: u64,
        uniforms: Uniforms<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Self {
        let rows = fit.n.round().max(1.0) as usize;
        let options = FitOptions { intervals: false, ..options.clone() };
        let of_sample = |number: u64| {
            let mut uniform = uniforms(number);
            let draw = |_| family.sample(&fit.parameters, &mut uniform);
            let sample = Sample::new((0..rows).map(draw).collect()).ok()?;
            Self::of(family, &family.fit(&sample, &options).ok()?, &sample)
        };
        let mut found: Vec<Self> = Vec::new();
        for first in (0..count).step_by(TOGETHER as usize) {
            let last = count.min(first + TOGETHER);
            found.par_extend((first..last).into_par_iter().filter_map(of_sample));
            progress(last);
        }
        let p = |own: f64, of: &dyn Fn(&Self) -> f64| {
            let above = found.iter().filter(|other| of(other) >= own).count();
            (above as f64 + 1.0) / (found.len() as f64 + 1.0)
        };
        let infinite = |x: Option<f64>| x.unwrap_or(f64::INFINITY);
        let statistic = |g: &Self| g.chi_squared.map_or(f64::INFINITY, |c| c.statistic);
        self.bootstrap = Some(Bootstrap {
            samples: found.len(),
            kolmogorov_smirnov: p(self.kolmogorov_smirnov, &|g| g.kolmogorov_smirnov),
            anderson_darling: self
                .anderson_darling
                .map(|d| p(d, &|g| infinite(g.anderson_darling))),
            chi_squared: self.chi_squared.map(|c| p(c.statistic, &statistic)),
        });
        self
    }
}
