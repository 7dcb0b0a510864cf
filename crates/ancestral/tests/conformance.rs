//! What every model must pass, run over the list of models.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use std::sync::atomic::AtomicBool;

use ancestral::Registry;
use ancestral::model::{
    BatchIterator, Capability, DataSpec, DensityOptions, Init, Model, ModelEntry, NamedTensors,
    SampleRequest, StepContext, fit, sample,
};
use ancestral::optim::{OptimizerConfig, Optimizers};
use ancestral::spec::cpu;
use ancestral::train::{
    DataConfig, FORMAT, NoopObserver, Observer, Progress, RunConfig, RunFolder, TrainConfig,
    Training, Weights,
};
use ancestral_data::{
    Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Streams, Values,
};
use toml::{Table, Value};

fn find(name: &str) -> ModelEntry {
    Registry::standard().find(name).unwrap().clone()
}

/// A small data set of a domain, with structure to learn.
fn data(domain: Domain) -> Dataset {
    shaped(domain, Shape::columns(6))
}

fn shaped(domain: Domain, shape: Shape) -> Dataset {
    let n = 60;
    let size = shape.size();
    let noise = Streams::new(11).purpose("data", 0).normals(&[0], n * size);
    let centre = |i: usize, j: usize| if (i + j).is_multiple_of(3) { 1.0 } else { -1.0 };
    let at = |k: usize| centre(k / size % 3, k % size) + 0.3 * noise[k];
    let values = match domain {
        Domain::Real => Values::Reals((0..n * size).map(at).collect()),
        Domain::Binary => Values::Bytes((0..n * size).map(|k| u8::from(at(k) > 0.0)).collect()),
        Domain::Levels(levels) => {
            let top = (levels - 1) as f32;
            let level = |k: usize| ((at(k) + 2.0) / 4.0 * top).round().clamp(0.0, top) as u8;
            Values::Bytes((0..n * size).map(level).collect())
        }
    };
    let labels = Some((0..n).map(|i| (i % 3) as u32).collect());
    let split = Split { values, labels };
    Dataset::new("small", domain, shape, split, None, None).unwrap().with_splits(0).unwrap()
}

/// Every model on every domain that it takes, with settings that try its options.
fn cases() -> Vec<(ModelEntry, Dataset, Table)> {
    let mut cases = Vec::new();
    for domain in [Domain::Binary, Domain::Levels(5), Domain::Levels(256), Domain::Real] {
        let data = data(domain);
        for entry in Registry::standard().entries() {
            let variants: &[&str] = match entry.name {
                "vae" => &[
                    "latent_dims = [2]\nhidden = [[8]]",
                    "latent_dims = [3, 2]\nhidden = [[8], [5]]\nactivation = 'softplus'",
                    "latent_dims = [2]\nhidden = [[8, 8]]\nimportance_samples = 3",
                    "latent_dims = [2]\nhidden = [[8]]\nconditional = true\nbeta = 0.5",
                ],
                "ae" => &[
                    "latent_dim = 3\nhidden = [8]",
                    "latent_dim = 3\nhidden = [8]\nnoise = 0.2\ncorruption = 'masking'",
                    "latent_dim = 3\nhidden = []\nnoise = 0.1\nloss = 'bernoulli'",
                ],
                "iwae" => &[
                    "latent_dims = [2]\nhidden = [[8]]",
                    "latent_dims = [3, 2]\nhidden = [[8], [5]]\ndoubly_reparameterised = true",
                ],
                "nade" => &["hidden = 7", "hidden = 9\norder = 'random'"],
                "rnade" => &[
                    "hidden = 6\ncomponents = 2",
                    "hidden = 5\ncomponents = 3\nfamily = 'laplace'\nrescale = false",
                    "hidden = 6\ncomponents = 2\norder = 'reversed'\nscale_mean_gradients = true",
                ],
                // Sums start at 0 where all that is seen is: there ReLU has no slope to check.
                "deep-nade" => &[
                    "hidden = [8]\nactivation = 'softplus'\ncomponents = 2",
                    "hidden = [8]\nactivation = 'tanh'\nevery_conditional = true",
                    "hidden = [7, 9]\nactivation = 'tanh'\nfamily = 'laplace'\ncomponents = 2",
                    "hidden = [8]\nactivation = 'tanh'\ncomponents = 2\nscale_mean_gradients = true",
                ],
                "made" => &[
                    "hidden = [9]\nactivation = 'softplus'",
                    "hidden = [9, 14]\norder = 'random'\ndirect = true\nactivation = 'tanh'",
                    "hidden = [12]\nmasks = 3\nactivation = 'softplus'\nshuffle_order = false",
                    "hidden = [10]\nmasks = 0\ndirect = true\nactivation = 'tanh'",
                ],
                name if adversarial(name) => {
                    // Of the bounded domains one will do: they differ by a scale.
                    if matches!(domain, Domain::Binary | Domain::Levels(256)) {
                        continue;
                    }
                    match name {
                        "ns-gan" => &[
                            "label_smoothing = 0.1\ngenerator_norm = 'batch'",
                            "penalty = 'r1'\ncritic_norm = 'layer'\nconditioning = 'projection'",
                        ],
                        "lsgan" => &["generator_norm = 'layer'"],
                        "wgan-gp" => &["critic_norm = 'layer'", "conditioning = 'concat'"],
                        "cgan" => &["noise = 'uniform'"],
                        _ => &[""],
                    }
                }
                "features" => &[
                    "channels = []\ndim = 16\nactivation = 'softplus'\ndropout = 0.0",
                    "channels = []\ndim = 16\nactivation = 'tanh'\ndropout = 0.25",
                ],
                _ => &[""],
            };
            for settings in variants {
                let mut settings: Table = settings.parse().unwrap();
                if adversarial(entry.name) {
                    settings.extend(SMALL_NETWORKS.parse::<Table>().unwrap());
                }
                if (entry.build)(&settings, &spec(&data), &Init::new(&cpu(), 0)).is_ok() {
                    let entry = entry.clone();
                    cases.push((entry, data.clone(), settings));
                }
            }
        }
    }
    let pictures = shaped(Domain::Levels(5), Shape::image(1, 5, 4));
    let settings = "latent_dim = 2\nhidden = [5]\nchannels = [3]\nloss = 'bernoulli'";
    let ae = find("ae");
    cases.push((ae, pictures, settings.parse().unwrap()));
    // Convolutions need pictures; an odd side is the harder one to give back.
    for (domain, shape) in
        [(Domain::Binary, Shape::image(1, 9, 8)), (Domain::Levels(5), Shape::image(3, 4, 5))]
    {
        let settings = "latent_dims = [2]\nhidden = [[5]]\nchannels = [2, 3]\nconditional = true";
        let entry = find("vae");
        cases.push((entry, shaped(domain, shape), settings.parse().unwrap()));
    }
    // Networks of convolutions, with a penalty through each kind of layer.
    for (name, shape, settings) in [
        ("dcgan", Shape::image(1, 8, 8), ""),
        ("dcgan", Shape::image(3, 10, 8), "penalty = 'gradient'\nconditioning = 'projection'"),
        ("wgan-gp", Shape::image(1, 8, 8), "network = 'dcgan'\nconditioning = 'concat'"),
        ("sngan", Shape::image(2, 8, 8), "network = 'dcgan'\npenalty = 'dragan'"),
        ("infogan", Shape::image(1, 4, 4), "network = 'infogan'"),
        ("ragan", Shape::image(2, 8, 8), "network = 'dcgan'\naugment = 0.3\naugment_epochs = 2"),
        ("began", Shape::image(1, 8, 8), "network = 'dcgan'"),
        ("hinge-gan", Shape::image(3, 8, 8), "network = 'dcgan'\nprecision = 'bf16'"),
    ] {
        let settings: Table = format!("{SMALL_NETWORKS}{settings}").parse().unwrap();
        let entry = find(name);
        cases.push((entry, shaped(Domain::Levels(5), shape), settings));
    }
    for (domain, shape) in
        [(Domain::Levels(5), Shape::image(1, 5, 4)), (Domain::Real, Shape::image(3, 4, 5))]
    {
        let settings = "channels = [3, 2]\ndim = 12\nactivation = 'softplus'\ndropout = 0.0";
        let entry = find("features");
        cases.push((entry, shaped(domain, shape), settings.parse().unwrap()));
    }
    for entry in Registry::standard().entries() {
        assert!(cases.iter().any(|(e, _, _)| e.name == entry.name), "{} was not tried", entry.name);
    }
    cases
}

/// Settings of adversarial networks that are quick to try, with smooth layers.
const SMALL_NETWORKS: &str = "latent_dim = 3\ngenerator_hidden = [8, 6]\ncritic_hidden = [7, 5]
generator_activation = 'tanh'\ncritic_activation = 'softplus'\ncritic_steps = 1\ncode_dim = 3
categories = 3\ncontinuous = 1\nfeatures = 2\n";

fn adversarial(name: &str) -> bool {
    ancestral::adversarial::presets::entries().iter().any(|entry| entry.name == name)
}

fn spec(data: &Dataset) -> DataSpec {
    DataSpec::new(data.domain, data.shape.clone(), data.classes())
}

fn label(entry: &ModelEntry, data: &Dataset, settings: &Table) -> String {
    format!("{} on {}: {}", entry.name, data.domain, settings.to_string().replace('\n', "; "))
}

fn examples(data: &Dataset) -> Examples {
    Examples::new(data, SplitName::Train, Binarize::None, 0).unwrap()
}

fn loop_settings(text: &str) -> TrainConfig {
    TrainConfig::parse(&text.parse().unwrap()).unwrap()
}

fn config(entry: &ModelEntry, data: &Dataset, settings: &Table, train: TrainConfig) -> RunConfig {
    RunConfig {
        format: FORMAT,
        version: "test".to_owned(),
        command: String::new(),
        model: entry.name.to_owned(),
        preset: String::new(),
        seed: 3,
        data: DataConfig::describe(data, Binarize::None),
        settings: settings.clone(),
        train,
    }
}

fn training(run: RunFolder, data: &Dataset) -> ancestral::Result<Training> {
    Training::new(run, data, &Registry::standard(), &cpu())
}

fn outputs(model: &dyn Model, data: &Dataset) -> (Vec<f64>, Vec<f64>) {
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

fn prepared(entry: &ModelEntry, data: &Dataset, settings: &Table, init: &Init) -> Box<dyn Model> {
    let mut model = (entry.build)(settings, &spec(data), init).unwrap();
    if let Some(estimator) = model.estimator() {
        fit(estimator, &examples(data), 0).unwrap();
    }
    if let Some(trainable) = model.trainable() {
        trainable.start(&examples(data)).unwrap();
    }
    model
}

#[test]
fn saved_weights_give_the_same_outputs() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        let mut other =
            (entry.build)(&model.settings(), &spec(&data), &Init::new(&cpu(), 2)).unwrap();
        other.load(&model.tensors()).unwrap();
        assert_eq!(outputs(model.as_ref(), &data), outputs(other.as_ref(), &data), "{name}");
        let broken: NamedTensors = model.tensors().into_iter().skip(1).collect();
        assert!(other.load(&broken).is_err(), "{name}: a missing tensor went unseen");
    }
}

#[test]
fn samples_lie_in_the_domain_and_depend_on_their_number_alone() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        if model.sampler().is_none() {
            continue;
        }
        let size = data.shape.size();
        let all = sample(model.as_ref(), &SampleRequest::new(9, 4)).unwrap();
        assert_eq!(all.len(), 9 * size, "{name}");
        for &x in &all {
            match data.domain.max_level() {
                Some(max) => {
                    assert!(x >= 0.0 && x <= f64::from(max) && x.fract() == 0.0, "{name}: {x}");
                }
                None => assert!(x.is_finite(), "{name}: {x}"),
            }
        }
        let request = SampleRequest { first: 6, ..SampleRequest::new(2, 4) };
        let some = sample(model.as_ref(), &request).unwrap();
        for (a, b) in some.iter().zip(&all[6 * size..]) {
            assert!((a - b).abs() < 1e-4, "{name}: {a} {b}");
        }
    }
}

#[test]
fn log_probabilities_do_not_depend_on_the_batch() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        let Some(density) = model.density() else { continue };
        let options = DensityOptions::new(20, 2);
        let all = density
            .log_probability(&examples(&data).batch(&[4, 9, 2], 0), options.clone())
            .unwrap();
        for (i, index) in [4, 9, 2].into_iter().enumerate() {
            let one = density
                .log_probability(&examples(&data).batch(&[index], 0), options.clone())
                .unwrap();
            let scale = 1.0 + all.nats[i].abs();
            assert!((one.nats[0] - all.nats[i]).abs() < 1e-5 * scale, "{name}");
        }
    }
}

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
        // A step may change more than the optimiser does: clipped weights, running moments.
        let start = model.tensors();
        let (_, grads) = gradients(model.as_mut(), &data);
        assert!(!grads.is_empty(), "{name}");
        let h = 1e-5;
        // The doubly reparameterised gradient of the encoder is no derivative of the loss, nor is
        // that of a mean which is multiplied by σ.
        let doubly = settings.contains_key("doubly_reparameterised");
        let scaled = data.domain == Domain::Real && settings.contains_key("scale_mean_gradients");
        for (tensor, grad) in &grads {
            if scaled || doubly && tensor.starts_with("model.encoder") {
                continue;
            }
            let grad = grad.try_to_vec_as::<f64>().unwrap();
            // The critic's gradient belongs to the critic's loss.
            let figure = if tensor.starts_with("critic") { "critic_loss" } else { "loss" };
            for entry in [0, grad.len() / 2, grad.len() - 1] {
                let mut at = |offset: f64| {
                    let moved: NamedTensors = start
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
                    model.load(&moved).unwrap();
                    let (metrics, _) = gradients(model.as_mut(), &data);
                    metrics.iter().find(|(n, _)| n == figure).unwrap().1
                };
                let slope = (at(h) - at(-h)) / (2.0 * h);
                let error = (slope - grad[entry]).abs();
                assert!(
                    error < 1e-6 + 1e-5 * slope.abs(),
                    "{name}: {tensor}[{entry}]: {} by hand, {slope} by differences",
                    grad[entry]
                );
            }
        }
    }
}

/// Over many draws, the doubly reparameterised gradient of the encoder has the mean of the plain
/// one, and less spread.
#[test]
fn the_doubly_reparameterised_gradient_is_unbiased() {
    let data = data(Domain::Binary);
    let entry = find("iwae");
    let moments = |doubly: bool| {
        let settings = format!(
            "latent_dims = [2, 1]\nhidden = [[4], [3]]\nimportance_samples = 4\n\
             doubly_reparameterised = {doubly}"
        );
        let init = Init::double(&cpu(), 1);
        let mut model = prepared(&entry, &data, &settings.parse().unwrap(), &init);
        // Away from the gentle start, so that the gradients are large.
        let moved = model.tensors().into_iter().map(|(name, data)| {
            let values: Vec<f64> = data.try_to_vec_as().unwrap();
            let factor = if name.contains("head") { 20.0 } else { 2.0 };
            let values: Vec<f64> = values.into_iter().map(|x| factor * x).collect();
            (name, burn::tensor::TensorData::new(values, data.shape().clone()))
        });
        model.load(&moved.collect()).unwrap();
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

/// Stops after a number of steps, as a kill would, but with the state on disk.
struct StopAt<'a> {
    step: u64,
    stop: &'a AtomicBool,
}

impl Observer for StopAt<'_> {
    fn progress(&mut self, progress: &Progress) {
        if progress.step == self.step {
            self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
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
             average_decay = 0.9\noptimiser = '{}'",
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
        let figures = |path| -> Vec<_> {
            let events = RunFolder::open(path).unwrap().events().unwrap();
            let kept = events.into_iter().filter(|e| e.kind == "train" || e.kind == "valid");
            kept.map(|e| (e.step, e.values)).collect()
        };
        assert_eq!(figures(&whole), figures(&parts), "{name}");
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

/// With a prior that stays fixed, the bound rises with K and reaches log p(x) integrated on a grid.
#[test]
fn a_bound_rises_with_k_to_the_integral() {
    let data = data(Domain::Binary);
    let entry = find("vae");
    for dims in [1usize, 2] {
        let settings: Table = format!("latent_dims = [{dims}]\nhidden = [[8]]").parse().unwrap();
        let mut model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        let mut batches = BatchIterator::new(examples(&data), 24, 0);
        let train = loop_settings("learning_rate = 0.01");
        let mut optimizers = Optimizers::new(&train.optimizer_config());
        for step in 1..=150 {
            let epoch = batches.epoch();
            let mut context = StepContext {
                batches: &mut batches,
                optimizers: &mut optimizers,
                streams: Streams::new(5),
                step,
                epoch,
            };
            model.trainable().unwrap().step(&mut context).unwrap();
        }
        let batch = examples(&data).batch(&[0, 1, 2, 3], 0);
        let size = data.shape.size();
        // Midpoint rule over [−7, 7] in each code entry.
        let cells = if dims == 1 { 4000 } else { 280 };
        let width = 14.0 / f64::from(cells);
        let axis: Vec<f64> = (0..cells).map(|i| -7.0 + (f64::from(i) + 0.5) * width).collect();
        let codes: Vec<Vec<f64>> = if dims == 1 {
            axis.iter().map(|&a| vec![a]).collect()
        } else {
            axis.iter().flat_map(|&a| axis.iter().map(move |&b| vec![a, b])).collect()
        };
        let flat: Vec<f32> = codes.iter().flatten().map(|&z| z as f32).collect();
        let means = model.latent().unwrap().decode(&flat, None).unwrap();
        let integrals: Vec<f64> = batch
            .values
            .chunks(size)
            .map(|x| {
                let total: f64 = codes
                    .iter()
                    .zip(means.chunks(size))
                    .map(|(z, p)| {
                        let prior: f64 = z
                            .iter()
                            .map(|z| (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt())
                            .product();
                        let likelihood: f64 = x
                            .iter()
                            .zip(p)
                            .map(|(&x, &p)| f64::from(if x > 0.5 { p } else { 1.0 - p }))
                            .product();
                        prior * likelihood * width.powi(dims as i32)
                    })
                    .sum();
                total.ln()
            })
            .collect();
        let density = model.density().unwrap();
        // The mean over seeds and its standard error, for each example.
        let mean_at = |k: usize, seeds: u64| -> Vec<(f64, f64)> {
            let drawn: Vec<Vec<f64>> = (0..seeds)
                .map(|seed| {
                    let options = DensityOptions::new(k, seed);
                    density.log_probability(&batch, options).unwrap().nats
                })
                .collect();
            let n = seeds as f64;
            (0..4)
                .map(|i| {
                    let mean = drawn.iter().map(|d| d[i]).sum::<f64>() / n;
                    let squares = drawn.iter().map(|d| (d[i] - mean).powi(2)).sum::<f64>();
                    (mean, (squares / (n * (n - 1.0))).sqrt())
                })
                .collect()
        };
        let (one, ten) = (mean_at(1, 800), mean_at(10, 400));
        let sum = |bound: &[(f64, f64)]| bound.iter().map(|b| b.0).sum::<f64>();
        let error = one.iter().chain(&ten).map(|b| b.1 * b.1).sum::<f64>().sqrt();
        assert!(sum(&one) + 4.0 * error < sum(&ten), "{one:?} {ten:?}");
        let options = DensityOptions::new(50_000, 1);
        let many = density.log_probability(&batch, options).unwrap();
        let errors = many.mc_stderr.unwrap();
        for i in 0..4 {
            let ((one, one_error), (ten, ten_error)) = (one[i], ten[i]);
            let shown = format!("{one} ± {one_error}, {ten} ± {ten_error}, {}", integrals[i]);
            assert!(one < ten + 4.0 * one_error.hypot(ten_error), "{shown}");
            assert!(ten < integrals[i] + 4.0 * ten_error, "{shown}");
            assert!(ten_error < 0.02, "{shown}");
            let gap = (many.nats[i] - integrals[i]).abs();
            assert!(gap < 0.003 + 4.0 * errors[i], "{:?} {integrals:?}", many.nats);
            assert!(errors[i] < 0.02, "{errors:?}");
        }
    }
}

/// The settings of a case with eight times the units in every hidden layer and code.
fn roomy(settings: &Table) -> Table {
    fn grown(value: &Value) -> Value {
        match value {
            Value::Integer(n) => Value::Integer(8 * n),
            Value::Array(values) => Value::Array(values.iter().map(grown).collect()),
            other => other.clone(),
        }
    }
    let sizes = |key: &str| {
        key.contains("hidden") || key.contains("latent") || ["channels", "features"].contains(&key)
    };
    let mut settings = settings.clone();
    settings.iter_mut().filter(|(k, _)| sizes(k)).for_each(|(_, v)| *v = grown(v));
    settings
}

/// Whether samples have to have the moments of the data: the slope of the critic is held at 1.
fn held(entry: &ModelEntry, data: &Dataset) -> bool {
    entry.name == "wgan-gp" && data.domain == Domain::Real
}

/// Values of a batch by column.
fn columns(values: &[f64], size: usize) -> Vec<Vec<f64>> {
    let column = |j| values.iter().skip(j).step_by(size).copied().collect();
    (0..size).map(column).collect()
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// The entropy of the empirical distribution of rows, in nats: the least mean −log p(x) there is.
fn entropy(rows: impl Iterator<Item = Vec<u64>>) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    let mut n = 0.0;
    for row in rows {
        *counts.entry(row).or_insert(0.0) += 1.0;
        n += 1.0;
    }
    counts.values().map(|c| -c / n * f64::ln(c / n)).sum()
}

/// The settings and the training that a case learns 16 examples by heart with.
fn by_heart(entry: &ModelEntry, data: &Dataset, settings: &Table) -> (Table, TrainConfig) {
    let settings = roomy(settings);
    let builds = |settings: &Table| (entry.build)(settings, &spec(data), &Init::new(&cpu(), 0));
    let game = builds(&settings)
        .is_ok_and(|m| m.sampler().is_some() && m.density().is_none() && m.latent().is_none());
    // Codes that come to mean something before they have to be few, and levels one by one: a
    // mixture that is to hit one of 256 takes long to become that thin.
    let warm = ("kl_warmup_epochs", Value::Float(300.0));
    let levels = ("likelihood", Value::String("categorical".to_owned()));
    let mut wanted = vec![warm];
    wanted.extend((data.domain == Domain::Levels(256)).then_some(levels));
    let mut settings = wanted.into_iter().fold(settings, |settings, (name, value)| {
        let mut more = settings.clone();
        more.insert(name.to_owned(), value);
        if builds(&more).is_ok() { more } else { settings }
    });
    if game {
        // With smooth layers it loses whole clusters.
        settings.retain(|name, _| !name.ends_with("activation"));
        // Both networks at one rate; critics that are held back need a lead.
        settings.insert("critic_rate".to_owned(), Value::Float(1.0));
        if ["sngan", "began"].contains(&entry.name) {
            settings.insert("critic_steps".to_owned(), Value::Integer(5));
        }
        let epochs = if data.shape.as_image().is_some() { 1500 } else { 4000 };
        let train = format!("epochs = {epochs}\nlearning_rate = 1e-3\nbeta1 = 0.0\nbeta2 = 0.9");
        (settings, loop_settings(&format!("{train}\nschedule = 'cosine'\nsample_count = 0")))
    } else {
        // A network that answers for every order has as much more to learn.
        let every_order =
            entry.capabilities.iter().any(|can| matches!(can, Capability::EnsembleDensity(_)));
        let epochs = if every_order { 2500 } else { 1500 };
        let train = "learning_rate = 0.01\nschedule = 'cosine'\nsample_count = 0";
        (settings, loop_settings(&format!("epochs = {epochs}\n{train}")))
    }
}

/// What a model that has learned 16 examples by heart shows, by what it can be asked:
/// - probabilities: a mean −log p(x) that is less than a third of the way (half of it for an
///   ensemble over orders, four fifths without hidden layers) from the entropy of the 16 (ln 16 nats if they differ), below which
///   nothing can be, to what entries that know nothing of each other need;
/// - a density: at least one nat a column better than the best diagonal Gaussian;
/// - codes or classes alone: at most a twentieth of the error at the start;
/// - samples alone: at most three quarters of the distance to the nearest of the 16 that untrained
///   samples have; of reals from a critic whose slope is held at 1, their means and deviations.
#[test]
fn sixteen_examples_are_learned_by_heart() {
    let dir = tempfile::tempdir().unwrap();
    let first: Vec<usize> = (0..16).collect();
    for (i, (entry, data, settings)) in cases().into_iter().enumerate() {
        let (settings, train) = by_heart(&entry, &data, &settings);
        let name = label(&entry, &data, &settings);
        let size = data.shape.size();
        let split = data.split(SplitName::Train).unwrap().gather(&first, size);
        let data = Dataset::new("sixteen", data.domain, data.shape.clone(), split, None, None);
        let data = data.unwrap();
        let batch = examples(&data).batch(&(0..16).collect::<Vec<_>>(), 0);
        let config = config(&entry, &data, &settings, train);
        let mut model = prepared(&entry, &data, &settings, &Init::new(&cpu(), config.seed));
        // Of games on reals the one that has to find their moments will do, and batch normalisation
        // over 16 pictures is no likeness of what training does; the zoo has what comes of those.
        let small = adversarial(entry.name)
            && (data.domain == Domain::Real && !held(&entry, &data)
                || data.shape.as_image().is_some() && entry.name != "infogan");
        if model.trainable().is_none() || small {
            continue;
        }
        let figure = |model: &mut dyn Model| {
            let values = model.trainable().unwrap().validation(&batch).unwrap();
            values.map(|values| moments(&values).0)
        };
        let start = figure(model.as_mut());
        let untrained = model;
        let run = RunFolder::create(&dir.path().join(i.to_string()), config).unwrap();
        let mut training = training(run, &data).unwrap();
        let trained = training.train(&mut NoopObserver, &AtomicBool::new(false));
        trained.unwrap_or_else(|e| panic!("{name}: {e}"));
        let (mut model, _) =
            training.run_folder().load(&Registry::standard(), &cpu(), Weights::Last).unwrap();
        let end = figure(model.as_mut());
        let by_column = columns(&batch.values, size);
        if let Some(density) = model.density() {
            // An ensemble is one distribution, the mean of its members.
            let members = density.ensemble().map_or(1, |e| e.count.unwrap_or(24));
            let options = DensityOptions { members: 0..members, ..DensityOptions::new(100, 2) };
            let nats = density.log_probability(&batch, options).unwrap().nats;
            let nll = -moments(&nats).0;
            if density.is_mass(model.data()) {
                let bits = |row: &[f64]| row.iter().map(|x| x.to_bits()).collect();
                let mut least = entropy(batch.values.chunks(size).map(bits));
                if settings.get("conditional").is_some() {
                    // The class is told, and each example is of one class.
                    let labels = batch.labels.iter().flatten();
                    least -= entropy(labels.map(|&label| vec![label.into()]));
                }
                let column = |c: &Vec<f64>| entropy(c.iter().map(|x| vec![x.to_bits()]));
                let apart: f64 = by_column.iter().map(column).sum();
                // Below the least by no more than the noise of a bound.
                assert!(nll > least - 0.05, "{name}: {nll} is below {least}");
                // One network that answers for every order has to share what it remembers, and one
                // without any hidden unit has little to remember with.
                let layered = (entry.fields)().iter().any(|f| f.name.contains("hidden"));
                let share = match density.ensemble() {
                    _ if !layered => 1.25,
                    Some(_) => 2.0,
                    None => 3.0,
                };
                assert!(nll < least + (apart - least) / share, "{name}: {nll}, {least} to {apart}");
            } else {
                let entropy = |std: f64| 0.5 + (std * (2.0 * std::f64::consts::PI).sqrt()).ln();
                let gaussian: f64 = by_column.iter().map(|c| entropy(moments(c).1)).sum();
                assert!(nll < gaussian - size as f64, "{name}: {nll}, a Gaussian {gaussian}");
            }
        } else if let (Some(start), Some(end)) = (start, end) {
            // The cross-entropy of a grey value with itself is not 0.
            let top = data.domain.max_level().map_or(1.0, f64::from);
            let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
            let least = match model.trainable().unwrap().validation_name() {
                "cross_entropy" => by_column
                    .iter()
                    .map(|c| c.iter().map(|x| term(x / top) + term(1.0 - x / top)).sum::<f64>())
                    .sum::<f64>(),
                _ => 0.0,
            } / 16.0;
            assert!(end - least < 0.05 * (start - least), "{name}: {start} to {end}, {least}");
        } else {
            let near = |model: &dyn Model| {
                let drawn = sample(model, &SampleRequest::new(200, 1)).unwrap();
                let distance = |row: &[f64]| {
                    let to = |other: &[f64]| {
                        let squares = row.iter().zip(other).map(|(a, b)| (a - b).powi(2));
                        squares.sum::<f64>().sqrt()
                    };
                    batch.values.chunks(size).map(to).fold(f64::INFINITY, f64::min)
                };
                drawn.chunks(size).map(distance).sum::<f64>()
            };
            let (start, end) = (near(untrained.as_ref()), near(model.as_ref()));
            if !held(&entry, &data) {
                assert!(end < 0.75 * start, "{name}: {end} of {start} to the nearest");
                continue;
            }
            let drawn = sample(model.as_ref(), &SampleRequest::new(2000, 1)).unwrap();
            for (want, got) in by_column.iter().zip(columns(&drawn, size)) {
                let ((mean, std), (drawn_mean, drawn_std)) = (moments(want), moments(&got));
                assert!((drawn_mean - mean).abs() < 0.2 * std, "{name}: {drawn_mean} {mean}");
                assert!((0.8..1.25).contains(&(drawn_std / std)), "{name}: {drawn_std} {std}");
            }
        }
    }
}

#[test]
fn bad_settings_are_errors_that_name_the_setting() {
    for (model, text, expected) in [
        ("vae", "latent_dims = []", "latent_dims"),
        ("vae", "latent_dims = [0]", "latent_dims"),
        ("vae", "hidden = [[8], [8]]", "hidden"),
        ("vae", "activation = 'sin'", "activation"),
        ("vae", "likelihood = 'gaussian'", "likelihood"),
        ("vae", "beta = -1.0", "beta"),
        ("vae", "beta = nan", "beta"),
        ("vae", "importance_samples = 0", "importance_samples"),
        ("vae", "importance_samples = 2\nbeta = 2.0", "importance_samples"),
        ("vae", "free_bits = -0.1", "free_bits"),
        ("vae", "channels = [4]", "channels"),
        ("vae", "doubly_reparameterised = true", "doubly_reparameterized"),
        ("vae", "latent_dimz = 3", "did you mean 'latent_dims'"),
        ("ae", "latent_dim = 0", "latent_dims"),
        ("ae", "hidden = [0]", "hidden"),
        ("ae", "loss = 'cubic'", "loss"),
        ("ae", "corruption = 'salt'", "corruption"),
        ("ae", "corruption = 'masking'\nnoise = 1.0", "noise"),
        ("ae", "noise = nan", "noise"),
        ("nade", "hidden = 0", "hidden"),
        ("nade", "order = 'spiral'", "order"),
        ("nade", "hiden = 3", "did you mean 'hidden'"),
        ("deep-nade", "hidden = []", "hidden"),
        ("deep-nade", "hidden = [0]", "hidden"),
        ("deep-nade", "activation = 'leaky-relu'", "activation"),
        ("deep-nade", "every_conditional = true", "every_conditional"),
        ("deep-nade", "components = 0", "components"),
        ("made", "hidden = [0]", "hidden"),
        ("made", "hidden = []", "direct"),
        ("made", "activation = 'sin'", "activation"),
        ("fvsbn", "order = 'spiral'", "order"),
        ("rnade", "components = 0", "components"),
        ("rnade", "family = 'cauchy'", "family"),
        ("rnade", "hidden = 3", "takes real columns"),
        ("features", "dim = 0", "dim"),
        ("features", "dropout = 1.0", "dropout"),
        ("features", "activation = 'sin'", "activation"),
        ("features", "channels = [4]", "channels"),
        ("gaussian", "covariance = 'round'", "covariance"),
        ("gaussian", "variance_floor = -1.0", "variance_floor"),
        ("bernoulli", "pseudo_count = -1.0", "pseudo_count"),
    ] {
        let entry = find(model);
        let data = data(Domain::Binary);
        let result = (entry.build)(&text.parse().unwrap(), &spec(&data), &Init::new(&cpu(), 0));
        let error = result.err().unwrap_or_else(|| panic!("{model}: {text} was taken"));
        assert!(error.to_string().contains(expected), "{model}: {text}: {error}");
    }
    for (text, expected) in [
        ("batch_size = 0", "batch_size"),
        ("learning_rate = 0.0", "learning_rate"),
        ("learning_rate = inf", "learning_rate"),
        ("beta1 = 1.0", "beta1"),
        ("epochs = 0", "epochs"),
        ("optimiser = 'adamm'", "optimizer"),
        ("step_gamma = nan", "step_gamma"),
        ("seconds = inf", "seconds"),
        ("optimiser = 'adadelta'\nepsilon = 0.0", "epsilon"),
        ("schedule = 'cosin'", "schedule"),
        ("schedule = 'inverse'\ninverse_decay = -0.1", "inverse_decay"),
        ("inverse_decay = nan", "inverse_decay"),
        ("average_decay = 1.0", "average_decay"),
    ] {
        let error = TrainConfig::parse(&text.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_run_that_breaks_says_so_and_keeps_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(Domain::Real);
    let entry = find("vae");
    let settings: Table = "latent_dims = [2]\nhidden = [[8]]".parse().unwrap();
    let train = loop_settings("epochs = 50\nlearning_rate = 1e30\noptimiser = 'sgd'");
    let path = dir.path().join("run");
    let run = RunFolder::create(&path, config(&entry, &data, &settings, train)).unwrap();
    let error = training(run, &data)
        .unwrap()
        .train(&mut NoopObserver, &AtomicBool::new(false))
        .unwrap_err()
        .to_string();
    assert!(error.contains("is not finite") && error.contains("step"), "{error}");
    let (model, _) =
        RunFolder::open(&path).unwrap().load(&Registry::standard(), &cpu(), Weights::Best).unwrap();
    assert!(outputs(model.as_ref(), &data).1.iter().all(|x| x.is_finite()));
}

#[test]
fn a_run_folder_is_used_by_one_process_and_of_a_known_format() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(Domain::Binary);
    let entry = find("vae");
    let settings: Table = "latent_dims = [2]\nhidden = [[8]]".parse().unwrap();
    let path = dir.path().join("run");
    let config = config(&entry, &data, &settings, loop_settings("epochs = 1"));
    let run = RunFolder::create(&path, config.clone()).unwrap();
    assert!(RunFolder::create(&path, config).unwrap_err().to_string().contains("--resume"));
    let first = training(run, &data).unwrap();
    let second = training(RunFolder::open(&path).unwrap(), &data);
    let error = second.err().unwrap().to_string();
    assert!(error.contains("another process"), "{error}");
    drop(first);
    let file = path.join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("format = 1", "format = 2");
    std::fs::write(&file, text).unwrap();
    let error = RunFolder::open(&path).unwrap_err().to_string();
    assert!(error.contains("format 2"), "{error}");
}
