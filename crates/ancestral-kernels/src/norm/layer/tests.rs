//! Layer normalization and its vector-Jacobian product against Burn's composition in `f64`, against
//! finite differences, on every instruction set and across thread counts.

use burn::tensor::{Tensor, TensorData};

use super::super::tests::{SLOPES, close, double, tensor, values};
use super::*;
use crate::tests::noise;

const SHAPES: [[usize; 4]; 8] = [
    [3, 2, 1, 1],
    [1, 3, 4, 5],
    [3, 5, 1, 1],
    [7, 33, 2, 2],
    [4, 9, 4, 4],
    [5, 17, 3, 7],
    [70, 2, 16, 16],
    [3, 20, 65, 70],
];

/// v, x, γ and β.
fn parts(shape: [usize; 4]) -> [Tensor<1>; 4] {
    let x: Tensor<4> = tensor(1, shape) * (tensor(2, [shape[0], 1, 1, 1]) * 2.0 + 2.5)
        + tensor(3, [shape[0], shape[1], 1, 1]) * 5.0;
    let v: Tensor<4> = tensor(6, shape);
    [v.reshape([-1]), x.reshape([-1]), tensor(4, [shape[1]]), tensor(5, [shape[1]])]
}

/// An operation on v, x, γ and β, with ε and the slope.
type Operation = fn([Tensor<1>; 4], [usize; 4], f64, Option<f64>) -> Tensor<4>;

fn normalized(
    [_, x, gamma, beta]: [Tensor<1>; 4],
    shape: [usize; 4],
    eps: f64,
    slope: Option<f64>,
) -> Tensor<4> {
    layer_norm(x.reshape(shape), gamma, beta, eps, slope)
}

fn pulled(
    [v, x, gamma, beta]: [Tensor<1>; 4],
    shape: [usize; 4],
    eps: f64,
    slope: Option<f64>,
) -> Tensor<4> {
    layer_norm_vjp(v.reshape(shape), x.reshape(shape), gamma, beta, eps, slope)
}

/// The values and the gradients of Σ out·w for those of v, x, γ and β that have one.
fn run(
    operation: Operation,
    parts: &[Tensor<1>; 4],
    shape: [usize; 4],
    slope: Option<f64>,
) -> Vec<Vec<f64>> {
    let parts = parts.clone().map(|part| part.detach().require_grad());
    let out = operation(parts.clone(), shape, 1e-5, slope);
    let w = tensor(9, shape).cast(out.dtype());
    let grads = (out.clone() * w).sum().backward();
    let gradients = parts.iter().map(|part| part.grad(&grads).map_or(Vec::new(), values));
    [values(out)].into_iter().chain(gradients).collect()
}

#[test]
fn both_agree_with_the_composed_form_in_f64() {
    for shape in SHAPES {
        let singles = parts(shape);
        let doubles = [0, 1, 2, 3].map(|i: usize| double(&singles[i]));
        for slope in SLOPES {
            for operation in [normalized as Operation, pulled] {
                let ours = run(operation, &singles, shape, slope);
                let exact = run(operation, &doubles, shape, slope);
                for (part, (ours, exact)) in ours.iter().zip(&exact).enumerate() {
                    // With two or three values per example, all results are small differences.
                    let tolerance =
                        if shape[1..].iter().product::<usize>() < 4 { 2e-3 } else { 3e-5 };
                    close(ours, exact, tolerance, &format!("{shape:?} {slope:?} part {part}"));
                }
            }
        }
    }
}

#[test]
fn the_pulled_vector_is_the_gradient_that_differentiation_finds() {
    for shape in [[3, 2, 2, 1], [2, 3, 1, 4]] {
        for slope in SLOPES {
            let [v, x, gamma, beta] = parts(shape).map(|part| double(&part).detach());
            let x = x.require_grad();
            let y = layer_norm(x.clone().reshape(shape), gamma.clone(), beta.clone(), 1e-5, slope);
            let grads = (y * v.clone().reshape(shape)).sum().backward();
            let exact = values(x.grad(&grads).unwrap());
            let ours = values(pulled([v, x, gamma, beta], shape, 1e-5, slope));
            close(&ours, &exact, 1e-12, &format!("{shape:?} {slope:?}"));
        }
    }
}

#[test]
fn the_composed_gradients_in_f64_agree_with_differences() {
    let shape = [2, 2, 3, 1];
    for slope in SLOPES {
        for operation in [normalized as Operation, pulled] {
            let parts = parts(shape).map(|part| double(&part));
            let gradients = &run(operation, &parts, shape, slope)[1..];
            for (part, gradient) in gradients.iter().enumerate() {
                for i in 0..gradient.len() {
                    let shifted = |h: f64| {
                        let mut all = parts.clone();
                        let mut perturbed = values(all[part].clone());
                        perturbed[i] += h;
                        let data = TensorData::new(perturbed.clone(), [perturbed.len()]);
                        all[part] =
                            Tensor::from_data(data, (&all[part].device(), all[part].dtype()));
                        let out = operation(all, shape, 1e-5, slope);
                        values((out * double(&tensor(9, shape))).sum())[0]
                    };
                    let difference = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
                    let error = (difference - gradient[i]).abs();
                    assert!(error < 1e-7, "{slope:?} part {part} at {i}: {error}");
                }
            }
        }
    }
}

#[test]
fn every_instruction_set_gives_the_same_within_rounding() {
    for [n, c, h, w] in SHAPES {
        let len = n * c * h * w;
        let [x, v, grad] = [1, 2, 3].map(|seed| noise(seed, len));
        let (gamma, beta) = (noise(4, c), noise(5, c));
        let sizes = [n, c, h * w];
        let layout = Layout { sizes, gamma: &gamma, beta: &beta, eps: 1e-5, slope: 0.2 };
        let all: Vec<_> = Isa::available()
            .into_iter()
            .map(|isa| {
                let y = forward(isa, layout, &x);
                let [dx, dbeta, dgamma] = pull(isa, layout, &x, &v, true);
                let [dv, ddx, ddgamma] = push(isa, layout, &x, &v, &grad);
                [y, dx, dbeta, dgamma, dv, ddx, ddgamma]
                    .map(|part| part.iter().map(|&x| f64::from(x)).collect::<Vec<_>>())
            })
            .collect();
        let tolerance = if c * h * w < 4 { 2e-3 } else { 3e-5 };
        for parts in &all {
            for (part, (ours, best)) in parts.iter().zip(&all[0]).enumerate() {
                close(ours, best, tolerance, &format!("{n} {c} {h} {w} part {part}"));
            }
        }
    }
}

#[test]
fn the_number_of_threads_does_not_show() {
    let all = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let each = |shape| {
                let parts = parts(shape);
                let mut all = run(normalized, &parts, shape, Some(0.2)).concat();
                all.extend(run(pulled, &parts, shape, Some(0.2)).concat());
                all.into_iter().map(f64::to_bits).collect::<Vec<_>>()
            };
            SHAPES.map(each)
        })
    };
    let one = all(1);
    assert!(one == all(2), "2 threads");
    assert!(one == all(3), "3 threads");
}

#[test]
fn constants_have_no_gradient_and_an_empty_batch_is_normalized_to_nothing() {
    let shape = [2, 3, 2, 2];
    let [v, x, gamma, beta] = parts(shape);
    let (gamma, beta) = (gamma.require_grad(), beta.require_grad());
    let out = pulled([v, x.clone(), gamma.clone(), beta.clone()], shape, 1e-5, Some(0.0));
    let grads = out.square().sum().backward();
    assert!(gamma.grad(&grads).is_some(), "the scale has one");
    assert!(beta.grad(&grads).is_none() && x.grad(&grads).is_none(), "these have none");
    let none = layer_norm(tensor(1, [0, 3, 2, 2]), gamma, beta, 1e-5, None);
    assert_eq!(none.dims(), [0, 3, 2, 2]);
}
