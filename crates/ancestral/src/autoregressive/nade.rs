//! Neural autoregressive distribution estimator: Larochelle and Murray 2011 (PMLR 15:29–37) and
//! Uria, Côté, Gregor, Murray and Larochelle 2016 (arXiv:1605.02226).
//!
//! p(x) = Π p(x_d | x_<d) with h_d = σ(c + W_<d x_<d), p(x_d = 1 | x_<d) = σ(b_d + V_d h_d) (their
//! equations 3 and 4). The pre-activations are updated from entry to entry, a ← a + W_d x_d, so that
//! all conditionals of an example cost O(DH). The likelihood is exact.
//!
//! W and V are not tied, as in the paper's experiments. An entry of more than two levels selects a
//! row of W by its level (one-hot), and its conditional is categorical. [`rnade`](super::rnade) is the
//! same network for real data.

use ancestral_data::{Batch, Domain, Examples, Streams};
use ancestral_kernels::{self as kernels, NadeForm, NadeParameters, NadeRows, NadeWeights, Values};
use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use toml::Table;

use super::sequential::{
    self, AutoregressiveSampler, Observer, Ordering, SamplerState, SequentialModel,
};
use super::{CONDITION_LIMIT, DISCRETE, OrderName, order};
use crate::likelihood::Likelihood;
use crate::model::{
    Abilities, Capability, Core, DataSpec, Density, DensityKind, DensityOptions, Init, Learning,
    LogProbability, Metrics, ModelConfig, ModelEntry, NeuralModel, Preset, SampleRequest, Size,
    SizeBuilder, StepContext, Task, Trainable, product,
};
use crate::nn::{InputPipeline, Scale, glorot, parameter, with_value};
use crate::settings::{Seed, Settings};
use crate::{Result, settings};

settings! {
    /// Settings of NADE.
    pub struct NadeConfig {
        /// Number of hidden units.
        pub hidden: usize = 500, in 1..;
        /// Ordering of the entries.
        pub order: OrderName = OrderName::Raster;
        /// Seed of a random ordering.
        pub order_seed: Seed = Seed(0);
    }
}

/// The entry of `nade`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "nade",
        about: "neural autoregressive distribution estimator: each entry conditioned on those before it",
        paper: "Larochelle and Murray 2011, PMLR 15:29-37; Uria et al. 2016, arXiv:1605.02226",
        tasks: &[Task::Density, Task::Sampling],
        capabilities: &[
            Capability::ExactDensity,
            Capability::Samples,
            Capability::PrefixCompletion,
        ],
        validation: &["nll"],
        learning: Learning::GradientSteps,
        kinds: DISCRETE,
        size: |table, data| NadeConfig::from_table(table)?.size(data),
        presets: &[
            Preset {
                name: "uria-2016",
                about: "500 hidden units, SGD with a decaying learning rate, as in Uria et al. 2016, Table 2",
                settings: include_str!("presets/nade-uria-2016.toml"),
            },
            Preset {
                name: "mnist",
                about: "500 hidden units, Adam with averaged weights, for binarized MNIST",
                settings: include_str!("presets/nade-mnist.toml"),
            },
            Preset {
                name: "uci",
                about: "Adam with averaged weights, batches of 20, for adult",
                settings: include_str!("presets/uci.toml"),
            },
            Preset {
                name: "dna",
                about: "Adam with averaged weights and a higher learning rate, batches of 20, for dna",
                settings: include_str!("presets/dna.toml"),
            },
        ],
        fields: NadeConfig::fields,
        build: |table, data, init| Ok(Box::new(NadeConfig::from_table(table)?.init(data, init)?)),
        train: |_| toml::Table::new(),
        complete: |_, _| {},
    }
}

impl ModelConfig for NadeConfig {
    fn model_name(&self) -> &'static str {
        "nade"
    }
}

impl NadeConfig {
    /// Refuses what is out of range or does not suit the data.
    fn check(&self, data: &DataSpec) -> Result<(Domain, Likelihood)> {
        self.check_values()?;
        let domain = data.one_domain("nade", DISCRETE)?;
        Ok((domain, Likelihood::discrete(domain)))
    }

    /// The size of a model with these settings.
    fn size(&self, data: &DataSpec) -> Result<Size> {
        let (domain, likelihood) = self.check(data)?;
        Ok(size_of(self.hidden, &likelihood, false, (data, domain)))
    }

    /// A model with its initial weights, sized by the data.
    ///
    /// # Errors
    /// If a setting is out of range or the data is real.
    pub fn init(&self, data: &DataSpec, init: &Init) -> Result<Nade> {
        let (domain, likelihood) = self.check(data)?;
        let order = self.order.entries(self.order_seed.0, &data.shape);
        let setup = Setup { name: "nade", hidden: self.hidden, likelihood, order, rescale: false };
        Ok(Nade::new(setup, self.to_table(), false, (data, domain), init))
    }
}

/// What NADE and RNADE differ in.
pub(super) struct Setup {
    pub(super) name: &'static str,
    pub(super) hidden: usize,
    pub(super) likelihood: Likelihood,
    pub(super) order: Vec<usize>,
    /// Whether the pre-activations are rescaled at each entry.
    pub(super) rescale: bool,
}

/// How large a NADE is, of which [`Network`] lists the tensors.
pub(super) fn size_of(
    hidden: usize,
    likelihood: &Likelihood,
    rescale: bool,
    (data, domain): (&DataSpec, Domain),
) -> Size {
    let (entries, outputs) = (product(data.shape.dims()), likelihood.outputs());
    let mut size = SizeBuilder::new(data);
    let weights = [[entries, rows_of(likelihood), hidden], [entries, outputs, hidden]];
    weights.iter().for_each(|weight| size.trained(weight));
    size.trained(&[hidden]);
    size.trained(&[entries, outputs]);
    if rescale {
        size.trained(&[entries]);
    }
    size.scale(data, domain);
    size.outputs(product(&[entries, outputs]), 1);
    size.likelihood(likelihood, entries);
    size.fixed(kernel_scratch(entries, rows_of(likelihood), outputs, hidden));
    size.finish()
}

/// Numbers that the kernel's gradient needs as scratch memory: every thread has a slice of the hidden
/// units, with its own weights and their gradients, and the units of some examples at every entry.
pub(super) fn kernel_scratch(entries: usize, rows: usize, outputs: usize, hidden: usize) -> u64 {
    /// Units of a slice.
    const WIDTH: usize = 128;
    /// Examples that are processed together.
    const TOGETHER: usize = 16;
    let slices = hidden.div_ceil(WIDTH).min(rayon::current_num_threads());
    let each = rows.saturating_add(outputs).saturating_mul(2).saturating_add(TOGETHER);
    product(&[entries, each, WIDTH, slices]) as u64
}

/// Rows of W per entry.
fn rows_of(likelihood: &Likelihood) -> usize {
    match likelihood {
        Likelihood::Categorical { levels } => *levels,
        _ => 1,
    }
}

/// The weights of a NADE.
#[derive(Module, Debug)]
pub struct Network {
    /// W `[D, H]`, or `[D·levels, H]`.
    weight: Param<Tensor<2>>,
    /// c `[H]`.
    bias: Param<Tensor<1>>,
    /// V `[D·outputs, H]`.
    output_weight: Param<Tensor<2>>,
    /// b `[D·outputs]`.
    output_bias: Param<Tensor<1>>,
    /// ρ `[D]`.
    rescale: Option<Param<Tensor<1>>>,
    /// For real data.
    scale: Option<Scale>,
}

/// A NADE for binary entries, levels or real data.
pub struct Nade {
    setup: Setup,
    /// Whether the gradient of a Gaussian's mean is multiplied by its σ.
    scaled_means: bool,
    core: Core<Network>,
}

impl Nade {
    pub(super) fn new(
        setup: Setup,
        settings: Table,
        scaled_means: bool,
        (data, domain): (&DataSpec, Domain),
        init: &Init,
    ) -> Self {
        let (size, hidden, outputs) = (data.shape.size(), setup.hidden, setup.likelihood.outputs());
        let levels = rows_of(&setup.likelihood);
        let vector = |value: f32, n: usize| parameter(TensorData::new(vec![value; n], [n]), init);
        let network = Network {
            weight: glorot([size * levels, hidden], size + hidden, "weight", init),
            bias: vector(0.0, hidden),
            output_weight: glorot([size * outputs, hidden], size + hidden, "output_weight", init),
            output_bias: vector(0.0, size * outputs),
            rescale: setup.rescale.then(|| vector(1.0, size)),
            scale: Scale::init(domain, data, init),
        };
        let pipeline = InputPipeline::new(setup.name, data, domain, init);
        Self { setup, scaled_means, core: Core::new(settings, pipeline, network) }
    }

    fn size(&self) -> usize {
        self.core.pipeline.data.shape.size()
    }

    /// The entries in the model's ordering, standardized if they are real.
    fn ordered(&self, network: &Network, batch: &Batch) -> Result<Tensor<2>> {
        self.core.pipeline.whole(batch)?;
        let values = self.core.pipeline.in_scale(&batch.values);
        let values = order::permuted(&values, &self.setup.order);
        let x = self.core.pipeline.entries(&values, batch.len())?;
        Ok(match &network.scale {
            Some(scale) => scale.standardize(x, &self.setup.order),
            None => x,
        })
    }

    /// The outputs `[batch, size · outputs]` in the model's ordering.
    fn outputs(&self, network: &Network, x: Tensor<2>) -> Tensor<2> {
        let x = match network.scale {
            Some(_) => x.clamp(-CONDITION_LIMIT, CONDITION_LIMIT),
            None => x,
        };
        kernels::nade(
            x,
            network.weight.val(),
            network.bias.val(),
            network.output_weight.val(),
            network.output_bias.val(),
            network.rescale.as_ref().map(Param::val),
            NadeForm { activation: kernels::Activation::Sigmoid, order: None },
        )
    }

    /// The outputs `[batch, size · outputs]` and their entries, both in the model's ordering.
    fn scored(&self, network: &Network, batch: &Batch) -> Result<(Values, Values)> {
        let x = self.ordered(network, batch)?;
        Ok((Values::of(self.outputs(network, x.clone())), Values::of(x)))
    }

    /// log p(x) of each example in nats, in the units of the data.
    fn log_probabilities(&self, batch: &Batch) -> Result<Vec<f64>> {
        let network = self.core.inference()?;
        let (outputs, x) = self.scored(&network, batch)?;
        let mut nats = self.setup.likelihood.row_log_probabilities(&outputs, &x, self.size());
        if let Some(scale) = &network.scale {
            let log_jacobian = scale.log_jacobian();
            nats.iter_mut().for_each(|n| *n += log_jacobian);
        }
        Ok(nats)
    }

    /// The parameters as plain numbers.
    fn flat(&self) -> Result<Flat> {
        let network = self.core.network()?;
        Ok(Flat {
            weight: Values::of(network.weight.val()),
            bias: Values::of(network.bias.val()),
            output_weight: Values::of(network.output_weight.val()),
            output_bias: Values::of(network.output_bias.val()),
            rescale: network.rescale.as_ref().map(|r| Values::of(r.val())),
        })
    }
}

impl NeuralModel for Nade {
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

impl Trainable for Nade {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let batch = context.batches.next_batch();
        let network = self.core.network()?;
        let x = self.ordered(network, &batch)?;
        let mut outputs = self.outputs(network, x.clone());
        if let (true, Likelihood::GaussianMixture { components }) =
            (self.scaled_means, &self.setup.likelihood)
        {
            outputs = scaled_means(outputs, self.size(), *components);
        }
        let loss = self.setup.likelihood.log_probability(outputs, x).mean().neg();
        let log_jacobian = network.scale.as_ref().map_or(0.0, Scale::log_jacobian);
        let value = context.descend(loss, self.core.slot())?;
        // In the units of the data, like validation.
        Ok(vec![("loss", value - log_jacobian)])
    }

    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        Ok(Some(self.log_probabilities(batch)?.into_iter().map(|n| -n).collect()))
    }

    fn validation_name(&self) -> &'static str {
        "nll"
    }

    fn start(&mut self, examples: &Examples) -> Result<()> {
        let pipeline = &self.core.pipeline;
        let (scale, means) = pipeline.fit(examples);
        let means: Vec<f64> = self.setup.order.iter().map(|&entry| means[entry]).collect();
        let bias = self.setup.likelihood.output_bias(&means);
        self.core.change(|network| Network {
            output_bias: with_value(network.output_bias, bias),
            scale: scale.or(network.scale),
            ..network
        });
        Ok(())
    }
}

/// The same outputs of a mixture of Gaussians, with the gradient of each mean multiplied by its σ, so
/// that narrow components do not dominate (Uria, Murray and Larochelle 2013, section 4).
pub(super) fn scaled_means(outputs: Tensor<2>, size: usize, components: usize) -> Tensor<2> {
    let rows = outputs.dims()[0];
    let parts: Tensor<4> = outputs.reshape([rows, size, 3, components]);
    let mean = parts.clone().narrow(2, 1, 1);
    let log_sigma = parts.clone().narrow(2, 2, 1);
    let sigma = log_sigma.clone().detach().exp();
    let fixed = mean.clone().detach();
    let mean = (mean - fixed.clone()) * sigma + fixed;
    Tensor::cat(vec![parts.narrow(2, 0, 1), mean, log_sigma], 2)
        .reshape([rows, size * 3 * components])
}

impl Density for Nade {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn log_probability(&self, batch: &Batch, _options: DensityOptions) -> Result<LogProbability> {
        Ok(LogProbability { nats: self.log_probabilities(batch)?, monte_carlo: None })
    }

    fn column_terms(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let network = self.core.inference()?;
        let (outputs, x) = self.scored(&network, batch)?;
        let terms = self.setup.likelihood.term_log_probabilities(&outputs, &x, self.size());
        let mut terms = order::restored(&terms, &self.setup.order);
        if let Some(scale) = &network.scale {
            scale.add_log_jacobian(&mut terms);
        }
        Ok(Some(terms))
    }
}

impl SequentialModel for Nade {
    fn sampled(&self, request: &SampleRequest, observer: Option<Observer<'_>>) -> Result<Vec<f64>> {
        let flat = self.flat()?;
        let parameters = NadeParameters {
            weight: &flat.weight,
            bias: &flat.bias,
            output_weight: &flat.output_weight,
            output_bias: &flat.output_bias,
            scale: flat.rescale.as_deref(),
            activation: kernels::Activation::Sigmoid,
            order: None,
        };
        let ready = Ready { model: self, weights: NadeWeights::new(parameters, self.size()) };
        sequential::sample_scaled(&ready, self.core.network()?.scale.as_ref(), request, observer)
    }
}

/// The parameters as plain numbers, in the model's ordering.
struct Flat {
    weight: Values,
    bias: Values,
    output_weight: Values,
    output_bias: Values,
    rescale: Option<Values>,
}

/// A model that is ready for sampling.
struct Ready<'a> {
    model: &'a Nade,
    weights: NadeWeights<'a>,
}

impl AutoregressiveSampler for Ready<'_> {
    fn entries(&self) -> usize {
        self.model.size()
    }

    fn likelihood(&self) -> &Likelihood {
        &self.model.setup.likelihood
    }

    fn rows_at_once(&self, count: usize) -> usize {
        NadeRows::at_once(count)
    }

    fn ordering(
        &self,
        _streams: Streams,
        _block: u64,
        given: &[bool],
    ) -> Result<Box<dyn Ordering + '_>> {
        sequential::prefix_only(self.model.setup.name, &self.model.setup.order, given)?;
        Ok(Box::new(InOrder(self)))
    }
}

/// The model's only ordering.
struct InOrder<'a>(&'a Ready<'a>);

impl Ordering for InOrder<'_> {
    fn order(&self) -> &[usize] {
        &self.0.model.setup.order
    }

    fn begin(&self, numbers: &[u64]) -> Box<dyn SamplerState + '_> {
        Box::new(NadeRows::new(&self.0.weights, numbers.len()))
    }
}

impl SamplerState for NadeRows<'_> {
    fn outputs(&mut self, place: usize, out: &mut [f32]) {
        NadeRows::outputs(self, place, out);
    }

    fn reveal(&mut self, place: usize, values: &[f32]) {
        // Binary entries and levels lie far within the limit.
        let mut held = [0.0; NadeRows::MOST];
        for (held, v) in held.iter_mut().zip(values) {
            *held = v.clamp(-CONDITION_LIMIT, CONDITION_LIMIT);
        }
        self.push(place, &held[..values.len()]);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    /// The values stay, and of the gradient only that of means changes, by σ.
    #[test]
    fn gradients_of_means_are_multiplied_by_their_deviation() {
        let (size, components) = (2, 3);
        let values: Vec<f32> = (0..36).map(|i| (0.7 * i as f32).sin()).collect();
        let data = TensorData::new(values.clone(), [2, 18]);
        let outputs: Tensor<2> =
            Tensor::from_data(data, &crate::spec::cpu().autodiff()).require_grad();
        let weights: Vec<f32> = (0..36).map(|i| (1.3 * i as f32).cos()).collect();
        let weight: Tensor<2> =
            Tensor::from_data(TensorData::new(weights.clone(), [2, 18]), &outputs.device());
        let scaled = scaled_means(outputs.clone(), size, components);
        let as_values = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(as_values(scaled.clone()), values);
        let found = as_values(outputs.grad(&(scaled * weight).sum().backward()).unwrap());
        for (i, found) in found.into_iter().enumerate() {
            // Of each entry: weights, means, log σ.
            let is_mean = i % 9 / components == 1;
            let sigma = if is_mean { values[i + components].exp() } else { 1.0 };
            assert!((found - weights[i] * sigma).abs() < 1e-6, "{i}: {found} {sigma}");
        }
    }
}
