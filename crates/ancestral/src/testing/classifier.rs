//! Features and class probabilities.

use super::case::Subject;
use super::problem::{Tried, ensure, refused};

/// Class probabilities sum to 1; they and features are batch-invariant, up to rounding.
pub(super) fn class_probabilities(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let Some(classifier) = model.classifier() else { return Ok(0) };
    let (size, classes) = (subject.size(), subject.case.data.classes());
    let dim = classifier.feature_dim();
    let values = subject.batch(&subject.different(3)?)?.values;
    let found = classifier.classify(&values)?;
    let (features, probabilities) = (&found.features, &found.probabilities);
    ensure!(features.len() == 3 * dim, "3 examples have {} features", features.len());
    let count = probabilities.len();
    ensure!(count == 3 * classes, "3 examples of {classes} classes have {count} probabilities");
    ensure!(features.iter().all(|x| x.is_finite()), "features are not finite: {features:?}");
    ensure!(dim == 0 || features[..dim] != features[dim..2 * dim], "all features are the same");
    for (i, row) in probabilities.chunks_exact(classes).enumerate() {
        let each = row.iter().all(|&p| (0.0..=1.0).contains(&p));
        let sum = row.iter().sum::<f64>();
        ensure!(each && (sum - 1.0).abs() < 1e-12, "these are not probabilities: {row:?}");
        let alone = classifier.classify(&values[i * size..(i + 1) * size])?;
        for (a, b) in alone.probabilities.iter().zip(row) {
            ensure!((a - b).abs() < 1e-5, "an example alone has other probabilities: {a} {b}");
        }
        for (a, b) in alone.features.iter().zip(&features[i * dim..]) {
            ensure!((a - b).abs() < 1e-4, "an example alone has other features: {a} {b}");
        }
    }
    refused(classifier.classify(&values[1..]), "an example that is too short", &[])?;
    let none = classifier.classify(&[])?.probabilities;
    ensure!(none.is_empty(), "no examples have probabilities: {none:?}");
    Ok(3)
}
