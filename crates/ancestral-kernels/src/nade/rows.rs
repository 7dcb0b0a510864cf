//! The forward pass of NADE: rows whose entries become known one after another, several of which share
//! each read of the output weights.
//!
//! With sigmoids, entries that are 0, 1 or levels multiply e^−sum by a factor that is computed once
//! for all rows, so that the hidden units 1 / (1 + e^−sum) need no exponentials. A row whose products
//! leave [`RANGE`], or that has another value, continues with its sums.

use std::ops::Range;

use rayon::prelude::*;

use super::parameters::{NadeParameters, Sizes, check_order};
use crate::{
    activation::Activation,
    aligned::Aligned,
    math,
    simd::{Isa, Kernel, Simd},
};

/// Rows whose units are multiplied with two outputs' weights at one time: each value that is read
/// serves two products or four, and the sums fit the registers, the hidden units half of the
/// first-level cache.
const GROUP: usize = 4;
/// Groups that a task processes together, as many entries at a time as have [`TILE`] outputs:
/// the weights of these entries stay in the second-level cache for all of them.
const TOGETHER: usize = 32;
const TILE: usize = 128;
/// The number of rows from which it pays to copy the output weights into padded rows.
const MANY: usize = 64;

/// The range within which products of factors keep full precision after any further entry.
pub(super) const RANGE: [f32; 2] = [1e-30, 1e30];

/// Parameters that are ready for [`NadeRows`].
#[derive(Debug)]
pub struct NadeWeights<'a> {
    pub(super) sizes: Sizes,
    parameters: NadeParameters<'a>,
    factors: Option<Factors>,
    isa: Isa,
}

/// e^−w of the weights and biases, in rows of [`NadeWeights::width_of`] values padded with 1.
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
        check_order(parameters.order, entries);
        let sizes = Sizes { entries, levels, outputs, hidden };
        let width = Self::width_of(hidden);
        let factors = parameters.has_factors().then(|| {
            let rows = |values: &[f32]| {
                let rows = values.len() / hidden;
                // SAFETY: the kernel writes `width` values and reads none of them.
                unsafe {
                    Aligned::filled_rows(rows, width, |row, to| {
                        let from = &values[row * hidden..][..hidden];
                        isa.run(FactorRow { from, to, width });
                    })
                }
            };
            Factors { weight: rows(parameters.weight), bias: rows(parameters.bias) }
        });
        Self { sizes, parameters, factors, isa }
    }

    /// Hidden units up to whole vectors of any instruction set.
    fn width_of(hidden: usize) -> usize {
        hidden.next_multiple_of(16)
    }

    /// Whether an entry has one output and often does not change the units: outputs are then computed
    /// for two positions at a time.
    fn in_pairs(&self) -> bool {
        self.sizes.outputs == 1 && self.factors.is_some()
    }

    /// The output weights, unpadded.
    #[inline(always)]
    fn outputs(&self) -> Rows<'_> {
        Rows { values: self.parameters.output_weight, width: self.sizes.hidden }
    }

    /// The output weights in rows padded with 0, so that no vector of them straddles cache lines.
    fn padded_outputs(&self) -> Aligned {
        let (outputs, width) = (self.outputs(), Self::width_of(self.sizes.hidden));
        // SAFETY: a row and its padding are all `width` values, and none is read.
        unsafe {
            Aligned::filled_rows(self.sizes.all_outputs(), width, |row, to| {
                let from = outputs.row(row);
                std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len());
                to.add(from.len()).write_bytes(0, width - from.len());
            })
        }
    }

    /// Outputs of rows `x` `[rows, D]`, written as `[rows, D·K]`.
    pub(super) fn forward(&self, x: &[f32], out: &mut [f32]) {
        let all = x.len() / self.sizes.entries;
        let groups = all.div_ceil(GROUP);
        let rows = groups.div_ceil(rayon::current_num_threads()).clamp(1, TOGETHER) * GROUP;
        let (ins, outs) = (rows * self.sizes.entries, rows * self.sizes.all_outputs());
        let padded = (self.in_pairs() && all >= MANY).then(|| self.padded_outputs());
        let outputs = match &padded {
            Some(values) => Rows { values, width: Self::width_of(self.sizes.hidden) },
            None => self.outputs(),
        };
        x.par_chunks(ins)
            .zip(out.par_chunks_mut(outs))
            .for_each(|(x, out)| self.isa.run(Forward { weights: self, outputs, x, out }));
    }
}

/// Rows of `width` values.
#[derive(Debug, Clone, Copy)]
struct Rows<'a> {
    values: &'a [f32],
    width: usize,
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn row(self, row: usize) -> &'a [f32] {
        &self.values[row * self.width..][..self.width]
    }
}

/// The known entries of a row, by the entries' numbers: values `stride` apart.
#[derive(Debug, Clone, Copy)]
struct Known<'a> {
    values: &'a [f32],
    stride: usize,
}

impl Known<'_> {
    #[inline(always)]
    fn of(self, entry: usize) -> f32 {
        self.values[entry * self.stride]
    }
}

/// e^−w of a row, padded with 1 to `width` values, whole vectors.
struct FactorRow<'a> {
    from: &'a [f32],
    to: *mut f32,
    width: usize,
}

impl Kernel for FactorRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { from, to, width } = self;
        for i in (0..width).step_by(S::N) {
            // SAFETY: no value is read that `from` lacks, and `to` has whole vectors.
            unsafe {
                let w = match from.len().saturating_sub(i) {
                    0 => s.splat(0.0),
                    left if left < S::N => s.load_part(from.as_ptr().add(i), left),
                    _ => s.load(from.as_ptr().add(i)),
                };
                s.store(to.add(i), math::exp(s, s.sub(s.splat(0.0), w)));
            }
        }
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

/// The hidden units of up to [`GROUP`] rows; unused rows keep their initial values.
///
/// The padding of a row to whole vectors is finite, and the output weights have zeros there.
#[derive(Debug, Clone)]
struct Group {
    /// The state of the units, row after row: e^−sum if `factored`, else the sums.
    sums: Aligned,
    /// The first vector of all rows, then their second one, and so on.
    units: Aligned,
    factored: [bool; GROUP],
}

impl Group {
    #[inline(always)]
    fn start<S: Simd>(s: S, weights: &NadeWeights<'_>) -> Self {
        let width = NadeWeights::width_of(weights.sizes.hidden);
        let mut group = Self {
            sums: Aligned::zeros(GROUP * width),
            units: Aligned::zeros(GROUP * width),
            factored: [weights.factors.is_some(); GROUP],
        };
        group.sums.fill(1.0);
        for e in 0..GROUP {
            let inside = match &weights.factors {
                Some(factors) => group.multiply(s, &factors.bias, e, &[]).is_some(),
                None => false,
            };
            if !inside {
                group.leave(weights, 0, e, Known { values: &[], stride: 1 });
            }
        }
        group
    }

    /// Switches row `e`, of which the first `d` positions are known, to sums.
    #[cold]
    #[inline(never)]
    fn leave(&mut self, weights: &NadeWeights<'_>, d: usize, e: usize, known: Known<'_>) {
        self.factored[e] = false;
        weights.isa.run(Sums { group: self, weights, d, e, known });
    }

    /// sums += value · w of a row.
    #[inline(always)]
    fn add<S: Simd>(&mut self, s: S, value: S::V, w: &[f32], e: usize) {
        let width = self.sums.len() / GROUP;
        let sums = self.sums[e * width..][..width].chunks_exact_mut(S::N);
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

    /// units = act(scale · sums) of a row at position `d`.
    #[inline(always)]
    fn renew<S: Simd>(&mut self, s: S, weights: &NadeWeights<'_>, d: usize, e: usize) {
        let parameters = weights.parameters;
        let scale = s.splat(parameters.scale(d));
        let width = self.sums.len() / GROUP;
        let sums = self.sums[e * width..][..width].chunks_exact(S::N);
        let units = self.units.chunks_exact_mut(S::N).skip(e).step_by(GROUP);
        for (from, to) in sums.zip(units) {
            // SAFETY: both are chunks of N values.
            unsafe {
                let sum = s.mul(scale, s.load(from.as_ptr()));
                s.store(to.as_mut_ptr(), activate(s, parameters.activation, sum));
            }
        }
    }

    /// e^−sum ·= factor and units = 1 / (1 + e^−sum) of a row; the products of the new units with
    /// `v`, lane by lane, if all of e^−sum is in [`RANGE`].
    #[inline(always)]
    fn multiply<S: Simd>(&mut self, s: S, factor: &[f32], e: usize, v: &[f32]) -> Option<S::V> {
        let one = s.splat(1.0);
        let (mut least, mut sum, mut products) = (one, s.splat(0.0), s.splat(0.0));
        let width = factor.len();
        let whole = v.len() - v.len() % S::N;
        assert!(
            e < GROUP
                && width.is_multiple_of(S::N)
                && v.len() <= width
                && self.sums.len() == GROUP * width
                && self.units.len() == GROUP * width
        );
        let mut i = 0;
        // SAFETY: a row of sums and its units have as many values as `factor`, in whole vectors, and
        // `v` has no more than these.
        unsafe {
            let sums = self.sums.as_mut_ptr().add(e * width);
            let units = self.units.as_mut_ptr().add(e * S::N);
            while i < whole {
                let at = [sums.add(i), units.add(i * GROUP)];
                let unit = step(s, factor.as_ptr().add(i), at, &mut least, &mut sum);
                products = s.fma(s.load(v.as_ptr().add(i)), unit, products);
                i += S::N;
            }
            if i < v.len() {
                let at = [sums.add(i), units.add(i * GROUP)];
                let unit = step(s, factor.as_ptr().add(i), at, &mut least, &mut sum);
                products = s.fma(s.load_part(v.as_ptr().add(i), v.len() - i), unit, products);
                i += S::N;
            }
            while i < width {
                let at = [sums.add(i), units.add(i * GROUP)];
                step(s, factor.as_ptr().add(i), at, &mut least, &mut sum);
                i += S::N;
            }
        }
        in_range(s, least, sum).then_some(products)
    }

    /// The products of the units of row `e` with `v`, lane by lane.
    #[inline(always)]
    fn products<S: Simd>(&self, s: S, v: &[f32], e: usize) -> S::V {
        let mut sum = s.splat(0.0);
        let units = self.units.chunks_exact(S::N).skip(e).step_by(GROUP);
        for (v, units) in v.chunks(S::N).zip(units) {
            // SAFETY: `units` has N values, and `v` as many as are read of it.
            unsafe {
                let v = if v.len() == S::N {
                    s.load(v.as_ptr())
                } else {
                    s.load_part(v.as_ptr(), v.len())
                };
                sum = s.fma(v, s.load(units.as_ptr()), sum);
            }
        }
        sum
    }

    /// The outputs at position `d` for each of `count` rows, passed to `out(e, k)`.
    #[inline(always)]
    fn outputs<S: Simd>(
        &self,
        s: S,
        weights: &NadeWeights<'_>,
        d: usize,
        count: usize,
        mut out: impl FnMut(usize, usize, f32),
    ) {
        let outputs = weights.sizes.outputs;
        let parameters = weights.parameters;
        let first = parameters.entry(d) * outputs;
        let v = weights.outputs();
        let mut k = 0;
        while k < outputs {
            let (a, b) = (first + k, first + (k + 1).min(outputs - 1));
            let both = totals(s, dots(s, [v.row(a), v.row(b)], &self.units));
            for (e, &total) in both[0].iter().enumerate().take(count) {
                out(e, k, total + parameters.output_bias[a]);
            }
            if k + 1 < outputs {
                for (e, &total) in both[1].iter().enumerate().take(count) {
                    out(e, k + 1, total + parameters.output_bias[b]);
                }
            }
            k += 2;
        }
    }

    /// Sets the value at position `d` of row `e`, which is `known` so far; if that changes the units,
    /// returns their products with `v`, lane by lane.
    #[inline(always)]
    fn push<S: Simd>(
        &mut self,
        s: S,
        weights: &NadeWeights<'_>,
        d: usize,
        e: usize,
        known: Known<'_>,
        v: &[f32],
    ) -> Option<S::V> {
        let Sizes { entries, hidden, .. } = weights.sizes;
        let parameters = weights.parameters;
        let entry = parameters.entry(d);
        let (row, value) = weights.sizes.addend(entry, known.of(entry));
        if d + 1 == entries || value == 0.0 && parameters.scale.is_none() {
            return None;
        }
        match (self.factored[e], &weights.factors) {
            (true, Some(factors)) => {
                if value == 1.0 {
                    let width = NadeWeights::width_of(hidden);
                    let factor = &factors.weight[row * width..][..width];
                    if let Some(products) = self.multiply(s, factor, e, v) {
                        return Some(products);
                    }
                }
                self.leave(weights, d + 1, e, known);
            }
            _ => {
                self.add(s, s.splat(value), &parameters.weight[row * hidden..][..hidden], e);
                self.renew(s, weights, d + 1, e);
            }
        }
        Some(self.products(s, v, e))
    }
}

/// The sums of a row of a group from its first `d` positions, and the units.
struct Sums<'a, 'b> {
    group: &'a mut Group,
    weights: &'a NadeWeights<'b>,
    d: usize,
    e: usize,
    known: Known<'a>,
}

impl Kernel for Sums<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { group, weights, d, e, known } = self;
        let NadeParameters { weight, bias, .. } = weights.parameters;
        let hidden = weights.sizes.hidden;
        let width = group.sums.len() / GROUP;
        group.sums[e * width..][..width].fill(0.0);
        group.add(s, s.splat(1.0), bias, e);
        for place in 0..d {
            let entry = weights.parameters.entry(place);
            let (row, value) = weights.sizes.addend(entry, known.of(entry));
            if value != 0.0 {
                group.add(s, s.splat(value), &weight[row * hidden..][..hidden], e);
            }
        }
        group.renew(s, weights, d, e);
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

/// One vector of [`Group::multiply`], which writes e^−sum and the units, and the units.
///
/// # Safety
/// A vector must lie at all of the pointers.
#[inline(always)]
unsafe fn step<S: Simd>(
    s: S,
    factor: *const f32,
    [sums, units]: [*mut f32; 2],
    least: &mut S::V,
    sum: &mut S::V,
) -> S::V {
    // SAFETY: the caller's.
    unsafe {
        let one = s.splat(1.0);
        let new = s.mul(s.load(factor), s.load(sums));
        s.store(sums, new);
        let unit = s.divide(one, s.add(one, new));
        s.store(units, unit);
        *least = s.min(new, *least);
        *sum = s.add(*sum, new);
        unit
    }
}

/// The products of the weights of two outputs with the units of each of [`GROUP`] rows, lane by lane.
#[inline(always)]
fn dots<S: Simd>(s: S, v: [&[f32]; 2], units: &[f32]) -> [[S::V; GROUP]; 2] {
    let len = v[0].len();
    assert!(v[1].len() == len && units.len() >= len.next_multiple_of(S::N) * GROUP);
    let zero = s.splat(0.0);
    // One by one, since the compiler leaves arrays of them in memory.
    let (mut a0, mut a1, mut a2, mut a3) = (zero, zero, zero, zero);
    let (mut b0, mut b1, mut b2, mut b3) = (zero, zero, zero, zero);
    let mut h = units.as_ptr();
    macro_rules! add {
        ($a:expr, $b:expr) => {
            let (a, b) = ($a, $b);
            let (h0, h1) = (s.load(h), s.load(h.add(S::N)));
            let (h2, h3) = (s.load(h.add(2 * S::N)), s.load(h.add(3 * S::N)));
            (a0, b0) = (s.fma(a, h0, a0), s.fma(b, h0, b0));
            (a1, b1) = (s.fma(a, h1, a1), s.fma(b, h1, b1));
            (a2, b2) = (s.fma(a, h2, a2), s.fma(b, h2, b2));
            (a3, b3) = (s.fma(a, h3, a3), s.fma(b, h3, b3));
        };
    }
    let whole = len - len % S::N;
    let (first, second) = (v[0].as_ptr(), v[1].as_ptr());
    let mut i = 0;
    // SAFETY: both of `v` have `whole` values and a part of a vector after them, and there are as
    // many vectors of units for each row.
    unsafe {
        while i < whole {
            add!(s.load(first.add(i)), s.load(second.add(i)));
            h = h.add(GROUP * S::N);
            i += S::N;
        }
        if i < len {
            add!(s.load_part(first.add(i), len - i), s.load_part(second.add(i), len - i));
        }
    }
    [[a0, a1, a2, a3], [b0, b1, b2, b3]]
}

/// The sum of the lanes of each vector.
#[inline(always)]
fn totals<S: Simd>(s: S, v: [[S::V; GROUP]; 2]) -> [[f32; GROUP]; 2] {
    let [[a, b, c, d], [e, f, g, h]] = v;
    let [a, b, c, d, e, f, g, h] = s.totals([a, b, c, d, e, f, g, h]);
    [[a, b, c, d], [e, f, g, h]]
}

/// The sum of the lanes of one vector, with the same bits as among others.
#[inline(always)]
fn total<S: Simd>(s: S, v: S::V) -> f32 {
    s.totals([v; 8])[0]
}

/// Outputs of some groups of rows.
struct Forward<'a> {
    weights: &'a NadeWeights<'a>,
    outputs: Rows<'a>,
    /// Of these rows.
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { weights, outputs, x, out } = self;
        let Sizes { entries, outputs: each, .. } = weights.sizes;
        let first = Group::start(s, weights);
        let mut groups = vec![first; (x.len() / entries).div_ceil(GROUP)];
        let tile = (TILE / each).max(1);
        for start in (0..entries).step_by(tile) {
            let places = start..(start + tile).min(entries);
            let rows = x.chunks(GROUP * entries).zip(out.chunks_mut(GROUP * entries * each));
            for (group, (x, out)) in groups.iter_mut().zip(rows) {
                if weights.in_pairs() {
                    group.pairs(s, weights, outputs, places.clone(), x, out);
                } else {
                    group.places(s, weights, places.clone(), x, out);
                }
            }
        }
    }
}

impl Group {
    /// Processes some positions of rows `x`.
    #[inline(always)]
    fn places<S: Simd>(
        &mut self,
        s: S,
        weights: &NadeWeights<'_>,
        places: Range<usize>,
        x: &[f32],
        out: &mut [f32],
    ) {
        let Sizes { entries, outputs, .. } = weights.sizes;
        let count = x.len() / entries;
        for d in places {
            let entry = weights.parameters.entry(d);
            self.outputs(s, weights, d, count, |e, k, value| {
                out[(e * entries + entry) * outputs + k] = value;
            });
            for (e, x) in x.chunks_exact(entries).enumerate() {
                self.push(s, weights, d, e, Known { values: x, stride: 1 }, &[]);
            }
        }
    }

    /// The same with the outputs of two positions at a time: if the first of them changes a row's
    /// units, the second output is recomputed.
    #[inline(always)]
    fn pairs<S: Simd>(
        &mut self,
        s: S,
        weights: &NadeWeights<'_>,
        outputs: Rows<'_>,
        places: Range<usize>,
        x: &[f32],
        out: &mut [f32],
    ) {
        let entries = weights.sizes.entries;
        let bias = weights.parameters.output_bias;
        let mut changed = [[0; TILE / 64]; GROUP];
        for (changed, x) in changed.iter_mut().zip(x.chunks_exact(entries)) {
            *changed = changes(s, weights, places.clone(), x);
        }
        for (i, d) in places.clone().enumerate().step_by(2) {
            // Two bits for each row.
            let mut changes = 0;
            for (e, changed) in changed.iter().enumerate() {
                changes |= (changed[i / 64] >> (i % 64) & 3) << (2 * e);
            }
            let next = (d + 1).min(places.end - 1);
            let at = [d, next].map(|d| weights.parameters.entry(d));
            let v = at.map(|entry| outputs.row(entry));
            let [first, mut second] = totals(s, dots(s, v, &self.units));
            for (out, total) in out.chunks_exact_mut(entries).zip(first) {
                out[at[0]] = total + bias[at[0]];
            }
            while changes != 0 {
                let bit = changes.trailing_zeros() as usize;
                changes &= changes - 1;
                let e = bit / 2;
                let known = Known { values: &x[e * entries..][..entries], stride: 1 };
                if bit == 2 * e + 1 {
                    self.push(s, weights, next, e, known, &[]);
                } else if let Some(products) = self.push(s, weights, d, e, known, v[1]) {
                    second[e] = total(s, products);
                }
            }
            if next > d {
                for (out, total) in out.chunks_exact_mut(entries).zip(second) {
                    out[at[1]] = total + bias[at[1]];
                }
            }
        }
    }
}

/// A bit for each of up to [`TILE`] positions of a row: whether its value changes the sums.
#[inline(always)]
fn changes<S: Simd>(
    s: S,
    weights: &NadeWeights<'_>,
    places: Range<usize>,
    x: &[f32],
) -> [u64; TILE / 64] {
    let mut all = [0; TILE / 64];
    if weights.sizes.levels == 1 && weights.parameters.order.is_none() {
        for (bits, x) in all.iter_mut().zip(x[places].chunks(64)) {
            *bits = nonzero(s, x);
        }
    } else {
        for (i, d) in places.enumerate() {
            let entry = weights.parameters.entry(d);
            let (_, value) = weights.sizes.addend(entry, x[entry]);
            all[i / 64] |= u64::from(value != 0.0) << (i % 64);
        }
    }
    all
}

/// A bit for each of up to 64 values, the first lowest: whether it is not zero.
#[inline(always)]
fn nonzero<S: Simd>(s: S, x: &[f32]) -> u64 {
    let mut bits = 0;
    for (i, x) in x.chunks(S::N).enumerate() {
        // SAFETY: `x` has as many values as are read of it.
        let x = unsafe {
            if x.len() == S::N { s.load(x.as_ptr()) } else { s.load_part(x.as_ptr(), x.len()) }
        };
        bits |= u64::from(s.nonzero(x)) << (i * S::N);
    }
    bits
}

/// Rows of a NADE whose entries become known one after another, for sampling.
///
/// Outputs are batch-invariant: each row has the same bits as in [`nade`](super::nade).
#[derive(Debug, Clone)]
pub struct NadeRows<'a> {
    weights: &'a NadeWeights<'a>,
    groups: Vec<Group>,
    rows: usize,
    /// The known entries `[D, rows]`, by the entries' numbers.
    known: Vec<f32>,
    /// The second position of a pair, with its totals for each group.
    ahead: Option<usize>,
    totals: Vec<[f32; GROUP]>,
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
    rows: &'b mut NadeRows<'a>,
    d: usize,
    out: &'b mut [f32],
}

impl Kernel for RowOutputs<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { rows, d, out } = self;
        let weights = rows.weights;
        let Sizes { entries, outputs, .. } = weights.sizes;
        let out = out.chunks_mut(GROUP * outputs);
        if !weights.in_pairs() {
            for (group, out) in rows.groups.iter().zip(out) {
                let count = out.len() / outputs;
                group.outputs(s, weights, d, count, |e, k, value| out[e * outputs + k] = value);
            }
            return;
        }
        let at = [d, (d + 1).min(entries - 1)].map(|d| weights.parameters.entry(d));
        let v = at.map(|entry| weights.outputs().row(entry));
        let bias = weights.parameters.output_bias[at[0]];
        let there = rows.ahead == Some(d);
        for ((group, ahead), out) in rows.groups.iter().zip(&mut rows.totals).zip(out) {
            let mut own = *ahead;
            if !there {
                [own, *ahead] = totals(s, dots(s, v, &group.units));
            }
            out.iter_mut().zip(own).for_each(|(out, total)| *out = total + bias);
        }
        rows.ahead = if there { None } else { Some(d + 1) };
    }
}

struct RowPush<'a, 'b> {
    rows: &'b mut NadeRows<'a>,
    d: usize,
}

impl Kernel for RowPush<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { rows, d } = self;
        let weights = rows.weights;
        let (entry, entries) = (weights.parameters.entry(d), weights.sizes.entries);
        let ahead = rows.ahead == Some(d + 1) && d + 1 < entries;
        let v = if ahead { weights.outputs().row(weights.parameters.entry(d + 1)) } else { &[] };
        let mut changes = if weights.sizes.levels == 1 && weights.parameters.scale.is_none() {
            nonzero(s, &rows.known[entry * rows.rows..][..rows.rows])
        } else {
            (1 << rows.rows) - 1
        };
        while changes != 0 {
            let row = changes.trailing_zeros() as usize;
            changes &= changes - 1;
            let (group, e) = (row / GROUP, row % GROUP);
            let known = Known { values: &rows.known[row..], stride: rows.rows };
            let products = rows.groups[group].push(s, weights, d, e, known, v);
            if let (Some(products), true) = (products, ahead) {
                rows.totals[group][e] = total(s, products);
            }
        }
        if !ahead {
            rows.ahead = None;
        }
    }
}

impl<'a> NadeRows<'a> {
    /// The largest number of rows: these share one read of the weights, and their units fit in the
    /// second-level cache.
    pub const MOST: usize = 32;

    /// The number of rows to process together, of `count`, so that every thread has some.
    pub fn at_once(count: usize) -> usize {
        let share = count.div_ceil(rayon::current_num_threads());
        share.next_multiple_of(GROUP).clamp(GROUP, Self::MOST)
    }

    /// `rows` rows without known entries.
    ///
    /// # Panics
    /// If `rows` is more than [`NadeRows::MOST`].
    pub fn new(weights: &'a NadeWeights<'a>, rows: usize) -> Self {
        assert!(rows <= Self::MOST, "NadeRows: {rows} rows");
        let groups = rows.div_ceil(GROUP);
        Self {
            weights,
            groups: vec![weights.isa.run(Start(weights)); groups],
            rows,
            known: vec![0.0; rows * weights.sizes.entries],
            ahead: None,
            totals: vec![[0.0; GROUP]; groups],
        }
    }

    /// The outputs `[rows, K]` for the entry at position `d` of the ordering, once those before it are
    /// known.
    ///
    /// # Panics
    /// If `out` has another size.
    pub fn outputs(&mut self, d: usize, out: &mut [f32]) {
        let size = self.rows * self.weights.sizes.outputs;
        assert_eq!(out.len(), size, "NadeRows: outputs of all rows");
        self.weights.isa.run(RowOutputs { rows: self, d, out });
    }

    /// Sets the entry at position `d`, with a value for each row.
    ///
    /// # Panics
    /// If there are more values, or fewer.
    pub fn push(&mut self, d: usize, values: &[f32]) {
        assert_eq!(values.len(), self.rows, "NadeRows: a value for each row");
        let entry = self.weights.parameters.entry(d);
        self.known[entry * self.rows..][..self.rows].copy_from_slice(values);
        self.weights.isa.run(RowPush { rows: self, d });
    }
}
