//! Tests of all families: formulas against mpmath, maxima against scipy and mpmath, properties.

mod golden;
mod maxima;
