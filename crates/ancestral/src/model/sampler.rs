//! Sampling.

use ancestral_data::Streams;

use crate::Result;

/// A request for samples.
#[derive(Debug, Clone)]
pub struct SampleRequest {
    /// The number of the first sample; a sample's random numbers depend on its number only.
    pub first: u64,
    /// The number of samples.
    pub count: usize,
    /// The random streams.
    pub streams: Streams,
    /// Sampling temperature: 1 for the model's distribution, below 1 less varied, above 1 more
    /// varied.
    pub temperature: f64,
    /// The class of the samples, for conditional models; `None` draws classes uniformly.
    pub class: Option<u32>,
    /// Whether to return the mean of the last conditional instead of a sample of it.
    pub mean: bool,
    /// Given entries, which are kept, for completion.
    pub known: Option<Known>,
}

/// The given entries of examples that are to be completed.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Examples `[count, size]` in the values of the model's columns; entries that are not
    /// given are ignored.
    pub values: Vec<f64>,
    /// Which entries are given, `[count, size]`.
    pub given: Vec<bool>,
}

/// Which entries a sampler can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// None: only whole examples are sampled.
    None,
    /// All after a given prefix of the model's ordering.
    Prefix,
    /// Any entries.
    Any,
}

impl SampleRequest {
    /// A request for `count` samples by seed.
    pub fn new(count: usize, seed: u64) -> Self {
        Self {
            first: 0,
            count,
            streams: Streams::new(seed),
            temperature: 1.0,
            class: None,
            mean: false,
            known: None,
        }
    }
}

/// A model that can be sampled.
pub trait Sampler {
    /// Samples examples, row after row, in values of the model's columns.
    ///
    /// This does not check the request: [`sample`](super::sample) does, for every model alike.
    ///
    /// # Errors
    /// If the model cannot complete the known entries.
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>>;

    /// Which entries of an example it can complete.
    fn completion(&self) -> Completion {
        Completion::None
    }

    /// The number of classes that can be requested; 0 for none.
    fn classes(&self) -> usize {
        0
    }

    /// Whether these classes are categories of a latent code, whose numbers are not those of the
    /// data's classes.
    fn classes_are_codes(&self) -> bool {
        false
    }

    /// Whether a sample has noise around the mean of the last conditional, so that the two differ.
    fn has_noise(&self) -> bool {
        true
    }

    /// Whether the temperature has an effect.
    fn has_temperature(&self) -> bool {
        true
    }
}
