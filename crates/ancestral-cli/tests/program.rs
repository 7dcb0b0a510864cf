//! The program as a user runs it: good input, bad input, kills and resumes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use std::path::Path;
use std::process::{Command, Output};

fn ancestral(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ancestral")).current_dir(folder).args(args).output().unwrap()
}

fn good(folder: &Path, args: &[&str]) -> String {
    let output = ancestral(folder, args);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn bad(folder: &Path, args: &[&str], code: i32, words: &str) {
    let output = ancestral(folder, args);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
    assert!(errors.contains(words), "{args:?}: {errors}");
    assert!(!errors.contains("panicked") && !errors.contains("backtrace"), "{args:?}: {errors}");
}

#[test]
fn the_commands_of_the_readme_work() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let said = good(here, &["train", "vae", "--epochs", "3"]);
    assert!(said.contains("test negative log-likelihood"), "{said}");
    assert!(said.trim_end().ends_with("runs/vae-digits-1/samples.png"), "{said}");
    let run = "runs/vae-digits-1";
    good(here, &["sample", run, "-n", "100", "--out", "more.png"]);
    let said = good(here, &["evaluate", run, "--samples", "20", "--json"]);
    for key in ["nll_nats", "nll_stderr", "mc_stderr", "bits_per_dim", "\"kind\":\"bound\""] {
        assert!(said.contains(key), "{said}");
    }
    let test = ["score", run, "--data", "digits", "--split", "test", "--samples", "5"];
    good(here, &[&test[..], &["--out", "scores.csv"]].concat());
    let scores = std::fs::read_to_string(here.join("scores.csv")).unwrap();
    assert_eq!(scores.lines().count(), 301);
    good(here, &["reconstruct", run]);
    good(here, &["interpolate", run, "--from", "0", "--to", "5"]);
    good(here, &["latent", run]);
    let said = good(here, &["fit", "bernoulli", "--counts", "900/1300"]);
    assert!(said.contains("0.6923 ± 0.0128"), "{said}");
    good(here, &["models", "vae"]);
    good(here, &["data", "list"]);
    assert!(good(here, &["runs"]).contains(run));
    for file in ["more.png", "reconstructions.png", "interpolation.png", "latent.png"] {
        assert!(here.join(file).metadata().unwrap().len() > 500, "{file}");
    }
}

#[test]
fn an_autoencoder_draws_what_it_gives_back_and_has_no_density() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let said = good(here, &["train", "ae", "--epochs", "2", "--preset", "convolutional"]);
    assert!(said.contains("reconstructions.png"), "{said}");
    let said = good(here, &["evaluate", "runs/ae-digits-1"]);
    assert!(said.contains("no log-probability"), "{said}");
    good(here, &["encode", "runs/ae-digits-1"]);
    bad(here, &["sample", "runs/ae-digits-1"], 2, "ae");
}

#[test]
fn the_zoo_draws_and_scores_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo");
    let mut seen = 0;
    for entry in std::fs::read_dir(&zoo).unwrap() {
        let model = entry.unwrap().path();
        if !model.is_dir() {
            continue;
        }
        let path = model.to_str().unwrap();
        good(here, &["sample", path, "-n", "9", "--out", "drawn.png"]);
        let weights = model.join("model.safetensors").metadata().unwrap().len();
        assert!(weights < 4_000_000, "{path}: {weights} bytes");
        seen += 1;
    }
    assert!(seen >= 4);
    let digits = zoo.join("vae-digits");
    let args = ["evaluate", digits.to_str().unwrap(), "--samples", "5000", "--quiet"];
    let nll: f64 = good(here, &args).trim().parse().unwrap();
    assert!((nll - 92.21).abs() < 0.05, "{nll}");
}

#[test]
fn explanations_hold() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let said = good(here, &["explain", "elbo", "--epochs", "20", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&said).unwrap();
    let rows = found["figures"].as_array().unwrap();
    assert_eq!(rows.len(), 12);
    for row in rows {
        let figure = |name: &str| row[name].as_f64().unwrap();
        let gap = figure("log_p") - figure("elbo") - figure("kl");
        assert!(gap.abs() < 0.002 + 5.0 * figure("elbo_stderr"), "{row}");
        assert!(figure("kl") > 0.0, "{row}");
    }
    let said = good(here, &["explain", "density"]);
    assert!(said.contains("height at 0 is 3.989, the area is 1.0000"), "{said}");
    good(here, &["explain", "ae-vs-vae", "--epochs", "2", "--out", "both"]);
    for file in ["both/decoded.png", "both/codes-vae.png", "explain-elbo/gap.png"] {
        assert!(here.join(file).metadata().unwrap().len() > 500, "{file}");
    }
    bad(here, &["explain", "elbo"], 2, "exists already");
    bad(here, &["explain", "elb"], 2, "elbo");
    bad(here, &["explain", "elbo", "--epochs", "0", "--out", "none"], 2, "--epochs");
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_that_cannot_be_written_is_no_panic() {
    use std::process::Stdio;
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let run = |args: &[&str], stdout: Stdio| {
        Command::new(env!("CARGO_BIN_EXE_ancestral"))
            .current_dir(here)
            .args(args)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let train = ["train", "vae", "--epochs", "1", "--set", "sample_count=0"];
    for args in [&["models", "vae"][..], &["completions", "fish"], &["data", "list"], &train] {
        // A reader that has gone ends nothing: what goes to files is written all the same.
        let mut child = run(args, Stdio::piped());
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {errors}");
        assert!(!errors.contains("panicked"), "{args:?}: {errors}");
        // A full disk is said.
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = run(args, full.into()).wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {errors}");
        assert!(errors.contains("standard output"), "{args:?}: {errors}");
        assert!(!errors.contains("panicked"), "{args:?}: {errors}");
    }
    assert!(here.join("runs/vae-digits-1/model.safetensors").exists());
}

#[test]
fn json_is_one_object_and_quiet_is_one_path() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let object = |said: &str| serde_json::from_str::<serde_json::Value>(said).unwrap();
    let begun = good(here, &["train", "vae", "--epochs", "1", "--out", "run", "--json"]);
    assert_eq!(object(&begun)["finished"], true);
    let resumed = good(here, &["train", "--resume", "run", "--json"]);
    assert_eq!(object(&resumed)["step"], object(&begun)["step"]);
    assert_eq!(good(here, &["train", "--resume", "run", "--quiet"]).lines().count(), 1);
}

#[test]
fn wrong_input_is_named_and_ends_with_2() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    bad(here, &["train", "vea"], 2, "did you mean 'vae'?");
    bad(here, &["train", "vae", "--set", "latent_dim=3"], 2, "did you mean 'latent_dims'?");
    bad(here, &["train", "vae", "--set", "beta=-1"], 2, "setting 'beta' is -1");
    bad(here, &["train", "vae", "--data", "nowhere.csv"], 2, "nowhere.csv");
    bad(here, &["train", "vae", "--preset", "best"], 2, "burda-1l");
    bad(here, &["train", "vae", "--time", "soon"], 2, "90s");
    bad(here, &["train", "vae", "--device", "gpu"], 2, "cpu");
    bad(here, &["train", "gaussian"], 2, "ancestral fit gaussian");
    bad(here, &["train", "gan"], 2, "rows of reals");
    bad(here, &["train", "vae", "--set", "likelihood=bernoulli"], 2, "--binarize");
    bad(here, &["sample", "nowhere"], 2, "does not exist");
    bad(here, &["evaluate", "."], 2, "not a run folder");
    bad(here, &["fit", "bernoulli", "--counts", "3/2"], 2, "no more heads than tosses");
    assert!(!here.join("runs").exists(), "a refused command left a folder behind");
    std::fs::write(here.join("rows.csv"), "a,b\n1.5,2\n0.1,x\n").unwrap();
    bad(here, &["train", "vae", "--data", "rows.csv"], 2, "rows.csv");
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let flags = ["--epochs", "40", "--set", "checkpoint_seconds=0", "--set", "sample_count=0"];
    good(here, &[&["train", "vae", "--quiet", "--out", "whole"], &flags[..]].concat());
    let mut child = Command::new(env!("CARGO_BIN_EXE_ancestral"))
        .current_dir(here)
        .args([&["train", "vae", "--quiet", "--out", "parts"], &flags[..]].concat())
        .spawn()
        .unwrap();
    for milliseconds in [150, 400, 250, 333] {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        // SIGKILL on Unix; a run that has ended already cannot be killed.
        let _ = child.kill();
        child.wait().unwrap();
        if here.join("parts").exists() {
            child = Command::new(env!("CARGO_BIN_EXE_ancestral"))
                .current_dir(here)
                .args(["train", "--resume", "parts", "--quiet"])
                .spawn()
                .unwrap();
        }
    }
    child.wait().unwrap();
    good(here, &["train", "--resume", "parts", "--quiet"]);
    let bytes = |run: &str| std::fs::read(here.join(run).join("model.safetensors")).unwrap();
    assert!(bytes("whole") == bytes("parts"), "the weights differ");
}
