//! A PyTorch process that runs rounds on request.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::Args;

pub(crate) struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// The memory of its first round, in MiB.
    pub(crate) memory: f64,
    /// The implementation it chose, if there are several.
    pub(crate) form: Option<String>,
}

impl Peer {
    pub(crate) fn start(args: &Args, case: &str, mode: &str) -> Result<Self> {
        let mut child = Command::new(&args.python)
            .arg(bench_file("peer.py"))
            .args([case, mode, &args.threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if mode == "compile" { Stdio::null() } else { Stdio::inherit() })
            .spawn()
            .with_context(|| format!("cannot start {}", args.python))?;
        let input = child.stdin.take().context("no pipe to PyTorch")?;
        let output = BufReader::new(child.stdout.take().context("no pipe from PyTorch")?);
        let mut peer = Self { child, input, output, memory: 0.0, form: None };
        let ready = peer.line().context("PyTorch did not start")?;
        let mut parts = ready.splitn(3, ' ').skip(1);
        peer.memory = parts.next().unwrap_or_default().parse()?;
        peer.form = parts.next().map(str::to_owned);
        Ok(peer)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!(
                "it ended early; see bench/requirements.txt (torch.compile needs a C++ compiler)"
            );
        }
        Ok(line.trim().to_owned())
    }

    /// Seconds of one round.
    pub(crate) fn round(&mut self) -> Result<f64> {
        writeln!(self.input, "go")?;
        Ok(self.line()?.parse()?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It has no state that needs an orderly end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file of the bench.
pub(crate) fn bench_file(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}
