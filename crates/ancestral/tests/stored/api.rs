//! All library calls of the tests of stored runs.
//!
//! Values leave this file as plain numbers, so that API changes only affect this file.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use std::path::Path;
use std::sync::atomic::AtomicBool;

use ancestral::Registry;
use ancestral::likelihood::MonteCarlo;
use ancestral::model::{Completion, DensityOptions, Known, Model, SampleRequest, sample};
use ancestral::run::{DataConfig, RunFolder, Training, Weights};
use ancestral::spec::cpu;
use ancestral::train::{Budget, Event, NoopObserver};
use ancestral_data::{DataError, Dataset, Examples, SplitName};

pub(crate) use ancestral_data::Batch;

/// Importance samples of a bound.
const IMPORTANCE_SAMPLES: usize = 8;
const SEED: u64 = 0;

/// A run with the requested weights.
pub(crate) struct Run {
    folder: RunFolder,
    model: Box<dyn Model>,
    epoch: f64,
}

/// Which entries of an example can be given.
#[derive(PartialEq)]
pub(crate) enum Given {
    None,
    First,
    Any,
}

/// The run of a folder with its `best`, `last` or `raw` weights.
pub(crate) fn load(folder: &Path, weights: &str) -> Run {
    let weights = match weights {
        "best" => Weights::Best,
        "last" => Weights::Last,
        "raw" => Weights::Raw,
        other => panic!("no weights '{other}'"),
    };
    let folder = RunFolder::open(folder).unwrap();
    let (model, info) = folder.load(&Registry::standard(), &cpu(), weights).unwrap();
    Run { folder, model, epoch: info.epoch }
}

/// The data of a run, if it is there, and the first examples of its test split.
pub(crate) struct Data {
    config: DataConfig,
    data: Dataset,
}

impl Data {
    /// Data that is a file lies in `files`, published sets in `sets`.
    pub(crate) fn open(run: &Run, files: &Path, sets: Option<&Path>) -> Option<Self> {
        let mut config = run.folder.config.data.clone();
        if files.join(&config.name).exists() {
            config.name = files.join(&config.name).to_str().unwrap().to_owned();
        }
        match config.open(sets, run.folder.config.seed) {
            Ok(data) => Some(Self { config, data }),
            Err(ancestral::Error::Data(DataError::Missing { .. })) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Whether it is the data of this run, too.
    pub(crate) fn is_of(&self, run: &Run) -> bool {
        self.config.fingerprint == run.folder.config.data.fingerprint
    }

    /// The first examples of the test split, as the model of the run sees them.
    pub(crate) fn first_of_test(&self, run: &Run, count: usize) -> Batch {
        let config = &run.folder.config;
        let binarize = config.data.binarize.parse().unwrap();
        let test = Examples::new(&self.data, SplitName::Test, binarize, config.seed).unwrap();
        let indices: Vec<u64> = (0..count.min(test.len()) as u64).collect();
        test.batch(&indices, 0)
    }
}

impl Run {
    /// The name of the run's data.
    pub(crate) fn data_name(&self) -> &str {
        &self.folder.config.data.name
    }

    /// The epoch that the weights are of.
    pub(crate) fn epoch(&self) -> f64 {
        self.epoch
    }

    /// The number of values an entry takes; `None` for real data.
    pub(crate) fn levels(&self) -> Option<u32> {
        self.model.data().domain().unwrap().max_level().map(|most| most + 1)
    }

    /// The sizes of an example, outermost first.
    pub(crate) fn dims(&self) -> &[usize] {
        self.model.data().shape.dims()
    }

    /// The entries of an example.
    pub(crate) fn size(&self) -> usize {
        self.dims().iter().product()
    }

    /// Examples of these values, with labels where the data has some.
    pub(crate) fn batch(&self, values: Vec<f32>) -> Batch {
        let examples = values.len() / self.size();
        let classes = self.model.data().classes as u32;
        let labels = (0..examples as u32).map(|i| i % classes.max(1)).collect();
        let batch = Batch::of(values.into_iter().map(f64::from).collect(), examples);
        Batch { labels: (classes > 0).then_some(labels), ..batch }
    }

    /// All tensors one after another, in the order of their names.
    pub(crate) fn weights(&self) -> Vec<f64> {
        let mut tensors = self.model.tensors();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        tensors.iter().flat_map(|(_, data)| data.try_to_vec_as::<f64>().unwrap()).collect()
    }

    /// Samples, or the means that they are drawn around.
    pub(crate) fn samples(&self, count: usize, class: Option<u32>, mean: bool) -> Option<Vec<f32>> {
        let sampler = self.model.sampler()?;
        if mean && !sampler.has_noise() {
            return None;
        }
        let request = SampleRequest { class, mean, ..SampleRequest::new(count, SEED) };
        Some(singles(&sample(self.model.as_ref(), &request).unwrap()))
    }

    /// The number of classes of which samples can be requested.
    pub(crate) fn classes(&self) -> u32 {
        self.model.sampler().map_or(0, |sampler| sampler.classes() as u32)
    }

    /// Which entries of an example can be given.
    pub(crate) fn given(&self) -> Given {
        match self.model.sampler().map(|sampler| sampler.completion()) {
            None | Some(Completion::None) => Given::None,
            Some(Completion::Prefix) => Given::First,
            Some(Completion::Any) => Given::Any,
        }
    }

    /// Rows whose entries that are not given are drawn.
    pub(crate) fn complete(&self, values: &[f64], given: &[bool]) -> Vec<f32> {
        let values = values.to_vec();
        let count = given.len() / self.size();
        let known = Known { values, given: given.to_vec() };
        let request = SampleRequest { known: Some(known), ..SampleRequest::new(count, SEED) };
        singles(&sample(self.model.as_ref(), &request).unwrap())
    }

    /// Log-probabilities in nats and their Monte Carlo errors, from some members of an ensemble.
    pub(crate) fn log_probabilities(
        &self,
        batch: &Batch,
        members: u64,
    ) -> Option<(Vec<f64>, Option<Vec<f64>>)> {
        let density = self.model.density()?;
        if members > 1 && density.ensemble().is_none_or(|e| e.count.is_some_and(|n| n < members)) {
            return None;
        }
        let options =
            DensityOptions { members: 0..members, ..DensityOptions::new(IMPORTANCE_SAMPLES, SEED) };
        let found = density.log_probability(batch, options).unwrap();
        let errors = |found: Vec<MonteCarlo>| found.iter().map(|found| found.stderr).collect();
        Some((found.nats, found.monte_carlo.map(errors)))
    }

    /// The validation metric, which selects checkpoints, per example.
    pub(crate) fn validation(&mut self, batch: &Batch) -> Option<Vec<f64>> {
        self.model.trainable()?.validation(batch).unwrap()
    }

    /// Latent codes, row after row.
    pub(crate) fn codes(&self, batch: &Batch) -> Option<Vec<f32>> {
        Some(self.model.latent()?.encode(batch).unwrap())
    }

    /// The means of examples of these codes.
    pub(crate) fn decoded(&self, codes: &[f32]) -> Option<Vec<f32>> {
        Some(singles(&self.model.latent()?.decode(codes, None).unwrap()))
    }

    /// The critic's scores.
    pub(crate) fn scores(&self, batch: &Batch) -> Option<Vec<f64>> {
        Some(self.model.discriminator()?.score(batch).unwrap())
    }

    /// Features and class probabilities, row after row.
    pub(crate) fn classified(&self, batch: &Batch) -> Option<(Vec<f32>, Vec<f64>)> {
        let found = self.model.classifier()?.classify(&batch.values).unwrap();
        Some((found.features, found.probabilities))
    }
}

/// Resumes the run of a folder until its end, with `more` epochs than it has done if that is not 0.
pub(crate) fn resume(folder: &Path, files: &Path, more: u64) {
    let run = load(folder, "last");
    let data = Data::open(&run, files, None).unwrap();
    let mut training =
        Training::new(run.folder, &data.data, &Registry::standard(), &cpu()).unwrap();
    // The values are of the loop alone; those of the program are measured by it.
    training = training.with_evaluator(None);
    assert_eq!(training.state().finished, more > 0, "{}", folder.display());
    if more > 0 {
        let epochs = training.state().epoch as u64 + more;
        training.set_budget(Budget { epochs, steps: 0, seconds: 0.0 }, "resumed").unwrap();
    }
    training.train(&mut NoopObserver, &AtomicBool::new(false)).unwrap();
    assert!(training.state().finished, "{}", folder.display());
}

/// The values of the training and validation events of a run, in order.
pub(crate) fn history(folder: &Path) -> Vec<f64> {
    let events = RunFolder::open(folder).unwrap().events().unwrap();
    let measured = events.iter().filter(|e| matches!(e, Event::Train(_) | Event::Valid(_)));
    let entries = measured.filter_map(Event::entry);
    entries.flat_map(|e| e.values.iter().map(|(_, value)| *value)).collect()
}

/// Values in single precision, which the models of these runs compute in.
fn singles(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}
