//! The settings of the loop.

use toml::Table;

use crate::optim::{OptimizerConfig, Rule, Schedule, ScheduleName};
use crate::settings::{Settings, above, above_to};
use crate::{Error, Result, settings};

settings! {
    /// Settings of the training loop.
    pub struct TrainConfig {
        /// Examples a batch.
        pub batch_size: usize = 100, in 1.., unit "examples";
        /// Budget in passes over the training split; 0 for none.
        pub epochs: u64 = 100, unit "epochs";
        /// Budget in steps; 0 for none.
        pub steps: u64 = 0, unit "steps";
        /// Budget in seconds of training; 0 for none.
        pub seconds: f64 = 0.0, in 0.0.., unit "seconds";
        /// Update rule.
        pub optimizer: Rule = Rule::Adam, also ["optimiser"];
        /// Base learning rate.
        pub learning_rate: f64 = 1e-3, in above(0.0);
        /// Decay of the first moment (adam, adamw).
        pub beta1: f64 = 0.9, in 0.0..1.0;
        /// Decay of the second moment (adam, adamw) or of the mean squares (rmsprop, adadelta).
        pub beta2: f64 = 0.999, in 0.0..1.0;
        /// Added to the root of the second moment, for adadelta under its roots.
        pub epsilon: f64 = 1e-8, in 0.0..;
        /// Momentum (sgd).
        pub momentum: f64 = 0.9, in 0.0..1.0;
        /// Whether the momentum looks ahead (sgd), as Nesterov's does.
        pub nesterov: bool = false;
        /// Decoupled weight decay (adamw), per step and unit of learning rate.
        pub weight_decay: f64 = 0.01, in 0.0..;
        /// Largest global norm of the gradient; 0 for no clipping.
        pub clip_norm: f64 = 0.0, in 0.0..;
        /// Decay of the moving average of the weights that evaluation uses; 0 for none.
        pub average_decay: f64 = 0.0, in 0.0..1.0;
        /// Learning-rate schedule.
        pub schedule: ScheduleName = ScheduleName::Constant;
        /// Epochs between the drops of the step schedule.
        pub step_epochs: u64 = 30, in 1.., unit "epochs";
        /// Factor of each drop of the step schedule.
        pub step_gamma: f64 = 0.1, in above_to(0.0, 1.0);
        /// Decay c of the inverse schedule, whose factor is 1 / (1 + c · epoch).
        pub inverse_decay: f64 = 0.0, in 0.0..;
        /// Epochs between validations; 0 for none.
        pub validate_every: u64 = 1, unit "epochs";
        /// Validations without improvement after which the run ends; 0 for never.
        pub patience: u64 = 0;
        /// Seconds between checkpoints.
        pub checkpoint_seconds: f64 = 30.0, in 0.0.., unit "seconds";
        /// Samples drawn for each image of progress; 0 for none.
        pub sample_count: usize = 64, in 0..=1024, unit "samples";
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
    /// Checks every setting before any work starts.
    ///
    /// # Errors
    /// Naming the first one that is not allowed.
    pub fn check(&self) -> Result<()> {
        self.check_values()?;
        if self.epochs == 0 && self.steps == 0 && self.seconds == 0.0 {
            return Err(Error::setting("epochs", 0, "give a budget in epochs, steps or seconds"));
        }
        if self.optimizer == Rule::Adadelta && self.epsilon == 0.0 {
            let why = "it must be above 0 for adadelta, which never moves without it";
            return Err(Error::setting("epsilon", self.epsilon, why));
        }
        Ok(())
    }

    /// How the loop updates weights.
    pub fn optimizer_config(&self) -> OptimizerConfig {
        OptimizerConfig {
            rule: self.optimizer,
            learning_rate: self.learning_rate,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            momentum: self.momentum,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
            clip_norm: self.clip_norm,
            average_decay: self.average_decay,
        }
    }

    /// How the learning rate changes over the run.
    pub fn schedule(&self) -> Schedule {
        match self.schedule {
            ScheduleName::Constant => Schedule::Constant,
            ScheduleName::Linear => Schedule::Linear,
            ScheduleName::Cosine => Schedule::Cosine,
            ScheduleName::Step => {
                Schedule::Step { epochs: self.step_epochs as f64, gamma: self.step_gamma }
            }
            ScheduleName::Inverse => Schedule::Inverse { decay: self.inverse_decay },
            ScheduleName::Burda => Schedule::Burda,
        }
    }

    /// Reads the group from a table and checks it.
    ///
    /// # Errors
    /// As [`Settings::from_table`] and [`TrainConfig::check`].
    pub fn parse(table: &Table) -> Result<Self> {
        let config = Self::from_table(table)?;
        config.check()?;
        Ok(config)
    }
}
