//! Models that tell classes apart.

pub mod features;
