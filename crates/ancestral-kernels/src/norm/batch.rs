//! Batch normalization, with the activation after it.

use burn::{
    backend::{DType, TensorMetadata},
    tensor::{Tensor, TensorData, activation},
};
use rayon::prelude::*;

use super::leaky::leaky;
use super::shared::{RUN, sizes, statistic};
use crate::{
    autodiff::Operation,
    flex::{self, Primitive},
    parallel::SharedPtr,
    simd::{Isa, Kernel, Simd},
};

/// Normalizes `x` \[n, c, …\] over the batch and all dimensions after the channels:
/// y = γ·(x − mean) / √(var + `eps`) + β, with `gamma` and `beta` \[c\]; then, if there is a
/// `slope`, the leaky ReLU of that slope (0 for the ReLU).
///
/// Returns y in the shape of `x`, and the batch's mean and variance \[c\] (the mean square about the
/// mean, with no correction of its bias), through which no gradient flows: they are for running
/// statistics. The gradients of x, γ and β take into account that both depend on `x`. `f32` on Flex runs as one
/// operation, with sums joined in `f64`; any other type or backend is composed of Burn's
/// operations. A statistic is within 2⁻²¹ of the mean of its terms' magnitudes.
///
/// # Panics
/// If the shapes do not fit, or `x` has fewer than two dimensions.
pub fn batch_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
    slope: Option<f64>,
) -> (Tensor<D>, Tensor<1>, Tensor<1>) {
    assert!(D >= 2, "batch_norm: x has a batch and channels");
    let (dims, [scales], [shifts]) = (x.dims(), gamma.dims(), beta.dims());
    assert!(
        dims[1] == scales && scales == shifts,
        "batch_norm: x {dims:?}, gamma [{scales}] and beta [{shifts}] do not fit"
    );
    if !(flex::is_fast(&x) && flex::is_fast(&gamma) && flex::is_fast(&beta)) {
        return composed_batch_norm(x, gamma, beta, eps, slope);
    }
    let (device, slope) = (x.device(), slope.unwrap_or(1.0));
    let (y, statistics) =
        BatchNorm::run_with_statistics((x, gamma, beta), (eps as f32, slope as f32));
    let [mean, variance] = statistics
        .map(|values| Tensor::from_data(TensorData::new(values, [scales]), (&device, DType::F32)));
    (y, mean, variance)
}

/// The same, composed of Burn's operations.
pub(crate) fn composed_batch_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
    slope: Option<f64>,
) -> (Tensor<D>, Tensor<1>, Tensor<1>) {
    let dims = x.dims();
    let [n, c, l] = [dims[0], dims[1], dims[2..].iter().product()];
    let x = x.reshape([n, c, l]);
    let mean = x.clone().mean_dim(2).mean_dim(0);
    let x = x - mean.clone();
    let variance = (x.clone() * x.clone()).mean_dim(2).mean_dim(0);
    let y =
        x / (variance.clone() + eps).sqrt() * gamma.reshape([1, c, 1]) + beta.reshape([1, c, 1]);
    let y = match slope {
        Some(slope) => activation::leaky_relu(y, slope),
        None => y,
    };
    (y.reshape(dims), mean.detach().reshape([c]), variance.detach().reshape([c]))
}

/// Which channels a task takes, and the sizes of the whole.
#[derive(Clone, Copy)]
struct Channels {
    first: usize,
    count: usize,
    /// Images, channels and values of a channel.
    sizes: [usize; 3],
}

/// Values of a task: 256 KiB, a part of one core's second-level cache.
const TASK: usize = 65_536;

impl Channels {
    /// Calls `work` for shares of the channels.
    fn shares(sizes @ [n, c, l]: [usize; 3], work: impl Fn(Self) + Sync + Send) {
        let most = (TASK / (n * l).max(1)).min(c.div_ceil(8)).max(1);
        (0..c.div_ceil(most)).into_par_iter().for_each(|i| {
            let first = i * most;
            work(Self { first, count: most.min(c - first), sizes });
        });
    }
}

/// A term that is summed over a channel, or computed for each of its values.
trait Term<const N: usize> {
    /// The term of a value and, if there is one, of the gradient at its place.
    fn of<S: Simd>(&self, s: S, channel: usize, x: S::V, grad: S::V) -> [S::V; N];
}

struct Plain;

impl Term<1> for Plain {
    #[inline(always)]
    fn of<S: Simd>(&self, _: S, _: usize, x: S::V, _: S::V) -> [S::V; 1] {
        [x]
    }
}

struct Squares<'a> {
    mean: &'a [f32],
}

impl Term<1> for Squares<'_> {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, channel: usize, x: S::V, _: S::V) -> [S::V; 1] {
        let x = s.sub(x, s.splat(self.mean[channel]));
        [s.mul(x, x)]
    }
}

/// Of each channel of a task.
struct Normal<'a> {
    mean: &'a [f32],
    /// 1 / √(var + ε).
    rate: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    slope: f32,
}

impl Normal<'_> {
    /// The value before the activation, the same in both passes.
    #[inline(always)]
    fn sum<S: Simd>(&self, s: S, channel: usize, x: S::V) -> S::V {
        let scale = s.splat(self.gamma[channel] * self.rate[channel]);
        s.fma(s.sub(x, s.splat(self.mean[channel])), scale, s.splat(self.beta[channel]))
    }

    /// The gradient of that value.
    #[inline(always)]
    fn delta<S: Simd>(&self, s: S, channel: usize, x: S::V, grad: S::V) -> S::V {
        if self.slope == 1.0 { grad } else { leaky(s, self.sum(s, channel, x), grad, self.slope) }
    }

    /// The normalized value.
    #[inline(always)]
    fn normal<S: Simd>(&self, s: S, channel: usize, x: S::V) -> S::V {
        s.mul(s.sub(x, s.splat(self.mean[channel])), s.splat(self.rate[channel]))
    }
}

impl Term<1> for Normal<'_> {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, channel: usize, x: S::V, _: S::V) -> [S::V; 1] {
        let sum = self.sum(s, channel, x);
        [if self.slope == 1.0 { sum } else { leaky(s, sum, sum, self.slope) }]
    }
}

/// The gradients of β and γ.
struct ParameterGradients<'a>(&'a Normal<'a>);

impl Term<2> for ParameterGradients<'_> {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, channel: usize, x: S::V, grad: S::V) -> [S::V; 2] {
        let delta = self.0.delta(s, channel, x, grad);
        [delta, s.mul(delta, self.0.normal(s, channel, x))]
    }
}

/// The gradient of x.
struct Pull<'a> {
    normal: &'a Normal<'a>,
    /// The means of the terms of [`ParameterGradients`].
    means: &'a [[f32; 2]],
}

impl Term<1> for Pull<'_> {
    #[inline(always)]
    fn of<S: Simd>(&self, s: S, channel: usize, x: S::V, grad: S::V) -> [S::V; 1] {
        let [delta, product] = self.means[channel].map(
            #[inline(always)]
            |mean| s.splat(mean),
        );
        let own = s.sub(self.normal.delta(s, channel, x, grad), delta);
        let own = s.fnma(self.normal.normal(s, channel, x), product, own);
        [s.mul(own, s.splat(self.normal.gamma[channel] * self.normal.rate[channel]))]
    }
}

/// Sums of terms over each channel of a task.
struct Sums<'a, T, const N: usize> {
    x: *const f32,
    /// The same address as `x` where no term asks for a gradient.
    grad: *const f32,
    channels: Channels,
    term: &'a T,
    out: &'a mut [[f64; N]],
}

impl<T: Term<N>, const N: usize> Kernel for Sums<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { x, grad, channels: Channels { first, count, sizes: [n, c, l] }, term, out } =
            self;
        // Runs of whole images, or of a part of one.
        let row = l.min(RUN * S::N);
        let images = (RUN * S::N / l.max(1)).max(1);
        let mut lanes = vec![[[0.0f32; 16]; N]; count];
        let mut begin = 0;
        // SAFETY: `lanes` has room for a vector in every place, and the values of every channel
        // are read inside of the tensor.
        unsafe {
            while begin < n {
                let end = n.min(begin + images);
                let mut from = 0;
                while from < l {
                    let len = row.min(l - from);
                    for image in begin..end {
                        for (channel, lanes) in lanes.iter_mut().enumerate() {
                            let at = (image * c + first + channel) * l + from;
                            let (x, grad) = (x.add(at), grad.add(at));
                            let mut sums = [s.splat(0.0); N];
                            for k in 0..N {
                                sums[k] = s.load(lanes[k].as_ptr());
                            }
                            let mut i = 0;
                            while i + S::N <= len {
                                let (x, grad) = (s.load(x.add(i)), s.load(grad.add(i)));
                                let terms = term.of(s, channel, x, grad);
                                for k in 0..N {
                                    sums[k] = s.add(sums[k], terms[k]);
                                }
                                i += S::N;
                            }
                            if i < len {
                                let left = len - i;
                                let x = s.load_part(x.add(i), left);
                                let grad = s.load_part(grad.add(i), left);
                                let terms = term.of(s, channel, x, grad);
                                for k in 0..N {
                                    sums[k] = s.add(sums[k], s.only(left, terms[k]));
                                }
                            }
                            for k in 0..N {
                                s.store(lanes[k].as_mut_ptr(), sums[k]);
                            }
                        }
                    }
                    for (out, lanes) in out.iter_mut().zip(&mut lanes) {
                        for k in 0..N {
                            for lane in &mut lanes[k] {
                                out[k] += f64::from(*lane);
                                *lane = 0.0;
                            }
                        }
                    }
                    from += len;
                }
                begin = end;
            }
        }
    }
}

/// Computes a term for every value of a task's channels.
struct Each<'a, T> {
    x: *const f32,
    grad: *const f32,
    out: *mut f32,
    channels: Channels,
    term: &'a T,
}

impl<T: Term<1>> Kernel for Each<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { x, grad, out, channels: Channels { first, count, sizes: [n, c, l] }, term } =
            self;
        for image in 0..n {
            for channel in 0..count {
                let at = (image * c + first + channel) * l;
                let mut i = 0;
                // SAFETY: the channel's values lie inside of the tensors, which are of one size.
                unsafe {
                    let (x, grad, out) = (x.add(at), grad.add(at), out.add(at));
                    while i + S::N <= l {
                        let (x, grad) = (s.load(x.add(i)), s.load(grad.add(i)));
                        s.store(out.add(i), term.of(s, channel, x, grad)[0]);
                        i += S::N;
                    }
                    if i < l {
                        let left = l - i;
                        let x = s.load_part(x.add(i), left);
                        let grad = s.load_part(grad.add(i), left);
                        s.store_part(out.add(i), left, term.of(s, channel, x, grad)[0]);
                    }
                }
            }
        }
    }
}

/// The sum of each channel of values \[n, c, l\].
pub(crate) fn channel_sums(isa: Isa, values: &[f32], sizes @ [n, c, l]: [usize; 3]) -> Vec<f32> {
    assert_eq!(values.len(), n * c * l, "values fill their shape");
    let x = SharedPtr(values.as_ptr().cast_mut());
    let mut sums = vec![0.0; c];
    let out = SharedPtr(sums.as_mut_ptr());
    Channels::shares(sizes, |channels| {
        let mut totals = vec![[0.0]; channels.count];
        let (x, term) = (x.get().cast_const(), &Plain);
        isa.run(Sums { x, grad: x, channels, term, out: &mut totals });
        for (i, [total]) in totals.into_iter().enumerate() {
            // SAFETY: shares of channels do not overlap.
            unsafe { out.get().add(channels.first + i).write(total as f32) };
        }
    });
    sums
}

/// Values, means, variances and rates.
pub(super) struct Normalized {
    pub(super) y: Vec<f32>,
    pub(super) mean: Vec<f32>,
    pub(super) variance: Vec<f32>,
    pub(super) rate: Vec<f32>,
}

pub(super) fn normalize(
    isa: Isa,
    x: &[f32],
    sizes @ [n, c, l]: [usize; 3],
    [gamma, beta]: [&[f32]; 2],
    eps: f32,
    slope: f32,
) -> Normalized {
    assert!(x.len() == n * c * l && gamma.len() == c && beta.len() == c, "sizes fit");
    let size = (n * l).max(1) as f64;
    let [mut mean, mut variance, mut rate] = [(); 3].map(|()| vec![0.0f32; c]);
    let outs = [&mut mean, &mut variance, &mut rate].map(|out| SharedPtr(out.as_mut_ptr()));
    let write = |out: *mut f32| {
        let out = SharedPtr(out);
        Channels::shares(sizes, |channels| {
            let own = channels.first..channels.first + channels.count;
            let x = x.as_ptr();
            let mut sums = vec![[0.0]; channels.count];
            isa.run(Sums { x, grad: x, channels, term: &Plain, out: &mut sums });
            let mean: Vec<f32> = sums.iter().map(|[sum]| (sum / size) as f32).collect();
            sums.fill([0.0]);
            let term = &Squares { mean: &mean };
            isa.run(Sums { x, grad: x, channels, term, out: &mut sums });
            let variance: Vec<f32> = sums.iter().map(|[sum]| (sum / size) as f32).collect();
            let rate: Vec<f32> = sums
                .iter()
                .map(|[sum]| (sum / size + f64::from(eps)).sqrt().recip() as f32)
                .collect();
            let (gamma, beta) = (&gamma[own.clone()], &beta[own.clone()]);
            let term = &Normal { mean: &mean, rate: &rate, gamma, beta, slope };
            isa.run(Each { x, grad: x, out: out.get(), channels, term });
            for (out, values) in outs.iter().zip([&mean, &variance, &rate]) {
                for (i, &value) in own.clone().zip(values) {
                    // SAFETY: shares of channels do not overlap.
                    unsafe { out.get().add(i).write(value) };
                }
            }
        });
    };
    // SAFETY: the shares are all channels, and each is written whole.
    let y = unsafe { flex::filled(x.len(), write) };
    Normalized { y, mean, variance, rate }
}

/// The gradients of x (if wanted), γ and β.
pub(super) fn normalize_grad(
    isa: Isa,
    x: &[f32],
    grad: &[f32],
    sizes @ [n, c, l]: [usize; 3],
    [mean, rate, gamma, beta]: [&[f32]; 4],
    slope: f32,
    for_x: bool,
) -> [Vec<f32>; 3] {
    assert!(x.len() == n * c * l && grad.len() == x.len(), "sizes fit");
    assert!([mean, rate, gamma, beta].iter().all(|values| values.len() == c), "sizes fit");
    let size = (n * l).max(1) as f64;
    let [mut for_gamma, mut for_beta] = [(); 2].map(|()| vec![0.0f32; c]);
    let outs = [&mut for_beta, &mut for_gamma].map(|out| SharedPtr(out.as_mut_ptr()));
    let work = |out: *mut f32| {
        let out = SharedPtr(out);
        Channels::shares(sizes, |channels| {
            let own = channels.first..channels.first + channels.count;
            let [mean, rate, gamma, beta] =
                [mean, rate, gamma, beta].map(|values| &values[own.clone()]);
            let normal = &Normal { mean, rate, gamma, beta, slope };
            let (x, grad) = (x.as_ptr(), grad.as_ptr());
            let mut sums = vec![[0.0; 2]; channels.count];
            isa.run(Sums { x, grad, channels, term: &ParameterGradients(normal), out: &mut sums });
            for (i, sums) in own.clone().zip(&sums) {
                for (out, &sum) in outs.iter().zip(sums) {
                    // SAFETY: shares of channels do not overlap.
                    unsafe { out.get().add(i).write(sum as f32) };
                }
            }
            if for_x {
                let means: Vec<[f32; 2]> =
                    sums.iter().map(|sums| sums.map(|sum| (sum / size) as f32)).collect();
                let term = &Pull { normal, means: &means };
                isa.run(Each { x, grad, out: out.get(), channels, term });
            }
        });
    };
    let len = if for_x { x.len() } else { 0 };
    // SAFETY: where x's gradient is wanted, the shares are all channels, each written whole.
    let x = unsafe { flex::filled(len, work) };
    [x, for_gamma, for_beta]
}

#[derive(Debug, Clone)]
struct BatchNorm {
    x: Primitive,
    gamma: Primitive,
    beta: Primitive,
    mean: Vec<f32>,
    /// Until it is taken.
    variance: Vec<f32>,
    rate: Vec<f32>,
    /// 1 where there is no activation.
    slope: f32,
}

impl Operation<3, 2> for BatchNorm {
    /// ε and the slope.
    type Parameters = (f32, f32);

    fn forward([x, gamma, beta]: [Primitive; 3], (eps, slope): (f32, f32)) -> (Primitive, Self) {
        let (values, scales) = (x.storage(), [gamma.storage(), beta.storage()]);
        let Normalized { y, mean, variance, rate } =
            normalize(Isa::best(), values, sizes(&x), scales, eps, slope);
        let y = flex::tensor(y, x.shape());
        (y, Self { x, gamma, beta, mean, variance, rate, slope })
    }

    fn statistics(&mut self) -> [Vec<f32>; 2] {
        [self.mean.clone(), std::mem::take(&mut self.variance)]
    }

    fn backward(self, grad: Primitive, [x, gamma, beta]: [bool; 3]) -> [Option<Primitive>; 3] {
        let scales = [&self.mean, &self.rate, self.gamma.storage(), self.beta.storage()];
        let [for_x, for_gamma, for_beta] = normalize_grad(
            Isa::best(),
            self.x.storage(),
            grad.storage(),
            sizes(&self.x),
            scales,
            self.slope,
            x,
        );
        [
            x.then(|| flex::tensor(for_x, self.x.shape())),
            gamma.then(|| statistic(for_gamma)),
            beta.then(|| statistic(for_beta)),
        ]
    }
}
