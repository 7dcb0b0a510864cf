//! Standard distributions, fitted by maximum likelihood: as models of whole rows, and univariate families,
//! which `fitted` makes models.

/// What models of whole rows have in common besides their formulas: the entry, the name and the
/// contract, by their `config`, `data`, `parameters` and `set_parameters`.
macro_rules! distribution {
    (
        $model:ident, $config:ident, $name:literal,
        about: $about:literal,
        paper: $paper:literal,
        read: $read:path,
        $(soft: $soft:tt,)?
    ) => {
        #[doc = concat!("The entry of `", $name, "`.")]
        pub fn entry() -> $crate::model::ModelEntry {
            use $crate::model::{Capability, Learning, Task};
            $crate::model::ModelEntry {
                name: $name,
                about: $about,
                paper: $paper,
                tasks: &[
                    Task::Density,
                    Task::Sampling,
                    $( { $crate::distributions::only!($soft); Task::Clustering } )?
                ],
                capabilities: &[
                    Capability::ExactDensity,
                    Capability::Samples,
                    $( { $crate::distributions::only!($soft); Capability::Clusters } )?
                ],
                validation: &[],
                learning: Learning::Fit,
                kinds: KINDS,
                size: |table, data| $read(table)?.size(data),
                presets: &[],
                fields: <$config as $crate::settings::Settings>::fields,
                train: |_| toml::Table::new(),
                complete: |_, _| {},
                build: |table, data, _| Ok(Box::new($read(table)?.init(data)?)),
            }
        }

        impl $crate::model::ModelConfig for $config {
            fn model_name(&self) -> &'static str {
                $name
            }
        }

        impl $crate::model::Model for $model {
            fn name(&self) -> &'static str {
                $name
            }

            fn settings(&self) -> toml::Table {
                $crate::settings::Settings::to_table(&self.config)
            }

            fn data(&self) -> &$crate::model::DataSpec {
                &self.data
            }

            fn tensors(&self) -> $crate::model::NamedTensors {
                self.parameters()
            }

            fn load(&mut self, tensors: &$crate::model::NamedTensors) -> $crate::Result<()> {
                self.set_parameters(tensors)
            }

            fn density(&self) -> Option<&dyn $crate::model::Density> {
                Some(self)
            }

            fn sampler(&self) -> Option<&dyn $crate::model::Sampler> {
                Some(self)
            }

            fn estimator(&mut self) -> Option<&mut dyn $crate::model::Estimator> {
                Some(self)
            }

            $(
                fn clusterer(&self) -> Option<&dyn $crate::model::Clusterer> {
                    $crate::distributions::only!($soft);
                    Some(self)
                }
            )?
        }
    };
}

/// Repeats what stands beside it where `soft: clusters` is given.
macro_rules! only {
    (clusters) => {};
}
use only;

pub mod bernoulli;
pub mod bernoulli_mixture;
pub mod categorical;
pub mod coefficients;
pub mod dirichlet;
mod em;
pub mod families;
pub mod fitted;
pub mod gaussian;
pub mod gmm;
pub mod kde;
pub mod multinomial;

pub use bernoulli::{coin, coin_criteria, coin_log_likelihood};

use crate::model::NamedTensors;
use crate::{Error, Result};

/// The entries of a tensor, which must exist with `length` entries.
pub(crate) fn take(
    model: &str,
    tensors: &NamedTensors,
    name: &str,
    length: usize,
) -> Result<Vec<f64>> {
    let found = tensors
        .iter()
        .find(|(n, _)| n == name)
        .and_then(|(_, data)| data.try_to_vec_as::<f64>().ok().filter(|v| v.len() == length));
    found.ok_or_else(|| Error::Unsupported {
        model: model.to_owned(),
        problem: format!(
            "cannot take these weights: tensor '{name}' of {length} entries is missing"
        ),
    })
}

/// ln Σ exp.
pub(crate) fn log_sum_exp(logs: &[f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return most;
    }
    most + logs.iter().map(|l| (l - most).exp()).sum::<f64>().ln()
}
