//! Eclat (Zaki, Parthasarathy, Ogihara and Li 1997, doi:10.1109/69.846291): each item has the bitset of
//! the baskets that hold it, and the baskets of a set are the intersection.
//!
//! A node keeps the bitset of its prefix alone and counts all candidates in one pass without storing
//! their intersections. When few baskets are left, the bitsets are made anew for these.

use super::bitsets::{Bitsets, common, count_items};
use super::error::Result;
use super::output::Output;
use super::search::{Next, Search, Target};

/// Bitsets are made anew if the open items times the words that it spares are at least this many times
/// the words that are read for it.
const COMPRESS: usize = 4;

/// A node: its items in the stack, open ones first, and where its bitset begins.
#[derive(Debug, Clone, Copy)]
struct Node {
    from: usize,
    open: usize,
    to: usize,
    tids: usize,
}

impl<O: Output> Search<'_, O> {
    /// Searches all sets that extend the prefix by open items, of which there are at least one.
    pub(super) fn search_bitsets(&mut self, bitsets: &Bitsets, counts: &[u32]) -> Result<()> {
        let node = self.top(bitsets, counts);
        self.children(bitsets, node)
    }

    /// Searches all sets that extend the prefix by an open item, and perhaps open items before it.
    pub(super) fn search_bitsets_of(
        &mut self,
        bitsets: &Bitsets,
        counts: &[u32],
        item: usize,
    ) -> Result<()> {
        let node = self.top(bitsets, counts);
        let mark = self.mark();
        let result = self.extend_bitsets(bitsets, node, node.from + item);
        self.reset(mark);
        self.leave(node);
        result
    }

    /// The node of the prefix, whose baskets are all those of the bitsets.
    fn top(&mut self, bitsets: &Bitsets, counts: &[u32]) -> Node {
        let stack = &mut self.tids;
        let node = Node {
            from: stack.items.len(),
            open: stack.items.len() + bitsets.open,
            to: stack.items.len() + counts.len(),
            tids: stack.tids.len(),
        };
        stack.items.extend(0..counts.len() as u32);
        stack.counts.extend_from_slice(counts);
        stack.tids.resize(node.tids + bitsets.words, u64::MAX);
        node
    }

    /// Takes a node from the stack.
    fn leave(&mut self, node: Node) {
        self.tids.items.truncate(node.from);
        self.tids.counts.truncate(node.from);
        self.tids.tids.truncate(node.tids);
    }

    /// Searches below a node, and takes it from the stack.
    fn children(&mut self, bitsets: &Bitsets, node: Node) -> Result<()> {
        if !self.joined(bitsets, node)? {
            for at in node.from..node.open {
                let mark = self.mark();
                self.extend_bitsets(bitsets, node, at)?;
                self.reset(mark);
            }
        }
        self.leave(node);
        Ok(())
    }

    /// For maximal sets: whether the prefix with all open items is frequent, so that nothing else is
    /// to be found below; it is reported if it is maximal.
    fn joined(&mut self, bitsets: &Bitsets, node: Node) -> Result<bool> {
        if self.target != Target::Maximal || node.open - node.from < 2 {
            return Ok(false);
        }
        let least = self.least();
        let stack = &mut self.tids;
        let top = stack.tids.len();
        stack.tids.extend_from_within(node.tids..node.tids + bitsets.words);
        let joined = &mut stack.tids[top..];
        for &item in &stack.items[node.from..node.open] {
            joined.iter_mut().zip(bitsets.set(item as usize)).for_each(|(tids, set)| *tids &= set);
        }
        let count = joined.iter().map(|word| word.count_ones()).sum::<u32>();
        let frequent = count >= least;
        let covered = frequent
            && stack.items[node.open..node.to]
                .iter()
                .any(|&item| common(joined, bitsets.set(item as usize)) >= least);
        stack.tids.truncate(top);
        if frequent && !covered {
            let items = std::mem::take(&mut self.tids.items);
            let codes =
                items[node.from..node.open].iter().map(|&item| bitsets.codes[item as usize]);
            let reported = self.report_joined(codes, count);
            self.tids.items = items;
            reported?;
        }
        Ok(frequent)
    }

    fn extend_bitsets(&mut self, bitsets: &Bitsets, node: Node, at: usize) -> Result<()> {
        let count = self.tids.counts[at];
        let least = self.least();
        if count < least {
            return Ok(());
        }
        let item = self.tids.items[at] as usize;
        self.prefix.push(bitsets.codes[item]);
        let all = self.target == Target::All;
        if all && (at == node.from || self.prefix.len() >= self.max_len) {
            return self.output.sets(&self.prefix, &self.extensions, count);
        }
        // The candidates, and their counts among the baskets of the new prefix.
        let (words, from) = (bitsets.words, self.tids.items.len());
        let stack = &mut self.tids;
        let tids = stack.tids.len();
        for (word, set) in (node.tids..node.tids + words).zip(bitsets.set(item)) {
            let both = stack.tids[word] & set;
            stack.tids.push(both);
        }
        stack.items.extend_from_within(node.from..at);
        if !all {
            stack.items.extend_from_within(at + 1..node.to);
        }
        stack.counts.resize(stack.items.len(), 0);
        let (candidates, counts) = (&stack.items[from..], &mut stack.counts[from..]);
        count_items(self.arch, &stack.tids[tids..], &bitsets.sets, candidates, counts);

        let (mut open, mut kept, mut covered) = (from, from, false);
        let before = from + (at - node.from);
        for candidate in from..self.tids.items.len() {
            let found = self.tids.counts[candidate];
            let other = self.tids.items[candidate];
            if found == count {
                if candidate < before {
                    self.perfect(bitsets.codes[other as usize]);
                } else {
                    covered = true;
                    break;
                }
            } else if found >= least {
                self.tids.items[kept] = other;
                self.tids.counts[kept] = found;
                kept += 1;
                open += usize::from(candidate < before);
            }
        }
        if !covered && self.report_node(count, open - from, kept - open)? == Next::Descend {
            self.tids.items.truncate(kept);
            self.tids.counts.truncate(kept);
            let child = Node { from, open, to: kept, tids };
            if open - from == 1 && (all || kept == open) {
                self.prefix.push(bitsets.codes[self.tids.items[from] as usize]);
                self.output.sets(&self.prefix, &self.extensions, self.tids.counts[from])?;
            } else {
                self.descend(bitsets, child, count as usize)?;
            }
        }
        self.tids.items.truncate(from);
        self.tids.counts.truncate(from);
        self.tids.tids.truncate(tids);
        Ok(())
    }

    fn descend(&mut self, bitsets: &Bitsets, child: Node, count: usize) -> Result<()> {
        let (open, words) = (child.open - child.from, count.div_ceil(64));
        if open * bitsets.words.saturating_sub(words) < COMPRESS * bitsets.words {
            return self.children(bitsets, child);
        }
        let mut fewer = self.spare_bitsets.pop().unwrap_or_default();
        let stack = &mut self.tids;
        // Baskets without an item of the child's parent are not among the bits, so count them.
        let tids = &stack.tids[child.tids..child.tids + bitsets.words];
        let ones = tids.iter().map(|word| word.count_ones() as usize).sum::<usize>().min(count);
        let items = &stack.items[child.from..child.to];
        fewer.fill_from(bitsets, (items, open), tids, ones);
        for (number, item) in stack.items[child.from..child.to].iter_mut().enumerate() {
            *item = number as u32;
        }
        let tids = stack.tids.len();
        stack.tids.resize(tids + fewer.words, u64::MAX);
        self.children(&fewer, Node { tids, ..child })?;
        self.spare_bitsets.push(fewer);
        Ok(())
    }
}
