//! Variational autoencoder: Kingma and Welling 2014 (arXiv:1312.6114), with several stochastic
//! layers and the importance-weighted objective of Burda, Grosse and Salakhutdinov 2016
//! (arXiv:1509.00519).
//!
//! The model draws a code from the prior, then an example from the code:
//! p(x, z₁…z_L) = p(z_L) p(z_{L−1} | z_L) … p(x | z₁), with p(z_L) = N(0, I) and the other
//! conditionals diagonal Gaussians. The encoder goes the other way:
//! q(z₁…z_L | x) = q(z₁ | x) q(z₂ | z₁) … q(z_L | z_{L−1}).
//!
//! Training maximises, for K = `importance_samples` and w_k = p(x, z_k)/q(z_k | x),
//! - K = 1: E[log p(x | z₁)] − β KL, where the divergence of one layer is the closed form
//!   ½ Σ(μ² + σ² − log σ² − 1), and of several the sampled log q − log p, with the closed form for
//!   the top layer;
//! - K > 1: log (1/K) Σ w_k (their equation 8), whose gradient weights each sample by its share of w.
//!
//! What it prints is a **lower bound** on log p(x): the K-sample bound, which rises with K.
//! Differences from the papers: weights start from U(−a, a) of Glorot and Bengio, those of the heads
//! that give a mean and a log σ at a tenth of it; Adam's second moment starts at 0 and is bias-corrected, as in Kingma and Ba.

use ancestral_data::{Batch, Domain, Examples, Streams};
use ancestral_kernels as kernels;
use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use toml::Table;

use crate::likelihood::{Likelihood, log_mean_exp, log_sum_exp};
use crate::model::{
    DataSpec, Density, DensityKind, DensityOptions, ElboTerms, Init, Latent, LogProbability,
    Metrics, Model, ModelEntry, NamedTensors, Preset, SampleRequest, Sampler, Trainable,
};
use crate::nn::{Activation, Dense, Mlp, load_module, module_tensors, rows, to_f64};
use crate::settings::Settings;
use crate::train::StepContext;
use crate::{Error, Result, settings};

/// Rows that go through the decoder at once in evaluation: keeps memory flat for any K.
const EVALUATION_ROWS: usize = 1000;

settings! {
    /// Settings of the variational autoencoder.
    pub struct VaeConfig {
        /// Sizes of the codes, one for each stochastic layer, the one next to the data first.
        pub latent_dims: Vec<usize> = vec![20],
        /// Hidden layers next to each stochastic layer, from the data's side;
        /// the decoder has the same in reverse.
        pub hidden: Vec<Vec<usize>> = vec![vec![200, 200]],
        /// What follows hidden layers: tanh, relu, leaky-relu or softplus.
        pub activation: String = "tanh".to_owned(),
        /// Observation model: auto, bernoulli, categorical, logistic-mixture, gaussian or gaussian-fixed.
        pub likelihood: String = "auto".to_owned(),
        /// Weight of the divergence in the objective; 1 is the bound itself.
        pub beta: f64 = 1.0,
        /// Epochs over which that weight rises from 0.
        pub kl_warmup_epochs: f64 = 0.0,
        /// Nats of divergence each code entry has for free, as a batch mean.
        pub free_bits: f64 = 0.0,
        /// Importance samples K of the objective; above 1 it is the IWAE's.
        pub importance_samples: usize = 1,
        /// Whether encoder and decoder are told the class.
        pub conditional: bool = false,
    }
}

/// The list entry of `vae`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "vae",
        about: "variational autoencoder: a code from a Gaussian, an example from the code",
        paper: "Kingma and Welling 2014, arXiv:1312.6114",
        can: &["density (lower bound)", "samples", "codes"],
        presets: &[
            Preset {
                name: "burda-1l",
                about: "one stochastic layer, as in Burda et al. 2016, Table 1 (MNIST, 3280 epochs)",
                settings: include_str!("presets/burda-1l.toml"),
            },
            Preset {
                name: "burda-2l",
                about: "two stochastic layers, as in Burda et al. 2016, Table 1 (MNIST, 3280 epochs)",
                settings: include_str!("presets/burda-2l.toml"),
            },
        ],
        fields: VaeConfig::fields,
        build: |table, data, init| Ok(Box::new(VaeConfig::from_table(table)?.init(data, init)?)),
    }
}

impl VaeConfig {
    /// A model with its first weights, sized by the data.
    ///
    /// # Errors
    /// If a setting is out of range or does not suit the data.
    pub fn init(&self, data: &DataSpec, init: &Init) -> Result<Vae> {
        let layers = self.latent_dims.len();
        if layers == 0 || self.latent_dims.contains(&0) {
            return Err(Error::setting(
                "latent_dims",
                format!("{:?}", self.latent_dims),
                "give at least one size, each 1 or more",
            ));
        }
        if self.hidden.len() != layers || self.hidden.iter().flatten().any(|&n| n == 0) {
            return Err(Error::setting(
                "hidden",
                format!("{:?}", self.hidden),
                format!("give one list of sizes for each of the {layers} stochastic layers"),
            ));
        }
        if !(self.beta >= 0.0 && self.beta.is_finite()) {
            return Err(Error::setting("beta", self.beta, "it must be 0 or more"));
        }
        if !(self.kl_warmup_epochs >= 0.0 && self.kl_warmup_epochs.is_finite()) {
            return Err(Error::setting(
                "kl_warmup_epochs",
                self.kl_warmup_epochs,
                "it must be 0 or more",
            ));
        }
        if !(self.free_bits >= 0.0 && self.free_bits.is_finite()) {
            return Err(Error::setting("free_bits", self.free_bits, "it must be 0 or more"));
        }
        if self.importance_samples == 0 {
            return Err(Error::setting("importance_samples", 0, "it must be 1 or more"));
        }
        let plain = self.beta == 1.0 && self.kl_warmup_epochs == 0.0 && self.free_bits == 0.0;
        if self.importance_samples > 1 && !plain {
            return Err(Error::setting(
                "importance_samples",
                self.importance_samples,
                "above 1 the objective has no divergence term of its own; leave beta at 1 and \
                 kl_warmup_epochs and free_bits at 0",
            ));
        }
        if self.free_bits > 0.0 && layers > 1 {
            return Err(Error::setting(
                "free_bits",
                self.free_bits,
                "the divergence of each code entry is known for one stochastic layer only",
            ));
        }
        if self.conditional && data.classes == 0 {
            return Err(Error::setting("conditional", true, "this data has no labels"));
        }
        let activation = Activation::parse("activation", &self.activation)?;
        let likelihood = Likelihood::parse(&self.likelihood, data)?;

        let size = data.shape.size();
        let class_inputs = if self.conditional { data.classes } else { 0 };
        let mut encoder = Vec::new();
        let mut prior = Vec::new();
        let mut from = size + class_inputs;
        for (l, &latent) in self.latent_dims.iter().enumerate() {
            let hidden = &self.hidden[l];
            let name = format!("encoder.{l}");
            encoder.push(GaussianBlock::init(from, hidden, latent, activation, &name, init));
            from = latent;
            if let Some(&above) = self.latent_dims.get(l + 1) {
                let hidden: Vec<usize> = self.hidden[l + 1].iter().rev().copied().collect();
                let name = format!("prior.{l}");
                prior.push(GaussianBlock::init(above, &hidden, latent, activation, &name, init));
            }
        }
        let hidden: Vec<usize> = self.hidden[0].iter().rev().copied().collect();
        let from = self.latent_dims[0] + class_inputs;
        let decoder = Mlp::init(from, &hidden, activation, "decoder", init);
        let last = hidden.last().copied().unwrap_or(from);
        let output =
            Dense::init(last, size * likelihood.outputs(), Activation::Identity, "output", init);
        // A log σ that starts far from 0 makes squared errors of the first steps enormous.
        let output = if likelihood == Likelihood::Gaussian { output.scaled(0.1) } else { output };
        let scale = (data.domain == Domain::Real).then(|| Standardise {
            mean: frozen(vec![0.0; size], init),
            std: frozen(vec![1.0; size], init),
        });
        Ok(Vae {
            config: self.clone(),
            data: data.clone(),
            likelihood,
            dtype: init.dtype,
            device: init.device.clone(),
            network: Some(Network { encoder, prior, decoder, output, scale }),
        })
    }
}

/// A diagonal Gaussian whose mean and log σ a network gives.
#[derive(Module, Debug)]
struct GaussianBlock {
    hidden: Mlp,
    /// To `2 · latent`: mean, then log σ.
    head: Dense,
}

impl GaussianBlock {
    fn init(
        input: usize,
        hidden: &[usize],
        latent: usize,
        activation: Activation,
        name: &str,
        init: &Init,
    ) -> Self {
        let last = hidden.last().copied().unwrap_or(input);
        let head = format!("{name}.head");
        Self {
            hidden: Mlp::init(input, hidden, activation, name, init),
            // A log σ that starts far from 0 makes the first divergences enormous.
            head: Dense::init(last, 2 * latent, Activation::Identity, &head, init).scaled(0.1),
        }
    }

    /// `[rows, input]` to mean and log σ, each `[rows, latent]`.
    fn forward(&self, x: Tensor<2>) -> Normal {
        let out = self.head.forward(self.hidden.forward(x));
        let latent = self.head.outputs() / 2;
        Normal { mean: out.clone().narrow(1, 0, latent), log_sigma: out.narrow(1, latent, latent) }
    }
}

/// A batch of diagonal Gaussians, `[rows, dims]` each.
#[derive(Clone)]
struct Normal {
    mean: Tensor<2>,
    log_sigma: Tensor<2>,
}

impl Normal {
    fn repeat(self, times: usize) -> Self {
        if times == 1 {
            return self;
        }
        Self {
            mean: self.mean.repeat_dim(0, times),
            log_sigma: self.log_sigma.repeat_dim(0, times),
        }
    }

    /// mean + σ ε.
    fn at(&self, noise: Tensor<2>) -> Tensor<2> {
        self.mean.clone() + kernels::exp(self.log_sigma.clone()) * noise
    }

    /// log N(mean + σ ε; mean, σ²) of each row without its constant −d/2 log 2π.
    fn log_density_at(&self, noise: Tensor<2>) -> Tensor<1> {
        let terms = noise.clone() * noise * 0.5 + self.log_sigma.clone();
        terms.neg().sum_dim(1).squeeze_dim(1)
    }

    /// log N(z; mean, σ²) of each row without its constant −d/2 log 2π.
    fn log_density(&self, z: Tensor<2>) -> Tensor<1> {
        let noise = (z - self.mean.clone()) * kernels::exp(self.log_sigma.clone().neg());
        self.log_density_at(noise)
    }

    /// KL from N(0, 1) of each entry: ½ (μ² + σ² − log σ² − 1).
    fn kl_standard(&self) -> Tensor<2> {
        let variance = kernels::exp(self.log_sigma.clone() * 2.0);
        let mean = self.mean.clone();
        (mean.clone() * mean + variance - self.log_sigma.clone() * 2.0 - 1.0) * 0.5
    }
}

/// log N(z; 0, I) of each row without its constant −d/2 log 2π.
fn standard_log_density(z: Tensor<2>) -> Tensor<1> {
    (z.clone() * z * -0.5).sum_dim(1).squeeze_dim(1)
}

/// The scale of real data, fitted on the training split.
#[derive(Module, Debug)]
struct Standardise {
    /// `[size]`.
    mean: Param<Tensor<1>>,
    /// `[size]`.
    std: Param<Tensor<1>>,
}

/// A tensor that is kept and saved but not trained.
fn frozen(values: Vec<f32>, init: &Init) -> Param<Tensor<1>> {
    let n = values.len();
    let data = TensorData::new(values, [n]);
    Param::from_tensor(Tensor::from_data(data, (&init.device, init.dtype))).set_require_grad(false)
}

#[derive(Module, Debug)]
struct Network {
    /// q(z₁ | x), q(z₂ | z₁), …
    encoder: Vec<GaussianBlock>,
    /// p(z₁ | z₂), p(z₂ | z₃), …
    prior: Vec<GaussianBlock>,
    /// From z₁ to the last hidden layer.
    decoder: Mlp,
    /// To `size · outputs an entry`.
    output: Dense,
    /// For real data.
    scale: Option<Standardise>,
}

/// A variational autoencoder.
pub struct Vae {
    config: VaeConfig,
    data: DataSpec,
    likelihood: Likelihood,
    dtype: DType,
    device: Device,
    /// Taken out only while the optimiser holds it.
    network: Option<Network>,
}

/// Samples of the codes with their log-densities, sample after sample `[k · batch]`.
struct Codes {
    /// z₁.
    code: Tensor<2>,
    /// log p(z) − log q(z | x); constants cancel.
    log_ratio: Tensor<1>,
    /// The divergence of each example where K = 1: closed form for the top layer.
    kl: Tensor<1>,
}

impl Vae {
    fn network(&self) -> Result<&Network> {
        self.network.as_ref().ok_or_else(|| Error::Unsupported {
            model: "vae".to_owned(),
            problem: "lost its weights in a step that failed; load the last checkpoint".to_owned(),
        })
    }

    /// The network for evaluation: no graph is kept.
    fn inference(&self) -> Result<Network> {
        Ok(self.network()?.valid())
    }

    fn tensor(&self, values: Vec<f32>, width: usize) -> Tensor<2> {
        let rows = values.len() / width.max(1);
        Tensor::from_data(TensorData::new(values, [rows, width]), (&self.device, self.dtype))
    }

    /// The batch as the likelihood takes it: levels, or standardised reals.
    fn observed(&self, network: &Network, batch: &Batch) -> Result<Tensor<2>> {
        let size = self.data.shape.size();
        if batch.values.len() != batch.len() * size {
            return Err(Error::UnsuitableData {
                model: "vae".to_owned(),
                problem: format!(
                    "examples of {} entries were given and {size} ({}) were expected",
                    batch.values.len() / batch.len().max(1),
                    self.data.shape
                ),
            });
        }
        let x = self.tensor(batch.values.clone(), size);
        Ok(match &network.scale {
            Some(scale) => (x - scale.mean.val().unsqueeze()) / scale.std.val().unsqueeze(),
            None => x,
        })
    }

    /// What the encoder sees: entries in [0, 1] or standardised, then the class.
    fn encoder_input(&self, x: Tensor<2>, labels: Option<&[u32]>) -> Result<Tensor<2>> {
        let x = match self.data.domain {
            Domain::Levels(n) => x / f64::from(n - 1),
            Domain::Binary | Domain::Real => x,
        };
        self.with_class(x, labels)
    }

    /// Adds the class as a one-hot row, for conditional models.
    fn with_class(&self, x: Tensor<2>, labels: Option<&[u32]>) -> Result<Tensor<2>> {
        if !self.config.conditional {
            return Ok(x);
        }
        let classes = self.data.classes;
        let labels = labels.ok_or_else(|| Error::UnsuitableData {
            model: "vae".to_owned(),
            problem: "it is conditional and these examples have no labels".to_owned(),
        })?;
        let mut hot = vec![0.0; labels.len() * classes];
        for (row, &label) in hot.chunks_exact_mut(classes).zip(labels) {
            let slot = row.get_mut(label as usize).ok_or_else(|| Error::UnsuitableData {
                model: "vae".to_owned(),
                problem: format!("class {label} where the largest is {}", classes - 1),
            })?;
            *slot = 1.0;
        }
        Ok(Tensor::cat(vec![x, self.tensor(hot, classes)], 1))
    }

    /// ε for layer `l`, sample after sample: `[k · batch, dims]`.
    ///
    /// Draws `first..first + k` of each example, which do not depend on how samples are grouped.
    fn noise(
        &self,
        streams: Streams,
        batch: &Batch,
        layer: usize,
        first: usize,
        k: usize,
    ) -> Tensor<2> {
        let dims = self.config.latent_dims[layer];
        let b = batch.len();
        let mut values = vec![0.0; k * b * dims];
        for s in 0..k {
            let purpose = streams.purpose(&format!("code {layer} {}", first + s), batch.epoch);
            let drawn = purpose.normals(&batch.indices, dims);
            values[s * b * dims..(s + 1) * b * dims].copy_from_slice(&drawn);
        }
        self.tensor(values, dims)
    }

    /// Draws `k` codes an example from q and weighs them.
    ///
    /// `first` is the number of the first sample, `bottom` is q(z₁ | x), one row an example.
    fn codes(
        &self,
        network: &Network,
        bottom: &Normal,
        batch: &Batch,
        streams: Streams,
        first: usize,
        k: usize,
    ) -> Codes {
        let layers = network.encoder.len();
        let mut q = bottom.clone().repeat(k);
        let mut noise = self.noise(streams, batch, 0, first, k);
        let mut z = q.at(noise.clone());
        let code = z.clone();
        let mut log_ratio: Option<Tensor<1>> = None;
        let mut add = |term: Tensor<1>| {
            log_ratio = Some(match log_ratio.take() {
                None => term,
                Some(sum) => sum + term,
            });
        };
        for l in 1..layers {
            add(q.log_density_at(noise.clone()).neg());
            let above = network.encoder[l].forward(z.clone());
            let above_noise = self.noise(streams, batch, l, first, k);
            let above_z = above.at(above_noise.clone());
            add(network.prior[l - 1].forward(above_z.clone()).log_density(z));
            (q, noise, z) = (above, above_noise, above_z);
        }
        let kl_top: Tensor<1> = q.kl_standard().sum_dim(1).squeeze_dim(1);
        let kl = match &log_ratio {
            None => kl_top,
            Some(below) => kl_top - below.clone(),
        };
        let top = standard_log_density(z) - q.log_density_at(noise);
        let log_ratio = match log_ratio {
            None => top,
            Some(below) => below + top,
        };
        Codes { code, log_ratio, kl }
    }

    /// Outputs of the observation model from z₁ (and the class).
    fn decode_outputs(
        &self,
        network: &Network,
        code: Tensor<2>,
        labels: Option<&[u32]>,
    ) -> Result<Tensor<2>> {
        let input = self.with_class(code, labels)?;
        Ok(network.output.forward(network.decoder.forward(input)))
    }

    /// Log of the Jacobian of standardisation, to be added to log-densities of real data.
    fn log_jacobian(network: &Network) -> f64 {
        network
            .scale
            .as_ref()
            .map_or(0.0, |s| -to_f64(s.std.val()).iter().map(|v| v.ln()).sum::<f64>())
    }

    /// The loss `[1]` of a batch and its figures.
    fn loss(
        &self,
        network: &Network,
        batch: &Batch,
        streams: Streams,
        epoch: f64,
    ) -> Result<(Tensor<1>, Metrics)> {
        let k = self.config.importance_samples;
        let labels = batch.labels.as_deref();
        let x = self.observed(network, batch)?;
        let bottom = network.encoder[0].forward(self.encoder_input(x.clone(), labels)?);
        let codes = self.codes(network, &bottom, batch, streams, 0, k);
        let repeated: Option<Vec<u32>> = labels.map(|l| l.repeat(k));
        let outputs = self.decode_outputs(network, codes.code, repeated.as_deref())?;
        let x = if k == 1 { x } else { x.repeat_dim(0, k) };
        let log_likelihood = self.likelihood.log_probability(outputs, x);
        let jacobian = Self::log_jacobian(network);

        if k > 1 {
            let b = batch.len();
            let log_w: Tensor<2> = (log_likelihood + codes.log_ratio).reshape([k, b]);
            let bound: Tensor<1> = log_sum_exp(log_w.transpose());
            let loss = bound.mean().neg() + ((k as f64).ln() - jacobian);
            let value = scalar(&loss);
            return Ok((loss, vec![("loss", value)]));
        }
        let reconstruction = log_likelihood.mean();
        let kl = codes.kl.mean();
        let (r, d) = (scalar(&reconstruction) + jacobian, scalar(&kl));
        let warm = self.config.kl_warmup_epochs;
        let weight = self.config.beta * if warm > 0.0 { (epoch / warm).min(1.0) } else { 1.0 };
        let penalty = if self.config.free_bits > 0.0 {
            // The mean over the batch is held up entry by entry (Kingma et al. 2016, appendix C8).
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
}

fn scalar(x: &Tensor<1>) -> f64 {
    to_f64(x.clone()).first().copied().unwrap_or(f64::NAN)
}

impl Model for Vae {
    fn name(&self) -> &'static str {
        "vae"
    }

    fn settings(&self) -> Table {
        self.config.to_table()
    }

    fn data(&self) -> &DataSpec {
        &self.data
    }

    fn tensors(&self) -> NamedTensors {
        self.network.as_ref().map(|n| module_tensors("model", n)).unwrap_or_default()
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        // A clone shares the tensors, so that a failure leaves the model as it was.
        let network = self.network()?.clone();
        self.network = Some(load_module("model", network, tensors)?);
        Ok(())
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn sampler(&self) -> Option<&dyn Sampler> {
        Some(self)
    }

    fn latent(&self) -> Option<&dyn Latent> {
        Some(self)
    }

    fn trainable(&mut self) -> Option<&mut dyn Trainable> {
        Some(self)
    }
}

impl Trainable for Vae {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let batch = context.feed.next_batch();
        let (loss, metrics) = self.loss(self.network()?, &batch, context.streams, context.epoch)?;
        if !metrics[0].1.is_finite() {
            return Err(Error::NotFinite {
                step: context.step,
                what: "the loss".to_owned(),
                hint: "lower learning_rate or set clip_norm; the last checkpoint is intact"
                    .to_owned(),
            });
        }
        let grads = loss.backward();
        drop(loss);
        context.optimisers.update("model", &mut self.network, grads)?;
        Ok(metrics)
    }

    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let terms = self.terms(batch, Streams::new(0))?;
        Ok(Some(terms.reconstruction.iter().zip(&terms.kl).map(|(r, d)| d - r).collect()))
    }

    fn validation_name(&self) -> &'static str {
        "negative_elbo"
    }

    fn start(&mut self, examples: &Examples) -> Result<()> {
        let size = self.data.shape.size();
        let n = examples.len();
        let (mut sum, mut squares) = (vec![0.0f64; size], vec![0.0f64; size]);
        let indices: Vec<u64> = (0..n as u64).collect();
        for chunk in indices.chunks(1000) {
            for row in examples.batch(chunk, 0).values.chunks_exact(size) {
                for ((s, q), &x) in sum.iter_mut().zip(&mut squares).zip(row) {
                    *s += f64::from(x);
                    *q += f64::from(x) * f64::from(x);
                }
            }
        }
        let count = n as f64;
        let mut means: Vec<f64> = sum.iter().map(|s| s / count).collect();
        let Some(mut network) = self.network.take() else { return Ok(()) };
        if network.scale.is_some() {
            // A constant column keeps its scale: it has no spread to divide by.
            let std = squares.iter().zip(&means).map(|(q, m)| {
                let variance = (q / count - m * m).max(0.0);
                if variance.sqrt() > 1e-6 * m.abs().max(1e-6) {
                    variance.sqrt() as f32
                } else {
                    1.0
                }
            });
            let init =
                Init { device: self.device.clone(), dtype: self.dtype, streams: Streams::new(0) };
            network.scale = Some(Standardise {
                std: frozen(std.collect(), &init),
                mean: frozen(means.iter().map(|&m| m as f32).collect(), &init),
            });
            means.fill(0.0);
        }
        network.output = network.output.with_bias(self.likelihood.output_bias(&means));
        self.network = Some(network);
        Ok(())
    }
}

impl Vae {
    /// The terms of the bound from one code an example.
    fn terms(&self, batch: &Batch, streams: Streams) -> Result<ElboTerms> {
        let network = self.inference()?;
        let labels = batch.labels.as_deref();
        let x = self.observed(&network, batch)?;
        let bottom = network.encoder[0].forward(self.encoder_input(x.clone(), labels)?);
        // Validation always sees the same draws.
        let still = Batch { epoch: 0, ..batch.clone() };
        let codes = self.codes(&network, &bottom, &still, streams, 0, 1);
        let outputs = self.decode_outputs(&network, codes.code, labels)?;
        let jacobian = Self::log_jacobian(&network);
        let reconstruction = to_f64(self.likelihood.log_probability(outputs, x));
        Ok(ElboTerms {
            reconstruction: reconstruction.into_iter().map(|r| r + jacobian).collect(),
            kl: to_f64(codes.kl),
            means: rows(bottom.mean),
        })
    }
}

impl Density for Vae {
    fn kind(&self, samples: usize) -> DensityKind {
        DensityKind::LowerBound { samples }
    }

    fn log_probability(&self, batch: &Batch, options: DensityOptions) -> Result<LogProbability> {
        let total = options.samples;
        if total == 0 {
            return Err(Error::setting("samples", 0, "a bound needs at least 1"));
        }
        let network = self.inference()?;
        let labels = batch.labels.as_deref();
        let b = batch.len();
        let x = self.observed(&network, batch)?;
        let bottom = network.encoder[0].forward(self.encoder_input(x.clone(), labels)?);
        let still = Batch { epoch: 0, ..batch.clone() };
        let jacobian = Self::log_jacobian(&network);
        let chunk = (EVALUATION_ROWS / b.max(1)).max(1);
        let mut log_w = vec![Vec::with_capacity(total); b];
        let mut first = 0;
        while first < total {
            let k = chunk.min(total - first);
            let codes = self.codes(&network, &bottom, &still, options.streams, first, k);
            let repeated: Option<Vec<u32>> = labels.map(|l| l.repeat(k));
            let outputs = self.decode_outputs(&network, codes.code, repeated.as_deref())?;
            let log_likelihood =
                self.likelihood.log_probability(outputs, x.clone().repeat_dim(0, k));
            let values = to_f64(log_likelihood).into_iter().zip(to_f64(codes.log_ratio));
            for (i, (l, r)) in values.enumerate() {
                log_w[i % b].push(l + r);
            }
            first += k;
        }
        let nats = log_w.iter().map(|w| log_mean_exp(w) + jacobian).collect();
        let mc_stderr = (total > 1).then(|| log_w.iter().map(|w| mc_stderr(w)).collect());
        Ok(LogProbability { nats, mc_stderr })
    }

    fn elbo_terms(&self, batch: &Batch, streams: Streams) -> Result<Option<ElboTerms>> {
        self.terms(batch, streams).map(Some)
    }
}

/// The standard error of log mean w by the delta method: sd(w) / (mean(w) √K).
fn mc_stderr(log_w: &[f64]) -> f64 {
    let max = log_w.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let k = log_w.len() as f64;
    let mean = log_w.iter().map(|w| (w - max).exp()).sum::<f64>() / k;
    let variance = log_w.iter().map(|w| ((w - max).exp() - mean).powi(2)).sum::<f64>() / (k - 1.0);
    variance.sqrt() / (mean * k.sqrt())
}

impl Sampler for Vae {
    fn sample(&self, request: &SampleRequest) -> Result<Vec<f32>> {
        let network = self.inference()?;
        let indices: Vec<u64> = (request.first..request.first + request.count as u64).collect();
        let labels = self.sample_labels(request, &indices)?;
        let size = self.data.shape.size();
        let mut out = Vec::with_capacity(indices.len() * size);
        for (n, chunk) in indices.chunks(EVALUATION_ROWS).enumerate() {
            let mut z: Option<Tensor<2>> = None;
            for l in (0..self.config.latent_dims.len()).rev() {
                let dims = self.config.latent_dims[l];
                let mut noise =
                    request.streams.purpose(&format!("sample code {l}"), 0).normals(chunk, dims);
                noise.iter_mut().for_each(|e| *e *= request.temperature as f32);
                let noise = self.tensor(noise, dims);
                z = Some(match z {
                    None => noise,
                    Some(above) => network.prior[l].forward(above).at(noise),
                });
            }
            let Some(code) = z else { continue };
            let labels = labels.as_ref().map(|l| {
                let at = n * EVALUATION_ROWS;
                &l[at..at + chunk.len()]
            });
            let outputs = rows(self.decode_outputs(&network, code, labels)?);
            let values = if request.mean {
                self.likelihood.mean(&outputs)
            } else {
                let uniforms = request
                    .streams
                    .purpose("sample entries", 0)
                    .uniforms(chunk, size * Likelihood::DRAWS);
                self.likelihood.draw(&outputs, &uniforms)
            };
            out.extend(self.unscaled(&network, values));
        }
        Ok(out)
    }
}

impl Vae {
    /// The class of each sample: the one asked for, or all in turn.
    fn sample_labels(&self, request: &SampleRequest, indices: &[u64]) -> Result<Option<Vec<u32>>> {
        match (self.config.conditional, request.class) {
            (false, None) => Ok(None),
            (false, Some(_)) => Err(Error::Unsupported {
                model: "vae".to_owned(),
                problem: "was not trained with classes (conditional = false); leave --class out"
                    .to_owned(),
            }),
            (true, Some(class)) if class as usize >= self.data.classes => Err(Error::setting(
                "class",
                class,
                format!("the classes are 0 to {}", self.data.classes - 1),
            )),
            (true, Some(class)) => Ok(Some(vec![class; indices.len()])),
            (true, None) => {
                let classes = self.data.classes as u64;
                Ok(Some(indices.iter().map(|i| (i % classes) as u32).collect()))
            }
        }
    }

    /// Standardised values back on the data's own scale.
    fn unscaled(&self, network: &Network, mut values: Vec<f32>) -> Vec<f32> {
        if let Some(scale) = &network.scale {
            let (mean, std) = (rows(scale.mean.val()), rows(scale.std.val()));
            for row in values.chunks_exact_mut(mean.len()) {
                row.iter_mut().zip(&mean).zip(&std).for_each(|((v, m), s)| *v = *v * s + m);
            }
        }
        values
    }
}

impl Latent for Vae {
    fn latent_dim(&self) -> usize {
        self.config.latent_dims[0]
    }

    fn encode(&self, batch: &Batch) -> Result<Vec<f32>> {
        let network = self.inference()?;
        let x = self.observed(&network, batch)?;
        let input = self.encoder_input(x, batch.labels.as_deref())?;
        Ok(rows(network.encoder[0].forward(input).mean))
    }

    fn decode(&self, codes: &[f32], labels: Option<&[u32]>) -> Result<Vec<f32>> {
        let dims = self.latent_dim();
        if !codes.len().is_multiple_of(dims) {
            return Err(Error::setting(
                "codes",
                format!("{} numbers", codes.len()),
                format!("each code has {dims}"),
            ));
        }
        let network = self.inference()?;
        let outputs =
            rows(self.decode_outputs(&network, self.tensor(codes.to_vec(), dims), labels)?);
        let values = self.likelihood.mean(&outputs);
        Ok(self.unscaled(&network, values))
    }
}
