//! The entry of a model in the registry: its name, tasks, capabilities, data, settings and
//! constructor.

use toml::Table;

use super::contract::Model;
use super::size::Size;
use crate::Result;
use crate::settings::{Field, Settings};
use crate::spec::{DataSpec, Init, KindName};

/// A task of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// Density estimation: log-probabilities of examples.
    Density,
    /// Sampling new examples.
    Sampling,
    /// Representation learning: codes or features of examples.
    Representation,
    /// Clustering: groups of examples, without labels.
    Clustering,
    /// Classification: classes of examples.
    Classification,
    /// Regression: a number for each example.
    Regression,
}

impl Task {
    /// The name, as printed.
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

/// A capability of models, which corresponds to a trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Exact log-probabilities.
    ExactDensity,
    /// Exact log-probabilities of one column, given the others.
    TargetDensity,
    /// The same, averaged over the members of an ensemble (orderings, masks).
    EnsembleDensity(&'static str),
    /// A lower bound on log-probabilities.
    DensityBound,
    /// Samples.
    Samples,
    /// Samples of one column, given the others.
    TargetSamples,
    /// Samples given a class, if the settings make the model conditional.
    ClassSamples,
    /// Samples given a latent code that was learned without labels.
    CodeSamples,
    /// Completion of examples whose first entries are given.
    PrefixCompletion,
    /// Completion of examples with any given entries.
    Completion,
    /// Latent codes, and reconstructions from them.
    Latent,
    /// Features of examples.
    Features,
    /// Probabilities of classes.
    Classes,
    /// Discriminator scores.
    DiscriminatorScores,
    /// Clusters.
    Clusters,
    /// Clusters of the examples that it is fitted to, and of no others.
    OwnClusters,
}

impl Capability {
    /// The description in listings.
    pub fn describe(self) -> String {
        match self {
            Self::ExactDensity => "density (exact)".to_owned(),
            Self::TargetDensity => "density of a column given the others (exact)".to_owned(),
            Self::EnsembleDensity(members) => {
                format!("density (exact, an ensemble over {members}s)")
            }
            Self::DensityBound => "density (lower bound)".to_owned(),
            Self::Samples => "samples".to_owned(),
            Self::TargetSamples => "samples of a column given the others".to_owned(),
            Self::ClassSamples => "class-conditional samples".to_owned(),
            Self::CodeSamples => "code-conditional samples".to_owned(),
            Self::PrefixCompletion => "completion (of the first entries)".to_owned(),
            Self::Completion => "completion (of any part)".to_owned(),
            Self::Latent => "latent codes".to_owned(),
            Self::Features => "features".to_owned(),
            Self::Classes => "class probabilities".to_owned(),
            Self::DiscriminatorScores => "discriminator scores".to_owned(),
            Self::Clusters => "clusters".to_owned(),
            Self::OwnClusters => "clusters (of the rows it is fitted to)".to_owned(),
        }
    }
}

/// How a model is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learning {
    /// By gradient steps, with `train`.
    GradientSteps,
    /// In one call, with `fit`.
    Fit,
}

impl Learning {
    /// The name, as printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GradientSteps => "gradient steps",
            Self::Fit => "one fit",
        }
    }
}

/// The entry of a model in the registry.
#[derive(Clone)]
pub struct ModelEntry {
    /// The name of the model.
    pub name: &'static str,
    /// A description in one line.
    pub about: &'static str,
    /// The paper.
    pub paper: &'static str,
    /// Its tasks, the main one first.
    pub tasks: &'static [Task],
    /// Its capabilities.
    pub capabilities: &'static [Capability],
    /// The names that its validation metric, which selects checkpoints, can have; empty for models
    /// without one.
    pub validation: &'static [&'static str],
    /// How it is trained.
    pub learning: Learning,
    /// The kinds of columns that it takes.
    pub kinds: &'static [KindName],
    /// Named settings of papers.
    pub presets: &'static [Preset],
    /// Its settings, with documentation and defaults.
    pub fields: fn() -> Vec<Field>,
    /// The size of a model with these settings.
    pub size: fn(&Table, &DataSpec) -> Result<Size>,
    /// Builds a model with its initial weights.
    pub build: fn(&Table, &DataSpec, &Init) -> Result<Box<dyn Model>>,
    /// Settings of the training loop that differ from the defaults on such data.
    pub train: fn(&DataSpec) -> Table,
    /// Completes settings of a new run that are left open (absent, or "auto") by what suits such data.
    pub complete: fn(&mut Table, &DataSpec),
}

/// Typed settings of a model.
pub trait ModelConfig: Settings {
    /// The name of the model that they make.
    fn model_name(&self) -> &'static str;
}

/// Named settings.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// The name, as in `--preset name`.
    pub name: &'static str,
    /// A description in one line.
    pub about: &'static str,
    /// Tables `settings` (or `model`), `train` and `data`, as TOML.
    pub settings: &'static str,
}
