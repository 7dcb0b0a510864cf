//! Samples, and requests: those that a model supports work, and all others are errors that name the model and
//! the request.

use super::case::Subject;
use super::problem::{Problem, Tried, ensure, refused};
use crate::Error;
use crate::model::{Capability, Completion, Known, Model, SampleRequest, sample};

/// Samples, and requires an error that names the model and contains `part`.
fn refuse(model: &dyn Model, request: &SampleRequest, part: &str) -> Result<(), Problem> {
    let error = refused(sample(model, request), format!("{request:?}"), &[part])?;
    let unsupported = matches!(error, Error::Unsupported { .. }) && error.is_usage();
    ensure!(unsupported, "\"{part}\" is another kind of error: {error:?}");
    let names = error.to_string().starts_with(model.name());
    ensure!(names, "the error does not begin with the model's name: {error}");
    Ok(())
}

/// Requires values of the columns; means may lie between levels.
fn must_fit(subject: &Subject<'_>, values: &[f64], means: bool) -> Result<(), Problem> {
    for &x in values {
        let fits = match subject.domain().max_level() {
            None => x.is_finite(),
            Some(top) if means => (-1e-6..=f64::from(top) * (1.0 + 1e-6)).contains(&x),
            Some(top) => (0.0..=f64::from(top)).contains(&x) && x.fract() == 0.0,
        };
        ensure!(fits, "{x} is not a {} of a column", if means { "mean" } else { "value" });
    }
    Ok(())
}

fn known(values: &[f64], given: &[bool], count: usize) -> SampleRequest {
    let known = Known { values: values.to_vec(), given: given.to_vec() };
    SampleRequest { known: Some(known), ..SampleRequest::new(count, 3) }
}

/// Samples lie in the domain and depend on their number only.
pub(super) fn samples_depend_on_their_number_alone(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    if model.sampler().is_none() || model.target().is_some() {
        return Ok(0);
    }
    let size = subject.size();
    let all = sample(model.as_ref(), &SampleRequest::new(9, 4))?;
    ensure!(all.len() == 9 * size, "9 samples of {size} columns have {} values", all.len());
    must_fit(subject, &all, false)?;
    let request = SampleRequest { first: 6, ..SampleRequest::new(2, 4) };
    let some = sample(model.as_ref(), &request)?;
    ensure!(some.len() == 2 * size, "2 samples of {size} columns have {} values", some.len());
    for (a, b) in some.iter().zip(&all[6 * size..]) {
        ensure!((a - b).abs() < 1e-4, "a sample depends on those beside it: {a} {b}");
    }
    Ok(9)
}

/// Temperatures work if the sampler has them.
pub(super) fn temperatures(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let model = model.as_ref();
    let Some(sampler) = model.sampler() else {
        let declared = subject.entry.capabilities.contains(&Capability::Samples);
        ensure!(!declared, "samples are declared, and there is no sampler");
        refuse(model, &SampleRequest::new(1, 3), "cannot draw examples")?;
        return Ok(1);
    };
    if model.target().is_some() {
        return Ok(0);
    }
    let at = |temperature: f64| SampleRequest { temperature, ..SampleRequest::new(4, 3) };
    for temperature in [-1.0, -1e-300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        refuse(model, &at(temperature), &format!("{temperature} was requested"))?;
    }
    let plain = sample(model, &at(1.0))?;
    let again = sample(model, &SampleRequest::new(4, 3))?;
    ensure!(plain == again, "the same request gives other samples: {plain:?} {again:?}");
    for temperature in [0.0, 0.5, 2.0] {
        if sampler.has_temperature() {
            let drawn = sample(model, &at(temperature))?;
            ensure!(drawn.len() == plain.len(), "{temperature}: {} values", drawn.len());
            must_fit(subject, &drawn, false)?;
        } else {
            let asked = format!("temperature 1 only, and {temperature} was requested");
            refuse(model, &at(temperature), &asked)?;
        }
    }
    ensure!(sample(model, &SampleRequest::new(0, 3))?.is_empty(), "0 samples have values");
    Ok(1)
}

/// Conditional models sample every class.
pub(super) fn classes(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let model = model.as_ref();
    let Some(sampler) = model.sampler() else { return Ok(0) };
    let of = |class: u32| SampleRequest { class: Some(class), ..SampleRequest::new(3, 3) };
    let Some(last) = sampler.classes().checked_sub(1) else {
        refuse(model, &of(0), "is not conditional, and class 0 was requested")?;
        return Ok(1);
    };
    for class in 0..=last as u32 {
        let drawn = sample(model, &of(class))?;
        ensure!(drawn.len() == 3 * subject.size(), "class {class}: {} values", drawn.len());
        must_fit(subject, &drawn, false)?;
    }
    for class in [last as u32 + 1, u32::MAX] {
        let part = format!("has classes 0 to {last}, and class {class} was requested");
        refuse(model, &of(class), &part)?;
    }
    let (classes, known) = (sampler.classes(), subject.case.data.classes());
    let codes = sampler.classes_are_codes();
    ensure!(codes || classes == known, "it draws {classes} classes and the data has {known}");
    Ok(1)
}

/// Samplers with noise return means.
pub(super) fn means(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let model = model.as_ref();
    let Some(sampler) = model.sampler().filter(|_| model.target().is_none()) else { return Ok(0) };
    let request = SampleRequest { mean: true, ..SampleRequest::new(8, 3) };
    if !sampler.has_noise() {
        refuse(model, &request, "without noise around a mean")?;
        return Ok(1);
    }
    let means = sample(model, &request)?;
    let drawn = sample(model, &SampleRequest::new(8, 3))?;
    ensure!(means.len() == drawn.len(), "{} means, {} samples", means.len(), drawn.len());
    must_fit(subject, &means, true)?;
    ensure!(means != drawn, "samples are means");
    Ok(1)
}

/// Values that a column of the data cannot have.
fn impossible(subject: &Subject<'_>) -> Vec<f64> {
    let mut values = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    if let Some(top) = subject.domain().max_level() {
        values.extend([f64::from(top) + 1.0, 0.5, -1.0, 1e300]);
    }
    values
}

/// Given entries are kept unchanged by models that complete examples.
pub(super) fn completion(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let model = model.as_ref();
    let Some(sampler) = model.sampler() else { return Ok(0) };
    let (size, count) = (subject.size(), 2);
    let values = subject.batch(&[4, 9])?.values;
    if let Some(target) = model.target() {
        return of_a_target(subject, model, target, &values);
    }
    let (all, none) = (vec![true; 2 * size], vec![false; 2 * size]);
    if sampler.completion() == Completion::None {
        for given in [&all, &none] {
            refuse(model, &known(&values, given, count), "cannot complete")?;
        }
        return Ok(1);
    }
    let drawn = sample(model, &known(&values, &all, count))?;
    ensure!(drawn == values, "all entries are given and change: {drawn:?} {values:?}");
    // No entries are given; the values are ignored.
    let drawn = sample(model, &known(&vec![f64::NAN; 2 * size], &none, count))?;
    let plain = sample(model, &SampleRequest::new(count, 3))?;
    ensure!(
        drawn == plain,
        "no entry is given, and these are not plain samples: {drawn:?} {plain:?}"
    );
    // One entry is given: any, or the first in the model's ordering.
    let mut taken = Vec::new();
    for entry in 0..size {
        let given: Vec<bool> = (0..2 * size).map(|at| at % size == entry).collect();
        let request = known(&values, &given, count);
        if sampler.completion() == Completion::Prefix && sample(model, &request).is_err() {
            refuse(model, &request, "can be given only the first")?;
            continue;
        }
        taken.push(entry);
        let drawn = sample(model, &request)?;
        must_fit(subject, &drawn, false)?;
        for (row, of) in drawn.chunks_exact(size).zip(values.chunks_exact(size)) {
            let (found, of) = (row[entry], of[entry]);
            ensure!(found == of, "entry {entry} is given as {of} and becomes {found}");
        }
        for bad in impossible(subject) {
            let mut values = values.clone();
            values[size + entry] = bad;
            let column = model.data().column_name(entry);
            let part = format!("be given {bad} as column '{column}' of row 1");
            refuse(model, &known(&values, &given, count), &part)?;
        }
    }
    let expected = if sampler.completion() == Completion::Any { size } else { 1 };
    ensure!(taken.len() == expected, "a single entry can be any of {taken:?}, not {expected}");
    // Lengths that do not match.
    for (values, given, count) in [
        (&values[1..], &all[..], 2),
        (&values[..], &all[1..], 2),
        (&values[..size], &all[..size], 2),
        (&values[..], &all[..], 1),
        (&values[..], &all[..size], 1),
        (&[], &[], 1),
    ] {
        let part = format!(
            "completes {count} rows of {size} entries, and {} known values and {} marks",
            values.len(),
            given.len()
        );
        refuse(model, &known(values, given, count), &part)?;
    }
    Ok(size)
}

/// A regression draws its target, given all other columns, and nothing else.
fn of_a_target(subject: &Subject<'_>, model: &dyn Model, target: usize, values: &[f64]) -> Tried {
    let (size, count) = (subject.size(), values.len() / subject.size());
    let given: Vec<bool> = (0..values.len()).map(|at| at % size != target).collect();
    let request = known(values, &given, count);
    let drawn = sample(model, &request)?;
    must_fit(subject, &drawn, false)?;
    let kept = drawn.iter().zip(values).enumerate().filter(|(at, _)| at % size != target);
    for (at, (found, of)) in kept {
        ensure!(found == of, "entry {at} is given as {of} and becomes {found}");
    }
    ensure!(sample(model, &request)? == drawn, "the same request gives other samples");
    let second = SampleRequest { first: 1, ..known(&values[size..2 * size], &given[..size], 1) };
    let alone = sample(model, &second)?;
    ensure!(alone == drawn[size..2 * size], "a sample depends on those beside it");
    let mean = sample(model, &SampleRequest { mean: true, ..request.clone() })?;
    let cold = sample(model, &SampleRequest { temperature: 0.0, mean: true, ..request })?;
    ensure!(mean == cold, "a mean depends on the temperature");
    let all = vec![true; values.len()];
    ensure!(sample(model, &known(values, &all, count))? == values, "given entries change");
    refuse(model, &SampleRequest::new(1, 3), "given the others; give rows")?;
    let none = vec![false; values.len()];
    refuse(model, &known(values, &none, count), "given all others, and column")?;
    for bad in impossible(subject) {
        let mut values = values.to_vec();
        let entry = (target + 1) % size;
        values[size + entry] = bad;
        let column = model.data().column_name(entry);
        let part = format!("be given {bad} as column '{column}' of row 1");
        refuse(model, &known(&values, &given, count), &part)?;
    }
    Ok(size)
}
