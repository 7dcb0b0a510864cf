//! Association rules: frequent sets of items, and rules that are no accidents.
//!
//! 1. [`read_baskets`] reads a file, whose format is told by its content.
//! 2. [`mine`] finds frequent, closed or maximal sets and hands them on as they are found;
//!    [`count_sets`] counts them, and [`top`] finds the most frequent ones without a threshold.
//! 3. [`rules`] makes rules with their measures and corrected p-values; [`rules_holdout`] tests them on
//!    other baskets.
//! 4. [`SetWriter`] and [`RuleWriter`] write CSV or JSON lines.
//!
//! [`mine_parts`] mines files that are larger than memory; its steps on parts, [`candidates`], [`merge`]
//! and [`count`], are functions of their own. A [`Budget`] limits the memory of all steps together.
//!
//! Results do not depend on the number of threads nor on the order of baskets.

mod association;
#[cfg(test)]
mod association_tests;
mod baskets;
mod bitsets;
mod budget;
mod database;
mod eclat;
mod error;
#[cfg(test)]
mod failures;
mod fisher;
mod fp_growth;
#[cfg(test)]
mod golden;
mod layout;
mod mine;
mod output;
mod read;
#[cfg(test)]
mod read_tests;
mod rule;
mod search;
mod sets;
mod son;
mod splits;
mod support;
#[cfg(test)]
mod tests;
mod top;
mod watch;
mod write;

pub use association::{
    FoundRules, rules, rules_holdout, rules_of_part, rules_of_sets, rules_so_far,
};
pub use baskets::{Baskets, Names};
pub use budget::Budget;
pub use error::{Result, RulesError};
pub use fisher::{Holm, fisher};
pub use layout::{Format, Layout, Separator};
pub use mine::{MineOptions, count_sets, mine};
pub use output::{SetSink, SizeCounts};
pub use read::{BasketReader, ReadReport, read_baskets};
pub use rule::{Rule, RuleOptions, SortBy};
pub use search::{Algorithm, Target};
pub use sets::{SetIndex, Sets};
pub use son::{
    Candidates, NamedSet, NamedSink, PartsReport, candidates, count, frequent, merge, mine_parts,
};
pub use support::Support;
pub use top::top;
pub use watch::{Progress, Watch};
pub use write::{FileFormat, RuleWriter, SetWriter};
