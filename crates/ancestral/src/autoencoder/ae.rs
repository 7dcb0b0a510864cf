//! Autoencoder: an encoder maps an example to a latent code, a decoder reconstructs the example from
//! it (Hinton and Salakhutdinov 2006, doi:10.1126/science.1127647). With `noise` it is the denoising
//! autoencoder, which reconstructs the clean example from a corrupted input (Vincent, Larochelle,
//! Bengio and Manzagol 2008, doi:10.1145/1390156.1390294).
//!
//! There is no distribution of codes, so that the model has no density and cannot be sampled.
//! The loss of an example is the squared error Σ (x − x̂)², or the cross-entropy
//! −Σ x log x̂ + (1 − x) log(1 − x̂) of entries scaled to [0, 1] (real data is standardized and takes
//! the squared error only).

use ancestral_data::{Batch, Domain, Examples, Streams};
use ancestral_kernels as kernels;
use burn::module::Module;
use burn::tensor::Tensor;

use super::network::{Decoder, Encoder, Layers};
use crate::model::{
    Abilities, Capability, Core, DataSpec, Init, KindName, Latent, Learning, Metrics, ModelConfig,
    ModelEntry, NeuralModel, Preset, Size, SizeBuilder, StepContext, Task, Trainable, product,
};
use crate::nn::{
    Activation, Dense, HiddenActivation, InputPipeline, PrecisionName, Scale, as_f64, rows, to_f64,
};
use crate::settings::Settings;
use crate::{Error, Result, choices, settings};

/// The kinds of columns it takes.
const KINDS: &[KindName] = &[KindName::Binary, KindName::Levels, KindName::Real];

choices! {
    /// The reconstruction loss.
    pub enum ReconstructionLoss {
        /// sum of squared errors
        Squared = "squared",
        /// binary cross-entropy of entries in [0, 1]
        Bernoulli = "bernoulli",
    }
}

choices! {
    /// The corruption of the input in training.
    pub enum Corruption {
        /// additive Gaussian noise
        Gaussian = "gaussian",
        /// masking noise: entries are set to 0
        Masking = "masking",
    }
}

settings! {
    /// Settings of the autoencoder.
    pub struct AeConfig {
        /// Number of latent dimensions.
        pub latent_dims: usize = 20, in 1.., also ["latent_dim"];
        /// Units of each hidden layer of the encoder, from the input on; the decoder mirrors it.
        pub hidden: Vec<usize> = vec![200, 200], in 1..;
        /// Channels of each convolution between the data and the hidden layers, with stride 2; empty
        /// for a dense network.
        pub channels: Vec<usize> = vec![], in 1..;
        /// Activation of the hidden layers.
        pub activation: HiddenActivation = HiddenActivation::Tanh;
        /// Reconstruction loss.
        pub loss: ReconstructionLoss = ReconstructionLoss::Squared;
        /// Input corruption in training (denoising).
        pub corruption: Corruption = Corruption::Gaussian;
        /// Level of the input corruption: the standard deviation of the Gaussian noise, or the
        /// fraction of masked entries; 0 for a plain autoencoder.
        pub noise: f64 = 0.0, in 0.0..;
        /// Precision of the products of dense layers and of convolutions, in training and after it; below
        /// f32 only where the processor multiplies bfloat16 faster, as `ancestral env` says.
        pub precision: PrecisionName = PrecisionName::F32;
    }
}

/// The entry of `ae`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "ae",
        about: "autoencoder, plain or denoising",
        paper: "Hinton and Salakhutdinov 2006, doi:10.1126/science.1127647",
        tasks: &[Task::Representation],
        capabilities: &[Capability::Latent],
        validation: &["squared_error", "cross_entropy"],
        learning: Learning::GradientSteps,
        kinds: KINDS,
        size: |table, data| AeConfig::from_table(table)?.size(data),
        presets: &[
            Preset {
                name: "denoising",
                about: "denoising, a quarter of the entries masked, as in Vincent et al. 2008",
                settings: "[settings]\ncorruption = \"masking\"\nnoise = 0.25\n",
            },
            Preset {
                name: "convolutional",
                about: "convolutional encoder and decoder, for images from 8×8 to 64×64",
                settings: "[settings]\nchannels = [32, 64]\nhidden = [128]\nactivation = \"leaky-relu\"\n",
            },
        ],
        fields: AeConfig::fields,
        build: |table, data, init| Ok(Box::new(AeConfig::from_table(table)?.init(data, init)?)),
        train: |_| toml::Table::new(),
        complete: |_, _| {},
    }
}

impl ModelConfig for AeConfig {
    fn model_name(&self) -> &'static str {
        "ae"
    }
}

impl AeConfig {
    /// A model with its initial weights, sized by the data.
    ///
    /// # Errors
    /// If a setting is out of range or does not suit the data.
    pub fn init(&self, data: &DataSpec, init: &Init) -> Result<Ae> {
        let init = &init.with_precision(self.precision);
        let domain = self.check(data)?;
        let layers = self.layers(data);
        let encoder = Encoder::init(&layers, "encoder", init)?;
        let features = encoder.outputs();
        let network = Network {
            encoder,
            code: Dense::init(features, self.latent_dims, Activation::Identity, "code", init),
            decoder: Decoder::init(&layers, self.latent_dims, 1, init)?,
            scale: Scale::init(domain, data, init),
        };
        let pipeline = InputPipeline::new("ae", data, domain, init);
        Ok(Ae { config: self.clone(), core: Core::new(self.to_table(), pipeline, network) })
    }

    /// The size of a model with these settings.
    fn size(&self, data: &DataSpec) -> Result<Size> {
        let domain = self.check(data)?;
        let layers = self.layers(data);
        let mut size = SizeBuilder::new(data);
        let features = layers.count_encoder(&mut size)?;
        size.dense(features, self.latent_dims);
        layers.count_decoder(&mut size, self.latent_dims, 1)?;
        size.scale(data, domain);
        // The noise and the corrupted input, the error and its square.
        size.kept((product(data.shape.dims()) as u64).saturating_mul(4));
        Ok(size.finish())
    }

    fn layers<'a>(&'a self, data: &'a DataSpec) -> Layers<'a> {
        Layers {
            data,
            channels: &self.channels,
            hidden: &self.hidden,
            activation: self.activation.into(),
            class_inputs: 0,
        }
    }

    /// Refuses what is out of range or does not suit the data.
    fn check(&self, data: &DataSpec) -> Result<Domain> {
        self.check_values()?;
        let domain = data.one_domain("ae", KINDS)?;
        if self.loss == ReconstructionLoss::Bernoulli && domain == Domain::Real {
            let why = "it needs entries in [0, 1] and this data is real; choose squared";
            return Err(Error::setting("loss", "'bernoulli'", why));
        }
        if self.corruption == Corruption::Masking && self.noise >= 1.0 {
            let why = "the fraction of masked entries must be below 1";
            return Err(Error::setting("noise", self.noise, why));
        }
        Ok(domain)
    }
}

/// The weights of an autoencoder.
#[derive(Module, Debug)]
pub struct Network {
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
    core: Core<Network>,
}

impl Ae {
    /// Entries in [0, 1], or standardized real data.
    fn entries(&self, network: &Network, batch: &Batch) -> Result<Tensor<2>> {
        Ok(self.core.pipeline.unit(self.core.pipeline.observed(network.scale.as_ref(), batch)?))
    }

    /// The corrupted input.
    fn corrupt(&self, x: Tensor<2>, batch: &Batch, streams: Streams) -> Tensor<2> {
        let size = self.core.pipeline.data.shape.size();
        let noise = self.config.noise;
        if noise == 0.0 {
            return x;
        }
        let purpose = streams.purpose("corruption", batch.epoch);
        if self.config.corruption == Corruption::Masking {
            let mut kept = purpose.uniforms(&batch.indices, size);
            kept.iter_mut().for_each(|u| *u = f32::from(f64::from(*u) >= noise));
            x * self.core.pipeline.tensor(kept, size)
        } else {
            let added = purpose.normals(&batch.indices, size);
            x + self.core.pipeline.tensor(added, size) * noise
        }
    }

    /// The loss of each example, from the input of the encoder and the target.
    fn errors(&self, network: &Network, shown: Tensor<2>, x: Tensor<2>) -> Tensor<1> {
        let code = network.code.forward(network.encoder.forward(shown, None));
        let outputs = network.decoder.forward(code, None);
        match self.config.loss {
            ReconstructionLoss::Bernoulli => kernels::bernoulli_nll(outputs, x),
            ReconstructionLoss::Squared => {
                let error = outputs - x;
                (error.clone() * error).sum_dim(1).squeeze_dim(1)
            }
        }
    }
}

impl NeuralModel for Ae {
    type Network = Network;

    fn core(&self) -> &Core<Network> {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core<Network> {
        &mut self.core
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities { latent: Some(self), ..Abilities::default() }
    }
}

impl Trainable for Ae {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let batch = context.batches.next_batch();
        let network = self.core.network()?;
        let x = self.entries(network, &batch)?;
        let shown = self.corrupt(x.clone(), &batch, context.streams);
        let loss = self.errors(network, shown, x).mean();
        Ok(vec![("loss", context.descend(loss, self.core.slot())?)])
    }

    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let network = self.core.inference()?;
        let x = self.entries(&network, batch)?;
        Ok(Some(to_f64(self.errors(&network, x.clone(), x))))
    }

    fn validation_name(&self) -> &'static str {
        match self.config.loss {
            ReconstructionLoss::Squared => "squared_error",
            ReconstructionLoss::Bernoulli => "cross_entropy",
        }
    }

    fn start(&mut self, examples: &Examples) -> Result<()> {
        let (scale, mut means) = self.core.pipeline.fit(examples);
        if let Some(top) = self.core.pipeline.domain.max_level() {
            means.iter_mut().for_each(|m| *m /= f64::from(top));
        }
        let bias = |means: &[f64]| {
            let bias = means.iter().map(|&mean| match self.config.loss {
                ReconstructionLoss::Squared => mean as f32,
                ReconstructionLoss::Bernoulli => {
                    let p = mean.clamp(1e-3, 1.0 - 1e-3);
                    (p / (1.0 - p)).ln() as f32
                }
            });
            bias.collect()
        };
        self.core.change(|network| Network {
            decoder: network.decoder.start_at(&means, bias),
            scale: scale.or(network.scale),
            ..network
        });
        Ok(())
    }
}

impl Latent for Ae {
    fn latent_dim(&self) -> usize {
        self.config.latent_dims
    }

    fn encode(&self, batch: &Batch) -> Result<Vec<f32>> {
        let network = self.core.inference()?;
        let x = self.entries(&network, batch)?;
        Ok(rows(network.code.forward(network.encoder.forward(x, None))))
    }

    fn decode(&self, codes: &[f32], _labels: Option<&[u32]>) -> Result<Vec<f64>> {
        let network = self.core.inference()?;
        let code = self.core.pipeline.codes(codes, self.config.latent_dims)?;
        let mut values = rows(network.decoder.forward(code, None));
        if self.config.loss == ReconstructionLoss::Bernoulli {
            values.iter_mut().for_each(|v| *v = 1.0 / (1.0 + (-*v).exp()));
        }
        if let Some(scale) = &network.scale {
            return Ok(scale.restore(values));
        }
        if let Some(top) = self.core.pipeline.domain.max_level() {
            values.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0) * top as f32);
        }
        Ok(as_f64(values))
    }
}

#[cfg(test)]
mod tests {
    use ancestral_data::{Domain, Shape};
    use ancestral_kernels::Precision;

    use super::*;
    use crate::nn::assert_precision;

    #[test]
    fn every_layer_has_the_precision() {
        let spec = DataSpec::new(Domain::Binary, Shape::image(1, 8, 8), 0);
        let init = Init::new(&crate::spec::cpu(), 1);
        for channels in ["[]", "[4]"] {
            let text = format!("channels = {channels}\nprecision = 'bf16x3'");
            let config = AeConfig::from_table(&text.parse().unwrap()).unwrap();
            let model = config.init(&spec, &init).unwrap();
            assert_precision(&model.core.inference().unwrap(), Precision::Bf16x3);
        }
    }
}
