//! Settings: invalid values and their messages.

use std::collections::BTreeSet;

use ancestral::Result;
use ancestral::model::{Init, Model, ModelEntry};
use ancestral::settings::{Field, SettingKind, Settings, normalize};
use ancestral::spec::cpu;
use ancestral::train::TrainConfig;
use ancestral_data::{Dataset, Domain};
use toml::{Table, Value};

use crate::cases::{adversarial, cases, data, find, label, spec};
use crate::support::loop_settings;

#[test]
fn bad_settings_are_errors_that_name_the_setting() {
    for (model, text, expected) in [
        ("vae", "latent_dims = []", "latent_dims"),
        ("vae", "latent_dims = [0]", "latent_dims"),
        ("vae", "hidden = [[8], [8]]", "hidden"),
        ("vae", "activation = 'sin'", "activation"),
        ("vae", "likelihood = 'gaussian'", "likelihood"),
        ("vae", "beta = -1.0", "beta"),
        ("vae", "beta = nan", "beta"),
        ("vae", "importance_samples = 0", "importance_samples"),
        ("vae", "importance_samples = 2\nbeta = 2.0", "importance_samples"),
        ("vae", "free_bits = -0.1", "free_bits"),
        ("vae", "channels = [4]", "channels"),
        ("vae", "doubly_reparameterised = true", "doubly_reparameterized"),
        ("vae", "latent_dimz = 3", "did you mean 'latent_dims'"),
        ("ae", "latent_dim = 0", "latent_dims"),
        ("ae", "hidden = [0]", "hidden"),
        ("ae", "loss = 'cubic'", "loss"),
        ("ae", "corruption = 'salt'", "corruption"),
        ("ae", "corruption = 'masking'\nnoise = 1.0", "noise"),
        ("ae", "noise = nan", "noise"),
        ("nade", "hidden = 0", "hidden"),
        ("nade", "order = 'spiral'", "order"),
        ("nade", "hiden = 3", "did you mean 'hidden'"),
        ("deep-nade", "hidden = []", "hidden"),
        ("deep-nade", "hidden = [0]", "hidden"),
        ("deep-nade", "activation = 'leaky-relu'", "activation"),
        ("deep-nade", "every_conditional = true", "every_conditional"),
        ("deep-nade", "components = 0", "components"),
        ("made", "hidden = [0]", "hidden"),
        ("made", "hidden = []", "direct"),
        ("made", "activation = 'sin'", "activation"),
        ("fvsbn", "order = 'spiral'", "order"),
        ("rnade", "components = 0", "components"),
        ("rnade", "family = 'cauchy'", "family"),
        ("rnade", "hidden = 3", "takes real columns"),
        ("features", "dim = 0", "dim"),
        ("features", "dropout = 1.0", "dropout"),
        ("features", "activation = 'sin'", "activation"),
        ("features", "channels = [4]", "channels"),
        ("gaussian", "covariance = 'round'", "covariance"),
        ("gaussian", "variance_floor = -1.0", "variance_floor"),
        ("bernoulli", "pseudo_count = -1.0", "pseudo_count"),
        ("logistic", "penalty = -1.0", "penalty"),
        ("logistic", "penalty = inf", "penalty"),
        ("logistic", "tolerance = 0.0", "tolerance"),
        ("logistic", "max_iterations = 0", "max_iterations"),
    ] {
        let entry = find(model);
        let data = data(Domain::Binary);
        let result = (entry.build)(&text.parse().unwrap(), &spec(&data), &Init::new(&cpu(), 0));
        let error = result.err().unwrap_or_else(|| panic!("{model}: {text} was taken"));
        assert!(error.to_string().contains(expected), "{model}: {text}: {error}");
    }
    for (text, expected) in [
        ("batch_size = 0", "batch_size"),
        ("learning_rate = 0.0", "learning_rate"),
        ("learning_rate = inf", "learning_rate"),
        ("beta1 = 1.0", "beta1"),
        ("epochs = 0", "epochs"),
        ("optimiser = 'adamm'", "optimizer"),
        ("step_gamma = nan", "step_gamma"),
        ("seconds = inf", "seconds"),
        ("optimiser = 'adadelta'\nepsilon = 0.0", "epsilon"),
        ("schedule = 'cosin'", "schedule"),
        ("schedule = 'inverse'\ninverse_decay = -0.1", "inverse_decay"),
        ("inverse_decay = nan", "inverse_decay"),
        ("average_decay = 1.0", "average_decay"),
    ] {
        let error = TrainConfig::parse(&text.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}

/// Every entry with the data and the settings of its first case.
fn one_of_each() -> Vec<(ModelEntry, Dataset, Table)> {
    let mut first: Vec<(ModelEntry, Dataset, Table)> = Vec::new();
    for case in cases() {
        if !first.iter().any(|(entry, _, _)| entry.name == case.0.name) {
            first.push(case);
        }
    }
    first
}

fn built(entry: &ModelEntry, data: &Dataset, settings: &Table) -> Result<Box<dyn Model>> {
    (entry.build)(settings, &spec(data), &Init::new(&cpu(), 3))
}

#[test]
fn defaults_are_read_and_are_what_is_taken() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let fields = (entry.fields)();
        let defaults: Table =
            fields.iter().map(|field| (field.name.to_owned(), field.default.clone())).collect();
        let read = normalize(&fields, &defaults).unwrap();
        for field in &fields {
            assert_eq!(read[field.stored], field.default, "{name}: {}", field.name);
            assert!(!field.doc.is_empty() && !field.name.is_empty(), "{name}");
            let same = fields.iter().filter(|other| other.is(field.name)).count();
            assert_eq!(same, 1, "{name}: two settings answer to {}", field.name);
        }
        // Adversarial networks on rows of few columns start from other settings than on images.
        if adversarial(entry.name) && data.shape.size() <= 8 {
            continue;
        }
        let taken = built(&entry, &data, &settings).unwrap().settings();
        let given = normalize(&fields, &settings).unwrap();
        for field in &fields {
            let expected = given.get(field.stored).unwrap_or(&field.default);
            assert_eq!(&taken[field.stored], expected, "{name}: {}", field.name);
        }
        assert_eq!(taken.len(), fields.len(), "{name}");
    }
    let fields = TrainConfig::fields();
    let defaults: Table =
        fields.iter().map(|field| (field.name.to_owned(), field.default.clone())).collect();
    assert_eq!(TrainConfig::parse(&defaults).unwrap(), TrainConfig::default());
}

#[test]
fn presets_are_read() {
    for (entry, data, _) in one_of_each() {
        let mut names = BTreeSet::new();
        let own = (entry.train)(&spec(&data));
        TrainConfig::parse(&own).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
        for preset in entry.presets {
            let name = format!("{}, preset {}", entry.name, preset.name);
            assert!(names.insert(preset.name), "{name}: there are two");
            assert!(!preset.about.is_empty(), "{name}");
            let table: Table = preset.settings.parse().unwrap();
            for (group, settings) in table {
                let settings = settings.as_table().unwrap();
                let problem = match group.as_str() {
                    "settings" | "model" => normalize(&(entry.fields)(), settings).err(),
                    "train" => {
                        let mut all = normalize(&TrainConfig::fields(), &own).unwrap();
                        all.extend(normalize(&TrainConfig::fields(), settings).unwrap());
                        TrainConfig::parse(settings).and(TrainConfig::parse(&all)).err()
                    }
                    "data" => None,
                    _ => panic!("{name}: an unknown table '{group}'"),
                };
                assert!(problem.is_none(), "{name}: {}", problem.unwrap());
            }
        }
    }
}

#[test]
fn settings_that_were_read_read_back_to_the_same() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let fields = (entry.fields)();
        let model = built(&entry, &data, &settings).unwrap();
        let kept = model.settings();
        assert_eq!(normalize(&fields, &kept).unwrap(), kept, "{name}");
        let again = built(&entry, &data, &kept).unwrap();
        assert_eq!(again.settings(), kept, "{name}");
        assert_eq!(again.tensors(), model.tensors(), "{name}");
        // Through text, too, as stored in run folders.
        let text: Table = kept.to_string().parse().unwrap();
        assert_eq!(built(&entry, &data, &text).unwrap().settings(), kept, "{name}");
        for (given, value) in normalize(&fields, &settings).unwrap() {
            assert_eq!(kept[&given], value, "{name}: {given} was given and is lost");
        }
    }
    for text in [
        "",
        "optimizer = 'adamw'\nlearning_rate = 1e-300\nepsilon = 0.1\nsteps = 9007199254740993",
        "epochs = 0\nseconds = 0.1\nschedule = 'step'\nstep_gamma = 1\nnesterov = true",
    ] {
        let config = loop_settings(text);
        assert_eq!(TrainConfig::parse(&config.to_table()).unwrap(), config, "{text}");
        let stored: Table = config.to_table().to_string().parse().unwrap();
        assert_eq!(TrainConfig::parse(&stored).unwrap(), config, "{text}");
    }
}

/// The same under each of its names.
fn spelled(settings: &Table, field: &Field, value: &Value) -> Vec<(&'static str, Table)> {
    let names = [field.name, field.stored].into_iter().chain(field.aliases.iter().copied());
    names
        .map(|name| {
            let mut settings = settings.clone();
            settings.retain(|name, _| !field.is(name));
            settings.insert(name.to_owned(), value.clone());
            (name, settings)
        })
        .collect()
}

#[test]
fn all_names_of_a_setting_give_the_same_model() {
    let mut compared = BTreeSet::new();
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let base = built(&entry, &data, &settings).unwrap().settings();
        for field in (entry.fields)() {
            if field.name == field.stored && field.aliases.is_empty() {
                continue;
            }
            let value = match &base[field.stored] {
                Value::Boolean(is) => Value::Boolean(!is),
                other => other.clone(),
            };
            let models: Vec<_> = spelled(&settings, &field, &value)
                .into_iter()
                .map(|(called, settings)| {
                    let built = built(&entry, &data, &settings);
                    let what = built.map(|model| (model.settings(), model.tensors()));
                    (called, what.map_err(|error| error.to_string()))
                })
                .collect();
            for (called, model) in &models {
                assert!(*model == models[0].1, "{name}: {called} and {}", models[0].0);
                if let Ok((settings, _)) = model {
                    assert_eq!(settings[field.stored], value, "{name}: {called}");
                    compared.insert((entry.name, *called));
                }
            }
            // Given twice, it is refused.
            let mut twice = settings.clone();
            for (called, _) in &models {
                twice.insert((*called).to_owned(), value.clone());
            }
            let error = built(&entry, &data, &twice).err().unwrap().to_string();
            assert!(error.contains("given twice"), "{name}: {error}");
        }
    }
    for name in ["latent_dim", "latent_dims"] {
        for model in ["vae", "iwae", "ae", "gan", "wgan-gp", "dcgan"] {
            assert!(compared.contains(&(model, name)), "{model}: {name} was not tried");
        }
    }
    for name in ["doubly_reparameterized", "doubly_reparameterised"] {
        assert!(compared.contains(&("iwae", name)), "{name} was not tried");
    }
    let of = |text: &str| loop_settings(text);
    assert_eq!(of("optimizer = 'sgd'"), of("optimiser = 'sgd'"));
    assert_ne!(of("optimizer = 'sgd'"), of(""));
    let both = "optimizer = 'sgd'\noptimiser = 'sgd'".parse().unwrap();
    assert!(TrainConfig::parse(&both).unwrap_err().to_string().contains("given twice"));
}

#[test]
fn a_number_stands_for_a_list_of_one() {
    for (model, one, list) in [
        ("vae", "latent_dims = 2\nhidden = [[8]]", "latent_dims = [2]\nhidden = [[8]]"),
        ("vae", "latent_dim = 2\nhidden = 8", "latent_dims = [2]\nhidden = [[8]]"),
        ("iwae", "latent_dims = 2\nhidden = [8, 7]", "latent_dims = [2]\nhidden = [[8, 7]]"),
        ("ae", "hidden = 8", "hidden = [8]"),
        ("made", "hidden = 8", "hidden = [8]"),
        ("deep-nade", "hidden = 8.0", "hidden = [8]"),
        ("gan", "critic_hidden = 8", "critic_hidden = [8]"),
    ] {
        let (entry, data) = (find(model), data(Domain::Binary));
        let build = |text: &str| built(&entry, &data, &text.parse().unwrap()).unwrap();
        let (one, list) = (build(one), build(list));
        assert_eq!(one.settings(), list.settings(), "{model}");
        assert_eq!(one.tensors(), list.tensors(), "{model}");
    }
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
        SettingKind::Bool | SettingKind::Choice(_) => Vec::new(),
    }
}

#[test]
fn invalid_numbers_numbers_are_refused_by_every_setting() {
    let mut tried = 0;
    for (entry, data, settings) in one_of_each() {
        let fields = (entry.fields)();
        for field in &fields {
            for value in invalid_numbers(&field.kind) {
                tried += 1;
                for (called, settings) in spelled(&settings, field, &value) {
                    let what = format!("{}: {called} = {value}", entry.name);
                    let alone = [(called.to_owned(), value.clone())].into_iter().collect();
                    for error in
                        [normalize(&fields, &alone).err(), built(&entry, &data, &settings).err()]
                    {
                        let error = error.unwrap_or_else(|| panic!("{what} was taken"));
                        let said = error.to_string();
                        let start = format!("setting '{}' is {value}; ", field.name);
                        assert!(said.starts_with(&start), "{what}: {said}");
                        assert!(error.is_usage(), "{what}");
                    }
                }
            }
        }
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn invalid_numbers_numbers_are_refused_by_the_training_loop() {
    let fields = TrainConfig::fields();
    let mut tried = 0;
    for field in &fields {
        for value in invalid_numbers(&field.kind) {
            for (called, settings) in spelled(&Table::new(), field, &value) {
                let what = format!("{called} = {value}");
                let error = TrainConfig::parse(&settings).err();
                let error = error.unwrap_or_else(|| panic!("{what} was taken")).to_string();
                let start = format!("setting '{}' is {value}; ", field.name);
                assert!(error.starts_with(&start), "{what}: {error}");
            }
            // A group that was built in code, not parsed.
            let mut table = TrainConfig::default().to_table();
            table.insert(field.stored.to_owned(), value.clone());
            let Ok(config) = table.try_into::<TrainConfig>() else { continue };
            tried += 1;
            let error = config.check().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(&format!("setting '{}'", field.name)), "{value}: {error}");
        }
    }
    assert!(tried > 50, "{tried}");
}
