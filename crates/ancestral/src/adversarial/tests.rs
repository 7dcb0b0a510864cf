//! Penalties, terms of losses, normalization and warnings against known values.

use ancestral_data::{Batch, Binarize, Dataset, Domain, Examples, Shape, SplitName, Streams};
use ancestral_kernels::Precision;
use burn::tensor::{DType, Tensor, TensorData};

use super::critic::{Conditioning, Critic, CriticArchitecture, Penalty, pull_away};
use super::gan::{Gan, GanConfig};
use super::layers::{Layer, LayerSpec, LinearOp, WeightInit};
use super::losses::Loss;
use super::networks::{Architecture, Family};
use super::normalization::{BatchNorm, MOMENTUM, Mode, Norm, Spectral};
use crate::model::{
    BatchIterator, DataSpec, Init, Metrics, Model, NamedTensors, StepContext, Trainable,
};
use crate::nn::{Activation, load_module, module_tensors, to_f64};
use crate::optim::{OptimizerConfig, Optimizers};
use crate::settings::Settings;
use crate::spec::cpu;

/// sin(0.7 i + k) / 2, as the script below fills its tensors.
fn waves(n: usize, k: f64) -> Vec<f64> {
    (0..n).map(|i| (0.7 * i as f64 + k).sin() * 0.5).collect()
}

fn tensor<const D: usize>(values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (&cpu(), DType::F64))
}

fn critic_architecture(networks: Architecture<'_>) -> CriticArchitecture<'_> {
    CriticArchitecture {
        networks,
        loss: Loss::Wasserstein,
        conditioning: Conditioning::None,
        classes: 0,
        categories: 0,
        continuous: 0,
        code_dim: 1,
        scale: 1.0,
        output: Activation::Tanh,
        start: WeightInit::Glorot,
    }
}

/// PyTorch's double backward through two convolutions, layer normalization and leaky ReLU:
/// ```python
/// import torch
/// torch.set_default_dtype(torch.float64)
/// def fill(shape, k):
///     n = 1
///     for s in shape: n *= s
///     return torch.sin(torch.arange(n) * 0.7 + k).reshape(shape) * 0.5
/// conv1 = (fill((3, 2, 4, 4), 1), fill((3,), 2))
/// conv2 = (fill((4, 3, 4, 4), 3), fill((4,), 4))
/// gamma, beta = fill((4,), 5) + 1, fill((4,), 6)
/// head = (fill((16, 1), 7), fill((1,), 8))
/// weights = [*conv1, *conv2, gamma, beta, *head]
/// for w in weights: w.requires_grad_(True)
/// x = fill((3, 2, 8, 8), 9).requires_grad_(True)
/// F = torch.nn.functional
/// h = F.leaky_relu(F.conv2d(x, *conv1, stride=2, padding=1), 0.2)
/// h = F.conv2d(h, *conv2, stride=2, padding=1)
/// h = F.group_norm(h, 1, gamma, beta, eps=1e-5)
/// score = F.leaky_relu(h, 0.2).flatten(1) @ head[0] + head[1]
/// (input_gradient,) = torch.autograd.grad(score.sum(), x, create_graph=True)
/// penalty = ((input_gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()
/// penalty.backward()
/// print(penalty.item())
/// for w in weights[:1] + weights[2:3] + weights[4:5] + weights[6:7]:
///     g = w.grad.flatten()
///     print(g[0].item(), g[len(g) // 2].item(), g[-1].item())
/// ```
#[test]
fn the_penalty_and_its_gradient_are_those_of_a_double_backward() {
    let init = Init::double(&cpu(), 0);
    let layer = |from, to, norm, name: &str| {
        let op = LinearOp::Convolution { kernel: 4, stride: 2, padding: 1 };
        let (activation, precision) = (Activation::LeakyRelu, Precision::F32);
        let spec = LayerSpec { op, from, to, norm, activation, bias: true, precision };
        Layer::init(spec, WeightInit::Glorot, name, &init)
    };
    let first = filled(layer([2, 8, 8], [3, 4, 4], Norm::None, "a"), 1.0);
    let second = filled(layer([3, 4, 4], [4, 2, 2], Norm::Layer, "b"), 3.0);
    let dense = LayerSpec {
        op: LinearOp::Dense,
        from: [4, 2, 2],
        to: [1, 1, 1],
        norm: Norm::None,
        activation: Activation::Identity,
        bias: true,
        precision: Precision::F32,
    };
    let head = filled(Layer::init(dense, WeightInit::Glorot, "c", &init), 7.0);
    let x = tensor(waves(3 * 2 * 8 * 8, 9.0), [3, 2, 8, 8]);
    let (a, _, first_trace) = first.forward(x, Mode::Training, true);
    let (b, _, second_trace) = second.forward(a, Mode::Training, true);
    let (score, _, head_trace) = head.forward(b, Mode::Training, true);
    let v = head.vjp(head_trace.unwrap(), score.detach() * 0.0 + 1.0);
    let v = first.vjp(first_trace.unwrap(), second.vjp(second_trace.unwrap(), v));
    let penalty = Penalty::Gradient.of(v.reshape([3, 128]));
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9 * (1.0 + b.abs()), "{a} {b}");
    close(to_f64(penalty.clone())[0], 26.477836862858425);
    let grads = penalty.backward();
    let check = |tensor: Tensor<4>, expected: [f64; 3]| {
        let grad = to_f64(tensor.grad(&grads).unwrap());
        let found = [grad[0], grad[grad.len() / 2], grad[grad.len() - 1]];
        found.into_iter().zip(expected).for_each(|(a, b)| close(a, b));
    };
    check(first.weight.val(), [5.0638898904035194, 2.458029984305181, -5.701045778292578]);
    check(second.weight.val(), [0.4441385146409544, -3.76001082098797, 0.6583781040364646]);
    let gamma = second.layer_norm.as_ref().unwrap().gamma.val().grad(&grads).unwrap();
    let gamma = to_f64(gamma);
    for (found, expected) in [gamma[0], gamma[2], gamma[3]].into_iter().zip([
        -4.47620036947193,
        32.59740871501743,
        20.664494800764306,
    ]) {
        close(found, expected);
    }
    check(head.weight.val(), [-1.233686026511827, 3.752299790965192, -39.00161359590691]);
}

/// The layer with its tensors filled in order by [`waves`], γ around 1.
fn filled(layer: Layer, first: f64) -> Layer {
    let tensors = module_tensors("layer", &layer);
    let tensors = tensors
        .into_iter()
        .map(|(name, data)| {
            let shape = data.shape().clone();
            let (k, around) = match name.rsplit('.').next().unwrap_or_default() {
                "weight" => (first, 0.0),
                "bias" => (first + 1.0, 0.0),
                "gamma" => (first + 2.0, 1.0),
                _ => (first + 3.0, 0.0),
            };
            let values = waves(shape.num_elements(), k).into_iter().map(|v| v + around);
            (name, TensorData::new(values.collect::<Vec<f64>>(), shape))
        })
        .collect();
    load_module("layer", layer, &tensors).unwrap()
}

/// D(x) = w·x + b has the input gradient w everywhere.
#[test]
fn the_penalty_of_an_affine_critic_is_in_closed_form() {
    let networks = Architecture {
        family: Family::Mlp,
        image_shape: [3, 1, 1],
        hidden: &[],
        features: 1,
        norm: Norm::None,
        activation: Activation::LeakyRelu,
        precision: Precision::F32,
    };
    let critic = Critic::init(&critic_architecture(networks), &Init::double(&cpu(), 0)).unwrap();
    let w = [0.3, -1.1, 2.0];
    let tensors = module_tensors("critic", &critic)
        .into_iter()
        .map(|(name, data)| {
            let shape = data.shape().clone();
            let values = if shape.num_elements() == 3 { w.to_vec() } else { vec![0.7] };
            (name, TensorData::new(values, shape))
        })
        .collect();
    let critic = load_module("critic", critic, &tensors).unwrap();
    let x = tensor(waves(15, 0.0), [5, 3]);
    let squares: f64 = w.iter().map(|w| w * w).sum();
    for (penalty, expected) in [
        (Penalty::Gradient, (squares.sqrt() - 1.0).powi(2)),
        (Penalty::Dragan, (squares.sqrt() - 1.0).powi(2)),
        (Penalty::R1, squares / 2.0),
    ] {
        let found = to_f64(penalty.of(critic.input_gradients(x.clone(), None)))[0];
        assert!((found - expected).abs() < 1e-9, "{penalty:?}: {found} {expected}");
    }
    let scores = |critic: &Critic| to_f64(critic.forward(x.clone(), None, Mode::Training).score);
    let mut steep = critic.clone();
    steep.scale = 3.0;
    let scaled: Vec<f64> = scores(&critic).iter().map(|score| 3.0 * score).collect();
    assert_eq!(scores(&steep), scaled);
    let found = to_f64(Penalty::R1.of(steep.input_gradients(x, None)))[0];
    assert!((found - 4.5 * squares).abs() < 1e-9, "{found} {squares}");
}

/// A matrix made of known singular vectors and values, one of them the largest.
#[test]
fn spectral_normalization_divides_by_the_largest_singular_value() {
    let (rows, columns) = (5, 8);
    // Householder reflections are orthogonal: their columns are singular vectors.
    let reflect = |n: usize, k: f64| {
        let v = waves(n, k);
        let norm: f64 = v.iter().map(|x| x * x).sum();
        let entry = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / norm;
        (0..n * n).map(|k| entry(k / n, k % n)).collect::<Vec<f64>>()
    };
    let (left, right) = (reflect(rows, 0.3), reflect(columns, 1.1));
    let singular = [0.4, 2.5, 0.1, 1.7, 0.9];
    let matrix: Vec<f64> = (0..rows * columns)
        .map(|at| {
            let (i, j) = (at / columns, at % columns);
            let term = |k: usize| left[i * rows + k] * singular[k] * right[j * columns + k];
            (0..rows).map(term).sum()
        })
        .collect();
    for outputs in [0, 1] {
        let weight = tensor(matrix.clone(), [rows, columns, 1, 1]);
        let size = [rows, columns][outputs];
        let mut spectral = Spectral::init(size, outputs, "test", &Init::double(&cpu(), 3));
        for _ in 0..60 {
            spectral.update_spectral_norm(weight.clone());
        }
        let normal = to_f64(spectral.normalize(weight));
        for (found, entry) in normal.iter().zip(&matrix) {
            // The vector is kept in single precision.
            assert!((found - entry / 2.5).abs() < 1e-6, "{found} {}", entry / 2.5);
        }
    }
}

#[test]
fn running_moments_follow_their_recurrence() {
    let mut norm = BatchNorm::init(2, &Init::double(&cpu(), 0));
    let (mut mean, mut variance) = ([0.0f64; 2], [1.0f64; 2]);
    for step in 0..4 {
        let values = waves(3 * 2 * 2, f64::from(step));
        let (_, statistics) = norm.forward(
            tensor(values.clone(), [3, 2, 2, 1]),
            Mode::Training,
            Activation::Identity,
        );
        norm.update_running_stats(statistics.unwrap(), MOMENTUM);
        for channel in 0..2 {
            let of: Vec<f64> =
                (0..12).filter(|i| i / 2 % 2 == channel).map(|i| values[i]).collect();
            let m = of.iter().sum::<f64>() / 6.0;
            let v = of.iter().map(|x| (x - m).powi(2)).sum::<f64>() / 5.0;
            mean[channel] = 0.9 * mean[channel] + 0.1 * m;
            variance[channel] = 0.9 * variance[channel] + 0.1 * v;
        }
    }
    let x = tensor(vec![0.5, -0.5], [1, 2, 1, 1]);
    let found = to_f64(norm.forward(x, Mode::Sampling, Activation::Identity).0);
    for channel in 0..2 {
        let value = [0.5, -0.5][channel] - mean[channel];
        let expected = value / (variance[channel] + 1e-5).sqrt();
        assert!((found[channel] - expected).abs() < 1e-6, "{found:?} {expected}");
    }
}

#[test]
fn settings_that_exclude_each_other_are_named() {
    let data = |classes| DataSpec::new(Domain::Levels(17), Shape::image(1, 8, 8), classes);
    for (text, classes, expected) in [
        ("penalty = 'gradient'\ncritic_norm = 'batch'", 10, "choose layer"),
        ("conditioning = 'concat'", 0, "labels of at least 2 classes"),
        ("conditioning = 'auxiliary'", 1, "labels of at least 2 classes"),
        ("loss = 'began'\npenalty = 'r1'", 10, "autoencoder"),
        ("loss = 'ebgan'\nscore_scale = 2.0", 10, "set it to 1"),
        ("score_scale = 0.0", 0, "score_scale"),
        ("loss = 'ebgan'\nconditioning = 'auxiliary'", 10, "none or concat"),
        ("loss = 'ebgan'\npull_away = -0.1", 10, "pull_away"),
        ("loss = 'wasserstein'\nlabel_smoothing = 0.1", 10, "no target to smooth"),
        ("conditioning = 'mutual-information'\ncategories = 1", 0, "categories"),
        ("loss = 'mini'", 0, "non-saturating"),
        ("penalty = 'l2'", 0, "dragan"),
        ("generator_norm = 'spectral'", 0, "auto, none, batch or layer"),
        ("latent_dim = 0", 0, "latent_dims"),
        ("critic_steps = 2000", 0, "from 1 to 1000"),
        ("critic_rate = 0.0", 0, "critic_rate"),
        ("noise = 'pink'", 0, "uniform or normal"),
        ("diversity = 1.5", 0, "diversity"),
        ("network = 'resnet'", 0, "dcgan"),
        ("augment = 1.5", 0, "augment"),
        ("augment_epochs = -1.0", 0, "augment_epochs"),
        ("precision = 'f16'", 0, "bf16x3 or bf16"),
    ] {
        let error = GanConfig::from_table(&text.parse().unwrap())
            .and_then(|config| config.init("gan", &data(classes), &Init::new(&cpu(), 0)))
            .err();
        let error = error.unwrap_or_else(|| panic!("{text} was taken")).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let rows = DataSpec::new(Domain::Real, Shape::columns(4), 0);
    let config = GanConfig { augment: 0.1, ..GanConfig::default() };
    let error = config.init("gan", &rows, &Init::new(&cpu(), 0)).err().unwrap().to_string();
    assert!(error.contains("set augment=0"), "{error}");
}

#[test]
fn networks_are_counted_before_they_are_made() {
    let data = DataSpec::new(Domain::Levels(17), Shape::image(1, 8, 8), 3);
    let size = |text: &str| {
        let config = GanConfig::from_table(&text.parse().unwrap()).unwrap();
        config.size("gan", &data).unwrap().parameters
    };
    for (text, least) in [
        ("latent_dim = 10000000", 10_000_000_000),
        ("features = 100000\nlatent_dim = 10000\nnetwork = 'dcgan'", 16_000_000_000),
        (
            "loss = 'ebgan'\ncode_dim = 100000\ncritic_hidden = [100000]\nnetwork = 'mlp'",
            20_000_000_000,
        ),
        ("features = 4611686018427387904\nnetwork = 'dcgan'", u64::MAX),
        (
            "generator_hidden = [4611686018427387904, 4611686018427387904]\nnetwork = 'mlp'",
            u64::MAX,
        ),
        ("conditioning = 'mutual-information'\ncategories = 9223372036854775807", u64::MAX),
    ] {
        assert!(size(text) >= least, "{text}: {}", size(text));
    }
    assert!(size("") < 20_000_000);
}

#[test]
fn a_run_warns_of_collapse_and_of_a_critic_that_wins() {
    let data = DataSpec::new(Domain::Real, Shape::columns(4), 0);
    let mut gan = GanConfig::default().init("gan", &data, &Init::new(&cpu(), 0)).unwrap();
    let trainable = gan.trainable().unwrap();
    let warnings = |values: &[(&str, f64)]| {
        let values: Vec<(String, f64)> =
            values.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect();
        trainable.warnings(&values)
    };
    assert!(warnings(&[("critic_accuracy", 0.8), ("spread", 0.9), ("nearest", 0.8)]).is_empty());
    assert!(warnings(&[("critic_accuracy", 1.0)])[0].contains("100.0 % of the time"));
    assert!(warnings(&[("spread", 0.1), ("nearest", 0.1)])[0].contains("mode collapse"));
    assert!(warnings(&[("spread", 0.9), ("nearest", 0.1)])[0].contains("mode collapse"));
}

/// The tensors of a part whose names have this ending.
fn named(tensors: &NamedTensors, part: &str, end: &str) -> Vec<(String, Vec<f64>)> {
    let of = |(name, data): &(String, TensorData)| {
        (name.clone(), data.clone().convert::<f64>().try_into_vec::<f64>().unwrap())
    };
    tensors.iter().filter(|(n, _)| n.starts_with(part) && n.ends_with(end)).map(of).collect()
}

#[test]
fn moments_of_averaged_weights_are_those_of_their_own_samples() {
    let data = DataSpec::new(Domain::Levels(17), Shape::image(1, 8, 8), 0);
    let config = GanConfig { features: 4, latent_dims: 6, ..GanConfig::default() };
    let mut gan = config.init("gan", &data, &Init::new(&cpu(), 3)).unwrap();
    let fresh = gan.tensors();
    gan.trainable().unwrap().recompute_batch_statistics().unwrap();
    let recomputed = gan.tensors();
    let (means, before) =
        (named(&recomputed, "generator", ".mean"), named(&fresh, "generator", ".mean"));
    assert!(!means.is_empty());
    for ((name, mean), (_, before)) in means.iter().zip(&before) {
        assert!(before.iter().all(|m| *m == 0.0) && mean.iter().any(|m| *m != 0.0), "{name}");
    }
    assert_eq!(named(&recomputed, "critic", ""), named(&fresh, "critic", ""));
    assert_eq!(named(&recomputed, "generator", ".weight"), named(&fresh, "generator", ".weight"));
    // The result does not depend on the moments before.
    let mut wrong = recomputed.clone();
    for (name, data) in &mut wrong {
        if name.ends_with(".mean") || name.ends_with(".variance") {
            let shape = data.shape().clone();
            *data = TensorData::new(vec![7.0f32; shape.num_elements()], shape);
        }
    }
    gan.load(&wrong).unwrap();
    gan.trainable().unwrap().recompute_batch_statistics().unwrap();
    let again = gan.tensors();
    for end in [".mean", ".variance"] {
        assert_eq!(named(&again, "generator", end), named(&recomputed, "generator", end));
    }
}

#[test]
fn an_autoencoder_keeps_the_moments_of_both_halves() {
    let networks = Architecture {
        family: Family::Dcgan,
        image_shape: [1, 16, 16],
        hidden: &[],
        features: 4,
        norm: Norm::Batch,
        activation: Activation::LeakyRelu,
        precision: Precision::F32,
    };
    let architecture =
        CriticArchitecture { loss: Loss::Ebgan, code_dim: 3, ..critic_architecture(networks) };
    let mut critic = Critic::init(&architecture, &Init::double(&cpu(), 0)).unwrap();
    let output = critic.forward(tensor(waves(5 * 256, 0.0), [5, 256]), None, Mode::Training);
    critic.update_running_stats(output.statistics);
    let tensors = module_tensors("critic", &critic);
    for part in ["critic.trunk", "critic.decoder"] {
        let means = named(&tensors, part, ".mean");
        assert!(
            !means.is_empty() && means.iter().all(|(_, m)| m.iter().any(|m| *m != 0.0)),
            "{part}"
        );
    }
}

/// A small model of the digits whose critic is an autoencoder, and what it is trained on.
fn with_energies(settings: &str) -> (Gan, BatchIterator) {
    let data = DataSpec::new(Domain::Levels(17), Shape::image(1, 8, 8), 0);
    let sizes = "network = 'mlp'\ngenerator_hidden = [16]\ncritic_hidden = [5]\nlatent_dims = 3\n\
                 code_dim = 4";
    let config = GanConfig::from_table(&format!("{sizes}\n{settings}").parse().unwrap()).unwrap();
    let gan = config.init("gan", &data, &Init::new(&cpu(), 2)).unwrap();
    let digits = Dataset::open("digits").unwrap();
    let train = Examples::new(&digits, SplitName::Train, Binarize::None, 0).unwrap();
    (gan, BatchIterator::new(train, 12, 0))
}

/// A layer in double precision, row after row.
fn dense(tensors: &NamedTensors, name: &str, x: &[f64], activation: fn(f64) -> f64) -> Vec<f64> {
    let of = |end: &str| named(tensors, &format!("{name}."), end).remove(0).1;
    let (weight, bias) = (of("weight"), of("bias"));
    let unit = |row: &[f64], to: usize| {
        let terms = row.iter().enumerate().map(|(from, x)| x * weight[from * bias.len() + to]);
        activation(terms.sum::<f64>() + bias[to])
    };
    let rows = x.chunks_exact(weight.len() / bias.len());
    rows.flat_map(|row| (0..bias.len()).map(|to| unit(row, to)).collect::<Vec<_>>()).collect()
}

fn leaky(x: f64) -> f64 {
    if x < 0.0 { 0.2 * x } else { x }
}

/// What one step was made of, in double precision, and what it gave.
struct Step {
    tensors: NamedTensors,
    /// The data that the critic was updated with, and the samples.
    data: Vec<f64>,
    by_critic: Vec<f64>,
    /// The samples that the generator was updated with.
    by_generator: Vec<f64>,
    metrics: Metrics,
    gradients: NamedTensors,
}

impl Step {
    /// One step that leaves the weights as they are.
    fn of(gan: &mut Gan, batches: &mut BatchIterator) -> Self {
        let (tensors, streams) = (gan.tensors(), Streams::new(4));
        let mut same = BatchIterator::new(batches.examples().clone(), 12, 0);
        same.seek(batches.drawn());
        let (first, second) = (same.next_batch(), same.next_batch());
        let samples = |purpose: &str, batch: &Batch| {
            let uniform = streams.purpose(purpose, batch.epoch).uniforms(&batch.indices, 3);
            let noise: Vec<f64> = uniform.iter().map(|&u| 2.0 * f64::from(u) - 1.0).collect();
            let hidden = dense(&tensors, "generator.network.layers.0", &noise, |x| x.max(0.0));
            dense(&tensors, "generator.network.layers.1", &hidden, f64::tanh)
        };
        let data = first.values.iter().map(|level| level / 8.0 - 1.0).collect();
        let by_critic = samples("critic noise", &first);
        let by_generator = samples("generator noise", &second);
        let mut optimizers = Optimizers::recording(&OptimizerConfig::default());
        let epoch = batches.epoch();
        let mut context =
            StepContext { batches, optimizers: &mut optimizers, streams, step: 1, epoch };
        let metrics = gan.step(&mut context).unwrap();
        let gradients = optimizers.into_gradients();
        Self { tensors, data, by_critic, by_generator, metrics, gradients }
    }

    fn metric(&self, name: &str) -> f64 {
        self.metrics.iter().find(|(n, _)| *n == name).unwrap().1
    }

    fn codes(&self, x: &[f64]) -> Vec<f64> {
        let hidden = dense(&self.tensors, "critic.trunk.layers.0", x, leaky);
        dense(&self.tensors, "critic.head", &hidden, |x| x)
    }

    /// The errors of the critic's outputs, row after row.
    fn errors(&self, x: &[f64], output: fn(f64) -> f64) -> Vec<f64> {
        let hidden = dense(&self.tensors, "critic.decoder.layers.0", &self.codes(x), leaky);
        let back = dense(&self.tensors, "critic.decoder.layers.1", &hidden, output);
        back.iter().zip(x).map(|(back, x)| back - x).collect()
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

/// k′ = k + λ(γ L(x) − L(G(z))), where z is the noise of the generator's update, not of the critic's
/// (Berthelot et al. 2017, section 3.4), and L the mean absolute error.
#[test]
fn the_balance_of_began_follows_the_samples_that_the_generator_was_updated_with() {
    let (mut gan, mut batches) =
        with_energies("loss = 'began'\nbalance_rate = 0.4\ndiversity = 0.6\npull_away = 5.0");
    let (mut k, mut others) = (0.0, 0.0f64);
    for _ in 0..3 {
        let step = Step::of(&mut gan, &mut batches);
        let loss = |x: &[f64]| mean(step.errors(x, |x| x).into_iter().map(f64::abs));
        let (of_data, of_samples) = (loss(&step.data), loss(&step.by_generator));
        let near = |name: &str, expected: f64| {
            let found = step.metric(name);
            assert!((found - expected).abs() < 2e-6, "{name}: {found} {expected}");
        };
        near("loss", of_samples);
        near("critic_loss", of_data - k * loss(&step.by_critic));
        let drift = 0.6 * of_data - of_samples;
        near("balance", k + 0.4 * drift);
        near("convergence", of_data + drift.abs());
        others = others.max((0.4 * (loss(&step.by_critic) - of_samples)).abs());
        k = step.metric("balance");
        assert!(0.0 < k && k < 1.0, "{k}");
    }
    // The samples of the critic's updates would give other balances.
    assert!(others > 2e-5, "{others}");
}

#[test]
fn the_balance_of_began_stays_between_0_and_1() {
    for (rate, diversity, expected) in [("1e3", "1.0", 1.0), ("1e3", "1e-6", 0.0)] {
        let settings = format!("loss = 'began'\nbalance_rate = {rate}\ndiversity = {diversity}");
        let (mut gan, mut batches) = with_energies(&settings);
        let step = Step::of(&mut gan, &mut batches);
        assert_eq!(step.metric("balance"), expected, "{settings}");
    }
}

/// The sum of squared cosines over pairs of different codes, divided by their number.
fn cosines(codes: &[f64], width: usize) -> f64 {
    let rows: Vec<&[f64]> = codes.chunks_exact(width).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut sum = 0.0;
    for (i, a) in rows.iter().enumerate() {
        for (_, b) in rows.iter().enumerate().filter(|(j, _)| *j != i) {
            sum += dot(a, b).powi(2) / (dot(a, a) * dot(b, b));
        }
    }
    sum / (rows.len() * (rows.len() - 1)) as f64
}

#[test]
fn the_pull_away_term_is_the_mean_squared_cosine_of_pairs() {
    let found = |codes: Vec<f64>, rows: usize| {
        let width = codes.len() / rows;
        to_f64(pull_away(tensor(codes, [rows, width])))[0]
    };
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found}");
    for (rows, width) in [(2, 3), (5, 3), (7, 4)] {
        let codes = waves(rows * width, 0.4);
        near(found(codes.clone(), rows), cosines(&codes, width));
    }
    near(found(vec![2.0, 0.0, 0.0, 3.0], 2), 0.0);
    near(found(vec![1.0, 2.0, -3.0, -6.0, 0.5, 1.0], 3), 1.0);
}

/// E(G(z)) + λ f, where E is the root mean squared error and f the pull-away term of the samples' codes
/// (Zhao et al. 2016, section 2.4).
#[test]
fn the_generator_of_ebgan_pays_for_codes_that_are_alike() {
    let field = GanConfig::fields().into_iter().find(|field| field.is("pull_away")).unwrap();
    assert_eq!(field.default.as_float(), Some(GanConfig::default().pull_away));
    assert!(field.doc.contains("pull-away"), "{}", field.doc);
    let step = |weight: f64| {
        let (mut gan, mut batches) =
            with_energies(&format!("loss = 'ebgan'\npull_away = {weight:?}"));
        let step = Step::of(&mut gan, &mut batches);
        let errors = step.errors(&step.by_generator, f64::tanh);
        let root = |row: &[f64]| mean(row.iter().map(|e| e * e)).sqrt();
        let energy = mean(errors.chunks_exact(64).map(root));
        let expected = energy + weight * cosines(&step.codes(&step.by_generator), 4);
        let found = step.metric("loss");
        assert!(
            (found - expected).abs() < 5e-6 * expected.max(1.0),
            "{weight}: {found} {expected}"
        );
        step
    };
    let (without, with) = (step(0.0), step(0.7));
    assert!(with.metric("loss") > without.metric("loss") + 0.01);
    // The critic is updated as without it.
    assert_eq!(with.metric("critic_loss"), without.metric("critic_loss"));
    let gradients = |step: &Step, part: &str| named(&step.gradients, part, "");
    assert!(!gradients(&with, "critic").is_empty());
    assert_eq!(gradients(&with, "critic"), gradients(&without, "critic"));
    assert_ne!(gradients(&with, "generator"), gradients(&without, "generator"));
    step(5.0);
}
