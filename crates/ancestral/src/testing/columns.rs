//! Kinds of columns: the declared ones are accepted, others are refused by name.

use std::collections::BTreeSet;

use super::case::Subject;
use super::problem::{Problem, Tried, ensure};
use crate::model::{ColumnKind, Columns, DataSpec, Init, KindName, Task};
use crate::spec::cpu;

/// One of each kind.
pub(super) const KINDS: [ColumnKind; 5] = [
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

/// Builds every case with columns of other kinds; the messages of the errors, or `None` where one case
/// could be built.
fn refused(
    subjects: &[Subject<'_>],
    columns: &dyn Fn(usize) -> Columns,
) -> Result<Option<Vec<String>>, Problem> {
    let mut errors = Vec::new();
    for Subject { registry, entry, case } in subjects {
        let data = case.spec();
        let data = with_columns(&data, columns(data.size()));
        let init = Init::new(&cpu(), 0);
        let built = registry.build(entry.name, &case.settings, &data, &init);
        let alone = (entry.build)(&case.settings, &data, &init);
        match (built, alone) {
            (Ok(_), Ok(_)) => return Ok(None),
            (Err(one), Err(other)) => errors.extend([one, other].map(|error| error.to_string())),
            _ => return Err(Problem::wrong("the registry and the entry do not refuse the same")),
        }
    }
    Ok(Some(errors))
}

/// The kinds that the entry of some cases declares.
fn declared(subjects: &[Subject<'_>]) -> BTreeSet<KindName> {
    subjects.iter().flat_map(|subject| subject.entry.kinds).copied().collect()
}

/// A kind of columns is taken if and only if it is declared; errors name the column, its kind and the model.
pub(super) fn kinds_are_taken_as_declared(subjects: &[Subject<'_>]) -> Tried {
    let declared = declared(subjects);
    let name = subjects.first().map_or("", |subject| subject.entry.name);
    let listed = subjects.first().map_or(0, |subject| subject.entry.kinds.len());
    ensure!(declared.len() == listed, "a kind is listed twice");
    let regression = subjects.iter().any(|s| s.entry.tasks.contains(&Task::Regression));
    for kind in KINDS {
        let taken = declared.contains(&kind.name());
        for each in [false, true] {
            // A target is a number.
            let predicted = regression && matches!(kind, ColumnKind::Category(_));
            let columns = |size: usize| match each || predicted {
                false => Columns::Same(kind),
                true => {
                    let mut kinds = vec![kind; size];
                    if let Some(last) = kinds.last_mut().filter(|_| predicted) {
                        *last = ColumnKind::Real;
                    }
                    Columns::Each(kinds)
                }
            };
            let errors = refused(subjects, &columns)?;
            let said = errors.iter().flatten().next().map_or("", String::as_str);
            ensure!(errors.is_none() || !taken, "{kind}: declared and not taken: {said}");
            ensure!(errors.is_some() || taken, "{kind}: taken and not declared");
            for error in errors.iter().flatten() {
                let says = error.contains(&format!("'c0' is {kind}")) && error.contains(name);
                ensure!(says, "{kind}: the error does not name the column and the model: {error}");
            }
        }
    }
    // Its own kinds, and one column of a kind that it does not take.
    let own: Vec<ColumnKind> =
        KINDS.into_iter().filter(|kind| declared.contains(&kind.name())).collect();
    for stranger in KINDS.into_iter().filter(|kind| !declared.contains(&kind.name())) {
        let columns = |size: usize| {
            let mut kinds: Vec<_> = own.iter().copied().cycle().take(size).collect();
            if let Some(kind) = kinds.iter_mut().rev().nth(1) {
                *kind = stranger;
            }
            Columns::Each(kinds)
        };
        if subjects.iter().any(|subject| subject.size() < 2) {
            continue;
        }
        let Some(errors) = refused(subjects, &columns)? else {
            return Err(Problem::taken(format!("a column {stranger} among others")));
        };
        for error in errors {
            let says = error.contains("cannot use this data: column 'c")
                && error.contains(&format!("is {stranger} and"));
            ensure!(says, "the error does not name the column that is {stranger}: {error}");
        }
    }
    Ok(KINDS.len())
}

/// A mixture of kinds, each of which the model takes: the model takes it, or names two columns that differ.
pub(super) fn mixed_kinds_are_taken_or_named(subjects: &[Subject<'_>]) -> Tried {
    let declared = declared(subjects);
    let own: Vec<ColumnKind> =
        KINDS.into_iter().filter(|kind| declared.contains(&kind.name())).collect();
    let [first, second, ..] = own[..] else { return Ok(0) };
    let columns = |size: usize| Columns::Each(own.iter().copied().cycle().take(size).collect());
    for error in refused(subjects, &columns)?.into_iter().flatten() {
        let two = format!("'c0' is {first} and 'c1' is {second}");
        ensure!(error.contains(&two), "the error does not say \"{two}\": {error}");
    }
    Ok(1)
}
