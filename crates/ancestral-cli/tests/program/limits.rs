//! Sizes that no machine has room for are errors of usage, said before anything is allocated: with
//! an address space of 4 GB, and without a limit.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ancestral_test_support::{Program, errors};
use toml::{Table, Value};

use crate::{PROGRAM, program};

/// Runs the program with an address space of so many KiB.
fn within(kib: Option<u64>, here: &Program, line: &str) -> Output {
    let limit = kib.map_or("true".to_owned(), |kib| format!("ulimit -v {kib}"));
    Command::new("sh")
        .args(["-c", &format!("{limit} && exec \"$0\" \"$@\""), PROGRAM])
        .args(line.split_whitespace())
        .current_dir(here.folder())
        .output()
        .unwrap()
}

/// 4 GB, and no limit.
const LIMITS: [Option<u64>; 2] = [Some(4_000_000), None];

fn said(output: &Output, line: &str) -> String {
    let errors = errors(output);
    for word in ["memory allocation", "stack overflow"] {
        assert!(!errors.contains(word), "{line}: {errors}");
    }
    errors
}

/// Refused as wrong usage, in these words.
fn refused(limit: Option<u64>, here: &Program, line: &str, words: &[&str]) {
    let output = within(limit, here, line);
    let errors = said(&output, line);
    assert_eq!(output.status.code(), Some(2), "{line}: {errors}");
    for words in words {
        assert!(errors.contains(words), "{line}: {errors}");
    }
}

/// Refused for want of memory: how much it would need, how much there is, and what to lower.
fn too_large(limit: Option<u64>, here: &Program, line: &str, lower: &str) {
    let lower = format!("; lower {lower}");
    refused(limit, here, line, &[" would need about ", " and there are ", &lower]);
}

fn good(limit: Option<u64>, here: &Program, line: &str) {
    let output = within(limit, here, line);
    let errors = said(&output, line);
    assert!(output.status.success(), "{line}: {errors}");
}

#[test]
fn models_that_are_too_large_are_not_trained() {
    let here = program();
    let train = |limit, model: &str, set: &str, more: &str, lower: &str| {
        too_large(limit, &here, &format!("train {model} --epochs 1 --set {set} {more}"), lower);
    };
    for (model, set, more, lower) in [
        ("vae", "hidden=[[10000000]]", "", "hidden"),
        ("vae", "latent_dims=[1000000000]", "", "latent_dims"),
        ("vae", "channels=[1000000000]", "", "channels"),
        ("ae", "channels=[1000000000]", "", "channels"),
        ("features", "channels=[1000000000]", "", "channels"),
        ("vae", "importance_samples=1000000000", "", "importance_samples"),
        ("rnade", "components=100000000", "--data moons", "components"),
        ("nade", "hidden=100000000", "", "hidden"),
        ("deep-nade", "hidden=[50000,50000]", "", "hidden"),
        ("made", "hidden=[50000,50000]", "", "hidden"),
        ("gan", "code_dim=1000000000", "--set loss=began", "code_dim"),
        ("dcgan", "features=100000", "", "features"),
    ] {
        train(LIMITS[0], model, set, more, lower);
    }
    // Of which no machine has as much.
    for (model, set, more, lower) in [
        ("vae", "hidden=[[1000000000000]]", "", "hidden"),
        ("vae", "latent_dims=[1000000000000]", "", "latent_dims"),
        ("vae", "channels=[1000000000000]", "", "channels"),
        ("ae", "channels=[9223372036854775807]", "", "channels"),
        ("features", "channels=[1000000000000]", "", "channels"),
        ("vae", "importance_samples=9223372036854775807", "", "importance_samples"),
        ("rnade", "components=1000000000000", "--data moons", "components"),
        ("nade", "hidden=9223372036854775807", "", "hidden"),
        ("deep-nade", "hidden=[9223372036854775807]", "", "hidden"),
        ("made", "hidden=[9223372036854775807]", "", "hidden"),
        ("dcgan", "features=9223372036854775807", "", "features"),
    ] {
        train(LIMITS[1], model, set, more, lower);
    }
    assert!(!here.path("runs").exists(), "a run folder was made");
}

#[test]
fn batches_are_bounded_by_the_data_and_by_memory() {
    let here = program();
    let small = "--set hidden=[[8]] --set latent_dims=[2] --epochs 1";
    for (i, limit) in LIMITS.into_iter().enumerate() {
        let line = format!("train vae --batch-size 9223372036854775807 {small} --out run{i}");
        good(limit, &here, &line);
    }
    // All examples at once, with many samples each.
    let samples = "--set importance_samples=2000 --set likelihood=categorical";
    let line = format!("train vae --batch-size 1000000 --epochs 1 {samples}");
    too_large(LIMITS[0], &here, &line, "importance_samples");
    // What fits trains to its end within the limit.
    good(LIMITS[0], &here, "train vae --steps 2 --set hidden=[[2000,2000]] --out wide");
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
    let here = program();
    npy(&here.path("wide.npy"), 4, 30_000);
    npy(&here.path("wider.npy"), 3, 2_000_000);
    npy(&here.path("narrow.npy"), 20, 300);
    let fit = |data: &str, covariance: &str| {
        format!("fit gaussian --data {data} --set covariance={covariance} --out fitted")
    };
    for limit in LIMITS {
        refused(limit, &here, &fit("wide.npy", "full"), &["choose diagonal"]);
        let line = fit("wider.npy", "diagonal");
        too_large(limit, &here, &line, "the size of the data (2000000 an example)");
    }
    let line = fit("wide.npy", "diagonal");
    too_large(LIMITS[0], &here, &line, "the size of the data (30000 an example)");
    good(LIMITS[0], &here, &fit("narrow.npy", "full"));
}

/// A run, `run`, whose settings can be changed by hand.
struct Run {
    here: Program,
}

impl Run {
    fn new(model: &str, settings: &[&str]) -> Self {
        Self::train(model, "--epochs 1", settings)
    }

    fn train(model: &str, more: &str, settings: &[&str]) -> Self {
        let here = program();
        let settings: String = settings.iter().map(|setting| format!(" --set {setting}")).collect();
        here.good(&format!("train {model} --out run --quiet {more}{settings}"));
        Self { here }
    }

    fn config(&self) -> PathBuf {
        self.here.path("run/config.toml")
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

    fn too_large(&self, lower: &str) {
        for limit in LIMITS {
            for line in COMMANDS {
                too_large(limit, &self.here, line, lower);
            }
        }
    }

    fn refused(&self, words: &str) {
        for limit in LIMITS {
            for line in COMMANDS {
                refused(limit, &self.here, line, &[words]);
            }
        }
    }
}

/// Every command that makes the model.
const COMMANDS: [&str; 3] =
    ["sample run -n 4 --out drawn.npy", "evaluate run", "train --resume run --epochs 2"];

#[test]
fn settings_of_a_run_that_were_changed_by_hand_are_no_larger_than_memory() {
    let run = Run::new("vae", &["hidden=[[8]]", "latent_dims=[2]", "conditional=true"]);
    run.with("settings", "hidden = [[1000000000000]]", |run| run.too_large("hidden"));
    run.with("settings", "latent_dims = [1000000000000]", |run| run.too_large("latent_dims"));
    run.with("settings", "channels = [1000000000000]", |run| run.too_large("channels"));
    run.with("data", "shape = [1, 40000, 40000]", |run| {
        too_large(LIMITS[0], &run.here, COMMANDS[0], "");
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
        for line in COMMANDS {
            too_large(LIMITS[0], &run.here, line, "hidden");
        }
    });
    // As it was, it still works.
    good(LIMITS[0], &run.here, COMMANDS[0]);
    // Samples that are asked for one by one are bounded too.
    run.with("settings", "importance_samples = 9000000000000000000", |run| {
        too_large(None, &run.here, COMMANDS[2], "importance_samples");
    });
}

#[test]
fn runs_of_other_families_are_held_to_the_same() {
    let run = Run::new("nade", &["hidden=5"]);
    run.with("settings", "hidden = 1000000000000", |run| run.too_large("hidden"));
    run.with("data", "levels = 4294967295\nshape = [1, 40, 40]", |run| {
        for line in COMMANDS {
            too_large(LIMITS[0], &run.here, line, "");
        }
    });
    let run = Run::new("gan", &["generator_hidden=[4]", "critic_hidden=[4]", "network=mlp"]);
    run.with("settings", "latent_dims = 1000000000000", |run| run.too_large("latent_dims"));
    run.with("settings", "generator_hidden = [1000000000000]", |run| {
        run.too_large("generator_hidden");
    });
}

#[test]
fn data_is_checked_against_memory_before_it_is_held() {
    let here = program();
    // What repeats is packed a thousand times.
    let pack = |line: &str, out: &str| {
        let line = format!("{line} | gzip -1 > {out}");
        let packed = Command::new("sh").args(["-c", &line]).current_dir(here.folder()).status();
        assert!(packed.unwrap().success());
    };
    npy(&here.path("head.npy"), 1, 1);
    let head = fs::read(here.path("head.npy")).unwrap();
    let text = String::from_utf8_lossy(&head[10..128]).replace("(1, 1), }  ", "(200000000, 1), }");
    let text: String = text.trim_end().to_owned();
    let head = [&head[..10], format!("{text:<117}\n").as_bytes()].concat();
    fs::write(here.path("head.npy"), head).unwrap();
    pack("(cat head.npy; head -c 800000000 /dev/zero)", "zeros.npy.gz");
    let row = vec!["0.5"; 500].join(",");
    pack(&format!("yes '{row}' | head -n 200000"), "zeros.csv.gz");
    for file in ["zeros.npy.gz", "zeros.csv.gz"] {
        let words = ["its data would need more than", "of memory are available"];
        refused(Some(700_000), &here, &format!("data show {file}"), &words);
    }
}

#[test]
fn more_samples_than_there_is_memory_for_are_refused() {
    let run = Run::new("vae", &["hidden=[[8]]", "latent_dims=[2]"]);
    let here = &run.here;
    for count in ["1000000000000000", "9223372036854775807", "18446744073709551615"] {
        let sample = format!("sample run -n {count} --out");
        for limit in LIMITS {
            for out in ["drawn.npy", "drawn.csv", "drawn/"] {
                let line = format!("{sample} {out}");
                refused(limit, here, &line, &["would be written", "free; lower -n"]);
            }
            let most = "an image holds at most 65536 samples";
            refused(limit, here, &format!("{sample} drawn.png"), &[most]);
        }
        refused(None, here, &format!("evaluate run --samples {count}"), &["at most 1000000000"]);
        refused(None, here, &format!("evaluate run --orderings {count}"), &["at most 1000000"]);
        let score = format!("score run --data digits --samples {count}");
        refused(None, here, &score, &["at most 1000000000"]);
    }
    too_large(Some(1_000_000), here, "sample run -n 65536", "-n");
    too_large(None, here, "interpolate run -n 100000000000000", "the number of steps");
    let steps = "interpolate run -n 100000000000000";
    too_large(LIMITS[0], here, steps, "the number of steps");
    let (samples, lower) = ("--samples 1000000000", "the number of importance samples");
    too_large(LIMITS[0], here, &format!("evaluate run {samples}"), lower);
    let score = format!("score run --data digits --split test {samples}");
    too_large(LIMITS[0], here, &score, lower);
    good(LIMITS[0], here, "evaluate run --samples 1000 --limit 3");
    let plane = ["generator_hidden=[4]", "critic_hidden=[4]"];
    let run = Run::train("gan", "--data rings:8 --steps 5", &plane);
    for (limit, count) in [(LIMITS[0], "1000000000"), (None, "18446744073709551615")] {
        let line = format!("evaluate run --quality --samples-count {count}");
        too_large(limit, &run.here, &line, "the number of samples");
    }
    // Completions are copies of what is given.
    let run = Run::new("nade", &["hidden=5"]);
    let complete = "sample run --complete digits --mask top --out completed.npy";
    for (limit, count) in [(LIMITS[0], "10000000"), (None, "18446744073709551615")] {
        too_large(limit, &run.here, &format!("{complete} -n {count}"), "the number of samples");
    }
}
