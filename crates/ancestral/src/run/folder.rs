//! The run folder: everything about a run except the data, which is found by name or path and
//! checked by fingerprint.
//!
//! | file | holds |
//! |---|---|
//! | `config.toml` | the complete configuration |
//! | `last.safetensors` | the last checkpoint: weights, averages, moments, best so far, counters |
//! | `model.safetensors` | the weights that other commands read |
//! | `events.jsonl` | the events of the run |
//! | `events.out.tfevents.*` | the same for TensorBoard |
//! | `curves.svg`, `curves.png` | the same as a plot |
//! | `samples/` | grids of samples during training |

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ancestral_data::{DataError, Lock, create_folder, remove_if_there, write_atomic_in};
use burn::tensor::{Device, TensorData};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::checkpoint::{self, over, under};
use super::config::{ByNetwork, FORMAT, RunConfig, RunResult};
use super::event_log::read_events;
use crate::model::{Init, Learning, Model, NamedTensors};
use crate::registry::Registry;
use crate::settings::with_large_seeds;
use crate::train::{Checkpoint, Event, State, TrainConfig, WeightsInfo, not_finite};
use crate::{Error, Result};

/// The last checkpoint.
const LAST: &str = "last.safetensors";
/// The weights that other commands read.
const MODEL: &str = "model.safetensors";

/// The events.
const EVENTS: &str = "events.jsonl";

/// Which weights of a run to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weights {
    /// Best by validation, averaged if averaging is on.
    #[default]
    Best,
    /// Those of the last checkpoint, averaged if averaging is on.
    Last,
    /// Those of the last checkpoint, never averaged.
    Raw,
}

impl Weights {
    /// The name as it is typed and printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Last => "last",
            Self::Raw => "raw",
        }
    }
}

impl std::str::FromStr for Weights {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "best" => Ok(Self::Best),
            "last" => Ok(Self::Last),
            "raw" => Ok(Self::Raw),
            other => Err(Error::setting("weights", other, "choose best, last or raw")),
        }
    }
}

/// The record of a file of weights.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record<T> {
    #[serde(flatten)]
    of: T,
    /// The checkpoint that the file belongs to; other versions and packed runs have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The tensors of the optimizers; unknown in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moments: Option<Vec<String>>,
}

/// The name in a record.
#[derive(Deserialize)]
struct Id {
    id: Option<String>,
}

/// A run folder on disk.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// The configuration of the run.
    pub config: RunConfig,
    /// Held while this process trains in the folder.
    lock: Option<Lock>,
    /// Whether the state of the optimizers is left out when the checkpoint is read.
    fresh_optimizer: bool,
}

/// The run folder of a file of weights, which is taken for the run.
fn of_weights(path: &Path) -> Option<&Path> {
    let is_weights = path.extension().is_some_and(|extension| extension == "safetensors");
    let parent = path.parent().filter(|_| is_weights && path.is_file())?;
    let folder = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    folder.join("config.toml").exists().then_some(folder)
}

impl RunFolder {
    /// Creates a new run folder, atomically.
    ///
    /// # Errors
    /// If it already exists or cannot be created.
    pub fn create(path: &Path, config: RunConfig) -> Result<Self> {
        Self::create_with(path, config, None)
    }

    /// The same, with weights.
    pub(super) fn create_with(
        path: &Path,
        config: RunConfig,
        weights: Option<(&NamedTensors, WeightsInfo, Option<String>)>,
    ) -> Result<Self> {
        let is_trained = is_trained(&config);
        let created = create_folder(path, |folder| {
            write_config(folder, &config)?;
            match weights {
                None => Ok(()),
                Some((tensors, info, id)) => write_weights(folder, tensors, (info, id), is_trained),
            }
        })?;
        if !created {
            return Err(Error::RunExists { path: path.to_owned() });
        }
        Ok(Self::new(path, config))
    }

    fn is_trained(&self) -> bool {
        is_trained(&self.config)
    }

    fn new(path: &Path, config: RunConfig) -> Self {
        Self { path: path.to_owned(), config, lock: None, fresh_optimizer: false }
    }

    /// Leaves out the state of the optimizers when the checkpoint is read to be resumed, as if they
    /// began there.
    #[must_use]
    pub fn with_fresh_optimizer(mut self, fresh: bool) -> Self {
        self.fresh_optimizer = fresh;
        self
    }

    /// Whether a folder is that of a run, of whatever format.
    pub fn is_at(folder: &Path) -> bool {
        let text = fs::read_to_string(folder.join("config.toml")).unwrap_or_default();
        text.lines().any(|line| line.starts_with("format = ")) && text.contains("[data]")
    }

    /// Refuses to write into a folder that was removed or replaced since training began in it.
    ///
    /// # Errors
    /// If it was.
    pub fn check_there(&self) -> Result<()> {
        let is_held = self.lock.as_ref().is_none_or(Lock::is_there);
        if is_held && self.path.join("config.toml").exists() {
            return Ok(());
        }
        Err(Error::RunGone { path: self.path.clone() })
    }

    /// Creates a new run folder in place of one that holds only settings and weights.
    pub(super) fn replace(path: &Path, config: &RunConfig) -> Result<Self> {
        if !path.join("config.toml").exists() {
            return Self::create(path, config.clone());
        }
        let trained = ["last.safetensors", "events.jsonl"].map(|file| path.join(file).exists());
        if trained.contains(&true) {
            return Err(Error::RunExists { path: path.to_owned() });
        }
        // Even if this is interrupted, settings are never next to the weights of another run.
        remove_if_there(&path.join(MODEL))?;
        write_config(path, config)?;
        Ok(Self::new(path, config.clone()))
    }

    /// Opens an existing run folder.
    ///
    /// # Errors
    /// If it is not a run folder, or has a newer format.
    pub fn open(path: &Path) -> Result<Self> {
        let path = of_weights(path).unwrap_or(path);
        let file = path.join("config.toml");
        ancestral_data::check_plain(&file)?;
        let text = fs::read_to_string(&file).map_err(|e| match e.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                Error::NoRun { path: path.to_owned(), exists: path.exists() }
            }
            _ => DataError::io("read", &file, e).into(),
        })?;
        let text = with_large_seeds(&text);
        let table: Table =
            text.parse().map_err(|e| Error::run(&file, format!("is not valid TOML: {e}")))?;
        let format = table.get("format").and_then(toml::Value::as_integer).unwrap_or(0);
        if format > i64::from(FORMAT) {
            return Err(Error::NewerFormat { path: file, format, known: FORMAT });
        }
        let config = toml::from_str(&text).map_err(|e| Error::run(&file, in_line(&text, &e)))?;
        Ok(Self::new(path, config))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which feature network evaluates its samples: the one that the configuration names; for
    /// format 1, the one for its data if its events have such a metric.
    pub(super) fn evaluator(&self) -> Result<ByNetwork> {
        if let Some(print) = &self.config.evaluator {
            return Ok(ByNetwork::Of(print.clone()));
        }
        if self.config.format > 1 {
            return Ok(ByNetwork::None);
        }
        let measured = |event: &Event| match event {
            Event::Valid(entry) => entry.values.iter().any(|(name, _)| name == "frechet_distance"),
            _ => false,
        };
        let events = self.events()?;
        Ok(if events.iter().any(measured) { ByNetwork::OfData } else { ByNetwork::None })
    }

    /// Replaces the training settings, and appends the command that set them to the first one.
    pub(super) fn set_train(&mut self, train: TrainConfig, command: &str) -> Result<()> {
        let command = format!("{} && {command}", self.config.command);
        let config = RunConfig { train, command, ..self.config.clone() };
        write_config(&self.path, &config)?;
        self.config = config;
        Ok(())
    }

    /// Locks the folder for this process, and removes unfinished files of a killed one.
    ///
    /// # Errors
    /// If another process is training in it.
    pub fn lock(&mut self) -> Result<()> {
        let Some(lock) = Lock::take(&self.path.join("lock"))? else {
            return Err(Error::RunBusy { path: self.path.clone() });
        };
        self.lock = Some(lock);
        for folder in [self.path.clone(), self.path.join("samples")] {
            ancestral_data::remove_unfinished(&folder);
        }
        Ok(())
    }

    /// The model with its initial weights.
    ///
    /// # Errors
    /// If the settings are not allowed.
    pub fn build(&self, registry: &Registry, device: &Device) -> Result<Box<dyn Model>> {
        let RunConfig { model, settings, data, seed, .. } = &self.config;
        registry.build(model, settings, &data.spec()?, &Init::new(device, *seed))
    }

    /// The model with the weights of the run, and information on these weights.
    ///
    /// # Errors
    /// If there are no weights yet, or they do not fit.
    pub fn load(
        &self,
        registry: &Registry,
        device: &Device,
        weights: Weights,
    ) -> Result<(Box<dyn Model>, WeightsInfo)> {
        let (tensors, info) = self.read_weights(weights)?;
        let mut model = self.build(registry, device)?;
        model.load(&tensors).map_err(|e| Error::run(&self.path, e.to_string()))?;
        Ok((model, info))
    }

    /// Writes a new folder with only the settings and the weights of the run; with `half`, in half
    /// precision.
    ///
    /// # Errors
    /// If there are no such weights, they do not fit the model or half precision, or the folder
    /// exists.
    pub fn pack(
        &self,
        path: &Path,
        (registry, device): (&Registry, &Device),
        weights: Weights,
        half: bool,
    ) -> Result<(Self, WeightsInfo)> {
        let (mut tensors, info) = self.read_weights(weights)?;
        let mut model = self.build(registry, device)?;
        model.load(&tensors).map_err(|e| Error::run(&self.path, e.to_string()))?;
        if half {
            tensors = checkpoint::halved(&self.path, &tensors)?;
        }
        let mut config = self.config.clone();
        // The path of the data is private and useless elsewhere.
        config.data.path = None;
        config.data.data_dir = None;
        config.result = Some(self.result()?);
        // The same file belongs to the same checkpoint.
        let [last, model] = self.ids();
        let id = last.or(model).filter(|_| weights == Weights::Best && !half);
        Ok((Self::create_with(path, config, Some((&tensors, info, id)))?, info))
    }

    /// How far it was trained, and its metrics: by its events, or of a packed run as it was packed.
    ///
    /// # Errors
    /// If its events cannot be read.
    pub fn result(&self) -> Result<RunResult> {
        let events = self.events()?;
        if let Some(result) = self.config.result.as_ref().filter(|_| events.is_empty()) {
            return Ok(result.clone());
        }
        let last = events.iter().rev().find_map(Event::entry).cloned().unwrap_or_default();
        let first_value = |event: &Event| event.entry()?.values.first().cloned();
        let of = |kind: &'static str| events.iter().filter(move |event| event.kind() == kind);
        let validation = of("valid").filter_map(first_value).min_by(|a, b| a.1.total_cmp(&b.1));
        let (validation, best_validation) = validation.unzip();
        let test = of("test").next_back();
        Ok(RunResult {
            step: last.step,
            epoch: last.epoch,
            seconds: last.seconds,
            finished: match self.read_state() {
                Ok(Some(state)) => state.is_finished(&self.config.train),
                // A fitted or packed model has weights and neither checkpoint nor events.
                _ if events.is_empty() => self.path.join(MODEL).exists(),
                _ => of("end").next().is_some(),
            },
            validation,
            best_validation,
            test_nll_nats: test.and_then(first_value).map(|(_, nats)| nats),
            test_n: test.and_then(Event::entry).and_then(|entry| {
                let n = entry.values.iter().find(|(name, _)| name == "n");
                n.map(|(_, n)| *n as u64)
            }),
            train_nll_nats: None,
            train_n: None,
        })
    }

    /// The requested tensors, and the step they are from.
    fn read_weights(&self, weights: Weights) -> Result<(NamedTensors, WeightsInfo)> {
        match weights {
            Weights::Best => {
                if self.is_behind()
                    && let Some(kept) = self.checkpoint(false)?
                {
                    return Ok(kept.chosen());
                }
                let path = self.path.join(MODEL);
                if !path.exists() {
                    return Err(Error::NoWeights { path: self.path.clone() });
                }
                let (tensors, record) = checkpoint::load(&path)?;
                check_finite(&path, &tensors, self.is_trained())?;
                let record: Record<WeightsInfo> = serde_json::from_str(&record).unwrap_or_default();
                Ok((tensors, record.of))
            }
            Weights::Last | Weights::Raw => {
                let kept = self
                    .checkpoint(false)?
                    .ok_or_else(|| Error::NoCheckpoint { path: self.path.clone() })?;
                let info = kept.info();
                Ok(match weights {
                    Weights::Raw => (kept.weights, WeightsInfo { averaged: false, ..info }),
                    _ => (kept.last(), info),
                })
            }
        }
    }

    /// The names of the last checkpoint and of the one that the model is of; `None` for a file
    /// without a name.
    fn ids(&self) -> [Option<String>; 2] {
        [LAST, MODEL].map(|file| {
            let record = checkpoint::record(&self.path.join(file)).ok()?;
            serde_json::from_str::<Id>(&record).ok()?.id
        })
    }

    /// Whether `model.safetensors` is older than the checkpoint beside it, as after a kill or a full
    /// disk between the two. Reading then takes the weights from the checkpoint, and resuming writes
    /// the file anew.
    pub fn is_behind(&self) -> bool {
        // A second look, since another process may have been between the two.
        // Of what is no file at all, reading says so.
        let is_plain = ancestral_data::check_plain(&self.path.join(MODEL)).is_ok();
        is_plain
            && (0..2).all(|_| {
                let [last, model] = self.ids();
                last.is_some() && last != model
            })
    }

    /// Writes `model.safetensors` anew if it is missing or older than the checkpoint `kept` beside
    /// it.
    pub(super) fn mend(&self, kept: &Checkpoint) -> Result<()> {
        if !self.is_behind() && self.path.join(MODEL).exists() {
            return Ok(());
        }
        let (chosen, info) = kept.chosen();
        write_weights(&self.path, &chosen, (info, self.ids()[0].clone()), true)
    }

    /// The state of the last checkpoint, if there is one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read_state(&self) -> Result<Option<State>> {
        let path = self.path.join(LAST);
        if !path.exists() {
            return Ok(None);
        }
        Ok(Some(state(&path, &checkpoint::record(&path)?)?))
    }

    /// The last checkpoint, if there is one.
    ///
    /// # Errors
    /// If it cannot be read, or the state of its optimizers is not complete.
    pub fn read_checkpoint(&self) -> Result<Option<Checkpoint>> {
        self.checkpoint(true)
    }

    /// The last checkpoint, and if `whole` with the state of its optimizers.
    fn checkpoint(&self, whole: bool) -> Result<Option<Checkpoint>> {
        let path = self.path.join(LAST);
        if !path.exists() {
            return Ok(None);
        }
        let (tensors, record) = checkpoint::load(&path)?;
        let mut state = state(&path, &record)?;
        let best = under(&tensors, "best");
        // Moments may be infinite: an update by such a second moment is 0.
        let is_moment = |(name, _): &&(String, _)| name.starts_with("moments/");
        let of_model = tensors.iter().filter(|tensor| !is_moment(tensor));
        check_finite(&path, of_model, true)?;
        let weights = under(&tensors, "weights");
        let mut moments = under(&tensors, "moments");
        if self.fresh_optimizer || !whole {
            moments.clear();
            state.updates.clear();
        } else {
            check_moments(&path, &record, &weights, &moments)?;
        }
        Ok(Some(Checkpoint {
            weights,
            averages: under(&tensors, "average"),
            moments,
            best: (!best.is_empty()).then(|| Arc::new(best)),
            state,
        }))
    }

    /// Writes the last checkpoint, then the weights that other commands read.
    ///
    /// # Errors
    /// If the folder is gone, or the file cannot be written.
    pub fn write_checkpoint(&self, kept: &Checkpoint) -> Result<()> {
        self.check_there()?;
        let mut all: NamedTensors = over("weights", kept.weights.clone()).collect();
        all.extend(over("average", kept.averages.clone()));
        all.extend(over("moments", kept.moments.clone()));
        if let Some(best) = &kept.best {
            all.extend(over("best", best.as_ref().clone()));
        }
        let id = Some(kept.id());
        let moments = kept.moments.iter().map(|(name, _)| name.clone()).collect();
        let record = Record { of: &kept.state, id: id.clone(), moments: Some(moments) };
        let record = serde_json::to_string(&record).unwrap_or_default();
        checkpoint::save(&self.path.join(LAST), &all, &record)?;
        drop(all);
        let (chosen, info) = kept.chosen();
        write_weights(&self.path, &chosen, (info, id), true)
    }

    /// Writes the weights that other commands read.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_model(&self, tensors: &NamedTensors, info: &WeightsInfo) -> Result<()> {
        write_weights(&self.path, tensors, (*info, None), self.is_trained())
    }

    /// The names of the entries of an example: a table's columns, or x0, x1, ….
    pub fn column_names(&self) -> Vec<String> {
        self.config.data.column_names()
    }

    /// The events of the run.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn events(&self) -> Result<Vec<Event>> {
        Ok(read_events(&self.path.join(EVENTS))?.0)
    }

    /// The number of damaged lines in the events, which are skipped.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn damaged_events(&self) -> Result<usize> {
        Ok(read_events(&self.path.join(EVENTS))?.1)
    }
}

/// Whether a model of this library is trained by gradient steps.
fn is_trained(config: &RunConfig) -> bool {
    let registry = Registry::standard();
    registry.find(&config.model).is_ok_and(|entry| entry.learning == Learning::GradientSteps)
}

/// Writes the weights that other commands read, of the checkpoint with this name.
fn write_weights(
    folder: &Path,
    tensors: &NamedTensors,
    (info, id): (WeightsInfo, Option<String>),
    is_trained: bool,
) -> Result<()> {
    let path = folder.join(MODEL);
    check_finite(&path, tensors, is_trained)?;
    let record = serde_json::to_string(&Record { of: info, id, moments: None }).unwrap_or_default();
    checkpoint::save(&path, tensors, &record)
}

/// Refuses the state of optimizers that is not the one of the record; where the record lists none,
/// what belongs to no weight.
fn check_moments(
    path: &Path,
    record: &str,
    weights: &NamedTensors,
    moments: &NamedTensors,
) -> Result<()> {
    #[derive(Deserialize)]
    struct Listed {
        #[serde(default)]
        moments: Option<Vec<String>>,
    }
    let wrong = |name: &str, problem: &str| {
        Err(Error::Moments {
            path: path.to_owned(),
            name: name.to_owned(),
            problem: problem.to_owned(),
        })
    };
    let listed = serde_json::from_str::<Listed>(record).ok().and_then(|record| record.moments);
    if let Some(listed) = &listed {
        let is_there = |name: &&String| moments.iter().any(|(moment, _)| moment == *name);
        if let Some(name) = listed.iter().find(|name| !is_there(name)) {
            return wrong(name, "is listed in the record and missing");
        }
    }
    for (name, data) in moments {
        if listed.as_ref().is_some_and(|listed| !listed.contains(name)) {
            return wrong(name, "is not listed in the record");
        }
        let of =
            name.split_once('/').filter(|(kind, _)| ["first", "second", "average"].contains(kind));
        let Some((_, weight)) = of.and_then(|(_, of)| weights.iter().find(|(name, _)| name == of))
        else {
            return wrong(name, "belongs to no weight");
        };
        if data.num_elements() != weight.num_elements() {
            return wrong(name, "has another size than its weight");
        }
    }
    Ok(())
}

/// Refuses weights that are not finite; those of models that are fitted may be infinite, as the
/// logarithm of a probability of 0.
fn check_finite<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = &'a (String, TensorData)>,
    is_trained: bool,
) -> Result<()> {
    match not_finite(tensors, !is_trained) {
        None => Ok(()),
        Some(tensor) => {
            Err(Error::WeightsNotFinite { path: path.to_owned(), tensor: tensor.to_owned() })
        }
    }
}

/// The state in the record of the checkpoint at `path`.
fn state(path: &Path, record: &str) -> Result<State> {
    serde_json::from_str::<Record<State>>(record)
        .map(|record| record.of)
        .map_err(|e| Error::run(path, format!("its record cannot be read: {e}")))
}

/// The problem in a file, with its line.
fn in_line(text: &str, error: &toml::de::Error) -> String {
    // Names of Rust types do not belong into messages about a file.
    let message = ["u64", "u32", "usize"].iter().fold(error.message().to_owned(), |said, name| {
        said.replace(&format!("expected {name}"), "expected a whole number from 0")
    });
    let Some(span) = error.span() else { return message };
    let number = text[..span.start.min(text.len())].matches('\n').count();
    match text.lines().nth(number) {
        Some(line) => format!("line {}, '{}': {message}", number + 1, line.trim()),
        None => message,
    }
}

/// Replaces the configuration of a folder.
pub(super) fn write_config(path: &Path, config: &RunConfig) -> Result<()> {
    let text = toml::to_string(config)
        .map_err(|e| Error::run(path, format!("config.toml cannot be written: {e}")))?;
    Ok(write_atomic_in(path, Path::new("config.toml"), text.as_bytes())?)
}

/// The weights of another run that a run starts from, if any.
///
/// # Errors
/// If that run does not exist or was trained on examples of another shape or domain.
pub(super) fn starting_weights(config: &RunConfig) -> Result<Option<NamedTensors>> {
    let Some(from) = &config.from else { return Ok(None) };
    let source = RunFolder::open(Path::new(from))?;
    let (own, other) = (config.data.spec()?, source.config.data.spec()?);
    if own.shape != other.shape {
        return Err(Error::run(
            &source.path,
            format!(
                "was trained on examples of {} and these are of {}; its weights do not fit",
                other.shape, own.shape
            ),
        ));
    }
    if own.columns != other.columns {
        return Err(Error::run(
            &source.path,
            format!(
                "was trained on {} entries and these are {}; binarize the data in the same way",
                source.config.data.domain, config.data.domain
            ),
        ));
    }
    Ok(Some(source.read_weights(Weights::Best)?.0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_in_a_config_is_named_with_its_line() {
        let good = include_str!("../../assets/networks/features-digits/config.toml");
        let dir = tempfile::tempdir().unwrap();
        for (old, new, words) in [
            ("seed = 0", "seed = -1", "line 6, 'seed = -1': invalid value: integer `-1`"),
            ("model = \"features\"", "model = 3", "'model = 3': invalid type: integer `3`"),
            ("levels = 17", "levels = -1", "expected a whole number from 0"),
        ] {
            assert!(good.contains(old), "{old}");
            std::fs::write(dir.path().join("config.toml"), good.replace(old, new)).unwrap();
            let error = RunFolder::open(dir.path()).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
