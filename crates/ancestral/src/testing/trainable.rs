//! Training by gradient steps: gradients, resumed runs, threads.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ancestral_data::Binarize;
use burn::tensor::TensorData;
use toml::Table;

use super::case::Subject;
use super::problem::{Problem, Tried, ensure};
use crate::model::{Init, Metrics, Model, NamedTensors};
use crate::optim::{OptimizerConfig, Optimizers};
use crate::run::{DataConfig, FORMAT, RunConfig, RunFolder, Training, Weights};
use crate::spec::cpu;
use crate::train::{Event, NoopObserver, Observer, TrainConfig};

/// The step size of finite differences.
const H: f64 = 1e-5;
/// Steps at which a run is stopped and resumed.
const STOPS: [u64; 4] = [1, 4, 7, u64::MAX];

/// The loss and the gradients of one step.
fn gradients(
    subject: &Subject<'_>,
    model: &mut dyn Model,
) -> crate::Result<(Metrics, NamedTensors)> {
    let mut optimizers = Optimizers::recording(&OptimizerConfig::default());
    let metrics = subject.steps(model, (1, 7, 5), &mut optimizers)?;
    Ok((metrics, optimizers.into_gradients()))
}

/// The numbers of a tensor in double precision.
fn numbers(name: &str, data: &TensorData) -> Result<Vec<f64>, Problem> {
    data.try_to_vec_as().map_err(|_| Problem::wrong(format!("{name} is not a tensor of numbers")))
}

/// In double precision, the gradients of a step agree with finite differences of the loss that it reports: for a
/// tensor of part `p` the metric `p_loss` if it exists, else `loss`.
pub(super) fn gradients_agree(subject: &Subject<'_>) -> Tried {
    let mut model = subject.prepare(&Init::double(&cpu(), 1))?;
    if model.trainable().is_none() {
        return Ok(0);
    }
    // A step may change more than the optimizer does: clipped weights, running moments.
    let mut start = Vec::new();
    for (name, data) in model.tensors() {
        let values = numbers(&name, &data)?;
        start.push((name, values, data.shape().clone()));
    }
    let (_, gradients_found) = gradients(subject, model.as_mut())?;
    ensure!(!gradients_found.is_empty(), "a step has no gradients");
    let mut tried = 0;
    for (tensor, gradient) in &gradients_found {
        if (subject.case.surrogate)(tensor) {
            continue;
        }
        let gradient = numbers(tensor, gradient)?;
        let part_loss = format!("{}_loss", tensor.split('.').next().unwrap_or_default());
        for entry in [0, gradient.len() / 2, gradient.len() - 1] {
            let mut at = |offset: f64| -> Result<f64, Problem> {
                let moved = start.iter().map(|(name, values, shape)| {
                    let mut values = values.clone();
                    if name == tensor {
                        values[entry] += offset;
                    }
                    (name.clone(), TensorData::new(values, shape.clone()))
                });
                model.load(&moved.collect())?;
                let (metrics, _) = gradients(subject, model.as_mut())?;
                let of = |wanted: &str| metrics.iter().find(|(name, _)| *name == wanted);
                let loss = of(&part_loss).or_else(|| of("loss")).map(|(_, value)| *value);
                loss.ok_or_else(|| Problem::wrong("a step reports no metric 'loss'"))
            };
            let difference = (at(H)? - at(-H)?) / (2.0 * H);
            let given = gradient[entry];
            let near = (difference - given).abs() < 1e-6 + 1e-5 * difference.abs();
            ensure!(
                near,
                "{tensor}[{entry}]: the gradient is {given}, by differences {difference}"
            );
            tried += 1;
        }
    }
    Ok(tried)
}

/// A step changes weights, all numbers stay finite, and the loss is the first of its metrics.
pub(super) fn a_step_changes_weights(subject: &Subject<'_>) -> Tried {
    let mut model = subject.model()?;
    if model.trainable().is_none() {
        return Ok(0);
    }
    let before = model.tensors();
    let mut optimizers = Optimizers::new(&OptimizerConfig::default());
    let metrics = subject.steps(model.as_mut(), (1, 7, 5), &mut optimizers)?;
    let first = metrics.first().map(|(name, _)| *name);
    ensure!(first == Some("loss"), "the first metric of a step is {first:?}, not the loss");
    ensure!(metrics.iter().all(|(_, v)| v.is_finite()), "a metric is not finite: {metrics:?}");
    let after = model.tensors();
    ensure!(after != before, "a step changes no weight");
    for (name, data) in &after {
        let finite = numbers(name, data)?.iter().all(|value| value.is_finite());
        ensure!(finite, "{name} is not finite after a step");
    }
    Ok(1)
}

/// Stops after a number of steps, with the state on disk.
struct StopAt<'a> {
    step: u64,
    stop: &'a AtomicBool,
}

impl Observer for StopAt<'_> {
    fn event(&mut self, event: &Event) -> crate::Result<()> {
        if matches!(event, Event::Step(progress) if progress.step == self.step) {
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A step, with its metrics by name.
type Noted = (u64, Vec<(String, f64)>);

/// The steps and metrics of a run's events.
fn metrics(path: &Path) -> crate::Result<Vec<Noted>> {
    let events = RunFolder::open(path)?.events()?;
    let kept = events.iter().filter(|event| matches!(event, Event::Train(_) | Event::Valid(_)));
    let entries = kept.filter_map(Event::entry);
    Ok(entries.map(|entry| (entry.step, entry.values.clone())).collect())
}

/// A run that is stopped and resumed has the same weights and metrics, bit by bit, as one without interruption.
pub(super) fn a_resumed_run_equals_a_whole_one(subject: &Subject<'_>) -> Tried {
    if subject.build(0)?.trainable().is_none() {
        return Ok(0);
    }
    let mut train: Table = Table::new();
    train.insert("epochs".to_owned(), 3.into());
    train.insert("batch_size".to_owned(), 10.into());
    train.insert("schedule".to_owned(), "cosine".into());
    train.insert("clip_norm".to_owned(), 5.0.into());
    train.insert("average_decay".to_owned(), 0.9.into());
    train.extend(subject.case.train.clone());
    let (registry, case) = (subject.registry, subject.case);
    let config = RunConfig {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: String::new(),
        model: case.name.clone(),
        preset: String::new(),
        seed: 3,
        evaluator: None,
        from: None,
        encoder: None,
        data: DataConfig::describe(&case.data, Binarize::None),
        settings: case.settings.clone(),
        train: TrainConfig::parse(&train)?,
        result: None,
    };
    let folder = tempfile::tempdir()?;
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let run = RunFolder::create(&whole, config.clone())?;
    let mut training = Training::new(run, &case.data, registry, &cpu())?;
    training.train(&mut NoopObserver, &AtomicBool::new(false))?;
    drop(training);
    let mut run = RunFolder::create(&parts, config)?;
    for step in STOPS {
        let stop = AtomicBool::new(false);
        let mut training = Training::new(run, &case.data, registry, &cpu())?;
        training.train(&mut StopAt { step, stop: &stop }, &stop)?;
        drop(training);
        run = RunFolder::open(&parts)?;
    }
    for weights in [Weights::Best, Weights::Last, Weights::Raw] {
        let tensors = |path: &Path| -> crate::Result<NamedTensors> {
            Ok(RunFolder::open(path)?.load(registry, &cpu(), weights)?.0.tensors())
        };
        let same = tensors(&whole)? == tensors(&parts)?;
        ensure!(same, "the resumed run has other weights ({})", weights.as_str());
    }
    let (whole, parts) = (metrics(&whole)?, metrics(&parts)?);
    ensure!(whole == parts, "the resumed run has other metrics: {whole:?} {parts:?}");
    Ok(1)
}

/// Weights and outputs have the same bits for any number of threads.
pub(super) fn threads_change_no_bit(subject: &Subject<'_>) -> Tried {
    let train = |threads: usize| -> Result<_, Problem> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|e| Problem::case(format!("cannot start threads: {e}")))?;
        pool.install(|| {
            let mut model = subject.model()?;
            let mut optimizers = Optimizers::new(&OptimizerConfig::default());
            subject.steps(model.as_mut(), (4, 13, 5), &mut optimizers)?;
            Ok((model.tensors(), subject.outputs(model.as_ref())?))
        })
    };
    let (one, two) = (train(1)?, train(2)?);
    ensure!(one.0 == two.0, "1 and 2 threads give other weights");
    ensure!(one.1 == two.1, "1 and 2 threads give other outputs: {:?} {:?}", one.1, two.1);
    Ok(1)
}
