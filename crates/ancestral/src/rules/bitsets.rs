//! Bitsets of baskets: one an item, for the baskets of a conditional pattern base.

use ancestral_kernels::gather_bits;

use super::database::Rows;

/// The bitsets of items.
#[derive(Debug, Default)]
pub(super) struct Bitsets {
    /// Words of a bitset.
    pub(super) words: usize,
    /// `[items, words]`.
    pub(super) sets: Vec<u64>,
    pub(super) codes: Vec<u32>,
    pub(super) open: usize,
    /// Where the bitset of each item of a row begins.
    held: Vec<usize>,
}

/// Nodes on the path of the search: bitsets of their baskets, and their items with counts.
#[derive(Debug, Default)]
pub(super) struct TidStack {
    pub(super) tids: Vec<u64>,
    pub(super) items: Vec<u32>,
    pub(super) counts: Vec<u32>,
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

    /// The bitsets of all rows.
    pub(super) fn of(rows: &Rows) -> Self {
        let total: u64 = rows.weights.iter().map(|&weight| u64::from(weight)).sum();
        let words = total.div_ceil(64) as usize;
        let mut sets = Self::default();
        sets.reset(words, &rows.codes, rows.open);
        let mut basket = 0;
        for (ends, &weight) in rows.starts.windows(2).zip(&rows.weights) {
            let items = &rows.items[ends[0] as usize..ends[1] as usize];
            sets.held.clear();
            sets.held.extend(items.iter().map(|&item| item as usize * words));
            basket = sets.add(basket, weight);
        }
        sets
    }

    /// Sets the bits of the held items for the next baskets, `weight` of them, by whole words.
    fn add(&mut self, mut basket: usize, weight: u32) -> usize {
        let last = basket + weight as usize;
        while basket < last {
            let (word, bit) = (basket / 64, basket % 64);
            let bits = (last - basket).min(64 - bit);
            let mask = u64::MAX >> (64 - bits) << bit;
            self.held.iter().for_each(|start| self.sets[start + word] |= mask);
            basket += bits;
        }
        last
    }

    /// Makes the bitsets of the listed items of another anew, for the baskets in `tids` only, `count`
    /// of them.
    pub(super) fn fill_from(
        &mut self,
        other: &Self,
        (items, open): (&[u32], usize),
        tids: &[u64],
        count: usize,
    ) {
        self.words = count.div_ceil(64);
        self.open = open;
        self.codes.clear();
        self.codes.extend(items.iter().map(|&item| other.codes[item as usize]));
        // All words are written.
        self.sets.resize(self.words * items.len(), 0);
        if self.words > 0 {
            for (&item, set) in items.iter().zip(self.sets.chunks_exact_mut(self.words)) {
                gather_bits(other.set(item as usize), tids, set);
            }
        }
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
            self.held.clear();
            for &other in &rows.items[rows.starts[row] as usize..end as usize] {
                let number = numbers[other as usize];
                if number != u32::MAX {
                    self.held.push(number as usize * words);
                }
            }
            if self.held.len() < 2 {
                continue;
            }
            basket = self.add(basket, rows.weights[row]);
        }
        self
    }

    pub(super) fn set(&self, item: usize) -> &[u64] {
        &self.sets[item * self.words..(item + 1) * self.words]
    }
}

/// Counts the baskets of `tids` that hold each item.
pub(super) fn count_items(
    arch: pulp::Arch,
    tids: &[u64],
    sets: &[u64],
    items: &[u32],
    counts: &mut [u32],
) {
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
pub(super) fn common(one: &[u64], other: &[u64]) -> u32 {
    one.iter().zip(other).map(|(a, b)| (a & b).count_ones()).sum()
}
