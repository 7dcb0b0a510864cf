//! Helpers of several tests: prepared models, runs, steps.

use std::sync::atomic::{AtomicBool, Ordering};

use ancestral::Registry;
use ancestral::model::{DensityOptions, Init, Model, ModelEntry, SampleRequest, fit, sample};
use ancestral::run::{DataConfig, FORMAT, RunConfig, RunFolder, Training};
use ancestral::spec::cpu;
use ancestral::train::{Event, Observer, TrainConfig};
use ancestral_data::{Binarize, Dataset};
use toml::Table;

use crate::cases::{examples, spec};

pub(crate) fn loop_settings(text: &str) -> TrainConfig {
    TrainConfig::parse(&text.parse().unwrap()).unwrap()
}

pub(crate) fn config(
    entry: &ModelEntry,
    data: &Dataset,
    settings: &Table,
    train: TrainConfig,
) -> RunConfig {
    RunConfig {
        format: FORMAT,
        version: "test".to_owned(),
        command: String::new(),
        model: entry.name.to_owned(),
        preset: String::new(),
        seed: 3,
        evaluator: None,
        from: None,
        encoder: None,
        data: DataConfig::describe(data, Binarize::None),
        settings: settings.clone(),
        train,
        result: None,
    }
}

pub(crate) fn training(run: RunFolder, data: &Dataset) -> ancestral::Result<Training> {
    Training::new(run, data, &Registry::standard(), &cpu())
}

pub(crate) fn outputs(model: &dyn Model, data: &Dataset) -> (Vec<f64>, Vec<f64>) {
    let samples =
        model.sampler().map_or(Vec::new(), |_| sample(model, &SampleRequest::new(5, 1)).unwrap());
    let options = DensityOptions::new(7, 2);
    let batch = examples(data).batch(&[0, 5, 3], 0);
    let mut nats = model
        .density()
        .map_or(Vec::new(), |density| density.log_probability(&batch, options).unwrap().nats);
    if let Some(classifier) = model.classifier() {
        nats.extend(classifier.classify(&batch.values).unwrap().probabilities);
    }
    (samples, nats)
}

pub(crate) fn prepared(
    entry: &ModelEntry,
    data: &Dataset,
    settings: &Table,
    init: &Init,
) -> Box<dyn Model> {
    let mut model = (entry.build)(settings, &spec(data), init).unwrap();
    if let Some(estimator) = model.estimator() {
        fit(estimator, &examples(data), 0).unwrap();
    }
    if let Some(trainable) = model.trainable() {
        trainable.start(&examples(data)).unwrap();
    }
    model
}

/// Stops after a number of steps, as a kill would, but with the state on disk.
pub(crate) struct StopAt<'a> {
    pub(crate) step: u64,
    pub(crate) stop: &'a AtomicBool,
}

impl Observer for StopAt<'_> {
    fn event(&mut self, event: &Event) -> ancestral::Result<()> {
        if matches!(event, Event::Step(progress) if progress.step == self.step) {
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
