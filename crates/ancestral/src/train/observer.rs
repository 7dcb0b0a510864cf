//! Training callbacks: observers, evaluators and recorders.

use super::event::Event;
use super::state::Checkpoint;
use crate::Result;
use crate::model::Model;

/// A training callback, called with the events of a run.
pub trait Observer {
    /// Called with each event. There is one for every step: a slow observer should skip some.
    ///
    /// # Errors
    /// Those of the observer; they end training, and the last checkpoint remains.
    fn event(&mut self, _event: &Event) -> Result<()> {
        Ok(())
    }

    /// Called at the end of each epoch with the model as evaluation uses it (averaged weights if
    /// averaging is on).
    ///
    /// # Errors
    /// As [`Observer::event`].
    fn epoch(&mut self, _model: &dyn Model) -> Result<()> {
        Ok(())
    }

    /// Whether [`Observer::epoch`] is called; if not, the averaged weights need not be prepared.
    fn wants_model(&self) -> bool {
        true
    }
}

/// Ignores all events.
#[derive(Debug, Default)]
pub struct NoopObserver;

impl Observer for NoopObserver {
    fn wants_model(&self) -> bool {
        false
    }
}

/// Evaluates models, to select checkpoints of models without a validation metric.
pub trait Evaluator {
    /// The name of the metric and its value; lower is better.
    ///
    /// # Errors
    /// Those of sampling and evaluating.
    fn evaluate(&self, model: &dyn Model) -> Result<(&'static str, f64)>;

    /// What such values mean, where it is known.
    fn scale(&self) -> Option<SampleScale> {
        None
    }
}

/// The scale of a metric of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleScale {
    /// Its value for training examples in the place of samples.
    pub of_data: f64,
    /// From this value on, samples are far from the data.
    pub far: f64,
}

/// An observer that also stores checkpoints.
pub trait Recorder: Observer {
    /// Called with a state from which the run can be resumed.
    ///
    /// # Errors
    /// If it cannot be stored.
    fn checkpoint(&mut self, checkpoint: Checkpoint) -> Result<()>;
}

/// Stores no checkpoints, for a run in memory.
pub struct InMemory<'a>(pub &'a mut dyn Observer);

impl Observer for InMemory<'_> {
    fn event(&mut self, event: &Event) -> Result<()> {
        self.0.event(event)
    }

    fn epoch(&mut self, model: &dyn Model) -> Result<()> {
        self.0.epoch(model)
    }

    fn wants_model(&self) -> bool {
        self.0.wants_model()
    }
}

impl Recorder for InMemory<'_> {
    fn checkpoint(&mut self, _checkpoint: Checkpoint) -> Result<()> {
        Ok(())
    }
}
