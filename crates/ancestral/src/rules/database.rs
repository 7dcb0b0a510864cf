//! Baskets prepared for mining: infrequent items removed, items coded by frequency, equal baskets
//! merged.

use std::collections::HashMap;
use std::hash::Hasher;

use super::baskets::{Baskets, BuildWordHasher, Names, WordHasher};
use super::budget::{Budget, Reserved};
use super::error::{Result, RulesError};

/// A database of rows of items, with their multiplicities: all baskets, or those of a conditional
/// pattern base.
///
/// Items are numbered within the database: first the `open` ones, by which sets may be extended, then
/// those that other branches of the search extend by, which only tell whether a set is closed or
/// maximal. Each row ascends.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) items: Vec<u32>,
    /// Where each row begins, and the end of the last.
    pub(super) starts: Vec<u32>,
    pub(super) weights: Vec<u32>,
    pub(super) open: usize,
    /// The codes of the items.
    pub(super) codes: Vec<u32>,
    /// The baskets that hold each item.
    pub(super) counts: Vec<u32>,
    /// Where the occurrences of each open item begin, and the end of the last.
    pub(super) occurrence_starts: Vec<u32>,
    /// Row and position in `items` of each occurrence.
    pub(super) occurrences: Vec<(u32, u32)>,
}

impl Rows {
    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.starts.clear();
        self.starts.push(0);
        self.weights.clear();
        self.codes.clear();
        self.counts.clear();
        self.open = 0;
    }

    /// Lists the occurrences of open items.
    pub(super) fn index(&mut self) {
        let open = self.open as u32;
        let starts = &mut self.occurrence_starts;
        starts.clear();
        starts.resize(self.open + 2, 0);
        for &item in &self.items {
            if item < open {
                starts[item as usize + 2] += 1;
            }
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let total = starts.last().copied().unwrap_or(0) as usize;
        self.occurrences.clear();
        self.occurrences.resize(total, (0, 0));
        for row in 0..self.weights.len() {
            for at in self.starts[row]..self.starts[row + 1] {
                let item = self.items[at as usize];
                if item >= open {
                    break;
                }
                let next = &mut starts[item as usize + 1];
                self.occurrences[*next as usize] = (row as u32, at);
                *next += 1;
            }
        }
        starts.pop();
    }

    /// Multiplicity of rows that hold all open items, of which there are at least two.
    pub(super) fn joined(&self) -> u32 {
        let rows = self.starts.windows(2).zip(&self.weights);
        rows.filter(|(ends, _)| self.holds_open(ends)).map(|(_, &weight)| weight).sum()
    }

    /// Whether a passed item is frequent among the rows that hold all open items; `counts` are zero.
    pub(super) fn joined_passed(&self, counts: &mut [u32], least: u32) -> bool {
        let mut frequent = false;
        for (ends, &weight) in self.starts.windows(2).zip(&self.weights) {
            if self.holds_open(ends) {
                for &item in &self.items[ends[0] as usize + self.open..ends[1] as usize] {
                    counts[item as usize] += weight;
                    frequent |= counts[item as usize] >= least;
                }
            }
        }
        counts[..self.codes.len()].fill(0);
        frequent
    }

    fn holds_open(&self, ends: &[u32]) -> bool {
        match *ends {
            [from, to] if (to - from) as usize >= self.open && self.open > 0 => {
                self.items[from as usize + self.open - 1] as usize == self.open - 1
            }
            _ => false,
        }
    }
}

/// Prepared baskets.
#[derive(Debug)]
pub(super) struct Database {
    /// The baskets, without items in all of them; every item is open.
    pub(super) rows: Rows,
    /// The item of each code; codes descend in frequency, equally frequent items by name.
    pub(super) items: Vec<u32>,
    /// The number of baskets, empty ones included.
    pub(super) baskets: u32,
    /// The codes of items in all baskets.
    pub(super) everywhere: Vec<u32>,
    _memory: Reserved,
}

/// What to do if mining needs too much memory.
pub(super) const MINE_LOWER: &str = "raise the limit or the minimum support, or mine in parts";

impl Database {
    /// Prepares the items that are in at least `least` baskets.
    ///
    /// `names` order items of the same frequency, so that results do not depend on the order of
    /// baskets.
    pub(super) fn new(
        baskets: &Baskets,
        names: Option<&Names>,
        least: u32,
        budget: &Budget,
    ) -> Result<Self> {
        let total = u32::try_from(baskets.len())
            .map_err(|_| RulesError::TooMany { what: "the baskets" })?;
        let counts = baskets.item_counts();
        let mut items: Vec<u32> =
            (0..counts.len() as u32).filter(|&i| counts[i as usize] >= least.max(1)).collect();
        items.sort_unstable_by(|&a, &b| {
            let by_name = || match names {
                Some(names) => names.name(a).cmp(names.name(b)),
                None => a.cmp(&b),
            };
            counts[b as usize].cmp(&counts[a as usize]).then_with(by_name)
        });
        let kept: u64 = items.iter().map(|&i| u64::from(counts[i as usize])).sum();
        // Items, their occurrences, conditional pattern bases of the threads, which share little more
        // than a copy; bitsets, which are made where they are smaller than that; rows with their hashes,
        // and tables by item.
        let bytes = 22 * kept + 24 * u64::from(total) + 16 * counts.len() as u64;
        let memory = budget.reserve(bytes, "the search", MINE_LOWER)?;
        let everywhere: Vec<u32> = (0..items.len() as u32)
            .take_while(|&code| counts[items[code as usize] as usize] == total)
            .collect();
        let mut rows = Rows::default();
        rows.clear();
        rows.codes.extend(everywhere.len() as u32..items.len() as u32);
        rows.counts.extend(rows.codes.iter().map(|&code| counts[items[code as usize] as usize]));
        rows.open = rows.codes.len();
        let mut local = vec![u32::MAX; counts.len()];
        for (number, &code) in rows.codes.iter().enumerate() {
            local[items[code as usize] as usize] = number as u32;
        }
        merge(baskets, &local, &mut rows);
        rows.index();
        Ok(Self { rows, items, baskets: total, everywhere, _memory: memory })
    }
}

/// Fills in the rows, equal ones once, with their multiplicity. Rows of a single item are left out:
/// its count says all of them.
fn merge(baskets: &Baskets, local: &[u32], rows: &mut Rows) {
    let mut last_of_hash: HashMap<u64, u32, BuildWordHasher> = HashMap::default();
    let mut row = Vec::new();
    for basket in baskets.iter() {
        // All are written, and the frequent ones kept.
        row.resize(basket.len(), 0);
        let mut kept = 0;
        for &item in basket {
            let code = local[item as usize];
            row[kept] = code;
            kept += usize::from(code != u32::MAX);
        }
        row.truncate(kept);
        if row.len() < 2 {
            continue;
        }
        row.sort_unstable();
        let mut hasher = WordHasher::default();
        let (pairs, rest) = row.as_chunks::<2>();
        pairs.iter().for_each(|&[a, b]| hasher.write_u64(u64::from(a) << 32 | u64::from(b)));
        rest.iter().for_each(|&code| hasher.write_u32(code));
        let hash = hasher.finish();
        let number = rows.weights.len() as u32;
        let known = last_of_hash.entry(hash).or_insert(number);
        let (from, to) = match rows.starts.get(*known as usize..*known as usize + 2) {
            Some(&[from, to]) => (from as usize, to as usize),
            _ => (0, 0),
        };
        // Rows that only share their hash are kept apart.
        if *known < number && rows.items[from..to] == row[..] {
            rows.weights[*known as usize] += 1;
        } else {
            rows.items.extend_from_slice(&row);
            rows.starts.push(rows.items.len() as u32);
            rows.weights.push(1);
        }
    }
}
