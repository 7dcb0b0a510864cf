//! Which setting to lower where a model would take too much memory.

use toml::{Table, Value};

use super::entry::ModelEntry;
use super::size::Size;
use crate::settings::{SettingKind, normalize};
use crate::spec::DataSpec;

/// A share of the cost; where no setting saves more, it is the data that is large.
const WORTH_IT: f64 = 0.95;

/// The setting whose halving lowers the cost most: one of the model's that is a number or a list of
/// them, or one of `others`, given with what its halving would cost.
pub(crate) fn setting_to_lower(
    entry: &ModelEntry,
    settings: &Table,
    data: &DataSpec,
    cost: &dyn Fn(&Size) -> u64,
    others: &[(&str, u64)],
) -> String {
    let fields = (entry.fields)();
    let now = (entry.size)(settings, data).map_or(u64::MAX, |size| cost(&size));
    let given = normalize(&fields, settings).unwrap_or_default();
    // Where the count itself has no room for the cost, half of it has none either.
    for share in [0.5, 0.0] {
        let mut costs: Vec<(String, u64)> = Vec::new();
        for field in &fields {
            let value = given.get(field.stored).unwrap_or(&field.default);
            let Some(less) = lowered(&field.kind, value, share) else { continue };
            let mut settings = given.clone();
            settings.insert(field.stored.to_owned(), less);
            if let Ok(size) = (entry.size)(&settings, data) {
                costs.push((field.name.to_owned(), cost(&size)));
            }
        }
        if share > 0.0 {
            // Of nearly equals, a setting of the model is named.
            let other = |&(name, cost): &(&str, u64)| (name.to_owned(), cost + cost / 10);
            costs.extend(others.iter().map(other));
        }
        if let Some((name, least)) = costs.into_iter().min_by_key(|(_, cost)| *cost)
            && (least as f64) < WORTH_IT * now as f64
        {
            return name;
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
