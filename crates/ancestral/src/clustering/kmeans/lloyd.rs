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
use super::super::product::squared_distance;
use super::data::Data;

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
        total
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
            .map_init(Vec::new, |found, (block, (labels, (upper, lower)))| {
                let mut changes = Vec::new();
                let bounds = upper.iter_mut().zip(lower.chunks_exact_mut(count));
                for (i, (label, (upper, lower))) in labels.iter_mut().zip(bounds).enumerate() {
                    let row = block * ROWS + i;
                    let from = *label;
                    self.assign_row(data.row(row), label, upper, lower, found);
                    if *label != from {
                        changes.push(Change { row: row as u32, to: *label, from: Some(from) });
                    }
                }
                changes
            })
            .collect();
        (self.labels, self.upper, self.lower) = (labels, upper, lower);
        self.shifts.fill(T::default());
        self.group_shifts.fill(T::default());
        changes.concat()
    }

    /// As [`Self::assign`], for one row; `found` is a buffer.
    #[inline]
    fn assign_row(
        &self,
        row: &[T],
        label: &mut u32,
        upper: &mut T,
        lower: &mut [T],
        found: &mut Vec<Group<T>>,
    ) {
        let own = *label as usize;
        *upper = *upper * self.one_up() + self.shifts[own];
        let mut least = T::INFINITY;
        for (lower, &shift) in lower.iter_mut().zip(&self.group_shifts) {
            *lower = *lower * self.one_down() - shift;
            least = min(least, *lower);
        }
        let safe = if self.half[own] > least { self.half[own] } else { least };
        if *upper < safe {
            return;
        }
        let exact = squared_distance(row, self.centers.row(own));
        *upper = exact.root() * self.up;
        if *upper < safe {
            return;
        }
        found.clear();
        let (mut best, mut center) = (exact, own as u32);
        for (number, bound) in lower.iter().enumerate() {
            if *bound > *upper {
                continue;
            }
            let mut group = Group { number, first: T::INFINITY, second: T::INFINITY, center: 0 };
            for &other in self.groups[number].iter().filter(|&&other| other as usize != own) {
                let distance = squared_distance(row, self.centers.row(other as usize));
                if distance < group.first {
                    group.second = group.first;
                    (group.first, group.center) = (distance, other);
                } else {
                    group.second = min(group.second, distance);
                }
            }
            let nearer = group.first < best || (group.first == best && group.center < center);
            if group.first < T::INFINITY && nearer {
                (best, center) = (group.first, group.center);
            }
            found.push(group);
        }
        for group in found.iter() {
            let rest = if group.center == center { group.second } else { group.first };
            lower[group.number] = rest.root() * self.down;
        }
        if center as usize != own {
            let left = &mut lower[self.group[own] as usize];
            *left = min(*left, exact.root() * self.down);
            (*label, *upper) = (center, best.root() * self.up);
        }
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

/// The nearest two centers of a group to a row, without the row's own.
struct Group<T> {
    number: usize,
    first: T,
    second: T,
    center: u32,
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
