//! The critic: features, the heads that read them, and penalties on its slope.
//!
//! | penalty | adds to the critic's loss | source |
//! |---|---|---|
//! | gradient | λ·(‖∇D(x̂)‖ − 1)², x̂ between data and samples | Gulrajani et al. 2017, equation 3 |
//! | dragan | λ·(‖∇D(x̂)‖ − 1)², x̂ = x + αu·std/2, α and u uniform on [0, 1) | Kodali et al. 2017, section 2.3, the noise as in its authors' code |
//! | r1 | ½λ·‖∇D(x)‖² on data | Mescheder et al. 2018, equation 9 |
//! | clip | nothing; weights are clamped after each update | Arjovsky et al. 2017, algorithm 1 |

use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};

use super::layers::{Form, Layer, Map, Network, Plan, Start, size};
use super::losses::Loss;
use super::networks::{Blueprint, Family};
use super::normalization::{MOMENTUM, Mode, Norm, Statistics};
use crate::model::{Init, SizeBuilder};
use crate::nn::{Activation, with_value};
use crate::{Result, choices};

choices! {
    /// Regularization of the discriminator.
    pub enum Penalty {
        /// none
        None = "none",
        /// weights are clipped after each update
        Clip = "clip",
        /// the input gradient between data and samples is held at norm 1 (WGAN-GP)
        Gradient = "gradient",
        /// the input gradient around data is held at norm 1
        Dragan = "dragan",
        /// the squared input gradient on data
        R1 = "r1",
    }
}

impl Penalty {
    /// Whether it takes the slope at each example.
    pub(crate) fn takes_slopes(self) -> bool {
        matches!(self, Self::Gradient | Self::Dragan | Self::R1)
    }

    /// Its mean over the slopes `[batch, size]`, without its weight.
    pub(crate) fn of(self, slopes: Tensor<2>) -> Tensor<1> {
        let squares = slopes.square().sum_dim(1);
        match self {
            Self::R1 => squares.mean() * 0.5,
            // The root has no slope at 0, where the penalty does not need one.
            _ => ((squares + 1e-12).sqrt() - 1.0).square().mean(),
        }
    }
}

choices! {
    /// How classes or codes come in.
    pub enum Conditioning {
        /// not at all
        None = "none",
        /// the class beside the input of both networks (Mirza and Osindero 2014)
        Concat = "concat",
        /// the discriminator also names the class (Odena et al. 2017)
        Auxiliary = "auxiliary",
        /// the discriminator also recovers codes that the generator was given (Chen et al. 2016)
        MutualInformation = "mutual-information",
        /// the class as an inner product with the features (Miyato and Koyama 2018)
        Projection = "projection",
    }
}

impl Conditioning {
    /// Whether it needs the classes of the data.
    pub(crate) fn needs_labels(self) -> bool {
        matches!(self, Self::Concat | Self::Auxiliary | Self::Projection)
    }
}

/// The sizes of a critic.
#[derive(Debug, Clone)]
pub(crate) struct CriticPlan<'a> {
    pub(crate) networks: Blueprint<'a>,
    pub(crate) loss: Loss,
    pub(crate) conditioning: Conditioning,
    /// Classes of the data.
    pub(crate) classes: usize,
    /// Values of the categorical code, 0 for none.
    pub(crate) categories: usize,
    /// Continuous codes.
    pub(crate) continuous: usize,
    /// Size of an autoencoder's code.
    pub(crate) code_dim: usize,
    /// What follows an autoencoder's last layer.
    pub(crate) output: Activation,
    pub(crate) start: Start,
}

/// What recovers codes from features.
#[derive(Module, Debug)]
struct Recognition {
    hidden: Layer,
    categorical: Option<Layer>,
    continuous: Option<Layer>,
}

/// A critic with all its heads.
#[derive(Module, Debug)]
pub(crate) struct Critic {
    trunk: Network,
    /// To one score, or to the code of an autoencoder.
    head: Layer,
    decoder: Option<Network>,
    classes: Option<Layer>,
    embedding: Option<Layer>,
    recognition: Option<Recognition>,
    /// k of `began`, `[1]`.
    balance: Option<Param<Tensor<1>>>,
    #[module(skip)]
    form: Form,
    /// Whether the class comes in as maps, not as entries.
    #[module(skip)]
    maps: bool,
    #[module(skip)]
    concat: bool,
    /// Whether an autoencoder's energy is the root of the mean square, not the mean absolute error.
    #[module(skip)]
    squared: bool,
}

/// What the critic says of a batch.
pub(crate) struct Verdict {
    /// `[batch, 1]`, higher for what looks like data.
    pub(crate) score: Tensor<2>,
    /// Logits of the classes `[batch, classes]`.
    pub(crate) classes: Option<Tensor<2>>,
    /// The recovered codes: logits of the category, and means.
    pub(crate) codes: (Option<Tensor<2>>, Option<Tensor<2>>),
    /// An autoencoder's codes `[batch, code_dim]`.
    pub(crate) encoded: Option<Tensor<2>>,
    /// The batch's moments, where it was normalised over the batch.
    pub(crate) statistics: Vec<Option<Statistics>>,
}

impl Verdict {
    /// What it says of the first `count` examples, and of the rest; without moments, which are of all.
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

/// A feature map as rows.
pub(crate) fn flat(x: Tensor<4>) -> Tensor<2> {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c * h * w])
}

impl CriticPlan<'_> {
    /// The layers of features, and the form of these.
    fn trunk(&self) -> Result<(Vec<Plan>, Form)> {
        let extra = if self.conditioning == Conditioning::Concat { self.classes } else { 0 };
        let trunk = self.networks.critic(extra)?;
        let inputs = [size(self.networks.form).saturating_add(extra), 1, 1];
        let features = trunk.last().map_or(inputs, |last| last.to);
        Ok((trunk, features))
    }

    /// The layers of an autoencoder's second half: the generator's shape without its noise.
    fn decoder(&self) -> Result<Option<Vec<Plan>>> {
        if !self.loss.wants_energy() {
            return Ok(None);
        }
        let hidden: Vec<usize> = self.networks.hidden.iter().rev().copied().collect();
        let mirrored = Blueprint { hidden: &hidden, ..self.networks.clone() };
        mirrored.generator(self.code_dim, self.output).map(Some)
    }

    /// A dense layer that reads features, or what another such layer gives.
    fn head(&self, from: Form, to: usize, activation: Activation) -> Plan {
        let spectral = self.networks.norm == Norm::Spectral;
        Plan {
            map: Map::Dense,
            from,
            to: [to, 1, 1],
            norm: if spectral { Norm::Spectral } else { Norm::None },
            activation,
            bias: true,
            precision: self.networks.precision,
        }
    }

    /// The features' weights for each class. A bias would stand outside the spectral norm.
    fn embedding(&self, features: Form) -> Plan {
        let plan = self.head([self.classes, 1, 1], size(features), Activation::Identity);
        Plan { bias: false, ..plan }
    }

    /// What the first head gives: one score, or the code of an autoencoder.
    fn scores(&self) -> usize {
        if self.loss.wants_energy() { self.code_dim } else { 1 }
    }

    /// Every layer of a [`Critic`].
    fn layers(&self) -> Result<Vec<Plan>> {
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

    /// Counts what one pass keeps.
    pub(crate) fn count_pass(&self, count: &mut SizeBuilder) -> Result<()> {
        self.layers()?.iter().for_each(|layer| layer.count_pass(count));
        Ok(())
    }
}

/// Units of the layer that codes are recovered through.
const RECOGNITION: usize = 128;

impl Critic {
    pub(crate) fn init(plan: &CriticPlan<'_>, init: &Init) -> Result<Self> {
        let networks = &plan.networks;
        let concat = plan.conditioning == Conditioning::Concat;
        let (trunk, features) = plan.trunk()?;
        let make = |layer: Plan, name: &str| Layer::init(layer, plan.start, name, init);
        let layer = |from: Form, to: usize, activation: Activation, name: &str| {
            make(plan.head(from, to, activation), name)
        };
        let outputs = plan.scores();
        let decoder = plan.decoder()?;
        let decoder =
            decoder.map(|plans| Network::init(&plans, plan.start, "critic.decoder", init));
        let conditioning = plan.conditioning;
        let identity = Activation::Identity;
        Ok(Self {
            trunk: Network::init(&trunk, plan.start, "critic.trunk", init),
            head: layer(features, outputs, identity, "critic.head"),
            decoder,
            classes: (conditioning == Conditioning::Auxiliary)
                .then(|| layer(features, plan.classes, identity, "critic.classes")),
            embedding: (conditioning == Conditioning::Projection)
                .then(|| make(plan.embedding(features), "critic.embedding")),
            recognition: (conditioning == Conditioning::MutualInformation).then(|| {
                let hidden = RECOGNITION;
                let read = |to: usize, name: &str| {
                    (to > 0).then(|| layer([hidden, 1, 1], to, identity, name))
                };
                Recognition {
                    hidden: layer(features, hidden, networks.activation, "critic.recognition"),
                    categorical: read(plan.categories, "critic.recognition.categorical"),
                    continuous: read(plan.continuous, "critic.recognition.continuous"),
                }
            }),
            balance: (plan.loss == Loss::Began).then(|| crate::nn::frozen(vec![0.0], init)),
            form: networks.form,
            maps: networks.family != Family::Mlp,
            concat,
            squared: plan.loss == Loss::Ebgan,
        })
    }

    /// Examples with their classes beside them, where these come in at the front.
    fn input(&self, x: Tensor<2>, hot: Option<Tensor<2>>) -> Tensor<4> {
        let n = x.dims()[0];
        let [c, h, w] = self.form;
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

    /// What it says of examples `[batch, size]` with their classes as one-hot rows.
    pub(crate) fn judge(&self, x: Tensor<2>, hot: Option<Tensor<2>>, mode: Mode) -> Verdict {
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
        Verdict {
            score,
            classes: self.classes.as_ref().map(|layer| read(layer, &features)),
            codes,
            encoded,
            statistics,
        }
    }

    /// What it says of data and of samples in training, each with their classes: in one pass, unless
    /// normalisation ties the examples of a batch together.
    pub(crate) fn judge_both(
        &self,
        (real, of_real): (Tensor<2>, Option<Tensor<2>>),
        (fake, of_fake): (Tensor<2>, Option<Tensor<2>>),
    ) -> (Verdict, Verdict) {
        if self.ties_examples() {
            let on_real = self.judge(real, of_real, Mode::Training);
            return (on_real, self.judge(fake, of_fake, Mode::Training));
        }
        let count = real.dims()[0];
        let hot = of_real.zip(of_fake).map(|(a, b)| Tensor::cat(vec![a, b], 0));
        let both = self.judge(Tensor::cat(vec![real, fake], 0), hot, Mode::Training);
        both.split(count)
    }

    /// Whether what it says of an example depends on the others of its batch.
    pub(crate) fn ties_examples(&self) -> bool {
        [Some(&self.trunk), self.decoder.as_ref()].into_iter().flatten().any(Network::ties_examples)
    }

    /// The features' weights for each class `[batch, features]`.
    fn embed(&self, embedding: &Layer, hot: Tensor<2>) -> Tensor<2> {
        let [n, classes] = hot.dims();
        flat(embedding.forward(hot.reshape([n, classes, 1, 1]), Mode::Training, false).0)
    }

    /// ∇D at each example `[batch, size]`, in differentiable operations.
    pub(crate) fn slopes(&self, x: Tensor<2>, hot: Option<Tensor<2>>) -> Tensor<2> {
        let [n, width] = x.dims();
        let (features, passed) =
            self.trunk.forward(self.input(x, hot.clone()), Mode::Training, true);
        let shape = features.dims();
        let (score, _, trace) = self.head.forward(features, Mode::Training, true);
        let Some(trace) = trace else { return flat(score) };
        let ones = score.detach() * 0.0 + 1.0;
        let mut v = self.head.vjp(trace, ones).reshape(shape);
        if let (Some(embedding), Some(hot)) = (&self.embedding, hot) {
            v = v + self.embed(embedding, hot).reshape(shape);
        }
        // Classes at the front are no part of the example.
        flat(self.trunk.vjp(passed, v)).narrow(1, 0, width).reshape([n, width])
    }

    /// Every layer with weights of its own.
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

    /// Moves the state that is not trained by gradients one step on.
    pub(crate) fn refresh(&mut self) {
        self.trunk.refresh();
        self.heads().into_iter().for_each(Layer::refresh);
        self.decoder.iter_mut().for_each(Network::refresh);
    }

    /// Takes the moments of a batch into those that verdicts after training use.
    pub(crate) fn absorb(&mut self, mut statistics: Vec<Option<Statistics>>) {
        let of_decoder = statistics.split_off(self.trunk.len().min(statistics.len()));
        self.trunk.absorb(statistics, MOMENTUM);
        if let Some(decoder) = &mut self.decoder {
            decoder.absorb(of_decoder, MOMENTUM);
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

/// −log p(class) of each row's class, its mean over the rows.
pub(crate) fn cross_entropy(logits: Tensor<2>, hot: Tensor<2>) -> Tensor<1> {
    (activation::log_softmax(logits, 1) * hot).sum_dim(1).mean().neg()
}

/// How alike the codes of a batch are: the mean squared cosine over pairs (Zhao et al. 2016,
/// equation 4).
pub(crate) fn pull_away(codes: Tensor<2>) -> Tensor<1> {
    let n = codes.dims()[0] as f64;
    let norms = (codes.clone().square().sum_dim(1) + 1e-12).sqrt();
    let unit = codes / norms;
    let cosines = unit.clone().matmul(unit.transpose());
    (cosines.square().sum() - n) / (n * (n - 1.0)).max(1.0)
}
