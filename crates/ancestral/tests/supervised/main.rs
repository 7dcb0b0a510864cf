//! Discriminant analysis, naive Bayes, linear and logistic regression against scikit-learn and statsmodels,
//! and where these programs fail, the right answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::excessive_precision,
    reason = "a test may be as short as it likes"
)]

mod curves;
mod failures;
#[rustfmt::skip]
mod golden;

use ancestral::model::{
    ColumnKind, Columns, Criteria, DataSpec, DensityOptions, FitReport, Init, Model, fit,
    log_probability,
};
use ancestral::regression::linear::diagnostics;
use ancestral::spec::cpu;
use ancestral::{Registry, Result};
use ancestral_data::{Batch, Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Values};
use toml::Table;

const N: usize = 60;
const SHOWN: usize = 5;

/// Rows of columns, with labels if there are any.
pub(crate) fn examples(values: &[f64], columns: usize, labels: Option<&[u32]>) -> Examples {
    let split =
        Split { values: Values::Reals(values.to_vec()), labels: labels.map(<[u32]>::to_vec) };
    let shape = Shape::columns(columns);
    let data = Dataset::new("rows", Domain::Real, shape, split, None, None).unwrap();
    Examples::new(&data, SplitName::Train, Binarize::None, 0).unwrap()
}

pub(crate) fn spec(kinds: Vec<ColumnKind>, classes: usize) -> DataSpec {
    let shape = Shape::columns(kinds.len());
    DataSpec { columns: Columns::Each(kinds), ..DataSpec::new(Domain::Real, shape, classes) }
}

/// A model fitted to rows, with the report.
pub(crate) fn fitted(
    name: &str,
    settings: &str,
    spec: &DataSpec,
    examples: &Examples,
) -> Result<(Box<dyn Model>, FitReport)> {
    let settings: Table = settings.parse().unwrap();
    let mut model = Registry::standard().build(name, &settings, spec, &Init::new(&cpu(), 0))?;
    let report = fit(model.estimator().unwrap(), examples, 0)?;
    Ok((model, report))
}

pub(crate) fn probabilities(model: &dyn Model, values: &[f64]) -> Vec<f64> {
    model.classifier().unwrap().classify(values).unwrap().probabilities
}

pub(crate) fn near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        let apart = (a - b).abs() / b.abs().max(1e-9);
        assert!(apart < 1e-6, "{i}: {a} {b} ({apart:.1e})\n{found:?}\n{expected:?}");
    }
}

fn labels() -> Vec<u32> {
    (0..N as u32).map(|i| i * i % 7 % 3).collect()
}

fn reals() -> Vec<f64> {
    let of = |i: usize, j: usize| {
        let (x, k) = (i as f64, j as f64);
        let shift = if j == 1 { 0.8 * f64::from(labels()[i]) } else { 0.0 };
        (1.0 + k) * (3.0 * x + 5.0 * k).sin() + 0.7 * (x * (k + 1.0)).cos() + shift + 10.0 * k
    };
    (0..N * 4).map(|at| of(at / 4, at % 4)).collect()
}

/// The rows with their target behind.
fn with_target() -> Vec<f64> {
    let rows = reals();
    let target = |i: usize| {
        let row = &rows[4 * i..4 * i + 4];
        2.0 + 0.5 * row[0] - row[1] + 0.25 * row[2] + 2.0 * (7.0 * i as f64).sin()
    };
    (0..N).flat_map(|i| rows[4 * i..4 * i + 4].iter().copied().chain([target(i)])).collect()
}

fn first(model: &dyn Model, values: &[f64], columns: usize) -> Vec<f64> {
    probabilities(model, &values[..SHOWN * columns])
}

#[test]
fn discriminant_analysis_is_that_of_scikit_learn() {
    let (values, labels) = (reals(), labels());
    let (rows, spec) = (examples(&values, 4, Some(&labels)), spec(vec![ColumnKind::Real; 4], 3));
    for (name, settings, expected) in [
        ("qda", "", &golden::QDA[..]),
        ("qda", "reg_param = 0.1", &golden::QDA_REGULARIZED),
        ("lda", "", &golden::LDA),
        ("lda", "shrinkage = 0.2", &golden::LDA_SHRUNK),
    ] {
        let (model, _) = fitted(name, settings, &spec, &rows).unwrap();
        near(&first(model.as_ref(), &values, 4), expected);
    }
    let (model, report) = fitted("qda", "unbiased = true", &spec, &rows).unwrap();
    let batch =
        Batch { labels: Some(vec![1; SHOWN]), ..Batch::of(values[..4 * SHOWN].to_vec(), SHOWN) };
    let nats = log_probability(model.as_ref(), &batch, DensityOptions::new(1, 0)).unwrap().nats;
    near(&nats, &golden::QDA_LOG_DENSITY);
    // Shares, means and covariances.
    assert_eq!(report.free, Some(2 + 3 * 4 + 3 * 10));
    assert_eq!(report.estimates.len(), 3 + 3 * 4 + 3 * 10);
}

#[test]
fn naive_bayes_is_that_of_scikit_learn() {
    let (values, labels) = (reals(), labels());
    let rows = examples(&values, 4, Some(&labels));
    let of = spec(vec![ColumnKind::Real; 4], 3);
    let (model, _) = fitted("naive-bayes", "var_smoothing = 0.0", &of, &rows).unwrap();
    near(&first(model.as_ref(), &values, 4), &golden::GAUSSIAN_NB);

    let level = |i: usize, j: usize| (i * (j + 2) + labels[i] as usize * j) % 7 % (3 + j);
    let levels: Vec<f64> = (0..4 * N).map(|at| level(at / 4, at % 4) as f64).collect();
    let rows = examples(&levels, 4, Some(&labels));
    let of = spec((3..7).map(ColumnKind::Category).collect(), 3);
    let (model, _) = fitted("naive-bayes", "alpha = 0.5", &of, &rows).unwrap();
    near(&first(model.as_ref(), &levels, 4), &golden::CATEGORICAL_NB);

    let bit = |i: usize, j: usize| (i * (2 * j + 1) + labels[i] as usize) % 5 < 2;
    let bits: Vec<f64> = (0..4 * N).map(|at| f64::from(u8::from(bit(at / 4, at % 4)))).collect();
    let rows = examples(&bits, 4, Some(&labels));
    let of = spec(vec![ColumnKind::Binary; 4], 3);
    let (model, _) = fitted("naive-bayes", "", &of, &rows).unwrap();
    near(&first(model.as_ref(), &bits, 4), &golden::BERNOULLI_NB);
}

/// A table of reals, counts and words: its log-probability is the sum of those of its columns.
#[test]
fn naive_bayes_takes_mixed_columns() {
    let labels = labels();
    let row = |i: usize| {
        let class = labels[i] as usize;
        let real = (5.0 * i as f64).sin() + class as f64;
        [real, (i * 7 % (3 + 2 * class)) as f64, ((i + class) % 3) as f64, (i % 2) as f64]
    };
    let values: Vec<f64> = (0..N).flat_map(row).collect();
    let rows = examples(&values, 4, Some(&labels));
    let kinds =
        vec![ColumnKind::Real, ColumnKind::Count, ColumnKind::Category(3), ColumnKind::Binary];
    let of = spec(kinds, 3);
    let (model, report) = fitted("naive-bayes", "alpha = 0.0", &of, &rows).unwrap();
    let value = |name: &str| report.estimates.iter().find(|e| e.name == name).unwrap().value;
    let own: Vec<usize> = (0..N).filter(|&i| labels[i] == 1).collect();
    let mean = |j: usize| own.iter().map(|&i| values[4 * i + j]).sum::<f64>() / own.len() as f64;
    near(&[value("mean[x0 | 1]"), value("rate[x1 | 1]")], &[mean(0), mean(1)]);
    let share = own.iter().filter(|&&i| values[4 * i + 2] == 2.0).count() as f64;
    near(&[value("p[x2, 2 | 1]")], &[share / own.len() as f64]);
    let density = model.density().unwrap();
    let batch = Batch { labels: Some(vec![1; 3]), ..Batch::of(values[..12].to_vec(), 3) };
    let terms = density.column_terms(&batch).unwrap().unwrap();
    let nats = density.log_probability(&batch, DensityOptions::new(1, 0)).unwrap().nats;
    for (terms, nats) in terms.chunks_exact(4).zip(nats) {
        assert!((terms.iter().sum::<f64>() - nats).abs() < 1e-12);
    }
    // The families of lowest AIC are found again by name.
    let (aic, report) = fitted("naive-bayes", "columns = 'aic'", &of, &rows).unwrap();
    assert!(report.notes.iter().any(|note| note.starts_with("column 'x0': ")), "{report:?}");
    let mut other = Registry::standard()
        .build("naive-bayes", &aic.settings(), &of, &Init::new(&cpu(), 0))
        .unwrap();
    other.load(&aic.tensors()).unwrap();
    assert_eq!(probabilities(other.as_ref(), &values), probabilities(aic.as_ref(), &values));
}

/// p(y | x) p(x) = p(x | y) p(y), for rows near and far.
#[test]
fn probabilities_follow_from_densities() {
    let (values, labels) = (reals(), labels());
    let (rows, of) = (examples(&values, 4, Some(&labels)), spec(vec![ColumnKind::Real; 4], 3));
    for name in ["qda", "lda", "naive-bayes"] {
        let (model, _) = fitted(name, "", &of, &rows).unwrap();
        let density = model.density().unwrap();
        let far: Vec<f64> = values[..40].iter().map(|x| 3.0 * x).collect();
        for values in [&values[..40], &far] {
            let nats = |labels| {
                let batch = Batch { labels, ..Batch::of(values.to_vec(), 10) };
                density.log_probability(&batch, DensityOptions::new(1, 0)).unwrap().nats
            };
            let all = nats(None);
            let priors = model.classifier().unwrap().priors().unwrap();
            let found = probabilities(model.as_ref(), values);
            for class in 0..3u32 {
                for (row, of_class) in nats(Some(vec![class; 10])).into_iter().enumerate() {
                    let p = (of_class + priors[class as usize].ln() - all[row]).exp();
                    let found = found[3 * row + class as usize];
                    assert!((p - found).abs() < 1e-9, "{name}: {p} {found}");
                }
            }
        }
    }
}

#[test]
fn linear_regression_is_that_of_statsmodels() {
    let values = with_target();
    let (rows, of) = (examples(&values, 5, None), spec(vec![ColumnKind::Real; 5], 0));
    let (model, report) = fitted("linear", "", &of, &rows).unwrap();
    let estimates: Vec<f64> = report.estimates.iter().map(|e| e.value).collect();
    let errors: Vec<f64> = report.estimates.iter().map(|e| e.stderr.unwrap()).collect();
    near(&estimates, &golden::OLS);
    near(&errors, &golden::OLS_STDERR);
    let regression = report.regression.unwrap();
    let of_each = |f: &dyn Fn(&ancestral::model::Coefficient) -> f64| -> Vec<f64> {
        regression.coefficients.iter().map(f).collect()
    };
    near(&of_each(&|c| c.statistic), &golden::OLS_T);
    near(&of_each(&|c| c.p_value), &golden::OLS_P);
    let ends = regression.coefficients.iter().flat_map(|c| [c.interval.0, c.interval.1]);
    near(&ends.collect::<Vec<_>>(), &golden::OLS_INTERVAL);
    let metrics: Vec<f64> = regression.metrics.iter().map(|m| m.1).collect();
    near(&metrics, &golden::OLS_FIT);
    let batch = Batch::of(values.clone(), N);
    let nats = log_probability(model.as_ref(), &batch, DensityOptions::new(1, 0)).unwrap().nats;
    near(&[nats.iter().sum()], &golden::OLS_LOG_LIKELIHOOD);
    // statsmodels counts no parameter for the noise.
    let criteria = Criteria::new(nats.iter().sum(), N as f64, report.free.unwrap());
    near(&[criteria.aic], &[2.0 * 6.0 - 2.0 * golden::OLS_LOG_LIKELIHOOD[0]]);

    let found = diagnostics(model.as_ref(), &rows).unwrap();
    near(&found.leverage[..SHOWN], &golden::LEVERAGE);
    near(&found.studentized[..SHOWN], &golden::STUDENTIZED);
    near(&found.cook()[..SHOWN], &golden::COOK);
    near(&[found.coefficients], &[5.0]);
}

#[test]
fn ridge_regression_is_that_of_scikit_learn() {
    let values = with_target();
    let (rows, of) = (examples(&values, 5, None), spec(vec![ColumnKind::Real; 5], 0));
    for (settings, expected) in [
        ("penalty = 2.0\nstandardize = false", &golden::RIDGE),
        ("penalty = 2.0", &golden::RIDGE_STANDARDIZED),
    ] {
        let (_, report) = fitted("linear", settings, &of, &rows).unwrap();
        let estimates: Vec<f64> = report.estimates.iter().map(|e| e.value).collect();
        near(&estimates, expected);
        assert!(report.notes[0].contains("penalized fit"));
    }
    // A small penalty has the errors of none.
    let (_, tiny) = fitted("linear", "penalty = 1e-9", &of, &rows).unwrap();
    let errors: Vec<f64> = tiny.estimates.iter().map(|e| e.stderr.unwrap()).collect();
    near(&errors, &golden::OLS_STDERR);
}

#[test]
fn logistic_regression_is_that_of_statsmodels() {
    let (all, labels) = (reals(), labels());
    let few: Vec<f64> = all.chunks_exact(4).flat_map(|row| [row[0], row[1]]).collect();
    let (rows, of) = (examples(&few, 2, Some(&labels)), spec(vec![ColumnKind::Real; 2], 3));
    let settings = "penalty = 0.0\ntolerance = 1e-10";
    let (_, report) = fitted("logistic", settings, &of, &rows).unwrap();
    let regression = report.regression.unwrap();
    let of_name = |name: &str| {
        let estimate = report.estimates.iter().find(|e| e.name == name).unwrap();
        (estimate, regression.coefficients.iter().find(|c| c.name == name).unwrap())
    };
    let (mut values, mut errors, mut p, mut ends) = (vec![], vec![], vec![], vec![]);
    for class in ["1", "2"] {
        for name in [
            format!("bias[{class}]"),
            format!("weight[{class}, x0]"),
            format!("weight[{class}, x1]"),
        ] {
            let (estimate, test) = of_name(&name);
            values.push(estimate.value);
            errors.push(estimate.stderr.unwrap());
            p.push(test.p_value);
            ends.extend([test.interval.0, test.interval.1]);
            match test.odds_ratio {
                Some((ratio, low, high)) => near(
                    &[ratio, low, high],
                    &[estimate.value.exp(), test.interval.0.exp(), test.interval.1.exp()],
                ),
                None => assert!(name.starts_with("bias")),
            }
        }
    }
    near(&values, &golden::LOGIT);
    near(&errors, &golden::LOGIT_STDERR);
    near(&p, &golden::LOGIT_P);
    near(&ends, &golden::LOGIT_INTERVAL);
    let settings = "penalty = 2.0\nstandardize = false\ntolerance = 1e-10";
    let (model, _) = fitted("logistic", settings, &of, &rows).unwrap();
    near(&first(model.as_ref(), &few, 2), &golden::LOGIT_RIDGE);
}

/// The bits do not depend on the number of threads, over several blocks.
#[test]
fn fits_have_the_same_bits_with_any_number_of_threads() {
    let n = 10_000;
    let value = |at: usize| ((at * at % 10_007) as f64 * 0.37).sin() + (at % 5) as f64;
    let values: Vec<f64> = (0..5 * n).map(value).collect();
    let labels: Vec<u32> = (0..n as u32).map(|i| i * 7 % 3).collect();
    let rows = examples(&values, 5, Some(&labels));
    for name in ["qda", "lda", "naive-bayes", "linear"] {
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let of = spec(vec![ColumnKind::Real; 5], 3);
            pool.install(|| fitted(name, "", &of, &rows).unwrap().1)
        };
        assert_eq!(with(1), with(3), "{name}");
    }
}
