//! Any bytes as `config.toml` end in a configuration or in an error.
#![no_main]

mod drawn;

use ancestral::run::{RunFolder, RunSummary, SettingsFile};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = drawn::folder();
    let _ = std::fs::write(folder.join("config.toml"), bytes);
    let _ = SettingsFile::read(&folder.join("config.toml"));
    let Ok(run) = RunFolder::open(&folder) else { return };
    let _ = (run.config.data.spec(), run.config.train.check(), RunSummary::read(&folder));
});
