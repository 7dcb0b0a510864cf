//! What autoencoders share: how examples enter the network, the layers next to the data (dense, or
//! convolutions that halve the picture), and how outputs leave it.

use ancestral_data::{Batch, Domain, Examples};
use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::model::{DataSpec, Init};
use crate::nn::{Activation, Dense, Doubling, Halving, Mlp, frozen, rows, to_f64};
use crate::{Error, Result};

/// The sizes of the layers next to the data.
pub(super) struct Layers<'a> {
    pub(super) data: &'a DataSpec,
    /// Channels of the convolutions, from the data's side; none for a dense network.
    pub(super) channels: &'a [usize],
    /// Dense hidden layers, from the data's side.
    pub(super) hidden: &'a [usize],
    pub(super) activation: Activation,
    /// Entries of the class, 0 if the network is not told it.
    pub(super) class_inputs: usize,
}

impl Layers<'_> {
    /// Sizes `[height, width]` of the picture before and after each convolution.
    ///
    /// # Errors
    /// If the data are not pictures, or too small for so many halvings.
    pub(super) fn picture_sizes(&self) -> Result<Vec<[usize; 2]>> {
        if self.channels.is_empty() {
            return Ok(Vec::new());
        }
        let problem =
            |what: String| Error::setting("channels", format!("{:?}", self.channels), what);
        let Some([_, height, width]) = self.data.shape.as_image() else {
            return Err(problem(format!(
                "convolutions need pictures and an example of this data is {}; leave channels empty",
                self.data.shape
            )));
        };
        if self.channels.contains(&0) {
            return Err(problem("each must be 1 or more".to_owned()));
        }
        let mut sizes = vec![[height, width]];
        for _ in self.channels {
            let next = sizes[sizes.len() - 1].map(|side| side / 2);
            if next.contains(&0) {
                return Err(problem(format!(
                    "each layer halves the picture, and {height}×{width} pixels can be halved {} \
                     times",
                    sizes.len() - 1
                )));
            }
            sizes.push(next);
        }
        Ok(sizes)
    }
}

/// The layers from the data to the last hidden one.
#[derive(Module, Debug)]
pub(super) struct Encoder {
    image: Vec<Halving>,
    hidden: Mlp,
    /// `[channels, height, width]` of the picture, where there are convolutions.
    #[module(skip)]
    shape: [usize; 3],
    #[module(skip)]
    outputs: usize,
}

impl Encoder {
    /// The layers next to the data.
    pub(super) fn init(layers: &Layers<'_>, name: &str, init: &Init) -> Result<Self> {
        let sizes = layers.picture_sizes()?;
        let shape = layers.data.shape.as_image().unwrap_or_default();
        let mut from = shape[0];
        let mut image = Vec::new();
        for (i, &channels) in layers.channels.iter().enumerate() {
            let name = format!("{name}.image.{i}");
            image.push(Halving::init(from, channels, layers.activation, &name, init));
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

    /// Dense layers alone.
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

    /// The width of what it gives.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `[rows, size]`, with the class `[rows, classes]` where it is told, to `[rows, outputs]`.
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

/// `x` with the class behind it.
fn join(x: Tensor<2>, class: Option<Tensor<2>>) -> Tensor<2> {
    match class {
        Some(class) => Tensor::cat(vec![x, class], 1),
        None => x,
    }
}

/// The layers from the code to the outputs of each entry.
#[derive(Module, Debug)]
pub(super) struct Decoder {
    hidden: Mlp,
    /// To the outputs, or to the smallest picture where transposed convolutions follow.
    output: Dense,
    image: Vec<Doubling>,
    /// `[channels, height, width]` of the smallest picture.
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
        let sizes = layers.picture_sizes()?;
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
            image.push(Doubling::init(from, to, sizes[i], activation, &name, init));
        }
        Ok(Self { hidden, output, image, smallest: [top, height, width], channels })
    }

    /// `[rows, latent]`, with the class where it is told, to the last hidden layer.
    pub(super) fn hidden(&self, code: Tensor<2>, class: Option<Tensor<2>>) -> Tensor<2> {
        self.hidden.forward(join(code, class))
    }

    /// The last layer, where it is dense and gives the outputs.
    pub(super) fn dense_output(&self) -> Option<&Dense> {
        self.image.is_empty().then_some(&self.output)
    }

    /// `[rows, latent]` to `[rows, size · outputs]`, the outputs of one entry side by side.
    pub(super) fn forward(&self, code: Tensor<2>, class: Option<Tensor<2>>) -> Tensor<2> {
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

    /// Smaller first weights of the last layer, and its bias where `bias` puts each entry's mean;
    /// a picture's channels get the bias of their mean over pixels.
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

    /// The first weights of the last layer multiplied by `factor`.
    pub(super) fn gentler(mut self, factor: f64) -> Self {
        if self.image.is_empty() {
            self.output = self.output.scaled(factor);
        } else if let Some(last) = self.image.pop() {
            self.image.push(last.scaled(factor));
        }
        self
    }
}

/// The scale of real data, fitted on the training split.
#[derive(Module, Debug)]
pub(super) struct Scale {
    /// `[size]`.
    mean: Param<Tensor<1>>,
    /// `[size]`.
    std: Param<Tensor<1>>,
}

impl Scale {
    /// One that changes nothing, for data of reals.
    pub(super) fn init(data: &DataSpec, init: &Init) -> Option<Self> {
        let size = data.shape.size();
        (data.domain == Domain::Real).then(|| Self {
            mean: frozen(vec![0.0; size], init),
            std: frozen(vec![1.0; size], init),
        })
    }

    /// That of these moments. A constant entry keeps its scale: it has no spread to divide by.
    pub(super) fn fit(moments: &Moments, device: &Device, dtype: DType) -> Self {
        let init = Init { device: device.clone(), dtype, streams: ancestral_data::Streams::new(0) };
        let std = moments
            .means
            .iter()
            .zip(&moments.stds)
            .map(|(m, &s)| if s > 1e-6 * m.abs().max(1e-6) { s as f32 } else { 1.0 });
        Self {
            std: frozen(std.collect(), &init),
            mean: frozen(moments.means.iter().map(|&m| m as f32).collect(), &init),
        }
    }

    /// Log of the Jacobian of standardisation, to be added to log-densities.
    pub(super) fn log_jacobian(&self) -> f64 {
        -to_f64(self.std.val()).iter().map(|v| v.ln()).sum::<f64>()
    }

    /// Standardised values back on the data's own scale.
    pub(super) fn restore(&self, values: &mut [f32]) {
        let (mean, std) = (rows(self.mean.val()), rows(self.std.val()));
        for row in values.chunks_exact_mut(mean.len()) {
            row.iter_mut().zip(&mean).zip(&std).for_each(|((v, m), s)| *v = *v * s + m);
        }
    }
}

/// Mean and standard deviation of each entry over examples.
pub(super) struct Moments {
    pub(super) means: Vec<f64>,
    pub(super) stds: Vec<f64>,
}

impl Moments {
    /// Those of all examples.
    pub(super) fn of(examples: &Examples, size: usize) -> Self {
        let (mut sum, mut squares) = (vec![0.0f64; size], vec![0.0f64; size]);
        let indices: Vec<u64> = (0..examples.len() as u64).collect();
        for chunk in indices.chunks(1000) {
            for row in examples.batch(chunk, 0).values.chunks_exact(size) {
                for ((s, q), &x) in sum.iter_mut().zip(&mut squares).zip(row) {
                    *s += f64::from(x);
                    *q += f64::from(x) * f64::from(x);
                }
            }
        }
        let count = examples.len() as f64;
        let means: Vec<f64> = sum.iter().map(|s| s / count).collect();
        let stds =
            squares.iter().zip(&means).map(|(q, m)| (q / count - m * m).max(0.0).sqrt()).collect();
        Self { means, stds }
    }
}

/// What stands between batches and tensors.
#[derive(Debug, Clone)]
pub(super) struct Entrance {
    pub(super) model: &'static str,
    pub(super) data: DataSpec,
    pub(super) dtype: DType,
    pub(super) device: Device,
}

impl Entrance {
    pub(super) fn new(model: &'static str, data: &DataSpec, init: &Init) -> Self {
        Self { model, data: data.clone(), dtype: init.dtype, device: init.device.clone() }
    }

    /// Fits `scale`, where there is one, and gives the mean of each entry as the decoder should
    /// start at it: standardised, or a level.
    pub(super) fn fit(&self, scale: &mut Option<Scale>, examples: &Examples) -> Vec<f64> {
        let mut moments = Moments::of(examples, self.data.shape.size());
        if let Some(scale) = scale {
            *scale = Scale::fit(&moments, &self.device, self.dtype);
            moments.means.fill(0.0);
        }
        moments.means
    }

    pub(super) fn unsuitable(&self, problem: String) -> Error {
        Error::UnsuitableData { model: self.model.to_owned(), problem }
    }

    /// Values as a tensor `[rows, width]`.
    pub(super) fn tensor(&self, values: Vec<f32>, width: usize) -> Tensor<2> {
        let rows = values.len() / width.max(1);
        Tensor::from_data(TensorData::new(values, [rows, width]), (&self.device, self.dtype))
    }

    /// The batch as the likelihood takes it: levels, or standardised reals.
    pub(super) fn observed(&self, scale: Option<&Scale>, batch: &Batch) -> Result<Tensor<2>> {
        let size = self.data.shape.size();
        if batch.values.len() != batch.len() * size {
            return Err(self.unsuitable(format!(
                "examples of {} entries were given and {size} ({}) were expected",
                batch.values.len() / batch.len().max(1),
                self.data.shape
            )));
        }
        let x = self.tensor(batch.values.clone(), size);
        Ok(match scale {
            Some(scale) => (x - scale.mean.val().unsqueeze()) / scale.std.val().unsqueeze(),
            None => x,
        })
    }

    /// Codes given as numbers, as a tensor `[codes, dims]`.
    pub(super) fn codes(&self, codes: &[f32], dims: usize) -> Result<Tensor<2>> {
        if !codes.len().is_multiple_of(dims) {
            return Err(Error::setting(
                "codes",
                format!("{} numbers", codes.len()),
                format!("each code has {dims}"),
            ));
        }
        Ok(self.tensor(codes.to_vec(), dims))
    }

    /// Levels as entries in \[0, 1\]; other values as they are.
    pub(super) fn unit(&self, x: Tensor<2>) -> Tensor<2> {
        match self.data.domain {
            Domain::Levels(n) => x / f64::from(n - 1),
            Domain::Binary | Domain::Real => x,
        }
    }

    /// Classes as one-hot rows.
    pub(super) fn one_hot(&self, labels: Option<&[u32]>) -> Result<Tensor<2>> {
        let classes = self.data.classes;
        let labels = labels.ok_or_else(|| {
            self.unsuitable("it is conditional and these examples have no labels".to_owned())
        })?;
        let mut hot = vec![0.0; labels.len() * classes];
        for (row, &label) in hot.chunks_exact_mut(classes).zip(labels) {
            let slot = row.get_mut(label as usize).ok_or_else(|| {
                self.unsuitable(format!("class {label} where the largest is {}", classes - 1))
            })?;
            *slot = 1.0;
        }
        Ok(self.tensor(hot, classes))
    }
}
