//! Models trained against a critic.

pub mod gan;
