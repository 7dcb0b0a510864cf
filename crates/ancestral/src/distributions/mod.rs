//! Standard distributions, fitted by maximum likelihood: as models of whole rows, and univariate families,
//! which `fitted` makes models.

pub mod bernoulli;
pub mod categorical;
pub mod dirichlet;
pub mod families;
pub mod fitted;
pub mod gaussian;
pub mod gmm;
pub mod multinomial;

pub use bernoulli::{coin, coin_log_likelihood};

use crate::model::NamedTensors;
use crate::{Error, Result};

/// The entries of a tensor, which must exist with `length` entries.
pub(crate) fn take(
    model: &str,
    tensors: &NamedTensors,
    name: &str,
    length: usize,
) -> Result<Vec<f64>> {
    let found = tensors
        .iter()
        .find(|(n, _)| n == name)
        .and_then(|(_, data)| data.try_to_vec_as::<f64>().ok().filter(|v| v.len() == length));
    found.ok_or_else(|| Error::Unsupported {
        model: model.to_owned(),
        problem: format!(
            "cannot take these weights: tensor '{name}' of {length} entries is missing"
        ),
    })
}
