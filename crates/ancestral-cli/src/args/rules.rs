//! The flags of `rules`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::{DATA, OUTPUT, OutputArgs};

const SETS: &str = "Sets and rules";
const RULES: &str = "Rules";

/// By what rules are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortBy {
    Lift,
    Support,
    Confidence,
    Leverage,
    Conviction,
    PValue,
}

impl SortBy {
    /// The same in the library.
    pub(crate) fn into_library(self) -> ancestral::rules::SortBy {
        use ancestral::rules::SortBy as Library;
        match self {
            Self::Lift => Library::Lift,
            Self::Support => Library::Support,
            Self::Confidence => Library::Confidence,
            Self::Leverage => Library::Leverage,
            Self::Conviction => Library::Conviction,
            Self::PValue => Library::PValue,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RulesArgs {
    /// Read baskets from this file, plain or compressed by gzip; - is standard input
    #[arg(long, value_name = "FILE", help_heading = DATA)]
    pub(crate) data: PathBuf,
    /// Read the file as baskets (one a line, no header), long (a basket and an item a line, with or
    /// without a header) or table (a header of items, then 0/1 for each) [default: inferred]
    #[arg(long, value_name = "FORMAT", help_heading = DATA)]
    pub(crate) format: Option<String>,
    /// Find rules; the default
    #[arg(long, conflicts_with = "sets", help_heading = SETS)]
    pub(crate) rules: bool,
    /// Find frequent sets of items instead of rules
    #[arg(long, help_heading = SETS)]
    pub(crate) sets: bool,
    /// Find what at least this share of the baskets hold (below 1, as in 0.01), or at least this many
    /// baskets (a whole number)
    #[arg(long, value_name = "SHARE|COUNT", allow_hyphen_values = true, help_heading = SETS)]
    pub(crate) min_support: Option<String>,
    /// Find closed sets only, which no larger set is in the same baskets as; all others follow from
    /// them
    #[arg(long, requires = "sets", conflicts_with = "maximal", help_heading = SETS)]
    pub(crate) closed: bool,
    /// Find maximal sets only, of which no larger set is frequent
    #[arg(long, requires = "sets", help_heading = SETS)]
    pub(crate) maximal: bool,
    /// Limit the number of items of a set, or of a rule
    #[arg(long, value_name = "N", help_heading = SETS)]
    pub(crate) max_len: Option<NonZeroUsize>,
    /// Keep the first N rules after sorting, or the N most frequent sets, which need no --min-support
    #[arg(long, value_name = "N", help_heading = SETS)]
    pub(crate) top: Option<NonZeroUsize>,
    /// Keep sets or rules with this item; repeatable, and all must be there
    #[arg(long, value_name = "ITEM", allow_hyphen_values = true, help_heading = SETS)]
    pub(crate) contains: Vec<String>,
    /// Keep rules of at least this confidence, 0 to 1 [default: 0.8]
    #[arg(
        long,
        value_name = "SHARE",
        allow_negative_numbers = true,
        conflicts_with = "sets",
        help_heading = RULES
    )]
    pub(crate) min_confidence: Option<f64>,
    /// Keep rules with this item on the right-hand side, the consequent; repeatable
    #[arg(
        long,
        value_name = "ITEM",
        allow_hyphen_values = true,
        conflicts_with = "sets",
        help_heading = RULES
    )]
    pub(crate) rhs: Vec<String>,
    /// Limit the number of items on the right-hand side [default: 1, or as many as --rhs]
    #[arg(long, value_name = "N", conflicts_with = "sets", help_heading = RULES)]
    pub(crate) max_rhs: Option<NonZeroUsize>,
    /// Keep productive rules: of higher confidence than each rule with fewer items on the left
    #[arg(long, conflicts_with = "sets", help_heading = RULES)]
    pub(crate) productive: bool,
    /// Sort by this measure, the best first [default: lift]
    #[arg(long, value_name = "MEASURE", conflicts_with = "sets", help_heading = RULES)]
    pub(crate) sort: Option<SortBy>,
    /// Find rules without this share of the baskets and test them on it; then only rules that were
    /// found count as tests
    #[arg(
        long,
        value_name = "SHARE",
        allow_negative_numbers = true,
        conflicts_with = "sets",
        help_heading = RULES
    )]
    pub(crate) holdout: Option<f64>,
    /// Set the seed by which --holdout chooses baskets
    #[arg(
        long,
        default_value_t = 0,
        conflicts_with = "sets",
        requires = "holdout",
        help_heading = RULES
    )]
    pub(crate) seed: u64,
    /// Stop at this much memory, as in 500M or 2G, and keep what was found; larger files are read twice,
    /// with the same result [default: what is free]
    #[arg(long, value_name = "SIZE", help_heading = OUTPUT)]
    pub(crate) max_memory: Option<String>,
    /// Write the output to this file (.csv or .jsonl) [default: rules.csv, or sets.csv]
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) out: Option<PathBuf>,
    /// Draw the first 30 rules as a graph into this file too (.png or .svg)
    #[arg(long, value_name = "FILE", conflicts_with = "sets", help_heading = OUTPUT)]
    pub(crate) graph: Option<PathBuf>,
    /// Plot support, confidence and lift of the rules into this file too (.png or .svg)
    #[arg(long, value_name = "FILE", conflicts_with = "sets", help_heading = OUTPUT)]
    pub(crate) scatter: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
