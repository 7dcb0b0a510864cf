//! Paired timings against PyTorch on the processor: ours, theirs, ours, theirs, in one run, and the
//! median of the ratios with its quartiles.
//!
//! ```text
//! python3 -m venv venv && venv/bin/pip install -r bench/requirements.txt
//! cargo run --release -p ancestral-bench -- --python venv/bin/python
//! ```

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use ancestral::model::{DataSpec, DensityOptions, Init, Model, find};
use ancestral::train::{Feed, Optimisers, StepContext, TrainConfig};
use ancestral_data::{
    Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Streams, Values,
};
use anyhow::{Context, Result, bail};
use clap::Parser;

/// Times cases of ours against the same work in PyTorch.
#[derive(Parser)]
struct Args {
    /// The Python that has PyTorch
    #[arg(long, default_value = "python3")]
    python: String,
    /// Cases to run, of vae-step, vae-evaluate and first-sample [default: all]
    cases: Vec<String>,
    /// Pairs a case
    #[arg(long, default_value_t = 15)]
    pairs: usize,
    /// Threads of either side
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// The run that `first-sample` draws from
    #[arg(long, default_value = "zoo/vae-mnist")]
    run: PathBuf,
    /// Do the rounds of one case alone and print the memory they took (the bench asks itself)
    #[arg(long, hide = true)]
    memory: Option<String>,
}

/// Rests before each round, so that idle threads of the other side have stopped spinning.
const REST: Duration = Duration::from_millis(300);
const STEPS: u64 = 100;

fn main() -> Result<()> {
    let args = Args::parse();
    rayon::ThreadPoolBuilder::new().num_threads(args.threads).build_global()?;
    if let Some(case) = &args.memory {
        let baseline = resident_peak()?;
        rounds(case)?()?;
        println!("{}", resident_peak()? - baseline);
        return Ok(());
    }
    let all = ["vae-step", "vae-evaluate", "first-sample"];
    if let Some(unknown) = args.cases.iter().find(|c| !all.contains(&c.as_str())) {
        bail!("no case '{unknown}'; the cases are {}", all.join(", "));
    }
    let wanted = |case: &str| args.cases.is_empty() || args.cases.iter().any(|c| c == case);
    println!("{} pairs, {} threads; ratio = theirs / ours", args.pairs, args.threads);
    for case in ["vae-step", "vae-evaluate"].into_iter().filter(|c| wanted(c)) {
        let mut ours = rounds(case)?;
        ours()?;
        for mode in ["eager", "compile"] {
            match Peer::start(&args, case, mode) {
                Ok(mut peer) => {
                    let pairs = (0..args.pairs)
                        .map(|_| {
                            let mine = timed(&mut ours)?;
                            std::thread::sleep(REST);
                            let theirs = peer.round()?;
                            std::thread::sleep(REST);
                            Ok((mine, theirs))
                        })
                        .collect::<Result<Vec<_>>>()?;
                    report(case, mode, &pairs);
                    if mode == "eager" {
                        let own = own_memory(&args, case)?;
                        println!(
                            "  peak memory above the start: ours {own:.0} MiB, theirs {:.0} MiB",
                            peer.memory
                        );
                    }
                }
                Err(error) if mode == "compile" => println!("{case} against compile: {error:#}"),
                Err(error) => return Err(error),
            }
        }
    }
    if wanted("first-sample") {
        first_sample(&args)?;
    }
    Ok(())
}

/// One round of a case of ours.
type Round = Box<dyn FnMut() -> Result<()>>;

fn rounds(case: &str) -> Result<Round> {
    let data = binary_pictures()?;
    let spec = DataSpec { domain: data.domain, shape: data.shape.clone(), classes: 0 };
    let settings = "latent_dims = [50]\nhidden = [[200, 200]]".parse()?;
    let mut model = (find("vae")?.build)(&settings, &spec, &Init::cpu(0))?;
    let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0)?;
    Ok(match case {
        "vae-step" => {
            let mut feed = Feed::new(examples, 100, 0);
            let mut optimisers = Optimisers::new(&TrainConfig::default())?;
            let mut pace = ancestral_kernels::Pace::new();
            let mut step = 0;
            Box::new(move || {
                for _ in 0..STEPS {
                    step += 1;
                    let epoch = feed.epoch();
                    let mut context = StepContext {
                        feed: &mut feed,
                        optimisers: &mut optimisers,
                        streams: Streams::new(0),
                        step,
                        epoch,
                    };
                    let model = &mut model;
                    pace.run(|| -> Result<()> {
                        let trainable = model.trainable().context("a VAE is trained")?;
                        trainable.step(&mut context)?;
                        Ok(())
                    })?;
                }
                Ok(())
            })
        }
        _ => Box::new(move || evaluate(model.as_ref(), &examples)),
    })
}

/// K = 5000 of four examples.
fn evaluate(model: &dyn Model, examples: &Examples) -> Result<()> {
    let density = model.density().context("a VAE has a bound")?;
    for i in 0..4 {
        let options = DensityOptions::new(5000, 0);
        density.log_probability(&examples.batch(&[i], 0), options)?;
    }
    Ok(())
}

/// 28×28 pictures of which an entry in eight is on, about as many as in MNIST.
fn binary_pictures() -> Result<Dataset> {
    let n = 7500;
    let bytes = Streams::new(0).purpose("bench", 0).uniforms(&[0], n * 784);
    let values = Values::Bytes(bytes.into_iter().map(|u| u8::from(u < 0.13)).collect());
    let split = Split { values, labels: None };
    let shape = Shape::image(1, 28, 28);
    Ok(Dataset::new("bench", Domain::Binary, shape, split, None, None)?.with_splits(0)?)
}

fn timed(round: &mut Round) -> Result<f64> {
    let began = Instant::now();
    round()?;
    Ok(began.elapsed().as_secs_f64())
}

/// A PyTorch process that waits to be told to do a round.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    memory: f64,
}

impl Peer {
    fn start(args: &Args, case: &str, mode: &str) -> Result<Self> {
        let mut child = Command::new(&args.python)
            .arg(beside("peer.py"))
            .args([case, mode, &args.threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if mode == "compile" { Stdio::null() } else { Stdio::inherit() })
            .spawn()
            .with_context(|| format!("cannot start {}", args.python))?;
        let input = child.stdin.take().context("no pipe to PyTorch")?;
        let output = BufReader::new(child.stdout.take().context("no pipe from PyTorch")?);
        let mut peer = Self { child, input, output, memory: 0.0 };
        let ready = peer.line().context("PyTorch did not start")?;
        peer.memory = ready.strip_prefix("ready ").unwrap_or_default().parse()?;
        Ok(peer)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!(
                "it ended early; see bench/requirements.txt (torch.compile needs a C++ compiler)"
            );
        }
        Ok(line.trim().to_owned())
    }

    fn round(&mut self) -> Result<f64> {
        writeln!(self.input, "go")?;
        Ok(self.line()?.parse()?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It holds nothing worth an orderly end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn beside(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// From nothing to the first sample of a saved run, each as a process of its own.
fn first_sample(args: &Args) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = std::env::current_exe()?.with_file_name("ancestral");
    if !program.exists() {
        bail!("{} is not there: cargo build --release", program.display());
    }
    let weights = folder.path().join("weights.pt");
    let theirs = || {
        let mut command = Command::new(&args.python);
        command.arg(beside("first_sample.py")).arg(&weights).stdout(Stdio::null());
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

fn report(case: &str, mode: &str, pairs: &[(f64, f64)]) {
    let sorted = |f: &dyn Fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = pairs.iter().map(f).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let at =
        |values: &[f64], share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    let ratio = sorted(&|p| p.1 / p.0);
    println!(
        "{case} against {mode}: {:.2}× [{:.2}, {:.2}]; ours {:.1} ms, theirs {:.1} ms a round",
        at(&ratio, 0.5),
        at(&ratio, 0.25),
        at(&ratio, 0.75),
        1e3 * at(&sorted(&|p| p.0), 0.5),
        1e3 * at(&sorted(&|p| p.1), 0.5),
    );
}

/// MiB that the rounds of a case take in a fresh process of ours.
fn own_memory(args: &Args, case: &str) -> Result<f64> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--threads", &args.threads.to_string(), "--memory", case])
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Peak resident memory of this process in MiB (Linux; elsewhere an error).
fn resident_peak() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("memory is read on Linux")?;
    let line = status.lines().find(|l| l.starts_with("VmHWM")).context("no VmHWM")?;
    let kib = line.split_whitespace().nth(1).context("no VmHWM")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}
