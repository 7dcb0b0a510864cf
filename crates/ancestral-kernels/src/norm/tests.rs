//! Batch normalization and the leaky ReLU against Burn's composition in `f64`, against finite
//! differences and across thread counts.

use burn::{
    backend::DType,
    tensor::{Device, Tensor, TensorData, activation},
};

use super::batch::{batch_norm, channel_sums, composed_batch_norm, normalize, normalize_grad};
use super::leaky::{leaky_relu, leaky_relu_vjp};
use crate::{simd::Isa, tests::noise};

fn device() -> Device {
    Device::flex().autodiff()
}

pub(super) fn tensor<const D: usize>(seed: u64, shape: [usize; D]) -> Tensor<D> {
    let values = noise(seed, shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), &device())
}

pub(super) fn values<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().convert::<f64>().try_into_vec().unwrap()
}

pub(super) fn double<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    x.clone().cast(DType::F64)
}

#[track_caller]
pub(super) fn close(ours: &[f64], theirs: &[f64], tolerance: f64, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let error = (a - b).abs();
        assert!(error <= tolerance * (1.0 + b.abs()), "{what}, at {i}: {a} against {b}");
    }
}

const SHAPES: [[usize; 4]; 9] = [
    [2, 1, 1, 1],
    [1, 3, 4, 5],
    [3, 5, 1, 1],
    [7, 33, 2, 2],
    [4, 9, 4, 4],
    [5, 17, 3, 7],
    [64, 2, 16, 16],
    [3, 20, 65, 70],
    [300, 40, 1, 3],
];
pub(super) const SLOPES: [Option<f64>; 3] = [None, Some(0.0), Some(0.2)];

type Norm =
    fn(Tensor<4>, Tensor<1>, Tensor<1>, f64, Option<f64>) -> (Tensor<4>, Tensor<1>, Tensor<1>);

/// y, mean, variance, and the gradients of Σ y·w for x, γ and β.
fn pull(f: Norm, parts: [&Tensor<1>; 3], shape: [usize; 4], slope: Option<f64>) -> Vec<Vec<f64>> {
    let [x, gamma, beta] = parts.map(|part| part.clone().detach().require_grad());
    let (y, mean, variance) = f(x.clone().reshape(shape), gamma.clone(), beta.clone(), 1e-5, slope);
    let w = tensor(9, shape).cast(y.dtype());
    let grads = (y.clone() * w).sum().backward();
    let mut all = vec![values(y), values(mean), values(variance)];
    all.extend([x, gamma, beta].map(|part| values(part.grad(&grads).unwrap())));
    all
}

fn parts(shape: [usize; 4]) -> [Tensor<1>; 3] {
    // Channels with different means and deviations.
    let x = tensor(1, shape) * (tensor(2, [1, shape[1], 1, 1]) * 2.0 + 2.5)
        + tensor(3, [1, shape[1], 1, 1]) * 5.0;
    [x.reshape([-1]), tensor(4, [shape[1]]), tensor(5, [shape[1]])]
}

#[test]
fn batch_norm_agrees_with_the_composed_form_in_f64() {
    for shape in SHAPES {
        let singles = parts(shape);
        let doubles = [0, 1, 2].map(|i: usize| double(&singles[i]));
        let [singles, doubles] = [&singles, &doubles].map(|[a, b, c]| [a, b, c]);
        for slope in SLOPES {
            let ours = pull(batch_norm::<4>, singles, shape, slope);
            let exact = pull(composed_batch_norm::<4>, doubles, shape, slope);
            for (part, (ours, exact)) in ours.iter().zip(&exact).enumerate() {
                // With few values per channel, the gradient of x is a small difference.
                let tolerance = if part == 3 && shape[0] < 3 { 2e-3 } else { 3e-5 };
                close(ours, exact, tolerance, &format!("{shape:?} {slope:?} part {part}"));
            }
        }
    }
}

#[test]
fn the_composed_batch_norm_in_f64_agrees_with_differences() {
    let shape = [3, 2, 2, 1];
    for slope in SLOPES {
        let parts = parts(shape).map(|part| double(&part));
        let [x, gamma, beta] = &parts;
        let gradients = &pull(batch_norm::<4>, [x, gamma, beta], shape, slope)[3..];
        for (part, gradient) in gradients.iter().enumerate() {
            for i in 0..gradient.len() {
                let shifted = |h: f64| {
                    let mut all = parts.clone();
                    let mut perturbed = values(all[part].clone());
                    perturbed[i] += h;
                    let data = TensorData::new(perturbed.clone(), [perturbed.len()]);
                    all[part] = Tensor::from_data(data, (&device(), DType::F64));
                    let [x, gamma, beta] = all;
                    let (y, ..) = batch_norm(x.reshape(shape), gamma, beta, 1e-5, slope);
                    values((y * double(&tensor(9, shape))).sum())[0]
                };
                let difference = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
                assert!((difference - gradient[i]).abs() < 1e-7, "{slope:?} part {part} at {i}");
            }
        }
    }
}

#[test]
fn every_instruction_set_gives_the_same_within_rounding() {
    for shape @ [n, c, h, w] in SHAPES {
        let (sizes, len) = ([n, c, h * w], n * c * h * w);
        let (x, grad) = (noise(1, len), noise(2, len));
        let (gamma, beta) = (noise(3, c), noise(4, c));
        let wide = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let all = Isa::available().into_iter().map(|isa| {
            let out = normalize(isa, &x, sizes, [&gamma, &beta], 1e-5, 0.2);
            let statistics = [&out.mean[..], &out.rate, &gamma, &beta];
            let [dx, dgamma, dbeta] = normalize_grad(isa, &x, &grad, sizes, statistics, 1.0, true);
            let sums = channel_sums(isa, &x, sizes);
            [out.y, out.mean, out.variance, dx, dgamma, dbeta, sums].map(|part| wide(&part))
        });
        let all: Vec<_> = all.collect();
        let exact: Vec<f64> = (0..c)
            .map(|c| {
                (0..n)
                    .flat_map(|i| &x[(i * sizes[1] + c) * h * w..][..h * w])
                    .map(|&x| f64::from(x))
                    .sum()
            })
            .collect();
        for parts in &all {
            for (part, (ours, best)) in parts.iter().zip(&all[0]).enumerate() {
                let tolerance = if part == 3 && n < 3 { 1e-2 } else { 2e-5 };
                close(ours, best, tolerance, &format!("{shape:?} part {part}"));
            }
            close(&parts[6], &exact, 1e-5, "sums");
        }
    }
}

#[test]
fn an_empty_batch_is_normalized_to_nothing() {
    let (y, mean, variance) =
        batch_norm(tensor(1, [0, 3, 2, 2]), tensor(2, [3]), tensor(3, [3]), 1e-5, Some(0.0));
    assert_eq!(y.dims(), [0, 3, 2, 2]);
    assert_eq!((values(mean), values(variance)), (vec![0.0; 3], vec![0.0; 3]));
}

#[test]
fn no_gradient_flows_through_the_statistics_and_constants_have_none() {
    let x = tensor(1, [4, 3, 2, 2]).require_grad();
    let (gamma, beta) = (tensor(2, [3]).require_grad(), tensor(3, [3]));
    let (y, mean, variance) = batch_norm(x.clone(), gamma.clone(), beta.clone(), 1e-5, None);
    assert!(!mean.is_require_grad() && !variance.is_require_grad());
    let grads = (y.sum() + mean.sum() + variance.sum()).backward();
    assert!(gamma.grad(&grads).is_some() && beta.grad(&grads).is_none());
    assert!(values(x.grad(&grads).unwrap()).iter().all(|g| g.abs() < 1e-6));
}

#[test]
fn leaky_relu_agrees_with_burn_in_f64() {
    for len in [0, 1, 15, 16, 33, 40_000] {
        for slope in [0.2, 0.0, 1.0, -0.5] {
            let run = |x: &Tensor<1>, f: &dyn Fn(Tensor<1>) -> Tensor<1>| {
                let x = x.clone().detach().require_grad();
                let y = f(x.clone());
                let w = tensor(2, [len]).cast(x.dtype());
                let grads = (y.clone() * w).sum().backward();
                (values(y), values(x.grad(&grads).unwrap()))
            };
            let x = tensor(1, [len]);
            let ours = run(&x, &|x| leaky_relu(x, slope));
            let exact = run(&double(&x), &|x| activation::leaky_relu(x, slope));
            close(&ours.0, &exact.0, 1e-7, "values");
            close(&ours.1, &exact.1, 1e-7, "gradients");
        }
    }
}

#[test]
fn the_derivative_of_leaky_relu_agrees_with_burn_in_f64() {
    for len in [0, 1, 15, 16, 33, 40_000] {
        for slope in [0.2, 0.0, 1.0] {
            let run = |of: &dyn Fn(Tensor<1>) -> Tensor<1>| {
                let v = of(tensor(1, [len])).detach().require_grad();
                let y = of(tensor(2, [len])).detach().require_grad();
                let out = leaky_relu_vjp(v.clone(), y.clone(), slope);
                let w = tensor(3, [len]).cast(out.dtype());
                let grads = (out.clone() * w).sum().backward();
                assert!(y.grad(&grads).is_none(), "the side is no place to go to");
                (values(out), values(v.grad(&grads).unwrap()))
            };
            let (ours, exact) = (run(&|x| x), run(&|x| double(&x)));
            close(&ours.0, &exact.0, 1e-7, "values");
            close(&ours.1, &exact.1, 1e-7, "gradients");
        }
    }
}

#[test]
fn the_number_of_threads_does_not_show() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut all = Vec::new();
            for shape in SHAPES {
                let [x, gamma, beta] = &parts(shape);
                all.extend(pull(batch_norm::<4>, [x, gamma, beta], shape, Some(0.2)).concat());
                all.extend(values(leaky_relu(x.clone(), 0.2)));
            }
            all.into_iter().map(f64::to_bits).collect::<Vec<_>>()
        })
    };
    let one = run(1);
    assert!(one == run(2), "2 threads");
    assert!(one == run(3), "3 threads");
}
