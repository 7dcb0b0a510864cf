//! The encoder and decoder networks of autoencoders: dense layers, or convolutions with stride 2 next
//! to the data.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::likelihood::Deviation;
use crate::model::{DataSpec, Init, SizeBuilder, product};
use crate::nn::{Activation, Dense, DownConv, KERNEL, Mlp, UpConv, frozen};
use crate::{Error, Result};

/// The sizes of the layers next to the data.
pub(super) struct Layers<'a> {
    pub(super) data: &'a DataSpec,
    /// Channels of the convolutions, the one next to the data first; empty for a dense network.
    pub(super) channels: &'a [usize],
    /// Units of the dense hidden layers, the one next to the data first.
    pub(super) hidden: &'a [usize],
    pub(super) activation: Activation,
    /// One-hot entries of the class; 0 if the network is not conditional.
    pub(super) class_inputs: usize,
}

impl Layers<'_> {
    /// Sizes `[height, width]` of the image before and after each convolution.
    ///
    /// # Errors
    /// If the data is not images, or the images are too small for so many convolutions.
    pub(super) fn image_sizes(&self) -> Result<Vec<[usize; 2]>> {
        if self.channels.is_empty() {
            return Ok(Vec::new());
        }
        let problem =
            |what: String| Error::setting("channels", format!("{:?}", self.channels), what);
        let Some([_, height, width]) = self.data.shape.as_image() else {
            return Err(problem(format!(
                "convolutions need images and an example of this data is {}; leave channels empty",
                self.data.shape
            )));
        };
        let mut sizes = vec![[height, width]];
        for _ in self.channels {
            let next = sizes[sizes.len() - 1].map(|side| side / 2);
            if next.contains(&0) {
                return Err(problem(format!(
                    "each layer halves the image, and {height}×{width} pixels can be halved {} \
                     times",
                    sizes.len() - 1
                )));
            }
            sizes.push(next);
        }
        Ok(sizes)
    }

    /// Counts the layers of an [`Encoder`], and returns the width of the last.
    pub(super) fn count_encoder(&self, size: &mut SizeBuilder) -> Result<usize> {
        let sizes = self.image_sizes()?;
        let mut from = self.data.shape.as_image().unwrap_or_default()[0];
        for (&to, &[height, width]) in self.channels.iter().zip(sizes.iter().skip(1)) {
            let maps = size.convolution(from, to, KERNEL, product(&[height, width]));
            size.activation(maps);
            from = to;
        }
        let features = match sizes.last() {
            Some(&[height, width]) => product(&[from, height, width]),
            None => product(self.data.shape.dims()),
        };
        Ok(size.mlp(features.saturating_add(self.class_inputs), self.hidden))
    }

    /// Counts the layers of a [`Decoder`].
    pub(super) fn count_decoder(
        &self,
        size: &mut SizeBuilder,
        latent_dim: usize,
        outputs: usize,
    ) -> Result<()> {
        let sizes = self.image_sizes()?;
        let hidden = self.hidden.iter().rev();
        let from = latent_dim.saturating_add(self.class_inputs);
        let last = hidden.fold(from, |from, &to| size.dense(from, to));
        let (Some(&[height, width]), Some(&top)) = (sizes.last(), self.channels.last()) else {
            size.dense(last, product(&[product(self.data.shape.dims()), outputs]));
            return Ok(());
        };
        size.dense(last, product(&[top, height, width]));
        let [channels, ..] = self.data.shape.as_image().unwrap_or_default();
        for (i, &from) in self.channels.iter().enumerate().rev() {
            let area = product(&sizes[i]);
            match i.checked_sub(1) {
                Some(below) => {
                    let maps = size.convolution(from, self.channels[below], KERNEL, area);
                    size.activation(maps);
                }
                None => {
                    size.convolution(from, product(&[channels, outputs]), KERNEL, area);
                }
            }
        }
        Ok(())
    }
}

/// The layers from the data to the last hidden one.
#[derive(Module, Debug)]
pub(super) struct Encoder {
    image: Vec<DownConv>,
    hidden: Mlp,
    /// `[channels, height, width]` of the image, with convolutions.
    #[module(skip)]
    shape: [usize; 3],
    #[module(skip)]
    outputs: usize,
}

impl Encoder {
    /// The encoder's layers, with initial weights.
    pub(super) fn init(layers: &Layers<'_>, name: &str, init: &Init) -> Result<Self> {
        let sizes = layers.image_sizes()?;
        let shape = layers.data.shape.as_image().unwrap_or_default();
        let mut from = shape[0];
        let mut image = Vec::new();
        for (i, &channels) in layers.channels.iter().enumerate() {
            let name = format!("{name}.image.{i}");
            image.push(DownConv::init(from, channels, layers.activation, &name, init));
            from = channels;
        }
        let features = match sizes.last() {
            Some([height, width]) => from * height * width,
            None => layers.data.shape.size(),
        };
        let inputs = features + layers.class_inputs;
        Ok(Self {
            image,
            shape,
            ..Self::dense(inputs, layers.hidden, layers.activation, name, init)
        })
    }

    /// Dense layers only.
    pub(super) fn dense(
        input: usize,
        hidden: &[usize],
        activation: Activation,
        name: &str,
        init: &Init,
    ) -> Self {
        Self {
            image: Vec::new(),
            hidden: Mlp::init(input, hidden, activation, name, init),
            shape: [0; 3],
            outputs: hidden.last().copied().unwrap_or(input),
        }
    }

    /// The number of outputs.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `[rows, size]`, with the class `[rows, classes]` if conditional, to `[rows, outputs]`.
    pub(super) fn forward(&self, x: Tensor<2>, class: Option<Tensor<2>>) -> Tensor<2> {
        let x = if self.image.is_empty() {
            x
        } else {
            let [c, h, w] = self.shape;
            let rows = x.dims()[0];
            let x = self.image.iter().fold(x.reshape([rows, c, h, w]), |x, l| l.forward(x));
            x.flatten(1, 3)
        };
        self.hidden.forward(join(x, class))
    }
}

/// `x` with the class concatenated.
fn join(x: Tensor<2>, class: Option<Tensor<2>>) -> Tensor<2> {
    match class {
        Some(class) => Tensor::cat(vec![x, class], 1),
        None => x,
    }
}

/// The layers from the code to the outputs for each entry.
#[derive(Module, Debug)]
pub(super) struct Decoder {
    hidden: Mlp,
    /// To the outputs, or to the smallest feature maps before transposed convolutions.
    output: Dense,
    image: Vec<UpConv>,
    /// ln σ of all entries `[1]` or of each `[size]`, where no layer computes it.
    log_sigma: Option<Param<Tensor<1>>>,
    /// `[channels, height, width]` of the smallest feature maps.
    #[module(skip)]
    smallest: [usize; 3],
    /// Channels of the data.
    #[module(skip)]
    channels: usize,
}

impl Decoder {
    /// Layers that mirror the encoder's, from a code to `outputs` numbers for each entry.
    pub(super) fn init(
        layers: &Layers<'_>,
        latent_dim: usize,
        outputs: usize,
        init: &Init,
    ) -> Result<Self> {
        let sizes = layers.image_sizes()?;
        let hidden: Vec<usize> = layers.hidden.iter().rev().copied().collect();
        let from = latent_dim + layers.class_inputs;
        let last = hidden.last().copied().unwrap_or(from);
        let hidden = Mlp::init(from, &hidden, layers.activation, "decoder", init);
        let (Some(&[height, width]), Some(&top)) = (sizes.last(), layers.channels.last()) else {
            let size = layers.data.shape.size() * outputs;
            return Ok(Self {
                hidden,
                output: Dense::init(last, size, Activation::Identity, "output", init),
                image: Vec::new(),
                log_sigma: None,
                smallest: [0; 3],
                channels: 0,
            });
        };
        let channels = layers.data.shape.as_image().map_or(1, |[c, _, _]| c);
        let output = Dense::init(last, top * height * width, layers.activation, "output", init);
        let mut image = Vec::new();
        for i in (0..layers.channels.len()).rev() {
            let (to, activation) = match i.checked_sub(1) {
                Some(below) => (layers.channels[below], layers.activation),
                None => (channels * outputs, Activation::Identity),
            };
            let name = format!("decoder.image.{i}");
            let from = layers.channels[i];
            image.push(UpConv::init(from, to, sizes[i], activation, &name, init));
        }
        let smallest = [top, height, width];
        Ok(Self { hidden, output, image, log_sigma: None, smallest, channels })
    }

    /// Adds ln σ of the entries as weights, `start` at first, or as a constant.
    pub(super) fn with_deviation(
        mut self,
        deviation: Deviation,
        entries: usize,
        start: f32,
        init: &Init,
    ) -> Self {
        let weights = |n: usize| frozen(vec![start; n], init).set_require_grad(true);
        self.log_sigma = match deviation {
            Deviation::Predicted => None,
            Deviation::Shared => Some(weights(1)),
            Deviation::PerEntry => Some(weights(entries)),
            Deviation::Fixed(log_sigma) => Some(frozen(vec![log_sigma as f32], init)),
        };
        self
    }

    /// `[rows, latent]`, with the class if conditional, to the last hidden layer.
    pub(super) fn hidden(&self, code: Tensor<2>, class: Option<Tensor<2>>) -> Tensor<2> {
        self.hidden.forward(join(code, class))
    }

    /// The output layer, if it is dense.
    pub(super) fn dense_output(&self) -> Option<&Dense> {
        self.image.is_empty().then_some(&self.output)
    }

    /// `[rows, latent]` to `[rows, size · outputs]`, the outputs of one entry side by side.
    pub(super) fn forward(&self, code: Tensor<2>, class: Option<Tensor<2>>) -> Tensor<2> {
        let y = self.layers(code, class);
        match &self.log_sigma {
            None => y,
            Some(log_sigma) => {
                let [rows, size] = y.dims();
                let log_sigma = log_sigma.val().unsqueeze::<2>().expand([rows, size]);
                Tensor::stack::<3>(vec![y, log_sigma], 2).reshape([rows, 2 * size])
            }
        }
    }

    /// The outputs of the layers.
    fn layers(&self, code: Tensor<2>, class: Option<Tensor<2>>) -> Tensor<2> {
        let y = self.output.forward(self.hidden(code, class));
        if self.image.is_empty() {
            return y;
        }
        let rows = y.dims()[0];
        let [c, h, w] = self.smallest;
        let y = self.image.iter().fold(y.reshape([rows, c, h, w]), |y, layer| layer.forward(y));
        let [_, all, h, w] = y.dims();
        if all == self.channels {
            return y.flatten(1, 3);
        }
        let outputs = all / self.channels;
        let y: Tensor<5> = y.reshape([rows, self.channels, outputs, h, w]);
        y.permute([0, 1, 3, 4, 2]).flatten(1, 4)
    }

    /// Scales down the initial weights of the output layer, and sets its bias to `bias` of each
    /// entry's mean; with convolutions, of each channel's mean over pixels.
    pub(super) fn start_at(mut self, means: &[f64], bias: impl Fn(&[f64]) -> Vec<f32>) -> Self {
        if self.image.is_empty() {
            self.output = self.output.with_bias(bias(means));
            return self;
        }
        let area = means.len() / self.channels;
        let channels: Vec<f64> =
            means.chunks_exact(area).map(|c| c.iter().sum::<f64>() / area as f64).collect();
        if let Some(last) = self.image.pop() {
            self.image.push(last.with_bias(bias(&channels)));
        }
        self
    }

    /// Multiplies the initial weights of the output layer by `factor`.
    pub(super) fn scaled_output(mut self, factor: f64) -> Self {
        if self.image.is_empty() {
            self.output = self.output.scaled(factor);
        } else if let Some(last) = self.image.pop() {
            self.image.push(last.scaled(factor));
        }
        self
    }
}
