//! Settings of an adversarial network, and what is refused before work starts.

use ancestral_kernels::Precision;

use super::critic::{Conditioning, Penalty};
use super::losses::Loss;
use crate::model::DataSpec;
use crate::{Error, Result, settings};

settings! {
    /// Settings of an adversarial network.
    pub struct GanConfig {
        /// Objectives: minimax, non-saturating, least-squares, hinge, wasserstein, relativistic,
        /// began or ebgan.
        pub loss: String = "non-saturating".to_owned(),
        /// Restraint of the critic: none, clip (of weights), gradient (of WGAN-GP), dragan or r1.
        pub penalty: String = "none".to_owned(),
        /// Weight λ of the penalty.
        pub penalty_weight: f64 = 10.0,
        /// Largest absolute weight of the critic under penalty clip.
        pub clip: f64 = 0.01,
        /// How classes or codes come in: none, concat, auxiliary, mutual-information or projection.
        pub conditioning: String = "none".to_owned(),
        /// Networks: mlp, infogan, dcgan, or auto (infogan for pictures whose sides are multiples
        /// of 4, else mlp).
        pub network: String = "auto".to_owned(),
        /// Size of the noise that the generator starts from.
        pub latent_dim: usize = 64,
        /// Distribution of the noise: uniform on [−1, 1], or normal.
        pub noise: String = "uniform".to_owned(),
        /// What convolutions multiply: f32, or bf16, which keeps 8 binary digits, sums in f32 and is
        /// quicker on processors with AVX-512 BF16.
        pub precision: String = "f32".to_owned(),
        /// Hidden layers of an mlp generator.
        pub generator_hidden: Vec<usize> = vec![256, 512],
        /// Hidden layers of an mlp critic.
        pub critic_hidden: Vec<usize> = vec![512, 256],
        /// Features of the largest map of dcgan networks.
        pub features: usize = 64,
        /// Normalisation of the generator: none, batch, layer, or auto (batch for convolutions).
        pub generator_norm: String = "auto".to_owned(),
        /// Normalisation of the critic: none, batch, layer, spectral, or auto (batch for
        /// convolutions, layer instead under a penalty on slopes).
        pub critic_norm: String = "auto".to_owned(),
        /// What follows the generator's layers: relu, leaky-relu, tanh or softplus.
        pub generator_activation: String = "relu".to_owned(),
        /// What follows the critic's layers: leaky-relu (slope 0.2), relu, tanh or softplus.
        pub critic_activation: String = "leaky-relu".to_owned(),
        /// Standard deviation of the first weights; 0 for Glorot and Bengio's uniform ones.
        pub start_std: f64 = 0.0,
        /// Updates of the critic before each of the generator.
        pub critic_steps: usize = 1,
        /// Learning rate of the critic, as a multiple of the generator's.
        pub critic_rate: f64 = 1.0,
        /// How far pictures are turned, stretched and shifted at random before the critic sees them,
        /// data and samples alike: 0 for not at all, up to 1.
        pub augment: f64 = 0.0,
        /// Epochs after which pictures are moved no more; 0 to go on to the end.
        pub augment_epochs: f64 = 0.0,
        /// How far the critic's target on data lies below 1.
        pub label_smoothing: f64 = 0.0,
        /// Weight of the loss of classes (auxiliary) or of the categorical code
        /// (mutual-information).
        pub class_weight: f64 = 1.0,
        /// Values of the categorical code of mutual-information; 0 for none.
        pub categories: usize = 10,
        /// Continuous codes of mutual-information, uniform on [−1, 1].
        pub continuous: usize = 2,
        /// Weight of the loss of the continuous codes.
        pub continuous_weight: f64 = 0.1,
        /// Size of the code of a critic that is an autoencoder (began, ebgan).
        pub code_dim: usize = 64,
        /// Energy of samples over that of data which began keeps, γ in (0, 1].
        pub diversity: f64 = 0.75,
        /// Rate λ at which began moves its balance k.
        pub balance_rate: f64 = 1e-3,
        /// Energy m up to which ebgan pushes samples, root mean square an entry.
        pub margin: f64 = 0.35,
        /// Weight of the pull-away term of ebgan's generator.
        pub pull_away: f64 = 0.1,
    }
}

/// Units of a layer at most.
const MOST_UNITS: usize = 100_000;
/// Updates of the critic for one of the generator at most; a run stops between steps only.
const MOST_CRITIC_STEPS: usize = 1000;
/// Weights of both networks at most; with gradients and moments they take five times their size.
pub(super) const MOST_WEIGHTS: f64 = 1e9;

/// Checked choices.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choices {
    pub(super) loss: Loss,
    pub(super) penalty: Penalty,
    pub(super) conditioning: Conditioning,
    pub(super) uniform: bool,
}

impl GanConfig {
    pub(super) fn precision(&self, convolutions: bool) -> Result<Precision> {
        let refused = |why: &str| Error::setting("precision", format!("'{}'", self.precision), why);
        match self.precision.as_str() {
            "f32" => Ok(Precision::F32),
            "bf16" if convolutions => Ok(Precision::Bf16),
            "bf16" => {
                Err(refused("it applies to convolutions, and network mlp has none; choose f32"))
            }
            _ => Err(refused("choose f32 or bf16")),
        }
    }

    pub(super) fn check(&self, name: &'static str, data: &DataSpec) -> Result<Choices> {
        let loss = Loss::parse(&self.loss)?;
        let penalty = Penalty::parse(&self.penalty)?;
        let conditioning = Conditioning::parse(&self.conditioning)?;
        let uniform = match self.noise.as_str() {
            "uniform" => true,
            "normal" => false,
            other => {
                let allowed = "choose uniform or normal";
                return Err(Error::setting("noise", format!("'{other}'"), allowed));
            }
        };
        for (field, value, least, most) in [
            ("latent_dim", self.latent_dim, 1, MOST_UNITS),
            ("critic_steps", self.critic_steps, 1, MOST_CRITIC_STEPS),
            ("features", self.features, 1, MOST_UNITS),
            ("code_dim", self.code_dim, 1, MOST_UNITS),
            ("categories", self.categories, 0, MOST_UNITS),
            ("continuous", self.continuous, 0, MOST_UNITS),
        ] {
            if !(least..=most).contains(&value) {
                return Err(Error::setting(field, value, format!("it must be {least} to {most}")));
            }
        }
        for (field, sizes) in
            [("generator_hidden", &self.generator_hidden), ("critic_hidden", &self.critic_hidden)]
        {
            if !sizes.iter().all(|size| (1..=MOST_UNITS).contains(size)) {
                let value = format!("{sizes:?}");
                let allowed = format!("each size must be 1 to {MOST_UNITS}");
                return Err(Error::setting(field, value, allowed));
            }
        }
        for (field, value) in [
            ("penalty_weight", self.penalty_weight),
            ("augment_epochs", self.augment_epochs),
            ("start_std", self.start_std),
            ("class_weight", self.class_weight),
            ("continuous_weight", self.continuous_weight),
            ("balance_rate", self.balance_rate),
            ("margin", self.margin),
            ("pull_away", self.pull_away),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::setting(field, value, "it must be 0 or more"));
            }
        }
        for (field, value) in [("clip", self.clip), ("critic_rate", self.critic_rate)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::setting(field, value, "it must be above 0"));
            }
        }
        if !(0.0..=1.0).contains(&self.augment) {
            return Err(Error::setting("augment", self.augment, "it must be in [0, 1]"));
        }
        if self.augment > 0.0 && data.shape.as_image().is_none() {
            return Err(Error::UnsuitableData {
                model: name.to_owned(),
                problem: "augment moves pictures and this data has rows; set augment=0".to_owned(),
            });
        }
        if !(0.0..0.5).contains(&self.label_smoothing) {
            let value = self.label_smoothing;
            return Err(Error::setting("label_smoothing", value, "it must be in [0, 0.5)"));
        }
        if self.label_smoothing > 0.0 && !loss.has_target() {
            return Err(Error::setting(
                "label_smoothing",
                self.label_smoothing,
                format!("loss {} has no target to smooth; set it to 0", self.loss),
            ));
        }
        if !(self.diversity > 0.0 && self.diversity <= 1.0) {
            return Err(Error::setting("diversity", self.diversity, "it must be in (0, 1]"));
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
            && (self.categories == 1 || self.categories + self.continuous == 0)
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
                     have {}; for folders of pictures, give each class a folder of its own",
                    self.conditioning,
                    if data.classes == 0 { "none".to_owned() } else { "1 class".to_owned() },
                ),
            });
        }
        Ok(Choices { loss, penalty, conditioning, uniform })
    }
}
