//! Found sets in memory.

use super::budget::{Budget, Reserved};
use super::error::{Result, RulesError};
use super::output::{SetSink, of_batch};

/// How many sets a block holds.
const AT_ONCE: usize = 1 << 14;

/// Sets of items with their counts, in the order in which they were found.
#[derive(Debug)]
pub struct Sets {
    /// All but the last one are full. Growing moves the sets of one block at most.
    blocks: Vec<Block>,
    /// What the full blocks hold, in bytes.
    full: u64,
    memory: Reserved,
}

/// Up to `AT_ONCE` sets.
#[derive(Debug, Default)]
struct Block {
    items: Vec<u32>,
    ends: Vec<usize>,
    counts: Vec<u32>,
}

impl Block {
    /// The items of a set; empty if there is none at this place.
    fn items(&self, at: usize) -> &[u32] {
        let start = at.checked_sub(1).and_then(|n| self.ends.get(n)).copied().unwrap_or(0);
        let end = self.ends.get(at).copied().unwrap_or(start);
        &self.items[start..end]
    }

    fn bytes(&self) -> u64 {
        4 * (self.items.capacity() + 2 * self.ends.capacity() + self.counts.capacity()) as u64
    }
}

/// What to do if results need too much memory.
const FOUND_LOWER: &str = "raise the limit or the minimum support, or limit the size of sets";

impl Sets {
    /// No sets.
    pub fn new(budget: &Budget) -> Self {
        let memory = Reserved::empty(budget, "the found sets", FOUND_LOWER);
        Self { blocks: Vec::new(), full: 0, memory }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        let of_last = self.blocks.last().map_or(0, |last| last.counts.len());
        self.blocks.len().saturating_sub(1) * AT_ONCE + of_last
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items of a set; empty if there is none of this number.
    pub fn items(&self, number: usize) -> &[u32] {
        self.blocks.get(number / AT_ONCE).map_or(&[], |block| block.items(number % AT_ONCE))
    }

    /// The number of baskets that hold a set; 0 if there is none of this number.
    pub fn count(&self, number: usize) -> u32 {
        let block = self.blocks.get(number / AT_ONCE);
        block.and_then(|block| block.counts.get(number % AT_ONCE)).copied().unwrap_or(0)
    }

    /// The sets in order, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&[u32], u32)> {
        self.blocks.iter().flat_map(|block| {
            block.counts.iter().enumerate().map(|(at, &count)| (block.items(at), count))
        })
    }

    /// Keeps the first `len` sets and frees the memory of the others.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len() {
            return;
        }
        self.blocks.truncate(len.div_ceil(AT_ONCE));
        if let Some(last) = self.blocks.last_mut() {
            let kept = (len - 1) % AT_ONCE + 1;
            last.counts.truncate(kept);
            last.ends.truncate(kept);
            last.items.truncate(last.ends.last().copied().unwrap_or(0));
            last.counts.shrink_to_fit();
            last.ends.shrink_to_fit();
            last.items.shrink_to_fit();
        }
        let full = self.blocks.len().saturating_sub(1);
        self.full = self.blocks[..full].iter().map(Block::bytes).sum();
        self.memory.shrink_to(self.bytes());
    }

    fn push(&mut self, items: &[u32], count: u32) {
        let last = match self.blocks.last_mut() {
            Some(last) if last.counts.len() < AT_ONCE => last,
            last => {
                let mut next = Block::default();
                if let Some(last) = last {
                    self.full += last.bytes();
                    // As much as the one before, and an eighth.
                    next.items.reserve_exact(last.items.len() + last.items.len() / 8);
                    next.ends.reserve_exact(AT_ONCE);
                    next.counts.reserve_exact(AT_ONCE);
                }
                self.blocks.push(next);
                let at = self.blocks.len() - 1;
                &mut self.blocks[at]
            }
        };
        last.items.extend_from_slice(items);
        last.ends.push(last.items.len());
        last.counts.push(count);
    }

    fn bytes(&self) -> u64 {
        self.full + self.blocks.last().map_or(0, Block::bytes)
    }

    /// The numbers of the sets by their items, for [`SetIndex::find`].
    ///
    /// # Errors
    /// If the memory limit is exceeded.
    pub fn index(&self, budget: &Budget) -> Result<SetIndex> {
        let size = (2 * self.len() + 1).next_power_of_two();
        u32::try_from(self.len()).map_err(|_| RulesError::TooMany { what: "the found sets" })?;
        let memory = budget.reserve(4 * size as u64, "the found sets", FOUND_LOWER)?;
        let mut table = vec![0; size];
        for number in 0..self.len() {
            let mut slot = hash(self.items(number).iter().copied()) as usize & (size - 1);
            while table[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            table[slot] = number as u32 + 1;
        }
        Ok(SetIndex { table, _memory: memory })
    }
}

impl SetSink for Sets {
    fn set(&mut self, items: &[u32], count: u32) -> Result<()> {
        self.push(items, count);
        self.memory.grow_to(self.bytes())
    }

    fn batch(&mut self, words: &[u32]) -> Result<()> {
        of_batch(words).for_each(|(items, count)| self.push(items, count));
        self.memory.grow_to(self.bytes())
    }
}

/// A hash of a set, the same for every order of its items.
fn hash(items: impl Iterator<Item = u32>) -> u64 {
    let mixed = items.map(|item| {
        let x = (u64::from(item) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (x ^ x >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    });
    let sum = mixed.fold(0_u64, u64::wrapping_add);
    sum ^ sum >> 32
}

/// Finds sets by their items.
#[derive(Debug)]
pub struct SetIndex {
    table: Vec<u32>,
    _memory: Reserved,
}

impl SetIndex {
    /// The number of the set of these different items, in any order, in the `sets` that the index was
    /// made of.
    pub fn find(&self, sets: &Sets, items: &[u32]) -> Option<usize> {
        let mask = self.table.len() - 1;
        let mut slot = hash(items.iter().copied()) as usize & mask;
        loop {
            let number = self.table[slot].checked_sub(1)? as usize;
            let found = sets.items(number);
            if found.len() == items.len() && items.iter().all(|item| found.contains(item)) {
                return Some(number);
            }
            slot = (slot + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The set of this number: 0 to 3 items.
    fn set(number: usize) -> (Vec<u32>, u32) {
        ((0..number as u32 % 4).map(|item| item + number as u32).collect(), number as u32 / 3)
    }

    #[test]
    fn sets_of_several_blocks_are_found_by_number() {
        let budget = Budget::new(1 << 24);
        let mut sets = Sets::new(&budget);
        for number in 0..2 * AT_ONCE + 5 {
            let (items, count) = set(number);
            if number % 2 == 0 {
                sets.set(&items, count).unwrap();
            } else {
                sets.batch(&[&[items.len() as u32, count], &items[..]].concat()).unwrap();
            }
        }
        for len in [2 * AT_ONCE + 5, 2 * AT_ONCE, 2 * AT_ONCE - 1, AT_ONCE + 1, AT_ONCE, 3, 1, 0] {
            sets.truncate(len);
            assert_eq!((sets.len(), sets.is_empty()), (len, len == 0));
            assert!(
                sets.iter().map(|(items, count)| (items.to_vec(), count)).eq((0..len).map(set))
            );
            for number in [0, len / 2, len.saturating_sub(1)].into_iter().filter(|n| *n < len) {
                assert_eq!((sets.items(number).to_vec(), sets.count(number)), set(number));
            }
            assert_eq!((sets.items(len), sets.count(len)), (&[][..], 0));
        }
        assert_eq!(sets.bytes(), 0);
        // Sets are added behind what was kept.
        sets.set(&[7], 1).unwrap();
        assert_eq!((sets.len(), sets.items(0)), (1, &[7][..]));
    }
}
