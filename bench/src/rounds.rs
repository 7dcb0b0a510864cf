//! Our side of the cases: the work of a round.

use ancestral::autoregressive::deep_nade::{DeepNade, DeepNadeConfig};
use ancestral::evaluate;
use ancestral::model::{
    BatchIterator, DataSpec, DensityOptions, Init, Model, SampleRequest, StepContext,
};
use ancestral::optim::Optimizers;
use ancestral::spec::cpu;
use ancestral::train::TrainConfig;
use ancestral::{Registry, model};
use ancestral_data::{
    Batch, Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Streams, Values,
};
use ancestral_kernels::Precision;
use anyhow::{Context, Result, bail};

use crate::layers;

/// One round of a case.
pub(crate) type Round = Box<dyn FnMut() -> Result<()>>;

/// The cases that are compared with PyTorch.
pub(crate) const PAIRED: [&str; 24] = [
    "vae-step",
    "vae-step-bf16x3",
    "vae-step-bf16x6",
    "vae-evaluate",
    "nade-step",
    "nade-sample",
    "nade-evaluate",
    "deep-nade-step",
    "made-step",
    "pixel-cnn-step",
    "row-lstm-step",
    "diagonal-bilstm-step",
    "pixel-cnn-sample",
    "diagonal-bilstm-sample",
    "conv-64",
    "conv-64-bf16",
    "dense-6272",
    "dense-6272-bf16",
    "dcgan-layers",
    "dcgan-step",
    "dcgan-step-bf16",
    "dcgan-step-bf16x3",
    "dcgan-step-bf16x6",
    "wgan-gp-critic",
];

/// The update of a training step.
#[derive(Clone, Copy, PartialEq)]
enum Update {
    /// Adam's step.
    Adam,
    /// None: forward and backward only.
    None,
}

/// Rounds of a paired case.
pub(crate) fn of(case: &str) -> Result<Round> {
    match case {
        "vae-step" => vae_steps("f32"),
        "vae-step-bf16x3" => vae_steps("bf16x3"),
        "vae-step-bf16x6" => vae_steps("bf16x6"),
        "vae-evaluate" => {
            let (model, examples) = model("vae", "latent_dims = [50]\nhidden = [[200, 200]]")?;
            Ok(Box::new(move || bounds(model.as_ref(), &examples)))
        }
        "nade-step" => steps("nade", "", Update::None, 5),
        "nade-sample" => draws("nade", ""),
        "nade-evaluate" => {
            let (model, examples) = model("nade", "")?;
            Ok(Box::new(move || exact(model.as_ref(), &examples)))
        }
        "deep-nade-step" => steps("deep-nade", "", Update::Adam, 20),
        "made-step" => steps("made", "hidden = [8000]", Update::Adam, 3),
        "pixel-cnn-step" => pixel_steps("pixel-cnn", "layers = 7"),
        "row-lstm-step" => pixel_steps("row-lstm", "layers = 1"),
        "diagonal-bilstm-step" => pixel_steps("diagonal-bilstm", "layers = 1"),
        "pixel-cnn-sample" => draws("pixel-cnn", "layers = 7"),
        "diagonal-bilstm-sample" => draws("diagonal-bilstm", "layers = 1"),
        "conv-64" => Ok(layers::convolution(Precision::F32)),
        "conv-64-bf16" => Ok(layers::convolution(Precision::Bf16)),
        "dense-6272" => Ok(layers::dense(Precision::F32)),
        "dense-6272-bf16" => Ok(layers::dense(Precision::Bf16)),
        "dcgan-layers" => Ok(layers::dcgan()),
        "dcgan-step" => dcgan_steps("f32"),
        "dcgan-step-bf16" => dcgan_steps("bf16"),
        "dcgan-step-bf16x3" => dcgan_steps("bf16x3"),
        "dcgan-step-bf16x6" => dcgan_steps("bf16x6"),
        // Ten updates of the critic and one of the generator.
        "wgan-gp-critic" => adversarial("wgan-gp", "network = 'dcgan'\ncritic_steps = 10", 1),
        other => bail!("no case '{other}'"),
    }
}

/// Steps of a VAE with products of a precision.
fn vae_steps(precision: &str) -> Result<Round> {
    let settings = format!("latent_dims = [50]\nhidden = [[200, 200]]\nprecision = '{precision}'");
    steps("vae", &settings, Update::Adam, 100)
}

/// Steps of a DCGAN with products of a precision.
fn dcgan_steps(precision: &str) -> Result<Round> {
    adversarial("dcgan", &format!("start_std = 0.02\nprecision = '{precision}'"), 3)
}

/// Steps of an adversarial network with Adam: 32×32 color images, batches of 64, 64
/// features in the widest layer, noise of 100.
fn adversarial(name: &str, settings: &str, count: u64) -> Result<Round> {
    let shape = Shape::image(3, 32, 32);
    let uniforms = Streams::new(0).purpose("bench", 0);
    let values = (0..1000u64).flat_map(|image| uniforms.uniforms(&[image], shape.size()));
    let values = Values::Bytes(values.map(|u| (u * 255.0) as u8).collect());
    let split = Split { values, labels: None };
    let domain = Domain::Levels(256);
    let data = Dataset::new("bench", domain, shape.clone(), split, None, None)?.with_splits(0)?;
    let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0)?;
    let settings = format!("latent_dim = 100\n{settings}").parse()?;
    let spec = DataSpec::new(domain, shape, 0);
    let model = Registry::standard().build(name, &settings, &spec, &Init::new(&cpu(), 0))?;
    let config = TrainConfig { learning_rate: 2e-4, beta1: 0.5, ..TrainConfig::default() };
    training(model, BatchIterator::new(examples, 64, 0), config, Update::Adam, count)
}

/// A model of binary 28×28 images, initialized at their marginals, and the images.
fn model(name: &str, settings: &str) -> Result<(Box<dyn Model>, Examples)> {
    let examples = Examples::new(&binary_images()?, SplitName::Train, Binarize::None, 0)?;
    let settings = settings.parse()?;
    let mut model = Registry::standard().build(name, &settings, &spec(), &Init::new(&cpu(), 0))?;
    model.trainable().context("it is trained")?.start(&examples)?;
    Ok((model, examples))
}

fn spec() -> DataSpec {
    DataSpec::new(Domain::Binary, Shape::image(1, 28, 28), 0)
}

/// Images with one entry in eight on, about as in MNIST; 10,000 for training.
fn binary_images() -> Result<Dataset> {
    let uniforms = Streams::new(0).purpose("bench", 0);
    // One at a time, or the uniform numbers would dominate the memory.
    let values =
        (0..12_500).flat_map(|image| uniforms.uniforms(&[image], 784)).map(|u| u8::from(u < 0.13));
    let values = Values::Bytes(values.collect());
    let split = Split { values, labels: None };
    let shape = Shape::image(1, 28, 28);
    Ok(Dataset::new("bench", Domain::Binary, shape, split, None, None)?.with_splits(0)?)
}

/// 64 samples of a model.
fn draws(name: &str, settings: &str) -> Result<Round> {
    let (model, _) = model(name, settings)?;
    let mut seed = 0;
    Ok(Box::new(move || {
        seed += 1;
        model::sample(model.as_ref(), &SampleRequest::new(64, seed))?;
        Ok(())
    }))
}

/// Training steps on batches of 16.
fn pixel_steps(name: &str, settings: &str) -> Result<Round> {
    let (model, examples) = model(name, settings)?;
    let batches = BatchIterator::new(examples, 16, 0);
    training(model, batches, TrainConfig::default(), Update::Adam, 3)
}

/// A model that draws pixel after pixel, with 64 images of its own.
pub(crate) struct PixelDraws {
    model: Box<dyn Model>,
    images: Batch,
}

impl PixelDraws {
    pub(crate) fn new(name: &str, settings: &str) -> Result<Self> {
        let (model, examples) = model(name, settings)?;
        Ok(Self { model, images: examples.batch(&(0..64).collect::<Vec<_>>(), 0) })
    }

    /// The sampler.
    pub(crate) fn cached(&self, seed: u64) -> Result<()> {
        model::sample(self.model.as_ref(), &SampleRequest::new(64, seed))?;
        Ok(())
    }

    /// As many whole forward passes as there are pixels.
    pub(crate) fn whole(&self) -> Result<()> {
        let density = self.model.density().context("it has a density")?;
        for _ in 0..784 {
            density.log_probability(&self.images, DensityOptions::new(1, 0))?;
        }
        Ok(())
    }
}

/// A training step of a model on 16 random images of a side, and 16 samples of it.
pub(crate) fn of_side(name: &str, settings: &str, side: usize) -> Result<[Round; 2]> {
    let shape = Shape::image(1, side, side);
    let uniforms = Streams::new(0).purpose("bench", 0);
    let values = (0..160).flat_map(|image| uniforms.uniforms(&[image], side * side));
    let values = Values::Bytes(values.map(|u| u8::from(u < 0.13)).collect());
    let split = Split { values, labels: None };
    let data = Dataset::new("bench", Domain::Binary, shape.clone(), split, None, None)?;
    let examples = Examples::new(&data.with_splits(0)?, SplitName::Train, Binarize::None, 0)?;
    let spec = DataSpec::new(Domain::Binary, shape, 0);
    let build = || -> Result<Box<dyn Model>> {
        let settings = settings.parse()?;
        Ok(Registry::standard().build(name, &settings, &spec, &Init::new(&cpu(), 0))?)
    };
    let batches = BatchIterator::new(examples, 16, 0);
    let step = training(build()?, batches, TrainConfig::default(), Update::Adam, 1)?;
    let model = build()?;
    let mut seed = 0;
    let draw: Round = Box::new(move || {
        seed += 1;
        model::sample(model.as_ref(), &SampleRequest::new(16, seed))?;
        Ok(())
    });
    Ok([step, draw])
}

/// Training steps on batches of 100.
fn steps(name: &str, settings: &str, update: Update, count: u64) -> Result<Round> {
    let (model, examples) = model(name, settings)?;
    training(model, BatchIterator::new(examples, 100, 0), TrainConfig::default(), update, count)
}

/// Steps of a model.
fn training(
    mut model: Box<dyn Model>,
    mut batches: BatchIterator,
    config: TrainConfig,
    update: Update,
    count: u64,
) -> Result<Round> {
    let mut optimizers = Optimizers::new(&config.optimizer_config());
    let mut tuner = ancestral_kernels::ThreadTuner::new();
    let mut step = 0;
    Ok(Box::new(move || {
        for _ in 0..count {
            step += 1;
            if update == Update::None {
                // Of this step only.
                optimizers = Optimizers::recording(&config.optimizer_config());
            }
            let epoch = batches.epoch();
            let mut context = StepContext {
                batches: &mut batches,
                optimizers: &mut optimizers,
                streams: Streams::new(0),
                step,
                epoch,
            };
            let model = &mut model;
            tuner.run(|| -> Result<()> {
                model.trainable().context("it is trained")?.step(&mut context)?;
                Ok(())
            })?;
        }
        Ok(())
    }))
}

/// K = 5000 of four examples.
fn bounds(model: &dyn Model, examples: &Examples) -> Result<()> {
    let density = model.density().context("a VAE has a bound")?;
    for i in 0..4 {
        let options = DensityOptions::new(5000, 0);
        density.log_probability(&examples.batch(&[i], 0), options)?;
    }
    Ok(())
}

/// The exact likelihood of 10,000 examples.
fn exact(model: &dyn Model, examples: &Examples) -> Result<()> {
    let density = model.density().context("a NADE has a density")?;
    let numbers: Vec<u64> = (0..10_000).collect();
    for batch in numbers.chunks(500) {
        density.log_probability(&examples.batch(batch, 0), DensityOptions::new(1, 0))?;
    }
    Ok(())
}

/// All quality metrics of 10,000 examples compared with 10,000, by their features.
pub(crate) fn quality() -> Result<Round> {
    const DIM: usize = 128;
    // Like features of a ReLU layer, with variance in all directions.
    let features = |purpose: &str| -> Vec<f32> {
        let normals = Streams::new(0).purpose(purpose, 0);
        let rows = (0..10_000).flat_map(move |i| normals.normals(&[i], DIM));
        rows.map(|x| (x + 0.3).max(0.0)).collect()
    };
    let (generated, reference) = (features("generated"), features("reference"));
    Ok(Box::new(move || {
        let a = evaluate::Rows::new(&generated, DIM, "generated")?;
        let b = evaluate::Rows::new(&reference, DIM, "reference")?;
        evaluate::frechet_distance(a, b)?;
        evaluate::kernel_distance(a, b, 0)?;
        evaluate::coverage(a, b)?;
        Ok(())
    }))
}

/// 64 examples of a deep NADE with hidden layers of 500.
pub(crate) struct DeepNadeDraws(DeepNade);

impl DeepNadeDraws {
    pub(crate) fn new(layers: usize) -> Result<Self> {
        let config = DeepNadeConfig { hidden: vec![500; layers], ..DeepNadeConfig::default() };
        Ok(Self(config.init(&spec(), &Init::new(&cpu(), 0))?))
    }

    /// The sampler, one dimension at a time.
    pub(crate) fn carried(&self, seed: u64) -> Result<Vec<f64>> {
        Ok(model::sample(&self.0, &SampleRequest::new(64, seed))?)
    }

    /// The whole network for every entry.
    pub(crate) fn rerun(&self, seed: u64) -> Result<Vec<f64>> {
        Ok(self.0.sample_by_rerunning(0, 64, Streams::new(seed))?)
    }
}
