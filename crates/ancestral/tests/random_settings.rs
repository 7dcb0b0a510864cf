//! Random settings, valid and invalid, on small data: each is refused with a message, or builds a model
//! that takes a step; none panics.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

#[path = "conformance/cases.rs"]
mod cases;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ancestral::model::{
    BatchIterator, ColumnKind, Columns, DataSpec, Init, ModelEntry, StepContext, Task, fit,
};
use ancestral::optim::Optimizers;
use ancestral::settings::{Field, SettingKind, normalize};
use ancestral::spec::cpu;
use ancestral::train::{TrainConfig, check_memory};
use ancestral::{Registry, Result};
use ancestral_data::{
    Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Streams, Values,
};
use rand::Rng;
use rand::rngs::ChaCha8Rng;
use toml::{Table, Value};

use cases::spec;

/// Number of random settings.
const TRIED: u64 = 700;
/// One in so many has no invalid value.
const SENSIBLE: u64 = 2;
/// Fields of a model that are set at one time.
const FIELDS: usize = 4;
/// Examples of a batch, which are all there are.
const EXAMPLES: usize = 8;
/// The largest whole number of a clustering's settings, which ask for as much work.
const WORK: i64 = 17;
/// Bytes that a model and its training may take.
const LIMIT: u64 = 256 << 20;

/// Small networks, unless a setting overrides them.
const SMALL: [(&str, &str); 8] = [
    ("generator_hidden", "[8, 6]"),
    ("critic_hidden", "[7, 5]"),
    ("latent_dim", "3"),
    ("network", "'mlp'"),
    ("features", "2"),
    ("code_dim", "3"),
    ("components", "2"),
    ("importance_samples", "2"),
];

/// Small data of several shapes and kinds, with classes and without.
fn data() -> Vec<Dataset> {
    let shapes = [
        (Domain::Binary, Shape::columns(6), 3),
        (Domain::Binary, Shape::image(1, 9, 8), 0),
        (Domain::Levels(2), Shape::columns(1), 2),
        (Domain::Levels(5), Shape::image(1, 8, 8), 3),
        (Domain::Levels(256), Shape::image(3, 8, 16), 0),
        (Domain::Real, Shape::columns(2), 0),
        (Domain::Real, Shape::columns(9), 3),
        (Domain::Real, Shape::image(1, 4, 4), 1),
    ];
    shapes.into_iter().map(|(domain, shape, classes)| small(domain, shape, classes)).collect()
}

fn small(domain: Domain, shape: Shape, classes: u32) -> Dataset {
    let count = EXAMPLES * shape.size();
    let uniforms = Streams::new(3).purpose("data", 0).uniforms(&[0], count);
    let values = match domain {
        Domain::Real => {
            Values::Reals(uniforms.into_iter().map(|u| f64::from(4.0 * u - 1.0)).collect())
        }
        discrete => {
            let levels = (discrete.max_level().unwrap() + 1) as f32;
            Values::Bytes(uniforms.into_iter().map(|u| (u * levels) as u8).collect())
        }
    };
    let labels = (classes > 0).then(|| (0..EXAMPLES as u32).map(|i| i % classes).collect());
    Dataset::new("small", domain, shape, Split { values, labels }, None, None).unwrap()
}

/// Tables of several kinds of columns, for which models are at least built.
fn tables() -> Vec<DataSpec> {
    use ColumnKind as Kind;
    [
        vec![Kind::Real, Kind::Count, Kind::Binary, Kind::Levels(4), Kind::Category(3)],
        vec![Kind::Category(1), Kind::Category(u32::MAX)],
        vec![Kind::Count; 3],
        vec![Kind::Levels(u32::MAX); 2],
    ]
    .into_iter()
    .map(|kinds| DataSpec {
        shape: Shape::columns(kinds.len()),
        columns: Columns::Each(kinds),
        classes: 2,
        names: Vec::new(),
        class_names: Vec::new(),
        offset: Vec::new(),
        scale: Vec::new(),
        histogram: Vec::new(),
    })
    .collect()
}

fn pick<'a, T>(rng: &mut ChaCha8Rng, all: &'a [T]) -> &'a T {
    &all[rng.next_u32() as usize % all.len()]
}

/// A valid value of a setting, at the limits of its range or within.
fn sensible(rng: &mut ChaCha8Rng, kind: &SettingKind) -> Value {
    match kind {
        SettingKind::Bool => Value::Boolean(rng.next_u32().is_multiple_of(2)),
        SettingKind::Int { min, max } => {
            let within = [*min, min + 1, 2, 3, 5, 17, 64, 1000, *max];
            let number = (*pick(rng, &within)).clamp(*min, *max);
            Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
        }
        SettingKind::Real { min, max } => {
            use std::ops::Bound::{Excluded, Included, Unbounded};
            let low = match min {
                Included(low) => *low,
                Excluded(low) => low + 1e-9,
                Unbounded => -1.0,
            };
            let high = match max {
                Included(high) => *high,
                Excluded(high) => high - 1e-9,
                Unbounded => low + 10.0,
            };
            Value::Float(*pick(rng, &[low, high, 0.5 * (low + high), low + 1e-3 * (high - low)]))
        }
        SettingKind::Text => Value::String((*pick(rng, &["", "x0", "x1"])).to_owned()),
        SettingKind::Choice(choices) => Value::String(pick(rng, choices).name.to_owned()),
        SettingKind::List(entry) => {
            let length = *pick(rng, &[0usize, 1, 1, 2, 2, 3]);
            Value::Array((0..length).map(|_| sensible(rng, entry)).collect())
        }
    }
}

/// A value that is invalid for most settings.
fn absurd(rng: &mut ChaCha8Rng) -> Value {
    let list = |value: Value, times: usize| Value::Array(vec![value; times]);
    let deep = (0..40).fold(Value::Integer(1), |inner, _| list(inner, 1));
    let all = [
        Value::Integer(0),
        Value::Integer(-1),
        Value::Integer(i64::MAX),
        Value::Integer(i64::MIN),
        Value::Integer(1 << 20),
        Value::Integer(1 << 31),
        Value::Integer((1 << 53) + 1),
        Value::Float(1e300),
        Value::Float(-1e300),
        Value::Float(1e-320),
        Value::Float(-0.0),
        Value::Float(0.1),
        Value::Float(f64::NAN),
        Value::Float(f64::INFINITY),
        Value::String(String::new()),
        Value::String("wrong".to_owned()),
        Value::String("ε".repeat(1000)),
        Value::Boolean(true),
        list(Value::Integer(1), 0),
        list(Value::Integer(0), 1),
        list(Value::Integer(i64::MAX), 3),
        list(Value::Integer(1 << 20), 2),
        list(Value::Integer(1), 100),
        list(list(Value::Integer(1), 0), 3),
        list(list(Value::Integer(i64::MAX), 2), 2),
        list(list(Value::Float(f64::NAN), 1), 1),
        deep,
        Value::Table(Table::new()),
    ];
    pick(rng, &all).clone()
}

/// The settings of round `round`: each field of a model occurs in turn.
fn settings(rng: &mut ChaCha8Rng, fields: &[Field], round: usize, all_sensible: bool) -> Table {
    let mut table = Table::new();
    for (name, value) in SMALL {
        if let Some(field) = fields.iter().find(|field| field.name == name) {
            let value: Table = format!("v = {value}").parse().unwrap();
            table.insert(field.name.to_owned(), value["v"].clone());
        }
    }
    let odd = rng.next_u32() as usize % FIELDS;
    for i in 0..FIELDS.min(fields.len()) {
        let field = &fields[(round * FIELDS + i) % fields.len()];
        let value =
            if i == odd && !all_sensible { absurd(rng) } else { sensible(rng, &field.kind) };
        table.insert(field.name.to_owned(), value);
    }
    table
}

/// Builds the model and takes a training step, or fits it.
fn made(registry: &Registry, entry: &ModelEntry, settings: &Table, data: &Dataset) -> Result<()> {
    let (spec, config) = (spec(data), TrainConfig::default());
    check_memory(registry, (entry.name, settings), &spec, &config, EXAMPLES)?;
    registry.check_fit(entry.name, settings, &spec, EXAMPLES)?;
    let mut model = registry.build(entry.name, settings, &spec, &Init::new(&cpu(), 0))?;
    let examples = Examples::new(data, SplitName::Train, Binarize::None, 0)?;
    if let Some(estimator) = model.estimator() {
        return fit(estimator, &examples, 0).map(drop);
    }
    let model = model.trainable().unwrap();
    model.start(&examples)?;
    let mut optimizers = Optimizers::new(&config.optimizer_config());
    optimizers.begin_step(1, config.learning_rate);
    let mut context = StepContext {
        batches: &mut BatchIterator::new(examples, EXAMPLES, 0),
        optimizers: &mut optimizers,
        streams: Streams::new(0),
        step: 1,
        epoch: 0.0,
    };
    let metrics = model.step(&mut context)?;
    assert!(!metrics.is_empty());
    Ok(())
}

/// The message of a panic.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?").to_owned()
}

#[test]
fn settings_at_random_are_refused_or_take_a_step() {
    let registry = Registry::standard().with_memory_limit(LIMIT);
    let (entries, data, tables) = (registry.entries(), data(), tables());
    let (mut steps, mut refused, mut broken) = (0, 0, Vec::new());
    for number in 0..TRIED {
        let entry = &entries[number as usize % entries.len()];
        let round = number as usize / entries.len();
        let mut rng = Streams::new(1).item("settings", 0, number);
        let all_sensible = (number + round as u64).is_multiple_of(SENSIBLE);
        let fields = (entry.fields)();
        let mut settings = settings(&mut rng, &fields, round, all_sensible);
        if entry.tasks.contains(&Task::Clustering) {
            for (name, value) in &mut settings {
                // Numbers that are refused stay as they are.
                let alone = [(name.clone(), value.clone())].into_iter().collect();
                if let (Some(number), Ok(_)) = (value.as_integer(), normalize(&fields, &alone)) {
                    *value = number.min(WORK).into();
                }
            }
        }
        let fitting: Vec<&Dataset> =
            data.iter().filter(|d| spec(d).check_kinds(entry.name, entry.kinds).is_ok()).collect();
        let data = *pick(&mut rng, &fitting);
        let name =
            format!("{number}, {} on {} {}: {settings}", entry.name, data.shape, data.domain);
        let taken = catch_unwind(AssertUnwindSafe(|| made(&registry, entry, &settings, data)));
        match taken {
            Ok(Ok(())) => steps += 1,
            Ok(Err(error)) if error.to_string().is_empty() => {
                broken.push(format!("{name}: no words"))
            }
            Ok(Err(_)) => refused += 1,
            Err(panic) => broken.push(format!("{name}: {}", words(panic.as_ref()))),
        }
        // A table without a data set.
        let table = pick(&mut rng, &tables);
        let build =
            || registry.build(entry.name, &settings, table, &Init::new(&cpu(), 0)).map(drop);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(build)) {
            broken.push(format!("{name}, made for {table:?}: {}", words(panic.as_ref())));
        }
    }
    assert!(broken.is_empty(), "{} panicked:\n{}", broken.len(), broken.join("\n"));
    assert!(steps > 60 && refused > 60, "{steps} took a step and {refused} were refused");
}

/// Every field of every model occurs.
#[test]
fn every_field_is_tried() {
    let registry = Registry::standard();
    let rounds = TRIED as usize / registry.entries().len();
    for entry in registry.entries() {
        let fields = (entry.fields)().len();
        assert!(rounds * FIELDS >= fields, "{}: {fields} fields in {rounds} rounds", entry.name);
    }
}
