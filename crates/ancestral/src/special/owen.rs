//! Owen's T function.

use super::normal::normal_tails;
use std::f64::consts::TAU;

/// Nodes of the Gauss–Legendre rule of 20 points on [0, 1], half of them, and their weights.
const NODES: [(f64, f64); 10] = [
    (0.076_526_521_133_497_33, 0.152_753_387_130_725_85),
    (0.227_785_851_141_645_08, 0.149_172_986_472_603_75),
    (0.373_706_088_715_419_56, 0.142_096_109_318_382_05),
    (0.510_867_001_950_827_1, 0.131_688_638_449_176_63),
    (0.636_053_680_726_515, 0.118_194_531_961_518_42),
    (0.746_331_906_460_150_8, 0.101_930_119_817_240_44),
    (0.839_116_971_822_218_8, 0.083_276_741_576_704_75),
    (0.912_234_428_251_326, 0.062_672_048_334_109_06),
    (0.963_971_927_277_913_8, 0.040_601_429_800_386_94),
    (0.993_128_599_185_094_9, 0.017_614_007_139_152_12),
];

/// The integral of f over [from, to], by 20 points.
pub fn gauss_legendre(from: f64, to: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
    let (middle, half) = (0.5 * (from + to), 0.5 * (to - from));
    let sum: f64 =
        NODES.iter().map(|(x, w)| w * (f(middle - half * x) + f(middle + half * x))).sum();
    half * sum
}

/// T(h, a) = 1/(2π) ∫₀ᵃ exp(−h² (1 + t²) / 2) / (1 + t²) dt.
pub fn owens_t(h: f64, a: f64) -> f64 {
    let (h, sign, a) = (h.abs(), a.signum(), a.abs());
    if a == 0.0 {
        return 0.0;
    }
    if h == 0.0 {
        return sign * a.atan() / TAU;
    }
    if a <= 1.0 {
        return sign * direct(h, a);
    }
    // T(h, a) = ½ Φ(h) Q... with both tails Q of h and a h (Owen 1956, equation 2.3).
    let (q, qa) = (normal_tails(h).upper.exp(), normal_tails(a * h).upper.exp());
    let swapped = if a.is_infinite() { 0.0 } else { direct(a * h, 1.0 / a) };
    sign * (0.5 * (q + qa) - q * qa - swapped)
}

/// The integral for a at most 1, over the part where its integrand counts.
fn direct(h: f64, a: f64) -> f64 {
    let outside = (-0.5 * h * h).exp() / TAU;
    if outside == 0.0 {
        return 0.0;
    }
    let end = a.min(9.0 / h);
    let pieces = 2;
    let width = end / f64::from(pieces);
    let inside = |t: f64| (-0.5 * h * h * t * t).exp() / (1.0 + t * t);
    let sum: f64 = (0..pieces)
        .map(|i| gauss_legendre(f64::from(i) * width, f64::from(i + 1) * width, inside))
        .sum();
    outside * sum
}
