//! The domain of the values of a data set and their layout.

use std::fmt;

/// The values that an entry of an example can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Domain {
    /// 0 or 1.
    Binary,
    /// Whole numbers 0, 1, …, n − 1: 256 for bytes, 17 for the embedded digits.
    Levels(u32),
    /// Any finite real.
    Real,
}

impl Domain {
    /// The largest value, for discrete domains.
    pub fn max_level(self) -> Option<u32> {
        match self {
            Self::Binary => Some(1),
            Self::Levels(n) => Some(n - 1),
            Self::Real => None,
        }
    }

    /// Whether distributions on this domain have a probability mass (rather than a density).
    pub fn is_discrete(self) -> bool {
        self != Self::Real
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binary => f.write_str("binary"),
            Self::Levels(n) => write!(f, "{n} levels"),
            Self::Real => f.write_str("real"),
        }
    }
}

/// The shape of one example: `[channels, height, width]` for images, `[columns]` for tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// An image shape, in pixels.
    pub fn image(channels: usize, height: usize, width: usize) -> Self {
        Self(vec![channels, height, width])
    }

    /// The shape of a table row.
    pub fn columns(columns: usize) -> Self {
        Self(vec![columns])
    }

    /// The sizes, outermost first.
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// The number of entries of one example.
    pub fn size(&self) -> usize {
        self.0.iter().product()
    }

    /// `[channels, height, width]` if the examples are images.
    pub fn as_image(&self) -> Option<[usize; 3]> {
        <[usize; 3]>::try_from(self.0.as_slice()).ok()
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Self(dims)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&parts.join("×"))
    }
}
