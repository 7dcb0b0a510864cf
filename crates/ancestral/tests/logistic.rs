//! Logistic regression against statsmodels and scikit-learn, and on handwritten digits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use std::path::PathBuf;

use ancestral::Registry;
use ancestral::evaluate::{Classification, NamedClassifier, classification};
use ancestral::model::{DataSpec, FitReport, Init, Model, fit};
use ancestral::spec::cpu;
use ancestral_data::{
    Binarize, DataError, Dataset, Domain, Examples, OpenOptions, Shape, Split, SplitName, Values,
    open,
};

// import numpy as np
// import statsmodels.api as sm                              # 0.15.0
// from sklearn.linear_model import LogisticRegression       # 1.9
//
// for classes in (2, 3):
//     i, j = np.arange(120)[:, None], np.arange(3)[None]
//     y = i[:, 0] % classes
//     x = y[:, None] * (j - 0.6) + 2 * np.sin(1.7 * i * (j + 2) + 0.01 * i * i)
//     x = np.round(1024 * x * 10.0**j) / 1024 + 5 * j
//     fit = sm.MNLogit(y, sm.add_constant(x)).fit(tol=1e-14, disp=0, maxiter=100)
//     print(fit.llf, fit.params.T.tolist(), fit.bse.T.tolist())
//     z = (x - x.mean(0)) / x.std(0)
//     ridge = LogisticRegression(C=0.5, tol=1e-13, max_iter=10000, solver="newton-cg").fit(z, y)
//     print(ridge.predict_proba(z)[:4].tolist())
struct Golden {
    classes: usize,
    log_likelihood: f64,
    /// Of each class after the first, the bias and the weights.
    estimates: &'static [[f64; 4]],
    stderrs: &'static [[f64; 4]],
    /// λ of the penalized fit: 1/C, twice that for two classes.
    penalty: f64,
    probabilities: &'static [f64],
}

const GOLDEN: [Golden; 2] = [
    Golden {
        classes: 2,
        log_likelihood: -67.60294929226936,
        estimates: &[[
            -0.7272733606402614,
            -0.28600236821412534,
            0.02036196414430307,
            0.006237636625632978,
        ]],
        stderrs: &[[
            0.26520333194916856,
            0.15030770314778105,
            0.015090482551126414,
            0.0014918825733988568,
        ]],
        penalty: 4.0,
        probabilities: &[
            0.6248869106186326,
            0.3751130893813674,
            0.29406529850732677,
            0.7059347014926732,
            0.5174452024840464,
            0.48255479751595365,
            0.10348214699177605,
            0.896517853008224,
        ],
    },
    Golden {
        classes: 3,
        log_likelihood: -104.15532145820046,
        estimates: &[
            [
                -0.6285878666148641,
                -0.009682114083501954,
                0.023904014495516906,
                0.005378143568246378,
            ],
            [-2.310541115615927, -0.3749854626479259, 0.041401597784590426, 0.011337877204630548],
        ],
        stderrs: &[
            [0.315277741006267, 0.17380734959157212, 0.018133499992056733, 0.0018717213014317422],
            [0.5093692010259065, 0.20567230622450125, 0.02116785805710233, 0.002309012195397571],
        ],
        penalty: 2.0,
        probabilities: &[
            0.5459513009030319,
            0.3608750244981588,
            0.09317367459880938,
            0.24372707975198607,
            0.36569404713748815,
            0.39057887311052575,
            0.05316591263396172,
            0.25689971820171775,
            0.6899343691643205,
            0.17877174640431176,
            0.3456176579958402,
            0.4756105955998481,
        ],
    },
];

fn golden(classes: usize) -> Dataset {
    let entry = |i: usize, j: usize| {
        let (row, column, class) = (i as f64, j as f64, (i % classes) as f64);
        let x =
            class * (column - 0.6) + 2.0 * (1.7 * row * (column + 2.0) + 0.01 * row * row).sin();
        (1024.0 * x * 10f64.powi(j as i32)).round() / 1024.0 + 5.0 * column
    };
    let values = (0..360).map(|k| f64::from(entry(k / 3, k % 3) as f32)).collect();
    let labels = (0..120).map(|i| (i % classes) as u32).collect();
    let split = Split { values: Values::Reals(values), labels: Some(labels) };
    Dataset::new("golden", Domain::Real, Shape::columns(3), split, None, None).unwrap()
}

fn of(data: &Dataset, split: SplitName) -> Examples {
    Examples::new(data, split, Binarize::None, 0).unwrap()
}

fn fitted(data: &Dataset, settings: &str) -> (Box<dyn Model>, FitReport) {
    let spec = DataSpec::new(data.domain, data.shape.clone(), data.classes());
    let (settings, init) = (settings.parse().unwrap(), Init::new(&cpu(), 0));
    let mut model = Registry::standard().build("logistic", &settings, &spec, &init).unwrap();
    let report = fit(model.estimator().unwrap(), &of(data, SplitName::Train), 0).unwrap();
    (model, report)
}

#[test]
fn estimates_and_errors_are_those_of_statsmodels() {
    for golden_of in &GOLDEN {
        let data = golden(golden_of.classes);
        let (_, report) = fitted(&data, "penalty = 0.0");
        assert_eq!((report.converged, report.notes.len()), (Some(true), 1), "{report:?}");
        let log_likelihood = -120.0 * report.trace.last().unwrap();
        assert!((log_likelihood - golden_of.log_likelihood).abs() < 1e-10, "{log_likelihood}");
        let mut seen = 0;
        for (class, (values, stderrs)) in
            golden_of.estimates.iter().zip(golden_of.stderrs).enumerate()
        {
            for (j, (value, stderr)) in values.iter().zip(stderrs).enumerate() {
                let name = match j {
                    0 => format!("bias[{}]", class + 1),
                    j => format!("weight[{}, x{}]", class + 1, j - 1),
                };
                let found = report.estimates.iter().find(|e| e.name == name).unwrap();
                assert!((found.value / value - 1.0).abs() < 1e-8, "{found:?} {value}");
                let error = found.stderr.unwrap();
                assert!((error / stderr - 1.0).abs() < 1e-7, "{found:?} {stderr}");
                seen += 1;
            }
        }
        assert_eq!(report.estimates.len(), seen);
    }
}

#[test]
fn penalized_probabilities_are_those_of_scikit_learn() {
    for golden_of in &GOLDEN {
        let data = golden(golden_of.classes);
        let (model, _) = fitted(&data, &format!("penalty = {:?}", golden_of.penalty));
        let batch = of(&data, SplitName::Train).batch(&[0, 1, 2, 3], 0);
        let found = model.classifier().unwrap().classify(&batch.values).unwrap().probabilities;
        for (found, expected) in found.iter().zip(golden_of.probabilities) {
            assert!((found - expected).abs() < 1e-7, "{found} {expected}");
        }
    }
}

/// A penalty on columns as they are is one on standardized columns of another strength.
#[test]
fn the_penalty_knows_the_scale_of_columns() {
    let data = golden(3);
    let probabilities = |settings: &str| {
        let (model, _) = fitted(&data, settings);
        let values = of(&data, SplitName::Train).batch(&[0, 1, 2], 0).values;
        model.classifier().unwrap().classify(&values).unwrap().probabilities
    };
    let free = probabilities("penalty = 0.0");
    let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
    assert!(near(&free, &probabilities("penalty = 0.0\nstandardize = false")));
    let (scaled, raw) =
        (probabilities("penalty = 10.0"), probabilities("penalty = 10.0\nstandardize = false"));
    assert!(!near(&scaled, &free) && !near(&raw, &free) && !near(&raw, &scaled));
}

fn measured(model: &dyn Model, data: &Dataset, split: SplitName) -> Classification {
    let network = NamedClassifier::new("logistic", model).unwrap();
    classification(&network, &of(data, split), &mut |_| {}).unwrap()
}

#[test]
fn digits_are_told_apart() {
    let data = open("digits", &OpenOptions::default()).unwrap();
    let (model, report) = fitted(&data, "");
    assert_eq!(report.converged, Some(true), "{:?}", report.notes);
    assert!(report.notes[1].contains("constant"), "{:?}", report.notes);
    assert_eq!(report.estimates.len(), 9 * 65);
    let found = measured(model.as_ref(), &data, SplitName::Test);
    assert_eq!((found.n, found.impossible), (300, 0));
    assert!((0.94..0.99).contains(&found.accuracy), "{found:?}");
    assert!((0.10..0.18).contains(&found.class_nll), "{found:?}");
    assert!((0.02..0.05).contains(&found.class_nll_stderr), "{found:?}");
    assert!(found.calibration_error < 0.05 && found.brier_score < 0.08, "{found:?}");
    assert_eq!(found.reliability.iter().map(|bin| bin.n).sum::<usize>(), 300);
    // The features classifier is evaluated in the same way.
    let spec = DataSpec::new(data.domain, data.shape.clone(), 10);
    let settings = "channels = [2]\ndim = 4".parse().unwrap();
    let init = Init::new(&cpu(), 0);
    let untrained = Registry::standard().build("features", &settings, &spec, &init).unwrap();
    let found = measured(untrained.as_ref(), &data, SplitName::Test);
    assert!(found.accuracy < 0.3 && (found.class_nll - 10f64.ln()).abs() < 0.3, "{found:?}");
}

#[test]
#[ignore = "takes a minute or more"]
fn mnist_is_told_apart() {
    let next_to_project = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let dir = std::env::var_os("ANCESTRAL_DATA").map_or_else(next_to_project, PathBuf::from);
    let options = OpenOptions { data_dir: Some(dir.clone()), ..OpenOptions::default() };
    let data = match open("mnist", &options) {
        Err(DataError::Missing { .. }) => {
            println!("skipped: mnist is not in {}", dir.display());
            return;
        }
        data => data.unwrap(),
    };
    let (model, report) = fitted(&data, "");
    assert_eq!(report.converged, Some(true), "{:?}", report.notes);
    let found = measured(model.as_ref(), &data, SplitName::Test);
    println!("{found:?}");
    assert!((0.91..0.935).contains(&found.accuracy), "{found:?}");
    assert!((0.33..0.42).contains(&found.class_nll), "{found:?}");
}
