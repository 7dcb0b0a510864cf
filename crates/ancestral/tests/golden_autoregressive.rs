//! Autoregressive models against independent PyTorch implementations: golden_autoregressive.py, next
//! to this file, prints the values below.

#![allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]

use ancestral::Registry;
use ancestral::model::{
    BatchIterator, DataSpec, DensityOptions, Init, Model, NamedTensors, StepContext,
};
use ancestral::optim::{OptimizerConfig, Optimizers};
use ancestral::spec::cpu;
use ancestral_data::{
    Batch, Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Streams, Values,
};
use ancestral_kernels::BlockTriangularLinear;
use burn::tensor::TensorData;

const BINARY: [u8; 20] = [0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1];
const REAL: [f32; 9] = [0.3, -1.2, 2.0, 0.0, 0.0, 0.0, 4.0, 3.5, -2.5];

const NADE: [f64; 4] = [-2.65911627, -6.82286596, -3.34464323, -4.86315029];
const NADE_WEIGHT: [f64; 20] = [
    0.132205142,
    0.082765513,
    0.00907468982,
    -0.108824178,
    0.0446047964,
    0.0426946786,
    0.0319865566,
    -0.0196618778,
    0.0143296076,
    0.00232638479,
    -0.004401808,
    -0.0102887205,
    0.0161832847,
    0.0255911359,
    0.0208603003,
    -0.00562561883,
    0.0,
    0.0,
    0.0,
    0.0,
];
const NADE_BIAS: [f64; 4] = [0.127278871, 0.103170879, 0.0564394266, -0.0668488557];
const NADE_OUTPUT_WEIGHT: [f64; 20] = [
    -0.188397317,
    -0.185648664,
    -0.159188843,
    -0.118458217,
    -0.301319992,
    -0.332201705,
    -0.315364222,
    -0.251737748,
    -0.034878063,
    -0.0177425697,
    0.00226162753,
    0.00914978632,
    -0.196267519,
    -0.214667784,
    -0.198945173,
    -0.152130878,
    0.289198365,
    0.270890227,
    0.20036554,
    0.115178112,
];
const NADE_OUTPUT_BIAS: [f64; 5] =
    [-0.267547791, -0.427912136, -0.0372378649, -0.272943916, 0.358432876];
const MADE: [f64; 4] = [-3.39105808, -3.41803357, -3.85681695, -3.13389136];
const RNADE_NORMAL: [f64; 3] = [-11.3384644, -10.36245, -9.04477241];
const RNADE_LAPLACE: [f64; 3] = [-10.4909149, -9.15735755, -9.26915404];

/// The k-th tensor of the script, with `n` entries.
fn weights(k: usize, n: usize) -> Vec<f64> {
    let entry = |i: usize| f64::from((0.9 * (1.3 * k as f64 + 0.7 * i as f64).sin()) as f32);
    (0..n).map(entry).collect()
}

/// A model with the weights of the script, each tensor changed by `put`.
fn model(
    name: &str,
    settings: &str,
    domain: Domain,
    size: usize,
    put: impl Fn(&str, usize, usize) -> Vec<f64>,
) -> Box<dyn Model> {
    let spec = DataSpec::new(domain, Shape::columns(size), 0);
    let settings = settings.parse().unwrap();
    let mut model =
        Registry::standard().build(name, &settings, &spec, &Init::new(&cpu(), 0)).unwrap();
    let tensors: NamedTensors = model
        .tensors()
        .into_iter()
        .enumerate()
        .map(|(k, (name, data))| {
            let values = put(&name, k, data.shape().num_elements());
            let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
            (name, TensorData::new(values, data.shape().clone()))
        })
        .collect();
    model.load(&tensors).unwrap();
    model
}

#[track_caller]
fn close(what: &str, ours: &[f64], golden: &[f64]) {
    assert_eq!(ours.len(), golden.len(), "{what}");
    for (a, b) in ours.iter().zip(golden) {
        assert!((a - b).abs() <= 1e-5 * b.abs().max(1e-2), "{what}: {ours:?} against {golden:?}");
    }
}

fn log_probabilities(model: &dyn Model, values: Vec<f64>) -> Vec<f64> {
    let count = values.len() / model.data().shape.size();
    let batch = Batch::of(values, count);
    model.density().unwrap().log_probability(&batch, DensityOptions::new(1, 0)).unwrap().nats
}

fn binary() -> Vec<f64> {
    BINARY.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn nade_has_the_probabilities_and_gradients_of_pytorch() {
    let mut model = model("nade", "hidden = 4", Domain::Binary, 5, |_, k, n| weights(k, n));
    close("log p", &log_probabilities(model.as_ref(), binary()), &NADE);

    let split = Split { values: Values::Bytes(BINARY.to_vec()), labels: None };
    let data = Dataset::new("golden", Domain::Binary, Shape::columns(5), split, None, None);
    let examples = Examples::new(&data.unwrap(), SplitName::Train, Binarize::None, 0).unwrap();
    let mut optimizers = Optimizers::recording(&OptimizerConfig::default());
    let mut context = StepContext {
        batches: &mut BatchIterator::new(examples, 4, 0),
        optimizers: &mut optimizers,
        streams: Streams::new(0),
        step: 1,
        epoch: 0.0,
    };
    model.trainable().unwrap().step(&mut context).unwrap();
    let golden: [(&str, &[f64]); 4] = [
        ("model.weight", &NADE_WEIGHT),
        ("model.bias", &NADE_BIAS),
        ("model.output_weight", &NADE_OUTPUT_WEIGHT),
        ("model.output_bias", &NADE_OUTPUT_BIAS),
    ];
    let found = optimizers.into_gradients();
    assert_eq!(found.len(), golden.len());
    for ((name, ours), (golden_name, golden)) in found.into_iter().zip(golden) {
        assert_eq!(name, golden_name);
        close(&name, &ours.try_into_vec_as::<f64>().unwrap(), golden);
    }
}

#[test]
fn made_has_the_probabilities_of_pytorch() {
    let settings = "hidden = [7, 6]\ndirect = true";
    // The number of inputs of each output, both sorted by degree.
    let degrees = |n: usize| -> Vec<usize> { (0..n).map(|k| 1 + k * 4 / n).collect() };
    let (first, second) = (degrees(7), degrees(6));
    let up_to = |degrees: &[usize], most: usize| degrees.iter().filter(|&&d| d <= most).count();
    let layout = |name: &str| match name {
        "model.hidden.0.weight" => Some(BlockTriangularLinear::new(5, first.clone())),
        "model.hidden.1.weight" => {
            Some(BlockTriangularLinear::new(7, second.iter().map(|&d| up_to(&first, d)).collect()))
        }
        "model.output.weight" => {
            Some(BlockTriangularLinear::new(6, (0..5).map(|d| up_to(&second, d)).collect()))
        }
        "model.direct.weight" => Some(BlockTriangularLinear::new(5, (0..5).collect())),
        _ => None,
    };
    let model = model("made", settings, Domain::Binary, 5, |name, k, n| match layout(name) {
        None => weights(k, n),
        Some(layout) => {
            let dense = weights(k, layout.inputs() * layout.limits().len());
            let dense: Vec<f32> = dense.into_iter().map(|w| w as f32).collect();
            layout.pack(&dense).into_iter().map(f64::from).collect()
        }
    });
    close("log p", &log_probabilities(model.as_ref(), binary()), &MADE);
}

#[test]
fn rnade_has_the_densities_of_pytorch() {
    for (family, golden) in [("gaussian", RNADE_NORMAL), ("laplace", RNADE_LAPLACE)] {
        let settings = format!("hidden = 4\ncomponents = 2\nfamily = '{family}'");
        let model = model("rnade", &settings, Domain::Real, 3, |name, k, n| {
            let (shift, factor) = match name {
                "model.rescale" => (1.0, 0.3),
                "model.scale.std" => (1.5, 0.5),
                _ => (0.0, 1.0),
            };
            weights(k, n).into_iter().map(|w| shift + factor * w).collect()
        });
        close(family, &log_probabilities(model.as_ref(), REAL.map(f64::from).to_vec()), &golden);
    }
}
