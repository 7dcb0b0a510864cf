//! The rows that a distribution is fitted to: exact values, weights or counts, censored rows.

use super::error::{Error, Result};
use super::rows::{Ends, Rows, vectorized};
use rayon::prelude::*;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Rows that are summed by one task; it does not depend on the number of threads.
pub const BLOCK: usize = 4096;
/// Rows up to which work of some nanoseconds a row is not worth another thread.
const QUICK: usize = 16 * BLOCK;

/// A row known to lie between two ends, one of which may be infinite.
///
/// For a density the probability of an end is 0; for a mass both ends belong to the row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub lower: f64,
    /// The upper end, above the lower one.
    pub upper: f64,
    /// The weight.
    pub weight: f64,
}

/// Exact values that are not held but read block by block, as often as they are needed.
pub trait Walk: Send + Sync {
    /// How many there are.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Reads the values from one on.
    ///
    /// # Errors
    /// If they cannot be read any more.
    fn read(&self, first: usize, into: &mut [f64]) -> std::io::Result<()>;
}

/// A function of one value.
type Map = Arc<dyn Fn(f64) -> f64 + Send + Sync>;

/// Rows that are not held, each value by functions in turn.
#[derive(Clone)]
struct Walked {
    rows: Arc<dyn Walk>,
    maps: Vec<Map>,
    /// Why rows could not be read.
    fault: Arc<OnceLock<String>>,
}

impl Walked {
    /// Values from one on; NaN where they cannot be read.
    fn read(&self, first: usize, into: &mut [f64]) {
        if let Err(error) = self.rows.read(first, into) {
            let _ = self.fault.set(error.to_string());
            into.fill(f64::NAN);
        }
        for map in &self.maps {
            into.iter_mut().for_each(|x| *x = map(*x));
        }
    }

    /// f of some blocks, in order.
    fn blocks<T: Send>(&self, which: Range<usize>, f: impl Fn(Rows<'_>) -> T + Sync) -> Vec<T> {
        let all = self.rows.len();
        let of = |buffer: &mut Vec<f64>, block: usize| {
            let first = block * BLOCK;
            buffer.resize(BLOCK.min(all - first), 0.0);
            self.read(first, buffer);
            f(Rows { values: buffer, weights: None })
        };
        which.into_par_iter().map_init(Vec::new, of).collect()
    }
}

impl fmt::Debug for Walked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walked").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

impl PartialEq for Walked {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&Map, &Map)| Arc::ptr_eq(a, b);
        Arc::ptr_eq(&self.rows, &other.rows)
            && self.maps.len() == other.maps.len()
            && self.maps.iter().zip(&other.maps).all(same)
    }
}

/// Blocks of walked rows whose distinct values are joined at a time.
const GROUP: usize = 256;
/// Distinct values beyond which those of walked rows are not joined.
const MOST_DISTINCT: usize = 1 << 18;
/// Values of walked rows that a quantile is selected among.
const FEW_ENOUGH: u64 = 1 << 18;

/// Rows to fit, checked: no NaN, exact values finite, weights positive.
///
/// Exact values may be walked instead of held ([`Sample::walked`]); sums over blocks, ranges and
/// quantiles are the same then, bit by bit.
#[derive(Debug, Clone)]
pub struct Sample {
    values: Arc<Vec<f64>>,
    /// The smallest and the largest exact value, once it was asked for.
    range: Arc<OnceLock<(f64, f64)>>,
    /// Instead of `values`, without weights and intervals.
    walked: Option<Walked>,
    /// As many as values, or none if each is 1.
    weights: Vec<f64>,
    intervals: Vec<Interval>,
    /// Σ weights.
    total: f64,
}

impl PartialEq for Sample {
    fn eq(&self, other: &Self) -> bool {
        let rows = |s: &Self| (s.values.clone(), s.weights.clone(), s.intervals.clone(), s.total);
        rows(self) == rows(other) && self.walked == other.walked
    }
}

impl Sample {
    /// Rows of which the range is not known.
    fn of_parts(values: Vec<f64>, weights: Vec<f64>, intervals: Vec<Interval>, total: f64) -> Self {
        let values = Arc::new(values);
        Self { values, range: Arc::default(), walked: None, weights, intervals, total }
    }

    /// Exact values.
    ///
    /// # Errors
    /// If there are none, or some are NaN or infinite.
    pub fn new(values: Vec<f64>) -> Result<Self> {
        let range = check_values(&values)?;
        if values.is_empty() {
            return Err(Error::NoRows);
        }
        let total = values.len() as f64;
        let sample = Self::of_parts(values, Vec::new(), Vec::new(), total);
        let _ = sample.range.set(range);
        Ok(sample)
    }

    /// Exact values that are not held; a fit reads them several times.
    ///
    /// # Errors
    /// If there are none, some are NaN or infinite, or they cannot be read.
    pub fn walked(rows: Arc<dyn Walk>) -> Result<Self> {
        let total = rows.len() as f64;
        let walked = Walked { rows, maps: Vec::new(), fault: Arc::default() };
        let found = walked.blocks(walked.all(), |rows| {
            let count = |f: fn(f64) -> bool| rows.values.iter().filter(|x| f(**x)).count();
            let (_, low, high) = vectorized(Ends(rows.values));
            (count(f64::is_nan), count(f64::is_infinite), low, high)
        });
        let none = (0, 0, f64::INFINITY, f64::NEG_INFINITY);
        let (nan, infinite, low, high) =
            found.into_iter().fold(none, |a, b| (a.0 + b.0, a.1 + b.1, a.2.min(b.2), a.3.max(b.3)));
        let sample = Self::of_parts(Vec::new(), Vec::new(), Vec::new(), total);
        let sample = Self { walked: Some(walked), ..sample };
        sample.check_read()?;
        refuse_values(nan, infinite)?;
        let _ = sample.range.set((low, high));
        if total == 0.0 { Err(Error::NoRows) } else { Ok(sample) }
    }

    /// Refuses rows that could not be read when they were walked.
    ///
    /// # Errors
    /// The reason.
    pub fn check_read(&self) -> Result<()> {
        match self.walked.as_ref().and_then(|walked| walked.fault.get()) {
            Some(reason) => Err(Error::Unreadable { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Whether exact values are walked, not held.
    pub fn is_walked(&self) -> bool {
        self.walked.is_some()
    }

    /// The number of exact values.
    pub fn exact_rows(&self) -> usize {
        self.walked.as_ref().map_or(self.values.len(), |walked| walked.rows.len())
    }

    /// Values with their weights, or with how often each was seen; rows of weight 0 are left out. The
    /// number of rows is the sum of the weights.
    ///
    /// # Errors
    /// If nothing has a weight, or a weight or value is not usable.
    pub fn weighted(values: &[f64], weights: &[f64]) -> Result<Self> {
        let ends: Vec<(f64, f64)> = values.iter().map(|&x| (x, x)).collect();
        Self::from_ends(&ends, Some(weights))
    }

    /// Censored rows by their ends: equal ends are an exact value, an infinite end is open.
    ///
    /// # Errors
    /// If nothing has a weight, or ends or weights are not usable.
    pub fn censored(lower: &[f64], upper: &[f64], weights: Option<&[f64]>) -> Result<Self> {
        if upper.len() != lower.len() {
            return Err(Error::Length { found: upper.len(), expected: lower.len() });
        }
        let ends: Vec<(f64, f64)> = lower.iter().copied().zip(upper.iter().copied()).collect();
        Self::from_ends(&ends, weights)
    }

    /// Checks and sorts rows into exact and censored ones.
    fn from_ends(ends: &[(f64, f64)], weights: Option<&[f64]>) -> Result<Self> {
        if let Some(weights) = weights {
            if weights.len() != ends.len() {
                return Err(Error::Length { found: weights.len(), expected: ends.len() });
            }
            let rows = weights.iter().filter(|w| !w.is_finite() || **w < 0.0).count();
            if rows > 0 {
                return Err(Error::Weight { rows });
            }
        }
        let mut values = Vec::with_capacity(ends.len());
        let mut out = Self::of_parts(Vec::new(), Vec::new(), Vec::new(), 0.0);
        let (mut nan, mut reversed) = (0, 0);
        for (i, &(lower, upper)) in ends.iter().enumerate() {
            let weight = weights.and_then(|w| w.get(i)).copied().unwrap_or(1.0);
            if weight == 0.0 {
                continue;
            }
            nan += usize::from(lower.is_nan() || upper.is_nan());
            reversed += usize::from(lower > upper);
            if lower == upper {
                values.push(lower);
                if weights.is_some() {
                    out.weights.push(weight);
                }
            } else if lower > f64::NEG_INFINITY || upper < f64::INFINITY {
                out.intervals.push(Interval { lower, upper, weight });
            }
            out.total += weight;
        }
        if nan > 0 {
            return Err(Error::NotANumber { rows: nan });
        }
        if reversed > 0 {
            return Err(Error::Reversed { rows: reversed });
        }
        let _ = out.range.set(check_values(&values)?);
        out.values = Arc::new(values);
        if out.values.is_empty() && out.intervals.is_empty() {
            return Err(Error::NoRows);
        }
        Ok(out)
    }

    /// The exact values that are held.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The weight of exact value i.
    pub fn weight(&self, i: usize) -> f64 {
        self.weights.get(i).copied().unwrap_or(1.0)
    }

    /// The censored rows.
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// The number of rows: the sum of all weights.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// The weight of the exact values.
    pub fn exact_weight(&self) -> f64 {
        if self.weights.is_empty() {
            return self.exact_rows() as f64;
        }
        self.weights.iter().sum()
    }

    /// The exact values that are held, with their weights.
    pub fn weighted_values(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.values.iter().enumerate().map(|(i, &x)| (x, self.weight(i)))
    }

    /// The sum of f over the exact values with their weights, the same for any number of threads.
    pub fn sum(&self, f: impl Fn(f64, f64) -> f64 + Sync) -> f64 {
        self.blocks(|rows| rows.iter().map(|(x, w)| f(x, w)).sum::<f64>()).into_iter().sum()
    }

    /// The mean of f over the exact values.
    pub fn mean(&self, f: impl Fn(f64) -> f64 + Sync) -> f64 {
        self.sum(|x, w| w * f(x)) / self.exact_weight()
    }

    /// How many exact values are of a kind.
    pub fn count(&self, f: impl Fn(f64) -> bool + Sync) -> usize {
        self.blocks(|rows| rows.values.iter().filter(|x| f(**x)).count()).into_iter().sum()
    }

    /// How many exact values are no whole numbers.
    pub fn fractional(&self) -> usize {
        let of = |rows: Rows<'_>| {
            let rows = Rows { weights: None, ..rows };
            rows.sums(|x| [if x.trunc() == x { 0.0 } else { 1.0 }])[0]
        };
        self.quick_blocks(of).into_iter().sum::<f64>() as usize
    }

    /// Sums of functions over the exact values with their weights, the same for any number of threads;
    /// for functions that cost little.
    pub fn quick_blocks<T: Send>(&self, f: impl Fn(Rows<'_>) -> T + Sync) -> Vec<T> {
        if self.walked.is_some() || self.values.len() > QUICK {
            return self.blocks(f);
        }
        let block = |(block, values): (usize, &[f64])| {
            let first = block * BLOCK;
            f(Rows { values, weights: self.weights.get(first..first + values.len()) })
        };
        self.values.chunks(BLOCK).enumerate().map(block).collect()
    }

    /// f of each block of exact values, in order.
    pub fn blocks<T: Send>(&self, f: impl Fn(Rows<'_>) -> T + Sync) -> Vec<T> {
        if let Some(walked) = &self.walked {
            return walked.blocks(0..walked.rows.len().div_ceil(BLOCK), f);
        }
        let of = |(block, values): (usize, &[f64])| {
            let first = block * BLOCK;
            f(Rows { values, weights: self.weights.get(first..first + values.len()) })
        };
        if self.values.len() <= 2 * BLOCK {
            return self.values.chunks(BLOCK).enumerate().map(of).collect();
        }
        self.values.par_chunks(BLOCK).enumerate().map(of).collect()
    }

    /// Every value from an origin, in a unit that is a power of two.
    #[must_use]
    pub fn standardized(&self, origin: f64, unit: f64) -> Self {
        let inverse = unit.recip();
        let by = move |x: f64| (x - origin) * inverse;
        let out = self.map(by);
        if let Some(&(low, high)) = self.range.get() {
            let _ = out.range.set((by(low), by(high)));
        }
        out
    }

    /// Every value by a function, which keeps the order if there are intervals.
    #[must_use]
    pub fn map(&self, f: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Self {
        if let Some(walked) = &self.walked {
            let mut walked = walked.clone();
            walked.maps.push(Arc::new(f));
            return Self { walked: Some(walked), range: Arc::default(), ..self.clone() };
        }
        let ends = |i: &Interval| Interval { lower: f(i.lower), upper: f(i.upper), ..*i };
        let intervals = self.intervals.iter().map(ends).collect();
        let values = match self.values.len() <= QUICK {
            true => Rows { values: &self.values, weights: None }.mapped(f),
            false => self.values.par_iter().with_min_len(BLOCK).map(|&x| f(x)).collect(),
        };
        Self::of_parts(values, self.weights.clone(), intervals, self.total)
    }

    /// Equal values joined, in ascending order: for counts, a fit then takes a pass over the distinct
    /// ones. Walked rows of very many distinct values stay as they are.
    #[must_use]
    pub fn distinct(&self) -> Self {
        if let Some(walked) = &self.walked {
            return walked.distinct().map_or_else(
                || self.clone(),
                |(values, weights)| {
                    let values = Arc::new(values);
                    Self { values, weights, walked: None, ..self.clone() }
                },
            );
        }
        if let Some((values, weights)) = self.counted() {
            return Self::of_parts(values, weights, self.intervals.clone(), self.total);
        }
        let mut rows: Vec<(f64, f64)> = self.weighted_values().collect();
        rows.par_sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut values, mut weights): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for (x, w) in rows {
            match weights.last_mut().filter(|_| values.last() == Some(&x)) {
                Some(last) => *last += w,
                None => {
                    values.push(x);
                    weights.push(w);
                }
            }
        }
        Self::of_parts(values, weights, self.intervals.clone(), self.total)
    }

    /// The same of whole numbers of which the largest is not far above the number of rows, by a table.
    fn counted(&self) -> Option<(Vec<f64>, Vec<f64>)> {
        // A number added to it is rounded to a whole one, which is in its last bits.
        const ROUND: f64 = 4_503_599_627_370_496.0;
        let (low, high) = self.range();
        let most = (4 * self.values.len()).max(BLOCK) as f64;
        if !(low >= 0.0 && high < most) {
            return None;
        }
        let mut table = vec![0.0; high as usize + 1];
        for (x, weight) in self.weighted_values() {
            let rounded = x + ROUND;
            let place = (rounded.to_bits() - ROUND.to_bits()) as usize;
            if rounded - ROUND != x {
                return None;
            }
            *table.get_mut(place)? += weight;
        }
        let seen = table.into_iter().enumerate().filter(|(_, weight)| *weight > 0.0);
        Some(seen.map(|(x, weight)| (x as f64, weight)).unzip())
    }

    /// Exact values and, for censored ones, a point of their interval: what a start is found from.
    #[must_use]
    pub fn points(&self) -> Self {
        if self.intervals.is_empty() {
            return self.clone();
        }
        let mut out = Self { intervals: Vec::new(), range: Arc::default(), ..self.clone() };
        if out.weights.is_empty() {
            out.weights = vec![1.0; out.values.len()];
        }
        let values = Arc::make_mut(&mut out.values);
        for i in &self.intervals {
            let at = match (i.lower.is_finite(), i.upper.is_finite()) {
                (true, true) => 0.5 * (i.lower + i.upper),
                (true, false) => i.lower,
                _ => i.upper,
            };
            values.push(at);
            out.weights.push(i.weight);
        }
        out
    }

    /// The smallest and the largest exact value.
    pub fn range(&self) -> (f64, f64) {
        *self.range.get_or_init(|| {
            let found = self.quick_blocks(|rows| rows.range());
            let ends = (f64::INFINITY, f64::NEG_INFINITY);
            found.into_iter().fold(ends, |(a, b), (c, d)| (a.min(c), b.max(d)))
        })
    }

    /// The weighted quantile of the exact values: the smallest x with at least a share p of the weight
    /// up to it.
    pub fn quantile(&self, p: f64) -> f64 {
        self.quantiles([p])[0]
    }

    /// Several weighted quantiles.
    pub fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [f64; N] {
        if let Some(walked) = &self.walked {
            return shares.map(|p| walked.quantile(p));
        }
        if self.weights.is_empty() {
            let mut rows = self.values.to_vec();
            let n = rows.len();
            return shares.map(|p| {
                let rank = (p * n as f64 * (1.0 - 1e-12)).ceil().max(1.0) as usize;
                match rows.get(rank.min(n).wrapping_sub(1)) {
                    Some(_) => *rows.select_nth_unstable_by(rank.min(n) - 1, ascending).1,
                    None => f64::NAN,
                }
            });
        }
        let sorted = self.distinct();
        let total = sorted.exact_weight();
        shares.map(|p| {
            let mut sum = 0.0;
            for (x, w) in sorted.weighted_values() {
                sum += w;
                if sum >= p * total * (1.0 - 1e-12) {
                    return x;
                }
            }
            sorted.values.last().copied().unwrap_or(f64::NAN)
        })
    }

    /// The smallest and the largest median: they differ if as many rows, by weight, are above as below.
    pub fn medians(&self) -> (f64, f64) {
        let n = self.exact_rows();
        if !self.weights.is_empty() {
            return (self.quantile(0.5), -self.map(|x| -x).quantile(0.5));
        }
        if let Some(walked) = &self.walked {
            // The rank of the larger one, by a share that no rounding moves to another.
            let above = ((n / 2) as f64 + 0.5) / n as f64;
            return (walked.quantile(0.5), walked.quantile(above));
        }
        let mut rows = self.values.to_vec();
        if rows.is_empty() {
            return (f64::NAN, f64::NAN);
        }
        let (_, &mut low, above) = rows.select_nth_unstable_by((n - 1) / 2, ascending);
        let (_, next, _) = vectorized(Ends(above));
        (low, if n.is_multiple_of(2) { next } else { low })
    }

    /// At most a few thousand exact values, evenly spaced among the rows, to choose starts by.
    #[must_use]
    pub fn thinned(&self, most: usize) -> Self {
        let step = self.exact_rows().div_ceil(most.max(1)).max(1);
        let values = match &self.walked {
            Some(walked) => walked.thinned(step),
            None => self.values.iter().copied().step_by(step).collect(),
        };
        let weights: Vec<f64> = self.weights.iter().copied().step_by(step).collect();
        let total = if weights.is_empty() { values.len() as f64 } else { weights.iter().sum() };
        Self::of_parts(values, weights, Vec::new(), total)
    }

    /// The weight of the exact values that are equal to one.
    pub fn weight_at(&self, value: f64) -> f64 {
        self.sum(|x, w| if x == value { w } else { 0.0 })
    }

    /// The exact value of the largest weight, if that is at least a share of all, with its weight.
    pub fn tied(&self, share: f64) -> Option<(f64, f64)> {
        let goal = share * self.exact_weight() * (1.0 - 1e-12);
        let count = (1.0 / share).floor() as usize;
        let most = |rows: &mut dyn Iterator<Item = (f64, f64)>| {
            let enough = rows.filter(|(_, weight)| *weight >= goal);
            enough.reduce(|best, row| if row.1 > best.1 { row } else { best })
        };
        if share >= 0.5 && self.weights.is_empty() && !self.has_equal_pairs() {
            // Half of the rows can be equal if each pair has one of them.
            return most(&mut self.first_pair().into_iter().map(|x| (x, self.weight_at(x))));
        }
        if count > 2 && !self.is_walked() {
            return most(&mut self.distinct().weighted_values());
        }
        // So many equal rows in a line have a quantile at a multiple of the share among them.
        let candidates = (1..=count).map(|k| self.quantile(share * k as f64));
        most(&mut candidates.map(|x| (x, self.weight_at(x))))
    }
}

impl Sample {
    /// Whether rows 2 i and 2 i + 1 are equal for some i.
    fn has_equal_pairs(&self) -> bool {
        let any = |rows: Rows<'_>| {
            let pairs = rows.values.as_chunks::<2>().0;
            pairs.iter().fold(false, |any, [a, b]| any | (a == b))
        };
        self.quick_blocks(any).into_iter().any(|any| any)
    }

    /// The first two rows, if there are as many.
    fn first_pair(&self) -> Vec<f64> {
        let Some(walked) = &self.walked else {
            return self.values.iter().take(2).copied().collect();
        };
        let mut first = vec![0.0; walked.rows.len().min(2)];
        walked.read(0, &mut first);
        first
    }
}

/// The order of finite numbers; 0 and −0 are equal.
fn ascending(a: &f64, b: &f64) -> Ordering {
    a.partial_cmp(b).unwrap_or(Ordering::Equal)
}

/// The order of numbers as that of whole ones, and back.
fn key(x: f64) -> u64 {
    let bits = x.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn of_key(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

impl Walked {
    /// All blocks.
    fn all(&self) -> Range<usize> {
        0..self.rows.len().div_ceil(BLOCK)
    }

    /// Values in ascending order with how often each occurs; `None` if there are very many.
    fn distinct(&self) -> Option<(Vec<f64>, Vec<f64>)> {
        let mut all: BTreeMap<u64, f64> = BTreeMap::new();
        let blocks = self.all().end;
        for first in (0..blocks).step_by(GROUP) {
            let found = self.blocks(first..blocks.min(first + GROUP), |rows| {
                // 0 and −0 are equal.
                let mut keys: Vec<u64> = rows.values.iter().map(|x| key(x + 0.0)).collect();
                keys.sort_unstable();
                let each = keys.chunk_by(|a, b| a == b);
                each.filter_map(|keys| Some((*keys.first()?, keys.len()))).collect::<Vec<_>>()
            });
            for (key, count) in found.into_iter().flatten() {
                *all.entry(key).or_default() += count as f64;
            }
            if all.len() > MOST_DISTINCT {
                return None;
            }
        }
        Some(all.into_iter().map(|(key, count)| (of_key(key), count)).unzip())
    }

    /// The smallest value with at least a share p of the rows up to it: the bits of its key are found
    /// from the highest on by counting, until few values are left.
    fn quantile(&self, p: f64) -> f64 {
        const BITS: u32 = 11;
        let n = self.rows.len() as u64;
        let goal = p * n as f64 * (1.0 - 1e-12);
        let mut rank = (goal.ceil().max(1.0) as u64).min(n);
        let (mut known, mut prefix, mut left) = (0, 0_u64, n);
        let begins =
            |key: u64, known: u32, prefix: u64| known == 0 || key >> (64 - known) == prefix;
        while known < 64 && left > FEW_ENOUGH {
            let bits = BITS.min(64 - known);
            let place = |key: u64| ((key << known) >> (64 - bits)) as usize;
            let mut counts = vec![0_u64; 1 << bits];
            for first in self.all().step_by(GROUP) {
                let found = self.blocks(first..self.all().end.min(first + GROUP), |rows| {
                    let keys = rows.values.iter().map(|x| key(*x));
                    let keys = keys.filter(|key| begins(*key, known, prefix));
                    let mut places: Vec<u16> = keys.map(|key| place(key) as u16).collect();
                    places.sort_unstable();
                    places
                });
                found.into_iter().flatten().for_each(|at| counts[usize::from(at)] += 1);
            }
            let mut at = 0;
            while at + 1 < counts.len() && rank > counts[at] {
                rank -= counts[at];
                at += 1;
            }
            (known, prefix, left) = (known + bits, prefix << bits | at as u64, counts[at]);
        }
        if known >= 64 {
            return of_key(prefix);
        }
        let found = self.blocks(self.all(), |rows| {
            let keys = rows.values.iter().map(|x| key(*x));
            keys.filter(|key| begins(*key, known, prefix)).collect::<Vec<_>>()
        });
        let mut keys: Vec<u64> = found.into_iter().flatten().collect();
        keys.sort_unstable();
        keys.get(rank.saturating_sub(1) as usize).map_or(f64::NAN, |key| of_key(*key))
    }

    /// One of so many values.
    fn thinned(&self, step: usize) -> Vec<f64> {
        let rows = self.rows.len();
        if step >= BLOCK / 8 {
            let one = |at: usize| {
                let mut value = [0.0];
                self.read(at, &mut value);
                value[0]
            };
            return (0..rows).step_by(step).map(one).collect();
        }
        let mut out = Vec::with_capacity(rows / step + 1);
        let mut buffer = vec![0.0; BLOCK];
        for block in self.all() {
            let first = block * BLOCK;
            let count = BLOCK.min(rows - first);
            self.read(first, &mut buffer[..count]);
            let skip = (step - first % step) % step;
            out.extend(buffer[..count].iter().skip(skip).step_by(step));
        }
        out
    }
}

/// Refuses NaN and infinities; the range of the values.
fn check_values(values: &[f64]) -> Result<(f64, f64)> {
    let (sum, low, high) = vectorized(Ends(values));
    // The sum of finite values may be infinite, too.
    if !sum.is_finite() {
        let count = |f: fn(f64) -> bool| values.iter().filter(|x| f(**x)).count();
        refuse_values(count(f64::is_nan), count(f64::is_infinite))?;
    }
    Ok((low, high))
}

/// Refuses so many values that are not finite.
fn refuse_values(nan: usize, infinite: usize) -> Result<()> {
    match (nan, infinite) {
        (0, 0) => Ok(()),
        (0, rows) => Err(Error::Infinite { rows }),
        (rows, _) => Err(Error::NotANumber { rows }),
    }
}
