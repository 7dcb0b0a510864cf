//! Association rules: if a basket holds the antecedent, then it holds the consequent.
//!
//! Agrawal, Imieliński and Swami 1993, doi:10.1145/170035.170072. Each rule is tested against
//! independence by [`fisher`].
//!
//! The p-values are corrected over all rules that the supports of antecedents and consequents admit:
//! pairs of disjoint sets, each of them frequent. Which pairs these are does not depend on how often
//! antecedent and consequent meet, and filters do not make them fewer; rules that are found too seldom
//! to be reported have the p-value 1. Or rules are found in one part of the baskets and tested in
//! another, where only the found ones count (Webb 2007, doi:10.1007/s10994-007-5006-x).

use std::cmp::Ordering;

use super::baskets::{Baskets, Names};
use super::error::{Result, RulesError};
use super::fisher::{Holm, fisher};
use super::mine::{MineOptions, mine};
use super::output::SetSink;
use super::rule::{Rule, RuleOptions, SortBy};
use super::search::Target;
use super::sets::Sets;
use super::son::{Candidates, count};
use super::splits::{FrequentSets, Split};
use super::watch::Watch;

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
