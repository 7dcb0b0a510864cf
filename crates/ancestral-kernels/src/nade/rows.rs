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

/// Rows whose units are multiplied with two outputs' weights at one time: each value that is read
/// serves two products or four, and the sums fit the registers, the hidden units half of the
/// first-level cache.
const GROUP: usize = 4;
/// Groups that a task goes through together, as many entries at a time as have [`TILE`] outputs:
/// the weights of these entries stay in the second-level cache for all of them.
const TOGETHER: usize = 32;
const TILE: usize = 128;

/// Where products of factors keep their digits, whatever comes next.
pub(super) const RANGE: [f32; 2] = [1e-30, 1e30];

/// Parameters that are ready for [`NadeRows`].
#[derive(Debug)]
pub struct NadeWeights<'a> {
    pub(super) sizes: Sizes,
    parameters: NadeParameters<'a>,
    factors: Option<Factors>,
    /// Where places come in pairs: the output weights in rows padded with 0, so that no vector of
    /// them straddles cache lines.
    output_weight: Option<Aligned>,
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
        // Where a place has one output and often leaves the units as they are, products are made
        // for two places at a time.
        let output_weight = (outputs == 1 && factors.is_some()).then(|| {
            let mut padded = Aligned::zeros(entries * width);
            padded
                .par_chunks_mut(width)
                .zip(parameters.output_weight.par_chunks(hidden))
                .for_each(|(to, from)| to[..hidden].copy_from_slice(from));
            padded
        });
        Self { sizes, parameters, factors, output_weight, isa }
    }

    /// Hidden units up to whole vectors of any instruction set.
    fn width_of(hidden: usize) -> usize {
        hidden.next_multiple_of(16)
    }

    /// The weights of an output.
    #[inline(always)]
    fn output(&self, row: usize) -> &[f32] {
        let hidden = self.sizes.hidden;
        match &self.output_weight {
            Some(padded) => {
                let width = Self::width_of(hidden);
                &padded[row * width..][..width]
            }
            None => &self.parameters.output_weight[row * hidden..][..hidden],
        }
    }

    /// Whether products are made for two places at a time.
    fn in_pairs(&self) -> bool {
        self.output_weight.is_some()
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
/// What pads a row to whole vectors is finite, and the output weights have zeros there.
#[derive(Debug, Clone)]
struct Group {
    /// What the units are of, row after row: e^−sum where `factored`, else the sums.
    sums: Aligned,
    /// The first vector of all rows, then their second one, and so on.
    units: Aligned,
    factored: [bool; GROUP],
    /// Where places come in pairs: the products of the units with the output weights of both, lane
    /// by lane, a row of [`LANES`] for each. They wait here, not in registers, which a call between
    /// would take from them.
    products: Aligned,
}

/// Room for a vector of any instruction set.
const LANES: usize = 16;

impl Group {
    #[inline(always)]
    fn start<S: Simd>(s: S, weights: &NadeWeights<'_>) -> Self {
        let width = NadeWeights::width_of(weights.sizes.hidden);
        let mut group = Self {
            sums: Aligned::zeros(GROUP * width),
            units: Aligned::zeros(GROUP * width),
            factored: [weights.factors.is_some(); GROUP],
            products: Aligned::zeros(2 * GROUP * LANES),
        };
        group.sums.fill(1.0);
        for e in 0..GROUP {
            let inside = match &weights.factors {
                Some(factors) => group.multiply(s, &factors.bias, e, &[]).is_some(),
                None => false,
            };
            if !inside {
                group.leave(weights, 0, e, &[]);
            }
        }
        group
    }

    /// Goes on with the sums of row `e`, of which the first `d` places are known.
    #[cold]
    #[inline(never)]
    fn leave(&mut self, weights: &NadeWeights<'_>, d: usize, e: usize, known: &[f32]) {
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

    /// units = act(scale · sums) of a row at place `d`.
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
    /// `v`, which is padded or empty, lane by lane, if all of e^−sum is in [`RANGE`].
    #[inline(always)]
    fn multiply<S: Simd>(&mut self, s: S, factor: &[f32], e: usize, v: &[f32]) -> Option<S::V> {
        let one = s.splat(1.0);
        let (mut least, mut sum, mut products) = (one, s.splat(0.0), s.splat(0.0));
        let width = factor.len();
        let fused = v.len();
        assert!(
            e < GROUP
                && width.is_multiple_of(S::N)
                && (fused == 0 || fused == width)
                && self.sums.len() == GROUP * width
                && self.units.len() == GROUP * width
        );
        let mut i = 0;
        // SAFETY: a row of sums and its units have as many values as `factor`, in whole vectors, and
        // so has `v` if it has any.
        unsafe {
            let sums = self.sums.as_mut_ptr().add(e * width);
            let units = self.units.as_mut_ptr().add(e * S::N);
            while i < fused {
                let at = [sums.add(i), units.add(i * GROUP)];
                let unit = step(s, factor.as_ptr().add(i), at, &mut least, &mut sum);
                products = s.fma(s.load(v.as_ptr().add(i)), unit, products);
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

    /// Makes the products of two places.
    #[inline(always)]
    fn multiply_pair<S: Simd>(&mut self, s: S, v: [&[f32]; 2]) {
        let sums = dots(s, v, &self.units);
        let mut at = 0;
        while at < 2 * GROUP {
            self.set_products(s, at, sums[at / GROUP][at % GROUP]);
            at += 1;
        }
    }

    #[inline(always)]
    fn set_products<S: Simd>(&mut self, s: S, at: usize, products: S::V) {
        let to = &mut self.products[..2 * GROUP * LANES][at * LANES..][..LANES];
        // SAFETY: there is room for LANES values, and a vector has no more.
        unsafe { s.store(to.as_mut_ptr(), products) };
    }

    /// The sums of the products of two places.
    #[inline(always)]
    fn pair_totals<S: Simd>(&self, s: S) -> [[f32; GROUP]; 2] {
        let mut sums = [[s.splat(0.0); GROUP]; 2];
        let mut at = 0;
        while at < 2 * GROUP {
            let from = &self.products[at * LANES..][..LANES];
            // SAFETY: there are LANES values, and a vector has no more.
            sums[at / GROUP][at % GROUP] = unsafe { s.load(from.as_ptr()) };
            at += 1;
        }
        totals(s, sums)
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
        let outputs = weights.sizes.outputs;
        let parameters = weights.parameters;
        let first = parameters.entry(d) * outputs;
        let mut k = 0;
        while k < outputs {
            let (a, b) = (first + k, first + (k + 1).min(outputs - 1));
            let both = totals(s, dots(s, [weights.output(a), weights.output(b)], &self.units));
            for e in 0..count {
                out(e, k, both[0][e] + parameters.output_bias[a]);
                if k + 1 < outputs {
                    out(e, k + 1, both[1][e] + parameters.output_bias[b]);
                }
            }
            k += 2;
        }
    }

    /// Takes the value of place `d` of row `e`, whose entries are `known` so far; if that changes
    /// the units, their products with `v`, lane by lane.
    #[inline(always)]
    fn push<S: Simd>(
        &mut self,
        s: S,
        weights: &NadeWeights<'_>,
        d: usize,
        e: usize,
        known: &[f32],
        v: &[f32],
    ) -> Option<S::V> {
        let Sizes { entries, hidden, .. } = weights.sizes;
        let parameters = weights.parameters;
        let entry = parameters.entry(d);
        let (row, value) = weights.sizes.addend(entry, known[entry]);
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

/// The sums of a row of a group from its first `d` places, and the units of them.
struct Sums<'a, 'b> {
    group: &'a mut Group,
    weights: &'a NadeWeights<'b>,
    d: usize,
    e: usize,
    known: &'a [f32],
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
            let (row, value) = weights.sizes.addend(entry, known[entry]);
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

/// The products of two outputs' weights with the units of each of [`GROUP`] rows, lane by lane.
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
        let in_pairs = weights.in_pairs();
        // Of even size, for pairs of places.
        let tile = (TILE / outputs).max(1);
        for start in (0..entries).step_by(tile) {
            let end = (start + tile).min(entries);
            let rows = x.chunks(GROUP * entries).zip(out.chunks_mut(GROUP * entries * outputs));
            for (group, (x, out)) in groups.iter_mut().zip(rows) {
                if in_pairs {
                    group.pairs(s, weights, start, end, x, out);
                } else {
                    group.places(s, weights, start, end, x, out);
                }
            }
        }
    }
}

impl Group {
    /// Goes through the places from `start` to `end` of rows `x`.
    #[inline(always)]
    fn places<S: Simd>(
        &mut self,
        s: S,
        weights: &NadeWeights<'_>,
        start: usize,
        end: usize,
        x: &[f32],
        out: &mut [f32],
    ) {
        let Sizes { entries, outputs, .. } = weights.sizes;
        let count = x.len() / entries;
        for d in start..end {
            let entry = weights.parameters.entry(d);
            self.outputs(s, weights, d, count, |e, k, value| {
                out[(e * entries + entry) * outputs + k] = value;
            });
            for (e, x) in x.chunks_exact(entries).enumerate() {
                self.push(s, weights, d, e, x, &[]);
            }
        }
    }

    /// The same with the products for two places at a time: where the first of them changes a row's
    /// units, the second's are made anew.
    #[inline(always)]
    fn pairs<S: Simd>(
        &mut self,
        s: S,
        weights: &NadeWeights<'_>,
        start: usize,
        end: usize,
        x: &[f32],
        out: &mut [f32],
    ) {
        let entries = weights.sizes.entries;
        let bias = weights.parameters.output_bias;
        let count = x.len() / entries;
        let mut changed = [[0; TILE / 64]; GROUP];
        for (changed, x) in changed.iter_mut().zip(x.chunks_exact(entries)) {
            *changed = changes(s, weights, start, end, x);
        }
        for (i, d) in (start..end).enumerate().step_by(2) {
            // Two bits for each row.
            let mut changes = 0;
            for (e, changed) in changed.iter().enumerate() {
                changes |= (changed[i / 64] >> (i % 64) & 3) << (2 * e);
            }
            let next = (d + 1).min(end - 1);
            let at = [d, next].map(|d| weights.parameters.entry(d));
            let v = at.map(|entry| weights.output(entry));
            self.multiply_pair(s, v);
            while changes != 0 {
                let bit = changes.trailing_zeros() as usize;
                changes &= changes - 1;
                let (e, x) = (bit / 2, &x[bit / 2 * entries..][..entries]);
                if bit % 2 > 0 {
                    self.push(s, weights, next, e, x, &[]);
                } else if let Some(new) = self.push(s, weights, d, e, x, v[1]) {
                    self.set_products(s, GROUP + e, new);
                }
            }
            let totals = self.pair_totals(s);
            for e in 0..count {
                out[e * entries + at[0]] = totals[0][e] + bias[at[0]];
                if next > d {
                    out[e * entries + at[1]] = totals[1][e] + bias[at[1]];
                }
            }
        }
    }
}

/// A bit for each place from `start` to `end` of a row, of which there are no more than [`TILE`]:
/// whether its value changes the sums.
#[inline(always)]
fn changes<S: Simd>(
    s: S,
    weights: &NadeWeights<'_>,
    start: usize,
    end: usize,
    x: &[f32],
) -> [u64; TILE / 64] {
    let mut all = [0; TILE / 64];
    if weights.sizes.levels == 1 && weights.parameters.order.is_none() {
        for (i, x) in x[start..end].chunks(S::N).enumerate() {
            // SAFETY: as many values as are read.
            let x = unsafe {
                if x.len() == S::N { s.load(x.as_ptr()) } else { s.load_part(x.as_ptr(), x.len()) }
            };
            let at = i * S::N;
            all[at / 64] |= u64::from(s.nonzero(x)) << (at % 64);
        }
    } else {
        for (i, d) in (start..end).enumerate() {
            let entry = weights.parameters.entry(d);
            let (_, value) = weights.sizes.addend(entry, x[entry]);
            all[i / 64] |= u64::from(value != 0.0) << (i % 64);
        }
    }
    all
}

/// Rows of a NADE whose entries become known one after another: what drawing needs.
///
/// Each row's outputs have the bits that [`nade`](super::nade) gives it, whatever other rows there
/// are.
#[derive(Debug, Clone)]
pub struct NadeRows<'a> {
    weights: &'a NadeWeights<'a>,
    groups: Vec<Group>,
    rows: usize,
    /// What is known of each row `[rows, D]`, by the entries' numbers.
    known: Vec<f32>,
    /// The place whose products are there as those of the second of a pair.
    ahead: Option<usize>,
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
        let v = at.map(|entry| weights.output(entry));
        let bias = weights.parameters.output_bias[at[0]];
        let there = rows.ahead == Some(d);
        for (group, out) in rows.groups.iter_mut().zip(out) {
            if !there {
                group.multiply_pair(s, v);
            }
            let totals = group.pair_totals(s)[usize::from(there)];
            out.iter_mut().zip(totals).for_each(|(out, total)| *out = total + bias);
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
        let entries = weights.sizes.entries;
        let ahead = rows.ahead == Some(d + 1) && d + 1 < entries;
        let v = if ahead { weights.output(weights.parameters.entry(d + 1)) } else { &[] };
        let known = rows.known.chunks_mut(GROUP * entries);
        for (group, known) in rows.groups.iter_mut().zip(known) {
            for (e, known) in known.chunks_exact(entries).enumerate() {
                if let (Some(new), true) = (group.push(s, weights, d, e, known, v), ahead) {
                    group.set_products(s, GROUP + e, new);
                }
            }
        }
        if !ahead {
            rows.ahead = None;
        }
    }
}

impl<'a> NadeRows<'a> {
    /// The largest number of rows: these share one reading of the weights, and their units fit the
    /// second-level cache.
    pub const MOST: usize = 32;

    /// `rows` rows, nothing of them known.
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
        }
    }

    /// The outputs `[rows, K]` of the entry at place `d` of the order, once those before it are
    /// known.
    ///
    /// # Panics
    /// If `out` has another size.
    pub fn outputs(&mut self, d: usize, out: &mut [f32]) {
        let size = self.rows * self.weights.sizes.outputs;
        assert_eq!(out.len(), size, "NadeRows: outputs of all rows");
        self.weights.isa.run(RowOutputs { rows: self, d, out });
    }

    /// Makes the entry at place `d` known, with a value for each row.
    ///
    /// # Panics
    /// If there are more values, or fewer.
    pub fn push(&mut self, d: usize, values: &[f32]) {
        assert_eq!(values.len(), self.rows, "NadeRows: a value for each row");
        let entry = self.weights.parameters.entry(d);
        let known = self.known.chunks_exact_mut(self.weights.sizes.entries);
        known.zip(values).for_each(|(known, &value)| known[entry] = value);
        self.weights.isa.run(RowPush { rows: self, d });
    }
}
