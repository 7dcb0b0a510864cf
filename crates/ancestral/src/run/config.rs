//! Everything that determines a run, as `config.toml` stores it.

use std::path::{Path, PathBuf};

use ancestral_data::{Background, Binarize, Dataset, Domain, OpenOptions, Shape, Split, SplitName};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::columns::UnknownKind;
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
            kinds: Vec::new(),
            offset: Vec::new(),
            scale: Vec::new(),
            path: None,
            class_names: if numbers { Vec::new() } else { data.class_names.clone() },
        }
    }

    /// The keys of the table `data`.
    pub(super) const KEYS: [&str; 18] = [
        "name",
        "path",
        "binarize",
        "all_train",
        "fold",
        "resize",
        "grey",
        "background",
        "fingerprint",
        "domain",
        "levels",
        "shape",
        "classes",
        "columns",
        "class_names",
        "kinds",
        "offset",
        "scale",
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
    pub(super) fn set_place(&mut self, place: &str) {
        place.clone_into(&mut self.name);
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

    /// The number of a class, given by number or by name.
    ///
    /// # Errors
    /// If there is no such class, with the names of all.
    pub fn class(&self, text: &str) -> Result<u32> {
        if let Some(at) = self.class_names.iter().position(|name| name == text) {
            return Ok(at as u32);
        }
        let last = self.classes.saturating_sub(1);
        text.parse().map_err(|_| {
            let some: Vec<&str> = self.class_names.iter().take(20).map(String::as_str).collect();
            let more = if self.class_names.len() > some.len() { ", …" } else { "" };
            let names = match some.len() {
                0 => String::new(),
                _ => format!(", or a name: {}{more}", some.join(", ")),
            };
            let allowed = format!("give a number from 0 to {last}{names}");
            Error::setting("class", format!("'{text}'"), allowed)
        })
    }

    /// Other data with its labels renumbered to those of this data, by the names of classes (or
    /// their numbers, where they have no names).
    ///
    /// # Errors
    /// If an example has a class that this data lacks.
    pub fn relabel(&self, data: Dataset) -> Result<Dataset> {
        let name = |names: &[String], class: u32| {
            names.get(class as usize).cloned().unwrap_or_else(|| class.to_string())
        };
        let own: Vec<String> =
            (0..self.classes as u32).map(|class| name(&self.class_names, class)).collect();
        let renamed = |&label: &u32| {
            let given = name(&data.class_names, label);
            let found = own.iter().position(|own| *own == given);
            found.map(|class| class as u32).ok_or_else(|| {
                let some: Vec<&str> = own.iter().take(20).map(String::as_str).collect();
                let more = if own.len() > some.len() { ", …" } else { "" };
                let known = format!("the classes of the run are {}{more}", some.join(", "));
                Error::UnsuitableData {
                    model: "the run".to_owned(),
                    problem: format!("an example is of class {given}, and {known}"),
                }
            })
        };
        let convert = |split: SplitName| -> Result<Option<Split>> {
            let Ok(split) = data.split(split) else { return Ok(None) };
            let labels = split.labels.as_ref();
            let labels = labels.map(|labels| labels.iter().map(renamed).collect::<Result<_>>());
            Ok(Some(Split { values: split.values.clone(), labels: labels.transpose()? }))
        };
        let Some(train) = convert(SplitName::Train)? else { return Ok(data) };
        let (valid, test) = (convert(SplitName::Valid)?, convert(SplitName::Test)?);
        let shape = data.shape.clone();
        let mut relabeled =
            Dataset::new(data.name.clone(), data.domain, shape, train, valid, test)?;
        relabeled.class_names = own;
        relabeled.column_names = data.column_names.clone();
        Ok(relabeled)
    }

    /// Reopens the data and checks that it is unchanged.
    ///
    /// # Errors
    /// If it is not found, cannot be read, or has changed.
    pub fn open(&self, data_dir: Option<&Path>, seed: u64) -> Result<Dataset> {
        let options = OpenOptions {
            data_dir: data_dir.map(Path::to_path_buf),
            seed,
            resize: self.resize.map(|[h, w]| (h, w)),
            gray: self.gray,
            background: self.background,
            all_train: self.all_train,
            fold: self.fold,
            ..OpenOptions::default()
        };
        let place = self.place();
        let data = ancestral_data::open(&place, &options)?;
        let found = data.fingerprint();
        if found != self.fingerprint {
            let expected = self.fingerprint.clone();
            return Err(Error::DataChanged { data: place, found, expected });
        }
        Ok(data)
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
        if !(self.offset.is_empty() && self.scale.is_empty()) {
            let allowed =
                "this version does not support columns that are standardized before the model";
            return Err(Error::setting("data.scale", format!("{:?}", self.scale), allowed));
        }
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
    /// The data.
    pub data: DataConfig,
    /// The model's settings.
    pub settings: Table,
    /// The training settings.
    #[serde(deserialize_with = "settings::deserialize")]
    pub train: TrainConfig,
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
