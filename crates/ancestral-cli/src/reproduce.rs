//! `reproduce`: retrains published results.

use std::path::Path;

use ancestral::evaluate::Likelihoods;
use ancestral::run::{
    GAN_TABLE, GanTableProgress, PUBLISHED, PublishedMetric, PublishedResult, ReproduceProgress,
    Reproduced, Session,
};
use anyhow::Result;
use serde::Serialize;

use crate::args::ReproduceArgs;
use crate::evaluate;
use crate::output::{self, say};
use crate::progress::{self, ProgressReporter, duration};

/// The output of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    row: &'a str,
    commands: &'a [String],
    #[serde(rename = "figure")]
    metric: &'a str,
    obtained: f64,
    stderr: f64,
    published: f64,
    source: &'a str,
    n: usize,
    seconds: f64,
    measured: &'a [Likelihoods],
    out: String,
}

pub(crate) fn run(args: &ReproduceArgs, data_dir: Option<&Path>) -> Result<()> {
    let Some(name) = &args.name else { return list(args, data_dir) };
    let talk = !args.output.quiet && !args.output.json;
    let stop = progress::stop_on_interrupt(talk)?;
    let mut watch = ProgressReporter::training(args.output);
    let mut session = progress::session(data_dir, &mut watch).with_stop_flag(stop);
    let out =
        args.out.clone().unwrap_or_else(|| Path::new("runs").join(format!("reproduce-{name}")));
    let done = if name == GAN_TABLE {
        table(args, &mut session, &out)
    } else {
        row(args, &mut session, PublishedResult::find(name, &[GAN_TABLE])?, &out)
    };
    match done {
        Err(error) if matches!(error.downcast_ref(), Some(ancestral::Error::Interrupted)) => {
            if talk {
                let out = out.display();
                say!("stopped; resume with: ancestral reproduce {name} --out {out}")?;
            }
            Err(output::Interrupted.into())
        }
        done => done,
    }
}

fn row(
    args: &ReproduceArgs,
    session: &mut Session<'_>,
    row: &PublishedResult,
    out: &Path,
) -> Result<()> {
    // Before any work: the data is there, or what is missing is said.
    let place = data_place(row, session.data_dir())?;
    if !args.output.quiet && !args.output.json {
        say!("data {}: {place}", row.recipe.data)?;
    }
    let mut said = Ok(());
    let found = session.reproduce(row, out, &mut |now| {
        if args.output.quiet || args.output.json || said.is_err() {
            return;
        }
        said = match now {
            ReproduceProgress::Begins { command } => say!("{command}"),
            ReproduceProgress::Measured(found) => {
                say!("{}", evaluate::sentence(found, "test", "none"))
            }
        };
    })?;
    said?;
    let Reproduced { commands, obtained, stderr, n, seconds, measured } = &found;
    let (obtained, stderr, n, seconds) = (*obtained, *stderr, *n, *seconds);
    if args.output.json {
        return output::json(&Report {
            row: row.name,
            commands,
            metric: row.metric.as_str(),
            obtained,
            stderr,
            published: row.published,
            source: row.source,
            n,
            seconds,
            measured,
            out: output::shown(out),
        });
    }
    let what = match (row.metric, row.members) {
        (PublishedMetric::Nll, 1) if measured.iter().all(|of| of.kind == "exact") => {
            "test negative log-likelihood, exact".to_owned()
        }
        (PublishedMetric::Nll, 1) => {
            format!(
                "test negative log-likelihood, upper bound with K = {} importance samples",
                row.samples
            )
        }
        (PublishedMetric::Nll, members) => {
            format!("test negative log-likelihood, exact, {members} orderings or masks averaged")
        }
        (PublishedMetric::StandardizedLogLikelihood, _) => format!(
            "test log-likelihood, exact, mean of {} folds, standardized by the training split",
            measured.len()
        ),
    };
    if args.output.quiet {
        return say!("{obtained}");
    }
    say!("\n{}: {what}, nats, n = {n}", row.name)?;
    say!("  obtained  {obtained:>9.3} ± {stderr:.3}  in {}", duration(seconds))?;
    say!("  published {:>9.2}          {}", row.published, row.source)?;
    output::wrote(args.output, out)
}

fn table(args: &ReproduceArgs, session: &mut Session<'_>, out: &Path) -> Result<()> {
    let mut said = Ok(());
    let rows = session.gan_table(out, &duration, &mut |now| {
        if args.output.quiet || args.output.json || said.is_err() {
            return;
        }
        said = match now {
            GanTableProgress::Begins { command } => say!("{command}"),
            GanTableProgress::Measured(entry, row) => {
                row.quality.iter().try_for_each(|(weights, q)| {
                    say!("{} ({weights}): {:.2}", entry.folder(), q.frechet_distance)
                })
            }
        };
    })?;
    said?;
    if args.output.json {
        return output::json(&rows);
    }
    say!("{}", out.join("table.md").display())
}

/// Where the data of a row is.
fn data_place(row: &PublishedResult, data_dir: Option<&Path>) -> Result<String> {
    let name = row.recipe.data;
    let known = ancestral_data::list(data_dir).into_iter().find(|known| known.name == name);
    let Some(known) = known else { return Ok("built in".to_owned()) };
    if !known.present {
        // Opening it says what is missing, and how to get it.
        let data_dir = data_dir.map(Path::to_owned);
        let options = ancestral_data::OpenOptions { data_dir, ..Default::default() };
        ancestral_data::open(name, &options)?;
    }
    let folder = known.looked_in.map(|folder| format!("{} in {}", known.files, folder.display()));
    Ok(folder.unwrap_or_else(|| "built in".to_owned()))
}

fn list(args: &ReproduceArgs, data_dir: Option<&Path>) -> Result<()> {
    let known = ancestral_data::list(data_dir);
    let is_present = |row: &PublishedResult| {
        known.iter().any(|known| known.name == row.recipe.data && known.present)
    };
    if args.output.json {
        let rows: Vec<_> = PUBLISHED
            .iter()
            .map(|row| {
                serde_json::json!({
                    "row": row.name, "command": row.recipe.words(), "data": row.recipe.data,
                    "present": is_present(row), "folds": row.folds,
                    "orderings": row.members, "samples": row.samples,
                    "figure": row.metric.as_str(),
                    "published": row.published, "source": row.source,
                })
            })
            .collect();
        return output::json(&rows);
    }
    say!("{:<22} {:>9}  {:<26}  source", "name", "published", "data")?;
    for row in PUBLISHED {
        let here = if is_present(row) { "" } else { " (missing)" };
        let data = format!("{}{here}", row.recipe.data);
        say!("{:<22} {:>9.2}  {data:<26}  {}", row.name, row.published, row.source)?;
    }
    let mnist = known.iter().any(|known| known.name == "mnist" && known.present);
    let data = if mnist { "mnist" } else { "mnist (missing)" };
    say!(
        "{GAN_TABLE:<22} {:>9}  {data:<26}  all adversarial networks with the same settings",
        "table"
    )?;
    if !args.output.quiet {
        say!(
            "\nRetrain one: ancestral reproduce NAME (values in nats; rnade on standardized columns)"
        )?;
    }
    Ok(())
}
