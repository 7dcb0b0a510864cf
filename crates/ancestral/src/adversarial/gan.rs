//! Generative adversarial network: Goodfellow et al. 2014 (arXiv:1406.2661), with perceptrons for
//! rows of reals.
//!
//! The generator maps z ~ N(0, I) to an example; the critic gives the logit of "this is data".
//! - critic: minimise −E log σ(D(x)) − E log(1 − σ(D(G(z)))), their equation 1;
//! - generator: minimise −E log σ(D(G(z))), the non-saturating form of their section 3.
//!
//! There is no density: nothing here gives the probability of an example.
//! One step is `critic_steps` updates of the critic and one of the generator.

use ancestral_data::{Batch, Domain, Examples, Streams};
use ancestral_kernels as kernels;
use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use toml::Table;

use crate::model::{
    DataSpec, Init, Metrics, Model, ModelEntry, NamedTensors, SampleRequest, Sampler, Trainable,
};
use crate::nn::{Activation, Dense, Mlp, load_module, module_tensors, rows, to_f64};
use crate::settings::Settings;
use crate::train::StepContext;
use crate::{Error, Result, settings};

settings! {
    /// Settings of the adversarial network.
    pub struct GanConfig {
        /// Size of the noise that the generator starts from.
        pub latent_dim: usize = 2,
        /// Hidden layers of the generator.
        pub generator_hidden: Vec<usize> = vec![64, 64],
        /// Hidden layers of the critic.
        pub critic_hidden: Vec<usize> = vec![64, 64],
        /// What follows hidden layers: tanh, relu, leaky-relu or softplus.
        pub activation: String = "leaky-relu".to_owned(),
        /// Updates of the critic before each of the generator.
        pub critic_steps: usize = 1,
    }
}

/// The list entry of `gan`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "gan",
        about: "a generator trained against a critic, for rows of reals",
        paper: "Goodfellow et al. 2014, arXiv:1406.2661",
        can: &["samples"],
        presets: &[],
        fields: GanConfig::fields,
        build: |table, data, init| Ok(Box::new(GanConfig::from_table(table)?.init(data, init)?)),
    }
}

impl GanConfig {
    /// A model with its first weights, sized by the data.
    ///
    /// # Errors
    /// If a setting is out of range or the data is not rows of reals.
    pub fn init(&self, data: &DataSpec, init: &Init) -> Result<Gan> {
        if data.domain != Domain::Real {
            return Err(Error::UnsuitableData {
                model: "gan".to_owned(),
                problem: format!("it needs rows of reals and this data has {}", data.domain),
            });
        }
        for (field, value) in [("latent_dim", self.latent_dim), ("critic_steps", self.critic_steps)]
        {
            if value == 0 {
                return Err(Error::setting(field, 0, "it must be 1 or more"));
            }
        }
        for (field, sizes) in
            [("generator_hidden", &self.generator_hidden), ("critic_hidden", &self.critic_hidden)]
        {
            if sizes.contains(&0) {
                return Err(Error::setting(
                    field,
                    format!("{sizes:?}"),
                    "each size must be 1 or more",
                ));
            }
        }
        let activation = Activation::parse("activation", &self.activation)?;
        let size = data.shape.size();
        let network = |name: &str, from: usize, hidden: &[usize], to: usize| Perceptron {
            hidden: Mlp::init(from, hidden, activation, name, init),
            output: Dense::init(
                hidden.last().copied().unwrap_or(from),
                to,
                Activation::Identity,
                &format!("{name}.output"),
                init,
            ),
        };
        let frozen = |value: f32| {
            let data = TensorData::new(vec![value; size], [size]);
            Param::from_tensor(Tensor::from_data(data, (&init.device, init.dtype)))
                .set_require_grad(false)
        };
        Ok(Gan {
            config: self.clone(),
            data: data.clone(),
            dtype: init.dtype,
            device: init.device.clone(),
            generator: Some(Generator {
                network: network("generator", self.latent_dim, &self.generator_hidden, size),
                mean: frozen(0.0),
                std: frozen(1.0),
            }),
            critic: Some(network("critic", size, &self.critic_hidden, 1)),
        })
    }
}

#[derive(Module, Debug)]
struct Perceptron {
    hidden: Mlp,
    output: Dense,
}

impl Perceptron {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.hidden.forward(x))
    }
}

/// The generator and the scale of the data, which it needs to speak in the data's units.
#[derive(Module, Debug)]
struct Generator {
    network: Perceptron,
    /// Mean of each column `[size]`.
    mean: Param<Tensor<1>>,
    /// Standard deviation of each column `[size]`.
    std: Param<Tensor<1>>,
}

/// A generator and its critic.
pub struct Gan {
    config: GanConfig,
    data: DataSpec,
    dtype: DType,
    device: Device,
    /// Taken out only while the optimiser holds it.
    generator: Option<Generator>,
    /// Taken out only while the optimiser holds it.
    critic: Option<Perceptron>,
}

impl Gan {
    fn parts(&self) -> Result<(&Generator, &Perceptron)> {
        match (&self.generator, &self.critic) {
            (Some(generator), Some(critic)) => Ok((generator, critic)),
            _ => Err(Error::weights_lost("gan")),
        }
    }

    fn tensor(&self, values: Vec<f32>, width: usize) -> Tensor<2> {
        let rows = values.len() / width.max(1);
        Tensor::from_data(TensorData::new(values, [rows, width]), (&self.device, self.dtype))
    }

    /// A batch on the generator's own scale.
    fn real(&self, generator: &Generator, batch: &Batch) -> Tensor<2> {
        let x = self.tensor(batch.values.clone(), self.data.shape.size());
        (x - generator.mean.val().unsqueeze()) / generator.std.val().unsqueeze()
    }

    /// One z for each example of a batch: the pairing makes a draw depend on the example and the
    /// epoch alone.
    fn noise(&self, streams: Streams, purpose: &str, batch: &Batch) -> Tensor<2> {
        let purpose = streams.purpose(purpose, batch.epoch);
        let dims = self.config.latent_dim;
        self.tensor(purpose.normals(&batch.indices, dims), dims)
    }
}

fn mean(values: Tensor<2>) -> Tensor<1> {
    values.mean()
}

fn scalar(x: &Tensor<1>) -> f64 {
    to_f64(x.clone()).first().copied().unwrap_or(f64::NAN)
}

impl Model for Gan {
    fn name(&self) -> &'static str {
        "gan"
    }

    fn settings(&self) -> Table {
        self.config.to_table()
    }

    fn data(&self) -> &DataSpec {
        &self.data
    }

    fn tensors(&self) -> NamedTensors {
        let Ok((generator, critic)) = self.parts() else { return Vec::new() };
        let mut tensors = module_tensors("generator", generator);
        tensors.extend(module_tensors("critic", critic));
        tensors
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        let (generator, critic) = self.parts()?;
        let generator = load_module("generator", generator.clone(), tensors)?;
        let critic = load_module("critic", critic.clone(), tensors)?;
        (self.generator, self.critic) = (Some(generator), Some(critic));
        Ok(())
    }

    fn sampler(&self) -> Option<&dyn Sampler> {
        Some(self)
    }

    fn trainable(&mut self) -> Option<&mut dyn Trainable> {
        Some(self)
    }
}

impl Trainable for Gan {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let mut critic_loss = 0.0;
        for _ in 0..self.config.critic_steps {
            let batch = context.feed.next_batch();
            let (generator, critic) = self.parts()?;
            let real = critic.forward(self.real(generator, &batch));
            let noise = self.noise(context.streams, "critic noise", &batch);
            // The critic's update leaves the generator out of the graph.
            let fake = generator.network.forward(noise).detach();
            let fake = critic.forward(fake);
            let loss = mean(kernels::softplus(real.neg())) + mean(kernels::softplus(fake));
            critic_loss += scalar(&loss) / self.config.critic_steps as f64;
            let grads = loss.backward();
            drop(loss);
            context.optimisers.update("critic", &mut self.critic, grads)?;
        }
        let batch = context.feed.next_batch();
        let (generator, critic) = self.parts()?;
        let noise = self.noise(context.streams, "generator noise", &batch);
        let fake = critic.forward(generator.network.forward(noise));
        let loss = mean(kernels::softplus(fake.neg()));
        let generator_loss = scalar(&loss);
        let grads = loss.backward();
        drop(loss);
        context.optimisers.update("generator", &mut self.generator, grads)?;
        Ok(vec![("loss", generator_loss), ("critic_loss", critic_loss)])
    }

    fn validation(&self, _batch: &Batch) -> Result<Option<Vec<f64>>> {
        Ok(None)
    }

    fn start(&mut self, examples: &Examples) -> Result<()> {
        let size = self.data.shape.size();
        let indices: Vec<u64> = (0..examples.len() as u64).collect();
        let values = examples.batch(&indices, 0).values;
        let n = examples.len() as f64;
        let moment = |i: usize, about: f64, power: i32| {
            values
                .iter()
                .skip(i)
                .step_by(size)
                .map(|&x| (f64::from(x) - about).powi(power))
                .sum::<f64>()
                / n
        };
        let means: Vec<f64> = (0..size).map(|i| moment(i, 0.0, 1)).collect();
        let stds = means.iter().enumerate().map(|(i, &m)| {
            let std = moment(i, m, 2).sqrt();
            // A constant column keeps its scale: it has no spread to divide by.
            if std > 1e-6 * m.abs().max(1e-6) { std as f32 } else { 1.0 }
        });
        let stds: Vec<f32> = stds.collect();
        let means: Vec<f32> = means.iter().map(|&m| m as f32).collect();
        let mut tensors = self.tensors();
        for (name, data) in &mut tensors {
            match name.as_str() {
                "generator.mean" => *data = TensorData::new(means.clone(), [size]),
                "generator.std" => *data = TensorData::new(stds.clone(), [size]),
                _ => {}
            }
        }
        self.load(&tensors)
    }
}

impl Sampler for Gan {
    fn sample(&self, request: &SampleRequest) -> Result<Vec<f32>> {
        if request.class.is_some() {
            return Err(Error::Unsupported {
                model: "gan".to_owned(),
                problem: "knows no classes; leave --class out".to_owned(),
            });
        }
        let generator = self.parts()?.0.valid();
        let indices: Vec<u64> = (request.first..request.first + request.count as u64).collect();
        let dims = self.config.latent_dim;
        let mut z = request.streams.purpose("sample code", 0).normals(&indices, dims);
        z.iter_mut().for_each(|e| *e *= request.temperature as f32);
        let x = generator.network.forward(self.tensor(z, dims));
        Ok(rows(x * generator.std.val().unsqueeze() + generator.mean.val().unsqueeze()))
    }
}
