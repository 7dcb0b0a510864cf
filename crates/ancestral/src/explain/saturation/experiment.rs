//! Why the non-saturating generator loss is used: Goodfellow et al. 2014 (arXiv:1406.2661), section
//! 3, and
//! Arjovsky and Bottou 2017 (arXiv:1701.04862), sections 2.1 and 2.2.1.
//!
//! With D(x) the logit of "this is data", the generator can minimize
//! - E log(1 − σ(D(G(z)))), the minimax loss, whose gradient has the factor −σ(D), or
//! - −E log σ(D(G(z))), the non-saturating loss, whose gradient has the factor −(1 − σ(D)).
//!
//! A confident discriminator drives σ(D(G(z))) to 0, and with it the gradient of the first loss,
//! but not that of the second. Here a GAN is trained for some steps; then the generator is frozen,
//! a new discriminator is trained alone, and both gradients are measured repeatedly.

use ancestral_data::{Batch, Binarize};
use ancestral_data::{Dataset, Domain, Examples, SplitName, Streams};
use ancestral_kernels as kernels;
use burn::tensor::{Device, Tensor};

use crate::explain::network::{Network, matrix};
use crate::model::Init;
use crate::nn::{Activation, to_f64};
use crate::optim::{OptimizerConfig, Optimizers};
use crate::{Error, Result};

/// Dimensions of the latent vector.
const NOISE: usize = 16;
const HIDDEN: [usize; 2] = [64, 64];
/// Examples per batch.
const BATCH: usize = 100;
/// Samples that gradients are measured on.
const MEASURED: usize = 500;

/// The duration of the experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saturation {
    /// Steps in which generator and discriminator are trained together.
    pub together: u64,
    /// Steps in which a new discriminator is trained alone.
    pub ahead: u64,
    /// Steps between two measurements.
    pub every: u64,
    /// The seed of all random numbers.
    pub seed: u64,
}

impl Default for Saturation {
    fn default() -> Self {
        Self { together: 500, ahead: 1500, every: 10, seed: 0 }
    }
}

/// A measurement after some steps of the discriminator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// Steps of the discriminator with the generator frozen.
    pub step: u64,
    /// The accuracy of the discriminator on held-out examples and as many samples.
    pub correct: f64,
    /// Mean of σ(D(G(z))), the probability that samples are data.
    pub seems_real: f64,
    /// Norm of the gradient of E log(1 − σ(D(G(z)))) with respect to the generator's parameters.
    pub saturating: f64,
    /// Norm of the gradient of −E log σ(D(G(z))).
    pub non_saturating: f64,
}

/// Trains a discriminator against a frozen generator on images of gray levels and measures both
/// gradients of the generator; `progress` is called with the fraction of the work that is done.
///
/// # Errors
/// If a number of steps is 0, the data has no levels or no held-out examples, a gradient is not
/// finite, or `progress` fails.
pub fn saturation(
    data: &Dataset,
    settings: Saturation,
    device: &Device,
    progress: &mut dyn FnMut(f64) -> Result<()>,
) -> Result<Vec<Measurement>> {
    for (field, steps) in [("ahead", settings.ahead), ("every", settings.every)] {
        if steps == 0 {
            return Err(Error::setting(field, 0, "it must be 1 or more"));
        }
    }
    let unsuitable =
        |problem: String| Error::UnsuitableData { model: "the experiment".to_owned(), problem };
    let Some(top) = data.domain.max_level() else {
        return Err(unsuitable(format!("it needs levels and this data has {}", Domain::Real)));
    };
    let examples = |split| Examples::new(data, split, Binarize::None, settings.seed);
    let (train, test) = (examples(SplitName::Train)?, examples(SplitName::Test)?);
    if train.is_empty() || test.is_empty() {
        return Err(unsuitable("it needs examples to train on and others to test with".to_owned()));
    }
    let mut pair = Pair::new(data.shape.size(), top, settings.seed, device)?;
    let total = (settings.together + settings.ahead) as f64;
    for step in 0..settings.together {
        let real = pair.real(&pair.batch(&train, "together", step));
        pair.train_discriminator("together", step, real)?;
        pair.train_generator(step)?;
        progress(step as f64 / total)?;
    }
    pair.renew_discriminator()?;
    let held_out: Vec<u64> = (0..test.len().min(MEASURED) as u64).collect();
    let held_out = pair.real(&test.batch(&held_out, 0));
    let noise = pair.noise("measure", 0, MEASURED);
    let mut found = Vec::new();
    for step in 0..=settings.ahead {
        if step % settings.every == 0 || step == settings.ahead {
            found.push(pair.measure(step, &held_out, &noise)?);
        }
        if step < settings.ahead {
            let real = pair.real(&pair.batch(&train, "ahead", step));
            pair.train_discriminator("ahead", step, real)?;
        }
        progress((settings.together + step) as f64 / total)?;
    }
    Ok(found)
}

/// A generator and a discriminator with their optimizers.
struct Pair {
    init: Init,
    size: usize,
    /// The largest level.
    top: f32,
    streams: Streams,
    config: OptimizerConfig,
    optimizers: Optimizers,
    /// Taken out only while the optimizer holds it.
    generator: Option<Network>,
    /// Taken out only while the optimizer holds it.
    discriminator: Option<Network>,
}

impl Pair {
    fn new(size: usize, top: u32, seed: u64, device: &Device) -> Result<Self> {
        let init = Init::new(device, seed);
        let config = OptimizerConfig { beta1: 0.5, ..OptimizerConfig::default() };
        let layers = [Activation::LeakyRelu, Activation::Tanh];
        Ok(Self {
            size,
            top: top as f32,
            streams: Streams::new(seed),
            optimizers: Optimizers::new(&config),
            generator: Some(Network::init([NOISE, size], &HIDDEN, layers, "generator", &init)),
            discriminator: Some(discriminator(size, "discriminator", &init)),
            config,
            init,
        })
    }

    fn networks(&self) -> Result<(&Network, &Network)> {
        match (&self.generator, &self.discriminator) {
            (Some(generator), Some(discriminator)) => Ok((generator, discriminator)),
            _ => Err(Error::weights_lost("the pair")),
        }
    }

    /// Replaces the discriminator by an untrained one.
    fn renew_discriminator(&mut self) -> Result<()> {
        self.discriminator = Some(discriminator(self.size, "second discriminator", &self.init));
        self.optimizers = Optimizers::new(&self.config);
        Ok(())
    }

    /// Examples drawn with replacement.
    fn batch(&self, examples: &Examples, purpose: &str, step: u64) -> Batch {
        let draws = self.streams.purpose(&format!("batch {purpose}"), step).uniforms(&[0], BATCH);
        let last = examples.len() - 1;
        let rows: Vec<u64> =
            draws.iter().map(|u| ((u * examples.len() as f32) as usize).min(last) as u64).collect();
        examples.batch(&rows, 0)
    }

    /// Levels scaled to [−1, 1], the range of the generator's outputs.
    fn real(&self, batch: &Batch) -> Tensor<2> {
        let values = batch.values.iter().map(|&v| 2.0 * v as f32 / self.top - 1.0).collect();
        matrix(values, self.size, &self.init)
    }

    fn noise(&self, purpose: &str, step: u64, count: usize) -> Tensor<2> {
        let indices: Vec<u64> = (0..count as u64).collect();
        let purpose = self.streams.purpose(&format!("noise {purpose}"), step);
        matrix(purpose.normals(&indices, NOISE), NOISE, &self.init)
    }

    fn train_discriminator(&mut self, purpose: &str, step: u64, real: Tensor<2>) -> Result<()> {
        let noise = self.noise(purpose, step, BATCH);
        let (generator, discriminator) = self.networks()?;
        let real = discriminator.forward(real);
        let fake = discriminator.forward(generator.forward(noise).detach());
        let loss = kernels::softplus(real.neg()).mean() + kernels::softplus(fake).mean();
        let grads = loss.backward();
        drop(loss);
        self.optimizers.begin_step(step + 1, self.config.learning_rate);
        self.optimizers.update("discriminator", &mut self.discriminator, grads)
    }

    fn train_generator(&mut self, step: u64) -> Result<()> {
        let noise = self.noise("generator", step, BATCH);
        let (generator, discriminator) = self.networks()?;
        let logits = discriminator.forward(generator.forward(noise));
        let loss = kernels::softplus(logits.neg()).mean();
        let grads = loss.backward();
        drop(loss);
        self.optimizers.update("generator", &mut self.generator, grads)
    }

    /// Logits of the samples generated from `noise`.
    fn logits(&self, noise: &Tensor<2>) -> Result<Tensor<2>> {
        let (generator, discriminator) = self.networks()?;
        Ok(discriminator.forward(generator.forward(noise.clone())))
    }

    /// Norms of the gradients of both losses with respect to the generator's parameters: saturating
    /// and non-saturating.
    fn norms(&mut self, noise: &Tensor<2>) -> Result<[f64; 2]> {
        let mut norms = [0.0; 2];
        for (norm, saturating) in norms.iter_mut().zip([true, false]) {
            let logits = self.logits(noise)?;
            // log(1 − σ(d)) = −log(1 + eᵈ) and −log σ(d) = log(1 + e⁻ᵈ).
            let loss = if saturating {
                kernels::softplus(logits).mean().neg()
            } else {
                kernels::softplus(logits.neg()).mean()
            };
            let mut record = Optimizers::recording(&self.config);
            record.update("generator", &mut self.generator, loss.backward())?;
            let squares = record
                .into_gradients()
                .into_iter()
                .flat_map(|(_, gradient)| gradient.try_into_vec_as::<f64>().unwrap_or_default());
            *norm = squares.map(|g| g * g).sum::<f64>().sqrt();
        }
        Ok(norms)
    }

    fn measure(
        &mut self,
        step: u64,
        held_out: &Tensor<2>,
        noise: &Tensor<2>,
    ) -> Result<Measurement> {
        let [saturating, non_saturating] = self.norms(noise)?;
        let fake = to_f64(self.logits(noise)?);
        let real = to_f64(self.networks()?.1.forward(held_out.clone()));
        let share = |right: usize, of: usize| right as f64 / of.max(1) as f64;
        let told_real = share(real.iter().filter(|d| **d > 0.0).count(), real.len());
        let told_fake = share(fake.iter().filter(|d| **d < 0.0).count(), fake.len());
        let seems_real = fake.iter().map(|d| 1.0 / (1.0 + (-d).exp())).sum::<f64>();
        Ok(Measurement {
            step,
            correct: f64::midpoint(told_real, told_fake),
            seems_real: seems_real / fake.len() as f64,
            saturating,
            non_saturating,
        })
    }
}

fn discriminator(size: usize, name: &str, init: &Init) -> Network {
    let layers = [Activation::LeakyRelu, Activation::Identity];
    Network::init([size, 1], &HIDDEN, layers, name, init)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ancestral_data::digits;

    #[test]
    fn the_two_gradients_differ_by_the_odds() {
        // For a single sample they are the same vector, times σ(d) and times 1 − σ(d).
        let mut pair = Pair::new(64, 16, 3, &crate::spec::cpu()).unwrap();
        for i in 0..5 {
            let noise = pair.noise("test", i, 1);
            let [saturating, non_saturating] = pair.norms(&noise).unwrap();
            let odds = to_f64(pair.logits(&noise).unwrap())[0].exp();
            let ratio = saturating / non_saturating;
            assert!((ratio / odds - 1.0).abs() < 1e-4, "{ratio} {odds}");
        }
    }

    #[test]
    fn a_sure_discriminator_silences_one_loss_and_not_the_other() {
        let settings = Saturation { together: 60, ahead: 300, every: 100, seed: 1 };
        let data = digits().unwrap();
        let found = saturation(&data, settings, &crate::spec::cpu(), &mut |_| Ok(())).unwrap();
        assert_eq!(found.iter().map(|r| r.step).collect::<Vec<_>>(), [0, 100, 200, 300]);
        let (first, last) = (found[0], found[3]);
        assert!(last.correct > 0.99, "{last:?}");
        assert!(last.saturating < 0.1 * first.saturating, "{first:?} {last:?}");
        assert!(last.non_saturating > first.non_saturating, "{first:?} {last:?}");
        // The same again.
        assert_eq!(
            found,
            saturation(&data, settings, &crate::spec::cpu(), &mut |_| Ok(())).unwrap()
        );
        let wrong = Saturation { every: 0, ..settings };
        let said =
            saturation(&data, wrong, &crate::spec::cpu(), &mut |_| Ok(())).unwrap_err().to_string();
        assert!(said.contains("every"), "{said}");
        let real = ancestral_data::open("moons", &Default::default()).unwrap();
        assert!(saturation(&real, settings, &crate::spec::cpu(), &mut |_| Ok(())).is_err());
    }
}
