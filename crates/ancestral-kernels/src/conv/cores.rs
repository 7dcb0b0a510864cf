//! A convolution, its gradient for the data and its gradient for the filters, on slices.
//!
//! A transposed convolution is the gradient for the data, so that these three serve both.

use rayon::prelude::*;

use super::gather::{Frame, Gather, Panels, Spread, lanes};
use crate::{
    flex,
    gemm::{self, Matrix},
    parallel::SharedPtr,
    simd::Isa,
};

/// Sizes of a convolution from `x` \[n, c, height, width\] by `weight` \[k, c, r, s\] to `y`
/// \[n, k, output height, output width\].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) n: usize,
    pub(crate) c: usize,
    pub(crate) k: usize,
    /// Height and width of x, at least 1.
    pub(crate) image: [usize; 2],
    pub(crate) filter: [usize; 2],
    /// Height and width of y, at least 1.
    pub(crate) out: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
}

fn area([height, width]: [usize; 2]) -> usize {
    height * width
}

/// Values of a task's pictures: 256 KiB, a part of one core's second-level cache.
const TASK: usize = 65_536;

/// Steps of the filters' gradient that are laid out at a time.
const PIXELS: usize = 2048;

impl Geometry {
    pub(crate) fn x_len(&self) -> usize {
        self.n * self.c * area(self.image)
    }

    pub(crate) fn y_len(&self) -> usize {
        self.n * self.k * area(self.out)
    }

    /// Values of one filter.
    fn taps(&self) -> usize {
        self.c * area(self.filter)
    }

    pub(crate) fn weight_len(&self) -> usize {
        self.k * self.taps()
    }

    /// Whether a filter sees the whole picture, from one place: then all is one matrix product.
    fn covers(&self) -> bool {
        self.image == self.filter && self.out == [1, 1] && self.padding == [0, 0]
    }

    /// How many pictures a task takes, of `values` each.
    fn group(&self, values: usize) -> usize {
        (TASK / values.max(1)).min(self.n.div_ceil(16)).max(1)
    }

    /// Height and width of a padded picture, as far as filters see it.
    fn padded(&self) -> [usize; 2] {
        if self.padding == [0, 0] {
            return self.image;
        }
        [0, 1].map(|i| (self.out[i] - 1) * self.stride[i] + self.filter[i])
    }

    /// Copies planes into padded ones, whose borders are zero already.
    fn pad_into(&self, isa: Isa, source: &[f32], out: &mut [f32]) {
        let (offset, to) = (self.padding, self.padded());
        let take = [0, 1].map(|i| self.image[i].min(to[i].saturating_sub(offset[i])));
        isa.run(Frame { source, take, from: self.image, offset, to, out });
    }

    /// Where each output pixel of a padded picture begins to read.
    fn corners(&self) -> impl Iterator<Item = usize> {
        let ([height, width], [_, row], stride) = (self.out, self.padded(), self.stride);
        (0..height).flat_map(move |y| (0..width).map(move |x| y * stride[0] * row + x * stride[1]))
    }

    /// Where each tap reads, from there, in padded planes one after another.
    fn offsets(&self, channels: usize) -> impl Iterator<Item = usize> {
        let ([height, width], [r, s]) = (self.padded(), self.filter);
        (0..channels).flat_map(move |c| {
            (0..r).flat_map(move |y| (0..s).map(move |x| (c * height + y) * width + x))
        })
    }
}

/// The first `len` values of a buffer that holds zeros where nobody has written.
fn room(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

/// Offsets in the buffer of one task.
fn narrow(offsets: impl Iterator<Item = usize>) -> Vec<u32> {
    offsets.map(|offset| u32::try_from(offset).unwrap_or(u32::MAX)).collect()
}

/// Calls `work(first, count)` for groups of pictures, each call with a buffer that it may reuse.
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

/// One value a lane of a block, or none at all.
fn part(values: &[f32], first: usize, count: usize) -> &[f32] {
    if values.is_empty() { values } else { &values[first..first + count] }
}

/// `y` from `x`; `bias` has `k` values, or none.
pub(crate) fn forward(isa: Isa, g: &Geometry, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    assert!(x.len() == g.x_len() && weight.len() == g.weight_len(), "sizes fit");
    let taps = g.taps();
    if g.covers() {
        let weight = Matrix::rows(weight, g.k, taps).transposed();
        let mut y = gemm::product(Matrix::rows(x, g.n, taps), weight);
        add_bias(&mut y, bias, 1);
        return y;
    }
    if let Some(turned) = g.turned(isa) {
        return scattered(isa, &turned, x, &g.turn(weight), bias);
    }
    let panels = Panels::pack(isa, weight, &(0..taps).collect::<Vec<_>>(), taps, g.k);
    let (picture, pixels) = (g.c * area(g.image), area(g.out));
    let plane = g.c * area(g.padded());
    let size = g.group(plane);
    let steps = narrow(g.offsets(g.c));
    let at = narrow((0..size).flat_map(|i| g.corners().map(move |corner| i * plane + corner)));
    let to = narrow((0..size).flat_map(|i| (0..pixels).map(move |p| i * g.k * pixels + p)));
    let write = |out: *mut f32| {
        let out = SharedPtr(out);
        groups(
            g.n,
            size,
            Default::default,
            |(frame, rows): &mut (Vec<f32>, Vec<f32>), first, count| {
                let mut input = &x[first * picture..(first + count) * picture];
                if g.padding != [0, 0] {
                    let padded = room(frame, count * plane);
                    g.pad_into(isa, input, padded);
                    input = padded;
                }
                // SAFETY: groups of pictures do not overlap.
                let out = unsafe { out.get().add(first * g.k * pixels) };
                let (at, to) = (&at[..count * pixels], &to[..count * pixels]);
                products(isa, input, at, &steps, &panels, rows, |block, rows| {
                    let lane = panels.first(block);
                    let (width, valid) = (panels.width(block), panels.valid(block));
                    // SAFETY: the lanes' planes lie in the group's output.
                    let out = unsafe { out.add(lane * pixels) };
                    let bias = part(bias, lane, valid);
                    isa.run(Spread { rows, width, to, valid, plane: pixels, bias, out });
                });
            },
        );
    };
    // SAFETY: every group writes all of its pictures.
    unsafe { flex::filled(g.y_len(), write) }
}

/// The product with each block of panels, in `rows` from call to call.
fn products(
    isa: Isa,
    input: &[f32],
    at: &[u32],
    steps: &[u32],
    panels: &Panels,
    rows: &mut Vec<f32>,
    mut each: impl FnMut(usize, &[f32]),
) {
    for block in 0..panels.blocks() {
        let width = panels.width(block);
        let (panel, out) = (panels.of(block, 0), room(rows, at.len() * width));
        isa.run(Gather { input, at, steps, panel, width, out, accumulate: false });
        each(block, out);
    }
}

fn add_bias(values: &mut [f32], bias: &[f32], plane: usize) {
    if bias.is_empty() || plane == 0 {
        return;
    }
    for (values, bias) in values.chunks_mut(plane).zip(bias.iter().cycle()) {
        values.iter_mut().for_each(|value| *value += bias);
    }
}

/// The rows (or columns) of a picture that are `first` and a multiple of the stride further on:
/// all of them see the same taps.
struct Phase {
    first: usize,
    count: usize,
    /// The first tap; the others are the stride apart.
    tap: usize,
    taps: usize,
    /// Row i sees with its first tap row i + `shift` of y, with the next one the row before.
    shift: usize,
}

/// The phases of one direction, and how many zeros y needs before and after.
fn phases(g: &Geometry, axis: usize) -> (Vec<Phase>, [usize; 2]) {
    let (stride, padding) = (g.stride[axis], g.padding[axis]);
    let mut border = [0, 0];
    let phases = (0..stride.min(g.image[axis]))
        .map(|first| {
            let tap = (first + padding) % stride;
            let phase = Phase {
                first,
                count: (g.image[axis] - first).div_ceil(stride),
                tap,
                taps: g.filter[axis].saturating_sub(tap).div_ceil(stride),
                shift: (first + padding) / stride,
            };
            if phase.taps > 0 {
                border[0] = border[0].max((phase.taps - 1).saturating_sub(phase.shift));
                let last = phase.count - 1 + phase.shift;
                border[1] = border[1].max((last + 1).saturating_sub(g.out[axis]));
            }
            phase
        })
        .collect();
    (phases, border)
}

/// One product of the gradient for the data: the pixels of a phase in both directions.
struct Part {
    at: Vec<u32>,
    to: Vec<u32>,
    steps: Vec<u32>,
    panels: Panels,
}

/// The gradient for `x` from that for `y`, or a transposed convolution of `y`; `bias` has `c`
/// values, or none.
pub(crate) fn data(isa: Isa, g: &Geometry, y: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    assert!(y.len() == g.y_len() && weight.len() == g.weight_len(), "sizes fit");
    let taps = g.taps();
    if g.covers() {
        let mut x = gemm::product(Matrix::rows(y, g.n, g.k), Matrix::rows(weight, g.k, taps));
        add_bias(&mut x, bias, area(g.image));
        return x;
    }
    if g.scatters(isa) {
        return scattered(isa, g, y, weight, bias);
    }
    let [r, s] = g.filter;
    let ((tall, top), (wide, side)) = (phases(g, 0), phases(g, 1));
    let [height, width] = [g.out[0] + top[0] + top[1], g.out[1] + side[0] + side[1]];
    let (picture, pixels) = (g.k * area(g.out), area(g.image));
    let plane = g.k * height * width;
    let size = g.group(plane);
    let parts: Vec<Part> = tall
        .iter()
        .flat_map(|tall| wide.iter().map(move |wide| (tall, wide)))
        .map(|(tall, wide)| {
            // From the last tap on, whose place is the first, so that no offset is negative.
            let each = |phase: &Phase, border: [usize; 2]| -> (usize, Vec<usize>) {
                let begin = border[0] + phase.shift - phase.taps.saturating_sub(1);
                (begin, (0..phase.taps).rev().collect())
            };
            let ((y0, down), (x0, across)) = (each(tall, top), each(wide, side));
            let (mut steps, mut starts) = (Vec::new(), Vec::new());
            for k in 0..g.k {
                for (i, &a) in down.iter().enumerate() {
                    for (j, &b) in across.iter().enumerate() {
                        steps.push((k * height + i) * width + j);
                        let (a, b) = (tall.tap + a * g.stride[0], wide.tap + b * g.stride[1]);
                        starts.push(k * taps + a * s + b);
                    }
                }
            }
            let places = |f: &dyn Fn(usize, usize, usize) -> usize| {
                let rows = (0..size).flat_map(|i| (0..tall.count).map(move |y| (i, y)));
                narrow(rows.flat_map(|(i, y)| (0..wide.count).map(move |x| f(i, y, x))))
            };
            Part {
                at: places(&|i, y, x| i * plane + (y0 + y) * width + x0 + x),
                to: places(&|i, y, x| {
                    let (y, x) = (tall.first + y * g.stride[0], wide.first + x * g.stride[1]);
                    i * g.c * pixels + y * g.image[1] + x
                }),
                steps: narrow(steps.into_iter()),
                panels: Panels::pack(isa, weight, &starts, r * s, g.c),
            }
        })
        .collect();
    let write = |out: *mut f32| {
        let out = SharedPtr(out);
        groups(
            g.n,
            size,
            Default::default,
            |(frame, rows): &mut (Vec<f32>, Vec<f32>), first, count| {
                let mut input = &y[first * picture..(first + count) * picture];
                if [height, width] != g.out {
                    let (offset, to) = ([top[0], side[0]], [height, width]);
                    let out = room(frame, count * plane);
                    isa.run(Frame { source: input, take: g.out, from: g.out, offset, to, out });
                    input = out;
                }
                // SAFETY: groups of pictures do not overlap.
                let out = unsafe { out.get().add(first * g.c * pixels) };
                for Part { at, to, steps, panels } in &parts {
                    let (at, to) = (&at[..at.len() / size * count], &to[..to.len() / size * count]);
                    products(isa, input, at, steps, panels, rows, |block, rows| {
                        let lane = panels.first(block);
                        let (width, valid) = (panels.width(block), panels.valid(block));
                        // SAFETY: the lanes' planes lie in the group's output.
                        let out = unsafe { out.add(lane * pixels) };
                        let bias = part(bias, lane, valid);
                        isa.run(Spread { rows, width, to, valid, plane: pixels, bias, out });
                    });
                }
            },
        );
    };
    // SAFETY: the phases are all pixels of a picture, and every group writes all of its pictures.
    unsafe { flex::filled(g.x_len(), write) }
}

impl Geometry {
    /// Whether so few channels come out of [`data`] that they would leave most lanes empty.
    fn scatters(&self, isa: Isa) -> bool {
        let (n, taps) = (lanes(isa), area(self.filter));
        self.c.next_multiple_of(n) * taps >= 2 * (self.c * taps).next_multiple_of(n)
    }

    /// A convolution with stride 1 as the transposed one with turned filters, where few channels
    /// come out.
    fn turned(&self, isa: Isa) -> Option<Self> {
        let fits = (0..2).all(|i| self.padding[i] < self.filter[i]);
        let turned = Self {
            c: self.k,
            k: self.c,
            image: self.out,
            out: self.image,
            padding: [0, 1].map(|i| self.filter[i].saturating_sub(1 + self.padding[i])),
            ..*self
        };
        (self.stride == [1, 1] && fits && turned.scatters(isa)).then_some(turned)
    }

    /// Its filters.
    fn turn(&self, weight: &[f32]) -> Vec<f32> {
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
fn scattered(isa: Isa, g: &Geometry, y: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let (taps, pixels, picture) = (g.taps(), area(g.out), g.k * area(g.out));
    let starts: Vec<usize> = (0..g.k).map(|k| k * taps).collect();
    let panels = Panels::pack(isa, weight, &starts, 1, taps);
    let size = g.group(picture);
    let steps = narrow((0..g.k).map(|k| k * pixels));
    let at = narrow((0..size).flat_map(|i| (0..pixels).map(move |p| i * picture + p)));
    // All that filters reach, which may be less than the padded picture, or more than the picture.
    let padded = [0, 1].map(|i| (g.out[i] - 1) * g.stride[i] + g.filter[i]);
    let reach = Geometry { image: padded, padding: [0, 0], ..*g };
    let (corners, lanes) = (narrow(reach.corners()), narrow(reach.offsets(g.c)));
    let plane = g.c * area(padded);
    let write = |out: *mut f32| {
        let out = SharedPtr(out);
        groups(
            g.n,
            size,
            Default::default,
            |(sums, rows): &mut (Vec<f32>, Vec<f32>), first, count| {
                let input = &y[first * picture..(first + count) * picture];
                sums.clear();
                sums.resize(count * plane, 0.0);
                products(
                    isa,
                    input,
                    &at[..count * pixels],
                    &steps,
                    &panels,
                    rows,
                    |block, rows| {
                        let (width, valid) = (panels.width(block), panels.valid(block));
                        let lanes = &lanes[panels.first(block)..][..valid];
                        for (sums, rows) in sums.chunks_mut(plane).zip(rows.chunks(pixels * width))
                        {
                            for (&corner, row) in corners.iter().zip(rows.chunks(width)) {
                                let sums = &mut sums[corner as usize..];
                                for (&lane, value) in lanes.iter().zip(row) {
                                    sums[lane as usize] += value;
                                }
                            }
                        }
                    },
                );
                for (i, sums) in sums.chunks(area(padded)).enumerate() {
                    let bias = if bias.is_empty() { 0.0 } else { bias[i % g.c] };
                    // SAFETY: groups of pictures do not overlap, and a plane has this many values.
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
    // SAFETY: every group writes all of its pictures.
    unsafe { flex::filled(g.x_len(), write) }
}

/// The gradient for `weight`, from `x` and the gradient for `y`.
pub(crate) fn filters(isa: Isa, g: &Geometry, x: &[f32], y: &[f32]) -> Vec<f32> {
    assert!(x.len() == g.x_len() && y.len() == g.y_len(), "sizes fit");
    let taps = g.taps();
    if g.covers() {
        let y = Matrix::rows(y, g.n, g.k).transposed();
        return gemm::product(y, Matrix::rows(x, g.n, taps));
    }
    let (picture, pixels, filter) = (area(g.image), area(g.out), area(g.filter));
    let starts: Vec<usize> =
        (0..g.n).flat_map(|n| (0..pixels).map(move |p| n * g.k * pixels + p)).collect();
    let panels = Panels::pack(isa, y, &starts, pixels, g.k);
    // A task takes some channels, and all pictures in an order of its own.
    let channels = g.c.div_ceil(16).max(1);
    let shares = g.c.div_ceil(channels);
    // With few channels, the blocks of lanes are shared out as well.
    let split = if shares < 4 { panels.blocks() } else { 1 };
    let plane = area(g.padded());
    let count = (PIXELS / pixels).min(TASK / (channels * plane)).clamp(1, g.n.max(1));
    let at = narrow(g.offsets(channels));
    let steps = narrow(
        (0..count).flat_map(|i| g.corners().map(move |corner| i * channels * plane + corner)),
    );
    let write = |out: *mut f32| {
        let out = SharedPtr(out);
        (0..shares * split).into_par_iter().for_each(|task| {
            let first = task / split * channels;
            let own = channels.min(g.c - first);
            let blocks =
                if split > 1 { task % split..task % split + 1 } else { 0..panels.blocks() };
            let at = &at[..own * filter];
            let mut sums: Vec<Vec<f32>> =
                blocks.clone().map(|b| vec![0.0; at.len() * panels.width(b)]).collect();
            let mut input = vec![0.0; count * channels * plane];
            for begin in (0..g.n).step_by(count) {
                let count = count.min(g.n - begin);
                for (n, frame) in (begin..begin + count).zip(input.chunks_mut(channels * plane)) {
                    let from = (n * g.c + first) * picture;
                    g.pad_into(isa, &x[from..from + own * picture], frame);
                }
                for (block, sums) in blocks.clone().zip(&mut sums) {
                    isa.run(Gather {
                        input: &input,
                        at,
                        steps: &steps[..count * pixels],
                        panel: panels.of(block, begin * pixels),
                        width: panels.width(block),
                        out: sums,
                        accumulate: true,
                    });
                }
            }
            let to: Vec<u32> = narrow(0..at.len());
            for (block, sums) in blocks.zip(&sums) {
                let (width, valid) = (panels.width(block), panels.valid(block));
                // SAFETY: tasks write different taps, or different lanes of the same.
                let out = unsafe { out.get().add(panels.first(block) * taps + first * filter) };
                isa.run(Spread { rows: sums, width, to: &to, valid, plane: taps, bias: &[], out });
            }
        });
    };
    // SAFETY: together the tasks write all taps of all channels.
    unsafe { flex::filled(g.weight_len(), write) }
}
