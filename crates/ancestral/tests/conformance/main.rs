//! The conformance suite: tests that every model of the registry must pass.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

mod cases;
mod classifier;
mod declared;
mod density;
mod discriminator;
mod estimator;
mod latent;
mod memorization;
mod registry;
mod requests;
mod runs;
mod sampler;
mod schema;
mod settings;
mod support;
mod trainable;
mod weights;

/// Models are shared by threads.
const _: () = {
    const fn shared<T: Send + Sync + ?Sized>() {}
    shared::<dyn ancestral::model::Model>();
};
