//! Words that files, scripts and random draws depend on, as `docs/formats.md` lists them: purposes
//! of random streams, and of every model its tensors, settings and metrics.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

#[path = "../conformance/cases.rs"]
mod cases;
mod models;
mod purposes;
