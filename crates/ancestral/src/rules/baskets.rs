//! Baskets in memory: sets of items, by the numbers of the items' names.

use std::hash::{BuildHasherDefault, Hasher};

use super::budget::{Budget, Reserved};
use super::error::{Result, RulesError};

/// Names of items, numbered in the order of their first occurrence.
#[derive(Debug, Clone, Default)]
pub struct Names {
    text: String,
    ends: Vec<u32>,
    /// An open-addressing table of numbers + 1; 0 is free. Its length is a power of two.
    table: Vec<u32>,
}

impl Names {
    /// No names.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The name of a number; empty if there is none.
    pub fn name(&self, number: u32) -> &str {
        let at = number as usize;
        let start = match at.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(0),
            None => 0,
        };
        let end = self.ends.get(at).copied().unwrap_or(start);
        self.text.get(start as usize..end as usize).unwrap_or("")
    }

    /// The number of a name.
    pub fn find(&self, name: &str) -> Option<u32> {
        if self.table.is_empty() {
            return None;
        }
        let mask = self.table.len() - 1;
        let mut slot = hash(name) as usize & mask;
        loop {
            match self.table[slot] {
                0 => return None,
                number if self.name(number - 1) == name => return Some(number - 1),
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    /// The number of a name, which is added if it is new.
    ///
    /// # Errors
    /// If the names are longer than 4 GiB together.
    pub fn number(&mut self, name: &str) -> Result<u32> {
        if self.table.len() < 2 * (self.ends.len() + 1) {
            self.grow();
        }
        let mask = self.table.len() - 1;
        let mut slot = hash(name) as usize & mask;
        loop {
            match self.table[slot] {
                0 => break,
                number if self.name(number - 1) == name => return Ok(number - 1),
                _ => slot = (slot + 1) & mask,
            }
        }
        let end = u32::try_from(self.text.len() + name.len())
            .map_err(|_| RulesError::TooMany { what: "the letters of the names" })?;
        self.text.push_str(name);
        self.ends.push(end);
        // There are no more names than letters, but for the empty name.
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.table[slot] = number;
        Ok(number - 1)
    }

    fn grow(&mut self) {
        let size = (4 * (self.ends.len() + 1)).next_power_of_two().max(64);
        self.table = vec![0; size];
        for number in 0..self.ends.len() as u32 {
            let mut slot = hash(self.name(number)) as usize & (size - 1);
            while self.table[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            self.table[slot] = number + 1;
        }
    }

    /// The bytes that they take.
    pub(super) fn bytes(&self) -> u64 {
        (self.text.capacity() + 4 * (self.ends.capacity() + self.table.capacity())) as u64
    }
}

/// A multiplicative hash of the words of a name.
fn hash(name: &str) -> u64 {
    let mut hasher = WordHasher::default();
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// Hashes words by rotation, exclusive or and multiplication; for keys that no adversary chooses.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct WordHasher(u64);

/// Builds [`WordHasher`]s.
pub(super) type BuildWordHasher = BuildHasherDefault<WordHasher>;

impl WordHasher {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let last = rest.iter().fold(1, |word, &byte| word << 8 | u64::from(byte));
        self.word(last);
    }

    fn write_u32(&mut self, word: u32) {
        self.word(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.word(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.word(word as u64);
    }

    fn finish(&self) -> u64 {
        // The high bits are the better mixed ones.
        self.0 ^ self.0 >> 32
    }
}

/// Baskets, each a set of items; an item twice in a basket counts once.
#[derive(Debug)]
pub struct Baskets {
    items: Vec<u32>,
    ends: Vec<u32>,
    /// One more than the largest item.
    width: u32,
    memory: Reserved,
    /// The memory of the names.
    names: Option<Reserved>,
}

impl Baskets {
    /// No baskets.
    pub fn new(budget: &Budget) -> Self {
        // A reservation of nothing exceeds no limit.
        let memory = Reserved::empty(budget, "the baskets", READ_LOWER);
        Self { items: Vec::new(), ends: Vec::new(), width: 0, memory, names: None }
    }

    /// Baskets of these items, without a memory limit.
    ///
    /// # Errors
    /// If there are more items than 32-bit numbers count.
    pub fn from_sets<S: AsRef<[u32]>>(sets: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut baskets = Self::new(&Budget::unlimited());
        for set in sets {
            baskets.push(set.as_ref())?;
        }
        Ok(baskets)
    }

    /// Adds a basket.
    ///
    /// # Errors
    /// If the memory limit is reached, or there are more items than 32-bit numbers count.
    pub fn push(&mut self, items: &[u32]) -> Result<()> {
        let start = self.items.len();
        self.items.extend_from_slice(items);
        let basket = &mut self.items[start..];
        if !basket.is_sorted_by(|a, b| a < b) {
            basket.sort_unstable();
            let mut kept = start;
            for at in start..self.items.len() {
                if kept == start || self.items[kept - 1] != self.items[at] {
                    self.items[kept] = self.items[at];
                    kept += 1;
                }
            }
            self.items.truncate(kept);
        }
        let end = u32::try_from(self.items.len());
        let end = end.map_err(|_| RulesError::TooMany { what: "the items of all baskets" })?;
        if let Some(&largest) = self.items[start..].last() {
            let width = largest.checked_add(1);
            let width = width.ok_or(RulesError::TooMany { what: "the different items" })?;
            self.width = self.width.max(width);
        }
        self.ends.push(end);
        self.memory.grow_to(4 * (self.items.capacity() + self.ends.capacity()) as u64)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Items in all baskets together.
    pub fn total_items(&self) -> usize {
        self.items.len()
    }

    /// One more than the largest item.
    pub fn width(&self) -> usize {
        self.width as usize
    }

    /// The baskets in order, each ascending.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let end = end as usize;
            let basket = &self.items[start..end];
            start = end;
            basket
        })
    }

    /// The number of baskets that hold each item `[width]`.
    pub fn item_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.width()];
        self.items.iter().for_each(|&item| counts[item as usize] += 1);
        counts
    }

    /// The baskets for which `first` is true of their number, and the others, as for a test on
    /// held-out baskets.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn split(
        &self,
        budget: &Budget,
        mut first: impl FnMut(usize) -> bool,
    ) -> Result<(Self, Self)> {
        let (mut one, mut other) = (Self::new(budget), Self::new(budget));
        for (number, basket) in self.iter().enumerate() {
            if first(number) { one.push(basket)? } else { other.push(basket)? }
        }
        Ok((one, other))
    }

    /// Counts other memory as long as the baskets are there.
    pub(super) fn hold(&mut self, names: Reserved) {
        self.names = Some(names);
    }

    /// Removes all baskets and keeps the memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.ends.clear();
        self.width = 0;
    }
}

/// What to do if baskets need too much memory.
const READ_LOWER: &str = "raise the limit, or mine the file in parts";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_once() {
        let mut names = Names::new();
        let words: Vec<String> = (0..1000).map(|i| format!("item {}", i % 300)).collect();
        let numbers: Vec<u32> = words.iter().map(|w| names.number(w).unwrap()).collect();
        assert_eq!(names.len(), 300);
        for (word, &number) in words.iter().zip(&numbers) {
            assert_eq!(names.name(number), word);
            assert_eq!(names.find(word), Some(number));
        }
        assert_eq!(names.find("item"), None);
        assert_eq!(Names::new().find(""), None);
    }

    #[test]
    fn an_item_counts_once_in_a_basket() {
        let baskets = Baskets::from_sets([&[3, 1, 3, 1, 1][..], &[], &[3, 3]]).unwrap();
        assert_eq!(baskets.iter().collect::<Vec<_>>(), [&[1, 3][..], &[], &[3]]);
        assert_eq!(baskets.item_counts(), [0, 1, 0, 2]);
        assert_eq!((baskets.len(), baskets.width(), baskets.total_items()), (3, 4, 3));
    }

    #[test]
    fn the_limit_stops_reading() {
        let budget = Budget::new(1 << 12);
        let mut baskets = Baskets::new(&budget);
        let stopped = (0..10_000).find_map(|i| baskets.push(&[i, i + 1]).err());
        assert!(matches!(stopped, Some(RulesError::Memory { limit: 4096, .. })));
        drop(baskets);
        assert_eq!(budget.used(), 0);
    }
}
