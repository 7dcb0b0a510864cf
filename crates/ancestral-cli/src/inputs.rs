//! Parses the values of options.

use std::fmt::Display;
use std::path::Path;

use ancestral::rules::Layout;
use ancestral::run::{DataQuery, LEAST_MEMORY, Reading, Run, RunFolder, Session, Weights};
use ancestral::train::Budget;
use ancestral_data::{Background, Binarize, SplitName, TextOptions};
use anyhow::Result;

use crate::args::{ExamplesArgs, OutputArgs, ShapeArgs, TableArgs};
use crate::output::{self, usage};

/// `best`, `last` or `raw`.
pub(crate) fn weights(text: &str) -> Result<Weights> {
    text.parse().map_err(|_| usage(format!("--weights {text}: choose best, last or raw")))
}

/// Some weights of a run, which are those of its checkpoint if its model is older.
pub(crate) fn load(
    session: &Session<'_>,
    path: &Path,
    weights: Weights,
    output: OutputArgs,
) -> Result<Run> {
    if weights == Weights::Best {
        say_behind(path, output)?;
    }
    Ok(session.load(path, weights)?)
}

/// Says of a run whose model is older than its checkpoint that the weights of the checkpoint are
/// taken.
pub(crate) fn say_behind(path: &Path, output: OutputArgs) -> Result<()> {
    if RunFolder::open(path)?.is_behind() {
        let path = path.display();
        output::warn(
            output,
            &format!(
                "{path}: model.safetensors is older than last.safetensors, whose weights are taken \
                 instead; `ancestral train --resume {path}` writes it anew"
            ),
        );
    }
    Ok(())
}

/// Says how many damaged lines of a run's events were skipped, if any.
pub(crate) fn say_damaged(path: &Path, lines: usize, output: OutputArgs) {
    if lines > 0 {
        let lines = output::count(lines, "damaged line");
        output::warn(output, &format!("{}: skipped {lines} of events.jsonl", path.display()));
    }
}

/// `train`, `valid` or `test`.
pub(crate) fn split(text: &str) -> Result<SplitName> {
    text.parse().map_err(|e| usage(format!("--split: {e}")))
}

/// `none`, `threshold`, `static` or `dynamic`.
pub(crate) fn binarize(text: &str) -> Result<Binarize> {
    text.parse().map_err(|e| usage(format!("--binarize: {e}")))
}

/// The importance samples and members of an ensemble of a command.
pub(crate) fn check_counts(samples: usize, orderings: u64) -> Result<()> {
    if samples == 0 || samples > MOST_SAMPLES {
        return Err(usage(format!(
            "--samples {samples}: give at least 1 and at most {MOST_SAMPLES}"
        )));
    }
    if orderings == 0 || orderings > MOST_ORDERINGS {
        return Err(usage(format!(
            "--orderings {orderings}: give at least 1 and at most {MOST_ORDERINGS}"
        )));
    }
    Ok(())
}

/// The most importance samples of an example, and the most orderings that are averaged.
const MOST_SAMPLES: usize = 1_000_000_000;
const MOST_ORDERINGS: u64 = 1_000_000;

/// `HxW` in pixels.
pub(crate) fn size(text: &str) -> Result<(usize, usize)> {
    let parsed = text.split_once(['x', '×']).and_then(|(h, w)| {
        let (h, w) = (h.trim().parse().ok()?, w.trim().parse().ok()?);
        (h > 0 && w > 0 && h <= 4096 && w <= 4096).then_some((h, w))
    });
    parsed.ok_or_else(|| {
        usage(format!("--resize {text}: write height x width in pixels, as in 28x28"))
    })
}

/// `HxW` or `HxWxC`: height, width and channels.
fn image(text: &str) -> Result<[usize; 3]> {
    let sides: Option<Vec<usize>> =
        text.split(['x', '×']).map(|side| side.trim().parse().ok()).collect();
    match sides.as_deref() {
        Some(&[h, w]) if h > 0 && w > 0 => Ok([h, w, 1]),
        Some(&[h, w, c @ (1 | 3)]) if h > 0 && w > 0 => Ok([h, w, c]),
        _ => Err(usage(format!(
            "--image {text}: write height x width, or height x width x channels with 1 or 3 \
             channels, as in 28x28 or 32x32x3"
        ))),
    }
}

/// What the rows of a table hold: the shape of images, and the number of levels.
pub(crate) fn shape(args: &ShapeArgs) -> Result<(Option<[usize; 3]>, Option<u32>)> {
    if let Some(levels) = args.levels.filter(|levels| !(2..=256).contains(levels)) {
        return Err(usage(format!("--levels {levels}: give 2 to 256")));
    }
    Ok((args.image.as_deref().map(image).transpose()?, args.levels))
}

/// How data is read.
pub(crate) fn reading(args: &TableArgs) -> Result<Reading> {
    let header = match args.header.as_deref() {
        None => None,
        Some("yes") => Some(true),
        Some("no") => Some(false),
        Some(other) => return Err(usage(format!("--header {other}: give yes or no"))),
    };
    let separator = match args.separator.as_deref() {
        None => None,
        Some("tab" | "\\t" | "\t") => Some('\t'),
        Some("blank" | "space" | " ") => Some(' '),
        Some("comma") => Some(','),
        Some("semicolon") => Some(';'),
        Some(other) => match other.chars().collect::<Vec<_>>()[..] {
            [one] if one.is_ascii_punctuation() && !"\"'#.+-".contains(one) => Some(one),
            _ => {
                return Err(usage(format!("--separator {other}: give , ; | tab or blank")));
            }
        },
    };
    let decimal = match args.decimal.as_deref() {
        None => None,
        Some("." | "point") => Some('.'),
        Some("," | "comma") => Some(','),
        Some(other) => return Err(usage(format!("--decimal {other}: give . or ,"))),
    };
    let text = TextOptions {
        header,
        separator,
        decimal,
        missing: args.missing.clone(),
        encoding: args.encoding.clone(),
    };
    Ok(Reading { text, no_labels: args.no_labels })
}

/// `baskets`, `long` or `table`.
pub(crate) fn layout(text: &str) -> Result<Layout> {
    text.parse().map_err(|_| usage(format!("--format {text}: choose baskets, long or table")))
}

/// A number of bytes with a unit: `500M`, `1.5G`.
pub(crate) fn memory(text: &str) -> Result<u64> {
    let plain = text.trim().to_ascii_uppercase();
    let plain = plain.strip_suffix("IB").or(plain.strip_suffix('B')).unwrap_or(&plain);
    let split = plain.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(plain.len());
    let (number, unit) = plain.split_at(split);
    let unit: u64 = match unit {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => 0,
    };
    match number.trim().parse::<f64>() {
        Ok(n) if n.is_finite() && unit > 0 && n * unit as f64 >= LEAST_MEMORY as f64 => {
            Ok((n * unit as f64) as u64)
        }
        Ok(n) if n >= 0.0 && unit > 0 => {
            Err(usage(format!("--max-memory {text}: give at least {}M", LEAST_MEMORY >> 20)))
        }
        _ => Err(usage(format!("--max-memory {text}: write a size, as in 500M or 2G"))),
    }
}

/// `white` or `black`.
pub(crate) fn background(text: &str) -> Result<Background> {
    text.parse().map_err(|e| usage(format!("--background: {e}")))
}

/// `90`, `90s`, `10m` or `2h` in seconds.
pub(crate) fn seconds(text: &str) -> Result<f64> {
    let (number, unit) = match text.trim().char_indices().last() {
        Some((at, 's')) => (&text[..at], 1.0),
        Some((at, 'm')) => (&text[..at], 60.0),
        Some((at, 'h')) => (&text[..at], 3600.0),
        _ => (text, 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(n) if n > 0.0 && n * unit <= Budget::MOST_SECONDS => Ok(n * unit),
        Ok(n) if n > 0.0 => Err(usage(format!(
            "--time {text}: give at most {}h",
            (Budget::MOST_SECONDS / 3600.0).floor()
        ))),
        _ => Err(usage(format!(
            "--time {text}: write seconds, minutes or hours, as in 90s, 10m, 2h"
        ))),
    }
}

/// The run and the examples of a command.
pub(crate) fn examples(args: &ExamplesArgs, session: &Session<'_>) -> Result<(Run, DataQuery)> {
    let split = split(&args.split)?;
    let run = load(session, &args.run, weights(&args.weights)?, args.output)?;
    let reading = reading(&args.tables)?;
    Ok((run, DataQuery { data: args.data.clone(), split: Some(split), limit: None, reading }))
}

/// Adds to an error what it is about, with its name unless the error has it.
pub(crate) trait About<T> {
    fn about(self, what: &str, name: impl Display) -> Result<T>;
}

impl<T> About<T> for ancestral::Result<T> {
    fn about(self, what: &str, name: impl Display) -> Result<T> {
        self.map_err(|error| {
            let (text, name) = (error.to_string(), name.to_string());
            let named = [format!("{name}:"), format!("'{name}'")].iter().any(|n| text.contains(n));
            let what = match named {
                true => what.trim_end_matches(" of").to_owned(),
                false => format!("{what} {name}"),
            };
            anyhow::Error::new(error).context(what)
        })
    }
}
