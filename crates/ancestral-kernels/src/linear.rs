//! A dense layer with its activation: one product, then one pass that adds the bias and applies
//! the activation; its gradient likewise. Inputs that are mostly zeros, such as binary images, take
//! the products of [`sparse`](crate::sparse).

use std::sync::Arc;

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::FloatTensor,
    },
    tensor::{Shape, Tensor, activation},
};

use crate::{
    elementwise::{self, composed_softplus},
    flex::{self, Primitive},
    gemm::{self, Matrix},
    simd::Isa,
    sparse::Sparse,
    vector,
};

/// What a dense layer applies to its sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// tanh.
    Tanh,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// ln(1 + eˣ).
    Softplus,
    /// max(x, 0).
    Relu,
}

/// act(x·weight + bias), for `x` \[batch, in\], `weight` \[in, out\] and `bias` \[out\]; the result
/// is \[batch, out\].
///
/// `f32` on Flex runs as one fused operation; any other type or backend is composed of Burn's
/// operations. The gradient for `x` is computed only where `x` is tracked. An `x` of at least 4096
/// values of which at most a quarter is not zero is multiplied entry by entry: there, 0·∞ counts as
/// 0.
///
/// # Panics
/// If the shapes do not fit.
pub fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    activation: Activation,
) -> Tensor<2> {
    let ([_, from], [inputs, outputs], [biases]) = (x.dims(), weight.dims(), bias.dims());
    assert!(
        from == inputs && outputs == biases,
        "linear: x [_, {from}], weight [{inputs}, {outputs}] and bias [{biases}] do not fit"
    );
    if flex::is_fast(&x) && flex::is_fast(&weight) && flex::is_fast(&bias) {
        return Tensor::from_dispatch(<Dispatch as LinearOps>::fused_linear(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.into_dispatch(),
            activation,
        ));
    }
    composed_linear(x, weight, bias, activation)
}

/// v·weightᵀ, for `v` \[batch, out\] and `weight` \[in, out\]: the product of `v` with the Jacobian of
/// [`linear`] without its activation; the result is \[batch, in\].
///
/// `f32` on Flex takes neither a turned copy of the weights nor one of their gradient; any other type
/// or backend is Burn's product.
///
/// # Panics
/// If the shapes do not fit.
pub fn linear_vjp(v: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    let ([_, from], [_, outputs]) = (v.dims(), weight.dims());
    assert!(from == outputs, "linear_vjp: v [_, {from}] and weight [_, {outputs}] do not fit");
    if flex::is_fast(&v) && flex::is_fast(&weight) {
        return Tensor::from_dispatch(<Dispatch as LinearOps>::fused_linear_vjp(
            v.into_dispatch(),
            weight.into_dispatch(),
        ));
    }
    v.matmul(weight.transpose())
}

/// The same in Burn's operations.
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

/// The extension.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait LinearOps: Backend {
    fn fused_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;

    fn fused_linear_vjp(v: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// The output, and the sparse form of `x` where it is sparse; `x` and `weight` contiguous.
fn forward(
    x: &Primitive,
    weight: &Primitive,
    bias: Primitive,
    activation: Activation,
) -> (Primitive, Option<Arc<Sparse>>) {
    let bias = flex::contiguous(bias);
    let ([m, k], [_, n]) = (x.shape().dims(), weight.shape().dims());
    let isa = Isa::best();
    let sparse = Sparse::from_dense(isa, x.storage(), m, k);
    let out = match &sparse {
        Some(x) => x.affine(isa, weight.storage(), n, Some(bias.storage()), activation),
        None => {
            let (x, weight) =
                (Matrix::rows(x.storage(), m, k), Matrix::rows(weight.storage(), k, n));
            gemm::affine(isa, x, weight, bias.storage(), activation)
        }
    };
    (flex::tensor(out, Shape::new([m, n])), sparse.map(Arc::new))
}

impl LinearOps for Flex {
    fn fused_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        forward(&flex::contiguous(x), &flex::contiguous(weight), bias, activation).0
    }

    fn fused_linear_vjp(v: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        pull(&flex::contiguous(v), &flex::contiguous(weight))
    }
}

/// v·weightᵀ; both contiguous.
fn pull(v: &Primitive, weight: &Primitive) -> Primitive {
    let ([m, n], [k, _]) = (v.shape().dims(), weight.shape().dims());
    let weight = Matrix::rows(weight.storage(), k, n).transposed();
    flex::tensor(gemm::product(Matrix::rows(v.storage(), m, n), weight), Shape::new([m, k]))
}

/// The gradient for the sums of a layer, from the one for its outputs `y`.
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
struct LinearState {
    x: Primitive,
    /// The same, where it is sparse.
    sparse: Option<Arc<Sparse>>,
    weight: Primitive,
    y: Primitive,
}

#[derive(Debug)]
struct LinearBackward(Activation);

impl Backward<Flex, 3> for LinearBackward {
    type State = LinearState;

    fn backward(self, ops: Ops<LinearState, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let LinearState { x, sparse, weight, y } = ops.state;
        let ([m, k], [_, n]) = (x.shape().dims(), weight.shape().dims());
        let [for_x, for_weight, for_bias] = ops.parents;
        let delta = through(self.0, grad, y);
        let d = delta.storage::<f32>();
        if let Some(node) = for_weight {
            let out = match sparse {
                Some(x) => x.transposed().affine(Isa::best(), d, n, None, Activation::None),
                None => gemm::product(
                    Matrix::rows(x.storage(), m, k).transposed(),
                    Matrix::rows(d, m, n),
                ),
            };
            grads.register::<Flex>(node.id, flex::tensor(out, Shape::new([k, n])));
        }
        if let Some(node) = for_x {
            let out = gemm::product(
                Matrix::rows(d, m, n),
                Matrix::rows(weight.storage(), k, n).transposed(),
            );
            grads.register::<Flex>(node.id, flex::tensor(out, Shape::new([m, k])));
        }
        if let Some(node) = for_bias {
            let out = gemm::column_sums(Isa::best(), d, m, n);
            grads.register::<Flex>(node.id, flex::tensor(out, Shape::new([n])));
        }
    }
}

#[derive(Debug)]
struct VjpBackward;

impl Backward<Flex, 2> for VjpBackward {
    type State = [Primitive; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = flex::contiguous(grads.consume::<Flex>(&ops.node));
        let [v, weight] = ops.state;
        let ([m, n], [k, _]) = (v.shape().dims(), weight.shape().dims());
        let [for_v, for_weight] = ops.parents;
        let grad = Matrix::rows(grad.storage(), m, k);
        if let Some(node) = for_v {
            let out = gemm::product(grad, Matrix::rows(weight.storage(), k, n));
            grads.register::<Flex>(node.id, flex::tensor(out, Shape::new([m, n])));
        }
        if let Some(node) = for_weight {
            let out = gemm::product(grad.transposed(), Matrix::rows(v.storage(), m, n));
            grads.register::<Flex>(node.id, flex::tensor(out, Shape::new([k, n])));
        }
    }
}

impl<C: CheckpointStrategy> LinearOps for Autodiff<Flex, C> {
    fn fused_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let (x, weight) = (flex::contiguous(x), flex::contiguous(weight));
        let (y, sparse) = forward(&x, &weight, bias, activation);
        let prep = LinearBackward(activation).prepare::<C>([x_node, weight_node, bias_node]);
        match prep.compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                prep.finish(LinearState { x, sparse, weight, y: y.clone() }, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
    fn fused_linear_vjp(v: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let (v, v_node) = v.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (v, weight) = (flex::contiguous(v), flex::contiguous(weight));
        let out = pull(&v, &weight);
        match VjpBackward.prepare::<C>([v_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish([v, weight], out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }
}
