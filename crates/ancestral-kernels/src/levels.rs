//! The log-probability of levels under distributions of real numbers that are cut into levels, for
//! training: value and derivatives of an entry in one pass.
//!
//! The levels 0 to L − 1 stand at −1 to 1, and each has the interval of half a step to both sides; those
//! at the ends reach to infinity. A mass is the difference of two tails, taken where it does not cancel:
//! - logistic: σ(b) − σ(a) = σ(b) σ(−a) (1 − e^(a − b)) (Salimans et al. 2017, arXiv:1701.05517);
//! - normal: tails as e^(−z²/2) times a polynomial, their difference by its exponent, and intervals
//!   below a fifth of a deviation by the density in their middle and its derivatives;
//! - continuous Bernoulli (Loaiza-Ganem and Cunningham 2019, arXiv:1907.06845): over L intervals of
//!   \[0, 1\] its masses are a geometric series.

use burn::{
    backend::TensorMetadata,
    tensor::{Shape, Tensor, activation},
};

use crate::{
    autodiff::Operation,
    elementwise::composed_softplus,
    flex::{self, Primitive},
    math,
    parallel::{self, SharedPtr},
    simd::{Isa, Kernel, Simd},
};

/// Components of [`Levels::LogisticMixture`].
pub const LOGISTIC_COMPONENTS: usize = 5;
/// Limits of log-scales; beyond them a derivative is 0. A narrower distribution is a point mass on the
/// grid of levels.
pub const LOG_SCALES: [f32; 2] = [-7.0, 50.0];

const MIXED: usize = 3 * LOGISTIC_COMPONENTS;
/// ½ ln 2π and ln 2.
const HALF_LN_TAU: f32 = 0.918_938_5;
const LN_2: f32 = core::f32::consts::LN_2;
/// The interval times the distance from the middle below which the density in the middle serves.
const NARROW: f32 = 0.2;
/// ln(2 Q(z) e^(z²/2) / t) for the upper tail Q of a normal and t = 1 / (1 + z / √8), z ≥ 0: a least-squares
/// fit at Chebyshev points, largest error 1e-7; the highest power first.
const TAIL: [f32; 10] = [
    0.170_875_65,
    -0.822_165_9,
    1.488_543_2,
    -1.135_233_9,
    0.278_887_5,
    -0.186_295_69,
    0.096_785_95,
    0.374_091_74,
    1.000_023_7,
    -1.265_512_2,
];
/// 1 / √8.
const TAIL_SCALE: f32 = 0.353_553_4;

/// A distribution of levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Levels {
    /// A mixture of logistics: weights (logits), means and log-scales.
    LogisticMixture,
    /// A normal: mean and log σ.
    Gaussian,
    /// A continuous Bernoulli: its logit.
    ContinuousBernoulli,
}

impl Levels {
    /// Outputs per entry.
    pub fn outputs(self) -> usize {
        match self {
            Self::LogisticMixture => MIXED,
            Self::Gaussian => 2,
            Self::ContinuousBernoulli => 1,
        }
    }
}

/// log p(x) of each entry in nats: `outputs` \[rows, entries · [`Levels::outputs`]\], `x`
/// \[rows, entries\] whole numbers from 0 to `levels` − 1; the result is \[rows, entries\].
///
/// `f32` on Flex runs as one operation, whose terms are within 2e-6·(1 + |log p|) of the exact ones, but
/// for the rounding of a level's place, 6e-8, times the derivative by the mean; any other type or backend is composed of Burn's operations. `x` has no
/// gradient.
///
/// # Panics
/// If the shapes do not fit or there are fewer than two levels.
pub fn level_log_probability(
    distribution: Levels,
    outputs: Tensor<2>,
    x: Tensor<2>,
    levels: usize,
) -> Tensor<2> {
    let ([rows, width], [others, entries]) = (outputs.dims(), x.dims());
    assert!(
        rows == others && width == entries * distribution.outputs() && levels >= 2,
        "level_log_probability: outputs [{rows}, {width}] and x [{others}, {entries}] of {levels} levels \
         do not fit"
    );
    if flex::is_fast(&outputs) && flex::is_fast(&x) {
        return Cut::run((outputs, x), (distribution, levels));
    }
    composed_levels(distribution, outputs, x, levels)
}

/// The same, composed of Burn's operations.
pub(crate) fn composed_levels(
    distribution: Levels,
    outputs: Tensor<2>,
    x: Tensor<2>,
    levels: usize,
) -> Tensor<2> {
    let [rows, entries] = x.dims();
    match distribution {
        Levels::LogisticMixture => {
            let outputs: Tensor<4> = outputs.reshape([rows, entries, 3, LOGISTIC_COMPONENTS]);
            let part = |i| -> Tensor<3> { outputs.clone().narrow(2, i, 1).squeeze_dim(2) };
            let components = composed_logistic(x, part(1), part(2), levels);
            let total = |x: Tensor<3>| -> Tensor<2> {
                let max = x.clone().detach().max_dim(2);
                ((x - max.clone()).exp().sum_dim(2).log() + max).squeeze_dim(2)
            };
            total(part(0) + components) - total(part(0))
        }
        Levels::Gaussian => {
            let outputs: Tensor<3> = outputs.reshape([rows, entries, 2]);
            let part = |i| -> Tensor<2> { outputs.clone().narrow(2, i, 1).squeeze_dim(2) };
            composed_normal(x, part(0), part(1), levels)
        }
        Levels::ContinuousBernoulli => {
            let slope = outputs / levels as f64;
            let all: Tensor<1> = Tensor::from_data(
                burn::tensor::TensorData::new(
                    (0..levels).map(|k| k as f32).collect::<Vec<f32>>(),
                    [levels],
                ),
                &slope.device(),
            );
            let all = if slope.is_autodiff() { all.autodiff() } else { all };
            let all: Tensor<3> = all.cast(slope.dtype()).reshape([1, 1, levels]);
            let each: Tensor<3> = slope.clone().unsqueeze_dim(2);
            let logits = activation::log_softmax(each * all.clone(), 2);
            // Of level 0; the others follow by the slope.
            let first: Tensor<2> = logits.narrow(2, 0, 1).squeeze_dim(2);
            first + slope * x
        }
    }
}

/// The standardized distance of a level from the mean, and half of its interval.
fn composed_place<const D: usize>(
    x: Tensor<D>,
    mean: Tensor<D>,
    log_scale: Tensor<D>,
    top: f64,
) -> (Tensor<D>, Tensor<D>) {
    let [low, high] = LOG_SCALES.map(f64::from);
    let inverse = log_scale.clamp(low, high).neg().exp();
    ((x * (2.0 / top) - 1.0 - mean) * inverse.clone(), inverse / top)
}

/// The log-mass of levels under logistics.
fn composed_logistic(
    x: Tensor<2>,
    mean: Tensor<3>,
    log_scale: Tensor<3>,
    levels: usize,
) -> Tensor<3> {
    let top = (levels - 1) as f64;
    let x: Tensor<3> = x.unsqueeze_dim(2);
    let first = x.clone().lower_equal_elem(0.0).expand(mean.shape());
    let last = x.clone().greater_equal_elem(top).expand(mean.shape());
    let (middle, half) = composed_place(x, mean, log_scale, top);
    let log_upper = composed_softplus((middle.clone() + half.clone()).neg()).neg();
    let log_lower = composed_softplus(middle - half.clone()).neg();
    // 1 − e^(−2h) = tanh(h) (1 + e^(−2h)), which keeps its digits for small h.
    let log_width = half.clone().tanh().log() + composed_softplus(half * -2.0);
    let inside = log_upper.clone() + log_lower.clone() + log_width;
    inside.mask_where(first, log_upper).mask_where(last, log_lower)
}

/// The log-mass of levels under normals.
fn composed_normal(
    x: Tensor<2>,
    mean: Tensor<2>,
    log_sigma: Tensor<2>,
    levels: usize,
) -> Tensor<2> {
    let top = (levels - 1) as f64;
    let first = x.clone().lower_equal_elem(0.0);
    let last = x.clone().greater_equal_elem(top);
    let (c, h) = composed_place(x, mean, log_sigma, top);
    let far = c.clone().abs();
    // ln Q(z) + z²/2 for z ≥ 0.
    let tail = |z: Tensor<2>| {
        let t = (z * f64::from(TAIL_SCALE) + 1.0).recip();
        let mut sum = t.zeros_like() + f64::from(TAIL[0]);
        for c in &TAIL[1..] {
            sum = sum * t.clone() + f64::from(*c);
        }
        t.log() + sum - f64::from(LN_2)
    };
    // ln Q(z) for any z.
    let log_upper = |z: Tensor<2>| {
        let at = tail(z.clone().abs()) - z.clone().square() * 0.5;
        let complement = (at.clone().exp().neg() + 1.0).log();
        at.mask_where(z.lower_elem(0.0), complement)
    };
    let below = log_upper((c.clone() + h.clone()).neg());
    let above = log_upper(c.clone() - h.clone());
    // Both ends on one side of the mean.
    let (near, end) = (far.clone() - h.clone(), far.clone() + h.clone());
    let inner = near.clone().clamp_min(0.0);
    let apart = far.clone() * h.clone() * 2.0 + tail(inner.clone()) - tail(end.clone());
    let apart = apart.clamp_min(1e-30);
    let aside = tail(inner.clone()) - inner.square() * 0.5 + (apart.neg().exp().neg() + 1.0).log();
    // The mean between them.
    let outside = log_upper(near.clone().clamp_max(0.0).neg()).exp() + log_upper(end).exp();
    let around = (outside.neg() + 1.0).clamp_min(1e-30).log();
    let wide = aside.mask_where(near.lower_elem(0.0), around);
    // An interval much narrower than σ.
    let is_narrow = (far.clamp_min(1.0) * h.clone()).lower_elem(f64::from(NARROW));
    let bound = |x: Tensor<2>| {
        let zero = x.zeros_like();
        zero.mask_where(is_narrow.clone(), x)
    };
    let (c2, h2) = (bound(c.clone()).square(), bound(h.clone()).square());
    let [second, fourth, sixth] = hermite(c2);
    let series = h2.clone() * second / 6.0
        + h2.clone().square() * fourth / 120.0
        + h2.clone().square() * h2 * sixth / 5040.0;
    let narrow =
        c.square() * -0.5 - f64::from(HALF_LN_TAU) + (h * 2.0).log() + (series + 1.0).log();
    wide.mask_where(is_narrow, narrow).mask_where(first, below).mask_where(last, above)
}

/// The second, fourth and sixth derivative of a normal density in parts of it, from c².
fn hermite(c2: Tensor<2>) -> [Tensor<2>; 3] {
    let second = c2.clone() - 1.0;
    let fourth = (c2.clone() - 6.0) * c2.clone() + 3.0;
    let sixth = ((c2.clone() - 15.0) * c2.clone() + 45.0) * c2 - 15.0;
    [second, fourth, sixth]
}

#[derive(Debug, Clone)]
struct Cut {
    distribution: Levels,
    shape: [usize; 2],
    /// The derivative of each entry's term by each of its outputs.
    slopes: Vec<f32>,
}

impl Operation<2> for Cut {
    type Parameters = (Levels, usize);

    const CONSTANTS: usize = 1;

    fn forward(
        [outputs, x]: [Primitive; 2],
        (distribution, levels): (Levels, usize),
    ) -> (Primitive, Self) {
        let shape: [usize; 2] = x.shape().dims();
        let (terms, slopes) =
            forward(Isa::best(), distribution, outputs.storage(), x.storage(), levels);
        let shape_of_outputs: [usize; 2] = outputs.shape().dims();
        let state = Self { distribution, shape: shape_of_outputs, slopes };
        (flex::tensor(terms, Shape::new(shape)), state)
    }

    fn backward(self, grad: Primitive, _: [bool; 2]) -> [Option<Primitive>; 2] {
        let Self { distribution, shape, mut slopes } = self;
        let width = distribution.outputs();
        let grad = grad.storage::<f32>();
        let out = SharedPtr(slopes.as_mut_ptr());
        assert!(slopes.len() == grad.len() * width);
        parallel::rows(grad.len(), width, |first, count| {
            // SAFETY: runs of entries do not overlap.
            let slopes = unsafe {
                std::slice::from_raw_parts_mut(out.get().add(first * width), count * width)
            };
            for (slopes, g) in slopes.chunks_exact_mut(width).zip(&grad[first..first + count]) {
                slopes.iter_mut().for_each(|slope| *slope *= g);
            }
        });
        [Some(flex::tensor(slopes, Shape::new(shape))), None]
    }
}

/// The term of each entry, and its derivative by each output.
fn forward(
    isa: Isa,
    distribution: Levels,
    outputs: &[f32],
    x: &[f32],
    levels: usize,
) -> (Vec<f32>, Vec<f32>) {
    let width = distribution.outputs();
    assert!(outputs.len() == x.len() * width);
    let (mut terms, mut slopes) = (vec![0.0; x.len()], vec![0.0; outputs.len()]);
    let [to_terms, to_slopes] =
        [&mut terms, &mut slopes].map(|values: &mut Vec<f32>| SharedPtr(values.as_mut_ptr()));
    // A term takes about as long as moving a hundred values.
    parallel::rows(x.len(), 16 * width, |first, count| {
        // SAFETY: runs of entries do not overlap.
        let (terms, slopes) = unsafe {
            (
                std::slice::from_raw_parts_mut(to_terms.get().add(first), count),
                std::slice::from_raw_parts_mut(to_slopes.get().add(first * width), count * width),
            )
        };
        let outputs = &outputs[first * width..(first + count) * width];
        let x = &x[first..first + count];
        let top = (levels - 1) as f32;
        match distribution {
            Levels::LogisticMixture => {
                isa.run(Entries { law: LogisticMixture { top }, outputs, x, terms, slopes });
            }
            Levels::Gaussian => isa.run(Entries { law: Normal { top }, outputs, x, terms, slopes }),
            Levels::ContinuousBernoulli => {
                isa.run(Entries { law: Geometric { levels }, outputs, x, terms, slopes });
            }
        }
    });
    (terms, slopes)
}

/// A distribution, for a vector of entries at once.
trait Law<const W: usize>: Copy {
    /// log p of levels, and its derivatives by the outputs.
    fn of<S: Simd>(self, s: S, outputs: [S::V; W], x: S::V) -> (S::V, [S::V; W]);
}

struct Entries<'a, L> {
    law: L,
    outputs: &'a [f32],
    x: &'a [f32],
    terms: &'a mut [f32],
    slopes: &'a mut [f32],
}

/// Runs a law over all entries.
macro_rules! over_entries {
    ($law:ty, $width:expr) => {
        impl Kernel for Entries<'_, $law> {
            type Output = ();

            #[inline(always)]
            fn run<S: Simd>(self, s: S) {
                const W: usize = $width;
                let Self { law, outputs, x, terms, slopes } = self;
                assert!(outputs.len() == W * x.len() && slopes.len() == outputs.len());
                let mut first = 0;
                while first < x.len() {
                    let n = S::N.min(x.len() - first);
                    // Outputs of one kind side by side; lanes past the end hold 0.
                    let mut lanes = [[0.0f32; 16]; W];
                    let mut at = [0.0f32; 16];
                    let mut i = 0;
                    while i < n {
                        let mut j = 0;
                        while j < W {
                            lanes[j][i] = outputs[(first + i) * W + j];
                            j += 1;
                        }
                        at[i] = x[first + i];
                        i += 1;
                    }
                    let mut o = [s.splat(0.0); W];
                    let mut j = 0;
                    while j < W {
                        // SAFETY: 16 lanes.
                        o[j] = unsafe { s.load(lanes[j].as_ptr()) };
                        j += 1;
                    }
                    // SAFETY: 16 lanes.
                    let (term, slope) = law.of(s, o, unsafe { s.load(at.as_ptr()) });
                    let mut j = 0;
                    while j < W {
                        lanes[j] = s.lanes(slope[j]);
                        j += 1;
                    }
                    let term = s.lanes(term);
                    let mut i = 0;
                    while i < n {
                        terms[first + i] = term[i];
                        let mut j = 0;
                        while j < W {
                            slopes[(first + i) * W + j] = lanes[j][i];
                            j += 1;
                        }
                        i += 1;
                    }
                    first += n;
                }
            }
        }
    };
}

over_entries!(LogisticMixture, MIXED);
over_entries!(Normal, 2);
over_entries!(Geometric, 1);

/// Where a level lies: the standardized distance of its middle from the mean, half its interval, the
/// inverse of the scale, and 1 where the log-scale is within its limits.
#[inline(always)]
fn place<S: Simd>(s: S, top: f32, mean: S::V, log_scale: S::V, x: S::V) -> [S::V; 4] {
    let (low, high) = (s.splat(LOG_SCALES[0]), s.splat(LOG_SCALES[1]));
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    // A NaN passes as the second operand.
    let inner = s.max(low, s.min(high, log_scale));
    let free = s.select(s.lt(log_scale, low), zero, s.select(s.lt(high, log_scale), zero, one));
    let inverse = math::exp(s, s.sub(zero, inner));
    // The numerator is exact.
    let level = s.div(s.fma(x, s.splat(2.0), s.splat(-top)), s.splat(top));
    let middle = s.sub(level, mean);
    [s.mul(middle, inverse), s.mul(inverse, s.splat(1.0 / top)), inverse, free]
}

/// softplus(v) and σ(v).
#[inline(always)]
fn softplus_and_sigmoid<S: Simd>(s: S, v: S::V) -> (S::V, S::V) {
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    let z = math::exp(s, s.sub(zero, s.abs(v)));
    let sigmoid = s.div(s.select(s.lt(v, zero), z, one), s.add(one, z));
    (s.add(s.max(zero, v), math::log1p_unit(s, z)), sigmoid)
}

#[derive(Clone, Copy)]
struct LogisticMixture {
    top: f32,
}

impl Law<MIXED> for LogisticMixture {
    #[inline(always)]
    fn of<S: Simd>(self, s: S, o: [S::V; MIXED], x: S::V) -> (S::V, [S::V; MIXED]) {
        const K: usize = LOGISTIC_COMPONENTS;
        let (zero, one, two) = (s.splat(0.0), s.splat(1.0), s.splat(2.0));
        let first = s.lt(x, s.splat(0.5));
        let last = s.lt(s.splat(self.top - 0.5), x);
        let mut slopes = [zero; MIXED];
        let mut joint = [zero; K];
        let mut max_weight = o[0];
        let mut k = 0;
        while k < K {
            let [c, h, inverse, free] = place(s, self.top, o[K + k], o[2 * K + k], x);
            let (upper, lower) = (s.add(c, h), s.sub(c, h));
            // −ln σ(upper) and its derivative, −ln σ(−lower) and its.
            let (cost_upper, of_upper) = softplus_and_sigmoid(s, s.sub(zero, upper));
            let (cost_lower, of_lower) = softplus_and_sigmoid(s, lower);
            let width = math::softplus_derivative(s, s.mul(two, h));
            let of_width = s.div(s.mul(s.mul(two, h), s.sub(one, width)), width);
            let inside = s.sub(s.sub(math::log(s, width), cost_upper), cost_lower);
            let term = s.select(first, s.sub(zero, cost_upper), inside);
            let term = s.select(last, s.sub(zero, cost_lower), term);
            let of_upper = s.select(last, zero, of_upper);
            let of_lower = s.select(first, zero, of_lower);
            let of_width = s.select(first, zero, s.select(last, zero, of_width));
            slopes[K + k] = s.mul(inverse, s.sub(of_lower, of_upper));
            let of_scale = s.sub(s.mul(lower, of_lower), s.mul(upper, of_upper));
            slopes[2 * K + k] = s.mul(free, s.sub(of_scale, of_width));
            joint[k] = s.add(o[k], term);
            max_weight = s.max(max_weight, o[k]);
            k += 1;
        }
        let (mut max, mut k) = (joint[0], 1);
        while k < K {
            max = s.max(max, joint[k]);
            k += 1;
        }
        let (mut sum, mut sum_weight) = (zero, zero);
        let mut k = 0;
        while k < K {
            joint[k] = math::exp(s, s.sub(joint[k], max));
            sum = s.add(sum, joint[k]);
            slopes[k] = math::exp(s, s.sub(o[k], max_weight));
            sum_weight = s.add(sum_weight, slopes[k]);
            k += 1;
        }
        let (share, share_weight) = (s.div(one, sum), s.div(one, sum_weight));
        let mut k = 0;
        while k < K {
            let responsible = s.mul(joint[k], share);
            slopes[k] = s.fnma(slopes[k], share_weight, responsible);
            slopes[K + k] = s.mul(responsible, slopes[K + k]);
            slopes[2 * K + k] = s.mul(responsible, slopes[2 * K + k]);
            k += 1;
        }
        let total = s.sub(math::log(s, sum), math::log(s, sum_weight));
        (s.add(s.sub(max, max_weight), total), slopes)
    }
}

#[derive(Clone, Copy)]
struct Normal {
    top: f32,
}

/// ln Q(z) + z²/2 of the upper tail of a normal, z ≥ 0.
#[inline(always)]
fn scaled_tail<S: Simd>(s: S, z: S::V) -> S::V {
    let t = s.div(s.splat(1.0), s.fma(z, s.splat(TAIL_SCALE), s.splat(1.0)));
    let sum = math::polynomial(s, t, TAIL);
    s.add(math::log(s, t), s.sub(sum, s.splat(LN_2)))
}

/// ln(1 − q) for q in [0, 1).
#[inline(always)]
fn log_complement<S: Simd>(s: S, q: S::V) -> S::V {
    let rest = s.sub(s.splat(1.0), q);
    s.sub(s.splat(0.0), math::log1p(s, s.div(q, rest)))
}

impl Law<2> for Normal {
    #[inline(always)]
    fn of<S: Simd>(self, s: S, [mean, log_sigma]: [S::V; 2], x: S::V) -> (S::V, [S::V; 2]) {
        let (zero, one, half) = (s.splat(0.0), s.splat(1.0), s.splat(0.5));
        let constant = s.splat(HALF_LN_TAU);
        let first = s.lt(x, s.splat(0.5));
        let last = s.lt(s.splat(self.top - 0.5), x);
        let [c, h, inverse, free] = place(s, self.top, mean, log_sigma, x);
        let far = s.abs(c);
        let negative = |v: S::V| s.sub(zero, v);

        // The end nearer to the mean, or the one end of the outer levels, above which the mass lies.
        let v = s.select(first, negative(s.add(c, h)), s.sub(far, h));
        let v = s.select(last, s.sub(c, h), v);
        let at = scaled_tail(s, s.abs(v));
        let square = s.mul(s.mul(half, v), v);
        let beyond = math::exp(s, s.sub(at, square));
        let is_below = s.lt(v, zero);
        let tail = s.select(is_below, log_complement(s, beyond), s.sub(at, square));

        // Between two ends: on one side of the mean, or around it.
        let product = s.mul(s.add(far, far), h);
        let end = s.add(far, h);
        let at_end = scaled_tail(s, end);
        let apart = s.add(product, s.sub(at, at_end));
        let kept = math::softplus_derivative(s, s.max(s.splat(1e-30), apart));
        let log_kept = math::log(s, kept);
        let beyond_end = math::exp(s, s.sub(at_end, s.mul(s.mul(half, end), end)));
        let both = s.min(s.splat(0.999_999), s.add(beyond, beyond_end));
        let around = log_complement(s, both);
        let wide = s.select(is_below, around, s.add(s.sub(at, square), log_kept));
        // The density at both ends in parts of the mass.
        let near_density =
            s.select(is_below, negative(s.add(square, around)), negative(s.add(at, log_kept)));
        let near_density = s.sub(near_density, constant);
        let ratio = math::exp(s, near_density);
        let ratio_end = math::exp(s, s.sub(near_density, product));
        let by_far = s.sub(ratio_end, ratio);
        let by_half = s.add(ratio_end, ratio);
        let wide_by_scale = negative(s.fma(far, by_far, s.mul(h, by_half)));
        let wide_by_c = s.select(s.lt(c, zero), negative(by_far), by_far);

        // A narrow interval, with zeros where it is not, so that nothing overflows.
        let is_narrow = s.lt(s.mul(s.max(one, far), h), s.splat(NARROW));
        let (cn, hn) = (s.select(is_narrow, c, zero), s.select(is_narrow, h, one));
        let (c2, h2) = (s.mul(cn, cn), s.mul(hn, hn));
        let h4 = s.mul(h2, h2);
        let h6 = s.mul(h4, h2);
        let series = |second: S::V, fourth: S::V, sixth: S::V| {
            let sum = s.mul(h2, s.mul(second, s.splat(1.0 / 6.0)));
            let sum = s.fma(h4, s.mul(fourth, s.splat(1.0 / 120.0)), sum);
            s.fma(h6, s.mul(sixth, s.splat(1.0 / 5040.0)), sum)
        };
        let number = |x: f32| s.splat(x);
        let more = series(
            s.sub(c2, one),
            s.fma(s.sub(c2, number(6.0)), c2, number(3.0)),
            s.fma(s.fma(s.sub(c2, number(15.0)), c2, number(45.0)), c2, number(-15.0)),
        );
        // By c, divided by c: of c² − 1, c⁴ − 6c² + 3 and c⁶ − 15c⁴ + 45c² − 15.
        let by_c = series(
            number(2.0),
            s.fma(number(4.0), c2, number(-12.0)),
            s.fma(s.fma(number(6.0), c2, number(-60.0)), c2, number(90.0)),
        );
        // By ln σ: each power of h and of c falls by its exponent.
        let by_scale = series(
            s.fma(number(-4.0), c2, number(2.0)),
            s.fma(s.fma(number(-8.0), c2, number(36.0)), c2, number(-12.0)),
            s.fma(
                s.fma(s.fma(number(-12.0), c2, number(150.0)), c2, number(-360.0)),
                c2,
                number(90.0),
            ),
        );
        let factor = s.add(one, more);
        // ln(1 + m) of a small m of either sign.
        let log_factor = s.mul(
            more,
            s.fma(
                s.fma(s.fma(more, s.splat(-0.25), s.splat(1.0 / 3.0)), more, s.splat(-0.5)),
                more,
                one,
            ),
        );
        let narrow = s.sub(math::log(s, s.add(hn, hn)), s.fma(s.mul(half, cn), cn, constant));
        let narrow = s.add(narrow, log_factor);
        let narrow_by_c = s.mul(cn, s.sub(s.div(by_c, factor), one));
        let narrow_by_scale = s.add(s.sub(c2, one), s.div(by_scale, factor));

        // One end.
        let hazard = s.select(is_below, s.add(square, tail), at);
        let hazard = math::exp(s, negative(s.add(hazard, constant)));
        let end_by_scale = s.mul(hazard, v);

        let pick = |ends: S::V, narrow: S::V, wide: S::V| {
            let inside = s.select(is_narrow, narrow, wide);
            s.select(first, ends, s.select(last, ends, inside))
        };
        let end_by_c = s.select(first, hazard, negative(hazard));
        let term = pick(tail, narrow, wide);
        let by_c = pick(end_by_c, narrow_by_c, wide_by_c);
        let by_scale = pick(end_by_scale, narrow_by_scale, wide_by_scale);
        (term, [negative(s.mul(inverse, by_c)), s.mul(free, by_scale)])
    }
}

#[derive(Clone, Copy)]
struct Geometric {
    levels: usize,
}

impl Law<1> for Geometric {
    /// With y = |η| and a = y / L, from the more probable end: log p = −a k − ln Σ e^(−a j).
    #[inline(always)]
    fn of<S: Simd>(self, s: S, [logit]: [S::V; 1], x: S::V) -> (S::V, [S::V; 1]) {
        let (zero, one) = (s.splat(0.0), s.splat(1.0));
        let n = self.levels as f32;
        let is_rising = s.lt(zero, logit);
        let from_end = s.select(is_rising, s.sub(s.splat(n - 1.0), x), x);
        let y = s.abs(logit);
        let share = 1.0 / n;
        // Near a uniform distribution, by series in y.
        let small = s.lt(y, one);
        let near = s.select(small, y, one);
        let y2 = s.mul(near, near);
        let [e2, e4, e6] = [share.powi(2), share.powi(4), share.powi(6)].map(|x| 1.0 - x);
        let sum = s.fma(y2, s.splat(e6 / 181_440.0), s.splat(-e4 / 2880.0));
        let sum = s.fma(sum, y2, s.splat(e2 / 24.0));
        let near_total =
            s.fma(sum, y2, s.fnma(near, s.splat((1.0 - share) * 0.5), s.splat(n.ln())));
        let slope = s.fma(y2, s.splat(-e6 / 30_240.0), s.splat(e4 / 720.0));
        let slope = s.fma(slope, y2, s.splat(-e2 / 12.0));
        let near_mean = s.fma(slope, near, s.splat((1.0 - share) * 0.5));
        // Far from it.
        let wide = s.select(small, one, y);
        let a = s.mul(wide, s.splat(share));
        let (of_all, of_one) =
            (math::softplus_derivative(s, wide), math::softplus_derivative(s, a));
        let far_total = s.sub(math::log(s, of_all), math::log(s, of_one));
        let odds = |width: S::V| s.div(s.sub(one, width), width);
        let far_mean = s.sub(s.mul(odds(of_one), s.splat(share)), odds(of_all));
        let total = s.select(small, near_total, far_total);
        let mean = s.select(small, near_mean, far_mean);
        let place = s.mul(from_end, s.splat(share));
        let term = s.sub(s.fnma(y, place, zero), total);
        let by_y = s.sub(mean, place);
        (term, [s.select(is_rising, by_y, s.sub(zero, by_y))])
    }
}

#[cfg(test)]
mod tests {
    use burn::{backend::DType, tensor::TensorData};

    use super::*;
    use crate::tests::{bits, close, device, noise, values};

    const ALL: [Levels; 3] =
        [Levels::LogisticMixture, Levels::Gaussian, Levels::ContinuousBernoulli];

    fn tensor(values: Vec<f32>, shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, shape), &device())
    }

    /// Outputs of some spread, and levels that include both ends.
    fn inputs(of: Levels, entries: usize, levels: usize, scale: f32) -> (Vec<f32>, Vec<f32>) {
        let width = of.outputs();
        let mut outputs: Vec<f32> = noise(1, entries * width).iter().map(|o| o * scale).collect();
        if of == Levels::Gaussian {
            // Means on the levels' range, and deviations from a tenth of a level to all of them.
            for (i, o) in outputs.iter_mut().enumerate() {
                *o = if i % 2 == 0 { 1.2 * *o / scale } else { 3.5 * *o / scale - 3.0 };
            }
        }
        let x = (0..entries).map(|i| (i * 7 % levels) as f32).collect();
        (outputs, x)
    }

    fn softplus(v: f64) -> f64 {
        v.max(0.0) + (-v.abs()).exp().ln_1p()
    }

    /// ln of the integral of a normal density from a to b.
    fn log_normal_mass(a: f64, b: f64) -> f64 {
        let peak = if a > 0.0 { a } else { b.min(0.0) };
        let (a, b) = (a.max(peak - 45.0), b.min(peak + 45.0));
        let steps = 40_000;
        let width = (b - a) / f64::from(steps);
        let density = |i: i32| {
            let z = a + f64::from(i) * width;
            (-0.5 * (z * z - peak * peak)).exp()
        };
        let inner: f64 = (1..steps).map(|i| density(i) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
        let sum = (density(0) + density(steps) + inner) * width / 3.0;
        sum.ln() - 0.5 * peak * peak - 0.5 * (2.0 * std::f64::consts::PI).ln()
    }

    /// log p of one entry by its definition.
    fn exact(of: Levels, o: &[f64], x: f64, levels: usize) -> f64 {
        let top = (levels - 1) as f64;
        let ends = |mean: f64, log_scale: f64| {
            let log_scale = log_scale.clamp(LOG_SCALES[0].into(), LOG_SCALES[1].into());
            let at = |k: f64| (k * 2.0 / top - 1.0 - mean) * (-log_scale).exp();
            let low = if x <= 0.0 { f64::NEG_INFINITY } else { at(x - 0.5) };
            (low, if x >= top { f64::INFINITY } else { at(x + 0.5) })
        };
        let log_sum = |terms: &[f64]| {
            let max = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            max + terms.iter().map(|t| (t - max).exp()).sum::<f64>().ln()
        };
        match of {
            Levels::LogisticMixture => {
                const K: usize = LOGISTIC_COMPONENTS;
                let term = |k: usize| {
                    let (low, high) = ends(o[K + k], o[2 * K + k]);
                    let (a, b) = (-softplus(-high), -softplus(low));
                    o[k] + match (low.is_infinite(), high.is_infinite()) {
                        (true, _) => a,
                        (_, true) => b,
                        _ => a + b + (-(low - high).exp_m1()).ln(),
                    }
                };
                let terms: Vec<f64> = (0..K).map(term).collect();
                log_sum(&terms) - log_sum(&o[..K])
            }
            Levels::Gaussian => {
                let (low, high) = ends(o[0], o[1]);
                log_normal_mass(low, high)
            }
            Levels::ContinuousBernoulli => {
                let slope = o[0] / levels as f64;
                let all: Vec<f64> = (0..levels).map(|k| slope * k as f64).collect();
                slope * x - log_sum(&all)
            }
        }
    }

    fn doubles(x: &[f32]) -> Vec<f64> {
        x.iter().map(|x| f64::from(*x)).collect()
    }

    #[test]
    fn terms_and_derivatives_are_those_of_the_definitions() {
        for of in ALL {
            for (entries, levels, scale) in
                [(1, 2, 1.0), (15, 3, 1.0), (33, 17, 3.0), (64, 256, 1.0), (47, 256, 30.0)]
            {
                let (outputs, x) = inputs(of, entries, levels, scale);
                let (terms, slopes) = forward(Isa::best(), of, &outputs, &x, levels);
                let width = of.outputs();
                let mut expected = Vec::new();
                let mut differences = Vec::new();
                for (o, &x) in doubles(&outputs).chunks(width).zip(&x) {
                    let at = |o: &[f64]| exact(of, o, x.into(), levels);
                    expected.push(at(o));
                    for j in 0..width {
                        let moved = |by: f64| {
                            let mut o = o.to_vec();
                            o[j] += by;
                            at(&o)
                        };
                        let step = 1e-5;
                        differences.push((moved(step) - moved(-step)) / (2.0 * step));
                    }
                }
                for (i, (term, expected)) in doubles(&terms).iter().zip(&expected).enumerate() {
                    // What rounding the place of a level changes, by the derivatives.
                    let steep: f64 =
                        differences[i * width..][..width].iter().map(|d| d.abs()).sum();
                    let allowed = 2e-6 * (1.0 + expected.abs()) + 1.2e-7 * steep;
                    assert!((term - expected).abs() < allowed, "{of:?} {i}: {term} {expected}");
                    let own = i * width..(i + 1) * width;
                    for (slope, d) in doubles(&slopes[own.clone()]).iter().zip(&differences[own]) {
                        let allowed = 3e-5 * (1.0 + d.abs() + 1e-2 * steep);
                        assert!((slope - d).abs() < allowed, "{of:?} {i}: {slope} {d}");
                    }
                }
            }
        }
    }

    /// Every place of a level from the middle of a normal to 60 deviations from it, at deviations of a
    /// thousandth of a level to a thousand times all levels.
    #[test]
    fn normals_are_right_at_all_scales() {
        let levels = 256;
        let mut outputs = Vec::new();
        let mut x = Vec::new();
        for log_sigma in [-6.9, -5.5, -4.9, -4.0, -3.0, -2.0, -1.0, 0.0, 2.0, 7.0] {
            for far in [0.0, 0.003, 0.4, 1.0, 2.5, 8.0, 25.0, 60.0] {
                for level in [0.0, 1.0, 128.0, 254.0, 255.0] {
                    let place = f64::from(level) * 2.0 / 255.0 - 1.0;
                    outputs.extend([(place - far * f64::exp(log_sigma)) as f32, log_sigma as f32]);
                    x.push(level);
                }
            }
        }
        let (terms, slopes) = forward(Isa::best(), Levels::Gaussian, &outputs, &x, levels);
        for (i, o) in doubles(&outputs).chunks(2).enumerate() {
            let at = |o: [f64; 2]| exact(Levels::Gaussian, &o, x[i].into(), levels);
            let expected = at([o[0], o[1]]);
            // The place of a level is rounded: to 2⁻²⁴ in parts of σ, times the slope.
            let rounding = 1.2e-7 * (-o[1]).exp() * (1.0 + expected.abs().sqrt());
            let error = (f64::from(terms[i]) - expected).abs();
            assert!(
                error < 3e-6 * (1.0 + expected.abs()) + 2.0 * rounding,
                "{o:?} {}: {error}",
                x[i]
            );
            let step = 1e-4 * o[1].exp().min(1.0);
            let by_mean = (at([o[0] + step, o[1]]) - at([o[0] - step, o[1]])) / (2.0 * step);
            let by_scale = (at([o[0], o[1] + 1e-4]) - at([o[0], o[1] - 1e-4])) / 2e-4;
            for (found, expected, unit) in [
                (slopes[2 * i], by_mean, (-o[1]).exp()),
                (slopes[2 * i + 1], by_scale, 1.0 + expected.abs().sqrt()),
            ] {
                let error = (f64::from(found) - expected).abs();
                let allowed = (2e-4 + 4.0 * rounding) * (unit + expected.abs());
                assert!(error < allowed, "{o:?} {}: {found} {expected}", x[i]);
            }
        }
    }

    /// PyTorch's, in double precision, of 17 levels:
    /// ```python
    /// import torch
    /// f = lambda *v: torch.tensor(v, dtype=torch.float64, requires_grad=True)
    /// def ends(x, mean, log_scale, law):
    ///     at = lambda k: (k / 8 - 1 - mean) * torch.exp(-log_scale)
    ///     return (law(at(x + 0.5)) if x < 16 else 1) - (law(at(x - 0.5)) if x > 0 else 0)
    /// for x in [0, 5, 16]:
    ///     o = f(0.4, -0.3, 0.2, 0.1, -0.6, -0.8, -0.2, 0.1, 0.5, 0.9, -1.5, -1.0, -2.0, -0.4, 0.3)
    ///     m = torch.stack([torch.log(ends(x, o[5 + k], o[10 + k], torch.sigmoid)) for k in range(5)])
    ///     mixture = torch.logsumexp(torch.log_softmax(o[:5], 0) + m, 0)
    ///     n, b = f(-0.3, -1.2), f(-2.3)
    ///     normal = torch.log(ends(x, n[0], n[1], torch.special.ndtr))
    ///     bernoulli = torch.log_softmax(b * torch.arange(17) / 17, 0)[x]
    ///     for p, o in [(mixture, o), (normal, n), (bernoulli, b)]:
    ///         p.backward()
    ///         print(x, p.item(), o.grad.tolist())
    /// ```
    #[test]
    fn golden_values() {
        let mixture =
            [0.4, -0.3, 0.2, 0.1, -0.6, -0.8, -0.2, 0.1, 0.5, 0.9, -1.5, -1.0, -2.0, -0.4, 0.3];
        let x = [0.0, 5.0, 16.0];
        let of = |of, outputs: &[f32], terms: [f64; 3], slopes: &[f64]| {
            let (found, gradient) = forward(Isa::best(), of, &outputs.repeat(3), &x, 17);
            close(&doubles(&found), &terms, 2e-6);
            close(&doubles(&gradient), slopes, 1e-5);
        };
        #[rustfmt::skip]
        let slopes = [
            0.331077775, -0.040271423, -0.238433103, -0.078325612, 0.025952362,
            -1.813462382, -0.25096038, -0.005031286, -0.184332254, -0.078657281,
            0.249351078, 0.185083281, 0.005219959, 0.264977615, 0.144532753,
            0.116634605, 0.111358875, -0.097725845, -0.067059438, -0.063208197,
            1.344973784, -0.161604396, -0.97807494, -0.12754191, -0.014412972,
            0.159554665, -0.227078866, 0.315036262, -0.03769784, -0.025849633,
            -0.291150269, -0.098005473, -0.235456974, 0.336616201, 0.287996515,
            0.004052613, 0.122274051, 0.026969052, 0.542492905, 0.148508094,
            0.007041416, 0.139086733, 0.022586581, 0.237340646, 0.005569054,
        ];
        let terms = [-1.805816147, -3.093546819, -2.010184947];
        of(Levels::LogisticMixture, &mixture, terms, &slopes);
        #[rustfmt::skip]
        let slopes = [
            -8.223468656, 5.242461268, -0.814942041, -0.925488115, 14.37373063, 17.787491654,
        ];
        let terms = [-4.065874519, -1.836096337, -10.824821414];
        of(Levels::Gaussian, &[-0.3, -1.2], terms, &slopes);
        let terms = [-1.961540548, -2.638011136, -4.12624643];
        let slopes = [-0.294603085, -0.000485438, 0.646573386];
        of(Levels::ContinuousBernoulli, &[-2.3], terms, &slopes);
    }

    #[test]
    fn masses_sum_to_one() {
        for of in ALL {
            for levels in [2, 3, 17, 256] {
                let (outputs, _) = inputs(of, 1, levels, 2.0);
                let all: Vec<f32> = outputs.repeat(levels);
                let x: Vec<f32> = (0..levels).map(|k| k as f32).collect();
                let (terms, _) = forward(Isa::best(), of, &all, &x, levels);
                let total: f64 = terms.iter().map(|t| f64::from(*t).exp()).sum();
                assert!((total - 1.0).abs() < 1e-5, "{of:?} {levels}: {total}");
            }
        }
    }

    fn pulled(of: Levels, outputs: &Tensor<2>, x: &Tensor<2>, composed: bool) -> [Vec<f64>; 2] {
        let outputs = outputs.clone().detach().require_grad();
        let f = if composed { composed_levels } else { level_log_probability };
        let terms = f(of, outputs.clone(), x.clone(), 17);
        let weights = tensor(noise(2, x.shape().num_elements()), x.dims()).cast(outputs.dtype());
        let grads = (terms.clone() * weights).sum().backward();
        [values(terms), values(outputs.grad(&grads).unwrap())]
    }

    #[test]
    fn the_kernel_agrees_with_the_composed_form_in_f64() {
        for of in ALL {
            for [rows, entries] in [[1, 1], [3, 5], [2, 31], [7, 33]] {
                let (outputs, x) = inputs(of, rows * entries, 17, 2.0);
                let outputs = tensor(outputs, [rows, entries * of.outputs()]);
                let x = tensor(x, [rows, entries]);
                let ours = pulled(of, &outputs, &x, false);
                let theirs = pulled(of, &outputs.cast(DType::F64), &x.cast(DType::F64), true);
                close(&ours[0], &theirs[0], 3e-6);
                close(&ours[1], &theirs[1], 2e-5);
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_and_threads_do_not_show() {
        for of in ALL {
            for entries in [0, 1, 15, 17, 100] {
                let (outputs, x) = inputs(of, entries, 256, 2.0);
                let run = |isa| {
                    let (terms, slopes) = forward(isa, of, &outputs, &x, 256);
                    doubles(&[terms, slopes].concat())
                };
                let best = run(Isa::best());
                Isa::available().into_iter().for_each(|isa| close(&run(isa), &best, 2e-5));
            }
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let (outputs, x) = inputs(of, 9000, 256, 2.0);
                    let outputs = tensor(outputs, [9, 1000 * of.outputs()]).require_grad();
                    let terms =
                        level_log_probability(of, outputs.clone(), tensor(x, [9, 1000]), 256);
                    let grads = terms.clone().sum().backward();
                    (bits(terms), bits(outputs.grad(&grads).unwrap()))
                })
            };
            let one = run(1);
            assert!([2, 5].into_iter().all(|threads| run(threads) == one), "{of:?}");
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for of in ALL {
            for j in 0..of.outputs() {
                let (mut outputs, x) = inputs(of, 20, 17, 1.0);
                outputs[3 * of.outputs() + j] = f32::NAN;
                let (terms, _) = forward(Isa::best(), of, &outputs, &x, 17);
                assert!(terms[3].is_nan(), "{of:?} {j}");
                assert_eq!(terms.iter().filter(|t| t.is_nan()).count(), 1, "{of:?} {j}");
            }
        }
    }
}
