//! Sessions, which train and evaluate runs, for the program and for other users of the library.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use ancestral_data::{Binarize, Dataset, Examples, SplitName};
use burn::tensor::Device;

use super::config::{ByNetwork, RunConfig};
use super::folder::{RunFolder, Weights, starting_weights};
use super::loaded::Run;
use super::spec::{ResolvedRun, RunSpec};
use super::training::{Training, trainer};
use crate::evaluate::{self, Likelihoods};
use crate::model::{Capability, Latent, Learning};
use crate::registry::Registry;
use crate::spec::cpu;
use crate::train::{
    Budget, Event, InMemory, NoopObserver, Note, Observer, Outcome, Start, State, StopReason,
    Trainer, Work,
};
use crate::{Error, Result};

/// Importance samples of the bound at the end of training.
const FINAL_SAMPLES: usize = 100;

/// The share of a time budget that the test pass may take in addition.
const TEST_SHARE: f64 = 0.08;

/// Trains, samples and evaluates runs, with a registry of models, on a device, with an optional
/// observer and a flag that stops the work.
///
/// Sessions share no state, so that several can run in parallel threads.
pub struct Session<'a> {
    pub(super) registry: Registry,
    pub(super) device: Device,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) observer: Option<&'a mut dyn Observer>,
    pub(super) stop: Option<&'a AtomicBool>,
    pub(super) fresh_optimizer: bool,
}

/// A run that is ready to be trained or resumed.
pub struct Prepared {
    kind: Kind,
    /// The configuration of the run.
    pub config: RunConfig,
    /// Its data.
    pub data: Dataset,
    skip_test: bool,
}

enum Kind {
    Folder(Box<Training>),
    Memory(Box<Trainer>),
}

/// The result of a training.
pub struct Trained {
    /// The model with its selected weights.
    pub run: Run,
    /// How training ended.
    pub outcome: Outcome,
    /// The name of the metric that selected the weights.
    pub validation: Option<String>,
    /// The likelihood of the test split, for a finished run whose model has a density.
    pub test: Option<Likelihoods>,
    /// The number of validation examples.
    pub validation_examples: usize,
    /// Images in the run folder: samples or reconstructions, and the animation of the training.
    pub images: Vec<PathBuf>,
    /// What is wrong with the run, in sentences: warnings of the last epoch, samples that are far from the
    /// data.
    pub health: Vec<String>,
}

impl Default for Session<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Session<'a> {
    /// With the models of this library, on the CPU, without an observer.
    pub fn new() -> Self {
        Self {
            registry: Registry::standard(),
            device: cpu(),
            data_dir: None,
            observer: None,
            stop: None,
            fresh_optimizer: false,
        }
    }

    /// With another registry of models.
    #[must_use]
    pub fn with_registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// On another device.
    #[must_use]
    pub fn with_device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Looks for known data sets in this folder.
    #[must_use]
    pub fn with_data_dir(mut self, folder: Option<&Path>) -> Self {
        self.data_dir = folder.map(Path::to_owned);
        self
    }

    /// Reports events to an observer.
    #[must_use]
    pub fn with_observer(mut self, observer: &'a mut dyn Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Stops when this flag is set; a run in a folder can then be resumed.
    #[must_use]
    pub fn with_stop_flag(mut self, stop: &'a AtomicBool) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Resumes runs with optimizers that begin there, as where a checkpoint has lost their state.
    #[must_use]
    pub fn with_fresh_optimizer(mut self, fresh: bool) -> Self {
        self.fresh_optimizer = fresh;
        self
    }

    /// The registry of models.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The folder of known data sets, if one was given.
    pub fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// The device that models compute on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The flag that stops it, if there is one.
    pub fn stop(&self) -> Option<&'a AtomicBool> {
        self.stop
    }

    /// Some weights of a run folder.
    ///
    /// # Errors
    /// If there is no such run, or it has no such weights.
    pub fn load(&self, path: &Path, weights: Weights) -> Result<Run> {
        Run::open(path, weights, &self.registry, &self.device)
    }

    /// Trains a run.
    ///
    /// # Errors
    /// As [`Session::prepare`] and [`Session::train_prepared`].
    pub fn train(&mut self, spec: &RunSpec) -> Result<Trained> {
        let prepared = self.prepare(spec)?;
        self.train_prepared(prepared)
    }

    /// Resumes the run in a folder, with another budget if one is given (together with the command
    /// to record); `skip_test` skips the evaluation on the test split.
    ///
    /// # Errors
    /// As [`Session::prepare_resume`] and [`Session::train_prepared`].
    pub fn resume(
        &mut self,
        path: &Path,
        budget: Option<(Budget, &str)>,
        skip_test: bool,
    ) -> Result<Trained> {
        let prepared = self.prepare_resume(path, budget, skip_test)?;
        self.train_prepared(prepared)
    }

    /// Resolves the configuration of a run, opens its data, builds its model and creates its
    /// folder.
    ///
    /// # Errors
    /// If the settings, the data and the model do not fit each other, or the folder already exists.
    pub fn prepare(&self, spec: &RunSpec) -> Result<Prepared> {
        let began = Instant::now();
        let ResolvedRun { config, data } =
            spec.resolve(&self.registry, self.data_dir(), &self.device)?;
        if self.registry.find(&config.model)?.learning == Learning::Fit {
            return Err(Error::OtherLearning { model: config.model, fitted: true });
        }
        let kind = match spec.storage.create(&config, None)? {
            Some(folder) => {
                let path = folder.path().to_owned();
                let training = Training::new(folder, &data, &self.registry, &self.device);
                // A run that cannot start leaves nothing behind.
                let training =
                    training.inspect_err(|_| drop(ancestral_data::remove_if_there(&path)))?;
                Kind::Folder(Box::new(training.after(began.elapsed().as_secs_f64())))
            }
            None => {
                let start = starting_weights(&config)?.map_or(Start::Fresh, Start::Weights);
                let network = config.evaluator.clone().map_or(ByNetwork::None, ByNetwork::Of);
                let made_by = (&self.registry, &self.device);
                let trainer = trainer(&config, &data, made_by, &network, start)?;
                Kind::Memory(Box::new(trainer.after(began.elapsed().as_secs_f64())))
            }
        };
        Ok(Prepared { kind, config, data, skip_test: spec.skip_test })
    }

    /// Opens the run in a folder, to resume it.
    ///
    /// # Errors
    /// If there is no such run, its data is not found, or the budget is used up.
    pub fn prepare_resume(
        &self,
        path: &Path,
        budget: Option<(Budget, &str)>,
        skip_test: bool,
    ) -> Result<Prepared> {
        let began = Instant::now();
        let folder = RunFolder::open(path)?.with_fresh_optimizer(self.fresh_optimizer);
        let data = folder.config.data.open(self.data_dir(), folder.config.seed)?;
        let mut training = Training::new(folder, &data, &self.registry, &self.device)?;
        if let Some((budget, command)) = budget {
            training.set_budget(budget, command)?;
        }
        let config = training.run_folder().config.clone();
        let training = training.after(began.elapsed().as_secs_f64());
        Ok(Prepared { kind: Kind::Folder(Box::new(training)), config, data, skip_test })
    }

    /// Trains until the budget is used up or the session is stopped; a finished run is then
    /// evaluated on the test split, and its images are saved.
    ///
    /// # Errors
    /// If a loss or a weight is not finite, the observer fails, or the folder cannot be written.
    pub fn train_prepared(&mut self, prepared: Prepared) -> Result<Trained> {
        let never = AtomicBool::new(false);
        let stop = self.stop.unwrap_or(&never);
        let Prepared { mut kind, config, data, skip_test } = prepared;
        let State { seconds, preparation, .. } = match &kind {
            Kind::Folder(training) => training.state(),
            Kind::Memory(trainer) => trainer.state(),
        };
        let (before, began) = (seconds + preparation, Instant::now());
        self.tell_notes(&data.notes)?;
        let mut noop = NoopObserver;
        let observer = or_noop(&mut self.observer, &mut noop);
        let outcome = match &mut kind {
            Kind::Folder(training) => training.train(observer, stop)?,
            Kind::Memory(trainer) => trainer.train(&mut InMemory(observer), stop)?,
        };
        let health = match &kind {
            Kind::Folder(training) => training.health(),
            Kind::Memory(trainer) => trainer.health(),
        };
        let (mut run, training) = match kind {
            Kind::Folder(training) => {
                let folder = training.run_folder();
                let (model, info) = folder.load(&self.registry, &self.device, Weights::Best)?;
                let path = Some(folder.path().to_owned());
                (Run { config, model, info, path, data: Some(data.clone()) }, Some(training))
            }
            Kind::Memory(trainer) => {
                let (model, info) = trainer.into_model()?;
                (Run { config, model, info, path: None, data: Some(data.clone()) }, None)
            }
        };
        let events = training.as_ref().map_or(Ok(Vec::new()), |t| t.run_folder().events())?;
        let validation = self.validation(&mut run, &outcome, &events);
        let mut trained = Trained {
            run,
            outcome,
            validation,
            test: None,
            validation_examples: data.len(SplitName::Valid),
            images: Vec::new(),
            health,
        };
        if outcome.reason == StopReason::Interrupted {
            return Ok(trained);
        }
        if !skip_test {
            let spent = before + began.elapsed().as_secs_f64();
            trained.test = self.measure_test(&trained.run, &data, spent)?;
        }
        if let Some(training) = &training {
            training.run_folder().check_there()?;
        }
        if let (Some(mut training), Some(found)) = (training, &trained.test) {
            let values = vec![
                ("nll_nats".to_owned(), found.nll_nats),
                ("nll_stderr".to_owned(), found.nll_stderr),
                ("n".to_owned(), found.n as f64),
            ];
            training.record_test(values, or_noop(&mut self.observer, &mut noop))?;
        }
        #[cfg(feature = "plot")]
        {
            trained.images = super::finish::draw(&trained.run, &data, skip_test)?;
        }
        Ok(trained)
    }

    /// The error for a model that lacks what a request needs, with the models that have it.
    pub(super) fn lacks(
        &self,
        run: &Run,
        problem: &'static str,
        has: &dyn Fn(Capability) -> bool,
    ) -> Error {
        let able = self.registry.entries().iter();
        let able = able.filter(|entry| entry.capabilities.iter().any(|&can| has(can)));
        let others = able.map(|entry| entry.name).collect();
        Error::Lacks { model: run.model().name().to_owned(), problem, others }
    }

    /// The latent codes of a run.
    ///
    /// # Errors
    /// If its model has none.
    pub fn latent<'r>(&self, run: &'r Run) -> Result<&'r dyn Latent> {
        let lacks = || self.lacks(run, "has no latent codes", &|can| can == Capability::Latent);
        run.model().latent().ok_or_else(lacks)
    }

    /// The name of the validation metric.
    fn validation(&self, run: &mut Run, outcome: &Outcome, events: &[Event]) -> Option<String> {
        outcome.best?;
        let of_event = |event: &Event| match event {
            Event::Valid(entry) => entry.values.first().map(|(name, _)| name.clone()),
            _ => None,
        };
        let name = events.iter().rev().find_map(of_event);
        let name = name.or_else(|| outcome.validation.map(str::to_owned));
        name.or_else(|| Some(run.model_mut().trainable()?.validation_name().to_owned()))
    }

    /// The likelihood of the test split, if the model has one and the data a test split; after training
    /// for a time, of as many of its first examples as a little more time than the seconds spent leaves.
    fn measure_test(
        &mut self,
        run: &Run,
        data: &Dataset,
        spent: f64,
    ) -> Result<Option<Likelihoods>> {
        if run.model().density().is_none() || data.len(SplitName::Test) == 0 {
            return Ok(None);
        }
        let binarize: Binarize = run.config.data.binarize.parse()?;
        let examples = |split| Examples::new(data, split, binarize, run.config.seed);
        let options = evaluate::Options { samples: FINAL_SAMPLES, ..Default::default() };
        let mut test = examples(SplitName::Test)?;
        let budget = run.config.train.seconds;
        if budget > 0.0 {
            let left = (1.0 + TEST_SHARE) * budget - spent;
            let rows = evaluate::rows_of(run.model(), &test);
            let cost = evaluate::cost(run.model(), &rows, options, left)?;
            if cost.fitting < test.len() {
                let (n, all) = (cost.fitting, test.len());
                self.tell_notes(&[format!(
                    "the test pass over {all} examples would take about {:.0} s, more than the time \
                     budget leaves; it measures the first {n}, and `evaluate` can measure all",
                    cost.seconds
                )])?;
                test = test.first(n);
            }
        }
        let mut found = self.likelihoods(run, &test, options, "test")?;
        if run.is_standardizable() {
            found.standardize(&examples(SplitName::Train)?);
        }
        Ok(Some(found))
    }

    /// The mean log-probability of examples, with progress events.
    pub(super) fn likelihoods(
        &mut self,
        run: &Run,
        examples: &Examples,
        options: evaluate::Options,
        what: &str,
    ) -> Result<Likelihoods> {
        let examples = &evaluate::rows_of(run.model(), examples);
        let found = self.working(what, examples.len(), |progress| {
            evaluate::likelihoods(run.model(), examples, options, progress)
        })?;
        if found.nll_nats == f64::INFINITY
            && let Some(note) = evaluate::impossible(run.model(), examples, options)?
        {
            self.tell_notes(&[note])?;
        }
        Ok(found)
    }

    /// Does some work and reports its progress to the observer.
    pub(crate) fn working<T>(
        &mut self,
        what: &str,
        total: usize,
        work: impl FnOnce(&mut dyn FnMut(usize)) -> Result<T>,
    ) -> Result<T> {
        let mut failed = Ok(());
        let mut told = |done: usize| {
            if failed.is_ok() {
                failed = self.tell(what, done as u64, total as u64);
            }
        };
        told(0);
        let found = work(&mut told)?;
        failed.map(|()| found)
    }

    /// Reports what reading data guessed or left out.
    pub(super) fn tell_notes(&mut self, notes: &[String]) -> Result<()> {
        let Some(observer) = &mut self.observer else { return Ok(()) };
        notes.iter().try_for_each(|note| observer.event(&Event::Note(Note { note: note.clone() })))
    }

    /// Reports the progress of some work.
    pub(super) fn tell(&mut self, what: &str, done: u64, total: u64) -> Result<()> {
        match &mut self.observer {
            Some(observer) => {
                observer.event(&Event::Work(Work { what: what.to_owned(), done, total }))
            }
            None => Ok(()),
        }
    }
}

/// The observer, or one that ignores all events.
fn or_noop<'b>(
    observer: &'b mut Option<&mut dyn Observer>,
    noop: &'b mut NoopObserver,
) -> &'b mut dyn Observer {
    match observer {
        Some(observer) => &mut **observer,
        None => noop,
    }
}

impl Prepared {
    /// The state of the run.
    pub fn state(&self) -> &State {
        match &self.kind {
            Kind::Folder(training) => training.state(),
            Kind::Memory(trainer) => trainer.state(),
        }
    }

    /// The folder of the run, if it has one.
    pub fn path(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Folder(training) => Some(training.run_folder().path()),
            Kind::Memory(_) => None,
        }
    }
}
