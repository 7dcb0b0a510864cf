//! Special functions in double precision, each tested against mpmath.
//!
//! Probabilities are returned as logarithms of both tails, so that neither loses digits where the
//! other is close to 1. erfc and ln Γ are those of `libm`.

pub mod bessel;
pub mod beta;
pub mod gamma;
pub mod normal;
pub mod owen;
pub mod vectorized;

/// ½ ln 2π.
pub const HALF_LN_TAU: f64 = 0.918_938_533_204_672_8;
/// ln 2.
pub const LN_2: f64 = std::f64::consts::LN_2;

/// The natural logarithms of P(X ≤ x) and P(X > x).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogTails {
    /// ln P(X ≤ x).
    pub lower: f64,
    /// ln P(X > x).
    pub upper: f64,
}

impl LogTails {
    /// All probability lies above.
    pub const NONE: Self = Self { lower: f64::NEG_INFINITY, upper: 0.0 };
    /// All probability lies below.
    pub const ALL: Self = Self { lower: 0.0, upper: f64::NEG_INFINITY };

    /// From ln P(X ≤ x).
    pub fn from_lower(lower: f64) -> Self {
        let lower = lower.min(0.0);
        Self { lower, upper: ln_1m_exp(lower) }
    }

    /// From ln P(X > x).
    pub fn from_upper(upper: f64) -> Self {
        Self::from_lower(upper).swapped()
    }

    /// From P(X ≤ x), 0 to 1.
    pub fn from_probability(p: f64) -> Self {
        Self { lower: p.ln(), upper: (-p).ln_1p() }
    }

    /// The tails exchanged, as for −X.
    pub fn swapped(self) -> Self {
        Self { lower: self.upper, upper: self.lower }
    }
}

/// ln(1 − eˡ) for l ≤ 0 (Mächler 2012).
pub fn ln_1m_exp(l: f64) -> f64 {
    if l > -LN_2 { (-l.exp_m1()).ln() } else { (-l.exp()).ln_1p() }
}

/// ln(eᵃ + eᵇ).
pub fn ln_add_exp(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// ln(eᵃ − eᵇ) for a ≥ b.
pub fn ln_sub_exp(a: f64, b: f64) -> f64 {
    if b == f64::NEG_INFINITY { a } else { a + ln_1m_exp((b - a).min(0.0)) }
}

/// ln(1 + x) − x without cancellation, x > −1.
pub fn ln_1p_minus(x: f64) -> f64 {
    if x.abs() > 0.5 {
        return x.ln_1p() - x;
    }
    // ln(1 + x) = 2 artanh r with r = x / (2 + x), and 2 r − x = −r x.
    let r = x / (2.0 + x);
    let square = r * r;
    let terms = if x.abs() < 0.125 { &ARTANH[..8] } else { &ARTANH[..] };
    r * (2.0 * square * polynomial(terms, square) - x)
}

/// 1 / (2 k + 3), the series of artanh from its second term on.
const ARTANH: [f64; 17] = {
    let mut series = [0.0; 17];
    let mut k = 0;
    while k < 17 {
        series[k] = 1.0 / (2 * k + 3) as f64;
        k += 1;
    }
    series
};

/// The deviance φ(t) = t − 1 − ln t ≥ 0, t > 0, without cancellation near 1.
pub fn deviance(t: f64) -> f64 {
    if (t - 1.0).abs() > 0.5 { t - 1.0 - t.ln() } else { -ln_1p_minus(t - 1.0) }
}

/// The polynomial Σ cₖ xᵏ.
pub fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

#[cfg(test)]
mod tests;
