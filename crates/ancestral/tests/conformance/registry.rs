//! User-defined models next to the standard ones: they have run folders, train, resume and load.

use std::sync::atomic::AtomicBool;

use ancestral::model::{
    Abilities, Assignments, Capability, Clusterer, Core, DataSpec, Density, DensityKind,
    DensityOptions, Init, KindName, Learning, LogProbability, Metrics, Model, ModelEntry,
    NeuralModel, Size, SizeBuilder, StepContext, Task, Trainable, check_batch, log_probability,
};
use ancestral::nn::{InputPipeline, to_f64};
use ancestral::run::{RunFolder, Training, Weights};
use ancestral::settings::Settings;
use ancestral::spec::cpu;
use ancestral::testing::{CHECKS, Case, check, check_all, check_entry};
use ancestral::train::NoopObserver;
use ancestral::{Registry, Result, settings};
use ancestral_data::{Batch, Domain};
use burn::module::{Module, Param};
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Tensor, TensorData};
use toml::Table;

use crate::cases::{data, examples, find, spec};
use crate::support::{StopAt, config, loop_settings};

/// A tensor that is trained.
fn parameter<const D: usize>(values: Vec<f32>, shape: [usize; D], init: &Init) -> Param<Tensor<D>> {
    let device = init.device.clone().autodiff();
    let data = TensorData::new(values, shape);
    Param::from_tensor(Tensor::from_data(data, (&device, init.dtype)))
}

mod groups {
    #![allow(unreachable_pub, reason = "the macro declares public groups")]

    use super::settings;

    settings! {
        /// Settings of the coins.
        pub struct CoinsConfig {
            /// The first logit of every coin.
            pub first_logit: f64 = 0.0, in -9.0..=9.0, unit "nats", also ["logit"];
        }
    }

    settings! {
        /// Settings of the centers.
        pub struct CentersConfig {
            /// The number of centers.
            pub clusters: usize = 3, in 1..;
        }
    }
}

/// One logit for each entry.
#[derive(Module, Debug)]
struct Logits {
    logits: Param<Tensor<1>>,
}

/// Independent binary entries, trained by gradient steps.
struct Coins {
    core: Core<Logits>,
    flaw: Flaw,
    /// Steps that this very value has made.
    steps: u32,
}

/// What is wrong with a model, for tests of the suite itself.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Flaw {
    None,
    /// Probabilities that do not sum to 1.
    Mass,
    /// Log-probabilities that depend on the batch.
    Batch,
    /// A loss that is not what is minimized.
    Loss,
    /// Steps that depend on more than the checkpoint.
    Memory,
    /// Settings that are not kept.
    Settings,
    /// Missing entries that are scored.
    Missing,
}

impl Coins {
    /// log p of each entry `[batch, size]`.
    fn terms(&self, network: &Logits, batch: &Batch) -> Result<Tensor<2>> {
        let x = self.core.pipeline.entries(&batch.values, batch.len())?;
        let logits: Tensor<2> = network.logits.val().unsqueeze();
        let zeros = x.clone().neg() + 1.0;
        Ok(x * log_sigmoid(logits.clone()) + zeros * log_sigmoid(logits.neg()))
    }

    fn nats(&self, batch: &Batch) -> Result<Vec<f64>> {
        if self.flaw != Flaw::Missing {
            check_batch(self, batch)?;
        }
        let more = match self.flaw {
            Flaw::Mass => 0.1,
            Flaw::Batch => 0.01 * batch.len() as f64,
            _ => 0.0,
        };
        let nats = to_f64(self.terms(&self.core.inference()?, batch)?.sum_dim(1));
        Ok(nats.into_iter().map(|nats| nats + more).collect())
    }
}

impl NeuralModel for Coins {
    type Network = Logits;

    fn core(&self) -> &Core<Logits> {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core<Logits> {
        &mut self.core
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities { density: Some(self), ..Abilities::default() }
    }
}

impl Trainable for Coins {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let batch = context.batches.next_batch();
        let mut loss = self.terms(self.core.network()?, &batch)?.sum_dim(1).mean().neg();
        if self.flaw == Flaw::Memory {
            self.steps += 1;
            loss = loss * f64::from(self.steps);
        }
        let factor = if self.flaw == Flaw::Loss { 1.1 } else { 1.0 };
        Ok(vec![("loss", factor * context.descend(loss, self.core.slot())?)])
    }

    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        Ok(Some(self.nats(batch)?.into_iter().map(|nats| -nats).collect()))
    }

    fn validation_name(&self) -> &'static str {
        "nll"
    }
}

impl Density for Coins {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        Ok(LogProbability { nats: self.nats(batch)?, monte_carlo: None })
    }
}

fn build_coins(
    name: &'static str,
    settings: &Table,
    data: &DataSpec,
    init: &Init,
    flaw: Flaw,
) -> Result<Box<dyn Model>> {
    let mut config = groups::CoinsConfig::from_table(settings)?;
    let domain = data.one_domain(name, &[KindName::Binary])?;
    let size = data.size();
    let network = Logits { logits: parameter(vec![config.first_logit as f32; size], [size], init) };
    let pipeline = InputPipeline::new(name, data, domain, init);
    if flaw == Flaw::Settings {
        config.first_logit = 0.0;
    }
    Ok(Box::new(Coins { core: Core::new(config.to_table(), pipeline, network), flaw, steps: 0 }))
}

/// Of a model that trains so many numbers.
fn size(data: &DataSpec, trained: usize) -> Size {
    let mut size = SizeBuilder::new(data);
    size.trained(&[trained]);
    size.finish()
}

fn coins() -> ModelEntry {
    ModelEntry {
        name: "coins",
        about: "independent coins, trained by gradient steps",
        paper: "none",
        tasks: &[Task::Density],
        capabilities: &[Capability::ExactDensity],
        validation: &["nll"],
        learning: Learning::GradientSteps,
        kinds: &[KindName::Binary],
        presets: &[],
        fields: groups::CoinsConfig::fields,
        size: |_, data| Ok(size(data, data.size())),
        build: |settings, data, init| build_coins("coins", settings, data, init, Flaw::None),
        train: |_| Table::new(),
        complete: |_, _| {},
    }
}

/// A point for each cluster.
#[derive(Module, Debug)]
struct Points {
    /// `[clusters, size]`.
    points: Param<Tensor<2>>,
}

/// k-means: clusters by the nearest center; centers move to the means of their examples.
struct Centers {
    clusters: usize,
    core: Core<Points>,
}

impl Centers {
    /// The squared distance of each example to its nearest center, and the number of that.
    fn nearest(&self, network: &Points, batch: &Batch) -> Result<(Tensor<2>, Vec<usize>)> {
        check_batch(self, batch)?;
        let x = self.core.pipeline.entries(&batch.values, batch.len())?;
        let size = self.core.pipeline.data.size();
        let (rows, points) = (&batch.values, to_f64(network.points.val()));
        let distance = |row: &[f64], point: &[f64]| {
            row.iter().zip(point).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
        };
        let of = |row: &[f64]| {
            let to = |k: usize| distance(row, &points[k * size..(k + 1) * size]);
            (0..self.clusters).min_by(|&a, &b| to(a).total_cmp(&to(b))).unwrap()
        };
        let numbers: Vec<usize> = rows.chunks_exact(size).map(of).collect();
        let mut chosen = vec![0.0; numbers.len() * self.clusters];
        let marks = chosen.chunks_exact_mut(self.clusters).zip(&numbers);
        marks.for_each(|(row, &k)| row[k] = 1.0);
        let chosen = self.core.pipeline.tensor(chosen, self.clusters);
        let error = x - chosen.matmul(network.points.val());
        Ok(((error.clone() * error).sum_dim(1), numbers))
    }
}

impl NeuralModel for Centers {
    type Network = Points;

    fn core(&self) -> &Core<Points> {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core<Points> {
        &mut self.core
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities { clusterer: Some(self), ..Abilities::default() }
    }
}

impl Trainable for Centers {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let batch = context.batches.next_batch();
        let loss = self.nearest(self.core.network()?, &batch)?.0.mean();
        Ok(vec![("loss", context.descend(loss, self.core.slot())?)])
    }

    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        Ok(Some(to_f64(self.nearest(&self.core.inference()?, batch)?.0)))
    }

    fn validation_name(&self) -> &'static str {
        "inertia"
    }
}

impl Clusterer for Centers {
    fn clusters(&self) -> usize {
        self.clusters
    }

    fn assign(&self, batch: &Batch) -> Result<Assignments> {
        let numbers = self.nearest(&self.core.inference()?, batch)?.1;
        let labels = numbers.into_iter().map(|k| Some(k as u32)).collect();
        Ok(Assignments { labels, responsibilities: None })
    }
}

fn centers() -> ModelEntry {
    ModelEntry {
        name: "centers",
        about: "the nearest of some points",
        paper: "none",
        tasks: &[Task::Clustering],
        capabilities: &[Capability::Clusters],
        validation: &["inertia"],
        learning: Learning::GradientSteps,
        kinds: &[KindName::Real],
        presets: &[],
        fields: groups::CentersConfig::fields,
        size: |settings, data| {
            let clusters = groups::CentersConfig::from_table(settings)?.clusters;
            Ok(size(data, clusters * data.size()))
        },
        build: |settings, data, init| {
            let config = groups::CentersConfig::from_table(settings)?;
            let domain = data.one_domain("centers", &[KindName::Real])?;
            let (clusters, size) = (config.clusters, data.size());
            let values = init.streams.purpose("points", 0).normals(&[0], clusters * size);
            let network = Points { points: parameter(values, [clusters, size], init) };
            let pipeline = InputPipeline::new("centers", data, domain, init);
            Ok(Box::new(Centers {
                clusters,
                core: Core::new(config.to_table(), pipeline, network),
            }))
        },
        train: |_| Table::new(),
        complete: |_, _| {},
    }
}

fn registry() -> Registry {
    Registry::standard().with(coins()).with(centers())
}

#[test]
fn models_of_ones_own_train_resume_and_load() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry();
    for (entry, domain, settings) in
        [(coins(), Domain::Binary, "first_logit = 2"), (centers(), Domain::Real, "clusters = 3")]
    {
        let (name, data) = (entry.name, data(domain));
        let train = loop_settings(
            "epochs = 40\nbatch_size = 12\nlearning_rate = 0.05\naverage_decay = 0.5",
        );
        let config = config(&entry, &data, &settings.parse().unwrap(), train);
        let whole = dir.path().join(format!("{name}-whole"));
        let run = RunFolder::create(&whole, config.clone()).unwrap();
        let mut before = run.build(&registry, &cpu()).unwrap();
        let mut training = Training::new(run, &data, &registry, &cpu()).unwrap();
        let outcome = training.train(&mut NoopObserver, &AtomicBool::new(false)).unwrap();
        drop(training);
        let parts = dir.path().join(format!("{name}-parts"));
        let mut run = RunFolder::create(&parts, config).unwrap();
        for step in [1, 5, 70, u64::MAX] {
            let stop = AtomicBool::new(false);
            let mut training = Training::new(run, &data, &registry, &cpu()).unwrap();
            training.train(&mut StopAt { step, stop: &stop }, &stop).unwrap();
            drop(training);
            run = RunFolder::open(&parts).unwrap();
        }
        for weights in [Weights::Best, Weights::Last, Weights::Raw] {
            let load = |path| RunFolder::open(path).unwrap().load(&registry, &cpu(), weights);
            let ((whole, info), (parts, _)) = (load(&whole).unwrap(), load(&parts).unwrap());
            assert_eq!(whole.tensors(), parts.tensors(), "{name}: {weights:?}");
            assert_eq!(whole.settings(), before.settings(), "{name}");
            assert_ne!(whole.tensors(), before.tensors(), "{name} has learned nothing");
            assert_eq!(info.best, weights == Weights::Best);
        }
        let (mut after, _) = run.load(&registry, &cpu(), Weights::Best).unwrap();
        let batch = examples(&data).batch(&(0..40).collect::<Vec<_>>(), 0);
        let mean = |model: &mut Box<dyn Model>| {
            let values = model.trainable().unwrap().validation(&batch).unwrap().unwrap();
            values.iter().sum::<f64>() / values.len() as f64
        };
        let (first, last) = (mean(&mut before), mean(&mut after));
        assert!(last < 0.8 * first, "{name}: {first} {last}");
        let best = outcome.best.unwrap().value;
        assert!(best.is_finite() && best < first, "{name}: {best}");
        let events = run.events().unwrap();
        let validated = |event: &&ancestral::train::Event| event.kind() == "valid";
        let valid = events.iter().find(validated).unwrap().entry().unwrap();
        let called = valid.values[0].0.clone();
        assert_eq!([called.as_str()], entry.validation);
        // Without a registry that has the model, loading the folder is an error.
        let standard = Registry::standard();
        let error = run.load(&standard, &cpu(), Weights::Best).err().unwrap().to_string();
        assert!(error.contains(&format!("unknown model '{name}'")), "{error}");
        let error = Training::new(run, &data, &standard, &cpu()).err().unwrap().to_string();
        assert!(error.contains(&format!("unknown model '{name}'")), "{error}");
    }
}

#[test]
fn models_of_ones_own_pass_the_suite() {
    let registry = registry();
    let cases =
        [("coins", Domain::Binary, "first_logit = 0.5"), ("centers", Domain::Real, "clusters = 3")]
            .map(|(name, domain, settings)| {
                Case::new(name, settings.parse().unwrap(), data(domain))
            });
    check_all(&registry, &cases).unwrap_or_else(|e| panic!("{e}"));
    for case in &cases {
        check_entry(&registry, &case.name).unwrap_or_else(|e| panic!("{e}"));
        check(&registry, case).unwrap_or_else(|e| panic!("{e}"));
    }
    let clusters = CHECKS.iter().find(|check| check.name.starts_with("clusters_")).unwrap();
    assert_eq!(clusters.run(&registry, &cases).unwrap(), 3);
}

/// The suite itself: each flaw is found by the check that looks for it, which says what it found.
#[test]
fn the_suite_finds_what_is_wrong() {
    type Change = fn(&mut ModelEntry);
    type Build = fn(&Table, &DataSpec, &Init) -> Result<Box<dyn Model>>;
    let builds: [(Build, &str, &str); 6] = [
        (
            |s, d, i| build_coins("coins", s, d, i, Flaw::Mass),
            "probabilities_sum_to_one",
            "it sums to 1.105",
        ),
        (
            |s, d, i| build_coins("coins", s, d, i, Flaw::Batch),
            "log_probabilities_do_not_depend_on_the_batch",
            "alone",
        ),
        (
            |s, d, i| build_coins("coins", s, d, i, Flaw::Loss),
            "gradients_agree_with_finite_differences",
            "model.logits[0]",
        ),
        (
            |s, d, i| build_coins("coins", s, d, i, Flaw::Memory),
            "a_resumed_run_equals_a_whole_one",
            "other weights",
        ),
        (
            |s, d, i| build_coins("coins", s, d, i, Flaw::Settings),
            "settings_are_given_or_default",
            "first_logit",
        ),
        (
            |s, d, i| build_coins("coins", s, d, i, Flaw::Missing),
            "networks_refuse_missing_entries",
            "was taken",
        ),
    ];
    let with = |change: &dyn Fn(&mut ModelEntry)| {
        let mut entry = coins();
        change(&mut entry);
        Registry::standard().with(entry)
    };
    let mut flawed: Vec<(Registry, &str, &str)> = builds
        .into_iter()
        .map(|(build, check, says)| (with(&|entry| entry.build = build), check, says))
        .collect();
    let more: [(Change, &str, &str); 6] = [
        (
            |entry| {
                entry.tasks = &[Task::Density, Task::Sampling];
                entry.capabilities = &[Capability::ExactDensity, Capability::Samples];
            },
            "models_answer_what_their_entries_declare",
            "Samples is declared and not answered",
        ),
        (|entry| entry.tasks = &[], "tasks_follow_from_capabilities", "its tasks"),
        (|e| e.capabilities = &[], "tasks_follow_from_capabilities", "its tasks"),
        (|e| e.size = |_, _| Ok(Size::default()), "defaults_build_what_is_declared", "its size"),
        (|e| e.validation = &["loss"], "learning_and_validation_are_as_declared", "'nll'"),
        (
            |e| e.kinds = &[KindName::Binary, KindName::Real],
            "kinds_are_taken_exactly_if_they_are_declared",
            "real: declared and not taken",
        ),
    ];
    flawed.extend(more.map(|(change, check, says)| (with(&change), check, says)));
    for (registry, name, says) in flawed {
        let settings = "first_logit = 0.5".parse().unwrap();
        let case = [Case::new("coins", settings, data(Domain::Binary))];
        let check = CHECKS.iter().find(|check| check.name == name).unwrap();
        let failure = check.run(&registry, &case).unwrap_err();
        assert_eq!(failure.check, name, "{failure}");
        assert!(failure.of.starts_with("coins"), "{failure}");
        assert!(failure.to_string().contains(says), "{failure}");
        assert!(check_all(&registry, &case).is_err(), "{name}");
    }
    let nameless = Case::new("coin", Table::new(), data(Domain::Binary));
    let failure = check_all(&registry(), &[nameless]).unwrap_err().to_string();
    assert!(failure.contains("did you mean 'coins'"), "{failure}");
}

#[test]
fn models_of_ones_own_answer_as_the_standard_ones_do() {
    let registry = registry();
    let build = |name: &str, data: &DataSpec, settings: &str| {
        registry.build(name, &settings.parse().unwrap(), data, &Init::new(&cpu(), 1))
    };
    let (bits, reals) = (data(Domain::Binary), data(Domain::Real));
    let coins = build("coins", &spec(&bits), "logit = 1").unwrap();
    let batch = examples(&bits).batch(&[0, 1], 0);
    let nats = log_probability(coins.as_ref(), &batch, DensityOptions::new(1, 0)).unwrap().nats;
    for (row, nats) in batch.values.chunks_exact(6).zip(nats) {
        let term = |&x: &f64| -(if x > 0.5 { -1f64 } else { 1.0 }).exp().ln_1p();
        let expected: f64 = row.iter().map(term).sum();
        assert!((nats - expected).abs() < 1e-5, "{nats} {expected}");
    }
    assert!(coins.sampler().is_none() && coins.clusterer().is_none());
    let error = build("coins", &spec(&reals), "").err().unwrap().to_string();
    assert!(error.contains("'x0' is real and coins takes binary columns"), "{error}");
    assert!(error.contains("rnade"), "models that take it are named: {error}");
    let error = build("coins", &spec(&bits), "first_logit = 10").err().unwrap().to_string();
    assert!(error.contains("setting 'first_logit' is 10; it must be from -9 to 9"), "{error}");
    let error = build("coin", &spec(&bits), "").err().unwrap().to_string();
    assert!(error.contains("did you mean 'coins'?"), "{error}");

    let centers = build("centers", &spec(&reals), "clusters = 2").unwrap();
    let clusterer = centers.clusterer().unwrap();
    assert_eq!(clusterer.clusters(), 2);
    let found = clusterer.assign(&examples(&reals).batch(&[0, 1, 2, 3], 0)).unwrap();
    assert!(found.labels.iter().all(|label| label.is_some_and(|label| label < 2)));
    assert_eq!((found.labels.len(), found.responsibilities), (4, None));
    assert!(centers.density().is_none() && centers.latent().is_none());
}

#[test]
fn a_model_of_the_same_name_takes_the_place_of_the_standard_one() {
    let standard = Registry::standard();
    let own = ModelEntry {
        name: "bernoulli",
        build: |settings, data, init| build_coins("bernoulli", settings, data, init, Flaw::None),
        ..coins()
    };
    let registry = Registry::standard().with(own.clone());
    assert_eq!(registry.entries().len(), standard.entries().len());
    assert_eq!(registry.find("bernoulli").unwrap().about, own.about);
    assert_ne!(find("bernoulli").about, own.about, "the standard list itself has changed");
    let data = data(Domain::Binary);
    let build = |registry: &Registry| {
        let settings = Table::new();
        registry.build("bernoulli", &settings, &spec(&data), &Init::new(&cpu(), 0)).unwrap()
    };
    assert!(build(&standard).estimator().is_some() && build(&standard).trainable().is_none());
    assert!(build(&registry).estimator().is_none() && build(&registry).trainable().is_some());
    // A run of that name loads the model of the registry.
    let dir = tempfile::tempdir().unwrap();
    let config = config(&own, &data, &Table::new(), loop_settings("epochs = 2"));
    let run = RunFolder::create(&dir.path().join("run"), config).unwrap();
    let mut training = Training::new(run, &data, &registry, &cpu()).unwrap();
    training.train(&mut NoopObserver, &AtomicBool::new(false)).unwrap();
    let run = RunFolder::open(&dir.path().join("run")).unwrap();
    let (model, _) = run.load(&registry, &cpu(), Weights::Best).unwrap();
    assert_eq!(model.name(), "bernoulli");
    assert_eq!(model.tensors()[0].0, "model.logits");
    let error = run.load(&standard, &cpu(), Weights::Best).err().unwrap().to_string();
    assert!(error.contains("unknown setting") || error.contains("cannot take"), "{error}");
    // The other entries are unchanged.
    for entry in standard.entries().iter().filter(|entry| entry.name != "bernoulli") {
        assert_eq!(registry.find(entry.name).unwrap().about, entry.about);
    }
}
