//! The size of a model that is computed before it is built, compared with the model.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

#[path = "conformance/cases.rs"]
mod cases;

use ancestral::model::{DataSpec, Init, Model, ModelEntry, Size};
use ancestral::optim::Rule;
use ancestral::settings::normalize;
use ancestral::spec::cpu;
use ancestral::train::TrainConfig;
use ancestral::{Error, Registry};
use ancestral_data::{Domain, Shape};
use toml::{Table, Value};

use cases::find;

/// Numbers in all tensors of a model.
fn held(model: &dyn Model) -> u64 {
    model.tensors().iter().map(|(_, data)| data.shape().num_elements() as u64).sum()
}

fn size(entry: &ModelEntry, settings: &str, data: &DataSpec) -> ancestral::Result<Size> {
    (entry.size)(&settings.parse().unwrap(), data)
}

/// Block-triangular layers of many sizes.
#[test]
fn a_made_is_as_large_as_it_says_at_any_width() {
    let made = find("made");
    for (columns, levels) in [(1, 2), (2, 3), (7, 2), (64, 2), (65, 4), (150, 2), (150, 5)] {
        let data = DataSpec::new(Domain::Levels(levels), Shape::columns(columns), 0);
        for hidden in ["[1]", "[63]", "[64]", "[65, 200]", "[200, 3]", "[130, 129, 128]"] {
            for rest in ["", "direct = true", "masks = 2", "masks = 2\ncondition_on_mask = false"] {
                let settings = format!("hidden = {hidden}\n{rest}");
                let found = size(&made, &settings, &data).unwrap().parameters;
                let settings = settings.parse().unwrap();
                let model = (made.build)(&settings, &data, &Init::new(&cpu(), 0)).unwrap();
                assert_eq!(found, held(model.as_ref()), "{columns}, {levels}: {settings}");
            }
        }
    }
}

/// The data of a preset; without a preset, data of every kind.
fn meant_for(entry: &ModelEntry, preset: &str) -> Vec<DataSpec> {
    let image = |domain, side| DataSpec::new(domain, Shape::image(1, side, side), 10);
    let table = |domain, columns| DataSpec::new(domain, Shape::columns(columns), 0);
    let (bits, bytes) = (image(Domain::Binary, 28), image(Domain::Levels(256), 28));
    let mut all = match preset {
        "uria-2013" | "red-wine" => vec![table(Domain::Real, 11)],
        "uci" => vec![table(Domain::Binary, 123)],
        "dna" | "germain-2015-dna" => vec![table(Domain::Binary, 180)],
        "convolutional" => vec![bits, bytes, image(Domain::Levels(17), 8)],
        "denoising" | "28x28" | "compare" => vec![bytes],
        "none" => vec![
            bits,
            bytes,
            image(Domain::Levels(17), 8),
            DataSpec::new(Domain::Levels(256), Shape::image(3, 32, 32), 10),
            table(Domain::Binary, 180),
            table(Domain::Real, 11),
            table(Domain::Real, 2),
        ],
        _ => vec![bits, bytes],
    };
    all.retain(|data| data.check_kinds(entry.name, entry.kinds).is_ok());
    assert!(!all.is_empty(), "{} {preset}", entry.name);
    all
}

/// Every preset of every model, and each model without one.
fn presets() -> Vec<(ModelEntry, &'static str, Table)> {
    let mut all = Vec::new();
    for entry in Registry::standard().entries() {
        let none = [("none", "")];
        let named = entry.presets.iter().map(|preset| (preset.name, preset.settings));
        for (name, text) in none.into_iter().chain(named) {
            let table: Table = text.parse().unwrap();
            let group = |name: &str| table.get(name).and_then(Value::as_table).cloned();
            let settings = group("settings").or_else(|| group("model")).unwrap_or_default();
            let settings = normalize(&(entry.fields)(), &settings).unwrap();
            all.push((entry.clone(), name, settings));
        }
    }
    all
}

#[test]
fn every_preset_is_as_large_as_it_says() {
    let mut made = 0;
    for (entry, preset, settings) in presets() {
        for data in meant_for(&entry, preset) {
            let name =
                format!("{} {preset} on {} {}", entry.name, data.shape, data.domain().unwrap());
            // Some models take some data only.
            let size = match (entry.size)(&settings, &data) {
                Ok(size) => size,
                Err(error) => {
                    let init = Init::new(&cpu(), 0);
                    let built = (entry.build)(&settings, &data, &init).err().unwrap();
                    assert_eq!(error.to_string(), built.to_string(), "{name}");
                    continue;
                }
            };
            if ["dbscan", "hdbscan"].contains(&entry.name) {
                // They hold what they are fitted to.
                assert_eq!(size, Size::default(), "{name}");
                continue;
            }
            assert!(size.parameters > 0 && size.parameters < 1 << 31, "{name}: {size:?}");
            let bytes = size.step_bytes(100, Rule::Adam, true);
            assert!(bytes > size.bytes() && bytes < 32 << 30, "{name}: {size:?}");
            if size.bytes() < 100 << 20 {
                let model = (entry.build)(&settings, &data, &Init::new(&cpu(), 0)).unwrap();
                assert_eq!(size.parameters, held(model.as_ref()), "{name}");
                made += 1;
            }
        }
    }
    assert!(made > 100, "{made}");
}

#[test]
fn a_step_takes_more_where_more_is_asked_for() {
    let data = DataSpec::new(Domain::Binary, Shape::image(1, 28, 28), 10);
    let bytes = |name: &str, settings: &str, batch| {
        size(&find(name), settings, &data).unwrap().step_bytes(batch, Rule::Adam, false)
    };
    for (name, less, more) in [
        ("vae", "importance_samples = 1", "importance_samples = 50"),
        ("vae", "hidden = [[200]]", "hidden = [[200, 200]]"),
        ("iwae", "", "doubly_reparameterised = true"),
        ("made", "", "masks = 2"),
        ("deep-nade", "hidden = [50]", "hidden = [500]"),
        ("nade", "hidden = 50", "hidden = 500"),
        ("wgan-gp", "penalty = 'none'", "penalty = 'gradient'"),
        ("gan", "", "critic_norm = 'spectral'"),
        ("gan", "", "augment = 0.5"),
        ("features", "dropout = 0.0", "dropout = 0.5"),
    ] {
        let (less, more) = (bytes(name, less, 200), bytes(name, more, 200));
        assert!(less < more, "{name}: {less} {more}");
        assert!(bytes(name, "", 100) < bytes(name, "", 200), "{name}");
    }
    let size = size(&find("vae"), "", &data).unwrap();
    let step = |rule, averaged| size.step_bytes(100, rule, averaged);
    assert_eq!(step(Rule::Adam, false) - step(Rule::Sgd, false), 4 * size.trained);
    assert_eq!(step(Rule::Adam, true) - step(Rule::Adam, false), 4 * size.trained);
}

/// Sizes beyond any memory are counted without allocating.
#[test]
fn absurd_sizes_are_counted_to_the_end() {
    let image = DataSpec::new(Domain::Binary, Shape::image(1, 28, 28), 10);
    let huge =
        DataSpec::new(Domain::Levels(u32::MAX), Shape::image(1, 1 << 15, 1 << 16), usize::MAX);
    let beyond = DataSpec::new(Domain::Binary, Shape::columns(usize::MAX), 0);
    let most = i64::MAX;
    for (name, settings) in [
        ("vae", format!("hidden = [[{most}, {most}]]")),
        ("vae", format!("latent_dims = [{most}]")),
        ("vae", format!("channels = [{most}]")),
        ("vae", format!("importance_samples = {most}")),
        ("ae", format!("latent_dims = {most}\nchannels = [{most}, 1]")),
        ("nade", format!("hidden = {most}")),
        ("deep-nade", format!("hidden = [{most}]")),
        ("deep-nade", format!("hidden = [{most}]\nevery_conditional = true")),
        ("made", format!("hidden = [{most}, {most}]")),
        ("made", format!("hidden = [{most}]\nmasks = 0")),
        ("fvsbn", String::new()),
        ("gan", format!("latent_dims = {most}\nfeatures = {most}")),
        ("gan", format!("generator_hidden = [{most}]\ncritic_hidden = [{most}]\nnetwork = 'mlp'")),
        ("cgan", String::new()),
        ("infogan", format!("categories = {most}\ncontinuous = {most}")),
        ("began", format!("code_dim = {most}")),
        ("features", format!("channels = [{most}]\ndim = {most}")),
        ("bernoulli", String::new()),
        ("gaussian", "covariance = 'diagonal'".to_owned()),
    ] {
        for data in [&image, &huge, &beyond] {
            // Some settings are refused; nothing overflows, panics or takes long.
            if let Ok(size) = size(&find(name), &settings, data) {
                let least = if data.shape == image.shape { 784 } else { 1 << 31 };
                assert!(size.parameters >= least, "{name} {settings}: {size:?}");
                let bytes = size.step_bytes(usize::MAX, Rule::Adam, true);
                assert!(bytes >= size.bytes(), "{name} {settings}: {bytes}");
            }
        }
    }
    let rnade = format!("components = {most}\nhidden = {most}");
    let reals = DataSpec::new(Domain::Real, Shape::columns(2), 0);
    assert_eq!(size(&find("rnade"), &rnade, &reals).unwrap().parameters, u64::MAX);
}

#[test]
fn a_model_that_is_too_large_is_refused_with_what_to_lower() {
    let registry = Registry::standard().with_memory_limit(256 << 20);
    let image = DataSpec::new(Domain::Binary, Shape::image(1, 28, 28), 10);
    let wide = DataSpec::new(Domain::Real, Shape::columns(100_000), 0);
    for (name, settings, data, expected) in [
        ("vae", "hidden = [[10000000]]", &image, "hidden"),
        ("vae", "latent_dims = [9000000000000000000]", &image, "latent_dims"),
        ("vae", "channels = [1000000000]", &image, "channels"),
        ("made", "hidden = [100000000]", &image, "hidden"),
        ("nade", "hidden = 1000000000", &image, "hidden"),
        ("gan", "features = 10000\nnetwork = 'dcgan'", &image, "features"),
        ("began", "code_dim = 100000000", &image, "code_dim"),
        ("rnade", "components = 100000000", &wide, "components"),
        ("gaussian", "covariance = 'diagonal'", &wide, "the size of the data (100000 an example)"),
    ] {
        let init = Init::new(&cpu(), 0);
        let error = registry.build(name, &settings.parse().unwrap(), data, &init).err().unwrap();
        let Error::Memory { needed, free, lower, .. } = &error else { panic!("{name}: {error}") };
        assert_eq!((lower.as_str(), *free), (expected, 256 << 20), "{name} {settings}");
        assert!(needed > free, "{name}: {error}");
    }
    // Models that fit are built, others are refused before anything is allocated.
    assert!(registry.build("vae", &Table::new(), &image, &Init::new(&cpu(), 0)).is_ok());
}

#[test]
fn a_training_that_is_too_large_is_refused_with_what_to_lower() {
    let registry = Registry::standard().with_memory_limit(256 << 20);
    let image = DataSpec::new(Domain::Binary, Shape::image(1, 28, 28), 10);
    let check = |settings: &str, train: &str, examples| {
        let train = TrainConfig::parse(&train.parse().unwrap()).unwrap();
        let settings = settings.parse().unwrap();
        ancestral::train::check_memory(&registry, ("vae", &settings), &image, &train, examples)
    };
    assert!(check("", "", 1_000_000).is_ok());
    // A batch has no more examples than the data.
    assert!(check("", "batch_size = 1000000000", 100).is_ok());
    for (settings, train, lower) in [
        ("", "batch_size = 1000000000", "batch_size"),
        ("importance_samples = 1000000000", "batch_size = 1", "importance_samples"),
        // The weights fit, but not their gradients and moments.
        ("hidden = [[20000]]", "", "hidden"),
    ] {
        let error = check(settings, train, 1_000_000).unwrap_err().to_string();
        assert!(error.contains(&format!("; lower {lower}")), "{settings} {train}: {error}");
        assert!(error.contains("training vae with batches of"), "{error}");
    }
}
