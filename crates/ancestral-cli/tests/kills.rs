//! What a run folder survives: kills at any moment, a disk that is full, a place that cannot be
//! written, a second process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ancestral::run::{RunFolder, Weights};
use ancestral::train::Event;
use ancestral_data::Streams;
use ancestral_test_support::{Program, errors};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ancestral");
/// A run that does little but write.
const RUN: &str = "train vae --quiet --set checkpoint_seconds=0 --set hidden=[[8]] \
                   --set latent_dims=[2]";

fn start(here: &Program, line: &str) -> Child {
    here.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn five_hundred_kills_leave_no_unreadable_run() {
    let here = Program::new(PROGRAM);
    let moments = Streams::new(0).purpose("kills", 0).uniforms(&[0], 500);
    let (mut begun, mut resumed) = (0, 0);
    for (kill, moment) in moments.iter().enumerate() {
        // Ten kills of one run, then a new one.
        let name = format!("run-{}", kill / 10);
        let path = here.path(&name);
        let mut child = if path.exists() {
            resumed += 1;
            start(&here, &format!("train --quiet --resume {name}"))
        } else {
            start(&here, &format!("{RUN} --epochs 100000 --out {name}"))
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
        let path = here.path(&format!("run-{kill}"));
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

/// Kills right before and right after a checkpoint or its model takes its name, in five families of
/// models; resumed, each run ends as one that was not disturbed.
#[test]
fn kills_around_renames_cost_nothing() {
    let here = Program::new(PROGRAM);
    let mut behind = 0;
    for (family, settings) in [
        ("vae", "--set hidden=[[8]] --set latent_dims=[2]"),
        ("nade", "--binarize threshold --set hidden=4"),
        ("wgan", "--data rings:3 --set generator_hidden=[4] --set critic_hidden=[4]"),
        ("ae", "--set hidden=[8] --set latent_dims=2"),
        ("features", "--set channels=[4]"),
    ] {
        let train = format!(
            "train {family} {settings} --steps 12 --batch-size 50 --quiet --skip-test \
             --set sample_count=0 --set checkpoint_seconds=0"
        );
        let whole = format!("{family}-whole");
        assert!(here.run(&format!("{train} --out {whole}")).status.success());
        for kill in 0..10 {
            let name = format!("{family}-{kill}");
            let mut child = start(&here, &format!("{train} --out {name}"));
            let file = ["last.safetensors", "model.safetensors"][kill % 2];
            let path = here.path(&name).join(file);
            // At the first of some renames, or when the next file is about to be renamed.
            let mut left = 1 + kill / 2 * 2;
            let mut last = None;
            while child.try_wait().unwrap().is_none() {
                let found = std::fs::metadata(&path).ok().map(|meta| meta.ino());
                if found.is_some() && found != last {
                    last = found;
                    left -= 1;
                    if left == 0 {
                        if kill % 4 >= 2 {
                            wait_for_temporary(&here.path(&name));
                        }
                        child.kill().unwrap();
                        break;
                    }
                }
            }
            child.wait().unwrap();
            behind += usize::from(RunFolder::open(&here.path(&name)).unwrap().is_behind());
            let resumed = here.run(&format!("train --resume {name} --quiet --skip-test"));
            assert!(resumed.status.success(), "{name}: {}", errors(&resumed));
            let model = |run: &str| here.bytes(&format!("{run}/model.safetensors"));
            assert!(model(&name) == model(&whole), "{name}");
        }
    }
    println!("50 kills around renames, {behind} of them between the two files");
}

/// Waits until a file of a folder has a temporary name, or a moment.
fn wait_for_temporary(folder: &std::path::Path) {
    for _ in 0..2000 {
        let mut names = std::fs::read_dir(folder).unwrap().flatten();
        if names.any(|entry| entry.file_name().to_string_lossy().ends_with(".tmp")) {
            return;
        }
    }
}

/// Half-written files and folders that kills leave beside a target are removed by the next command
/// with the same target.
#[test]
fn what_kills_leave_beside_a_target_does_not_grow() {
    let here = Program::new(PROGRAM);
    assert!(here.run("train vae --steps 2 --quiet --skip-test --out run").status.success());
    let rows: String = (0..3_000_000).map(|i| format!("{},{}\n", i % 7, i % 5)).collect();
    here.write("rows.csv", format!("x,y\n{rows}"));
    here.write("few.csv", "x,y\n1,2\n2,3\n3,1\n4,4\n5,9\n2,6\n7,1\n8,8\n9,5\n1,7\n3,3\n6,2\n");
    assert!(here.run("fit gaussian --data few.csv --out g --quiet").status.success());
    let hidden = || {
        let names = std::fs::read_dir(here.folder()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with('.')).collect::<Vec<_>>()
    };
    for (long, short) in [
        ("sample run -n 300000 --out drawn.npy", "sample run -n 4 --out drawn.npy"),
        ("sample run -n 300000 --out drawn.csv", "sample run -n 4 --out drawn.csv"),
        ("sample run -n 300000 --out images/", "sample run -n 4 --out images/"),
        ("score g --data rows.csv --out scores.csv", "score g --data few.csv --out scores.csv"),
    ] {
        let mut met = 0;
        for _ in 0..3 {
            let mut child = start(&here, long);
            while child.try_wait().unwrap().is_none() {
                let process = format!(".{}-", child.id());
                if hidden().iter().any(|name| name.contains(&process)) {
                    met += 1;
                    child.kill().unwrap();
                    break;
                }
            }
            child.wait().unwrap();
            // A process writes two at once where an array becomes one of double precision.
            assert!(hidden().len() <= 2, "{long}: {:?}", hidden());
        }
        assert_eq!(met, 3, "{long}");
        let output = here.run(&format!("{short} --quiet"));
        assert!(output.status.success(), "{}", errors(&output));
        assert_eq!(hidden(), Vec::<String>::new(), "{long}");
    }
}

#[test]
fn a_full_disk_is_an_error_and_the_checkpoint_stays() {
    let here = Program::new(PROGRAM);
    let shell = |blocks: u32, line: &str| {
        // A limit on the size of files stands for a disk that is full in the middle of one.
        Command::new("sh")
            .current_dir(here.folder())
            .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec {PROGRAM} {line}")])
            .output()
            .unwrap()
    };
    let first = shell(100_000, &format!("{RUN} --epochs 2 --out run"));
    assert!(first.status.success(), "{}", errors(&first));
    let before = here.bytes("run/model.safetensors");
    let second = shell(2, "train vae --epochs 2 --quiet --out other");
    let said = errors(&second);
    assert!(!second.status.success() && said.contains("other"), "{said}");
    let third = shell(2, "sample run -n 4000 --out samples.npy");
    let said = errors(&third);
    assert!(!third.status.success() && said.contains("samples.npy"), "{said}");
    assert!(!here.path("samples.npy").exists());
    assert_eq!(before, here.bytes("run/model.safetensors"));
}

#[test]
fn a_place_that_cannot_be_written_is_named_before_training() {
    let here = Program::new(PROGRAM);
    let output = here.run(&format!("{RUN} --epochs 1 --out /proc/run"));
    let said = errors(&output);
    assert!(!output.status.success() && said.contains("/proc/run"), "{said}");
}

#[test]
fn a_second_process_in_one_folder_is_refused() {
    let here = Program::new(PROGRAM);
    let mut first = start(&here, &format!("{RUN} --epochs 100000 --out run"));
    let model = here.path("run/last.safetensors");
    for _ in 0..500 {
        if model.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let second = here.run("train --resume run");
    let third = here.run(&format!("{RUN} --epochs 1 --out run"));
    first.kill().unwrap();
    first.wait().unwrap();
    let said = errors(&second);
    assert!(!second.status.success() && said.contains("another process"), "{said}");
    let said = errors(&third);
    assert!(!third.status.success() && said.contains("--resume"), "{said}");
}

#[test]
fn of_processes_that_race_for_one_folder_one_gets_it() {
    let here = Program::new(PROGRAM);
    let race = || {
        let mut racer = here.command(&format!("{RUN} --epochs 1 --out run"));
        racer.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let racers: Vec<Child> = (0..6).map(|_| race()).collect();
    let mut won = 0;
    for racer in racers {
        let output = racer.wait_with_output().unwrap();
        let said = errors(&output);
        match output.status.code() {
            Some(0) => won += 1,
            code => assert!(code == Some(2) && said.contains("already exists"), "{said}"),
        }
    }
    assert_eq!(won, 1);
    let left = std::fs::read_dir(here.folder()).unwrap().count();
    assert_eq!(left, 1, "half-made folders stay");
}
