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
use super::sets::{SetIndex, Sets};
use super::son::{Candidates, count};
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
    let sets = FrequentSets::new(sets, baskets, options)?;
    let watch = &options.mine.watch;
    watch.begin("testing rules", sets.sets.len() as u64);
    let mut p_values = Vec::new();
    let mut memory = options.mine.budget.reserve(0, "the rules", LOWER)?;
    sets.each(options, &mut |rule| {
        p_values.push(rule.p());
        memory.grow_to(24 * p_values.capacity() as u64)
    })?;
    let frequent = p_values.len() as u64;
    let tests = sets.tests(options);
    let holm = Holm::new(p_values, tests);
    watch.begin("choosing rules", sets.sets.len() as u64);
    let mut rules = Vec::new();
    sets.filter(options, &mut rules)?;
    for rule in &mut rules {
        rule.p_value = holm.corrected(rule.p);
    }
    sort(&mut rules, names, options);
    Ok(FoundRules { rules, tests, frequent })
}

/// Makes the rules that follow from some of the frequent sets, as when finding them was stopped. How
/// many tests there are is then unknown, and corrected p-values are not a number.
///
/// Rules that exceed the memory limit are left out. It is not stopped.
///
/// # Errors
/// If the confidence is out of its range.
pub fn rules_of_part(
    sets: &Sets,
    baskets: u64,
    names: Option<&Names>,
    options: &RuleOptions,
) -> Result<FoundRules> {
    let mine = MineOptions { watch: Watch::new(), ..options.mine.clone() };
    let options = RuleOptions { mine, ..options.clone() };
    let mut rules = Vec::new();
    let filtered = FrequentSets::new(sets, baskets, &options)
        .and_then(|sets| sets.filter(&options, &mut rules));
    match filtered {
        Ok(()) | Err(RulesError::Memory { .. }) => {}
        Err(error) => return Err(error),
    }
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
    let sets = FrequentSets::new(&sets, found_in.len() as u64, options)?;
    options.mine.watch.begin("choosing rules", sets.sets.len() as u64);
    let mut rules = Vec::new();
    sets.filter(options, &mut rules)?;
    let mut frequent = 0;
    sets.each(options, &mut |_| {
        frequent += 1;
        Ok(())
    })?;
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

/// Sets between two reports of progress.
const EACH: u64 = 1 << 12;

/// What to do if rules need too much memory.
const LOWER: &str = "raise the limit or the minimum support, or limit the size of sets";

/// All frequent sets of some baskets.
fn frequent_sets(baskets: &Baskets, names: Option<&Names>, options: &RuleOptions) -> Result<Sets> {
    options.check()?;
    let mine_options = MineOptions { target: Target::All, ..options.mine.clone() };
    let mut sets = Sets::new(&mine_options.budget);
    mine(baskets, names, &mine_options, &mut sets)?;
    Ok(sets)
}

/// Frequent sets, to be looked up.
struct FrequentSets<'a> {
    sets: &'a Sets,
    index: SetIndex,
    baskets: u64,
}

/// A rule before its items are copied.
struct Split<'a> {
    antecedent: &'a [u32],
    consequent: &'a [u32],
    baskets: u64,
    antecedent_count: u64,
    consequent_count: u64,
    count: u64,
}

impl Split<'_> {
    fn p(&self) -> f64 {
        fisher(self.baskets, self.antecedent_count, self.consequent_count, self.count)
    }
}

impl<'a> FrequentSets<'a> {
    fn new(sets: &'a Sets, baskets: u64, options: &RuleOptions) -> Result<Self> {
        options.check()?;
        let index = sets.index(&options.mine.budget)?;
        Ok(Self { sets, index, baskets })
    }

    /// The count of a set; all baskets hold the empty one.
    fn count(&self, items: &[u32]) -> u64 {
        if items.is_empty() {
            return self.baskets;
        }
        let found = self.index.find(self.sets, items);
        found.map_or(0, |number| u64::from(self.sets.count(number)))
    }

    /// Calls `visit` with every rule that reaches the minimum support, in the order of the sets.
    fn each(
        &self,
        options: &RuleOptions,
        visit: &mut dyn FnMut(&Split<'_>) -> Result<()>,
    ) -> Result<()> {
        let (mut antecedent, mut consequent) = (Vec::new(), Vec::new());
        let watch = &options.mine.watch;
        for (number, (items, count)) in self.sets.iter().enumerate() {
            if (number as u64).is_multiple_of(EACH) {
                watch.check()?;
                watch.set(number as u64);
            }
            let longest = options.max_consequent.get().min(items.len() - 1);
            for size in 1..=longest {
                // Positions of the consequent's items, in lexicographic order.
                let mut chosen: Vec<usize> = (0..size).collect();
                loop {
                    antecedent.clear();
                    consequent.clear();
                    for (at, &item) in items.iter().enumerate() {
                        if chosen.contains(&at) {
                            consequent.push(item);
                        } else {
                            antecedent.push(item);
                        }
                    }
                    visit(&Split {
                        antecedent: &antecedent,
                        consequent: &consequent,
                        baskets: self.baskets,
                        antecedent_count: self.count(&antecedent),
                        consequent_count: self.count(&consequent),
                        count: u64::from(count),
                    })?;
                    if !next_combination(&mut chosen, items.len()) {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds the rules that all filters leave, with their uncorrected p-values.
    fn filter(&self, options: &RuleOptions, rules: &mut Vec<Rule>) -> Result<()> {
        let mut memory = options.mine.budget.reserve(0, "the rules", LOWER)?;
        let mut bytes = 0;
        self.each(options, &mut |split| {
            let has =
                |item: &u32| split.antecedent.contains(item) || split.consequent.contains(item);
            // Of sets that were not found the counts are unknown.
            let kept = split.antecedent_count > 0
                && split.consequent_count > 0
                && ratio(split.count, split.antecedent_count) >= options.min_confidence
                && options.contains.iter().all(has)
                && options.rhs.iter().all(|item| split.consequent.contains(item))
                && (!options.productive || self.is_productive(split));
            if kept {
                bytes += (4 * (split.antecedent.len() + split.consequent.len())
                    + 2 * size_of::<Rule>()) as u64;
                memory.grow_to(bytes)?;
                let p = split.p();
                rules.push(Rule {
                    antecedent: split.antecedent.to_vec(),
                    consequent: split.consequent.to_vec(),
                    baskets: split.baskets,
                    antecedent_count: split.antecedent_count,
                    consequent_count: split.consequent_count,
                    count: split.count,
                    p,
                    p_value: 1.0,
                });
            }
            Ok(())
        })
    }

    /// Whether the rule is better than every rule with a part of its antecedent.
    fn is_productive(&self, split: &Split<'_>) -> bool {
        let mut part = Vec::new();
        let size = split.antecedent.len();
        // A set in memory has all its subsets there, so that its size is far below 64.
        (0..(1_u64 << size.min(63)) - 1).all(|subset| {
            part.clear();
            part.extend(
                (0..size).filter(|at| subset >> at & 1 == 1).map(|at| split.antecedent[at]),
            );
            let antecedent_count = self.count(&part);
            part.extend_from_slice(split.consequent);
            let count = self.count(&part);
            u128::from(split.count) * u128::from(antecedent_count)
                > u128::from(count) * u128::from(split.antecedent_count)
        })
    }

    /// The number of rules that the supports of antecedents and consequents admit: pairs of disjoint
    /// frequent sets within the size limits. Where both have several items, pairs that overlap are
    /// counted, too, which only makes corrected p-values larger.
    fn tests(&self, options: &RuleOptions) -> f64 {
        let mut by_size: Vec<f64> = vec![0.0];
        for (items, _) in self.sets.iter() {
            if by_size.len() <= items.len() {
                by_size.resize(items.len() + 1, 0.0);
            }
            by_size[items.len()] += 1.0;
        }
        let single = by_size.get(1).copied().unwrap_or(0.0);
        let mut tests = 0.0;
        for (consequent, &consequents) in by_size.iter().enumerate().skip(1) {
            if consequent > options.max_consequent.get() {
                break;
            }
            for (antecedent, &antecedents) in by_size.iter().enumerate().skip(1) {
                if antecedent + consequent > options.mine.max_len() {
                    break;
                }
                tests += match (antecedent, consequent) {
                    (_, 1) => antecedents * (single - antecedent as f64),
                    (1, _) => consequents * (single - consequent as f64),
                    _ => antecedents * consequents,
                };
            }
        }
        tests
    }
}

/// The next choice of positions below `n` in lexicographic order; `false` after the last.
fn next_combination(chosen: &mut [usize], n: usize) -> bool {
    let size = chosen.len();
    let Some(at) = (0..size).rev().find(|&at| chosen[at] < n - size + at) else { return false };
    let first = chosen[at] + 1;
    chosen[at..].iter_mut().zip(first..).for_each(|(position, next)| *position = next);
    true
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
    rules.sort_by(|a, b| {
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
