//! Trains, samples, scores and evaluates generative models behind one interface.
//!
//! A variational autoencoder of handwritten digits:
//!
//! ```
//! use ancestral::prelude::*;
//!
//! fn main() -> ancestral::Result<()> {
//! #   let dir = tempfile::tempdir().unwrap();
//! #   std::env::set_current_dir(dir.path()).unwrap();
//!     let digits = Dataset::open("digits")?;
//!     let config = VaeConfig { latent_dims: vec![8], ..VaeConfig::default() };
//!     let training = TrainConfig { epochs: 2, ..TrainConfig::default() };
//!     let spec = RunSpec::new(&config, &digits).binarize(Binarize::Dynamic).training(&training);
//!     let vae = Session::new().train(&spec)?.run;
//!     let test = vae.examples(SplitName::Test)?;
//!     println!("−log p(x) ≤ {:.2} nats", vae.evaluate(&test)?.nll_nats);
//!     let lowest = vae.score(&test)?.into_iter().fold(f64::INFINITY, f64::min);
//!     println!("the least probable test digit: log p(x) ≥ {lowest:.2} nats");
//!     let images = vae.sample(16, 0)?;
//!     vae.save("digits-vae")?;
//!     assert_eq!(Run::load("digits-vae")?.sample(16, 0)?, images);
//!     Ok(())
//! }
//! ```
//!
//! A [`RunSpec`](run::RunSpec) specifies a run: typed settings of the model and of training, and
//! the data. A [`Session`](run::Session) trains it, in memory or in a folder from which it can be
//! resumed. A [`Run`](run::Run) is the trained model with its configuration.
//!
//! Below these, [`model`] defines the traits of models and [`registry`] lists all models; each
//! family has its own module; [`train`] has the training loop, [`evaluate`] the metrics, `report`
//! the plots, and `explain` demonstrations of concepts. Every model is sampled ancestrally: parents
//! first, then children (an image after its latent code, a pixel after the pixels before it).

pub mod adversarial;
pub mod autoencoder;
pub mod autoregressive;
pub mod classifier;
pub mod clustering;
pub mod columns;
pub mod distributions;
pub mod environment;
pub mod error;
pub mod evaluate;
#[cfg(feature = "plot")]
pub mod explain;
pub mod likelihood;
pub mod memory;
pub mod model;
pub mod nn;
pub mod optim;
pub mod prelude;
pub mod registry;
pub mod regression;
#[cfg(feature = "plot")]
pub mod report;
pub mod rules;
pub mod run;
pub mod settings;
pub mod spec;
pub mod special;
mod terms;
#[cfg(feature = "testing")]
pub mod testing;
pub mod train;

pub use ancestral_kernels::keep_freed_memory;
pub use error::Error;
pub use registry::Registry;

/// The result type of the library.
pub type Result<T> = std::result::Result<T, Error>;

/// The example of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
