//! The classes that a classifier finds: measured against labels, or written for each row of a file.

use std::fmt::Write;

use ancestral::evaluate::{self, Classification, Network};
use ancestral::model::Model;
use ancestral_data::{Examples, write_atomic};
use anyhow::Result;
use serde_json::json;

use crate::args::{OutputArgs, ScoreArgs};
use crate::inputs::Loaded;
use crate::output::{self, say};

/// Measures a classifier on labelled examples.
pub(crate) fn measure(
    model: &dyn Model,
    examples: &Examples,
    output: OutputArgs,
) -> Result<Classification> {
    let bar = output::bar(output, examples.len() as u64, "classifying");
    let network = Network::new(model.name(), model)?;
    let found = evaluate::classification(&network, examples, &mut |done| {
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    Ok(found)
}

/// The metrics as a person reads them.
pub(crate) fn sentence(found: &Classification, split: &str, binarize: &str) -> String {
    let mut text = format!(
        "{split} accuracy {:.2} ± {:.2} % (n = {}, binarisation {binarize})",
        100.0 * found.accuracy,
        100.0 * found.accuracy_stderr,
        found.n
    );
    // Writing to a string cannot fail.
    let _ = match found.impossible {
        0 => write!(
            text,
            "\n{split} class NLL {:.4} ± {:.4} nats",
            found.class_nll, found.class_nll_stderr
        ),
        n => write!(text, "\n{split} class NLL inf ({n} examples of a class of probability 0)"),
    };
    let _ = write!(
        text,
        ", Brier score {:.4} ± {:.4}, expected calibration error {:.4} ± {:.4} ({} of \
         equal mass)",
        found.brier_score,
        found.brier_stderr,
        found.calibration_error,
        found.calibration_stderr,
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

/// Writes the most probable class of each row and the probabilities of all classes.
pub(crate) fn score(
    args: &ScoreArgs,
    loaded: &Loaded,
    examples: &Examples,
    data: &str,
) -> Result<()> {
    let model = loaded.model.as_ref();
    let network = Network::new(model.name(), model)?;
    let bar = output::bar(args.output, examples.len() as u64, "classifying");
    let mut probabilities = Vec::new();
    let indices: Vec<u64> = (0..examples.len() as u64).collect();
    for chunk in indices.chunks(500) {
        probabilities.extend(network.see_examples(examples, chunk, &mut |_| {})?.probabilities);
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    let classes = network.classes();
    let best = evaluate::most_probable(&probabilities, classes)?;
    let known = &loaded.run.config.data.class_names;
    let name = |class: usize| known.get(class).cloned().unwrap_or_else(|| class.to_string());
    let mut text = "row,class".to_owned();
    let mut counts = vec![0u64; classes];
    for class in 0..classes {
        let _ = write!(text, ",{}", cell(&format!("p_{}", name(class))));
    }
    text.push('\n');
    for (row, (&class, p)) in best.iter().zip(probabilities.chunks_exact(classes)).enumerate() {
        counts[class as usize] += 1;
        let _ = write!(text, "{row},{}", cell(&name(class as usize)));
        for p in p {
            let _ = write!(text, ",{p}");
        }
        text.push('\n');
    }
    write_atomic(&args.out, text.as_bytes())?;
    let binarize = examples.binarize().as_str();
    if args.output.json {
        let names: Vec<String> = (0..classes).map(name).collect();
        return output::json(&json!({
            "model": model.name(), "data": data, "binarize": binarize, "n": best.len(),
            "kind": "class probabilities", "classes": names, "counts": counts, "out": args.out,
        }));
    }
    if !args.output.quiet {
        let mut order: Vec<usize> = (0..classes).filter(|&class| counts[class] > 0).collect();
        order.sort_by_key(|&class| std::cmp::Reverse(counts[class]));
        let list = order.iter().take(10).map(|&class| format!("{} {}", name(class), counts[class]));
        say!(
            "{} rows of {data}, class probabilities (binarisation {binarize})\nmost probable \
             classes: {}",
            best.len(),
            list.collect::<Vec<_>>().join(", ")
        )?;
    }
    output::wrote(args.output, &args.out)
}

/// A cell of a CSV file.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
