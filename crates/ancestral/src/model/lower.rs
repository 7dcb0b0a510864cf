//! Finds the setting to lower if a model would need too much memory.

use toml::{Table, Value};

use super::entry::ModelEntry;
use super::size::Size;
use crate::settings::{SettingKind, normalize};
use crate::spec::DataSpec;

/// If no setting lowers the cost below this fraction, the size of the data is to blame.
const WORTH_IT: f64 = 0.95;
/// Settings that save as much as the best within this factor are ranked by their values.
const ALIKE: f64 = 1.1;

/// A setting that could be lowered.
#[derive(Debug, Clone)]
pub(crate) struct Lowered {
    /// Its name.
    pub(crate) name: &'static str,
    /// Bytes with half of its value.
    pub(crate) cost: u64,
    /// Its value divided by its default.
    pub(crate) above: f64,
}

/// The setting whose halving lowers the cost most: a number or list of numbers among the model's
/// settings, or one of `others`; among equals, the one farthest above its default.
pub(crate) fn setting_to_lower(
    entry: &ModelEntry,
    settings: &Table,
    data: &DataSpec,
    cost: &dyn Fn(&Size) -> u64,
    others: &[Lowered],
) -> String {
    let fields = (entry.fields)();
    let now = (entry.size)(settings, data).map_or(u64::MAX, |size| cost(&size));
    let given = normalize(&fields, settings).unwrap_or_default();
    // If the saturating count overflows, so may that of half the value.
    for share in [0.5, 0.0] {
        let mut all: Vec<Lowered> = if share > 0.0 { others.to_vec() } else { Vec::new() };
        for field in &fields {
            let value = given.get(field.name).unwrap_or(&field.default);
            let Some(less) = lowered(&field.kind, value, share) else { continue };
            let mut settings = given.clone();
            settings.insert(field.name.to_owned(), less);
            if let Ok(size) = (entry.size)(&settings, data) {
                let above = largest(value) / largest(&field.default).max(1.0);
                all.push(Lowered { name: field.name, cost: cost(&size), above });
            }
        }
        let least = all.iter().map(|one| one.cost).min().unwrap_or(u64::MAX) as f64;
        if least >= WORTH_IT * now as f64 {
            continue;
        }
        all.retain(|one| one.cost as f64 <= ALIKE * least);
        if let Some(best) = all.into_iter().max_by(|a, b| a.above.total_cmp(&b.above)) {
            return best.name.to_owned();
        }
    }
    format!("the size of the data ({} an example)", data.shape)
}

/// The value with all its numbers multiplied by `share`, within the setting's range.
fn lowered(kind: &SettingKind, value: &Value, share: f64) -> Option<Value> {
    match (kind, value) {
        (SettingKind::Int { min, .. }, Value::Integer(number)) => {
            let less = (*number as f64 * share) as i64;
            Some(Value::Integer(less.max(i64::try_from(*min).ok()?)))
        }
        (SettingKind::List(entry), Value::Array(values)) => {
            let less = values.iter().map(|value| lowered(entry, value, share));
            less.collect::<Option<Vec<_>>>().map(Value::Array)
        }
        _ => None,
    }
}

/// The largest number of a value.
fn largest(value: &Value) -> f64 {
    match value {
        Value::Integer(number) => *number as f64,
        Value::Array(values) => values.iter().map(largest).fold(0.0, f64::max),
        _ => 0.0,
    }
}
