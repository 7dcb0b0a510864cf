//! Classifiers: networks, logistic regression, and Bayes' rule over a density for each class.

mod discriminant;
pub mod features;
mod joint;
pub mod lda;
pub mod logistic;
mod moments;
pub mod naive_bayes;
pub mod qda;
