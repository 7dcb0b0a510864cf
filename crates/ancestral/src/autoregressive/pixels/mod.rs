//! What the models that draw an image pixel after pixel share: masked convolutions, stacks of residual
//! blocks, the output layers, the likelihood, and the sampler, which computes only what a new pixel
//! adds.
//!
//! Van den Oord, Kalchbrenner and Kavukcuoglu 2016 (arXiv:1601.06759). Pixels are drawn row after row,
//! and the channels of a pixel one after another:
//! p(x) = Π p(R | x_<i) p(G | x_<i, R) p(B | x_<i, R, G) (their equations 1 and 2). Features are parted
//! into as many groups as there are channels; a mask lets a group see only the groups before it (A) or
//! its own as well (B), so that group g of the outputs depends on the channels before g alone.

mod cache;
mod conv;
mod inputs;
mod lstm;
mod model;
mod size;
mod stack;

pub(super) use cache::{PixelBlock, PixelBody, PixelLayer, Pixelwise, activate};
pub(super) use conv::{ConvForm, Mask, MaskedConv, Pass, square};
pub(super) use inputs::Inputs;
pub(super) use lstm::{CachedLstm, ScanLstm};
pub(super) use model::{
    Body, Common, DEEPEST, PixelSettings, PixelValues, WIDEST, entry, pixel_settings,
};
pub(super) use size::PixelSize;
pub(super) use stack::{Block, ResidualStack};
