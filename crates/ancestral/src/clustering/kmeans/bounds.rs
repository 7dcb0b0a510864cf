//! Which center is nearest to each row, with bounds: a row whose nearest center cannot have changed by the
//! triangle inequality is not looked at.
//!
//! Each row has an upper bound of the distance to its center and a lower bound of that to each other
//! center (Elkan 2003), or, where these would take much memory, to the other centers of each group of centers
//! (Ding et al. 2015, "Yinyang").
//! Distances to many centers come from products of matrices, with their rounding errors as bounds; which of
//! the nearest centers is the nearest is decided by differences.

use rayon::prelude::*;

use super::super::centers::{Centers, ROWS, rounding};
use super::super::points::Real;
use super::super::product::{Packed, squared_distance, squared_distances, vectorized};
use super::data::Data;

/// Centers of a group from which products tell apart those that are far.
const PRODUCTS: usize = 4;
/// Bounds that are looked at together.
const LANES: usize = 16;
/// Distances from differences that take the time of 16 products.
const DIFFERENCES: usize = 4;

/// A row that moved from one cluster to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) row: u32,
    pub(super) to: u32,
    /// None at first.
    pub(super) from: Option<u32>,
}

/// Centers and labels, with their bounds.
pub(super) struct State<T> {
    pub(super) centers: Centers<T>,
    pub(super) labels: Vec<u32>,
    /// At least the distance of each row to its center.
    upper: Vec<T>,
    /// At most the distance of each row to the other centers of each group `[rows, groups]`.
    lower: Vec<T>,
    /// The centers of each group.
    groups: Vec<Vec<u32>>,
    /// The centers of each group for products, if it is large enough for them.
    packed: Vec<Option<Packed<T>>>,
    /// The group of each center.
    group: Vec<u32>,
    /// How far each center moved, and the farthest of each group.
    shifts: Vec<T>,
    group_shifts: Vec<T>,
    /// At most half the distance of each center to the nearest other one.
    half: Vec<T>,
    /// At most half the distance between centers `[k, k]`, if each has a bound of its own.
    halves: Vec<T>,
    /// Factors that make a computed distance a lower or an upper bound.
    down: T,
    up: T,
}

impl<T: Real> State<T> {
    /// Labels by all distances.
    pub(super) fn new(data: &Data<'_, T>, centers: Centers<T>, groups: usize) -> Self {
        let (rows, k) = (data.rows(), centers.len());
        let (groups, group) = group_centers(&centers, groups.clamp(1, k));
        let margin = rounding::<T>(data.columns());
        let zero = T::default();
        let mut own = Self {
            labels: vec![0; rows],
            upper: vec![zero; rows],
            lower: vec![zero; rows * groups.len()],
            shifts: vec![zero; k],
            group_shifts: vec![zero; groups.len()],
            half: vec![zero; k],
            halves: Vec::new(),
            down: T::of(1.0 - margin),
            up: T::of(1.0 + margin),
            packed: Vec::new(),
            centers,
            groups,
            group,
        };
        let count = own.groups.len();
        let mut labels = std::mem::take(&mut own.labels);
        let mut upper = std::mem::take(&mut own.upper);
        let mut lower = std::mem::take(&mut own.lower);
        labels
            .par_chunks_mut(ROWS)
            .zip(upper.par_chunks_mut(ROWS).zip(lower.par_chunks_mut(ROWS * count)))
            .enumerate()
            .for_each_init(
                || vec![zero; ROWS * k],
                |found, (block, (labels, (upper, lower)))| {
                    let found = &mut found[..labels.len() * k];
                    let (rows, squares) = data.block(block, ROWS);
                    let rows: Vec<&[T]> = rows.chunks_exact(data.columns()).collect();
                    own.centers.dots(&rows, found);
                    let bounds = upper.iter_mut().zip(lower.chunks_exact_mut(count));
                    let own_bounds = labels.iter_mut().zip(bounds).zip(found.chunks_exact_mut(k));
                    vectorized(
                        #[inline(always)]
                        || {
                            for (i, ((label, (upper, lower)), found)) in own_bounds.enumerate() {
                                own.first_label(rows[i], squares[i], found, label, upper, lower);
                            }
                        },
                    );
                },
            );
        (own.labels, own.upper, own.lower) = (labels, upper, lower);
        own
    }

    /// The label and the bounds of a row from its products with all centers, which become distances; those
    /// near the least are computed again from differences.
    #[inline(always)]
    fn first_label(
        &self,
        row: &[T],
        square: T,
        found: &mut [T],
        label: &mut u32,
        upper: &mut T,
        lower: &mut [T],
    ) {
        self.centers.squared_distance_bounds(square, found);
        let mut least = T::INFINITY;
        for (center, &bound) in found.iter().enumerate() {
            let error = self.centers.error(square, center);
            least = min(least, bound + error + error);
        }
        let mut best = T::INFINITY;
        for (center, &bound) in found.iter().enumerate() {
            if bound <= least {
                let exact = squared_distance(row, self.centers.row(center));
                if exact < best {
                    (best, *label) = (exact, center as u32);
                }
            }
        }
        *upper = best.root() * self.up;
        found[*label as usize] = T::INFINITY;
        if self.own_bounds() {
            self.lower_bounds(found, lower);
            return;
        }
        lower.fill(T::INFINITY);
        for (&bound, &group) in found.iter().zip(&self.group) {
            let lower = &mut lower[group as usize];
            *lower = min(*lower, self.lower_bound(bound));
        }
    }

    /// Whether each center has a bound of its own.
    #[inline(always)]
    fn own_bounds(&self) -> bool {
        self.groups.len() == self.centers.len()
    }

    /// Lower bounds of distances, from those of their squares.
    #[inline(always)]
    fn lower_bounds(&self, squared: &[T], lower: &mut [T]) {
        for (lower, &squared) in lower.iter_mut().zip(squared) {
            *lower = self.lower_bound(squared);
        }
    }

    /// Replaces the centers; the sum of squared shifts.
    pub(super) fn move_to(&mut self, new: Vec<T>) -> f64 {
        let columns = new.len() / self.centers.len();
        let new = Centers::new(new, columns);
        let k = new.len();
        let mut total = 0.0;
        self.group_shifts.fill(T::default());
        for center in 0..k {
            let pairs = new.row(center).iter().zip(self.centers.row(center));
            let squared: f64 = pairs.map(|(a, b)| (a.to_f64() - b.to_f64()).powi(2)).sum();
            total += squared;
            self.shifts[center] = T::of(squared.sqrt()) * self.up;
            let group = &mut self.group_shifts[self.group[center] as usize];
            if self.shifts[center] > *group {
                *group = self.shifts[center];
            }
        }
        let half_down = self.down * T::of(0.5);
        let halved = |(center, halves): (usize, &mut [T])| {
            new.dots(&[new.row(center)], halves);
            vectorized(
                #[inline(always)]
                || {
                    new.squared_distance_bounds(new.square(center), halves);
                    halves[center] = T::INFINITY;
                    let mut least = T::INFINITY;
                    for half in halves {
                        *half = half.root() * half_down;
                        least = min(least, *half);
                    }
                    least
                },
            )
        };
        if self.own_bounds() {
            let mut halves = std::mem::take(&mut self.halves);
            halves.resize(k * k, T::default());
            self.half = halves.par_chunks_mut(k).enumerate().map(halved).collect();
            self.halves = halves;
        } else {
            self.half = (0..k)
                .into_par_iter()
                .map_init(|| vec![T::default(); k], |halves, center| halved((center, halves)))
                .collect();
        }
        self.centers = new;
        if !self.own_bounds() {
            self.packed = self.groups.iter().map(|group| self.pack(group)).collect();
        }
        total
    }

    fn pack(&self, group: &[u32]) -> Option<Packed<T>> {
        (group.len() >= PRODUCTS).then(|| {
            let centers = group.iter().flat_map(|&c| self.centers.row(c as usize));
            Packed::new(&centers.copied().collect::<Vec<_>>(), self.centers.row(0).len())
        })
    }

    /// Assigns each row to its nearest center, the first of equals; the rows whose label changed.
    pub(super) fn assign(&mut self, data: &Data<'_, T>) -> Vec<Change> {
        let count = self.groups.len();
        let mut labels = std::mem::take(&mut self.labels);
        let mut upper = std::mem::take(&mut self.upper);
        let mut lower = std::mem::take(&mut self.lower);
        let changes: Vec<Vec<Change>> = labels
            .par_chunks_mut(ROWS)
            .zip(upper.par_chunks_mut(ROWS).zip(lower.par_chunks_mut(ROWS * count)))
            .enumerate()
            .map(|(block, (labels, (upper, lower)))| {
                vectorized(
                    #[inline(always)]
                    || self.assign_block(data, block * ROWS, labels, upper, lower),
                )
            })
            .collect();
        (self.labels, self.upper, self.lower) = (labels, upper, lower);
        self.shifts.fill(T::default());
        self.group_shifts.fill(T::default());
        changes.concat()
    }

    /// As [`Self::assign`], for the rows from `first`.
    #[inline(always)]
    fn assign_block(
        &self,
        data: &Data<'_, T>,
        first: usize,
        labels: &mut [u32],
        upper: &mut [T],
        lower: &mut [T],
    ) -> Vec<Change> {
        let count = self.groups.len();
        let mut loose: Vec<(usize, T)> = Vec::new();
        for (i, lower) in lower.chunks_exact_mut(count).enumerate() {
            if let Some(safe) = self.shift(labels[i] as usize, &mut upper[i], lower) {
                loose.push((i, safe));
            }
        }
        let mut active: Vec<Active<T>> = Vec::new();
        let mut tighten = |(i, safe): (usize, T), exact: T| {
            upper[i] = exact.root() * self.up;
            if upper[i] >= safe {
                let own = labels[i];
                active.push(Active { i, own, exact, best: exact, center: own });
            }
        };
        let pair = |(i, _): (usize, T)| (data.row(first + i), self.centers.row(labels[i] as usize));
        let (fours, rest) = loose.as_chunks::<4>();
        for fours in fours {
            let pairs = fours.map(pair);
            let exact = squared_distances(pairs.map(|pair| pair.0), pairs.map(|pair| pair.1));
            fours.iter().zip(exact).for_each(|(&loose, exact)| tighten(loose, exact));
        }
        for &loose in rest {
            let (row, center) = pair(loose);
            tighten(loose, squared_distance(row, center));
        }
        if self.own_bounds() {
            self.search_centers(data, first, &mut active, lower);
        } else {
            self.search_groups(data, first, &mut active, upper, lower);
        }
        let mut changes = Vec::new();
        for active in active.iter().filter(|active| active.center != active.own) {
            let left = &mut lower[active.i * count + self.group[active.own as usize] as usize];
            *left = min(*left, self.lower_bound(active.exact));
            upper[active.i] = active.best.root() * self.up;
            labels[active.i] = active.center;
            let row = (first + active.i) as u32;
            changes.push(Change { row, to: active.center, from: Some(active.own) });
        }
        changes
    }

    /// Compares active rows with the groups that may have a nearer center.
    #[inline(always)]
    fn search_groups(
        &self,
        data: &Data<'_, T>,
        first: usize,
        active: &mut [Active<T>],
        upper: &[T],
        lower: &mut [T],
    ) {
        let count = self.groups.len();
        let mut searched: Vec<Searched<T>> = Vec::new();
        let mut products = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            let near: Vec<usize> = (0..active.len())
                .filter(|&a| lower[active[a].i * count + number] <= upper[active[a].i])
                .collect();
            if let Some(packed) = &self.packed[number] {
                let rows: Vec<&[T]> = near.iter().map(|&a| data.row(first + active[a].i)).collect();
                products.resize(rows.len() * group.len(), T::default());
                packed.dots(&rows, &mut products);
            }
            for (place, &a) in near.iter().enumerate() {
                let dots = self.packed[number].is_some();
                let dots = dots.then(|| &products[place * group.len()..][..group.len()]);
                let row = first + active[a].i;
                let (row, square) = (data.row(row), data.square(row));
                searched.push(self.search(row, square, number, dots, a, &mut active[a]));
            }
        }
        for found in &searched {
            let active = &active[found.active];
            let rest = if found.nearest == active.center { found.second } else { found.first };
            lower[active.i * count + found.group] = self.lower_bound(rest);
        }
    }

    /// Compares active rows with the centers that may be nearer.
    #[inline(always)]
    fn search_centers(
        &self,
        data: &Data<'_, T>,
        first: usize,
        active: &mut [Active<T>],
        lower: &mut [T],
    ) {
        let k = self.centers.len();
        // Rows with many such centers are multiplied with all of them.
        let most = DIFFERENCES * k.div_ceil(LANES);
        let (mut many, mut near) = (Vec::new(), Vec::new());
        for (number, active) in active.iter_mut().enumerate() {
            let (row, lower) = (data.row(first + active.i), &mut lower[active.i * k..][..k]);
            let halves = &self.halves[active.own as usize * k..][..k];
            let mut upper = active.exact.root() * self.up;
            // A center is as far as its distance to the own center, less that of the row.
            for (lower, &half) in lower.iter_mut().zip(halves) {
                *lower = max(*lower, (half + half) * self.one_down() - upper);
            }
            near.clear();
            for (chunk, (lower, halves)) in
                lower.chunks(LANES).zip(halves.chunks(LANES)).enumerate()
            {
                let is_near = |l: usize| (lower[l] <= upper) & (halves[l] <= upper);
                if (0..lower.len()).fold(false, |any, l| any | is_near(l)) {
                    let all = (0..lower.len()).filter(|&l| is_near(l));
                    near.extend(all.map(|l| (chunk * LANES + l) as u32));
                }
            }
            if near.len() > most {
                many.push(number);
                continue;
            }
            for &center in &near {
                let bound = &mut lower[center as usize];
                if *bound > upper {
                    continue;
                }
                let exact = squared_distance(row, self.centers.row(center as usize));
                *bound = self.lower_bound(exact);
                if active.accept(center, exact) {
                    upper = exact.root() * self.up;
                }
            }
        }
        let rows: Vec<&[T]> = many.iter().map(|&a| data.row(first + active[a].i)).collect();
        let mut found = vec![T::default(); many.len() * k];
        self.centers.dots(&rows, &mut found);
        for ((a, row), found) in many.into_iter().zip(rows).zip(found.chunks_exact_mut(k)) {
            let active = &mut active[a];
            self.centers.squared_distance_bounds(data.square(first + active.i), found);
            found[active.own as usize] = T::INFINITY;
            for (center, bound) in found.iter_mut().enumerate() {
                if *bound <= active.best {
                    *bound = squared_distance(row, self.centers.row(center));
                    active.accept(center as u32, *bound);
                }
            }
            self.lower_bounds(found, &mut lower[active.i * k..][..k]);
        }
        for active in active.iter().filter(|active| active.center != active.own) {
            lower[active.i * k + active.center as usize] = T::INFINITY;
        }
    }

    /// Moves the bounds of a row along with the centers. If another center may now be nearer than its own, the
    /// distance to that which rules this out.
    #[inline(always)]
    fn shift(&self, own: usize, upper: &mut T, lower: &mut [T]) -> Option<T> {
        *upper = *upper * self.one_up() + self.shifts[own];
        let down = self.one_down();
        let least = if self.own_bounds() {
            let halves = &self.halves[own * lower.len()..][..lower.len()];
            let mut lanes = [T::INFINITY; LANES];
            let (chunks, rest) = lower.as_chunks_mut::<LANES>();
            let (shifts, rest_shifts) = self.shifts.as_chunks::<LANES>();
            let (halves, rest_halves) = halves.as_chunks::<LANES>();
            for ((lower, shifts), halves) in chunks.iter_mut().zip(shifts).zip(halves) {
                for l in 0..LANES {
                    lower[l] = lower[l] * down - shifts[l];
                    lanes[l] = min(lanes[l], max(lower[l], halves[l]));
                }
            }
            let mut least = lanes.into_iter().fold(T::INFINITY, min);
            for ((lower, &shift), &half) in rest.iter_mut().zip(rest_shifts).zip(rest_halves) {
                *lower = *lower * down - shift;
                least = min(least, max(*lower, half));
            }
            least
        } else {
            let mut least = T::INFINITY;
            for (lower, &shift) in lower.iter_mut().zip(&self.group_shifts) {
                *lower = *lower * down - shift;
                least = min(least, *lower);
            }
            least
        };
        let safe = max(self.half[own], least);
        (*upper >= safe).then_some(safe)
    }

    /// Compares a row with the centers of a group other than its own; by products, those that cannot be the
    /// nearest are told apart without their differences.
    #[inline(always)]
    fn search(
        &self,
        row: &[T],
        square: T,
        number: usize,
        dots: Option<&[T]>,
        index: usize,
        active: &mut Active<T>,
    ) -> Searched<T> {
        let infinite = T::INFINITY;
        let mut found = Searched {
            active: index,
            group: number,
            first: infinite,
            second: infinite,
            nearest: NONE,
        };
        for (place, &center) in self.groups[number].iter().enumerate() {
            if center == active.own {
                continue;
            }
            let bound = dots.map_or(T::default(), |dots| {
                self.centers.squared_distance_bound(square, center as usize, dots[place])
            });
            let distance = if bound <= active.best {
                let exact = squared_distance(row, self.centers.row(center as usize));
                active.accept(center, exact);
                exact
            } else {
                bound
            };
            if distance < found.first {
                found.second = found.first;
                (found.first, found.nearest) = (distance, center);
            } else {
                found.second = min(found.second, distance);
            }
        }
        found
    }

    /// A lower bound of a distance, from its square.
    #[inline(always)]
    fn lower_bound(&self, squared: T) -> T {
        squared.root() * self.down
    }

    /// Just above 1, for the rounding of a sum.
    #[inline(always)]
    fn one_up(&self) -> T {
        T::of(1.0) + T::EPSILON + T::EPSILON
    }

    /// Just below 1.
    #[inline(always)]
    fn one_down(&self) -> T {
        T::of(1.0) - T::EPSILON - T::EPSILON
    }
}

/// A row of a block whose nearest center may have changed.
struct Active<T> {
    /// Its place in the block.
    i: usize,
    /// Its center before, and the squared distance to it.
    own: u32,
    exact: T,
    /// The nearest center so far.
    best: T,
    center: u32,
}

impl<T: Real> Active<T> {
    /// Takes a center if it is nearer, or as near and before the nearest so far; whether it did.
    #[inline(always)]
    fn accept(&mut self, center: u32, exact: T) -> bool {
        let nearer = exact < self.best || (exact == self.best && center < self.center);
        if nearer {
            (self.best, self.center) = (exact, center);
        }
        nearer
    }
}

/// No center.
const NONE: u32 = u32::MAX;

/// Lower bounds of the squared distances of an active row to the nearest two centers of a group, without
/// its own.
struct Searched<T> {
    active: usize,
    group: usize,
    first: T,
    second: T,
    nearest: u32,
}

#[inline(always)]
fn max<T: Real>(a: T, b: T) -> T {
    if b > a { b } else { a }
}

#[inline(always)]
fn min<T: Real>(a: T, b: T) -> T {
    if b < a { b } else { a }
}

/// Groups near centers by a few iterations of K-means on them, from the first centers.
fn group_centers<T: Real>(centers: &Centers<T>, count: usize) -> (Vec<Vec<u32>>, Vec<u32>) {
    let k = centers.len();
    let mut group: Vec<u32> = (0..k as u32).map(|center| center % count as u32).collect();
    if count > 1 && count < k {
        let columns = centers.row(0).len();
        let mut means: Vec<f64> =
            (0..count).flat_map(|c| centers.row(c).iter().map(|x| x.to_f64())).collect();
        for _ in 0..5 {
            for (center, group) in group.iter_mut().enumerate() {
                let apart = |mean: &[f64]| -> f64 {
                    let pairs = centers.row(center).iter().zip(mean);
                    pairs.map(|(x, mean)| (x.to_f64() - mean).powi(2)).sum()
                };
                let mut best = (f64::INFINITY, 0);
                for (number, mean) in means.chunks_exact(columns).enumerate() {
                    let distance = apart(mean);
                    if distance < best.0 {
                        best = (distance, number);
                    }
                }
                *group = best.1 as u32;
            }
            let mut counts = vec![0.0; count];
            let mut sums = vec![0.0; count * columns];
            for (center, &group) in group.iter().enumerate() {
                counts[group as usize] += 1.0;
                let sums = &mut sums[group as usize * columns..][..columns];
                sums.iter_mut().zip(centers.row(center)).for_each(|(sum, x)| *sum += x.to_f64());
            }
            let parts = means.chunks_exact_mut(columns).zip(sums.chunks_exact(columns));
            for ((mean, sum), &count) in parts.zip(&counts) {
                if count > 0.0 {
                    mean.iter_mut().zip(sum).for_each(|(mean, sum)| *mean = sum / count);
                }
            }
        }
    }
    let mut groups = vec![Vec::new(); count];
    for (center, &group) in group.iter().enumerate() {
        groups[group as usize].push(center as u32);
    }
    (groups, group)
}
