//! Progress: a bar on a terminal, lines elsewhere, events as JSON with `--json`.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ancestral::run::Session;
use ancestral::train::{Event, Observer, Progress};
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::OutputArgs;
use crate::harmless::harmless;
use crate::{json, output};

/// The shortest time between two lines of a training.
const EACH_LINE: Duration = Duration::from_secs(1);
/// The shortest time between two lines of other work; shorter work is silent.
const EACH_WORK_LINE: Duration = Duration::from_secs(5);
/// The shortest time between two steps that are written as JSON.
const EACH_STEP: Duration = Duration::from_secs(1);

/// Whether Ctrl-C may end the program at once: nothing is found yet, and nothing is being written.
static AT_ONCE: AtomicBool = AtomicBool::new(false);
/// What is said then.
pub(crate) const NOTHING: &str = "interrupted before a result; nothing is written";
/// Work whose result is kept if it is stopped, or whose end says that there is none.
const STOPPED: [&str; 2] = ["clustering", "comparing numbers of clusters"];

/// A session with the options of a command.
pub(crate) fn session<'a>(data_dir: Option<&Path>, observer: &'a mut dyn Observer) -> Session<'a> {
    Session::new().with_data_dir(data_dir).with_observer(observer)
}

/// The flag that Ctrl-C sets, with a message if `talk`; the handler is installed once.
pub(crate) fn stop_on_interrupt(talk: bool) -> Result<&'static AtomicBool> {
    let text = "stopping after this step; press Ctrl-C again to quit without a checkpoint";
    stop_on_interrupt_saying(talk, text)
}

/// The same with another message.
pub(crate) fn stop_on_interrupt_saying(
    talk: bool,
    text: &'static str,
) -> Result<&'static AtomicBool> {
    static STOP: AtomicBool = AtomicBool::new(false);
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if !INSTALLED.swap(true, Ordering::Relaxed) {
        ctrlc::set_handler(move || {
            if AT_ONCE.load(Ordering::Relaxed) {
                let _ = writeln!(std::io::stderr(), "\n{NOTHING}");
                std::process::exit(i32::from(output::INTERRUPTED));
            }
            // A second Ctrl-C does not wait for what is to be kept.
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(output::INTERRUPTED));
            }
            if talk {
                let _ = writeln!(std::io::stderr(), "\n{text}");
            }
        })
        .context("cannot listen for Ctrl-C")?;
    }
    Ok(&STOP)
}

/// Lets Ctrl-C end the program at once, until work begins that is stopped by a flag, or [`keep_on`].
pub(crate) fn end_at_once() {
    AT_ONCE.store(true, Ordering::Relaxed);
}

/// From here on, Ctrl-C does not end the program at once: something is being written.
pub(crate) fn keep_on() {
    AT_ONCE.store(false, Ordering::Relaxed);
}

/// Shows the progress of a command.
pub(crate) struct ProgressReporter {
    output: OutputArgs,
    /// Whether events of training are written as JSON.
    events: bool,
    /// The shortest time before the first line of other work.
    first_work_line: Duration,
    bar: Option<ProgressBar>,
    /// The work shown by the bar.
    work: Option<(String, Instant)>,
    /// The number of the work, and whether a line of it has been written.
    line: Arc<(AtomicU64, AtomicBool)>,
    began: Instant,
    first_share: Option<f64>,
    last_line: Option<Instant>,
    /// The warnings of the last epoch and of this one, without their numbers.
    warned: (Vec<String>, Vec<String>),
}

impl ProgressReporter {
    /// For a command that trains.
    pub(crate) fn training(output: OutputArgs) -> Self {
        Self { events: output.json, ..Self::new(output) }
    }

    pub(crate) fn new(output: OutputArgs) -> Self {
        Self {
            output,
            events: false,
            first_work_line: EACH_WORK_LINE,
            bar: None,
            work: None,
            line: Arc::default(),
            began: Instant::now(),
            first_share: None,
            last_line: None,
            warned: Default::default(),
        }
    }

    /// Says what it works on after a second.
    pub(crate) fn early(self) -> Self {
        Self { first_work_line: EACH_LINE, ..self }
    }

    fn silent(&self) -> bool {
        self.output.quiet || self.output.json
    }

    /// Removes the bar.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(harmless(text)),
            None => output::print_error_line(text),
        }
    }

    /// Whether this much time has passed since the last line; if so, this is the new last line.
    fn due(&mut self, least: Duration) -> bool {
        let due = self.last_line.is_none_or(|at| at.elapsed() >= least);
        if due {
            self.last_line = Some(Instant::now());
        }
        due
    }

    fn message(&self, p: &Progress) -> String {
        let mut text = format!("epoch {:.1}", p.epoch);
        let shown: Vec<_> = p.values.iter().filter(|(name, _)| is_shown(name)).collect();
        if shown.len() > 1 {
            text += &format!("  step {}", p.step);
        }
        for (name, value) in shown {
            text += &format!("  {} {value:.3}", name.replace('_', " "));
        }
        if let Some((name, value)) = &p.validation {
            text += &format!("  valid {name} {value:.3}");
        }
        text += &format!("  {:.0} examples/s", p.examples_per_second);
        let gone = p.share - self.first_share.unwrap_or(0.0);
        if gone > 0.0 && p.share < 1.0 {
            let left = self.began.elapsed().as_secs_f64() / gone * (1.0 - p.share);
            text += &format!("  {} left", duration(left));
        }
        text
    }

    fn step(&mut self, p: &Progress) {
        self.first_share.get_or_insert(p.share);
        if self.silent() || !std::io::stderr().is_terminal() {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(1000);
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3}% {msg}") {
                bar.set_style(style);
            }
            bar
        });
        bar.set_position((p.share * 1000.0) as u64);
        let bar = bar.clone();
        bar.set_message(self.message(p));
        if p.last {
            self.finish();
        }
    }

    fn epoch(&mut self, p: &Progress) {
        self.warned = (std::mem::take(&mut self.warned.1), Vec::new());
        if !self.silent() && !std::io::stderr().is_terminal() && (self.due(EACH_LINE) || p.last) {
            output::print_error_line(&self.message(p));
        }
    }

    fn warning(&mut self, text: &str) {
        // A warning of the last epoch that differs in its values only is not repeated.
        let words: String = text.chars().filter(|c| !c.is_ascii_digit() && *c != '.').collect();
        let known = self.warned.0.contains(&words);
        self.warned.1.push(words);
        if !known && !self.silent() {
            self.say(&format!("warning: {text}"));
        }
    }

    /// Whether the first line of this work is to be written now.
    fn is_first_line_due(&mut self) -> bool {
        let Some((_, began)) = self.work else { return false };
        let is_first = self.last_line.is_none_or(|at| at <= began);
        let due = is_first && began.elapsed() >= self.first_work_line;
        if due {
            self.last_line = Some(Instant::now());
        }
        due
    }

    fn work(&mut self, what: &str, done: u64, total: u64) {
        if STOPPED.contains(&what) {
            keep_on();
        }
        if self.silent() {
            return;
        }
        if self.work.as_ref().is_none_or(|(of, _)| of != what) {
            self.finish();
            let now = Instant::now();
            self.work = Some((what.to_owned(), now));
            self.last_line = Some(now);
            self.line.0.fetch_add(1, Ordering::Relaxed);
            self.line.1.store(false, Ordering::Relaxed);
            if std::io::stderr().is_terminal() {
                self.bar = Some(work_bar(total, what));
            } else if done < total && self.first_work_line == EACH_LINE {
                self.say_in_time(what);
            }
        }
        let is_due = self.is_first_line_due() || self.due(EACH_WORK_LINE);
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        } else if is_due && (done < total || total > 1) {
            self.line.1.store(true, Ordering::Relaxed);
            let gone = self.work.as_ref().map_or(0.0, |(_, began)| began.elapsed().as_secs_f64());
            let left = gone / done as f64 * (total.saturating_sub(done)) as f64;
            let left = match left.is_finite() && left >= 1.0 {
                true => format!(", {} left", duration(left)),
                false => String::new(),
            };
            output::print_error_line(&format!("{what} {done}/{total}{left}"));
        }
        if done >= total {
            self.finish();
            self.work = None;
            self.line.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Names work that has said nothing of itself for more than a second.
    fn say_in_time(&self, what: &str) {
        let (line, what) = (Arc::clone(&self.line), what.to_owned());
        let number = line.0.load(Ordering::Relaxed);
        std::thread::spawn(move || {
            std::thread::sleep(EACH_LINE + EACH_LINE / 4);
            let is_same = line.0.load(Ordering::Relaxed) == number;
            if is_same && !line.1.swap(true, Ordering::Relaxed) {
                output::print_error_line(&format!("{what} …"));
            }
        });
    }
}

impl Observer for ProgressReporter {
    fn event(&mut self, event: &Event) -> ancestral::Result<()> {
        if self.events && (!matches!(event, Event::Step(_)) || self.due(EACH_STEP)) {
            if let Ok(line) = json::text(event) {
                output::print_error_line(&line);
            }
            return Ok(());
        }
        match event {
            Event::Step(progress) => self.step(progress),
            Event::Epoch(progress) => self.epoch(progress),
            Event::Warning(entry) => self.warning(&entry.note),
            Event::Work(work) => self.work(&work.what, work.done, work.total),
            Event::Note(note) if !self.silent() => self.say(&format!("note: {}", note.note)),
            _ => {}
        }
        Ok(())
    }

    fn wants_model(&self) -> bool {
        false
    }
}

/// Whether a metric of training is part of its line: the loss, and of two networks in turn the losses of
/// both and how well the one tells data from samples.
fn is_shown(metric: &str) -> bool {
    matches!(metric, "loss" | "critic_loss" | "critic_accuracy")
}

/// A bar on a terminal, nothing elsewhere or when quiet.
pub(crate) fn bar(output: OutputArgs, what: &str) -> ProgressBar {
    if output.quiet || output.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    work_bar(0, what)
}

fn work_bar(total: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// Seconds as text: "40s", "3m 20s", "1h 05m".
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.0}s"),
        s if s < 3600.0 => format!("{:.0}m {:02.0}s", (s / 60.0).floor(), s % 60.0),
        s => format!("{:.0}h {:02.0}m", (s / 3600.0).floor(), s % 3600.0 / 60.0),
    }
}
