//! FP-growth (Han, Pei and Yin 2000, doi:10.1145/342009.335372): the sets that end in an item are those
//! of its conditional pattern base, the parts of the baskets before it.
//!
//! The pattern bases are kept as arrays of rows instead of the paths of a tree (as in H-mine and LCM):
//! for sparse data a tree shares little, and reading arrays in order is quicker than following parents.
//! Bases that are dense enough go to Eclat.

use super::database::Rows;
use super::error::Result;
use super::output::Output;
use super::search::{Algorithm, Next, Search, Target};

/// What one candidate of Eclat costs for 64 baskets, relative to one item of a row here.
const WORD_COST: f64 = 0.5;

/// Items for each row of a pattern base from which on the items found are listed, not looked for.
const DENSE_COUNTS: usize = 32;

/// Whether Eclat is quicker for rows of `count` baskets.
pub(super) fn is_dense(rows: &Rows, count: u32) -> bool {
    let words = f64::from(count.div_ceil(64));
    let (open, all) = (rows.open as f64, rows.codes.len() as f64);
    let occurrences = rows.counts.iter().map(|&n| f64::from(n)).sum::<f64>();
    let pairs = open * (all - open / 2.0);
    pairs * words * WORD_COST <= occurrences * occurrences / f64::from(count)
}

impl<O: Output> Search<'_, O> {
    /// Searches all sets that extend the prefix by the open item `item` of `rows`, and perhaps open
    /// items before it.
    pub(super) fn extend_rows(&mut self, rows: &Rows, item: usize) -> Result<()> {
        let count = rows.counts[item];
        if count < self.least() {
            return Ok(());
        }
        let mark = self.mark();
        self.prefix.push(rows.codes[item]);
        let all = self.target == Target::All;
        let result = if all && (item == 0 || self.prefix.len() >= self.max_len) {
            self.output.sets(&self.prefix, &self.extensions, count)
        } else {
            self.conditional(rows, item, count)
        };
        self.reset(mark);
        result
    }

    /// Searches the conditional pattern base of an item, the last one of the prefix.
    fn conditional(&mut self, rows: &Rows, item: usize, count: u32) -> Result<()> {
        let from = rows.occurrence_starts[item] as usize;
        let to = rows.occurrence_starts[item + 1] as usize;
        let occurrences = &rows.occurrences[from..to];
        let touched = self.count_items(rows, occurrences);

        // Items of the child: open ones, then passed ones.
        let least = self.least();
        let item = item as u32;
        let (mut open, mut kept, mut covered) = (0, 0, false);
        for at in 0..touched {
            let other = self.touched[at];
            let found = std::mem::take(&mut self.counts[other as usize]);
            if found == count {
                if other < item {
                    self.perfect(rows.codes[other as usize]);
                } else {
                    covered = true;
                }
            } else if found >= least {
                self.touched[kept] = other;
                // The counts of kept items are read again below.
                self.counts[other as usize] = found;
                open += usize::from(other < item);
                kept += 1;
            }
        }
        if covered || self.report_node(count, open, kept - open)? == Next::Leave {
            self.touched[..kept].iter().for_each(|&other| self.counts[other as usize] = 0);
            return Ok(());
        }
        // The child's items in order, their counts and their new numbers.
        let mut child = self.spare_rows.pop().unwrap_or_default();
        child.clear();
        child.open = open;
        self.touched[..kept].sort_unstable();
        for (number, &other) in self.touched[..kept].iter().enumerate() {
            child.codes.push(rows.codes[other as usize]);
            child.counts.push(std::mem::take(&mut self.counts[other as usize]));
            self.numbers[other as usize] = number as u32;
        }
        let alone = open == 1 && (kept == 1 || self.target == Target::All);
        let dense = !alone && self.is_dense(&child, count);
        let mut bitsets = None;
        if dense {
            let bits = self.spare_bitsets.pop().unwrap_or_default();
            bitsets = Some(bits.fill(rows, occurrences, &child, &self.numbers));
        } else if !alone {
            self.fill(rows, occurrences, &mut child);
        }
        self.touched[..kept].iter().for_each(|&other| self.numbers[other as usize] = u32::MAX);
        if alone {
            self.prefix.push(child.codes[0]);
            self.output.sets(&self.prefix, &self.extensions, child.counts[0])?;
        } else if let Some(bitsets) = bitsets {
            self.search_bitsets(&bitsets, &child.counts)?;
            self.spare_bitsets.push(bitsets);
        } else {
            self.search_rows(&mut child)?;
        }
        self.spare_rows.push(child);
        Ok(())
    }

    /// Whether Eclat is quicker for a conditional pattern base: its candidates' words against the items
    /// that the rows' next step reads.
    fn is_dense(&self, child: &Rows, count: u32) -> bool {
        match self.algorithm {
            Algorithm::FpGrowth => false,
            Algorithm::Eclat => true,
            Algorithm::Auto => is_dense(child, count),
        }
    }

    /// Fills in the rows of a conditional pattern base. Rows of a single item are left out: its count
    /// says all of them.
    fn fill(&self, rows: &Rows, occurrences: &[(u32, u32)], child: &mut Rows) {
        let all = self.target == Target::All;
        for &(row, at) in occurrences {
            let row = row as usize;
            let from = child.items.len();
            let end = if all { at } else { rows.starts[row + 1] };
            for &other in &rows.items[rows.starts[row] as usize..end as usize] {
                let number = self.numbers[other as usize];
                if number != u32::MAX {
                    child.items.push(number);
                }
            }
            if child.items.len() < from + 2 {
                child.items.truncate(from);
            } else {
                child.starts.push(child.items.len() as u32);
                child.weights.push(rows.weights[row]);
            }
        }
    }

    fn search_rows(&mut self, rows: &mut Rows) -> Result<()> {
        if self.target == Target::Maximal && rows.open > 1 {
            let joined = rows.joined();
            if joined >= self.least() {
                let least = self.least();
                let covered = rows.joined_passed(&mut self.counts, least);
                if !covered {
                    self.report_joined(rows.codes[..rows.open].iter().copied(), joined)?;
                }
                return Ok(());
            }
        }
        rows.index();
        (0..rows.open).try_for_each(|item| self.extend_rows(rows, item))
    }

    /// Counts the items of the rows with these occurrences; lists them in `touched`, and returns how
    /// many they are.
    fn count_items(&mut self, rows: &Rows, occurrences: &[(u32, u32)]) -> usize {
        let all = self.target == Target::All;
        let (counts, touched) = (&mut self.counts[..], &mut self.touched[..]);
        let mut found = 0;
        let items = rows.codes.len();
        if occurrences.len() * DENSE_COUNTS < items {
            let mut add = |items: &[u32], weight: u32| {
                for &other in items {
                    let count = &mut counts[other as usize];
                    touched[found] = other;
                    found += usize::from(*count == 0);
                    *count += weight;
                }
            };
            for &(row, at) in occurrences {
                let (row, at) = (row as usize, at as usize);
                add(&rows.items[rows.starts[row] as usize..at], rows.weights[row]);
                if !all {
                    add(&rows.items[at + 1..rows.starts[row + 1] as usize], rows.weights[row]);
                }
            }
            return found;
        }
        let counts = &mut counts[..items];
        for &(row, at) in occurrences {
            let (row, at) = (row as usize, at as usize);
            let weight = rows.weights[row];
            let mut add =
                |items: &[u32]| items.iter().for_each(|&other| counts[other as usize] += weight);
            add(&rows.items[rows.starts[row] as usize..at]);
            if !all {
                add(&rows.items[at + 1..rows.starts[row + 1] as usize]);
            }
        }
        for (other, &count) in counts.iter().enumerate() {
            touched[found] = other as u32;
            found += usize::from(count != 0);
        }
        found
    }
}
