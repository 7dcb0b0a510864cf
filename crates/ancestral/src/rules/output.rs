//! Where found sets go: counted, or handed to a sink in an order that does not depend on the number
//! of threads.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::error::{Result, RulesError};
use super::watch::Watch;

/// Receives found sets one by one, as they are found.
pub trait SetSink {
    /// A set of items, the most frequent item first, and the number of baskets that hold it.
    ///
    /// # Errors
    /// Ends the search, which returns the error.
    fn set(&mut self, items: &[u32], count: u32) -> Result<()>;

    /// Several sets, one after another: for each, how many items it has, its count, and its items.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    fn batch(&mut self, words: &[u32]) -> Result<()> {
        of_batch(words).try_for_each(|(items, count)| self.set(items, count))
    }
}

/// The sets of a batch, with their counts.
pub(super) fn of_batch(mut words: &[u32]) -> impl Iterator<Item = (&[u32], u32)> {
    std::iter::from_fn(move || {
        let (&[size, count], rest) = words.split_first_chunk()?;
        let (items, rest) = rest.split_at_checked(size as usize)?;
        words = rest;
        Some((items, count))
    })
}

impl<F: FnMut(&[u32], u32) -> Result<()>> SetSink for F {
    fn set(&mut self, items: &[u32], count: u32) -> Result<()> {
        self(items, count)
    }
}

/// Receives what one branch of a search finds.
pub(super) trait Output {
    /// The prefix joined with every subset of the extensions; all of these sets are in the same
    /// baskets.
    fn sets(&mut self, prefix: &[u32], extensions: &[u32], count: u32) -> Result<()>;

    /// The branch ends.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }

    /// The branch was stopped.
    fn abandon(&mut self) {}
}

/// Numbers of sets by their size, without the sets themselves; a number above 2¹²⁸ − 1 stays there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SizeCounts {
    by_size: Vec<u128>,
}

impl SizeCounts {
    /// The number of sets of each size; the first entry, for the empty set, is 0.
    pub fn by_size(&self) -> &[u128] {
        &self.by_size
    }

    /// The number of all sets.
    pub fn total(&self) -> u128 {
        self.by_size.iter().fold(0, |sum, &n| sum.saturating_add(n))
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.reach(other.by_size.len());
        for (sum, &n) in self.by_size.iter_mut().zip(&other.by_size) {
            *sum = sum.saturating_add(n);
        }
    }

    fn reach(&mut self, len: usize) {
        if self.by_size.len() < len {
            self.by_size.resize(len, 0);
        }
    }
}

/// Counts sets by size.
#[derive(Debug)]
pub(super) struct Counting {
    pub(super) counts: SizeCounts,
    pub(super) max_len: usize,
}

impl Output for Counting {
    #[inline]
    fn sets(&mut self, prefix: &[u32], extensions: &[u32], _: u32) -> Result<()> {
        let size = prefix.len();
        let most = (size + extensions.len()).min(self.max_len);
        self.counts.reach(most + 1);
        let mut ways = 1_u128;
        for (chosen, size) in (size..=most).enumerate() {
            if size > 0 {
                let sum = &mut self.counts.by_size[size];
                *sum = sum.saturating_add(ways);
            }
            if size < most {
                ways = next_binomial(ways, extensions.len(), chosen);
            }
        }
        Ok(())
    }
}

/// C(n, k + 1) from C(n, k); at most 2¹²⁸ − 1.
pub(super) fn next_binomial(ways: u128, n: usize, k: usize) -> u128 {
    match ways.checked_mul((n - k) as u128) {
        Some(product) => product / (k as u128 + 1),
        // Divided first, the result is rounded down; it is beyond 2⁶⁴ by then.
        None => (ways / (k as u128 + 1)).saturating_mul((n - k) as u128),
    }
}

/// Words of results that a branch collects before it hands them over.
const BATCH: usize = 1 << 14;
/// Most words of results that wait for branches before theirs; then the branch waits, too.
const WAITING: u64 = 1 << 22;
/// This fraction (1 / WAITING_SHARE) of the memory limit may wait.
const WAITING_SHARE: u64 = 16;

/// Hands batches of results to a sink in the order of their branches.
///
/// The first unfinished branch writes at once; later ones wait their turn when too many of their
/// results would be held. So memory is bounded and the order does not depend on threads.
pub(super) struct Ordered<'a> {
    watch: &'a Watch,
    state: Mutex<State<'a>>,
    turn: Condvar,
}

struct State<'a> {
    sink: &'a mut (dyn SetSink + Send),
    next: usize,
    waiting: BTreeMap<usize, (Vec<Vec<u32>>, bool)>,
    waiting_words: usize,
    most_waiting: usize,
    stopped: bool,
}

impl State<'_> {
    /// Writes what waited for the branch that is now the next one.
    fn advance(&mut self) -> Result<()> {
        while let Some((batches, ended)) = self.waiting.remove(&self.next) {
            for batch in batches {
                self.waiting_words -= batch.len();
                self.sink.batch(&batch)?;
            }
            if !ended {
                break;
            }
            self.next += 1;
        }
        Ok(())
    }
}

impl<'a> Ordered<'a> {
    /// `limit` is the memory limit in bytes.
    pub(super) fn new(sink: &'a mut (dyn SetSink + Send), limit: u64, watch: &'a Watch) -> Self {
        let state = State {
            sink,
            next: 0,
            waiting: BTreeMap::new(),
            waiting_words: 0,
            most_waiting: (limit / WAITING_SHARE / 4).min(WAITING) as usize,
            stopped: false,
        };
        Self { watch, state: Mutex::new(state), turn: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the waiting of all branches.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.turn.notify_all();
    }

    /// Writes all that waits, also of branches that were stopped.
    pub(super) fn drain(&self) -> Result<()> {
        let mut state = self.lock();
        while let Some((_, (batches, _))) = state.waiting.pop_first() {
            batches.iter().try_for_each(|batch| state.sink.batch(batch))?;
        }
        Ok(())
    }

    /// Keeps what a stopped branch has found.
    fn abandon(&self, branch: usize, batch: &mut Vec<u32>) {
        if !batch.is_empty() {
            self.lock().waiting.entry(branch).or_default().0.push(std::mem::take(batch));
        }
    }

    fn deliver(&self, branch: usize, batch: &mut Vec<u32>, ended: bool) -> Result<()> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return Err(RulesError::Stopped);
            }
            // One call may bring more sets than there is time for.
            self.watch.check()?;
            if state.next == branch {
                state.sink.batch(batch)?;
                batch.clear();
                if ended {
                    state.next += 1;
                    state.advance()?;
                    drop(state);
                    self.turn.notify_all();
                }
                return Ok(());
            }
            if ended || state.waiting_words + batch.len() <= state.most_waiting {
                state.waiting_words += batch.len();
                let entry = state.waiting.entry(branch).or_default();
                if !batch.is_empty() {
                    entry.0.push(std::mem::take(batch));
                }
                entry.1 = ended;
                return Ok(());
            }
            state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
            // Earlier batches of this branch may have been written by the one before it.
        }
    }
}

/// Writes the sets of one branch after another to an ordered sink.
pub(super) struct Writing<'a, 'b> {
    ordered: &'a Ordered<'b>,
    /// The items of the codes.
    items: &'a [u32],
    pub(super) branch: usize,
    batch: Vec<u32>,
    max_len: usize,
    /// The positions of the extensions in the present set.
    chosen: Vec<u32>,
    /// The items of prefix and extensions by ascending code, each with its place in `has`.
    all: Vec<(u32, u32)>,
    /// Whether the present set has each extension; then, for the prefix, that it has.
    has: Vec<bool>,
}

impl<'a, 'b> Writing<'a, 'b> {
    pub(super) fn new(ordered: &'a Ordered<'b>, items: &'a [u32], max_len: usize) -> Self {
        let (batch, chosen) = (Vec::new(), Vec::new());
        let (all, has) = (Vec::new(), Vec::new());
        Self { ordered, items, branch: 0, batch, max_len, chosen, all, has }
    }

    /// Adds the present set of `size` items to the batch.
    fn write(&mut self, size: usize, count: u32) {
        let start = self.batch.len() + 2;
        self.batch.extend([size as u32, count]);
        if size == self.all.len() {
            self.batch.extend(self.all.iter().map(|(item, _)| *item));
            return;
        }
        // Written by all items, and kept by those that it has.
        self.batch.resize(start + self.all.len(), 0);
        let (set, mut kept) = (&mut self.batch[start..], 0);
        for &(item, place) in &self.all {
            set[kept] = item;
            kept += usize::from(self.has[place as usize]);
        }
        self.batch.truncate(start + size);
    }
}

impl Output for Writing<'_, '_> {
    fn sets(&mut self, prefix: &[u32], extensions: &[u32], count: u32) -> Result<()> {
        let of_prefix = extensions.len() as u32;
        self.all.clear();
        self.all.extend(prefix.iter().map(|&code| (code, of_prefix)));
        self.all.extend(extensions.iter().zip(0..).map(|(&code, place)| (code, place)));
        self.all.sort_unstable();
        self.all.iter_mut().for_each(|(code, _)| *code = self.items[*code as usize]);
        self.has.clear();
        self.has.resize(extensions.len(), false);
        self.has.push(true);
        // Subsets of the extensions by size-first recursion without a stack: `chosen` holds positions.
        self.chosen.clear();
        loop {
            let size = prefix.len() + self.chosen.len();
            if size > 0 {
                self.write(size, count);
                if self.batch.len() >= BATCH {
                    self.ordered.deliver(self.branch, &mut self.batch, false)?;
                }
            }
            let next = self.chosen.last().map_or(0, |&at| at as usize + 1);
            if next < extensions.len() && size < self.max_len {
                self.chosen.push(next as u32);
                self.has[next] = true;
                continue;
            }
            // The last position moves on, or the one before it.
            loop {
                let Some(at) = self.chosen.pop() else { return Ok(()) };
                self.has[at as usize] = false;
                if (at as usize) + 1 < extensions.len() {
                    self.chosen.push(at + 1);
                    self.has[at as usize + 1] = true;
                    break;
                }
            }
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.ordered.deliver(self.branch, &mut self.batch, true)
    }

    fn abandon(&mut self) {
        self.ordered.abandon(self.branch, &mut self.batch);
    }
}
