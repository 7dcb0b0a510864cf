//! Sizes of convolutions, and which products their sums have.

use rayon::prelude::*;

use crate::precision::Products;

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
    pub(crate) products: Products,
}

pub(super) fn area([height, width]: [usize; 2]) -> usize {
    height * width
}

/// Values of a task's images: 256 KiB, a part of one core's second-level cache.
pub(super) const TASK: usize = 65_536;

impl Geometry {
    pub(crate) fn x_len(&self) -> usize {
        self.n * self.c * area(self.image)
    }

    pub(crate) fn y_len(&self) -> usize {
        self.n * self.k * area(self.out)
    }

    /// Values of one filter.
    pub(super) fn taps(&self) -> usize {
        self.c * area(self.filter)
    }

    pub(crate) fn weight_len(&self) -> usize {
        self.k * self.taps()
    }

    /// Whether a filter covers the whole image: then the convolution is one matrix product.
    pub(super) fn covers(&self) -> bool {
        self.image == self.filter && self.out == [1, 1] && self.padding == [0, 0]
    }

    /// The number of images per task, of `values` each; for small images several share a tile.
    pub(super) fn group(&self, values: usize) -> usize {
        (TASK / values.max(1)).min(self.n.div_ceil(8)).max(1)
    }
}

/// Positions along one axis with the same set of taps inside the image.
pub(super) struct Line {
    to: Vec<usize>,
    /// For each position, the first value that it reads.
    at: Vec<usize>,
    /// The offset of each tap from there, and its index.
    taps: Vec<[usize; 2]>,
}

/// Adds a position to the line with its taps.
fn add_to(lines: &mut Vec<Line>, to: usize, at: usize, taps: Vec<[usize; 2]>) {
    match lines.iter_mut().find(|line| line.taps == taps) {
        Some(line) => {
            line.to.push(to);
            line.at.push(at);
        }
        None => lines.push(Line { to: vec![to], at: vec![at], taps }),
    }
}

impl Geometry {
    /// Rows (or columns) of y, which read x through taps of the filter.
    pub(super) fn down(&self, axis: usize) -> Vec<Line> {
        let (stride, padding) = (self.stride[axis], self.padding[axis]);
        let mut lines = Vec::new();
        for y in 0..self.out[axis] {
            let first = padding.saturating_sub(y * stride);
            let end = (self.image[axis] + padding).saturating_sub(y * stride);
            let taps = first..end.min(self.filter[axis]);
            let at = (y * stride + first).saturating_sub(padding);
            add_to(&mut lines, y, at, taps.map(|tap| [tap - first, tap]).collect());
        }
        lines
    }

    /// Rows (or columns) of x, which read y through taps of the filter, the last tap first.
    pub(super) fn up(&self, axis: usize) -> Vec<Line> {
        let (stride, padding) = (self.stride[axis], self.padding[axis]);
        let mut lines = Vec::new();
        for x in 0..self.image[axis] {
            let place = x + padding;
            // The taps that meet a row of y, from the highest row down; then reversed.
            let mut seen: Vec<[usize; 2]> = (0..self.filter[axis].min(place + 1))
                .filter(|tap| (place - tap) % stride == 0)
                .map(|tap| [(place - tap) / stride, tap])
                .filter(|[row, _]| *row < self.out[axis])
                .collect();
            seen.reverse();
            let at = seen.first().map_or(0, |[row, _]| *row);
            add_to(&mut lines, x, at, seen.into_iter().map(|[row, tap]| [row - at, tap]).collect());
        }
        lines
    }

    /// Taps of the filter, which read x from rows (or columns) of y.
    pub(super) fn across(&self, axis: usize) -> Vec<Line> {
        let (stride, padding) = (self.stride[axis], self.padding[axis]);
        let mut lines = Vec::new();
        for tap in 0..self.filter[axis] {
            let inside =
                |y: &usize| (padding..padding + self.image[axis]).contains(&(y * stride + tap));
            let seen: Vec<usize> = (0..self.out[axis]).filter(inside).collect();
            let first = seen.first().copied().unwrap_or_default();
            let at = (first * stride + tap).saturating_sub(padding);
            add_to(
                &mut lines,
                tap,
                at,
                seen.into_iter().map(|y| [(y - first) * stride, y]).collect(),
            );
        }
        lines
    }
}

/// One product: places with the same taps.
pub(super) struct Part {
    pub(super) at: Vec<u32>,
    pub(super) to: Vec<u32>,
    pub(super) steps: Vec<[u32; 2]>,
}

/// How many times places (or steps) repeat, and their distance in the input.
pub(super) struct Again {
    pub(super) count: usize,
    pub(super) from: usize,
}

/// The products of all pairs of lines. Places repeat `places.count` times, `written` apart in the
/// output; steps `steps.count` times. `rows` are the lengths of rows in the input and in the
/// output; `panel` gives the row of the panel for a step and the two taps.
pub(super) fn parts(
    [tall, wide]: [&[Line]; 2],
    places: Again,
    written: usize,
    steps: Again,
    rows: [usize; 2],
    panel: impl Fn(usize, usize, usize) -> usize,
) -> Vec<Part> {
    let mut parts = Vec::new();
    for (tall, wide) in tall.iter().flat_map(|tall| wide.iter().map(move |wide| (tall, wide))) {
        let mut part = Part { at: Vec::new(), to: Vec::new(), steps: Vec::new() };
        for i in 0..places.count {
            for (y, y_at) in tall.to.iter().zip(&tall.at) {
                for (x, x_at) in wide.to.iter().zip(&wide.at) {
                    part.at.push(narrow(i * places.from + y_at * rows[0] + x_at));
                    part.to.push(narrow(i * written + y * rows[1] + x));
                }
            }
        }
        for i in 0..steps.count {
            for [y_from, y] in &tall.taps {
                for [x_from, x] in &wide.taps {
                    let from = i * steps.from + y_from * rows[0] + x_from;
                    part.steps.push([narrow(from), narrow(panel(i, *y, *x))]);
                }
            }
        }
        parts.push(part);
    }
    parts
}

/// An offset within the images of one task.
pub(super) fn narrow(offset: usize) -> u32 {
    assert!(offset <= u32::MAX as usize, "an image has less than 2³² values");
    offset as u32
}

impl Geometry {
    /// The same convolution of explicitly padded images.
    pub(super) fn padded(&self, x: &[f32]) -> (Vec<f32>, Self) {
        let image = [0, 1].map(|i| self.image[i] + 2 * self.padding[i]);
        let mut padded = vec![0.0; self.n * self.c * area(image)];
        padded.par_chunks_mut(area(image)).zip(x.par_chunks(area(self.image))).for_each(
            |(to, from)| {
                let rows = to.chunks_mut(image[1]).skip(self.padding[0]);
                for (to, from) in rows.zip(from.chunks(self.image[1])) {
                    to[self.padding[1]..][..from.len()].copy_from_slice(from);
                }
            },
        );
        (padded, Self { image, padding: [0, 0], ..*self })
    }
}
