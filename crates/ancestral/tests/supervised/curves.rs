//! Curves and areas of predicted classes, against scikit-learn.

use ancestral::evaluate::{by_class, precision_recall, roc, wilson};

// import numpy as np
// from sklearn.metrics import roc_auc_score, average_precision_score, precision_recall_fscore_support
// from statsmodels.stats.proportion import proportion_confint
// i, k = np.arange(40)[:, None], np.arange(3)[None]
// y = i[:, 0] ** 2 % 7 % 3
// s = np.round(np.sin(5 * i + 3 * k), 1) + (k == y[:, None])
// p = np.exp(s); p /= p.sum(1, keepdims=True)
// for average in ["macro", "weighted"]:
//     print(roc_auc_score(y, p, multi_class="ovr", average=average),
//           average_precision_score(np.eye(3)[y], p, average=average))
// print(roc_auc_score(np.eye(3)[y], p, average="micro"), average_precision_score(np.eye(3)[y], p, average="micro"))
// print(*precision_recall_fscore_support(y, p.argmax(1))[:3])
// print(proportion_confint(17, 20, method="wilson"))
const GOLDEN: [f64; 17] = [
    0.8733695498401381,
    0.8372716801199332,
    0.8506010737628387,
    0.8484754909369961,
    0.8665625,
    0.8171050260689299,
    0.5714285714285714,
    0.75,
    0.6923076923076923,
    0.6666666666666666,
    0.6818181818181818,
    0.75,
    0.6153846153846154,
    0.7142857142857143,
    0.72,
    0.639581135259243,
    0.9476312541037833,
];

fn rows() -> (Vec<f64>, Vec<u32>) {
    let labels: Vec<u32> = (0..40).map(|i: u32| i * i % 7 % 3).collect();
    let mut p = Vec::new();
    for (i, &label) in labels.iter().enumerate() {
        let score = |k: usize| {
            let sine = ((5 * i + 3 * k) as f64).sin();
            (sine * 10.0).round_ties_even() / 10.0 + f64::from(k == label as usize)
        };
        let sum: f64 = (0..3).map(|k| score(k).exp()).sum();
        p.extend((0..3).map(|k| score(k).exp() / sum));
    }
    (p, labels)
}

#[test]
fn areas_and_shares_are_those_of_scikit_learn() {
    let (p, labels) = rows();
    let names = ["a", "b", "c"].map(str::to_owned);
    let found = by_class(&p, &names, &labels);
    let (roc, pr) = (found.roc_area.unwrap(), found.average_precision.unwrap());
    let mut all = vec![roc.by_class, pr.by_class, roc.weighted, pr.weighted, roc.micro, pr.micro];
    all.extend(found.classes.iter().map(|c| c.precision.unwrap()));
    all.extend(found.classes.iter().map(|c| c.recall.unwrap()));
    all.extend(found.classes.iter().map(|c| c.f1.unwrap()));
    let (low, high) = wilson(17.0 / 20.0, 20);
    all.extend([low, high]);
    assert_eq!(all.len(), GOLDEN.len());
    for (found, golden) in all.iter().zip(&GOLDEN) {
        assert!((found - golden).abs() < 1e-12, "{all:?}\n{GOLDEN:?}");
    }
}

#[test]
fn ties_are_one_step_whatever_their_order() {
    let scores = [0.5; 6];
    let curve = roc(&scores, &[true, false, true, false, false, true]).unwrap();
    assert_eq!((curve.area, curve.points.len()), (0.5, 2));
    let pr = precision_recall(&scores, &[true, false, false, false, false, true]).unwrap();
    assert!((pr.area - 1.0 / 3.0).abs() < 1e-15);
    // −0 and 0 are one score.
    let zero = roc(&[0.0, -0.0], &[false, true]).unwrap();
    assert_eq!(zero.area, 0.5);
}

#[test]
fn a_class_without_examples_has_no_curve() {
    let names = ["a", "b", "c"].map(str::to_owned);
    let found = by_class(&[0.5, 0.3, 0.2, 0.1, 0.8, 0.1], &names, &[0, 1]);
    assert!(found.classes[2].roc.is_none() && found.classes[2].recall.is_none());
    assert_eq!(found.classes[2].precision, None);
    assert_eq!(found.roc_area.unwrap().by_class, 1.0);
    let one = by_class(&[0.5, 0.5], &names[..2], &[0]);
    assert!(one.roc_area.is_none() && one.classes[0].roc.is_none());
    assert_eq!(roc(&[], &[]), None);
}

#[test]
fn intervals_stay_within_shares_and_hold_certainty() {
    let (low, high) = wilson(1.0, 10);
    assert!(low > 0.7 && low < 0.75 && high == 1.0);
    let (low, high) = wilson(0.0, 10);
    assert!(low == 0.0 && high < 0.3);
}
