//! The Bernoulli likelihood from logits: the loss of a training step, and the log-probability of
//! one image under thousands of codes.
//!
//! With logits l and targets t, the negative log-likelihood is Σ softplus(l) − t·l. It is summed as
//! Σ (max(l, 0) − t·l) + ln Π (1 + e^−|l|): no term of the first sum is negative where t is in
//! [0, 1], so that nothing cancels, and one logarithm serves sixteen factors.

use burn::{
    backend::TensorMetadata,
    tensor::{Shape, Tensor},
};
use rayon::prelude::*;

use crate::{
    autodiff::Operation,
    elementwise::composed_softplus,
    flex::{self, Primitive},
    gemm, math,
    matrix::Matrix,
    parallel::{self, SharedPtr},
    simd::{Isa, Kernel, Simd},
};

/// Vectors whose factors 1 + e^−|l| ≤ 2 are multiplied before a logarithm is taken; the product
/// stays below 2¹⁶, and the sums in `f32` stay short.
const GROUP: usize = 16;

/// One value of each sum: (max(l, 0) − t·l, e^−|l|).
#[inline(always)]
fn terms<S: Simd>(s: S, l: S::V, t: S::V) -> (S::V, S::V) {
    let zero = s.splat(0.0);
    (s.fnma(t, l, s.max(zero, l)), math::exp_of_negative(s, s.sub(zero, s.abs(l))))
}

/// The product so far, less one: (1 + p)(1 + e) − 1 = p·e + (p + e) keeps what a small e adds.
#[inline(always)]
fn times<S: Simd>(s: S, p: S::V, e: S::V) -> S::V {
    s.fma(p, e, s.add(p, e))
}

/// Adds a sum and the logarithm of a product to the totals.
#[inline(always)]
fn gather<S: Simd>(s: S, total: &mut [f64; 16], linear: S::V, product: S::V) {
    let linear = s.lanes(linear);
    let logs = s.lanes(math::log1p(s, product));
    for i in 0..16 {
        total[i] += f64::from(linear[i]) + f64::from(logs[i]);
    }
}

/// One row of logits, in two parts that are added, or in one.
#[derive(Clone, Copy)]
struct Logits<const BIAS: bool> {
    values: *const f32,
    /// Read only where `BIAS` is set.
    bias: *const f32,
}

impl<const BIAS: bool> Logits<BIAS> {
    /// # Safety
    /// `N` values must be readable from the `i`th on.
    #[inline(always)]
    unsafe fn load<S: Simd>(self, s: S, i: usize) -> S::V {
        // SAFETY: the caller's.
        unsafe {
            let l = s.load(self.values.add(i));
            if BIAS { s.add(l, s.load(self.bias.add(i))) } else { l }
        }
    }

    /// # Safety
    /// `n` < `N` values must be readable from the `i`th on.
    #[inline(always)]
    unsafe fn load_part<S: Simd>(self, s: S, i: usize, n: usize) -> S::V {
        // SAFETY: the caller's.
        unsafe {
            let l = s.load_part(self.values.add(i), n);
            if BIAS { s.add(l, s.load_part(self.bias.add(i), n)) } else { l }
        }
    }
}

/// Σ softplus(l) − t·l over one row of `len` values, in nats.
///
/// # Safety
/// `len` values must be readable at `l` and at `t`.
#[inline(always)]
unsafe fn row_nll<S: Simd, const BIAS: bool>(
    s: S,
    l: Logits<BIAS>,
    t: *const f32,
    len: usize,
) -> f64 {
    let zero = s.splat(0.0);
    let mut total = [0.0f64; 16];
    let mut i = 0;
    // Two independent chains of sums and products, to hide latency.
    while i + GROUP * S::N <= len {
        let (mut linear, mut product) = ([zero; 2], [zero; 2]);
        let mut k = 0;
        while k < GROUP {
            let mut half = 0;
            while half < 2 {
                let at = i + (k + half) * S::N;
                // SAFETY: at + N ≤ len.
                let (a, e) = unsafe { terms(s, l.load(s, at), s.load(t.add(at))) };
                linear[half] = s.add(linear[half], a);
                product[half] = times(s, product[half], e);
                half += 1;
            }
            k += 2;
        }
        gather(s, &mut total, s.add(linear[0], linear[1]), times(s, product[0], product[1]));
        i += GROUP * S::N;
    }
    let (mut linear, mut product) = (zero, zero);
    while i + S::N <= len {
        // SAFETY: i + N ≤ len.
        let (a, e) = unsafe { terms(s, l.load(s, i), s.load(t.add(i))) };
        linear = s.add(linear, a);
        product = times(s, product, e);
        i += S::N;
    }
    if i < len {
        let ones = [1.0f32; 16];
        // SAFETY: len − i < N values are left; `ones` has 16.
        let (a, e, present) = unsafe {
            let (a, e) = terms(s, l.load_part(s, i, len - i), s.load_part(t.add(i), len - i));
            (a, e, s.load_part(ones.as_ptr(), len - i))
        };
        linear = s.add(linear, a);
        // Lanes past the end have l = 0 and so e = 1, which is masked out.
        product = times(s, product, s.mul(e, present));
    }
    gather(s, &mut total, linear, product);
    total.iter().sum()
}

struct Rows {
    logits: *const f32,
    targets: *const f32,
    rows: usize,
    width: usize,
    out: *mut f32,
}

impl Kernel for Rows {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for i in 0..self.rows {
            let at = i * self.width;
            // SAFETY: row i lies inside the matrices, and there is an output for each row.
            unsafe {
                let logits =
                    Logits::<false> { values: self.logits.add(at), bias: core::ptr::null() };
                let nll = row_nll(s, logits, self.targets.add(at), self.width);
                *self.out.add(i) = nll as f32;
            }
        }
    }
}

struct RowsGrad {
    logits: *const f32,
    targets: *const f32,
    grad: *const f32,
    rows: usize,
    width: usize,
    out: *mut f32,
}

impl Kernel for RowsGrad {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for row in 0..self.rows {
            let at = row * self.width;
            let mut i = 0;
            // SAFETY: there is one gradient for each row, and row `row` lies inside the matrices;
            // whole vectors while they fit, then the part that is left.
            unsafe {
                let g = s.splat(*self.grad.add(row));
                let (l, t, out) = (self.logits.add(at), self.targets.add(at), self.out.add(at));
                while i + S::N <= self.width {
                    let d = s.sub(math::sigmoid(s, s.load(l.add(i))), s.load(t.add(i)));
                    s.store(out.add(i), s.mul(d, g));
                    i += S::N;
                }
                if i < self.width {
                    let n = self.width - i;
                    let d =
                        s.sub(math::sigmoid(s, s.load_part(l.add(i), n)), s.load_part(t.add(i), n));
                    s.store_part(out.add(i), n, s.mul(d, g));
                }
            }
        }
    }
}

/// Each row's negative log-likelihood; matrices of `rows` × `width`.
pub(crate) fn nll_rows(
    isa: Isa,
    logits: &[f32],
    targets: &[f32],
    rows: usize,
    width: usize,
) -> Vec<f32> {
    assert!(logits.len() == rows * width && targets.len() == rows * width);
    let (l, t) = (SharedPtr(logits.as_ptr().cast_mut()), SharedPtr(targets.as_ptr().cast_mut()));
    // SAFETY: runs of rows cover all rows, lie inside the matrices and do not overlap.
    unsafe {
        flex::filled(rows, |out| {
            let out = SharedPtr(out);
            parallel::rows(rows, width, |first, count| {
                isa.run(Rows {
                    logits: l.get().add(first * width),
                    targets: t.get().add(first * width),
                    rows: count,
                    width,
                    out: out.get().add(first),
                });
            });
        })
    }
}

/// (σ(l) − t)·g for each row's g.
pub(crate) fn nll_rows_grad(
    isa: Isa,
    logits: &[f32],
    targets: &[f32],
    grad: &[f32],
    rows: usize,
    width: usize,
) -> Vec<f32> {
    assert!(logits.len() == rows * width && targets.len() == rows * width && grad.len() == rows);
    let (l, t) = (SharedPtr(logits.as_ptr().cast_mut()), SharedPtr(targets.as_ptr().cast_mut()));
    let g = SharedPtr(grad.as_ptr().cast_mut());
    // SAFETY: runs of rows cover all rows, lie inside the matrices and do not overlap.
    unsafe {
        flex::filled(rows * width, |out| {
            let out = SharedPtr(out);
            parallel::rows(rows, width, |first, count| {
                isa.run(RowsGrad {
                    logits: l.get().add(first * width),
                    targets: t.get().add(first * width),
                    grad: g.get().add(first),
                    rows: count,
                    width,
                    out: out.get().add(first * width),
                });
            });
        })
    }
}

#[derive(Debug, Clone)]
struct BernoulliNll {
    logits: Primitive,
    targets: Primitive,
}

impl Operation<2> for BernoulliNll {
    type Parameters = ();

    fn forward([logits, targets]: [Primitive; 2], (): ()) -> (Primitive, Self) {
        let [rows, width] = logits.shape().dims();
        let nll = nll_rows(Isa::best(), logits.storage(), targets.storage(), rows, width);
        (flex::tensor(nll, Shape::new([rows])), Self { logits, targets })
    }

    fn backward(self, grad: Primitive, [logits, targets]: [bool; 2]) -> [Option<Primitive>; 2] {
        let shape = self.logits.shape();
        let [rows, width] = shape.dims();
        let (l, t, g) = (self.logits.storage(), self.targets.storage(), grad.storage());
        let for_logits = || nll_rows_grad(Isa::best(), l, t, g, rows, width);
        // −l·g; rarely needed, so not optimized.
        let for_targets = || {
            let rows = l.chunks(width.max(1)).zip(g);
            rows.flat_map(|(row, g)| row.iter().map(move |l| -l * g)).collect()
        };
        [
            logits.then(|| flex::tensor(for_logits(), shape.clone())),
            targets.then(|| flex::tensor(for_targets(), shape.clone())),
        ]
    }
}

/// The negative log-likelihood in nats of each row: Σ_d softplus(l_d) − t_d·l_d.
///
/// `logits` and `targets` are \[rows, width\], targets anywhere in \[0, 1\]; the result is
/// \[rows\]. Stable for any finite logit. The sum is as good as one in `f64`: each term carries
/// about 2⁻²⁴ of relative error, and their rounding does not add up beyond blocks of 16. The
/// gradient for the logits is (σ(l) − t)·g, in one pass; targets that require a gradient get −l·g.
///
/// # Panics
/// If the shapes differ.
pub fn bernoulli_nll(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    assert_eq!(
        logits.dims(),
        targets.dims(),
        "bernoulli_nll: logits and targets must agree in shape"
    );
    if flex::is_fast(&logits) && flex::is_fast(&targets) {
        return BernoulliNll::run((logits, targets), ());
    }
    composed_nll(logits, targets)
}

/// The same, composed of Burn's operations.
pub(crate) fn composed_nll(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    (composed_softplus(logits.clone()) - targets * logits).sum_dim(1).squeeze_dim(1)
}

struct RowsExact<'a> {
    logits: &'a [f32],
    x: &'a [f32],
    width: usize,
    out: &'a mut [f64],
}

impl Kernel for RowsExact<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let rows = self.logits.chunks_exact(self.width).zip(self.x.chunks_exact(self.width));
        for ((logits, x), out) in rows.zip(self.out) {
            let logits = Logits::<false> { values: logits.as_ptr(), bias: core::ptr::null() };
            // SAFETY: both rows have `width` values.
            *out = -unsafe { row_nll(s, logits, x.as_ptr(), self.width) };
        }
    }
}

/// The log-probability in nats of each row of `x` under its row of logits, both \[rows, width\]:
/// the negative of [`bernoulli_nll`], in `f64`.
///
/// # Panics
/// If the lengths differ.
pub fn bernoulli_log_probabilities(logits: &[f32], x: &[f32], width: usize) -> Vec<f64> {
    assert_eq!(logits.len(), x.len(), "bernoulli_log_probabilities: a logit for each entry");
    let width = width.max(1);
    let mut out = vec![0.0; x.len() / width];
    let rows = logits.par_chunks(CODES * width).zip(x.par_chunks(CODES * width));
    rows.zip(out.par_chunks_mut(CODES))
        .for_each(|((logits, x), out)| Isa::best().run(RowsExact { logits, x, width, out }));
    out
}

/// Codes whose logits are held at the same time: few enough for the second-level cache, enough to
/// amortize packing the weights.
const CODES: usize = 128;

struct Panel {
    logits: *const f32,
    bias: *const f32,
    x: *const f32,
    width: usize,
    out: *mut f64,
    codes: usize,
}

impl Kernel for Panel {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for i in 0..self.codes {
            // SAFETY: `codes` rows of `width` logits, an output for each; `width` values of bias
            // and of x.
            unsafe {
                let logits =
                    Logits::<true> { values: self.logits.add(i * self.width), bias: self.bias };
                *self.out.add(i) = -row_nll(s, logits, self.x, self.width);
            }
        }
    }
}

/// The log-probability in nats of one binary example under each of `k` codes:
/// out\[i\] = Σ_d x_d·l_id − softplus(l_id), with logits l = hidden·weight + bias.
///
/// `hidden` is \[k, h\], the last hidden layer of the decoder; `weight` \[h, d\], `bias` \[d\] and
/// `x` \[d\] (anywhere in \[0, 1\]), where d is the length of `x`. The logits are made and summed in
/// blocks of codes of fixed size, shared among threads, so that \[k, d\] values are never held and
/// the result does not depend on the number of threads. Rows are summed to the accuracy of [`bernoulli_nll`], and
/// returned in `f64`.
///
/// # Panics
/// If the lengths do not fit together.
#[allow(clippy::too_many_arguments, reason = "slices come with their sizes")]
pub fn bernoulli_log_likelihood(
    hidden: &[f32],
    k: usize,
    h: usize,
    weight: &[f32],
    bias: &[f32],
    x: &[f32],
    out: &mut [f64],
) {
    log_likelihood(Isa::best(), hidden, (k, h), weight, bias, x, out);
}

fn log_likelihood(
    isa: Isa,
    hidden: &[f32],
    (k, h): (usize, usize),
    weight: &[f32],
    bias: &[f32],
    x: &[f32],
    out: &mut [f64],
) {
    let d = x.len();
    assert!(
        hidden.len() == k * h && weight.len() == h * d && bias.len() == d && out.len() == k,
        "bernoulli_log_likelihood: hidden [{k}, {h}] ({}), weight [{h}, {d}] ({}), bias ({}), out ({})",
        hidden.len(),
        weight.len(),
        bias.len(),
        out.len()
    );
    let weight = Matrix::rows(weight, h, d);
    out.par_chunks_mut(CODES).enumerate().for_each(|(block, out)| {
        let first = block * CODES;
        let codes = Matrix::rows(&hidden[first * h..(first + out.len()) * h], out.len(), h);
        let logits = gemm::product_here(codes, weight);
        isa.run(Panel {
            logits: logits.as_ptr(),
            bias: bias.as_ptr(),
            x: x.as_ptr(),
            width: d,
            out: out.as_mut_ptr(),
            codes: out.len(),
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_likelihood_agrees_with_f64_on_every_instruction_set() {
        for (k, h, d) in [
            (0, 3, 5),
            (1, 1, 1),
            (3, 7, 17),
            (300, 20, 33),
            (129, 0, 4),
            (5, 3, 0),
            (150, 200, 784),
        ] {
            let wave = |len: usize, step: f32| -> Vec<f32> {
                (0..len).map(|i| (i as f32 * step).sin()).collect()
            };
            let (hidden, weight, bias) = (wave(k * h, 0.37), wave(h * d, 0.73), wave(d, 1.1));
            let x: Vec<f32> = wave(d, 2.3).iter().map(|x| f32::from(*x > 0.4)).collect();
            for isa in Isa::available() {
                let mut out = vec![0.0; k];
                log_likelihood(isa, &hidden, (k, h), &weight, &bias, &x, &mut out);
                for (i, &ours) in out.iter().enumerate() {
                    let exact: f64 = (0..d)
                        .map(|j| {
                            let products = (0..h).map(|m| {
                                f64::from(hidden[i * h + m]) * f64::from(weight[m * d + j])
                            });
                            let l = products.sum::<f64>() + f64::from(bias[j]);
                            f64::from(x[j]) * l - l.max(0.0) - (-l.abs()).exp().ln_1p()
                        })
                        .sum();
                    assert!(
                        (ours - exact).abs() <= 2e-6 * (1.0 + exact.abs()),
                        "{isa:?} {i}: {ours} against {exact}"
                    );
                }
            }
        }
    }

    #[test]
    fn log_probabilities_agree_with_f64() {
        for (rows, width) in [(0, 3), (1, 1), (3, 17), (130, 40), (5, 784)] {
            let logits: Vec<f32> = (0..rows * width).map(|i| 30.0 * (i as f32).sin()).collect();
            let x: Vec<f32> = (0..rows * width).map(|i| (i % 3 / 2) as f32).collect();
            let ours = bernoulli_log_probabilities(&logits, &x, width);
            assert_eq!(ours.len(), rows);
            for (row, ours) in ours.into_iter().enumerate() {
                let exact: f64 = (row * width..(row + 1) * width)
                    .map(|i| (f64::from(logits[i]), f64::from(x[i])))
                    .map(|(l, x)| x * l - l.max(0.0) - (-l.abs()).exp().ln_1p())
                    .sum();
                assert!((ours - exact).abs() <= 1e-6 * (1.0 + exact.abs()), "{ours} {exact}");
            }
        }
    }

    #[test]
    fn log_likelihood_does_not_show_the_number_of_threads() {
        let (k, h, d) = (700, 30, 100);
        let wave = |len: usize| -> Vec<f32> { (0..len).map(|i| (i as f32 * 0.61).sin()).collect() };
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut out = vec![0.0; k];
            pool.install(|| {
                bernoulli_log_likelihood(
                    &wave(k * h),
                    k,
                    h,
                    &wave(h * d),
                    &wave(d),
                    &vec![1.0; d],
                    &mut out,
                );
            });
            out
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3));
    }
}
