//! Runs of earlier versions through the program: samples, values and resumed runs as they were.
//!
//! `crates/ancestral/tests/stored/README.md` says what the runs are and how the values are renewed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

#[path = "../../ancestral/tests/stored/expected.rs"]
mod expected;

use std::path::Path;
use std::process::{Command, Output};

use expected::{Expected, Found};
use serde_json::{Value, json};

fn ancestral(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ancestral")).current_dir(folder).args(args).output().unwrap()
}

/// The JSON that a command prints, without the seconds that it took.
fn said(folder: &Path, args: &[&str]) -> Value {
    let output = ancestral(folder, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let mut said = serde_json::from_slice(&output.stdout).unwrap();
    remove_seconds(&mut said);
    said
}

fn remove_seconds(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.remove("seconds");
            entries.values_mut().for_each(remove_seconds);
        }
        Value::Array(values) => values.iter_mut().for_each(remove_seconds),
        _ => {}
    }
}

/// Copies a folder and those in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copied = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            std::fs::copy(&path, &copied).unwrap();
        }
    }
}

/// The numbers of a table below its header.
fn numbers(table: &str) -> Vec<f32> {
    table.lines().skip(1).flat_map(|row| row.split(',').map(|cell| cell.parse().unwrap())).collect()
}

/// The numbers of an array of singles behind its header.
fn singles(array: &[u8]) -> Vec<f32> {
    let header = 10 + usize::from(u16::from_le_bytes([array[8], array[9]]));
    array[header..].chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn stored_runs_give_what_they_gave_through_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../ancestral/tests/stored"), here);
    let mut expected = Expected::new("program.json");
    let mut runs: Vec<String> = std::fs::read_dir(here)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("config.toml").exists())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    runs.sort();
    assert!(!runs.is_empty());
    for run in &runs {
        let mut add = |what: &str, found| expected.add(run, what, found);
        let sample = ["sample", run, "-n", "8", "--seed", "0", "--out"];
        let drawn = ancestral(here, &[&sample[..], &["drawn.csv"]].concat());
        add("exit code of sample", Found::Json(json!(drawn.status.code())));
        if drawn.status.success() {
            said(here, &[&sample[..], &["drawn.npy", "--json"]].concat());
            let table = std::fs::read_to_string(here.join("drawn.csv")).unwrap();
            let array = std::fs::read(here.join("drawn.npy")).unwrap();
            let values = numbers(&table);
            assert_eq!(values, singles(&array), "{run}: the table and the array differ");
            let are_levels = values.iter().all(|v| v.fract() == 0.0 && (0.0..256.0).contains(v));
            let values = match are_levels {
                true => Found::Levels(values.iter().map(|&v| v as u8).collect()),
                false => Found::Reals(values.iter().map(|&v| f64::from(v)).collect()),
            };
            add("samples", values);
            add("columns of samples", Found::Json(table.lines().next().unwrap().into()));
            add("CSV of samples", Found::Bytes(table.into_bytes()));
            add("NPY of samples", Found::Bytes(array));
        }
        let evaluate = ["evaluate", run, "--samples", "8", "--seed", "0", "--json"];
        add("evaluate", Found::Json(said(here, &evaluate)));
        if run.starts_with("unfinished-") {
            add("resume", Found::Json(said(here, &["train", "--resume", run, "--json"])));
            let weights = std::fs::read(here.join(run).join("model.safetensors")).unwrap();
            add("resumed weights", Found::Bytes(weights));
        }
    }
    // Samples of images are measured by the features of another run.
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo/vae-digits");
    let evaluate = ["evaluate", run.to_str().unwrap(), "--quality", "--seed", "0"];
    let mut quality = said(here, &[&evaluate[..], &["--samples-count", "200", "--json"]].concat());
    quality.as_object_mut().unwrap().remove("run");
    expected.add("zoo/vae-digits", "quality", Found::Json(quality));
    expected.check();
}
