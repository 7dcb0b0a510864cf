//! Families compared: all that suit a sample ranked by AIC, and likelihood-ratio tests of nested ones.

use super::distribution::Distribution;
use super::error::Result;
use super::fit::{Fit, FitOptions};
use super::sample::Sample;
use super::special::gamma::chi_squared_tails;
use super::{all, by_name};
use rayon::prelude::*;
use std::f64::consts::PI;

/// A family that was not fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The family.
    pub family: &'static str,
    /// Why.
    pub reason: String,
}

/// All families on one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Fits with a density, the lowest AIC first.
    pub densities: Vec<Fit>,
    /// Fits with a mass on whole numbers, which are not comparable with densities.
    pub masses: Vec<Fit>,
    /// The others.
    pub refused: Vec<Refused>,
}

/// Fits all families and ranks them by AIC; those of equal AIC stay in the order of [`all`].
pub fn rank(sample: &Sample, options: &FitOptions) -> Ranking {
    let families = all();
    let fits: Vec<(bool, &'static str, Result<Fit>)> = families
        .par_iter()
        .map(|family| (family.is_discrete(), family.name(), family.fit(sample, options)))
        .collect();
    let mut ranking = Ranking { densities: Vec::new(), masses: Vec::new(), refused: Vec::new() };
    let (low, high) = ends(sample);
    for (discrete, family, fit) in fits {
        let mut refuse = |reason: String| ranking.refused.push(Refused { family, reason });
        match fit {
            Err(error) => refuse(error.to_string()),
            Ok(fit) if !fit.converged || !fit.aic.is_finite() => {
                refuse("the search did not converge".to_owned());
            }
            Ok(_) if family == "von-mises" && (low < -PI || high > PI) => {
                refuse("it is for angles, and some rows are outside of [−π, π]".to_owned());
            }
            Ok(fit) if discrete => ranking.masses.push(fit),
            Ok(fit) => ranking.densities.push(fit),
        }
    }
    for list in [&mut ranking.densities, &mut ranking.masses] {
        list.sort_by(|a, b| a.aic.total_cmp(&b.aic));
    }
    ranking
}

/// The smallest and the largest end of rows that is finite.
fn ends(sample: &Sample) -> (f64, f64) {
    let intervals = sample.intervals().iter().flat_map(|i| [i.lower, i.upper]);
    let finite = intervals.filter(|x| x.is_finite());
    finite.fold(sample.range(), |(low, high), x| (low.min(x), high.max(x)))
}

/// A likelihood-ratio test of a family within a larger one.
#[derive(Debug, Clone, PartialEq)]
pub struct RatioTest {
    /// The smaller family, the null hypothesis.
    pub null: String,
    /// What makes the larger family the smaller one.
    pub restriction: String,
    /// 2 (ℓ₁ − ℓ₀).
    pub statistic: f64,
    /// The number of parameters less.
    pub df: f64,
    /// P(χ² ≥ statistic), for many rows; at the edge of the larger family half of it (Self and Liang
    /// 1987).
    pub p_value: f64,
    /// Whether the smaller family is at the edge of the larger one.
    pub at_edge: bool,
}

/// Larger family, smaller family, restriction, and whether it is at an edge.
const NESTED: &[(&str, &str, &str, bool)] = &[
    ("gamma", "exponential", "shape = 1", false),
    ("gamma", "chi-squared", "scale = 2", false),
    ("weibull", "exponential", "shape = 1", false),
    ("weibull", "rayleigh", "shape = 2", false),
    ("gpd", "exponential", "shape = 0", false),
    ("gev", "gumbel", "shape = 0", false),
    ("student-t", "cauchy", "df = 1", false),
    ("student-t", "normal", "df = ∞", true),
    ("negative-binomial", "poisson", "size = ∞", true),
    ("zero-inflated-poisson", "poisson", "inflation = 0", true),
];

/// Tests of the families within a fitted one, and of parameters that were given.
///
/// # Errors
/// If the rows have no maximum where parameters that were given are free.
pub fn ratio_tests(
    family: &dyn Distribution,
    fit: &Fit,
    sample: &Sample,
    options: &FitOptions,
) -> Result<Vec<RatioTest>> {
    // The smaller family would have another origin.
    if family.location() != 0.0 {
        return Ok(Vec::new());
    }
    let plain = FitOptions { intervals: false, ..options.clone() };
    if !options.fixed.is_empty() {
        let free = family.fit(sample, &FitOptions { fixed: Vec::new(), ..plain })?;
        let given = options.fixed.iter().map(|(name, value)| format!("{name} = {value}"));
        let restriction = given.collect::<Vec<_>>().join(", ");
        let df = options.fixed.len() as f64;
        return Ok(vec![ratio(family.name(), restriction, &free, fit, df, false)]);
    }
    let inner = NESTED.iter().filter(|(larger, ..)| *larger == family.name());
    let tests = inner.filter_map(|(_, smaller, restriction, at_edge)| {
        let null = by_name(smaller)?.fit(sample, &plain).ok()?;
        let df = (family.parameters().len() - null.parameters.len()) as f64;
        Some(ratio(smaller, (*restriction).to_owned(), fit, &null, df, *at_edge))
    });
    Ok(tests.collect())
}

fn ratio(
    name: &str,
    restriction: String,
    full: &Fit,
    null: &Fit,
    df: f64,
    at_edge: bool,
) -> RatioTest {
    let statistic = (2.0 * (full.log_likelihood - null.log_likelihood)).max(0.0);
    let above = chi_squared_tails(df, statistic).upper.exp();
    let p_value = match (at_edge, statistic > 0.0) {
        (false, _) => above,
        (true, true) => 0.5 * above,
        (true, false) => 1.0,
    };
    RatioTest { null: name.to_owned(), restriction, statistic, df, p_value, at_edge }
}
