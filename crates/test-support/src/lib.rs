//! Helpers shared by the tests of several crates; like tests, they panic on failure.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

mod data;
mod formats;
mod images;
mod program;

pub use data::data_dir_with;
pub use formats::{JSON_KEYS, Listed, assert_keys, assert_listed, keys, listed};
pub use images::{BLACK, Image, WHITE, assert_hash, assert_lines, save_gray};
pub use jsonschema;
pub use program::{Program, copy_folder, errors};
