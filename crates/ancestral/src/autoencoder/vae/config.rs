//! Settings of the variational autoencoder, its names in the list, and what is refused.

use crate::model::{DataSpec, ModelEntry, Preset};
use crate::settings::{Field, Settings};
use crate::{Error, Result, settings};

settings! {
    /// Settings of the variational autoencoder.
    pub struct VaeConfig {
        /// Sizes of the codes, one for each stochastic layer, the one next to the data first.
        pub latent_dims: Vec<usize> = vec![20],
        /// Hidden layers next to each stochastic layer, from the data's side;
        /// the decoder has the same in reverse.
        pub hidden: Vec<Vec<usize>> = vec![vec![200, 200]],
        /// Channels of convolutions between the data and the hidden layers, each of which halves
        /// the picture; empty for a dense network.
        pub channels: Vec<usize> = vec![],
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
        /// Whether the encoder of an IWAE learns by the doubly reparameterised gradient.
        pub doubly_reparameterised: bool = false,
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
                settings: include_str!("../presets/burda-1l.toml"),
            },
            Preset {
                name: "burda-2l",
                about: "two stochastic layers, as in Burda et al. 2016, Table 1 (MNIST, 3280 epochs)",
                settings: include_str!("../presets/burda-2l.toml"),
            },
            Preset {
                name: "convolutional",
                about: "convolutions next to the data, for pictures from 8×8 to 64×64",
                settings: include_str!("../presets/convolutional.toml"),
            },
        ],
        fields: VaeConfig::fields,
        train: |_| toml::Table::new(),
        build: |table, data, init| {
            Ok(Box::new(VaeConfig::from_table(table)?.init("vae", data, init)?))
        },
    }
}

/// Importance samples of an `iwae` that is not told how many.
const IWAE_SAMPLES: usize = 5;

/// The list entry of `iwae`: the same model, trained by the K-sample bound.
pub fn iwae_entry() -> ModelEntry {
    ModelEntry {
        name: "iwae",
        about: "variational autoencoder trained by its K-sample bound",
        paper: "Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519",
        can: &["density (lower bound)", "samples", "codes"],
        presets: &[
            Preset {
                name: "burda-1l",
                about: "one stochastic layer, k = 5, as in Burda et al. 2016, Table 1 (MNIST)",
                settings: include_str!("../presets/burda-1l.toml"),
            },
            Preset {
                name: "burda-2l",
                about: "two stochastic layers, k = 5, as in Burda et al. 2016, Table 1 (MNIST)",
                settings: include_str!("../presets/burda-2l.toml"),
            },
        ],
        fields: || {
            let five = |field: Field| match field.name {
                "importance_samples" => Field { default: IWAE_SAMPLES.to_string(), ..field },
                _ => field,
            };
            VaeConfig::fields().into_iter().map(five).collect()
        },
        train: |_| toml::Table::new(),
        build: |table, data, init| {
            let mut config = VaeConfig::from_table(table)?;
            if !table.contains_key("importance_samples") {
                config.importance_samples = IWAE_SAMPLES;
            }
            Ok(Box::new(config.init("iwae", data, init)?))
        },
    }
}

impl VaeConfig {
    /// Refuses what is out of range or does not suit the data.
    pub(super) fn check(&self, data: &DataSpec) -> Result<()> {
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
        if self.doubly_reparameterised && self.importance_samples == 1 {
            return Err(Error::setting(
                "doubly_reparameterised",
                true,
                "it weights several samples; set importance_samples above 1",
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
        Ok(())
    }
}
