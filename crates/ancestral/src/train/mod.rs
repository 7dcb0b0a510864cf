//! The training loop, in memory.
//!
//! The loop owns budget, schedule, clipping, weight averages, checks for non-finite numbers,
//! validation and events; a model owns its loss.
//! It does not depend on where a run is stored: it passes checkpoints and events to a [`Recorder`].

mod config;
mod event;
mod memory;
mod observer;
mod state;
mod trainer;

pub use config::{Budget, TrainConfig};
pub use event::{Entry, Event, Image, Note, Progress, Work};
pub use memory::check_memory;
pub use observer::{Evaluator, InMemory, NoopObserver, Observer, Recorder, SampleScale};
pub(crate) use state::not_finite;
pub use state::{Best, Checkpoint, Ended, State, WeightsInfo};
pub use trainer::{Outcome, Start, StopReason, Trainer, check_batch_size};
