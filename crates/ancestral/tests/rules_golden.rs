//! Published data: frequent, closed and maximal sets against the values that `rules_golden.py` prints, and
//! rules of random baskets with its frequencies.

#![allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]

use ancestral::rules::{
    Baskets, Budget, MineOptions, RuleOptions, Support, Target, mine, read_baskets, rules,
};
use ancestral_test_support::data_dir_with;

/// File, minimum number of baskets, sets, their number and checksum.
const RIGHT: &[(&str, u64, Target, u64, u64)] = &[
    ("groceries.csv.gz", 98, Target::All, 341, 0xe2f45412bd459090),
    ("groceries.csv.gz", 98, Target::Closed, 341, 0xe2f45412bd459090),
    ("groceries.csv.gz", 98, Target::Maximal, 250, 0xe2037c9fb43bf325),
    ("groceries.csv.gz", 20, Target::All, 4223, 0xc7bc611e8b61deb9),
    ("groceries.csv.gz", 20, Target::Closed, 4223, 0xc7bc611e8b61deb9),
    ("groceries.csv.gz", 20, Target::Maximal, 2675, 0x4aed94daf8a3708b),
    ("groceries.csv.gz", 5, Target::All, 49580, 0xad6cd421fa6d3906),
    ("groceries.csv.gz", 5, Target::Closed, 46267, 0x8d30b06db17743e8),
    ("groceries.csv.gz", 5, Target::Maximal, 22725, 0x800cc2199941d593),
    ("retail.dat.gz", 100, Target::All, 6451, 0xdafda49281d15b87),
    ("retail.dat.gz", 100, Target::Closed, 6438, 0xf67c17395394f228),
    ("retail.dat.gz", 100, Target::Maximal, 2962, 0xd5b2061b5feabe9b),
    ("retail.dat.gz", 20, Target::All, 57697, 0xc1dce5219ed417a6),
    ("retail.dat.gz", 20, Target::Closed, 56411, 0xbdec9a2f1c080d07),
    ("retail.dat.gz", 20, Target::Maximal, 22144, 0xb3195cc76ec68dc6),
    ("retail.dat.gz", 8, Target::All, 322923, 0x25e4c3bde95bda6e),
    ("retail.dat.gz", 8, Target::Closed, 229302, 0x948b81fc0db1d302),
    ("retail.dat.gz", 8, Target::Maximal, 91926, 0xf5e7d062389119f3),
    ("T10I4D100K.dat.gz", 500, Target::All, 1073, 0xc740cce83f1d4d5b),
    ("T10I4D100K.dat.gz", 500, Target::Closed, 1073, 0xc740cce83f1d4d5b),
    ("T10I4D100K.dat.gz", 500, Target::Maximal, 585, 0x0aced394617e55e9),
    ("T10I4D100K.dat.gz", 100, Target::All, 27532, 0xb696787b24c62d4b),
    ("T10I4D100K.dat.gz", 100, Target::Closed, 26806, 0xebb47a8eeb5fc63c),
    ("T10I4D100K.dat.gz", 100, Target::Maximal, 4054, 0x5506f0b068a3418a),
    ("T10I4D100K.dat.gz", 10, Target::All, 411365, 0x561c97a5dcef9495),
    ("T10I4D100K.dat.gz", 10, Target::Closed, 283397, 0xa2e57ad559f24e9b),
    ("T10I4D100K.dat.gz", 10, Target::Maximal, 127264, 0x27115385d5333e26),
    ("mushroom.dat.gz", 2400, Target::All, 2969, 0x069b97ac8e8b1148),
    ("mushroom.dat.gz", 2400, Target::Closed, 443, 0x3a41f5d1a751f722),
    ("mushroom.dat.gz", 2400, Target::Maximal, 59, 0xe033a9c7fac772fc),
    ("mushroom.dat.gz", 1600, Target::All, 53951, 0x8cae47d9f3b269e0),
    ("mushroom.dat.gz", 1600, Target::Closed, 1243, 0x342363846d154e7c),
    ("mushroom.dat.gz", 1600, Target::Maximal, 159, 0x4aaef22e04b6dbe8),
    ("mushroom.dat.gz", 1000, Target::All, 123277, 0x52e97628eb26132c),
    ("mushroom.dat.gz", 1000, Target::Closed, 3427, 0x244a67c055454564),
    ("mushroom.dat.gz", 1000, Target::Maximal, 467, 0xb5347d4d1b0fa772),
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
