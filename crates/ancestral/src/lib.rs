//! Generative models that are trained, sampled, scored and measured in one way.
//!
//! Every model draws ancestrally: parents first, then children (an image after its code, a pixel
//! after the pixels before it).
//! [`model`] says what a model can be asked and lists them all; the families live in modules of
//! their own; [`train`] holds the one loop and the run folder; [`evaluate`] measures; [`explain`]
//! shows points of the field by small experiments.

pub mod adversarial;
pub mod autoencoder;
pub mod autoregressive;
pub mod error;
pub mod evaluate;
pub mod explain;
pub mod likelihood;
pub mod model;
pub mod nn;
pub mod settings;
pub mod train;

pub use ancestral_kernels::keep_freed_memory;
pub use error::Error;

/// What the library's functions return.
pub type Result<T> = std::result::Result<T, Error>;
