//! Summaries of run folders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::Value;

use super::config::RunResult;
use super::folder::RunFolder;
use crate::Result;
use crate::train::Event;

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
        Self::of(&RunFolder::open(path)?)
    }

    /// Of an open run folder.
    pub(super) fn of(run: &RunFolder) -> Result<Self> {
        let (events, damaged_events) = (run.events()?, run.damaged_events()?);
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
            result: match &config.result {
                Some(result) if events.is_empty() => result.clone(),
                _ => result(run, &events),
            },
            settings,
            damaged_events,
        })
    }

    /// The best validation metric, with its name.
    pub fn validation(&self) -> Option<(&str, f64)> {
        self.result.validation.as_deref().zip(self.result.best_validation)
    }
}

/// The result of a run by its events.
fn result(run: &RunFolder, events: &[Event]) -> RunResult {
    let last = events.iter().rev().find_map(Event::entry).cloned().unwrap_or_default();
    let first_value = |event: &Event| event.entry()?.values.first().cloned();
    let of = |kind: &'static str| events.iter().filter(move |event| event.kind() == kind);
    let validation = of("valid").filter_map(first_value).min_by(|a, b| a.1.total_cmp(&b.1));
    let (validation, best_validation) = validation.unzip();
    let test = of("test").next_back();
    RunResult {
        step: last.step,
        epoch: last.epoch,
        seconds: last.seconds,
        finished: match run.read_state() {
            Ok(Some(state)) => state.is_finished(&run.config.train),
            // A fitted or packed model has weights and neither checkpoint nor events.
            _ if events.is_empty() => run.path().join("model.safetensors").exists(),
            _ => of("end").next().is_some(),
        },
        validation,
        best_validation,
        test_nll_nats: test.and_then(first_value).map(|(_, nats)| nats),
        test_n: test.and_then(Event::entry).and_then(|entry| {
            let n = entry.values.iter().find(|(name, _)| name == "n");
            n.map(|(_, n)| *n as u64)
        }),
    }
}

/// The settings of each run that differ between runs of its model.
pub fn differing_settings(runs: &[RunSummary]) -> Vec<BTreeMap<&str, &str>> {
    let mut values: BTreeMap<(&str, &str), BTreeSet<Option<&str>>> = BTreeMap::new();
    let keys: BTreeSet<(&str, &str)> = runs
        .iter()
        .flat_map(|run| run.settings.keys().map(|key| (run.model.as_str(), key.as_str())))
        .collect();
    for run in runs {
        for &(model, key) in keys.iter().filter(|(model, _)| *model == run.model) {
            let value = run.settings.get(key).map(String::as_str);
            values.entry((model, key)).or_default().insert(value);
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
