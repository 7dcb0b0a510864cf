//! Summaries of run folders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::Value;

use super::config::RunResult;
use super::folder::RunFolder;
use crate::Result;

/// The summary of a run folder.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// The folder.
    pub path: PathBuf,
    /// The model's name.
    pub model: String,
    /// The data's name.
    pub data: String,
    /// How it was binarized.
    pub binarize: String,
    /// How far it was trained, and its metrics.
    pub result: RunResult,
    /// All settings of the model and of training, and the seed, as text.
    pub settings: BTreeMap<String, String>,
    /// Damaged lines in its events, which were skipped.
    pub damaged_events: usize,
}

impl RunSummary {
    /// Reads a run folder.
    ///
    /// # Errors
    /// If it is not a run folder, or cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let run = RunFolder::open(path)?;
        let config = &run.config;
        let mut settings: BTreeMap<String, String> =
            config.settings.iter().map(|(key, value)| (key.clone(), value.to_string())).collect();
        let train = Value::try_from(&config.train).ok();
        let train = train.as_ref().and_then(Value::as_table).into_iter().flatten();
        settings.extend(train.map(|(key, value)| (key.clone(), value.to_string())));
        settings.insert("seed".to_owned(), config.seed.to_string());
        Ok(Self {
            path: run.path().to_owned(),
            model: config.model.clone(),
            data: config.data.name.clone(),
            binarize: config.data.binarize.clone(),
            result: run.result()?,
            settings,
            damaged_events: run.damaged_events()?,
        })
    }

    /// The best validation metric, with its name.
    pub fn validation(&self) -> Option<(&str, f64)> {
        self.result.validation.as_deref().zip(self.result.best_validation)
    }
}

/// The settings of each run that differ between runs of its model; one that a run of an earlier version
/// lacks does not.
pub fn differing_settings(runs: &[RunSummary]) -> Vec<BTreeMap<&str, &str>> {
    let mut values: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for run in runs {
        for (key, value) in &run.settings {
            values.entry((run.model.as_str(), key.as_str())).or_default().insert(value);
        }
    }
    let differs = |run: &RunSummary, key: &str| {
        values.get(&(run.model.as_str(), key)).is_some_and(|found| found.len() > 1)
    };
    runs.iter()
        .map(|run| {
            let pairs = run.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            pairs.filter(|(key, _)| differs(run, key)).collect()
        })
        .collect()
}
