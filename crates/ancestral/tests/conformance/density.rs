//! Log-probabilities and bounds of particular models.

use ancestral::model::{BatchIterator, DensityOptions, Init, StepContext};
use ancestral::optim::Optimizers;
use ancestral::spec::cpu;
use ancestral::testing::changed_terms;
use ancestral_data::{Domain, Streams};
use toml::Table;

use crate::cases::{cases, data, examples, find, is_family, label};
use crate::support::{loop_settings, prepared};

/// With a prior that stays fixed, the bound rises with K and reaches log p(x) integrated on a grid.
#[test]
fn a_bound_rises_with_k_to_the_integral() {
    let data = data(Domain::Binary);
    let entry = find("vae");
    for dims in [1usize, 2] {
        let settings: Table = format!("latent_dims = [{dims}]\nhidden = [[8]]").parse().unwrap();
        let mut model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        let mut batches = BatchIterator::new(examples(&data), 24, 0);
        let train = loop_settings("learning_rate = 0.01");
        let mut optimizers = Optimizers::new(&train.optimizer_config());
        for step in 1..=150 {
            let epoch = batches.epoch();
            let mut context = StepContext {
                batches: &mut batches,
                optimizers: &mut optimizers,
                streams: Streams::new(5),
                step,
                epoch,
            };
            model.trainable().unwrap().step(&mut context).unwrap();
        }
        let batch = examples(&data).batch(&[0, 1, 2, 3], 0);
        let size = data.shape.size();
        // Midpoint rule over [−7, 7] in each latent dimension.
        let cells = if dims == 1 { 4000 } else { 280 };
        let width = 14.0 / f64::from(cells);
        let axis: Vec<f64> = (0..cells).map(|i| -7.0 + (f64::from(i) + 0.5) * width).collect();
        let codes: Vec<Vec<f64>> = if dims == 1 {
            axis.iter().map(|&a| vec![a]).collect()
        } else {
            axis.iter().flat_map(|&a| axis.iter().map(move |&b| vec![a, b])).collect()
        };
        let flat: Vec<f32> = codes.iter().flatten().map(|&z| z as f32).collect();
        let means = model.latent().unwrap().decode(&flat, None).unwrap();
        let integrals: Vec<f64> = batch
            .values
            .chunks(size)
            .map(|x| {
                let total: f64 = codes
                    .iter()
                    .zip(means.chunks(size))
                    .map(|(z, p)| {
                        let prior: f64 = z
                            .iter()
                            .map(|z| (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt())
                            .product();
                        let likelihood: f64 = x
                            .iter()
                            .zip(p)
                            .map(|(&x, &p)| if x > 0.5 { p } else { 1.0 - p })
                            .product();
                        prior * likelihood * width.powi(dims as i32)
                    })
                    .sum();
                total.ln()
            })
            .collect();
        let density = model.density().unwrap();
        // The mean over seeds and its standard error, for each example.
        let mean_at = |k: usize, seeds: u64| -> Vec<(f64, f64)> {
            let drawn: Vec<Vec<f64>> = (0..seeds)
                .map(|seed| {
                    let options = DensityOptions::new(k, seed);
                    density.log_probability(&batch, options).unwrap().nats
                })
                .collect();
            let n = seeds as f64;
            (0..4)
                .map(|i| {
                    let mean = drawn.iter().map(|d| d[i]).sum::<f64>() / n;
                    let squares = drawn.iter().map(|d| (d[i] - mean).powi(2)).sum::<f64>();
                    (mean, (squares / (n * (n - 1.0))).sqrt())
                })
                .collect()
        };
        let (one, ten) = (mean_at(1, 800), mean_at(10, 400));
        let sum = |bound: &[(f64, f64)]| bound.iter().map(|b| b.0).sum::<f64>();
        let error = one.iter().chain(&ten).map(|b| b.1 * b.1).sum::<f64>().sqrt();
        assert!(sum(&one) + 4.0 * error < sum(&ten), "{one:?} {ten:?}");
        let options = DensityOptions::new(50_000, 1);
        let many = density.log_probability(&batch, options).unwrap();
        let errors = many.monte_carlo.unwrap();
        for i in 0..4 {
            let ((one, one_error), (ten, ten_error)) = (one[i], ten[i]);
            let shown = format!("{one} ± {one_error}, {ten} ± {ten_error}, {}", integrals[i]);
            assert!(one < ten + 4.0 * one_error.hypot(ten_error), "{shown}");
            assert!(ten < integrals[i] + 4.0 * ten_error, "{shown}");
            assert!(ten_error < 0.02, "{shown}");
            let gap = (many.nats[i] - integrals[i]).abs();
            assert!(gap < 0.003 + 4.0 * errors[i].stderr, "{:?} {integrals:?}", many.nats);
            assert!(errors[i].stderr < 0.02, "{errors:?}");
        }
    }
}

/// The bound that is trained is the one by which weights are kept and training stops.
#[test]
fn importance_weighted_models_are_validated_by_their_own_bound() {
    let data = data(Domain::Binary);
    let batch = examples(&data).batch(&[0, 1, 2, 3, 4, 5], 0);
    let validation = |samples: usize| {
        let settings = format!("latent_dims = [2]\nhidden = [[8]]\nimportance_samples = {samples}");
        let init = Init::new(&cpu(), 1);
        let mut model = prepared(&find("iwae"), &data, &settings.parse().unwrap(), &init);
        let options = DensityOptions::new(samples, 0);
        let bound = model.density().unwrap().log_probability(&batch, options).unwrap().nats;
        let trained = model.trainable().unwrap();
        (trained.validation_name(), trained.validation(&batch).unwrap().unwrap(), bound)
    };
    assert_eq!(validation(1).0, "negative_elbo");
    let (name, found, bound) = validation(200);
    assert_eq!(name, "negative_bound");
    assert!(found.iter().zip(&bound).all(|(found, bound)| *found == -bound));
}

/// The models whose log-probability is a sum over columns, beside univariate families.
const SUMS: [&str; 13] = [
    "nade",
    "rnade",
    "deep-nade",
    "made",
    "fvsbn",
    "pixel-cnn",
    "gated-pixel-cnn",
    "row-lstm",
    "diagonal-bilstm",
    "gaussian",
    "bernoulli",
    "categorical",
    // Given the class.
    "naive-bayes",
];

/// Of these, all but those of independent columns have columns that bear on others.
#[test]
fn column_terms_are_those_of_the_models_that_are_sums() {
    let sums = |name: &&str| SUMS.contains(name) || is_family(name);
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        if model.density().is_none() {
            assert!(!sums(&entry.name), "{name}");
            continue;
        }
        let example = examples(&data).batch(&[4], 0);
        let changed = changed_terms(model.as_ref(), &example).unwrap();
        assert_eq!(changed.is_some(), sums(&entry.name), "{name}");
        let Some(changed) = changed else { continue };
        assert_eq!(changed.len(), example.values.len(), "{name}");
        match entry.name {
            one if is_family(one) || ["bernoulli", "categorical", "naive-bayes"].contains(&one) => {
                assert!(changed.iter().all(|&count| count == 1), "{name}: {changed:?}");
            }
            _ => assert!(changed.last() > Some(&1), "{name}: no column bears on another"),
        }
    }
}
