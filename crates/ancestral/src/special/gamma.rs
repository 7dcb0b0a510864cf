//! The gamma function's logarithm and its derivatives; the incomplete gamma function.

use super::normal::scaled_erfc;
use super::{HALF_LN_TAU, LogTails, deviance, ln_1m_exp, ln_1p_minus, polynomial};

/// From here on the asymptotic series are exact to rounding.
const LARGE: f64 = 10.0;

/// ln Γ(x), x > 0.
pub fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// The rest of Stirling's formula: δ(x) = ln Γ(x) − (x − ½) ln x + x − ½ ln 2π, x > 0.
pub fn stirling_rest(x: f64) -> f64 {
    if x < LARGE {
        return ln_gamma(x) - (x - 0.5) * x.ln() + x - HALF_LN_TAU;
    }
    const SERIES: [f64; 8] = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
        -3617.0 / 122_400.0,
    ];
    let inverse = 1.0 / x;
    inverse * polynomial(&SERIES, inverse * inverse)
}

/// δ′(x) = ψ(x) − ln x + 1 / (2 x).
pub fn stirling_rest_slope(x: f64) -> f64 {
    if x < LARGE {
        return digamma(x) - x.ln() + 0.5 / x;
    }
    let inverse = 1.0 / (x * x);
    inverse * polynomial(&DIGAMMA, inverse)
}

/// δ″(x) = ψ′(x) − 1 / x − 1 / (2 x²).
pub fn stirling_rest_curvature(x: f64) -> f64 {
    if x < LARGE {
        return trigamma(x) - 1.0 / x - 0.5 / (x * x);
    }
    let inverse = 1.0 / (x * x);
    inverse / x * polynomial(&TRIGAMMA, inverse)
}

/// −B₂ₖ / 2k, k ≥ 1.
const DIGAMMA: [f64; 8] = [
    -1.0 / 12.0,
    1.0 / 120.0,
    -1.0 / 252.0,
    1.0 / 240.0,
    -1.0 / 132.0,
    691.0 / 32_760.0,
    -1.0 / 12.0,
    3617.0 / 8160.0,
];

/// B₂ₖ, k ≥ 1.
const TRIGAMMA: [f64; 8] = [
    1.0 / 6.0,
    -1.0 / 30.0,
    1.0 / 42.0,
    -1.0 / 30.0,
    5.0 / 66.0,
    -691.0 / 2730.0,
    7.0 / 6.0,
    -3617.0 / 510.0,
];

/// ψ(x) = d ln Γ(x) / dx, x > 0.
pub fn digamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < LARGE {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    sum + (x.ln() - 0.5 / x + inverse * polynomial(&DIGAMMA, inverse))
}

/// ψ′(x), x > 0.
pub fn trigamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < LARGE {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    sum + (1.0 / x + 0.5 * inverse + inverse / x * polynomial(&TRIGAMMA, inverse))
}

/// ln(xᵃ e⁻ˣ / Γ(a)), by the saddle point, which loses no digits at large a (Loader 2000).
pub fn ln_gamma_kernel(a: f64, x: f64) -> f64 {
    if a < 1e-3 || x / a > 1e15 {
        return a * x.ln() - x - ln_gamma(a);
    }
    0.5 * a.ln() - HALF_LN_TAU - stirling_rest(a) - a * deviance(x / a)
}

/// ln P(a, x) and ln Q(a, x), the regularized incomplete gamma function of shape a > 0 at x.
pub fn gamma_tails(a: f64, x: f64) -> LogTails {
    if x <= 0.0 {
        return LogTails::NONE;
    }
    if x == f64::INFINITY {
        return LogTails::ALL;
    }
    if a > 1000.0 && (x / a - 1.0).abs() < 0.3 {
        return temme(a, x);
    }
    if x > 1.5 && x > a + 1.0 {
        return LogTails::from_upper(ln_gamma_kernel(a, x) + upper_fraction(a, x).ln());
    }
    if a < 1.0 && x <= 1.5 {
        return small(a, x);
    }
    LogTails::from_lower(ln_gamma_kernel(a, x) - a.ln() + lower_series(a, x).ln_1p())
}

/// Σ xⁿ / ((a + 1) … (a + n)), n ≥ 1.
fn lower_series(a: f64, x: f64) -> f64 {
    let (mut sum, mut term, mut n) = (0.0, 1.0, a);
    loop {
        n += 1.0;
        term *= x / n;
        sum += term;
        if term <= 1e-17 * (1.0 + sum) {
            return sum;
        }
    }
}

/// Legendre's continued fraction of Q(a, x) Γ(a) eˣ x⁻ᵃ, by the modified method of Lentz.
fn upper_fraction(a: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut h = d;
    let mut i = 1.0;
    while i < 1e5 {
        let an = -i * (i - a);
        b += 2.0;
        d = an * d + b;
        d = if d.abs() < TINY { TINY } else { d };
        c = b + an / c;
        c = if c.abs() < TINY { TINY } else { c };
        d = 1.0 / d;
        let factor = d * c;
        h *= factor;
        if (factor - 1.0).abs() < 1e-16 {
            break;
        }
        i += 1.0;
    }
    h
}

/// Shape below 1 and small x: P = xᵃ / Γ(a + 1) (1 + a Σ (−x)ⁿ / ((a + n) n!)), where Q keeps its
/// digits even if it is tiny.
fn small(a: f64, x: f64) -> LogTails {
    let (mut sum, mut term, mut n) = (0.0, 1.0, 0.0);
    loop {
        n += 1.0;
        term *= -x / n;
        sum += term / (a + n);
        if term.abs() <= 1e-18 {
            break;
        }
    }
    let start = a * x.ln() - ln_gamma_1p(a);
    let lower = start + (a * sum).ln_1p();
    if lower < -0.7 {
        return LogTails::from_lower(lower);
    }
    let upper = -start.exp_m1() - start.exp() * a * sum;
    LogTails { lower, upper: upper.ln() }
}

/// ln Γ(1 + a), exact for small a, too.
pub fn ln_gamma_1p(a: f64) -> f64 {
    if a > 1e-3 {
        return ln_gamma(1.0 + a);
    }
    // −γ a + Σ ζ(k) (−a)ᵏ / k.
    const SERIES: [f64; 6] = [
        -0.577_215_664_901_532_9,
        0.822_467_033_424_113_2,
        -0.400_685_634_386_531_4,
        0.270_580_808_427_784_5,
        -0.207_385_551_028_674,
        0.169_557_176_997_408_2,
    ];
    a * polynomial(&SERIES, a)
}

/// The coefficients cₖₙ of Temme's functions cₖ(η) = Σ cₖₙ ηⁿ.
const TEMME: [&[f64]; 5] = [
    &[
        -0.333_333_333_333_333_3,
        0.083_333_333_333_333_33,
        -0.014_814_814_814_814_815,
        0.001_157_407_407_407_407_3,
        0.000_352_733_686_067_019_4,
        -0.000_178_755_144_032_921_8,
        3.919_263_178_522_438e-5,
        -2.185_448_510_679_992e-6,
        -1.854_062_210_715_16e-6,
        8.296_711_340_953_087e-7,
        -1.766_595_273_682_607_8e-7,
        6.707_853_543_401_498e-9,
        1.026_180_978_424_030_8e-8,
        -4.382_036_018_453_353e-9,
        9.147_699_582_236_79e-10,
        -2.551_419_399_494_624_8e-11,
        -5.830_772_132_550_426e-11,
        2.436_194_802_066_741_5e-11,
        -5.027_669_280_114_175_5e-12,
        1.100_439_203_195_613_5e-13,
    ],
    &[
        -0.001_851_851_851_851_852,
        -0.003_472_222_222_222_222,
        0.002_645_502_645_502_645_4,
        -0.000_990_226_337_448_559_6,
        0.000_205_761_316_872_427_98,
        -4.018_775_720_164_609e-7,
        -1.809_855_033_448_997_7e-5,
        7.649_160_916_081_11e-6,
        -1.612_090_089_456_344_6e-6,
        4.647_127_802_807_434e-9,
        1.378_633_446_915_721e-7,
        -5.752_545_603_517_705e-8,
        1.195_162_859_977_814_8e-8,
    ],
    &[
        0.004_133_597_883_597_883,
        -0.002_681_327_160_493_827_3,
        0.000_771_604_938_271_604_9,
        2.009_387_860_082_304_7e-6,
        -0.000_107_366_532_263_651_6,
        5.292_344_882_912_012_5e-5,
        -1.276_063_518_861_872_8e-5,
        3.423_578_734_096_138e-8,
        1.372_195_730_906_293_4e-6,
    ],
    &[
        0.000_649_434_156_378_600_8,
        0.000_229_472_093_621_399_17,
        -0.000_469_189_494_395_255_7,
        0.000_267_720_632_062_838_85,
        -7.561_801_671_883_977e-5,
    ],
    &[-0.000_861_888_290_916_711_7, 0.000_784_039_221_720_066_6],
];

/// The uniform expansion for a large shape near x = a: Q = ½ erfc(η √(a/2)) + R (Temme 1979).
fn temme(a: f64, x: f64) -> LogTails {
    // ½ η² = λ − 1 − ln λ with λ = x / a.
    let mu = (x - a) / a;
    let half_square = -ln_1p_minus(mu);
    let eta = (2.0 * half_square).sqrt().copysign(mu);
    let sum = TEMME.iter().rev().fold(0.0, |sum, c| sum / a + polynomial(c, eta));
    let z = (a * half_square).sqrt();
    let exponent = -a * half_square;
    let rest = sum * (-HALF_LN_TAU).exp() / a.sqrt();
    // The smaller tail has the larger relative weight of the rest.
    let signed = if mu > 0.0 { rest } else { -rest };
    let small = exponent + (0.5 * scaled_erfc(z) + signed).ln();
    let tails = LogTails { lower: ln_1m_exp(small.min(0.0)), upper: small };
    if mu > 0.0 { tails } else { tails.swapped() }
}

/// ln of the chi-squared tails with `df` degrees of freedom.
pub fn chi_squared_tails(df: f64, x: f64) -> LogTails {
    gamma_tails(0.5 * df, 0.5 * x)
}
