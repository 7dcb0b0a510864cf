//! Operations with hand-written gradients, as extensions of Burn's backends.
//!
//! An [`Operation`] is the state that its gradient needs. Its author writes how the output and the
//! state come from the inputs, and how the inputs' gradients come from the output's:
//!
//! ```text
//! /// factor · x · y, and what its gradient needs.
//! #[derive(Debug, Clone)]
//! struct Scaled {
//!     x: Primitive,
//!     y: Primitive,
//!     factor: f32,
//! }
//!
//! impl Operation<2> for Scaled {
//!     type Parameters = f32;
//!
//!     fn forward([x, y]: [Primitive; 2], factor: f32) -> (Primitive, Self) {
//!         (scaled_product(&x, &y, factor), Self { x, y, factor })
//!     }
//!
//!     fn backward(self, grad: Primitive, [x, y]: [bool; 2]) -> [Option<Primitive>; 2] {
//!         [
//!             x.then(|| scaled_product(&grad, &self.y, self.factor)),
//!             y.then(|| scaled_product(&grad, &self.x, self.factor)),
//!         ]
//!     }
//! }
//!
//! fn scaled<const D: usize>(x: Tensor<D>, y: Tensor<D>, factor: f32) -> Tensor<D> {
//!     Scaled::run((x, y), factor)
//! }
//! ```

use std::{fmt::Debug, marker::PhantomData};

use burn::{
    backend::{
        Autodiff, AutodiffBackend, Backend, Dispatch, DispatchTensor, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::FloatTensor,
    },
    tensor::Tensor,
};

use crate::flex::{self, Primitive};

/// An operation on `N` tensors of `f32` on Flex, as the state that its gradient needs; `S` is the
/// number of its statistics.
///
/// All tensors come contiguous.
pub(crate) trait Operation<const N: usize, const S: usize = 0>:
    Debug + Clone + Send + 'static
{
    /// The parameters of the operation other than tensors.
    type Parameters;

    /// The number of inputs, counted from the last one, without a gradient.
    const CONSTANTS: usize = 0;

    /// The output, and the state.
    fn forward(inputs: [Primitive; N], parameters: Self::Parameters) -> (Primitive, Self);

    /// The output if no input is tracked. Override it if the state costs more than references to
    /// tensors: if a second reference to an input would prevent the output from being written in
    /// place.
    fn untracked(
        inputs: [Primitive; N],
        parameters: Self::Parameters,
    ) -> (Primitive, [Vec<f32>; S]) {
        let (output, mut state) = Self::forward(inputs, parameters);
        (output, state.statistics())
    }

    /// The gradients of the inputs from that of the output. Gradients that are not `wanted` are
    /// dropped, and may be `None`.
    fn backward(self, grad: Primitive, wanted: [bool; N]) -> [Option<Primitive>; N];

    /// Further results, without gradients.
    fn statistics(&mut self) -> [Vec<f32>; S] {
        [const { Vec::new() }; S]
    }

    /// Runs the operation.
    fn run<const D: usize>(inputs: impl Inputs<N>, parameters: Self::Parameters) -> Tensor<D> {
        Self::run_with_statistics(inputs, parameters).0
    }

    /// The same, with the statistics.
    fn run_with_statistics<const D: usize>(
        inputs: impl Inputs<N>,
        parameters: Self::Parameters,
    ) -> (Tensor<D>, [Vec<f32>; S]) {
        let (output, statistics) = inputs.dispatch::<Self, S>(parameters);
        (Tensor::from_dispatch(output), statistics)
    }
}

/// A tuple of tensors of any ranks.
pub(crate) trait Inputs<const N: usize> {
    /// Dispatches to the operation of their backend.
    fn dispatch<O: Operation<N, S>, const S: usize>(
        self,
        parameters: O::Parameters,
    ) -> (DispatchTensor, [Vec<f32>; S]);
}

/// The backward step in Burn's graph.
#[derive(Debug)]
struct Step<O, const S: usize>(PhantomData<O>);

impl<O: Operation<N, S>, const N: usize, const S: usize> Backward<Flex, N> for Step<O, S> {
    type State = O;

    fn backward(self, ops: Ops<O, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = flex::contiguous(grads.consume::<Flex>(&ops.node));
        let found = ops.state.backward(grad, ops.parents.each_ref().map(Option::is_some));
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let (Some(node), Some(gradient)) = (parent, gradient) {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// Runs an operation on tensors that may be tracked; its state is kept only if one is.
fn tracked<O: Operation<N, S>, C: CheckpointStrategy, const N: usize, const S: usize>(
    inputs: [FloatTensor<Autodiff<Flex, C>>; N],
    parameters: O::Parameters,
) -> (FloatTensor<Autodiff<Flex, C>>, [Vec<f32>; S]) {
    let mut left = N;
    let inputs = inputs.map(|input| {
        left -= 1;
        if left < O::CONSTANTS {
            Autodiff::<Flex, C>::from_inner(input.into_primitive())
        } else {
            input
        }
    });
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| flex::contiguous(input.into_primitive()));
    match Step::<O, S>(PhantomData).prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (output, mut state) = O::forward(inputs, parameters);
            let statistics = state.statistics();
            (prep.finish(state, output), statistics)
        }
        OpsKind::UnTracked(prep) => {
            let (output, statistics) = O::untracked(inputs, parameters);
            (prep.finish(output), statistics)
        }
    }
}

/// The backend extension for operations on a fixed number of tensors.
macro_rules! extension {
    ($extension:ident, $count:literal: $($input:ident $rank:ident),+) => {
        #[backend_extension(Flex, Autodiff)]
        trait $extension: Backend {
            fn run<O: Operation<$count, S>, const S: usize>(
                $($input: FloatTensor<Self>,)+
                parameters: O::Parameters,
            ) -> (FloatTensor<Self>, [Vec<f32>; S]);
        }

        impl $extension for Flex {
            fn run<O: Operation<$count, S>, const S: usize>(
                $($input: FloatTensor<Self>,)+
                parameters: O::Parameters,
            ) -> (FloatTensor<Self>, [Vec<f32>; S]) {
                O::untracked([$($input),+].map(flex::contiguous), parameters)
            }
        }

        impl<C: CheckpointStrategy> $extension for Autodiff<Flex, C> {
            fn run<O: Operation<$count, S>, const S: usize>(
                $($input: FloatTensor<Self>,)+
                parameters: O::Parameters,
            ) -> (FloatTensor<Self>, [Vec<f32>; S]) {
                tracked::<O, C, $count, S>([$($input),+], parameters)
            }
        }

        impl<$(const $rank: usize),+> Inputs<$count> for ($(Tensor<$rank>,)+) {
            fn dispatch<O: Operation<$count, S>, const S: usize>(
                self,
                parameters: O::Parameters,
            ) -> (DispatchTensor, [Vec<f32>; S]) {
                let ($($input,)+) = self;
                <Dispatch as $extension>::run::<O, S>($($input.into_dispatch(),)+ parameters)
            }
        }
    };
}

extension!(Unary, 1: a A);
extension!(Binary, 2: a A, b B);
extension!(Ternary, 3: a A, b B, c C);
extension!(Quaternary, 4: a A, b B, c C, d D);
extension!(Senary, 6: a A, b B, c C, d D, e E, f F);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use burn::{
        backend::TensorMetadata,
        tensor::{Device, TensorData},
    };

    use super::*;

    /// x · y · constant, elementwise; it holds a token as long as its state is kept.
    #[derive(Debug, Clone)]
    struct Product {
        factors: [Primitive; 3],
        _token: Arc<()>,
    }

    fn product(factors: [&Primitive; 3]) -> Primitive {
        let [x, y, c] = factors.map(|factor| factor.storage::<f32>());
        let values = (0..x.len()).map(|i| x[i] * y[i] * c[i]).collect();
        flex::tensor(values, factors[0].shape())
    }

    impl Operation<3, 1> for Product {
        type Parameters = Arc<()>;

        const CONSTANTS: usize = 1;

        fn forward(factors: [Primitive; 3], token: Arc<()>) -> (Primitive, Self) {
            (product(factors.each_ref()), Self { factors, _token: token })
        }

        fn statistics(&mut self) -> [Vec<f32>; 1] {
            [vec![self.factors[0].storage::<f32>().iter().sum()]]
        }

        fn backward(self, grad: Primitive, [x, y, c]: [bool; 3]) -> [Option<Primitive>; 3] {
            assert!(!c, "no gradient is wanted for a constant");
            let [for_x, for_y, constant] = &self.factors;
            [
                x.then(|| product([&grad, for_y, constant])),
                y.then(|| product([&grad, for_x, constant])),
                None,
            ]
        }
    }

    fn vector(values: [f32; 2], tracked: bool) -> Tensor<1> {
        let device = Device::flex().autodiff();
        let tensor = Tensor::from_data(TensorData::from(values), &device);
        if tracked { tensor.require_grad() } else { tensor }
    }

    fn values(x: Tensor<1>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn gradients_reach_the_tracked_inputs_and_no_constant() {
        for (track_x, track_y) in [(true, true), (true, false), (false, true)] {
            let (x, y) = (vector([2.0, 3.0], track_x), vector([5.0, 7.0], track_y));
            let c = vector([-1.0, 10.0], true);
            let (out, [sum]) =
                Product::run_with_statistics((x.clone(), y.clone(), c.clone()), Arc::new(()));
            assert_eq!((values(out.clone()), sum), (vec![-10.0, 210.0], vec![5.0]));
            let grads = out.sum().backward();
            assert_eq!(x.grad(&grads).map(values), track_x.then(|| vec![-5.0, 70.0]));
            assert_eq!(y.grad(&grads).map(values), track_y.then(|| vec![-2.0, 30.0]));
            assert!(c.grad(&grads).is_none());
        }
    }

    #[test]
    fn the_state_is_kept_from_a_tracked_pass_to_its_gradient_and_nowhere_else() {
        let run = |x: &Tensor<1>, token: &Arc<()>| -> Tensor<1> {
            let constant = vector([1.0, 1.0], true);
            Product::run((x.clone(), vector([5.0, 7.0], false), constant), token.clone())
        };
        let token = Arc::new(());
        let tracked = vector([2.0, 3.0], true);
        for untracked in [tracked.clone().inner(), vector([2.0, 3.0], false)] {
            let out = run(&untracked, &token);
            assert_eq!(Arc::strong_count(&token), 1);
            assert_eq!(values(out), [10.0, 21.0]);
        }
        let out = run(&tracked, &token);
        assert_eq!(Arc::strong_count(&token), 2);
        let _ = out.sum().backward();
        assert_eq!(Arc::strong_count(&token), 1);
    }
}
