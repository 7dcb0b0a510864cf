//! Samples that repeat training examples are found, and those of stored models are not suspected.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use std::path::{Path, PathBuf};

use ancestral::evaluate::{Copying, NamedClassifier, Training, quality};
use ancestral::prelude::*;
use ancestral::run::QualitySpec;

fn zoo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo")
}

/// What is found for samples that are training examples of the digits, in part or all of them, and for
/// validation examples as samples.
fn of_digits(copied: usize) -> Copying {
    let run = Run::load(zoo().join("features-digits")).unwrap();
    let network = NamedClassifier::new("features-digits", run.model()).unwrap();
    let data = Dataset::open("digits").unwrap();
    let split = |name| Examples::new(&data, name, Binarize::None, 0).unwrap();
    let (train, valid, test) =
        (split(SplitName::Train), split(SplitName::Valid), split(SplitName::Test));
    let all = |examples: &Examples| (0..examples.len() as u64).collect::<Vec<_>>();
    let seen = |examples: &Examples, chosen: &[u64]| {
        network.classify_examples(examples, chosen, &mut |_| {}).unwrap()
    };
    let mut samples = train.batch(&all(&train)[..copied], 0).values;
    samples.extend(valid.batch(&all(&valid)[..200 - copied], 0).values);
    let samples = network.classify(&samples, data.domain, &data.shape).unwrap();
    let of_train = seen(&train, &all(&train));
    // Those of the test split: the validation examples are among the samples.
    let training = Training { examples: &of_train, held_out: None };
    let found =
        quality(&network, &samples, None, &seen(&test, &all(&test)), Some(training), 0).unwrap();
    assert!(found.frechet_stderr.is_some() && found.frechet_distance_train.is_some());
    found.copying.unwrap()
}

#[test]
fn copies_of_training_digits_are_found() {
    let all = of_digits(200);
    assert!(all.found() && all.nearer > 0.99, "{all:?}");
    let half = of_digits(100);
    assert!(half.found() && (0.65..0.85).contains(&half.nearer), "{half:?}");
    let none = of_digits(0);
    assert!(!none.found() && (0.4..0.6).contains(&none.nearer), "{none:?}");
}

/// Every stored model of MNIST that draws samples.
#[test]
#[ignore = "takes minutes"]
fn the_zoo_repeats_no_training_examples() {
    let Some(data_dir) = std::env::var_os("ANCESTRAL_DATA").map(PathBuf::from) else { return };
    let mut session = Session::new().with_data_dir(Some(&data_dir));
    let mut tried = 0;
    for entry in std::fs::read_dir(zoo()).unwrap() {
        let path = entry.unwrap().path();
        let Ok(run) = Run::load(&path) else { continue };
        // A file is not in the folder of known sets.
        if run.model().sampler().is_none() || run.config.data.name.ends_with(".npz") {
            continue;
        }
        let runs = session.load_weights(&path, None).unwrap();
        let spec = QualitySpec { count: 1000, ..QualitySpec::default() };
        let report = session.quality(&runs, &spec).unwrap();
        for of in report.samples {
            let found = of.quality.copying.unwrap();
            println!("{}: {found:?}", path.display());
            assert!(!found.found(), "{}: {found:?}", path.display());
            tried += 1;
        }
    }
    assert!(tried > 10, "{tried}");
}
