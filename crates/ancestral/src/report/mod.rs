//! Runs as images: samples, curves, reconstructions, the latent space, nearest training examples.

mod animation;
mod curves;
mod latent;
mod nearest;
mod plane;
mod samples;

pub use animation::animation;
pub use curves::curves;
pub use latent::{interpolation, interpolation_frames, latent_space, manifold, reconstructions};
pub use nearest::{Nearest, nearest_examples};
pub use plane::Plane;
pub use samples::{grid, grid_bytes, intensities, samples};
