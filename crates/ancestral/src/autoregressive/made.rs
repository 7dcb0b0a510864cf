//! Masked autoencoder for distribution estimation: Germain, Gregor, Murray and Larochelle 2015
//! (arXiv:1502.03509).
//!
//! p(x) = Π p(x_d | x_<d), all conditionals from one pass through a network with masked weights: a
//! hidden unit of degree m is connected to the first m entries of the ordering (their equation 12),
//! and the outputs of entry d to units of degree less than d (their equation 13). The likelihood is
//! exact.
//!
//! With one mask (`masks = 1`) units are sorted by degree, so that the weight matrices are
//! [block-triangular](kernels::BlockTriangularLinear): the masked half of the weights is neither
//! stored nor multiplied. The degrees are then evenly spaced instead of random. With `masks = N`,
//! training cycles through N masks; with `masks = 0` every step draws a new one (order- and
//! connectivity-agnostic training). Several masks are averaged as probabilities of the whole example.
//! A unit cannot distinguish an input that is 0 from a masked one, so with several masks each layer
//! has a second weight matrix U: its pre-activations are b + (W ∘ M) x + (U ∘ M) 1 (their section
//! 4.2; `condition_on_mask`).
//!
//! A hidden unit is final as soon as the entries that it depends on are known, so that sampling an
//! example costs as much as one pass.

use std::sync::Arc;

use ancestral_data::{Batch, Domain, Examples, Streams};
use ancestral_kernels::batched_rows::{self, LANES};
use ancestral_kernels::{self as kernels, BlockTriangularLinear, Precision};
use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use rand::Rng;
use toml::Table;

use super::sequential::{
    self, AutoregressiveSampler, Observer, Ordering, SamplerState, SequentialModel,
};
use super::{DISCRETE, OrderName, order};
use crate::likelihood::{Likelihood, LogMeanExp};
use crate::model::{
    Abilities, Capability, Core, DataSpec, Density, DensityKind, DensityOptions, Ensemble, Init,
    Learning, LogProbability, Metrics, ModelConfig, ModelEntry, NeuralModel, Preset, SampleRequest,
    Size, SizeBuilder, StepContext, Task, Trainable, product,
};
use crate::nn::{FusedActivation, InputPipeline, glorot, parameter, rows, with_value};
use crate::settings::{Seed, Settings};
use crate::{Error, Result, settings};

/// Masks that validation averages over if there are more.
const VALIDATION_MASKS: u64 = 8;

settings! {
    /// Settings of MADE.
    pub struct MadeConfig {
        /// Units of each hidden layer.
        pub hidden: Vec<usize> = vec![500], in 1..;
        /// Activation of the hidden layers.
        pub activation: FusedActivation = FusedActivation::Relu;
        /// Whether there are direct input-to-output connections.
        pub direct: bool = false;
        /// Number of masks that training cycles through; 1 for one fixed ordering, 0 for a new mask
        /// every step.
        pub masks: u64 = 1;
        /// With several masks, whether each layer has weights for the mask itself, so that a unit can
        /// distinguish masked inputs from zeros.
        pub condition_on_mask: bool = true;
        /// With several masks, whether each has a random ordering; else they share `order` and differ
        /// in their connections only.
        pub shuffle_order: bool = true;
        /// Ordering of the entries.
        pub order: OrderName = OrderName::Raster;
        /// Seed of a random ordering and of the masks.
        pub order_seed: Seed = Seed(0);
    }
}

/// The entry of `made`.
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
                about: "500 ReLU units, new masks every step, Adadelta, as far as the paper specifies DNA; training \
                        stays near 120 nats, also in PyTorch: prefer `dna`",
                settings: include_str!("presets/made-germain-2015-dna.toml"),
            },
            Preset {
                name: "mnist",
                about: "8000 ReLU units, one mask, Adam with averaged weights, for binarized MNIST",
                settings: include_str!("presets/made-mnist.toml"),
            },
            Preset {
                name: "uci",
                about: "2000 tanh units, one mask, SGD with averaged weights, for adult",
                settings: include_str!("presets/made-uci.toml"),
            },
            Preset {
                name: "dna",
                about: "1000 ReLU units, direct connections, new masks every step, for dna",
                settings: include_str!("presets/made-dna.toml"),
            },
        ],
        fields: MadeConfig::fields,
        build: |table, data, init| Ok(Box::new(MadeConfig::from_table(table)?.init(data, init)?)),
        train: |_| toml::Table::new(),
        complete: |_, _| {},
    }
}

impl ModelConfig for MadeConfig {
    fn model_name(&self) -> &'static str {
        "made"
    }
}

impl MadeConfig {
    /// A model with its initial weights, sized by the data.
    ///
    /// # Errors
    /// If a setting is out of range or the data is real.
    pub fn init(&self, data: &DataSpec, init: &Init) -> Result<Made> {
        self.check_values()?;
        Made::new("made", self, self.to_table(), data, init)
    }

    /// The size of a model with these settings.
    pub(super) fn size(&self, name: &str, data: &DataSpec) -> Result<Size> {
        let (_, likelihood) = self.suits(name, data)?;
        let entries = product(data.shape.dims());
        let outputs = product(&[entries, likelihood.outputs()]);
        // A unit that depends on every entry could be connected to no output.
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
        size.likelihood(&likelihood, entries);
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

/// Columns of a block of a block-triangular matrix, as in the kernel; a test compares the two.
const BLOCK: usize = 64;
/// Blocks that are counted exactly; beyond that, the count is extrapolated.
const MOST_BLOCKS: usize = 1 << 18;

/// The number of weights of a block-triangular layer whose output `j` is connected to the first
/// `limit(j)` inputs.
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

/// The degrees and the ordering of one mask.
#[derive(Debug, Clone)]
struct Mask {
    /// Entry numbers, first to last.
    order: Vec<usize>,
    /// The degree of each unit of each hidden layer: on how many entries it depends.
    degrees: Vec<Vec<usize>>,
}

impl Mask {
    /// The only mask: sorted degrees, evenly spaced.
    fn even(order: Vec<usize>, hidden: &[usize]) -> Self {
        // A unit that depends on every entry could be connected to no output.
        let most = order.len().saturating_sub(1).max(1);
        let degree = |k: usize, n: usize| Self::degree(k as u128, most, n) as usize;
        let spread = |n: usize| (0..n).map(|k| degree(k, n)).collect();
        Self { order, degrees: hidden.iter().map(|&n| spread(n)).collect() }
    }

    /// The degree, at most `most`, of unit `unit` of `units` with evenly spaced degrees.
    fn degree(unit: u128, most: usize, units: usize) -> u128 {
        1 + unit * most as u128 / units.max(1) as u128
    }

    /// The number of these units with at most this degree.
    fn units_up_to(degree: u128, most: usize, units: usize) -> u128 {
        (degree * units as u128).div_ceil(most as u128).min(units as u128)
    }

    /// One of several masks: random degrees, and a random ordering if none is given (Germain et al.
    /// 2015, algorithm 1).
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
            // The least degree of the layer before; a unit of a smaller degree would have no inputs.
            least = layer.iter().copied().min().unwrap_or(least);
            degrees.push(layer);
        }
        let order = order.unwrap_or_else(|| order::random(streams, purpose, index, size));
        Self { order, degrees }
    }

    /// The position of each entry in the ordering.
    fn places(&self) -> Vec<usize> {
        let mut places = vec![0; self.order.len()];
        self.order.iter().enumerate().for_each(|(place, &entry)| places[entry] = place);
        places
    }
}

/// One layer; its weights are packed (one mask) or row-major (several).
#[derive(Module, Debug)]
struct Layer {
    /// `[layout.len()]`, or `[input·output]`.
    weight: Param<Tensor<1>>,
    /// `[output]`.
    bias: Param<Tensor<1>>,
    /// The weights U of the mask itself `[input·output]`.
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

/// The block-triangular layouts of the layers of a network with one mask.
#[derive(Debug, Clone)]
struct Layouts {
    hidden: Vec<Arc<BlockTriangularLinear>>,
    output: Option<Arc<BlockTriangularLinear>>,
    direct: Arc<BlockTriangularLinear>,
}

impl Layouts {
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
    /// The mask and the layouts, if there is one mask.
    fixed: Option<(Mask, Layouts)>,
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
        let order = config.order.entries(config.order_seed.0, &data.shape);
        let fixed = (config.masks == 1).then(|| {
            let mask = Mask::even(order, &config.hidden);
            let layouts = Layouts::new(&mask, likelihood.outputs());
            (mask, layouts)
        });
        let outputs = size * likelihood.outputs();
        let layouts = fixed.as_ref().map(|(_, layouts)| layouts);
        let layer =
            |from: usize, to: usize, layout: Option<&Arc<BlockTriangularLinear>>, name: &str| {
                let bias = parameter(TensorData::new(vec![0.0f32; to], [to]), init);
                let weight = match layout {
                    None => glorot([from * to], from + to, name, init),
                    Some(layout) => {
                        // Half of the connections exist.
                        let weight: Param<Tensor<1>> =
                            glorot([layout.len()], (from + to).div_ceil(2), name, init);
                        let mut values = rows(weight.val());
                        layout.clear_unseen(&mut values);
                        with_value(weight, values)
                    }
                };
                let seen = (layout.is_none() && config.condition_on_mask).then(|| {
                    parameter(TensorData::new(vec![0.0f32; from * to], [from * to]), init)
                });
                Layer { weight, bias, seen }
            };
        let mut from = size;
        let mut hidden = Vec::new();
        for (l, &to) in config.hidden.iter().enumerate() {
            let layout = layouts.map(|all| &all.hidden[l]);
            hidden.push(layer(from, to, layout, &format!("hidden.{l}")));
            from = to;
        }
        let network = Network {
            output: (!hidden.is_empty()).then(|| {
                layer(from, outputs, layouts.and_then(|all| all.output.as_ref()), "output")
            }),
            hidden,
            direct: config
                .direct
                .then(|| layer(size, outputs, layouts.map(|all| &all.direct), "direct")),
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

    /// A mask of the ensemble; with `masks = 0` these are not the ones that training drew.
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
        let (streams, size) = (Streams::new(self.config.order_seed.0), self.size());
        let shape = &self.core.pipeline.data.shape;
        let order = (!self.config.shuffle_order)
            .then(|| self.config.order.entries(self.config.order_seed.0, shape));
        Ok(Mask::drawn(streams, purpose, index, size, &self.config.hidden, order))
    }

    fn no_member(&self, member: u64) -> Error {
        Error::Unsupported {
            model: self.name.to_owned(),
            problem: format!(
                "was trained with {} and mask {} was requested",
                match self.config.masks {
                    1 => "one mask".to_owned(),
                    n => format!("{n} masks"),
                },
                member + 1
            ),
        }
    }

    /// The outputs `[batch, size · outputs]` of entries `[batch, size]`: both in the order of the
    /// data for several masks, and in the model's ordering for one.
    fn outputs(&self, network: &Network, x: Tensor<2>, mask: &Mask) -> Tensor<2> {
        let none = kernels::Activation::None;
        let [batch, size] = x.dims();
        let device = x.device();
        let (through, direct) = match &self.fixed {
            Some((_, layouts)) => {
                let apply = |x, layer: &Layer, layout: &Arc<BlockTriangularLinear>, activation| {
                    let (weight, bias) = (layer.weight.val(), layer.bias.val());
                    kernels::block_triangular_linear(x, weight, bias, layout, activation)
                };
                let layers = network.hidden.iter().zip(&layouts.hidden);
                let h = layers
                    .fold(x.clone(), |h, (layer, layout)| apply(h, layer, layout, self.activation));
                let through = network
                    .output
                    .as_ref()
                    .zip(layouts.output.as_ref())
                    .map(|(layer, layout)| apply(h, layer, layout, none));
                let direct =
                    network.direct.as_ref().map(|layer| apply(x, layer, &layouts.direct, none));
                (through, direct)
            }
            None => {
                let places = mask.places();
                let outputs = self.likelihood.outputs();
                // 1 where an input of `from` is connected to an output of `to`.
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
                    kernels::linear(x, weight, bias, activation, Precision::F32)
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
        // Settings without any connection were refused.
        through
            .into_iter()
            .chain(direct)
            .reduce(|a, b| a + b)
            .unwrap_or_else(|| Tensor::zeros([batch, size * self.likelihood.outputs()], &device))
    }

    /// The entries of the batch, in the order that [`Made::outputs`] takes.
    fn arranged(&self, batch: &Batch) -> Result<Tensor<2>> {
        let values = match &self.fixed {
            Some((mask, _)) => order::permuted(&batch.values, &mask.order),
            None => batch.values.clone(),
        };
        self.core.pipeline.observed(None, &Batch { values, ..batch.clone() })
    }

    /// The outputs under one mask and their entries, in the order of [`Made::outputs`].
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

    /// The network under a mask, laid out for autoregressive sampling.
    fn flat(&self, mask: Mask) -> Result<Flat<'_>> {
        let network = self.core.network()?;
        let (size, outputs) = (self.size(), self.likelihood.outputs());
        // The indices in sorted order: entries by the ordering, units by degree.
        let sorted = |degrees: &[usize]| {
            let mut units: Vec<usize> = (0..degrees.len()).collect();
            units.sort_by_key(|&unit| degrees[unit]);
            units
        };
        // The weights of an output from the first `limit` of the sorted inputs.
        let gather = |layer: &Layer,
                      layout: Option<&Arc<BlockTriangularLinear>>,
                      inputs: &[usize],
                      columns: &[(usize, usize)]|
         -> Vec<f32> {
            let weight = rows(layer.weight.val());
            let to = layer.bias.dims()[0];
            let mut all = Vec::new();
            for &(column, limit) in columns {
                match layout {
                    Some(layout) => all.extend(layout.column(&weight, column)),
                    None => all.extend(inputs[..limit].iter().map(|&i| weight[i * to + column])),
                }
            }
            all
        };
        // The bias plus the weights U of the connected inputs.
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
        let layouts = self.fixed.as_ref().map(|(_, layouts)| layouts);
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
                weight: gather(layer, layouts.map(|all| &all.hidden[l]), &inputs, &columns),
                bias: biases(layer, &inputs, &columns),
                degrees: units.iter().map(|&unit| degrees[unit]).collect(),
                limits: columns.iter().map(|&(_, limit)| limit).collect(),
            });
            before = Some(units.iter().map(|&unit| degrees[unit]).collect());
            inputs = units;
        }
        // Outputs are in the model's ordering with one mask, in data order with several.
        let place_of = |at: usize| match layouts {
            Some(_) => at,
            None => mask.order[at / outputs] * outputs + at % outputs,
        };
        let ends = |layer: &Layer, layout, inputs: &[usize], limit: &dyn Fn(usize) -> usize| {
            let columns: Vec<(usize, usize)> =
                (0..size * outputs).map(|at| (place_of(at), limit(at / outputs))).collect();
            FlatLayer {
                weight: gather(layer, layout, inputs, &columns),
                bias: biases(layer, inputs, &columns),
                degrees: Vec::new(),
                limits: columns.iter().map(|&(_, limit)| limit).collect(),
            }
        };
        let output = network.output.as_ref().zip(before.as_ref()).map(|(layer, before)| {
            let layout = layouts.and_then(|all| all.output.as_ref());
            ends(layer, layout, &inputs, &|d| before.partition_point(|&b| b <= d))
        });
        let direct = network
            .direct
            .as_ref()
            .map(|layer| ends(layer, layouts.map(|all| &all.direct), &mask.order, &|d| d));
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
        // The outputs' bias goes into one of the layers.
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
        Ok(LogProbability { nats: mean.finish(), monte_carlo: None })
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

impl SequentialModel for Made {
    fn sampled(&self, request: &SampleRequest, observer: Option<Observer<'_>>) -> Result<Vec<f64>> {
        sequential::sample_scaled(&self.flat(self.mask(0, false)?)?, None, request, observer)
    }
}

/// A layer whose outputs are sorted by degree, each with the weights of its connected inputs.
struct FlatLayer {
    /// In output-major order, as many per output as its limit.
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// Sorted; empty for the last layers.
    degrees: Vec<usize>,
    limits: Vec<usize>,
}

impl FlatLayer {
    /// The offset of each output's weights.
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

impl AutoregressiveSampler for Flat<'_> {
    fn entries(&self) -> usize {
        self.model.size()
    }

    fn likelihood(&self) -> &Likelihood {
        &self.model.likelihood
    }

    fn rows_at_once(&self, _count: usize) -> usize {
        LANES
    }

    fn ordering(
        &self,
        _streams: Streams,
        _block: u64,
        given: &[bool],
    ) -> Result<Box<dyn Ordering + '_>> {
        sequential::prefix_only(self.model.name, &self.order, given)?;
        Ok(Box::new(InOrder(self)))
    }
}

struct InOrder<'a>(&'a Flat<'a>);

impl Ordering for InOrder<'_> {
    fn order(&self) -> &[usize] {
        &self.0.order
    }

    fn begin(&self, numbers: &[u64]) -> Box<dyn SamplerState + '_> {
        let flat = self.0;
        Box::new(BatchedRows {
            flat,
            rows: numbers.len(),
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
struct BatchedRows<'a> {
    flat: &'a Flat<'a>,
    rows: usize,
    /// The known entries, in the model's ordering `[size, LANES]`.
    entries: Vec<f32>,
    /// The units of each hidden layer `[units, LANES]`, sorted by degree.
    units: Vec<Vec<f32>>,
    /// How many of them are final.
    done: Vec<usize>,
    hidden_starts: Vec<Vec<usize>>,
    output_starts: Vec<usize>,
    direct_starts: Vec<usize>,
    /// Those through the hidden layers, and those of the direct connections.
    outputs: [Vec<f32>; 2],
}

impl SamplerState for BatchedRows<'_> {
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
        // The units that became final with this entry.
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

    /// Changing any entry at or after d leaves the outputs up to d unchanged, bit for bit, and
    /// changes some later ones.
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
            // With one mask, outputs are in the model's ordering.
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
