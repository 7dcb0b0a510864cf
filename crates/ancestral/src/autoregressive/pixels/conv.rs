//! Masked convolutions.

use std::ops::Range;

use ancestral_data::{Batch, Streams};
use ancestral_kernels::{self as kernels, Tap};
use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

use crate::nn::{FusedActivation, dropout, glorot, parameter};
use crate::spec::Init;

/// The groups that features are parted into, one for each channel of the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Groups(pub(crate) usize);

impl Groups {
    /// The group of one of `width` features.
    fn of(self, feature: usize, width: usize) -> usize {
        feature * self.0 / width
    }

    /// The features of a group.
    pub(crate) fn features(self, group: usize, width: usize) -> Range<usize> {
        (group * width).div_ceil(self.0)..((group + 1) * width).div_ceil(self.0)
    }

    /// Those of all groups.
    pub(crate) fn all(self, width: usize) -> Vec<Range<usize>> {
        (0..self.0).map(|group| self.features(group, width)).collect()
    }
}

/// What a convolution sees of the pixel it is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mask {
    /// The channels before its own.
    A,
    /// Its own channel as well.
    B,
    /// Everything, for features that depend on earlier rows alone.
    None,
}

/// The taps of a `height` × `width` filter that lie before its middle, in rows above and to the left,
/// and the middle itself.
pub(crate) fn square(height: usize, width: usize) -> Vec<Tap> {
    let (up, side) = ((height / 2) as isize, (width / 2) as isize);
    let row = |down: isize, end: isize| (-side..=end).map(move |right| [down, right]);
    (-up..0).flat_map(|down| row(down, side)).chain(row(0, 0)).collect()
}

/// The form of a masked convolution.
#[derive(Debug, Clone)]
pub(crate) struct ConvForm {
    /// Pixels that it reads, [0, 0] the one it is at.
    pub(crate) taps: Vec<Tap>,
    pub(crate) mask: Mask,
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Parts of the outputs that are each parted into groups, such as the gates of an LSTM.
    pub(crate) parts: usize,
    pub(crate) activation: kernels::Activation,
    /// Classes that each have a bias; 0 for none.
    pub(crate) classes: usize,
    pub(crate) groups: Groups,
}

impl ConvForm {
    /// A convolution of one pixel with mask B.
    pub(crate) fn one_by_one(from: usize, to: usize, groups: Groups) -> Self {
        Self {
            taps: vec![[0, 0]],
            mask: Mask::B,
            from,
            to,
            parts: 1,
            activation: kernels::Activation::None,
            classes: 0,
            groups,
        }
    }

    pub(crate) fn with_activation(self, activation: FusedActivation) -> Self {
        Self { activation: activation.into(), ..self }
    }

    /// The taps that are not hidden whole: mask A hides the pixel itself if it has one channel.
    pub(crate) fn seen(&self) -> Vec<Tap> {
        let hides = self.mask == Mask::A && self.groups.0 == 1;
        self.taps.iter().copied().filter(|tap| !(hides && *tap == [0, 0])).collect()
    }

    /// The weights \[taps·from, to\] that are seen, 1 or 0, if some are hidden.
    fn visible(&self) -> Option<Vec<f32>> {
        if self.mask == Mask::None || self.groups.0 == 1 {
            return None;
        }
        let own = self.to / self.parts;
        let mut visible = Vec::with_capacity(self.seen().len() * self.from * self.to);
        for tap in self.seen() {
            for input in 0..self.from {
                let input = self.groups.of(input, self.from);
                visible.extend((0..self.to).map(|output| {
                    let output = self.groups.of(output % own, own);
                    let sees = match self.mask {
                        Mask::A => input < output,
                        Mask::B | Mask::None => input <= output,
                    };
                    f32::from(tap != [0, 0] || sees)
                }));
            }
        }
        Some(visible)
    }
}

/// A convolution that sees only what was drawn before.
#[derive(Module, Debug)]
pub(crate) struct MaskedConv {
    /// `[taps · from, to]`, those of hidden channels unused.
    weight: Param<Tensor<2>>,
    /// `[to]`.
    bias: Param<Tensor<1>>,
    /// `[classes, to]`.
    class_bias: Option<Param<Tensor<2>>>,
    #[module(skip)]
    form: ConvForm,
    /// The mask of the weights, if one hides some of them.
    #[module(skip)]
    visible: Option<Vec<f32>>,
}

/// What a forward pass needs besides the images.
pub(crate) struct Pass<'a> {
    /// Classes as one-hot rows `[n, classes]`, for conditional models.
    pub(crate) classes: Option<Tensor<2>>,
    /// In training, what is dropped.
    pub(crate) dropout: Option<Dropout<'a>>,
}

/// The fraction of features that is dropped, and the examples by which they are drawn.
pub(crate) struct Dropout<'a> {
    pub(crate) rate: f64,
    pub(crate) batch: &'a Batch,
    pub(crate) streams: Streams,
}

impl Pass<'_> {
    /// Drops features in training.
    pub(crate) fn dropped(&self, x: Tensor<4>, layer: usize) -> Tensor<4> {
        match &self.dropout {
            None => x,
            Some(Dropout { rate, batch, streams }) => {
                dropout(x, *rate, &format!("layer {layer}"), batch, *streams)
            }
        }
    }
}

impl MaskedConv {
    /// Weights as in [`Dense`](crate::nn::Dense), with the taps as a factor of the inputs.
    pub(crate) fn init(form: ConvForm, name: &str, init: &Init) -> Self {
        let inputs = form.seen().len() * form.from;
        let zeros = |n: usize| TensorData::new(vec![0.0f32; n], [n]);
        let by_class =
            TensorData::new(vec![0.0f32; form.classes * form.to], [form.classes, form.to]);
        Self {
            weight: glorot([inputs, form.to], inputs + form.to, name, init),
            bias: parameter(zeros(form.to), init),
            class_bias: (form.classes > 0).then(|| parameter(by_class, init)),
            visible: form.visible(),
            form,
        }
    }

    /// The same layer with another initial bias `[to]`.
    pub(crate) fn with_bias(mut self, bias: Vec<f32>) -> Self {
        self.bias = crate::nn::with_value(self.bias, bias);
        self
    }

    /// The same layer with its initial weights multiplied by `factor`.
    pub(crate) fn scaled(mut self, factor: f64) -> Self {
        self.weight = crate::nn::scaled(self.weight, factor);
        self
    }

    pub(crate) fn form(&self) -> &ConvForm {
        &self.form
    }

    /// The weights, zero where they are hidden.
    pub(super) fn masked_weight(&self) -> Tensor<2> {
        let weight = self.weight.val();
        match &self.visible {
            None => weight,
            Some(visible) => {
                let mask = TensorData::new(visible.clone(), weight.dims());
                weight.clone() * Tensor::from_data(mask, (&weight.device(), weight.dtype()))
            }
        }
    }

    /// The bias `[1, to]`, or with classes that of each image `[n, to]`.
    pub(super) fn bias_of(&self, classes: Option<&Tensor<2>>) -> Tensor<2> {
        let bias: Tensor<2> = self.bias.val().unsqueeze();
        match (&self.class_bias, classes) {
            (Some(by_class), Some(hot)) => hot.clone().matmul(by_class.val()) + bias,
            _ => bias,
        }
    }

    /// `[n, height, width, from]` to `[n, height, width, to]`.
    pub(crate) fn forward(&self, x: Tensor<4>, pass: &Pass) -> Tensor<4> {
        kernels::masked_conv2d(
            x,
            self.masked_weight(),
            self.bias_of(pass.classes.as_ref()),
            &self.form.seen(),
            self.form.activation,
        )
    }
}
