//! Tests of rules, tests, partitions and writers.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use super::tests::{Found, Random, brute, mined, random_baskets};
use super::*;

fn set_count(sets: &[Vec<u32>], items: &[u32]) -> u64 {
    sets.iter().filter(|basket| items.iter().all(|item| basket.contains(item))).count() as u64
}

/// P(X ≥ k) by binomial coefficients.
fn tail(n: u64, a: u64, c: u64, k: u64) -> f64 {
    let choose = |n: u64, k: u64| {
        if k > n { 0.0 } else { (0..k).map(|i| (n - i) as f64 / (k - i) as f64).product() }
    };
    let both = k.max((a + c).saturating_sub(n))..=a.min(c);
    both.map(|x| choose(c, x) * choose(n - c, a - x)).sum::<f64>() / choose(n, a)
}

#[test]
fn rules_are_those_of_the_definitions() {
    let mut random = Random(11);
    for round in 0..60 {
        let items = 2 + random.below(5);
        let sets = random_baskets(&mut random, 40, items);
        let baskets = Baskets::from_sets(&sets).unwrap();
        let n = sets.len() as u64;
        let least = 1 + random.below(1 + n / 4);
        let frequent = brute(&sets, items as u32, least as u32);
        let mut options = RuleOptions::new(MineOptions::new(Support::Count(least)));
        options.min_confidence = [0.0, 0.5, 0.8, 1.0][round % 4];
        options.productive = round % 3 == 0;
        options.max_consequent = NonZeroUsize::new([1, 8, 2][round % 3]).unwrap();
        options.mine.max_len = NonZeroUsize::new([0, 3, 0, 4][round % 4]);
        let max_len = options.mine.max_len();
        let found = rules(&baskets, None, &options).unwrap();

        // Every pair of disjoint frequent sets is a test; those that are frequent together are rules.
        let (mut tests, mut p_values, mut right) = (0, Vec::new(), BTreeMap::new());
        for antecedent in frequent.keys() {
            for consequent in frequent.keys() {
                if consequent.len() > options.max_consequent.get()
                    || antecedent.len() + consequent.len() > max_len
                    || consequent.iter().any(|item| antecedent.contains(item))
                {
                    continue;
                }
                tests += 1;
                let mut both: Vec<u32> = [&antecedent[..], consequent].concat();
                both.sort_unstable();
                let Some(&count) = frequent.get(&both) else { continue };
                let (a, c) = (u64::from(frequent[antecedent]), u64::from(frequent[consequent]));
                let p = tail(n, a, c, u64::from(count));
                p_values.push(p);
                let confidence = f64::from(count) / a as f64;
                let better = (0..(1_u32 << antecedent.len()) - 1).all(|part| {
                    let part: Vec<u32> = (0..antecedent.len())
                        .filter(|at| part >> at & 1 == 1)
                        .map(|at| antecedent[at])
                        .collect();
                    let with = set_count(&sets, &[&part[..], consequent].concat());
                    u64::from(count) * set_count(&sets, &part) > with * a
                });
                if confidence >= options.min_confidence && (better || !options.productive) {
                    right.insert((antecedent.clone(), consequent.clone()), (count, a, c, p));
                }
            }
        }
        assert_eq!(found.frequent, p_values.len() as u64);
        assert_eq!(found.rules.len(), right.len());
        assert_eq!(found.tests, f64::from(tests));
        p_values.sort_by(f64::total_cmp);
        for rule in &found.rules {
            let (mut antecedent, mut consequent) =
                (rule.antecedent.clone(), rule.consequent.clone());
            antecedent.sort_unstable();
            consequent.sort_unstable();
            let &(count, a, c, p) = &right[&(antecedent, consequent)];
            let counts = (rule.count, rule.antecedent_count, rule.consequent_count);
            assert_eq!(counts, (u64::from(count), a, c));
            assert!((rule.p - p).abs() <= 1e-10 * p, "{} {p}", rule.p);
            // Holm's value: the largest of the scaled p-values up to this one.
            let corrected = p_values
                .iter()
                .enumerate()
                .filter(|(_, other)| **other <= p * (1.0 + 1e-9))
                .map(|(rank, other)| (found.tests - rank as f64) * other)
                .fold(0.0, f64::max)
                .min(1.0);
            assert!((rule.p_value - corrected).abs() <= 1e-8 * corrected);
        }
        assert!(found.rules.is_sorted_by(|a, b| a.lift() >= b.lift()));
    }
}

#[test]
fn filters_do_not_change_p_values() {
    let mut random = Random(12);
    let sets = random_baskets(&mut random, 200, 7);
    let baskets = Baskets::from_sets(&sets).unwrap();
    let mut options = RuleOptions::new(MineOptions::new(Support::Count(2)));
    options.min_confidence = 0.0;
    let key = |rule: &Rule| (rule.antecedent.clone(), rule.consequent.clone());
    let all = rules(&baskets, None, &options).unwrap();
    let by_key: BTreeMap<_, _> = all.rules.iter().map(|rule| (key(rule), rule)).collect();
    options.min_confidence = 0.3;
    options.contains = vec![1];
    options.rhs = vec![2];
    options.sort = SortBy::PValue;
    options.top = NonZeroUsize::new(5);
    let some = rules(&baskets, None, &options).unwrap();
    assert_eq!(some.rules.len(), 5);
    assert_eq!(some.tests, all.tests);
    for rule in &some.rules {
        assert_eq!(by_key[&key(rule)], rule);
        assert!(rule.antecedent.contains(&1) && rule.consequent == [2]);
    }
    assert!(some.rules.is_sorted_by(|a, b| a.p_value <= b.p_value));
    options.min_confidence = f64::NAN;
    assert!(rules(&baskets, None, &options).is_err());
}

#[test]
fn held_out_baskets_give_the_counts_of_their_own() {
    let mut random = Random(13);
    let sets = random_baskets(&mut random, 300, 6);
    let baskets = Baskets::from_sets(&sets).unwrap();
    let mut options = RuleOptions::new(MineOptions::new(Support::Count(3)));
    options.min_confidence = 0.3;
    let mut coin = Random(14);
    let (found_in, tested_in) =
        baskets.split(&Budget::unlimited(), |_| coin.uniform() < 0.5).unwrap();
    assert_eq!(found_in.len() + tested_in.len(), sets.len());
    let tested: Vec<Vec<u32>> = tested_in.iter().map(<[u32]>::to_vec).collect();
    let first = rules(&found_in, None, &options).unwrap().rules;
    let found = rules_holdout(&found_in, &tested_in, None, &options).unwrap();
    assert_eq!(found.rules.len(), first.len());
    assert_eq!(found.tests, first.len() as f64);
    for rule in &found.rules {
        assert!(
            first
                .iter()
                .any(|r| { r.antecedent == rule.antecedent && r.consequent == rule.consequent })
        );
        let both = [&rule.antecedent[..], &rule.consequent].concat();
        let right = [&rule.antecedent, &rule.consequent, &both].map(|s| set_count(&tested, s));
        assert_eq!([rule.antecedent_count, rule.consequent_count, rule.count], right);
        assert!(rule.p_value >= rule.p);
    }
}

/// A test that is significant by chance is one of many.
#[test]
fn holm_is_step_down() {
    let holm = Holm::new([0.01, 0.04, 0.001, 0.04], 5.0);
    let right = [(0.001, 0.005), (0.01, 0.04), (0.04, 0.12), (0.5, 1.0)];
    for (p, corrected) in right {
        assert!((holm.corrected(p) - corrected).abs() < 1e-15);
    }
    assert_eq!(Holm::new([], 3.0).corrected(0.01), 1.0);
}

#[test]
fn fishers_test_agrees_with_its_definition() {
    let most = u64::MAX;
    assert_eq!(fisher(most, most, most, most), 1.0);
    assert_eq!(fisher(3, 9, 9, 4), 0.0);
    for n in 1..14 {
        for (a, c) in (0..=n).flat_map(|a| (0..=n).map(move |c| (a, c))) {
            for k in 0..=n + 1 {
                let (found, right) = (fisher(n, a, c, k), tail(n, a, c, k));
                assert!((found - right).abs() <= 1e-12, "{n} {a} {c} {k}: {found} {right}");
            }
        }
    }
}

#[test]
fn independent_items_seldom_give_rules() {
    // 200 data sets of 400 baskets with independent items of descending frequency; the corrected level
    // of 5 % allows 10 of them a rule, and 16 with the chance of this simulation.
    let (mut with_rules, mut uncorrected) = (0, 0);
    for seed in 0..200 {
        let mut random = Random(1000 + seed);
        let frequencies: Vec<f64> = (0..25).map(|i| 0.25 / (1.0 + 0.4 * f64::from(i))).collect();
        let sets: Vec<Vec<u32>> = (0..400)
            .map(|_| {
                let holds = |&i: &u32| random.uniform() < frequencies[i as usize];
                (0..25).filter(holds).collect()
            })
            .collect();
        let mut options = RuleOptions::new(MineOptions::new("0.01".parse().unwrap()));
        options.min_confidence = 0.0;
        let found = rules(&Baskets::from_sets(&sets).unwrap(), None, &options).unwrap();
        uncorrected += u32::from(found.rules.iter().any(|rule| rule.p < 0.05));
        with_rules += u32::from(found.rules.iter().any(|rule| rule.p_value < 0.05));
    }
    assert!(with_rules <= 16, "{with_rules}");
    assert!(uncorrected > 180, "{uncorrected}");
}

#[test]
fn parts_give_what_one_pass_gives() {
    let mut random = Random(21);
    for round in 0..60 {
        let items = 1 + random.below(8);
        let sets = random_baskets(&mut random, 60, items);
        let text = ["0.1", "0.3", "2", "5"][round % 4];
        let mut options = MineOptions::new(text.parse().unwrap());
        options.max_len = NonZeroUsize::new(round % 5);
        options.target = [Target::All, Target::Closed, Target::Maximal][round % 3];
        if options.target != Target::All {
            // Closed and maximal sets are those among sets of any size.
            options.max_len = None;
        }
        let whole = Baskets::from_sets(&sets).unwrap();
        let right = mined(&whole, &options).1;
        // A random partition, some of whose parts may be empty.
        let parts = 1 + random.below(4);
        let of: Vec<u64> = sets.iter().map(|_| random.below(parts)).collect();
        let part = |number| {
            let chosen = sets.iter().zip(&of).filter(|(_, of)| **of == number);
            Baskets::from_sets(chosen.map(|(set, _)| set)).unwrap()
        };
        let budget = Budget::unlimited();
        let n = sets.len() as u64;
        let found: Vec<Candidates> =
            (0..parts).map(|number| candidates(&part(number), n, &options).unwrap()).collect();
        let all = merge(&found, &budget).unwrap();
        let mut counts = vec![0; all.len()];
        for number in 0..parts {
            let more = count(&part(number), &all);
            counts.iter_mut().zip(more).for_each(|(sum, n)| *sum += n);
        }
        let mut result = Found::new();
        let mut sink = |items: &[u32], count: u32| {
            result.insert(items.to_vec(), count);
            Ok(())
        };
        let least = options.support.least(n);
        frequent(&all, &counts, least, options.target, &budget, &mut sink).unwrap();
        assert_eq!(result, right);
    }
}

#[test]
fn candidates_are_found_again() {
    let mut sets = Sets::new(&Budget::unlimited());
    for items in [&[3, 1][..], &[1], &[1, 3], &[2, 1, 9], &[7]] {
        sets.set(items, 1).unwrap();
    }
    let candidates = Candidates::from_sets(&sets, &Budget::unlimited()).unwrap();
    assert_eq!(candidates.len(), 4);
    let mut items = Vec::new();
    let mut all = BTreeSet::new();
    for number in 0..candidates.len() {
        candidates.items(number, &mut items);
        assert_eq!(candidates.find(&items), Some(number));
        all.insert(items.clone());
    }
    assert_eq!(all, BTreeSet::from([vec![1], vec![1, 3], vec![1, 2, 9], vec![7]]));
    assert_eq!(candidates.find(&[1, 2]), None);
    assert_eq!(candidates.find(&[]), None);
}

#[test]
fn a_file_in_parts_gives_what_one_pass_gives() {
    let mut random = Random(22);
    let mut text = String::new();
    for _ in 0..4000 {
        let items = (0..40).filter(|i| random.uniform() < 0.5 / (1.0 + f64::from(*i)));
        let items: Vec<String> = items.map(|i| format!("i{i}")).collect();
        text += &(items.join(" ") + "\n");
    }
    let path = std::env::temp_dir().join(format!("ancestral-{}-parts", std::process::id()));
    std::fs::write(&path, text).unwrap();
    let unlimited = Budget::unlimited();
    let (names, baskets, _) = read_baskets(&path, None, &unlimited).unwrap();
    for support in ["0.02", "70"] {
        let mut options = MineOptions::new(support.parse().unwrap());
        let mut right = BTreeMap::new();
        for (items, count) in mined(&baskets, &options).1 {
            let items: BTreeSet<String> =
                items.iter().map(|&item| names.name(item).to_owned()).collect();
            right.insert(items, u64::from(count));
        }
        options.budget = Budget::new(200_000);
        let mut found = BTreeMap::new();
        let open = || BasketReader::open(&path, None, &options.budget);
        let report = mine_parts(&open, &options, &mut |set| {
            let name = |&item: &u32| set.names.name(item).to_owned();
            found.insert(set.items.iter().map(name).collect::<BTreeSet<String>>(), set.count);
            assert_eq!(set.baskets, baskets.len() as u64);
            Ok(())
        });
        let report = report.unwrap();
        assert_eq!(found, right);
        assert_eq!(report.baskets, baskets.len() as u64);
        assert!(report.parts > 1 && report.candidates >= right.len(), "{report:?}");
        assert!(read_baskets(&path, None, &Budget::new(1000)).is_err());
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn cells_are_quoted_within_cells() {
    let mut names = Names::new();
    let items: Vec<u32> =
        ["a,b", "c", "19\" rack", "tab\there", ""].map(|name| names.number(name).unwrap()).to_vec();
    let mut writer = SetWriter::new(Vec::new(), FileFormat::Csv, 8).unwrap();
    writer.write(&names, &items[..2], 4).unwrap();
    writer.write(&names, &items[1..2], 8).unwrap();
    writer.write(&names, &items[2..3], 1).unwrap();
    let text = String::from_utf8(writer.finish().unwrap()).unwrap();
    assert_eq!(
        text,
        "items,support,count\n\"\"\"a,b\"\",c\",0.5,4\nc,1,8\n\"\"\"19\"\"\"\" rack\"\"\",0.125,1\n"
    );
    let mut writer = SetWriter::new(Vec::new(), FileFormat::JsonLines, 8).unwrap();
    writer.write(&names, &items, 4).unwrap();
    let text = String::from_utf8(writer.finish().unwrap()).unwrap();
    assert_eq!(
        text,
        "{\"items\":[\"a,b\",\"c\",\"19\\\" rack\",\"tab\\there\",\"\"],\"support\":0.5,\"count\":4}\n"
    );
}

#[test]
fn rules_are_written_with_all_measures() {
    let mut names = Names::new();
    for name in ["milk", "bread", "beer"] {
        names.number(name).unwrap();
    }
    let rule = Rule {
        antecedent: vec![0, 2],
        consequent: vec![1],
        baskets: 8,
        antecedent_count: 2,
        consequent_count: 4,
        count: 2,
        p: 1e-9,
        p_value: 2.5e-7,
    };
    let mut writer = RuleWriter::new(Vec::new(), FileFormat::Csv).unwrap();
    writer.write(&names, &rule).unwrap();
    let text = String::from_utf8(writer.finish().unwrap()).unwrap();
    assert_eq!(
        text,
        "antecedent,consequent,support,confidence,lift,leverage,conviction,p_value\n\
         \"milk,beer\",bread,0.25,1,2,0.125,inf,2.5e-7\n"
    );
    let mut writer = RuleWriter::new(Vec::new(), FileFormat::JsonLines).unwrap();
    writer.write(&names, &rule).unwrap();
    let text = String::from_utf8(writer.finish().unwrap()).unwrap();
    assert_eq!(
        text,
        "{\"antecedent\":[\"milk\",\"beer\"],\"consequent\":[\"bread\"],\"support\":0.25,\
         \"confidence\":1,\"lift\":2,\"leverage\":0.125,\"conviction\":\"inf\",\"p_value\":2.5e-7}\n"
    );
    assert_eq!(FileFormat::of("a.CSV".as_ref()).unwrap(), FileFormat::Csv);
    assert_eq!(FileFormat::of("a.jsonl".as_ref()).unwrap(), FileFormat::JsonLines);
    assert!(FileFormat::of("a.txt".as_ref()).unwrap_err().to_string().contains(".jsonl"));
}

#[test]
fn rules_of_some_sets_have_right_counts_and_no_corrected_p_values() {
    let mut random = Random(5);
    let sets = random_baskets(&mut random, 60, 7);
    let baskets = Baskets::from_sets(&sets).unwrap();
    let mut options = RuleOptions::new(MineOptions::new(Support::Count(2)));
    options.min_confidence = 0.3;
    let all = rules(&baskets, None, &options).unwrap().rules;
    let mut found = Sets::new(&Budget::unlimited());
    mine(&baskets, None, &options.mine, &mut found).unwrap();
    let n = baskets.len() as u64;
    assert_eq!(rules_of_sets(&found, n, None, &options).unwrap().rules, all);
    found.truncate(found.len() / 2);
    let some = rules_of_part(&found, n, None, &options).unwrap();
    assert!(some.tests.is_nan() && !some.rules.is_empty() && some.rules.len() < all.len());
    for mut rule in some.rules {
        assert!(rule.p_value.is_nan());
        let is_same = |other: &&Rule| {
            (&other.antecedent, &other.consequent) == (&rule.antecedent, &rule.consequent)
        };
        rule.p_value = all.iter().find(is_same).unwrap().p_value;
        assert!(all.contains(&rule));
    }
}
