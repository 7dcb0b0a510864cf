//! The ordering of the entries of an example.

use ancestral_data::{Shape, Streams};
use rand::seq::SliceRandom;

use crate::choices;

choices! {
    /// An ordering of the entries of an example.
    pub enum OrderName {
        /// row by row; of images, one channel after another
        Raster = "raster",
        /// row by row, the channels of a pixel together
        RgbRaster = "rgb-raster",
        /// from the last entry to the first
        Reversed = "reversed",
        /// random, by order_seed
        Random = "random",
    }
}

impl OrderName {
    /// The numbers of the entries in this ordering.
    pub(super) fn entries(self, seed: u64, shape: &Shape) -> Vec<usize> {
        let size = shape.size();
        match (self, shape.as_image()) {
            (Self::RgbRaster, Some([channels, height, width])) => {
                let area = height * width;
                let pixel = |p| (0..channels).map(move |channel| channel * area + p);
                (0..area).flat_map(pixel).collect()
            }
            (Self::Raster | Self::RgbRaster, _) => (0..size).collect(),
            (Self::Reversed, _) => (0..size).rev().collect(),
            (Self::Random, _) => random(Streams::new(seed), "order", 0, size),
        }
    }
}

/// A uniformly random ordering.
pub(super) fn random(streams: Streams, purpose: &str, index: u64, size: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..size).collect();
    order.shuffle(&mut streams.item(purpose, 0, index));
    order
}

/// Rows of entries, permuted from data order to `order`.
pub(super) fn permuted(values: &[f64], order: &[usize]) -> Vec<f64> {
    if order.iter().enumerate().all(|(place, &entry)| place == entry) {
        return values.to_vec();
    }
    let rows = values.chunks_exact(order.len().max(1));
    rows.flat_map(|row| order.iter().map(|&entry| row[entry])).collect()
}

/// Rows that were permuted, back in data order.
pub(super) fn restored(values: &[f64], order: &[usize]) -> Vec<f64> {
    let mut all = vec![0.0; values.len()];
    let size = order.len().max(1);
    for (row, from) in all.chunks_exact_mut(size).zip(values.chunks_exact(size)) {
        order.iter().zip(from).for_each(|(&entry, &value)| row[entry] = value);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_channels_of_a_pixel_can_stand_together() {
        let entries = |order: OrderName, shape| order.entries(0, &shape);
        let image = Shape::image(3, 1, 2);
        assert_eq!(entries(OrderName::RgbRaster, image.clone()), [0, 2, 4, 1, 3, 5]);
        assert_eq!(entries(OrderName::Raster, image), [0, 1, 2, 3, 4, 5]);
        assert_eq!(entries(OrderName::RgbRaster, Shape::columns(3)), [0, 1, 2]);
        let mut drawn = entries(OrderName::Random, Shape::columns(9));
        assert_ne!(drawn, (0..9).collect::<Vec<_>>());
        drawn.sort_unstable();
        assert_eq!(drawn, (0..9).collect::<Vec<_>>());
    }
}
