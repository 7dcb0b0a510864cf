//! Quadratic discriminant analysis (Hastie, Tibshirani and Friedman 2009, section 4.3): a normal
//! distribution for each class,
//!
//! p(x, y = k) = π_k N(x; μ_k, Σ_k),
//!
//! with the shares π_k, the means μ_k and the covariances Σ_k of the training examples of each class, in
//! closed form. Boundaries between classes are quadratic. The likelihood is exact.
//!
//! Σ_k has the divisor n_k (maximum likelihood), or n_k − 1 with `unbiased = true`. A class with no more
//! rows than columns, and columns that are constant or linearly dependent within a class, have a
//! covariance without an inverse, which is an error; with `reg_param` r, as in scikit-learn, Σ_k becomes
//! (1 − r) Σ_k + r I, in the units of the columns.
//!
//! Discrete columns are treated as real numbers, so that the result is a density.

use toml::Table;

use super::discriminant::{self, Discriminant, KINDS, Rule};
use super::joint::{CAPABILITIES, Joint, TASKS};
use crate::model::{DataSpec, Learning, Model, ModelConfig, ModelEntry};
use crate::settings::Settings;
use crate::{Result, settings};

const NAME: &str = "qda";

settings! {
    /// Settings of quadratic discriminant analysis.
    pub struct QdaConfig {
        /// Regularization r of the covariances, as in scikit-learn: each becomes (1 − r) times itself plus
        /// r times the identity.
        pub reg_param: f64 = 0.0, in 0.0..=1.0;
        /// Whether a covariance has the divisor n − 1, for n examples of its class, instead of n, which is
        /// that of maximum likelihood.
        pub unbiased: bool = false;
    }
}

/// The entry of `qda`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: NAME,
        about: "quadratic discriminant analysis: a normal distribution for each class",
        paper: "Hastie, Tibshirani and Friedman 2009, section 4.3",
        tasks: TASKS,
        capabilities: CAPABILITIES,
        validation: &[],
        learning: Learning::Fit,
        kinds: KINDS,
        size: |table, data| discriminant::size(NAME, QdaConfig::from_table(table)?.rule()?, data),
        presets: &[],
        fields: QdaConfig::fields,
        train: |_| Table::new(),
        complete: |_, _| {},
        build: |table, data, _| QdaConfig::from_table(table)?.init(data),
    }
}

impl ModelConfig for QdaConfig {
    fn model_name(&self) -> &'static str {
        NAME
    }
}

impl QdaConfig {
    fn rule(&self) -> Result<Rule> {
        self.check_values()?;
        Ok(Rule {
            pooled: false,
            unbiased: self.unbiased,
            share: self.reg_param,
            of_mean_variance: false,
            setting: "reg_param",
        })
    }

    /// A model with standard normal distributions.
    ///
    /// # Errors
    /// If a setting is out of range, or the data has no labels, one class or too many columns.
    pub fn init(&self, data: &DataSpec) -> Result<Box<dyn Model>> {
        Ok(Box::new(Joint(Discriminant::new(NAME, self.to_table(), self.rule()?, data)?)))
    }
}
