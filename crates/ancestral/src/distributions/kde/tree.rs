//! Sums of normal kernels over a k-d tree of rows.
//!
//! Around the mean of a node, the kernel e^(−|z|²/2) is expanded to second order, which takes the count
//! and the second moments alone. Its third derivative along any direction is at most
//! (3 s + s³) e^(−s²/2) at a distance s, and 1.38 anywhere, so that the error of each row is at most a
//! sixth of that times the cube of the node's radius. A node is taken as one where this is below its
//! share of the error that the sum so far allows.

/// The rows of a leaf.
const LEAF: usize = 24;
/// The largest third derivative of e^(−s²/2) along a direction, at s² = 3 − √6, rounded up.
const STEEPEST: f64 = 1.381;

/// Rows that are close to each other.
#[derive(Clone, Copy)]
struct Node {
    from: usize,
    to: usize,
    /// Its two parts; none in a leaf.
    parts: Option<(usize, usize)>,
    /// The largest distance of a row from the mean.
    radius: f64,
}

/// Rows in units of a bandwidth.
pub(super) struct Tree {
    columns: usize,
    /// In the order of the nodes.
    rows: Vec<f64>,
    nodes: Vec<Node>,
    /// `[nodes, columns]`.
    lower: Vec<f64>,
    upper: Vec<f64>,
    means: Vec<f64>,
    /// Sums of products of differences from the mean, `[nodes, columns, columns]`.
    products: Vec<f64>,
}

/// A sum that is being formed for one query, relative to e^(−nearest / 2).
struct Sum<'a> {
    query: &'a [f64],
    /// The squared distance of the nearest row.
    nearest: f64,
    total: f64,
    /// A lower bound of the whole sum.
    least: f64,
    /// The relative error by the number of rows.
    allowed: f64,
}

impl Tree {
    /// A tree of rows, each divided by bandwidths.
    pub(super) fn new(points: &[f64], bandwidths: &[f64]) -> Self {
        let columns = bandwidths.len();
        let scaled: Vec<f64> =
            points.iter().zip(bandwidths.iter().cycle()).map(|(x, h)| x / h).collect();
        let mut order: Vec<usize> = (0..points.len() / columns.max(1)).collect();
        let mut tree = Self {
            columns,
            rows: Vec::new(),
            nodes: Vec::new(),
            lower: Vec::new(),
            upper: Vec::new(),
            means: Vec::new(),
            products: Vec::new(),
        };
        let count = order.len();
        tree.node(&scaled, &mut order, (0, count));
        tree.rows = order
            .iter()
            .flat_map(|&i| scaled[i * columns..(i + 1) * columns].iter().copied())
            .collect();
        tree
    }

    /// Adds the node of some rows and those below it; its place.
    fn node(&mut self, scaled: &[f64], order: &mut [usize], (from, to): (usize, usize)) -> usize {
        let d = self.columns;
        let row = |i: usize| &scaled[i * d..(i + 1) * d];
        let (mut lower, mut upper) = (vec![f64::INFINITY; d], vec![f64::NEG_INFINITY; d]);
        let mut mean = vec![0.0; d];
        for &i in order.iter() {
            for (j, &x) in row(i).iter().enumerate() {
                lower[j] = lower[j].min(x);
                upper[j] = upper[j].max(x);
                mean[j] += x;
            }
        }
        mean.iter_mut().for_each(|m| *m /= order.len() as f64);
        let mut products = vec![0.0; d * d];
        let mut radius = 0.0_f64;
        for &i in order.iter() {
            let apart: Vec<f64> = row(i).iter().zip(&mean).map(|(x, m)| x - m).collect();
            radius = radius.max(apart.iter().map(|a| a * a).sum());
            for j in 0..d {
                for k in 0..d {
                    products[j * d + k] += apart[j] * apart[k];
                }
            }
        }
        let widest =
            (0..d).max_by(|&a, &b| (upper[a] - lower[a]).total_cmp(&(upper[b] - lower[b])));
        let place = self.nodes.len();
        self.nodes.push(Node { from, to, parts: None, radius: radius.sqrt() });
        self.lower.extend(&lower);
        self.upper.extend(&upper);
        self.means.extend(mean);
        self.products.extend(products);
        let Some(widest) = widest.filter(|&j| order.len() > LEAF && upper[j] > lower[j]) else {
            return place;
        };
        let middle = order.len() / 2;
        let key = |i: &usize| scaled[i * d + widest];
        order.select_nth_unstable_by(middle, |a, b| key(a).total_cmp(&key(b)).then(a.cmp(b)));
        let (left, right) = order.split_at_mut(middle);
        let one = self.node(scaled, left, (from, from + middle));
        let other = self.node(scaled, right, (from + middle, to));
        if let Some(node) = self.nodes.get_mut(place) {
            node.parts = Some((one, other));
        }
        place
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.columns..(i + 1) * self.columns]
    }

    /// The squared distance of a point from the box of a node.
    fn apart(&self, node: usize, query: &[f64]) -> f64 {
        let at = node * self.columns;
        let ends = self.lower[at..].iter().zip(&self.upper[at..]);
        query.iter().zip(ends).map(|(x, (l, u))| (l - x).max(x - u).max(0.0).powi(2)).sum()
    }

    /// ln Σ e^(−|x − row|² / 2), within a relative error.
    pub(super) fn log_sum(&self, query: &[f64], error: f64) -> f64 {
        let (total, nearest) = self.sum(query, error);
        total.ln() - 0.5 * nearest
    }

    /// The same without one row that is equal to the point.
    pub(super) fn log_sum_without_one(&self, query: &[f64], error: f64) -> f64 {
        let (total, _) = self.sum(query, error);
        // Where the others are far away, their sum has lost digits.
        if total - 1.0 > 1e-3 {
            return (total - 1.0).ln();
        }
        let mut own = true;
        let others = (0..self.rows.len() / self.columns).filter_map(|i| {
            let square = squared(self.row(i), query);
            if own && square == 0.0 {
                own = false;
                return None;
            }
            Some(-0.5 * square)
        });
        super::super::log_sum_exp(&others.collect::<Vec<_>>())
    }

    fn sum(&self, query: &[f64], error: f64) -> (f64, f64) {
        let mut nearest = f64::INFINITY;
        self.near(0, query, &mut nearest);
        let rows = self.rows.len() / self.columns;
        let mut sum = Sum { query, nearest, total: 0.0, least: 1.0, allowed: error / rows as f64 };
        self.add(0, &mut sum, &mut 0.0);
        (sum.total, nearest)
    }

    /// Looks for a nearer row.
    fn near(&self, node: usize, query: &[f64], nearest: &mut f64) {
        if self.apart(node, query) >= *nearest {
            return;
        }
        match self.nodes[node].parts {
            None => {
                for i in self.nodes[node].from..self.nodes[node].to {
                    *nearest = nearest.min(squared(self.row(i), query));
                }
            }
            Some((one, other)) => {
                let swap = self.apart(other, query) < self.apart(one, query);
                let (first, second) = if swap { (other, one) } else { (one, other) };
                self.near(first, query, nearest);
                self.near(second, query, nearest);
            }
        }
    }

    /// Adds the kernels of a node's rows; `least` is the part of them that is certain.
    fn add(&self, node: usize, sum: &mut Sum<'_>, certain: &mut f64) {
        let Node { from, to, parts, radius } = self.nodes[node];
        let d = self.columns;
        let count = (to - from) as f64;
        let closest = self.apart(node, sum.query);
        let limit = sum.allowed * sum.least;
        // All of it is below the error.
        let most = (-0.5 * (closest - sum.nearest)).exp();
        if most <= limit {
            sum.total += 0.5 * most * count;
            return;
        }
        let cube = radius * radius * radius / 6.0;
        let s = closest.sqrt();
        let far = s.max(1.8);
        let steep = (3.0 * far + far * far * far) * (-0.5 * (far * far - sum.nearest)).exp();
        let steep = steep.min(STEEPEST * (0.5 * sum.nearest).exp());
        if cube * steep <= limit || parts.is_none() && radius == 0.0 {
            let mean = &self.means[node * d..(node + 1) * d];
            let products = &self.products[node * d * d..(node + 1) * d * d];
            let (mut square, mut curve) = (0.0, 0.0);
            for j in 0..d {
                let z = sum.query[j] - mean[j];
                square += z * z;
                for k in 0..d {
                    curve += products[j * d + k] * z * (sum.query[k] - mean[k]);
                }
                curve -= products[j * d + j];
            }
            let kernel = (-0.5 * (square - sum.nearest)).exp();
            let part = (kernel * (count + 0.5 * curve)).max(0.0);
            sum.total += part;
            *certain += (part - count * limit).max(0.0);
            sum.least = sum.least.max(*certain);
            return;
        }
        match parts {
            None => {
                let mut part = 0.0;
                for i in from..to {
                    part += (-0.5 * (squared(self.row(i), sum.query) - sum.nearest)).exp();
                }
                sum.total += part;
                *certain += part;
                sum.least = sum.least.max(*certain);
            }
            Some((one, other)) => {
                let swap = self.apart(other, sum.query) < self.apart(one, sum.query);
                let (first, second) = if swap { (other, one) } else { (one, other) };
                self.add(first, sum, certain);
                self.add(second, sum, certain);
            }
        }
    }
}

/// The squared distance of two rows.
fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}
