//! Summaries of run folders.

use std::path::{Path, PathBuf};

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
    /// Steps so far.
    pub step: u64,
    /// Epochs so far.
    pub epoch: f64,
    /// The best validation metric, with its name.
    pub validation: Option<(String, f64)>,
    /// The negative log-likelihood of the test split at the end, in nats per example.
    pub test_nll_nats: Option<f64>,
    /// Seconds of training.
    pub seconds: f64,
    /// Whether it has used up its budget.
    pub finished: bool,
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
        let (events, damaged_events) = (run.events()?, run.damaged_events()?);
        let last = events.iter().rev().find_map(Event::entry).cloned().unwrap_or_default();
        let first_value = |event: &Event| event.entry()?.values.first().cloned();
        let of = |kind: &'static str| events.iter().filter(move |event| event.kind() == kind);
        let validation = of("valid").filter_map(first_value).min_by(|a, b| a.1.total_cmp(&b.1));
        Ok(Self {
            path: path.to_owned(),
            model: run.config.model.clone(),
            data: run.config.data.name.clone(),
            binarize: run.config.data.binarize.clone(),
            step: last.step,
            epoch: last.epoch,
            validation,
            test_nll_nats: of("test").next_back().and_then(first_value).map(|(_, nats)| nats),
            seconds: last.seconds,
            damaged_events,
            finished: match run.read_state() {
                Ok(Some(state)) => state.is_finished(&run.config.train),
                // A fitted or packed model has weights and neither checkpoint nor events.
                _ if events.is_empty() => path.join("model.safetensors").exists(),
                _ => of("end").next().is_some(),
            },
        })
    }
}
