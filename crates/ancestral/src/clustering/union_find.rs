//! Disjoint sets that several threads may join: a root is the smallest member of its set, so that the
//! sets and their roots do not depend on the order of joins.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Disjoint sets of 0, 1, …
#[derive(Debug)]
pub(super) struct UnionFind {
    parents: Vec<AtomicU32>,
}

impl UnionFind {
    /// Each item alone.
    pub(super) fn new(count: usize) -> Self {
        Self { parents: (0..count as u32).map(AtomicU32::new).collect() }
    }

    /// The smallest member of an item's set.
    #[inline]
    pub(super) fn find(&self, item: usize) -> usize {
        let mut at = item as u32;
        loop {
            let parent = self.parents[at as usize].load(Relaxed);
            if parent == at {
                return at as usize;
            }
            let above = self.parents[parent as usize].load(Relaxed);
            if above != parent {
                // Path halving; losing a race only keeps a longer path.
                let _ = self.parents[at as usize].compare_exchange(parent, above, Relaxed, Relaxed);
            }
            at = above;
        }
    }

    /// Whether two items are in one set; with joins in progress, `false` may be out of date.
    #[inline]
    pub(super) fn same(&self, a: usize, b: usize) -> bool {
        self.find(a) == self.find(b)
    }

    /// Joins the sets of two items; whether they were apart.
    pub(super) fn join(&self, a: usize, b: usize) -> bool {
        let (mut a, mut b) = (self.find(a), self.find(b));
        while a != b {
            let (low, high) = (a.min(b), a.max(b));
            let root = &self.parents[high];
            if root.compare_exchange(high as u32, low as u32, Relaxed, Relaxed).is_ok() {
                return true;
            }
            (a, b) = (self.find(low), self.find(high));
        }
        false
    }
}
