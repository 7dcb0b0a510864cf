//! Discriminator scores.

use ancestral_data::Batch;

use super::case::Subject;
use super::problem::{Tried, ensure, refused};

/// Scores are finite and batch-invariant, up to rounding.
pub(super) fn scores(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let Some(discriminator) = model.discriminator() else { return Ok(0) };
    let chosen = [4, 9, 2];
    let batch = subject.batch(&chosen)?;
    let scores = discriminator.score(&batch)?;
    let fit = scores.len() == 3 && scores.iter().all(|score| score.is_finite());
    ensure!(fit, "these are not scores of 3 examples: {scores:?}");
    for (score, index) in scores.iter().zip(chosen) {
        let alone = discriminator.score(&Batch { epoch: 5, ..subject.batch(&[index])? })?[0];
        let near = (alone - score).abs() < 1e-4 * (1.0 + alone.abs());
        ensure!(near, "example {index} scores {alone} alone and {score} in a batch");
    }
    let short = Batch { values: batch.values[1..].to_vec(), ..batch };
    refused(discriminator.score(&short), "an example that is too short", &[])?;
    Ok(3)
}
