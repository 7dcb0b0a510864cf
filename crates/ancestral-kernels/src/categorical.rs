//! The log-probability of a level under a softmax over levels, for training: the logits are read once
//! forward and replaced by their gradients once backward.

use burn::{
    backend::TensorMetadata,
    tensor::{Int, Shape, Tensor},
};

use crate::{
    autodiff::Operation,
    flex::{self, Primitive},
    math,
    parallel::{self, SharedPtr},
    simd::{Isa, Kernel, Simd},
};

/// l_x − log Σₖ exp lₖ of each entry in nats: `logits` \[rows, entries · levels\], `x`
/// \[rows, entries\] whole numbers from 0, those past the last level taken for it; the result is
/// \[rows, entries\].
///
/// `f32` on Flex runs as one operation, whose terms are within 4·2⁻²⁴·(1 + |l|) of the exact ones; any
/// other type or backend is composed of Burn's operations. `x` has no gradient.
///
/// # Panics
/// If the shapes do not fit.
pub fn categorical_log_probability(logits: Tensor<2>, x: Tensor<2>) -> Tensor<2> {
    let ([rows, width], [others, entries]) = (logits.dims(), x.dims());
    assert!(
        rows == others && width.checked_rem(entries).unwrap_or(width) == 0,
        "categorical_log_probability: logits [{rows}, {width}] and x [{others}, {entries}] do not fit"
    );
    if flex::is_fast(&logits) && flex::is_fast(&x) {
        return Categorical::run((logits, x), ());
    }
    composed_categorical(logits, x)
}

/// The same, composed of Burn's operations.
pub(crate) fn composed_categorical(logits: Tensor<2>, x: Tensor<2>) -> Tensor<2> {
    let ([rows, width], [_, entries]) = (logits.dims(), x.dims());
    let levels = width / entries.max(1);
    let logits: Tensor<3> = logits.reshape([rows, entries, levels]);
    let last = levels.saturating_sub(1) as f64;
    let index: Tensor<3, Int> = x.inner().clamp(0.0, last).int().unsqueeze_dim(2);
    let index = if logits.is_autodiff() { index.autodiff() } else { index };
    let chosen = logits.clone().gather(2, index);
    let max = logits.clone().detach().max_dim(2);
    let total = (logits - max.clone()).exp().sum_dim(2).log() + max;
    (chosen - total).squeeze_dim(2)
}

#[derive(Debug, Clone)]
struct Categorical {
    logits: Primitive,
    x: Primitive,
    /// log Σ exp of each entry.
    totals: Vec<f32>,
}

impl Operation<2> for Categorical {
    type Parameters = ();

    const CONSTANTS: usize = 1;

    fn forward([logits, x]: [Primitive; 2], (): ()) -> (Primitive, Self) {
        let shape: [usize; 2] = x.shape().dims();
        let (terms, totals) = forward(Isa::best(), logits.storage(), x.storage());
        (flex::tensor(terms, Shape::new(shape)), Self { logits, x, totals })
    }

    fn backward(self, grad: Primitive, _: [bool; 2]) -> [Option<Primitive>; 2] {
        let Self { mut logits, x, totals } = self;
        let (isa, shape, g) = (Isa::best(), logits.shape(), grad.storage());
        // The gradients take the place of the logits.
        if let Some(values) = logits.try_storage_mut::<f32>() {
            let (from, len) = (values.as_mut_ptr(), values.len());
            // SAFETY: one buffer, in which each value is read before it is written.
            unsafe { backward(isa, from, len, x.storage(), &totals, g, from) };
            return [Some(logits), None];
        }
        let from = logits.storage::<f32>();
        // SAFETY: all values are written, apart from those that are read.
        let found = unsafe {
            flex::filled(from.len(), |out| {
                backward(isa, from.as_ptr(), from.len(), x.storage(), &totals, g, out);
            })
        };
        [Some(flex::tensor(found, shape)), None]
    }
}

/// The log-probability and log Σ exp of each entry.
fn forward(isa: Isa, logits: &[f32], x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let levels = logits.len() / x.len().max(1);
    let (mut terms, mut totals) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    let [to_terms, to_totals] =
        [&mut terms, &mut totals].map(|values: &mut Vec<f32>| SharedPtr(values.as_mut_ptr()));
    parallel::rows(x.len(), levels, |first, count| {
        // SAFETY: runs of entries do not overlap.
        let [terms, totals] = [to_terms, to_totals].map(|values| unsafe {
            std::slice::from_raw_parts_mut(values.get().add(first), count)
        });
        isa.run(Terms {
            logits: &logits[first * levels..(first + count) * levels],
            x: &x[first..first + count],
            terms,
            totals,
        });
    });
    (terms, totals)
}

/// Writes the gradients (1\[k = x\] − exp(lₖ − total))·g of the logits.
///
/// # Safety
/// `len` values are readable at `logits` and writable at `out`, which may be the same.
unsafe fn backward(
    isa: Isa,
    logits: *const f32,
    len: usize,
    x: &[f32],
    totals: &[f32],
    grad: &[f32],
    out: *mut f32,
) {
    let levels = len / x.len().max(1);
    assert!(x.len() == totals.len() && x.len() == grad.len() && x.len() * levels == len);
    let (logits, out) = (SharedPtr(logits.cast_mut()), SharedPtr(out));
    parallel::rows(x.len(), levels, |first, count| {
        // SAFETY: the caller's; runs of entries do not overlap.
        let (logits, out) =
            unsafe { (logits.get().add(first * levels), out.get().add(first * levels)) };
        let own = first..first + count;
        let (x, totals, grad) = (&x[own.clone()], &totals[own.clone()], &grad[own]);
        isa.run(Gradients { logits, levels, x, totals, grad, out });
    });
}

/// The level of an entry.
fn level(x: f32, levels: usize) -> usize {
    (x as usize).min(levels.saturating_sub(1))
}

struct Terms<'a> {
    logits: &'a [f32],
    x: &'a [f32],
    terms: &'a mut [f32],
    totals: &'a mut [f32],
}

impl Kernel for Terms<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { logits, x, terms, totals } = self;
        let levels = logits.len() / x.len().max(1);
        assert!(terms.len() == x.len() && totals.len() == x.len());
        if levels == 0 {
            return;
        }
        for (i, l) in logits.chunks_exact(levels).enumerate() {
            let whole = levels - levels % S::N;
            let mut most = s.splat(f32::NEG_INFINITY);
            for k in (0..whole).step_by(S::N) {
                // SAFETY: a whole vector.
                most = s.max(most, unsafe { s.load(l.as_ptr().add(k)) });
            }
            let lanes = s.lanes(most);
            let mut max = f32::NEG_INFINITY;
            for value in lanes[..S::N].iter().chain(&l[whole..]) {
                // A NaN stays.
                max = if *value > max || value.is_nan() { *value } else { max };
            }
            let (of_max, mut sum) = (s.splat(max), s.splat(0.0));
            for k in (0..whole).step_by(S::N) {
                // SAFETY: a whole vector.
                let value = unsafe { s.load(l.as_ptr().add(k)) };
                sum = s.add(sum, math::exp_of_negative(s, s.sub(value, of_max)));
            }
            if whole < levels {
                let n = levels - whole;
                // SAFETY: `n` values are left.
                let value = unsafe { s.load_part(l.as_ptr().add(whole), n) };
                let value = math::exp_of_negative(s, s.sub(value, of_max));
                sum = s.add(sum, s.only(n, value));
            }
            let mut total = 0.0;
            for lane in &s.lanes(sum)[..S::N] {
                total += f64::from(*lane);
            }
            let total = f64::from(max) + total.ln();
            totals[i] = total as f32;
            terms[i] = (f64::from(l[level(x[i], levels)]) - total) as f32;
        }
    }
}

struct Gradients<'a> {
    logits: *const f32,
    levels: usize,
    x: &'a [f32],
    totals: &'a [f32],
    grad: &'a [f32],
    out: *mut f32,
}

impl Kernel for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { logits, levels, x, totals, grad, out } = self;
        if levels == 0 {
            return;
        }
        for (i, ((x, total), grad)) in x.iter().zip(totals).zip(grad).enumerate() {
            let (total, less) = (s.splat(*total), s.splat(-grad));
            for k in (0..levels).step_by(S::N) {
                let n = S::N.min(levels - k);
                let at = i * levels + k;
                // SAFETY: the caller of `isa.run` guarantees that the entries' logits are readable
                // and their gradients writable.
                unsafe {
                    if n == S::N {
                        let p = math::exp_of_negative(s, s.sub(s.load(logits.add(at)), total));
                        s.store(out.add(at), s.mul(less, p));
                    } else {
                        let l = s.load_part(logits.add(at), n);
                        let p = math::exp_of_negative(s, s.sub(l, total));
                        s.store_part(out.add(at), n, s.mul(less, p));
                    }
                }
            }
            // SAFETY: as above; a level of the entry.
            unsafe { *out.add(i * levels + level(*x, levels)) += grad };
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::{backend::DType, tensor::TensorData};

    use super::*;
    use crate::tests::{bits, close, device, noise, values};

    fn tensor(values: Vec<f32>, shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, shape), &device())
    }

    /// Logits and levels.
    fn inputs(rows: usize, entries: usize, levels: usize, scale: f32) -> (Tensor<2>, Tensor<2>) {
        let logits = noise(1, rows * entries * levels).iter().map(|l| l * scale).collect();
        let x = (0..rows * entries).map(|i| (i * 7 % levels) as f32).collect();
        (tensor(logits, [rows, entries * levels]), tensor(x, [rows, entries]))
    }

    fn pulled(logits: &Tensor<2>, x: &Tensor<2>, composed: bool) -> [Vec<f64>; 2] {
        let logits = logits.clone().detach().require_grad();
        let f = if composed { composed_categorical } else { categorical_log_probability };
        let terms = f(logits.clone(), x.clone());
        let weights = tensor(noise(2, x.shape().num_elements()), x.dims()).cast(logits.dtype());
        let grads = (terms.clone() * weights).sum().backward();
        [values(terms), values(logits.grad(&grads).unwrap())]
    }

    const SIZES: [[usize; 3]; 7] =
        [[1, 1, 1], [2, 3, 2], [3, 5, 17], [4, 1, 16], [2, 7, 33], [5, 12, 256], [1, 300, 100]];

    #[test]
    fn the_kernel_agrees_with_the_composed_form_in_f64() {
        for [rows, entries, levels] in SIZES {
            for scale in [1.0, 30.0] {
                let (logits, x) = inputs(rows, entries, levels, scale);
                let ours = pulled(&logits, &x, false);
                let theirs = pulled(&logits.cast(DType::F64), &x.cast(DType::F64), true);
                close(&ours[0], &theirs[0], 1e-6);
                close(&ours[1], &theirs[1], 2e-6);
            }
        }
    }

    #[test]
    fn the_composed_form_agrees_with_differences() {
        let (logits, x) = inputs(2, 3, 4, 1.0);
        let (logits, x) = (logits.cast(DType::F64), x.cast(DType::F64));
        let [_, gradient] = pulled(&logits, &x, true);
        let weights: Vec<f64> = noise(2, 6).into_iter().map(f64::from).collect();
        let all = values(logits);
        for (i, gradient) in gradient.iter().enumerate() {
            let at = |by: f64| {
                let mut moved = all.clone();
                moved[i] += by;
                let moved = TensorData::new(moved, [2, 12]);
                let moved = Tensor::<2>::from_data(moved, (&device(), DType::F64));
                let terms = values(composed_categorical(moved, x.clone()));
                terms.iter().zip(&weights).map(|(term, weight)| term * weight).sum::<f64>()
            };
            let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
            assert!((difference - gradient).abs() < 1e-8, "{i}: {difference} {gradient}");
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_and_threads_do_not_show() {
        for [rows, entries, levels] in SIZES {
            let (logits, x) = inputs(rows, entries, levels, 5.0);
            let plain =
                |x: &Tensor<2>| -> Vec<f32> { x.clone().into_data().try_into_vec().unwrap() };
            let (logits, x) = (plain(&logits), plain(&x));
            let grad = noise(3, x.len());
            let run = |isa: Isa| -> Vec<f64> {
                let (terms, totals) = forward(isa, &logits, &x);
                let mut out = logits.clone();
                let (p, len) = (out.as_mut_ptr(), out.len());
                // SAFETY: one buffer of this length.
                unsafe { backward(isa, p, len, &x, &totals, &grad, p) };
                terms.into_iter().chain(out).map(f64::from).collect()
            };
            let best = run(Isa::best());
            Isa::available().into_iter().for_each(|isa| close(&run(isa), &best, 2e-6));
        }
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (logits, x) = inputs(9, 40, 256, 3.0);
                let logits = logits.require_grad();
                let terms = categorical_log_probability(logits.clone(), x);
                let grads = terms.clone().sum().backward();
                [bits(terms), bits(logits.grad(&grads).unwrap())]
            })
        };
        assert!(run(1) == run(3));
    }

    /// log_softmax in PyTorch, in double precision:
    /// ```python
    /// import torch
    /// l = 4 * torch.sin(0.7 * torch.arange(15, dtype=torch.float64) + 1).reshape(3, 5)
    /// l.requires_grad_()
    /// y = torch.log_softmax(l, 1)[torch.arange(3), torch.tensor([0, 3, 4])]
    /// (y * torch.tensor([1., -2., 0.5])).sum().backward()
    /// print(y, l.grad.flatten()[[0, 6, 14]])
    /// ```
    #[test]
    fn golden_values() {
        let logits = (0..15).map(|i| (0.7 * f64::from(i) + 1.0).sin() as f32 * 4.0).collect();
        let logits = tensor(logits, [1, 15]).require_grad();
        let x = tensor(vec![0.0, 3.0, 4.0], [1, 3]);
        let terms = categorical_log_probability(logits.clone(), x);
        let grads = (terms.clone() * tensor(vec![1.0, -2.0, 0.5], [1, 3])).sum().backward();
        let gradient = values(logits.grad(&grads).unwrap());
        close(&values(terms), &[-1.218488429842, -2.273313463630, -8.138971074045], 1e-6);
        let found = [gradient[0], gradient[6], gradient[14]];
        close(&found, &[0.704323234518, 0.001729106704, 0.499854031287], 1e-6);
    }

    #[test]
    fn what_is_not_finite_shows() {
        let terms = categorical_log_probability(
            tensor(vec![0.0, f32::NAN, 0.0, f32::INFINITY, 1.0, 0.0], [2, 3]),
            tensor(vec![0.0, 1.0], [2, 1]),
        );
        assert!(values(terms).iter().all(|term| term.is_nan()));
    }
}
