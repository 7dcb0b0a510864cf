//! The JSON schema of settings compared with the parser: both accept the same values.

use jsonschema::Validator;
use toml::{Table, Value};

use super::problem::{Problem, Tried, ensure};
use super::settings::defaults;
use crate::model::ModelEntry;
use crate::registry::Registry;
use crate::settings::{Field, SettingKind, Settings, normalize, schema};
use crate::train::TrainConfig;

/// Whole tables that are tried of each group.
const TABLES: usize = 40;

fn validator(title: &str, fields: &[Field]) -> Result<Validator, Problem> {
    let schema = schema(title, fields);
    ensure!(jsonschema::meta::is_valid(&schema), "this is not a schema: {schema}");
    jsonschema::draft202012::new(&schema)
        .map_err(|e| Problem::wrong(format!("this is not a schema: {e}")))
}

/// Whether the schema accepts a table; values without a JSON form become `null`.
fn fits(validator: &Validator, table: &Table) -> bool {
    serde_json::to_value(table).is_ok_and(|table| validator.is_valid(&table))
}

fn table(name: &str, value: &Value) -> Table {
    [(name.to_owned(), value.clone())].into_iter().collect()
}

/// Valid and invalid values around the limits of a kind of setting.
fn values(kind: &SettingKind) -> Vec<Value> {
    let mut values: Vec<Value> = vec![
        true.into(),
        "word".into(),
        "".into(),
        Value::Array(vec![]),
        Value::Table(Table::new()),
        Value::Table(table("one", &1.into())),
    ];
    values.extend([-2, -1, 0, 1, 2, 3, i64::MIN].map(Value::Integer));
    values.extend([0.0, 0.5, -0.5, 1.0, 1.5, 3.0, 1e-300, 1e9].map(Value::Float));
    values.extend([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(Value::Float));
    match kind {
        SettingKind::Bool => values.push(false.into()),
        SettingKind::Text => values.push("several words".into()),
        SettingKind::Int { min, max } => {
            let near =
                |at: u64| i64::try_from(at).ok().map(|at| [at.saturating_sub(1), at, at + 1]);
            let ends = [*min, *max].into_iter().filter(|&end| end < i64::MAX as u64);
            values.extend(ends.filter_map(near).flatten().map(Value::Integer));
        }
        SettingKind::Real { min, max } => {
            for end in [min, max] {
                if let std::ops::Bound::Included(end) | std::ops::Bound::Excluded(end) = end {
                    let near = [end - 0.25, *end, end + 0.25, end.next_up(), end.next_down()];
                    values.extend(near.map(Value::Float));
                }
            }
        }
        SettingKind::Choice(choices) => {
            for choice in *choices {
                values.push(choice.name.into());
                values.push(choice.name.to_uppercase().into());
                values.push(format!("{} ", choice.name).into());
            }
        }
        SettingKind::List(of) => {
            let inner = self::values(of);
            for (i, value) in inner.iter().enumerate() {
                values.push(Value::Array(vec![value.clone()]));
                values
                    .push(Value::Array(vec![value.clone(), inner[(i + 7) % inner.len()].clone()]));
            }
        }
    }
    values
}

/// Whether a value is an abbreviated list: one entry for a list of one.
fn is_short_for_a_list(kind: &SettingKind, value: &Value) -> bool {
    match (kind, value) {
        (SettingKind::List(of), Value::Array(values)) => {
            values.iter().any(|value| is_short_for_a_list(of, value))
        }
        (SettingKind::List(_), _) => true,
        _ => false,
    }
}

/// The defaults of a group fit its schema.
pub(super) fn defaults_fit(title: &str, fields: &[Field]) -> Tried {
    let defaults = defaults(fields);
    ensure!(fits(&validator(title, fields)?, &defaults), "the schema refuses {defaults}");
    Ok(1)
}

/// Defaults and presets of an entry fit the schema.
pub(super) fn presets_fit(_: &Registry, entry: &ModelEntry) -> Tried {
    let fields = (entry.fields)();
    defaults_fit(entry.name, &fields)?;
    let settings = validator(entry.name, &fields)?;
    let train = validator("train", &TrainConfig::fields())?;
    let mut tried = 1;
    for preset in entry.presets {
        let parsed: Result<Table, _> = preset.settings.parse();
        let tables = parsed.map_err(|e| Problem::wrong(format!("preset {}: {e}", preset.name)))?;
        for (group, table) in &tables {
            let validator = match group.as_str() {
                "settings" | "model" => &settings,
                "train" => &train,
                _ => continue,
            };
            let found = serde_json::to_value(table);
            let found = found.map_err(|e| Problem::wrong(format!("{}: {e}", preset.name)))?;
            let problem = validator.validate(&found).err().map(|error| error.to_string());
            let refused = problem.unwrap_or_default();
            ensure!(refused.is_empty(), "preset {}, table {group}: {refused}", preset.name);
            tried += 1;
        }
    }
    Ok(tried)
}

/// Schema and parser accept the same values and names; some values of each setting are valid and some invalid.
pub(super) fn agrees_with_reading(title: &str, fields: &[Field]) -> Tried {
    let validator = validator(title, fields)?;
    let mut tried = 0;
    for field in fields {
        let (mut taken, mut refused) = (0, 0);
        for value in values(&field.kind) {
            let table = table(field.name, &value);
            let what = format!("{} = {value}", field.name);
            let (fits, read) = (fits(&validator, &table), normalize(fields, &table));
            tried += 1;
            match read {
                Ok(read) if is_short_for_a_list(&field.kind, &value) => {
                    // The schema accepts the stored form, too.
                    let full = read.get(field.name).map(|value| self::table(field.name, value));
                    let full = full.is_some_and(|full| self::fits(&validator, &full));
                    ensure!(!fits && full, "{what}: short for a list, and the schema differs");
                }
                Ok(_) => {
                    ensure!(fits, "{what}: it is read, and the schema refuses it");
                    taken += 1;
                }
                Err(error) => {
                    ensure!(!fits, "{what}: the schema takes it, but {error}");
                    refused += 1;
                }
            }
        }
        let name = field.name;
        ensure!(taken > 0 && refused > 0, "{name}: {taken} values are taken, {refused} refused");
        // The schema accepts the listed names only.
        for called in [field.name].into_iter().chain(field.aliases.iter().copied()) {
            let table = table(called, &field.default);
            let fits = fits(&validator, &table);
            ensure!(fits == (called == field.name), "in the schema {name} is called {called}");
            normalize(fields, &table)?;
        }
        for called in [field.name.to_uppercase(), format!("{}s_", field.name)] {
            let table = table(&called, &field.default);
            ensure!(!fits(&validator, &table), "the schema takes {called} for {name}");
            ensure!(normalize(fields, &table).is_err(), "{called} is read as {name}");
        }
    }
    Ok(tried)
}

/// Whole tables, each with one value of every setting: both accept a table if and only if each of its values is
/// valid.
pub(super) fn agrees_on_whole_tables(title: &str, fields: &[Field]) -> Tried {
    let validator = validator(title, fields)?;
    let alone = |field: &Field, value: &Value| fits(&validator, &table(field.name, value));
    let good: Vec<Vec<Value>> = fields
        .iter()
        .map(|field| values(&field.kind).into_iter().filter(|v| alone(field, v)).collect())
        .collect();
    if fields.is_empty() {
        return Ok(0);
    }
    for turn in 0..TABLES {
        let of = |i: usize, field: &Field| {
            (field.name.to_owned(), good[i][(turn * (i + 3) + i) % good[i].len()].clone())
        };
        let mut all: Table = fields.iter().enumerate().map(|(i, f)| of(i, f)).collect();
        ensure!(fits(&validator, &all), "each value is taken alone, and the schema refuses {all}");
        let read = normalize(fields, &all)?;
        ensure!(normalize(fields, &read)? == read, "what is read of {all} is read otherwise");
        let field = &fields[turn % fields.len()];
        let bad = values(&field.kind).into_iter().cycle().skip(turn).take(200);
        let mut bad =
            bad.filter(|value| !alone(field, value) && !is_short_for_a_list(&field.kind, value));
        let Some(bad) = bad.next() else {
            return Err(Problem::wrong(format!("{}: no value is refused", field.name)));
        };
        all.insert(field.name.to_owned(), bad);
        ensure!(!fits(&validator, &all), "the schema takes {all}");
        let error = normalize(fields, &all).err().map(|error| error.to_string());
        let named = error.unwrap_or_default();
        let says = named.contains(&format!("setting '{}'", field.name));
        ensure!(says, "{all}: the error does not name {}: {named}", field.name);
    }
    Ok(TABLES)
}

/// [`agrees_with_reading`] of an entry.
pub(super) fn entry_agrees_with_reading(_: &Registry, entry: &ModelEntry) -> Tried {
    agrees_with_reading(entry.name, &(entry.fields)())
}

/// [`agrees_on_whole_tables`] of an entry.
pub(super) fn entry_agrees_on_whole_tables(_: &Registry, entry: &ModelEntry) -> Tried {
    agrees_on_whole_tables(entry.name, &(entry.fields)())
}
