//! What every model must pass, run over the list of models.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

mod by_heart;
mod cases;
mod classifier;
mod declared;
mod density;
mod discriminator;
mod estimator;
mod latent;
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
