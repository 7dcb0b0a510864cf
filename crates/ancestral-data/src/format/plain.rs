//! Rows of numbers, which most tables hold alone: parsed in parallel, block after block, up to the first
//! row that is anything else.

use rayon::prelude::*;

use super::dialect::{Cell, Dialect};
use super::notation::plain;
use super::npy::MOST_REAL;

/// The least text that is worth another block, in bytes.
const BLOCK: usize = 1 << 16;

/// What is known of the numbers of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Numbers {
    pub(super) decimals: u8,
    pub(super) fractions: bool,
    pub(super) negative: bool,
    pub(super) beyond_bits: bool,
    /// Whether a zero precedes the digits of a number, as in 007.
    pub(super) zero_first: bool,
}

/// Whether a zero precedes the digits of a number.
#[inline]
pub(super) fn has_zero_first(cell: &[u8]) -> bool {
    matches!(cell, [b'0', b'0'..=b'9', ..])
}

impl Numbers {
    #[inline]
    pub(super) fn add(&mut self, value: f64, decimals: u8) {
        self.decimals = self.decimals.max(decimals);
        if decimals > 0 && !self.fractions {
            self.fractions = value.fract() != 0.0;
        }
        self.negative |= value < 0.0;
        self.beyond_bits |= value != 0.0 && value != 1.0;
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.decimals = self.decimals.max(other.decimals);
        self.fractions |= other.fractions;
        self.negative |= other.negative;
        self.beyond_bits |= other.beyond_bits;
        self.zero_first |= other.zero_first;
    }
}

/// Rows of a block of text.
#[derive(Default)]
pub(super) struct Block {
    /// Row after row.
    pub(super) values: Vec<f64>,
    pub(super) columns: Vec<Numbers>,
    pub(super) rows: u64,
    /// The text of these rows, in bytes.
    pub(super) bytes: usize,
}

/// Parses whole lines, each to its line feed. The blocks follow one another; the last one ends before
/// the first row that does not hold `width` numbers, or with the text.
pub(super) fn parse(text: &[u8], width: usize, dialect: &Dialect) -> Vec<Block> {
    let count = (text.len() / BLOCK).clamp(1, 4 * rayon::current_num_threads());
    let mut parts = Vec::with_capacity(count);
    let mut rest = text;
    for left in (1..=count).rev() {
        let most = rest.len() / left;
        let end = match left {
            1 => rest.len(),
            _ => memchr::memchr(b'\n', &rest[most..]).map_or(rest.len(), |at| most + at + 1),
        };
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
    }
    let mut blocks: Vec<Block> =
        parts.par_iter().map(|part| parse_block(part, width, dialect)).collect();
    let whole = blocks.iter().zip(&parts).take_while(|(block, part)| block.bytes == part.len());
    let keep = (whole.count() + 1).min(blocks.len());
    blocks.truncate(keep);
    blocks
}

fn parse_block(text: &[u8], width: usize, dialect: &Dialect) -> Block {
    let mut block = Block { columns: vec![Numbers::default(); width], ..Block::default() };
    // About what numbers of a few digits take.
    block.values.reserve(text.len() / 8);
    let mut columns = block.columns.clone();
    while block.bytes < text.len() {
        let Some(next) = row(text, block.bytes, &mut columns, &mut block.values, dialect) else {
            block.values.truncate(block.rows as usize * width);
            return block;
        };
        block.columns.copy_from_slice(&columns);
        block.bytes = next;
        block.rows += 1;
    }
    block
}

/// Appends a row of numbers and gives the start of the next; `None` if it is anything else.
#[inline]
fn row(
    text: &[u8],
    mut at: usize,
    columns: &mut [Numbers],
    values: &mut Vec<f64>,
    dialect: &Dialect,
) -> Option<usize> {
    let last = columns.len().checked_sub(1)?;
    for (column, numbers) in columns.iter_mut().enumerate() {
        let (value, decimals, end) = match plain(text, at, dialect.decimal) {
            Some(found) if ends(text, found.2, dialect) => found,
            _ => other(text, at, dialect)?,
        };
        numbers.add(value, decimals);
        numbers.zero_first |= has_zero_first(&text[at..]);
        values.push(value);
        at = match text.get(end)? {
            b'\n' if column == last => end + 1,
            b'\r' if column == last && text.get(end + 1) == Some(&b'\n') => end + 2,
            byte if column < last && *byte == dialect.separator => end + 1,
            _ => return None,
        };
    }
    Some(at)
}

/// Whether a cell ends here.
#[inline]
fn ends(text: &[u8], at: usize, dialect: &Dialect) -> bool {
    text.get(at).is_some_and(|byte| matches!(byte, b'\n' | b'\r') || *byte == dialect.separator)
}

/// Any other finite number.
#[cold]
fn other(text: &[u8], from: usize, dialect: &Dialect) -> Option<(f64, u8, usize)> {
    let length = text[from..]
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r') || *byte == dialect.separator)?;
    match dialect.cell(&text[from..from + length]) {
        Cell::Number(value, decimals) if value.abs() <= MOST_REAL => {
            Some((value, decimals, from + length))
        }
        _ => None,
    }
}
