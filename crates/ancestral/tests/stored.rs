//! Runs of earlier versions: they give the same results as then, and resumed ones end with the same
//! bits.
//!
//! `stored/README.md` describes the stored runs and how to update the expected values.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

#[path = "stored/api.rs"]
mod api;
#[path = "stored/expected.rs"]
mod expected;

use std::path::{Path, PathBuf};

use api::{Batch, Data, Given, Run};
use expected::{Expected, Found};

/// Examples that are evaluated.
const EXAMPLES: usize = 20;
const SAMPLES: usize = 8;
/// Examples that are completed, and codes that are decoded.
const FEW: usize = 4;
/// Additional epochs of finished runs.
const MORE: u64 = 2;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stored")
}

/// The run folders in a folder, with their names, in the order of these.
fn runs(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut runs: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("config.toml").is_file())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    runs.sort();
    runs
}

/// The weights that a run folder holds: the best, and those of a checkpoint.
fn kinds(folder: &Path) -> &'static [&'static str] {
    if folder.join("last.safetensors").exists() { &["best", "last", "raw"] } else { &["best"] }
}

fn singles(values: Vec<f32>) -> Found {
    Found::Reals(values.into_iter().map(f64::from).collect())
}

/// Examples in the domain of a run.
fn examples(run: &Run, values: Vec<f32>) -> Found {
    match run.levels() {
        None => singles(values),
        Some(levels) => {
            let fits = |value: &f32| value.fract() == 0.0 && (0.0..levels as f32).contains(value);
            assert!(values.iter().all(fits), "samples outside the domain");
            Found::Levels(values.into_iter().map(|value| value as u8).collect())
        }
    }
}

/// The results of a run without data.
fn draw(run: &Run, add: &mut dyn FnMut(&str, Found)) {
    if let Some(samples) = run.samples(SAMPLES, None, false) {
        add("samples", examples(run, samples));
    }
    if let Some(means) = run.samples(SAMPLES, None, true) {
        add("means of samples", singles(means));
    }
    if let Some(last) = run.classes().checked_sub(1) {
        let samples = run.samples(SAMPLES, Some(last), false).unwrap();
        add("samples of the last class", examples(run, samples));
    }
}

/// Completes examples with given first halves, and with given right halves if any entries may be
/// given.
fn complete(run: &Run, batch: &Batch, add: &mut dyn FnMut(&str, Found)) {
    let (size, width) = (run.size(), *run.dims().last().unwrap());
    let rows = &batch.values[..FEW * size];
    // Of every channel of an image.
    let plane = if let [_, height, width] = *run.dims() { height * width } else { size };
    let first: Vec<bool> = (0..rows.len()).map(|i| i % plane < plane / 2).collect();
    let right: Vec<bool> = (0..rows.len()).map(|i| i % width >= width / 2).collect();
    let given = run.given();
    if given != Given::None {
        add("completions of the first half", examples(run, run.complete(rows, &first)));
    }
    if given == Given::Any {
        add("completions of the right half", examples(run, run.complete(rows, &right)));
    }
}

/// The results of a run on examples.
fn evaluate(run: &mut Run, batch: &Batch, add: &mut dyn FnMut(&str, Found)) {
    for (members, suffix) in [(1, ""), (3, " of three members")] {
        if let Some((nats, errors)) = run.log_probabilities(batch, members) {
            add(&format!("log-probabilities{suffix}"), Found::Reals(nats));
            if let Some(errors) = errors {
                add(&format!("their Monte Carlo errors{suffix}"), Found::Reals(errors));
            }
        }
    }
    if let Some(values) = run.validation(batch) {
        add("validation", Found::Reals(values));
    }
    if let Some(codes) = run.codes(batch) {
        let few = &codes[..FEW * codes.len() / batch.len()];
        if let Some(decoded) = run.decoded(few) {
            add("decoded codes", singles(decoded));
        }
        add("codes", singles(codes));
    }
    if let Some(scores) = run.scores(batch) {
        add("critic", Found::Reals(scores));
    }
    if let Some((features, probabilities)) = run.classified(batch) {
        add("features", singles(features));
        add("class probabilities", Found::Reals(probabilities));
    }
}

/// Rings of different places and sizes in the domain of a run, made by sums, products and roots,
/// which every processor rounds alike.
fn rings(run: &Run) -> Vec<f32> {
    let &[channels, height, width] = run.dims() else { panic!("no images") };
    let most = run.levels().unwrap() as f32 - 1.0;
    let mut values = Vec::new();
    for i in 0..EXAMPLES {
        let part = |of: usize| (i % of) as f32 / of as f32;
        let (top, left) =
            (height as f32 * (0.4 + 0.2 * part(3)), width as f32 * (0.4 + 0.2 * part(4)));
        let radius = height as f32 * (0.1 + 0.25 * part(7));
        for place in 0..channels * height * width {
            let (y, x) = ((place / width % height) as f32 - top, (place % width) as f32 - left);
            let away = ((y * y + (1.0 + part(5)) * x * x).sqrt() - radius).abs();
            values.push((most * (2.0 - away).clamp(0.0, 1.0)).round());
        }
    }
    values
}

#[test]
fn stored_runs_give_what_they_gave() {
    let mut expected = Expected::new("stored.json");
    for (name, folder) in runs(&here()) {
        for weights in kinds(&folder) {
            let mut run = api::load(&folder, weights);
            let batch = Data::open(&run, &here(), None).unwrap().first_of_test(&run, EXAMPLES);
            assert_eq!(batch.len(), EXAMPLES, "{name}");
            let mut add =
                |what: &str, found| expected.add(&format!("{name}, {weights}"), what, found);
            add("weights", Found::Reals(run.weights()));
            draw(&run, &mut add);
            complete(&run, &batch, &mut add);
            evaluate(&mut run, &batch, &mut add);
        }
    }
    expected.check();
}

#[test]
fn stored_runs_are_resumed_to_the_same_end() {
    let mut expected = Expected::new("resumed.json");
    let dir = tempfile::tempdir().unwrap();
    for (name, folder) in runs(&here()) {
        let copy = dir.path().join(&name);
        std::fs::create_dir(&copy).unwrap();
        for file in std::fs::read_dir(&folder).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
        let unfinished = name.starts_with("unfinished-");
        let middle = api::load(&copy, "last").epoch().fract() > 0.0;
        assert!(middle || !unfinished, "{name} was not stopped in the middle of an epoch");
        api::resume(&copy, &here(), if unfinished { 0 } else { MORE });
        for weights in kinds(&copy) {
            let found = Found::Reals(api::load(&copy, weights).weights());
            expected.add(&name, &format!("{weights} weights"), found);
        }
        expected.add(&name, "history", Found::Reals(api::history(&copy)));
    }
    expected.check();
}

#[test]
fn the_zoo_gives_what_it_gave() {
    let mut expected = Expected::new("zoo.json");
    for (name, folder) in runs(&zoo()) {
        for weights in kinds(&folder) {
            let mut run = api::load(&folder, weights);
            let batch = match run.data_name() {
                "digits" => Data::open(&run, &here(), None).unwrap().first_of_test(&run, EXAMPLES),
                _ => run.batch(rings(&run)),
            };
            let mut add =
                |what: &str, found| expected.add(&format!("{name}, {weights}"), what, found);
            add("weights", Found::Reals(run.weights()));
            draw(&run, &mut add);
            complete(&run, &batch, &mut add);
            evaluate(&mut run, &batch, &mut add);
        }
    }
    expected.check();
}

#[test]
fn the_zoo_gives_what_it_gave_on_published_data() {
    let next_to_project = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let sets = std::env::var_os("ANCESTRAL_DATA").map_or_else(next_to_project, PathBuf::from);
    let mut expected = Expected::new("published-data.json");
    let mut opened: Vec<Data> = Vec::new();
    for (name, folder) in runs(&zoo()) {
        let mut run = api::load(&folder, "best");
        // Embedded, or a file that is not in the folder.
        if run.data_name() == "digits" || run.data_name().ends_with(".npz") {
            continue;
        }
        if !opened.iter().any(|data| data.is_of(&run)) {
            let Some(data) = Data::open(&run, &here(), Some(&sets)) else {
                println!("skipped: {} is not in {}", run.data_name(), sets.display());
                return;
            };
            opened.push(data);
        }
        let data = opened.iter().find(|data| data.is_of(&run)).unwrap();
        let batch = data.first_of_test(&run, EXAMPLES);
        evaluate(&mut run, &batch, &mut |what, found| expected.add(&name, what, found));
    }
    expected.check();
}

#[test]
fn other_values_are_seen() {
    let entry = |found| expected::entry(found);
    let differ = |a, b, exact| expected::difference(&entry(a), &entry(b), exact).is_some();
    let reals = |change: f64| Found::Reals((0..60).map(|i| f64::from(i) + change).collect());
    // The sizes of the numbers are measured by 34, the root mean square of those that are shown.
    for (change, same, near) in [(0.0, true, true), (3e-4, false, true), (4e-4, false, false)] {
        assert_eq!(differ(reals(0.0), reals(change), true), !same, "{change}");
        assert_eq!(differ(reals(0.0), reals(change), false), !near, "{change}");
    }
    // The hash covers the bits of numbers that are not shown.
    let mut values: Vec<f64> = (0..60).map(f64::from).collect();
    values[1] += 1e-12;
    assert!(differ(reals(0.0), Found::Reals(values.clone()), true));
    values.pop();
    assert!(differ(reals(0.0), Found::Reals(values), false));
    for most in [1, 255] {
        let levels = |other: usize| {
            Found::Levels(
                (0..402).map(|i| if i < other || i % 3 == 0 { most } else { 0 }).collect(),
            )
        };
        for (other, same, near) in [(0, true, true), (5, false, true), (9, false, false)] {
            assert_eq!(differ(levels(0), levels(other), true), !same, "{most}, {other}");
            assert_eq!(differ(levels(0), levels(other), false), !near, "{most}, {other}");
        }
    }
    let bytes = |text: &str| Found::Bytes(text.into());
    assert!(differ(bytes("1.0"), bytes("1.1"), true) && !differ(bytes("1.0"), bytes("1.1"), false));
    let json = |value: f64| Found::Json(serde_json::json!({ "kind": ["exact"], "nll": value }));
    for (value, same, near) in [(90.0, true, true), (90.0001, false, true), (90.1, false, false)] {
        assert_eq!(differ(json(90.0), json(value), true), !same, "{value}");
        assert_eq!(differ(json(90.0), json(value), false), !near, "{value}");
    }
    assert!(differ(json(90.0), Found::Json(serde_json::json!({ "nll": 90.0 })), false));
}

fn zoo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo")
}
