//! Data augmentation for adversarial networks: random affine transforms, applied to data and samples
//! alike before the critic sees them, so that the generator still learns the original distribution
//! (Zhao et al. 2020, arXiv:2006.10738).
//!
//! A critic that is trained on few images memorizes them later.
//! A code that it recovers from samples (InfoGAN) cannot be the slant or the position of an image.

use burn::tensor::{Int, Tensor, TensorData};

use super::layers::ImageShape;

/// Uniform numbers that one transform takes.
pub(crate) const DRAWS: usize = 6;

/// Images `[batch, channels·height·width]`, each under a random affine transform of its own.
///
/// In coordinates from −1 to 1, the six coefficients of a transform differ from those of the identity
/// by up to `strength`; they are made of [`DRAWS`] `uniforms` in [0, 1) for each image.
/// Interpolation is bilinear; beyond the border the pixels of the border are repeated.
pub(crate) fn random_affine(
    x: Tensor<2>,
    image_shape: ImageShape,
    strength: f64,
    uniforms: &[f32],
) -> Tensor<2> {
    let [n, size] = x.dims();
    let [channels, height, width] = image_shape;
    let pixels = height * width;
    let mut places = vec![vec![0i32; n * size]; 4];
    let mut weights = vec![vec![0.0f32; n * size]; 4];
    let centered = |at: usize, side: usize| (2 * at + 1) as f64 / side as f64 - 1.0;
    for (i, draws) in uniforms.chunks_exact(DRAWS).enumerate() {
        let by: Vec<f64> = draws.iter().map(|&u| strength * (2.0 * f64::from(u) - 1.0)).collect();
        for pixel in 0..pixels {
            let (x, y) = (centered(pixel % width, width), centered(pixel / width, height));
            let (column, right) = between(x + by[0] * x + by[1] * y + by[2], width);
            let (row, below) = between(y + by[3] * x + by[4] * y + by[5], height);
            let (next, under) = ((column + 1).min(width - 1), (row + 1).min(height - 1));
            let corners = [
                (row * width + column, (1.0 - below) * (1.0 - right)),
                (row * width + next, (1.0 - below) * right),
                (under * width + column, below * (1.0 - right)),
                (under * width + next, below * right),
            ];
            for (corner, (place, weight)) in corners.into_iter().enumerate() {
                for channel in 0..channels {
                    let at = (i * channels + channel) * pixels + pixel;
                    places[corner][at] = place as i32;
                    weights[corner][at] = weight as f32;
                }
            }
        }
    }
    let shape = [n, channels, pixels];
    let (device, dtype) = (x.device(), x.dtype());
    let x = x.reshape(shape);
    let parts = places.into_iter().zip(weights).map(|(places, weights)| {
        let places: Tensor<3, Int> = Tensor::from_data(TensorData::new(places, shape), &device);
        let weights = TensorData::new(weights, shape);
        x.clone().gather(2, places) * Tensor::<3>::from_data(weights, (&device, dtype))
    });
    parts.reduce(|sum, part| sum + part).unwrap_or(x.clone()).reshape([n, size])
}

/// The pixel at or before a coordinate from −1 to 1, and the weight of the next one.
fn between(coordinate: f64, side: usize) -> (usize, f64) {
    let at = ((coordinate + 1.0) * side as f64 / 2.0 - 0.5).clamp(0.0, (side - 1) as f64);
    (at as usize, at.fract())
}

#[cfg(test)]
mod tests {
    use burn::tensor::DType;

    use super::*;
    use crate::nn::to_f64;

    fn image(n: usize, k: f64) -> Vec<f64> {
        (0..n).map(|i| (0.7 * i as f64 + k).sin() * 0.5).collect()
    }

    fn tensor(values: Vec<f64>, shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(
            TensorData::new(values, shape),
            (&crate::spec::cpu().autodiff(), DType::F64),
        )
    }

    /// PyTorch's `grid_sample`:
    /// ```python
    /// import torch
    /// torch.set_default_dtype(torch.float64)
    /// n, c, h, w = 2, 2, 4, 6
    /// def fill(k):
    ///     return (torch.sin(torch.arange(n * c * h * w) * 0.7 + k) * 0.5).reshape(n, c, h, w)
    /// x = fill(1).requires_grad_(True)
    /// u = ((torch.arange(n * 6) * 0.37) % 1.0).float().double()
    /// theta = torch.tensor([1.0, 0, 0, 0, 1, 0]) + 0.6 * (2 * u.reshape(n, 6) - 1)
    /// F = torch.nn.functional
    /// grid = F.affine_grid(theta.reshape(n, 2, 3), (n, c, h, w), align_corners=False)
    /// y = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    /// (y * fill(2)).sum().backward()
    /// for t in (y, x.grad):
    ///     print([t.flatten()[i].item() for i in (0, 17, 40, 61, 95)])
    /// ```
    #[test]
    fn a_map_and_its_gradient_are_those_of_pytorch() {
        let (image_shape, shape) = ([2, 4, 6], [2, 48]);
        let uniforms: Vec<f32> = (0..12).map(|i| ((f64::from(i) * 0.37) % 1.0) as f32).collect();
        let x = tensor(image(96, 1.0), shape).require_grad();
        let y = random_affine(x.clone(), image_shape, 0.6, &uniforms);
        let grads = (y.clone() * tensor(image(96, 2.0), shape)).sum().backward();
        let gradient = to_f64(x.grad(&grads).unwrap());
        let close = |found: &[f64], expected: [f64; 5]| {
            for (i, expected) in [0, 17, 40, 61, 95].into_iter().zip(expected) {
                // The weights of neighbors are kept in single precision.
                assert!((found[i] - expected).abs() < 1e-6, "{i}: {} {expected}", found[i]);
            }
        };
        close(
            &to_f64(y),
            [
                -0.17715056909043614,
                -0.10726298270099834,
                -0.007780341191152618,
                0.0590978867996582,
                0.22624874822494132,
            ],
        );
        close(
            &gradient,
            [0.0, 0.11598433659782269, -0.5193203345673835, 0.0, -0.15127791336895963],
        );
    }

    #[test]
    fn the_map_in_the_middle_changes_nothing() {
        let x = image(2 * 27, 0.0);
        let y = random_affine(tensor(x.clone(), [2, 27]), [3, 3, 3], 1.0, &[0.5; 2 * DRAWS]);
        assert_eq!(to_f64(y), x);
    }
}
