//! Summaries of run folders, which can be filtered and sorted.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::Value;

use super::config::RunResult;
use super::folder::RunFolder;
use crate::{Error, Result};

/// What runs can be filtered and sorted by, besides their settings.
const KEYS: [&str; 10] =
    ["run", "model", "data", "binarize", "step", "epoch", "validation", "test", "time", "finished"];

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

    /// The value under a key as text: `run`, `model`, `data`, `binarize`, `step`, `epoch`, `validation` (the
    /// best), `test` (nats), `time` (seconds), `finished`, or a setting.
    pub fn value(&self, key: &str) -> Option<String> {
        let result = &self.result;
        match key {
            "run" => Some(self.path.display().to_string()),
            "model" => Some(self.model.clone()),
            "data" => Some(self.data.clone()),
            "binarize" => Some(self.binarize.clone()),
            "step" => Some(result.step.to_string()),
            "epoch" => Some(result.epoch.to_string()),
            "validation" => result.best_validation.map(|value| value.to_string()),
            "test" => result.test_nll_nats.map(|value| value.to_string()),
            "time" => Some(result.seconds.to_string()),
            "finished" => Some(result.finished.to_string()),
            _ => self.settings.get(key).map(|text| text.trim_matches('"').to_owned()),
        }
    }
}

/// A condition on runs: `KEY=VALUE`, `KEY<VALUE` or `KEY>VALUE`, with the keys of [`RunSummary::value`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunCondition {
    key: String,
    order: Ordering,
    value: String,
}

impl FromStr for RunCondition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = |why: String| Error::setting("filter", text, why);
        let at = text.find(['=', '<', '>']).filter(|&at| at > 0 && at + 1 < text.len());
        let at = at.ok_or_else(|| {
            refused("give KEY=VALUE, KEY<VALUE or KEY>VALUE, as in model=vae".to_owned())
        })?;
        let order = match text.as_bytes()[at] {
            b'<' => Ordering::Less,
            b'>' => Ordering::Greater,
            _ => Ordering::Equal,
        };
        let (key, value) = (text[..at].trim().to_owned(), text[at + 1..].trim().to_owned());
        if order.is_ne() && value.parse::<f64>().is_err() {
            return Err(refused(format!("{value} is not a number")));
        }
        Ok(Self { key, order, value })
    }
}

impl RunCondition {
    /// The runs for which it holds.
    ///
    /// # Errors
    /// If none of them has such a key.
    pub fn select(&self, mut runs: Vec<RunSummary>) -> Result<Vec<RunSummary>> {
        check_key("filter", &self.key, &runs)?;
        runs.retain(|run| {
            let value = run.value(&self.key);
            value.is_some_and(|value| compare(Some(&value), Some(&self.value)) == self.order)
        });
        Ok(runs)
    }
}

/// Sorts runs by a key of [`RunSummary::value`], the smallest value first; without one by model and data,
/// the best validation first.
///
/// # Errors
/// If none of them has such a key.
pub fn sort_runs(runs: &mut [RunSummary], key: Option<&str>) -> Result<()> {
    runs.sort_by(|a, b| {
        let of = |run: &RunSummary| run.validation().map_or(f64::INFINITY, |(_, value)| value);
        (&a.model, &a.data).cmp(&(&b.model, &b.data)).then(of(a).total_cmp(&of(b)))
    });
    if let Some(key) = key {
        check_key("sort", key, runs)?;
        runs.sort_by(|a, b| compare(a.value(key).as_deref(), b.value(key).as_deref()));
    }
    Ok(())
}

/// Refuses a key that no run has.
fn check_key(field: &str, key: &str, runs: &[RunSummary]) -> Result<()> {
    let known = KEYS.contains(&key) || runs.iter().any(|run| run.settings.contains_key(key));
    if known || runs.is_empty() {
        return Ok(());
    }
    let allowed = format!("'{key}' is no setting of these runs, and none of {}", KEYS.join(", "));
    Err(Error::setting(field, key, allowed))
}

/// Numbers by their size, other values by their letters, missing ones last.
fn compare(a: Option<&str>, b: Option<&str>) -> Ordering {
    let number = |text: &str| text.parse::<f64>().ok();
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a.cmp(b),
        },
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
