//! The critic: a network of features, the heads on top of it, and penalties on its input gradient.
//!
//! | penalty | adds to the critic's loss | source |
//! |---|---|---|
//! | gradient | λ·(‖∇D(x̂)‖ − 1)², x̂ between data and samples | Gulrajani et al. 2017, equation 3 |
//! | dragan | λ·(‖∇D(x̂)‖ − 1)², x̂ = x + αu·std/2, α and u uniform on [0, 1) | Kodali et al. 2017, section 2.3, the noise as in its authors' code |
//! | r1 | ½λ·‖∇D(x)‖² on data | Mescheder et al. 2018, equation 9 |
//! | clip | nothing; weights are clamped after each update | Arjovsky et al. 2017, algorithm 1 |

use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};

use super::layers::{ImageShape, Layer, LayerSpec, LinearOp, Network, WeightInit, size};
use super::losses::Loss;
use super::networks::{Architecture, Family};
use super::normalization::{MOMENTUM, Mode, Norm, Statistics};
use crate::model::{Init, SizeBuilder};
use crate::nn::{Activation, with_value};
use crate::{Result, choices};

choices! {
    /// Regularization of the critic.
    pub enum Penalty {
        /// none
        None = "none",
        /// clamps the weights after each update (weight clipping, WGAN)
        Clip = "clip",
        /// pulls the norm of the input gradient to 1 between data and samples (gradient penalty,
        /// WGAN-GP)
        Gradient = "gradient",
        /// pulls the norm of the input gradient to 1 around data (DRAGAN)
        Dragan = "dragan",
        /// penalizes the squared norm of the input gradient on data (R1)
        R1 = "r1",
    }
}

impl Penalty {
    /// Whether it is a function of the critic's input gradients.
    pub(crate) fn needs_input_gradients(self) -> bool {
        matches!(self, Self::Gradient | Self::Dragan | Self::R1)
    }

    /// Its mean over input gradients `[batch, size]`, without its weight.
    pub(crate) fn of(self, input_gradients: Tensor<2>) -> Tensor<1> {
        let squares = input_gradients.square().sum_dim(1);
        match self {
            Self::R1 => squares.mean() * 0.5,
            // The square root has no derivative at 0; the small number keeps it finite.
            _ => ((squares + 1e-12).sqrt() - 1.0).square().mean(),
        }
    }
}

choices! {
    /// How the networks use classes or latent codes.
    pub enum Conditioning {
        /// neither classes nor codes
        None = "none",
        /// concatenates the class to the input of both networks (Mirza and Osindero 2014)
        Concat = "concat",
        /// adds an auxiliary classifier to the critic (Odena et al. 2017)
        Auxiliary = "auxiliary",
        /// maximizes a bound on the mutual information of codes and samples (Chen et al. 2016)
        MutualInformation = "mutual-information",
        /// adds the inner product of a class embedding and the critic's features to the score
        /// (Miyato and Koyama 2018)
        Projection = "projection",
    }
}

impl Conditioning {
    /// Whether it needs labels.
    pub(crate) fn needs_labels(self) -> bool {
        matches!(self, Self::Concat | Self::Auxiliary | Self::Projection)
    }
}

/// The architecture of a critic.
#[derive(Debug, Clone)]
pub(crate) struct CriticArchitecture<'a> {
    pub(crate) networks: Architecture<'a>,
    pub(crate) loss: Loss,
    pub(crate) conditioning: Conditioning,
    /// Classes of the data.
    pub(crate) classes: usize,
    /// Categories of the categorical code; 0 for none.
    pub(crate) categories: usize,
    /// Number of continuous codes.
    pub(crate) continuous: usize,
    /// Dimensions of an autoencoder's code.
    pub(crate) code_dim: usize,
    /// The factor of the score.
    pub(crate) scale: f64,
    /// The activation of an autoencoder's last layer.
    pub(crate) output: Activation,
    pub(crate) start: WeightInit,
}

/// The network Q, which predicts codes from features (Chen et al. 2016).
#[derive(Module, Debug)]
struct Recognition {
    hidden: Layer,
    categorical: Option<Layer>,
    continuous: Option<Layer>,
}

/// The weights of a critic.
#[derive(Module, Debug)]
pub(crate) struct Critic {
    trunk: Network,
    /// From the features to the score, or to the code of an autoencoder.
    head: Layer,
    decoder: Option<Network>,
    classes: Option<Layer>,
    embedding: Option<Layer>,
    recognition: Option<Recognition>,
    /// k of `began`, `[1]`.
    balance: Option<Param<Tensor<1>>>,
    #[module(skip)]
    image_shape: ImageShape,
    /// Whether the class is concatenated as feature maps (else as entries).
    #[module(skip)]
    maps: bool,
    #[module(skip)]
    concat: bool,
    /// Whether an autoencoder's energy is the root mean squared error (else the mean absolute
    /// error).
    #[module(skip)]
    squared: bool,
    /// The factor of the score.
    #[module(skip)]
    pub(super) scale: f64,
}

/// The outputs of a critic for a batch.
pub(crate) struct DiscriminatorOutput {
    /// `[batch, 1]`, higher for examples that look like data.
    pub(crate) score: Tensor<2>,
    /// Logits of the classes `[batch, classes]`.
    pub(crate) classes: Option<Tensor<2>>,
    /// Predictions of the codes: logits of the categorical one, and means of the continuous ones.
    pub(crate) codes: (Option<Tensor<2>>, Option<Tensor<2>>),
    /// An autoencoder's codes `[batch, code_dim]`.
    pub(crate) encoded: Option<Tensor<2>>,
    /// The moments of each layer with batch normalization.
    pub(crate) statistics: Vec<Option<Statistics>>,
}

impl DiscriminatorOutput {
    /// The outputs for the first `count` examples, and for the rest; without the moments, which
    /// belong to the whole batch.
    fn split(self, count: usize) -> (Self, Self) {
        let rest = self.score.dims()[0] - count;
        let part = |from: usize, count: usize| {
            let narrow = |x: &Tensor<2>| x.clone().narrow(0, from, count);
            Self {
                score: narrow(&self.score),
                classes: self.classes.as_ref().map(narrow),
                codes: (self.codes.0.as_ref().map(narrow), self.codes.1.as_ref().map(narrow)),
                encoded: self.encoded.as_ref().map(narrow),
                statistics: Vec::new(),
            }
        };
        (part(0, count), part(count, rest))
    }
}

/// Flattens feature maps to rows.
pub(crate) fn flat(x: Tensor<4>) -> Tensor<2> {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c * h * w])
}

impl CriticArchitecture<'_> {
    /// The layers of the trunk, and the shape of the features that it computes.
    fn trunk(&self) -> Result<(Vec<LayerSpec>, ImageShape)> {
        let extra = if self.conditioning == Conditioning::Concat { self.classes } else { 0 };
        let trunk = self.networks.critic(extra)?;
        let inputs = [size(self.networks.image_shape).saturating_add(extra), 1, 1];
        let features = trunk.last().map_or(inputs, |last| last.to);
        Ok((trunk, features))
    }

    /// The layers of an autoencoder's decoder: those of the generator, from the code.
    fn decoder(&self) -> Result<Option<Vec<LayerSpec>>> {
        if !self.loss.uses_energy() {
            return Ok(None);
        }
        let hidden: Vec<usize> = self.networks.hidden.iter().rev().copied().collect();
        let mirrored = Architecture { hidden: &hidden, ..self.networks.clone() };
        mirrored.generator(self.code_dim, self.output).map(Some)
    }

    /// A dense layer from features, or from another such layer.
    fn head(&self, from: ImageShape, to: usize, activation: Activation) -> LayerSpec {
        let spectral = self.networks.norm == Norm::Spectral;
        LayerSpec {
            op: LinearOp::Dense,
            from,
            to: [to, 1, 1],
            norm: if spectral { Norm::Spectral } else { Norm::None },
            activation,
            bias: true,
            precision: self.networks.precision,
        }
    }

    /// The embedding of the classes. It has no bias, which spectral normalization would not bound.
    fn embedding(&self, features: ImageShape) -> LayerSpec {
        let spec = self.head([self.classes, 1, 1], size(features), Activation::Identity);
        LayerSpec { bias: false, ..spec }
    }

    /// Outputs of the first head: one score, or the code of an autoencoder.
    fn scores(&self) -> usize {
        if self.loss.uses_energy() { self.code_dim } else { 1 }
    }

    /// Every layer of a [`Critic`].
    fn layers(&self) -> Result<Vec<LayerSpec>> {
        let (mut all, features) = self.trunk()?;
        let identity = Activation::Identity;
        all.push(self.head(features, self.scores(), identity));
        all.extend(self.decoder()?.into_iter().flatten());
        match self.conditioning {
            Conditioning::Auxiliary => all.push(self.head(features, self.classes, identity)),
            Conditioning::Projection => all.push(self.embedding(features)),
            Conditioning::MutualInformation => {
                let hidden = [RECOGNITION, 1, 1];
                all.push(self.head(features, RECOGNITION, self.networks.activation));
                let read = [self.categories, self.continuous].into_iter().filter(|&to| to > 0);
                all.extend(read.map(|to| self.head(hidden, to, identity)));
            }
            Conditioning::None | Conditioning::Concat => {}
        }
        Ok(all)
    }

    /// Counts the tensors of a [`Critic`].
    pub(crate) fn count(&self, count: &mut SizeBuilder) -> Result<()> {
        self.layers()?.iter().for_each(|layer| layer.count(count));
        if self.loss == Loss::Began {
            count.buffer(&[1]);
        }
        Ok(())
    }

    /// Counts the activations that one pass keeps.
    pub(crate) fn count_pass(&self, count: &mut SizeBuilder) -> Result<()> {
        self.layers()?.iter().for_each(|layer| layer.count_pass(count));
        Ok(())
    }
}

/// Units of the hidden layer of Q.
const RECOGNITION: usize = 128;

impl Critic {
    pub(crate) fn init(architecture: &CriticArchitecture<'_>, init: &Init) -> Result<Self> {
        let networks = &architecture.networks;
        let concat = architecture.conditioning == Conditioning::Concat;
        let (trunk, features) = architecture.trunk()?;
        let make =
            |layer: LayerSpec, name: &str| Layer::init(layer, architecture.start, name, init);
        let layer = |from: ImageShape, to: usize, activation: Activation, name: &str| {
            make(architecture.head(from, to, activation), name)
        };
        let outputs = architecture.scores();
        let decoder = architecture.decoder()?;
        let decoder =
            decoder.map(|specs| Network::init(&specs, architecture.start, "critic.decoder", init));
        let conditioning = architecture.conditioning;
        let identity = Activation::Identity;
        Ok(Self {
            trunk: Network::init(&trunk, architecture.start, "critic.trunk", init),
            head: layer(features, outputs, identity, "critic.head"),
            decoder,
            classes: (conditioning == Conditioning::Auxiliary)
                .then(|| layer(features, architecture.classes, identity, "critic.classes")),
            embedding: (conditioning == Conditioning::Projection)
                .then(|| make(architecture.embedding(features), "critic.embedding")),
            recognition: (conditioning == Conditioning::MutualInformation).then(|| {
                let hidden = RECOGNITION;
                let read = |to: usize, name: &str| {
                    (to > 0).then(|| layer([hidden, 1, 1], to, identity, name))
                };
                Recognition {
                    hidden: layer(features, hidden, networks.activation, "critic.recognition"),
                    categorical: read(architecture.categories, "critic.recognition.categorical"),
                    continuous: read(architecture.continuous, "critic.recognition.continuous"),
                }
            }),
            balance: (architecture.loss == Loss::Began).then(|| crate::nn::frozen(vec![0.0], init)),
            image_shape: networks.image_shape,
            maps: networks.family != Family::Mlp,
            concat,
            squared: architecture.loss == Loss::Ebgan,
            scale: architecture.scale,
        })
    }

    /// The input of the trunk: examples, with their classes concatenated for `concat`.
    fn input(&self, x: Tensor<2>, hot: Option<Tensor<2>>) -> Tensor<4> {
        let n = x.dims()[0];
        let [c, h, w] = self.image_shape;
        match hot.filter(|_| self.concat) {
            Some(hot) if self.maps => {
                let classes = hot.dims()[1];
                let maps = hot.reshape([n, classes, 1, 1]).expand([n, classes, h, w]);
                Tensor::cat(vec![x.reshape([n, c, h, w]), maps], 1)
            }
            Some(hot) => {
                let rows = Tensor::cat(vec![x, hot], 1);
                let width = rows.dims()[1];
                rows.reshape([n, width, 1, 1])
            }
            None if self.maps => x.reshape([n, c, h, w]),
            None => x.reshape([n, c * h * w, 1, 1]),
        }
    }

    /// The outputs for examples `[batch, size]` with their classes as one-hot rows.
    pub(crate) fn forward(
        &self,
        x: Tensor<2>,
        hot: Option<Tensor<2>>,
        mode: Mode,
    ) -> DiscriminatorOutput {
        let (features, passed) =
            self.trunk.forward(self.input(x.clone(), hot.clone()), mode, false);
        let read = |layer: &Layer, x: &Tensor<4>| flat(layer.forward(x.clone(), mode, false).0);
        let mut score = read(&self.head, &features);
        let mut encoded = None;
        let mut statistics = passed.statistics;
        if let Some(decoder) = &self.decoder {
            let n = score.dims()[0];
            let code_dim = score.dims()[1];
            encoded = Some(score.clone());
            let (back, of_decoder) =
                decoder.forward(score.reshape([n, code_dim, 1, 1]), mode, false);
            statistics.extend(of_decoder.statistics);
            let error = flat(back) - x;
            let energy = if self.squared {
                (error.square().mean_dim(1) + 1e-12).sqrt()
            } else {
                error.abs().mean_dim(1)
            };
            score = energy.neg();
        }
        if let (Some(embedding), Some(hot)) = (&self.embedding, hot) {
            score = score + (self.embed(embedding, hot) * flat(features.clone())).sum_dim(1);
        }
        if self.scale != 1.0 {
            score = score * self.scale;
        }
        let codes = match &self.recognition {
            Some(recognition) => {
                let (hidden, ..) = recognition.hidden.forward(features.clone(), mode, false);
                (
                    recognition.categorical.as_ref().map(|layer| read(layer, &hidden)),
                    recognition.continuous.as_ref().map(|layer| read(layer, &hidden)),
                )
            }
            None => (None, None),
        };
        DiscriminatorOutput {
            score,
            classes: self.classes.as_ref().map(|layer| read(layer, &features)),
            codes,
            encoded,
            statistics,
        }
    }

    /// The outputs for data and for samples in training, each with their classes: in one pass,
    /// unless batch normalization makes examples depend on each other.
    pub(crate) fn forward_both(
        &self,
        (real, of_real): (Tensor<2>, Option<Tensor<2>>),
        (fake, of_fake): (Tensor<2>, Option<Tensor<2>>),
    ) -> (DiscriminatorOutput, DiscriminatorOutput) {
        if self.is_batch_dependent() {
            let on_real = self.forward(real, of_real, Mode::Training);
            return (on_real, self.forward(fake, of_fake, Mode::Training));
        }
        let count = real.dims()[0];
        let hot = of_real.zip(of_fake).map(|(a, b)| Tensor::cat(vec![a, b], 0));
        let both = self.forward(Tensor::cat(vec![real, fake], 0), hot, Mode::Training);
        both.split(count)
    }

    /// Whether the outputs for an example depend on the others of its batch.
    pub(crate) fn is_batch_dependent(&self) -> bool {
        [Some(&self.trunk), self.decoder.as_ref()]
            .into_iter()
            .flatten()
            .any(Network::is_batch_dependent)
    }

    /// The embeddings of classes `[batch, features]`.
    fn embed(&self, embedding: &Layer, hot: Tensor<2>) -> Tensor<2> {
        let [n, classes] = hot.dims();
        flat(embedding.forward(hot.reshape([n, classes, 1, 1]), Mode::Training, false).0)
    }

    /// The input gradient ∇D at each example `[batch, size]`, in differentiable operations.
    pub(crate) fn input_gradients(&self, x: Tensor<2>, hot: Option<Tensor<2>>) -> Tensor<2> {
        let [n, width] = x.dims();
        let (features, passed) =
            self.trunk.forward(self.input(x, hot.clone()), Mode::Training, true);
        let shape = features.dims();
        let (score, _, trace) = self.head.forward(features, Mode::Training, true);
        let Some(trace) = trace else { return flat(score) };
        let slope = score.detach() * 0.0 + self.scale;
        let mut v = self.head.vjp(trace, slope).reshape(shape);
        if let (Some(embedding), Some(hot)) = (&self.embedding, hot) {
            v = v + self.embed(embedding, hot).reshape(shape) * self.scale;
        }
        // The gradient for concatenated classes is left out.
        flat(self.trunk.vjp(passed, v)).narrow(1, 0, width).reshape([n, width])
    }

    /// The layers of all heads.
    fn heads(&mut self) -> Vec<&mut Layer> {
        let mut heads = vec![&mut self.head];
        heads.extend(&mut self.classes);
        heads.extend(&mut self.embedding);
        if let Some(recognition) = &mut self.recognition {
            heads.push(&mut recognition.hidden);
            heads.extend(&mut recognition.categorical);
            heads.extend(&mut recognition.continuous);
        }
        heads
    }

    /// Takes one step of the power iteration in each layer with spectral normalization.
    pub(crate) fn update_spectral_norm(&mut self) {
        self.trunk.update_spectral_norm();
        self.heads().into_iter().for_each(Layer::update_spectral_norm);
        self.decoder.iter_mut().for_each(Network::update_spectral_norm);
    }

    /// Updates the running moments of batch normalization with those of a batch.
    pub(crate) fn update_running_stats(&mut self, mut statistics: Vec<Option<Statistics>>) {
        let of_decoder = statistics.split_off(self.trunk.len().min(statistics.len()));
        self.trunk.update_running_stats(statistics, MOMENTUM);
        if let Some(decoder) = &mut self.decoder {
            decoder.update_running_stats(of_decoder, MOMENTUM);
        }
    }

    pub(crate) fn clip(&mut self, bound: f64) {
        self.trunk.clip(bound);
        self.heads().into_iter().for_each(|layer| layer.clip(bound));
        self.decoder.iter_mut().for_each(|network| network.clip(bound));
    }

    /// k of `began`.
    pub(crate) fn balance(&self) -> f64 {
        let value = |k: &Param<Tensor<1>>| crate::nn::to_f64(k.val()).first().copied();
        self.balance.as_ref().and_then(value).unwrap_or(0.0)
    }

    pub(crate) fn set_balance(&mut self, value: f64) {
        if let Some(k) = self.balance.take() {
            self.balance = Some(with_value(k, vec![value as f32]).set_require_grad(false));
        }
    }
}

/// The mean of −log p(class) over the rows.
pub(crate) fn cross_entropy(logits: Tensor<2>, hot: Tensor<2>) -> Tensor<1> {
    (activation::log_softmax(logits, 1) * hot).sum_dim(1).mean().neg()
}

/// The pull-away term: the mean squared cosine over pairs of codes of a batch (Zhao et al. 2016,
/// equation 4).
pub(crate) fn pull_away(codes: Tensor<2>) -> Tensor<1> {
    let n = codes.dims()[0] as f64;
    let norms = (codes.clone().square().sum_dim(1) + 1e-12).sqrt();
    let unit = codes / norms;
    let cosines = unit.clone().matmul(unit.transpose());
    (cosines.square().sum() - n) / (n * (n - 1.0)).max(1.0)
}
