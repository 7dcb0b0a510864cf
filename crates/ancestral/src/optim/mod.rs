//! Optimizers, with state stored by parameter path for checkpoints: update rules, learning-rate
//! schedules, gradient clipping and averages of the weights.

mod gradients;
pub mod minimize;
mod rules;
mod schedule;

use std::collections::BTreeMap;

use ancestral_kernels::optim::{self, AdamStep};
use burn::module::Module;
use burn::tensor::{Gradients, TensorData};

pub use rules::Rule;
pub use schedule::{Schedule, ScheduleName};

use crate::spec::NamedTensors;
use crate::{Error, Result};
use rules::{Apply, Moments};

/// The configuration of the optimizers.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerConfig {
    /// The update rule.
    pub rule: Rule,
    /// The base learning rate of schedules.
    pub learning_rate: f64,
    /// Decay of the first moment (adam, adamw), in \[0, 1).
    pub beta1: f64,
    /// Decay of the second moment or of the mean squares, in \[0, 1).
    pub beta2: f64,
    /// Added to the root of the second moment; under the roots for adadelta.
    pub epsilon: f64,
    /// Momentum (sgd), in \[0, 1).
    pub momentum: f64,
    /// Whether to use Nesterov momentum (sgd).
    pub nesterov: bool,
    /// Decoupled weight decay (adamw), per step and unit of learning rate.
    pub weight_decay: f64,
    /// Largest global norm of the gradient; 0 for no clipping.
    pub clip_norm: f64,
    /// Decay of the moving average of the weights; 0 for none.
    pub average_decay: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            rule: Rule::Adam,
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.01,
            clip_norm: 0.0,
            average_decay: 0.0,
        }
    }
}

/// The state of one part of a model.
#[derive(Debug, Clone, Default)]
struct Part {
    updates: u64,
    /// By tensor name.
    moments: BTreeMap<String, Moments>,
}

/// The optimizers of a model, one for each of its parts.
#[derive(Debug)]
pub struct Optimizers {
    config: OptimizerConfig,
    learning_rate: f64,
    step: u64,
    parts: BTreeMap<String, Part>,
    recording: Option<NamedTensors>,
    gradient_norm: f64,
}

impl Optimizers {
    /// Fresh optimizers.
    pub fn new(config: &OptimizerConfig) -> Self {
        Self {
            config: config.clone(),
            learning_rate: config.learning_rate,
            step: 0,
            parts: BTreeMap::new(),
            recording: None,
            gradient_norm: 0.0,
        }
    }

    /// Optimizers that record the gradients and leave the weights unchanged, for tests.
    pub fn recording(config: &OptimizerConfig) -> Self {
        Self { recording: Some(Vec::new()), ..Self::new(config) }
    }

    /// The gradients that were recorded, by tensor name.
    pub fn into_gradients(self) -> NamedTensors {
        self.recording.unwrap_or_default()
    }

    /// Sets the learning rate and the number of the next step, from 1.
    pub fn begin_step(&mut self, step: u64, learning_rate: f64) {
        self.step = step;
        self.learning_rate = learning_rate;
        self.gradient_norm = 0.0;
    }

    /// The largest gradient norm of a part in this step, before clipping.
    pub fn gradient_norm(&self) -> f64 {
        self.gradient_norm
    }

    /// The next or current step, from 1.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Updates the part `part` of a model.
    ///
    /// The module is taken out of its slot while it is updated: a second handle on its tensors would
    /// force a copy of each.
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
    /// As [`Optimizers::update`].
    pub fn update_at<M: Module>(
        &mut self,
        part: &str,
        slot: &mut Option<M>,
        grads: Gradients,
        rate: f64,
    ) -> Result<()> {
        let Some(module) = slot.as_ref() else { return Ok(()) };
        let found = gradients::collect(part, module, grads);
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
            rule: c.rule,
            adam: AdamStep {
                lr: (self.learning_rate * rate) as f32,
                beta1: c.beta1 as f32,
                beta2: c.beta2 as f32,
                epsilon: c.epsilon as f32,
                weight_decay: if c.rule == Rule::AdamW { c.weight_decay as f32 } else { 0.0 },
                bias_correction1: (1.0 - c.beta1.powi(t)) as f32,
                bias_correction2: (1.0 - c.beta2.powi(t)) as f32,
                grad_scale,
            },
            momentum: c.momentum as f32,
            nesterov: c.nesterov,
            smoothing: c.beta2 as f32,
            // Early in training the average follows the weights more closely (compare Kingma and Ba
            // 2015, section 7.2); its decay never exceeds the setting.
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
        // Buffers have no average: they are copied, and the model recomputes them.
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

    /// The state for checkpoints: moments as flat tensors, and update counts.
    pub fn state(&self) -> (NamedTensors, BTreeMap<String, u64>) {
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

    /// Restores the state of [`Optimizers::state`].
    pub fn restore(&mut self, tensors: NamedTensors, updates: &BTreeMap<String, u64>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use burn::tensor::{Device, Tensor};

    #[derive(Module, Debug)]
    struct One {
        weight: Param<Tensor<1>>,
    }

    /// Two steps of 0.1 with gradient 2 and momentum 0.9.
    #[test]
    fn nesterov_looks_ahead_along_the_momentum() {
        let after = |nesterov: bool| {
            let config = OptimizerConfig {
                rule: Rule::Sgd,
                learning_rate: 0.1,
                nesterov,
                ..OptimizerConfig::default()
            };
            let mut optimizers = Optimizers::new(&config);
            let device = Device::flex().autodiff();
            let weight = Tensor::<1>::zeros([3], &device).require_grad();
            let mut slot = Some(One { weight: Param::from_tensor(weight) });
            for _ in 0..2 {
                let loss = slot.as_ref().unwrap().weight.val().sum() * 2.0;
                optimizers.update("model", &mut slot, loss.backward()).unwrap();
            }
            slot.unwrap().weight.val().inner().into_data().try_to_vec_as::<f32>().unwrap()[1]
        };
        assert!((after(false) + 0.2 * (1.0 + 1.9)).abs() < 1e-6, "{}", after(false));
        assert!((after(true) + 0.2 * (1.9 + 2.71)).abs() < 1e-6, "{}", after(true));
    }

    /// Steps of −0.1·2 from 0, averaged with weight (1 + t) / (10 + t) while the run is young.
    #[test]
    fn averages_follow_their_recurrence_and_rates_are_those_of_their_part() {
        let config = OptimizerConfig {
            rule: Rule::Sgd,
            learning_rate: 0.1,
            momentum: 0.0,
            average_decay: 0.5,
            ..OptimizerConfig::default()
        };
        let mut optimizers = Optimizers::new(&config);
        let device = Device::flex().autodiff();
        let weight = || Tensor::<1>::zeros([2], &device).require_grad();
        let mut slots = [0, 1].map(|_| Some(One { weight: Param::from_tensor(weight()) }));
        let (mut value, mut average) = (0.0f64, 0.0f64);
        for t in 1..=12 {
            for (part, slot, rate) in
                slots.iter_mut().enumerate().map(|(i, slot)| (["a", "b"][i], slot, [1.0, 3.0][i]))
            {
                let loss = slot.as_ref().unwrap().weight.val().sum() * 2.0;
                optimizers.update_at(part, slot, loss.backward(), rate).unwrap();
            }
            value -= 0.2;
            let decay = (f64::from(1 + t) / f64::from(10 + t)).min(0.5);
            average = if t == 1 { value } else { decay * average + (1.0 - decay) * value };
        }
        let shapes: NamedTensors = ["a.weight", "b.weight"]
            .map(|name| (name.to_owned(), TensorData::new(vec![0.0f32; 2], [2])))
            .to_vec();
        let averages = optimizers.averages(&shapes);
        for ((_, data), rate) in averages.iter().zip([1.0, 3.0]) {
            let found = data.try_to_vec_as::<f64>().unwrap()[0];
            assert!((found - rate * average).abs() < 1e-5, "{found} {}", rate * average);
        }
    }
}
