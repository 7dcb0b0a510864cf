//! Batches in the order of a run, and what a model's step is given.

use ancestral_data::{Batch, Examples, Streams};

use super::Optimisers;

/// An endless row of batches; which one comes next depends on how many came before, and on
/// nothing else.
#[derive(Debug)]
pub struct Feed {
    examples: Examples,
    seed: u64,
    batch_size: usize,
    drawn: u64,
    order: Option<(u64, Vec<u64>)>,
}

impl Feed {
    /// Batches of the examples, in an order drawn anew by seed for every epoch.
    pub fn new(examples: Examples, batch_size: usize, seed: u64) -> Self {
        Self { examples, seed, batch_size: batch_size.max(1), drawn: 0, order: None }
    }

    /// Batches an epoch; the last may be smaller.
    pub fn per_epoch(&self) -> u64 {
        self.examples.len().div_ceil(self.batch_size) as u64
    }

    /// How many batches were drawn.
    pub fn drawn(&self) -> u64 {
        self.drawn
    }

    /// Goes to where `drawn` batches have been drawn.
    pub fn seek(&mut self, drawn: u64) {
        self.drawn = drawn;
    }

    /// Passes over the examples so far.
    pub fn epoch(&self) -> f64 {
        self.drawn as f64 / self.per_epoch() as f64
    }

    /// The examples it draws from.
    pub fn examples(&self) -> &Examples {
        &self.examples
    }

    /// The next batch.
    pub fn next_batch(&mut self) -> Batch {
        let epoch = self.drawn / self.per_epoch();
        let at = (self.drawn % self.per_epoch()) as usize * self.batch_size;
        self.drawn += 1;
        let order = match &mut self.order {
            Some((of, order)) if *of == epoch => order,
            order => &mut order.insert((epoch, self.examples.order(epoch, self.seed))).1,
        };
        let end = order.len().min(at + self.batch_size);
        self.examples.batch(&order[at..end], epoch)
    }
}

/// What a model's step is given.
#[derive(Debug)]
pub struct StepContext<'a> {
    /// Where batches come from.
    pub feed: &'a mut Feed,
    /// One optimiser for each part of the model.
    pub optimisers: &'a mut Optimisers,
    /// Where the step's randomness comes from.
    pub streams: Streams,
    /// The number of this step, from 1.
    pub step: u64,
    /// Passes over the training split before this step.
    pub epoch: f64,
}
