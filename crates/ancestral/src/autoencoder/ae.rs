//! Autoencoder: a code from an encoder, the example back from a decoder (Hinton and Salakhutdinov
//! 2006, doi:10.1126/science.1127647), and with `noise` the denoising one, which is shown a spoilt
//! example and must give the clean one (Vincent, Larochelle, Bengio and Manzagol 2008,
//! doi:10.1145/1390156.1390294).
//!
//! It has codes and no density: nothing says which codes are likely, so that it does not draw.
//! The loss of an example is Σ (x − x̂)², or the cross-entropy −Σ x log x̂ + (1 − x) log(1 − x̂), of
//! entries in [0, 1] (reals: standardised, squared error alone).

use ancestral_data::{Batch, Domain, Examples, Streams};
use ancestral_kernels as kernels;
use burn::module::Module;
use burn::tensor::Tensor;
use toml::Table;

use super::network::{Decoder, Encoder, Layers};
use crate::model::{
    DataSpec, Init, Latent, Metrics, Model, ModelEntry, NamedTensors, Preset, Trainable,
};
use crate::nn::{Activation, Dense, Entrance, Scale, load_module, module_tensors, rows, to_f64};
use crate::settings::Settings;
use crate::train::StepContext;
use crate::{Error, Result, settings};

settings! {
    /// Settings of the autoencoder.
    pub struct AeConfig {
        /// Entries of the code.
        pub latent_dim: usize = 20,
        /// Hidden layers of the encoder, from the data's side; the decoder has them in reverse.
        pub hidden: Vec<usize> = vec![200, 200],
        /// Channels of convolutions between the data and the hidden layers, each of which halves
        /// the picture; empty for a dense network.
        pub channels: Vec<usize> = vec![],
        /// What follows hidden layers: tanh, relu, leaky-relu or softplus.
        pub activation: String = "tanh".to_owned(),
        /// What an error costs: squared or bernoulli (cross-entropy of entries in [0, 1]).
        pub loss: String = "squared".to_owned(),
        /// How the input is spoilt in training: gaussian (added) or masking (entries set to 0).
        pub corruption: String = "gaussian".to_owned(),
        /// How much: the standard deviation of the Gaussian, or the share of masked entries;
        /// 0 for a plain autoencoder.
        pub noise: f64 = 0.0,
    }
}

/// The list entry of `ae`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "ae",
        about: "autoencoder: a code and the example back from it, plain or denoising",
        paper: "Hinton and Salakhutdinov 2006, doi:10.1126/science.1127647",
        can: &["codes"],
        presets: &[
            Preset {
                name: "denoising",
                about: "a quarter of the entries masked, as in Vincent et al. 2008",
                settings: "[model]\ncorruption = \"masking\"\nnoise = 0.25\n",
            },
            Preset {
                name: "convolutional",
                about: "convolutions next to the data, for pictures from 8×8 to 64×64",
                settings: "[model]\nchannels = [32, 64]\nhidden = [128]\nactivation = \"leaky-relu\"\n",
            },
        ],
        fields: AeConfig::fields,
        build: |table, data, init| Ok(Box::new(AeConfig::from_table(table)?.init(data, init)?)),
        train: |_| toml::Table::new(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Squared,
    Bernoulli,
}

impl AeConfig {
    /// A model with its first weights, sized by the data.
    ///
    /// # Errors
    /// If a setting is out of range or does not suit the data.
    pub fn init(&self, data: &DataSpec, init: &Init) -> Result<Ae> {
        if self.latent_dim == 0 {
            return Err(Error::setting("latent_dim", 0, "it must be 1 or more"));
        }
        if self.hidden.contains(&0) {
            let given = format!("{:?}", self.hidden);
            return Err(Error::setting("hidden", given, "each size must be 1 or more"));
        }
        let loss = match (self.loss.as_str(), data.domain) {
            ("squared", _) => Loss::Squared,
            ("bernoulli", Domain::Binary | Domain::Levels(_)) => Loss::Bernoulli,
            ("bernoulli", Domain::Real) => {
                let why = "entries must lie in [0, 1] and these are reals; choose squared";
                return Err(Error::setting("loss", "'bernoulli'", why));
            }
            (other, _) => {
                let given = format!("'{other}'");
                return Err(Error::setting("loss", given, "choose squared or bernoulli"));
            }
        };
        let most = match self.corruption.as_str() {
            "gaussian" => f64::INFINITY,
            "masking" => 1.0,
            other => {
                let given = format!("'{other}'");
                return Err(Error::setting("corruption", given, "choose gaussian or masking"));
            }
        };
        if !(self.noise >= 0.0 && self.noise < most) {
            let range = if most.is_finite() { "from 0 to below 1" } else { "0 or more, finite" };
            return Err(Error::setting("noise", self.noise, format!("it must be {range}")));
        }
        let activation = Activation::parse("activation", &self.activation)?;
        let layers = Layers {
            data,
            channels: &self.channels,
            hidden: &self.hidden,
            activation,
            class_inputs: 0,
        };
        let encoder = Encoder::init(&layers, "encoder", init)?;
        let features = encoder.outputs();
        let network = Network {
            encoder,
            code: Dense::init(features, self.latent_dim, Activation::Identity, "code", init),
            decoder: Decoder::init(&layers, self.latent_dim, 1, init)?,
            scale: Scale::init(data, init),
        };
        Ok(Ae {
            config: self.clone(),
            loss,
            entrance: Entrance::new("ae", data, init),
            network: Some(network),
        })
    }
}

#[derive(Module, Debug)]
struct Network {
    encoder: Encoder,
    /// From the last hidden layer to the code.
    code: Dense,
    decoder: Decoder,
    /// For real data.
    scale: Option<Scale>,
}

/// An autoencoder.
pub struct Ae {
    config: AeConfig,
    loss: Loss,
    entrance: Entrance,
    /// Taken out only while the optimiser holds it.
    network: Option<Network>,
}

impl Ae {
    fn network(&self) -> Result<&Network> {
        self.network.as_ref().ok_or_else(|| Error::weights_lost("ae"))
    }

    /// Entries in [0, 1], or standardised reals.
    fn entries(&self, network: &Network, batch: &Batch) -> Result<Tensor<2>> {
        Ok(self.entrance.unit(self.entrance.observed(network.scale.as_ref(), batch)?))
    }

    /// The input as training shows it.
    fn spoilt(&self, x: Tensor<2>, batch: &Batch, streams: Streams) -> Tensor<2> {
        let size = self.entrance.data.shape.size();
        let noise = self.config.noise;
        if noise == 0.0 {
            return x;
        }
        let purpose = streams.purpose("corruption", batch.epoch);
        if self.config.corruption == "masking" {
            let mut kept = purpose.uniforms(&batch.indices, size);
            kept.iter_mut().for_each(|u| *u = f32::from(f64::from(*u) >= noise));
            x * self.entrance.tensor(kept, size)
        } else {
            let added = purpose.normals(&batch.indices, size);
            x + self.entrance.tensor(added, size) * noise
        }
    }

    /// The loss of each example, from what the encoder is shown and what must come back.
    fn errors(&self, network: &Network, shown: Tensor<2>, x: Tensor<2>) -> Tensor<1> {
        let code = network.code.forward(network.encoder.forward(shown, None));
        let outputs = network.decoder.forward(code, None);
        match self.loss {
            Loss::Bernoulli => kernels::bernoulli_nll(outputs, x),
            Loss::Squared => {
                let error = outputs - x;
                (error.clone() * error).sum_dim(1).squeeze_dim(1)
            }
        }
    }
}

impl Model for Ae {
    fn name(&self) -> &'static str {
        "ae"
    }

    fn settings(&self) -> Table {
        self.config.to_table()
    }

    fn data(&self) -> &DataSpec {
        &self.entrance.data
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

    fn latent(&self) -> Option<&dyn Latent> {
        Some(self)
    }

    fn trainable(&mut self) -> Option<&mut dyn Trainable> {
        Some(self)
    }
}

impl Trainable for Ae {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let batch = context.feed.next_batch();
        let network = self.network()?;
        let x = self.entries(network, &batch)?;
        let shown = self.spoilt(x.clone(), &batch, context.streams);
        let loss = self.errors(network, shown, x).mean();
        let value = to_f64(loss.clone()).first().copied().unwrap_or(f64::NAN);
        if !value.is_finite() {
            return Err(Error::not_finite(context.step, "the loss"));
        }
        let grads = loss.backward();
        drop(loss);
        context.optimisers.update("model", &mut self.network, grads)?;
        Ok(vec![("loss", value)])
    }

    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let network = self.network()?.valid();
        let x = self.entries(&network, batch)?;
        Ok(Some(to_f64(self.errors(&network, x.clone(), x))))
    }

    fn validation_name(&self) -> &'static str {
        match self.loss {
            Loss::Squared => "squared_error",
            Loss::Bernoulli => "cross_entropy",
        }
    }

    fn start(&mut self, examples: &Examples) -> Result<()> {
        let Some(mut network) = self.network.take() else { return Ok(()) };
        let mut means = self.entrance.fit(&mut network.scale, examples);
        if let Some(top) = self.entrance.data.domain.max_level() {
            means.iter_mut().for_each(|m| *m /= f64::from(top));
        }
        let bias = |means: &[f64]| {
            let bias = means.iter().map(|&mean| match self.loss {
                Loss::Squared => mean as f32,
                Loss::Bernoulli => {
                    let p = mean.clamp(1e-3, 1.0 - 1e-3);
                    (p / (1.0 - p)).ln() as f32
                }
            });
            bias.collect()
        };
        network.decoder = network.decoder.start_at(&means, bias);
        self.network = Some(network);
        Ok(())
    }
}

impl Latent for Ae {
    fn latent_dim(&self) -> usize {
        self.config.latent_dim
    }

    fn encode(&self, batch: &Batch) -> Result<Vec<f32>> {
        let network = self.network()?.valid();
        let x = self.entries(&network, batch)?;
        Ok(rows(network.code.forward(network.encoder.forward(x, None))))
    }

    fn decode(&self, codes: &[f32], _labels: Option<&[u32]>) -> Result<Vec<f32>> {
        let network = self.network()?.valid();
        let code = self.entrance.codes(codes, self.config.latent_dim)?;
        let mut values = rows(network.decoder.forward(code, None));
        if self.loss == Loss::Bernoulli {
            values.iter_mut().for_each(|v| *v = 1.0 / (1.0 + (-*v).exp()));
        }
        if let Some(scale) = &network.scale {
            scale.restore(&mut values);
        } else if let Some(top) = self.entrance.data.domain.max_level() {
            values.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0) * top as f32);
        }
        Ok(values)
    }
}
