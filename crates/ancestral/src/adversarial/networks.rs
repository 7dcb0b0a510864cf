//! The architectures of generators and critics.
//!
//! | name | generator | critic |
//! |---|---|---|
//! | mlp | dense layers | dense layers |
//! | infogan | dense 1024, dense 128·h/4·w/4, transposed 64, transposed | convolution 64, convolution 128, dense 1024 (Chen et al. 2016, appendix C.1) |
//! | dcgan | dense to the smallest map, then transposed convolutions that halve the features | convolutions that double them (Radford et al. 2016) |
//!
//! Convolutions have 4×4 filters, stride 2 and padding 1.
//! The first layer of a critic and the last of a generator have no batch or layer normalization.

use ancestral_kernels::Precision;

use super::layers::{ImageShape, LayerSpec, LinearOp, size};
use super::normalization::Norm;
use crate::model::product;
use crate::nn::Activation;
use crate::{Error, Result, choices};

choices! {
    /// The name of an architecture.
    pub enum NetworkName {
        /// infogan for images with sides that are multiples of 4, else mlp
        Auto = "auto",
        /// dense layers
        Mlp = "mlp",
        /// InfoGAN: two convolutions and dense layers (Chen et al. 2016)
        InfoGan = "infogan",
        /// DCGAN: deep convolutional networks (Radford et al. 2016)
        Dcgan = "dcgan",
    }
}

/// A resolved architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Mlp,
    InfoGan,
    Dcgan,
}

/// Units of the dense layer of the `infogan` networks.
const DENSE: usize = 1024;
/// Channels of the two feature maps of the `infogan` networks.
const MAPS: [usize; 2] = [64, 128];

impl Family {
    /// The architecture of a name; `auto` takes convolutions for images whose sides allow it.
    ///
    /// # Errors
    /// If the images do not suit it; the message names sizes that would.
    pub(crate) fn choose(name: NetworkName, image_shape: ImageShape) -> Result<Self> {
        let [_, height, width] = image_shape;
        let quarters = height % 4 == 0 && width % 4 == 0;
        match name {
            NetworkName::Auto | NetworkName::InfoGan if quarters => Ok(Self::InfoGan),
            NetworkName::Auto | NetworkName::Mlp => Ok(Self::Mlp),
            NetworkName::Dcgan => halvings(image_shape).map(|_| Self::Dcgan),
            NetworkName::InfoGan => Err(Error::NetworkSize {
                network: "infogan",
                needed: "whose sides are multiples of 4",
                size: [height, width],
                nearest: [height, width].map(|side| side.div_ceil(4) * 4),
            }),
        }
    }
}

/// How many times both sides can be halved until the shorter is below 8; at least once.
fn halvings([_, height, width]: ImageShape) -> Result<u32> {
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
        Error::NetworkSize {
            network: "dcgan",
            needed: "of 8 × 8 to 128 × 128 whose sides can be halved until the shorter is below 8",
            size: [height, width],
            nearest: [near; 2],
        }
    })
}

/// The architecture of a generator and a critic.
#[derive(Debug, Clone)]
pub(crate) struct Architecture<'a> {
    pub(crate) family: Family,
    /// The shape of an example.
    pub(crate) image_shape: ImageShape,
    /// Hidden layers of `mlp`.
    pub(crate) hidden: &'a [usize],
    /// Channels of the largest feature map of `dcgan`.
    pub(crate) features: usize,
    pub(crate) norm: Norm,
    pub(crate) activation: Activation,
    pub(crate) precision: Precision,
}

const DOWN: LinearOp = LinearOp::Convolution { kernel: 4, stride: 2, padding: 1 };
const UP: LinearOp = LinearOp::Transposed { kernel: 4, stride: 2, padding: 1 };

impl Architecture<'_> {
    /// Channels of `dcgan` where the image is `scale` times smaller.
    fn maps(&self, scale: usize) -> usize {
        product(&[self.features, scale / 2])
    }

    /// Layers from `inputs` numbers to an example; `output` is the last activation.
    pub(crate) fn generator(&self, inputs: usize, output: Activation) -> Result<Vec<LayerSpec>> {
        let [channels, height, width] = self.image_shape;
        let forms: Vec<(LinearOp, ImageShape)> = match self.family {
            Family::Mlp => {
                let hidden = self.hidden.iter().map(|&n| (LinearOp::Dense, [n, 1, 1]));
                hidden.chain([(LinearOp::Dense, self.image_shape)]).collect()
            }
            Family::InfoGan => {
                let [first, second] = MAPS;
                vec![
                    (LinearOp::Dense, [DENSE, 1, 1]),
                    (LinearOp::Dense, [product(&[second, height / 4, width / 4]), 1, 1]),
                    (UP, [first, height / 2, width / 2]),
                    (UP, self.image_shape),
                ]
            }
            Family::Dcgan => {
                let times = halvings(self.image_shape)?;
                let at = |level: u32| {
                    let scale = 1usize << level;
                    let maps = if level == 0 { channels } else { self.maps(scale) };
                    [maps, height / scale, width / scale]
                };
                let up = (0..times).rev().map(|level| (UP, at(level)));
                [(LinearOp::Dense, at(times))].into_iter().chain(up).collect()
            }
        };
        let last = forms.len() - 1;
        let mut from = [inputs, 1, 1];
        let specs = forms.into_iter().enumerate().map(|(i, (op, to))| {
            // A vector is reshaped to feature maps where a transposed convolution follows.
            let [_, h, w] = to;
            let image_shape = if op == UP && from[1..] == [1, 1] {
                [size(from) / product(&[h / 2, w / 2]), h / 2, w / 2]
            } else {
                from
            };
            let spec = LayerSpec {
                op,
                from: image_shape,
                to,
                norm: if i == last { keep_spectral(self.norm) } else { self.norm },
                activation: if i == last { output } else { self.activation },
                bias: true,
                precision: self.precision,
            };
            from = to;
            spec
        });
        Ok(specs.collect())
    }

    /// Layers from an example, with `extra` channels (dense layers: entries) concatenated, to the
    /// features that the heads take.
    pub(crate) fn critic(&self, extra: usize) -> Result<Vec<LayerSpec>> {
        let [channels, height, width] = self.image_shape;
        let forms: Vec<(LinearOp, ImageShape)> = match self.family {
            Family::Mlp => self.hidden.iter().map(|&n| (LinearOp::Dense, [n, 1, 1])).collect(),
            Family::InfoGan => {
                let [first, second] = MAPS;
                vec![
                    (DOWN, [first, height / 2, width / 2]),
                    (DOWN, [second, height / 4, width / 4]),
                    (LinearOp::Dense, [DENSE, 1, 1]),
                ]
            }
            Family::Dcgan => {
                let at = |level: u32| {
                    let scale = 1usize << level;
                    (DOWN, [self.maps(scale), height / scale, width / scale])
                };
                (1..=halvings(self.image_shape)?).map(at).collect()
            }
        };
        let mut from = if self.family == Family::Mlp {
            [size(self.image_shape).saturating_add(extra), 1, 1]
        } else {
            [channels.saturating_add(extra), height, width]
        };
        let specs = forms.into_iter().enumerate().map(|(i, (op, to))| {
            let spec = LayerSpec {
                op,
                from,
                to,
                norm: if i == 0 { keep_spectral(self.norm) } else { self.norm },
                activation: self.activation,
                bias: true,
                precision: self.precision,
            };
            from = to;
            spec
        });
        Ok(specs.collect())
    }
}

/// The norm of a layer at the ends of a network: spectral, or none.
fn keep_spectral(norm: Norm) -> Norm {
    if norm == Norm::Spectral { norm } else { Norm::None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn architecture(family: Family, image_shape: ImageShape) -> Architecture<'static> {
        Architecture {
            family,
            image_shape,
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
            let image_shape = [3, side, side];
            assert_eq!(
                Family::choose(NetworkName::Dcgan, image_shape).unwrap(),
                Family::Dcgan,
                "{side}"
            );
            let networks = architecture(Family::Dcgan, image_shape);
            let generator = networks.generator(100, Activation::Tanh).unwrap();
            assert_eq!(generator.last().unwrap().to, image_shape);
            let critic = networks.critic(0).unwrap();
            let [features, h, w] = critic.last().unwrap().to;
            assert!((4..8).contains(&h) && h == w, "{side} ends at {h} × {w}");
            assert_eq!(features, generator[0].to[0]);
        }
        for side in [4, 7, 9, 17, 18, 30, 132] {
            let error = Family::choose(NetworkName::Dcgan, [1, side, side]).unwrap_err();
            assert!(error.to_string().contains(&format!("{side} × {side}")), "{error}");
            let Error::NetworkSize { nearest: [height, width], .. } = error else {
                panic!("{error:?}")
            };
            let again = Family::choose(NetworkName::Dcgan, [1, height, width]);
            assert!(again.is_ok(), "{side}: {height} × {width}");
        }
    }

    #[test]
    fn every_layer_takes_what_the_one_before_gives() {
        for (family, image_shape) in [
            (Family::Mlp, [1, 3, 5]),
            (Family::InfoGan, [1, 8, 8]),
            (Family::InfoGan, [3, 4, 4]),
            (Family::InfoGan, [1, 28, 12]),
            (Family::Dcgan, [1, 8, 16]),
            (Family::Dcgan, [3, 28, 28]),
        ] {
            let networks = architecture(family, image_shape);
            let generator = networks.generator(9, Activation::Tanh).unwrap();
            let critic = networks.critic(2).unwrap();
            for specs in [&generator, &critic] {
                for pair in specs.windows(2) {
                    assert_eq!(size(pair[0].to), size(pair[1].from), "{family:?} {image_shape:?}");
                }
                for spec in specs.iter() {
                    let [_, h, w] = spec.from;
                    match spec.op {
                        LinearOp::Transposed { .. } => assert_eq!(spec.to[1..], [h * 2, w * 2]),
                        LinearOp::Convolution { .. } => assert_eq!(spec.to[1..], [h / 2, w / 2]),
                        LinearOp::Dense => {}
                    }
                }
            }
            assert_eq!(generator.last().unwrap().to, image_shape);
        }
    }
}
