//! Batches that a model must refuse.

use ancestral_data::Batch;

use super::case::Subject;
use super::problem::{Problem, Tried, ensure, refused};
use crate::model::{Assigning, DensityOptions, Model, column_terms, log_probability};

fn options() -> DensityOptions {
    DensityOptions::new(3, 1)
}

/// Scores, and requires an error that names the model and contains `part`.
fn refuse(model: &dyn Model, batch: &Batch, part: &str) -> Result<(), Problem> {
    let nats = log_probability(model, batch, options()).map(drop);
    for found in [nats, column_terms(model, batch).map(drop)] {
        let error = refused(found, format!("a batch ({part})"), &[part])?;
        let names = error.to_string().starts_with(model.name());
        ensure!(names, "the error does not begin with the model's name: {error}");
    }
    Ok(())
}

/// Batches of other lengths, or with missing entries that the model does not accept, are refused.
pub(super) fn batches_that_do_not_fit(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let model = model.as_ref();
    let (size, batch) = (subject.size(), subject.batch(&[4, 9])?);
    let Some(density) = model.density() else {
        refuse(model, &batch, "has no log-probability")?;
        return Ok(1);
    };
    let plain = log_probability(model, &batch, options())?;
    let asked = density.log_probability(&batch, options())?;
    ensure!(plain == asked, "the model is asked twice: {plain:?} {asked:?}");
    // A row too few, part of one, and none.
    for values in [&batch.values[size..], &batch.values[1..], &[]] {
        let part = format!("{} values were given for 2 examples", values.len());
        let bad = Batch { values: values.to_vec(), ..batch.clone() };
        refuse(model, &bad, &part)?;
    }
    let bad = Batch { values: [&batch.values[..], &batch.values].concat(), ..batch.clone() };
    refuse(model, &bad, &format!("{} values were given", 4 * size))?;
    let bad = Batch { labels: Some(vec![0]), ..batch.clone() };
    refuse(model, &bad, "1 labels were given for 2 examples")?;

    let missing = |missing: Vec<bool>| Batch { missing: Some(missing), ..batch.clone() };
    let nothing = log_probability(model, &missing(vec![false; 2 * size]), options())?;
    ensure!(nothing == plain, "no entry is missing, and that changes {plain:?} to {nothing:?}");
    let bad = missing(vec![false; size]);
    refuse(model, &bad, &format!("{size} marks of missing entries"))?;
    for at in [0, size - 1, 2 * size - 1] {
        let batch = missing((0..2 * size).map(|i| i == at).collect());
        if model.takes_missing() {
            let found = log_probability(model, &batch, options())?;
            ensure!(found != plain, "missing entry {at} changes nothing");
            continue;
        }
        let (column, example) = (model.data().column_name(at % size), [4, 9][at / size]);
        refuse(model, &batch, &format!("column '{column}' of example {example} is missing"))?;
    }
    Ok(1)
}

/// Direct calls of a network's traits refuse missing entries, too.
pub(super) fn missing_entries(subject: &Subject<'_>) -> Tried {
    let mut model = subject.model()?;
    if model.trainable().is_none() || model.takes_missing() {
        return Ok(0);
    }
    let size = subject.size();
    let missing = Some((0..2 * size).map(|at| at == size).collect());
    let whole = subject.batch(&[4, 9])?;
    let batch = Batch { missing, ..whole.clone() };
    let mut found = Vec::new();
    if let Some(density) = model.density() {
        found.push(("log_probability", density.log_probability(&batch, options()).map(drop)));
    }
    if let Some(latent) = model.latent() {
        found.push(("encode", latent.encode(&batch).map(drop)));
        if latent.posterior(&whole)?.is_some() {
            found.push(("posterior", latent.posterior(&batch).map(drop)));
        }
    }
    if let Some(discriminator) = model.discriminator() {
        found.push(("score", discriminator.score(&batch).map(drop)));
    }
    if let Some(clusterer) = model.clusterer().filter(|c| c.assigning() != Assigning::Never) {
        found.push(("assign", clusterer.assign(&batch).map(drop)));
    }
    if let Some(trainable) = model.trainable()
        && !subject.entry.validation.is_empty()
    {
        found.push(("validation", trainable.validation(&batch).map(drop)));
    }
    let tried = found.len();
    for (what, result) in found {
        let what = format!("a missing entry of example 9 in {what}");
        refused(result, what, &["example 9", "missing"])?;
    }
    Ok(tried)
}
