//! Products of matrices by tiles.

use rayon::prelude::*;

use super::{Line, RUN, Side, Tiles, pack};
use crate::{
    amx::{Block, SIDE, Tile},
    matrix::Matrix,
    parallel::SharedPtr,
    simd::Isa,
    split::split,
};

/// Rows of blocks that a task multiplies with one column of them.
const TALL: usize = 8;

/// A factor in tiles: of each part the blocks of 32 rows, of each block two tiles for every 16 pairs.
struct Factor {
    tiles: Vec<Tile>,
    blocks: usize,
    /// Pairs along the sum.
    along: usize,
}

impl Factor {
    /// Of a matrix whose columns run along the sum; `None` if one of its numbers is not finite.
    fn new(isa: Isa, tiles: Tiles, side: Side, matrix: Matrix) -> Option<Self> {
        let Matrix { values, rows, columns, .. } = matrix;
        let along = columns.div_ceil(2);
        let lines = matrix.column_stride == 1;
        let sizes = if lines { [rows, columns, 1] } else { [1, columns, rows] };
        let found = split(isa, values, sizes, tiles.parts);
        if !found.finite {
            return None;
        }
        let [row, step] = if lines { [along, 1] } else { [1, rows] };
        let of =
            |count: usize, by: usize| (0..count).map(|i| (i * by) as u32).collect::<Vec<u32>>();
        let (rows, steps) = (of(rows, row), of(along, step));
        let steps = Line::new(&steps);
        let (blocks, each) = (rows.len().div_ceil(Block::SIDE), 2 * along.div_ceil(SIDE));
        let mut packed = vec![Tile::ZERO; tiles.parts * blocks * each];
        packed.par_chunks_mut(each.max(1)).enumerate().for_each(|(i, tiles)| {
            let (part, block) = (i / blocks, i % blocks);
            let first = block * Block::SIDE;
            let rows = Line::new(&rows[first..rows.len().min(first + Block::SIDE)]);
            pack(side, &found.parts[part], &rows, &steps, tiles);
        });
        Some(Self { tiles: packed, blocks, along })
    }

    /// Some pairs of a block, from a multiple of 16 on.
    fn of(&self, part: usize, block: usize, first: usize) -> &[Tile] {
        let each = 2 * self.along.div_ceil(SIDE);
        let tiles = &self.tiles[(part * self.blocks + block) * each..][..each];
        &tiles[first / SIDE * 2..each.min((first + RUN) / SIDE * 2)]
    }
}

/// a·b, written row after row to `out`; false, and nothing written, if a factor is not finite or huge.
///
/// # Safety
/// a.rows × b.columns values must be writable at `out`.
pub(crate) unsafe fn product(isa: Isa, tiles: Tiles, a: Matrix, b: Matrix, out: *mut f32) -> bool {
    assert_eq!(a.columns, b.rows, "the inner sizes of a product agree");
    let (m, n) = (a.rows, b.columns);
    // Offsets have 32 bits.
    if a.values.len().max(b.values.len()) > u32::MAX as usize {
        return false;
    }
    let factors = || {
        let left = Factor::new(isa, tiles, Side::Left, a)?;
        Some((left, Factor::new(isa, tiles, Side::Right, b.transposed())?))
    };
    let Some((left, right)) = factors() else { return false };
    let out = SharedPtr(out);
    let high = left.blocks.div_ceil(TALL);
    (0..right.blocks * high).into_par_iter().for_each(|task| {
        let (column, first) = (task / high, task % high * TALL);
        let held = tiles.engine.hold();
        for row in first..left.blocks.min(first + TALL) {
            let mut sums = Block::ZERO;
            for from in (0..left.along).step_by(RUN) {
                let mut terms = [[&[][..]; 2]; 6];
                for (term, [a, b]) in terms.iter_mut().zip(tiles.terms()) {
                    *term = [left.of(*a, row, from), right.of(*b, column, from)];
                }
                held.multiply_add(&terms[..tiles.terms().len()], &mut sums);
            }
            let (i, j) = (row * Block::SIDE, column * Block::SIDE);
            let wide = Block::SIDE.min(n - j);
            for (y, sums) in sums.0.chunks_exact(Block::SIDE).enumerate().take(m - i) {
                // SAFETY: inside of the output, and in this block alone.
                unsafe {
                    let to = out.get().add((i + y) * n + j);
                    std::ptr::copy_nonoverlapping(sums.as_ptr(), to, wide);
                }
            }
        }
    });
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{activation::Activation, amx::Engine, flex, precision::Products, tests::noise};

    fn by_tiles(tiles: Tiles, a: Matrix, b: Matrix) -> Option<Vec<f32>> {
        let mut written = false;
        // SAFETY: all values are written, or zeros.
        let found = unsafe {
            flex::filled(a.rows * b.columns, |out| {
                (0..a.rows * b.columns).for_each(|i| out.add(i).write(0.0));
                written = product(Isa::best(), tiles, a, b, out);
            })
        };
        written.then_some(found)
    }

    /// Every order of both factors at sizes around those of tiles, against sums in double precision: the
    /// roundings of factors and of sums, each relative to the sum of the magnitudes.
    #[test]
    fn products_are_those_of_f64_within_their_bounds() {
        for (m, n, k) in [
            (0, 3, 2),
            (3, 0, 2),
            (3, 2, 0),
            (1, 1, 1),
            (15, 16, 17),
            (16, 31, 33),
            (33, 15, 64),
            (31, 33, 31),
            (64, 48, 1025),
            (70, 41, 300),
            (300, 7, 40),
        ] {
            let (x, y) = (noise(1, m * k), noise(2, k * n));
            let turned = |values: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                let at = |i: usize| values[i % rows * columns + i / rows];
                (0..values.len()).map(at).collect()
            };
            let (xt, yt) = (turned(&x, m, k), turned(&y, k, n));
            let left = [Matrix::rows(&x, m, k), Matrix::rows(&xt, k, m).transposed()];
            let right = [Matrix::rows(&y, k, n), Matrix::rows(&yt, n, k).transposed()];
            for engine in Engine::available() {
                for (parts, each) in [(1, 2f64.powi(-7)), (2, 2f64.powi(-15)), (3, 2f64.powi(-23))]
                {
                    for (a, b) in left.iter().flat_map(|a| right.iter().map(move |b| (*a, *b))) {
                        let found = by_tiles(Tiles { engine, parts }, a, b).unwrap();
                        for (at, found) in found.iter().enumerate() {
                            let (i, j) = (at / n, at % n);
                            let pair = |t: usize| f64::from(x[i * k + t]) * f64::from(y[t * n + j]);
                            let exact: f64 = (0..k).map(pair).sum();
                            let scale: f64 = (0..k).map(|t| pair(t).abs()).sum();
                            let sums = (k as f64).sqrt() * 2f64.powi(-22);
                            let error = (f64::from(*found) - exact).abs();
                            assert!(
                                error <= scale * (each + sums) + 1e-30,
                                "{m} {n} {k} of {parts} by {engine:?} at {at}: {found}, {exact}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn more_parts_are_nearer() {
        let (m, n, k) = (32, 32, 256);
        let (x, y) = (noise(1, m * k), noise(2, k * n));
        let [a, b] = [Matrix::rows(&x, m, k), Matrix::rows(&y, k, n)];
        let error = |found: &[f32]| {
            let off = |at: usize| {
                let pair = |t: usize| f64::from(x[at / n * k + t]) * f64::from(y[t * n + at % n]);
                (f64::from(found[at]) - (0..k).map(pair).sum::<f64>()).powi(2)
            };
            (0..m * n).map(off).sum::<f64>().sqrt()
        };
        let single = error(&crate::gemm::product(Products::F32, a, b));
        for engine in Engine::available() {
            let of = |parts| error(&by_tiles(Tiles { engine, parts }, a, b).unwrap());
            let [one, two, three] = [of(1), of(2), of(3)];
            assert!(one > 100.0 * two && two > 5.0 * three, "{one} {two} {three}");
            // No farther than products of f32 are, but for the order of their sums.
            assert!(three < 2.0 * single, "{three}, {single}");
        }
    }

    #[test]
    fn layers_take_them_for_products_that_are_large_enough() {
        let (x, w, bias) = (noise(1, 40 * 64), noise(2, 64 * 48), noise(3, 48));
        let [a, b] = [Matrix::rows(&x, 40, 64), Matrix::rows(&w, 64, 48)];
        let affine =
            |products| crate::gemm::affine(Isa::best(), a, b, &bias, Activation::Relu, products);
        let exact = affine(Products::F32);
        for engine in Engine::available() {
            let rough = affine(Products::Tiles(Tiles { engine, parts: 1 }));
            assert!(rough != exact && rough.iter().zip(&exact).all(|(a, b)| (a - b).abs() < 0.1));
            let product = |products, rows| {
                let a = Matrix::rows(&x[..rows * 64], rows, 64);
                crate::gemm::product(products, a, b)
            };
            let tiles = Products::Tiles(Tiles { engine, parts: 1 });
            assert!(product(tiles, 40) != product(Products::F32, 40));
            assert!(product(tiles, 7) == product(Products::F32, 7));
        }
    }

    #[test]
    fn what_is_not_finite_is_left_to_others() {
        let y = noise(2, 64);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
            let mut x = noise(1, 64);
            x[17] = bad;
            let [a, b] = [&x, &y].map(|values| Matrix::rows(values, 8, 8));
            for engine in Engine::available() {
                for parts in 1..=3 {
                    let tiles = Tiles { engine, parts };
                    assert!(by_tiles(tiles, a, b).is_none() && by_tiles(tiles, b, a).is_none());
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_does_not_show() {
        let (x, y) = (noise(1, 300 * 700), noise(2, 700 * 100));
        for engine in Engine::available() {
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let tiles = Tiles { engine, parts: 2 };
                pool.install(|| {
                    by_tiles(tiles, Matrix::rows(&x, 300, 700), Matrix::rows(&y, 700, 100))
                })
                .unwrap()
            };
            let one = run(1);
            assert!(one == run(2) && one == run(5), "{engine:?}");
        }
    }
}
