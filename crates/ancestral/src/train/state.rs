//! The state of a run and its checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::spec::NamedTensors;

/// The best validation so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The metric; lower is better.
    pub value: f64,
    /// The step it was seen at.
    pub step: u64,
    /// The epoch it was seen at.
    pub epoch: f64,
}

/// The counters of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// Steps done.
    pub step: u64,
    /// Batches drawn.
    pub batches: u64,
    /// Epochs: passes over the training split.
    pub epoch: f64,
    /// Seconds of training, over all sessions.
    pub seconds: f64,
    /// Bytes of `events.jsonl` that belong to it.
    pub event_offset: u64,
    /// The best validation, if there was one.
    pub best: Option<Best>,
    /// Validations since the best.
    pub stale: u64,
    /// Updates of each part.
    pub updates: BTreeMap<String, u64>,
    /// Sums of the training metrics since the last event.
    pub sums: Vec<(String, f64)>,
    /// Number of steps in `sums`.
    pub summed: u64,
    /// Whether the budget is used up.
    pub finished: bool,
}

/// Everything that a resumed run needs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checkpoint {
    /// The weights of the last step.
    pub weights: NamedTensors,
    /// Averaged weights, with the rest of the model's state as it fits them; empty unless averaging
    /// is on.
    pub averages: NamedTensors,
    /// The state of the optimizers, the averages among it.
    pub moments: NamedTensors,
    /// The weights of the best validation.
    pub best: Option<Arc<NamedTensors>>,
    /// The counters.
    pub state: State,
}

/// Which weights a model has.
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

impl Checkpoint {
    /// The weights that a run is used with: the best by validation, else the last; averaged if
    /// averaging is on.
    pub fn chosen(&self) -> (NamedTensors, WeightsInfo) {
        let averaged = !self.averages.is_empty();
        if let (Some(tensors), Some(best)) = (&self.best, self.state.best) {
            let info = WeightsInfo { step: best.step, epoch: best.epoch, best: true, averaged };
            return (tensors.as_ref().clone(), info);
        }
        (self.last(), WeightsInfo { best: false, averaged, ..self.info() })
    }

    /// The weights of the last step, averaged if averaging is on.
    pub fn last(&self) -> NamedTensors {
        let mut last = self.weights.clone();
        for (name, data) in &self.averages {
            if let Some(slot) = last.iter_mut().find(|(n, _)| n == name) {
                slot.1 = data.clone();
            }
        }
        last
    }

    /// What [`Checkpoint::last`] gives, as it is described.
    pub fn info(&self) -> WeightsInfo {
        let State { step, epoch, .. } = self.state;
        WeightsInfo { step, epoch, best: false, averaged: !self.averages.is_empty() }
    }
}
