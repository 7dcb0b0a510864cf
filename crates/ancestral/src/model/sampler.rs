//! Sampling.

use ancestral_data::Streams;

use crate::Result;
use crate::likelihood::Likelihood;

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

/// One step of autoregressive sampling: some rows get the value of an entry.
#[derive(Debug, Clone, Copy)]
pub struct SampleStep<'a> {
    /// The rows, by their place in the request.
    pub rows: &'a [usize],
    /// The entry, a column of the data.
    pub entry: usize,
    /// The distribution that the value of each row is drawn from; `None` for a given entry.
    pub conditional: Option<Conditional<'a>>,
    /// The value of each row, drawn or given; standardized for real data.
    pub values: &'a [f32],
}

/// The distribution of an entry in some rows, given the entries before it.
#[derive(Debug, Clone, Copy)]
pub struct Conditional<'a> {
    /// The observation model.
    pub likelihood: &'a Likelihood,
    /// Its outputs `[rows, outputs of an entry]`, at the temperature of the request.
    pub outputs: &'a [f32],
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

    /// As [`Sampler::draw`], with the same values, and every step told to an observer; `None` for
    /// models that do not sample one dimension at a time.
    ///
    /// # Errors
    /// As [`Sampler::draw`].
    fn draw_observed(
        &self,
        _request: &SampleRequest,
        _observer: &mut dyn FnMut(SampleStep<'_>),
    ) -> Result<Option<Vec<f64>>> {
        Ok(None)
    }

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
