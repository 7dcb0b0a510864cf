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
        let build = Build { values, columns };
        let (nodes, boxes) = match columns {
            1 => build.points::<1>(&mut order),
            2 => build.points::<2>(&mut order),
            3 => build.points::<3>(&mut order),
            _ => build.tree(&mut order),
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

/// A row while a tree is built.
trait Item: Copy + Send + Sync {
    /// Its number.
    fn row(self) -> u32;
    /// Its value of a column; `values` are those of all rows.
    fn value(self, values: &[f64], columns: usize, column: usize) -> f64;
}

impl Item for u32 {
    #[inline]
    fn row(self) -> u32 {
        self
    }

    #[inline]
    fn value(self, values: &[f64], columns: usize, column: usize) -> f64 {
        values[self as usize * columns + column]
    }
}

/// A row of few columns with its values, which then move with it.
#[derive(Clone, Copy)]
struct Point<const C: usize> {
    row: u32,
    values: [f64; C],
}

impl<const C: usize> Item for Point<C> {
    #[inline]
    fn row(self) -> u32 {
        self.row
    }

    #[inline]
    fn value(self, _: &[f64], _: usize, column: usize) -> f64 {
        self.values[column]
    }
}

/// The number of nodes over n rows, and over n + 1.
fn counts(n: usize) -> (usize, usize) {
    if n < LEAF {
        return (1, 1);
    }
    let (of_half, of_more) = counts(n / 2);
    let of = |n: usize, halves: usize| if n <= LEAF { 1 } else { 1 + halves };
    match n % 2 {
        0 => (of(n, 2 * of_half), of(n + 1, of_half + of_more)),
        _ => (of(n, of_half + of_more), of(n + 1, 2 * of_more)),
    }
}

/// Rows that are sorted into a tree, and where its nodes and boxes go.
struct Build<'a> {
    values: &'a [f64],
    columns: usize,
}

/// A subtree: its rows with the position of the first, and its nodes with the number of the first.
struct Part<'a, I> {
    rows: &'a mut [I],
    start: usize,
    nodes: &'a mut [Node],
    first: usize,
    boxes: &'a mut [f64],
}

impl Build<'_> {
    /// Nodes and boxes over rows, which are sorted into the tree's order.
    fn tree<I: Item>(&self, rows: &mut [I]) -> (Vec<Node>, Vec<f64>) {
        let count = if rows.is_empty() { 0 } else { counts(rows.len()).0 };
        let mut nodes = vec![Node { start: 0, end: 0, right: 0 }; count];
        let mut boxes = vec![0.0; count * 2 * self.columns];
        if count > 0 {
            self.part(Part { rows, start: 0, nodes: &mut nodes, first: 0, boxes: &mut boxes });
        }
        (nodes, boxes)
    }

    fn part<I: Item>(&self, part: Part<'_, I>) {
        let Self { values, columns } = *self;
        let Part { rows, start, nodes, first, boxes } = part;
        let (own, nodes) = nodes.split_at_mut(1);
        let (corners, boxes) = boxes.split_at_mut(2 * columns);
        let (low, high) = corners.split_at_mut(columns);
        low.fill(f64::INFINITY);
        high.fill(f64::NEG_INFINITY);
        for row in rows.iter() {
            for (column, (low, high)) in low.iter_mut().zip(high.iter_mut()).enumerate() {
                let x = row.value(values, columns, column);
                *low = low.min(x);
                *high = high.max(x);
            }
        }
        let end = start + rows.len();
        own[0] = Node { start: start as u32, end: end as u32, right: 0 };
        if rows.len() <= LEAF {
            return;
        }
        let mut widest = 0;
        for column in 1..columns {
            if high[column] - low[column] > high[widest] - low[widest] {
                widest = column;
            }
        }
        let middle = rows.len() / 2;
        let value = |item: &I| item.value(values, columns, widest);
        rows.select_nth_unstable_by(middle, |a, b| {
            value(a).total_cmp(&value(b)).then_with(|| a.row().cmp(&b.row()))
        });
        let parallel = rows.len() >= PARALLEL;
        let (left_rows, right_rows) = rows.split_at_mut(middle);
        let below = counts(middle).0;
        let (left_nodes, right_nodes) = nodes.split_at_mut(below);
        let (left_boxes, right_boxes) = boxes.split_at_mut(below * 2 * columns);
        let right_first = first + 1 + below;
        own[0].right = right_first as u32;
        let left =
            Part { rows: left_rows, start, nodes: left_nodes, first: first + 1, boxes: left_boxes };
        let right = Part {
            rows: right_rows,
            start: start + middle,
            nodes: right_nodes,
            first: right_first,
            boxes: right_boxes,
        };
        if parallel {
            rayon::join(|| self.part(left), || self.part(right));
        } else {
            self.part(left);
            self.part(right);
        }
    }

    /// The same with rows that hold their values.
    fn points<const C: usize>(&self, order: &mut [u32]) -> (Vec<Node>, Vec<f64>) {
        let point = |&row: &u32| {
            let mut values = [0.0; C];
            values.copy_from_slice(&self.values[row as usize * C..][..C]);
            Point { row, values }
        };
        let mut points: Vec<Point<C>> = order.iter().map(point).collect();
        let found = self.tree(&mut points);
        order.iter_mut().zip(&points).for_each(|(row, point)| *row = point.row);
        found
    }
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

    /// Nodes follow each other in the order of their rows.
    #[test]
    fn the_number_of_nodes_is_known_before() {
        for rows in [0, 1, 15, 16, 17, 31, 32, 33, 34, 35, 63, 64, 65, 100, 1000, 1023, 1024, 1025]
        {
            let tree = Tree::new(&Noise::new(7).normals(rows * 2), 2);
            fn check(tree: &Tree, node: usize) -> usize {
                if tree.nodes()[node].is_leaf() {
                    assert!((1..=LEAF).contains(&tree.nodes()[node].len()));
                    return node + 1;
                }
                let (left, right) = tree.children(node);
                assert_eq!(check(tree, left), right);
                let [a, b] = [left, right].map(|child| tree.nodes()[child].range());
                assert_eq!((a.start, a.end, b.end), {
                    let own = tree.nodes()[node].range();
                    (own.start, b.start, own.end)
                });
                check(tree, right)
            }
            let count = if rows == 0 { 0 } else { check(&tree, 0) };
            assert_eq!(count, tree.nodes().len(), "{rows}");
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
