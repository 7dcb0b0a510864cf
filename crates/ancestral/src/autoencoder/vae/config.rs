//! Settings of the variational autoencoder, their checks, and the entries `vae` and `iwae`.

use ancestral_data::Domain;
use toml::{Table, Value};

use crate::likelihood::LikelihoodName;
use crate::model::{
    Capability, DataSpec, KindName, Learning, ModelConfig, ModelEntry, Preset, Task,
};
use crate::nn::{HiddenActivation, PrecisionName};
use crate::settings::{Field, Settings};
use crate::{Error, Result, settings};

settings! {
    /// Settings of the variational autoencoder.
    pub struct VaeConfig {
        /// Number of latent dimensions of each stochastic layer, from the data upwards.
        pub latent_dims: Vec<usize> = vec![20], in 1.., also ["latent_dim"];
        /// Units of the hidden layers of the encoder, one list for each stochastic layer, from the data
        /// upwards; the decoder mirrors them.
        pub hidden: Vec<Vec<usize>> = vec![vec![200, 200]], in 1..;
        /// Channels of each convolution between the data and the hidden layers, with stride 2; empty
        /// for a dense network.
        pub channels: Vec<usize> = vec![], in 1..;
        /// Activation of the hidden layers; relu by default for images of more than 32 levels.
        pub activation: HiddenActivation = HiddenActivation::Tanh;
        /// Observation model p(x | z); auto is bernoulli for binary data, tilted-histogram for images
        /// of more than 32 levels, logistic-mixture for other levels, and gaussian for reals.
        pub likelihood: LikelihoodName = LikelihoodName::Auto;
        /// Weight β of the KL divergence in the objective; 1 for the ELBO, other values for a β-VAE; 3 by
        /// default for vae with tilted-histogram.
        pub beta: f64 = 1.0, in 0.0..;
        /// KL annealing: epochs over which the weight β rises linearly from 0.
        pub kl_warmup_epochs: f64 = 0.0, in 0.0.., unit "epochs";
        /// Free bits: the KL divergence of each latent dimension, averaged over the batch, below which
        /// it is not penalized.
        pub free_bits: f64 = 0.0, in 0.0.., unit "nats";
        /// Number of importance samples K in the objective; above 1 it is the IWAE bound.
        pub importance_samples: usize = 1, in 1.., unit "samples";
        /// Whether the encoder of an IWAE is trained with the doubly reparameterized gradient
        /// estimator (DReG).
        pub doubly_reparameterized: bool = false, also ["doubly_reparameterised"];
        /// Whether encoder and decoder are conditioned on the class.
        pub conditional: bool = false;
        /// Precision of the products of dense layers and of convolutions, in training and after it; below
        /// f32 only where the processor multiplies bfloat16 faster, as `ancestral env` says.
        pub precision: PrecisionName = PrecisionName::F32;
    }
}

/// The kinds of columns it takes.
pub(super) const KINDS: &[KindName] = &[KindName::Binary, KindName::Levels, KindName::Real];

/// Its capabilities.
const CAPABILITIES: &[Capability] =
    &[Capability::DensityBound, Capability::Samples, Capability::ClassSamples, Capability::Latent];

/// The entry of `vae`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "vae",
        about: "variational autoencoder with Gaussian latent codes",
        paper: "Kingma and Welling 2014, arXiv:1312.6114",
        tasks: &[Task::Density, Task::Sampling, Task::Representation],
        capabilities: CAPABILITIES,
        validation: &["negative_elbo", "negative_bound"],
        learning: Learning::GradientSteps,
        kinds: KINDS,
        size: |table, data| VaeConfig::from_table(table)?.size("vae", data),
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
                about: "convolutional encoder and decoder, for images from 8×8 to 64×64",
                settings: include_str!("../presets/convolutional.toml"),
            },
        ],
        fields: VaeConfig::fields,
        train: training,
        complete: complete_vae,
        build: |table, data, init| {
            Ok(Box::new(VaeConfig::from_table(table)?.init("vae", data, init)?))
        },
    }
}

/// Levels of images up to which a logit for each, or an interval, serves.
const FEW_LEVELS: u32 = 32;

/// Whether data is images of many levels.
fn has_many_levels(data: &DataSpec) -> bool {
    let many = matches!(data.domain(), Some(Domain::Levels(levels)) if levels > FEW_LEVELS);
    many && data.shape.as_image().is_some()
}

/// What suits images of many levels: where each entry has a scale of its own, it becomes so small that codes
/// carry more than their prior gives back, and samples are noise. The histogram's tilt has the variance of
/// the data, and with three of its levels for each entry the divergence counts three times.
fn complete(settings: &mut Table, data: &DataSpec) {
    if !has_many_levels(data) {
        return;
    }
    let text = |name: &dyn std::fmt::Display| Value::from(name.to_string());
    settings.entry("activation").or_insert(text(&HiddenActivation::Relu));
    let likelihood = settings.entry("likelihood").or_insert(text(&LikelihoodName::Auto));
    if *likelihood == text(&LikelihoodName::Auto) {
        *likelihood = text(&LikelihoodName::TiltedHistogram);
    }
}

/// The same for `vae`.
fn complete_vae(settings: &mut Table, data: &DataSpec) {
    complete(settings, data);
    let tilted = Value::from(LikelihoodName::TiltedHistogram.to_string());
    let samples = settings.get("importance_samples").and_then(Value::as_integer);
    if settings.get("likelihood") == Some(&tilted) && samples.is_none_or(|k| k <= 1) {
        settings.entry("beta").or_insert(3.0.into());
    }
}

/// Averaged weights for images of many levels.
fn training(data: &DataSpec) -> Table {
    let mut settings = Table::new();
    if has_many_levels(data) {
        settings.insert("average_decay".to_owned(), 0.999.into());
    }
    settings
}

/// The default number of importance samples of `iwae`.
const IWAE_SAMPLES: usize = 5;

/// The entry of `iwae`: the same model, trained with the K-sample bound.
pub fn iwae_entry() -> ModelEntry {
    ModelEntry {
        name: "iwae",
        about: "variational autoencoder trained with the K-sample importance-weighted bound",
        paper: "Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519",
        tasks: &[Task::Density, Task::Sampling, Task::Representation],
        capabilities: CAPABILITIES,
        validation: &["negative_elbo", "negative_bound"],
        learning: Learning::GradientSteps,
        kinds: KINDS,
        size: |table, data| iwae(table)?.size("iwae", data),
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
                "importance_samples" => Field { default: (IWAE_SAMPLES as i64).into(), ..field },
                _ => field,
            };
            VaeConfig::fields().into_iter().map(five).collect()
        },
        train: training,
        complete,
        build: |table, data, init| Ok(Box::new(iwae(table)?.init("iwae", data, init)?)),
    }
}

/// The settings of an `iwae`.
fn iwae(table: &Table) -> Result<VaeConfig> {
    let mut config = VaeConfig::from_table(table)?;
    if !table.contains_key("importance_samples") {
        config.importance_samples = IWAE_SAMPLES;
    }
    Ok(config)
}

impl ModelConfig for VaeConfig {
    fn model_name(&self) -> &'static str {
        "vae"
    }
}

impl VaeConfig {
    /// Refuses what is out of range or does not suit the data.
    pub(super) fn check(&self, data: &DataSpec) -> Result<()> {
        self.check_values()?;
        let layers = self.latent_dims.len();
        if layers == 0 {
            return Err(Error::setting("latent_dims", "[]", "give at least one size"));
        }
        if self.hidden.len() != layers {
            return Err(Error::setting(
                "hidden",
                format!("{:?}", self.hidden),
                format!("give one list of sizes for each of the {layers} stochastic layers"),
            ));
        }
        let plain = self.beta == 1.0 && self.kl_warmup_epochs == 0.0 && self.free_bits == 0.0;
        if self.importance_samples > 1 && !plain {
            return Err(Error::setting(
                "importance_samples",
                self.importance_samples,
                "above 1 the objective has no separate KL term; leave beta at 1 and \
                 kl_warmup_epochs and free_bits at 0",
            ));
        }
        if self.doubly_reparameterized && self.importance_samples == 1 {
            return Err(Error::setting(
                "doubly_reparameterized",
                true,
                "it weights several samples; set importance_samples above 1",
            ));
        }
        if self.free_bits > 0.0 && layers > 1 {
            return Err(Error::setting(
                "free_bits",
                self.free_bits,
                "the KL divergence of each latent dimension is known for one stochastic layer only",
            ));
        }
        if self.conditional && data.classes == 0 {
            return Err(Error::setting("conditional", true, "this data has no labels"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ancestral_data::Shape;

    use super::*;

    #[test]
    fn what_is_left_open_suits_the_data() {
        let gray = DataSpec::new(Domain::Levels(256), Shape::image(1, 28, 28), 10);
        let completed = |settings: &str, data: &DataSpec| {
            let mut settings: Table = settings.parse().unwrap();
            complete_vae(&mut settings, data);
            VaeConfig::from_table(&settings).unwrap()
        };
        let usual = VaeConfig::default();
        for open in ["", "likelihood = 'auto'", "likelihood = 'tilted-histogram'"] {
            let found = completed(open, &gray);
            assert_eq!(found.likelihood, LikelihoodName::TiltedHistogram, "{open}");
            assert_eq!((found.beta, found.activation), (3.0, HiddenActivation::Relu), "{open}");
        }
        // What is given stays.
        let found = completed("beta = 1.0\nactivation = 'tanh'", &gray);
        assert_eq!((found.beta, found.activation), (1.0, HiddenActivation::Tanh));
        let found = completed("likelihood = 'categorical'", &gray);
        assert_eq!((found.beta, found.likelihood), (1.0, LikelihoodName::Categorical));
        assert_eq!(completed("importance_samples = 5", &gray).beta, 1.0);
        for data in [
            DataSpec::new(Domain::Levels(17), Shape::image(1, 8, 8), 10),
            DataSpec::new(Domain::Levels(256), Shape::columns(9), 0),
            DataSpec::new(Domain::Binary, Shape::image(1, 28, 28), 10),
            DataSpec::new(Domain::Real, Shape::image(1, 28, 28), 10),
        ] {
            assert_eq!(completed("", &data), usual, "{data:?}");
            assert!(training(&data).is_empty());
        }
    }
}
