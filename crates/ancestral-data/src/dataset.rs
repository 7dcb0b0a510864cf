//! A data set: its values, labels and splits, and a fingerprint that identifies it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rand::seq::SliceRandom;
use sha2::{Digest, Sha256};

use crate::{DataError, Domain, OpenOptions, Shape, Streams};

/// The values of a split, row after row, each row one example in the order of [`Shape`].
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// For [`Domain::Binary`] and [`Domain::Levels`] up to 256.
    Bytes(Vec<u8>),
    /// For [`Domain::Real`], in double precision.
    Reals(Vec<f64>),
}

impl Values {
    /// The number of entries, over all examples.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(v) => v.len(),
            Self::Reals(v) => v.len(),
        }
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries of the given examples, concatenated; `size` is the number of entries of one.
    fn gather(&self, examples: &[usize], size: usize) -> Self {
        fn rows<T: Copy>(v: &[T], examples: &[usize], size: usize) -> Vec<T> {
            examples.iter().flat_map(|&i| v[i * size..(i + 1) * size].iter().copied()).collect()
        }
        match self {
            Self::Bytes(v) => Self::Bytes(rows(v, examples, size)),
            Self::Reals(v) => Self::Reals(rows(v, examples, size)),
        }
    }
}

/// The kind of a column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// Any finite real.
    Real,
    /// Whole numbers from 0.
    Count,
    /// 0 or 1.
    Binary,
    /// Words, numbered in their order.
    Category,
}

impl ColumnType {
    /// The name, as it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Count => "count",
            Self::Binary => "binary",
            Self::Category => "category",
        }
    }
}

/// A column of a table, as its text shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its kind.
    pub kind: ColumnType,
    /// The most decimals of a cell; `None` if they are too many to be meant.
    pub decimals: Option<u8>,
    /// The names of its categories, by number; empty for numbers.
    pub categories: Vec<String>,
}

/// The name of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SplitName {
    /// The training split, for fitting parameters.
    Train,
    /// The validation split, for selecting hyperparameters and checkpoints.
    Valid,
    /// The test split, for the final evaluation.
    Test,
}

impl SplitName {
    /// The name as it is typed and printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for SplitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SplitName {
    type Err = DataError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "train" => Ok(Self::Train),
            "valid" => Ok(Self::Valid),
            "test" => Ok(Self::Test),
            other => Err(DataError::Unsuitable(format!(
                "unknown split '{other}'; the splits are train, valid and test"
            ))),
        }
    }
}

/// Some examples of a data set with their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// The entries, row after row.
    pub values: Values,
    /// One class number per example, if the data is labeled.
    pub labels: Option<Vec<u32>>,
}

impl Split {
    /// Takes the given examples, in the given order.
    pub fn gather(&self, examples: &[usize], size: usize) -> Self {
        Self {
            values: self.values.gather(examples, size),
            labels: self
                .labels
                .as_ref()
                .map(|labels| examples.iter().map(|&i| labels[i]).collect()),
        }
    }
}

/// A data set in memory.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The known name, or the path as given.
    pub name: String,
    /// The domain of the entries.
    pub domain: Domain,
    /// The shape of one example.
    pub shape: Shape,
    /// Names of the classes, by label number; empty if the data is not labeled.
    pub class_names: Vec<String>,
    /// Names of the columns of a table; empty otherwise.
    pub column_names: Vec<String>,
    /// The kind and the precision of each column of a table of text; empty otherwise.
    pub columns: Vec<Column>,
    /// What reading guessed and what it left out, one sentence each, with the flag that changes it.
    pub notes: Vec<String>,
    /// Whether the fingerprint is that of the values in single precision, as for known sets.
    single: bool,
    /// The table of text that it was read from, which lines are looked up in.
    source: Option<Arc<(PathBuf, OpenOptions)>>,
    train: Arc<Split>,
    valid: Option<Arc<Split>>,
    test: Option<Arc<Split>>,
}

/// A cell of a table of text that is looked up.
#[derive(Debug, Clone, PartialEq)]
pub enum Sought {
    /// A number in a column of the data set, from 0.
    Number {
        /// The column.
        column: usize,
        /// The number.
        value: f64,
    },
    /// A word in a column of the data set, from 0.
    Word {
        /// The column.
        column: usize,
        /// The word.
        word: String,
    },
    /// A class in the column of classes.
    Label(String),
}

impl Dataset {
    /// A data set from its splits, which must fit the domain and the shape.
    ///
    /// # Errors
    /// If a split is ragged, has a wrong number of labels, or holds values outside the domain.
    pub fn new(
        name: impl Into<String>,
        domain: Domain,
        shape: Shape,
        train: Split,
        valid: Option<Split>,
        test: Option<Split>,
    ) -> Result<Self, DataError> {
        let name = name.into();
        for (which, split) in [
            (SplitName::Train, Some(&train)),
            (SplitName::Valid, valid.as_ref()),
            (SplitName::Test, test.as_ref()),
        ] {
            if let Some(split) = split {
                check(split, domain, &shape).map_err(|problem| {
                    DataError::Unsuitable(format!("{name}, {which} split: {problem}"))
                })?;
            }
        }
        Ok(Self {
            name,
            domain,
            shape,
            class_names: Vec::new(),
            column_names: Vec::new(),
            columns: Vec::new(),
            notes: Vec::new(),
            single: false,
            source: None,
            train: Arc::new(train),
            valid: valid.map(Arc::new),
            test: test.map(Arc::new),
        })
    }

    /// The examples of a split.
    ///
    /// # Errors
    /// If the data set has no such split.
    pub fn split(&self, name: SplitName) -> Result<&Arc<Split>, DataError> {
        match name {
            SplitName::Train => Some(&self.train),
            SplitName::Valid => self.valid.as_ref(),
            SplitName::Test => self.test.as_ref(),
        }
        .ok_or_else(|| DataError::Unsuitable(format!("{} has no {name} split", self.name)))
    }

    /// The splits that exist, in order.
    pub fn splits(&self) -> impl Iterator<Item = (SplitName, &Arc<Split>)> {
        let all = [
            (SplitName::Train, Some(&self.train)),
            (SplitName::Valid, self.valid.as_ref()),
            (SplitName::Test, self.test.as_ref()),
        ];
        all.into_iter().filter_map(|(name, split)| Some((name, split?)))
    }

    /// The same data with every split changed; the changed splits must fit the domain and the shape.
    ///
    /// # Errors
    /// As [`Dataset::new`], or that of `change`.
    pub fn map_splits<E: From<DataError>>(
        &self,
        domain: Domain,
        shape: Shape,
        mut change: impl FnMut(&Split) -> Result<Split, E>,
    ) -> Result<Self, E> {
        let mut parts = [None, None, None];
        for (name, split) in self.splits() {
            parts[name as usize] = Some(change(split)?);
        }
        let [train, valid, test] = parts;
        // The training split always exists.
        let train = train.unwrap_or_else(|| (*self.train).clone());
        let made = Self::new(self.name.clone(), domain, shape, train, valid, test)?;
        Ok(Self {
            class_names: self.class_names.clone(),
            column_names: self.column_names.clone(),
            columns: self.columns.clone(),
            notes: self.notes.clone(),
            single: self.single,
            source: self.source.clone(),
            ..made
        })
    }

    /// The examples of one class, by its name or, where classes have no names, its number; without labels.
    ///
    /// # Errors
    /// If there is no such class, or a split has no example of it.
    pub fn of_class(&self, class: &str) -> Result<Self, DataError> {
        let count = self.classes();
        let name = |at: usize| self.class_names.get(at).cloned().unwrap_or_else(|| at.to_string());
        let Some(at) = (0..count).find(|&at| name(at) == class) else {
            let names: Vec<String> = (0..count.min(20)).map(name).collect();
            return Err(DataError::Unsuitable(match count {
                0 => format!("{} has no labels, and so no class '{class}'", self.name),
                _ => {
                    let more = if count > 20 { ", …" } else { "" };
                    let names = names.join(", ");
                    format!("{} has no class '{class}'; its classes are {names}{more}", self.name)
                }
            }));
        };
        let mut data = self.map_splits(self.domain, self.shape.clone(), |split| {
            let labels = split.labels.as_deref().unwrap_or(&[]);
            let own: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] as usize == at).collect();
            if own.is_empty() {
                return Err(DataError::Unsuitable(format!(
                    "{} has no example of class '{class}' in one of its splits",
                    self.name
                )));
            }
            Ok(Split { labels: None, ..split.gather(&own, self.shape.size()) })
        })?;
        data.class_names.clear();
        Ok(data)
    }

    /// The columns at these places of a table, in this order.
    ///
    /// # Errors
    /// If there is no such column.
    pub fn select_columns(&self, order: &[usize]) -> Result<Self, DataError> {
        fn picked<T: Copy>(v: &[T], size: usize, order: &[usize]) -> Vec<T> {
            v.chunks_exact(size).flat_map(|row| order.iter().map(|&at| row[at])).collect()
        }
        let size = self.shape.size();
        if let Some(at) = order.iter().find(|&&at| at >= size) {
            return Err(DataError::Unsuitable(format!("{} has no column {at}", self.name)));
        }
        let shape = Shape::columns(order.len());
        let mut data = self.map_splits(self.domain, shape, |split| {
            let values = match &split.values {
                Values::Bytes(v) => Values::Bytes(picked(v, size, order)),
                Values::Reals(v) => Values::Reals(picked(v, size, order)),
            };
            Ok::<_, DataError>(Split { values, labels: split.labels.clone() })
        })?;
        let of = |at: &usize| *at < self.column_names.len();
        data.column_names =
            order.iter().filter(|at| of(at)).map(|&at| self.column_names[at].clone()).collect();
        let of = |at: &usize| *at < self.columns.len();
        data.columns =
            order.iter().filter(|at| of(at)).map(|&at| self.columns[at].clone()).collect();
        Ok(data)
    }

    /// The same data with real values rounded to single precision, as runs of format 1 read them.
    ///
    /// # Errors
    /// If a value is beyond single precision.
    pub fn in_single_precision(&self) -> Result<Self, DataError> {
        if self.domain != Domain::Real {
            return Ok(self.clone());
        }
        self.map_splits(self.domain, self.shape.clone(), |split| {
            let values = match &split.values {
                Values::Reals(v) => Values::Reals(v.iter().map(|&x| f64::from(x as f32)).collect()),
                bytes => bytes.clone(),
            };
            Ok(Split { values, labels: split.labels.clone() })
        })
    }

    /// Remembers the table of text that it was read from.
    pub(crate) fn with_source(mut self, path: &Path, options: &OpenOptions) -> Self {
        self.source = Some(Arc::new((path.to_owned(), options.clone())));
        self
    }

    /// The same data with the lines of other data, which it was made from.
    #[must_use]
    pub fn with_source_of(mut self, other: &Self) -> Self {
        self.source.clone_from(&other.source);
        self
    }

    /// The table of text that it was read from, and how.
    pub(crate) fn source(&self) -> Option<(&Path, &OpenOptions)> {
        self.source.as_deref().map(|(path, options)| (path.as_path(), options))
    }

    /// Makes the fingerprint that of the values in single precision.
    pub(crate) fn with_single_fingerprint(mut self) -> Self {
        self.single = true;
        self
    }

    /// The number of examples of a split, 0 if it does not exist.
    pub fn len(&self, name: SplitName) -> usize {
        self.split(name).map_or(0, |split| split.values.len() / self.shape.size().max(1))
    }

    /// Whether the training split is empty.
    pub fn is_empty(&self) -> bool {
        self.len(SplitName::Train) == 0
    }

    /// The number of classes, 0 if the data is not labeled.
    pub fn classes(&self) -> usize {
        let largest = [Some(&self.train), self.valid.as_ref(), self.test.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|split| split.labels.as_ref()?.iter().max().copied())
            .max();
        largest.map_or(0, |l| l as usize + 1).max(self.class_names.len())
    }

    /// Splits missing validation and test splits off the training split at random, by seed.
    ///
    /// A missing test split takes a tenth of the data, a missing validation split a tenth of the
    /// rest (at least one example each). The examples of every split keep their order.
    ///
    /// # Errors
    /// If there are too few examples.
    pub fn with_splits(mut self, seed: u64) -> Result<Self, DataError> {
        if self.too_few_to_split() {
            let n = self.len(SplitName::Train);
            return Err(DataError::Unsuitable(format!(
                "{} has {n} example{}; the training, validation and test splits need at least one each",
                self.name,
                if n == 1 { "" } else { "s" }
            )));
        }
        if self.test.is_none() {
            self.test = Some(self.split_off(self.len(SplitName::Train) / 10, seed, "test")?);
        }
        if self.valid.is_none() {
            self.valid = Some(self.split_off(self.len(SplitName::Train) / 10, seed, "valid")?);
        }
        Ok(self)
    }

    /// Whether the training split cannot give the missing splits an example each and keep one.
    pub fn too_few_to_split(&self) -> bool {
        let missing = usize::from(self.test.is_none()) + usize::from(self.valid.is_none());
        self.len(SplitName::Train) <= missing
    }

    /// Splits the training split by the fold of each example: `fold` becomes the test split, the
    /// next one (after the last comes the first) the validation split, and the rest remains.
    ///
    /// # Errors
    /// If there is no such fold, or there are fewer than three.
    pub(crate) fn with_fold(mut self, fold: u32, folds: &[u32]) -> Result<Self, DataError> {
        let mut known = folds.to_vec();
        known.sort_unstable();
        known.dedup();
        let bad = |problem: &str| {
            let list: Vec<String> = known.iter().map(ToString::to_string).collect();
            DataError::Unsuitable(format!("{}: {problem} {}", self.name, list.join(", ")))
        };
        let at = known
            .binary_search(&fold)
            .map_err(|_| bad(&format!("there is no fold {fold}; the folds are")))?;
        if known.len() < 3 {
            return Err(bad(
                "the test, validation and training splits take a fold each; the folds are",
            ));
        }
        let next = known[(at + 1) % known.len()];
        let part = |wanted: &dyn Fn(u32) -> bool| {
            let rows: Vec<usize> = (0..folds.len()).filter(|&i| wanted(folds[i])).collect();
            Arc::new(self.train.gather(&rows, self.shape.size()))
        };
        let (test, valid) = (part(&|f| f == fold), part(&|f| f == next));
        self.train = part(&|f| f != fold && f != next);
        (self.valid, self.test) = (Some(valid), Some(test));
        Ok(self)
    }

    /// Makes the last `count` training examples the validation split, if there is none yet.
    ///
    /// # Errors
    /// If there are not more training examples than `count`.
    pub fn with_last_as_valid(mut self, count: usize) -> Result<Self, DataError> {
        let n = self.len(SplitName::Train);
        if self.valid.is_some() || count == 0 {
            return Ok(self);
        }
        if n <= count {
            return Err(DataError::Unsuitable(format!(
                "{} has {n} training examples, too few to keep {count} for validation",
                self.name
            )));
        }
        let size = self.shape.size();
        let order: Vec<usize> = (0..n).collect();
        self.valid = Some(Arc::new(self.train.gather(&order[n - count..], size)));
        self.train = Arc::new(self.train.gather(&order[..n - count], size));
        Ok(self)
    }

    /// Appends the validation examples to the training split.
    pub fn with_valid_in_train(mut self) -> Self {
        if let Some(valid) = self.valid.take() {
            let mut train = (*self.train).clone();
            match (&mut train.values, &valid.values) {
                (Values::Bytes(a), Values::Bytes(b)) => a.extend_from_slice(b),
                (Values::Reals(a), Values::Reals(b)) => a.extend_from_slice(b),
                // Splits of one data set share a domain, checked when it was made.
                _ => {}
            }
            match (&mut train.labels, &valid.labels) {
                (Some(a), Some(b)) => a.extend_from_slice(b),
                _ => train.labels = None,
            }
            self.train = Arc::new(train);
            self.valid = Some(valid);
        }
        self
    }

    fn split_off(
        &mut self,
        count: usize,
        seed: u64,
        purpose: &str,
    ) -> Result<Arc<Split>, DataError> {
        let n = self.len(SplitName::Train);
        let count = count.max(1);
        if n <= count {
            return Err(DataError::Unsuitable(format!(
                "{} has {n} example{}, too few to split a {purpose} split off",
                self.name,
                if n == 1 { "" } else { "s" }
            )));
        }
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut Streams::new(seed).item(&format!("split-{purpose}"), 0, 0));
        let (taken, kept) = order.split_at_mut(count);
        taken.sort_unstable();
        kept.sort_unstable();
        let size = self.shape.size();
        let part = self.train.gather(taken, size);
        self.train = Arc::new(self.train.gather(kept, size));
        Ok(Arc::new(part))
    }

    /// SHA-256 over domain, shape, values and labels of every split, in hexadecimal.
    ///
    /// Real values are hashed in double precision, unless all of them are exact in single precision or
    /// the set is a known one; then the fingerprint is [`Dataset::fingerprint_in_single_precision`].
    pub fn fingerprint(&self) -> String {
        let exact = |split: &Split| match &split.values {
            Values::Bytes(_) => true,
            Values::Reals(v) => v.iter().all(|&x| f64::from(x as f32) == x),
        };
        self.hash(self.single || self.splits().all(|(_, split)| exact(split)))
    }

    /// The fingerprint of runs of format 1: that of the values in single precision.
    pub fn fingerprint_in_single_precision(&self) -> String {
        self.hash(true)
    }

    fn hash(&self, single: bool) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{}|{}|", self.domain, self.shape));
        for split in [Some(&self.train), self.valid.as_ref(), self.test.as_ref()] {
            match split {
                None => hash.update("none|"),
                Some(split) => {
                    match &split.values {
                        Values::Bytes(v) => hash.update(v),
                        Values::Reals(v) if single => {
                            v.iter().for_each(|&x| hash.update((x as f32).to_le_bytes()));
                        }
                        Values::Reals(v) => v.iter().for_each(|x| hash.update(x.to_le_bytes())),
                    }
                    hash.update("|labels|");
                    for label in split.labels.iter().flatten() {
                        hash.update(label.to_le_bytes());
                    }
                }
            }
        }
        hexadecimal(hash)
    }
}

/// The fingerprint of reals without labels and splits that are not held, [`Dataset::fingerprint`] of
/// the same.
#[derive(Debug, Clone)]
pub struct Fingerprint {
    double: Sha256,
    /// As long as all values are exact in single precision.
    single: Option<Sha256>,
}

impl Fingerprint {
    /// Of values of a shape.
    pub fn new(shape: &Shape) -> Self {
        let mut hash = Sha256::new();
        hash.update(format!("{}|{shape}|", Domain::Real));
        Self { double: hash.clone(), single: Some(hash) }
    }

    /// Adds the next values.
    pub fn add(&mut self, values: &[f64]) {
        let exact = |x: &f64| f64::from(*x as f32) == *x;
        self.single = self.single.take().filter(|_| values.iter().all(exact));
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.double.update(bytes);
        if let Some(single) = &mut self.single {
            let bytes: Vec<u8> = values.iter().flat_map(|x| (*x as f32).to_le_bytes()).collect();
            single.update(bytes);
        }
    }

    /// The fingerprint of all.
    pub fn finish(self) -> String {
        let mut hash = self.single.unwrap_or(self.double);
        hash.update("|labels|none|none|");
        hexadecimal(hash)
    }
}

/// SHA-256 of some bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hexadecimal(hash)
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(split: &Split, domain: Domain, shape: &Shape) -> Result<(), String> {
    let size = shape.size();
    if size == 0 {
        return Err(format!("an example of shape {shape} has no entries"));
    }
    let entries = split.values.len();
    if !entries.is_multiple_of(size) {
        return Err(format!("{entries} entries do not divide into examples of {shape}"));
    }
    if let Some(labels) = &split.labels
        && labels.len() != entries / size
    {
        return Err(format!("{} labels for {} examples", labels.len(), entries / size));
    }
    match (&split.values, domain) {
        (Values::Bytes(v), Domain::Binary | Domain::Levels(_)) => {
            let max = domain.max_level().unwrap_or(u32::MAX);
            match v.iter().position(|&x| u32::from(x) > max) {
                Some(i) => Err(format!(
                    "example {}, entry {}: value {}, but the domain ({domain}) ends at {max}",
                    i / size,
                    i % size,
                    v[i]
                )),
                None => Ok(()),
            }
        }
        (Values::Reals(v), Domain::Real) => match v.iter().position(|x| !x.is_finite()) {
            Some(i) => Err(format!(
                "example {}, entry {}: {}; expected a finite number",
                i / size,
                i % size,
                v[i]
            )),
            None => Ok(()),
        },
        (Values::Bytes(_), Domain::Real) => Err("bytes were given for real values".into()),
        (Values::Reals(_), _) => Err(format!("real values were given for {domain} data")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(n: usize) -> Split {
        Split {
            values: Values::Bytes((0..n * 2).map(|i| (i % 17) as u8).collect()),
            labels: Some((0..n).map(|i| (i % 3) as u32).collect()),
        }
    }

    #[test]
    fn carved_splits_share_nothing_and_lose_nothing() {
        let data = Dataset::new("t", Domain::Levels(17), Shape::columns(2), bytes(50), None, None)
            .unwrap()
            .with_splits(3)
            .unwrap();
        assert_eq!(data.len(SplitName::Test), 5);
        assert_eq!(data.len(SplitName::Valid), 4);
        assert_eq!(data.len(SplitName::Train), 41);
        assert_eq!(data.classes(), 3);
        let again = Dataset::new("t", Domain::Levels(17), Shape::columns(2), bytes(50), None, None)
            .unwrap()
            .with_splits(3)
            .unwrap();
        assert_eq!(data.fingerprint(), again.fingerprint());
        let two = Dataset::new("t", Domain::Levels(17), Shape::columns(2), bytes(2), None, None);
        let error = two.unwrap().with_splits(3).unwrap_err().to_string();
        assert!(error.contains("t has 2 examples"), "{error}");
    }

    #[test]
    fn values_outside_the_domain_are_named() {
        let error = Dataset::new("t", Domain::Levels(16), Shape::columns(2), bytes(50), None, None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("example 8, entry 0: value 16"), "{error}");
        let split = Split { values: Values::Reals(vec![0.0, f64::NAN]), labels: None };
        let error = Dataset::new("t", Domain::Real, Shape::columns(1), split, None, None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("example 1, entry 0: NaN"), "{error}");
    }
}
