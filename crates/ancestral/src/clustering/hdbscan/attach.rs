//! Small parts between several large ones that meet at one height: with which of them they stay.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::metric::Norm;
use super::super::tree::Tree;

/// Calls a function with the rows that a row has an edge of at most some height to, and their distances.
pub(super) type Near<'a> = dyn Fn(u32, f64, &mut dyn FnMut(u32, f64)) + 'a;

/// A part that is as near to several large ones.
const NONE: usize = usize::MAX;

/// Calls a function with all rows of a tree within a distance of a row.
pub(super) fn within<N: Norm>(
    tree: &Tree,
    row: &[f64],
    distance: f64,
    found: &mut dyn FnMut(u32, f64),
) {
    let mut stack = vec![0];
    while let Some(node) = stack.pop() {
        let own = &tree.nodes()[node];
        if N::restore(tree.least::<N>(row, node)) > distance {
            continue;
        }
        if !own.is_leaf() {
            let (left, right) = tree.children(node);
            stack.extend([right, left]);
            continue;
        }
        for position in own.range() {
            let apart = N::restore(N::between(row, tree.at(position)));
            if apart <= distance {
                found(tree.order()[position], apart);
            }
        }
    }
}

/// The large part that each small one stays with, if edges are taken by the distance of their rows: `parts` are
/// ranges of places, the large ones first.
///
/// A part stays with none where several are equally near, so that the order of rows does not matter.
pub(super) fn owners(
    parts: &[Range<u32>],
    large: usize,
    height: f64,
    rows: &[u32],
    places: &[u32],
    near: &Near<'_>,
) -> Vec<Option<usize>> {
    let mut by_start: Vec<usize> = (0..parts.len()).collect();
    by_start.sort_by_key(|&part| parts[part].start);
    let part_of = |row: u32| {
        let place = places[row as usize];
        let after = by_start.partition_point(|&part| parts[part].start <= place);
        let part = *by_start.get(after.checked_sub(1)?)?;
        parts[part].contains(&place).then_some(part)
    };
    let mut edges: Vec<(f64, usize, usize)> = Vec::new();
    for (part, places) in parts.iter().enumerate().skip(large) {
        for place in places.clone() {
            near(rows[place as usize], height, &mut |other, apart| {
                if let Some(other) = part_of(other).filter(|&other| other != part) {
                    edges.push((apart, part, other));
                }
            });
        }
    }
    edges.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut parents: Vec<usize> = (0..parts.len()).collect();
    let mut owner: Vec<Option<usize>> =
        (0..parts.len()).map(|part| (part < large).then_some(part)).collect();
    for equal in edges.chunk_by(|a, b| a.0 == b.0) {
        let mut sets = Sets::default();
        for &(_, a, b) in equal {
            let (a, b) = (find(&mut parents, a), find(&mut parents, b));
            if a != b && (owner[a].is_none() || owner[b].is_none()) {
                sets.join(a, b);
            }
        }
        for set in sets.into_sets() {
            let mut known: Vec<usize> = set.iter().filter_map(|&part| owner[part]).collect();
            known.sort_unstable();
            known.dedup();
            let new = match known[..] {
                [] => {
                    set.iter().for_each(|&part| parents[part] = set[0]);
                    continue;
                }
                [one] => one,
                _ => NONE,
            };
            set.iter().for_each(|&part| owner[part] = owner[part].or(Some(new)));
        }
    }
    (large..parts.len())
        .map(|part| owner[find(&mut parents, part)].filter(|&owner| owner != NONE))
        .collect()
}

fn find(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

/// Disjoint sets of few of many numbers.
#[derive(Default)]
struct Sets {
    names: BTreeMap<usize, usize>,
    parents: Vec<usize>,
}

impl Sets {
    fn name(&mut self, item: usize) -> usize {
        let next = self.parents.len();
        let name = *self.names.entry(item).or_insert(next);
        if name == next {
            self.parents.push(name);
        }
        find(&mut self.parents, name)
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.name(a), self.name(b));
        self.parents[b] = a;
    }

    fn into_sets(mut self) -> Vec<Vec<usize>> {
        let mut sets = BTreeMap::<usize, Vec<usize>>::new();
        for (item, name) in std::mem::take(&mut self.names) {
            sets.entry(find(&mut self.parents, name)).or_default().push(item);
        }
        sets.into_values().collect()
    }
}
