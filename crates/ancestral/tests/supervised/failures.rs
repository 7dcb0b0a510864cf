//! What users of scikit-learn, statsmodels and other programs report as wrong, with the right answer.

use ancestral::model::{
    ColumnKind, DensityOptions, FitReport, Known, SampleRequest, log_probability, sample,
};
use ancestral_data::Batch;

use crate::{examples, fitted, near, probabilities, spec};

const REAL: ColumnKind = ColumnKind::Real;

fn value(report: &FitReport, name: &str) -> f64 {
    report.estimates.iter().find(|e| e.name == name).unwrap().value
}

/// The error of a fit.
fn refused(name: &str, settings: &str, columns: usize, values: &[f64], labels: &[u32]) -> String {
    let classes = labels.iter().max().map_or(0, |l| *l as usize + 1).max(2);
    let labels = (!labels.is_empty()).then_some(labels);
    let rows = examples(values, columns, labels);
    let of = spec(vec![REAL; columns], if labels.is_some() { classes } else { 0 });
    match fitted(name, settings, &of, &rows) {
        Err(error) => error.to_string(),
        Ok((_, report)) => panic!("{name} was fitted: {report:?}"),
    }
}

/// A number between ±1.73, of mean 0 and variance 1.
fn noise(i: usize) -> f64 {
    let hash = (12.9898 * i as f64).sin() * 43758.5453;
    3.46 * (hash.rem_euclid(1.0) - 0.5)
}

/// scikit-learn 14997: a class whose rows lie on a line has no density there, and was never predicted.
#[test]
fn a_class_on_a_line_is_an_error_or_regularized() {
    let n = 120;
    let values: Vec<f64> = (0..n)
        .flat_map(|i| {
            let (a, b) = (noise(3 * i), noise(3 * i + 1));
            if i % 2 == 0 { [a, -0.28 * a] } else { [0.83 * b + 1.0, 0.23 * b - 0.23 * a + 1.0] }
        })
        .collect();
    let labels: Vec<u32> = (0..n as u32).map(|i| i % 2).collect();
    let error = refused("qda", "", 2, &values, &labels);
    assert!(error.contains("in class 0, column x1 is a linear combination"), "{error}");
    assert!(error.contains("reg_param above 0"), "{error}");
    let rows = examples(&values, 2, Some(&labels));
    let (model, _) = fitted("qda", "reg_param = 0.001", &spec(vec![REAL; 2], 2), &rows).unwrap();
    let found = probabilities(model.as_ref(), &values);
    let right = (0..n).filter(|&i| (found[2 * i + 1] > 0.5) == (labels[i] == 1)).count();
    assert!(right > 95, "{right} of {n}");
}

/// scikit-learn 3721 and 32560: few rows and constant columns gave NaN, or wrong classes after a warning.
#[test]
fn few_rows_and_constant_columns_are_named() {
    let values: Vec<f64> = (0..24).map(noise).collect();
    let error = refused("qda", "", 4, &values, &[0, 0, 0, 1, 1, 0]);
    assert!(error.contains("do not determine a covariance of 4 columns"), "{error}");
    // A class with one row.
    let values: Vec<f64> = (0..40).map(noise).collect();
    let labels: Vec<u32> = (0..20).map(|i| u32::from(i == 7)).collect();
    let error = refused("qda", "", 2, &values, &labels);
    assert!(error.contains("1 example in class 1"), "{error}");
    let rows = examples(&values, 2, Some(&labels));
    for (name, settings) in [("qda", "reg_param = 0.5"), ("lda", ""), ("naive-bayes", "")] {
        let (model, report) = fitted(name, settings, &spec(vec![REAL; 2], 2), &rows).unwrap();
        let found = probabilities(model.as_ref(), &values[14..16]);
        assert!(found.iter().all(|p| (0.0..=1.0).contains(p)), "{name}: {found:?}");
        let is_said = report.notes.iter().any(|note| note.contains("one training example"));
        assert_eq!(is_said, name == "naive-bayes", "{:?}", report.notes);
    }
    // 0.1 has no exact sum, and is constant all the same.
    let values: Vec<f64> = (0..60).flat_map(|i| [noise(i), 0.1]).collect();
    let labels: Vec<u32> = (0..60).map(|i| i % 2).collect();
    let error = refused("qda", "", 2, &values, &labels);
    assert!(error.contains("in class 0, column x1 is constant"), "{error}");
    let error = refused("lda", "", 2, &values, &labels);
    assert!(error.contains("within classes, column x1 is constant"), "{error}");
    let error = refused("naive-bayes", "", 2, &values, &labels);
    assert!(error.contains("column 'x1' is constant in the training split"), "{error}");
}

/// scikit-learn 17401: labels of one class alone.
#[test]
fn one_class_is_an_error() {
    let values: Vec<f64> = (0..40).map(noise).collect();
    for name in ["qda", "lda", "naive-bayes", "logistic"] {
        let error = refused(name, "", 2, &values, &[1; 20]);
        assert!(error.contains("all training examples are of class 1"), "{name}: {error}");
    }
}

/// A class of the data without training examples has probability 0, and no density.
#[test]
fn a_class_without_rows_is_never_predicted() {
    let values: Vec<f64> = (0..60).map(noise).collect();
    let labels: Vec<u32> = (0..30).map(|i| 2 * (i % 2)).collect();
    let rows = examples(&values, 2, Some(&labels));
    for name in ["qda", "lda", "naive-bayes"] {
        let (model, report) = fitted(name, "", &spec(vec![REAL; 2], 3), &rows).unwrap();
        assert!(report.notes[0].contains("probability 0: class 1"), "{name}");
        let found = probabilities(model.as_ref(), &values);
        assert!(found.chunks_exact(3).all(|p| p[1] == 0.0 && (p[0] + p[2] - 1.0).abs() < 1e-12));
        let request = SampleRequest { class: Some(1), ..SampleRequest::new(1, 0) };
        let error = sample(model.as_ref(), &request).unwrap_err().to_string();
        assert!(error.contains("class 1 had no training examples"), "{name}: {error}");
    }
}

/// scikit-learn 6848: probabilities of two classes by LDA were wrong; they are those of Bayes' rule.
#[test]
fn two_classes_have_probabilities_of_bayes_rule() {
    let labels: Vec<u32> = (0..60).map(|i| u32::from(i % 4 == 0)).collect();
    let of = |i: usize| noise(i) + 1.3 * f64::from(labels[i]);
    let values: Vec<f64> = (0..60).map(of).collect();
    let rows = examples(&values, 1, Some(&labels));
    let (model, report) = fitted("lda", "", &spec(vec![REAL; 1], 2), &rows).unwrap();
    let (a, b) = (value(&report, "mean[x0 | 0]"), value(&report, "mean[x0 | 1]"));
    let variance = value(&report, "variance[x0]");
    for x in [-2.0, 0.3, 4.0] {
        let log_odds = (x - (a + b) / 2.0) * (b - a) / variance + (15.0f64 / 45.0).ln();
        let expected = 1.0 / (1.0 + (-log_odds).exp());
        near(&[probabilities(model.as_ref(), &[x])[1]], &[expected]);
    }
}

/// scikit-learn 16028: a category that training rows do not have.
#[test]
fn unseen_categories_have_a_probability() {
    let values: Vec<f64> = (0..40).map(|i| f64::from(i % 2)).collect();
    let labels: Vec<u32> = (0..40).map(|i| (i / 3) % 2).collect();
    let rows = examples(&values, 1, Some(&labels));
    let of = spec(vec![ColumnKind::Category(3)], 2);
    let (model, _) = fitted("naive-bayes", "", &of, &rows).unwrap();
    let found = probabilities(model.as_ref(), &[2.0]);
    assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12 && found[0] > 0.3, "{found:?}");
    // Without pseudo-counts it has none: the shares of the classes remain.
    let (model, _) = fitted("naive-bayes", "alpha = 0.0", &of, &rows).unwrap();
    let found = probabilities(model.as_ref(), &[2.0]);
    near(&found, model.classifier().unwrap().priors().unwrap());
    let nats = log_probability(model.as_ref(), &Batch::of(vec![2.0], 1), DensityOptions::new(1, 0));
    assert_eq!(nats.unwrap().nats, [f64::NEG_INFINITY]);
}

/// scikit-learn 24732: a part of the largest variance hides columns of small numbers.
#[test]
fn smoothing_has_the_unit_of_its_column() {
    let labels: Vec<u32> = (0..80).map(|i| i % 2).collect();
    let row =
        |i: usize| [1e9 * noise(3 * i), 1e-4 * (noise(3 * i + 1) + 6.0 * f64::from(labels[i]))];
    let values: Vec<f64> = (0..80).flat_map(row).collect();
    let rows = examples(&values, 2, Some(&labels));
    let (model, _) = fitted("naive-bayes", "", &spec(vec![REAL; 2], 2), &rows).unwrap();
    let found = probabilities(model.as_ref(), &values);
    let right = (0..80).filter(|&i| (found[2 * i + 1] > 0.5) == (labels[i] == 1)).count();
    assert_eq!(right, 80);
}

/// Far rows, where densities underflow, have probabilities all the same.
#[test]
fn far_rows_have_no_nan() {
    let values: Vec<f64> = (0..60).map(noise).collect();
    let labels: Vec<u32> = (0..30).map(|i| i % 2).collect();
    let rows = examples(&values, 2, Some(&labels));
    for name in ["qda", "lda", "naive-bayes"] {
        let (model, _) = fitted(name, "", &spec(vec![REAL; 2], 2), &rows).unwrap();
        for far in [1e6, -1e100, 1e160] {
            let found = probabilities(model.as_ref(), &[far, -far]);
            let sum = found.iter().sum::<f64>();
            assert!((sum - 1.0).abs() < 1e-12, "{name} at {far}: {found:?}");
        }
    }
}

/// statsmodels 3824: dummies of all groups, which add up to the constant, gave coefficients that are no
/// answer; a group is left out, and predictions are those of groups.
#[test]
fn dummies_of_all_groups_leave_one_out() {
    let y = [1.0, 2.0, 1.0, 4.0, 6.0, 1.0, 7.0, 8.0, 1.0, 10.0];
    let row = |i: usize| {
        let group = f64::from(u8::from(i < 5));
        [i as f64 + 1.0, group, 1.0 - group, y[i]]
    };
    let values: Vec<f64> = (0..10).flat_map(row).collect();
    let rows = examples(&values, 4, None);
    let (model, report) = fitted("linear", "", &spec(vec![REAL; 4], 0), &rows).unwrap();
    assert!(report.notes[0].contains("weight 0: x2"), "{:?}", report.notes);
    // -1.66666667 + 0.86666667 of the first group, -1.66666667 - 2.53333333 of the second.
    near(&[value(&report, "weight[x0]")], &[1.2]);
    near(&[value(&report, "bias")], &[-4.2]);
    near(&[value(&report, "weight[x1]")], &[3.4]);
    let none = report.estimates.iter().find(|e| e.name == "weight[x2]").unwrap();
    assert_eq!((none.value, none.stderr), (0.0, None));
    let fit = ancestral::regression::linear::diagnostics(model.as_ref(), &rows).unwrap();
    assert!(fit.residual.iter().sum::<f64>().abs() < 1e-10);
    near(&[fit.coefficients], &[3.0]);
}

/// statsmodels 8670: with x2 = 1 − x1 p-values were extreme; they are those without x2.
#[test]
fn p_values_of_collinear_columns_are_those_without_them() {
    let row = |i: usize| {
        let third = f64::from(u8::from(i.is_multiple_of(3)));
        [third, noise(i) + 0.2 * third]
    };
    let both: Vec<f64> = (0..50).flat_map(|i| [row(i)[0], 1.0 - row(i)[0], row(i)[1]]).collect();
    let one: Vec<f64> = (0..50).flat_map(row).collect();
    let test = |values: &[f64], columns: usize| {
        let rows = examples(values, columns, None);
        let (_, report) = fitted("linear", "", &spec(vec![REAL; columns], 0), &rows).unwrap();
        let found = report.regression.unwrap();
        found.coefficients.iter().find(|c| c.name == "weight[x0]").unwrap().p_value
    };
    near(&[test(&both, 3)], &[test(&one, 2)]);
}

/// statsmodels 6570: columns that differ from the constant in one row of 10,001.
#[test]
fn columns_that_almost_never_vary_are_tested_rightly() {
    let n = 10_001;
    let row = |i: usize| [f64::from(u8::from(i > 0)), 1.0 + noise(i)];
    let values: Vec<f64> = (0..n).flat_map(row).collect();
    let rows = examples(&values, 2, None);
    let (_, report) = fitted("linear", "", &spec(vec![REAL; 2], 0), &rows).unwrap();
    let own = report.estimates.iter().find(|e| e.name == "weight[x0]").unwrap();
    let deviation = report.regression.as_ref().unwrap().metrics[2].1;
    // One row against the mean of all others.
    near(&[own.stderr.unwrap()], &[deviation * (1.0 + 1.0 / (n as f64 - 1.0)).sqrt()]);
    // A second column of the kind is the first one.
    let both: Vec<f64> =
        (0..n).flat_map(|i| [row(i)[0], 2.0 * row(i)[0] - 1.0, row(i)[1]]).collect();
    let (_, report) =
        fitted("linear", "", &spec(vec![REAL; 3], 0), &examples(&both, 3, None)).unwrap();
    assert!(report.notes[0].contains("weight 0: x1"), "{:?}", report.notes);
}

/// statsmodels 4831: as many columns as rows gave coefficients with p-values of NaN.
#[test]
fn more_columns_than_rows_need_a_penalty() {
    let values: Vec<f64> = (0..20 * 31).map(noise).collect();
    let error = refused("linear", "", 31, &values, &[]);
    assert!(error.contains("20 training examples leave no residual for 30 weights"), "{error}");
    let rows = examples(&values, 31, None);
    let of = spec(vec![REAL; 31], 0);
    let (_, report) = fitted("linear", "penalty = 1.0", &of, &rows).unwrap();
    assert!(report.estimates.iter().all(|e| e.value.is_finite() && e.stderr.unwrap() > 0.0));
    let degrees = report.regression.unwrap().degrees.unwrap();
    assert!(degrees > 0.0 && degrees < 19.0, "{degrees}");
}

/// numpy 5702, GLM.jl 426, simple-statistics 857: large numbers with small differences, as times are, gave
/// slopes of the wrong sign.
#[test]
fn large_offsets_keep_the_slope() {
    for offset in [4_155_915_305.0, 1.7e12, 1e15] {
        let values: Vec<f64> = (0..50)
            .flat_map(|i| {
                let x = 64.0 * f64::from(i);
                [offset + x, 7.0 + 2.0 * x + noise(i as usize)]
            })
            .collect();
        let plain: Vec<f64> =
            values.chunks_exact(2).flat_map(|row| [row[0] - offset, row[1]]).collect();
        let slope = |values: &[f64]| {
            let rows = examples(values, 2, None);
            let (_, report) = fitted("linear", "", &spec(vec![REAL; 2], 0), &rows).unwrap();
            let own = report.estimates.iter().find(|e| e.name == "weight[x0]").unwrap();
            [own.value, own.stderr.unwrap()]
        };
        near(&slope(&values), &slope(&plain));
    }
}

/// scikit-learn on stats.stackexchange 494824 and datascience 72815: twice the same column gave
/// coefficients of any size.
#[test]
fn a_column_given_twice_counts_once() {
    let row = |i: usize| {
        let x = noise(2 * i);
        [x, x, 3.0 * x + 0.1 * noise(2 * i + 1)]
    };
    let values: Vec<f64> = (0..100).flat_map(row).collect();
    let (_, report) =
        fitted("linear", "", &spec(vec![REAL; 3], 0), &examples(&values, 3, None)).unwrap();
    assert!((value(&report, "weight[x0]") - 3.0).abs() < 0.1);
    assert_eq!(value(&report, "weight[x1]"), 0.0);
}

/// statsmodels 1459 and 3319: a target without noise gave standard errors of rounding, which differed
/// between machines.
#[test]
fn a_target_without_noise_has_no_density() {
    let values: Vec<f64> = (0..12).flat_map(|i| [f64::from(i), 2.0 - 3.0 * f64::from(i)]).collect();
    let error = refused("linear", "", 2, &values, &[]);
    assert!(error.contains("is a linear function of the other columns"), "{error}");
    let rows = examples(&values, 2, None);
    let of = spec(vec![REAL; 2], 0);
    let (model, report) = fitted("linear", "variance_floor = 0.01", &of, &rows).unwrap();
    near(&[value(&report, "weight[x0]"), value(&report, "bias")], &[-3.0, 2.0]);
    let batch = Batch::of(vec![1.0, -1.0], 1);
    let nats = log_probability(model.as_ref(), &batch, DensityOptions::new(1, 0)).unwrap().nats;
    near(&nats, &[-0.5 * (2.0 * std::f64::consts::PI * 0.01).ln()]);
}

/// statsample 21: R² of a constant target is no number.
#[test]
fn a_constant_target_is_an_error() {
    let values: Vec<f64> = (0..20).flat_map(|i| [noise(i), 0.1]).collect();
    let error = refused("linear", "", 2, &values, &[]);
    assert!(error.contains("the target 'x1' is constant"), "{error}");
    // A constant column beside it is none of it.
    let values: Vec<f64> = (0..20).flat_map(|i| [noise(i), 0.1, noise(i + 50)]).collect();
    let (_, report) =
        fitted("linear", "", &spec(vec![REAL; 3], 0), &examples(&values, 3, None)).unwrap();
    assert!(report.notes[0].contains("constant in the training split, weight 0: x1"));
}

/// A regression draws its target from its density, given the other columns.
#[test]
fn samples_of_a_target_have_its_mean_and_noise() {
    let values: Vec<f64> = (0..200)
        .flat_map(|i| [noise(3 * i), 1.0 + 2.0 * noise(3 * i) + noise(3 * i + 1)])
        .collect();
    let rows = examples(&values, 2, None);
    let (model, report) = fitted("linear", "", &spec(vec![REAL; 2], 0), &rows).unwrap();
    let n = 20_000;
    let known = Known { values: [0.5, f64::NAN].repeat(n), given: [true, false].repeat(n) };
    let request = SampleRequest { known: Some(known), ..SampleRequest::new(n, 3) };
    let drawn = sample(model.as_ref(), &request).unwrap();
    let y: Vec<f64> = drawn.chunks_exact(2).map(|row| row[1]).collect();
    let mean = y.iter().sum::<f64>() / n as f64;
    let spread = (y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
    let expected = value(&report, "bias") + 0.5 * value(&report, "weight[x0]");
    let noise = report.regression.unwrap().metrics[2].1;
    assert!((mean - expected).abs() < 5.0 * noise / (n as f64).sqrt(), "{mean} {expected}");
    assert!((spread / noise - 1.0).abs() < 0.03, "{spread} {noise}");
    let error = sample(model.as_ref(), &SampleRequest::new(1, 0)).unwrap_err().to_string();
    assert!(error.contains("draws column 'x1' given the others"), "{error}");
}
