//! The depth-first search that FP-growth and Eclat share: its state, and the rules by which a set is
//! closed or maximal.
//!
//! A node of the search is a set, the prefix, with the baskets that hold it. Its open items are those
//! that are more frequent over all baskets than the last item of the prefix: the children extend it by
//! these. All others that are frequent among its baskets are passed items: the sets with them belong to
//! other branches.
//!
//! - An open item in all baskets of the node is a perfect extension (Borgelt 2012, doi:10.1002/widm.1074):
//!   it doubles the sets below without a search.
//! - A passed item in all baskets of the node means that no set of this branch is closed: the closure is
//!   found in another branch (Uno, Asai, Uchida and Arimura 2004, LCM). So closed sets are found once
//!   each, and none is stored.
//! - A closed set is maximal if none of the node's items is frequent among its baskets. If the prefix
//!   with all open items is frequent, then it is the only one of the branch that can be maximal.

use std::sync::atomic::{AtomicU32, Ordering};

use super::bitsets::{Bitsets, TidStack};
use super::database::{Database, Rows};
use super::error::Result;
use super::output::Output;
use super::watch::Watch;

/// Which frequent sets are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// All frequent sets.
    #[default]
    All,
    /// Closed sets: no larger set is in the same baskets.
    Closed,
    /// Maximal sets: no larger set is frequent.
    Maximal,
}

/// Which algorithm searches the conditional pattern bases of single items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// FP-growth, and Eclat for each conditional pattern base that is dense enough.
    #[default]
    Auto,
    /// FP-growth throughout.
    FpGrowth,
    /// Eclat from the second item on.
    Eclat,
}

/// The state of a search in one thread.
pub(super) struct Search<'a, O> {
    pub(super) target: Target,
    pub(super) algorithm: Algorithm,
    pub(super) max_len: usize,
    /// The minimum number of baskets; the search for the most frequent sets raises it.
    pub(super) least: &'a AtomicU32,
    watch: &'a Watch,
    pub(super) output: O,
    pub(super) prefix: Vec<u32>,
    /// Perfect extensions of the prefix; only if all sets are found.
    pub(super) extensions: Vec<u32>,
    /// Counts of items in a conditional pattern base; zero between uses.
    pub(super) counts: Vec<u32>,
    /// New numbers of items in a conditional pattern base; `u32::MAX` between uses.
    pub(super) numbers: Vec<u32>,
    pub(super) touched: Vec<u32>,
    pub(super) spare_rows: Vec<Rows>,
    pub(super) spare_bitsets: Vec<Bitsets>,
    pub(super) tids: TidStack,
    pub(super) arch: pulp::Arch,
}

/// Lengths of the prefix and of the extensions before a child was entered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(usize, usize);

/// What [`Search::report_node`] leaves to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing in this branch.
    Leave,
    /// The children.
    Descend,
}

impl<'a, O: Output> Search<'a, O> {
    pub(super) fn new(
        (target, algorithm, max_len): (Target, Algorithm, usize),
        least: &'a AtomicU32,
        watch: &'a Watch,
        database: &Database,
        output: O,
    ) -> Self {
        let items = database.rows.open;
        Self {
            target,
            algorithm,
            max_len,
            least,
            watch,
            output,
            prefix: Vec::new(),
            extensions: Vec::new(),
            counts: vec![0; items],
            numbers: vec![u32::MAX; items],
            touched: vec![0; items + 1],
            spare_rows: Vec::new(),
            spare_bitsets: Vec::new(),
            tids: TidStack::default(),
            arch: pulp::Arch::new(),
        }
    }

    pub(super) fn least(&self) -> u32 {
        self.least.load(Ordering::Relaxed)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.prefix.len(), self.extensions.len())
    }

    pub(super) fn reset(&mut self, mark: Mark) {
        self.prefix.truncate(mark.0);
        self.extensions.truncate(mark.1);
    }

    /// Adds a perfect extension of the node.
    pub(super) fn perfect(&mut self, code: u32) {
        match self.target {
            Target::All => self.extensions.push(code),
            Target::Closed | Target::Maximal => self.prefix.push(code),
        }
    }

    /// Reports the node, whose perfect extensions are added, as its target demands: there are `open`
    /// items left, and `passed` ones, none of them in all of its baskets.
    pub(super) fn report_node(&mut self, count: u32, open: usize, passed: usize) -> Result<Next> {
        self.watch.check()?;
        let len = self.prefix.len();
        let report = match self.target {
            Target::All => true,
            Target::Closed => len <= self.max_len,
            Target::Maximal => open + passed == 0 && len <= self.max_len,
        };
        if report {
            self.output.sets(&self.prefix, &self.extensions, count)?;
        }
        Ok(if open > 0 && len < self.max_len { Next::Descend } else { Next::Leave })
    }

    /// Reports the prefix with all open items, `codes`, which is frequent and maximal.
    pub(super) fn report_joined(
        &mut self,
        codes: impl Iterator<Item = u32>,
        count: u32,
    ) -> Result<()> {
        let len = self.prefix.len();
        self.prefix.extend(codes);
        if self.prefix.len() <= self.max_len {
            self.output.sets(&self.prefix, &[], count)?;
        }
        self.prefix.truncate(len);
        Ok(())
    }

    /// Reports the root. Its children follow if this is [`Next::Descend`].
    pub(super) fn root(&mut self, database: &Database) -> Result<Next> {
        if database.baskets < self.least() {
            return Ok(Next::Leave);
        }
        for &code in &database.everywhere {
            self.perfect(code);
        }
        let rows = &database.rows;
        let next = self.report_node(database.baskets, rows.open, 0)?;
        if next == Next::Descend && self.target == Target::Maximal && rows.open > 1 {
            let joined = rows.joined();
            if joined >= self.least() {
                self.report_joined(rows.codes.iter().copied(), joined)?;
                return Ok(Next::Leave);
            }
        }
        Ok(next)
    }
}
