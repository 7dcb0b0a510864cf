//! Log-probabilities.

use std::ops::Range;

use ancestral_data::{Batch, Streams};

use crate::Result;
use crate::likelihood::MonteCarlo;
use crate::spec::DataSpec;

/// The kind of a log-probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DensityKind {
    /// The log-probability itself.
    Exact,
    /// A lower bound from this many importance samples per example.
    LowerBound {
        /// K.
        samples: usize,
    },
}

/// How to estimate log-probabilities.
#[derive(Debug, Clone)]
pub struct DensityOptions {
    /// Importance samples per example (K); unused by models with an exact density.
    pub samples: usize,
    /// The random streams of the importance samples.
    pub streams: Streams,
    /// The members of an ensemble that are averaged, as probabilities of the whole example; the
    /// first one only for models without an ensemble ([`Density::ensemble`]).
    pub members: Range<u64>,
}

impl DensityOptions {
    /// K samples by seed, and the first member of an ensemble.
    pub fn new(samples: usize, seed: u64) -> Self {
        Self { samples, streams: Streams::new(seed), members: 0..1 }
    }
}

/// An ensemble of exact densities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ensemble {
    /// What a member is: "ordering" or "mask".
    pub member: &'static str,
    /// The number of members; `None` if unlimited.
    pub count: Option<u64>,
}

/// The log-probabilities of some examples.
#[derive(Debug, Clone, PartialEq)]
pub struct LogProbability {
    /// One per example, in nats.
    pub nats: Vec<f64>,
    /// The Monte Carlo error of each, for estimates by sampling.
    pub monte_carlo: Option<Vec<MonteCarlo>>,
}

/// The terms of the evidence lower bound of each example, in nats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ElboTerms {
    /// E_q[log p(x | z)].
    pub reconstruction: Vec<f64>,
    /// The KL divergence from the prior, summed over stochastic layers; the ELBO is
    /// reconstruction − kl.
    pub kl: Vec<f64>,
    /// The posterior mean of each example `[examples, latent_dim]`, to count active units.
    pub means: Vec<f32>,
}

/// A model with a log-probability.
pub trait Density {
    /// The kind of its log-probability with K samples.
    fn kind(&self, samples: usize) -> DensityKind;

    /// The log-probability of each example, summed in double precision.
    ///
    /// This does not check the batch: [`log_probability`](super::log_probability) does, for every
    /// model alike.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn log_probability(&self, batch: &Batch, options: DensityOptions) -> Result<LogProbability>;

    /// The importance samples K of an evaluation unless told otherwise; unused by exact densities.
    fn default_samples(&self) -> usize {
        100
    }

    /// The ensemble whose members can be averaged, for models that have one.
    fn ensemble(&self) -> Option<Ensemble> {
        None
    }

    /// Whether the values are probabilities of discrete data, which bits per dimension need, rather
    /// than densities.
    fn is_mass(&self, data: &DataSpec) -> bool {
        (0..data.size()).all(|column| data.kind(column).is_some_and(|kind| kind.is_discrete()))
    }

    /// The terms of the log-probability by column, `[batch, columns]` row after row, which add up to
    /// it, of an ensemble those of its first member: each column given those before it in the model's
    /// order. `None` for models whose log-probability is not a sum over columns.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn column_terms(&self, _batch: &Batch) -> Result<Option<Vec<f64>>> {
        Ok(None)
    }

    /// The gradient of the term of a column, given the columns before it, with respect to each entry of
    /// each example `[batch, columns]`, row after row, in nats per whole range of an entry (of levels from
    /// the first to the last): what the term depends on. The value of the column itself has the
    /// gradient 0, as those after it in the model's order do. `None` for models that offer none.
    ///
    /// # Errors
    /// If the batch does not fit the model, or there is no such column.
    fn input_gradients(&self, _batch: &Batch, _column: usize) -> Result<Option<Vec<f64>>> {
        Ok(None)
    }

    /// The evidence lower bound in its terms, for models that have one.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn elbo_terms(&self, _batch: &Batch, _streams: Streams) -> Result<Option<ElboTerms>> {
        Ok(None)
    }
}
