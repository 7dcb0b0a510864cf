//! The one training loop and the run folder that it keeps.
//!
//! The loop owns budget, schedule, clipping, weight averages, checks for non-finite numbers,
//! validation, checkpoints and events; a model owns its loss.

mod checkpoint;
mod config;
mod events;
mod folder;
mod memory;
mod tensorboard;
mod training;

pub use checkpoint::{Best, State};
pub use config::{Budget, DataConfig, FORMAT, RunConfig, TrainConfig, adapt};
pub use events::Event;
pub use folder::{RunFolder, Weights, WeightsInfo};
pub use memory::check_memory;
pub use training::{
    NoopObserver, Observer, Outcome, Progress, StopReason, Training, check_batch_size,
};
