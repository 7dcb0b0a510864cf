//! Runs whose files were left by a kill at a bad moment.

use std::path::Path;

use ancestral_test_support::{Program, copy_folder, errors};

use crate::program;

const SMALL: &str = "--quiet --skip-test --set hidden=[[8]] --set latent_dims=[2] \
                     --set sample_count=0 --set validate_every=0";

/// A run of five steps whose model is the one of three, as after a kill between the last two
/// renames; beside it `whole`, which was not disturbed.
fn cut() -> Program {
    let here = program();
    here.good(&format!("train vae --steps 5 --out whole {SMALL}"));
    here.good(&format!("train vae --steps 3 --out older {SMALL}"));
    copy_folder(&here.path("whole"), &here.path("cut"));
    let model = |run: &str| here.path(run).join("model.safetensors");
    std::fs::copy(model("older"), model("cut")).unwrap();
    here
}

/// The names of files, their sizes and the time they were written.
fn state(folder: &Path) -> Vec<(std::ffi::OsString, u64, std::time::SystemTime)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut all: Vec<_> = entries
        .map(|entry| {
            let meta = entry.metadata().unwrap();
            (entry.file_name(), meta.len(), meta.modified().unwrap())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn a_model_that_is_older_than_its_checkpoint_is_said_and_not_used() {
    let here = cut();
    let before = state(&here.path("cut"));
    for (line, out) in [
        ("sample RUN -n 4 --out OUT.csv", ".csv"),
        ("score RUN --data digits --split test --samples 2 --out OUT.csv", ".csv"),
        ("encode RUN --out OUT.csv", ".csv"),
        ("reconstruct RUN -n 2 --out OUT.npy", ".npy"),
        ("interpolate RUN -n 3 --out OUT.npy", ".npy"),
        ("latent RUN --out OUT.npy", ".npy"),
        ("evaluate RUN --samples 2 --limit 3 --map OUT.png", ".png"),
        ("evaluate RUN --quality --samples-count 100", ""),
        ("pack RUN --out OUT", "/model.safetensors"),
    ] {
        let line = |run: &str, out: &str| line.replace("RUN", run).replace("OUT", out);
        let right = here.run(&line("whole", "right"));
        let said = here.run(&line("cut", "found"));
        assert_eq!(right.status.code(), said.status.code(), "{}", line("cut", ""));
        if right.status.success() && !out.is_empty() {
            assert!(here.bytes(&format!("right{out}")) == here.bytes(&format!("found{out}")));
        }
        let warned = errors(&said);
        let words = "cut: model.safetensors is older than last.safetensors";
        assert!(warned.contains(words), "{}: {warned}", line("cut", ""));
        assert!(!errors(&right).contains("older"));
    }
    let quiet = here.run("sample cut -n 4 --out found.csv --quiet");
    assert!(quiet.status.success() && errors(&quiet).is_empty());
    let json = errors(&here.run("sample cut -n 4 --out found.csv --json"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["warning"].as_str().unwrap().contains("older"), "{json}");
    let other = here.run(&format!("train --from cut --steps 1 --out next {SMALL}"));
    assert!(other.status.success(), "{}", errors(&other));
    assert_eq!(before, state(&here.path("cut")), "a command that reads has written");
}

#[test]
fn resuming_writes_a_model_that_is_older_or_missing_anew() {
    let here = cut();
    let whole = here.bytes("whole/model.safetensors");
    here.good("train --resume cut --quiet --skip-test");
    assert!(here.bytes("cut/model.safetensors") == whole);
    std::fs::remove_file(here.path("cut/model.safetensors")).unwrap();
    here.good("train --resume cut --quiet --skip-test");
    assert!(here.bytes("cut/model.safetensors") == whole);
    // A model without a name beside a checkpoint that has one was written by an earlier version.
    let nameless = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo/vae-digits");
    std::fs::copy(nameless.join("model.safetensors"), here.path("cut/model.safetensors")).unwrap();
    here.good("train --resume cut --quiet --skip-test");
    assert!(here.bytes("cut/model.safetensors") == whole);
}

#[test]
fn files_without_names_are_read_as_they_are() {
    let here = program();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    copy_folder(&root.join("../../zoo/vae-digits"), &here.path("zoo"));
    copy_folder(&root.join("../ancestral/tests/stored/wgan-rings"), &here.path("stored"));
    for run in ["zoo", "stored"] {
        let output = here.run(&format!("sample {run} -n 4 --out drawn.csv"));
        assert!(output.status.success() && errors(&output).is_empty(), "{}", errors(&output));
    }
    here.good(&format!("train vae --steps 2 --out run {SMALL}"));
    here.good("pack run --out packed");
    let output = here.run("sample packed -n 4 --out drawn.csv");
    assert!(output.status.success() && errors(&output).is_empty(), "{}", errors(&output));
}
