//! Summary statistics of data sets.

use std::collections::HashSet;

use serde::Serialize;

use crate::{Column, Dataset, Split, SplitName, Values};

/// Summary statistics of a data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The name it was opened by.
    pub name: String,
    /// The domain of the entries: "binary", "256 levels" or "real".
    pub domain: String,
    /// The shape of one example, `[channels, height, width]` or `[columns]`.
    pub shape: Vec<usize>,
    /// The number of classes, 0 if the data is not labeled.
    pub classes: usize,
    /// Names of the columns of a table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The kinds of the columns of a table of text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<ColumnSummary>,
    /// The splits that exist: train, valid, test.
    pub splits: Vec<SplitSummary>,
    /// Examples that several splits have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<Shared>,
    /// What reading guessed and left out, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// SHA-256 of the data.
    pub fingerprint: String,
}

/// A column of a table and its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnSummary {
    /// The name, or the number from 1 of a column without a name.
    pub column: String,
    /// "real", "count", "binary" or "category".
    pub kind: &'static str,
    /// The number of categories, 0 for numbers.
    pub categories: usize,
}

/// Examples of a split that another split has, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shared {
    /// The split: "valid" or "test".
    pub of: String,
    /// The other split.
    pub also_in: String,
    /// How many of its examples, with the same values.
    pub examples: usize,
}

/// Summary statistics of a split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitSummary {
    /// "train", "valid" or "test".
    pub split: String,
    /// The number of examples.
    pub examples: usize,
    /// The smallest value.
    pub minimum: f64,
    /// The largest value.
    pub maximum: f64,
    /// The mean over all entries.
    pub mean: f64,
    /// The standard deviation over all entries.
    pub deviation: f64,
    /// The number of examples of each class, by label number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub balance: Vec<ClassCount>,
}

/// A class and its number of examples in a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The name, or the number if the classes have no names.
    pub class: String,
    /// The number of its examples.
    pub examples: usize,
}

/// Counts, shape, domain, range, mean and class balance.
pub fn describe(data: &Dataset) -> Summary {
    let splits = [SplitName::Train, SplitName::Valid, SplitName::Test]
        .into_iter()
        .filter_map(|name| Some((name, data.split(name).ok()?)))
        .map(|(name, split)| describe_split(data, name, split))
        .collect();
    Summary {
        name: data.name.clone(),
        domain: data.domain.to_string(),
        shape: data.shape.dims().to_vec(),
        classes: data.classes(),
        columns: data.column_names.clone(),
        kinds: kinds(data),
        splits,
        shared: shared(data),
        notes: data.notes.clone(),
        fingerprint: data.fingerprint(),
    }
}

fn kinds(data: &Dataset) -> Vec<ColumnSummary> {
    let name =
        |at: usize| data.column_names.get(at).cloned().unwrap_or_else(|| (at + 1).to_string());
    let column = |(at, column): (usize, &Column)| ColumnSummary {
        column: name(at),
        kind: column.kind.as_str(),
        categories: column.categories.len(),
    };
    data.columns.iter().enumerate().map(column).collect()
}

/// Counts the examples of each later split that occur in an earlier one.
pub fn shared(data: &Dataset) -> Vec<Shared> {
    let size = data.shape.size().max(1);
    let hashes = |split: &Split| -> Vec<u128> {
        // Two hashes of 64 bits by different factors.
        let hash = |words: &mut dyn Iterator<Item = u64>| {
            let (mut a, mut b) = (0x9e37_79b9_7f4a_7c15u64, 0xc2b2_ae3d_27d4_eb4fu64);
            for word in words {
                a = (a ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                a ^= a >> 32;
                b = (b.rotate_left(23) ^ word).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
                b ^= b >> 29;
            }
            u128::from(a) << 64 | u128::from(b)
        };
        match &split.values {
            Values::Bytes(v) => {
                let word = |bytes: &[u8]| {
                    bytes.iter().fold(0u64, |word, &byte| word << 8 | u64::from(byte))
                };
                v.chunks_exact(size).map(|row| hash(&mut row.chunks(8).map(word))).collect()
            }
            Values::Reals(v) => {
                // −0 is 0.
                let word = |x: &f64| (x + 0.0).to_bits();
                v.chunks_exact(size).map(|row| hash(&mut row.iter().map(word))).collect()
            }
        }
    };
    let splits: Vec<(SplitName, Vec<u128>)> =
        data.splits().map(|(name, split)| (name, hashes(split))).collect();
    let mut found = Vec::new();
    for (later, (name, rows)) in splits.iter().enumerate() {
        for (other, seen) in &splits[..later] {
            let seen: HashSet<&u128> = seen.iter().collect();
            let examples = rows.iter().filter(|row| seen.contains(row)).count();
            if examples > 0 {
                let (of, also_in) = (name.to_string(), other.to_string());
                found.push(Shared { of, also_in, examples });
            }
        }
    }
    found
}

fn describe_split(data: &Dataset, name: SplitName, split: &Split) -> SplitSummary {
    let moments = |values: &mut dyn Iterator<Item = f64>| {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        // Welford's algorithm: no cancellation where the mean is far from 0.
        let (mut n, mut mean, mut squares) = (0.0, 0.0, 0.0);
        for v in values {
            (low, high) = (low.min(v), high.max(v));
            n += 1.0;
            let off = v - mean;
            mean += off / n;
            squares += off * (v - mean);
        }
        if n == 0.0 {
            (0.0, 0.0, 0.0, 0.0)
        } else {
            (low + 0.0, high + 0.0, mean, (squares / n).sqrt())
        }
    };
    let (minimum, maximum, mean, deviation) = match &split.values {
        Values::Bytes(v) => moments(&mut v.iter().map(|&x| f64::from(x))),
        Values::Reals(v) => moments(&mut v.iter().copied()),
    };
    let mut counts = vec![0; data.classes()];
    for &label in split.labels.iter().flatten() {
        counts[label as usize] += 1;
    }
    let balance = match &split.labels {
        None => Vec::new(),
        Some(_) => counts
            .into_iter()
            .enumerate()
            .map(|(i, examples)| ClassCount {
                class: data.class_names.get(i).cloned().unwrap_or_else(|| i.to_string()),
                examples,
            })
            .collect(),
    };
    SplitSummary {
        split: name.to_string(),
        examples: data.len(name),
        minimum,
        maximum,
        mean,
        deviation,
        balance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Domain, Shape, digits};

    #[test]
    fn digits_in_numbers() {
        let summary = describe(&digits().unwrap());
        assert_eq!(summary.domain, "17 levels");
        assert_eq!((summary.shape, summary.classes), (vec![1, 8, 8], 10));
        let [train, _, test] = &summary.splits[..] else { panic!("three splits") };
        assert_eq!((train.examples, test.examples), (1297, 300));
        assert_eq!((train.minimum, train.maximum), (0.0, 16.0));
        // The mean over all 1797 images is 4.884.
        assert!((train.mean - 4.88).abs() < 0.05, "{}", train.mean);
        assert_eq!(test.balance.iter().map(|c| c.examples).sum::<usize>(), 300);
        assert_eq!(test.balance[9].class, "9");
    }

    #[test]
    fn real_columns_have_a_mean_and_no_classes() {
        let values = Values::Reals(vec![1.0, 5.0, 0.0, -1.0, 5.0, 5.0]);
        let split = Split { values, labels: None };
        let data = Dataset::new("t", Domain::Real, Shape::columns(3), split, None, None).unwrap();
        let summary = describe(&data);
        assert_eq!(summary.splits.len(), 1);
        assert_eq!(summary.splits[0].mean as f32, 2.5);
        assert!(summary.splits[0].balance.is_empty());
    }
}
