//! Association rules.

mod baskets;
mod budget;
mod database;
mod eclat;
mod error;
mod fp_growth;
mod mine;
mod output;
mod read;
#[cfg(test)]
mod read_tests;
mod search;
mod sets;
mod support;
#[cfg(test)]
mod tests;
mod top;

pub use baskets::{Baskets, Names};
pub use budget::Budget;
pub use error::{Result, RulesError};
pub use mine::{MineOptions, count_sets, mine};
pub use output::{SetSink, SizeCounts};
pub use read::{BasketReader, Format, Layout, ReadReport, read_baskets};
pub use search::{Algorithm, Target};
pub use sets::{SetIndex, Sets};
pub use support::Support;
pub use top::top;
