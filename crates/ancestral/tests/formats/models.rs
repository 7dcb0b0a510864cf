//! The words of every model: its tensors, its settings and its metrics.

use std::collections::{BTreeMap, BTreeSet};

use ancestral::Registry;
use ancestral::model::{BatchIterator, Init, Model, StepContext, fit};
use ancestral::optim::{OptimizerConfig, Optimizers};
use ancestral::run::DataConfig;
use ancestral::settings::{Field, SettingKind, Settings};
use ancestral::spec::cpu;
use ancestral::train::TrainConfig;
use ancestral_data::{Background, Binarize, Dataset, Domain, Streams};
use ancestral_test_support::{Listed, assert_listed, listed};

use crate::cases::{SMALL_NETWORKS, cases, data, examples, spec};

type Words = BTreeSet<String>;

/// The row of a table that names a model.
fn row<'a>(rows: &'a [Listed], model: &str) -> &'a Listed {
    let found: Vec<&Listed> =
        rows.iter().filter(|row| row.names.iter().any(|name| name == model)).collect();
    assert_eq!(found.len(), 1, "rows of docs/formats.md that name {model}");
    found[0]
}

/// Asserts that the models of each row have its words together, cell by cell.
fn assert_rows(heading: &str, found: &BTreeMap<&'static str, Vec<Words>>) {
    let rows = listed(heading);
    let mut joined: BTreeMap<&str, Vec<Words>> = BTreeMap::new();
    for (model, words) in found {
        let cells = joined.entry(row(&rows, model).of.as_str()).or_default();
        cells.resize(words.len(), Words::new());
        cells.iter_mut().zip(words).for_each(|(cell, words)| cell.extend(words.iter().cloned()));
    }
    let named: Words = rows.iter().flat_map(|row| row.names.iter().cloned()).collect();
    let known: Words = found.keys().map(|&model| model.to_owned()).collect();
    assert_listed(&format!("{heading}, models"), &known, &named);
    for Listed { of, cells, .. } in &rows {
        for (found, listed) in joined[of.as_str()].iter().zip(cells) {
            assert_listed(&format!("{heading}, {of}"), found, listed);
        }
    }
}

/// A tensor's name with `N` in the place of numbers.
fn numbered(name: &str) -> String {
    let part = |part: &str| match part.parse::<usize>() {
        Ok(_) => "N".to_owned(),
        Err(_) => part.to_owned(),
    };
    name.split('.').map(part).collect::<Vec<_>>().join(".")
}

/// The metrics of a training step and of validation.
fn metrics(model: &mut dyn Model, data: &Dataset) -> [Words; 2] {
    let Some(trainable) = model.trainable() else { return Default::default() };
    trainable.start(&examples(data)).unwrap();
    let mut batches = BatchIterator::new(examples(data), 7, 0);
    let mut optimizers = Optimizers::new(&OptimizerConfig::default());
    let mut context = StepContext {
        batches: &mut batches,
        optimizers: &mut optimizers,
        streams: Streams::new(0),
        step: 1,
        epoch: 0.0,
    };
    let step = trainable.step(&mut context).unwrap();
    let validated = trainable.validation(&examples(data).batch(&[0], 0)).unwrap();
    let name = validated.map(|_| trainable.validation_name().to_owned());
    [step.iter().map(|(name, _)| (*name).to_owned()).collect(), name.into_iter().collect()]
}

/// The tensors of adversarial networks with each normalization of each head.
fn tensors_of_critics() -> Words {
    let mut found = Words::new();
    let data = data(Domain::Levels(5));
    for norm in ["none", "batch", "layer", "spectral"] {
        for head in [
            "loss = 'began'",
            "conditioning = 'auxiliary'",
            "conditioning = 'projection'",
            "conditioning = 'mutual-information'",
        ] {
            let generator = if norm == "spectral" { "auto" } else { norm };
            let norms = format!("critic_norm = '{norm}'\ngenerator_norm = '{generator}'");
            let settings = format!("{SMALL_NETWORKS}{norms}\n{head}").parse().unwrap();
            let init = Init::new(&cpu(), 0);
            let model = Registry::standard().build("gan", &settings, &spec(&data), &init).unwrap();
            found.extend(model.tensors().into_iter().map(|(name, _)| numbered(&name)));
        }
    }
    found
}

#[test]
fn tensors_and_metrics_of_models_are_listed() {
    let mut tensors: BTreeMap<&'static str, Vec<Words>> = BTreeMap::new();
    let mut said: BTreeMap<&'static str, Vec<Words>> = BTreeMap::new();
    for (entry, data, settings) in cases() {
        let mut model = (entry.build)(&settings, &spec(&data), &Init::new(&cpu(), 0)).unwrap();
        if let Some(estimator) = model.estimator() {
            fit(estimator, &examples(&data), 0).unwrap();
        } else {
            let all = said.entry(entry.name).or_insert_with(|| vec![Words::new(); 2]);
            for (all, found) in all.iter_mut().zip(metrics(model.as_mut(), &data)) {
                all.extend(found);
            }
        }
        let names = model.tensors().into_iter().map(|(name, _)| numbered(&name));
        tensors.entry(entry.name).or_insert_with(|| vec![Words::new()])[0].extend(names);
    }
    tensors.get_mut("gan").unwrap()[0].extend(tensors_of_critics());
    assert_rows("Tensors", &tensors);
    assert_rows("Metrics", &said);
}

/// The choices of a setting.
fn choices(kind: &SettingKind) -> Words {
    match kind {
        SettingKind::Choice(choices) => choices.iter().map(|c| c.name.to_owned()).collect(),
        SettingKind::List(of) => choices(of),
        _ => Words::new(),
    }
}

/// The choices of the table `data`.
fn data_words() -> [(String, Words); 3] {
    let binarize = [Binarize::None, Binarize::Threshold, Binarize::Static, Binarize::Dynamic];
    let domains = [Domain::Binary, Domain::Levels(5), Domain::Real].map(data);
    let domains = domains.map(|data| DataConfig::describe(&data, Binarize::None).domain);
    let background = [Background::White, Background::Black];
    let stored =
        |background| toml::Value::try_from(background).unwrap().as_str().unwrap().to_owned();
    [
        ("data.binarize".to_owned(), binarize.iter().map(ToString::to_string).collect()),
        ("data.domain".to_owned(), domains.into_iter().collect()),
        ("data.background".to_owned(), background.into_iter().map(stored).collect()),
    ]
}

#[test]
fn stored_settings_and_their_words_are_listed() {
    let registry = Registry::standard();
    let mut groups: BTreeMap<&'static str, Vec<Field>> =
        registry.entries().iter().map(|entry| (entry.name, (entry.fields)())).collect();
    groups.insert("train", TrainConfig::fields());
    let mut words: BTreeMap<String, Words> = BTreeMap::new();
    let mut stored = BTreeMap::new();
    for (name, fields) in groups {
        let names: Words = fields.iter().map(|field| field.name.to_owned()).collect();
        stored.insert(name, vec![names]);
        for field in &fields {
            words.entry(field.name.to_owned()).or_default().extend(choices(&field.kind));
        }
    }
    assert_rows("Settings", &stored);
    words.retain(|_, words| !words.is_empty());
    words.extend(data_words());
    let rows = listed("Choices of settings");
    let named: Words = rows.iter().map(|row| row.of.clone()).collect();
    assert_listed("settings that are words", &words.keys().cloned().collect(), &named);
    for row in rows {
        assert_listed(&row.of, &words[&row.of], &row.words());
    }
}
