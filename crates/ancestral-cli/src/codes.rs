//! `encode`, `reconstruct`, `interpolate` and `latent`: what the codes of a model hold.

use std::path::Path;

use ancestral::Registry;
use ancestral::memory;
use ancestral::model::{Latent, Model};
use ancestral_data::Examples;
use ancestral_plot::{Image, Plot, Series, save_gif};
use anyhow::Result;
use serde_json::json;

use crate::args::{EncodeArgs, InterpolateArgs, LatentArgs, OutputArgs, ReconstructArgs};
use crate::inputs::{self, Loaded};
use crate::output::{self, usage};

/// Examples that are encoded at once.
const BATCH: usize = 500;
/// Points that a scatter of codes shows at most.
const SCATTER: usize = 5000;

fn latent_of(model: &dyn Model) -> Result<&dyn Latent> {
    model.latent().ok_or_else(|| usage(format!("{} has no codes", model.name())))
}

fn image_of(model: &dyn Model) -> Result<[usize; 3]> {
    model.data().shape.as_image().ok_or_else(|| {
        usage(format!("examples of {} are no images; use a .npy output", model.data().shape))
    })
}

/// The codes of the first `n` examples, with their labels.
fn encode_first(
    loaded: &Loaded,
    examples: &Examples,
    n: usize,
    output: OutputArgs,
) -> Result<(Vec<f32>, Option<Vec<u32>>)> {
    let latent = latent_of(loaded.model.as_ref())?;
    let n = n.min(examples.len());
    let indices: Vec<u64> = (0..n as u64).collect();
    let bar = output::bar(output, n as u64, "encoding");
    let mut codes = Vec::with_capacity(n * latent.latent_dim());
    for chunk in indices.chunks(BATCH) {
        codes.extend(latent.encode(&examples.batch(chunk, 0))?);
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok((codes, examples.labels().map(|l| l[..n].to_vec())))
}

/// Values of the model's domain as greys in [0, 1].
fn greys(model: &dyn Model, values: Vec<f64>) -> Vec<f32> {
    let top = output::top(model);
    values.into_iter().map(|v| v as f32 / top).collect()
}

pub(crate) fn encode(args: &EncodeArgs, data_dir: Option<&Path>) -> Result<()> {
    let kind = output::extension(&args.out, &["npy", "csv"])?;
    let (loaded, examples, _) = inputs::look(&args.look, data_dir)?;
    let dims = latent_of(loaded.model.as_ref())?.latent_dim();
    let (codes, _) = encode_first(&loaded, &examples, examples.len(), args.look.output)?;
    if kind == "npy" {
        output::save_npy(&args.out, &output::doubles(&codes), &[codes.len() / dims, dims])?;
    } else {
        let names: Vec<String> = (0..dims).map(|i| format!("z{i}")).collect();
        output::save_csv(&args.out, &names, &output::doubles(&codes))?;
    }
    if args.look.output.json {
        return output::json(
            &json!({ "n": codes.len() / dims, "latent_dim": dims, "out": args.out }),
        );
    }
    output::wrote(args.look.output, &args.out)?;
    Ok(())
}

pub(crate) fn reconstruct(args: &ReconstructArgs, data_dir: Option<&Path>) -> Result<()> {
    let kind = output::extension(&args.out, &["png", "npy"])?;
    let (loaded, examples, _) = inputs::look(&args.look, data_dir)?;
    let model = loaded.model.as_ref();
    let latent = latent_of(model)?;
    let n = args.n.clamp(1, examples.len());
    let batch = examples.batch(&(0..n as u64).collect::<Vec<_>>(), 0);
    let codes = latent.encode(&batch)?;
    let decoded = latent.decode(&codes, batch.labels.as_deref())?;
    if kind == "npy" {
        let dims: Vec<usize> =
            std::iter::once(n).chain(model.data().shape.dims().iter().copied()).collect();
        output::save_npy(&args.out, &decoded, &dims)?;
    } else {
        picture_of(model, batch.values, decoded)?.save_png(&args.out)?;
    }
    if args.look.output.json {
        return output::json(&json!({ "n": n, "out": args.out }));
    }
    output::wrote(args.look.output, &args.out)?;
    Ok(())
}

/// Examples above what the model makes of them.
fn picture_of(model: &dyn Model, examples: Vec<f64>, decoded: Vec<f64>) -> Result<Image> {
    let shape = image_of(model)?;
    let columns = (examples.len() / model.data().shape.size()).clamp(1, 16);
    Ok(Image::stack(&[
        ("examples", output::grid(&greys(model, examples), shape, columns)),
        ("what their mean codes give back", output::grid(&greys(model, decoded), shape, columns)),
    ]))
}

/// The first `n` examples above what the model makes of them, as a file.
pub(crate) fn draw_reconstructions(
    model: &dyn Model,
    examples: &Examples,
    n: usize,
    path: &Path,
) -> Result<()> {
    let latent = latent_of(model)?;
    let n = n.clamp(1, examples.len());
    let batch = examples.batch(&(0..n as u64).collect::<Vec<_>>(), 0);
    let decoded = latent.decode(&latent.encode(&batch)?, batch.labels.as_deref())?;
    picture_of(model, batch.values, decoded)?.save_png(path)?;
    Ok(())
}

pub(crate) fn interpolate(args: &InterpolateArgs, data_dir: Option<&Path>) -> Result<()> {
    let kind = output::extension(&args.out, &["png", "gif", "npy"])?;
    if args.n < 2 {
        return Err(usage(format!("-n {}: both ends need a place, so at least 2", args.n)));
    }
    let (loaded, examples, _) = inputs::look(&args.look, data_dir)?;
    let model = loaded.model.as_ref();
    // All steps are decoded together.
    let config = &loaded.run.config;
    let size = Registry::standard().size(&config.model, &config.settings, model.data())?;
    let needed = size.per_example.saturating_mul(4).saturating_mul(args.n as u64);
    memory::check_available(&format!("decoding {} codes", args.n), needed, "-n")?;
    let latent = latent_of(model)?;
    for (flag, index) in [("--from", args.from), ("--to", args.to)] {
        if index >= examples.len() {
            return Err(usage(format!(
                "{flag} {index}: the {} split has examples 0 to {}",
                args.look.split,
                examples.len() - 1
            )));
        }
    }
    let batch = examples.batch(&[args.from as u64, args.to as u64], 0);
    let ends = latent.encode(&batch)?;
    let (a, b) = ends.split_at(latent.latent_dim());
    let mut codes = Vec::with_capacity(args.n * a.len());
    for i in 0..args.n {
        let t = i as f32 / (args.n - 1) as f32;
        codes.extend(a.iter().zip(b).map(|(a, b)| a + t * (b - a)));
    }
    // A conditional model takes the class of the end that is nearer.
    let labels = batch
        .labels
        .as_ref()
        .map(|l| (0..args.n).map(|i| if 2 * i < args.n { l[0] } else { l[1] }).collect::<Vec<_>>());
    let decoded = latent.decode(&codes, labels.as_deref())?;
    if kind == "npy" {
        let dims: Vec<usize> =
            std::iter::once(args.n).chain(model.data().shape.dims().iter().copied()).collect();
        output::save_npy(&args.out, &decoded, &dims)?;
    } else {
        let shape = image_of(model)?;
        let size = model.data().shape.size();
        let values = greys(model, decoded);
        if kind == "gif" {
            let frames: Vec<Image> =
                values.chunks_exact(size).map(|v| output::grid(v, shape, 1)).collect();
            save_gif(&frames, 120, &args.out)?;
        } else {
            output::grid(&values, shape, args.n.min(16)).save_png(&args.out)?;
        }
    }
    if args.look.output.json {
        return output::json(
            &json!({ "from": args.from, "to": args.to, "n": args.n, "out": args.out }),
        );
    }
    output::wrote(args.look.output, &args.out)?;
    Ok(())
}

pub(crate) fn latent(args: &LatentArgs, data_dir: Option<&Path>) -> Result<()> {
    let kind = output::extension(&args.out, &["png", "svg", "npy"])?;
    let (loaded, examples, data) = inputs::look(&args.look, data_dir)?;
    let model = loaded.model.as_ref();
    let latent = latent_of(model)?;
    let dims = latent.latent_dim();
    let image = model.data().shape.as_image();
    let conditional = model.settings().get("conditional").and_then(toml::Value::as_bool);
    let manifold = dims == 2 && image.is_some() && conditional != Some(true) && kind != "npy";
    if kind == "npy" {
        let (codes, _) = encode_first(&loaded, &examples, examples.len(), args.look.output)?;
        output::save_npy(&args.out, &output::doubles(&codes), &[codes.len() / dims, dims])?;
    } else if let (true, Some(shape)) = (manifold, image) {
        // Equal steps of probability, so that every cell stands for as much of the prior.
        let n = args.n.clamp(2, 60);
        let at: Vec<f32> =
            (0..n).map(|i| normal_quantile((i as f64 + 0.5) / n as f64) as f32).collect();
        let codes: Vec<f32> =
            at.iter().rev().flat_map(|&y| at.iter().flat_map(move |&x| [x, y])).collect();
        let values = greys(model, latent.decode(&codes, None)?);
        output::extension(&args.out, &["png"])?;
        output::grid(&values, shape, n).save_png(&args.out)?;
    } else {
        let (codes, labels) = encode_first(&loaded, &examples, SCATTER, args.look.output)?;
        let names = match dims {
            1 => ["code", "examples"],
            _ => ["first principal component", "second principal component"],
        };
        let mut plot = Plot::new(format!("codes of {}", data.name), names[0], names[1]);
        let points = if dims == 1 { Vec::new() } else { first_components(&codes, dims) };
        let class = |i: usize| labels.as_ref().map_or(0, |l| l[i]);
        for c in 0..data.classes().max(1) as u32 {
            let mine = |&i: &usize| class(i) == c;
            let name = data.class_names.get(c as usize).cloned().unwrap_or_default();
            let series = if dims == 1 {
                let own = (0..codes.len()).filter(mine).map(|i| codes[i]);
                Series::line(name, histogram(own, &codes))
            } else {
                Series::points(name, (0..points.len()).filter(mine).map(|i| points[i]))
            };
            plot = plot.with(series.group(c as usize));
        }
        plot.save(&args.out)?;
    }
    if args.look.output.json {
        return output::json(&json!({ "latent_dim": dims, "manifold": manifold, "out": args.out }));
    }
    output::wrote(args.look.output, &args.out)?;
    Ok(())
}

/// Bins of a histogram of codes.
const BINS: usize = 30;

/// How many of the values lie in each of the bins that cover `all`, by the middles of the bins.
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

/// Coordinates along the two directions of largest variance, by power iteration on the
/// covariance, the second after the first is taken out.
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
