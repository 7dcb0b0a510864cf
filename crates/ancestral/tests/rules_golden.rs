//! Published data: frequent, closed and maximal sets against the values that `rules_golden.py` prints, and
//! rules of random baskets with its frequencies.

#![allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]

use ancestral::rules::{
    Baskets, Budget, MineOptions, RuleOptions, Support, Target, mine, read_baskets, rules,
};
use ancestral_test_support::data_dir_with;

/// File, minimum number of baskets, sets, their number and checksum.
const RIGHT: &[(&str, u64, Target, u64, u64)] = &[
@@
];

fn fnv(name: &str) -> u64 {
    let step = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

#[test]
fn sets_of_published_data_are_those_of_pyfim() {
    let Some(folder) = data_dir_with("fimi") else { return };
    for of_file in RIGHT.chunk_by(|a, b| a.0 == b.0) {
        let path = folder.join("fimi").join(of_file[0].0);
        let (names, baskets, _) = read_baskets(&path, None, &Budget::unlimited()).unwrap();
        let hashes: Vec<u64> = (0..names.len() as u32).map(|item| fnv(names.name(item))).collect();
        for &(file, support, target, sets, checksum) in of_file {
            let mut options = MineOptions::new(Support::Count(support));
            options.target = target;
            let (mut found, mut total) = (0, 0_u64);
            let mut sink = |items: &[u32], count: u32| {
                let sum = items.iter().fold(0_u64, |sum, &i| sum.wrapping_add(hashes[i as usize]));
                total = total.wrapping_add(sum.wrapping_mul(sum).wrapping_mul(u64::from(count)));
                found += 1;
                Ok(())
            };
            mine(&baskets, Some(&names), &options, &mut sink).unwrap();
            assert_eq!((found, total), (sets, checksum), "{file} {support} {target:?}");
        }
    }
}

/// A generator of uniform numbers (Steele, Lea and Flood 2014, SplitMix).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ x >> 31) % n
    }
}

#[test]
fn items_of_groceries_that_are_independent_seldom_give_rules() {
    let Some(folder) = data_dir_with("fimi") else { return };
    let path = folder.join("fimi/groceries.csv.gz");
    let (_, groceries, _) = read_baskets(&path, None, &Budget::unlimited()).unwrap();
    let (counts, n) = (groceries.item_counts(), groceries.len() as u64);
    let (mut with_rules, mut uncorrected) = (0, 0);
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut sets = vec![Vec::new(); groceries.len()];
        // Each item is in as many baskets as it is there, chosen at random.
        for (item, &count) in counts.iter().enumerate() {
            let mut left = u64::from(count);
            for (number, set) in sets.iter_mut().enumerate() {
                if random.below(n - number as u64) < left {
                    set.push(item as u32);
                    left -= 1;
                }
            }
        }
        let mut options = RuleOptions::new(MineOptions::new("0.005".parse().unwrap()));
        options.min_confidence = 0.0;
        let found = rules(&Baskets::from_sets(&sets).unwrap(), None, &options).unwrap();
        with_rules += u32::from(found.rules.iter().any(|rule| rule.p_value < 0.05));
        uncorrected += found.rules.iter().filter(|rule| rule.p < 0.05).count();
    }
    assert!(with_rules <= 16, "{with_rules}");
    // Without correction each has some.
    assert!(uncorrected > 200 * 5, "{uncorrected}");
}
