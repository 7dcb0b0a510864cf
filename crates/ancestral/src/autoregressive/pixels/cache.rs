//! Layers one pixel at a time, for some images at once: what the sampler keeps of the pixels before.

use std::ops::Range;

use ancestral_kernels::{self as kernels, Isa, PixelConv, PixelMap, Tap, Values};
use burn::tensor::Tensor;

use super::conv::MaskedConv;
use crate::nn::FusedActivation;

/// The activations of some values.
pub(crate) fn activate(activation: FusedActivation, from: &[f32], to: &mut [f32]) {
    let isa = Isa::best();
    match activation {
        FusedActivation::Relu => to.iter_mut().zip(from).for_each(|(to, x)| *to = x.max(0.0)),
        FusedActivation::Tanh => kernels::vector::tanh(isa, from, to),
        FusedActivation::Softplus => kernels::vector::softplus(isa, from, to),
    }
}

/// The images that are drawn together.
pub(crate) struct Pixelwise {
    pub(crate) size: [usize; 2],
    pub(crate) images: usize,
    /// Their classes as one-hot rows, for conditional models.
    pub(crate) classes: Option<Tensor<2>>,
}

impl Pixelwise {
    /// Features of all pixels, which `taps` read.
    pub(crate) fn map(&self, taps: &[Tap], channels: usize) -> PixelMap {
        PixelMap::new(self.size, taps, self.images, channels)
    }

    /// Features of one pixel.
    pub(crate) fn single(&self, channels: usize) -> PixelMap {
        PixelMap::new([1, 1], &[], self.images, channels)
    }

    /// A masked convolution.
    pub(crate) fn layer(&self, conv: &MaskedConv) -> PixelLayer {
        let form = conv.form();
        // The outputs of a group, one part after another.
        let own = form.to / form.parts;
        let ranges: Vec<Range<usize>> = form
            .groups
            .all(own)
            .into_iter()
            .flat_map(|units| {
                (0..form.parts).map(move |part| part * own + units.start..part * own + units.end)
            })
            .collect();
        let weight = Values::of(conv.masked_weight());
        PixelLayer {
            conv: PixelConv::new(&weight, &form.seen(), form.to, &ranges),
            bias: Values::of(conv.bias_of(self.classes.as_ref())).to_vec(),
            activation: form.activation,
            parts: form.parts,
            outputs: form.to,
            ranges,
        }
    }
}

/// A masked convolution at one pixel.
pub(crate) struct PixelLayer {
    conv: PixelConv,
    bias: Vec<f32>,
    activation: kernels::Activation,
    parts: usize,
    outputs: usize,
    ranges: Vec<Range<usize>>,
}

impl PixelLayer {
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The outputs of a group, of its first part.
    pub(crate) fn group(&self, group: usize) -> Range<usize> {
        self.ranges[group * self.parts].clone()
    }

    /// Writes the outputs of a group at a pixel to `out` `[images, outputs]`.
    pub(crate) fn pixel(&self, from: &PixelMap, at: [usize; 2], group: usize, out: &mut [f32]) {
        for part in 0..self.parts {
            let range = group * self.parts + part;
            self.conv.pixel(from, at, range, &self.bias, self.activation, out);
        }
    }
}

/// A block of a stack, one pixel at a time.
pub(crate) trait PixelBlock: Send {
    /// Writes what is added to the features of a group at a pixel to `out` `[images, 2h]`.
    fn pixel(&mut self, x: &PixelMap, at: [usize; 2], group: usize, out: &mut [f32]);

    /// Called when all pixels of a row are known.
    fn row_end(&mut self, _x: &PixelMap, _row: usize) {}
}

/// All layers before the output layers, one pixel at a time.
pub(crate) trait PixelBody: Send {
    /// The features `[images, width]` of a pixel, of which those of a group are new.
    fn pixel(&mut self, image: &PixelMap, at: [usize; 2], group: usize) -> &[f32];

    /// Called when all pixels of a row are known.
    fn row_end(&mut self, row: usize);
}
