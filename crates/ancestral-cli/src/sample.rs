//! `sample`: draws samples into an image or a file of numbers.

use std::path::{Path, PathBuf};

use ancestral::memory;
use ancestral::model::Model;
use ancestral::report::{self, MOST_FRAMED};
use ancestral::run::{Given, Mask, Run, SampleSpec, Samples, Session};
use ancestral_data::{
    CsvWriter, NpyWriter, Shape, create_folder, free_space, write_csv, write_new, write_npy,
};
use ancestral_plot::Image;
use anyhow::Result;
use serde_json::json;

use crate::args::SampleArgs;
use crate::inputs::{self, About};
use crate::output::{self, shown, usage};
use crate::progress::{self, ProgressReporter};

/// The default number of samples.
const USUAL: usize = 64;

pub(crate) fn run(args: &SampleArgs, data_dir: Option<&Path>) -> Result<()> {
    // A folder gets an image for each sample.
    let kind = match args.out.as_os_str().as_encoded_bytes().ends_with(b"/") {
        true => "folder",
        false => output::extension(&args.out, &["png", "npy", "csv"])?,
    };
    let inputs = [&args.complete, &args.mask].map(|given| given.as_deref().map(Path::new));
    output::check_target("--out", &args.out, &inputs)?;
    if let Some(frames) = &args.frames {
        output::ending("--frames", frames, &["gif"])?;
        output::check_target("--frames", frames, &inputs)?;
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
    if matches!(kind, "png" | "folder") && model.sampler().is_some() && shape.as_image().is_none() {
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
    let count = args.n.unwrap_or(usual);
    if args.complete.is_none() {
        check_size(&args.out, count, kind, &shape)?;
    }
    let reading = inputs::reading(&args.tables)?;
    let complete = args.complete.clone().map(|data| Given {
        data,
        mask: args.keep_rows.map(Mask::Rows).or(args.mask.as_deref().map(Mask::from)),
        limit: args.limit.map(|n| n.get()),
        reading,
    });
    let spec = SampleSpec {
        count,
        seed: args.seed,
        temperature: args.temperature,
        class: args.class.clone(),
        mean: args.mean,
        complete,
    };
    if args.complete.is_none() && args.frames.is_none() && kind != "png" {
        stream(&mut session, &run, &spec, &args.out, kind)?;
        watch.finish();
        return report_written(args, model.name(), count);
    }
    let drawn = match &args.frames {
        None => session.sample(&run, &spec).map(|drawn| (drawn, None)),
        Some(_) => session.sample_frames(&run, &spec).map(|(drawn, frames)| (drawn, Some(frames))),
    };
    let (Samples { values, count, each, .. }, frames) = match &args.complete {
        None => drawn?,
        Some(data) => drawn.about("rows to complete of", data)?,
    };
    check_size(&args.out, count, kind, &shape)?;
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
        ("folder", Some(image)) => {
            write_images(&args.out, |writer| writer.add(model, image, &values))?;
        }
        _ => write_csv(&args.out, &run.column_names(), &values)?,
    }
    if let (Some(frames), Some(path)) = (frames, &args.frames) {
        frames.save_gif(path)?;
    }
    report_written(args, model.name(), count)
}

/// Prints what was written.
fn report_written(args: &SampleArgs, model: &str, count: usize) -> Result<()> {
    if args.output.json {
        let mut report = json!({
            "model": model, "n": count, "seed": args.seed, "out": shown(&args.out),
        });
        if let Some(path) = &args.frames {
            report["frames"] = shown(path).into();
        }
        return output::json(&report);
    }
    output::wrote(args.output, &args.out)?;
    args.frames.as_ref().map_or(Ok(()), |path| output::wrote(args.output, path))
}

/// Draws samples and writes them part by part.
fn stream(
    session: &mut Session<'_>,
    run: &Run,
    spec: &SampleSpec,
    out: &Path,
    kind: &str,
) -> Result<()> {
    let model = run.model();
    let shape = model.data().shape.clone();
    match (kind, shape.as_image()) {
        ("folder", Some(image)) => write_images(out, |writer| {
            session.sample_parts(run, spec, &mut |values| writer.add(model, image, values))
        })?,
        ("npy", _) => {
            let dims: Vec<usize> =
                std::iter::once(spec.count).chain(shape.dims().iter().copied()).collect();
            let mut writer = NpyWriter::create(out, &dims)?;
            session.sample_parts(run, spec, &mut |values| Ok(writer.write(values)?))?;
            writer.finish()?;
        }
        _ => {
            let mut writer = CsvWriter::create(out, &run.column_names())?;
            session.sample_parts(run, spec, &mut |values| Ok(writer.write(values)?))?;
            writer.finish()?;
        }
    }
    Ok(())
}

/// Writes images into a new folder, which appears when all are there.
fn write_images(
    out: &Path,
    fill: impl FnOnce(&mut ImageWriter) -> ancestral::Result<()>,
) -> Result<()> {
    let created = create_folder(out, |folder| {
        fill(&mut ImageWriter { folder: folder.to_owned(), written: 0 })
    })?;
    if !created {
        let out = out.display();
        return Err(usage(format!("--out {out}: already exists; give a new folder")));
    }
    Ok(())
}

/// Images of samples as numbered files.
struct ImageWriter {
    folder: PathBuf,
    written: usize,
}

impl ImageWriter {
    fn add(
        &mut self,
        model: &dyn Model,
        shape: [usize; 3],
        values: &[f64],
    ) -> ancestral::Result<()> {
        let values = report::intensities(model, values);
        for example in values.chunks_exact(shape.iter().product::<usize>().max(1)) {
            let path = self.folder.join(format!("{:06}.png", self.written));
            let image = Image::of(example, shape);
            let png = if shape[0] == 3 { image.to_png() } else { image.to_gray_png() };
            write_new(&path, &png?)?;
            self.written += 1;
        }
        Ok(())
    }
}

/// The most images of a grid.
const MOST_IN_GRID: usize = 1 << 16;

/// Refuses more samples than an image, or the disk, has room for.
fn check_size(out: &Path, count: usize, kind: &str, shape: &Shape) -> Result<()> {
    if kind == "png" {
        if count > MOST_IN_GRID {
            return Err(usage(format!(
                "-n {count}: an image holds at most {MOST_IN_GRID} samples; write a folder of \
                 images (--out DIR/), .npy or .csv"
            )));
        }
        return check_memory(count, kind, shape);
    }
    let entries = (shape.size() as u64).saturating_mul(count as u64);
    let needed = match kind {
        "npy" => entries.saturating_mul(4),
        // A digit and a comma.
        "csv" => entries.saturating_mul(2),
        // A block for each file.
        _ => (count as u64).saturating_mul(4096),
    };
    match free_space(out) {
        Some(free) if needed > free => Err(usage(format!(
            "-n {count}: about {} would be written to {}, whose disk has {} free; lower -n",
            memory::amount(needed),
            out.display(),
            memory::amount(free)
        ))),
        // Even where the free space is not known.
        _ if needed == u64::MAX => Err(usage(format!("-n {count}: no disk holds them; lower -n"))),
        _ => Ok(()),
    }
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
