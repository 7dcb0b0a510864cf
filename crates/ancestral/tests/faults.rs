//! Every operation on the disk, of whole runs, as the last one before a kill or a power loss, or as one
//! that fails.
//!
//! Whatever happens, the folder is readable afterwards, and the same command, or resuming the run, ends
//! with the tensors and events of a run that was not disturbed.

#![cfg(all(feature = "plot", unix))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

#[path = "faults/power.rs"]
mod power;

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use ancestral::prelude::*;
use ancestral::run::{
    PublishedMetric, PublishedResult, Recipe, RunFolder, RunSummary, SampleSpec, Storage,
};
use ancestral::spec::cpu;
use ancestral_data::disk::faults::{self, Operation};
use ancestral_test_support::copy_folder;

use power::Power;

/// What happens at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The program is killed in the middle of it.
    Kill,
    /// The disk is full.
    Full,
    /// The disk is broken there.
    Broken,
}

const FAULTS: [Fault; 3] = [Fault::Kill, Fault::Full, Fault::Broken];

/// The input or output error of Unix.
const EIO: i32 = 5;

/// Runs `work` with a fault at the operation `at`; gives its result and how many operations it made.
fn disturbed<T>(fault: Option<(Fault, usize)>, work: impl FnOnce() -> T) -> (T, usize) {
    let made = Rc::new(Cell::new(0));
    let (seen, mut dead) = (Rc::clone(&made), false);
    let told = move |operation: &Operation<'_>| {
        let number = seen.replace(seen.get() + 1);
        if dead {
            return Err(io::Error::other("killed"));
        }
        let Some((fault, at)) = fault else { return Ok(()) };
        if number != at {
            return Ok(());
        }
        if let (Operation::Write(path, bytes), Fault::Kill | Fault::Full) = (operation, fault) {
            // Half of it arrives.
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(&bytes[..bytes.len() / 2]).unwrap();
        }
        dead = fault == Fault::Kill;
        Err(match fault {
            Fault::Kill => io::Error::other("killed"),
            Fault::Full => io::ErrorKind::StorageFull.into(),
            Fault::Broken => io::Error::from_raw_os_error(EIO),
        })
    };
    let result = faults::with(told, work);
    (result, made.get())
}

/// The kind, the step and the values of an event.
type Told = (String, u64, Vec<(String, f64)>);

/// What a command leaves: files of weights as they are, the tensors of the checkpoint, and the events
/// without their times.
#[derive(Debug, PartialEq)]
struct Left {
    model: Vec<u8>,
    last: Option<Vec<(String, Vec<u8>)>>,
    events: Vec<Told>,
    finished: bool,
}

fn left(run: &Path) -> Left {
    let folder = RunFolder::open(run).unwrap();
    let last = folder.read_checkpoint().unwrap().map(|kept| {
        let tensors = [&kept.weights, &kept.averages, &kept.moments].into_iter().flatten();
        let best = kept.best.iter().flat_map(|best| best.iter());
        tensors.chain(best).map(|(name, data)| (name.clone(), data.as_bytes().to_vec())).collect()
    });
    let events = folder.events().unwrap();
    let kept = events.iter().filter(|event| event.kind() != "resume").map(|event| {
        let entry = event.entry().cloned().unwrap_or_default();
        (event.kind().to_owned(), entry.step, entry.values)
    });
    assert_eq!(folder.damaged_events().unwrap(), 0);
    Left {
        model: std::fs::read(run.join("model.safetensors")).unwrap(),
        last,
        events: kept.collect(),
        finished: RunSummary::read(run).unwrap().result.finished,
    }
}

/// Asserts that what is there can be read: nothing, or a run with the weights that it has.
fn is_readable(run: &Path, what: &str) {
    let readable = || -> ancestral::Result<()> {
        if !run.exists() {
            return Ok(());
        }
        let folder = RunFolder::open(run)?;
        folder.events()?;
        RunSummary::read(run)?;
        let registry = Registry::standard();
        if run.join("last.safetensors").exists() {
            folder.load(&registry, &cpu(), Weights::Last)?;
            folder.load(&registry, &cpu(), Weights::Best)?;
        } else if run.join("model.safetensors").exists() {
            folder.load(&registry, &cpu(), Weights::Best)?;
        }
        Ok(())
    };
    readable().unwrap_or_else(|error| panic!("{what}: {error}"));
}

/// A command on a folder, and how it is repeated after it was cut off.
struct Command<'a> {
    name: &'a str,
    /// A folder to begin from, which is copied.
    begin: Option<&'a Path>,
    /// Folders of runs inside the folder.
    runs: &'a [&'a str],
    work: &'a dyn Fn(&Path) -> ancestral::Result<()>,
    again: &'a dyn Fn(&Path) -> ancestral::Result<()>,
}

impl Command<'_> {
    fn begin(&self) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        if let Some(begin) = self.begin {
            copy_folder(begin, dir.path());
        }
        dir
    }

    /// Asserts that a folder is readable and that repeating the command ends in `expected`.
    fn mend(&self, folder: &Path, expected: &[Left], what: &str) {
        for run in self.runs {
            is_readable(&folder.join(run), what);
        }
        (self.again)(folder).unwrap_or_else(|error| panic!("{what}, again: {error}"));
        for (run, expected) in self.runs.iter().zip(expected) {
            let found = left(&folder.join(run));
            assert_eq!(found.events, expected.events, "{what}: events of {run}");
            assert!(found.model == expected.model, "{what}: the model of {run}");
            assert!(found == *expected, "{what}: {run}");
        }
    }

    /// Tests all points, and gives their number.
    fn test(&self) -> usize {
        let dir = self.begin();
        let (done, operations) = disturbed(None, || (self.work)(dir.path()));
        done.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let expected: Vec<Left> = self.runs.iter().map(|run| left(&dir.path().join(run))).collect();
        let mut points = 0;
        for at in 0..operations {
            for fault in FAULTS {
                let dir = self.begin();
                let (done, _) = disturbed(Some((fault, at)), || (self.work)(dir.path()));
                let what = format!("{}: {fault:?} at operation {at} of {operations}", self.name);
                // Only files that a command may do without can fail without its failing.
                assert!(done.is_err() || fault != Fault::Kill, "{what} went unnoticed");
                self.mend(dir.path(), &expected, &what);
                points += 1;
            }
        }
        // A power loss after each operation.
        let dir = self.begin();
        let power = Power::new(dir.path());
        faults::with(power.log(), || (self.work)(dir.path())).unwrap();
        for at in 0..=power.operations() {
            for names_too in [false, true] {
                let lost = tempfile::tempdir().unwrap();
                power.restore(at, names_too, lost.path());
                let what = format!("{}: power loss after {at} operations, {names_too}", self.name);
                self.mend(lost.path(), &expected, &what);
                points += 1;
            }
        }
        println!("{}: {operations} operations, {points} points", self.name);
        points
    }
}

/// Two columns of whole numbers.
fn table(folder: &Path) -> String {
    let path = folder.join("rows.csv");
    let mut file = File::create(&path).unwrap();
    writeln!(file, "a,b,c").unwrap();
    (0..60u32).for_each(|i| writeln!(file, "{},{},{}", i % 2, i / 2 % 2, i / 3 % 2).unwrap());
    path.to_str().unwrap().to_owned()
}

fn spec(model: &str, data: &str, settings: &str) -> RunSpec {
    let mut spec = RunSpec::named(model, data);
    for setting in settings.split_whitespace() {
        spec.assign(setting).unwrap();
    }
    spec
}

/// Trains, or goes on with what is there.
fn train(spec: &RunSpec, run: &Path) -> ancestral::Result<()> {
    let mut session = Session::new();
    if run.exists() {
        return session.resume(run, None, spec.skip_test).map(drop);
    }
    session.train(&RunSpec { storage: Storage::Folder(run.to_owned()), ..spec.clone() }).map(drop)
}

const LOOP: &str = "epochs=0 steps=3 batch_size=30 checkpoint_seconds=0";

#[test]
fn every_operation_of_a_training_may_be_the_last_or_fail() {
    let data = tempfile::tempdir().unwrap();
    let rows = table(data.path());
    let mut points = 0;
    for (model, data, settings) in [
        ("nade", rows.as_str(), "hidden=2 sample_count=0"),
        ("vae", rows.as_str(), "hidden=[[2]] latent_dims=[1] average_decay=0.5 sample_count=0"),
        // With images, and two optimizers.
        ("wgan", "rings:3", "generator_hidden=[2] critic_hidden=[2] sample_count=2 critic_steps=1"),
    ] {
        let spec = spec(model, data, &format!("{LOOP} {settings}"));
        let work = |folder: &Path| train(&spec, &folder.join("run"));
        let command =
            Command { name: model, begin: None, runs: &["run"], work: &work, again: &work };
        points += command.test();
    }
    println!("{points} points in all");
    assert!(points > 500, "{points}");
}

#[test]
fn every_operation_of_other_commands_may_be_the_last_or_fail() {
    let data = tempfile::tempdir().unwrap();
    let rows = table(data.path());
    let begin = tempfile::tempdir().unwrap();
    let nade = spec("nade", &rows, &format!("{LOOP} hidden=2 sample_count=0 average_decay=0.5"));
    train(&nade, &begin.path().join("run")).unwrap();
    let mut points = 0;

    let more = Budget { steps: 5, ..Budget::default() };
    let extend = |folder: &Path| {
        let run = folder.join("run");
        let used = RunFolder::open(&run)?.config.train.steps == 5;
        let budget = (!used).then_some((more, "more"));
        Session::new().resume(&run, budget, false).map(drop)
    };
    let begin_from = Some(begin.path());
    points += Command {
        name: "extension",
        begin: begin_from,
        runs: &["run"],
        work: &extend,
        again: &extend,
    }
    .test();

    let pack = |folder: &Path| {
        let packed = folder.join("packed");
        if packed.exists() {
            return Ok(());
        }
        let run = RunFolder::open(&folder.join("run"))?;
        run.pack(&packed, (&Registry::standard(), &cpu()), Weights::Best, false).map(drop)
    };
    let runs = &["packed", "run"];
    points += Command { name: "pack", begin: begin_from, runs, work: &pack, again: &pack }.test();

    let fit = |folder: &Path| {
        let run = folder.join("run");
        if run.exists() {
            return Ok(());
        }
        Session::new().fit(&spec("bernoulli", &rows, "").out(run)).map(drop)
    };
    points += Command { name: "fit", begin: None, runs: &["run"], work: &fit, again: &fit }.test();

    let row = PublishedResult {
        name: "test",
        recipe: Recipe {
            model: "nade",
            data: "digits",
            preset: None,
            binarize: Some(Binarize::Threshold),
            all_train: false,
            skip_test: false,
            assign: &["hidden=2", "sample_count=0"],
            batch_size: Some(500),
            epochs: None,
            steps: Some(2),
            seed: None,
        },
        members: 1,
        samples: 1,
        weights: Weights::Best,
        folds: 0,
        metric: PublishedMetric::Nll,
        published: 0.0,
        source: "nowhere",
    };
    let reproduce =
        |folder: &Path| Session::new().reproduce(&row, &folder.join("run"), &mut |_| {}).map(drop);
    points += Command {
        name: "reproduce",
        begin: None,
        runs: &["run"],
        work: &reproduce,
        again: &reproduce,
    }
    .test();
    println!("{points} points in all");
    assert!(points > 200, "{points}");
}

/// A file of samples is whole or not there, whatever fails.
#[test]
fn every_operation_of_sampling_may_be_the_last_or_fail() {
    let data = tempfile::tempdir().unwrap();
    let nade = spec("nade", &table(data.path()), &format!("{LOOP} hidden=2 sample_count=0"));
    let run = Session::new().train(&nade).unwrap().run;
    let samples = Session::new().sample(&run, &SampleSpec::new(40, 0)).unwrap();
    let doubles: Vec<f64> = samples.values.iter().map(|value| value + 0.1).collect();
    let write = |folder: &Path| -> Result<(), ancestral_data::DataError> {
        ancestral_data::write_csv(&folder.join("a.csv"), &samples.columns, &samples.values)?;
        let mut writer = ancestral_data::NpyWriter::create(&folder.join("a.npy"), &[80, 3])?;
        writer.write(&samples.values)?;
        writer.write(&doubles)?;
        writer.finish()
    };
    let files =
        |folder: &Path| ["a.csv", "a.npy"].map(|name| std::fs::read(folder.join(name)).ok());
    let dir = tempfile::tempdir().unwrap();
    let (done, operations) = disturbed(None, || write(dir.path()));
    done.unwrap();
    let expected = files(dir.path());
    for at in 0..operations {
        for fault in FAULTS {
            let dir = tempfile::tempdir().unwrap();
            let (done, _) = disturbed(Some((fault, at)), || write(dir.path()));
            for (found, expected) in files(dir.path()).iter().zip(&expected) {
                assert!(found.is_none() || found == expected, "{fault:?} at {at}");
            }
            // Files that are not finished are removed unless the program is killed.
            let count = std::fs::read_dir(dir.path()).unwrap().count();
            let is_removed = done.is_ok() || fault == Fault::Kill || count <= 2;
            assert!(is_removed, "{fault:?} at {at}: {count} files");
            if done.is_err() {
                write(dir.path()).unwrap();
            }
            assert_eq!(files(dir.path()), expected);
        }
    }
    println!("samples: {operations} operations, {} points", operations * FAULTS.len());
}
