//! The exponential tilt of a distribution of levels: p(k | η) ∝ h_k e^(η x_k) for the places x_k from 0 to 1,
//! an exponential family whose only parameter moves the mean of h (Rathouz and Gao 2009, *Biostatistics*
//! 10:205-218, where h is estimated; here it is given). With h the distribution of the mean of m levels of a
//! histogram, the variance at any mean is an m-th of that with the histogram itself: an exponential
//! dispersion model (Jørgensen 1987, *J. R. Statist. Soc. B* 49:127-145).
//!
//! Its log-normalizer is a function of η alone, which a table has: value and derivative come from two
//! nodes, whatever the number of levels.

use burn::{
    backend::TensorMetadata,
    tensor::{Int, Shape, Tensor, TensorData, activation},
};
use rayon::prelude::*;
use std::sync::Arc;

use crate::{
    autodiff::Operation,
    flex::{self, Primitive},
    parallel::{self, SharedPtr},
};

/// The largest |η|, beyond which a derivative is 0: there, of 256 levels, e times the weight of one is given
/// to the next.
const LIMIT: f64 = 256.0;
/// Nodes of the table, a sixteenth apart: the fourth derivative of a log-normalizer over \[0, 1\] is at most
/// 1/8, and the cubic between nodes within 5e-9 of it.
const NODES: usize = 4096;
const SPACING: f64 = LIMIT / NODES as f64;

/// A distribution of levels, and the log-normalizer of its exponential tilts.
#[derive(Debug, Clone, PartialEq)]
pub struct Tilt {
    /// ln h_k.
    log_base: Vec<f64>,
    /// For η ≤ 0 and η ≥ 0: C(y) = ln Σ h_k e^(−y d_k) and its derivative for y = |η| and the distance d_k
    /// from the first or the last level.
    nodes: [Vec<[f64; 2]>; 2],
}

impl Tilt {
    /// Of the mean of as many levels as `draws`, rounded, each from a histogram: counts of each level, to
    /// which ½ is added so that every level is possible.
    ///
    /// # Panics
    /// If there are fewer than two levels or no draws.
    pub fn new(counts: &[u64], draws: usize) -> Self {
        assert!(counts.len() >= 2 && draws >= 1, "Tilt: {} levels, {draws} draws", counts.len());
        let weights: Vec<f64> = counts.iter().map(|&n| n as f64 + 0.5).collect();
        let total: f64 = weights.iter().sum();
        let one: Vec<f64> = weights.iter().map(|w| w / total).collect();
        // The sum of several levels, rounded to the level next to their mean.
        let sum = (1..draws).fold(one.clone(), |sum, _| convolved(&sum, &one));
        let mut base = vec![0.0; one.len()];
        for (s, p) in sum.into_iter().enumerate() {
            base[(s + draws / 2) / draws] += p;
        }
        let log_base: Vec<f64> = base.iter().map(|p| p.ln()).collect();
        let nodes = [false, true].map(|rising| {
            let node = |i| sums(&log_base, rising, i as f64 * SPACING);
            (0..=NODES).into_par_iter().map(node).collect()
        });
        Self { log_base, nodes }
    }

    /// The number of levels.
    pub fn levels(&self) -> usize {
        self.log_base.len()
    }

    /// C and C′ of a logit, and whether the distances are from the last level.
    fn cumulant(&self, logit: f64) -> (f64, f64, bool) {
        let (y, rising) = (size(logit), logit > 0.0);
        let nodes = &self.nodes[usize::from(rising)];
        let place = y / SPACING;
        // NaN goes to the first node and stays.
        let i = (place as usize).min(NODES - 1);
        let ([a, da], [b, db]) = (nodes[i], nodes[i + 1]);
        let t = place - i as f64;
        // The cubic with these values and derivatives.
        let (da, db, rise) = (da * SPACING, db * SPACING, b - a);
        let (second, third) = (3.0 * rise - 2.0 * da - db, da + db - 2.0 * rise);
        let value = a + t * (da + t * (second + t * third));
        let slope = (da + t * (2.0 * second + t * 3.0 * third)) / SPACING;
        (value, slope, rising)
    }

    /// The distance of a level from the first or the last.
    fn distance(&self, level: f64, rising: bool) -> f64 {
        let top = (self.levels() - 1) as f64;
        (if rising { top - level } else { level }) / top
    }

    /// log p of a level in nats, and its derivative by the logit.
    pub fn log_probability(&self, logit: f64, level: f64) -> (f64, f64) {
        let (total, slope, rising) = self.cumulant(logit);
        let distance = self.distance(level, rising);
        let base = self.log_base[(level.max(0.0) as usize).min(self.levels() - 1)];
        let by_y = if logit.abs() > LIMIT { 0.0 } else { -distance - slope };
        (base - size(logit) * distance - total, if rising { by_y } else { -by_y })
    }

    /// The mean level, Σ k p_k.
    pub fn mean(&self, logit: f64) -> f64 {
        let (_, slope, rising) = self.cumulant(logit);
        let top = (self.levels() - 1) as f64;
        if rising { top * (1.0 + slope) } else { -top * slope }
    }

    /// The level whose cumulative probability, from the likelier end, first reaches `u`.
    pub fn draw(&self, logit: f64, u: f64) -> f64 {
        let (total, _, rising) = self.cumulant(logit);
        let top = self.levels() - 1;
        let mut left = u;
        let step = size(logit) / top as f64;
        for k in 0..top {
            let level = if rising { top - k } else { k };
            left -= (self.log_base[level] - step * k as f64 - total).exp();
            if left < 0.0 {
                return level as f64;
            }
        }
        if rising { 0.0 } else { top as f64 }
    }

    /// The logit at which the mean level is `mean`, within its limits.
    pub fn logit_of_mean(&self, mean: f64) -> f64 {
        let (mut low, mut high) = (-LIMIT, LIMIT);
        while high - low > 1e-6 {
            let middle = 0.5 * (low + high);
            if self.mean(middle) < mean { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }
}

/// The distribution of the sum of two whole numbers.
fn convolved(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; a.len() + b.len() - 1];
    for (i, p) in a.iter().enumerate() {
        for (sum, q) in sum[i..].iter_mut().zip(b) {
            *sum += p * q;
        }
    }
    sum
}

/// |η|, up to its limit; NaN stays.
fn size(logit: f64) -> f64 {
    if logit.abs() > LIMIT { LIMIT } else { logit.abs() }
}

/// C and C′ by their sums; no exponent is positive.
fn sums(log_base: &[f64], rising: bool, y: f64) -> [f64; 2] {
    let top = log_base.len() - 1;
    let distance = |k: usize| (if rising { top - k } else { k }) as f64 / top as f64;
    let exponent = |k: usize| log_base[k] - y * distance(k);
    let max = (0..=top).map(exponent).fold(f64::NEG_INFINITY, f64::max);
    let (mut total, mut moment) = (0.0, 0.0);
    for k in 0..=top {
        let p = (exponent(k) - max).exp();
        total += p;
        moment += p * distance(k);
    }
    [max + total.ln(), -moment / total]
}

/// log p(x) of each entry in nats: logits and whole numbers `x` from 0 to the last level, both
/// \[rows, entries\].
///
/// `f32` on Flex runs as one operation in double precision; any other type or backend is composed of
/// Burn's operations. `x` has no gradient.
///
/// # Panics
/// If the shapes differ.
pub fn tilted_log_probability(tilt: &Arc<Tilt>, logits: Tensor<2>, x: Tensor<2>) -> Tensor<2> {
    assert!(
        logits.dims() == x.dims(),
        "tilted_log_probability: {:?} {:?}",
        logits.dims(),
        x.dims()
    );
    if flex::is_fast(&logits) && flex::is_fast(&x) {
        return Tilted::run((logits, x), Arc::clone(tilt));
    }
    composed_tilted(tilt, logits, x)
}

/// The same, composed of Burn's operations.
fn composed_tilted(tilt: &Tilt, logits: Tensor<2>, x: Tensor<2>) -> Tensor<2> {
    let levels = tilt.levels();
    let top = (levels - 1) as f64;
    let [rows, entries] = x.dims();
    let constant = |values: Vec<f64>| -> Tensor<1> {
        let values: Tensor<1> =
            Tensor::from_data(TensorData::new(values, [levels]), &logits.device());
        let values = if logits.is_autodiff() { values.autodiff() } else { values };
        values.cast(logits.dtype())
    };
    let places = constant((0..levels).map(|k| k as f64 / top).collect());
    let base = constant(tilt.log_base.clone());
    let each: Tensor<3> = logits.clamp(-LIMIT, LIMIT).unsqueeze_dim(2);
    let all = each * places.reshape([1, 1, levels]) + base.reshape([1, 1, levels]);
    let log_p = activation::log_softmax(all, 2);
    let at: Tensor<3, Int> = x.int().unsqueeze_dim(2);
    log_p.gather(2, at).reshape([rows, entries])
}

#[derive(Debug, Clone)]
struct Tilted {
    shape: [usize; 2],
    /// The derivative of each entry's term by its logit.
    slopes: Vec<f32>,
}

impl Operation<2> for Tilted {
    type Parameters = Arc<Tilt>;

    const CONSTANTS: usize = 1;

    fn forward([logits, x]: [Primitive; 2], tilt: Arc<Tilt>) -> (Primitive, Self) {
        let shape: [usize; 2] = x.shape().dims();
        let (terms, slopes) = forward(&tilt, logits.storage(), x.storage());
        (flex::tensor(terms, Shape::new(shape)), Self { shape, slopes })
    }

    fn backward(self, grad: Primitive, _: [bool; 2]) -> [Option<Primitive>; 2] {
        let Self { shape, mut slopes } = self;
        let grad = grad.storage::<f32>();
        slopes.iter_mut().zip(grad).for_each(|(slope, g)| *slope *= g);
        [Some(flex::tensor(slopes, Shape::new(shape))), None]
    }
}

/// The term of each entry, and its derivative by the logit.
fn forward(tilt: &Tilt, logits: &[f32], x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    assert!(logits.len() == x.len());
    let (mut terms, mut slopes) = (vec![0.0f32; x.len()], vec![0.0f32; x.len()]);
    let [to_terms, to_slopes] =
        [&mut terms, &mut slopes].map(|values: &mut Vec<f32>| SharedPtr(values.as_mut_ptr()));
    // A term takes about as long as moving sixteen values.
    parallel::rows(x.len(), 16, |first, count| {
        for i in first..first + count {
            let (term, slope) = tilt.log_probability(logits[i].into(), x[i].into());
            // SAFETY: runs of entries do not overlap and end within both.
            unsafe {
                *to_terms.get().add(i) = term as f32;
                *to_slopes.get().add(i) = slope as f32;
            }
        }
    });
    (terms, slopes)
}

#[cfg(test)]
mod tests {
    use burn::tensor::DType;

    use super::*;
    use crate::tests::{bits, close, device, noise, values};

    fn tensor(values: Vec<f32>, shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, shape), &device())
    }

    /// All levels alike, most at the first, at both ends, in the middle, and few.
    fn histograms() -> Vec<(Vec<u64>, usize)> {
        let spread = |n: usize, of: &dyn Fn(usize) -> u64| (0..n).map(of).collect::<Vec<u64>>();
        let all = vec![
            vec![0; 256],
            spread(256, &|k| if k == 0 { 80_000 } else { 7 * (k as u64 % 5) }),
            spread(256, &|k| if k == 0 || k > 251 { 1_000_000 } else { 3 }),
            spread(256, &|k| if (100..140).contains(&k) { 5_000 } else { 0 }),
            spread(17, &|k| k as u64),
            vec![3, 1],
        ];
        all.into_iter().flat_map(|counts| [(counts.clone(), 1), (counts, 3)]).collect()
    }

    /// ln p of all levels, of the mean of `draws` levels one by one.
    fn exact(counts: &[u64], draws: usize, logit: f64) -> Vec<f64> {
        let logit = logit.clamp(-LIMIT, LIMIT);
        let top = (counts.len() - 1) as f64;
        let total: f64 = counts.iter().map(|&n| n as f64 + 0.5).sum();
        let one: Vec<f64> = counts.iter().map(|&n| (n as f64 + 0.5) / total).collect();
        let mut base = vec![0.0; counts.len()];
        match draws {
            1 => base.clone_from(&one),
            _ => {
                let pairs = |sum: &mut dyn FnMut(usize, f64)| {
                    for (i, p) in one.iter().enumerate() {
                        one.iter().enumerate().for_each(|(j, q)| sum(i + j, p * q));
                    }
                };
                let mut twice = vec![0.0; 2 * one.len()];
                pairs(&mut |s, p| twice[s] += p);
                for (s, p) in twice.iter().enumerate() {
                    for (k, q) in one.iter().enumerate() {
                        let at = ((s + k) as f64 / 3.0).round() as usize;
                        if p * q > 0.0 {
                            base[at] += p * q;
                        }
                    }
                }
            }
        }
        let logs: Vec<f64> =
            base.iter().enumerate().map(|(k, p)| p.ln() + logit * k as f64 / top).collect();
        let max = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total = max + logs.iter().map(|l| (l - max).exp()).sum::<f64>().ln();
        logs.iter().map(|l| l - total).collect()
    }

    const LOGITS: [f64; 14] = [
        -1e4, -300.0, -256.0, -255.97, -9.3, -1.0, -0.031, 0.0, 0.2, 2.5, 30.0, 77.0, 255.999, 2e3,
    ];

    #[test]
    fn probabilities_means_and_slopes_are_those_of_the_definition() {
        for (counts, draws) in histograms() {
            let tilt = Tilt::new(&counts, draws);
            for logit in LOGITS {
                let log_p = exact(&counts, draws, logit);
                let top = counts.len() - 1;
                let mean: f64 = log_p.iter().enumerate().map(|(k, l)| k as f64 * l.exp()).sum();
                assert!((tilt.mean(logit) - mean).abs() < 3e-7 * top as f64, "{logit} {mean}");
                for (k, expected) in log_p.iter().enumerate() {
                    let (found, slope) = tilt.log_probability(logit, k as f64);
                    let allowed = 1e-8 + 1e-13 * logit.abs();
                    assert!((found - expected).abs() < allowed, "{logit} {k}: {found} {expected}");
                    let is_free = logit.abs() <= LIMIT;
                    let by_definition = if is_free { (k as f64 - mean) / top as f64 } else { 0.0 };
                    assert!((slope - by_definition).abs() < 3e-7, "{logit} {k}: {slope}");
                }
            }
        }
    }

    /// PyTorch's, in double precision:
    /// ```python
    /// import torch
    /// n = [40, 0, 3, 1, 2, 5, 0, 0, 7, 1, 1, 2, 0, 4, 9, 6, 8]
    /// for x in [0, 5, 16]:
    ///     o = torch.tensor(3.7, dtype=torch.float64, requires_grad=True)
    ///     base = torch.log(torch.tensor(n, dtype=torch.float64) + 0.5)
    ///     p = torch.log_softmax(base + o * torch.arange(17) / 16, 0)[x]
    ///     p.backward()
    ///     print(p.item(), o.grad.item())
    /// ```
    #[test]
    fn golden_values() {
        let tilt = Tilt::new(&[40, 0, 3, 1, 2, 5, 0, 0, 7, 1, 1, 2, 0, 4, 9, 6, 8], 1);
        let (terms, slopes) = forward(&tilt, &[3.7; 3], &[0.0, 5.0, 16.0]);
        let doubles = |x: Vec<f32>| x.into_iter().map(f64::from).collect::<Vec<f64>>();
        close(&doubles(terms), &[-3.281610062, -4.121913944, -1.142845873], 1e-6);
        close(&doubles(slopes), &[-0.837776626, -0.525276626, 0.162223374], 1e-6);
    }

    #[test]
    fn logits_of_means_give_them_back() {
        for (counts, draws) in histograms() {
            let tilt = Tilt::new(&counts, draws);
            let top = (counts.len() - 1) as f64;
            for share in [0.05, 0.3, 0.5, 0.77, 0.93] {
                let found = tilt.mean(tilt.logit_of_mean(share * top));
                assert!((found - share * top).abs() < 1e-5 * top, "{found} {share}");
            }
        }
    }

    #[test]
    fn draws_follow_the_masses() {
        let n = 20_000;
        for (counts, draws) in histograms() {
            let tilt = Tilt::new(&counts, draws);
            for logit in [-30.0, -2.0, 0.0, 3.0, 500.0] {
                let mut found = vec![0usize; counts.len()];
                (0..n).for_each(|i| {
                    found[tilt.draw(logit, (f64::from(i) + 0.5) / f64::from(n)) as usize] += 1;
                });
                for (found, expected) in found.iter().zip(exact(&counts, draws, logit)) {
                    let error = *found as f64 / f64::from(n) - expected.exp();
                    assert!(error.abs() < 1.1 / f64::from(n), "{logit}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn the_kernel_agrees_with_the_composed_form_in_f64_and_threads_do_not_show() {
        for (counts, draws) in histograms() {
            let tilt = Arc::new(Tilt::new(&counts, draws));
            for [rows, entries] in [[1, 1], [3, 5], [2, 31], [9, 1000]] {
                let n = rows * entries;
                let logits =
                    tensor(noise(1, n).iter().map(|x| 300.0 * x).collect(), [rows, entries]);
                let x = (0..n).map(|i| (i * 7 % counts.len()) as f32).collect();
                let x = tensor(x, [rows, entries]);
                let weights = tensor(noise(2, n), [rows, entries]);
                let pulled = |logits: Tensor<2>| {
                    let logits = logits.require_grad();
                    let terms = tilted_log_probability(&tilt, logits.clone(), x.clone());
                    let grads = (terms.clone() * weights.clone().cast(logits.dtype())).sum();
                    (terms, logits.grad(&grads.backward()).unwrap())
                };
                let ours = pulled(logits.clone());
                let theirs = pulled(logits.clone().cast(DType::F64));
                close(&values(ours.0.clone()), &values(theirs.0), 1e-6);
                close(&values(ours.1.clone()), &values(theirs.1), 1e-6);
                let ours = (bits(ours.0), bits(ours.1));
                for threads in [1, 2, 5] {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                    let (terms, slopes) = pool.unwrap().install(|| pulled(logits.clone()));
                    assert!((bits(terms), bits(slopes)) == ours, "{threads} threads");
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let tilt = Tilt::new(&[5; 17], 3);
        let (terms, slopes) = forward(&tilt, &[0.5, f32::NAN, -1.0], &[3.0, 4.0, 16.0]);
        assert!(terms[1].is_nan() && slopes[1].is_nan());
        assert!(terms[0].is_finite() && terms[2].is_finite());
    }
}
