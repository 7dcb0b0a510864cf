//! Variational autoencoder: Kingma and Welling 2014 (arXiv:1312.6114), with several stochastic
//! layers and the importance-weighted objective of Burda, Grosse and Salakhutdinov 2016
//! (arXiv:1509.00519).
//!
//! The generative model samples a code from the prior, then an example given the code:
//! p(x, z₁…z_L) = p(z_L) p(z_{L−1} | z_L) … p(x | z₁), with p(z_L) = N(0, I) and the other
//! conditionals diagonal Gaussians. The encoder approximates the posterior:
//! q(z₁…z_L | x) = q(z₁ | x) q(z₂ | z₁) … q(z_L | z_{L−1}).
//!
//! Training maximizes, for K = `importance_samples` and w_k = p(x, z_k)/q(z_k | x),
//! - K = 1: E[log p(x | z₁)] − β KL, where the KL divergence is, for one layer, the
//!   closed form ½ Σ(μ² + σ² − log σ² − 1), and for several the Monte Carlo estimate log q − log p,
//!   with the closed form for the top layer;
//! - K > 1: log (1/K) Σ w_k (their equation 8), whose gradient weights each sample by its
//!   normalized importance weight; or, with `doubly_reparameterized`, the encoder's gradient of Tucker,
//!   Lawson, Gu and Maddison 2019 (arXiv:1810.04152, equation 8), whose signal-to-noise ratio does not
//!   vanish as K grows.
//!
//! The reported value is a **lower bound** on log p(x): the K-sample bound, which tightens with K.
//! Differences from the papers: weights are initialized from U(−a, a) of Glorot and Bengio, those of
//! the heads for mean and log σ a tenth as large; Adam is that of Kingma and Ba.

use ancestral_data::{Batch, Domain, Examples, Streams, fill_normal};
use ancestral_kernels as kernels;
use burn::module::Module;
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;

use super::network::{Decoder, Encoder, Layers};
use super::normal::{Normal, standard_log_density};
use crate::likelihood::{Deviation, Likelihood, MonteCarlo, log_mean_exp, log_sum_exp};
use crate::model::{
    Abilities, Core, DataSpec, Density, DensityKind, DensityOptions, ElboTerms, Init, Latent,
    LogProbability, Metrics, NeuralModel, SampleRequest, Sampler, Size, SizeBuilder, StepContext,
    Trainable, product,
};
use crate::nn::{Activation, Dense, InputPipeline, Scale, as_f64, rows, scalar, to_f64};
use crate::settings::Settings;
use crate::{Error, Result, memory};

mod config;

use config::KINDS;
pub use config::{VaeConfig, entry, iwae_entry};

/// Samples of an example that share a random stream.
const SAMPLES_A_STREAM: usize = 64;

/// Rows per decoder pass in evaluation: bounds memory for any K.
const EVALUATION_ROWS: usize = 1024;

impl VaeConfig {
    /// A model with its initial weights, sized by the data; `name` is that of its entry.
    ///
    /// # Errors
    /// If a setting is out of range or does not suit the data.
    pub fn init(&self, name: &'static str, data: &DataSpec, init: &Init) -> Result<Vae> {
        let init = &init.with_precision(self.precision);
        let (domain, likelihood) = self.suits(name, data)?;
        let next_to_data = self.next_to_data(data);
        let activation = next_to_data.activation;
        let mut encoder = Vec::new();
        let mut prior = Vec::new();
        for (l, &latent) in self.latent_dims.iter().enumerate() {
            let name = format!("encoder.{l}");
            let features = match l.checked_sub(1) {
                None => Encoder::init(&next_to_data, &name, init)?,
                Some(below) => {
                    let from = self.latent_dims[below];
                    Encoder::dense(from, &self.hidden[l], activation, &name, init)
                }
            };
            encoder.push(GaussianBlock::init(features, latent, &name, init));
            if let Some(&above) = self.latent_dims.get(l + 1) {
                let hidden: Vec<usize> = self.hidden[l + 1].iter().rev().copied().collect();
                let name = format!("prior.{l}");
                let features = Encoder::dense(above, &hidden, activation, &name, init);
                prior.push(GaussianBlock::init(features, latent, &name, init));
            }
        }
        let deviation = self.likelihood.deviation(domain);
        let (outputs, _) = decoder_outputs(&likelihood, deviation, data);
        let decoder = Decoder::init(&next_to_data, self.latent_dims[0], outputs, init)?;
        // An initial log σ far from 0 would make the squared errors of the first steps enormous.
        let gaussian =
            matches!(likelihood, Likelihood::Gaussian | Likelihood::GaussianLevels { .. });
        let decoder = if gaussian { decoder.scaled_output(0.1) } else { decoder };
        let start = likelihood.output_bias(&[0.0]).last().copied().unwrap_or(0.0);
        let decoder = decoder.with_deviation(deviation, data.shape.size(), start, init);
        let scale = Scale::init(domain, data, init);
        let network = Network { encoder, prior, decoder, scale };
        let pipeline = InputPipeline::new(name, data, domain, init);
        Ok(Vae {
            config: self.clone(),
            likelihood,
            core: Core::new(self.to_table(), pipeline, network),
        })
    }

    /// The size of a model with these settings.
    fn size(&self, name: &str, data: &DataSpec) -> Result<Size> {
        let (domain, likelihood) = self.suits(name, data)?;
        let next_to_data = self.next_to_data(data);
        let entries = product(data.shape.dims());
        let mut size = SizeBuilder::new(data);
        size.scale(data, domain);
        let features = next_to_data.count_encoder(&mut size)?;
        size.dense(features, product(&[2, self.latent_dims[0]]));
        // Everything after the first code exists once per sample.
        let passes = if self.doubly_reparameterized { 2 } else { 1 };
        size.rows(self.importance_samples.saturating_mul(passes));
        for (l, &latent) in self.latent_dims.iter().enumerate() {
            if let Some(below) = l.checked_sub(1) {
                let features = size.mlp(self.latent_dims[below], &self.hidden[l]);
                size.dense(features, product(&[2, latent]));
            }
            // Mean and log σ, σ, ε and z, and the terms of the divergence.
            size.kept((latent as u64).saturating_mul(12));
            if let Some(&above) = self.latent_dims.get(l + 1) {
                let hidden = self.hidden[l + 1].iter().rev();
                let last = hidden.fold(above, |from, &to| size.dense(from, to));
                size.dense(last, product(&[2, latent]));
                size.kept((latent as u64).saturating_mul(6));
            }
        }
        let deviation = self.likelihood.deviation(domain);
        let (outputs, weights) = decoder_outputs(&likelihood, deviation, data);
        next_to_data.count_decoder(&mut size, self.latent_dims[0], outputs)?;
        match deviation {
            Deviation::Predicted => {}
            Deviation::Fixed(_) => size.buffer(&[weights]),
            Deviation::Shared | Deviation::PerEntry => size.trained(&[weights]),
        }
        if self.importance_samples > 1 {
            size.kept(entries as u64);
        }
        size.likelihood(&likelihood, entries);
        Ok(size.finish())
    }

    /// The layers next to the data, of encoder and decoder.
    fn next_to_data<'a>(&'a self, data: &'a DataSpec) -> Layers<'a> {
        Layers {
            data,
            channels: &self.channels,
            hidden: &self.hidden[0],
            activation: self.activation.into(),
            class_inputs: if self.conditional { data.classes } else { 0 },
        }
    }

    /// Refuses what is out of range or does not suit the data.
    fn suits(&self, name: &str, data: &DataSpec) -> Result<(Domain, Likelihood)> {
        self.check(data)?;
        let domain = data.one_domain(name, KINDS)?;
        Ok((domain, Likelihood::choose(self.likelihood, domain, &data.histogram)?))
    }
}

/// Outputs of the decoder's layers for each entry, and its weights of ln σ.
fn decoder_outputs(
    likelihood: &Likelihood,
    deviation: Deviation,
    data: &DataSpec,
) -> (usize, usize) {
    match deviation {
        Deviation::Predicted => (likelihood.outputs(), 0),
        Deviation::PerEntry => (1, product(data.shape.dims())),
        Deviation::Shared | Deviation::Fixed(_) => (1, 1),
    }
}

/// A network that computes mean and log σ of a diagonal Gaussian.
#[derive(Module, Debug)]
struct GaussianBlock {
    features: Encoder,
    /// To `2 · latent`: mean, then log σ.
    head: Dense,
}

impl GaussianBlock {
    fn init(features: Encoder, latent: usize, name: &str, init: &Init) -> Self {
        let head = format!("{name}.head");
        let last = features.outputs();
        Self {
            features,
            // An initial log σ far from 0 would make the first KL divergences enormous.
            head: Dense::init(last, 2 * latent, Activation::Identity, &head, init).scaled(0.1),
        }
    }

    /// `[rows, input]` to mean and log σ, each `[rows, latent]`.
    fn forward(&self, x: Tensor<2>) -> Normal {
        self.forward_with(x, None)
    }

    fn forward_with(&self, x: Tensor<2>, class: Option<Tensor<2>>) -> Normal {
        let out = self.head.forward(self.features.forward(x, class));
        let latent = self.head.outputs() / 2;
        Normal { mean: out.clone().narrow(1, 0, latent), log_sigma: out.narrow(1, latent, latent) }
    }
}

/// The weights of a VAE.
#[derive(Module, Debug)]
pub struct Network {
    /// q(z₁ | x), q(z₂ | z₁), …
    encoder: Vec<GaussianBlock>,
    /// p(z₁ | z₂), p(z₂ | z₃), …
    prior: Vec<GaussianBlock>,
    decoder: Decoder,
    /// For real data.
    scale: Option<Scale>,
}

impl Network {
    /// The log-determinant of standardization, to be added to log-densities of real data.
    fn log_jacobian(&self) -> f64 {
        self.scale.as_ref().map_or(0.0, Scale::log_jacobian)
    }
}

/// A variational autoencoder.
pub struct Vae {
    config: VaeConfig,
    likelihood: Likelihood,
    core: Core<Network>,
}

/// Samples of the codes, `k` for each example of a batch `[k · batch]`.
struct Codes {
    /// The approximate posterior of each layer, the one next to the data first.
    q: Vec<Normal>,
    /// ε of each layer.
    noise: Vec<Tensor<2>>,
    /// z = mean + σ ε of each layer.
    z: Vec<Tensor<2>>,
}

impl Codes {
    /// z₁.
    fn code(&self) -> Tensor<2> {
        self.z[0].clone()
    }

    /// log p(z₁ | z₂) + … − log q(z₁ | x) − … over all layers but the top one; `None` if there is
    /// one layer.
    fn log_ratio_below(&self, network: &Network) -> Option<Tensor<1>> {
        (0..network.prior.len())
            .map(|l| {
                let prior = network.prior[l].forward(self.z[l + 1].clone());
                let q = self.q[l].log_density_at(self.noise[l].clone());
                prior.log_density(self.z[l].clone()) - q
            })
            .reduce(|sum, term| sum + term)
    }

    /// log p(z) − log q(z | x); constants cancel.
    fn log_ratio(&self, network: &Network) -> Tensor<1> {
        let top = self.z.len() - 1;
        let term = standard_log_density(self.z[top].clone())
            - self.q[top].log_density_at(self.noise[top].clone());
        match self.log_ratio_below(network) {
            None => term,
            Some(below) => below + term,
        }
    }

    /// The KL divergence of each row, in closed form for the top layer.
    fn kl(&self, network: &Network) -> Tensor<1> {
        let top: Tensor<1> = self.q[self.q.len() - 1].kl_standard().sum_dim(1).squeeze_dim(1);
        match self.log_ratio_below(network) {
            None => top,
            Some(below) => top - below,
        }
    }
}

impl Vae {
    /// The class as one-hot rows, for conditional models.
    fn class(&self, labels: Option<&[u32]>) -> Result<Option<Tensor<2>>> {
        self.config.conditional.then(|| self.core.pipeline.one_hot(labels)).transpose()
    }

    /// The batch as the likelihood takes it, and q(z₁ | x), one row per example.
    fn encoded(&self, network: &Network, batch: &Batch) -> Result<(Tensor<2>, Normal)> {
        let x = self.core.pipeline.observed(network.scale.as_ref(), batch)?;
        let class = self.class(batch.labels.as_deref())?;
        let bottom = network.encoder[0].forward_with(self.core.pipeline.unit(x.clone()), class);
        Ok((x, bottom))
    }

    /// The noise ε of layer `l` `[k · batch, dims]`.
    ///
    /// These are draws `first..first + k` of each example, which do not depend on how samples are
    /// grouped;
    /// `first` is a multiple of [`SAMPLES_A_STREAM`].
    fn noise(
        &self,
        streams: Streams,
        batch: &Batch,
        layer: usize,
        first: usize,
        k: usize,
    ) -> Tensor<2> {
        debug_assert!(first.is_multiple_of(SAMPLES_A_STREAM));
        let dims = self.config.latent_dims[layer];
        let width = batch.len() * dims;
        let mut values = vec![0.0; k * width];
        values.par_chunks_mut((SAMPLES_A_STREAM * width).max(1)).enumerate().for_each(
            |(block, values)| {
                let number = first / SAMPLES_A_STREAM + block;
                let purpose = streams.purpose(&format!("code {layer} {number}"), batch.epoch);
                for (i, &index) in batch.indices.iter().enumerate() {
                    let mut stream = purpose.item(index);
                    for sample in values.chunks_exact_mut(width) {
                        fill_normal(&mut stream, &mut sample[i * dims..(i + 1) * dims]);
                    }
                }
            },
        );
        self.core.pipeline.tensor(values, dims)
    }

    /// Samples `k` codes per example from q.
    ///
    /// `first` is the number of the first sample, `bottom` is q(z₁ | x), one row per example.
    fn codes(
        &self,
        network: &Network,
        bottom: &Normal,
        batch: &Batch,
        streams: Streams,
        first: usize,
        k: usize,
    ) -> Codes {
        let mut codes = Codes { q: Vec::new(), noise: Vec::new(), z: Vec::new() };
        let mut q = bottom.clone().repeat(k);
        for l in 0..network.encoder.len() {
            let noise = self.noise(streams, batch, l, first, k);
            let z = q.rsample(noise.clone());
            let above = network.encoder.get(l + 1).map(|block| block.forward(z.clone()));
            codes.q.push(q.clone());
            codes.noise.push(noise);
            codes.z.push(z);
            if let Some(above) = above {
                q = above;
            }
        }
        codes
    }

    /// The log importance weights `[k, batch]` of samples and their examples.
    fn log_weights(
        &self,
        network: &Network,
        codes: &Codes,
        x: Tensor<2>,
        labels: Option<&[u32]>,
        k: usize,
    ) -> Result<Tensor<2>> {
        let b = x.dims()[0];
        let repeated: Option<Vec<u32>> = labels.map(|l| l.repeat(k));
        let outputs = network.decoder.forward(codes.code(), self.class(repeated.as_deref())?);
        let log_likelihood = self.likelihood.log_probability(outputs, x.repeat_dim(0, k));
        Ok((log_likelihood + codes.log_ratio(network)).reshape([k, b]))
    }

    /// The loss `[1]` of a batch and its metrics.
    fn loss(
        &self,
        network: &Network,
        batch: &Batch,
        streams: Streams,
        epoch: f64,
    ) -> Result<(Tensor<1>, Metrics)> {
        let k = self.config.importance_samples;
        let labels = batch.labels.as_deref();
        let (x, bottom) = self.encoded(network, batch)?;
        let jacobian = network.log_jacobian();
        if k > 1 {
            let constant = (k as f64).ln() - jacobian;
            if self.config.doubly_reparameterized {
                return self.doubly_reparameterized(network, batch, streams, constant);
            }
            let codes = self.codes(network, &bottom, batch, streams, 0, k);
            let log_w = self.log_weights(network, &codes, x, labels, k)?;
            let bound: Tensor<1> = log_sum_exp(log_w.transpose());
            let loss = bound.mean().neg() + constant;
            let value = scalar(&loss);
            return Ok((loss, vec![("loss", value)]));
        }
        let codes = self.codes(network, &bottom, batch, streams, 0, 1);
        let outputs = network.decoder.forward(codes.code(), self.class(labels)?);
        let reconstruction = self.likelihood.log_probability(outputs, x).mean();
        let kl = codes.kl(network).mean();
        let (r, d) = (scalar(&reconstruction) + jacobian, scalar(&kl));
        let warm = self.config.kl_warmup_epochs;
        let weight = self.config.beta * if warm > 0.0 { (epoch / warm).min(1.0) } else { 1.0 };
        let penalty = if self.config.free_bits > 0.0 {
            // Free bits: a lower limit on each entry's mean over the batch (Kingma et al. 2016, appendix C8).
            let entries: Tensor<2> = bottom.kl_standard().mean_dim(0);
            entries.clamp_min(self.config.free_bits).sum()
        } else {
            kl
        };
        let loss = penalty * weight - reconstruction - jacobian;
        let value = scalar(&loss);
        Ok((
            loss,
            vec![("loss", value), ("negative_elbo", d - r), ("reconstruction", r), ("kl", d)],
        ))
    }

    /// The K-sample bound, with gradients w̃_k ∂log w_k for the model and, for the encoder,
    /// w̃_k² (∂log w_k/∂z_k) (dz_k/dφ), where w̃ is the normalized weight.
    fn doubly_reparameterized(
        &self,
        network: &Network,
        batch: &Batch,
        streams: Streams,
        constant: f64,
    ) -> Result<(Tensor<1>, Metrics)> {
        let k = self.config.importance_samples;
        let labels = batch.labels.as_deref();
        // A first pass without a graph computes the normalized weights.
        let plain = network.valid();
        let (x, bottom) = self.encoded(&plain, batch)?;
        let codes = self.codes(&plain, &bottom, batch, streams, 0, k);
        let log_w = self.log_weights(&plain, &codes, x, labels, k)?;
        let total: Tensor<1> = log_sum_exp(log_w.clone().transpose());
        let value = constant - scalar(&total.clone().mean());
        let share = kernels::exp(log_w - total.unsqueeze_dim::<2>(0));

        let rows = k * batch.len();
        let share = Tensor::from_inner(share.reshape([rows, 1]));
        let (x, bottom) = self.encoded(network, batch)?;
        let codes = self.codes(network, &bottom, batch, streams, 0, k);
        // The same values, with gradients multiplied by the normalized weights.
        let z: Vec<Tensor<2>> = codes
            .z
            .into_iter()
            .map(|z| {
                let still = z.clone().detach();
                still.clone() + (z - still) * share.clone()
            })
            .collect();
        // q with constant parameters; gradients still flow through the codes.
        let still = network.encoder.clone().no_grad();
        let mut q = vec![bottom.repeat(k).detach()];
        for (block, below) in still.iter().skip(1).zip(&z) {
            q.push(block.forward(below.clone()));
        }
        let noise = q
            .iter()
            .zip(&z)
            .map(|(q, z)| (z.clone() - q.mean.clone()) * kernels::exp(q.log_sigma.clone().neg()))
            .collect();
        let log_w = self.log_weights(network, &Codes { q, noise, z }, x, labels, k)?;
        let shares: Tensor<2> = share.reshape([k, batch.len()]);
        let loss = (log_w * shares).sum().neg() / batch.len() as f64;
        Ok((loss, vec![("loss", value)]))
    }
}

impl NeuralModel for Vae {
    type Network = Network;

    fn core(&self) -> &Core<Network> {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core<Network> {
        &mut self.core
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities {
            density: Some(self),
            sampler: Some(self),
            latent: Some(self),
            ..Abilities::default()
        }
    }
}

impl Trainable for Vae {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let batch = context.batches.next_batch();
        let (loss, metrics) =
            self.loss(self.core.network()?, &batch, context.streams, context.epoch)?;
        if !metrics[0].1.is_finite() {
            return Err(Error::not_finite(context.step, "the loss"));
        }
        context.descend(loss, self.core.slot())?;
        Ok(metrics)
    }

    /// Of the bound that is trained.
    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let samples = self.config.importance_samples;
        if samples > 1 {
            let found = self.log_probability(batch, DensityOptions::new(samples, 0))?;
            return Ok(Some(found.nats.iter().map(|nats| -nats).collect()));
        }
        let terms = self.terms(batch, Streams::new(0))?;
        Ok(Some(terms.reconstruction.iter().zip(&terms.kl).map(|(r, d)| d - r).collect()))
    }

    fn validation_name(&self) -> &'static str {
        if self.config.importance_samples > 1 { "negative_bound" } else { "negative_elbo" }
    }

    fn start(&mut self, examples: &Examples) -> Result<()> {
        let (scale, means) = self.core.pipeline.fit(examples);
        let deviation = self.config.likelihood.deviation(self.core.pipeline.domain);
        let each = self.likelihood.outputs();
        let bias = |means: &[f64]| match (self.likelihood.output_bias(means), deviation) {
            (bias, Deviation::Predicted) => bias,
            // ln σ is no output of a layer.
            (bias, _) => bias.into_iter().step_by(each).collect(),
        };
        self.core.change(|network| Network {
            decoder: network.decoder.start_at(&means, bias),
            scale: scale.or(network.scale),
            ..network
        });
        Ok(())
    }
}

impl Vae {
    /// The terms of the ELBO from one code per example.
    fn terms(&self, batch: &Batch, streams: Streams) -> Result<ElboTerms> {
        let network = self.core.inference()?;
        let (x, bottom) = self.encoded(&network, batch)?;
        // Validation always uses the same noise.
        let still = Batch { epoch: 0, ..batch.clone() };
        let codes = self.codes(&network, &bottom, &still, streams, 0, 1);
        let class = self.class(batch.labels.as_deref())?;
        let outputs = network.decoder.forward(codes.code(), class);
        let jacobian = network.log_jacobian();
        let reconstruction = to_f64(self.likelihood.log_probability(outputs, x));
        Ok(ElboTerms {
            reconstruction: reconstruction.into_iter().map(|r| r + jacobian).collect(),
            kl: to_f64(codes.kl(&network)),
            means: rows(bottom.mean),
        })
    }

    /// log p(x | z₁) of each sample of one example, for models where one kernel computes it from the
    /// last hidden layer without storing the logits.
    fn fused_log_likelihood(
        &self,
        network: &Network,
        code: Tensor<2>,
        class: Option<Tensor<2>>,
        x: &[f64],
    ) -> Option<Vec<f64>> {
        let output = network.decoder.dense_output()?;
        if self.likelihood != Likelihood::Bernoulli || self.core.pipeline.dtype != DType::F32 {
            return None;
        }
        let (weight, bias) = (output.weight.val().into_data(), output.bias.val().into_data());
        let hidden = network.decoder.hidden(code, class);
        let [k, h] = hidden.dims();
        let hidden = hidden.into_data();
        let x: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        let mut out = vec![0.0; k];
        kernels::bernoulli_log_likelihood(
            hidden.as_slice().ok()?,
            k,
            h,
            weight.as_slice().ok()?,
            bias.as_slice().ok()?,
            &x,
            &mut out,
        );
        Some(out)
    }
}

impl Density for Vae {
    fn kind(&self, samples: usize) -> DensityKind {
        DensityKind::LowerBound { samples }
    }

    // Less than a minute for 10,000 images on two cores.
    fn default_samples(&self) -> usize {
        250
    }

    fn log_probability(&self, batch: &Batch, options: DensityOptions) -> Result<LogProbability> {
        let total = options.samples;
        if total == 0 {
            return Err(Error::setting("samples", 0, "a bound needs at least 1"));
        }
        // One weight per sample, in a vector that may grow to twice its length.
        let needed = 16u64.saturating_mul(total as u64).saturating_mul(batch.len() as u64);
        let what = format!("a bound from {total} importance samples");
        memory::check_available(&what, needed, "the number of importance samples")?;
        let network = self.core.inference()?;
        let b = batch.len();
        let (x, bottom) = self.encoded(&network, batch)?;
        let still = Batch { epoch: 0, ..batch.clone() };
        let jacobian = network.log_jacobian();
        let streams_at_once = (EVALUATION_ROWS / SAMPLES_A_STREAM / b.max(1)).max(1);
        let mut log_w = vec![Vec::with_capacity(total); b];
        for first in (0..total).step_by(streams_at_once * SAMPLES_A_STREAM) {
            let k = (streams_at_once * SAMPLES_A_STREAM).min(total - first);
            let codes = self.codes(&network, &bottom, &still, options.streams, first, k);
            let repeated: Option<Vec<u32>> = batch.labels.as_deref().map(|l| l.repeat(k));
            let class = self.class(repeated.as_deref())?;
            let log_ratio = to_f64(codes.log_ratio(&network));
            let fused = (b == 1)
                .then(|| {
                    let class = class.clone();
                    self.fused_log_likelihood(&network, codes.code(), class, &batch.values)
                })
                .flatten();
            let log_likelihood = fused.unwrap_or_else(|| {
                let outputs = network.decoder.forward(codes.code(), class);
                to_f64(self.likelihood.log_probability(outputs, x.clone().repeat_dim(0, k)))
            });
            for (i, (l, r)) in log_likelihood.into_iter().zip(log_ratio).enumerate() {
                log_w[i % b].push(l + r);
            }
        }
        let nats = log_w.iter().map(|w| log_mean_exp(w) + jacobian).collect();
        let monte_carlo = (total > 1).then(|| log_w.iter().map(|w| MonteCarlo::of(w)).collect());
        Ok(LogProbability { nats, monte_carlo })
    }

    fn elbo_terms(&self, batch: &Batch, streams: Streams) -> Result<Option<ElboTerms>> {
        self.terms(batch, streams).map(Some)
    }
}

impl Sampler for Vae {
    fn classes(&self) -> usize {
        if self.config.conditional { self.core.pipeline.data.classes } else { 0 }
    }

    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let network = self.core.inference()?;
        let indices: Vec<u64> = (request.first..request.first + request.count as u64).collect();
        let labels = self.sample_labels(request, &indices);
        let size = self.core.pipeline.data.shape.size();
        let mut out = Vec::with_capacity(indices.len() * size);
        for (n, chunk) in indices.chunks(EVALUATION_ROWS).enumerate() {
            let mut z: Option<Tensor<2>> = None;
            for l in (0..self.config.latent_dims.len()).rev() {
                let dims = self.config.latent_dims[l];
                let mut noise =
                    request.streams.purpose(&format!("sample code {l}"), 0).normals(chunk, dims);
                noise.iter_mut().for_each(|e| *e *= request.temperature as f32);
                let noise = self.core.pipeline.tensor(noise, dims);
                z = Some(match z {
                    None => noise,
                    Some(above) => network.prior[l].forward(above).rsample(noise),
                });
            }
            let Some(code) = z else { continue };
            let labels = labels.as_ref().map(|l| {
                let at = n * EVALUATION_ROWS;
                &l[at..at + chunk.len()]
            });
            let outputs = rows(network.decoder.forward(code, self.class(labels)?));
            let values = if request.mean {
                self.likelihood.mean(&outputs)
            } else {
                let uniforms = request
                    .streams
                    .purpose("sample entries", 0)
                    .uniforms(chunk, size * self.likelihood.draws());
                self.likelihood.draw(&outputs, &uniforms)
            };
            out.extend(match &network.scale {
                Some(scale) => scale.restore(values),
                None => as_f64(values),
            });
        }
        Ok(out)
    }
}

impl Vae {
    /// The class of each sample: the requested one, or all in turn.
    fn sample_labels(&self, request: &SampleRequest, indices: &[u64]) -> Option<Vec<u32>> {
        let classes = self.core.pipeline.data.classes as u64;
        self.config.conditional.then(|| match request.class {
            Some(class) => vec![class; indices.len()],
            None => indices.iter().map(|i| (i % classes) as u32).collect(),
        })
    }
}

impl Latent for Vae {
    fn latent_dim(&self) -> usize {
        self.config.latent_dims[0]
    }

    fn encode(&self, batch: &Batch) -> Result<Vec<f32>> {
        Ok(rows(self.encoded(&self.core.inference()?, batch)?.1.mean))
    }

    fn posterior(&self, batch: &Batch) -> Result<Option<(Vec<f32>, Vec<f32>)>> {
        let (_, q) = self.encoded(&self.core.inference()?, batch)?;
        Ok(Some((rows(q.mean), rows(kernels::exp(q.log_sigma)))))
    }

    fn decode(&self, codes: &[f32], labels: Option<&[u32]>) -> Result<Vec<f64>> {
        let network = self.core.inference()?;
        let code = self.core.pipeline.codes(codes, self.latent_dim())?;
        let outputs = rows(network.decoder.forward(code, self.class(labels)?));
        let values = self.likelihood.mean(&outputs);
        Ok(match &network.scale {
            Some(scale) => scale.restore(values),
            None => as_f64(values),
        })
    }
}

#[cfg(test)]
mod tests {
    use ancestral_data::{Binarize, Dataset, Shape, Split, SplitName, Values};
    use ancestral_kernels::Precision;

    use super::*;
    use crate::nn::assert_precision;

    #[test]
    fn every_layer_has_the_precision() {
        let spec = DataSpec::new(Domain::Binary, Shape::image(1, 8, 8), 0);
        let init = Init::new(&crate::spec::cpu(), 1);
        for channels in ["[]", "[4]"] {
            let text = format!(
                "latent_dims = [4, 2]\nhidden = [[5], [6]]\nchannels = {channels}\nprecision = 'bf16x3'"
            );
            let vae = VaeConfig::from_table(&text.parse().unwrap()).unwrap();
            let vae = vae.init("vae", &spec, &init).unwrap();
            assert_precision(&vae.core.inference().unwrap(), Precision::Bf16x3);
        }
    }

    /// The loss, the reconstruction and the divergence of a batch at an epoch.
    fn terms(settings: &str, epoch: f64) -> [f64; 3] {
        let values = Values::Bytes((0..48u8).map(|i| i % 3 % 2).collect());
        let split = Split { values, labels: None };
        let shape = Shape::columns(6);
        let data = Dataset::new("bits", Domain::Binary, shape.clone(), split, None, None).unwrap();
        let spec = DataSpec::new(Domain::Binary, shape, 0);
        let common = "latent_dims = [4]\nhidden = [[5]]\n";
        let config = VaeConfig::from_table(&format!("{common}{settings}").parse().unwrap());
        let init = Init::new(&crate::spec::cpu(), 1);
        let vae = config.unwrap().init("vae", &spec, &init).unwrap();
        let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0).unwrap();
        let batch = examples.batch(&[0, 1, 2], 0);
        let network = vae.core.inference().unwrap();
        let (_, found) = vae.loss(&network, &batch, Streams::new(0), epoch).unwrap();
        ["loss", "reconstruction", "kl"]
            .map(|name| found.iter().find(|(of, _)| *of == name).unwrap().1)
    }

    #[test]
    fn the_loss_weighs_the_divergence_and_leaves_bits_free() {
        let [loss, reconstruction, kl] = terms("", 0.0);
        assert!(kl > 1e-4 && (loss - kl + reconstruction).abs() < 1e-5, "{loss} {kl}");
        let weight = |settings: &str, epoch| {
            let [loss, reconstruction, kl] = terms(settings, epoch);
            (loss + reconstruction) / kl
        };
        assert!((weight("beta = 3.0", 0.0) - 3.0).abs() < 1e-3);
        let warm = "beta = 2.0\nkl_warmup_epochs = 10.0";
        for (epoch, expected) in [(0.0, 0.0), (2.5, 0.5), (10.0, 2.0), (25.0, 2.0)] {
            assert!((weight(warm, epoch) - expected).abs() < 1e-3, "{epoch}");
        }
        // Each of four dimensions counts as much as it may, and no less than it has.
        let [loss, reconstruction, same] = terms("free_bits = 0.5", 0.0);
        assert!((loss + reconstruction - 4.0 * 0.5).abs() < 1e-5 && same == kl, "{loss}");
        let [loss, reconstruction, _] = terms("free_bits = 1e-9", 0.0);
        assert!((loss + reconstruction - kl).abs() < 1e-5, "{loss}");
    }
}
