//! Fitting in one go: in closed form, by counting, by expectation and maximization.

use std::sync::atomic::{AtomicBool, Ordering};

use ancestral_data::{Batch, Examples, Streams};
use rayon::prelude::*;

use crate::{Error, Result};

/// Examples of a block of sums; fixed, so that the sums do not depend on how blocks are shared out.
pub const BLOCK: usize = 4096;
/// Blocks at most whose sums are taken in parallel before they are joined; it bounds memory alone.
const BLOCKS_AT_ONCE: usize = 16;

/// Examples whose sums are there at one time.
pub(super) fn examples_at_once() -> usize {
    BLOCK * rayon::current_num_threads().min(BLOCKS_AT_ONCE)
}

/// One fitted number with its standard error, where there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// What it is.
    pub name: String,
    /// The estimate.
    pub value: f64,
    /// Its standard error.
    pub stderr: Option<f64>,
}

/// What a fit found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FitReport {
    /// The parameters, with their standard errors where these are known.
    pub estimates: Vec<Estimate>,
    /// The objective after each iteration, in nats an example; empty for fits without iterations.
    pub trace: Vec<f64>,
    /// Whether the iterations converged; `None` for fits without iterations.
    pub converged: Option<bool>,
    /// What one must know to read the estimates: columns that were left out, classes without
    /// examples, iterations that did not converge.
    pub notes: Vec<String>,
}

/// What a fit is given beside the examples.
pub struct FitContext<'a> {
    /// Where the fit's randomness comes from.
    pub streams: Streams,
    /// Called with the share of the work that is done, from 0 to 1; nothing depends on it.
    pub progress: &'a mut dyn FnMut(f64),
    /// Set from outside to end the fit early.
    pub stop: &'a AtomicBool,
}

impl FitContext<'_> {
    /// Ends a fit that was asked to stop.
    ///
    /// # Errors
    /// If it was.
    pub fn check_stop(&self) -> Result<()> {
        check(self.stop)
    }
}

fn check(stop: &AtomicBool) -> Result<()> {
    if stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
}

/// A model that is fitted in one go.
pub trait Estimator {
    /// Fits to the examples and reports what was found.
    ///
    /// # Errors
    /// If the examples do not determine the parameters, or the fit was asked to stop.
    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport>;
}

/// Fits a model to the examples, to the end and without a word; `seed` decides the fit's randomness.
///
/// # Errors
/// Those of [`Estimator::fit`].
pub fn fit(model: &mut dyn Estimator, examples: &Examples, seed: u64) -> Result<FitReport> {
    let (streams, stop) = (Streams::new(seed), AtomicBool::new(false));
    model.fit(examples, &mut FitContext { streams, progress: &mut |_| {}, stop: &stop })
}

/// A model that is fitted from sums over the examples, so that one pass serves data larger than
/// memory, several threads and several machines, with the same bits.
pub trait SumEstimator: Sync {
    /// The sums.
    type Sums: Send;

    /// Those of no example.
    fn empty(&self) -> Self::Sums;

    /// Adds a block of examples.
    ///
    /// # Errors
    /// If they do not fit the model.
    fn accumulate(&self, block: &Batch, sums: &mut Self::Sums) -> Result<()>;

    /// Adds the sums of later examples to those of earlier ones.
    fn merge(&self, earlier: &mut Self::Sums, later: Self::Sums);

    /// Turns the sums into parameters.
    ///
    /// # Errors
    /// If they do not determine the parameters.
    fn finish(&mut self, sums: Self::Sums) -> Result<FitReport>;
}

/// Fits a model from sums over fixed blocks of [`BLOCK`] examples, joined in order.
///
/// # Errors
/// Those of the model, or if the fit was asked to stop.
pub fn fit_sums<E: SumEstimator>(
    model: &mut E,
    examples: &Examples,
    context: &mut FitContext<'_>,
) -> Result<FitReport> {
    let total = {
        let of = &*model;
        let add = |block: &Batch, sums: &mut E::Sums| of.accumulate(block, sums);
        let FitContext { stop, progress, .. } = context;
        block_sums(examples, stop, progress, || of.empty(), add, |a, b| of.merge(a, b))?
    };
    model.finish(total)
}

/// Sums over fixed blocks of [`BLOCK`] examples, joined in order: one pass of a fit, with the same
/// bits for any number of threads.
///
/// `progress` is called with the share of the pass that is done; iterative fits take a pass an
/// iteration.
///
/// # Errors
/// Those of `add`, or if the fit was asked to `stop`.
pub fn block_sums<S: Send>(
    examples: &Examples,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(f64),
    empty: impl Fn() -> S + Sync,
    add: impl Fn(&Batch, &mut S) -> Result<()> + Sync,
    merge: impl Fn(&mut S, S),
) -> Result<S> {
    let indices: Vec<u64> = (0..examples.len() as u64).collect();
    let mut total = empty();
    let at_once = examples_at_once();
    for (round, blocks) in indices.chunks(at_once).enumerate() {
        check(stop)?;
        let sums: Vec<S> = blocks
            .par_chunks(BLOCK)
            .map(|block| {
                let mut sums = empty();
                add(&examples.batch(block, 0), &mut sums)?;
                Ok(sums)
            })
            .collect::<Result<_>>()?;
        for later in sums {
            merge(&mut total, later);
        }
        let done = (round * at_once + blocks.len()) as f64;
        progress(done / indices.len() as f64);
    }
    Ok(total)
}
