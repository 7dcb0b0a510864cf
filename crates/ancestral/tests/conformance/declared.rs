//! Kinds of columns: which models take mixtures, and what the registry says of them.

use ancestral::Registry;
use ancestral::model::{ColumnKind, Columns, DataSpec, Init, KindName, Task};
use ancestral::spec::cpu;
use ancestral_data::{Domain, Shape};
use toml::Table;

use crate::cases::is_family;

const KINDS: [ColumnKind; 5] = [
    ColumnKind::Real,
    ColumnKind::Binary,
    ColumnKind::Levels(5),
    ColumnKind::Count,
    ColumnKind::Category(4),
];

/// The models that take a mixture of all the kinds that they take.
#[test]
fn few_models_take_mixed_columns() {
    let registry = Registry::standard();
    let takes = |name: &&str| {
        let kinds = registry.find(name).unwrap().kinds;
        let own: Vec<ColumnKind> =
            KINDS.into_iter().filter(|kind| kinds.contains(&kind.name())).collect();
        let columns = Columns::Each(own.iter().copied().cycle().take(6).collect());
        let data = DataSpec { columns, ..DataSpec::new(Domain::Real, Shape::columns(6), 3) };
        let built = registry.build(name, &Table::new(), &data, &Init::new(&cpu(), 0));
        own.len() > 1 && built.is_ok()
    };
    let mixed: Vec<&str> = registry.entries().iter().map(|e| e.name).filter(takes).collect();
    let mixed: Vec<&str> = mixed.into_iter().filter(|name| !is_family(name)).collect();
    assert_eq!(
        mixed,
        [
            "gaussian",
            "categorical",
            "multinomial",
            "gmm",
            "kde",
            "logistic",
            "qda",
            "lda",
            "naive-bayes",
            "linear",
            "kmeans",
            "dbscan",
            "hdbscan",
            "som"
        ]
    );
}

/// A mixture of all kinds: few models take it, and errors name those of the same task that do.
#[test]
fn the_error_for_a_kind_lists_the_models_that_take_the_data() {
    let counts = DataSpec {
        columns: Columns::Same(ColumnKind::Count),
        ..DataSpec::new(Domain::Real, Shape::columns(3), 0)
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
    let all =
        DataSpec { columns: Columns::Each(KINDS.to_vec()), shape: Shape::columns(5), ..counts };
    for entry in Registry::standard().entries() {
        if KINDS.iter().all(|kind| entry.kinds.contains(&kind.name())) {
            continue;
        }
        let error = build(entry.name, &all).err().unwrap().to_string();
        assert!(error.contains("column 'x"), "{error}");
    }
}
