//! The state of a run and its checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::spec::NamedTensors;

/// The best validation metric so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The metric; lower is better.
    pub value: f64,
    /// Its step.
    pub step: u64,
    /// Its epoch.
    pub epoch: f64,
}

/// The counters of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// Steps so far.
    pub step: u64,
    /// Batches so far.
    pub batches: u64,
    /// Epochs: passes over the training split.
    pub epoch: f64,
    /// Seconds of training, over all sessions.
    pub seconds: f64,
    /// The length of `events.jsonl` at this state, in bytes.
    pub event_offset: u64,
    /// The best validation metric, if there was one.
    pub best: Option<Best>,
    /// Validations since the best one.
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
    /// Averaged weights with the matching buffers; empty unless averaging is on.
    pub averages: NamedTensors,
    /// The state of the optimizers, including the averages.
    pub moments: NamedTensors,
    /// The weights of the best validation.
    pub best: Option<Arc<NamedTensors>>,
    /// The counters.
    pub state: State,
}

/// Information on the weights of a model.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct WeightsInfo {
    /// The step they are from.
    pub step: u64,
    /// The epoch they are from.
    pub epoch: f64,
    /// Whether they are the best by validation; else they are the last.
    pub best: bool,
    /// Whether they are a moving average.
    pub averaged: bool,
}

impl Checkpoint {
    /// The weights for using a run: the best by validation, else the last; averaged if
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

    /// Information on the weights of [`Checkpoint::last`].
    pub fn info(&self) -> WeightsInfo {
        let State { step, epoch, .. } = self.state;
        WeightsInfo { step, epoch, best: false, averaged: !self.averages.is_empty() }
    }
}
