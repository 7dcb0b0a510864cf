//! Autoregressive models: p(x) = Π p(x_d | x_<d), each conditional a network of the entries before,
//! so that the probability of an example is exact.
//!
//! `sequential.rs` holds what they share: drawing and scoring entry after entry.

pub mod deep_nade;
pub mod fvsbn;
pub mod made;
pub mod nade;
mod order;
pub mod rnade;
mod sequential;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::model::Metrics;
use crate::nn::to_f64;
use crate::train::StepContext;
use crate::{Error, Result};

/// Standardised entries that others are conditioned on are held within this, so that no finite
/// input makes a hidden unit infinite; the entry's own density is not touched.
const CONDITION_LIMIT: f32 = 1e4;

/// One update of a model's only part by a loss that must be finite.
///
/// `log_jacobian` is that of standardisation: the figure is in the units of the data, as validation
/// is.
fn descend<M: Module>(
    loss: Tensor<1>,
    log_jacobian: f64,
    network: &mut Option<M>,
    context: &mut StepContext<'_>,
) -> Result<Metrics> {
    let value = to_f64(loss.clone()).first().copied().unwrap_or(f64::NAN);
    if !value.is_finite() {
        return Err(Error::not_finite(context.step, "the loss"));
    }
    let grads = loss.backward();
    drop(loss);
    context.optimisers.update("model", network, grads)?;
    Ok(vec![("loss", value - log_jacobian)])
}
