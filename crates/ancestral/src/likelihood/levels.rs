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

/// The mean level Σ k p_k of a distribution over the levels' intervals, as Σ P(level ≥ k) over k ≥ 1;
/// `above` is its upper tail in scales, of no weight in double precision beyond `far`.
fn mean(mean: f64, scale: f64, levels: usize, far: f64, above: impl Fn(f64) -> f64) -> f64 {
    let top = (levels - 1) as f64;
    // The lower end of level k is (2k − 1) / top − 1.
    let level = |x: f64| ((x + 1.0) * top + 1.0) * 0.5;
    let [from, to] = [-far, far].map(|z| level(mean + z * scale).clamp(0.0, top).floor());
    let above = |k: usize| above(((2.0 * k as f64 - 1.0) / top - 1.0 - mean) / scale);
    // All levels up to `from` are passed.
    from + (from as usize + 1..=to as usize).map(above).sum::<f64>()
}

/// The mean level of a logistic.
pub(super) fn logistic_mean(center: f64, scale: f64, levels: usize) -> f64 {
    mean(center, scale, levels, 40.0, |z| 1.0 / (1.0 + z.exp()))
}

/// The mean level of a normal.
pub(super) fn normal_mean(center: f64, sigma: f64, levels: usize) -> f64 {
    mean(center, sigma, levels, 9.0, |z| normal_tails(z).upper.exp())
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
