//! Data larger than memory, or on several computers: partition and recount in two passes (Savasere,
//! Omiecinski and Navathe 1995, "SON").
//!
//! A set that is frequent among all baskets is frequent in at least one part of any partition. So the
//! frequent sets of the parts ([`candidates`], joined by [`merge`]) hold all that is frequent, and a
//! second pass ([`count`]) says which of them are. The result is exact.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::baskets::{Baskets, Names};
use super::budget::{Budget, Reserved};
use super::error::{Result, RulesError};
use super::mine::{MineOptions, mine};
use super::output::SetSink;
use super::read::{BasketReader, ReadReport};
use super::search::Target;
use super::sets::Sets;
use super::support::Support;

/// Sets whose baskets are to be counted, as a prefix tree of their ascending items.
#[derive(Debug)]
pub struct Candidates {
    nodes: Vec<Node>,
    /// The node of each set; sets are in lexicographic order within each length.
    sets: Vec<u32>,
    _memory: Reserved,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    item: u32,
    parent: u32,
    /// The number of the set that ends here, or `NONE`.
    set: u32,
    /// Its children, by ascending item.
    children: (u32, u32),
}

const NONE: u32 = u32::MAX;

impl Candidates {
    /// The different sets among these; their counts do not matter.
    ///
    /// # Errors
    /// If the memory limit is exceeded.
    pub fn from_sets(sets: &Sets, budget: &Budget) -> Result<Self> {
        let sorted = Sorted::new(sets, budget)?;
        let mut memory = Reserved::empty(budget, WHAT, LOWER);
        let root = Node { item: NONE, parent: NONE, set: NONE, children: (0, 0) };
        let (mut nodes, mut ends) = (vec![root], Vec::new());
        // Nodes with the sets below them, breadth first, so that children are neighbors.
        let mut open = VecDeque::from([(0_u32, 0, 0..sorted.order.len())]);
        while let Some((node, depth, range)) = open.pop_front() {
            let from = nodes.len() as u32;
            let mut at = range.start;
            while at < range.end {
                let Some(&item) = sorted.set(at).get(depth) else {
                    // The set itself, which sorts before its extensions.
                    at += 1;
                    continue;
                };
                let end = sorted.end(at..range.end, depth, item);
                let mut child = Node { item, parent: node, set: NONE, children: (0, 0) };
                if sorted.set(at).len() == depth + 1 {
                    child.set = ends.len() as u32;
                    ends.push(nodes.len() as u32);
                }
                open.push_back((nodes.len() as u32, depth + 1, at..end));
                nodes.push(child);
                if nodes.len() >= NONE as usize {
                    return Err(RulesError::TooMany { what: "the candidates" });
                }
                at = end;
            }
            nodes[node as usize].children = (from, nodes.len() as u32);
            let waiting = open.capacity() * size_of::<(u32, usize, Range<usize>)>();
            memory.grow_to((20 * nodes.capacity() + 4 * ends.capacity() + waiting) as u64)?;
        }
        Ok(Self { nodes, sets: ends, _memory: memory })
    }

    /// How many sets there are.
    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Writes the items of a set, ascending, to `items`; none if there is no set of this number.
    pub fn items(&self, number: usize, items: &mut Vec<u32>) {
        items.clear();
        let mut at = self.sets.get(number).copied().unwrap_or(0);
        while at != 0 {
            let node = self.nodes[at as usize];
            items.push(node.item);
            at = node.parent;
        }
        items.reverse();
    }

    /// The number of the set of these items, in any order.
    pub fn find(&self, items: &[u32]) -> Option<usize> {
        let mut items = items.to_vec();
        items.sort_unstable();
        let mut node = self.nodes.first()?;
        for item in items {
            let (from, to) = node.children;
            let children = &self.nodes[from as usize..to as usize];
            let at = children.binary_search_by_key(&item, |child| child.item).ok()?;
            node = &children[at];
        }
        (node.set != NONE).then_some(node.set as usize)
    }
}

/// Different sets in lexicographic order, each ascending.
struct Sorted {
    items: Vec<u32>,
    /// Where each set ends.
    ends: Vec<u32>,
    /// The sets in order.
    order: Vec<u32>,
    _memory: Reserved,
}

impl Sorted {
    fn new(sets: &Sets, budget: &Budget) -> Result<Self> {
        let total: usize = (0..sets.len()).map(|number| sets.items(number).len()).sum();
        if u32::try_from(total.max(sets.len())).is_err() {
            return Err(RulesError::TooMany { what: "the items of all candidates" });
        }
        let memory = budget.reserve(4 * (total + 2 * sets.len()) as u64, WHAT, LOWER)?;
        let (mut items, mut ends) = (Vec::with_capacity(total), Vec::with_capacity(sets.len()));
        for number in 0..sets.len() {
            let start = items.len();
            items.extend_from_slice(sets.items(number));
            items[start..].sort_unstable();
            ends.push(items.len() as u32);
        }
        let mut sorted = Self { items, ends, order: Vec::new(), _memory: memory };
        let mut order: Vec<u32> = (0..sets.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| sorted.numbered(a).cmp(sorted.numbered(b)));
        order.dedup_by(|a, b| sorted.numbered(*a) == sorted.numbered(*b));
        sorted.order = order;
        Ok(sorted)
    }

    fn numbered(&self, number: u32) -> &[u32] {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.items[start as usize..self.ends[number] as usize]
    }

    /// The set at a place of the order.
    fn set(&self, at: usize) -> &[u32] {
        self.numbered(self.order[at])
    }

    /// Where the sets with this item at a depth end, of a range that begins with them.
    fn end(&self, range: Range<usize>, depth: usize, item: u32) -> usize {
        let has = |&number: &u32| self.numbered(number).get(depth) == Some(&item);
        range.start + self.order[range].partition_point(has)
    }
}

const WHAT: &str = "the candidates";
/// What to do if candidates need too much memory.
const LOWER: &str = "raise the limit or the minimum support, or use larger parts";

/// The frequent sets of a part: those that reach the options' support in it, where a number of baskets
/// is one among `baskets`, those of all parts together.
///
/// The smaller a part, the more of its sets are frequent by chance; in parts so small that the support
/// is one basket, all sets of items of a basket are.
///
/// # Errors
/// If the memory limit is exceeded.
pub fn candidates(part: &Baskets, baskets: u64, options: &MineOptions) -> Result<Candidates> {
    let least = options.support.of_part(part.len() as u64, baskets);
    let options =
        MineOptions { support: Support::Count(least), target: Target::All, ..options.clone() };
    let mut sets = Sets::new(&options.budget);
    mine(part, None, &options, &mut sets)?;
    Candidates::from_sets(&sets, &options.budget)
}

/// All candidates of several parts, once each.
///
/// # Errors
/// If the memory limit is exceeded.
pub fn merge(parts: &[Candidates], budget: &Budget) -> Result<Candidates> {
    let mut sets = Sets::new(budget);
    let mut items = Vec::new();
    for part in parts {
        for number in 0..part.len() {
            part.items(number, &mut items);
            sets.set(&items, 0)?;
        }
    }
    Candidates::from_sets(&sets, budget)
}

/// Baskets that are counted at once.
const BLOCK: usize = 1 << 14;

/// The number of a part's baskets that hold each candidate.
pub fn count(part: &Baskets, candidates: &Candidates) -> Vec<u64> {
    let mut counts = vec![0; candidates.len()];
    count_into(part, candidates, None, &mut counts);
    counts
}

/// Adds the baskets of a part to the counts.
fn count_into(
    part: &Baskets,
    candidates: &Candidates,
    threads: Option<NonZeroUsize>,
    counts: &mut [u64],
) {
    let baskets: Vec<&[u32]> = part.iter().collect();
    let blocks = baskets.len().div_ceil(BLOCK);
    let threads = threads.or_else(|| std::thread::available_parallelism().ok());
    let threads = threads.map_or(1, NonZeroUsize::get).min(blocks.max(1));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut counter = Counter::new(candidates, part.width());
        loop {
            let block = next.fetch_add(1, Ordering::Relaxed);
            if block >= blocks {
                return counter.counts;
            }
            let to = baskets.len().min((block + 1) * BLOCK);
            counter.block(&baskets[block * BLOCK..to]);
        }
    };
    let parts: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut parts = vec![work()];
        parts.extend(others.into_iter().map(|thread| match thread.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        }));
        parts
    });
    for part in parts {
        counts.iter_mut().zip(part).for_each(|(sum, n)| *sum += n);
    }
}

/// Counts candidates by following the prefix tree and the baskets that hold the prefix together, so
/// that a basket is not searched for sets that it cannot hold.
struct Counter<'a> {
    candidates: &'a Candidates,
    counts: Vec<u64>,
    /// The child of an item at the present node, or `NONE`; `NONE` between uses.
    slots: Vec<u32>,
    /// Ends of baskets after the prefix, by depth and child.
    ends: Vec<Vec<Vec<(u32, u32)>>>,
}

impl<'a> Counter<'a> {
    fn new(candidates: &'a Candidates, width: usize) -> Self {
        Self {
            candidates,
            counts: vec![0; candidates.len()],
            slots: vec![NONE; width],
            ends: Vec::new(),
        }
    }

    fn block(&mut self, baskets: &[&[u32]]) {
        let mut items = Vec::new();
        let mut ends = Vec::with_capacity(baskets.len());
        for basket in baskets {
            let from = items.len() as u32;
            items.extend_from_slice(basket);
            ends.push((from, items.len() as u32));
        }
        self.node(0, 0, &items, &ends);
    }

    fn node(&mut self, node: usize, depth: usize, items: &[u32], ends: &[(u32, u32)]) {
        let (from, to) = self.candidates.nodes[node].children;
        let children = &self.candidates.nodes[from as usize..to as usize];
        for (slot, child) in children.iter().enumerate() {
            // Items that no basket of the part has are beyond its width.
            if let Some(entry) = self.slots.get_mut(child.item as usize) {
                *entry = slot as u32;
            }
        }
        if self.ends.len() <= depth {
            self.ends.push(Vec::new());
        }
        let mut found = std::mem::take(&mut self.ends[depth]);
        if found.len() < children.len() {
            found.resize(children.len(), Vec::new());
        }
        for &(start, end) in ends {
            for at in start..end {
                let slot = self.slots[items[at as usize] as usize];
                if slot != NONE {
                    found[slot as usize].push((at + 1, end));
                }
            }
        }
        for child in children {
            if let Some(entry) = self.slots.get_mut(child.item as usize) {
                *entry = NONE;
            }
        }
        for (slot, child) in children.iter().enumerate() {
            if child.set != NONE {
                self.counts[child.set as usize] += found[slot].len() as u64;
            }
            if child.children.0 < child.children.1 && !found[slot].is_empty() {
                self.node(from as usize + slot, depth + 1, items, &found[slot]);
            }
            found[slot].clear();
        }
        self.ends[depth] = found;
    }
}

/// The candidates that at least `least` baskets hold, with their counts; of these the closed or maximal
/// ones only, as `target` says, where all subsets of candidates are candidates.
///
/// # Errors
/// If the memory limit is exceeded, or by the sink.
pub fn frequent(
    candidates: &Candidates,
    counts: &[u64],
    least: u64,
    target: Target,
    budget: &Budget,
    sink: &mut dyn SetSink,
) -> Result<()> {
    let kept = |number: usize| counts.get(number).is_some_and(|&count| count >= least);
    let mut covered = Vec::new();
    let mut _memory = None;
    let (mut items, mut smaller) = (Vec::new(), Vec::new());
    if target != Target::All {
        _memory = Some(budget.reserve(candidates.len() as u64, WHAT, LOWER)?);
        covered.resize(candidates.len(), false);
        for number in (0..candidates.len()).filter(|&number| kept(number)) {
            candidates.items(number, &mut items);
            for left_out in 0..items.len() {
                smaller.clear();
                smaller.extend_from_slice(&items[..left_out]);
                smaller.extend_from_slice(&items[left_out + 1..]);
                if let Some(subset) = candidates.find(&smaller)
                    && (target == Target::Maximal || counts.get(subset) == counts.get(number))
                {
                    covered[subset] = true;
                }
            }
        }
    }
    for number in (0..candidates.len()).filter(|&number| kept(number)) {
        if covered.get(number) != Some(&true) {
            candidates.items(number, &mut items);
            let count = u32::try_from(counts[number])
                .map_err(|_| RulesError::TooMany { what: "the baskets of a set" })?;
            sink.set(&items, count)?;
        }
    }
    Ok(())
}

/// What mining a file in parts did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartsReport {
    /// The file.
    pub read: ReadReport,
    /// All baskets.
    pub baskets: u64,
    /// The number of parts.
    pub parts: usize,
    /// The candidates of all parts.
    pub candidates: usize,
}

/// A found set of a file.
#[derive(Debug, Clone, Copy)]
pub struct NamedSet<'a> {
    /// The names of items.
    pub names: &'a Names,
    /// The set's items, the most frequent first.
    pub items: &'a [u32],
    /// The number of baskets that hold it.
    pub count: u64,
    /// The number of all baskets.
    pub baskets: u64,
}

/// Receives the sets of a file.
pub type NamedSink<'a> = dyn FnMut(NamedSet<'_>) -> Result<()> + 'a;

/// This fraction (1 / PARTS) of the memory limit is for the items of a part: the rest is for its
/// search, for what it finds, and for the candidates.
const PARTS: u64 = 16;

/// Mines a file that may be larger than memory, in parts that the memory limit allows.
///
/// `open` opens the file anew: it is read twice, or three times if the support is a number of baskets,
/// whose share of all baskets must be known first.
///
/// # Errors
/// If the file cannot be read or changes, the memory limit is exceeded, it is stopped, or
/// by the sink.
pub fn mine_parts(
    open: &dyn Fn() -> Result<BasketReader>,
    options: &MineOptions,
    sink: &mut NamedSink<'_>,
) -> Result<PartsReport> {
    let (budget, watch) = (&options.budget, &options.watch);
    let mut of_parts = MineOptions { watch: watch.inner(), ..options.clone() };
    if options.target != Target::All {
        // Closed and maximal sets are those among sets of any size.
        of_parts.max_len = None;
    }
    let mut names = Names::new();
    let mut basket = Vec::new();
    let mut total = 0;
    if matches!(options.support, Support::Count(_)) {
        let mut reader = open()?;
        reader.set_watch(watch, "counting baskets");
        while reader.next(&mut names, &mut basket)? {
            total += 1;
        }
    }
    let size = usize::try_from(budget.free() / PARTS / 4).unwrap_or(usize::MAX).max(1 << 10);
    let (mut parts, mut baskets, mut found) = (0, 0, Vec::new());
    let mut add = |part: &Baskets| -> Result<()> {
        parts += 1;
        found.push(candidates(part, total, &of_parts)?);
        // Joined as they come, so that equal candidates take memory twice at most.
        if found.len() == 2 {
            let joined = merge(&found, budget)?;
            found.clear();
            found.push(joined);
        }
        Ok(())
    };
    let mut reader = open()?;
    reader.set_watch(watch, "finding candidates");
    let mut part = Baskets::new(budget);
    while reader.next(&mut names, &mut basket)? {
        part.push(&basket)?;
        baskets += 1;
        // The last part must not be a small one, so half of the next part is read before.
        if part.total_items() + part.len() >= size.saturating_add(size / 2) {
            let mut items = 0;
            let (first, rest) = part.split(budget, |_| {
                items += 1;
                items <= part.len() * 2 / 3
            })?;
            part = rest;
            add(&first)?;
        }
    }
    if !part.is_empty() {
        add(&part)?;
    }
    drop(part);
    let read = reader.report();
    drop(reader);
    let Some(candidates) = found.pop() else {
        let report = PartsReport { read, baskets: 0, parts: 0, candidates: 0 };
        return Ok(report);
    };
    let threads = options.threads.or_else(|| std::thread::available_parallelism().ok());
    let copies = 1 + threads.map_or(1, NonZeroUsize::get) as u64;
    let _counting = budget.reserve(8 * copies * candidates.len() as u64, WHAT, LOWER)?;
    let mut counts = vec![0; candidates.len()];
    let mut reader = open()?;
    reader.set_watch(watch, "counting candidates");
    let (mut again, mut block) = (0, Baskets::new(budget));
    loop {
        let more = reader.next(&mut names, &mut basket)?;
        if more {
            block.push(&basket)?;
            again += 1;
        }
        if !more || block.len() >= 8 * BLOCK || block.total_items() >= size {
            count_into(&block, &candidates, options.threads, &mut counts);
            block.clear();
        }
        if !more {
            break;
        }
    }
    if again != baskets {
        return Err(RulesError::Changed { before: baskets, after: again });
    }
    let least = options.support.least(baskets);
    // The items of frequent sets are frequent.
    let mut by_frequency: Vec<(u64, &str, usize)> = (0..names.len())
        .filter_map(|item| {
            let number = item as u32;
            Some((counts[candidates.find(&[number])?], names.name(number), item))
        })
        .collect();
    by_frequency.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let mut ranks = vec![u32::MAX; names.len()];
    for (rank, &(_, _, item)) in by_frequency.iter().enumerate() {
        ranks[item] = rank as u32;
    }
    let mut sorted = Vec::new();
    let most = options.max_len();
    let mut named = |items: &[u32], count: u32| {
        if items.len() > most {
            return Ok(());
        }
        sorted.clear();
        sorted.extend_from_slice(items);
        sorted.sort_unstable_by_key(|&item| ranks[item as usize]);
        sink(NamedSet { names: &names, items: &sorted, count: u64::from(count), baskets })
    };
    frequent(&candidates, &counts, least, options.target, budget, &mut named)?;
    Ok(PartsReport { read, baskets, parts, candidates: candidates.len() })
}
