//! Runs as values: in memory and in folders, alone and beside each other.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ancestral::Error;
use ancestral::evaluate::Options;
use ancestral::model::{KindName, Learning};
use ancestral::prelude::*;
use ancestral::run::{
    FeatureNetwork, QualitySpec, RunFolder, Scores, SettingsFile, Storage, training_fields,
};
use ancestral::settings::Settings;
use ancestral::train::StopReason;

/// A VAE of two epochs.
fn small(seed: u64) -> RunSpec {
    let config = VaeConfig { latent_dims: vec![2], hidden: vec![vec![8]], ..VaeConfig::default() };
    let training = TrainConfig { epochs: 2, sample_count: 4, ..TrainConfig::default() };
    RunSpec::new(&config, "digits").binarize(Binarize::Dynamic).training(&training).seed(seed)
}

fn files(folder: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let modified = path.metadata().unwrap().modified().unwrap();
                found.insert(path.display().to_string(), (std::fs::read(&path).unwrap(), modified));
            }
        }
    }
    found
}

#[test]
fn a_run_in_memory_is_the_one_of_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let memory = Session::new().train(&small(3)).unwrap();
    let folder = Session::new().train(&small(3).out(dir.path().join("run"))).unwrap();
    assert_eq!(memory.run.model().tensors(), folder.run.model().tensors());
    assert_eq!(memory.run.weights(), folder.run.weights());
    let (a, b) = (memory.test.unwrap(), folder.test.unwrap());
    assert_eq!((a.nll_nats, a.nll_stderr), (b.nll_nats, b.nll_stderr));
    assert_eq!(memory.validation.as_deref(), Some("negative_elbo"));
    assert_eq!((memory.run.path(), memory.images.len()), (None, 0));
    assert!(folder.images[0].ends_with("samples.png") && folder.images[0].exists());
    // Saved, it is what it was.
    let saved = dir.path().join("saved");
    memory.run.save(&saved).unwrap();
    memory.run.save(&saved).unwrap();
    let loaded = Run::load(&saved).unwrap();
    assert_eq!(loaded.sample(5, 1).unwrap(), memory.run.sample(5, 1).unwrap());
    let test = memory.run.examples(SplitName::Test).unwrap();
    assert_eq!(loaded.score(&test).unwrap(), memory.run.score(&test).unwrap());
    let error = memory.run.save(dir.path().join("run")).unwrap_err();
    assert!(matches!(error, Error::RunExists { .. }), "{error}");
}

#[test]
fn two_sessions_in_two_threads_give_what_one_after_the_other_gives() {
    let train = |seed| Session::new().train(&small(seed)).unwrap().run.model().tensors();
    let alone = [train(1), train(2)];
    let together = std::thread::scope(|scope| {
        let threads = [1, 2].map(|seed| scope.spawn(move || train(seed)));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(alone, together);
}

#[test]
fn reading_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    Session::new().train(&small(0).out(&path)).unwrap();
    let before = files(&path);
    let mut session = Session::new();
    let run = session.load(&path, Weights::Last).unwrap();
    let query = DataQuery { limit: Some(20), ..DataQuery::split(SplitName::Test) };
    session.sample(&run, &ancestral::run::SampleSpec::new(3, 0)).unwrap();
    session.encode(&run, &query).unwrap();
    session.reconstruct(&run, &query, 3).unwrap();
    session.interpolate(&run, &query, [0, 1], 3).unwrap();
    let scores = session.score(&run, &query, Options::default()).unwrap();
    assert!(matches!(scores, Scores::LogProbabilities(scores) if scores.nats.len() == 20));
    session.evaluate(&run, &query, Options::default()).unwrap();
    let spec = QualitySpec { count: 20, reference: query, ..QualitySpec::default() };
    let runs = session.load_weights(&path, None).unwrap();
    assert_eq!(session.quality(&runs, &spec).unwrap().network, "features-digits");
    ancestral::run::RunSummary::read(&path).unwrap();
    assert_eq!(files(&path), before);
}

#[test]
fn a_stopped_run_is_resumed_by_another_session() {
    struct StopAfter<'a>(u64, &'a AtomicBool);
    impl Observer for StopAfter<'_> {
        fn event(&mut self, event: &Event) -> ancestral::Result<()> {
            let there = matches!(event, Event::Step(progress) if progress.step >= self.0);
            self.1.fetch_or(there, Ordering::Relaxed);
            Ok(())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    Session::new().train(&small(5).out(&whole)).unwrap();
    let stop = AtomicBool::new(false);
    let mut observer = StopAfter(17, &stop);
    let mut session = Session::new().with_observer(&mut observer).with_stop_flag(&stop);
    let stopped = session.train(&small(5).out(&parts)).unwrap();
    assert_eq!(stopped.outcome.reason, StopReason::Interrupted);
    assert!(stopped.test.is_none() && stopped.images.is_empty());
    Session::new().resume(&parts, None, true).unwrap();
    let file = |path: &Path| std::fs::read(path.join("model.safetensors")).unwrap();
    assert!(file(&whole) == file(&parts));
}

#[test]
fn every_seed_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    for seed in [i64::MAX as u64, 1 << 63, u64::MAX] {
        let path = dir.path().join(seed.to_string());
        let mut spec = small(seed).out(&path);
        spec.assign("epochs=1").unwrap();
        Session::new().train(&spec).unwrap();
        assert_eq!(RunFolder::open(&path).unwrap().config.seed, seed);
        assert_eq!(Run::load(&path).unwrap().config.seed, seed);
        // As a file of settings it repeats the run.
        let file = SettingsFile::read(&path.join("config.toml")).unwrap();
        let again = dir.path().join(format!("again-{seed}"));
        let storage = Storage::Folder(again.clone());
        let spec = RunSpec { file: Some(file), storage, ..RunSpec::default() };
        Session::new().train(&spec).unwrap();
        let weights = |path: &Path| std::fs::read(path.join("model.safetensors")).unwrap();
        assert!(weights(&path) == weights(&again));
    }
}

#[test]
fn seeds_beyond_the_numbers_of_toml_are_read_however_they_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let most = u64::MAX;
    let file = dir.path().join("settings.toml");
    // By hand, as a number and as text; the seed of an ordering is one as well.
    for (i, number) in [most.to_string(), format!("\"{most}\"")].into_iter().enumerate() {
        let text = format!(
            "model = \"nade\"\nseed = {number} # the last\n\n[settings]\nhidden = 2\n\
             order = \"random\"\norder_seed={number}\n\n[train]\nsteps = 1\n"
        );
        std::fs::write(&file, text).unwrap();
        let path = dir.path().join(format!("run-{i}"));
        let file = Some(SettingsFile::read(&file).unwrap());
        let spec = RunSpec { file, storage: Storage::Folder(path.clone()), ..RunSpec::default() };
        Session::new().train(&spec).unwrap();
        let config = Run::load(&path).unwrap().config;
        assert_eq!(config.seed, most);
        assert_eq!(config.settings["order_seed"].as_str(), Some(most.to_string().as_str()));
        let written = std::fs::read_to_string(path.join("config.toml")).unwrap();
        let bare = written.replace(&format!("\"{most}\""), &most.to_string());
        assert_ne!(written, bare);
        std::fs::write(path.join("config.toml"), bare).unwrap();
        assert_eq!(RunFolder::open(&path).unwrap().config, config);
    }
    let orders = ["0", "9223372036854775808", "18446744073709551615"].map(|seed| {
        let mut spec = RunSpec::named("nade", "digits");
        for set in ["hidden=2", "steps=1", "order=random", &format!("order_seed={seed}")] {
            spec.assign(set).unwrap();
        }
        Session::new().train(&spec).unwrap().run.sample(2, 0).unwrap()
    });
    assert!(orders[0] != orders[1] && orders[1] != orders[2]);
    for wrong in ["18446744073709551616", "-1", "1.5", "a"] {
        let mut spec = RunSpec::named("nade", "digits");
        spec.assign(&format!("order_seed={wrong}")).unwrap();
        let error = Session::new().train(&spec).map(drop).unwrap_err().to_string();
        assert!(error.contains("from 0 to 18446744073709551615"), "{error}");
    }
    let config = ancestral::prelude::NadeConfig {
        order_seed: ancestral::settings::Seed(most),
        ..Default::default()
    };
    let table = ancestral::settings::Settings::to_table(&config);
    assert_eq!(table["order_seed"].as_str(), Some(most.to_string().as_str()));
}

#[test]
fn the_network_that_measures_samples_is_named_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gan");
    let budget = Budget { steps: 3, ..Budget::default() };
    let spec = RunSpec::named("gan", "digits").budget(budget).out(&path);
    let trained = Session::new().train(&spec).unwrap();
    assert_eq!(trained.validation.as_deref(), Some("frechet_distance"));
    let folder = RunFolder::open(&path).unwrap();
    let network = FeatureNetwork::of("digits").unwrap();
    assert_eq!(folder.config.evaluator, Some(network.fingerprint()));
    // Of a network that is not known, nothing is measured silently by another.
    let config = path.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(&network.fingerprint(), &"0".repeat(64))).unwrap();
    let more = Budget { steps: 4, ..Budget::default() };
    let error = Session::new().resume(&path, Some((more, "more")), true).map(drop).unwrap_err();
    assert!(matches!(error, Error::UnknownEvaluator { .. }), "{error}");
    // A run of format 1 keeps the one for its data where it had one.
    let line = format!("evaluator = \"{}\"\n", network.fingerprint());
    let old = text.replace("format = 2", "format = 1").replace(&line, "");
    assert!(!old.contains("evaluator"));
    std::fs::write(&config, old).unwrap();
    let resumed = Session::new().resume(&path, Some((more, "more")), true).unwrap();
    assert_eq!(resumed.validation.as_deref(), Some("frechet_distance"));
    let valid = |event: &&Event| event.kind() == "valid";
    let events = RunFolder::open(&path).unwrap().events().unwrap();
    assert_eq!(events.iter().filter(valid).count(), 2);
    assert!(std::fs::read_to_string(&config).unwrap().starts_with("format = 1\n"));
}

#[test]
fn data_is_found_again_and_packed_runs_do_not_tell_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let table: String = (0..60).map(|i| format!("{},{}\n", i % 2, i / 3 % 2)).collect();
    let csv = dir.path().join("bits.csv");
    std::fs::write(&csv, format!("a,b\n{table}")).unwrap();
    let mut spec = RunSpec::named("nade", csv.to_str().unwrap()).out(dir.path().join("run"));
    spec.assign("epochs=1").unwrap();
    let trained = Session::new().train(&spec).unwrap();
    let data = &trained.run.config.data;
    assert_eq!((data.name.as_str(), data.path.clone()), ("bits.csv", csv.canonicalize().ok()));
    let run = Run::load(dir.path().join("run")).unwrap();
    assert_eq!(run.examples(SplitName::Test).unwrap().len(), 6);
    let (registry, device) = (Registry::standard(), ancestral::spec::cpu());
    let folder = RunFolder::open(&dir.path().join("run")).unwrap();
    let packed = dir.path().join("packed");
    folder.pack(&packed, (&registry, &device), Weights::Best, false).unwrap();
    let text = std::fs::read_to_string(packed.join("config.toml")).unwrap();
    let config =
        text.split("command").next().unwrap().to_owned() + text.split("[data]").nth(1).unwrap();
    assert!(!config.contains(dir.path().to_str().unwrap()), "{text}");
    std::fs::write(&csv, "a,b\n0,1\n1,1\n0,0\n1,0\n1,1\n0,0\n1,0\n0,1\n1,1\n0,0\n").unwrap();
    let error = run.examples(SplitName::Test).unwrap_err();
    assert!(matches!(error, Error::DataChanged { .. }), "{error}");
}

#[test]
fn what_does_not_suit_is_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |spec: RunSpec| {
        let out = dir.path().join("none");
        let error = Session::new().train(&spec.out(&out)).map(drop).unwrap_err();
        assert!(!out.exists(), "{error}");
        error
    };
    assert!(matches!(refused(RunSpec::named("gaussian", "digits")), Error::OtherLearning { .. }));
    let mut spec = small(0);
    spec.assign("train.hidden=3").unwrap();
    assert!(matches!(refused(spec), Error::Setting { .. }));
    let mut spec = small(0);
    spec.assign("hiden=3").unwrap();
    assert!(matches!(refused(spec), Error::UnknownSetting { .. }));
    let path = dir.path().join("first");
    Session::new().train(&small(0).out(&path)).unwrap();
    let mut spec = small(0);
    spec.from = Some(path);
    spec.settings.insert("latent_dims".to_owned(), toml::Value::Integer(3));
    let error = refused(spec).to_string();
    assert!(error.contains("first") && error.contains("do not fit"), "{error}");
    let fit = Session::new().fit(&small(0)).map(drop).unwrap_err();
    assert!(matches!(fit, Error::OtherLearning { fitted: false, .. }), "{fit}");
}

#[test]
fn settings_in_code_leave_the_models_own_where_they_are_not_given() {
    let gan = GanConfig::default();
    let training = TrainConfig { steps: 7, ..TrainConfig::default() };
    let spec = RunSpec::new(&gan, "digits").training(&training);
    let resolved =
        spec.resolve(&Registry::standard(), None, &ancestral::spec::cpu()).unwrap().config;
    assert_eq!((resolved.train.steps, resolved.train.epochs), (7, 0));
    assert_eq!((resolved.train.batch_size, resolved.train.beta1), (64, 0.5));
}

/// What is listed for a model is what it is trained with.
#[test]
fn listed_settings_of_training_are_those_that_are_used() {
    for entry in Registry::standard().entries() {
        let images = entry.kinds.contains(&KindName::Levels) && entry.name != "bernoulli";
        if entry.learning == Learning::Fit || !images {
            continue;
        }
        let spec = RunSpec::named(entry.name, "digits");
        let used = spec.resolve(&Registry::standard(), None, &ancestral::spec::cpu());
        let used = used.unwrap_or_else(|e| panic!("{}: {e}", entry.name)).config.train.to_table();
        for field in training_fields(entry) {
            assert_eq!(used[field.name], field.default, "{}: {}", entry.name, field.name);
        }
    }
}

/// The file of a run that started from the weights of another repeats it.
#[test]
fn a_fine_tuned_run_is_repeated_by_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let folder = |name: &str| dir.path().join(name);
    Session::new().train(&small(0).out(folder("first"))).unwrap();
    let from = Some(folder("first"));
    let tuned = RunSpec { from, ..small(1).out(folder("tuned")) };
    let tuned = Session::new().train(&tuned).unwrap().run.model().tensors();
    let file = Some(SettingsFile::read(&folder("tuned").join("config.toml")).unwrap());
    let again = Session::new().train(&RunSpec { file, ..RunSpec::default() }).unwrap();
    assert_eq!(again.run.model().tensors(), tuned);
    assert_ne!(Session::new().train(&small(1)).unwrap().run.model().tensors(), tuned);
}
