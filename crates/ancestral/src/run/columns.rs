//! What columns of real values become before a network: their standardization, and what single
//! precision makes of them.

use ancestral_data::{Binarize, Dataset, Domain, Examples, SplitName, Values};

use super::config::DataConfig;
use crate::model::DataSpec;
use crate::nn::{Moments, deviation};
use crate::{Error, Result};

/// Entries beyond which values of columns are not counted.
const MOST_COUNTED: usize = 50_000_000;

/// Stores the mean and the deviation of each column of a table of reals, by which networks see it.
pub(super) fn standardize(described: &mut DataConfig, data: &Dataset) -> Result<()> {
    if data.domain != Domain::Real || data.shape.as_image().is_some() || !described.kinds.is_empty()
    {
        return Ok(());
    }
    standardize_all(described, data, 0)
}

/// Stores the mean and the deviation of each column of whatever data.
pub(super) fn standardize_all(described: &mut DataConfig, data: &Dataset, seed: u64) -> Result<()> {
    let binarize: Binarize = described.binarize.parse()?;
    let examples = Examples::new(data, SplitName::Train, binarize, seed)?;
    let moments = Moments::of(&examples, data.shape.size());
    if let Some(at) = (0..moments.means.len())
        .find(|&at| !(moments.means[at].is_finite() && moments.stds[at].is_finite()))
    {
        return Err(Error::UnsuitableData {
            model: described.name.clone(),
            problem: format!(
                "the values of column '{}' are too large for their variance; divide the column by a \
                 constant",
                described.column_names()[at]
            ),
        });
    }
    if let Values::Reals(values) = &data.split(SplitName::Train)?.values {
        let small = |at: usize| {
            let mut column = values.iter().skip(at).step_by(data.shape.size());
            // Squares of less are rounded to 0.
            moments.stds[at] < 1e-150 && column.any(|&x| x != values[at])
        };
        if let Some(at) = (0..data.shape.size()).find(|&at| small(at)) {
            return Err(Error::UnsuitableData {
                model: described.name.clone(),
                problem: format!(
                    "the values of column '{}' are too small for their variance; multiply the column \
                     by a constant",
                    described.column_names()[at]
                ),
            });
        }
    }
    let columns = moments.means.iter().zip(&moments.stds);
    described.scale = columns.map(|(&mean, &std)| deviation(mean, std)).collect();
    described.offset = moments.means;
    Ok(())
}

/// How often each level occurs in the training split; empty for data of no common number of levels.
pub(super) fn histogram(spec: &DataSpec, data: &Dataset) -> Result<Vec<u64>> {
    let (Some(Domain::Levels(levels)), Values::Bytes(values)) =
        (spec.domain(), &data.split(SplitName::Train)?.values)
    else {
        return Ok(Vec::new());
    };
    let mut counts = vec![0; levels as usize];
    values.iter().for_each(|&level| counts[usize::from(level)] += 1);
    Ok(counts)
}

/// Notes on constant columns, and on columns whose values single precision merges.
///
/// # Errors
/// If a column that is not constant becomes so, naming it.
pub(super) fn check(
    described: &DataConfig,
    data: &Dataset,
    in_single: bool,
) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let split = data.split(SplitName::Train)?;
    let Values::Reals(values) = &split.values else { return Ok(notes) };
    let size = data.shape.size();
    if data.shape.as_image().is_some() || values.len() > MOST_COUNTED {
        return Ok(notes);
    }
    let names = described.column_names();
    let (mut constant, mut column) = (Vec::new(), Vec::new());
    for (at, name) in names.iter().enumerate() {
        column.clear();
        column.extend(values.iter().skip(at).step_by(size));
        let before = distinct(&mut column);
        if before < 2 {
            constant.push(name.clone());
            continue;
        }
        if !in_single {
            continue;
        }
        let (offset, scale) = match (described.offset.get(at), described.scale.get(at)) {
            (Some(&offset), Some(&scale)) => (offset, scale),
            _ => (0.0, 1.0),
        };
        column.iter_mut().for_each(|x| *x = f64::from(((*x - offset) / scale) as f32));
        let after = distinct(&mut column);
        if after < 2 {
            return Err(Error::UnsuitableData {
                model: described.name.clone(),
                problem: format!(
                    "the {before} different values of column '{name}' are one in single precision, in \
                     which networks compute; subtract a constant from the column, or transform it"
                ),
            });
        }
        if after < before {
            notes.push(format!(
                "column '{name}' has {before} different values, and {after} in single precision, in \
                 which networks compute (outliers or many digits; transform the column to keep all)"
            ));
        }
    }
    match &constant[..] {
        [] => {}
        [one] => notes.push(format!("column '{one}' is constant")),
        all => {
            let some = all.iter().take(20).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if all.len() > 20 { ", …" } else { "" };
            notes.push(format!("{} columns are constant: {some}{more}", all.len()));
        }
    }
    Ok(notes)
}

/// Refuses a column of words, and images.
pub(super) fn refuse_words(data: &Dataset, model: &str) -> Result<()> {
    let unsuitable =
        |problem: String| Err(Error::UnsuitableData { model: model.to_owned(), problem });
    if data.shape.as_image().is_some() {
        return unsuitable("its examples are images; distributions are of columns".to_owned());
    }
    let words = data.columns.iter().position(|c| c.kind == ancestral_data::ColumnType::Category);
    match words.and_then(|at| data.column_names.get(at)) {
        Some(name) => unsuitable(format!(
            "column '{name}' holds words; choose a column of numbers with --column, or fit \
             categorical"
        )),
        None => Ok(()),
    }
}

/// The number of different values.
fn distinct(values: &mut [f64]) -> usize {
    values.sort_unstable_by(f64::total_cmp);
    values.chunk_by(|a, b| a == b).count()
}
