//! Evaluators, which select checkpoints of models without a likelihood by comparing samples with
//! the validation split.

use ancestral_data::{Domain, Examples, Shape};

use super::distances::{Gaussian, chamfer_distance, energy_distance};
use super::quality::{NamedClassifier, draw};
use super::rows::{Rows, singles};
use crate::Result;
use crate::model::{Estimate, Model, SampleRequest};
use crate::train::{Evaluator, SampleScale};

/// The fewest validation examples of a Fréchet or a Chamfer distance.
pub(crate) const LEAST_FOR_NETWORK: usize = 100;
/// The fewest validation examples of any evaluator: those of the energy distance.
pub const LEAST_VALIDATION: usize = 20;
/// Samples, and two-dimensional examples, per evaluation.
const SAMPLES: usize = 2000;
/// The seed of the samples, so that every checkpoint of every run is evaluated with the same noise.
const SEED: u64 = 0;
/// Samples and examples a side of the energy distance.
pub(crate) const ENERGY_SAMPLES: usize = 500;
/// Images are averaged over squares, so that they have at most this many rows and columns.
const ENERGY_SIDE: usize = 16;
/// Fréchet distances of samples beyond this multiple of that of training examples are those of no data.
const FAR_FRECHET: f64 = 20.0;
/// The same of Chamfer distances: samples with all modes of `rings:8`, two thirds of them within three
/// deviations of one, are at 20.
const FAR_CHAMFER: f64 = 25.0;
/// The same of energy distances, which are relative: of two sets far apart they are 1.
const FAR_ENERGY: f64 = 0.1;

/// The Fréchet distance of features of samples from those of the validation split.
pub struct FrechetEvaluator {
    network: Box<dyn Model>,
    name: String,
    reference: Gaussian,
    of_data: Option<f64>,
}

impl FrechetEvaluator {
    /// Compares samples with the examples of `valid` by the features of a classifier of this name;
    /// `None` if they do not fit it or are too few. Examples of `train` give the scale.
    ///
    /// # Errors
    /// If the network has no features.
    pub fn new(
        name: &str,
        network: Box<dyn Model>,
        train: &Examples,
        valid: &Examples,
    ) -> Result<Option<Self>> {
        if valid.len() < LEAST_FOR_NETWORK {
            return Ok(None);
        }
        let features = NamedClassifier::new(name, network.as_ref())?;
        if features.check("the examples", valid.domain(), valid.shape()).is_err() {
            return Ok(None);
        }
        let gaussian = |examples: &Examples| {
            let seen = features.classify_examples(examples, &examples.indices(), &mut |_| {})?;
            let dim = seen.features.len() / examples.len();
            Gaussian::of(Rows::new(&seen.features, dim, "the features of the data")?)
        };
        let reference = gaussian(valid)?;
        let of_data = match train.len() < LEAST_FOR_NETWORK {
            true => None,
            false => Some(gaussian(&train.clone().first(SAMPLES))?.frechet_distance(&reference)?),
        };
        Ok(Some(Self { network, name: name.to_owned(), reference, of_data }))
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

    fn scale(&self) -> Option<SampleScale> {
        self.of_data.map(|of_data| SampleScale { of_data, far: FAR_FRECHET * of_data })
    }
}

/// The Chamfer distance of two-dimensional samples from the validation split, with columns divided
/// by their standard deviations.
pub struct ChamferEvaluator {
    points: Vec<f32>,
    scales: [f32; 2],
    of_data: f64,
}

impl ChamferEvaluator {
    /// Whether it takes such examples: pairs of reals, and enough of them.
    pub fn suits(valid: &Examples) -> bool {
        let plane = valid.domain() == Domain::Real && valid.shape().size() == 2;
        plane && valid.len() >= LEAST_FOR_NETWORK
    }

    /// Compares samples with the examples of `valid`; `None` unless they suit. Examples of `train`
    /// give the scale.
    ///
    /// # Errors
    /// If a value is not finite.
    pub fn new(train: &Examples, valid: &Examples) -> Result<Option<Self>> {
        if !Self::suits(valid) {
            return Ok(None);
        }
        let first = |examples: &Examples| {
            let examples = examples.clone().first(SAMPLES);
            singles(&examples.batch(&examples.indices(), 0).values)
        };
        let mut points = first(valid);
        let scales = [0, 1].map(|column| scale(&points, 2, column));
        divide(&mut points, scales);
        let mut others = first(train);
        divide(&mut others, scales);
        let rows = |values| Rows::new(values, 2, "data");
        let of_data = chamfer_distance(rows(&others)?, rows(&points)?)?;
        Ok(Some(Self { points, scales, of_data }))
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

    fn scale(&self) -> Option<SampleScale> {
        let of_data = self.of_data;
        Some(SampleScale { of_data, far: FAR_CHAMFER * of_data })
    }
}

/// The energy distance of samples from the validation split, for all other data: columns are divided by
/// their standard deviations, and images are averaged over squares of pixels.
pub struct EnergyEvaluator {
    points: Vec<f32>,
    reduction: Reduction,
    of_data: Option<Estimate>,
}

impl EnergyEvaluator {
    /// Compares samples with the examples of `valid`; `None` if they are too few. Examples of `train`
    /// give the scale.
    ///
    /// # Errors
    /// If a value is not finite.
    pub fn new(train: &Examples, valid: &Examples) -> Result<Option<Self>> {
        if valid.len() < LEAST_VALIDATION {
            return Ok(None);
        }
        let first = |examples: &Examples| {
            let examples = examples.clone().first(ENERGY_SAMPLES);
            singles(&examples.batch(&examples.indices(), 0).values)
        };
        let mut reduction = Reduction { shape: valid.shape().clone(), scales: Vec::new() };
        let points = reduction.of(&first(valid));
        let dim = reduction.dim();
        reduction.scales = match valid.shape().as_image() {
            // Pixels have one scale, that of all of them.
            Some(_) => vec![scale(&points, 1, 0); dim],
            None => (0..dim).map(|column| scale(&points, dim, column)).collect(),
        };
        let points = reduction.of(&first(valid));
        let of_data = match train.len() < LEAST_VALIDATION {
            true => None,
            false => {
                let others = reduction.of(&first(train));
                let rows = |values| Rows::new(values, dim, "data");
                Some(energy_distance(rows(&others)?, rows(&points)?)?)
            }
        };
        Ok(Some(Self { points, reduction, of_data }))
    }

    /// The distance of the first samples of these, at most 500.
    ///
    /// # Errors
    /// If a value is not finite.
    pub fn distance(&self, samples: &[f64]) -> Result<Estimate> {
        let size = self.reduction.shape.size();
        let first = &samples[..samples.len().min(ENERGY_SAMPLES * size)];
        let drawn = self.reduction.of(&singles(first));
        let rows = |values, what| Rows::new(values, self.reduction.dim(), what);
        energy_distance(rows(&drawn, "samples")?, rows(&self.points, "data")?)
    }

    /// The distance of as many training examples; `None` if they are too few.
    pub fn distance_of_data(&self) -> Option<&Estimate> {
        self.of_data.as_ref()
    }

    /// The number of examples that samples are compared with.
    pub fn reference_len(&self) -> usize {
        self.points.len() / self.reduction.dim()
    }
}

impl Evaluator for EnergyEvaluator {
    fn evaluate(&self, model: &dyn Model) -> Result<(&'static str, f64)> {
        let drawn = draw(model, &SampleRequest::new(ENERGY_SAMPLES, SEED), &mut |_| {})?.values;
        Ok(("energy_distance", self.distance(&drawn)?.value))
    }

    fn scale(&self) -> Option<SampleScale> {
        let of_data = self.of_data.as_ref()?.value;
        Some(SampleScale { of_data, far: of_data.max(0.0) + FAR_ENERGY })
    }
}

/// Examples as they are compared: images averaged over squares of pixels, columns divided by scales.
struct Reduction {
    shape: Shape,
    /// One a column; none to leave columns as they are.
    scales: Vec<f32>,
}

impl Reduction {
    /// Pixels a side of the squares.
    fn side(&self) -> usize {
        let side = |[_, height, width]: [usize; 3]| height.max(width).div_ceil(ENERGY_SIDE);
        self.shape.as_image().map_or(1, side)
    }

    /// Columns of a reduced example.
    fn dim(&self) -> usize {
        let side = self.side();
        match self.shape.as_image() {
            Some([channels, height, width]) => {
                channels * height.div_ceil(side) * width.div_ceil(side)
            }
            None => self.shape.size(),
        }
    }

    fn of(&self, values: &[f32]) -> Vec<f32> {
        let (size, side) = (self.shape.size(), self.side());
        let mut reduced = match self.shape.as_image() {
            Some([channels, height, width]) if side > 1 => {
                let columns = width.div_ceil(side);
                let mut all = Vec::with_capacity(values.len() / size * self.dim());
                for plane in values.chunks_exact(size).flat_map(|x| x.chunks_exact(size / channels))
                {
                    for top in (0..height).step_by(side) {
                        for left in (0..columns).map(|column| column * side) {
                            let rows = top..(top + side).min(height);
                            let right = (left + side).min(width);
                            let n = rows.len() * (right - left);
                            let sum: f32 = rows
                                .flat_map(|row| &plane[row * width + left..row * width + right])
                                .sum();
                            all.push(sum / n as f32);
                        }
                    }
                }
                all
            }
            _ => values.to_vec(),
        };
        if !self.scales.is_empty() {
            for row in reduced.chunks_exact_mut(self.scales.len()) {
                row.iter_mut().zip(&self.scales).for_each(|(x, scale)| *x /= scale);
            }
        }
        reduced
    }
}

/// The standard deviation of a column of rows; 1 for one that is constant.
fn scale(points: &[f32], columns: usize, column: usize) -> f32 {
    let values = || points.chunks_exact(columns).map(|row| f64::from(row[column]));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A 1 × 3 × 33 image: squares of 3 pixels a side, the last of them as wide.
    #[test]
    fn images_are_averaged_over_squares() {
        let image =
            |height, width| Reduction { shape: Shape::image(1, height, width), scales: Vec::new() };
        let values: Vec<f32> = (0..99).map(|i| i as f32).collect();
        let reduction = image(3, 33);
        assert_eq!((reduction.side(), reduction.dim()), (3, 11));
        let reduced = reduction.of(&values);
        assert_eq!(reduced.len(), 11);
        // The mean of columns 0 to 2 of three rows of 33, and of columns 30 to 32.
        assert_eq!((reduced[0], reduced[10]), (34.0, 64.0));
        // Ragged: 17 columns are eight pairs and one.
        let reduced = image(2, 17).of(&values[..34]);
        assert_eq!(reduced.len(), 9);
        assert_eq!((reduced[0], reduced[8]), (9.0, 24.5));
        assert_eq!(image(4, 4).of(&values[..16]), &values[..16]);
    }
}
