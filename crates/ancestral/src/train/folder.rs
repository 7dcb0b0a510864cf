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
//! | `curves.svg` | the same as a plot |
//! | `samples/` | grids drawn on the way |

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ancestral_data::{DataError, write_atomic};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::checkpoint::{self, State, over, under};
use super::config::{FORMAT, RunConfig, TrainConfig};
use super::events::{Event, read_events};
use crate::model::{Init, Model, NamedTensors};
use crate::registry::Registry;
use crate::{Error, Result};

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
    pub fn build(&self, registry: &Registry, device: &Device) -> Result<Box<dyn Model>> {
        let RunConfig { model, settings, data, seed, .. } = &self.config;
        registry.build(model, settings, &data.spec()?, &Init::new(device, *seed))
    }

    /// The model with the weights of the run, and the step they are of.
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

    /// Writes a new folder with the settings and the weights of the run and nothing else; with
    /// `half`, in half precision.
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
        let packed = Self::create(path, self.config.clone())?;
        packed.write_model(&tensors, &info)?;
        Ok((packed, info))
    }

    /// The weights that the run starts from, if these are those of another run.
    ///
    /// # Errors
    /// If that run is not there or was trained on examples of another shape or of other values.
    pub(super) fn starting_weights(&self) -> Result<Option<NamedTensors>> {
        let Some(from) = &self.config.from else { return Ok(None) };
        let source = Self::open(Path::new(from))?;
        let (own, other) = (self.config.data.spec()?, source.config.data.spec()?);
        if own.shape != other.shape {
            return Err(Error::run(
                &source.path,
                format!(
                    "was trained on examples of {} and these are of {}; its weights fit no others",
                    other.shape, own.shape
                ),
            ));
        }
        if own.columns != other.columns {
            return Err(Error::run(
                &source.path,
                format!(
                    "was trained on {} entries and these are {}; binarize the data as it was",
                    source.config.data.domain, self.config.data.domain
                ),
            ));
        }
        Ok(Some(source.read_weights(Weights::Best)?.0))
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
