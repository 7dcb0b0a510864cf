//! Drawing examples.

use ancestral_data::Streams;

use crate::Result;

/// What to draw.
#[derive(Debug, Clone)]
pub struct SampleRequest {
    /// The number of the first sample; each sample's draws depend on its number alone.
    pub first: u64,
    /// How many.
    pub count: usize,
    /// Where the draws come from.
    pub streams: Streams,
    /// Scales the spread of the draws: 1 as learned, below 1 more typical, above 1 more varied.
    pub temperature: f64,
    /// The class to draw, for conditional models; else classes are drawn evenly.
    pub class: Option<u32>,
    /// Whether to give the mean of the last conditional instead of drawing from it.
    pub mean: bool,
    /// Entries that are given and stay as they are.
    pub known: Option<Known>,
}

/// The given part of the examples to be completed.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Examples `[count, size]` in the values of the model's columns; what is not given does not
    /// matter.
    pub values: Vec<f64>,
    /// Which entries are given, `[count, size]`.
    pub given: Vec<bool>,
}

/// Which entries a sampler can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// None: it draws whole examples.
    None,
    /// The first ones in the model's order.
    Prefix,
    /// Any.
    Any,
}

impl SampleRequest {
    /// `count` plain samples by seed.
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

/// A model that draws.
pub trait Sampler {
    /// Draws examples, row after row, in the values of the model's columns.
    ///
    /// This does not check the request: [`sample`](super::sample) does, for every model alike.
    ///
    /// # Errors
    /// If the known entries are not ones that the model can be given.
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>>;

    /// Which entries of an example it can be given to complete.
    fn completion(&self) -> Completion {
        Completion::None
    }

    /// How many classes can be asked for; 0 if none can.
    fn classes(&self) -> usize {
        0
    }

    /// Whether these classes are values of a code that was found without labels, so that their
    /// numbers are not those of the data.
    fn classes_are_codes(&self) -> bool {
        false
    }

    /// Whether a sample is a draw around the mean of a last conditional, so that the two differ.
    fn has_noise(&self) -> bool {
        true
    }

    /// Whether a temperature changes what is drawn.
    fn has_temperature(&self) -> bool {
        true
    }
}
