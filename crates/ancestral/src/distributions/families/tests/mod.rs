//! Tests of all families: formulas against mpmath, maxima against Newton's method in 50 digits,
//! samples without a maximum, properties.

mod censored;
mod expansions;
mod faults;
mod golden;
mod located;
mod maxima;
mod peers;
mod properties;
mod reported;
mod walked;
