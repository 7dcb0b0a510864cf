//! The pictures of a run: samples, curves, and an animation of how samples came to be.

use std::path::Path;

use ancestral::model::{self, Model, SampleRequest};
use ancestral::train::{Event, RunFolder};
use ancestral_data::{Batch, Dataset, Domain, SplitName};
use ancestral_plot::{Image, Plot, Series, save_gif};

use crate::output;

/// Training examples drawn below samples.
const POINTS: usize = 1000;
/// Cells of the map of a critic, along each side.
const CELLS: usize = 64;
/// Times that one column may range as far as the other to be drawn on the same scale.
const ALIKE: f64 = 4.0;
/// How long a frame stands, in milliseconds.
const FRAME: u32 = 150;

/// Examples of two reals, to be seen below samples.
pub(crate) struct Plane {
    points: Vec<(f64, f64)>,
    names: [String; 2],
    x_range: (f64, f64),
    y_range: (f64, f64),
}

impl Plane {
    /// The plane of the training split, if an example is a pair of reals.
    pub(crate) fn of(data: &Dataset) -> Option<Self> {
        if data.domain != Domain::Real || data.shape.size() != 2 {
            return None;
        }
        let split = data.split(SplitName::Train).ok()?;
        let ancestral_data::Values::Reals(values) = &split.values else { return None };
        let pairs = values.chunks_exact(2).map(|p| (f64::from(p[0]), f64::from(p[1])));
        let points: Vec<(f64, f64)> = pairs.take(POINTS).collect();
        let range = |of: fn(&(f64, f64)) -> f64| {
            let low = points.iter().map(of).fold(f64::INFINITY, f64::min);
            let high = points.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
            let margin = 0.15 * (high - low).max(1e-6);
            (low - margin, high + margin)
        };
        let (x_range, y_range) = (range(|p| p.0), range(|p| p.1));
        let name =
            |i: usize, other: &str| data.column_names.get(i).map_or(other, |name| name).into();
        let names = [name(0, "first column"), name(1, "second column")];
        Some(Self { points, names, x_range, y_range })
    }

    /// Samples over data, over the discriminator's scores if there is a critic that needs no classes.
    fn draw(&self, model: &dyn Model, samples: &[f64], path: &Path) -> ancestral::Result<()> {
        let (x, y) = (self.x_range, self.y_range);
        let points = samples.chunks_exact(2).map(|p| (p[0], p[1]));
        let inside = |p: &(f64, f64)| p.0 >= x.0 && p.0 <= x.1 && p.1 >= y.0 && p.1 <= y.1;
        let [first, second] = &self.names;
        let mut plot =
            Plot::new("samples over data", first, second).x_range(x.0, x.1).y_range(y.0, y.1);
        // Columns of different units share no scale.
        let ratio = (x.1 - x.0) / (y.1 - y.0);
        if (1.0 / ALIKE..ALIKE).contains(&ratio) {
            plot = plot.equal_aspect();
        }
        if let Some(critic) = model.discriminator() {
            let at = |(low, high): (f64, f64), i: usize| {
                low + (high - low) * (i as f64 + 0.5) / CELLS as f64
            };
            let cells = (0..CELLS * CELLS).flat_map(|k| {
                // Rows go from the upper end down.
                [at(x, k % CELLS), at(y, CELLS - 1 - k / CELLS)]
            });
            let batch = Batch::of(cells.collect(), CELLS * CELLS);
            if let Ok(scores) = critic.score(&batch) {
                plot = plot.with_map(&scores, CELLS, x, y, "critic: higher looks like data");
            }
        }
        plot.with(Series::points("data", self.points.iter().copied()))
            .with(Series::points("samples", points.filter(inside)))
            .save(path)?;
        Ok(())
    }
}

/// A picture of samples: beside their means if these differ, for images; points in a plane, for
/// two columns.
pub(crate) fn draw_samples(
    run: &RunFolder,
    model: &dyn Model,
    plane: Option<&Plane>,
    path: &Path,
) -> ancestral::Result<()> {
    let Some(sampler) = model.sampler() else { return Ok(()) };
    let data = model.data();
    let n = run.config.train.sample_count;
    let request = SampleRequest::new(n, run.config.seed);
    if let Some(shape) = data.shape.as_image() {
        let top = output::top(model);
        let columns = (n as f64).sqrt().ceil() as usize;
        let draw = |mean: bool| -> ancestral::Result<_> {
            let values = model::sample(model, &SampleRequest { mean, ..request.clone() })?;
            let values: Vec<f32> = values.into_iter().map(|v| v as f32 / top).collect();
            Ok(output::grid(&values, shape, columns))
        };
        let mut parts = vec![("samples", draw(false)?)];
        if sampler.has_noise() {
            parts.push(("means of the last conditional", draw(true)?));
        }
        Image::beside(&parts).save_png(path)?;
    } else if let Some(plane) = plane {
        let values = model::sample(model, &SampleRequest { count: n.max(POINTS), ..request })?;
        plane.draw(model, &values, path)?;
    }
    Ok(())
}

/// Joins the pictures of progress to an animation; false if there are too few.
pub(crate) fn animate(run: &RunFolder, path: &Path) -> ancestral::Result<bool> {
    let Ok(folder) = std::fs::read_dir(run.path().join("samples")) else { return Ok(false) };
    let mut files: Vec<_> = folder.filter_map(|file| Some(file.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "png"));
    files.sort();
    let frames: Result<Vec<Image>, _> = files.iter().map(Image::open_png).collect();
    let frames = frames?;
    if frames.len() < 2 {
        return Ok(false);
    }
    // Numbers beside an axis may be wider in one frame than in another.
    let width = frames.iter().map(Image::width).max().unwrap_or(0);
    let height = frames.iter().map(Image::height).max().unwrap_or(0);
    let pad = |frame: &Image| frame.padded(width, height, [255; 3]);
    let mut frames: Vec<Image> = frames.iter().map(pad).collect();
    // The end is looked at longest.
    if let Some(last) = frames.last().cloned() {
        frames.extend(std::iter::repeat_n(last, 8));
    }
    save_gif(&frames, FRAME, path)?;
    Ok(true)
}

/// Loss and validation over epochs.
pub(crate) fn draw_curves(run: &RunFolder) -> ancestral::Result<()> {
    let events = run.events()?;
    let has = |name: &str| events.iter().any(|e| e.values.iter().any(|(n, _)| n == name));
    let unit = if has("squared_error") {
        "squared error an example"
    } else if has("critic_loss") {
        "loss"
    } else {
        "nats an example"
    };
    let title = format!("{} on {}", run.config.model, run.config.data.name);
    let mut plot = Plot::new(title, "epoch", unit);
    let mut any = false;
    for (kind, name, label) in [
        ("train", "loss", if has("critic_loss") { "generator loss" } else { "training loss" }),
        ("train", "critic_loss", "critic loss"),
        ("valid", "negative_elbo", "validation, negative ELBO"),
        ("valid", "nll", "validation, exact"),
        ("valid", "orderless_nll", "validation, mean over orderings"),
        ("valid", "squared_error", "validation, squared error"),
        ("valid", "cross_entropy", "validation, cross-entropy"),
        ("valid", "class_nll", "validation, −log p(class | example)"),
    ] {
        let points = points(&events, kind, name);
        if !points.is_empty() {
            any = true;
            plot = plot.with(Series::line(label, points));
        }
    }
    if any {
        plot.save(run.path().join("curves.svg"))?;
    }
    // A distance of samples has a scale of its own.
    for (name, unit) in [
        ("frechet_distance", "Fréchet distance of features, validation split"),
        ("chamfer_distance", "Chamfer distance, validation split"),
    ] {
        let points = points(&events, "valid", name);
        if !points.is_empty() {
            let title = format!("{} on {}", run.config.model, run.config.data.name);
            Plot::new(title, "epoch", unit)
                .with(Series::line("", points))
                .save(run.path().join("validation.svg"))?;
        }
    }
    Ok(())
}

/// A figure over epochs.
fn points(events: &[Event], kind: &str, name: &str) -> Vec<(f64, f64)> {
    let of_kind = events.iter().filter(|e| e.kind == kind);
    of_kind
        .filter_map(|e| {
            let value = e.values.iter().find(|(n, _)| n == name)?;
            Some((e.epoch, value.1))
        })
        .collect()
}
