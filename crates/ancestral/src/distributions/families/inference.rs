//! What people fit for: quantiles and probabilities above a value, with confidence intervals, and the
//! exact intervals of parameters on the edge of the support.

use super::distribution::Distribution;
use super::fit::Fit;
use super::special::LogTails;
use super::special::normal::normal_quantile;

/// A step of the differences of a parameter, in standard errors.
const STEP: f64 = 1e-3;

/// A quantity that follows from fitted parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Derived {
    /// Its value at the parameters of maximum likelihood.
    pub value: f64,
    /// Its standard error by the delta method; `None` where the parameters have none.
    pub stderr: Option<f64>,
    /// Its confidence interval by the delta method, on a scale on which it is close to normal.
    pub interval: Option<(f64, f64)>,
}

/// The value with P(X ≤ x) = p. A quantile of a support with one end is taken as the logarithm of its
/// distance from that end; a quantile of counts has no interval.
pub fn quantile(family: &dyn Distribution, fit: &Fit, p: f64, confidence: f64) -> Derived {
    let value = family.quantile(&fit.parameters, p);
    if family.is_discrete() {
        return Derived { value, stderr: None, interval: None };
    }
    let support = family.support(&fit.parameters);
    let free_end = |end: f64, other: f64| end.is_finite() && other.is_infinite() && value != end;
    // An end that moves with the parameters is no end for the interval.
    let fixed = |end: f64| matches!(end, 0.0);
    let of = |theta: &[f64]| family.quantile(theta, p);
    if free_end(support.lower, support.upper) && fixed(support.lower) {
        derived(fit, of, confidence, f64::ln, |y| y.exp(), |x| x)
    } else {
        derived(fit, of, confidence, |x| x, |y| y, |_| 1.0)
    }
}

/// P(X > x), on the scale of its log-odds.
pub fn above(family: &dyn Distribution, fit: &Fit, x: f64, confidence: f64) -> Derived {
    let of = |theta: &[f64]| family.survival(theta, x);
    let odds = |p: f64| p.ln() - (-p).ln_1p();
    let back = super::scalar::sigmoid;
    derived(fit, of, confidence, odds, back, |p| p * (1.0 - p))
}

/// A function of the parameters with its error, by the delta method on the scale of `link`, whose
/// inverse is `back` and whose derivative is 1 / `slope`.
fn derived(
    fit: &Fit,
    of: impl Fn(&[f64]) -> f64,
    confidence: f64,
    link: impl Fn(f64) -> f64,
    back: impl Fn(f64) -> f64,
    slope: impl Fn(f64) -> f64,
) -> Derived {
    let theta = &fit.parameters;
    let value = of(theta);
    let none = Derived { value, stderr: None, interval: None };
    let Some(covariance) = fit.covariance.as_ref().filter(|c| !c.is_empty()) else { return none };
    let gradient: Vec<f64> = fit
        .free
        .iter()
        .enumerate()
        .map(|(k, &i)| {
            let error = covariance.get(k).and_then(|row| row.get(k)).map_or(0.0, |v| v.sqrt());
            let at = |sign: f64| {
                let mut moved = theta.clone();
                if let Some(x) = moved.get_mut(i) {
                    *x += sign * STEP * error;
                }
                link(of(&moved))
            };
            (at(1.0) - at(-1.0)) / (2.0 * STEP * error)
        })
        .collect();
    let rows = covariance.iter().zip(&gradient);
    let variance: f64 =
        rows.map(|(row, a)| a * row.iter().zip(&gradient).map(|(c, b)| c * b).sum::<f64>()).sum();
    let error = variance.sqrt();
    let middle = link(value);
    if !(error.is_finite() && middle.is_finite()) {
        return none;
    }
    let z = normal_quantile(LogTails::from_probability(0.5 * (1.0 - confidence))).abs();
    let ends = (back(middle - z * error), back(middle + z * error));
    Derived { value, stderr: Some(error * slope(value)), interval: Some(ends) }
}
