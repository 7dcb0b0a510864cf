//! Printing and exit codes.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use ancestral::run::RunFolder;
use ancestral_data::DataError;
use ancestral_plot::PlotError;
use anyhow::Result;

use crate::args::OutputArgs;
use crate::harmless::harmless;
use crate::hints;

/// The exit code after wrong usage or unusable input.
pub(crate) const WRONG_USAGE: u8 = 2;
/// The exit code after Ctrl-C: 128 and the number of the signal.
pub(crate) const INTERRUPTED: u8 = 130;

/// An error in what the user typed or gave; the exit code is 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// The user interrupted the command, which was reported; the exit code is 130.
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
    write(harmless(&format!("{line}\n")).as_bytes())
}

/// Writes to standard output.
///
/// A closed pipe, as in `| head -1`, is not an error: the command still writes its files.
pub(crate) fn write(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(e).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}

/// Prints a line to standard error, ignoring failures.
pub(crate) fn print_error_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", harmless(line));
}

/// A path for JSON, with replacement characters where it is not UTF-8.
pub(crate) fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Prints an error with its hint, if there is one, and gives the exit code: 0 for success, 2 for
/// wrong usage or input, 130 for Ctrl-C, 1 for anything else.
pub(crate) fn exit_code(result: Result<()>, json: bool) -> ExitCode {
    let Err(error) = &result else { return ExitCode::SUCCESS };
    if error.is::<Interrupted>() {
        return ExitCode::from(INTERRUPTED);
    }
    report_error(&format!("{error:#}"), hints::of_chain(error).as_deref(), json);
    let wrong_input = error.chain().any(|cause| {
        cause.is::<Usage>()
            || cause.downcast_ref::<ancestral::Error>().is_some_and(ancestral::Error::is_usage)
            || cause.downcast_ref::<DataError>().is_some_and(DataError::is_usage)
            || cause.downcast_ref::<PlotError>().is_some_and(PlotError::is_usage)
    });
    ExitCode::from(if wrong_input { WRONG_USAGE } else { 1 })
}

/// Prints an error to standard error: as a sentence, or as one JSON object.
pub(crate) fn report_error(error: &str, hint: Option<&str>, json: bool) {
    if json {
        return print_error_line(&serde_json::json!({ "error": error, "hint": hint }).to_string());
    }
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (on, off) = if color { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    let hint = hint.map_or(String::new(), |hint| format!("; {hint}"));
    // The color is the program's own.
    let _ = writeln!(std::io::stderr(), "{on}error:{off} {}{}", harmless(error), harmless(&hint));
}

/// Prints a warning to standard error: as a line, or as one JSON object; not with `--quiet`.
pub(crate) fn warn(output: OutputArgs, text: &str) {
    if output.json {
        print_error_line(&serde_json::json!({ "warning": text }).to_string());
    } else if !output.quiet {
        print_error_line(&format!("warning: {text}"));
    }
}

/// Prints the last line, the path of the result; with `--quiet` the path alone.
pub(crate) fn wrote(output: OutputArgs, path: &Path) -> Result<()> {
    if output.json {
        return Ok(());
    }
    if output.quiet { say!("{}", path.display()) } else { say!("wrote {}", path.display()) }
}

/// Prints one JSON object.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<()> {
    say!("{}", crate::json::text(value)?)?;
    Ok(())
}

/// The extension of an output path, in lower case, if it is one of `allowed`.
pub(crate) fn extension<'a>(path: &Path, allowed: &[&'a str]) -> Result<&'a str> {
    ending("--out", path, allowed)
}

/// The same of the path of another flag.
pub(crate) fn ending<'a>(flag: &str, path: &Path, allowed: &[&'a str]) -> Result<&'a str> {
    let found = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    allowed.iter().find(|&&e| e == found).copied().ok_or_else(|| {
        usage(format!("{flag} {}: the name must end in {}", path.display(), endings(allowed)))
    })
}

/// Extensions as a phrase: ".png, .npy or .csv".
fn endings(allowed: &[&str]) -> String {
    let all: Vec<String> = allowed.iter().map(|extension| format!(".{extension}")).collect();
    match &all[..] {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => all.concat(),
    }
}

/// A value and its error with this many decimals; the value alone where there is no error.
pub(crate) fn with_error(value: f64, stderr: f64, decimals: usize) -> String {
    match stderr.is_finite() {
        true => format!("{value:.decimals$} ± {stderr:.decimals$}"),
        false => format!("{value:.decimals$}"),
    }
}

/// Refuses to write over an input, a file in a folder that is one, or a file of a run.
pub(crate) fn check_target(flag: &str, target: &Path, inputs: &[Option<&Path>]) -> Result<()> {
    let Ok(full) = target.canonicalize() else { return Ok(()) };
    // The parent of the file, and those above it.
    if let Some(run) = full.ancestors().skip(1).find(|folder| RunFolder::is_at(folder)) {
        return Err(usage(format!(
            "{flag} {}: it is a file of the run in {}; give another name",
            target.display(),
            run.display()
        )));
    }
    let same = |input: &&Path| input.canonicalize().is_ok_and(|input| full.starts_with(input));
    if inputs.iter().flatten().any(same) {
        return Err(usage(format!(
            "{flag} {}: it is an input of this command; give another name",
            target.display()
        )));
    }
    // The data of a run is kept for it.
    let data = |input: &Path| {
        let run = RunFolder::is_at(input).then(|| RunFolder::open(input).ok()).flatten()?;
        run.config.data.path.filter(|data| same(&data.as_path()))
    };
    if let Some(data) = inputs.iter().flatten().find_map(|input| data(input)) {
        return Err(usage(format!(
            "{flag} {}: it is the data of the run, in {}; give another name",
            target.display(),
            data.display()
        )));
    }
    Ok(())
}

/// A number with all its digits, with an exponent where it would be long.
pub(crate) fn exact(value: f64) -> String {
    match value == 0.0 || (1e-5..1e16).contains(&value.abs()) || !value.is_finite() {
        true => value.to_string(),
        false => format!("{value:e}"),
    }
}

/// A number with six significant digits, without zeros at the end of its decimals.
pub(crate) fn significant(value: f64) -> String {
    digits(value, 6)
}

/// A number with so many significant digits.
pub(crate) fn digits(value: f64, count: usize) -> String {
    let size = value.abs();
    if size == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    if !(1e-4..1e9).contains(&size) {
        let text = format!("{value:.*e}", count.saturating_sub(1));
        let (number, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", without_zeros(number));
    }
    let before = size.log10().floor() as i32;
    let decimals = usize::try_from(count as i32 - 1 - before).unwrap_or(0);
    without_zeros(&format!("{value:.decimals$}")).to_owned()
}

fn without_zeros(number: &str) -> &str {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    }
}

/// A count with its noun: "1 row", "2 rows".
pub(crate) fn count(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// The command line, quoted for a shell.
pub(crate) fn typed() -> String {
    // What is not UTF-8 is for reading only.
    let words = std::env::args_os().enumerate().map(|(i, a)| word(i, &a.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

/// A word of the command line, quoted if a shell needs it.
fn word(place: usize, text: &str) -> String {
    if place == 0 {
        return "ancestral".to_owned();
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
