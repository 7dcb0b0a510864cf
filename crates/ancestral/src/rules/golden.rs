//! Sets, rules and p-values against the values that `golden.py` prints.

use std::num::NonZeroUsize;

use super::*;

/// The baskets that `golden.py` describes.
fn baskets() -> Baskets {
    let sets = (0..400_u64).map(|b| {
        let hash = |i: u64| (31 * b + 17 * i + 7).pow(2) * 2_654_435_761 % (1 << 32);
        let holds = |&i: &u32| {
            (hash(u64::from(i)) as f64) < 4_294_967_296.0 * 0.7 / (1.0 + 0.2 * f64::from(i))
        };
        let mut basket: Vec<u32> = (0..12).filter(holds).collect();
        if basket.contains(&1) && basket.contains(&2) {
            basket.push(11);
        }
        basket
    });
    Baskets::from_sets(sets).unwrap()
}

#[test]
fn sets_are_those_of_pyfim() {
    let baskets = baskets();
    assert_eq!(baskets.total_items(), 1858);
    for (target, support, sets, checksum) in [
        (Target::All, 120, 12, 77_745_507),
        (Target::Closed, 120, 12, 77_745_507),
        (Target::Maximal, 120, 8, 46_919_299),
        (Target::All, 40, 95, 386_885_675),
        (Target::Closed, 40, 91, 386_877_423),
        (Target::Maximal, 40, 46, 140_683_280),
        (Target::All, 8, 708, 1_246_615_093),
        (Target::Closed, 8, 581, 1_146_003_596),
        (Target::Maximal, 8, 115, 100_245_626_u64),
    ] {
        let mut options = MineOptions::new(Support::Count(support));
        options.target = target;
        let (mut found, mut sum) = (0, 0);
        let mut sink = |items: &[u32], count: u32| {
            found += 1;
            sum += u64::from(count) * items.iter().map(|&i| 3_u64.pow(i)).sum::<u64>();
            Ok(())
        };
        mine(&baskets, None, &options, &mut sink).unwrap();
        assert_eq!((found, sum), (sets, checksum), "{target:?} {support}");
    }
}

fn close(found: f64, right: f64, tolerance: f64) {
    assert!(
        found == right || (found - right).abs() <= tolerance * right.abs(),
        "{found:e}, not {right:e}"
    );
}

#[test]
fn measures_are_those_of_mlxtend() {
    let mut options = RuleOptions::new(MineOptions::new("0.1".parse().unwrap()));
    options.min_confidence = 0.6;
    let single = rules(&baskets(), None, &options).unwrap();
    assert_eq!(single.rules.len(), 73);
    options.max_consequent = NonZeroUsize::MAX;
    let found = rules(&baskets(), None, &options).unwrap().rules;
    assert_eq!(found.len(), 81);
    let sum = |measure: fn(&Rule) -> f64| found.iter().map(measure).sum::<f64>();
    close(sum(Rule::support), 13.9775, 1e-11);
    close(sum(Rule::confidence), 57.8345237829, 1e-11);
    close(sum(Rule::lift), 111.848743296, 1e-11);
    close(sum(Rule::leverage), 2.93250625, 1e-11);
    let conviction = found.iter().map(Rule::conviction).filter(|c| c.is_finite());
    close(conviction.sum(), 121.535047579, 1e-11);
    assert_eq!(found.iter().filter(|rule| rule.conviction().is_infinite()).count(), 4);
    let infinite = f64::INFINITY;
    let some: [(&[u32], u32, [f64; 6]); 4] = [
        (&[0, 1, 2], 11, [0.1925, 1.0, 2.29885057471, 0.1087625, infinite, 7.3696292835e-34]),
        (
            &[1, 4, 11],
            2,
            [0.115, 0.80701754386, 1.72624073553, 0.04838125, 2.75931818182, 1.66283975167e-08],
        ),
        (&[2, 11], 0, [0.23, 0.707692307692, 1.0407239819, 0.009, 1.09473684211, 0.239829415858]),
        (
            &[6, 11],
            1,
            [0.1075, 0.641791044776, 1.14096185738, 0.01328125, 1.22135416667, 0.0963974697583],
        ),
    ];
    for (antecedent, consequent, right) in some {
        let is = |rule: &&Rule| {
            let mut items = rule.antecedent.clone();
            items.sort_unstable();
            items == antecedent && rule.consequent == [consequent]
        };
        let rule = found.iter().find(is).unwrap();
        let values = [
            rule.support(),
            rule.confidence(),
            rule.lift(),
            rule.leverage(),
            rule.conviction(),
            rule.p,
        ];
        values.iter().zip(right).for_each(|(&value, right)| close(value, right, 1e-10));
    }
}

#[test]
fn fishers_test_is_exact() {
    for (n, a, c, k, right) in [
        (20, 8, 9, 6, 3.989045010716837e-02),
        (20, 8, 9, 1, 9.986901643248393e-01),
        (20, 8, 9, 3, 8.430816861157419e-01),
        (400, 200, 150, 100, 1.746025630051952e-07),
        (400, 390, 395, 386, 1.194732546863578e-01),
        (9835, 2513, 1903, 557, 2.362813960864711e-05),
        (9835, 2513, 1903, 486, 5.162704153003524e-01),
        (9835, 100, 100, 20, 5.317761010136538e-21),
        (88162, 42135, 50675, 29142, 0.0),
        (88162, 42135, 50675, 24220, 4.970169491457109e-01),
        (10000, 5000, 5000, 3200, 7.286399359219822e-175),
        (1_000_000, 300_000, 1000, 400, 1.077865450801025e-11),
    ] {
        close(fisher(n, a, c, k), right, 1e-11);
        close(fisher(n, c, a, k), right, 1e-11);
    }
}
