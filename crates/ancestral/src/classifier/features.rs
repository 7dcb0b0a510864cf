//! A small convolutional classifier, the feature extractor for metrics of sample quality such as the
//! Fréchet distance (Salimans et al. 2016, arXiv:1606.03498; Heusel et al. 2017, arXiv:1706.08500).
//!
//! The papers use Inception, trained on ImageNet; this network is trained on the classes of the data
//! itself.
//! A metric is comparable only with values on the same weights, and is named after them wherever it is
//! printed.
//!
//! An example in [0, 1] (real data: standardized) passes through convolutions with stride 2, then a
//! dense layer, whose outputs are the features, then a linear map to the logits of the classes.
//! The loss is the cross-entropy −log p(class | example) in nats, which also selects checkpoints.
//! Without convolutions it takes tables as well as images.

use ancestral_data::{Batch, Domain, Examples};
use burn::module::Module;
use burn::tensor::{Tensor, activation};

use crate::model::{
    Abilities, Capability, Classified, Classifier, Core, DataSpec, Init, KindName, Learning,
    Metrics, ModelConfig, ModelEntry, NeuralModel, Preset, Size, SizeBuilder, StepContext, Task,
    Trainable, product,
};
use crate::nn::{
    Activation, Dense, DownConv, HiddenActivation, InputPipeline, KERNEL, PrecisionName, Scale,
    dropout, rows, to_f64,
};
use crate::settings::Settings;
use crate::{Error, Result, settings};

/// The kinds of columns it takes.
const KINDS: &[KindName] = &[KindName::Binary, KindName::Levels, KindName::Real];

/// Examples per pass where no gradient is needed.
const AT_ONCE: usize = 250;

settings! {
    /// Settings of the classifier.
    pub struct FeaturesConfig {
        /// Channels of each convolution, with stride 2; empty for a dense network, which takes tables
        /// too.
        pub channels: Vec<usize> = vec![32, 64], in 1..;
        /// Number of features: units of the last hidden layer.
        pub dim: usize = 128, in 1..;
        /// Activation of the hidden layers.
        pub activation: HiddenActivation = HiddenActivation::Relu;
        /// Dropout rate of the features and of their layer's inputs; 0 for none.
        pub dropout: f64 = 0.3, in 0.0..1.0;
        /// Precision of the products of dense layers and of convolutions, in training and after it; below
        /// f32 only where the processor multiplies bfloat16 faster, as `ancestral env` says.
        pub precision: PrecisionName = PrecisionName::F32;
    }
}

/// The entry of `features`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "features",
        about: "a small convolutional classifier, the feature extractor for metrics of sample quality",
        paper: "Salimans et al. 2016, arXiv:1606.03498",
        tasks: &[Task::Classification, Task::Representation],
        capabilities: &[Capability::Features, Capability::Classes],
        validation: &["class_nll"],
        learning: Learning::GradientSteps,
        kinds: KINDS,
        size: |table, data| FeaturesConfig::from_table(table)?.size(data),
        presets: &[Preset {
            name: "28x28",
            about: "training settings of zoo/features-mnist, for 28×28 images",
            settings: PRESET,
        }],
        fields: FeaturesConfig::fields,
        train: |_| toml::Table::new(),
        complete: |_, _| {},
        build: |table, data, init| {
            Ok(Box::new(FeaturesConfig::from_table(table)?.init(data, init)?))
        },
    }
}

const PRESET: &str = "[train]\nepochs = 12\nbatch_size = 100\nlearning_rate = 2e-3\n\
                      optimizer = \"adamw\"\nweight_decay = 1e-2\nschedule = \"cosine\"\n\
                      average_decay = 0.998\n";

impl ModelConfig for FeaturesConfig {
    fn model_name(&self) -> &'static str {
        "features"
    }
}

impl FeaturesConfig {
    /// A model with its initial weights, sized by the data.
    ///
    /// # Errors
    /// If a setting is out of range, the data has no classes, or the images are too small.
    pub fn init(&self, data: &DataSpec, init: &Init) -> Result<Features> {
        let init = &init.with_precision(self.precision);
        let (domain, flat) = self.check(data)?;
        let activation = Activation::from(self.activation);
        let mut from = data.shape.as_image().map_or(0, |[channels, ..]| channels);
        let mut image = Vec::new();
        for (i, &channels) in self.channels.iter().enumerate() {
            image.push(DownConv::init(from, channels, activation, &format!("image.{i}"), init));
            from = channels;
        }
        let network = Network {
            image,
            features: Dense::init(flat, self.dim, activation, "features", init),
            classes: Dense::init(self.dim, data.classes, Activation::Identity, "classes", init),
            scale: Scale::init(domain, data, init),
        };
        let pipeline = InputPipeline::new("features", data, domain, init);
        Ok(Features { config: self.clone(), core: Core::new(self.to_table(), pipeline, network) })
    }

    /// The size of a model with these settings.
    fn size(&self, data: &DataSpec) -> Result<Size> {
        let (domain, flat) = self.check(data)?;
        let mut size = SizeBuilder::new(data);
        let [mut from, mut height, mut width] = data.shape.as_image().unwrap_or_default();
        for &to in &self.channels {
            (height, width) = (height / 2, width / 2);
            let maps = size.convolution(from, to, KERNEL, product(&[height, width]));
            size.activation(maps);
            from = to;
        }
        size.dense(flat, self.dim);
        size.dense(self.dim, data.classes);
        size.scale(data, domain);
        // Dropout masks and results, log-probabilities of the classes, and labels.
        let dropped = (flat as u64).saturating_add(self.dim as u64).saturating_mul(2);
        size.kept(if self.dropout > 0.0 { dropped } else { 0 });
        size.kept((data.classes as u64).saturating_mul(4));
        Ok(size.finish())
    }

    /// Refuses what is out of range or does not suit the data; returns the number of inputs of the
    /// dense layer.
    fn check(&self, data: &DataSpec) -> Result<(Domain, usize)> {
        if data.classes < 2 {
            return Err(Error::UnsuitableData {
                model: "features".to_owned(),
                problem: format!(
                    "it is a classifier and this data has {}; train it on labeled \
                     data of the same kind",
                    match data.classes {
                        0 => "no labels".to_owned(),
                        n => format!("{n} class"),
                    }
                ),
            });
        }
        self.check_values()?;
        Ok((data.one_domain("features", KINDS)?, self.flat(data)?))
    }

    /// The number of inputs of the dense layer.
    fn flat(&self, data: &DataSpec) -> Result<usize> {
        let problem =
            |what: String| Error::setting("channels", format!("{:?}", self.channels), what);
        let Some(&last) = self.channels.last() else { return Ok(product(data.shape.dims())) };
        let Some([_, height, width]) = data.shape.as_image() else {
            return Err(problem(format!(
                "convolutions need images and an example of this data is {}; set channels=[]",
                data.shape
            )));
        };
        let side = |side: usize| side >> self.channels.len().min(63);
        if side(height.min(width)) == 0 {
            return Err(problem(format!(
                "each layer halves the image, and {height}×{width} pixels can be halved {} times",
                height.min(width).max(1).ilog2()
            )));
        }
        Ok(product(&[last, side(height), side(width)]))
    }
}

/// The weights of a classifier.
#[derive(Module, Debug)]
pub struct Network {
    image: Vec<DownConv>,
    /// The layer whose outputs are the features.
    features: Dense,
    /// From the features to the logits.
    classes: Dense,
    /// For real data.
    scale: Option<Scale>,
}

/// A classifier.
pub struct Features {
    config: FeaturesConfig,
    core: Core<Network>,
}

impl Features {
    /// Entries in [0, 1], or standardized real data.
    fn entries(&self, network: &Network, batch: &Batch) -> Result<Tensor<2>> {
        Ok(self.core.pipeline.unit(self.core.pipeline.observed(network.scale.as_ref(), batch)?))
    }

    /// `[rows, size]` to the inputs of the dense layer, `[rows, flat]`.
    fn image(&self, network: &Network, x: Tensor<2>) -> Tensor<2> {
        let Some([c, h, w]) = self.core.pipeline.data.shape.as_image() else { return x };
        if network.image.is_empty() {
            return x;
        }
        let rows = x.dims()[0];
        let x = x.reshape([rows, c, h, w]);
        network.image.iter().fold(x, |x, layer| layer.forward(x)).flatten(1, 3)
    }

    /// −log p(class | example) of each example, in nats.
    fn loss(&self, logits: Tensor<2>, batch: &Batch) -> Result<Tensor<1>> {
        if batch.labels.is_none() {
            let problem = "it is a classifier and these examples have no labels";
            return Err(self.core.pipeline.unsuitable(problem.to_owned()));
        }
        let hot = self.core.pipeline.one_hot(batch.labels.as_deref())?;
        Ok((activation::log_softmax(logits, 1) * hot).sum_dim(1).squeeze_dim::<1>(1).neg())
    }
}

impl NeuralModel for Features {
    type Network = Network;

    fn core(&self) -> &Core<Network> {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core<Network> {
        &mut self.core
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities { classifier: Some(self), ..Abilities::default() }
    }
}

impl Trainable for Features {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let batch = context.batches.next_batch();
        let network = self.core.network()?;
        let x = self.image(network, self.entries(network, &batch)?);
        let x = dropout(x, self.config.dropout, "inputs", &batch, context.streams);
        let features = network.features.forward(x);
        let features = dropout(features, self.config.dropout, "features", &batch, context.streams);
        let loss = self.loss(network.classes.forward(features), &batch)?.mean();
        Ok(vec![("loss", context.descend(loss, self.core.slot())?)])
    }

    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let network = self.core.inference()?;
        let x = self.image(&network, self.entries(&network, batch)?);
        let logits = network.classes.forward(network.features.forward(x));
        Ok(Some(to_f64(self.loss(logits, batch)?)))
    }

    fn validation_name(&self) -> &'static str {
        "class_nll"
    }

    fn start(&mut self, examples: &Examples) -> Result<()> {
        let (scale, _) = self.core.pipeline.fit(examples);
        self.core.change(|network| Network { scale: scale.or(network.scale), ..network });
        Ok(())
    }
}

impl Classifier for Features {
    fn feature_dim(&self) -> usize {
        self.config.dim
    }

    fn classify(&self, values: &[f64]) -> Result<Classified> {
        let network = self.core.inference()?;
        let size = self.core.pipeline.data.shape.size();
        if !values.len().is_multiple_of(size) {
            return Err(self.core.pipeline.unsuitable(format!(
                "{} entries were given, which is not a whole number of examples of {size} ({})",
                values.len(),
                self.core.pipeline.data.shape
            )));
        }
        let mut found = Classified::default();
        for part in values.chunks(AT_ONCE * size) {
            let batch = Batch::of(part.to_vec(), part.len() / size);
            let x = self.image(&network, self.entries(&network, &batch)?);
            let features = network.features.forward(x);
            found.features.extend(rows(features.clone()));
            let logits = to_f64(network.classes.forward(features));
            found.probabilities.extend(softmax(&logits, self.core.pipeline.data.classes));
        }
        Ok(found)
    }
}

/// Probabilities from the logits of each row.
fn softmax(logits: &[f64], classes: usize) -> Vec<f64> {
    let row = |row: &[f64]| {
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let terms: Vec<f64> = row.iter().map(|l| (l - top).exp()).collect();
        let sum: f64 = terms.iter().sum();
        terms.into_iter().map(move |t| t / sum)
    };
    logits.chunks_exact(classes).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use ancestral_data::{Domain, Shape};
    use ancestral_kernels::Precision;

    use super::*;
    use crate::nn::assert_precision;

    #[test]
    fn every_layer_has_the_precision() {
        let spec = DataSpec::new(Domain::Binary, Shape::image(1, 8, 8), 3);
        let init = Init::new(&crate::spec::cpu(), 1);
        for channels in ["[]", "[4]"] {
            let text = format!("channels = {channels}\nprecision = 'bf16x3'");
            let config = FeaturesConfig::from_table(&text.parse().unwrap()).unwrap();
            let model = config.init(&spec, &init).unwrap();
            assert_precision(&model.core.inference().unwrap(), Precision::Bf16x3);
        }
    }
}
