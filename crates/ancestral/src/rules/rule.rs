//! A rule with its measures, and which rules are found.
//!
//! Lift and conviction: Brin, Motwani, Ullman and Tsur 1997, doi:10.1145/253260.253325; leverage:
//! Piatetsky-Shapiro 1991.

use std::num::NonZeroUsize;

use super::error::{Result, RulesError};
use super::mine::MineOptions;

/// A rule with the counts that all its measures follow from.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The items of the antecedent, the most frequent first.
    pub antecedent: Vec<u32>,
    /// The items of the consequent, the most frequent first.
    pub consequent: Vec<u32>,
    /// All baskets.
    pub baskets: u64,
    /// Baskets with the antecedent.
    pub antecedent_count: u64,
    /// Baskets with the consequent.
    pub consequent_count: u64,
    /// Baskets with both.
    pub count: u64,
    /// The one-sided p-value of Fisher's exact test, uncorrected.
    pub p: f64,
    /// The p-value after Holm's correction.
    pub p_value: f64,
}

impl Rule {
    /// The share of baskets with antecedent and consequent; 0 if there are no baskets.
    pub fn support(&self) -> f64 {
        ratio(self.count, self.baskets)
    }

    /// The share of the antecedent's baskets that hold the consequent; 0 if it has none.
    pub fn confidence(&self) -> f64 {
        ratio(self.count, self.antecedent_count)
    }

    /// Confidence relative to the consequent's support: 1 if independent.
    pub fn lift(&self) -> f64 {
        let independent = u128::from(self.antecedent_count) * u128::from(self.consequent_count);
        if independent == 0 {
            return 0.0;
        }
        (u128::from(self.count) * u128::from(self.baskets)) as f64 / independent as f64
    }

    /// Support less that of independent sets: 0 if independent.
    pub fn leverage(&self) -> f64 {
        let together = u128::from(self.count) * u128::from(self.baskets);
        let independent = u128::from(self.antecedent_count) * u128::from(self.consequent_count);
        let difference = together.abs_diff(independent) as f64;
        let signed = if together < independent { -difference } else { difference };
        let all = (self.baskets as f64) * (self.baskets as f64);
        if all == 0.0 { 0.0 } else { signed / all }
    }

    /// (1 − support of the consequent) / (1 − confidence): 1 if independent, infinite if the rule
    /// always holds.
    pub fn conviction(&self) -> f64 {
        let failures = self.antecedent_count.saturating_sub(self.count);
        if failures == 0 {
            return f64::INFINITY;
        }
        let without = self.baskets.saturating_sub(self.consequent_count);
        (u128::from(self.antecedent_count) * u128::from(without)) as f64
            / (u128::from(self.baskets) * u128::from(failures)) as f64
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// By what rules are sorted, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortBy {
    /// Lift, descending.
    #[default]
    Lift,
    /// Support, descending.
    Support,
    /// Confidence, descending.
    Confidence,
    /// Leverage, descending.
    Leverage,
    /// Conviction, descending.
    Conviction,
    /// The p-value, ascending.
    PValue,
}

/// Which rules are found.
#[derive(Debug, Clone)]
pub struct RuleOptions {
    /// Minimum support, maximum length (of antecedent and consequent together), threads and memory.
    /// Its target does not matter.
    pub mine: MineOptions,
    /// Minimum confidence, from 0 to 1; 0.8 by default.
    pub min_confidence: f64,
    /// Maximum number of items of a consequent; 1 by default.
    pub max_consequent: NonZeroUsize,
    /// Whether only productive rules are kept: those whose confidence is above that of every rule with
    /// the same consequent and a part of the antecedent, the empty one included.
    pub productive: bool,
    /// Items of which a rule holds all.
    pub contains: Vec<u32>,
    /// Items of which the consequent holds all.
    pub rhs: Vec<u32>,
    /// The order; equal rules are in the order of support, confidence, then names.
    pub sort: SortBy,
    /// The number of rules that are kept, after sorting.
    pub top: Option<NonZeroUsize>,
}

impl RuleOptions {
    /// The defaults.
    pub fn new(mine: MineOptions) -> Self {
        Self {
            mine,
            min_confidence: 0.8,
            max_consequent: NonZeroUsize::MIN,
            productive: false,
            contains: Vec::new(),
            rhs: Vec::new(),
            sort: SortBy::default(),
            top: None,
        }
    }
}

impl RuleOptions {
    pub(super) fn check(&self) -> Result<()> {
        if (0.0..=1.0).contains(&self.min_confidence) {
            return Ok(());
        }
        Err(RulesError::Setting {
            name: "the minimum confidence",
            value: self.min_confidence.to_string(),
            allowed: "it is a number from 0 to 1",
        })
    }
}
