//! The settings of the training loop.

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::optim::{OptimizerConfig, Rule, Schedule, ScheduleName};
use crate::settings::{Settings, above, above_to};
use crate::{Error, Result, settings};

settings! {
    /// Settings of the training loop.
    pub struct TrainConfig {
        /// Number of examples per batch.
        pub batch_size: usize = 100, in 1.., unit "examples";
        /// Number of epochs to train for, passes over the training split; 0 for no limit.
        pub epochs: u64 = 100, unit "epochs";
        /// Number of optimizer steps to train for; 0 for no limit.
        pub steps: u64 = 0, unit "steps";
        /// Training time, with that of reading the data; 0 for no limit.
        pub seconds: f64 = 0.0, in 0.0.., unit "seconds";
        /// Optimizer that updates the weights.
        pub optimizer: Rule = Rule::Adam, also ["optimiser"];
        /// Base learning rate, which the schedule scales.
        pub learning_rate: f64 = 1e-3, in above(0.0);
        /// Decay rate β₁ of the moving average of the gradient (adam, adamw).
        pub beta1: f64 = 0.9, in 0.0..1.0;
        /// Decay rate β₂ of the moving average of the squared gradient (adam, adamw, rmsprop,
        /// adadelta).
        pub beta2: f64 = 0.999, in 0.0..1.0;
        /// Numerical stability: ε added to the root of the averaged squared gradient; for adadelta,
        /// added under its roots.
        pub epsilon: f64 = 1e-8, in 0.0..;
        /// Momentum coefficient (sgd).
        pub momentum: f64 = 0.9, in 0.0..1.0;
        /// Whether to use Nesterov momentum (sgd).
        pub nesterov: bool = false;
        /// Decoupled weight decay per step, as a multiple of the learning rate (adamw).
        pub weight_decay: f64 = 0.01, in 0.0..;
        /// Gradient clipping: largest global norm of the gradient; 0 for no clipping.
        pub clip_norm: f64 = 0.0, in 0.0..;
        /// Decay rate of the exponential moving average of the weights, which evaluation then uses; 0
        /// for no averaging.
        pub average_decay: f64 = 0.0, in 0.0..1.0;
        /// Schedule of the learning rate.
        pub schedule: ScheduleName = ScheduleName::Constant;
        /// Number of epochs between drops of the learning rate (schedule step).
        pub step_epochs: u64 = 30, in 1.., unit "epochs";
        /// Factor of the learning rate at each drop (schedule step).
        pub step_gamma: f64 = 0.1, in above_to(0.0, 1.0);
        /// Decay c of the learning rate, whose factor is 1 / (1 + c · epoch) (schedule inverse).
        pub inverse_decay: f64 = 0.0, in 0.0..;
        /// Number of epochs between validations; 0 for no validation.
        pub validate_every: u64 = 1, unit "epochs";
        /// Early stopping: number of validations without improvement after which training ends; 0 for
        /// no early stopping.
        pub patience: u64 = 0;
        /// Time between checkpoints.
        pub checkpoint_seconds: f64 = 30.0, in 0.0.., unit "seconds";
        /// Number of samples in each image drawn during training; 0 for no images.
        pub sample_count: usize = 64, in 0..=1024, unit "samples";
    }
}

/// The budget of a run; the first limit that is reached ends it, and 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Budget {
    /// Number of epochs, passes over the training split.
    pub epochs: u64,
    /// Number of steps.
    pub steps: u64,
    /// Training time in seconds, with that of reading the data, over all sessions.
    pub seconds: f64,
}

impl Budget {
    /// The most epochs or steps: larger numbers are not exact in double precision.
    pub const MOST: u64 = 1 << 53;
    /// The most seconds, some 300 years.
    pub const MOST_SECONDS: f64 = 1e10;
}

impl TrainConfig {
    /// The budget.
    pub fn budget(&self) -> Budget {
        Budget { epochs: self.epochs, steps: self.steps, seconds: self.seconds }
    }

    /// Checks every setting before any work starts.
    ///
    /// # Errors
    /// With the first setting that is not allowed.
    pub fn check(&self) -> Result<()> {
        self.check_values()?;
        if self.epochs == 0 && self.steps == 0 && self.seconds == 0.0 {
            return Err(Error::setting("epochs", 0, "give a budget in epochs, steps or seconds"));
        }
        if self.optimizer == Rule::Adadelta && self.epsilon == 0.0 {
            let why = "it must be above 0 for adadelta, whose steps it starts";
            return Err(Error::setting("epsilon", self.epsilon, why));
        }
        Ok(())
    }

    /// Refuses a budget beyond every training, in which counters would overflow.
    ///
    /// # Errors
    /// With what is allowed.
    pub fn check_budget(&self) -> Result<()> {
        for (name, n) in [("epochs", self.epochs), ("steps", self.steps)] {
            if n > Budget::MOST {
                let allowed = format!("give at most {}, or 0 for no limit", Budget::MOST);
                return Err(Error::setting(name, n, allowed));
            }
        }
        if self.seconds > Budget::MOST_SECONDS {
            let allowed = format!("give at most {}, or 0 for no limit", Budget::MOST_SECONDS);
            return Err(Error::setting("seconds", self.seconds, allowed));
        }
        Ok(())
    }

    /// The settings of the optimizer.
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

    /// The learning-rate schedule.
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
