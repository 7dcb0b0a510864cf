//! The state of a run and its checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::TensorData;
use serde::{Deserialize, Serialize};

use super::config::{Budget, TrainConfig};
use crate::spec::NamedTensors;

/// The length of a checkpoint's name.
const ID: usize = 32;

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

/// Why training ended, other than by being interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The budget was used up.
    Budget,
    /// Validation did not improve for `patience` validations (early stopping).
    EarlyStop,
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
    /// Seconds before training, as of reading data, over all sessions; they count towards a time budget.
    #[serde(default)]
    pub preparation: f64,
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
    /// Whether training has ended; [`State::is_finished`] says whether it still has under the
    /// settings of today.
    pub finished: bool,
    /// Why it ended.
    #[serde(default)]
    pub ended: Option<Ended>,
    /// The budget at this state; unknown in checkpoints of earlier versions.
    #[serde(default)]
    pub budget: Option<Budget>,
}

impl State {
    /// The fraction of a budget that is used, of a time budget that of the time for training; the first
    /// limit that is reached ends the run.
    pub fn share(&self, budget: Budget) -> f64 {
        let used = |is: f64, of: f64| if of > 0.0 { is / of } else { 0.0 };
        let time = match budget.seconds > 0.0 {
            true => (budget.seconds - self.preparation).max(f64::MIN_POSITIVE),
            false => 0.0,
        };
        used(self.epoch, budget.epochs as f64)
            .max(used(self.step as f64, budget.steps as f64))
            .max(used(self.seconds, time))
    }

    /// Whether training that has reached this state ends here under these settings: it has used up
    /// its budget, or was stopped early under the same budget.
    pub fn is_finished(&self, train: &TrainConfig) -> bool {
        let used_up = self.share(train.budget()) >= 1.0;
        match self.ended {
            Some(Ended::Budget) => used_up,
            Some(Ended::EarlyStop) => used_up || !self.has_other_budget(train),
            // Earlier versions did not store the reason.
            None => {
                let stale = train.patience > 0 && self.stale >= train.patience;
                self.finished && (used_up || stale)
            }
        }
    }

    /// Whether the budget has been replaced since.
    pub(super) fn has_other_budget(&self, train: &TrainConfig) -> bool {
        self.budget.is_some_and(|budget| budget != train.budget())
    }
}

/// The first tensor with a value that is not finite or, if these are allowed, not a number nor an
/// infinity.
pub(crate) fn not_finite<'a>(
    tensors: impl IntoIterator<Item = &'a (String, TensorData)>,
    infinities: bool,
) -> Option<&'a str> {
    let good = |value: f64| value.is_finite() || infinities && value.is_infinite();
    let is_finite = |data: &TensorData| match (data.as_slice::<f32>(), data.as_slice::<f64>()) {
        (Ok(values), _) => values.iter().all(|&value| good(value.into())),
        (_, Ok(values)) => values.iter().all(|&value| good(value)),
        _ => data.try_to_vec_as::<f64>().is_ok_and(|all| all.into_iter().all(good)),
    };
    let mut tensors = tensors.into_iter();
    tensors.find(|(_, data)| !is_finite(data)).map(|(name, _)| name.as_str())
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
    /// The checkpoint's name: a hash of its weights and counters. Times are no part of it, so that
    /// equal runs have equal names.
    pub fn id(&self) -> String {
        fn add(bytes: &mut Vec<u8>, name: &str, data: &TensorData) {
            bytes.extend(format!("{name} {:?} {:?};", data.dtype(), data.shape()).as_bytes());
            bytes.extend(ancestral_data::sha256(data.as_bytes()).as_bytes());
        }
        let State { step, batches, updates, best, .. } = &self.state;
        let best = best.map(|best| (best.value.to_bits(), best.step));
        let mut bytes = format!("{step} {batches} {updates:?} {best:?};").into_bytes();
        let best = self.best.as_deref();
        for tensors in [&self.weights, &self.averages].into_iter().chain(best) {
            // A file gives them back in another order than a model does.
            let mut tensors: Vec<_> = tensors.iter().collect();
            tensors.sort_by(|a, b| a.0.cmp(&b.0));
            tensors.into_iter().for_each(|(name, data)| add(&mut bytes, name, data));
        }
        let mut id = ancestral_data::sha256(&bytes);
        id.truncate(ID);
        id
    }

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
