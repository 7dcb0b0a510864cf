//! Two concurrent trainings in one process have the bits that each has alone, in any thread pools: no
//! kernel has shared state.

#![allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]

use std::sync::{Arc, Barrier};

use ancestral_kernels::{
    Activation, BlockTriangularLinear, NadeForm, Precision, ThreadTuner, batch_norm, bernoulli_nll,
    block_triangular_linear, conv_transpose2d, conv2d, layer_norm, leaky_relu, linear, nade,
    optim::{self, AdamStep},
    softplus,
};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rayon::{ThreadPool, ThreadPoolBuilder};

const STEPS: u64 = 12;

/// `len` values that look random, in [−1, 1).
fn noise(seed: u64, len: usize) -> Vec<f32> {
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

fn data<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex().autodiff())
}

/// A parameter with its moments of Adam.
struct Parameter<const D: usize> {
    shape: [usize; D],
    values: Vec<f32>,
    moments: [Vec<f32>; 2],
}

impl<const D: usize> Parameter<D> {
    fn new(seed: u64, shape: [usize; D]) -> Self {
        let len = shape.iter().product();
        let values = noise(seed, len).into_iter().map(|x| 0.2 * x).collect();
        Self { shape, values, moments: [vec![0.0; len], vec![0.0; len]] }
    }

    fn tensor(&self) -> Tensor<D> {
        data(self.values.clone(), self.shape).require_grad()
    }

    fn update(&mut self, tensor: Tensor<D>, gradients: &Gradients, step: u64) {
        let gradient: Vec<f32> =
            tensor.grad(gradients).unwrap().into_data().try_into_vec().unwrap();
        let [m, v] = &mut self.moments;
        let step = AdamStep::at(step, 1e-3, 0.9, 0.999, 1e-8, 0.0);
        optim::adam(&mut self.values, &gradient, m, v, &step);
    }

    fn bits(&self) -> Vec<u32> {
        self.values.iter().map(|x| x.to_bits()).collect()
    }
}

/// Trains convolutions and normalizations; the bits of their parameters.
fn images(precision: Precision, slope: f64) -> Vec<Vec<u32>> {
    let mut down = Parameter::new(1, [24, 3, 3, 3]);
    let mut up = Parameter::new(2, [24, 3, 4, 4]);
    let (mut gamma, mut beta) = (Parameter::new(3, [24]), Parameter::new(4, [24]));
    let (mut scale, mut shift) = (Parameter::new(5, [3]), Parameter::new(6, [3]));
    let mut tuner = ThreadTuner::new();
    for step in 1..=STEPS {
        tuner.run(|| {
            let x = data(noise(100 + step, 24 * 3 * 14 * 14), [24, 3, 14, 14]);
            let (w, v) = (down.tensor(), up.tensor());
            let (g, b, s, t) = (gamma.tensor(), beta.tensor(), scale.tensor(), shift.tensor());
            let h = conv2d(x.clone(), w.clone(), None, [2, 2], [1, 1], precision);
            let (h, ..) = batch_norm(h, g.clone(), b.clone(), 1e-5, Some(slope));
            let y = conv_transpose2d(h, v.clone(), None, [2, 2], [1, 1], [0, 0], precision);
            let y = leaky_relu(layer_norm(y, s.clone(), t.clone(), 1e-5, None), 0.1);
            let gradients = (y - x).square().sum().backward();
            down.update(w, &gradients, step);
            up.update(v, &gradients, step);
            gamma.update(g, &gradients, step);
            beta.update(b, &gradients, step);
            scale.update(s, &gradients, step);
            shift.update(t, &gradients, step);
        });
    }
    vec![down.bits(), up.bits(), gamma.bits(), beta.bits(), scale.bits(), shift.bits()]
}

/// Trains dense and block-triangular layers and a NADE; the bits of their parameters.
fn binary(size: usize) -> Vec<Vec<u32>> {
    let hidden = 280;
    let layout = Arc::new(BlockTriangularLinear::new(
        hidden,
        (0..size).map(|j| j * hidden / size).collect(),
    ));
    let (mut first, mut bias) = (Parameter::new(11, [size, hidden]), Parameter::new(12, [hidden]));
    let (mut packed, mut last) = (Parameter::new(13, [layout.len()]), Parameter::new(14, [size]));
    layout.clear_unseen(&mut packed.values);
    let (mut weight, mut output) =
        (Parameter::new(15, [size, 150]), Parameter::new(16, [size, 150]));
    let mut rate = Parameter::new(17, [size]);
    let mut tuner = ThreadTuner::new();
    for step in 1..=STEPS {
        tuner.run(|| {
            let x = noise(200 + step, 270 * size).into_iter().map(|x| f32::from(x > 0.3));
            let x = data(x.collect(), [270, size]);
            let [a, w, v] = [&first, &weight, &output].map(Parameter::tensor);
            let [b, p, l, r] = [&bias, &packed, &last, &rate].map(Parameter::tensor);
            let h = linear(x.clone() - 0.5, a.clone(), b.clone(), Activation::Tanh, Precision::F32);
            let logits =
                block_triangular_linear(h, p.clone(), l.clone(), &layout, Activation::None);
            let zeros = data(vec![0.0; 150], [150]);
            let scale = softplus(r.clone());
            let form = NadeForm { activation: Activation::Sigmoid, order: None };
            let more = nade(x.clone(), w.clone(), zeros, v.clone(), l.clone(), Some(scale), form);
            let loss = bernoulli_nll(logits, x.clone()).sum() + bernoulli_nll(more, x).sum();
            let gradients = loss.backward();
            first.update(a, &gradients, step);
            weight.update(w, &gradients, step);
            output.update(v, &gradients, step);
            bias.update(b, &gradients, step);
            packed.update(p, &gradients, step);
            last.update(l, &gradients, step);
            rate.update(r, &gradients, step);
        });
    }
    let matrices = [first, weight, output].into_iter().map(|p| p.bits());
    matrices.chain([bias, packed, last, rate].into_iter().map(|p| p.bits())).collect()
}

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// Runs both at once, each in its pool, or in that of the process.
fn at_once<A: Send, B: Send>(
    pools: [Option<&ThreadPool>; 2],
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    fn inside<R: Send>(pool: Option<&ThreadPool>, work: impl FnOnce() -> R + Send) -> R {
        match pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
    let start = Barrier::new(2);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            start.wait();
            inside(pools[0], a)
        });
        start.wait();
        let second = inside(pools[1], b);
        (first.join().unwrap(), second)
    })
}

#[test]
fn two_trainings_at_once_have_the_bits_of_one_after_the_other() {
    let one = pool(1);
    let alone = one.install(|| (images(Precision::F32, 0.2), binary(270)));
    let [two, three, six] = [2, 3, 6].map(pool);
    let pairs = [
        [Some(&two), Some(&three)],
        [Some(&one), Some(&six)],
        [Some(&two), Some(&two)],
        [None, None],
    ];
    for pools in pairs {
        let both = at_once(pools, || images(Precision::F32, 0.2), || binary(270));
        assert!(both == alone, "{pools:?}");
    }
}

#[test]
fn two_trainings_of_one_kind_with_other_settings_do_not_mix() {
    let one = pool(1);
    let alone = one.install(|| (images(Precision::Bf16, 0.3), images(Precision::F32, 0.2)));
    assert!(alone.0 != alone.1);
    let [two, three] = [2, 3].map(pool);
    for pools in [[Some(&two), Some(&three)], [Some(&three), Some(&three)]] {
        let both = at_once(pools, || images(Precision::Bf16, 0.3), || images(Precision::F32, 0.2));
        assert!(both == alone, "{pools:?}");
    }
}
