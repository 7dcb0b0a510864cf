//! The errors of the library; messages say how to fix the problem.

use std::path::PathBuf;

use ancestral_data::DataError;

use crate::columns::{ColumnKind, KindName};
use crate::rules::RulesError;

/// An error of the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has a value that is not allowed.
    #[error("setting '{field}' is {value}; {allowed}")]
    Setting {
        /// The setting's name.
        field: String,
        /// The value as it was given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// An unknown setting.
    #[error("unknown setting '{name}'; {hint}")]
    UnknownSetting {
        /// The name as it was given.
        name: String,
        /// The nearest known name, or where to find them all.
        hint: String,
    },
    /// An unknown model, preset or other name.
    #[error("unknown {what} '{name}'; {hint}")]
    Unknown {
        /// "model", "preset" and so on.
        what: &'static str,
        /// The name as it was given.
        name: String,
        /// The nearest known name, or all names.
        hint: String,
    },
    /// The data does not fit the model.
    #[error("{model} cannot use this data: {problem}")]
    UnsuitableData {
        /// The model.
        model: String,
        /// Why, and what to do.
        problem: String,
    },
    /// Images of a size that the chosen architecture does not support.
    #[error(
        "setting 'network' is '{network}'; it needs images {needed}, and these have {} × {}; \
         resize them, as to {} × {}, or choose mlp",
        size[0], size[1], nearest[0], nearest[1]
    )]
    NetworkSize {
        /// The architecture.
        network: &'static str,
        /// The sizes that it supports, as in "whose sides are multiples of 4".
        needed: &'static str,
        /// Height and width of the images in pixels.
        size: [usize; 2],
        /// A supported height and width.
        nearest: [usize; 2],
    },
    /// A column is of a kind that the model does not take.
    #[error(
        "{model} cannot use this data: column '{column}' is {kind} and {model} takes {} columns{}",
        list(taken),
        hint(others)
    )]
    UnsuitableKind {
        /// The model.
        model: String,
        /// The column's name.
        column: String,
        /// Its kind.
        kind: ColumnKind,
        /// The kinds that the model takes.
        taken: Vec<KindName>,
        /// Models that take all columns, if known.
        others: Vec<&'static str>,
    },
    /// More memory is needed than available.
    #[error("{what} would need about {} and there are {} available; lower {lower}", bytes(*needed), bytes(*free))]
    Memory {
        /// What needs it.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes available.
        free: u64,
        /// What to lower.
        lower: String,
    },
    /// No built-in feature network fits the data.
    #[error("no built-in feature network fits {data}")]
    NoNetwork {
        /// The data's name.
        data: String,
        /// Whether it has labels that a network could be trained on.
        labels: bool,
    },
    /// A model without features was to evaluate samples.
    #[error("{model} has no features to evaluate samples by")]
    NoFeatures {
        /// The model.
        model: String,
    },
    /// Examples of another shape or domain than a feature network was trained on.
    #[error("{network} cannot use this data: {what} are {given} and it was trained on {expected}")]
    OtherFeatures {
        /// The network's name.
        network: String,
        /// The examples, as in "the samples".
        what: String,
        /// Their shape or domain.
        given: String,
        /// The shape or domain of the network's training data.
        expected: String,
    },
    /// A weight that a 16-bit float cannot hold.
    #[error(
        "{}: tensor '{tensor}' holds {value:e}, and the largest 16-bit float is 65504",
        path.display()
    )]
    HalfRange {
        /// The run.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// The weight.
        value: f64,
    },
    /// Whole rows are to be completed without a mask of the given entries.
    #[error("{data}: its rows have all {entries} entries, and no mask marks the given ones")]
    NoMask {
        /// The name of the rows' data.
        data: String,
        /// Entries of a row.
        entries: usize,
    },
    /// An invalid mask of given entries.
    #[error("{path}: {problem}")]
    Mask {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Rows of images cannot be kept for completion: there are none, or not so many.
    #[error("cannot keep {rows} rows of each image: {}", kept(shape))]
    KeepRows {
        /// How many were to be kept.
        rows: usize,
        /// The shape of the model's examples.
        shape: ancestral_data::Shape,
    },
    /// Examples that are not images cannot be drawn as images.
    #[error("examples of shape {shape} are not images")]
    NoImage {
        /// Their shape.
        shape: ancestral_data::Shape,
    },
    /// The model does not support the request.
    #[error("{model} {problem}")]
    Unsupported {
        /// The model.
        model: String,
        /// What it cannot do.
        problem: String,
    },
    /// A loss, a gradient or a weight became infinite or not a number.
    #[error(
        "step {step}: {what} is not finite; lower learning_rate or set clip_norm; the last \
         checkpoint is intact"
    )]
    NotFinite {
        /// The step, from 1.
        step: u64,
        /// The value that is not finite.
        what: String,
    },
    /// Stored weights that are infinite or not a number.
    #[error(
        "{}: tensor '{tensor}' holds values that are not finite; train again with a lower \
         learning_rate or with clip_norm",
        path.display()
    )]
    WeightsNotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
    },
    /// The model lacks what a request needs.
    #[error("{model} {problem}{}", able(others))]
    Lacks {
        /// The model.
        model: String,
        /// What it lacks, as in "has no latent codes".
        problem: &'static str,
        /// Models that have it.
        others: Vec<&'static str>,
    },
    /// A run folder or one of its files cannot be used.
    #[error("{}: {problem}", path.display())]
    Run {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The new run folder already exists.
    #[error("{} already exists", path.display())]
    RunExists {
        /// The folder.
        path: PathBuf,
    },
    /// There is no run at the path.
    #[error(
        "{} {}",
        path.display(),
        if *exists { "is not a run folder (it has no config.toml)" } else { "does not exist" }
    )]
    NoRun {
        /// The path.
        path: PathBuf,
        /// Whether there is anything there.
        exists: bool,
    },
    /// Another process, or another thread of this one, is training in the folder.
    #[error("{}: another process is training in this folder", path.display())]
    RunBusy {
        /// The folder.
        path: PathBuf,
    },
    /// The run folder is no longer the one that training began in.
    #[error(
        "{}: the folder was removed or replaced while it was trained in; nothing more is written",
        path.display()
    )]
    RunGone {
        /// The folder.
        path: PathBuf,
    },
    /// A disk has no room for what would be written.
    #[error(
        "about {} would be written to {}, whose disk has {} free",
        bytes(*needed), path.display(), bytes(*free)
    )]
    NoSpace {
        /// The file or folder.
        path: PathBuf,
        /// Bytes that would be written at least.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// What would be written exists.
    #[error("{}: already exists", path.display())]
    OutputExists {
        /// The file or folder.
        path: PathBuf,
    },
    /// The run has no weights yet.
    #[error("{}: has no weights yet", path.display())]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// The run has no checkpoint to resume from or to read other weights from.
    #[error("{}: has no checkpoint (last.safetensors)", path.display())]
    NoCheckpoint {
        /// The folder.
        path: PathBuf,
    },
    /// The state of the optimizers in a checkpoint is not the one that was written.
    #[error("{}: the state '{name}' of the optimizer {problem}", path.display())]
    Moments {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A run of a format that this version does not know.
    #[error(
        "{}: has format {format}, which is newer than the {known} this version reads; use the \
         version that wrote it",
        path.display()
    )]
    NewerFormat {
        /// Its `config.toml`.
        path: PathBuf,
        /// The format.
        format: i64,
        /// The newest known one.
        known: u32,
    },
    /// The data of a run has changed.
    #[error(
        "{data}: the data has changed since the run was trained: {}{}",
        if problem.is_empty() {
            format!("its fingerprint begins with {} and was {}", begin(found), begin(expected))
        } else {
            problem.clone()
        },
        if rule.is_empty() { String::new() } else { format!("; {rule}") }
    )]
    DataChanged {
        /// Its name or path.
        data: String,
        /// SHA-256 of the present data.
        found: String,
        /// SHA-256 of the data that the run was trained on.
        expected: String,
        /// What does not fit, if not the fingerprint alone.
        problem: String,
        /// How such data is read since, if the reading has changed; else empty.
        rule: String,
    },
    /// The run has already used up the budget.
    #[error(
        "the run has trained {epoch:.2} epochs ({step} steps, {seconds:.0} s) already; give it a \
         larger budget"
    )]
    BudgetUsed {
        /// Epochs so far.
        epoch: f64,
        /// Steps so far.
        step: u64,
        /// Seconds of training.
        seconds: f64,
    },
    /// A model that is fitted in one call was to be trained by gradient steps, or the reverse.
    #[error(
        "{model} is {}",
        if *fitted { "fitted in one call, not trained by gradient steps" }
        else { "trained by gradient steps, not fitted in one call" }
    )]
    OtherLearning {
        /// The model.
        model: String,
        /// Whether it is fitted in one call.
        fitted: bool,
    },
    /// The checkpoints of the run are selected by a feature network that this version does not
    /// have.
    #[error(
        "the run's checkpoints were selected with the feature network of fingerprint {}, which this version does not have",
        begin(fingerprint)
    )]
    UnknownEvaluator {
        /// SHA-256 of its weights.
        fingerprint: String,
    },
    /// The work was interrupted.
    #[error("interrupted before it was finished")]
    Interrupted,
    /// Data could not be read, or a file not written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// An error of association rules.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// An image or a plot could not be drawn, read or written.
    #[cfg(feature = "plot")]
    #[error(transparent)]
    Plot(#[from] ancestral_plot::PlotError),
}

impl Error {
    /// The error for a setting that is not allowed.
    pub fn setting(
        field: impl Into<String>,
        value: impl std::fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        Self::Setting { field: field.into(), value: value.to_string(), allowed: allowed.into() }
    }

    /// The error for a run folder or file that cannot be used.
    pub fn run(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self::Run { path: path.into(), problem: problem.into() }
    }

    /// The error for a value of a step that is not finite.
    pub fn not_finite(step: u64, what: impl Into<String>) -> Self {
        Self::NotFinite { step, what: what.into() }
    }

    /// The error for a model whose optimizer failed while it held the weights.
    pub fn weights_lost(model: &str) -> Self {
        let problem = "lost its weights in a step that failed; load the last checkpoint";
        Self::Unsupported { model: model.to_owned(), problem: problem.to_owned() }
    }

    /// Whether the cause is the user's input, rather than the program or the system.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NotFinite { .. } | Self::RunGone { .. } | Self::Interrupted => false,
            Self::Run { .. }
            | Self::RunExists { .. }
            | Self::NoRun { .. }
            | Self::RunBusy { .. }
            | Self::NoSpace { .. }
            | Self::OutputExists { .. }
            | Self::NoWeights { .. }
            | Self::NoCheckpoint { .. }
            | Self::WeightsNotFinite { .. }
            | Self::Moments { .. }
            | Self::NewerFormat { .. }
            | Self::DataChanged { .. }
            | Self::BudgetUsed { .. }
            | Self::OtherLearning { .. }
            | Self::UnknownEvaluator { .. }
            | Self::NoImage { .. }
            | Self::Lacks { .. }
            | Self::NoNetwork { .. }
            | Self::NetworkSize { .. }
            | Self::NoFeatures { .. }
            | Self::OtherFeatures { .. }
            | Self::HalfRange { .. }
            | Self::NoMask { .. }
            | Self::Mask { .. }
            | Self::KeepRows { .. }
            | Self::Setting { .. }
            | Self::UnknownSetting { .. }
            | Self::Unknown { .. }
            | Self::UnsuitableData { .. }
            | Self::UnsuitableKind { .. }
            | Self::Memory { .. }
            | Self::Unsupported { .. } => true,
            Self::Data(error) => error.is_usage(),
            Self::Rules(error) => error.is_usage(),
            #[cfg(feature = "plot")]
            Self::Plot(error) => error.is_usage(),
        }
    }
}

/// The first characters of a fingerprint.
fn begin(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

/// Kinds as a phrase: "binary, levels or real".
fn list(kinds: &[KindName]) -> String {
    let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "no".to_owned(),
    }
}

/// How many rows of images can be kept.
fn kept(shape: &ancestral_data::Shape) -> String {
    match shape.as_image() {
        None => format!("examples of shape {shape} are not images; mark given entries by a mask"),
        Some([_, 1, _]) => {
            "those of this model have one row; mark its given pixels by a mask".to_owned()
        }
        Some([_, height, _]) => {
            format!("those of this model have {height}; keep 1 to {}", height - 1)
        }
    }
}

/// Models that do what another cannot.
fn able(others: &[&str]) -> String {
    match others {
        [] => String::new(),
        _ => format!("; models that do: {}", others.join(", ")),
    }
}

/// A hint at models that take the data.
fn hint(others: &[&str]) -> String {
    match others {
        [] => String::new(),
        _ => format!("; models that take this data: {}", others.join(", ")),
    }
}

/// A number of bytes in the largest suitable unit.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = (count.max(1).ilog2() / 10) as usize;
    let value = count as f64 / (1u64 << (10 * unit)) as f64;
    if unit == 0 || value >= 100.0 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}
