//! Checks before any allocation whether training fits into memory.

use toml::Table;

use super::config::TrainConfig;
use crate::Result;
use crate::registry::{Registry, StepPlan};
use crate::spec::DataSpec;

/// Refuses training that would need more memory than is available; `examples` is the number of
/// training examples.
///
/// # Errors
/// If there is no such model, the data does not fit it, or a setting is not allowed; or, if memory
/// does not suffice, with the setting to lower.
pub fn check_memory(
    registry: &Registry,
    (model, settings): (&str, &Table),
    data: &DataSpec,
    config: &TrainConfig,
    examples: usize,
) -> Result<()> {
    let plan = StepPlan {
        // A batch is at most as large as the training split.
        batch_size: config.batch_size.min(examples),
        rule: config.optimizer,
        averaged: config.average_decay > 0.0,
    };
    registry.check_training(model, settings, data, plan)
}
