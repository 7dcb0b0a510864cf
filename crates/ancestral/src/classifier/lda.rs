//! Linear discriminant analysis (Fisher 1936; Hastie, Tibshirani and Friedman 2009, section 4.3): a normal
//! distribution for each class, with one covariance of all,
//!
//! p(x, y = k) = π_k N(x; μ_k, Σ),
//!
//! with the shares π_k and means μ_k of the training examples of each class, and the covariance Σ of the
//! deviations from these means, in closed form. Boundaries between classes are linear, as those of
//! logistic regression, which needs no density. The likelihood is exact.
//!
//! Σ has the divisor n (maximum likelihood), or n − K for K classes with `unbiased = true`. Columns that
//! are constant within all classes or linearly dependent are an error; with `shrinkage` s, as in
//! scikit-learn, Σ becomes (1 − s) Σ + s tr(Σ)/d I for d columns (Ledoit and Wolf 2004).
//!
//! Discrete columns are treated as real numbers, so that the result is a density.

use toml::Table;

use super::discriminant::{self, Discriminant, KINDS, Rule};
use super::joint::{CAPABILITIES, Joint, TASKS};
use crate::model::{DataSpec, Learning, Model, ModelConfig, ModelEntry};
use crate::settings::Settings;
use crate::{Result, settings};

const NAME: &str = "lda";

settings! {
    /// Settings of linear discriminant analysis.
    pub struct LdaConfig {
        /// Shrinkage s of the covariance, as in scikit-learn: it becomes (1 − s) times itself plus s times
        /// the mean variance on the diagonal.
        pub shrinkage: f64 = 0.0, in 0.0..=1.0;
        /// Whether the covariance has the divisor n − K, for n examples of K classes, instead of n, which is
        /// that of maximum likelihood.
        pub unbiased: bool = false;
    }
}

/// The entry of `lda`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: NAME,
        about: "linear discriminant analysis: a normal distribution for each class, with one covariance",
        paper: "Fisher 1936",
        tasks: TASKS,
        capabilities: CAPABILITIES,
        validation: &[],
        learning: Learning::Fit,
        kinds: KINDS,
        size: |table, data| discriminant::size(NAME, LdaConfig::from_table(table)?.rule()?, data),
        presets: &[],
        fields: LdaConfig::fields,
        train: |_| Table::new(),
        complete: |_, _| {},
        build: |table, data, _| LdaConfig::from_table(table)?.init(data),
    }
}

impl ModelConfig for LdaConfig {
    fn model_name(&self) -> &'static str {
        NAME
    }
}

impl LdaConfig {
    fn rule(&self) -> Result<Rule> {
        self.check_values()?;
        Ok(Rule {
            pooled: true,
            unbiased: self.unbiased,
            share: self.shrinkage,
            of_mean_variance: true,
            setting: "shrinkage",
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
