//! Reads and writes the tensors of a module by path.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use crate::spec::NamedTensors;
use crate::{Error, Result};

/// Every float tensor of `module`, named `part.path`.
pub fn module_tensors<M: Module>(part: &str, module: &M) -> NamedTensors {
    struct Collect {
        path: Vec<String>,
        found: NamedTensors,
    }
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.found.push((self.path.join("."), param.val().inner().into_data()));
        }
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
    }
    let mut collect = Collect { path: vec![part.to_owned()], found: Vec::new() };
    module.visit(&mut collect);
    collect.found
}

/// Puts the tensors named `part.path` back into `module`, in the module's own type.
///
/// # Errors
/// If one is missing or has another shape.
pub fn load_module<M: Module>(part: &str, module: M, tensors: &NamedTensors) -> Result<M> {
    struct Load<'a> {
        path: Vec<String>,
        tensors: BTreeMap<&'a str, &'a TensorData>,
        problem: Option<String>,
    }
    impl ModuleMapper for Load<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let name = self.path.join(".");
            let (id, old, mapper) = param.consume();
            let new = match self.tensors.get(name.as_str()) {
                None => {
                    self.problem.get_or_insert(format!("tensor '{name}' is missing"));
                    old
                }
                Some(data) if data.shape()[..] != old.dims() => {
                    self.problem.get_or_insert(format!(
                        "tensor '{name}' has shape {:?} where {:?} was expected",
                        &data.shape()[..],
                        old.dims()
                    ));
                    old
                }
                Some(data) => {
                    let device = old.device();
                    let new = Tensor::from_data((*data).clone(), (&device, old.dtype()));
                    if device.is_autodiff() { new.require_grad() } else { new }
                }
            };
            Param::from_mapped_value(id, new, mapper)
        }
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
    }
    let mut load = Load {
        path: vec![part.to_owned()],
        tensors: tensors.iter().map(|(name, data)| (name.as_str(), data)).collect(),
        problem: None,
    };
    let module = module.map(&mut load);
    match load.problem {
        None => Ok(module),
        Some(problem) => Err(Error::Unsupported {
            model: part.to_owned(),
            problem: format!("cannot take these weights: {problem}"),
        }),
    }
}

/// The entries of a tensor as `f64`, row after row.
pub fn to_f64<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.inner().into_data().try_into_vec_as().unwrap_or_default()
}

/// The entries of a tensor as `f32`, row after row.
pub(crate) fn rows<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.inner().into_data().try_into_vec_as().unwrap_or_default()
}

/// The only entry of a tensor.
pub fn scalar(tensor: &Tensor<1>) -> f64 {
    to_f64(tensor.clone()).first().copied().unwrap_or(f64::NAN)
}

/// Values in double precision.
pub(crate) fn as_f64(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}
