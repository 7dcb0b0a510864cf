//! Samples of a run, and completions of given examples.

use std::path::Path;

use ancestral_data::{
    Binarize, ColumnType, DataError, Dataset, Domain, Examples, OpenOptions, Shape, Split,
    SplitName, Streams, Values,
};

use super::adapt::adapt;
use super::loaded::{Reading, Run};
use super::session::Session;
use crate::model::{self, Capability, Completion, Known, SampleRequest};
#[cfg(feature = "plot")]
use crate::report;
use crate::{Error, Result};

/// Entries of samples that are drawn at a time, and a multiple of the samples of one batch.
const PART: usize = 1 << 22;
const BATCH: usize = 64;

/// A request for samples of a run.
#[derive(Debug, Clone)]
pub struct SampleSpec {
    /// The number of samples; with `complete`, of completions per row.
    pub count: usize,
    /// The seed; the same seed draws the same samples.
    pub seed: u64,
    /// Sampling temperature: 1 for the model's distribution; below 1, samples are more typical and
    /// less diverse.
    pub temperature: f64,
    /// The class, by its number or name, for conditional models; if `None`, classes are drawn
    /// uniformly.
    pub class: Option<String>,
    /// Whether to return the mean of the last conditional instead of a sample of it.
    pub mean: bool,
    /// Partly given rows to complete (imputation).
    pub complete: Option<Given>,
}

impl SampleSpec {
    /// `count` plain samples by seed.
    pub fn new(count: usize, seed: u64) -> Self {
        Self { count, seed, temperature: 1.0, class: None, mean: false, complete: None }
    }
}

/// Rows to be completed.
#[derive(Debug, Clone)]
pub struct Given {
    /// The rows, by name or path of their data: only the first entries of each, or whole rows with
    /// a mask.
    pub data: String,
    /// Which entries of whole rows are given.
    pub mask: Option<Mask>,
    /// The number of rows, from the first; `None` for all.
    pub limit: Option<usize>,
    /// How the rows are read.
    pub reading: Reading,
}

/// Which entries of an example are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mask {
    /// The upper half of an image.
    Top,
    /// The lower half of an image.
    Bottom,
    /// The left half of an image.
    Left,
    /// The right half of an image.
    Right,
    /// The first so many rows of an image, all channels.
    Rows(usize),
    /// A file of 0 and 1, with one row for all examples or one for each, and a value for each entry or
    /// for each pixel of an image.
    File(String),
}

impl From<&str> for Mask {
    /// A half by its name, else a file by its path.
    fn from(text: &str) -> Self {
        match text {
            "top" => Self::Top,
            "bottom" => Self::Bottom,
            "left" => Self::Left,
            "right" => Self::Right,
            path => Self::File(path.to_owned()),
        }
    }
}

/// Samples and their layout.
#[derive(Debug, Clone)]
pub struct Samples {
    /// Row after row, in the values of the data's columns; completions of a row are adjacent.
    pub values: Vec<f64>,
    /// The number of samples.
    pub count: usize,
    /// The shape of a sample.
    pub shape: Shape,
    /// The names of the entries.
    pub columns: Vec<String>,
    /// The number of completions per row; 1 for plain samples.
    pub each: usize,
}

impl Session<'_> {
    /// Draws samples.
    ///
    /// # Errors
    /// If the model does not support a part of the request, the rows to complete are not found or
    /// do not fit, or memory does not suffice.
    pub fn sample(&mut self, run: &Run, spec: &SampleSpec) -> Result<Samples> {
        let request = self.sample_request(run, spec)?;
        let values = model::sample(run.model(), &request)?;
        let drawn = samples(run, spec, &request, values)?;
        self.tell_notes(&rounded_columns(run, spec))?;
        Ok(drawn)
    }

    /// Draws the same samples, and an animation of their drawing: the images so far, each with the
    /// distribution of the pixel that is being drawn.
    ///
    /// # Errors
    /// As [`Session::sample`] and [`report::sampling_frames`], or if means are requested.
    #[cfg(feature = "plot")]
    pub fn sample_frames(
        &mut self,
        run: &Run,
        spec: &SampleSpec,
    ) -> Result<(Samples, ancestral_plot::Animation)> {
        if spec.mean {
            return Err(Error::setting("mean", true, "frames show what is drawn"));
        }
        let request = self.sample_request(run, spec)?;
        let (values, animation) = report::sampling_frames(run.model(), &request)?;
        let drawn = samples(run, spec, &request, values)?;
        self.tell_notes(&rounded_columns(run, spec))?;
        Ok((drawn, animation))
    }

    /// Draws samples of images as a grid under a caption, and says how many: of a conditional model those of
    /// each class, or code, in a row of its own, equally many, from the same noise in all rows.
    ///
    /// # Errors
    /// As [`Session::sample`], or if the samples are no images.
    #[cfg(feature = "plot")]
    pub fn sample_labeled(
        &mut self,
        run: &Run,
        spec: &SampleSpec,
    ) -> Result<(ancestral_plot::Image, usize)> {
        let (model, data) = (run.model(), &run.config.data);
        let shape = &model.data().shape;
        let image = shape.as_image().ok_or_else(|| Error::NoImage { shape: shape.clone() })?;
        let caption = format!("{} on {}, seed {}", model.name(), data.name, spec.seed);
        let (classes, codes) = match model.sampler() {
            Some(sampler) => (sampler.classes(), sampler.classes_are_codes()),
            None => (0, false),
        };
        let mut draw = |spec: &SampleSpec, columns: usize| -> Result<_> {
            let drawn = self.sample(run, spec)?;
            Ok(report::grid(&report::intensities(model, &drawn.values), image, columns))
        };
        if classes == 0 {
            let columns = (spec.count as f64).sqrt().ceil() as usize;
            return Ok((draw(spec, columns)?.captioned(&caption), spec.count));
        }
        let each = spec.count.div_ceil(classes);
        let mut rows = Vec::with_capacity(classes);
        for class in 0..classes {
            let name = match data.class_names.get(class) {
                Some(name) if !codes => name.clone(),
                _ => class.to_string(),
            };
            let title = if codes { format!("code {name}") } else { format!("class {name}") };
            let spec = SampleSpec { count: each, class: Some(name), ..spec.clone() };
            rows.push((title, draw(&spec, each)?));
        }
        let rows: Vec<_> = rows.iter().map(|(title, row)| (title.as_str(), row.clone())).collect();
        Ok((ancestral_plot::Image::vstack(&rows).captioned(&caption), each * classes))
    }

    /// Draws samples in parts, which `each` gets row after row; completions come in one part.
    pub(super) fn sample_parts(
        &mut self,
        run: &Run,
        spec: &SampleSpec,
        request: SampleRequest,
        each: &mut dyn FnMut(&[f64]) -> Result<()>,
    ) -> Result<()> {
        let count = request.count;
        let at_once = match &request.known {
            Some(_) => count,
            // Whole batches of every sampler.
            None => (PART / run.model().data().size().max(1)).next_multiple_of(BATCH),
        };
        self.working("sampling", count, |progress| {
            let mut first = 0;
            while first < count {
                let part = at_once.min(count - first);
                let request = SampleRequest { first: first as u64, count: part, ..request.clone() };
                let mut values = model::sample(run.model(), &request)?;
                finish(run, spec, &request, &mut values)?;
                each(&values)?;
                first += part;
                progress(first);
            }
            Ok(())
        })?;
        self.tell_notes(&rounded_columns(run, spec))
    }

    /// The request of a specification, checked.
    pub(super) fn sample_request(&mut self, run: &Run, spec: &SampleSpec) -> Result<SampleRequest> {
        let model = run.model();
        let size = model.data().size();
        let plain = SampleRequest {
            first: 0,
            count: if spec.complete.is_some() { 0 } else { spec.count },
            streams: Streams::new(spec.seed),
            temperature: spec.temperature,
            class: spec.class.as_deref().map(|class| run.config.data.class(class)).transpose()?,
            mean: spec.mean,
            known: None,
        };
        // Refuses what the model cannot do before data is read.
        if model.sampler().is_none() {
            return Err(self.lacks(run, "cannot draw examples", &|can| can == Capability::Samples));
        }
        let sampler = model::sampler_for(model, &plain)?;
        let known = match &spec.complete {
            None => None,
            Some(given) => {
                let completes =
                    |can| matches!(can, Capability::PrefixCompletion | Capability::Completion);
                if sampler.completion() == Completion::None {
                    return Err(self.lacks(
                        run,
                        "draws whole examples and cannot complete partly given ones",
                        &completes,
                    ));
                }
                let (known, notes) = known(run, given, spec.count, self.data_dir())?;
                self.tell_notes(&notes)?;
                Some(known)
            }
        };
        let count = known.as_ref().map_or(spec.count, |known| known.values.len() / size);
        Ok(SampleRequest { count, known, ..plain })
    }
}

/// What was drawn, if it is finite.
fn samples(
    run: &Run,
    spec: &SampleSpec,
    request: &SampleRequest,
    mut values: Vec<f64>,
) -> Result<Samples> {
    finish(run, spec, request, &mut values)?;
    let shape = run.model().data().shape.clone();
    let each = if spec.complete.is_some() { spec.count } else { 1 };
    Ok(Samples { values, count: request.count, shape, columns: run.column_names(), each })
}

/// Refuses samples that are not finite, and rounds them to the decimals of the data.
fn finish(run: &Run, spec: &SampleSpec, request: &SampleRequest, values: &mut [f64]) -> Result<()> {
    check_finite(run, spec, request.first as usize, values)?;
    if !spec.mean {
        let given = request.known.as_ref().map(|known| known.given.as_slice());
        round(values, given, &run.config.data.decimals);
    }
    Ok(())
}

/// Refuses samples that are not finite; `first` is the number of the first one.
fn check_finite(run: &Run, spec: &SampleSpec, first: usize, values: &[f64]) -> Result<()> {
    let data = run.model().data();
    let size = data.size();
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(run.unsupported(format!(
            "gave sample {} with the value {} in column '{}' at temperature {}; a lower \
             temperature keeps samples finite",
            first + at / size,
            values[at],
            data.column_name(at % size),
            spec.temperature
        )));
    }
    Ok(())
}

/// Says which columns are rounded to whole numbers.
fn rounded_columns(run: &Run, spec: &SampleSpec) -> Vec<String> {
    let data = &run.config.data;
    let names = run.column_names();
    let whole: Vec<&str> = names
        .iter()
        .zip(&data.decimals)
        .filter(|(name, decimals)| **decimals == 0 && !data.categories.contains_key(*name))
        .map(|(name, _)| name.as_str())
        .collect();
    if whole.is_empty() || spec.mean {
        return Vec::new();
    }
    let some = whole.iter().take(20).copied().collect::<Vec<_>>().join(", ");
    let more = if whole.len() > 20 { ", …" } else { "" };
    vec![format!("samples are rounded to whole numbers, as in the data, in {some}{more}")]
}

/// Rounds values that are not given to the decimals that their columns have in the data; negative for
/// all decimals.
fn round(values: &mut [f64], given: Option<&[bool]>, decimals: &[i32]) {
    for (at, value) in values.iter_mut().enumerate() {
        let Some(&decimals) = decimals.get(at % decimals.len().max(1)) else { return };
        if given.is_some_and(|given| given[at]) {
            continue;
        }
        if let Ok(decimals) = usize::try_from(decimals) {
            // Text is rounded exactly, and reads as the nearest number; −0 is 0.
            let rounded: f64 = format!("{value:.decimals$}").parse().unwrap_or(*value);
            *value = rounded + 0.0;
        }
    }
}

/// The rows to complete, each `each` times, and what reading them guessed and left out.
fn known(
    run: &Run,
    given: &Given,
    each: usize,
    data_dir: Option<&Path>,
) -> Result<(Known, Vec<String>)> {
    let spec = run.model().data();
    let size = spec.size();
    let (mut rows, mut marks, notes) = match &given.mask {
        Some(mask) => {
            // Before data is read.
            check_rows(mask, &spec.shape)?;
            let (rows, notes) = whole_rows(run, given, data_dir)?;
            let marks = mask_of(mask, &spec.shape, rows.len() / size)?;
            (rows, marks, notes)
        }
        None => first_entries(run, given, data_dir)?,
    };
    if let Some(limit) = given.limit {
        rows.truncate(limit.saturating_mul(size));
        marks.truncate(limit.saturating_mul(size));
    }
    model::check_memory_of_samples(run.model(), (rows.len() / size).saturating_mul(each))?;
    let repeat = |row: usize| std::iter::repeat_n(row, each);
    let places = (0..rows.len() / size).flat_map(repeat).map(|row| row * size..(row + 1) * size);
    let mut known = Known { values: Vec::new(), given: Vec::new() };
    for place in places {
        known.values.extend_from_slice(&rows[place.clone()]);
        known.given.extend_from_slice(&marks[place]);
    }
    Ok((known, notes))
}

/// Refuses to keep rows of what has none, or so many that nothing is left to draw.
fn check_rows(mask: &Mask, shape: &Shape) -> Result<()> {
    let &Mask::Rows(rows) = mask else { return Ok(()) };
    match shape.as_image() {
        Some([_, height, _]) if (1..height).contains(&rows) => Ok(()),
        _ => Err(Error::KeepRows { rows, shape: shape.clone() }),
    }
}

/// Whole rows of other data, as the model sees its own, and the notes on them.
fn whole_rows(
    run: &Run,
    given: &Given,
    data_dir: Option<&Path>,
) -> Result<(Vec<f64>, Vec<String>)> {
    let name = given.data.as_str();
    let binarize: Binarize = run.config.data.binarize.parse()?;
    let spec = run.model().data();
    let mut data =
        run.config.data.align(run.open_other(&given.reading, name, true, data_dir)?)?;
    if let (true, Some(top)) = (is_image_file(name), spec.domain().and_then(Domain::max_level))
        && binarize == Binarize::None
    {
        data = in_levels(data, top)?;
    }
    let data = run.config.data.in_precision(adapt(data, spec, binarize != Binarize::None)?)?;
    // Their draws are fixed, as those of scored rows.
    let examples = Examples::new(&data, SplitName::Train, binarize, 0)?;
    let indices: Vec<u64> = (0..examples.len() as u64).collect();
    Ok((examples.batch(&indices, 0).values, data.notes))
}

/// Whether data is read from PNG or JPEG files: of one, a folder or a tar.
fn is_image_file(name: &str) -> bool {
    let path = Path::new(name);
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    path.is_dir()
        || ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "tif", "tiff", "gif", "tar", "tgz"]
            .contains(&extension.as_str())
}

/// The 256 levels of image files, rounded to the nearest of fewer ones; values that are levels from 0
/// to `top` already stay as they are.
fn in_levels(data: Dataset, top: u32) -> Result<Dataset> {
    let split = data.split(SplitName::Train)?;
    let Values::Bytes(bytes) = &split.values else { return Ok(data) };
    if data.domain != Domain::Levels(256) || bytes.iter().all(|&v| u32::from(v) <= top) {
        return Ok(data);
    }
    let level = |&v: &u8| ((u32::from(v) * top * 2 + 255) / 510) as u8;
    let values = Values::Bytes(bytes.iter().map(level).collect());
    let rounded = Split { values, labels: split.labels.clone() };
    let domain = Domain::Levels(top + 1);
    let mut rounded =
        Dataset::new(data.name.clone(), domain, data.shape.clone(), rounded, None, None)?;
    rounded.notes = data.notes;
    Ok(rounded)
}

/// Rows that hold some entries only: those of the columns with their names, else the first ones.
fn first_entries(
    run: &Run,
    given: &Given,
    data_dir: Option<&Path>,
) -> Result<(Vec<f64>, Vec<bool>, Vec<String>)> {
    let name = given.data.as_str();
    let spec = run.model().data();
    let size = spec.size();
    let reading = Reading { no_labels: true, ..given.reading.clone() };
    let data = run.open_other(&reading, name, true, data_dir)?;
    let width = data.shape.size();
    if width >= size {
        return Err(Error::NoMask { data: name.to_owned(), entries: size });
    }
    // The places of the given columns.
    let own = &run.config.data.columns;
    let places: Vec<usize> = match own.is_empty() || data.column_names.is_empty() {
        true => (0..width).collect(),
        false => {
            let place = |column: &String| {
                own.iter().position(|other| other == column).ok_or_else(|| Error::UnsuitableData {
                    model: "the run".to_owned(),
                    problem: format!(
                        "column '{column}' is not one of the run's columns, {}",
                        own.iter().take(20).map(String::as_str).collect::<Vec<_>>().join(", ")
                    ),
                })
            };
            data.column_names.iter().map(place).collect::<Result<_>>()?
        }
    };
    if data.columns.iter().any(|column| column.kind == ColumnType::Category) {
        return Err(Error::UnsuitableData {
            model: "the run".to_owned(),
            problem: "rows with some entries only cannot have columns of words".to_owned(),
        });
    }
    // Zeros are placeholders for entries that are not given.
    let split = data.split(SplitName::Train)?;
    let filled: Vec<f64> = numbers(&split.values)
        .chunks_exact(width)
        .flat_map(|row| {
            let mut whole = vec![0.0; size];
            places.iter().zip(row).for_each(|(&at, &value)| whole[at] = value);
            whole
        })
        .collect();
    let filled = Split { values: Values::Reals(filled), labels: None };
    let mut filled = Dataset::new(name, Domain::Real, Shape::columns(size), filled, None, None)?;
    // What is refused is found in the file by its column.
    filled.column_names = match own.is_empty() {
        true => data.column_names.clone(),
        false if data.column_names.is_empty() => Vec::new(),
        false => own.clone(),
    };
    let filled = filled.with_source_of(&data);
    let fitting = run.config.data.in_precision(adapt(filled, spec, false)?)?;
    let rows = numbers(&fitting.split(SplitName::Train)?.values);
    let given = (0..rows.len()).map(|i| places.contains(&(i % size))).collect();
    Ok((rows, given, data.notes))
}

/// Which entries of `rows` rows are given.
fn mask_of(mask: &Mask, shape: &Shape, rows: usize) -> Result<Vec<bool>> {
    let size = shape.size();
    let one: Vec<bool> = match (mask, shape.as_image()) {
        (Mask::File(path), _) => {
            let options = OpenOptions { whole: true, ..OpenOptions::default() };
            let data = ancestral_data::open(path, &options).map_err(|error| match error {
                DataError::Missing { .. } => Error::Mask {
                    path: path.clone(),
                    problem: "no such file; give one, or top, bottom, left or right".to_owned(),
                },
                error => error.into(),
            })?;
            let values = numbers(&data.split(SplitName::Train)?.values);
            let wrong = |problem: String| Err(Error::Mask { path: path.clone(), problem });
            if let Some(bad) = values.iter().find(|&&v| v != 0.0 && v != 1.0) {
                return wrong(format!("it holds {bad}; 1 marks a given entry, 0 one to draw"));
            }
            let width = data.shape.size();
            let found = values.len() / width;
            let area = shape.as_image().map_or(size, |[_, height, width]| height * width);
            if (width != size && width != area) || (found != 1 && found != rows) {
                let pixels = match area == size {
                    true => String::new(),
                    false => format!(" or {area}, one for each pixel,"),
                };
                return wrong(format!(
                    "{found} × {width} entries; expected {size} ({shape}){pixels} in one row, or in \
                     one for each row to complete ({rows})"
                ));
            }
            // A mask of pixels is that of every channel.
            let marks = values.chunks_exact(width).flat_map(|row| row.repeat(size / width));
            marks.map(|v| v == 1.0).collect()
        }
        (half, Some([_, height, width])) => (0..size)
            .map(|i| {
                let (y, x) = (i / width % height, i % width);
                match half {
                    Mask::Top => y < height / 2,
                    Mask::Bottom => y >= height - height / 2,
                    Mask::Left => x < width / 2,
                    Mask::Rows(rows) => y < *rows,
                    _ => x >= width - width / 2,
                }
            })
            .collect(),
        (_, None) => return Err(Error::NoImage { shape: shape.clone() }),
    };
    Ok(if one.len() == size { one.repeat(rows) } else { one })
}

fn numbers(values: &Values) -> Vec<f64> {
    match values {
        Values::Bytes(v) => v.iter().map(|&x| f64::from(x)).collect(),
        Values::Reals(v) => v.clone(),
    }
}
