//! The cluster hierarchy of a minimum spanning tree, condensed to clusters of at least
//! `min_cluster_size` rows.
//!
//! Edges of one length are removed at once, as in the paper, so that the hierarchy does not depend on
//! the order of rows: a cluster may part into more than two.

use super::attach::{Near, owners};
use super::spanning::Edge;

/// A node of the single-linkage hierarchy.
#[derive(Debug)]
struct Merge {
    height: f64,
    /// Rows, then merges from `rows` on.
    children: Vec<u32>,
    size: u32,
}

/// A cluster of the condensed tree.
#[derive(Debug, Clone, PartialEq)]
pub struct CondensedCluster {
    /// The cluster that it parted from; none for the root, which is cluster 0.
    pub parent: Option<u32>,
    /// The clusters that it parts into.
    pub children: Vec<u32>,
    /// λ = 1 / distance at which it appears; 0 for the root.
    pub birth: f64,
    /// The largest λ at which a row leaves it or it parts; infinite if it holds equal rows to the end.
    pub death: f64,
    /// The number of its rows at birth.
    pub size: usize,
    /// Σ over its rows of (λ at which the row leaves − birth).
    pub stability: f64,
}

/// The condensed tree; parents come before children.
#[derive(Debug, Clone, PartialEq)]
pub struct CondensedTree {
    /// The clusters, the root first.
    pub clusters: Vec<CondensedCluster>,
    /// The smallest cluster of each row.
    pub cluster: Vec<u32>,
    /// λ at which each row leaves that cluster; infinite for rows equal to `min_samples` others.
    pub lambda: Vec<f64>,
}

/// The single-linkage hierarchy; its last node is the root.
fn hierarchy(rows: usize, edges: &[Edge]) -> Vec<Merge> {
    let mut parents: Vec<u32> = (0..rows as u32).collect();
    let mut sizes = vec![1u32; rows];
    // The node of the hierarchy at each root, and its parts while edges of one length are added.
    let mut nodes: Vec<u32> = (0..rows as u32).collect();
    let mut parts: Vec<Vec<u32>> = vec![Vec::new(); rows];
    let mut merges: Vec<Merge> = Vec::new();
    for equal in edges.chunk_by(|a, b| a.distance == b.distance) {
        let mut touched = Vec::new();
        for edge in equal {
            let (a, b) = (find(&mut parents, edge.a), find(&mut parents, edge.b));
            if a == b {
                continue;
            }
            for root in [a, b] {
                let parts = &mut parts[root as usize];
                if parts.is_empty() {
                    parts.push(nodes[root as usize]);
                }
            }
            let larger = sizes[a as usize] >= sizes[b as usize];
            let (keep, drop) = if larger { (a, b) } else { (b, a) };
            let mut moved = std::mem::take(&mut parts[drop as usize]);
            let kept = &mut parts[keep as usize];
            if kept.len() < moved.len() {
                std::mem::swap(kept, &mut moved);
            }
            kept.append(&mut moved);
            parents[drop as usize] = keep;
            sizes[keep as usize] += sizes[drop as usize];
            touched.push(keep);
        }
        for root in touched {
            let children = std::mem::take(&mut parts[root as usize]);
            if children.is_empty() {
                continue;
            }
            nodes[root as usize] = (rows + merges.len()) as u32;
            let (height, size) = (equal[0].distance, sizes[root as usize]);
            merges.push(Merge { height, children, size });
        }
    }
    merges
}

fn find(parents: &mut [u32], mut at: u32) -> u32 {
    while parents[at as usize] != at {
        parents[at as usize] = parents[parents[at as usize] as usize];
        at = parents[at as usize];
    }
    at
}

/// Rows in an order in which those under each node of the hierarchy are next to each other.
struct Order {
    rows: Vec<u32>,
    /// The place of each row.
    places: Vec<u32>,
    /// The first place of each node.
    starts: Vec<u32>,
    /// The number of rows under each node.
    sizes: Vec<u32>,
}

impl Order {
    fn new(rows: usize, merges: &[Merge]) -> Self {
        let mut sizes = vec![1; rows];
        sizes.extend(merges.iter().map(|merge| merge.size));
        let mut own = Self {
            rows: vec![0; rows],
            places: vec![0; rows],
            starts: vec![0; rows + merges.len()],
            sizes,
        };
        // Parents come after their children.
        for (at, merge) in merges.iter().enumerate().rev() {
            let mut next = own.starts[rows + at];
            for &child in &merge.children {
                own.starts[child as usize] = next;
                next += own.sizes[child as usize];
            }
        }
        for row in 0..rows {
            own.places[row] = own.starts[row];
            own.rows[own.starts[row] as usize] = row as u32;
        }
        own
    }

    /// The places of the rows under a node.
    fn range(&self, node: u32) -> std::ops::Range<u32> {
        let start = self.starts[node as usize];
        start..start + self.sizes[node as usize]
    }
}

impl CondensedTree {
    /// Condenses the hierarchy of a spanning tree with edges in ascending order.
    pub(super) fn new(
        rows: usize,
        edges: &[Edge],
        min_cluster_size: usize,
        near: &Near<'_>,
    ) -> Self {
        let merges = hierarchy(rows, edges);
        let root = CondensedCluster {
            parent: None,
            children: Vec::new(),
            birth: 0.0,
            death: 0.0,
            size: rows,
            stability: 0.0,
        };
        let mut tree =
            Self { clusters: vec![root], cluster: vec![0; rows], lambda: vec![0.0; rows] };
        if merges.is_empty() {
            // A single row, which no distance separates from itself.
            return tree;
        }
        let order = Order::new(rows, &merges);
        let size = |node: u32| match (node as usize).checked_sub(rows) {
            Some(merge) => merges[merge].size as usize,
            None => 1,
        };
        let mut stack = vec![((merges.len() - 1 + rows) as u32, 0u32)];
        while let Some((node, cluster)) = stack.pop() {
            let Some(merge) = (node as usize).checked_sub(rows).map(|at| &merges[at]) else {
                continue;
            };
            let lambda = 1.0 / merge.height;
            if lambda.is_infinite() {
                // Equal rows never part.
                tree.leave(&merges, node, cluster, lambda);
                continue;
            }
            let (large, small): (Vec<u32>, Vec<u32>) =
                merge.children.iter().partition(|&&child| size(child) >= min_cluster_size);
            if let [] | [_] = large[..] {
                for child in small {
                    tree.leave(&merges, child, cluster, lambda);
                }
                stack.extend(large.into_iter().map(|only| (only, cluster)));
                continue;
            }
            // Small parts between large ones go with the nearest.
            let mut with: Vec<Vec<u32>> = vec![Vec::new(); large.len()];
            let parts: Vec<_> = large.iter().chain(&small).map(|&n| order.range(n)).collect();
            let owners =
                owners(&parts, large.len(), merge.height, &order.rows, &order.places, near);
            for (child, owner) in small.into_iter().zip(owners) {
                match owner {
                    Some(owner) => with[owner].push(child),
                    None => tree.leave(&merges, child, cluster, lambda),
                }
            }
            for (child, others) in large.into_iter().zip(with) {
                let number = tree.clusters.len() as u32;
                let size = size(child) + others.iter().map(|&other| size(other)).sum::<usize>();
                let parent = &mut tree.clusters[cluster as usize];
                parent.children.push(number);
                parent.death = parent.death.max(lambda);
                parent.stability += (lambda - parent.birth) * size as f64;
                tree.clusters.push(CondensedCluster {
                    parent: Some(cluster),
                    children: Vec::new(),
                    birth: lambda,
                    death: lambda,
                    size,
                    stability: 0.0,
                });
                for other in others {
                    tree.leave(&merges, other, number, lambda);
                }
                stack.push((child, number));
            }
        }
        tree
    }

    /// Lets all rows under a node leave a cluster.
    fn leave(&mut self, merges: &[Merge], node: u32, cluster: u32, lambda: f64) {
        let rows = self.lambda.len();
        let own = &mut self.clusters[cluster as usize];
        own.death = own.death.max(lambda);
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            match (node as usize).checked_sub(rows) {
                Some(merge) => stack.extend(&merges[merge].children),
                None => {
                    self.cluster[node as usize] = cluster;
                    self.lambda[node as usize] = lambda;
                    own.stability += lambda - own.birth;
                }
            }
        }
    }

    /// Outlier scores (GLOSH, Campello et al. 2015): 1 − λ / the largest λ of the densest part of a
    /// row's smallest cluster, from 0 to 1.
    pub(super) fn outlier_scores(&self) -> Vec<f64> {
        let mut deepest: Vec<f64> = self.clusters.iter().map(|cluster| cluster.death).collect();
        for (number, cluster) in self.clusters.iter().enumerate().rev() {
            if let Some(parent) = cluster.parent {
                deepest[parent as usize] = deepest[parent as usize].max(deepest[number]);
            }
        }
        let score = |(&cluster, &lambda): (&u32, &f64)| {
            let most = deepest[cluster as usize];
            if most == 0.0 || lambda.is_infinite() {
                0.0
            } else if most.is_infinite() {
                1.0
            } else {
                (most - lambda) / most
            }
        };
        self.cluster.iter().zip(&self.lambda).map(score).collect()
    }
}
