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
mod environment;
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
mod runs;
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

/// The most memory that a command had, in bytes.
#[cfg(target_os = "linux")]
fn peak_memory(here: &Program, line: &str) -> u64 {
    use std::process::Stdio;
    let mut child = here.command(line).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        most = most.max(kib.unwrap_or(0) * 1024);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{line:?}");
            return most;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
