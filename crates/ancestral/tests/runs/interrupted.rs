//! Runs that were interrupted where it is hard to go on.

use std::path::Path;

use ancestral::model::NamedTensors;
use ancestral::prelude::*;
use ancestral::run::{RunFolder, RunSummary};
use ancestral::train::{Checkpoint, StopReason};
use ancestral_test_support::copy_folder;

use crate::{refused, spec, train, weights};

const SMALL: &str = "hidden=[[8]] latent_dims=[2] sample_count=0";

fn untested(spec: RunSpec) -> RunSpec {
    RunSpec { skip_test: true, ..spec }
}

fn checkpoint(run: &Path) -> Checkpoint {
    RunFolder::open(run).unwrap().read_checkpoint().unwrap().unwrap()
}

/// Gives a run another budget, and ends before its first checkpoint.
fn extend(run: &Path, budget: Budget) {
    drop(Session::new().prepare_resume(run, Some((budget, "more")), true).unwrap());
}

#[test]
fn the_names_of_equal_checkpoints_are_equal_and_of_others_differ() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for (name, set) in
        [("a", "learning_rate=0.001"), ("b", "learning_rate=0.001"), ("c", "learning_rate=0.01")]
    {
        train(
            &untested(spec("vae", "digits", &format!("{SMALL} steps=3 epochs=0 {set}")))
                .out(path(name)),
        );
    }
    let id = |name: &str| checkpoint(&path(name)).id();
    assert_eq!(id("a"), id("b"));
    assert_ne!(id("a"), id("c"));
    assert!(weights(&path("a")) == weights(&path("b")));
    let mut other = checkpoint(&path("a"));
    other.state.step += 1;
    assert_ne!(other.id(), id("a"));
    other.state.step -= 1;
    other.state.seconds += 1.0;
    assert_eq!(other.id(), id("a"));
}

#[test]
fn a_larger_budget_is_kept_though_no_checkpoint_followed() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let short = untested(spec("vae", "digits", &format!("{SMALL} steps=3 epochs=0")));
    train(&short.out(path("cut")));
    copy_folder(&path("cut"), &path("whole"));
    let more = Budget { steps: 7, ..Budget::default() };
    let whole = Session::new().resume(&path("whole"), Some((more, "more")), true).unwrap();
    assert_eq!(whole.outcome.step, 7);
    extend(&path("cut"), more);
    assert!(!RunSummary::read(&path("cut")).unwrap().result.finished);
    let again = Session::new().resume(&path("cut"), None, true).unwrap();
    assert_eq!((again.outcome.step, again.outcome.reason), (7, StopReason::Budget));
    assert!(weights(&path("whole")) == weights(&path("cut")));
    assert!(RunSummary::read(&path("cut")).unwrap().result.finished);
    let third = Session::new().resume(&path("cut"), None, true).unwrap();
    assert_eq!(third.outcome.step, 7, "a finished run goes on");
}

#[test]
fn a_run_that_stopped_early_goes_on_with_another_budget_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    // Nothing improves on the first validation.
    let set = format!("{SMALL} epochs=50 patience=2 learning_rate=1e-30 optimizer=sgd");
    let begun = train(&untested(spec("vae", "digits", &set)).out(path("cut")));
    assert_eq!(begun.outcome.reason, StopReason::EarlyStop);
    let ended = begun.outcome.step;
    let again = Session::new().resume(&path("cut"), None, true).unwrap();
    assert_eq!((again.outcome.step, again.outcome.reason), (ended, StopReason::EarlyStop));
    copy_folder(&path("cut"), &path("whole"));
    let more = Budget { epochs: 60, ..Budget::default() };
    let whole = Session::new().resume(&path("whole"), Some((more, "more")), true).unwrap();
    assert!(whole.outcome.step > ended);
    extend(&path("cut"), more);
    let again = Session::new().resume(&path("cut"), None, true).unwrap();
    assert_eq!(again.outcome.step, whole.outcome.step);
    assert_eq!(checkpoint(&path("cut")).id(), checkpoint(&path("whole")).id());
}

/// A checkpoint as versions wrote it that did not store why a run ended.
#[test]
fn the_end_of_older_runs_follows_from_their_counters() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    train(&untested(spec("vae", "digits", &format!("{SMALL} steps=3 epochs=0"))).out(&path));
    let config = RunFolder::open(&path).unwrap().config.train;
    let mut state = checkpoint(&path).state;
    (state.ended, state.budget) = (None, None);
    assert!(state.finished && state.is_finished(&config));
    let longer = TrainConfig { steps: 4, ..config.clone() };
    assert!(!state.is_finished(&longer));
    state.stale = 2;
    assert!(state.is_finished(&TrainConfig { patience: 2, ..longer }));
    state.finished = false;
    assert!(!state.is_finished(&config));
}

fn break_weights(tensors: &mut NamedTensors, value: f32) -> String {
    let (name, data) = tensors.last_mut().unwrap();
    data.as_mut_slice::<f32>().unwrap()[0] = value;
    name.clone()
}

#[test]
fn weights_that_are_not_finite_are_neither_saved_nor_believed() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    // One step of this size ends in weights that are infinite, which no later step finds.
    let set = "sample_count=0 epochs=0 optimizer=sgd momentum=0 validate_every=0";
    for (steps, more) in [(1, ""), (1, "average_decay=0.5"), (2, "checkpoint_seconds=0")] {
        let run = path(&format!("{steps}{more}"));
        let set = format!("{set} steps={steps} learning_rate=3e38 {more}");
        let error = Session::new().train(&untested(spec("ae", "digits", &set)).out(&run));
        let error = error.map(drop).unwrap_err().to_string();
        assert!(error.contains("not finite") && error.contains("step 1"), "{error}");
        let kept = checkpoint(&run);
        assert_eq!((kept.state.step, kept.state.finished), (0, false));
        assert!(!RunSummary::read(&run).unwrap().result.finished);
        Run::load(&run).unwrap();
    }
    // In memory, too.
    let set = format!("{set} steps=1 learning_rate=3e38");
    assert!(Session::new().train(&untested(spec("ae", "digits", &set))).is_err());

    let good = path("good");
    train(&untested(spec("vae", "digits", &format!("{SMALL} epochs=0 steps=2"))).out(&good));
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let run = Run::load(&good).unwrap();
        let mut tensors = run.model().tensors();
        let name = break_weights(&mut tensors, value);
        let folder = RunFolder::open(&good).unwrap();
        let error = folder.write_model(&tensors, &run.weights()).unwrap_err().to_string();
        assert!(error.contains(&name), "{error}");
        // As a version wrote it that did not look.
        let bad = path("bad");
        copy_folder(&path("good"), &bad);
        write_broken(&bad, value);
        refused(Run::load(&bad), "not finite");
        for weights in [Weights::Best, Weights::Last, Weights::Raw] {
            refused(Session::new().load(&bad, weights), "tensor '");
        }
        refused(Session::new().resume(&bad, None, true), "tensor '");
        let from = RunSpec { from: Some(bad.clone()), ..RunSpec::default() };
        refused(Session::new().train(&from), "tensor '");
        std::fs::remove_dir_all(&bad).unwrap();
    }
}

/// Replaces the last value of both files of weights.
fn write_broken(run: &Path, value: f32) {
    for file in ["last.safetensors", "model.safetensors"] {
        let file = run.join(file);
        let mut bytes = std::fs::read(&file).unwrap();
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&value.to_le_bytes());
        std::fs::write(&file, bytes).unwrap();
    }
}
