//! Metrics of a classifier: accuracy, log-loss, Brier score and calibration.

use std::time::Instant;

use ancestral_data::Examples;
use serde::Serialize;

use super::classes::{checked, class_agreement};
use super::quality::NamedClassifier;
use crate::model::Estimate;
use crate::{Error, Result};

/// The largest number of bins of a reliability table.
const BINS: usize = 10;
/// The smallest number of examples per bin, if there are enough.
const LEAST: usize = 10;
/// Examples per batch.
const AT_ONCE: usize = 500;

/// A bin of a reliability table (reliability diagram): examples of similar confidence, the
/// probability of the most probable class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// The number of examples.
    pub n: usize,
    /// Their lowest confidence.
    pub least: f64,
    /// Their highest confidence.
    pub most: f64,
    /// Their mean confidence.
    pub confidence: f64,
    /// Their accuracy: the fraction whose most probable class is correct.
    pub accuracy: f64,
    /// Its standard error.
    pub accuracy_stderr: f64,
}

/// The metrics of a classifier on labeled examples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classification {
    /// The number of examples.
    pub n: usize,
    /// The fraction of examples whose most probable class is correct.
    pub accuracy: f64,
    /// Its standard error.
    pub accuracy_stderr: f64,
    /// Mean −log p(class | example) in nats (log-loss); infinite if a class had probability 0.
    pub class_nll: f64,
    /// Its standard error.
    pub class_nll_stderr: f64,
    /// The number of examples whose class had probability 0.
    pub impossible: usize,
    /// Mean squared distance of the probabilities from 1 for the class and 0 for the others: from
    /// 0 to 2, the form of Brier 1950 for any number of classes.
    pub brier_score: f64,
    /// Its standard error.
    pub brier_stderr: f64,
    /// Expected calibration error: the mean distance of confidence and accuracy over the bins,
    /// weighted by their examples.
    pub calibration_error: f64,
    /// Its standard error.
    pub calibration_stderr: f64,
    /// Up to ten bins of equal mass, with at least ten examples each, in ascending confidence.
    pub reliability: Vec<ReliabilityBin>,
    /// Duration in seconds, with that of the probabilities unless they were given.
    pub seconds: f64,
}

/// Evaluates a classifier on labeled examples; `progress` is called with the number done.
///
/// # Errors
/// If the examples do not fit the classifier or have no labels.
pub fn classification(
    network: &NamedClassifier<'_>,
    examples: &Examples,
    progress: &mut dyn FnMut(usize),
) -> Result<Classification> {
    let began = Instant::now();
    let labels = examples.labels().ok_or_else(|| unsuitable("the examples have no labels"))?;
    let indices: Vec<u64> = (0..examples.len() as u64).collect();
    let mut probabilities = Vec::with_capacity(examples.len() * network.classes());
    let mut done = 0;
    for chunk in indices.chunks(AT_ONCE) {
        // Features are not kept: there may be as many as columns.
        probabilities
            .extend(network.classify_examples(examples, chunk, &mut |_| {})?.probabilities);
        done += chunk.len();
        progress(done);
    }
    measured(&probabilities, network.classes(), labels, began)
}

/// The metrics of class probabilities `[n, classes]`.
///
/// # Errors
/// As [`class_nll`].
pub fn classification_of(
    probabilities: &[f64],
    classes: usize,
    labels: &[u32],
) -> Result<Classification> {
    measured(probabilities, classes, labels, Instant::now())
}

/// The metrics of class probabilities `[n, classes]`, and how long they took.
pub(super) fn measured(
    probabilities: &[f64],
    classes: usize,
    labels: &[u32],
    began: Instant,
) -> Result<Classification> {
    let accuracy = class_agreement(probabilities, classes, labels)?;
    let nll = class_nll(probabilities, classes, labels)?;
    let brier = brier_score(probabilities, classes, labels)?;
    let bins = (labels.len() / LEAST).clamp(1, BINS);
    let reliability = reliability(probabilities, classes, labels, bins)?;
    let calibration = calibration_error(probabilities, classes, labels, bins)?;
    let own = labels.iter().zip(probabilities.chunks_exact(classes));
    Ok(Classification {
        n: labels.len(),
        accuracy: accuracy.value,
        accuracy_stderr: accuracy.stderr.unwrap_or(0.0),
        class_nll: nll.value,
        class_nll_stderr: nll.stderr.unwrap_or(f64::NAN),
        impossible: own.filter(|(label, p)| p[**label as usize] == 0.0).count(),
        brier_score: brier.value,
        brier_stderr: brier.stderr.unwrap_or(0.0),
        calibration_error: calibration.value,
        calibration_stderr: calibration.stderr.unwrap_or(0.0),
        reliability,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// Mean −log p(class | example) in nats, with its standard error; infinite and without one if a
/// class had probability 0.
///
/// `probabilities` are `[n, classes]`, row after row.
///
/// # Errors
/// If there is no row, they are ragged, a row does not sum to 1, or the labels are not one class for
/// each row.
pub fn class_nll(probabilities: &[f64], classes: usize, labels: &[u32]) -> Result<Estimate> {
    let rows = labeled(probabilities, classes, labels)?;
    let terms: Vec<f64> = rows.map(|(row, label)| -row[label].ln()).collect();
    Ok(mean("class nll", &terms))
}

/// The Brier score: mean Σ_k (p_k − [k is the class])², with its standard error (Brier 1950).
///
/// # Errors
/// As [`class_nll`].
pub fn brier_score(probabilities: &[f64], classes: usize, labels: &[u32]) -> Result<Estimate> {
    let rows = labeled(probabilities, classes, labels)?;
    let terms: Vec<f64> = rows
        .map(|(row, label)| {
            let of = |(k, p): (usize, &f64)| (p - f64::from(k == label)).powi(2);
            row.iter().enumerate().map(of).sum()
        })
        .collect();
    Ok(mean("Brier score", &terms))
}

/// A reliability table: examples by confidence, in up to `bins` bins of equal mass (Nguyen and
/// O'Connor 2015, arXiv:1508.05154), which do not separate equal confidences.
///
/// # Errors
/// As [`class_nll`], or if `bins` is 0.
pub fn reliability(
    probabilities: &[f64],
    classes: usize,
    labels: &[u32],
    bins: usize,
) -> Result<Vec<ReliabilityBin>> {
    let bin = |examples: &[(f64, bool)]| {
        let n = examples.len();
        let share = |count: f64| count / n as f64;
        let accuracy = share(examples.iter().filter(|(_, right)| *right).count() as f64);
        ReliabilityBin {
            n,
            least: examples.first().map_or(0.0, |e| e.0),
            most: examples.last().map_or(0.0, |e| e.0),
            confidence: share(examples.iter().map(|e| e.0).sum()),
            accuracy,
            accuracy_stderr: (accuracy * (1.0 - accuracy) / n as f64).sqrt(),
        }
    };
    let sorted = by_confidence(probabilities, classes, labels)?;
    Ok(binned(&sorted, bins)?.into_iter().map(bin).collect())
}

/// The expected calibration error over the bins of [`reliability`] (Guo et al. 2017,
/// arXiv:1706.04599, with bins of equal mass), with its standard error by the delta method for
/// fixed bins.
///
/// It is biased upwards by the noise of each bin's accuracy, the more the fewer examples a bin has;
/// compare values at the same number of examples only.
///
/// # Errors
/// As [`reliability`].
pub fn calibration_error(
    probabilities: &[f64],
    classes: usize,
    labels: &[u32],
    bins: usize,
) -> Result<Estimate> {
    let sorted = by_confidence(probabilities, classes, labels)?;
    let gap = |&(confidence, right): &(f64, bool)| f64::from(right) - confidence;
    // The mean of these over all examples is Σ n_bin / n · |accuracy − confidence|.
    let terms: Vec<f64> = binned(&sorted, bins)?
        .into_iter()
        .flat_map(|bin| {
            let sign = bin.iter().map(gap).sum::<f64>().signum();
            bin.iter().map(move |example| sign * gap(example))
        })
        .collect();
    Ok(mean("expected calibration error", &terms))
}

/// The confidence of each example and whether its prediction is correct, in ascending confidence.
fn by_confidence(
    probabilities: &[f64],
    classes: usize,
    labels: &[u32],
) -> Result<Vec<(f64, bool)>> {
    let best = |(row, label): (&[f64], usize)| {
        let first = (0, f64::NEG_INFINITY);
        let better = |best: (usize, f64), (k, &p)| if p > best.1 { (k, p) } else { best };
        let (class, confidence) = row.iter().enumerate().fold(first, better);
        (confidence, class == label)
    };
    let mut all: Vec<(f64, bool)> = labeled(probabilities, classes, labels)?.map(best).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(all)
}

/// Splits sorted examples into up to `bins` parts of nearly equal size, without separating equal
/// confidences.
fn binned(sorted: &[(f64, bool)], bins: usize) -> Result<Vec<&[(f64, bool)]>> {
    if bins == 0 {
        return Err(Error::setting("bins", 0, "give 1 or more"));
    }
    let n = sorted.len();
    let (mut parts, mut start) = (Vec::new(), 0);
    for bin in 1..=bins {
        let mut end = n * bin / bins;
        while 0 < end && end < n && sorted[end].0 == sorted[end - 1].0 {
            end += 1;
        }
        if end > start {
            parts.push(&sorted[start..end]);
            start = end;
        }
    }
    Ok(parts)
}

/// The rows of probabilities, each with the number of its class.
fn labeled<'a>(
    probabilities: &'a [f64],
    classes: usize,
    labels: &'a [u32],
) -> Result<impl Iterator<Item = (&'a [f64], usize)>> {
    let rows = checked(probabilities, classes)?;
    if rows.len() != labels.len() {
        return Err(unsuitable(format!("{} labels for {} examples", labels.len(), rows.len())));
    }
    if let Some(label) = labels.iter().find(|&&label| label as usize >= classes) {
        return Err(unsuitable(format!("an example is of class {label}, and there are {classes}")));
    }
    Ok(rows.zip(labels.iter().map(|&label| label as usize)))
}

/// The mean over examples with its standard error.
fn mean(name: &str, terms: &[f64]) -> Estimate {
    let n = terms.len() as f64;
    let value = terms.iter().sum::<f64>() / n;
    let variance = terms.iter().map(|x| (x - value).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let stderr = value.is_finite().then(|| (variance / n).sqrt());
    Estimate { name: name.to_owned(), value, stderr }
}

pub(super) fn unsuitable(problem: impl Into<String>) -> Error {
    Error::UnsuitableData {
        model: "a metric of class probabilities".to_owned(),
        problem: problem.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twelve rows of three classes, as the script above the values of `METRICS` makes them.
    fn rows() -> (Vec<f64>, Vec<u32>) {
        let score = |i: usize, k: usize| 2.0 * ((5 * i + 3 * k) as f64).sin();
        let mut p = Vec::new();
        for i in 0..12 {
            let sum: f64 = (0..3).map(|k| score(i, k).exp()).sum();
            p.extend((0..3).map(|k| score(i, k).exp() / sum));
        }
        (p, (0..12).map(|i| (i * i % 7 % 3) as u32).collect())
    }

    // import numpy as np
    // from sklearn.metrics import log_loss
    // i, k = np.arange(12)[:, None], np.arange(3)[None]
    // p = np.exp(2 * np.sin(5 * i + 3 * k)); p /= p.sum(1, keepdims=True)
    // y = (i[:, 0] ** 2 % 7 % 3)
    // print(log_loss(y, p, labels=[0, 1, 2]), ((p - np.eye(3)[y]) ** 2).sum(1).mean())
    // c, right = p.max(1), p.argmax(1) == y
    // parts = np.array_split(np.argsort(c), 4)
    // print(sum(len(b) / 12 * abs(c[b].mean() - right[b].mean()) for b in parts))
    const METRICS: [f64; 3] = [1.6111229062026862, 0.7781578107443253, 0.3142442254087097];

    #[test]
    fn metrics_have_their_values() {
        let (p, labels) = rows();
        let found = [
            class_nll(&p, 3, &labels).unwrap(),
            brier_score(&p, 3, &labels).unwrap(),
            calibration_error(&p, 3, &labels, 4).unwrap(),
        ];
        for (found, value) in found.iter().zip(METRICS) {
            assert!((found.value - value).abs() < 1e-12, "{found:?} {value}");
            assert!(found.stderr.unwrap() > 0.0);
        }
        let table = reliability(&p, 3, &labels, 4).unwrap();
        let sum = |of: &dyn Fn(&ReliabilityBin) -> f64| {
            table.iter().map(|bin| bin.n as f64 / 12.0 * of(bin)).sum::<f64>()
        };
        assert!((sum(&|bin| (bin.accuracy - bin.confidence).abs()) - METRICS[2]).abs() < 1e-12);
        let accuracy = class_agreement(&p, 3, &labels).unwrap().value;
        assert!((sum(&|bin| bin.accuracy) - accuracy).abs() < 1e-12);
        assert_eq!(table.iter().map(|bin| bin.n).collect::<Vec<_>>(), [3; 4]);
        assert!(table.windows(2).all(|w| w[0].most <= w[1].least));
    }

    #[test]
    fn certain_probabilities_are_best_or_worst() {
        let certain = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0];
        let right = brier_score(&certain, 2, &[0, 1, 0]).unwrap();
        assert_eq!((right.value, right.stderr), (0.0, Some(0.0)));
        assert_eq!(class_nll(&certain, 2, &[0, 1, 0]).unwrap().value, 0.0);
        assert_eq!(calibration_error(&certain, 2, &[0, 1, 0], BINS).unwrap().value, 0.0);
        assert_eq!(brier_score(&certain, 2, &[1, 0, 1]).unwrap().value, 2.0);
        let wrong = class_nll(&certain, 2, &[1, 1, 0]).unwrap();
        assert_eq!((wrong.value, wrong.stderr), (f64::INFINITY, None));
    }

    #[test]
    fn equal_confidences_share_a_bin() {
        let same = [0.7, 0.3].repeat(50);
        let labels: Vec<u32> = (0..50).map(|i| u32::from(i % 10 >= 7)).collect();
        let table = reliability(&same, 2, &labels, BINS).unwrap();
        assert_eq!(table.len(), 1);
        assert!((table[0].accuracy - 0.7).abs() < 1e-12 && table[0].n == 50);
        assert!(calibration_error(&same, 2, &labels, BINS).unwrap().value < 1e-12);
        // Fewer examples than bins.
        assert_eq!(reliability(&[0.6, 0.4, 0.9, 0.1], 2, &[0, 0], BINS).unwrap().len(), 2);
    }

    #[test]
    fn labels_that_do_not_fit_are_refused() {
        assert!(class_nll(&[0.5, 0.5], 2, &[0, 1]).is_err());
        assert!(brier_score(&[0.5, 0.5], 2, &[2]).is_err());
        assert!(calibration_error(&[0.5, 0.4], 2, &[0], BINS).is_err());
        assert!(reliability(&[0.5, 0.5], 2, &[0], 0).is_err());
        assert!(class_nll(&[], 2, &[]).is_err());
    }
}
