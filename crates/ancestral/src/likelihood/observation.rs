//! The observation models p(x | outputs) that end a decoder, entry by entry independent.
//!
//! | name | domain | outputs an entry | log p(x) |
//! |---|---|---|---|
//! | `bernoulli` | binary | logit l | x l − log(1 + eˡ) |
//! | `categorical` | levels | one logit a level | l_x − log Σ eˡ |
//! | `logistic-mixture` | levels | weight, mean and log-scale a component | mass of the level's interval under a mixture of logistics (Salimans et al. 2017, eq. 2) |
//! | `gaussian` | reals | mean and log σ | density of N(mean, σ²) |
//! | `gaussian-fixed` | reals | mean | density of N(mean, 1) |

use ancestral_data::Domain;
use ancestral_kernels as kernels;
use burn::tensor::{Int, Tensor};

use super::log_sum_exp;
use crate::model::DataSpec;
use crate::{Error, Result};

/// Components of the mixture of discretised logistics.
const COMPONENTS: usize = 5;
/// Log-scales below this are raised to it: a logistic thinner than that is a point on the grid.
const MIN_LOG_SCALE: f64 = -7.0;

/// An observation model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// For reals, with a variance of each entry's own.
    Gaussian,
    /// For reals, with variance 1 (of standardised data).
    GaussianFixed,
}

impl Likelihood {
    /// The names, as settings take them.
    pub const NAMES: &'static str =
        "auto, bernoulli, categorical, logistic-mixture, gaussian or gaussian-fixed";

    /// The likelihood of a name for the data; `auto` takes the natural one of the domain.
    ///
    /// # Errors
    /// If the name is unknown or does not suit the domain.
    pub fn parse(name: &str, data: &DataSpec) -> Result<Self> {
        let levels = data.domain.max_level().map_or(0, |max| max as usize + 1);
        let chosen = match (name, data.domain) {
            ("auto" | "bernoulli", Domain::Binary) => Self::Bernoulli,
            ("auto", Domain::Levels(..=2)) => Self::Categorical { levels },
            ("auto", Domain::Levels(_)) => Self::LogisticMixture { levels },
            ("auto" | "gaussian", Domain::Real) => Self::Gaussian,
            ("gaussian-fixed", Domain::Real) => Self::GaussianFixed,
            ("categorical", Domain::Binary | Domain::Levels(_)) => Self::Categorical { levels },
            ("logistic-mixture", Domain::Levels(_)) => Self::LogisticMixture { levels },
            ("bernoulli", Domain::Levels(_)) => {
                return Err(Error::setting(
                    "likelihood",
                    "'bernoulli'",
                    format!(
                        "a Bernoulli needs binary entries and this data has {}; \
                         give --binarize dynamic, static or threshold",
                        data.domain
                    ),
                ));
            }
            (
                "bernoulli" | "categorical" | "logistic-mixture" | "gaussian" | "gaussian-fixed",
                domain,
            ) => {
                return Err(Error::setting(
                    "likelihood",
                    format!("'{name}'"),
                    format!("it does not suit {domain} entries; leave it at auto"),
                ));
            }
            _ => {
                return Err(Error::setting(
                    "likelihood",
                    format!("'{name}'"),
                    format!("choose {}", Self::NAMES),
                ));
            }
        };
        Ok(chosen)
    }

    /// The name, as settings take it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bernoulli => "bernoulli",
            Self::Categorical { .. } => "categorical",
            Self::LogisticMixture { .. } => "logistic-mixture",
            Self::Gaussian => "gaussian",
            Self::GaussianFixed => "gaussian-fixed",
        }
    }

    /// How many network outputs an entry takes.
    pub fn outputs(self) -> usize {
        match self {
            Self::Bernoulli | Self::GaussianFixed => 1,
            Self::Categorical { levels } => levels,
            Self::LogisticMixture { .. } => 3 * COMPONENTS,
            Self::Gaussian => 2,
        }
    }

    /// The first bias of the output layer, from the mean of each entry (levels or reals), so
    /// that training starts at the marginals.
    pub fn output_bias(self, means: &[f64]) -> Vec<f32> {
        let mut bias = Vec::with_capacity(means.len() * self.outputs());
        for &mean in means {
            match self {
                Self::Bernoulli => {
                    let p = mean.clamp(1e-3, 1.0 - 1e-3);
                    bias.push((p / (1.0 - p)).ln() as f32);
                }
                Self::Categorical { levels } => {
                    // A geometric fall from the mean, which the first steps correct.
                    let spread = levels as f64 / 8.0;
                    bias.extend((0..levels).map(|k| -((k as f64 - mean).abs() / spread) as f32));
                }
                Self::LogisticMixture { levels } => {
                    let centre = 2.0 * mean / (levels - 1) as f64 - 1.0;
                    bias.extend([0.0; COMPONENTS]);
                    for k in 0..COMPONENTS {
                        let offset = k as f64 / (COMPONENTS - 1) as f64 - 0.5;
                        bias.push((centre + offset).clamp(-1.0, 1.0) as f32);
                    }
                    bias.extend([-1.5; COMPONENTS]);
                }
                Self::Gaussian => bias.extend([mean as f32, 0.0]),
                Self::GaussianFixed => bias.push(mean as f32),
            }
        }
        bias
    }

    /// log p(x | outputs) of each row in nats: outputs `[rows, size · outputs]`, x `[rows, size]`
    /// in levels or reals.
    pub fn log_probability(self, outputs: Tensor<2>, x: Tensor<2>) -> Tensor<1> {
        let [rows, size] = x.dims();
        match self {
            Self::Bernoulli => kernels::bernoulli_nll(outputs, x).neg(),
            Self::Categorical { levels } => {
                let logits: Tensor<3> = outputs.reshape([rows, size, levels]);
                let index: Tensor<3, Int> = x.inner().int().unsqueeze_dim(2);
                let index = if logits.is_autodiff() { index.autodiff() } else { index };
                let chosen: Tensor<2> = logits.clone().gather(2, index).squeeze_dim(2);
                let total: Tensor<2> = log_sum_exp(logits);
                (chosen - total).sum_dim(1).squeeze_dim(1)
            }
            Self::LogisticMixture { levels } => {
                let outputs: Tensor<4> = outputs.reshape([rows, size, 3, COMPONENTS]);
                let mut parts = outputs.chunk(3, 2).into_iter();
                let mut next = || -> Tensor<3> {
                    // `chunk` gave exactly three parts.
                    parts.next().map_or_else(
                        || Tensor::zeros([rows, size, COMPONENTS], &x.device()),
                        |part| part.squeeze_dim(2),
                    )
                };
                let (weight, mean, log_scale) = (next(), next(), next());
                let component = discretised_logistic(x, mean, log_scale, levels);
                let norm: Tensor<2> = log_sum_exp(weight.clone());
                let total: Tensor<2> = log_sum_exp(weight + component);
                (total - norm).sum_dim(1).squeeze_dim(1)
            }
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
        }
    }

    /// The mean of each entry, in levels or reals, from outputs `[rows, size · outputs]`.
    pub fn mean(self, outputs: &[f32]) -> Vec<f32> {
        outputs
            .chunks_exact(self.outputs())
            .map(|o| match self {
                Self::Bernoulli => 1.0 / (1.0 + (-o[0]).exp()),
                Self::Categorical { .. } => softmax(o).enumerate().map(|(k, p)| k as f32 * p).sum(),
                Self::LogisticMixture { levels } => {
                    let top = (levels - 1) as f32;
                    softmax(&o[..COMPONENTS])
                        .zip(&o[COMPONENTS..2 * COMPONENTS])
                        .map(|(p, mean)| p * mean.clamp(-1.0, 1.0))
                        .sum::<f32>()
                        .mul_add(0.5 * top, 0.5 * top)
                }
                Self::Gaussian | Self::GaussianFixed => o[0],
            })
            .collect()
    }

    /// Uniform draws an entry takes in [`Likelihood::draw`].
    pub const DRAWS: usize = 2;

    /// Draws each entry, in levels or reals, by `DRAWS` uniform numbers an entry.
    pub fn draw(self, outputs: &[f32], uniforms: &[f32]) -> Vec<f32> {
        outputs
            .chunks_exact(self.outputs())
            .zip(uniforms.chunks_exact(Self::DRAWS))
            .map(|(o, u)| match self {
                Self::Bernoulli => f32::from(u[0] < 1.0 / (1.0 + (-o[0]).exp())),
                Self::Categorical { .. } => pick(o, u[0]) as f32,
                Self::LogisticMixture { levels } => {
                    let top = (levels - 1) as f32;
                    let k = pick(&o[..COMPONENTS], u[0]);
                    let scale = o[2 * COMPONENTS + k].max(MIN_LOG_SCALE as f32).exp();
                    let x = o[COMPONENTS + k] + scale * (u[1].ln() - (1.0 - u[1]).ln());
                    // Each level owns the interval of half a step to both sides.
                    ((x + 1.0) * 0.5 * top).round().clamp(0.0, top)
                }
                Self::Gaussian => {
                    let sigma = o[1].max(MIN_LOG_SCALE as f32).exp();
                    o[0] + sigma * box_muller(u[0], u[1])
                }
                Self::GaussianFixed => o[0] + box_muller(u[0], u[1]),
            })
            .collect()
    }
}

/// Σ over entries of log N(x; mean, σ²), given z = (x − mean)/σ.
fn normal_log_density(z: Tensor<2>, log_sigma: Tensor<2>) -> Tensor<1> {
    let half_log_tau = 0.5 * (2.0 * std::f64::consts::PI).ln();
    let terms = z.clone() * z * 0.5 + log_sigma + half_log_tau;
    terms.neg().sum_dim(1).squeeze_dim(1)
}

/// Log-mass `[rows, size, components]` of each level's interval under each logistic, the end
/// intervals reaching to infinity.
///
/// With a and b the standardised upper and lower ends, σ(a) − σ(b) = σ(a) σ(−b) (1 − e^(b−a)),
/// whose logarithm has no cancellation.
fn discretised_logistic(
    x: Tensor<2>,
    mean: Tensor<3>,
    log_scale: Tensor<3>,
    levels: usize,
) -> Tensor<3> {
    let top = (levels - 1) as f64;
    let x: Tensor<3> = x.unsqueeze_dim(2);
    let first = x.clone().lower_equal_elem(0.0).expand(mean.shape());
    let last = x.clone().greater_equal_elem(top).expand(mean.shape());
    let inverse = kernels::exp(log_scale.clamp_min(MIN_LOG_SCALE).neg());
    let middle = (x * (2.0 / top) - 1.0 - mean) * inverse.clone();
    let half = inverse / top;
    let log_upper = kernels::softplus((middle.clone() + half.clone()).neg()).neg();
    let log_lower = kernels::softplus(middle - half.clone()).neg();
    // 1 − e^(−2h) = tanh(h) (1 + e^(−2h)), which keeps its digits for small h.
    let log_width = kernels::log(kernels::tanh(half.clone())) + kernels::softplus(half * -2.0);
    let inside = log_upper.clone() + log_lower.clone() + log_width;
    inside.mask_where(first, log_upper).mask_where(last, log_lower)
}

fn softmax(logits: &[f32]) -> impl Iterator<Item = f32> + '_ {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|l| (l - max).exp()).sum();
    logits.iter().map(move |l| (l - max).exp() / sum)
}

/// The index that a uniform draw picks from a softmax.
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
    use ancestral_data::{Shape, Streams};
    use burn::tensor::{Device, TensorData};

    fn spec(domain: Domain) -> DataSpec {
        DataSpec { domain, shape: Shape::columns(1), classes: 0 }
    }

    /// For one entry, the masses of all levels sum to one.
    #[test]
    fn masses_sum_to_one() {
        let device = Device::flex();
        for (likelihood, levels) in [
            (Likelihood::Bernoulli, 2),
            (Likelihood::Categorical { levels: 17 }, 17),
            (Likelihood::LogisticMixture { levels: 17 }, 17),
            (Likelihood::LogisticMixture { levels: 256 }, 256),
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

    /// Draws have the frequencies and the mean that the masses say.
    #[test]
    fn draws_follow_the_masses() {
        let n = 40_000;
        for likelihood in [
            Likelihood::Bernoulli,
            Likelihood::Categorical { levels: 5 },
            Likelihood::LogisticMixture { levels: 5 },
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
            let device = Device::flex();
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
        let device = Device::flex();
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

    #[test]
    fn names_that_do_not_suit_the_data_say_what_does() {
        let error = Likelihood::parse("bernoulli", &spec(Domain::Levels(17))).unwrap_err();
        assert!(error.to_string().contains("--binarize"), "{error}");
        assert!(Likelihood::parse("gaussian", &spec(Domain::Binary)).is_err());
        assert!(Likelihood::parse("beta", &spec(Domain::Binary)).is_err());
        for levels in [17, 256] {
            assert_eq!(
                Likelihood::parse("auto", &spec(Domain::Levels(levels))).unwrap(),
                Likelihood::LogisticMixture { levels: levels as usize }
            );
        }
    }
}
