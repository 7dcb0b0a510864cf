//! The tensor functions against Burn's own composition, against finite differences in `f64`, and
//! across thread counts.

use burn::{
    backend::DType,
    tensor::{Device, Tensor, TensorData},
};

use crate::{
    Activation, Isa, Precision, bernoulli, bernoulli::composed_nll, bernoulli_nll, exp, linear,
    linear::composed_linear, linear_vjp, log, relu, sigmoid, softplus, tanh,
};

fn dense(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, activation: Activation) -> Tensor<2> {
    linear(x, weight, bias, activation, Precision::F32)
}

pub(crate) fn device() -> Device {
    Device::flex().autodiff()
}

/// `len` values that look random, in [−1, 1).
pub(crate) fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

fn matrix(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub(crate) fn values<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().convert::<f64>().try_into_vec().unwrap()
}

pub(crate) fn bits<const D: usize>(x: Tensor<D>) -> Vec<u32> {
    x.into_data().try_into_vec::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

fn double<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.cast(DType::F64)
}

#[track_caller]
pub(crate) fn close(ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let good =
            (a - b).abs() <= tolerance * (1.0 + b.abs()) || a == b || (a.is_nan() && b.is_nan());
        assert!(good, "at {i}: {a} against {b}");
    }
}

const SHAPES: [[usize; 2]; 9] =
    [[0, 3], [3, 0], [1, 1], [1, 15], [3, 16], [7, 17], [5, 257], [100, 784], [301, 333]];

type Function = fn(Tensor<2>) -> Tensor<2>;

/// The functions with the shift of their argument.
const FUNCTIONS: [(Function, f32); 6] =
    [(tanh, 0.0), (sigmoid, 0.0), (softplus, 0.0), (exp, 0.0), (log, 6.0), (relu, 0.0)];

/// Value and gradient of Σ f(x)·w.
fn pull(f: impl Fn(Tensor<2>) -> Tensor<2>, x: Tensor<2>, w: Tensor<2>) -> (Vec<f64>, Vec<f64>) {
    let x = x.detach().require_grad();
    let y = f(x.clone());
    let grads = (y.clone() * w).sum().backward();
    (values(y), values(x.grad(&grads).unwrap()))
}

#[test]
fn functions_agree_with_the_composed_form_in_f64() {
    let device = device();
    for shape in SHAPES {
        let len = shape[0] * shape[1];
        let w = matrix(noise(2, len), shape, &device);
        for (f, shift) in FUNCTIONS {
            let x = matrix(noise(1, len).iter().map(|x| x * 5.0 + shift).collect(), shape, &device);
            let (y, g) = pull(f, x.clone(), w.clone());
            let (y64, g64) = pull(f, double(x), double(w.clone()));
            close(&y, &y64, 5e-7);
            close(&g, &g64, 5e-7);
        }
    }
}

#[test]
fn the_composed_form_in_f64_agrees_with_differences() {
    let device = device();
    let shape = [3, 5];
    let w = double(matrix(noise(2, 15), shape, &device));
    for (f, shift) in FUNCTIONS {
        let x =
            double(matrix(noise(1, 15).iter().map(|x| x * 3.0 + shift).collect(), shape, &device));
        let (_, g) = pull(f, x.clone(), w.clone());
        let h = 1e-6;
        let difference = (f(x.clone() + h) - f(x - h)) / (2.0 * h) * w.clone();
        close(&g, &values(difference), 1e-8);
    }
}

#[test]
fn relu_is_burns_bit_for_bit() {
    let special = [f32::INFINITY, f32::NEG_INFINITY, 1e-40, -1e-40];
    let all: Vec<f32> = special.into_iter().chain(noise(1, 101)).collect();
    let run = |f: fn(Tensor<1>) -> Tensor<1>| {
        let x = Tensor::<1>::from_data(TensorData::from(&all[..]), &device()).require_grad();
        let y = f(x.clone());
        let weights = Tensor::<1>::from_data(TensorData::from(&noise(2, all.len())[..]), &device());
        let grads = (y.clone() * weights).sum().backward();
        [bits(y), bits(x.grad(&grads).unwrap())]
    };
    assert_eq!(run(relu), run(burn::tensor::activation::relu));
    let y: f32 = relu(Tensor::<1>::from_data([f32::NAN], &device())).into_scalar();
    assert!(y.is_nan());
}

#[test]
fn softplus_has_slope_one_half_at_zero_in_both_forms() {
    let zero = matrix(vec![0.0], [1, 1], &device());
    let one = matrix(vec![1.0], [1, 1], &device());
    assert_eq!(pull(softplus, zero.clone(), one.clone()).1, [0.5]);
    assert_eq!(pull(softplus, double(zero), double(one)).1, [0.5]);
}

#[test]
fn views_are_read_in_order() {
    let device = device();
    let x = matrix(noise(3, 40 * 30), [40, 30], &device);
    let view = |x: Tensor<2>| x.transpose().slice([2..27, 5..38]).flip([1]);
    for (f, _) in &FUNCTIONS[..4] {
        assert_eq!(bits(f(view(x.clone()))), bits(view(f(x.clone()))));
    }
    let three = x.clone().reshape([4, 10, 30]).swap_dims(0, 2);
    assert_eq!(bits(tanh(three.clone())), bits(tanh(x).reshape([4, 10, 30]).swap_dims(0, 2)));
    let targets = matrix(noise(4, 900), [30, 30], &device);
    let logits = three.slice([0..30, 0..10, 0..3]).reshape([30, 30]);
    let plain =
        matrix(values(logits.clone()).into_iter().map(|x| x as f32).collect(), [30, 30], &device);
    assert_eq!(bits(bernoulli_nll(logits, targets.clone())), bits(bernoulli_nll(plain, targets)));
}

#[test]
fn an_input_that_others_hold_is_left_alone() {
    let device = Device::flex();
    let x = matrix(noise(3, 100), [10, 10], &device);
    let before = bits(x.clone());
    let once = bits(tanh(x.clone()));
    assert_eq!(bits(x.clone()), before);
    // A buffer with one owner is reused.
    assert_eq!(bits(tanh(x)), once);
}

/// Logits over many magnitudes, targets 0, 1 and between.
fn bernoulli_data(shape: [usize; 2]) -> (Vec<f32>, Vec<f32>) {
    let len = shape[0] * shape[1];
    let logits =
        noise(5, len).iter().enumerate().map(|(i, x)| x * [1.0, 20.0, 1e4][i % 3]).collect();
    let targets = noise(6, len)
        .iter()
        .enumerate()
        .map(|(i, x)| if i % 4 == 0 { (x + 1.0) / 2.0 } else { f32::from(*x > 0.0) })
        .collect();
    (logits, targets)
}

#[test]
fn bernoulli_agrees_with_f64_on_every_instruction_set() {
    for shape @ [rows, width] in SHAPES {
        let (logits, targets) = bernoulli_data(shape);
        for isa in Isa::available() {
            let ours = bernoulli::nll_rows(isa, &logits, &targets, rows, width);
            let g = noise(7, rows);
            let slope = bernoulli::nll_rows_grad(isa, &logits, &targets, &g, rows, width);
            for row in 0..rows {
                let at = row * width..(row + 1) * width;
                let exact: f64 = logits[at.clone()]
                    .iter()
                    .zip(&targets[at.clone()])
                    .map(|(&l, &t)| (f64::from(l), f64::from(t)))
                    .map(|(l, t)| l.max(0.0) + (-l.abs()).exp().ln_1p() - t * l)
                    .sum();
                let error = (f64::from(ours[row]) - exact).abs();
                assert!(
                    error <= 1.5e-7 * exact,
                    "{isa:?} {shape:?}: {} against {exact}",
                    ours[row]
                );
                for i in at {
                    let (l, t) = (f64::from(logits[i]), f64::from(targets[i]));
                    let exact = (1.0 / (1.0 + (-l).exp()) - t) * f64::from(g[row]);
                    assert!((f64::from(slope[i]) - exact).abs() <= 2e-7);
                }
            }
        }
    }
}

#[test]
fn small_probabilities_keep_their_digits() {
    // Each term is about 1e−9: 1 + e^−|l| is 1 in f32, the sum is not 0.
    let logits = vec![-20.7f32; 784];
    let exact = 784.0 * (-20.7f32 as f64).exp().ln_1p();
    for isa in Isa::available() {
        let ours = bernoulli::nll_rows(isa, &logits, &[0.0; 784], 1, 784)[0];
        assert!((f64::from(ours) / exact - 1.0).abs() < 3e-7, "{ours} against {exact}");
    }
}

#[test]
fn bernoulli_gradients_agree_with_the_composed_form() {
    let device = device();
    for shape in SHAPES {
        let (logits, targets) = bernoulli_data(shape);
        let w = Tensor::<1>::from_data(TensorData::new(noise(8, shape[0]), [shape[0]]), &device);
        let run = |logits: Tensor<2>, targets: Tensor<2>, w: Tensor<1>| {
            let (logits, targets) =
                (logits.detach().require_grad(), targets.detach().require_grad());
            let nll = bernoulli_nll(logits.clone(), targets.clone());
            let grads = (nll.clone() * w).sum().backward();
            (
                values(nll),
                values(logits.grad(&grads).unwrap()),
                values(targets.grad(&grads).unwrap()),
            )
        };
        let (l, t) = (matrix(logits, shape, &device), matrix(targets, shape, &device));
        let ours = run(l.clone(), t.clone(), w.clone());
        let exact = run(double(l), double(t), double(w));
        close(&ours.0, &exact.0, 2e-7);
        close(&ours.1, &exact.1, 2e-7);
        close(&ours.2, &exact.2, 2e-7);
    }
}

#[test]
fn the_composed_bernoulli_in_f64_agrees_with_differences() {
    let device = device();
    let l = double(matrix(noise(9, 12).iter().map(|x| x * 4.0).collect(), [3, 4], &device));
    let t = double(matrix(noise(10, 12), [3, 4], &device).abs());
    let x = l.clone().detach().require_grad();
    let grads = composed_nll(x.clone(), t.clone()).sum().backward();
    let gradient = values(x.grad(&grads).unwrap());
    let h = 1e-6;
    for i in 0..12 {
        let mut shift = vec![0.0; 12];
        shift[i] = 1.0;
        let shift = double(matrix(shift, [3, 4], &device)) * h;
        let difference = composed_nll(l.clone() + shift.clone(), t.clone()).sum()
            - composed_nll(l.clone() - shift, t.clone()).sum();
        close(&[gradient[i]], &[values(difference)[0] / (2.0 * h)], 1e-8);
    }
}

const ACTIVATIONS: [Activation; 5] = [
    Activation::None,
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::Softplus,
    Activation::Relu,
];

/// (batch, in, out)
const LAYERS: [(usize, usize, usize); 11] = [
    (1, 1, 1),
    (3, 5, 2),
    (0, 4, 3),
    (4, 0, 3),
    (4, 3, 0),
    (17, 33, 65),
    (100, 784, 200),
    (100, 50, 200),
    (5, 700, 31),
    // Split along the weights, with remainders on both sides.
    (13, 1030, 300),
    (70, 290, 1100),
];

struct Layer {
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    w: Tensor<2>,
}

impl Layer {
    fn new(batch: usize, inputs: usize, outputs: usize, binary: bool) -> Self {
        let device = device();
        let scale = 1.0 / (inputs.max(1) as f32).sqrt();
        let x = noise(11, batch * inputs)
            .iter()
            .map(|x| if binary { f32::from(*x > 0.65) } else { *x })
            .collect();
        Self {
            x: matrix(x, [batch, inputs], &device),
            weight: matrix(noise(12, inputs * outputs), [inputs, outputs], &device) * scale,
            bias: Tensor::from_data(TensorData::new(noise(13, outputs), [outputs]), &device),
            w: matrix(noise(14, batch * outputs), [batch, outputs], &device),
        }
    }

    fn double(&self) -> Self {
        Self {
            x: double(self.x.clone()),
            weight: double(self.weight.clone()),
            bias: double(self.bias.clone()),
            w: double(self.w.clone()),
        }
    }

    /// Output and the gradients of Σ y·w for x, weight and bias.
    fn run(&self, activation: Activation) -> [Vec<f64>; 4] {
        let x = self.x.clone().detach().require_grad();
        let weight = self.weight.clone().detach().require_grad();
        let bias = self.bias.clone().detach().require_grad();
        let y = dense(x.clone(), weight.clone(), bias.clone(), activation);
        let grads = (y.clone() * self.w.clone()).sum().backward();
        [
            values(y),
            values(x.grad(&grads).unwrap()),
            values(weight.grad(&grads).unwrap()),
            values(bias.grad(&grads).unwrap()),
        ]
    }
}

#[test]
fn linear_agrees_with_the_composed_form_in_f64() {
    for (batch, inputs, outputs) in LAYERS {
        if outputs == 0 {
            // Burn cannot broadcast an empty bias; the kernel's shapes are checked below.
            let parts = Layer::new(batch, inputs, outputs, false).run(Activation::Tanh);
            assert_eq!(parts.map(|part| part.len()), [0, batch * inputs, 0, 0]);
            continue;
        }
        for binary in [false, true] {
            for activation in ACTIVATIONS {
                let layer = Layer::new(batch, inputs, outputs, binary);
                for (ours, exact) in
                    layer.run(activation).iter().zip(layer.double().run(activation))
                {
                    close(ours, &exact, 1e-5);
                }
            }
        }
    }
}

#[test]
fn the_way_back_through_linear_agrees_with_burn_in_f64() {
    for (batch, inputs, outputs) in LAYERS.into_iter().filter(|(m, k, n)| m * k * n > 0) {
        let layer = Layer::new(batch, inputs, outputs, false);
        let run = |layer: &Layer| {
            // Here the layer's w is the input, and its x the weights of the output.
            let v = layer.w.clone().detach().require_grad();
            let weight = layer.weight.clone().detach().require_grad();
            let out = linear_vjp(v.clone(), weight.clone(), Precision::F32);
            let grads = (out.clone() * layer.x.clone()).sum().backward();
            [values(out), values(v.grad(&grads).unwrap()), values(weight.grad(&grads).unwrap())]
        };
        for (ours, exact) in run(&layer).iter().zip(run(&layer.double())) {
            close(ours, &exact, 1e-5);
        }
    }
}

#[test]
fn the_composed_linear_in_f64_agrees_with_differences() {
    for activation in ACTIVATIONS {
        let layer = Layer::new(3, 4, 5, false).double();
        let [_, _, gradient, _] = layer.run(activation);
        let h = 1e-6;
        for i in 0..20 {
            let mut shift = vec![0.0; 20];
            shift[i] = 1.0;
            let shift = double(matrix(shift, [4, 5], &device())) * h;
            let loss = |weight| {
                let y = composed_linear(layer.x.clone(), weight, layer.bias.clone(), activation);
                values((y * layer.w.clone()).sum())[0]
            };
            let difference =
                loss(layer.weight.clone() + shift.clone()) - loss(layer.weight.clone() - shift);
            close(&[gradient[i]], &[difference / (2.0 * h)], 1e-7);
        }
    }
}

#[test]
fn linear_takes_views_and_leaves_untracked_inputs_alone() {
    let layer = Layer::new(6, 9, 7, false);
    let x = matrix(noise(20, 54), [9, 6], &device());
    let y =
        dense(x.clone().transpose(), layer.weight.clone(), layer.bias.clone(), Activation::Tanh);
    let plain = matrix(
        values(x.clone().transpose()).iter().map(|&x| x as f32).collect(),
        [6, 9],
        &device(),
    );
    assert_eq!(
        bits(y),
        bits(dense(plain, layer.weight.clone(), layer.bias.clone(), Activation::Tanh))
    );

    let weight = layer.weight.clone().detach().require_grad();
    let x = layer.x.clone().detach();
    let y = dense(x.clone(), weight.clone(), layer.bias.clone().detach(), Activation::Relu);
    let grads = y.sum().backward();
    assert!(x.grad(&grads).is_none() && weight.grad(&grads).is_some());

    // Without gradients at all.
    let plain = |x: Tensor<2>| {
        matrix(values(x.clone()).iter().map(|&x| x as f32).collect(), x.dims(), &Device::flex())
    };
    let bias = Tensor::<1>::from_data(layer.bias.clone().into_data(), &Device::flex());
    let y = dense(plain(layer.x.clone()), plain(layer.weight.clone()), bias, Activation::Tanh);
    let tracked =
        dense(layer.x.clone(), layer.weight.clone(), layer.bias.clone(), Activation::Tanh);
    assert_eq!(bits(y), bits(tracked));
}

#[test]
fn the_number_of_threads_does_not_show() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut all = Vec::new();
            for (batch, inputs, outputs) in
                [(100, 784, 200), (256, 200, 784), (333, 301, 129), (20, 1030, 300)]
            {
                for binary in [false, true] {
                    let layer = Layer::new(batch, inputs, outputs, binary);
                    for part in layer.run(Activation::Softplus) {
                        all.extend(part.into_iter().map(f64::to_bits));
                    }
                }
            }
            let (l, t) = bernoulli_data([100, 784]);
            let l = matrix(l, [100, 784], &device()).require_grad();
            let nll = bernoulli_nll(l.clone(), matrix(t, [100, 784], &device()));
            let grads = nll.clone().sum().backward();
            all.extend(values(nll).into_iter().map(f64::to_bits));
            all.extend(values(l.grad(&grads).unwrap()).into_iter().map(f64::to_bits));
            all
        })
    };
    let one = run(1);
    assert!(one == run(2), "2 threads");
    assert!(one == run(3), "3 threads");
}
