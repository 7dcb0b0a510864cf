//! The gradient of NADE: each task takes a slice of the hidden units for all examples, in order.

use rayon::prelude::*;

use super::parameters::{NadeParameters, Sizes};
use super::rows::{activate, in_range, negative_exp};
use crate::{
    aligned::Aligned,
    math,
    parallel::SharedPtr,
    simd::{Isa, Kernel, Simd},
};

/// The entries at which the pre-activations of each example change: those that are not 0, or all if
/// the pre-activations are rescaled; the last entry excluded.
struct Changes {
    places: Vec<usize>,
    /// The end of each example's changes, after a leading 0.
    ends: Vec<usize>,
    /// For each example, whether all changes are by whole rows.
    whole: Vec<bool>,
}

impl Changes {
    fn find(sizes: Sizes, x: &[f32], rescaled: bool) -> Self {
        let mut found = Self { places: Vec::new(), ends: vec![0], whole: Vec::new() };
        for x in x.chunks_exact(sizes.entries) {
            let mut whole = true;
            for (d, &x) in x[..sizes.entries - 1].iter().enumerate() {
                let (_, value) = sizes.addend(d, x);
                if rescaled || value != 0.0 {
                    found.places.push(d);
                    whole &= value == 1.0;
                }
            }
            found.ends.push(found.places.len());
            found.whole.push(whole);
        }
        found
    }

    fn of(&self, e: usize) -> &[usize] {
        &self.places[self.ends[e]..self.ends[e + 1]]
    }

    /// The most hidden vectors that [`TOGETHER`] examples have.
    fn most_runs(&self) -> usize {
        let batch = self.ends.len() - 1;
        let runs = |first: usize| {
            let end = (first + TOGETHER).min(batch);
            self.ends[end] - self.ends[first] + end - first
        };
        (0..batch).step_by(TOGETHER).map(runs).max().unwrap_or(0)
    }
}

/// Vectors of hidden units per task of the gradient with 16 lanes, where registers suffice for as
/// many: each run of entries is then processed less often.
///
/// It must not depend on the number of threads: whether an example's products stay in range is decided
/// for a slice as a whole, and the gradient of the scale is summed slice by slice.
const WIDE: usize = 8;
/// The same elsewhere.
const NARROW: usize = 4;
/// Examples whose hidden units a task holds at one time.
const TOGETHER: usize = 16;
/// Rows of the output weights that a task processes for all those examples before the next rows:
/// their slices and those of their gradients stay in the first-level cache.
const TILE: usize = 16;

/// The gradients for a slice of the hidden units, from all examples.
struct Slice<'a> {
    sizes: Sizes,
    parameters: NadeParameters<'a>,
    /// In the order of the parameters.
    x: &'a [f32],
    changes: &'a Changes,
    /// The gradient of the outputs `[batch, D·K]`, in the order of the parameters.
    grad: &'a [f32],
    /// The first unit of the slice.
    first: usize,
    /// Of `weight`, `bias` and `output_weight`.
    out: [SharedPtr; 3],
}

impl Kernel for Slice<'_> {
    /// The slice's part of the gradient of the scale.
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Vec<f32> {
        if S::N == 16 { self.vectors::<S, WIDE>(s) } else { self.vectors::<S, NARROW>(s) }
    }
}

impl Slice<'_> {
    /// With `W` vectors of units.
    #[inline(always)]
    fn vectors<S: Simd, const W: usize>(self, s: S) -> Vec<f32> {
        let Self { sizes, parameters, x, changes, grad, first, out, .. } = self;
        let Sizes { entries, levels, outputs, hidden } = sizes;
        let batch = x.len() / entries;
        let width = W * S::N;
        let count = width.min(hidden - first);
        let rescaled = parameters.scale.is_some();
        let pack = |from: &[f32], together: usize| {
            let mut to = Aligned::zeros(from.len() / hidden * width);
            for (row, to) in to.chunks_exact_mut(width).enumerate() {
                let row = parameters.row(row, together);
                to[..count].copy_from_slice(&from[row * hidden + first..][..count]);
            }
            to
        };
        let mut bias = Aligned::zeros(width);
        bias[..count].copy_from_slice(&parameters.bias[first..first + count]);
        let mut plain_weight = None;
        let mut factors = None;
        if parameters.has_factors() {
            let (mut weight, mut bias) = (pack(parameters.weight, levels), bias.clone());
            negative_exp(s, &mut weight);
            negative_exp(s, &mut bias);
            factors = Some((weight, bias));
        }
        let output_weight = pack(parameters.output_weight, outputs);
        let mut for_weight = Aligned::zeros(entries * levels * width);
        let mut for_bias = Aligned::zeros(width);
        let mut for_output_weight = Aligned::zeros(output_weight.len());
        let mut for_scale = Aligned::zeros(if rescaled { entries * S::N } else { 0 });
        // The hidden units of the current examples, one row for each run of entries that share
        // them, and their pre-activations, which the gradient of the scale needs.
        let mut units = Aligned::zeros(changes.most_runs() * width);
        let mut all_sums = Aligned::zeros(if rescaled { units.len() } else { 0 });
        // For each of these examples: the gradients of its units and pre-activations so far, the
        // row of its units, and the number of changes before it.
        let mut for_units = Aligned::zeros(TOGETHER * width);
        let mut for_sums = Aligned::zeros(TOGETHER * width);
        let mut runs = [0; TOGETHER];
        let mut left = [0; TOGETHER];
        let tile = (TILE / outputs).max(1);
        // SAFETY: every row that is named lies inside its buffer: rows of `weight` by `addend`, of
        // `output_weight` by d·K + k, of `units` by `most_runs`, of what each example has by e;
        // and `for_scale` has a vector for each entry.
        unsafe {
            for example in (0..batch).step_by(TOGETHER) {
                let together = TOGETHER.min(batch - example);
                let mut run = 0;
                for e in 0..together {
                    let x = &x[(example + e) * entries..][..entries];
                    let places = changes.of(example + e);
                    if let (true, Some((weight, bias))) = (changes.whole[example + e], &factors) {
                        let mut products = Products::<S, W>::start(s, load::<S, W>(s, bias, 0));
                        store(s, &mut units, run, products.units(s));
                        for (i, &d) in places.iter().enumerate() {
                            let (row, _) = sizes.addend(d, x[d]);
                            products.multiply(s, load::<S, W>(s, weight, row));
                            store(s, &mut units, run + 1 + i, products.units(s));
                        }
                        if products.inside(s) {
                            run += places.len();
                            (runs[e], left[e]) = (run, places.len());
                            run += 1;
                            continue;
                        }
                    }
                    let weight =
                        plain_weight.get_or_insert_with(|| pack(parameters.weight, levels));
                    let mut sums = load::<S, W>(s, &bias, 0);
                    store(s, &mut units, run, activated(s, parameters, 0, sums));
                    if rescaled {
                        store(s, &mut all_sums, run, sums);
                    }
                    for &d in places {
                        let (row, value) = sizes.addend(d, x[d]);
                        let (w, value) = (load::<S, W>(s, weight, row), s.splat(value));
                        for i in 0..W {
                            sums[i] = s.fma(value, w[i], sums[i]);
                        }
                        run += 1;
                        store(s, &mut units, run, activated(s, parameters, d + 1, sums));
                        if rescaled {
                            store(s, &mut all_sums, run, sums);
                        }
                    }
                    (runs[e], left[e]) = (run, places.len());
                    run += 1;
                }
                for_units.fill(0.0);
                for_sums.fill(0.0);

                for start in (0..entries).step_by(tile).rev() {
                    for e in 0..together {
                        let x = &x[(example + e) * entries..][..entries];
                        let grad = &grad[(example + e) * entries * outputs..][..entries * outputs];
                        let places = changes.of(example + e);
                        let mut end = (start + tile).min(entries);
                        let mut h = load::<S, W>(s, &units, runs[e]);
                        let mut for_h = load::<S, W>(s, &for_units, e);
                        loop {
                            // The run of entries whose outputs are computed from h, within this tile.
                            let begin = left[e].checked_sub(1).map_or(0, |last| places[last] + 1);
                            let from = begin.max(start);
                            for (at, &g) in grad[from * outputs..end * outputs].iter().enumerate() {
                                let (k, g) = (from * outputs + at, s.splat(g));
                                let v = load::<S, W>(s, &output_weight, k);
                                let mut dv = load::<S, W>(s, &for_output_weight, k);
                                for i in 0..W {
                                    for_h[i] = s.fma(g, v[i], for_h[i]);
                                    dv[i] = s.fma(g, h[i], dv[i]);
                                }
                                store(s, &mut for_output_weight, k, dv);
                            }
                            if begin < start || begin == 0 {
                                break;
                            }
                            end = begin;
                            let so_far = load::<S, W>(s, &for_sums, e);
                            let for_these = through(s, parameters, begin, h, for_h, so_far);
                            store(s, &mut for_sums, e, for_these);
                            if rescaled {
                                let sums = load::<S, W>(s, &all_sums, runs[e]);
                                let to = for_scale.as_mut_ptr().add(begin * S::N);
                                s.store(
                                    to,
                                    scale_gradient(s, parameters, h, for_h, sums, s.load(to)),
                                );
                            }
                            let (row, value) = sizes.addend(begin - 1, x[begin - 1]);
                            let mut dw = load::<S, W>(s, &for_weight, row);
                            let value = s.splat(value);
                            for i in 0..W {
                                dw[i] = s.fma(value, for_these[i], dw[i]);
                            }
                            store(s, &mut for_weight, row, dw);
                            left[e] -= 1;
                            runs[e] -= 1;
                            h = load::<S, W>(s, &units, runs[e]);
                            for_h = [s.splat(0.0); W];
                        }
                        store(s, &mut for_units, e, for_h);
                    }
                }
                // The first runs remain.
                for (e, &run) in runs.iter().enumerate().take(together) {
                    let (h, for_h) = (load::<S, W>(s, &units, run), load::<S, W>(s, &for_units, e));
                    let so_far = load::<S, W>(s, &for_sums, e);
                    let for_these = through(s, parameters, 0, h, for_h, so_far);
                    if rescaled {
                        let to = for_scale.as_mut_ptr();
                        let sums = load::<S, W>(s, &all_sums, run);
                        s.store(to, scale_gradient(s, parameters, h, for_h, sums, s.load(to)));
                    }
                    let mut db = load::<S, W>(s, &for_bias, 0);
                    for i in 0..W {
                        db[i] = s.add(db[i], for_these[i]);
                    }
                    store(s, &mut for_bias, 0, db);
                }
            }
            let found = [(for_weight, levels), (for_bias, 0), (for_output_weight, outputs)];
            for (out, (from, together)) in out.into_iter().zip(found) {
                for (row, from) in from.chunks_exact(width).enumerate() {
                    let to = out.get().add(parameters.row(row, together) * hidden + first);
                    std::ptr::copy_nonoverlapping(from.as_ptr(), to, count);
                }
            }
        }
        for_scale.chunks_exact(S::N).map(|lanes| lanes.iter().sum()).collect()
    }
}

/// e^−sum of a slice of the hidden units, and whether it stayed in range.
struct Products<S: Simd, const W: usize> {
    now: [S::V; W],
    least: S::V,
    sum: S::V,
}

impl<S: Simd, const W: usize> Products<S, W> {
    #[inline(always)]
    fn start(s: S, bias: [S::V; W]) -> Self {
        let mut new = Self { now: bias, least: bias[0], sum: s.splat(0.0) };
        new.note(s);
        new
    }

    #[inline(always)]
    fn note(&mut self, s: S) {
        let mut i = 0;
        while i < W {
            self.least = s.min(self.now[i], self.least);
            self.sum = s.add(self.sum, self.now[i]);
            i += 1;
        }
    }

    #[inline(always)]
    fn multiply(&mut self, s: S, factor: [S::V; W]) {
        let mut i = 0;
        while i < W {
            self.now[i] = s.mul(factor[i], self.now[i]);
            i += 1;
        }
        self.note(s);
    }

    /// 1 / (1 + e^−sum).
    #[inline(always)]
    fn units(&self, s: S) -> [S::V; W] {
        let one = s.splat(1.0);
        let mut units = self.now;
        let mut i = 0;
        while i < W {
            units[i] = s.divide(one, s.add(one, units[i]));
            i += 1;
        }
        units
    }

    #[inline(always)]
    fn inside(&self, s: S) -> bool {
        in_range(s, self.least, self.sum)
    }
}

/// A row of a slice.
///
/// # Safety
/// The row must lie in `from`.
#[inline(always)]
unsafe fn load<S: Simd, const W: usize>(s: S, from: &[f32], row: usize) -> [S::V; W] {
    debug_assert!(from.len() >= (row + 1) * W * S::N);
    // SAFETY: the caller's.
    unsafe {
        let at = from.as_ptr().add(row * W * S::N);
        let mut all = [s.splat(0.0); W];
        let mut i = 0;
        while i < W {
            all[i] = s.load(at.add(i * S::N));
            i += 1;
        }
        all
    }
}

/// Writes a row of a slice.
///
/// # Safety
/// The row must lie in `to`.
#[inline(always)]
unsafe fn store<S: Simd, const W: usize>(s: S, to: &mut [f32], row: usize, v: [S::V; W]) {
    debug_assert!(to.len() >= (row + 1) * W * S::N);
    // SAFETY: the caller's.
    unsafe {
        let at = to.as_mut_ptr().add(row * W * S::N);
        let mut i = 0;
        while i < W {
            s.store(at.add(i * S::N), v[i]);
            i += 1;
        }
    }
}

/// act(scale · sums), for entry `d`.
#[inline(always)]
fn activated<S: Simd, const W: usize>(
    s: S,
    parameters: NadeParameters<'_>,
    d: usize,
    mut sums: [S::V; W],
) -> [S::V; W] {
    let scale = s.splat(parameters.scale(d));
    let mut i = 0;
    while i < W {
        sums[i] = activate(s, parameters.activation, s.mul(scale, sums[i]));
        i += 1;
    }
    sums
}

/// The gradient of the pre-activations, with the part of the units `h` of entry `d` added.
#[inline(always)]
fn through<S: Simd, const W: usize>(
    s: S,
    parameters: NadeParameters<'_>,
    d: usize,
    h: [S::V; W],
    for_h: [S::V; W],
    mut for_sums: [S::V; W],
) -> [S::V; W] {
    let scale = s.splat(parameters.scale(d));
    let mut i = 0;
    while i < W {
        let slope = s.mul(for_h[i], math::slope(s, parameters.activation, h[i]));
        for_sums[i] = s.fma(scale, slope, for_sums[i]);
        i += 1;
    }
    for_sums
}

/// The gradient of a scale, lane by lane, with the part of the units `h` added.
#[inline(always)]
fn scale_gradient<S: Simd, const W: usize>(
    s: S,
    parameters: NadeParameters<'_>,
    h: [S::V; W],
    for_h: [S::V; W],
    sums: [S::V; W],
    mut gradient: S::V,
) -> S::V {
    let mut i = 0;
    while i < W {
        let slope = s.mul(for_h[i], math::slope(s, parameters.activation, h[i]));
        gradient = s.fma(slope, sums[i], gradient);
        i += 1;
    }
    gradient
}

/// The hidden units of a slice.
struct Width;

impl Kernel for Width {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        S::N * if S::N == 16 { WIDE } else { NARROW }
    }
}

/// The gradients of `weight`, `bias`, `output_weight` and, if there is one, `scale`.
pub(super) fn backward(
    isa: Isa,
    sizes: Sizes,
    parameters: NadeParameters<'_>,
    x: &[f32],
    grad: &[f32],
) -> [Vec<f32>; 4] {
    let permuted = |values: &[f32], together: usize| -> Vec<f32> {
        let mut to = Vec::with_capacity(values.len());
        for row in values.chunks_exact(sizes.entries * together) {
            to.extend((0..row.len()).map(|i| row[parameters.row(i, together)]));
        }
        to
    };
    let in_order = parameters.order.map(|_| (permuted(x, 1), permuted(grad, sizes.outputs)));
    let (x, grad) = match &in_order {
        Some((x, grad)) => (&x[..], &grad[..]),
        None => (x, grad),
    };
    let lens = [parameters.weight.len(), sizes.hidden, parameters.output_weight.len()];
    let mut out = lens.map(Vec::<f32>::with_capacity);
    let pointers = [0, 1, 2].map(|i| SharedPtr(out[i].as_mut_ptr()));
    let width = isa.run(Width);
    let changes = Changes::find(sizes, x, parameters.scale.is_some());
    let slices: Vec<Vec<f32>> = (0..sizes.hidden.div_ceil(width))
        .into_par_iter()
        .map(|slice| {
            let first = slice * width;
            let (changes, out) = (&changes, pointers);
            isa.run(Slice { sizes, parameters, x, changes, grad, first, out })
        })
        .collect();
    for (out, len) in out.iter_mut().zip(lens) {
        // SAFETY: there is room, and the slices wrote all columns of every row.
        unsafe { out.set_len(len) };
    }
    let mut scale = vec![0.0; parameters.scale.map_or(0, <[f32]>::len)];
    for slice in slices {
        scale.iter_mut().zip(slice).for_each(|(sum, part)| *sum += part);
    }
    let [weight, bias, output_weight] = out;
    [weight, bias, output_weight, scale]
}
