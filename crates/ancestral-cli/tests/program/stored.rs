//! Runs of earlier versions through the program: samples, values and resumed runs as they were.
//!
//! `crates/ancestral/tests/stored/README.md` says what the runs are and how the values are renewed.

#[path = "../../../ancestral/tests/stored/expected.rs"]
mod expected;

use std::path::Path;

use ancestral_test_support::{Program, copy_folder};
use expected::{Expected, Found};
use serde_json::{Value, json};

use crate::program;

/// The JSON that a command prints, without the seconds that it took.
fn said(here: &Program, line: &str) -> Value {
    let mut said = here.json(line);
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

/// The numbers of a table below its header.
fn numbers(table: &str) -> Vec<f32> {
    table.lines().skip(1).flat_map(|row| row.split(',').map(|cell| cell.parse().unwrap())).collect()
}

/// The numbers of an array of singles behind its header.
fn singles(array: &[u8]) -> Vec<f32> {
    let header = 10 + usize::from(u16::from_le_bytes([array[8], array[9]]));
    array[header..].chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// A file of weights as it was before checkpoints had names.
fn without_id(file: &[u8]) -> Vec<u8> {
    let (length, rest) = file.split_first_chunk::<8>().unwrap();
    let (header, tensors) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header = String::from_utf8(header.to_vec()).unwrap();
    let (begin, end) = (r#",\"id\":\""#, r#"\""#);
    let at = header.find(begin).unwrap();
    let after = at + begin.len();
    let till = after + header[after..].find(end).unwrap() + end.len();
    header.replace_range(at..till, "");
    // Tensors begin at a multiple of 8.
    header.truncate(header.trim_end().len());
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), tensors].concat()
}

#[test]
fn stored_runs_give_what_they_gave_through_the_program() {
    let here = program();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ancestral/tests/stored");
    copy_folder(&stored, here.folder());
    let mut expected = Expected::new("program.json");
    let mut runs: Vec<String> = std::fs::read_dir(here.folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("config.toml").exists())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    runs.sort();
    assert!(!runs.is_empty());
    for run in &runs {
        let mut add = |what: &str, found| expected.add(run, what, found);
        let sample = format!("sample {run} -n 8 --seed 0 --out");
        let drawn = here.run(&format!("{sample} drawn.csv"));
        add("exit code of sample", Found::Json(json!(drawn.status.code())));
        if drawn.status.success() {
            here.json(&format!("{sample} drawn.npy"));
            let (table, array) = (here.read("drawn.csv"), here.bytes("drawn.npy"));
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
        let evaluate = format!("evaluate {run} --samples 8 --seed 0");
        add("evaluate", Found::Json(said(&here, &evaluate)));
        if run.starts_with("unfinished-") {
            add("resume", Found::Json(said(&here, &format!("train --resume {run}"))));
            let weights = here.bytes(&format!("{run}/model.safetensors"));
            add("resumed weights", Found::Bytes(without_id(&weights)));
        }
    }
    // Samples of images are measured by the features of another run.
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo/vae-digits");
    copy_folder(&zoo, &here.path("vae-digits"));
    let mut quality = said(&here, "evaluate vae-digits --quality --seed 0 --samples-count 200");
    quality.as_object_mut().unwrap().remove("run");
    expected.add("zoo/vae-digits", "quality", Found::Json(quality));
    expected.check();
}
