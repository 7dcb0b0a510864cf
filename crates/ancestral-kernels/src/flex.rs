//! From Burn's tensors to slices and back.

use burn::{
    backend::{
        DType, DispatchDevice, Flex,
        flex::{FlexTensor, Layout},
    },
    tensor::{Bytes, Shape, Tensor},
};

/// Whether a tensor takes the fast path: `f32`, on the Flex backend, with gradients or without.
pub(crate) fn is_fast<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && matches!(x.device().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// The tensor with its values in order and nothing else in its buffer.
pub(crate) fn contiguous(x: FlexTensor) -> FlexTensor {
    let whole = x.to_contiguous();
    // Dropped before the result is looked at, so that a buffer without another owner stays so.
    drop(x);
    whole
}

/// A tensor of values in row-major order.
pub(crate) fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), DType::F32)
}

/// A vector of `len` values that `fill` writes.
///
/// # Safety
/// `fill` writes all `len` values at the address it is given, and reads none of them first.
pub(crate) unsafe fn filled(len: usize, fill: impl FnOnce(*mut f32)) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    fill(values.as_mut_ptr());
    // SAFETY: there is room for `len` values, and the caller vouches that they were written.
    unsafe { values.set_len(len) };
    values
}

/// The primitive that the fast path works on.
pub(crate) type Primitive = burn::backend::tensor::FloatTensor<Flex>;
