//! Whether a training fits into memory, checked before any allocation.

use toml::Table;

use super::config::TrainConfig;
use crate::Result;
use crate::registry::{Registry, StepPlan};
use crate::spec::DataSpec;

/// Refuses a training that would take more memory than is available; `examples` is the number of
/// training examples.
///
/// # Errors
/// If there is no such model, the data does not suit it, a setting is not allowed, or with the
/// setting to lower.
pub fn check_memory(
    registry: &Registry,
    (model, settings): (&str, &Table),
    data: &DataSpec,
    config: &TrainConfig,
    examples: usize,
) -> Result<()> {
    let plan = StepPlan {
        // A batch has no more examples than there are.
        batch_size: config.batch_size.min(examples),
        rule: config.optimizer,
        averaged: config.average_decay > 0.0,
    };
    registry.check_training(model, settings, data, plan)
}
