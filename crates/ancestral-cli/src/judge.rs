//! What checkpoints are chosen by of models that draw and have no likelihood: samples beside the
//! validation split.

use ancestral::evaluate::{self, Gaussian, Network, Rows};
use ancestral::model::{Model, SampleRequest};
use ancestral_data::{Binarize, Dataset, Domain, Examples, SplitName};

use crate::inputs::{self, Loaded};
use crate::output;
use crate::quality;

/// Validation examples that it takes at least.
pub(crate) const LEAST: usize = 100;
/// Samples drawn, and examples of the plane, for one figure.
const SAMPLES: usize = 2000;
/// Their seed, so that every checkpoint of every run is judged by the same noise.
const SEED: u64 = 0;

/// A figure for whole models; lower is better.
pub(crate) enum Judge {
    /// The Fréchet distance of features from those of the validation split.
    Features { network: Box<Loaded>, name: String, reference: Gaussian },
    /// The Chamfer distance in the plane, each column in its standard deviations.
    Plane { points: Vec<f32>, scales: [f32; 2] },
}

impl Judge {
    /// The one for this data, if there is a network for pictures like it or it is a plane.
    pub(crate) fn of(data: &Dataset, binarize: Binarize) -> ancestral::Result<Option<Self>> {
        if data.is_empty() || data.len(SplitName::Valid) < LEAST {
            return Ok(None);
        }
        let valid = Examples::new(data, SplitName::Valid, binarize, SEED)?;
        let indices: Vec<u64> = (0..valid.len() as u64).collect();
        if data.domain == Domain::Real && data.shape.size() == 2 {
            let first = &indices[..SAMPLES.min(indices.len())];
            let mut points = output::singles(&valid.batch(first, 0).values);
            let scales = [0, 1].map(|column| scale(&points, column));
            divide(&mut points, scales);
            return Ok(Some(Self::Plane { points, scales }));
        }
        let Some(path) = quality::default_network(&data.name) else { return Ok(None) };
        // A network that cannot be read is no reason not to train.
        let Ok(network) = inputs::load(&path, "best") else { return Ok(None) };
        let name = quality::network_name(&network);
        let seen = {
            let eyes = Network::new(&name, network.model.as_ref())?;
            if eyes.check("the examples", valid.domain(), valid.shape()).is_err() {
                return Ok(None);
            }
            eyes.see_examples(&valid, &indices, &mut |_| {})?
        };
        let dim = seen.features.len() / valid.len();
        let reference = Gaussian::of(Rows::new(&seen.features, dim, "the features of the data")?)?;
        Ok(Some(Self::Features { network: Box::new(network), name, reference }))
    }

    /// The name of the figure and its value.
    pub(crate) fn judge(&self, model: &dyn Model) -> ancestral::Result<(&'static str, f64)> {
        let drawn = evaluate::draw(model, &SampleRequest::new(SAMPLES, SEED), &mut |_| {})?.values;
        match self {
            Self::Features { network, name, reference } => {
                let eyes = Network::new(name, network.model.as_ref())?;
                let data = model.data();
                let seen = eyes.see(&drawn, output::domain(model), &data.shape)?;
                let dim = seen.features.len() / SAMPLES;
                let rows = Rows::new(&seen.features, dim, "the features of samples")?;
                Ok(("frechet_distance", Gaussian::of(rows)?.frechet_distance(reference)?))
            }
            Self::Plane { points, scales } => {
                let mut drawn = output::singles(&drawn);
                divide(&mut drawn, *scales);
                let samples = Rows::new(&drawn, 2, "samples")?;
                let distance = evaluate::chamfer_distance(samples, Rows::new(points, 2, "data")?)?;
                Ok(("chamfer_distance", distance))
            }
        }
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
