//! The layers of this module at one pixel, for some images at once: sampling computes only what a new
//! pixel adds.
//!
//! An image has the same values whatever the other images are.

use std::ops::Range;

use super::{
    frame::{Frame, Tap, narrow},
    gates::{Forward, PIECE, Pre, gate_panels},
    line::Scan,
};
use crate::{
    activation::Activation,
    gather::{Gather, Panels, Unit, lanes},
    gemm::BiasActivation,
    simd::Isa,
};

/// Features of the pixels of some images, \[height, width, images, channels\], in a frame of pixels
/// outside.
#[derive(Debug, Clone)]
pub struct PixelMap {
    frame: Frame,
    images: usize,
    channels: usize,
    values: Vec<f32>,
}

impl PixelMap {
    /// Zeros for images of a height and a width; `taps` are all those that read the map.
    pub fn new(size: [usize; 2], taps: &[Tap], images: usize, channels: usize) -> Self {
        let frame = Frame::new(size, taps);
        Self { frame, images, channels, values: vec![0.0; frame.len() * images * channels] }
    }

    /// The map with a state \[channels\] everywhere, outside too.
    ///
    /// # Panics
    /// If the state has another number of values.
    #[must_use]
    pub fn filled(mut self, state: &[f32]) -> Self {
        assert_eq!(state.len(), self.channels, "PixelMap: one value for each channel");
        self.values.chunks_exact_mut(state.len()).for_each(|pixel| pixel.copy_from_slice(state));
        self
    }

    fn span(&self, at: [usize; 2]) -> Range<usize> {
        assert!(at[0] < self.frame.height && at[1] < self.frame.width, "PixelMap: {at:?}");
        let len = self.images * self.channels;
        let start = self.frame.place(at) * len;
        start..start + len
    }

    /// The features of a pixel, \[images, channels\].
    ///
    /// # Panics
    /// If the pixel is outside.
    pub fn pixel(&self, at: [usize; 2]) -> &[f32] {
        &self.values[self.span(at)]
    }

    /// The same, to be changed.
    ///
    /// # Panics
    /// If the pixel is outside.
    pub fn pixel_mut(&mut self, at: [usize; 2]) -> &mut [f32] {
        let span = self.span(at);
        &mut self.values[span]
    }

    /// The steps of a sum over taps and channels, and what they start from at a pixel.
    fn steps(&self, taps: &[Tap]) -> Vec<[u32; 2]> {
        let mut steps = Vec::with_capacity(taps.len() * self.channels);
        for tap in taps {
            let from = self.frame.offset(tap, self.images * self.channels);
            for channel in 0..self.channels {
                steps.push([narrow(from + channel), narrow(steps.len())]);
            }
        }
        steps
    }

    /// The values from which the steps of a pixel start.
    fn reach(&self, [y, x]: [usize; 2]) -> &[f32] {
        &self.values[(y * self.frame.row() + x) * self.images * self.channels..]
    }
}

/// [`masked_conv2d`](super::masked_conv2d) at one pixel.
#[derive(Debug)]
pub struct PixelConv {
    taps: Vec<Tap>,
    channels: usize,
    outputs: usize,
    groups: Vec<(Range<usize>, Panels)>,
}

impl PixelConv {
    /// The layer with `weight` \[taps·channels, outputs\], for images whose outputs are computed in
    /// groups.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn new(weight: &[f32], taps: &[Tap], outputs: usize, groups: &[Range<usize>]) -> Self {
        let rows = weight.len() / outputs.max(1);
        assert!(
            rows.is_multiple_of(taps.len().max(1)) && rows * outputs == weight.len(),
            "PixelConv: {} weights for {} taps and {outputs} outputs",
            weight.len(),
            taps.len()
        );
        let pack = |group: &Range<usize>| {
            assert!(group.end <= outputs, "PixelConv: the group {group:?} of {outputs} outputs");
            let starts: Vec<usize> = (0..rows).map(|row| row * outputs + group.start).collect();
            (group.clone(), Panels::pack(Isa::best(), weight, &starts, 1, group.len()))
        };
        let channels = rows / taps.len().max(1);
        Self { taps: taps.to_vec(), channels, outputs, groups: groups.iter().map(pack).collect() }
    }

    /// Writes the outputs of a group at a pixel to `out` \[images, outputs\]; `bias` is \[outputs\],
    /// or \[images, outputs\].
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn pixel(
        &self,
        from: &PixelMap,
        at: [usize; 2],
        group: usize,
        bias: &[f32],
        activation: Activation,
        out: &mut [f32],
    ) {
        let (isa, images) = (Isa::best(), from.images);
        assert!(
            from.channels == self.channels
                && out.len() == images * self.outputs
                && (bias.len() == self.outputs || bias.len() == out.len()),
            "PixelConv: {} channels, {} biases and {} outputs do not fit",
            from.channels,
            bias.len(),
            out.len()
        );
        let (lanes_of, panels) = &self.groups[group];
        let steps = from.steps(&self.taps);
        let starts: Vec<u32> = (0..images).map(|image| narrow(image * self.channels)).collect();
        let mut sums = vec![0.0; images * 2 * lanes(isa)];
        for block in 0..panels.blocks() {
            let width = panels.width(block);
            Unit { isa, pairs: false }.run(Gather {
                input: from.reach(at),
                at: &starts,
                steps: &steps,
                panel: panels.of(block, 0),
                width,
                out: &mut sums,
                accumulate: false,
            });
            let first = lanes_of.start + panels.first(block);
            let own = first..first + panels.valid(block);
            let finish = |sums: &[f32], bias: &[f32], out: &mut [f32], rows: usize| {
                assert!(out.len() >= (rows - 1) * self.outputs + own.len());
                isa.run(BiasActivation {
                    from: sums.as_ptr(),
                    from_stride: width,
                    out: out.as_mut_ptr(),
                    out_stride: self.outputs,
                    bias: &bias[own.clone()],
                    rows,
                    width: own.len(),
                    activation,
                });
            };
            if images == 0 {
                continue;
            }
            if bias.len() == self.outputs {
                finish(&sums, bias, &mut out[first..], images);
            } else {
                let rows = out.chunks_exact_mut(self.outputs).zip(bias.chunks_exact(self.outputs));
                for ((out, bias), sums) in rows.zip(sums.chunks_exact(width)) {
                    finish(sums, bias, &mut out[first..], 1);
                }
            }
        }
    }
}

/// [`lstm_scan`](super::lstm_scan) at one pixel.
#[derive(Debug)]
pub struct PixelLstm {
    scan: Scan,
    hidden: usize,
    groups: Vec<(Range<usize>, Panels)>,
}

impl PixelLstm {
    /// The layer with `weight` \[taps·hidden, 4·hidden\], whose units are computed in groups.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn new(weight: &[f32], scan: Scan, hidden: usize, groups: &[Range<usize>]) -> Self {
        let rows = scan.taps().len() * hidden;
        assert_eq!(weight.len(), rows * 4 * hidden, "PixelLstm: weights of {hidden} units");
        let pack = |group: &Range<usize>| {
            (group.clone(), gate_panels(Isa::best(), weight, rows, hidden, group.clone()))
        };
        Self { scan, hidden, groups: groups.iter().map(pack).collect() }
    }

    /// Writes the hidden and the cell states of a group of units at a pixel, from those before it and
    /// the gates of the pixel \[images, 4·hidden\], which are replaced by their activations.
    ///
    /// The maps' frames hold the start states.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn pixel(
        &self,
        gates: &mut [f32],
        states: &mut PixelMap,
        cells: &mut PixelMap,
        at: [usize; 2],
        group: usize,
    ) {
        let (isa, images, hidden) = (Isa::best(), states.images, self.hidden);
        assert!(
            states.channels == hidden
                && cells.channels == hidden
                && cells.images == images
                && gates.len() == images * 4 * hidden,
            "PixelLstm: the gates or the maps do not fit"
        );
        let (units, panels) = &self.groups[group];
        let steps = states.steps(self.scan.taps());
        let vector = lanes(isa);
        let mut sums = vec![0.0; PIECE * 4 * units.len().next_multiple_of(vector)];
        let mut line = vec![0.0; PIECE * hidden];
        let own = states.span(at);
        // The cell states before, which the new ones replace.
        let carried = (cells.frame.place([0, 0]) + at[0] * cells.frame.row() + at[1])
            .wrapping_add_signed(self.scan.carry()[0] * cells.frame.row() as isize)
            .wrapping_add_signed(self.scan.carry()[1])
            * images
            * hidden;
        let place = cells.span(at);
        for first in (0..images).step_by(PIECE) {
            let some = PIECE.min(images - first);
            let starts: Vec<u32> =
                (first..first + some).map(|image| narrow(image * hidden)).collect();
            for block in 0..panels.blocks() {
                Unit { isa, pairs: false }.run(Gather {
                    input: states.reach(at),
                    at: &starts,
                    steps: &steps,
                    panel: panels.of(block, 0),
                    width: 2 * vector,
                    out: &mut sums[block * PIECE * 2 * vector..],
                    accumulate: false,
                });
            }
            let rows = first * hidden..(first + some) * hidden;
            let mut cell = cells.values[carried + rows.start..carried + rows.end].to_vec();
            let own_rows: Vec<usize> = (0..some).collect();
            isa.run(Forward {
                sums: &sums,
                given: Pre::InPlace,
                hidden,
                units: units.clone(),
                rows: &own_rows,
                gates: gates[4 * rows.start..4 * rows.end].as_mut_ptr(),
                cells: cells.values[place.start + rows.start..place.start + rows.end].as_mut_ptr(),
                states: states.values[own.start + rows.start..own.start + rows.end].as_mut_ptr(),
                line: &mut line[..some * hidden],
                cell: &mut cell,
            });
        }
    }
}
