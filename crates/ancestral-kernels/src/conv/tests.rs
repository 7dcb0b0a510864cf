//! Convolutions against plain loops in `f64` on every instruction set, against Burn's composition,
//! against finite differences and across thread counts.

use burn::{
    backend::DType,
    tensor::{Device, Tensor, TensorData},
};

use super::{
    Precision, composed_conv_transpose2d, composed_conv2d, conv_transpose2d, conv2d, cores,
    cores::Geometry, pairs::pairs,
};
use crate::{simd::Isa, tests::noise};

/// n, c, k, image, filter, stride, padding
type Sizes = (usize, usize, usize, [usize; 2], [usize; 2], [usize; 2], [usize; 2]);

const SIZES: [Sizes; 32] = [
    (1, 1, 1, [1, 1], [1, 1], [1, 1], [0, 0]),
    (2, 3, 5, [5, 5], [3, 3], [1, 1], [1, 1]),
    (3, 2, 33, [7, 4], [3, 2], [1, 1], [1, 0]),
    (2, 17, 16, [6, 9], [2, 3], [2, 1], [0, 2]),
    (1, 20, 40, [9, 7], [4, 4], [2, 2], [1, 1]),
    (5, 1, 8, [8, 8], [4, 4], [2, 2], [1, 1]),
    (4, 3, 20, [8, 8], [4, 4], [2, 2], [1, 1]),
    (4, 48, 1, [8, 8], [3, 3], [1, 1], [1, 1]),
    (2, 5, 2, [6, 5], [3, 3], [1, 1], [2, 2]),
    (2, 5, 3, [6, 5], [3, 3], [1, 1], [0, 0]),
    (2, 4, 50, [4, 4], [4, 4], [1, 1], [0, 0]),
    (7, 33, 1, [4, 4], [4, 4], [1, 1], [0, 0]),
    (3, 16, 16, [10, 11], [5, 3], [3, 3], [2, 1]),
    (3, 18, 7, [10, 11], [2, 1], [3, 2], [0, 0]),
    (2, 18, 19, [5, 5], [1, 1], [1, 1], [0, 0]),
    (2, 18, 19, [5, 5], [1, 1], [2, 2], [0, 0]),
    (2, 19, 18, [3, 3], [1, 1], [1, 1], [2, 1]),
    (2, 19, 18, [6, 6], [2, 2], [1, 1], [2, 2]),
    (2, 2, 3, [6, 6], [2, 2], [3, 3], [2, 2]),
    (0, 3, 4, [5, 5], [3, 3], [1, 1], [1, 1]),
    (0, 3, 4, [4, 4], [4, 4], [1, 1], [0, 0]),
    (0, 20, 4, [4, 4], [3, 3], [2, 2], [0, 0]),
    (33, 2, 3, [4, 4], [3, 3], [1, 1], [1, 1]),
    (65, 18, 34, [4, 4], [3, 3], [1, 1], [1, 1]),
    (2, 70, 6, [4, 4], [4, 4], [2, 2], [1, 1]),
    (40, 1, 66, [9, 9], [3, 3], [2, 2], [1, 1]),
    (9, 16, 16, [16, 16], [3, 3], [1, 1], [1, 1]),
    (3, 6, 31, [32, 32], [5, 5], [2, 2], [2, 2]),
    (1, 2, 2, [1, 7], [1, 4], [1, 2], [0, 1]),
    (1, 21, 22, [7, 1], [3, 1], [2, 1], [1, 0]),
    // Taps of one stride that end one vector width from the start of others.
    (2, 9, 2, [9, 9], [3, 4], [2, 2], [1, 1]),
    (2, 16, 1, [12, 12], [4, 6], [3, 3], [1, 1]),
];

fn geometry((n, c, k, image, filter, stride, padding): Sizes) -> Geometry {
    let out = [0, 1].map(|i| (image[i] + 2 * padding[i] - filter[i]) / stride[i] + 1);
    Geometry { n, c, k, image, filter, out, stride, padding, precision: Precision::F32 }
}

/// Calls `f(x, weight, y)` with the places of every product.
fn products(g: &Geometry, mut f: impl FnMut(usize, usize, usize)) {
    let ([h, w], [r, s], [oh, ow]) = (g.image, g.filter, g.out);
    for n in 0..g.n {
        for k in 0..g.k {
            for (oy, ox) in (0..oh).flat_map(|y| (0..ow).map(move |x| (y, x))) {
                for c in 0..g.c {
                    for (a, b) in (0..r).flat_map(|a| (0..s).map(move |b| (a, b))) {
                        let y = (oy * g.stride[0] + a).wrapping_sub(g.padding[0]);
                        let x = (ox * g.stride[1] + b).wrapping_sub(g.padding[1]);
                        if y < h && x < w {
                            f(
                                ((n * g.c + c) * h + y) * w + x,
                                ((k * g.c + c) * r + a) * s + b,
                                ((n * g.k + k) * oh + oy) * ow + ox,
                            );
                        }
                    }
                }
            }
        }
    }
}

#[track_caller]
fn close(ours: &[f32], exact: &[f64], what: &str) {
    assert_eq!(ours.len(), exact.len(), "{what}");
    for (i, (&a, b)) in ours.iter().zip(exact).enumerate() {
        let error = (f64::from(a) - b).abs();
        assert!(error <= 2e-5 * (1.0 + b.abs()), "{what}, at {i}: {a} against {b}");
    }
}

#[test]
fn the_loops_agree_with_plain_ones_on_every_instruction_set() {
    for sizes in SIZES {
        loops_agree(geometry(sizes), noise);
        // With bf16 inputs only the sums are rounded.
        let bf16 = |seed, len| {
            noise(seed, len).iter().map(|x| f32::from_bits(x.to_bits() & 0xffff_0000)).collect()
        };
        loops_agree(Geometry { precision: Precision::Bf16, ..geometry(sizes) }, bf16);
    }
}

fn loops_agree(g: Geometry, numbers: impl Fn(u64, usize) -> Vec<f32>) {
    let (x, weight) = (numbers(1, g.x_len()), numbers(2, g.weight_len()));
    let (y, bias) = (numbers(3, g.y_len()), noise(4, g.c.max(g.k)));
    let [mut forward, mut data, mut filters] =
        [g.y_len(), g.x_len(), g.weight_len()].map(|len| vec![0.0f64; len]);
    let wide = |x: f32| f64::from(x);
    products(&g, |i, w, o| {
        forward[o] += wide(x[i]) * wide(weight[w]);
        data[i] += wide(y[o]) * wide(weight[w]);
        filters[w] += wide(x[i]) * wide(y[o]);
    });
    let add = |values: &[f64], channels: usize, area: [usize; 2]| -> Vec<f64> {
        let place = |i: usize| i / (area[0] * area[1]) % channels;
        values.iter().enumerate().map(|(i, v)| v + wide(bias[place(i)])).collect()
    };
    let (with_k, with_c) = (add(&forward, g.k, g.out), add(&data, g.c, g.image));
    for isa in Isa::available() {
        let what = format!("{isa:?} {g:?}");
        close(&cores::forward(isa, &g, &x, &weight, &[]), &forward, &what);
        close(&cores::forward(isa, &g, &x, &weight, &bias[..g.k]), &with_k, &what);
        close(&cores::data(isa, &g, &y, &weight, &[]), &data, &what);
        close(&cores::data(isa, &g, &y, &weight, &bias[..g.c]), &with_c, &what);
        close(&cores::filters(isa, &g, &x, &y), &filters, &what);
    }
}

#[test]
fn pairs_are_the_nearest_bf16_two_by_two() {
    let special = [
        0.0,
        -0.0,
        1.0,
        // Halfway between two: to the even one, down and up.
        f32::from_bits(0x3f80_8000),
        f32::from_bits(0x3f81_8000),
        f32::from_bits(0x3f80_8001),
        f32::MAX,
        f32::INFINITY,
        f32::NEG_INFINITY,
        // A NaN whose payload is in the truncated bits.
        f32::from_bits(0x7f80_0001),
        f32::from_bits(1),
    ];
    let nearest: [u32; 11] =
        [0, 0x8000, 0x3f80, 0x3f80, 0x3f82, 0x3f81, 0x7f80, 0x7f80, 0xff80, 0x7fc0, 0];
    for isa in Isa::available() {
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<u32>>();
        // Along an axis of length one, the other half of each pair is 0.
        assert_eq!(bits(pairs(isa, &special, [11, 1, 1])), nearest, "{isa:?}");
        // Twice three lines of 35: the third of each is paired with 0.
        let x = noise(1, 2 * 3 * 35);
        let alone = bits(pairs(isa, &x, [2 * 3 * 35, 1, 1]));
        for (one, x) in alone.iter().zip(&x) {
            let error = (f32::from_bits(one << 16) - x).abs();
            assert!(error <= x.abs() / 256.0, "{isa:?}: {x}");
        }
        let both = bits(pairs(isa, &x, [2, 3, 35]));
        for (i, pair) in both.iter().enumerate() {
            let (outer, row, column) = (i / 70, i / 35 % 2, i % 35);
            let at = |j: usize| alone[(outer * 3 + j) * 35 + column];
            let expected = if row == 0 { at(0) | at(1) << 16 } else { at(2) };
            assert_eq!(*pair, expected, "{isa:?} at {i}");
        }
    }
}

#[test]
fn transposed_outputs_take_any_height_that_comes_from_the_same_one() {
    // A stride of 3 takes heights 7, 8 and 9 to 3; the last rows then see no tap, or few.
    for height in [7, 8, 9] {
        let mut sizes: Sizes = (2, 18, 5, [height, 7], [2, 3], [3, 2], [0, 1]);
        for c in [18, 2] {
            sizes.1 = c;
            let g = geometry(sizes);
            assert_eq!(g.out[0], (height - 2) / 3 + 1);
            let (weight, y) = (noise(2, g.weight_len()), noise(3, g.y_len()));
            let mut data = vec![0.0f64; g.x_len()];
            products(&g, |i, w, o| data[i] += f64::from(y[o]) * f64::from(weight[w]));
            for isa in Isa::available() {
                close(&cores::data(isa, &g, &y, &weight, &[]), &data, &format!("{isa:?} {g:?}"));
            }
        }
    }
}

fn device() -> Device {
    Device::flex().autodiff()
}

fn tensor<const D: usize>(seed: u64, shape: [usize; D]) -> Tensor<D> {
    let values = noise(seed, shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), &device())
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().convert::<f64>().try_into_vec().unwrap()
}

fn double<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    x.clone().cast(DType::F64)
}

/// Both directions, ours and Burn's.
#[derive(Clone, Copy, Debug)]
struct Layer {
    stride: [usize; 2],
    padding: [usize; 2],
    /// None for a convolution.
    output_padding: Option<[usize; 2]>,
    precision: Precision,
}

impl Layer {
    fn ours(self, x: Tensor<4>, w: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
        match self.output_padding {
            None => conv2d(x, w, bias, self.stride, self.padding, self.precision),
            Some(more) => {
                conv_transpose2d(x, w, bias, self.stride, self.padding, more, self.precision)
            }
        }
    }

    fn composed(self, x: Tensor<4>, w: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
        match self.output_padding {
            None => composed_conv2d(x, w, bias, self.stride, self.padding),
            Some(more) => composed_conv_transpose2d(x, w, bias, self.stride, self.padding, more),
        }
    }
}

type Run = dyn Fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>) -> Tensor<4>;

/// Output and the gradients of Σ y·w for x, weight and bias.
fn pull(f: &Run, x: &Tensor<4>, weight: &Tensor<4>, bias: Option<&Tensor<1>>) -> Vec<Vec<f64>> {
    let (x, weight) = (x.clone().detach().require_grad(), weight.clone().detach().require_grad());
    let bias = bias.map(|bias| bias.clone().detach().require_grad());
    let y = f(x.clone(), weight.clone(), bias.clone());
    let w = tensor(9, y.dims()).cast(y.dtype());
    let grads = (y.clone() * w).sum().backward();
    let mut all =
        vec![values(y), values(x.grad(&grads).unwrap()), values(weight.grad(&grads).unwrap())];
    all.extend(bias.map(|bias| values(bias.grad(&grads).unwrap())));
    all
}

#[track_caller]
fn all_close(ours: &[Vec<f64>], theirs: &[Vec<f64>], tolerance: f64, what: &str) {
    assert_eq!(ours.len(), theirs.len());
    for (part, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(ours.len(), theirs.len(), "{what}, part {part}");
        // Sums of many values of both signs: errors are relative to the largest.
        let scale = theirs.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() <= tolerance * scale, "{what}, part {part}: {a} against {b}");
        }
    }
}

#[test]
fn values_and_gradients_agree_with_burn_in_f32_and_f64() {
    for sizes in SIZES.into_iter().filter(|sizes| sizes.0 > 0 && sizes.0 < 60) {
        let (n, c, k, [h, w], [r, s], stride, padding) = sizes;
        let weight = tensor(2, [k, c, r, s]);
        for output_padding in
            [None, Some([0, 0]), Some(stride.map(|s| s - 1)), Some([0, stride[1] - 1])]
        {
            let precision = Precision::F32;
            let layer = Layer { stride, padding, output_padding, precision };
            let (channels, biases) = if output_padding.is_some() { (k, c) } else { (c, k) };
            if output_padding.is_some_and(|more| {
                (h - 1) * stride[0] + r + more[0] <= 2 * padding[0]
                    || (w - 1) * stride[1] + s + more[1] <= 2 * padding[1]
            }) {
                continue;
            }
            let (x, bias) = (tensor(1, [n, channels, h, w]), tensor(3, [biases]));
            let what = format!("{layer:?} {sizes:?}");
            let ours = &move |x, w, b| layer.ours(x, w, b);
            let composed = &move |x, w, b| layer.composed(x, w, b);
            let exact = pull(composed, &double(&x), &double(&weight), Some(&double(&bias)));
            all_close(&pull(ours, &x, &weight, Some(&bias)), &exact, 2e-5, &what);
            all_close(&pull(composed, &x, &weight, Some(&bias)), &exact, 2e-5, &what);
            // In f64, and without a bias.
            let again = pull(ours, &double(&x), &double(&weight), Some(&double(&bias)));
            assert_eq!(again, exact, "{what}");
            let exact = pull(composed, &double(&x), &double(&weight), None);
            all_close(&pull(ours, &x, &weight, None), &exact, 2e-5, &what);
        }
    }
}

#[test]
fn products_of_bf16_come_near_and_are_not_the_same() {
    let some: [Sizes; 4] = [
        (2, 3, 2, [5, 6], [3, 3], [1, 1], [1, 1]),
        (4, 3, 20, [8, 8], [4, 4], [2, 2], [1, 1]),
        (3, 40, 2, [8, 8], [4, 4], [2, 2], [1, 1]),
        (5, 18, 33, [7, 6], [3, 2], [2, 1], [1, 0]),
    ];
    for sizes in some {
        let (n, c, k, [h, w], [r, s], stride, padding) = sizes;
        for output_padding in [None, Some(stride.map(|s| s - 1))] {
            let channels = if output_padding.is_some() { k } else { c };
            let (x, weight) = (tensor(1, [n, channels, h, w]), tensor(2, [k, c, r, s]));
            let run = |precision| {
                let layer = Layer { stride, padding, output_padding, precision };
                pull(&move |x, w, b| layer.ours(x, w, b), &x, &weight, None)
            };
            let (long, short) = (run(Precision::F32), run(Precision::Bf16));
            all_close(&short, &long, 0.02, &format!("{output_padding:?} {sizes:?}"));
            for (part, (long, short)) in long.iter().zip(&short).enumerate() {
                let same = long.iter().zip(short).filter(|(a, b)| a == b && **a != 0.0).count();
                assert!(same < long.len() / 4, "{output_padding:?} {sizes:?}, part {part}");
            }
        }
    }
}

#[test]
fn an_empty_batch_has_gradients_of_zero() {
    for output_padding in [None, Some([1, 0])] {
        let precision = Precision::F32;
        let layer = Layer { stride: [2, 2], padding: [1, 1], output_padding, precision };
        let (x, weight, bias) = (tensor(1, [0, 3, 6, 6]), tensor(2, [3, 3, 4, 4]), tensor(3, [3]));
        let parts = pull(&move |x, w, b| layer.ours(x, w, b), &x, &weight, Some(&bias));
        assert_eq!(parts[0].len() + parts[1].len(), 0);
        assert_eq!(parts[2], [0.0; 144]);
        assert_eq!(parts[3], [0.0; 3]);
    }
}

#[test]
fn the_composed_form_in_f64_agrees_with_differences() {
    for (output_padding, [c, k]) in [(None, [2, 3]), (Some([0, 1]), [3, 2])] {
        let precision = Precision::F32;
        let layer = Layer { stride: [1, 2], padding: [1, 0], output_padding, precision };
        let run: &Run = &move |x, w, b| layer.ours(x, w, b);
        let parts = [
            double(&tensor(1, [2, c, 4, 3])).reshape([-1]),
            double(&tensor(2, if output_padding.is_none() { [k, c, 3, 2] } else { [c, k, 3, 2] }))
                .reshape([-1]),
            double(&tensor(3, [k])),
        ];
        let shapes =
            [[2, c, 4, 3], if output_padding.is_none() { [k, c, 3, 2] } else { [c, k, 3, 2] }];
        let [x, w] = [0, 1].map(|i: usize| parts[i].clone().reshape(shapes[i]));
        let gradients = &pull(run, &x, &w, Some(&parts[2]))[1..];
        let loss = |parts: &[Tensor<1>; 3]| {
            let [x, w] = [0, 1].map(|i: usize| parts[i].clone().reshape(shapes[i]));
            let y = run(x, w, Some(parts[2].clone()));
            let weights = tensor(9, y.dims()).cast(DType::F64);
            values((y * weights).sum())[0]
        };
        for (part, gradient) in gradients.iter().enumerate() {
            for i in 0..gradient.len() {
                let shifted = |h: f64| {
                    let mut all = parts.clone();
                    let mut values = values(all[part].clone());
                    values[i] += h;
                    let len = values.len();
                    let data = TensorData::new(values, [len]);
                    all[part] = Tensor::from_data(data, (&device(), DType::F64));
                    loss(&all)
                };
                let difference = (shifted(1e-4) - shifted(-1e-4)) / 2e-4;
                assert!((difference - gradient[i]).abs() < 1e-8, "part {part} at {i}");
            }
        }
    }
}

#[test]
fn untracked_inputs_are_left_alone_and_views_are_read_in_order() {
    let (x, weight) = (tensor(1, [3, 2, 6, 5]), tensor(2, [4, 2, 3, 3]).require_grad());
    let y = conv2d(x.clone(), weight.clone(), None, [1, 1], [1, 1], Precision::F32);
    let grads = y.clone().sum().backward();
    assert!(x.grad(&grads).is_none() && weight.grad(&grads).is_some());
    // A view with its own strides, and no gradients at all.
    let plain = |x: Tensor<4>| Tensor::<4>::from_data(x.into_data(), &Device::flex());
    let transposed = plain(x.swap_dims(2, 3)).swap_dims(2, 3);
    let again = conv2d(transposed, plain(weight.detach()), None, [1, 1], [1, 1], Precision::F32);
    assert_eq!(values(again), values(y));
}

#[test]
fn the_number_of_threads_does_not_show() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut all = Vec::new();
            let precisions = [Precision::F32, Precision::Bf16];
            for (sizes, precision) in SIZES.into_iter().flat_map(|s| precisions.map(|p| (s, p))) {
                let g = Geometry { precision, ..geometry(sizes) };
                let (x, y, weight) =
                    (noise(1, g.x_len()), noise(2, g.y_len()), noise(3, g.weight_len()));
                all.extend(cores::forward(Isa::best(), &g, &x, &weight, &[]));
                all.extend(cores::data(Isa::best(), &g, &y, &weight, &[]));
                all.extend(cores::filters(Isa::best(), &g, &x, &y));
            }
            all.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        })
    };
    let one = run(1);
    assert!(one == run(2), "2 threads");
    assert!(one == run(3), "3 threads");
}

#[test]
#[should_panic(expected = "do not fit")]
fn channels_must_agree() {
    conv2d(tensor(1, [1, 2, 4, 4]), tensor(2, [3, 1, 3, 3]), None, [1, 1], [0, 0], Precision::F32);
}

#[test]
#[should_panic(expected = "output padding")]
fn output_padding_is_less_than_the_stride() {
    conv_transpose2d(
        tensor(1, [1, 2, 4, 4]),
        tensor(2, [2, 1, 3, 3]),
        None,
        [1, 1],
        [0, 0],
        [1, 0],
        Precision::F32,
    );
}
