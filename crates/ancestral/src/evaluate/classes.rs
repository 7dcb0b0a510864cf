//! Metrics of the class probabilities that a classifier gives to examples.

use crate::model::Estimate;
use crate::{Error, Result};

/// The classifier score: exp of the mean divergence of p(class | example) from the marginal
/// p(class), the form of the Inception score (Salimans et al. 2016, arXiv:1606.03498, section 4)
/// with another network, whose name belongs to the value.
///
/// It lies between 1 and the number of classes, and ignores diversity within a class.
/// `probabilities` are `[n, classes]`, row after row.
///
/// # Errors
/// If there is no row, they are ragged, or a row does not sum to 1.
pub fn classifier_score(probabilities: &[f64], classes: usize) -> Result<f64> {
    let rows = checked(probabilities, classes)?;
    let n = rows.len() as f64;
    let marginal: Vec<f64> =
        (0..classes).map(|c| rows.clone().map(|row| row[c]).sum::<f64>() / n).collect();
    let term = |(&p, &q): (&f64, &f64)| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    let divergence = |row: &[f64]| row.iter().zip(&marginal).map(term).sum::<f64>();
    Ok((rows.map(divergence).sum::<f64>() / n).exp())
}

/// The most probable class of each row; of equally probable ones the first.
///
/// # Errors
/// As [`classifier_score`].
pub fn most_probable(probabilities: &[f64], classes: usize) -> Result<Vec<u32>> {
    let best = |row: &[f64]| {
        let first = (0, f64::NEG_INFINITY);
        let better = |best: (usize, f64), (c, &p)| if p > best.1 { (c, p) } else { best };
        row.iter().enumerate().fold(first, better).0 as u32
    };
    Ok(checked(probabilities, classes)?.map(best).collect())
}

/// The fraction of examples whose most probable class is the requested one, with its standard
/// error.
///
/// # Errors
/// As [`classifier_score`], or if there is not one requested class for each example.
pub fn class_agreement(
    probabilities: &[f64],
    classes: usize,
    requested: &[u32],
) -> Result<Estimate> {
    let found = most_probable(probabilities, classes)?;
    same_length(found.len(), requested.len())?;
    let n = found.len() as f64;
    let share = found.iter().zip(requested).filter(|(a, b)| a == b).count() as f64 / n;
    Ok(Estimate {
        name: "class agreement".to_owned(),
        value: share,
        stderr: Some((share * (1.0 - share) / n).sqrt()),
    })
}

/// The confusion matrix of codes and most probable classes: counts `[codes, classes]`, row after
/// row.
///
/// # Errors
/// As [`classifier_score`], or if there is not one code for each example below `codes`.
pub fn confusion(
    probabilities: &[f64],
    classes: usize,
    code: &[u32],
    codes: usize,
) -> Result<Vec<u64>> {
    let found = most_probable(probabilities, classes)?;
    same_length(found.len(), code.len())?;
    let mut counts = vec![0; codes * classes];
    for (&class, &code) in found.iter().zip(code) {
        if code as usize >= codes {
            return Err(Error::setting("code", code, format!("there are {codes}, from 0")));
        }
        counts[code as usize * classes + class as usize] += 1;
    }
    Ok(counts)
}

/// Clustering accuracy: the largest fraction of examples that are correct if each code is matched
/// to a class of its own, as codes learned without labels are evaluated (Chen et al. 2016,
/// arXiv:1606.03657, section 7.2).
///
/// `confusion` is `[codes, classes]`, row after row; if there are more codes than classes, some are
/// not matched. The matching is computed by the Hungarian algorithm (Kuhn 1955).
///
/// # Errors
/// If nothing was counted or the rows are ragged.
pub fn best_assignment(confusion: &[u64], classes: usize) -> Result<f64> {
    let total: u64 = confusion.iter().sum();
    if classes == 0 || total == 0 || !confusion.len().is_multiple_of(classes) {
        return Err(Error::UnsuitableData {
            model: "the best assignment".to_owned(),
            problem: format!(
                "{} counts (sum {total}) are not rows of {classes} classes, or nothing was counted",
                confusion.len()
            ),
        });
    }
    let codes = confusion.len() / classes;
    let side = codes.max(classes);
    let gain = |code: usize, class: usize| {
        if code < codes && class < classes { confusion[code * classes + class] } else { 0 }
    };
    let chosen = assign(side, |code, class| -(gain(code, class) as i64));
    let right: u64 = chosen.iter().enumerate().map(|(code, &class)| gain(code, class)).sum();
    Ok(right as f64 / total as f64)
}

/// The column of each row in the cheapest one-to-one assignment, by shortest augmenting paths with
/// potentials.
fn assign(n: usize, cost: impl Fn(usize, usize) -> i64) -> Vec<usize> {
    // Row and column 0 stand for "none yet".
    let (mut row_price, mut column_price) = (vec![0i64; n + 1], vec![0i64; n + 1]);
    let mut row_of = vec![0; n + 1];
    for row in 1..=n {
        row_of[0] = row;
        let mut column = 0;
        let mut slack = vec![i64::MAX; n + 1];
        let (mut from, mut seen) = (vec![0; n + 1], vec![false; n + 1]);
        while row_of[column] != 0 {
            seen[column] = true;
            let at = row_of[column];
            let (mut step, mut next) = (i64::MAX, 0);
            for j in (1..=n).filter(|&j| !seen[j]) {
                let reduced = cost(at - 1, j - 1) - row_price[at] - column_price[j];
                if reduced < slack[j] {
                    (slack[j], from[j]) = (reduced, column);
                }
                if slack[j] < step {
                    (step, next) = (slack[j], j);
                }
            }
            for j in 0..=n {
                if seen[j] {
                    row_price[row_of[j]] += step;
                    column_price[j] -= step;
                } else if j > 0 {
                    slack[j] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[from[column]];
            column = from[column];
        }
    }
    let mut columns = vec![0; n];
    (1..=n).for_each(|j| columns[row_of[j] - 1] = j - 1);
    columns
}

fn same_length(n: usize, given: usize) -> Result<()> {
    if n == given {
        return Ok(());
    }
    Err(Error::UnsuitableData {
        model: "the agreement of classes".to_owned(),
        problem: format!("{given} classes for {n} examples"),
    })
}

/// The rows of probabilities.
pub(super) fn checked(
    probabilities: &[f64],
    classes: usize,
) -> Result<impl ExactSizeIterator<Item = &[f64]> + Clone> {
    let wrong = |problem: String| {
        let model = "a metric of class probabilities".to_owned();
        Err(Error::UnsuitableData { model, problem })
    };
    if classes == 0 || probabilities.is_empty() || !probabilities.len().is_multiple_of(classes) {
        let n = probabilities.len();
        return wrong(format!("{n} numbers are not rows of {classes} classes"));
    }
    let rows = probabilities.chunks_exact(classes);
    let off = |row: &[f64]| {
        !(row.iter().all(|&p| p >= 0.0) && (row.iter().sum::<f64>() - 1.0).abs() < 1e-6)
    };
    match rows.clone().position(off) {
        Some(i) => wrong(format!("row {i} is not a distribution: it must sum to 1")),
        None => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::rows::tests::golden;

    /// Values of tests/golden_quality.py.
    const SCORE: f64 = 2.13632361738;
    const ASSIGNMENT: f64 = 0.25988700565;

    #[test]
    fn scores_have_their_closed_forms() {
        // Certain of every class as often: the number of classes; the same of all: 1.
        let certain: Vec<f64> = (0..12).map(|i| f64::from(i / 3 % 3 == i % 3)).collect();
        let expected = {
            // Two of four rows are of class 0.
            let q = [0.5f64, 0.25, 0.25];
            q.iter().map(|q| -q * q.ln()).sum::<f64>().exp()
        };
        assert!((classifier_score(&certain, 3).unwrap() - expected).abs() < 1e-12);
        assert!((classifier_score(&certain[..9], 3).unwrap() - 3.0).abs() < 1e-12);
        assert!((classifier_score(&[0.2, 0.8, 0.2, 0.8], 2).unwrap() - 1.0).abs() < 1e-12);
        let mut p: Vec<f64> =
            golden(40, 4, 1.1, 0.0).iter().map(|&x| (3.0 * f64::from(x)).exp()).collect();
        for row in p.chunks_exact_mut(4) {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|p| *p /= sum);
        }
        assert!((classifier_score(&p, 4).unwrap() - SCORE).abs() < 1e-9);
        for bad in [&[][..], &[0.5, 0.5, 1.0], &[0.5, 0.4], &[1.5, -0.5], &[f64::NAN, 1.0]] {
            assert!(classifier_score(bad, 2).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn agreement_counts_the_classes_asked_for() {
        let p = [0.9, 0.1, 0.5, 0.5, 0.2, 0.8, 0.4, 0.6];
        assert_eq!(most_probable(&p, 2).unwrap(), [0, 0, 1, 1]);
        let found = class_agreement(&p, 2, &[0, 1, 1, 1]).unwrap();
        assert_eq!((found.value, found.stderr), (0.75, Some((0.75f64 * 0.25 / 4.0).sqrt())));
        assert!(class_agreement(&p, 2, &[0]).is_err());
        assert_eq!(confusion(&p, 2, &[2, 0, 1, 1], 3).unwrap(), [1, 0, 0, 2, 1, 0]);
        assert!(confusion(&p, 2, &[3, 0, 1, 1], 3).is_err());
    }

    /// The best share over every way to give codes to classes.
    fn by_trying(counts: &[u64], classes: usize) -> u64 {
        fn best(counts: &[u64], classes: usize, code: usize, used: u32) -> u64 {
            if code == counts.len() / classes {
                return 0;
            }
            let none = best(counts, classes, code + 1, used);
            let free = (0..classes).filter(|c| used >> c & 1 == 0);
            free.map(|c| {
                counts[code * classes + c] + best(counts, classes, code + 1, used | 1 << c)
            })
            .fold(none, u64::max)
        }
        best(counts, classes, 0, 0)
    }

    #[test]
    fn assignments_are_the_best_there_are() {
        let count = |i: u64, j: u64| (7 * i * i + 3 * j * j + 5 * i * j) % 23;
        let square: Vec<u64> = (0..36).map(|k| count(k / 6, k % 6)).collect();
        assert!((best_assignment(&square, 6).unwrap() - ASSIGNMENT).abs() < 1e-10);
        for (codes, classes) in [(1, 1), (2, 5), (5, 2), (4, 4), (6, 5), (3, 6)] {
            for shift in 0..20 {
                let counts: Vec<u64> = (0..codes * classes)
                    .map(|k| count(k / classes + shift, 3 * (k % classes) + shift * shift))
                    .collect();
                let total = counts.iter().sum::<u64>();
                if total > 0 {
                    let found = best_assignment(&counts, classes as usize).unwrap();
                    let expected = by_trying(&counts, classes as usize) as f64 / total as f64;
                    assert_eq!(found, expected, "{codes}×{classes}: {counts:?}");
                }
            }
        }
        // Ten classes found in another order are all right.
        let moved: Vec<u64> =
            (0..100).map(|k| u64::from(k % 10 == (3 * (k / 10) + 4) % 10)).collect();
        assert_eq!(best_assignment(&moved, 10).unwrap(), 1.0);
        assert!(best_assignment(&[0; 4], 2).is_err());
        assert!(best_assignment(&[1; 3], 2).is_err());
    }
}
