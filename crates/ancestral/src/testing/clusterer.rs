//! Clusters.

use ancestral_data::Batch;

use super::case::Subject;
use super::problem::{Tried, ensure, refused};
use crate::model::Assigning;

/// Clusters have valid numbers and are batch-invariant.
pub(super) fn clusters(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let Some(clusterer) = model.clusterer() else { return Ok(0) };
    let count = clusterer.clusters();
    let chosen = [4, 9, 2];
    let batch = subject.batch(&chosen)?;
    if clusterer.assigning() == Assigning::Never {
        refused(clusterer.assign(&batch), "other rows than the clustered ones", &[model.name()])?;
        return Ok(1);
    }
    let found = clusterer.assign(&batch)?;
    let labels = &found.labels;
    let fits = |label: &Option<u32>| label.is_none_or(|label| (label as usize) < count);
    let fit = labels.len() == 3 && labels.iter().all(fits);
    ensure!(fit, "these are not clusters of {count} of 3 examples: {labels:?}");
    if let Some(rows) = &found.responsibilities {
        ensure!(rows.len() == 3 * count, "{} responsibilities of {count} clusters", rows.len());
        for row in rows.chunks_exact(count.max(1)) {
            let each = row.iter().all(|p| (0.0..=1.0).contains(p));
            let sum = row.iter().sum::<f64>();
            ensure!(each && (sum - 1.0).abs() < 1e-6, "these are not probabilities: {row:?}");
        }
    }
    for (label, index) in labels.iter().zip(chosen) {
        let alone = clusterer.assign(&subject.batch(&[index])?)?.labels;
        ensure!(alone == [*label], "example {index} alone is in {alone:?}, not in {label:?}");
    }
    let short = Batch { values: batch.values[1..].to_vec(), ..batch };
    refused(clusterer.assign(&short), "an example that is too short", &[])?;
    Ok(3)
}
