//! Elementary functions of vectors.
//!
//! Each is branch-free: both sides of a case are computed and one is selected. Polynomials marked
//! "Cephes" are those of Stephen Moshier's single-precision library.

use crate::{activation::Activation, simd::Simd};

/// Σ cᵢ xⁱ, the highest power first in `c`.
#[inline(always)]
pub(crate) fn polynomial<S: Simd, const K: usize>(s: S, x: S::V, c: [f32; K]) -> S::V {
    let mut sum = s.splat(c[0]);
    let mut i = 1;
    while i < K {
        sum = s.fma(sum, x, s.splat(c[i]));
        i += 1;
    }
    sum
}

/// x = n·ln 2 + r with whole n and |r| ≤ ½ ln 2; returns (eʳ − 1, n).
#[inline(always)]
fn exp_reduced<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    let n = s.round(s.mul(x, s.splat(core::f32::consts::LOG2_E)));
    // ln 2 in two parts, the first short enough for n·part to be exact.
    let r = s.fnma(n, s.splat(0.693_359_4), x);
    let r = s.fnma(n, s.splat(-2.121_944_4e-4), r);
    // Cephes expf.
    let p = polynomial(
        s,
        r,
        [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5],
    );
    (s.fma(s.mul(r, r), p, r), n)
}

/// eˣ, 1.1 ULP; overflows to infinity, underflows through the subnormals to zero.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    // Beyond these the result is infinity and zero; a NaN passes as the second operand.
    let x = s.max(s.splat(-104.0), s.min(s.splat(89.0), x));
    let (p, n) = exp_reduced(s, x);
    s.ldexp(s.add(p, s.splat(1.0)), n)
}

/// eˣ for x ≤ 0; below −87 it stays at e⁻⁸⁷ (1.6e−38) instead of reaching zero.
#[inline(always)]
pub(crate) fn exp_of_negative<S: Simd>(s: S, x: S::V) -> S::V {
    let (p, n) = exp_reduced(s, s.max(s.splat(-87.0), x));
    s.ldexp_normal(s.add(p, s.splat(1.0)), n)
}

/// ln m + e·ln 2 for m = 1 + f in [√½, √2): the tail of every logarithm.
#[inline(always)]
fn log_reduced<S: Simd>(s: S, f: S::V, e: S::V) -> S::V {
    let z = s.mul(f, f);
    // Cephes logf.
    let p = polynomial(
        s,
        f,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_8e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            0.333_333_3,
        ],
    );
    let y = s.mul(s.mul(f, z), p);
    let y = s.fma(e, s.splat(-2.121_944_4e-4), y);
    let y = s.fnma(z, s.splat(0.5), y);
    s.fma(e, s.splat(0.693_359_4), s.add(f, y))
}

/// ln x, 1 ULP; −∞ at zero, NaN below it.
#[inline(always)]
pub(crate) fn log<S: Simd>(s: S, x: S::V) -> S::V {
    // Subnormals are lifted by 2²⁵ first.
    let small = s.lt(x, s.splat(f32::MIN_POSITIVE));
    let lifted = s.select(small, s.mul(x, s.splat(33_554_432.0)), x);
    let (m, e) = s.split(lifted);
    let e = s.select(small, s.sub(e, s.splat(25.0)), e);
    let y = log_reduced(s, s.sub(m, s.splat(1.0)), e);
    let zero = s.splat(0.0);
    // Infinity and NaN are their own logarithms.
    let y = s.select(s.lt(x, s.splat(f32::INFINITY)), y, x);
    let y = s.select(
        s.lt(zero, s.abs(x)),
        y,
        s.select(s.lt(x, s.splat(1.0)), s.splat(f32::NEG_INFINITY), x),
    );
    s.select(s.lt(x, zero), s.splat(f32::NAN), y)
}

/// ln(1 + p) for finite p ≥ 0, accurate for small p too.
#[inline(always)]
pub(crate) fn log1p<S: Simd>(s: S, p: S::V) -> S::V {
    let one = s.splat(1.0);
    let u = s.add(one, p);
    let (m, e) = s.split(u);
    // Adds the rounding error of 1 + p to first order.
    let lost = s.div(s.sub(p, s.sub(u, one)), u);
    let y = log_reduced(s, s.sub(m, one), e);
    s.add(y, lost)
}

/// tanh x, 1.5 ULP.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let a = s.abs(x);
    let one = s.splat(1.0);
    // Cephes tanhf below 0.625.
    let z = s.mul(a, a);
    let p = polynomial(
        s,
        z,
        [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1],
    );
    let near = s.fma(s.mul(a, z), p, a);
    // Above 10 it is 1; a NaN passes as the second operand.
    let b = s.min(s.splat(10.0), a);
    let (p, n) = exp_reduced(s, s.add(b, b));
    let e = s.ldexp_normal(s.add(p, one), n);
    let far = s.sub(one, s.div(s.splat(2.0), s.add(e, one)));
    s.copysign(s.select(s.lt(a, s.splat(0.625)), near, far), x)
}

/// 1 / (1 + e⁻ˣ), 2.5 ULP, down to the subnormals.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(s: S, x: S::V) -> S::V {
    let zero = s.splat(0.0);
    let one = s.splat(1.0);
    let e = exp(s, s.sub(zero, s.abs(x)));
    s.div(s.select(s.lt(x, zero), e, one), s.add(one, e))
}

/// 1 / (1 + e⁻ˣ), 3 ULP, but never below 1e−30, which takes half the time of [`sigmoid`].
#[inline(always)]
pub(crate) fn unit_sigmoid<S: Simd>(s: S, x: S::V) -> S::V {
    // Within these the power is a normal number whose quotient is one too; a NaN passes.
    let x = s.max(s.splat(-69.0), s.min(s.splat(87.0), x));
    let (p, n) = exp_reduced(s, s.sub(s.splat(0.0), x));
    let one = s.splat(1.0);
    let e = s.ldexp_normal(s.add(p, one), n);
    s.divide(one, s.add(one, e))
}

/// ln(1 + z) for z in [0, 1], by ln(1 + z) = 2 artanh(z / (2 + z)).
#[inline(always)]
pub(crate) fn log1p_unit<S: Simd>(s: S, z: S::V) -> S::V {
    let r = s.div(z, s.add(s.splat(2.0), z));
    let w = s.mul(r, r);
    // Least squares over w in [0, 1/9]; relative error of the sum 5e−9.
    let q = polynomial(s, w, [0.140_138_2, 0.139_990_87, 0.200_108_96, 0.333_332_06]);
    let r2 = s.add(r, r);
    s.fma(s.mul(r2, w), q, r2)
}

/// ln(1 + eˣ), 3 ULP, down to the subnormals.
#[inline(always)]
pub(crate) fn softplus<S: Simd>(s: S, x: S::V) -> S::V {
    let zero = s.splat(0.0);
    let z = exp(s, s.sub(zero, s.abs(x)));
    s.add(s.max(zero, x), log1p_unit(s, z))
}

/// 1 − e⁻ʸ for y ≥ 0: the derivative of softplus from its value.
#[inline(always)]
pub(crate) fn softplus_derivative<S: Simd>(s: S, y: S::V) -> S::V {
    let x = s.max(s.splat(-87.0), s.sub(s.splat(0.0), y));
    let (p, n) = exp_reduced(s, x);
    let one = s.splat(1.0);
    let far = s.sub(one, s.ldexp_normal(s.add(p, one), n));
    // With n = 0 the reduced form has all its digits.
    s.select(s.lt(s.abs(n), s.splat(0.5)), s.sub(s.splat(0.0), p), far)
}

/// The activation of a dense layer.
#[inline(always)]
pub(crate) fn activate<S: Simd>(s: S, activation: Activation, x: S::V) -> S::V {
    match activation {
        Activation::None => x,
        Activation::Tanh => tanh(s, x),
        Activation::Sigmoid => sigmoid(s, x),
        Activation::Softplus => softplus(s, x),
        Activation::Relu => s.max(s.splat(0.0), x),
    }
}

/// The derivative of an activation, from its value.
#[inline(always)]
pub(crate) fn slope<S: Simd>(s: S, activation: Activation, y: S::V) -> S::V {
    let one = s.splat(1.0);
    match activation {
        Activation::None => one,
        Activation::Tanh => s.fnma(y, y, one),
        Activation::Sigmoid => s.fnma(y, y, y),
        Activation::Softplus => softplus_derivative(s, y),
        Activation::Relu => s.select(s.lt(s.splat(0.0), y), one, s.splat(0.0)),
    }
}
