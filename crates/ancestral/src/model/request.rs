//! The check of what is asked of a model against what it can do, once for all models.

use super::contract::Model;
use super::sampler::{Completion, Known, SampleRequest, Sampler};
use crate::{Error, Result};

/// Draws examples, row after row, in the values of the model's columns.
///
/// # Errors
/// If the model does not draw, or cannot do all that was asked for: a class, given entries, a mean
/// or a temperature.
pub fn sample(model: &dyn Model, request: &SampleRequest) -> Result<Vec<f64>> {
    sampler_for(model, request)?.draw(request)
}

/// The sampler of a model that can do what is asked for.
///
/// # Errors
/// As [`sample`].
pub fn sampler_for<'a>(model: &'a dyn Model, request: &SampleRequest) -> Result<&'a dyn Sampler> {
    let unsupported =
        |problem: String| Error::Unsupported { model: model.name().to_owned(), problem };
    let sampler = model.sampler().ok_or_else(|| unsupported("cannot draw examples".to_owned()))?;
    if !(request.temperature >= 0.0 && request.temperature.is_finite()) {
        return Err(Error::setting("temperature", request.temperature, "it must be 0 or more"));
    }
    if request.temperature != 1.0 && !sampler.has_temperature() {
        return Err(unsupported(format!(
            "draws at one temperature, 1, and {} was asked for",
            request.temperature
        )));
    }
    match (request.class, sampler.classes()) {
        (Some(class), 0) => {
            return Err(unsupported(format!("knows no classes and class {class} was asked for")));
        }
        (Some(class), classes) if class as usize >= classes => {
            return Err(unsupported(format!(
                "has classes 0 to {} and class {class} was asked for",
                classes - 1
            )));
        }
        _ => {}
    }
    if request.mean && !sampler.has_noise() {
        return Err(unsupported("gives samples without noise around a mean".to_owned()));
    }
    if let Some(Known { values, given }) = &request.known {
        if sampler.completion() == Completion::None {
            return Err(unsupported(
                "draws whole examples and cannot complete given ones".to_owned(),
            ));
        }
        let size = model.data().size();
        if values.len() != request.count * size || given.len() != values.len() {
            return Err(Error::setting(
                "known",
                format!("{} values and {} marks", values.len(), given.len()),
                format!("{} rows of {size} entries take as many of each", request.count),
            ));
        }
        let is_given = |at: usize| given[at];
        if let Some(at) =
            (0..values.len()).find(|&at| is_given(at) && !fits(model, at % size, values[at]))
        {
            return Err(Error::setting(
                "known",
                values[at],
                format!(
                    "row {}, column '{}' is given as what it cannot be",
                    at / size,
                    model.data().column_name(at % size)
                ),
            ));
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
