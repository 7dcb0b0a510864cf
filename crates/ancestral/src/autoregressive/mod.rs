//! Autoregressive models: p(x) = Π p(x_d | x_<d), with each conditional computed by a network from the
//! previous entries. The likelihood of an example is exact.
//!
//! `sequential.rs` holds the sampler that they share: it samples and scores one dimension at a time.
//! `pixels` holds what models of images share that draw pixel after pixel.

pub mod deep_nade;
pub mod diagonal_bilstm;
pub mod fvsbn;
pub mod gated_pixel_cnn;
pub mod made;
pub mod nade;
mod order;
pub mod pixel_cnn;
mod pixels;
pub mod rnade;
pub mod row_lstm;
mod sequential;

pub use order::OrderName;

use crate::spec::KindName;

/// The kinds of columns of models for binary entries and levels.
const DISCRETE: &[KindName] = &[KindName::Binary, KindName::Levels];

/// Standardized entries are clamped to this where others are conditioned on them, so that no finite
/// input makes a hidden unit infinite; the entry's own density is not affected.
const CONDITION_LIMIT: f32 = 1e4;
