//! Generative adversarial networks: Goodfellow et al. 2014 (arXiv:1406.2661) and later variants,
//! all of which are settings of one model.
//!
//! A generator G maps noise z to an example; a critic D tells examples from samples.
//! They are trained in turn on the losses of [`losses`](super::losses), with the penalties of
//! `critic.rs`, the normalization layers of `normalization.rs` and the data augmentation of
//! `augment.rs`.
//! The named models are presets of this one ([`presets`](super::presets)).
//!
//! The density of an example is not defined.
//! Binary entries and levels are scaled to [−1, 1] and G ends in tanh; samples are rounded to the
//! nearest level.
//! Reals are standardized by the training split.
//!
//! One step is `critic_steps` updates of the critic and one of the generator, each on a batch of its
//! own.
//! Batch normalization takes data and samples as separate batches; sampling uses the running moments.

use ancestral_data::{Batch, Domain, Examples, Streams};
use burn::module::Module;
use burn::tensor::Tensor;
use toml::Table;

use super::augment;
pub use super::config::GanConfig;
use super::config::Noise;
use super::critic::{
    Conditioning, Critic, CriticArchitecture, DiscriminatorOutput, Penalty, cross_entropy, flat,
    pull_away,
};
use super::layers::{LayerSpec, Network, WeightInit};
use super::losses::{Loss, LossParameters};
use super::networks::{Architecture, Family, NetworkName};
use super::normalization::{MOMENTUM, Mode, Norm};
use crate::model::{
    DataSpec, Discriminator, Init, KindName, Metrics, Model, NamedTensors, SampleRequest, Sampler,
    Size, SizeBuilder, StepContext, Trainable, product,
};
use crate::nn::{
    Activation, InputPipeline, Scale, as_f64, load_module, module_tensors, rows, scalar, to_f64,
};
use crate::settings::Settings;
use crate::{Error, Result};

/// The kinds of columns it takes.
pub(super) const KINDS: &[KindName] = &[KindName::Binary, KindName::Levels, KindName::Real];

impl GanConfig {
    /// A model with its initial weights, sized by the data; `name` is that of its entry.
    ///
    /// # Errors
    /// If a setting is out of range, two exclude each other, or the data lacks what they need.
    pub fn init(&self, name: &'static str, data: &DataSpec, init: &Init) -> Result<Gan> {
        let Networks { domain, classes, continuous, start, generator, critic } =
            self.networks(name, data)?;
        Ok(Gan {
            name,
            config: self.clone(),
            classes,
            continuous,
            pipeline: InputPipeline::new(name, data, domain, init),
            generator: Some(Generator {
                network: Network::init(&generator, start, "generator", init),
                scale: Scale::init(domain, data, init),
            }),
            critic: Some(Critic::init(&critic, init)?),
        })
    }

    /// The size of a model with these settings.
    pub(super) fn size(&self, name: &'static str, data: &DataSpec) -> Result<Size> {
        let Networks { domain, classes, generator, critic, .. } = self.networks(name, data)?;
        let entries = product(data.shape.dims()) as u64;
        // An augmented image needs four neighbors for each pixel, each with index and weight.
        let augmented = if self.augment > 0.0 { entries.saturating_mul(14) } else { 0 };
        let hot = (classes as u64).saturating_mul(2);

        // The critic sees data and samples, and with a gradient penalty one point for each.
        let mut of_critic = SizeBuilder::new(data);
        critic.count(&mut of_critic)?;
        of_critic.rows(2);
        of_critic.kept(entries.saturating_add(augmented).saturating_add(hot));
        critic.count_pass(&mut of_critic)?;
        if self.penalty.needs_input_gradients() {
            critic.count_pass(&mut of_critic)?;
        }

        let mut of_generator = SizeBuilder::new(data);
        generator.iter().for_each(|spec| spec.count(&mut of_generator));
        of_generator.scale(data, domain);
        of_generator.kept(entries.saturating_add(augmented).saturating_add(hot));
        generator.iter().for_each(|spec| spec.count_pass(&mut of_generator));
        of_generator.rows(if self.loss.generator_needs_data() { 2 } else { 1 });
        critic.count_pass(&mut of_generator)?;
        Ok(of_critic.in_turn(of_generator).finish())
    }

    /// The layers of both networks; refuses unsupported data.
    fn networks(&self, name: &'static str, data: &DataSpec) -> Result<Networks<'_>> {
        let image_shape = match data.shape.as_image() {
            Some(image_shape) => image_shape,
            None => [product(data.shape.dims()), 1, 1],
        };
        self.check(name, data)?;
        let domain = data.one_domain(name, KINDS)?;
        let tables = matches!(self.network, NetworkName::Auto | NetworkName::Mlp);
        if data.shape.as_image().is_none() && !tables {
            return Err(Error::UnsuitableData {
                model: name.to_owned(),
                problem: format!(
                    "network {} needs images and this data is a table; set network=mlp",
                    self.network
                ),
            });
        }
        let family = Family::choose(self.network, image_shape)?;
        let convolutions = family != Family::Mlp;
        let gradient_penalty = self.penalty.needs_input_gradients();
        let generator_norm = self.generator_norm.resolve(convolutions);
        let critic_norm = self.critic_norm.resolve(convolutions, gradient_penalty);
        if gradient_penalty && critic_norm == Norm::Batch {
            return Err(Error::setting(
                "critic_norm",
                "'batch'",
                format!(
                    "penalty {} takes the input gradient of each example, and batch normalization \
                     ties examples together; choose layer",
                    self.penalty
                ),
            ));
        }
        let start = if self.start_std > 0.0 {
            WeightInit::Normal(self.start_std)
        } else {
            WeightInit::Glorot
        };
        let output = if domain == Domain::Real { Activation::Identity } else { Activation::Tanh };
        let architecture = |hidden, norm, activation| Architecture {
            family,
            image_shape,
            hidden,
            features: self.features,
            norm,
            activation,
            precision: self.precision.into(),
        };
        let coded = self.conditioning == Conditioning::MutualInformation;
        let classes = match self.conditioning {
            Conditioning::None => 0,
            Conditioning::MutualInformation => self.categories,
            _ => data.classes,
        };
        let continuous = if coded { self.continuous } else { 0 };
        let activation = Activation::from(self.generator_activation);
        let inputs = self.latent_dims.saturating_add(classes).saturating_add(continuous);
        let generator = architecture(&self.generator_hidden, generator_norm, activation)
            .generator(inputs, output)?;
        let activation = Activation::from(self.critic_activation);
        let critic = CriticArchitecture {
            networks: architecture(&self.critic_hidden, critic_norm, activation),
            loss: self.loss,
            conditioning: self.conditioning,
            classes: data.classes,
            categories: self.categories,
            continuous: self.continuous,
            code_dim: self.code_dim,
            scale: self.score_scale,
            // Behind a saturated tanh the gradient of began's absolute error vanishes.
            output: if self.loss == Loss::Began { Activation::Identity } else { output },
            start,
        };
        Ok(Networks { domain, classes, continuous, start, generator, critic })
    }
}

/// The layers of both networks.
struct Networks<'a> {
    domain: Domain,
    /// One-hot entries concatenated to the noise.
    classes: usize,
    /// Continuous codes concatenated to the noise.
    continuous: usize,
    start: WeightInit,
    generator: Vec<LayerSpec>,
    critic: CriticArchitecture<'a>,
}

/// The generator, and for real data the mean and deviation that restore its units.
#[derive(Module, Debug)]
struct Generator {
    network: Network,
    scale: Option<Scale>,
}

/// A generator and its critic.
pub struct Gan {
    name: &'static str,
    config: GanConfig,
    /// One-hot entries concatenated to the noise: classes of the data, or categories of a code.
    classes: usize,
    /// Continuous codes concatenated to the noise.
    continuous: usize,
    pipeline: InputPipeline,
    /// Taken out only while the optimizer holds it.
    generator: Option<Generator>,
    /// Taken out only while the optimizer holds it.
    critic: Option<Critic>,
}

/// The input of the generator, in parts.
struct GeneratorInput {
    /// Noise, class and codes concatenated `[rows, latent_dims + classes + continuous]`.
    input: Tensor<2>,
    /// The class or categorical code as one-hot rows, where there is one.
    hot: Option<Tensor<2>>,
    /// The continuous codes, where there are any.
    continuous: Option<Tensor<2>>,
}

impl Gan {
    fn parts(&self) -> Result<(&Generator, &Critic)> {
        match (&self.generator, &self.critic) {
            (Some(generator), Some(critic)) => Ok((generator, critic)),
            _ => Err(Error::weights_lost(self.name)),
        }
    }

    /// Examples on the scale of the networks.
    fn real(&self, generator: &Generator, batch: &Batch) -> Result<Tensor<2>> {
        let x = self.pipeline.observed(generator.scale.as_ref(), batch)?;
        Ok(match self.pipeline.domain.max_level() {
            Some(top) => x * (2.0 / f64::from(top)) - 1.0,
            None => x,
        })
    }

    /// The classes of a batch as one-hot rows, if the networks need labels.
    fn one_hot_labels(&self, batch: &Batch) -> Result<Option<Tensor<2>>> {
        let needed = self.config.conditioning.needs_labels();
        needed.then(|| self.pipeline.one_hot(batch.labels.as_deref())).transpose()
    }

    /// One latent vector for each index, scaled by `temperature`; classes are given, or drawn
    /// uniformly.
    fn generator_input(
        &self,
        streams: Streams,
        purpose: &str,
        (epoch, indices): (u64, &[u64]),
        classes: Option<&[u32]>,
        temperature: f64,
    ) -> GeneratorInput {
        let draws = |what: &str| streams.purpose(&format!("{purpose}{what}"), epoch);
        let symmetric = |what: &str, each: usize| {
            let mut values = draws(what).uniforms(indices, each);
            values.iter_mut().for_each(|u| *u = 2.0 * *u - 1.0);
            values
        };
        let dims = self.config.latent_dims;
        let mut z = if self.config.noise == Noise::Uniform {
            symmetric("", dims)
        } else {
            draws("").normals(indices, dims)
        };
        if temperature != 1.0 {
            z.iter_mut().for_each(|e| *e *= temperature as f32);
        }
        let mut parts = vec![self.pipeline.tensor(z, dims)];
        let hot = (self.classes > 0).then(|| {
            let drawn: Vec<u32>;
            let classes = match classes {
                Some(classes) => classes,
                None => {
                    let uniforms = draws(" class").uniforms(indices, 1);
                    let top = self.classes as u32 - 1;
                    let pick = |u: f32| ((u * self.classes as f32) as u32).min(top);
                    drawn = uniforms.into_iter().map(pick).collect();
                    &drawn
                }
            };
            let mut hot = vec![0.0; classes.len() * self.classes];
            for (row, &class) in hot.chunks_exact_mut(self.classes).zip(classes) {
                row[class as usize] = 1.0;
            }
            self.pipeline.tensor(hot, self.classes)
        });
        let continuous = (self.continuous > 0)
            .then(|| self.pipeline.tensor(symmetric(" codes", self.continuous), self.continuous));
        parts.extend(hot.clone());
        parts.extend(continuous.clone());
        GeneratorInput { input: Tensor::cat(parts, 1), hot, continuous }
    }

    /// The latent vectors of a batch; each depends only on the example's number and the epoch.
    fn generator_input_of(&self, streams: Streams, purpose: &str, batch: &Batch) -> GeneratorInput {
        let needed = self.config.conditioning.needs_labels();
        let classes = batch.labels.as_deref().filter(|_| needed);
        self.generator_input(streams, purpose, (batch.epoch, &batch.indices), classes, 1.0)
    }

    /// Data or samples after data augmentation.
    fn augmented(
        &self,
        x: Tensor<2>,
        context: &StepContext<'_>,
        purpose: &str,
        batch: &Batch,
    ) -> Tensor<2> {
        let GanConfig { augment, augment_epochs: until, .. } = self.config;
        let due = augment > 0.0 && (until == 0.0 || context.epoch < until);
        match self.pipeline.data.shape.as_image() {
            Some(image_shape) if due => {
                let draws = context.streams.purpose(purpose, batch.epoch);
                let uniforms = draws.uniforms(&batch.indices, augment::DRAWS);
                augment::random_affine(x, image_shape, augment, &uniforms)
            }
            _ => x,
        }
    }

    /// The mean of the penalty over the batch, without its weight.
    fn penalty(
        &self,
        critic: &Critic,
        streams: Streams,
        batch: &Batch,
        (real, fake): (Tensor<2>, Tensor<2>),
        hot: Option<Tensor<2>>,
    ) -> Tensor<1> {
        let [_, width] = real.dims();
        let uniforms = |what: &str, each: usize| {
            let draws = streams.purpose(what, batch.epoch).uniforms(&batch.indices, each);
            self.pipeline.tensor(draws, each)
        };
        let at = match self.config.penalty {
            Penalty::Gradient => {
                let share = uniforms("penalty share", 1);
                real.clone() + (fake - real) * share
            }
            Penalty::Dragan => {
                let values = to_f64(real.clone());
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                let squares = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
                let std = (squares / values.len() as f64).sqrt();
                let noise = uniforms("penalty noise", width) * (0.5 * std);
                real + noise * uniforms("penalty share", 1)
            }
            _ => real,
        };
        self.config.penalty.of(critic.input_gradients(at, hot))
    }

    /// The losses of classes and codes on samples.
    fn heads_loss(
        &self,
        output: &DiscriminatorOutput,
        source: &GeneratorInput,
    ) -> Option<Tensor<1>> {
        let mut total: Option<Tensor<1>> = None;
        let mut add = |loss: Tensor<1>| {
            total = Some(match total.take() {
                Some(sum) => sum + loss,
                None => loss,
            });
        };
        if let (Some(logits), Some(hot)) = (&output.classes, &source.hot) {
            add(cross_entropy(logits.clone(), hot.clone()) * self.config.class_weight);
        }
        if let (Some(logits), Some(hot)) = (&output.codes.0, &source.hot) {
            add(cross_entropy(logits.clone(), hot.clone()) * self.config.class_weight);
        }
        if let (Some(means), Some(codes)) = (&output.codes.1, &source.continuous) {
            // −log N(code; mean, 1) without its constant.
            let error = (means.clone() - codes.clone()).square().sum_dim(1).mean();
            add(error * (0.5 * self.config.continuous_weight));
        }
        total
    }

    fn critic_step(&mut self, context: &mut StepContext<'_>) -> Result<CriticMetrics> {
        let batch = context.batches.next_batch();
        let (generator, critic) = self.parts()?;
        let real = self.real(generator, &batch)?;
        let hot = self.one_hot_labels(&batch)?;
        let source = self.generator_input_of(context.streams, "critic noise", &batch);
        // No gradient flows to the generator in the critic's update.
        let fake = generate(&generator.network.valid(), source.input.clone(), Mode::Training);
        let real = self.augmented(real, context, "data moved", &batch);
        let fake = self.augmented(fake, context, "samples moved", &batch);
        let (mut on_real, on_fake) =
            critic.forward_both((real.clone(), hot.clone()), (fake.clone(), source.hot.clone()));
        let statistics = std::mem::take(&mut on_real.statistics);
        let terms = LossParameters {
            label_smoothing: self.config.label_smoothing,
            balance: critic.balance(),
            margin: self.config.margin,
        };
        let accuracy = self.config.loss.threshold().map(|threshold| {
            let right = |score: &Tensor<2>, above: bool| {
                let scores = to_f64(score.clone());
                let right = scores.iter().filter(|&&s| (s > threshold) == above).count();
                right as f64 / scores.len() as f64
            };
            (right(&on_real.score, true) + right(&on_fake.score, false)) / 2.0
        });
        let energy = energy(&on_real.score);
        let mut loss = self.config.loss.critic(on_real.score.clone(), on_fake.score.clone(), terms);
        if let (Some(logits), Some(hot)) = (&on_real.classes, &hot) {
            let real = cross_entropy(logits.clone(), hot.clone());
            loss = loss + real * self.config.class_weight;
        }
        if let Some(heads) = self.heads_loss(&on_fake, &source) {
            loss = loss + heads;
        }
        let mut penalty = None;
        if self.config.penalty.needs_input_gradients() {
            let term = self.penalty(critic, context.streams, &batch, (real, fake), hot);
            penalty = Some(scalar(&term));
            loss = loss + term * self.config.penalty_weight;
        }
        let value = scalar(&loss);
        let grads = loss.backward();
        drop(loss);
        drop((on_real, on_fake));
        context.optimizers.update_at("critic", &mut self.critic, grads, self.config.critic_rate)?;
        if let Some(critic) = &mut self.critic {
            critic.update_running_stats(statistics);
            critic.update_spectral_norm();
            if self.config.penalty == Penalty::Clip {
                critic.clip(self.config.clip);
            }
        }
        Ok(CriticMetrics { loss: value, accuracy, penalty, energy })
    }
}

/// The metrics of a critic update.
struct CriticMetrics {
    loss: f64,
    accuracy: Option<f64>,
    penalty: Option<f64>,
    /// The mean energy of data.
    energy: f64,
}

/// The mean energy, −D.
fn energy(score: &Tensor<2>) -> f64 {
    let scores = to_f64(score.clone());
    -scores.iter().sum::<f64>() / scores.len() as f64
}

/// Samples `[rows, size]` on the scale of the networks.
fn generate(network: &Network, input: Tensor<2>, mode: Mode) -> Tensor<2> {
    let [n, width] = input.dims();
    flat(network.forward(input.reshape([n, width, 1, 1]), mode, false).0)
}

/// The spread of samples relative to that of data: the ratio of the square roots of the total
/// variances, and the ratio of the mean nearest-neighbor distances within the first examples of a
/// batch.
fn spread(real: &[f32], fake: &[f32], width: usize) -> (f64, f64) {
    let variance = |values: &[f32]| {
        let n = (values.len() / width) as f64;
        let (mut sums, mut squares) = (vec![0.0f64; width], vec![0.0f64; width]);
        for row in values.chunks_exact(width) {
            for ((sum, square), &x) in sums.iter_mut().zip(&mut squares).zip(row) {
                *sum += f64::from(x);
                *square += f64::from(x).powi(2);
            }
        }
        let of = |(sum, square): (&f64, &f64)| (square - sum * sum / n).max(0.0) / n;
        sums.iter().zip(&squares).map(of).sum::<f64>()
    };
    let nearest = |values: &[f32]| {
        let examples: Vec<&[f32]> = values.chunks_exact(width).take(NEIGHBORS).collect();
        let distance = |a: &[f32], b: &[f32]| {
            let square = |(x, y): (&f32, &f32)| (x - y) * (x - y);
            a.iter().zip(b).map(square).sum::<f32>()
        };
        let sum: f64 = examples
            .iter()
            .enumerate()
            .map(|(i, a)| {
                let others = examples.iter().enumerate().filter(|(j, _)| *j != i);
                let least = others.map(|(_, b)| distance(a, b)).fold(f32::INFINITY, f32::min);
                f64::from(least).sqrt()
            })
            .sum();
        sum / examples.len() as f64
    };
    let ratio = |of: f64, to: f64| if to > 0.0 && of.is_finite() { of / to } else { 1.0 };
    (ratio(variance(fake).sqrt(), variance(real).sqrt()), ratio(nearest(fake), nearest(real)))
}

impl Model for Gan {
    fn name(&self) -> &'static str {
        self.name
    }

    fn settings(&self) -> Table {
        self.config.to_table()
    }

    fn data(&self) -> &DataSpec {
        &self.pipeline.data
    }

    fn tensors(&self) -> NamedTensors {
        let Ok((generator, critic)) = self.parts() else { return Vec::new() };
        let mut tensors = module_tensors("generator", generator);
        tensors.extend(module_tensors("critic", critic));
        tensors
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        let (generator, critic) = self.parts()?;
        let generator = load_module("generator", generator.clone(), tensors)?;
        let critic = load_module("critic", critic.clone(), tensors)?;
        (self.generator, self.critic) = (Some(generator), Some(critic));
        Ok(())
    }

    fn sampler(&self) -> Option<&dyn Sampler> {
        Some(self)
    }

    fn discriminator(&self) -> Option<&dyn Discriminator> {
        Some(self)
    }

    fn trainable(&mut self) -> Option<&mut dyn Trainable> {
        Some(self)
    }
}

impl Discriminator for Gan {
    fn score(&self, batch: &Batch) -> Result<Vec<f64>> {
        let (generator, critic) = self.parts()?;
        let real = self.real(generator, batch)?;
        let hot = self.one_hot_labels(batch)?;
        Ok(to_f64(critic.valid().forward(real, hot, Mode::Sampling).score))
    }
}

impl Trainable for Gan {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let times = self.config.critic_steps as f64;
        let (mut critic_loss, mut accuracy, mut penalty) = (0.0, None, None);
        let mut energy_of_data = 0.0;
        let add = |sum: Option<f64>, value: Option<f64>| {
            value.map(|value| sum.unwrap_or(0.0) + value / times)
        };
        for _ in 0..self.config.critic_steps {
            let found = self.critic_step(context)?;
            critic_loss += found.loss / times;
            accuracy = add(accuracy, found.accuracy);
            penalty = add(penalty, found.penalty);
            energy_of_data = found.energy;
        }
        let batch = context.batches.next_batch();
        let (generator, critic) = self.parts()?;
        let source = self.generator_input_of(context.streams, "generator noise", &batch);
        let [n, width] = source.input.dims();
        let noise = source.input.clone().reshape([n, width, 1, 1]);
        let (fake, passed) = generator.network.forward(noise, Mode::Training, false);
        let fake = flat(fake);
        let real = self.real(generator, &batch)?;
        // The critic's weights are constants here, so that no gradient is computed for them.
        let critic = critic.clone().no_grad();
        let seen = self.augmented(fake.clone(), context, "generated moved", &batch);
        let output = critic.forward(seen, source.hot.clone(), Mode::Training);
        let shown = self.one_hot_labels(&batch)?;
        let on_real = (self.config.loss.generator_needs_data()).then(|| {
            let seen = self.augmented(real.clone(), context, "data moved", &batch);
            critic.forward(seen, shown, Mode::Training).score
        });
        let energy_of_samples = energy(&output.score);
        let mut loss = self.config.loss.generator(output.score.clone(), on_real);
        if let Some(heads) = self.heads_loss(&output, &source) {
            loss = loss + heads;
        }
        if let Some(codes) = output.encoded
            && self.config.loss == Loss::Ebgan
            && self.config.pull_away > 0.0
        {
            loss = loss + pull_away(codes) * self.config.pull_away;
        }
        let value = scalar(&loss);
        let (spread, nearest) =
            spread(&rows(real), &rows(fake.inner()), self.pipeline.data.shape.size());
        let grads = loss.backward();
        drop(loss);
        drop(critic);
        context.optimizers.update("generator", &mut self.generator, grads)?;
        if let Some(generator) = &mut self.generator {
            generator.network.update_running_stats(passed.statistics, MOMENTUM);
        }
        let mut metrics = vec![("loss", value), ("critic_loss", critic_loss)];
        metrics.extend(accuracy.map(|share| ("critic_accuracy", share)));
        metrics.extend(penalty.map(|value| ("penalty", value)));
        if let (Loss::Began, Some(critic)) = (self.config.loss, &mut self.critic) {
            // Berthelot et al. 2017, equation 1: of the samples that the generator was updated with.
            let drift = self.config.diversity * energy_of_data - energy_of_samples;
            let k = critic.balance() + self.config.balance_rate * drift;
            critic.set_balance(k.clamp(0.0, 1.0));
            metrics.push(("convergence", energy_of_data + drift.abs()));
            metrics.push(("balance", critic.balance()));
        }
        metrics.push(("spread", spread));
        metrics.push(("nearest", nearest));
        Ok(metrics)
    }

    fn validation(&self, _batch: &Batch) -> Result<Option<Vec<f64>>> {
        Ok(None)
    }

    fn warnings(&self, means: &[(String, f64)]) -> Vec<String> {
        let mean = |name: &str| means.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
        let mut warnings = Vec::new();
        if let Some(accuracy) = mean("critic_accuracy")
            && accuracy > 0.995
        {
            warnings.push(format!(
                "the critic tells data from samples {:.1} % of the time, so that the generator \
                 learns little; lower critic_rate, smooth its labels or give it a penalty",
                100.0 * accuracy
            ));
        }
        if let Some(spread) = mean("spread")
            && spread < 0.25
        {
            warnings.push(format!(
                "samples are spread {spread:.2} times as widely as data, which looks like mode \
                 collapse; {REMEDY}"
            ));
        } else if let Some(nearest) = mean("nearest")
            && nearest < 0.25
            && self.pipeline.data.shape.size() > 2
        {
            warnings.push(format!(
                "samples of a batch lie {nearest:.2} times as far apart as data does, which looks \
                 like mode collapse; {REMEDY}"
            ));
        }
        warnings
    }

    fn too_few_steps(&self, steps: u64) -> Option<String> {
        (steps < LEAST_UPDATES).then(|| {
            format!(
                "this budget has {steps} updates of the generator, and samples take thousands; give \
                 more --epochs, --steps or --time"
            )
        })
    }

    fn start(&mut self, examples: &Examples) -> Result<()> {
        if let Some(generator) = &mut self.generator
            && generator.scale.is_some()
            && let Some(scale) = self.pipeline.fit(examples).0
        {
            generator.scale = Some(scale);
        }
        Ok(())
    }

    fn min_batch_size(&self) -> usize {
        let ties = |(generator, critic): (&Generator, &Critic)| {
            generator.network.is_batch_dependent() || critic.is_batch_dependent()
        };
        if self.parts().is_ok_and(ties) { 2 } else { 1 }
    }

    /// Recomputes the moments of batch normalization from samples of the generator: standing
    /// statistics (Brock et al. 2019, section 3.2).
    fn recompute_batch_statistics(&mut self) -> Result<()> {
        if !self.parts()?.0.network.is_batch_dependent() {
            return Ok(());
        }
        for i in 0..STATISTICS_BATCHES {
            let indices: Vec<u64> = (0..SAMPLE_BATCH as u64).collect();
            let source =
                self.generator_input(Streams::new(0), "settling", (i, &indices), None, 1.0);
            let [n, width] = source.input.dims();
            let noise = source.input.reshape([n, width, 1, 1]);
            let (_, passed) = self.parts()?.0.network.forward(noise, Mode::Training, false);
            if let Some(generator) = &mut self.generator {
                generator.network.update_running_stats(passed.statistics, 1.0 / (i + 1) as f64);
            }
        }
        Ok(())
    }
}

impl Sampler for Gan {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let classes = request.class.map(|class| vec![class; request.count]);
        let generator = self.parts()?.0.valid();
        let indices: Vec<u64> = (request.first..request.first + request.count as u64).collect();
        let mut values = Vec::with_capacity(request.count * self.pipeline.data.shape.size());
        // In batches, to bound memory; samples do not depend on the batch size.
        for (i, indices) in indices.chunks(SAMPLE_BATCH).enumerate() {
            let classes = classes.as_ref().map(|all| &all[i * SAMPLE_BATCH..][..indices.len()]);
            let source = self.generator_input(
                request.streams,
                "sample code",
                (0, indices),
                classes,
                request.temperature,
            );
            values.extend(rows(generate(&generator.network, source.input, Mode::Sampling)));
        }
        match self.pipeline.domain.max_level() {
            Some(top) => {
                let top = top as f32;
                for value in &mut values {
                    let level = (*value + 1.0) * 0.5 * top;
                    *value = if request.mean { level } else { level.round().clamp(0.0, top) };
                }
            }
            None => {
                if let Some(scale) = &generator.scale {
                    return Ok(scale.restore(values));
                }
            }
        }
        Ok(as_f64(values))
    }

    fn has_noise(&self) -> bool {
        false
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn classes_are_codes(&self) -> bool {
        self.config.conditioning == Conditioning::MutualInformation
    }
}

/// Samples per batch.
const SAMPLE_BATCH: usize = 256;
/// What may help against mode collapse.
const REMEDY: &str = "take a penalty (penalty=gradient) or larger batches, or lower critic_rate";
/// Updates of the generator below which a budget is too small: the quickest presets draw all modes of
/// `rings:8` after about as many.
const LEAST_UPDATES: u64 = 1000;
/// Batches for standing statistics.
const STATISTICS_BATCHES: u64 = 4;
/// Examples whose nearest neighbors are searched for; more would cost as much as a layer.
const NEIGHBORS: usize = 16;
