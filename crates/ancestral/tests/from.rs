//! Runs that start from the weights of another run (fine-tuning).

#![allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]

use std::path::Path;
use std::sync::atomic::AtomicBool;

use ancestral::Registry;
use ancestral::model::NamedTensors;
use ancestral::run::{DataConfig, FORMAT, RunConfig, RunFolder, Training, Weights};
use ancestral::spec::cpu;
use ancestral::train::{Event, NoopObserver, TrainConfig};
use ancestral_data::{Binarize, Dataset, open};

/// The run of a small model, from the weights of `from` if it is given.
fn run(
    path: &Path,
    data: &Dataset,
    binarize: Binarize,
    from: Option<&Path>,
    seed: u64,
) -> RunFolder {
    let config = RunConfig {
        format: FORMAT,
        version: "test".to_owned(),
        command: String::new(),
        model: "vae".to_owned(),
        preset: String::new(),
        seed,
        evaluator: None,
        encoder: None,
        from: from.map(|from| from.to_str().unwrap().to_owned()),
        data: DataConfig::describe(data, binarize),
        settings: "latent_dims = [2]\nhidden = [[6]]".parse().unwrap(),
        train: TrainConfig::parse(&"epochs = 2\nsample_count = 0".parse().unwrap()).unwrap(),
        result: None,
    };
    RunFolder::create(path, config).unwrap()
}

fn train(run: RunFolder, data: &Dataset, stop: bool) -> ancestral::Result<NamedTensors> {
    let mut training = Training::new(run, data, &Registry::standard(), &cpu())?;
    training.train(&mut NoopObserver, &AtomicBool::new(stop))?;
    let weights = if stop { Weights::Last } else { Weights::Best };
    Ok(training.run_folder().load(&Registry::standard(), &cpu(), weights)?.0.tensors())
}

#[test]
fn weights_are_taken_as_they_are_and_trained_on() {
    let dir = tempfile::tempdir().unwrap();
    let folder = |name: &str| dir.path().join(name);
    let digits = open("digits", &Default::default()).unwrap();
    let first =
        train(run(&folder("a"), &digits, Binarize::Dynamic, None, 1), &digits, false).unwrap();
    let from_a =
        |name: &str, seed| run(&folder(name), &digits, Binarize::Dynamic, Some(&folder("a")), seed);
    // Stopped before the first step: the weights are unchanged.
    assert_eq!(train(from_a("b", 2), &digits, true).unwrap(), first);
    let trained = train(from_a("c", 2), &digits, false).unwrap();
    assert_ne!(trained, first);
    assert_eq!(train(from_a("d", 2), &digits, false).unwrap(), trained, "the same seed");
    assert_ne!(train(from_a("e", 3), &digits, false).unwrap(), trained, "another seed");
    // Counters start from 0.
    let events = RunFolder::open(&folder("c")).unwrap().events().unwrap();
    assert!(matches!(&events[0], Event::Start(entry) if entry.step == 0), "{:?}", events[0]);
    // Stopped and resumed, it is the same run, even after the first run is deleted.
    train(from_a("f", 2), &digits, true).unwrap();
    std::fs::remove_dir_all(folder("a")).unwrap();
    let resumed = RunFolder::open(&folder("f")).unwrap();
    assert_eq!(train(resumed, &digits, false).unwrap(), trained);
}

#[test]
fn what_does_not_fit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let folder = |name: &str| dir.path().join(name);
    let digits = open("digits", &Default::default()).unwrap();
    train(run(&folder("a"), &digits, Binarize::Dynamic, None, 1), &digits, true).unwrap();
    let plane = open("moons", &Default::default()).unwrap();
    let refused = |name: &str, data: &Dataset, binarize, from: &str| {
        let run = run(&folder(name), data, binarize, Some(&folder(from)), 1);
        train(run, data, true).unwrap_err().to_string()
    };
    let said = refused("b", &plane, Binarize::None, "a");
    assert!(said.contains("examples of 1×8×8 and these are of 2"), "{said}");
    let said = refused("c", &digits, Binarize::None, "a");
    assert!(said.contains("binary entries and these are levels"), "{said}");
    let said = refused("d", &digits, Binarize::Dynamic, "nowhere");
    assert!(said.contains("nowhere") && said.contains("does not exist"), "{said}");
}
