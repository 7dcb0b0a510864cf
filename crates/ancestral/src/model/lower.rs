//! Which setting to lower where a model would take too much memory.

use toml::{Table, Value};

use super::entry::ModelEntry;
use super::size::Size;
use crate::settings::{SettingKind, normalize};
use crate::spec::DataSpec;

/// A share of the cost; where no setting saves more, it is the data that is large.
const WORTH_IT: f64 = 0.95;
/// Settings that save as much as the best, within this factor, are told apart by their values.
const ALIKE: f64 = 1.1;

/// A setting that could be lowered.
#[derive(Debug, Clone)]
pub(crate) struct Lowered {
    /// Its name.
    pub(crate) name: &'static str,
    /// Bytes with half of its value.
    pub(crate) cost: u64,
    /// How many times its default it is.
    pub(crate) above: f64,
}

/// The setting whose halving lowers the cost most: one of the model's that is a number or a list of
/// them, or one of `others`; of several that do, the one that is farthest above its default.
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
    // Where the count itself has no room for the cost, half of it has none either.
    for share in [0.5, 0.0] {
        let mut all: Vec<Lowered> = if share > 0.0 { others.to_vec() } else { Vec::new() };
        for field in &fields {
            let value = given.get(field.stored).unwrap_or(&field.default);
            let Some(less) = lowered(&field.kind, value, share) else { continue };
            let mut settings = given.clone();
            settings.insert(field.stored.to_owned(), less);
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

/// The same value with every number of it multiplied by `share`, as far as the setting allows.
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
