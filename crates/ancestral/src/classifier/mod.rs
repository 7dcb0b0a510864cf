//! Models that tell classes apart.

pub mod features;
pub mod logistic;
