//! The choice of clusters from a condensed tree.

use super::condensed::CondensedTree;
use super::{HdbscanConfig, Selection};

/// Which clusters of a condensed tree are chosen.
pub(super) fn select(tree: &CondensedTree, config: &HdbscanConfig) -> Vec<bool> {
    let clusters = &tree.clusters;
    let mut chosen = match config.cluster_selection_method {
        Selection::Eom => excess_of_mass(tree, config),
        Selection::Leaf => clusters.iter().map(|cluster| cluster.children.is_empty()).collect(),
    };
    if config.cluster_selection_epsilon > 0.0 && clusters.len() > 1 && !chosen[0] {
        chosen = merge_below(tree, &chosen, config);
    }
    if !config.allow_single_cluster {
        chosen[0] = false;
    }
    chosen
}

/// The clusters without chosen ancestors and descendants whose stabilities have the largest sum.
fn excess_of_mass(tree: &CondensedTree, config: &HdbscanConfig) -> Vec<bool> {
    let clusters = &tree.clusters;
    let mut chosen = vec![false; clusters.len()];
    let mut best: Vec<f64> = clusters.iter().map(|cluster| cluster.stability).collect();
    for (number, cluster) in clusters.iter().enumerate().rev() {
        let below: f64 = cluster.children.iter().map(|&child| best[child as usize]).sum();
        // The root's own rows do not count, as in scikit-learn.
        let size = if number == 0 {
            cluster.children.iter().map(|&child| clusters[child as usize].size).sum()
        } else {
            cluster.size
        };
        let barred = number == 0 && !config.allow_single_cluster;
        let too_large = config.max_cluster_size.is_some_and(|most| size > most);
        if barred || too_large || below > best[number] {
            best[number] = below;
        } else {
            chosen[number] = true;
        }
    }
    // Parents come first, so that a chosen one takes out all below it.
    let mut covered = vec![false; clusters.len()];
    for (number, cluster) in clusters.iter().enumerate() {
        if let Some(parent) = cluster.parent {
            covered[number] = covered[parent as usize] || chosen[parent as usize];
        }
        chosen[number] &= !covered[number];
    }
    chosen
}

/// Replaces clusters that appear below a distance by their first ancestor that appears above it
/// (Malzer and Baum 2020).
fn merge_below(tree: &CondensedTree, chosen: &[bool], config: &HdbscanConfig) -> Vec<bool> {
    let clusters = &tree.clusters;
    let epsilon = config.cluster_selection_epsilon;
    let distance = |number: usize| 1.0 / clusters[number].birth;
    let mut merged = vec![false; clusters.len()];
    for number in (0..clusters.len()).filter(|&number| chosen[number]) {
        let mut at = number;
        if distance(at) < epsilon {
            while let Some(parent) = clusters[at].parent {
                if parent == 0 && !config.allow_single_cluster {
                    break;
                }
                at = parent as usize;
                if at == 0 || distance(at) > epsilon {
                    break;
                }
            }
        }
        merged[at] = true;
    }
    let mut covered = vec![false; clusters.len()];
    for (number, cluster) in clusters.iter().enumerate() {
        if let Some(parent) = cluster.parent {
            covered[number] = covered[parent as usize] || merged[parent as usize];
        }
        merged[number] &= !covered[number];
    }
    merged
}

/// The chosen cluster of each row.
pub(super) fn members(
    tree: &CondensedTree,
    chosen: &[bool],
    config: &HdbscanConfig,
) -> Vec<Option<u32>> {
    let clusters = &tree.clusters;
    let mut above: Vec<Option<u32>> = vec![None; clusters.len()];
    for (number, cluster) in clusters.iter().enumerate() {
        let inherited = cluster.parent.and_then(|parent| above[parent as usize]);
        above[number] = if chosen[number] { Some(number as u32) } else { inherited };
    }
    // Rows that leave the root directly belong to it only if they stay as long as any or, with an
    // epsilon, up to that distance.
    let epsilon = config.cluster_selection_epsilon;
    let least = if epsilon > 0.0 { 1.0 / epsilon } else { clusters[0].death };
    let member = |(&cluster, &lambda): (&u32, &f64)| {
        above[cluster as usize].filter(|_| cluster != 0 || lambda >= least)
    };
    tree.cluster.iter().zip(&tree.lambda).map(member).collect()
}
