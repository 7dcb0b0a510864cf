//! tanh, sigmoid, softplus, exp, log and relu of whole tensors, with their gradients.

use burn::{
    backend::TensorMetadata,
    tensor::{Tensor, activation},
};

use crate::{
    autodiff::Operation,
    flex::{self, Primitive},
    simd::Isa,
    vector::{self, Binary, Unary},
};

/// An elementwise function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Tanh,
    Sigmoid,
    Softplus,
    Exp,
    Log,
    Relu,
}

impl Function {
    /// Whether the gradient is written in terms of the input; the others take the output.
    fn keeps_input(self) -> bool {
        matches!(self, Function::Softplus | Function::Log)
    }

    fn forward(self, x: Primitive) -> Primitive {
        match self {
            Function::Tanh => map::<vector::Tanh>(x),
            Function::Sigmoid => map::<vector::Sigmoid>(x),
            Function::Softplus => map::<vector::Softplus>(x),
            Function::Exp => map::<vector::Exp>(x),
            Function::Log => map::<vector::Log>(x),
            Function::Relu => map::<vector::Relu>(x),
        }
    }

    fn backward(self, grad: Primitive, saved: Primitive) -> Primitive {
        match self {
            Function::Tanh => zip::<vector::TanhGrad>(grad, saved),
            Function::Sigmoid => zip::<vector::SigmoidGrad>(grad, saved),
            Function::Softplus => zip::<vector::SoftplusGrad>(grad, saved),
            Function::Exp => zip::<vector::ExpGrad>(grad, saved),
            Function::Log => zip::<vector::LogGrad>(grad, saved),
            Function::Relu => zip::<vector::ReluGrad>(grad, saved),
        }
    }
}

/// F of every value; in place if the buffer has one owner.
fn map<F: Unary>(x: Primitive) -> Primitive {
    let mut x = flex::contiguous(x);
    if let Some(values) = x.try_storage_mut::<f32>() {
        let (p, len) = (values.as_mut_ptr(), values.len());
        // SAFETY: one buffer, read and written in step.
        unsafe { vector::map::<F>(Isa::best(), p, p, len) };
        return x;
    }
    let values = x.storage::<f32>();
    // SAFETY: `map` writes every value of the output, which overlaps nothing.
    let out = unsafe {
        flex::filled(values.len(), |out| {
            vector::map::<F>(Isa::best(), values.as_ptr(), out, values.len())
        })
    };
    flex::tensor(out, x.shape())
}

/// F of every pair of values; in place of the first if its buffer has one owner.
pub(crate) fn zip<F: Binary>(a: Primitive, b: Primitive) -> Primitive {
    let mut a = flex::contiguous(a);
    let b = flex::contiguous(b);
    let other = b.storage::<f32>();
    assert_eq!(a.shape(), b.shape(), "a gradient has the shape of its value");
    if let Some(values) = a.try_storage_mut::<f32>() {
        let (p, len) = (values.as_mut_ptr(), values.len());
        // SAFETY: both have `len` values; the output is the first input.
        unsafe { vector::zip::<F>(Isa::best(), p, other.as_ptr(), p, len) };
        return a;
    }
    let values = a.storage::<f32>();
    // SAFETY: both have this many values; `zip` writes all of the output, which overlaps neither.
    let out = unsafe {
        flex::filled(values.len(), |out| {
            vector::zip::<F>(Isa::best(), values.as_ptr(), other.as_ptr(), out, values.len());
        })
    };
    flex::tensor(out, a.shape())
}

/// A function of every value, with its input or its output.
#[derive(Debug, Clone)]
struct Elementwise {
    saved: Primitive,
    function: Function,
}

impl Operation<1> for Elementwise {
    type Parameters = Function;

    fn forward([x]: [Primitive; 1], function: Function) -> (Primitive, Self) {
        let input = function.keeps_input().then(|| x.clone());
        let y = function.forward(x);
        let saved = input.unwrap_or_else(|| y.clone());
        (y, Self { saved, function })
    }

    fn untracked([x]: [Primitive; 1], function: Function) -> (Primitive, [Vec<f32>; 0]) {
        (function.forward(x), [])
    }

    fn backward(self, grad: Primitive, _: [bool; 1]) -> [Option<Primitive>; 1] {
        [Some(self.function.backward(grad, self.saved))]
    }
}

fn apply<const D: usize>(x: Tensor<D>, function: Function) -> Tensor<D> {
    Elementwise::run((x,), function)
}

/// tanh of every value; its gradient is 1 − tanh².
///
/// `f32` on Flex runs the kernel of [`vector::tanh`]; any other type or backend runs Burn's own
/// operation. So do the other functions of this module.
pub fn tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if flex::is_fast(&x) { apply(x, Function::Tanh) } else { x.tanh() }
}

/// 1 / (1 + e⁻ˣ) of every value; see [`vector::sigmoid`] for its error.
pub fn sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if flex::is_fast(&x) { apply(x, Function::Sigmoid) } else { activation::sigmoid(x) }
}

/// ln(1 + eˣ) of every value, without overflow; see [`vector::softplus`] for its error.
pub fn softplus<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if flex::is_fast(&x) { apply(x, Function::Softplus) } else { composed_softplus(x) }
}

/// max(x, 0) + ln(1 + e^−|x|), in Burn's operations.
pub(crate) fn composed_softplus<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    // −∞ would meet +∞ below; the value at −1e30 is the same zero.
    let x = x.clamp_min(-1e30);
    let magnitude = x.clone().abs();
    // The maximum as (x + |x|) / 2, whose derivative at 0 is ½, like that of softplus.
    (x + magnitude.clone()) * 0.5 + magnitude.neg().exp().log1p()
}

/// eˣ of every value; see [`vector::exp`] for its error.
pub fn exp<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if flex::is_fast(&x) { apply(x, Function::Exp) } else { x.exp() }
}

/// ln x of every value: −∞ at zero, NaN below; see [`vector::log`] for its error.
pub fn log<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if flex::is_fast(&x) { apply(x, Function::Log) } else { x.log() }
}

/// max(x, 0) of every value; its gradient at 0 is 0.
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if flex::is_fast(&x) { apply(x, Function::Relu) } else { activation::relu(x) }
}
