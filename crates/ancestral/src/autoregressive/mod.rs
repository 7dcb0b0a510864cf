//! Autoregressive models: p(x) = Π p(x_d | x_<d), each conditional a network of the entries before,
//! so that the probability of an example is exact.
//!
//! `sequential.rs` holds what they share: drawing and scoring entry after entry.

pub mod deep_nade;
pub mod fvsbn;
pub mod made;
pub mod nade;
mod order;
pub mod rnade;
mod sequential;

pub use order::OrderName;

use crate::spec::KindName;

/// The kinds of columns of models of binary entries and levels.
const DISCRETE: &[KindName] = &[KindName::Binary, KindName::Levels];

/// Standardized entries that others are conditioned on are held within this, so that no finite
/// input makes a hidden unit infinite; the entry's own density is not touched.
const CONDITION_LIMIT: f32 = 1e4;
