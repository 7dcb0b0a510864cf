//! The optimal discriminator: Goodfellow et al. 2014 (arXiv:1406.2661), proposition 1 and
//! theorem 1.
//!
//! For data from p and samples from q, the D that maximizes
//! V(D) = E_p log σ(D(x)) + E_q log(1 − σ(D(x))) has σ(D(x)) = p(x) / (p(x) + q(x)), and its value
//! is −log 4 + 2 JSD(p ‖ q).
//! Here p and q are known densities on the real line, and a network is trained on samples only.

use std::f64::consts::TAU;

use ancestral_data::Streams;
use ancestral_kernels as kernels;
use burn::tensor::Device;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use crate::explain::network::{Network, matrix};
use crate::model::Init;
use crate::nn::{Activation, to_f64};
use crate::optim::{OptimizerConfig, Optimizers};
use crate::{Error, Result};

/// Weight, mean and standard deviation of the Gaussians in the mixture p.
const DATA: [(f64, f64, f64); 2] = [(0.6, -1.5, 0.5), (0.4, 1.5, 0.35)];
/// The same for q.
const SAMPLES: [(f64, f64, f64); 1] = [(1.0, 0.0, 2.0)];

/// Integrals are over [−REACH, REACH], six standard deviations of q.
const REACH: f64 = 12.0;
const CELLS: usize = 4800;
const HIDDEN: [usize; 2] = [32, 32];
/// Samples of p per batch, and as many of q.
const BATCH: usize = 500;
const LEARNING_RATE: f64 = 1e-2;

/// The densities, and the discriminators, at a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Densities {
    /// The point.
    pub x: f64,
    /// The density of the data.
    pub p: f64,
    /// The density of the samples.
    pub q: f64,
    /// p / (p + q).
    pub formula: f64,
    /// σ(D(x)) of the trained network.
    pub trained: f64,
}

/// A trained discriminator compared with the optimal one.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// From left to right, equally spaced.
    pub places: Vec<Densities>,
    /// The largest |σ(D(x)) − p / (p + q)| where (p + q) / 2 is above a hundredth of its largest
    /// value.
    pub largest: f64,
    /// The mean of the same over (p + q) / 2.
    pub mean: f64,
    /// V of the trained network, in nats, by integration.
    pub value: f64,
    /// JSD(p ‖ q) in nats.
    pub jsd: f64,
    /// −log 4 + 2 JSD(p ‖ q), the maximum of V.
    pub optimum: f64,
}

/// Trains a discriminator on samples of two known densities and compares it with the formula;
/// `progress` is called with the fraction of the work that is done.
///
/// # Errors
/// If `steps` is 0, a gradient is not finite, or `progress` fails.
pub fn optimal_discriminator(
    steps: u64,
    seed: u64,
    device: &Device,
    progress: &mut dyn FnMut(f64) -> Result<()>,
) -> Result<Comparison> {
    if steps == 0 {
        return Err(Error::setting("steps", 0, "it must be 1 or more"));
    }
    let init = Init::new(device, seed);
    let config = OptimizerConfig::default();
    let mut optimizers = Optimizers::new(&config);
    let layers = [Activation::Tanh, Activation::Identity];
    let mut network = Some(Network::init([1, 1], &HIDDEN, layers, "discriminator", &init));
    for step in 0..steps {
        let Some(d) = &network else { return Err(Error::weights_lost("the discriminator")) };
        let draws = |purpose, mixture: &[_]| matrix(draw(seed, purpose, step, mixture), 1, &init);
        let real = d.forward(draws("data", &DATA));
        let fake = d.forward(draws("samples", &SAMPLES));
        let loss = kernels::softplus(real.neg()).mean() + kernels::softplus(fake).mean();
        let grads = loss.backward();
        drop(loss);
        // Cosine decay to 0, so that the noise of the last batches averages out.
        let share = step as f64 / steps as f64;
        let rate = LEARNING_RATE * 0.5 * (1.0 + (share * TAU / 2.0).cos());
        optimizers.begin_step(step + 1, rate);
        optimizers.update("discriminator", &mut network, grads)?;
        progress(share)?;
    }
    let Some(network) = network else { return Err(Error::weights_lost("the discriminator")) };
    let width = 2.0 * REACH / CELLS as f64;
    let places: Vec<f64> = (0..CELLS).map(|i| -REACH + (i as f64 + 0.5) * width).collect();
    let inputs = places.iter().map(|&x| x as f32).collect();
    let logits = to_f64(network.forward(matrix(inputs, 1, &init)));
    Ok(compare(&places, &logits, width))
}

/// A batch of a mixture of Gaussians.
fn draw(seed: u64, purpose: &str, step: u64, mixture: &[(f64, f64, f64)]) -> Vec<f32> {
    let mut rng = Streams::new(seed).item(purpose, step, 0);
    let one = || {
        let mut left: f64 = rng.random();
        let part = mixture.iter().find(|(share, ..)| {
            left -= share;
            left < 0.0
        });
        // Weights may not sum to 1 exactly.
        let (_, mean, std) = part.copied().unwrap_or(mixture[mixture.len() - 1]);
        let noise: f64 = StandardNormal.sample(&mut rng);
        (mean + std * noise) as f32
    };
    std::iter::repeat_with(one).take(BATCH).collect()
}

fn density(x: f64, mixture: &[(f64, f64, f64)]) -> f64 {
    let part = |&(share, mean, std): &(f64, f64, f64)| {
        share * (-0.5 * ((x - mean) / std).powi(2)).exp() / (std * TAU.sqrt())
    };
    mixture.iter().map(part).sum()
}

/// log(1 + eˣ).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Integrates by the midpoint rule over cells of the given width.
fn compare(xs: &[f64], logits: &[f64], width: f64) -> Comparison {
    let (mut mean, mut value, mut optimum) = (0.0, 0.0, 0.0);
    // x log x goes to 0 with x.
    let times_log = |weight: f64, x: f64| if weight > 0.0 { weight * x.ln() } else { 0.0 };
    let mut places = Vec::with_capacity(xs.len());
    for (&x, &logit) in xs.iter().zip(logits) {
        let (p, q) = (density(x, &DATA), density(x, &SAMPLES));
        let (formula, trained) = (p / (p + q), (-softplus(-logit)).exp());
        mean += f64::midpoint(p, q) * (trained - formula).abs() * width;
        value -= (p * softplus(-logit) + q * softplus(logit)) * width;
        optimum += (times_log(p, formula) + times_log(q, q / (p + q))) * width;
        places.push(Densities { x, p, q, formula, trained });
    }
    let top = places.iter().map(|d| d.p + d.q).fold(0.0, f64::max);
    let off = |d: &Densities| (d.trained - d.formula).abs();
    let dense = places.iter().filter(|d| d.p + d.q > 0.01 * top);
    let largest = dense.map(off).fold(0.0, f64::max);
    Comparison { largest, mean, value, jsd: f64::midpoint(optimum, 4f64.ln()), optimum, places }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> (Vec<f64>, f64) {
        let width = 2.0 * REACH / CELLS as f64;
        ((0..CELLS).map(|i| -REACH + (i as f64 + 0.5) * width).collect(), width)
    }

    #[test]
    fn the_formula_is_the_best_and_its_value_is_the_divergence() {
        let (xs, width) = grid();
        let area = |mixture: &[_]| xs.iter().map(|&x| density(x, mixture) * width).sum::<f64>();
        assert!((area(&DATA) - 1.0).abs() < 1e-9 && (area(&SAMPLES) - 1.0).abs() < 1e-7);
        let odds = |x: &f64| (density(*x, &DATA) / density(*x, &SAMPLES)).max(1e-300).ln();
        let best: Vec<f64> = xs.iter().map(odds).collect();
        let found = compare(&xs, &best, width);
        assert!((found.value - found.optimum).abs() < 1e-9, "{} {}", found.value, found.optimum);
        assert!(found.largest < 1e-12 && found.mean < 1e-12);
        // JSD by its definition: the mean divergence from the mixture.
        let kl = |a: &[_], b: &[_]| {
            xs.iter()
                .map(|&x| {
                    let (a, b) = (density(x, a), density(x, b));
                    if a > 0.0 { a * (2.0 * a / (a + b)).ln() * width } else { 0.0 }
                })
                .sum::<f64>()
        };
        let jsd = 0.5 * (kl(&DATA, &SAMPLES) + kl(&SAMPLES, &DATA));
        assert!((found.jsd - jsd).abs() < 1e-7, "{} {jsd}", found.jsd);
        // Any other discriminator is worse; one that knows nothing has −log 4.
        let other: Vec<f64> = best.iter().map(|d| 0.9 * d + 0.1).collect();
        assert!(compare(&xs, &other, width).value < found.optimum);
        let nothing = compare(&xs, &vec![0.0; xs.len()], width);
        assert!((nothing.value + 4f64.ln()).abs() < 1e-7);
    }

    #[test]
    fn draws_have_the_moments_of_their_density() {
        let (xs, width) = grid();
        for (name, mixture) in [("data", &DATA[..]), ("samples", &SAMPLES[..])] {
            let all: Vec<f64> =
                (0..200).flat_map(|step| draw(1, name, step, mixture)).map(f64::from).collect();
            let n = all.len() as f64;
            for power in [1, 2] {
                let moment = |k: i32| {
                    xs.iter().map(|&x| x.powi(k) * density(x, mixture) * width).sum::<f64>()
                };
                let mean = all.iter().map(|x| x.powi(power)).sum::<f64>() / n;
                let std = (moment(2 * power) - moment(power).powi(2)).sqrt();
                assert!((mean - moment(power)).abs() < 4.5 * std / n.sqrt(), "{name} {power}");
            }
        }
    }

    #[test]
    fn a_short_training_comes_near() {
        let found = optimal_discriminator(300, 1, &crate::spec::cpu(), &mut |_| Ok(())).unwrap();
        assert!(found.mean < 0.05 && found.largest < 0.3, "{} {}", found.mean, found.largest);
        let gap = found.optimum - found.value;
        assert!((0.0..0.02).contains(&gap), "{gap}");
        assert!(optimal_discriminator(0, 1, &crate::spec::cpu(), &mut |_| Ok(())).is_err());
    }
}
