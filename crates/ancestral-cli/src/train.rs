//! `train`: from flags, files and presets to a run folder.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ancestral::Registry;
use ancestral::evaluate;
use ancestral::model::{Init, Model, ModelEntry};
use ancestral::settings::{Field, Settings, normalize, parse_assignment, unknown};
use ancestral::spec::cpu;
use ancestral::train::{
    Budget, DataConfig, FORMAT, Observer, Outcome, Progress, RunConfig, RunFolder, StopReason,
    TrainConfig, Training, Weights, check_batch_size, check_memory,
};
use ancestral_data::{Background, Binarize, Dataset, Examples, OpenOptions, SplitName};
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::args::{OutputArgs, TrainArgs};
use crate::inputs;
use crate::judge::{self, Judge};
use crate::output::{self, say, usage};
use crate::pictures::{self, Plane};

/// The settings of training that say how long.
const BUDGET: [&str; 3] = ["epochs", "steps", "seconds"];
/// Importance samples of the bound that training prints at its end.
const FINAL_SAMPLES: usize = 100;

pub(crate) fn run(args: &TrainArgs, data_dir: Option<&Path>) -> Result<()> {
    let (mut training, data, outcome) = session(args, data_dir)?;
    report(args, &mut training, &data, outcome)
}

/// Trains until the budget is used up or somebody asks it to stop.
pub(crate) fn session(
    args: &TrainArgs,
    data_dir: Option<&Path>,
) -> Result<(Training, Dataset, Outcome)> {
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
    let mut training = Training::new(run, &data, &Registry::standard(), &cpu())?;
    if args.resume.is_some()
        && let Some(budget) = budget(args)?
    {
        training.set_budget(budget, &typed())?;
    }
    let output = args.output;
    if !output.quiet && !output.json {
        announce(&training, &data)?;
    }
    if training.state().finished && !output.quiet && !output.json {
        say!("{} has used up its budget already", path.display())?;
    }
    let stop = stop_on_interrupt(!output.quiet && !output.json)?;
    let mut watch = Watch::new(output, &training, &data);
    let outcome = training.train(&mut watch, stop);
    watch.finish();
    let outcome = outcome
        .with_context(|| format!("training stopped; what was reached is in {}", path.display()))?;
    Ok((training, data, outcome))
}

/// What Ctrl-C sets, and says if `talk`; the handler is installed once.
fn stop_on_interrupt(talk: bool) -> Result<&'static AtomicBool> {
    static STOP: AtomicBool = AtomicBool::new(false);
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if !INSTALLED.swap(true, Ordering::Relaxed) {
        ctrlc::set_handler(move || {
            // A second request does not wait for the checkpoint.
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(output::INTERRUPTED));
            }
            if talk {
                let text = "stopping after this step; once more quits without its checkpoint";
                let _ = writeln!(std::io::stderr(), "\n{text}");
            }
        })
        .context("cannot listen for Ctrl-C")?;
    }
    Ok(&STOP)
}

/// Makes the run folder from what was typed.
fn create(args: &TrainArgs, data_dir: Option<&Path>) -> Result<(RunFolder, Dataset)> {
    let of_file;
    let source = args.from.as_deref().map(RunFolder::open).transpose()?;
    let name = match (&args.model, &args.config, &source) {
        (Some(name), ..) => name,
        (None, Some(path), _) => {
            of_file = model_of(path)?;
            &of_file
        }
        (None, None, Some(source)) => &source.config.model,
        (None, None, None) => "",
    };
    let registry = Registry::standard();
    let entry = registry.find(name)?;
    let mut groups = gather(args, entry, source.as_ref())?;

    let file = groups.file;
    let seed = args.seed.or(file.seed).unwrap_or(0);
    let all_train = args.all_train || file.data.all_train;
    let grey = args.grey || file.data.grey;
    let background = match &args.background {
        Some(text) => Some(inputs::background(text)?),
        None => file.data.background,
    };
    let fold = args.fold.or(file.data.fold);
    let resize = match &args.resize {
        Some(text) => Some(inputs::size(text)?),
        None => file.data.resize.map(|[h, w]| (h, w)),
    };
    let options = OpenOptions {
        data_dir: data_dir.map(Path::to_path_buf),
        seed,
        resize,
        grey,
        background,
        all_train,
        fold,
        ..OpenOptions::default()
    };
    let of_source = source.as_ref().map(|source| &source.config.data);
    let asked = args
        .data
        .as_deref()
        .or(file.data.name.as_deref())
        .or(of_source.map(|data| data.name.as_str()))
        .unwrap_or("digits");
    let data = ancestral_data::open(asked, &options)?;
    let binarize: Binarize = match &args.binarize {
        Some(text) => text.parse().map_err(|e| usage(format!("--binarize: {e}")))?,
        None => {
            let of_source = of_source.map(|data| data.binarize.as_str());
            file.data.binarize.as_deref().or(of_source).unwrap_or("none").parse()?
        }
    };
    // Refuses what cannot be binarised before a folder is made.
    Examples::new(&data, SplitName::Train, binarize, seed)?;
    let mut described = DataConfig::describe(&data, binarize);
    described.all_train = all_train;
    described.fold = fold;
    described.resize = resize.map(|(h, w)| [h, w]);
    described.grey = grey;
    described.background = background;
    described.name = inputs::stored_name(asked);
    let spec = described.spec()?;
    // Epochs, steps and seconds are one choice.
    let is_budget = |name: &str| BUDGET.contains(&name);
    let budget_given = groups.train.keys().any(|name| is_budget(name));
    for (name, value) in (entry.train)(&spec) {
        if !(budget_given && is_budget(&name)) {
            groups.train.entry(name).or_insert(value);
        }
    }
    if budget_given {
        // What was not asked for sets no limit, the loop's own default included.
        for name in BUDGET {
            let none = if name == "seconds" { Value::Float(0.0) } else { Value::Integer(0) };
            groups.train.entry(name).or_insert(none);
        }
    }
    let train = TrainConfig::parse(&groups.train)?;
    let examples = data.len(SplitName::Train);
    check_memory(&registry, (name, &groups.model), &spec, &train, examples)?;
    // Builds once to catch bad settings before a folder is made; its settings are complete.
    let mut built = registry.build(name, &groups.model, &spec, &Init::new(&cpu(), seed))?;
    let Some(trainable) = built.trainable() else {
        return Err(usage(format!(
            "{name} is not trained step by step; fit it with `ancestral fit {name}`"
        )));
    };
    check_batch_size(&train, trainable)?;
    let config = RunConfig {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: typed(),
        model: entry.name.to_owned(),
        preset: args.preset.clone().or(file.preset).unwrap_or_default(),
        seed,
        from: source.as_ref().map(|source| inputs::stored_path(source.path())),
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

/// The command line as a shell takes it.
pub(crate) fn typed() -> String {
    std::env::args().enumerate().map(|(i, a)| word(i, &a)).collect::<Vec<_>>().join(" ")
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
    // A colon, as in rings:8, is no part of a name everywhere.
    let stem = stem.split('.').next().unwrap_or_default().replace(':', "-");
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
    file: FileConfig,
}

/// What a preset or a file may say beside the settings, all of it if it is a run's own.
#[derive(Default, Deserialize)]
#[serde(default)]
struct FileConfig {
    preset: Option<String>,
    seed: Option<u64>,
    data: FileData,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FileData {
    name: Option<String>,
    binarize: Option<String>,
    all_train: bool,
    fold: Option<u32>,
    resize: Option<[usize; 2]>,
    grey: bool,
    background: Option<Background>,
}

/// The keys of a settings file; the first five say what a run was made by.
const FILE_KEYS: [&str; 10] = [
    "format", "version", "command", "preset", "seed", "from", "model", "settings", "train", "data",
];
/// The keys of its table `data`; a run's own has all of them.
const DATA_KEYS: [&str; 14] = [
    "name",
    "binarize",
    "all_train",
    "fold",
    "resize",
    "grey",
    "background",
    "fingerprint",
    "domain",
    "levels",
    "shape",
    "classes",
    "columns",
    "class_names",
];

/// The run whose weights are taken, then preset, then file, then flags: later ones win.
fn gather(args: &TrainArgs, entry: &ModelEntry, source: Option<&RunFolder>) -> Result<Groups> {
    let (model_fields, train_fields) = ((entry.fields)(), TrainConfig::fields());
    let mut groups = Groups::default();
    if let Some(source) = source {
        groups.model.extend(normalize(&model_fields, &source.config.settings)?);
    }
    let file = args.config.as_deref().map(|path| read_config(path, entry.name)).transpose()?;
    let file_preset = file.as_ref().and_then(|(_, file)| file.preset.as_ref());
    if let Some(name) = args.preset.as_ref().or(file_preset.filter(|name| !name.is_empty())) {
        let preset = entry.presets.iter().find(|p| p.name == name).ok_or_else(|| {
            let names: Vec<&str> = entry.presets.iter().map(|p| p.name).collect();
            usage(if names.is_empty() {
                format!("--preset {name}: {} has no presets", entry.name)
            } else {
                format!("--preset {name}: the presets of {} are {}", entry.name, names.join(", "))
            })
        })?;
        let table: Table = preset.settings.parse().context("a built-in preset is broken")?;
        groups.file = table.clone().try_into().context("a built-in preset is broken")?;
        groups.merge(&table, &model_fields, &train_fields)?;
    }
    if let Some((table, file)) = file {
        groups.merge(&table, &model_fields, &train_fields)?;
        let binarize = groups.file.data.binarize.take();
        groups.file = file;
        groups.file.data.binarize = groups.file.data.binarize.or(binarize);
    }
    for text in &args.sets {
        groups.set(text, &model_fields, &train_fields)?;
    }
    if let Some(n) = args.batch_size {
        groups.train.insert("batch_size".to_owned(), integer(n as u64)?);
    }
    if let Some(budget) = budget(args)? {
        groups.train.insert("epochs".to_owned(), integer(budget.epochs)?);
        groups.train.insert("steps".to_owned(), integer(budget.steps)?);
        groups.train.insert("seconds".to_owned(), Value::Float(budget.seconds));
    }
    Ok(groups)
}

/// The budget that was typed, if one was.
fn budget(args: &TrainArgs) -> Result<Option<Budget>> {
    if args.epochs.is_none() && args.steps.is_none() && args.time.is_none() {
        return Ok(None);
    }
    Ok(Some(Budget {
        epochs: args.epochs.unwrap_or(0),
        steps: args.steps.unwrap_or(0),
        seconds: args.time.as_deref().map_or(Ok(0.0), inputs::seconds)?,
    }))
}

impl Groups {
    fn merge(&mut self, table: &Table, model: &[Field], train: &[Field]) -> Result<()> {
        let group = |name: &str| table.get(name).and_then(Value::as_table).cloned();
        let settings = group("settings").or_else(|| group("model")).unwrap_or_default();
        self.model.extend(normalize(model, &settings)?);
        self.train.extend(normalize(train, &group("train").unwrap_or_default())?);
        Ok(())
    }

    /// One setting as it was typed: `name=value`, or `group.name=value`.
    fn set(&mut self, text: &str, model: &[Field], train: &[Field]) -> Result<()> {
        let (key, value) = parse_assignment(text)?;
        let (group, name) = match key.split_once('.') {
            Some((group, rest)) => (Some(group), rest),
            None => (None, key.as_str()),
        };
        let named = |fields: &[Field]| fields.iter().find(|f| f.is(name)).map(|f| f.stored);
        let known = |fields: &[Field]| fields.iter().map(|f| f.name).collect::<Vec<_>>();
        match (group, named(model), named(train)) {
            (None | Some("settings" | "model"), Some(stored), _) => {
                self.model.insert(stored.to_owned(), value);
                Ok(())
            }
            (None | Some("train"), _, Some(stored)) => {
                self.train.insert(stored.to_owned(), value);
                Ok(())
            }
            (Some("settings" | "model"), None, Some(_)) => Err(usage(format!(
                "--set {text}: '{name}' is a setting of training; write train.{name}"
            ))),
            (Some("train"), Some(_), None) => Err(usage(format!(
                "--set {text}: '{name}' is a setting of the model; write settings.{name}"
            ))),
            (Some("settings" | "model"), None, None) => Err(unknown(name, &known(model)).into()),
            (Some("train"), None, None) => Err(unknown(name, &known(train)).into()),
            (None, None, None) => Err(unknown(name, &[known(model), known(train)].concat()).into()),
            (Some(other), ..) => Err(usage(format!(
                "--set {text}: there is no group '{other}'; the groups are settings and train"
            ))),
        }
    }
}

/// A settings file, whose every key is known.
fn read_config(path: &Path, model: &str) -> Result<(Table, FileConfig)> {
    let wrong = |problem: String| usage(format!("--config {}: {problem}", path.display()));
    let table = config_table(path)?;
    let refuse =
        |table: &Table, known: &[&str]| match table.keys().find(|k| !known.contains(&k.as_str())) {
            Some(key) => Err(wrong(unknown(key, known).to_string())),
            None => Ok(()),
        };
    refuse(&table, &FILE_KEYS)?;
    if let Some(data) = table.get("data").and_then(Value::as_table) {
        refuse(data, &DATA_KEYS)?;
    }
    for (key, value) in &table {
        let of_groups = matches!(key.as_str(), "settings" | "train" | "data");
        match value {
            Value::String(name) if key == "model" && name != model => {
                return Err(wrong(format!("it is of a {name} and {model} was asked for")));
            }
            Value::Table(_) if key == "model" || of_groups => {}
            _ if of_groups => return Err(wrong(format!("'{key}' must be a table, as in [{key}]"))),
            _ => {}
        }
    }
    let file = table
        .clone()
        .try_into()
        .map_err(|e: toml::de::Error| wrong(e.to_string().trim().replace('\n', " ")))?;
    Ok((table, file))
}

/// A file of settings as it stands.
fn config_table(path: &Path) -> Result<Table> {
    let wrong = |problem: String| usage(format!("--config {}: {problem}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    text.parse().map_err(|e| wrong(format!("not valid TOML: {e}")))
}

/// The model that a run's own file names.
fn model_of(path: &Path) -> Result<String> {
    match config_table(path)?.get("model") {
        Some(Value::String(name)) => Ok(name.clone()),
        _ => Err(usage(format!(
            "--config {}: it names no model; give one, as in `ancestral train vae --config FILE`",
            path.display()
        ))),
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
    /// What is drawn below samples of two columns.
    plane: Option<Plane>,
    data: Dataset,
    binarize: Binarize,
    /// Made when a model is first to be judged.
    judge: Option<Option<Judge>>,
    /// Warnings by their words: those of the last report, and those of this one.
    warned: (Vec<String>, Vec<String>),
}

impl Watch {
    fn new(output: OutputArgs, training: &Training, data: &Dataset) -> Self {
        let plain = output.quiet || output.json || !std::io::stderr().is_terminal();
        let bar = (!plain && !training.state().finished).then(|| {
            let bar = ProgressBar::new(1000);
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3}% {msg}") {
                bar.set_style(style);
            }
            bar
        });
        let binarize = &training.run_folder().config.data.binarize;
        Self {
            output,
            bar,
            began: Instant::now(),
            first_share: None,
            last_line: None,
            plane: Plane::of(data),
            data: data.clone(),
            binarize: binarize.parse().unwrap_or(Binarize::None),
            judge: None,
            warned: Default::default(),
        }
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
        if p.epoch_ended {
            self.warned = (std::mem::take(&mut self.warned.1), Vec::new());
        }
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

    fn evaluate(&mut self, model: &dyn Model) -> ancestral::Result<Option<(&'static str, f64)>> {
        if model.sampler().is_none() {
            return Ok(None);
        }
        let judge = match &mut self.judge {
            Some(judge) => judge,
            none => none.insert(Judge::of(&self.data, self.binarize)?),
        };
        judge.as_ref().map(|judge| judge.judge(model)).transpose()
    }

    fn warning(&mut self, text: &str) {
        // What was said at the last report too is not said again: only its figures differ.
        let words: String = text.chars().filter(|c| !c.is_ascii_digit() && *c != '.').collect();
        let known = self.warned.0.contains(&words);
        self.warned.1.push(words);
        if !known && !self.output.quiet && !self.output.json {
            let text = format!("warning: {text}");
            match &self.bar {
                Some(bar) => bar.println(text),
                None => {
                    let _ = writeln!(std::io::stderr().lock(), "{text}");
                }
            }
        }
    }

    fn draw(&mut self, run: &RunFolder, model: &dyn Model, epoch: u64) -> ancestral::Result<()> {
        let path = run.path().join("samples").join(format!("epoch-{epoch:05}.png"));
        pictures::draw_samples(run, model, self.plane.as_ref(), &path)
    }

    fn checkpoint(&mut self, run: &RunFolder) -> ancestral::Result<()> {
        pictures::draw_curves(run)
    }
}

#[derive(Serialize)]
struct Report {
    run: PathBuf,
    model: String,
    data: String,
    binarize: String,
    finished: bool,
    step: u64,
    epoch: f64,
    seconds: f64,
    /// The name of the validation figure.
    validation: Option<String>,
    best_validation: Option<f64>,
    test: Option<evaluate::Likelihoods>,
    samples: Option<PathBuf>,
}

/// The figures at the end of a run, and where everything is.
fn report(
    args: &TrainArgs,
    training: &mut Training,
    data: &Dataset,
    outcome: Outcome,
) -> Result<()> {
    let path = training.run_folder().path().to_owned();
    let config = training.run_folder().config.clone();
    let output = args.output;
    let say = !output.quiet && !output.json;
    let binarize: Binarize = config.data.binarize.parse()?;
    let run = RunFolder::open(&path)?;
    let events = run.events()?;
    let judged = events.iter().rev().find(|e| e.kind == "valid").and_then(|e| e.values.first());
    let judged = judged.map(|(name, _)| name.clone());
    let mut report = Report {
        run: path.clone(),
        model: config.model.clone(),
        data: config.data.name.clone(),
        binarize: config.data.binarize.clone(),
        finished: outcome.reason != StopReason::Interrupted,
        step: outcome.step,
        epoch: outcome.epoch,
        seconds: outcome.seconds,
        validation: outcome.best.and(judged.clone()),
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
        return Err(output::Interrupted.into());
    }
    let (mut model, _) = run.load(&Registry::standard(), &cpu(), Weights::Best)?;
    let own = model.trainable().map_or("validation", |t| t.validation_name());
    let figure = judged.unwrap_or_else(|| own.to_owned());
    report.validation = outcome.best.map(|_| figure.clone());
    if say {
        say!("trained {:.1} epochs in {}", outcome.epoch, duration(outcome.seconds))?;
        if outcome.reason == StopReason::EarlyStop {
            say!("validation had stopped improving")?;
        }
        if outcome.best.is_none() && model.sampler().is_some() && model.density().is_none() {
            let why = match data.len(SplitName::Valid) {
                0 => "there are no validation examples".to_owned(),
                n if n < judge::LEAST => {
                    format!("judging samples takes {} validation examples", judge::LEAST)
                }
                _ => "no network of zoo/ has features for this data".to_owned(),
            };
            say!("nothing was validated, so that the best weights are the last: {why}")?;
        }
        if let Some(best) = outcome.best {
            say!(
                "best validation {figure} {:.3} at epoch {:.1} (binarisation {binarize})",
                best.value,
                best.epoch
            )?;
        }
    }
    if !args.skip_test && model.density().is_some() && data.len(SplitName::Test) > 0 {
        let examples = Examples::new(data, SplitName::Test, binarize, config.seed)?;
        let bar = output::bar(output, examples.len() as u64, "test");
        let options = evaluate::Options { samples: FINAL_SAMPLES, ..evaluate::Options::default() };
        let mut found = evaluate::likelihoods(model.as_ref(), &examples, options, &mut |done| {
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        found.standardise(&Examples::new(data, SplitName::Train, binarize, config.seed)?);
        if say {
            let binarize = examples.binarize().as_str();
            say!("{}", crate::evaluate::sentence(&found, "test", binarize))?;
        }
        training.record_test(vec![
            ("nll_nats".to_owned(), found.nll_nats),
            ("nll_stderr".to_owned(), found.nll_stderr),
        ])?;
        report.test = Some(found);
    }
    let samples = path.join("samples.png");
    if config.train.sample_count > 0 {
        pictures::draw_samples(&run, model.as_ref(), Plane::of(data).as_ref(), &samples)?;
        if samples.exists() {
            report.samples = Some(samples.clone());
        }
    }
    let pictures = config.train.sample_count > 0 && !args.skip_test;
    if pictures && model.sampler().is_none() && model.latent().is_some() {
        let picture = path.join("reconstructions.png");
        let test = Examples::new(data, SplitName::Test, binarize, config.seed)?;
        if data.shape.as_image().is_some() && !test.is_empty() {
            crate::codes::draw_reconstructions(model.as_ref(), &test, 16, &picture)?;
            report.samples = Some(picture);
        }
    }
    let animation = path.join("training.gif");
    let animated = config.train.sample_count > 0
        && (model.discriminator().is_some() || Plane::of(data).is_some())
        && pictures::animate(&run, &animation)?;
    if output.json {
        return output::json(&report);
    }
    if say {
        say!("run      {}", path.display())?;
        if animated {
            say!("training {}", animation.display())?;
        }
    }
    match &report.samples {
        Some(samples) if say => say!("pictures {}", samples.display())?,
        _ if say => {}
        _ => say!("{}", path.display())?,
    }
    Ok(())
}
