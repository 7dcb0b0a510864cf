//! Distributions of reals that are cut into levels, in double precision: the log-probability of a level,
//! and the mean level. For training, `ancestral_kernels::level_log_probability` has the first and its
//! derivatives.
//!
//! The levels 0 to L − 1 stand at −1 to 1, each with the interval of half a step to both sides, and those
//! at the ends reach to infinity.

use crate::special::ln_1m_exp;
use crate::special::normal::{normal_log_density, normal_tails};

/// log p of a level under a logistic whose mass is cut into levels.
pub(super) fn logistic(x: f64, mean: f64, log_scale: f64, levels: usize) -> f64 {
    let top = (levels - 1) as f64;
    let softplus = |v: f64| v.max(0.0) + (-v.abs()).exp().ln_1p();
    let inverse = (-log_scale).exp();
    let middle = (x * (2.0 / top) - 1.0 - mean) * inverse;
    let half = inverse / top;
    let log_upper = -softplus(-(middle + half));
    let log_lower = -softplus(middle - half);
    if x <= 0.0 {
        log_upper
    } else if x >= top {
        log_lower
    } else {
        // log(1 − e^(−2h)).
        log_upper + log_lower + (-(-2.0 * half).exp_m1()).ln()
    }
}

/// A standardized distribution, by its upper tail Q.
trait Upper {
    /// In scales, from where on a tail has no weight in double precision.
    const FAR: f64;

    fn tail(z: f64) -> f64;

    /// An antiderivative of Q.
    fn integral(z: f64) -> f64;

    /// Q′ and Q‴.
    fn slopes(z: f64) -> [f64; 2];
}

struct Logistic;

impl Upper for Logistic {
    const FAR: f64 = 40.0;

    fn tail(z: f64) -> f64 {
        1.0 / (1.0 + z.exp())
    }

    fn integral(z: f64) -> f64 {
        z.min(0.0) - (-z.abs()).exp().ln_1p()
    }

    fn slopes(z: f64) -> [f64; 2] {
        let density = Self::tail(z) * Self::tail(-z);
        [-density, -density * (1.0 - 6.0 * density)]
    }
}

struct Normal;

impl Upper for Normal {
    const FAR: f64 = 9.0;

    fn tail(z: f64) -> f64 {
        normal_tails(z).upper.exp()
    }

    fn integral(z: f64) -> f64 {
        z * Self::tail(z) - normal_log_density(z).exp()
    }

    fn slopes(z: f64) -> [f64; 2] {
        let density = normal_log_density(z).exp();
        [-density, -density * (z * z - 1.0)]
    }
}

/// A scale in levels from where on the sum of tails is an integral with the corrections of its ends: what
/// the next one would add is below 1e-9.
const WIDE: f64 = 8.0;

/// The mean level Σ k p_k of a distribution over the levels' intervals, as Σ P(level ≥ k) over k ≥ 1.
fn mean<U: Upper>(center: f64, scale: f64, levels: usize) -> f64 {
    let top = (levels - 1) as f64;
    // In levels; the lower end of level k is k − ½.
    let (center, scale) = ((center + 1.0) * 0.5 * top, scale * 0.5 * top);
    let at = |x: f64| (x - center) / scale;
    if scale < WIDE {
        let [from, to] =
            [-U::FAR, U::FAR].map(|z| (center + z * scale + 0.5).clamp(0.0, top).floor());
        // All levels up to `from` are passed.
        let rest = from as usize + 1..=to as usize;
        return from + rest.map(|k| U::tail(at(k as f64 - 0.5))).sum::<f64>();
    }
    // Euler and Maclaurin's formula for the middles of intervals.
    let (a, b) = (at(0.0), at(top));
    let difference = |i: usize| U::slopes(b)[i] - U::slopes(a)[i];
    let integral = if b - a < 0.01 {
        // The difference would cancel; by Simpson's rule.
        (U::tail(a) + 4.0 * U::tail(0.5 * (a + b)) + U::tail(b)) * top / 6.0
    } else {
        scale * (U::integral(b) - U::integral(a))
    };
    let sum =
        integral - difference(0) / (24.0 * scale) + 7.0 * difference(1) / (5760.0 * scale.powi(3));
    sum.clamp(0.0, top)
}

/// The mean level of a logistic.
pub(super) fn logistic_mean(center: f64, scale: f64, levels: usize) -> f64 {
    mean::<Logistic>(center, scale, levels)
}

/// The mean level of a normal.
pub(super) fn normal_mean(center: f64, sigma: f64, levels: usize) -> f64 {
    mean::<Normal>(center, sigma, levels)
}

/// log p of a level under a normal whose mass is cut into levels.
pub(super) fn normal(x: f64, mean: f64, log_sigma: f64, levels: usize) -> f64 {
    let top = (levels - 1) as f64;
    let inverse = (-log_sigma).exp();
    let middle = (x * (2.0 / top) - 1.0 - mean) * inverse;
    let half = inverse / top;
    if x <= 0.0 {
        return normal_tails(middle + half).lower;
    }
    if x >= top {
        return normal_tails(middle - half).upper;
    }
    let far = middle.abs();
    if half * far.max(1.0) < 1e-3 {
        // An interval so narrow that the density in its middle, with its curvature, serves.
        return normal_log_density(middle)
            + (2.0 * half).ln()
            + (half * half * (far * far - 1.0) / 6.0).ln_1p();
    }
    let near = normal_tails(far - half).upper;
    near + ln_1m_exp(normal_tails(far + half).upper - near)
}

/// y = |η| and a = y / L.
fn rates(logit: f64, levels: usize) -> (f64, f64) {
    (logit.abs(), logit.abs() / levels as f64)
}

/// log p of a level under a continuous Bernoulli of logit η whose mass is cut into L levels, a geometric
/// series: log p = −a k − log (1 − e^(−y)) / (1 − e^(−a)).
pub(super) fn geometric(x: f64, logit: f64, levels: usize) -> f64 {
    let (y, a) = rates(logit, levels);
    let from_end = if logit > 0.0 { (levels - 1) as f64 - x } else { x };
    let total =
        if y < 1e-6 { (levels as f64).ln() - 0.5 * y } else { ln_1m_exp(-y) - ln_1m_exp(-a) };
    -a * from_end - total
}

/// The mean level of the same.
pub(super) fn geometric_mean(logit: f64, levels: usize) -> f64 {
    let (y, a) = rates(logit, levels);
    let n = levels as f64;
    let from_end = if y < 1e-3 {
        // To y³.
        (n - 1.0) * 0.5 - y * (n - 1.0 / n) / 12.0
    } else {
        1.0 / a.exp_m1() - n / y.exp_m1()
    };
    if logit > 0.0 { n - 1.0 - from_end } else { from_end }
}

/// A level of the same from a uniform number.
pub(super) fn geometric_draw(logit: f64, u: f64, levels: usize) -> f64 {
    let (y, _) = rates(logit, levels);
    let top = (levels - 1) as f64;
    let share = if y < 1e-6 { u } else { -(u * (-y).exp_m1()).ln_1p() / y };
    let from_end = (share * levels as f64).floor().min(top);
    if logit > 0.0 { top - from_end } else { from_end }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Means are Σ P(level ≥ k), from scales of a thousandth of a level to e⁵⁰, near the levels and far.
    #[test]
    fn means_are_the_sums_of_tails() {
        for levels in [2usize, 17, 256] {
            let top = (levels - 1) as f64;
            for scale in [1e-3, 0.5, 7.9, 8.1, 40.0, 2e3, 2.6e4, 1e9, 5e21].map(|s| s * 2.0 / top) {
                for center in [-1e4, -3.0, -1.0, -0.2, 0.6, 1.0, 2.0, 1e4] {
                    let sum = |tail: &dyn Fn(f64) -> f64| -> f64 {
                        let at = |k: f64| ((2.0 * k - 1.0) / top - 1.0 - center) / scale;
                        (1..levels).map(|k| tail(at(k as f64))).sum()
                    };
                    for (found, expected) in [
                        (logistic_mean(center, scale, levels), sum(&Logistic::tail)),
                        (normal_mean(center, scale, levels), sum(&Normal::tail)),
                    ] {
                        let error = (found - expected).abs();
                        assert!(
                            error < 2e-9 * (1.0 + top),
                            "{levels} {scale} {center}: {found} {expected}"
                        );
                    }
                }
            }
        }
    }
}
