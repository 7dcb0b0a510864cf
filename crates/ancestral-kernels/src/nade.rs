//! The neural autoregressive distribution estimator: the outputs of every entry from the entries
//! before it, in one pass that carries the hidden sums (Larochelle and Murray 2011, algorithm 1).
//!
//! A binary entry that is 0 adds nothing to the sums, so the hidden units are renewed only where
//! an entry is not 0. The forward pass shares examples among threads and the gradient shares hidden
//! units, for which all examples are summed in order; so no buffer is joined, and no sum depends on
//! how many threads there are.

use std::ops::Range;

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::FloatTensor,
    },
    tensor::{Int, Shape, Tensor},
};
use rayon::prelude::*;

use crate::{
    aligned::Aligned,
    flex::{self, Primitive},
    gemm,
    linear::{self, Activation},
    math,
    parallel::SharedPtr,
    simd::{Isa, Kernel, Simd},
};

/// Examples that share one reading of the output weights: their hidden units fit the first-level
/// cache.
const GROUP: usize = 8;

/// Outputs `[batch, D·K]` of a NADE, those of entry d from the entries before d alone:
/// act(ρ_d (bias + Σ_{e<d} x_e W_e)) · Vᵀ_d + b_d, where act is the sigmoid in the paper.
///
/// - `x` `[batch, D]`: the entries in the model's order. No gradient flows to them.
/// - `weight` `[D·E, H]`: for E = 1 an entry's value multiplies its row; for E > 1 an entry is a
///   level from 0 to E − 1 and takes the row of its level.
/// - `bias` `[H]`, `output_weight` `[D·K, H]`, `output_bias` `[D·K]`.
/// - `scale` `[D]`: ρ, the rescaling of the sums at each entry (Uria, Murray and Larochelle 2013,
///   equation 4); 1 where there is none, which is also quicker.
///
/// `f32` on Flex runs fused and takes memory for one example's hidden units a thread; any other
/// type or backend is composed of Burn's operations.
///
/// # Panics
/// If the shapes do not fit.
pub fn nade(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    output_weight: Tensor<2>,
    output_bias: Tensor<1>,
    scale: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    let ([_, entries], [rows, hidden]) = (x.dims(), weight.dims());
    let ([outputs, width], [biases], [output_biases]) =
        (output_weight.dims(), bias.dims(), output_bias.dims());
    let fits = entries > 0 && rows % entries == 0 && outputs % entries == 0;
    assert!(
        fits && rows > 0 && outputs > 0 && hidden == width && hidden == biases,
        "nade: x [_, {entries}], weight [{rows}, {hidden}], bias [{biases}] and output weight \
         [{outputs}, {width}] do not fit"
    );
    assert_eq!(outputs, output_biases, "nade: one bias for each output");
    assert!(
        scale.as_ref().is_none_or(|scale| scale.dims() == [entries]),
        "nade: one scale for each entry"
    );
    let tensors_are_fast = flex::is_fast(&x)
        && flex::is_fast(&weight)
        && flex::is_fast(&bias)
        && flex::is_fast(&output_weight)
        && flex::is_fast(&output_bias)
        && scale.as_ref().is_none_or(flex::is_fast);
    if tensors_are_fast {
        // No scale travels as one of no entries.
        let scale = scale.unwrap_or_else(|| Tensor::empty([0], &bias.device()));
        return Tensor::from_dispatch(<Dispatch as NadeOps>::fused_nade(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.into_dispatch(),
            output_weight.into_dispatch(),
            output_bias.into_dispatch(),
            scale.into_dispatch(),
            activation,
        ));
    }
    composed_nade(x, weight, bias, output_weight, output_bias, scale, activation)
}

/// The same in Burn's operations, entry after entry.
pub(crate) fn composed_nade(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    output_weight: Tensor<2>,
    output_bias: Tensor<1>,
    scale: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    let ([batch, entries], [rows, _]) = (x.dims(), weight.dims());
    let (levels, outputs) = (rows / entries, output_weight.dims()[0] / entries);
    let mut sums: Tensor<2> = bias.unsqueeze_dim::<2>(0).repeat_dim(0, batch);
    let mut all = Vec::with_capacity(entries);
    for d in 0..entries {
        let v = output_weight.clone().narrow(0, d * outputs, outputs);
        let b = output_bias.clone().narrow(0, d * outputs, outputs);
        let scaled = match &scale {
            Some(scale) => sums.clone() * scale.clone().narrow(0, d, 1).unsqueeze_dim::<2>(0),
            None => sums.clone(),
        };
        let units = linear::composed_activation(scaled, activation);
        all.push(units.matmul(v.transpose()) + b.unsqueeze_dim::<2>(0));
        let own = weight.clone().narrow(0, d * levels, levels);
        let value = x.clone().narrow(1, d, 1);
        sums = sums
            + if levels == 1 {
                value * own
            } else {
                let index: Tensor<1, Int> = value.inner().int().reshape([batch]);
                own.select(0, if x.is_autodiff() { index.autodiff() } else { index })
            };
    }
    Tensor::cat(all, 1)
}

/// The sizes of a model and a batch.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    batch: usize,
    entries: usize,
    levels: usize,
    outputs: usize,
    hidden: usize,
}

impl Sizes {
    fn of(x: &Primitive, weight: &Primitive, output_weight: &Primitive) -> Self {
        let ([batch, entries], [rows, hidden]) = (x.shape().dims(), weight.shape().dims());
        let [outputs, _] = output_weight.shape().dims();
        Self { batch, entries, levels: rows / entries, outputs: outputs / entries, hidden }
    }

    /// The row of `weight` that entry `d` of value `x` adds, and by what it is multiplied.
    #[inline(always)]
    fn addend(self, d: usize, x: f32) -> (usize, f32) {
        if self.levels == 1 {
            (d, x)
        } else {
            (d * self.levels + (x as usize).min(self.levels - 1), 1.0)
        }
    }
}

/// The parameters of [`nade`] as slices, row after row.
#[derive(Debug, Clone, Copy)]
pub struct NadeParameters<'a> {
    /// `[D·E, H]`.
    pub weight: &'a [f32],
    /// `[H]`.
    pub bias: &'a [f32],
    /// `[D·K, H]`.
    pub output_weight: &'a [f32],
    /// `[D·K]`.
    pub output_bias: &'a [f32],
    /// `[D]`, if the sums are rescaled.
    pub scale: Option<&'a [f32]>,
    /// What the hidden units apply to their sums.
    pub activation: Activation,
}

impl NadeParameters<'_> {
    #[inline(always)]
    fn scale(&self, d: usize) -> f32 {
        self.scale.map_or(1.0, |scale| scale[d])
    }
}

/// The sums and hidden units of up to [`GROUP`] examples; the places of those that are not there
/// stay at their first values.
#[derive(Debug, Clone)]
struct Group {
    /// Rows of this many values: the hidden units and zeros up to whole vectors.
    width: usize,
    sums: Aligned,
    units: Aligned,
}

impl Group {
    #[inline(always)]
    fn start<S: Simd>(s: S, parameters: NadeParameters<'_>) -> Self {
        let hidden = parameters.bias.len();
        let width = hidden.next_multiple_of(S::N);
        let (sums, units) = (Aligned::zeros(GROUP * width), Aligned::zeros(GROUP * width));
        let mut group = Self { width, sums, units };
        for row in group.sums.chunks_exact_mut(width) {
            row[..hidden].copy_from_slice(parameters.bias);
        }
        for e in 0..GROUP {
            group.renew(s, e, hidden, parameters, 0);
        }
        group
    }

    /// units = act(scale · sums) of one example, for entry `d`; what pads them is 0.
    #[inline(always)]
    fn renew<S: Simd>(
        &mut self,
        s: S,
        e: usize,
        hidden: usize,
        parameters: NadeParameters<'_>,
        d: usize,
    ) {
        let place = e * self.width..(e + 1) * self.width;
        let (sums, units) = (&self.sums[place.clone()], &mut self.units[place]);
        let scale = s.splat(parameters.scale(d));
        for (from, to) in sums.chunks_exact(S::N).zip(units.chunks_exact_mut(S::N)) {
            // SAFETY: both are chunks of N values.
            unsafe {
                let sum = s.mul(scale, s.load(from.as_ptr()));
                s.store(to.as_mut_ptr(), activate(s, parameters.activation, sum));
            }
        }
        units[hidden..].fill(0.0);
    }

    /// The outputs of entry `d` for each of `count` examples, `out(e, k)` taking them.
    #[inline(always)]
    fn outputs<S: Simd>(
        &self,
        s: S,
        sizes: Sizes,
        parameters: NadeParameters<'_>,
        d: usize,
        count: usize,
        mut out: impl FnMut(usize, usize, f32),
    ) {
        let Sizes { outputs, hidden, .. } = sizes;
        for k in 0..outputs {
            let row = d * outputs + k;
            let v = &parameters.output_weight[row * hidden..][..hidden];
            let dots = dots(s, v, &self.units, self.width);
            for (e, dot) in dots.iter().enumerate().take(count) {
                out(e, k, dot + parameters.output_bias[row]);
            }
        }
    }

    /// Takes the value of entry `d` of example `e`.
    #[inline(always)]
    fn push<S: Simd>(
        &mut self,
        s: S,
        sizes: Sizes,
        parameters: NadeParameters<'_>,
        d: usize,
        e: usize,
        x: f32,
    ) {
        let hidden = sizes.hidden;
        let (row, value) = sizes.addend(d, x);
        if d + 1 == sizes.entries || value == 0.0 && parameters.scale.is_none() {
            return;
        }
        let row = &parameters.weight[row * hidden..][..hidden];
        let place = e * self.width..(e + 1) * self.width;
        let (sums, units) = (&mut self.sums[place.clone()], &mut self.units[place]);
        let (value, scale) = (s.splat(value), s.splat(parameters.scale(d + 1)));
        let vectors = sums.chunks_exact_mut(S::N).zip(units.chunks_exact_mut(S::N));
        for (w, (sum, unit)) in row.chunks(S::N).zip(vectors) {
            // SAFETY: `sum` and `unit` have N values, and `w` as many as are read of it.
            unsafe {
                let w = if w.len() == S::N {
                    s.load(w.as_ptr())
                } else {
                    s.load_part(w.as_ptr(), w.len())
                };
                let new = s.fma(value, w, s.load(sum.as_ptr()));
                s.store(sum.as_mut_ptr(), new);
                s.store(unit.as_mut_ptr(), activate(s, parameters.activation, s.mul(scale, new)));
            }
        }
        units[hidden..].fill(0.0);
    }
}

/// Outputs of up to [`GROUP`] examples.
struct Forward<'a> {
    sizes: Sizes,
    parameters: NadeParameters<'a>,
    /// Of these examples.
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { sizes, parameters, x, out } = self;
        let Sizes { entries, outputs, .. } = sizes;
        let count = x.len() / entries;
        let mut group = Group::start(s, parameters);
        for d in 0..entries {
            group.outputs(s, sizes, parameters, d, count, |e, k, value| {
                out[(e * entries + d) * outputs + k] = value;
            });
            for e in 0..count {
                group.push(s, sizes, parameters, d, e, x[e * entries + d]);
            }
        }
    }
}

/// Examples of a NADE whose entries become known one after another: what drawing needs.
///
/// Each example's outputs have the bits that [`nade`] gives it, whatever other examples there are.
#[derive(Debug, Clone)]
pub struct NadeRows<'a> {
    sizes: Sizes,
    parameters: NadeParameters<'a>,
    group: Group,
    rows: usize,
}

struct Start<'a>(NadeParameters<'a>);

impl Kernel for Start<'_> {
    type Output = Group;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Group {
        Group::start(s, self.0)
    }
}

struct RowOutputs<'a, 'b> {
    rows: &'b NadeRows<'a>,
    d: usize,
    out: &'b mut [f32],
}

impl Kernel for RowOutputs<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { rows, d, out } = self;
        let outputs = rows.sizes.outputs;
        rows.group.outputs(s, rows.sizes, rows.parameters, d, rows.rows, |e, k, value| {
            out[e * outputs + k] = value;
        });
    }
}

struct RowPush<'a, 'b> {
    rows: &'b mut NadeRows<'a>,
    d: usize,
    values: &'b [f32],
}

impl Kernel for RowPush<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { rows, d, values } = self;
        for (e, &x) in values.iter().enumerate() {
            rows.group.push(s, rows.sizes, rows.parameters, d, e, x);
        }
    }
}

impl<'a> NadeRows<'a> {
    /// The largest number of examples.
    pub const MOST: usize = GROUP;

    /// `rows` examples of `entries` entries, none of them known.
    ///
    /// # Panics
    /// If `rows` is more than [`NadeRows::MOST`], or the parameters do not fit.
    pub fn new(parameters: NadeParameters<'a>, entries: usize, rows: usize) -> Self {
        let hidden = parameters.bias.len();
        let levels = parameters.weight.len() / (entries * hidden);
        let outputs = parameters.output_bias.len() / entries;
        assert!(
            rows <= GROUP
                && parameters.weight.len() == entries * levels * hidden
                && parameters.output_weight.len() == entries * outputs * hidden
                && parameters.output_bias.len() == entries * outputs
                && parameters.scale.is_none_or(|scale| scale.len() == entries),
            "NadeRows: {rows} rows and parameters of other sizes"
        );
        let sizes = Sizes { batch: rows, entries, levels, outputs, hidden };
        Self { sizes, parameters, group: Isa::best().run(Start(parameters)), rows }
    }

    /// The outputs `[rows, K]` of entry `d`, once the entries before it are known.
    pub fn outputs(&self, d: usize, out: &mut [f32]) {
        assert_eq!(out.len(), self.rows * self.sizes.outputs, "NadeRows: outputs of all rows");
        Isa::best().run(RowOutputs { rows: self, d, out });
    }

    /// Makes entry `d` known, with a value for each example.
    pub fn push(&mut self, d: usize, values: &[f32]) {
        assert_eq!(values.len(), self.rows, "NadeRows: a value for each row");
        Isa::best().run(RowPush { rows: self, d, values });
    }
}

/// `v` with each of [`GROUP`] rows of `units`, which are `width` values apart.
#[inline(always)]
fn dots<S: Simd>(s: S, v: &[f32], units: &[f32], width: usize) -> [f32; GROUP] {
    assert!(units.len() == GROUP * width && v.len().next_multiple_of(S::N) == width);
    let mut sums = [s.splat(0.0); GROUP];
    let whole = v.len() - v.len() % S::N;
    let mut i = 0;
    // SAFETY: `v` has `whole` values and a part of a vector after them; each row of `units` has
    // `width` values, which is that rounded up.
    unsafe {
        while i < whole {
            let v = s.load(v.as_ptr().add(i));
            for (e, sum) in sums.iter_mut().enumerate() {
                *sum = s.fma(v, s.load(units.as_ptr().add(e * width + i)), *sum);
            }
            i += S::N;
        }
        if i < v.len() {
            let v = s.load_part(v.as_ptr().add(i), v.len() - i);
            for (e, sum) in sums.iter_mut().enumerate() {
                *sum = s.fma(v, s.load(units.as_ptr().add(e * width + i)), *sum);
            }
        }
    }
    // No closure here, which would not be compiled for the instruction set.
    let mut totals = [0.0; GROUP];
    for (to, sum) in totals.iter_mut().zip(sums) {
        *to = total(s, sum);
    }
    totals
}

/// The sum of the lanes, in halves.
#[inline(always)]
fn total<S: Simd>(s: S, v: S::V) -> f32 {
    let mut lanes = s.lanes(v);
    let mut n = S::N;
    while n > 1 {
        n /= 2;
        for i in 0..n {
            lanes[i] += lanes[i + n];
        }
    }
    lanes[0]
}

fn forward(isa: Isa, sizes: Sizes, parameters: NadeParameters<'_>, x: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0f32; sizes.batch * sizes.entries * sizes.outputs];
    let (ins, outs) = (GROUP * sizes.entries, GROUP * sizes.entries * sizes.outputs);
    x.par_chunks(ins)
        .zip(out.par_chunks_mut(outs))
        .for_each(|(x, out)| isa.run(Forward { sizes, parameters, x, out }));
    out
}

/// Where the sums of the examples change before their last entry: at each example's entries that
/// are not 0, or at all of them if the sums are rescaled.
struct Changes {
    places: Vec<usize>,
    /// Where those of each example end, after a 0.
    ends: Vec<usize>,
}

impl Changes {
    fn find(sizes: Sizes, x: &[f32], rescaled: bool) -> Self {
        let mut found = Self { places: Vec::new(), ends: vec![0] };
        for x in x.chunks_exact(sizes.entries) {
            let before_last = x[..sizes.entries - 1].iter().enumerate();
            let changes = before_last.filter(|&(d, &x)| rescaled || sizes.addend(d, x).1 != 0.0);
            found.places.extend(changes.map(|(d, _)| d));
            found.ends.push(found.places.len());
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

/// Vectors of hidden units that one task of the gradient takes.
const SLICE: usize = 4;
/// Examples whose hidden units a task holds at one time.
const TOGETHER: usize = 16;
/// Rows of the output weights that a task goes through for all those examples before it takes the
/// next ones: their slices and those of their gradients stay in the first-level cache.
const TILE: usize = 32;

/// The gradients for a slice of the hidden units, from all examples.
struct Slice<'a> {
    sizes: Sizes,
    parameters: NadeParameters<'a>,
    x: &'a [f32],
    changes: &'a Changes,
    /// For the outputs, `[batch, D·K]`.
    grad: &'a [f32],
    /// The first unit of the slice.
    first: usize,
    /// Of `weight`, `bias` and `output_weight`.
    out: [SharedPtr; 3],
}

impl Kernel for Slice<'_> {
    /// What the slice adds to the gradient of the scale.
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Vec<f32> {
        let Self { sizes, parameters, x, changes, grad, first, out } = self;
        let Sizes { batch, entries, outputs, hidden, .. } = sizes;
        let width = SLICE * S::N;
        let count = width.min(hidden - first);
        let rescaled = parameters.scale.is_some();
        let pack = |from: &[f32]| packed(from, hidden, first..first + count, width);
        let (weight, bias) = (pack(parameters.weight), pack(parameters.bias));
        let output_weight = pack(parameters.output_weight);
        let mut for_weight = Aligned::zeros(weight.len());
        let mut for_bias = Aligned::zeros(width);
        let mut for_output_weight = Aligned::zeros(output_weight.len());
        let mut for_scale = Aligned::zeros(if rescaled { entries * S::N } else { 0 });
        // The hidden units of the examples at hand, one row for each run of entries that share
        // them, and the sums they are of, which the gradient of the scale needs.
        let mut units = Aligned::zeros(changes.most_runs() * width);
        let mut all_sums = Aligned::zeros(if rescaled { units.len() } else { 0 });
        // For each of these examples: the gradients for its units and sums so far, the row of its
        // units, and how many changes lie before it.
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
                    let mut sums = load(s, &bias, 0);
                    let places = changes.of(example + e);
                    store(s, &mut units, run, activated(s, parameters, 0, sums));
                    if rescaled {
                        store(s, &mut all_sums, run, sums);
                    }
                    for &d in places {
                        let (row, value) = sizes.addend(d, x[d]);
                        let (w, value) = (load(s, &weight, row), s.splat(value));
                        for i in 0..SLICE {
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
                        let mut h = load(s, &units, runs[e]);
                        let mut for_h = load(s, &for_units, e);
                        loop {
                            // The run of entries whose outputs come from h, as far as it is here.
                            let begin = left[e].checked_sub(1).map_or(0, |last| places[last] + 1);
                            let from = begin.max(start);
                            for (at, &g) in grad[from * outputs..end * outputs].iter().enumerate() {
                                let (k, g) = (from * outputs + at, s.splat(g));
                                let v = load(s, &output_weight, k);
                                let mut dv = load(s, &for_output_weight, k);
                                for i in 0..SLICE {
                                    for_h[i] = s.fma(g, v[i], for_h[i]);
                                    dv[i] = s.fma(g, h[i], dv[i]);
                                }
                                store(s, &mut for_output_weight, k, dv);
                            }
                            if begin < start || begin == 0 {
                                break;
                            }
                            end = begin;
                            let so_far = load(s, &for_sums, e);
                            let for_these = through(s, parameters, begin, h, for_h, so_far);
                            store(s, &mut for_sums, e, for_these);
                            if rescaled {
                                let sums = load(s, &all_sums, runs[e]);
                                let to = for_scale.as_mut_ptr().add(begin * S::N);
                                s.store(
                                    to,
                                    scale_gradient(s, parameters, h, for_h, sums, s.load(to)),
                                );
                            }
                            let (row, value) = sizes.addend(begin - 1, x[begin - 1]);
                            let mut dw = load(s, &for_weight, row);
                            let value = s.splat(value);
                            for i in 0..SLICE {
                                dw[i] = s.fma(value, for_these[i], dw[i]);
                            }
                            store(s, &mut for_weight, row, dw);
                            left[e] -= 1;
                            runs[e] -= 1;
                            h = load(s, &units, runs[e]);
                            for_h = [s.splat(0.0); SLICE];
                        }
                        store(s, &mut for_units, e, for_h);
                    }
                }
                // What is left are the first runs.
                for (e, &run) in runs.iter().enumerate().take(together) {
                    let (h, for_h) = (load(s, &units, run), load(s, &for_units, e));
                    let so_far = load(s, &for_sums, e);
                    let for_these = through(s, parameters, 0, h, for_h, so_far);
                    if rescaled {
                        let to = for_scale.as_mut_ptr();
                        let sums = load(s, &all_sums, run);
                        s.store(to, scale_gradient(s, parameters, h, for_h, sums, s.load(to)));
                    }
                    let mut db = load(s, &for_bias, 0);
                    for i in 0..SLICE {
                        db[i] = s.add(db[i], for_these[i]);
                    }
                    store(s, &mut for_bias, 0, db);
                }
            }
            for (out, from) in out.into_iter().zip([for_weight, for_bias, for_output_weight]) {
                for (row, from) in from.chunks_exact(width).enumerate() {
                    let to = out.get().add(row * hidden + first);
                    std::ptr::copy_nonoverlapping(from.as_ptr(), to, count);
                }
            }
        }
        for_scale.chunks_exact(S::N).map(|lanes| lanes.iter().sum()).collect()
    }
}

/// Some columns of a matrix, its rows one after another and padded with zeros to `width`.
fn packed(from: &[f32], hidden: usize, columns: Range<usize>, width: usize) -> Aligned {
    let mut to = Aligned::zeros(from.len() / hidden * width);
    for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(hidden)) {
        to[..columns.len()].copy_from_slice(&from[columns.clone()]);
    }
    to
}

/// A row of a slice.
///
/// # Safety
/// The row must lie in `from`.
#[inline(always)]
unsafe fn load<S: Simd>(s: S, from: &[f32], row: usize) -> [S::V; SLICE] {
    debug_assert!(from.len() >= (row + 1) * SLICE * S::N);
    // SAFETY: the caller's.
    unsafe {
        let at = from.as_ptr().add(row * SLICE * S::N);
        let mut all = [s.splat(0.0); SLICE];
        let mut i = 0;
        while i < SLICE {
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
unsafe fn store<S: Simd>(s: S, to: &mut [f32], row: usize, v: [S::V; SLICE]) {
    debug_assert!(to.len() >= (row + 1) * SLICE * S::N);
    // SAFETY: the caller's.
    unsafe {
        let at = to.as_mut_ptr().add(row * SLICE * S::N);
        let mut i = 0;
        while i < SLICE {
            s.store(at.add(i * S::N), v[i]);
            i += 1;
        }
    }
}

/// The activation of hidden units.
#[inline(always)]
fn activate<S: Simd>(s: S, activation: Activation, x: S::V) -> S::V {
    match activation {
        Activation::Sigmoid => math::unit_sigmoid(s, x),
        other => math::activate(s, other, x),
    }
}

/// act(scale · sums), for entry `d`.
#[inline(always)]
fn activated<S: Simd>(
    s: S,
    parameters: NadeParameters<'_>,
    d: usize,
    mut sums: [S::V; SLICE],
) -> [S::V; SLICE] {
    let scale = s.splat(parameters.scale(d));
    let mut i = 0;
    while i < SLICE {
        sums[i] = activate(s, parameters.activation, s.mul(scale, sums[i]));
        i += 1;
    }
    sums
}

/// The gradient for the sums, with what the units `h` of entry `d` add to it.
#[inline(always)]
fn through<S: Simd>(
    s: S,
    parameters: NadeParameters<'_>,
    d: usize,
    h: [S::V; SLICE],
    for_h: [S::V; SLICE],
    mut for_sums: [S::V; SLICE],
) -> [S::V; SLICE] {
    let scale = s.splat(parameters.scale(d));
    let mut i = 0;
    while i < SLICE {
        let slope = s.mul(for_h[i], math::slope(s, parameters.activation, h[i]));
        for_sums[i] = s.fma(scale, slope, for_sums[i]);
        i += 1;
    }
    for_sums
}

/// The gradient for a scale, lane by lane, with what the units `h` of these sums add to it.
#[inline(always)]
fn scale_gradient<S: Simd>(
    s: S,
    parameters: NadeParameters<'_>,
    h: [S::V; SLICE],
    for_h: [S::V; SLICE],
    sums: [S::V; SLICE],
    mut gradient: S::V,
) -> S::V {
    let mut i = 0;
    while i < SLICE {
        let slope = s.mul(for_h[i], math::slope(s, parameters.activation, h[i]));
        gradient = s.fma(slope, sums[i], gradient);
        i += 1;
    }
    gradient
}

/// The number of lanes that the instruction set has.
struct Lanes;

impl Kernel for Lanes {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        S::N
    }
}

/// The gradients of `weight`, `bias`, `output_weight` and, if there is one, `scale`.
fn backward(
    isa: Isa,
    sizes: Sizes,
    parameters: NadeParameters<'_>,
    x: &[f32],
    grad: &[f32],
) -> [Vec<f32>; 4] {
    let lens = [parameters.weight.len(), sizes.hidden, parameters.output_weight.len()];
    let mut out = lens.map(Vec::<f32>::with_capacity);
    let pointers = [0, 1, 2].map(|i| SharedPtr(out[i].as_mut_ptr()));
    let width = SLICE * isa.run(Lanes);
    let changes = Changes::find(sizes, x, parameters.scale.is_some());
    let slices: Vec<Vec<f32>> = (0..sizes.hidden.div_ceil(width))
        .into_par_iter()
        .map(|slice| {
            let first = slice * width;
            isa.run(Slice { sizes, parameters, x, changes: &changes, grad, first, out: pointers })
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

/// The extension.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait NadeOps: Backend {
    fn fused_nade(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        output_weight: FloatTensor<Self>,
        output_bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;
}

/// What the gradient needs; all contiguous.
#[derive(Debug, Clone)]
struct NadeState {
    x: Primitive,
    weight: Primitive,
    bias: Primitive,
    output_weight: Primitive,
    output_bias: Primitive,
    /// Of no entries where there is none.
    scale: Primitive,
    activation: Activation,
}

impl NadeState {
    fn sizes(&self) -> Sizes {
        Sizes::of(&self.x, &self.weight, &self.output_weight)
    }

    fn parameters(&self) -> NadeParameters<'_> {
        let scale = self.scale.storage::<f32>();
        NadeParameters {
            weight: self.weight.storage(),
            bias: self.bias.storage(),
            output_weight: self.output_weight.storage(),
            output_bias: self.output_bias.storage(),
            scale: (!scale.is_empty()).then_some(scale),
            activation: self.activation,
        }
    }

    fn forward(&self) -> Primitive {
        let sizes = self.sizes();
        let out = forward(Isa::best(), sizes, self.parameters(), self.x.storage());
        flex::tensor(out, Shape::new([sizes.batch, sizes.entries * sizes.outputs]))
    }
}

impl NadeOps for Flex {
    fn fused_nade(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        output_weight: FloatTensor<Self>,
        output_bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        NadeState {
            x: flex::contiguous(x),
            weight: flex::contiguous(weight),
            bias: flex::contiguous(bias),
            output_weight: flex::contiguous(output_weight),
            output_bias: flex::contiguous(output_bias),
            scale: flex::contiguous(scale),
            activation,
        }
        .forward()
    }
}

#[derive(Debug)]
struct NadeBackward;

impl Backward<Flex, 5> for NadeBackward {
    type State = NadeState;

    fn backward(self, ops: Ops<NadeState, 5>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = flex::contiguous(grads.consume::<Flex>(&ops.node));
        let state = ops.state;
        let sizes = state.sizes();
        let [for_weight, for_bias, for_output_weight, for_output_bias, for_scale] = ops.parents;
        let [weight, bias, output_weight, scale] =
            backward(Isa::best(), sizes, state.parameters(), state.x.storage(), grad.storage());
        let outputs = sizes.entries * sizes.outputs;
        if let Some(node) = for_output_bias {
            let out = gemm::column_sums(Isa::best(), grad.storage(), sizes.batch, outputs);
            grads.register::<Flex>(node.id, flex::tensor(out, Shape::new([outputs])));
        }
        let found = [
            (for_weight, weight, Shape::new([sizes.entries * sizes.levels, sizes.hidden])),
            (for_bias, bias, Shape::new([sizes.hidden])),
            (for_output_weight, output_weight, Shape::new([outputs, sizes.hidden])),
            (for_scale, scale, state.scale.shape()),
        ];
        for (node, out, shape) in found {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, flex::tensor(out, shape));
            }
        }
    }
}

impl<C: CheckpointStrategy> NadeOps for Autodiff<Flex, C> {
    fn fused_nade(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        output_weight: FloatTensor<Self>,
        output_bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let (x, _) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let (output_weight, output_weight_node) = output_weight.into_parts();
        let (output_bias, output_bias_node) = output_bias.into_parts();
        let (scale, scale_node) = scale.into_parts();
        let state = NadeState {
            x: flex::contiguous(x),
            weight: flex::contiguous(weight),
            bias: flex::contiguous(bias),
            output_weight: flex::contiguous(output_weight),
            output_bias: flex::contiguous(output_bias),
            scale: flex::contiguous(scale),
            activation,
        };
        let y = state.forward();
        let nodes = [weight_node, bias_node, output_weight_node, output_bias_node, scale_node];
        match NadeBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(state, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};

    use super::*;
    use crate::tests::noise;

    /// Batch, entries, levels (1 for numbers), outputs an entry, hidden units, whether rescaled.
    const SIZES: [(usize, usize, usize, usize, usize, bool); 9] = [
        (1, 1, 1, 1, 1, false),
        (3, 5, 1, 1, 7, false),
        (9, 12, 1, 1, 33, false),
        (17, 4, 5, 5, 16, false),
        (2, 3, 1, 6, 65, true),
        (8, 7, 1, 3, 40, true),
        (5, 1, 1, 2, 3, true),
        (20, 30, 1, 1, 100, false),
        (6, 13, 2, 1, 50, false),
    ];

    /// x, then the parameters, as values with their shapes.
    fn case(at: usize) -> Vec<(Vec<f32>, Vec<usize>)> {
        let (batch, entries, levels, outputs, hidden, rescaled) = SIZES[at];
        let mut x = noise(1, batch * entries);
        match (levels, rescaled) {
            (1, false) => x.iter_mut().for_each(|x| *x = f32::from(*x > 0.4)),
            (1, true) => x.iter_mut().for_each(|x| *x *= 2.0),
            _ => x.iter_mut().for_each(|x| *x = ((*x + 1.0) / 2.0 * levels as f32).floor()),
        }
        let mut scale = noise(6, entries);
        scale.iter_mut().for_each(|s| *s = 1.0 + 0.5 * *s);
        vec![
            (x, vec![batch, entries]),
            (noise(2, entries * levels * hidden), vec![entries * levels, hidden]),
            (noise(3, hidden), vec![hidden]),
            (noise(4, entries * outputs * hidden), vec![entries * outputs, hidden]),
            (noise(5, entries * outputs), vec![entries * outputs]),
            (scale, vec![entries]),
        ]
    }

    fn slices(
        case: &[(Vec<f32>, Vec<usize>)],
        rescaled: bool,
        activation: Activation,
    ) -> NadeParameters<'_> {
        NadeParameters {
            weight: &case[1].0,
            bias: &case[2].0,
            output_weight: &case[3].0,
            output_bias: &case[4].0,
            scale: rescaled.then_some(&case[5].0),
            activation,
        }
    }

    fn sizes(at: usize) -> Sizes {
        let (batch, entries, levels, outputs, hidden, _) = SIZES[at];
        Sizes { batch, entries, levels, outputs, hidden }
    }

    /// Outputs and gradients of Σ outputs·w, composed in `f64`.
    fn composed(at: usize, activation: Activation) -> (Vec<f64>, Vec<Vec<f64>>) {
        let case = case(at);
        let (batch, entries, _, outputs, _, rescaled) = SIZES[at];
        let device = Device::flex().autodiff();
        let data = |i: usize| {
            let (values, shape) = &case[i];
            TensorData::new(values.clone(), shape.clone())
        };
        let matrix = |i: usize| -> Tensor<2> {
            Tensor::<2>::from_data(data(i), (&device, DType::F64)).require_grad()
        };
        let vector = |i: usize| -> Tensor<1> {
            Tensor::<1>::from_data(data(i), (&device, DType::F64)).require_grad()
        };
        let x = Tensor::<2>::from_data(data(0), (&device, DType::F64));
        let (w, b, v, c) = (matrix(1), vector(2), matrix(3), vector(4));
        let scale = rescaled.then(|| vector(5));
        let y = nade(x, w.clone(), b.clone(), v.clone(), c.clone(), scale.clone(), activation);
        let weights = TensorData::new(noise(9, batch * entries * outputs), y.dims());
        let weights = Tensor::<2>::from_data(weights, (&device, DType::F64));
        let grads = (y.clone() * weights).sum().backward();
        let f64s = |data: TensorData| data.try_into_vec_as::<f64>().unwrap();
        // What no output depends on has no gradient.
        let matrix_gradient = |t: &Tensor<2>| {
            f64s(t.grad(&grads).unwrap_or_else(|| t.clone().inner().zeros_like()).into_data())
        };
        let vector_gradient = |t: &Tensor<1>| {
            f64s(t.grad(&grads).unwrap_or_else(|| t.clone().inner().zeros_like()).into_data())
        };
        let mut found = vec![
            matrix_gradient(&w),
            vector_gradient(&b),
            matrix_gradient(&v),
            vector_gradient(&c),
        ];
        found.extend(scale.map(|s| vector_gradient(&s)));
        (f64s(y.into_data()), found)
    }

    #[track_caller]
    fn close(ours: &[f32], theirs: &[f64], what: &str) {
        assert_eq!(ours.len(), theirs.len(), "{what}");
        for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
            let a = f64::from(*a);
            assert!((a - b).abs() < 2e-5 * (1.0 + b.abs()), "{what} at {i}: {a} against {b}");
        }
    }

    #[test]
    fn every_instruction_set_agrees_with_the_composed_form_in_f64() {
        for (at, &(batch, entries, _, outputs, _, rescaled)) in SIZES.iter().enumerate() {
            let case = case(at);
            let weights = noise(9, batch * entries * outputs);
            let all = Isa::available().into_iter().flat_map(|isa| {
                [Activation::Sigmoid, Activation::Relu, Activation::Tanh, Activation::Softplus]
                    .map(|activation| (isa, activation))
            });
            for (isa, activation) in all {
                let (y, grads) = composed(at, activation);
                let name = format!("{isa:?}, {activation:?}, {:?}", SIZES[at]);
                let parameters = slices(&case, rescaled, activation);
                close(&forward(isa, sizes(at), parameters, &case[0].0), &y, &name);
                let [w, b, v, scale] = backward(isa, sizes(at), parameters, &case[0].0, &weights);
                close(&w, &grads[0], &name);
                close(&b, &grads[1], &name);
                close(&v, &grads[2], &name);
                if rescaled {
                    close(&scale, &grads[4], &name);
                }
            }
        }
    }

    struct Sigmoids<'a>(&'a mut [f32]);

    impl Kernel for Sigmoids<'_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for chunk in self.0.chunks_exact_mut(S::N) {
                // SAFETY: a chunk of N values.
                unsafe {
                    let y = math::unit_sigmoid(s, s.load(chunk.as_ptr()));
                    s.store(chunk.as_mut_ptr(), y);
                }
            }
        }
    }

    #[test]
    fn units_are_sigmoids_of_their_sums() {
        let extremes = [f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1e-40];
        let mut x: Vec<f32> = (-12_000..12_000).map(|i| i as f32 * 0.01).collect();
        x.extend(extremes);
        x.resize(x.len().next_multiple_of(16), 0.5);
        for isa in Isa::available() {
            let mut y = x.clone();
            isa.run(Sigmoids(&mut y));
            for (x, y) in x.iter().zip(y) {
                let want = (1.0 / (1.0 + f64::from(-x).exp())).max(1e-30);
                let error = (f64::from(y) - want).abs() / want;
                assert!(error < 4e-7 || want < 2e-30 && y <= 2e-30, "{isa:?} {x}: {y} {want}");
            }
            let mut nan = [f32::NAN; 16];
            isa.run(Sigmoids(&mut nan));
            assert!(nan.iter().all(|y| y.is_nan()));
        }
    }

    #[test]
    fn the_fused_gradients_reach_every_parameter() {
        for (at, &(batch, entries, _, outputs, _, rescaled)) in SIZES.iter().enumerate() {
            let case = case(at);
            let device = Device::flex().autodiff();
            let matrix = |i: usize| -> Tensor<2> {
                Tensor::from_data(TensorData::new(case[i].0.clone(), case[i].1.clone()), &device)
            };
            let vector = |i: usize| -> Tensor<1> {
                let data = TensorData::new(case[i].0.clone(), case[i].1.clone());
                Tensor::<1>::from_data(data, &device).require_grad()
            };
            let (w, b, v, c) =
                (matrix(1).require_grad(), vector(2), matrix(3).require_grad(), vector(4));
            let scale = rescaled.then(|| vector(5));
            let parts = (w.clone(), b.clone(), v.clone(), c.clone(), scale.clone());
            let y =
                nade(matrix(0), parts.0, parts.1, parts.2, parts.3, parts.4, Activation::Sigmoid);
            let weights = TensorData::new(noise(9, batch * entries * outputs), y.dims());
            let grads = (y * Tensor::<2>::from_data(weights, &device)).sum().backward();
            let f32s = |data: TensorData| data.try_into_vec_as::<f32>().unwrap();
            let (_, want) = composed(at, Activation::Sigmoid);
            close(&f32s(w.grad(&grads).unwrap().into_data()), &want[0], "weight");
            close(&f32s(b.grad(&grads).unwrap().into_data()), &want[1], "bias");
            close(&f32s(v.grad(&grads).unwrap().into_data()), &want[2], "output weight");
            close(&f32s(c.grad(&grads).unwrap().into_data()), &want[3], "output bias");
            if let Some(scale) = scale {
                close(&f32s(scale.grad(&grads).unwrap().into_data()), &want[4], "scale");
            }
        }
    }

    #[test]
    fn bits_do_not_depend_on_threads_nor_on_other_rows() {
        for (at, &(batch, entries, _, outputs, _, rescaled)) in SIZES.iter().enumerate() {
            let case = case(at);
            let parameters = slices(&case, rescaled, Activation::Sigmoid);
            let grad = noise(9, batch * entries * outputs);
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let isa = Isa::best();
                    let y = forward(isa, sizes(at), parameters, &case[0].0);
                    (y, backward(isa, sizes(at), parameters, &case[0].0, &grad))
                })
            };
            assert_eq!(run(1), run(3));
            // One after another, and in another company, a row has the same bits.
            let (whole, _) = run(1);
            for first in [0, batch - 1] {
                let count = (batch - first).min(NadeRows::MOST);
                let mut rows = NadeRows::new(parameters, entries, count);
                for d in 0..entries {
                    let mut out = vec![0.0; count * outputs];
                    rows.outputs(d, &mut out);
                    for e in 0..count {
                        let at = ((first + e) * entries + d) * outputs;
                        assert_eq!(out[e * outputs..][..outputs], whole[at..][..outputs]);
                    }
                    let values: Vec<f32> =
                        (0..count).map(|e| case[0].0[(first + e) * entries + d]).collect();
                    rows.push(d, &values);
                }
            }
        }
    }

    #[test]
    fn an_output_sees_the_entries_before_it_alone() {
        for (at, &(batch, entries, levels, outputs, _, rescaled)) in SIZES.iter().enumerate() {
            let case = case(at);
            let before = forward(
                Isa::best(),
                sizes(at),
                slices(&case, rescaled, Activation::Sigmoid),
                &case[0].0,
            );
            for d in 0..entries {
                let mut x = case[0].0.clone();
                for row in x.chunks_exact_mut(entries) {
                    for x in &mut row[d..] {
                        *x = if levels == 1 { 1.0 - *x } else { (levels - 1) as f32 - *x };
                    }
                }
                let after = forward(
                    Isa::best(),
                    sizes(at),
                    slices(&case, rescaled, Activation::Sigmoid),
                    &x,
                );
                for e in 0..batch {
                    let seen = e * entries * outputs..(e * entries + d + 1) * outputs;
                    assert_eq!(before[seen.clone()], after[seen]);
                }
            }
        }
    }
}
