//! Images in a frame of pixels outside of them, so that every tap of every pixel can be read.

use std::ops::Range;

use crate::{
    activation::Activation,
    gather::{Gather, Panels, Unit, lanes},
    gemm::{self, BiasActivation},
    simd::Isa,
};

/// A pixel relative to another: rows down and columns to the right.
pub type Tap = [isize; 2];

/// Pixels that are processed together; their sums stay in the first-level cache.
const PIECE: usize = 80;

/// The frame that some taps need around images of a size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) height: usize,
    pub(super) width: usize,
    /// Pixels above, below, left and right of the image.
    sides: [usize; 4],
}

impl Frame {
    pub(super) fn new([height, width]: [usize; 2], taps: &[Tap]) -> Self {
        let furthest = |distance: &dyn Fn(&Tap) -> isize| {
            taps.iter().map(distance).max().unwrap_or_default().max(0) as usize
        };
        let sides = [
            furthest(&|tap| -tap[0]),
            furthest(&|tap| tap[0]),
            furthest(&|tap| -tap[1]),
            furthest(&|tap| tap[1]),
        ];
        Self { height, width, sides }
    }

    /// Whether the frame is empty.
    fn is_bare(&self) -> bool {
        self.sides == [0; 4]
    }

    /// Pixels in a row, with the frame.
    pub(super) fn row(&self) -> usize {
        self.sides[2] + self.width + self.sides[3]
    }

    /// The image of `channels` channels in its frame, whose pixels are `outside` (or zeros, if that is
    /// empty); the image itself if there is no frame.
    pub(super) fn put<'a>(
        &self,
        image: &'a [f32],
        channels: usize,
        outside: &[f32],
        buffer: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        if self.is_bare() {
            return image;
        }
        buffer.resize(self.len() * channels, 0.0);
        self.fill(image, channels, outside, buffer);
        buffer
    }

    /// The same for some images, one after another.
    pub(super) fn put_all<'a>(
        &self,
        images: &'a [f32],
        channels: usize,
        outside: &[f32],
        buffer: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        if self.is_bare() {
            return images;
        }
        let (image, framed) = (self.height * self.width * channels, self.len() * channels);
        buffer.resize(images.len() / image.max(1) * framed, 0.0);
        for (to, from) in buffer.chunks_exact_mut(framed).zip(images.chunks_exact(image.max(1))) {
            self.fill(from, channels, outside, to);
        }
        buffer
    }

    /// Writes the image in its frame.
    fn fill(&self, image: &[f32], channels: usize, outside: &[f32], out: &mut [f32]) {
        let [top, _, left, right] = self.sides;
        let row = self.row() * channels;
        let fill = |pixels: &mut [f32]| match outside {
            [] => pixels.fill(0.0),
            _ => pixels.chunks_exact_mut(channels).for_each(|pixel| pixel.copy_from_slice(outside)),
        };
        fill(&mut out[..top * row]);
        fill(&mut out[(top + self.height) * row..]);
        let inner = &mut out[top * row..(top + self.height) * row];
        let own = self.width * channels;
        for (to, from) in inner.chunks_exact_mut(row).zip(image.chunks_exact(own)) {
            fill(&mut to[..left * channels]);
            to[left * channels..][..own].copy_from_slice(from);
            fill(&mut to[row - right * channels..]);
        }
    }

    /// The steps of a sum over taps and channels, from the first value that a pixel's taps may reach.
    pub(super) fn steps(&self, taps: &[Tap], channels: usize) -> Vec<[u32; 2]> {
        let mut steps = Vec::with_capacity(taps.len() * channels);
        for tap in taps {
            let from = self.offset(tap, channels);
            for channel in 0..channels {
                steps.push([narrow(from + channel), narrow(steps.len())]);
            }
        }
        steps
    }

    /// For each pixel, the first value of the frame that its taps may reach.
    pub(super) fn places(&self, channels: usize) -> Vec<u32> {
        let row = self.row();
        let pixels = (0..self.height).flat_map(|y| (0..self.width).map(move |x| y * row + x));
        pixels.map(|pixel| narrow(pixel * channels)).collect()
    }

    /// Pixels, with the frame.
    pub(super) fn len(&self) -> usize {
        let [top, bottom, ..] = self.sides;
        (top + self.height + bottom) * self.row()
    }

    /// The number of a pixel of the image among them.
    pub(super) fn place(&self, [y, x]: [usize; 2]) -> usize {
        let [top, _, left, _] = self.sides;
        (top + y) * self.row() + left + x
    }

    /// The offset of a tap from there.
    pub(super) fn offset(&self, tap: &Tap, channels: usize) -> usize {
        let [top, _, left, _] = self.sides;
        let down = top.wrapping_add_signed(tap[0]);
        let right = left.wrapping_add_signed(tap[1]);
        (down * self.row() + right) * channels
    }
}

/// An offset within a framed image.
pub(super) fn narrow(offset: usize) -> u32 {
    assert!(offset <= u32::MAX as usize, "an image has less than 2³² values");
    offset as u32
}

/// Sums over taps and channels for each pixel: the pixels, the steps of the sums, and the weights.
pub(super) struct Products {
    frame: Frame,
    channels: usize,
    at: Vec<u32>,
    steps: Vec<[u32; 2]>,
    panels: Panels,
    outputs: usize,
}

impl Products {
    /// out\[pixel\]\[lane\] = Σ in\[pixel + tap\]\[channel\]·weight\[tap, channel\]\[lane\], where
    /// the weight of a tap and a channel is at `start(tap, channel)`, that of the next lane `stride`
    /// later.
    pub(super) fn new(
        isa: Isa,
        size: [usize; 2],
        taps: &[Tap],
        [channels, outputs]: [usize; 2],
        weight: &[f32],
        start: impl Fn(usize, usize) -> usize,
        stride: usize,
    ) -> Self {
        let frame = Frame::new(size, taps);
        let steps = frame.steps(taps, channels);
        let starts: Vec<usize> = (0..taps.len())
            .flat_map(|t| (0..channels).map(move |channel| (t, channel)))
            .map(|(t, channel)| start(t, channel))
            .collect();
        let panels = Panels::pack(isa, weight, &starts, stride, outputs);
        Self { frame, channels, at: frame.places(channels), steps, panels, outputs }
    }

    /// act(bias + sums) of one image \[pixels, outputs\]; `bias` has a value for each output, or none.
    ///
    /// # Safety
    /// There is room for pixels × outputs values at `out`.
    pub(super) unsafe fn image(
        &self,
        isa: Isa,
        image: &[f32],
        bias: &[f32],
        activation: Activation,
        scratch: &mut Scratch,
        out: *mut f32,
    ) {
        let input = self.frame.put(image, self.channels, &[], &mut scratch.framed);
        let sums = &mut scratch.sums;
        sums.resize(PIECE * 2 * lanes(isa), 0.0);
        for first in (0..self.at.len()).step_by(PIECE) {
            let at = &self.at[first..self.at.len().min(first + PIECE)];
            for block in 0..self.panels.blocks() {
                let (width, lane) = (self.panels.width(block), self.panels.first(block));
                Unit { isa, pairs: false }.run(Gather {
                    input,
                    at,
                    steps: &self.steps,
                    panel: self.panels.of(block, 0),
                    width,
                    out: sums,
                    accumulate: false,
                });
                let valid = self.panels.valid(block);
                let bias = if bias.is_empty() { bias } else { &bias[lane..lane + valid] };
                // SAFETY: the caller's; the sums of these rows were written.
                unsafe {
                    isa.run(BiasActivation {
                        from: sums.as_ptr(),
                        from_stride: width,
                        out: out.add(first * self.outputs + lane),
                        out_stride: self.outputs,
                        bias,
                        rows: at.len(),
                        width: valid,
                        activation,
                    });
                }
            }
        }
    }
}

/// Buffers of one thread.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) framed: Vec<f32>,
    pub(super) sums: Vec<f32>,
}

/// The gradient of weights \[taps·channels, outputs\] over images one after another: Σ over images and
/// pixels of in\[pixel + tap\]\[channel\]·grad\[pixel\]\[output\].
pub(super) struct WeightSums {
    pub(super) frame: Frame,
    channels: usize,
    outputs: usize,
    /// Where each tap and channel begins.
    at: Vec<u32>,
    places: Vec<u32>,
    /// One buffer for each block of lanes.
    sums: Vec<Vec<f32>>,
    vector: usize,
    framed: Vec<f32>,
}

impl WeightSums {
    pub(super) fn new(
        isa: Isa,
        size: [usize; 2],
        taps: &[Tap],
        [channels, outputs]: [usize; 2],
    ) -> Self {
        let frame = Frame::new(size, taps);
        let at: Vec<u32> = taps
            .iter()
            .flat_map(|tap| {
                let from = frame.offset(tap, channels);
                (0..channels).map(move |channel| narrow(from + channel))
            })
            .collect();
        let vector = lanes(isa);
        let sums = blocks(outputs, vector)
            .map(|lanes| vec![0.0; at.len() * lanes.len().next_multiple_of(vector)])
            .collect();
        let places = frame.places(channels);
        Self { frame, channels, outputs, at, places, sums, vector, framed: Vec::new() }
    }

    /// Adds an image with its gradient \[pixels, outputs\].
    pub(super) fn add(&mut self, isa: Isa, image: &[f32], grad: &[f32]) {
        let mut framed = std::mem::take(&mut self.framed);
        let places = std::mem::take(&mut self.places);
        let input = self.frame.put(image, self.channels, &[], &mut framed);
        self.add_rows(isa, input, &places, grad);
        (self.framed, self.places) = (framed, places);
    }

    /// Adds pixels of framed images with their gradient \[pixels, outputs\]; `places` says where the
    /// taps of each begin.
    pub(super) fn add_rows(&mut self, isa: Isa, input: &[f32], places: &[u32], grad: &[f32]) {
        for (lanes, sums) in blocks(self.outputs, self.vector).zip(&mut self.sums) {
            let width = lanes.len().next_multiple_of(self.vector);
            // Rows of whole blocks are read in place, others copied.
            let packed;
            let (panel, rows) = if self.outputs.is_multiple_of(width) {
                (&grad[lanes.start..], self.outputs / width)
            } else {
                let mut copy = vec![0.0; places.len() * width];
                for (to, from) in copy.chunks_exact_mut(width).zip(grad.chunks_exact(self.outputs))
                {
                    to[..lanes.len()].copy_from_slice(&from[lanes.clone()]);
                }
                packed = copy;
                (&packed[..], 1)
            };
            let steps: Vec<[u32; 2]> =
                (0..).zip(places).map(|(pixel, &place)| [place, narrow(pixel * rows)]).collect();
            Unit { isa, pairs: false }.run(Gather {
                input,
                at: &self.at,
                steps: &steps,
                panel,
                width,
                out: sums,
                accumulate: true,
            });
        }
    }

    /// The sums \[taps·channels, outputs\].
    pub(super) fn finish(self) -> Vec<f32> {
        let mut all = vec![0.0; self.at.len() * self.outputs];
        for (lanes, sums) in blocks(self.outputs, self.vector).zip(&self.sums) {
            let width = lanes.len().next_multiple_of(self.vector);
            for (to, from) in all.chunks_exact_mut(self.outputs).zip(sums.chunks_exact(width)) {
                to[lanes.clone()].copy_from_slice(&from[..lanes.len()]);
            }
        }
        all
    }
}

/// Lanes in blocks of two vectors.
fn blocks(lanes: usize, vector: usize) -> impl Iterator<Item = Range<usize>> {
    (0..lanes).step_by(2 * vector).map(move |first| first..lanes.min(first + 2 * vector))
}

/// Images that one task adds up, so that the order of sums does not depend on the number of threads.
pub(super) fn images_together(n: usize) -> usize {
    n.div_ceil(8).max(1)
}

/// The sum of some vectors, first to last.
pub(super) fn joined<'a>(len: usize, parts: impl Iterator<Item = &'a Vec<f32>>) -> Vec<f32> {
    let mut all = vec![0.0; len];
    for part in parts {
        all.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    all
}

/// The sums of the columns of a gradient \[pixels, outputs\].
pub(super) fn column_sums(isa: Isa, grad: &[f32], outputs: usize) -> Vec<f32> {
    gemm::column_sums(isa, grad, grad.len() / outputs.max(1), outputs)
}
