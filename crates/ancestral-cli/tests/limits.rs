//! Sizes that no machine has room for are errors of usage, said before anything is allocated: with
//! an address space of 4 GB, and without a limit.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use toml::{Table, Value};

/// Runs the program with an address space of so many KiB.
fn within(kib: Option<u64>, folder: &Path, args: &[&str]) -> Output {
    let limit = kib.map_or("true".to_owned(), |kib| format!("ulimit -v {kib}"));
    Command::new("sh")
        .args(["-c", &format!("{limit} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_ancestral")])
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// 4 GB, and no limit.
const LIMITS: [Option<u64>; 2] = [Some(4_000_000), None];

fn said(output: &Output, args: &[&str]) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    for word in ["panicked", "backtrace", "memory allocation", "stack overflow"] {
        assert!(!errors.contains(word), "{args:?}: {errors}");
    }
    errors
}

/// Refused as wrong usage, in these words.
fn refused(limit: Option<u64>, folder: &Path, args: &[&str], words: &str) {
    let output = within(limit, folder, args);
    let errors = said(&output, args);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {errors}");
    assert!(errors.contains(words), "{args:?}: {errors}");
}

/// Refused for want of memory: how much it would need, how much there is, and what to lower.
fn too_large(limit: Option<u64>, folder: &Path, args: &[&str], lower: &str) {
    for words in [" would need about ", " and there are ", &format!("; lower {lower}")] {
        refused(limit, folder, args, words);
    }
}

fn good(limit: Option<u64>, folder: &Path, args: &[&str]) {
    let output = within(limit, folder, args);
    let errors = said(&output, args);
    assert!(output.status.success(), "{args:?}: {errors}");
}

#[test]
fn models_that_are_too_large_are_not_trained() {
    let dir = tempfile::tempdir().unwrap();
    let train = |limit, model: &str, set: &str, more: &[&str], lower: &str| {
        let args = [&["train", model, "--epochs", "1", "--set", set][..], more].concat();
        too_large(limit, dir.path(), &args, lower);
    };
    for (model, set, more, lower) in [
        ("vae", "hidden=[[10000000]]", &[][..], "hidden"),
        ("vae", "latent_dims=[1000000000]", &[], "latent_dims"),
        ("vae", "channels=[1000000000]", &[], "channels"),
        ("ae", "channels=[1000000000]", &[], "channels"),
        ("features", "channels=[1000000000]", &[], "channels"),
        ("vae", "importance_samples=1000000000", &[], "importance_samples"),
        ("rnade", "components=100000000", &["--data", "moons"], "components"),
        ("nade", "hidden=100000000", &[], "hidden"),
        ("deep-nade", "hidden=[50000,50000]", &[], "hidden"),
        ("made", "hidden=[50000,50000]", &[], "hidden"),
        ("gan", "code_dim=1000000000", &["--set", "loss=began"], "code_dim"),
        ("dcgan", "features=100000", &[], "features"),
    ] {
        train(LIMITS[0], model, set, more, lower);
    }
    // Of which no machine has as much.
    for (model, set, more, lower) in [
        ("vae", "hidden=[[1000000000000]]", &[][..], "hidden"),
        ("vae", "latent_dims=[1000000000000]", &[], "latent_dims"),
        ("vae", "channels=[1000000000000]", &[], "channels"),
        ("ae", "channels=[9223372036854775807]", &[], "channels"),
        ("features", "channels=[1000000000000]", &[], "channels"),
        ("vae", "importance_samples=9223372036854775807", &[], "importance_samples"),
        ("rnade", "components=1000000000000", &["--data", "moons"], "components"),
        ("nade", "hidden=9223372036854775807", &[], "hidden"),
        ("deep-nade", "hidden=[9223372036854775807]", &[], "hidden"),
        ("made", "hidden=[9223372036854775807]", &[], "hidden"),
        ("dcgan", "features=9223372036854775807", &[], "features"),
    ] {
        train(LIMITS[1], model, set, more, lower);
    }
    assert!(!dir.path().join("runs").exists(), "a run folder was made");
}

#[test]
fn batches_are_bounded_by_the_data_and_by_memory() {
    let dir = tempfile::tempdir().unwrap();
    let small = ["--set", "hidden=[[8]]", "--set", "latent_dims=[2]", "--epochs", "1"];
    for (i, limit) in LIMITS.into_iter().enumerate() {
        let out = format!("run{i}");
        let batch = ["train", "vae", "--batch-size", "9223372036854775807", "--out", &out];
        good(limit, dir.path(), &[&batch[..], &small].concat());
    }
    // All examples at once, with many samples each.
    let args = ["train", "vae", "--batch-size", "1000000", "--epochs", "1"];
    let samples = ["--set", "importance_samples=2000", "--set", "likelihood=categorical"];
    too_large(LIMITS[0], dir.path(), &[&args[..], &samples].concat(), "importance_samples");
    // What fits trains to its end within the limit.
    let wide = ["train", "vae", "--steps", "2", "--set", "hidden=[[2000,2000]]", "--out", "wide"];
    good(LIMITS[0], dir.path(), &wide);
}

/// A table as NumPy keeps it.
fn npy(path: &Path, rows: usize, columns: usize) {
    let shape = format!("({rows}, {columns}), }}");
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    let value = |i: usize| (i as f32 * 0.37).sin();
    bytes.extend((0..rows * columns).flat_map(|i| value(i).to_le_bytes()));
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_covariance_that_is_too_large_is_not_fitted() {
    let dir = tempfile::tempdir().unwrap();
    npy(&dir.path().join("wide.npy"), 4, 30_000);
    npy(&dir.path().join("wider.npy"), 3, 2_000_000);
    npy(&dir.path().join("narrow.npy"), 20, 300);
    let fit = |data: &'static str, covariance: &'static str| {
        ["fit", "gaussian", "--data", data, "--set", covariance, "--out", "fitted"]
    };
    for limit in LIMITS {
        refused(limit, dir.path(), &fit("wide.npy", "covariance=full"), "choose diagonal");
        let args = fit("wider.npy", "covariance=diagonal");
        too_large(limit, dir.path(), &args, "the size of the data (2000000 an example)");
    }
    let args = fit("wide.npy", "covariance=diagonal");
    too_large(LIMITS[0], dir.path(), &args, "the size of the data (30000 an example)");
    good(LIMITS[0], dir.path(), &fit("narrow.npy", "covariance=full"));
}

/// A run whose settings can be changed by hand.
struct Run {
    folder: tempfile::TempDir,
    name: &'static str,
}

impl Run {
    fn new(model: &str, settings: &[&str]) -> Self {
        Self::train(model, &["--epochs", "1"], settings)
    }

    fn train(model: &str, more: &[&str], settings: &[&str]) -> Self {
        let run = Self { folder: tempfile::tempdir().unwrap(), name: "run" };
        let args = [&["train", model, "--out", run.name, "--quiet"][..], more].concat();
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        good(None, run.folder.path(), &args.into_iter().chain(settings).collect::<Vec<_>>());
        run
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join(self.name).join("config.toml")
    }

    /// Runs `check` with values of a table changed, and puts back what was there.
    fn with(&self, table: &str, changes: &str, check: impl FnOnce(&Self)) {
        let before = fs::read_to_string(self.config()).unwrap();
        let mut config: Table = before.parse().unwrap();
        let Some(Value::Table(group)) = config.get_mut(table) else { panic!("no {table}") };
        group.extend(changes.parse::<Table>().unwrap());
        fs::write(self.config(), config.to_string()).unwrap();
        check(self);
        fs::write(self.config(), before).unwrap();
    }

    /// Every command that makes the model.
    fn commands(&self) -> [Vec<&str>; 3] {
        let name = self.name;
        [
            vec!["sample", name, "-n", "4", "--out", "drawn.npy"],
            vec!["evaluate", name],
            vec!["train", "--resume", name, "--epochs", "2"],
        ]
    }

    fn too_large(&self, lower: &str) {
        for limit in LIMITS {
            for args in self.commands() {
                too_large(limit, self.folder.path(), &args, lower);
            }
        }
    }

    fn refused(&self, words: &str) {
        for limit in LIMITS {
            for args in self.commands() {
                refused(limit, self.folder.path(), &args, words);
            }
        }
    }
}

#[test]
fn settings_of_a_run_that_were_changed_by_hand_are_no_larger_than_memory() {
    let run = Run::new("vae", &["hidden=[[8]]", "latent_dims=[2]", "conditional=true"]);
    run.with("settings", "hidden = [[1000000000000]]", |run| run.too_large("hidden"));
    run.with("settings", "latent_dims = [1000000000000]", |run| run.too_large("latent_dims"));
    run.with("settings", "channels = [1000000000000]", |run| run.too_large("channels"));
    run.with("data", "shape = [1, 40000, 40000]", |run| {
        too_large(LIMITS[0], run.folder.path(), &run.commands()[0], "");
    });
    run.with("data", "shape = [4611686018427387904, 4]", |run| run.refused("an example has 1 to"));
    run.with("data", "shape = []\nlevels = 0", |run| run.refused("give 2 or more"));
    run.with("data", "levels = 0", |run| run.refused("give 2 or more"));
    run.with("data", "classes = 9000000000000000000", |run| run.too_large("the size of the data"));
    let categorical = |run: &Run, changes: &str, check: &dyn Fn(&Run)| {
        run.with("settings", "likelihood = 'categorical'\nhidden = [[1000]]", |run| {
            run.with("data", changes, |run| check(run));
        });
    };
    categorical(&run, "levels = 4294967295", &|run| {
        for args in run.commands() {
            too_large(LIMITS[0], run.folder.path(), &args, "hidden");
        }
    });
    // As it was, it still works.
    good(LIMITS[0], run.folder.path(), &run.commands()[0]);
    // Samples that are asked for one by one are bounded too.
    run.with("settings", "importance_samples = 9000000000000000000", |run| {
        let args = &run.commands()[2];
        too_large(None, run.folder.path(), args, "importance_samples");
    });
}

#[test]
fn runs_of_other_families_are_held_to_the_same() {
    let run = Run::new("nade", &["hidden=5"]);
    run.with("settings", "hidden = 1000000000000", |run| run.too_large("hidden"));
    run.with("data", "levels = 4294967295\nshape = [1, 40, 40]", |run| {
        for args in run.commands() {
            too_large(LIMITS[0], run.folder.path(), &args, "");
        }
    });
    let run = Run::new("gan", &["generator_hidden=[4]", "critic_hidden=[4]", "network=mlp"]);
    run.with("settings", "latent_dims = 1000000000000", |run| run.too_large("latent_dims"));
    run.with("settings", "generator_hidden = [1000000000000]", |run| {
        run.too_large("generator_hidden");
    });
}

#[test]
fn more_samples_than_there_is_memory_for_are_refused() {
    let run = Run::new("vae", &["hidden=[[8]]", "latent_dims=[2]"]);
    let here = run.folder.path();
    for (limit, count) in
        [(LIMITS[0], "1000000000"), (None, "1000000000000"), (None, "18446744073709551615")]
    {
        for out in ["drawn.png", "drawn.npy", "drawn.csv"] {
            too_large(limit, here, &["sample", "run", "-n", count, "--out", out], "-n");
        }
        too_large(limit, here, &["interpolate", "run", "-n", count], "the number of steps");
        let samples = ["--samples", count];
        let lower = "the number of importance samples";
        too_large(limit, here, &[&["evaluate", "run"][..], &samples].concat(), lower);
        let score = ["score", "run", "--data", "digits", "--split", "test"];
        too_large(limit, here, &[&score[..], &samples].concat(), lower);
    }
    good(LIMITS[0], here, &["evaluate", "run", "--samples", "1000", "--limit", "3"]);
    let plane = ["generator_hidden=[4]", "critic_hidden=[4]"];
    let run = Run::train("gan", &["--data", "rings:8", "--steps", "5"], &plane);
    for (limit, count) in [(LIMITS[0], "1000000000"), (None, "18446744073709551615")] {
        let args = ["evaluate", "run", "--quality", "--samples-count", count];
        too_large(limit, run.folder.path(), &args, "the number of samples");
    }
    // Completions are copies of what is given.
    let run = Run::new("nade", &["hidden=5"]);
    let complete = ["sample", "run", "--complete", "digits", "--mask", "top", "-n"];
    for (limit, count) in [(LIMITS[0], "10000000"), (None, "18446744073709551615")] {
        let args = [&complete[..], &[count, "--out", "completed.npy"]].concat();
        too_large(limit, run.folder.path(), &args, "the number of samples");
    }
}
