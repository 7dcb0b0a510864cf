//! Compares the speed of training with that of another build of the program.
//!
//! Each side of a pair is one process.
//! Its time is taken from the seconds that the run records in `events.jsonl` at the end of each epoch:
//! from the first end of an epoch after a fifth of the steps to the last step.
//! So it excludes the process start, reading the data, the first steps (which touch new memory and
//! tune the number of threads) and the checkpoints at both ends.
//! The difference of a long and a short run would need twice the processes, and include the noise of
//! both starts, which is larger than the bar.
//! Epochs are short: both sides train on the first examples of a data set, read from one file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use ancestral_data::{DataError, Dataset, OpenOptions, SplitName, Values, open};
use anyhow::{Context, Result, anyhow, bail};
use safetensors::{Dtype, SafeTensors};

use crate::{Args, quartiles};

/// A training that both sides run.
struct Case {
    /// The model and the name of the case.
    model: &'static str,
    /// The known set whose first examples it trains on.
    data: &'static str,
    /// Examples per batch.
    batch: usize,
    /// Batches per epoch, a multiple of nine.
    per_epoch: usize,
    /// Total steps.
    steps: u64,
    /// Further arguments of `train`.
    flags: &'static [&'static str],
}

const CASES: [Case; 4] = [
    Case {
        model: "vae",
        data: "mnist",
        batch: 100,
        per_epoch: 90,
        steps: 720,
        flags: &[
            "--binarize",
            "dynamic",
            "--set",
            "latent_dims=[50]",
            "--set",
            "hidden=[[200,200]]",
        ],
    },
    Case {
        model: "nade",
        data: "binarized-mnist",
        batch: 100,
        per_epoch: 54,
        steps: 270,
        // For the digits that replace it; binary data stays unchanged.
        flags: &["--binarize", "static"],
    },
    Case { model: "dcgan", data: "mnist", batch: 64, per_epoch: 9, steps: 45, flags: &[] },
    Case {
        model: "wgan-gp",
        data: "mnist",
        batch: 64,
        per_epoch: 9,
        steps: 18,
        flags: &["--set", "network=dcgan"],
    },
];

/// Arguments of all cases: no validation, no samples and no checkpoint within the timed steps.
const QUIET: [&str; 10] = [
    "--all-train",
    "--skip-test",
    "--quiet",
    "--seed=0",
    "--set",
    "sample_count=0",
    "--set",
    "validate_every=0",
    "--set",
    "checkpoint_seconds=1e6",
];

/// The names of the cases.
pub(crate) fn names() -> Vec<&'static str> {
    CASES.iter().map(|case| case.model).collect()
}

/// Runs the cases and prints their ratios; returns whether all bars hold.
pub(crate) fn run(args: &Args, theirs: &Path, cases: &[&str]) -> Result<bool> {
    let programs = Programs { ours: program(&args.program()?)?, theirs: program(theirs)? };
    println!("{} pairs, {} threads; ratio = ours / theirs", args.pairs, args.threads);
    let mut holds = true;
    for case in CASES.iter().filter(|case| cases.contains(&case.model)) {
        holds &= compare(args, &programs, case)?;
    }
    Ok(holds)
}

struct Programs {
    ours: PathBuf,
    theirs: PathBuf,
}

/// The absolute path of an existing program.
fn program(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("{} is not there", path.display()))
}

fn compare(args: &Args, programs: &Programs, case: &Case) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let (name, data) = examples(args.data_dir.as_deref(), case, folder.path())?;
    if name != case.data {
        println!("{}: {} is not there; {name} takes its place", case.model, case.data);
    }
    let steps = args.steps.unwrap_or(case.steps);
    let mut pairs = Vec::with_capacity(args.pairs);
    let mut difference = Difference::SameBits;
    for pair in 0..args.pairs {
        let side = |program: &Path, name: &str| -> Result<(f64, Vec<u8>)> {
            let out = folder.path().join(name);
            let seconds = train(args, program, case, &data, steps, &out)?;
            let weights = std::fs::read(out.join("model.safetensors"))?;
            std::fs::remove_dir_all(&out)?;
            Ok((seconds, weights))
        };
        let ours = || side(&programs.ours, "ours");
        let theirs = || side(&programs.theirs, "theirs");
        // Alternates the order, so that drift affects both sides equally.
        let (mine, other) = if pair % 2 == 0 {
            let mine = ours()?;
            (mine, theirs()?)
        } else {
            let other = theirs()?;
            (ours()?, other)
        };
        pairs.push((mine.0, other.0));
        difference = difference.or(Difference::of(&mine.1, &other.1)?);
    }
    let bars = Bars { median: args.bar, upper: args.upper_bar };
    let (text, holds) = summary(&pairs, bars);
    println!("{} on {name}, {steps} steps of {}: {text}", case.model, case.batch);
    println!("  weights: {difference}");
    Ok(holds)
}

/// The data of a case: the name of the set, and the argument of `--data`.
fn examples(data_dir: Option<&Path>, case: &Case, folder: &Path) -> Result<(&'static str, String)> {
    let options = OpenOptions { data_dir: data_dir.map(Path::to_owned), ..OpenOptions::default() };
    match open(case.data, &options) {
        // A tenth of a file is kept for testing.
        Ok(data) => {
            let path = folder.join(format!("{}.idx", case.data));
            write_first(&data, case.batch * case.per_epoch / 9 * 10, &path)?;
            Ok((
                case.data,
                path.to_str().context("a temporary folder has a plain name")?.to_owned(),
            ))
        }
        Err(DataError::Missing { .. }) => Ok(("digits", "digits".to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// Writes the first training images as an IDX file.
fn write_first(data: &Dataset, count: usize, path: &Path) -> Result<()> {
    let (Values::Bytes(values), Some([1, height, width])) =
        (&data.split(SplitName::Train)?.values, data.shape.as_image())
    else {
        bail!("{}: its examples are not gray images", data.name)
    };
    let values = values.get(..count * height * width).context("too few examples")?;
    let mut file = std::fs::File::create(path)?;
    file.write_all(&[0, 0, 8, 3])?;
    for size in [count, height, width] {
        file.write_all(&u32::try_from(size)?.to_be_bytes())?;
    }
    file.write_all(values)?;
    Ok(())
}

/// Trains once; returns the seconds per step.
fn train(
    args: &Args,
    program: &Path,
    case: &Case,
    data: &str,
    steps: u64,
    out: &Path,
) -> Result<f64> {
    let mut command = Command::new(program);
    command.args(["train", case.model, "--data", data]).args(QUIET).args(case.flags);
    command.args(["--batch-size", &case.batch.to_string(), "--steps", &steps.to_string()]);
    command.args(["--threads", &args.threads.to_string(), "--out"]).arg(out);
    let output = command.output().with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{}: {}: {}", program.display(), output.status, said.trim());
    }
    let events = std::fs::read_to_string(out.join("events.jsonl"))?;
    seconds_per_step(&events, steps)
        .with_context(|| format!("{}'s events.jsonl", program.display()))
}

/// Seconds per step, from the first end of an epoch after a fifth of the steps to the last step.
fn seconds_per_step(events: &str, steps: u64) -> Result<f64> {
    let mut first = None;
    let mut last = None;
    for line in events.lines() {
        // Reads only the needed fields: the other build's events may have different ones.
        let event: serde_json::Value = serde_json::from_str(line)?;
        let (Some(step), Some(seconds)) = (event["step"].as_u64(), event["seconds"].as_f64())
        else {
            continue;
        };
        if step * 5 >= steps && first.is_none() {
            first = Some((step, seconds));
        }
        last = Some((step, seconds));
    }
    match (first, last) {
        (Some(first), Some(last)) if last.0 == steps && first.0 < steps => {
            let seconds = (last.1 - first.1) / (last.0 - first.0) as f64;
            if seconds > 0.0 { Ok(seconds) } else { Err(anyhow!("its clock stands still")) }
        }
        (_, Some((step, _))) if step != steps => bail!("it ends at step {step}, not at {steps}"),
        _ => bail!("no epoch ended between a fifth of the {steps} steps and the last; take more"),
    }
}

/// The largest allowed ratios.
#[derive(Clone, Copy)]
struct Bars {
    median: f64,
    upper: f64,
}

/// A summary of the seconds of (ours, theirs), and whether the bars hold.
fn summary(pairs: &[(f64, f64)], bars: Bars) -> (String, bool) {
    let [lower, median, upper] = quartiles(pairs.iter().map(|(ours, theirs)| ours / theirs));
    let [_, ours, _] = quartiles(pairs.iter().map(|pair| pair.0));
    let [_, theirs, _] = quartiles(pairs.iter().map(|pair| pair.1));
    let holds = median <= bars.median && upper <= bars.upper;
    let text = format!(
        "{median:.3}× [{lower:.3}, {upper:.3}], the bar of {:.3} with {:.3} for the upper quartile \
         {}; ours {:.2} ms, theirs {:.2} ms a step",
        bars.median,
        bars.upper,
        if holds { "holds" } else { "is MISSED" },
        1e3 * ours,
        1e3 * theirs,
    );
    (text, holds)
}

/// How the weights of two runs differ.
#[derive(Debug, Clone, PartialEq)]
enum Difference {
    SameBits,
    /// The largest difference within a tensor, relative to the largest entry of theirs.
    Values {
        tensor: String,
        share: f64,
    },
    /// Of names, shapes or types.
    Layout(String),
}

impl Difference {
    /// Of two files of weights.
    fn of(ours: &[u8], theirs: &[u8]) -> Result<Self> {
        let ours = SafeTensors::deserialize(ours).context("our model.safetensors")?;
        let theirs = SafeTensors::deserialize(theirs).context("their model.safetensors")?;
        if let Some(name) = theirs.names().iter().find(|name| ours.tensor(name).is_err()) {
            return Ok(Self::Layout(format!("we have no tensor '{name}'")));
        }
        let mut worst = Self::SameBits;
        for (name, mine) in ours.tensors() {
            let Ok(other) = theirs.tensor(&name) else {
                return Ok(Self::Layout(format!("they have no tensor '{name}'")));
            };
            if (mine.shape(), mine.dtype()) != (other.shape(), other.dtype()) {
                return Ok(Self::Layout(format!(
                    "'{name}' is {:?} {:?} and theirs {:?} {:?}",
                    mine.dtype(),
                    mine.shape(),
                    other.dtype(),
                    other.shape()
                )));
            }
            if mine.data() == other.data() {
                continue;
            }
            if mine.dtype() != Dtype::F32 {
                return Ok(Self::Layout(format!("'{name}', {:?}, differs", mine.dtype())));
            }
            let share = relative_difference(mine.data(), other.data());
            worst = worst.or(Self::Values { tensor: name, share });
        }
        Ok(worst)
    }

    /// The larger of two.
    fn or(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Layout(_), _) | (_, Self::SameBits) => self,
            (Self::Values { share: a, .. }, Self::Values { share: b, .. }) if a >= b => self,
            _ => other,
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SameBits => write!(f, "same bits"),
            Self::Values { tensor, share } => {
                write!(f, "DIFFERENT, by up to {share:.1e} of the largest entry, in '{tensor}'")
            }
            Self::Layout(text) => write!(f, "DIFFERENT: {text}"),
        }
    }
}

/// The largest difference of two rows of `f32`, relative to the largest entry of the second.
fn relative_difference(ours: &[u8], theirs: &[u8]) -> f64 {
    let numbers = |bytes: &[u8]| -> Vec<f64> {
        let (numbers, _) = bytes.as_chunks::<4>();
        numbers.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes))).collect()
    };
    let (ours, theirs) = (numbers(ours), numbers(theirs));
    let largest = theirs.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let apart = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
    // A NaN counts as the largest difference.
    let apart =
        apart.fold(0.0, |most: f64, d| if d.is_nan() { f64::INFINITY } else { most.max(d) });
    if apart == 0.0 { 0.0 } else { apart / largest }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use safetensors::tensor::{TensorView, serialize};

    use super::*;
    use crate::chosen;

    const BARS: Bars = Bars { median: 1.03, upper: 1.05 };

    #[test]
    fn what_is_typed_is_read() {
        let args = Args::try_parse_from(["bench", "--against", "old/ancestral", "nade", "vae"]);
        let args = args.unwrap();
        assert_eq!(args.against.as_deref(), Some(Path::new("old/ancestral")));
        assert_eq!((args.bar, args.upper_bar, args.pairs), (1.03, 1.05, 15));
        assert_eq!(chosen(&names(), &args.cases).unwrap(), ["vae", "nade"]);
        assert_eq!(chosen(&names(), &[]).unwrap(), ["vae", "nade", "dcgan", "wgan-gp"]);
        let error = chosen(&names(), &["vae-step".into()]).unwrap_err().to_string();
        assert!(error.contains("no case 'vae-step'") && error.contains("wgan-gp"), "{error}");
        let args =
            Args::try_parse_from(["bench", "--against", "a", "--bar", "1.1", "--pairs", "3"]);
        assert_eq!(args.unwrap().bar, 1.1);
        // A bar needs --against, and a median at least one pair.
        assert!(Args::try_parse_from(["bench", "--bar", "1.1"]).is_err());
        assert!(Args::try_parse_from(["bench", "--pairs", "0"]).is_err());
    }

    #[test]
    fn the_time_begins_at_an_epoch_after_a_fifth_of_the_steps() {
        let line = |kind: &str, step: u64, seconds: f64| {
            format!("{{\"kind\":\"{kind}\",\"step\":{step},\"seconds\":{seconds},\"more\":[]}}\n")
        };
        // The first steps are slow.
        let begun = line("start", 0, 0.0) + &line("train", 10, 9.0) + &line("train", 20, 11.0);
        let whole = begun.clone()
            + "{\"note\":\"of no step\"}\n"
            + &line("train", 30, 12.0)
            + &line("train", 80, 17.0)
            + &line("end", 80, 17.0);
        assert!((seconds_per_step(&whole, 80).unwrap() - 0.1).abs() < 1e-12);
        let problem = |text: &str, steps| seconds_per_step(text, steps).unwrap_err().to_string();
        assert!(problem(&begun, 80).contains("step 20, not at 80"));
        assert!(problem(&line("end", 80, 3.0), 80).contains("take more"));
        assert!(problem("", 80).contains("take more"));
        assert!(seconds_per_step("cut of", 80).is_err());
    }

    #[test]
    fn median_and_upper_quartile_are_held_to_their_bars() {
        let pairs = |ratios: [f64; 5]| ratios.map(|ratio| (2.0 * ratio, 2.0));
        let (text, holds) = summary(&pairs([1.0, 9.0, 1.04, 1.02, 0.5]), BARS);
        assert!(holds && text.starts_with("1.020× [1.000, 1.040]"), "{text}");
        assert!(text.contains("holds; ours 2040.00 ms, theirs 2000.00 ms"), "{text}");
        let (text, holds) = summary(&pairs([1.0, 9.0, 1.06, 1.02, 0.5]), BARS);
        assert!(!holds && text.contains("is MISSED"), "{text}");
        assert!(!summary(&pairs([1.0, 1.04, 1.04, 1.04, 0.5]), BARS).1);
        assert!(summary(&pairs([1.03; 5]), BARS).1);
    }

    #[test]
    fn weights_are_compared_tensor_by_tensor() {
        let file = |tensors: &[(&str, &[f32])]| {
            let bytes: Vec<(&str, Vec<u8>)> = tensors
                .iter()
                .map(|(name, v)| (*name, v.iter().flat_map(|x| x.to_le_bytes()).collect()))
                .collect();
            let views = bytes.iter().map(|(name, bytes)| {
                (*name, TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).unwrap())
            });
            serialize(views, None).unwrap()
        };
        let of = |a: &[u8], b: &[u8]| Difference::of(a, b).unwrap();
        let one = file(&[("a", &[1.0, -4.0]), ("b", &[0.5])]);
        assert_eq!(of(&one, &one), Difference::SameBits);
        let near = file(&[("a", &[1.0, -4.5]), ("b", &[0.5])]);
        let by_an_eighth = Difference::Values { tensor: "a".into(), share: 0.125 };
        assert_eq!(of(&near, &one), by_an_eighth);
        let far = file(&[("a", &[1.0, -4.5]), ("b", &[1.0])]);
        let twice = Difference::Values { tensor: "b".into(), share: 1.0 };
        assert_eq!(of(&far, &one), twice);
        let lost = file(&[("a", &[1.0, f32::NAN]), ("b", &[0.5])]);
        assert!(of(&lost, &one).to_string().contains("inf"));
        // Zero and minus zero have different bits but no difference.
        let zeros = [file(&[("a", &[0.0])]), file(&[("a", &[-0.0])])];
        assert!(of(&zeros[0], &zeros[1]).to_string().contains("0.0e0"));
        for (other, words) in [
            (file(&[("a", &[1.0, -4.0])]), "they have no tensor 'b'"),
            (file(&[("a", &[1.0]), ("b", &[0.5])]), "F32 [2] and theirs F32 [1]"),
            (file(&[("a", &[1.0, -4.0]), ("b", &[0.5]), ("c", &[])]), "we have no tensor 'c'"),
        ] {
            let found = of(&one, &other);
            assert!(found.to_string().contains(words), "{found}");
            // The worst of all pairs is reported.
            assert_eq!(twice.clone().or(found.clone()), found);
            assert_eq!(found.clone().or(twice.clone()), found);
        }
        assert_eq!(by_an_eighth.clone().or(twice.clone()), twice);
        assert_eq!(twice.clone().or(by_an_eighth), twice);
        assert_eq!(Difference::SameBits.or(twice.clone()), twice);
        assert_eq!(twice.clone().or(Difference::SameBits), twice);
        assert!(Difference::of(b"no weights", &one).is_err());
    }

    #[test]
    fn both_sides_read_the_first_examples_of_a_set() {
        let digits = ancestral_data::digits().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("first.idx");
        write_first(&digits, 20, &path).unwrap();
        let whole = OpenOptions { whole: true, ..OpenOptions::default() };
        let read = open(path.to_str().unwrap(), &whole).unwrap();
        assert_eq!((read.len(SplitName::Train), &read.shape), (20, &digits.shape));
        let first: Vec<usize> = (0..20).collect();
        let expected = digits.split(SplitName::Train).unwrap().gather(&first, 64);
        assert_eq!(read.split(SplitName::Train).unwrap().values, expected.values);
        assert!(write_first(&digits, 2000, &path).is_err());
        // Without the data set, the digits replace it.
        for case in &CASES {
            assert_eq!(case.per_epoch % 9, 0, "{}", case.model);
            let (name, _) = examples(Some(dir.path()), case, dir.path()).unwrap();
            assert_eq!(name, "digits");
        }
    }
}
