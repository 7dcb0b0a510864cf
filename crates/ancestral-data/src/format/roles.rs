//! What the columns of a table are, while it is read and in the end.

use std::collections::HashMap;

use super::Labels;
use super::plain::Numbers;
use crate::{Column, ColumnType, Dataset};

/// The most decimals that are kept in samples.
const MOST_DECIMALS: u8 = 15;

/// Words and their numbers, in the order of their first occurrence.
#[derive(Default)]
pub(super) struct Words {
    pub(super) numbers: HashMap<String, u32>,
    pub(super) names: Vec<String>,
}

impl Words {
    pub(super) fn number(&mut self, word: &str) -> u32 {
        if let Some(&number) = self.numbers.get(word) {
            return number;
        }
        let number = self.names.len() as u32;
        self.numbers.insert(word.to_owned(), number);
        self.names.push(word.to_owned());
        number
    }
}

/// What a column of the file is.
pub(super) enum Role {
    /// An entry of the examples: its state.
    Entry(Box<Entry>),
    /// Possibly classes: a word per row.
    Labels {
        words: Words,
        rows: Vec<u32>,
    },
    Folds(Vec<u32>),
    /// Possibly the numbers of rows: those that are held, and how many whole ones went before.
    Index(Vec<f64>, usize),
    /// Names of rows, or nothing.
    Left,
}

#[derive(Default)]
pub(super) struct Entry {
    /// The first cell with a value: its line, its text if it is no number.
    pub(super) first: Option<(u64, Option<String>)>,
    pub(super) words: Words,
    pub(super) numbers: Numbers,
}

/// Missing cells of a column: their number and the first.
#[derive(Clone, Default)]
pub(super) struct Gaps {
    pub(super) count: usize,
    pub(super) line: u64,
    pub(super) cell: String,
}

/// Values of the entries, row after row.
pub(super) enum Values {
    /// While all are 0 or 1.
    Bits(Vec<u8>),
    Reals(Vec<f64>),
}

impl Values {
    pub(super) fn into_reals(self) -> Vec<f64> {
        match self {
            Self::Bits(bits) => bits.into_iter().map(f64::from).collect(),
            Self::Reals(values) => values,
        }
    }

    /// The first of them, or all if they are fewer; the rest stays.
    pub(super) fn split_off(&mut self, first: usize) -> Self {
        match self {
            Self::Bits(bits) => {
                let rest = bits.split_off(first.min(bits.len()));
                Self::Bits(std::mem::replace(bits, rest))
            }
            Self::Reals(values) => {
                let rest = values.split_off(first.min(values.len()));
                Self::Reals(std::mem::replace(values, rest))
            }
        }
    }

    pub(super) fn push(&mut self, value: f64) {
        match self {
            Self::Reals(values) => values.push(value),
            Self::Bits(bits) if value == 0.0 || value == 1.0 => bits.push(value as u8),
            Self::Bits(bits) => {
                let mut values: Vec<f64> = bits.iter().map(|&b| f64::from(b)).collect();
                values.push(value);
                *self = Self::Reals(values);
            }
        }
    }
}

/// What only all rows tell.
pub(super) struct Decided {
    pub(super) names: Vec<String>,
    pub(super) columns: Vec<Column>,
    /// The new numbers of the words of each entry.
    pub(super) renumber: Vec<Option<Vec<f64>>>,
    /// The class of each word, if a column holds labels, and the names of the classes.
    pub(super) labels: Option<Labels>,
    pub(super) notes: Vec<String>,
    /// What each column is.
    pub(super) fates: Vec<Fate>,
}

impl Decided {
    /// The number of entries of a row.
    pub(super) fn entries(&self) -> usize {
        self.columns.len()
    }

    /// Whether there are columns of words.
    pub(super) fn has_words(&self) -> bool {
        self.renumber.iter().any(Option::is_some)
    }

    /// Gives a data set, which holds rows of the table, its columns.
    pub(super) fn describe(&self, data: &mut Dataset) {
        if data.shape.as_image().is_none() {
            data.column_names.clone_from(&self.names);
            data.columns.clone_from(&self.columns);
        }
        data.notes.clone_from(&self.notes);
    }
}

/// What a column is in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Entry,
    Labels,
    Left,
}

impl Entry {
    /// The column, and the new numbers of its words in alphabetical order.
    pub(super) fn finish(&self) -> (Column, Option<Vec<f64>>) {
        if matches!(self.first, Some((_, Some(_)))) {
            let mut categories = self.words.names.clone();
            categories.sort_unstable();
            let place = |name: &String| categories.binary_search(name).unwrap_or(0) as f64;
            let order = self.words.names.iter().map(place).collect();
            let column = Column { kind: ColumnType::Category, decimals: Some(0), categories };
            return (column, Some(order));
        }
        let Numbers { decimals, fractions, negative, beyond_bits, .. } = self.numbers;
        let kind = match (fractions, negative, beyond_bits) {
            (false, false, false) => ColumnType::Binary,
            (false, false, true) => ColumnType::Count,
            _ => ColumnType::Real,
        };
        let decimals = if fractions { decimals } else { 0 };
        let decimals = Some(decimals).filter(|&d| d <= MOST_DECIMALS);
        (Column { kind, decimals, categories: Vec::new() }, None)
    }
}

pub(super) fn gap(gaps: &mut Gaps, line: u64, cell: String) {
    if gaps.count == 0 {
        (gaps.line, gaps.cell) = (line, cell);
    }
    gaps.count += 1;
}

/// How many different numbers there are.
pub(super) fn different(numbers: &[f64]) -> usize {
    let mut known = numbers.to_vec();
    known.sort_unstable_by(f64::total_cmp);
    known.dedup();
    known.len()
}

/// Numbers words by their new order; `None` if one has no new number.
pub(super) fn renumber_words(values: &mut [f64], order: &[Option<Vec<f64>>]) -> Option<()> {
    for row in values.chunks_exact_mut(order.len().max(1)) {
        for (value, order) in row.iter_mut().zip(order) {
            if let Some(order) = order {
                *value = *order.get(*value as usize)?;
            }
        }
    }
    Some(())
}

/// A label that is a whole number.
pub(super) fn whole(word: &str) -> Option<i64> {
    let value = word.parse::<f64>().ok()?;
    (value.fract() == 0.0 && value.abs() < 1e15).then_some(value as i64)
}
