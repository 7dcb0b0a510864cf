//! Any bytes as `events.jsonl` end in events, and lines that are skipped.
#![no_main]

mod drawn;

use ancestral::run::{RunFolder, RunSummary};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = drawn::folder();
    let config = include_str!("../../../ancestral/tests/stored/rnade-reals/config.toml");
    let _ = std::fs::write(folder.join("config.toml"), config);
    let _ = std::fs::write(folder.join("events.jsonl"), bytes);
    let run = RunFolder::open(&folder).expect("a good configuration");
    run.events().expect("damaged lines are skipped");
    run.damaged_events().expect("damaged lines are counted");
    RunSummary::read(&folder).expect("a summary of what is left");
});
