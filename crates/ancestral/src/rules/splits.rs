//! Splitting frequent sets into the antecedents and consequents of rules.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::budget::{Budget, Reserved};
use super::error::{Result, RulesError};
use super::fisher::fisher;
use super::rule::{Rule, RuleOptions};
use super::sets::{SetIndex, Sets};

/// Sets that a thread splits at a time.
const EACH: usize = 1 << 10;
/// What to do if rules need too much memory.
const LOWER: &str = "raise the limit or the minimum support, or limit the size of sets";
/// The least memory of a list of items of its own.
const LIST: usize = 32;

/// Frequent sets, to be looked up.
pub(super) struct FrequentSets<'a> {
    sets: &'a Sets,
    index: SetIndex,
    baskets: u64,
}

/// The rules that follow from frequent sets.
#[derive(Default)]
pub(super) struct Split {
    /// The rules that all filters leave, not sorted.
    pub(super) rules: Vec<Rule>,
    /// The uncorrected p-values of all rules, if they were asked for.
    pub(super) p_values: Vec<f64>,
    /// The rules that reach the minimum support, before filters.
    pub(super) frequent: u64,
    /// Why these are not all, if they are not.
    pub(super) stopped: Option<RulesError>,
    /// What they take.
    pub(super) memory: Vec<Reserved>,
}

/// A rule before its items are copied.
struct Pair<'a> {
    antecedent: &'a [u32],
    consequent: &'a [u32],
    baskets: u64,
    antecedent_count: u64,
    consequent_count: u64,
    count: u64,
}

impl Pair<'_> {
    fn p(&self) -> f64 {
        fisher(self.baskets, self.antecedent_count, self.consequent_count, self.count)
    }

    fn rule(&self, p: f64) -> Rule {
        Rule {
            antecedent: self.antecedent.to_vec(),
            consequent: self.consequent.to_vec(),
            baskets: self.baskets,
            antecedent_count: self.antecedent_count,
            consequent_count: self.consequent_count,
            count: self.count,
            p,
            p_value: 1.0,
        }
    }
}

impl<'a> FrequentSets<'a> {
    /// Sets with their counts among `baskets` baskets.
    pub(super) fn new(sets: &'a Sets, baskets: u64, budget: &Budget) -> Result<Self> {
        Ok(Self { sets, index: sets.index(budget)?, baskets })
    }

    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }

    /// The count of a set; all baskets hold the empty one.
    fn count(&self, items: &[u32]) -> u64 {
        if items.is_empty() {
            return self.baskets;
        }
        let found = self.index.find(self.sets, items);
        found.map_or(0, |number| u64::from(self.sets.count(number)))
    }

    /// The rules that reach the minimum support; of these the ones that all filters leave, and the
    /// p-values of all if `test`. If it is stopped or reaches the memory limit, those before.
    pub(super) fn split(&self, options: &RuleOptions, test: bool) -> Split {
        let blocks = self.len().div_ceil(EACH);
        let threads = options.mine.threads.or_else(|| std::thread::available_parallelism().ok());
        let threads = threads.map_or(1, NonZeroUsize::get).min(blocks.max(1));
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let work = || {
            let mut splitter = Splitter::new(self, options, test);
            loop {
                let block = next.fetch_add(1, Ordering::Relaxed);
                if block >= blocks || failed.load(Ordering::Relaxed) {
                    return (splitter.split, splitter.memory);
                }
                let numbers = block * EACH..self.len().min((block + 1) * EACH);
                if let Err(error) = splitter.block(numbers) {
                    failed.store(true, Ordering::Relaxed);
                    splitter.split.stopped = Some(error);
                    return (splitter.split, splitter.memory);
                }
            }
        };
        let parts: Vec<(Split, Reserved)> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut parts = vec![work()];
            parts.extend(others.into_iter().map(|thread| match thread.join() {
                Ok(part) => part,
                Err(panic) => std::panic::resume_unwind(panic),
            }));
            parts
        });
        let mut all = Split::default();
        for (part, memory) in parts {
            all.frequent += part.frequent;
            all.stopped = all.stopped.or(part.stopped);
            all.memory.push(memory);
            join(&mut all.rules, part.rules);
            join(&mut all.p_values, part.p_values);
        }
        all
    }

    /// The number of rules that the supports of antecedents and consequents admit: pairs of disjoint
    /// frequent sets within the size limits.
    pub(super) fn tests(&self, options: &RuleOptions) -> Result<f64> {
        let longest = self.sets.iter().map(|(items, _)| items.len()).max().unwrap_or(0);
        let most = options.max_consequent.get().min(longest);
        let mut by_size = vec![0_i128; longest + 1];
        self.sets.iter().for_each(|(items, _)| by_size[items.len()] += 1);
        let max_len = options.mine.max_len();
        let mut tests = 0;
        for (consequent, &consequents) in by_size.iter().enumerate().take(most + 1).skip(1) {
            let room = longest.min(max_len.saturating_sub(consequent));
            let antecedents: i128 = by_size.iter().take(room + 1).skip(1).sum();
            tests += antecedents * consequents;
        }
        // Pairs that overlap are taken away again, by inclusion and exclusion over the parts that both
        // sets of a pair have: Σ over parts P of (−1)^|P| · (sets with P) · (consequents with P).
        let mut part = Vec::new();
        if most == 1 {
            // A part is an item, and the only consequent with it the item itself.
            for (items, _) in self.sets.iter().filter(|(items, _)| items.len() < max_len) {
                tests -= items.len() as i128;
            }
            return Ok(tests as f64);
        }
        // Numbers of sets by their part, and by their size if it matters.
        let sizes = if max_len < longest + most { longest } else { 1 };
        let bytes = 8 * (self.len() * (sizes + 1)) as u64;
        let _memory = options.mine.budget.reserve(bytes, "the number of tests", LOWER)?;
        let mut with = vec![0_u64; self.len() * sizes];
        let mut consequents = vec![0_u64; self.len()];
        let watch = &options.mine.watch;
        watch.begin("counting tests", self.len() as u64);
        let class = |size: usize| if sizes == 1 { 0 } else { size - 1 };
        for (number, (items, _)) in self.sets.iter().enumerate() {
            if number.is_multiple_of(EACH) {
                watch.check()?;
                watch.set(number as u64);
            }
            for size in 1..=most.min(items.len()) {
                combinations(items.len(), size, &mut |chosen| {
                    part.clear();
                    part.extend(chosen.iter().map(|&at| items[at]));
                    if let Some(found) = self.index.find(self.sets, &part) {
                        with[found * sizes + class(items.len())] += 1;
                        consequents[found] += u64::from(items.len() <= most);
                    }
                    Ok(())
                })?;
            }
        }
        for (number, (items, _)) in self.sets.iter().enumerate() {
            if items.len() > most {
                continue;
            }
            let sign = if items.len().is_multiple_of(2) { 1 } else { -1 };
            let with = &with[number * sizes..][..sizes];
            if sizes == 1 {
                tests += sign * i128::from(with[0]) * i128::from(consequents[number]);
                continue;
            }
            for consequent in items.len()..=most {
                let room = longest.min(max_len.saturating_sub(consequent));
                let antecedents: u64 = with[..room].iter().sum();
                tests += sign * i128::from(with[consequent - 1]) * i128::from(antecedents);
            }
        }
        Ok(tests as f64)
    }
}

/// What one thread splits.
struct Splitter<'a> {
    sets: &'a FrequentSets<'a>,
    options: &'a RuleOptions,
    test: bool,
    split: Split,
    /// The memory of the lists of items of the rules.
    lists: usize,
    memory: Reserved,
}

impl<'a> Splitter<'a> {
    fn new(sets: &'a FrequentSets<'a>, options: &'a RuleOptions, test: bool) -> Self {
        let memory = Reserved::empty(&options.mine.budget, "the rules", LOWER);
        Self { sets, options, test, split: Split::default(), lists: 0, memory }
    }

    fn block(&mut self, numbers: std::ops::Range<usize>) -> Result<()> {
        let watch = &self.options.mine.watch;
        watch.check()?;
        let done = numbers.len() as u64;
        for number in numbers {
            self.set(number)?;
        }
        watch.add(done);
        Ok(())
    }

    fn set(&mut self, number: usize) -> Result<()> {
        let (sets, items) = (self.sets, self.sets.sets.items(number));
        let count = u64::from(sets.sets.count(number));
        let (mut antecedent, mut consequent) = (Vec::new(), Vec::new());
        let longest = self.options.max_consequent.get().min(items.len().saturating_sub(1));
        for size in 1..=longest {
            combinations(items.len(), size, &mut |chosen| {
                antecedent.clear();
                consequent.clear();
                for (at, &item) in items.iter().enumerate() {
                    let side = if chosen.contains(&at) { &mut consequent } else { &mut antecedent };
                    side.push(item);
                }
                self.pair(&Pair {
                    antecedent: &antecedent,
                    consequent: &consequent,
                    baskets: sets.baskets,
                    antecedent_count: sets.count(&antecedent),
                    consequent_count: sets.count(&consequent),
                    count,
                })
            })?;
        }
        Ok(())
    }

    fn pair(&mut self, pair: &Pair<'_>) -> Result<()> {
        let split = &mut self.split;
        split.frequent += 1;
        let is_kept = is_kept(self.sets, pair, self.options);
        let p = if is_kept || self.test { pair.p() } else { 1.0 };
        if self.test {
            split.p_values.push(p);
        }
        if is_kept {
            let items = pair.antecedent.len() + pair.consequent.len();
            self.lists += (4 * items).max(2 * LIST);
            split.rules.push(pair.rule(p));
        }
        // A p-value is there once more, with its corrected value, when it is corrected.
        let p_values = 24 * split.p_values.capacity();
        let rules = split.rules.capacity() * size_of::<Rule>() + self.lists;
        // An eighth more is for the allocator.
        self.memory.grow_to((p_values + rules) as u64 / 8 * 9)
    }
}

/// Whether all filters leave a rule.
fn is_kept(sets: &FrequentSets<'_>, pair: &Pair<'_>, options: &RuleOptions) -> bool {
    let has = |item: &u32| pair.antecedent.contains(item) || pair.consequent.contains(item);
    // Of sets that were not found the counts are unknown.
    pair.antecedent_count > 0
        && pair.consequent_count > 0
        && pair.count as f64 / pair.antecedent_count as f64 >= options.min_confidence
        && options.contains.iter().all(has)
        && options.rhs.iter().all(|item| pair.consequent.contains(item))
        && (!options.productive || is_productive(sets, pair))
}

/// Whether the rule is better than every rule with a part of its antecedent.
fn is_productive(sets: &FrequentSets<'_>, pair: &Pair<'_>) -> bool {
    let mut part = Vec::new();
    let size = pair.antecedent.len();
    // A set in memory has all its subsets there, so that its size is far below 64.
    (0..(1_u64 << size.min(63)) - 1).all(|subset| {
        part.clear();
        part.extend((0..size).filter(|at| subset >> at & 1 == 1).map(|at| pair.antecedent[at]));
        let antecedent_count = sets.count(&part);
        part.extend_from_slice(pair.consequent);
        let count = sets.count(&part);
        u128::from(pair.count) * u128::from(antecedent_count)
            > u128::from(count) * u128::from(pair.antecedent_count)
    })
}

/// Moves values to the end of others, without more memory than they need.
fn join<T>(all: &mut Vec<T>, more: Vec<T>) {
    if all.is_empty() {
        *all = more;
    } else {
        all.reserve_exact(more.len());
        all.extend(more);
    }
}

/// Calls `visit` with every choice of `size` of `n` positions, at least one, in lexicographic order.
fn combinations(
    n: usize,
    size: usize,
    visit: &mut dyn FnMut(&[usize]) -> Result<()>,
) -> Result<()> {
    let mut chosen: Vec<usize> = (0..size).collect();
    loop {
        visit(&chosen)?;
        let Some(at) = (0..size).rev().find(|&at| chosen[at] < n - size + at) else {
            return Ok(());
        };
        let first = chosen[at] + 1;
        chosen[at..].iter_mut().zip(first..).for_each(|(position, next)| *position = next);
    }
}
