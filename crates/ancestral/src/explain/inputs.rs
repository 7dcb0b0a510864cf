//! The data and the trained models of demonstrations.

use ancestral_data::{Binarize, Dataset, OpenOptions};

use super::spec::ExplainSpec;
use crate::model::ModelConfig;
use crate::run::{Run, RunSpec, Session};
use crate::train::{Budget, StopReason, TrainConfig};
use crate::{Error, Result};

/// The images for training.
///
/// # Errors
/// If the data is not found or does not consist of images.
pub(super) fn open(session: &Session<'_>, spec: &ExplainSpec) -> Result<Dataset> {
    let options = OpenOptions {
        data_dir: session.data_dir().map(Into::into),
        seed: spec.seed(),
        ..OpenOptions::default()
    };
    let data = ancestral_data::open(spec.data(), &options)?;
    if data.shape.as_image().is_none() {
        return Err(Error::UnsuitableData {
            model: spec.topic.to_string(),
            problem: format!("{} holds no images; use digits or mnist", spec.data()),
        });
    }
    Ok(data)
}

/// A model trained in its own folder, with the best weights by validation.
///
/// # Errors
/// Those of training, or if it was interrupted.
pub(super) fn train(
    session: &mut Session<'_>,
    spec: &ExplainSpec,
    config: &impl ModelConfig,
    binarize: Binarize,
) -> Result<Run> {
    let training = TrainConfig { learning_rate: 2e-3, ..TrainConfig::default() };
    train_on(session, spec, config, (spec.data(), binarize), training)
}

/// As [`train`], on some data with some settings.
///
/// # Errors
/// As [`train`].
pub(super) fn train_on(
    session: &mut Session<'_>,
    spec: &ExplainSpec,
    config: &impl ModelConfig,
    (data, binarize): (&str, Binarize),
    training: TrainConfig,
) -> Result<Run> {
    let name = config.model_name();
    let training = TrainConfig { sample_count: 0, ..training };
    let mut run = RunSpec::new(config, data)
        .training(&training)
        .budget(Budget { epochs: spec.epochs(), ..Budget::default() })
        .binarize(binarize)
        .seed(spec.seed())
        .out(spec.out.join(name));
    run.skip_test = true;
    run.command = format!("ancestral explain (its {name})");
    let trained = session.train(&run)?;
    match trained.outcome.reason {
        StopReason::Interrupted => Err(Error::Interrupted),
        _ => Ok(trained.run),
    }
}
