//! Synthetic color images: a disc on a ground, whose channels depend on each other at every pixel.
//!
//! Ground and disc have a level of red and a tint each. Of a pixel, with normal noise ε and levels cut
//! off at both ends: R = red + 1.6 ε, G = 0.8 R + 1.1 + tint + 0.7 ε, B = 5.5 + R − G + 0.4 ε, all
//! rounded. So G depends on R, and B on both together, much more than on R alone.

use rand::Rng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::{DataError, Dataset, Domain, Shape, Split, Streams, Values};

/// Examples of the training, validation and test split.
const COUNTS: [usize; 3] = [2_000, 300, 500];
/// The side in pixels, and the levels of a channel.
const SIDE: usize = 12;
const LEVELS: u32 = 12;

/// Draws the set, the same one always.
pub(crate) fn discs(name: &str) -> Result<Dataset, DataError> {
    let streams = Streams::new(0).purpose("toy discs", 0);
    let mut first = 0;
    let [train, valid, test] = COUNTS.map(|count| {
        let images = first..first + count as u64;
        first = images.end;
        let values = images.flat_map(|index| image(&mut streams.item(index))).collect();
        Split { values: Values::Bytes(values), labels: None }
    });
    let shape = Shape::image(3, SIDE, SIDE);
    Dataset::new(name, Domain::Levels(LEVELS), shape, train, Some(valid), Some(test))
}

/// An image `[channel, row, column]`.
fn image(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let area = SIDE * SIDE;
    let mut image = vec![0; 3 * area];
    let ground = [between(1.0, 10.0, rng), between(-3.0, 3.0, rng)];
    // A red that differs from the ground's.
    let red = (ground[0] + between(3.0, 6.0, rng)) % 9.0 + 1.0;
    let disc = [red, between(-3.0, 3.0, rng)];
    let center = [0, 1].map(|_| between(3.5, 8.5, rng));
    let radius = between(2.5, 4.5, rng);
    for pixel in 0..area {
        let off = [pixel / SIDE, pixel % SIDE].map(|at| at as f64 + 0.5);
        let inside = (off[0] - center[0]).hypot(off[1] - center[1]) < radius;
        let [red, tint] = if inside { disc } else { ground };
        let r = level(red + 1.6 * normal(rng));
        let g = level(0.8 * r + 1.1 + tint + 0.7 * normal(rng));
        let b = level(5.5 + r - g + 0.4 * normal(rng));
        for (channel, value) in [r, g, b].into_iter().enumerate() {
            image[channel * area + pixel] = value as u8;
        }
    }
    image
}

fn level(value: f64) -> f64 {
    value.round().clamp(0.0, f64::from(LEVELS - 1))
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn between(low: f64, high: f64, rng: &mut ChaCha8Rng) -> f64 {
    // 53 random bits.
    let share = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    low + (high - low) * share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitName;

    #[test]
    fn channels_depend_on_each_other_as_described() {
        let data = discs("discs").unwrap();
        let splits = [SplitName::Train, SplitName::Valid, SplitName::Test];
        assert_eq!(splits.map(|split| data.len(split)), COUNTS);
        assert_eq!((data.domain, data.shape.dims()), (Domain::Levels(12), &[3, 12, 12][..]));
        // So runs made elsewhere find it again.
        assert_eq!(&data.fingerprint()[..16], "319080d9eb526637");
        let split = data.split(SplitName::Train).unwrap().clone();
        let Values::Bytes(values) = &split.values else { unreachable!("levels") };
        let area = SIDE * SIDE;
        let (mut off, mut n) = (0.0, 0.0);
        for image in values.chunks_exact(3 * area) {
            for pixel in 0..area {
                let [r, g, b] = [0, 1, 2].map(|c| f64::from(image[c * area + pixel]));
                if (1.0..=10.0).contains(&b) {
                    off += (b - 5.5 - r + g).powi(2);
                    n += 1.0;
                }
            }
        }
        // The noise, and rounding.
        assert!((off / n - 0.16 - 1.0 / 12.0).abs() < 0.05, "{}", off / n);
        assert!(n > 0.9 * values.len() as f64 / 3.0, "{n}");
    }
}
