//! Bayes' rule: a density that is conditional on the class classifies,
//! p(class | x) = p(x | class) p(class) / Σ p(x | c) p(c).

use std::time::Instant;

use ancestral_data::Examples;

use super::Options;
use super::calibration::{Classification, measured, unsuitable};
use crate::likelihood::log_mean_exp;
use crate::model::{Density, DensityKind, DensityOptions, Model, log_probability};
use crate::{Error, Result};

/// Examples per batch.
const AT_ONCE: usize = 500;

/// A class-conditional density as a classifier.
#[derive(Debug, Clone)]
pub struct BayesRule {
    /// The metrics of the classes.
    pub classification: Classification,
    /// Mean −log p(x) in nats, of the mixture over classes: log p(x) = log Σ p(x | c) p(c).
    pub nll_nats: f64,
    /// Its standard error over examples.
    pub nll_stderr: f64,
}

/// Classifies labeled examples by Bayes' rule over a class-conditional density, with equal
/// probabilities of the classes; `progress` is called with the number done.
///
/// A bound instead of the density gives approximate probabilities.
///
/// # Errors
/// If the model has no density or is not conditional on classes, or the examples do not fit it or
/// have no labels.
pub fn bayes_rule(
    model: &dyn Model,
    examples: &Examples,
    options: Options,
    progress: &mut dyn FnMut(usize),
) -> Result<BayesRule> {
    let began = Instant::now();
    conditional(model)?;
    let labels = examples.labels().ok_or_else(|| unsuitable("the examples have no labels"))?;
    let by_class = log_densities_by_class(model, examples, options, progress)?;
    let classes = by_class.len() / examples.len().max(1);
    let mut probabilities = Vec::with_capacity(by_class.len());
    let mut nats = Vec::with_capacity(examples.len());
    for joint in by_class.chunks_exact(classes.max(1)) {
        let total = log_mean_exp(joint);
        nats.push(total);
        probabilities.extend(joint.iter().map(|nats| (nats - total).exp() / classes as f64));
    }
    let n = nats.len() as f64;
    let mean = nats.iter().sum::<f64>() / n;
    let variance = nats.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    Ok(BayesRule {
        classification: measured(&probabilities, classes, labels, began)?,
        nll_nats: -mean,
        nll_stderr: (variance / n).sqrt(),
    })
}

/// log p(x | class) of each example for each class, `[examples, classes]`; of a bound, the bound.
/// `progress` is called with the number done.
///
/// # Errors
/// If the model has no density or is not conditional on classes, or the examples do not fit it.
pub fn log_densities_by_class(
    model: &dyn Model,
    examples: &Examples,
    options: Options,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<f64>> {
    let (density, classes) = conditional(model)?;
    let at_once = match density.kind(options.samples) {
        DensityKind::Exact => AT_ONCE,
        DensityKind::LowerBound { samples } => (2000 / samples.max(1)).clamp(1, 200),
    };
    let mut all = Vec::with_capacity(examples.len() * classes);
    for chunk in examples.indices().chunks(at_once) {
        let mut batch = examples.batch(chunk, 0);
        let mut by_class = Vec::with_capacity(classes);
        for class in 0..classes as u32 {
            batch.labels = Some(vec![class; chunk.len()]);
            let of_class = DensityOptions::new(options.samples, options.seed);
            by_class.push(log_probability(model, &batch, of_class)?.nats);
        }
        for example in 0..chunk.len() {
            all.extend(by_class.iter().map(|nats| nats[example]));
        }
        progress(all.len() / classes);
    }
    Ok(all)
}

/// The density of a model that is conditional on classes, and their number.
fn conditional(model: &dyn Model) -> Result<(&dyn Density, usize)> {
    let unsupported = |problem: &str| Error::Unsupported {
        model: model.name().to_owned(),
        problem: problem.to_owned(),
    };
    let density =
        model.density().ok_or_else(|| unsupported("has no log-probability and cannot classify"))?;
    let sampler = model.sampler().filter(|sampler| !sampler.classes_are_codes());
    let classes = sampler.map_or(0, |sampler| sampler.classes());
    if classes == 0 {
        return Err(unsupported(
            "is not conditional on classes, which Bayes' rule compares; train it with \
             conditional=true on labeled data",
        ));
    }
    Ok((density, classes))
}
