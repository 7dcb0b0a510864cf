//! Who watches a training, and what a training asks of its surroundings.

use super::event::Event;
use super::state::Checkpoint;
use crate::Result;
use crate::model::Model;

/// Watches a run.
pub trait Observer {
    /// When something happened. Steps come as often as they are made: an observer that is slow
    /// leaves out some of them.
    ///
    /// # Errors
    /// Those of the observer; they end the training, whose last checkpoint stays.
    fn event(&mut self, _event: &Event) -> Result<()> {
        Ok(())
    }

    /// At the end of each epoch, with the model as evaluation would use it (averaged weights if
    /// averaging is on).
    ///
    /// # Errors
    /// As [`Observer::event`].
    fn epoch(&mut self, _model: &dyn Model) -> Result<()> {
        Ok(())
    }

    /// Whether [`Observer::epoch`] is to be called; averaging costs a pass that is spared otherwise.
    fn wants_model(&self) -> bool {
        true
    }
}

/// Watches nothing.
#[derive(Debug, Default)]
pub struct NoopObserver;

impl Observer for NoopObserver {
    fn wants_model(&self) -> bool {
        false
    }
}

/// Measures whole models: what checkpoints are chosen by where a model has no metric of its own for
/// an example.
pub trait Evaluator {
    /// The name of the metric and its value; lower is better.
    ///
    /// # Errors
    /// Those of drawing and measuring.
    fn evaluate(&self, model: &dyn Model) -> Result<(&'static str, f64)>;
}

/// What the loop reports to: observers, and where a run is kept.
pub trait Recorder: Observer {
    /// A state from which the run can be resumed.
    ///
    /// # Errors
    /// If it cannot be kept.
    fn checkpoint(&mut self, checkpoint: Checkpoint) -> Result<()>;
}

/// Keeps nothing: a run in memory.
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
