//! Regression: densities of one column given the others.

mod least_squares;
pub mod linear;
