//! The modified Bessel functions I₀ and I₁.

use std::f64::consts::TAU;

/// From here on the asymptotic series is exact to rounding.
const LARGE: f64 = 30.0;

/// e⁻ˣ I₀(x), x ≥ 0.
pub fn scaled_i0(x: f64) -> f64 {
    scaled(x, 0.0)
}

/// e⁻ˣ I₁(x), x ≥ 0.
pub fn scaled_i1(x: f64) -> f64 {
    scaled(x, 1.0)
}

/// ln I₀(x), x ≥ 0, exact for small x, too.
pub fn ln_i0(x: f64) -> f64 {
    if x < 1.0 {
        let quarter = 0.25 * x * x;
        let (mut sum, mut term, mut k) = (0.0, 1.0, 0.0);
        while term > 1e-18 {
            k += 1.0;
            term *= quarter / (k * k);
            sum += term;
        }
        return sum.ln_1p();
    }
    x + scaled_i0(x).ln()
}

/// A(x) = I₁(x) / I₀(x), the mean resultant length of a von Mises distribution.
pub fn resultant(x: f64) -> f64 {
    scaled_i1(x) / scaled_i0(x)
}

/// 1 − A(x), without cancellation at large x.
pub fn resultant_rest(x: f64) -> f64 {
    if x < LARGE {
        return 1.0 - resultant(x);
    }
    // I₀ − I₁ term by term.
    let (mut sum, mut zero, mut one, mut k) = (0.0, 1.0, 1.0, 0.0);
    loop {
        k += 1.0;
        let (before, odd) = (zero - one, 2.0 * k - 1.0);
        sum += before;
        zero *= odd * odd / (8.0 * k * x);
        one *= (odd * odd - 4.0) / (8.0 * k * x);
        if zero < 1e-18 || k > 60.0 {
            break;
        }
    }
    sum / (scaled_i0(x) * (TAU * x).sqrt())
}

/// A′(x) = 1 − A / x − A².
pub fn resultant_slope(x: f64) -> f64 {
    if x < 1e-4 {
        return 0.5 - 3.0 / 16.0 * x * x;
    }
    if x > 300.0 {
        // The derivative of A ≈ 1 − 1 / (2 x) − 1 / (8 x²) − 1 / (8 x³) − …
        let series = [0.5, 0.25, 0.375, 25.0 / 32.0, 65.0 / 32.0, 3219.0 / 512.0];
        return super::polynomial(&series, 1.0 / x) / (x * x);
    }
    let rest = resultant_rest(x);
    rest * (2.0 - rest) - (1.0 - rest) / x
}

/// e⁻ˣ I(x) of an order 0 or 1.
fn scaled(x: f64, order: f64) -> f64 {
    if x < LARGE {
        let quarter = 0.25 * x * x;
        let (mut sum, mut term, mut k) = (1.0, 1.0, 0.0);
        while term > 1e-17 * sum {
            k += 1.0;
            term *= quarter / (k * (k + order));
            sum += term;
        }
        let first = if order == 0.0 { 1.0 } else { 0.5 * x };
        return first * sum * (-x).exp();
    }
    let (mut sum, mut term, mut k) = (1.0, 1.0, 0.0);
    while k < 60.0 && f64::abs(term) > 1e-17 {
        k += 1.0;
        let odd = 2.0 * k - 1.0;
        term *= (odd * odd - 4.0 * order * order) / (8.0 * k * x);
        sum += term;
    }
    sum / (TAU * x).sqrt()
}
