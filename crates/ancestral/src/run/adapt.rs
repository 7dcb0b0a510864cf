//! Conversion of other data to what a model takes.

use ancestral_data::{Dataset, Domain, Sought, Split, SplitName, Values};

use crate::spec::DataSpec;
use crate::{Error, Result};

/// Converts other data to the shape of a model, and to its domain where that loses nothing.
///
/// `binarized` says that levels will be binarized later.
///
/// # Errors
/// If the data does not fit the model, with the reason.
pub fn adapt(data: Dataset, spec: &DataSpec, binarized: bool) -> Result<Dataset> {
    adapt_part(data, spec, binarized, 0)
}

/// So many levels that are all 0 or 1 are worth a note.
const LEAST_LEVELS: usize = 1000;

/// The same for a part of the data that begins with row `first`, for errors.
pub(super) fn adapt_part(
    data: Dataset,
    spec: &DataSpec,
    binarized: bool,
    first: usize,
) -> Result<Dataset> {
    let unsuitable =
        |problem: String| Error::UnsuitableData { model: "the run".to_owned(), problem };
    let images = data.shape.as_image().zip(spec.shape.as_image());
    let other_image = images.is_some_and(|(found, wanted)| found != wanted);
    if data.shape.size() != spec.shape.size() || other_image {
        let change = match images {
            None => String::new(),
            Some(([_, h, w], [_, height, width])) if (h, w) != (height, width) => {
                format!("; resize them to {height}×{width} pixels")
            }
            Some((_, [1, ..])) => "; convert them to grayscale".to_owned(),
            Some(_) => format!("; they need {} channels", spec.shape.dims()[0]),
        };
        return Err(unsuitable(format!(
            "examples of {} ({} entries); expected {} ({}){change}",
            data.shape,
            data.shape.size(),
            spec.shape,
            spec.shape.size()
        )));
    }
    // The same kind of file may show fewer levels, and a table holds levels as plain numbers; the
    // values are checked below.
    let wanted = match spec.domain() {
        Some(domain) => domain,
        // Columns of several kinds are numbers, categories too.
        None => Domain::Real,
    };
    let domain = match (data.domain, wanted) {
        (Domain::Levels(n), Domain::Binary) if binarized => Domain::Levels(n),
        (_, wanted) => wanted,
    };
    let convert = |name| -> Result<Option<Split>> {
        let Ok(split) = data.split(name) else { return Ok(None) };
        let values = match (&split.values, domain.max_level()) {
            (Values::Bytes(v), None) => Values::Reals(v.iter().map(|&x| f64::from(x)).collect()),
            (Values::Reals(v), Some(most)) => {
                let level = |x: f64| x.fract() == 0.0 && x >= 0.0 && x <= most.into();
                if let Some(i) = v.iter().position(|&x| !level(x)) {
                    let size = spec.shape.size();
                    let column = match data.column_names.get(i % size) {
                        Some(name) => format!("'{name}'"),
                        None => (i % size + 1).to_string(),
                    };
                    let sought = Sought::Number { column: i % size, value: v[i] };
                    let place = match data.line_of(&sought) {
                        Some(line) => format!("line {line}"),
                        None => format!("row {} (from 1)", first + i / size + 1),
                    };
                    return Err(unsuitable(format!(
                        "{place}, column {column}: {}; expected a whole number from 0 to {most}",
                        v[i]
                    )));
                }
                Values::Bytes(v.iter().map(|&x| x as u8).collect())
            }
            (values, _) => values.clone(),
        };
        Ok(Some(Split { values, labels: split.labels.clone() }))
    };
    let Some(train) = convert(SplitName::Train)? else { return Ok(data) };
    let mut adapted = Dataset::new(
        data.name.clone(),
        domain,
        spec.shape.clone(),
        train,
        convert(SplitName::Valid)?,
        convert(SplitName::Test)?,
    )?;
    adapted.class_names = data.class_names.clone();
    adapted.column_names = data.column_names.clone();
    adapted.columns = data.columns.clone();
    adapted.notes = data.notes.clone();
    if let (Domain::Binary, Domain::Levels(levels)) = (data.domain, domain)
        && first == 0
        && levels > 2
        && data.len(SplitName::Train) * spec.shape.size() >= LEAST_LEVELS
    {
        let most = levels - 1;
        adapted.notes.push(format!(
            "all values are 0 or 1, of levels from 0 to {most}; where 1 is white, multiply them by {most}"
        ));
    }
    Ok(adapted.with_source_of(&data))
}
