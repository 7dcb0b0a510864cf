//! `score`: the log-probability of each row of a file, in its order, or class probabilities.

use std::fmt::Write;
use std::path::Path;

use ancestral::evaluate::Options;
use ancestral::run::{DataQuery, LogScores, Scores};
use ancestral_data::write_atomic;
use anyhow::Result;
use serde_json::json;

use crate::args::ScoreArgs;
use crate::inputs::About;
use crate::json::number;
use crate::output::{self, say, shown};
use crate::progress::{self, ProgressReporter};
use crate::{classification, inputs};

/// The number of least probable rows that are printed.
const LOWEST: usize = 5;

pub(crate) fn run(args: &ScoreArgs, data_dir: Option<&Path>) -> Result<()> {
    output::extension(&args.out, &["csv"])?;
    output::check_target("--out", &args.out, &[Some(Path::new(&args.data))])?;
    inputs::check_counts(args.samples, args.orderings)?;
    let split = args.split.as_deref().map(inputs::split).transpose()?;
    let mut watch = ProgressReporter::new(args.output);
    let mut session = progress::session(data_dir, &mut watch);
    let weights = inputs::weights(&args.weights)?;
    let run = inputs::load(&session, &args.run, weights, args.output)?;
    let reading = inputs::reading(&args.tables)?;
    let query = DataQuery { data: Some(args.data.clone()), split, limit: None, reading };
    let options = Options { samples: args.samples, seed: args.seed, members: args.orderings };
    let scores = session.score(&run, &query, options);
    match scores.about("rows to score of", &args.data)? {
        Scores::LogProbabilities(scores) => write(args, run.model().name(), &scores),
        Scores::Classes(scores) => classification::write(args, run.model().name(), &scores),
    }
}

fn write(args: &ScoreArgs, model: &str, scores: &LogScores) -> Result<()> {
    let LogScores { of, nats, mc_stderr, kind, samples, is_mass } = scores;
    let mut text = "row,log_probability,kind,mc_stderr\n".to_owned();
    for (i, (value, error)) in nats.iter().zip(mc_stderr).enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{i},{value},{kind},{error}");
    }
    write_atomic(&args.out, text.as_bytes())?;
    let (mean, order) = (scores.mean(), scores.by_rank());
    let lowest: Vec<usize> = order.into_iter().take(LOWEST).collect();
    if args.output.json {
        return output::json(&json!({
            "model": model, "data": of.data, "binarize": of.binarize, "n": of.n,
            "kind": kind, "samples": samples, "mean_log_probability": number(mean),
            "lowest_rows": lowest, "out": shown(&args.out), "notes": of.notes,
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
            lowest.iter().map(|&i| format!("row {i} ({:.1})", nats[i])).collect();
        say!("least probable: {}", lowest.join(", "))?;
    }
    output::wrote(args.output, &args.out)
}
