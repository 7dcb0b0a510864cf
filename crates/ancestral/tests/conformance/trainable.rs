//! Training by gradient steps: gradients, resumed runs, threads.

use std::sync::atomic::AtomicBool;

use ancestral::Registry;
use ancestral::model::{BatchIterator, Init, Model, NamedTensors, StepContext};
use ancestral::optim::{OptimizerConfig, Optimizers};
use ancestral::run::{RunFolder, Weights};
use ancestral::spec::cpu;
use ancestral::train::{Event, NoopObserver};
use ancestral_data::{Dataset, Domain, Streams};

use crate::cases::{cases, data, examples, find, label, spec};
use crate::support::{StopAt, config, loop_settings, outputs, prepared, training};

/// The loss and the gradients of one step, in double precision.
fn gradients(model: &mut dyn Model, data: &Dataset) -> (Vec<(String, f64)>, NamedTensors) {
    gradients_of(model, data, 5)
}

fn gradients_of(
    model: &mut dyn Model,
    data: &Dataset,
    seed: u64,
) -> (Vec<(String, f64)>, NamedTensors) {
    let mut batches = BatchIterator::new(examples(data), 7, 0);
    let mut optimizers = Optimizers::recording(&OptimizerConfig::default());
    let mut context = StepContext {
        batches: &mut batches,
        optimizers: &mut optimizers,
        streams: Streams::new(seed),
        step: 1,
        epoch: 0.0,
    };
    let metrics = model.trainable().unwrap().step(&mut context).unwrap();
    let metrics = metrics.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    (metrics, optimizers.into_gradients())
}

#[test]
fn gradients_agree_with_finite_differences() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let mut model = prepared(&entry, &data, &settings, &Init::double(&cpu(), 1));
        if model.trainable().is_none() {
            continue;
        }
        // A step may change more than the optimizer does: clipped weights, running moments.
        let start = model.tensors();
        let (_, grads) = gradients(model.as_mut(), &data);
        assert!(!grads.is_empty(), "{name}");
        let h = 1e-5;
        // The doubly reparameterized gradient of the encoder is not the derivative of the loss,
        // nor is a mean's gradient that is multiplied by σ.
        let doubly = settings.contains_key("doubly_reparameterised");
        let scaled = data.domain == Domain::Real && settings.contains_key("scale_mean_gradients");
        for (tensor, grad) in &grads {
            if scaled || doubly && tensor.starts_with("model.encoder") {
                continue;
            }
            let grad = grad.try_to_vec_as::<f64>().unwrap();
            // The critic's gradient belongs to the critic's loss.
            let metric = if tensor.starts_with("critic") { "critic_loss" } else { "loss" };
            for entry in [0, grad.len() / 2, grad.len() - 1] {
                let mut at = |offset: f64| {
                    let perturbed: NamedTensors = start
                        .iter()
                        .map(|(n, data)| {
                            let mut values = data.try_to_vec_as::<f64>().unwrap();
                            if n == tensor {
                                values[entry] += offset;
                            }
                            let shape = data.shape().clone();
                            (n.clone(), burn::tensor::TensorData::new(values, shape))
                        })
                        .collect();
                    model.load(&perturbed).unwrap();
                    let (metrics, _) = gradients(model.as_mut(), &data);
                    metrics.iter().find(|(n, _)| n == metric).unwrap().1
                };
                let derivative = (at(h) - at(-h)) / (2.0 * h);
                let error = (derivative - grad[entry]).abs();
                assert!(
                    error < 1e-6 + 1e-5 * derivative.abs(),
                    "{name}: {tensor}[{entry}]: {} by hand, {derivative} by differences",
                    grad[entry]
                );
            }
        }
    }
}

/// Over many draws, the doubly reparameterized gradient of the encoder has the mean of the plain one,
/// and a lower variance.
#[test]
fn the_doubly_reparameterized_gradient_is_unbiased() {
    let data = data(Domain::Binary);
    let entry = find("iwae");
    let moments = |doubly: bool| {
        let settings = format!(
            "latent_dims = [2, 1]\nhidden = [[4], [3]]\nimportance_samples = 4\n\
             doubly_reparameterized = {doubly}"
        );
        let init = Init::double(&cpu(), 1);
        let mut model = prepared(&entry, &data, &settings.parse().unwrap(), &init);
        // With larger weights than the initial ones, so that the gradients are large.
        let enlarged = model.tensors().into_iter().map(|(name, data)| {
            let values: Vec<f64> = data.try_to_vec_as().unwrap();
            let factor = if name.contains("head") { 20.0 } else { 2.0 };
            let values: Vec<f64> = values.into_iter().map(|x| factor * x).collect();
            (name, burn::tensor::TensorData::new(values, data.shape().clone()))
        });
        model.load(&enlarged.collect()).unwrap();
        let n = 4000;
        let mut sums: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
        for seed in 0..n {
            let (_, found) = gradients_of(model.as_mut(), &data, seed);
            let found = found.into_iter().filter(|(name, _)| name.starts_with("model.encoder"));
            for (i, (name, gradient)) in found.enumerate() {
                let gradient: Vec<f64> = gradient.try_to_vec_as().unwrap();
                if sums.len() == i {
                    sums.push((name, vec![(0.0, 0.0); gradient.len()]));
                }
                for (sum, g) in sums[i].1.iter_mut().zip(gradient) {
                    *sum = (sum.0 + g, sum.1 + g * g);
                }
            }
        }
        let n = n as f64;
        for (s, q) in sums.iter_mut().flat_map(|(_, sums)| sums) {
            *s /= n;
            *q = (*q / n - *s * *s).max(0.0) / n;
        }
        sums
    };
    let (plain, doubly) = (moments(false), moments(true));
    let (mut noise_plain, mut noise_doubly) = (0.0, 0.0);
    for ((name, plain), (_, doubly)) in plain.iter().zip(&doubly) {
        for (i, (a, b)) in plain.iter().zip(doubly).enumerate() {
            let error = (a.1 + b.1).sqrt();
            assert!((a.0 - b.0).abs() < 5.0 * error + 1e-9, "{name}[{i}]: {a:?} {b:?}");
            noise_plain += a.1;
            noise_doubly += b.1;
        }
    }
    assert!(noise_doubly < noise_plain, "{noise_doubly} {noise_plain}");
    let size = plain.iter().flat_map(|p| &p.1).map(|g| g.0.abs()).fold(0.0, f64::max);
    assert!(size > 20.0 * (noise_plain / 50.0).sqrt(), "too little to compare: {size}");
}

#[test]
fn a_resumed_run_equals_one_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    for (i, (entry, data, settings)) in cases().into_iter().enumerate() {
        let name = label(&entry, &data, &settings);
        let mut model = (entry.build)(&settings, &spec(&data), &Init::new(&cpu(), 0)).unwrap();
        if model.trainable().is_none() {
            continue;
        }
        let rules = ["adam", "adamw", "rmsprop", "sgd", "adagrad", "adadelta"];
        let train = loop_settings(&format!(
            "epochs = 3\nbatch_size = 10\nschedule = 'cosine'\nclip_norm = 5.0\n\
             average_decay = 0.9\noptimizer = '{}'",
            rules[i % rules.len()]
        ));
        let whole = dir.path().join(format!("whole-{i}"));
        let config = config(&entry, &data, &settings, train);
        let run = RunFolder::create(&whole, config.clone()).unwrap();
        training(run, &data).unwrap().train(&mut NoopObserver, &AtomicBool::new(false)).unwrap();
        let parts = dir.path().join(format!("parts-{i}"));
        let mut run = RunFolder::create(&parts, config).unwrap();
        for step in [1, 4, 7, u64::MAX] {
            let stop = AtomicBool::new(false);
            let mut training = training(run, &data).unwrap();
            training.train(&mut StopAt { step, stop: &stop }, &stop).unwrap();
            drop(training);
            run = RunFolder::open(&parts).unwrap();
        }
        for weights in [Weights::Best, Weights::Last, Weights::Raw] {
            let tensors = |path| {
                let (model, _) = RunFolder::open(path)
                    .unwrap()
                    .load(&Registry::standard(), &cpu(), weights)
                    .unwrap();
                model.tensors()
            };
            assert_eq!(tensors(&whole), tensors(&parts), "{name}: {weights:?}");
        }
        let metrics = |path| -> Vec<_> {
            let events = RunFolder::open(path).unwrap().events().unwrap();
            let kept = events.iter().filter(|e| matches!(e, Event::Train(_) | Event::Valid(_)));
            let entries = kept.filter_map(Event::entry);
            entries.map(|e| (e.step, e.values.clone())).collect()
        };
        assert_eq!(metrics(&whole), metrics(&parts), "{name}");
    }
}

#[test]
fn the_thread_count_changes_no_bit() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let train = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
                let mut batches = BatchIterator::new(examples(&data), 13, 0);
                let mut optimizers = Optimizers::new(&OptimizerConfig::default());
                for step in 1..=4 {
                    let Some(trainable) = model.trainable() else { break };
                    let epoch = batches.epoch();
                    let mut context = StepContext {
                        batches: &mut batches,
                        optimizers: &mut optimizers,
                        streams: Streams::new(5),
                        step,
                        epoch,
                    };
                    trainable.step(&mut context).unwrap();
                }
                (model.tensors(), outputs(model.as_ref(), &data))
            })
        };
        assert_eq!(train(1), train(2), "{name}");
    }
}
