//! Rows in memory as the methods take them, and random numbers by the streams of a run.

use ancestral_data::{Batch, Examples, Streams};
use rand::Rng;

use super::super::points::{Points, UniformStreams};
use super::errors::wrong;
use crate::Result;
use crate::columns::ColumnKind;
use crate::model::{Columns, DataSpec};

/// Rows that are read at once.
const AT_ONCE: usize = 4096;

/// Rows `[rows, columns]` that are clustered.
#[derive(Debug, Clone)]
pub enum Matrix {
    /// In single precision.
    Single(Vec<f32>, usize),
    /// In double precision.
    Double(Vec<f64>, usize),
}

impl Matrix {
    /// All examples, standardized by the offset and scale of their data.
    ///
    /// # Errors
    /// If there are none, or a value is not finite.
    pub fn gather(examples: &Examples, data: &DataSpec) -> Result<Self> {
        let (n, size) = (examples.len(), data.size());
        let whole = |kind: &ColumnKind| matches!(kind, ColumnKind::Binary | ColumnKind::Levels(_));
        let single = data.scale.is_empty()
            && match &data.columns {
                Columns::Same(kind) => whole(kind),
                Columns::Each(kinds) => kinds.iter().all(whole),
            };
        let mut found = match single {
            true => Self::Single(Vec::with_capacity(n * size), size),
            false => Self::Double(Vec::with_capacity(n * size), size),
        };
        let indices: Vec<u64> = (0..n as u64).collect();
        for chunk in indices.chunks(AT_ONCE) {
            let batch = examples.batch(chunk, 0);
            match &mut found {
                Self::Single(all, _) => all.extend(batch.values.iter().map(|&x| x as f32)),
                Self::Double(all, _) => all.extend(standardized(batch.values, data)),
            }
        }
        // Checks all values once.
        match &found {
            Self::Single(all, size) => Points::new(all, *size).map(drop),
            Self::Double(all, size) => Points::new(all, *size).map(drop),
        }
        .map_err(|error| wrong("clustering", data, error))?;
        Ok(found)
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        match self {
            Self::Single(_, columns) | Self::Double(_, columns) => *columns,
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Single(values, columns) => values.len() / columns,
            Self::Double(values, columns) => values.len() / columns,
        }
    }

    /// A row in double precision.
    pub fn row(&self, row: usize) -> Vec<f64> {
        match self {
            Self::Single(values, columns) => {
                values[row * columns..][..*columns].iter().map(|&x| f64::from(x)).collect()
            }
            Self::Double(values, columns) => values[row * columns..][..*columns].to_vec(),
        }
    }

    /// The rows of these numbers.
    #[must_use]
    pub fn pick(&self, rows: &[usize]) -> Self {
        fn picked<T: Copy>(values: &[T], columns: usize, rows: &[usize]) -> Vec<T> {
            rows.iter()
                .flat_map(|&row| values[row * columns..][..columns].iter().copied())
                .collect()
        }
        match self {
            Self::Single(values, columns) => Self::Single(picked(values, *columns, rows), *columns),
            Self::Double(values, columns) => Self::Double(picked(values, *columns, rows), *columns),
        }
    }

    /// All values in double precision.
    pub fn doubles(&self) -> Vec<f64> {
        match self {
            Self::Single(values, _) => values.iter().map(|&x| f64::from(x)).collect(),
            Self::Double(values, _) => values.clone(),
        }
    }
}

/// Calls a function of [`Points`] with the rows of a [`Matrix`], of either precision.
macro_rules! with_points {
    ($matrix:expr, $points:ident => $body:expr) => {
        match $matrix {
            $crate::clustering::Matrix::Single(values, columns) => {
                $crate::clustering::Points::new(values, *columns).and_then(|$points| $body)
            }
            $crate::clustering::Matrix::Double(values, columns) => {
                $crate::clustering::Points::new(values, *columns).and_then(|$points| $body)
            }
        }
    };
}
pub(crate) use with_points;

/// The examples of a batch, standardized.
pub(super) fn of_batch(batch: &Batch, data: &DataSpec) -> Matrix {
    Matrix::Double(standardized(batch.values.clone(), data), data.size())
}

/// Rows standardized by the offset and scale of their data, if there are any.
pub(crate) fn standardized(mut values: Vec<f64>, data: &DataSpec) -> Vec<f64> {
    if !data.scale.is_empty() {
        for row in values.chunks_exact_mut(data.size()) {
            for ((x, offset), scale) in row.iter_mut().zip(&data.offset).zip(&data.scale) {
                *x = (*x - offset) / scale;
            }
        }
    }
    values
}

/// The random streams of a run.
#[derive(Debug, Clone, Copy)]
pub struct RunStreams(
    /// The streams of its seed.
    pub Streams,
);

impl UniformStreams for RunStreams {
    fn stream(&self, purpose: &str, item: u64) -> Box<dyn FnMut() -> f64> {
        const SCALE: f64 = 1.0 / (1u64 << 53) as f64;
        let mut rng = self.0.item(purpose, 0, item);
        Box::new(move || (rng.next_u64() >> 11) as f64 * SCALE)
    }
}
