//! `encode`, `reconstruct`, `interpolate` and `latent`: the latent space of a model.

use std::path::Path;

use ancestral::report;
use ancestral::run::{Codes, Reconstructions};
use ancestral_data::{write_csv, write_npy};
use ancestral_plot::save_gif;
use anyhow::Result;
use serde_json::json;

use crate::args::{EncodeArgs, InterpolateArgs, LatentArgs, ReconstructArgs};
use crate::inputs::{self, About};
use crate::output::{self, say, shown, usage};
use crate::progress::{self, ProgressReporter};

/// The most points of a scatter plot of codes.
const SCATTER: usize = 5000;
/// The duration of a frame of an interpolation, in milliseconds.
const FRAME: u32 = 120;

/// The shape of `n` rows in a NumPy file.
fn rows(n: usize, shape: &[usize]) -> Vec<usize> {
    std::iter::once(n).chain(shape.iter().copied()).collect()
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

pub(crate) fn encode(args: &EncodeArgs, data_dir: Option<&Path>) -> Result<()> {
    let kind = output::extension(&args.out, &["npy", "csv"])?;
    let given = args.examples.data.as_deref().map(Path::new);
    output::check_target("--out", &args.out, &[given, Some(&args.examples.run)])?;
    let mut watch = ProgressReporter::new(args.examples.output);
    let mut session = progress::session(data_dir, &mut watch);
    let (run, query) = inputs::examples(&args.examples, &session)?;
    let Codes { values, latent_dim, .. } =
        session.encode(&run, &query).about("data of", args.examples.run.display())?;
    let n = values.len() / latent_dim;
    if kind == "npy" {
        write_npy(&args.out, &doubles(&values), &[n, latent_dim])?;
    } else {
        let names: Vec<String> = (0..latent_dim).map(|i| format!("z{i}")).collect();
        write_csv(&args.out, &names, &doubles(&values))?;
    }
    if args.examples.output.json {
        return output::json(&json!({ "n": n, "latent_dim": latent_dim, "out": shown(&args.out) }));
    }
    output::wrote(args.examples.output, &args.out)
}

pub(crate) fn reconstruct(args: &ReconstructArgs, data_dir: Option<&Path>) -> Result<()> {
    let kind = output::extension(&args.out, &["png", "npy"])?;
    let given = args.examples.data.as_deref().map(Path::new);
    output::check_target("--out", &args.out, &[given, Some(&args.examples.run)])?;
    let mut watch = ProgressReporter::new(args.examples.output);
    let mut session = progress::session(data_dir, &mut watch);
    let (run, query) = inputs::examples(&args.examples, &session)?;
    let found =
        session.reconstruct(&run, &query, args.n).about("data of", args.examples.run.display())?;
    let Reconstructions { n, examples, decoded } = found;
    let model = run.model();
    if kind == "npy" {
        write_npy(&args.out, &decoded, &rows(n, model.data().shape.dims()))?;
    } else {
        report::reconstructions(model, &examples, &decoded)?.save_png(&args.out)?;
    }
    if args.examples.output.json {
        return output::json(&json!({ "n": n, "out": shown(&args.out) }));
    }
    output::wrote(args.examples.output, &args.out)
}

pub(crate) fn interpolate(args: &InterpolateArgs, data_dir: Option<&Path>) -> Result<()> {
    let kind = output::extension(&args.out, &["png", "gif", "npy"])?;
    let given = args.examples.data.as_deref().map(Path::new);
    output::check_target("--out", &args.out, &[given, Some(&args.examples.run)])?;
    if args.n < 2 {
        return Err(usage(format!("-n {}: give at least 2, one for each end", args.n)));
    }
    let mut watch = ProgressReporter::new(args.examples.output);
    let mut session = progress::session(data_dir, &mut watch);
    let (run, query) = inputs::examples(&args.examples, &session)?;
    let ends = [args.from, args.to];
    let decoded = session
        .interpolate(&run, &query, ends, args.n)
        .about("data of", args.examples.run.display())?;
    let model = run.model();
    let data = args.examples.data.as_deref().unwrap_or(&run.config.data.name);
    let split = inputs::split(&args.examples.split)?;
    let walk = format!("from example {} to {} of {data}, {split} split", args.from, args.to);
    match kind {
        "npy" => write_npy(&args.out, &decoded, &rows(args.n, model.data().shape.dims()))?,
        "gif" => save_gif(&report::interpolation_frames(model, &decoded)?, FRAME, &args.out)?,
        _ => report::interpolation(model, &decoded)?.captioned(&walk).save_png(&args.out)?,
    }
    if args.examples.output.json {
        return output::json(
            &json!({ "from": args.from, "to": args.to, "n": args.n, "out": shown(&args.out) }),
        );
    }
    if !args.examples.output.quiet {
        say!("{walk}")?;
    }
    output::wrote(args.examples.output, &args.out)
}

pub(crate) fn latent(args: &LatentArgs, data_dir: Option<&Path>) -> Result<()> {
    let kind = output::extension(&args.out, &["png", "svg", "npy"])?;
    let given = args.examples.data.as_deref().map(Path::new);
    output::check_target("--out", &args.out, &[given, Some(&args.examples.run)])?;
    let mut watch = ProgressReporter::new(args.examples.output);
    let mut session = progress::session(data_dir, &mut watch);
    let (run, mut query) = inputs::examples(&args.examples, &session)?;
    let (model, latent) = (run.model(), session.latent(&run)?);
    let dims = latent.latent_dim();
    let conditional = model.settings().get("conditional").and_then(toml::Value::as_bool);
    let image = model.data().shape.as_image().is_some();
    let manifold = dims == 2 && image && conditional != Some(true) && kind != "npy";
    if manifold {
        if kind == "svg" {
            return Err(usage(format!(
                "--out {}: a two-dimensional latent space of images is drawn as a grid of decoded \
                 codes; use .png, or .npy for the latent codes",
                args.out.display()
            )));
        }
        report::manifold(model, latent, args.n.clamp(2, 60))?.save_png(&args.out)?;
    } else {
        query.limit = (kind != "npy").then_some(SCATTER);
        let codes = session.encode(&run, &query).about("data of", args.examples.run.display())?;
        let Codes { values, labels, data, .. } = &codes;
        if kind == "npy" {
            write_npy(&args.out, &doubles(values), &[values.len() / dims, dims])?;
        } else {
            report::latent_space(data, values, dims, labels.as_deref()).save(&args.out)?;
        }
    }
    if args.examples.output.json {
        return output::json(
            &json!({ "latent_dim": dims, "manifold": manifold, "out": shown(&args.out) }),
        );
    }
    output::wrote(args.examples.output, &args.out)
}
