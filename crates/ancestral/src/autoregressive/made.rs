//! Masked autoencoder for distribution estimation: Germain, Gregor, Murray and Larochelle 2015
//! (arXiv:1502.03509).
//!
//! p(x) = Π p(x_d | x_<d), all conditionals from one pass through a network whose weights are masked:
//! a hidden unit of degree m sees the first m entries of the order (their equation 12), and entry d
//! sees units of degrees up to d (their equation 13). The likelihood is exact.
//!
//! With one mask (`masks = 1`) units are sorted by degree, so that a layer is a
//! [staircase](kernels::BlockTriangularLinear): the masked half of the weights is neither stored nor multiplied.
//! Degrees are spread evenly there instead of drawn. With `masks = N` the orders and degrees of N
//! masks take turns, with `masks = 0` every step draws new ones (order- and connectivity-agnostic
//! training); several masks are averaged as probabilities of the whole example. A unit cannot tell an
//! input that is 0 from one that is masked, so that there each layer has weights U beside W, and its
//! sums are b + (W ∘ M) x + (U ∘ M) 1 (their section 4.2; `condition_on_mask`).
//!
//! A hidden unit is final once the entries that it sees are known, so that drawing an example costs
//! one pass in all.

use std::sync::Arc;

use ancestral_data::{Batch, Domain, Examples, Streams};
use ancestral_kernels::batched_rows::{self, LANES};
use ancestral_kernels::{self as kernels, BlockTriangularLinear};
use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use rand::Rng;
use toml::Table;

use super::sequential::{self, Chain, Rows, Sequential};
use super::{DISCRETE, OrderName, order};
use crate::likelihood::{Likelihood, LogMeanExp};
use crate::model::{
    Abilities, Capability, Completion, Core, DataSpec, Density, DensityKind, DensityOptions,
    Ensemble, Init, Learning, LogProbability, Metrics, ModelConfig, ModelEntry, NeuralModel,
    Preset, SampleRequest, Sampler, Size, SizeBuilder, StepContext, Task, Trainable, product,
};
use crate::nn::{FusedActivation, InputPipeline, glorot, parameter, rows, with_value};
use crate::settings::Settings;
use crate::{Error, Result, settings};

/// Masks whose mean validation is of, where there are many.
const VALIDATION_MASKS: u64 = 8;

settings! {
    /// Settings of MADE.
    pub struct MadeConfig {
        /// Hidden layers.
        pub hidden: Vec<usize> = vec![500], in 1..;
        /// Hidden activation.
        pub activation: FusedActivation = FusedActivation::Relu;
        /// Whether entries reach the outputs directly too.
        pub direct: bool = false;
        /// Masks that take turns in training; 1 for a fixed order, 0 for new ones every step.
        pub masks: u64 = 1;
        /// With many masks, whether units are told which of their inputs are masked.
        pub condition_on_mask: bool = true;
        /// With many masks, whether each has an order of its own; else they share `order` and differ
        /// in their connections alone.
        pub shuffle_order: bool = true;
        /// In which order the entries are drawn.
        pub order: OrderName = OrderName::Raster;
        /// The seed of a random order and of the masks.
        pub order_seed: u64 = 0;
    }
}

/// The list entry of `made`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "made",
        about: "masked autoencoder: all conditionals in one pass; an ensemble over masks",
        paper: "Germain et al. 2015, arXiv:1502.03509",
        tasks: &[Task::Density, Task::Sampling],
        capabilities: &[
            Capability::EnsembleDensity("mask"),
            Capability::Samples,
            Capability::PrefixCompletion,
        ],
        validation: &["nll"],
        learning: Learning::GradientSteps,
        kinds: DISCRETE,
        size: |table, data| {
            let config = MadeConfig::from_table(table)?;
            config.check_values()?;
            config.size("made", data)
        },
        presets: &[
            Preset {
                name: "germain-2015",
                about: "8000 ReLU units, one mask, Adagrad, as in Germain et al. 2015 (MNIST)",
                settings: include_str!("presets/made-germain-2015.toml"),
            },
            Preset {
                name: "germain-2015-dna",
                about: "500 ReLU units, new masks every step, Adadelta, as far as the paper's DNA column says; it \
                        stays near 120 nats, also in PyTorch: take `dna`",
                settings: include_str!("presets/made-germain-2015-dna.toml"),
            },
            Preset {
                name: "mnist",
                about: "8000 ReLU units, one mask, Adam with averaged weights: ours for binarized MNIST",
                settings: include_str!("presets/made-mnist.toml"),
            },
            Preset {
                name: "uci",
                about: "2000 tanh units, one mask, SGD with averaged weights: ours for adult",
                settings: include_str!("presets/made-uci.toml"),
            },
            Preset {
                name: "dna",
                about: "1000 ReLU units, direct connections, new masks every step: ours for dna",
                settings: include_str!("presets/made-dna.toml"),
            },
        ],
        fields: MadeConfig::fields,
        build: |table, data, init| Ok(Box::new(MadeConfig::from_table(table)?.init(data, init)?)),
        train: |_| toml::Table::new(),
    }
}

impl ModelConfig for MadeConfig {
    fn model_name(&self) -> &'static str {
        "made"
    }
}

impl MadeConfig {
    /// A model with its first weights, sized by the data.
    ///
    /// # Errors
    /// If a setting is out of range or the data is of reals.
    pub fn init(&self, data: &DataSpec, init: &Init) -> Result<Made> {
        self.check_values()?;
        Made::new("made", self, self.to_table(), data, init)
    }

    /// How large one would be.
    pub(super) fn size(&self, name: &str, data: &DataSpec) -> Result<Size> {
        let (_, likelihood) = self.suits(name, data)?;
        let entries = product(data.shape.dims());
        let outputs = product(&[entries, likelihood.outputs()]);
        // Units that saw every entry would be of no use to any.
        let most = entries.saturating_sub(1).max(1);
        let mut size = SizeBuilder::new(data);
        let mut layer = |from: usize, to: usize, limit: &dyn Fn(u128) -> u128| {
            if self.masks == 1 {
                size.trained(&[packed_weights(to, limit)]);
            } else {
                // The mask, the masked weights and their gradient, for either kind.
                let kinds = if self.condition_on_mask { 2 } else { 1 };
                size.trained(&[from, to, kinds]);
                size.fixed(product(&[from, to, 1 + 2 * kinds]) as u64);
            }
            size.trained(&[to]);
            size.outputs(to, 1);
        };
        let mut before = entries;
        for (l, &units) in self.hidden.iter().enumerate() {
            layer(before, units, &|unit| {
                let degree = Mask::degree(unit, most, units);
                if l == 0 { degree } else { Mask::units_up_to(degree, most, before) }
            });
            before = units;
        }
        let entry = |output: u128| output / likelihood.outputs().max(1) as u128;
        if !self.hidden.is_empty() {
            layer(before, outputs, &|output| Mask::units_up_to(entry(output), most, before));
        }
        if self.direct {
            layer(entries, outputs, &|output| entry(output));
        }
        size.likelihood(likelihood, entries);
        Ok(size.finish())
    }

    /// Refuses what does not suit the data.
    fn suits(&self, name: &str, data: &DataSpec) -> Result<(Domain, Likelihood)> {
        let domain = data.one_domain(name, DISCRETE)?;
        if self.hidden.is_empty() && !self.direct {
            let why = "without hidden layers only `direct` connections are left; set direct=true";
            return Err(Error::setting("hidden", "[]", why));
        }
        Ok((domain, Likelihood::discrete(domain)))
    }
}

/// Columns of a block of a staircase, as the kernel has them; a test holds the two together.
const BLOCK: usize = 64;
/// Blocks that are counted one after another; of more, a part stands for all.
const MOST_BLOCKS: usize = 1 << 18;

/// The weights of a staircase with so many outputs, whose output `j` sees the first `limit(j)` inputs.
fn packed_weights(outputs: usize, limit: &dyn Fn(u128) -> u128) -> usize {
    let blocks = outputs.div_ceil(BLOCK);
    let together = blocks.div_ceil(MOST_BLOCKS).max(1);
    let mut all = 0u128;
    for block in (0..blocks).step_by(together) {
        let first = block as u128 * BLOCK as u128;
        let end = (first + (BLOCK * together) as u128).min(outputs as u128);
        all = all.saturating_add(limit(end - 1).saturating_mul(end - first));
    }
    usize::try_from(all).unwrap_or(usize::MAX)
}

/// The degrees and the order of one mask.
#[derive(Debug, Clone)]
struct Mask {
    /// Entry numbers, first to last.
    order: Vec<usize>,
    /// Of each unit of each hidden layer: how many entries it sees.
    degrees: Vec<Vec<usize>>,
}

impl Mask {
    /// The only mask: degrees spread evenly and sorted.
    fn even(order: Vec<usize>, hidden: &[usize]) -> Self {
        // Units that saw every entry would be of no use to any.
        let most = order.len().saturating_sub(1).max(1);
        let degree = |k: usize, n: usize| Self::degree(k as u128, most, n) as usize;
        let spread = |n: usize| (0..n).map(|k| degree(k, n)).collect();
        Self { order, degrees: hidden.iter().map(|&n| spread(n)).collect() }
    }

    /// The degree, up to `most`, of a unit of so many whose degrees are spread evenly.
    fn degree(unit: u128, most: usize, units: usize) -> u128 {
        1 + unit * most as u128 / units.max(1) as u128
    }

    /// How many of them have at most this degree.
    fn units_up_to(degree: u128, most: usize, units: usize) -> u128 {
        (degree * units as u128).div_ceil(most as u128).min(units as u128)
    }

    /// One of many: degrees drawn, and the order too if there is none (Germain et al. 2015,
    /// algorithm 1).
    fn drawn(
        streams: Streams,
        purpose: &str,
        index: u64,
        size: usize,
        hidden: &[usize],
        order: Option<Vec<usize>>,
    ) -> Self {
        let mut rng = streams.item(&format!("{purpose} degrees"), 0, index);
        let most = size.saturating_sub(1).max(1);
        let mut least = 1;
        let mut degrees = Vec::with_capacity(hidden.len());
        for &n in hidden {
            let span = (most - least + 1) as u64;
            let layer: Vec<usize> = (0..n)
                .map(|_| least + ((u64::from(rng.next_u32()) * span) >> 32) as usize)
                .collect();
            // A unit must not see less than every unit before it, or it would see nothing.
            least = layer.iter().copied().min().unwrap_or(least);
            degrees.push(layer);
        }
        let order = order.unwrap_or_else(|| order::random(streams, purpose, index, size));
        Self { order, degrees }
    }

    /// The place of each entry in the order.
    fn places(&self) -> Vec<usize> {
        let mut places = vec![0; self.order.len()];
        self.order.iter().enumerate().for_each(|(place, &entry)| places[entry] = place);
        places
    }
}

/// One layer, its weights packed (one mask) or row after row (many).
#[derive(Module, Debug)]
struct Layer {
    /// `[stairs.len()]`, or `[input·output]`.
    weight: Param<Tensor<1>>,
    /// `[output]`.
    bias: Param<Tensor<1>>,
    /// What inputs that are not masked add, whatever they are: `[input·output]`.
    seen: Option<Param<Tensor<1>>>,
}

/// The weights of a MADE.
#[derive(Module, Debug)]
pub struct Network {
    hidden: Vec<Layer>,
    /// From the last hidden layer to `[batch, D·outputs]`; none without hidden layers.
    output: Option<Layer>,
    /// From the entries to the outputs.
    direct: Option<Layer>,
}

/// The staircases of a network with one mask.
#[derive(Debug, Clone)]
struct Stairs {
    hidden: Vec<Arc<BlockTriangularLinear>>,
    output: Option<Arc<BlockTriangularLinear>>,
    direct: Arc<BlockTriangularLinear>,
}

impl Stairs {
    fn new(mask: &Mask, outputs: usize) -> Self {
        let size = mask.order.len();
        let mut hidden: Vec<Arc<BlockTriangularLinear>> = Vec::new();
        let mut before: Option<&Vec<usize>> = None;
        for degrees in &mask.degrees {
            let (inputs, limits) = match before {
                None => (size, degrees.clone()),
                Some(before) => {
                    let seen = |&d: &usize| before.partition_point(|&b| b <= d);
                    (before.len(), degrees.iter().map(seen).collect())
                }
            };
            hidden.push(Arc::new(BlockTriangularLinear::new(inputs, limits)));
            before = Some(degrees);
        }
        let each = |limit: &dyn Fn(usize) -> usize| -> Vec<usize> {
            (0..size * outputs).map(|at| limit(at / outputs)).collect()
        };
        Self {
            hidden,
            output: before.map(|degrees| {
                let seen = |d: usize| degrees.partition_point(|&b| b <= d);
                Arc::new(BlockTriangularLinear::new(degrees.len(), each(&seen)))
            }),
            direct: Arc::new(BlockTriangularLinear::new(size, each(&|d| d))),
        }
    }
}

/// A MADE.
pub struct Made {
    name: &'static str,
    config: MadeConfig,
    likelihood: Likelihood,
    activation: kernels::Activation,
    /// With one mask.
    fixed: Option<(Mask, Stairs)>,
    core: Core<Network>,
}

impl Made {
    pub(super) fn new(
        name: &'static str,
        config: &MadeConfig,
        settings: Table,
        data: &DataSpec,
        init: &Init,
    ) -> Result<Self> {
        let (domain, likelihood) = config.suits(name, data)?;
        let size = data.shape.size();
        let order = config.order.entries(config.order_seed, &data.shape);
        let fixed = (config.masks == 1).then(|| {
            let mask = Mask::even(order, &config.hidden);
            let stairs = Stairs::new(&mask, likelihood.outputs());
            (mask, stairs)
        });
        let outputs = size * likelihood.outputs();
        let stairs = fixed.as_ref().map(|(_, stairs)| stairs);
        let layer =
            |from: usize, to: usize, stairs: Option<&Arc<BlockTriangularLinear>>, name: &str| {
                let bias = parameter(TensorData::new(vec![0.0f32; to], [to]), init);
                let weight = match stairs {
                    None => glorot([from * to], from + to, name, init),
                    Some(stairs) => {
                        // Half of the connections are there.
                        let weight: Param<Tensor<1>> =
                            glorot([stairs.len()], (from + to).div_ceil(2), name, init);
                        let mut values = rows(weight.val());
                        stairs.clear_unseen(&mut values);
                        with_value(weight, values)
                    }
                };
                let seen = (stairs.is_none() && config.condition_on_mask).then(|| {
                    parameter(TensorData::new(vec![0.0f32; from * to], [from * to]), init)
                });
                Layer { weight, bias, seen }
            };
        let mut from = size;
        let mut hidden = Vec::new();
        for (l, &to) in config.hidden.iter().enumerate() {
            let stairs = stairs.map(|s| &s.hidden[l]);
            hidden.push(layer(from, to, stairs, &format!("hidden.{l}")));
            from = to;
        }
        let network = Network {
            output: (!hidden.is_empty())
                .then(|| layer(from, outputs, stairs.and_then(|s| s.output.as_ref()), "output")),
            hidden,
            direct: config
                .direct
                .then(|| layer(size, outputs, stairs.map(|s| &s.direct), "direct")),
        };
        Ok(Self {
            name,
            config: config.clone(),
            likelihood,
            activation: config.activation.into(),
            fixed,
            core: Core::new(settings, InputPipeline::new(name, data, domain, init), network),
        })
    }

    fn size(&self) -> usize {
        self.core.pipeline.data.shape.size()
    }

    /// A mask of the ensemble; those of fresh masks are not the ones training drew.
    fn mask(&self, member: u64, training: bool) -> Result<Mask> {
        if let Some((mask, _)) = &self.fixed {
            return if member == 0 { Ok(mask.clone()) } else { Err(self.no_member(member)) };
        }
        let masks = self.config.masks;
        if masks > 0 && !training && member >= masks {
            return Err(self.no_member(member));
        }
        let (purpose, index) = match masks {
            0 if training => ("training mask", member),
            0 => ("mask", member),
            _ => ("mask", member % masks),
        };
        let (streams, size) = (Streams::new(self.config.order_seed), self.size());
        let shape = &self.core.pipeline.data.shape;
        let order = (!self.config.shuffle_order)
            .then(|| self.config.order.entries(self.config.order_seed, shape));
        Ok(Mask::drawn(streams, purpose, index, size, &self.config.hidden, order))
    }

    fn no_member(&self, member: u64) -> Error {
        Error::Unsupported {
            model: self.name.to_owned(),
            problem: format!(
                "was trained with {} and mask {} was asked for",
                match self.config.masks {
                    1 => "one mask".to_owned(),
                    n => format!("{n} masks"),
                },
                member + 1
            ),
        }
    }

    /// The outputs `[batch, size · outputs]` of entries `[batch, size]`, both in data order for
    /// many masks and in the model's order for one.
    fn outputs(&self, network: &Network, x: Tensor<2>, mask: &Mask) -> Tensor<2> {
        let none = kernels::Activation::None;
        let [batch, size] = x.dims();
        let device = x.device();
        let (through, direct) = match &self.fixed {
            Some((_, stairs)) => {
                let apply = |x, layer: &Layer, stairs: &Arc<BlockTriangularLinear>, activation| {
                    let (weight, bias) = (layer.weight.val(), layer.bias.val());
                    kernels::block_triangular_linear(x, weight, bias, stairs, activation)
                };
                let layers = network.hidden.iter().zip(&stairs.hidden);
                let h = layers
                    .fold(x.clone(), |h, (layer, stairs)| apply(h, layer, stairs, self.activation));
                let through = network
                    .output
                    .as_ref()
                    .zip(stairs.output.as_ref())
                    .map(|(layer, stairs)| apply(h, layer, stairs, none));
                let direct =
                    network.direct.as_ref().map(|layer| apply(x, layer, &stairs.direct, none));
                (through, direct)
            }
            None => {
                let places = mask.places();
                let outputs = self.likelihood.outputs();
                // 1 where `from` of the inputs is seen by `to` of the outputs.
                let apply = |x: Tensor<2>,
                             layer: &Layer,
                             activation,
                             [from, to]: [usize; 2],
                             seen: &dyn Fn(usize, usize) -> bool| {
                    let mut values = Vec::with_capacity(from * to);
                    for i in 0..from {
                        values.extend((0..to).map(|o| f32::from(seen(i, o))));
                    }
                    let mask = self.core.pipeline.tensor(values, to);
                    let weight = layer.weight.val().reshape([from, to]) * mask.clone();
                    let bias = match &layer.seen {
                        Some(seen) => {
                            let seen: Tensor<2> = seen.val().reshape([from, to]) * mask;
                            layer.bias.val() + seen.sum_dim(0).squeeze_dim::<1>(0)
                        }
                        None => layer.bias.val(),
                    };
                    kernels::linear(x, weight, bias, activation)
                };
                let mut h = x.clone();
                let mut before: Option<&Vec<usize>> = None;
                for (layer, degrees) in network.hidden.iter().zip(&mask.degrees) {
                    let sizes = [before.map_or(size, Vec::len), degrees.len()];
                    h = apply(h, layer, self.activation, sizes, &|i, o| match before {
                        None => places[i] < degrees[o],
                        Some(before) => before[i] <= degrees[o],
                    });
                    before = Some(degrees);
                }
                let through = network.output.as_ref().zip(before).map(|(layer, degrees)| {
                    let sizes = [degrees.len(), size * outputs];
                    apply(h, layer, none, sizes, &|i, o| degrees[i] <= places[o / outputs])
                });
                let direct = network.direct.as_ref().map(|layer| {
                    let sizes = [size, size * outputs];
                    apply(x, layer, none, sizes, &|i, o| places[i] < places[o / outputs])
                });
                (through, direct)
            }
        };
        // Settings without any connection are refused.
        through
            .into_iter()
            .chain(direct)
            .reduce(|a, b| a + b)
            .unwrap_or_else(|| Tensor::zeros([batch, size * self.likelihood.outputs()], &device))
    }

    /// The batch's entries as numbers, in the order that [`Made::outputs`] takes.
    fn arranged(&self, batch: &Batch) -> Result<Tensor<2>> {
        let values = match &self.fixed {
            Some((mask, _)) => order::permuted(&batch.values, &mask.order),
            None => batch.values.clone(),
        };
        self.core.pipeline.observed(None, &Batch { values, ..batch.clone() })
    }

    /// The outputs under one mask and the entries that they are about, as [`Made::outputs`] has them.
    fn scored(
        &self,
        network: &Network,
        batch: &Batch,
        mask: &Mask,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let x = self.arranged(batch)?;
        let outputs = rows(self.outputs(network, self.core.pipeline.unit(x.clone()), mask));
        Ok((outputs, rows(x)))
    }

    /// log p(x) of each example in nats, under one mask.
    fn log_probabilities(&self, network: &Network, batch: &Batch, mask: &Mask) -> Result<Vec<f64>> {
        let (outputs, x) = self.scored(network, batch, mask)?;
        Ok(self.likelihood.row_log_probabilities(&outputs, &x, self.size()))
    }

    /// The network under a mask, laid out for one entry after another.
    fn flat(&self, mask: Mask) -> Result<Flat<'_>> {
        let network = self.core.network()?;
        let (size, outputs) = (self.size(), self.likelihood.outputs());
        // The number of each sorted place: entries by the order, units by their degree.
        let sorted = |degrees: &[usize]| {
            let mut units: Vec<usize> = (0..degrees.len()).collect();
            units.sort_by_key(|&unit| degrees[unit]);
            units
        };
        // The weights of an output from the first `limit` of the sorted inputs.
        let gather = |layer: &Layer,
                      stairs: Option<&Arc<BlockTriangularLinear>>,
                      inputs: &[usize],
                      columns: &[(usize, usize)]|
         -> Vec<f32> {
            let weight = rows(layer.weight.val());
            let to = layer.bias.dims()[0];
            let mut all = Vec::new();
            for &(column, limit) in columns {
                match stairs {
                    Some(stairs) => all.extend(stairs.column(&weight, column)),
                    None => all.extend(inputs[..limit].iter().map(|&i| weight[i * to + column])),
                }
            }
            all
        };
        // A bias with what the seen inputs add, whatever they are.
        let biases = |layer: &Layer, inputs: &[usize], columns: &[(usize, usize)]| -> Vec<f32> {
            let bias = rows(layer.bias.val());
            let seen = layer.seen.as_ref().map(|seen| rows(seen.val()));
            let of = |&(column, limit): &(usize, usize)| {
                let added = seen.as_ref().map_or(0.0, |seen| {
                    inputs[..limit].iter().map(|&i| seen[i * bias.len() + column]).sum()
                });
                bias[column] + added
            };
            columns.iter().map(of).collect()
        };
        let stairs = self.fixed.as_ref().map(|(_, stairs)| stairs);
        let mut inputs = mask.order.clone();
        let mut before: Option<Vec<usize>> = None;
        let mut hidden = Vec::new();
        for (l, (layer, degrees)) in network.hidden.iter().zip(&mask.degrees).enumerate() {
            let units = sorted(degrees);
            let limit = |degree: usize| match &before {
                None => degree.min(size),
                Some(before) => before.partition_point(|&b| b <= degree),
            };
            let columns: Vec<(usize, usize)> =
                units.iter().map(|&unit| (unit, limit(degrees[unit]))).collect();
            hidden.push(FlatLayer {
                weight: gather(layer, stairs.map(|s| &s.hidden[l]), &inputs, &columns),
                bias: biases(layer, &inputs, &columns),
                degrees: units.iter().map(|&unit| degrees[unit]).collect(),
                limits: columns.iter().map(|&(_, limit)| limit).collect(),
            });
            before = Some(units.iter().map(|&unit| degrees[unit]).collect());
            inputs = units;
        }
        // Outputs lie in the model's order with one mask, in data order with many.
        let place_of = |at: usize| match stairs {
            Some(_) => at,
            None => mask.order[at / outputs] * outputs + at % outputs,
        };
        let ends = |layer: &Layer, stairs, inputs: &[usize], limit: &dyn Fn(usize) -> usize| {
            let columns: Vec<(usize, usize)> =
                (0..size * outputs).map(|at| (place_of(at), limit(at / outputs))).collect();
            FlatLayer {
                weight: gather(layer, stairs, inputs, &columns),
                bias: biases(layer, inputs, &columns),
                degrees: Vec::new(),
                limits: columns.iter().map(|&(_, limit)| limit).collect(),
            }
        };
        let output = network.output.as_ref().zip(before.as_ref()).map(|(layer, before)| {
            let stairs = stairs.and_then(|s| s.output.as_ref());
            ends(layer, stairs, &inputs, &|d| before.partition_point(|&b| b <= d))
        });
        let direct = network
            .direct
            .as_ref()
            .map(|layer| ends(layer, stairs.map(|s| &s.direct), &mask.order, &|d| d));
        Ok(Flat { model: self, order: mask.order, hidden, output, direct })
    }
}

impl NeuralModel for Made {
    type Network = Network;

    fn core(&self) -> &Core<Network> {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core<Network> {
        &mut self.core
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities { density: Some(self), sampler: Some(self), ..Abilities::default() }
    }
}

impl Trainable for Made {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let batch = context.batches.next_batch();
        let network = self.core.network()?;
        let mask = self.mask(if self.fixed.is_some() { 0 } else { context.step }, true)?;
        let x = self.arranged(&batch)?;
        let outputs = self.outputs(network, self.core.pipeline.unit(x.clone()), &mask);
        let loss = self.likelihood.log_probability(outputs, x).mean().neg();
        Ok(vec![("loss", context.descend(loss, self.core.slot())?)])
    }

    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let network = self.core.inference()?;
        let masks = match self.config.masks {
            0 => VALIDATION_MASKS,
            n => n.min(VALIDATION_MASKS),
        };
        let mut mean = LogMeanExp::new(batch.len());
        for member in 0..masks {
            mean.add(&self.log_probabilities(&network, batch, &self.mask(member, false)?)?);
        }
        Ok(Some(mean.finish().into_iter().map(|n| -n).collect()))
    }

    fn validation_name(&self) -> &'static str {
        "nll"
    }

    fn start(&mut self, examples: &Examples) -> Result<()> {
        let (_, mut means) = self.core.pipeline.fit(examples);
        if let Some((mask, _)) = &self.fixed {
            means = mask.order.iter().map(|&entry| means[entry]).collect();
        }
        let bias = self.likelihood.output_bias(&means);
        // One layer's bias is enough.
        self.core.change(|mut network| {
            let last =
                if network.output.is_some() { &mut network.output } else { &mut network.direct };
            *last = last.take().map(|layer| Layer { bias: with_value(layer.bias, bias), ..layer });
            network
        });
        Ok(())
    }
}

impl Density for Made {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn ensemble(&self) -> Option<Ensemble> {
        let count = match self.config.masks {
            0 => None,
            1 => return None,
            n => Some(n),
        };
        Some(Ensemble { member: "mask", count })
    }

    fn log_probability(&self, batch: &Batch, options: DensityOptions) -> Result<LogProbability> {
        let network = self.core.inference()?;
        let mut mean = LogMeanExp::new(batch.len());
        for member in options.members {
            mean.add(&self.log_probabilities(&network, batch, &self.mask(member, false)?)?);
        }
        Ok(LogProbability { nats: mean.finish(), mc_stderr: None })
    }

    fn column_terms(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let mask = self.mask(0, false)?;
        let (outputs, x) = self.scored(&self.core.inference()?, batch, &mask)?;
        let terms = self.likelihood.term_log_probabilities(&outputs, &x, self.size());
        Ok(Some(match &self.fixed {
            Some((mask, _)) => order::restored(&terms, &mask.order),
            None => terms,
        }))
    }
}

impl Sampler for Made {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        sequential::sample_scaled(&self.flat(self.mask(0, false)?)?, None, request)
    }

    fn completion(&self) -> Completion {
        Completion::Prefix
    }
}

/// A layer whose outputs are sorted by degree, each with the weights of the inputs it sees.
struct FlatLayer {
    /// Output after output, as many as its limit says.
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// Sorted; none for what leads to the outputs of the network.
    degrees: Vec<usize>,
    limits: Vec<usize>,
}

impl FlatLayer {
    /// Where the weights of each output begin, of all outputs in turn.
    fn starts(&self) -> Vec<usize> {
        self.limits
            .iter()
            .scan(0, |next, limit| {
                let start = *next;
                *next += limit;
                Some(start)
            })
            .collect()
    }
}

/// The network under one mask, as plain numbers.
struct Flat<'a> {
    model: &'a Made,
    order: Vec<usize>,
    hidden: Vec<FlatLayer>,
    output: Option<FlatLayer>,
    direct: Option<FlatLayer>,
}

impl Sequential for Flat<'_> {
    fn entries(&self) -> usize {
        self.model.size()
    }

    fn likelihood(&self) -> Likelihood {
        self.model.likelihood
    }

    fn rows_at_once(&self, _count: usize) -> usize {
        LANES
    }

    fn chain(&self, _streams: Streams, _block: u64, given: &[bool]) -> Result<Box<dyn Chain + '_>> {
        sequential::prefix_only(self.model.name, &self.order, given)?;
        Ok(Box::new(InOrder(self)))
    }
}

struct InOrder<'a>(&'a Flat<'a>);

impl Chain for InOrder<'_> {
    fn order(&self) -> &[usize] {
        &self.0.order
    }

    fn begin(&self, rows: usize) -> Box<dyn Rows + '_> {
        let flat = self.0;
        Box::new(LaneRows {
            flat,
            rows,
            entries: vec![0.0; flat.order.len() * LANES],
            units: flat.hidden.iter().map(|l| vec![0.0; l.bias.len() * LANES]).collect(),
            done: vec![0; flat.hidden.len()],
            hidden_starts: flat.hidden.iter().map(FlatLayer::starts).collect(),
            output_starts: flat.output.as_ref().map(FlatLayer::starts).unwrap_or_default(),
            direct_starts: flat.direct.as_ref().map(FlatLayer::starts).unwrap_or_default(),
            outputs: [(); 2].map(|()| vec![0.0; flat.model.likelihood.outputs() * LANES]),
        })
    }
}

/// Up to [`LANES`] rows.
struct LaneRows<'a> {
    flat: &'a Flat<'a>,
    rows: usize,
    /// What is known, in the model's order `[size, LANES]`.
    entries: Vec<f32>,
    /// Of each hidden layer `[units, LANES]`, sorted by degree.
    units: Vec<Vec<f32>>,
    /// How many of them are final.
    done: Vec<usize>,
    hidden_starts: Vec<Vec<usize>>,
    output_starts: Vec<usize>,
    direct_starts: Vec<usize>,
    /// Through the hidden layers, and directly.
    outputs: [Vec<f32>; 2],
}

impl Rows for LaneRows<'_> {
    fn outputs(&mut self, place: usize, out: &mut [f32]) {
        let flat = self.flat;
        let width = flat.model.likelihood.outputs();
        let none = kernels::Activation::None;
        let [through, direct] = &mut self.outputs;
        let first = place * width;
        let bias = |layer: &FlatLayer| -> Vec<f32> { layer.bias[first..first + width].to_vec() };
        through.fill(0.0);
        if let (Some(layer), Some(units)) = (&flat.output, self.units.last()) {
            let weight = &layer.weight[self.output_starts[first]..];
            let limit = layer.limits[first];
            batched_rows::linear(weight, limit, limit, &bias(layer), units, none, through);
        }
        if let Some(layer) = &flat.direct {
            let weight = &layer.weight[self.direct_starts[first]..];
            let limit = layer.limits[first];
            batched_rows::linear(weight, limit, limit, &bias(layer), &self.entries, none, direct);
            through.iter_mut().zip(direct).for_each(|(sum, direct)| *sum += *direct);
        }
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            for (k, out) in out.iter_mut().enumerate() {
                *out = through[k * LANES + row];
            }
        }
    }

    fn reveal(&mut self, place: usize, values: &[f32]) {
        let flat = self.flat;
        let top = flat.model.core.pipeline.domain.max_level().unwrap_or(1) as f32;
        let lanes_of_place = &mut self.entries[place * LANES..][..self.rows];
        lanes_of_place.iter_mut().zip(values).for_each(|(to, value)| *to = value / top);
        // The units that see just the entries known now.
        for (l, layer) in flat.hidden.iter().enumerate() {
            let (before, rest) = self.units.split_at_mut(l);
            let inputs = before.last().unwrap_or(&self.entries);
            let first = self.done[l];
            let count = layer.degrees[first..].partition_point(|&degree| degree <= place + 1);
            if count == 0 {
                continue;
            }
            let limit = layer.limits[first];
            batched_rows::linear(
                &layer.weight[self.hidden_starts[l][first]..],
                limit,
                limit,
                &layer.bias[first..first + count],
                inputs,
                flat.model.activation,
                &mut rest[0][first * LANES..(first + count) * LANES],
            );
            self.done[l] += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::cpu;
    use ancestral_data::Shape;

    /// Changing any entry at or after d leaves the outputs up to d as they were, bit for bit, and
    /// some later ones differ.
    #[test]
    fn outputs_see_the_entries_before_them_alone() {
        let size = 9;
        for (hidden, masks, direct) in [
            (vec![30], 1, false),
            (vec![30, 80], 1, true),
            (vec![], 1, true),
            (vec![40], 2, false),
            (vec![40, 40], 0, true),
        ] {
            let config = MadeConfig {
                hidden: hidden.clone(),
                masks,
                direct,
                order: OrderName::Random,
                ..MadeConfig::default()
            };
            let data = DataSpec::new(Domain::Binary, Shape::columns(size), 0);
            let model = config.init(&data, &Init::new(&cpu(), 1)).unwrap();
            let mask = model.mask(u64::from(masks != 1), false).unwrap();
            let places = mask.places();
            let network = model.core.network().unwrap();
            let outputs = |x: &[f64]| {
                let batch = Batch::of(x.to_vec(), 1);
                rows(model.outputs(network, model.arranged(&batch).unwrap(), &mask))
            };
            // With one mask outputs lie in the model's order.
            let place = |at: usize| if masks == 1 { at } else { places[at] };
            let x: Vec<f64> = (0..size).map(|i| (i % 2) as f64).collect();
            let before = outputs(&x);
            let mut later = 0;
            for d in 0..size {
                let mut changed = x.clone();
                mask.order[d..].iter().for_each(|&entry| changed[entry] = 1.0 - changed[entry]);
                for (at, (a, b)) in before.iter().zip(outputs(&changed)).enumerate() {
                    if place(at) <= d {
                        assert_eq!(*a, b, "{hidden:?}, {masks} masks: output {at} sees {d}");
                    } else {
                        later += usize::from(*a != b);
                    }
                }
            }
            assert!(later > 10, "{hidden:?}, {masks} masks: nothing depends on anything");
        }
    }
}
