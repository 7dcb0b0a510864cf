//! The order in which a model takes the entries of an example.

use ancestral_data::Streams;
use rand::seq::SliceRandom;

use crate::{Error, Result};

/// Entry numbers in the order they are drawn.
///
/// # Errors
/// If the name is none of raster, reversed and random.
pub(super) fn parse(name: &str, seed: u64, size: usize) -> Result<Vec<usize>> {
    match name {
        "raster" => Ok((0..size).collect()),
        "reversed" => Ok((0..size).rev().collect()),
        "random" => Ok(random(Streams::new(seed), "order", 0, size)),
        other => Err(Error::setting(
            "order",
            format!("'{other}'"),
            "choose raster, reversed or random (with order_seed)",
        )),
    }
}

/// A uniformly drawn order.
pub(super) fn random(streams: Streams, purpose: &str, index: u64, size: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..size).collect();
    order.shuffle(&mut streams.item(purpose, 0, index));
    order
}

/// Rows of entries, put in order.
pub(super) fn permuted(values: &[f32], order: &[usize]) -> Vec<f32> {
    if order.iter().enumerate().all(|(place, &entry)| place == entry) {
        return values.to_vec();
    }
    let rows = values.chunks_exact(order.len().max(1));
    rows.flat_map(|row| order.iter().map(|&entry| row[entry])).collect()
}
