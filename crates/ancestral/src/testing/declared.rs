//! The capabilities, sizes and metrics that an entry declares, compared with those of its models.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::case::Subject;
use super::columns::KINDS;
use super::problem::{Problem, Tried, ensure};
use crate::model::{
    Assigning, Capability, Columns, Completion, DataSpec, DensityKind, Init, Learning, Model,
    ModelEntry, Task,
};
use crate::registry::Registry;
use crate::settings::{SettingKind, normalize};
use crate::spec::cpu;
use ancestral_data::{Domain, Shape};

/// The capabilities of a model.
fn answered(model: &dyn Model) -> Result<Vec<Capability>, Problem> {
    let mut found = Vec::new();
    if let Some(density) = model.density() {
        found.push(match (density.kind(1), density.ensemble()) {
            (DensityKind::Exact, None) if model.target().is_some() => Capability::TargetDensity,
            (DensityKind::LowerBound { samples }, _) => {
                ensure!(samples == 1, "a bound of 1 sample says that it has {samples}");
                Capability::DensityBound
            }
            (DensityKind::Exact, None) => Capability::ExactDensity,
            (DensityKind::Exact, Some(members)) => Capability::EnsembleDensity(members.member),
        });
    }
    if model.target().is_some() {
        found.extend(model.sampler().map(|_| Capability::TargetSamples));
    } else if let Some(sampler) = model.sampler() {
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
    found.extend(model.clusterer().map(|clusterer| match clusterer.assigning() {
        Assigning::Never => Capability::OwnClusters,
        Assigning::Exact | Assigning::Approximate => Capability::Clusters,
    }));
    Ok(found)
}

/// Whether an entry's declared capabilities cover the one found.
fn is_declared(declared: &[Capability], found: Capability) -> bool {
    let ensemble = |can: &Capability| matches!(can, Capability::EnsembleDensity(_));
    // An ensemble with one member is a single density.
    declared.contains(&found) || found == Capability::ExactDensity && declared.iter().any(ensemble)
}

/// The capabilities of a model, all of which must be declared.
fn only_declared(entry: &ModelEntry, model: &dyn Model) -> Result<Vec<Capability>, Problem> {
    let found = answered(model)?;
    for &can in &found {
        ensure!(is_declared(entry.capabilities, can), "{can:?} is answered and not declared");
    }
    Ok(found)
}

/// A model has its entry's name and the declared capabilities, except those that depend on settings, and no
/// others.
pub(super) fn answers_as_declared(subject: &Subject<'_>) -> Tried {
    let (entry, model) = (subject.entry, subject.build(0)?);
    ensure!(model.name() == entry.name, "its name is {}", model.name());
    ensure!(*model.data() == subject.case.spec(), "it says it is for {:?}", model.data());
    let found = only_declared(entry, model.as_ref())?;
    for &can in entry.capabilities {
        let depends = matches!(
            can,
            Capability::ClassSamples | Capability::CodeSamples | Capability::EnsembleDensity(_)
        );
        ensure!(depends || found.contains(&can), "{can:?} is declared and not answered");
    }
    Ok(1)
}

/// After a change of any single setting, a model has no capability that its entry does not declare; and every
/// declared capability occurs in some case, or after such a change.
pub(super) fn all_declared_is_answered(subjects: &[Subject<'_>]) -> Tried {
    let (mut ever, mut tried) = (Vec::new(), 0);
    let mut declared: &[Capability] = &[];
    for subject in subjects {
        let entry = subject.entry;
        declared = entry.capabilities;
        ever.extend(answered(subject.build(0)?.as_ref())?);
        for field in (entry.fields)() {
            let values: Vec<Value> = match &field.kind {
                SettingKind::Bool => vec![false.into(), true.into()],
                SettingKind::Choice(choices) => choices.iter().map(|c| c.name.into()).collect(),
                SettingKind::Int { max, .. } => {
                    (0..=2).filter(|n| n <= max).map(|n| Value::Integer(n as i64)).collect()
                }
                _ => continue,
            };
            for value in values {
                let mut settings = subject.case.settings.clone();
                settings.retain(|name, _| !field.is(name));
                let with = format!("with {} = {value}", field.name);
                settings.insert(field.name.to_owned(), value);
                if let Ok(model) = subject.build_with(&settings, &Init::new(&cpu(), 0)) {
                    tried += 1;
                    let found = only_declared(entry, model.as_ref());
                    ever.extend(
                        found.map_err(|problem| Problem::wrong(format!("{with}: {problem}")))?,
                    );
                }
            }
        }
    }
    for can in declared {
        ensure!(ever.contains(can), "{can:?} is declared and never answered");
    }
    Ok(tried)
}

/// The tasks of an entry follow from its capabilities, and nothing is listed twice.
pub(super) fn tasks_follow_from_capabilities(_: &Registry, entry: &ModelEntry) -> Tried {
    let can = |wanted: &[Capability]| {
        entry.capabilities.iter().any(|capability| match capability {
            Capability::EnsembleDensity(_) => wanted.contains(&Capability::ExactDensity),
            other => wanted.contains(other),
        })
    };
    let expected: BTreeSet<Task> = [
        (Task::Density, can(&[Capability::ExactDensity, Capability::DensityBound])),
        (Task::Sampling, can(&[Capability::Samples])),
        (Task::Representation, can(&[Capability::Latent, Capability::Features])),
        (Task::Clustering, can(&[Capability::Clusters, Capability::OwnClusters])),
        (Task::Classification, can(&[Capability::Classes])),
        (Task::Regression, can(&[Capability::TargetDensity])),
    ]
    .into_iter()
    .filter_map(|(task, has)| has.then_some(task))
    .collect();
    let declared: BTreeSet<Task> = entry.tasks.iter().copied().collect();
    ensure!(declared == expected, "its tasks are {declared:?} and it supports {expected:?}");
    ensure!(declared.len() == entry.tasks.len(), "a task is listed twice");
    for part in [
        [Capability::PrefixCompletion, Capability::Completion],
        [Capability::ClassSamples, Capability::CodeSamples],
    ] {
        ensure!(!can(&part) || can(&[Capability::Samples]), "{part:?} without samples");
    }
    let names: BTreeSet<String> = entry.capabilities.iter().map(|c| c.describe()).collect();
    ensure!(names.len() == entry.capabilities.len(), "a capability is listed twice");
    for text in [entry.name, entry.about, entry.paper] {
        ensure!(!text.is_empty(), "its name, its line or its paper is empty");
    }
    Ok(1)
}

/// With default settings a model can be built, has only declared capabilities and the declared size, and stores
/// all its settings.
pub(super) fn defaults_build(_: &Registry, entry: &ModelEntry) -> Tried {
    let fields = (entry.fields)();
    let (mut tried, mut error) = (0, None);
    for kind in KINDS.into_iter().filter(|kind| entry.kinds.contains(&kind.name())) {
        for shape in [Shape::columns(6), Shape::image(1, 8, 8)] {
            let data =
                DataSpec { columns: Columns::Same(kind), ..DataSpec::new(Domain::Real, shape, 3) };
            let model = match (entry.build)(&Table::new(), &data, &Init::new(&cpu(), 0)) {
                Ok(model) => model,
                Err(refused) => {
                    error = Some(refused);
                    continue;
                }
            };
            tried += 1;
            only_declared(entry, model.as_ref())?;
            size_is_exact(entry, &Table::new(), &data, model.as_ref())?;
            let kept = model.settings();
            ensure!(normalize(&fields, &kept)? == kept, "its settings are not as files keep them");
            for field in &fields {
                let name = field.name;
                ensure!(kept.contains_key(field.name), "{name} is not among its settings");
            }
        }
    }
    match error {
        Some(error) if tried == 0 => Err(error.into()),
        _ => Ok(tried),
    }
}

/// Requires a model's tensors to have the declared size.
fn size_is_exact(
    entry: &ModelEntry,
    settings: &Table,
    data: &DataSpec,
    model: &dyn Model,
) -> Tried {
    let size = (entry.size)(settings, data)?;
    let held: u64 = model.tensors().iter().map(|(_, t)| t.shape().num_elements() as u64).sum();
    ensure!(size.parameters == held, "its tensors hold {held} numbers and its size says {size:?}");
    ensure!(size.trained <= size.parameters, "more is trained than there is: {size:?}");
    let steps = entry.learning == Learning::GradientSteps;
    ensure!(size.per_example > 0 || !steps, "a step keeps nothing of an example: {size:?}");
    Ok(1)
}

/// A model has the size that its entry computes before it is built.
pub(super) fn size_is_as_declared(subject: &Subject<'_>) -> Tried {
    let (case, model) = (subject.case, subject.build(0)?);
    size_is_exact(subject.entry, &case.settings, &case.spec(), model.as_ref())
}

/// A model is trained by gradient steps or fitted, as declared, and its validation metric has a declared name.
pub(super) fn learns_as_declared(subject: &Subject<'_>) -> Tried {
    let (steps, fit) = {
        let mut model = subject.model()?;
        (model.trainable().is_some(), model.estimator().is_some())
    };
    let expected = match subject.entry.learning {
        Learning::GradientSteps => (true, false),
        Learning::Fit => (false, true),
    };
    ensure!((steps, fit) == expected, "steps: {steps}, fit: {fit}");
    let declared = subject.entry.validation;
    match validation_name(subject)? {
        None if steps => ensure!(declared.is_empty(), "{declared:?} is declared and not given"),
        None => ensure!(declared.is_empty(), "{declared:?} is declared of a model without steps"),
        Some(called) => ensure!(declared.contains(&called), "'{called}' is not declared"),
    }
    Ok(1)
}

/// The name of the validation metric, of a model that has one.
fn validation_name(subject: &Subject<'_>) -> Result<Option<&'static str>, Problem> {
    let mut model = subject.model()?;
    let Some(trainable) = model.trainable() else { return Ok(None) };
    let Some(values) = trainable.validation(&subject.batch(&[3, 1])?)? else { return Ok(None) };
    ensure!(values.len() == 2, "{} validation values for 2 examples", values.len());
    Ok(Some(trainable.validation_name()))
}

/// Every declared validation metric occurs in some case.
pub(super) fn all_validation_metrics_are_given(subjects: &[Subject<'_>]) -> Tried {
    let mut found = BTreeSet::new();
    for subject in subjects {
        found.extend(validation_name(subject)?);
    }
    let declared = subjects.iter().flat_map(|subject| subject.entry.validation);
    let declared: BTreeSet<&str> = declared.copied().collect();
    ensure!(declared == found, "{declared:?} are declared and {found:?} are given");
    Ok(found.len())
}
