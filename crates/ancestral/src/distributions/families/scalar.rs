//! Numbers with their first and second derivatives with respect to the parameters of a fit, so that
//! a family writes its log-density once (forward-mode automatic differentiation).

use super::expansion::Expansion;
use super::special::{deviance, gamma};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number that a log-density can be computed with: `f64`, or a [`Jet`] with derivatives.
pub trait Scalar:
    Copy
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
{
    /// A number that does not depend on the parameters.
    fn constant(x: f64) -> Self;
    /// The number alone.
    fn value(self) -> f64;
    /// f(self), given f there and, when needed, f′ and f″.
    fn chain(self, f: f64, derivatives: impl FnOnce() -> (f64, f64)) -> Self;

    /// A function of several numbers by its derivatives in them.
    fn composed(theta: &[Self], outer: &Expansion) -> Self;

    /// 1 / x.
    fn recip(self) -> Self {
        let r = 1.0 / self.value();
        self.chain(r, || (-r * r, 2.0 * r * r * r))
    }
    /// ln x.
    fn ln(self) -> Self {
        let x = self.value();
        self.chain(x.ln(), || (1.0 / x, -1.0 / (x * x)))
    }
    /// ln(1 + x).
    fn ln_1p(self) -> Self {
        let x = self.value();
        let r = 1.0 / (1.0 + x);
        self.chain(x.ln_1p(), || (r, -r * r))
    }
    /// eˣ.
    fn exp(self) -> Self {
        let e = self.value().exp();
        self.chain(e, || (e, e))
    }
    /// eˣ − 1.
    fn exp_m1(self) -> Self {
        let x = self.value();
        self.chain(x.exp_m1(), || (x.exp(), x.exp()))
    }
    /// √x.
    fn sqrt(self) -> Self {
        let root = self.value().sqrt();
        self.chain(root, || (0.5 / root, -0.25 / (root * root * root)))
    }
    /// x².
    fn square(self) -> Self {
        self * self
    }
    /// The deviance φ(x) = x − 1 − ln x.
    fn deviance(self) -> Self {
        let x = self.value();
        self.chain(deviance(x), || ((x - 1.0) / x, 1.0 / (x * x)))
    }
    /// ln Γ(x).
    fn ln_gamma(self) -> Self {
        let x = self.value();
        self.chain(gamma::ln_gamma(x), || (gamma::digamma(x), gamma::trigamma(x)))
    }
    /// δ(x), the rest of Stirling's formula for ln Γ(x).
    fn stirling_rest(self) -> Self {
        let x = self.value();
        self.chain(gamma::stirling_rest(x), || {
            (gamma::stirling_rest_slope(x), gamma::stirling_rest_curvature(x))
        })
    }
    /// cos x − 1 = −2 sin²(x / 2).
    fn cos_m1(self) -> Self {
        let x = self.value();
        let half = (0.5 * x).sin();
        self.chain(-2.0 * half * half, || (-x.sin(), -x.cos()))
    }
    /// ln(1 + x) / x, 1 at 0.
    fn ln_1p_ratio(self) -> Self {
        let x = self.value();
        if x.abs() < 0.1 {
            // Σ (−x)ⁿ / (n + 1).
            let (mut f, mut first, mut second, mut power) = (1.0, -0.5, 2.0 / 3.0, 1.0);
            for n in 1..20 {
                let k = f64::from(n);
                power *= -x;
                f += power / (k + 1.0);
                first -= power * (k + 1.0) / (k + 2.0);
                second += power * (k + 1.0) * (k + 2.0) / (k + 3.0);
            }
            return self.chain(f, || (first, second));
        }
        let f = x.ln_1p() / x;
        self.chain(f, || {
            let r = 1.0 / (1.0 + x);
            let first = (r - f) / x;
            (first, (-r * r - 2.0 * first) / x)
        })
    }
    /// ln(1 + eˣ).
    fn softplus(self) -> Self {
        let x = self.value();
        let value = if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() };
        self.chain(value, || {
            let s = sigmoid(x);
            (s, s * sigmoid(-x))
        })
    }
    /// 1 / (1 + e⁻ˣ).
    fn sigmoid(self) -> Self {
        let x = self.value();
        let s = sigmoid(x);
        self.chain(s, || {
            let slope = s * sigmoid(-x);
            (slope, slope * (1.0 - 2.0 * s))
        })
    }
}

/// 1 / (1 + e⁻ˣ).
pub fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}

impl Scalar for f64 {
    fn constant(x: f64) -> Self {
        x
    }
    fn value(self) -> f64 {
        self
    }
    fn chain(self, f: f64, _: impl FnOnce() -> (f64, f64)) -> Self {
        f
    }
    fn composed(_: &[Self], outer: &Expansion) -> Self {
        outer.value
    }
}

/// A number with its gradient and Hessian in N parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jet<const N: usize> {
    /// The number.
    pub value: f64,
    /// Its first derivatives.
    pub gradient: [f64; N],
    /// Its second derivatives, which are symmetric: those with j ≤ i.
    pub hessian: [[f64; N]; N],
}

impl<const N: usize> Jet<N> {
    /// Parameter i.
    pub fn variable(x: f64, i: usize) -> Self {
        let mut jet = Self::constant(x);
        if let Some(slope) = jet.gradient.get_mut(i) {
            *slope = 1.0;
        }
        jet
    }

    /// Each entry of two numbers joined.
    #[inline]
    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let mut out = self;
        out.value = f(self.value, other.value);
        for i in 0..N {
            out.gradient[i] = f(self.gradient[i], other.gradient[i]);
            for j in 0..=i {
                out.hessian[i][j] = f(self.hessian[i][j], other.hessian[i][j]);
            }
        }
        out
    }
}

impl<const N: usize> Scalar for Jet<N> {
    fn constant(value: f64) -> Self {
        Self { value, gradient: [0.0; N], hessian: [[0.0; N]; N] }
    }
    fn value(self) -> f64 {
        self.value
    }
    #[inline]
    fn chain(self, f: f64, derivatives: impl FnOnce() -> (f64, f64)) -> Self {
        let (first, second) = derivatives();
        let mut out = self;
        out.value = f;
        for i in 0..N {
            out.gradient[i] = first * self.gradient[i];
            for j in 0..=i {
                out.hessian[i][j] =
                    first * self.hessian[i][j] + second * self.gradient[i] * self.gradient[j];
            }
        }
        out
    }
    fn composed(theta: &[Self], outer: &Expansion) -> Self {
        let mut out = Self::constant(outer.value);
        for (a, x) in theta.iter().enumerate() {
            for i in 0..N {
                out.gradient[i] += outer.gradient[a] * x.gradient[i];
                for j in 0..=i {
                    let mut sum = outer.gradient[a] * x.hessian[i][j];
                    for (b, y) in theta.iter().enumerate() {
                        sum += outer.hessian[a.max(b)][a.min(b)] * x.gradient[i] * y.gradient[j];
                    }
                    out.hessian[i][j] += sum;
                }
            }
        }
        out
    }
}

impl<const N: usize> Add for Jet<N> {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
}

impl<const N: usize> Sub for Jet<N> {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
}

impl<const N: usize> Mul for Jet<N> {
    type Output = Self;
    #[inline]
    fn mul(self, other: Self) -> Self {
        let (a, b) = (self, other);
        let mut out = a;
        out.value = a.value * b.value;
        for i in 0..N {
            out.gradient[i] = a.value * b.gradient[i] + b.value * a.gradient[i];
            for j in 0..=i {
                out.hessian[i][j] = a.value * b.hessian[i][j]
                    + b.value * a.hessian[i][j]
                    + (a.gradient[i] * b.gradient[j] + b.gradient[i] * a.gradient[j]);
            }
        }
        out
    }
}

impl<const N: usize> Div for Jet<N> {
    type Output = Self;
    #[inline]
    fn div(self, other: Self) -> Self {
        let mut out = self * other.recip();
        // One rounding, as the quotient of numbers has.
        out.value = self.value / other.value;
        out
    }
}

impl<const N: usize> Neg for Jet<N> {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        self * -1.0
    }
}

impl<const N: usize> Add<f64> for Jet<N> {
    type Output = Self;
    #[inline]
    fn add(mut self, x: f64) -> Self {
        self.value += x;
        self
    }
}

impl<const N: usize> Sub<f64> for Jet<N> {
    type Output = Self;
    #[inline]
    fn sub(mut self, x: f64) -> Self {
        self.value -= x;
        self
    }
}

impl<const N: usize> Mul<f64> for Jet<N> {
    type Output = Self;
    #[inline]
    fn mul(self, x: f64) -> Self {
        self.zip(self, |a, _| a * x)
    }
}

impl<const N: usize> Div<f64> for Jet<N> {
    type Output = Self;
    #[inline]
    fn div(self, x: f64) -> Self {
        self.zip(self, |a, _| a / x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A formula that uses every operation.
    fn formula<T: Scalar>(a: T, b: T) -> T {
        let c = (a * b + 0.3).ln() / (b.exp() - a.sqrt()) - (a / b).deviance() * 2.0;
        let d = a.ln_gamma() * b.stirling_rest() + b.sigmoid() * a.softplus() - a.recip().ln_1p();
        let e = (a * 0.01).ln_1p_ratio() * a.cos_m1() * b.ln_1p_ratio();
        (c - 0.1).square() + d / 3.0 - (-b).exp_m1() + e
    }

    #[test]
    fn derivatives_agree_with_differences() {
        let (a, b) = (1.7, 2.3);
        let jet = formula(Jet::<2>::variable(a, 0), Jet::<2>::variable(b, 1));
        assert_eq!(jet.value, formula(a, b));
        let h = 1e-4;
        let slope = |i: usize, a: f64, b: f64| {
            let (x, y) = if i == 0 { (h, 0.0) } else { (0.0, h) };
            (formula(a + x, b + y) - formula(a - x, b - y)) / (2.0 * h)
        };
        for i in 0..2 {
            assert!((jet.gradient[i] - slope(i, a, b)).abs() < 1e-6);
            let second = [
                (slope(i, a + h, b) - slope(i, a - h, b)) / (2.0 * h),
                (slope(i, a, b + h) - slope(i, a, b - h)) / (2.0 * h),
            ];
            for (found, expected) in jet.hessian[i].iter().zip(second).take(i + 1) {
                assert!((found - expected).abs() < 1e-5, "{i}");
            }
        }
    }
}
