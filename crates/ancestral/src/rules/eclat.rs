//! Eclat (Zaki, Parthasarathy, Ogihara and Li 1997, doi:10.1109/69.846291): each item has the bitset of
//! the baskets that hold it, and the baskets of a set are the intersection.
//!
//! A node keeps the bitset of its prefix alone and counts all candidates in one pass without storing
//! their intersections. When few baskets are left, the bitsets are made anew for these.

use super::database::Rows;
use super::error::Result;
use super::output::Output;
use super::search::{Next, Search, Target};

/// The bitsets of items.
#[derive(Debug, Default)]
pub(super) struct Bitsets {
    /// Words of a bitset.
    words: usize,
    /// `[items, words]`.
    sets: Vec<u64>,
    codes: Vec<u32>,
    open: usize,
}

/// Nodes on the path of the search: bitsets of their baskets, and their items with counts.
#[derive(Debug, Default)]
pub(super) struct TidStack {
    tids: Vec<u64>,
    items: Vec<u32>,
    counts: Vec<u32>,
}

/// A node: its items in the stack, open ones first, and where its bitset begins.
#[derive(Debug, Clone, Copy)]
struct Node {
    from: usize,
    open: usize,
    to: usize,
    tids: usize,
}

impl Bitsets {
    fn reset(&mut self, words: usize, codes: &[u32], open: usize) {
        self.words = words;
        self.sets.clear();
        self.sets.resize(words * codes.len(), 0);
        self.codes.clear();
        self.codes.extend_from_slice(codes);
        self.open = open;
    }

    /// The bitsets of a conditional pattern base, of whose rows those with a single item are left out.
    pub(super) fn fill(
        mut self,
        rows: &Rows,
        occurrences: &[(u32, u32)],
        child: &Rows,
        numbers: &[u32],
    ) -> Self {
        let total: u64 =
            occurrences.iter().map(|&(row, _)| u64::from(rows.weights[row as usize])).sum();
        let words = total.div_ceil(64) as usize;
        self.reset(words, &child.codes, child.open);
        let passed = child.codes.len() > child.open;
        let mut basket = 0;
        for &(row, at) in occurrences {
            let row = row as usize;
            let end = if passed { rows.starts[row + 1] } else { at };
            let mut found = 0;
            let mut first = 0;
            for &other in &rows.items[rows.starts[row] as usize..end as usize] {
                let number = numbers[other as usize];
                if number != u32::MAX {
                    let number = number as usize;
                    self.sets[number * words + basket / 64] |= 1 << (basket % 64);
                    if found == 0 {
                        first = number;
                    }
                    found += 1;
                }
            }
            if found < 2 {
                // The bit is used again.
                if found == 1 {
                    self.sets[first * words + basket / 64] &= !(1 << (basket % 64));
                }
                continue;
            }
            basket += 1;
            for _ in 1..rows.weights[row] {
                for &other in &rows.items[rows.starts[row] as usize..end as usize] {
                    let number = numbers[other as usize];
                    if number != u32::MAX {
                        self.sets[number as usize * words + basket / 64] |= 1 << (basket % 64);
                    }
                }
                basket += 1;
            }
        }
        self
    }

    fn set(&self, item: usize) -> &[u64] {
        &self.sets[item * self.words..(item + 1) * self.words]
    }

    /// These bitsets of the listed items for the baskets in `tids` only, `count` of them.
    fn compress(&self, items: &[u32], open: usize, tids: &[u64], count: usize, into: &mut Self) {
        let words = count.div_ceil(64);
        into.words = words;
        into.open = open;
        into.codes.clear();
        into.codes.extend(items.iter().map(|&item| self.codes[item as usize]));
        into.sets.clear();
        into.sets.resize(words * items.len(), 0);
        let mut base = 0;
        for (at, &mask) in tids.iter().enumerate() {
            if mask == 0 {
                continue;
            }
            for (number, &item) in items.iter().enumerate() {
                let mut bits = self.sets[item as usize * self.words + at] & mask;
                while bits != 0 {
                    let low = bits & bits.wrapping_neg();
                    let basket = base + (mask & (low - 1)).count_ones() as usize;
                    into.sets[number * words + basket / 64] |= 1 << (basket % 64);
                    bits ^= low;
                }
            }
            base += mask.count_ones() as usize;
        }
    }
}

/// Counts the baskets of `tids` that hold each item.
fn count_items(arch: pulp::Arch, tids: &[u64], sets: &[u64], items: &[u32], counts: &mut [u32]) {
    struct Count<'a>(&'a [u64], &'a [u64], &'a [u32], &'a mut [u32]);
    impl pulp::NullaryFnOnce for Count<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            match self.0.len() {
                1 => self.fixed::<1>(),
                2 => self.fixed::<2>(),
                3 => self.fixed::<3>(),
                4 => self.fixed::<4>(),
                8 => self.fixed::<8>(),
                words => {
                    let Self(tids, sets, items, counts) = self;
                    for (&item, count) in items.iter().zip(counts) {
                        *count = common(tids, &sets[item as usize * words..][..words]);
                    }
                }
            }
        }
    }
    impl Count<'_> {
        #[inline(always)]
        fn fixed<const W: usize>(self) {
            let Self(tids, sets, items, counts) = self;
            let (sets, _) = sets.as_chunks::<W>();
            let Some(tids) = tids.first_chunk::<W>() else { return };
            for (&item, count) in items.iter().zip(counts) {
                *count = common(tids, &sets[item as usize]);
            }
        }
    }
    arch.dispatch(Count(tids, sets, items, counts));
}

/// The size of an intersection.
#[inline(always)]
fn common(one: &[u64], other: &[u64]) -> u32 {
    one.iter().zip(other).map(|(a, b)| (a & b).count_ones()).sum()
}

impl<O: Output> Search<'_, O> {
    /// Searches all sets that extend the prefix by open items, of which there are at least one.
    pub(super) fn search_bitsets(&mut self, bitsets: &Bitsets, counts: &[u32]) -> Result<()> {
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
        self.children(bitsets, node)
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
        self.tids.items.truncate(node.from);
        self.tids.counts.truncate(node.from);
        self.tids.tids.truncate(node.tids);
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
        if !covered && self.settle(count, open - from, kept - open)? == Next::Descend {
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
        let worth = child.open - child.from >= 4 && 2 * count.div_ceil(64) <= bitsets.words;
        if !worth {
            return self.children(bitsets, child);
        }
        let mut fewer = self.spare_bitsets.pop().unwrap_or_default();
        let stack = &mut self.tids;
        // Baskets without an item of the child's parent are not among the bits, so count them.
        let tids = &stack.tids[child.tids..child.tids + bitsets.words];
        let ones = tids.iter().map(|word| word.count_ones() as usize).sum::<usize>().min(count);
        let items = &stack.items[child.from..child.to];
        bitsets.compress(items, child.open - child.from, tids, ones, &mut fewer);
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
