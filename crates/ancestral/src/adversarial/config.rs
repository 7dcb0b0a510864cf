//! Settings of an adversarial network, and their checks.

use super::critic::{Conditioning, Penalty};
use super::losses::Loss;
use super::networks::NetworkName;
use super::normalization::{CriticNorm, GeneratorNorm};
use crate::model::{DataSpec, ModelConfig};
use crate::nn::{HiddenActivation, PrecisionName};
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

settings! {
    /// Settings of an adversarial network.
    pub struct GanConfig {
        /// Loss of the critic and of the generator.
        pub loss: Loss = Loss::NonSaturating;
        /// Regularization of the critic.
        pub penalty: Penalty = Penalty::None;
        /// Weight λ of the penalty in the critic's loss.
        pub penalty_weight: f64 = 10.0, in 0.0..;
        /// Bound of the critic's weights: with penalty clip they are clamped to [−clip, clip].
        pub clip: f64 = 0.01, in above(0.0);
        /// How the networks use classes or latent codes.
        pub conditioning: Conditioning = Conditioning::None;
        /// Architecture of generator and critic.
        pub network: NetworkName = NetworkName::Auto;
        /// Dimensions of the generator's latent vector z.
        pub latent_dims: usize = 64, in 1.., also ["latent_dim"];
        /// Distribution of the latent vector z.
        pub noise: Noise = Noise::Uniform;
        /// Precision of the products of dense layers and of convolutions, in training and after it; below
        /// f32 only where the processor multiplies bfloat16 faster, as `ancestral env` says.
        pub precision: PrecisionName = PrecisionName::F32;
        /// Units of each hidden layer of an mlp generator.
        pub generator_hidden: Vec<usize> = vec![256, 512], in 1..;
        /// Units of each hidden layer of an mlp critic.
        pub critic_hidden: Vec<usize> = vec![512, 256], in 1..;
        /// Channels of the largest feature map of dcgan networks.
        pub features: usize = 64, in 1..;
        /// Normalization layers of the generator.
        pub generator_norm: GeneratorNorm = GeneratorNorm::Auto;
        /// Normalization layers of the critic.
        pub critic_norm: CriticNorm = CriticNorm::Auto;
        /// Activation of the generator's hidden layers.
        pub generator_activation: HiddenActivation = HiddenActivation::Relu;
        /// Activation of the critic's hidden layers.
        pub critic_activation: HiddenActivation = HiddenActivation::LeakyRelu;
        /// Standard deviation of normal (Gaussian) weight initialization; 0 for Glorot uniform.
        pub start_std: f64 = 0.0, in 0.0..;
        /// Critic updates for each generator update.
        pub critic_steps: usize = 1, in 1..=1000;
        /// Factor of the critic's score: with spectral normalization, the steepest slope that it can
        /// have.
        pub score_scale: f64 = 1.0, in above(0.0);
        /// Learning rate of the critic divided by that of the generator.
        pub critic_rate: f64 = 1.0, in above(0.0);
        /// Strength of the data augmentation: random affine transforms of the images that the critic
        /// sees, data and samples alike; 0 for none, at most 1.
        pub augment: f64 = 0.0, in 0.0..=1.0;
        /// Epochs with data augmentation, from the start; 0 for all.
        pub augment_epochs: f64 = 0.0, in 0.0.., unit "epochs";
        /// One-sided label smoothing: the critic's target for data is 1 minus this.
        pub label_smoothing: f64 = 0.0, in 0.0..0.5;
        /// Weight of the classification loss (auxiliary) or of the categorical code's loss
        /// (mutual-information).
        pub class_weight: f64 = 1.0, in 0.0..;
        /// Categories of the categorical code (mutual-information); 0 for no such code.
        pub categories: usize = 10;
        /// Number of continuous codes (mutual-information), uniform on [−1, 1].
        pub continuous: usize = 2;
        /// Weight of the continuous codes' loss (mutual-information).
        pub continuous_weight: f64 = 0.1, in 0.0..;
        /// Dimensions of the code of an autoencoder critic (began, ebgan).
        pub code_dim: usize = 64, in 1..;
        /// Diversity ratio γ of began: the target for the mean energy of samples divided by that of
        /// data.
        pub diversity: f64 = 0.75, in above_to(0.0, 1.0);
        /// Learning rate λ of began's balance k.
        pub balance_rate: f64 = 1e-3, in 0.0..;
        /// Margin m of ebgan: the critic raises the energy of samples up to m, a root mean squared
        /// error per entry.
        pub margin: f64 = 0.35, in 0.0..;
        /// Weight of the pull-away term in the loss of ebgan's generator.
        pub pull_away: f64 = 0.1, in 0.0..;
    }
}

impl ModelConfig for GanConfig {
    fn model_name(&self) -> &'static str {
        "gan"
    }
}

impl GanConfig {
    /// Refuses values that are not allowed, settings that exclude each other, and data that they do
    /// not suit.
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
        if loss.uses_energy() && penalty.needs_input_gradients() {
            return Err(Error::setting(
                "penalty",
                format!("'{}'", self.penalty),
                format!(
                    "the critic of loss {} is an autoencoder, whose input gradient cannot be penalized; \
                         choose none or clip",
                    self.loss
                ),
            ));
        }
        if loss.uses_energy() && self.score_scale != 1.0 {
            return Err(Error::setting(
                "score_scale",
                self.score_scale,
                format!(
                    "the score of loss {} is the error of an autoencoder; set it to 1",
                    self.loss
                ),
            ));
        }
        let heads = matches!(
            conditioning,
            Conditioning::Auxiliary | Conditioning::MutualInformation | Conditioning::Projection
        );
        if loss.uses_energy() && heads {
            return Err(Error::setting(
                "conditioning",
                format!("'{}'", self.conditioning),
                format!("loss {} supports none or concat only", self.loss),
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
