//! Minimizers of a smooth objective in double precision: Newton's method with step halving, and
//! limited-memory BFGS with a line search to the strong Wolfe conditions (Nocedal and Wright 2006,
//! chapters 3, 6 and 7).
//!
//! Sums have a fixed order, so that an objective with the same bits gives a minimum with the same bits.

use crate::Result;

/// Pairs of steps and gradient changes that L-BFGS keeps.
const PAIRS: usize = 10;
/// The Armijo constant c₁: the fraction of the linearly predicted decrease that a step must reach.
const DECREASE: f64 = 1e-4;
/// The curvature constant c₂: the fraction of the directional derivative that may remain after a step
/// of L-BFGS.
const CURVATURE: f64 = 0.9;
/// Maximum evaluations of a line search.
const TRIALS: usize = 40;
/// The relative rounding error of a value: smaller differences do not count.
const ROUNDING: f64 = 1e-14;
/// Iterations without a lower value or a smaller gradient after which no more are tried.
const STALE: usize = 20;
/// A Newton step below this, relative to the largest parameter (or 1), is the last one: convergence is
/// quadratic.
const SMALL_STEP: f64 = 1e-7;

/// The termination criteria.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The largest absolute entry of the gradient at convergence.
    pub tolerance: f64,
    /// Maximum number of iterations.
    pub iterations: usize,
}

/// Why iterations ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The gradient is within the tolerance.
    Converged,
    /// The maximum number of iterations was reached.
    Iterations,
    /// No step lowered the value: the rounding error of the objective prevents further progress.
    Rounding,
}

/// The result of a minimization.
#[derive(Debug, Clone, PartialEq)]
pub struct Minimum {
    /// The parameters.
    pub at: Vec<f64>,
    /// The gradient there; for Newton's method, before its last step, which is negligible.
    pub gradient: Vec<f64>,
    /// The Hessian at the same point, as in [`Evaluation`]; empty if it was not computed.
    pub hessian: Vec<f64>,
    /// The objective after each iteration.
    pub trace: Vec<f64>,
    /// Why they ended.
    pub ended: Ended,
}

/// An objective at a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The value.
    pub value: f64,
    /// The gradient `[n]`.
    pub gradient: Vec<f64>,
    /// The lower half of the Hessian `[n, n]`; empty if not needed.
    pub hessian: Vec<f64>,
}

/// Newton's method: each step is halved until it lowers the objective.
///
/// Where the Hessian is not positive definite to rounding, its diagonal is raised.
/// `flat` is called with the step if the gradient is within the tolerance and the step is not small,
/// as for an objective that decreases without bound in some direction; it may end the iterations with
/// an error.
///
/// # Errors
/// Those of `evaluate` and `flat`.
pub fn newton(
    start: Vec<f64>,
    limits: Limits,
    evaluate: &mut dyn FnMut(&[f64]) -> Result<Evaluation>,
    flat: &mut dyn FnMut(&[f64]) -> Result<()>,
) -> Result<Minimum> {
    let (mut at, mut trace) = (start, Vec::new());
    let mut here = evaluate(&at)?;
    let mut best = Best::new(here.value, &here.gradient);
    let ended = loop {
        let step: Vec<f64> = modified_cholesky(&here.hessian, at.len())
            .solve(&here.gradient)
            .iter()
            .map(|x| -x)
            .collect();
        if largest(&here.gradient) <= limits.tolerance {
            if largest(&step) <= SMALL_STEP * largest(&at).max(1.0) {
                at.iter_mut().zip(&step).for_each(|(x, d)| *x += d);
                break Ended::Converged;
            }
            flat(&step)?;
        }
        if trace.len() == limits.iterations {
            break Ended::Iterations;
        }
        let derivative = dot(&step, &here.gradient);
        let mut share = 1.0;
        let next = loop {
            let trial: Vec<f64> = at.iter().zip(&step).map(|(x, d)| x + share * d).collect();
            let found = evaluate(&trial)?;
            // Near a minimum the decrease is below the rounding error of the value.
            let rounding = ROUNDING * here.value.abs();
            if found.value <= here.value + DECREASE * share * derivative + rounding {
                break Some((trial, found));
            }
            share /= 2.0;
            if share < 1e-10 {
                break None;
            }
        };
        let Some(next) = next else { break Ended::Rounding };
        (at, here) = next;
        trace.push(here.value);
        if best.is_stale(here.value, &here.gradient) {
            break Ended::Rounding;
        }
    };
    Ok(Minimum { at, gradient: here.gradient, hessian: here.hessian, trace, ended })
}

/// Multiplies by an approximation of the inverse Hessian, in place; or nothing does.
pub type Precondition<'a> = Option<&'a dyn Fn(&mut [f64])>;

/// Limited-memory BFGS.
///
/// `precondition` multiplies by a symmetric positive definite approximation of the inverse Hessian.
///
/// # Errors
/// Those of `evaluate`, whose Hessian may be empty.
pub fn lbfgs(
    start: Vec<f64>,
    limits: Limits,
    precondition: Precondition<'_>,
    evaluate: &mut dyn FnMut(&[f64]) -> Result<Evaluation>,
) -> Result<Minimum> {
    let (mut at, mut trace) = (start, Vec::new());
    let Evaluation { mut value, mut gradient, .. } = evaluate(&at)?;
    let mut best = Best::new(value, &gradient);
    let mut pairs: Vec<Pair> = Vec::new();
    let ended = loop {
        if largest(&gradient) <= limits.tolerance {
            break Ended::Converged;
        }
        if trace.len() == limits.iterations {
            break Ended::Iterations;
        }
        let mut direction = two_loops(&gradient, &pairs, precondition);
        let mut derivative = dot(&direction, &gradient);
        if derivative.is_nan() || derivative >= 0.0 {
            pairs.clear();
            direction = gradient.iter().map(|g| -g).collect();
            derivative = dot(&direction, &gradient);
        }
        // Without pairs or a preconditioner there is no scale for the first step.
        let scaled = precondition.is_some() || !pairs.is_empty();
        let first = if scaled { 1.0 } else { 1.0 / dot(&direction, &direction).sqrt() };
        let found = search(value, derivative, first, &mut |share| {
            let trial: Vec<f64> = at.iter().zip(&direction).map(|(x, d)| x + share * d).collect();
            let Evaluation { value, gradient, .. } = evaluate(&trial)?;
            let derivative = dot(&gradient, &direction);
            Ok(Trial { share, value, derivative, gradient })
        })?;
        let Some(found) = found else {
            // Restart from steepest descent: the stored curvature may be misleading.
            if pairs.is_empty() {
                break Ended::Rounding;
            }
            pairs.clear();
            continue;
        };
        let step: Vec<f64> = direction.iter().map(|d| found.share * d).collect();
        let change: Vec<f64> = found.gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        at.iter_mut().zip(&direction).for_each(|(x, d)| *x += found.share * d);
        (value, gradient) = (found.value, found.gradient);
        trace.push(value);
        if best.is_stale(value, &gradient) {
            break Ended::Rounding;
        }
        let curvature = dot(&step, &change);
        if curvature > 1e-14 * dot(&change, &change) {
            if pairs.len() == PAIRS {
                pairs.remove(0);
            }
            pairs.push(Pair { step, change, curvature });
        }
    };
    Ok(Minimum { at, gradient, hessian: Vec::new(), trace, ended })
}

/// The lowest value and the smallest gradient so far, and how many iterations ago.
struct Best {
    value: f64,
    gradient: f64,
    since: usize,
}

impl Best {
    fn new(value: f64, gradient: &[f64]) -> Self {
        Self { value, gradient: largest(gradient), since: 0 }
    }

    /// Records an iteration; whether there was no progress for [`STALE`] iterations.
    fn is_stale(&mut self, value: f64, gradient: &[f64]) -> bool {
        let gradient = largest(gradient);
        let lower = value < self.value - ROUNDING * self.value.abs();
        self.since = if lower || gradient < self.gradient { 0 } else { self.since + 1 };
        self.value = self.value.min(value);
        self.gradient = self.gradient.min(gradient);
        self.since >= STALE
    }
}

/// A step, the change of the gradient over it, and their product.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

/// The direction −H g, with the inverse Hessian H of the pairs (two-loop recursion).
fn two_loops(gradient: &[f64], pairs: &[Pair], precondition: Precondition<'_>) -> Vec<f64> {
    let precondition = |x: &mut [f64]| precondition.into_iter().for_each(|by| by(x));
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut factors = vec![0.0; pairs.len()];
    for (pair, factor) in pairs.iter().zip(&mut factors).rev() {
        *factor = dot(&pair.step, &q) / pair.curvature;
        q.iter_mut().zip(&pair.change).for_each(|(q, y)| *q -= *factor * y);
    }
    precondition(&mut q);
    if let Some(last) = pairs.last() {
        let mut change = last.change.clone();
        precondition(&mut change);
        let scale = last.curvature / dot(&last.change, &change);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for (pair, factor) in pairs.iter().zip(&factors) {
        let back = dot(&pair.change, &q) / pair.curvature;
        q.iter_mut().zip(&pair.step).for_each(|(q, s)| *q += (factor - back) * s);
    }
    q
}

/// A point of a line search: the objective and its directional derivative at a step length.
struct Trial {
    share: f64,
    value: f64,
    derivative: f64,
    gradient: Vec<f64>,
}

/// A step length that satisfies the strong Wolfe conditions up to rounding (Hager and Zhang 2005), or
/// the lowest point found if rounding prevents it; `None` if no point is lower than the start.
fn search(
    value: f64,
    derivative: f64,
    first: f64,
    evaluate: &mut dyn FnMut(f64) -> Result<Trial>,
) -> Result<Option<Trial>> {
    let mut low = Trial { share: 0.0, value, derivative, gradient: Vec::new() };
    let mut high: Option<Trial> = None;
    let mut share = first;
    let rounding = ROUNDING * value.abs();
    for _ in 0..TRIALS {
        let trial = evaluate(share)?;
        let most = low.value.min(value + DECREASE * trial.share * derivative) + rounding;
        if !trial.value.is_finite() || trial.value > most {
            high = Some(trial);
        } else if trial.derivative.abs() <= -CURVATURE * derivative {
            return Ok(Some(trial));
        } else {
            let ahead = high.as_ref().map_or(1.0, |high| high.share - trial.share);
            let before = std::mem::replace(&mut low, trial);
            if low.derivative * ahead >= 0.0 {
                high = Some(before);
            }
        }
        share = match &high {
            None => 4.0 * low.share,
            Some(high) => {
                let width = high.share - low.share;
                if width.abs() <= 1e-12 * low.share.abs().max(high.share.abs()) {
                    break;
                }
                low.share + width * between(&low, high).clamp(0.1, 0.9)
            }
        };
    }
    Ok((low.share > 0.0).then_some(low))
}

/// The minimum of the cubic interpolation of two trials, as a fraction of the distance between them.
fn between(low: &Trial, high: &Trial) -> f64 {
    let width = high.share - low.share;
    let (s0, s1) = (low.derivative * width, high.derivative * width);
    let bend = s0 + s1 - 3.0 * (high.value - low.value);
    let root = bend * bend - s0 * s1;
    let at = 1.0 - (s1 + root.max(0.0).sqrt() - bend) / (s1 - s0 + 2.0 * root.max(0.0).sqrt());
    if root >= 0.0 && at.is_finite() { at } else { 0.5 }
}

/// The lower factor L with L Lᵀ = A.
#[derive(Debug, Clone, PartialEq)]
pub struct Cholesky {
    n: usize,
    /// `[n, n]`, row after row.
    lower: Vec<f64>,
}

impl Cholesky {
    /// The factor of the lower half of `a`, `[n, n]`; `None` unless it is positive definite to rounding.
    pub fn new(a: &[f64], n: usize) -> Option<Self> {
        let mut lower = vec![0.0; n * n];
        for i in 0..n {
            let (above, row) = lower.split_at_mut(i * n);
            let row = &mut row[..n];
            for j in 0..i {
                let other = &above[j * n..];
                row[j] = (a[i * n + j] - dot(&row[..j], &other[..j])) / other[j];
            }
            let rest = a[i * n + i] - dot(&row[..i], &row[..i]);
            if !rest.is_finite() || rest <= 0.0 {
                return None;
            }
            row[i] = rest.sqrt();
        }
        Some(Self { n, lower })
    }

    /// L⁻¹ b.
    pub fn forward(&self, b: &[f64]) -> Vec<f64> {
        let mut x = b.to_vec();
        // Leading zeros stay 0.
        let first = b.iter().position(|&b| b != 0.0).unwrap_or(self.n);
        for i in first..self.n {
            let row = &self.lower[i * self.n..];
            x[i] = (x[i] - dot(&row[first..i], &x[first..i])) / row[i];
        }
        x
    }

    /// A⁻¹ b.
    pub fn solve(&self, b: &[f64]) -> Vec<f64> {
        let mut x = self.forward(b);
        for i in (0..self.n).rev() {
            let row = &self.lower[i * self.n..][..self.n];
            x[i] /= row[i];
            let found = x[i];
            x[..i].iter_mut().zip(row).for_each(|(x, l)| *x -= found * l);
        }
        x
    }

    /// The least fraction of a diagonal entry of A that is not explained by the rows before it: near
    /// 0 if A is singular to rounding.
    pub fn least_share(&self, a: &[f64]) -> f64 {
        let at = |i: usize| i * self.n + i;
        (0..self.n).map(|i| self.lower[at(i)].powi(2) / a[at(i)]).fold(1.0, f64::min)
    }
}

/// Modified Cholesky factorization: the factor of a matrix whose diagonal is raised until it is
/// positive definite to rounding.
pub fn modified_cholesky(a: &[f64], n: usize) -> Cholesky {
    let top = (0..n).map(|i| a[i * n + i].abs()).fold(f64::MIN_POSITIVE, f64::max);
    let mut by = 0.0;
    loop {
        let mut b = a.to_vec();
        (0..n).for_each(|i| b[i * n + i] += by * top);
        match Cholesky::new(&b, n) {
            Some(factor) => return factor,
            // The matrix is not finite: falls back to the gradient's direction.
            None if by > 1e3 => {
                let mut lower = vec![0.0; n * n];
                (0..n).for_each(|i| lower[i * n + i] = 1.0);
                return Cholesky { n, lower };
            }
            None => by = if by == 0.0 { 1e-14 } else { 10.0 * by },
        }
    }
}

/// The largest absolute value; NaN if any value is.
pub fn largest(values: &[f64]) -> f64 {
    let larger = |most: f64, x: f64| if x > most || x.is_nan() { x } else { most };
    values.iter().map(|x| x.abs()).fold(0.0, larger)
}

/// Σ aᵢ bᵢ, in eight partial sums, so that the bits do not depend on the vector width.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let mut sums = [0.0; 8];
    let (a_parts, b_parts) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a_parts.remainder().iter().zip(b_parts.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a_parts.zip(b_parts) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let pair = |i: usize| sums[i] + sums[i + 4];
    (pair(0) + pair(2)) + (pair(1) + pair(3)) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { tolerance: 1e-9, iterations: 500 };

    /// Rosenbrock's valley in pairs, with its minimum at 1 everywhere.
    fn valley(x: &[f64]) -> Evaluation {
        let mut gradient = vec![0.0; x.len()];
        let mut value = 0.0;
        for (x, g) in x.chunks_exact(2).zip(gradient.chunks_exact_mut(2)) {
            let (a, b) = (x[0], x[1]);
            value += 100.0 * (b - a * a).powi(2) + (1.0 - a).powi(2);
            g[0] = -400.0 * a * (b - a * a) - 2.0 * (1.0 - a);
            g[1] = 200.0 * (b - a * a);
        }
        Evaluation { value, gradient, hessian: Vec::new() }
    }

    #[test]
    fn both_find_the_end_of_the_valley() {
        let start = vec![-1.2, 1.0, 0.5, 2.0, -1.0, -1.0];
        let found = lbfgs(start.clone(), LIMITS, None, &mut |x| Ok(valley(x))).unwrap();
        assert_eq!(found.ended, Ended::Converged);
        assert!(found.at.iter().all(|x| (x - 1.0).abs() < 1e-8), "{:?}", found.at);
        assert!(found.trace.windows(2).all(|w| w[1] < w[0]), "{:?}", found.trace);
        assert!(found.trace.len() < 100, "{}", found.trace.len());
        let mut curved = |x: &[f64]| {
            let n = x.len();
            let mut hessian = vec![0.0; n * n];
            for i in (0..n).step_by(2) {
                hessian[i * n + i] = 1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0;
                hessian[(i + 1) * n + i] = -400.0 * x[i];
                hessian[(i + 1) * n + i + 1] = 200.0;
            }
            Ok(Evaluation { hessian, ..valley(x) })
        };
        let found = newton(start, LIMITS, &mut curved, &mut |_| Ok(())).unwrap();
        assert_eq!(found.ended, Ended::Converged);
        assert!(found.at.iter().all(|x| (x - 1.0).abs() < 1e-12), "{:?}", found.at);
        assert!(found.trace.len() < 40, "{}", found.trace.len());
    }

    /// An ill-conditioned quadratic.
    #[test]
    fn lbfgs_takes_curvatures_far_apart() {
        let curvature = |i: usize| 10f64.powf(i as f64 / 20.0 - 1.0);
        let mut evaluate = |x: &[f64]| {
            let gradient: Vec<f64> =
                x.iter().enumerate().map(|(i, x)| curvature(i) * (x - i as f64)).collect();
            let terms = gradient.iter().enumerate().map(|(i, g)| 0.5 * g * g / curvature(i));
            Ok(Evaluation { value: terms.sum(), gradient, hessian: Vec::new() })
        };
        let found = lbfgs(vec![0.0; 50], LIMITS, None, &mut evaluate).unwrap();
        assert_eq!(found.ended, Ended::Converged);
        let near = |(i, x): (usize, &f64)| (x - i as f64).abs() < 1e-6;
        assert!(found.at.iter().enumerate().all(near), "{:?}", found.at);
        // Most of the curvature known, and the rest within a factor of two.
        let known = |x: &mut [f64]| {
            x.iter_mut().enumerate().for_each(|(i, x)| *x /= curvature(i) * [1.0, 2.0][i % 2]);
        };
        let quick = lbfgs(vec![0.0; 50], LIMITS, Some(&known), &mut evaluate).unwrap();
        assert_eq!(quick.ended, Ended::Converged);
        assert!(quick.at.iter().enumerate().all(near), "{:?}", quick.at);
        assert!(10 * quick.trace.len() < found.trace.len(), "{}", quick.trace.len());
    }

    #[test]
    fn iterations_end_where_they_are_told() {
        let few = Limits { tolerance: 0.0, iterations: 3 };
        let found = lbfgs(vec![-1.2, 1.0], few, None, &mut |x| Ok(valley(x))).unwrap();
        assert_eq!((found.ended, found.trace.len()), (Ended::Iterations, 3));
        // These gradients are never exactly 0.
        let never = Limits { tolerance: 0.0, iterations: 10_000 };
        let mut exponents = |x: &[f64]| {
            let value = (x[0] - 0.3).exp() - 1.1 * x[0];
            let gradient = vec![(x[0] - 0.3).exp() - 1.1];
            Ok(Evaluation { value, gradient, hessian: Vec::new() })
        };
        let found = lbfgs(vec![5.0], never, None, &mut exponents).unwrap();
        assert!(found.ended != Ended::Iterations && found.trace.len() < 100, "{found:?}");
        assert!((found.at[0] - 0.3 - 1.1f64.ln()).abs() < 1e-7, "{found:?}");
    }

    /// exp(−x) decreases without bound, and Newton's step stays 1.
    #[test]
    fn a_fall_without_end_is_asked_about() {
        let mut asked = Vec::new();
        let mut evaluate = |x: &[f64]| {
            let value = (-x[0]).exp();
            Ok(Evaluation { value, gradient: vec![-value], hessian: vec![value] })
        };
        let limits = Limits { tolerance: 1e-6, iterations: 20 };
        let mut flat = |step: &[f64]| {
            asked.push(step[0]);
            Ok(())
        };
        let found = newton(vec![0.0], limits, &mut evaluate, &mut flat).unwrap();
        assert_eq!(found.ended, Ended::Iterations);
        assert_eq!(asked.len(), 7);
        assert!(asked.iter().all(|step| (step - 1.0).abs() < 1e-9), "{asked:?}");
    }

    #[test]
    fn factors_solve() {
        let n = 13;
        let entry = |i: usize, j: usize| ((3 * i + 7 * j) as f64).sin();
        let mut a = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                let product: f64 = (0..n).map(|k| entry(i, k) * entry(j, k)).sum();
                a[i * n + j] = product + if i == j { 0.5 } else { 0.0 };
            }
        }
        let factor = Cholesky::new(&a, n).unwrap();
        let b: Vec<f64> = (0..n).map(|i| if i < 3 { 0.0 } else { i as f64 - 5.0 }).collect();
        let x = factor.solve(&b);
        for i in 0..n {
            assert!((dot(&a[i * n..(i + 1) * n], &x) - b[i]).abs() < 1e-10);
        }
        let half = factor.forward(&b);
        assert!((dot(&half, &half) - dot(&b, &x)).abs() < 1e-10);
        assert!(Cholesky::new(&[1.0, 0.0, 2.0, 1.0], 2).is_none());
        assert!(Cholesky::new(&[f64::NAN], 1).is_none());
        let near = [1.0, 0.0, 1.0, 1.0 + 1e-12];
        assert!(Cholesky::new(&near, 2).unwrap().least_share(&near) < 1e-11);
    }
}
