//! Training by gradient steps: the batches of a run, and the context of a step.

use ancestral_data::{Batch, Examples, Streams};
use burn::module::Module;
use burn::tensor::Tensor;

use crate::optim::Optimizers;
use crate::{Error, Result};

/// An endless sequence of batches, each a function of its position in the sequence only.
#[derive(Debug)]
pub struct BatchIterator {
    examples: Examples,
    seed: u64,
    batch_size: usize,
    drawn: u64,
    order: Option<(u64, Vec<u64>)>,
}

impl BatchIterator {
    /// Batches of the examples, in a new random order by seed for every epoch.
    pub fn new(examples: Examples, batch_size: usize, seed: u64) -> Self {
        Self { examples, seed, batch_size: batch_size.max(1), drawn: 0, order: None }
    }

    /// Batches per epoch; the last may be smaller.
    pub fn per_epoch(&self) -> u64 {
        self.examples.len().div_ceil(self.batch_size) as u64
    }

    /// The number of batches so far.
    pub fn drawn(&self) -> u64 {
        self.drawn
    }

    /// Moves to the position after `drawn` batches.
    pub fn seek(&mut self, drawn: u64) {
        self.drawn = drawn;
    }

    /// Epochs so far, with the fraction of the current one.
    pub fn epoch(&self) -> f64 {
        self.drawn as f64 / self.per_epoch() as f64
    }

    /// The examples that batches are taken from.
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

/// The part of all tensors of a model with one network.
pub(super) const PART: &str = "model";

/// The context of a training step.
#[derive(Debug)]
pub struct StepContext<'a> {
    /// The batches.
    pub batches: &'a mut BatchIterator,
    /// One optimizer for each part of the model.
    pub optimizers: &'a mut Optimizers,
    /// The random streams of the step.
    pub streams: Streams,
    /// The number of this step, from 1.
    pub step: u64,
    /// Epochs before this step, with the fraction of the current one.
    pub epoch: f64,
}

impl StepContext<'_> {
    /// Updates a model with one part by a loss, and returns the value of the loss.
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

/// A model that is trained by gradient steps.
pub trait Trainable {
    /// One step: takes as many batches as it needs and updates each of its parts (a GAN: one
    /// generator update).
    ///
    /// # Errors
    /// If a loss or gradient is not finite.
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics>;

    /// The validation metric, which selects checkpoints: a value per example, lower is better;
    /// `None` if the model has none.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>>;

    /// The name of the validation metric.
    fn validation_name(&self) -> &'static str {
        "validation"
    }

    /// Warnings about the run, from the means of its metrics since the last report.
    fn warnings(&self, _means: &[(String, f64)]) -> Vec<String> {
        Vec::new()
    }

    /// What to say of a budget of this many steps if it is too small for such a model whatever the data.
    fn too_few_steps(&self, _steps: u64) -> Option<String> {
        None
    }

    /// Called once before the first step of a new run, with the training examples, for initial
    /// values that depend on the data (such as an output bias at the logits of the marginals).
    ///
    /// # Errors
    /// If the examples do not fit the model.
    fn start(&mut self, _examples: &Examples) -> Result<()> {
        Ok(())
    }

    /// The least batch size: 2 with batch normalization.
    fn min_batch_size(&self) -> usize {
        1
    }

    /// Called with averaged weights in place, before they are evaluated, sampled from or stored, to
    /// recompute statistics that depend on the weights, such as the moments of batch normalization.
    ///
    /// # Errors
    /// If the weights are lost.
    fn recompute_batch_statistics(&mut self) -> Result<()> {
        Ok(())
    }
}
