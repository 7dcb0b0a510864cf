//! The chain p(R) p(G | R) p(B | R, G) of the channels of a pixel: what G knows of R, and B of both.
//!
//! A model of color images is asked for the probabilities of a pixel's channels at every value of the
//! channels before. Summed over these values it says what it would expect without knowing them:
//! p(G | earlier pixels) = Σᵣ p(r | earlier pixels) p(G | r, earlier pixels).

use std::f64::consts::LN_2;

use ancestral_data::{Batch, Binarize, Dataset, Examples, SplitName, Values};
use ancestral_plot::{Image, Plot, Series};
use serde_json::json;

use super::inputs::train_on;
use super::spec::{ExplainSpec, Explanation};
use super::work::stoppable;
use crate::autoregressive::pixel_cnn::PixelCnnConfig;
use crate::evaluate::pixel_costs;
use crate::model::{Model, SampleRequest, column_terms, sample};
use crate::report::{grid, intensities};
use crate::run::Session;
use crate::train::TrainConfig;
use crate::{Error, Result};

/// The data that the model is trained on.
const DATA: &str = "discs";
/// Pixels that are looked at, each of another test image.
const PIXELS: usize = 100;
/// Of these, pixels whose whole chain is computed.
const CHAINS: usize = 8;
/// Images that are shown of the data and of the model.
const SHOWN: usize = 36;

/// What a model expects of the channels of some pixels, in bits a pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct ColorChain {
    /// The number of pixels.
    pub pixels: usize,
    /// The cost of R given earlier pixels.
    pub r: f64,
    /// The cost of G given earlier pixels, and given R too.
    pub g: [f64; 2],
    /// The cost of B given earlier pixels, given R too, and given R and G too.
    pub b: [f64; 3],
    /// p(G = g | R = r), the mean over pixels, `[r, g]`.
    pub g_given_r: Vec<f64>,
}

/// Asks a model of images of three channels for the probabilities of the channels of pixels, each of
/// them `(image, pixel)`, at all values of the channels before.
///
/// `progress` is called with the share that is done.
///
/// # Errors
/// If the data of the model is not color images of levels, it has no probabilities of entries, or
/// `progress` fails.
pub fn color_chain(
    model: &dyn Model,
    examples: &Examples,
    pixels: &[(u64, usize)],
    progress: &mut dyn FnMut(f64) -> Result<()>,
) -> Result<ColorChain> {
    let (levels, area) = color(model)?;
    let mut bits = [0.0; 6];
    let mut g_given_r = vec![0.0; levels * levels];
    for (i, &(image, pixel)) in pixels.iter().enumerate() {
        let given = examples.batch(&[image], 0).values;
        let [r, g, _] = [0, 1, 2].map(|channel| given[channel * area + pixel] as usize);
        // Every R and G, with the B that is there.
        let mut variants = Vec::with_capacity(levels * levels * given.len());
        for at in 0..levels * levels {
            let mut image = given.clone();
            image[pixel] = (at / levels) as f64;
            image[area + pixel] = (at % levels) as f64;
            variants.extend(image);
        }
        let [of_r, of_g, of_b] = probabilities(model, variants, levels * levels, pixel)?;
        let p_r = |r: usize| of_r[r * levels];
        let p_g = |r: usize, g: usize| of_g[r * levels + g];
        let p_b = |r: usize, g: usize| of_b[r * levels + g];
        let all = || 0..levels;
        let g_without_r: f64 = all().map(|r| p_r(r) * p_g(r, g)).sum();
        let b_given_r = |r: usize| -> f64 { all().map(|g| p_g(r, g) * p_b(r, g)).sum() };
        let b_without: f64 = all().map(|r| p_r(r) * b_given_r(r)).sum();
        let found = [p_r(r), g_without_r, p_g(r, g), b_without, b_given_r(r), p_b(r, g)];
        for (bits, p) in bits.iter_mut().zip(found) {
            *bits -= p.log2() / pixels.len() as f64;
        }
        g_given_r.iter_mut().zip(&of_g).for_each(|(sum, p)| *sum += p / pixels.len() as f64);
        progress((i + 1) as f64 / pixels.len() as f64)?;
    }
    let [r, g0, g1, b0, b1, b2] = bits;
    Ok(ColorChain { pixels: pixels.len(), r, g: [g0, g1], b: [b0, b1, b2], g_given_r })
}

/// The mean of B at each value of R and G, `[r, g]`, the mean over some pixels.
fn mean_of_b(
    model: &dyn Model,
    examples: &Examples,
    pixels: &[(u64, usize)],
    progress: &mut dyn FnMut(f64) -> Result<()>,
) -> Result<Vec<f64>> {
    let (levels, area) = color(model)?;
    let mut means = vec![0.0; levels * levels];
    for (i, &(image, pixel)) in pixels.iter().enumerate() {
        let given = examples.batch(&[image], 0).values;
        for b in 0..levels {
            let mut variants = Vec::with_capacity(levels * levels * given.len());
            for at in 0..levels * levels {
                let mut image = given.clone();
                image[pixel] = (at / levels) as f64;
                image[area + pixel] = (at % levels) as f64;
                image[2 * area + pixel] = b as f64;
                variants.extend(image);
            }
            let [_, _, of_b] = probabilities(model, variants, levels * levels, pixel)?;
            for (mean, p) in means.iter_mut().zip(of_b) {
                *mean += p * b as f64 / pixels.len() as f64;
            }
        }
        progress((i + 1) as f64 / pixels.len() as f64)?;
    }
    Ok(means)
}

/// The number of levels and of pixels of the color images of a model.
fn color(model: &dyn Model) -> Result<(usize, usize)> {
    let data = model.data();
    match (data.shape.as_image(), data.domain().and_then(|domain| domain.max_level())) {
        (Some([3, height, width]), Some(top)) => Ok((top as usize + 1, height * width)),
        _ => Err(Error::UnsuitableData {
            model: model.name().to_owned(),
            problem: "its images have no three channels of levels".to_owned(),
        }),
    }
}

/// The probability of each channel of a pixel, `[channel][image]`, of some images.
fn probabilities(
    model: &dyn Model,
    images: Vec<f64>,
    count: usize,
    pixel: usize,
) -> Result<[Vec<f64>; 3]> {
    let area = images.len() / count / 3;
    let terms = column_terms(model, &Batch::of(images, count))?;
    let terms = terms.ok_or_else(|| Error::Unsupported {
        model: model.name().to_owned(),
        problem: "has no probabilities of entries".to_owned(),
    })?;
    let of = |channel: usize| {
        terms.chunks_exact(3 * area).map(|row| row[channel * area + pixel].exp()).collect()
    };
    Ok([of(0), of(1), of(2)])
}

/// Trains a model of color images and shows what its channels know of each other.
pub(super) fn explain(session: &mut Session<'_>, spec: &ExplainSpec) -> Result<Explanation> {
    let config = PixelCnnConfig { layers: 2, hidden: 24, ..PixelCnnConfig::default() };
    let training = TrainConfig { learning_rate: 1e-2, batch_size: 50, ..TrainConfig::default() };
    let run = train_on(session, spec, &config, (DATA, Binarize::None), training)?;
    let data = Dataset::open(DATA)?;
    let test = Examples::new(&data, SplitName::Test, Binarize::None, spec.seed())?;
    let entropies = entropies(&data)?;
    let costs = pixel_costs(run.model(), &test, &mut |_| {})?;
    let area = costs.shape[1] * costs.shape[2];
    let whole = [0, 1, 2].map(|c| costs.channel(c).iter().sum::<f64>() / area as f64);
    // A step that visits all of them, rows and columns mixed.
    let pixels: Vec<(u64, usize)> =
        (0..PIXELS.min(test.len())).map(|i| (i as u64, (i * 61 + 30) % area)).collect();
    let (chain, means) = stoppable(session, "asking for every color", |progress| {
        let chain = color_chain(run.model(), &test, &pixels, &mut |share| progress(0.5 * share))?;
        let some = &pixels[..CHAINS.min(pixels.len())];
        let means = mean_of_b(run.model(), &test, some, &mut |share| progress(0.5 + 0.5 * share))?;
        Ok((chain, means))
    })?;

    bars(&entropies, &chain).save(spec.out.join("bits.png"))?;
    maps(&chain, &means)?.save_png(spec.out.join("chain.png"))?;
    let shown: Vec<u64> = (0..SHOWN.min(test.len()) as u64).collect();
    let drawn = sample(run.model(), &SampleRequest::new(SHOWN, spec.seed()))?;
    let side = |values: &[f64]| grid(&intensities(run.model(), values), costs.shape, 6);
    Image::hstack(&[("data", side(&test.batch(&shown, 0).values)), ("samples", side(&drawn))])
        .save_png(spec.out.join("images.png"))?;
    let metrics = json!({
        "entropy": entropies, "bits": whole, "pixels": chain.pixels, "r": chain.r,
        "g": chain.g[0], "g_given_r": chain.g[1], "b": chain.b[0], "b_given_r": chain.b[1],
        "b_given_rg": chain.b[2],
    });
    let images = ["bits.png", "chain.png", "images.png"];
    Ok(spec.found(lines(&entropies, whole, &chain), metrics, &images))
}

/// The entropy of each channel over all pixels of the training split, in bits.
fn entropies(data: &Dataset) -> Result<[f64; 3]> {
    let split = data.split(SplitName::Train)?;
    let area = data.shape.size() / 3;
    let mut counts = [[0u32; 256]; 3];
    if let Values::Bytes(bytes) = &split.values {
        for (at, &value) in bytes.iter().enumerate() {
            counts[at / area % 3][usize::from(value)] += 1;
        }
    }
    Ok(counts.map(|counts| {
        let total: f64 = counts.iter().copied().map(f64::from).sum();
        let terms = counts.iter().filter(|count| **count > 0).map(|&count| {
            let p = f64::from(count) / total;
            -p * p.ln() / LN_2
        });
        terms.sum()
    }))
}

fn lines(entropies: &[f64; 3], whole: [f64; 3], chain: &ColorChain) -> Vec<String> {
    let [er, eg, eb] = entropies;
    let ColorChain { pixels, r, g, b, .. } = chain;
    let none = "—";
    vec![
        format!(
            "A pixel-cnn trained on {DATA}, color images whose channels depend on each other at every \
             pixel."
        ),
        format!(
            "Bits a pixel on {pixels} pixels of test images (bits.png); without R, or R and G, the \
             model's own"
        ),
        "probabilities are summed over their values:".to_owned(),
        "channel   entropy   given earlier pixels   and R   and R, G".to_owned(),
        format!("R {er:>15.3} {r:>22.3} {none:>7} {none:>10}"),
        format!("G {eg:>15.3} {:>22.3} {:>7.3} {none:>10}", g[0], g[1]),
        format!("B {eb:>15.3} {:>22.3} {:>7.3} {:>10.3}", b[0], b[1], b[2]),
        format!(
            "So R tells {:.2} bits about G. About B, R alone tells {:.2} bits, and R and G together \
             {:.2}.",
            g[0] - g[1],
            b[0] - b[1],
            b[0] - b[2]
        ),
        format!(
            "Channels that are independent given earlier pixels would cost {:.2} bits a pixel more.",
            g[0] - g[1] + b[0] - b[2]
        ),
        format!(
            "On all test images R costs {:.3}, G given R {:.3} and B given both {:.3} bits a pixel.",
            whole[0], whole[1], whole[2]
        ),
    ]
}

/// The costs of each channel.
fn bars(entropies: &[f64; 3], chain: &ColorChain) -> Plot {
    let ColorChain { r, g, b, .. } = chain;
    let series = |values: &[(usize, f64)]| -> Vec<(f64, f64)> {
        values.iter().map(|&(channel, bits)| (channel as f64, bits)).collect()
    };
    let own: Vec<(usize, f64)> = entropies.iter().copied().enumerate().collect();
    Plot::new("what the channels of a pixel know of each other", "channel", "bits a pixel")
        .with(Series::bars("entropy", series(&own)).group(9))
        .with(
            Series::bars("given earlier pixels", series(&[(0, *r), (1, g[0]), (2, b[0])])).group(0),
        )
        .with(Series::bars("and R", series(&[(1, g[1]), (2, b[1])])).group(1))
        .with(Series::bars("and R, G", series(&[(2, b[2])])).group(2))
        .x_names(["R", "G", "B"])
}

/// p(G | R), and the mean of B given both.
fn maps(chain: &ColorChain, means: &[f64]) -> Result<Image> {
    let levels = means.len().isqrt();
    let ends = (-0.5, levels as f64 - 0.5);
    // Rows from the highest G, columns by R.
    let turned = |values: &[f64]| -> Vec<f64> {
        let rows = (0..levels).rev();
        rows.flat_map(|g| (0..levels).map(move |r| values[r * levels + g])).collect()
    };
    let map = |title: &str, values: &[f64], label: &str, scale: (f64, f64)| {
        Plot::new(title, "R", "G")
            .with_map_between(&turned(values), levels, ends, ends, label, scale)
            .equal_aspect()
            .size(480, 420)
            .to_image()
    };
    // At the ends of R the cut-off levels of G are far more probable than any other.
    let inner = &chain.g_given_r[2 * levels..(levels - 2) * levels];
    let highest = inner.iter().copied().fold(0.0, f64::max);
    let top = (levels - 1) as f64;
    let label = format!("probability (yellow: {highest:.2} or more)");
    let left = map("p(G | R), one column for each R", &chain.g_given_r, &label, (0.0, highest))?;
    let right = map("mean of B given R and G", means, "level of B", (0.0, top))?;
    Ok(Image::hstack(&[("", left), ("", right)]))
}
