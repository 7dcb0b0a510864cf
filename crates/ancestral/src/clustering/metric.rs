//! Distances between rows.

use super::error::Result;
use super::points::{Points, Real};

/// A distance between rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Metric {
    /// Euclidean: √Σ (xᵢ − yᵢ)².
    #[default]
    Euclidean,
    /// Manhattan, also city block: Σ |xᵢ − yᵢ|.
    Manhattan,
    /// Cosine: 1 − x·y / (‖x‖ ‖y‖), which is half the squared Euclidean distance of the normalized
    /// rows and computed as that, so that small distances keep their digits.
    Cosine,
}

impl Metric {
    /// The rows in the form in which this metric compares them: normalized for cosine distances.
    ///
    /// # Errors
    /// If the metric is cosine and a row is all zeros.
    pub(super) fn prepare<T: Real>(self, points: Points<'_, T>) -> Result<Vec<f64>> {
        match self {
            Self::Cosine => points.normalized(),
            Self::Euclidean | Self::Manhattan => Ok(points.to_f64()),
        }
    }

    /// The distance between two prepared rows.
    pub(super) fn distance(self, a: &[f64], b: &[f64]) -> f64 {
        match self {
            Self::Euclidean => Euclidean::restore(Euclidean::between(a, b)),
            Self::Manhattan => Manhattan::restore(Manhattan::between(a, b)),
            Self::Cosine => Cosine::restore(Cosine::between(a, b)),
        }
    }
}

/// A distance by its reduced form, a sum over columns that is cheaper and ordered alike.
///
/// Reduced distances between rows and between boxes add the same terms in the same order. Rounding is
/// monotone, so that the computed bounds of a box hold exactly for the computed distances of its rows.
pub(super) trait Norm: Send + Sync + 'static {
    /// The summand of one column.
    fn term(difference: f64) -> f64;
    /// The reduced form of a distance.
    fn reduce(distance: f64) -> f64;
    /// The distance of a reduced one.
    fn restore(reduced: f64) -> f64;

    /// The reduced distance between two rows.
    #[inline]
    fn between(a: &[f64], b: &[f64]) -> f64 {
        if let ([a0, a1], [b0, b1]) = (a, b) {
            return Self::term(a0 - b0) + Self::term(a1 - b1);
        }
        let mut lanes = [0.0; LANES];
        let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a.iter().zip(b) {
            for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
                *lane += Self::term(a - b);
            }
        }
        join(lanes, rest_a.iter().zip(rest_b).map(|(a, b)| Self::term(a - b)))
    }

    /// The least reduced distance between a row and a box.
    #[inline]
    fn least(row: &[f64], low: &[f64], high: &[f64]) -> f64 {
        gap::<Self>(row, row, low, high)
    }

    /// The largest reduced distance between a row and a box.
    #[inline]
    fn most(row: &[f64], low: &[f64], high: &[f64]) -> f64 {
        reach::<Self>(row, row, low, high)
    }
}

/// Columns that are added side by side.
const LANES: usize = 8;

/// The sum of lanes and the remaining terms; rows shorter than the lanes are added column by column,
/// as in scikit-learn's trees.
#[inline]
fn join(lanes: [f64; LANES], rest: impl Iterator<Item = f64>) -> f64 {
    let [a, b, c, d, e, f, g, h] = lanes;
    let mut sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
    rest.for_each(|term| sum += term);
    sum
}

/// The sum over columns of the terms of a distance that four bounds give.
#[inline]
fn bound<N: Norm + ?Sized>(
    bounds: [&[f64]; 4],
    distance: impl Fn(f64, f64, f64, f64) -> f64,
) -> f64 {
    if let [[a0, a1], [b0, b1], [c0, c1], [d0, d1]] = bounds {
        return N::term(distance(*a0, *b0, *c0, *d0)) + N::term(distance(*a1, *b1, *c1, *d1));
    }
    let chunks = bounds.map(|x| x.as_chunks::<LANES>());
    let [(a, _), (b, _), (c, _), (d, _)] = chunks;
    let mut lanes = [0.0; LANES];
    for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
        for (l, lane) in lanes.iter_mut().enumerate() {
            *lane += N::term(distance(a[l], b[l], c[l], d[l]));
        }
    }
    let [a, b, c, d] = chunks.map(|(_, rest)| rest);
    let rest = a.iter().zip(b).zip(c.iter().zip(d));
    join(lanes, rest.map(|((a, b), (c, d))| N::term(distance(*a, *b, *c, *d))))
}

/// The least reduced distance between two boxes, each by its low and high corner.
#[inline]
pub(super) fn gap<N: Norm + ?Sized>(
    low_a: &[f64],
    high_a: &[f64],
    low_b: &[f64],
    high_b: &[f64],
) -> f64 {
    let apart = |la: f64, ha: f64, lb: f64, hb: f64| (lb - ha).max(la - hb).max(0.0);
    bound::<N>([low_a, high_a, low_b, high_b], apart)
}

/// The largest reduced distance between two boxes.
#[inline]
pub(super) fn reach<N: Norm + ?Sized>(
    low_a: &[f64],
    high_a: &[f64],
    low_b: &[f64],
    high_b: &[f64],
) -> f64 {
    let across = |la: f64, ha: f64, lb: f64, hb: f64| (hb - la).max(ha - lb);
    bound::<N>([low_a, high_a, low_b, high_b], across)
}

/// Squared Euclidean distances.
pub(super) struct Euclidean;
/// Manhattan distances.
pub(super) struct Manhattan;
/// Cosine distances of normalized rows: squared Euclidean ones, halved.
pub(super) struct Cosine;

impl Norm for Euclidean {
    #[inline]
    fn term(difference: f64) -> f64 {
        difference * difference
    }
    fn reduce(distance: f64) -> f64 {
        distance * distance
    }
    fn restore(reduced: f64) -> f64 {
        reduced.sqrt()
    }
}

impl Norm for Manhattan {
    #[inline]
    fn term(difference: f64) -> f64 {
        difference.abs()
    }
    fn reduce(distance: f64) -> f64 {
        distance
    }
    fn restore(reduced: f64) -> f64 {
        reduced
    }
}

impl Norm for Cosine {
    #[inline]
    fn term(difference: f64) -> f64 {
        difference * difference
    }
    fn reduce(distance: f64) -> f64 {
        2.0 * distance
    }
    fn restore(reduced: f64) -> f64 {
        reduced / 2.0
    }
}
