//! Fitting in one call, from sums over blocks.

use std::sync::atomic::{AtomicBool, Ordering};

use ancestral::Error;
use ancestral::model::{BLOCK, FitContext, FitReport, Init, Model, NamedTensors, fit};
use ancestral::spec::cpu;
use ancestral_data::{
    Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Streams, Values,
};

use crate::cases::{find, spec};

/// Blocks that are summed in parallel.
const ROUND: usize = 16;
/// More than one round of blocks, the last of which is not full.
const MANY: usize = (ROUND + 1) * BLOCK + 1001;

fn many(domain: Domain, columns: usize, values: Values) -> Dataset {
    let split = Split { values, labels: None };
    Dataset::new("many", domain, Shape::columns(columns), split, None, None).unwrap()
}

/// Normal columns with deviation 1 around means; the second is correlated with the first.
fn reals(means: [f32; 3]) -> Dataset {
    let z = Streams::new(4).purpose("z", 0).normals(&[0], 3 * MANY);
    let row = |z: &[f32]| [z[0], 0.6 * z[0] + 0.8 * z[1], z[2]];
    let values = z.chunks_exact(3).flat_map(row).zip(means.into_iter().cycle());
    many(Domain::Real, 3, Values::Reals(values.map(|(x, mean)| f64::from(x + mean)).collect()))
}

/// Coins with these chances of 1.
fn bits(chances: [f32; 3]) -> Dataset {
    let u = Streams::new(4).purpose("u", 0).uniforms(&[0], 3 * MANY);
    let toss = |(u, chance): (f32, f32)| u8::from(u < chance);
    let values = u.into_iter().zip(chances.into_iter().cycle()).map(toss).collect();
    many(Domain::Binary, 3, Values::Bytes(values))
}

fn all(data: &Dataset) -> Examples {
    Examples::new(data, SplitName::Train, Binarize::None, 0).unwrap()
}

fn model(name: &str, settings: &str, data: &Dataset) -> Box<dyn Model> {
    (find(name).build)(&settings.parse().unwrap(), &spec(data), &Init::new(&cpu(), 0)).unwrap()
}

fn fitted(name: &str, settings: &str, data: &Dataset) -> (NamedTensors, FitReport) {
    let mut model = model(name, settings, data);
    let report = fit(model.estimator().unwrap(), &all(data), 0).unwrap();
    (model.tensors(), report)
}

#[test]
fn a_fit_has_the_same_bits_for_any_number_of_threads() {
    let (reals, bits) = (reals([1e6, -3.0, 0.0]), bits([0.1, 0.5, 0.97]));
    for (name, settings, data) in [
        ("gaussian", "", &reals),
        ("gaussian", "covariance = 'diagonal'", &reals),
        ("bernoulli", "pseudo_count = 0.5", &bits),
        ("gaussian", "", &bits),
    ] {
        assert!(all(data).len() > ROUND * BLOCK);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fitted(name, settings, data))
        };
        let one = with(1);
        for threads in [2, 3] {
            assert!(one == with(threads), "{name} {settings}: {threads} threads");
        }
        assert!(one == fitted(name, settings, data), "{name} {settings}: the global pool");
    }
}

/// A sum without the rounding of a long one (Neumaier 1974).
fn sum(terms: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut rest) = (0.0f64, 0.0);
    for x in terms {
        let next = sum + x;
        rest += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    }
    sum + rest
}

fn near(got: f64, want: f64, what: &str) {
    assert!((got - want).abs() <= 1e-12 * want.abs(), "{what}: {got} {want}");
}

/// Means, and the mean products of deviations from them, in two passes.
fn two_passes(data: &Dataset) -> (Vec<f64>, Vec<f64>) {
    let examples = all(data);
    let values = examples.batch(&(0..examples.len() as u64).collect::<Vec<_>>(), 0).values;
    let (d, n) = (data.shape.size(), examples.len() as f64);
    let column = |i: usize| values.iter().skip(i).step_by(d).copied();
    let means: Vec<f64> = (0..d).map(|i| sum(column(i)) / n).collect();
    let mut products = vec![0.0; d * d];
    for i in 0..d {
        for j in 0..=i {
            let pairs = column(i).zip(column(j));
            products[i * d + j] = sum(pairs.map(|(a, b)| (a - means[i]) * (b - means[j]))) / n;
        }
    }
    (means, products)
}

#[test]
fn a_gaussian_has_the_moments_of_two_passes() {
    for means in [[0.5, -2.0, 3.0], [1e6, 1e6, -1e6]] {
        let data = reals(means);
        let d = data.shape.size();
        let (want_means, want) = two_passes(&data);
        for settings in ["variance_floor = 0.0", "variance_floor = 0.0\ncovariance = 'diagonal'"] {
            let full = !settings.contains("diagonal");
            let (tensors, report) = fitted("gaussian", settings, &data);
            let of = |name: &str| {
                report.estimates.iter().find(|found| found.name == name).map(|found| found.value)
            };
            for i in 0..d {
                near(of(&format!("mean[{i}]")).unwrap(), want_means[i], &format!("mean {i}"));
                near(of(&format!("variance[{i}]")).unwrap(), want[i * d + i], "variance");
                for j in 0..i {
                    let found = of(&format!("covariance[{i}, {j}]"));
                    assert_eq!(found.is_some(), full);
                    // Relative to the deviations: two columns may be nearly uncorrelated.
                    if let Some(found) = found {
                        let scale = (want[i * d + i] * want[j * d + j]).sqrt();
                        let error = (found - want[i * d + j]).abs();
                        assert!(error <= 1e-12 * scale, "{i} {j}: {found} {}", want[i * d + j]);
                    }
                }
            }
            // The model's tensors agree with the reported estimates.
            let (mean, factor): (Vec<f64>, Vec<f64>) =
                (tensors[0].1.try_to_vec_as().unwrap(), tensors[1].1.try_to_vec_as().unwrap());
            (0..d).for_each(|i| near(mean[i], want_means[i], "tensor of means"));
            for i in 0..d {
                for j in 0..=i {
                    let product: f64 = (0..d).map(|k| factor[i * d + k] * factor[j * d + k]).sum();
                    let want = if full || i == j { want[i * d + j] } else { 0.0 };
                    assert!((product - want).abs() <= 4e-12, "{i} {j}: {product} {want}");
                }
            }
        }
    }
}

#[test]
fn a_bernoulli_has_the_counts() {
    let data = bits([0.1, 0.5, 0.97]);
    let (means, _) = two_passes(&data);
    let n = MANY as f64;
    for pseudo_count in [0.0, 1.5] {
        let settings = format!("pseudo_count = {pseudo_count:?}");
        let (tensors, report) = fitted("bernoulli", &settings, &data);
        let theta: Vec<f64> = tensors[0].1.try_to_vec_as().unwrap();
        for (i, (estimate, theta)) in report.estimates.iter().zip(theta).enumerate() {
            let want = (means[i] * n + pseudo_count) / (n + 2.0 * pseudo_count);
            near(estimate.value, want, "theta");
            assert_eq!(estimate.value, theta);
        }
    }
}

#[test]
fn a_fit_that_is_stopped_is_interrupted_and_leaves_the_model_as_it_was() {
    let (reals, bits) = (reals([0.0, 1.0, 2.0]), bits([0.1, 0.5, 0.9]));
    for (name, data) in [("gaussian", &reals), ("bernoulli", &bits)] {
        // Before it begins, and between two rounds of blocks.
        for after in [0, 1] {
            let mut model = model(name, "", data);
            let before = model.tensors();
            let stop = AtomicBool::new(after == 0);
            let mut shares = Vec::new();
            let mut progress = |share: f64| {
                shares.push(share);
                stop.store(true, Ordering::Relaxed);
            };
            let mut context =
                FitContext { streams: Streams::new(0), progress: &mut progress, stop: &stop };
            let found = model.estimator().unwrap().fit(&all(data), &mut context);
            assert!(matches!(found, Err(Error::Interrupted)), "{name}: {found:?}");
            assert!(model.tensors() == before, "{name}");
            assert_eq!(shares.len(), after, "{name}: {shares:?}");
        }
    }
}

/// Over several rounds of blocks, and not at the end alone.
#[test]
fn progress_rises_to_the_whole() {
    let data = reals([0.0; 3]);
    let mut shares = Vec::new();
    let mut progress = |share: f64| shares.push(share);
    let stop = AtomicBool::new(false);
    let mut model = model("gaussian", "", &data);
    let mut context = FitContext { streams: Streams::new(0), progress: &mut progress, stop: &stop };
    model.estimator().unwrap().fit(&all(&data), &mut context).unwrap();
    assert!(shares.len() > 1 && shares.is_sorted_by(|a, b| a < b), "{shares:?}");
    assert_eq!(shares.last(), Some(&1.0));
}

/// Examples in another order give the same result up to rounding: it does not depend on the blocks.
#[test]
fn the_order_of_the_examples_does_not_matter_beyond_rounding() {
    let data = reals([1e6, 0.0, -5.0]);
    let Values::Reals(values) = &data.split(SplitName::Train).unwrap().values else { panic!() };
    let reversed: Vec<f64> = values.chunks_exact(3).rev().flatten().copied().collect();
    let reversed = many(Domain::Real, 3, Values::Reals(reversed));
    let (one, other) = (fitted("gaussian", "", &data).1, fitted("gaussian", "", &reversed).1);
    for (a, b) in one.estimates.iter().zip(&other.estimates) {
        assert!((a.value - b.value).abs() <= 1e-12 * a.value.abs().max(1.0), "{a:?} {b:?}");
    }
}
