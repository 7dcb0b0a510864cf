//! tanh, sigmoid, softplus, exp and log over slices of `f32`.
//!
//! Largest error against the exact value, over all finite inputs and on every instruction set:
//!
//! | function | error in ULP |
//! |---|---|
//! | `exp` | 1.1 |
//! | `log` | 1 |
//! | `tanh` | 1.5 |
//! | `sigmoid` | 2.5 |
//! | `softplus` | 3 |
//!
//! Infinities and NaN behave as in the standard library. Large slices are shared among the threads
//! of the current rayon pool; every value depends on its own input only, so the result does not
//! depend on the number of threads.

use crate::{
    math,
    parallel::{self, SharedPtr},
    simd::{Isa, Kernel, Simd},
};

/// A function of one vector.
pub(crate) trait Unary {
    fn apply<S: Simd>(s: S, x: S::V) -> S::V;
}

/// A function of two vectors.
pub(crate) trait Binary {
    fn apply<S: Simd>(s: S, a: S::V, b: S::V) -> S::V;
}

macro_rules! unary {
    ($($name:ident: |$s:ident, $x:ident| $body:expr;)*) => {$(
        pub(crate) struct $name;
        impl Unary for $name {
            #[inline(always)]
            fn apply<S: Simd>($s: S, $x: S::V) -> S::V {
                $body
            }
        }
    )*};
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident: |$s:ident, $a:ident, $b:ident| $body:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;
        impl Binary for $name {
            #[inline(always)]
            fn apply<S: Simd>($s: S, $a: S::V, $b: S::V) -> S::V {
                $body
            }
        }
    )*};
}

unary! {
    Tanh: |s, x| math::tanh(s, x);
    Sigmoid: |s, x| math::sigmoid(s, x);
    Softplus: |s, x| math::softplus(s, x);
    Exp: |s, x| math::exp(s, x);
    Log: |s, x| math::log(s, x);
    // What is no number passes as the second operand.
    Relu: |s, x| s.max(s.splat(0.0), x);
}

binary! {
    /// g·(1 − y²), from the value y.
    TanhGrad: |s, g, y| s.mul(g, s.fnma(y, y, s.splat(1.0)));
    /// g·y·(1 − y), from the value y.
    SigmoidGrad: |s, g, y| s.mul(g, s.fnma(y, y, y));
    /// g·σ(x), from the input x.
    SoftplusGrad: |s, g, x| s.mul(g, math::sigmoid(s, x));
    /// g·(1 − e⁻ʸ), from the value y.
    SoftplusGradFromValue: |s, g, y| s.mul(g, math::softplus_derivative(s, y));
    /// g·y, from the value y.
    ExpGrad: |s, g, y| s.mul(g, y);
    /// g/x, from the input x.
    LogGrad: |s, g, x| s.div(g, x);
    /// g where y > 0, else 0.
    ReluGrad: |s, g, y| s.select(s.lt(s.splat(0.0), y), g, s.splat(0.0));
}

struct Map<F> {
    source: *const f32,
    out: *mut f32,
    len: usize,
    function: core::marker::PhantomData<F>,
}

impl<F: Unary> Kernel for Map<F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { source, out, len, .. } = self;
        let whole = len - len % S::N;
        let mut i = 0;
        while i < whole {
            // SAFETY: i + N ≤ len, and `len` values are there on both sides. Where the two are the
            // same memory, each vector is read before it is written.
            unsafe { s.store(out.add(i), F::apply(s, s.load(source.add(i)))) };
            i += S::N;
        }
        if i < len {
            // SAFETY: len − i < N values are left on both sides.
            unsafe {
                let x = s.load_part(source.add(i), len - i);
                s.store_part(out.add(i), len - i, F::apply(s, x));
            }
        }
    }
}

struct Zip<F> {
    a: *const f32,
    b: *const f32,
    out: *mut f32,
    len: usize,
    function: core::marker::PhantomData<F>,
}

impl<F: Binary> Kernel for Zip<F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { a, b, out, len, .. } = self;
        let whole = len - len % S::N;
        let mut i = 0;
        while i < whole {
            // SAFETY: as in `Map`.
            unsafe { s.store(out.add(i), F::apply(s, s.load(a.add(i)), s.load(b.add(i)))) };
            i += S::N;
        }
        if i < len {
            // SAFETY: as in `Map`.
            unsafe {
                let x = s.load_part(a.add(i), len - i);
                let y = s.load_part(b.add(i), len - i);
                s.store_part(out.add(i), len - i, F::apply(s, x, y));
            }
        }
    }
}

/// out\[i\] = F(source\[i\]), in parallel.
///
/// # Safety
/// `len` values must be readable at `source` and writable at `out`; the two are the same memory or
/// do not overlap.
pub(crate) unsafe fn map<F: Unary>(isa: Isa, source: *const f32, out: *mut f32, len: usize) {
    let (source, out) = (SharedPtr(source.cast_mut()), SharedPtr(out));
    parallel::blocks(len, |start, len| {
        // SAFETY: blocks lie inside the slices and do not overlap.
        let (source, out) = unsafe { (source.get().add(start), out.get().add(start)) };
        isa.run(Map::<F> { source, out, len, function: core::marker::PhantomData });
    });
}

/// out\[i\] = F(a\[i\], b\[i\]), in parallel.
///
/// # Safety
/// `len` values must be readable at `a` and `b` and writable at `out`, which is the memory of one
/// of them or overlaps neither.
pub(crate) unsafe fn zip<F: Binary>(
    isa: Isa,
    a: *const f32,
    b: *const f32,
    out: *mut f32,
    len: usize,
) {
    let (a, b, out) = (SharedPtr(a.cast_mut()), SharedPtr(b.cast_mut()), SharedPtr(out));
    parallel::blocks(len, |start, len| {
        // SAFETY: blocks lie inside the slices and do not overlap.
        let (a, b, out) = unsafe { (a.get().add(start), b.get().add(start), out.get().add(start)) };
        isa.run(Zip::<F> { a, b, out, len, function: core::marker::PhantomData });
    });
}

fn map_slice<F: Unary>(isa: Isa, input: &[f32], out: &mut [f32]) {
    assert_eq!(input.len(), out.len(), "input and output must be of one length");
    // SAFETY: both slices have this length, and a `&mut` overlaps nothing.
    unsafe { map::<F>(isa, input.as_ptr(), out.as_mut_ptr(), input.len()) }
}

macro_rules! slices {
    ($($(#[$doc:meta])* $name:ident, $function:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// The error is in the table of this module. An `isa` that the processor lacks falls back
        /// to [`Isa::Portable`].
        ///
        /// # Panics
        /// If the lengths differ.
        pub fn $name(isa: Isa, input: &[f32], out: &mut [f32]) {
            map_slice::<$function>(isa, input, out);
        }
    )*};
}

slices! {
    /// out\[i\] = tanh(input\[i\]).
    tanh, Tanh;
    /// out\[i\] = 1 / (1 + exp(−input\[i\])).
    sigmoid, Sigmoid;
    /// out\[i\] = ln(1 + exp(input\[i\])).
    softplus, Softplus;
    /// out\[i\] = exp(input\[i\]).
    exp, Exp;
    /// out\[i\] = ln(input\[i\]).
    log, Log;
}

#[cfg(test)]
mod tests {
    use super::*;

    type Slices = fn(Isa, &[f32], &mut [f32]);
    /// (name, ours, exact, bound)
    type Case = (&'static str, Slices, fn(f64) -> f64, f64);

    fn functions() -> [Case; 5] {
        [
            ("tanh", tanh, f64::tanh, 1.5),
            ("sigmoid", sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 2.5),
            ("softplus", softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), 3.0),
            ("exp", exp, f64::exp, 1.1),
            ("log", log, f64::ln, 1.0),
        ]
    }

    /// The distance in units of the last place of the `f32` nearest to `exact`.
    fn ulps(ours: f32, exact: f64) -> f64 {
        let nearest = exact as f32;
        if nearest.is_infinite() || ours.is_infinite() {
            return if nearest == ours { 0.0 } else { f64::INFINITY };
        }
        let above = f32::from_bits(nearest.abs().to_bits() + 1);
        let below = nearest.abs();
        let unit = if above.is_finite() {
            f64::from(above) - f64::from(below)
        } else {
            f64::from(f32::MAX) / 2f64.powi(24)
        };
        (f64::from(ours) - exact).abs() / unit
    }

    /// Every 613th bit pattern of the finite numbers, and every 31st where most inputs are. (With
    /// every 61st and every 3rd the largest errors were: tanh 1.33, sigmoid 2.41, softplus 2.81, exp 1.01,
    /// log 0.84.)
    fn sweep() -> Vec<f32> {
        let all = (0..0x7f80_0000u32).step_by(613);
        let usual = (1e-3f32.to_bits()..120f32.to_bits()).step_by(31);
        all.chain(usual).flat_map(|bits| [f32::from_bits(bits), -f32::from_bits(bits)]).collect()
    }

    #[test]
    fn stays_within_the_stated_error() {
        let input = sweep();
        let mut out = vec![0.0; input.len()];
        for isa in Isa::available() {
            for (name, ours, exact, bound) in functions() {
                ours(isa, &input, &mut out);
                let (mut worst, mut at) = (0.0, 0.0);
                for (&x, &y) in input.iter().zip(&out) {
                    let exact = exact(f64::from(x));
                    if exact.is_nan() {
                        assert!(y.is_nan(), "{name}({x}) = {y} with {isa:?}");
                        continue;
                    }
                    let error = ulps(y, exact);
                    if error > worst || error.is_nan() {
                        (worst, at) = (error, x);
                    }
                }
                assert!(worst <= bound, "{isa:?} {name}: {worst} ULP at {at:e}");
            }
        }
    }

    #[test]
    fn values_at_the_edges_are_those_of_the_standard_library() {
        let edges = [
            0.0,
            -0.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            f32::MIN_POSITIVE,
            1e-45,
            -1e-45,
            f32::MAX,
            f32::MIN,
            88.722_84,
            88.73,
            89.5,
            -103.97,
            -103.98,
            -104.5,
            -87.4,
            1.0,
            -1.0,
        ];
        for isa in Isa::available() {
            for (name, ours, exact, _) in functions() {
                let mut out = [0.0; 19];
                ours(isa, &edges, &mut out);
                for (&x, &y) in edges.iter().zip(&out) {
                    let exact = exact(f64::from(x));
                    let same = (exact.is_nan() && y.is_nan()) || ulps(y, exact) <= 3.0;
                    assert!(same, "{isa:?} {name}({x:e}) = {y:e}, exact {exact:e}");
                }
            }
            let mut out = [1.0; 2];
            tanh(isa, &[0.0, -0.0], &mut out);
            assert_eq!(out.map(f32::to_bits), [0, 0x8000_0000]);
        }
    }

    #[test]
    fn every_length_and_offset_gives_the_same_values() {
        let input: Vec<f32> = (0..200).map(|i| (i as f32 - 100.0) * 0.173).collect();
        for isa in Isa::available() {
            for (name, ours, ..) in functions() {
                let mut all = vec![0.0; input.len()];
                ours(isa, &input, &mut all);
                for start in 0..3 {
                    for len in 0..70 {
                        let mut out = vec![7.0; len + 1];
                        ours(isa, &input[start..start + len], &mut out[..len]);
                        let same = out[..len]
                            .iter()
                            .zip(&all[start..])
                            .all(|(a, b)| a.to_bits() == b.to_bits());
                        assert!(same && out[len] == 7.0, "{isa:?} {name} at {start}, {len}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_does_not_show() {
        let input: Vec<f32> = (0..300_001).map(|i| (i as f32 * 0.37).sin() * 9.0).collect();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut out = vec![0.0; input.len()];
            pool.install(|| softplus(Isa::best(), &input, &mut out));
            out
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3));
    }
}
