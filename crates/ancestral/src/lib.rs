//! Generative models that are trained, sampled, scored and measured in one way.
//!
//! Every model draws ancestrally: parents first, then children (an image after its code, a pixel
//! after the pixels before it).
//! [`model`] says what a model can be asked and [`registry`] lists them all; the families live in
//! modules of their own; [`train`] holds the one loop and the run folder; [`evaluate`] measures;
//! [`explain`] demonstrates concepts of the field.

pub mod adversarial;
pub mod autoencoder;
pub mod autoregressive;
pub mod classifier;
pub mod columns;
pub mod distributions;
pub mod error;
pub mod evaluate;
#[cfg(feature = "plot")]
pub mod explain;
pub mod likelihood;
pub mod memory;
pub mod model;
pub mod nn;
pub mod optim;
pub mod registry;
#[cfg(feature = "plot")]
pub mod report;
pub mod run;
pub mod settings;
pub mod spec;
pub mod train;

pub use ancestral_kernels::keep_freed_memory;
pub use error::Error;
pub use registry::Registry;

/// What the library's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// The example of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
