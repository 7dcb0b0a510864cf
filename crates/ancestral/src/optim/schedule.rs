//! Learning-rate schedules: a factor of the base learning rate, by the progress of the run.

use crate::choices;

choices! {
    /// The name of a schedule.
    pub enum ScheduleName {
        /// constant learning rate
        Constant = "constant",
        /// linear decay to 0
        Linear = "linear",
        /// cosine annealing to 0
        Cosine = "cosine",
        /// step decay: multiplied by step_gamma every step_epochs epochs
        Step = "step",
        /// inverse time decay: 1 / (1 + inverse_decay · epoch)
        Inverse = "inverse",
        /// stages of Burda et al. 2016
        Burda = "burda",
    }
}

/// A learning-rate schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Schedule {
    /// 1.
    Constant,
    /// ½ (1 + cos(π · share of the budget)).
    Cosine,
    /// 1 − share of the budget.
    Linear,
    /// 1 / (1 + `decay` · epoch).
    Inverse {
        /// The decay rate per epoch.
        decay: f64,
    },
    /// Multiplied by `gamma` every `epochs` epochs.
    Step {
        /// Epochs between drops.
        epochs: f64,
        /// The factor of each drop.
        gamma: f64,
    },
    /// The IWAE paper's: 3^i epochs at 10^(−i/7) times the base rate for i = 0..7, 3280 epochs
    /// in all; with another number of epochs the stages are scaled in proportion.
    Burda,
}

impl Schedule {
    /// The factor at a share of the budget in [0, 1] and a number of epochs.
    pub fn factor(self, share: f64, epoch: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * share.clamp(0.0, 1.0)).cos()),
            Self::Linear => 1.0 - share.clamp(0.0, 1.0),
            Self::Inverse { decay } => 1.0 / (1.0 + decay * epoch),
            Self::Step { epochs, gamma } => gamma.powf((epoch / epochs).floor()),
            Self::Burda => {
                let passes = share.clamp(0.0, 1.0) * 3280.0;
                let mut ends = 0.0;
                for i in 0..8 {
                    ends += 3f64.powi(i);
                    if passes < ends {
                        return 10f64.powf(-f64::from(i) / 7.0);
                    }
                }
                0.1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burda_has_eight_stages_from_one_to_a_tenth() {
        let at = |passes: f64| Schedule::Burda.factor(passes / 3280.0, 0.0);
        assert_eq!(at(0.0), 1.0);
        assert!((at(1.5) - 10f64.powf(-1.0 / 7.0)).abs() < 1e-12);
        assert!((at(1092.0) - 10f64.powf(-6.0 / 7.0)).abs() < 1e-12);
        assert!((at(1094.0) - 0.1).abs() < 1e-12);
        assert!((at(3280.0) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn the_others_are_what_they_say() {
        assert!((Schedule::Cosine.factor(0.5, 0.0) - 0.5).abs() < 1e-12);
        assert!(Schedule::Cosine.factor(1.0, 0.0).abs() < 1e-12);
        let linear = |share| Schedule::Linear.factor(share, 3.0);
        assert_eq!([linear(0.0), linear(0.25), linear(1.0), linear(1.5)], [1.0, 0.75, 0.0, 0.0]);
        let inverse = Schedule::Inverse { decay: 0.5 };
        assert_eq!([inverse.factor(0.9, 0.0), inverse.factor(0.0, 2.0)], [1.0, 0.5]);
        let step = Schedule::Step { epochs: 10.0, gamma: 0.5 };
        assert_eq!(step.factor(0.0, 9.99), 1.0);
        assert_eq!(step.factor(0.0, 20.0), 0.25);
    }
}
