//! A model with everything that determines it.

use std::path::{Path, PathBuf};

use ancestral_data::{
    Batch, Binarize, Dataset, Examples, Expected, Held, OpenOptions, Opened, SplitName, TableParts,
    TextOptions,
};
use burn::tensor::Device;

use super::adapt::adapt_part;
use super::config::RunConfig;
use super::folder::{RunFolder, Weights};
use crate::evaluate::{self, Likelihoods, Options};
use crate::model::{self, Density, DensityOptions, Known, Model, SampleRequest};
use crate::registry::Registry;
use crate::spec::cpu;
use crate::train::WeightsInfo;
use crate::{Error, Result};

/// A model with everything that determines it: the result of training, and what is sampled, scored
/// and evaluated.
pub struct Run {
    /// Its configuration.
    pub config: RunConfig,
    pub(super) model: Box<dyn Model>,
    pub(super) info: WeightsInfo,
    pub(super) path: Option<PathBuf>,
    /// The data that it was trained on, if that is in memory.
    pub(super) data: Option<Dataset>,
}

/// The seed by which all rows of a file are binarized.
const ROWS_SEED: u64 = 0;

/// Examples in parts, of which one is held at a time.
pub(super) struct ExampleParts<'a> {
    run: &'a Run,
    source: Source,
    /// The index of the next one.
    next: usize,
}

enum Source {
    /// One part, and whether it was given.
    Whole(Box<(Examples, Dataset)>, bool),
    Parts(Box<TableParts>),
}

impl ExampleParts<'_> {
    /// The number of examples.
    pub(super) fn len(&self) -> usize {
        match &self.source {
            Source::Whole(part, _) => part.0.len(),
            Source::Parts(parts) => parts.len(),
        }
    }

    /// Begins anew.
    pub(super) fn restart(&mut self) {
        self.next = 0;
        match &mut self.source {
            Source::Whole(_, given) => *given = false,
            Source::Parts(parts) => parts.restart(),
        }
    }

    /// The next examples, and a data set with what else is known of them; parts have about so many
    /// entries, and a multiple of `batch` examples.
    pub(super) fn next(
        &mut self,
        batch: usize,
        entries: usize,
    ) -> Result<Option<(Examples, Dataset)>> {
        match &mut self.source {
            Source::Whole(part, given) => {
                Ok((!std::mem::replace(given, true)).then(|| (**part).clone()))
            }
            Source::Parts(parts) => {
                let batches = entries / parts.size().max(1) / batch.max(1);
                let Some(data) = parts.next_rows(batch.max(1) * batches.max(1))? else {
                    return Ok(None);
                };
                let data = self.run.fit_to_run(data, self.next)?;
                let binarize = self.run.config.data.binarize.parse()?;
                let examples = Examples::new(&data, SplitName::Train, binarize, ROWS_SEED)?;
                let examples = examples.numbered_from(self.next as u64);
                self.next += examples.len();
                Ok(Some((examples, data)))
            }
        }
    }
}

/// A selection of examples.
#[derive(Debug, Clone, Default)]
pub struct DataQuery {
    /// Data other than the run's, by name or path.
    pub data: Option<String>,
    /// A split; if `None`, all rows of the other data, in order.
    pub split: Option<SplitName>,
    /// The number of examples, from the first; `None` for all.
    pub limit: Option<usize>,
    /// How other data is read, where that differs from the run's own.
    pub reading: Reading,
}

/// How other data than the run's is read; what is not given is as for the run's own, or inferred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// How the text of a table is read.
    pub text: TextOptions,
    /// Whether labels are left out.
    pub no_labels: bool,
}

impl DataQuery {
    /// A split of the run's own data.
    pub fn split(split: SplitName) -> Self {
        Self { split: Some(split), ..Self::default() }
    }
}

impl Run {
    /// The best weights of a run folder, with the models of this library.
    ///
    /// # Errors
    /// If there is no such run, or it has no weights.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::open(path.as_ref(), Weights::Best, &Registry::standard(), &cpu())
    }

    /// Some weights of a run folder.
    ///
    /// # Errors
    /// If there is no such run, or it has no such weights.
    pub fn open(
        path: &Path,
        weights: Weights,
        registry: &Registry,
        device: &Device,
    ) -> Result<Self> {
        let folder = RunFolder::open(path)?;
        let (model, info) = folder.load(registry, device, weights)?;
        let config = folder.config;
        Ok(Self { config, model, info, path: Some(path.to_owned()), data: None })
    }

    /// Writes settings and weights into a folder, which [`Run::load`] and every command can read; a
    /// run that was saved there before is replaced.
    ///
    /// # Errors
    /// If the folder holds anything else, including a run that was trained in it, or cannot be
    /// written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        RunFolder::replace(path.as_ref(), &self.config)?
            .write_model(&self.model.tensors(), &self.info)
    }

    /// What reading its data guessed and left out, if the data is in memory.
    pub fn notes(&self) -> &[String] {
        self.data.as_ref().map_or(&[], |data| &data.notes)
    }

    /// The model.
    pub fn model(&self) -> &dyn Model {
        self.model.as_ref()
    }

    /// The model, mutable, to train it or to load other weights; the values that the configuration of a
    /// fit has in `result` remain those of its own.
    pub fn model_mut(&mut self) -> &mut dyn Model {
        self.model.as_mut()
    }

    /// Information on its weights.
    pub fn weights(&self) -> WeightsInfo {
        self.info
    }

    /// The folder that it was loaded from or trained in.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The name for metrics that depend on it: that of its folder, else of its model.
    pub fn name(&self) -> String {
        let path = self.path.as_ref().map(|p| p.canonicalize().unwrap_or_else(|_| p.clone()));
        let name = path.as_ref().and_then(|path| path.file_name());
        name.map_or_else(|| self.config.model.clone(), |name| name.to_string_lossy().into_owned())
    }

    /// The names of the entries of an example: a table's columns, or x0, x1, ….
    pub fn column_names(&self) -> Vec<String> {
        self.config.data.column_names()
    }

    /// The words of each column of categories, by their numbers; none for other columns.
    pub(super) fn words(&self) -> Vec<Vec<String>> {
        let categories = &self.config.data.categories;
        let words = |name: &String| categories.get(name).cloned().unwrap_or_default();
        self.column_names().iter().map(words).collect()
    }

    /// `count` samples by seed, row after row, in the values of the data's columns.
    ///
    /// # Errors
    /// If the model cannot be sampled.
    pub fn sample(&self, count: usize, seed: u64) -> Result<Vec<f64>> {
        model::sample(self.model(), &SampleRequest::new(count, seed))
    }

    /// The log-probability of each example in nats: exact, or a lower bound from 100 importance
    /// samples, depending on the model.
    ///
    /// # Errors
    /// If the model has none, or the examples do not fit it.
    pub fn score(&self, examples: &Examples) -> Result<Vec<f64>> {
        let options = Options::default();
        let examples = &evaluate::rows_of(self.model(), examples);
        Ok(evaluate::log_probabilities(self.model(), examples, options, &mut |_| {})?.nats)
    }

    /// The log-probability of each example of a batch in nats, as [`Run::score`] computes it.
    ///
    /// # Errors
    /// As [`Run::score`].
    pub fn log_probabilities(&self, batch: &Batch) -> Result<Vec<f64>> {
        let options = DensityOptions::new(Options::default().samples, 0);
        Ok(model::log_probability(self.model(), batch, options)?.nats)
    }

    /// Draws the entries of some examples that are not `given`, independently for each row
    /// (imputation).
    ///
    /// # Errors
    /// If the model cannot complete examples, or not given these entries.
    pub fn complete(&self, values: &[f64], given: &[bool], seed: u64) -> Result<Vec<f64>> {
        let count = values.len() / self.model().data().size().max(1);
        let known = Known { values: values.to_vec(), given: given.to_vec() };
        let request = SampleRequest { known: Some(known), ..SampleRequest::new(count, seed) };
        model::sample(self.model(), &request)
    }

    /// The mean log-probability of examples, with standard errors.
    ///
    /// # Errors
    /// As [`Run::score`].
    pub fn evaluate(&self, examples: &Examples) -> Result<Likelihoods> {
        let examples = &evaluate::rows_of(self.model(), examples);
        evaluate::likelihoods(self.model(), examples, Options::default(), &mut |_| {})
    }

    /// A split of the run's data, binarized as in training.
    ///
    /// # Errors
    /// If the data is not found or has changed.
    pub fn examples(&self, split: SplitName) -> Result<Examples> {
        Ok(self.query(&DataQuery::split(split), None)?.0)
    }

    /// The selected examples, and their data set.
    ///
    /// # Errors
    /// If the data is not found, has changed, or does not fit the model.
    pub fn query(&self, query: &DataQuery, data_dir: Option<&Path>) -> Result<(Examples, Dataset)> {
        let config = &self.config;
        let binarize: Binarize = config.data.binarize.parse()?;
        let data = match (&query.data, &self.data) {
            (None, Some(data)) => data.clone(),
            (None, None) => config.data.open(data_dir, config.seed)?,
            (Some(name), _) => {
                let whole = query.split.is_none();
                self.fit_to_run(self.open_other(&query.reading, name, whole, data_dir)?, 0)?
            }
        };
        // All rows of a file are scored with fixed random numbers.
        let seed = if query.split.is_none() { ROWS_SEED } else { config.seed };
        let split = query.split.unwrap_or(SplitName::Train);
        // Few rows have no splits.
        let split = match data.split(split) {
            Err(_) if query.data.is_some() && data.splits().count() == 1 => SplitName::Train,
            _ => split,
        };
        let examples = Examples::new(&data, split, binarize, seed)?;
        let examples = match query.limit {
            Some(n) => examples.first(n),
            None => examples,
        };
        Ok((examples, data))
    }

    /// Other data as the model takes it; a part of it begins with row `first`.
    pub(super) fn fit_to_run(&self, data: Dataset, first: usize) -> Result<Dataset> {
        let own = &self.config.data;
        let binarize: Binarize = own.binarize.parse()?;
        let data = own.align(data)?;
        let data = adapt_part(data, &own.spec()?, binarize != Binarize::None, first)?;
        let data = own.in_precision(data)?;
        // It may number its classes differently.
        if self.is_conditional() { own.relabel(data) } else { Ok(data) }
    }

    /// The selected examples, of which a large table's are read in parts.
    ///
    /// # Errors
    /// As [`Run::query`].
    pub(super) fn query_in_parts(
        &self,
        query: &DataQuery,
        data_dir: Option<&Path>,
        held: &Held,
    ) -> Result<ExampleParts<'_>> {
        let parts = match (&query.data, query.split, query.limit) {
            (Some(name), None, None) => {
                let options = self.options_of_other(&query.reading, name, true, data_dir);
                match ancestral_data::open_in_parts(name, &options, held)? {
                    Opened::Parts(parts) => Source::Parts(parts),
                    Opened::Whole(data) => {
                        let data = self.fit_to_run(*data, 0)?;
                        let binarize = self.config.data.binarize.parse()?;
                        let rows = Examples::new(&data, SplitName::Train, binarize, ROWS_SEED)?;
                        Source::Whole(Box::new((rows, data)), false)
                    }
                }
            }
            _ => Source::Whole(Box::new(self.query(query, data_dir)?), false),
        };
        Ok(ExampleParts { run: self, source: parts, next: 0 })
    }

    /// Whether its density has a value on standardized columns, which are all real.
    pub(super) fn is_standardizable(&self) -> bool {
        let data = self.model().data();
        let is_density = |density: &dyn Density| !density.is_mass(data);
        // That of one column alone has another scale.
        self.config.data.kinds.is_empty()
            && self.model().target().is_none()
            && self.model().density().is_some_and(is_density)
    }

    /// Whether the model is conditional on the classes of examples.
    fn is_conditional(&self) -> bool {
        let sampler = self.model().sampler().filter(|sampler| !sampler.classes_are_codes());
        sampler.is_some_and(|sampler| sampler.classes() > 0)
    }

    /// Other data than the run's, read as the run's was; `whole` without splits of its own.
    ///
    /// # Errors
    /// If it is not found or cannot be read.
    pub(super) fn open_other(
        &self,
        reading: &Reading,
        name: &str,
        whole: bool,
        data_dir: Option<&Path>,
    ) -> Result<Dataset> {
        Ok(ancestral_data::open(name, &self.options_of_other(reading, name, whole, data_dir))?)
    }

    pub(super) fn options_of_other(
        &self,
        reading: &Reading,
        name: &str,
        whole: bool,
        data_dir: Option<&Path>,
    ) -> OpenOptions {
        let own = self.config.data.options(data_dir, self.config.seed);
        // Cells that are missing and the encoding are those of the run; the rest may be other in a file
        // of another program.
        let text = match ancestral_data::is_table(name) {
            true => TextOptions {
                header: reading.text.header,
                separator: reading.text.separator,
                decimal: reading.text.decimal,
                ..reading.text.or(&own.text)
            },
            false => reading.text.clone(),
        };
        let expected = Expected {
            text: own.text.clone(),
            columns: self.config.data.columns.clone(),
            classes: self.config.data.class_names.clone(),
        };
        // Splits of the data that it was trained on are those of the training.
        let is_own = !whole && self.config.data.is_at(name);
        OpenOptions {
            whole,
            fold: self.config.data.fold.filter(|_| is_own),
            text,
            expected,
            no_labels: own.no_labels || reading.no_labels,
            pipe: true,
            keep_few: true,
            ..own
        }
    }

    /// Refuses what the model does not support.
    pub(super) fn unsupported(&self, problem: impl Into<String>) -> Error {
        Error::Unsupported { model: self.model.name().to_owned(), problem: problem.into() }
    }
}
