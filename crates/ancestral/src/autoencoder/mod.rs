//! Models with an encoder and a decoder.

mod network;
mod normal;
pub mod vae;
