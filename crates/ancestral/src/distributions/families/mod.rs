//! Univariate distributions and their maximum-likelihood estimates.
//!
//! A family is one file with its formulas: log-density, both tails, quantile, support, starts. The
//! base does the rest: [`fit`](mod@fit) checks the rows, standardizes their unit, climbs by Newton's
//! method with exact derivatives ([`scalar`]), recognizes limits that are other families, and reports
//! standard errors by the observed information and profile-likelihood intervals.
//!
//! Log-likelihoods are in nats and in the units of the data.
//!
//! [`Distribution`] is the face of a family, object-safe; [`family::Family`] holds its formulas and is
//! imported by those who write one. [`binomial::Binomial`] needs its number of trials and is not among
//! [`all`].

pub mod compare;
pub mod distribution;
pub mod error;
pub mod expansion;
pub mod family;
pub mod fit;
pub mod gof;
pub mod inference;
pub mod likelihood;
pub mod located;
pub mod newton;
pub mod passes;
pub mod profile;
pub mod rows;
pub mod sample;
pub mod scalar;
pub mod section;
pub use crate::special;
pub mod summary;

pub mod beta;
pub mod binomial;
pub mod cauchy;
pub mod chi_squared;
pub mod exponential;
pub mod gamma;
pub mod generalized_extreme_value;
pub mod generalized_pareto;
pub mod geometric;
pub mod gumbel;
pub mod half_normal;
pub mod inverse_gamma;
pub mod inverse_gaussian;
pub mod laplace;
pub mod log_logistic;
pub mod log_normal;
pub mod logistic;
pub mod negative_binomial;
pub mod normal;
pub mod pareto;
pub mod poisson;
pub mod rayleigh;
pub mod skew_normal;
pub mod student_t;
pub mod uniform;
pub mod von_mises;
pub mod weibull;
pub mod zero_inflated_poisson;

#[cfg(test)]
mod tests;

pub use distribution::{Distribution, OfParameters};
pub use error::{Error, Result};
pub use family::Family;
pub use fit::{Boundary, Estimate, Fit, FitOptions};
pub use sample::{Sample, Walk};

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
        Box::new(inverse_gamma::InverseGamma),
        Box::new(logistic::Logistic),
        Box::new(log_logistic::LogLogistic),
        Box::new(cauchy::Cauchy),
        Box::new(gumbel::Gumbel),
        Box::new(half_normal::HalfNormal),
        Box::new(rayleigh::Rayleigh),
        Box::new(chi_squared::ChiSquared),
        Box::new(geometric::Geometric),
        Box::new(inverse_gaussian::InverseGaussian),
        Box::new(zero_inflated_poisson::ZeroInflatedPoisson),
        Box::new(laplace::Laplace),
        Box::new(uniform::Uniform),
        Box::new(pareto::Pareto),
        Box::new(von_mises::VonMises),
        Box::new(generalized_extreme_value::GeneralizedExtremeValue),
        Box::new(generalized_pareto::GeneralizedPareto),
        Box::new(skew_normal::SkewNormal),
    ]
}

/// A family by its name.
pub fn by_name(name: &str) -> Option<Box<dyn Distribution>> {
    let name = full_name(name);
    all().into_iter().find(|family| family.name() == name)
}

/// The name of a family, given by it or by a longer one.
pub fn full_name(name: &str) -> &str {
    match name {
        "generalized-extreme-value" => "gev",
        "generalized-pareto" => "gpd",
        other => other,
    }
}
