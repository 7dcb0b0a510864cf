//! Deep and orderless NADE (EoNADE): Uria, Murray and Larochelle 2014 (arXiv:1310.1757), and section
//! 4 of Uria et al. 2016 (arXiv:1605.02226).
//!
//! One network models p(x_d | x_O) for any set O of observed entries, from the masked entries and the
//! mask, so that it is a NADE for all orderings at once. Training draws a number d and a random subset
//! of d entries, and minimizes their equation 9, D / (D − d) Σ over the unobserved entries of
//! −log p(x_i | x_O): an unbiased estimate of the negative log-likelihood, averaged over orderings.
//!
//! With one hidden layer and binary entries, all D conditionals of an ordering cost little more than
//! one ([`kernels::nade`] updates the hidden pre-activations), so that a step can take one random
//! ordering for its batch and the exact negative log-likelihood in it (`every_conditional`): the same
//! objective, with far lower variance than one subset per example.
//!
//! In one ordering the density is exact. Over N orderings it is that of the ensemble, the mean of the
//! probabilities of the whole example: logsumexp_o log p_o(x) − log N. Since any subset can be
//! observed, any part of an example can be imputed.
//!
//! Observing one more entry changes the pre-activations of the first layer by two rows of its
//! weights; only the layers after it are recomputed.

use ancestral_data::{Batch, Domain, Examples, Streams};
use ancestral_kernels::batched_rows::{self, LANES};
use ancestral_kernels::{self as kernels, NadeForm, Values};
use burn::module::Module;
use burn::tensor::Tensor;
use rand::Rng;

use super::rnade::MixtureFamily;
use super::sequential::{
    self, AutoregressiveSampler, Observer, Ordering, SamplerState, SequentialModel,
};
use super::{CONDITION_LIMIT, nade, order};
use crate::likelihood::{Likelihood, LogMeanExp};
use crate::model::{
    Abilities, Capability, Completion, Core, DataSpec, Density, DensityKind, DensityOptions,
    Ensemble, Init, KindName, Learning, LogProbability, Metrics, ModelConfig, ModelEntry,
    NeuralModel, Preset, SampleRequest, Size, SizeBuilder, StepContext, Task, Trainable, product,
};
use crate::nn::{
    Activation, Dense, FusedActivation, InputPipeline, Mlp, Scale, as_f64, rows, to_f64,
};
use crate::settings::Settings;
use crate::{Error, Result, settings};

/// The kinds of columns it takes.
const KINDS: &[KindName] = &[KindName::Binary, KindName::Levels, KindName::Real];

/// Random subsets per example in validation.
const VALIDATION_SUBSETS: u64 = 8;

settings! {
    /// Settings of deep NADE.
    pub struct DeepNadeConfig {
        /// Units of each hidden layer.
        pub hidden: Vec<usize> = vec![500, 500], in 1..;
        /// Activation of the hidden layers.
        pub activation: FusedActivation = FusedActivation::Relu;
        /// Whether a step computes every conditional of one random ordering per batch, instead of a
        /// random subset of entries per example; for one hidden layer and binary data.
        pub every_conditional: bool = false;
        /// For real data, the family of each conditional's mixture components.
        pub family: MixtureFamily = MixtureFamily::Gaussian;
        /// For real data, the number of mixture components.
        pub components: usize = 10, in 1..;
        /// For real data, whether the gradient of each Gaussian's mean is multiplied by its standard
        /// deviation.
        pub scale_mean_gradients: bool = false;
    }
}

/// The entry of `deep-nade`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "deep-nade",
        about: "orderless NADE: conditionals given any subset of entries; an ensemble over orderings",
        paper: "Uria, Murray and Larochelle 2014, arXiv:1310.1757",
        tasks: &[Task::Density, Task::Sampling],
        capabilities: &[
            Capability::EnsembleDensity("ordering"),
            Capability::Samples,
            Capability::Completion,
        ],
        validation: &["orderless_nll"],
        learning: Learning::GradientSteps,
        kinds: KINDS,
        size: |table, data| DeepNadeConfig::from_table(table)?.size(data),
        presets: &[
            Preset {
                name: "uria-2014",
                about: "two hidden layers of 500, SGD with a learning rate that decays to 0, as in Uria et al. 2014 (MNIST)",
                settings: include_str!("presets/deep-nade-uria-2014.toml"),
            },
            Preset {
                name: "mnist",
                about: "two hidden layers of 500, Adam with averaged weights, for binarized MNIST",
                settings: include_str!("presets/deep-nade-mnist.toml"),
            },
            Preset {
                name: "mnist-1hl",
                about: "one hidden layer of 500, every conditional of an ordering per step, for binarized MNIST",
                settings: include_str!("presets/deep-nade-mnist-1hl.toml"),
            },
            Preset {
                name: "dna",
                about: "one hidden layer of 1000, every conditional of an ordering per step, for dna",
                settings: include_str!("presets/deep-nade-dna.toml"),
            },
        ],
        fields: DeepNadeConfig::fields,
        train: |_| toml::Table::new(),
        complete: |_, _| {},
        build: |table, data, init| {
            Ok(Box::new(DeepNadeConfig::from_table(table)?.init(data, init)?))
        },
    }
}

impl ModelConfig for DeepNadeConfig {
    fn model_name(&self) -> &'static str {
        "deep-nade"
    }
}

impl DeepNadeConfig {
    /// A model with its initial weights, sized by the data.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn init(&self, data: &DataSpec, init: &Init) -> Result<DeepNade> {
        let (domain, likelihood) = self.check(data)?;
        let size = data.shape.size();
        let last = self.hidden.last().copied().unwrap_or(1);
        let outputs = size * likelihood.outputs();
        let network = Network {
            hidden: Mlp::init(2 * size, &self.hidden, self.activation.into(), "hidden", init),
            output: Dense::init(last, outputs, Activation::Identity, "output", init),
            scale: Scale::init(domain, data, init),
        };
        let pipeline = InputPipeline::new("deep-nade", data, domain, init);
        Ok(DeepNade {
            config: self.clone(),
            likelihood,
            activation: self.activation.into(),
            core: Core::new(self.to_table(), pipeline, network),
        })
    }

    /// The size of a model with these settings.
    fn size(&self, data: &DataSpec) -> Result<Size> {
        let (domain, likelihood) = self.check(data)?;
        let entries = product(data.shape.dims());
        let both = product(&[2, entries]);
        let mut size = SizeBuilder::new(data);
        let last = size.mlp(both, &self.hidden);
        size.dense(last, product(&[entries, likelihood.outputs()]));
        size.likelihood(&likelihood, entries);
        size.scale(data, domain);
        if self.every_conditional {
            // The interleaved rows of both halves of the weights, and their gradients.
            size.fixed(product(&[both, last, 4]) as u64);
            size.fixed(nade::kernel_scratch(entries, 2, 1, last));
        } else {
            // Which entries are observed, their weights, and both halves of the input.
            size.kept((both as u64).saturating_mul(3));
        }
        Ok(size.finish())
    }

    /// Refuses what is out of range or does not suit the data.
    fn check(&self, data: &DataSpec) -> Result<(Domain, Likelihood)> {
        self.check_values()?;
        let domain = data.one_domain("deep-nade", KINDS)?;
        if self.hidden.is_empty() {
            return Err(Error::setting("hidden", "[]", "give at least one size"));
        }
        let likelihood = match domain {
            Domain::Real => self.family.mixture(self.components),
            discrete => Likelihood::discrete(discrete),
        };
        if self.every_conditional && (self.hidden.len() > 1 || domain != Domain::Binary) {
            let why = "it needs one hidden layer and binary entries; leave it out";
            return Err(Error::setting("every_conditional", true, why));
        }
        Ok((domain, likelihood))
    }
}

/// The weights of a deep NADE.
#[derive(Module, Debug)]
pub struct Network {
    /// The first takes `[batch, 2·D]`: masked entries, then the mask.
    hidden: Mlp,
    /// The last gives `[batch, D·outputs]`.
    output: Dense,
    /// For real data.
    scale: Option<Scale>,
}

/// A deep NADE.
pub struct DeepNade {
    config: DeepNadeConfig,
    likelihood: Likelihood,
    activation: kernels::Activation,
    core: Core<Network>,
}

impl DeepNade {
    fn size(&self) -> usize {
        self.core.pipeline.data.shape.size()
    }

    /// −log p of each unobserved entry times D / (D − d), 0 for observed ones: `[batch, D]`.
    ///
    /// The subsets are drawn from the given streams by the examples' numbers.
    fn weighted_nll(
        &self,
        network: &Network,
        batch: &Batch,
        streams: Streams,
    ) -> Result<Tensor<2>> {
        let size = self.size();
        let x = self.core.pipeline.observed(network.scale.as_ref(), batch)?;
        let (observed, weight) = subsets(batch, streams, size);
        let observed = self.core.pipeline.tensor(observed, size);
        let weight = self.core.pipeline.tensor(weight, size);
        let shown = self.core.pipeline.unit(x.clone()).clamp(-CONDITION_LIMIT, CONDITION_LIMIT);
        let input = Tensor::cat(vec![shown * observed.clone(), observed], 1);
        let mut outputs = network.output.forward(network.hidden.forward(input));
        if let (true, Likelihood::GaussianMixture { components }) =
            (self.config.scale_mean_gradients, &self.likelihood)
        {
            outputs = nade::scaled_means(outputs, size, *components);
        }
        Ok(self.likelihood.entry_log_probability(outputs, x).neg() * weight)
    }

    /// −log p of each example in nats, in the given ordering, by updating the pre-activations of the
    /// only hidden layer: a known entry adds one row, and another one if it is 1.
    fn ordered_nll(&self, network: &Network, batch: &Batch, order: &[usize]) -> Result<Tensor<1>> {
        let size = self.size();
        let x = self.core.pipeline.observed(None, batch)?;
        let layer = &network.hidden.layers[0];
        let weight = layer.weight.val();
        let known = weight.clone().narrow(0, size, size);
        let one = weight.narrow(0, 0, size) + known.clone();
        let hidden = known.dims()[1];
        // Two rows per entry, chosen by its value.
        let weight: Tensor<3> = Tensor::stack(vec![known, one], 1);
        let outputs = kernels::nade(
            x.clone(),
            weight.reshape([2 * size, hidden]),
            layer.bias.val(),
            network.output.weight.val().transpose(),
            network.output.bias.val(),
            None,
            NadeForm { activation: self.activation, order: Some(order.to_vec()) },
        );
        Ok(self.likelihood.log_probability(outputs, x).neg())
    }

    /// Draws the examples numbered from `first` like [`sample`](crate::model::sample), in the same orderings and with
    /// the same uniform numbers, but runs the whole network for every entry.
    ///
    /// This is the slow reference that the sampler is tested and timed against.
    ///
    /// # Errors
    /// If the weights are not there.
    pub fn sample_by_rerunning(
        &self,
        first: u64,
        count: usize,
        streams: Streams,
    ) -> Result<Vec<f64>> {
        let network = self.core.inference()?;
        let (size, likelihood) = (self.size(), &self.likelihood);
        let (width, draws) = (likelihood.outputs(), likelihood.draws());
        let numbers: Vec<u64> = (first..first + count as u64).collect();
        let uniforms = streams.purpose("sample entries", 0).uniforms(&numbers, size * draws);
        let blocks = first / LANES as u64..=(first + count as u64) / LANES as u64;
        let orders: Vec<Vec<usize>> =
            blocks.clone().map(|block| drawing_order(streams, block, size)).collect();
        let order_of = |number: u64| &orders[(number / LANES as u64 - blocks.start()) as usize];
        let top = self.core.pipeline.domain.max_level().unwrap_or(1) as f32;
        let mut values = vec![0.0; count * size];
        // Of each example its masked entries, then the mask.
        let mut input = vec![0.0; count * 2 * size];
        for place in 0..size {
            let x = self.core.pipeline.tensor(input.clone(), 2 * size);
            let outputs = rows(network.output.forward(network.hidden.forward(x)));
            for (row, &number) in numbers.iter().enumerate() {
                let entry = order_of(number)[place];
                let at = row * size + entry;
                let outputs = &outputs[at * width..(at + 1) * width];
                let drawn = likelihood.draw(outputs, &uniforms[at * draws..(at + 1) * draws]);
                values[at] = drawn.first().copied().unwrap_or(0.0);
                let input = &mut input[row * 2 * size..(row + 1) * 2 * size];
                input[entry] = (values[at] / top).clamp(-CONDITION_LIMIT, CONDITION_LIMIT);
                input[size + entry] = 1.0;
            }
        }
        Ok(match &network.scale {
            Some(scale) => scale.restore(values),
            None => as_f64(values),
        })
    }

    /// The parameters as plain numbers, laid out for autoregressive sampling.
    fn flat(&self) -> Result<Flat<'_>> {
        let network = self.core.network()?;
        let first = &network.hidden.layers[0];
        let later = network.hidden.layers[1..].iter().chain([&network.output]);
        Ok(Flat {
            model: self,
            weight: Values::of(first.weight.val()),
            bias: Values::of(first.bias.val()),
            later: later
                .map(|layer| FlatLayer {
                    inputs: layer.weight.dims()[0],
                    weight: rows(layer.weight.val().inner().transpose()),
                    bias: rows(layer.bias.val()),
                })
                .collect(),
        })
    }
}

/// For each example, 1 for observed entries and 0 for others; and 0 for observed entries and
/// D / (D − d) for others.
fn subsets(batch: &Batch, streams: Streams, size: usize) -> (Vec<f32>, Vec<f32>) {
    let purpose = streams.purpose("observed", batch.epoch);
    let mut observed = vec![0.0; batch.len() * size];
    let mut weight = vec![0.0; batch.len() * size];
    let mut entries: Vec<usize> = Vec::with_capacity(size);
    let rows = observed.chunks_exact_mut(size).zip(weight.chunks_exact_mut(size));
    for ((observed, weight), &index) in rows.zip(&batch.indices) {
        let mut rng = purpose.item(index);
        let mut below = |n: usize| ((u64::from(rng.next_u32()) * n as u64) >> 32) as usize;
        let d = below(size);
        weight.fill(size as f32 / (size - d) as f32);
        entries.clear();
        entries.extend(0..size);
        for i in 0..d {
            entries.swap(i, i + below(size - i));
            observed[entries[i]] = 1.0;
            weight[entries[i]] = 0.0;
        }
    }
    (observed, weight)
}

impl NeuralModel for DeepNade {
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

impl Trainable for DeepNade {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let batch = context.batches.next_batch();
        let network = self.core.network()?;
        let loss = if self.config.every_conditional {
            let order = order::random(context.streams, "training", context.step, self.size());
            self.ordered_nll(network, &batch, &order)?.mean()
        } else {
            self.weighted_nll(network, &batch, context.streams)?.sum_dim(1).mean()
        };
        let log_jacobian = network.scale.as_ref().map_or(0.0, Scale::log_jacobian);
        let value = context.descend(loss, self.core.slot())?;
        // In the units of the data, as the density is.
        Ok(vec![("loss", value - log_jacobian)])
    }

    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let network = self.core.inference()?;
        let mut sums = vec![0.0; batch.len()];
        for subset in 0..VALIDATION_SUBSETS {
            // Each validation of every run draws the same subsets.
            let batch = Batch { epoch: subset, ..batch.clone() };
            let nll = self.weighted_nll(&network, &batch, Streams::new(0))?;
            for (sum, nll) in sums.iter_mut().zip(to_f64(nll.sum_dim(1))) {
                *sum += nll / VALIDATION_SUBSETS as f64;
            }
        }
        Ok(Some(sums))
    }

    fn validation_name(&self) -> &'static str {
        "orderless_nll"
    }

    fn start(&mut self, examples: &Examples) -> Result<()> {
        let (scale, means) = self.core.pipeline.fit(examples);
        let bias = self.likelihood.output_bias(&means);
        self.core.change(|network| Network {
            output: network.output.with_bias(bias),
            scale: scale.or(network.scale),
            ..network
        });
        Ok(())
    }
}

impl Density for DeepNade {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn ensemble(&self) -> Option<Ensemble> {
        Some(Ensemble { member: "ordering", count: None })
    }

    fn log_probability(&self, batch: &Batch, options: DensityOptions) -> Result<LogProbability> {
        // Checks the sizes too.
        let network = self.core.network()?;
        let x = rows(self.core.pipeline.observed(network.scale.as_ref(), batch)?);
        let flat = self.flat()?;
        let mut mean = LogMeanExp::new(batch.len());
        for member in options.members {
            let ordering = flat.ordered(ordering(member, self.size()));
            mean.add(&sequential::log_probability(&flat, &ordering, &x));
        }
        let mut nats = mean.finish();
        if let Some(scale) = &network.scale {
            let log_jacobian = scale.log_jacobian();
            nats.iter_mut().for_each(|n| *n += log_jacobian);
        }
        Ok(LogProbability { nats, monte_carlo: None })
    }

    fn column_terms(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let network = self.core.network()?;
        let x = rows(self.core.pipeline.observed(network.scale.as_ref(), batch)?);
        let flat = self.flat()?;
        let mut terms = sequential::terms(&flat, &flat.ordered(ordering(0, self.size())), &x);
        if let Some(scale) = &network.scale {
            scale.add_log_jacobian(&mut terms);
        }
        Ok(Some(terms))
    }
}

/// The ordering of a member of the ensemble: the same for every run, so that results can be
/// compared.
fn ordering(member: u64, size: usize) -> Vec<usize> {
    order::random(Streams::new(0), "ordering", member, size)
}

/// The ordering in which the examples of a block are drawn.
fn drawing_order(streams: Streams, block: u64, size: usize) -> Vec<usize> {
    order::random(streams, "sample ordering", block, size)
}

impl SequentialModel for DeepNade {
    const COMPLETION: Completion = Completion::Any;

    fn sampled(&self, request: &SampleRequest, observer: Option<Observer<'_>>) -> Result<Vec<f64>> {
        let flat = self.flat()?;
        sequential::sample_scaled(&flat, self.core.network()?.scale.as_ref(), request, observer)
    }
}

/// A layer with its weights in output-major order.
struct FlatLayer {
    inputs: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// The parameters as plain numbers.
struct Flat<'a> {
    model: &'a DeepNade,
    /// Of the first layer, `[2·D, H]`.
    weight: Values,
    bias: Values,
    /// The other hidden layers, then the output's.
    later: Vec<FlatLayer>,
}

impl Flat<'_> {
    fn ordered(&self, order: Vec<usize>) -> InOrder<'_> {
        InOrder { flat: self, order }
    }
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
        streams: Streams,
        block: u64,
        given: &[bool],
    ) -> Result<Box<dyn Ordering + '_>> {
        let mut order = drawing_order(streams, block, self.model.size());
        // Given entries come first; the sort is stable.
        order.sort_by_key(|&entry| !given[entry]);
        Ok(Box::new(self.ordered(order)))
    }
}

struct InOrder<'a> {
    flat: &'a Flat<'a>,
    order: Vec<usize>,
}

impl Ordering for InOrder<'_> {
    fn order(&self) -> &[usize] {
        &self.order
    }

    fn begin(&self, numbers: &[u64]) -> Box<dyn SamplerState + '_> {
        let flat = self.flat;
        let repeated = flat.bias.iter().flat_map(|&bias| [bias; LANES]);
        let widest = flat.later.iter().map(|layer| layer.inputs).max().unwrap_or(0);
        Box::new(BatchedRows {
            ordering: self,
            rows: numbers.len(),
            sums: repeated.collect(),
            units: [vec![0.0; widest * LANES], vec![0.0; widest * LANES]],
            outputs: vec![0.0; flat.model.likelihood.outputs() * LANES],
        })
    }
}

/// Up to [`LANES`] rows.
struct BatchedRows<'a> {
    ordering: &'a InOrder<'a>,
    rows: usize,
    /// Of the first layer `[H, LANES]`.
    sums: Vec<f32>,
    /// Units of a layer and of the next.
    units: [Vec<f32>; 2],
    outputs: Vec<f32>,
}

impl SamplerState for BatchedRows<'_> {
    fn outputs(&mut self, place: usize, out: &mut [f32]) {
        let flat = self.ordering.flat;
        let activation = flat.model.activation;
        let [units, next] = &mut self.units;
        batched_rows::activate(&self.sums, activation, &mut units[..self.sums.len()]);
        let Some((output, hidden)) = flat.later.split_last() else { return };
        for layer in hidden {
            let to = &mut next[..layer.bias.len() * LANES];
            let (weight, bias) = (&layer.weight, &layer.bias);
            batched_rows::linear(weight, layer.inputs, layer.inputs, bias, units, activation, to);
            std::mem::swap(units, next);
        }
        // The weights of this entry's outputs only.
        let width = flat.model.likelihood.outputs();
        let first = self.ordering.order[place] * width;
        let weight = &output.weight[first * output.inputs..(first + width) * output.inputs];
        let bias = &output.bias[first..first + width];
        let none = kernels::Activation::None;
        batched_rows::linear(
            weight,
            output.inputs,
            output.inputs,
            bias,
            units,
            none,
            &mut self.outputs,
        );
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            for (k, out) in out.iter_mut().enumerate() {
                *out = self.outputs[k * LANES + row];
            }
        }
    }

    fn reveal(&mut self, place: usize, values: &[f32]) {
        let flat = self.ordering.flat;
        let (entry, size, hidden) =
            (self.ordering.order[place], flat.model.size(), flat.bias.len());
        let top = flat.model.core.pipeline.domain.max_level().unwrap_or(1) as f32;
        let mut shown = [0.0; LANES];
        for (shown, value) in shown.iter_mut().zip(&values[..self.rows]) {
            *shown = (value / top).clamp(-CONDITION_LIMIT, CONDITION_LIMIT);
        }
        let row = |i: usize| &flat.weight[i * hidden..(i + 1) * hidden];
        batched_rows::add_input(row(entry), &shown, Some(row(size + entry)), &mut self.sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sampler;
    use crate::spec::cpu;
    use ancestral_data::Shape;

    /// Each output, one dimension at a time, equals that of the whole network on the known entries.
    #[test]
    fn the_sums_that_are_carried_are_those_of_the_whole_network() {
        for (domain, hidden) in [
            (Domain::Binary, vec![40]),
            (Domain::Binary, vec![33, 20]),
            (Domain::Levels(4), vec![17, 9, 12]),
            (Domain::Real, vec![16]),
        ] {
            let (size, count) = (11, 7);
            let data = DataSpec::new(domain, Shape::columns(size), 0);
            let config = DeepNadeConfig { hidden, components: 3, ..DeepNadeConfig::default() };
            let model = config.init(&data, &Init::new(&cpu(), 2)).unwrap();
            let network = model.core.network().unwrap().valid();
            let top = domain.max_level().map_or(1.0, |m| m as f32);
            let mut values = Streams::new(1).purpose("x", 0).uniforms(&[0], count * size);
            values.iter_mut().for_each(|x| *x *= top);
            if domain != Domain::Real {
                values.iter_mut().for_each(|x| *x = x.round());
            }
            let flat = model.flat().unwrap();
            let ordering = flat.ordered(ordering(3, size));
            let mut rows_state = ordering.begin(&vec![0; count]);
            let width = model.likelihood.outputs();
            let mut mask = vec![0.0; count * size];
            for (place, &entry) in ordering.order().to_vec().iter().enumerate() {
                let x = model.core.pipeline.tensor(values.iter().map(|x| x / top).collect(), size);
                let m = model.core.pipeline.tensor(mask.clone(), size);
                let input = Tensor::cat(vec![x * m.clone(), m], 1);
                let whole = rows(network.output.forward(network.hidden.forward(input)));
                let mut out = vec![0.0; count * width];
                rows_state.outputs(place, &mut out);
                for row in 0..count {
                    for k in 0..width {
                        let want = whole[(row * size + entry) * width + k];
                        let got = out[row * width + k];
                        assert!((got - want).abs() < 1e-5, "{domain}: {got} {want}");
                    }
                }
                let column: Vec<f32> = (0..count).map(|row| values[row * size + entry]).collect();
                rows_state.reveal(place, &column);
                (0..count).for_each(|row| mask[row * size + entry] = 1.0);
            }
        }
    }

    /// All conditionals of an ordering at once equal those computed one dimension at a time.
    #[test]
    fn one_pass_over_an_order_is_its_likelihood() {
        let (size, count) = (13, 9);
        let data = DataSpec::new(Domain::Binary, Shape::columns(size), 0);
        for activation in [FusedActivation::Relu, FusedActivation::Tanh, FusedActivation::Softplus]
        {
            let config = DeepNadeConfig {
                hidden: vec![21],
                activation,
                every_conditional: true,
                ..DeepNadeConfig::default()
            };
            let model = config.init(&data, &Init::new(&cpu(), 2)).unwrap();
            let values = Streams::new(1).purpose("x", 0).uniforms(&[0], count * size);
            let values = values.into_iter().map(|x| f64::from(x.round())).collect();
            let batch = Batch::of(values, count);
            for member in 0..3 {
                let options =
                    DensityOptions { members: member..member + 1, ..DensityOptions::new(1, 0) };
                let want = model.log_probability(&batch, options).unwrap().nats;
                let network = model.core.network().unwrap();
                let order = ordering(member, size);
                let got = to_f64(model.ordered_nll(network, &batch, &order).unwrap());
                for (got, want) in got.iter().zip(want) {
                    assert!((got + want).abs() < 1e-5 * want.abs(), "{activation}: {got} {want}");
                }
            }
        }
    }

    #[test]
    fn drawing_gives_what_running_the_whole_network_gives() {
        for (domain, hidden) in [
            (Domain::Binary, vec![40]),
            (Domain::Levels(4), vec![17, 9]),
            (Domain::Real, vec![16, 12]),
        ] {
            let data = DataSpec::new(domain, Shape::columns(9), 0);
            let config = DeepNadeConfig { hidden, components: 3, ..DeepNadeConfig::default() };
            let model = config.init(&data, &Init::new(&cpu(), 2)).unwrap();
            // Across blocks, which have different orderings.
            let request = SampleRequest { first: 20, ..SampleRequest::new(50, 3) };
            let quick = model.draw(&request).unwrap();
            let slow = model.sample_by_rerunning(20, 50, request.streams).unwrap();
            for (quick, slow) in quick.iter().zip(slow) {
                let near = if domain == Domain::Real { 1e-4 * (1.0 + slow.abs()) } else { 0.0 };
                assert!((quick - slow).abs() <= near, "{domain}: {quick} {slow}");
            }
        }
    }

    #[test]
    fn subsets_are_uniform_in_size_and_weighted_to_be_unbiased() {
        let (size, n) = (5, 20_000);
        let batch = Batch { epoch: 3, ..Batch::of(vec![], n as usize) };
        let (observed, weight) = subsets(&batch, Streams::new(1), size);
        let mut sizes = vec![0usize; size];
        let mut entries = vec![0usize; size];
        for (o, w) in observed.chunks_exact(size).zip(weight.chunks_exact(size)) {
            let d = o.iter().filter(|&&o| o == 1.0).count();
            sizes[d] += 1;
            for (i, (&o, &w)) in o.iter().zip(w).enumerate() {
                entries[i] += usize::from(o == 1.0);
                assert_eq!(w, if o == 1.0 { 0.0 } else { size as f32 / (size - d) as f32 });
            }
        }
        let close = |count: usize, share: f64| {
            let error = (count as f64 / n as f64 - share).abs();
            assert!(error < 5.0 * (share * (1.0 - share) / n as f64).sqrt(), "{count} {share}");
        };
        sizes.iter().for_each(|&count| close(count, 1.0 / size as f64));
        // An entry is observed in (D − 1) / 2D of the cases.
        entries.iter().for_each(|&count| close(count, 0.4));
    }
}
