//! Layers with reproducible initial weights, the conversion of examples to tensors, and the tensors of
//! a module by path.

mod conv;
mod dense;
mod pipeline;
mod precision;
mod tensors;

pub(crate) use conv::KERNEL;
pub use conv::{DownConv, UpConv};
pub use dense::{Activation, Dense, FusedActivation, HiddenActivation, Mlp};
pub(crate) use dense::{dropout, frozen, glorot, parameter, scaled, with_value};
pub use pipeline::InputPipeline;
pub(crate) use pipeline::{Moments, Scale, deviation};
pub use precision::PrecisionName;
#[cfg(test)]
pub(crate) use precision::assert_precision;
pub(crate) use tensors::{as_f64, rows};
pub use tensors::{load_module, module_tensors, scalar, to_f64};
