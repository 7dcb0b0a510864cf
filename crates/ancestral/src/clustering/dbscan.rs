//! DBSCAN (Ester, Kriegel, Sander and Xu 1996): a row with at least `min_samples` rows within `eps`,
//! itself included, is a core row; core rows within `eps` of each other are in one cluster; another row
//! within `eps` of a core row is a border row, and all remaining rows are noise.
//!
//! The result is exact, with the memory of a few numbers a row. Clusters are numbered by their lowest
//! core row, and a border row between clusters belongs to the lowest of them, as in scikit-learn.
//!
//! Up to [`TREE_COLUMNS`] columns, a k-d tree finds neighbors: nodes with a diameter of at most `eps` are
//! cells, whose core rows are in one cluster without looking at distances, and cells are joined by the
//! distances of nodes wherever these suffice. In more columns, all pairs of distinct rows are compared in blocks.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rayon::prelude::*;

use super::error::{Error, Result, setting};
use super::metric::{Cosine, Euclidean, Manhattan, Metric, Norm};
use super::points::{Points, Real};
use super::tree::Tree;
use super::union_find::UnionFind;
use super::watch::{Watch, Work};
use super::within::Within;

/// Most columns for which a tree is used.
const TREE_COLUMNS: usize = 16;
/// Pairs of rows from which a node's pairs are joined in parallel.
const PARALLEL: usize = 1 << 14;
/// Rows after which progress is counted.
const COUNTED: usize = 256;

/// Settings of DBSCAN, with scikit-learn's names and defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DbscanConfig {
    /// The largest distance between neighbors, above 0.
    pub eps: f64,
    /// Neighbors that make a row a core row, itself included; at least 1.
    pub min_samples: usize,
    /// The distance.
    pub metric: Metric,
}

impl Default for DbscanConfig {
    fn default() -> Self {
        Self { eps: 0.5, min_samples: 5, metric: Metric::Euclidean }
    }
}

/// The clusters that DBSCAN found.
#[derive(Debug, Clone, PartialEq)]
pub struct Dbscan {
    /// The cluster of each row; `None` is noise.
    pub labels: Vec<Option<u32>>,
    /// Whether each row is a core row.
    pub core: Vec<bool>,
    /// The number of clusters.
    pub clusters: usize,
}

impl DbscanConfig {
    /// Clusters rows.
    ///
    /// # Errors
    /// If a setting is out of range, or a row is all zeros and the metric is cosine.
    pub fn fit<T: Real>(&self, points: Points<'_, T>) -> Result<Dbscan> {
        self.fit_watched(points, &mut Watch::new(None, &mut |_, _| {}))
    }

    /// The same while someone watches.
    ///
    /// # Errors
    /// As [`Self::fit`], and [`Error::Stopped`] if it is stopped.
    pub fn fit_watched<T: Real>(
        &self,
        points: Points<'_, T>,
        watch: &mut Watch<'_>,
    ) -> Result<Dbscan> {
        if !(self.eps > 0.0 && self.eps.is_finite()) {
            return setting("eps", self.eps, "it is a finite number above 0");
        }
        if self.min_samples == 0 {
            return setting("min_samples", 0, "it is at least 1");
        }
        let (rows, columns) = (points.rows(), points.columns());
        let values = self.metric.prepare(points)?;
        if self.min_samples > rows {
            return Ok(Dbscan { labels: vec![None; rows], core: vec![false; rows], clusters: 0 });
        }
        let found = watch.during(|work| match self.metric {
            Metric::Euclidean => self.run::<Euclidean>(&values, columns, work),
            Metric::Manhattan => self.run::<Manhattan>(&values, columns, work),
            Metric::Cosine => self.run::<Cosine>(&values, columns, work),
        });
        if watch.is_stopped() { Err(Error::Stopped) } else { Ok(found) }
    }

    fn run<N: Norm>(&self, values: &[f64], columns: usize, work: &Work<'_>) -> Dbscan {
        let eps = N::reduce(self.eps);
        if columns <= TREE_COLUMNS {
            by_tree::<N>(values, columns, eps, self.min_samples, work)
        } else {
            let products = self.metric != Metric::Manhattan;
            of_distinct(values, columns, &|values, weights| {
                let within = Within::new::<N>(values, columns, weights, eps, products, work);
                by_pairs(&within, weights.len(), self.min_samples)
            })
        }
    }
}

/// Clusters distinct rows, with the numbers of rows equal to each; equal rows are alike.
fn of_distinct(values: &[f64], columns: usize, fit: &dyn Fn(&[f64], &[u32]) -> Dbscan) -> Dbscan {
    let row = |i: u32| &values[i as usize * columns..][..columns];
    let compare = |a: u32, b: u32| {
        let pairs = row(a).iter().zip(row(b));
        pairs.map(|(x, y)| x.total_cmp(y)).find(|order| order.is_ne())
    };
    let rows = values.len() / columns;
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.par_sort_unstable_by(|&a, &b| compare(a, b).unwrap_or_else(|| a.cmp(&b)));
    // The first row that is equal to each; numbers of distinct rows follow these, so that clusters keep
    // theirs.
    let mut first = vec![0; rows];
    for equal in order.chunk_by(|&a, &b| compare(a, b).is_none()) {
        equal.iter().for_each(|&row| first[row as usize] = equal[0]);
    }
    let (mut numbers, mut weights, mut distinct) = (vec![0; rows], Vec::new(), Vec::new());
    for i in 0..rows as u32 {
        let of = first[i as usize];
        if of == i {
            numbers[i as usize] = weights.len();
            weights.push(0);
            distinct.extend_from_slice(row(i));
        }
        numbers[i as usize] = numbers[of as usize];
        weights[numbers[i as usize]] += 1;
    }
    let found = fit(&distinct, &weights);
    Dbscan {
        labels: numbers.iter().map(|&number| found.labels[number]).collect(),
        core: numbers.iter().map(|&number| found.core[number]).collect(),
        clusters: found.clusters,
    }
}

/// The distance of each row to its `k`-th nearest row, itself included, in ascending order: the curve
/// whose bend suggests `eps` for `min_samples = k`.
///
/// # Errors
/// If `k` is 0 or above the number of rows, or a row is all zeros and the metric is cosine.
pub fn k_distances<T: Real>(points: Points<'_, T>, k: usize, metric: Metric) -> Result<Vec<f64>> {
    k_distances_watched(points, k, metric, &mut Watch::new(None, &mut |_, _| {}))
}

/// [`k_distances`] while someone watches.
///
/// # Errors
/// As [`k_distances`], and [`Error::Stopped`] if it is stopped.
pub fn k_distances_watched<T: Real>(
    points: Points<'_, T>,
    k: usize,
    metric: Metric,
    watch: &mut Watch<'_>,
) -> Result<Vec<f64>> {
    if k == 0 {
        return setting("min_samples", 0, "it is at least 1");
    }
    if k > points.rows() {
        return Err(Error::Mismatch { what: "min_samples", found: k, expected: points.rows() });
    }
    fn run<N: Norm>(values: &[f64], columns: usize, k: usize, work: &Work<'_>) -> Vec<f64> {
        work.expect(values.len() / columns);
        let tree = Tree::new(values, columns);
        let mut found: Vec<f64> = (0..tree.len())
            .into_par_iter()
            .map_init(Vec::new, |nearest, position| {
                if position % COUNTED == 0 {
                    work.add(COUNTED);
                }
                if work.is_stopped() {
                    return 0.0;
                }
                tree.nearest::<N>(tree.at(position), k, nearest);
                nearest.last().map_or(0.0, |last| N::restore(last.0))
            })
            .collect();
        found.sort_by(f64::total_cmp);
        found
    }
    let (values, columns) = (metric.prepare(points)?, points.columns());
    let found = watch.during(|work| match metric {
        Metric::Euclidean => run::<Euclidean>(&values, columns, k, work),
        Metric::Manhattan => run::<Manhattan>(&values, columns, k, work),
        Metric::Cosine => run::<Cosine>(&values, columns, k, work),
    });
    if watch.is_stopped() { Err(Error::Stopped) } else { Ok(found) }
}

/// Numbers clusters by their lowest core row: the label of each core row, whose set is `set(row)`, and
/// the number of clusters.
fn number(rows: usize, set: impl Fn(usize) -> Option<usize>) -> (Vec<Option<u32>>, usize) {
    let mut names = vec![u32::MAX; rows];
    let (mut labels, mut clusters) = (vec![None; rows], 0);
    for (row, label) in labels.iter_mut().enumerate() {
        if let Some(set) = set(row) {
            let name = &mut names[set];
            if *name == u32::MAX {
                *name = clusters;
                clusters += 1;
            }
            *label = Some(*name);
        }
    }
    (labels, clusters as usize)
}

/// DBSCAN by k-d trees of all rows and of the core rows.
fn by_tree<N: Norm>(
    values: &[f64],
    columns: usize,
    eps: f64,
    min_samples: usize,
    work: &Work<'_>,
) -> Dbscan {
    let rows = values.len() / columns;
    // Counting, joining and border rows.
    work.expect(3 * rows);
    let tree = Tree::new(values, columns);
    let core = core_rows::<N>(&tree, eps, min_samples, work);
    let core_tree = if core.iter().all(|&core| core) {
        tree
    } else {
        let rows = (0..rows as u32).filter(|&row| core[row as usize]).collect();
        Tree::of_rows(values, columns, rows)
    };
    let join = Join::<N>::new(&core_tree, eps, work);
    if core_tree.len() > 0 {
        join.within(0);
    }
    let mut positions = vec![0; rows];
    for (position, &row) in core_tree.order().iter().enumerate() {
        positions[row as usize] = position;
    }
    let set = |row: usize| core[row].then(|| join.sets.find(positions[row]));
    let (mut labels, clusters) = number(rows, set);
    if core_tree.len() > 0 && core_tree.len() < rows {
        let lowest = LowestLabels::new(&core_tree, &labels);
        let border: Vec<Option<u32>> = (0..rows)
            .into_par_iter()
            .map(|row| {
                if row % COUNTED == 0 {
                    work.add(COUNTED);
                }
                if core[row] || work.is_stopped() {
                    return labels[row];
                }
                let mut best = u32::MAX;
                lowest.search::<N>(&values[row * columns..][..columns], eps, 0, &mut best);
                (best != u32::MAX).then_some(best)
            })
            .collect();
        labels = border;
    }
    Dbscan { labels, core, clusters }
}

/// Which rows have at least `min_samples` rows within `eps`.
fn core_rows<N: Norm>(tree: &Tree, eps: f64, min_samples: usize, work: &Work<'_>) -> Vec<bool> {
    // Dense cells are all core; the rows of other leaves are counted.
    let (mut dense, mut leaves, mut stack) = (Vec::new(), Vec::new(), vec![0]);
    while let Some(node) = stack.pop() {
        let own = &tree.nodes()[node];
        if own.len() >= min_samples && tree.reach::<N>(node, node) <= eps {
            dense.push(own.range());
        } else if own.is_leaf() {
            leaves.push(node);
        } else {
            let (left, right) = tree.children(node);
            stack.extend([right, left]);
        }
    }
    work.add(dense.iter().map(ExactSizeIterator::len).sum());
    let counted: Vec<Vec<bool>> = leaves
        .par_iter()
        .map_init(Vec::new, |near, &leaf| {
            work.add(tree.nodes()[leaf].len());
            match work.is_stopped() {
                true => Vec::new(),
                false => count_leaf::<N>(tree, leaf, eps, min_samples, near),
            }
        })
        .collect();
    let mut core = vec![false; tree.len()];
    for position in dense.into_iter().flatten() {
        core[tree.order()[position] as usize] = true;
    }
    for (&leaf, found) in leaves.iter().zip(&counted) {
        for (position, &is_core) in tree.nodes()[leaf].range().zip(found) {
            core[tree.order()[position] as usize] = is_core;
        }
    }
    core
}

/// Which rows of a leaf are core rows; `near` is a buffer.
fn count_leaf<N: Norm>(
    tree: &Tree,
    leaf: usize,
    eps: f64,
    min_samples: usize,
    near: &mut Vec<usize>,
) -> Vec<bool> {
    near.clear();
    let own = &tree.nodes()[leaf];
    // Rows within eps of every row of the leaf, and the leaves that need a look.
    let mut whole = 0;
    let mut stack = vec![0];
    while let Some(node) = stack.pop() {
        if tree.gap::<N>(leaf, node) > eps {
            continue;
        }
        if tree.reach::<N>(leaf, node) <= eps {
            whole += tree.nodes()[node].len();
            if whole >= min_samples {
                return vec![true; own.len()];
            }
        } else if tree.nodes()[node].is_leaf() {
            near.push(node);
        } else {
            let (left, right) = tree.children(node);
            stack.extend([right, left]);
        }
    }
    own.range()
        .map(|position| {
            let row = tree.at(position);
            let mut count = whole;
            for &node in near.iter() {
                if tree.least::<N>(row, node) > eps {
                    continue;
                }
                let others = tree.nodes()[node].range();
                count += others.filter(|&other| N::between(row, tree.at(other)) <= eps).count();
                if count >= min_samples {
                    return true;
                }
            }
            false
        })
        .collect()
}

/// Joins the rows of a tree that are within `eps`.
struct Join<'a, N> {
    tree: &'a Tree,
    eps: f64,
    /// Whether each node is a cell: its diameter is at most `eps`.
    cells: Vec<bool>,
    sets: UnionFind,
    work: &'a Work<'a>,
    norm: std::marker::PhantomData<N>,
}

impl<'a, N: Norm> Join<'a, N> {
    fn new(tree: &'a Tree, eps: f64, work: &'a Work<'a>) -> Self {
        let nodes = 0..tree.nodes().len();
        let cells = nodes.map(|node| tree.reach::<N>(node, node) <= eps).collect();
        let sets = UnionFind::new(tree.len());
        Self { tree, eps, cells, sets, work, norm: std::marker::PhantomData }
    }

    /// Joins all pairs within a node.
    fn within(&self, node: usize) {
        let own = &self.tree.nodes()[node];
        if self.cells[node] {
            self.work.add(own.len());
            let first = own.range().start;
            own.range().skip(1).for_each(|other| {
                self.sets.join(first, other);
            });
        } else if own.is_leaf() {
            self.work.add(own.len());
            for a in own.range() {
                (own.range().start..a).for_each(|b| self.pair(a, b));
            }
        } else {
            let (left, right) = self.tree.children(node);
            if own.len() >= PARALLEL {
                rayon::join(|| self.within(left), || self.within(right));
            } else {
                self.within(left);
                self.within(right);
            }
            self.between(left, right);
        }
    }

    /// Joins all pairs between two nodes, each already joined within.
    fn between(&self, a: usize, b: usize) {
        let tree = self.tree;
        if tree.gap::<N>(a, b) > self.eps || self.work.is_stopped() {
            return;
        }
        let (node_a, node_b) = (&tree.nodes()[a], &tree.nodes()[b]);
        let (first_a, first_b) = (node_a.range().start, node_b.range().start);
        let (open_a, open_b) =
            (!self.cells[a] && !node_a.is_leaf(), !self.cells[b] && !node_b.is_leaf());
        match (self.cells[a], self.cells[b]) {
            (true, true) => {
                if !self.sets.same(first_a, first_b) && self.touch(a, b) {
                    self.sets.join(first_a, first_b);
                }
            }
            (_, _) if open_a || open_b => {
                let split_a = open_a && (!open_b || node_a.len() >= node_b.len());
                let (split, other) = if split_a { (a, b) } else { (b, a) };
                let (left, right) = tree.children(split);
                if node_a.len() + node_b.len() >= PARALLEL {
                    rayon::join(|| self.between(left, other), || self.between(right, other));
                } else {
                    self.between(left, other);
                    self.between(right, other);
                }
            }
            (true, false) => node_b.range().for_each(|row| self.row_and_cell(row, a)),
            (false, true) => node_a.range().for_each(|row| self.row_and_cell(row, b)),
            (false, false) => {
                for row in node_a.range() {
                    if tree.least::<N>(tree.at(row), b) <= self.eps {
                        node_b.range().for_each(|other| self.pair(row, other));
                    }
                }
            }
        }
    }

    fn pair(&self, a: usize, b: usize) {
        if N::between(self.tree.at(a), self.tree.at(b)) <= self.eps {
            self.sets.join(a, b);
        }
    }

    fn row_and_cell(&self, row: usize, cell: usize) {
        let first = self.tree.nodes()[cell].range().start;
        if !self.sets.same(row, first) && self.row_touches(self.tree.at(row), cell) {
            self.sets.join(row, first);
        }
    }

    /// Whether some row of a node is within `eps` of a row.
    fn row_touches(&self, row: &[f64], node: usize) -> bool {
        let tree = self.tree;
        if tree.least::<N>(row, node) > self.eps {
            return false;
        }
        if tree.most::<N>(row, node) <= self.eps {
            return true;
        }
        let own = &tree.nodes()[node];
        if own.is_leaf() {
            return own.range().any(|other| N::between(row, tree.at(other)) <= self.eps);
        }
        let (left, right) = tree.children(node);
        self.row_touches(row, left) || self.row_touches(row, right)
    }

    /// Whether some pair between two nodes is within `eps`.
    fn touch(&self, a: usize, b: usize) -> bool {
        let tree = self.tree;
        if tree.gap::<N>(a, b) > self.eps || self.work.is_stopped() {
            return false;
        }
        if tree.reach::<N>(a, b) <= self.eps {
            return true;
        }
        let (node_a, node_b) = (&tree.nodes()[a], &tree.nodes()[b]);
        if node_a.is_leaf() {
            return node_a.range().any(|row| self.row_touches(tree.at(row), b));
        }
        if node_b.is_leaf() {
            return node_b.range().any(|row| self.row_touches(tree.at(row), a));
        }
        let (split, other) = if node_a.len() >= node_b.len() { (a, b) } else { (b, a) };
        let (left, right) = tree.children(split);
        // The nearer half first.
        let nearer = tree.gap::<N>(left, other) <= tree.gap::<N>(right, other);
        let (first, second) = if nearer { (left, right) } else { (right, left) };
        self.touch(first, other) || self.touch(second, other)
    }
}

/// The lowest cluster in each node of a tree of core rows.
struct LowestLabels<'a> {
    tree: &'a Tree,
    /// By position.
    labels: Vec<u32>,
    /// By node.
    lowest: Vec<u32>,
}

impl<'a> LowestLabels<'a> {
    fn new(tree: &'a Tree, labels: &[Option<u32>]) -> Self {
        let labels: Vec<u32> =
            tree.order().iter().map(|&row| labels[row as usize].unwrap_or(u32::MAX)).collect();
        let mut lowest = vec![u32::MAX; tree.nodes().len()];
        for (node, own) in tree.nodes().iter().enumerate().rev() {
            lowest[node] = if own.is_leaf() {
                labels[own.range()].iter().copied().min().unwrap_or(u32::MAX)
            } else {
                let (left, right) = tree.children(node);
                lowest[left].min(lowest[right])
            };
        }
        Self { tree, labels, lowest }
    }

    /// Lowers `best` to the lowest cluster of rows within `eps` of a row.
    fn search<N: Norm>(&self, row: &[f64], eps: f64, node: usize, best: &mut u32) {
        let tree = self.tree;
        if self.lowest[node] >= *best || tree.least::<N>(row, node) > eps {
            return;
        }
        let own = &tree.nodes()[node];
        if tree.most::<N>(row, node) <= eps {
            *best = self.lowest[node];
        } else if own.is_leaf() {
            for position in own.range() {
                if self.labels[position] < *best && N::between(row, tree.at(position)) <= eps {
                    *best = self.labels[position];
                }
            }
        } else {
            let (left, right) = tree.children(node);
            self.search::<N>(row, eps, left, best);
            self.search::<N>(row, eps, right, best);
        }
    }
}

/// DBSCAN from all pairs of rows within `eps`; they are found again for each step where there are more
/// of them than a few a row.
fn by_pairs(within: &Within<'_>, rows: usize, min_samples: usize) -> Dbscan {
    let counts = within.counts();
    let core: Vec<bool> = counts.iter().map(|&count| count as usize >= min_samples).collect();
    let sets = UnionFind::new(rows);
    // Blocks whose core rows are in one set already.
    let joined = |rows: [&[u32]; 2]| {
        let mut core = rows.into_iter().flatten().filter(|&&row| core[row as usize]);
        let first = core.next();
        first.is_none_or(|&first| core.all(|&row| sets.same(first as usize, row as usize)))
    };
    within.for_each(&joined, &|a, b| {
        if core[a] && core[b] {
            sets.join(a, b);
        }
    });
    let (labels, clusters) = number(rows, |row| core[row].then(|| sets.find(row)));
    let border: Vec<AtomicU32> =
        labels.iter().map(|label| AtomicU32::new(label.unwrap_or(u32::MAX))).collect();
    if clusters > 0 && core.contains(&false) {
        let lower = |row: usize, label: Option<u32>| {
            if let Some(label) = label {
                border[row].fetch_min(label, Relaxed);
            }
        };
        // Blocks without core rows, or of nothing else.
        let alike = |rows: [&[u32]; 2]| {
            let mut core = rows.into_iter().flatten().map(|&row| core[row as usize]);
            let first = core.next();
            core.all(|other| Some(other) == first)
        };
        within.for_each(&alike, &|a, b| match (core[a], core[b]) {
            (true, false) => lower(b, labels[a]),
            (false, true) => lower(a, labels[b]),
            _ => {}
        });
    }
    let labels = border
        .into_iter()
        .map(|label| Some(label.into_inner()).filter(|&label| label != u32::MAX))
        .collect();
    Dbscan { labels, core, clusters }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Noise, blobs, canonical, permuted, reordered};
    use super::*;

    /// The definition, with all distances.
    fn plain<N: Norm>(values: &[f64], columns: usize, eps: f64, min_samples: usize) -> Dbscan {
        let row = |i: usize| &values[i * columns..][..columns];
        let (rows, eps) = (values.len() / columns, N::reduce(eps));
        let near = |i: usize| (0..rows).filter(move |&j| N::between(row(i), row(j)) <= eps);
        let core: Vec<bool> = (0..rows).map(|i| near(i).count() >= min_samples).collect();
        let (mut labels, mut clusters) = (vec![None; rows], 0);
        for i in 0..rows {
            if core[i] && labels[i].is_none() {
                labels[i] = Some(clusters as u32);
                let mut stack = vec![i];
                while let Some(i) = stack.pop() {
                    for j in near(i) {
                        if labels[j].is_none() {
                            labels[j] = Some(clusters as u32);
                            if core[j] {
                                stack.push(j);
                            }
                        }
                    }
                }
                clusters += 1;
            }
        }
        Dbscan { labels, core, clusters }
    }

    fn fit(values: &[f64], columns: usize, config: DbscanConfig) -> Dbscan {
        config.fit(Points::new(values, columns).unwrap()).unwrap()
    }

    #[test]
    fn clusters_are_those_of_the_definition() {
        for (columns, metric) in [
            (1, Metric::Euclidean),
            (2, Metric::Euclidean),
            (2, Metric::Manhattan),
            (3, Metric::Cosine),
            (7, Metric::Euclidean),
            (20, Metric::Euclidean),
            (20, Metric::Manhattan),
            (20, Metric::Cosine),
        ] {
            let mut noise = Noise::new(columns as u64);
            let mut values = noise.normals(500 * columns);
            // Rounded values give ties and equal rows.
            values[..250 * columns].iter_mut().for_each(|x| *x = (*x * 2.0).round() / 2.0);
            // Cosine needs rows that are not zero.
            values.iter_mut().step_by(columns).for_each(|x| *x += 8.0);
            values.copy_within(..60 * columns, 300 * columns);
            for (quantile, min_samples) in [(0.002, 3), (0.01, 5), (0.05, 40), (0.3, 10)] {
                let config = DbscanConfig { eps: 1.0, min_samples, metric };
                let rows = metric.prepare(Points::new(&values, columns).unwrap()).unwrap();
                let row = |i: usize| &rows[i * columns..][..columns];
                let mut all: Vec<f64> = (0..500)
                    .flat_map(|i| (0..i).map(move |j| metric.distance(row(i), row(j))))
                    .filter(|&d| d > 0.0)
                    .collect();
                all.sort_by(f64::total_cmp);
                // A distance of the data itself, so that some are equal to eps.
                let eps = all[(all.len() as f64 * quantile) as usize];
                let config = DbscanConfig { eps, ..config };
                let want = match metric {
                    Metric::Euclidean => plain::<Euclidean>(&rows, columns, eps, min_samples),
                    Metric::Manhattan => plain::<Manhattan>(&rows, columns, eps, min_samples),
                    Metric::Cosine => plain::<Cosine>(&rows, columns, eps, min_samples),
                };
                assert_eq!(fit(&values, columns, config), want, "{columns} {config:?}");
            }
        }
    }

    #[test]
    fn trees_and_pairs_agree_far_from_the_origin() {
        let mut values = blobs(3, 200, 1.0, 5);
        values.iter_mut().for_each(|x| *x += 1e7);
        let eps = 0.5f64.powi(2);
        let work = Work::alone();
        let by_trees = by_tree::<Euclidean>(&values, 2, eps, 6, &work);
        let within = Within::new::<Euclidean>(&values, 2, &[1; 600], eps, true, &work);
        assert_eq!(by_trees, by_pairs(&within, 600, 6));
        assert_eq!(by_trees, plain::<Euclidean>(&values, 2, 0.5, 6));
        assert!(by_trees.clusters >= 3 && by_trees.labels.contains(&None));
    }

    #[test]
    fn a_border_row_belongs_to_the_cluster_with_the_lowest_core_row() {
        // Rows 0 to 2 and 3 to 5 are core rows; row 6 lies between them.
        let values = [4.0, 5.0, 4.5, 0.0, 1.0, 0.5, 2.5];
        let config = DbscanConfig { eps: 1.5, min_samples: 4, ..DbscanConfig::default() };
        let found = fit(&values, 1, config);
        assert_eq!(found.core, [true, false, false, false, true, false, false]);
        let [first, second] = [Some(0), Some(1)];
        assert_eq!(found.labels, [first, first, first, second, second, second, first]);
    }

    #[test]
    fn neighbors_at_a_distance_of_eps_count_and_a_row_counts_itself() {
        let config = DbscanConfig { eps: 1.0, min_samples: 2, ..DbscanConfig::default() };
        assert_eq!(fit(&[0.0, 1.0, 2.0, 3.5], 1, config).labels, [Some(0), Some(0), Some(0), None]);
        let alone = DbscanConfig { min_samples: 1, ..config };
        assert_eq!(fit(&[0.0, 5.0], 1, alone).labels, [Some(0), Some(1)]);
        let many = DbscanConfig { min_samples: 3, ..config };
        assert_eq!(fit(&[0.0, 1.0], 1, many).labels, [None, None]);
    }

    #[test]
    fn equal_rows_and_a_huge_eps_need_no_pairs() {
        let config = DbscanConfig { eps: 0.1, min_samples: 5, ..DbscanConfig::default() };
        let equal = fit(&[2.0; 80_000], 2, config);
        assert!(equal.clusters == 1 && equal.labels.iter().all(|&label| label == Some(0)));
        let wide = fit(&[2.0; 40_000 * 20], 20, config);
        assert!(wide.clusters == 1 && wide.core.iter().all(|&core| core));
        let values = Noise::new(1).normals(40_000 * 2);
        let huge = fit(&values, 2, DbscanConfig { eps: 1e9, ..config });
        assert!(huge.clusters == 1 && huge.core.iter().all(|&core| core));
        // Two piles of equal rows just out of reach of each other.
        let mut piles = vec![0.0; 20_000];
        piles.extend(vec![0.1 + 1e-9; 20_000]);
        assert_eq!(fit(&piles, 1, config).clusters, 2);
        let tiny = fit(&values[..2000], 2, DbscanConfig { eps: f64::MIN_POSITIVE, ..config });
        assert!(tiny.clusters == 0 && tiny.labels.iter().all(Option::is_none));
    }

    #[test]
    fn the_order_of_rows_and_the_number_of_threads_do_not_matter() {
        let values = blobs(5, 80, 1.5, 9);
        let order = Noise::new(2).permutation(400);
        let config = DbscanConfig { eps: 0.8, min_samples: 5, ..DbscanConfig::default() };
        let found = fit(&values, 2, config);
        let moved = fit(&permuted(&values, 2, &order), 2, config);
        assert_eq!(moved.core, reordered(&found.core, &order));
        // Clusters are sets of core rows; border rows may belong to several.
        let of_core = |found: &Dbscan, labels: Vec<Option<u32>>| {
            canonical(
                &labels.iter().zip(&found.core).map(|(l, &c)| l.filter(|_| c)).collect::<Vec<_>>(),
            )
        };
        let labels = reordered(&found.labels, &order);
        assert_eq!(of_core(&moved, labels.clone()), of_core(&moved, moved.labels.clone()));
        assert!(labels.iter().zip(&moved.labels).all(|(a, b)| a.is_none() == b.is_none()));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(|| fit(&values, 2, config)), found);
    }

    #[test]
    fn a_flag_stops_it_without_a_result() {
        use std::sync::atomic::AtomicBool;
        let stop = AtomicBool::new(true);
        for columns in [2, 20] {
            let values = Noise::new(3).normals(4000 * columns);
            let points = Points::new(&values, columns).unwrap();
            let mut tell = |_, _| {};
            let watch = &mut Watch::new(Some(&stop), &mut tell);
            let config = DbscanConfig { eps: 1.0, min_samples: 3, ..DbscanConfig::default() };
            assert_eq!(config.fit_watched(points, watch), Err(Error::Stopped));
            let curve = k_distances_watched(points, 3, Metric::Euclidean, watch);
            assert_eq!(curve, Err(Error::Stopped));
        }
    }

    #[test]
    fn the_k_distance_curve_ascends() {
        let values = [0.0, 1.0, 3.0, 7.0];
        let points = Points::new(&values, 1).unwrap();
        assert_eq!(k_distances(points, 2, Metric::Euclidean).unwrap(), [1.0, 1.0, 2.0, 4.0]);
        assert_eq!(k_distances(points, 1, Metric::Manhattan).unwrap(), [0.0; 4]);
        assert!(k_distances(points, 5, Metric::Euclidean).is_err());
    }

    #[test]
    fn bad_input_is_an_error() {
        assert_eq!(Points::<f64>::new(&[], 2).unwrap_err(), Error::Empty);
        assert!(Points::new(&[1.0, 2.0, 3.0], 2).is_err());
        let missing = Points::new(&[1.0, 2.0, f64::NAN, 3.0], 2).unwrap_err().to_string();
        assert!(missing.contains("row 1, column 0") && missing.contains("missing"), "{missing}");
        let points = Points::new(&[0.0, 0.0, 1.0, 1.0], 2).unwrap();
        for eps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(DbscanConfig { eps, ..DbscanConfig::default() }.fit(points).is_err());
        }
        let cosine = DbscanConfig { metric: Metric::Cosine, min_samples: 1, eps: 0.1 };
        assert_eq!(cosine.fit(points).unwrap_err(), Error::ZeroRow { row: 0 });
    }
}
