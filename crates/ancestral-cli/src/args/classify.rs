//! The flags of `classify`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::{DATA, EVALUATION, OUTPUT, OutputArgs, TableArgs};
use crate::names::Place;

#[derive(Debug, ClapArgs)]
pub(crate) struct ClassifyArgs {
    /// Load the run from this folder, or several runs, each of a density of one class
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// Classify the rows of this data
    #[arg(long, value_name = "NAME|PATH", value_parser = Place, help_heading = DATA)]
    pub(crate) data: String,
    /// Classify this split instead of all rows of a file: train, valid or test
    #[arg(long, help_heading = DATA)]
    pub(crate) split: Option<String>,
    /// Classify the first N examples only
    #[arg(long, value_name = "N", help_heading = DATA)]
    pub(crate) limit: Option<NonZeroUsize>,
    /// Name the class of each of several runs, in their order [default: the class that it was trained on
    /// (--class), else the name of its folder, or what follows the last hyphen there]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', help_heading = EVALUATION)]
    pub(crate) classes: Vec<String>,
    /// Set the class probabilities: training (the shares of classes there), equal, or numbers in
    /// proportion, as in 0.9,0.1 or yes=9,no=1
    #[arg(long, default_value = "training", value_name = "PRIORS", help_heading = EVALUATION)]
    pub(crate) priors: String,
    /// Set the number of importance samples K per example, for models with a lower bound
    #[arg(long, default_value_t = 100, value_name = "K", help_heading = EVALUATION)]
    pub(crate) samples: usize,
    /// Select the weights: best (by validation), last (of the last step) or raw (last, never
    /// averaged)
    #[arg(long, default_value = "best", help_heading = EVALUATION)]
    pub(crate) weights: String,
    /// Set the seed of the importance samples
    #[arg(long, default_value_t = 0, help_heading = EVALUATION)]
    pub(crate) seed: u64,
    /// Write a row for each example to this file (.csv): its class and the probability of each
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) out: Option<PathBuf>,
    /// Save plots into this folder: confusion matrix, ROC and precision–recall curves, reliability
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    pub(crate) plot: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
