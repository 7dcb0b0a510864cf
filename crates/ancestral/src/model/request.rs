//! Checks requests against a model's capabilities and its data, once for all models.

use ancestral_data::Batch;

use super::contract::Model;
use super::density::{Density, DensityOptions, LogProbability};
use super::sampler::{Completion, Known, SampleRequest, SampleStep, Sampler};
use crate::{Error, Result, memory};

/// Bytes per entry of a sample: in double precision, and in single precision before.
const OF_ENTRY: u64 = 24;
/// Bytes per sample in addition to its entries.
const OF_EXAMPLE: u64 = 64;

/// The log-probability of each example of a batch.
///
/// # Errors
/// If the model has no density, the batch does not fit it, or its ensemble has fewer members than
/// requested.
pub fn log_probability(
    model: &dyn Model,
    batch: &Batch,
    options: DensityOptions,
) -> Result<LogProbability> {
    let density = density_for(model, batch)?;
    let members = &options.members;
    let (member, count) = match density.ensemble() {
        None => ("density", Some(1)),
        Some(ensemble) => (ensemble.member, ensemble.count),
    };
    if members.is_empty() || count.is_some_and(|count| members.end > count) {
        let all = match count {
            None => format!("has any number of {member}s"),
            Some(1) => "is one density".to_owned(),
            Some(count) => format!("has {count} {member}s"),
        };
        let asked = format!("members {} to {} were requested", members.start, members.end);
        return Err(unsupported(model, format!("{all} and {asked}")));
    }
    density.log_probability(batch, options)
}

/// The terms of [`log_probability`] by column, `[batch, columns]` row after row, of the first member
/// of an ensemble; `None` for models whose log-probability is not a sum over columns.
///
/// # Errors
/// If the model has no log-probability, or the batch does not fit it.
pub fn column_terms(model: &dyn Model, batch: &Batch) -> Result<Option<Vec<f64>>> {
    density_for(model, batch)?.column_terms(batch)
}

/// The gradient of the term of a column with respect to each entry, `[batch, columns]` row after row,
/// as [`Density::input_gradients`] describes it; `None` for models that offer none.
///
/// # Errors
/// If the model has no log-probability, the batch does not fit it, or there is no such column.
pub fn input_gradients(
    model: &dyn Model,
    batch: &Batch,
    column: usize,
) -> Result<Option<Vec<f64>>> {
    let density = density_for(model, batch)?;
    let columns = model.data().size();
    if column >= columns {
        return Err(unsupported(
            model,
            format!("has columns 0 to {} and column {column} was requested", columns - 1),
        ));
    }
    density.input_gradients(batch, column)
}

/// The density of a model, after checking the batch.
fn density_for<'a>(model: &'a dyn Model, batch: &Batch) -> Result<&'a dyn Density> {
    let density = model.density().ok_or_else(|| {
        unsupported(model, "has no log-probability and cannot score examples".to_owned())
    })?;
    check_batch(model, batch)?;
    Ok(density)
}

/// Refuses a batch that does not fit the specification of a model's data, or has missing entries
/// that the model does not accept.
///
/// # Errors
/// Naming the model and what does not fit.
pub fn check_batch(model: &dyn Model, batch: &Batch) -> Result<()> {
    let data = model.data();
    let unsuitable =
        |problem: String| Error::UnsuitableData { model: model.name().to_owned(), problem };
    let (examples, size) = (batch.len(), data.size());
    let values = batch.values.len();
    if values != examples * size {
        return Err(unsuitable(format!(
            "{values} values were given for {examples} examples, and an example of {} has {size}",
            data.shape
        )));
    }
    if let Some(labels) = batch.labels.as_ref().filter(|labels| labels.len() != examples) {
        return Err(unsuitable(format!(
            "{} labels were given for {examples} examples",
            labels.len()
        )));
    }
    let Some(missing) = &batch.missing else { return Ok(()) };
    if missing.len() != values {
        return Err(unsuitable(format!(
            "{} marks of missing entries were given for {values} values",
            missing.len()
        )));
    }
    match missing.iter().position(|&missing| missing) {
        Some(at) if !model.takes_missing() => Err(unsuitable(format!(
            "column '{}' of example {} is missing, and {} needs every entry; impute it or leave \
             the example out",
            data.column_name(at % size),
            batch.indices[at / size],
            model.name()
        ))),
        _ => Ok(()),
    }
}

fn unsupported(model: &dyn Model, problem: String) -> Error {
    Error::Unsupported { model: model.name().to_owned(), problem }
}

/// Samples examples, row after row, in values of the model's columns.
///
/// # Errors
/// If the model cannot be sampled or does not support a part of the request (a class, given entries,
/// a mean or a temperature), or memory does not suffice.
pub fn sample(model: &dyn Model, request: &SampleRequest) -> Result<Vec<f64>> {
    let sampler = sampler_for(model, request)?;
    check_memory_of_samples(model, request.count)?;
    sampler.draw(request)
}

/// As [`sample`], with the same values, and every step of autoregressive sampling told to an
/// observer: of a row after row, or of some rows together, each in the order of drawing.
///
/// # Errors
/// As [`sample`], or if the model does not sample one dimension at a time.
pub fn sample_observed(
    model: &dyn Model,
    request: &SampleRequest,
    observer: &mut dyn FnMut(SampleStep<'_>),
) -> Result<Vec<f64>> {
    let sampler = sampler_for(model, request)?;
    check_memory_of_samples(model, request.count)?;
    sampler.draw_observed(request, observer)?.ok_or_else(|| {
        unsupported(
            model,
            "draws all entries of an example at once and has no steps to observe; autoregressive \
             models, such as pixel-cnn, nade and made, draw one at a time"
                .to_owned(),
        )
    })
}

/// Refuses more samples than fit in memory.
///
/// # Errors
/// If they do not fit.
pub(crate) fn check_memory_of_samples(model: &dyn Model, count: usize) -> Result<()> {
    let of_each = (model.data().size() as u64).saturating_mul(OF_ENTRY).saturating_add(OF_EXAMPLE);
    let needed = of_each.saturating_mul(count as u64);
    memory::check_available(&format!("drawing {count} samples"), needed, "the number of samples")
}

/// The sampler of a model, after checking the request.
///
/// # Errors
/// As [`sample`].
pub fn sampler_for<'a>(model: &'a dyn Model, request: &SampleRequest) -> Result<&'a dyn Sampler> {
    let unsupported = |problem: String| unsupported(model, problem);
    let sampler = model.sampler().ok_or_else(|| unsupported("cannot draw examples".to_owned()))?;
    if !(request.temperature >= 0.0 && request.temperature.is_finite()) {
        return Err(unsupported(format!(
            "supports temperatures of 0 or more, and {} was requested",
            request.temperature
        )));
    }
    if request.temperature != 1.0 && !sampler.has_temperature() {
        return Err(unsupported(format!(
            "supports temperature 1 only, and {} was requested",
            request.temperature
        )));
    }
    match (request.class, sampler.classes()) {
        (Some(class), 0) => {
            return Err(unsupported(format!(
                "is not conditional, and class {class} was requested; conditional models draw \
                 samples of a class"
            )));
        }
        (Some(class), classes) if class as usize >= classes => {
            return Err(unsupported(format!(
                "has classes 0 to {}, and class {class} was requested",
                classes - 1
            )));
        }
        _ => {}
    }
    if request.mean && !sampler.has_noise() {
        return Err(unsupported("draws samples without noise around a mean".to_owned()));
    }
    let target = model.target();
    if let (Some(target), None) = (target, &request.known)
        && request.count > 0
    {
        return Err(unsupported(format!(
            "draws column '{}' given the others; give rows of these to complete",
            model.data().column_name(target)
        )));
    }
    if let Some(Known { values, given }) = &request.known {
        if sampler.completion() == Completion::None {
            return Err(unsupported(
                "draws whole examples and cannot complete partly given ones".to_owned(),
            ));
        }
        let size = model.data().size();
        if values.len() != request.count * size || given.len() != values.len() {
            return Err(unsupported(format!(
                "completes {} rows of {size} entries, and {} known values and {} marks of them \
                 were given",
                request.count,
                values.len(),
                given.len()
            )));
        }
        let is_given = |at: usize| given[at];
        if let Some(target) = target
            && let Some(at) = (0..given.len()).find(|&at| !given[at] && at % size != target)
        {
            return Err(unsupported(format!(
                "draws column '{}' given all others, and column '{}' of row {} is not given",
                model.data().column_name(target),
                model.data().column_name(at % size),
                at / size
            )));
        }
        if let Some(at) =
            (0..values.len()).find(|&at| is_given(at) && !fits(model, at % size, values[at]))
        {
            let (data, column) = (model.data(), at % size);
            let kind = data.kind(column).map_or("absent".to_owned(), |kind| kind.to_string());
            return Err(unsupported(format!(
                "cannot be given {} as column '{}' of row {}: the column is {kind}",
                values[at],
                data.column_name(column),
                at / size
            )));
        }
    }
    Ok(sampler)
}

/// Whether a column can have this value.
fn fits(model: &dyn Model, column: usize, value: f64) -> bool {
    match model.data().kind(column) {
        None => false,
        Some(kind) if !kind.is_discrete() => value.is_finite(),
        Some(kind) => {
            let most = kind.max_level().map_or(f64::INFINITY, f64::from);
            value.fract() == 0.0 && (0.0..=most).contains(&value)
        }
    }
}
