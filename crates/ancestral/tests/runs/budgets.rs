//! Runs that have ended and are resumed.

use ancestral::evaluate;
use ancestral::prelude::*;
use ancestral::run::RunFolder;
use ancestral::train::StopReason;
use ancestral_data::{Binarize, Examples, OpenOptions, SplitName};

use crate::{refused, spec, train, weights};

fn epochs(epochs: u64) -> Budget {
    Budget { epochs, ..Budget::default() }
}

#[test]
fn a_run_that_has_ended_continues_with_a_larger_budget() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let short = spec("nade", "digits", "hidden=8 schedule=linear epochs=2").out(&run);
    let short = train(&RunSpec { skip_test: true, ..short });
    assert!(short.outcome.epoch == 2.0 && short.test.is_none());
    let mut session = Session::new();
    refused(session.resume(&run, Some((epochs(2), "more")), false), "larger budget");
    let long = session.resume(&run, Some((epochs(3), "more of it")), false).unwrap();
    assert!(long.outcome.epoch == 3.0 && long.test.unwrap().nll_nats > 0.0);
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("&& more of it"), "{config}");
}

#[test]
fn under_a_constant_rate_a_run_in_parts_is_the_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    let (parts, whole) = (dir.path().join("parts"), dir.path().join("whole"));
    train(&spec("nade", "digits", "hidden=8 epochs=2").out(&parts));
    Session::new().resume(&parts, Some((epochs(3), "more")), true).unwrap();
    train(&spec("nade", "digits", "hidden=8 epochs=3").out(&whole));
    assert!(weights(&parts) == weights(&whole));
}

#[test]
fn a_finished_run_that_is_resumed_keeps_one_test_value() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let begun = train(&spec("vae", "digits", "hidden=[[8]] epochs=1 sample_count=0").out(&path));
    let again = Session::new().resume(&path, None, false).unwrap();
    assert_eq!(again.outcome.reason, StopReason::Budget);
    assert_eq!(again.test.unwrap().nll_nats, begun.test.unwrap().nll_nats);
    let events = RunFolder::open(&path).unwrap().events().unwrap();
    assert_eq!(events.iter().filter(|event| event.kind() == "test").count(), 1, "{events:?}");
}

/// A test pass that does not fit is measured on fewer examples, and how many is known.
#[test]
fn the_cost_of_a_test_pass_is_known_before() {
    let done = train(&spec("vae", "digits", "hidden=[[8]] epochs=1 sample_count=0"));
    let data = ancestral_data::open("digits", &OpenOptions::default()).unwrap();
    let test = Examples::new(&data, SplitName::Test, Binarize::None, 0).unwrap();
    let options = evaluate::Options::default();
    let cost = |limit| evaluate::cost(done.run.model(), &test, options, limit).unwrap();
    assert_eq!(cost(1e6).fitting, test.len());
    let none = cost(0.0);
    assert!(none.fitting == 50 && none.seconds > 0.0, "{none:?}");
    let half = cost(0.5 * cost(1e-9).seconds);
    assert!((50..=test.len()).contains(&half.fitting), "{half:?}");
}

/// A time budget holds for the test pass too.
#[test]
fn a_run_by_time_measures_what_fits() {
    let slow = "hidden=[[600,600]] sample_count=0 validate_every=0";
    let done = train(&spec("vae", "digits", slow).budget(Budget { seconds: 0.1, ..epochs(0) }));
    let n = done.test.unwrap().n;
    assert!((50..300).contains(&n), "{n}");
}

/// What comes before training, as reading the data, counts, in each session, and what a program does in
/// between does not; a run that has ended stays so.
#[test]
fn a_time_budget_begins_with_reading_the_data() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let time = |seconds| Budget { seconds, ..epochs(0) };
    let session = Session::new();
    let spec = spec("nade", "digits", "hidden=8 sample_count=0").out(&run);
    let long =
        session.prepare(&spec.clone().budget(time(1e3)).out(dir.path().join("long"))).unwrap();
    assert!(long.state().preparation > 0.0 && long.state().seconds == 0.0);
    // The whole budget is used up before the first step, which is made nevertheless.
    let prepared = session.prepare(&spec.budget(time(1e-6))).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let done = Session::new().train_prepared(prepared).unwrap();
    assert!(done.outcome.step == 1 && done.outcome.seconds < 2.0, "{:?}", done.outcome);
    let kept = session.prepare_resume(&run, None, true).unwrap().state().clone();
    assert!(kept.finished && kept.preparation < 2.0, "{kept:?}");
    let more = session.prepare_resume(&run, Some((time(1e3), "more")), true).unwrap();
    assert!(!more.state().finished && more.state().preparation > kept.preparation);
}
