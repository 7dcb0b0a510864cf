//! The run folder: everything about a run but the data, which is found by name or path and
//! checked by fingerprint.
//!
//! | file | holds |
//! |---|---|
//! | `config.toml` | all that made the run |
//! | `last.safetensors` | the last checkpoint: weights, averages, moments, best so far, counters |
//! | `model.safetensors` | the weights that other commands read |
//! | `events.jsonl` | what happened |
//! | `events.out.tfevents.*` | the same for TensorBoard |
//! | `curves.svg` | the same as a picture |
//! | `samples/` | grids drawn on the way |

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ancestral_data::{
    Background, Binarize, DataError, Dataset, Domain, OpenOptions, Shape, Split, SplitName, Values,
    write_atomic,
};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::checkpoint::{self, State, over, under};
use super::events::read_events;
use super::{Event, TrainConfig};
use crate::model::{self, DataSpec, Init, Model, NamedTensors};
use crate::{Error, Result};

/// The format of run folders that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// The data of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    /// A known name, or a path.
    pub name: String,
    /// none, threshold, static or dynamic.
    pub binarize: String,
    /// Whether the validation examples are trained on too (they still choose the checkpoint).
    #[serde(default)]
    pub all_train: bool,
    /// The fold of the table that was kept for testing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<u32>,
    /// Height and width that images were resized to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<[usize; 2]>,
    /// Whether colours were turned to grey.
    #[serde(default)]
    pub grey: bool,
    /// What transparent pixels show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Background>,
    /// SHA-256 of what was read.
    pub fingerprint: String,
    /// "binary", "levels" or "real", as the model saw it.
    pub domain: String,
    /// The number of levels, for that domain.
    #[serde(default)]
    pub levels: u32,
    /// The shape of one example.
    pub shape: Vec<usize>,
    /// The number of classes, 0 for none.
    pub classes: usize,
    /// The names of a table's columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The names of the classes, unless they are their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
}

impl DataConfig {
    /// Describes a data set as a model will see it.
    ///
    /// # Errors
    /// If the binarisation is unknown or does not suit the data.
    pub fn describe(data: &Dataset, binarize: Binarize) -> Self {
        // As the examples do it: what is binary already stays as it is.
        let binarize = if data.domain == Domain::Binary { Binarize::None } else { binarize };
        let domain = if binarize == Binarize::None { data.domain } else { Domain::Binary };
        let is_number = |(i, name): (usize, &String)| *name == i.to_string();
        let numbers = data.class_names.iter().enumerate().all(is_number);
        Self {
            name: data.name.clone(),
            binarize: binarize.to_string(),
            all_train: false,
            fold: None,
            resize: None,
            grey: false,
            background: None,
            fingerprint: data.fingerprint(),
            domain: match domain {
                Domain::Binary => "binary",
                Domain::Levels(_) => "levels",
                Domain::Real => "real",
            }
            .to_owned(),
            levels: match domain {
                Domain::Levels(n) => n,
                _ => 0,
            },
            shape: data.shape.dims().to_vec(),
            classes: data.classes(),
            columns: data.column_names.clone(),
            class_names: if numbers { Vec::new() } else { data.class_names.clone() },
        }
    }

    /// The number of a class that is given by it or by name.
    ///
    /// # Errors
    /// If there is no such class, naming those there are.
    pub fn class(&self, text: &str) -> Result<u32> {
        if let Some(at) = self.class_names.iter().position(|name| name == text) {
            return Ok(at as u32);
        }
        text.parse().map_err(|_| {
            let some: Vec<&str> = self.class_names.iter().take(20).map(String::as_str).collect();
            let more = if self.class_names.len() > some.len() { ", …" } else { "" };
            let names = match some.len() {
                0 => String::new(),
                _ => format!(", or a name: {}{more}", some.join(", ")),
            };
            let allowed = format!("give a number from 0{names}");
            Error::setting("class", format!("'{text}'"), allowed)
        })
    }

    /// Opens the data again and checks that it is the same.
    ///
    /// # Errors
    /// If it is not found, not readable, or has changed.
    pub fn open(&self, data_dir: Option<&Path>, seed: u64) -> Result<Dataset> {
        let options = OpenOptions {
            data_dir: data_dir.map(Path::to_path_buf),
            seed,
            resize: self.resize.map(|[h, w]| (h, w)),
            grey: self.grey,
            background: self.background,
            all_train: self.all_train,
            fold: self.fold,
            ..OpenOptions::default()
        };
        let data = ancestral_data::open(&self.name, &options)?;
        let found = data.fingerprint();
        if found != self.fingerprint {
            return Err(Error::run(
                &self.name,
                format!(
                    "is not the data of the run any more: its fingerprint begins {} and was {}; \
                     give the data as it was, or evaluate on it with --data",
                    &found[..12.min(found.len())],
                    &self.fingerprint[..12.min(self.fingerprint.len())]
                ),
            ));
        }
        Ok(data)
    }

    /// What a model is made for.
    ///
    /// # Errors
    /// If the domain is unknown.
    pub fn spec(&self) -> Result<DataSpec> {
        let domain = match self.domain.as_str() {
            "binary" => Domain::Binary,
            "levels" => Domain::Levels(self.levels),
            "real" => Domain::Real,
            other => {
                return Err(Error::setting(
                    "data.domain",
                    format!("'{other}'"),
                    "binary, levels or real was expected",
                ));
            }
        };
        Ok(DataSpec { domain, shape: Shape::from(self.shape.clone()), classes: self.classes })
    }
}

/// All that made a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// The format of the folder.
    pub format: u32,
    /// The version of the program that began it.
    pub version: String,
    /// The command as it was typed.
    pub command: String,
    /// The model's name.
    pub model: String,
    /// The preset, if one was used.
    #[serde(default)]
    pub preset: String,
    /// The seed of everything drawn.
    pub seed: u64,
    /// The data.
    pub data: DataConfig,
    /// The model's settings.
    pub settings: Table,
    /// The loop's settings.
    pub train: TrainConfig,
}

/// Which weights to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weights {
    /// Best by validation, averaged if averaging is on.
    #[default]
    Best,
    /// Of the last checkpoint, averaged if averaging is on.
    Last,
    /// Of the last checkpoint, never averaged.
    Raw,
}

/// A run folder on disk.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// All that made the run.
    pub config: RunConfig,
    /// Held while this process trains in the folder.
    lock: Option<File>,
}

impl RunFolder {
    /// Makes a new run folder; it appears whole or not at all.
    ///
    /// # Errors
    /// If it exists or cannot be made.
    pub fn create(path: &Path, config: RunConfig) -> Result<Self> {
        if path.exists() {
            return Err(taken(path));
        }
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(|e| DataError::io("create folder", parent, e))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let temporary = parent.join(format!(".{name}.{}.tmp", std::process::id()));
        // Whatever a killed process of the same number left there is worth nothing.
        let _ = fs::remove_dir_all(&temporary);
        fs::create_dir(&temporary).map_err(|e| DataError::io("create folder", path, e))?;
        let made = write_config(&temporary, &config).and_then(|()| {
            fs::rename(&temporary, path).map_err(|e| match e.kind() {
                // Another process made it since it was looked for.
                ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => taken(path),
                _ => DataError::io("create folder", path, e).into(),
            })
        });
        if let Err(error) = made {
            let _ = fs::remove_dir_all(&temporary);
            return Err(error);
        }
        Ok(Self { path: path.to_owned(), config, lock: None })
    }

    /// Opens a run folder that is there.
    ///
    /// # Errors
    /// If it is none, or of a newer format.
    pub fn open(path: &Path) -> Result<Self> {
        let file = path.join("config.toml");
        let text = fs::read_to_string(&file).map_err(|e| {
            let problem = match e.kind() {
                ErrorKind::NotFound if path.is_dir() => {
                    "is not a run folder (it has no config.toml)".to_owned()
                }
                ErrorKind::NotFound => {
                    "does not exist; `ancestral runs` lists the runs that do".to_owned()
                }
                _ => format!("config.toml cannot be read: {e}"),
            };
            Error::run(path, problem)
        })?;
        let table: Table =
            text.parse().map_err(|e| Error::run(&file, format!("is not valid TOML: {e}")))?;
        let format = table.get("format").and_then(toml::Value::as_integer).unwrap_or(0);
        if format > i64::from(FORMAT) {
            return Err(Error::run(
                &file,
                format!(
                    "has format {format}, which is newer than the {FORMAT} this version reads; \
                     use the version of the program that wrote it"
                ),
            ));
        }
        let config = table
            .try_into()
            .map_err(|e: toml::de::Error| Error::run(&file, e.message().to_owned()))?;
        Ok(Self { path: path.to_owned(), config, lock: None })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes other settings of training, and the command that asked for them behind the first one.
    pub(super) fn set_train(&mut self, train: TrainConfig, command: &str) -> Result<()> {
        let command = format!("{} && {command}", self.config.command);
        let config = RunConfig { train, command, ..self.config.clone() };
        write_config(&self.path, &config)?;
        self.config = config;
        Ok(())
    }

    /// Takes the folder for this process, until it ends, and clears what a killed one left half
    /// written.
    ///
    /// # Errors
    /// If another process is training in it.
    pub fn lock(&mut self) -> Result<()> {
        let path = self.path.join("lock");
        let file = File::create(&path).map_err(|e| DataError::io("create", &path, e))?;
        match file.try_lock() {
            Ok(()) => {
                self.lock = Some(file);
                for folder in [self.path.clone(), self.path.join("samples")] {
                    ancestral_data::remove_unfinished(&folder);
                }
                Ok(())
            }
            Err(TryLockError::WouldBlock) => Err(Error::run(
                &self.path,
                "another process is training in this folder; wait for it, or give another --out",
            )),
            Err(TryLockError::Error(e)) => Err(DataError::io("lock", path, e).into()),
        }
    }

    /// The model with its first weights.
    ///
    /// # Errors
    /// If the settings are not allowed.
    pub fn build(&self) -> Result<Box<dyn Model>> {
        let entry = model::find(&self.config.model)?;
        let init = Init::cpu(self.config.seed);
        (entry.build)(&self.config.settings, &self.config.data.spec()?, &init)
    }

    /// The model with the weights of the run, and the step they are of.
    ///
    /// # Errors
    /// If there are no weights yet, or they do not fit.
    pub fn load(&self, weights: Weights) -> Result<(Box<dyn Model>, WeightsInfo)> {
        let (tensors, info) = self.read_weights(weights)?;
        let mut model = self.build()?;
        model.load(&tensors).map_err(|e| Error::run(&self.path, e.to_string()))?;
        Ok((model, info))
    }

    /// Writes a new folder with the settings and the weights of the run and nothing else; with
    /// `half`, in half precision.
    ///
    /// # Errors
    /// If there are no such weights, they do not fit the model or half precision, or the folder
    /// exists.
    pub fn pack(&self, path: &Path, weights: Weights, half: bool) -> Result<(Self, WeightsInfo)> {
        let (mut tensors, info) = self.read_weights(weights)?;
        self.build()?.load(&tensors).map_err(|e| Error::run(&self.path, e.to_string()))?;
        if half {
            tensors = checkpoint::halved(&self.path, &tensors)?;
        }
        let packed = Self::create(path, self.config.clone())?;
        packed.write_model(&tensors, &info)?;
        Ok((packed, info))
    }

    /// The tensors that were asked for, and the step they are of.
    fn read_weights(&self, weights: Weights) -> Result<(NamedTensors, WeightsInfo)> {
        match weights {
            Weights::Best => {
                let path = self.path.join("model.safetensors");
                if !path.exists() {
                    return Err(Error::run(
                        &self.path,
                        "has no weights yet; train it first (or go on with --resume)",
                    ));
                }
                let (tensors, record) = checkpoint::load(&path)?;
                Ok((tensors, serde_json::from_str(&record).unwrap_or_default()))
            }
            Weights::Last | Weights::Raw => {
                let (tensors, state) = self.read_checkpoint()?.ok_or_else(|| {
                    Error::run(
                        &self.path,
                        "keeps no checkpoint (last.safetensors); use --weights best",
                    )
                })?;
                let averages = under(&tensors, "average");
                let averaged = weights == Weights::Last && !averages.is_empty();
                let mut chosen = under(&tensors, "weights");
                if averaged {
                    overlay(&mut chosen, averages);
                }
                let info =
                    WeightsInfo { step: state.step, epoch: state.epoch, best: false, averaged };
                Ok((chosen, info))
            }
        }
    }

    /// The tensors and the state of the last checkpoint, if there is one.
    pub(crate) fn read_checkpoint(&self) -> Result<Option<(NamedTensors, State)>> {
        let path = self.path.join("last.safetensors");
        if !path.exists() {
            return Ok(None);
        }
        let (tensors, record) = checkpoint::load(&path)?;
        let state = serde_json::from_str(&record)
            .map_err(|e| Error::run(&path, format!("its record cannot be read: {e}")))?;
        Ok(Some((tensors, state)))
    }

    /// Writes the last checkpoint, then the weights that other commands read.
    pub(crate) fn write_checkpoint(
        &self,
        weights: NamedTensors,
        averages: NamedTensors,
        moments: NamedTensors,
        best: Option<&NamedTensors>,
        state: &State,
    ) -> Result<()> {
        let averaged = !averages.is_empty();
        let (chosen, info) = match (best, state.best) {
            (Some(tensors), Some(b)) => (
                tensors.clone(),
                WeightsInfo { step: b.step, epoch: b.epoch, best: true, averaged },
            ),
            _ => {
                let mut chosen = weights.clone();
                overlay(&mut chosen, averages.clone());
                let info =
                    WeightsInfo { step: state.step, epoch: state.epoch, best: false, averaged };
                (chosen, info)
            }
        };
        let mut all: NamedTensors = over("weights", weights).collect();
        all.extend(over("average", averages));
        all.extend(over("moments", moments));
        if let Some(best) = best {
            all.extend(over("best", best.clone()));
        }
        let record = serde_json::to_string(state).unwrap_or_default();
        checkpoint::save(&self.path.join("last.safetensors"), &all, &record)?;
        self.write_model(&chosen, &info)
    }

    /// Writes the weights that other commands read.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write_model(&self, tensors: &NamedTensors, info: &WeightsInfo) -> Result<()> {
        let record = serde_json::to_string(info).unwrap_or_default();
        checkpoint::save(&self.path.join("model.safetensors"), tensors, &record)
    }

    /// The names of the entries of an example: a table's columns, or x0, x1, ….
    pub fn column_names(&self) -> Vec<String> {
        let data = &self.config.data;
        if data.columns.is_empty() {
            (0..data.shape.iter().product()).map(|i| format!("x{i}")).collect()
        } else {
            data.columns.clone()
        }
    }

    /// What happened in the run.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn events(&self) -> Result<Vec<Event>> {
        read_events(&self.path.join("events.jsonl"))
    }
}

/// What the weights of `model.safetensors` are.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct WeightsInfo {
    /// The step they are of.
    pub step: u64,
    /// The epoch they are of.
    pub epoch: f64,
    /// Whether validation chose them; else they are the last.
    pub best: bool,
    /// Whether they are a moving average.
    pub averaged: bool,
}

fn write_config(path: &Path, config: &RunConfig) -> Result<()> {
    let text = toml::to_string(config)
        .map_err(|e| Error::run(path, format!("config.toml cannot be written: {e}")))?;
    Ok(write_atomic(path.join("config.toml"), text.as_bytes())?)
}

/// A folder that is no new one.
fn taken(path: &Path) -> Error {
    Error::run(path, "exists already; give another --out, or --resume it to go on with that run")
}

/// Replaces the tensors of `base` that `top` has too.
fn overlay(base: &mut NamedTensors, top: NamedTensors) {
    for (name, data) in top {
        if let Some(slot) = base.iter_mut().find(|(n, _)| *n == name) {
            slot.1 = data;
        }
    }
}

/// Other data as a model takes it: of its shape, and of its domain where that loses nothing.
///
/// `binarized` says that levels will be binarised on the way.
///
/// # Errors
/// If the data cannot be what the model was made for, saying why.
pub fn adapt(data: Dataset, spec: &DataSpec, binarized: bool) -> Result<Dataset> {
    let unsuitable =
        |problem: String| Error::UnsuitableData { model: "the run".to_owned(), problem };
    if data.shape.size() != spec.shape.size() {
        return Err(unsuitable(format!(
            "examples of {} ({} entries) were given and {} ({}) were expected",
            data.shape,
            data.shape.size(),
            spec.shape,
            spec.shape.size()
        )));
    }
    // The same kind of file may show fewer levels, and a table holds levels as plain numbers; the
    // values are checked below.
    let domain = match (data.domain, spec.domain) {
        (Domain::Levels(n), Domain::Binary) if binarized => Domain::Levels(n),
        (_, wanted) => wanted,
    };
    let convert = |name| -> Result<Option<Split>> {
        let Ok(split) = data.split(name) else { return Ok(None) };
        let values = match (&split.values, domain.max_level()) {
            (Values::Bytes(v), None) => Values::Reals(v.iter().map(|&x| f32::from(x)).collect()),
            (Values::Reals(v), Some(most)) => {
                let level = |x: f32| x.fract() == 0.0 && x >= 0.0 && f64::from(x) <= most.into();
                if let Some(i) = v.iter().position(|&x| !level(x)) {
                    let size = spec.shape.size();
                    let column = match data.column_names.get(i % size) {
                        Some(name) => format!("'{name}'"),
                        None => (i % size).to_string(),
                    };
                    return Err(unsuitable(format!(
                        "row {}, column {column}: {} was given and {domain} entries were \
                         expected, which are whole numbers from 0 to {most}",
                        i / size,
                        v[i]
                    )));
                }
                Values::Bytes(v.iter().map(|&x| x as u8).collect())
            }
            (values, _) => values.clone(),
        };
        Ok(Some(Split { values, labels: split.labels.clone() }))
    };
    let Some(train) = convert(SplitName::Train)? else { return Ok(data) };
    let mut adapted = Dataset::new(
        data.name.clone(),
        domain,
        spec.shape.clone(),
        train,
        convert(SplitName::Valid)?,
        convert(SplitName::Test)?,
    )?;
    adapted.class_names = data.class_names.clone();
    adapted.column_names = data.column_names.clone();
    Ok(adapted)
}
