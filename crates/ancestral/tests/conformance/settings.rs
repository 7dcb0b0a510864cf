//! Settings of particular models and of the training loop: invalid values and their messages.

use ancestral::Registry;
use ancestral::model::{Init, Model, ModelEntry};
use ancestral::settings::{SettingKind, Settings};
use ancestral::spec::cpu;
use ancestral::train::TrainConfig;
use ancestral_data::{Dataset, Domain};
use toml::{Table, Value};

use crate::cases::{data, find, spec};
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
        ("qda", "reg_param = 1.5", "reg_param"),
        ("lda", "shrinkage = -0.1", "shrinkage"),
        ("naive-bayes", "alpha = -1.0", "alpha"),
        ("naive-bayes", "columns = 'best'", "columns"),
        ("linear", "penalty = -1.0", "penalty"),
        ("linear", "target = 'price'", "the columns are x0, x1"),
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

fn built(entry: &ModelEntry, data: &Dataset, settings: &Table) -> Box<dyn Model> {
    (entry.build)(settings, &spec(data), &Init::new(&cpu(), 3)).unwrap()
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
        let build = |text: &str| built(&entry, &data, &text.parse().unwrap());
        let (one, list) = (build(one), build(list));
        assert_eq!(one.settings(), list.settings(), "{model}");
        assert_eq!(one.tensors(), list.tensors(), "{model}");
    }
}

/// The suite tries all names of a setting; these must be among them.
#[test]
fn old_names_of_settings_are_kept() {
    let all = |models: &[&'static str], names: [&str; 2]| {
        for model in models {
            let fields = (find(model).fields)();
            let of = |name: &str| fields.iter().position(|field| field.is(name));
            assert!(of(names[0]).is_some(), "{model}: {}", names[0]);
            assert_eq!(of(names[0]), of(names[1]), "{model}: {names:?}");
        }
    };
    all(&["vae", "iwae", "ae", "gan", "wgan-gp", "dcgan"], ["latent_dim", "latent_dims"]);
    all(&["iwae"], ["doubly_reparameterized", "doubly_reparameterised"]);
    let of = |text: &str| loop_settings(text);
    assert_eq!(of("optimizer = 'sgd'"), of("optimiser = 'sgd'"));
    assert_ne!(of("optimizer = 'sgd'"), of(""));
    let both = "optimizer = 'sgd'\noptimiser = 'sgd'".parse().unwrap();
    assert!(TrainConfig::parse(&both).unwrap_err().to_string().contains("given twice"));
}

#[test]
fn settings_of_the_training_loop_read_back_to_the_same() {
    let fields = TrainConfig::fields();
    let defaults: Table =
        fields.iter().map(|field| (field.name.to_owned(), field.default.clone())).collect();
    assert_eq!(TrainConfig::parse(&defaults).unwrap(), TrainConfig::default());
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

/// The least value of a number, or of those of a list.
fn least(kind: &SettingKind) -> f64 {
    use std::ops::Bound;
    match kind {
        SettingKind::Real { min: Bound::Included(min) | Bound::Excluded(min), .. } => *min,
        SettingKind::Real { min: Bound::Unbounded, .. } => f64::NEG_INFINITY,
        SettingKind::List(of) => least(of),
        _ => 0.0,
    }
}

/// So that the suite can try negative numbers on every setting, but on where a support begins.
#[test]
fn a_location_alone_may_be_negative() {
    let registry = Registry::standard();
    let groups = registry.entries().iter().map(|entry| (entry.name, (entry.fields)()));
    for (group, fields) in groups.chain([("train", TrainConfig::fields())]) {
        for field in fields {
            let may_be = field.name == "location";
            assert_eq!(least(&field.kind) < 0.0, may_be, "{group}: {}", field.name);
        }
    }
}

#[test]
fn invalid_numbers_are_refused_by_the_training_loop() {
    let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -1e-9, f64::MIN, 1.5];
    let all = numbers.map(Value::Float).into_iter().chain([-1, i64::MIN].map(Value::Integer));
    let (all, mut tried) = (all.collect::<Vec<_>>(), 0);
    for field in TrainConfig::fields() {
        for value in &all {
            // 1.5 is valid for reals.
            let real = matches!(field.kind, SettingKind::Real { .. });
            let number = real || matches!(field.kind, SettingKind::Int { .. });
            if !number || real && *value == Value::Float(1.5) {
                continue;
            }
            for called in [field.name].into_iter().chain(field.aliases.to_owned()) {
                let table = [(called.to_owned(), value.clone())].into_iter().collect();
                let error = TrainConfig::parse(&table).err();
                let error = error.unwrap_or_else(|| panic!("{called} = {value} was taken"));
                let start = format!("setting '{}' is {value}; ", field.name);
                assert!(error.to_string().starts_with(&start), "{called} = {value}: {error}");
            }
            // A group that was built in code, not parsed.
            let mut table = TrainConfig::default().to_table();
            table.insert(field.name.to_owned(), value.clone());
            let Ok(config) = table.try_into::<TrainConfig>() else { continue };
            tried += 1;
            let error = config.check().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(&format!("setting '{}'", field.name)), "{value}: {error}");
        }
    }
    assert!(tried > 50, "{tried}");
}
