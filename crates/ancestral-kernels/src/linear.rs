//! A dense layer with its activation: one product, then one pass that adds the bias and applies
//! the activation; its gradient likewise. Inputs that are mostly zeros, such as binary images, use
//! the products of [`sparse`](crate::sparse).

use std::sync::Arc;

use burn::{
    backend::TensorMetadata,
    tensor::{Shape, Tensor, activation},
};

use crate::{
    activation::Activation,
    autodiff::Operation,
    elementwise::{self, composed_softplus},
    flex::{self, Primitive},
    gemm,
    matrix::Matrix,
    precision::{Precision, Products},
    simd::Isa,
    sparse::Sparse,
    vector,
};

/// act(x·weight + bias), for `x` \[batch, in\], `weight` \[in, out\] and `bias` \[out\]; the result
/// is \[batch, out\].
///
/// `f32` on Flex runs as one fused operation; any other type or backend is composed of Burn's
/// operations. The gradient of `x` is computed only if `x` is tracked. An `x` of at least 4096
/// values of which at most a quarter is not zero is multiplied as a sparse matrix, in `f32`: there, 0·∞
/// counts as 0.
///
/// # Panics
/// If the shapes do not fit.
pub fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    activation: Activation,
    precision: Precision,
) -> Tensor<2> {
    let ([_, from], [inputs, outputs], [biases]) = (x.dims(), weight.dims(), bias.dims());
    assert!(
        from == inputs && outputs == biases,
        "linear: x [_, {from}], weight [{inputs}, {outputs}] and bias [{biases}] do not fit"
    );
    if flex::is_fast(&x) && flex::is_fast(&weight) && flex::is_fast(&bias) {
        return Linear::run((x, weight, bias), (activation, precision));
    }
    composed_linear(x, weight, bias, activation)
}

/// v·weightᵀ, for `v` \[batch, out\] and `weight` \[in, out\]: the vector-Jacobian product of [`linear`]
/// without its activation; the result is \[batch, in\].
///
/// `f32` on Flex needs no transposed copy of the weights or of their gradient; any other type or
/// backend is Burn's product.
///
/// # Panics
/// If the shapes do not fit.
pub fn linear_vjp(v: Tensor<2>, weight: Tensor<2>, precision: Precision) -> Tensor<2> {
    let ([_, from], [_, outputs]) = (v.dims(), weight.dims());
    assert!(from == outputs, "linear_vjp: v [_, {from}] and weight [_, {outputs}] do not fit");
    if flex::is_fast(&v) && flex::is_fast(&weight) {
        return LinearVjp::run((v, weight), precision);
    }
    v.matmul(weight.transpose())
}

/// The same, composed of Burn's operations.
pub(crate) fn composed_linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    activation: Activation,
) -> Tensor<2> {
    composed_activation(x.matmul(weight) + bias.unsqueeze_dim::<2>(0), activation)
}

pub(crate) fn composed_activation(sum: Tensor<2>, activation: Activation) -> Tensor<2> {
    match activation {
        Activation::None => sum,
        Activation::Tanh => sum.tanh(),
        Activation::Sigmoid => activation::sigmoid(sum),
        Activation::Softplus => composed_softplus(sum),
        Activation::Relu => activation::relu(sum),
    }
}

/// The gradient of the pre-activations of a layer, from that of its outputs `y`.
pub(crate) fn through(activation: Activation, grad: Primitive, y: Primitive) -> Primitive {
    match activation {
        Activation::None => flex::contiguous(grad),
        Activation::Tanh => elementwise::zip::<vector::TanhGrad>(grad, y),
        Activation::Sigmoid => elementwise::zip::<vector::SigmoidGrad>(grad, y),
        Activation::Softplus => elementwise::zip::<vector::SoftplusGradFromValue>(grad, y),
        Activation::Relu => elementwise::zip::<vector::ReluGrad>(grad, y),
    }
}

#[derive(Debug, Clone)]
struct Linear {
    x: Primitive,
    /// The input in sparse form, if it is mostly zeros.
    sparse: Option<Arc<Sparse>>,
    weight: Primitive,
    y: Primitive,
    activation: Activation,
    products: Products,
}

impl Operation<3> for Linear {
    type Parameters = (Activation, Precision);

    fn forward(
        [x, weight, bias]: [Primitive; 3],
        (activation, precision): Self::Parameters,
    ) -> (Primitive, Self) {
        let ([m, k], [_, n]) = (x.shape().dims(), weight.shape().dims());
        let isa = Isa::best();
        let products = precision.on(isa);
        let sparse = Sparse::from_dense(isa, x.storage(), m, k);
        let y = match &sparse {
            Some(x) => x.affine(isa, weight.storage(), n, Some(bias.storage()), activation),
            None => {
                let (x, weight) =
                    (Matrix::rows(x.storage(), m, k), Matrix::rows(weight.storage(), k, n));
                gemm::affine(isa, x, weight, bias.storage(), activation, products)
            }
        };
        let y = flex::tensor(y, Shape::new([m, n]));
        (y.clone(), Self { x, sparse: sparse.map(Arc::new), weight, y, activation, products })
    }

    fn backward(self, grad: Primitive, [x, weight, bias]: [bool; 3]) -> [Option<Primitive>; 3] {
        let ([m, k], [_, n]) = (self.x.shape().dims(), self.weight.shape().dims());
        let delta = through(self.activation, grad, self.y);
        let d = delta.storage::<f32>();
        let for_weight = || match &self.sparse {
            Some(x) => x.transposed().affine(Isa::best(), d, n, None, Activation::None),
            None => gemm::product(
                self.products,
                Matrix::rows(self.x.storage(), m, k).transposed(),
                Matrix::rows(d, m, n),
            ),
        };
        [
            x.then(|| pull(&delta, &self.weight, self.products)),
            weight.then(|| flex::tensor(for_weight(), Shape::new([k, n]))),
            bias.then(|| column_sums(d, m, n)),
        ]
    }
}

/// The sum of each column of an \[m, n\] matrix: the gradient of a bias.
pub(crate) fn column_sums(values: &[f32], m: usize, n: usize) -> Primitive {
    flex::tensor(gemm::column_sums(Isa::best(), values, m, n), Shape::new([n]))
}

#[derive(Debug, Clone)]
struct LinearVjp {
    v: Primitive,
    weight: Primitive,
    products: Products,
}

/// v·weightᵀ; both contiguous.
fn pull(v: &Primitive, weight: &Primitive, products: Products) -> Primitive {
    let ([m, n], [k, _]) = (v.shape().dims(), weight.shape().dims());
    let weight = Matrix::rows(weight.storage(), k, n).transposed();
    let v = Matrix::rows(v.storage(), m, n);
    flex::tensor(gemm::product(products, v, weight), Shape::new([m, k]))
}

impl Operation<2> for LinearVjp {
    type Parameters = Precision;

    fn forward([v, weight]: [Primitive; 2], precision: Precision) -> (Primitive, Self) {
        let products = precision.on(Isa::best());
        (pull(&v, &weight, products), Self { v, weight, products })
    }

    fn backward(self, grad: Primitive, [v, weight]: [bool; 2]) -> [Option<Primitive>; 2] {
        let ([m, n], [k, _]) = (self.v.shape().dims(), self.weight.shape().dims());
        let grad = Matrix::rows(grad.storage(), m, k);
        let product = |a, b| gemm::product(self.products, a, b);
        let for_v = || product(grad, Matrix::rows(self.weight.storage(), k, n));
        let for_weight = || product(grad.transposed(), Matrix::rows(self.v.storage(), m, n));
        [
            v.then(|| flex::tensor(for_v(), Shape::new([m, n]))),
            weight.then(|| flex::tensor(for_weight(), Shape::new([k, n]))),
        ]
    }
}
