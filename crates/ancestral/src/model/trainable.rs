//! Training step by step: the batches of a run, and what a model's step is given.

use ancestral_data::{Batch, Examples, Streams};
use burn::module::Module;
use burn::tensor::Tensor;

use crate::optim::Optimizers;
use crate::{Error, Result};

/// An endless sequence of batches; which one comes next depends on how many came before, and on
/// nothing else.
#[derive(Debug)]
pub struct BatchIterator {
    examples: Examples,
    seed: u64,
    batch_size: usize,
    drawn: u64,
    order: Option<(u64, Vec<u64>)>,
}

impl BatchIterator {
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

/// The part that all tensors of a model of one network belong to.
pub(super) const PART: &str = "model";

/// What a model's step is given.
#[derive(Debug)]
pub struct StepContext<'a> {
    /// Where batches come from.
    pub batches: &'a mut BatchIterator,
    /// One optimizer for each part of the model.
    pub optimizers: &'a mut Optimizers,
    /// Where the step's randomness comes from.
    pub streams: Streams,
    /// The number of this step, from 1.
    pub step: u64,
    /// Passes over the training split before this step.
    pub epoch: f64,
}

impl StepContext<'_> {
    /// One update of a model's only part by a loss that must be finite, and the value of the loss.
    ///
    /// # Errors
    /// If the loss or a gradient is not finite.
    pub fn descend<N: Module>(&mut self, loss: Tensor<1>, network: &mut Option<N>) -> Result<f64> {
        let value = crate::nn::scalar(&loss);
        if !value.is_finite() {
            return Err(Error::not_finite(self.step, "the loss"));
        }
        let gradients = loss.backward();
        drop(loss);
        self.optimizers.update(PART, network, gradients)?;
        Ok(value)
    }
}

/// Named metrics of one step, the loss first.
pub type Metrics = Vec<(&'static str, f64)>;

/// A model that learns step by step.
pub trait Trainable {
    /// One step: draws as many batches as it needs and updates each of its parts once (a GAN:
    /// one generator update).
    ///
    /// # Errors
    /// If a loss or gradient is not finite.
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics>;

    /// What checkpoints are chosen by: one metric an example, lower is better; `None` if the
    /// model has no such metric.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>>;

    /// What [`Trainable::validation`] is called where it is printed.
    fn validation_name(&self) -> &'static str {
        "validation"
    }

    /// Warnings about the run, from the means of its metrics since the last report.
    fn warnings(&self, _means: &[(String, f64)]) -> Vec<String> {
        Vec::new()
    }

    /// Called once before the first step of a new run, with the training examples, for starts
    /// that depend on the data (an output bias at the marginals' logit).
    ///
    /// # Errors
    /// If the examples do not fit the model.
    fn start(&mut self, _examples: &Examples) -> Result<()> {
        Ok(())
    }

    /// Examples that a batch takes at least: 2 where those of a batch are normalised together.
    fn min_batch_size(&self) -> usize {
        1
    }

    /// Called with averaged weights in place, before these are measured, drawn from or stored: for
    /// state that has to fit the weights, as moments of normalisation.
    ///
    /// # Errors
    /// If the weights are lost.
    fn recompute_batch_statistics(&mut self) -> Result<()> {
        Ok(())
    }
}
