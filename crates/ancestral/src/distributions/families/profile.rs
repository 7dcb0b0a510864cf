//! Profile-likelihood intervals: the values of a parameter at which the likelihood, maximized over the
//! others, falls by half a quantile of χ² with one degree of freedom (Venzon and Moolgavkar 1988).

use super::family::Domain;
use super::likelihood::Objective;
use super::newton::{Optimum, climb};
use super::special::LogTails;
use super::special::normal::normal_quantile;

/// The relative accuracy of an end, in standard errors.
const ACCURACY: f64 = 1e-7;

/// The interval of the free parameter at place `k` of the optimum, in standardized units.
pub fn interval(
    likelihood: &dyn Objective,
    best: &Optimum,
    k: usize,
    confidence: f64,
) -> (f64, f64) {
    let error = best.covariance().and_then(|c| Some(c.get(k)?.get(k)?.sqrt())).unwrap_or(1.0);
    let (Some(&place), Some(&middle)) = (best.free.get(k), best.u.get(k)) else {
        return (f64::NAN, f64::NAN);
    };
    ends(likelihood, best, (place, middle), error, confidence)
}

/// The interval of a parameter at `place` that was known in advance, by its standard error.
pub fn interval_of_pinned(
    likelihood: &dyn Objective,
    best: &Optimum,
    (place, error): (usize, f64),
    confidence: f64,
) -> (f64, f64) {
    let domains = likelihood.domains();
    let (Some(&theta), Some(domain)) = (best.theta.get(place), domains.get(place)) else {
        return (f64::NAN, f64::NAN);
    };
    let middle = domain.coordinate(theta);
    ends(likelihood, best, (place, middle), error / domain.slope(middle), confidence)
}

/// Both ends, around the coordinate of a parameter.
fn ends(
    likelihood: &dyn Objective,
    best: &Optimum,
    at: (usize, f64),
    error: f64,
    confidence: f64,
) -> (f64, f64) {
    let z = normal_quantile(LogTails::from_probability(0.5 * (1.0 - confidence))).abs();
    (end(likelihood, best, at, -z, error), end(likelihood, best, at, z, error))
}

/// The end where the signed root of the deviance, √(2 (ℓ̂ − ℓ)), is z: it is nearly linear in the
/// parameter, so that the secant method takes a few steps, within a bracket.
fn end(
    likelihood: &dyn Objective,
    best: &Optimum,
    (place, middle): (usize, f64),
    z: f64,
    error: f64,
) -> f64 {
    let Some(domain) = likelihood.domains().get(place).copied() else { return f64::NAN };
    let others: Vec<usize> = best.free.iter().copied().filter(|&i| i != place).collect();
    let mut nuisance = best.theta.clone();
    // √(2 (ℓ̂ − ℓ)) − |z| at a coordinate; infinite where there is no likelihood.
    let mut root = |u: f64| {
        let mut start = nuisance.clone();
        if let Some(x) = start.get_mut(place) {
            *x = domain.parameter(u);
        }
        let found = climb(likelihood, &start, &others);
        let Some(found) = found else { return f64::INFINITY };
        nuisance.clone_from(&found.theta);
        (2.0 * (best.at.value - found.at.value)).max(0.0).sqrt() - z.abs()
    };
    let sign = z.signum();
    // Distances from the maximum in the direction of the end.
    let (mut low, mut low_root) = (0.0, -z.abs());
    let (mut high, mut high_root) = (f64::INFINITY, f64::INFINITY);
    let mut distance = error * z.abs();
    for _ in 0..80 {
        let found = root(middle + sign * distance);
        if found.abs() <= ACCURACY {
            break;
        }
        if found < 0.0 {
            (low, low_root) = (distance, found);
        } else {
            (high, high_root) = (distance, found);
        }
        let secant = if high_root.is_finite() {
            low + (high - low) * (-low_root) / (high_root - low_root)
        } else if high.is_finite() {
            0.5 * (low + high)
        } else {
            // Extrapolate, but not too far.
            (low * z.abs() / (low_root + z.abs())).clamp(1.02 * low, 3.0 * low)
        };
        if high - low <= 1e-14 * middle.abs().max(low) {
            distance = high;
            break;
        }
        // A secant that stays at one end is cut by halving.
        let guard = 1e-3 * (high - low);
        distance = if high.is_finite() { secant.clamp(low + guard, high - guard) } else { secant };
        let far = match domain {
            Domain::Real => distance > 1e6 * error,
            _ => (middle + sign * distance).abs() > 290.0,
        };
        if far {
            // The likelihood does not fall as far: the interval is open.
            return match (domain, sign > 0.0) {
                (Domain::Unit, true) => 1.0,
                (Domain::Real, false) => f64::NEG_INFINITY,
                (_, true) => f64::INFINITY,
                (_, false) => 0.0,
            };
        }
    }
    domain.parameter(middle + sign * distance)
}
