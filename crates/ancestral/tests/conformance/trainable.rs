//! Gradients of particular models.

use ancestral::model::{BatchIterator, Init, Model, NamedTensors, StepContext};
use ancestral::optim::{OptimizerConfig, Optimizers};
use ancestral::spec::cpu;
use ancestral_data::{Dataset, Domain, Streams};

use crate::cases::{data, examples, find};
use crate::support::prepared;

/// The gradients of one step, by seed.
fn gradients(model: &mut dyn Model, data: &Dataset, seed: u64) -> NamedTensors {
    let mut batches = BatchIterator::new(examples(data), 7, 0);
    let mut optimizers = Optimizers::recording(&OptimizerConfig::default());
    let mut context = StepContext {
        batches: &mut batches,
        optimizers: &mut optimizers,
        streams: Streams::new(seed),
        step: 1,
        epoch: 0.0,
    };
    model.trainable().unwrap().step(&mut context).unwrap();
    optimizers.into_gradients()
}

/// Over many draws, the doubly reparameterized gradient of the encoder has the mean of the plain one,
/// and a lower variance.
#[test]
fn the_doubly_reparameterized_gradient_is_unbiased() {
    let data = data(Domain::Binary);
    let entry = find("iwae");
    let moments = |doubly: bool| {
        let settings = format!(
            "latent_dims = [2, 1]\nhidden = [[4], [3]]\nimportance_samples = 4\n\
             doubly_reparameterized = {doubly}"
        );
        let init = Init::double(&cpu(), 1);
        let mut model = prepared(&entry, &data, &settings.parse().unwrap(), &init);
        // With larger weights than the initial ones, so that the gradients are large.
        let enlarged = model.tensors().into_iter().map(|(name, data)| {
            let values: Vec<f64> = data.try_to_vec_as().unwrap();
            let factor = if name.contains("head") { 20.0 } else { 2.0 };
            let values: Vec<f64> = values.into_iter().map(|x| factor * x).collect();
            (name, burn::tensor::TensorData::new(values, data.shape().clone()))
        });
        model.load(&enlarged.collect()).unwrap();
        let n = 4000;
        let mut sums: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
        for seed in 0..n {
            let found = gradients(model.as_mut(), &data, seed);
            let found = found.into_iter().filter(|(name, _)| name.starts_with("model.encoder"));
            for (i, (name, gradient)) in found.enumerate() {
                let gradient: Vec<f64> = gradient.try_to_vec_as().unwrap();
                if sums.len() == i {
                    sums.push((name, vec![(0.0, 0.0); gradient.len()]));
                }
                for (sum, g) in sums[i].1.iter_mut().zip(gradient) {
                    *sum = (sum.0 + g, sum.1 + g * g);
                }
            }
        }
        let n = n as f64;
        for (s, q) in sums.iter_mut().flat_map(|(_, sums)| sums) {
            *s /= n;
            *q = (*q / n - *s * *s).max(0.0) / n;
        }
        sums
    };
    let (plain, doubly) = (moments(false), moments(true));
    let (mut noise_plain, mut noise_doubly) = (0.0, 0.0);
    for ((name, plain), (_, doubly)) in plain.iter().zip(&doubly) {
        for (i, (a, b)) in plain.iter().zip(doubly).enumerate() {
            let error = (a.1 + b.1).sqrt();
            assert!((a.0 - b.0).abs() < 5.0 * error + 1e-9, "{name}[{i}]: {a:?} {b:?}");
            noise_plain += a.1;
            noise_doubly += b.1;
        }
    }
    assert!(noise_doubly < noise_plain, "{noise_doubly} {noise_plain}");
    let size = plain.iter().flat_map(|p| &p.1).map(|g| g.0.abs()).fold(0.0, f64::max);
    assert!(size > 20.0 * (noise_plain / 50.0).sqrt(), "too little to compare: {size}");
}
