//! Standard output that cannot be written.
#![cfg(target_os = "linux")]

use std::process::Stdio;

use ancestral_test_support::errors;

use crate::program;

#[test]
fn an_output_that_cannot_be_written_is_no_panic() {
    let here = program();
    let run = |line: &str, stdout: Stdio| {
        here.command(line).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap()
    };
    let train = "train vae --epochs 1 --set sample_count=0";
    for line in ["models vae", "completions fish", "data list", train] {
        // A reader that has gone ends nothing: what goes to files is written all the same.
        let mut child = run(line, Stdio::piped());
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}: {}", errors(&output));
        // A full disk is said.
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = run(line, full.into()).wait_with_output().unwrap();
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{line}: {said}");
        assert!(said.contains("standard output"), "{line}: {said}");
    }
    assert!(here.path("runs/vae-digits-1/model.safetensors").exists());
}
