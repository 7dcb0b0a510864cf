//! Layer normalization with a leaky ReLU, and its vector-Jacobian product as a separate operation, so
//! that a gradient can be differentiated again.
//!
//! With m values per example, n = (x − mean) / √(var + ε), ρ = 1 / √(var + ε), γ of the value's
//! channel and the derivative s of the activation there, the vector-Jacobian product of v is
//!
//! J(v) = ρ·(g − a − n·b), with g = γ·s·v, a = mean(g), b = mean(g·n).
//!
//! For a gradient h of that, with p(h) = ρ·(h − mean(h) − n·k) and k = mean(h·n), the gradient of v
//! is γ·s·p(h), that of γ is Σ p(h)·s·v over its channel, and that of x is
//!
//! −ρ²·(b·h + k·g − (b·mean(h) + k·a) + n·(mean(h·(g − a − n·b)) − 2·b·k)).
//!
//! The derivative s is piecewise constant, so that the gradient of β is 0.

use burn::{
    backend::TensorMetadata,
    tensor::{Tensor, activation},
};
use rayon::prelude::*;

use super::leaky::{composed_leaky_relu_vjp, leaky};
use super::shared::{RUN, sizes, statistic};
use crate::{
    autodiff::Operation,
    flex::{self, Primitive},
    parallel::SharedPtr,
    simd::{Isa, Kernel, Simd},
};

/// Normalizes `x` \[n, c, …\] over all values of each example: y = γ·(x − mean) / √(var + `eps`) + β,
/// with `gamma` and `beta` \[c\]; then, if there is a `slope`, the leaky ReLU of that slope (0 for
/// the ReLU). Ba, Kiros and Hinton 2016, equation 4, with one γ and β per channel.
///
/// `f32` on Flex runs as one operation, with sums joined in `f64`; any other type or backend is
/// composed of Burn's operations.
///
/// # Panics
/// If the shapes do not fit, or `x` has fewer than two dimensions.
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
    slope: Option<f64>,
) -> Tensor<D> {
    check("layer_norm", x.dims(), &gamma, &beta);
    if !(flex::is_fast(&x) && flex::is_fast(&gamma) && flex::is_fast(&beta)) {
        return composed_layer_norm(x, gamma, beta, eps, slope);
    }
    LayerNorm::run((x, gamma, beta), (eps as f32, slope.unwrap_or(1.0) as f32))
}

/// The vector-Jacobian product of [`layer_norm`] at `x`, for `v` in the shape of `x`:
/// out\[i\] = Σ v\[j\]·∂y\[j\]/∂x\[i\] within each example.
///
/// It can be differentiated with respect to `v`, `x` and `gamma`, which gives second derivatives of the
/// normalization. Backends and panics as in [`layer_norm`].
pub fn layer_norm_vjp<const D: usize>(
    v: Tensor<D>,
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
    slope: Option<f64>,
) -> Tensor<D> {
    check("layer_norm_vjp", x.dims(), &gamma, &beta);
    assert!(v.dims() == x.dims(), "layer_norm_vjp: v {:?} and x {:?} differ", v.dims(), x.dims());
    let fast = flex::is_fast(&v) && flex::is_fast(&x);
    if !(fast && flex::is_fast(&gamma) && flex::is_fast(&beta)) {
        return composed_layer_norm_vjp(v, x, gamma, beta, eps, slope);
    }
    LayerNormVjp::run((v, x, gamma, beta), (eps as f32, slope.unwrap_or(1.0) as f32))
}

fn check<const D: usize>(name: &str, x: [usize; D], gamma: &Tensor<1>, beta: &Tensor<1>) {
    assert!(D >= 2, "{name}: x has a batch and channels");
    let ([scales], [shifts]) = (gamma.dims(), beta.dims());
    assert!(
        x[1] == scales && scales == shifts,
        "{name}: x {x:?}, gamma [{scales}] and beta [{shifts}] do not fit"
    );
}

/// The normalized values \[n, m\] and ρ \[n, 1\].
fn composed_normal<const D: usize>(x: Tensor<D>, eps: f64) -> (Tensor<2>, Tensor<2>) {
    let dims = x.dims();
    let x = x.reshape([dims[0], dims[1..].iter().product()]);
    let centered = x.clone() - x.mean_dim(1);
    let inverse = (centered.clone().square().mean_dim(1) + eps).sqrt().recip();
    (centered * inverse.clone(), inverse)
}

/// [`layer_norm`], composed of Burn's operations.
pub(crate) fn composed_layer_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
    slope: Option<f64>,
) -> Tensor<D> {
    let dims = x.dims();
    let [n, c, l] = [dims[0], dims[1], dims[2..].iter().product()];
    let (normal, _) = composed_normal(x, eps);
    let y = normal.reshape([n, c, l]) * gamma.reshape([1, c, 1]) + beta.reshape([1, c, 1]);
    let y = match slope {
        Some(slope) => activation::leaky_relu(y, slope),
        None => y,
    };
    y.reshape(dims)
}

/// [`layer_norm_vjp`], composed of Burn's operations.
pub(crate) fn composed_layer_norm_vjp<const D: usize>(
    v: Tensor<D>,
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
    slope: Option<f64>,
) -> Tensor<D> {
    let dims = x.dims();
    let [n, c, l] = [dims[0], dims[1], dims[2..].iter().product()];
    let v = match slope {
        Some(slope) => {
            let (gamma, beta) = (gamma.clone().detach(), beta.detach());
            let y = composed_layer_norm(x.clone().detach(), gamma, beta, eps, None);
            composed_leaky_relu_vjp(v, y, slope)
        }
        None => v,
    };
    let (normal, inverse) = composed_normal(x, eps);
    let g = (v.reshape([n, c, l]) * gamma.reshape([1, c, 1])).reshape([n, c * l]);
    let along = (g.clone() * normal.clone()).mean_dim(1);
    ((g.clone() - g.mean_dim(1) - normal * along) * inverse).reshape(dims)
}

/// The sizes and parameters of every pass.
#[derive(Clone, Copy)]
struct Layout<'a> {
    /// Examples, channels and values of a channel.
    sizes: [usize; 3],
    gamma: &'a [f32],
    beta: &'a [f32],
    eps: f32,
    slope: f32,
}

/// Of one example: its values, and its moments once they are known.
#[derive(Clone, Copy)]
struct Example {
    x: *const f32,
    mean: f32,
    /// 1 / √(var + ε).
    rate: f32,
}

/// Values of a task: 64 KiB of each tensor.
const TASK: usize = 16_384;

impl Layout<'_> {
    /// Values of an example.
    fn width(&self) -> usize {
        self.sizes[1] * self.sizes[2]
    }

    /// Examples of a task, whatever the number of threads.
    fn share(&self) -> usize {
        (TASK / self.width().max(1)).clamp(1, 64)
    }

    /// Calls `work` for each vector of an example: its channel, where it begins, and how many of its
    /// lanes there are, `None` for all.
    #[inline(always)]
    fn each<S: Simd>(&self, mut work: impl FnMut(usize, usize, Option<usize>)) {
        let [_, c, l] = self.sizes;
        for channel in 0..c {
            let (mut at, end) = (channel * l, channel * l + l);
            while at + S::N <= end {
                work(channel, at, None);
                at += S::N;
            }
            if at < end {
                work(channel, at, Some(end - at));
            }
        }
    }

    /// Sums of terms over an example.
    #[inline(always)]
    fn sums<S: Simd, const N: usize>(
        &self,
        s: S,
        mut term: impl FnMut(usize, usize, Option<usize>) -> [S::V; N],
    ) -> [f64; N] {
        let (mut totals, mut lanes, mut count) = ([0.0f64; N], [s.splat(0.0); N], 0);
        let join = |totals: &mut [f64; N], lanes: &mut [S::V; N]| {
            for (total, lanes) in totals.iter_mut().zip(lanes.iter_mut()) {
                *total += s.lanes(*lanes)[..S::N].iter().map(|&x| f64::from(x)).sum::<f64>();
                *lanes = s.splat(0.0);
            }
        };
        self.each::<S>(
            #[inline(always)]
            |channel, at, part| {
                let terms = term(channel, at, part);
                for k in 0..N {
                    lanes[k] = s.add(lanes[k], only(s, part, terms[k]));
                }
                count += 1;
                if count == RUN {
                    join(&mut totals, &mut lanes);
                    count = 0;
                }
            },
        );
        join(&mut totals, &mut lanes);
        totals
    }

    /// The moments of an example's values.
    #[inline(always)]
    fn moments<S: Simd>(&self, s: S, x: *const f32) -> Example {
        let size = self.width().max(1) as f64;
        // SAFETY: `x` is an example's values, and `each` stays within them.
        let [sum] = self.sums(
            s,
            #[inline(always)]
            |_, at, part| [unsafe { load(s, x.add(at), part) }],
        );
        let mean = (sum / size) as f32;
        let [squares] = self.sums(
            s,
            #[inline(always)]
            |_, at, part| {
                // SAFETY: as above.
                let x = s.sub(unsafe { load(s, x.add(at), part) }, s.splat(mean));
                [s.mul(x, x)]
            },
        );
        let rate = (squares / size + f64::from(self.eps)).sqrt().recip() as f32;
        Example { x, mean, rate }
    }

    /// A vector's normalized values.
    ///
    /// # Safety
    /// The vector lies in the example.
    #[inline(always)]
    unsafe fn normal<S: Simd>(&self, s: S, of: Example, at: usize, part: Option<usize>) -> S::V {
        // SAFETY: the caller's.
        let x = unsafe { load(s, of.x.add(at), part) };
        s.mul(s.sub(x, s.splat(of.mean)), s.splat(of.rate))
    }

    /// The value before the activation, with the same bits in every pass.
    #[inline(always)]
    fn sum<S: Simd>(&self, s: S, channel: usize, normal: S::V) -> S::V {
        s.fma(normal, s.splat(self.gamma[channel]), s.splat(self.beta[channel]))
    }

    /// s·v: `v` times the derivative of the activation.
    #[inline(always)]
    fn gated<S: Simd>(&self, s: S, channel: usize, normal: S::V, v: S::V) -> S::V {
        if self.slope == 1.0 { v } else { leaky(s, self.sum(s, channel, normal), v, self.slope) }
    }
}

/// # Safety
/// The vector, or its part, is readable.
#[inline(always)]
unsafe fn load<S: Simd>(s: S, p: *const f32, part: Option<usize>) -> S::V {
    // SAFETY: the caller's.
    unsafe {
        match part {
            None => s.load(p),
            Some(n) => s.load_part(p, n),
        }
    }
}

/// # Safety
/// The vector, or its part, is writable.
#[inline(always)]
unsafe fn store<S: Simd>(s: S, p: *mut f32, part: Option<usize>, v: S::V) {
    // SAFETY: the caller's.
    unsafe {
        match part {
            None => s.store(p, v),
            Some(n) => s.store_part(p, n, v),
        }
    }
}

/// Zero in lanes that are not there.
#[inline(always)]
fn only<S: Simd>(s: S, part: Option<usize>, v: S::V) -> S::V {
    match part {
        None => v,
        Some(n) => s.only(n, v),
    }
}

/// Normalizes the examples of a task.
struct Forward<'a> {
    layout: Layout<'a>,
    count: usize,
    x: *const f32,
    out: *mut f32,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { layout, count, x, out } = self;
        for i in 0..count {
            // SAFETY: the task's examples lie in both tensors.
            let (x, out) = unsafe { (x.add(i * layout.width()), out.add(i * layout.width())) };
            let example = layout.moments(s, x);
            layout.each::<S>(
                #[inline(always)]
                |channel, at, part| {
                    // SAFETY: as above.
                    unsafe {
                        let normal = layout.normal(s, example, at, part);
                        let y = layout.sum(s, channel, normal);
                        store(s, out.add(at), part, layout.gated(s, channel, normal, y));
                    }
                },
            );
        }
    }
}

/// J(v) for the examples of a task.
struct Pull<'a> {
    layout: Layout<'a>,
    count: usize,
    x: *const f32,
    v: *const f32,
    out: *mut f32,
    /// Where wanted, sums of s·v and of n·s·v, those of γ and β, for each channel.
    sums: Option<&'a mut [[f64; 2]]>,
}

/// For each channel, sums over a task's examples, in lanes.
struct ChannelSums<S: Simd, const N: usize>(Vec<[S::V; N]>);

impl<S: Simd, const N: usize> ChannelSums<S, N> {
    #[inline(always)]
    fn new(s: S, channels: usize) -> Self {
        Self(vec![[s.splat(0.0); N]; channels])
    }

    #[inline(always)]
    fn add(&mut self, s: S, channel: usize, part: Option<usize>, values: [S::V; N]) {
        let lanes = &mut self.0[channel];
        for k in 0..N {
            lanes[k] = s.add(lanes[k], only(s, part, values[k]));
        }
    }

    #[inline(always)]
    fn finish(self, s: S, out: &mut [[f64; N]]) {
        for (out, lanes) in out.iter_mut().zip(self.0) {
            for k in 0..N {
                out[k] += s.lanes(lanes[k])[..S::N].iter().map(|&x| f64::from(x)).sum::<f64>();
            }
        }
    }
}

impl Kernel for Pull<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { layout, count, x, v, out, sums } = self;
        let (width, size) = (layout.width(), layout.width().max(1) as f64);
        let mut channels = ChannelSums::new(s, if sums.is_some() { layout.sizes[1] } else { 0 });
        let wanted = sums.is_some();
        for i in 0..count {
            // SAFETY: the task's examples lie in all tensors.
            let (x, v, out) = unsafe { (x.add(i * width), v.add(i * width), out.add(i * width)) };
            let example = layout.moments(s, x);
            let [a, b] = layout
                .sums(
                    s,
                    #[inline(always)]
                    |channel, at, part| {
                        // SAFETY: as above.
                        let (normal, v) = unsafe {
                            (layout.normal(s, example, at, part), load(s, v.add(at), part))
                        };
                        let u = layout.gated(s, channel, normal, v);
                        if wanted {
                            channels.add(s, channel, part, [u, s.mul(u, normal)]);
                        }
                        let g = s.mul(u, s.splat(layout.gamma[channel]));
                        [g, s.mul(g, normal)]
                    },
                )
                .map(|sum| s.splat((sum / size) as f32));
            let rate = s.splat(example.rate);
            layout.each::<S>(
                #[inline(always)]
                |channel, at, part| {
                    // SAFETY: as above.
                    unsafe {
                        let normal = layout.normal(s, example, at, part);
                        let u = layout.gated(s, channel, normal, load(s, v.add(at), part));
                        let g = s.mul(u, s.splat(layout.gamma[channel]));
                        let own = s.fnma(normal, b, s.sub(g, a));
                        store(s, out.add(at), part, s.mul(own, rate));
                    }
                },
            );
        }
        if let Some(sums) = sums {
            channels.finish(s, sums);
        }
    }
}

/// The gradients of v, x and γ from that of J(v), for the examples of a task.
struct Push<'a> {
    layout: Layout<'a>,
    count: usize,
    x: *const f32,
    v: *const f32,
    h: *const f32,
    for_v: *mut f32,
    for_x: *mut f32,
    /// The gradient of γ for each channel.
    sums: &'a mut [[f64; 1]],
}

impl Kernel for Push<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { layout, count, x, v, h, for_v, for_x, sums } = self;
        let (width, size) = (layout.width(), layout.width().max(1) as f64);
        let mut channels = ChannelSums::new(s, layout.sizes[1]);
        for i in 0..count {
            // SAFETY: the task's examples lie in all tensors.
            let (x, v, h) = unsafe { (x.add(i * width), v.add(i * width), h.add(i * width)) };
            // SAFETY: as above.
            let (for_v, for_x) = unsafe { (for_v.add(i * width), for_x.add(i * width)) };
            let example = layout.moments(s, x);
            let [a, b, mean, k, product] = layout
                .sums(
                    s,
                    #[inline(always)]
                    |channel, at, part| {
                        // SAFETY: as above.
                        let (normal, v, h) = unsafe {
                            let normal = layout.normal(s, example, at, part);
                            (normal, load(s, v.add(at), part), load(s, h.add(at), part))
                        };
                        let u = layout.gated(s, channel, normal, v);
                        let g = s.mul(u, s.splat(layout.gamma[channel]));
                        [g, s.mul(g, normal), h, s.mul(h, normal), s.mul(h, g)]
                    },
                )
                .map(|sum| sum / size);
            // mean(h·(g − a − n·b)) − 2·b·k
            let along = s.splat((product - a * mean - 3.0 * b * k) as f32);
            let offset = s.splat((b * mean + k * a) as f32);
            let [b, mean, k] = [b, mean, k].map(|x| s.splat(x as f32));
            let (rate, square) = (s.splat(example.rate), s.splat(-example.rate * example.rate));
            layout.each::<S>(
                #[inline(always)]
                |channel, at, part| {
                    // SAFETY: as above.
                    unsafe {
                        let normal = layout.normal(s, example, at, part);
                        let gamma = s.splat(layout.gamma[channel]);
                        let u = layout.gated(s, channel, normal, load(s, v.add(at), part));
                        let (g, h) = (s.mul(u, gamma), load(s, h.add(at), part));
                        let p = s.mul(s.fnma(normal, k, s.sub(h, mean)), rate);
                        channels.add(s, channel, part, [s.mul(p, u)]);
                        let pulled = layout.gated(s, channel, normal, s.mul(p, gamma));
                        store(s, for_v.add(at), part, pulled);
                        let own = s.fma(b, h, s.fma(k, g, s.sub(s.mul(normal, along), offset)));
                        store(s, for_x.add(at), part, s.mul(own, square));
                    }
                },
            );
        }
        channels.finish(s, sums);
    }
}

/// Calls `work(first, count, sums)` for tasks of examples, and gives the tasks' sums for each
/// channel, joined in order.
fn tasks<const N: usize>(
    layout: &Layout<'_>,
    work: impl Fn(usize, usize, &mut [[f64; N]]) + Sync,
) -> [Vec<f32>; N] {
    let [n, c, _] = layout.sizes;
    let share = layout.share();
    let all: Vec<Vec<[f64; N]>> = (0..n.div_ceil(share))
        .into_par_iter()
        .map(|i| {
            let mut sums = vec![[0.0; N]; c];
            work(i * share, share.min(n - i * share), &mut sums);
            sums
        })
        .collect();
    let total = |k: usize, channel: usize| all.iter().map(|sums| sums[channel][k]).sum::<f64>();
    std::array::from_fn(|k| (0..c).map(|channel| total(k, channel) as f32).collect())
}

/// # Panics
/// If the slices do not have the layout's sizes.
fn check_sizes(layout: &Layout<'_>, tensors: &[&[f32]]) {
    let [n, c, _] = layout.sizes;
    assert!(tensors.iter().all(|values| values.len() == n * layout.width()), "sizes fit");
    assert!(layout.gamma.len() == c && layout.beta.len() == c, "sizes fit");
}

fn forward(isa: Isa, layout: Layout<'_>, x: &[f32]) -> Vec<f32> {
    check_sizes(&layout, &[x]);
    let width = layout.width();
    let write = |out: *mut f32| {
        let (x, out) = (SharedPtr(x.as_ptr().cast_mut()), SharedPtr(out));
        let [] = tasks(&layout, |first, count, _| {
            // SAFETY: tasks have examples of their own, within both tensors.
            let (x, out) = unsafe { (x.get().add(first * width), out.get().add(first * width)) };
            isa.run(Forward { layout, count, x, out });
        });
    };
    // SAFETY: the tasks are all examples, and each is written whole.
    unsafe { flex::filled(x.len(), write) }
}

/// J(v), and Σ s·v and Σ n·s·v of each channel: with the gradient of y for v, the gradients of x, β and γ.
fn pull(isa: Isa, layout: Layout<'_>, x: &[f32], v: &[f32], sums: bool) -> [Vec<f32>; 3] {
    check_sizes(&layout, &[x, v]);
    let width = layout.width();
    let mut channels = [Vec::new(), Vec::new()];
    let write = |out: *mut f32| {
        let [x, v] = [x, v].map(|values| SharedPtr(values.as_ptr().cast_mut()));
        let out = SharedPtr(out);
        channels = tasks(&layout, |first, count, totals| {
            // SAFETY: tasks have examples of their own, within all tensors.
            let [x, v, out] = [x, v, out].map(|p| unsafe { p.get().add(first * width) });
            isa.run(Pull { layout, count, x, v, out, sums: sums.then_some(totals) });
        });
    };
    // SAFETY: the tasks are all examples, and each is written whole.
    let out = unsafe { flex::filled(x.len(), write) };
    let [beta, gamma] = channels;
    [out, beta, gamma]
}

/// The gradients of v, x and γ from the gradient `h` of J(v).
fn push(isa: Isa, layout: Layout<'_>, x: &[f32], v: &[f32], h: &[f32]) -> [Vec<f32>; 3] {
    check_sizes(&layout, &[x, v, h]);
    let width = layout.width();
    let (mut for_x, mut for_gamma) = (Vec::new(), Vec::new());
    let write_v = |for_v: *mut f32| {
        let write_x = |for_x: *mut f32| {
            let [x, v, h] = [x, v, h].map(|values| SharedPtr(values.as_ptr().cast_mut()));
            let (for_v, for_x) = (SharedPtr(for_v), SharedPtr(for_x));
            [for_gamma] = tasks(&layout, |first, count, sums| {
                // SAFETY: tasks have examples of their own, within all tensors.
                let [x, v, h, for_v, for_x] =
                    [x, v, h, for_v, for_x].map(|p| unsafe { p.get().add(first * width) });
                isa.run(Push { layout, count, x, v, h, for_v, for_x, sums });
            });
        };
        // SAFETY: the tasks are all examples, and each is written whole.
        for_x = unsafe { flex::filled(x.len(), write_x) };
    };
    // SAFETY: as above.
    let for_v = unsafe { flex::filled(x.len(), write_v) };
    [for_v, for_x, for_gamma]
}

/// The parameters of the operations; a slope of 1 means no activation.
#[derive(Debug, Clone)]
struct Scales {
    gamma: Primitive,
    beta: Primitive,
    eps: f32,
    slope: f32,
}

impl Scales {
    fn layout(&self, x: &Primitive) -> Layout<'_> {
        Layout {
            sizes: sizes(x),
            gamma: self.gamma.storage(),
            beta: self.beta.storage(),
            eps: self.eps,
            slope: self.slope,
        }
    }
}

#[derive(Debug, Clone)]
struct LayerNorm {
    x: Primitive,
    scales: Scales,
}

impl Operation<3> for LayerNorm {
    /// ε and the slope.
    type Parameters = (f32, f32);

    fn forward([x, gamma, beta]: [Primitive; 3], (eps, slope): (f32, f32)) -> (Primitive, Self) {
        let scales = Scales { gamma, beta, eps, slope };
        let y = forward(Isa::best(), scales.layout(&x), x.storage());
        (flex::tensor(y, x.shape()), Self { x, scales })
    }

    fn backward(self, grad: Primitive, [x, gamma, beta]: [bool; 3]) -> [Option<Primitive>; 3] {
        let (layout, values) = (self.scales.layout(&self.x), self.x.storage());
        let [for_x, for_beta, for_gamma] =
            pull(Isa::best(), layout, values, grad.storage(), gamma || beta);
        [
            x.then(|| flex::tensor(for_x, self.x.shape())),
            gamma.then(|| statistic(for_gamma)),
            beta.then(|| statistic(for_beta)),
        ]
    }
}

#[derive(Debug, Clone)]
struct LayerNormVjp {
    v: Primitive,
    x: Primitive,
    scales: Scales,
}

impl Operation<4> for LayerNormVjp {
    /// ε and the slope.
    type Parameters = (f32, f32);

    /// β.
    const CONSTANTS: usize = 1;

    fn forward([v, x, gamma, beta]: [Primitive; 4], (eps, slope): (f32, f32)) -> (Primitive, Self) {
        let scales = Scales { gamma, beta, eps, slope };
        let [out, ..] = pull(Isa::best(), scales.layout(&x), x.storage(), v.storage(), false);
        (flex::tensor(out, x.shape()), Self { v, x, scales })
    }

    fn backward(self, grad: Primitive, _: [bool; 4]) -> [Option<Primitive>; 4] {
        let (layout, x, v) = (self.scales.layout(&self.x), self.x.storage(), self.v.storage());
        let [for_v, for_x, for_gamma] = push(Isa::best(), layout, x, v, grad.storage());
        let like_x = |values| Some(flex::tensor(values, self.x.shape()));
        [like_x(for_v), like_x(for_x), Some(statistic(for_gamma)), None]
    }
}

#[cfg(test)]
mod tests;
