//! Gradients, Hessians, both methods, and which columns are left out or refused.

use std::sync::atomic::AtomicBool;

use ancestral_data::{Batch, Binarize, Dataset, Domain, Shape, Split, SplitName, Streams, Values};

use super::*;
use crate::model::{ColumnKind, Columns, Estimate, fit};

static NEVER: AtomicBool = AtomicBool::new(false);

/// Overlapping classes of real data, on scales 1 and 100.
fn examples(n: usize, columns: usize, classes: usize) -> Examples {
    let noise = Streams::new(7).purpose("x", 0).normals(&[0], n * columns);
    let at = |k: usize| {
        let (i, j) = (k / columns, k % columns);
        let center = if (i % classes + j).is_multiple_of(3) { 1.0 } else { 0.0 };
        (center + noise[k]) * if j % 2 == 0 { 1.0 } else { 100.0 }
    };
    let labels = (0..n).map(|i| (i % classes) as u32).collect();
    labeled(columns, (0..n * columns).map(at).collect(), labels)
}

fn labeled(columns: usize, values: Vec<f32>, labels: Vec<u32>) -> Examples {
    let values = Values::Reals(values.into_iter().map(f64::from).collect());
    let split = Split { values, labels: Some(labels) };
    let data = Dataset::new("t", Domain::Real, Shape::columns(columns), split, None, None);
    Examples::new(&data.unwrap(), SplitName::Train, Binarize::None, 0).unwrap()
}

fn model(settings: &str, columns: usize, classes: usize) -> Logistic {
    let data = DataSpec::new(Domain::Real, Shape::columns(columns), classes);
    LogisticConfig::from_table(&settings.parse().unwrap()).unwrap().init(&data).unwrap()
}

#[test]
fn slopes_and_curvatures_are_those_of_differences() {
    let examples = examples(150, 3, 3);
    for settings in ["penalty = 0.0", "penalty = 4.0", "penalty = 4.0\nstandardize = false"] {
        let model = model(settings, 3, 3);
        let moments = model.design.moments(&examples, &NEVER).unwrap();
        let problem = model.problem(&examples, &moments, vec![0, 1, 2]);
        let start: Vec<f64> = (0..12).map(|i| (i as f64).sin()).collect();
        let found = problem.objective(&start, true, &NEVER).unwrap();
        let perturbed = |i: usize, by: f64| {
            let mut at = start.clone();
            at[i] += by;
            problem.objective(&at, false, &NEVER).unwrap()
        };
        let h = 1e-5;
        for i in 0..12 {
            let (up, down) = (perturbed(i, h), perturbed(i, -h));
            let derivative = (up.value - down.value) / (2.0 * h);
            assert!((derivative - found.gradient[i]).abs() < 1e-9, "{settings}: {i}: {derivative}");
            for j in 4..=i {
                let curvature = (up.gradient[j] - down.gradient[j]) / (2.0 * h);
                let by_hand = found.hessian[(i - 4) * 8 + j - 4];
                assert!((curvature - by_hand).abs() < 1e-8, "{settings}: {i} {j}: {by_hand}");
            }
        }
    }
}

#[test]
fn both_methods_find_one_minimum() {
    let examples = examples(400, 5, 4);
    for settings in ["penalty = 0.0", "penalty = 2.0", "penalty = 1e-3\nstandardize = false"] {
        let model = model(&format!("{settings}\ntolerance = 1e-9"), 5, 4);
        let moments = model.design.moments(&examples, &NEVER).unwrap();
        let problem = model.problem(&examples, &moments, (0..5).collect());
        let newton = problem.by_newton(model.limits(), &NEVER, &mut |_| {}).unwrap();
        assert_eq!(newton.ended, Ended::Converged);
        assert!(newton.trace.len() < 12, "{}", newton.trace.len());
        let plain = model.problem(&examples, &moments, (0..5).collect());
        for problem in [plain, problem.with_products(&NEVER).unwrap()] {
            let lbfgs = problem.by_lbfgs(model.limits(), &NEVER, &mut |_| {}).unwrap();
            assert_eq!(lbfgs.ended, Ended::Converged);
            for (a, b) in newton.at.iter().zip(&lbfgs.at) {
                assert!((a - b).abs() < 1e-6, "{settings}: {a} {b}");
            }
        }
    }
}

#[test]
fn the_thread_count_changes_no_bit_of_many_blocks() {
    let examples = examples(10_000, 3, 3);
    let model = model("", 3, 3);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let moments = model.design.moments(&examples, &NEVER).unwrap();
            let problem = model.problem(&examples, &moments, vec![0, 1, 2]);
            let problem = problem.with_products(&NEVER).unwrap();
            let newton = problem.by_newton(model.limits(), &NEVER, &mut |_| {}).unwrap();
            (newton, problem.by_lbfgs(model.limits(), &NEVER, &mut |_| {}).unwrap())
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(3));
}

/// The error, or the report, of a fit to one column and its labels.
fn fit_column(settings: &str, values: &[f32], labels: &[u32]) -> Result<FitReport> {
    let mut model = model(settings, 1, 2);
    fit(&mut model, &labeled(1, values.to_vec(), labels.to_vec()), 0)
}

#[test]
fn separated_classes_have_no_maximum() {
    let (x, apart) = ([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1]);
    let error = fit_column("penalty = 0.0", &x, &apart).unwrap_err().to_string();
    assert!(error.contains("all training examples") && error.contains("x0"), "{error}");
    // At 2 there are both classes, on each side of it one.
    let (x, touching) = ([1.0, 2.0, 2.0, 3.0], [0, 0, 1, 1]);
    let error = fit_column("penalty = 0.0", &x, &touching).unwrap_err().to_string();
    assert!(error.contains("some training examples"), "{error}");
    // With one example on the wrong side there is a maximum.
    let (x, mixed) = ([1.0, 2.0, 2.1, 1.9, 3.0], [0, 0, 1, 1, 1]);
    let report = fit_column("penalty = 0.0", &x, &mixed).unwrap();
    assert_eq!(report.converged, Some(true));
    assert_eq!(report.notes, ["weights and biases are relative to class 0"]);
    assert!(report.estimates.iter().all(|e| e.stderr.is_some_and(|s| s > 0.0)), "{report:?}");
    for labels in [apart, touching] {
        let report = fit_column("", &x[..4], &labels).unwrap();
        assert_eq!(report.converged, Some(true));
        assert!(report.notes[1].contains("penalty = 1"), "{:?}", report.notes);
    }
    // Columns with one rare, far value, as of pixels.
    let x: Vec<f32> = (0..200).map(|i| if i == 150 { 9.0 } else { 0.0 }).collect();
    let labels: Vec<u32> = (0..200).map(|i| i % 2).collect();
    let error = fit_column("penalty = 0.0", &x, &labels).unwrap_err().to_string();
    assert!(error.contains("some training examples"), "{error}");
}

#[test]
fn iterations_that_end_early_are_told() {
    let mut model = model("max_iterations = 1", 3, 3);
    let report = fit(&mut model, &examples(100, 3, 3), 0).unwrap();
    assert_eq!((report.converged, report.trace.len()), (Some(false), 1));
    assert!(report.notes[1].contains("raise max_iterations"), "{:?}", report.notes);
}

/// A repeated column, a sum of columns, a constant, and a class without examples.
#[test]
fn columns_and_classes_that_say_nothing_are_left_out() {
    let plain = examples(120, 2, 2);
    let x = plain.batch(&(0..120).collect::<Vec<_>>(), 0).values;
    let wide: Vec<f32> = x
        .chunks_exact(2)
        .flat_map(|x| [x[0], x[0], x[1], x[0] + x[1], 7.0].map(|x| x as f32))
        .collect();
    // Classes 1 and 3 of 4.
    let labels: Vec<u32> = (0..120).map(|i| 1 + 2 * (i % 2)).collect();
    let given = labeled(5, wide, labels);
    let mut narrow = model("penalty = 0.0", 2, 2);
    let expected = fit(&mut narrow, &plain, 0).unwrap().estimates;
    let mut wide = model("penalty = 0.0", 5, 4);
    let report = fit(&mut wide, &given, 0).unwrap();
    let found: Vec<(&str, f64, Option<f64>)> =
        report.estimates.iter().map(|e| (e.name.as_str(), e.value, e.stderr)).collect();
    assert_eq!(found.len(), 6);
    let same = |found: (&str, f64, Option<f64>), name: &str, expected: &Estimate| {
        assert_eq!(found.0, name);
        assert!((found.1 - expected.value).abs() < 1e-9, "{found:?} {expected:?}");
        let error = found.2.unwrap() - expected.stderr.unwrap();
        assert!(error.abs() < 1e-9, "{found:?} {expected:?}");
    };
    same(found[0], "bias[3]", &expected[0]);
    same(found[1], "weight[3, x0]", &expected[1]);
    assert_eq!(found[2], ("weight[3, x1]", 0.0, None));
    same(found[3], "weight[3, x2]", &expected[2]);
    assert_eq!(found[4], ("weight[3, x3]", 0.0, None));
    assert_eq!(found[5], ("weight[3, x4]", 0.0, None));
    let notes = report.notes.join("; ");
    for words in [
        "relative to class 1",
        "probability 0: class 0, 2",
        "constant",
        "x4",
        "combination",
        "x1, x3",
    ] {
        assert!(notes.contains(words), "{words}: {notes}");
    }
    let batch = given.batch(&[0, 1, 2], 0);
    let p = wide.classify(&batch.values).unwrap().probabilities;
    let other = narrow.classify(&plain.batch(&[0, 1, 2], 0).values).unwrap().probabilities;
    for (p, other) in p.chunks_exact(4).zip(other.chunks_exact(2)) {
        assert_eq!((p[0], p[2]), (0.0, 0.0));
        assert!((p[1] - other[0]).abs() < 1e-9 && (p[3] - other[1]).abs() < 1e-9);
    }
    let mut penalized = model("", 5, 4);
    let report = fit(&mut penalized, &given, 0).unwrap();
    assert!(report.estimates[..5].iter().all(|e| e.stderr.is_some()), "{report:?}");
    assert!(report.notes.iter().any(|n| n.contains("the penalty alone")), "{report:?}");
}

/// Categories are coded as indicators of all but the first.
#[test]
fn categories_count_one_by_one() {
    let n = 90;
    let category = |i: usize| (i * i + i / 7) % 3;
    let labels: Vec<u32> = (0..n).map(|i| ((i * 5 + category(i)) % 2) as u32).collect();
    let x = |i: usize| (i as f32 * 0.7).sin();
    let values = |i: usize| [category(i) as f32, x(i)];
    let hot = |i: usize| [1, 2].map(|c| if category(i) == c { 1.0 } else { 0.0 });
    let given = labeled(2, (0..n).flat_map(values).collect(), labels.clone());
    let indicators =
        labeled(3, (0..n).flat_map(|i| [hot(i)[0], hot(i)[1], x(i)]).collect(), labels);
    let data = DataSpec {
        columns: Columns::Each(vec![ColumnKind::Category(3), ColumnKind::Real]),
        names: vec!["town".to_owned(), "age".to_owned()],
        ..DataSpec::new(Domain::Real, Shape::columns(2), 2)
    };
    let settings: Table = "penalty = 0.0".parse().unwrap();
    let config = LogisticConfig::from_table(&settings).unwrap();
    let mut coded = config.init(&data).unwrap();
    let found = fit(&mut coded, &given, 0).unwrap().estimates;
    let mut by_hand = model("penalty = 0.0", 3, 2);
    let expected = fit(&mut by_hand, &indicators, 0).unwrap().estimates;
    let names: Vec<&str> = found.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["bias[1]", "weight[1, town=1]", "weight[1, town=2]", "weight[1, age]"]);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!((found.value, found.stderr), (expected.value, expected.stderr));
    }
    let size = (entry().size)(&settings, &data).unwrap();
    let numbers: usize = coded.tensors().iter().map(|(_, data)| data.num_elements()).sum();
    assert_eq!(size.parameters, numbers as u64);
    assert_eq!((coded.feature_dim(), numbers), (0, 2 * 4 + 6));
}

#[test]
fn what_cannot_be_learned_from_is_refused() {
    let data = |classes| DataSpec::new(Domain::Real, Shape::columns(1), classes);
    let build = |classes| LogisticConfig::default().init(&data(classes));
    assert!(build(0).unwrap_err().to_string().contains("no labels"));
    assert!(build(1).unwrap_err().to_string().contains("1 class"));
    assert!(build(30_000_000).unwrap_err().to_string().contains("60000000 weights"));
    let single = DataSpec { columns: Columns::Same(ColumnKind::Category(1)), ..data(2) };
    let error = LogisticConfig::default().init(&single).unwrap_err().to_string();
    assert!(error.contains("one category"), "{error}");
    let error = fit_column("", &[1.0, 2.0], &[1, 1]).unwrap_err().to_string();
    assert!(error.contains("all training examples are of class 1"), "{error}");
    let error = fit_column("", &[1.0, 2.0], &[1, 2]).unwrap_err().to_string();
    assert!(error.contains("class 2"), "{error}");
    let split = Split { values: Values::Reals(vec![1.0, 2.0]), labels: None };
    let bare = Dataset::new("t", Domain::Real, Shape::columns(1), split, None, None).unwrap();
    let bare = Examples::new(&bare, SplitName::Train, Binarize::None, 0).unwrap();
    let mut model = build(2).unwrap();
    assert!(fit(&mut model, &bare, 0).unwrap_err().to_string().contains("no labels"));
    let wide = labeled(2, vec![1.0; 4], vec![0, 1]);
    assert!(fit(&mut model, &wide, 0).is_err());
    assert!(model.classify(&[1.0, f64::NAN]).unwrap_err().to_string().contains("example 1"));
    let block = Batch { missing: Some(vec![false, true]), ..Batch::of(vec![1.0, 2.0], 2) };
    let error = model.design.check_block(&block, &mut [0, 0]).unwrap_err().to_string();
    assert!(error.contains("example 1 has a missing value"), "{error}");
    // With a constant column only, the probabilities are the class frequencies.
    let report = fit_column("penalty = 0.0", &[3.0; 4], &[0, 0, 0, 1]).unwrap();
    assert!((report.estimates[0].value + 3f64.ln()).abs() < 1e-9, "{report:?}");
}
