//! Univariate distributions and their maximum-likelihood estimates.
//!
//! A family is one file with its formulas: log-density, both tails, quantile, support, starts. The
//! base does the rest: [`fit`](mod@fit) checks the rows, standardizes their unit, climbs by Newton's
//! method with exact derivatives ([`scalar`]), recognizes limits that are other families, and reports
//! standard errors by the observed information and profile-likelihood intervals.
//!
//! Log-likelihoods are in nats and in the units of the data.

pub mod error;
pub mod family;
pub mod fit;
pub mod likelihood;
pub mod newton;
pub mod profile;
pub mod quantile;
pub mod sample;
pub mod scalar;
pub mod special;
pub mod summary;

pub mod beta;
pub mod exponential;
pub mod gamma;
pub mod log_normal;
pub mod negative_binomial;
pub mod normal;
pub mod poisson;
pub mod student_t;
pub mod weibull;

#[cfg(test)]
mod tests;

pub use error::{Error, Result};
pub use family::{Distribution, Family};
pub use fit::{Boundary, Estimate, Fit, FitOptions};
pub use sample::Sample;

/// All families without settings of their own, in the order of listings.
pub fn all() -> Vec<Box<dyn Distribution>> {
    vec![
        Box::new(normal::Normal),
        Box::new(exponential::Exponential),
        Box::new(gamma::Gamma),
        Box::new(beta::Beta),
        Box::new(weibull::Weibull),
        Box::new(log_normal::LogNormal),
        Box::new(poisson::Poisson),
        Box::new(negative_binomial::NegativeBinomial),
        Box::new(student_t::StudentT),
    ]
}

/// A family by its name.
pub fn by_name(name: &str) -> Option<Box<dyn Distribution>> {
    all().into_iter().find(|family| family.name() == name)
}
