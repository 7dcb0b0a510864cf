//! A convolution, its input gradient and its filter gradient, on slices.
//!
//! A transposed convolution is the input gradient of a convolution, so that these three serve both.

use rayon::prelude::*;

use super::{
    geometry::{Again, Geometry, Part, TASK, area, narrow, parts},
    tiled,
};
use crate::{
    flex,
    gather::{Gather, Panels, Spread, Unit, lanes},
    gemm,
    matrix::Matrix,
    parallel::SharedPtr,
    precision::Products,
    simd::Isa,
    split::split,
};

/// Steps of the filter gradient that are packed together.
const PIXELS: usize = 2048;

/// The first `len` values of a scratch buffer, which is extended with zeros.
fn scratch(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

/// Calls `work(first, count)` for groups of images, each call with a buffer that it may reuse.
fn groups<B: Send>(
    n: usize,
    size: usize,
    buffer: impl Fn() -> B + Sync + Send,
    work: impl Fn(&mut B, usize, usize) + Sync + Send,
) {
    (0..n.div_ceil(size)).into_par_iter().for_each_init(buffer, |buffer, i| {
        work(buffer, i * size, size.min(n - i * size));
    });
}

/// One value for each lane of a block, or none.
fn part(values: &[f32], first: usize, count: usize) -> &[f32] {
    if values.is_empty() { values } else { &values[first..first + count] }
}

/// `y` from `x`; `bias` has `k` values, or none.
pub(crate) fn forward(isa: Isa, g: &Geometry, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    assert!(x.len() == g.x_len() && weight.len() == g.weight_len(), "sizes fit");
    let taps = g.taps();
    if g.covers() {
        let weight = Matrix::rows(weight, g.k, taps).transposed();
        let mut y = gemm::product(g.products, Matrix::rows(x, g.n, taps), weight);
        add_bias(&mut y, bias, 1);
        return y;
    }
    if let Some(y) = tiled::forward(isa, g, x, weight, bias) {
        return y;
    }
    if g.pairs(g.c) {
        let x = pairs(isa, x, [g.n, g.c, area(g.image)]);
        let weight = pairs(isa, weight, [g.k, g.c, area(g.filter)]);
        let halved = Geometry { c: g.c.div_ceil(2), ..*g };
        return forward_by(Unit { isa, pairs: true }, &halved, &x, &weight, bias);
    }
    forward_by(Unit { isa, pairs: false }, g, x, weight, bias)
}

/// [`forward`] by sums of single products, or of pairs of channels, which then count as one channel.
fn forward_by(unit: Unit, g: &Geometry, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let (isa, taps) = (unit.isa, g.taps());
    if let Some(flipped) = g.flipped(isa) {
        return scattered(unit, &flipped, x, &g.flip(weight), bias);
    }
    let panels = Panels::pack(isa, weight, &(0..taps).collect::<Vec<_>>(), taps, g.k);
    let (image, pixels, [r, s]) = (g.c * area(g.image), area(g.out), g.filter);
    let size = g.group(image);
    let parts = parts(
        [&g.down(0), &g.down(1)],
        Again { count: size, from: image },
        g.k * pixels,
        Again { count: g.c, from: area(g.image) },
        [g.image[1], g.out[1]],
        |c, a, b| (c * r + a) * s + b,
    );
    // SAFETY: the parts are all pixels of a group of images.
    unsafe { images(unit, g.n, size, &parts, &panels, (x, image), (g.k, pixels), bias) }
}

/// Runs the parts for groups of `size` images of `image` values each in the input, into planes
/// of `pixels` values.
///
/// # Safety
/// The parts must write all pixels of a group's planes, and no others.
#[allow(clippy::too_many_arguments, reason = "two images and what leads from one to the other")]
unsafe fn images(
    unit: Unit,
    n: usize,
    size: usize,
    parts: &[Part],
    panels: &Panels,
    (input, image): (&[f32], usize),
    (channels, pixels): (usize, usize),
    bias: &[f32],
) -> Vec<f32> {
    // Few groups are split by places; all are split by blocks of lanes.
    let (groups, blocks) = (n.div_ceil(size), panels.blocks());
    let pieces = (8 / groups.max(1)).min(size * pixels / 64).max(1);
    let write = |out: *mut f32| {
        let out = SharedPtr(out);
        (0..groups * pieces * blocks).into_par_iter().for_each_init(Vec::new, |rows, task| {
            let (task, block) = (task / blocks, task % blocks);
            let (first, piece) = (task / pieces * size, task % pieces);
            let (lane, width, valid) =
                (panels.first(block), panels.width(block), panels.valid(block));
            let count = size.min(n - first);
            let input = &input[first * image..(first + count) * image];
            // SAFETY: groups of images do not overlap, nor do the places of their pieces or the
            // planes of blocks.
            let out = unsafe { out.get().add((first * channels + lane) * pixels) };
            let bias = part(bias, lane, valid);
            for Part { at, to, steps } in parts {
                let all = at.len() / size * count;
                let own = all * piece / pieces..all * (piece + 1) / pieces;
                let (at, to) = (&at[own.clone()], &to[own]);
                let rows = product(unit, input, at, steps, panels, block, rows);
                unit.isa.run(Spread { rows, width, to, valid, plane: pixels, bias, out });
            }
        });
    };
    // SAFETY: every group writes all of its images, as the caller guarantees.
    unsafe { flex::filled(n * channels * pixels, write) }
}

/// The product with a block of panels, in `rows`.
fn product<'a>(
    unit: Unit,
    input: &[f32],
    at: &[u32],
    steps: &[[u32; 2]],
    panels: &Panels,
    block: usize,
    rows: &'a mut Vec<f32>,
) -> &'a [f32] {
    let width = panels.width(block);
    let (panel, out) = (panels.of(block, 0), scratch(rows, at.len() * width));
    unit.run(Gather { input, at, steps, panel, width, out, accumulate: false });
    out
}

fn add_bias(values: &mut [f32], bias: &[f32], plane: usize) {
    if bias.is_empty() || plane == 0 {
        return;
    }
    for (values, bias) in values.chunks_mut(plane).zip(bias.iter().cycle()) {
        values.iter_mut().for_each(|value| *value += bias);
    }
}

/// The gradient of `x` from that of `y`, or a transposed convolution of `y`; `bias` has `c`
/// values, or none.
pub(crate) fn data(isa: Isa, g: &Geometry, y: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    assert!(y.len() == g.y_len() && weight.len() == g.weight_len(), "sizes fit");
    let taps = g.taps();
    if g.covers() {
        let (y, weight) = (Matrix::rows(y, g.n, g.k), Matrix::rows(weight, g.k, taps));
        let mut x = gemm::product(g.products, y, weight);
        add_bias(&mut x, bias, area(g.image));
        return x;
    }
    if let Some(x) = tiled::data(isa, g, y, weight, bias) {
        return x;
    }
    if g.pairs(g.k) {
        let y = pairs(isa, y, [g.n, g.k, area(g.out)]);
        let weight = pairs(isa, weight, [1, g.k, taps]);
        let halved = Geometry { k: g.k.div_ceil(2), ..*g };
        return data_by(Unit { isa, pairs: true }, &halved, &y, &weight, bias);
    }
    data_by(Unit { isa, pairs: false }, g, y, weight, bias)
}

/// [`data`] by sums of single products, or of pairs of channels, which then count as one channel.
fn data_by(unit: Unit, g: &Geometry, y: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let (isa, taps) = (unit.isa, g.taps());
    if g.scatters(isa) {
        return scattered(unit, g, y, weight, bias);
    }
    // Taps in the order in which they are read: those that meet the same pixels together.
    let ([r, s], [down, across]) = (g.filter, g.stride);
    let mut starts = Vec::with_capacity(g.k * r * s);
    let mut places = vec![0; g.k * r * s];
    for (a, b) in (0..down.min(r)).flat_map(|a| (0..across.min(s)).map(move |b| (a, b))) {
        for k in 0..g.k {
            for a in (a..r).step_by(down).rev() {
                for b in (b..s).step_by(across).rev() {
                    places[(k * r + a) * s + b] = starts.len();
                    starts.push(k * taps + a * s + b);
                }
            }
        }
    }
    let panels = Panels::pack(isa, weight, &starts, r * s, g.c);
    let (image, pixels) = (g.k * area(g.out), area(g.image));
    let size = g.group(image);
    let parts = parts(
        [&g.up(0), &g.up(1)],
        Again { count: size, from: image },
        g.c * pixels,
        Again { count: g.k, from: area(g.out) },
        [g.out[1], g.image[1]],
        |k, a, b| places[(k * r + a) * s + b],
    );
    // SAFETY: the parts are all pixels of a group of images.
    unsafe { images(unit, g.n, size, &parts, &panels, (y, image), (g.c, pixels), bias) }
}

/// Numbers rounded to bf16, two by two along the middle axis.
fn pairs(isa: Isa, values: &[f32], sizes: [usize; 3]) -> Vec<f32> {
    split(isa, values, sizes, 1).parts.swap_remove(0)
}

impl Geometry {
    /// Whether sums along an axis of this length take pairs.
    fn pairs(&self, axis: usize) -> bool {
        self.products == Products::Pairs && axis > 1
    }

    /// Whether [`data`] has so few output channels that most lanes would be empty.
    fn scatters(&self, isa: Isa) -> bool {
        let (n, taps) = (lanes(isa), area(self.filter));
        self.c.next_multiple_of(n) * taps >= 2 * (self.c * taps).next_multiple_of(n)
    }

    /// A convolution with stride 1 as a transposed one with flipped filters, if it has few output
    /// channels.
    fn flipped(&self, isa: Isa) -> Option<Self> {
        let fits = (0..2).all(|i| self.padding[i] < self.filter[i]);
        let flipped = Self {
            c: self.k,
            k: self.c,
            image: self.out,
            out: self.image,
            padding: [0, 1].map(|i| self.filter[i].saturating_sub(1 + self.padding[i])),
            ..*self
        };
        (self.stride == [1, 1] && fits && flipped.scatters(isa)).then_some(flipped)
    }

    /// The flipped filters.
    fn flip(&self, weight: &[f32]) -> Vec<f32> {
        let taps = area(self.filter);
        (0..self.c * self.k * taps)
            .map(|i| {
                let (c, k, tap) = (i / (self.k * taps), i / taps % self.k, i % taps);
                weight[(k * self.c + c) * taps + taps - 1 - tap]
            })
            .collect()
    }
}

/// [`data`] for few channels: lanes are channels and taps, and each value is added to its pixel.
fn scattered(unit: Unit, g: &Geometry, y: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let (taps, pixels, image) = (g.taps(), area(g.out), g.k * area(g.out));
    let starts: Vec<usize> = (0..g.k).map(|k| k * taps).collect();
    let panels = Panels::pack(unit.isa, weight, &starts, 1, taps);
    let size = g.group(image);
    let steps: Vec<[u32; 2]> = (0..g.k).map(|k| [narrow(k * pixels), narrow(k)]).collect();
    let at = (0..size).flat_map(|i| (0..pixels).map(move |p| narrow(i * image + p)));
    let at: Vec<u32> = at.collect();
    // The area that filters cover, which may be less than the padded image, or more than the image.
    let padded = [0, 1].map(|i| (g.out[i] - 1) * g.stride[i] + g.filter[i]);
    let [height, row] = padded;
    let corner = |i: usize| {
        let (y, x) = (i / g.out[1], i % g.out[1]);
        y * g.stride[0] * row + x * g.stride[1]
    };
    let corners: Vec<usize> = (0..pixels).map(corner).collect();
    let lane = |i: usize| {
        let (c, r, s) = (i / area(g.filter), i / g.filter[1] % g.filter[0], i % g.filter[1]);
        (c * height + r) * row + s
    };
    let lanes: Vec<usize> = (0..taps).map(lane).collect();
    let plane = g.c * area(padded);
    let write = |out: *mut f32| {
        let out = SharedPtr(out);
        groups(
            g.n,
            size,
            Default::default,
            |(sums, rows): &mut (Vec<f32>, Vec<f32>), first, count| {
                let input = &y[first * image..(first + count) * image];
                sums.clear();
                sums.resize(count * plane, 0.0);
                let at = &at[..count * pixels];
                for block in 0..panels.blocks() {
                    let rows = product(unit, input, at, &steps, &panels, block, rows);
                    let (width, valid) = (panels.width(block), panels.valid(block));
                    let lanes = &lanes[panels.first(block)..][..valid];
                    for (sums, rows) in sums.chunks_mut(plane).zip(rows.chunks(pixels * width)) {
                        for (&corner, row) in corners.iter().zip(rows.chunks(width)) {
                            let sums = &mut sums[corner..];
                            for (&lane, value) in lanes.iter().zip(row) {
                                sums[lane] += value;
                            }
                        }
                    }
                }
                for (i, sums) in sums.chunks(area(padded)).enumerate() {
                    let bias = if bias.is_empty() { 0.0 } else { bias[i % g.c] };
                    // SAFETY: groups of images do not overlap, and a plane has this many values.
                    let plane = unsafe {
                        let begin = out.get().add((first * g.c + i) * area(g.image));
                        std::slice::from_raw_parts_mut(
                            begin.cast::<std::mem::MaybeUninit<f32>>(),
                            area(g.image),
                        )
                    };
                    let [top, left] = g.padding;
                    for (y, row) in plane.chunks_mut(g.image[1]).enumerate() {
                        let sums = sums.chunks(padded[1]).nth(y + top).unwrap_or_default();
                        for (x, value) in row.iter_mut().enumerate() {
                            value.write(sums.get(x + left).map_or(bias, |sum| sum + bias));
                        }
                    }
                }
            },
        );
    };
    // SAFETY: every group writes all of its images.
    unsafe { flex::filled(g.x_len(), write) }
}

/// The gradient of `weight`, from `x` and the gradient of `y`.
pub(crate) fn filters(isa: Isa, g: &Geometry, x: &[f32], y: &[f32]) -> Vec<f32> {
    assert!(x.len() == g.x_len() && y.len() == g.y_len(), "sizes fit");
    let taps = g.taps();
    if g.covers() {
        let y = Matrix::rows(y, g.n, g.k).transposed();
        return gemm::product(g.products, y, Matrix::rows(x, g.n, taps));
    }
    if let Some(weight) = tiled::filters(isa, g, x, y) {
        return weight;
    }
    if g.pairs(g.n) {
        let x = pairs(isa, x, [1, g.n, g.c * area(g.image)]);
        let y = pairs(isa, y, [1, g.n, g.k * area(g.out)]);
        let halved = Geometry { n: g.n.div_ceil(2), ..*g };
        return filters_by(Unit { isa, pairs: true }, &halved, &x, &y);
    }
    filters_by(Unit { isa, pairs: false }, g, x, y)
}

/// [`filters`] by sums of single products, or of pairs of images, which then count as one image.
fn filters_by(unit: Unit, g: &Geometry, x: &[f32], y: &[f32]) -> Vec<f32> {
    let (isa, taps) = (unit.isa, g.taps());
    if g.padding != [0, 0] && g.c <= 8 {
        // Few channels have few taps, too few to split them by pixels.
        let (x, padded) = g.padded(x);
        return filters_by(unit, &padded, &x, y);
    }
    let (image, pixels, filter) = (area(g.image), area(g.out), area(g.filter));
    let starts: Vec<usize> =
        (0..g.n).flat_map(|n| (0..pixels).map(move |p| n * g.k * pixels + p)).collect();
    let panels = Panels::pack(isa, y, &starts, pixels, g.k);
    // A task takes some channels and a block of lanes, and all images in a fixed order. A
    // tile has a row for each channel and tap of a part, and fewer would read panels too often.
    let channels = g.c.div_ceil(8).max(1);
    let (shares, blocks) = (g.c.div_ceil(channels), panels.blocks());
    let count = (PIXELS / pixels).min(TASK / (channels * image)).clamp(1, g.n.max(1));
    let parts = parts(
        [&g.across(0), &g.across(1)],
        Again { count: channels, from: image },
        filter,
        Again { count, from: channels * image },
        [g.image[1], g.filter[1]],
        |i, y, x| i * pixels + y * g.out[1] + x,
    );
    let write = |out: *mut f32| {
        let out = SharedPtr(out);
        (0..shares * blocks).into_par_iter().for_each(|task| {
            let (first, block) = (task / blocks * channels, task % blocks);
            let own = channels.min(g.c - first);
            let (lane, width, valid) =
                (panels.first(block), panels.width(block), panels.valid(block));
            // The sums of each part; a last, smaller share has fewer rows.
            let rows = |part: &Part| part.at.len() / channels * own;
            let mut sums: Vec<Vec<f32>> =
                parts.iter().map(|part| vec![0.0; rows(part) * width]).collect();
            let mut input = Vec::with_capacity(count * channels * image);
            for begin in (0..g.n).step_by(count) {
                let some = count.min(g.n - begin);
                // Contiguous, or images of a power-of-two size would compete for the same cache lines.
                input.clear();
                for n in begin..begin + some {
                    let from = (n * g.c + first) * image;
                    input.extend_from_slice(&x[from..from + own * image]);
                    input.resize(input.len() + (channels - own) * image, 0.0);
                }
                for (part, sums) in parts.iter().zip(&mut sums) {
                    unit.run(Gather {
                        input: &input,
                        at: &part.at[..rows(part)],
                        steps: &part.steps[..part.steps.len() / count * some],
                        panel: panels.of(block, begin * pixels),
                        width,
                        out: sums,
                        accumulate: true,
                    });
                }
            }
            for (part, sums) in parts.iter().zip(&sums) {
                let to = &part.to[..rows(part)];
                // SAFETY: tasks write different taps, or different lanes of the same.
                let out = unsafe { out.get().add(lane * taps + first * filter) };
                isa.run(Spread { rows: sums, width, to, valid, plane: taps, bias: &[], out });
            }
        });
    };
    // SAFETY: together the tasks write all taps of all channels.
    unsafe { flex::filled(g.weight_len(), write) }
}
