//! Fitting in one call.

use std::sync::atomic::AtomicBool;

use ancestral_data::Streams;

use super::case::Subject;
use super::problem::{Tried, ensure};
use crate::Error;
use crate::model::{FitContext, fit};

/// The progress of a fit rises to 1, estimates are finite, a second fit gives the same, and an interrupted one
/// leaves the model unchanged.
pub(super) fn fits(subject: &Subject<'_>) -> Tried {
    let mut model = subject.build(0)?;
    if model.estimator().is_none() {
        return Ok(0);
    }
    let (first, examples) = (model.tensors(), subject.examples()?);
    let Some(estimator) = model.estimator() else { return Ok(0) };
    let mut shares = Vec::new();
    let stop = AtomicBool::new(true);
    let mut progress = |share: f64| shares.push(share);
    let mut context = FitContext { streams: Streams::new(0), progress: &mut progress, stop: &stop };
    let stopped = estimator.fit(&examples, &mut context);
    let interrupted = matches!(stopped, Err(Error::Interrupted));
    ensure!(interrupted, "a fit that was stopped before it began gives {stopped:?}");
    ensure!(model.tensors() == first, "a fit that was stopped has changed the model");

    let Some(estimator) = model.estimator() else { return Ok(0) };
    let mut shares = Vec::new();
    let stop = AtomicBool::new(false);
    let mut progress = |share: f64| shares.push(share);
    let mut context = FitContext { streams: Streams::new(0), progress: &mut progress, stop: &stop };
    let report = estimator.fit(&examples, &mut context)?;
    let rises = shares.is_sorted() && shares.last() == Some(&1.0);
    ensure!(rises, "progress does not rise to 1: {shares:?}");
    for found in &report.estimates {
        let fits = found.value.is_finite() && found.stderr.is_none_or(|e| e >= 0.0);
        ensure!(fits && !found.name.is_empty(), "this is not an estimate: {found:?}");
    }
    let again = fit(estimator, &examples, 0)?;
    ensure!(report == again, "a second fit finds something else: {report:?} {again:?}");
    Ok(1)
}
