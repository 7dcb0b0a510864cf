//! Any bytes as `last.safetensors` and `model.safetensors` end in weights or in an error.
#![no_main]

mod drawn;

use ancestral::Registry;
use ancestral::run::{RunFolder, Weights};
use ancestral::spec::cpu;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = drawn::folder();
    let config = include_str!("../../../ancestral/tests/stored/rnade-reals/config.toml");
    let _ = std::fs::write(folder.join("config.toml"), config);
    let _ = std::fs::write(folder.join("last.safetensors"), bytes);
    let _ = std::fs::write(folder.join("model.safetensors"), bytes);
    let Ok(run) = RunFolder::open(&folder) else { return };
    let _ = (run.is_behind(), run.read_state(), run.read_checkpoint());
    for weights in [Weights::Best, Weights::Last, Weights::Raw] {
        let _ = run.load(&Registry::standard(), &cpu(), weights);
    }
});
