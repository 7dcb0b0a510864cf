//! The observation models p(x | outputs) of decoders and conditionals; entries are conditionally
//! independent.
//!
//! | name | domain | outputs per entry | log p(x) |
//! |---|---|---|---|
//! | `bernoulli` | binary | logit l | x l − log(1 + eˡ) |
//! | `categorical` | levels | one logit per level | l_x − log Σ eˡ |
//! | `logistic-mixture` | levels | weight, mean and log-scale per component | mass of the level's interval under a mixture of logistics (Salimans et al. 2017, eq. 2) |
//! | `gaussian` | levels | mean and log σ | mass of the level's interval under N(mean, σ²) |
//! | `gaussian` | reals | mean and log σ | density of N(mean, σ²) |
//! | `gaussian-fixed` | reals | mean | density of N(mean, 1) |
//! | `continuous-bernoulli` | levels | logit η | mass of the level's part of \[0, 1\] under the density ∝ e^(η x) (Loaiza-Ganem and Cunningham 2019, eq. 5) |
//! | `tilted-histogram` | levels | logit η | mass ∝ h_k e^(η k / (L − 1)), the exponential tilt of the distribution h of the mean of three levels of the training data (Rathouz and Gao 2009, *Biostatistics* 10:205-218) |
//! | Gaussian mixture | reals | weight, mean and log σ per component | log Σ π N(x; mean, σ²) (Uria et al. 2013) |
//! | Laplace mixture | reals | weight, mean and log b per component | log Σ π exp(−|x − mean| / b) / 2b |
//!
//! The levels 0 to L − 1 stand at −1 to 1; each interval reaches half a step to both sides, those at the
//! ends to infinity, so that the masses sum to one. `gaussian-shared` and `gaussian-per-entry` have the
//! outputs of `gaussian`, of which log σ is a weight instead of a network's output, and `gaussian-fixed`
//! over levels has a constant there ([`Deviation`]).

use std::f64::consts::LN_2;
use std::sync::Arc;

use ancestral_data::Domain;
use ancestral_kernels::{self as kernels, Isa, LOGISTIC_COMPONENTS as COMPONENTS, Levels, Tilt};
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::{levels, log_sum_exp};
use crate::{Error, Result, choices};

/// Lower limit of log-scales: a narrower distribution is a point mass on the grid of levels.
const MIN_LOG_SCALE: f64 = kernels::LOG_SCALES[0] as f64;
/// The upper limit keeps the scale finite.
const MAX_LOG_SCALE: f64 = kernels::LOG_SCALES[1] as f64;

/// Levels whose mean has the base distribution of `tilted-histogram`: with three, the variance is near the
/// squared error of what small networks reconstruct.
const TILTED_DRAWS: usize = 3;

/// Levels from which a table of `tilted-histogram` would be slow to make.
const MOST_TILTED: u32 = 1024;

choices! {
    /// The name of an observation model that a setting may choose.
    pub enum LikelihoodName {
        /// the default for the data's domain
        Auto = "auto",
        /// Bernoulli, for binary entries
        Bernoulli = "bernoulli",
        /// categorical, with one logit per level
        Categorical = "categorical",
        /// mixture of discretized logistics, for ordered levels
        LogisticMixture = "logistic-mixture",
        /// Gaussian with a predicted variance for each entry, for real data and ordered levels
        Gaussian = "gaussian",
        /// Gaussian with one learned variance
        GaussianShared = "gaussian-shared",
        /// Gaussian with a learned variance for each entry
        GaussianPerEntry = "gaussian-per-entry",
        /// Gaussian with variance 1, for standardized real data; over levels with a standard deviation
        /// of a tenth of their range
        GaussianFixed = "gaussian-fixed",
        /// continuous Bernoulli, for ordered levels
        ContinuousBernoulli = "continuous-bernoulli",
        /// distribution of the mean of three levels of the training data, tilted exponentially to a
        /// predicted mean, for ordered levels
        TiltedHistogram = "tilted-histogram",
    }
}

/// Where the standard deviation of a Gaussian comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deviation {
    /// From the network, or the observation model has none.
    Predicted,
    /// One weight for all entries.
    Shared,
    /// A weight for each entry.
    PerEntry,
    /// A constant ln σ, where the levels stand at −1 to 1.
    Fixed(f64),
}

impl LikelihoodName {
    /// Where the standard deviation comes from, for data of this domain.
    pub fn deviation(self, domain: Domain) -> Deviation {
        match (self, domain) {
            (Self::GaussianShared, _) => Deviation::Shared,
            (Self::GaussianPerEntry, _) => Deviation::PerEntry,
            // A tenth of the range from −1 to 1.
            (Self::GaussianFixed, Domain::Levels(_)) => Deviation::Fixed(0.2f64.ln()),
            _ => Deviation::Predicted,
        }
    }
}

/// An observation model.
#[derive(Debug, Clone, PartialEq)]
pub enum Likelihood {
    /// For binary entries.
    Bernoulli,
    /// For entries of this many levels.
    Categorical {
        /// The number of levels.
        levels: usize,
    },
    /// For entries of this many ordered levels.
    LogisticMixture {
        /// The number of levels.
        levels: usize,
    },
    /// For real data, with a variance for each entry.
    Gaussian,
    /// For entries of this many ordered levels, with a variance for each.
    GaussianLevels {
        /// The number of levels.
        levels: usize,
    },
    /// For entries of this many ordered levels.
    ContinuousBernoulli {
        /// The number of levels.
        levels: usize,
    },
    /// For entries of ordered levels, with the histogram of the training data.
    TiltedHistogram(Arc<Tilt>),
    /// For real data, with variance 1 (of standardized data).
    GaussianFixed,
    /// For real data.
    GaussianMixture {
        /// The number of components.
        components: usize,
    },
    /// For real data.
    LaplaceMixture {
        /// The number of components.
        components: usize,
    },
}

impl Likelihood {
    /// The observation model of a name for a domain; `auto` takes the domain's default. `histogram`
    /// counts the levels of the training data; empty, all are alike.
    ///
    /// # Errors
    /// If it does not suit the domain.
    pub fn choose(name: LikelihoodName, domain: Domain, histogram: &[u64]) -> Result<Self> {
        use LikelihoodName as Name;
        let levels = domain.max_level().map_or(0, |max| max as usize + 1);
        let counts =
            || if histogram.len() == levels { histogram.to_vec() } else { vec![1; levels] };
        let refused = |why: String| Error::setting("likelihood", format!("'{name}'"), why);
        Ok(match (name, domain) {
            (Name::Auto | Name::Bernoulli, Domain::Binary) => Self::Bernoulli,
            (Name::Auto, Domain::Levels(..=2)) => Self::Categorical { levels },
            (Name::Auto, Domain::Levels(_)) => Self::LogisticMixture { levels },
            (
                Name::Auto | Name::Gaussian | Name::GaussianShared | Name::GaussianPerEntry,
                Domain::Real,
            ) => Self::Gaussian,
            (
                Name::Gaussian
                | Name::GaussianShared
                | Name::GaussianPerEntry
                | Name::GaussianFixed,
                Domain::Levels(_),
            ) => Self::GaussianLevels { levels },
            (Name::ContinuousBernoulli, Domain::Levels(_)) => Self::ContinuousBernoulli { levels },
            (Name::TiltedHistogram, Domain::Levels(MOST_TILTED..)) => {
                let why = format!(
                    "it takes fewer than {MOST_TILTED} levels; choose gaussian-shared or \
                     logistic-mixture"
                );
                return Err(refused(why));
            }
            (Name::TiltedHistogram, Domain::Levels(_)) => {
                Self::TiltedHistogram(Arc::new(Tilt::new(&counts(), TILTED_DRAWS)))
            }
            (Name::GaussianFixed, Domain::Real) => Self::GaussianFixed,
            (Name::Categorical, Domain::Binary | Domain::Levels(_)) => Self::Categorical { levels },
            (Name::LogisticMixture, Domain::Levels(_)) => Self::LogisticMixture { levels },
            (Name::Bernoulli, Domain::Levels(_)) => {
                return Err(refused(format!(
                    "a Bernoulli needs binary entries and this data has {domain}; binarize it: \
                     dynamic, static or threshold"
                )));
            }
            (_, domain) => {
                return Err(refused(format!(
                    "it does not suit {domain} entries; leave it at auto"
                )));
            }
        })
    }

    /// The conditional of an autoregressive model of binary entries or levels.
    pub fn discrete(domain: Domain) -> Self {
        match domain {
            Domain::Levels(n) => Self::Categorical { levels: n as usize },
            Domain::Binary | Domain::Real => Self::Bernoulli,
        }
    }

    /// The name, as settings take it.
    pub fn name(&self) -> &'static str {
        match *self {
            Self::Bernoulli => "bernoulli",
            Self::Categorical { .. } => "categorical",
            Self::LogisticMixture { .. } => "logistic-mixture",
            Self::Gaussian | Self::GaussianLevels { .. } => "gaussian",
            Self::ContinuousBernoulli { .. } => "continuous-bernoulli",
            Self::TiltedHistogram(_) => "tilted-histogram",
            Self::GaussianFixed => "gaussian-fixed",
            Self::GaussianMixture { .. } => "gaussian-mixture",
            Self::LaplaceMixture { .. } => "laplace-mixture",
        }
    }

    /// Network outputs per entry.
    pub fn outputs(&self) -> usize {
        match *self {
            Self::Bernoulli
            | Self::GaussianFixed
            | Self::ContinuousBernoulli { .. }
            | Self::TiltedHistogram(_) => 1,
            Self::Categorical { levels } => levels,
            Self::LogisticMixture { .. } => 3 * COMPONENTS,
            Self::Gaussian | Self::GaussianLevels { .. } => 2,
            Self::GaussianMixture { components } | Self::LaplaceMixture { components } => {
                components.saturating_mul(3)
            }
        }
    }

    /// The approximate number of values that [`Likelihood::log_probability`] keeps per entry for
    /// the backward pass.
    pub fn kept(&self) -> u64 {
        match *self {
            Self::Bernoulli | Self::ContinuousBernoulli { .. } | Self::TiltedHistogram(_) => 2,
            Self::GaussianFixed | Self::GaussianLevels { .. } => 4,
            Self::Gaussian => 10,
            Self::Categorical { levels } => levels as u64,
            Self::LogisticMixture { .. } => 4 * COMPONENTS as u64,
            Self::GaussianMixture { components } | Self::LaplaceMixture { components } => {
                (components as u64).saturating_mul(10)
            }
        }
    }

    /// The initial bias of the output layer, from the mean of each entry (in levels, or
    /// standardized), so that training starts at the marginals.
    pub fn output_bias(&self, means: &[f64]) -> Vec<f32> {
        let mut bias = Vec::with_capacity(means.len() * self.outputs());
        for &mean in means {
            match *self {
                Self::Bernoulli => {
                    let p = mean.clamp(1e-3, 1.0 - 1e-3);
                    bias.push((p / (1.0 - p)).ln() as f32);
                }
                Self::Categorical { levels } => {
                    // Decays geometrically from the mean; the first steps correct it.
                    let spread = levels as f64 / 8.0;
                    bias.extend((0..levels).map(|k| -((k as f64 - mean).abs() / spread) as f32));
                }
                Self::LogisticMixture { levels } => {
                    let center = 2.0 * mean / (levels - 1) as f64 - 1.0;
                    bias.extend([0.0; COMPONENTS]);
                    for k in 0..COMPONENTS {
                        let offset = k as f64 / (COMPONENTS - 1) as f64 - 0.5;
                        bias.push((center + offset).clamp(-1.0, 1.0) as f32);
                    }
                    bias.extend([-1.5; COMPONENTS]);
                }
                Self::Gaussian => bias.extend([mean as f32, 0.0]),
                Self::GaussianLevels { levels } => {
                    bias.extend([(2.0 * mean / (levels - 1) as f64 - 1.0) as f32, -0.7]);
                }
                Self::ContinuousBernoulli { levels } => {
                    // The logit of a Bernoulli with this mean; the first steps correct it.
                    let p = (mean / (levels - 1) as f64).clamp(1e-3, 1.0 - 1e-3);
                    bias.push((p / (1.0 - p)).ln() as f32);
                }
                Self::TiltedHistogram(ref tilt) => bias.push(tilt.logit_of_mean(mean) as f32),
                Self::GaussianFixed => bias.push(mean as f32),
                Self::GaussianMixture { components } | Self::LaplaceMixture { components } => {
                    bias.extend(std::iter::repeat_n(0.0, components));
                    // Spaced over ±2 standard deviations, each about as wide as its spacing.
                    bias.extend((0..components).map(|k| {
                        let place = (k as f64 + 0.5) / components as f64 - 0.5;
                        (mean + 3.0 * place) as f32
                    }));
                    let log_sigma = -(components as f32).min(4.0).ln() / 2.0;
                    bias.extend(std::iter::repeat_n(log_sigma, components));
                }
            }
        }
        bias
    }

    /// log p(x | outputs) of each row in nats: outputs `[rows, size · outputs]`, x `[rows, size]`
    /// in levels or real values.
    pub fn log_probability(&self, outputs: Tensor<2>, x: Tensor<2>) -> Tensor<1> {
        match *self {
            Self::Bernoulli => kernels::bernoulli_nll(outputs, x).neg(),
            _ => self.entry_log_probability(outputs, x).sum_dim(1).squeeze_dim(1),
        }
    }

    /// log p(x | outputs) of each entry `[rows, size]` in nats, from the same.
    pub fn entry_log_probability(&self, outputs: Tensor<2>, x: Tensor<2>) -> Tensor<2> {
        let [rows, size] = x.dims();
        match *self {
            Self::Bernoulli => x * outputs.clone() - kernels::softplus(outputs),
            Self::Categorical { .. } => kernels::categorical_log_probability(outputs, x),
            Self::LogisticMixture { levels } => {
                kernels::level_log_probability(Levels::LogisticMixture, outputs, x, levels)
            }
            Self::GaussianLevels { levels } => {
                kernels::level_log_probability(Levels::Gaussian, outputs, x, levels)
            }
            Self::ContinuousBernoulli { levels } => {
                kernels::level_log_probability(Levels::ContinuousBernoulli, outputs, x, levels)
            }
            Self::TiltedHistogram(ref tilt) => kernels::tilted_log_probability(tilt, outputs, x),
            Self::Gaussian => {
                let outputs: Tensor<3> = outputs.reshape([rows, size, 2]);
                let mean: Tensor<2> = outputs.clone().narrow(2, 0, 1).squeeze_dim(2);
                let log_sigma: Tensor<2> = outputs.narrow(2, 1, 1).squeeze_dim(2);
                let log_sigma = log_sigma.clamp_min(MIN_LOG_SCALE);
                let z = (x - mean) * kernels::exp(log_sigma.clone().neg());
                normal_log_density(z, log_sigma)
            }
            Self::GaussianFixed => {
                let z = x - outputs;
                let zero = z.zeros_like();
                normal_log_density(z, zero)
            }
            Self::GaussianMixture { components } | Self::LaplaceMixture { components } => {
                let outputs: Tensor<4> = outputs.reshape([rows, size, 3, components]);
                let [weight, mean, log_scale] = [0, 1, 2].map(|i| part(&outputs, i));
                let log_scale = log_scale.clamp_min(MIN_LOG_SCALE);
                let x: Tensor<3> = x.unsqueeze_dim(2);
                let z = (x - mean) * kernels::exp(log_scale.clone().neg());
                let component = if let Self::GaussianMixture { .. } = *self {
                    (z.clone() * z * 0.5 + log_scale + half_log_tau()).neg()
                } else {
                    (z.abs() + log_scale + LN_2).neg()
                };
                mixture(weight, component)
            }
        }
    }

    /// log p(x | outputs) of one entry in nats, in double precision; finite for any finite real.
    pub fn log_probability_of(&self, outputs: &[f32], x: f32) -> f64 {
        let x = f64::from(x);
        let at = |i: usize| f64::from(outputs[i]);
        let log_scale = |i: usize| at(i).clamp(MIN_LOG_SCALE, MAX_LOG_SCALE);
        let normal = |mean: f64, log_sigma: f64| {
            let z = (x - mean) * (-log_sigma).exp();
            -0.5 * z * z - log_sigma - half_log_tau()
        };
        // log Σ π p, with normalized weights.
        let mixed = |components: usize, term: &dyn Fn(usize) -> f64| {
            let weights = (0..components).map(at);
            log_sum(weights.clone().enumerate().map(|(k, w)| w + term(k))) - log_sum(weights)
        };
        match *self {
            Self::Bernoulli => {
                let l = if x > 0.5 { at(0) } else { -at(0) };
                l.min(0.0) - (-l.abs()).exp().ln_1p()
            }
            Self::Categorical { levels } => {
                at((x as usize).min(levels - 1)) - log_sum((0..levels).map(at))
            }
            Self::LogisticMixture { levels } => mixed(COMPONENTS, &|k| {
                let (mean, log_scale) = (at(COMPONENTS + k), log_scale(2 * COMPONENTS + k));
                levels::logistic(x, mean, log_scale, levels)
            }),
            Self::Gaussian => normal(at(0), log_scale(1)),
            Self::GaussianFixed => normal(at(0), 0.0),
            Self::GaussianLevels { levels } => levels::normal(x, at(0), log_scale(1), levels),
            Self::ContinuousBernoulli { levels } => levels::geometric(x, at(0), levels),
            Self::TiltedHistogram(ref tilt) => tilt.log_probability(at(0), x).0,
            Self::GaussianMixture { components: n } => {
                mixed(n, &|k| normal(at(n + k), log_scale(2 * n + k)))
            }
            Self::LaplaceMixture { components: n } => mixed(n, &|k| {
                let log_b = log_scale(2 * n + k);
                -(x - at(n + k)).abs() * (-log_b).exp() - log_b - LN_2
            }),
        }
    }

    /// log p(x | outputs) of each row in nats, summed in double precision: `outputs`
    /// `[rows, size · outputs]`, `x` `[rows, size]`.
    pub fn row_log_probabilities(&self, outputs: &[f32], x: &[f32], size: usize) -> Vec<f64> {
        if *self == Self::Bernoulli {
            return kernels::bernoulli_log_probabilities(outputs, x, size);
        }
        let width = self.outputs();
        let rows = outputs.par_chunks(size * width).zip(x.par_chunks(size));
        rows.map(|(outputs, x)| {
            let entries = outputs.chunks_exact(width).zip(x);
            entries.map(|(outputs, &x)| self.log_probability_of(outputs, x)).sum()
        })
        .collect()
    }

    /// log p(x | outputs) of each entry `[rows, size]` in nats, which add up to
    /// [`Likelihood::row_log_probabilities`] of the same.
    pub fn term_log_probabilities(&self, outputs: &[f32], x: &[f32], size: usize) -> Vec<f64> {
        let width = self.outputs();
        let mut terms: Vec<f64> = outputs
            .par_chunks_exact(width)
            .zip(x)
            .map(|(outputs, &x)| self.log_probability_of(outputs, x))
            .collect();
        if *self == Self::Bernoulli {
            // The kernel rounds sums in single precision; the difference is distributed over the terms.
            let sums = self.row_log_probabilities(outputs, x, size);
            for (terms, total) in terms.chunks_exact_mut(size).zip(sums) {
                let sum: f64 = terms.iter().sum();
                if sum < 0.0 {
                    terms.iter_mut().for_each(|term| *term *= total / sum);
                }
            }
        }
        terms
    }

    /// Applies a temperature to the outputs of one or more entries: 1 leaves the distribution
    /// unchanged, values below 1 sharpen it, and at 0 only its mode remains.
    ///
    /// Logits are divided by the temperature, scales multiplied.
    pub fn temper(&self, outputs: &mut [f32], temperature: f64) {
        if temperature == 1.0 {
            return;
        }
        let t = temperature.max(1e-6) as f32;
        for o in outputs.chunks_exact_mut(self.outputs()) {
            let (logits, log_scales) = match *self {
                Self::Bernoulli
                | Self::Categorical { .. }
                | Self::ContinuousBernoulli { .. }
                | Self::TiltedHistogram(_) => (o.len(), 0),
                Self::Gaussian | Self::GaussianLevels { .. } => (0, 1),
                // A fixed scale has no output.
                Self::GaussianFixed => (0, 0),
                Self::LogisticMixture { .. } => (COMPONENTS, COMPONENTS),
                Self::GaussianMixture { components } | Self::LaplaceMixture { components } => {
                    (components, components)
                }
            };
            o[..logits].iter_mut().for_each(|l| *l /= t);
            let from = o.len() - log_scales;
            o[from..].iter_mut().for_each(|s| *s = s.max(MIN_LOG_SCALE as f32) + t.ln());
        }
    }

    /// The mean of each entry, in levels or real values, from outputs `[rows, size · outputs]`.
    pub fn mean(&self, outputs: &[f32]) -> Vec<f32> {
        outputs
            .par_chunks_exact(self.outputs())
            .map(|o| match *self {
                Self::Bernoulli => 1.0 / (1.0 + (-o[0]).exp()),
                Self::Categorical { .. } => softmax(o).enumerate().map(|(k, p)| k as f32 * p).sum(),
                Self::LogisticMixture { levels } => {
                    let of = |k: usize| {
                        let log_scale = f64::from(o[2 * COMPONENTS + k]).max(MIN_LOG_SCALE);
                        levels::logistic_mean(o[COMPONENTS + k].into(), log_scale.exp(), levels)
                    };
                    let weights = softmax(&o[..COMPONENTS]).map(f64::from).enumerate();
                    weights.map(|(k, p)| p * of(k)).sum::<f64>() as f32
                }
                Self::Gaussian | Self::GaussianFixed => o[0],
                Self::GaussianLevels { levels } => {
                    let log_sigma = f64::from(o[1]).clamp(MIN_LOG_SCALE, MAX_LOG_SCALE);
                    levels::normal_mean(o[0].into(), log_sigma.exp(), levels) as f32
                }
                Self::ContinuousBernoulli { levels } => {
                    levels::geometric_mean(o[0].into(), levels) as f32
                }
                Self::TiltedHistogram(ref tilt) => tilt.mean(o[0].into()) as f32,
                Self::GaussianMixture { components } | Self::LaplaceMixture { components } => {
                    softmax(&o[..components]).zip(&o[components..]).map(|(p, mean)| p * mean).sum()
                }
            })
            .collect()
    }

    /// Uniform numbers per entry in [`Likelihood::draw`].
    pub fn draws(&self) -> usize {
        match *self {
            Self::GaussianMixture { .. } | Self::LaplaceMixture { .. } => 3,
            _ => 2,
        }
    }

    /// Draws each entry, in levels or real values, with [`Likelihood::draws`] uniform numbers per
    /// entry.
    pub fn draw(&self, outputs: &[f32], uniforms: &[f32]) -> Vec<f32> {
        let mut drawn = vec![0.0; outputs.len() / self.outputs()];
        let outputs = &outputs[..drawn.len() * self.outputs()];
        self.draw_into(outputs, uniforms, self.draws(), &mut drawn);
        drawn
    }

    /// The same, written to `drawn`, with the uniform numbers of one entry `stride` after those of
    /// the one before it.
    ///
    /// # Panics
    /// If the number of outputs does not fit `drawn`.
    pub fn draw_into(&self, outputs: &[f32], uniforms: &[f32], stride: usize, drawn: &mut [f32]) {
        assert_eq!(outputs.len(), drawn.len() * self.outputs(), "draw: outputs of all entries");
        let uniforms = uniforms.chunks(stride);
        if *self == Self::Bernoulli {
            kernels::vector::sigmoid(Isa::best(), outputs, drawn);
            drawn.iter_mut().zip(uniforms).for_each(|(p, u)| *p = f32::from(u[0] < *p));
            return;
        }
        let outputs = outputs.chunks_exact(self.outputs());
        for ((drawn, o), u) in drawn.iter_mut().zip(outputs).zip(uniforms) {
            *drawn = match *self {
                // Drawn above, all entries together.
                Self::Bernoulli => continue,
                Self::Categorical { .. } => pick(o, u[0]) as f32,
                Self::LogisticMixture { levels } => {
                    let top = (levels - 1) as f32;
                    let k = pick(&o[..COMPONENTS], u[0]);
                    let scale = o[2 * COMPONENTS + k].max(MIN_LOG_SCALE as f32).exp();
                    let x = o[COMPONENTS + k] + scale * (u[1].ln() - (1.0 - u[1]).ln());
                    // A level's interval reaches half a step to both sides.
                    ((x + 1.0) * 0.5 * top).round().clamp(0.0, top)
                }
                Self::Gaussian => {
                    let sigma = o[1].max(MIN_LOG_SCALE as f32).exp();
                    o[0] + sigma * box_muller(u[0], u[1])
                }
                Self::GaussianFixed => o[0] + box_muller(u[0], u[1]),
                Self::GaussianLevels { levels } => {
                    let top = (levels - 1) as f32;
                    let sigma = o[1].clamp(MIN_LOG_SCALE as f32, MAX_LOG_SCALE as f32).exp();
                    let x = o[0] + sigma * box_muller(u[0], u[1]);
                    ((x + 1.0) * 0.5 * top).round().clamp(0.0, top)
                }
                Self::ContinuousBernoulli { levels } => {
                    levels::geometric_draw(o[0].into(), u[0].into(), levels) as f32
                }
                Self::TiltedHistogram(ref tilt) => tilt.draw(o[0].into(), u[0].into()) as f32,
                Self::GaussianMixture { components: n }
                | Self::LaplaceMixture { components: n } => {
                    let k = pick(&o[..n], u[0]);
                    let scale = o[2 * n + k].max(MIN_LOG_SCALE as f32).exp();
                    o[n + k]
                        + scale
                            * match *self {
                                Self::GaussianMixture { .. } => box_muller(u[1], u[2]),
                                // A Laplace distribution: an exponential on either side.
                                _ => u[1].ln().copysign(u[2] - 0.5),
                            }
                }
            };
        }
    }
}

/// ½ log 2π.
fn half_log_tau() -> f64 {
    0.5 * (2.0 * std::f64::consts::PI).ln()
}

/// log N(x; mean, σ²), given z = (x − mean)/σ.
fn normal_log_density(z: Tensor<2>, log_sigma: Tensor<2>) -> Tensor<2> {
    (z.clone() * z * 0.5 + log_sigma + half_log_tau()).neg()
}

/// Part `index` of outputs `[rows, size, parts, components]`.
fn part(outputs: &Tensor<4>, index: usize) -> Tensor<3> {
    outputs.clone().narrow(2, index, 1).squeeze_dim(2)
}

/// log Σ π p from the logits of the weights and the components' log p, both
/// `[rows, size, components]`.
fn mixture(weight: Tensor<3>, component: Tensor<3>) -> Tensor<2> {
    let norm: Tensor<2> = log_sum_exp(weight.clone());
    let total: Tensor<2> = log_sum_exp(weight + component);
    total - norm
}

/// log Σ exp in double precision; −∞ for only −∞.
fn log_sum(x: impl Iterator<Item = f64> + Clone) -> f64 {
    let max = x.clone().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY {
        return max;
    }
    max + x.map(|v| (v - max).exp()).sum::<f64>().ln()
}

fn softmax(logits: &[f32]) -> impl Iterator<Item = f32> + '_ {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|l| (l - max).exp()).sum();
    logits.iter().map(move |l| (l - max).exp() / sum)
}

/// The index that a uniform number `u` selects from the softmax of logits.
fn pick(logits: &[f32], u: f32) -> usize {
    let mut left = u;
    for (k, p) in softmax(logits).enumerate() {
        left -= p;
        if left < 0.0 {
            return k;
        }
    }
    logits.len() - 1
}

fn box_muller(u: f32, v: f32) -> f32 {
    (-2.0 * u.ln()).sqrt() * (2.0 * std::f32::consts::PI * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::to_f64;
    use ancestral_data::Streams;
    use burn::tensor::TensorData;

    /// With most entries at the first level.
    fn tilted(levels: usize) -> Likelihood {
        let count = |k: usize| if k == 0 { 90_000 } else { 50 * (k as u64 % 7) };
        let counts: Vec<u64> = (0..levels).map(count).collect();
        let domain = Domain::Levels(levels as u32);
        Likelihood::choose(LikelihoodName::TiltedHistogram, domain, &counts).unwrap()
    }

    /// The mean of levels is Σ k p_k, also where a component is wide or lies outside.
    #[test]
    fn means_are_those_of_the_masses() {
        for levels in [2, 16, 17, 256] {
            for (likelihood, spread) in [
                (Likelihood::Categorical { levels }, 2.0),
                (Likelihood::LogisticMixture { levels }, 0.3),
                (Likelihood::LogisticMixture { levels }, 2.0),
                (Likelihood::LogisticMixture { levels }, 6.0),
                (Likelihood::GaussianLevels { levels }, 0.3),
                (Likelihood::GaussianLevels { levels }, 1.0),
                (Likelihood::GaussianLevels { levels }, 4.0),
                (Likelihood::ContinuousBernoulli { levels }, 1e-4),
                (Likelihood::ContinuousBernoulli { levels }, 1.0),
                (Likelihood::ContinuousBernoulli { levels }, 200.0),
                (tilted(levels), 1.0),
                (tilted(levels), 200.0),
            ] {
                let (entries, width) = (40, likelihood.outputs());
                let mut outputs =
                    Streams::new(4).purpose("outputs", 0).normals(&[0], entries * width);
                outputs.iter_mut().for_each(|o| *o *= spread);
                let found = likelihood.mean(&outputs);
                for (o, found) in outputs.chunks_exact(width).zip(found) {
                    let p = |k: usize| likelihood.log_probability_of(o, k as f32).exp();
                    let expected: f64 = (0..levels).map(|k| k as f64 * p(k)).sum();
                    let error = (f64::from(found) - expected).abs();
                    assert!(error < 1e-5 * levels as f64, "{likelihood:?} {found} {expected}");
                }
            }
        }
    }

    /// The masses of all levels of an entry sum to one.
    #[test]
    fn masses_sum_to_one() {
        let device = crate::spec::cpu();
        for (likelihood, levels) in [
            (Likelihood::Bernoulli, 2),
            (Likelihood::Categorical { levels: 17 }, 17),
            (Likelihood::LogisticMixture { levels: 17 }, 17),
            (Likelihood::LogisticMixture { levels: 256 }, 256),
            (Likelihood::GaussianLevels { levels: 256 }, 256),
            (Likelihood::ContinuousBernoulli { levels: 256 }, 256),
            (tilted(256), 256),
        ] {
            for spread in [0.1f32, 1.0, 4.0] {
                let width = likelihood.outputs();
                let mut outputs = Streams::new(3).purpose("outputs", 0).normals(&[0], width);
                outputs.iter_mut().for_each(|o| *o *= spread);
                let outputs: Tensor<2> =
                    Tensor::from_data(TensorData::new(outputs, [1, width]), &device)
                        .repeat_dim(0, levels);
                let x: Vec<f32> = (0..levels).map(|k| k as f32).collect();
                let x = Tensor::from_data(TensorData::new(x, [levels, 1]), &device);
                let total: f64 =
                    to_f64(likelihood.log_probability(outputs, x)).iter().map(|l| l.exp()).sum();
                assert!((total - 1.0).abs() < 2e-5, "{likelihood:?} spread {spread}: {total}");
            }
        }
    }

    /// The frequencies and the mean of draws agree with the masses.
    #[test]
    fn draws_follow_the_masses() {
        let n = 40_000;
        for likelihood in [
            Likelihood::Bernoulli,
            Likelihood::Categorical { levels: 5 },
            Likelihood::LogisticMixture { levels: 5 },
            Likelihood::GaussianLevels { levels: 5 },
            Likelihood::ContinuousBernoulli { levels: 5 },
            tilted(5),
        ] {
            let levels = match likelihood {
                Likelihood::Bernoulli => 2,
                _ => 5,
            };
            let width = likelihood.outputs();
            let outputs = Streams::new(4).purpose("outputs", 0).normals(&[0], width);
            let all: Vec<f32> = outputs.iter().copied().cycle().take(width * n).collect();
            let uniforms = Streams::new(5).purpose("u", 0).uniforms(&[0], 2 * n);
            let mut counts = vec![0usize; levels];
            for x in likelihood.draw(&all, &uniforms) {
                counts[x as usize] += 1;
            }
            let device = crate::spec::cpu();
            let rows: Tensor<2> =
                Tensor::from_data(TensorData::new(outputs.clone(), [1, width]), &device)
                    .repeat_dim(0, levels);
            let x: Vec<f32> = (0..levels).map(|k| k as f32).collect();
            let x = Tensor::from_data(TensorData::new(x, [levels, 1]), &device);
            for (k, log_p) in to_f64(likelihood.log_probability(rows, x)).into_iter().enumerate() {
                let p = log_p.exp();
                let error = (counts[k] as f64 / n as f64 - p).abs();
                assert!(error < 5.0 * (p * (1.0 - p) / n as f64).sqrt() + 1e-6, "{likelihood:?}");
            }
        }
    }

    #[test]
    fn gaussian_matches_its_formula() {
        let device = crate::spec::cpu();
        let outputs = Tensor::<2>::from_data([[0.5f32, 0.3, -1.0, -0.2]], &device);
        let x = Tensor::<2>::from_data([[1.0f32, 0.0]], &device);
        let got = to_f64(Likelihood::Gaussian.log_probability(outputs, x))[0];
        let log_density = |x: f64, mean: f64, log_sigma: f64| {
            -0.5 * ((x - mean) / log_sigma.exp()).powi(2)
                - log_sigma
                - 0.5 * (2.0 * std::f64::consts::PI).ln()
        };
        let want = log_density(1.0, 0.5, 0.3) + log_density(0.0, -1.0, -0.2);
        assert!((got - want).abs() < 1e-5, "{got} {want}");
    }

    /// Every observation model.
    fn all() -> Vec<(Likelihood, usize)> {
        vec![
            (Likelihood::Bernoulli, 2),
            (Likelihood::Categorical { levels: 5 }, 5),
            (Likelihood::LogisticMixture { levels: 17 }, 17),
            (Likelihood::GaussianLevels { levels: 17 }, 17),
            (Likelihood::ContinuousBernoulli { levels: 17 }, 17),
            (tilted(17), 17),
            (Likelihood::Gaussian, 0),
            (Likelihood::GaussianFixed, 0),
            (Likelihood::GaussianMixture { components: 3 }, 0),
            (Likelihood::LaplaceMixture { components: 3 }, 0),
        ]
    }

    #[test]
    fn one_entry_in_double_precision_is_what_the_tensors_say() {
        let device = crate::spec::cpu();
        for (likelihood, levels) in all() {
            let (rows, size, width) = (6, 4, likelihood.outputs());
            let outputs = Streams::new(3).purpose("outputs", 0).normals(&[0], rows * size * width);
            let mut x = Streams::new(4).purpose("x", 0).normals(&[0], rows * size);
            if levels > 0 {
                let top = (levels - 1) as f32;
                x.iter_mut().for_each(|x| *x = (*x * top).round().clamp(0.0, top));
            }
            let matrix = |v: &[f32], n: usize| -> Tensor<2> {
                Tensor::from_data(TensorData::new(v.to_vec(), [rows, n]), &device)
            };
            let tensor = to_f64(
                likelihood.log_probability(matrix(&outputs, size * width), matrix(&x, size)),
            );
            let plain = likelihood.row_log_probabilities(&outputs, &x, size);
            for (a, b) in tensor.iter().zip(&plain) {
                assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()), "{likelihood:?}: {a} {b}");
            }
        }
    }

    #[test]
    fn densities_of_reals_are_finite_everywhere_and_integrate_to_one() {
        for (likelihood, levels) in all() {
            let mut outputs =
                Streams::new(7).purpose("outputs", 0).normals(&[0], likelihood.outputs());
            for x in [0.0, 1.0] {
                let extreme = vec![3e4; likelihood.outputs()];
                assert!(likelihood.log_probability_of(&extreme, x).is_finite(), "{likelihood:?}");
            }
            if levels > 0 {
                continue;
            }
            for x in [f32::MAX, -f32::MAX, 1e-38] {
                assert!(likelihood.log_probability_of(&outputs, x).is_finite(), "{likelihood:?}");
            }
            for temperature in [1.0, 0.5] {
                likelihood.temper(&mut outputs, temperature);
                let cells = 400_000;
                let width = 80.0 / f64::from(cells);
                let total: f64 = (0..cells)
                    .map(|i| -40.0 + (f64::from(i) + 0.5) * width)
                    .map(|x| likelihood.log_probability_of(&outputs, x as f32).exp() * width)
                    .sum();
                assert!((total - 1.0).abs() < 1e-4, "{likelihood:?}: {total}");
            }
        }
    }

    #[test]
    fn draws_of_mixtures_have_their_mean_and_share_below_zero() {
        let n = 40_000;
        for likelihood in [
            Likelihood::GaussianMixture { components: 3 },
            Likelihood::LaplaceMixture { components: 3 },
        ] {
            let outputs = Streams::new(8).purpose("outputs", 0).normals(&[0], 9);
            let all: Vec<f32> = outputs.iter().copied().cycle().take(9 * n).collect();
            let uniforms = Streams::new(5).purpose("u", 0).uniforms(&[0], 3 * n);
            let drawn = likelihood.draw(&all, &uniforms);
            let mean = drawn.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
            assert!((mean - f64::from(likelihood.mean(&outputs)[0])).abs() < 0.05, "{mean}");
            let cells = 200_000;
            let width = 40.0 / f64::from(cells);
            let below: f64 = (0..cells)
                .map(|i| -40.0 + (f64::from(i) + 0.5) * width)
                .map(|x| likelihood.log_probability_of(&outputs, x as f32).exp() * width)
                .sum();
            let share = drawn.iter().filter(|&&x| x < 0.0).count() as f64 / n as f64;
            assert!((share - below).abs() < 0.012, "{likelihood:?}: {share} {below}");
        }
    }

    #[test]
    fn names_that_do_not_suit_the_data_say_what_does() {
        let error =
            Likelihood::choose(LikelihoodName::Bernoulli, Domain::Levels(17), &[]).unwrap_err();
        assert!(error.to_string().contains("binarize"), "{error}");
        assert!(Likelihood::choose(LikelihoodName::Gaussian, Domain::Binary, &[]).is_err());
        for levels in [17, 256] {
            assert_eq!(
                Likelihood::choose(LikelihoodName::Auto, Domain::Levels(levels), &[]).unwrap(),
                Likelihood::LogisticMixture { levels: levels as usize }
            );
        }
    }
}
