//! Run folders.

use std::sync::atomic::AtomicBool;

use ancestral::Registry;
use ancestral::spec::cpu;
use ancestral::train::{NoopObserver, RunFolder, Weights};
use ancestral_data::Domain;
use toml::Table;

use crate::cases::{data, find};
use crate::support::{config, loop_settings, outputs, training};

#[test]
fn a_run_that_breaks_says_so_and_keeps_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(Domain::Real);
    let entry = find("vae");
    let settings: Table = "latent_dims = [2]\nhidden = [[8]]".parse().unwrap();
    let train = loop_settings("epochs = 50\nlearning_rate = 1e30\noptimiser = 'sgd'");
    let path = dir.path().join("run");
    let run = RunFolder::create(&path, config(&entry, &data, &settings, train)).unwrap();
    let error = training(run, &data)
        .unwrap()
        .train(&mut NoopObserver, &AtomicBool::new(false))
        .unwrap_err()
        .to_string();
    assert!(error.contains("is not finite") && error.contains("step"), "{error}");
    let (model, _) =
        RunFolder::open(&path).unwrap().load(&Registry::standard(), &cpu(), Weights::Best).unwrap();
    assert!(outputs(model.as_ref(), &data).1.iter().all(|x| x.is_finite()));
}

#[test]
fn a_run_folder_is_used_by_one_process_and_of_a_known_format() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(Domain::Binary);
    let entry = find("vae");
    let settings: Table = "latent_dims = [2]\nhidden = [[8]]".parse().unwrap();
    let path = dir.path().join("run");
    let config = config(&entry, &data, &settings, loop_settings("epochs = 1"));
    let run = RunFolder::create(&path, config.clone()).unwrap();
    assert!(RunFolder::create(&path, config).unwrap_err().to_string().contains("--resume"));
    let first = training(run, &data).unwrap();
    let second = training(RunFolder::open(&path).unwrap(), &data);
    let error = second.err().unwrap().to_string();
    assert!(error.contains("another process"), "{error}");
    drop(first);
    let file = path.join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("format = 1", "format = 2");
    std::fs::write(&file, text).unwrap();
    let error = RunFolder::open(&path).unwrap_err().to_string();
    assert!(error.contains("format 2"), "{error}");
}
