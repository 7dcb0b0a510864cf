//! `sample`: draws examples into a picture or a file of numbers.

use std::path::Path;

use ancestral::memory;
use ancestral::model::{self, Completion, Known, SampleRequest};
use ancestral_data::{Dataset, Domain, OpenOptions, Shape, Split, SplitName, Streams, Values};
use anyhow::{Context, Result};
use serde_json::json;

use crate::args::SampleArgs;
use crate::inputs::{self, Loaded};
use crate::output::{self, usage};

pub(crate) fn run(args: &SampleArgs, data_dir: Option<&Path>) -> Result<()> {
    let kind = output::extension(&args.out, &["png", "npy", "csv"])?;
    if args.n == Some(0) {
        return Err(usage("-n 0: draw at least 1"));
    }
    if !(args.temperature >= 0.0 && args.temperature.is_finite()) {
        return Err(usage(format!("--temperature {}: it must be 0 or more", args.temperature)));
    }
    let loaded = inputs::load(&args.run, &args.weights)?;
    let model = loaded.model.as_ref();
    let sampler =
        model.sampler().ok_or_else(|| usage(format!("{} cannot draw examples", model.name())))?;
    if args.mean {
        inputs::check_mean(sampler, model.name())?;
    }
    let shape = &model.data().shape;
    let image = shape.as_image();
    if kind == "png" && image.is_none() {
        return Err(usage(format!(
            "--out {}: examples of {shape} are no images; use .csv or .npy",
            args.out.display()
        )));
    }
    let known = match &args.complete {
        None => None,
        Some(data) => {
            if sampler.completion() == Completion::None {
                let able = "nade, made and fvsbn complete the last entries, deep-nade any";
                return Err(usage(format!(
                    "{} draws whole examples and cannot complete given ones; {able}",
                    model.name()
                )));
            }
            Some(known(args, &loaded, data, data_dir).context("rows to complete")?)
        }
    };
    let count = match &known {
        None => args.n.unwrap_or(64),
        Some(known) => known.values.len() / shape.size(),
    };
    check_memory(count, kind, shape, "-n")?;
    let request = SampleRequest {
        first: 0,
        count,
        streams: Streams::new(args.seed),
        temperature: args.temperature,
        class: args
            .class
            .as_deref()
            .map(|class| loaded.run.config.data.class(class))
            .transpose()?,
        mean: args.mean,
        known,
    };
    let values = model::sample(model, &request)?;
    match (kind, image) {
        ("png", Some(shape)) => {
            let top = output::top(model);
            let values: Vec<f32> = values.into_iter().map(|v| v as f32 / top).collect();
            // The completions of a row stand in a line.
            let columns = match (&args.complete, args.n) {
                (Some(_), Some(n)) if n > 1 => n,
                _ => (count as f64).sqrt().ceil() as usize,
            };
            output::grid(&values, shape, columns).save_png(&args.out)?;
        }
        ("npy", _) => {
            let dims: Vec<usize> =
                std::iter::once(count).chain(shape.dims().iter().copied()).collect();
            output::save_npy(&args.out, &values, &dims)?;
        }
        _ => output::save_csv(&args.out, &loaded.run.column_names(), &values)?,
    }
    if args.output.json {
        return output::json(&json!({
            "model": model.name(), "n": count, "seed": args.seed, "out": args.out,
        }));
    }
    output::wrote(args.output, &args.out)?;
    Ok(())
}

/// Bytes of each entry of a sample until it is in the file, of this kind.
fn bytes_of_entry(kind: &str) -> u64 {
    match kind {
        // Single precision, and the file.
        "png" => 28,
        "npy" => 32,
        // Up to 24 characters, and a copy as the text grows.
        _ => 72,
    }
}

/// Refuses more samples than there is memory for, until they are in a file.
fn check_memory(count: usize, kind: &str, shape: &Shape, lower: &str) -> Result<()> {
    let entries = (shape.size() as u64).saturating_mul(count as u64);
    let mut needed = entries.saturating_mul(bytes_of_entry(kind));
    if let ("png", Some(image)) = (kind, shape.as_image()) {
        needed = needed.saturating_add(output::grid_bytes(count, image));
    }
    Ok(memory::check_available(&format!("drawing {count} samples"), needed, lower)?)
}

/// The rows to complete, each as often as asked for.
fn known(args: &SampleArgs, loaded: &Loaded, name: &str, data_dir: Option<&Path>) -> Result<Known> {
    let spec = loaded.model.data();
    let size = spec.shape.size();
    let (mut rows, mut given) = match &args.mask {
        Some(mask) => {
            let (examples, _) = loaded.examples(Some(name), None, data_dir)?;
            let indices: Vec<u64> = (0..examples.len() as u64).collect();
            let rows = examples.batch(&indices, 0).values;
            let given = mask_of(mask, &spec.shape, rows.len() / size)?;
            (rows, given)
        }
        None => first_entries(loaded, name, data_dir)?,
    };
    if let Some(limit) = args.limit {
        rows.truncate(limit.get() * size);
        given.truncate(limit.get() * size);
    }
    let each = args.n.unwrap_or(1);
    let kind = output::extension(&args.out, &["png", "npy", "csv"])?;
    check_memory((rows.len() / size).saturating_mul(each), kind, &spec.shape, "-n or --limit")?;
    let repeat = |row: usize| std::iter::repeat_n(row, each);
    let order = (0..rows.len() / size).flat_map(repeat);
    let places = order.map(|row| row * size..(row + 1) * size);
    let (mut values, mut marks) = (Vec::new(), Vec::new());
    for place in places {
        values.extend_from_slice(&rows[place.clone()]);
        marks.extend_from_slice(&given[place]);
    }
    Ok(Known { values, given: marks })
}

/// Rows that hold the first entries alone.
fn first_entries(
    loaded: &Loaded,
    name: &str,
    data_dir: Option<&Path>,
) -> Result<(Vec<f64>, Vec<bool>)> {
    let spec = loaded.model.data();
    let size = spec.shape.size();
    let options = OpenOptions {
        data_dir: data_dir.map(Path::to_path_buf),
        whole: true,
        ..OpenOptions::default()
    };
    let data = ancestral_data::open(name, &options)?;
    let width = data.shape.size();
    if width >= size {
        return Err(usage(format!(
            "--complete {name}: its rows have all {size} entries; say with --mask which of them \
             are given, or give rows with just the first entries"
        )));
    }
    // Zeros stand for what is not given.
    let own = spec.domain().unwrap_or(Domain::Real);
    let fill = |values: &Values| match (values, own) {
        (Values::Bytes(v), domain) => {
            let rows = v.chunks_exact(width).map(|r| [r, &vec![0; size - width]].concat());
            let bytes: Vec<u8> = rows.flatten().collect();
            match domain {
                Domain::Real => Values::Reals(bytes.into_iter().map(f32::from).collect()),
                _ => Values::Bytes(bytes),
            }
        }
        (Values::Reals(v), _) => {
            let rows = v.chunks_exact(width).map(|r| [r, &vec![0.0; size - width]].concat());
            Values::Reals(rows.flatten().collect())
        }
    };
    let split = data.split(SplitName::Train)?;
    let filled = Split { values: fill(&split.values), labels: None };
    let domain = if matches!(filled.values, Values::Reals(_)) { Domain::Real } else { own };
    let filled = Dataset::new(name, domain, Shape::columns(size), filled, None, None)?;
    let fitting = ancestral::train::adapt(filled, spec, false)?;
    let rows: Vec<f64> = match &fitting.split(SplitName::Train)?.values {
        Values::Bytes(v) => v.iter().map(|&x| f64::from(x)).collect(),
        Values::Reals(v) => v.iter().map(|&x| f64::from(x)).collect(),
    };
    let given = (0..rows.len()).map(|i| i % size < width).collect();
    Ok((rows, given))
}

/// Which entries of `rows` rows are given.
fn mask_of(mask: &str, shape: &Shape, rows: usize) -> Result<Vec<bool>> {
    let size = shape.size();
    let one: Vec<bool> = match (mask, shape.as_image()) {
        ("top" | "bottom" | "left" | "right", Some([_, height, width])) => (0..size)
            .map(|i| {
                let (y, x) = (i / width % height, i % width);
                match mask {
                    "top" => y < height / 2,
                    "bottom" => y >= height - height / 2,
                    "left" => x < width / 2,
                    _ => x >= width - width / 2,
                }
            })
            .collect(),
        ("top" | "bottom" | "left" | "right", None) => {
            return Err(usage(format!("--mask {mask}: examples of {shape} are no images")));
        }
        _ => {
            let options = OpenOptions { whole: true, ..OpenOptions::default() };
            let data = ancestral_data::open(mask, &options).context("--mask")?;
            let values: Vec<f32> = match &data.split(SplitName::Train)?.values {
                Values::Bytes(v) => v.iter().map(|&x| f32::from(x)).collect(),
                Values::Reals(v) => v.clone(),
            };
            if let Some(bad) = values.iter().find(|&&v| v != 0.0 && v != 1.0) {
                return Err(usage(format!(
                    "--mask {mask}: {bad} in it; 1 marks a given entry, 0 one to draw"
                )));
            }
            let found = values.len() / data.shape.size();
            if data.shape.size() != size || (found != 1 && found != rows) {
                return Err(usage(format!(
                    "--mask {mask}: {found} rows of {} entries; expected {size} ({shape}) in one \
                     row, or in one for each of the {rows} rows to complete",
                    data.shape.size()
                )));
            }
            values.into_iter().map(|v| v == 1.0).collect()
        }
    };
    Ok(if one.len() == size { one.repeat(rows) } else { one })
}
