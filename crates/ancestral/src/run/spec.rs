//! Specifications of runs, from code, a file of settings or flags, and how these are resolved.

use std::path::{Path, PathBuf};

use ancestral_data::{
    Background, Binarize, Dataset, Domain, Examples, OpenOptions, Shape, SplitName, TextOptions,
};
use burn::tensor::Device;
use serde::Deserialize;
use toml::{Table, Value};

use super::config::{DataConfig, FORMAT, RunConfig, seed};
use super::folder::{RunFolder, starting_weights};
use super::networks;
use crate::likelihood::LikelihoodName;
use crate::model::{DataSpec, Init, KindName, Learning, ModelConfig, ModelEntry, NamedTensors};
use crate::registry::Registry;
use crate::settings::{Field, Settings, normalize, parse_assignment, unknown, with_large_seeds};
use crate::train::{Budget, TrainConfig, WeightsInfo, check_batch_size, check_memory};
use crate::{Error, Result};

/// The training settings that limit the duration.
const BUDGET: [&str; 3] = ["epochs", "steps", "seconds"];

/// The specification of a run. Settings that are not given are taken from, in this order, `file`,
/// `preset`, `from`, the model's defaults for such data, and the defaults of the training loop.
#[derive(Debug, Clone, Default)]
pub struct RunSpec {
    /// The name of the model; if empty, that of `file` or `from`.
    pub model: Option<String>,
    /// Settings of a paper, by name.
    pub preset: Option<String>,
    /// A file of settings, or a run's own `config.toml`.
    pub file: Option<SettingsFile>,
    /// A run whose model, settings and weights to start from (fine-tuning).
    pub from: Option<PathBuf>,
    /// Settings of the model.
    pub settings: Table,
    /// Settings of training.
    pub train: Table,
    /// The data.
    pub data: DataRequest,
    /// Sets the binarization of levels.
    pub binarize: Option<Binarize>,
    /// The seed of all random numbers; 0 by default.
    pub seed: Option<u64>,
    /// Where the run is stored.
    pub storage: Storage,
    /// Whether to skip the evaluation on the test split.
    pub skip_test: bool,
    /// The command that requested the run, as its folder stores it.
    pub command: String,
    /// Settings by name, of the model or of training; see [`RunSpec::assign`].
    pub assignments: Vec<(String, Value)>,
}

/// Where a run is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Storage {
    /// In memory only.
    #[default]
    InMemory,
    /// In a new folder, from which it can be resumed.
    Folder(PathBuf),
    /// In a new folder within this one: `MODEL-DATA-N`, with the first free number N.
    Within(PathBuf),
}

impl Storage {
    /// Refuses a folder that exists, before any work is done for it.
    ///
    /// # Errors
    /// [`Error::RunExists`].
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Folder(path) if path.exists() => Err(Error::RunExists { path: path.clone() }),
            _ => Ok(()),
        }
    }

    /// Creates the folder for a run, with its weights if these are known already.
    pub(super) fn create(
        &self,
        config: &RunConfig,
        weights: Option<(&NamedTensors, WeightsInfo)>,
    ) -> Result<Option<RunFolder>> {
        // They are of no checkpoint.
        let of = |weights: Option<_>| weights.map(|(tensors, info)| (tensors, info, None));
        match self {
            Self::InMemory => Ok(None),
            Self::Folder(path) => {
                RunFolder::create_with(path, config.clone(), of(weights)).map(Some)
            }
            Self::Within(parent) => {
                let stem = Path::new(&config.data.name).file_name().unwrap_or_default();
                let stem = stem.to_string_lossy();
                // Not every file system allows a colon, as in rings:8.
                let stem = stem.split('.').next().unwrap_or_default().replace(':', "-");
                let numbered = |n| parent.join(format!("{}-{stem}-{n}", config.model));
                for path in (1u64..).map(numbered).filter(|path| !path.exists()) {
                    match RunFolder::create_with(&path, config.clone(), of(weights)) {
                        // Another program was faster.
                        Err(Error::RunExists { .. }) => {}
                        made => return made.map(Some),
                    }
                }
                Ok(None)
            }
        }
    }
}

/// The data of a run.
#[derive(Debug, Clone, Default)]
pub struct DataRequest {
    /// Where the data comes from.
    pub source: DataSource,
    /// Whether to train on the validation examples too.
    pub all_train: bool,
    /// The fold of a table that is the test split.
    pub fold: Option<u32>,
    /// Height and width that images of a folder or tar are resized to.
    pub resize: Option<(usize, usize)>,
    /// Whether images of a folder or tar are converted to grayscale.
    pub gray: bool,
    /// The color behind transparent pixels in images of a folder or tar.
    pub background: Option<Background>,
    /// How the text of a table is read.
    pub text: TextOptions,
    /// Height, width and channels of the images that rows of a table hold.
    pub image: Option<[usize; 3]>,
    /// The number of levels of the values.
    pub levels: Option<u32>,
    /// The class whose examples alone are taken, without labels.
    pub class: Option<String>,
    /// Whether to leave labels out.
    pub no_labels: bool,
    /// The columns of a table that are read; all if there are none.
    pub columns: Vec<String>,
    /// The columns of a table that are left out.
    pub left: Vec<String>,
    /// Whether columns of words are left out.
    pub words_left: bool,
    /// Whether a column of classes is read as such beside chosen columns.
    pub with_classes: bool,
    /// Whether every row of data without splits of its own is for training.
    pub whole: bool,
    /// Whether whole numbers are read as real values.
    pub real: bool,
    /// Whether columns are standardized for a model that is fitted in one call; those that are trained by
    /// gradient steps always standardize columns of reals.
    pub standardize: bool,
}

/// Where data comes from.
#[derive(Debug, Clone, Default)]
pub enum DataSource {
    /// The data that a file or another run names, else the embedded digits.
    #[default]
    Default,
    /// A known name, or the path of a file or folder.
    Named(String),
    /// Data in memory.
    Given(Dataset),
}

impl From<&str> for DataSource {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl From<String> for DataSource {
    fn from(name: String) -> Self {
        Self::Named(name)
    }
}

impl From<Dataset> for DataSource {
    fn from(data: Dataset) -> Self {
        Self::Given(data)
    }
}

impl From<&Dataset> for DataSource {
    fn from(data: &Dataset) -> Self {
        Self::Given(data.clone())
    }
}

/// A file of settings: tables `settings`, `train` and `data`, `model`, `preset` and `seed`.
#[derive(Debug, Clone, Default)]
pub struct SettingsFile {
    /// The path, for error messages.
    pub path: PathBuf,
    /// The content.
    pub table: Table,
}

impl SettingsFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or is not valid TOML.
    pub fn read(path: &Path) -> Result<Self> {
        ancestral_data::check_plain(path)?;
        let text = std::fs::read_to_string(path).map_err(|e| Error::run(path, e.to_string()))?;
        let table = with_large_seeds(&text)
            .parse()
            .map_err(|e| Error::run(path, format!("is not valid TOML: {e}")))?;
        Ok(Self { path: path.to_owned(), table })
    }
}

/// A run with its complete configuration, before anything of it is created.
#[derive(Debug, Clone)]
pub struct ResolvedRun {
    /// The configuration.
    pub config: RunConfig,
    /// The data.
    pub data: Dataset,
}

impl RunSpec {
    /// A run of the model with those of these settings that differ from the defaults, on this data; the
    /// others are what suits the data.
    pub fn new<C: ModelConfig>(config: &C, data: impl Into<DataSource>) -> Self {
        let usual = C::default().to_table();
        let given = config.to_table().into_iter();
        let settings = given.filter(|(name, value)| usual.get(name) != Some(value)).collect();
        Self { settings, ..Self::named(config.model_name(), data) }
    }

    /// A run of the model with this name and default settings, on this data.
    pub fn named(model: &str, data: impl Into<DataSource>) -> Self {
        let data = DataRequest { source: data.into(), ..DataRequest::default() };
        Self { model: Some(model.to_owned()), data, ..Self::default() }
    }

    /// Sets the training settings that differ from [`TrainConfig::default`]; the others keep the
    /// model's defaults.
    #[must_use]
    pub fn training(mut self, config: &TrainConfig) -> Self {
        let usual = TrainConfig::default().to_table();
        let given = config.to_table().into_iter();
        self.train.extend(given.filter(|(name, value)| usual.get(name) != Some(value)));
        self
    }

    /// Sets the budget.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        // A budget beyond TOML's numbers is beyond every training.
        let whole = |n: u64| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
        self.train.insert("epochs".to_owned(), whole(budget.epochs));
        self.train.insert("steps".to_owned(), whole(budget.steps));
        self.train.insert("seconds".to_owned(), Value::Float(budget.seconds));
        self
    }

    /// Sets the binarization of levels.
    #[must_use]
    pub fn binarize(mut self, how: Binarize) -> Self {
        self.binarize = Some(how);
        self
    }

    /// Sets the seed of all random numbers.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Stores the run in a new folder, from which it can be resumed.
    #[must_use]
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Self {
        self.storage = Storage::Folder(folder.into());
        self
    }

    /// Sets one setting of the model or of training, as in `name=value`, `settings.name=value` or
    /// `train.name=value`; the value is written as in TOML.
    ///
    /// # Errors
    /// If there is no `=`; an unknown name is an error when the run is resolved.
    pub fn assign(&mut self, text: &str) -> Result<()> {
        self.assignments.push(parse_assignment(text)?);
        Ok(())
    }

    /// Completes the configuration, opens the data and builds the model once, so that errors are
    /// found before training starts.
    ///
    /// # Errors
    /// If a setting is not allowed, the data is not found or does not fit the model, or memory does
    /// not suffice.
    pub fn resolve(
        &self,
        registry: &Registry,
        data_dir: Option<&Path>,
        device: &Device,
    ) -> Result<ResolvedRun> {
        // The file of a run that started from another one names it.
        let of_file = self.file.as_ref().and_then(|file| file.table.get("from")?.as_str());
        let from = self.from.as_deref().or(of_file.map(Path::new));
        let source = from.map(RunFolder::open).transpose()?;
        let name = self.model_name(source.as_ref())?;
        let entry = registry.find(&name)?;
        let mut groups = self.gather(entry, source.as_ref())?;
        let file = std::mem::take(&mut groups.file);
        let seed = self.seed.or(file.seed).unwrap_or(0);
        let (mut data, mut described) = self.open(&file, source.as_ref(), seed, data_dir)?;
        let by_steps = entry.learning == Learning::GradientSteps;
        match &source {
            // The weights of another run go with its standardization.
            Some(source) => {
                let known = &source.config.data;
                described.offset.clone_from(&known.offset);
                described.scale.clone_from(&known.scale);
                described.precision.clone_from(&known.precision);
                described.histogram.clone_from(&known.histogram);
                data = described.in_precision(data)?;
            }
            None if by_steps => super::columns::standardize(&mut described, &data)?,
            None if self.data.standardize => {
                super::columns::standardize_all(&mut described, &data, seed)?;
            }
            None => {}
        }
        data.notes.extend(super::columns::check(&described, &data, by_steps)?);
        let mut spec = described.spec()?;
        // A stored run has all its settings, with the meaning of its time.
        let is_stored = self.file.as_ref().is_some_and(|file| file.table.contains_key("format"));
        if source.is_none() && !is_stored {
            (entry.complete)(&mut groups.model, &spec);
        }
        if described.histogram.is_empty() && asks_for_histogram(&groups.model) {
            described.histogram = super::columns::histogram(&spec, &data)?;
            spec = described.spec()?;
        }
        groups.complete(entry, &spec);
        let train = TrainConfig::parse(&groups.train)?;
        train.check_budget()?;
        let examples = data.len(SplitName::Train);
        match entry.learning {
            Learning::GradientSteps => {
                check_memory(registry, (&name, &groups.model), &spec, &train, examples)?;
            }
            Learning::Fit => registry.check_fit(&name, &groups.model, &spec, examples)?,
        }
        // Builds once to catch bad settings; the model's own are complete.
        let mut built = registry.build(&name, &groups.model, &spec, &Init::new(device, seed))?;
        if let Some(trainable) = built.trainable() {
            check_batch_size(&train, trainable)?;
        }
        let binarize: Binarize = described.binarize.parse()?;
        let evaluator = match networks::measures_samples(built.as_ref(), &train) {
            true => networks::fingerprint(&data, binarize, device)?,
            false => None,
        };
        if matches!(self.data.source, DataSource::Given(_)) {
            described.path = None;
        }
        let config = RunConfig {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: self.command.clone(),
            model: entry.name.to_owned(),
            preset: self.preset.clone().or(file.preset).unwrap_or_default(),
            seed,
            evaluator,
            from: source.as_ref().map(|source| text_of(source.path())).transpose()?,
            encoder: None,
            data: described,
            settings: built.settings(),
            train,
            result: None,
        };
        if let Some(weights) = starting_weights(&config)? {
            let from = config.from.clone().unwrap_or_default();
            built
                .load(&weights)
                .map_err(|e| Error::run(from, format!("its weights do not fit: {e}")))?;
        }
        Ok(ResolvedRun { config, data })
    }

    /// The data of the request alone, with these columns.
    ///
    /// # Errors
    /// If it is not found or cannot be read.
    pub(super) fn with_columns(
        &self,
        columns: Vec<String>,
        data_dir: Option<&Path>,
    ) -> Result<Dataset> {
        if let DataSource::Given(data) = &self.data.source {
            return Ok(data.clone().with_columns(&columns)?);
        }
        let mut spec = self.clone();
        spec.data.columns = columns;
        let seed = self.seed.unwrap_or(0);
        Ok(spec.open(&FileConfig::default(), None, seed, data_dir)?.0)
    }

    /// The requested model.
    fn model_name(&self, source: Option<&RunFolder>) -> Result<String> {
        if let Some(name) = &self.model {
            return Ok(name.clone());
        }
        if let Some(SettingsFile { path, table }) = &self.file {
            return match table.get("model") {
                Some(Value::String(name)) => Ok(name.clone()),
                _ => Err(Error::run(path, "it does not name a model; give one")),
            };
        }
        source.map(|source| source.config.model.clone()).ok_or_else(|| Error::Unknown {
            what: "model",
            name: String::new(),
            hint: "name a model".to_owned(),
        })
    }

    /// Opens the data, and describes it for the configuration.
    fn open(
        &self,
        file: &FileConfig,
        source: Option<&RunFolder>,
        seed: u64,
        data_dir: Option<&Path>,
    ) -> Result<(Dataset, DataConfig)> {
        let asked = &self.data;
        let all_train = asked.all_train || file.data.all_train;
        let gray = asked.gray || file.data.gray;
        let background = asked.background.or(file.data.background);
        let fold = asked.fold.or(file.data.fold);
        let resize = asked.resize.or(file.data.resize.map(|[h, w]| (h, w)));
        let text = asked.text.or(&file.data.text);
        let image = asked.image.or(file.data.image);
        let levels = asked.levels.or(file.data.asked_levels);
        let no_labels = asked.no_labels || file.data.no_labels;
        let class = asked.class.clone().or_else(|| file.data.class.clone());
        let whole = asked.whole || file.data.whole;
        let real = asked.real || file.data.real;
        let columns = match asked.columns.is_empty() && file.data.chosen {
            true => file.data.columns.clone(),
            false => asked.columns.clone(),
        };
        let of_source = source.map(|source| &source.config.data);
        let (data, place) = match &asked.source {
            DataSource::Given(data) => (data.clone(), None),
            named => {
                let place = match named {
                    DataSource::Named(name) => name.clone(),
                    _ => {
                        let of_file = file.data.place();
                        let of_source = of_source.map(DataConfig::place);
                        of_file.or(of_source).unwrap_or_else(|| "digits".to_owned())
                    }
                };
                let options = OpenOptions {
                    data_dir: data_dir.or(file.data.data_dir.as_deref()).map(Path::to_path_buf),
                    seed,
                    resize,
                    gray,
                    background,
                    all_train,
                    fold,
                    text: text.clone(),
                    image_shape: image.map(|[h, w, c]| [c, h, w]),
                    levels,
                    no_labels,
                    whole,
                    real,
                    columns: columns.clone(),
                    left: asked.left.clone(),
                    words_left: asked.words_left,
                    with_classes: asked.with_classes,
                    ..OpenOptions::default()
                };
                let data = ancestral_data::open(&place, &options)?;
                (of_source.map_or(Ok(data.clone()), |known| known.like_own(data))?, Some(place))
            }
        };
        let data = match &class {
            Some(class) => data.of_class(class)?,
            None => data,
        };
        let binarize = match self.binarize {
            Some(binarize) => binarize,
            None => {
                let of_source = of_source.map(|data| data.binarize.as_str());
                file.data.binarize.as_deref().or(of_source).unwrap_or("none").parse()?
            }
        };
        // Refuses what cannot be binarized.
        Examples::new(&data, SplitName::Train, binarize, seed)?;
        let mut described = DataConfig::describe(&data, binarize);
        described.all_train = all_train;
        described.fold = fold;
        described.resize = resize.map(|(h, w)| [h, w]);
        described.gray = gray;
        described.background = background;
        described.text = text;
        described.image = image;
        described.asked_levels = levels;
        (described.class, described.no_labels) = (class, no_labels);
        if place.is_some() {
            (described.whole, described.real) = (whole, real);
            described.chosen = !columns.is_empty() || !asked.left.is_empty() || asked.words_left;
        }
        if let Some(place) = place {
            described.set_place(&place, data_dir.or(file.data.data_dir.as_deref()));
        }
        if let Some(path) = described.path.as_ref().filter(|path| path.to_str().is_none()) {
            return Err(not_text("the data", path));
        }
        Ok((data, described))
    }

    /// Merges the run of `from`, the preset, the file and single settings; later ones override
    /// earlier ones.
    fn gather(&self, entry: &ModelEntry, source: Option<&RunFolder>) -> Result<Groups> {
        let (model_fields, train_fields) = ((entry.fields)(), training_fields(entry));
        let mut groups = Groups::default();
        if let Some(source) = source {
            groups.model.extend(normalize(&model_fields, &source.config.settings)?);
        }
        let file = self.file.as_ref().map(|file| read_file(file, entry.name)).transpose()?;
        let file_preset = file.as_ref().and_then(|(_, file)| file.preset.as_ref());
        if let Some(name) = self.preset.as_ref().or(file_preset.filter(|name| !name.is_empty())) {
            let preset = entry.presets.iter().find(|p| p.name == name).ok_or_else(|| {
                let names: Vec<&str> = entry.presets.iter().map(|p| p.name).collect();
                Error::Unknown {
                    what: "preset",
                    name: name.clone(),
                    hint: match names.len() {
                        0 => format!("{} has no presets", entry.name),
                        _ => format!("the presets of {} are {}", entry.name, names.join(", ")),
                    },
                }
            })?;
            let broken = |e: String| Error::run(format!("preset {name}"), e);
            let table: Table =
                preset.settings.parse().map_err(|e: toml::de::Error| broken(e.to_string()))?;
            let kept: FileConfig = table
                .clone()
                .try_into()
                .map_err(|e: toml::de::Error| broken(e.message().to_owned()))?;
            groups.file = kept;
            groups.merge(&table, &model_fields, &train_fields)?;
        }
        if let Some((table, file)) = file {
            groups.merge(&table, &model_fields, &train_fields)?;
            let binarize = groups.file.data.binarize.take();
            groups.file = file;
            groups.file.data.binarize = groups.file.data.binarize.or(binarize);
        }
        groups.model.extend(normalize(&model_fields, &self.settings)?);
        for (key, value) in &self.assignments {
            groups.assign(key, value, &model_fields, &train_fields).map_err(
                |error| match error {
                    // A model that is fitted in one call has no training.
                    Error::UnknownSetting { name, .. } if entry.learning == Learning::Fit => {
                        let names: Vec<&str> =
                            model_fields.iter().map(|field| field.name).collect();
                        unknown(&name, &names)
                    }
                    other => other,
                },
            )?;
        }
        groups.train.extend(normalize(&train_fields, &self.train)?);
        Ok(groups)
    }
}

/// Whether a model with these settings has the histogram of its training data.
fn asks_for_histogram(settings: &Table) -> bool {
    let name = settings.get("likelihood").and_then(Value::as_str);
    name.is_some_and(|name| name == LikelihoodName::TiltedHistogram.to_string())
}

/// The training settings with the defaults of a model, those for images like the embedded digits
/// or, if it does not take images, for two real columns.
pub fn training_fields(entry: &ModelEntry) -> Vec<Field> {
    let digits = DataSpec::new(Domain::Levels(17), Shape::image(1, 8, 8), 10);
    let usual = match entry.kinds.contains(&KindName::Levels) {
        true => digits,
        false => DataSpec::new(Domain::Real, Shape::columns(2), 0),
    };
    let own = (entry.train)(&usual);
    let mut fields = TrainConfig::fields();
    for field in &mut fields {
        let given = own.iter().find(|(name, _)| field.is(name));
        if let Some(value) = given.and_then(|(_, value)| field.kind.read(value).ok()) {
            field.default = value;
        }
    }
    fields
}

/// Settings by group.
#[derive(Default)]
struct Groups {
    model: Table,
    train: Table,
    file: FileConfig,
}

/// The other entries of a preset or a file, all of them in the file of a run.
#[derive(Default, Deserialize)]
#[serde(default)]
struct FileConfig {
    preset: Option<String>,
    #[serde(deserialize_with = "seed::optional")]
    seed: Option<u64>,
    data: FileData,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FileData {
    name: Option<String>,
    path: Option<PathBuf>,
    binarize: Option<String>,
    all_train: bool,
    fold: Option<u32>,
    resize: Option<[usize; 2]>,
    #[serde(rename = "grey")]
    gray: bool,
    background: Option<Background>,
    data_dir: Option<PathBuf>,
    text: TextOptions,
    image: Option<[usize; 3]>,
    asked_levels: Option<u32>,
    class: Option<String>,
    no_labels: bool,
    chosen: bool,
    columns: Vec<String>,
    whole: bool,
    real: bool,
}

impl FileData {
    fn place(&self) -> Option<String> {
        self.path.as_ref().map(|path| path.display().to_string()).or_else(|| self.name.clone())
    }
}

/// The keys of a file of settings.
const FILE_KEYS: [&str; 13] = [
    "format",
    "version",
    "command",
    "preset",
    "seed",
    "evaluator",
    "from",
    "encoder",
    "model",
    "settings",
    "train",
    "data",
    "result",
];

impl Groups {
    fn merge(&mut self, table: &Table, model: &[Field], train: &[Field]) -> Result<()> {
        let group = |name: &str| table.get(name).and_then(Value::as_table).cloned();
        let settings = group("settings").or_else(|| group("model")).unwrap_or_default();
        self.model.extend(normalize(model, &settings)?);
        self.train.extend(normalize(train, &group("train").unwrap_or_default())?);
        Ok(())
    }

    /// Sets one setting: `name`, or `group.name`.
    fn assign(&mut self, key: &str, value: &Value, model: &[Field], train: &[Field]) -> Result<()> {
        let (group, name) = match key.split_once('.') {
            Some((group, rest)) => (Some(group), rest),
            None => (None, key),
        };
        let named = |fields: &[Field]| fields.iter().find(|f| f.is(name)).map(|f| f.name);
        let known = |fields: &[Field]| fields.iter().map(|f| f.name).collect::<Vec<_>>();
        let misplaced = |allowed: String| Err(Error::setting(key, value, allowed));
        match (group, named(model), named(train)) {
            (None | Some("settings" | "model"), Some(name), _) => {
                self.model.insert(name.to_owned(), value.clone());
                Ok(())
            }
            (None | Some("train"), _, Some(name)) => {
                self.train.insert(name.to_owned(), value.clone());
                Ok(())
            }
            (Some("settings" | "model"), None, Some(_)) => {
                misplaced(format!("it is a setting of training: train.{name}"))
            }
            (Some("train"), Some(_), None) => {
                misplaced(format!("it is a setting of the model: settings.{name}"))
            }
            (Some("settings" | "model"), None, None) => Err(unknown(name, &known(model))),
            (Some("train"), None, None) => Err(unknown(name, &known(train))),
            (None, None, None) => Err(unknown(name, &[known(model), known(train)].concat())),
            (Some(other), ..) => {
                misplaced(format!("there is no group '{other}'; the groups are settings and train"))
            }
        }
    }

    /// Adds the model's default training settings for such data.
    fn complete(&mut self, entry: &ModelEntry, spec: &DataSpec) {
        // Epochs, steps and seconds are one choice.
        let is_budget = |name: &str| BUDGET.contains(&name);
        let budget_given = self.train.keys().any(|name| is_budget(name));
        for (name, value) in (entry.train)(spec) {
            if !(budget_given && is_budget(&name)) {
                self.train.entry(name).or_insert(value);
            }
        }
        if budget_given {
            // A limit that was not requested does not apply, not even the default one.
            for name in BUDGET {
                let none = if name == "seconds" { Value::Float(0.0) } else { Value::Integer(0) };
                self.train.entry(name).or_insert(none);
            }
        }
    }
}

/// Reads a file of settings and refuses unknown keys.
fn read_file(file: &SettingsFile, model: &str) -> Result<(Table, FileConfig)> {
    let SettingsFile { path, table } = file;
    let wrong = |problem: String| Error::run(path, problem);
    let refuse =
        |table: &Table, known: &[&str]| match table.keys().find(|k| !known.contains(&k.as_str())) {
            Some(key) => Err(wrong(unknown(key, known).to_string())),
            None => Ok(()),
        };
    refuse(table, &FILE_KEYS)?;
    if let Some(data) = table.get("data").and_then(Value::as_table) {
        refuse(data, &DataConfig::KEYS)?;
    }
    for (key, value) in table {
        let of_groups = matches!(key.as_str(), "settings" | "train" | "data");
        match value {
            Value::String(name) if key == "model" && name != model => {
                return Err(wrong(format!("it is for {name}, and {model} was requested")));
            }
            Value::Table(_) if key == "model" || of_groups => {}
            _ if of_groups => return Err(wrong(format!("'{key}' must be a table, as in [{key}]"))),
            _ => {}
        }
    }
    let read = table.clone().try_into();
    let file = read.map_err(|e: toml::de::Error| wrong(e.to_string().trim().replace('\n', " ")))?;
    Ok((table.clone(), file))
}

/// The absolute path of a run that another one starts from.
fn text_of(path: &Path) -> Result<String> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.to_str().map(str::to_owned).ok_or_else(|| not_text("the run to start from", &path))
}

/// The error for a path that a configuration cannot hold.
fn not_text(what: &str, path: &Path) -> Error {
    let problem = format!(
        "the path of {what} is not UTF-8, and the settings of a run, which are text, could not \
         name it; rename the folder or file"
    );
    Error::run(path, problem)
}
