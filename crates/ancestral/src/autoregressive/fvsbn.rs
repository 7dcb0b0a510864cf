//! Fully visible sigmoid belief network: Frey 1998, after Neal 1992; the logistic baseline of every
//! table of the NADE family.
//!
//! p(x_d = 1 | x_<d) = σ(b_d + Σ_{e<d} W_de x_e): logistic regressions, one an entry. It is a
//! [MADE](super::made) without hidden layers. The likelihood is exact, and its maximum is the only
//! one, the loss being convex.

use super::made::{Made, MadeConfig};
use super::{DISCRETE, OrderName};
use crate::model::{Capability, DataSpec, Init, Learning, ModelConfig, ModelEntry, Preset, Task};
use crate::settings::Settings;
use crate::{Result, settings};

settings! {
    /// Settings of the fully visible sigmoid belief network.
    pub struct FvsbnConfig {
        /// In which order the entries are drawn.
        pub order: OrderName = OrderName::Raster;
        /// The seed of a random order.
        pub order_seed: u64 = 0;
    }
}

/// The list entry of `fvsbn`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "fvsbn",
        about: "logistic regressions, each of an entry on those before it: the baseline",
        paper: "Frey 1998, Graphical Models for Machine Learning and Digital Communication",
        tasks: &[Task::Density, Task::Sampling],
        capabilities: &[
            Capability::ExactDensity,
            Capability::Samples,
            Capability::PrefixCompletion,
        ],
        validation: &["nll"],
        learning: Learning::GradientSteps,
        kinds: DISCRETE,
        size: |table, data| FvsbnConfig::from_table(table)?.made().size("fvsbn", data),
        presets: &[Preset {
            name: "uci",
            about: "Adam with averaged weights, batches of 20: ours for adult, dna and mushrooms",
            settings: include_str!("presets/fvsbn.toml"),
        }],
        fields: FvsbnConfig::fields,
        build: |table, data, init| Ok(Box::new(FvsbnConfig::from_table(table)?.init(data, init)?)),
        train: |_| toml::Table::new(),
    }
}

impl ModelConfig for FvsbnConfig {
    fn model_name(&self) -> &'static str {
        "fvsbn"
    }
}

impl FvsbnConfig {
    /// A model with its first weights, sized by the data.
    ///
    /// # Errors
    /// If a setting is unknown or the data is of reals.
    pub fn init(&self, data: &DataSpec, init: &Init) -> Result<Made> {
        Made::new("fvsbn", &self.made(), self.to_table(), data, init)
    }

    /// The same as a MADE.
    fn made(&self) -> MadeConfig {
        MadeConfig {
            hidden: Vec::new(),
            direct: true,
            order: self.order,
            order_seed: self.order_seed,
            ..MadeConfig::default()
        }
    }
}
