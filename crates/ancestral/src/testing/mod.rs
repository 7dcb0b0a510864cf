//! The conformance suite: checks that every model must pass, for models of this library and for
//! user-defined
//! ones.
//!
//! A [`Case`] is a model with settings on small data; [`check_all`] runs all checks over some cases:
//!
//! ```
//! use ancestral::testing::{Case, check_all, small_data};
//! use ancestral::{Registry, spec};
//! use ancestral_data::{Domain, Shape};
//!
//! let registry = Registry::standard();
//! let data = small_data(Domain::Binary, Shape::columns(6))?;
//! let case = Case::new("bernoulli", Default::default(), data);
//! check_all(&registry, &[case])?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`CHECKS`] lists the checks, which can be run separately.

mod batches;
mod case;
mod checks;
mod classifier;
mod clusterer;
mod columns;
mod declared;
mod density;
mod discriminator;
mod estimator;
mod latent;
mod problem;
mod sampler;
mod schema;
mod settings;
mod trainable;
mod weights;

pub use case::{Case, small_data};
pub use checks::{CHECKS, Check, check, check_all, check_entry, check_settings};
pub use density::changed_terms;
pub use problem::{Failure, Problem};
