//! Models trained against a critic: losses, penalties, normalisations, conditioning and networks as
//! parts that combine freely, and presets that carry the names people know.

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
