//! `score`: one log-probability for each row of a file, in the file's order; of a classifier, the
//! probabilities of its classes.

use std::fmt::Write;
use std::path::Path;

use ancestral::evaluate;
use ancestral::model::DensityKind;
use ancestral_data::{SplitName, write_atomic};
use anyhow::{Context, Result};
use serde_json::json;

use crate::args::ScoreArgs;
use crate::output::{self, say, usage};
use crate::{classification, inputs};

pub(crate) fn run(args: &ScoreArgs, data_dir: Option<&Path>) -> Result<()> {
    output::extension(&args.out, &["csv"])?;
    if args.samples == 0 {
        return Err(usage("--samples 0: give at least 1"));
    }
    let split: Option<SplitName> = args
        .split
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|e| usage(format!("--split: {e}")))?;
    let loaded = inputs::load(&args.run, &args.weights)?;
    let model = loaded.model.as_ref();
    let examples = || {
        let found = loaded.examples(Some(&args.data), split, data_dir);
        found.with_context(|| format!("rows to score, {}", args.data))
    };
    let Some(density) = model.density() else {
        if model.classifier().is_none() {
            return Err(usage(format!(
                "{} has no log-probability: it draws examples and cannot score them",
                model.name()
            )));
        }
        let (examples, data) = examples()?;
        return classification::score(args, &loaded, &examples, &data.name);
    };
    let (examples, data) = examples()?;
    let bar = output::bar(args.output, examples.len() as u64, "scoring");
    let options =
        evaluate::Options { samples: args.samples, seed: args.seed, members: args.orderings };
    let (nats, errors) = evaluate::log_probabilities(model, &examples, options, &mut |done| {
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let (kind, samples) = match density.kind(args.samples) {
        DensityKind::Exact => ("exact", 0),
        DensityKind::LowerBound { samples } => ("bound", samples),
    };
    let binarize = examples.binarize().as_str();
    let mut text = "row,log_probability,kind,mc_stderr\n".to_owned();
    for (i, (value, error)) in nats.iter().zip(&errors).enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{i},{value},{kind},{error}");
    }
    write_atomic(&args.out, text.as_bytes())?;
    let mean = nats.iter().sum::<f64>() / nats.len() as f64;
    let mut order: Vec<usize> = (0..nats.len()).collect();
    order.sort_by(|&a, &b| nats[a].total_cmp(&nats[b]));
    if args.output.json {
        return output::json(&json!({
            "model": model.name(), "data": data.name, "binarize": binarize, "n": nats.len(),
            "kind": kind, "samples": samples, "mean_log_probability": mean, "lowest_rows": order.iter().take(5).collect::<Vec<_>>(),
            "out": args.out,
        }));
    }
    if !args.output.quiet {
        let mass = density.is_mass(loaded.model.data());
        say!(
            "{} rows of {}, mean {} {mean:.3} nats ({kind}{}; binarisation {binarize})",
            nats.len(),
            data.name,
            if mass { "log-probability" } else { "log-density in raw units" },
            if samples > 0 { format!(", K = {samples}") } else { String::new() },
        )?;
        let lowest: Vec<String> =
            order.iter().take(5).map(|&i| format!("row {i} ({:.1})", nats[i])).collect();
        say!("least probable: {}", lowest.join(", "))?;
    }
    output::wrote(args.output, &args.out)?;
    Ok(())
}
