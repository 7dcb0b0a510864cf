//! Batch and layer normalization with the activation after them, and the leaky ReLU alone.

mod batch;
mod layer;
mod leaky;
mod shared;

pub use batch::batch_norm;
pub(crate) use batch::channel_sums;
pub use layer::{layer_norm, layer_norm_vjp};
pub use leaky::{leaky_relu, leaky_relu_vjp};

#[cfg(test)]
mod tests;
