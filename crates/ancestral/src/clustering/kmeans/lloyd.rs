//! Lloyd's iterations with bounds: a row whose nearest center cannot have changed by the triangle
//! inequality is not looked at.
//!
//! Each row has an upper bound of the distance to its center and a lower bound of that to the other
//! centers of each group of centers (Ding et al. 2015, "Yinyang"); one group is Hamerly's algorithm
//! (2010), and groups of one center are Elkan's (2003) without bounds between centers.
//! Sums of rows follow the changes of labels, so that an iteration costs what changes.

use rayon::prelude::*;

use super::super::centers::{Centers, ROWS, rounding};
use super::super::points::Real;
use super::super::product::{Packed, squared_distance};
use super::data::Data;

/// Centers of a group from which products tell apart those that are far.
const PRODUCTS: usize = 4;

/// Centers and labels at the end of the iterations.
pub(super) struct Fitted<T> {
    /// `[k, columns]`, centered like the data.
    pub(super) centers: Vec<T>,
    pub(super) labels: Vec<u32>,
    pub(super) iterations: usize,
    pub(super) converged: bool,
}

/// When iterations end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) iterations: usize,
    /// The sum of squared shifts of centers at convergence.
    pub(super) shift: f64,
    /// The number of groups of centers.
    pub(super) groups: usize,
}

/// Iterates from starting centers until no label changes, or a limit.
pub(super) fn lloyd<T: Real>(data: &Data<'_, T>, start: Vec<T>, limits: Limits) -> Fitted<T> {
    let mut state = State::new(data, Centers::new(start, data.columns()), limits.groups);
    let mut sums = Sums::new(data.columns(), state.centers.len());
    let all =
        (0..data.rows()).map(|row| Change { row: row as u32, to: state.labels[row], from: None });
    sums.apply(data, &all.collect::<Vec<_>>());
    let (mut iterations, mut converged) = (1, false);
    loop {
        let new = sums.centers(data, &state);
        let shift = state.move_to(new);
        if iterations >= limits.iterations {
            break;
        }
        if shift <= limits.shift && limits.shift > 0.0 {
            converged = true;
            break;
        }
        let changes = state.assign(data);
        iterations += 1;
        if changes.is_empty() {
            converged = true;
            break;
        }
        sums.apply(data, &changes);
    }
    // Labels of the last centers.
    state.assign(data);
    let State { centers, labels, .. } = state;
    Fitted { centers: centers.values().to_vec(), labels, iterations, converged }
}

/// A row that moved from one cluster to another.
#[derive(Debug, Clone, Copy)]
struct Change {
    row: u32,
    to: u32,
    from: Option<u32>,
}

/// The weighted sum of the rows of each cluster.
struct Sums {
    columns: usize,
    /// `[k, columns]`.
    sums: Vec<f64>,
    weights: Vec<f64>,
    /// Rows of positive weight.
    counts: Vec<usize>,
}

impl Sums {
    fn new(columns: usize, count: usize) -> Self {
        let sums = vec![0.0; columns * count];
        Self { columns, sums, weights: vec![0.0; count], counts: vec![0; count] }
    }

    /// Follows changes of labels; each cluster adds its rows in order.
    fn apply<T: Real>(&mut self, data: &Data<'_, T>, changes: &[Change]) {
        let mut moves: Vec<Vec<(u32, f64)>> = vec![Vec::new(); self.weights.len()];
        for change in changes {
            let weight = data.weight(change.row as usize);
            if weight == 0.0 {
                continue;
            }
            let to = change.to as usize;
            moves[to].push((change.row, weight));
            self.weights[to] += weight;
            self.counts[to] += 1;
            if let Some(from) = change.from {
                let from = from as usize;
                moves[from].push((change.row, -weight));
                self.weights[from] -= weight;
                self.counts[from] -= 1;
            }
        }
        self.sums.par_chunks_mut(self.columns).zip(&moves).for_each(|(sums, moves)| {
            for &(row, weight) in moves {
                add(sums, data.row(row as usize), weight);
            }
        });
    }

    /// The mean of each cluster; an empty one gets the row farthest from its center, which leaves its
    /// own cluster, as in scikit-learn.
    fn centers<T: Real>(&self, data: &Data<'_, T>, state: &State<T>) -> Vec<T> {
        let empty: Vec<usize> = (0..self.counts.len()).filter(|&c| self.counts[c] == 0).collect();
        if empty.is_empty() {
            return self.means(&self.sums, &self.weights, state);
        }
        let mut far: Vec<(f64, usize)> = (0..data.rows())
            .into_par_iter()
            .filter(|&row| data.weight(row) > 0.0)
            .map(|row| {
                let center = state.centers.row(state.labels[row] as usize);
                (squared_distance(data.row(row), center).to_f64(), row)
            })
            .collect();
        far.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let (mut sums, mut weights) = (self.sums.clone(), self.weights.clone());
        let mut counts = self.counts.clone();
        for (cluster, (distance, row)) in empty.into_iter().zip(far) {
            let (from, weight) = (state.labels[row] as usize, data.weight(row));
            // Fewer distinct rows than clusters.
            if distance == 0.0 {
                break;
            }
            if counts[from] == 1 {
                continue;
            }
            add(&mut sums[from * self.columns..][..self.columns], data.row(row), -weight);
            add(&mut sums[cluster * self.columns..][..self.columns], data.row(row), weight);
            weights[from] -= weight;
            weights[cluster] += weight;
            counts[from] -= 1;
        }
        self.means(&sums, &weights, state)
    }

    fn means<T: Real>(&self, sums: &[f64], weights: &[f64], state: &State<T>) -> Vec<T> {
        let mut out = state.centers.values().to_vec();
        let clusters = out.chunks_exact_mut(self.columns).zip(sums.chunks_exact(self.columns));
        for ((out, sums), &weight) in clusters.zip(weights) {
            if weight > 0.0 {
                out.iter_mut().zip(sums).for_each(|(x, sum)| *x = T::of(sum / weight));
            }
        }
        out
    }
}

fn add<T: Real>(sums: &mut [f64], row: &[T], weight: f64) {
    if weight == 1.0 {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x.to_f64());
    } else {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * x.to_f64());
    }
}

struct State<T> {
    centers: Centers<T>,
    labels: Vec<u32>,
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
    /// Half the distance of each center to the nearest other one.
    half: Vec<T>,
    /// Factors that make a computed distance a lower or an upper bound.
    down: T,
    up: T,
}

impl<T: Real> State<T> {
    /// Labels by all distances.
    fn new(data: &Data<'_, T>, centers: Centers<T>, groups: usize) -> Self {
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
                    own.centers.squared_distances(rows, squares, found);
                    let bounds = upper.iter_mut().zip(lower.chunks_exact_mut(count));
                    let rows = labels.iter_mut().zip(bounds).zip(found.chunks_exact(k));
                    for (i, ((label, (upper, lower)), found)) in rows.enumerate() {
                        let row = data.row(block * ROWS + i);
                        own.first_label(row, squares[i], found, label, upper, lower);
                    }
                },
            );
        (own.labels, own.upper, own.lower) = (labels, upper, lower);
        own
    }

    /// The label and the bounds of a row from its squared distances, of which those near the least are
    /// computed again from differences.
    fn first_label(
        &self,
        row: &[T],
        square: T,
        found: &[T],
        label: &mut u32,
        upper: &mut T,
        lower: &mut [T],
    ) {
        let mut least = T::INFINITY;
        for (center, &distance) in found.iter().enumerate() {
            least = min(least, distance + self.centers.error(square, center));
        }
        let mut best = T::INFINITY;
        for (center, &distance) in found.iter().enumerate() {
            if distance <= least + self.centers.error(square, center) {
                let exact = squared_distance(row, self.centers.row(center));
                if exact < best {
                    (best, *label) = (exact, center as u32);
                }
            }
        }
        *upper = best.root() * self.up;
        lower.fill(T::INFINITY);
        for (center, &distance) in found.iter().enumerate() {
            if center as u32 != *label {
                let bound = distance - self.centers.error(square, center);
                let bound =
                    if bound > T::default() { bound.root() * self.down } else { T::default() };
                let lower = &mut lower[self.group[center] as usize];
                *lower = min(*lower, bound);
            }
        }
    }

    /// Replaces the centers; the sum of squared shifts.
    fn move_to(&mut self, new: Vec<T>) -> f64 {
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
        self.half = (0..k)
            .into_par_iter()
            .map(|a| {
                let mut least = T::INFINITY;
                for b in (0..k).filter(|&b| b != a) {
                    least = min(least, squared_distance(new.row(a), new.row(b)));
                }
                least.root() * self.down * T::of(0.5)
            })
            .collect();
        self.centers = new;
        self.packed = self.groups.iter().map(|group| self.pack(group)).collect();
        total
    }

    fn pack(&self, group: &[u32]) -> Option<Packed<T>> {
        (group.len() >= PRODUCTS).then(|| {
            let centers = group.iter().flat_map(|&c| self.centers.row(c as usize));
            Packed::new(&centers.copied().collect::<Vec<_>>(), self.centers.row(0).len())
        })
    }

    /// Assigns each row to its nearest center, the first of equals; the rows whose label changed.
    fn assign(&mut self, data: &Data<'_, T>) -> Vec<Change> {
        let count = self.groups.len();
        let mut labels = std::mem::take(&mut self.labels);
        let mut upper = std::mem::take(&mut self.upper);
        let mut lower = std::mem::take(&mut self.lower);
        let changes: Vec<Vec<Change>> = labels
            .par_chunks_mut(ROWS)
            .zip(upper.par_chunks_mut(ROWS).zip(lower.par_chunks_mut(ROWS * count)))
            .enumerate()
            .map(|(block, (labels, (upper, lower)))| {
                self.assign_block(data, block * ROWS, labels, upper, lower)
            })
            .collect();
        (self.labels, self.upper, self.lower) = (labels, upper, lower);
        self.shifts.fill(T::default());
        self.group_shifts.fill(T::default());
        changes.concat()
    }

    /// As [`Self::assign`], for the rows from `first`.
    fn assign_block(
        &self,
        data: &Data<'_, T>,
        first: usize,
        labels: &mut [u32],
        upper: &mut [T],
        lower: &mut [T],
    ) -> Vec<Change> {
        let count = self.groups.len();
        let mut active: Vec<Active<T>> = Vec::new();
        for (i, lower) in lower.chunks_exact_mut(count).enumerate() {
            let (own, row) = (labels[i], data.row(first + i));
            if let Some(exact) = self.tighten(row, own as usize, &mut upper[i], lower) {
                active.push(Active { i, own, exact, best: exact, center: own });
            }
        }
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

    /// Moves the bounds of a row along with the centers; its squared distance to its own center, if another
    /// one may be nearer.
    #[inline]
    fn tighten(&self, row: &[T], own: usize, upper: &mut T, lower: &mut [T]) -> Option<T> {
        *upper = *upper * self.one_up() + self.shifts[own];
        let mut least = T::INFINITY;
        for (lower, &shift) in lower.iter_mut().zip(&self.group_shifts) {
            *lower = *lower * self.one_down() - shift;
            least = min(least, *lower);
        }
        let safe = if self.half[own] > least { self.half[own] } else { least };
        if *upper < safe {
            return None;
        }
        let exact = squared_distance(row, self.centers.row(own));
        *upper = exact.root() * self.up;
        (*upper >= safe).then_some(exact)
    }

    /// Compares a row with the centers of a group other than its own; by products, those that cannot be the
    /// nearest are told apart without their differences.
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
                if exact < active.best || (exact == active.best && center < active.center) {
                    (active.best, active.center) = (exact, center);
                }
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
    #[inline]
    fn lower_bound(&self, squared: T) -> T {
        squared.root() * self.down
    }

    /// Just above 1, for the rounding of a sum.
    #[inline]
    fn one_up(&self) -> T {
        T::of(1.0) + T::EPSILON + T::EPSILON
    }

    /// Just below 1.
    #[inline]
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

#[inline]
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
                add(&mut sums[group as usize * columns..][..columns], centers.row(center), 1.0);
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
