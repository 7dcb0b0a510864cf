//! Bitsets of baskets: one an item, for the baskets of a conditional pattern base.

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
            // All baskets of the row, by whole words.
            let last = basket + rows.weights[row] as usize;
            while basket < last {
                let (word, bit) = (basket / 64, basket % 64);
                let bits = (last - basket).min(64 - bit);
                let mask = u64::MAX >> (64 - bits) << bit;
                self.held.iter().for_each(|start| self.sets[start + word] |= mask);
                basket += bits;
            }
        }
        self
    }

    pub(super) fn set(&self, item: usize) -> &[u64] {
        &self.sets[item * self.words..(item + 1) * self.words]
    }
}

/// Makes the bitsets of the listed items anew, for the baskets in `tids` only, `count` of them.
pub(super) struct Compress<'a> {
    pub(super) bitsets: &'a Bitsets,
    pub(super) items: &'a [u32],
    pub(super) open: usize,
    pub(super) tids: &'a [u64],
    pub(super) count: usize,
    pub(super) into: &'a mut Bitsets,
}

impl pulp::NullaryFnOnce for Compress<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { bitsets, items, open, tids, count, into } = self;
        let words = count.div_ceil(64);
        into.words = words;
        into.open = open;
        into.codes.clear();
        into.codes.extend(items.iter().map(|&item| bitsets.codes[item as usize]));
        into.sets.clear();
        into.sets.resize(words * items.len(), 0);
        let mut base = 0;
        for (at, &mask) in tids.iter().enumerate() {
            if mask == 0 {
                continue;
            }
            for (number, &item) in items.iter().enumerate() {
                let mut bits = bitsets.sets[item as usize * bitsets.words + at] & mask;
                let set = &mut into.sets[number * words..][..words];
                while bits != 0 {
                    let below = (bits & bits.wrapping_neg()) - 1;
                    let basket = base + (mask & below).count_ones() as usize;
                    set[basket / 64] |= 1 << (basket % 64);
                    bits &= bits - 1;
                }
            }
            base += mask.count_ones() as usize;
        }
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
