//! Samples that are like no data, such as white noise: those farther from every training example than
//! held-out examples are.

use ancestral_data::Examples;
use serde::{Deserialize, Serialize};

use super::copying::spread;
use super::manifold::nearest;
use super::rows::Rows;
use crate::Result;

/// Samples and held-out examples whose nearest training examples are searched for.
const SEARCHED: usize = 5000;
/// Values of all training examples among which the search is, at most: 200 MB.
const MOST_VALUES: usize = 50_000_000;
/// The fraction of held-out examples that are nearer than the limit.
const WITHIN: f64 = 0.999;
/// Examples per batch.
const AT_ONCE: usize = 1000;

/// The fraction of samples that are like no data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NoiseShare {
    /// The samples.
    pub n: usize,
    /// The held-out examples.
    pub n_held_out: usize,
    /// The training examples.
    pub n_train: usize,
    /// The Euclidean distance of values within which 99.9 % of held-out examples have a training example.
    pub limit: f64,
    /// The fraction of samples whose nearest training example is farther.
    pub share: f64,
    /// Its standard error over samples.
    pub stderr: f64,
}

/// Training examples and the distances of held-out ones from them.
pub struct NoiseReference {
    train: Vec<f32>,
    dim: usize,
    limit: f64,
    n_held_out: usize,
}

impl NoiseReference {
    /// Searches for the nearest training example of held-out examples, at most 5,000 of them evenly
    /// spaced.
    ///
    /// # Errors
    /// If a value is not finite.
    pub fn new(train: &Examples, held_out: &Examples) -> Result<Self> {
        let dim = train.shape().size();
        let train = some(train, MOST_VALUES / dim.max(1));
        let held_out = some(held_out, SEARCHED);
        let mut found = distances(&held_out, &train, dim)?;
        found.sort_by(f64::total_cmp);
        let at = (WITHIN * found.len() as f64).ceil() as usize;
        let limit = found.get(at.saturating_sub(1)).copied().unwrap_or(f64::INFINITY);
        Ok(Self { train, dim, limit, n_held_out: found.len() })
    }

    /// The fraction of samples beyond the limit; at most 5,000 of them, evenly spaced, are searched for.
    ///
    /// # Errors
    /// If a value is not finite.
    pub fn share(&self, samples: &[f64]) -> Result<NoiseShare> {
        let chosen = spread(SEARCHED, samples.len() / self.dim);
        let row = |i: usize| &samples[i * self.dim..(i + 1) * self.dim];
        let chosen: Vec<f32> = chosen.flat_map(|i| row(i).iter().map(|&x| x as f32)).collect();
        let found = distances(&chosen, &self.train, self.dim)?;
        let n = found.len() as f64;
        let share = found.iter().filter(|&&distance| distance > self.limit).count() as f64 / n;
        Ok(NoiseShare {
            n: found.len(),
            n_held_out: self.n_held_out,
            n_train: self.train.len() / self.dim,
            limit: self.limit,
            share,
            stderr: (share * (1.0 - share) / n).sqrt(),
        })
    }
}

/// The values of so many examples, evenly spaced.
fn some(examples: &Examples, n: usize) -> Vec<f32> {
    let indices: Vec<u64> = spread(n, examples.len()).map(|i| i as u64).collect();
    let chunks = indices.chunks(AT_ONCE);
    chunks.flat_map(|chunk| examples.batch(chunk, 0).values).map(|x| x as f32).collect()
}

/// The distance of each row from the nearest of others.
fn distances(rows: &[f32], others: &[f32], dim: usize) -> Result<Vec<f64>> {
    let of = |values, what| Rows::new(values, dim, what);
    let found = nearest(of(rows, "samples")?, of(others, "training examples")?, 1)?;
    Ok(found.iter().map(|nearest| nearest[0].distance).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ancestral_data::{Binarize, Dataset, Domain, Shape, Split, SplitName, Streams, Values};

    /// Rows around two points, and samples of which a quarter are elsewhere.
    #[test]
    fn samples_away_from_all_examples_are_counted() {
        let draws = |seed: u64, n: usize| -> Vec<f64> {
            let noise = Streams::new(seed).purpose("noise", 0).normals(&[0], 4 * n);
            let around = |(i, x): (usize, f32)| f64::from(x) + f64::from((i / 4 % 2) as u8) * 20.0;
            noise.into_iter().enumerate().map(around).collect()
        };
        let rows = Split { values: Values::Reals(draws(1, 2000)), labels: None };
        let data = Dataset::new("two", Domain::Real, Shape::columns(4), rows, None, None).unwrap();
        let data = data.with_splits(0).unwrap();
        let of = |split| Examples::new(&data, split, Binarize::None, 0).unwrap();
        let reference = NoiseReference::new(&of(SplitName::Train), &of(SplitName::Valid)).unwrap();
        let mut samples = draws(2, 1000);
        let inside = reference.share(&samples).unwrap();
        assert!(inside.share < 0.02, "{inside:?}");
        samples[..1000].iter_mut().for_each(|x| *x += 10.0);
        let found = reference.share(&samples).unwrap();
        assert!((found.share - 0.25 - 0.75 * inside.share).abs() < 0.01, "{found:?}");
        assert_eq!((found.n, found.n_held_out, found.n_train), (1000, 180, 1620));
    }
}
