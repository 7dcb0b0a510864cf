//! The training loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ancestral_data::{Examples, Streams};
use ancestral_kernels::ThreadTuner;

use super::config::{Budget, TrainConfig};
use super::event::{Entry, Event, Progress};
use super::observer::{Evaluator, Recorder};
use super::state::{Best, Checkpoint, Ended, State, WeightsInfo, not_finite};
use crate::model::{BatchIterator, Metrics, Model, NamedTensors, StepContext, Trainable};
use crate::optim::{Optimizers, Schedule};
use crate::{Error, Result};

/// Examples per validation batch; metrics do not depend on it.
const VALIDATION_BATCH: usize = 200;
/// Steps at the start of a run without warnings.
const UNSETTLED: u64 = 100;

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The budget is used up.
    Budget,
    /// Validation did not improve for `patience` validations (early stopping).
    EarlyStop,
    /// It was interrupted, and can be resumed.
    Interrupted,
}

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// The reason.
    pub reason: StopReason,
    /// Steps so far.
    pub step: u64,
    /// Epochs so far.
    pub epoch: f64,
    /// Seconds of training, over all sessions.
    pub seconds: f64,
    /// The best validation metric.
    pub best: Option<Best>,
    /// The name of the validation metric in this session.
    pub validation: Option<&'static str>,
}

/// The start of training.
#[derive(Debug, Default)]
pub enum Start {
    /// Initial weights of the model.
    #[default]
    Fresh,
    /// Weights of another run; optimizers and counters are reset.
    Weights(NamedTensors),
    /// The checkpoint of an interrupted run.
    Resumed(Box<Checkpoint>),
}

/// The share of a budget from which samples far from the data are warned of.
const HALFWAY: f64 = 0.5;

/// Training of a model, step by step.
pub struct Trainer {
    model: Box<dyn Model>,
    batches: BatchIterator,
    valid: Option<Examples>,
    evaluator: Option<Box<dyn Evaluator>>,
    config: TrainConfig,
    schedule: Schedule,
    optimizers: Optimizers,
    pace: ThreadTuner,
    streams: Streams,
    state: State,
    best: Option<Arc<NamedTensors>>,
    validated: Option<&'static str>,
    /// The warnings of the last report.
    warned: Vec<String>,
    /// Whether it goes on from a checkpoint, even one of step 0.
    resumed: bool,
}

impl Trainer {
    /// Prepares training on some examples; with `valid`, checkpoints are selected by validation.
    ///
    /// # Errors
    /// If a setting is not allowed, the model is not trained by gradient steps, or the weights it starts
    /// from do not fit.
    pub fn new(
        mut model: Box<dyn Model>,
        train: Examples,
        valid: Option<Examples>,
        config: &TrainConfig,
        seed: u64,
        start: Start,
    ) -> Result<Self> {
        config.check()?;
        check_batch_size(config, trainable(&mut model)?)?;
        let mut batches = BatchIterator::new(train, config.batch_size, seed);
        let mut optimizers = Optimizers::new(&config.optimizer_config());
        let resumed = matches!(start, Start::Resumed(_));
        let (state, best) = match start {
            Start::Fresh => {
                trainable(&mut model)?.start(batches.examples())?;
                (State::default(), None)
            }
            Start::Weights(weights) => {
                model.load(&weights)?;
                (State::default(), None)
            }
            Start::Resumed(kept) => {
                let Checkpoint { weights, moments, best, mut state, .. } = *kept;
                model.load(&weights)?;
                optimizers.restore(moments, &state.updates);
                let ended = state.finished || state.ended.is_some();
                state.finished = state.is_finished(config);
                // With another budget, validation gets its full patience again.
                if state.has_other_budget(config) || ended && !state.finished {
                    state.stale = 0;
                }
                if !state.finished {
                    state.ended = None;
                }
                (state, best)
            }
        };
        batches.seek(state.batches);
        let valid = valid.filter(|valid| config.validate_every > 0 && !valid.is_empty());
        Ok(Self {
            model,
            batches,
            valid,
            evaluator: None,
            schedule: config.schedule(),
            config: config.clone(),
            optimizers,
            pace: ThreadTuner::new(),
            streams: Streams::new(seed),
            state,
            best,
            validated: None,
            warned: Vec::new(),
            resumed,
        })
    }

    /// Takes seconds before training, as of reading data, from the time budget of a run that goes on.
    #[must_use]
    pub fn after(mut self, seconds: f64) -> Self {
        if !self.state.finished {
            self.state.preparation += seconds;
        }
        self
    }

    /// Selects checkpoints by `evaluator` if the model has no validation metric.
    #[must_use]
    pub fn with_evaluator(mut self, evaluator: Option<Box<dyn Evaluator>>) -> Self {
        self.evaluator = evaluator;
        self
    }

    /// Replaces the budget; finished training continues.
    ///
    /// Schedules that depend on the used fraction of the budget continue from the fraction of the
    /// new one.
    ///
    /// # Errors
    /// If this budget is already used up.
    pub fn set_budget(&mut self, budget: Budget) -> Result<()> {
        let old = self.config.clone();
        let Budget { epochs, steps, seconds } = budget;
        self.config = TrainConfig { epochs, steps, seconds, ..old.clone() };
        let checked =
            self.config.check().and_then(|()| self.config.check_budget()).and_then(|()| {
                if self.share() < 1.0 {
                    return Ok(());
                }
                let State { step, epoch, seconds, .. } = self.state;
                Err(Error::BudgetUsed { epoch, step, seconds })
            });
        if let Err(error) = checked {
            self.config = old;
            return Err(error);
        }
        self.state.finished = false;
        self.state.ended = None;
        self.state.stale = 0;
        Ok(())
    }

    /// The training settings.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The state of training.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The model in its current state.
    pub fn model(&self) -> &dyn Model {
        self.model.as_ref()
    }

    /// The model with the weights for using it: the best by validation, else the last;
    /// averaged if averaging is on.
    ///
    /// # Errors
    /// If the model lost its weights.
    pub fn into_model(mut self) -> Result<(Box<dyn Model>, WeightsInfo)> {
        let (tensors, info) = self.checkpoint()?.chosen();
        self.model.load(&tensors)?;
        Ok((self.model, info))
    }

    /// Trains until the budget is used up, early stopping applies, or `stop` is set.
    ///
    /// # Errors
    /// If a loss or a weight is not finite, or an observer or the recorder fails; the last
    /// checkpoint remains.
    pub fn train(&mut self, recorder: &mut dyn Recorder, stop: &AtomicBool) -> Result<Outcome> {
        if self.state.finished {
            return Ok(self.outcome(match self.state.ended {
                Some(Ended::EarlyStop) => StopReason::EarlyStop,
                _ => StopReason::Budget,
            }));
        }
        let before = self.state.seconds;
        let began = Instant::now();
        let mut seen = 0u64;
        let mut validation = None;
        let mut saved = Instant::now();
        if self.state.step == 0 && !self.resumed {
            recorder.event(&Event::Start(self.entry()))?;
            recorder.checkpoint(self.checkpoint()?)?;
        } else {
            recorder.event(&Event::Resume(self.entry()))?;
        }
        let reason = loop {
            if self.share() >= 1.0 {
                break StopReason::Budget;
            }
            if stop.load(Ordering::Relaxed) {
                break StopReason::Interrupted;
            }
            let drawn = self.batches.drawn();
            let metrics = self.step()?;
            let batch = self.config.batch_size.min(self.batches.examples().len());
            seen += (self.batches.drawn() - drawn) * batch as u64;
            let here = began.elapsed().as_secs_f64();
            self.state.seconds = before + here;
            let progress = |this: &Self, validation, last| Progress {
                step: this.state.step,
                epoch: this.state.epoch,
                seconds: this.state.seconds,
                share: this.share().min(1.0),
                values: metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
                validation,
                best: this.state.best.map(|best| best.value),
                examples_per_second: seen as f64 / here,
                last,
            };
            let ended = self.share() >= 1.0;
            recorder.event(&Event::Step(progress(self, validation.clone(), ended)))?;

            let per_epoch = self.batches.per_epoch();
            let epoch_ended = self.batches.drawn() / per_epoch > drawn / per_epoch;
            let mut stalled = false;
            if epoch_ended || ended {
                self.report_training(recorder)?;
                let epoch = self.batches.drawn().div_ceil(per_epoch);
                let every = self.config.validate_every.max(1);
                let due = epoch_ended && epoch.is_multiple_of(every) || ended;
                if due && let Some((name, value)) = self.validate(recorder)? {
                    validation = Some((name.to_owned(), value));
                    stalled = self.config.patience > 0 && self.state.stale >= self.config.patience;
                }
                let last = ended || stalled;
                recorder.event(&Event::Epoch(progress(self, validation.clone(), last)))?;
                if recorder.wants_model() {
                    let averages = self.averages()?;
                    with_weights(&mut self.model, averages, |model| {
                        recorder.epoch(model.as_ref())
                    })?;
                }
            }
            if stalled {
                break StopReason::EarlyStop;
            }
            if saved.elapsed().as_secs_f64() >= self.config.checkpoint_seconds {
                recorder.checkpoint(self.checkpoint()?)?;
                saved = Instant::now();
            }
        };
        self.state.ended = match reason {
            StopReason::Budget => Some(Ended::Budget),
            StopReason::EarlyStop => Some(Ended::EarlyStop),
            StopReason::Interrupted => None,
        };
        self.state.finished = self.state.ended.is_some();
        // First, since a run whose weights are not finite has not ended.
        let last = self.checkpoint()?;
        if self.state.finished {
            recorder.event(&Event::End(self.entry()))?;
        }
        recorder.checkpoint(last)?;
        Ok(self.outcome(reason))
    }

    fn outcome(&self, reason: StopReason) -> Outcome {
        Outcome {
            reason,
            step: self.state.step,
            epoch: self.state.epoch,
            seconds: self.state.seconds,
            best: self.state.best,
            validation: self.validated,
        }
    }

    /// Fraction of the budget that is used; the first limit that is reached ends the run.
    fn share(&self) -> f64 {
        let c = &self.config;
        let mut share = 0.0f64;
        if c.epochs > 0 {
            let all = u128::from(c.epochs) * u128::from(self.batches.per_epoch());
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
            return Err(Error::not_finite(step, format!("the metric '{name}'")));
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

    fn report_training(&mut self, recorder: &mut dyn Recorder) -> Result<()> {
        let n = self.state.summed.max(1) as f64;
        self.state.summed = 0;
        let means = self.state.sums.drain(..).map(|(name, sum)| (name, sum / n));
        let values: Vec<(String, f64)> = means.collect();
        let share = self.share();
        let step = self.state.step;
        let model = trainable(&mut self.model)?;
        let mut warnings = match step {
            ..UNSETTLED => Vec::new(),
            _ => model.warnings(&values),
        };
        // At first a share of the time says little about the steps.
        if share >= 0.2 {
            let expected = if share < 1.0 { (step as f64 / share).round() as u64 } else { step };
            warnings.extend(model.too_few_steps(expected));
        }
        recorder.event(&Event::Train(Entry { values, ..self.entry() }))?;
        for note in &warnings {
            recorder.event(&Event::Warning(Entry { note: note.clone(), ..self.entry() }))?;
        }
        self.warned = warnings;
        Ok(())
    }

    /// What is wrong with the run, in sentences: the warnings of the last epoch, and samples that are far
    /// from the data.
    pub fn health(&self) -> Vec<String> {
        let mut found = self.warned.clone();
        found.extend(self.far_samples());
        found
    }

    /// That the best samples so far are far from the data, if they are.
    fn far_samples(&self) -> Option<String> {
        let scale = self.evaluator.as_ref()?.scale()?;
        let (best, name) = (self.state.best?, self.validated?.replace('_', " "));
        let (value, of_data) = (best.value, scale.of_data);
        (value > scale.far).then(|| {
            format!(
                "samples are far from the data: their {name} is {value:.3} at its best, that of \
                 training examples {of_data:.3}; train longer, or change the settings"
            )
        })
    }

    /// The state of training as an entry of the event log.
    pub fn entry(&self) -> Entry {
        let State { step, epoch, seconds, .. } = self.state;
        Entry { step, epoch, seconds, ..Entry::default() }
    }

    /// The mean validation metric, with averaged weights if averaging is on.
    fn validate(&mut self, recorder: &mut dyn Recorder) -> Result<Option<(&'static str, f64)>> {
        // Preparing averaged weights costs a pass, which is skipped without validation data.
        let averages = if self.valid.is_some() { self.averages()? } else { return Ok(None) };
        let Some(valid) = &self.valid else { return Ok(None) };
        let evaluator = self.evaluator.as_deref();
        let found = with_weights(&mut self.model, averages, |model| {
            let mut all = Vec::with_capacity(valid.len());
            let indices: Vec<u64> = (0..valid.len() as u64).collect();
            let trainable = trainable(model)?;
            let name = trainable.validation_name();
            for chunk in indices.chunks(VALIDATION_BATCH) {
                match trainable.validation(&valid.batch(chunk, 0))? {
                    Some(values) => all.extend(values),
                    None => {
                        let Some(evaluator) = evaluator else { return Ok(None) };
                        let (name, value) = evaluator.evaluate(model.as_ref())?;
                        return Ok(Some((name, value, model.tensors())));
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
                format!("the validation metric '{name}'"),
            ));
        }
        self.validated = Some(name);
        if self.state.best.is_none_or(|best| value < best.value) {
            self.state.best = Some(Best { value, step: self.state.step, epoch: self.state.epoch });
            self.state.stale = 0;
            self.best = Some(Arc::new(tensors));
        } else {
            self.state.stale += 1;
        }
        let values = vec![(name.to_owned(), value)];
        recorder.event(&Event::Valid(Entry { values, ..self.entry() }))?;
        // Early samples say little, and at the end `health` tells.
        if (HALFWAY..1.0).contains(&self.share())
            && let Some(note) = self.far_samples()
        {
            recorder.event(&Event::Warning(Entry { note, ..self.entry() }))?;
        }
        Ok(Some((name, value)))
    }

    /// The averaged weights with the matching buffers; empty unless averaging is on.
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

    /// A state from which training can be resumed.
    ///
    /// # Errors
    /// If the model lost its weights, or one is not finite.
    pub fn checkpoint(&mut self) -> Result<Checkpoint> {
        let (moments, updates) = self.optimizers.state();
        self.state.updates = updates;
        self.state.budget = Some(self.config.budget());
        let weights = self.model.tensors();
        let step = self.state.step;
        let checked = |tensors: &NamedTensors| match not_finite(tensors, false) {
            Some(name) => Err(Error::not_finite(step, format!("tensor '{name}'"))),
            None => Ok(()),
        };
        checked(&weights)?;
        // Averages are part of the moments; the copy under their own name is for other readers.
        let averages = self.averages()?;
        checked(&averages)?;
        Ok(Checkpoint {
            weights,
            averages,
            moments,
            best: self.best.clone(),
            state: self.state.clone(),
        })
    }
}

/// Refuses batches that are too small for the model.
///
/// # Errors
/// With the setting to change.
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
        problem: "is not trained by gradient steps".to_owned(),
    })
}

/// Runs `f` with other weights in the model, then restores its own.
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
