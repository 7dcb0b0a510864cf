//! Convolutions against plain loops in `f64` on every instruction set, against Burn's composition,
//! against finite differences and across thread counts.

use burn::{
    backend::DType,
    tensor::{Device, Tensor, TensorData},
};

use super::{
    composed_conv_transpose2d, composed_conv2d, conv_transpose2d, conv2d, cores,
    geometry::Geometry, tiled,
};
use crate::{
    amx::Engine,
    precision::{Precision, Products},
    simd::Isa,
    tests::noise,
    tiles::Tiles,
};

/// n, c, k, image, filter, stride, padding
type Sizes = (usize, usize, usize, [usize; 2], [usize; 2], [usize; 2], [usize; 2]);

const SIZES: [Sizes; 35] = [
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
    // Sums that tiles join from parts, and one matrix product.
    (2, 130, 130, [5, 5], [3, 3], [1, 1], [1, 1]),
    (20, 8, 8, [16, 16], [3, 3], [1, 1], [1, 1]),
    (40, 8, 16, [4, 4], [4, 4], [1, 1], [0, 0]),
];

fn geometry((n, c, k, image, filter, stride, padding): Sizes) -> Geometry {
    let out = [0, 1].map(|i| (image[i] + 2 * padding[i] - filter[i]) / stride[i] + 1);
    Geometry { n, c, k, image, filter, out, stride, padding, products: Products::F32 }
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
        loops_agree(Geometry { products: Products::Pairs, ..geometry(sizes) }, bf16);
        for tiles in tiles() {
            loops_agree(Geometry { products: Products::Tiles(tiles), ..geometry(sizes) }, bf16);
        }
    }
}

/// Every way of multiplying by tiles.
fn tiles() -> Vec<Tiles> {
    let of = |engine| [1, 2, 3].map(|parts| Tiles { engine, parts });
    Engine::available().into_iter().flat_map(of).collect()
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

/// The error of each product is bounded, relative to the sum of their magnitudes.
#[test]
fn convolutions_by_tiles_are_as_near_as_their_parts_allow() {
    for sizes in SIZES {
        let plain = geometry(sizes);
        let (x, weight) = (noise(1, plain.x_len()), noise(2, plain.weight_len()));
        let (y, bias) = (noise(3, plain.y_len()), noise(4, plain.c.max(plain.k)));
        let mut exact =
            [plain.y_len(), plain.x_len(), plain.weight_len()].map(|len| vec![0.0f64; len]);
        let mut scale = exact.clone();
        let wide = |x: f32| f64::from(x);
        products(&plain, |i, w, o| {
            let all = [(0, o, x[i] * weight[w]), (1, i, y[o] * weight[w]), (2, w, x[i] * y[o])];
            for (part, at, size) in all {
                scale[part][at] += wide(size.abs());
            }
            exact[0][o] += wide(x[i]) * wide(weight[w]);
            exact[1][i] += wide(y[o]) * wide(weight[w]);
            exact[2][w] += wide(x[i]) * wide(y[o]);
        });
        for tiles in tiles() {
            let g = Geometry { products: Products::Tiles(tiles), ..plain };
            let isa = Isa::best();
            let found = [
                cores::forward(isa, &g, &x, &weight, &[]),
                cores::data(isa, &g, &y, &weight, &bias[..g.c]),
                cores::filters(isa, &g, &x, &y),
            ];
            let each = [0.5f64.powi(7), 0.5f64.powi(15), 0.5f64.powi(21)][tiles.parts - 1];
            for (part, found) in found.iter().enumerate() {
                for (at, found) in found.iter().enumerate() {
                    let area = g.image[0] * g.image[1];
                    let bias = if part == 1 { wide(bias[at / area % g.c]) } else { 0.0 };
                    let error = (wide(*found) - exact[part][at] - bias).abs();
                    let bound = each * scale[part][at] + 1e-6;
                    assert!(error <= bound, "{tiles:?} {sizes:?}, part {part} at {at}: {error}");
                }
            }
        }
    }
}

#[test]
fn tiles_are_used_and_leave_what_is_not_finite_to_others() {
    let g = geometry((9, 16, 16, [16, 16], [3, 3], [1, 1], [1, 1]));
    let (mut x, weight) = (noise(1, g.x_len()), noise(2, g.weight_len()));
    let mut y = noise(3, g.y_len());
    for tiles in tiles() {
        let g = Geometry { products: Products::Tiles(tiles), ..g };
        let isa = Isa::best();
        assert!(tiled::forward(isa, &g, &x, &weight, &[]).is_some());
        assert!(tiled::data(isa, &g, &y, &weight, &[]).is_some());
        assert!(tiled::filters(isa, &g, &x, &y).is_some());
        (x[100], y[200]) = (f32::INFINITY, f32::NAN);
        let plain = Geometry { products: Products::F32, ..g };
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let of = |g: &Geometry| {
            [
                bits(cores::forward(isa, g, &x, &weight, &[])),
                bits(cores::data(isa, g, &y, &weight, &[])),
                bits(cores::filters(isa, g, &x, &y)),
            ]
        };
        assert!(of(&g) == of(&plain));
        (x[100], y[200]) = (0.5, 0.25);
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
}

impl Layer {
    fn ours(self, x: Tensor<4>, w: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
        match self.output_padding {
            None => conv2d(x, w, bias, self.stride, self.padding, Precision::F32),
            Some(more) => {
                conv_transpose2d(x, w, bias, self.stride, self.padding, more, Precision::F32)
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
            let layer = Layer { stride, padding, output_padding };
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
fn products_of_pairs_come_near_and_are_not_the_same() {
    let some: [Sizes; 4] = [
        (2, 3, 2, [5, 6], [3, 3], [1, 1], [1, 1]),
        (4, 3, 20, [8, 8], [4, 4], [2, 2], [1, 1]),
        (3, 40, 2, [8, 8], [4, 4], [2, 2], [1, 1]),
        (5, 18, 33, [7, 6], [3, 2], [2, 1], [1, 0]),
    ];
    for sizes in some {
        let run = |products| {
            let g = Geometry { products, ..geometry(sizes) };
            let (x, weight, y) =
                (noise(1, g.x_len()), noise(2, g.weight_len()), noise(3, g.y_len()));
            let isa = Isa::best();
            let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
            vec![
                wide(cores::forward(isa, &g, &x, &weight, &[])),
                wide(cores::data(isa, &g, &y, &weight, &[])),
                wide(cores::filters(isa, &g, &x, &y)),
            ]
        };
        let (long, short) = (run(Products::F32), run(Products::Pairs));
        all_close(&short, &long, 0.02, &format!("{sizes:?}"));
        for (part, (long, short)) in long.iter().zip(&short).enumerate() {
            let same = long.iter().zip(short).filter(|(a, b)| a == b && **a != 0.0).count();
            assert!(same < long.len() / 4, "{sizes:?}, part {part}");
        }
    }
}

#[test]
fn an_empty_batch_has_gradients_of_zero() {
    for output_padding in [None, Some([1, 0])] {
        let layer = Layer { stride: [2, 2], padding: [1, 1], output_padding };
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
        let layer = Layer { stride: [1, 2], padding: [1, 0], output_padding };
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
            let mut ways = vec![Products::F32, Products::Pairs];
            ways.extend(tiles().into_iter().map(Products::Tiles));
            for (sizes, products) in SIZES.iter().flat_map(|s| ways.iter().map(move |w| (*s, *w))) {
                let g = Geometry { products, ..geometry(sizes) };
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
