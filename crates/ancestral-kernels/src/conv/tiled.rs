//! A convolution and its gradients by tiles of bf16: lanes of weights are the left factor and places of
//! images the right one, so that a row of the product is a piece of an output plane.

use rayon::prelude::*;

use super::geometry::{Again, Geometry, Part, area, narrow, parts};
use crate::{
    amx::{Block, SIDE, Tile},
    flex,
    parallel::SharedPtr,
    precision::Products,
    simd::Isa,
    split::split,
    tiles::{Line, RUN, Side, Tiles, pack},
};

/// Pixels of pairs of images whose offsets the filter gradient lists at once.
const TOGETHER: usize = 4 * RUN;

impl Geometry {
    /// The tiles that products take, if `lanes` × `places` sums of `along` of them fill enough, and there
    /// are pairs along `axis`.
    fn tiles(&self, axis: usize, [lanes, places, along]: [usize; 3]) -> Option<Tiles> {
        match self.products {
            Products::Tiles(tiles) if axis > 1 && Tiles::suits([lanes, places, along]) => {
                Some(tiles)
            }
            _ => None,
        }
    }
}

/// `y` from `x`; `None` if tiles do not suit, or a number is not finite.
pub(super) fn forward(
    isa: Isa,
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> Option<Vec<f32>> {
    let (pixels, [r, s]) = (area(g.out), g.filter);
    let tiles = g.tiles(g.c, [g.k, g.n * pixels, g.taps()])?;
    let x = split(isa, x, [g.n, g.c, area(g.image)], tiles.parts);
    let weight = split(isa, weight, [g.k, g.c, r * s], tiles.parts);
    if !(x.finite && weight.finite) {
        return None;
    }
    let g = Geometry { c: g.c.div_ceil(2), ..*g };
    let image = g.c * area(g.image);
    let size = g.group(image);
    let parts = parts(
        [&g.down(0), &g.down(1)],
        Again { count: size, from: image },
        g.k * pixels,
        Again { count: g.c, from: area(g.image) },
        [g.image[1], g.out[1]],
        |c, a, b| (c * r + a) * s + b,
    );
    let lanes = Lanes { weights: &weight.parts, count: g.k, stride: g.taps() };
    let images = Images { count: g.n, together: size, values: &x.parts, len: image, pixels };
    // SAFETY: the parts are all pixels of a group of images.
    Some(unsafe { planes(tiles, &images, &parts, &lanes, bias) })
}

/// The gradient of `x` from that of `y`, or a transposed convolution of `y`; `None` as in [`forward`].
pub(super) fn data(
    isa: Isa,
    g: &Geometry,
    y: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> Option<Vec<f32>> {
    let (pixels, taps, [r, s]) = (area(g.image), g.taps(), g.filter);
    let tiles = g.tiles(g.k, [g.c, g.n * pixels, g.k * r * s])?;
    let y = split(isa, y, [g.n, g.k, area(g.out)], tiles.parts);
    let weight = split(isa, weight, [1, g.k, taps], tiles.parts);
    if !(y.finite && weight.finite) {
        return None;
    }
    let g = Geometry { k: g.k.div_ceil(2), ..*g };
    let image = g.k * area(g.out);
    let size = g.group(image);
    let parts = parts(
        [&g.up(0), &g.up(1)],
        Again { count: size, from: image },
        g.c * pixels,
        Again { count: g.k, from: area(g.out) },
        [g.out[1], g.image[1]],
        |k, a, b| k * taps + a * s + b,
    );
    let lanes = Lanes { weights: &weight.parts, count: g.c, stride: r * s };
    let images = Images { count: g.n, together: size, values: &y.parts, len: image, pixels };
    // SAFETY: the parts are all pixels of a group of images.
    Some(unsafe { planes(tiles, &images, &parts, &lanes, bias) })
}

/// Filters: the parts of weights, and how far one lane's are from the next one's.
struct Lanes<'a> {
    weights: &'a [Vec<f32>],
    count: usize,
    stride: usize,
}

/// Images that are read, `together` of them by one task.
struct Images<'a> {
    count: usize,
    together: usize,
    /// Of each part of the numbers, `len` for each image.
    values: &'a [Vec<f32>],
    len: usize,
    /// Of an output plane.
    pixels: usize,
}

/// The product of all lanes with all places, as planes \[images, lanes, pixels\]; `bias` has one value a
/// lane, or none.
///
/// # Safety
/// The parts must write all pixels of a group's planes, and no others.
unsafe fn planes(
    tiles: Tiles,
    images: &Images,
    parts: &[Part],
    lanes: &Lanes,
    bias: &[f32],
) -> Vec<f32> {
    let Images { count: n, together, pixels, len, .. } = *images;
    let blocks = lanes.count.div_ceil(Block::SIDE);
    // The filters of each part's taps: of each part of the numbers the blocks of lanes.
    let filters: Vec<Vec<Tile>> = parts.par_iter().map(|part| lanes.packed(tiles, part)).collect();
    let groups = n.div_ceil(together);
    let pieces = (8 / groups.max(1)).min(together * pixels / 64).max(1);
    let write = |out: *mut f32| {
        let out = SharedPtr(out);
        (0..groups * pieces).into_par_iter().for_each(|task| {
            let (first, piece) = (task / pieces * together, task % pieces);
            let count = together.min(n - first);
            let held = tiles.engine.hold();
            let mut packed = vec![Vec::new(); tiles.parts];
            let mut sums = vec![Block::ZERO; blocks];
            for (Part { at, to, steps }, filters) in parts.iter().zip(&filters) {
                let all = at.len() / together * count;
                let own = all * piece / pieces..all * (piece + 1) / pieces;
                let from: Vec<u32> = steps.iter().map(|step| step[0]).collect();
                let each = 2 * from.len().div_ceil(SIDE);
                let lines: Vec<Line> = from.chunks(RUN).map(Line::new).collect();
                let places = at[own.clone()].chunks(Block::SIDE).zip(to[own].chunks(Block::SIDE));
                for (at, to) in places {
                    sums.fill(Block::ZERO);
                    let rows = Line::new(at);
                    for (run, line) in lines.iter().enumerate() {
                        let begin = run * RUN / SIDE * 2;
                        let end = each.min(begin + RUN / SIDE * 2);
                        for (packed, values) in packed.iter_mut().zip(images.values) {
                            packed.resize(end - begin, Tile::ZERO);
                            let values = &values[first * len..(first + count) * len];
                            pack(Side::Right, values, &rows, line, packed);
                        }
                        for (block, sums) in sums.iter_mut().enumerate() {
                            let mut terms = [[&[][..]; 2]; 6];
                            for (term, [a, b]) in terms.iter_mut().zip(tiles.terms()) {
                                let filters = &filters[(a * blocks + block) * each..][..each];
                                *term = [&filters[begin..end], &packed[*b]];
                            }
                            held.multiply_add(&terms[..tiles.terms().len()], sums);
                        }
                    }
                    for lane in 0..lanes.count {
                        let line = &sums[lane / Block::SIDE].0[lane % Block::SIDE * Block::SIDE..];
                        let bias = bias.get(lane).copied().unwrap_or(0.0);
                        // SAFETY: groups of images do not overlap, nor do the places of their pieces.
                        unsafe {
                            let out = out.get().add((first * lanes.count + lane) * pixels);
                            for (&to, sum) in to.iter().zip(line) {
                                out.add(to as usize).write(sum + bias);
                            }
                        }
                    }
                }
            }
        });
    };
    // SAFETY: every group writes all of its images, as the caller guarantees.
    unsafe { flex::filled(n * lanes.count * pixels, write) }
}

impl Lanes<'_> {
    /// The weights of a part's steps.
    fn packed(&self, tiles: Tiles, part: &Part) -> Vec<Tile> {
        let steps: Vec<u32> = part.steps.iter().map(|step| step[1]).collect();
        let rows: Vec<u32> = (0..self.count).map(|lane| narrow(lane * self.stride)).collect();
        let (steps, each) = (Line::new(&steps), 2 * steps.len().div_ceil(SIDE));
        let blocks = rows.len().div_ceil(Block::SIDE);
        let mut packed = vec![Tile::ZERO; tiles.parts * blocks * each];
        for (i, tiles) in packed.chunks_mut(each.max(1)).enumerate() {
            let rows = Line::new(rows.chunks(Block::SIDE).nth(i % blocks).unwrap_or_default());
            pack(Side::Left, &self.weights[i / blocks], &rows, &steps, tiles);
        }
        packed
    }
}

/// The gradient of `weight`, from `x` and the gradient of `y`; `None` as in [`forward`].
pub(super) fn filters(isa: Isa, g: &Geometry, x: &[f32], y: &[f32]) -> Option<Vec<f32>> {
    let tiles = g.tiles(g.n, [g.k, g.taps(), g.n * area(g.out)])?;
    // Of padded images every tap meets every pixel.
    let (padded, g) = g.padded(x);
    let (image, pixels) = (area(g.image), area(g.out));
    let x = split(isa, &padded, [1, g.n, g.c * image], tiles.parts);
    let y = split(isa, y, [1, g.n, g.k * pixels], tiles.parts);
    if !(x.finite && y.finite) {
        return None;
    }
    let (n, taps, [r, s]) = (g.n.div_ceil(2), g.taps(), g.filter);
    let places: Vec<u32> = (0..taps)
        .map(|i| {
            let (c, a, b) = (i / (r * s), i / s % r, i % s);
            narrow(c * image + a * g.image[1] + b)
        })
        .collect();
    let lanes: Vec<u32> = (0..g.k).map(|k| narrow(k * pixels)).collect();
    // As many pairs of images together as fill a sum, and sums as long as they may be.
    let together = (TOGETHER / pixels).clamp(1, n.max(1));
    let steps = |of_pixel: &dyn Fn(usize) -> usize, each: usize| -> Vec<u32> {
        let pixel = |i: usize| narrow(i / pixels * each + of_pixel(i % pixels));
        (0..together * pixels).map(pixel).collect()
    };
    let read = |p: usize| p / g.out[1] * g.stride[0] * g.image[1] + p % g.out[1] * g.stride[1];
    let (of_x, of_y) = (g.c * image, g.k * pixels);
    let (from_x, from_y) = (steps(&read, of_x), steps(&|p| p, of_y));
    let (wide, high) = (taps.div_ceil(Block::SIDE), g.k.div_ceil(Block::SIDE));
    // Tasks of some blocks of taps, so that lanes are packed a few times only.
    let some = wide.div_ceil(4).max(1);
    let shares = wide.div_ceil(some);
    let write = |out: *mut f32| {
        let out = SharedPtr(out);
        (0..shares * high).into_par_iter().for_each(|task| {
            let (block, share) = (task / shares, task % shares);
            let own: Vec<&[u32]> =
                places.chunks(Block::SIDE).skip(share * some).take(some).collect();
            let rows = &lanes[block * Block::SIDE..g.k.min((block + 1) * Block::SIDE)];
            let columns: Vec<Line> = own.iter().map(|own| Line::new(own)).collect();
            let held = tiles.engine.hold();
            let mut sums = vec![Block::ZERO; own.len()];
            let (mut left, mut right) =
                (vec![Vec::new(); tiles.parts], vec![Vec::new(); tiles.parts]);
            let rows_of = Line::new(rows);
            for begin in (0..n).step_by(together) {
                let count = together.min(n - begin) * pixels;
                let chunks = from_x[..count].chunks(RUN).zip(from_y[..count].chunks(RUN));
                for (from_x, from_y) in chunks {
                    let (from_x, from_y, each) =
                        (Line::new(from_x), Line::new(from_y), 2 * from_x.len().div_ceil(SIDE));
                    for (left, y) in left.iter_mut().zip(&y.parts) {
                        left.resize(each, Tile::ZERO);
                        pack(Side::Left, &y[begin * of_y..], &rows_of, &from_y, left);
                    }
                    for (columns, sums) in columns.iter().zip(&mut sums) {
                        for (right, x) in right.iter_mut().zip(&x.parts) {
                            right.resize(each, Tile::ZERO);
                            pack(Side::Right, &x[begin * of_x..], columns, &from_x, right);
                        }
                        let mut terms = [[&[][..]; 2]; 6];
                        for (term, [a, b]) in terms.iter_mut().zip(tiles.terms()) {
                            *term = [&left[*a][..], &right[*b]];
                        }
                        held.multiply_add(&terms[..tiles.terms().len()], sums);
                    }
                }
            }
            for (i, (own, sums)) in own.iter().zip(&sums).enumerate() {
                let first = (share * some + i) * Block::SIDE;
                for (lane, sums) in sums.0.chunks_exact(Block::SIDE).enumerate().take(rows.len()) {
                    // SAFETY: tasks write different taps, or different lanes of the same.
                    unsafe {
                        let out = out.get().add((block * Block::SIDE + lane) * taps + first);
                        std::ptr::copy_nonoverlapping(sums.as_ptr(), out, own.len());
                    }
                }
            }
        });
    };
    // SAFETY: together the tasks write all taps of all lanes.
    Some(unsafe { flex::filled(g.weight_len(), write) })
}
