//! Association rules.

mod baskets;
mod budget;
mod database;
mod eclat;
mod error;
mod fp_growth;
mod mine;
mod output;
mod search;
mod support;

pub use baskets::{Baskets, Names};
pub use budget::Budget;
pub use error::{Result, RulesError};
pub use mine::{MineOptions, count_sets, mine};
pub use output::{SetSink, SizeCounts};
pub use search::{Algorithm, Target};
pub use support::Support;
