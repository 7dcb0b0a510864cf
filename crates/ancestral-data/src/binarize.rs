//! Batches of a split as models receive them, binarized if requested.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rand::Rng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::stream::Purpose;
use crate::{DataError, Dataset, Domain, Shape, Split, SplitName, Streams, Values};

/// How gray levels are binarized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Binarize {
    /// Unchanged.
    #[default]
    None,
    /// 1 from half of the largest level upwards.
    Threshold,
    /// Drawn once, with probability level / largest level.
    Static,
    /// Drawn again in every epoch; validation and test sets are drawn once.
    Dynamic,
}

impl Binarize {
    /// The name, as typed and printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Threshold => "threshold",
            Self::Static => "static",
            Self::Dynamic => "dynamic",
        }
    }
}

impl fmt::Display for Binarize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Binarize {
    type Err = DataError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        [Self::None, Self::Threshold, Self::Static, Self::Dynamic]
            .into_iter()
            .find(|b| b.as_str() == s)
            .ok_or_else(|| {
                DataError::Unsuitable(format!(
                    "unknown binarization '{s}'; choose none, threshold, static or dynamic"
                ))
            })
    }
}

/// The smallest number of values of a batch that several threads fill.
const WORTH_SHARING: usize = 1 << 15;

/// A batch of examples as a model receives them.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Values `[batch, size]`: 0 or 1, a whole number (a level, a count, a category), or a real.
    pub values: Vec<f64>,
    /// Which values are missing `[batch, size]` and ignored; `None` if none are.
    pub missing: Option<Vec<bool>>,
    /// One class number per example, if the data is labeled.
    pub labels: Option<Vec<u32>>,
    /// The indices of the examples in their split.
    pub indices: Vec<u64>,
    /// The epoch they were drawn in, for the random streams of the model.
    pub epoch: u64,
}

impl Batch {
    /// Examples without labels, numbered from 0.
    pub fn of(values: Vec<f64>, examples: usize) -> Self {
        let indices = (0..examples as u64).collect();
        Self { values, missing: None, labels: None, indices, epoch: 0 }
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether the batch is empty.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

/// A split with its binarization.
#[derive(Debug, Clone)]
pub struct Examples {
    split: Arc<Split>,
    /// The index of the first one.
    start: u64,
    len: usize,
    name: SplitName,
    domain: Domain,
    shape: Shape,
    max_level: u32,
    binarize: Binarize,
    streams: Streams,
    /// Whether labels are given.
    labeled: bool,
}

impl Examples {
    /// The examples of a split, binarized.
    ///
    /// `seed` is the seed for binarizing a training split; validation and test splits are binarized
    /// by the fixed evaluation seed 0, so that all runs share them.
    ///
    /// # Errors
    /// If the split is missing or empty, or real values are to be binarized.
    pub fn new(
        data: &Dataset,
        name: SplitName,
        binarize: Binarize,
        seed: u64,
    ) -> Result<Self, DataError> {
        let split = Arc::clone(data.split(name)?);
        if split.values.is_empty() {
            return Err(DataError::Unsuitable(format!(
                "the {name} split of {} is empty",
                data.name
            )));
        }
        let binarize = if data.domain == Domain::Binary { Binarize::None } else { binarize };
        let domain = match (data.domain, binarize) {
            (domain, Binarize::None) => domain,
            (Domain::Real, _) => {
                return Err(DataError::NoLevels { name: data.name.clone() });
            }
            _ => Domain::Binary,
        };
        Ok(Self {
            len: split.values.len() / data.shape.size(),
            split,
            start: 0,
            name,
            domain,
            shape: data.shape.clone(),
            max_level: data.domain.max_level().unwrap_or(1),
            binarize,
            streams: Streams::new(if name == SplitName::Train { seed } else { 0 }),
            labeled: true,
        })
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The first `n` examples, or all if there are fewer; at least one.
    #[must_use]
    pub fn first(mut self, n: usize) -> Self {
        self.len = self.len.min(n.max(1));
        self
    }

    /// The same examples as a part of more, the first of which has this index.
    #[must_use]
    pub fn numbered_from(self, start: u64) -> Self {
        Self { start, ..self }
    }

    /// The same examples without their labels.
    #[must_use]
    pub fn without_labels(self) -> Self {
        Self { labeled: false, ..self }
    }

    /// The indices of all of them.
    pub fn indices(&self) -> Vec<u64> {
        (self.start..self.start + self.len as u64).collect()
    }

    /// Whether the split is empty; always false, since empty splits are refused.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The domain of the values: binary after binarization.
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// The shape of one example.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The name of the split.
    pub fn split_name(&self) -> SplitName {
        self.name
    }

    /// How the levels were binarized.
    pub fn binarize(&self) -> Binarize {
        self.binarize
    }

    /// One class number per example, if the data is labeled.
    pub fn labels(&self) -> Option<&[u32]> {
        let labels = self.split.labels.as_ref().filter(|_| self.labeled);
        labels.map(|labels| &labels[..self.len])
    }

    /// The order of the examples in an epoch.
    pub fn order(&self, epoch: u64, seed: u64) -> Vec<u64> {
        let mut order = self.indices();
        order.shuffle(&mut Streams::new(seed).item("order", epoch, 0));
        order
    }

    /// The examples with these indices, as binarized in the given epoch.
    ///
    /// # Panics
    /// If an index is none of [`Examples::indices`].
    pub fn batch(&self, indices: &[u64], epoch: u64) -> Batch {
        let size = self.shape.size();
        let mut values = vec![0.0; indices.len() * size];
        let purpose = match self.binarize {
            Binarize::Static => Some(self.streams.purpose("binarize", 0)),
            Binarize::Dynamic if self.name == SplitName::Train => {
                Some(self.streams.purpose("binarize", epoch))
            }
            Binarize::Dynamic => Some(self.streams.purpose("binarize", 0)),
            Binarize::None | Binarize::Threshold => None,
        };
        let fill = |(row, &index): (&mut [f64], &u64)| {
            let at = (index - self.start) as usize * size;
            match &self.split.values {
                Values::Reals(v) => {
                    row.copy_from_slice(&v[at..at + size]);
                }
                Values::Bytes(v) => self.fill(row, &v[at..at + size], index, purpose.as_ref()),
            }
        };
        // Each row has its own random numbers, so that threads may share the rows.
        if values.len() < WORTH_SHARING {
            values.chunks_exact_mut(size).zip(indices).for_each(fill);
        } else {
            let rows = values.par_chunks_exact_mut(size).zip(indices);
            rows.with_min_len(WORTH_SHARING / 2 / size.max(1) + 1).for_each(fill);
        }
        Batch {
            values,
            missing: None,
            labels: self
                .split
                .labels
                .as_ref()
                .filter(|_| self.labeled)
                .map(|labels| indices.iter().map(|&i| labels[(i - self.start) as usize]).collect()),
            indices: indices.to_vec(),
            epoch,
        }
    }

    fn fill(&self, row: &mut [f64], levels: &[u8], index: u64, purpose: Option<&Purpose>) {
        match purpose {
            None if self.binarize == Binarize::Threshold => {
                for (x, &level) in row.iter_mut().zip(levels) {
                    *x = f64::from(u32::from(level) * 2 >= self.max_level.max(1));
                }
            }
            None => {
                for (x, &level) in row.iter_mut().zip(levels) {
                    *x = f64::from(level);
                }
            }
            Some(purpose) => {
                let mut rng = purpose.item(index);
                for (x, &level) in row.iter_mut().zip(levels) {
                    // P(1) = level / max: `draw` is uniform on 0..max·2³² / 2³².
                    let draw = (u64::from(rng.next_u32()) * u64::from(self.max_level)) >> 32;
                    *x = f64::from(draw < u64::from(level));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grays() -> Dataset {
        let split = Split {
            values: Values::Bytes((0..=255).cycle().take(256 * 40).collect()),
            labels: None,
        };
        Dataset::new("g", Domain::Levels(256), Shape::columns(256), split, None, None)
            .unwrap()
            .with_splits(0)
            .unwrap()
    }

    #[test]
    fn draws_follow_the_levels_and_the_extremes_are_certain() {
        let data = grays();
        let examples = Examples::new(&data, SplitName::Train, Binarize::Dynamic, 5).unwrap();
        let n = examples.len() as u64;
        let indices: Vec<u64> = (0..n).collect();
        let epochs = 60;
        let mut mean = vec![0.0f64; 256];
        for epoch in 0..epochs {
            for row in examples.batch(&indices, epoch).values.chunks(256) {
                mean.iter_mut().zip(row).for_each(|(m, x)| *m += x);
            }
        }
        let draws = (n * epochs) as f64;
        for (level, m) in mean.iter().enumerate() {
            let p = level as f64 / 255.0;
            let sigma = (p * (1.0 - p) / draws).sqrt();
            assert!((m / draws - p).abs() <= 5.0 * sigma, "level {level}: {}", m / draws);
        }
    }

    #[test]
    fn only_dynamic_training_draws_change_with_the_epoch() {
        let data = grays();
        let batch = |split, binarize, epoch, seed| {
            Examples::new(&data, split, binarize, seed).unwrap().batch(&[1, 0], epoch).values
        };
        use Binarize::{Dynamic, Static};
        use SplitName::{Test, Train};
        assert_ne!(batch(Train, Dynamic, 0, 1), batch(Train, Dynamic, 1, 1));
        assert_eq!(batch(Train, Static, 0, 1), batch(Train, Static, 1, 1));
        assert_ne!(batch(Train, Static, 0, 1), batch(Train, Static, 0, 2));
        assert_eq!(batch(Test, Dynamic, 0, 1), batch(Test, Dynamic, 1, 2));
    }

    #[test]
    fn an_epoch_visits_every_example_once() {
        let data = grays();
        let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0).unwrap();
        let mut order = examples.order(0, 9);
        assert_ne!(order, examples.order(1, 9));
        order.sort_unstable();
        assert_eq!(order, (0..examples.len() as u64).collect::<Vec<_>>());
    }
}
