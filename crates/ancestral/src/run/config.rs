//! Everything that determines a run, as `config.toml` stores it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ancestral_data::{
    Background, Binarize, Column, ColumnType, Dataset, Domain, Expected, OpenOptions, Shape,
    Sought, Split, TextOptions, Values,
};
use serde::{Deserialize, Serialize};
use toml::Table;

use super::censored::CensoredRows;
use crate::columns::{ColumnKind, UnknownKind};
use crate::spec::{Columns, DataSpec};
use crate::train::TrainConfig;
use crate::{Error, Result, settings};

/// The most entries of an example.
const MOST_ENTRIES: usize = 1 << 31;

/// The format of run folders that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 2;

/// The data of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    /// A known name, or the name of the file or folder.
    pub name: String,
    /// Where the data was found, unless it has a known name; runs of format 1 store it as the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The folder of known data sets where data of a known name was found, if it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// none, threshold, static or dynamic.
    pub binarize: String,
    /// Whether training includes the validation examples (which still select the checkpoint).
    #[serde(default)]
    pub all_train: bool,
    /// The fold of the table that is the test split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<u32>,
    /// Height and width that images were resized to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<[usize; 2]>,
    /// Whether images were converted to grayscale.
    #[serde(default, rename = "grey")]
    pub gray: bool,
    /// The color behind transparent pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Background>,
    /// Height, width and channels of the images that rows of a table were read as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<[usize; 3]>,
    /// The number of levels that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_levels: Option<u32>,
    /// The class whose examples alone are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Whether labels were left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_labels: bool,
    /// Whether `columns` alone are read of more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub chosen: bool,
    /// Whether every row of data without splits of its own is for training.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// Whether whole numbers were read as real values.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub real: bool,
    /// "double" if real values are read in double precision; "single" for runs of format 1.
    #[serde(default = "single", skip_serializing_if = "is_single")]
    pub precision: String,
    /// SHA-256 of the data that was read.
    pub fingerprint: String,
    /// "binary", "levels" or "real", as the model saw it.
    pub domain: String,
    /// The number of levels, for that domain.
    #[serde(default)]
    pub levels: u32,
    /// The shape of one example.
    pub shape: Vec<usize>,
    /// The number of classes, 0 for none.
    pub classes: usize,
    /// The names of a table's columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The names of the classes, unless they are their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
    /// The kind of each column, where they differ: "real", "count", "binary", "levels(N)" or
    /// "category(N)".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// The offset that is subtracted from each real column before the model, in double precision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offset: Vec<f64>,
    /// The scale that each real column is then divided by, in double precision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scale: Vec<f64>,
    /// How often each level occurs in the training split, for models that ask for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<u64>,
    /// The decimals of each column of a table of text, to which samples are rounded; −1 for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decimals: Vec<i32>,
    /// The columns of lower and upper ends, and of weights if there are any, of censored rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub censored: Vec<String>,
    /// How the text of a table was read, where it was not inferred.
    #[serde(default, skip_serializing_if = "TextOptions::is_default")]
    pub text: TextOptions,
    /// The names of the categories of each column of words, by the name of the column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub categories: BTreeMap<String, Vec<String>>,
}

const SINGLE: &str = "single";
const DOUBLE: &str = "double";

fn single() -> String {
    SINGLE.to_owned()
}

fn is_single(precision: &str) -> bool {
    precision == SINGLE
}

impl DataConfig {
    /// Describes a data set as a model will see it.
    ///
    /// # Errors
    /// If the binarization is unknown or does not suit the data.
    pub fn describe(data: &Dataset, binarize: Binarize) -> Self {
        // As the examples do: binary data stays unchanged.
        let binarize = if data.domain == Domain::Binary { Binarize::None } else { binarize };
        let domain = if binarize == Binarize::None { data.domain } else { Domain::Binary };
        let (kinds, categories) = kinds(data);
        let is_number = |(i, name): (usize, &String)| *name == i.to_string();
        let numbers = data.class_names.iter().enumerate().all(is_number);
        Self {
            name: data.name.clone(),
            binarize: binarize.to_string(),
            all_train: false,
            fold: None,
            resize: None,
            gray: false,
            background: None,
            fingerprint: data.fingerprint(),
            domain: match domain {
                Domain::Binary => "binary",
                Domain::Levels(_) => "levels",
                Domain::Real => "real",
            }
            .to_owned(),
            levels: match domain {
                Domain::Levels(n) => n,
                _ => 0,
            },
            shape: data.shape.dims().to_vec(),
            classes: data.classes(),
            columns: data.column_names.clone(),
            kinds,
            offset: Vec::new(),
            scale: Vec::new(),
            histogram: Vec::new(),
            decimals: if domain == Domain::Real { decimals(data) } else { Vec::new() },
            categories,
            censored: Vec::new(),
            text: TextOptions::default(),
            image: None,
            asked_levels: None,
            class: None,
            no_labels: false,
            chosen: false,
            whole: false,
            real: false,
            precision: if domain == Domain::Real { DOUBLE } else { SINGLE }.to_owned(),
            data_dir: None,
            path: None,
            class_names: if numbers { Vec::new() } else { data.class_names.clone() },
        }
    }

    /// The keys of the table `data`.
    pub(super) const KEYS: [&str; 32] = [
        "name",
        "path",
        "data_dir",
        "binarize",
        "all_train",
        "fold",
        "resize",
        "grey",
        "background",
        "image",
        "asked_levels",
        "class",
        "no_labels",
        "chosen",
        "whole",
        "real",
        "precision",
        "fingerprint",
        "domain",
        "levels",
        "shape",
        "classes",
        "columns",
        "censored",
        "class_names",
        "kinds",
        "offset",
        "scale",
        "histogram",
        "decimals",
        "text",
        "categories",
    ];

    /// The names of the entries of an example: a table's columns, or x0, x1, ….
    pub fn column_names(&self) -> Vec<String> {
        if self.columns.is_empty() {
            (0..self.shape.iter().product()).map(|i| format!("x{i}")).collect()
        } else {
            self.columns.clone()
        }
    }

    /// Stores where the data was found: a known name unchanged; of a path, the file name and the
    /// absolute path.
    pub(super) fn set_place(&mut self, place: &str, data_dir: Option<&Path>) {
        place.clone_into(&mut self.name);
        if ancestral_data::is_known(place) {
            self.data_dir = data_dir.and_then(|folder| folder.canonicalize().ok());
        }
        if let Ok(path) = Path::new(place).canonicalize()
            && !ancestral_data::is_known(place)
        {
            if let Some(name) = path.file_name() {
                self.name = name.to_string_lossy().into_owned();
            }
            self.path = Some(path);
        }
    }

    /// The path or name that opens the data: the path where it was found, else its name.
    pub fn place(&self) -> String {
        self.path.as_ref().map_or_else(|| self.name.clone(), |path| path.display().to_string())
    }

    /// Whether the data is found under this name or path.
    pub(super) fn is_at(&self, name: &str) -> bool {
        let full = |path: &Path| path.canonicalize().ok();
        name == self.place()
            || self
                .path
                .as_deref()
                .and_then(full)
                .is_some_and(|own| full(Path::new(name)) == Some(own))
    }

    /// The number of a class, given by name, or by number if no class has a number for a name.
    ///
    /// # Errors
    /// If there is no such class, with the names of all.
    pub fn class(&self, text: &str) -> Result<u32> {
        if let Some(at) = self.class_names.iter().position(|name| name == text) {
            return Ok(at as u32);
        }
        let last = self.classes.saturating_sub(1);
        let numbered = self.class_names.iter().any(|name| name.parse::<f64>().is_ok());
        let number = text.parse().ok().filter(|_| !numbered);
        number.ok_or_else(|| {
            let names = listed(&self.class_names);
            let allowed = match (self.class_names.is_empty(), numbered) {
                (true, _) => format!("give a number from 0 to {last}"),
                (false, true) => format!("give one of the names {names}"),
                (false, false) => format!("give a number from 0 to {last}, or a name: {names}"),
            };
            Error::setting("class", format!("'{text}'"), allowed)
        })
    }

    /// The number of each class among those of another run: by name, or by number where one of them has
    /// no names; `None` if one is not among them.
    pub(super) fn classes_among(&self, other: &Self) -> Option<Vec<u32>> {
        let by_number = self.class_names.is_empty() || other.class_names.is_empty();
        if by_number && self.classes == other.classes {
            return Some((0..self.classes as u32).collect());
        }
        let name = |class: usize| {
            self.class_names.get(class).cloned().unwrap_or_else(|| class.to_string())
        };
        (0..self.classes).map(|class| other.place_of_class(&name(class))).collect()
    }

    /// The number of the class with this name.
    fn place_of_class(&self, name: &str) -> Option<u32> {
        if !self.class_names.is_empty() {
            return self.class_names.iter().position(|own| own == name).map(|at| at as u32);
        }
        // Runs of format 1 took 01 and 1.0 for the class 1.
        let value = name.parse::<f64>().ok().filter(|value| value.fract() == 0.0 && *value >= 0.0);
        value.filter(|&value| value < self.classes as f64).map(|value| value as u32)
    }

    /// Other data with its labels renumbered to those of this data, by the names of classes (or
    /// their numbers, where they have no names).
    ///
    /// # Errors
    /// If an example has a class that this data lacks.
    pub fn relabel(&self, data: Dataset) -> Result<Dataset> {
        let found = data.classes();
        let name = |class: usize| {
            data.class_names.get(class).cloned().unwrap_or_else(|| class.to_string())
        };
        let given: Vec<String> = (0..found).map(name).collect();
        let words = given.iter().all(|name| name.parse::<f64>().is_err());
        if self.class_names.is_empty() && words && found == self.classes {
            // Runs of format 1 need not have stored the names.
            return Ok(data);
        }
        let places: Vec<Option<u32>> = given.iter().map(|name| self.place_of_class(name)).collect();
        if places.iter().enumerate().all(|(at, place)| *place == Some(at as u32)) {
            return Ok(data);
        }
        let renamed = |&label: &u32| {
            places.get(label as usize).copied().flatten().ok_or_else(|| {
                let own = match self.class_names.is_empty() {
                    true => format!("0 to {}", self.classes.saturating_sub(1)),
                    false => listed(&self.class_names),
                };
                Error::UnsuitableData {
                    model: "the run".to_owned(),
                    problem: {
                        let class = given.get(label as usize).cloned();
                        let class = class.unwrap_or_else(|| label.to_string());
                        let line = data.line_of(&Sought::Label(class.clone()));
                        let place = line.map_or(String::new(), |line| format!("line {line}: "));
                        format!(
                            "{place}an example is of class {class}, and the classes of the run are {own}"
                        )
                    },
                }
            })
        };
        let mut relabeled = data.map_splits(data.domain, data.shape.clone(), |split| {
            let labels = split.labels.as_ref();
            let labels = labels.map(|labels| labels.iter().map(renamed).collect::<Result<_>>());
            Ok::<_, Error>(Split { values: split.values.clone(), labels: labels.transpose()? })
        })?;
        // Of numbers, as many as there are labels.
        relabeled.class_names = match self.class_names.is_empty() {
            true => (0..=places.iter().flatten().copied().max().unwrap_or(0))
                .map(|class| class.to_string())
                .collect(),
            false => self.class_names.clone(),
        };
        Ok(relabeled)
    }

    /// Other data with its columns in the order of this data's, by their names, and with the numbers
    /// of its categories.
    ///
    /// # Errors
    /// Naming the first column that is missing or unknown, of another kind, or with a category that this
    /// data lacks.
    pub fn align(&self, data: Dataset) -> Result<Dataset> {
        let data = self.in_order(data)?;
        self.with_own_categories(data)
    }

    fn in_order(&self, mut data: Dataset) -> Result<Dataset> {
        let unsuitable =
            |problem: String| Err(Error::UnsuitableData { model: "the run".to_owned(), problem });
        let (own, found) = (&self.columns, &data.column_names);
        let repeated = (1..own.len()).any(|at| own[..at].contains(&own[at]));
        if own == found && !own.is_empty() || data.shape.as_image().is_some() {
            return Ok(data);
        }
        if own.is_empty() || found.is_empty() || repeated {
            // Arrays have no names anywhere.
            if own.is_empty() && data.columns.is_empty() {
                return Ok(data);
            }
            let whose = match (own.is_empty(), repeated) {
                (_, true) => "the columns of the run have the same name twice",
                (true, _) => "the columns of the run have no names",
                _ => "the columns of the data have no names",
            };
            let n = data.shape.size();
            data.notes.push(format!("{whose}, so that {n} columns were matched by their order"));
            return Ok(data);
        }
        if let Some(name) = own.iter().find(|name| !found.contains(name)) {
            let alike = found.iter().any(|other| ancestral_data::are_alike(name, other));
            let accents = if alike {
                " (one looks like it and has other characters, as accents in NFC or NFD)"
            } else {
                ""
            };
            return unsuitable(format!(
                "column '{name}' of the run is missing; the columns of the data are {}{accents}",
                listed(found)
            ));
        }
        if let Some(name) = found.iter().find(|name| !own.contains(name)) {
            return unsuitable(format!(
                "column '{name}' is not one of the run's columns, {}",
                listed(own)
            ));
        }
        let place = |name: &String| found.iter().position(|other| other == name).unwrap_or(0);
        let order: Vec<usize> = own.iter().map(place).collect();
        Ok(data.select_columns(&order)?)
    }

    fn with_own_categories(&self, data: Dataset) -> Result<Dataset> {
        let names = self.column_names();
        let unsuitable =
            |problem: String| Error::UnsuitableData { model: "the run".to_owned(), problem };
        let mut changes: Vec<Option<Vec<f64>>> = Vec::new();
        let line_of = |sought: Sought| {
            data.line_of(&sought).map_or(String::new(), |line| format!("line {line}: "))
        };
        for (entry, (column, name)) in data.columns.iter().zip(&names).enumerate() {
            let words = column.kind == ColumnType::Category;
            let own = self.categories.get(name);
            changes.push(match (words, own) {
                (false, None) => None,
                (true, None) => {
                    return Err(unsuitable(format!(
                        "column '{name}' holds words, such as '{}', and that of the run numbers",
                        column.categories.first().map_or("", String::as_str)
                    )));
                }
                (false, Some(own)) => {
                    return Err(unsuitable(format!(
                        "column '{name}' holds numbers, and that of the run words: {}",
                        listed(own)
                    )));
                }
                (true, Some(own)) => {
                    let place = |word: &String| {
                        let at = own.iter().position(|own| own == word);
                        at.map(|at| at as f64).ok_or_else(|| {
                            unsuitable(format!(
                                "{}'{word}' in column '{name}' is none of the run's categories, {}",
                                line_of(Sought::Word { column: entry, word: word.clone() }),
                                listed(own)
                            ))
                        })
                    };
                    Some(column.categories.iter().map(place).collect::<Result<_>>()?)
                }
            });
        }
        if changes.iter().all(Option::is_none) {
            return Ok(data);
        }
        let same = |change: &Vec<f64>| change.iter().enumerate().all(|(at, &to)| to == at as f64);
        let renumber = |split: &Split| {
            // Two words alone may be bits.
            let mut values = match &split.values {
                Values::Reals(values) => values.clone(),
                Values::Bytes(values) => values.iter().map(|&value| value.into()).collect(),
            };
            for row in values.chunks_exact_mut(changes.len()) {
                for (value, change) in row.iter_mut().zip(&changes) {
                    if let Some(change) = change {
                        *value = change[*value as usize];
                    }
                }
            }
            Ok::<_, Error>(Split { values: Values::Reals(values), labels: split.labels.clone() })
        };
        let mut aligned = match changes.iter().flatten().all(same) {
            true => data,
            false => data.map_splits(Domain::Real, data.shape.clone(), renumber)?,
        };
        for (column, name) in aligned.columns.iter_mut().zip(&names) {
            if let Some(own) = self.categories.get(name) {
                column.categories.clone_from(own);
            }
        }
        Ok(aligned)
    }

    /// Other data in the order of this data's columns and classes, where both have the same names; else
    /// unchanged.
    ///
    /// # Errors
    /// If the data cannot be changed.
    pub(super) fn like_own(&self, data: Dataset) -> Result<Dataset> {
        let data = self.align(data.clone()).unwrap_or(data);
        Ok(self.relabel(data.clone()).unwrap_or(data))
    }

    /// How the data, or other data for the run, is opened.
    pub(super) fn options(&self, data_dir: Option<&Path>, seed: u64) -> OpenOptions {
        // Where it was found, as long as it is there.
        let remembered = self.data_dir.as_ref().filter(|folder| folder.is_dir());
        OpenOptions {
            data_dir: data_dir.map(Path::to_path_buf).or_else(|| remembered.cloned()),
            seed,
            resize: self.resize.map(|[h, w]| (h, w)),
            gray: self.gray,
            background: self.background,
            image_shape: self.image.map(|[h, w, c]| [c, h, w]),
            levels: self.asked_levels,
            no_labels: self.no_labels,
            columns: if self.chosen { self.columns.clone() } else { Vec::new() },
            real: self.real,
            text: self.text.clone(),
            ..OpenOptions::default()
        }
    }

    /// Other data in the precision that the run reads its own in.
    ///
    /// # Errors
    /// If a value is beyond it.
    pub(super) fn in_precision(&self, data: Dataset) -> Result<Dataset> {
        match is_single(&self.precision) && self.domain == "real" {
            true => Ok(data.in_single_precision()?),
            false => Ok(data),
        }
    }

    /// Censored rows in the columns of those that a distribution was fitted to; `None` if its rows are
    /// values.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(super) fn censored_rows(
        &self,
        place: &str,
        data_dir: Option<&Path>,
        seed: u64,
    ) -> Result<Option<CensoredRows>> {
        if self.censored.is_empty() {
            return Ok(None);
        }
        CensoredRows::read(place, &self.censored, &self.options(data_dir, seed)).map(Some)
    }

    /// Reopens the data and checks that it is unchanged.
    ///
    /// # Errors
    /// If it is not found, cannot be read, or has changed.
    pub fn open(&self, data_dir: Option<&Path>, seed: u64) -> Result<Dataset> {
        let options = OpenOptions {
            all_train: self.all_train,
            fold: self.fold,
            whole: self.whole,
            // Runs of format 1 have no classes where an image is in no class folder.
            no_labels: self.class.is_none() && (self.no_labels || self.classes == 0),
            expected: Expected { columns: self.columns.clone(), ..Expected::default() },
            ..self.options(data_dir, seed)
        };
        let place = self.place();
        let changed = |found: String, problem: String| Error::DataChanged {
            rule: if is_single(&self.precision) { new_rules(&place) } else { String::new() },
            data: place.clone(),
            found,
            expected: self.fingerprint.clone(),
            problem,
        };
        let is_own = |data: &Dataset| {
            let found = [data.fingerprint(), data.fingerprint_in_single_precision()];
            found.contains(&self.fingerprint)
        };
        let read = match self.censored_rows(&place, data_dir, seed)? {
            Some(rows) => rows.data(&self.name, &self.columns.concat())?,
            None => {
                let read = ancestral_data::open(&place, &options)?;
                // A first line of numbers was data for earlier versions where it is a header now.
                let without = TextOptions { header: Some(false), ..options.text.clone() };
                let may_be = self.columns.is_empty() && options.text.header.is_none();
                if may_be && ancestral_data::is_table(&place) && !is_own(&read) {
                    let options = OpenOptions { text: without, ..options.clone() };
                    match ancestral_data::open(&place, &options) {
                        Ok(data) if is_own(&data) => data,
                        _ => read,
                    }
                } else {
                    read
                }
            }
        };
        let read = match &self.class {
            Some(class) => read.of_class(class)?,
            None => read,
        };
        let found = read.fingerprint();
        let aligned = self.align(read).and_then(|data| self.relabel(data));
        let mut data = match aligned {
            Ok(data) => data,
            Err(Error::UnsuitableData { problem, .. }) => return Err(changed(found, problem)),
            Err(other) => return Err(other),
        };
        let found = data.fingerprint();
        if found != self.fingerprint && data.fingerprint_in_single_precision() != self.fingerprint {
            return Err(changed(found, String::new()));
        }
        // They were said when the run was trained.
        data.notes.clear();
        self.in_precision(data)
    }

    /// The specification of the data, for building a model.
    ///
    /// # Errors
    /// If the domain is unknown.
    pub fn spec(&self) -> Result<DataSpec> {
        let domain = match self.domain.as_str() {
            "binary" => Domain::Binary,
            "levels" if self.levels < 2 => {
                return Err(Error::setting("data.levels", self.levels, "give 2 or more"));
            }
            "levels" => Domain::Levels(self.levels),
            "real" => Domain::Real,
            other => {
                return Err(Error::setting(
                    "data.domain",
                    format!("'{other}'"),
                    "binary, levels or real was expected",
                ));
            }
        };
        let entries = self.shape.iter().try_fold(1usize, |size, &side| size.checked_mul(side));
        if entries.is_none_or(|entries| entries == 0 || entries > MOST_ENTRIES) {
            return Err(Error::setting(
                "data.shape",
                format!("{:?}", self.shape),
                format!("an example has 1 to {MOST_ENTRIES} entries"),
            ));
        }
        let shape = Shape::from(self.shape.clone());
        let mut spec = DataSpec::new(domain, shape, self.classes);
        spec.names.clone_from(&self.columns);
        spec.class_names.clone_from(&self.class_names);
        let standardized = !(self.offset.is_empty() && self.scale.is_empty());
        let fits = |list: &[f64]| list.len() == spec.size() && list.iter().all(|v| v.is_finite());
        if standardized
            && !(domain == Domain::Real
                && fits(&self.offset)
                && fits(&self.scale)
                && self.scale.iter().all(|&v| v > 0.0))
        {
            let allowed = format!(
                "give a finite offset and a positive scale for each of {} real columns, or neither",
                spec.size()
            );
            return Err(Error::setting("data.scale", format!("{:?}", self.scale), allowed));
        }
        spec.offset.clone_from(&self.offset);
        spec.scale.clone_from(&self.scale);
        if !self.histogram.is_empty() && self.histogram.len() != self.levels as usize {
            return Err(Error::setting(
                "data.histogram",
                format!("{} counts", self.histogram.len()),
                format!("give one count for each of {} levels, or none", self.levels),
            ));
        }
        spec.histogram.clone_from(&self.histogram);
        if !self.kinds.is_empty() {
            let kinds = self.kinds.iter().map(|kind| {
                let wrong = |e: UnknownKind| Error::setting("data.kinds", kind, e.to_string());
                kind.parse().map_err(wrong)
            });
            let kinds = kinds.collect::<Result<Vec<_>>>()?;
            if kinds.len() != spec.size() {
                let allowed = format!("give one kind for each of {} columns", spec.size());
                return Err(Error::setting("data.kinds", kinds.len(), allowed));
            }
            spec.columns = Columns::Each(kinds);
        }
        Ok(spec)
    }
}

/// Names as a phrase, the first of many.
fn listed(names: &[String]) -> String {
    let some: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
    format!("{}{}", some.join(", "), if names.len() > some.len() { ", …" } else { "" })
}

/// The kinds of columns, if words are among them, and the names of their categories.
fn kinds(data: &Dataset) -> (Vec<String>, BTreeMap<String, Vec<String>>) {
    let words = |column: &Column| column.kind == ColumnType::Category;
    if !data.columns.iter().any(words) {
        return (Vec::new(), BTreeMap::new());
    }
    let kind = |column: &Column| match words(column) {
        true => ColumnKind::Category(column.categories.len().max(2) as u32).as_word(),
        false => ColumnKind::Real.as_word(),
    };
    let name = |at: usize| data.column_names.get(at).cloned().unwrap_or_else(|| format!("x{at}"));
    let columns = data.columns.iter().enumerate().filter(|(_, column)| words(column));
    let categories = columns.map(|(at, column)| (name(at), column.categories.clone())).collect();
    (data.columns.iter().map(kind).collect(), categories)
}

/// The decimals of columns of text, if there are any to round to.
fn decimals(data: &Dataset) -> Vec<i32> {
    data.columns.iter().map(|column| column.decimals.map_or(-1, i32::from)).collect()
}

/// The rules of reading that have changed since format 1, for data at this place.
fn new_rules(place: &str) -> String {
    let path = Path::new(place);
    if path.is_dir() || place.ends_with(".tar") || place.ends_with(".tgz") {
        "since format 1, hidden folders are passed over, more formats of images are read, the EXIF \
         orientation is applied, and only first-level folders are classes"
            .to_owned()
    } else if ancestral_data::is_table(path) {
        "since format 1, a first column without a name that numbers the rows is left out, the # before \
         a header is taken off, and columns of reals named label, class or target are entries"
            .to_owned()
    } else {
        String::new()
    }
}

/// Everything that determines a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// The format of the folder.
    pub format: u32,
    /// The version of the program that started it.
    pub version: String,
    /// The command as it was typed.
    pub command: String,
    /// The model's name.
    pub model: String,
    /// The preset, if one was used.
    #[serde(default)]
    pub preset: String,
    /// The seed of all random numbers; stored as text from 2⁶³ on, where TOML's numbers end.
    #[serde(with = "seed")]
    pub seed: u64,
    /// The fingerprint of the feature network that selected the checkpoint by its samples, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluator: Option<String>,
    /// The run whose weights this one started from, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The run whose latent codes of the data were clustered, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<String>,
    /// The data.
    pub data: DataConfig,
    /// The model's settings.
    pub settings: Table,
    /// The training settings.
    #[serde(deserialize_with = "settings::deserialize")]
    pub train: TrainConfig,
    /// How training ended, in a packed run, whose events are elsewhere, or the evaluation of a fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<RunResult>,
}

/// How far a run was trained, and its metrics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunResult {
    /// Steps.
    pub step: u64,
    /// Epochs.
    pub epoch: f64,
    /// Seconds of training.
    pub seconds: f64,
    /// Whether it used up its budget.
    pub finished: bool,
    /// The name of the validation metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<String>,
    /// Its best value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_validation: Option<f64>,
    /// The negative log-likelihood of the test split, in nats per example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_nll_nats: Option<f64>,
    /// The number of test examples that it is the mean over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_n: Option<u64>,
    /// Of a fitted model, the negative log-likelihood of the training split, in nats per example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_nll_nats: Option<f64>,
    /// The number of training examples that it is the mean over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_n: Option<u64>,
}

/// Which feature network evaluates the samples of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ByNetwork {
    /// The built-in one for its data.
    OfData,
    /// The one with this fingerprint.
    Of(String),
    /// None.
    None,
}

/// A seed as a number where TOML can represent it, else as text.
pub(super) mod seed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::settings::Seed;

    pub(in crate::run) fn serialize<S: Serializer>(
        seed: &u64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Seed(*seed).serialize(serializer)
    }

    pub(in crate::run) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        Seed::deserialize(from).map(|seed| seed.0)
    }

    /// The same for an optional seed.
    pub(in crate::run) fn optional<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<u64>, D::Error> {
        deserialize(from).map(Some)
    }
}
