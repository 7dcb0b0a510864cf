//! The flags of `fit`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::{DATA, EVALUATION, MODEL, OUTPUT, OutputArgs, ShapeArgs, TableArgs};
use crate::names::{self, Names, Place};

#[derive(Debug, ClapArgs)]
pub(crate) struct FitArgs {
    /// Fit this model (`ancestral models` lists all), or rank all univariate families: auto
    #[arg(value_parser = Names(names::fitted), hide_possible_values = true)]
    pub(crate) family: String,
    /// Fit to this known data set, file or folder (`ancestral data list` lists known ones)
    #[arg(
        long,
        value_name = "NAME|PATH",
        value_parser = Place,
        required_unless_present = "counts",
        help_heading = DATA
    )]
    pub(crate) data: Option<String>,
    /// Predict this column from the others (linear) [default: the last column]
    #[arg(long, value_name = "COLUMN", conflicts_with = "counts", help_heading = DATA)]
    pub(crate) target: Option<String>,
    /// Fit to the examples of this class alone, without labels, as for `classify`
    #[arg(long, value_name = "NAME", conflicts_with = "counts", help_heading = DATA)]
    pub(crate) class: Option<String>,
    /// Fit to this column of a table alone (x0, x1, … where columns have no names) [default: each
    /// column]
    #[arg(long, value_name = "NAME", conflicts_with = "counts", help_heading = DATA)]
    pub(crate) column: Option<String>,
    /// Fit to censored or interval data, whose lower ends are in this column; a missing or infinite end
    /// is open, equal ends are a value; every row is fitted
    #[arg(
        long,
        value_name = "COLUMN",
        requires = "upper",
        conflicts_with_all = ["counts", "column", "fold"],
        help_heading = DATA
    )]
    pub(crate) lower: Option<String>,
    /// Take the upper ends from this column
    #[arg(long, value_name = "COLUMN", requires = "lower", help_heading = DATA)]
    pub(crate) upper: Option<String>,
    /// Weight each row by this column, as by how often it was seen
    #[arg(long, value_name = "COLUMN", conflicts_with = "counts", help_heading = DATA)]
    pub(crate) weights: Option<String>,
    /// Fit to counts instead of data: the heads and tosses of a coin, as in 900/1300 (bernoulli), how
    /// often each category was seen, as in 1,4,2 (categorical), or how often 0, 1, 2, … (families of
    /// counts)
    #[arg(long, conflicts_with = "data", value_name = "COUNTS", help_heading = DATA)]
    pub(crate) counts: Option<String>,
    /// Binarize gray levels: none, threshold, static or dynamic
    #[arg(long, default_value = "none", value_name = "METHOD", help_heading = DATA)]
    pub(crate) binarize: String,
    /// Fit to every row of data without splits of its own, and to the validation examples of data with
    /// splits
    #[arg(long, help_heading = DATA)]
    pub(crate) all_train: bool,
    /// Read the rows of a table or array in parts, without holding them, and fit all (univariate families)
    /// [default: of a file of 64 MiB or more]
    #[arg(long, conflicts_with_all = ["counts", "lower", "fold"], help_heading = DATA)]
    pub(crate) in_parts: bool,
    /// Use fold K of a CSV with a column `fold` as the test split and the next as validation split
    #[arg(long, value_name = "K", conflicts_with = "counts", help_heading = DATA)]
    pub(crate) fold: Option<u32>,
    /// Set a hyperparameter of the model; repeatable (`ancestral models NAME` lists them)
    #[arg(
        long = "set",
        value_name = "KEY=VALUE",
        help_heading = MODEL,
        value_parser = Names(names::settings),
        hide_possible_values = true
    )]
    pub(crate) sets: Vec<String>,
    /// Keep a parameter of a univariate family at a value, as in shape=2; repeatable
    #[arg(long = "fix", value_name = "NAME=VALUE", help_heading = MODEL)]
    pub(crate) fixed: Vec<String>,
    /// Estimate where the support begins, for families that have it from 0 on (gamma, weibull, …); the
    /// highest interior maximum is taken where the likelihood has no bound
    #[arg(long, help_heading = MODEL)]
    pub(crate) free_location: bool,
    /// Set the number of trials of each row (binomial)
    #[arg(long, value_name = "N", help_heading = MODEL)]
    pub(crate) trials: Option<u64>,
    /// Print the quantile of this probability, with its interval; repeatable
    #[arg(long = "quantile", value_name = "P", help_heading = EVALUATION)]
    pub(crate) quantiles: Vec<f64>,
    /// Print the probability above this value, with its interval; repeatable
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = EVALUATION
    )]
    pub(crate) above: Vec<f64>,
    /// Compute p-values of goodness of fit by a bootstrap for any number of rows [default: up to 2,000
    /// rows]
    #[arg(long, help_heading = EVALUATION)]
    pub(crate) gof: bool,
    /// Compute no p-values of goodness of fit
    #[arg(long, conflicts_with = "gof", help_heading = EVALUATION)]
    pub(crate) no_gof: bool,
    /// Set the seed of random splits, of binarization and of the bootstrap
    #[arg(long, default_value_t = 0, help_heading = DATA)]
    pub(crate) seed: u64,
    /// Save plots into this folder: density over the data, Q-Q, P-P, likelihood (univariate families);
    /// residuals, their quantiles, leverage (linear)
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    pub(crate) plot: Option<PathBuf>,
    /// Store the run in this new folder, of auto that of the best family, or plot the likelihood of
    /// --counts in this file (.png or .svg) [default: runs/MODEL-DATA-N, none for auto, or
    /// likelihood.png]
    #[arg(long, value_name = "PATH", help_heading = OUTPUT)]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
