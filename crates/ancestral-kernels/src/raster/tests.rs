//! Masked convolutions and LSTM scans against plain loops, against Burn's composition in `f64`,
//! against finite differences, against PyTorch and across thread counts.

use burn::{
    backend::DType,
    tensor::{Shape, Tensor, TensorData},
};

use super::{
    PixelConv, PixelLstm, PixelMap, Scan, Tap, conv::composed_masked_conv2d,
    lstm::composed_lstm_scan, lstm_scan, masked_conv2d, shift::composed_sum_of_sides, sum_of_sides,
};
use crate::{
    Activation, Isa, flex,
    tests::{bits, close, device, noise, values},
};

fn tensor<const D: usize>(seed: u64, shape: [usize; D]) -> Tensor<D> {
    let values = noise(seed, shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), &device())
}

/// The taps of a square mask before its middle, and the middle.
fn before(side: isize, middle: bool) -> Vec<Tap> {
    let half = side / 2;
    let mut taps = Vec::new();
    for down in -half..=0 {
        for right in -half..=half {
            if down < 0 || right < 0 || middle && right == 0 {
                taps.push([down, right]);
            }
        }
    }
    taps
}

/// n, height, width, channels, outputs
const SIZES: [[usize; 5]; 9] = [
    [1, 1, 1, 1, 1],
    [2, 5, 4, 3, 5],
    [9, 3, 7, 1, 16],
    [3, 6, 6, 17, 32],
    [2, 1, 9, 4, 33],
    [2, 9, 1, 4, 48],
    [17, 4, 4, 32, 64],
    [1, 28, 28, 8, 12],
    [3, 2, 2, 40, 70],
];

/// Value and gradients of Σ y·w.
struct Pulled<const N: usize> {
    y: Vec<f64>,
    gradients: [Vec<f64>; N],
}

fn conv(
    inputs: (Tensor<4>, Tensor<2>, Tensor<2>),
    taps: &[Tap],
    activation: Activation,
    w: Tensor<4>,
    composed: bool,
) -> Pulled<3> {
    let (x, weight, bias) = inputs;
    let (x, weight, bias) =
        (x.detach().require_grad(), weight.detach().require_grad(), bias.detach().require_grad());
    let f = if composed { composed_masked_conv2d } else { masked_conv2d };
    let y = f(x.clone(), weight.clone(), bias.clone(), taps, activation);
    let grads = (y.clone() * w).sum().backward();
    // The composed form leaves out what no tap reaches.
    let gradients = [
        values(x.grad(&grads).unwrap_or_else(|| x.zeros_like().inner())),
        values(weight.grad(&grads).unwrap_or_else(|| weight.zeros_like().inner())),
        values(bias.grad(&grads).unwrap()),
    ];
    Pulled { y: values(y), gradients }
}

#[test]
fn masked_convolutions_agree_with_the_composed_form_in_f64() {
    let mask =
        [before(7, false), before(3, true), vec![[0, 0]], vec![[0, -1], [0, 0]], vec![[2, 3]]];
    for [n, h, w, c, k] in SIZES {
        for taps in &mask {
            for (activation, own) in [(Activation::None, false), (Activation::Relu, true)] {
                let biases = if own { n } else { 1 };
                let x = tensor(1, [n, h, w, c]);
                let weight = tensor(2, [taps.len() * c, k]);
                let bias = tensor(3, [biases, k]);
                let g = tensor(4, [n, h, w, k]);
                let ours = conv(
                    (x.clone(), weight.clone(), bias.clone()),
                    taps,
                    activation,
                    g.clone(),
                    false,
                );
                let inputs = (x.cast(DType::F64), weight.cast(DType::F64), bias.cast(DType::F64));
                let theirs = conv(inputs, taps, activation, g.cast(DType::F64), true);
                close(&ours.y, &theirs.y, 2e-5);
                for (ours, theirs) in ours.gradients.iter().zip(&theirs.gradients) {
                    close(ours, theirs, 2e-4);
                }
            }
        }
    }
}

#[test]
fn a_masked_convolution_is_the_sum_over_its_taps() {
    let [n, h, w, c, k] = [2, 4, 5, 3, 2];
    let taps = before(5, true);
    let (x, weight) = (noise(1, n * h * w * c), noise(2, taps.len() * c * k));
    let bias = noise(3, k);
    let ours = values(masked_conv2d(
        tensor(1, [n, h, w, c]),
        tensor(2, [taps.len() * c, k]),
        tensor(3, [1, k]),
        &taps,
        Activation::None,
    ));
    let mut plain = Vec::new();
    for (i, y, z) in (0..n).flat_map(|i| (0..h).flat_map(move |y| (0..w).map(move |z| (i, y, z)))) {
        for out in 0..k {
            let mut sum = f64::from(bias[out]);
            for (t, tap) in taps.iter().enumerate() {
                let (Some(y), Some(z)) =
                    (y.checked_add_signed(tap[0]), z.checked_add_signed(tap[1]))
                else {
                    continue;
                };
                if y < h && z < w {
                    for channel in 0..c {
                        sum += f64::from(x[((i * h + y) * w + z) * c + channel])
                            * f64::from(weight[(t * c + channel) * k + out]);
                    }
                }
            }
            plain.push(sum);
        }
    }
    close(&ours, &plain, 1e-6);
}

const SCANS: [Scan; 3] = [Scan::Rows, Scan::Diagonals, Scan::DiagonalsFromRight];

/// x, then the weights, the biases and the state-to-state weights, then the start states.
type States = (Tensor<4>, [Tensor<2>; 3], [Tensor<1>; 2]);

/// The taps of an input-to-state convolution.
fn input_taps(scan: Scan) -> Vec<Tap> {
    if scan == Scan::Rows { vec![[0, -1], [0, 0], [0, 1]] } else { vec![[0, 0]] }
}

fn states([n, h, w, size]: [usize; 4], scan: Scan, biases: usize) -> States {
    let (channels, taps) = (size / 2 + 2, input_taps(scan).len());
    (
        tensor(1, [n, h, w, channels]),
        [
            tensor(2, [taps * channels, 4 * size]),
            tensor(3, [biases, 4 * size]),
            tensor(4, [scan.taps().len() * size, 4 * size]) * 0.5,
        ],
        [tensor(5, [size]), tensor(6, [size])],
    )
}

fn double((x, weights, starts): States) -> States {
    let starts = starts.map(|start| start.cast(DType::F64));
    (x.cast(DType::F64), weights.map(|weight| weight.cast(DType::F64)), starts)
}

fn scanned(states: States, scan: Scan, w: Tensor<4>, composed: bool) -> Pulled<6> {
    let (x, weights, starts) = states;
    let x = x.detach().require_grad();
    let weights = weights.map(|weight| weight.detach().require_grad());
    let starts = starts.map(|start| start.detach().require_grad());
    let f = if composed { composed_lstm_scan } else { lstm_scan };
    let y = f(x.clone(), weights.clone(), &input_taps(scan), starts.clone(), scan);
    let grads = (y.clone() * w).sum().backward();
    let [weight, bias, states] = weights
        .map(|weight| values(weight.grad(&grads).unwrap_or_else(|| weight.zeros_like().inner())));
    let [hidden, cell] = starts.map(|start| values(start.grad(&grads).unwrap()));
    let x = values(x.grad(&grads).unwrap());
    Pulled { y: values(y), gradients: [x, weight, bias, states, hidden, cell] }
}

/// n, height, width, hidden
const SCANNED: [[usize; 4]; 8] = [
    [1, 1, 1, 1],
    [2, 3, 5, 3],
    [3, 5, 3, 16],
    [2, 1, 6, 17],
    [2, 6, 1, 8],
    [17, 4, 4, 32],
    [9, 2, 3, 33],
    [1, 7, 7, 48],
];

#[test]
fn scans_agree_with_the_composed_form_in_f64() {
    for sizes in SCANNED {
        for scan in SCANS {
            let [n, h, w, size] = sizes;
            for biases in [1, n] {
                let g = tensor(7, [n, h, w, size]);
                let inputs = states(sizes, scan, biases);
                let ours = scanned(inputs.clone(), scan, g.clone(), false);
                let theirs = scanned(double(inputs), scan, g.cast(DType::F64), true);
                close(&ours.y, &theirs.y, 3e-6);
                for (ours, theirs) in ours.gradients.iter().zip(&theirs.gradients) {
                    close(ours, theirs, 5e-5);
                }
            }
        }
    }
}

#[test]
fn the_composed_scan_in_f64_agrees_with_differences() {
    let sizes = [2, 3, 4, 2];
    let [n, h, w, size] = sizes;
    for scan in SCANS {
        let all = double(states(sizes, scan, 2));
        let g = tensor(7, [n, h, w, size]).cast(DType::F64);
        let found = scanned(all.clone(), scan, g.clone(), true);
        let value = |(x, weights, starts): States| {
            let y = composed_lstm_scan(x, weights, &input_taps(scan), starts, scan);
            values((y * g.clone()).sum())[0]
        };
        let step = 1e-6;
        for (which, gradient) in found.gradients.iter().enumerate() {
            for (i, gradient) in gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let (mut x, mut weights, mut starts) = all.clone();
                    match which {
                        0 => x = nudged(x, i, by),
                        1..4 => weights[which - 1] = nudged(weights[which - 1].clone(), i, by),
                        _ => starts[which - 4] = nudged(starts[which - 4].clone(), i, by),
                    }
                    value((x, weights, starts))
                };
                let difference = (moved(step) - moved(-step)) / (2.0 * step);
                assert!(
                    (difference - gradient).abs() < 1e-7 * (1.0 + gradient.abs()),
                    "{scan:?}, input {which} at {i}: {difference} against {gradient}"
                );
            }
        }
    }
}

/// The tensor with one value changed.
fn nudged<const D: usize>(x: Tensor<D>, at: usize, by: f64) -> Tensor<D> {
    let shape = x.dims();
    let mut all = values(x.clone());
    all[at] += by;
    Tensor::from_data(TensorData::new(all, shape), (&x.device(), DType::F64))
}

#[test]
fn a_state_depends_on_its_predecessors_alone() {
    let sizes = [1, 4, 5, 2];
    let [_, h, w, _] = sizes;
    for scan in SCANS {
        let (x, weights, starts) = states(sizes, scan, 1);
        let channels = x.dims()[3];
        // Without the taps beside a pixel.
        let own =
            [weights[0].clone().narrow(0, 0, channels), weights[1].clone(), weights[2].clone()];
        for pixel in 0..h * w {
            let (row, column) = (pixel / w, pixel % w);
            let x = x.clone().detach().require_grad();
            let out = lstm_scan(x.clone(), own.clone(), &[[0, 0]], starts.clone(), scan);
            let grads = out.narrow(1, row, 1).narrow(2, column, 1).sum().backward();
            let gradient = values(x.grad(&grads).unwrap());
            for (from, gradient) in gradient.chunks(channels).enumerate() {
                let (down, right) =
                    (row as isize - (from / w) as isize, (from % w) as isize - column as isize);
                let seen = down >= 0
                    && match scan {
                        Scan::Rows => right.abs() <= down,
                        Scan::Diagonals => right <= 0,
                        Scan::DiagonalsFromRight => right >= 0,
                    };
                let any = gradient.iter().any(|g| *g != 0.0);
                assert_eq!(any, seen, "{scan:?}: {from} in the gradient of {pixel}");
            }
        }
    }
}

#[test]
fn sides_are_added_a_row_apart() {
    for [n, h, w, c] in [[1, 1, 1, 1], [2, 3, 5, 3], [3, 1, 4, 16], [9, 6, 1, 7], [0, 2, 2, 3]] {
        let (left, right) = (tensor(1, [n, h, w, c]), tensor(2, [n, h, w, c]));
        let g = tensor(3, [n, h, w, c]);
        let run = |f: fn(Tensor<4>, Tensor<4>) -> Tensor<4>| {
            let (left, right) =
                (left.clone().detach().require_grad(), right.clone().detach().require_grad());
            let y = f(left.clone(), right.clone());
            let grads = (y.clone() * g.clone()).sum().backward();
            // The composed form leaves out a map without a second row.
            let of_right = right.grad(&grads).unwrap_or_else(|| right.zeros_like().inner());
            [values(y), values(left.grad(&grads).unwrap()), values(of_right)]
        };
        assert_eq!(run(sum_of_sides), run(composed_sum_of_sides));
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads_or_the_other_images() {
    let taps = before(3, true);
    let run = |threads: usize, n: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let x = tensor(1, [21, 6, 7, 32]).narrow(0, 0, n).require_grad();
            let weight = tensor(2, [taps.len() * 32, 24]).require_grad();
            let y = masked_conv2d(
                x.clone(),
                weight.clone(),
                tensor(3, [1, 24]),
                &taps,
                Activation::None,
            );
            let scan = Scan::Diagonals;
            let weights =
                [[24, 64], [1, 64], [32, 64]].map(|shape| tensor(4, shape).require_grad());
            let starts = [tensor(5, [16]), tensor(6, [16])];
            let y = lstm_scan(y, weights.clone(), &[[0, 0]], starts, scan);
            let grads = y.clone().sum().backward();
            let own = weights.map(|weight| bits(weight.grad(&grads).unwrap()));
            let first = bits(x.grad(&grads).unwrap());
            (bits(y), first, bits(weight.grad(&grads).unwrap()), own)
        })
    };
    let all = run(1, 21);
    for threads in [2, 3, 5] {
        assert!(run(threads, 21) == all, "{threads} threads");
    }
    let few = run(2, 5).0;
    assert!(few == all.0[..few.len()], "the first images alone");
}

/// Images \[n, height, width, channels\] as a map.
fn map(x: Tensor<4>, taps: &[Tap]) -> PixelMap {
    let [n, h, w, c] = x.dims();
    let all: Vec<f32> = x.into_data().try_into_vec().unwrap();
    let mut map = PixelMap::new([h, w], taps, n, c);
    for (image, all) in all.chunks_exact(h * w * c).enumerate() {
        for (pixel, values) in all.chunks_exact(c).enumerate() {
            map.pixel_mut([pixel / w, pixel % w])[image * c..][..c].copy_from_slice(values);
        }
    }
    map
}

/// What lies before a place and what lies after it.
fn parts(len: usize, middle: usize) -> Vec<std::ops::Range<usize>> {
    [0..middle, middle..len].into_iter().filter(|part| !part.is_empty()).collect()
}

#[test]
fn a_pixel_of_a_convolution_is_that_of_the_whole() {
    for [n, h, w, c, k] in SIZES {
        let taps = before(5, true);
        let (x, weight) = (tensor(1, [n, h, w, c]), tensor(2, [taps.len() * c, k]));
        for own in [false, true] {
            let bias = tensor(3, [if own { n } else { 1 }, k]);
            let whole: Vec<f32> =
                masked_conv2d(x.clone(), weight.clone(), bias.clone(), &taps, Activation::Tanh)
                    .into_data()
                    .try_into_vec()
                    .unwrap();
            let weight: Vec<f32> = weight.clone().into_data().try_into_vec().unwrap();
            let bias: Vec<f32> = bias.into_data().try_into_vec().unwrap();
            let groups = parts(k, k / 2);
            let layer = PixelConv::new(&weight, &taps, k, &groups);
            let map = map(x.clone(), &taps);
            for at in (0..h).flat_map(|y| (0..w).map(move |x| [y, x])) {
                let mut out = vec![0.0; n * k];
                for group in 0..groups.len() {
                    layer.pixel(&map, at, group, &bias, Activation::Tanh, &mut out);
                }
                for (image, out) in out.chunks_exact(k).enumerate() {
                    let from = ((image * h + at[0]) * w + at[1]) * k;
                    assert_eq!(out, &whole[from..from + k], "image {image} at {at:?}");
                }
            }
        }
    }
}

#[test]
fn a_pixel_of_a_scan_is_that_of_the_whole() {
    for [n, h, w, size] in SCANNED.into_iter().chain([[130, 3, 4, 20]]) {
        for scan in SCANS {
            let (x, weights, [hidden, cell]) = states([n, h, w, size], scan, n);
            let taps = input_taps(scan);
            let starts = [hidden.clone(), cell.clone()];
            let whole: Vec<f32> = lstm_scan(x.clone(), weights.clone(), &taps, starts, scan)
                .into_data()
                .try_into_vec()
                .unwrap();
            let [weight, bias, states] = weights;
            let gates = masked_conv2d(x, weight, bias, &taps, Activation::None);
            let plain = |x: Tensor<1>| -> Vec<f32> { x.into_data().try_into_vec().unwrap() };
            let weight: Vec<f32> = states.into_data().try_into_vec().unwrap();
            let groups = parts(size, size / 3);
            let layer = PixelLstm::new(&weight, scan, size, &groups);
            let empty = || PixelMap::new([h, w], scan.taps(), n, size);
            let mut states = empty().filled(&plain(hidden));
            let mut cells = empty().filled(&plain(cell));
            let gates = map(gates, &[]);
            for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
                let at = [y, if scan == Scan::DiagonalsFromRight { w - 1 - x } else { x }];
                let mut own = gates.pixel(at).to_vec();
                for group in 0..groups.len() {
                    layer.pixel(&mut own, &mut states, &mut cells, at, group);
                }
                for (image, state) in states.pixel(at).chunks_exact(size).enumerate() {
                    let from = ((image * h + at[0]) * w + at[1]) * size;
                    assert_eq!(state, &whole[from..from + size], "{scan:?}: {image} at {at:?}");
                }
            }
        }
    }
}

#[test]
fn an_empty_batch_has_gradients_of_zero() {
    let (x, weight) = (tensor(1, [0, 3, 3, 2]), tensor(2, [4, 8]).require_grad());
    let taps = [[0, -1], [0, 0]];
    let y = masked_conv2d(x, weight.clone(), tensor(3, [1, 8]), &taps, Activation::None);
    let weights = [[8, 8], [1, 8], [4, 8]].map(|shape| tensor(4, shape).require_grad());
    let starts = [tensor(5, [2]), tensor(6, [2])];
    let y = lstm_scan(y, weights.clone(), &[[0, 0]], starts, Scan::Diagonals);
    assert_eq!(y.dims(), [0, 3, 3, 2]);
    let grads = y.sum().backward();
    for weight in weights.into_iter().chain([weight]) {
        assert!(values(weight.grad(&grads).unwrap()).iter().all(|g| *g == 0.0));
    }
}

#[test]
fn every_instruction_set_gives_the_same() {
    let plain = |values: Vec<f32>, shape: Vec<usize>| flex::tensor(values, Shape::from(shape));
    let all = |values: &[Vec<f32>]| -> Vec<f64> {
        values.iter().flatten().map(|value| f64::from(*value)).collect()
    };
    for [n, h, w, c, k] in SIZES {
        let taps = before(3, true);
        let x = plain(noise(1, n * h * w * c), vec![n, h, w, c]);
        let weight = plain(noise(2, taps.len() * c * k), vec![taps.len() * c, k]);
        let (bias, delta) = (noise(3, k), noise(4, n * h * w * k));
        let run = |isa: Isa| {
            let y = super::conv::forward(isa, &x, &weight, &bias, &taps, Activation::Sigmoid);
            let found = super::conv::backward(isa, &x, &weight, &delta, &taps, [true; 3]);
            let biases = found.biases.concat();
            all(&[y, found.x.unwrap(), found.weight.unwrap(), biases])
        };
        let best = run(Isa::best());
        Isa::available().into_iter().for_each(|isa| close(&run(isa), &best, 1e-4));
    }
    for sizes in SCANNED {
        for scan in SCANS {
            let run = |isa: Isa| {
                let all: Vec<Vec<f32>> =
                    super::lstm::tests::run(isa, sizes, scan, &input_taps(scan));
                all.concat().into_iter().map(f64::from).collect::<Vec<f64>>()
            };
            let best = run(Isa::best());
            for isa in Isa::available() {
                close(&run(isa), &best, 1e-4);
            }
        }
    }
}

/// sin(0.7 i + seed) times a factor.
fn wave<const D: usize>(shape: [usize; D], seed: f64, factor: f64) -> Tensor<D> {
    let value = |i: usize| ((0.7 * i as f64 + seed).sin() * factor) as f32;
    let all: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(all, shape), &device()).require_grad()
}

/// Σ x·cos(0.3 i).
fn weighed(x: &[f64]) -> f64 {
    x.iter().enumerate().map(|(i, x)| x * (0.3 * i as f64).cos()).sum()
}

/// The output as golden.py weighs it, and its weights.
fn golden<const D: usize>(y: Tensor<D>) -> (f64, Tensor<D>) {
    let shape = y.dims();
    let weights: Vec<f32> =
        (0..shape.iter().product()).map(|i: usize| (0.3 * i as f64).cos() as f32).collect();
    let weights = Tensor::from_data(TensorData::new(weights, shape), &device());
    (weighed(&values(y)), weights)
}

/// The values that golden.py prints.
#[test]
fn golden_values() {
    let near = |name: &str, ours: &[f64], theirs: &[f64]| {
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!((ours - theirs).abs() < 2e-6 * (1.0 + theirs.abs()), "{name}: {ours} {theirs}");
        }
    };
    let (x, weight, bias) =
        (wave([2, 4, 5, 3], 1.0, 1.0), wave([15, 4], 2.0, 0.3), wave([1, 4], 3.0, 1.0));
    let taps = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 0]];
    let y = masked_conv2d(x.clone(), weight.clone(), bias.clone(), &taps, Activation::Tanh);
    let (value, weights) = golden(y.clone());
    let grads = (y * weights).sum().backward();
    let found = [
        value,
        weighed(&values(x.grad(&grads).unwrap())),
        weighed(&values(weight.grad(&grads).unwrap())),
        weighed(&values(bias.grad(&grads).unwrap())),
    ];
    near("masked", &found, &[1.969585238466, 0.046494752593, 3.985142982224, -0.221000888173]);
    let theirs = [
        [-0.117040224591, -0.384245201822, 0.140567533029, 0.002465270324, 0.290011401357],
        [0.013619555377, -0.735230341398, -0.341553995473, 0.103557861580, 1.696996398374],
        [-0.971945353020, 0.082036257604, 0.709343477817, -0.058504225842, -0.247247017239],
    ];
    for (scan, theirs) in SCANS.into_iter().zip(theirs) {
        // An input-to-state convolution that changes nothing.
        let gates = wave([2, 4, 5, 12], 1.0, 1.0);
        let same = Tensor::eye(12, &device());
        let weight = wave([scan.taps().len() * 3, 12], 2.0, 0.5);
        let (hidden, cell) = (wave([3], 3.0, 1.0), wave([3], 4.0, 1.0));
        let weights = [same, Tensor::zeros([1, 12], &device()), weight.clone()];
        let y = lstm_scan(gates.clone(), weights, &[[0, 0]], [hidden.clone(), cell.clone()], scan);
        let (value, weights) = golden(y.clone());
        let grads = (y * weights).sum().backward();
        let found = [
            value,
            weighed(&values(gates.grad(&grads).unwrap())),
            weighed(&values(weight.grad(&grads).unwrap())),
            weighed(&values(hidden.grad(&grads).unwrap())),
            weighed(&values(cell.grad(&grads).unwrap())),
        ];
        near(&format!("{scan:?}"), &found, &theirs);
    }
}
