//! Bayes' rule: a density that is conditional on the class classifies,
//! p(class | x) = p(x | class) p(class) / Σ p(x | c) p(c).

use std::time::Instant;

use ancestral_data::Examples;

use super::Options;
use super::calibration::{Classification, measured, unsuitable};
use crate::likelihood::log_mean_exp;
use crate::model::{DensityKind, DensityOptions, Model, log_probability};
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
    let labels = examples.labels().ok_or_else(|| unsuitable("the examples have no labels"))?;
    let indices: Vec<u64> = (0..examples.len() as u64).collect();
    let at_once = match density.kind(options.samples) {
        DensityKind::Exact => AT_ONCE,
        DensityKind::LowerBound { samples } => (2000 / samples.max(1)).clamp(1, 200),
    };
    let mut probabilities = Vec::with_capacity(indices.len() * classes);
    let mut nats = Vec::with_capacity(indices.len());
    for chunk in indices.chunks(at_once) {
        let mut batch = examples.batch(chunk, 0);
        let mut by_class = Vec::with_capacity(classes);
        for class in 0..classes as u32 {
            batch.labels = Some(vec![class; chunk.len()]);
            let of_class = DensityOptions::new(options.samples, options.seed);
            by_class.push(log_probability(model, &batch, of_class)?.nats);
        }
        for example in 0..chunk.len() {
            let joint: Vec<f64> = by_class.iter().map(|nats| nats[example]).collect();
            let total = log_mean_exp(&joint);
            nats.push(total);
            probabilities.extend(joint.iter().map(|nats| (nats - total).exp() / classes as f64));
        }
        progress(nats.len());
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
