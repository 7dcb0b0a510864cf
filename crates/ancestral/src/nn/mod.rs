//! Layers with first weights from our own streams, how examples reach them, and tensors of a module
//! by path.

mod conv;
mod dense;
mod entrance;
mod tensors;

pub use conv::{Doubling, Halving};
pub use dense::{Activation, Dense, Mlp};
pub(crate) use dense::{frozen, glorot, parameter, with_value};
pub(crate) use entrance::{Entrance, Scale};
pub(crate) use tensors::rows;
pub use tensors::{load_module, module_tensors, to_f64};
