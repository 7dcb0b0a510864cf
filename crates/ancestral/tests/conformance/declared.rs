//! The capabilities that registry entries declare, compared with those of the models.

use std::collections::{BTreeMap, BTreeSet};

use ancestral::Registry;
use ancestral::model::{
    Capability, ColumnKind, Columns, Completion, DataSpec, DensityKind, Init, KindName, Learning,
    Model, Task,
};
use ancestral::settings::SettingKind;
use ancestral::spec::cpu;
use toml::{Table, Value};

use crate::cases::{cases, examples, label, spec};
use crate::support::prepared;

/// The capabilities of a model.
fn answered(model: &dyn Model) -> Vec<Capability> {
    let mut found = Vec::new();
    if let Some(density) = model.density() {
        found.push(match (density.kind(1), density.ensemble()) {
            (DensityKind::LowerBound { samples }, _) => {
                assert_eq!(samples, 1);
                Capability::DensityBound
            }
            (DensityKind::Exact, None) => Capability::ExactDensity,
            (DensityKind::Exact, Some(members)) => Capability::EnsembleDensity(members.member),
        });
    }
    if let Some(sampler) = model.sampler() {
        found.push(Capability::Samples);
        match (sampler.classes(), sampler.classes_are_codes()) {
            (0, _) => {}
            (_, false) => found.push(Capability::ClassSamples),
            (_, true) => found.push(Capability::CodeSamples),
        }
        match sampler.completion() {
            Completion::None => {}
            Completion::Prefix => found.push(Capability::PrefixCompletion),
            Completion::Any => found.push(Capability::Completion),
        }
    }
    found.extend(model.latent().map(|_| Capability::Latent));
    if let Some(classifier) = model.classifier() {
        found.extend((classifier.feature_dim() > 0).then_some(Capability::Features));
        found.push(Capability::Classes);
    }
    found.extend(model.discriminator().map(|_| Capability::DiscriminatorScores));
    found.extend(model.clusterer().map(|_| Capability::Clusters));
    found
}

/// Whether an entry's declared capabilities cover the one found.
fn is_declared(declared: &[Capability], found: Capability) -> bool {
    let ensemble = |can: &Capability| matches!(can, Capability::EnsembleDensity(_));
    // An ensemble with one member is a single density.
    declared.contains(&found) || found == Capability::ExactDensity && declared.iter().any(ensemble)
}

#[test]
fn models_answer_what_their_entries_declare_and_nothing_else() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = (entry.build)(&settings, &spec(&data), &Init::new(&cpu(), 0)).unwrap();
        assert_eq!(model.name(), entry.name);
        assert_eq!(*model.data(), spec(&data), "{name}");
        let found = answered(model.as_ref());
        for &can in &found {
            assert!(is_declared(entry.capabilities, can), "{name}: {can:?} is not declared");
        }
        for &can in entry.capabilities {
            let depends = matches!(
                can,
                Capability::ClassSamples | Capability::CodeSamples | Capability::EnsembleDensity(_)
            );
            assert!(depends || found.contains(&can), "{name}: {can:?} is declared");
        }
    }
}

/// After a change of any single setting, the model has no capability that its entry does not declare;
/// and every declared capability occurs in some case, or after such a change.
#[test]
fn what_is_declared_is_all_that_any_setting_makes_a_model_answer() {
    let mut ever: BTreeMap<&str, Vec<Capability>> = BTreeMap::new();
    for (entry, data, settings) in cases() {
        let built = (entry.build)(&settings, &spec(&data), &Init::new(&cpu(), 0)).unwrap();
        ever.entry(entry.name).or_default().extend(answered(built.as_ref()));
        for field in (entry.fields)() {
            let values: Vec<Value> = match &field.kind {
                SettingKind::Bool => vec![false.into(), true.into()],
                SettingKind::Choice(choices) => choices.iter().map(|c| c.name.into()).collect(),
                SettingKind::Int { max, .. } => (0..=2).filter(|n| n <= max).map(int).collect(),
                _ => continue,
            };
            for value in values {
                let mut settings = settings.clone();
                settings.retain(|name, _| !field.is(name));
                settings.insert(field.name.to_owned(), value);
                let built = (entry.build)(&settings, &spec(&data), &Init::new(&cpu(), 0));
                for can in built.iter().flat_map(|model| answered(model.as_ref())) {
                    let name = label(&entry, &data, &settings);
                    assert!(is_declared(entry.capabilities, can), "{name}: {can:?}");
                    ever.entry(entry.name).or_default().push(can);
                }
            }
        }
    }
    for entry in Registry::standard().entries() {
        for can in entry.capabilities {
            let answered = ever.get(entry.name).is_some_and(|ever| ever.contains(can));
            assert!(answered, "{}: {can:?} is declared and never answered", entry.name);
        }
    }
}

fn int(n: u64) -> Value {
    Value::Integer(n as i64)
}

#[test]
fn tasks_follow_from_capabilities() {
    for entry in Registry::standard().entries() {
        let can = |wanted: &dyn Fn(Capability) -> bool| {
            entry.capabilities.iter().any(|&capability| wanted(capability))
        };
        let expected: BTreeSet<Task> = [
            (
                Task::Density,
                can(&|c| {
                    matches!(
                        c,
                        Capability::ExactDensity
                            | Capability::EnsembleDensity(_)
                            | Capability::DensityBound
                    )
                }),
            ),
            (Task::Sampling, can(&|c| c == Capability::Samples)),
            (
                Task::Representation,
                can(&|c| matches!(c, Capability::Latent | Capability::Features)),
            ),
            (Task::Clustering, can(&|c| c == Capability::Clusters)),
            (Task::Classification, can(&|c| c == Capability::Classes)),
        ]
        .into_iter()
        .filter_map(|(task, has)| has.then_some(task))
        .collect();
        let declared: BTreeSet<Task> = entry.tasks.iter().copied().collect();
        assert_eq!(declared, expected, "{}", entry.name);
        assert_eq!(declared.len(), entry.tasks.len(), "{}: a task is listed twice", entry.name);
        let completes = |c| matches!(c, Capability::PrefixCompletion | Capability::Completion);
        let asked = |c| matches!(c, Capability::ClassSamples | Capability::CodeSamples);
        for part in [&completes as &dyn Fn(Capability) -> bool, &asked] {
            assert!(!can(part) || can(&|c| c == Capability::Samples), "{}", entry.name);
        }
        let mut names: Vec<String> = entry.capabilities.iter().map(|c| c.describe()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), entry.capabilities.len(), "{}: listed twice", entry.name);
    }
}

#[test]
fn learning_and_validation_are_as_declared() {
    let mut ever: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let mut model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 0));
        let (steps, fit) = (model.trainable().is_some(), model.estimator().is_some());
        assert_eq!(
            (steps, fit),
            match entry.learning {
                Learning::GradientSteps => (true, false),
                Learning::Fit => (false, true),
            }
        );
        let Some(trainable) = model.trainable() else {
            assert!(entry.validation.is_empty(), "{name}");
            continue;
        };
        let batch = examples(&data).batch(&[3, 1], 0);
        match trainable.validation(&batch).unwrap() {
            None => assert!(entry.validation.is_empty(), "{name}: declared and not given"),
            Some(values) => {
                let called = trainable.validation_name();
                assert!(entry.validation.contains(&called), "{name}: '{called}' is not declared");
                assert_eq!(values.len(), 2, "{name}");
                ever.entry(entry.name).or_default().insert(called);
            }
        }
    }
    for entry in Registry::standard().entries() {
        let declared: BTreeSet<&str> = entry.validation.iter().copied().collect();
        assert_eq!(declared, ever.remove(entry.name).unwrap_or_default(), "{}", entry.name);
    }
}

const KINDS: [ColumnKind; 5] = [
    ColumnKind::Real,
    ColumnKind::Binary,
    ColumnKind::Levels(5),
    ColumnKind::Count,
    ColumnKind::Category(4),
];

/// The data of a case with columns of other kinds, named c0, c1, ….
fn with_columns(data: &DataSpec, columns: Columns) -> DataSpec {
    let names = (0..data.size()).map(|column| format!("c{column}")).collect();
    DataSpec { columns, names, ..data.clone() }
}

/// Builds an entry on the data of each of its cases, with columns of other kinds; the message of
/// an error, or `None` where one case could be built.
fn refused(name: &str, columns: &dyn Fn(usize) -> Columns) -> Option<Vec<String>> {
    let registry = Registry::standard();
    let mut errors = Vec::new();
    for (entry, data, settings) in cases() {
        if entry.name != name {
            continue;
        }
        let data = with_columns(&spec(&data), columns(data.shape.size()));
        let built = registry.build(name, &settings, &data, &Init::new(&cpu(), 0));
        let alone = (entry.build)(&settings, &data, &Init::new(&cpu(), 0));
        assert_eq!(built.is_ok(), alone.is_ok(), "{name}: the list and the entry differ");
        match built {
            Ok(_) => return None,
            Err(error) => errors.extend([error, alone.err().unwrap()].map(|e| e.to_string())),
        }
    }
    Some(errors)
}

#[test]
fn kinds_are_taken_exactly_if_they_are_declared() {
    for entry in Registry::standard().entries() {
        let name = entry.name;
        let declared: BTreeSet<KindName> = entry.kinds.iter().copied().collect();
        assert_eq!(declared.len(), entry.kinds.len(), "{name}: a kind is listed twice");
        for kind in KINDS {
            let taken = declared.contains(&kind.name());
            for each in [false, true] {
                let columns = |size: usize| match each {
                    false => Columns::Same(kind),
                    true => Columns::Each(vec![kind; size]),
                };
                let errors = refused(name, &columns);
                assert_eq!(errors.is_none(), taken, "{name}: {kind}: {errors:?}");
                for error in errors.iter().flatten() {
                    assert!(error.contains(&format!("'c0' is {kind}")), "{name}: {error}");
                    assert!(error.contains(name), "{name}: {error}");
                }
            }
        }
        // Its own columns, and one more of a kind that it does not take.
        let own: Vec<ColumnKind> =
            KINDS.into_iter().filter(|kind| declared.contains(&kind.name())).collect();
        for stranger in KINDS.into_iter().filter(|kind| !declared.contains(&kind.name())) {
            let columns = |size: usize| {
                let mut kinds: Vec<_> = own.iter().copied().cycle().take(size).collect();
                kinds[size - 2] = stranger;
                Columns::Each(kinds)
            };
            for error in refused(name, &columns).unwrap() {
                assert!(error.contains("cannot use this data: column 'c"), "{name}: {error}");
                assert!(error.contains(&format!("is {stranger} and")), "{name}: {error}");
            }
        }
    }
}

/// A mixture of kinds, each of which the model takes: the model takes it, or names two columns that
/// differ.
#[test]
fn mixed_columns_are_taken_or_two_that_differ_are_named() {
    let mut mixed = Vec::new();
    for entry in Registry::standard().entries() {
        let (name, kinds) = (entry.name, entry.kinds);
        let own: Vec<ColumnKind> =
            KINDS.into_iter().filter(|kind| kinds.contains(&kind.name())).collect();
        if own.len() < 2 {
            continue;
        }
        let columns = |size: usize| Columns::Each(own.iter().copied().cycle().take(size).collect());
        match refused(name, &columns) {
            None => mixed.push(name),
            Some(errors) => {
                for error in errors {
                    let two = format!("'c0' is {} and 'c1' is {}", own[0], own[1]);
                    assert!(error.contains(&two), "{name}: {error}");
                }
            }
        }
    }
    assert_eq!(mixed, ["gaussian", "logistic"]);
}

/// A mixture of all kinds: few models take it, and errors name those of the same task that do.
#[test]
fn the_error_for_a_kind_lists_the_models_that_take_the_data() {
    let counts = DataSpec {
        columns: Columns::Same(ColumnKind::Count),
        ..DataSpec::new(ancestral_data::Domain::Real, ancestral_data::Shape::columns(3), 0)
    };
    let build = |name: &str, data: &DataSpec| {
        Registry::standard().build(name, &Table::new(), data, &Init::new(&cpu(), 0))
    };
    let error = build("nade", &counts).err().unwrap().to_string();
    // The models of the same task.
    for entry in Registry::standard().entries() {
        let takes =
            entry.kinds.contains(&KindName::Count) && entry.tasks.first() == Some(&Task::Density);
        let hint = error.split("models that take this data: ").nth(1).unwrap();
        assert_eq!(hint.split(", ").any(|other| other == entry.name), takes, "{error}");
    }
    let all = DataSpec {
        columns: Columns::Each(KINDS.to_vec()),
        shape: ancestral_data::Shape::columns(5),
        ..counts
    };
    for entry in Registry::standard().entries() {
        if KINDS.iter().all(|kind| entry.kinds.contains(&kind.name())) {
            continue;
        }
        let error = build(entry.name, &all).err().unwrap().to_string();
        assert!(error.contains("column 'x"), "{error}");
    }
}
