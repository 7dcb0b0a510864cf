//! The JSON schema of settings compared with the parser: both accept the same values.

use std::collections::BTreeMap;

use ancestral::Registry;
use ancestral::settings::{Field, SettingKind, Settings, normalize, schema};
use ancestral::train::TrainConfig;
use ancestral_test_support::jsonschema::{self, Validator};
use toml::{Table, Value};

/// The groups of settings: one for each entry, and that of the training loop.
fn groups() -> Vec<(&'static str, Vec<Field>)> {
    let entries = Registry::standard();
    let entries = entries.entries().iter().map(|entry| (entry.name, (entry.fields)()));
    entries.chain([("train", TrainConfig::fields())]).collect()
}

fn validator(name: &str, fields: &[Field]) -> Validator {
    let schema = schema(name, fields);
    assert!(jsonschema::meta::is_valid(&schema), "{name}: no schema: {schema}");
    jsonschema::draft202012::new(&schema).unwrap()
}

/// Whether the schema accepts a table; values without a JSON form become `null`.
fn fits(validator: &Validator, table: &Table) -> bool {
    validator.is_valid(&serde_json::to_value(table).unwrap())
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

#[test]
fn defaults_and_presets_fit_the_schema() {
    let train = validator("train", &TrainConfig::fields());
    for (name, fields) in groups() {
        let defaults: Table =
            fields.iter().map(|field| (field.name.to_owned(), field.default.clone())).collect();
        assert!(fits(&validator(name, &fields), &defaults), "{name}: {defaults}");
    }
    for entry in Registry::standard().entries() {
        let settings = validator(entry.name, &(entry.fields)());
        for preset in entry.presets {
            for (group, table) in preset.settings.parse::<Table>().unwrap() {
                let validator = match group.as_str() {
                    "settings" | "model" => &settings,
                    "train" => &train,
                    _ => continue,
                };
                let table = table.as_table().unwrap();
                let found = serde_json::to_value(table).unwrap();
                let problem = validator.validate(&found).err().map(|error| error.to_string());
                assert_eq!(problem, None, "{}, preset {}: {group}", entry.name, preset.name);
            }
        }
    }
}

#[test]
fn the_schema_refuses_what_is_not_read_and_the_other_way_round() {
    let mut counts: BTreeMap<(bool, bool), usize> = BTreeMap::new();
    for (name, fields) in groups() {
        let validator = validator(name, &fields);
        for field in &fields {
            for value in values(&field.kind) {
                let table = table(field.name, &value);
                let what = format!("{name}: {} = {value}", field.name);
                let (fits, read) = (fits(&validator, &table), normalize(&fields, &table));
                *counts.entry((fits, read.is_ok())).or_default() += 1;
                match read {
                    Ok(read) if is_short_for_a_list(&field.kind, &value) => {
                        // The schema accepts the stored form, too.
                        let read = self::table(field.name, &read[field.stored]);
                        assert!(!fits && self::fits(&validator, &read), "{what}");
                    }
                    Ok(_) => assert!(fits, "{what}: it is read, and the schema refuses it"),
                    Err(error) => assert!(!fits, "{what}: the schema takes it, but {error}"),
                }
            }
            // The schema accepts the listed names only.
            for called in [field.stored].into_iter().chain(field.aliases.iter().copied()) {
                let table = table(called, &field.default);
                assert_eq!(fits(&validator, &table), called == field.name, "{name}: {called}");
                assert!(normalize(&fields, &table).is_ok(), "{name}: {called}");
            }
            for called in [field.name.to_uppercase(), format!("{}s_", field.name)] {
                let table = table(&called, &field.default);
                assert!(!fits(&validator, &table), "{name}: {called}");
                assert!(normalize(&fields, &table).is_err(), "{name}: {called}");
            }
        }
    }
    let count = |fits, read| counts.get(&(fits, read)).copied().unwrap_or(0);
    assert!(count(true, true) > 500 && count(false, false) > 500, "{counts:?}");
}

/// Whole tables, each with one value of every setting: both accept a table if and only if each of its
/// values is valid.
#[test]
fn whole_tables_are_taken_or_refused_by_both() {
    for (name, fields) in groups() {
        let validator = validator(name, &fields);
        let alone = |field: &Field, value: &Value| fits(&validator, &table(field.name, value));
        let good: Vec<Vec<Value>> = fields
            .iter()
            .map(|field| values(&field.kind).into_iter().filter(|v| alone(field, v)).collect())
            .collect();
        for turn in 0..40 {
            let of = |i: usize, field: &Field| {
                (field.name.to_owned(), good[i][(turn * (i + 3) + i) % good[i].len()].clone())
            };
            let mut all: Table = fields.iter().enumerate().map(|(i, f)| of(i, f)).collect();
            assert!(fits(&validator, &all), "{name}: {all}");
            let read = normalize(&fields, &all).unwrap();
            assert_eq!(normalize(&fields, &read).unwrap(), read, "{name}: {all}");
            let field = &fields[turn % fields.len()];
            let bad = values(&field.kind).into_iter().cycle().skip(turn);
            let bad = bad
                .take(200)
                .find(|value| !alone(field, value) && !is_short_for_a_list(&field.kind, value));
            all.insert(field.name.to_owned(), bad.unwrap());
            assert!(!fits(&validator, &all), "{name}: {all}");
            let error = normalize(&fields, &all).unwrap_err().to_string();
            assert!(error.contains(&format!("setting '{}'", field.name)), "{name}: {error}");
        }
    }
}
