//! The loop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ancestral_data::{Binarize, Dataset, Examples, SplitName, Streams};
use ancestral_kernels::ThreadTuner;

use burn::tensor::Device;

use super::checkpoint::{Best, State, under};
use super::config::{Budget, RunConfig, TrainConfig};
use super::events::{Event, EventLog};
use super::folder::RunFolder;
use super::memory::check_memory;
use super::tensorboard::TensorBoard;
use crate::model::{BatchIterator, Metrics, Model, NamedTensors, StepContext, Trainable};
use crate::optim::{Optimizers, Schedule};
use crate::registry::Registry;
use crate::{Error, Result};

/// Examples a batch of validation; it decides no figure, only memory.
const VALIDATION_BATCH: usize = 200;
/// Steps before which nothing is warned of: no model is worth watching from its start.
const UNSETTLED: u64 = 100;

/// How far a run is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Passes over the training split.
    pub epoch: f64,
    /// Share of the budget used, from 0 to 1.
    pub share: f64,
    /// Figures of the last step, the loss first.
    pub metrics: Metrics,
    /// The last validation figure and its name.
    pub validation: Option<(&'static str, f64)>,
    /// The best validation so far.
    pub best: Option<f64>,
    /// Seconds of training, over all sessions of the run.
    pub seconds: f64,
    /// Training examples a second in this session.
    pub examples_per_second: f64,
    /// Whether an epoch ended with this step.
    pub epoch_ended: bool,
}

/// Watches a run.
pub trait Observer {
    /// After every step.
    fn progress(&mut self, progress: &Progress);

    /// When a picture of progress is due, with the model as evaluation would use it.
    ///
    /// # Errors
    /// Those of drawing and writing.
    fn draw(&mut self, _run: &RunFolder, _model: &dyn Model, _epoch: u64) -> Result<()> {
        Ok(())
    }

    /// What checkpoints of a model are chosen by that has no figure of its own for an example: the
    /// name of a figure of the whole model and its value, lower is better.
    ///
    /// # Errors
    /// Those of drawing and measuring.
    fn evaluate(&mut self, _model: &dyn Model) -> Result<Option<(&'static str, f64)>> {
        Ok(None)
    }

    /// When something is amiss.
    fn warning(&mut self, _text: &str) {}

    /// After a checkpoint was written.
    ///
    /// # Errors
    /// Those of drawing and writing.
    fn checkpoint(&mut self, _run: &RunFolder) -> Result<()> {
        Ok(())
    }
}

/// Nobody watches.
#[derive(Debug, Default)]
pub struct NoopObserver;

impl Observer for NoopObserver {
    fn progress(&mut self, _progress: &Progress) {}
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The budget is used up.
    Budget,
    /// Validation did not improve for `patience` times.
    EarlyStop,
    /// It was asked to stop, and can be resumed.
    Interrupted,
}

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Why.
    pub reason: StopReason,
    /// Steps done.
    pub step: u64,
    /// Passes over the training split.
    pub epoch: f64,
    /// Seconds of training, over all sessions.
    pub seconds: f64,
    /// The best validation.
    pub best: Option<Best>,
}

/// A run under way.
pub struct Training {
    run: RunFolder,
    model: Box<dyn Model>,
    batches: BatchIterator,
    valid: Option<Examples>,
    config: TrainConfig,
    schedule: Schedule,
    optimizers: Optimizers,
    pace: ThreadTuner,
    streams: Streams,
    state: State,
    best: Option<NamedTensors>,
    events: EventLog,
    board: TensorBoard,
}

impl Training {
    /// Prepares a run in a folder, from its last checkpoint if there is one.
    ///
    /// # Errors
    /// If the folder is in use, the data is not that of the run, or the model cannot be trained.
    pub fn new(
        mut run: RunFolder,
        data: &Dataset,
        registry: &Registry,
        device: &Device,
    ) -> Result<Self> {
        let there = |file| run.path().join(file).exists();
        if there("model.safetensors") && !there("last.safetensors") {
            return Err(Error::run(
                run.path(),
                "has weights but no checkpoint (last.safetensors) to go on from; train anew",
            ));
        }
        run.lock()?;
        let config = run.config.train.clone();
        config.check()?;
        let seed = run.config.seed;
        let binarize: Binarize = run.config.data.binarize.parse()?;
        let RunConfig { model, settings, data: described, .. } = &run.config;
        let examples = data.len(SplitName::Train);
        check_memory(registry, (model, settings), &described.spec()?, &config, examples)?;
        let mut model = run.build(registry, device)?;
        let name = model.name();
        let Some(trainable) = model.trainable() else {
            return Err(Error::Unsupported {
                model: name.to_owned(),
                problem: format!("is not trained step by step; fit it with `ancestral fit {name}`"),
            });
        };
        check_batch_size(&config, trainable)?;
        let batches = BatchIterator::new(
            Examples::new(data, SplitName::Train, binarize, seed)?,
            config.batch_size,
            seed,
        );
        let valid = (config.validate_every > 0 && data.len(SplitName::Valid) > 0)
            .then(|| Examples::new(data, SplitName::Valid, binarize, seed))
            .transpose()?;
        let mut optimizers = Optimizers::new(&config.optimizer_config());
        let (state, best) = match run.read_checkpoint()? {
            None => {
                match run.starting_weights()? {
                    Some(weights) => model
                        .load(&weights)
                        .map_err(|e| Error::run(run.path(), format!("cannot start: {e}")))?,
                    None => {
                        if let Some(trainable) = model.trainable() {
                            trainable.start(batches.examples())?;
                        }
                    }
                }
                (State::default(), None)
            }
            Some((tensors, state)) => {
                model.load(&under(&tensors, "weights"))?;
                optimizers.restore(under(&tensors, "moments"), &state.updates);
                let best = under(&tensors, "best");
                (state, (!best.is_empty()).then_some(best))
            }
        };
        let events = EventLog::open(&run.path().join("events.jsonl"), state.event_offset)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        let board = TensorBoard::open(run.path(), now - state.seconds, &run.events()?)?;
        let mut batches = batches;
        batches.seek(state.batches);
        Ok(Self {
            schedule: config.schedule(),
            streams: Streams::new(seed),
            run,
            model,
            batches,
            valid,
            config,
            optimizers,
            pace: ThreadTuner::new(),
            state,
            best,
            events,
            board,
        })
    }

    /// Gives the run another budget, which `command` asked for; one that had ended goes on.
    ///
    /// Schedules that go by the share of the budget go on from the share that the new one gives.
    ///
    /// # Errors
    /// If the run has used up this budget already, or the folder cannot be written.
    pub fn set_budget(&mut self, budget: Budget, command: &str) -> Result<()> {
        let old = self.config.clone();
        let Budget { epochs, steps, seconds } = budget;
        self.config = TrainConfig { epochs, steps, seconds, ..old.clone() };
        let checked = self.config.check().and_then(|()| {
            if self.share() < 1.0 {
                return Ok(());
            }
            let state = &self.state;
            Err(Error::run(
                self.run.path(),
                format!(
                    "has trained {:.2} epochs ({} steps, {:.0} s) already; give it a larger budget",
                    state.epoch, state.step, state.seconds
                ),
            ))
        });
        if let Err(error) = checked {
            self.config = old;
            return Err(error);
        }
        self.run.set_train(self.config.clone(), command)?;
        self.state.finished = false;
        self.state.stale = 0;
        Ok(())
    }

    /// The folder.
    pub fn run_folder(&self) -> &RunFolder {
        &self.run
    }

    /// How far the run was when it was prepared.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Trains until the budget is used up, validation stalls, or `stop` is set.
    ///
    /// # Errors
    /// If a number stops being finite or the folder cannot be written; the last checkpoint stays.
    pub fn train(&mut self, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Outcome> {
        if self.state.finished {
            return Ok(self.outcome(StopReason::Budget));
        }
        let before = self.state.seconds;
        let began = Instant::now();
        let mut seen = 0u64;
        let mut validation = None;
        let mut saved = Instant::now();
        let kind = if self.state.step == 0 { "start" } else { "resume" };
        self.push_event(kind, Vec::new())?;
        if self.state.step == 0 {
            self.save()?;
        }
        let reason = loop {
            if self.share() >= 1.0 {
                break StopReason::Budget;
            }
            if stop.load(Ordering::Relaxed) {
                break StopReason::Interrupted;
            }
            let (drawn, share) = (self.batches.drawn(), self.share());
            let metrics = self.step()?;
            let batch = self.config.batch_size.min(self.batches.examples().len());
            seen += (self.batches.drawn() - drawn) * batch as u64;
            self.state.seconds = before + began.elapsed().as_secs_f64();

            let per_epoch = self.batches.per_epoch();
            let epoch_ended = self.batches.drawn() / per_epoch > drawn / per_epoch;
            let ended = self.share() >= 1.0;
            let mut stalled = false;
            if epoch_ended || ended {
                self.log_training(observer)?;
                let epoch = self.batches.drawn().div_ceil(per_epoch);
                let every = self.config.validate_every.max(1);
                let due = epoch_ended && epoch.is_multiple_of(every) || ended;
                if due && let Some((name, value)) = self.validate(observer)? {
                    validation = Some((name, value));
                    stalled = self.config.patience > 0 && self.state.stale >= self.config.patience;
                }
                let plane = self.model.data().shape.size() == 2;
                let frame = plane && epoch_ended && frames(self.share()) > frames(share);
                let due = is_milestone(epoch) || frame || ended || stalled;
                if self.config.sample_count > 0 && due {
                    let averages = self.averages()?;
                    let (run, model) = (&self.run, &mut self.model);
                    with_weights(model, averages, |model| {
                        observer.draw(run, model.as_ref(), epoch)
                    })?;
                }
            }
            observer.progress(&Progress {
                step: self.state.step,
                epoch: self.state.epoch,
                share: self.share().min(1.0),
                metrics,
                validation,
                best: self.state.best.map(|b| b.value),
                seconds: self.state.seconds,
                examples_per_second: seen as f64 / began.elapsed().as_secs_f64(),
                epoch_ended,
            });
            if stalled {
                break StopReason::EarlyStop;
            }
            if saved.elapsed().as_secs_f64() >= self.config.checkpoint_seconds {
                self.save()?;
                observer.checkpoint(&self.run)?;
                saved = Instant::now();
            }
        };
        self.state.finished = reason != StopReason::Interrupted;
        if self.state.finished {
            self.push_event("end", Vec::new())?;
        }
        self.save()?;
        observer.checkpoint(&self.run)?;
        Ok(self.outcome(reason))
    }

    /// Keeps the test figures of a finished run beside its other events.
    ///
    /// They are no part of the checkpoint: a run that is resumed leaves them out and is measured
    /// again at its end.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn record_test(&mut self, values: Vec<(String, f64)>) -> Result<()> {
        self.push_event("test", values)?;
        self.events.sync()?;
        Ok(())
    }

    fn outcome(&self, reason: StopReason) -> Outcome {
        Outcome {
            reason,
            step: self.state.step,
            epoch: self.state.epoch,
            seconds: self.state.seconds,
            best: self.state.best,
        }
    }

    /// Share of the budget used; the first limit that is reached ends the run.
    fn share(&self) -> f64 {
        let c = &self.config;
        let mut share = 0.0f64;
        if c.epochs > 0 {
            let all = c.epochs * self.batches.per_epoch();
            share = share.max(self.batches.drawn() as f64 / all as f64);
        }
        if c.steps > 0 {
            share = share.max(self.state.step as f64 / c.steps as f64);
        }
        if c.seconds > 0.0 {
            share = share.max(self.state.seconds / c.seconds);
        }
        share
    }

    fn step(&mut self) -> Result<Metrics> {
        let epoch = self.batches.epoch();
        let step = self.state.step + 1;
        let rate = self.config.learning_rate * self.schedule.factor(self.share(), epoch);
        self.optimizers.begin_step(step, rate);
        let mut context = StepContext {
            batches: &mut self.batches,
            optimizers: &mut self.optimizers,
            streams: self.streams,
            step,
            epoch,
        };
        let model = &mut self.model;
        let mut metrics = self.pace.run(|| trainable(model)?.step(&mut context))?;
        if let Some((name, _)) = metrics.iter().find(|(_, value)| !value.is_finite()) {
            return Err(Error::not_finite(step, format!("the figure '{name}'")));
        }
        metrics.push(("gradient_norm", self.optimizers.gradient_norm()));
        metrics.push(("learning_rate", rate));
        self.state.step = step;
        self.state.batches = self.batches.drawn();
        self.state.epoch = self.batches.epoch();
        self.state.summed += 1;
        for (name, value) in &metrics {
            match self.state.sums.iter_mut().find(|(n, _)| n == name) {
                Some((_, sum)) => *sum += value,
                None => self.state.sums.push(((*name).to_owned(), *value)),
            }
        }
        Ok(metrics)
    }

    fn log_training(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let n = self.state.summed.max(1) as f64;
        self.state.summed = 0;
        let means = self.state.sums.drain(..).map(|(name, sum)| (name, sum / n));
        let values: Vec<(String, f64)> = means.collect();
        let warnings = match self.state.step {
            ..UNSETTLED => Vec::new(),
            _ => trainable(&mut self.model)?.warnings(&values),
        };
        self.push_event("train", values)?;
        for text in warnings {
            observer.warning(&text);
            self.push_note("warning", text)?;
        }
        Ok(())
    }

    fn push_event(&mut self, kind: &str, values: Vec<(String, f64)>) -> Result<()> {
        self.push(kind, values, String::new())
    }

    fn push_note(&mut self, kind: &str, note: String) -> Result<()> {
        self.push(kind, Vec::new(), note)
    }

    fn push(&mut self, kind: &str, values: Vec<(String, f64)>, note: String) -> Result<()> {
        let event = Event {
            kind: kind.to_owned(),
            step: self.state.step,
            epoch: self.state.epoch,
            seconds: self.state.seconds,
            values,
            note,
        };
        self.events.push(&event)?;
        self.board.push(&event)
    }

    /// The mean validation figure, with averaged weights if averaging is on.
    fn validate(&mut self, observer: &mut dyn Observer) -> Result<Option<(&'static str, f64)>> {
        // Averages cost a pass of their own, which is spared where there is nothing to validate on.
        let averages = if self.valid.is_some() { self.averages()? } else { return Ok(None) };
        let Some(valid) = &self.valid else { return Ok(None) };
        let found = with_weights(&mut self.model, averages, |model| {
            let mut all = Vec::with_capacity(valid.len());
            let indices: Vec<u64> = (0..valid.len() as u64).collect();
            let trainable = trainable(model)?;
            let name = trainable.validation_name();
            for chunk in indices.chunks(VALIDATION_BATCH) {
                match trainable.validation(&valid.batch(chunk, 0))? {
                    Some(values) => all.extend(values),
                    None => {
                        let found = observer.evaluate(model.as_ref())?;
                        return Ok(found.map(|(name, value)| (name, value, model.tensors())));
                    }
                }
            }
            let value = all.iter().sum::<f64>() / all.len() as f64;
            Ok(Some((name, value, model.tensors())))
        })?;
        let Some((name, value, tensors)) = found else { return Ok(None) };
        if !value.is_finite() {
            return Err(Error::not_finite(
                self.state.step,
                format!("the validation figure '{name}'"),
            ));
        }
        if self.state.best.is_none_or(|best| value < best.value) {
            self.state.best = Some(Best { value, step: self.state.step, epoch: self.state.epoch });
            self.state.stale = 0;
            self.best = Some(tensors);
        } else {
            self.state.stale += 1;
        }
        self.push_event("valid", vec![(name.to_owned(), value)])?;
        Ok(Some((name, value)))
    }

    /// The averaged weights, with the rest of the model's state as it fits them; empty unless
    /// averaging is on.
    fn averages(&mut self) -> Result<NamedTensors> {
        let averages = self.optimizers.averages(&self.model.tensors());
        if averages.is_empty() {
            return Ok(averages);
        }
        with_weights(&mut self.model, averages, |model| {
            trainable(model)?.recompute_batch_statistics()?;
            Ok(model.tensors())
        })
    }

    fn save(&mut self) -> Result<()> {
        self.state.event_offset = self.events.sync()?;
        let (moments, updates) = self.optimizers.state();
        self.state.updates = updates;
        let weights = self.model.tensors();
        let averages = self.averages()?;
        // Averages travel with the moments; the copy under their own name is what others read.
        self.run.write_checkpoint(weights, averages, moments, self.best.as_ref(), &self.state)
    }
}

/// Refuses batches that are too small for the model.
///
/// # Errors
/// Naming the setting.
pub fn check_batch_size(config: &TrainConfig, model: &dyn Trainable) -> Result<()> {
    let least = model.min_batch_size();
    if config.batch_size >= least {
        return Ok(());
    }
    let allowed = format!(
        "the examples of a batch are normalized together; give {least} or more, or another \
         normalization"
    );
    Err(Error::setting("batch_size", config.batch_size, allowed))
}

fn trainable(model: &mut Box<dyn Model>) -> Result<&mut dyn Trainable> {
    let name = model.name();
    model.trainable().ok_or_else(|| Error::Unsupported {
        model: name.to_owned(),
        problem: "is not trained step by step".to_owned(),
    })
}

/// Runs `f` with other weights in the model, then puts its own back.
fn with_weights<T>(
    model: &mut Box<dyn Model>,
    weights: NamedTensors,
    f: impl FnOnce(&mut Box<dyn Model>) -> Result<T>,
) -> Result<T> {
    if weights.is_empty() {
        return f(model);
    }
    let own = model.tensors();
    model.load(&weights)?;
    let result = f(model);
    model.load(&own)?;
    result
}

/// How many pictures of points in the plane a run has had by this share of its budget: there, the
/// way to the end is worth seeing.
fn frames(share: f64) -> u64 {
    (share * 40.0) as u64
}

/// 1, 2, 5, 10, 20, 50, …: the epochs that get a picture.
fn is_milestone(epoch: u64) -> bool {
    let mut unit = 1;
    while unit * 10 <= epoch {
        unit *= 10;
    }
    matches!(epoch, e if e == unit || e == 2 * unit || e == 5 * unit)
}
