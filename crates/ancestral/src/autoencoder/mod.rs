//! Models with an encoder and a decoder.

pub mod vae;
