//! NADE forward: rows whose entries become known one after another, several sharing each reading of
//! the output weights.
//!
//! With sigmoids, entries that are 0, 1 or levels multiply e^−sum by a factor that is computed once
//! for all rows, which spares the hidden units their exponentials: 1 / (1 + e^−sum). A row whose
//! products leave [`RANGE`], or that has another value, goes on with its sums.

use rayon::prelude::*;

use super::{NadeParameters, Sizes};
use crate::{
    aligned::Aligned,
    linear::Activation,
    math,
    simd::{Isa, Kernel, Simd},
};

/// Rows that share one reading of the weights: their hidden units fit the first-level cache, and
/// their products with an output's weights the registers.
const GROUP: usize = 8;
/// Groups that a task goes through together, [`TILE`] entries at a time: the weights of these
/// entries stay in the second-level cache for all of them.
const TOGETHER: usize = 16;
const TILE: usize = 128;

/// Where products of factors keep their digits, whatever comes next.
pub(super) const RANGE: [f32; 2] = [1e-30, 1e30];

/// Parameters that are ready for [`NadeRows`].
#[derive(Debug)]
pub struct NadeWeights<'a> {
    pub(super) sizes: Sizes,
    parameters: NadeParameters<'a>,
    factors: Option<Factors>,
    isa: Isa,
}

/// e^−w of the weights and biases, in rows of [`NadeWeights::width`] values padded with 1.
#[derive(Debug)]
struct Factors {
    weight: Aligned,
    bias: Aligned,
}

impl<'a> NadeWeights<'a> {
    /// Of a model of `entries` entries.
    ///
    /// # Panics
    /// If the parameters do not fit.
    pub fn new(parameters: NadeParameters<'a>, entries: usize) -> Self {
        Self::with(Isa::best(), parameters, entries)
    }

    pub(super) fn with(isa: Isa, parameters: NadeParameters<'a>, entries: usize) -> Self {
        let hidden = parameters.bias.len();
        let levels = parameters.weight.len() / (entries * hidden);
        let outputs = parameters.output_bias.len() / entries;
        assert!(
            parameters.weight.len() == entries * levels * hidden
                && parameters.output_weight.len() == entries * outputs * hidden
                && parameters.output_bias.len() == entries * outputs
                && parameters.scale.is_none_or(|scale| scale.len() == entries),
            "NadeWeights: {entries} entries and parameters of other sizes"
        );
        super::check_order(parameters.order, entries);
        let sizes = Sizes { entries, levels, outputs, hidden };
        let width = Self::width_of(hidden);
        let factors = parameters.has_factors().then(|| {
            let mut weight = Aligned::zeros(entries * levels * width);
            weight
                .par_chunks_mut(width)
                .zip(parameters.weight.par_chunks(hidden))
                .for_each(|(to, from)| isa.run(FactorRow { from, to }));
            let mut bias = Aligned::zeros(width);
            isa.run(FactorRow { from: parameters.bias, to: &mut bias });
            Factors { weight, bias }
        });
        Self { sizes, parameters, factors, isa }
    }

    /// Hidden units up to whole vectors of any instruction set.
    fn width_of(hidden: usize) -> usize {
        hidden.next_multiple_of(16)
    }

    /// Outputs of rows `x` `[rows, D]`, written as `[rows, D·K]`.
    pub(super) fn forward(&self, x: &[f32], out: &mut [f32]) {
        let groups = (x.len() / self.sizes.entries).div_ceil(GROUP);
        let rows = groups.div_ceil(rayon::current_num_threads()).clamp(1, TOGETHER) * GROUP;
        let (ins, outs) = (rows * self.sizes.entries, rows * self.sizes.all_outputs());
        x.par_chunks(ins)
            .zip(out.par_chunks_mut(outs))
            .for_each(|(x, out)| self.isa.run(Forward { weights: self, x, out }));
    }
}

/// e^−w.
struct FactorRow<'a> {
    from: &'a [f32],
    to: &'a mut [f32],
}

impl Kernel for FactorRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { from, to } = self;
        to[..from.len()].copy_from_slice(from);
        negative_exp(s, to);
    }
}

/// e^−v of every value; there are whole vectors of them.
#[inline(always)]
pub(super) fn negative_exp<S: Simd>(s: S, values: &mut [f32]) {
    for v in values.chunks_exact_mut(S::N) {
        // SAFETY: a chunk of N values.
        unsafe {
            let negative = s.sub(s.splat(0.0), s.load(v.as_ptr()));
            s.store(v.as_mut_ptr(), math::exp(s, negative));
        }
    }
}

/// The hidden units of up to [`GROUP`] rows; the places of rows that are not there stay at their
/// first values.
///
/// The first vector of all rows comes first, then their second one, and so on; what pads the last
/// is finite, and the output weights have zeros there.
#[derive(Debug, Clone)]
struct Group {
    /// What the units are of: e^−sum where `factored`, else the sums.
    sums: Aligned,
    units: Aligned,
    factored: [bool; GROUP],
    /// While a row is factored, the weights it has taken.
    taken: [Vec<usize>; GROUP],
}

impl Group {
    #[inline(always)]
    fn start<S: Simd>(s: S, weights: &NadeWeights<'_>) -> Self {
        let width = NadeWeights::width_of(weights.sizes.hidden);
        let mut group = Self {
            sums: Aligned::zeros(GROUP * width),
            units: Aligned::zeros(GROUP * width),
            factored: [weights.factors.is_some(); GROUP],
            taken: Default::default(),
        };
        group.sums.fill(1.0);
        for e in 0..GROUP {
            let inside = match &weights.factors {
                Some(factors) => group.multiply(s, &factors.bias, e),
                None => false,
            };
            if !inside {
                group.use_sums(s, weights, 0, e);
            }
        }
        group
    }

    /// Goes on with the sums of row `e`.
    #[inline(always)]
    fn unfactored<S: Simd>(&mut self, s: S, weights: &NadeWeights<'_>, e: usize) {
        let NadeParameters { weight, bias, .. } = weights.parameters;
        let hidden = weights.sizes.hidden;
        self.sums.chunks_exact_mut(S::N).skip(e).step_by(GROUP).for_each(|sums| sums.fill(0.0));
        self.add(s, s.splat(1.0), bias, e);
        for row in std::mem::take(&mut self.taken[e]) {
            self.add(s, s.splat(1.0), &weight[row * hidden..][..hidden], e);
        }
        self.factored[e] = false;
    }

    #[inline(always)]
    fn use_sums<S: Simd>(&mut self, s: S, weights: &NadeWeights<'_>, d: usize, e: usize) {
        self.unfactored(s, weights, e);
        self.renew(s, weights, d, e);
    }

    /// sums += value · w of a row.
    #[inline(always)]
    fn add<S: Simd>(&mut self, s: S, value: S::V, w: &[f32], e: usize) {
        let sums = self.sums.chunks_exact_mut(S::N).skip(e).step_by(GROUP);
        for (w, sum) in w.chunks(S::N).zip(sums) {
            // SAFETY: `sum` has N values, and `w` as many as are read of it.
            unsafe {
                let w = if w.len() == S::N {
                    s.load(w.as_ptr())
                } else {
                    s.load_part(w.as_ptr(), w.len())
                };
                s.store(sum.as_mut_ptr(), s.fma(value, w, s.load(sum.as_ptr())));
            }
        }
    }

    /// units = act(scale · sums) of a row at place `d`.
    #[inline(always)]
    fn renew<S: Simd>(&mut self, s: S, weights: &NadeWeights<'_>, d: usize, e: usize) {
        let parameters = weights.parameters;
        let scale = s.splat(parameters.scale(d));
        let sums = self.sums.chunks_exact(S::N).skip(e).step_by(GROUP);
        let units = self.units.chunks_exact_mut(S::N).skip(e).step_by(GROUP);
        for (from, to) in sums.zip(units) {
            // SAFETY: both are chunks of N values.
            unsafe {
                let sum = s.mul(scale, s.load(from.as_ptr()));
                s.store(to.as_mut_ptr(), activate(s, parameters.activation, sum));
            }
        }
    }

    /// e^−sum ·= factor and units = 1 / (1 + e^−sum) of a row; whether all products are in
    /// [`RANGE`].
    #[inline(always)]
    fn multiply<S: Simd>(&mut self, s: S, factor: &[f32], e: usize) -> bool {
        let one = s.splat(1.0);
        let (mut least, mut sum) = (one, s.splat(0.0));
        let vectors = factor.len() / S::N;
        assert!(self.sums.len() == GROUP * vectors * S::N && self.units.len() == self.sums.len());
        let mut i = 0;
        // SAFETY: there are so many vectors of factors, and GROUP times as many of sums and units;
        // e is less than GROUP.
        unsafe {
            let mut products = self.sums.as_mut_ptr().add(e * S::N);
            let mut units = self.units.as_mut_ptr().add(e * S::N);
            while i < vectors {
                let new = s.mul(s.load(factor.as_ptr().add(i * S::N)), s.load(products));
                s.store(products, new);
                s.store(units, s.divide(one, s.add(one, new)));
                least = s.min(new, least);
                sum = s.add(sum, new);
                products = products.wrapping_add(GROUP * S::N);
                units = units.wrapping_add(GROUP * S::N);
                i += 1;
            }
        }
        in_range(s, least, sum)
    }

    /// The outputs of place `d` for each of `count` rows, `out(e, k)` taking them.
    #[inline(always)]
    fn outputs<S: Simd>(
        &self,
        s: S,
        weights: &NadeWeights<'_>,
        d: usize,
        count: usize,
        mut out: impl FnMut(usize, usize, f32),
    ) {
        let Sizes { outputs, hidden, .. } = weights.sizes;
        let parameters = weights.parameters;
        for k in 0..outputs {
            let row = parameters.entry(d) * outputs + k;
            let v = &parameters.output_weight[row * hidden..][..hidden];
            let dots = dots(s, v, &self.units);
            for (e, dot) in dots.iter().enumerate().take(count) {
                out(e, k, dot + parameters.output_bias[row]);
            }
        }
    }

    /// Takes the value of place `d` of row `e`.
    #[inline(always)]
    fn push<S: Simd>(&mut self, s: S, weights: &NadeWeights<'_>, d: usize, e: usize, x: f32) {
        let Sizes { entries, hidden, .. } = weights.sizes;
        let parameters = weights.parameters;
        let (row, value) = weights.sizes.addend(parameters.entry(d), x);
        if d + 1 == entries || value == 0.0 && parameters.scale.is_none() {
            return;
        }
        if let (true, Some(factors)) = (self.factored[e], &weights.factors) {
            if value == 1.0 {
                self.taken[e].push(row);
                let width = NadeWeights::width_of(hidden);
                if !self.multiply(s, &factors.weight[row * width..][..width], e) {
                    self.use_sums(s, weights, d + 1, e);
                }
                return;
            }
            self.unfactored(s, weights, e);
        }
        let w = &parameters.weight[row * hidden..][..hidden];
        self.add(s, s.splat(value), w, e);
        self.renew(s, weights, d + 1, e);
    }
}

/// Whether values with this minimum and sum, lane by lane, are in [`RANGE`]; a NaN is in the sum.
#[inline(always)]
pub(super) fn in_range<S: Simd>(s: S, least: S::V, sum: S::V) -> bool {
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    let low = s.select(s.lt(s.splat(RANGE[0]), least), zero, one);
    let high = s.select(s.lt(sum, s.splat(RANGE[1])), zero, one);
    s.nonzero(s.add(low, high)) == 0
}

/// The activation of hidden units.
#[inline(always)]
pub(super) fn activate<S: Simd>(s: S, activation: Activation, x: S::V) -> S::V {
    match activation {
        Activation::Sigmoid => math::unit_sigmoid(s, x),
        other => math::activate(s, other, x),
    }
}

/// `v` with the units of each of [`GROUP`] rows.
#[inline(always)]
fn dots<S: Simd>(s: S, v: &[f32], units: &[f32]) -> [f32; GROUP] {
    assert!(units.len() >= v.len().next_multiple_of(S::N) * GROUP);
    let mut sums = [s.splat(0.0); GROUP];
    let whole = v.len() - v.len() % S::N;
    let mut i = 0;
    // SAFETY: `v` has `whole` values and a part of a vector after them, and there are as many
    // vectors of units for each row.
    unsafe {
        let mut units = units.as_ptr();
        while i < whole {
            let v = s.load(v.as_ptr().add(i));
            for (e, sum) in sums.iter_mut().enumerate() {
                *sum = s.fma(v, s.load(units.add(e * S::N)), *sum);
            }
            units = units.add(GROUP * S::N);
            i += S::N;
        }
        if i < v.len() {
            let v = s.load_part(v.as_ptr().add(i), v.len() - i);
            for (e, sum) in sums.iter_mut().enumerate() {
                *sum = s.fma(v, s.load(units.add(e * S::N)), *sum);
            }
        }
    }
    s.totals(sums)
}

/// Outputs of some groups of rows.
struct Forward<'a> {
    weights: &'a NadeWeights<'a>,
    /// Of these rows.
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { weights, x, out } = self;
        let Sizes { entries, outputs, .. } = weights.sizes;
        let first = Group::start(s, weights);
        let mut groups = vec![first; (x.len() / entries).div_ceil(GROUP)];
        for tile in (0..entries).step_by(TILE) {
            let rows = x.chunks(GROUP * entries).zip(out.chunks_mut(GROUP * entries * outputs));
            for (group, (x, out)) in groups.iter_mut().zip(rows) {
                let count = x.len() / entries;
                for d in tile..(tile + TILE).min(entries) {
                    let entry = weights.parameters.entry(d);
                    group.outputs(s, weights, d, count, |e, k, value| {
                        out[(e * entries + entry) * outputs + k] = value;
                    });
                    for e in 0..count {
                        group.push(s, weights, d, e, x[e * entries + entry]);
                    }
                }
            }
        }
    }
}

/// Rows of a NADE whose entries become known one after another: what drawing needs.
///
/// Each row's outputs have the bits that [`nade`](super::nade) gives it, whatever other rows there
/// are.
#[derive(Debug, Clone)]
pub struct NadeRows<'a> {
    weights: &'a NadeWeights<'a>,
    group: Group,
    rows: usize,
}

struct Start<'a>(&'a NadeWeights<'a>);

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
        let outputs = rows.weights.sizes.outputs;
        rows.group.outputs(s, rows.weights, d, rows.rows, |e, k, value| {
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
            rows.group.push(s, rows.weights, d, e, x);
        }
    }
}

impl<'a> NadeRows<'a> {
    /// The largest number of rows.
    pub const MOST: usize = GROUP;

    /// `rows` rows, nothing of them known.
    ///
    /// # Panics
    /// If `rows` is more than [`NadeRows::MOST`].
    pub fn new(weights: &'a NadeWeights<'a>, rows: usize) -> Self {
        assert!(rows <= GROUP, "NadeRows: {rows} rows");
        Self { weights, group: weights.isa.run(Start(weights)), rows }
    }

    /// The outputs `[rows, K]` of the entry at place `d` of the order, once those before it are
    /// known.
    pub fn outputs(&self, d: usize, out: &mut [f32]) {
        let size = self.rows * self.weights.sizes.outputs;
        assert_eq!(out.len(), size, "NadeRows: outputs of all rows");
        self.weights.isa.run(RowOutputs { rows: self, d, out });
    }

    /// Makes the entry at place `d` known, with a value for each row.
    pub fn push(&mut self, d: usize, values: &[f32]) {
        assert_eq!(values.len(), self.rows, "NadeRows: a value for each row");
        self.weights.isa.run(RowPush { rows: self, d, values });
    }
}
