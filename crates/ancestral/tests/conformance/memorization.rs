//! Every model can memorize (overfit) a few examples.

use std::sync::atomic::AtomicBool;

use ancestral::Registry;
use ancestral::model::{
    Capability, DensityOptions, Init, Model, ModelEntry, SampleRequest, sample,
};
use ancestral::run::{RunFolder, Weights};
use ancestral::spec::cpu;
use ancestral::train::{NoopObserver, TrainConfig};
use ancestral_data::{Dataset, Domain, SplitName};
use toml::{Table, Value};

use crate::cases::{adversarial, cases, examples, label, spec};
use crate::support::{config, loop_settings, prepared, training};

/// The settings of a case with eight times as many units in every hidden layer and code.
fn widened(settings: &Table) -> Table {
    fn grown(value: &Value) -> Value {
        match value {
            Value::Integer(n) => Value::Integer(8 * n),
            Value::Array(values) => Value::Array(values.iter().map(grown).collect()),
            other => other.clone(),
        }
    }
    let sizes = |key: &str| {
        key.contains("hidden")
            || key.contains("latent")
            || ["channels", "features", "head"].contains(&key)
    };
    let mut settings = settings.clone();
    settings.iter_mut().filter(|(k, _)| sizes(k)).for_each(|(_, v)| *v = grown(v));
    settings
}

/// Whether samples only have to have the moments of the data: models with a gradient penalty.
fn held(entry: &ModelEntry, data: &Dataset) -> bool {
    entry.name == "wgan-gp" && data.domain == Domain::Real
}

/// Values of a batch by column.
fn columns(values: &[f64], size: usize) -> Vec<Vec<f64>> {
    let column = |j| values.iter().skip(j).step_by(size).copied().collect();
    (0..size).map(column).collect()
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// The entropy of the empirical distribution of rows, in nats: the lower bound of the mean −log p(x).
fn entropy(rows: impl Iterator<Item = Vec<u64>>) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    let mut n = 0.0;
    for row in rows {
        *counts.entry(row).or_insert(0.0) += 1.0;
        n += 1.0;
    }
    counts.values().map(|c| -c / n * f64::ln(c / n)).sum()
}

/// The settings and the training with which a case memorizes 16 examples.
fn memorizing(entry: &ModelEntry, data: &Dataset, settings: &Table) -> (Table, TrainConfig) {
    let settings = widened(settings);
    let builds = |settings: &Table| (entry.build)(settings, &spec(data), &Init::new(&cpu(), 0));
    let game = builds(&settings)
        .is_ok_and(|m| m.sampler().is_some() && m.density().is_none() && m.latent().is_none());
    // KL annealing, and a categorical likelihood: a mixture takes long to become as narrow as
    // one of 256 levels.
    let warm = ("kl_warmup_epochs", Value::Float(300.0));
    let levels = ("likelihood", Value::String("categorical".to_owned()));
    let mut wanted = vec![warm];
    wanted.extend((data.domain == Domain::Levels(256)).then_some(levels));
    let mut settings = wanted.into_iter().fold(settings, |settings, (name, value)| {
        let mut more = settings.clone();
        more.insert(name.to_owned(), value);
        if builds(&more).is_ok() { more } else { settings }
    });
    if game {
        // With smooth activations it loses whole clusters.
        settings.retain(|name, _| !name.ends_with("activation"));
        // The same learning rate for both networks; regularized critics need more steps.
        settings.insert("critic_rate".to_owned(), Value::Float(1.0));
        if ["sngan", "began"].contains(&entry.name) {
            settings.insert("critic_steps".to_owned(), Value::Integer(5));
        }
        let epochs = if data.shape.as_image().is_some() { 1500 } else { 4000 };
        let train = format!("epochs = {epochs}\nlearning_rate = 1e-3\nbeta1 = 0.0\nbeta2 = 0.9");
        (settings, loop_settings(&format!("{train}\nschedule = 'cosine'\nsample_count = 0")))
    } else {
        // A network for all orderings has more to learn.
        let every_order =
            entry.capabilities.iter().any(|can| matches!(can, Capability::EnsembleDensity(_)));
        let epochs = if every_order { 2500 } else { 1500 };
        let train = "learning_rate = 0.01\nschedule = 'cosine'\nsample_count = 0";
        (settings, loop_settings(&format!("epochs = {epochs}\n{train}")))
    }
}

/// A model that has memorized 16 examples has, by capability:
/// - probabilities: a mean −log p(x) between the entropy of the 16 examples (ln 16 nats if they
///   differ), which is the lower bound, and that of independent entries: less than a third of the way
///   (half of it for an ensemble over orderings, four fifths without hidden layers);
/// - a density: at least one nat per column better than the best diagonal Gaussian;
/// - codes or classes only: at most a twentieth of the initial error;
/// - samples only: at most three quarters of the distance to the nearest of the 16 that untrained
///   samples have; for real data with a gradient penalty, the means and deviations of the data.
#[test]
fn sixteen_examples_are_memorized() {
    let dir = tempfile::tempdir().unwrap();
    let first: Vec<usize> = (0..16).collect();
    for (i, (entry, data, settings)) in cases().into_iter().enumerate() {
        let (settings, train) = memorizing(&entry, &data, &settings);
        let name = label(&entry, &data, &settings);
        let size = data.shape.size();
        let split = data.split(SplitName::Train).unwrap().gather(&first, size);
        let data = Dataset::new("sixteen", data.domain, data.shape.clone(), split, None, None);
        let data = data.unwrap();
        let batch = examples(&data).batch(&(0..16).collect::<Vec<_>>(), 0);
        let config = config(&entry, &data, &settings, train);
        let mut model = prepared(&entry, &data, &settings, &Init::new(&cpu(), config.seed));
        // Of adversarial networks on real data one suffices, the one with a gradient penalty; and
        // batch normalization over 16 images is not representative, so of those only infogan.
        let small = adversarial(entry.name)
            && (data.domain == Domain::Real && !held(&entry, &data)
                || data.shape.as_image().is_some() && entry.name != "infogan");
        // A standard deviation that is the same for all codes stays wide, and the codes unused; and a
        // Gaussian has one mode where a pixel has several values.
        let likelihood = settings.get("likelihood").and_then(Value::as_str).unwrap_or_default();
        let wide = likelihood.starts_with("gaussian")
            && !(entry.name == "vae" && likelihood == "gaussian");
        if model.trainable().is_none() || small || wide {
            continue;
        }
        let metric = |model: &mut dyn Model| {
            let values = model.trainable().unwrap().validation(&batch).unwrap();
            values.map(|values| moments(&values).0)
        };
        let start = metric(model.as_mut());
        let untrained = model;
        let run = RunFolder::create(&dir.path().join(i.to_string()), config).unwrap();
        let mut training = training(run, &data).unwrap();
        let trained = training.train(&mut NoopObserver, &AtomicBool::new(false));
        trained.unwrap_or_else(|e| panic!("{name}: {e}"));
        let (mut model, _) =
            training.run_folder().load(&Registry::standard(), &cpu(), Weights::Last).unwrap();
        let end = metric(model.as_mut());
        let by_column = columns(&batch.values, size);
        if let Some(density) = model.density() {
            // The density of an ensemble is the mean over its members.
            let members = density.ensemble().map_or(1, |e| e.count.unwrap_or(24));
            let options = DensityOptions { members: 0..members, ..DensityOptions::new(100, 2) };
            let nats = density.log_probability(&batch, options).unwrap().nats;
            let nll = -moments(&nats).0;
            if density.is_mass(model.data()) {
                let bits = |row: &[f64]| row.iter().map(|x| x.to_bits()).collect();
                let mut least = entropy(batch.values.chunks(size).map(bits));
                if settings.get("conditional").is_some() {
                    // The model is conditioned on the class, and each example has one class.
                    let labels = batch.labels.iter().flatten();
                    least -= entropy(labels.map(|&label| vec![label.into()]));
                }
                let column = |c: &Vec<f64>| entropy(c.iter().map(|x| vec![x.to_bits()]));
                let apart: f64 = by_column.iter().map(column).sum();
                // Below the entropy by no more than the noise of a bound.
                assert!(nll > least - 0.05, "{name}: {nll} is below {least}");
                // One network for all orderings shares its capacity among them, and one without hidden
                // units has little capacity.
                let layered = (entry.fields)().iter().any(|f| f.name.contains("hidden"));
                let gaussian = likelihood == "gaussian";
                let share = match density.ensemble() {
                    _ if !layered => 1.25,
                    Some(_) => 2.0,
                    // A Gaussian over levels becomes narrow slowly.
                    None if gaussian => 2.0,
                    None => 3.0,
                };
                assert!(nll < least + (apart - least) / share, "{name}: {nll}, {least} to {apart}");
            } else {
                let entropy = |std: f64| 0.5 + (std * (2.0 * std::f64::consts::PI).sqrt()).ln();
                let gaussian: f64 = by_column.iter().map(|c| entropy(moments(c).1)).sum();
                assert!(nll < gaussian - size as f64, "{name}: {nll}, a Gaussian {gaussian}");
            }
        } else if let (Some(start), Some(end)) = (start, end) {
            // The cross-entropy of a gray level with itself is not 0.
            let top = data.domain.max_level().map_or(1.0, f64::from);
            let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
            let least = match model.trainable().unwrap().validation_name() {
                "cross_entropy" => by_column
                    .iter()
                    .map(|c| c.iter().map(|x| term(x / top) + term(1.0 - x / top)).sum::<f64>())
                    .sum::<f64>(),
                _ => 0.0,
            } / 16.0;
            assert!(end - least < 0.05 * (start - least), "{name}: {start} to {end}, {least}");
        } else {
            let near = |model: &dyn Model| {
                let drawn = sample(model, &SampleRequest::new(200, 1)).unwrap();
                let distance = |row: &[f64]| {
                    let to = |other: &[f64]| {
                        let squares = row.iter().zip(other).map(|(a, b)| (a - b).powi(2));
                        squares.sum::<f64>().sqrt()
                    };
                    batch.values.chunks(size).map(to).fold(f64::INFINITY, f64::min)
                };
                drawn.chunks(size).map(distance).sum::<f64>()
            };
            let (start, end) = (near(untrained.as_ref()), near(model.as_ref()));
            if !held(&entry, &data) {
                assert!(end < 0.75 * start, "{name}: {end} of {start} to the nearest");
                continue;
            }
            let drawn = sample(model.as_ref(), &SampleRequest::new(2000, 1)).unwrap();
            for (want, got) in by_column.iter().zip(columns(&drawn, size)) {
                let ((mean, std), (drawn_mean, drawn_std)) = (moments(want), moments(&got));
                assert!((drawn_mean - mean).abs() < 0.2 * std, "{name}: {drawn_mean} {mean}");
                assert!((0.8..1.25).contains(&(drawn_std / std)), "{name}: {drawn_std} {std}");
            }
        }
    }
}
