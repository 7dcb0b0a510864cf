//! The one training loop and the run folder that it keeps.
//!
//! The loop owns budget, schedule, clipping, weight averages, checks for non-finite numbers,
//! validation, checkpoints and events; a model owns its loss.

mod checkpoint;
mod events;
mod feed;
mod optimiser;
mod run;
mod schedule;
mod tensorboard;
mod training;

pub use checkpoint::{Best, State};
pub use events::Event;
pub use feed::{Feed, StepContext};
pub use optimiser::Optimisers;
pub use run::{DataConfig, FORMAT, RunConfig, RunFolder, Weights, WeightsInfo, adapt};
pub use schedule::Schedule;
pub use training::{Observer, Outcome, Progress, Silent, StopReason, Training};

use crate::model::Trainable;
use crate::settings::Settings;
use crate::{Error, Result, settings};

/// Samples of the picture of a run at most.
const MOST_SAMPLES: usize = 1024;

settings! {
    /// Settings of the training loop.
    pub struct TrainConfig {
        /// Examples a batch.
        pub batch_size: usize = 100,
        /// Budget in passes over the training split; 0 for none.
        pub epochs: u64 = 100,
        /// Budget in steps; 0 for none.
        pub steps: u64 = 0,
        /// Budget in seconds of training; 0 for none.
        pub seconds: f64 = 0.0,
        /// Update rule: adam, adamw, rmsprop, adagrad, adadelta or sgd.
        pub optimiser: String = "adam".to_owned(),
        /// Base learning rate.
        pub learning_rate: f64 = 1e-3,
        /// Decay of the first moment (adam, adamw).
        pub beta1: f64 = 0.9,
        /// Decay of the second moment (adam, adamw) or of the mean squares (rmsprop, adadelta).
        pub beta2: f64 = 0.999,
        /// Added to the root of the second moment, for adadelta under its roots.
        pub epsilon: f64 = 1e-8,
        /// Momentum (sgd).
        pub momentum: f64 = 0.9,
        /// Whether the momentum looks ahead (sgd), as Nesterov's does.
        pub nesterov: bool = false,
        /// Decoupled weight decay (adamw), per step and unit of learning rate.
        pub weight_decay: f64 = 0.01,
        /// Largest global norm of the gradient; 0 for no clipping.
        pub clip_norm: f64 = 0.0,
        /// Decay of the moving average of the weights that evaluation uses; 0 for none.
        pub average_decay: f64 = 0.0,
        /// Learning-rate schedule: constant, linear, cosine, step, inverse or burda.
        pub schedule: String = "constant".to_owned(),
        /// Epochs between the drops of the step schedule.
        pub step_epochs: u64 = 30,
        /// Factor of each drop of the step schedule.
        pub step_gamma: f64 = 0.1,
        /// Decay c of the inverse schedule, whose factor is 1 / (1 + c · epoch).
        pub inverse_decay: f64 = 0.0,
        /// Epochs between validations; 0 for none.
        pub validate_every: u64 = 1,
        /// Validations without improvement after which the run ends; 0 for never.
        pub patience: u64 = 0,
        /// Seconds between checkpoints.
        pub checkpoint_seconds: f64 = 30.0,
        /// Samples drawn for each picture of progress; 0 for none.
        pub sample_count: usize = 64,
    }
}

/// How long a run trains; the first limit that is reached ends it, and 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// Passes over the training split.
    pub epochs: u64,
    /// Steps.
    pub steps: u64,
    /// Seconds of training, over all sessions.
    pub seconds: f64,
}

impl TrainConfig {
    /// Checks every number before any work starts.
    ///
    /// # Errors
    /// Naming the first setting that is out of range.
    pub fn check(&self) -> Result<()> {
        let at_least_one = |field: &str, value: f64| {
            if value >= 1.0 {
                Ok(())
            } else {
                Err(Error::setting(field, value, "it must be 1 or more"))
            }
        };
        let non_negative = |field: &str, value: f64| {
            if value >= 0.0 && value.is_finite() {
                Ok(())
            } else {
                Err(Error::setting(field, value, "it must be 0 or more"))
            }
        };
        let share = |field: &str, value: f64| {
            if (0.0..1.0).contains(&value) {
                Ok(())
            } else {
                Err(Error::setting(field, value, "it must be at least 0 and below 1"))
            }
        };
        at_least_one("batch_size", self.batch_size as f64)?;
        if self.sample_count > MOST_SAMPLES {
            let allowed = format!("a picture shows at most {MOST_SAMPLES}");
            return Err(Error::setting("sample_count", self.sample_count, allowed));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Err(Error::setting("learning_rate", self.learning_rate, "it must be above 0"));
        }
        non_negative("seconds", self.seconds)?;
        non_negative("epsilon", self.epsilon)?;
        non_negative("weight_decay", self.weight_decay)?;
        non_negative("clip_norm", self.clip_norm)?;
        non_negative("inverse_decay", self.inverse_decay)?;
        non_negative("checkpoint_seconds", self.checkpoint_seconds)?;
        share("beta1", self.beta1)?;
        share("beta2", self.beta2)?;
        share("momentum", self.momentum)?;
        share("average_decay", self.average_decay)?;
        if self.epochs == 0 && self.steps == 0 && self.seconds == 0.0 {
            return Err(Error::setting("epochs", 0, "give a budget in epochs, steps or seconds"));
        }
        Schedule::parse(self)?;
        Optimisers::new(self)?;
        Ok(())
    }

    /// Whether a model can be trained by it.
    ///
    /// # Errors
    /// If a batch is too small for the model.
    pub fn check_for(&self, model: &dyn Trainable) -> Result<()> {
        let least = model.least_batch();
        if self.batch_size < least {
            let allowed = format!(
                "the examples of a batch are normalised together; give {least} or more, or another \
                 normalisation"
            );
            return Err(Error::setting("batch_size", self.batch_size, allowed));
        }
        Ok(())
    }

    /// Reads the group from a table and checks it.
    ///
    /// # Errors
    /// As [`Settings::from_table`] and [`TrainConfig::check`].
    pub fn parse(table: &toml::Table) -> Result<Self> {
        let config = Self::from_table(table)?;
        config.check()?;
        Ok(config)
    }
}
