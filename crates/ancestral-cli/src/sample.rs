//! `sample`: draws samples into an image or a file of numbers.

use std::path::Path;

use ancestral::memory;
use ancestral::report::{self, MOST_FRAMED};
use ancestral::run::{Given, Mask, SampleSpec, Samples};
use ancestral_data::{Shape, write_csv, write_npy};
use anyhow::Result;
use serde_json::json;

use crate::args::SampleArgs;
use crate::inputs::{self, About};
use crate::output::{self, usage};
use crate::progress::{self, ProgressReporter};

/// The default number of samples.
const USUAL: usize = 64;

pub(crate) fn run(args: &SampleArgs, data_dir: Option<&Path>) -> Result<()> {
    let kind = output::extension(&args.out, &["png", "npy", "csv"])?;
    if let Some(frames) = &args.frames {
        output::ending("--frames", frames, &["gif"])?;
        if args.complete.is_none() && args.n.is_some_and(|n| n > MOST_FRAMED) {
            return Err(usage(format!(
                "-n {}: --frames draws 1 to {MOST_FRAMED} images",
                args.n.unwrap_or(USUAL)
            )));
        }
    }
    if args.n == Some(0) {
        return Err(usage("-n 0: draw at least 1"));
    }
    let mut watch = ProgressReporter::new(args.output);
    let mut session = progress::session(data_dir, &mut watch);
    let weights = inputs::weights(&args.weights)?;
    let run = inputs::load(&session, &args.run, weights, args.output)?;
    let model = run.model();
    let shape = model.data().shape.clone();
    if kind == "png" && model.sampler().is_some() && shape.as_image().is_none() {
        return Err(usage(format!(
            "--out {}: examples of shape {shape} are not images; use .csv or .npy",
            args.out.display()
        )));
    }
    if args.frames.is_some() && shape.as_image().is_none() {
        return Err(usage(format!("--frames: examples of shape {shape} are not images")));
    }
    // One of each row, and one image in an animation.
    let usual = if args.complete.is_some() || args.frames.is_some() { 1 } else { USUAL };
    if args.complete.is_none() {
        check_memory(args.n.unwrap_or(usual), kind, &shape)?;
    }
    let complete = args.complete.clone().map(|data| Given {
        data,
        mask: args.keep_rows.map(Mask::Rows).or(args.mask.as_deref().map(Mask::from)),
        limit: args.limit.map(|n| n.get()),
    });
    let spec = SampleSpec {
        count: args.n.unwrap_or(usual),
        seed: args.seed,
        temperature: args.temperature,
        class: args.class.clone(),
        mean: args.mean,
        complete,
    };
    let drawn = match &args.frames {
        None => session.sample(&run, &spec).map(|drawn| (drawn, None)),
        Some(_) => session.sample_frames(&run, &spec).map(|(drawn, frames)| (drawn, Some(frames))),
    };
    let (Samples { values, count, each, .. }, frames) = match &args.complete {
        None => drawn?,
        Some(data) => drawn.about("rows to complete of", data)?,
    };
    check_memory(count, kind, &shape)?;
    match (kind, shape.as_image()) {
        ("png", Some(image)) => {
            // The completions of a row are drawn in one line.
            let columns = if each > 1 { each } else { (count as f64).sqrt().ceil() as usize };
            let values = report::intensities(model, &values);
            report::grid(&values, image, columns).save_png(&args.out)?;
        }
        ("npy", _) => {
            let dims: Vec<usize> =
                std::iter::once(count).chain(shape.dims().iter().copied()).collect();
            write_npy(&args.out, &values, &dims)?;
        }
        _ => write_csv(&args.out, &run.column_names(), &values)?,
    }
    if let (Some(frames), Some(path)) = (frames, &args.frames) {
        frames.save_gif(path)?;
    }
    if args.output.json {
        let mut report = json!({
            "model": model.name(), "n": count, "seed": args.seed, "out": args.out,
        });
        if let Some(path) = &args.frames {
            report["frames"] = json!(path);
        }
        return output::json(&report);
    }
    output::wrote(args.output, &args.out)?;
    args.frames.as_ref().map_or(Ok(()), |path| output::wrote(args.output, path))
}

/// Bytes of memory per entry of a sample until it is written to a file of this kind.
fn bytes_of_entry(kind: &str) -> u64 {
    match kind {
        // Single precision and the encoded file.
        "png" => 28,
        "npy" => 32,
        // Up to 24 characters, and a copy as the text grows.
        _ => 72,
    }
}

/// Refuses more samples than memory holds until they are written.
fn check_memory(count: usize, kind: &str, shape: &Shape) -> Result<()> {
    let entries = (shape.size() as u64).saturating_mul(count as u64);
    let mut needed = entries.saturating_mul(bytes_of_entry(kind));
    if let ("png", Some(image)) = (kind, shape.as_image()) {
        needed = needed.saturating_add(report::grid_bytes(count, image));
    }
    Ok(memory::check_available(
        &format!("drawing {}", output::count(count, "sample")),
        needed,
        "-n or --limit",
    )?)
}
