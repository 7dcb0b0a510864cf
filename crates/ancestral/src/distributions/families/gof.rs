//! Goodness of fit: distances between the rows and a fitted distribution. Since the parameters were
//! estimated from the same rows, their p-values come from a bootstrap, not from tables.

use super::distribution::Distribution;
use super::sample::Sample;
use super::special::LogTails;
use super::special::gamma::chi_squared_tails;

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
