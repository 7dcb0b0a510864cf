//! Fully visible sigmoid belief network: Frey 1998, after Neal 1992; the baseline of the papers on
//! NADE.
//!
//! p(x_d = 1 | x_<d) = σ(b_d + Σ_{e<d} W_de x_e): one logistic regression per entry. It is a
//! [MADE](super::made) without hidden layers. The likelihood is exact, and the loss is convex.

use super::made::{Made, MadeConfig};
use super::{DISCRETE, OrderName};
use crate::model::{Capability, DataSpec, Init, Learning, ModelConfig, ModelEntry, Preset, Task};
use crate::settings::{Seed, Settings};
use crate::{Result, settings};

settings! {
    /// Settings of the fully visible sigmoid belief network.
    pub struct FvsbnConfig {
        /// Ordering of the entries.
        pub order: OrderName = OrderName::Raster;
        /// Seed of a random ordering.
        pub order_seed: Seed = Seed(0);
    }
}

/// The entry of `fvsbn`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "fvsbn",
        about: "fully visible sigmoid belief network: a logistic regression of each entry on those before it",
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
            about: "plain SGD with averaged weights, batches of 20, for adult, dna and mushrooms",
            settings: include_str!("presets/fvsbn.toml"),
        }],
        fields: FvsbnConfig::fields,
        build: |table, data, init| Ok(Box::new(FvsbnConfig::from_table(table)?.init(data, init)?)),
        train: |_| toml::Table::new(),
        complete: |_, _| {},
    }
}

impl ModelConfig for FvsbnConfig {
    fn model_name(&self) -> &'static str {
        "fvsbn"
    }
}

impl FvsbnConfig {
    /// A model with its initial weights, sized by the data.
    ///
    /// # Errors
    /// If a setting is unknown or the data is real.
    pub fn init(&self, data: &DataSpec, init: &Init) -> Result<Made> {
        Made::new("fvsbn", &self.made(), self.to_table(), data, init)
    }

    /// The same as settings of MADE.
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
