//! Generative adversarial networks: losses, penalties, normalization, conditioning and networks as
//! parts that combine freely, and presets under the names of the literature.

mod augment;
mod config;
mod critic;
pub mod gan;
mod layers;
pub mod losses;
mod networks;
mod normalization;
pub mod presets;

#[cfg(test)]
mod tests;
