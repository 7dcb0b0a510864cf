//! `score`: the log-probability of each row of a file, in its order, or class probabilities.

use std::path::Path;

use ancestral::evaluate::Options;
use ancestral::run::{DataQuery, LogSummary, ScoreSummary};
use anyhow::Result;
use serde_json::json;

use crate::args::ScoreArgs;
use crate::inputs::About;
use crate::json::number;
use crate::output::{self, say, shown};
use crate::progress::{self, ProgressReporter};
use crate::{classification, inputs};

pub(crate) fn run(args: &ScoreArgs, data_dir: Option<&Path>) -> Result<()> {
    output::extension(&args.out, &["csv"])?;
    output::check_target("--out", &args.out, &[Some(Path::new(&args.data)), Some(&args.run)])?;
    inputs::check_counts(args.samples, args.orderings)?;
    let split = args.split.as_deref().map(inputs::split).transpose()?;
    let mut watch = ProgressReporter::new(args.output);
    let mut session = progress::session(data_dir, &mut watch);
    let weights = inputs::weights(&args.weights)?;
    let run = inputs::load(&session, &args.run, weights, args.output)?;
    let reading = inputs::reading(&args.tables)?;
    let query = DataQuery { data: Some(args.data.clone()), split, limit: None, reading };
    let options = Options {
        samples: args.samples,
        seed: args.seed,
        members: args.orderings,
        columns: args.columns,
    };
    let scores = session.score_to(&run, &query, options, &args.out);
    match scores.about("rows to score of", &args.data)? {
        ScoreSummary::LogProbabilities(scores) => say_lowest(args, run.model().name(), &scores),
        ScoreSummary::Classes(scores) => {
            classification::say(args, run.model().name(), &scores, None)
        }
        ScoreSummary::Joint(logs, scores) => {
            classification::say(args, run.model().name(), &scores, Some(&logs))
        }
    }
}

fn say_lowest(args: &ScoreArgs, model: &str, scores: &LogSummary) -> Result<()> {
    let LogSummary { of, kind, samples, is_mass, mean, lowest } = scores;
    let rows: Vec<usize> = lowest.iter().map(|(row, _)| *row).collect();
    if args.output.json {
        return output::json(&json!({
            "model": model, "data": of.data, "binarize": of.binarize, "n": of.n,
            "kind": kind, "samples": samples, "mean_log_probability": number(*mean),
            "lowest_rows": rows, "out": shown(&args.out), "notes": of.notes,
        }));
    }
    if !args.output.quiet {
        say!(
            "{} of {}, mean {} {mean:.3} nats ({kind}{}; binarization {})",
            output::count(of.n, "row"),
            of.data,
            if *is_mass { "log-probability" } else { "log-density in raw units" },
            if *samples > 0 { format!(", K = {samples}") } else { String::new() },
            of.binarize
        )?;
        let lowest: Vec<String> =
            lowest.iter().map(|(row, nats)| format!("row {row} ({nats:.1})")).collect();
        say!("least probable: {}", lowest.join(", "))?;
    }
    output::wrote(args.output, &args.out)
}
