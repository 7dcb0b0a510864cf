//! The standard normal distribution function and its inverse, in logarithms.

use super::{HALF_LN_TAU, LN_2, LogTails};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// e^(x²) erfc(x) for x ≥ 0.
pub fn scaled_erfc(x: f64) -> f64 {
    if x < 5.0 {
        return (x * x).exp() * libm::erfc(x);
    }
    // The continued fraction of Laplace, from its end.
    let terms = if x < 10.0 { 60 } else { 20 };
    let mut rest = x;
    for k in (1..=terms).rev() {
        rest = x + 0.5 * f64::from(k) / rest;
    }
    1.0 / (PI.sqrt() * rest)
}

/// ln Φ(z) and ln Φ(−z).
pub fn normal_tails(z: f64) -> LogTails {
    let small = |z: f64| -0.5 * z * z + scaled_erfc(z * FRAC_1_SQRT_2).ln() - LN_2;
    if z.is_nan() {
        LogTails { lower: z, upper: z }
    } else if z.is_infinite() {
        if z < 0.0 { LogTails::NONE } else { LogTails::ALL }
    } else if z < 0.0 {
        LogTails::from_lower(small(-z))
    } else {
        LogTails::from_upper(small(z))
    }
}

/// The logarithm of the standard normal density.
pub fn normal_log_density(z: f64) -> f64 {
    -0.5 * z * z - HALF_LN_TAU
}

/// The z with these tails.
pub fn normal_quantile(p: LogTails) -> f64 {
    if p.lower > p.upper {
        return -normal_quantile(p.swapped());
    }
    if p.lower == f64::NEG_INFINITY {
        return f64::NEG_INFINITY;
    }
    // Abramowitz and Stegun 26.2.23, then Newton's steps on ln Φ, which is concave.
    let t = (-2.0 * p.lower).sqrt();
    let over = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let under = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut z = over / under - t;
    for _ in 0..6 {
        let tails = normal_tails(z);
        let slope = (normal_log_density(z) - tails.lower).exp();
        let error = tails.lower - p.lower;
        // Halley: (ln Φ)'' = −slope (z + slope).
        let newton = error / slope;
        let step = newton / (1.0 + 0.5 * newton * (z + slope)).max(0.5);
        z -= step;
        if step.abs() <= 1e-15 * z.abs() {
            break;
        }
    }
    z
}
