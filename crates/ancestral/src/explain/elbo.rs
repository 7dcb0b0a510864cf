//! log p(x) of a VAE, integrated over its two-dimensional latent code, compared with the ELBO and
//! the divergence of q(z|x) from the true posterior: log p(x) = ELBO + KL(q(z|x) ‖ p(z|x)).

use std::f64::consts::PI;

use ancestral_data::{Batch, Binarize, Examples, SplitName};
use ancestral_plot::{Image, Plot, Series};
use serde_json::{Value, json};

use super::inputs::{open, train};
use super::spec::{ExplainSpec, Explanation};
use super::work::stoppable;
use crate::autoencoder::vae::VaeConfig;
use crate::likelihood::LikelihoodName;
use crate::model::{DensityOptions, Latent};
use crate::run::{Run, Session};
use crate::{Error, Result};

/// The square of latent codes for the integral, [−REACH, REACH]², and its cells per side.
const REACH: f64 = 6.0;
const CELLS: usize = 240;
/// The cells per side of the part that is shown, and its range on both axes.
const MIDDLE: usize = CELLS / 2;
const SPAN: (f64, f64) = (-REACH / 2.0, REACH / 2.0);
/// The side of a cell.
const WIDTH: f64 = 2.0 * REACH / CELLS as f64;
/// Latent codes per batch.
const CODES: usize = 4000;
/// Examples whose gap is shown, and samples of the ELBO for each.
const SHOWN: usize = 12;
const DRAWS: u64 = 160_000;
/// Samples between two reports of progress.
const REPORTED: u64 = 1000;

/// The values for an example, in nats.
struct Gap {
    log_p: f64,
    elbo: f64,
    elbo_stderr: f64,
    kl: f64,
}

/// Compares log p(x) with the ELBO and the KL divergence on test examples.
pub(super) fn explain(session: &mut Session<'_>, spec: &ExplainSpec) -> Result<Explanation> {
    let data = open(session, spec)?;
    let config = VaeConfig {
        latent_dims: vec![2],
        hidden: vec![vec![100]],
        likelihood: LikelihoodName::Bernoulli,
        ..VaeConfig::default()
    };
    let run = train(session, spec, &config, Binarize::Threshold)?;
    let latent = session.latent(&run)?;
    let test = Examples::new(&data, SplitName::Test, Binarize::Threshold, spec.seed())?;
    let indices: Vec<u64> = (0..SHOWN.min(test.len()) as u64).collect();
    let batch = test.batch(&indices, 0);
    let cells = cells();
    let log_joint = log_joint(latent, &batch, data.shape.size(), &cells)?;
    let posterior = latent.posterior(&batch)?;
    let (means, stds) = posterior.ok_or_else(|| unsupported(&run, "has no posterior"))?;
    let bounds = stoppable(session, "drawing the ELBO", |progress| bounds(&run, &batch, progress))?;

    let mut gaps = Vec::new();
    let mut maps = None;
    for (i, (log_joint, (elbo, elbo_stderr))) in log_joint.iter().zip(bounds).enumerate() {
        let log_p = log_integral(log_joint);
        let log_q: Vec<f64> = cells
            .iter()
            .map(|z| {
                let terms = [0, 1].map(|d| {
                    let (mean, std) = (f64::from(means[2 * i + d]), f64::from(stds[2 * i + d]));
                    -0.5 * ((z[d] - mean) / std).powi(2) - std.ln()
                });
                terms[0] + terms[1] - (2.0 * PI).ln()
            })
            .collect();
        let kl: f64 = log_q
            .iter()
            .zip(log_joint)
            .map(|(q, joint)| q.exp() * (q - (joint - log_p)) * (WIDTH * WIDTH))
            .sum();
        gaps.push(Gap { log_p, elbo, elbo_stderr, kl });
        maps.get_or_insert_with(|| {
            let posterior = log_joint.iter().map(|l| (l - log_p).exp()).collect();
            (middle(posterior), middle(log_q.iter().map(|l| l.exp()).collect()))
        });
    }

    let Some((posterior, q)) = maps else {
        return Err(Error::UnsuitableData {
            model: spec.topic.to_string(),
            problem: "its test split is empty".to_owned(),
        });
    };
    plot(&gaps).save(spec.out.join("gap.png"))?;
    // One scale for both.
    let most = posterior.iter().chain(&q).copied().fold(0.0, f64::max);
    let map = |title: &str, values: &[f64]| {
        Plot::new(title, "first entry of z", "second entry of z")
            .with_map_between(values, MIDDLE, SPAN, SPAN, "density", (0.0, most))
            .equal_aspect()
            .size(620, 520)
            .to_image()
    };
    Image::hstack(&[
        ("", map("p(z|x) of test example 0", &posterior)?),
        ("", map("q(z|x), its Gaussian approximation", &q)?),
    ])
    .save_png(spec.out.join("posterior.png"))?;
    let metric = |gap: &Gap| {
        json!({ "log_p": gap.log_p, "elbo": gap.elbo, "elbo_stderr": gap.elbo_stderr,
            "kl": gap.kl })
    };
    let metrics = Value::Array(gaps.iter().map(metric).collect());
    Ok(spec.found(lines(&gaps), metrics, &["posterior.png", "gap.png"]))
}

fn unsupported(run: &Run, problem: &str) -> Error {
    Error::Unsupported { model: run.config.model.clone(), problem: problem.to_owned() }
}

/// The centers of the cells, row by row from the top, as in an image.
fn cells() -> Vec<[f64; 2]> {
    let axis: Vec<f64> = (0..CELLS).map(|i| -REACH + (i as f64 + 0.5) * WIDTH).collect();
    axis.iter().rev().flat_map(|&b| axis.iter().map(move |&a| [a, b])).collect()
}

/// log p(x, z) of each example at every cell; examples are of `size` binary entries.
fn log_joint(
    latent: &dyn Latent,
    batch: &Batch,
    size: usize,
    cells: &[[f64; 2]],
) -> Result<Vec<Vec<f64>>> {
    let mut log_joint = vec![Vec::with_capacity(cells.len()); batch.values.len() / size];
    for part in cells.chunks(CODES) {
        let codes: Vec<f32> = part.iter().flatten().map(|&z| z as f32).collect();
        let means = latent.decode(&codes, None)?;
        for (z, p) in part.iter().zip(means.chunks_exact(size)) {
            let prior = -0.5 * (z[0] * z[0] + z[1] * z[1]) - (2.0 * PI).ln();
            for (x, log_joint) in batch.values.chunks_exact(size).zip(&mut log_joint) {
                let likelihood: f64 = x
                    .iter()
                    .zip(p)
                    .map(|(&x, &p)| {
                        let p = p.clamp(1e-12, 1.0 - 1e-12);
                        if x > 0.5 { p.ln() } else { (1.0 - p).ln() }
                    })
                    .sum();
                log_joint.push(prior + likelihood);
            }
        }
    }
    Ok(log_joint)
}

/// The logarithm of the integral over all cells, from the logarithms of the integrand.
fn log_integral(logs: &[f64]) -> f64 {
    let max = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + (logs.iter().map(|l| (l - max).exp()).sum::<f64>() * (WIDTH * WIDTH)).ln()
}

/// The ELBO of each example: the mean over many samples from q(z|x), with its standard error.
fn bounds(
    run: &Run,
    batch: &Batch,
    progress: &mut dyn FnMut(f64) -> Result<()>,
) -> Result<Vec<(f64, f64)>> {
    let density = run.model().density().ok_or_else(|| unsupported(run, "has no bound"))?;
    let mut sums = vec![(0.0, 0.0); batch.indices.len()];
    for seed in 0..DRAWS {
        let drawn = density.log_probability(batch, DensityOptions::new(1, seed))?.nats;
        for (sum, x) in sums.iter_mut().zip(drawn) {
            *sum = (sum.0 + x, sum.1 + x * x);
        }
        if seed % REPORTED == 0 {
            progress(seed as f64 / DRAWS as f64)?;
        }
    }
    let n = DRAWS as f64;
    let bound = |(sum, squares): (f64, f64)| {
        let mean = sum / n;
        (mean, ((squares / n - mean * mean).max(0.0) / (n - 1.0)).sqrt())
    };
    Ok(sums.into_iter().map(bound).collect())
}

/// The central part [−3, 3]² of a map.
fn middle(map: Vec<f64>) -> Vec<f64> {
    map.chunks_exact(CELLS)
        .skip(CELLS / 4)
        .take(MIDDLE)
        .flat_map(|row| row[CELLS / 4..CELLS * 3 / 4].iter().copied())
        .collect()
}

fn lines(gaps: &[Gap]) -> Vec<String> {
    let mut lines = vec![
        "log p(x) = ELBO + KL(q(z|x) ‖ p(z|x)), in nats; log p(x) and KL are integrated over the"
            .to_owned(),
        format!(
            "two-dimensional latent code, the ELBO is the mean over {DRAWS} samples from q(z|x):"
        ),
        "example   log p(x)   ELBO              KL       ELBO + KL".to_owned(),
    ];
    lines.extend(gaps.iter().enumerate().map(|(i, Gap { log_p, elbo, elbo_stderr, kl })| {
        format!(
            "{i:>7} {log_p:>10.3} {elbo:>10.3} ± {elbo_stderr:.3} {kl:>8.3} {:>11.3}",
            elbo + kl
        )
    }));
    lines
}

fn plot(gaps: &[Gap]) -> Plot {
    let each = |value: fn(&Gap) -> f64| {
        gaps.iter().enumerate().map(move |(i, gap)| (i as f64, value(gap)))
    };
    Plot::new("the gap of the ELBO is a KL divergence", "test example", "nats")
        .with(Series::bars("KL(q(z|x) ‖ p(z|x)), integrated", each(|gap| gap.kl)))
        .with(Series::points("log p(x) − ELBO", each(|gap| gap.log_p - gap.elbo)))
}
