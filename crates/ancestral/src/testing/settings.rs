//! Settings: defaults, names, stored values, invalid values.

use std::collections::BTreeSet;

use ancestral_data::{Domain, Shape};
use toml::{Table, Value};

use super::case::Subject;
use super::columns::KINDS;
use super::problem::{Problem, Tried, ensure};
use crate::model::{Columns, DataSpec, Init, ModelEntry};
use crate::registry::Registry;
use crate::settings::{Field, SettingKind, Settings, normalize};
use crate::spec::cpu;
use crate::train::TrainConfig;
use crate::{Error, Result};

/// The defaults of a group.
pub(super) fn defaults(fields: &[Field]) -> Table {
    fields.iter().map(|field| (field.name.to_owned(), field.default.clone())).collect()
}

/// Every setting has unique names, documentation, and a default that is read unchanged.
pub(super) fn fields_are_declared(fields: &[Field]) -> Tried {
    let read = normalize(fields, &defaults(fields))?;
    for field in fields {
        let (name, default) = (field.name, &field.default);
        let kept = read.get(field.name);
        ensure!(kept == Some(default), "{name}: the default {default} is read as {kept:?}");
        ensure!(!name.is_empty() && !field.doc.is_empty(), "'{name}' has no documentation");
        let names = [field.name].into_iter().chain(field.aliases.iter().copied());
        for called in names {
            let count = fields.iter().filter(|other| other.is(called)).count();
            ensure!(count == 1, "{count} settings are called {called}");
        }
    }
    Ok(fields.len())
}

/// The settings of an entry.
pub(super) fn entry_fields_are_declared(_: &Registry, entry: &ModelEntry) -> Tried {
    fields_are_declared(&(entry.fields)())
}

/// Settings have the given values, and the others their defaults.
pub(super) fn given_or_default(subject: &Subject<'_>) -> Tried {
    let fields = (subject.entry.fields)();
    let taken = subject.build(3)?.settings();
    let given = normalize(&fields, &subject.case.settings)?;
    for field in &fields {
        let name = field.name;
        let expected = match given.get(field.name) {
            None if subject.case.data_defaults => continue,
            given => given.unwrap_or(&field.default),
        };
        let found = taken.get(field.name);
        ensure!(found == Some(expected), "{name} is {expected} and is kept as {found:?}");
    }
    let count = taken.len();
    ensure!(count == fields.len(), "{count} settings are kept of {}", fields.len());
    Ok(fields.len())
}

/// The presets of an entry and its defaults for the training loop are valid.
pub(super) fn presets_are_read(_: &Registry, entry: &ModelEntry) -> Tried {
    let kinds = KINDS.into_iter().filter(|kind| entry.kinds.contains(&kind.name()));
    let mut own = Vec::new();
    for kind in kinds {
        for shape in [Shape::columns(6), Shape::image(1, 8, 8)] {
            let data = DataSpec::new(Domain::Real, shape, 3);
            own.push((entry.train)(&DataSpec { columns: Columns::Same(kind), ..data }));
        }
    }
    for own in &own {
        TrainConfig::parse(own)?;
    }
    let mut names = BTreeSet::new();
    for preset in entry.presets {
        let name = preset.name;
        ensure!(names.insert(name), "two presets are called {name}");
        ensure!(!preset.about.is_empty(), "preset {name} has no description");
        let parsed: std::result::Result<Table, _> = preset.settings.parse();
        let table = parsed.map_err(|e| Problem::wrong(format!("preset {name}: {e}")))?;
        for (group, settings) in table {
            let Value::Table(settings) = settings else {
                return Err(Problem::wrong(format!("preset {name}: '{group}' is not a table")));
            };
            let read: Result<()> = match group.as_str() {
                "settings" | "model" => normalize(&(entry.fields)(), &settings).map(drop),
                "train" => own.iter().try_for_each(|own| {
                    let mut all = normalize(&TrainConfig::fields(), own)?;
                    all.extend(normalize(&TrainConfig::fields(), &settings)?);
                    TrainConfig::parse(&settings)?;
                    TrainConfig::parse(&all).map(drop)
                }),
                "data" => Ok(()),
                _ => {
                    return Err(Problem::wrong(format!(
                        "preset {name}: an unknown table '{group}'"
                    )));
                }
            };
            read.map_err(|e| Problem::wrong(format!("preset {name}, table {group}: {e}")))?;
        }
    }
    Ok(own.len() + names.len())
}

/// The settings that a model stores give the same model, through text, too, and keep all given values.
pub(super) fn kept_settings_make_the_same_model(subject: &Subject<'_>) -> Tried {
    let fields = (subject.entry.fields)();
    let init = Init::new(&cpu(), 3);
    let model = subject.build(3)?;
    let kept = model.settings();
    ensure!(normalize(&fields, &kept)? == kept, "they are kept under other names: {kept}");
    let again = subject.build_with(&kept, &init)?;
    ensure!(again.settings() == kept, "they are read back as {}", again.settings());
    ensure!(again.tensors() == model.tensors(), "they make other first weights");
    let text: Table = kept.to_string().parse().map_err(|e| Problem::wrong(format!("{e}")))?;
    let through_text = subject.build_with(&text, &init)?.settings();
    ensure!(through_text == kept, "through text they are read back as {through_text}");
    for (given, value) in normalize(&fields, &subject.case.settings)? {
        let found = kept.get(&given);
        ensure!(found == Some(&value), "{given} = {value} was given and {found:?} is kept");
    }
    Ok(1)
}

/// The same under each name of a setting.
fn spelled(settings: &Table, field: &Field, value: &Value) -> Vec<(&'static str, Table)> {
    let names = [field.name].into_iter().chain(field.aliases.iter().copied());
    names
        .map(|name| {
            let mut settings = settings.clone();
            settings.retain(|name, _| !field.is(name));
            settings.insert(name.to_owned(), value.clone());
            (name, settings)
        })
        .collect()
}

/// All names of a setting give the same model, two of them at once are refused, and each gives a model in some
/// case.
pub(super) fn all_names_are_one_setting(subjects: &[Subject<'_>]) -> Tried {
    let (mut several, mut made) = (BTreeSet::new(), BTreeSet::new());
    for subject in subjects {
        let given = &subject.case.settings;
        let init = Init::new(&cpu(), 3);
        let base = subject.build(3)?.settings();
        for field in (subject.entry.fields)() {
            if field.aliases.is_empty() {
                continue;
            }
            let value = match base.get(field.name) {
                Some(Value::Boolean(is)) => Value::Boolean(!is),
                other => other.unwrap_or(&field.default).clone(),
            };
            let mut first = None;
            let mut twice = given.clone();
            for (called, settings) in spelled(given, &field, &value) {
                let model = subject.build_with(&settings, &init);
                let model = model.map(|model| (model.settings(), model.tensors()));
                let model = model.map_err(|error| error.to_string());
                if let Ok((settings, _)) = &model {
                    let kept = settings.get(field.name);
                    ensure!(kept == Some(&value), "{called} = {value} is kept as {kept:?}");
                    made.insert(called);
                }
                let (_, expected) = first.get_or_insert((called, model.clone()));
                ensure!(model == *expected, "{called} and {} are not the same", field.name);
                several.insert(called);
                twice.insert(called.to_owned(), value.clone());
            }
            let error = subject.build_with(&twice, &init).err().map(|error| error.to_string());
            let refused = error.as_ref().is_some_and(|error| error.contains("given twice"));
            ensure!(refused, "{} under two names at once: {error:?}", field.name);
        }
    }
    let never: Vec<&str> = several.difference(&made).copied().collect();
    ensure!(never.is_empty(), "no case makes a model with {}", never.join(", "));
    Ok(made.len())
}

/// Invalid numbers: NaN, infinities, and numbers of the wrong sign.
fn invalid_numbers(kind: &SettingKind) -> Vec<Value> {
    let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -1e-9].map(Value::Float);
    let mut values = floats.to_vec();
    match kind {
        SettingKind::Int { .. } => {
            values.extend([Value::Float(1.5), Value::Integer(-1), Value::Integer(i64::MIN)]);
            values
        }
        SettingKind::Real { .. } => {
            values.extend([Value::Float(f64::MIN), Value::Integer(-1)]);
            values
        }
        SettingKind::List(of) => {
            let inner = invalid_numbers(of);
            let listed = inner.iter().map(|value| Value::Array(vec![value.clone()]));
            let late = inner.iter().map(|value| match &**of {
                SettingKind::List(_) => {
                    Value::Array(vec![Value::Array(vec![2.into()]), value.clone()])
                }
                _ => Value::Array(vec![2.into(), value.clone()]),
            });
            listed.chain(late).chain(inner.iter().cloned()).collect()
        }
        SettingKind::Bool | SettingKind::Text | SettingKind::Choice(_) => Vec::new(),
    }
}

/// Every setting of a group that `read` parses refuses invalid numbers, under each of its names, with an error
/// that names the setting.
pub(super) fn refuse_invalid_numbers(
    fields: &[Field],
    base: &Table,
    read: impl Fn(&Table) -> Option<Error>,
) -> Tried {
    let mut tried = 0;
    for field in fields {
        for value in invalid_numbers(&field.kind) {
            // Negative numbers may be valid.
            let alone = [(field.name.to_owned(), value.clone())].into_iter().collect();
            let finite = value.as_float().is_none_or(f64::is_finite);
            if finite && allows_negatives(&field.kind) && normalize(fields, &alone).is_ok() {
                continue;
            }
            for (called, settings) in spelled(base, field, &value) {
                let alone = [(called.to_owned(), value.clone())].into_iter().collect();
                for error in [normalize(fields, &alone).err(), read(&settings)] {
                    let what = format!("{called} = {value}");
                    let Some(error) = error else { return Err(Problem::taken(what)) };
                    let said = error.to_string();
                    let start = format!("setting '{}' is {value}; ", field.name);
                    ensure!(said.starts_with(&start), "{what}: another error: {said}");
                    ensure!(error.is_usage(), "{what}: the error is none of usage: {said}");
                }
                tried += 1;
            }
        }
    }
    Ok(tried)
}

/// Whether a kind of numbers, or of lists of them, has negative ones.
fn allows_negatives(kind: &SettingKind) -> bool {
    use std::ops::Bound;
    match kind {
        SettingKind::Real { min: Bound::Unbounded, .. } => true,
        SettingKind::Real { min: Bound::Included(min) | Bound::Excluded(min), .. } => *min < 0.0,
        SettingKind::List(of) => allows_negatives(of),
        _ => false,
    }
}

/// Every setting of a model refuses invalid numbers.
pub(super) fn invalid_numbers_are_refused(subject: &Subject<'_>) -> Tried {
    let init = Init::new(&cpu(), 3);
    refuse_invalid_numbers(&(subject.entry.fields)(), &subject.case.settings, |settings| {
        subject.build_with(settings, &init).err()
    })
}
