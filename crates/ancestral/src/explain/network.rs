//! The small networks of the experiments.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use crate::model::Init;
use crate::nn::{Activation, Dense, Mlp};

/// Hidden layers and a last one.
#[derive(Module, Debug)]
pub(super) struct Network {
    hidden: Mlp,
    output: Dense,
}

impl Network {
    pub(super) fn init(
        sizes: [usize; 2],
        hidden: &[usize],
        [inner, outer]: [Activation; 2],
        name: &str,
        init: &Init,
    ) -> Self {
        let last = hidden.last().copied().unwrap_or(sizes[0]);
        Self {
            hidden: Mlp::init(sizes[0], hidden, inner, name, init),
            output: Dense::init(last, sizes[1], outer, &format!("{name}.output"), init),
        }
    }

    /// `[rows, input]` to `[rows, output]`.
    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.hidden.forward(x))
    }
}

/// Rows of `width` values as a tensor.
pub(super) fn matrix(values: Vec<f32>, width: usize, init: &Init) -> Tensor<2> {
    let rows = values.len() / width.max(1);
    Tensor::from_data(TensorData::new(values, [rows, width]), (&init.device, init.dtype))
}
