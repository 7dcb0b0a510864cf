//! The size of a model before it is built: its parameters and the activations that a training step
//! keeps, counted layer by layer with saturating arithmetic.

use ancestral_data::Domain;

use super::estimator::examples_at_once;
use crate::likelihood::Likelihood;
use crate::optim::Rule;
use crate::spec::DataSpec;

/// Numbers that a batch holds per entry of an example: in double precision as it is read, in single
/// precision as a tensor, and once more on the scale of the network.
const OF_INPUT: u64 = 4;
/// Gradients of the widest layer's outputs that exist at the same time.
const ON_THE_WAY: u64 = 2;
/// Bytes that any training needs: stacks of threads, scratch memory of the kernels, and overhead of
/// the allocator.
const WORKSPACE: u64 = 1 << 19;

/// The size of a model before it is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Numbers in all its tensors, buffers included.
    pub parameters: u64,
    /// The part of them that an optimizer updates.
    pub trained: u64,
    /// Numbers that a training step keeps per example of a batch.
    pub per_example: u64,
    /// Numbers that a step needs independently of the batch size.
    pub fixed: u64,
}

impl Size {
    /// An estimate of the peak memory of a training step, in bytes.
    ///
    /// It counts weights and gradients, the optimizer's moments, the average of the weights if there
    /// is one, and the activations that are kept for the backward pass.
    pub fn step_bytes(&self, batch: usize, rule: Rule, averaged: bool) -> u64 {
        let copies = 2 + rule.moments() as u64 + u64::from(averaged);
        let buffers = self.parameters.saturating_sub(self.trained);
        let numbers = self
            .trained
            .saturating_mul(copies)
            .saturating_add(buffers)
            .saturating_add(self.fixed)
            .saturating_add(self.per_example.saturating_mul(batch as u64));
        numbers.saturating_mul(4).saturating_add(WORKSPACE)
    }

    /// An estimate of the peak memory of training, in bytes: that of a step or of a checkpoint.
    ///
    /// A checkpoint needs copies of the weights, their average, the best weights and the moments, and
    /// once more the bytes of the file.
    pub fn training_bytes(&self, batch: usize, rule: Rule, averaged: bool) -> u64 {
        let copies = 7 + 3 * rule.moments() as u64 + 5 * u64::from(averaged);
        let buffers = self.parameters.saturating_sub(self.trained);
        let numbers = self.trained.saturating_mul(copies).saturating_add(buffers.saturating_mul(7));
        self.step_bytes(batch, rule, averaged).max(numbers.saturating_mul(4))
    }

    /// An estimate of the peak memory of a fit in one call over this many examples, in bytes.
    ///
    /// Fits use double precision.
    pub fn fit_bytes(&self, examples: usize) -> u64 {
        let numbers = self.parameters.saturating_add(self.fixed).saturating_add(
            self.per_example.saturating_mul(examples.min(examples_at_once()) as u64),
        );
        numbers.saturating_mul(8).saturating_add(WORKSPACE)
    }

    /// The bytes of its tensors.
    pub fn bytes(&self) -> u64 {
        self.parameters.saturating_mul(4)
    }
}

/// The product of some sizes, saturating.
pub fn product(sizes: &[usize]) -> usize {
    sizes.iter().fold(1, |all, &size| all.saturating_mul(size))
}

/// Counts a model layer by layer.
///
/// Methods that add a layer return the width of its output.
#[derive(Debug, Clone)]
pub struct SizeBuilder {
    trained: u64,
    buffers: u64,
    /// Numbers kept per example.
    kept: u64,
    /// The width of the widest tensor, per example.
    widest: u64,
    fixed: u64,
    /// Rows per example in the following layers.
    rows: u64,
}

impl Default for SizeBuilder {
    fn default() -> Self {
        Self { trained: 0, buffers: 0, kept: 0, widest: 0, fixed: 0, rows: 1 }
    }
}

impl SizeBuilder {
    /// Starts with the batch of data that every step reads.
    pub fn new(data: &DataSpec) -> Self {
        let entries = product(data.shape.dims());
        let mut size = Self::default();
        size.kept((entries as u64).saturating_mul(OF_INPUT));
        size
    }

    /// Sets the number of rows per example for the following layers.
    pub fn rows(&mut self, rows: usize) {
        self.rows = rows as u64;
    }

    /// Numbers that an optimizer updates.
    pub fn trained(&mut self, sizes: &[usize]) {
        self.trained = self.trained.saturating_add(product(sizes) as u64);
    }

    /// Numbers in tensors that no optimizer updates.
    pub fn buffer(&mut self, sizes: &[usize]) {
        self.buffers = self.buffers.saturating_add(product(sizes) as u64);
    }

    /// Numbers that a step keeps per row for the backward pass.
    pub fn kept(&mut self, numbers: u64) {
        self.kept = self.kept.saturating_add(numbers.saturating_mul(self.rows));
    }

    /// Numbers that a step needs independently of the batch size.
    pub fn fixed(&mut self, numbers: u64) {
        self.fixed = self.fixed.saturating_add(numbers);
    }

    /// Outputs of a layer, kept `times` over.
    pub fn outputs(&mut self, width: usize, times: u64) -> usize {
        let numbers = width as u64;
        self.kept(numbers.saturating_mul(times));
        self.widest = self.widest.max(numbers.saturating_mul(self.rows));
        width
    }

    /// A fully connected layer with a bias; its activation is applied in place.
    pub fn dense(&mut self, from: usize, to: usize) -> usize {
        self.trained(&[from, to]);
        self.trained(&[to]);
        self.outputs(to, 1)
    }

    /// A sequence of fully connected layers.
    pub fn mlp(&mut self, from: usize, hidden: &[usize]) -> usize {
        hidden.iter().fold(from, |from, &to| self.dense(from, to))
    }

    /// A convolution, or a transposed one, with square filters and a bias, from `from` to `to`
    /// channels with `area` output pixels, without its activation.
    pub fn convolution(&mut self, from: usize, to: usize, kernel: usize, area: usize) -> usize {
        self.trained(&[from, to, kernel, kernel]);
        self.trained(&[to]);
        self.outputs(product(&[to, area]), 1)
    }

    /// An activation of `width` outputs that is a separate operation.
    pub fn activation(&mut self, width: usize) {
        self.kept(width as u64);
    }

    /// The mean and the deviation of each entry, for real data.
    pub fn scale(&mut self, data: &DataSpec, domain: Domain) {
        if domain == Domain::Real {
            self.buffer(&[product(data.shape.dims()), 2]);
        }
    }

    /// The log-probabilities of `entries` entries.
    pub fn likelihood(&mut self, likelihood: &Likelihood, entries: usize) {
        self.kept((entries as u64).saturating_mul(likelihood.kept()));
    }

    /// A model of two parts that are updated in turn, each with its own batch.
    #[must_use]
    pub fn in_turn(self, other: Self) -> Self {
        Self {
            trained: self.trained.saturating_add(other.trained),
            buffers: self.buffers.saturating_add(other.buffers),
            kept: self.kept.max(other.kept),
            widest: self.widest.max(other.widest),
            fixed: self.fixed.max(other.fixed),
            rows: 1,
        }
    }

    /// The size of the model.
    pub fn finish(self) -> Size {
        let on_the_way = self.widest.saturating_mul(ON_THE_WAY);
        Size {
            parameters: self.trained.saturating_add(self.buffers),
            trained: self.trained,
            per_example: self.kept.saturating_add(on_the_way),
            fixed: self.fixed,
        }
    }
}
