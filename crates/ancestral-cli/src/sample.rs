//! `sample`: draws samples into an image or a file of numbers.

use std::path::Path;

use ancestral::memory;
use ancestral::model::{Model, Sampler};
use ancestral::report::{self, MOST_FRAMED};
use ancestral::run::{Given, Mask, RunFolder, SampleFile, SampleSpec, Samples};
use anyhow::Result;
use serde_json::json;

use crate::args::SampleArgs;
use crate::inputs::{self, About};
use crate::output::{self, say, shown, usage};
use crate::progress::{self, ProgressReporter};

/// The default number of samples.
const USUAL: usize = 64;

pub(crate) fn run(args: &SampleArgs, data_dir: Option<&Path>) -> Result<()> {
    let usual = usual_out(&args.run);
    let out = args.out.as_deref().unwrap_or(usual);
    // A grid in one image, unless a file is given that holds samples one after another.
    let file = match out.as_os_str().as_encoded_bytes().ends_with(b"/") {
        true => Some(SampleFile::Images),
        false => match output::extension(out, &["png", "npy", "csv"])? {
            "npy" => Some(SampleFile::Npy),
            "csv" => Some(SampleFile::Csv),
            _ => None,
        },
    };
    let [complete, mask] =
        [&args.complete, &args.mask].map(|given| given.as_deref().map(Path::new));
    let inputs = [complete, mask, Some(args.run.as_path())];
    output::check_target("--out", out, &inputs)?;
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
    let draws = matches!(file, None | Some(SampleFile::Images));
    if draws && model.sampler().is_some() && shape.as_image().is_none() {
        return Err(usage(format!(
            "--out {}: examples of shape {shape} are not images; use .csv or .npy",
            out.display()
        )));
    }
    if args.frames.is_some() && shape.as_image().is_none() {
        return Err(usage(format!("--frames: examples of shape {shape} are not images")));
    }
    // One of each row, and one image in an animation.
    let usual = if args.complete.is_some() || args.frames.is_some() { 1 } else { USUAL };
    let count = args.n.unwrap_or(usual);
    // The number of completions is that of the rows, known later.
    if let (None, None, Some(image)) = (&args.complete, file, shape.as_image()) {
        check_grid(count, image)?;
    }
    let reading = inputs::reading(&args.tables)?;
    let complete = args.complete.clone().map(|data| Given {
        data,
        mask: args.keep_rows.map(Mask::Rows).or(args.mask.as_deref().map(Mask::from)),
        limit: args.limit.map(|n| n.get()),
        reading,
    });
    if args.labels && file.is_some() {
        return Err(usage("--labels labels one image; give a .png as --out"));
    }
    let spec = SampleSpec {
        count,
        seed: args.seed,
        temperature: args.temperature,
        class: args.class.clone(),
        mean: args.mean,
        complete,
    };
    if args.labels {
        let (labeled, drawn) = session.sample_labeled(&run, &spec)?;
        watch.finish();
        labeled.save_png(out)?;
        return report_written(args, out, model, drawn);
    }
    if let (Some(file), None) = (file, &args.frames) {
        let drawn = session.sample_to(&run, &spec, file, out);
        let count = about(args, drawn)?;
        watch.finish();
        return report_written(args, out, model, count);
    }
    let drawn = match &args.frames {
        None => session.sample(&run, &spec).map(|drawn| (drawn, None)),
        Some(_) => session.sample_frames(&run, &spec).map(|(drawn, frames)| (drawn, Some(frames))),
    };
    let (samples, frames) = about(args, drawn)?;
    match (file, shape.as_image()) {
        (None, Some(image)) => {
            let Samples { values, count, each, .. } = &samples;
            check_grid(*count, image)?;
            // The completions of a row are drawn in one line.
            let columns = if *each > 1 { *each } else { (*count as f64).sqrt().ceil() as usize };
            let values = report::intensities(model, values);
            report::grid(&values, image, columns).save_png(out)?;
        }
        (file, _) => samples.save(&run, file.unwrap_or(SampleFile::Csv), out)?,
    }
    if let (Some(frames), Some(path)) = (frames, &args.frames) {
        frames.save_gif(path)?;
    }
    report_written(args, out, model, samples.count)
}

/// The file without --out: an image, or a table of rows that are no images.
fn usual_out(run: &Path) -> &'static Path {
    let is_table = RunFolder::open(run).is_ok_and(|run| run.config.data.shape.len() != 3);
    Path::new(if is_table { "samples.csv" } else { "samples.png" })
}

/// Adds to an error the rows that were to be completed.
fn about<T>(args: &SampleArgs, drawn: ancestral::Result<T>) -> Result<T> {
    match &args.complete {
        None => Ok(drawn?),
        Some(data) => drawn.about("rows to complete of", data),
    }
}

/// Prints what was written: draws, or means, where a model has both.
fn report_written(args: &SampleArgs, out: &Path, model: &dyn Model, count: usize) -> Result<()> {
    if args.output.json {
        let mut report = json!({
            "model": model.name(), "n": count, "seed": args.seed, "mean": args.mean, "out": shown(out),
        });
        if let Some(path) = &args.frames {
            report["frames"] = shown(path).into();
        }
        return output::json(&report);
    }
    if model.sampler().is_some_and(Sampler::has_noise) && !args.output.quiet {
        let count = output::count(count, "sample");
        match args.mean {
            true => say!("{count}: means of the last conditional distribution")?,
            false => say!(
                "{count}: draws from the last conditional distribution; --mean takes its means"
            )?,
        }
    }
    output::wrote(args.output, out)?;
    args.frames.as_ref().map_or(Ok(()), |path| output::wrote(args.output, path))
}

/// The most images of a grid.
const MOST_IN_GRID: usize = 1 << 16;

/// Refuses more images than a grid, or memory until it is written, has room for.
fn check_grid(count: usize, image: [usize; 3]) -> Result<()> {
    if count > MOST_IN_GRID {
        return Err(usage(format!(
            "-n {count}: an image holds at most {MOST_IN_GRID} samples; write a folder of images \
             (--out DIR/), .npy or .csv"
        )));
    }
    let entries = (image.iter().product::<usize>() as u64).saturating_mul(count as u64);
    // Double and single precision, and the encoded file.
    let needed = entries.saturating_mul(28).saturating_add(report::grid_bytes(count, image));
    let drawing = format!("drawing {}", output::count(count, "sample"));
    Ok(memory::check_available(&drawing, needed, "-n or --limit")?)
}
