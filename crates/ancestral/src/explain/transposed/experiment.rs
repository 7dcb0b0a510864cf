//! A transposed convolution (Dumoulin and Visin 2016, arXiv:1603.07285, section 4) inserts stride −
//! 1 zeros between the entries of its input and then applies an ordinary convolution of stride 1
//! with the filter rotated by 180°.
//!
//! Its matrix is the transpose of that of the convolution with the same stride. If the filter's
//! side is not a multiple of the stride, some outputs sum more terms than their neighbors: the
//! checkerboard artifacts of Odena, Dumoulin and Olah 2016 (doi:10.23915/distill.00003).

use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{DType, Tensor, TensorData, module};

use crate::nn::to_f64;
use crate::spec::cpu;
use crate::{Error, Result};

/// A square feature map with one channel, row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMap {
    /// The number of rows and of columns.
    pub side: usize,
    /// `[side, side]`.
    pub values: Vec<f64>,
}

impl FeatureMap {
    /// The inner product with a map of the same size.
    pub fn dot(&self, other: &Self) -> f64 {
        self.values.iter().zip(&other.values).map(|(a, b)| a * b).sum()
    }

    /// The largest absolute difference from a map of the same size.
    pub fn difference(&self, other: &Self) -> f64 {
        let pairs = self.values.iter().zip(&other.values);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    fn tensor(&self) -> Tensor<4> {
        let data = TensorData::new(self.values.clone(), [1, 1, self.side, self.side]);
        // In double precision, which other devices may lack.
        Tensor::from_data(data, (&cpu(), DType::F64))
    }

    fn of(tensor: Tensor<4>) -> Self {
        Self { side: tensor.dims()[2], values: to_f64(tensor) }
    }

    /// The map rotated by 180°.
    fn rotated(&self) -> Self {
        Self { side: self.side, values: self.values.iter().rev().copied().collect() }
    }
}

/// A transposed convolution of a map, step by step.
#[derive(Debug, Clone)]
pub struct TransposedConvolution {
    /// The input with zeros between its entries and around them.
    pub zero_stuffed: FeatureMap,
    /// The output of the transposed convolution.
    pub output: FeatureMap,
    /// The ordinary convolution of the zero-stuffed input with the rotated filter.
    pub convolved: FeatureMap,
    /// The number of input entries that contribute to each output.
    pub terms: FeatureMap,
}

/// The transposed convolution of `input` with `filter`, without padding, and the equivalent
/// ordinary convolution.
///
/// # Errors
/// If the stride is 0 or a map is empty or the number of values is not the square of the side.
pub fn transposed_convolution(
    input: &FeatureMap,
    filter: &FeatureMap,
    stride: usize,
) -> Result<TransposedConvolution> {
    check(input, filter, stride)?;
    let margin = filter.side - 1;
    let side = (input.side - 1) * stride + 1 + 2 * margin;
    let mut zero_stuffed = FeatureMap { side, values: vec![0.0; side * side] };
    for (i, &value) in input.values.iter().enumerate() {
        let (row, column) = (i / input.side * stride + margin, i % input.side * stride + margin);
        zero_stuffed.values[row * side + column] = value;
    }
    let ones =
        |map: &FeatureMap| FeatureMap { side: map.side, values: vec![1.0; map.values.len()] };
    let options = ConvOptions::new([1; 2], [0; 2], [1; 2], 1);
    let convolved = module::conv2d(zero_stuffed.tensor(), filter.rotated().tensor(), None, options);
    Ok(TransposedConvolution {
        output: transposed(input, filter, stride),
        terms: transposed(&ones(input), &ones(filter), stride),
        convolved: FeatureMap::of(convolved),
        zero_stuffed,
    })
}

fn transposed(input: &FeatureMap, filter: &FeatureMap, stride: usize) -> FeatureMap {
    let options = ConvTransposeOptions::new([stride; 2], [0; 2], [0; 2], [1; 2], 1);
    FeatureMap::of(module::conv_transpose2d(input.tensor(), filter.tensor(), None, options))
}

/// The ordinary convolution with a stride, without padding.
///
/// # Errors
/// As [`transposed_convolution`], or if the map is smaller than the filter.
pub fn convolution(map: &FeatureMap, filter: &FeatureMap, stride: usize) -> Result<FeatureMap> {
    check(map, filter, stride)?;
    if map.side < filter.side {
        let given = format!("{} × {0}", map.side);
        return Err(Error::setting("map", given, format!("the filter is {} wide", filter.side)));
    }
    let options = ConvOptions::new([stride; 2], [0; 2], [1; 2], 1);
    Ok(FeatureMap::of(module::conv2d(map.tensor(), filter.tensor(), None, options)))
}

fn check(map: &FeatureMap, filter: &FeatureMap, stride: usize) -> Result<()> {
    if stride == 0 {
        return Err(Error::setting("stride", 0, "it must be 1 or more"));
    }
    for map in [map, filter] {
        if map.side == 0 || map.values.len() != map.side * map.side {
            let given = format!("{} values", map.values.len());
            return Err(Error::setting("map", given, format!("a side of {} was given", map.side)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(side: usize, f: f64) -> FeatureMap {
        FeatureMap { side, values: (0..side * side).map(|i| (f * i as f64).sin() + 0.1).collect() }
    }

    #[test]
    fn a_transposed_convolution_is_one_of_the_zero_stuffed_map() {
        for (side, width) in [(1, 1), (3, 3), (4, 4), (5, 2)] {
            for stride in [1, 2, 3] {
                let (x, filter) = (map(side, 1.3), map(width, 0.7));
                let found = transposed_convolution(&x, &filter, stride).unwrap();
                assert_eq!(found.output.side, (side - 1) * stride + width);
                assert!(found.output.difference(&found.convolved) < 1e-12);
                // ⟨convolution(y), x⟩ = ⟨y, transposed_convolution(x)⟩: one matrix, transposed.
                let y = map(found.output.side, 0.9);
                let (a, b) =
                    (convolution(&y, &filter, stride).unwrap().dot(&x), y.dot(&found.output));
                assert!((a - b).abs() < 1e-12, "{a} {b}");
                let terms: f64 = found.terms.values.iter().sum();
                assert_eq!(terms, (side * side * width * width) as f64);
            }
        }
    }

    #[test]
    fn what_are_no_maps_is_refused() {
        let good = map(2, 1.0);
        assert!(transposed_convolution(&good, &good, 0).is_err());
        assert!(
            transposed_convolution(&FeatureMap { side: 2, values: vec![1.0] }, &good, 1).is_err()
        );
        assert!(transposed_convolution(&good, &FeatureMap { side: 0, values: vec![] }, 1).is_err());
        assert!(convolution(&good, &map(3, 1.0), 1).is_err());
    }
}
