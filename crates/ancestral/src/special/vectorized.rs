//! Elementary functions without branches, so that a loop over rows is compiled to vector
//! instructions; to about two units in the last place.
//!
//! They use no fused multiplication, so that they have the same bits on every machine.

use super::{ARTANH, LN_2};
use std::f64::consts::LOG2_E;

/// 1.5 · 2⁵²: a number added to it is rounded to a whole one, which is in its last bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts; multiples of the first one up to 2¹¹ are exact.
const LN_2_HIGH: f64 = f64::from_bits(LN_2.to_bits() & !0x1F_FFFF);
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// The bits of the fraction, of 1 and of √½.
const FRACTION: u64 = (1 << 52) - 1;
const ONE: u64 = 1023 << 52;
const ROOT_HALF: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();

/// 1 / (k + 2)!, the series of (eˣ − 1 − x) / x².
const EXPONENTIAL: [f64; 12] = {
    let (mut series, mut factorial, mut k) = ([0.0; 12], 1.0, 0);
    while k < 12 {
        factorial *= (k + 2) as f64;
        series[k] = 1.0 / factorial;
        k += 1;
    }
    series
};

/// Of (1 + 2 x) e^(x²) erfc(x) in (x − 4) / (x + 4), printed by `golden/scaled_erfc.py`.
const SCALED_ERFC: [f64; 26] = [
    1.2329951186255526,
    -0.1396211168405625,
    0.015379652102619604,
    0.0680970542546904,
    -0.10103906603630056,
    0.09373283499843826,
    -0.06633036581218697,
    0.03716751553592911,
    -0.016197734059799265,
    0.005031969992669933,
    -0.0007577732613730956,
    -0.0001992567757633648,
    0.0001506214900124047,
    -2.4398944545280832e-05,
    -1.1221287012353486e-05,
    5.709206053072183e-06,
    2.919733377963012e-07,
    -8.249198427508354e-07,
    7.746992727017941e-08,
    1.1009737295274889e-07,
    -2.05606492756992e-08,
    -1.4709550868669278e-08,
    3.1695881915648173e-09,
    1.7903326159489847e-09,
    -2.659599690242689e-10,
    -1.374652989001164e-10,
];

/// The polynomial Σ cₖ xᵏ, even and odd powers apart.
#[inline(always)]
pub fn polynomial<const N: usize>(coefficients: &[f64; N], x: f64) -> f64 {
    let square = x * x;
    let mut sums = [0.0; 2];
    for (k, c) in coefficients.iter().enumerate().rev() {
        sums[k % 2] = sums[k % 2] * square + c;
    }
    sums[0] + sums[1] * x
}

/// eˣ for x from −708 to 709; below, its value there, and above ∞.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    let beyond = if x > 709.0 { f64::INFINITY } else { 0.0 };
    let x = if x < -708.0 { -708.0 } else { x };
    let x = if x > 709.0 { 709.0 } else { x };
    let rounded = x * LOG2_E + ROUND;
    let power = f64::from_bits((rounded.to_bits() << 52).wrapping_add(ONE));
    let k = rounded - ROUND;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    (r * r * polynomial(&EXPONENTIAL, r) + r + 1.0) * power + beyond
}

/// x = 2ᵏ m with m from √½ to √2, for a normal x > 0.
#[inline(always)]
fn parts(x: f64) -> (f64, f64) {
    let bits = x.to_bits().wrapping_add(ONE - ROOT_HALF);
    // The exponent as a number, by the last bits of 2⁵².
    let k = f64::from_bits((bits >> 52) | 1075 << 52) - (4_503_599_627_370_496.0 + 1023.0);
    (k, f64::from_bits((bits & FRACTION) + ROOT_HALF))
}

/// ln(2ᵏ m) + c for a small c, by 2 artanh(s), s = (m − 1) / (m + 1).
#[inline(always)]
fn joined(k: f64, m: f64, c: f64) -> f64 {
    let Some(terms) = ARTANH.first_chunk::<10>() else {
        return f64::NAN;
    };
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let square = s * s;
    let half = 0.5 * f * f;
    // f − ½ f² + s (½ f² + 2 s² (⅓ + s² / 5 + …)).
    let rest = s * (half + 2.0 * square * polynomial(terms, square));
    k * LN_2_HIGH - ((half - (rest + (k * LN_2_LOW + c))) - f)
}

/// ln x for a normal number x > 0, NaN for others.
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    let (k, m) = parts(x);
    let low = if x >= f64::MIN_POSITIVE { 0.0 } else { f64::NAN };
    let high = if x <= f64::MAX { low } else { f64::NAN };
    joined(k, m, high)
}

/// ln(x / c) for normal numbers above 0, exact where x is close to c; NaN if the quotient is none.
#[inline(always)]
pub fn ln_ratio(x: f64, c: f64) -> f64 {
    let (apart, ratio) = ((x - c) / c, x / c);
    let near = apart.abs() < 0.5;
    let u = 1.0 + apart;
    // What the sum has lost, divided by it: it is near 1.
    let lost = (apart - (u - 1.0)) * (2.0 - u);
    let low = if ratio >= f64::MIN_POSITIVE { 0.0 } else { f64::NAN };
    let high = if ratio <= f64::MAX { low } else { f64::NAN };
    let (k, m) = parts(if near { u } else { ratio });
    joined(k, m, if near { lost } else { high })
}

/// ln(1 + x) for x > −1, given with 1 / (1 + x).
#[inline(always)]
pub fn ln_1p(x: f64) -> (f64, f64) {
    let inverse = 1.0 / (1.0 + x);
    (ln_1p_by(x, inverse), inverse)
}

/// ln(1 + x) for x > −1, by 1 / (1 + x) to a few digits.
#[inline(always)]
pub fn ln_1p_by(x: f64, inverse: f64) -> f64 {
    let u = 1.0 + x;
    // What the sum has lost (Knuth's two-sum).
    let taken = u - 1.0;
    let lost = (1.0 - (u - taken)) + (x - taken);
    let (k, m) = parts(u);
    joined(k, m, lost * inverse)
}

/// e^(x²) erfc(x) for x ≥ 0.
#[inline(always)]
pub fn scaled_erfc(x: f64) -> f64 {
    let t = (x - 4.0) / (x + 4.0);
    polynomial(&SCALED_ERFC, t) / (1.0 + 2.0 * x)
}

/// A product whose logarithm is a sum of logarithms of normal numbers, in parts that no number of
/// factors overflows.
#[derive(Clone, Copy)]
pub struct LogProduct {
    exponents: u64,
    fraction: f64,
    count: u64,
}

impl LogProduct {
    /// The product of none.
    pub const EMPTY: Self = Self { exponents: 0, fraction: 1.0, count: 0 };

    /// Multiplies by a number, at most a thousand times.
    #[inline(always)]
    pub fn multiply(&mut self, x: f64) {
        let bits = x.to_bits();
        self.exponents = self.exponents.wrapping_add(bits >> 52);
        self.fraction *= f64::from_bits(bits & FRACTION | ONE);
        self.count += 1;
    }

    /// The logarithm.
    pub fn ln(self) -> f64 {
        let exponent = self.exponents as i64 - 1023 * self.count as i64;
        self.fraction.ln() + exponent as f64 * LN_2
    }
}

#[cfg(test)]
mod tests {
    use super::super::normal;
    use super::*;

    /// Units in the last place.
    fn ulps(found: f64, expected: f64) -> f64 {
        (found - expected).abs()
            / (expected.abs().next_up() - expected.abs()).max(f64::MIN_POSITIVE)
    }

    #[test]
    fn functions_agree_with_those_of_the_standard_library() {
        let mut worst = [0.0_f64; 4];
        for i in 0..200_000 {
            let u = (f64::from(i) * 0.618_033_988_749_894_9).fract();
            let v = (f64::from(i) * 0.414_213_562_373_095_1).fract();
            let x = 1400.0 * u - 700.0;
            worst[0] = worst[0].max(ulps(exp(x), x.exp())).max(ulps(exp(u - 0.5), (u - 0.5).exp()));
            let y = (1400.0 * v - 700.0).exp();
            let near = 1.0 + (u - 0.5) * 2f64.powf(-30.0 * v);
            worst[1] = worst[1].max(ulps(ln(y), y.ln())).max(ulps(ln(near), near.ln()));
            for w in [y, near - 1.0, 3.0 * u, v - 0.999] {
                let (found, inverse) = ln_1p(w);
                worst[2] = worst[2].max(ulps(found, w.ln_1p()));
                assert_eq!(inverse, 1.0 / (1.0 + w));
            }
            for (x, c) in [(y, 3.0), (near, 1.0), (1.5 * near, 1.2)] {
                let apart = (x - c) / c;
                let expected = if apart.abs() < 0.5 { apart.ln_1p() } else { (x / c).ln() };
                worst[1] = worst[1].max(ulps(ln_ratio(x, c), expected));
            }
            for z in [u, 10.0 * v, (20.0 * u).exp()] {
                worst[3] = worst[3].max(ulps(scaled_erfc(z), normal::scaled_erfc(z)));
            }
        }
        println!("{worst:?}");
        // The scaled error function of the reference multiplies two rounded numbers.
        let allowed = [2.0, 2.0, 2.0, 25.0];
        assert!(worst.iter().zip(allowed).all(|(worst, most)| *worst <= most), "{worst:?}");
        assert!(exp(f64::NAN).is_nan() && exp(1e4) == f64::INFINITY && exp(-1e4) < 1e-300);
        assert!([0.0, -1.0, 1e-310, f64::INFINITY, f64::NAN].iter().all(|x| ln(*x).is_nan()));
    }

    #[test]
    fn a_product_has_the_logarithm_of_its_factors() {
        let factors = [3e300, 3e-308, 1.0, 0.1, 7e200, 5e-200, 8e307];
        let mut product = LogProduct::EMPTY;
        factors.iter().for_each(|x| product.multiply(*x));
        let sum: f64 = factors.iter().map(|x| x.ln()).sum();
        assert!((product.ln() - sum).abs() < 1e-11, "{} {sum}", product.ln());
    }
}
