//! Products of bf16 by tiles.
//!
//! A tile is 16 rows of 16 pairs of bf16; processors with AMX multiply one with another in one
//! instruction, sixteen by sixteen sums of 32 products. Factors of `f32` are [split](crate::split) into
//! one to three bf16, packed into tiles, and the products of their parts summed, the smallest
//! first. Where there are no such instructions the same loops run on plain ones, for tests.

mod dense;
mod pack;

pub(crate) use dense::product;
pub(crate) use pack::{Line, Side, pack};

use crate::amx::Engine;

/// How factors are split, and what multiplies their tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tiles {
    pub(crate) engine: Engine,
    /// The bf16 that each factor is the sum of, 1 to 3.
    pub(crate) parts: usize,
}

/// Pairs that are summed at once; longer sums add up such parts, so that the rounding errors of long sums
/// grow with the square root.
pub(crate) const RUN: usize = 512;

impl Tiles {
    /// With the processor's instructions.
    pub(crate) fn of_processor(parts: usize) -> Self {
        Self { engine: Engine::Amx, parts }
    }

    /// The parts of the left and of the right factor whose products are summed, the smallest first.
    pub(crate) fn terms(self) -> &'static [[usize; 2]] {
        match self.parts {
            1 => &[[0, 0]],
            2 => &[[0, 1], [1, 0], [0, 0]],
            _ => &[[0, 2], [1, 1], [2, 0], [0, 1], [1, 0], [0, 0]],
        }
    }

    /// Whether a product of `rows` × `columns` sums of `along` products fills enough of its tiles.
    pub(crate) fn suits([rows, columns, along]: [usize; 3]) -> bool {
        rows.min(columns) >= 8 && along >= 16 && rows * columns * along >= 1 << 15
    }
}
