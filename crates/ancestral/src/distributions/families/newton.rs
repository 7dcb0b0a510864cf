//! Newton's method with safeguards for a log-likelihood in at most three coordinates: where the
//! Hessian is not negative definite its diagonal is raised (Levenberg 1944), steps are bounded and
//! halved until they raise the value.

use super::family::Domain;
use super::likelihood::{Evaluation, Objective};

/// The largest step of a coordinate, which is a logarithm, log-odds, or standardized.
const LONGEST: f64 = 2.0;
/// Maximum iterations.
const ITERATIONS: usize = 200;
/// The damping that does not change the steps of a rough maximum.
const SLIGHT: f64 = 0.1;
/// For a rough maximum.
const ROUGH_ITERATIONS: usize = 30;
/// Where a coordinate ends: e^±300 is beyond any parameter of standardized data.
const FARTHEST: f64 = 300.0;

/// The highest point found.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimum {
    /// All parameters.
    pub theta: Vec<f64>,
    /// The places of those that were free.
    pub free: Vec<usize>,
    /// Their coordinates.
    pub u: Vec<f64>,
    /// The log-likelihood with its derivatives, there or less than the accuracy away.
    pub at: Evaluation,
    /// Whether the last step was far below the standard errors.
    pub converged: bool,
    /// How many steps were made.
    pub iterations: usize,
}

impl Optimum {
    /// The inverse of the observed information in the coordinates; `None` unless it is positive
    /// definite.
    pub fn covariance(&self) -> Option<Vec<Vec<f64>>> {
        inverse(&self.at.hessian)
    }
}

/// The inverse of −H; `None` unless it is positive definite.
pub(super) fn inverse(hessian: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let factor = cholesky(hessian, 0.0)?;
    let n = hessian.len();
    let unit = |i: usize| (0..n).map(|j| f64::from(i == j)).collect::<Vec<_>>();
    Some((0..n).map(|i| solve(&factor, &unit(i))).collect())
}

/// Steps up to which convergence is taken to be quadratic, in standard errors.
const SQUARES: f64 = 1e-2;
/// The accuracy of a maximum, in standard errors.
const ACCURACY: f64 = 1e-6;

/// Climbs from parameters; those that are not `free` stay.
pub fn climb(likelihood: &dyn Objective, start: &[f64], free: &[usize]) -> Option<Optimum> {
    climb_to(likelihood, start, free, ACCURACY)
}

/// The same, until a step is as small, in standard errors. A rough maximum takes few steps, and none
/// where the likelihood has no bound.
pub fn climb_to(
    likelihood: &dyn Objective,
    start: &[f64],
    free: &[usize],
    accuracy: f64,
) -> Option<Optimum> {
    let domains = likelihood.domains();
    let mut u: Vec<f64> = free
        .iter()
        .map(|&i| Some(domains.get(i)?.coordinate(*start.get(i)?)))
        .collect::<Option<_>>()?;
    if u.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let rows = likelihood.rows().max(1.0);
    let real: Vec<bool> = free.iter().map(|&i| domains.get(i) == Some(&Domain::Real)).collect();
    let mut spread = vec![0.05; free.len()];
    // How far one row lets a coordinate go: a location is measured by the present scale.
    let mut reach = vec![1.0_f64; free.len()];
    let mut here = likelihood.evaluate(&u, free, start, &spread);
    let (mut damping, mut converged, mut iterations) = (0.0_f64, false, 0);
    // The size of the last step in standard errors, if it was Newton's own.
    let mut last = f64::NAN;
    if !here.value.is_finite() {
        return None;
    }
    let rough = accuracy > ACCURACY;
    let most = if rough { ROUGH_ITERATIONS } else { ITERATIONS };
    while iterations < most && !free.is_empty() {
        iterations += 1;
        let stuck = rough && likelihood.unbounded(&likelihood.parameters(&u, free, start));
        if stuck || !usable(&here) {
            break;
        }
        for (i, s) in spread.iter_mut().enumerate() {
            let curvature = -here.hessian[i][i] / rows;
            if curvature > 0.0 {
                let own = curvature.sqrt().recip();
                *s = if real[i] { own } else { own.min(1.0) };
                reach[i] = if real[i] { own.max(1.0) } else { 1.0 };
            }
        }
        let (step, exact) = newton_step(&here, &mut damping);
        let gain: f64 = step.iter().zip(&here.gradient).map(|(s, g)| s * g).sum();
        let longest = step.iter().fold(0.0_f64, |m, s| m.max(s.abs()));
        // The gain that rounding hides.
        let rounding = 1e-14 * here.value.abs().max(1.0);
        let size = |i: usize, s: f64| s.abs() * (-here.hessian[i][i]).abs().sqrt();
        let errors = step.iter().enumerate().map(|(i, &s)| size(i, s)).fold(0.0, f64::max);
        let small =
            |i: usize, s: f64| size(i, s) <= accuracy || s.abs() <= 1e-14 * u[i].abs().max(1e-3);
        let near = exact || rough && damping <= SLIGHT;
        if near && step.iter().enumerate().all(|(i, &s)| small(i, s)) {
            // The value would gain the square of the step, in standard errors.
            u.iter_mut().zip(&step).for_each(|(u, s)| *u += s);
            converged = true;
            break;
        }
        // Newton's steps are as the squares of those before: what the next one would be.
        let next = errors * (errors / last).powi(2);
        let settled = exact && errors <= SQUARES && next <= 1e-4 * accuracy;
        let limits = step.iter().zip(&reach).map(|(s, reach)| LONGEST * reach / s.abs());
        let mut share = limits.fold(1.0_f64, f64::min);
        let mut accepted = None;
        for trial in 0..50 {
            let next: Vec<f64> = u
                .iter()
                .zip(&step)
                .zip(&real)
                .map(|((u, s), real)| {
                    let end = if *real { f64::MAX } else { FARTHEST };
                    (u + share * s).clamp(-end, end)
                })
                .collect();
            let enough = here.value + 1e-4 * share * gain - rounding;
            if trial == 0 {
                let found = likelihood.evaluate(&next, free, start, &spread);
                if found.value >= enough && usable(&found) {
                    accepted = Some((next, found));
                    break;
                }
            } else if likelihood.value(&likelihood.parameters(&next, free, start)) >= enough {
                let found = likelihood.evaluate(&next, free, start, &spread);
                accepted = Some((next, found));
                break;
            }
            share *= 0.5;
        }
        let Some((next, found)) = accepted else {
            // Nothing higher along this direction: rounding, or a direction that is not one of
            // ascent, which more damping turns.
            converged = gain <= 1e-9 * here.value.abs().max(1.0).sqrt().min(1e3);
            if converged || damping > 1e12 {
                break;
            }
            damping = (damping * 10.0).max(1e-3);
            continue;
        };
        let still = gain <= 1e-13 && longest * share <= 1e-9;
        let flat = (found.value - here.value).abs() <= rounding && gain <= 1e-12 * rows.sqrt();
        (u, here) = (next, found);
        last = if exact && share == 1.0 { errors } else { f64::NAN };
        damping = if share == 1.0 { damping * 0.1 } else { damping };
        damping = if damping < 1e-9 { 0.0 } else { damping };
        if settled || still {
            converged = true;
            break;
        }
        if flat && gain <= 1e-15 {
            // A ridge that runs to a limit.
            converged = true;
            break;
        }
    }
    converged |= free.is_empty();
    let theta = likelihood.parameters(&u, free, start);
    Some(Optimum { theta, free: free.to_vec(), u, at: here, converged, iterations })
}

/// Whether all entries are finite.
fn usable(at: &Evaluation) -> bool {
    at.value.is_finite()
        && at.gradient.iter().all(|g| g.is_finite())
        && at.hessian.iter().flatten().all(|h| h.is_finite())
}

/// −H⁻¹ g, with a raised diagonal where −H is not positive definite, and whether it was not raised.
fn newton_step(at: &Evaluation, damping: &mut f64) -> (Vec<f64>, bool) {
    let mut factor = cholesky(&at.hessian, *damping);
    while factor.is_none() && *damping < 1e15 {
        *damping = (*damping * 4.0).max(1e-6);
        factor = cholesky(&at.hessian, *damping);
    }
    match factor {
        Some(factor) => (solve(&factor, &at.gradient), *damping == 0.0),
        None => (at.gradient.clone(), false),
    }
}

/// The lower factor of −H with its diagonal raised by `damping` times its own size, as Marquardt (1963)
/// has it, since a location and a logarithm have different units.
pub(super) fn cholesky(hessian: &[Vec<f64>], damping: f64) -> Option<Vec<Vec<f64>>> {
    let n = hessian.len();
    let mut l = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let inner: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
            let own = -hessian[i][j];
            if i == j {
                let raised = own + damping * own.abs().max(f64::MIN_POSITIVE);
                let rest = raised - inner;
                if rest.is_nan() || rest <= 1e-13 * own.abs() {
                    return None;
                }
                l[i][i] = rest.sqrt();
            } else {
                l[i][j] = (own - inner) / l[j][j];
            }
        }
    }
    Some(l)
}

/// x with L Lᵀ x = b.
fn solve(l: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let n = b.len();
    let mut x = b.to_vec();
    for i in 0..n {
        let inner: f64 = (0..i).map(|k| l[i][k] * x[k]).sum();
        x[i] = (x[i] - inner) / l[i][i];
    }
    for i in (0..n).rev() {
        let inner: f64 = (i + 1..n).map(|k| l[k][i] * x[k]).sum();
        x[i] = (x[i] - inner) / l[i][i];
    }
    x
}
