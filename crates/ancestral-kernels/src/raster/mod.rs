//! Images with their channels last, \[n, height, width, channels\], as models use them that draw pixel
//! after pixel: convolutions by the taps that a mask leaves, and LSTMs along rows or diagonals.
//!
//! With the channels of a pixel side by side, one product of a row vector with a matrix is all that a
//! pixel needs from another pixel, and no image is rearranged.

mod conv;
mod frame;
mod gates;
mod line;
mod lstm;
mod pixel;
mod shift;

pub use conv::masked_conv2d;
pub use frame::Tap;
pub use line::Scan;
pub use lstm::lstm_scan;
pub use pixel::{PixelConv, PixelLstm, PixelMap};
pub use shift::sum_of_sides;

#[cfg(test)]
mod tests;
