//! `reproduce`: published rows, each with the command that runs it from start to end.

use std::path::{Path, PathBuf};

use ancestral::evaluate::{self, Likelihoods};
use ancestral::train::StopReason;
use ancestral_data::{Examples, SplitName};
use anyhow::{Context, Result};
use clap::Parser;
use serde::Serialize;

use crate::args::{Args, Command, ReproduceArgs, TrainArgs};
use crate::output::{self, say, usage};
use crate::{comparison, inputs, train};

/// What a row's figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    /// The mean negative log-likelihood of the test split, in nats.
    Nll,
    /// The mean log-likelihood of the test folds on columns standardised by their training split,
    /// without the log-determinant.
    StandardisedLogLikelihood,
}

/// A published result.
#[derive(Debug)]
struct Row {
    name: &'static str,
    /// What is behind `ancestral train`; `--fold` and `--out` are added.
    command: &'static str,
    /// Orderings or masks that are averaged at the end.
    members: u64,
    /// Folds to run, 1 to this; 0 for data with official splits.
    folds: u32,
    figure: Figure,
    published: f64,
    source: &'static str,
}

const URIA_2016: &str = "Uria et al. 2016, arXiv:1605.02226";
const GERMAIN_2015: &str = "Germain et al. 2015, arXiv:1502.03509";

/// One with official splits.
const fn row(
    name: &'static str,
    command: &'static str,
    members: u64,
    published: f64,
    source: &'static str,
) -> Row {
    Row { name, command, members, folds: 0, figure: Figure::Nll, published, source }
}

const ROWS: &[Row] = &[
    row("nade-mnist", "nade --data binarized-mnist --preset mnist", 1, 88.33, URIA_2016),
    row(
        "deep-nade-mnist",
        "deep-nade --data binarized-mnist --preset mnist",
        128,
        85.10,
        "Uria, Murray and Larochelle 2014, arXiv:1310.1757",
    ),
    row(
        "deep-nade-mnist-1hl",
        "deep-nade --data binarized-mnist --preset mnist-1hl",
        128,
        87.71,
        "Uria, Murray and Larochelle 2014, arXiv:1310.1757",
    ),
    row("made-mnist", "made --data binarized-mnist --preset mnist", 1, 88.40, GERMAIN_2015),
    row("nade-adult", "nade --data adult --preset uci", 1, 13.19, URIA_2016),
    row("made-adult", "made --data adult --preset uci", 1, 13.12, GERMAIN_2015),
    row("nade-dna", "nade --data dna --preset dna", 1, 84.81, URIA_2016),
    row("deep-nade-dna", "deep-nade --data dna --preset dna", 16, 82.31, URIA_2016),
    row("made-dna", "made --data dna --preset dna", 1000, 79.66, GERMAIN_2015),
    row(
        "nade-mushrooms",
        "nade --data mushrooms --preset uci --epochs 100 --set learning_rate=0.004",
        1,
        9.81,
        URIA_2016,
    ),
    row("fvsbn-adult", "fvsbn --data adult --preset uci", 1, 13.17, URIA_2016),
    row("fvsbn-dna", "fvsbn --data dna --preset uci", 1, 83.64, URIA_2016),
    row("fvsbn-mushrooms", "fvsbn --data mushrooms --preset uci", 1, 10.27, URIA_2016),
    Row {
        name: "rnade-red-wine",
        command: "rnade --data red-wine --preset red-wine",
        members: 1,
        folds: 10,
        figure: Figure::StandardisedLogLikelihood,
        published: -9.36,
        source: "Uria, Murray and Larochelle 2013, arXiv:1306.0186",
    },
];

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    row: &'static str,
    commands: Vec<String>,
    figure: &'static str,
    obtained: f64,
    stderr: f64,
    published: f64,
    source: &'static str,
    n: usize,
    seconds: f64,
    measured: Vec<Likelihoods>,
    out: PathBuf,
}

pub(crate) fn run(args: &ReproduceArgs, data_dir: Option<&Path>) -> Result<()> {
    let Some(name) = &args.row else { return list(args) };
    if name == comparison::NAME {
        return comparison::run(args, data_dir);
    }
    let row = ROWS.iter().find(|row| row.name == name).ok_or_else(|| {
        let mut names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        names.push(comparison::NAME);
        usage(match ancestral::settings::nearest(name, &names) {
            Some(near) => format!("no row '{name}'; did you mean '{near}'?"),
            None => format!("no row '{name}'; the rows are {}", names.join(", ")),
        })
    })?;
    let out =
        args.out.clone().unwrap_or_else(|| Path::new("runs").join(format!("reproduce-{name}")));
    let talk = !args.output.quiet && !args.output.json;
    let runs: Vec<(Option<u32>, PathBuf)> = match row.folds {
        0 => vec![(None, out.clone())],
        folds => (1..=folds).map(|k| (Some(k), out.join(format!("fold-{k}")))).collect(),
    };
    let (mut commands, mut measured, mut seconds) = (Vec::new(), Vec::new(), 0.0);
    for (fold, path) in runs {
        let fold = fold.map(|k| format!(" --fold {k}")).unwrap_or_default();
        let command = format!("ancestral train {}{fold} --out {}", row.command, path.display());
        if talk {
            say!("{command}")?;
        }
        let mut typed = train_args(row, &fold, &path)?;
        typed.output = args.output;
        let (training, data, outcome) = train::session(&typed, data_dir)?;
        drop(training);
        seconds += outcome.seconds;
        if outcome.reason == StopReason::Interrupted {
            if talk {
                say!("stopped; go on with: ancestral reproduce {name} --out {}", out.display())?;
            }
            return Err(output::Interrupted.into());
        }
        let loaded = inputs::load(&path, "best")?;
        let (examples, _) = loaded.examples(None, Some(SplitName::Test), data_dir)?;
        let bar = output::bar(args.output, examples.len() as u64, "test");
        let options = evaluate::Options { members: row.members, ..evaluate::Options::default() };
        let mut found =
            evaluate::likelihoods(loaded.model.as_ref(), &examples, options, &mut |done| {
                bar.set_position(done as u64);
            })?;
        bar.finish_and_clear();
        let config = &loaded.run.config;
        let binarize = config.data.binarize.parse()?;
        found.standardise(&Examples::new(&data, SplitName::Train, binarize, config.seed)?);
        if talk {
            let binarize = examples.binarize().as_str();
            say!("{}", crate::evaluate::sentence(&found, "test", binarize))?;
        }
        commands.push(command);
        measured.push(found);
    }
    report(
        args,
        row,
        Report {
            row: row.name,
            commands,
            figure: row.figure.name(),
            obtained: 0.0,
            stderr: 0.0,
            published: row.published,
            source: row.source,
            n: 0,
            seconds,
            measured,
            out,
        },
    )
}

impl Figure {
    fn name(self) -> &'static str {
        match self {
            Self::Nll => "nll_nats",
            Self::StandardisedLogLikelihood => "log_likelihood_standardised",
        }
    }

    fn of(self, found: &Likelihoods) -> Option<f64> {
        match self {
            Self::Nll => Some(found.nll_nats),
            Self::StandardisedLogLikelihood => found.nll_standardised.map(|nll| -nll),
        }
    }
}

/// The row's command, or the one that goes on with its run.
fn train_args(row: &Row, fold: &str, path: &Path) -> Result<TrainArgs> {
    let mut words: Vec<String> = vec!["ancestral".into(), "train".into()];
    if path.exists() {
        words.push("--resume".into());
        words.push(path.display().to_string());
    } else {
        words.extend(row.command.split_whitespace().chain(fold.split_whitespace()).map(Into::into));
        words.extend(["--out".into(), path.display().to_string()]);
    }
    match Args::try_parse_from(words).context("a row's command is broken")?.command {
        Command::Train(args) => Ok(*args),
        _ => Err(usage("a row's command does not train")),
    }
}

fn list(args: &ReproduceArgs) -> Result<()> {
    if args.output.json {
        let rows: Vec<_> = ROWS
            .iter()
            .map(|row| {
                serde_json::json!({
                    "row": row.name, "command": format!("ancestral train {}", row.command),
                    "folds": row.folds, "orderings": row.members, "figure": row.figure.name(),
                    "published": row.published, "source": row.source,
                })
            })
            .collect();
        return output::json(&rows);
    }
    say!("{:<22} {:>9}  source", "row", "published")?;
    for row in ROWS {
        say!("{:<22} {:>9.2}  {}", row.name, row.published, row.source)?;
    }
    say!("{:<22} {:>9}  all adversarial networks, measured alike", comparison::NAME, "a table")?;
    if !args.output.quiet {
        say!(
            "\nRun one: ancestral reproduce ROW (figures in nats; rnade on standardised columns)"
        )?;
    }
    Ok(())
}

fn report(args: &ReproduceArgs, row: &Row, mut report: Report) -> Result<()> {
    let figures: Vec<f64> = report.measured.iter().filter_map(|m| row.figure.of(m)).collect();
    if figures.is_empty() {
        return Err(usage(format!("{}: the runs have no such figure", row.name)));
    }
    let count = figures.len() as f64;
    report.n = report.measured.iter().map(|m| m.n).sum();
    report.obtained = figures.iter().sum::<f64>() / count;
    // Over examples, of each fold; the mean over folds adds them up.
    report.stderr =
        report.measured.iter().map(|m| m.nll_stderr.powi(2)).sum::<f64>().sqrt() / count;
    if args.output.json {
        return output::json(&report);
    }
    let what = match (row.figure, row.members) {
        (Figure::Nll, 1) => "test negative log-likelihood, exact".to_owned(),
        (Figure::Nll, members) => {
            format!("test negative log-likelihood, exact, {members} orderings or masks averaged")
        }
        (Figure::StandardisedLogLikelihood, _) => format!(
            "test log-likelihood, exact, mean of {count} folds, standardised by the training split"
        ),
    };
    if args.output.quiet {
        return say!("{}", report.obtained);
    }
    say!("\n{}: {what}, nats, n = {}", row.name, report.n)?;
    say!(
        "  obtained  {:>9.3} ± {:.3}  in {}",
        report.obtained,
        report.stderr,
        train::duration(report.seconds)
    )?;
    say!("  published {:>9.2}          {}", report.published, report.source)?;
    output::wrote(args.output, &report.out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_one_that_trains_with_a_preset_there_is() {
        for row in ROWS {
            let args = train_args(row, "", Path::new("nowhere")).unwrap();
            let registry = ancestral::Registry::standard();
            let entry = registry.find(&args.model.unwrap()).unwrap();
            let preset = args.preset.unwrap();
            assert!(entry.presets.iter().any(|p| p.name == preset), "{}: {preset}", row.name);
        }
    }
}
