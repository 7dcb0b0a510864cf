//! CPU kernels with hand-written gradients, offered to Burn as backend extensions.
//!
//! The lowest layer of the project: it knows tensors and slices, and no model.
//!
//! - [`tanh`], [`sigmoid`], [`softplus`], [`exp`], [`log`]: elementwise, on tensors of any rank;
//!   [`vector`] has the same on slices, with the table of their errors.
//! - [`linear`]: a dense layer with its activation; [`linear_vjp`]: its vector-Jacobian product.
//! - [`conv2d`], [`conv_transpose2d`]: convolutions of images; [`batch_norm`] and [`layer_norm`],
//!   with an activation if wanted; [`leaky_relu`]; [`layer_norm_vjp`] and [`leaky_relu_vjp`], whose
//!   own gradients are second derivatives.
//! - [`masked_conv2d`]: a convolution of channels-last images by the taps that a mask leaves, and
//!   [`lstm_scan`]: an LSTM along the rows or the diagonals of images, whose two sides
//!   [`sum_of_sides`] adds; [`PixelConv`] and
//!   [`PixelLstm`]: the same one pixel at a time, for sampling.
//! - [`bernoulli_nll`]: the Bernoulli loss from logits, and [`bernoulli_log_probabilities`] the same
//!   on slices, in `f64`; [`bernoulli_log_likelihood`]: one example under thousands of latent codes,
//!   on slices; [`categorical_log_probability`]: levels under a softmax;
//!   [`level_log_probability`]: levels under distributions of reals; [`tilted_log_probability`]:
//!   levels under exponential tilts of a histogram.
//! - [`nade`]: a neural autoregressive distribution estimator, all dimensions in one pass.
//! - [`block_triangular_linear`]: a dense layer with a block-triangular weight matrix;
//!   [`batched_rows`]: layers for autoregressive sampling, one dimension at a time.
//! - [`Values`]: a tensor's values as a slice, without a copy.
//! - [`optim`]: steps of optimizers and sums, on slices.
//! - [`gather_bits`]: packs the bits of a bitset that a mask selects.
//! - [`keep_freed_memory`]: keeps freed memory in the process instead of returning it to the system.
//! - [`ThreadTuner`]: runs repeated work with the fastest number of threads.
//!
//! Tensors of `f32` on the Flex backend take the kernels; any other type or backend takes the same
//! formula composed of Burn's operations, gradient included, which is also what the kernels are
//! tested against. The instruction set is chosen at run time, or by
//! `ANCESTRAL_ISA` ([`Isa`]). No result depends on the number of threads.
//!
//! No kernel has process-wide state, except [`keep_freed_memory`] and, on processors with AMX, the leave to
//! use its tiles, which the system is asked for once. Work is distributed in the rayon
//! pool from which a kernel is called; outside any pool, rayon starts its global one, as for Burn's
//! own operations. So several trainings may run concurrently in one process, each with the bits that
//! it has alone.
#![allow(
    unsafe_code,
    reason = "vector instructions, and buffers written by several threads; each block says why it is sound"
)]

mod activation;
mod aligned;
mod amx;
mod autodiff;
pub mod batched_rows;
mod bernoulli;
mod bits;
mod block_triangular;
mod categorical;
mod conv;
mod elementwise;
mod flex;
mod gather;
mod gemm;
mod gemm_isa;
mod levels;
mod linear;
mod math;
mod matrix;
mod memory;
mod nade;
mod norm;
pub mod optim;
mod parallel;
mod precision;
mod raster;
mod simd;
mod sparse;
mod split;
mod thread_tuner;
mod tiles;
mod tilted;
pub mod vector;

pub use activation::Activation;
pub use bernoulli::{bernoulli_log_likelihood, bernoulli_log_probabilities, bernoulli_nll};
pub use bits::gather_bits;
pub use block_triangular::{BlockTriangularLinear, block_triangular_linear};
pub use categorical::categorical_log_probability;
pub use conv::{conv_transpose2d, conv2d};
pub use elementwise::{exp, log, relu, sigmoid, softplus, tanh};
pub use flex::Values;
pub use levels::{LOG_SCALES, LOGISTIC_COMPONENTS, Levels, level_log_probability};
pub use linear::{linear, linear_vjp};
pub use memory::keep_freed_memory;
pub use nade::{NadeForm, NadeParameters, NadeRows, NadeWeights, nade};
pub use norm::{batch_norm, layer_norm, layer_norm_vjp, leaky_relu, leaky_relu_vjp};
pub use precision::Precision;
pub use raster::{
    PixelConv, PixelLstm, PixelMap, Scan, Tap, lstm_scan, masked_conv2d, sum_of_sides,
};
pub use simd::{Isa, UnknownIsa};
pub use thread_tuner::ThreadTuner;
pub use tilted::{Tilt, tilted_log_probability};

/// The example of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
