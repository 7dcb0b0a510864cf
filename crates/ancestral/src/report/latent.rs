//! The latent space: reconstructions, interpolation, a grid of decoded codes, codes by class.

use ancestral_data::Dataset;
use ancestral_plot::{Image, Plot, Series};

use super::samples::{grid, intensities};
use crate::model::{Latent, Model};
use crate::{Error, Result};

/// The shape of an image of the model's data.
fn image_shape(model: &dyn Model) -> Result<[usize; 3]> {
    let shape = &model.data().shape;
    shape.as_image().ok_or_else(|| Error::NoImage { shape: shape.clone() })
}

/// Examples above their reconstructions, both in the values of the model's columns.
///
/// # Errors
/// If the examples are not images.
pub fn reconstructions(model: &dyn Model, examples: &[f64], decoded: &[f64]) -> Result<Image> {
    let shape = image_shape(model)?;
    let columns = (examples.len() / model.data().shape.size()).clamp(1, 16);
    let grid = |values| grid(&intensities(model, values), shape, columns);
    Ok(Image::vstack(&[("examples", grid(examples)), ("reconstructions", grid(decoded))]))
}

/// The steps of an interpolation side by side, in the values of the model's columns.
///
/// # Errors
/// If the examples are not images.
pub fn interpolation(model: &dyn Model, decoded: &[f64]) -> Result<Image> {
    let shape = image_shape(model)?;
    let n = decoded.len() / model.data().shape.size();
    Ok(grid(&intensities(model, decoded), shape, n.clamp(1, 16)))
}

/// The steps of an interpolation as frames of an animation.
///
/// # Errors
/// If the examples are not images.
pub fn interpolation_frames(model: &dyn Model, decoded: &[f64]) -> Result<Vec<Image>> {
    let shape = image_shape(model)?;
    let values = intensities(model, decoded);
    Ok(values.chunks_exact(model.data().shape.size()).map(|v| grid(v, shape, 1)).collect())
}

/// A two-dimensional latent space, decoded on a grid of `side` codes along each axis with equal
/// steps of probability of N(0, I), so that every cell has the same prior probability.
///
/// # Errors
/// If the latent space is not two-dimensional, or the examples are not images.
pub fn manifold(model: &dyn Model, latent: &dyn Latent, side: usize) -> Result<Image> {
    let shape = image_shape(model)?;
    let at: Vec<f32> =
        (0..side).map(|i| normal_quantile((i as f64 + 0.5) / side as f64) as f32).collect();
    let codes: Vec<f32> =
        at.iter().rev().flat_map(|&y| at.iter().flat_map(move |&x| [x, y])).collect();
    Ok(grid(&intensities(model, &latent.decode(&codes, None)?), shape, side))
}

/// Codes `[n, dims]` of labeled examples by class: a histogram of one dimension, or a scatter plot
/// along the first two principal components.
pub fn latent_space(data: &Dataset, codes: &[f32], dims: usize, labels: Option<&[u32]>) -> Plot {
    let names = match dims {
        1 => ["code", "examples"],
        _ => ["first principal component", "second principal component"],
    };
    let mut plot = Plot::new(format!("latent codes of {}", data.name), names[0], names[1]);
    let points = if dims == 1 { Vec::new() } else { first_components(codes, dims) };
    let class = |i: usize| labels.map_or(0, |l| l[i]);
    for c in 0..data.classes().max(1) as u32 {
        let of_class = |&i: &usize| class(i) == c;
        let name = data.class_names.get(c as usize).cloned().unwrap_or_default();
        let series = if dims == 1 {
            let own = (0..codes.len()).filter(of_class).map(|i| codes[i]);
            Series::line(name, histogram(own, codes))
        } else {
            Series::points(name, (0..points.len()).filter(of_class).map(|i| points[i]))
        };
        plot = plot.with(series.group(c as usize));
    }
    plot
}

/// Bins of a histogram of codes.
const BINS: usize = 30;

/// Counts of the values in bins that cover `all`, by the centers of the bins.
fn histogram(values: impl Iterator<Item = f32>, all: &[f32]) -> Vec<(f64, f64)> {
    let low = f64::from(all.iter().copied().fold(f32::INFINITY, f32::min));
    let high = f64::from(all.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let width = ((high - low) / BINS as f64).max(f64::MIN_POSITIVE);
    let mut bins: Vec<(f64, f64)> =
        (0..BINS).map(|i| (low + (i as f64 + 0.5) * width, 0.0)).collect();
    for value in values {
        let at = ((f64::from(value) - low) / width) as usize;
        bins[at.min(BINS - 1)].1 += 1.0;
    }
    bins
}

/// Coordinates along the first two principal components, by power iteration on the covariance with
/// deflation.
fn first_components(codes: &[f32], dims: usize) -> Vec<(f64, f64)> {
    let n = (codes.len() / dims).max(1) as f64;
    let mut mean = vec![0.0; dims];
    for row in codes.chunks_exact(dims) {
        mean.iter_mut().zip(row).for_each(|(m, &x)| *m += f64::from(x) / n);
    }
    let rows: Vec<Vec<f64>> = codes
        .chunks_exact(dims)
        .map(|row| row.iter().zip(&mean).map(|(&x, m)| f64::from(x) - m).collect())
        .collect();
    let mut covariance = vec![vec![0.0; dims]; dims];
    for row in &rows {
        for i in 0..dims {
            for j in 0..dims {
                covariance[i][j] += row[i] * row[j] / n;
            }
        }
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let mut directions: Vec<Vec<f64>> = Vec::new();
    for d in 0..2 {
        // A start that is not orthogonal to any axis.
        let mut v: Vec<f64> = (0..dims).map(|i| 1.0 / (1 + i + d) as f64).collect();
        for _ in 0..300 {
            for found in &directions {
                let along = dot(&v, found);
                v.iter_mut().zip(found).for_each(|(x, f)| *x -= along * f);
            }
            let next: Vec<f64> = covariance.iter().map(|row| dot(row, &v)).collect();
            let norm = dot(&next, &next).sqrt();
            if norm < 1e-12 {
                break;
            }
            v = next.into_iter().map(|x| x / norm).collect();
        }
        directions.push(v);
    }
    rows.iter().map(|row| (dot(row, &directions[0]), dot(row, &directions[1]))).collect()
}

/// The x with Φ(x) = p, by bisection on Φ(x) = ½ erfc(−x/√2).
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if normal_cdf(middle) < p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// Φ by its series around 0, Σ x^(2k+1)/(1·3·5…(2k+1)) times the density (Marsaglia 2004).
fn normal_cdf(x: f64) -> f64 {
    let (mut term, mut sum, mut k) = (x, x, 1.0);
    while term.abs() > 1e-16 && k < 400.0 {
        term *= x * x / (2.0 * k + 1.0);
        sum += term;
        k += 1.0;
    }
    0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_every_value_once() {
        let bins = histogram([0.0, 0.1, 3.0].into_iter(), &[0.0, 0.1, 1.0, 3.0]);
        assert_eq!(bins.iter().map(|b| b.1).sum::<f64>(), 3.0);
        assert!((bins[0].0 - 0.05).abs() < 1e-9 && bins[BINS - 1].1 == 1.0);
        assert_eq!(histogram([2.0].into_iter(), &[2.0, 2.0])[0].1, 1.0);
    }

    #[test]
    fn quantiles_of_the_normal() {
        assert!(normal_quantile(0.5).abs() < 1e-9);
        assert!((normal_quantile(0.975) - 1.959_963_985).abs() < 1e-6);
        assert!((normal_quantile(0.01) + 2.326_347_874).abs() < 1e-6);
    }

    #[test]
    fn components_find_the_long_axis() {
        let codes: Vec<f32> =
            (0..200).flat_map(|i| [3.0 * (i as f32 - 100.0), ((i * 7) % 11) as f32, 5.0]).collect();
        let points = first_components(&codes, 3);
        let spread = |f: fn(&(f64, f64)) -> f64| points.iter().map(|p| f(p).powi(2)).sum::<f64>();
        assert!(spread(|p| p.0) > 100.0 * spread(|p| p.1));
        assert!(spread(|p| p.1) > 1.0);
    }
}
