//! The gradients of a module's tensors, by path.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Gradients, Tensor, TensorData};

/// The gradient of one tensor.
pub(super) struct Grad {
    pub(super) name: String,
    pub(super) data: TensorData,
    values: Vec<f32>,
}

impl Grad {
    pub(super) fn as_slice(&self) -> &[f32] {
        // Single precision is read in place; other types through a converted copy.
        if self.data.dtype() == DType::F32 {
            self.data.as_slice::<f32>().unwrap_or(&[])
        } else {
            &self.values
        }
    }
}

/// The gradients of the tensors of a part; the rest of the graph is dropped, so that the weights have
/// one owner.
pub(super) fn collect<M: Module>(part: &str, module: &M, grads: Gradients) -> Vec<Grad> {
    let mut collect = Collect { path: vec![part.to_owned()], grads, found: Vec::new() };
    module.visit(&mut collect);
    collect.found
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
