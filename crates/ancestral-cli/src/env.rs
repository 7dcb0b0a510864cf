//! `env`: what of this machine the program uses.

use std::path::Path;

use ancestral::environment::{Environment, Isa};
use ancestral::memory;
use anyhow::Result;

use crate::args::OutputArgs;
use crate::output::{self, say, shown};

pub(crate) fn run(output: OutputArgs, data_dir: Option<&Path>) -> Result<()> {
    let found = Environment::read(data_dir);
    if output.json {
        let mut all = serde_json::to_value(Environment { data_dir: None, ..found.clone() })?;
        all["data_dir"] = found.data_dir.as_deref().map(shown).into();
        return output::json(&all);
    }
    say!("ancestral {} on {}", found.version, found.platform)?;
    say!("processor: {}", found.processor.as_deref().unwrap_or("of unknown name"))?;
    let asked = match Isa::requested() {
        Ok(Some(_)) => format!(", as {} asks", Isa::VARIABLE),
        _ => String::new(),
    };
    let known = found.instruction_sets.join(", ");
    say!("instruction sets: {known}; the kernels use {}{asked}", found.instruction_set)?;
    match &found.fast_precisions[..] {
        [] => say!("products: f32, whatever precision is set")?,
        ["bf16"] => say!("products: f32; those of convolutions are faster by precision=bf16")?,
        fast => say!("products: f32; faster by precision={}", fast.join(", "))?,
    }
    say!("threads: {} on {} cores", found.threads, found.cores)?;
    if let Some(bytes) = found.available_memory {
        say!("available memory: {}", memory::amount(bytes))?;
    }
    match &found.data_dir {
        Some(folder) if folder.is_dir() => say!("data folder: {}", shown(folder))?,
        Some(folder) => say!("data folder: {}, which does not exist yet", shown(folder))?,
        None => say!("data folder: none; give --data-dir")?,
    }
    Ok(())
}
