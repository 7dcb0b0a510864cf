//! One step of an optimizer over flat slices: one pass, in place, in parallel.
//!
//! The definitions are PyTorch's. All state (moments, momentum, averages) starts at zero. Every
//! value is updated on its own, and sums are taken over blocks of fixed size joined in order, so
//! that the bits do not depend on the number of threads.

use crate::{
    parallel::{self, SharedPtr},
    simd::{Isa, Kernel, Simd},
};

/// The settings of one step of Adam or AdamW.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Step size.
    pub lr: f32,
    /// Decay of the mean of the gradient.
    pub beta1: f32,
    /// Decay of the mean of its square.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled weight decay: parameters shrink by lr·weight_decay first (AdamW). 0 for Adam.
    pub weight_decay: f32,
    /// 1 − beta1ᵗ at step t = 1, 2, ….
    pub bias_correction1: f32,
    /// 1 − beta2ᵗ.
    pub bias_correction2: f32,
    /// The gradient is multiplied by this first (clipping, loss scaling); 1 to leave it.
    pub grad_scale: f32,
}

impl AdamStep {
    /// The settings at step `t` = 1, 2, …, with no scaling of the gradient.
    pub fn at(t: u64, lr: f64, beta1: f64, beta2: f64, epsilon: f64, weight_decay: f64) -> Self {
        // In f64, since 1 − βᵗ cancels.
        Self {
            lr: lr as f32,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            epsilon: epsilon as f32,
            weight_decay: weight_decay as f32,
            bias_correction1: (1.0 - beta1.powf(t as f64)) as f32,
            bias_correction2: (1.0 - beta2.powf(t as f64)) as f32,
            grad_scale: 1.0,
        }
    }
}

/// The settings of one step of RMSProp.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsPropStep {
    /// Step size.
    pub lr: f32,
    /// Decay of the mean of the squared gradient.
    pub alpha: f32,
    /// Added to its root.
    pub epsilon: f32,
    /// Momentum of the scaled gradient; 0 for none.
    pub momentum: f32,
    /// L2 penalty: weight_decay·parameter is added to the gradient.
    pub weight_decay: f32,
    /// The gradient is multiplied by this first.
    pub grad_scale: f32,
}

/// The settings of one step of Adagrad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdagradStep {
    /// Step size.
    pub lr: f32,
    /// Added to the root of the sum of squared gradients.
    pub epsilon: f32,
    /// The gradient is multiplied by this first.
    pub grad_scale: f32,
}

/// The settings of one step of Adadelta.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdadeltaStep {
    /// Step size.
    pub lr: f32,
    /// Decay of the mean squares of gradient and update.
    pub rho: f32,
    /// Added to both under their roots; above 0, or the parameters never change.
    pub epsilon: f32,
    /// The gradient is multiplied by this first.
    pub grad_scale: f32,
}

/// The settings of one step of stochastic gradient descent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// Step size.
    pub lr: f32,
    /// Momentum; 0 for none.
    pub momentum: f32,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
    /// L2 penalty: weight_decay·parameter is added to the gradient.
    pub weight_decay: f32,
    /// The gradient is multiplied by this first.
    pub grad_scale: f32,
}

/// An update rule of `W` values from themselves and `R` others.
trait Rule<const W: usize, const R: usize>: Sync {
    fn apply<S: Simd>(&self, s: S, w: [S::V; W], r: [S::V; R]) -> [S::V; W];
}

struct Pass<'a, U, const W: usize, const R: usize> {
    rule: &'a U,
    write: [*mut f32; W],
    read: [*const f32; R],
    len: usize,
}

#[allow(
    clippy::needless_range_loop,
    reason = "loops are unrolled inside the kernel, closures may not be"
)]
impl<U: Rule<W, R>, const W: usize, const R: usize> Kernel for Pass<'_, U, W, R> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut i = 0;
        // SAFETY (the whole loop): `len` values are there in every slice; whole vectors are taken
        // while they fit, then the part that is left.
        while i + S::N <= self.len {
            let mut w = [s.splat(0.0); W];
            let mut r = [s.splat(0.0); R];
            for k in 0..W {
                w[k] = unsafe { s.load(self.write[k].add(i)) };
            }
            for k in 0..R {
                r[k] = unsafe { s.load(self.read[k].add(i)) };
            }
            let w = self.rule.apply(s, w, r);
            for k in 0..W {
                unsafe { s.store(self.write[k].add(i), w[k]) };
            }
            i += S::N;
        }
        let left = self.len - i;
        if left > 0 {
            let mut w = [s.splat(0.0); W];
            let mut r = [s.splat(0.0); R];
            for k in 0..W {
                w[k] = unsafe { s.load_part(self.write[k].add(i), left) };
            }
            for k in 0..R {
                r[k] = unsafe { s.load_part(self.read[k].add(i), left) };
            }
            let w = self.rule.apply(s, w, r);
            for k in 0..W {
                unsafe { s.store_part(self.write[k].add(i), left, w[k]) };
            }
        }
    }
}

/// Applies a rule elementwise.
fn pass<U: Rule<W, R>, const W: usize, const R: usize>(
    isa: Isa,
    rule: &U,
    write: [&mut [f32]; W],
    read: [&[f32]; R],
) {
    let len = write[0].len();
    assert!(
        write.iter().all(|w| w.len() == len) && read.iter().all(|r| r.len() == len),
        "parameters, gradient and state must be of one length"
    );
    let write = write.map(|w| SharedPtr(w.as_mut_ptr()));
    let read = read.map(|r| SharedPtr(r.as_ptr().cast_mut()));
    parallel::blocks(len, |start, len| {
        // SAFETY: blocks lie inside the slices and do not overlap; `&mut` slices overlap nothing.
        let (write, read) = unsafe {
            (write.map(|w| w.get().add(start)), read.map(|r| r.get().add(start).cast_const()))
        };
        isa.run(Pass { rule, write, read, len });
    });
}

impl Rule<3, 1> for AdamStep {
    #[inline(always)]
    fn apply<S: Simd>(&self, s: S, [p, m, v]: [S::V; 3], [g]: [S::V; 1]) -> [S::V; 3] {
        let g = s.mul(g, s.splat(self.grad_scale));
        let p = s.mul(p, s.splat(1.0 - self.lr * self.weight_decay));
        // m + (1 − β₁)(g − m)
        let m = s.fma(s.splat(1.0 - self.beta1), s.sub(g, m), m);
        let v = s.fma(s.mul(g, g), s.splat(1.0 - self.beta2), s.mul(v, s.splat(self.beta2)));
        let root = s.mul(s.sqrt(v), s.splat(1.0 / self.bias_correction2.sqrt()));
        let denominator = s.add(root, s.splat(self.epsilon));
        // Keeps an infinite second moment a valid divisor; no other value is near the bound.
        let update = s.divide(m, s.min(s.splat(1e30), denominator));
        [s.fnma(update, s.splat(self.lr / self.bias_correction1), p), m, v]
    }
}

impl Rule<2, 1> for RmsPropStep {
    #[inline(always)]
    fn apply<S: Simd>(&self, s: S, [p, v]: [S::V; 2], [g]: [S::V; 1]) -> [S::V; 2] {
        let (update, v) = self.update(s, p, v, g);
        [s.fnma(update, s.splat(self.lr), p), v]
    }
}

impl Rule<3, 1> for RmsPropStep {
    #[inline(always)]
    fn apply<S: Simd>(&self, s: S, [p, v, b]: [S::V; 3], [g]: [S::V; 1]) -> [S::V; 3] {
        let (update, v) = self.update(s, p, v, g);
        let b = s.fma(b, s.splat(self.momentum), update);
        [s.fnma(b, s.splat(self.lr), p), v, b]
    }
}

impl RmsPropStep {
    /// (gradient over the root of its mean square, mean square)
    #[inline(always)]
    fn update<S: Simd>(&self, s: S, p: S::V, v: S::V, g: S::V) -> (S::V, S::V) {
        let g = s.fma(p, s.splat(self.weight_decay), s.mul(g, s.splat(self.grad_scale)));
        let v = s.fma(s.mul(g, g), s.splat(1.0 - self.alpha), s.mul(v, s.splat(self.alpha)));
        (s.div(g, s.add(s.sqrt(v), s.splat(self.epsilon))), v)
    }
}

impl Rule<2, 1> for AdagradStep {
    #[inline(always)]
    fn apply<S: Simd>(&self, s: S, [p, v]: [S::V; 2], [g]: [S::V; 1]) -> [S::V; 2] {
        let g = s.mul(g, s.splat(self.grad_scale));
        let v = s.fma(g, g, v);
        let update = s.div(g, s.add(s.sqrt(v), s.splat(self.epsilon)));
        [s.fnma(update, s.splat(self.lr), p), v]
    }
}

impl Rule<3, 1> for AdadeltaStep {
    #[inline(always)]
    fn apply<S: Simd>(&self, s: S, [p, v, u]: [S::V; 3], [g]: [S::V; 1]) -> [S::V; 3] {
        let g = s.mul(g, s.splat(self.grad_scale));
        let (rho, rest) = (s.splat(self.rho), s.splat(1.0 - self.rho));
        let root = |x| s.sqrt(s.add(x, s.splat(self.epsilon)));
        let v = s.fma(s.mul(g, g), rest, s.mul(v, rho));
        let update = s.mul(s.div(root(u), root(v)), g);
        let u = s.fma(s.mul(update, update), rest, s.mul(u, rho));
        [s.fnma(update, s.splat(self.lr), p), v, u]
    }
}

impl Rule<2, 1> for SgdStep {
    #[inline(always)]
    fn apply<S: Simd>(&self, s: S, [p, b]: [S::V; 2], [g]: [S::V; 1]) -> [S::V; 2] {
        let g = s.fma(p, s.splat(self.weight_decay), s.mul(g, s.splat(self.grad_scale)));
        let b = s.fma(b, s.splat(self.momentum), g);
        let step = if self.nesterov { s.fma(b, s.splat(self.momentum), g) } else { b };
        [s.fnma(step, s.splat(self.lr), p), b]
    }
}

struct Ema(f32);

impl Rule<1, 1> for Ema {
    #[inline(always)]
    fn apply<S: Simd>(&self, s: S, [a]: [S::V; 1], [p]: [S::V; 1]) -> [S::V; 1] {
        [s.fma(s.splat(1.0 - self.0), s.sub(p, a), a)]
    }
}

/// One step of Adam, or of AdamW where `weight_decay` is not zero.
///
/// m ← m + (1 − β₁)(g − m), v ← β₂v + (1 − β₂)g², p ← p(1 − lr·wd) − lr/c₁ · m / (√v/√c₂ + ε),
/// with the bias corrections c₁ and c₂.
///
/// # Panics
/// If the lengths differ.
pub fn adam(params: &mut [f32], grad: &[f32], m: &mut [f32], v: &mut [f32], step: &AdamStep) {
    pass(Isa::best(), step, [params, m, v], [grad]);
}

/// One step of RMSProp (not centered): v ← αv + (1 − α)g², u = g / (√v + ε); with `momentum`,
/// b ← µb + u and p ← p − lr·b, without it p ← p − lr·u.
///
/// # Panics
/// If the lengths differ.
pub fn rmsprop(
    params: &mut [f32],
    grad: &[f32],
    square: &mut [f32],
    momentum: Option<&mut [f32]>,
    step: &RmsPropStep,
) {
    match momentum {
        Some(buffer) => pass(Isa::best(), step, [params, square, buffer], [grad]),
        None => pass(Isa::best(), step, [params, square], [grad]),
    }
}

/// One step of Adagrad: v ← v + g², p ← p − lr·g / (√v + ε).
///
/// # Panics
/// If the lengths differ.
pub fn adagrad(params: &mut [f32], grad: &[f32], squares: &mut [f32], step: &AdagradStep) {
    pass(Isa::best(), step, [params, squares], [grad]);
}

/// One step of Adadelta: v ← ρv + (1 − ρ)g², d = √(u + ε) / √(v + ε) · g, u ← ρu + (1 − ρ)d²,
/// p ← p − lr·d.
///
/// # Panics
/// If the lengths differ.
pub fn adadelta(
    params: &mut [f32],
    grad: &[f32],
    square: &mut [f32],
    update: &mut [f32],
    step: &AdadeltaStep,
) {
    pass(Isa::best(), step, [params, square, update], [grad]);
}

/// One step of gradient descent with momentum: b ← µb + g, p ← p − lr·b, or p − lr·(g + µb) with
/// Nesterov's look-ahead. No dampening.
///
/// # Panics
/// If the lengths differ.
pub fn sgd_momentum(params: &mut [f32], grad: &[f32], buffer: &mut [f32], step: &SgdStep) {
    pass(Isa::best(), step, [params, buffer], [grad]);
}

/// average ← decay·average + (1 − decay)·params.
///
/// # Panics
/// If the lengths differ.
pub fn ema(average: &mut [f32], params: &[f32], decay: f32) {
    pass(Isa::best(), &Ema(decay), [average], [params]);
}

struct Squares<'a>(&'a [f32]);

impl Kernel for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, _s: S) -> f64 {
        let mut sums = [0.0f64; 32];
        let mut chunks = self.0.chunks_exact(32);
        for chunk in &mut chunks {
            for i in 0..32 {
                let x = f64::from(chunk[i]);
                sums[i] += x * x;
            }
        }
        let rest: f64 = chunks.remainder().iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        sums.iter().sum::<f64>() + rest
    }
}

/// Σ x², in `f64`.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    let isa = Isa::best();
    parallel::map_blocks(values.len(), |start, len| isa.run(Squares(&values[start..start + len])))
        .iter()
        .sum()
}

struct Finite<'a>(&'a [f32]);

impl Kernel for Finite<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, _s: S) -> bool {
        // Whole chunks without branches, so that the loop is vectorized.
        self.0.chunks(1024).all(|chunk| {
            let mut all = true;
            for x in chunk {
                all &= x.is_finite();
            }
            all
        })
    }
}

/// Whether no value is infinite or NaN.
pub fn all_finite(values: &[f32]) -> bool {
    let isa = Isa::best();
    parallel::map_blocks(values.len(), |start, len| isa.run(Finite(&values[start..start + len])))
        .iter()
        .all(|&finite| finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: [f32; 5] = [0.5, -1.0, 2.0, 0.0, -0.25];
    const GRAD: [f32; 5] = [0.1, -2.0, 0.0, 3.0, 1e-3];

    // import torch
    // torch.set_default_dtype(torch.float64)
    // p0 = torch.tensor([0.5, -1.0, 2.0, 0.0, -0.25])
    // g = lambda t: torch.tensor([0.1, -2.0, 0.0, 3.0, 1e-3]) * t
    // def run(make):
    //     p = p0.clone().requires_grad_(); o = make([p])
    //     for t in (1, 2, 3):
    //         p.grad = g(t); o.step()
    //     return [float(f"{x:.9g}") for x in p.tolist()]
    // print(run(lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.95), eps=1e-8)))
    // print(run(lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.8, 0.95), eps=1e-8, weight_decay=0.3)))
    // print(run(lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.9, eps=1e-8, weight_decay=0.2)))
    // print(run(lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.9, eps=1e-8, momentum=0.7)))
    // print(run(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.2)))
    // print(run(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True)))
    const ADAM: [f32; 5] = [0.204_382_39, -0.704_382_37, 2.0, -0.295_617_63, -0.545_615_6];
    const ADAMW: [f32; 5] = [0.169_557_9, -0.625_894_4, 1.825_346, -0.286_778_6, -0.514_944_9];
    const RMSPROP: [f32; 5] =
        [-0.286_430_06, -0.145_170_26, 1.308_717_9, -0.860_033_85, -0.008_783_509];
    const RMSPROP_MOMENTUM: [f32; 5] = [-0.937_316_66, 0.437_316_96, 2.0, -1.437_317, -1.687_285_9];
    const SGD: [f32; 5] = [0.350_912, 0.989_168, 1.779_424, -2.818_32, -0.223_367_44];
    const NESTEROV: [f32; 5] = [0.354_41, 1.911_8, 2.0, -4.367_7, -0.251_455_9];

    /// Three steps with gradients t·GRAD / 4, given as such and scaled by 4.
    fn three(mut step: impl FnMut(u64, &mut [f32], &[f32])) -> [f32; 5] {
        let mut p = START;
        for t in 1..=3 {
            step(t, &mut p, &GRAD.map(|g| g * t as f32 / 4.0));
        }
        p
    }

    #[track_caller]
    fn close(ours: &[f32], theirs: &[f32]) {
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() <= 1e-6 * (1.0 + b.abs()), "{ours:?} against {theirs:?}");
        }
    }

    #[test]
    fn steps_are_those_of_pytorch() {
        for (decay, golden) in [(0.0, ADAM), (0.3, ADAMW)] {
            let (mut m, mut v) = ([0.0; 5], [0.0; 5]);
            let ours = three(|t, p, g| {
                let mut step = AdamStep::at(t, 0.1, 0.8, 0.95, 1e-8, decay);
                step.grad_scale = 4.0;
                adam(p, g, &mut m, &mut v, &step);
            });
            close(&ours, &golden);
        }
        let mut square = [0.0; 5];
        let mut step = RmsPropStep {
            lr: 0.1,
            alpha: 0.9,
            epsilon: 1e-8,
            momentum: 0.0,
            weight_decay: 0.2,
            grad_scale: 4.0,
        };
        close(&three(|_, p, g| rmsprop(p, g, &mut square, None, &step)), &RMSPROP);
        (step.momentum, step.weight_decay) = (0.7, 0.0);
        let (mut square, mut buffer) = ([0.0; 5], [0.0; 5]);
        let ours = three(|_, p, g| rmsprop(p, g, &mut square, Some(&mut buffer), &step));
        close(&ours, &RMSPROP_MOMENTUM);
        for (nesterov, weight_decay, golden) in [(false, 0.2, SGD), (true, 0.0, NESTEROV)] {
            let mut buffer = [0.0; 5];
            let step = SgdStep { lr: 0.1, momentum: 0.9, nesterov, weight_decay, grad_scale: 4.0 };
            close(&three(|_, p, g| sgd_momentum(p, g, &mut buffer, &step)), &golden);
        }
    }

    fn wave(len: usize, step: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * step).sin()).collect()
    }

    #[test]
    fn adam_agrees_with_a_plain_loop_in_f64_at_any_length() {
        for isa in Isa::available() {
            for len in [0, 1, 7, 8, 15, 16, 17, 31, 1000, 40_001] {
                let (mut p, g) = (wave(len, 0.3), wave(len, 0.7));
                let (mut m, mut v) = (
                    wave(len, 1.1),
                    wave(len, 1.7).iter().map(|x| x * x + 0.01).collect::<Vec<_>>(),
                );
                let step =
                    AdamStep { grad_scale: 0.5, ..AdamStep::at(3, 1e-2, 0.9, 0.999, 1e-8, 0.1) };
                let exact: Vec<[f64; 3]> = (0..len)
                    .map(|i| {
                        let [p, g, m, v] = [p[i], g[i], m[i], v[i]].map(f64::from);
                        let g = g * 0.5;
                        let m = 0.9 * m + 0.1 * g;
                        let v = 0.999 * v + 0.001 * g * g;
                        let (c1, c2) = (1.0 - 0.9f64.powi(3), 1.0 - 0.999f64.powi(3));
                        let p = p * (1.0 - 1e-3) - 1e-2 * (m / c1) / ((v / c2).sqrt() + 1e-8);
                        [p, m, v]
                    })
                    .collect();
                pass(isa, &step, [&mut p, &mut m, &mut v], [&g]);
                for (i, exact) in exact.iter().enumerate() {
                    for (ours, exact) in [p[i], m[i], v[i]].into_iter().zip(exact) {
                        let error = (f64::from(ours) - exact).abs();
                        assert!(
                            error <= 1e-6 * (1.0 + exact.abs()),
                            "{isa:?} {len} at {i}: {ours} against {exact}"
                        );
                    }
                }
            }
        }
    }

    /// Five steps of a rule with `W − 1` states on every instruction set, against the recurrence
    /// of one parameter in f64.
    fn recurs<U: Rule<W, 1>, const W: usize>(rule: &U, exact: impl Fn([f64; W], f64) -> [f64; W]) {
        for isa in Isa::available() {
            for len in [0, 1, 7, 8, 15, 16, 17, 31, 1000, 40_001] {
                let start = wave(len, 0.3);
                let mut ours = [(); W].map(|()| vec![0.0; len]);
                ours[0].clone_from(&start);
                let mut theirs: Vec<[f64; W]> = start
                    .iter()
                    .map(|&p| {
                        let mut state = [0.0; W];
                        state[0] = f64::from(p);
                        state
                    })
                    .collect();
                for t in 1..=5 {
                    let g: Vec<f32> = wave(len, 0.7).iter().map(|g| g * t as f32).collect();
                    pass(isa, rule, ours.each_mut().map(Vec::as_mut_slice), [&g]);
                    for (state, g) in theirs.iter_mut().zip(&g) {
                        *state = exact(*state, f64::from(*g));
                    }
                }
                for (i, theirs) in theirs.iter().enumerate() {
                    for (ours, theirs) in ours.iter().map(|o| f64::from(o[i])).zip(theirs) {
                        assert!(
                            (ours - theirs).abs() <= 2e-6 * (1.0 + theirs.abs()),
                            "{isa:?} {len} at {i}: {ours} against {theirs}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn adagrad_and_adadelta_follow_their_recurrences() {
        let step = AdagradStep { lr: 0.1, epsilon: 1e-8, grad_scale: 0.5 };
        recurs(&step, |[p, v], g| {
            let g = 0.5 * g;
            let v = v + g * g;
            [p - 0.1 * g / (v.sqrt() + 1e-8), v]
        });
        let step = AdadeltaStep { lr: 0.7, rho: 0.9, epsilon: 1e-3, grad_scale: 0.5 };
        recurs(&step, |[p, v, u], g| {
            let g = 0.5 * g;
            let v = 0.9 * v + 0.1 * g * g;
            let d = ((u + 1e-3) / (v + 1e-3)).sqrt() * g;
            [p - 0.7 * d, v, 0.9 * u + 0.1 * d * d]
        });
    }

    #[test]
    fn averages_sums_and_finiteness() {
        let mut average = vec![1.0; 33];
        ema(&mut average, &[3.0; 33], 0.75);
        assert_eq!(average, vec![1.5; 33]);
        assert_eq!(sum_of_squares(&[]), 0.0);
        assert!(all_finite(&[]));
        for len in [1, 31, 32, 33, 1023, 16_385, 100_003] {
            let mut x = wave(len, 0.7);
            let exact: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
            assert!((sum_of_squares(&x) - exact).abs() <= 1e-12 * exact);
            assert!(all_finite(&x));
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for at in [0, len / 2, len - 1] {
                    let good = std::mem::replace(&mut x[at], bad);
                    assert!(!all_finite(&x), "{bad} at {at} of {len}");
                    x[at] = good;
                }
            }
        }
        // Squares that f32 could not hold.
        assert_eq!(sum_of_squares(&[1e30]), f64::from(1e30f32) * f64::from(1e30f32));
    }

    #[test]
    fn the_number_of_threads_does_not_show() {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (mut p, g) = (wave(100_003, 0.3), wave(100_003, 0.7));
            let (mut m, mut v) = (vec![0.0; p.len()], vec![0.0; p.len()]);
            let mut v2 = m.clone();
            pool.install(|| {
                adam(&mut p, &g, &mut m, &mut v, &AdamStep::at(1, 1e-3, 0.9, 0.999, 1e-8, 0.0));
                let step = AdagradStep { lr: 0.1, epsilon: 1e-8, grad_scale: 0.5 };
                adagrad(&mut p, &g, &mut v, &step);
                let step = AdadeltaStep { lr: 1.0, rho: 0.9, epsilon: 1e-6, grad_scale: 0.5 };
                adadelta(&mut p, &g, &mut v, &mut v2, &step);
                (sum_of_squares(&p).to_bits(), p)
            })
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3));
    }

    #[test]
    #[should_panic(expected = "of one length")]
    fn lengths_must_agree() {
        ema(&mut [0.0; 3], &[0.0; 4], 0.5);
    }
}
