//! The size of a model, layer by layer.

use super::conv::ConvForm;
use crate::model::{SizeBuilder, product};

/// Counts layers whose outputs are features of every pixel.
pub(crate) struct PixelSize {
    pub(super) size: SizeBuilder,
    pub(super) area: usize,
}

impl PixelSize {
    /// Weights.
    pub(crate) fn trained(&mut self, sizes: &[usize]) {
        self.size.trained(sizes);
    }

    /// So many features, kept for the backward pass.
    pub(crate) fn kept(&mut self, features: usize) {
        self.size.outputs(product(&[features, self.area]), 1);
    }

    /// A masked convolution.
    pub(crate) fn conv(&mut self, form: &ConvForm) {
        self.output_conv(form);
        self.kept(form.to);
    }

    /// The last one, whose outputs the likelihood counts.
    pub(crate) fn output_conv(&mut self, form: &ConvForm) {
        self.trained(&[form.seen().len(), form.from, form.to]);
        self.trained(&[form.to]);
        self.trained(&[form.classes, form.to]);
        self.size.outputs(product(&[form.to, self.area]), 0);
    }
}
