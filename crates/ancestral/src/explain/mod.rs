//! Small experiments with real networks that show a point of the field; each gives the figures, and
//! whoever calls it draws the picture.

mod discriminator;
mod saturation;
mod transposed;

pub use discriminator::{Comparison, Densities, optimal_discriminator};
pub use saturation::{Reached, Saturation, saturation};
pub use transposed::{Enlarged, Map, enlarge, reduce};

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use crate::model::Init;
use crate::nn::{Activation, Dense, Mlp};

/// Hidden layers and a last one.
#[derive(Module, Debug)]
struct Network {
    hidden: Mlp,
    output: Dense,
}

impl Network {
    fn init(
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
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.hidden.forward(x))
    }
}

/// Rows of `width` values as a tensor.
fn matrix(values: Vec<f32>, width: usize, init: &Init) -> Tensor<2> {
    let rows = values.len() / width.max(1);
    Tensor::from_data(TensorData::new(values, [rows, width]), (&init.device, init.dtype))
}
