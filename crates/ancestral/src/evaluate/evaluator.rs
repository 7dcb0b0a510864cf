//! Evaluators, which select checkpoints of models without a likelihood by comparing samples with
//! the validation split.

use ancestral_data::{Domain, Examples};

use super::distances::{Gaussian, chamfer_distance};
use super::quality::{NamedClassifier, draw};
use super::rows::{Rows, singles};
use crate::Result;
use crate::model::{Model, SampleRequest};
use crate::train::Evaluator;

/// The fewest validation examples of an evaluator.
pub const LEAST_VALIDATION: usize = 100;
/// Samples, and two-dimensional examples, per evaluation.
const SAMPLES: usize = 2000;
/// The seed of the samples, so that every checkpoint of every run is evaluated with the same noise.
const SEED: u64 = 0;

/// The Fréchet distance of features of samples from those of the validation split.
pub struct FrechetEvaluator {
    network: Box<dyn Model>,
    name: String,
    reference: Gaussian,
}

impl FrechetEvaluator {
    /// Compares samples with these examples by the features of a classifier of this name; `None` if
    /// the examples do not fit it or are too few.
    ///
    /// # Errors
    /// If the network has no features.
    pub fn new(name: &str, network: Box<dyn Model>, valid: &Examples) -> Result<Option<Self>> {
        if valid.len() < LEAST_VALIDATION {
            return Ok(None);
        }
        let features = NamedClassifier::new(name, network.as_ref())?;
        if features.check("the examples", valid.domain(), valid.shape()).is_err() {
            return Ok(None);
        }
        let indices: Vec<u64> = (0..valid.len() as u64).collect();
        let seen = features.classify_examples(valid, &indices, &mut |_| {})?;
        let dim = seen.features.len() / valid.len();
        let reference = Gaussian::of(Rows::new(&seen.features, dim, "the features of the data")?)?;
        Ok(Some(Self { network, name: name.to_owned(), reference }))
    }
}

impl Evaluator for FrechetEvaluator {
    fn evaluate(&self, model: &dyn Model) -> Result<(&'static str, f64)> {
        let drawn = draw(model, &SampleRequest::new(SAMPLES, SEED), &mut |_| {})?.values;
        let network = NamedClassifier::new(&self.name, self.network.as_ref())?;
        let data = model.data();
        let seen = network.classify(&drawn, data.domain().unwrap_or(Domain::Real), &data.shape)?;
        let dim = seen.features.len() / SAMPLES;
        let rows = Rows::new(&seen.features, dim, "the features of samples")?;
        Ok(("frechet_distance", Gaussian::of(rows)?.frechet_distance(&self.reference)?))
    }
}

/// The Chamfer distance of two-dimensional samples from the validation split, with columns divided
/// by their standard deviations.
pub struct ChamferEvaluator {
    points: Vec<f32>,
    scales: [f32; 2],
}

impl ChamferEvaluator {
    /// Compares samples with these examples; `None` unless they are pairs of reals, and enough of
    /// them.
    pub fn new(valid: &Examples) -> Option<Self> {
        let plane = valid.domain() == Domain::Real && valid.shape().size() == 2;
        if !plane || valid.len() < LEAST_VALIDATION {
            return None;
        }
        let indices: Vec<u64> = (0..SAMPLES.min(valid.len()) as u64).collect();
        let mut points = singles(&valid.batch(&indices, 0).values);
        let scales = [0, 1].map(|column| scale(&points, column));
        divide(&mut points, scales);
        Some(Self { points, scales })
    }
}

impl Evaluator for ChamferEvaluator {
    fn evaluate(&self, model: &dyn Model) -> Result<(&'static str, f64)> {
        let drawn = draw(model, &SampleRequest::new(SAMPLES, SEED), &mut |_| {})?.values;
        let mut drawn = singles(&drawn);
        divide(&mut drawn, self.scales);
        let samples = Rows::new(&drawn, 2, "samples")?;
        let distance = chamfer_distance(samples, Rows::new(&self.points, 2, "data")?)?;
        Ok(("chamfer_distance", distance))
    }
}

/// The standard deviation of a column of pairs; 1 for one that is constant.
fn scale(points: &[f32], column: usize) -> f32 {
    let values = || points.chunks_exact(2).map(|pair| f64::from(pair[column]));
    let n = values().count() as f64;
    let mean = values().sum::<f64>() / n;
    let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    if variance > 0.0 { variance.sqrt() as f32 } else { 1.0 }
}

fn divide(points: &mut [f32], scales: [f32; 2]) {
    for pair in points.chunks_exact_mut(2) {
        pair.iter_mut().zip(scales).for_each(|(x, scale)| *x /= scale);
    }
}
