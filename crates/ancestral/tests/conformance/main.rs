//! The conformance suite over the models of the registry, and tests of particular models.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

mod cases;
mod declared;
mod density;
mod discriminator;
mod estimator;
mod memorization;
mod registry;
mod runs;
mod schema;
mod settings;
mod suite;
mod support;
mod trainable;

/// Models are shared by threads.
const _: () = {
    const fn shared<T: Send + Sync + ?Sized>() {}
    shared::<dyn ancestral::model::Model>();
};
