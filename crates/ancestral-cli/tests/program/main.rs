//! The program as a user runs it: what is parsed, printed and written by each command, messages,
//! hints and exit codes. What the library does is tested there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

mod agreement;
mod cases;
mod classifiers;
mod classify;
mod cluster;
mod data;
mod docs;
mod evaluate;
mod explain;
mod fit;
mod interrupted;
mod json_keys;
mod latent;
mod limits;
mod odd;
mod output;
mod pack;
mod quality;
mod readme;
mod reproduce;
mod rules;
mod run_files;
mod sample;
mod score;
mod stored;
mod tensorboard;
mod train;
mod usage;

use ancestral_test_support::Program;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ancestral");

/// The program, in a new folder.
fn program() -> Program {
    Program::new(PROGRAM)
}
