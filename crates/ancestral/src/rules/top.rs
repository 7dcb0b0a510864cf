//! The most frequent sets, without a minimum support.
//!
//! The count of the k-th most frequent set is found first: the k highest counts so far raise the minimum
//! support of the running search. Then the sets of higher counts are mined, and as many of those with
//! that very count as are missing, the smallest ones first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use super::baskets::{Baskets, Names};
use super::database::Database;
use super::error::{Result, RulesError};
use super::mine::{MineOptions, count_sets, mine, search};
use super::output::{Output, SetSink, next_binomial};
use super::search::Target;
use super::sets::Sets;
use super::support::Support;

/// The `k` most frequent sets, or closed sets, among those that reach the options' support, which may
/// be 1: the most frequent first, among equally frequent ones the smallest first, then by the
/// frequency of their items.
///
/// # Errors
/// For maximal sets, which depend on a minimum support, and if the memory limit is exceeded.
pub fn top(
    baskets: &Baskets,
    names: Option<&Names>,
    options: &MineOptions,
    k: NonZeroUsize,
) -> Result<Sets> {
    if options.target == Target::Maximal {
        return Err(RulesError::Setting {
            name: "target",
            value: "maximal".to_owned(),
            allowed: "the most frequent sets may be all or closed ones",
        });
    }
    let k = k.get();
    let least = u32::try_from(options.support.least(baskets.len() as u64)).unwrap_or(u32::MAX);
    let kth = kth_count(baskets, names, options, k, least)?;
    let with = |least: u32, max_len: Option<NonZeroUsize>| MineOptions {
        support: Support::Count(u64::from(least)),
        max_len,
        ..options.clone()
    };
    let mut found = Sets::new(&options.budget);
    let Some(kth) = kth else {
        // There are fewer sets than wanted.
        mine(baskets, names, &with(least, options.max_len), &mut found)?;
        return sorted(&found, baskets, names, options, k);
    };
    let above = with(kth.saturating_add(1), options.max_len);
    mine(baskets, names, &above, &mut found)?;
    let missing = k.saturating_sub(found.len()) as u128;
    // The least size up to which enough sets have this count.
    let mut size = NonZeroUsize::MIN;
    loop {
        let at_least = count_sets(baskets, names, &with(kth, Some(size)))?.total();
        let more = count_sets(baskets, names, &with(kth + 1, Some(size)))?.total();
        if at_least - more >= missing || options.max_len == Some(size) {
            break;
        }
        size = size.saturating_add(1);
    }
    let mut ties = |items: &[u32], count: u32| {
        if count == kth { found.set(items, count) } else { Ok(()) }
    };
    mine(baskets, names, &with(kth, Some(size)), &mut ties)?;
    sorted(&found, baskets, names, options, k)
}

/// The first `k` sets in the documented order.
fn sorted(
    sets: &Sets,
    baskets: &Baskets,
    names: Option<&Names>,
    options: &MineOptions,
    k: usize,
) -> Result<Sets> {
    let counts = baskets.item_counts();
    let mut numbers: Vec<usize> = (0..sets.len()).collect();
    let name = |item: u32| names.map_or("", |names| names.name(item));
    let key = |item: u32| (Reverse(counts[item as usize]), name(item), item);
    numbers.sort_by(|&a, &b| {
        let (one, other) = (sets.items(a), sets.items(b));
        sets.count(b).cmp(&sets.count(a)).then(one.len().cmp(&other.len())).then_with(|| {
            one.iter().map(|&item| key(item)).cmp(other.iter().map(|&item| key(item)))
        })
    });
    let mut best = Sets::new(&options.budget);
    for &number in numbers.iter().take(k) {
        best.set(sets.items(number), sets.count(number))?;
    }
    Ok(best)
}

/// The count of the `k`-th most frequent set; `None` if there are fewer sets.
fn kth_count(
    baskets: &Baskets,
    names: Option<&Names>,
    options: &MineOptions,
    k: usize,
    least: u32,
) -> Result<Option<u32>> {
    // k items alone bound it from below, unless closed sets join several of them.
    let mut start = least;
    if options.target == Target::All {
        let mut counts = baskets.item_counts();
        counts.sort_unstable_by_key(|&count| Reverse(count));
        start = start.max(counts.get(k - 1).copied().unwrap_or(0));
    }
    let database = Database::new(baskets, names, start, &options.budget)?;
    let best = Mutex::new(BinaryHeap::new());
    let threshold = AtomicU32::new(start);
    let max_len = options.max_len();
    let make = || Best { best: &best, threshold: &threshold, k, max_len };
    search(&database, options, &threshold, make, |_, _| {}, || {})?;
    let best = best.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(best.peek().filter(|_| best.len() == k).map(|&Reverse(count)| count))
}

/// Collects the k highest counts and raises the minimum support to more than the least of them.
struct Best<'a> {
    best: &'a Mutex<BinaryHeap<Reverse<u32>>>,
    threshold: &'a AtomicU32,
    k: usize,
    max_len: usize,
}

impl Output for Best<'_> {
    fn sets(&mut self, prefix: &[u32], extensions: &[u32], count: u32) -> Result<()> {
        let (mut sets, mut ways) = (0_u128, 1_u128);
        for chosen in 0..=extensions.len() {
            let size = prefix.len() + chosen;
            if size > self.max_len || sets >= self.k as u128 {
                break;
            }
            sets = sets.saturating_add(if size > 0 { ways } else { 0 });
            ways = next_binomial(ways, extensions.len(), chosen);
        }
        let mut best = self.best.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..sets.min(self.k as u128) {
            if best.len() < self.k {
                best.push(Reverse(count));
            } else if best.peek().is_some_and(|&Reverse(least)| least < count) {
                best.pop();
                best.push(Reverse(count));
            } else {
                break;
            }
        }
        if best.len() == self.k
            && let Some(&Reverse(least)) = best.peek()
        {
            self.threshold.fetch_max(least.saturating_add(1), Ordering::Relaxed);
        }
        Ok(())
    }
}
