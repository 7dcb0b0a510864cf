//! Conversion between Burn's tensors and slices.

use std::ops::Deref;

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

/// The contiguous tensor, with nothing else in its buffer.
pub(crate) fn contiguous(x: FlexTensor) -> FlexTensor {
    let whole = x.to_contiguous();
    // Dropped first, so that a buffer with one owner is seen as such.
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
    // SAFETY: there is room for `len` values, and the caller guarantees that they were written.
    unsafe { values.set_len(len) };
    values
}

/// The primitive that the fast path works on.
pub(crate) type Primitive = burn::backend::tensor::FloatTensor<Flex>;

/// The values of a tensor, row after row; shared with the tensor, not copied, where it is `f32` on
/// Flex.
#[derive(Debug, Clone)]
pub struct Values(Held);

#[derive(Debug, Clone)]
enum Held {
    Shared(Primitive),
    Own(Vec<f32>),
}

impl Values {
    /// Those of a tensor, with gradients or without.
    pub fn of<const D: usize>(tensor: Tensor<D>) -> Self {
        let tensor = tensor.inner();
        if is_fast(&tensor)
            && let Ok(shared) = tensor.clone().try_into_primitive::<Flex>()
        {
            drop(tensor);
            return Self(Held::Shared(contiguous(shared)));
        }
        Self(Held::Own(tensor.into_data().try_into_vec_as().unwrap_or_default()))
    }
}

impl Deref for Values {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Held::Shared(tensor) => tensor.storage(),
            Held::Own(values) => values,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn values_are_those_of_the_tensor_and_no_more() {
        let data = || TensorData::new((0..12).map(|i| i as f32).collect::<Vec<f32>>(), [4, 3]);
        for device in [Device::flex(), Device::flex().autodiff()] {
            for dtype in [DType::F32, DType::F64] {
                let tensor = Tensor::<2>::from_data(data(), (&device, dtype));
                let narrow = tensor.clone().narrow(0, 1, 2);
                assert_eq!(*Values::of(narrow), [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
                let transposed = tensor.transpose().narrow(0, 2, 1);
                assert_eq!(*Values::of(transposed), [2.0, 5.0, 8.0, 11.0]);
            }
        }
    }
}
