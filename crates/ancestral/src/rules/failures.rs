//! Failures of other programs that users reported, with the right answers. Others are among the tests of
//! reading and of supports: duplicates, empty baskets, separators in names, padded rows, support 0,
//! baskets of 10,000 items.

use std::num::NonZeroUsize;

use super::tests::{Found, mined};
use super::*;

fn options(support: &str, target: Target) -> MineOptions {
    let mut options = MineOptions::new(support.parse().unwrap());
    options.target = target;
    options
}

fn found_rules(sets: &[&[u32]], support: &str, confidence: f64) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut options = RuleOptions::new(options(support, Target::All));
    options.min_confidence = confidence;
    let found = rules(&Baskets::from_sets(sets).unwrap(), None, &options).unwrap();
    let mut found: Vec<_> = found
        .rules
        .into_iter()
        .map(|mut rule| {
            rule.antecedent.sort_unstable();
            (rule.antecedent, rule.consequent)
        })
        .collect();
    found.sort();
    found
}

/// mlxtend #690: the support of a maximal set was that of one of its items.
#[test]
fn a_maximal_set_has_its_own_support() {
    let baskets = Baskets::from_sets([&[0, 1][..], &[0, 2], &[2]]).unwrap();
    let right = Found::from([(vec![0, 1], 1), (vec![0, 2], 1)]);
    assert_eq!(mined(&baskets, &options("0.01", Target::Maximal)).1, right);
}

/// mlxtend #570: an empty sequence at a tiny support. Nothing but items of all baskets is left.
#[test]
fn a_maximal_set_may_be_all_there_is() {
    let baskets = Baskets::from_sets([&[4, 2][..], &[4, 2]]).unwrap();
    let right = Found::from([(vec![2, 4], 2)]);
    assert_eq!(mined(&baskets, &options("0.00006", Target::Maximal)).1, right);
}

/// mlxtend #1049: one basket of 28 items never ended.
#[test]
fn one_long_basket_is_enough() {
    let baskets = Baskets::from_sets([(0..28).collect::<Vec<u32>>()]).unwrap();
    let counts = count_sets(&baskets, None, &options("0.5", Target::All)).unwrap();
    assert_eq!(counts.total(), (1 << 28) - 1);
    assert_eq!(mined(&baskets, &options("0.5", Target::Closed)).1.len(), 1);
}

/// mlxtend #496, arules #31: no set has two items, so that there is no rule to sort.
#[test]
fn no_rules_are_no_error() {
    assert_eq!(found_rules(&[&[1], &[2], &[1]], "1", 0.0), []);
    let mut options = RuleOptions::new(options("3", Target::All));
    options.top = NonZeroUsize::new(6);
    options.productive = true;
    let found = rules(&Baskets::from_sets([[1, 2]]).unwrap(), None, &options).unwrap();
    assert_eq!((found.rules.len(), found.tests), (0, 0.0));
}

/// mlxtend #696 and #1030: rules of maximal sets lack the supports of antecedents.
#[test]
fn rules_come_from_all_sets() {
    let baskets = Baskets::from_sets([&[0, 1][..], &[0, 1], &[0, 2], &[1]]).unwrap();
    let by = |target| rules(&baskets, None, &RuleOptions::new(options("1", target))).unwrap().rules;
    assert_eq!(by(Target::Maximal), by(Target::All));
    assert!(!by(Target::All).is_empty());
}

/// fpgrowth_py #3: rules that always hold were lost at a minimum confidence of 1.
#[test]
fn rules_that_always_hold_are_found() {
    let right = [(vec![0], vec![1]), (vec![2], vec![1])];
    assert_eq!(found_rules(&[&[0, 1, 2], &[0, 1, 3], &[2, 1, 4]], "0.5", 1.0), right);
}

/// Efficient-Apriori #57: no rule of a set's items alone, but rules of their parts.
#[test]
fn rules_of_larger_antecedents_do_not_need_smaller_ones() {
    let sets: [&[u32]; 5] = [&[1, 2, 3], &[1, 2, 3], &[1, 2, 3], &[1, 2], &[2, 3]];
    let right = [
        (vec![1], vec![2]),
        (vec![1, 3], vec![2]),
        (vec![2], vec![1]),
        (vec![2], vec![3]),
        (vec![3], vec![2]),
    ];
    assert_eq!(found_rules(&sets, "0.4", 0.8), right);
}

/// Efficient-Apriori #45: a conviction of 0 where the rule always holds.
#[test]
fn a_rule_that_always_holds_has_an_infinite_conviction() {
    let baskets = Baskets::from_sets([[0, 1], [0, 1]]).unwrap();
    let found = rules(&baskets, None, &RuleOptions::new(options("1", Target::All))).unwrap();
    for rule in &found.rules {
        assert_eq!((rule.conviction(), rule.lift(), rule.leverage()), (f64::INFINITY, 1.0, 0.0));
        assert_eq!((rule.p, rule.p_value), (1.0, 1.0));
    }
    assert_eq!(found.rules.len(), 2);
}

/// pyfpgrowth #6: sets of one item were lost.
#[test]
fn sets_of_one_item_are_found() {
    let sets: [&[u32]; 20] = [
        &[11, 13],
        &[4, 12, 13],
        &[4, 13, 14, 17],
        &[7, 11, 13, 14, 17],
        &[2, 4, 13, 14],
        &[13, 14],
        &[2, 7, 11, 13, 14],
        &[4, 13, 14, 15],
        &[6, 11, 13],
        &[11, 13],
        &[11, 13, 14, 17],
        &[7, 11, 13, 14],
        &[2, 11, 12, 13, 14],
        &[7, 11, 13],
        &[11, 13],
        &[7, 8, 13, 14, 17],
        &[0, 7, 11, 13],
        &[2, 11, 13, 14, 15],
        &[7, 11, 12, 13, 14],
        &[11, 12, 13, 14],
    ];
    let found = mined(&Baskets::from_sets(sets).unwrap(), &options("1", Target::All)).1;
    assert_eq!((found[&vec![7]], found[&vec![7, 11]], found[&vec![0]]), (7, 6, 1));
}

/// pyfim 6.28: sets of nothing but items of all baskets are left out.
#[test]
fn items_of_all_baskets_are_sets() {
    let baskets = Baskets::from_sets([&[1, 2][..], &[1, 3], &[1]]).unwrap();
    let right =
        Found::from([(vec![1], 3), (vec![1, 2], 1), (vec![1, 3], 1), (vec![2], 1), (vec![3], 1)]);
    assert_eq!(mined(&baskets, &options("1", Target::All)).1, right);
    let right = Found::from([(vec![1], 3), (vec![1, 2], 1), (vec![1, 3], 1)]);
    assert_eq!(mined(&baskets, &options("1", Target::Closed)).1, right);
}

/// mlxtend #583: a minimum support of 10 among shares found nothing and said nothing.
#[test]
fn a_whole_number_is_a_count() {
    let baskets = Baskets::from_sets(vec![vec![5, 6]; 12]).unwrap();
    assert_eq!(mined(&baskets, &options("10", Target::All)).1.len(), 3);
    assert!("10.5".parse::<Support>().is_err());
}

/// arules #4: 250 GB to find redundant rules, by comparing all with all.
#[test]
fn redundant_rules_are_found_in_little_memory() {
    let baskets = Baskets::from_sets([(0..13).collect::<Vec<u32>>(), (0..12).collect()]).unwrap();
    let mut options = RuleOptions::new(options("1", Target::All));
    options.mine.budget = Budget::new(16 << 20);
    options.productive = true;
    let found = rules(&baskets, None, &options).unwrap();
    // 12 items are in all baskets; only they imply each other, by chance alone.
    assert!(found.frequent > 50_000 && found.rules.is_empty());
}
