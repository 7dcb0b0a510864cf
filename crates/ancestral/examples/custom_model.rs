//! A user-defined model in one file: RealNVP, trained on two half moons.
//!
//! RealNVP (Dinh, Sohl-Dickstein and Bengio 2017, arXiv:1605.08803) is a normalizing flow: an invertible
//! map z = f(x) from data to standard normal noise, with the exact log-probability
//!
//! log p(x) = log N(f(x); 0, I) + log |det ∂f/∂x|.
//!
//! f is a sequence of affine couplings. Each keeps every other column, and scales and shifts the rest by a
//! network of the kept ones: y = x · exp(s(kept)) + t(kept). The log determinant of its Jacobian is Σ s,
//! and its inverse is x = (y − t(kept)) · exp(−s(kept)); so a pass through f scores, and one back samples.
//!
//! Run it with `cargo run --release -p ancestral --example custom_model`.

use std::f64::consts::PI;
use std::sync::atomic::{AtomicBool, Ordering};

use ancestral::model::{
    Abilities, Capability, Core, DataSpec, DensityKind, DensityOptions, Init, KindName, Learning,
    LogProbability, Metrics, NeuralModel, SizeBuilder, StepContext, Task, Trainable, check_batch,
};
use ancestral::nn::{Activation, Dense, InputPipeline, to_f64};
use ancestral::prelude::*;
use ancestral::settings::Settings;
use ancestral::{Result, settings};
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use toml::Table;

/// The name of the model in the registry.
const NAME: &str = "realnvp";

settings! {
    /// Settings of the flow.
    pub struct RealNvpConfig {
        /// The number of affine couplings.
        pub couplings: usize = 6, in 1..=64;
        /// Hidden units of the network of each coupling.
        pub hidden: usize = 32, in 1..=4096;
    }
}

/// An affine coupling.
#[derive(Module, Debug)]
struct Coupling {
    /// `[columns, hidden]`.
    hidden: Dense,
    /// s and t: `[hidden, 2 columns]`.
    output: Dense,
    /// 0 if the even columns are kept, 1 if the odd ones.
    #[module(skip)]
    parity: usize,
}

impl Coupling {
    fn init(number: usize, columns: usize, width: usize, init: &Init) -> Self {
        let name = |layer| format!("coupling {number} {layer}");
        let hidden = Dense::init(columns, width, Activation::Tanh, &name("hidden"), init);
        let output = Dense::init(width, 2 * columns, Activation::Identity, &name("output"), init);
        Self { hidden, output, parity: number % 2 }
    }

    /// s, between −1 and 1, and t of rows `[batch, columns]`; both are 0 in the kept columns.
    fn scale_and_shift(&self, x: &Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        let columns = x.dims()[1];
        let kept = (0..columns).map(|column| if column % 2 == self.parity { 1.0 } else { 0.0 });
        let kept = TensorData::new(kept.collect::<Vec<f32>>(), [1, columns]);
        let kept: Tensor<2> = Tensor::from_data(kept, (&x.device(), x.dtype()));
        let output = self.output.forward(self.hidden.forward(x.clone() * kept.clone()));
        let (scale, shift) =
            (output.clone().narrow(1, 0, columns), output.narrow(1, columns, columns));
        let others = kept.neg() + 1.0;
        (scale.tanh() * others.clone(), shift * others)
    }
}

/// RealNVP; its network is the couplings, from data to noise.
struct RealNvp {
    core: Core<Vec<Coupling>>,
}

impl RealNvp {
    fn new(settings: &Table, data: &DataSpec, init: &Init) -> Result<Self> {
        let config = RealNvpConfig::from_table(settings)?;
        let domain = data.one_domain(NAME, &[KindName::Real])?;
        let coupling = |number| Coupling::init(number, data.size(), config.hidden, init);
        let flow = (0..config.couplings).map(coupling).collect();
        let pipeline = InputPipeline::new(NAME, data, domain, init);
        Ok(Self { core: Core::new(config.to_table(), pipeline, flow) })
    }

    /// log p(x) of each example: `[batch, 1]`.
    fn log_density(&self, flow: &[Coupling], batch: &Batch) -> Result<Tensor<2>> {
        check_batch(self, batch)?;
        let mut z = self.core.pipeline.entries(&batch.values, batch.len())?;
        let mut log_det = z.zeros_like().sum_dim(1);
        for coupling in flow {
            let (scale, shift) = coupling.scale_and_shift(&z);
            z = z * scale.clone().exp() + shift;
            log_det = log_det + scale.sum_dim(1);
        }
        Ok(log_det - ((z.square() + (2.0 * PI).ln()) * 0.5).sum_dim(1))
    }
}

impl NeuralModel for RealNvp {
    type Network = Vec<Coupling>;

    fn core(&self) -> &Core<Vec<Coupling>> {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core<Vec<Coupling>> {
        &mut self.core
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities { density: Some(self), sampler: Some(self), ..Abilities::default() }
    }
}

impl Trainable for RealNvp {
    fn step(&mut self, context: &mut StepContext<'_>) -> Result<Metrics> {
        let batch = context.batches.next_batch();
        let loss = self.log_density(self.core.network()?, &batch)?.mean().neg();
        Ok(vec![("loss", context.descend(loss, self.core.slot())?)])
    }

    fn validation(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let nats = to_f64(self.log_density(&self.core.inference()?, batch)?);
        Ok(Some(nats.into_iter().map(|nats| -nats).collect()))
    }

    fn validation_name(&self) -> &'static str {
        "nll"
    }
}

impl Density for RealNvp {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        let nats = to_f64(self.log_density(&self.core.inference()?, batch)?);
        Ok(LogProbability { nats, monte_carlo: None })
    }
}

impl Sampler for RealNvp {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let (flow, pipeline) = (self.core.inference()?, &self.core.pipeline);
        let columns = pipeline.data.size();
        let numbers: Vec<u64> = (request.first..).take(request.count).collect();
        let noise = request.streams.purpose("noise of the flow", 0).normals(&numbers, columns);
        let mut x = pipeline.tensor(noise, columns) * request.temperature;
        for coupling in flow.iter().rev() {
            let (scale, shift) = coupling.scale_and_shift(&x);
            x = (x - shift) * scale.neg().exp();
        }
        Ok(to_f64(x))
    }

    /// A sample is a function of the noise, without a distribution around it.
    fn has_noise(&self) -> bool {
        false
    }
}

/// The entry of the registry.
fn entry() -> ModelEntry {
    ModelEntry {
        name: NAME,
        about: "RealNVP: a normalizing flow of affine couplings",
        paper: "Dinh, Sohl-Dickstein and Bengio 2017, Density estimation using Real NVP",
        tasks: &[Task::Density, Task::Sampling],
        capabilities: &[Capability::ExactDensity, Capability::Samples],
        validation: &["nll"],
        learning: Learning::GradientSteps,
        kinds: &[KindName::Real],
        presets: &[],
        fields: RealNvpConfig::fields,
        size: |settings, data| {
            let config = RealNvpConfig::from_table(settings)?;
            let mut size = SizeBuilder::new(data);
            for _ in 0..config.couplings {
                let hidden = size.dense(data.size(), config.hidden);
                size.dense(hidden, 2 * data.size());
            }
            Ok(size.finish())
        },
        build: |settings, data, init| Ok(Box::new(RealNvp::new(settings, data, init)?)),
        train: |_| Table::new(),
        complete: |_, _| {},
    }
}

/// Interrupts a run, as Ctrl-C or a time limit would.
struct StopAt<'a>(u64, &'a AtomicBool);

impl Observer for StopAt<'_> {
    fn event(&mut self, event: &Event) -> Result<()> {
        if let Event::Step(progress) = event {
            self.1.store(progress.step == self.0, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::standard().with(entry());
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("moons");
    let train = TrainConfig { epochs: 10, learning_rate: 3e-3, ..TrainConfig::default() };
    let spec = RunSpec::named(NAME, "moons").training(&train).out(&path);

    let stop = AtomicBool::new(false);
    let mut observer = StopAt(437, &stop);
    let session = Session::new().with_registry(registry.clone());
    let stopped = session.with_observer(&mut observer).with_stop_flag(&stop).train(&spec)?.outcome;
    println!("stopped after {} steps ({:?})", stopped.step, stopped.reason);

    let mut session = Session::new().with_registry(registry);
    let resumed = session.resume(&path, None, false)?;
    println!("resumed to {} steps ({:?})", resumed.outcome.step, resumed.outcome.reason);
    if let Some(test) = resumed.test {
        println!("test: −log p(x) = {:.3} ± {:.3} nats", test.nll_nats, test.nll_stderr);
    }

    let run = session.load(&path, Weights::Best)?;
    println!("samples of {}:", run.model().name());
    run.sample(5, 0)?.chunks_exact(2).for_each(|point| println!("  {point:.3?}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ancestral::testing::{Case, check_all, small_data};
    use ancestral_data::{Domain, Shape};

    #[test]
    fn the_flow_passes_the_conformance_suite() {
        let case = |settings: &str, columns| {
            let data = small_data(Domain::Real, Shape::columns(columns)).unwrap();
            Case::new(NAME, settings.parse().unwrap(), data)
        };
        // In two columns the density is integrated, too.
        let cases = [case("couplings = 2\nhidden = 5", 2), case("couplings = 3\nhidden = 4", 5)];
        check_all(&Registry::standard().with(entry()), &cases).unwrap_or_else(|e| panic!("{e}"));
    }
}
