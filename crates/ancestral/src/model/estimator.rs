//! Estimators, which are fitted in one call: in closed form, by counting, by iterations.

use std::sync::atomic::{AtomicBool, Ordering};

use ancestral_data::{Batch, Examples, Streams};
use rayon::prelude::*;

use crate::{Error, Result};

/// Examples per block of sums; fixed, so that sums do not depend on the number of threads.
pub const BLOCK: usize = 4096;
/// The most blocks that are summed in parallel before they are merged; it only bounds memory.
const BLOCKS_AT_ONCE: usize = 16;

/// The most examples whose sums are in memory at the same time.
pub(super) fn examples_at_once() -> usize {
    BLOCK * rayon::current_num_threads().min(BLOCKS_AT_ONCE)
}

/// An estimated parameter with its standard error, if known.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The name of the parameter.
    pub name: String,
    /// The estimate.
    pub value: f64,
    /// Its standard error.
    pub stderr: Option<f64>,
}

/// The result of a fit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FitReport {
    /// The estimated parameters.
    pub estimates: Vec<Estimate>,
    /// The objective after each iteration, in nats per example; empty for fits without iterations.
    pub trace: Vec<f64>,
    /// Whether the iterations converged; `None` for fits without iterations.
    pub converged: Option<bool>,
    /// Notes on the estimates: columns that were left out, classes without examples, iterations that
    /// did not converge.
    pub notes: Vec<String>,
    /// The tests of the coefficients of a linear predictor, and how well it fits.
    pub regression: Option<Regression>,
    /// The number of parameters that were free, if it is not that of the estimates: probabilities that
    /// add up to 1 have one less, and not every covariance need be listed.
    pub free: Option<usize>,
}

/// A coefficient of a linear predictor, with the test of 0 and its interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficient {
    /// The name of the estimate.
    pub name: String,
    /// The estimate divided by its standard error.
    pub statistic: f64,
    /// The probability of a statistic at least as far from 0, if the coefficient is 0.
    pub p_value: f64,
    /// The interval of the confidence of the fit.
    pub interval: (f64, f64),
    /// exp of the coefficient and of the ends of its interval, of a weight of log-odds.
    pub odds_ratio: Option<(f64, f64, f64)>,
}

/// What a fit of a linear predictor says of its coefficients.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Regression {
    /// The confidence of intervals.
    pub confidence: f64,
    /// The degrees of freedom of Student's t distribution; `None` where statistics are normal for many
    /// examples.
    pub degrees: Option<f64>,
    /// The coefficients that have a standard error.
    pub coefficients: Vec<Coefficient>,
    /// How well the predictor fits, by name.
    pub metrics: Vec<(&'static str, f64)>,
}

/// A log-likelihood and the criteria that weigh it against the number of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criteria {
    /// The number of rows.
    pub n: f64,
    /// The log-likelihood of the rows, in nats.
    pub log_likelihood: f64,
    /// Akaike's: 2 k − 2 ℓ for k free parameters.
    pub aic: f64,
    /// Schwarz's: k ln n − 2 ℓ.
    pub bic: f64,
}

impl Criteria {
    /// The criteria of so many free parameters.
    pub fn new(log_likelihood: f64, n: f64, free: usize) -> Self {
        let k = free as f64;
        let (aic, bic) = (2.0 * k - 2.0 * log_likelihood, k * n.ln() - 2.0 * log_likelihood);
        Self { n, log_likelihood, aic, bic }
    }
}

/// The context of a fit.
pub struct FitContext<'a> {
    /// The random streams of the fit.
    pub streams: Streams,
    /// Called with the fraction of the work that is done, from 0 to 1; it does not affect the fit.
    pub progress: &'a mut dyn FnMut(f64),
    /// Set from outside to stop the fit.
    pub stop: &'a AtomicBool,
}

impl FitContext<'_> {
    /// Checks whether the fit was asked to stop.
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

/// A model that is fitted in one call.
pub trait Estimator {
    /// Fits the model to the examples.
    ///
    /// # Errors
    /// If the examples do not determine the parameters, or the fit was asked to stop.
    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport>;
}

/// Fits a model to the examples without progress reports; `seed` is the seed of the fit's random
/// streams.
///
/// # Errors
/// Those of [`Estimator::fit`].
pub fn fit(model: &mut dyn Estimator, examples: &Examples, seed: u64) -> Result<FitReport> {
    let (streams, stop) = (Streams::new(seed), AtomicBool::new(false));
    model.fit(examples, &mut FitContext { streams, progress: &mut |_| {}, stop: &stop })
}

/// A model that is fitted from sums over the examples (sufficient statistics), in one pass over data
/// that may be larger than memory, with the same bits for any number of threads.
pub trait SumEstimator: Sync {
    /// The sums.
    type Sums: Send;

    /// The sums over no examples.
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

impl<E: SumEstimator> Estimator for E {
    /// Sums over fixed blocks of [`BLOCK`] examples, merged in order.
    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport> {
        let total = {
            let of = &*self;
            let add = |block: &Batch, sums: &mut E::Sums| of.accumulate(block, sums);
            let FitContext { stop, progress, .. } = context;
            block_sums(examples, stop, progress, || of.empty(), add, |a, b| of.merge(a, b))?
        };
        self.finish(total)
    }
}

/// Sums over fixed blocks of [`BLOCK`] examples, merged in order: one pass of a fit, with the same
/// bits for any number of threads.
///
/// `progress` is called with the fraction of the pass that is done; iterative fits take one pass per
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
