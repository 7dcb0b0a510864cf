//! What makes a run: the settings of the loop, the data, the model.

use std::path::Path;

use ancestral_data::{
    Background, Binarize, Dataset, Domain, OpenOptions, Shape, Split, SplitName, Values,
};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::optim::{OptimizerConfig, Rule, Schedule, ScheduleName};
use crate::settings::{Settings, above, above_to};
use crate::spec::DataSpec;
use crate::{Error, Result, settings};

settings! {
    /// Settings of the training loop.
    pub struct TrainConfig {
        /// Examples a batch.
        pub batch_size: usize = 100, in 1.., unit "examples";
        /// Budget in passes over the training split; 0 for none.
        pub epochs: u64 = 100, unit "epochs";
        /// Budget in steps; 0 for none.
        pub steps: u64 = 0, unit "steps";
        /// Budget in seconds of training; 0 for none.
        pub seconds: f64 = 0.0, in 0.0.., unit "seconds";
        /// Update rule.
        pub optimizer: Rule = Rule::Adam, stored "optimiser";
        /// Base learning rate.
        pub learning_rate: f64 = 1e-3, in above(0.0);
        /// Decay of the first moment (adam, adamw).
        pub beta1: f64 = 0.9, in 0.0..1.0;
        /// Decay of the second moment (adam, adamw) or of the mean squares (rmsprop, adadelta).
        pub beta2: f64 = 0.999, in 0.0..1.0;
        /// Added to the root of the second moment, for adadelta under its roots.
        pub epsilon: f64 = 1e-8, in 0.0..;
        /// Momentum (sgd).
        pub momentum: f64 = 0.9, in 0.0..1.0;
        /// Whether the momentum looks ahead (sgd), as Nesterov's does.
        pub nesterov: bool = false;
        /// Decoupled weight decay (adamw), per step and unit of learning rate.
        pub weight_decay: f64 = 0.01, in 0.0..;
        /// Largest global norm of the gradient; 0 for no clipping.
        pub clip_norm: f64 = 0.0, in 0.0..;
        /// Decay of the moving average of the weights that evaluation uses; 0 for none.
        pub average_decay: f64 = 0.0, in 0.0..1.0;
        /// Learning-rate schedule.
        pub schedule: ScheduleName = ScheduleName::Constant;
        /// Epochs between the drops of the step schedule.
        pub step_epochs: u64 = 30, in 1.., unit "epochs";
        /// Factor of each drop of the step schedule.
        pub step_gamma: f64 = 0.1, in above_to(0.0, 1.0);
        /// Decay c of the inverse schedule, whose factor is 1 / (1 + c · epoch).
        pub inverse_decay: f64 = 0.0, in 0.0..;
        /// Epochs between validations; 0 for none.
        pub validate_every: u64 = 1, unit "epochs";
        /// Validations without improvement after which the run ends; 0 for never.
        pub patience: u64 = 0;
        /// Seconds between checkpoints.
        pub checkpoint_seconds: f64 = 30.0, in 0.0.., unit "seconds";
        /// Samples drawn for each image of progress; 0 for none.
        pub sample_count: usize = 64, in 0..=1024, unit "samples";
    }
}

/// How long a run trains; the first limit that is reached ends it, and 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// Passes over the training split.
    pub epochs: u64,
    /// Steps.
    pub steps: u64,
    /// Seconds of training, over all sessions.
    pub seconds: f64,
}

impl TrainConfig {
    /// Checks every setting before any work starts.
    ///
    /// # Errors
    /// Naming the first one that is not allowed.
    pub fn check(&self) -> Result<()> {
        self.check_values()?;
        if self.epochs == 0 && self.steps == 0 && self.seconds == 0.0 {
            return Err(Error::setting("epochs", 0, "give a budget in epochs, steps or seconds"));
        }
        if self.optimizer == Rule::Adadelta && self.epsilon == 0.0 {
            let why = "it must be above 0 for adadelta, which never moves without it";
            return Err(Error::setting("epsilon", self.epsilon, why));
        }
        Ok(())
    }

    /// How the loop updates weights.
    pub fn optimizer_config(&self) -> OptimizerConfig {
        OptimizerConfig {
            rule: self.optimizer,
            learning_rate: self.learning_rate,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            momentum: self.momentum,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
            clip_norm: self.clip_norm,
            average_decay: self.average_decay,
        }
    }

    /// How the learning rate changes over the run.
    pub fn schedule(&self) -> Schedule {
        match self.schedule {
            ScheduleName::Constant => Schedule::Constant,
            ScheduleName::Linear => Schedule::Linear,
            ScheduleName::Cosine => Schedule::Cosine,
            ScheduleName::Step => {
                Schedule::Step { epochs: self.step_epochs as f64, gamma: self.step_gamma }
            }
            ScheduleName::Inverse => Schedule::Inverse { decay: self.inverse_decay },
            ScheduleName::Burda => Schedule::Burda,
        }
    }

    /// Reads the group from a table and checks it.
    ///
    /// # Errors
    /// As [`Settings::from_table`] and [`TrainConfig::check`].
    pub fn parse(table: &Table) -> Result<Self> {
        let config = Self::from_table(table)?;
        config.check()?;
        Ok(config)
    }
}

/// Entries of an example at most.
const MOST_ENTRIES: usize = 1 << 31;

/// The format of run folders that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// The data of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    /// A known name, or a path.
    pub name: String,
    /// none, threshold, static or dynamic.
    pub binarize: String,
    /// Whether the validation examples are trained on too (they still choose the checkpoint).
    #[serde(default)]
    pub all_train: bool,
    /// The fold of the table that was kept for testing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<u32>,
    /// Height and width that images were resized to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<[usize; 2]>,
    /// Whether colours were turned to grey.
    #[serde(default)]
    pub grey: bool,
    /// What transparent pixels show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Background>,
    /// SHA-256 of what was read.
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
}

impl DataConfig {
    /// Describes a data set as a model will see it.
    ///
    /// # Errors
    /// If the binarisation is unknown or does not suit the data.
    pub fn describe(data: &Dataset, binarize: Binarize) -> Self {
        // As the examples do it: what is binary already stays as it is.
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
            grey: false,
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
            class_names: if numbers { Vec::new() } else { data.class_names.clone() },
        }
    }

    /// The number of a class that is given by it or by name.
    ///
    /// # Errors
    /// If there is no such class, naming those there are.
    pub fn class(&self, text: &str) -> Result<u32> {
        if let Some(at) = self.class_names.iter().position(|name| name == text) {
            return Ok(at as u32);
        }
        text.parse().map_err(|_| {
            let some: Vec<&str> = self.class_names.iter().take(20).map(String::as_str).collect();
            let more = if self.class_names.len() > some.len() { ", …" } else { "" };
            let names = match some.len() {
                0 => String::new(),
                _ => format!(", or a name: {}{more}", some.join(", ")),
            };
            let allowed = format!("give a number from 0{names}");
            Error::setting("class", format!("'{text}'"), allowed)
        })
    }

    /// Other data with its labels numbered as those of this data: by the names of classes, which are
    /// their numbers where they have none.
    ///
    /// # Errors
    /// If an example is of a class that this data does not have.
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
        let mut relabelled =
            Dataset::new(data.name.clone(), data.domain, shape, train, valid, test)?;
        relabelled.class_names = own;
        relabelled.column_names = data.column_names.clone();
        Ok(relabelled)
    }

    /// Opens the data again and checks that it is the same.
    ///
    /// # Errors
    /// If it is not found, not readable, or has changed.
    pub fn open(&self, data_dir: Option<&Path>, seed: u64) -> Result<Dataset> {
        let options = OpenOptions {
            data_dir: data_dir.map(Path::to_path_buf),
            seed,
            resize: self.resize.map(|[h, w]| (h, w)),
            grey: self.grey,
            background: self.background,
            all_train: self.all_train,
            fold: self.fold,
            ..OpenOptions::default()
        };
        let data = ancestral_data::open(&self.name, &options)?;
        let found = data.fingerprint();
        if found != self.fingerprint {
            return Err(Error::run(
                &self.name,
                format!(
                    "is not the data of the run any more: its fingerprint begins {} and was {}; \
                     give the data as it was, or evaluate on it with --data",
                    &found[..12.min(found.len())],
                    &self.fingerprint[..12.min(self.fingerprint.len())]
                ),
            ));
        }
        Ok(data)
    }

    /// What a model is made for.
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
        Ok(DataSpec { names: self.columns.clone(), ..DataSpec::new(domain, shape, self.classes) })
    }
}

/// All that made a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// The format of the folder.
    pub format: u32,
    /// The version of the program that began it.
    pub version: String,
    /// The command as it was typed.
    pub command: String,
    /// The model's name.
    pub model: String,
    /// The preset, if one was used.
    #[serde(default)]
    pub preset: String,
    /// The seed of everything drawn.
    pub seed: u64,
    /// The run whose weights this one started from, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The data.
    pub data: DataConfig,
    /// The model's settings.
    pub settings: Table,
    /// The loop's settings.
    #[serde(deserialize_with = "settings::deserialize")]
    pub train: TrainConfig,
}

/// Other data as a model takes it: of its shape, and of its domain where that loses nothing.
///
/// `binarized` says that levels will be binarised on the way.
///
/// # Errors
/// If the data cannot be what the model was made for, saying why.
pub fn adapt(data: Dataset, spec: &DataSpec, binarized: bool) -> Result<Dataset> {
    let unsuitable =
        |problem: String| Error::UnsuitableData { model: "the run".to_owned(), problem };
    if data.shape.size() != spec.shape.size() {
        return Err(unsuitable(format!(
            "examples of {} ({} entries) were given and {} ({}) were expected",
            data.shape,
            data.shape.size(),
            spec.shape,
            spec.shape.size()
        )));
    }
    // The same kind of file may show fewer levels, and a table holds levels as plain numbers; the
    // values are checked below.
    let wanted =
        spec.domain().ok_or_else(|| unsuitable("its columns are of several kinds".to_owned()))?;
    let domain = match (data.domain, wanted) {
        (Domain::Levels(n), Domain::Binary) if binarized => Domain::Levels(n),
        (_, wanted) => wanted,
    };
    let convert = |name| -> Result<Option<Split>> {
        let Ok(split) = data.split(name) else { return Ok(None) };
        let values = match (&split.values, domain.max_level()) {
            (Values::Bytes(v), None) => Values::Reals(v.iter().map(|&x| f32::from(x)).collect()),
            (Values::Reals(v), Some(most)) => {
                let level = |x: f32| x.fract() == 0.0 && x >= 0.0 && f64::from(x) <= most.into();
                if let Some(i) = v.iter().position(|&x| !level(x)) {
                    let size = spec.shape.size();
                    let column = match data.column_names.get(i % size) {
                        Some(name) => format!("'{name}'"),
                        None => (i % size).to_string(),
                    };
                    return Err(unsuitable(format!(
                        "row {}, column {column}: {} was given and {domain} entries were \
                         expected, which are whole numbers from 0 to {most}",
                        i / size,
                        v[i]
                    )));
                }
                Values::Bytes(v.iter().map(|&x| x as u8).collect())
            }
            (values, _) => values.clone(),
        };
        Ok(Some(Split { values, labels: split.labels.clone() }))
    };
    let Some(train) = convert(SplitName::Train)? else { return Ok(data) };
    let mut adapted = Dataset::new(
        data.name.clone(),
        domain,
        spec.shape.clone(),
        train,
        convert(SplitName::Valid)?,
        convert(SplitName::Test)?,
    )?;
    adapted.class_names = data.class_names.clone();
    adapted.column_names = data.column_names.clone();
    Ok(adapted)
}
