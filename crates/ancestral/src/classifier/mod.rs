//! Classifiers.

pub mod features;
pub mod logistic;
