//! `runs`: the list of runs, filtered and sorted, with the settings in which they differ.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use ancestral::run::{RunSummary, differing_settings};
use anyhow::Result;
use serde_json::{Value, json};

use crate::args::{OutputArgs, RunsArgs};
use crate::inputs;
use crate::output::{self, say, shown, usage};
use crate::progress::duration;

/// What a run can be filtered and sorted by, besides its settings.
const KEYS: [&str; 10] =
    ["run", "model", "data", "binarize", "step", "epoch", "validation", "test", "time", "finished"];

pub(crate) fn run(args: &RunsArgs) -> Result<()> {
    let mut rows = read(args)?;
    for row in &rows {
        inputs::say_damaged(&row.path, row.damaged_events, args.output);
    }
    let any = !rows.is_empty();
    for text in &args.filter {
        let condition = Condition::parse(text)?;
        check_key(&condition.key, &rows)?;
        rows.retain(|row| condition.holds(row));
    }
    // Best first among runs of the same model and data.
    rows.sort_by(|a, b| {
        let of = |row: &RunSummary| row.validation().map_or(f64::INFINITY, |v| v.1);
        (&a.model, &a.data).cmp(&(&b.model, &b.data)).then(of(a).total_cmp(&of(b)))
    });
    if let Some(key) = &args.sort {
        check_key(key, &rows)?;
        rows.sort_by(|a, b| compare(value(a, key).as_deref(), value(b, key).as_deref()));
    }
    if args.reverse {
        rows.reverse();
    }
    let differing = differing_settings(&rows);
    if args.output.json {
        let list: Vec<Value> = rows
            .iter()
            .zip(&differing)
            .map(|(row, settings)| {
                let result = &row.result;
                let settings: Vec<Value> = settings
                    .iter()
                    .map(|(name, value)| json!({ "name": name, "value": value }))
                    .collect();
                json!({
                    "run": shown(&row.path), "model": row.model, "data": data(row),
                    "step": result.step, "epoch": result.epoch, "validation": result.validation,
                    "best_validation": result.best_validation,
                    "test_nll_nats": result.test_nll_nats, "test_n": result.test_n, "seconds": result.seconds,
                    "finished": result.finished, "settings": settings,
                })
            })
            .collect();
        return output::json(&list);
    }
    match (rows.is_empty(), any) {
        (true, false) => say!("no runs here yet; `ancestral train vae` makes one"),
        (true, true) => say!("no run matches --filter"),
        _ => table(&rows, &differing),
    }
}

/// The runs of the given folders.
fn read(args: &RunsArgs) -> Result<Vec<RunSummary>> {
    let skipped = |output: OutputArgs, error: &dyn std::fmt::Display| {
        output::warn(output, &format!("skipped: {error}"));
    };
    let mut rows = Vec::new();
    for folder in &args.folders {
        if folder.join("config.toml").exists() {
            match RunSummary::read(folder) {
                Ok(found) => rows.push(found),
                // Among others, it does not spoil the list.
                Err(error) if args.folders.len() > 1 => skipped(args.output, &error),
                Err(error) => return Err(error.into()),
            }
            continue;
        }
        if !folder.is_dir() {
            if *folder == Path::new("runs") {
                continue;
            }
            return Err(usage(format!("{}: no such folder", folder.display())));
        }
        let entries =
            std::fs::read_dir(folder).map_err(|e| usage(format!("{}: {e}", folder.display())))?;
        let mut inside: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        inside.sort();
        for path in inside.iter().filter(|p| p.join("config.toml").exists()) {
            match RunSummary::read(path) {
                Ok(found) => rows.push(found),
                Err(error) => skipped(args.output, &error),
            }
        }
    }
    Ok(rows)
}

/// Prints columns as wide as their longest cell.
fn table(rows: &[RunSummary], differing: &[std::collections::BTreeMap<&str, &str>]) -> Result<()> {
    let head = ["run", "model", "data", "epoch", "best validation", "test nats", "time", ""];
    let mut cells = vec![head.map(str::to_owned)];
    for (row, settings) in rows.iter().zip(differing) {
        let result = &row.result;
        let mut notes: Vec<String> =
            settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        if !result.finished {
            notes.insert(0, "unfinished".to_owned());
        }
        let validation = row.validation();
        cells.push([
            row.path.display().to_string(),
            row.model.clone(),
            data(row),
            // Of a fitted model there are none.
            if result.step > 0 || result.epoch > 0.0 {
                format!("{:.1}", result.epoch)
            } else {
                "-".to_owned()
            },
            validation.map_or("-".to_owned(), |(name, v)| format!("{name} {v:.3}")),
            match (result.test_nll_nats, result.test_n) {
                (None, _) => "-".to_owned(),
                (Some(nats), Some(n)) => format!("{nats:.3} (n = {n})"),
                (Some(nats), None) => format!("{nats:.3}"),
            },
            if result.seconds > 0.0 { duration(result.seconds) } else { "-".to_owned() },
            notes.join("  "),
        ]);
    }
    let wide: Vec<usize> = (0..head.len())
        .map(|at| cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0))
        .collect();
    for row in &cells {
        let [run, model, data, epoch, validation, test, time, notes] = row;
        let [r, m, d, e, v, t, s, _] = wide[..] else { continue };
        let line = format!(
            "{run:<r$}  {model:<m$}  {data:<d$}  {epoch:>e$}  {validation:>v$}  {test:>t$}  {time:>s$}  {notes}"
        );
        say!("{}", line.trim_end())?;
    }
    Ok(())
}

/// The data of a run and how it was binarized.
fn data(run: &RunSummary) -> String {
    format!("{} ({})", run.data, run.binarize)
}

/// The value of a run under a key, as text.
fn value(row: &RunSummary, key: &str) -> Option<String> {
    let result = &row.result;
    match key {
        "run" => Some(row.path.display().to_string()),
        "model" => Some(row.model.clone()),
        "data" => Some(row.data.clone()),
        "binarize" => Some(row.binarize.clone()),
        "step" => Some(result.step.to_string()),
        "epoch" => Some(result.epoch.to_string()),
        "validation" => result.best_validation.map(|v| v.to_string()),
        "test" => result.test_nll_nats.map(|v| v.to_string()),
        "time" => Some(result.seconds.to_string()),
        "finished" => Some(result.finished.to_string()),
        _ => row.settings.get(key).map(|text| text.trim_matches('"').to_owned()),
    }
}

/// Refuses a key that no run has.
fn check_key(key: &str, rows: &[RunSummary]) -> Result<()> {
    let known = KEYS.contains(&key) || rows.iter().any(|row| row.settings.contains_key(key));
    if known || rows.is_empty() {
        return Ok(());
    }
    Err(usage(format!("'{key}' is no setting of these runs, and none of {}", KEYS.join(", "))))
}

/// Numbers by their size, other values by their letters, missing ones last.
fn compare(a: Option<&str>, b: Option<&str>) -> Ordering {
    let number = |text: &str| text.parse::<f64>().ok();
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a.cmp(b),
        },
    }
}

/// A condition of --filter: KEY=VALUE, KEY<VALUE or KEY>VALUE.
struct Condition {
    key: String,
    order: Ordering,
    value: String,
}

impl Condition {
    fn parse(text: &str) -> Result<Self> {
        let at = text.find(['=', '<', '>']).filter(|&at| at > 0 && at + 1 < text.len());
        let at = at.ok_or_else(|| {
            usage(format!(
                "--filter {text}: give KEY=VALUE, KEY<VALUE or KEY>VALUE, as in model=vae"
            ))
        })?;
        let order = match text.as_bytes()[at] {
            b'<' => Ordering::Less,
            b'>' => Ordering::Greater,
            _ => Ordering::Equal,
        };
        let (key, value) = (text[..at].trim().to_owned(), text[at + 1..].trim().to_owned());
        if order.is_ne() && value.parse::<f64>().is_err() {
            return Err(usage(format!("--filter {text}: {value} is not a number")));
        }
        Ok(Self { key, order, value })
    }

    fn holds(&self, row: &RunSummary) -> bool {
        value(row, &self.key)
            .is_some_and(|value| compare(Some(&value), Some(&self.value)) == self.order)
    }
}
