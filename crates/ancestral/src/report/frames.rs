//! Autoregressive sampling as an animation: the images so far, and the distribution of the pixel that
//! is being drawn.

use std::ops::Range;

use ancestral_plot::{Animation, Image, Plot, Series};

use super::samples::channel_names;
use crate::likelihood::Likelihood;
use crate::model::{self, Model, SampleRequest, SampleStep};
use crate::{Error, Result, memory};

/// The most frames of an animation; several pixels are drawn in a frame if there are more.
pub const MOST_FRAMES: usize = 200;
/// The most images of an animation.
pub const MOST_FRAMED: usize = 6;

/// The duration of all frames, of the shortest and of the longest, in milliseconds.
const DURATION: usize = 12_000;
const FRAME: [usize; 2] = [60, 300];
/// How long the last frame is shown, in milliseconds.
const LAST: u32 = 3000;

/// The height of a plot, and of an image, in pixels.
const SIDE: usize = 280;
const PLOT: (u32, u32) = (400, 300);
/// The color of pixels that are not drawn yet, and of the frame around the one that is.
const NOT_YET: [u8; 3] = [206, 214, 226];
const HERE: [u8; 3] = [230, 110, 0];
/// The most levels whose probabilities are drawn as bars.
const BARS: usize = 64;

/// Samples images one pixel at a time, with the same values as [`model::sample`], and draws each step:
/// the images so far, each with the distribution of the pixel that is being drawn.
///
/// Given entries of the request are there from the start.
///
/// # Errors
/// Those of sampling; if the model does not sample one dimension at a time, its data are no images or
/// of reals, more than [`MOST_FRAMED`] images are requested, or nothing is left to draw.
pub fn sampling_frames(
    model: &dyn Model,
    request: &SampleRequest,
) -> Result<(Vec<f64>, Animation)> {
    let mut recording = Recording::new(model, request)?;
    let values = model::sample_observed(model, request, &mut |step| recording.add(step))?;
    let animation = recording.animation()?;
    Ok((values, animation))
}

/// Sampling as it was observed.
struct Recording {
    shape: [usize; 3],
    levels: usize,
    rows: Vec<Row>,
}

/// One image.
struct Row {
    /// The given entries, by column.
    given: Vec<Option<f32>>,
    /// What was drawn, in order.
    steps: Vec<Drawn>,
}

/// An entry that was drawn.
struct Drawn {
    entry: usize,
    value: f32,
    likelihood: Likelihood,
    outputs: Vec<f32>,
}

impl Drawn {
    /// The probability of each level.
    fn probabilities(&self, levels: usize) -> Vec<f64> {
        let log_p = |level| self.likelihood.log_probability_of(&self.outputs, level as f32);
        (0..levels).map(|level| log_p(level).exp()).collect()
    }
}

impl Recording {
    fn new(model: &dyn Model, request: &SampleRequest) -> Result<Self> {
        let data = model.data();
        let unsupported =
            |problem: String| Error::Unsupported { model: model.name().to_owned(), problem };
        let Some(shape) = data.shape.as_image() else {
            return Err(Error::NoImage { shape: data.shape.clone() });
        };
        let Some(top) = data.domain().and_then(|domain| domain.max_level()) else {
            return Err(unsupported(
                "draws real values, and frames show the probabilities of levels".to_owned(),
            ));
        };
        let (count, size, levels) = (request.count, data.shape.size(), top as usize + 1);
        if !(1..=MOST_FRAMED).contains(&count) {
            return Err(unsupported(format!(
                "was asked for frames of {count} images; give 1 to {MOST_FRAMED}"
            )));
        }
        let known = request.known.as_ref();
        if known.is_some_and(|known| known.given.iter().all(|&given| given)) {
            return Err(unsupported(
                "has nothing to draw in the frames: every entry is given".to_owned(),
            ));
        }
        // Outputs, one a level at most, and the entry itself.
        let of_entry = 4 * (levels as u64).max(16) + 64;
        let needed = of_entry.saturating_mul((count * size) as u64);
        memory::check_available("recording the frames", needed, "the number of images")?;
        let given = |row: usize| match known {
            Some(known) => (row * size..(row + 1) * size)
                .map(|at| known.given[at].then_some(known.values[at] as f32))
                .collect(),
            None => vec![None; size],
        };
        let rows = (0..count).map(|row| Row { given: given(row), steps: Vec::new() }).collect();
        Ok(Self { shape, levels, rows })
    }

    fn add(&mut self, step: SampleStep<'_>) {
        let Some(conditional) = step.conditional else { return };
        let outputs = conditional.outputs.chunks_exact(conditional.likelihood.outputs());
        for ((&row, &value), outputs) in step.rows.iter().zip(step.values).zip(outputs) {
            self.rows[row].steps.push(Drawn {
                entry: step.entry,
                value,
                likelihood: conditional.likelihood.clone(),
                outputs: outputs.to_vec(),
            });
        }
    }

    fn area(&self) -> usize {
        self.shape[1] * self.shape[2]
    }

    /// The steps that draw a pixel, for one pixel after another: its channels, if they are drawn
    /// together.
    fn pixels(&self, row: &Row) -> Vec<Range<usize>> {
        let mut pixels: Vec<Range<usize>> = Vec::new();
        let pixel = |step: usize| row.steps[step].entry % self.area();
        for step in 0..row.steps.len() {
            match pixels.last_mut() {
                Some(last) if pixel(last.start) == pixel(step) => last.end = step + 1,
                _ => pixels.push(step..step + 1),
            }
        }
        pixels
    }

    fn animation(&self) -> Result<Animation> {
        let pixels: Vec<Vec<Range<usize>>> = self.rows.iter().map(|row| self.pixels(row)).collect();
        let most = pixels.iter().map(Vec::len).max().unwrap_or(0);
        let count = most.min(MOST_FRAMES);
        let duration = (DURATION / count.max(1)).clamp(FRAME[0], FRAME[1]) as u32;
        let mut animation = Animation::new();
        let mut size = None;
        for frame in 0..count {
            let mut cells = Vec::new();
            for (row, pixels) in self.rows.iter().zip(&pixels) {
                // All of them end with the last frame.
                let done = ((frame + 1) * pixels.len()).div_ceil(count);
                cells.push(("", self.cell(row, &pixels[..done], pixels.len())?));
            }
            let across = if cells.len() > 1 { 2 } else { 1 };
            let lines: Vec<Image> = cells.chunks(across).map(Image::hstack).collect();
            let image = match &lines[..] {
                [line] => line.clone(),
                _ => Image::vstack(&lines.into_iter().map(|line| ("", line)).collect::<Vec<_>>()),
            };
            let image = image.with_margin(8);
            // Captions may be wider in one frame than in another.
            let (width, height) = *size.get_or_insert((image.width() + 8, image.height()));
            let image = image.padded(width, height, [255; 3]);
            animation.push(&image, if frame + 1 == count { LAST } else { duration })?;
        }
        Ok(animation)
    }

    /// An image as far as its `pixels` are drawn, beside the distribution of the last of them.
    fn cell(&self, row: &Row, pixels: &[Range<usize>], total: usize) -> Result<Image> {
        let last = pixels.last().cloned().unwrap_or(0..0);
        let (steps, here) = (&row.steps[..last.end], &row.steps[last]);
        let caption = format!("{} of {total} pixels", pixels.len());
        let image = self.image(&row.given, steps, here.last());
        let plot = self.plot(here).to_image()?;
        Ok(Image::hstack(&[(&caption, image), ("", plot)]))
    }

    /// The image after some steps, with a frame around the pixel of one of them.
    fn image(&self, given: &[Option<f32>], steps: &[Drawn], here: Option<&Drawn>) -> Image {
        let ([channels, height, width], area) = (self.shape, self.area());
        let mut values = given.to_vec();
        for step in steps {
            values[step.entry] = Some(step.value);
        }
        let scale = (SIDE / height.max(width)).max(1);
        let mut image = Image::filled(width * scale, height * scale, NOT_YET);
        let top = (self.levels - 1) as f32;
        for pixel in 0..area {
            let channel = |c: usize| values[c * area + pixel];
            let byte = |value: f32| (255.0 * value / top).round() as u8;
            let (y, x) = (pixel / width * scale, pixel % width * scale);
            if channels == 3 && (0..3).any(|c| channel(c).is_some()) {
                // A channel that is not drawn yet is dark.
                let color = [0, 1, 2].map(|c| channel(c).map_or(0, byte));
                image.fill(x, y, scale, scale, color);
            } else if let Some(value) = channel(0) {
                image.fill(x, y, scale, scale, [byte(value); 3]);
            }
        }
        if let Some(here) = here {
            let (y, x) = (here.entry % area / width * scale, here.entry % area % width * scale);
            let thick = (scale / 6).clamp(2, 4).min(scale.div_ceil(2));
            let (inner, side) = (scale.saturating_sub(thick), scale);
            image.fill(x, y, side, thick, HERE);
            image.fill(x, y + inner, side, thick, HERE);
            image.fill(x, y, thick, side, HERE);
            image.fill(x + inner, y, thick, side, HERE);
        }
        image
    }

    /// The distributions that the channels of a pixel were drawn from.
    fn plot(&self, here: &[Drawn]) -> Plot {
        let ([channels, ..], area) = (self.shape, self.area());
        let place = here.first().map_or(0, |step| step.entry % area);
        let (y, x) = (place / self.shape[2], place % self.shape[2]);
        let title = format!("pixel in row {y}, column {x}");
        let mut plot = Plot::new(title, "level", "probability given those before");
        let names = channel_names(channels);
        let mut highest = 0.0f64;
        let mut drawn = Vec::new();
        for (i, step) in here.iter().enumerate() {
            let channel = step.entry / area;
            let before: Vec<&str> =
                here[..i].iter().map(|step| names[step.entry / area].as_str()).collect();
            let name = match (names.get(channel), &before[..]) {
                (None, _) => String::new(),
                (Some(name), []) => name.clone(),
                (Some(name), before) => format!("{name} given {}", before.join(", ")),
            };
            let probabilities = step.probabilities(self.levels);
            highest = probabilities.iter().copied().fold(highest, f64::max);
            let at = step.value as usize;
            let p = probabilities.get(at).copied().unwrap_or(0.0);
            let points = probabilities.into_iter().enumerate().map(|(k, p)| (k as f64, p));
            let group = color_of(channel, channels);
            let series = match self.levels {
                ..=BARS if channels == 1 || self.levels <= 2 => Series::bars(name, points),
                _ => Series::area(name, points),
            };
            plot = plot.with(series.group(group));
            drawn.push((at as f64, p, group));
        }
        // Points on top of all bars, for one channel in another color.
        for (i, (at, p, group)) in drawn.into_iter().enumerate() {
            let group = if channels == 1 { 1 } else { group };
            let name = if i == 0 { "drawn" } else { "" };
            plot = plot.with(Series::points(name, [(at, p)]).group(group));
        }
        // Few different axes, so that they seldom jump.
        let top = [0.1, 0.25, 0.5].into_iter().find(|&top| highest <= 0.95 * top);
        let top = if self.levels <= 2 { 1.0 } else { top.unwrap_or(1.0) };
        let last = (self.levels - 1) as f64;
        let plot = match self.levels {
            2 => plot.x_names(["0", "1"]),
            _ => plot.x_range(-0.5, last + 0.5),
        };
        plot.y_range(0.0, 1.04 * top).size(PLOT.0, PLOT.1)
    }
}

/// The number of the color of a channel: red, green and blue for three.
fn color_of(channel: usize, channels: usize) -> usize {
    if channels == 3 { [1, 2, 0][channel % 3] } else { channel }
}
