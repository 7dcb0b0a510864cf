//! Optimisers whose state is kept by parameter path, so that it can be saved and found again.
//!
//! | name | update (PyTorch's definitions) |
//! |---|---|
//! | `adam` | Kingma and Ba 2015, weight decay off |
//! | `adamw` | Adam with decoupled weight decay (Loshchilov and Hutter 2019) |
//! | `rmsprop` | v ← α v + (1 − α) g², θ ← θ − η g / (√v + ε) |
//! | `adagrad` | v ← v + g², θ ← θ − η g / (√v + ε) (Duchi et al. 2011) |
//! | `adadelta` | v ← ρ v + (1 − ρ) g², d = √(u + ε) / √(v + ε) · g, u ← ρ u + (1 − ρ) d², θ ← θ − η d, with ρ = `beta2` (Zeiler 2012) |
//! | `sgd` | m ← μ m + g, θ ← θ − η m; with `nesterov`, θ ← θ − η (g + μ m) |

use std::collections::BTreeMap;

use ancestral_kernels::optim::{self, AdadeltaStep, AdagradStep, AdamStep, RmsPropStep, SgdStep};
use burn::backend::Flex;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Gradients, Tensor, TensorData};

use super::TrainConfig;
use crate::model::NamedTensors;
use crate::{Error, Result};

/// Which update rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Adam,
    RmsProp,
    Adagrad,
    Adadelta,
    Sgd,
}

/// The running moments of one parameter.
#[derive(Debug, Clone, Default)]
struct Moments {
    /// Of the gradient; of the squared update for Adadelta.
    first: Vec<f32>,
    /// Of the squared gradient.
    second: Vec<f32>,
    average: Vec<f32>,
}

/// The state of one part of a model.
#[derive(Debug, Clone, Default)]
struct Part {
    updates: u64,
    /// By tensor name.
    moments: BTreeMap<String, Moments>,
}

/// The optimisers of a model, one for each of its parts.
#[derive(Debug)]
pub struct Optimisers {
    rule: Rule,
    config: TrainConfig,
    learning_rate: f64,
    step: u64,
    parts: BTreeMap<String, Part>,
    recording: Option<NamedTensors>,
    gradient_norm: f64,
}

impl Optimisers {
    /// Fresh optimisers.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn new(config: &TrainConfig) -> Result<Self> {
        let rule = match config.optimiser.as_str() {
            "adam" | "adamw" => Rule::Adam,
            "rmsprop" => Rule::RmsProp,
            "adagrad" => Rule::Adagrad,
            "adadelta" => {
                if config.epsilon == 0.0 {
                    return Err(Error::setting(
                        "epsilon",
                        config.epsilon,
                        "it must be above 0 for adadelta, which never moves without it",
                    ));
                }
                Rule::Adadelta
            }
            "sgd" => Rule::Sgd,
            other => {
                return Err(Error::setting(
                    "optimiser",
                    format!("'{other}'"),
                    "choose adam, adamw, rmsprop, adagrad, adadelta or sgd",
                ));
            }
        };
        Ok(Self {
            rule,
            config: config.clone(),
            learning_rate: config.learning_rate,
            step: 0,
            parts: BTreeMap::new(),
            recording: None,
            gradient_norm: 0.0,
        })
    }

    /// Optimisers that leave every weight as it is and keep the gradients instead, for checks.
    ///
    /// # Errors
    /// As [`Optimisers::new`].
    pub fn recording(config: &TrainConfig) -> Result<Self> {
        Ok(Self { recording: Some(Vec::new()), ..Self::new(config)? })
    }

    /// The gradients that were recorded, by tensor name.
    pub fn into_gradients(self) -> NamedTensors {
        self.recording.unwrap_or_default()
    }

    /// Sets the rate and the number of the step to come, from 1.
    pub(crate) fn begin_step(&mut self, step: u64, learning_rate: f64) {
        self.step = step;
        self.learning_rate = learning_rate;
        self.gradient_norm = 0.0;
    }

    /// The largest gradient norm of a part in this step, before clipping.
    pub fn gradient_norm(&self) -> f64 {
        self.gradient_norm
    }

    /// The step to come or under way, from 1.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Updates the part `part` of a model.
    ///
    /// The module is taken out of its slot while it changes: a second handle on its tensors
    /// would force a copy of each.
    ///
    /// # Errors
    /// If a gradient is not finite, naming the tensor; the module is then unchanged.
    pub fn update<M: Module>(
        &mut self,
        part: &str,
        slot: &mut Option<M>,
        grads: Gradients,
    ) -> Result<()> {
        self.update_at(part, slot, grads, 1.0)
    }

    /// The same at `rate` times the learning rate.
    ///
    /// # Errors
    /// As [`Optimisers::update`].
    pub fn update_at<M: Module>(
        &mut self,
        part: &str,
        slot: &mut Option<M>,
        grads: Gradients,
        rate: f64,
    ) -> Result<()> {
        let Some(module) = slot.as_ref() else { return Ok(()) };
        let mut collect = Collect { path: vec![part.to_owned()], grads, found: Vec::new() };
        module.visit(&mut collect);
        // Whatever is left of the graph goes now, so that the weights have one owner.
        let Collect { found, grads, .. } = collect;
        drop(grads);

        if let Some(recording) = &mut self.recording {
            recording.extend(found.into_iter().map(|grad| (grad.name, grad.data)));
            return Ok(());
        }

        let mut total = 0.0;
        for grad in &found {
            let squares = optim::sum_of_squares(grad.as_slice());
            if !squares.is_finite() {
                return Err(Error::not_finite(
                    self.step,
                    format!("the gradient of '{}'", grad.name),
                ));
            }
            total += squares;
        }
        let norm = total.sqrt();
        self.gradient_norm = self.gradient_norm.max(norm);
        let clip = self.config.clip_norm;
        let grad_scale = if clip > 0.0 && norm > clip { (clip / norm) as f32 } else { 1.0 };

        let state = self.parts.entry(part.to_owned()).or_default();
        state.updates += 1;
        let t = state.updates as i32;
        let c = &self.config;
        let mut apply = Apply {
            path: vec![part.to_owned()],
            grads: found.into_iter().map(|grad| (grad.name.clone(), grad)).collect(),
            moments: &mut state.moments,
            rule: self.rule,
            adam: AdamStep {
                lr: (self.learning_rate * rate) as f32,
                beta1: c.beta1 as f32,
                beta2: c.beta2 as f32,
                epsilon: c.epsilon as f32,
                weight_decay: if c.optimiser == "adamw" { c.weight_decay as f32 } else { 0.0 },
                bias_correction1: (1.0 - c.beta1.powi(t)) as f32,
                bias_correction2: (1.0 - c.beta2.powi(t)) as f32,
                grad_scale,
            },
            momentum: c.momentum as f32,
            nesterov: c.nesterov,
            smoothing: c.beta2 as f32,
            // A young average follows the weights more closely (Kingma and Ba 2015, section 7.2,
            // in the form that never outweighs the decay asked for).
            average_decay: (c.average_decay > 0.0).then(|| {
                let young = (1.0 + f64::from(t)) / (10.0 + f64::from(t));
                c.average_decay.min(young) as f32
            }),
        };
        *slot = slot.take().map(|module| module.map(&mut apply));
        Ok(())
    }

    /// The averaged weights by tensor name; empty unless averaging is on.
    pub fn averages(&self, shapes: &NamedTensors) -> NamedTensors {
        let found: BTreeMap<&str, &Vec<f32>> = self
            .parts
            .values()
            .flat_map(|part| part.moments.iter())
            .filter(|(_, m)| !m.average.is_empty())
            .map(|(name, m)| (name.as_str(), &m.average))
            .collect();
        if found.is_empty() {
            return Vec::new();
        }
        // Buffers have no average: they are taken as they are, for the model to settle.
        shapes
            .iter()
            .map(|(name, data)| match found.get(name.as_str()) {
                Some(average) => {
                    let data = TensorData::new((*average).clone(), data.shape().clone());
                    (name.clone(), data)
                }
                None => (name.clone(), data.clone()),
            })
            .collect()
    }

    /// Everything a resumed run needs: moments as flat tensors, and the count of updates.
    pub(crate) fn state(&self) -> (NamedTensors, BTreeMap<String, u64>) {
        let mut tensors = Vec::new();
        for part in self.parts.values() {
            for (name, moments) in &part.moments {
                for (kind, values) in [
                    ("first", &moments.first),
                    ("second", &moments.second),
                    ("average", &moments.average),
                ] {
                    if !values.is_empty() {
                        let data = TensorData::new(values.clone(), [values.len()]);
                        tensors.push((format!("{kind}/{name}"), data));
                    }
                }
            }
        }
        let updates = self.parts.iter().map(|(name, part)| (name.clone(), part.updates)).collect();
        (tensors, updates)
    }

    /// Takes back what [`Optimisers::state`] gave.
    pub(crate) fn restore(&mut self, tensors: NamedTensors, updates: &BTreeMap<String, u64>) {
        self.parts = updates
            .iter()
            .map(|(name, &updates)| (name.clone(), Part { updates, moments: BTreeMap::new() }))
            .collect();
        for (key, data) in tensors {
            let Some((kind, name)) = key.split_once('/') else { continue };
            // Tensor names begin with their part's name.
            let part = name.split('.').next().unwrap_or_default();
            let Some(part) = self.parts.get_mut(part) else { continue };
            let values = data.try_into_vec_as::<f32>().unwrap_or_default();
            let moments = part.moments.entry(name.to_owned()).or_default();
            match kind {
                "first" => moments.first = values,
                "second" => moments.second = values,
                "average" => moments.average = values,
                _ => {}
            }
        }
    }
}

/// The gradient of one tensor.
struct Grad {
    name: String,
    data: TensorData,
    values: Vec<f32>,
}

impl Grad {
    fn as_slice(&self) -> &[f32] {
        // Single precision is read in place; other types through a converted copy.
        if self.data.dtype() == DType::F32 {
            self.data.as_slice::<f32>().unwrap_or(&[])
        } else {
            &self.values
        }
    }
}

struct Collect {
    path: Vec<String>,
    grads: Gradients,
    found: Vec<Grad>,
}

impl ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = param.val().grad_remove(&mut self.grads) {
            let data = grad.into_data();
            let values = if data.dtype() == DType::F32 {
                Vec::new()
            } else {
                data.try_to_vec_as::<f32>().unwrap_or_default()
            };
            self.found.push(Grad { name: self.path.join("."), data, values });
        }
    }
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}

struct Apply<'a> {
    path: Vec<String>,
    grads: BTreeMap<String, Grad>,
    moments: &'a mut BTreeMap<String, Moments>,
    rule: Rule,
    adam: AdamStep,
    momentum: f32,
    nesterov: bool,
    smoothing: f32,
    average_decay: Option<f32>,
}

impl Apply<'_> {
    fn apply(&mut self, name: &str, params: &mut [f32]) {
        let Some(grad) = self.grads.remove(name) else { return };
        let n = params.len();
        let moments = self.moments.entry(name.to_owned()).or_default();
        let fresh = |values: &mut Vec<f32>| values.resize(n, 0.0);
        match self.rule {
            Rule::Adam => {
                fresh(&mut moments.first);
                fresh(&mut moments.second);
                optim::adam(
                    params,
                    grad.as_slice(),
                    &mut moments.first,
                    &mut moments.second,
                    &self.adam,
                );
            }
            Rule::RmsProp => {
                fresh(&mut moments.second);
                optim::rmsprop(
                    params,
                    grad.as_slice(),
                    &mut moments.second,
                    None,
                    &RmsPropStep {
                        lr: self.adam.lr,
                        alpha: self.smoothing,
                        epsilon: self.adam.epsilon,
                        momentum: 0.0,
                        weight_decay: 0.0,
                        grad_scale: self.adam.grad_scale,
                    },
                );
            }
            Rule::Adagrad => {
                fresh(&mut moments.second);
                optim::adagrad(
                    params,
                    grad.as_slice(),
                    &mut moments.second,
                    &AdagradStep {
                        lr: self.adam.lr,
                        epsilon: self.adam.epsilon,
                        grad_scale: self.adam.grad_scale,
                    },
                );
            }
            Rule::Adadelta => {
                fresh(&mut moments.first);
                fresh(&mut moments.second);
                optim::adadelta(
                    params,
                    grad.as_slice(),
                    &mut moments.second,
                    &mut moments.first,
                    &AdadeltaStep {
                        lr: self.adam.lr,
                        rho: self.smoothing,
                        epsilon: self.adam.epsilon,
                        grad_scale: self.adam.grad_scale,
                    },
                );
            }
            Rule::Sgd => {
                fresh(&mut moments.first);
                optim::sgd_momentum(
                    params,
                    grad.as_slice(),
                    &mut moments.first,
                    &SgdStep {
                        lr: self.adam.lr,
                        momentum: self.momentum,
                        nesterov: self.nesterov,
                        weight_decay: 0.0,
                        grad_scale: self.adam.grad_scale,
                    },
                );
            }
        }
        if let Some(decay) = self.average_decay {
            if moments.average.is_empty() {
                moments.average = params.to_vec();
            } else {
                optim::ema(&mut moments.average, params, decay);
            }
        }
    }
}

impl ModuleMapper for Apply<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        if !self.grads.contains_key(&name) {
            return param;
        }
        let (id, tensor, mapper) = param.consume();
        let autodiff = tensor.is_autodiff();
        let (device, dtype) = (tensor.device(), tensor.dtype());
        let inner = tensor.inner();
        let shape = inner.dims();
        let whole = dtype == DType::F32;
        let new: Tensor<D> = match inner.clone().try_into_primitive::<Flex>() {
            Ok(mut primitive) if whole && primitive.is_contiguous() => {
                // The other handle must go before the buffer can be changed in place.
                drop(inner);
                self.apply(&name, primitive.storage_mut::<f32>());
                Tensor::from_primitive::<Flex>(primitive)
            }
            _ => {
                let mut values = inner.into_data().try_into_vec_as().unwrap_or_default();
                self.apply(&name, &mut values);
                let data = TensorData::new(values, shape);
                Tensor::from_data(data, (&device.clone().inner(), dtype))
            }
        };
        let new = if autodiff { Tensor::from_inner(new).require_grad() } else { new };
        Param::from_mapped_value(id, new, mapper)
    }
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct One {
        weight: Param<Tensor<1>>,
    }

    /// Two steps of 0.1 with gradient 2 and momentum 0.9.
    #[test]
    fn nesterov_looks_ahead_along_the_momentum() {
        let after = |nesterov: bool| {
            let config = TrainConfig {
                optimiser: "sgd".to_owned(),
                learning_rate: 0.1,
                nesterov,
                ..TrainConfig::default()
            };
            let mut optimisers = Optimisers::new(&config).unwrap();
            let device = Device::flex().autodiff();
            let weight = Tensor::<1>::zeros([3], &device).require_grad();
            let mut slot = Some(One { weight: Param::from_tensor(weight) });
            for _ in 0..2 {
                let loss = slot.as_ref().unwrap().weight.val().sum() * 2.0;
                optimisers.update("model", &mut slot, loss.backward()).unwrap();
            }
            slot.unwrap().weight.val().inner().into_data().try_to_vec_as::<f32>().unwrap()[1]
        };
        assert!((after(false) + 0.2 * (1.0 + 1.9)).abs() < 1e-6, "{}", after(false));
        assert!((after(true) + 0.2 * (1.9 + 2.71)).abs() < 1e-6, "{}", after(true));
    }

    /// Steps of −0.1·2 from 0, averaged with weight (1 + t) / (10 + t) while the run is young.
    #[test]
    fn averages_follow_their_recurrence_and_rates_are_those_of_their_part() {
        let config = TrainConfig {
            optimiser: "sgd".to_owned(),
            learning_rate: 0.1,
            momentum: 0.0,
            average_decay: 0.5,
            ..TrainConfig::default()
        };
        let mut optimisers = Optimisers::new(&config).unwrap();
        let device = Device::flex().autodiff();
        let weight = || Tensor::<1>::zeros([2], &device).require_grad();
        let mut slots = [0, 1].map(|_| Some(One { weight: Param::from_tensor(weight()) }));
        let (mut value, mut average) = (0.0f64, 0.0f64);
        for t in 1..=12 {
            for (part, slot, rate) in
                slots.iter_mut().enumerate().map(|(i, slot)| (["a", "b"][i], slot, [1.0, 3.0][i]))
            {
                let loss = slot.as_ref().unwrap().weight.val().sum() * 2.0;
                optimisers.update_at(part, slot, loss.backward(), rate).unwrap();
            }
            value -= 0.2;
            let decay = (f64::from(1 + t) / f64::from(10 + t)).min(0.5);
            average = if t == 1 { value } else { decay * average + (1.0 - decay) * value };
        }
        let shapes: NamedTensors = ["a.weight", "b.weight"]
            .map(|name| (name.to_owned(), TensorData::new(vec![0.0f32; 2], [2])))
            .to_vec();
        let averages = optimisers.averages(&shapes);
        for ((_, data), rate) in averages.iter().zip([1.0, 3.0]) {
            let found = data.try_to_vec_as::<f64>().unwrap()[0];
            assert!((found - rate * average).abs() < 1e-5, "{found} {}", rate * average);
        }
    }
}
