//! What the fits of all kinds share: the request of the flags, evaluations of splits, numbers with errors.

use ancestral::distributions::families::full_name;
use ancestral::run::{DataRequest, DataSource, Fitted, Measured, Reading, RunSpec, Storage};
use anyhow::Result;
use serde_json::Value;

use crate::args::FitArgs;
use crate::json::value;
use crate::output::{self, say};
use crate::{classification, evaluate, inputs};

/// The request of `--data` and the flags that say how it is read.
pub(crate) fn spec_of(args: &FitArgs, source: DataSource) -> Result<RunSpec> {
    let (image, levels) = inputs::shape(&args.shape)?;
    let Reading { text, no_labels } = inputs::reading(&args.tables)?;
    let mut spec = RunSpec {
        model: Some(full_name(&args.family).to_owned()),
        data: DataRequest {
            source,
            all_train: args.all_train,
            whole: args.all_train,
            columns: args.column.iter().cloned().collect(),
            fold: args.fold,
            text,
            image,
            levels,
            no_labels,
            class: args.class.clone(),
            ..DataRequest::default()
        },
        binarize: Some(inputs::binarize(&args.binarize)?),
        seed: Some(args.seed),
        storage: match &args.out {
            Some(path) => Storage::Folder(path.clone()),
            None => Storage::Within("runs".into()),
        },
        command: output::typed(),
        ..RunSpec::default()
    };
    for text in &args.sets {
        spec.assign(text)?;
    }
    if let Some(target) = &args.target {
        spec.assignments.push(("target".to_owned(), toml::Value::String(target.clone())));
    }
    if let Some(trials) = args.trials {
        spec.assign(&format!("trials={trials}"))?;
    }
    Ok(spec)
}

/// Adds the evaluation of each split under its name.
pub(crate) fn add_splits(all: &mut Value, splits: &[Fitted]) -> Result<()> {
    for Fitted { split, found, .. } in splits {
        all[split.as_str()] = match found {
            Measured::Likelihoods(found) => value(found)?,
            Measured::Classification(found) => value(found)?,
            Measured::Joint(found, classes) => value(&evaluate::Values::joint(found, classes))?,
            Measured::Nothing => Value::Null,
        };
    }
    Ok(())
}

/// Prints the evaluation of each split.
pub(crate) fn print_splits(splits: &[Fitted]) -> Result<()> {
    for Fitted { split, binarize, found } in splits {
        let split = split.as_str();
        match found {
            Measured::Likelihoods(found) => {
                say!("{}", evaluate::sentence(found, split, binarize))?;
            }
            Measured::Classification(found) => {
                say!("{}", classification::sentence(found, split, binarize))?;
            }
            Measured::Joint(found, classes) => {
                say!("{}", evaluate::sentence(found, split, binarize))?;
                say!("{}", classification::sentence(classes, split, binarize))?;
            }
            Measured::Nothing => {}
        }
    }
    Ok(())
}

/// An estimate with its error, as text: six significant digits, or as many as two digits of the error
/// need.
pub(crate) fn with_error(value: f64, stderr: Option<f64>) -> String {
    let error = stderr.filter(|e| e.is_finite() && *e > 0.0);
    let Some(error) = error else { return output::significant(value) };
    let more = if value == 0.0 { 0.0 } else { (value.abs() / error).log10().floor().max(0.0) };
    format!(
        "{} ± {}",
        output::digits(value, (more as usize + 2).clamp(6, 17)),
        output::digits(error, 2)
    )
}
