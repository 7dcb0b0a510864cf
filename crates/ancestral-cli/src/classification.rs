//! Classifiers: evaluated on labels, or their class probabilities for each row of a file.

use std::fmt::Write;

use ancestral::evaluate::Classification;
use ancestral::run::{ClassSummary, LogSummary};
use anyhow::Result;
use serde_json::json;

use crate::args::ScoreArgs;
use crate::json::number;
use crate::output::{self, say, shown};

/// The most classes that are listed.
const SHOWN: usize = 10;

/// The metrics as text.
pub(crate) fn sentence(found: &Classification, split: &str, binarize: &str) -> String {
    let mut text = format!(
        "{split} accuracy {} % (n = {}, binarization {binarize})",
        output::with_error(100.0 * found.accuracy, 100.0 * found.accuracy_stderr, 2),
        found.n
    );
    // Writing to a string cannot fail.
    let _ = match found.impossible {
        0 => write!(
            text,
            "\n{split} class NLL {} nats",
            output::with_error(found.class_nll, found.class_nll_stderr, 4)
        ),
        n => {
            let n = output::count(n, "example");
            write!(text, "\n{split} class NLL inf ({n} of a class of probability 0)")
        }
    };
    let _ = write!(
        text,
        ", Brier score {}, expected calibration error {} ({} of equal mass)",
        output::with_error(found.brier_score, found.brier_stderr, 4),
        output::with_error(found.calibration_error, found.calibration_stderr, 4),
        match found.reliability.len() {
            1 => "1 bin".to_owned(),
            n => format!("{n} bins"),
        }
    );
    for (i, bin) in found.reliability.iter().enumerate() {
        let head = if i == 0 { "confidence" } else { "" };
        let _ = write!(
            text,
            "\n{head:>12} {:.3} accuracy {:.3} ± {:.3} (n = {})",
            bin.confidence, bin.accuracy, bin.accuracy_stderr, bin.n
        );
    }
    text
}

/// Says which classes are the most probable ones of the rows.
pub(crate) fn say(
    args: &ScoreArgs,
    model: &str,
    scores: &ClassSummary,
    logs: Option<&LogSummary>,
) -> Result<()> {
    let ClassSummary { of, classes, counts } = scores;
    if args.output.json {
        let mut all = json!({
            "model": model, "data": of.data, "binarize": of.binarize, "n": of.n,
            "kind": "class probabilities", "classes": classes, "counts": counts,
            "out": shown(&args.out), "notes": of.notes,
        });
        if let Some(logs) = logs {
            let rows: Vec<usize> = logs.lowest.iter().map(|(row, _)| *row).collect();
            all["mean_log_probability"] = number(logs.mean);
            all["lowest_rows"] = rows.into();
        }
        return output::json(&all);
    }
    if !args.output.quiet {
        let mut order: Vec<usize> = (0..counts.len()).filter(|&class| counts[class] > 0).collect();
        order.sort_by_key(|&class| std::cmp::Reverse(counts[class]));
        let top = order.iter().take(SHOWN);
        let list: Vec<String> =
            top.map(|&class| format!("{} {}", classes[class], counts[class])).collect();
        say!(
            "{} of {}, class probabilities (binarization {})\nmost probable classes: {}",
            output::count(of.n, "row"),
            of.data,
            of.binarize,
            list.join(", ")
        )?;
        if let Some(LogSummary { mean, lowest, is_mass, .. }) = logs {
            let what = if *is_mass { "log-probability" } else { "log-density in raw units" };
            let lowest: Vec<String> =
                lowest.iter().map(|(row, nats)| format!("row {row} ({nats:.1})")).collect();
            say!("mean {what} {mean:.3} nats; least probable: {}", lowest.join(", "))?;
        }
    }
    output::wrote(args.output, &args.out)
}
