//! What a run folder survives: kills at any moment, a disk that is full, a place that cannot be
//! written, a second process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ancestral::run::{RunFolder, Weights};
use ancestral::train::Event;
use ancestral_data::Streams;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ancestral");
/// A run that does little but write.
const RUN: [&str; 9] = [
    "train",
    "vae",
    "--quiet",
    "--set",
    "checkpoint_seconds=0",
    "--set",
    "hidden=[[8]]",
    "--set",
    "latent_dims=[2]",
];

fn start(here: &Path, args: &[&str]) -> std::process::Child {
    Command::new(PROGRAM)
        .current_dir(here)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn five_hundred_kills_leave_no_unreadable_run() {
    let dir = tempfile::tempdir().unwrap();
    let moments = Streams::new(0).purpose("kills", 0).uniforms(&[0], 500);
    let (mut begun, mut resumed) = (0, 0);
    for (kill, moment) in moments.iter().enumerate() {
        // Ten kills of one run, then a new one.
        let name = format!("run-{}", kill / 10);
        let path = dir.path().join(&name);
        let mut child = if path.exists() {
            resumed += 1;
            start(dir.path(), &["train", "--quiet", "--resume", &name])
        } else {
            start(dir.path(), &[&RUN[..], &["--epochs", "100000", "--out", &name]].concat())
        };
        // A start takes some ten milliseconds.
        std::thread::sleep(Duration::from_secs_f32(0.08 * moment));
        child.kill().unwrap();
        child.wait().unwrap();
        if path.exists() {
            begun += 1;
            let run = RunFolder::open(&path)
                .unwrap_or_else(|error| panic!("kill {kill} of {name}: {error}"));
            if path.join("last.safetensors").exists() {
                run.load(&ancestral::Registry::standard(), &ancestral::spec::cpu(), Weights::Last)
                    .unwrap_or_else(|e| panic!("kill {kill} of {name}: {e}"));
            }
            if path.join("model.safetensors").exists() {
                run.load(&ancestral::Registry::standard(), &ancestral::spec::cpu(), Weights::Best)
                    .unwrap_or_else(|e| panic!("kill {kill} of {name}: {e}"));
            }
            let events = run.events().unwrap();
            assert!(events.iter().filter_map(Event::entry).all(|entry| entry.seconds.is_finite()));
        }
    }
    for kill in 0..50 {
        let path = dir.path().join(format!("run-{kill}"));
        if let Ok(mut run) = RunFolder::open(&path) {
            run.lock().unwrap();
            let litter = std::fs::read_dir(&path)
                .unwrap()
                .any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(".tmp"));
            assert!(!litter, "half-written files stay in {}", path.display());
        }
    }
    assert!(begun > 300 && resumed > 200, "too few kills met a run: {begun}, {resumed}");
}

#[test]
fn a_full_disk_is_an_error_and_the_checkpoint_stays() {
    let dir = tempfile::tempdir().unwrap();
    let shell = |blocks: u32, command: &str| {
        // A limit on the size of files stands for a disk that is full in the middle of one.
        Command::new("sh")
            .current_dir(dir.path())
            .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec {PROGRAM} {command}")])
            .output()
            .unwrap()
    };
    let first = shell(100_000, &format!("{} --epochs 2 --out run", RUN.join(" ")));
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let before = std::fs::read(dir.path().join("run/model.safetensors")).unwrap();
    let second = shell(2, "train vae --epochs 2 --quiet --out other");
    let errors = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && !errors.contains("panicked"), "{errors}");
    assert!(errors.contains("other"), "{errors}");
    let third = shell(2, "sample run -n 4000 --out samples.npy");
    let errors = String::from_utf8_lossy(&third.stderr).into_owned();
    assert!(!third.status.success() && errors.contains("samples.npy"), "{errors}");
    assert!(!dir.path().join("samples.npy").exists());
    assert_eq!(before, std::fs::read(dir.path().join("run/model.safetensors")).unwrap());
}

#[test]
fn a_place_that_cannot_be_written_is_named_before_training() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(PROGRAM)
        .current_dir(dir.path())
        .args([&RUN[..], &["--epochs", "1", "--out", "/proc/run"]].concat())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{errors}");
    assert!(errors.contains("/proc/run") && !errors.contains("panicked"), "{errors}");
}

#[test]
fn a_second_process_in_one_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut first =
        start(dir.path(), &[&RUN[..], &["--epochs", "100000", "--out", "run"]].concat());
    let model = dir.path().join("run/last.safetensors");
    for _ in 0..500 {
        if model.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let second =
        Command::new(PROGRAM).current_dir(dir.path()).args(["train", "--resume", "run"]).output();
    let second = second.unwrap();
    let third = Command::new(PROGRAM)
        .current_dir(dir.path())
        .args([&RUN[..], &["--epochs", "1", "--out", "run"]].concat())
        .output()
        .unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    let errors = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && errors.contains("another process"), "{errors}");
    let errors = String::from_utf8_lossy(&third.stderr).into_owned();
    assert!(!third.status.success() && errors.contains("--resume"), "{errors}");
}

#[test]
fn of_processes_that_race_for_one_folder_one_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let racers: Vec<_> = (0..6)
        .map(|_| {
            Command::new(PROGRAM)
                .current_dir(dir.path())
                .args([&RUN[..], &["--epochs", "1", "--out", "run"]].concat())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        let output = racer.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => won += 1,
            code => assert!(code == Some(2) && errors.contains("exists already"), "{errors}"),
        }
    }
    assert_eq!(won, 1);
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 1, "half-made folders stay");
}
