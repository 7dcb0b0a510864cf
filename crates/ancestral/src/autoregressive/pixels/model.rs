//! The model: layers before the output layers, which each model has its own, the output layers, and
//! the likelihood.

use std::ops::Range;

use ancestral_data::{Batch, Domain, Examples, Streams};
use ancestral_kernels::{PixelMap, Values};
use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;
use toml::Table;

use super::cache::{PixelBody, PixelLayer, Pixelwise, activate};
use super::conv::{ConvForm, Dropout, Groups, MaskedConv, Pass};
use super::inputs::Inputs;
use super::size::PixelSize;
use crate::autoregressive::sequential::{
    self, AutoregressiveSampler, Observer, Ordering, SamplerState, SequentialModel,
};
use crate::autoregressive::{DISCRETE, OrderName, order};
use crate::likelihood::{Deviation, Likelihood, LikelihoodName};
use crate::model::{
    Abilities, Capability, Core, DataSpec, Density, DensityKind, DensityOptions, Init, Learning,
    LogProbability, Metrics, Model, ModelEntry, NeuralModel, Preset, SampleRequest, Size,
    SizeBuilder, StepContext, Task, Trainable,
};
use crate::nn::{Activation, FusedActivation, InputPipeline, to_f64};
use crate::settings::{Field, Settings};
use crate::{Error, Result};

/// The widest filter.
pub(crate) const WIDEST: usize = 63;
/// The most layers.
pub(crate) const DEEPEST: usize = 1000;
/// Images that one thread draws together.
const TOGETHER: usize = 64;
/// Numbers in the widest features of images that are scored together, 32 MiB.
const SCORED: usize = 1 << 23;

/// Declares the settings of a model that draws pixel after pixel.
macro_rules! pixel_settings {
    (
        $(#[$meta:meta])*
        $name:ident, $model:literal, layers = $layers:literal, hidden = $hidden:literal
        $(, kernel = $kernel:literal)?
    ) => {
        $crate::settings! {
            $(#[$meta])*
            pub struct $name {
                /// Number of layers after the first convolution.
                pub layers: usize = $layers, in 1..=$crate::autoregressive::pixels::DEEPEST;
                /// Number of hidden features h of a layer, at least one for each channel of the images.
                pub hidden: usize = $hidden, in 1..;
                $(
                    /// Side of the filters of the layers, an odd number of pixels.
                    pub kernel: usize = $kernel, in 1..=$crate::autoregressive::pixels::WIDEST, unit "pixels";
                )?
                /// Side of the filters of the first convolution, an odd number of pixels.
                pub first_kernel: usize = 7, in 3..=$crate::autoregressive::pixels::WIDEST, unit "pixels";
                /// Number of features of the two 1×1 convolutions before the outputs.
                pub head: usize = 32, in 1..;
                /// Activation of the convolutions.
                pub activation: $crate::nn::FusedActivation = $crate::nn::FusedActivation::Relu;
                /// Whether every layer has a skip connection to the outputs.
                pub skip: bool = false;
                /// Observation model of an entry given those before it: bernoulli, categorical or
                /// logistic-mixture; auto takes bernoulli for binary entries and categorical for levels.
                pub likelihood: $crate::likelihood::LikelihoodName = $crate::likelihood::LikelihoodName::Auto;
                /// Whether to condition on the class labels.
                pub conditional: bool = false;
                /// Fraction of the features of a layer that are dropped in training.
                pub dropout: f64 = 0.0, in 0.0..1.0;
                /// Number of frequencies whose sine and cosine the network sees beside each value, each twice
                /// the one before: 8 tell all of 256 levels apart.
                pub fourier: usize = 0, in 0..=16;
            }
        }

        impl $crate::model::ModelConfig for $name {
            fn model_name(&self) -> &'static str {
                $model
            }
        }

        impl $crate::autoregressive::pixels::PixelSettings for $name {
            const NAME: &'static str = $model;

            fn values(&self) -> $crate::autoregressive::pixels::PixelValues {
                #[allow(unused_mut, unused_assignments, reason = "not all have filters")]
                let mut kernel = 1;
                $( let _: usize = $kernel; kernel = self.kernel; )?
                $crate::autoregressive::pixels::PixelValues {
                    layers: self.layers,
                    hidden: self.hidden,
                    kernel,
                    first_kernel: self.first_kernel,
                    head: self.head,
                    activation: self.activation,
                    skip: self.skip,
                    likelihood: self.likelihood,
                    conditional: self.conditional,
                    dropout: self.dropout,
                    inputs: $crate::autoregressive::pixels::Inputs { frequencies: self.fourier },
                }
            }
        }
    };
}
pub(crate) use pixel_settings;

/// The values of the settings.
#[derive(Debug, Clone)]
pub(crate) struct PixelValues {
    pub(crate) layers: usize,
    pub(crate) hidden: usize,
    pub(crate) kernel: usize,
    pub(crate) first_kernel: usize,
    pub(crate) head: usize,
    pub(crate) activation: FusedActivation,
    pub(crate) skip: bool,
    pub(crate) likelihood: LikelihoodName,
    pub(crate) conditional: bool,
    pub(crate) dropout: f64,
    pub(crate) inputs: Inputs,
}

/// Settings of one of the models.
pub(crate) trait PixelSettings: Settings {
    const NAME: &'static str;

    fn values(&self) -> PixelValues;

    /// The settings, checked, for such data.
    fn common(&self, data: &DataSpec) -> Result<Common> {
        self.check_values()?;
        let values = self.values();
        let domain = data.one_domain(Self::NAME, DISCRETE)?;
        let Some([channels, height, width]) = data.shape.as_image() else {
            return Err(Error::UnsuitableData {
                model: Self::NAME.to_owned(),
                problem: format!(
                    "it draws images and an example of this data is {}; nade and made take tables",
                    data.shape
                ),
            });
        };
        for (name, side) in [("kernel", values.kernel), ("first_kernel", values.first_kernel)] {
            if side.is_multiple_of(2) {
                let why = "a filter has a middle, so that its side is odd";
                return Err(Error::setting(name, side as i64, why));
            }
        }
        for (name, features) in [("hidden", values.hidden), ("head", values.head)] {
            if features < channels {
                let why = format!("give at least one feature for each of the {channels} channels");
                return Err(Error::setting(name, features as i64, why));
            }
        }
        if values.conditional && data.classes < 2 {
            let why = "a conditional model needs labels of at least 2 classes, and these examples \
                       have none";
            return Err(Error::setting("conditional", true, why));
        }
        let likelihood = match values.likelihood {
            LikelihoodName::Auto => Likelihood::discrete(domain),
            LikelihoodName::TiltedHistogram => {
                return Err(Error::setting(
                    "likelihood",
                    "'tilted-histogram'",
                    "it has one parameter, and a pixel's conditional many forms; choose categorical or \
                     logistic-mixture",
                ));
            }
            name if name.deviation(domain) == Deviation::Predicted => {
                Likelihood::choose(name, domain, &[])?
            }
            name => {
                return Err(Error::setting(
                    "likelihood",
                    format!("'{name}'"),
                    "a pixel's conditional has a variance of its own; choose gaussian",
                ));
            }
        };
        Ok(Common {
            classes: if values.conditional { data.classes } else { 0 },
            groups: Groups(channels),
            size: [height, width],
            domain,
            likelihood,
            settings: values,
        })
    }
}

/// The settings of a model on its data.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) settings: PixelValues,
    /// Classes of a conditional model, else 0.
    pub(crate) classes: usize,
    /// One for each channel.
    pub(crate) groups: Groups,
    /// Height and width.
    pub(crate) size: [usize; 2],
    pub(crate) domain: Domain,
    pub(crate) likelihood: Likelihood,
}

impl Common {
    /// Features between residual blocks: 2h.
    pub(crate) fn width(&self) -> usize {
        self.settings.hidden.saturating_mul(2)
    }

    /// Features of a pixel that the first layer reads.
    pub(crate) fn inputs(&self) -> usize {
        self.groups.0 * self.settings.inputs.width()
    }
}

/// The layers before the output layers.
pub(crate) trait Body: Module + ModuleDisplay + Send + Sync + 'static {
    fn init(common: &Common, init: &Init) -> Self;

    /// Images `[n, height, width, inputs]` to features.
    fn forward(&self, x: Tensor<4>, pass: &Pass) -> Tensor<4>;

    /// The same, one pixel at a time.
    fn pixelwise(&self, pixels: &Pixelwise) -> Box<dyn PixelBody>;

    /// Counts the layers.
    fn count(size: &mut PixelSize, common: &Common);

    /// The number of features.
    fn features(common: &Common) -> usize {
        common.width()
    }

    /// Columns outside of the image, to its right, that the layers process with it.
    const MARGIN: usize = 0;
}

/// The outputs from features: 1×1 convolutions with mask B, each after an activation.
#[derive(Module, Debug)]
pub(crate) struct Head {
    hidden: Vec<MaskedConv>,
    output: MaskedConv,
    #[module(skip)]
    activation: Activation,
}

impl Head {
    /// The hidden layers and the output layer.
    fn forms(common: &Common, features: usize) -> ([ConvForm; 2], ConvForm) {
        let layer = |from, to| ConvForm::one_by_one(from, to, common.groups);
        let outputs = common.likelihood.outputs().saturating_mul(common.groups.0);
        let hidden = [
            layer(features, common.settings.head),
            layer(common.settings.head, common.settings.head),
        ];
        (
            hidden.map(|form| form.with_activation(common.settings.activation)),
            layer(common.settings.head, outputs),
        )
    }

    fn init(common: &Common, features: usize, init: &Init) -> Self {
        let (hidden, output) = Self::forms(common, features);
        let hidden = hidden.into_iter().enumerate();
        Self {
            hidden: hidden
                .map(|(i, form)| MaskedConv::init(form, &format!("head.{i}"), init))
                .collect(),
            // Small, so that training starts near the marginals.
            output: MaskedConv::init(output, "output", init).scaled(0.1),
            activation: common.settings.activation.into(),
        }
    }

    fn forward(&self, x: Tensor<4>, pass: &Pass) -> Tensor<4> {
        let x = self.activation.forward(x);
        let x = self.hidden.iter().fold(x, |x, layer| layer.forward(x, pass));
        self.output.forward(x, pass)
    }
}

/// The weights of a model.
#[derive(Module, Debug)]
pub(crate) struct Network<B: Module + ModuleDisplay> {
    body: B,
    head: Head,
}

/// A model that draws images pixel after pixel.
pub(crate) struct PixelModel<B: Body> {
    common: Common,
    /// Entry numbers in the order in which they are drawn.
    order: Vec<usize>,
    core: Core<Network<B>>,
}

/// The entry of a model.
pub(crate) fn entry<C: PixelSettings, B: Body>(
    about: &'static str,
    paper: &'static str,
    presets: &'static [Preset],
    fields: fn() -> Vec<Field>,
) -> ModelEntry {
    ModelEntry {
        name: C::NAME,
        about,
        paper,
        tasks: &[Task::Density, Task::Sampling],
        capabilities: &[
            Capability::ExactDensity,
            Capability::Samples,
            Capability::ClassSamples,
            Capability::PrefixCompletion,
        ],
        validation: &["nll"],
        learning: Learning::GradientSteps,
        kinds: DISCRETE,
        size: |table, data| Ok(size_of::<B>(&C::from_table(table)?.common(data)?, data)),
        presets,
        fields,
        build: |table, data, init| {
            let config = C::from_table(table)?;
            let model = PixelModel::<B>::new(C::NAME, &config, data, init)?;
            Ok(Box::new(model) as Box<dyn Model>)
        },
        train: |_| Table::new(),
        complete: |_, _| {},
    }
}

fn size_of<B: Body>(common: &Common, data: &DataSpec) -> Size {
    let [height, width] = common.size;
    let area = height.saturating_mul(width.saturating_add(B::MARGIN));
    let mut size = PixelSize { size: SizeBuilder::new(data), area };
    if common.settings.inputs.frequencies > 0 {
        size.kept(common.inputs());
    }
    B::count(&mut size, common);
    if B::MARGIN > 0 {
        size.kept(B::features(common));
    }
    size.area = height.saturating_mul(width);
    let (hidden, output) = Head::forms(common, B::features(common));
    size.kept(B::features(common));
    hidden.iter().for_each(|form| size.conv(form));
    size.output_conv(&output);
    let entries = size.area.saturating_mul(common.groups.0);
    size.size.likelihood(&common.likelihood, entries);
    size.size.finish()
}

impl<B: Body> PixelModel<B> {
    /// A model with its initial weights.
    pub(crate) fn new<C: PixelSettings>(
        name: &'static str,
        config: &C,
        data: &DataSpec,
        init: &Init,
    ) -> Result<Self> {
        let common = config.common(data)?;
        let network = Network {
            body: B::init(&common, init),
            head: Head::init(&common, B::features(&common), init),
        };
        let pipeline = InputPipeline::new(name, data, common.domain, init);
        let order = OrderName::RgbRaster.entries(0, &data.shape);
        Ok(Self { common, order, core: Core::new(config.to_table(), pipeline, network) })
    }

    fn entries(&self) -> usize {
        self.order.len()
    }

    /// The classes of a batch as one-hot rows, for conditional models.
    fn classes(&self, labels: Option<&[u32]>) -> Result<Option<Tensor<2>>> {
        (self.common.classes > 0).then(|| self.core.pipeline.one_hot(labels)).transpose()
    }

    /// The outputs `[n, entries · outputs]` and the entries `[n, entries]`, both in the order in which
    /// they are drawn.
    fn scored(
        &self,
        network: &Network<B>,
        batch: &Batch,
        dropout: Option<Streams>,
    ) -> Result<(Tensor<2>, Tensor<2>)> {
        let x = self.ordered(batch)?;
        Ok((self.outputs(network, x.clone(), batch, dropout)?, x))
    }

    /// The entries `[n, entries]` in the order in which they are drawn.
    fn ordered(&self, batch: &Batch) -> Result<Tensor<2>> {
        let pipeline = &self.core.pipeline;
        pipeline.whole(batch)?;
        let values = order::permuted(&batch.values, &self.order);
        pipeline.entries(&values, batch.len())
    }

    /// The outputs `[n, entries · outputs]` from entries, both in the order in which they are drawn.
    fn outputs(
        &self,
        network: &Network<B>,
        x: Tensor<2>,
        batch: &Batch,
        dropout: Option<Streams>,
    ) -> Result<Tensor<2>> {
        let pipeline = &self.core.pipeline;
        let ([height, width], channels, n) = (self.common.size, self.common.groups.0, batch.len());
        let pass = Pass {
            classes: self.classes(batch.labels.as_deref())?,
            dropout: dropout.map(|streams| Dropout {
                rate: self.common.settings.dropout,
                batch,
                streams,
            }),
        };
        // From −1 to 1, so that black does not look like the zeros outside.
        let images = (pipeline.unit(x) * 2.0 - 1.0).reshape([n, height, width, channels]);
        let mut images = self.common.settings.inputs.of_images(images);
        if B::MARGIN > 0 {
            let outside = [n, height, B::MARGIN, self.common.inputs()];
            let outside = Tensor::zeros(outside, (&images.device(), images.dtype()));
            images = Tensor::cat(vec![images, outside], 2);
        }
        let mut features = network.body.forward(images, &pass);
        if B::MARGIN > 0 {
            features = features.narrow(2, 0, width);
        }
        let outputs = network.head.forward(features, &pass);
        Ok(outputs.reshape([n, self.entries() * self.common.likelihood.outputs()]))
    }

    /// Calls `of` with outputs and entries of some images of a batch at a time, and joins the results.
    fn in_parts(
        &self,
        batch: &Batch,
        of: impl Fn(&Likelihood, &[f32], &[f32]) -> Vec<f64>,
    ) -> Result<Vec<f64>> {
        let network = self.core.inference()?;
        let common = &self.common;
        let outputs = common.likelihood.outputs() * common.groups.0;
        // Gates are the widest features but for the outputs.
        let width =
            outputs.max(4 * common.settings.hidden).max(common.settings.head).max(common.inputs());
        let area = common.size[0] * (common.size[1] + B::MARGIN);
        let together = (SCORED / (area * width)).max(1);
        let mut all = Vec::new();
        for first in (0..batch.len()).step_by(together) {
            let part = part(batch, first..batch.len().min(first + together));
            let (outputs, x) = self.scored(&network, &part, None)?;
            all.extend(of(&common.likelihood, &Values::of(outputs), &Values::of(x)));
        }
        Ok(all)
    }

    fn log_probabilities(&self, batch: &Batch) -> Result<Vec<f64>> {
        let entries = self.entries();
        self.in_parts(batch, |likelihood, outputs, x| {
            likelihood.row_log_probabilities(outputs, x, entries)
        })
    }
}

/// Some examples of a batch.
fn part(batch: &Batch, examples: Range<usize>) -> Batch {
    let size = batch.values.len() / batch.len().max(1);
    let values = examples.start * size..examples.end * size;
    Batch {
        values: batch.values[values.clone()].to_vec(),
        missing: batch.missing.as_ref().map(|missing| missing[values].to_vec()),
        labels: batch.labels.as_ref().map(|labels| labels[examples.clone()].to_vec()),
        indices: batch.indices[examples].to_vec(),
        epoch: batch.epoch,
    }
}

impl<B: Body> NeuralModel for PixelModel<B> {
    type Network = Network<B>;

    fn core(&self) -> &Core<Network<B>> {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core<Network<B>> {
        &mut self.core
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities { density: Some(self), sampler: Some(self), ..Abilities::default() }
    }
}

impl<B: Body> Trainable for PixelModel<B> {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let batch = context.batches.next_batch();
        let streams = (self.common.settings.dropout > 0.0).then_some(context.streams);
        let (outputs, x) = self.scored(self.core.network()?, &batch, streams)?;
        let loss = self.common.likelihood.log_probability(outputs, x).mean().neg();
        Ok(vec![("loss", context.descend(loss, self.core.slot())?)])
    }

    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        Ok(Some(self.log_probabilities(batch)?.into_iter().map(|nats| -nats).collect()))
    }

    fn validation_name(&self) -> &'static str {
        "nll"
    }

    fn start(&mut self, examples: &Examples) -> Result<()> {
        let (_, means) = self.core.pipeline.fit(examples);
        let area = self.common.size[0] * self.common.size[1];
        // The same bias at every pixel.
        let means: Vec<f64> =
            means.chunks_exact(area).map(|means| means.iter().sum::<f64>() / area as f64).collect();
        let bias = self.common.likelihood.output_bias(&means);
        self.core.change(|network| Network {
            head: Head { output: network.head.output.with_bias(bias), ..network.head },
            ..network
        });
        Ok(())
    }
}

impl<B: Body> Density for PixelModel<B> {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn log_probability(&self, batch: &Batch, _options: DensityOptions) -> Result<LogProbability> {
        Ok(LogProbability { nats: self.log_probabilities(batch)?, monte_carlo: None })
    }

    fn column_terms(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let entries = self.entries();
        let terms = self.in_parts(batch, |likelihood, outputs, x| {
            likelihood.term_log_probabilities(outputs, x, entries)
        })?;
        Ok(Some(order::restored(&terms, &self.order)))
    }

    fn input_gradients(&self, batch: &Batch, column: usize) -> Result<Option<Vec<f64>>> {
        let x = self.ordered(batch)?;
        let tracked = x.clone().autodiff().require_grad();
        let outputs = self.outputs(self.core.network()?, tracked.clone(), batch, None)?;
        // The value of the column itself is not tracked.
        let terms = self.common.likelihood.entry_log_probability(outputs, x);
        let place = self.order.iter().position(|&entry| entry == column).unwrap_or(0);
        let gradients = terms.narrow(1, place, 1).sum().backward();
        let range = self.common.domain.max_level().map_or(1.0, f64::from);
        let found = match tracked.grad(&gradients) {
            Some(gradient) => to_f64(gradient).into_iter().map(|g| g * range).collect(),
            // The first entry sees nothing.
            None => vec![0.0; batch.values.len()],
        };
        Ok(Some(order::restored(&found, &self.order)))
    }
}

impl<B: Body> SequentialModel for PixelModel<B> {
    fn sampled(&self, request: &SampleRequest, observer: Option<Observer<'_>>) -> Result<Vec<f64>> {
        let ready = Ready { model: self, network: self.core.inference()?, class: request.class };
        sequential::sample_scaled(&ready, None, request, observer)
    }

    fn classes(&self) -> usize {
        self.common.classes
    }
}

/// A model that is ready for sampling.
struct Ready<'a, B: Body> {
    model: &'a PixelModel<B>,
    network: Network<B>,
    /// The requested class.
    class: Option<u32>,
}

impl<B: Body> AutoregressiveSampler for Ready<'_, B> {
    fn entries(&self) -> usize {
        self.model.entries()
    }

    fn likelihood(&self) -> &Likelihood {
        &self.model.common.likelihood
    }

    fn rows_at_once(&self, count: usize) -> usize {
        count.div_ceil(rayon::current_num_threads()).clamp(1, TOGETHER)
    }

    fn ordering(
        &self,
        _streams: Streams,
        _block: u64,
        given: &[bool],
    ) -> Result<Box<dyn Ordering + '_>> {
        let pipeline = &self.model.core.pipeline;
        sequential::prefix_only(pipeline.model, &self.model.order, given)?;
        Ok(Box::new(InOrder(self)))
    }
}

/// The model's only ordering.
struct InOrder<'a, B: Body>(&'a Ready<'a, B>);

impl<B: Body> Ordering for InOrder<'_, B> {
    fn order(&self) -> &[usize] {
        &self.0.model.order
    }

    fn begin(&self, numbers: &[u64]) -> Box<dyn SamplerState + '_> {
        let Ready { model, network, class } = self.0;
        let (common, pipeline) = (&model.common, &model.core.pipeline);
        // The requested class, or all in turn.
        let classes = common.classes;
        let labels: Vec<u32> = numbers
            .iter()
            .map(|number| class.unwrap_or_else(|| (number % classes.max(1) as u64) as u32))
            .collect();
        // Requests are checked, so that every class is one of the model's.
        let hot = (classes > 0).then(|| pipeline.one_hot(Some(&labels)).ok()).flatten();
        let [height, width] = common.size;
        let size = [height, width + B::MARGIN];
        let pixels = Pixelwise { size, images: numbers.len(), classes: hot };
        let head = &network.head;
        let square =
            super::conv::square(common.settings.first_kernel, common.settings.first_kernel);
        let features = B::features(common);
        Box::new(Cached {
            groups: common.groups,
            top: common.domain.max_level().map_or(1.0, |top| top as f32),
            outputs: common.likelihood.outputs(),
            image: pixels.map(&square, common.inputs()),
            inputs: common.settings.inputs,
            body: network.body.pixelwise(&pixels),
            features: pixels.single(features),
            width: features,
            activation: common.settings.activation,
            activated: vec![0.0; numbers.len() * features],
            hidden: head
                .hidden
                .iter()
                .map(|layer| (pixels.layer(layer), pixels.single(layer.form().to)))
                .collect(),
            out: vec![0.0; numbers.len() * head.output.form().to],
            output: pixels.layer(&head.output),
            size: common.size,
            margin: B::MARGIN,
            computed: None,
        })
    }
}

/// What is kept of the pixels of some images that are drawn together.
struct Cached {
    groups: Groups,
    size: [usize; 2],
    /// Columns outside of the image.
    margin: usize,
    /// The highest level.
    top: f32,
    outputs: usize,
    /// The features of the images' values, zeros outside.
    image: PixelMap,
    inputs: Inputs,
    body: Box<dyn PixelBody>,
    /// The features of the pixel, after an activation.
    features: PixelMap,
    width: usize,
    activation: FusedActivation,
    activated: Vec<f32>,
    hidden: Vec<(PixelLayer, PixelMap)>,
    output: PixelLayer,
    out: Vec<f32>,
    /// The last place whose features were computed.
    computed: Option<usize>,
}

impl Cached {
    /// The pixel and the channel at a place.
    fn at(&self, place: usize) -> ([usize; 2], usize) {
        let (pixel, channel) = (place / self.groups.0, place % self.groups.0);
        ([pixel / self.size[1], pixel % self.size[1]], channel)
    }

    /// Computes the features of a group at a pixel, up to the last before the outputs.
    fn compute(&mut self, place: usize) {
        let (at, group) = self.at(place);
        let own = self.groups.features(group, self.width);
        activate(self.activation, self.body.pixel(&self.image, at, group), &mut self.activated);
        let from = self.activated.chunks_exact(self.width);
        for (to, from) in self.features.pixel_mut([0, 0]).chunks_exact_mut(self.width).zip(from) {
            to[own.clone()].copy_from_slice(&from[own.clone()]);
        }
        let mut from = &self.features;
        for (layer, to) in &mut self.hidden {
            layer.pixel(from, [0, 0], group, to.pixel_mut([0, 0]));
            from = to;
        }
        self.computed = Some(place);
    }
}

impl SamplerState for Cached {
    fn outputs(&mut self, place: usize, out: &mut [f32]) {
        let (_, group) = self.at(place);
        self.compute(place);
        let last = self.hidden.last().map_or(&self.features, |(_, last)| last);
        self.output.pixel(last, [0, 0], group, &mut self.out);
        let rows = self.out.chunks_exact(self.outputs * self.groups.0);
        for (to, from) in out.chunks_exact_mut(self.outputs).zip(rows) {
            to.copy_from_slice(&from[group * self.outputs..][..self.outputs]);
        }
    }

    fn reveal(&mut self, place: usize, values: &[f32]) {
        // The features of given entries were not asked for.
        if self.computed != Some(place) {
            self.compute(place);
        }
        let (at, channel) = self.at(place);
        let (channels, top) = (self.groups.0, self.top);
        let width = self.inputs.width();
        let pixel = self.image.pixel_mut(at).chunks_exact_mut(channels * width);
        for (pixel, value) in pixel.zip(values) {
            self.inputs.of_value(value / top * 2.0 - 1.0, &mut pixel[channel * width..]);
        }
        let [row, column] = at;
        if channel + 1 == channels && column + 1 == self.size[1] {
            for outside in 0..self.margin {
                for group in 0..channels {
                    self.body.pixel(&self.image, [row, column + 1 + outside], group);
                }
            }
            self.body.row_end(row);
        }
    }
}
