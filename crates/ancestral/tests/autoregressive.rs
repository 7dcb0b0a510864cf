//! Tests of autoregressive models in addition to the conformance suite: probabilities sum to one,
//! samples follow them, and no conditional depends on later entries.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use ancestral::Registry;
use ancestral::distributions::families::by_name;
use ancestral::model::{
    Completion, DataSpec, DensityOptions, Init, Known, Model, NamedTensors, SampleRequest, sample,
};
use ancestral::spec::cpu;
use ancestral_data::{Batch, Domain, Shape, Streams};
use burn::tensor::TensorData;

/// Models of the family on a domain, with settings that exercise their options.
fn models(domain: Domain) -> Vec<(&'static str, &'static str)> {
    match domain {
        Domain::Real => vec![
            ("rnade", "hidden = 6\ncomponents = 3"),
            ("rnade", "hidden = 5\ncomponents = 2\nfamily = 'laplace'\norder = 'reversed'"),
            ("deep-nade", "hidden = [7, 6]\ncomponents = 2"),
        ],
        _ => vec![
            ("fvsbn", ""),
            ("nade", "hidden = 7"),
            ("nade", "hidden = 18\norder = 'random'"),
            ("deep-nade", "hidden = [9]"),
            ("deep-nade", "hidden = [8, 7]\nactivation = 'tanh'"),
            ("made", "hidden = [20]"),
            ("made", "hidden = [20, 15]\norder = 'reversed'\ndirect = true"),
            ("made", "hidden = [20, 20]\nmasks = 0"),
            ("made", "hidden = [20]\nmasks = 2\ndirect = true\nshuffle_order = false"),
        ],
    }
}

/// A model with large weights, so that entries depend on each other.
fn with_large_weights(name: &str, settings: &str, domain: Domain, size: usize) -> Box<dyn Model> {
    let spec = DataSpec::new(domain, Shape::columns(size), 0);
    let settings = settings.parse().unwrap();
    let mut model =
        Registry::standard().build(name, &settings, &spec, &Init::new(&cpu(), 3)).unwrap();
    let louder = |(tensor, data): (String, TensorData)| {
        let values: Vec<f32> = data.try_to_vec_as().unwrap();
        let fixed = tensor.contains("scale.") || tensor.ends_with("rescale");
        // Real data with larger scales would need a wider grid.
        let factor = if fixed || domain == Domain::Real { 1.0 } else { 2.0 };
        let noise = Streams::new(9).purpose(&tensor, 0).normals(&[0], values.len());
        let shaken = |(v, e): (&f32, f32)| {
            // Masked weights stay zero.
            let unseen = fixed || *v == 0.0 && !tensor.ends_with("bias");
            v * factor + if unseen { 0.0 } else { 0.2 * e }
        };
        let values: Vec<f32> = values.iter().zip(noise).map(shaken).collect();
        (tensor, TensorData::new(values, data.shape().clone()))
    };
    let tensors: NamedTensors = model.tensors().into_iter().map(louder).collect();
    model.load(&tensors).unwrap();
    model
}

fn batch(rows: &[Vec<f64>]) -> Batch {
    Batch::of(rows.concat(), rows.len())
}

fn member(model: &dyn Model, rows: &[Vec<f64>], member: u64) -> Vec<f64> {
    let options = DensityOptions { members: member..member + 1, ..DensityOptions::new(1, 0) };
    model.density().unwrap().log_probability(&batch(rows), options).unwrap().nats
}

/// Every row of `size` entries of some levels.
fn all_rows(levels: usize, size: usize) -> Vec<Vec<f64>> {
    let count = levels.pow(size as u32);
    (0..count)
        .map(|n| (0..size).map(|d| (n / levels.pow(d as u32) % levels) as f64).collect())
        .collect()
}

#[test]
fn probabilities_of_all_rows_sum_to_one() {
    for (domain, levels, size) in [
        (Domain::Binary, 2, 1),
        (Domain::Binary, 2, 2),
        (Domain::Binary, 2, 9),
        (Domain::Binary, 2, 12),
        (Domain::Levels(3), 3, 5),
    ] {
        let rows = all_rows(levels, size);
        for (name, settings) in models(domain) {
            let model = with_large_weights(name, settings, domain, size);
            let members = model.density().unwrap().ensemble().map_or(1, |_| 2);
            for m in 0..members {
                let total: f64 = member(model.as_ref(), &rows, m).iter().map(|l| l.exp()).sum();
                assert!((total - 1.0).abs() < 1e-5, "{name} ({settings}), {size}: {total}");
            }
        }
    }
}

#[test]
fn densities_of_reals_integrate_to_one() {
    for (name, settings) in models(Domain::Real) {
        for (size, cells) in [(1usize, 20_000), (2, 1500)] {
            let model = with_large_weights(name, settings, Domain::Real, size);
            let width = 60.0 / cells as f64;
            let axis: Vec<f64> = (0..cells).map(|i| -30.0 + (f64::from(i) + 0.5) * width).collect();
            let rows: Vec<Vec<f64>> = if size == 1 {
                axis.iter().map(|&a| vec![a]).collect()
            } else {
                axis.iter().flat_map(|&a| axis.iter().map(move |&b| vec![a, b])).collect()
            };
            let mut total = 0.0;
            for rows in rows.chunks(50_000) {
                let nats = member(model.as_ref(), rows, 0);
                total += nats.iter().map(|l| l.exp()).sum::<f64>() * width.powi(size as i32);
            }
            assert!((total - 1.0).abs() < 2e-3, "{name} ({settings}), {size}: {total}");
        }
    }
}

#[test]
fn draws_have_the_frequencies_that_the_probabilities_say() {
    let (size, n) = (4, 200_000);
    let rows = all_rows(2, size);
    for (name, settings) in models(Domain::Binary) {
        let model = with_large_weights(name, settings, Domain::Binary, size);
        // Deep NADE samples each block in another ordering: samples follow the mean over orderings.
        let orders = if name == "deep-nade" { 200 } else { 1 };
        let options = DensityOptions { members: 0..orders, ..DensityOptions::new(1, 0) };
        let density = model.density().unwrap();
        let nats = density.log_probability(&batch(&rows), options).unwrap().nats;
        let drawn = sample(model.as_ref(), &SampleRequest::new(n, 5)).unwrap();
        let mut counts = vec![0usize; rows.len()];
        for row in drawn.chunks_exact(size) {
            let at: usize = row.iter().enumerate().map(|(d, &x)| (x as usize) << d).sum();
            counts[at] += 1;
        }
        let chi: f64 = counts
            .iter()
            .zip(&nats)
            .map(|(&count, nats)| {
                let expected = nats.exp() * n as f64;
                (count as f64 - expected).powi(2) / expected
            })
            .sum();
        // Exceeded once in 10,000 times; each block of deep NADE's draws has one ordering, so that its
        // counts vary more than those of independent rows.
        let degrees = (rows.len() - 1) as f64;
        let limit = by_name("chi-squared").unwrap().quantile(&[degrees], 1.0 - 1e-4);
        let limit = if name == "deep-nade" { 4.5 * limit } else { limit };
        assert!(chi < limit, "{name} ({settings}): {chi}");
    }
}

/// With a given prefix, samples do not depend on the values of entries that are not given.
#[test]
fn values_that_are_not_given_do_not_leak() {
    let (size, count) = (7, 40);
    for domain in [Domain::Binary, Domain::Levels(4), Domain::Real] {
        for (name, settings) in models(domain) {
            if settings.contains("order = 'r") || settings.contains("masks") {
                continue;
            }
            let model = with_large_weights(name, settings, domain, size);
            for keep in 0..size {
                let complete = |rest: f64| {
                    let row = |i: usize| -> Vec<f64> {
                        (0..size)
                            .map(|d| if d < keep { ((i >> d) & 1) as f64 } else { rest })
                            .collect()
                    };
                    let known = Known {
                        values: (0..count).flat_map(row).collect(),
                        given: (0..count * size).map(|i| i % size < keep).collect(),
                    };
                    let request =
                        SampleRequest { known: Some(known), ..SampleRequest::new(count, 8) };
                    sample(model.as_ref(), &request).unwrap()
                };
                let (zeros, ones) = (complete(0.0), complete(1.0));
                assert_eq!(zeros, ones, "{name} ({settings}), {keep} given");
                for (i, row) in zeros.chunks_exact(size).enumerate() {
                    let given: Vec<f64> = (0..keep).map(|d| ((i >> d) & 1) as f64).collect();
                    assert_eq!(row[..keep], given, "{name} ({settings})");
                }
            }
        }
    }
}

/// Scoring is one pass through the network, while sampling runs one dimension at a time and has no
/// access to later entries: if their conditionals agree, the pass does not look ahead.
#[test]
fn one_pass_and_entry_after_entry_agree() {
    let size = 6;
    let rows: Vec<Vec<f64>> = all_rows(2, size);
    for (name, settings) in models(Domain::Binary) {
        if name == "deep-nade" || settings.contains("order = 'r") || settings.contains("masks") {
            continue;
        }
        let model = with_large_weights(name, settings, Domain::Binary, size);
        let nats = member(model.as_ref(), &rows, 0);
        for keep in 0..size {
            for prefix in 0..1usize << keep {
                // p(next = 1 | given), from sums over all rows.
                let mut mass = [0.0, 0.0];
                for (n, l) in nats.iter().enumerate() {
                    if n % (1 << keep) == prefix {
                        mass[n >> keep & 1] += l.exp();
                    }
                }
                let want = mass[1] / (mass[0] + mass[1]);
                let known = Known {
                    values: (0..size).map(|d| (prefix >> d & 1) as f64).collect(),
                    given: (0..size).map(|d| d < keep).collect(),
                };
                let request =
                    SampleRequest { known: Some(known), mean: true, ..SampleRequest::new(1, 3) };
                let got = sample(model.as_ref(), &request).unwrap()[keep];
                let error = (got - want).abs();
                assert!(error < 1e-5, "{name} ({settings}), {keep} given: {got} {want}");
            }
        }
    }
}

#[test]
fn an_ensemble_averages_probabilities_of_whole_rows() {
    let size = 8;
    for domain in [Domain::Binary, Domain::Real] {
        let row = |i: usize| -> Vec<f64> { (0..size).map(|d| (i >> d & 1) as f64).collect() };
        let rows: Vec<Vec<f64>> = (0..50).map(row).collect();
        for (name, settings) in models(domain) {
            let model = with_large_weights(name, settings, domain, size);
            let density = model.density().unwrap();
            let Some(ensemble) = density.ensemble() else { continue };
            let count = ensemble.count.unwrap_or(5);
            let options = DensityOptions { members: 0..count, ..DensityOptions::new(1, 0) };
            let together = density.log_probability(&batch(&rows), options).unwrap().nats;
            let each: Vec<Vec<f64>> =
                (0..count).map(|m| member(model.as_ref(), &rows, m)).collect();
            for (i, got) in together.iter().enumerate() {
                let mean = each.iter().map(|m| m[i].exp()).sum::<f64>() / count as f64;
                assert!((got - mean.ln()).abs() < 1e-9, "{name} ({settings}): {got} {mean}");
            }
            assert!(each[0] != each[1], "{name} ({settings}): members do not differ");
            if let Some(count) = ensemble.count {
                let options = DensityOptions { members: 0..count + 1, ..DensityOptions::new(1, 0) };
                assert!(density.log_probability(&batch(&rows), options).is_err());
            }
        }
    }
}

#[test]
fn extremes_stay_finite() {
    for domain in [Domain::Binary, Domain::Levels(4), Domain::Real] {
        for size in [1, 2, 5] {
            for (name, settings) in models(domain) {
                // One hidden unit, too.
                let single = settings.replace("[20, 15]", "[1, 1]").replace("[20]", "[1]");
                for settings in [settings.to_owned(), single.replace("hidden = 7", "hidden = 1")] {
                    let mut model = with_large_weights(name, &settings, domain, size);
                    for factor in [1.0f32, 1e4] {
                        let louder = |(tensor, data): (String, TensorData)| {
                            let values: Vec<f32> = data.try_to_vec_as().unwrap();
                            let kept = tensor.contains("scale.");
                            let values: Vec<f32> =
                                values.iter().map(|v| if kept { *v } else { v * factor }).collect();
                            (tensor, TensorData::new(values, data.shape().clone()))
                        };
                        let tensors = model.tensors().into_iter().map(louder).collect();
                        model.load(&tensors).unwrap();
                        let mut values = vec![0.0, 1.0];
                        if domain == Domain::Real {
                            values.extend([f32::MAX, f32::MIN, 1e-40, 1e20].map(f64::from));
                        }
                        let rows: Vec<Vec<f64>> = values.iter().map(|&v| vec![v; size]).collect();
                        let nats = member(model.as_ref(), &rows, 0);
                        assert!(
                            nats.iter().all(|l| l.is_finite()),
                            "{name} ({settings}), {size}, factor {factor}: {nats:?}"
                        );
                        let drawn = sample(model.as_ref(), &SampleRequest::new(4, 1)).unwrap();
                        assert!(drawn.iter().all(|x| !x.is_nan()), "{name} ({settings})");
                    }
                }
            }
        }
    }
}

#[test]
fn a_temperature_of_zero_draws_one_row_and_a_low_one_less_variety() {
    let size = 8;
    for (name, settings) in models(Domain::Binary) {
        let model = with_large_weights(name, settings, Domain::Binary, size);
        let variety = |temperature: f64| {
            let request = SampleRequest { temperature, ..SampleRequest::new(32, 6) };
            let drawn = sample(model.as_ref(), &request).unwrap();
            let mut rows: Vec<Vec<u8>> =
                drawn.chunks_exact(size).map(|r| r.iter().map(|&x| x as u8).collect()).collect();
            rows.sort();
            rows.dedup();
            rows.len()
        };
        // The 32 rows of a block share an order.
        assert_eq!(variety(0.0), 1, "{name} ({settings})");
        assert!(variety(1.0) > 3, "{name} ({settings})");
        assert!(variety(0.2) <= variety(1.0), "{name} ({settings})");
    }
}

#[test]
fn any_part_is_completed_by_deep_nade_and_prefixes_by_the_others() {
    let size = 5;
    let given = [true, false, true, false, false];
    for domain in [Domain::Binary, Domain::Real] {
        for (name, settings) in models(domain) {
            let model = with_large_weights(name, settings, domain, size);
            let sampler = model.sampler().unwrap();
            let first = if domain == Domain::Real { 0.1 } else { 0.0 };
            let known =
                Known { values: [first, 9.0, 1.0, 9.0, 9.0].repeat(3), given: given.repeat(3) };
            let request = SampleRequest { known: Some(known), ..SampleRequest::new(3, 1) };
            match sampler.completion() {
                Completion::Any => {
                    let drawn = sample(model.as_ref(), &request).unwrap();
                    for row in drawn.chunks_exact(size) {
                        assert_eq!((row[0], row[2]), (first, 1.0), "{name}");
                        assert!(row[1] != 9.0 && row[3] != 9.0 && row[4] != 9.0, "{name}");
                    }
                }
                _ => {
                    if settings.contains("order") || settings.contains("masks") {
                        continue;
                    }
                    let error = sample(model.as_ref(), &request).unwrap_err().to_string();
                    assert!(error.contains("entry 1"), "{name}: {error}");
                }
            }
            let short = Known { values: vec![0.0; size], given: vec![true; size] };
            let request = SampleRequest { known: Some(short), ..SampleRequest::new(3, 1) };
            assert!(sample(model.as_ref(), &request).is_err(), "{name}");
        }
    }
}

#[test]
fn samples_are_batch_invariant_and_do_not_depend_on_threads() {
    let size = 20;
    for domain in [Domain::Binary, Domain::Levels(4), Domain::Real] {
        for (name, settings) in models(domain) {
            let with = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let model = with_large_weights(name, settings, domain, size);
                    sample(model.as_ref(), &SampleRequest::new(100, 4)).unwrap()
                })
            };
            let all = with(3);
            assert_eq!(all, with(1), "{name} ({settings})");
            let model = with_large_weights(name, settings, domain, size);
            for (first, count) in [(0, 1), (31, 2), (63, 37), (99, 1)] {
                let request = SampleRequest { first: first as u64, ..SampleRequest::new(count, 4) };
                let some = sample(model.as_ref(), &request).unwrap();
                let at = first * size..(first + count) * size;
                assert_eq!(some, all[at], "{name} ({settings}): from {first}");
            }
        }
    }
}
