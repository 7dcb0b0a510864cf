//! The shapes of generators and critics.
//!
//! | name | generator | critic |
//! |---|---|---|
//! | mlp | dense layers | dense layers |
//! | infogan | dense 1024, dense 128·h/4·w/4, transposed 64, transposed | convolution 64, convolution 128, dense 1024 (Chen et al. 2016, appendix C.1) |
//! | dcgan | dense to the smallest map, then transposed convolutions that halve the features | convolutions that double them (Radford et al. 2016) |
//!
//! Convolutions have 4×4 filters, stride 2 and padding 1.
//! The first layer of a critic and the last of a generator have no batch or layer normalisation.

use ancestral_kernels::Precision;

use super::layers::{Form, Map, Plan, size};
use super::normalization::Norm;
use crate::model::product;
use crate::nn::Activation;
use crate::{Error, Result, choices};

choices! {
    /// The name of a pair of networks.
    pub enum NetworkName {
        /// infogan for images whose sides are multiples of 4, else mlp
        Auto = "auto",
        /// dense layers
        Mlp = "mlp",
        /// two convolutions and dense layers (Chen et al. 2016)
        InfoGan = "infogan",
        /// deep convolutions (Radford et al. 2016)
        Dcgan = "dcgan",
    }
}

/// Which networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Mlp,
    InfoGan,
    Dcgan,
}

/// Units of the dense layer of the `infogan` networks.
const DENSE: usize = 1024;
/// Features of their two maps.
const MAPS: [usize; 2] = [64, 128];

impl Family {
    /// The networks of a name; `auto` takes convolutions for images whose sides allow it.
    ///
    /// # Errors
    /// If the images do not suit them, with sizes that would.
    pub(crate) fn choose(name: NetworkName, form: Form) -> Result<Self> {
        let [_, height, width] = form;
        let quarters = height % 4 == 0 && width % 4 == 0;
        match name {
            NetworkName::Auto | NetworkName::InfoGan if quarters => Ok(Self::InfoGan),
            NetworkName::Auto | NetworkName::Mlp => Ok(Self::Mlp),
            NetworkName::Dcgan => halvings(form).map(|_| Self::Dcgan),
            NetworkName::InfoGan => Err(Error::setting(
                "network",
                "'infogan'",
                format!(
                    "it needs images whose sides are multiples of 4 and these have {height} × \
                     {width}; resize with --resize {}x{}, or choose mlp",
                    height.div_ceil(4) * 4,
                    width.div_ceil(4) * 4
                ),
            )),
        }
    }
}

/// How often both sides can be halved until the shorter is below 8, at least once.
fn halvings([_, height, width]: Form) -> Result<u32> {
    let times = |height: usize, width: usize| {
        let (mut short, mut long) = (height.min(width), height.max(width));
        let mut times = 0;
        while short >= 8 && long <= 128 && short % 2 == 0 && long % 2 == 0 {
            (short, long, times) = (short / 2, long / 2, times + 1);
        }
        (times > 0 && short < 8).then_some(times)
    };
    times(height, width).ok_or_else(|| {
        let near = (height.max(width)..128).find(|&side| times(side, side).is_some());
        let near = near.unwrap_or(128);
        Error::setting(
            "network",
            "'dcgan'",
            format!(
                "it needs pictures of 8 × 8 to 128 × 128 whose sides can be halved until the \
                 shorter is below 8, and these have {height} × {width}; resize with --resize \
                 {near}x{near}"
            ),
        )
    })
}

/// What both networks of a pair are sized by.
#[derive(Debug, Clone)]
pub(crate) struct Blueprint<'a> {
    pub(crate) family: Family,
    /// What the generator gives.
    pub(crate) form: Form,
    /// Hidden layers of `mlp`.
    pub(crate) hidden: &'a [usize],
    /// Features of the largest map of `dcgan`.
    pub(crate) features: usize,
    pub(crate) norm: Norm,
    pub(crate) activation: Activation,
    pub(crate) precision: Precision,
}

const DOWN: Map = Map::Convolution { kernel: 4, stride: 2, padding: 1 };
const UP: Map = Map::Transposed { kernel: 4, stride: 2, padding: 1 };

impl Blueprint<'_> {
    /// Maps of `dcgan` where an image has shrunk by `scale`.
    fn maps(&self, scale: usize) -> usize {
        product(&[self.features, scale / 2])
    }

    /// Layers from `inputs` numbers to an example, the last followed by `output`.
    pub(crate) fn generator(&self, inputs: usize, output: Activation) -> Result<Vec<Plan>> {
        let [channels, height, width] = self.form;
        let forms: Vec<(Map, Form)> = match self.family {
            Family::Mlp => {
                let hidden = self.hidden.iter().map(|&n| (Map::Dense, [n, 1, 1]));
                hidden.chain([(Map::Dense, self.form)]).collect()
            }
            Family::InfoGan => {
                let [first, second] = MAPS;
                vec![
                    (Map::Dense, [DENSE, 1, 1]),
                    (Map::Dense, [product(&[second, height / 4, width / 4]), 1, 1]),
                    (UP, [first, height / 2, width / 2]),
                    (UP, self.form),
                ]
            }
            Family::Dcgan => {
                let times = halvings(self.form)?;
                let at = |level: u32| {
                    let scale = 1usize << level;
                    let maps = if level == 0 { channels } else { self.maps(scale) };
                    [maps, height / scale, width / scale]
                };
                let up = (0..times).rev().map(|level| (UP, at(level)));
                [(Map::Dense, at(times))].into_iter().chain(up).collect()
            }
        };
        let last = forms.len() - 1;
        let mut from = [inputs, 1, 1];
        let plans = forms.into_iter().enumerate().map(|(i, (map, to))| {
            // Rows of features become maps where a convolution follows.
            let [_, h, w] = to;
            let form = if map == UP && from[1..] == [1, 1] {
                [size(from) / product(&[h / 2, w / 2]), h / 2, w / 2]
            } else {
                from
            };
            let plan = Plan {
                map,
                from: form,
                to,
                norm: if i == last { keep_spectral(self.norm) } else { self.norm },
                activation: if i == last { output } else { self.activation },
                bias: true,
                precision: self.precision,
            };
            from = to;
            plan
        });
        Ok(plans.collect())
    }

    /// Layers from an example, with `extra` channels (or entries, for dense layers) beside it, to
    /// the features that its heads read.
    pub(crate) fn critic(&self, extra: usize) -> Result<Vec<Plan>> {
        let [channels, height, width] = self.form;
        let forms: Vec<(Map, Form)> = match self.family {
            Family::Mlp => self.hidden.iter().map(|&n| (Map::Dense, [n, 1, 1])).collect(),
            Family::InfoGan => {
                let [first, second] = MAPS;
                vec![
                    (DOWN, [first, height / 2, width / 2]),
                    (DOWN, [second, height / 4, width / 4]),
                    (Map::Dense, [DENSE, 1, 1]),
                ]
            }
            Family::Dcgan => {
                let at = |level: u32| {
                    let scale = 1usize << level;
                    (DOWN, [self.maps(scale), height / scale, width / scale])
                };
                (1..=halvings(self.form)?).map(at).collect()
            }
        };
        let mut from = if self.family == Family::Mlp {
            [size(self.form).saturating_add(extra), 1, 1]
        } else {
            [channels.saturating_add(extra), height, width]
        };
        let plans = forms.into_iter().enumerate().map(|(i, (map, to))| {
            let plan = Plan {
                map,
                from,
                to,
                norm: if i == 0 { keep_spectral(self.norm) } else { self.norm },
                activation: self.activation,
                bias: true,
                precision: self.precision,
            };
            from = to;
            plan
        });
        Ok(plans.collect())
    }
}

/// Only weights are normalised at the ends of a network.
fn keep_spectral(norm: Norm) -> Norm {
    if norm == Norm::Spectral { norm } else { Norm::None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blueprint(family: Family, form: Form) -> Blueprint<'static> {
        Blueprint {
            family,
            form,
            hidden: &[5, 7],
            features: 64,
            norm: Norm::Batch,
            activation: Activation::Relu,
            precision: Precision::F32,
        }
    }

    #[test]
    fn dcgan_takes_the_sizes_that_its_strides_allow() {
        for side in [8, 10, 12, 14, 16, 24, 28, 32, 48, 64, 96, 128] {
            let form = [3, side, side];
            assert_eq!(Family::choose(NetworkName::Dcgan, form).unwrap(), Family::Dcgan, "{side}");
            let plan = blueprint(Family::Dcgan, form);
            let generator = plan.generator(100, Activation::Tanh).unwrap();
            assert_eq!(generator.last().unwrap().to, form);
            let critic = plan.critic(0).unwrap();
            let [features, h, w] = critic.last().unwrap().to;
            assert!((4..8).contains(&h) && h == w, "{side} ends at {h} × {w}");
            assert_eq!(features, generator[0].to[0]);
        }
        for side in [4, 7, 9, 17, 18, 30, 132] {
            let error =
                Family::choose(NetworkName::Dcgan, [1, side, side]).unwrap_err().to_string();
            assert!(error.contains(&format!("{side} × {side}")), "{error}");
            let again = error.rsplit(' ').next().unwrap().split('x').next().unwrap();
            let again: usize = again.parse().unwrap();
            assert!(
                Family::choose(NetworkName::Dcgan, [1, again, again]).is_ok(),
                "{side}: {error}"
            );
        }
    }

    #[test]
    fn every_layer_takes_what_the_one_before_gives() {
        for (family, form) in [
            (Family::Mlp, [1, 3, 5]),
            (Family::InfoGan, [1, 8, 8]),
            (Family::InfoGan, [3, 4, 4]),
            (Family::InfoGan, [1, 28, 12]),
            (Family::Dcgan, [1, 8, 16]),
            (Family::Dcgan, [3, 28, 28]),
        ] {
            let plan = blueprint(family, form);
            let generator = plan.generator(9, Activation::Tanh).unwrap();
            let critic = plan.critic(2).unwrap();
            for plans in [&generator, &critic] {
                for pair in plans.windows(2) {
                    assert_eq!(size(pair[0].to), size(pair[1].from), "{family:?} {form:?}");
                }
                for plan in plans.iter() {
                    let [_, h, w] = plan.from;
                    match plan.map {
                        Map::Transposed { .. } => assert_eq!(plan.to[1..], [h * 2, w * 2]),
                        Map::Convolution { .. } => assert_eq!(plan.to[1..], [h / 2, w / 2]),
                        Map::Dense => {}
                    }
                }
            }
            assert_eq!(generator.last().unwrap().to, form);
        }
    }
}
