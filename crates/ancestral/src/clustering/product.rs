//! Dot products between two sets of rows, blocked for registers and caches.

use super::points::Real;

/// Packed rows whose products are computed side by side.
const PANEL: usize = 8;
/// Other rows whose products are computed at once.
const TILE: usize = 4;

/// Rows `[count, columns]`, transposed in panels.
#[derive(Debug)]
pub(super) struct Packed<T> {
    /// `[panels, columns, PANEL]`, filled up with zeros.
    panels: Vec<T>,
    count: usize,
    columns: usize,
}

impl<T: Real> Packed<T> {
    /// Packs rows.
    pub(super) fn new(rows: &[T], columns: usize) -> Self {
        let count = rows.len() / columns;
        let mut panels = vec![T::default(); count.div_ceil(PANEL) * PANEL * columns];
        for (i, row) in rows.chunks_exact(columns).enumerate() {
            let panel = &mut panels[i / PANEL * PANEL * columns..];
            for (k, &x) in row.iter().enumerate() {
                panel[k * PANEL + i % PANEL] = x;
            }
        }
        Self { panels, count, columns }
    }

    /// The dot products of each of `rows` with each packed row, into `out` `[rows, count]`.
    ///
    /// A product has the same bits wherever its rows are.
    pub(super) fn dots(&self, rows: &[&[T]], out: &mut [T]) {
        let (columns, count) = (self.columns, self.count);
        for (p, panel) in self.panels.chunks_exact(PANEL * columns).enumerate() {
            let (panel, _) = panel.as_chunks::<PANEL>();
            let first = p * PANEL;
            let width = PANEL.min(count - first);
            for (tile, out) in rows.chunks(TILE).zip(out.chunks_mut(TILE * count)) {
                let mut place = |row: usize, sums: &[T; PANEL]| {
                    out[row * count + first..][..width].copy_from_slice(&sums[..width]);
                };
                if let &[a, b, c, d] = tile {
                    let sums = four(panel, [a, b, c, d]);
                    sums.iter().enumerate().for_each(|(row, sums)| place(row, sums));
                } else {
                    for (row, values) in tile.iter().enumerate() {
                        place(row, &one(panel, values));
                    }
                }
            }
        }
    }
}

fn four<T: Real>(panel: &[[T; PANEL]], [a, b, c, d]: [&[T]; TILE]) -> [[T; PANEL]; TILE] {
    let mut sums = [[T::default(); PANEL]; TILE];
    let rows = a.iter().zip(b).zip(c.iter().zip(d));
    for (packed, ((&a, &b), (&c, &d))) in panel.iter().zip(rows) {
        for (sums, x) in sums.iter_mut().zip([a, b, c, d]) {
            for (sum, &y) in sums.iter_mut().zip(packed) {
                *sum += x * y;
            }
        }
    }
    sums
}

fn one<T: Real>(panel: &[[T; PANEL]], row: &[T]) -> [T; PANEL] {
    let mut sums = [T::default(); PANEL];
    for (packed, &x) in panel.iter().zip(row) {
        for (sum, &y) in sums.iter_mut().zip(packed) {
            *sum += x * y;
        }
    }
    sums
}

/// The squared Euclidean distance of two rows, from their differences.
#[inline]
pub(super) fn squared_distance<T: Real>(a: &[T], b: &[T]) -> T {
    const LANES: usize = 16;
    let mut lanes = [T::default(); LANES];
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for l in 0..LANES {
            let difference = a[l] - b[l];
            lanes[l] += difference * difference;
        }
    }
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
        half /= 2;
    }
    let mut sum = lanes[0];
    for (&a, &b) in rest_a.iter().zip(rest_b) {
        let difference = a - b;
        sum += difference * difference;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::testing::Noise;
    use super::*;

    #[test]
    fn products_are_those_of_a_plain_loop_at_odd_sizes() {
        for (rows, count, columns) in [(1, 1, 1), (4, 8, 16), (7, 13, 5), (9, 3, 33), (130, 17, 2)]
        {
            let mut noise = Noise::new(3);
            let (a, b) = (noise.normals(rows * columns), noise.normals(count * columns));
            let mut out = vec![f64::NAN; rows * count];
            let rows: Vec<&[f64]> = a.chunks_exact(columns).collect();
            Packed::new(&b, columns).dots(&rows, &mut out);
            for (i, a) in a.chunks_exact(columns).enumerate() {
                for (j, b) in b.chunks_exact(columns).enumerate() {
                    let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                    assert!((out[i * count + j] - dot).abs() < 1e-12);
                    let apart: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
                    assert!((squared_distance(a, b) - apart).abs() < 1e-12 * apart);
                }
            }
        }
    }
}
