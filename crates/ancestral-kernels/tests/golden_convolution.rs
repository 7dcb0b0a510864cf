//! Convolutions, batch normalization and the leaky ReLU against PyTorch: golden_convolution.py,
//! next to this file, prints the values below.

#![allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]

use ancestral_kernels::{Precision, batch_norm, conv_transpose2d, conv2d, leaky_relu};
use burn::tensor::{Device, Tensor, TensorData};

const CONV: [f64; 24] = [
    -2.06930734,
    -2.2565862,
    0.476727587,
    0.125140916,
    -0.192315524,
    -0.923845241,
    -0.0230809723,
    1.26043742,
    -0.027810873,
    0.919218113,
    -2.74960883,
    -3.73105524,
    0.777047657,
    -0.137121938,
    -0.99436494,
    -0.236309295,
    -0.437301784,
    0.117574286,
    -3.34631454,
    -2.95721852,
    -2.61972855,
    -2.28184068,
    2.17291853,
    1.01075664,
];
const CONV_X: [f64; 48] = [
    -0.410457062,
    0.0916954507,
    0.0476351761,
    1.66334797,
    3.24513403,
    1.63454617,
    -0.398308489,
    -0.628114899,
    -0.885202621,
    -0.439258949,
    -1.39789325,
    -1.06286326,
    -1.06286329,
    -1.85379734,
    -0.787953616,
    -0.98490793,
    -1.08607329,
    0.00705714409,
    0.523898967,
    1.44987706,
    1.24095445,
    -0.0708980884,
    0.339939885,
    -0.102055994,
    -0.0717735097,
    -0.60584419,
    -0.799420653,
    -0.100315855,
    -1.26652209,
    -1.04415736,
    0.504082454,
    0.154069908,
    0.287888158,
    -1.01561496,
    -1.26726229,
    -0.361459662,
    1.16293137,
    2.49326095,
    1.60149543,
    -0.0881855054,
    0.535968637,
    -0.154693712,
    0.726900368,
    1.06844974,
    0.221828031,
    1.09642317,
    0.948058511,
    0.48616764,
];
const CONV_WEIGHT: [f64; 36] = [
    -0.50697376,
    -0.823714326,
    -1.60595506,
    0.0499132832,
    2.52348491,
    2.17782882,
    -0.315064329,
    0.264527546,
    2.52959466,
    2.15513286,
    -0.981745016,
    -2.2688384,
    -0.124438719,
    0.182073979,
    1.99764,
    0.659893731,
    -2.1715445,
    -2.33356683,
    0.432410711,
    0.255262643,
    -2.18879421,
    -2.32314326,
    0.235304988,
    1.7248241,
    0.741471625,
    0.480605979,
    -2.15848698,
    -1.29344646,
    1.56867058,
    2.21964874,
    -0.499789718,
    -0.745555857,
    1.59506697,
    2.22270207,
    0.538325734,
    -0.98149723,
];
const CONV_BIAS: [f64; 3] = [2.40029253, -1.98730934, 1.34468198];
const TRANSPOSED: [f64; 28] = [
    -1.83318077,
    -1.73149062,
    -0.618989527,
    -1.93546717,
    -1.7597343,
    -0.618989527,
    -0.618989527,
    -1.21049842,
    -0.843001926,
    -0.618989527,
    -1.1874491,
    -0.164195406,
    -0.618989527,
    -0.618989527,
    -1.41859358,
    -1.2514679,
    -0.618989527,
    -0.525653711,
    -0.445737025,
    -0.618989527,
    -0.618989527,
    -0.786877754,
    -0.243327147,
    -0.618989527,
    -0.44730371,
    -0.529616907,
    -0.618989527,
    -0.618989527,
];
const TRANSPOSED_X: [f64; 8] = [
    1.23595212,
    -1.31961667,
    -1.05188123,
    1.34064557,
    0.0837603665,
    0.794277583,
    -1.50422928,
    -0.195434101,
];
const TRANSPOSED_WEIGHT: [f64; 12] = [
    -0.238607079,
    -0.454368091,
    0.470455767,
    0.640678288,
    -0.340565262,
    0.0896618126,
    0.454846603,
    0.536155137,
    -0.458697762,
    -0.476318334,
    0.105818736,
    -0.232786208,
];
const TRANSPOSED_BIAS: [f64; 1] = [-0.717004403];
const NORM: [f64; 12] = [
    -0.0471381525,
    -0.0531137888,
    -0.195683267,
    -0.158766321,
    -0.243368362,
    -0.26295878,
    -0.134440526,
    -0.168088615,
    -0.0895505253,
    -0.0466578245,
    -0.221349296,
    -0.194858277,
];
const NORM_X: [f64; 12] = [
    -0.00499139628,
    0.0563331248,
    -0.0181780515,
    -0.0451975053,
    0.0389163363,
    -0.0247486186,
    0.0138255689,
    0.0487764367,
    -0.062079005,
    -0.00343044118,
    0.0198085355,
    -0.0190349842,
];
const NORM_WEIGHT: [f64; 2] = [-0.66297289, 0.053822877];
const NORM_BIAS: [f64; 2] = [-0.226270017, 0.154298371];
const NORM_MEAN: [f64; 2] = [0.24071599, 0.104624912];
const NORM_VARIANCE: [f64; 2] = [0.575023371, 0.223467834];
const LEAKY: [f64; 6] =
    [0.867202342, 0.81836766, 0.384641886, -0.0459973991, -0.147289884, -0.17930963];
const LEAKY_X: [f64; 6] =
    [-0.685785234, -0.149043754, 0.457795322, 0.169865215, 0.168281114, 0.0875517666];

/// The k-th tensor of the script.
fn tensor<const D: usize>(k: usize, shape: [usize; D]) -> Tensor<D> {
    let entry = |i: usize| (0.9 * (1.3 * k as f64 + 0.7 * i as f64).sin()) as f32;
    let values: Vec<f32> = (0..shape.iter().product()).map(entry).collect();
    let device = Device::flex().autodiff();
    Tensor::from_data(TensorData::new(values, shape), &device).require_grad()
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().convert::<f64>().try_into_vec().unwrap()
}

#[track_caller]
fn close(ours: Vec<f64>, golden: &[f64]) {
    assert_eq!(ours.len(), golden.len());
    for (a, b) in ours.iter().zip(golden) {
        assert!((a - b).abs() < 2e-6 * (1.0 + b.abs()), "{a} against {b}");
    }
}

#[test]
fn a_convolution_and_its_gradients() {
    let (x, weight, bias) = (tensor(1, [2, 2, 4, 3]), tensor(2, [3, 2, 3, 2]), tensor(3, [3]));
    let y = conv2d(x.clone(), weight.clone(), Some(bias.clone()), [2, 1], [1, 0], Precision::F32);
    let grads = (y.clone() * tensor(9, y.dims()).detach()).sum().backward();
    close(values(y), &CONV);
    close(values(x.grad(&grads).unwrap()), &CONV_X);
    close(values(weight.grad(&grads).unwrap()), &CONV_WEIGHT);
    close(values(bias.grad(&grads).unwrap()), &CONV_BIAS);
}

#[test]
fn a_transposed_convolution_and_its_gradients() {
    let (x, weight, bias) = (tensor(1, [1, 2, 2, 2]), tensor(2, [2, 1, 3, 2]), tensor(3, [1]));
    let y = conv_transpose2d(
        x.clone(),
        weight.clone(),
        Some(bias.clone()),
        [2, 3],
        [1, 0],
        [1, 2],
        Precision::F32,
    );
    let grads = (y.clone() * tensor(9, y.dims()).detach()).sum().backward();
    close(values(y), &TRANSPOSED);
    close(values(x.grad(&grads).unwrap()), &TRANSPOSED_X);
    close(values(weight.grad(&grads).unwrap()), &TRANSPOSED_WEIGHT);
    close(values(bias.grad(&grads).unwrap()), &TRANSPOSED_BIAS);
}

#[test]
fn batch_normalization_with_a_leaky_relu_and_its_gradients() {
    let (x, gamma, beta) = (tensor(1, [3, 2, 2, 1]), tensor(2, [2]), tensor(3, [2]));
    let (y, mean, variance) = batch_norm(x.clone(), gamma.clone(), beta.clone(), 1e-5, Some(0.2));
    let grads = (y.clone() * tensor(9, y.dims()).detach()).sum().backward();
    close(values(y), &NORM);
    close(values(mean), &NORM_MEAN);
    close(values(variance), &NORM_VARIANCE);
    close(values(x.grad(&grads).unwrap()), &NORM_X);
    close(values(gamma.grad(&grads).unwrap()), &NORM_WEIGHT);
    close(values(beta.grad(&grads).unwrap()), &NORM_BIAS);
}

#[test]
fn a_leaky_relu_and_its_gradient() {
    let x = tensor(1, [6]);
    let y = leaky_relu(x.clone(), 0.2);
    let grads = (y.clone() * tensor(9, [6]).detach()).sum().backward();
    close(values(y), &LEAKY);
    close(values(x.grad(&grads).unwrap()), &LEAKY_X);
}
