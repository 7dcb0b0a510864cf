//! A k-d tree: rows split at the median of the widest column, down to small leaves.
//!
//! Rows are stored in the tree's order, so that a node is a range of rows; "position" is a row's number
//! in this order. Equal rows are split like others, so that leaves are small for any data.

use std::ops::Range;

use super::metric::{Norm, gap, reach};

/// Most rows of a leaf.
const LEAF: usize = 16;
/// Rows of a node from which its halves are built in parallel.
const PARALLEL: usize = 8192;

/// A node: a range of positions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    start: u32,
    end: u32,
    /// The number of the right child, after the nodes under the left child, which is the next node; 0
    /// for a leaf.
    right: u32,
}

impl Node {
    /// Its positions.
    pub(super) fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The number of its rows.
    pub(super) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it has no children.
    pub(super) fn is_leaf(&self) -> bool {
        self.right == 0
    }
}

/// A k-d tree over rows `[n, columns]`.
#[derive(Debug)]
pub(super) struct Tree {
    columns: usize,
    /// The rows by position.
    values: Vec<f64>,
    /// The row at each position.
    order: Vec<u32>,
    nodes: Vec<Node>,
    /// Low and high corner of each node `[nodes, 2, columns]`.
    boxes: Vec<f64>,
}

impl Tree {
    /// A tree over all rows.
    pub(super) fn new(values: &[f64], columns: usize) -> Self {
        let rows = (0..(values.len() / columns) as u32).collect();
        Self::of_rows(values, columns, rows)
    }

    /// A tree over some rows.
    pub(super) fn of_rows(values: &[f64], columns: usize, mut order: Vec<u32>) -> Self {
        let (nodes, boxes) = if order.is_empty() {
            (Vec::new(), Vec::new())
        } else {
            build(values, columns, &mut order, 0)
        };
        let mut own = Vec::with_capacity(order.len() * columns);
        for &row in &order {
            own.extend_from_slice(&values[row as usize * columns..][..columns]);
        }
        Self { columns, values: own, order, nodes, boxes }
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// All nodes, parents before children.
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The children of a node that is not a leaf.
    #[inline]
    pub(super) fn children(&self, node: usize) -> (usize, usize) {
        (node + 1, self.nodes[node].right as usize)
    }

    /// The values at a position.
    #[inline]
    pub(super) fn at(&self, position: usize) -> &[f64] {
        &self.values[position * self.columns..][..self.columns]
    }

    /// The row at each position.
    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }

    #[inline]
    fn corners(&self, node: usize) -> (&[f64], &[f64]) {
        self.boxes[node * 2 * self.columns..][..2 * self.columns].split_at(self.columns)
    }

    /// The least reduced distance of a row to a node.
    #[inline]
    pub(super) fn least<N: Norm>(&self, row: &[f64], node: usize) -> f64 {
        let (low, high) = self.corners(node);
        N::least(row, low, high)
    }

    /// The largest reduced distance of a row to a node.
    #[inline]
    pub(super) fn most<N: Norm>(&self, row: &[f64], node: usize) -> f64 {
        let (low, high) = self.corners(node);
        N::most(row, low, high)
    }

    /// The least reduced distance between two nodes.
    #[inline]
    pub(super) fn gap<N: Norm>(&self, a: usize, b: usize) -> f64 {
        let ((low_a, high_a), (low_b, high_b)) = (self.corners(a), self.corners(b));
        gap::<N>(low_a, high_a, low_b, high_b)
    }

    /// The largest reduced distance between two nodes; of a node to itself, its diameter.
    #[inline]
    pub(super) fn reach<N: Norm>(&self, a: usize, b: usize) -> f64 {
        let ((low_a, high_a), (low_b, high_b)) = (self.corners(a), self.corners(b));
        reach::<N>(low_a, high_a, low_b, high_b)
    }

    /// The reduced distances from a row to its `k` nearest rows, in ascending order, into `nearest`,
    /// with their positions; a row of the tree is its own nearest.
    pub(super) fn nearest<N: Norm>(&self, row: &[f64], k: usize, nearest: &mut Vec<(f64, u32)>) {
        nearest.clear();
        if k > 0 && !self.nodes.is_empty() {
            self.nearest_below::<N>(row, k, 0, nearest);
        }
    }

    fn nearest_below<N: Norm>(
        &self,
        row: &[f64],
        k: usize,
        node: usize,
        nearest: &mut Vec<(f64, u32)>,
    ) {
        if self.nodes[node].is_leaf() {
            for position in self.nodes[node].range() {
                let distance = N::between(row, self.at(position));
                let full = nearest.len() == k;
                if full && nearest.last().is_some_and(|last| distance >= last.0) {
                    continue;
                }
                if full {
                    nearest.pop();
                }
                let place = nearest.partition_point(|other| other.0 <= distance);
                nearest.insert(place, (distance, position as u32));
            }
            return;
        }
        let (left, right) = self.children(node);
        let near = [left, right].map(|child| self.least::<N>(row, child));
        let sorted = if near[0] <= near[1] {
            [(left, near[0]), (right, near[1])]
        } else {
            [(right, near[1]), (left, near[0])]
        };
        for (child, distance) in sorted {
            let full = nearest.len() == k;
            if !(full && nearest.last().is_some_and(|last| distance >= last.0)) {
                self.nearest_below::<N>(row, k, child, nearest);
            }
        }
    }
}

/// Nodes and boxes over `rows`, which are sorted into the tree's order; `start` is their first position.
fn build(values: &[f64], columns: usize, rows: &mut [u32], start: usize) -> (Vec<Node>, Vec<f64>) {
    let mut low = vec![f64::INFINITY; columns];
    let mut high = vec![f64::NEG_INFINITY; columns];
    for &row in rows.iter() {
        let row = &values[row as usize * columns..][..columns];
        for ((low, high), &x) in low.iter_mut().zip(&mut high).zip(row) {
            *low = low.min(x);
            *high = high.max(x);
        }
    }
    let end = start + rows.len();
    let own = Node { start: start as u32, end: end as u32, right: 0 };
    let (mut nodes, mut boxes) = (vec![own], low.clone());
    boxes.extend_from_slice(&high);
    if rows.len() <= LEAF {
        return (nodes, boxes);
    }
    let mut widest = 0;
    for column in 1..columns {
        if high[column] - low[column] > high[widest] - low[widest] {
            widest = column;
        }
    }
    let value = |row: u32| values[row as usize * columns + widest];
    let middle = rows.len() / 2;
    rows.select_nth_unstable_by(middle, |&a, &b| {
        value(a).total_cmp(&value(b)).then_with(|| a.cmp(&b))
    });
    let parallel = rows.len() >= PARALLEL;
    let (left, right) = rows.split_at_mut(middle);
    let halves = if parallel {
        rayon::join(
            || build(values, columns, left, start),
            || build(values, columns, right, start + middle),
        )
    } else {
        (build(values, columns, left, start), build(values, columns, right, start + middle))
    };
    for (place, (below, corners)) in [halves.0, halves.1].into_iter().enumerate() {
        let offset = nodes.len() as u32;
        if place == 1 {
            nodes[0].right = offset;
        }
        nodes.extend(below.into_iter().map(|node| Node {
            right: if node.right == 0 { 0 } else { node.right + offset },
            ..node
        }));
        boxes.extend(corners);
    }
    (nodes, boxes)
}

#[cfg(test)]
mod tests {
    use super::super::metric::{Euclidean, Manhattan};
    use super::super::testing::Noise;
    use super::*;

    fn check<N: Norm>(values: &[f64], columns: usize, k: usize) {
        let tree = Tree::new(values, columns);
        let mut sorted = tree.order().to_vec();
        sorted.sort_unstable();
        assert!(sorted.iter().enumerate().all(|(i, &row)| i == row as usize));
        let mut found = Vec::new();
        for row in values.chunks_exact(columns) {
            tree.nearest::<N>(row, k, &mut found);
            let mut all: Vec<f64> =
                values.chunks_exact(columns).map(|other| N::between(row, other)).collect();
            all.sort_by(f64::total_cmp);
            assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), all[..k.min(all.len())]);
        }
        for (number, node) in tree.nodes().iter().enumerate() {
            for position in node.range() {
                for other in node.range() {
                    let distance = N::between(tree.at(position), tree.at(other));
                    assert!(distance <= tree.reach::<N>(number, number));
                    assert!(tree.least::<N>(tree.at(other), number) == 0.0);
                    assert!(distance <= tree.most::<N>(tree.at(other), number));
                }
            }
        }
    }

    #[test]
    fn nearest_rows_are_those_of_a_sort() {
        for columns in [1, 2, 3, 8, 11] {
            let values = Noise::new(columns as u64).normals(150 * columns);
            check::<Euclidean>(&values, columns, 7);
            check::<Manhattan>(&values, columns, 7);
        }
        check::<Euclidean>(&[1.5; 300], 2, 5);
        check::<Euclidean>(&[0.0, 1.0], 2, 5);
    }
}
