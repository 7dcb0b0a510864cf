//! Single layers with random weights: the sum of the outputs, and its gradients.

use ancestral_data::Streams;
use ancestral_kernels::{self as kernels, Precision};
use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor, TensorData};

use crate::rounds::Round;

/// Numbers from U(−a, a) with a gradient.
fn parameter<const D: usize>(shape: [usize; D], a: f32) -> Tensor<D> {
    numbers(shape, a).require_grad()
}

fn numbers<const D: usize>(shape: [usize; D], a: f32) -> Tensor<D> {
    let uniforms = Streams::new(0).purpose("layers", 0).uniforms(&[0], shape.iter().product());
    let values: Vec<f32> = uniforms.into_iter().map(|u| (2.0 * u - 1.0) * a).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex().autodiff())
}

/// Computes the gradients of the sum of `y`.
fn gradients<const D: usize>(
    y: Tensor<D>,
    x: &Tensor<D>,
    weight: &Tensor<D>,
    bias: &Tensor<1>,
) -> Result<()> {
    let grads = y.sum().backward();
    x.grad(&grads).context("x has a gradient")?;
    weight.grad(&grads).context("the weight has a gradient")?;
    bias.grad(&grads).context("the bias has a gradient")?;
    Ok(())
}

/// Ten times a convolution with 3×3 filters from 64 channels to 64, 16 images of 28×28.
pub(crate) fn convolution(precision: Precision) -> Round {
    let x = parameter([16, 64, 28, 28], 1.0);
    let (weight, bias) = (parameter([64, 64, 3, 3], 0.05), parameter([64], 0.1));
    let mut tuner = kernels::ThreadTuner::new();
    Box::new(move || {
        for _ in 0..10 {
            tuner.run(|| -> Result<()> {
                let y = kernels::conv2d(
                    x.clone(),
                    weight.clone(),
                    Some(bias.clone()),
                    [1, 1],
                    [1, 1],
                    precision,
                );
                gradients(y, &x, &weight, &bias)
            })?;
        }
        Ok(())
    })
}

/// Ten times a dense layer from 6272 entries to 1024, with a batch of 64: the widest of InfoGAN's
/// networks.
pub(crate) fn dense(precision: Precision) -> Round {
    let x = parameter([64, 6272], 1.0);
    let (weight, bias) = (parameter([6272, 1024], 0.02), parameter([1024], 0.1));
    let mut tuner = kernels::ThreadTuner::new();
    Box::new(move || {
        for _ in 0..10 {
            tuner.run(|| -> Result<()> {
                let none = kernels::Activation::None;
                let y = kernels::linear(x.clone(), weight.clone(), bias.clone(), none, precision);
                gradients(y, &x, &weight, &bias)
            })?;
        }
        Ok(())
    })
}

/// A convolution, then batch normalization where there is a γ, then the leaky ReLU.
struct Layer {
    weight: Tensor<4>,
    scale: Option<[Tensor<1>; 2]>,
    stride: usize,
    padding: usize,
    slope: Option<f64>,
    transposed: bool,
}

impl Layer {
    fn new(
        [from, to]: [usize; 2],
        whole: bool,
        normed: bool,
        slope: Option<f64>,
        transposed: bool,
    ) -> Self {
        let channels = if transposed { [from, to] } else { [to, from] };
        let scale = normed.then(|| [parameter([to], 1.0), parameter([to], 0.1)]);
        let (stride, padding) = if whole { (1, 0) } else { (2, 1) };
        let weight = parameter([channels[0], channels[1], 4, 4], 0.05);
        Self { weight, scale, stride, padding, slope, transposed }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (weight, stride, padding) = (self.weight.clone(), [self.stride; 2], [self.padding; 2]);
        let y = if self.transposed {
            kernels::conv_transpose2d(x, weight, None, stride, padding, [0, 0], Precision::F32)
        } else {
            kernels::conv2d(x, weight, None, stride, padding, Precision::F32)
        };
        match (&self.scale, self.slope) {
            (Some([gamma, beta]), slope) => {
                kernels::batch_norm(y, gamma.clone(), beta.clone(), 1e-5, slope).0
            }
            (None, Some(slope)) => kernels::leaky_relu(y, slope),
            (None, None) => y,
        }
    }
}

/// Twice the layers of a DCGAN for 32×32 color images, 64 channels in the widest layer, with a
/// batch of 64: noise to images to scores, and the gradients of all weights.
pub(crate) fn dcgan() -> Round {
    let noise = numbers([64, 100, 1, 1], 1.7);
    let generator = [
        Layer::new([100, 256], true, true, Some(0.0), true),
        Layer::new([256, 128], false, true, Some(0.0), true),
        Layer::new([128, 64], false, true, Some(0.0), true),
        Layer::new([64, 3], false, false, None, true),
    ];
    let discriminator = [
        Layer::new([3, 64], false, false, Some(0.2), false),
        Layer::new([64, 128], false, true, Some(0.2), false),
        Layer::new([128, 256], false, true, Some(0.2), false),
        Layer::new([256, 1], true, false, None, false),
    ];
    let mut tuner = kernels::ThreadTuner::new();
    Box::new(move || {
        for _ in 0..2 {
            tuner.run(|| -> Result<()> {
                let images = generator.iter().fold(noise.clone(), |x, layer| layer.forward(x));
                let scores =
                    discriminator.iter().fold(kernels::tanh(images), |x, layer| layer.forward(x));
                let grads = scores.sum().backward();
                for layer in generator.iter().chain(&discriminator) {
                    layer.weight.grad(&grads).context("every weight has a gradient")?;
                }
                Ok(())
            })?;
        }
        Ok(())
    })
}
