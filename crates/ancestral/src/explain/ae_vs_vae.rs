//! Latent codes drawn from N(0, I), through the decoders of an autoencoder and of a VAE with the
//! same layers.

use std::f64::consts::PI;

use ancestral_data::{Batch, Binarize, Dataset, Examples, SplitName, Streams};
use ancestral_plot::{Image, Plot, Series};
use serde_json::{Map, Value, json};

use super::inputs::{open, train};
use super::spec::{ExplainSpec, Explanation};
use crate::Result;
use crate::autoencoder::{ae::AeConfig, vae::VaeConfig};
use crate::report::{grid, intensities};
use crate::run::Session;

/// Dimensions of the latent codes.
const CODE: usize = 2;
/// Latent codes that are decoded, and how many per row of the image.
const DRAWN: u64 = 100;
const ACROSS: usize = 10;
/// Test examples whose latent codes are plotted.
const SHOWN: usize = 2000;

/// Decodes the same samples of N(0, I) by both models, and compares the latent codes of examples
/// with N(0, I).
pub(super) fn explain(session: &mut Session<'_>, spec: &ExplainSpec) -> Result<Explanation> {
    let data = open(session, spec)?;
    let shape = data.shape.as_image().unwrap_or([1, 1, 1]);
    let ae = AeConfig { latent_dims: CODE, hidden: vec![200, 200], ..AeConfig::default() };
    let vae =
        VaeConfig { latent_dims: vec![CODE], hidden: vec![vec![200, 200]], ..VaeConfig::default() };
    let runs = [
        ("ae", train(session, spec, &ae, Binarize::None)?),
        ("vae", train(session, spec, &vae, Binarize::None)?),
    ];
    let test = Examples::new(&data, SplitName::Test, Binarize::None, spec.seed())?;
    let shown = test.len().min(SHOWN);
    let batch = test.batch(&(0..shown as u64).collect::<Vec<_>>(), 0);
    let indices: Vec<u64> = (0..DRAWN).collect();
    let codes = Streams::new(spec.seed()).purpose("explain", 0).normals(&indices, CODE);
    let mut images = Vec::new();
    let mut lines = vec![
        "The same codes, drawn from N(0, I), decoded by both models (decoded.png):".to_owned(),
        "the VAE is trained to match its codes to N(0, I), and the autoencoder is not.".to_owned(),
    ];
    let mut metrics = Map::new();
    for (name, run) in &runs {
        let latent = session.latent(run)?;
        let decoded = latent.decode(&codes, None)?;
        images.push(grid(&intensities(run.model(), &decoded), shape, ACROSS));
        let means = latent.encode(&batch)?;
        // Latent codes as in training: for the VAE, samples from q.
        let drawn = match latent.posterior(&batch)? {
            None => means.clone(),
            Some((means, stds)) => {
                let noise = Streams::new(spec.seed()).purpose("explain codes", 0);
                let noise = noise.normals(&batch.indices, CODE);
                means.iter().zip(stds).zip(noise).map(|((m, s), e)| m + s * e).collect()
            }
        };
        let (std, correlation) = spread(&drawn);
        lines.push(format!(
            "codes of {name:<3} on {shown} test examples: standard deviations {:.2} to {:.2}, \
             largest correlation of two dimensions {correlation:.2}",
            std.iter().copied().fold(f64::INFINITY, f64::min),
            std.iter().copied().fold(0.0, f64::max),
        ));
        metrics.insert((*name).to_owned(), json!({ "std": std, "correlation": correlation }));
        plot(name, &data, &batch, &drawn, widest(&means))
            .save(spec.out.join(format!("codes-{name}.png")))?;
    }
    Image::hstack(&[
        ("autoencoder: N(0, I) decoded", images.remove(0)),
        ("VAE: the same codes decoded", images.remove(0)),
    ])
    .save_png(spec.out.join("decoded.png"))?;
    let images = ["codes-ae.png", "codes-vae.png", "decoded.png"];
    Ok(spec.found(lines, Value::Object(metrics), &images))
}

/// The two dimensions of largest variance of the means.
fn widest(means: &[f32]) -> [usize; 2] {
    let mut entries: Vec<(f64, usize)> =
        spread(means).0.into_iter().enumerate().map(|(i, s)| (s, i)).collect();
    entries.sort_by(|a, b| b.0.total_cmp(&a.0));
    [entries[0].1, entries[1].1]
}

/// Two latent dimensions by class, with the circle that contains 95 % of N(0, I).
fn plot(name: &str, data: &Dataset, batch: &Batch, codes: &[f32], [a, b]: [usize; 2]) -> Plot {
    let mut plot = Plot::new(
        format!("codes of {name}, and where N(0, I) puts 95 %"),
        "first entry",
        "second entry",
    );
    for class in 0..data.classes().max(1) as u32 {
        let of_class = codes
            .chunks_exact(CODE)
            .enumerate()
            .filter(|(i, _)| batch.labels.as_ref().is_none_or(|labels| labels[*i] == class));
        let points = of_class.map(|(_, z)| (f64::from(z[a]), f64::from(z[b])));
        let label = data.class_names.get(class as usize).cloned().unwrap_or_default();
        plot = plot.with(Series::points(label, points).group(class as usize));
    }
    // P(|z| < r) = 1 − e^(−r²/2).
    let radius = (-2.0 * 0.05f64.ln()).sqrt();
    let circle = (0..=200).map(|i| {
        let angle = 2.0 * PI * f64::from(i) / 200.0;
        (radius * angle.cos(), radius * angle.sin())
    });
    plot.with(Series::dashed("95 % of N(0, I)", circle)).equal_aspect()
}

/// Standard deviation of each latent dimension, and the largest correlation of two dimensions.
fn spread(codes: &[f32]) -> (Vec<f64>, f64) {
    let n = (codes.len() / CODE) as f64;
    let columns: Vec<Vec<f64>> = (0..CODE)
        .map(|d| {
            let column = || codes.iter().skip(d).step_by(CODE).map(|&z| f64::from(z));
            let mean = column().sum::<f64>() / n;
            column().map(|z| z - mean).collect()
        })
        .collect();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>() / n;
    let std: Vec<f64> = columns.iter().map(|c| product(c, c).sqrt()).collect();
    let mut largest = 0.0f64;
    for a in 0..CODE {
        for b in 0..a {
            largest = largest.max((product(&columns[a], &columns[b]) / (std[a] * std[b])).abs());
        }
    }
    (std, largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_of_entries_and_of_pairs() {
        // The second entry is twice the first turned round, the others alternate in squares.
        let wave = |i: usize, d: usize| if (i >> d).is_multiple_of(2) { 1.0 } else { -1.0f32 };
        let codes: Vec<f32> = (0..256)
            .flat_map(|i| {
                (0..CODE).map(move |d| if d == 1 { 3.0 - 2.0 * wave(i, 0) } else { wave(i, d) })
            })
            .collect();
        let (std, correlation) = spread(&codes);
        for (d, std) in std.iter().enumerate() {
            assert!((std - if d == 1 { 2.0 } else { 1.0 }).abs() < 1e-12, "{d}: {std}");
        }
        assert!((correlation - 1.0).abs() < 1e-12, "{correlation}");
        assert_eq!(widest(&codes)[0], 1);
        let apart: Vec<f32> = (0..256).flat_map(|i| (0..CODE).map(move |d| wave(i, d))).collect();
        assert!(spread(&apart).1 < 1e-12);
    }
}
