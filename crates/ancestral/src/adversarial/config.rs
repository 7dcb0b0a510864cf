//! Settings of an adversarial network, and what is refused before work starts.

use ancestral_kernels::Precision;

use super::critic::{Conditioning, Penalty};
use super::losses::Loss;
use super::networks::NetworkName;
use super::normalization::{CriticNorm, GeneratorNorm};
use crate::model::{DataSpec, ModelConfig};
use crate::nn::HiddenActivation;
use crate::settings::{Settings, above, above_to};
use crate::{Error, Result, choices, settings};

choices! {
    /// The distribution of a generator's noise.
    pub enum Noise {
        /// uniform on [−1, 1]
        Uniform = "uniform",
        /// standard normal
        Normal = "normal",
    }
}

choices! {
    /// What convolutions multiply.
    pub enum PrecisionName {
        /// single precision
        F32 = "f32",
        /// numbers of 8 binary digits, summed in f32; faster on processors with AVX-512 BF16
        Bf16 = "bf16",
    }
}

settings! {
    /// Settings of an adversarial network.
    pub struct GanConfig {
        /// Objectives.
        pub loss: Loss = Loss::NonSaturating;
        /// Discriminator regularization.
        pub penalty: Penalty = Penalty::None;
        /// Weight λ of the penalty.
        pub penalty_weight: f64 = 10.0, in 0.0..;
        /// Largest absolute weight of the critic under penalty clip.
        pub clip: f64 = 0.01, in above(0.0);
        /// How classes or codes come in.
        pub conditioning: Conditioning = Conditioning::None;
        /// Networks.
        pub network: NetworkName = NetworkName::Auto;
        /// Dimensions of the noise that the generator starts from.
        pub latent_dims: usize = 64, in 1.., stored "latent_dim";
        /// Distribution of the noise.
        pub noise: Noise = Noise::Uniform;
        /// What convolutions multiply.
        pub precision: PrecisionName = PrecisionName::F32;
        /// Hidden layers of an mlp generator.
        pub generator_hidden: Vec<usize> = vec![256, 512], in 1..;
        /// Hidden layers of an mlp critic.
        pub critic_hidden: Vec<usize> = vec![512, 256], in 1..;
        /// Features of the largest map of dcgan networks.
        pub features: usize = 64, in 1..;
        /// Normalization of the generator.
        pub generator_norm: GeneratorNorm = GeneratorNorm::Auto;
        /// Normalization of the critic.
        pub critic_norm: CriticNorm = CriticNorm::Auto;
        /// Activation of the generator's hidden layers.
        pub generator_activation: HiddenActivation = HiddenActivation::Relu;
        /// Activation of the critic's hidden layers.
        pub critic_activation: HiddenActivation = HiddenActivation::LeakyRelu;
        /// Standard deviation of the first weights; 0 for Glorot and Bengio's uniform ones.
        pub start_std: f64 = 0.0, in 0.0..;
        /// Updates of the critic before each of the generator.
        pub critic_steps: usize = 1, in 1..=1000;
        /// Learning rate of the critic, as a multiple of the generator's.
        pub critic_rate: f64 = 1.0, in above(0.0);
        /// How far images are rotated, stretched and shifted at random before the critic sees them
        /// (data augmentation), data and samples alike: 0 for not at all, up to 1.
        pub augment: f64 = 0.0, in 0.0..=1.0;
        /// Epochs after which images are augmented no more; 0 to go on to the end.
        pub augment_epochs: f64 = 0.0, in 0.0.., unit "epochs";
        /// How far the critic's target on data lies below 1.
        pub label_smoothing: f64 = 0.0, in 0.0..0.5;
        /// Weight of the loss of classes (auxiliary) or of the categorical code
        /// (mutual-information).
        pub class_weight: f64 = 1.0, in 0.0..;
        /// Values of the categorical code of mutual-information; 0 for none.
        pub categories: usize = 10;
        /// Continuous codes of mutual-information, uniform on [−1, 1].
        pub continuous: usize = 2;
        /// Weight of the loss of the continuous codes.
        pub continuous_weight: f64 = 0.1, in 0.0..;
        /// Size of the code of a critic that is an autoencoder (began, ebgan).
        pub code_dim: usize = 64, in 1..;
        /// Energy of samples over that of data which began keeps, γ.
        pub diversity: f64 = 0.75, in above_to(0.0, 1.0);
        /// Rate λ at which began moves its balance k.
        pub balance_rate: f64 = 1e-3, in 0.0..;
        /// Energy m up to which ebgan pushes samples, root mean square an entry.
        pub margin: f64 = 0.35, in 0.0..;
        /// Weight of the pull-away term of ebgan's generator.
        pub pull_away: f64 = 0.1, in 0.0..;
    }
}

impl ModelConfig for GanConfig {
    fn model_name(&self) -> &'static str {
        "gan"
    }
}

impl GanConfig {
    /// What convolutions multiply.
    ///
    /// # Errors
    /// If there are no convolutions to choose for.
    pub(super) fn precision(&self, convolutions: bool) -> Result<Precision> {
        match self.precision {
            PrecisionName::F32 => Ok(Precision::F32),
            PrecisionName::Bf16 if convolutions => Ok(Precision::Bf16),
            PrecisionName::Bf16 => Err(Error::setting(
                "precision",
                "'bf16'",
                "it applies to convolutions, and network mlp has none; choose f32",
            )),
        }
    }

    /// Refuses values that are not allowed, settings that exclude each other, and data that lacks
    /// what they need.
    pub(super) fn check(&self, name: &'static str, data: &DataSpec) -> Result<()> {
        self.check_values()?;
        let Self { loss, penalty, conditioning, .. } = *self;
        if self.augment > 0.0 && data.shape.as_image().is_none() {
            return Err(Error::UnsuitableData {
                model: name.to_owned(),
                problem: "augment transforms images and this data is a table; set augment=0"
                    .to_owned(),
            });
        }
        if self.label_smoothing > 0.0 && !loss.has_target() {
            return Err(Error::setting(
                "label_smoothing",
                self.label_smoothing,
                format!("loss {} has no target to smooth; set it to 0", self.loss),
            ));
        }
        if loss.wants_energy() && penalty.takes_slopes() {
            return Err(Error::setting(
                "penalty",
                format!("'{}'", self.penalty),
                format!(
                    "the critic of loss {} is an autoencoder, whose slope is not penalised; \
                         choose none or clip",
                    self.loss
                ),
            ));
        }
        let heads = matches!(
            conditioning,
            Conditioning::Auxiliary | Conditioning::MutualInformation | Conditioning::Projection
        );
        if loss.wants_energy() && heads {
            return Err(Error::setting(
                "conditioning",
                format!("'{}'", self.conditioning),
                format!("loss {} goes with none or concat", self.loss),
            ));
        }
        if conditioning == Conditioning::MutualInformation
            && (self.categories == 1 || self.categories.saturating_add(self.continuous) == 0)
        {
            return Err(Error::setting(
                "categories",
                self.categories,
                "give 2 or more categories, or none and at least one continuous code",
            ));
        }
        if conditioning.needs_labels() && data.classes < 2 {
            return Err(Error::UnsuitableData {
                model: name.to_owned(),
                problem: format!(
                    "conditioning {} needs examples with labels of at least 2 classes, and these \
                     have {}; for folders of images, give each class a folder of its own",
                    self.conditioning,
                    if data.classes == 0 { "none".to_owned() } else { "1 class".to_owned() },
                ),
            });
        }
        Ok(())
    }
}
