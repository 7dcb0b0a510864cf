//! Association rules: if a basket holds the antecedent, then it holds the consequent.
//!
//! Agrawal, Imieliński and Swami 1993, doi:10.1145/170035.170072; lift and conviction: Brin, Motwani,
//! Ullman and Tsur 1997, doi:10.1145/253260.253325; leverage: Piatetsky-Shapiro 1991. Each rule is
//! tested against independence by [`fisher`].
//!
//! The p-values are corrected over all rules that the supports of antecedents and consequents admit:
//! pairs of disjoint sets, each of them frequent. Which pairs these are does not depend on how often
//! antecedent and consequent meet, and filters do not make them fewer; rules that are found too seldom
//! to be reported have the p-value 1. Or rules are found in one part of the baskets and tested in
//! another, where only the found ones count (Webb 2007, doi:10.1007/s10994-007-5006-x).

use std::cmp::Ordering;
use std::num::NonZeroUsize;

use super::baskets::{Baskets, Names};
use super::error::{Result, RulesError};
use super::fisher::{Holm, fisher};
use super::mine::{MineOptions, mine};
use super::output::SetSink;
use super::search::Target;
use super::sets::Sets;
use super::son::{Candidates, count};
use super::splits::{FrequentSets, Split};
use super::watch::Watch;

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

pub(super) fn ratio(part: u64, whole: u64) -> f64 {
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
    fn check(&self) -> Result<()> {
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

/// Found rules.
#[derive(Debug, Clone)]
pub struct FoundRules {
    /// The rules, sorted.
    pub rules: Vec<Rule>,
    /// The number of tests that the p-values are corrected for; not a number if it is unknown.
    pub tests: f64,
    /// The rules that reach the minimum support, before filters.
    pub frequent: u64,
}

/// Finds rules.
///
/// # Errors
/// If the confidence is out of its range, or the memory limit is exceeded.
pub fn rules(
    baskets: &Baskets,
    names: Option<&Names>,
    options: &RuleOptions,
) -> Result<FoundRules> {
    let sets = frequent_sets(baskets, names, options)?;
    rules_of_sets(&sets, baskets.len() as u64, names, options)
}

/// Makes rules of frequent sets, which must be all, with their counts among `baskets` baskets.
///
/// # Errors
/// As [`rules`].
pub fn rules_of_sets(
    sets: &Sets,
    baskets: u64,
    names: Option<&Names>,
    options: &RuleOptions,
) -> Result<FoundRules> {
    let (found, stopped) = rules_so_far(sets, baskets, names, options)?;
    stopped.map_or(Ok(found), Err)
}

/// As [`rules_of_sets`], but if it is stopped or reaches the memory limit, the rules that were found
/// before are returned, too. How many tests there are is then unknown, and corrected p-values are not a
/// number.
///
/// # Errors
/// If the confidence is out of its range, or nothing fits into memory.
pub fn rules_so_far(
    sets: &Sets,
    baskets: u64,
    names: Option<&Names>,
    options: &RuleOptions,
) -> Result<(FoundRules, Option<RulesError>)> {
    options.check()?;
    let sets = FrequentSets::new(sets, baskets, &options.mine.budget)?;
    options.mine.watch.begin("testing rules", sets.len() as u64);
    let Split { mut rules, p_values, frequent, mut stopped, memory: _memory } =
        sets.split(options, true);
    let mut tests = f64::NAN;
    if stopped.is_none() {
        match sets.tests(options) {
            Ok(known) => tests = known,
            Err(error) => stopped = Some(error),
        }
    }
    let holm = Holm::new(p_values, tests);
    for rule in &mut rules {
        rule.p_value = if tests.is_nan() { f64::NAN } else { holm.corrected(rule.p) };
    }
    drop(holm);
    sort(&mut rules, names, options);
    Ok((FoundRules { rules, tests, frequent }, stopped))
}

/// Makes the rules that follow from some of the frequent sets, as when finding them was stopped. How
/// many tests there are is then unknown, and corrected p-values are not a number.
///
/// Rules that exceed the memory limit are left out. It is not stopped.
///
/// # Errors
/// If the confidence is out of its range, or not even the sets can be looked up.
pub fn rules_of_part(
    sets: &Sets,
    baskets: u64,
    names: Option<&Names>,
    options: &RuleOptions,
) -> Result<FoundRules> {
    let mine = MineOptions { watch: Watch::new(), ..options.mine.clone() };
    let options = RuleOptions { mine, ..options.clone() };
    options.check()?;
    let sets = FrequentSets::new(sets, baskets, &options.mine.budget)?;
    let mut rules = sets.split(&options, false).rules;
    rules.iter_mut().for_each(|rule| rule.p_value = f64::NAN);
    sort(&mut rules, names, &options);
    let frequent = rules.len() as u64;
    Ok(FoundRules { rules, tests: f64::NAN, frequent })
}

/// Finds rules in some baskets and tests them in others, as made by [`Baskets::split`]: counts,
/// measures and p-values are those of the other baskets, and the p-values are corrected for the found
/// rules alone. `top` keeps the best of these after the test.
///
/// # Errors
/// As [`rules`].
pub fn rules_holdout(
    found_in: &Baskets,
    tested_in: &Baskets,
    names: Option<&Names>,
    options: &RuleOptions,
) -> Result<FoundRules> {
    let sets = frequent_sets(found_in, names, options)?;
    let sets = FrequentSets::new(&sets, found_in.len() as u64, &options.mine.budget)?;
    options.mine.watch.begin("choosing rules", sets.len() as u64);
    let Split { mut rules, frequent, stopped, memory: _memory, .. } = sets.split(options, false);
    if let Some(error) = stopped {
        return Err(error);
    }
    let mut wanted = Sets::new(&options.mine.budget);
    let mut both = Vec::new();
    for rule in &rules {
        both.clear();
        both.extend_from_slice(&rule.antecedent);
        both.extend_from_slice(&rule.consequent);
        wanted.set(&rule.antecedent, 0)?;
        wanted.set(&rule.consequent, 0)?;
        wanted.set(&both, 0)?;
    }
    let candidates = Candidates::from_sets(&wanted, &options.mine.budget)?;
    let counted = count(tested_in, &candidates);
    for rule in &mut rules {
        both.clear();
        both.extend_from_slice(&rule.antecedent);
        both.extend_from_slice(&rule.consequent);
        let of = |items: &[u32]| {
            let counts = candidates.find(items).and_then(|at| counted.get(at));
            counts.copied().unwrap_or(0)
        };
        rule.baskets = tested_in.len() as u64;
        rule.antecedent_count = of(&rule.antecedent);
        rule.consequent_count = of(&rule.consequent);
        rule.count = of(&both);
        rule.p = fisher(rule.baskets, rule.antecedent_count, rule.consequent_count, rule.count);
    }
    let tests = rules.len() as f64;
    let holm = Holm::new(rules.iter().map(|rule| rule.p), tests);
    rules.iter_mut().for_each(|rule| rule.p_value = holm.corrected(rule.p));
    sort(&mut rules, names, options);
    Ok(FoundRules { rules, tests, frequent })
}

/// All frequent sets of some baskets.
fn frequent_sets(baskets: &Baskets, names: Option<&Names>, options: &RuleOptions) -> Result<Sets> {
    options.check()?;
    let mine_options = MineOptions { target: Target::All, ..options.mine.clone() };
    let mut sets = Sets::new(&mine_options.budget);
    mine(baskets, names, &mine_options, &mut sets)?;
    Ok(sets)
}

fn sort(rules: &mut Vec<Rule>, names: Option<&Names>, options: &RuleOptions) {
    let descending = |a: f64, b: f64| b.total_cmp(&a);
    let by = |a: &Rule, b: &Rule| match options.sort {
        SortBy::Lift => descending(a.lift(), b.lift()),
        SortBy::Support => descending(a.support(), b.support()),
        SortBy::Confidence => descending(a.confidence(), b.confidence()),
        SortBy::Leverage => descending(a.leverage(), b.leverage()),
        SortBy::Conviction => descending(a.conviction(), b.conviction()),
        SortBy::PValue => a.p_value.total_cmp(&b.p_value).then(a.p.total_cmp(&b.p)),
    };
    let by_items = |a: &[u32], b: &[u32]| -> Ordering {
        let name = |&item: &u32| (names.map_or("", |names| names.name(item)), item);
        a.iter().map(name).cmp(b.iter().map(name))
    };
    // No two rules are equal, and sorting needs no memory.
    rules.sort_unstable_by(|a, b| {
        by(a, b)
            .then_with(|| b.count.cmp(&a.count))
            .then_with(|| descending(a.confidence(), b.confidence()))
            .then_with(|| by_items(&a.antecedent, &b.antecedent))
            .then_with(|| by_items(&a.consequent, &b.consequent))
    });
    if let Some(top) = options.top {
        rules.truncate(top.get());
    }
}
