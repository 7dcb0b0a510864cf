//! The minimum spanning tree of mutual reachability distances
//! max(core(a), core(b), d(a, b)) by Borůvka's algorithm on a k-d tree (March, Ram and Gray 2010).

use rayon::prelude::*;

use super::super::metric::Norm;
use super::super::tree::Tree;
use super::super::union_find::UnionFind;
use super::super::watch::Work;

/// Rows that share a bound during a search.
const GROUP: usize = 64;
/// Neighbors of each row from which its first edge is chosen.
const FIRST: usize = 8;
/// In `Search::components`: a node with rows of several components.
const MIXED: u32 = u32::MAX;
/// Rows after which progress is counted.
const COUNTED: usize = 256;

/// An edge of a spanning tree, between two rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// A row.
    pub a: u32,
    /// Another row.
    pub b: u32,
    /// Their distance.
    pub distance: f64,
}

/// The edge that leaves a component from a row at the least weight known.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    weight: f64,
    /// The position of the other row; none if no edge of at most this weight exists.
    other: Option<u32>,
}

/// Core distances by row, the minimum spanning tree with edges in ascending order, and the k-d tree.
///
/// The core distance of a row is that to its `min_samples`-th nearest row, itself included.
pub(super) fn spanning_tree<N: Norm>(
    values: &[f64],
    columns: usize,
    min_samples: usize,
    work: &Work<'_>,
) -> (Vec<f64>, Vec<Edge>, Tree) {
    // Core distances, and edges.
    work.expect(2 * (values.len() / columns));
    let tree = Tree::new(values, columns);
    let rows = tree.len();
    let k = min_samples.max(FIRST).min(rows);
    let found: Vec<(f64, Vec<(f64, u32)>)> = (0..rows)
        .into_par_iter()
        .map_init(Vec::new, |nearest, position| {
            if position % COUNTED == 0 {
                work.add(COUNTED);
            }
            if work.is_stopped() {
                return (f64::INFINITY, Vec::new());
            }
            tree.nearest::<N>(tree.at(position), k, nearest);
            let core = nearest.get(min_samples - 1).map_or(f64::INFINITY, |n| n.0);
            (core, nearest[..k.min(FIRST)].to_vec())
        })
        .collect();
    let core: Vec<f64> = found.iter().map(|found| found.0).collect();
    let first = found
        .par_iter()
        .enumerate()
        .map(|(position, (own, nearest))| first_candidate(position as u32, *own, nearest, &core))
        .collect();
    drop(found);
    let mut edges = Boruvka::<N>::new(&tree, &core, first, work).run();
    edges.iter_mut().for_each(|edge| edge.distance = N::restore(edge.distance));
    edges.sort_by(|x, y| {
        x.distance.total_cmp(&y.distance).then_with(|| (x.a, x.b).cmp(&(y.a, y.b)))
    });
    let mut by_row = vec![0.0; rows];
    for (&row, core) in tree.order().iter().zip(core) {
        by_row[row as usize] = N::restore(core);
    }
    (by_row, edges, tree)
}

/// The best edge of a row to its nearest rows, or a lower bound of its best edge.
fn first_candidate(position: u32, own: f64, nearest: &[(f64, u32)], core: &[f64]) -> Candidate {
    let mut best = Candidate { weight: f64::INFINITY, other: None };
    for &(distance, other) in nearest {
        let weight = distance.max(own).max(core[other as usize]);
        if other != position && weight < best.weight {
            best = Candidate { weight, other: Some(other) };
        }
    }
    // Every other row is at least as far as the last of these.
    let beyond = nearest.last().map_or(0.0, |last| last.0).max(own);
    if best.weight <= beyond || nearest.len() == core.len() {
        best
    } else {
        Candidate { weight: beyond, other: None }
    }
}

struct Boruvka<'a, N> {
    tree: &'a Tree,
    /// Reduced core distances by position.
    core: &'a [f64],
    /// The least core distance of each node.
    least_core: Vec<f64>,
    candidates: Vec<Candidate>,
    work: &'a Work<'a>,
    norm: std::marker::PhantomData<N>,
}

/// The components at the start of a round.
struct Components {
    /// By position.
    of: Vec<u32>,
    /// By node: the component of all its rows, or [`MIXED`].
    of_node: Vec<u32>,
}

impl<'a, N: Norm> Boruvka<'a, N> {
    fn new(
        tree: &'a Tree,
        core: &'a [f64],
        candidates: Vec<Candidate>,
        work: &'a Work<'a>,
    ) -> Self {
        let mut least_core = vec![f64::INFINITY; tree.nodes().len()];
        for (node, own) in tree.nodes().iter().enumerate().rev() {
            least_core[node] = if own.is_leaf() {
                core[own.range()].iter().copied().fold(f64::INFINITY, f64::min)
            } else {
                let (left, right) = tree.children(node);
                least_core[left].min(least_core[right])
            };
        }
        Self { tree, core, least_core, candidates, work, norm: std::marker::PhantomData }
    }

    fn run(mut self) -> Vec<Edge> {
        let rows = self.tree.len();
        let sets = UnionFind::new(rows);
        let mut edges = Vec::with_capacity(rows - 1);
        while edges.len() + 1 < rows {
            let components = self.components(&sets);
            let best = self.round(&components);
            if self.work.is_stopped() {
                break;
            }
            let before = edges.len();
            // In ascending order of components. Of edges that close a cycle, all have the same weight,
            // and the last is left out.
            for (weight, a, b) in best.into_iter().flatten() {
                if sets.join(a as usize, b as usize) {
                    let order = self.tree.order();
                    let (a, b) = (order[a as usize], order[b as usize]);
                    edges.push(Edge { a: a.min(b), b: a.max(b), distance: weight });
                }
            }
            self.work.add(edges.len() - before);
            if edges.len() == before {
                break;
            }
        }
        edges
    }

    fn components(&self, sets: &UnionFind) -> Components {
        let of: Vec<u32> = (0..self.tree.len()).map(|row| sets.find(row) as u32).collect();
        let mut of_node = vec![MIXED; self.tree.nodes().len()];
        for (node, own) in self.tree.nodes().iter().enumerate().rev() {
            of_node[node] = if own.is_leaf() {
                let first = of[own.range().start];
                if of[own.range()].iter().all(|&c| c == first) { first } else { MIXED }
            } else {
                let (left, right) = self.tree.children(node);
                if of_node[left] == of_node[right] { of_node[left] } else { MIXED }
            };
        }
        Components { of, of_node }
    }

    /// The lightest edge that leaves each component, by its root: weight and two positions.
    fn round(&mut self, components: &Components) -> Vec<Option<(f64, u32, u32)>> {
        let rows = self.tree.len();
        // An edge to a row that is still outside of the component remains the best of its row.
        let mut bounds = vec![f64::INFINITY; rows];
        // The row of each component whose search is likely to give a good bound.
        let mut likely = vec![(f64::INFINITY, u32::MAX); rows];
        for (row, candidate) in self.candidates.iter_mut().enumerate() {
            let own = components.of[row] as usize;
            match candidate.other {
                Some(other) if components.of[other as usize] as usize != own => {
                    bounds[own] = bounds[own].min(candidate.weight);
                }
                _ => {
                    candidate.other = None;
                    if likely[own].1 == u32::MAX || candidate.weight < likely[own].0 {
                        likely[own] = (candidate.weight, row as u32);
                    }
                }
            }
        }
        let searched: Vec<(u32, Candidate)> = likely
            .par_iter()
            .enumerate()
            .filter(|&(own, &(_, row))| row != u32::MAX && self.needs(row as usize, bounds[own]))
            .map(|(own, &(_, row))| (row, self.search(row as usize, bounds[own], components)))
            .collect();
        for (row, candidate) in searched {
            self.candidates[row as usize] = candidate;
            if candidate.other.is_some() {
                let bound = &mut bounds[components.of[row as usize] as usize];
                *bound = bound.min(candidate.weight);
            }
        }
        let groups: Vec<Vec<(u32, Candidate)>> = (0..rows.div_ceil(GROUP))
            .into_par_iter()
            .map(|group| self.search_group(group, &bounds, components))
            .collect();
        for (row, candidate) in groups.into_iter().flatten() {
            self.candidates[row as usize] = candidate;
        }
        let mut best: Vec<Option<(f64, u32, u32)>> = vec![None; rows];
        for (row, candidate) in self.candidates.iter().enumerate() {
            if let Some(other) = candidate.other {
                let best = &mut best[components.of[row] as usize];
                if best.is_none_or(|best| candidate.weight < best.0) {
                    *best = Some((candidate.weight, row as u32, other));
                }
            }
        }
        best
    }

    /// Whether a row may have an edge below a bound that is not known.
    fn needs(&self, row: usize, bound: f64) -> bool {
        let candidate = self.candidates[row];
        candidate.other.is_none() && candidate.weight < bound
    }

    /// Searches the rows of a group in order; each search lowers the bound of the next ones in its
    /// component, within the group alone, so that the result does not depend on threads.
    fn search_group(
        &self,
        group: usize,
        bounds: &[f64],
        components: &Components,
    ) -> Vec<(u32, Candidate)> {
        let mut found: Vec<(u32, Candidate)> = Vec::new();
        let mut lowered: Option<(u32, f64)> = None;
        for row in group * GROUP..self.tree.len().min((group + 1) * GROUP) {
            if self.work.is_stopped() {
                break;
            }
            let own = components.of[row];
            let bound = match lowered {
                Some((component, bound)) if component == own => bound,
                _ => bounds[own as usize],
            };
            if self.needs(row, bound) {
                let candidate = self.search(row, bound, components);
                if candidate.other.is_some() {
                    lowered = Some((own, candidate.weight));
                }
                found.push((row as u32, candidate));
            }
        }
        found
    }

    /// The lightest edge of a row to another component below a bound, or the bound.
    fn search(&self, row: usize, bound: f64, components: &Components) -> Candidate {
        let mut best = Candidate { weight: bound, other: None };
        self.descend(row, 0, components, &mut best);
        best
    }

    fn descend(&self, row: usize, node: usize, components: &Components, best: &mut Candidate) {
        let (tree, own, component) = (self.tree, self.core[row], components.of[row]);
        if tree.nodes()[node].is_leaf() {
            for other in tree.nodes()[node].range() {
                if components.of[other] != component {
                    let distance = N::between(tree.at(row), tree.at(other));
                    let weight = distance.max(own).max(self.core[other]);
                    if weight < best.weight {
                        *best = Candidate { weight, other: Some(other as u32) };
                    }
                }
            }
            return;
        }
        let (left, right) = tree.children(node);
        let bound = |child: usize| {
            if components.of_node[child] == component {
                return f64::INFINITY;
            }
            let least = tree.least::<N>(tree.at(row), child);
            least.max(own).max(self.least_core[child])
        };
        let mut sorted = [(bound(left), left), (bound(right), right)];
        if sorted[1].0 < sorted[0].0 {
            sorted.swap(0, 1);
        }
        for (least, child) in sorted {
            if least < best.weight {
                self.descend(row, child, components, best);
            }
        }
    }
}
