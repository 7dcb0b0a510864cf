//! Counter-based random streams, one for each item.
//!
//! A random number depends on the seed, its purpose, the epoch and the index of the item, but not
//! on the position in a batch or on the thread. So random numbers are the same for any batch size,
//! number of threads and device, and a resumed run needs no saved generator state.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use sha2::{Digest, Sha256};

/// A family of random streams that share a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The seed.
    pub fn seed(self) -> u64 {
        self.seed
    }

    /// Fixes the purpose and the epoch; many items can then be drawn cheaply.
    pub fn purpose(self, purpose: &str, epoch: u64) -> Purpose {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(epoch.to_le_bytes());
        hash.update(purpose.as_bytes());
        Purpose { key: hash.finalize().into() }
    }

    /// The stream of one item: an example's number in the data set, or a sample's number.
    pub fn item(self, purpose: &str, epoch: u64, index: u64) -> ChaCha8Rng {
        self.purpose(purpose, epoch).item(index)
    }
}

/// Streams whose seed, purpose and epoch are fixed.
#[derive(Debug, Clone, Copy)]
pub struct Purpose {
    key: [u8; 32],
}

impl Purpose {
    /// The stream of one item.
    pub fn item(&self, index: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.key);
        rng.set_stream(index);
        rng
    }

    /// Standard normal numbers, `each` for every item in `indices`, row after row.
    pub fn normals(&self, indices: &[u64], each: usize) -> Vec<f32> {
        let mut out = vec![0.0; indices.len() * each];
        if each > 0 {
            for (row, &index) in out.chunks_exact_mut(each).zip(indices) {
                fill_normal(&mut self.item(index), row);
            }
        }
        out
    }

    /// Uniform numbers in (0, 1), `each` for every item in `indices`, row after row.
    pub fn uniforms(&self, indices: &[u64], each: usize) -> Vec<f32> {
        let mut out = vec![0.0; indices.len() * each];
        if each > 0 {
            for (row, &index) in out.chunks_exact_mut(each).zip(indices) {
                fill_uniform(&mut self.item(index), row);
            }
        }
        out
    }
}

/// Fills a row with standard normal numbers.
pub fn fill_normal(rng: &mut impl Rng, row: &mut [f32]) {
    for x in row {
        *x = StandardNormal.sample(rng);
    }
}

/// Fills a row with uniform numbers strictly between 0 and 1, so that their logarithms are finite.
pub fn fill_uniform(rng: &mut impl Rng, row: &mut [f32]) {
    const SCALE: f32 = 1.0 / (1 << 24) as f32;
    for x in row {
        // 23 random bits and a half step: never 0, never 1.
        *x = ((rng.next_u32() >> 9) as f32 * 2.0 + 1.0) * SCALE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_the_item_alone() {
        let streams = Streams::new(7).purpose("noise", 3);
        let all = streams.normals(&[0, 1, 2, 3], 5);
        let some = streams.normals(&[2], 5);
        assert_eq!(all[10..15], some[..]);
        assert_ne!(all[..5], all[5..10]);
        assert_ne!(all[..5], Streams::new(8).purpose("noise", 3).normals(&[0], 5)[..]);
        assert_ne!(all[..5], Streams::new(7).purpose("noise", 4).normals(&[0], 5)[..]);
        assert_ne!(all[..5], Streams::new(7).purpose("other", 3).normals(&[0], 5)[..]);
    }

    #[test]
    fn draws_have_their_moments() {
        let n = 200_000;
        let normal = Streams::new(1).purpose("n", 0).normals(&[0], n);
        let mean = normal.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
        let square = normal.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 4.0 / (n as f64).sqrt(), "{mean}");
        assert!((square - 1.0).abs() < 6.0 / (n as f64).sqrt(), "{square}");
        let uniform = Streams::new(1).purpose("u", 0).uniforms(&[0], n);
        assert!(uniform.iter().all(|&u| u > 0.0 && u < 1.0));
        let mean = uniform.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
        assert!((mean - 0.5).abs() < 2.0 / (n as f64).sqrt(), "{mean}");
    }
}
