//! The beta function's logarithm and the incomplete beta function.

use super::gamma::{digamma, ln_gamma, ln_gamma_1p, stirling_rest};
use super::{HALF_LN_TAU, LogTails, ln_1p_minus};

/// ln B(a, b), a and b > 0.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    let sum = a + b;
    if large < 10.0 {
        return ln_gamma(a) + ln_gamma(b) - ln_gamma(sum);
    }
    // ln Γ(b) − ln Γ(a + b) by Stirling's formula, whose large terms cancel in closed form.
    let ratio =
        -(large - 0.5) * (small / large).ln_1p() - small * sum.ln() + small + stirling_rest(large)
            - stirling_rest(sum);
    ln_gamma(small) + ratio
}

/// ln(xᵃ yᵇ / B(a, b)) with y = 1 − x, by the saddle point x = a / (a + b).
pub fn ln_beta_kernel(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if a.min(b) < 1e-3 || x <= 0.0 || y <= 0.0 {
        return power(a, x) + power(b, y) - ln_beta(a, b);
    }
    let d = b * x - a * y;
    let sum = a + b;
    a * ln_1p_minus_large(d / a, x * sum / a)
        + b * ln_1p_minus_large(-d / b, y * sum / b)
        + 0.5 * (a.ln() + (b / sum).ln())
        - HALF_LN_TAU
        - stirling_rest(a)
        - stirling_rest(b)
        + stirling_rest(sum)
}

/// ln(1 + e) − e where 1 + e is given as well, since e may be −1 to rounding.
fn ln_1p_minus_large(e: f64, one_more: f64) -> f64 {
    if e.abs() < 0.5 { ln_1p_minus(e) } else { one_more.ln() - e }
}

/// a ln x, 0 for 0 ln 0.
fn power(a: f64, x: f64) -> f64 {
    if a == 0.0 { 0.0 } else { a * x.ln() }
}

/// ln I and ln(1 − I) of the regularized incomplete beta function I(x; a, b), with y = 1 − x given
/// apart, since it may be tiny.
pub fn beta_tails(a: f64, b: f64, x: f64, y: f64) -> LogTails {
    if x <= 0.0 {
        return LogTails::NONE;
    }
    if y <= 0.0 {
        return LogTails::ALL;
    }
    if x * b > y * a && x * (a + b + 2.0) > a + 1.0 {
        return half(b, a, y, x).swapped();
    }
    half(a, b, x, y)
}

/// The tails where the lower one is found directly.
fn half(a: f64, b: f64, x: f64, y: f64) -> LogTails {
    if a < 1.0 && b * x <= 1.0 && x <= 0.9 {
        return small(a, b, x);
    }
    let kernel = ln_beta_kernel(a, b, x, y);
    LogTails::from_lower(kernel - fraction(a, b, x, y).ln())
}

/// The continued fraction by which xᵃ yᵇ / B(a, b) is divided (Didonato and Morris 1992, in the form
/// with positive denominators).
fn fraction(a: f64, b: f64, x: f64, y: f64) -> f64 {
    const TINY: f64 = 1e-300;
    // αₙ and βₙ of their equation 9, with a − (a + b) x = a y − b x.
    let lambda = a * y - b * x;
    let first = a * (lambda + 1.0) / (a + 1.0);
    let mut f = if first == 0.0 { TINY } else { first };
    let (mut c, mut d) = (f, 0.0);
    let mut n = 1.0;
    while n < 1e6 {
        let below = a + 2.0 * n - 1.0;
        let alpha = (a + n - 1.0) / below * ((a + b + n - 1.0) / below) * n * (b - n) * x * x;
        let beta = n
            + n * (b - n) * x / below
            + (a + n) * (lambda + 1.0 + n * (1.0 + y)) / (a + 2.0 * n + 1.0);
        d = beta + alpha * d;
        d = if d.abs() < TINY { TINY } else { d };
        c = beta + alpha / c;
        c = if c.abs() < TINY { TINY } else { c };
        d = 1.0 / d;
        let factor = c * d;
        f *= factor;
        if (factor - 1.0).abs() < 1e-16 {
            break;
        }
        n += 1.0;
    }
    f
}

/// a below 1 and b x at most 1: I = xᵃ / (a B) (1 + a Σ (1 − b) … (n − b) xⁿ / (n! (a + n))), where
/// 1 − I keeps its digits even if it is tiny.
fn small(a: f64, b: f64, x: f64) -> LogTails {
    let (mut sum, mut term, mut n) = (0.0, 1.0, 0.0);
    while n < 1e4 {
        n += 1.0;
        term *= (n - b) / n * x;
        sum += term / (a + n);
        if term.abs() <= 1e-18 {
            break;
        }
    }
    // ln(a B(a, b)).
    let ln_ab = if a < 1e-5 * b {
        // The middle of ψ over [b, a + b].
        ln_gamma_1p(a) - a * digamma(b + 0.5 * a)
    } else if b < 10.0 {
        ln_gamma_1p(a) + ln_gamma(b) - ln_gamma(a + b)
    } else {
        a.ln() + ln_beta(a, b)
    };
    let start = a * x.ln() - ln_ab;
    let lower = start + (a * sum).ln_1p();
    if lower < -0.7 {
        return LogTails::from_lower(lower);
    }
    let upper = -start.exp_m1() - start.exp() * a * sum;
    LogTails { lower, upper: upper.max(0.0).ln() }
}
