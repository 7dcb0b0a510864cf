//! RNADE, the real-valued NADE: Uria, Murray and Larochelle 2013 (arXiv:1306.0186).
//!
//! p(x) = Π p(x_d | x_<d), each conditional a mixture of K Gaussians or Laplace distributions. The
//! mixture weights, means and log-scales are linear in h_d = σ(ρ_d (c + W_<d x_<d)); the learned ρ_d
//! keeps the units from saturating as entries are added (their equation 4). The density is exact and
//! in the units of the data: columns are standardized by the training split, and the log-determinant
//! is added.
//!
//! The paper multiplies the gradient of a Gaussian's mean by its σ (`scale_mean_gradients`). Scales
//! are at least e⁻⁷ standard deviations, and entries that others are conditioned on are clamped to
//! 10⁴ standard deviations, so that every finite row has a finite density.

use super::OrderName;
use super::nade::{self, Nade, Setup};
use crate::likelihood::Likelihood;
use crate::model::{
    Capability, DataSpec, Init, KindName, Learning, ModelConfig, ModelEntry, Preset, Size, Task,
};
use crate::settings::{Seed, Settings};
use crate::{Result, choices, settings};

/// The kinds of columns it takes.
const REAL: &[KindName] = &[KindName::Real];

choices! {
    /// The family of the mixture components of real conditionals.
    pub enum MixtureFamily {
        /// Gaussians
        Gaussian = "gaussian",
        /// Laplace distributions
        Laplace = "laplace",
    }
}

settings! {
    /// Settings of RNADE.
    pub struct RnadeConfig {
        /// Number of hidden units.
        pub hidden: usize = 50, in 1..;
        /// Family of each conditional's mixture components.
        pub family: MixtureFamily = MixtureFamily::Gaussian;
        /// Number of mixture components of each conditional.
        pub components: usize = 10, in 1..;
        /// Whether the pre-activations are multiplied by a learned factor at each entry.
        pub rescale: bool = true;
        /// Whether the gradient of each Gaussian's mean is multiplied by its standard deviation.
        pub scale_mean_gradients: bool = false;
        /// Ordering of the columns.
        pub order: OrderName = OrderName::Raster;
        /// Seed of a random ordering.
        pub order_seed: Seed = Seed(0);
    }
}

/// The entry of `rnade`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "rnade",
        about: "real-valued NADE: each column has a mixture density given the columns before it",
        paper: "Uria, Murray and Larochelle 2013, arXiv:1306.0186",
        tasks: &[Task::Density, Task::Sampling],
        capabilities: &[
            Capability::ExactDensity,
            Capability::Samples,
            Capability::PrefixCompletion,
        ],
        validation: &["nll"],
        learning: Learning::GradientSteps,
        kinds: REAL,
        size: |table, data| RnadeConfig::from_table(table)?.size(data),
        presets: &[
            Preset {
                name: "uria-2013",
                about: "mixtures of Gaussians, SGD with Nesterov's momentum, scaled gradients",
                settings: include_str!("presets/rnade-uria-2013.toml"),
            },
            Preset {
                name: "red-wine",
                about: "20 Gaussians per mixture, SGD with averaged weights, for red wine",
                settings: include_str!("presets/rnade-red-wine.toml"),
            },
        ],
        fields: RnadeConfig::fields,
        build: |table, data, init| Ok(Box::new(RnadeConfig::from_table(table)?.init(data, init)?)),
        train: |_| toml::Table::new(),
        complete: |_, _| {},
    }
}

impl MixtureFamily {
    /// The mixture of this many components.
    pub(super) fn mixture(self, components: usize) -> Likelihood {
        match self {
            Self::Gaussian => Likelihood::GaussianMixture { components },
            Self::Laplace => Likelihood::LaplaceMixture { components },
        }
    }
}

impl ModelConfig for RnadeConfig {
    fn model_name(&self) -> &'static str {
        "rnade"
    }
}

impl RnadeConfig {
    /// The size of a model with these settings.
    fn size(&self, data: &DataSpec) -> Result<Size> {
        self.check_values()?;
        let domain = data.one_domain("rnade", REAL)?;
        let likelihood = self.family.mixture(self.components);
        Ok(nade::size_of(self.hidden, &likelihood, self.rescale, (data, domain)))
    }

    /// A model with its initial weights, sized by the data.
    ///
    /// # Errors
    /// If a setting is out of range or the data is not real.
    pub fn init(&self, data: &DataSpec, init: &Init) -> Result<Nade> {
        self.check_values()?;
        let domain = data.one_domain("rnade", REAL)?;
        let setup = Setup {
            name: "rnade",
            hidden: self.hidden,
            likelihood: self.family.mixture(self.components),
            order: self.order.entries(self.order_seed.0, &data.shape),
            rescale: self.rescale,
        };
        Ok(Nade::new(setup, self.to_table(), self.scale_mean_gradients, (data, domain), init))
    }
}
