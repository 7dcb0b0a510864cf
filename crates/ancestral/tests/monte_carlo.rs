//! The Monte Carlo errors of stored models' bounds against runs that are repeated.

#![allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]

use std::path::{Path, PathBuf};

use ancestral::Registry;
use ancestral::model::{DensityOptions, log_probability};
use ancestral::run::{RunFolder, Weights};
use ancestral::spec::cpu;
use ancestral_data::{Examples, SplitName};
use ancestral_test_support::data_dir_with;

/// Pairs of independent runs.
const PAIRS: u64 = 200;

/// The root mean square of the differences of pairs of runs over their errors, for the mean of some test
/// examples.
fn spread(run: &str, data_dir: Option<&Path>, examples: usize, samples: usize) -> f64 {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../zoo").join(run);
    let folder = RunFolder::open(&path).unwrap();
    let (model, _) = folder.load(&Registry::standard(), &cpu(), Weights::Best).unwrap();
    let config = &folder.config;
    let data = config.data.open(data_dir, config.seed).unwrap();
    let binarize = config.data.binarize.parse().unwrap();
    let test = Examples::new(&data, SplitName::Test, binarize, config.seed).unwrap();
    let step = test.len() / examples;
    let indices: Vec<u64> = (0..examples).map(|i| (i * step) as u64).collect();
    let batch = test.batch(&indices, 0);
    let sum = |seed: u64| {
        let options = DensityOptions::new(samples, seed);
        let found = log_probability(model.as_ref(), &batch, options).unwrap();
        let errors = found.monte_carlo.unwrap();
        let variance: f64 = errors.iter().map(|found| found.stderr.powi(2)).sum();
        (found.nats.iter().sum::<f64>(), variance)
    };
    let squares = (0..PAIRS).map(|pair| {
        let ((one, of_one), (other, of_other)) = (sum(2 * pair), sum(2 * pair + 1));
        (one - other).powi(2) / (of_one + of_other)
    });
    (squares.sum::<f64>() / PAIRS as f64).sqrt()
}

#[test]
fn errors_of_bounds_are_those_of_repeated_runs() {
    let found = spread("vae-digits", None, 20, 100);
    println!("vae-digits, K = 100: {found:.3}");
    assert!((0.8..1.25).contains(&found), "{found}");
}

#[test]
#[ignore = "takes several minutes"]
fn errors_of_bounds_of_the_zoo_are_those_of_repeated_runs() {
    let Some(dir) = data_dir_with("mnist") else { return };
    for run in ["vae-digits", "vae-mnist", "vae-mnist-2l", "iwae-mnist"] {
        for samples in [100, 1000] {
            let found = spread(run, Some(&dir), 20, samples);
            println!("{run}, K = {samples}: {found:.3}");
            assert!((0.8..1.25).contains(&found), "{run} {samples}: {found}");
        }
    }
}
