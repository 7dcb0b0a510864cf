//! Curves of a score that tells positive examples from negative ones: receiver operating characteristic
//! (ROC) and precision–recall, with their areas (Fawcett 2006; Davis and Goadrich 2006).
//!
//! Examples with the same score are taken together, so that their order does not matter. The area under
//! the ROC curve is the probability that a positive example has a higher score than a negative one, ties
//! counted by half; the area under the precision–recall curve is the average precision, Σ (R_i − R_{i−1})
//! P_i, without interpolation.

use serde::Serialize;

/// A curve with its area.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// From the highest score on: (false positive rate, true positive rate), or (recall, precision).
    pub points: Vec<(f64, f64)>,
    /// The area under it.
    pub area: f64,
}

/// Of each distinct score, from the highest down, the positive and negative examples so far.
fn counts(scores: &[f64], positive: &[bool]) -> Vec<(f64, f64)> {
    let mut order: Vec<usize> = (0..scores.len().min(positive.len())).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut found = Vec::new();
    let (mut yes, mut no) = (0.0, 0.0);
    for group in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let more = group.iter().filter(|&&i| positive[i]).count() as f64;
        yes += more;
        no += group.len() as f64 - more;
        found.push((yes, no));
    }
    found
}

/// The ROC curve, from (0, 0) to (1, 1); `None` unless there are positive and negative examples.
pub fn roc(scores: &[f64], positive: &[bool]) -> Option<Curve> {
    let counts = counts(scores, positive);
    let &(all, none) = counts.last()?;
    if all == 0.0 || none == 0.0 {
        return None;
    }
    let mut points = vec![(0.0, 0.0)];
    points.extend(counts.iter().map(|(yes, no)| (no / none, yes / all)));
    let trapezoid = |w: &[(f64, f64)]| (w[1].0 - w[0].0) * (w[0].1 + w[1].1) / 2.0;
    let area = points.windows(2).map(trapezoid).sum();
    Some(Curve { points, area })
}

/// The precision–recall curve; `None` without positive examples.
pub fn precision_recall(scores: &[f64], positive: &[bool]) -> Option<Curve> {
    let counts = counts(scores, positive);
    let &(all, _) = counts.last().filter(|(all, _)| *all > 0.0)?;
    let point = |(yes, no): &(f64, f64)| (yes / all, yes / (yes + no));
    let points: Vec<(f64, f64)> = counts.iter().map(point).collect();
    let mut before = 0.0;
    let mut area = 0.0;
    for (recall, precision) in &points {
        area += (recall - before) * precision;
        before = *recall;
    }
    Some(Curve { points, area })
}

/// The metrics of one class against all others.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassMetrics {
    /// The class.
    pub class: String,
    /// The number of examples of it.
    pub n: usize,
    /// The share of those predicted as it that are of it; `None` if none is predicted.
    pub precision: Option<f64>,
    /// The share of those of it that are predicted; `None` if there are none.
    pub recall: Option<f64>,
    /// 2 PR / (P + R): twice those right over those of it and those predicted; `None` if there are neither.
    pub f1: Option<f64>,
    /// The ROC curve; `None` unless there are examples of it and others.
    pub roc: Option<Curve>,
    /// The precision–recall curve; `None` without examples of it.
    pub precision_recall: Option<Curve>,
}

/// An area averaged over classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Averages {
    /// The mean over classes that have it.
    #[serde(rename = "macro")]
    pub by_class: f64,
    /// Weighted by the examples of each class.
    pub weighted: f64,
    /// Of all pairs of an example and a class as one set.
    pub micro: f64,
}

/// The metrics of each class, and the averages of their areas; averages are `None` where no class has
/// the area.
#[derive(Debug, Clone, PartialEq)]
pub struct ByClass {
    /// One for each class.
    pub classes: Vec<ClassMetrics>,
    /// Of areas under ROC curves.
    pub roc_area: Option<Averages>,
    /// Of average precisions.
    pub average_precision: Option<Averages>,
}

/// The metrics of each class by probabilities `[n, classes]` and labels below their number.
pub fn by_class(probabilities: &[f64], names: &[String], labels: &[u32]) -> ByClass {
    let count = names.len().max(1);
    let predicted: Vec<usize> = probabilities
        .chunks_exact(count)
        .map(|row| {
            let better = |best: usize, k: usize| if row[k] > row[best] { k } else { best };
            (0..count).fold(0, better)
        })
        .collect();
    let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
    let of = |class: usize| {
        let scores: Vec<f64> = probabilities.iter().skip(class).step_by(count).copied().collect();
        let positive: Vec<bool> = labels.iter().map(|&label| label as usize == class).collect();
        let n = positive.iter().filter(|yes| **yes).count();
        let said = predicted.iter().filter(|&&k| k == class).count();
        let pairs = predicted.iter().zip(&positive);
        let right = pairs.filter(|(k, yes)| **k == class && **yes).count();
        ClassMetrics {
            class: names[class].clone(),
            n,
            precision: share(right, said),
            recall: share(right, n),
            f1: share(2 * right, n + said),
            roc: roc(&scores, &positive),
            precision_recall: precision_recall(&scores, &positive),
        }
    };
    let classes: Vec<ClassMetrics> = (0..names.len()).map(of).collect();
    let of_pair = |at: usize| labels.get(at / count).is_some_and(|&l| l as usize == at % count);
    let pairs: Vec<bool> = (0..probabilities.len()).map(of_pair).collect();
    let averages = |area: &dyn Fn(&ClassMetrics) -> Option<f64>, micro: Option<Curve>| {
        let found: Vec<(f64, f64)> =
            classes.iter().filter_map(|class| Some((area(class)?, class.n as f64))).collect();
        let (count, total) = (found.len() as f64, found.iter().map(|(_, n)| n).sum::<f64>());
        Some(Averages {
            by_class: found.iter().map(|(area, _)| area).sum::<f64>() / count,
            weighted: found.iter().map(|(area, n)| area * n).sum::<f64>() / total,
            micro: micro?.area,
        })
        .filter(|_| !found.is_empty() && total > 0.0)
    };
    let area = |curve: &Option<Curve>| curve.as_ref().map(|curve| curve.area);
    let roc_area = averages(&|c| area(&c.roc), roc(probabilities, &pairs));
    let micro = precision_recall(probabilities, &pairs);
    let average_precision = averages(&|c| area(&c.precision_recall), micro);
    ByClass { classes, roc_area, average_precision }
}

/// The interval of Wilson (1927) for a share of `n` examples, at 95 % confidence.
pub fn wilson(share: f64, n: usize) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    let n = n as f64;
    let (middle, scale) = (share + Z * Z / (2.0 * n), 1.0 + Z * Z / n);
    let reach = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    // At the ends the middle and the reach are the same but for rounding.
    let low = if share <= 0.0 { 0.0 } else { ((middle - reach) / scale).max(0.0) };
    let high = if share >= 1.0 { 1.0 } else { ((middle + reach) / scale).min(1.0) };
    (low, high)
}
