//! What is to be found in a file of baskets, and what was.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::Result;
use crate::rules::{
    FileFormat, FoundRules, Layout, Names, ReadReport, RulesError, SortBy, Support, Target,
};

/// What is to be found in a file of baskets.
#[derive(Debug, Clone)]
pub struct RulesSpec {
    /// The file of baskets; `-` is standard input.
    pub data: PathBuf,
    /// Its layout; told by its content if not given.
    pub layout: Option<Layout>,
    /// The file of results (.csv or .jsonl).
    pub out: PathBuf,
    /// The minimum support; only the most frequent sets (`top`) need none.
    pub support: Option<Support>,
    /// Sets or rules.
    pub find: Find,
    /// Maximum number of items of a set, or of a rule's antecedent and consequent together.
    pub max_len: Option<NonZeroUsize>,
    /// Number of results: the most frequent sets, or the first rules after sorting.
    pub top: Option<NonZeroUsize>,
    /// Names of items that each result holds.
    pub contains: Vec<String>,
    /// The memory limit in bytes; what is free if not given.
    pub max_memory: Option<u64>,
}

/// What is found.
#[derive(Debug, Clone)]
pub enum Find {
    /// Frequent sets.
    Sets(Target),
    /// Rules.
    Rules(RuleSettings),
}

/// Which rules are found.
#[derive(Debug, Clone)]
pub struct RuleSettings {
    /// Minimum confidence, from 0 to 1.
    pub min_confidence: f64,
    /// Maximum number of items of a consequent; at least that of `rhs`.
    pub max_consequent: Option<NonZeroUsize>,
    /// Names of items that the consequent holds.
    pub rhs: Vec<String>,
    /// Whether rules are left out that are not better than each of their sub-rules.
    pub productive: bool,
    /// The order.
    pub sort: SortBy,
    /// The share of baskets that are held out to test what is found in the others.
    pub holdout: Option<f64>,
    /// The seed by which they are chosen.
    pub seed: u64,
}

impl Default for RuleSettings {
    fn default() -> Self {
        Self {
            min_confidence: 0.8,
            max_consequent: None,
            rhs: Vec::new(),
            productive: false,
            sort: SortBy::default(),
            holdout: None,
            seed: 0,
        }
    }
}

impl RulesSpec {
    /// All frequent sets, or the rules of one item as consequent and a confidence of at least 0.8.
    pub fn new(data: impl Into<PathBuf>, out: impl Into<PathBuf>, find: Find) -> Self {
        Self {
            data: data.into(),
            layout: None,
            out: out.into(),
            support: None,
            find,
            max_len: None,
            top: None,
            contains: Vec::new(),
            max_memory: None,
        }
    }

    pub(super) fn check(&self) -> Result<FileFormat> {
        let format = FileFormat::of(&self.out)?;
        let wrong = |name: &'static str, value: String, allowed: &'static str| {
            Err(RulesError::Setting { name, value, allowed }.into())
        };
        match &self.find {
            Find::Sets(Target::Maximal) if self.top.is_some() => wrong(
                "the number of most frequent sets",
                self.top.map_or(0, NonZeroUsize::get).to_string(),
                "it is for all or closed sets; which sets are maximal depends on the minimum support",
            ),
            Find::Sets(_) if self.support.is_none() && self.top.is_none() => wrong(
                "the minimum support",
                "missing".to_owned(),
                "give a share of the baskets, as 0.01, or a number of them, or how many of the most \
                 frequent sets to find",
            ),
            Find::Rules(_) if self.support.is_none() => wrong(
                "the minimum support",
                "missing".to_owned(),
                "give a share of the baskets, as 0.01, or a number of them",
            ),
            Find::Rules(rules)
                if rules.holdout.is_some_and(|share| !(share > 0.0 && share < 1.0)) =>
            {
                wrong(
                    "the share of held-out baskets",
                    rules.holdout.unwrap_or(0.0).to_string(),
                    "it is above 0 and below 1, as 0.5",
                )
            }
            Find::Rules(rules) if !(0.0..=1.0).contains(&rules.min_confidence) => wrong(
                "the minimum confidence",
                rules.min_confidence.to_string(),
                "it is a number from 0 to 1",
            ),
            Find::Rules(rules)
                if rules.max_consequent.is_some_and(|most| most.get() < rules.rhs.len()) =>
            {
                wrong(
                    "the maximum length of a consequent",
                    rules.max_consequent.map_or(0, NonZeroUsize::get).to_string(),
                    "it is at least the number of items that the consequent is to hold",
                )
            }
            _ => Ok(format),
        }
    }
}

/// What was found.
#[derive(Debug)]
pub struct RulesReport {
    /// How the file was read.
    pub read: ReadReport,
    /// All baskets.
    pub baskets: u64,
    /// The baskets that were searched: all but held-out ones.
    pub searched: u64,
    /// Different items.
    pub items: usize,
    /// The number of baskets that the minimum support is; 1 if none was given.
    pub least: u64,
    /// The number of parts that the file was mined in; 0 if it was in memory as a whole.
    pub parts: usize,
    /// The names of items.
    pub names: Names,
    /// The number of sets of each size, from 1 on, that were written.
    pub by_size: Vec<u64>,
    /// The rules that were written, with the number of tests and of rules before filters.
    pub rules: Option<FoundRules>,
    /// Why it ended early, if it did; what was found before was written.
    pub stopped: Option<Stop>,
}

/// Why an analysis ended early.
#[derive(Debug)]
pub enum Stop {
    /// The session was stopped.
    Interrupted,
    /// The memory limit was reached.
    Memory(RulesError),
}

impl RulesReport {
    /// The number of sets or rules that were written.
    pub fn found(&self) -> u64 {
        match &self.rules {
            Some(found) => found.rules.len() as u64,
            None => self.by_size.iter().sum(),
        }
    }
}
