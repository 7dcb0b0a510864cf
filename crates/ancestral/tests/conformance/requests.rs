//! Requests: those that a model supports work, and all others are errors that name the model and the
//! request.

use ancestral::Error;
use ancestral::model::{
    Capability, Completion, DensityOptions, Init, Known, Model, SampleRequest, column_terms,
    log_probability, sample,
};
use ancestral::spec::cpu;
use ancestral_data::{Batch, Dataset};

use crate::cases::{cases, examples, label};
use crate::support::prepared;

/// Samples, and requires an error that names the model and contains `part`.
fn refuse(model: &dyn Model, request: &SampleRequest, part: &str, name: &str) {
    let error = match sample(model, request) {
        Ok(drawn) => panic!("{name}: '{part}': {request:?} was taken: {drawn:?}"),
        Err(error) => error,
    };
    let text = error.to_string();
    assert!(matches!(error, Error::Unsupported { .. }), "{name}: {error:?}");
    assert!(text.starts_with(model.name()) && text.contains(part), "{name}: '{part}': {text}");
    assert!(error.is_usage(), "{name}: {text}");
}

/// Whether values are rows of the model's columns; means lie between their values.
fn fits(data: &Dataset, values: &[f64], means: bool) -> bool {
    values.iter().all(|&x| match data.domain.max_level() {
        None => x.is_finite(),
        Some(top) => {
            (-1e-6..=f64::from(top) * (1.0 + 1e-6)).contains(&x) && (means || x.fract() == 0.0)
        }
    })
}

fn known(values: &[f64], given: &[bool], count: usize) -> SampleRequest {
    let known = Known { values: values.to_vec(), given: given.to_vec() };
    SampleRequest { known: Some(known), ..SampleRequest::new(count, 3) }
}

#[test]
fn temperatures_work_where_they_apply() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        let model = model.as_ref();
        let Some(sampler) = model.sampler() else {
            assert!(!entry.capabilities.contains(&Capability::Samples));
            refuse(model, &SampleRequest::new(1, 3), "cannot draw examples", &name);
            continue;
        };
        let at = |temperature: f64| SampleRequest { temperature, ..SampleRequest::new(4, 3) };
        for temperature in [-1.0, -1e-300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let asked = format!("{temperature} was asked for");
            refuse(model, &at(temperature), &asked, &name);
        }
        let plain = sample(model, &at(1.0)).unwrap();
        assert_eq!(plain, sample(model, &SampleRequest::new(4, 3)).unwrap(), "{name}");
        for temperature in [0.0, 0.5, 2.0] {
            if sampler.has_temperature() {
                let drawn = sample(model, &at(temperature)).unwrap();
                assert_eq!(drawn.len(), plain.len(), "{name}");
                assert!(fits(&data, &drawn, false), "{name}: {temperature}: {drawn:?}");
            } else {
                let asked = format!("temperature, 1, and {temperature} was asked for");
                refuse(model, &at(temperature), &asked, &name);
            }
        }
        assert!(sample(model, &SampleRequest::new(0, 3)).unwrap().is_empty(), "{name}");
    }
}

#[test]
fn classes_are_drawn_where_there_are_some() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        let model = model.as_ref();
        let Some(sampler) = model.sampler() else { continue };
        let of = |class: u32| SampleRequest { class: Some(class), ..SampleRequest::new(3, 3) };
        let Some(last) = sampler.classes().checked_sub(1) else {
            refuse(model, &of(0), "knows no classes and class 0 was asked for", &name);
            continue;
        };
        for class in 0..=last as u32 {
            let drawn = sample(model, &of(class)).unwrap();
            assert_eq!(drawn.len(), 3 * data.shape.size(), "{name}");
            assert!(fits(&data, &drawn, false), "{name}: {class}: {drawn:?}");
        }
        for class in [last as u32 + 1, u32::MAX] {
            let part = format!("has classes 0 to {last} and class {class} was asked for");
            refuse(model, &of(class), &part, &name);
        }
        if !sampler.classes_are_codes() {
            assert_eq!(sampler.classes(), data.classes(), "{name}");
        }
    }
}

#[test]
fn means_are_given_where_samples_have_noise() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        let model = model.as_ref();
        let Some(sampler) = model.sampler() else { continue };
        let request = SampleRequest { mean: true, ..SampleRequest::new(8, 3) };
        if !sampler.has_noise() {
            refuse(model, &request, "without noise around a mean", &name);
            continue;
        }
        let means = sample(model, &request).unwrap();
        let drawn = sample(model, &SampleRequest::new(8, 3)).unwrap();
        assert_eq!(means.len(), drawn.len(), "{name}");
        assert!(fits(&data, &means, true), "{name}: {means:?}");
        assert_ne!(means, drawn, "{name}: draws are means");
    }
}

/// Values that a column of the data cannot have.
fn impossible(data: &Dataset) -> Vec<f64> {
    let mut values = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    if let Some(top) = data.domain.max_level() {
        values.extend([f64::from(top) + 1.0, 0.5, -1.0, 1e300]);
    }
    values
}

#[test]
fn known_entries_are_completed_where_that_is_possible() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        let model = model.as_ref();
        let Some(sampler) = model.sampler() else { continue };
        let (size, count) = (data.shape.size(), 2);
        let values = examples(&data).batch(&[4, 9], 0).values;
        let (all, none) = (vec![true; 2 * size], vec![false; 2 * size]);
        if sampler.completion() == Completion::None {
            for given in [&all, &none] {
                refuse(model, &known(&values, given, count), "cannot complete", &name);
            }
            continue;
        }
        // All entries are given.
        assert_eq!(sample(model, &known(&values, &all, count)).unwrap(), values, "{name}");
        // No entries are given; the values are ignored.
        let nothing = vec![f64::NAN; 2 * size];
        let drawn = sample(model, &known(&nothing, &none, count)).unwrap();
        assert_eq!(drawn, sample(model, &SampleRequest::new(count, 3)).unwrap(), "{name}");
        // One entry is given: any, or the first in the model's ordering.
        let mut taken = Vec::new();
        for entry in 0..size {
            let given: Vec<bool> = (0..2 * size).map(|at| at % size == entry).collect();
            let request = known(&values, &given, count);
            if sampler.completion() == Completion::Prefix && sample(model, &request).is_err() {
                refuse(model, &request, "can be given only the first", &name);
                continue;
            }
            taken.push(entry);
            let drawn = sample(model, &request).unwrap();
            assert!(fits(&data, &drawn, false), "{name}: {drawn:?}");
            for (row, of) in drawn.chunks_exact(size).zip(values.chunks_exact(size)) {
                assert_eq!(row[entry], of[entry], "{name}: what was given has changed");
            }
            for bad in impossible(&data) {
                let mut values = values.clone();
                values[size + entry] = bad;
                let column = model.data().column_name(entry);
                let part = format!("be given {bad} as column '{column}' of row 1");
                refuse(model, &known(&values, &given, count), &part, &name);
            }
        }
        let expected = if sampler.completion() == Completion::Any { size } else { 1 };
        assert_eq!(taken.len(), expected, "{name}: {taken:?}");
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
            refuse(model, &known(values, given, count), &part, &name);
        }
    }
}

/// Scores, and requires an error that names the model and contains `part`.
fn refuse_batch(model: &dyn Model, batch: &Batch, part: &str, name: &str) {
    let options = DensityOptions::new(3, 1);
    let terms = column_terms(model, batch).map(Option::unwrap_or_default);
    for found in [log_probability(model, batch, options).map(|found| found.nats), terms] {
        let error = match found {
            Ok(nats) => panic!("{name}: '{part}': the batch was taken: {nats:?}"),
            Err(error) => error.to_string(),
        };
        assert!(error.starts_with(model.name()) && error.contains(part), "{name}: {error}");
    }
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let options = || DensityOptions::new(3, 1);
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        let model = model.as_ref();
        let batch = examples(&data).batch(&[4, 9], 0);
        let size = data.shape.size();
        if model.density().is_none() {
            refuse_batch(model, &batch, "has no log-probability", &name);
            continue;
        }
        let plain = log_probability(model, &batch, options()).unwrap();
        assert_eq!(plain, model.density().unwrap().log_probability(&batch, options()).unwrap());
        // A row too few, one too many, and part of one.
        for values in [&batch.values[size..], &batch.values[1..], &[]] {
            let part = format!("{} values were given for 2 examples", values.len());
            let bad = Batch { values: values.to_vec(), ..batch.clone() };
            refuse_batch(model, &bad, &part, &name);
        }
        let bad = Batch { values: [&batch.values[..], &batch.values].concat(), ..batch.clone() };
        refuse_batch(model, &bad, &format!("{} values were given", 4 * size), &name);
        let bad = Batch { labels: Some(vec![0]), ..batch.clone() };
        refuse_batch(model, &bad, "1 labels were given for 2 examples", &name);

        let missing = |missing: Vec<bool>| Batch { missing: Some(missing), ..batch.clone() };
        let nothing = missing(vec![false; 2 * size]);
        assert_eq!(log_probability(model, &nothing, options()).unwrap(), plain, "{name}");
        let bad = missing(vec![false; size]);
        refuse_batch(model, &bad, &format!("{size} marks of missing entries"), &name);
        for at in [0, size - 1, 2 * size - 1] {
            let batch = missing((0..2 * size).map(|i| i == at).collect());
            if model.takes_missing() {
                let found = log_probability(model, &batch, options()).unwrap();
                assert_ne!(found, plain, "{name}: a missing entry changes nothing");
                continue;
            }
            let part = format!(
                "column '{}' of example {} is missing",
                model.data().column_name(at % size),
                [4, 9][at / size]
            );
            refuse_batch(model, &batch, &part, &name);
        }
    }
}

/// Direct calls of a model's traits refuse missing entries, too.
#[test]
fn networks_refuse_missing_entries_wherever_they_take_a_batch() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let mut model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        if model.trainable().is_none() || model.takes_missing() {
            continue;
        }
        let size = data.shape.size();
        let missing = Some((0..2 * size).map(|at| at == size).collect());
        let whole = examples(&data).batch(&[4, 9], 0);
        let batch = Batch { missing, ..whole.clone() };
        let mut errors = Vec::new();
        if let Some(density) = model.density() {
            errors.push(density.log_probability(&batch, DensityOptions::new(3, 1)).err());
        }
        if let Some(latent) = model.latent() {
            errors.push(latent.encode(&batch).err());
            if latent.posterior(&whole).unwrap().is_some() {
                errors.push(latent.posterior(&batch).err());
            }
        }
        if let Some(discriminator) = model.discriminator() {
            errors.push(discriminator.score(&batch).err());
        }
        if !entry.validation.is_empty() {
            errors.push(model.trainable().unwrap().validation(&batch).err());
        }
        for error in errors {
            let error = error.unwrap_or_else(|| panic!("{name}: was taken")).to_string();
            assert!(error.contains("entries of example 9 are missing"), "{name}: {error}");
        }
    }
}

#[test]
fn members_that_an_ensemble_does_not_have_are_refused() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        let Some(density) = model.density() else { continue };
        let batch = examples(&data).batch(&[4], 0);
        let asked = |members: std::ops::Range<u64>| {
            let options = DensityOptions { members, ..DensityOptions::new(3, 1) };
            log_probability(model.as_ref(), &batch, options)
        };
        let count = density.ensemble().map_or(Some(1), |ensemble| ensemble.count);
        let mut bad = vec![0..0, 3..3];
        bad.extend(count.map(|count| 0..count + 1));
        bad.extend(count.map(|count| count..count + 1));
        for members in bad {
            let (from, to) = (members.start, members.end);
            let error = asked(members).err().unwrap_or_else(|| panic!("{name}: {from} to {to}"));
            let part = format!("the members {from} to {to} were asked for");
            assert!(error.to_string().starts_with(entry.name), "{name}: {error}");
            assert!(error.to_string().contains(&part), "{name}: {error}");
        }
        for members in [0..count.unwrap_or(4), count.unwrap_or(4) - 1..count.unwrap_or(4)] {
            assert!(asked(members).unwrap().nats[0].is_finite(), "{name}");
        }
    }
}
