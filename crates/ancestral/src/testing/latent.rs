//! Latent codes.

use ancestral_data::Batch;

use super::case::Subject;
use super::problem::{Tried, ensure, refused};

/// Codes are batch-invariant, up to rounding, and are decoded into the domain.
pub(super) fn codes_lead_back(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let Some(latent) = model.latent() else { return Ok(0) };
    let dim = latent.latent_dim();
    let chosen = subject.different(3)?;
    let batch = subject.batch(&chosen)?;
    let codes = latent.encode(&batch)?;
    ensure!(codes.len() == 3 * dim, "3 codes of {dim} have {} numbers", codes.len());
    ensure!(codes.iter().all(|code| code.is_finite()), "codes are not finite: {codes:?}");
    ensure!(codes[..dim] != codes[dim..2 * dim], "all codes are the same: {codes:?}");
    // Codes do not depend on the epoch, either.
    for (i, index) in chosen.into_iter().enumerate() {
        let alone = Batch { epoch: 7, ..subject.batch(&[index])? };
        for (a, b) in latent.encode(&alone)?.iter().zip(&codes[i * dim..]) {
            ensure!((a - b).abs() < 1e-4, "example {index} alone has another code: {a} {b}");
        }
    }
    if let Some((means, stds)) = latent.posterior(&batch)? {
        ensure!(means == codes, "codes are not the means of their posteriors");
        let fit = stds.len() == codes.len() && stds.iter().all(|&s| s > 0.0 && s.is_finite());
        ensure!(fit, "these are not standard deviations of posteriors: {stds:?}");
    }
    let labels = batch.labels.as_deref();
    let decoded = latent.decode(&codes, labels)?;
    let size = subject.size();
    ensure!(decoded.len() == 3 * size, "3 examples of {size} have {} values", decoded.len());
    let top = subject.domain().max_level().map_or(f64::INFINITY, f64::from);
    let least = if top.is_finite() { 0.0 } else { f64::NEG_INFINITY };
    // Means are rounded in single precision.
    let fits = |x: &f64| x.is_finite() && (least..=top * (1.0 + 1e-6)).contains(x);
    ensure!(decoded.iter().all(fits), "codes lead out of the domain: {decoded:?}");
    refused(latent.decode(&codes[1..], labels), "a code that is too short", &[])?;
    let short = Batch { values: batch.values[1..].to_vec(), ..batch };
    refused(latent.encode(&short), "an example that is too short", &[])?;
    Ok(3)
}
