//! Packs pairs of bf16 into tiles.

use crate::amx::{SIDE, Tile};

/// Which factor of a product tiles are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// A row of a tile is one of the factor's.
    Left,
    /// A column of a tile is one of the factor's.
    Right,
}

/// Offsets of rows or of steps of a sum, with runs of those that follow one another in memory.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    at: &'a [u32],
    /// First and length; none goes from one tile to the next.
    runs: Vec<[usize; 2]>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(at: &'a [u32]) -> Self {
        let mut runs: Vec<[usize; 2]> = Vec::with_capacity(at.len().div_ceil(SIDE));
        for (i, &offset) in at.iter().enumerate() {
            match runs.last_mut() {
                Some([_, len]) if i % SIDE != 0 && at[i - 1] + 1 == offset => *len += 1,
                _ => runs.push([i, 1]),
            }
        }
        Self { at, runs }
    }
}

/// Packs source\[rows\[i\] + steps\[t\]\], of at most 32 rows, into two tiles for every 16 steps, filled
/// up with zeros.
pub(crate) fn pack(side: Side, source: &[f32], rows: &Line, steps: &Line, tiles: &mut [Tile]) {
    let (count, along) = (rows.at.len(), steps.at.len());
    assert!(count <= 2 * SIDE && tiles.len() == 2 * along.div_ceil(SIDE), "the tiles fit");
    if count < 2 * SIDE || !along.is_multiple_of(SIDE) {
        tiles.fill(Tile::ZERO);
    }
    // By what has the fewer runs.
    let by_steps = steps.runs.len() * count <= rows.runs.len() * along;
    let (outer, inner) = if by_steps { (rows, steps) } else { (steps, rows) };
    // Whether runs are rows of tiles, else their columns.
    let in_line = by_steps == (side == Side::Left);
    for &[first, len] in &inner.runs {
        let begin = inner.at[first] as usize;
        for (i, &offset) in outer.at.iter().enumerate() {
            let (row, step) = if by_steps { (i, first) } else { (first, i) };
            let tile = &mut tiles[step / SIDE * 2 + row / SIDE].0;
            let from = &source[begin + offset as usize..][..len];
            let (i, first) = (i % SIDE, first % SIDE);
            match (in_line, <&[f32; SIDE]>::try_from(from)) {
                (true, Ok(line)) => tile[i * SIDE..][..SIDE].copy_from_slice(line),
                (true, Err(_)) => tile[i * SIDE + first..][..len].copy_from_slice(from),
                (false, _) => {
                    for (to, value) in tile[first * SIDE + i..].iter_mut().step_by(SIDE).zip(from) {
                        *to = *value;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_at_its_place_and_the_rest_is_zero() {
        // In runs along rows, along steps, along neither, and of every length.
        let spread = |n: u32, by: u32| (0..n).map(|i| i * by).collect::<Vec<u32>>();
        let broken = |n: u32| (0..n).map(|i| i + i / 7 * 100).collect::<Vec<u32>>();
        let source: Vec<f32> = (0..40_000).map(|i| i as f32 + 1.0).collect();
        for (rows, steps) in [
            (spread(32, 50), spread(48, 1)),
            (spread(17, 1), spread(33, 64)),
            (spread(5, 3), spread(1, 1)),
            (broken(31), spread(15, 700)),
            (spread(32, 300), broken(40)),
            (spread(0, 1), spread(3, 1)),
        ] {
            for side in [Side::Left, Side::Right] {
                let mut tiles = vec![Tile([7.0; 256]); 2 * steps.len().div_ceil(SIDE)];
                pack(side, &source, &Line::new(&rows), &Line::new(&steps), &mut tiles);
                for (t, tile) in tiles.iter().enumerate() {
                    for (place, &value) in tile.0.iter().enumerate() {
                        let (i, j) = match side {
                            Side::Left => (place / SIDE, place % SIDE),
                            Side::Right => (place % SIDE, place / SIDE),
                        };
                        let (row, step) = (t % 2 * SIDE + i, t / 2 * SIDE + j);
                        let expected = match (rows.get(row), steps.get(step)) {
                            (Some(row), Some(step)) => source[(row + step) as usize],
                            _ => 0.0,
                        };
                        assert_eq!(value, expected, "{side:?}, {row} {step}");
                    }
                }
            }
        }
    }
}
