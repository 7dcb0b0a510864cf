//! Weights that are saved and loaded.

use super::case::Subject;
use super::problem::{Tried, ensure, refused};
use crate::model::{Init, NamedTensors};
use crate::spec::cpu;

/// Loaded weights give the same outputs, bit by bit; a missing tensor is an error.
pub(super) fn weights_load(subject: &Subject<'_>) -> Tried {
    let model = subject.model()?;
    let mut other = subject.build_with(&model.settings(), &Init::new(&cpu(), 2))?;
    other.load(&model.tensors())?;
    let (saved, loaded) = (subject.outputs(model.as_ref())?, subject.outputs(other.as_ref())?);
    ensure!(saved == loaded, "loaded weights give other outputs: {saved:?} {loaded:?}");
    let broken: NamedTensors = model.tensors().into_iter().skip(1).collect();
    refused(other.load(&broken), "weights without the first tensor", &[])?;
    let again = subject.outputs(other.as_ref())?;
    ensure!(again == saved, "weights that do not fit have changed the model");
    Ok(1)
}
