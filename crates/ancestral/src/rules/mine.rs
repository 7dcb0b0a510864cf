//! Mining: the front of the search, in parallel over the items.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use super::baskets::{Baskets, Names};
use super::bitsets::Bitsets;
use super::budget::Budget;
use super::database::Database;
use super::error::{Result, RulesError};
use super::fp_growth::is_dense;
use super::output::{Counting, Ordered, Output, SetSink, SizeCounts, Writing};
use super::search::{Algorithm, Next, Search, Target};
use super::support::Support;
use super::watch::Watch;

/// What to mine.
#[derive(Debug, Clone)]
pub struct MineOptions {
    /// The minimum support.
    pub support: Support,
    /// Which frequent sets are found; all by default.
    pub target: Target,
    /// Maximum number of items of a reported set. Sets are closed or maximal among sets of any size.
    pub max_len: Option<NonZeroUsize>,
    /// The algorithm; chosen by density by default.
    pub algorithm: Algorithm,
    /// Number of threads; that of the processor's cores by default. Results do not depend on it.
    pub threads: Option<NonZeroUsize>,
    /// The memory limit; none by default.
    pub budget: Budget,
    /// The progress, and the flag that stops it.
    pub watch: Watch,
}

impl MineOptions {
    /// All frequent sets with this minimum support.
    pub fn new(support: Support) -> Self {
        Self {
            support,
            target: Target::All,
            max_len: None,
            algorithm: Algorithm::Auto,
            threads: None,
            budget: Budget::unlimited(),
            watch: Watch::new(),
        }
    }

    pub(super) fn max_len(&self) -> usize {
        self.max_len.map_or(usize::MAX, NonZeroUsize::get)
    }
}

/// Finds frequent sets and hands them to a sink as they are found, always in the same order: that of
/// the search. `names` order items that are equally frequent, so that the order of the baskets does
/// not matter.
///
/// # Errors
/// If the memory limit is exceeded, or it was stopped, or by the sink; what was found before has been
/// handed over.
pub fn mine(
    baskets: &Baskets,
    names: Option<&Names>,
    options: &MineOptions,
    sink: &mut (dyn SetSink + Send),
) -> Result<()> {
    let least = AtomicU32::new(least_of(options, baskets.len()));
    let database = Database::new(baskets, names, least.load(Ordering::Relaxed), &options.budget)?;
    let ordered = Ordered::new(sink, options.budget.limit(), &options.watch);
    let max_len = options.max_len();
    let make = || Writing::new(&ordered, &database.items, max_len);
    let enter = |out: &mut Writing<'_, '_>, branch| out.branch = branch;
    let result = search(&database, options, &least, make, enter, || ordered.stop());
    match result {
        Err(RulesError::Stopped) if options.watch.is_stopped() => {
            ordered.drain()?;
            Err(RulesError::Stopped)
        }
        result => result.map(|_| ()),
    }
}

/// Counts frequent sets by size. Sets that only differ in items of the same baskets are counted
/// together, so that 2⁶⁰ sets take no longer than one.
///
/// # Errors
/// If the memory limit is exceeded.
pub fn count_sets(
    baskets: &Baskets,
    names: Option<&Names>,
    options: &MineOptions,
) -> Result<SizeCounts> {
    let least = AtomicU32::new(least_of(options, baskets.len()));
    let database = Database::new(baskets, names, least.load(Ordering::Relaxed), &options.budget)?;
    let max_len = options.max_len();
    let make = || Counting { counts: SizeCounts::default(), max_len };
    let outputs = search(&database, options, &least, make, |_, _| {}, || {})?;
    let mut counts = SizeCounts::default();
    outputs.iter().for_each(|output| counts.merge(&output.counts));
    Ok(counts)
}

/// The minimum number of baskets; one that no set reaches if it is more than 32 bits hold.
fn least_of(options: &MineOptions, baskets: usize) -> u32 {
    u32::try_from(options.support.least(baskets as u64)).unwrap_or(u32::MAX)
}

/// Searches one branch an item; threads take the next branch from a counter. Returns the threads'
/// outputs.
pub(super) fn search<O: Output + Send>(
    database: &Database,
    options: &MineOptions,
    least: &AtomicU32,
    make: impl Fn() -> O + Sync,
    enter: impl Fn(&mut O, usize) + Sync,
    stop: impl Fn() + Sync,
) -> Result<Vec<O>> {
    let settings = (options.target, options.algorithm, options.max_len());
    let rows = &database.rows;
    // Branch 0 is the root; branch 1 + i begins with item i.
    let watch = &options.watch;
    watch.begin("finding sets", rows.open as u64);
    let mut first = Search::new(settings, least, watch, database, make());
    enter(&mut first.output, 0);
    let next = first.root(database)?;
    first.output.finish()?;
    if next == Next::Leave {
        return Ok(vec![first.output]);
    }
    let dense = options.algorithm != Algorithm::FpGrowth && is_dense(rows, database.baskets);
    let bitsets = dense.then(|| Bitsets::of(rows));
    let branch = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let work = |mut search: Search<'_, O>| -> Result<O> {
        for &code in &database.everywhere {
            if search.prefix.len() + search.extensions.len() < database.everywhere.len() {
                search.perfect(code);
            }
        }
        loop {
            let item = branch.fetch_add(1, Ordering::Relaxed);
            if item >= rows.open || failed.load(Ordering::Relaxed) {
                return Ok(search.output);
            }
            enter(&mut search.output, item + 1);
            let searched = match &bitsets {
                Some(bitsets) => search.search_bitsets_of(bitsets, &rows.counts, item),
                None => search.extend_rows(rows, item),
            };
            let result = searched.and_then(|()| search.output.finish());
            if let Err(error) = result {
                failed.store(true, Ordering::Relaxed);
                search.output.abandon();
                stop();
                return Err(error);
            }
            watch.add(1);
        }
    };
    let threads = options.threads.or_else(|| std::thread::available_parallelism().ok());
    let threads = threads.map_or(1, NonZeroUsize::get).min(rows.open.max(1));
    let results: Vec<Result<O>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|_| scope.spawn(|| work(Search::new(settings, least, watch, database, make()))))
            .collect();
        let mut results = vec![work(first)];
        // A panic in a thread is passed on.
        results.extend(others.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }));
        results
    });
    // The error of the sink comes first; others stopped because of it.
    let (mut outputs, mut stopped) = (Vec::new(), false);
    for result in results {
        match result {
            Ok(output) => outputs.push(output),
            Err(RulesError::Stopped) => stopped = true,
            Err(error) => return Err(error),
        }
    }
    if stopped { Err(RulesError::Stopped) } else { Ok(outputs) }
}
