//! `sample`: draws samples into an image or a file of numbers.

use std::path::Path;

use ancestral::memory;
use ancestral::report;
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
    if args.n == Some(0) {
        return Err(usage("-n 0: draw at least 1"));
    }
    let mut watch = ProgressReporter::new(args.output);
    let mut session = progress::session(data_dir, &mut watch);
    let run = session.load(&args.run, inputs::weights(&args.weights)?)?;
    let model = run.model();
    let shape = model.data().shape.clone();
    if kind == "png" && model.sampler().is_some() && shape.as_image().is_none() {
        return Err(usage(format!(
            "--out {}: examples of shape {shape} are not images; use .csv or .npy",
            args.out.display()
        )));
    }
    if args.complete.is_none() {
        check_memory(args.n.unwrap_or(USUAL), kind, &shape)?;
    }
    let complete = args.complete.clone().map(|data| Given {
        data,
        mask: args.mask.as_deref().map(Mask::from),
        limit: args.limit.map(|n| n.get()),
    });
    let spec = SampleSpec {
        count: args.n.unwrap_or(if complete.is_some() { 1 } else { USUAL }),
        seed: args.seed,
        temperature: args.temperature,
        class: args.class.clone(),
        mean: args.mean,
        complete,
    };
    let drawn = session.sample(&run, &spec);
    let Samples { values, count, each, .. } = match &args.complete {
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
    if args.output.json {
        return output::json(&json!({
            "model": model.name(), "n": count, "seed": args.seed, "out": args.out,
        }));
    }
    output::wrote(args.output, &args.out)
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
