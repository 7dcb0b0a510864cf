//! Paired timings on the processor: ours, theirs, ours, theirs, in one run, and the median of the
//! ratios with its quartiles.
//!
//! "Theirs" is PyTorch, except for `deep-nade-sample-1` and `-2` and `pixel-cnn-whole` and
//! `diagonal-bilstm-whole`, where the sampler is compared with running the whole network for every
//! entry. `pixel-sides` prints our times on images from 8×8 to 64×64.
//!
//! ```text
//! python3 -m venv venv && venv/bin/pip install -r bench/requirements.txt
//! cargo run --release -p ancestral-bench -- --python venv/bin/python
//! ```
//!
//! With `--against PROGRAM`, "theirs" is an `ancestral` built from another commit: both train the
//! cases `vae`, `nade`, `dcgan` and `wgan-gp` for the same steps, each run a process of its own, the
//! order within the pairs alternating. A ratio is then ours / theirs of the seconds a step that the
//! runs record themselves, starts and first steps excluded (see `against.rs`). The output says
//! whether both end with the same weights, and whether the median is within `--bar` and the upper
//! quartile within `--upper-bar`; the exit code is 1 if one is not. The cases train on MNIST
//! (`--data-dir`), or on the embedded digits where it is missing.
//!
//! ```text
//! cargo build --release && cargo build --release -p ancestral-bench
//! target/release/ancestral-bench --against OTHER/target/release/ancestral --data-dir DATA
//! ```
//!
//! Frequent sets are timed against pyfim and mlxtend by `bench/peer_rules.py`, which calls this program with
//! `--rules-counts`, and clusterings against scikit-learn and others by `bench/peer_clusters.py`, with
//! `--clusters`.
//!
//! Fits of distributions are timed against scipy, fitter and scikit-learn by `bench/peer_distributions.py`,
//! which calls it with `--distributions`.
//!
//! Classifiers and regressions are timed against scikit-learn by `bench/peer_supervised.py`, which calls this
//! program with `--supervised`.
//!
//! `--memory-estimates` prints a table of our own memory instead.

mod against;
mod clusters;
mod distributions;
mod estimates;
mod layers;
mod memory;
mod peer;
mod rounds;
mod rules;
mod supervised;

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use ancestral_data::{OpenOptions, SplitName};
use anyhow::{Result, bail};
use clap::Parser;

use peer::{Peer, bench_file};
use rounds::{DeepNadeDraws, PAIRED, PixelDraws};

/// Times cases of ours against the same work in PyTorch, or against another build.
#[derive(Parser)]
struct Args {
    /// The Python that has PyTorch
    #[arg(long, default_value = "python3")]
    python: String,
    /// Cases to run: vae-step, with -bf16x3 and -bf16x6 too, vae-evaluate, first-sample,
    /// nade-step, nade-sample, nade-evaluate, deep-nade-step, deep-nade-sample-1,
    /// deep-nade-sample-2, made-step, pixel-cnn-step, row-lstm-step, diagonal-bilstm-step,
    /// pixel-cnn-sample, diagonal-bilstm-sample, pixel-cnn-whole, diagonal-bilstm-whole,
    /// pixel-sides, conv-64, conv-64-bf16, dense-6272, dense-6272-bf16, dcgan-layers,
    /// dcgan-step, with -bf16, -bf16x3 and -bf16x6 too, wgan-gp-critic and quality, which is
    /// ours only; with --against, vae, nade, dcgan and wgan-gp [default: all]
    cases: Vec<String>,
    /// Pairs per case
    #[arg(long, default_value = "15", value_parser = at_least_one)]
    pairs: usize,
    /// Compare training with an `ancestral` built from another commit
    #[arg(long, value_name = "PROGRAM")]
    against: Option<PathBuf>,
    /// Our `ancestral` [default: the one next to this program]
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// With --against, the folder with MNIST and binarized MNIST [default: as `ancestral` has it]
    #[arg(long, value_name = "DIR", requires = "against")]
    data_dir: Option<PathBuf>,
    /// With --against, steps of each run [default: a few seconds' worth]
    #[arg(long, value_name = "N", requires = "against")]
    steps: Option<u64>,
    /// With --against, the largest median of ours / theirs
    #[arg(long, default_value_t = 1.03, value_name = "RATIO", requires = "against")]
    bar: f64,
    /// With --against, the largest upper quartile of ours / theirs
    #[arg(long, default_value_t = 1.05, value_name = "RATIO", requires = "against")]
    upper_bar: f64,
    /// Threads of each side
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// The run that `first-sample` draws from
    #[arg(long, default_value = "zoo/vae-mnist")]
    run: PathBuf,
    /// Count the frequent sets of these baskets once for each line of standard input (for
    /// peer_rules.py)
    #[arg(long, value_name = "FILE", requires = "support")]
    rules_counts: Option<PathBuf>,
    /// With --rules-counts, the minimum support
    #[arg(long, value_name = "SHARE|COUNT")]
    support: Option<String>,
    /// With --rules-counts, the sets: all, closed or maximal
    #[arg(long, default_value = "all")]
    target: String,
    /// Fit distributions as the lines of standard input ask (for peer_distributions.py)
    #[arg(long)]
    distributions: bool,
    /// Cluster once for each line of standard input (for peer_clusters.py)
    #[arg(long, value_name = "JSON", hide = true)]
    clusters: Option<String>,
    /// Fit to the rows of this file once for each line of standard input (for peer_supervised.py)
    #[arg(long, value_name = "FILE", requires = "model")]
    supervised: Option<PathBuf>,
    /// With --supervised, the model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// With --supervised, its settings as TOML
    #[arg(long, default_value = "", hide_default_value = true)]
    settings: String,
    /// With --supervised, the number of columns
    #[arg(long, default_value_t = 1, value_name = "N")]
    columns: usize,
    /// Run the rounds of one case and print their memory (internal)
    #[arg(long, hide = true)]
    memory: Option<String>,
    /// Print the memory of a training step of every preset next to the estimate; cases are then parts
    /// of "model/preset/data"
    #[arg(long)]
    memory_estimates: bool,
    /// Measure one of them (internal)
    #[arg(long, hide = true)]
    memory_estimate: Option<String>,
    /// Read a table once for each line of standard input and print the seconds, for read_tables.py
    #[arg(long, value_name = "FILE", hide = true)]
    read: Option<String>,
}

impl Args {
    /// Our `ancestral`.
    fn program(&self) -> Result<PathBuf> {
        let program = match &self.program {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("ancestral"),
        };
        if !program.exists() {
            bail!("{} is not there: cargo build --release", program.display());
        }
        Ok(program)
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "a number of 1 or more".to_owned())
}

/// Pause before each round, so that idle threads of the other side stop spinning.
const REST: Duration = Duration::from_millis(300);
/// Deep NADE's sampler, by its number of hidden layers.
const DRAWS: [(&str, usize); 2] = [("deep-nade-sample-1", 1), ("deep-nade-sample-2", 2)];

/// Samplers of pixels, by model and settings.
const WHOLE: [(&str, &str, &str); 2] = [
    ("pixel-cnn-whole", "pixel-cnn", "layers = 7"),
    ("diagonal-bilstm-whole", "diagonal-bilstm", "layers = 1"),
];

fn main() -> Result<ExitCode> {
    ancestral_kernels::keep_freed_memory();
    let args = Args::parse();
    if let Some(theirs) = &args.against {
        let cases = chosen(&against::names(), &args.cases)?;
        let holds = against::run(&args, theirs, &cases)?;
        return Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if let (Some(data), Some(support)) = (&args.rules_counts, &args.support) {
        rules::serve(data, support, &args.target, args.threads)?;
        return Ok(ExitCode::SUCCESS);
    }
    rayon::ThreadPoolBuilder::new().num_threads(args.threads).build_global()?;
    if args.distributions {
        distributions::serve()?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(case) = &args.clusters {
        clusters::serve(case)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let (Some(data), Some(model)) = (&args.supervised, &args.model) {
        supervised::serve(data, model, &args.settings, args.columns)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(case) = &args.memory {
        let baseline = memory::resident_peak()?;
        rounds::of(case)?()?;
        println!("{}", memory::resident_peak()? - baseline);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(case) = &args.memory_estimate {
        estimates::measure(case)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &args.read {
        for line in std::io::stdin().lines() {
            line?;
            let whole = OpenOptions { whole: true, ..OpenOptions::default() };
            let began = Instant::now();
            let data = ancestral_data::open(path, &whole)?;
            let seconds = began.elapsed().as_secs_f64();
            println!("{seconds} {}", data.len(SplitName::Train));
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.memory_estimates {
        return estimates::table(&args);
    }
    let mut all = PAIRED.to_vec();
    all.extend(DRAWS.map(|(case, _)| case));
    all.extend(WHOLE.map(|(case, _, _)| case));
    all.extend(["pixel-sides", "first-sample", "quality"]);
    let cases = chosen(&all, &args.cases)?;
    let wanted = |case: &str| cases.contains(&case);
    println!("{} pairs, {} threads; ratio = theirs / ours", args.pairs, args.threads);
    for case in PAIRED.into_iter().filter(|c| wanted(c)) {
        against_pytorch(&args, case)?;
    }
    for (case, layers) in DRAWS.into_iter().filter(|(c, _)| wanted(c)) {
        against_rerunning(&args, case, layers)?;
    }
    for (case, name, settings) in WHOLE.into_iter().filter(|(c, _, _)| wanted(c)) {
        against_whole_passes(&args, case, &PixelDraws::new(name, settings)?)?;
    }
    if wanted("pixel-sides") {
        sides(&args)?;
    }
    if wanted("first-sample") {
        first_sample(&args)?;
    }
    if wanted("quality") {
        quality(&args)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The requested cases, in order; all if none is requested.
fn chosen<'a>(all: &[&'a str], asked: &[String]) -> Result<Vec<&'a str>> {
    if let Some(unknown) = asked.iter().find(|c| !all.contains(&c.as_str())) {
        bail!("no case '{unknown}'; the cases are {}", all.join(", "));
    }
    let wanted = |case: &&&str| asked.is_empty() || asked.iter().any(|c| c == **case);
    Ok(all.iter().filter(wanted).copied().collect())
}

fn against_pytorch(args: &Args, case: &str) -> Result<()> {
    let mut ours = rounds::of(case)?;
    ours()?;
    for mode in ["eager", "compile"] {
        let mut peer = match Peer::start(args, case, mode) {
            Ok(peer) => peer,
            Err(error) if mode == "compile" => {
                println!("{case} against compile: {error:#}");
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut cpu = Vec::with_capacity(args.pairs);
        let pairs = (0..args.pairs)
            .map(|_| {
                let before = memory::cpu_seconds()?;
                let mine = timed(&mut ours)?;
                cpu.push(memory::cpu_seconds()? - before);
                std::thread::sleep(REST);
                let theirs = peer.round()?;
                std::thread::sleep(REST);
                Ok((mine, theirs))
            })
            .collect::<Result<Vec<_>>>()?;
        report(case, mode, &pairs);
        if let Some(form) = &peer.form {
            println!("  theirs is the quickest of its forms: {form}");
        }
        if mode == "eager" {
            cpu.sort_by(f64::total_cmp);
            println!(
                "  ours takes {:.2} s of processor time a round, {:.2} s a core",
                quantile(&cpu, 0.5),
                quantile(&cpu, 0.5) / args.threads as f64
            );
            let own = memory::own(args, case)?;
            println!(
                "  peak memory above the start: ours {own:.0} MiB, theirs {:.0} MiB",
                peer.memory
            );
        }
    }
    Ok(())
}

/// The sampler of deep NADE compared with running the whole network for every entry.
fn against_rerunning(args: &Args, case: &str, layers: usize) -> Result<()> {
    let model = DeepNadeDraws::new(layers)?;
    let seconds = |draw: &dyn Fn() -> Result<Vec<f64>>| -> Result<(Vec<f64>, f64)> {
        let began = Instant::now();
        let drawn = draw()?;
        Ok((drawn, began.elapsed().as_secs_f64()))
    };
    let mut pairs = Vec::with_capacity(args.pairs);
    let mut differing = 0;
    for seed in 0..=args.pairs as u64 {
        let (carried, mine) = seconds(&|| model.carried(seed))?;
        let (rerun, theirs) = seconds(&|| model.rerun(seed))?;
        differing += carried.iter().zip(&rerun).filter(|(a, b)| a != b).count();
        // The first is a warm-up.
        if seed > 0 {
            pairs.push((mine, theirs));
        }
    }
    report(case, "running the whole network", &pairs);
    println!("  {differing} of {} drawn values differ", (args.pairs + 1) * 64 * 784);
    Ok(())
}

/// The sampler of a model of pixels compared with as many whole forward passes as there are pixels.
fn against_whole_passes(args: &Args, case: &str, model: &PixelDraws) -> Result<()> {
    let seconds = |work: &dyn Fn() -> Result<()>| -> Result<f64> {
        let began = Instant::now();
        work()?;
        Ok(began.elapsed().as_secs_f64())
    };
    model.cached(0)?;
    // A round of whole passes takes a minute or more.
    let pairs = (0..args.pairs.min(3) as u64)
        .map(|seed| Ok((seconds(&|| model.cached(seed + 1))?, seconds(&|| model.whole())?)))
        .collect::<Result<Vec<_>>>()?;
    report(case, "whole forward passes", &pairs);
    Ok(())
}

/// Our times of a step and of samples, 16 images, from 8×8 to 64×64.
fn sides(args: &Args) -> Result<()> {
    let models = [
        ("pixel-cnn", "layers = 7"),
        ("gated-pixel-cnn", "layers = 7"),
        ("row-lstm", "layers = 1"),
        ("diagonal-bilstm", "layers = 1"),
    ];
    for (name, settings) in models {
        for side in [8, 16, 32, 64] {
            let rounds = rounds::of_side(name, settings, side)?;
            let [step, draw] = rounds.map(|mut round| -> Result<f64> {
                round()?;
                let times =
                    (0..args.pairs).map(|_| timed(&mut round)).collect::<Result<Vec<_>>>()?;
                let [_, median, _] = quartiles(times.into_iter());
                Ok(median)
            });
            let (step, draw) = (step?, draw?);
            let pixels = (side * side) as f64;
            println!(
                "{name}, {side}×{side}: a step {:.1} ms, {:.1} µs a pixel; 16 samples {:.1} ms, \
                 {:.1} µs a pixel",
                1e3 * step,
                1e6 * step / pixels,
                1e3 * draw,
                1e6 * draw / pixels
            );
        }
    }
    Ok(())
}

fn timed(round: &mut rounds::Round) -> Result<f64> {
    let began = Instant::now();
    round()?;
    Ok(began.elapsed().as_secs_f64())
}

/// From process start to the first sample of a saved run.
fn first_sample(args: &Args) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = args.program()?;
    let weights = folder.path().join("weights.pt");
    let theirs = || {
        let mut command = Command::new(&args.python);
        command.arg(bench_file("first_sample.py")).arg(&weights).stdout(Stdio::null());
        command
    };
    let ours = || {
        let mut command = Command::new(&program);
        command.arg("sample").arg(&args.run).args(["-n", "1", "--quiet", "--out"]);
        command.arg(folder.path().join("sample.npy")).stdout(Stdio::null());
        command
    };
    let run = |mut command: Command| -> Result<f64> {
        let began = Instant::now();
        if !command.status()?.success() {
            bail!("{command:?} failed");
        }
        Ok(began.elapsed().as_secs_f64())
    };
    run(theirs())?;
    run(ours())?;
    let pairs =
        (0..args.pairs).map(|_| Ok((run(ours())?, run(theirs())?))).collect::<Result<Vec<_>>>()?;
    report("first-sample", "eager", &pairs);
    Ok(())
}

/// Quality metrics of 10,000 examples compared with 10,000, with 128 features, in processor time.
fn quality(args: &Args) -> Result<()> {
    let mut round = rounds::quality()?;
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    for _ in 0..args.pairs.clamp(1, 5) {
        let before = memory::cpu_seconds()?;
        wall.push(timed(&mut round)?);
        cpu.push(memory::cpu_seconds()? - before);
    }
    cpu.sort_by(f64::total_cmp);
    wall.sort_by(f64::total_cmp);
    println!(
        "quality, 10,000 compared with 10,000 examples: {:.2} s of processor time, {:.2} s",
        quantile(&cpu, 0.5),
        quantile(&wall, 0.5)
    );
    Ok(())
}

fn report(case: &str, other: &str, pairs: &[(f64, f64)]) {
    let [lower, ratio, upper] = quartiles(pairs.iter().map(|p| p.1 / p.0));
    let [_, ours, _] = quartiles(pairs.iter().map(|p| p.0));
    let [_, theirs, _] = quartiles(pairs.iter().map(|p| p.1));
    println!(
        "{case} against {other}: {ratio:.2}× [{lower:.2}, {upper:.2}]; ours {:.1} ms, theirs {:.1} \
         ms a round",
        1e3 * ours,
        1e3 * theirs,
    );
}

/// The lower quartile, the median and the upper quartile of at least one value.
fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    [0.25, 0.5, 0.75].map(|share| quantile(&sorted, share))
}

/// A quantile of sorted values.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_values_of_the_row() {
        assert_eq!(quartiles([5.0, 1.0, 4.0, 2.0, 3.0].into_iter()), [2.0, 3.0, 4.0]);
        assert_eq!(quartiles([7.0].into_iter()), [7.0; 3]);
        assert_eq!(quartiles((0..15).rev().map(f64::from)), [4.0, 7.0, 11.0]);
        assert_eq!(quartiles([f64::INFINITY, -1.0, 0.0].into_iter()), [0.0, 0.0, f64::INFINITY]);
    }
}
