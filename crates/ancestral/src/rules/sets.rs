//! Found sets in memory.

use super::budget::{Budget, Reserved};
use super::error::{Result, RulesError};
use super::output::{SetSink, of_batch};

/// Sets of items with their counts, in the order in which they were found.
#[derive(Debug)]
pub struct Sets {
    items: Vec<u32>,
    ends: Vec<usize>,
    counts: Vec<u32>,
    memory: Reserved,
}

/// What to do if results need too much memory.
const FOUND_LOWER: &str = "raise the limit or the minimum support, or limit the size of sets";

impl Sets {
    /// No sets.
    pub fn new(budget: &Budget) -> Self {
        let memory = Reserved::empty(budget, "the found sets", FOUND_LOWER);
        Self { items: Vec::new(), ends: Vec::new(), counts: Vec::new(), memory }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The items of a set; empty if there is none of this number.
    pub fn items(&self, number: usize) -> &[u32] {
        let start = number.checked_sub(1).and_then(|n| self.ends.get(n)).copied().unwrap_or(0);
        let end = self.ends.get(number).copied().unwrap_or(start);
        &self.items[start..end]
    }

    /// The number of baskets that hold a set; 0 if there is none of this number.
    pub fn count(&self, number: usize) -> u32 {
        self.counts.get(number).copied().unwrap_or(0)
    }

    /// The sets in order, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&[u32], u32)> {
        (0..self.len()).map(|number| (self.items(number), self.counts[number]))
    }

    /// Keeps the first `len` sets and frees the memory of the others.
    pub fn truncate(&mut self, len: usize) {
        let len = len.min(self.len());
        self.counts.truncate(len);
        self.ends.truncate(len);
        self.items.truncate(self.ends.last().copied().unwrap_or(0));
        self.counts.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.items.shrink_to_fit();
        self.memory.shrink_to(self.bytes());
    }

    fn bytes(&self) -> u64 {
        let words = self.items.capacity() + 2 * self.ends.capacity() + self.counts.capacity();
        4 * words as u64
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
        self.items.extend_from_slice(items);
        self.ends.push(self.items.len());
        self.counts.push(count);
        self.memory.grow_to(self.bytes())
    }

    fn batch(&mut self, words: &[u32]) -> Result<()> {
        for (items, count) in of_batch(words) {
            self.items.extend_from_slice(items);
            self.ends.push(self.items.len());
            self.counts.push(count);
        }
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
