//! Whether samples repeat examples of training.
//!
//! A distance between samples and a test split cannot tell: it is smallest for a model that repeats its
//! training set. Here the place of a sample is its distance to the nearest training example in parts of
//! that to the nearest held-out one, so that neither sharp nor smooth samples are suspected by
//! themselves, and the places of samples are compared with those of held-out examples, as in the test of
//! Meehan, Chaudhuri and Dasgupta 2020 (arXiv:2004.05675, section 3).

use serde::{Deserialize, Serialize};

use super::manifold::nearest;
use super::roc::roc;
use super::rows::Rows;
use crate::Result;
use crate::model::Classified;
use crate::special::normal::normal_tails;

/// Samples, and held-out examples, that are placed: half of 1,000 samples being copies is seen with
/// certainty, and the small preference for training examples of a model that generalizes is not.
const PLACED: usize = 1000;
/// The p-value below which samples are said to repeat training examples.
pub const COPYING_LIMIT: f64 = 1e-3;

/// The training examples that samples may repeat.
#[derive(Debug, Clone, Copy)]
pub struct Training<'a> {
    /// Their features.
    pub examples: &'a Classified,
    /// Held-out examples of the same source, if there are others than the reference: a test split may be
    /// of another one, as MNIST's is of other writers.
    pub held_out: Option<&'a Classified>,
}

/// Samples beside held-out examples by how near they are to training examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Copying {
    /// The samples that were placed.
    pub n: usize,
    /// The held-out examples that were placed.
    pub n_held_out: usize,
    /// The training examples.
    pub n_train: usize,
    /// The probability that a sample lies relatively nearer to its nearest training example than a
    /// held-out example does to its own, ties counted by half: 0.5 without copies, 1 if all are copies.
    pub nearer: f64,
    /// The one-sided p-value of that probability above 0.5 (Mann and Whitney 1947, by the normal
    /// approximation with the correction for ties).
    pub p_value: f64,
}

impl Copying {
    /// Whether samples repeat training examples.
    pub fn found(&self) -> bool {
        self.p_value < COPYING_LIMIT
    }
}

/// Places samples and held-out examples between the training examples and the reference; at most 1,000
/// of each, evenly spaced. Without held-out examples of their own those of the reference are placed,
/// none of which is its own neighbor.
///
/// # Errors
/// If there are no two reference examples or widths differ.
pub fn copying(
    samples: Rows<'_>,
    held_out: Option<Rows<'_>>,
    reference: Rows<'_>,
    train: Rows<'_>,
) -> Result<Copying> {
    let placed = |rows: Rows<'_>, own: bool| -> Result<Vec<f64>> {
        let chosen: Vec<usize> = spread(PLACED, rows.len()).collect();
        let values: Vec<f32> = chosen.iter().flat_map(|&i| rows.row(i)).copied().collect();
        let some = Rows::new(&values, rows.dim(), "placed examples")?;
        let known = nearest(some, train, 1)?;
        let others = nearest(some, reference, 1 + usize::from(own))?;
        let place = |(at, &i): (usize, &usize)| {
            let other = others[at].iter().find(|n| !own || n.index != i);
            match (known[at][0].distance, other.map_or(0.0, |n| n.distance)) {
                // On both sides there is an equal one.
                (0.0, 0.0) => 1.0,
                (known, other) => known / other,
            }
        };
        Ok(chosen.iter().enumerate().map(place).collect())
    };
    let of_samples = placed(samples, false)?;
    let of_held_out = placed(held_out.unwrap_or(reference), held_out.is_none())?;
    let (n, m) = (of_samples.len(), of_held_out.len());
    let scores: Vec<f64> = of_samples.iter().chain(&of_held_out).map(|place| -place).collect();
    let is_sample: Vec<bool> = (0..n + m).map(|i| i < n).collect();
    let nearer = roc(&scores, &is_sample).map_or(0.5, |curve| curve.area);
    Ok(Copying {
        n,
        n_held_out: m,
        n_train: train.len(),
        nearer,
        p_value: p_value(nearer, scores, n, m),
    })
}

/// Evenly spaced indices, since examples may be sorted by class.
pub(crate) fn spread(n: usize, of: usize) -> impl Iterator<Item = usize> + Clone {
    let n = n.min(of);
    (0..n).map(move |i| i * of / n)
}

/// Of a probability above 0.5 of n scores being above m others.
fn p_value(area: f64, mut scores: Vec<f64>, n: usize, m: usize) -> f64 {
    scores.sort_by(f64::total_cmp);
    let all = (n + m) as f64;
    let ties: f64 =
        scores.chunk_by(|a, b| a == b).map(|group| group.len() as f64).map(|t| t * t * t - t).sum();
    let pairs = (n * m) as f64;
    let variance = pairs / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    normal_tails((pairs * (area - 0.5) - 0.5) / variance.sqrt()).upper.exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ancestral_data::Streams;

    const DIM: usize = 6;

    fn draws(seed: u64, n: usize) -> Vec<f32> {
        Streams::new(seed).purpose("copying", 0).normals(&[0], DIM * n)
    }

    fn rows(values: &[f32]) -> Rows<'_> {
        Rows::new(values, DIM, "rows").unwrap()
    }

    fn of(samples: &[f32]) -> Copying {
        let (train, held_out) = (draws(0, 3000), draws(1, 400));
        copying(rows(samples), None, rows(&held_out), rows(&train)).unwrap()
    }

    #[test]
    fn copies_are_found_and_other_samples_are_not() {
        let train = draws(0, 3000);
        let fresh = draws(2, 500);
        let found = of(&train[..500 * DIM]);
        assert!(found.found() && found.nearer > 0.99, "{found:?}");
        assert_eq!((found.n, found.n_held_out, found.n_train), (500, 400, 3000));
        let half = [&train[..250 * DIM], &fresh[..250 * DIM]].concat();
        let found = of(&half);
        assert!(found.found() && (0.65..0.85).contains(&found.nearer), "{found:?}");
        // Copies with a little noise are copies.
        let noisy: Vec<f32> =
            train.iter().zip(draws(3, 500)).map(|(x, noise)| x + 0.05 * noise).collect();
        assert!(of(&noisy).found());
        // Too smooth and too wide, but nowhere copied.
        for factor in [0.6, 1.0, 1.5] {
            let samples: Vec<f32> = fresh.iter().map(|x| factor * x).collect();
            let found = of(&samples);
            assert!(!found.found(), "{factor}: {found:?}");
        }
    }

    /// A reference from elsewhere makes all samples seem near to training examples, unless the held-out
    /// ones are of their source.
    #[test]
    fn a_reference_from_elsewhere_needs_other_held_out_examples() {
        let (train, held_out, fresh) = (draws(0, 3000), draws(1, 400), draws(2, 500));
        let elsewhere: Vec<f32> = draws(4, 400).iter().map(|x| x + 0.7).collect();
        let among = |samples: &[f32], held_out: Option<&[f32]>| {
            copying(rows(samples), held_out.map(rows), rows(&elsewhere), rows(&train)).unwrap()
        };
        assert!(among(&fresh, None).found());
        assert!(!among(&fresh, Some(&held_out)).found());
        let half = [&train[..250 * DIM], &fresh[..250 * DIM]].concat();
        assert!(among(&half, Some(&held_out)).found());
    }

    /// Without copies every p-value is as likely as any other.
    #[test]
    fn p_values_are_uniform_without_copies() {
        let train = draws(0, 800);
        let mut found: Vec<f64> = (0..200)
            .map(|seed| {
                let (samples, held_out) = (draws(2 * seed + 10, 100), draws(2 * seed + 11, 100));
                copying(rows(&samples), None, rows(&held_out), rows(&train)).unwrap().p_value
            })
            .collect();
        found.sort_by(f64::total_cmp);
        let off = |(i, p): (usize, &f64)| (p - (i as f64 + 0.5) / 200.0).abs();
        let most = found.iter().enumerate().map(off).fold(0.0, f64::max);
        // Kolmogorov's limit at 200 and 0.001.
        assert!(most < 1.95 / 200f64.sqrt(), "{most}");
    }

    #[test]
    fn equal_rows_on_all_sides_are_no_copies() {
        let same = [0.5f32; 30 * DIM];
        let same = rows(&same);
        let found = copying(same, None, same, same).unwrap();
        assert_eq!((found.nearer, found.p_value), (0.5, 1.0));
        assert!(copying(same, None, rows(same.row(0)), same).is_err());
    }
}
