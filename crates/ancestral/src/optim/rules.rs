//! The update rules, applied to the tensors of a module by path.
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
use burn::module::{ModuleMapper, Param};
use burn::tensor::{DType, Tensor, TensorData};

use super::gradients::Grad;
use crate::choices;

choices! {
    /// An update rule.
    pub enum Rule {
        /// Adam
        Adam = "adam",
        /// Adam with decoupled weight decay
        AdamW = "adamw",
        /// RMSProp
        RmsProp = "rmsprop",
        /// Adagrad
        Adagrad = "adagrad",
        /// Adadelta
        Adadelta = "adadelta",
        /// stochastic gradient descent with momentum
        Sgd = "sgd",
    }
}

impl Rule {
    /// The number of moments per weight.
    pub fn moments(self) -> usize {
        match self {
            Self::Adam | Self::AdamW | Self::Adadelta => 2,
            Self::RmsProp | Self::Adagrad | Self::Sgd => 1,
        }
    }
}

/// The running moments of one parameter.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    /// Of the gradient; of the squared update for Adadelta.
    pub(super) first: Vec<f32>,
    /// Of the squared gradient.
    pub(super) second: Vec<f32>,
    /// Of the weight itself.
    pub(super) average: Vec<f32>,
}

/// One update of the tensors that have gradients.
pub(super) struct Apply<'a> {
    pub(super) path: Vec<String>,
    pub(super) grads: BTreeMap<String, Grad>,
    pub(super) moments: &'a mut BTreeMap<String, Moments>,
    pub(super) rule: Rule,
    pub(super) adam: AdamStep,
    pub(super) momentum: f32,
    pub(super) nesterov: bool,
    pub(super) smoothing: f32,
    pub(super) average_decay: Option<f32>,
}

impl Apply<'_> {
    fn apply(&mut self, name: &str, params: &mut [f32]) {
        let Some(grad) = self.grads.remove(name) else { return };
        let n = params.len();
        let moments = self.moments.entry(name.to_owned()).or_default();
        let fresh = |values: &mut Vec<f32>| values.resize(n, 0.0);
        match self.rule {
            Rule::Adam | Rule::AdamW => {
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
                // The other handle is dropped so that the buffer can be updated in place.
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
