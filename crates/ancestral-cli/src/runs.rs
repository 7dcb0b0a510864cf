//! `runs`: the list of runs, filtered and sorted, with the settings in which they differ.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ancestral::run::{RunCondition, RunSummary, differing_settings, sort_runs};
use anyhow::Result;
use serde_json::{Value, json};

use crate::args::{OutputArgs, RunsArgs};
use crate::inputs;
use crate::json::number;
use crate::output::{self, say, shown, usage};
use crate::progress::duration;

pub(crate) fn run(args: &RunsArgs) -> Result<()> {
    let mut rows = read(args)?;
    for row in &rows {
        inputs::say_damaged(&row.path, row.damaged_events, args.output);
    }
    let any = !rows.is_empty();
    for text in &args.filter {
        let condition: RunCondition = text.parse()?;
        rows = condition.select(rows)?;
    }
    sort_runs(&mut rows, args.sort.as_deref())?;
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
                    "test_nll_nats": result.test_nll_nats.map(number), "test_n": result.test_n,
                    "train_nll_nats": result.train_nll_nats.map(number), "train_n": result.train_n,
                    "seconds": result.seconds,
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
fn table(rows: &[RunSummary], differing: &[BTreeMap<&str, &str>]) -> Result<()> {
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
            if result.epoch > 0.0 { format!("{:.1}", result.epoch) } else { "-".to_owned() },
            validation.map_or("-".to_owned(), |(name, v)| format!("{name} {v:.3}")),
            match (result.test_nll_nats, result.test_n, result.train_nll_nats, result.train_n) {
                (Some(nats), Some(n), ..) => format!("{nats:.3} (n = {n})"),
                (Some(nats), ..) => format!("{nats:.3}"),
                // Of a fit without a test split.
                (None, _, Some(nats), Some(n)) => format!("train {nats:.3} (n = {n})"),
                _ => "-".to_owned(),
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
