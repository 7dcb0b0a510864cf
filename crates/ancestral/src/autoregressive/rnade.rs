//! NADE of reals: Uria, Murray and Larochelle 2013 (arXiv:1306.0186).
//!
//! p(x) = Π p(x_d | x_<d), each conditional a mixture of K Gaussians or Laplaces whose weights, means
//! and spreads are linear in h_d = σ(ρ_d (c + W_<d x_<d)); ρ_d, learned, keeps the units from
//! saturating as entries are added (their equation 4). The density is exact, in the units of the
//! data: columns are standardised by the training split, and the log-determinant is counted.
//!
//! The paper multiplies the gradient of a Gaussian's mean by its σ (`scale_mean_gradients`). Spreads
//! have a floor of e⁻⁷ standard deviations, and entries that others are conditioned on are held
//! within 10⁴ of them, so that every finite row has a finite density.

use ancestral_data::Domain;

use super::nade::{Nade, Setup};
use super::order;
use crate::likelihood::Likelihood;
use crate::model::{DataSpec, Init, ModelEntry, Preset};
use crate::settings::Settings;
use crate::{Error, Result, settings};

settings! {
    /// Settings of RNADE.
    pub struct RnadeConfig {
        /// Hidden units.
        pub hidden: usize = 50,
        /// What each conditional is a mixture of: gaussian or laplace.
        pub family: String = "gaussian".to_owned(),
        /// Components of each mixture.
        pub components: usize = 10,
        /// Whether the sums are rescaled by a learned number at each entry.
        pub rescale: bool = true,
        /// Whether the gradient of a Gaussian's mean is multiplied by its σ.
        pub scale_mean_gradients: bool = false,
        /// In which order the entries are drawn: raster, reversed or random.
        pub order: String = "raster".to_owned(),
        /// The seed of a random order.
        pub order_seed: u64 = 0,
    }
}

/// The list entry of `rnade`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "rnade",
        about: "NADE of reals: each column a mixture that depends on the columns before it",
        paper: "Uria, Murray and Larochelle 2013, arXiv:1306.0186",
        can: &["density (exact)", "samples", "completion (of the first entries)"],
        presets: &[
            Preset {
                name: "uria-2013",
                about: "mixtures of Gaussians, SGD with Nesterov's momentum, scaled gradients",
                settings: include_str!("presets/rnade-uria-2013.toml"),
            },
            Preset {
                name: "red-wine",
                about: "20 Gaussians a mixture, SGD with averaged weights: ours for red wine",
                settings: include_str!("presets/rnade-red-wine.toml"),
            },
        ],
        fields: RnadeConfig::fields,
        build: |table, data, init| Ok(Box::new(RnadeConfig::from_table(table)?.init(data, init)?)),
        train: |_| toml::Table::new(),
    }
}

/// A mixture of reals by name.
///
/// # Errors
/// If there is no such family, or no component.
pub(super) fn mixture(family: &str, components: usize) -> Result<Likelihood> {
    if components == 0 {
        return Err(Error::setting("components", 0, "a mixture has 1 or more"));
    }
    match family {
        "gaussian" => Ok(Likelihood::GaussianMixture { components }),
        "laplace" => Ok(Likelihood::LaplaceMixture { components }),
        other => Err(Error::setting("family", format!("'{other}'"), "choose gaussian or laplace")),
    }
}

impl RnadeConfig {
    /// A model with its first weights, sized by the data.
    ///
    /// # Errors
    /// If a setting is out of range or the data is not of reals.
    pub fn init(&self, data: &DataSpec, init: &Init) -> Result<Nade> {
        let likelihood = mixture(&self.family, self.components)?;
        if data.domain != Domain::Real {
            return Err(Error::UnsuitableData {
                model: "rnade".to_owned(),
                problem: format!(
                    "it needs rows of reals and this data has {}; nade is the same model for them",
                    data.domain
                ),
            });
        }
        let order = order::parse(&self.order, self.order_seed, data.shape.size())?;
        let setup =
            Setup { name: "rnade", hidden: self.hidden, likelihood, order, rescale: self.rescale };
        Nade::new(setup, self.to_table(), self.scale_mean_gradients, data, init)
    }
}
