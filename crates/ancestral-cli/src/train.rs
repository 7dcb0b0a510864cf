//! `train`: from flags, files and presets to a run folder.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ancestral::evaluate;
use ancestral::model::{self, Model, ModelEntry, SampleRequest};
use ancestral::settings::{Settings, parse_assignment, unknown};
use ancestral::train::{
    DataConfig, FORMAT, Observer, Outcome, Progress, RunConfig, RunFolder, StopReason, TrainConfig,
    Training, Weights,
};
use ancestral_data::{Binarize, Dataset, Examples, OpenOptions, Plot, Series, SplitName};
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use toml::{Table, Value};

use crate::args::{OutputArgs, TrainArgs};
use crate::inputs;
use crate::output::{self, say, usage};

/// Importance samples of the bound that training prints at its end.
const FINAL_SAMPLES: usize = 100;

pub(crate) fn run(args: &TrainArgs, data_dir: Option<&Path>) -> Result<()> {
    if args.device != "cpu" {
        return Err(usage(format!(
            "--device {}: this build computes on the cpu only",
            args.device
        )));
    }
    let (run, data) = match &args.resume {
        Some(path) => {
            let run = RunFolder::open(path)?;
            let data = run.config.data.open(data_dir, run.config.seed)?;
            (run, data)
        }
        None => create(args, data_dir)?,
    };
    let path = run.path().to_owned();
    let test = run.config.clone();
    let mut training = Training::new(run, &data)?;
    let output = args.output;
    if !output.quiet && !output.json {
        announce(&training, &data)?;
    }
    if training.state().finished && !output.quiet && !output.json {
        say!("{} has used up its budget already", path.display())?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        // A second request does not wait for the checkpoint.
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(output::INTERRUPTED));
        }
    })
    .context("cannot listen for Ctrl-C")?;
    let mut watch = Watch::new(output, &training);
    let outcome = training.train(&mut watch, &stop);
    watch.finish();
    let outcome = outcome
        .with_context(|| format!("training stopped; what was reached is in {}", path.display()))?;
    drop(training);
    report(args, &path, &test, &data, outcome)
}

/// Makes the run folder from what was typed.
fn create(args: &TrainArgs, data_dir: Option<&Path>) -> Result<(RunFolder, Dataset)> {
    let name = args.model.as_deref().unwrap_or_default();
    let entry = model::find(name)?;
    let groups = gather(args, &entry)?;
    let train = TrainConfig::parse(&groups.train)?;

    let resize = args.resize.as_deref().map(inputs::size).transpose()?;
    let options = OpenOptions {
        data_dir: data_dir.map(Path::to_path_buf),
        seed: args.seed,
        resize,
        grey: args.grey,
        all_train: args.all_train,
        ..OpenOptions::default()
    };
    let data = ancestral_data::open(&args.data, &options)?;
    let binarize: Binarize = match &args.binarize {
        Some(text) => text.parse().map_err(|e| usage(format!("--binarize: {e}")))?,
        None => groups.binarize.as_deref().unwrap_or("none").parse()?,
    };
    // Refuses what cannot be binarised before a folder is made.
    Examples::new(&data, SplitName::Train, binarize, args.seed)?;
    let mut described = DataConfig::describe(&data, binarize);
    described.all_train = args.all_train;
    described.resize = resize.map(|(h, w)| [h, w]);
    described.grey = args.grey;
    if let Ok(path) = Path::new(&args.data).canonicalize()
        && args.data.contains(std::path::MAIN_SEPARATOR)
    {
        described.name = path.display().to_string();
    }
    // Builds once to catch bad settings before a folder is made; its settings are complete.
    let init = model::Init::cpu(args.seed);
    let mut built = (entry.build)(&groups.model, &described.spec()?, &init)?;
    if built.trainable().is_none() {
        return Err(usage(format!(
            "{name} is not trained step by step; fit it with `ancestral fit {name}`"
        )));
    }
    let config = RunConfig {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: std::env::args()
            .enumerate()
            .map(|(i, a)| word(i, &a))
            .collect::<Vec<_>>()
            .join(" "),
        model: entry.name.to_owned(),
        preset: args.preset.clone().unwrap_or_default(),
        seed: args.seed,
        data: described,
        settings: built.settings(),
        train,
    };
    let path = match &args.out {
        Some(path) => path.clone(),
        None => default_folder(entry.name, &data.name),
    };
    Ok((RunFolder::create(&path, config)?, data))
}

/// A word of the command line, quoted if a shell needs it.
fn word(place: usize, text: &str) -> String {
    if place == 0 {
        return "ancestral".to_owned();
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// `runs/MODEL-DATA-N` with the first N that is free.
pub(crate) fn default_folder(model: &str, data: &str) -> PathBuf {
    let stem = Path::new(data).file_name().unwrap_or_default().to_string_lossy();
    let stem = stem.split('.').next().unwrap_or_default();
    let mut n = 1;
    loop {
        let path = PathBuf::from("runs").join(format!("{model}-{stem}-{n}"));
        if !path.exists() {
            return path;
        }
        n += 1;
    }
}

/// Settings by group.
#[derive(Default)]
struct Groups {
    model: Table,
    train: Table,
    binarize: Option<String>,
}

/// Preset, then file, then flags: later ones win.
fn gather(args: &TrainArgs, entry: &ModelEntry) -> Result<Groups> {
    let mut groups = Groups::default();
    if let Some(name) = &args.preset {
        let preset = entry.presets.iter().find(|p| p.name == name).ok_or_else(|| {
            let names: Vec<&str> = entry.presets.iter().map(|p| p.name).collect();
            usage(if names.is_empty() {
                format!("--preset {name}: {} has no presets", entry.name)
            } else {
                format!("--preset {name}: the presets of {} are {}", entry.name, names.join(", "))
            })
        })?;
        groups.merge(preset.settings.parse().context("a built-in preset is broken")?);
    }
    if let Some(path) = &args.config {
        let text = std::fs::read_to_string(path)
            .map_err(|e| usage(format!("--config {}: {e}", path.display())))?;
        let table = text
            .parse()
            .map_err(|e| usage(format!("--config {}: not valid TOML: {e}", path.display())))?;
        groups.merge(table);
    }
    let model_fields = (entry.fields)();
    let train_fields = TrainConfig::fields();
    for text in &args.sets {
        let (key, value) = parse_assignment(text)?;
        let (group, key) = match key.split_once('.') {
            Some((group, rest)) => (Some(group), rest),
            None => (None, key.as_str()),
        };
        if group != Some("train") && model_fields.iter().any(|f| f.name == key) {
            groups.model.insert(key.to_owned(), value);
        } else if group != Some("model") && train_fields.iter().any(|f| f.name == key) {
            groups.train.insert(key.to_owned(), value);
        } else {
            let known: Vec<&str> =
                model_fields.iter().chain(&train_fields).map(|f| f.name).collect();
            return Err(unknown(key, &known).into());
        }
    }
    if let Some(n) = args.batch_size {
        groups.train.insert("batch_size".to_owned(), integer(n as u64)?);
    }
    let mut budget = |epochs: Option<u64>, steps: Option<u64>, time: f64| -> Result<()> {
        groups.train.insert("epochs".to_owned(), integer(epochs.unwrap_or(0))?);
        groups.train.insert("steps".to_owned(), integer(steps.unwrap_or(0))?);
        groups.train.insert("seconds".to_owned(), Value::Float(time));
        Ok(())
    };
    match (args.epochs, args.steps, &args.time) {
        (None, None, None) => {}
        (epochs, steps, None) => budget(epochs, steps, 0.0)?,
        (_, _, Some(text)) => budget(None, None, inputs::seconds(text)?)?,
    }
    Ok(groups)
}

impl Groups {
    fn merge(&mut self, table: Table) {
        let group = |names: &[&str]| {
            names.iter().find_map(|n| table.get(*n)).and_then(Value::as_table).cloned()
        };
        // A run's own file calls the model's settings `settings`.
        self.model.extend(group(&["settings", "model"]).unwrap_or_default());
        self.train.extend(group(&["train"]).unwrap_or_default());
        if let Some(text) =
            group(&["data"]).and_then(|d| d.get("binarize")?.as_str().map(str::to_owned))
        {
            self.binarize = Some(text);
        }
    }
}

fn integer(n: u64) -> Result<Value> {
    let n = i64::try_from(n).map_err(|_| usage(format!("{n} is too large")))?;
    Ok(Value::Integer(n))
}

fn announce(training: &Training, data: &Dataset) -> Result<()> {
    let config = &training.run_folder().config;
    say!(
        "{} on {} ({} × {}, {}; binarisation {}): {} train, {} valid, {} test",
        config.model,
        config.data.name,
        data.shape,
        data.domain,
        if data.classes() > 0 { format!("{} classes", data.classes()) } else { "no labels".into() },
        config.data.binarize,
        data.len(SplitName::Train),
        data.len(SplitName::Valid),
        data.len(SplitName::Test),
    )?;
    let state = training.state();
    if state.step > 0 {
        say!("resuming at step {} (epoch {:.2})", state.step, state.epoch)?;
    }
    Ok(())
}

/// Shows a run: a bar on a terminal, lines elsewhere.
struct Watch {
    output: OutputArgs,
    bar: Option<ProgressBar>,
    began: Instant,
    first_share: Option<f64>,
    last_line: Option<Instant>,
}

impl Watch {
    fn new(output: OutputArgs, training: &Training) -> Self {
        let plain = output.quiet || output.json || !std::io::stderr().is_terminal();
        let bar = (!plain && !training.state().finished).then(|| {
            let bar = ProgressBar::new(1000);
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3}% {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { output, bar, began: Instant::now(), first_share: None, last_line: None }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn message(&self, p: &Progress) -> String {
        let mut text = format!("epoch {:.1}", p.epoch);
        if let Some((name, value)) = p.metrics.first() {
            text += &format!("  {name} {value:.3}");
        }
        if let Some((name, value)) = p.validation {
            text += &format!("  valid {name} {value:.3}");
        }
        text += &format!("  {:.0} examples/s", p.examples_per_second);
        let gone = p.share - self.first_share.unwrap_or(0.0);
        if gone > 0.0 && p.share < 1.0 {
            let left = self.began.elapsed().as_secs_f64() / gone * (1.0 - p.share);
            text += &format!("  {} left", duration(left));
        }
        text
    }
}

/// Seconds as a person says them.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.0}s"),
        s if s < 3600.0 => format!("{:.0}m {:02.0}s", (s / 60.0).floor(), s % 60.0),
        s => format!("{:.0}h {:02.0}m", (s / 3600.0).floor(), s % 3600.0 / 60.0),
    }
}

impl Observer for Watch {
    fn progress(&mut self, p: &Progress) {
        self.first_share.get_or_insert(p.share);
        if let Some(bar) = &self.bar {
            bar.set_position((p.share * 1000.0) as u64);
            bar.set_message(self.message(p));
        } else if !self.output.quiet && !self.output.json {
            // Lines at the ends of epochs, but not more often than a second.
            let due = self.last_line.is_none_or(|at| at.elapsed().as_secs_f64() >= 1.0);
            if (p.epoch_ended && due) || p.share >= 1.0 {
                let mut err = std::io::stderr().lock();
                let _ = writeln!(err, "{}", self.message(p));
                self.last_line = Some(Instant::now());
            }
        }
    }

    fn draw(&mut self, run: &RunFolder, model: &dyn Model, epoch: u64) -> ancestral::Result<()> {
        let path = run.path().join("samples").join(format!("epoch-{epoch:05}.png"));
        draw_samples(run, model, &path)
    }

    fn checkpoint(&mut self, run: &RunFolder) -> ancestral::Result<()> {
        draw_curves(run)
    }
}

/// A picture of samples: means above and draws below for images, a scatter for two columns.
fn draw_samples(run: &RunFolder, model: &dyn Model, path: &Path) -> ancestral::Result<()> {
    let Some(sampler) = model.sampler() else { return Ok(()) };
    let data = model.data();
    let n = run.config.train.sample_count;
    let request = SampleRequest::new(n, run.config.seed);
    if let Some(shape) = data.shape.as_image() {
        let top = data.domain.max_level().unwrap_or(1) as f32;
        let columns = (n as f64).sqrt().ceil() as usize;
        let draw = |mean: bool| -> ancestral::Result<_> {
            let mut values = sampler.sample(&SampleRequest { mean, ..request.clone() })?;
            values.iter_mut().for_each(|v| *v /= top);
            Ok(output::grid(&values, shape, columns))
        };
        let picture = ancestral_data::Picture::beside(&[
            ("samples", draw(false)?),
            ("means of p(x|z)", draw(true)?),
        ]);
        picture.save_png(path)?;
    } else if data.shape.size() == 2 {
        let values = sampler.sample(&SampleRequest { count: n.max(1000), ..request })?;
        let points = values.chunks_exact(2).map(|p| (f64::from(p[0]), f64::from(p[1])));
        Plot::new("samples", "first column", "second column")
            .with(Series::points("", points))
            .equal_aspect()
            .save(path)?;
    }
    Ok(())
}

/// Loss and validation over epochs.
fn draw_curves(run: &RunFolder) -> ancestral::Result<()> {
    let events = run.events()?;
    let mut plot = Plot::new(
        format!("{} on {}", run.config.model, run.config.data.name),
        "epoch",
        if events.iter().any(|e| e.values.iter().any(|(name, _)| name == "squared_error")) {
            "squared error an example"
        } else {
            "nats an example"
        },
    );
    let mut any = false;
    for (kind, name, label) in [
        ("train", "loss", "training loss"),
        ("train", "critic_loss", "critic loss"),
        ("valid", "negative_elbo", "validation, negative ELBO"),
        ("valid", "squared_error", "validation, squared error"),
        ("valid", "cross_entropy", "validation, cross-entropy"),
    ] {
        let points: Vec<(f64, f64)> = events
            .iter()
            .filter(|e| e.kind == kind)
            .filter_map(|e| {
                let value = e.values.iter().find(|(n, _)| n == name)?;
                Some((e.epoch, value.1))
            })
            .collect();
        if !points.is_empty() {
            any = true;
            plot = plot.with(Series::line(label, points));
        }
    }
    if any {
        plot.save(run.path().join("curves.svg"))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Report {
    run: PathBuf,
    model: String,
    data: String,
    finished: bool,
    step: u64,
    epoch: f64,
    seconds: f64,
    best_validation: Option<f64>,
    test: Option<evaluate::Likelihoods>,
    samples: Option<PathBuf>,
}

/// The figures at the end of a run, and where everything is.
fn report(
    args: &TrainArgs,
    path: &Path,
    config: &RunConfig,
    data: &Dataset,
    outcome: Outcome,
) -> Result<()> {
    let output = args.output;
    let say = !output.quiet && !output.json;
    let mut report = Report {
        run: path.to_owned(),
        model: config.model.clone(),
        data: config.data.name.clone(),
        finished: outcome.reason != StopReason::Interrupted,
        step: outcome.step,
        epoch: outcome.epoch,
        seconds: outcome.seconds,
        best_validation: outcome.best.map(|b| b.value),
        test: None,
        samples: None,
    };
    if outcome.reason == StopReason::Interrupted {
        if output.json {
            output::json(&report)?;
            return Err(output::Interrupted.into());
        }
        say!(
            "stopped at step {} (epoch {:.2}); go on with: ancestral train --resume {}",
            outcome.step,
            outcome.epoch,
            path.display()
        )?;
        return Ok(());
    }
    if say {
        say!("trained {:.1} epochs in {}", outcome.epoch, duration(outcome.seconds))?;
        if outcome.reason == StopReason::EarlyStop {
            say!("validation had stopped improving")?;
        }
        if let Some(best) = outcome.best {
            say!("best validation {:.3} at epoch {:.1}", best.value, best.epoch)?;
        }
    }
    let run = RunFolder::open(path)?;
    let (model, _) = run.load(Weights::Best)?;
    if model.density().is_some() && data.len(SplitName::Test) > 0 {
        let binarize: Binarize = config.data.binarize.parse()?;
        let examples = Examples::new(data, SplitName::Test, binarize, config.seed)?;
        let bar = output::bar(output, examples.len() as u64, "test");
        let options = evaluate::Options { samples: FINAL_SAMPLES, seed: 0 };
        let found = evaluate::likelihoods(model.as_ref(), &examples, options, &mut |done| {
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        if say {
            say!("{}", crate::evaluate::sentence(&found, "test", &config.data.binarize))?;
        }
        report.test = Some(found);
    }
    let samples = path.join("samples.png");
    if config.train.sample_count > 0 {
        draw_samples(&run, model.as_ref(), &samples)?;
        if samples.exists() {
            report.samples = Some(samples.clone());
        }
    }
    if config.train.sample_count > 0 && model.sampler().is_none() && model.latent().is_some() {
        let picture = path.join("reconstructions.png");
        let test =
            Examples::new(data, SplitName::Test, config.data.binarize.parse()?, config.seed)?;
        if data.shape.as_image().is_some() && !test.is_empty() {
            crate::codes::draw_reconstructions(model.as_ref(), &test, 16, &picture)?;
            report.samples = Some(picture);
        }
    }
    if output.json {
        return output::json(&report);
    }
    if say {
        say!("run      {}", path.display())?;
    }
    match &report.samples {
        Some(samples) if say => say!("pictures {}", samples.display())?,
        _ if say => {}
        _ => say!("{}", path.display())?,
    }
    Ok(())
}
