//! The leaky ReLU, alone and as the activation after a normalization.

use burn::{
    backend::TensorMetadata,
    tensor::{Tensor, activation},
};

use crate::{
    autodiff::Operation,
    flex::{self, Primitive},
    parallel::{self, SharedPtr},
    simd::{Isa, Kernel, Simd},
};

/// x above 0, `slope`·x elsewhere; its gradient at 0 is `slope`.
///
/// `f32` on Flex runs as one pass forward and one backward; any other type or backend runs Burn's own operation.
pub fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f64) -> Tensor<D> {
    if !flex::is_fast(&x) {
        return activation::leaky_relu(x, slope);
    }
    LeakyRelu::run((x,), slope as f32)
}

/// `v` where `y` is above 0, `slope`·`v` elsewhere: `v` times the derivative of [`leaky_relu`], whose
/// argument is `y`, or its value if the slope is not negative.
///
/// It can be differentiated with respect to `v`; in `y` it is piecewise constant. Backends as in
/// [`leaky_relu`].
///
/// # Panics
/// If the shapes differ.
pub fn leaky_relu_vjp<const D: usize>(v: Tensor<D>, y: Tensor<D>, slope: f64) -> Tensor<D> {
    assert!(v.dims() == y.dims(), "leaky_relu_vjp: v {:?} and y {:?} differ", v.dims(), y.dims());
    if !(flex::is_fast(&v) && flex::is_fast(&y)) {
        return composed_leaky_relu_vjp(v, y, slope);
    }
    LeakyReluVjp::run((v, y), slope as f32)
}

/// The same, composed of Burn's operations.
pub(crate) fn composed_leaky_relu_vjp<const D: usize>(
    v: Tensor<D>,
    y: Tensor<D>,
    slope: f64,
) -> Tensor<D> {
    let positive = y.detach().greater_elem(0.0).float().cast(v.dtype());
    v * (positive * (1.0 - slope) + slope)
}

/// x where `sign` is above 0, else slope·x.
#[inline(always)]
pub(super) fn leaky<S: Simd>(s: S, sign: S::V, x: S::V, slope: f32) -> S::V {
    s.select(s.lt(s.splat(0.0), sign), x, s.mul(x, s.splat(slope)))
}

/// out = x where sign > 0, else slope·x.
struct Leaky {
    sign: *const f32,
    x: *const f32,
    out: *mut f32,
    len: usize,
    slope: f32,
}

impl Kernel for Leaky {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { sign, x, out, len, slope } = self;
        let mut i = 0;
        // SAFETY: `len` values on all sides. Where two are the same memory, each vector is read
        // before it is written.
        unsafe {
            while i + S::N <= len {
                let y = leaky(s, s.load(sign.add(i)), s.load(x.add(i)), slope);
                s.store(out.add(i), y);
                i += S::N;
            }
            if i < len {
                let n = len - i;
                let y = leaky(s, s.load_part(sign.add(i), n), s.load_part(x.add(i), n), slope);
                s.store_part(out.add(i), n, y);
            }
        }
    }
}

/// `x` where `sign` (or, without one, `x` itself) is above 0, else slope·x; in place if the
/// buffer of `x` has one owner.
fn leaky_pass(sign: Option<&Primitive>, mut x: Primitive, slope: f32) -> Primitive {
    let isa = Isa::best();
    // SAFETY: as the two calls say.
    let pass = |x: *const f32, out: *mut f32, len: usize| {
        let sign = sign.map_or(x, |sign| sign.storage::<f32>().as_ptr());
        let [sign, x] = [sign, x].map(|p| SharedPtr(p.cast_mut()));
        let out = SharedPtr(out);
        parallel::blocks(len, |start, len| {
            // SAFETY: all have the same length, which the blocks part without overlap.
            let (sign, x, out) =
                unsafe { (sign.get().add(start), x.get().add(start), out.get().add(start)) };
            isa.run(Leaky { sign, x, out, len, slope });
        });
    };
    if let Some(values) = x.try_storage_mut::<f32>() {
        let p = values.as_mut_ptr();
        pass(p, p, values.len());
        return x;
    }
    let values = x.storage::<f32>();
    // SAFETY: the pass writes every value.
    let out = unsafe { flex::filled(values.len(), |out| pass(values.as_ptr(), out, values.len())) };
    flex::tensor(out, x.shape())
}

/// The leaky ReLU, with a tensor of the input's sign: the output, unless the slope is negative.
#[derive(Debug, Clone)]
struct LeakyRelu {
    sign: Primitive,
    slope: f32,
}

impl Operation<1> for LeakyRelu {
    type Parameters = f32;

    fn forward([x]: [Primitive; 1], slope: f32) -> (Primitive, Self) {
        let input = (slope < 0.0).then(|| x.clone());
        let y = leaky_pass(None, x, slope);
        let sign = input.unwrap_or_else(|| y.clone());
        (y, Self { sign, slope })
    }

    fn untracked([x]: [Primitive; 1], slope: f32) -> (Primitive, [Vec<f32>; 0]) {
        (leaky_pass(None, x, slope), [])
    }

    fn backward(self, grad: Primitive, _: [bool; 1]) -> [Option<Primitive>; 1] {
        [Some(leaky_pass(Some(&self.sign), grad, self.slope))]
    }
}

#[derive(Debug, Clone)]
struct LeakyReluVjp(LeakyRelu);

impl Operation<2> for LeakyReluVjp {
    type Parameters = f32;

    /// The sign.
    const CONSTANTS: usize = 1;

    fn forward([v, sign]: [Primitive; 2], slope: f32) -> (Primitive, Self) {
        (leaky_pass(Some(&sign), v, slope), Self(LeakyRelu { sign, slope }))
    }

    fn backward(self, grad: Primitive, _: [bool; 2]) -> [Option<Primitive>; 2] {
        // The operation is linear in v, and its own transpose.
        [Some(leaky_pass(Some(&self.0.sign), grad, self.0.slope)), None]
    }
}
