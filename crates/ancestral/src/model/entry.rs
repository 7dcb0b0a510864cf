//! A model in the list: what it is, what it can do, what it takes and how it is made, as data.

use toml::Table;

use super::contract::Model;
use super::size::Size;
use crate::Result;
use crate::settings::{Field, Settings};
use crate::spec::{DataSpec, Init, KindName};

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// Log-probabilities of examples.
    Density,
    /// New examples.
    Sampling,
    /// Codes or features of examples.
    Representation,
    /// Groups of examples, without labels.
    Clustering,
    /// Classes of examples.
    Classification,
    /// A number for each example.
    Regression,
}

impl Task {
    /// The word, as it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Density => "density",
            Self::Sampling => "sampling",
            Self::Representation => "representation",
            Self::Clustering => "clustering",
            Self::Classification => "classification",
            Self::Regression => "regression",
        }
    }
}

/// Something that a model can be asked, by the trait that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Exact log-probabilities.
    ExactDensity,
    /// The same, averaged over the members of an ensemble (orderings, masks).
    EnsembleDensity(&'static str),
    /// A lower bound on log-probabilities.
    DensityBound,
    /// Samples.
    Samples,
    /// Samples of a class; of conditional models only with the settings that make them so.
    ClassSamples,
    /// Samples by a code found without labels.
    CodeSamples,
    /// Completion of examples whose first entries are given.
    PrefixCompletion,
    /// Completion of examples of which any entries are given.
    Completion,
    /// Latent codes, and examples back from them.
    Latent,
    /// Features of examples.
    Features,
    /// Probabilities of classes.
    Classes,
    /// Discriminator scores.
    DiscriminatorScores,
    /// Clusters.
    Clusters,
}

impl Capability {
    /// How it is listed.
    pub fn describe(self) -> String {
        match self {
            Self::ExactDensity => "density (exact)".to_owned(),
            Self::EnsembleDensity(members) => {
                format!("density (exact, an ensemble over {members}s)")
            }
            Self::DensityBound => "density (lower bound)".to_owned(),
            Self::Samples => "samples".to_owned(),
            Self::ClassSamples => "samples of a class".to_owned(),
            Self::CodeSamples => "samples of a code".to_owned(),
            Self::PrefixCompletion => "completion (of the first entries)".to_owned(),
            Self::Completion => "completion (of any part)".to_owned(),
            Self::Latent => "latent codes".to_owned(),
            Self::Features => "features".to_owned(),
            Self::Classes => "class probabilities".to_owned(),
            Self::DiscriminatorScores => "discriminator scores".to_owned(),
            Self::Clusters => "clusters".to_owned(),
        }
    }
}

/// How a model learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learning {
    /// Step by step, by `train`.
    GradientSteps,
    /// In one go, by `fit`.
    Fit,
}

impl Learning {
    /// The words, as they are printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GradientSteps => "gradient steps",
            Self::Fit => "one fit",
        }
    }
}

/// A model in the list.
#[derive(Clone)]
pub struct ModelEntry {
    /// The name it is asked for by.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// What it is for, the main task first.
    pub tasks: &'static [Task],
    /// What it can be asked.
    pub capabilities: &'static [Capability],
    /// What checkpoints are chosen by: the names that its validation metric can have; empty for
    /// models without one.
    pub validation: &'static [&'static str],
    /// How it learns.
    pub learning: Learning,
    /// The kinds of columns that it takes.
    pub kinds: &'static [KindName],
    /// Named settings of papers.
    pub presets: &'static [Preset],
    /// Its settings with documentation and defaults.
    pub fields: fn() -> Vec<Field>,
    /// How large one would be.
    pub size: fn(&Table, &DataSpec) -> Result<Size>,
    /// Makes one with its first weights.
    pub build: fn(&Table, &DataSpec, &Init) -> Result<Box<dyn Model>>,
    /// Settings of the training loop that differ from the loop's own defaults on such data.
    pub train: fn(&DataSpec) -> Table,
}

/// Typed settings of a model.
pub trait ModelConfig: Settings {
    /// The name of the model that they make.
    fn model_name(&self) -> &'static str;
}

/// Settings under a name.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// The name, as in `--preset name`.
    pub name: &'static str,
    /// Whose settings, in one line.
    pub about: &'static str,
    /// Tables `settings` (or `model`), `train` and `data`, as TOML.
    pub settings: &'static str,
}
