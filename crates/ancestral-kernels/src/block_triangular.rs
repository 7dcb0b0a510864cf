//! Dense layers with a block-triangular weight matrix: the masked layers of MADE, with inputs and units
//! sorted by degree.
//!
//! Output j is connected to inputs 0..limit(j), and limits do not decrease. Weights are stored by
//! blocks of columns, each block with the rows that its last column needs; so about half of the
//! weights of an autoregressive layer are neither stored, nor multiplied, nor updated.

use std::sync::Arc;

use burn::{
    backend::TensorMetadata,
    tensor::{Shape, Tensor, TensorData},
};
use rayon::prelude::*;

use crate::{
    activation::Activation,
    autodiff::Operation,
    flex::{self, Primitive},
    gemm, linear,
    parallel::SharedPtr,
    simd::Isa,
};

/// Columns of a block.
const WIDTH: usize = 64;
/// Inputs per task of the input gradient.
const TILE: usize = 256;

/// A block of columns with a common number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    first: usize,
    width: usize,
    rows: usize,
    /// The offset of its weights, which are row-major.
    start: usize,
}

/// The layout of a block-triangular layer: the inputs of each output, and the offsets of its weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockTriangularLinear {
    inputs: usize,
    limits: Vec<usize>,
    blocks: Vec<Block>,
    len: usize,
}

impl BlockTriangularLinear {
    /// The layout in which output j is connected to the first `limits[j]` inputs.
    ///
    /// # Panics
    /// If a limit is below the one before, or above `inputs`.
    pub fn new(inputs: usize, limits: Vec<usize>) -> Self {
        assert!(limits.is_sorted(), "BlockTriangularLinear: limits must not fall");
        assert!(
            limits.last().is_none_or(|&l| l <= inputs),
            "BlockTriangularLinear: a limit above the inputs"
        );
        let mut blocks = Vec::new();
        let mut len = 0;
        for (i, columns) in limits.chunks(WIDTH).enumerate() {
            let rows = columns.last().copied().unwrap_or(0);
            blocks.push(Block { first: i * WIDTH, width: columns.len(), rows, start: len });
            len += rows * columns.len();
        }
        Self { inputs, limits, blocks, len }
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The number of inputs of each output.
    pub fn limits(&self) -> &[usize] {
        &self.limits
    }

    /// The number of weights.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no weights.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets the masked weights within the blocks to zero, as [`block_triangular_linear`] needs them.
    pub fn clear_unseen(&self, weight: &mut [f32]) {
        assert_eq!(weight.len(), self.len, "BlockTriangularLinear: weights of another layer");
        for block in &self.blocks {
            for row in 0..block.rows {
                for column in 0..block.width {
                    if row >= self.limits[block.first + column] {
                        weight[block.start + row * block.width + column] = 0.0;
                    }
                }
            }
        }
    }

    /// The weights of one output, one for each of its inputs.
    pub fn column<'a>(&self, weight: &'a [f32], output: usize) -> impl Iterator<Item = f32> + 'a {
        let block = self.blocks[output / WIDTH];
        let at = block.start + output - block.first;
        (0..self.limits[output]).map(move |row| weight[at + row * block.width])
    }

    /// Packs a matrix `[inputs, outputs]`.
    pub fn pack(&self, dense: &[f32]) -> Vec<f32> {
        let outputs = self.limits.len();
        assert_eq!(
            dense.len(),
            self.inputs * outputs,
            "BlockTriangularLinear: a matrix of another layer"
        );
        let mut packed = Vec::with_capacity(self.len);
        for block in &self.blocks {
            for row in 0..block.rows {
                packed.extend_from_slice(&dense[row * outputs + block.first..][..block.width]);
            }
        }
        self.clear_unseen(&mut packed);
        packed
    }

    /// The mask of a block: 1 for connections, else 0.
    fn mask(&self, block: Block) -> Vec<f32> {
        (0..block.rows * block.width)
            .map(|i| {
                let (row, column) = (i / block.width, i % block.width);
                f32::from(row < self.limits[block.first + column])
            })
            .collect()
    }
}

/// act(x·weight + bias), for `x` `[batch, inputs]`, packed `weight` `[layout.len()]` and `bias`
/// `[outputs]`; the result is `[batch, outputs]`.
///
/// `f32` on Flex runs fused; any other type or backend is composed of Burn's operations. Masked
/// weights must be zero ([`BlockTriangularLinear::clear_unseen`]); they get no gradient, so that they
/// stay zero.
///
/// # Panics
/// If the shapes do not fit.
pub fn block_triangular_linear(
    x: Tensor<2>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    layout: &Arc<BlockTriangularLinear>,
    activation: Activation,
) -> Tensor<2> {
    let ([_, inputs], [weights], [outputs]) = (x.dims(), weight.dims(), bias.dims());
    assert!(
        inputs == layout.inputs && weights == layout.len && outputs == layout.limits.len(),
        "block_triangular_linear: x [_, {inputs}], weight [{weights}] and bias [{outputs}] do not \
         fit {} inputs, {} weights and {} outputs",
        layout.inputs,
        layout.len,
        layout.limits.len()
    );
    if flex::is_fast(&x) && flex::is_fast(&weight) && flex::is_fast(&bias) {
        return MaskedLinear::run((x, weight, bias), (layout.clone(), activation));
    }
    composed_block_triangular(x, weight, bias, layout, activation)
}

/// The same, composed of Burn's operations, block by block.
pub(crate) fn composed_block_triangular(
    x: Tensor<2>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    layout: &BlockTriangularLinear,
    activation: Activation,
) -> Tensor<2> {
    let batch = x.dims()[0];
    let sums = layout.blocks.iter().map(|&block| {
        let bias = bias.clone().narrow(0, block.first, block.width).unsqueeze_dim::<2>(0);
        if block.rows == 0 {
            return bias.repeat_dim(0, batch);
        }
        let size = [block.rows, block.width];
        let mask = TensorData::new(layout.mask(block), size);
        let mask: Tensor<2> = Tensor::from_data(mask, (&weight.device(), weight.dtype()));
        let weight = weight.clone().narrow(0, block.start, block.rows * block.width);
        x.clone().narrow(1, 0, block.rows).matmul(weight.reshape(size) * mask) + bias
    });
    linear::composed_activation(Tensor::cat(sums.collect(), 1), activation)
}

/// act(x·weight + bias).
fn forward(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    batch: usize,
    layout: &BlockTriangularLinear,
    activation: Activation,
) -> Vec<f32> {
    let (k, n) = (layout.inputs, layout.limits.len());
    assert_eq!(weight.len(), layout.len, "one weight for each place of the blocks");
    // SAFETY: the blocks cover all columns of the output and do not overlap; each reads the first
    // `rows` columns of `x` and its own weights.
    unsafe {
        flex::filled(batch * n, |out| {
            let out = SharedPtr(out);
            layout.blocks.par_iter().for_each(|block| {
                let to = out.get().add(block.first);
                let (a, b) = (x.as_ptr(), weight.as_ptr().add(block.start));
                let size = [batch, block.width, block.rows];
                gemm::strided(size, to, n, false, (a, [k, 1]), (b, [block.width, 1]));
            });
            gemm::bias_activation(Isa::best(), out, bias, batch, activation);
        })
    }
}

/// xᵀ·delta for the connections, packed.
fn weight_gradient(
    x: &[f32],
    delta: &[f32],
    batch: usize,
    layout: &BlockTriangularLinear,
) -> Vec<f32> {
    let (k, n) = (layout.inputs, layout.limits.len());
    // SAFETY: each block writes its own weights, all of them.
    let mut out = unsafe {
        flex::filled(layout.len, |out| {
            let out = SharedPtr(out);
            layout.blocks.par_iter().for_each(|block| {
                let to = out.get().add(block.start);
                let (a, b) = (x.as_ptr(), delta.as_ptr().add(block.first));
                let size = [block.rows, block.width, batch];
                gemm::strided(size, to, block.width, false, (a, [1, k]), (b, [n, 1]));
            });
        })
    };
    layout.clear_unseen_edges(&mut out);
    out
}

/// delta·weightᵀ.
fn input_gradient(
    weight: &[f32],
    delta: &[f32],
    batch: usize,
    layout: &BlockTriangularLinear,
) -> Vec<f32> {
    let (k, n) = (layout.inputs, layout.limits.len());
    let mut out = vec![0.0f32; batch * k];
    let to = SharedPtr(out.as_mut_ptr());
    (0..k.div_ceil(TILE)).into_par_iter().for_each(|tile| {
        let first = tile * TILE;
        for block in layout.blocks.iter().filter(|block| block.rows > first) {
            let rows = (block.rows - first).min(TILE);
            let size = [batch, rows, block.width];
            // SAFETY: each tile adds to its own columns of the output; the weights are those of
            // rows first..first + rows of the block, read as columns.
            unsafe {
                let to = to.get().add(first);
                let a = delta.as_ptr().add(block.first);
                let b = weight.as_ptr().add(block.start + first * block.width);
                gemm::strided(size, to, k, true, (a, [n, 1]), (b, [1, block.width]));
            }
        }
    });
    out
}

impl BlockTriangularLinear {
    /// [`BlockTriangularLinear::clear_unseen`] for rows beyond the least limit of a block.
    fn clear_unseen_edges(&self, weight: &mut [f32]) {
        for block in &self.blocks {
            let limits = &self.limits[block.first..][..block.width];
            for row in limits.first().copied().unwrap_or(0)..block.rows {
                let seen = limits.partition_point(|&limit| limit <= row);
                weight[block.start + row * block.width..][..seen].fill(0.0);
            }
        }
    }
}

#[derive(Debug, Clone)]
struct MaskedLinear {
    x: Primitive,
    weight: Primitive,
    y: Primitive,
    layout: Arc<BlockTriangularLinear>,
    activation: Activation,
}

impl Operation<3> for MaskedLinear {
    type Parameters = (Arc<BlockTriangularLinear>, Activation);

    fn forward(
        [x, weight, bias]: [Primitive; 3],
        (layout, activation): Self::Parameters,
    ) -> (Primitive, Self) {
        let ([batch, _], n) = (x.shape().dims::<2>(), layout.limits.len());
        let (values, weights, biases) = (x.storage(), weight.storage(), bias.storage());
        let y = forward(values, weights, biases, batch, &layout, activation);
        let y = flex::tensor(y, Shape::new([batch, n]));
        (y.clone(), Self { x, weight, y, layout, activation })
    }

    fn backward(self, grad: Primitive, [x, weight, bias]: [bool; 3]) -> [Option<Primitive>; 3] {
        let Self { x: values, weight: weights, y, layout, activation } = self;
        let ([batch, k], n) = (values.shape().dims::<2>(), layout.limits.len());
        let delta = linear::through(activation, grad, y);
        let d = delta.storage::<f32>();
        let for_x = || input_gradient(weights.storage(), d, batch, &layout);
        let for_weight = || weight_gradient(values.storage(), d, batch, &layout);
        [
            x.then(|| flex::tensor(for_x(), Shape::new([batch, k]))),
            weight.then(|| flex::tensor(for_weight(), Shape::new([layout.len]))),
            bias.then(|| linear::column_sums(d, batch, n)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device};

    use super::*;
    use crate::{linear::composed_linear as dense, tests::noise};

    /// Batch, inputs and the limits.
    fn cases() -> Vec<(usize, BlockTriangularLinear)> {
        let even = |inputs: usize, outputs: usize| {
            BlockTriangularLinear::new(
                inputs,
                (0..outputs).map(|j| j * inputs / outputs.max(1)).collect(),
            )
        };
        vec![
            (1, BlockTriangularLinear::new(1, vec![1])),
            (3, BlockTriangularLinear::new(4, vec![0, 0, 0])),
            (2, BlockTriangularLinear::new(5, vec![0, 2, 2, 5, 5, 5])),
            (7, even(65, 65)),
            (5, even(30, 200)),
            (9, even(600, 70)),
            (4, BlockTriangularLinear::new(300, vec![300; 129])),
        ]
    }

    fn tensors(
        batch: usize,
        layout: &BlockTriangularLinear,
        dtype: DType,
    ) -> (Tensor<2>, Tensor<1>, Tensor<1>, Tensor<2>) {
        let device = Device::flex().autodiff();
        let (k, n) = (layout.inputs, layout.limits.len());
        let mut weight = noise(2, layout.len);
        layout.clear_unseen(&mut weight);
        let x = TensorData::new(noise(1, batch * k), [batch, k]);
        let x = Tensor::<2>::from_data(x, (&device, dtype)).require_grad();
        let w = Tensor::<1>::from_data(TensorData::new(weight, [layout.len]), (&device, dtype));
        let b = Tensor::<1>::from_data(TensorData::new(noise(3, n), [n]), (&device, dtype));
        let pull = TensorData::new(noise(4, batch * n), [batch, n]);
        let pull = Tensor::<2>::from_data(pull, (&device, dtype));
        (x, w.require_grad(), b.require_grad(), pull)
    }

    /// Value and the three gradients.
    fn pulled(
        batch: usize,
        layout: &Arc<BlockTriangularLinear>,
        activation: Activation,
        dtype: DType,
    ) -> [Vec<f64>; 4] {
        let (x, w, b, pull) = tensors(batch, layout, dtype);
        let y = block_triangular_linear(x.clone(), w.clone(), b.clone(), layout, activation);
        let grads = (y.clone() * pull).sum().backward();
        let f64s = |data: TensorData| data.try_into_vec_as::<f64>().unwrap();
        [
            f64s(y.into_data()),
            // Inputs without connections have no gradient in the composed form.
            f64s(x.grad(&grads).unwrap_or_else(|| x.inner().zeros_like()).into_data()),
            f64s(w.grad(&grads).unwrap_or_else(|| w.inner().zeros_like()).into_data()),
            f64s(b.grad(&grads).unwrap().into_data()),
        ]
    }

    #[test]
    fn the_fused_form_agrees_with_the_composed_one_in_f64() {
        for (batch, layout) in cases() {
            let layout = Arc::new(layout);
            for activation in [Activation::None, Activation::Relu, Activation::Tanh] {
                let ours = pulled(batch, &layout, activation, DType::F32);
                let theirs = pulled(batch, &layout, activation, DType::F64);
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    assert_eq!(ours.len(), theirs.len());
                    for (a, b) in ours.iter().zip(theirs) {
                        assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "{a} {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_packed_matrix_is_the_matrix_under_its_mask() {
        for (batch, layout) in cases() {
            let (k, n) = (layout.inputs, layout.limits.len());
            let mut matrix = noise(5, k * n);
            let packed = layout.pack(&matrix);
            assert_eq!(packed.len(), layout.len());
            for (i, w) in matrix.iter_mut().enumerate() {
                if i / n >= layout.limits[i % n] {
                    *w = 0.0;
                }
            }
            for output in [0, n / 2, n - 1] {
                let column: Vec<f32> =
                    (0..layout.limits[output]).map(|row| matrix[row * n + output]).collect();
                assert_eq!(layout.column(&packed, output).collect::<Vec<_>>(), column);
            }
            let device = Device::flex();
            let from = |values: Vec<f32>, shape: [usize; 2]| -> Tensor<2> {
                Tensor::from_data(TensorData::new(values, shape), (&device, DType::F64))
            };
            let x = from(noise(6, batch * k), [batch, k]);
            let zero = Tensor::<1>::zeros([n], (&device, DType::F64));
            let want = dense(x.clone(), from(matrix, [k, n]), zero.clone(), Activation::None);
            let weight = Tensor::<1>::from_data(
                TensorData::new(packed, [layout.len()]),
                (&device, DType::F64),
            );
            let got = block_triangular_linear(x, weight, zero, &Arc::new(layout), Activation::None);
            let f64s = |t: Tensor<2>| t.into_data().try_into_vec_as::<f64>().unwrap();
            for (a, b) in f64s(got).into_iter().zip(f64s(want)) {
                assert!((a - b).abs() < 1e-10, "{a} {b}");
            }
        }
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        for (batch, layout) in cases() {
            let layout = Arc::new(layout);
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| pulled(batch, &layout, Activation::Relu, DType::F32))
            };
            assert_eq!(run(1), run(3));
        }
    }

    #[test]
    fn unseen_weights_get_no_gradient() {
        for (batch, layout) in cases() {
            let layout = Arc::new(layout);
            let gradient = pulled(batch, &layout, Activation::None, DType::F32)[2].clone();
            let mut cleared: Vec<f32> = gradient.iter().map(|&g| g as f32).collect();
            layout.clear_unseen(&mut cleared);
            assert!(gradient.iter().zip(&cleared).all(|(&a, &b)| a as f32 == b));
        }
    }
}
