use burn::tensor::{DType, Device, TensorData};

use super::*;
use crate::math;
use crate::simd::{Kernel, Simd};
use crate::tests::noise;

/// Batch, entries, levels (1 for numbers), outputs per entry, hidden units, whether rescaled.
const SIZES: [(usize, usize, usize, usize, usize, bool); 13] = [
    (1, 1, 1, 1, 1, false),
    (3, 5, 1, 1, 7, false),
    (9, 12, 1, 1, 33, false),
    (17, 4, 5, 5, 16, false),
    (2, 3, 1, 6, 65, true),
    (8, 7, 1, 3, 40, true),
    (5, 1, 1, 2, 3, true),
    (20, 30, 1, 1, 100, false),
    (6, 13, 2, 1, 50, false),
    (5, 6, 1, 1, 20, false),
    (12, 30, 1, 2, 70, false),
    (70, 131, 1, 1, 37, false),
    (67, 259, 1, 1, 18, false),
];

/// The case with real values, and the one whose products of factors leave their range.
const REALS: usize = 9;
const STEEP: usize = 10;

/// Every second case has a permuted ordering.
fn order(at: usize) -> Option<Vec<usize>> {
    let entries = SIZES[at].1;
    // 7 has no divisor in common with these sizes but for 7 itself, which runs in its order.
    (at % 2 == 1)
        .then(|| (0..entries).map(|d| if entries == 7 { 6 - d } else { d * 7 % entries }))
        .map(Iterator::collect)
}

/// x, then the parameters, as values with their shapes.
fn case(at: usize) -> Vec<(Vec<f32>, Vec<usize>)> {
    let (batch, entries, levels, outputs, hidden, rescaled) = SIZES[at];
    let mut x = noise(1, batch * entries);
    match (levels, rescaled) {
        _ if at == REALS => {}
        (1, false) => x.iter_mut().for_each(|x| *x = f32::from(*x > 0.4)),
        (1, true) => x.iter_mut().for_each(|x| *x *= 2.0),
        _ => x.iter_mut().for_each(|x| *x = ((*x + 1.0) / 2.0 * levels as f32).floor()),
    }
    let mut scale = noise(6, entries);
    scale.iter_mut().for_each(|s| *s = 1.0 + 0.5 * *s);
    let mut weight = noise(2, entries * levels * hidden);
    if at == STEEP {
        weight.iter_mut().for_each(|w| *w *= 40.0);
    }
    vec![
        (x, vec![batch, entries]),
        (weight, vec![entries * levels, hidden]),
        (noise(3, hidden), vec![hidden]),
        (noise(4, entries * outputs * hidden), vec![entries * outputs, hidden]),
        (noise(5, entries * outputs), vec![entries * outputs]),
        (scale, vec![entries]),
    ]
}

fn slices<'a>(
    case: &'a [(Vec<f32>, Vec<usize>)],
    rescaled: bool,
    activation: Activation,
    order: &'a Option<Vec<usize>>,
) -> NadeParameters<'a> {
    NadeParameters {
        weight: &case[1].0,
        bias: &case[2].0,
        output_weight: &case[3].0,
        output_bias: &case[4].0,
        scale: rescaled.then_some(&case[5].0),
        activation,
        order: order.as_deref(),
    }
}

fn forward(isa: Isa, parameters: NadeParameters<'_>, x: &[f32], entries: usize) -> Vec<f32> {
    let weights = NadeWeights::with(isa, parameters, entries);
    let mut out = vec![f32::NAN; x.len() * weights.sizes.outputs];
    weights.forward(x, &mut out);
    out
}

fn sizes(at: usize) -> Sizes {
    let (_, entries, levels, outputs, hidden, _) = SIZES[at];
    Sizes { entries, levels, outputs, hidden }
}

/// Outputs and gradients of Σ outputs·w, composed in `f64`.
fn composed(at: usize, activation: Activation) -> (Vec<f64>, Vec<Vec<f64>>) {
    let case = case(at);
    let (batch, entries, _, outputs, _, rescaled) = SIZES[at];
    let device = Device::flex().autodiff();
    let data = |i: usize| {
        let (values, shape) = &case[i];
        TensorData::new(values.clone(), shape.clone())
    };
    let matrix = |i: usize| -> Tensor<2> {
        Tensor::<2>::from_data(data(i), (&device, DType::F64)).require_grad()
    };
    let vector = |i: usize| -> Tensor<1> {
        Tensor::<1>::from_data(data(i), (&device, DType::F64)).require_grad()
    };
    let x = Tensor::<2>::from_data(data(0), (&device, DType::F64));
    let (w, b, v, c) = (matrix(1), vector(2), matrix(3), vector(4));
    let scale = rescaled.then(|| vector(5));
    let form = NadeForm { activation, order: order(at) };
    let y = nade(x, w.clone(), b.clone(), v.clone(), c.clone(), scale.clone(), form);
    let weights = TensorData::new(noise(9, batch * entries * outputs), y.dims());
    let weights = Tensor::<2>::from_data(weights, (&device, DType::F64));
    let grads = (y.clone() * weights).sum().backward();
    let f64s = |data: TensorData| data.try_into_vec_as::<f64>().unwrap();
    // Parameters without effect on any output have no gradient.
    let matrix_gradient = |t: &Tensor<2>| {
        f64s(t.grad(&grads).unwrap_or_else(|| t.clone().inner().zeros_like()).into_data())
    };
    let vector_gradient = |t: &Tensor<1>| {
        f64s(t.grad(&grads).unwrap_or_else(|| t.clone().inner().zeros_like()).into_data())
    };
    let mut found =
        vec![matrix_gradient(&w), vector_gradient(&b), matrix_gradient(&v), vector_gradient(&c)];
    found.extend(scale.map(|s| vector_gradient(&s)));
    (f64s(y.into_data()), found)
}

#[track_caller]
fn close(ours: &[f32], theirs: &[f64], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let a = f64::from(*a);
        assert!((a - b).abs() < 2e-5 * (1.0 + b.abs()), "{what} at {i}: {a} against {b}");
    }
}

#[test]
fn every_instruction_set_agrees_with_the_composed_form_in_f64() {
    for (at, &(batch, entries, _, outputs, _, rescaled)) in SIZES.iter().enumerate() {
        let case = case(at);
        let weights = noise(9, batch * entries * outputs);
        let all = Isa::available().into_iter().flat_map(|isa| {
            [Activation::Sigmoid, Activation::Relu, Activation::Tanh, Activation::Softplus]
                .map(|activation| (isa, activation))
        });
        for (isa, activation) in all {
            // Pre-activations in the hundreds are too large for `f32` with unbounded units.
            if at == STEEP && matches!(activation, Activation::Relu | Activation::Softplus) {
                continue;
            }
            let (y, grads) = composed(at, activation);
            let name = format!("{isa:?}, {activation:?}, {:?}", SIZES[at]);
            let order = order(at);
            let parameters = slices(&case, rescaled, activation, &order);
            close(&forward(isa, parameters, &case[0].0, entries), &y, &name);
            let [w, b, v, scale] =
                gradient::backward(isa, sizes(at), parameters, &case[0].0, &weights);
            close(&w, &grads[0], &name);
            close(&b, &grads[1], &name);
            close(&v, &grads[2], &name);
            if rescaled {
                close(&scale, &grads[4], &name);
            }
        }
    }
}

/// Rows of ones, of zeros, of both in turn and of noise, under weights whose powers are zero,
/// infinite or near the ends of the range, and whose sums are whole numbers: in `f64`.
#[test]
fn rows_that_leave_the_range_go_on_with_their_sums() {
    let (entries, hidden) = (13, 21);
    let whole = |seed: u64, len: usize, of: &[f32]| -> Vec<f32> {
        let place = |x: f32| ((x + 1.0) / 2.0 * of.len() as f32) as usize;
        noise(seed, len).into_iter().map(|x| of[place(x).min(of.len() - 1)]).collect()
    };
    let output_weight = noise(3, entries * hidden);
    let output_bias = noise(4, entries);
    let cases: [(&[f32], &[f32]); 5] = [
        (&[-100.0, -40.0, -1.0, 0.0, 2.0, 40.0, 100.0], &[0.0, 1.0]),
        (&[-35.0, 35.0, -34.0, 34.0], &[0.0, 35.0, -35.0]),
        (&[-69.0, 69.0, -70.0, 70.0, 0.0], &[0.0]),
        (&[1.0, 0.0, -1.0], &[-200.0, 200.0, 69.0, -69.0]),
        (&[-3000.0, 3000.0], &[0.0]),
    ];
    for (weights, biases) in cases {
        let weight = whole(1, entries * hidden, weights);
        let bias = whole(2, hidden, biases);
        let parameters = NadeParameters {
            weight: &weight,
            bias: &bias,
            output_weight: &output_weight,
            output_bias: &output_bias,
            scale: None,
            activation: Activation::Sigmoid,
            order: None,
        };
        for batch in [9, 70] {
            let x: Vec<f32> = noise(5, batch * entries)
                .into_iter()
                .enumerate()
                .map(|(at, noise)| match (at / entries) % 4 {
                    0 => 1.0,
                    1 => 0.0,
                    2 => (at % 2) as f32,
                    _ => f32::from(noise > 0.0),
                })
                .collect();
            let mut want = vec![0.0; batch * entries];
            for (x, want) in x.chunks_exact(entries).zip(want.chunks_exact_mut(entries)) {
                let mut sums: Vec<f64> = bias.iter().map(|&b| f64::from(b)).collect();
                for (d, want) in want.iter_mut().enumerate() {
                    let v = &output_weight[d * hidden..][..hidden];
                    let units = sums.iter().map(|&sum| 1.0 / (1.0 + (-sum).exp()));
                    *want = units.zip(v).map(|(unit, &v)| unit * f64::from(v)).sum::<f64>()
                        + f64::from(output_bias[d]);
                    let w = &weight[d * hidden..][..hidden];
                    sums.iter_mut().zip(w).for_each(|(s, &w)| *s += f64::from(x[d]) * f64::from(w));
                }
            }
            for isa in Isa::available() {
                let found = forward(isa, parameters, &x, entries);
                close(&found, &want, &format!("{isa:?}, {weights:?}, {batch}"));
                let count = batch.min(NadeRows::MOST);
                let ready = NadeWeights::with(isa, parameters, entries);
                let mut rows = NadeRows::new(&ready, count);
                for d in 0..entries {
                    let mut out = vec![0.0; count];
                    rows.outputs(d, &mut out);
                    let one = |of: &[f32]| -> Vec<f32> {
                        of.iter().skip(d).step_by(entries).take(count).copied().collect()
                    };
                    assert_eq!(out, one(&found));
                    rows.push(d, &one(&x));
                }
            }
        }
    }
}

#[test]
fn outputs_may_be_asked_for_twice_or_not_at_all() {
    let at = 7;
    let (case, order) = (case(at), order(at));
    let (batch, entries, ..) = SIZES[at];
    let parameters = slices(&case, false, Activation::Sigmoid, &order);
    let whole = forward(Isa::best(), parameters, &case[0].0, entries);
    let weights = NadeWeights::new(parameters, entries);
    for asked in [[0, 1, 1], [1, 0, 2], [2, 1, 0], [0, 0, 1]] {
        let mut rows = NadeRows::new(&weights, batch);
        for d in 0..entries {
            let column = |of: &[f32]| -> Vec<f32> {
                of.iter().skip(parameters.entry(d)).step_by(entries).copied().collect()
            };
            for _ in 0..asked[d % 3] {
                let mut out = vec![0.0; batch];
                rows.outputs(d, &mut out);
                assert_eq!(out, column(&whole));
            }
            rows.push(d, &column(&case[0].0));
        }
    }
}

#[test]
fn rows_are_shared_among_threads_by_whole_groups() {
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for count in [0, 1, 7, 64, 100_000] {
            let rows = pool.install(|| NadeRows::at_once(count));
            assert!(rows > 0 && rows <= NadeRows::MOST && rows % 4 == 0);
            assert!(rows == NadeRows::MOST || rows * threads >= count);
        }
    }
}

struct Sigmoids<'a>(&'a mut [f32]);

impl Kernel for Sigmoids<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for chunk in self.0.chunks_exact_mut(S::N) {
            // SAFETY: a chunk of N values.
            unsafe {
                let y = math::unit_sigmoid(s, s.load(chunk.as_ptr()));
                s.store(chunk.as_mut_ptr(), y);
            }
        }
    }
}

#[test]
fn units_are_sigmoids_of_their_sums() {
    let extremes = [f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1e-40];
    let mut x: Vec<f32> = (-12_000..12_000).map(|i| i as f32 * 0.01).collect();
    x.extend(extremes);
    x.resize(x.len().next_multiple_of(16), 0.5);
    for isa in Isa::available() {
        let mut y = x.clone();
        isa.run(Sigmoids(&mut y));
        for (x, y) in x.iter().zip(y) {
            let want = (1.0 / (1.0 + f64::from(-x).exp())).max(1e-30);
            let error = (f64::from(y) - want).abs() / want;
            assert!(error < 4e-7 || want < 2e-30 && y <= 2e-30, "{isa:?} {x}: {y} {want}");
        }
        let mut nan = [f32::NAN; 16];
        isa.run(Sigmoids(&mut nan));
        assert!(nan.iter().all(|y| y.is_nan()));
    }
}

#[test]
fn the_fused_gradients_reach_every_parameter() {
    for (at, &(batch, entries, _, outputs, _, rescaled)) in SIZES.iter().enumerate() {
        let case = case(at);
        let device = Device::flex().autodiff();
        let matrix = |i: usize| -> Tensor<2> {
            Tensor::from_data(TensorData::new(case[i].0.clone(), case[i].1.clone()), &device)
        };
        let vector = |i: usize| -> Tensor<1> {
            let data = TensorData::new(case[i].0.clone(), case[i].1.clone());
            Tensor::<1>::from_data(data, &device).require_grad()
        };
        let (w, b, v, c) =
            (matrix(1).require_grad(), vector(2), matrix(3).require_grad(), vector(4));
        let scale = rescaled.then(|| vector(5));
        let parts = (w.clone(), b.clone(), v.clone(), c.clone(), scale.clone());
        let form = NadeForm { activation: Activation::Sigmoid, order: order(at) };
        let y = nade(matrix(0), parts.0, parts.1, parts.2, parts.3, parts.4, form);
        let weights = TensorData::new(noise(9, batch * entries * outputs), y.dims());
        let grads = (y * Tensor::<2>::from_data(weights, &device)).sum().backward();
        let f32s = |data: TensorData| data.try_into_vec_as::<f32>().unwrap();
        let (_, want) = composed(at, Activation::Sigmoid);
        close(&f32s(w.grad(&grads).unwrap().into_data()), &want[0], "weight");
        close(&f32s(b.grad(&grads).unwrap().into_data()), &want[1], "bias");
        close(&f32s(v.grad(&grads).unwrap().into_data()), &want[2], "output weight");
        close(&f32s(c.grad(&grads).unwrap().into_data()), &want[3], "output bias");
        if let Some(scale) = scale {
            close(&f32s(scale.grad(&grads).unwrap().into_data()), &want[4], "scale");
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads_nor_on_other_rows() {
    for (at, &(batch, entries, _, outputs, _, rescaled)) in SIZES.iter().enumerate() {
        let case = case(at);
        let order = order(at);
        let parameters = slices(&case, rescaled, Activation::Sigmoid, &order);
        let grad = noise(9, batch * entries * outputs);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let isa = Isa::best();
                let y = forward(isa, parameters, &case[0].0, entries);
                (y, gradient::backward(isa, sizes(at), parameters, &case[0].0, &grad))
            })
        };
        assert_eq!(run(1), run(3));
        assert_eq!(run(1), run(8));
        // One entry at a time, and in another batch, a row has the same bits.
        let (whole, _) = run(1);
        for first in [0, batch - 1] {
            let count = (batch - first).min(NadeRows::MOST);
            let weights = NadeWeights::new(parameters, entries);
            let mut rows = NadeRows::new(&weights, count);
            for d in 0..entries {
                let mut out = vec![0.0; count * outputs];
                rows.outputs(d, &mut out);
                for e in 0..count {
                    let at = ((first + e) * entries + parameters.entry(d)) * outputs;
                    assert_eq!(out[e * outputs..][..outputs], whole[at..][..outputs]);
                }
                let values: Vec<f32> = (0..count)
                    .map(|e| case[0].0[(first + e) * entries + parameters.entry(d)])
                    .collect();
                rows.push(d, &values);
            }
        }
    }
}

/// Rescaled sums, and a single unit whose products of factors leave their range: both concern
/// all hidden units of a slice.
#[test]
fn gradients_do_not_depend_on_threads_where_units_share_a_slice() {
    let (batch, entries, hidden) = (20, 12, 150);
    let x: Vec<f32> = noise(1, batch * entries).into_iter().map(|x| f32::from(x > -0.2)).collect();
    let mut weight = noise(2, entries * hidden);
    weight.chunks_exact_mut(hidden).for_each(|row| row[70] *= 200.0);
    let (bias, output_weight) = (noise(3, hidden), noise(4, entries * hidden));
    let (output_bias, scale, grad) = (noise(5, entries), noise(6, entries), noise(7, x.len()));
    for scale in [None, Some(&scale[..])] {
        let parameters = NadeParameters {
            weight: &weight,
            bias: &bias,
            output_weight: &output_weight,
            output_bias: &output_bias,
            scale,
            activation: Activation::Sigmoid,
            order: None,
        };
        let sizes = Sizes { entries, levels: 1, outputs: 1, hidden };
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| gradient::backward(Isa::best(), sizes, parameters, &x, &grad))
        };
        let one = run(1);
        for threads in [2, 5, 16] {
            assert_eq!(run(threads), one, "{threads} threads, rescaled: {}", scale.is_some());
        }
    }
}

#[test]
fn an_output_sees_the_entries_before_it_alone() {
    for (at, &(_, entries, levels, outputs, _, rescaled)) in SIZES.iter().enumerate() {
        let (case, order) = (case(at), order(at));
        let parameters = slices(&case, rescaled, Activation::Sigmoid, &order);
        let before = forward(Isa::best(), parameters, &case[0].0, entries);
        for d in 0..entries {
            let mut x = case[0].0.clone();
            for row in x.chunks_exact_mut(entries) {
                for place in d..entries {
                    let x = &mut row[parameters.entry(place)];
                    *x = if levels == 1 { 1.0 - *x } else { (levels - 1) as f32 - *x };
                }
            }
            let after = forward(Isa::best(), parameters, &x, entries);
            let rows = before.chunks_exact(outputs).zip(after.chunks_exact(outputs));
            for (i, (before, after)) in rows.enumerate() {
                if (0..=d).any(|place| parameters.entry(place) == i % entries) {
                    assert_eq!(before, after);
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "names each of 3 entries once")]
fn an_order_that_repeats_an_entry_is_refused() {
    let parameters = NadeParameters {
        weight: &[0.0; 6],
        bias: &[0.0; 2],
        output_weight: &[0.0; 6],
        output_bias: &[0.0; 3],
        scale: None,
        activation: Activation::Sigmoid,
        order: Some(&[0, 2, 2]),
    };
    let _ = NadeWeights::new(parameters, 3);
}
