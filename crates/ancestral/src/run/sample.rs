//! Samples of a run, and completions of given examples.

use std::path::Path;

use ancestral_data::{
    DataError, Dataset, Domain, OpenOptions, Shape, Split, SplitName, Streams, Values,
};

use super::adapt::adapt;
use super::loaded::{DataQuery, Run};
use super::session::Session;
use crate::model::{self, Capability, Completion, Known, SampleRequest};
use crate::{Error, Result};

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
    /// A file of 0 and 1, with one row for all examples or one for each.
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
        let model = run.model();
        let shape = model.data().shape.clone();
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
                Some(known(run, given, spec.count, self.data_dir())?)
            }
        };
        let count = known.as_ref().map_or(spec.count, |known| known.values.len() / shape.size());
        let request = SampleRequest { count, known, ..plain };
        let values = model::sample(model, &request)?;
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(run.unsupported(format!(
                "gave sample {} with the value {} in column '{}' at temperature {}; a lower \
                 temperature keeps samples finite",
                at / shape.size(),
                values[at],
                model.data().column_name(at % shape.size()),
                spec.temperature
            )));
        }
        let each = if spec.complete.is_some() { spec.count } else { 1 };
        Ok(Samples { values, count, shape, columns: run.column_names(), each })
    }
}

/// The rows to complete, each `each` times.
fn known(run: &Run, given: &Given, each: usize, data_dir: Option<&Path>) -> Result<Known> {
    let spec = run.model().data();
    let size = spec.size();
    let (mut rows, mut marks) = match &given.mask {
        Some(mask) => {
            let query = DataQuery { data: Some(given.data.clone()), ..DataQuery::default() };
            let (examples, _) = run.query(&query, data_dir)?;
            let indices: Vec<u64> = (0..examples.len() as u64).collect();
            let rows = examples.batch(&indices, 0).values;
            let marks = mask_of(mask, &spec.shape, rows.len() / size)?;
            (rows, marks)
        }
        None => first_entries(run, &given.data, data_dir)?,
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
    Ok(known)
}

/// Rows that hold only the first entries.
fn first_entries(run: &Run, name: &str, data_dir: Option<&Path>) -> Result<(Vec<f64>, Vec<bool>)> {
    let spec = run.model().data();
    let size = spec.size();
    let options = OpenOptions {
        data_dir: data_dir.map(Path::to_path_buf),
        whole: true,
        ..OpenOptions::default()
    };
    let data = ancestral_data::open(name, &options)?;
    let width = data.shape.size();
    if width >= size {
        return Err(Error::NoMask { data: name.to_owned(), entries: size });
    }
    // Zeros are placeholders for entries that are not given.
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
    let fitting = adapt(filled, spec, false)?;
    let rows = numbers(&fitting.split(SplitName::Train)?.values);
    let given = (0..rows.len()).map(|i| i % size < width).collect();
    Ok((rows, given))
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
            let found = values.len() / data.shape.size();
            if data.shape.size() != size || (found != 1 && found != rows) {
                return wrong(format!(
                    "{found} × {} entries; expected {size} ({shape}) in one row, or in one for \
                     each row to complete ({rows})",
                    data.shape.size()
                ));
            }
            values.into_iter().map(|v| v == 1.0).collect()
        }
        (half, Some([_, height, width])) => (0..size)
            .map(|i| {
                let (y, x) = (i / width % height, i % width);
                match half {
                    Mask::Top => y < height / 2,
                    Mask::Bottom => y >= height - height / 2,
                    Mask::Left => x < width / 2,
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
        Values::Reals(v) => v.iter().map(|&x| f64::from(x)).collect(),
    }
}
