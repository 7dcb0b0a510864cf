//! Models with an encoder and a decoder.

pub mod ae;
mod network;
mod normal;
pub mod vae;
