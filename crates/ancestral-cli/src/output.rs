//! Printing, exit codes and small file formats.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use ancestral::model::Model;
use ancestral_data::{DataError, Domain, write_atomic};
use ancestral_plot::{Image, PlotError};
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::OutputArgs;

/// How a program ends that Ctrl-C stopped: 128 and the number of the signal.
pub(crate) const INTERRUPTED: u8 = 130;

/// What the user typed or gave is wrong; the program ends with 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The user stopped it, which was said already; the program ends with 130.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// An error of usage.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// Prints a line to standard output.
macro_rules! say {
    ($($arg:tt)*) => {
        $crate::output::print(format_args!($($arg)*))
    };
}
pub(crate) use say;

/// What [`say!`] calls.
pub(crate) fn print(line: std::fmt::Arguments<'_>) -> Result<()> {
    write(format!("{line}\n").as_bytes())
}

/// Writes to standard output.
///
/// A reader that has gone, as in `| head -1`, is no reason to stop: whatever the command writes
/// to files is still wanted.
pub(crate) fn write(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(e).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}

/// Prints a line to standard error, which is where to complain about everything else: if it
/// cannot be written, nobody is left to tell.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints an error and says how the program ends: 0 done, 2 wrong usage or input, 130 stopped by the
/// user, 1 anything else.
pub(crate) fn exit_code(result: Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if error.is::<Interrupted>() {
        return ExitCode::from(INTERRUPTED);
    }
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (on, off) = if colour { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    complain(&format!("{on}error:{off} {error:#}"));
    let wrong_input = error.chain().any(|cause| {
        cause.is::<Usage>()
            || cause.downcast_ref::<ancestral::Error>().is_some_and(ancestral::Error::is_usage)
            || cause.downcast_ref::<DataError>().is_some_and(DataError::is_usage)
            || cause.downcast_ref::<PlotError>().is_some_and(PlotError::is_usage)
    });
    ExitCode::from(if wrong_input { 2 } else { 1 })
}

/// A bar on a terminal, nothing elsewhere or when quiet.
pub(crate) fn bar(output: OutputArgs, total: u64, what: &str) -> ProgressBar {
    if output.quiet || output.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total);
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// The last line: where the result is. With `--quiet` the path alone.
pub(crate) fn wrote(output: OutputArgs, path: &Path) -> Result<()> {
    if output.json {
        return Ok(());
    }
    if output.quiet { say!("{}", path.display()) } else { say!("wrote {}", path.display()) }
}

/// Prints one JSON object.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<()> {
    say!("{}", serde_json::to_string(value).context("cannot write JSON")?)?;
    Ok(())
}

/// The extension of an output path, in lower case, if it is one of `allowed`.
pub(crate) fn extension<'a>(path: &Path, allowed: &[&'a str]) -> Result<&'a str> {
    let found = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    allowed.iter().find(|&&e| e == found).copied().ok_or_else(|| {
        usage(format!("--out {}: the name must end in .{}", path.display(), allowed.join(", .")))
    })
}

/// Values of a model's columns as drawing takes them.
pub(crate) fn singles(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// The same the other way.
pub(crate) fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

/// What values a model's columns take.
pub(crate) fn domain(model: &dyn Model) -> Domain {
    model.data().domain().unwrap_or(Domain::Real)
}

/// The largest level of a model's columns; 1 for reals.
pub(crate) fn top(model: &dyn Model) -> f32 {
    domain(model).max_level().unwrap_or(1) as f32
}

/// Whether nothing is lost in single precision.
fn is_single(value: f64) -> bool {
    f64::from(value as f32) == value
}

/// Rows of numbers as a NumPy array `[rows, …shape]` of 32-bit floats, or of 64-bit ones where a
/// number has more digits.
pub(crate) fn save_npy(path: &Path, values: &[f64], shape: &[usize]) -> Result<()> {
    let dims: String = shape.iter().map(|d| format!("{d}, ")).collect();
    let single = values.iter().all(|&value| is_single(value));
    let kind = if single { "<f4" } else { "<f8" };
    let mut header =
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", dims.trim_end());
    // Magic, version and length take 10 bytes; all of it ends on a multiple of 64.
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    if single {
        bytes.extend(values.iter().flat_map(|&v| (v as f32).to_le_bytes()));
    } else {
        bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    }
    Ok(write_atomic(path, &bytes)?)
}

/// Rows of numbers as CSV with a header, each with the fewest digits that tell it from others.
pub(crate) fn save_csv(path: &Path, names: &[String], values: &[f64]) -> Result<()> {
    let digits = |&value: &f64| {
        if is_single(value) { (value as f32).to_string() } else { value.to_string() }
    };
    let mut text = names.join(",");
    for row in values.chunks_exact(names.len().max(1)) {
        text.push('\n');
        let cells: Vec<String> = row.iter().map(digits).collect();
        text.push_str(&cells.join(","));
    }
    text.push('\n');
    Ok(write_atomic(path, text.as_bytes())?)
}

/// A grid of images at a size that can be looked at.
pub(crate) fn grid(values: &[f32], shape: [usize; 3], columns: usize) -> Image {
    Image::grid(values, shape, columns, scale(shape))
}

/// Bytes that a [`grid`] of so many images takes with its file, nearly.
pub(crate) fn grid_bytes(count: usize, shape: [usize; 3]) -> u64 {
    let side = |pixels: usize| ((pixels + 1) * scale(shape)) as u64;
    let pixels = side(shape[1]).saturating_mul(side(shape[2])).saturating_mul(count as u64);
    // Three colors, and as much again for the file.
    pixels.saturating_mul(6)
}

/// By how much images are enlarged.
fn scale([_, height, width]: [usize; 3]) -> usize {
    (64 / height.max(width)).clamp(1, 8)
}
