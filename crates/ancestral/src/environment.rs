//! What of this machine a program uses, for reports of errors and of speed.

use std::path::{Path, PathBuf};

use ancestral_kernels::Precision;
use serde::Serialize;

pub use ancestral_kernels::{Isa, UnknownIsa};

/// The machine and what is used of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Environment {
    /// The version of the library.
    pub version: &'static str,
    /// The architecture and the operating system, as in `x86_64-linux`.
    pub platform: String,
    /// The name of the processor, where the system tells it.
    pub processor: Option<String>,
    /// The instruction sets that it has of those that the kernels know, fastest first.
    pub instruction_sets: Vec<&'static str>,
    /// The one that the kernels use: the fastest, unless `ANCESTRAL_ISA` names another.
    pub instruction_set: &'static str,
    /// The settings of `precision` below `f32` whose products are faster than those of `f32`, `bf16` alone
    /// if only those of convolutions are; the others are formed in `f32`.
    pub fast_precisions: Vec<&'static str>,
    /// Processor cores that this process may use.
    pub cores: usize,
    /// Threads of the pool that work is distributed in.
    pub threads: usize,
    /// Memory in bytes that is available to this process, where the system tells it.
    pub available_memory: Option<u64>,
    /// The folder of known data sets.
    pub data_dir: Option<PathBuf>,
}

impl Environment {
    /// The present one; `data_dir` is the folder of known data sets, if one is given.
    pub fn read(data_dir: Option<&Path>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            platform: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            processor: processor(),
            instruction_sets: Isa::available().into_iter().map(Isa::as_str).collect(),
            instruction_set: Isa::best().as_str(),
            fast_precisions: [Precision::Bf16x6, Precision::Bf16x3, Precision::Bf16]
                .into_iter()
                .filter(|precision| precision.is_fast())
                .map(Precision::as_str)
                .collect(),
            cores: std::thread::available_parallelism().map_or(1, |n| n.get()),
            threads: rayon::current_num_threads(),
            available_memory: crate::memory::available(),
            data_dir: ancestral_data::data_dir(data_dir),
        }
    }
}

/// The name of the first processor, on Linux.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.split_whitespace().collect::<Vec<_>>().join(" "))
}
