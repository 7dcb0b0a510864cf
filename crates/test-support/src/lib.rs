//! What the tests of several crates share. It is a part of those tests: it panics where a test does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

mod data;
mod formats;
mod images;

pub use data::data_dir_with;
pub use formats::{Listed, assert_listed, listed};
pub use images::{BLACK, Image, WHITE, assert_hash, assert_lines};
pub use jsonschema;
