//! Training in a run folder.

use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use ancestral_data::{Binarize, Dataset, Examples, SplitName};
use burn::tensor::Device;

use super::config::{ByNetwork, RunConfig};
use super::event_log::EventLog;
use super::folder::{RunFolder, starting_weights};
use super::images::TrainingImages;
use super::networks;
use super::tensorboard::TensorBoard;
use crate::model::{Init, Model};
use crate::registry::Registry;
use crate::train::{
    Budget, Checkpoint, Entry, Evaluator, Event, Observer, Outcome, Recorder, Start, State,
    Trainer, check_memory,
};
use crate::{Error, Result};

/// A training run whose state is stored in its folder.
pub struct Training {
    run: RunFolder,
    trainer: Trainer,
    log: EventLog,
    board: TensorBoard,
    painter: TrainingImages,
}

impl Training {
    /// Prepares training in a folder, from the last checkpoint if there is one.
    ///
    /// # Errors
    /// If another process trains in the folder, the data is not that of the run, or the model
    /// cannot be trained.
    pub fn new(
        mut run: RunFolder,
        data: &Dataset,
        registry: &Registry,
        device: &Device,
    ) -> Result<Self> {
        let there = |file| run.path().join(file).exists();
        if there("model.safetensors") && !there("last.safetensors") {
            return Err(Error::NoCheckpoint { path: run.path().to_owned() });
        }
        run.lock()?;
        let RunConfig { model, settings, data: described, train, .. } = &run.config;
        let spec = described.spec()?;
        train.check()?;
        check_memory(registry, (model, settings), &spec, train, data.len(SplitName::Train))?;
        let start = match run.read_checkpoint()? {
            Some(kept) => {
                run.mend(&kept)?;
                Start::Resumed(Box::new(kept))
            }
            None => starting_weights(&run.config)?.map_or(Start::Fresh, Start::Weights),
        };
        let offset = match &start {
            Start::Resumed(kept) => kept.state.event_offset,
            _ => 0,
        };
        let network = run.evaluator()?;
        let trainer =
            trainer(&run.config, data, (registry, device), &network, start).map_err(|error| {
                match error {
                    Error::Unsupported { .. } | Error::UnsuitableData { .. } => {
                        Error::run(run.path(), format!("cannot start: {error}"))
                    }
                    error => error,
                }
            })?;
        let log = EventLog::open(&run.path().join("events.jsonl"), offset)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        let began = now - trainer.state().seconds;
        let board = TensorBoard::open(run.path(), began, run.events()?)?;
        let painter = TrainingImages::new(&run.config, data);
        Ok(Self { run, trainer, log, board, painter })
    }

    /// Replaces the budget, and records `command`; a finished run continues.
    ///
    /// # Errors
    /// If the run has already used up this budget, or the folder cannot be written.
    pub fn set_budget(&mut self, budget: Budget, command: &str) -> Result<()> {
        self.trainer.set_budget(budget)?;
        self.run.set_train(self.trainer.config().clone(), command)
    }

    /// Replaces the evaluator of a model without a likelihood; `None` for no evaluation.
    #[must_use]
    pub fn with_evaluator(mut self, evaluator: Option<Box<dyn Evaluator>>) -> Self {
        self.trainer = self.trainer.with_evaluator(evaluator);
        self
    }

    /// Takes seconds before training from the time budget ([`Trainer::after`]).
    #[must_use]
    pub fn after(mut self, seconds: f64) -> Self {
        self.trainer = self.trainer.after(seconds);
        self
    }

    /// The folder.
    pub fn run_folder(&self) -> &RunFolder {
        &self.run
    }

    /// The state of the run.
    pub fn state(&self) -> &State {
        self.trainer.state()
    }

    /// What is wrong with the run, in sentences.
    pub fn health(&self) -> Vec<String> {
        self.trainer.health()
    }

    /// Trains until the budget is used up, early stopping applies, or `stop` is set.
    ///
    /// # Errors
    /// If a loss or a weight is not finite, the observer fails or the folder cannot be written; the
    /// last checkpoint remains.
    pub fn train(&mut self, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome> {
        let Self { run, trainer, log, board, painter } = self;
        let done = trainer.train(&mut InFolder { run, log, board, painter, observer }, stop);
        // Whatever failed first in a folder that is gone.
        done.map_err(|error| run.check_there().err().unwrap_or(error))
    }

    /// Records the test metrics of a finished run as an event.
    ///
    /// They are not part of the checkpoint: a resumed run drops them and is evaluated again at its
    /// end.
    ///
    /// # Errors
    /// If the folder cannot be written, or the observer fails.
    pub fn record_test(
        &mut self,
        values: Vec<(String, f64)>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        self.run.check_there()?;
        let event = Event::Test(Entry { values, ..self.trainer.entry() });
        self.log.push(&event)?;
        self.log.sync()?;
        self.board.event(&event)?;
        observer.event(&event)
    }
}

/// The trainer of a run; `network` evaluates samples if the model has no likelihood.
pub(super) fn trainer(
    config: &RunConfig,
    data: &Dataset,
    (registry, device): (&Registry, &Device),
    network: &ByNetwork,
    start: Start,
) -> Result<Trainer> {
    let RunConfig { model, settings, data: described, train, seed, .. } = config;
    let binarize: Binarize = described.binarize.parse()?;
    let examples = |split| Examples::new(data, split, binarize, *seed);
    let valid = match data.len(SplitName::Valid) {
        0 => None,
        _ => Some(examples(SplitName::Valid)?),
    };
    let init = Init::new(device, *seed);
    let mut built = registry.build(model, settings, &described.spec()?, &init)?;
    if built.trainable().is_none() {
        return Err(Error::OtherLearning { model: built.name().to_owned(), fitted: true });
    }
    let evaluator = match networks::measures_samples(built.as_ref(), train) {
        true => networks::evaluator(data, binarize, network, device)?,
        false => None,
    };
    let trainer = Trainer::new(built, examples(SplitName::Train)?, valid, train, *seed, start)?;
    Ok(trainer.with_evaluator(evaluator))
}

/// The run folder and the observer of a run.
struct InFolder<'a> {
    run: &'a RunFolder,
    log: &'a mut EventLog,
    board: &'a mut TensorBoard,
    painter: &'a mut TrainingImages,
    observer: &'a mut dyn Observer,
}

impl Observer for InFolder<'_> {
    fn event(&mut self, event: &Event) -> Result<()> {
        if event.is_kept() {
            self.log.push(event)?;
        }
        self.board.event(event)?;
        self.painter.see(event);
        self.observer.event(event)
    }

    fn epoch(&mut self, model: &dyn Model) -> Result<()> {
        if self.painter.is_due() {
            self.run.check_there()?;
        }
        if let Some(image) = self.painter.draw(self.run.path(), model)? {
            self.event(&Event::Image(image))?;
        }
        if self.observer.wants_model() { self.observer.epoch(model) } else { Ok(()) }
    }

    fn wants_model(&self) -> bool {
        self.painter.is_due() || self.observer.wants_model()
    }
}

impl Recorder for InFolder<'_> {
    fn checkpoint(&mut self, mut checkpoint: Checkpoint) -> Result<()> {
        checkpoint.state.event_offset = self.log.sync()?;
        self.run.write_checkpoint(&checkpoint)?;
        self.painter.draw_curves(self.run, checkpoint.state.finished)
    }
}
