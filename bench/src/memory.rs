//! The memory and processor time of this process, from Linux's `/proc`.

use std::process::Command;

use anyhow::{Context, Result};

use crate::Args;

/// The memory of a case's rounds in a new process of ours, in MiB.
pub(crate) fn own(args: &Args, case: &str) -> Result<f64> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--threads", &args.threads.to_string(), "--memory", case])
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Peak resident memory of this process in MiB.
pub(crate) fn resident_peak() -> Result<f64> {
    status("VmHWM")
}

/// A value of the process's status in MiB.
fn status(name: &str) -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("memory is read on Linux")?;
    let line = status.lines().find(|l| l.starts_with(name)).context("no such line")?;
    let kib = line.split_whitespace().nth(1).context("no number")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

/// The memory of the process, in MiB.
pub(crate) struct Taken {
    resident: f64,
    /// The peak so far.
    peak: f64,
    /// Pages of files, which are mostly the program itself.
    files: f64,
}

impl Taken {
    /// The current memory.
    pub(crate) fn now() -> Result<Self> {
        Ok(Self { resident: status("VmRSS")?, peak: status("VmHWM")?, files: status("RssFile")? })
    }

    /// The increase of the peak since an earlier time, without pages of the program itself.
    pub(crate) fn above(&self, before: &Self) -> f64 {
        let start = if self.peak > before.peak { before.resident } else { before.peak };
        self.peak - start - (self.files - before.files)
    }
}

/// Processor time of all threads of this process so far, in seconds.
pub(crate) fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("time is read on Linux")?;
    // After the name, which may contain spaces; user and system time are fields 14 and 15 of the line.
    let (_, fields) = stat.rsplit_once(')').context("no fields")?;
    let ticks = |at: usize| -> Result<f64> {
        Ok(fields.split_whitespace().nth(at - 3).context("too few fields")?.parse()?)
    };
    // A tick is 10 ms on every Linux.
    Ok((ticks(14)? + ticks(15)?) / 100.0)
}
