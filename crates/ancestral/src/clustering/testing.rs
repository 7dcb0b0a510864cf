//! Data and random numbers for the tests of this module.

use super::points::UniformStreams;

/// Random numbers by SplitMix64 (Steele, Lea and Flood 2014).
pub(super) struct Noise(u64);

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(super) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }

    pub(super) fn normals(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.normal()).collect()
    }

    /// A random order of `count` items.
    pub(super) fn permutation(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for i in (1..count).rev() {
            order.swap(i, (self.uniform() * (i + 1) as f64) as usize);
        }
        order
    }
}

/// Streams of [`Noise`].
pub(super) struct Streams(pub(super) u64);

impl UniformStreams for Streams {
    fn stream(&self, purpose: &str, item: u64) -> Box<dyn FnMut() -> f64> {
        let purpose = purpose.bytes().fold(7u64, |h, b| h.wrapping_mul(31) + u64::from(b));
        let mut noise = Noise::new(self.0 ^ (purpose << 20) ^ (item << 40));
        Box::new(move || noise.uniform())
    }
}

/// Normal blobs of `each` rows with standard deviation `spread` around centers on a circle of radius 10.
pub(super) fn blobs(clusters: usize, each: usize, spread: f64, seed: u64) -> Vec<f64> {
    let mut noise = Noise::new(seed);
    let mut out = Vec::with_capacity(clusters * each * 2);
    for row in 0..clusters * each {
        let angle = (row % clusters) as f64 / clusters as f64 * std::f64::consts::TAU;
        out.push(10.0 * angle.cos() + spread * noise.normal());
        out.push(10.0 * angle.sin() + spread * noise.normal());
    }
    out
}

/// Rows in another order.
pub(super) fn permuted<T: Copy>(values: &[T], columns: usize, order: &[usize]) -> Vec<T> {
    order.iter().flat_map(|&row| values[row * columns..(row + 1) * columns].to_vec()).collect()
}

/// Labels renamed by first appearance, so that equal partitions are equal.
pub(super) fn canonical(labels: &[Option<u32>]) -> Vec<Option<u32>> {
    let mut names = std::collections::BTreeMap::new();
    labels
        .iter()
        .map(|label| {
            label.map(|label| {
                let next = names.len() as u32;
                *names.entry(label).or_insert(next)
            })
        })
        .collect()
}

/// Labels in another order of rows.
pub(super) fn reordered<T: Copy>(items: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|&i| items[i]).collect()
}
