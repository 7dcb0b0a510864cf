//! Layers with first weights from our own streams, and tensors of a module by path.

mod conv;
mod dense;
mod tensors;

pub use conv::{Doubling, Halving};
pub(crate) use dense::frozen;
pub use dense::{Activation, Dense, Mlp};
pub(crate) use tensors::rows;
pub use tensors::{load_module, module_tensors, to_f64};
