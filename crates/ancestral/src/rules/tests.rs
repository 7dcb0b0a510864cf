//! Tests of the searches against brute force, and of their independence of order and threads.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use super::*;

/// Sets of items with counts.
pub(super) type Found = BTreeMap<Vec<u32>, u32>;

/// Random numbers from a counter (SplitMix64), for tests.
#[derive(Debug, Clone)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ x >> 31
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(super) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Random baskets of up to `items` items; some are equal, some empty, some have items in all.
pub(super) fn random_baskets(random: &mut Random, most: u64, items: u64) -> Vec<Vec<u32>> {
    let density = 0.1 + 0.8 * random.uniform();
    let everywhere = random.below(4);
    let mut baskets: Vec<Vec<u32>> = Vec::new();
    for _ in 0..1 + random.below(most) {
        if !baskets.is_empty() && random.below(4) == 0 {
            let copied = random.below(baskets.len() as u64) as usize;
            baskets.push(baskets[copied].clone());
            continue;
        }
        let mut basket: Vec<u32> = (0..items as u32)
            .filter(|&i| {
                let rare = 1.0 / (1.0 + f64::from(i % 5) / 2.0);
                i + 1 == everywhere as u32 || random.uniform() < density * rare
            })
            .collect();
        // Order and repetition do not matter.
        basket.reverse();
        let first = basket.first().copied();
        basket.extend(first);
        baskets.push(basket);
    }
    if random.below(3) == 0 {
        baskets.push(Vec::new());
    }
    baskets
}

/// All frequent sets by the definition.
pub(super) fn brute(baskets: &[Vec<u32>], items: u32, least: u32) -> Found {
    let masks: Vec<u32> =
        baskets.iter().map(|b| b.iter().fold(0, |mask, &item| mask | 1 << item)).collect();
    let mut found = Found::new();
    for set in 1_u32..1 << items {
        let count = masks.iter().filter(|&&mask| mask & set == set).count() as u32;
        if count >= least {
            found.insert((0..items).filter(|i| set >> i & 1 == 1).collect(), count);
        }
    }
    found
}

fn subset(one: &[u32], other: &[u32]) -> bool {
    one.iter().all(|item| other.contains(item))
}

/// The closed or maximal ones of all frequent sets, by the definition.
fn only(found: &Found, target: Target) -> Found {
    let larger = |set: &[u32], count: u32| {
        found.iter().any(|(other, &n)| {
            other.len() > set.len()
                && subset(set, other)
                && (target == Target::Maximal || n == count)
        })
    };
    let kept = found
        .iter()
        .filter(|(set, count)| target == Target::All || !larger(set, **count))
        .map(|(set, &count)| (set.clone(), count));
    kept.collect()
}

pub(super) fn mined(baskets: &Baskets, options: &MineOptions) -> (Vec<(Vec<u32>, u32)>, Found) {
    let mut in_order = Vec::new();
    let mut sink = |items: &[u32], count: u32| {
        in_order.push((items.to_vec(), count));
        Ok(())
    };
    mine(baskets, None, options, &mut sink).unwrap();
    let mut found = Found::new();
    for (set, count) in &in_order {
        let mut set = set.clone();
        set.sort_unstable();
        assert!(set.is_sorted_by(|a, b| a < b));
        assert_eq!(found.insert(set, *count), None, "found twice");
    }
    (in_order, found)
}

const TARGETS: [Target; 3] = [Target::All, Target::Closed, Target::Maximal];
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Auto, Algorithm::FpGrowth, Algorithm::Eclat];

#[test]
fn searches_find_what_the_definitions_say() {
    let mut random = Random(1);
    for round in 0..300 {
        let items = 1 + random.below(9);
        // Some are many baskets, so that bitsets have several words.
        let most = if round % 10 == 0 { 400 } else { 24 };
        let sets = random_baskets(&mut random, most, items);
        let baskets = Baskets::from_sets(&sets).unwrap();
        let least = 1 + random.below(1 + sets.len() as u64 / 3) as u32;
        let all = brute(&sets, items as u32, least);
        for target in TARGETS {
            let right = only(&all, target);
            for algorithm in ALGORITHMS {
                let longest = random.below(5) as usize;
                let mut options = MineOptions::new(Support::Count(u64::from(least)));
                options.target = target;
                options.algorithm = algorithm;
                options.threads = NonZeroUsize::new(1 + round % 3);
                options.max_len = NonZeroUsize::new(longest);
                let right: Found = right
                    .iter()
                    .filter(|(set, _)| longest == 0 || set.len() <= longest)
                    .map(|(set, &count)| (set.clone(), count))
                    .collect();
                let (_, found) = mined(&baskets, &options);
                assert_eq!(found, right, "{target:?} {algorithm:?} {least} {longest} {sets:?}");
                let mut sizes = vec![0; 12];
                right.keys().for_each(|set| sizes[set.len()] += 1);
                let counted = count_sets(&baskets, None, &options).unwrap();
                let mut by_size = counted.by_size().to_vec();
                by_size.resize(12, 0);
                assert_eq!(by_size, sizes);
            }
        }
    }
}

#[test]
fn the_most_frequent_sets_need_no_threshold() {
    let mut random = Random(2);
    for _ in 0..150 {
        let items = 1 + random.below(8);
        let sets = random_baskets(&mut random, 20, items);
        let baskets = Baskets::from_sets(&sets).unwrap();
        let all = brute(&sets, items as u32, 1);
        for target in [Target::All, Target::Closed] {
            let mut right: Vec<(u32, usize)> =
                only(&all, target).iter().map(|(set, &count)| (count, set.len())).collect();
            right.sort_by_key(|&(count, len)| (std::cmp::Reverse(count), len));
            let k = NonZeroUsize::new(1 + random.below(30) as usize).unwrap();
            let mut options = MineOptions::new(Support::Count(1));
            options.target = target;
            let found = top(&baskets, None, &options, k).unwrap();
            right.truncate(k.get());
            let given: Vec<_> = found.iter().map(|(set, count)| (count, set.len())).collect();
            assert_eq!(given, right);
            for (set, count) in found.iter() {
                let mut set = set.to_vec();
                set.sort_unstable();
                assert_eq!(all[&set], count);
            }
        }
    }
    let baskets = Baskets::from_sets([(0..60).collect::<Vec<u32>>(), (0..60).collect()]).unwrap();
    let options = MineOptions::new(Support::Count(1));
    let found = top(&baskets, None, &options, NonZeroUsize::new(61).unwrap()).unwrap();
    assert_eq!(found.len(), 61);
    assert!(found.iter().all(|(set, count)| count == 2 && set.len() <= 2));
}

#[test]
fn two_equal_baskets_of_sixty_items_are_answered_at_once() {
    let basket: Vec<u32> = (0..60).collect();
    let other: Vec<u32> = (30..90).collect();
    let baskets = Baskets::from_sets([&basket, &basket, &other]).unwrap();
    let mut options = MineOptions::new(Support::Count(2));
    let counts = count_sets(&baskets, None, &options).unwrap();
    assert_eq!(counts.total(), (1 << 60) - 1);
    assert_eq!(counts.by_size()[2], 60 * 59 / 2);
    options.target = Target::Closed;
    let right = Found::from([(basket.clone(), 2), ((30..60).collect(), 3)]);
    assert_eq!(mined(&baskets, &options).1, right);
    options.target = Target::Maximal;
    assert_eq!(mined(&baskets, &options).1, Found::from([(basket.clone(), 2)]));
    // More sets than 128 bits count.
    let long: Vec<u32> = (0..10_000).collect();
    let baskets = Baskets::from_sets([&long, &long]).unwrap();
    options.target = Target::All;
    assert_eq!(count_sets(&baskets, None, &options).unwrap().total(), u128::MAX);
    options.target = Target::Closed;
    assert_eq!(mined(&baskets, &options).1, Found::from([(long, 2)]));
}

#[test]
fn order_of_baskets_and_items_and_number_of_threads_do_not_matter() {
    let mut random = Random(3);
    for _ in 0..40 {
        let sets = random_baskets(&mut random, 60, 12);
        let name = |item: u32| format!("n{}", item * 7 % 12);
        let run = |order: &[usize], relabel: u32, threads| {
            let mut names = Names::new();
            // Numbers differ, names do not.
            (0..12).for_each(|i| {
                names.number(&name((i + relabel) % 12)).unwrap();
            });
            let mut baskets = Baskets::new(&Budget::unlimited());
            for &at in order {
                let items: Vec<u32> =
                    sets[at].iter().map(|&i| names.find(&name(i)).unwrap()).collect();
                baskets.push(&items).unwrap();
            }
            let mut options = MineOptions::new(Support::Count(2));
            options.threads = NonZeroUsize::new(threads);
            let mut text = Vec::new();
            let mut sink = |items: &[u32], count: u32| {
                let items: Vec<&str> = items.iter().map(|&item| names.name(item)).collect();
                text.push((items.join(" "), count));
                Ok(())
            };
            mine(&baskets, Some(&names), &options, &mut sink).unwrap();
            text
        };
        let order: Vec<usize> = (0..sets.len()).collect();
        let first = run(&order, 0, 1);
        let mut other = order.clone();
        other.reverse();
        other.rotate_left(sets.len() / 3);
        assert_eq!(run(&other, 5, 3), first);
    }
}

#[test]
fn results_stream_until_the_receiver_stops() {
    let mut random = Random(4);
    let sets = random_baskets(&mut random, 50, 14);
    let baskets = Baskets::from_sets(&sets).unwrap();
    let mut options = MineOptions::new(Support::Count(1));
    options.threads = NonZeroUsize::new(3);
    let mut seen = 0;
    let mut sink = |_: &[u32], _: u32| {
        seen += 1;
        if seen == 10 { Err(RulesError::Stopped) } else { Ok(()) }
    };
    assert!(matches!(mine(&baskets, None, &options, &mut sink), Err(RulesError::Stopped)));
    assert_eq!(seen, 10);
}

#[test]
fn results_that_wait_for_their_turn_are_bounded_and_in_order() {
    // The branches of later items are the larger ones, and 17 equal items make millions of words.
    let basket: Vec<u32> = (0..17).collect();
    let few: Vec<u32> = (0..14).collect();
    let baskets = Baskets::from_sets([&basket, &few, &basket, &few[..13].to_vec()]).unwrap();
    let mut options = MineOptions::new(Support::Count(1));
    let mut hashes = BTreeSet::new();
    for (round, threads) in [1, 2, 4, 4].into_iter().enumerate() {
        options.threads = NonZeroUsize::new(threads);
        // The last time hardly anything may wait.
        if round == 3 {
            options.budget = Budget::new(1 << 16);
        }
        let (mut hash, mut sets) = (0_u64, 0);
        let mut sink = |items: &[u32], count: u32| {
            sets += 1;
            for &item in items.iter().chain([&count]) {
                hash = (hash.rotate_left(7) ^ u64::from(item)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            }
            Ok(())
        };
        mine(&baskets, None, &options, &mut sink).unwrap();
        assert_eq!(sets, (1 << 17) - 1);
        hashes.insert(hash);
    }
    assert_eq!(hashes.len(), 1);
}

#[test]
fn the_memory_limit_keeps_what_was_found() {
    let basket: Vec<u32> = (0..40).collect();
    let baskets = Baskets::from_sets([&basket, &basket]).unwrap();
    let mut options = MineOptions::new(Support::Count(2));
    options.budget = Budget::new(1 << 20);
    let mut found = Sets::new(&options.budget);
    let error = mine(&baskets, None, &options, &mut found).unwrap_err();
    assert!(error.to_string().contains("1 MiB"), "{error}");
    assert!(found.len() > 100);
    assert!(found.iter().all(|(_, count)| count == 2));
}

#[test]
fn maximal_sets_do_not_need_all_closed_ones() {
    // Each basket lacks one of 40 items: 2⁴⁰ closed sets, and 780 maximal ones.
    let sets = (0..40).map(|lacks| (0..40).filter(|&i| i != lacks).collect::<Vec<u32>>());
    let baskets = Baskets::from_sets(sets).unwrap();
    for algorithm in ALGORITHMS {
        let mut options = MineOptions::new(Support::Count(2));
        options.target = Target::Maximal;
        options.algorithm = algorithm;
        let found = mined(&baskets, &options).1;
        assert_eq!(found.len(), 40 * 39 / 2);
        assert!(found.iter().all(|(set, &count)| set.len() == 38 && count == 2));
    }
}

#[test]
fn nothing_is_found_in_nothing() {
    for sets in [vec![], vec![vec![]], vec![vec![], vec![3_u32]]] {
        let baskets = Baskets::from_sets(&sets).unwrap();
        for target in TARGETS {
            let mut options = MineOptions::new("0.9".parse().unwrap());
            options.target = target;
            assert_eq!(mined(&baskets, &options).1, Found::new());
        }
    }
}

#[test]
fn a_stop_keeps_what_was_found() {
    // Far more sets than there is time for, all from one node of the search.
    let baskets = Baskets::from_sets([(0..50).collect::<Vec<u32>>(), (0..50).collect()]).unwrap();
    let options = MineOptions::new(Support::Count(1));
    let mut found = 0_u64;
    let mut sink = |_: &[u32], _: u32| {
        found += 1;
        if found == 1000 {
            options.watch.stop();
        }
        Ok(())
    };
    assert!(matches!(mine(&baskets, None, &options, &mut sink), Err(RulesError::Stopped)));
    assert!((1000..1_000_000).contains(&found), "{found}");
    assert_eq!(options.watch.now().phase, "finding sets");
    // One that was stopped before finds nothing.
    assert!(matches!(count_sets(&baskets, None, &options), Err(RulesError::Stopped)));
}
