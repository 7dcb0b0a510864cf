//! `evaluate`: the likelihood of a split, or a bound on it, with its errors; the accuracy and the
//! calibration of a classifier.

use std::path::Path;

use ancestral::evaluate::{self, Classification, Likelihoods};
use ancestral_data::{Examples, SplitName};
use anyhow::{Context, Result};
use serde::Serialize;

use crate::args::EvaluateArgs;
use crate::output::{self, say, usage};
use crate::{classification, inputs};

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    model: &'a str,
    run: &'a Path,
    data: &'a str,
    split: &'a str,
    binarize: &'a str,
    weights: &'a str,
    step: u64,
    seed: u64,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Figures {
    Some(Box<Likelihoods>),
    /// The model has no density: every figure is null.
    None {
        kind: &'static str,
        samples: usize,
        n: usize,
        nll_nats: Option<f64>,
        nll_stderr: Option<f64>,
        mc_stderr: Option<f64>,
        bits_per_dim: Option<f64>,
        nll_standardised: Option<f64>,
        seconds: f64,
    },
}

pub(crate) fn run(args: &EvaluateArgs, data_dir: Option<&Path>) -> Result<()> {
    let run = match (&args.generated, &args.run) {
        (Some(folder), _) => return crate::quality::of_folder(args, folder, data_dir),
        (None, Some(run)) if args.quality => return crate::quality::of_run(args, run, data_dir),
        (None, Some(run)) => run,
        // The parser asks for one of them.
        (None, None) => return Err(usage("give a run, or --generated")),
    };
    for (flag, given) in [("features", &args.features), ("nearest", &args.nearest)] {
        if given.is_some() {
            return Err(usage(format!("--{flag} goes with --quality or --generated")));
        }
    }
    let weights = args.weights.as_deref().unwrap_or("best");
    let split: SplitName = args.split.parse().map_err(|e| usage(format!("--split: {e}")))?;
    if args.samples == 0 {
        return Err(usage("--samples 0: give at least 1"));
    }
    let loaded = inputs::load(run, weights)?;
    let model = loaded.model.as_ref();
    let (examples, data) = loaded
        .examples(args.data.as_deref(), Some(split), data_dir)
        .with_context(|| format!("data of {}", run.display()))?;
    let examples = match args.limit {
        Some(n) => examples.first(n.get()),
        None => examples,
    };
    if model.classifier().is_some() {
        let examples = match &args.data {
            None => examples,
            Some(_) => {
                // Other data may number its classes otherwise.
                let (all, binarize) = (examples.len(), examples.binarize());
                let config = &loaded.run.config;
                let data = config.data.relabel(data.clone())?;
                Examples::new(&data, split, binarize, config.seed)?.first(all)
            }
        };
        return classes(args, run, &loaded, &examples, &data.name);
    }
    let figures = if model.density().is_none() {
        Figures::None {
            kind: "none",
            samples: 0,
            n: examples.len(),
            nll_nats: None,
            nll_stderr: None,
            mc_stderr: None,
            bits_per_dim: None,
            nll_standardised: None,
            seconds: 0.0,
        }
    } else {
        let bar = output::bar(args.output, examples.len() as u64, "evaluating");
        let options =
            evaluate::Options { samples: args.samples, seed: args.seed, members: args.orderings };
        let mut found = evaluate::likelihoods(model, &examples, options, &mut |done| {
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        // Other data comes without the split that the run was trained on.
        if args.data.is_none() {
            let config = &loaded.run.config;
            let binarize = config.data.binarize.parse()?;
            found.standardise(&Examples::new(&data, SplitName::Train, binarize, config.seed)?);
        }
        Figures::Some(Box::new(found))
    };
    let binarize = examples.binarize().as_str();
    if args.output.json {
        return output::json(&Report {
            model: model.name(),
            run,
            data: &data.name,
            split: split.as_str(),
            binarize,
            weights,
            step: loaded.info.step,
            seed: args.seed,
            figures,
        });
    }
    match figures {
        Figures::Some(found) if args.output.quiet => say!("{}", found.nll_nats)?,
        Figures::Some(found) => {
            say!(
                "{} of {} (step {}) on {}",
                model.name(),
                run.display(),
                loaded.info.step,
                data.name
            )?;
            say!("{}", sentence(&found, split.as_str(), binarize))?;
        }
        Figures::None { .. } => {
            let instead = match model.sampler() {
                Some(_) => "; --quality measures its samples",
                None => "",
            };
            say!("{} has no log-probability and cannot score examples{instead}", model.name())?
        }
    }
    Ok(())
}

/// What `--json` prints of a classifier.
#[derive(Serialize)]
struct ClassReport<'a> {
    model: &'a str,
    run: &'a Path,
    data: &'a str,
    split: &'a str,
    binarize: &'a str,
    weights: &'a str,
    step: u64,
    #[serde(flatten)]
    found: Classification,
}

/// Accuracy, log-loss and calibration of a classifier.
fn classes(
    args: &EvaluateArgs,
    run: &Path,
    loaded: &inputs::Loaded,
    examples: &Examples,
    data: &str,
) -> Result<()> {
    let model = loaded.model.as_ref();
    let found = classification::measure(model, examples, args.output)?;
    let (split, binarize) = (examples.split_name().as_str(), examples.binarize().as_str());
    let weights = args.weights.as_deref().unwrap_or("best");
    let step = loaded.info.step;
    if args.output.json {
        let model = model.name();
        let report = ClassReport { model, run, data, split, binarize, weights, step, found };
        return output::json(&report);
    }
    if args.output.quiet {
        return say!("{}", found.accuracy);
    }
    say!("{} of {} (step {step}) on {data}", model.name(), run.display())?;
    say!("{}", classification::sentence(&found, split, binarize))
}

/// The figures as a person reads them.
pub(crate) fn sentence(found: &Likelihoods, split: &str, binarize: &str) -> String {
    let kind = match found.kind {
        "bound" => format!("at most, bound with K = {}", found.samples),
        kind if found.members > 1 => format!("{kind}, {} averaged", found.members),
        kind => kind.to_owned(),
    };
    let noun = if found.measure == "mass" { "log-likelihood" } else { "log-density" };
    // A density has units.
    let scale = if found.measure == "mass" { "" } else { " (raw units)" };
    let mut text = format!(
        "{split} negative {noun}{scale} {:.3} ± {:.3} nats ({kind}; n = {}, binarisation {binarize}",
        found.nll_nats, found.nll_stderr, found.n
    );
    if found.mc_stderr > 0.0 {
        text += &format!(", Monte Carlo error {:.4}", found.mc_stderr);
    }
    text.push(')');
    if let Some(bits) = found.bits_per_dim {
        text += &format!("\nbits per dimension {bits:.4}");
    }
    for point in &found.curve {
        text += &format!("\n{:>6} averaged: {:.3} nats", point.members, point.nll_nats);
    }
    if let Some(nll) = found.nll_standardised {
        text += &format!(
            "\nstandardised by the training split, without the log-determinant: NLL {nll:.3}"
        );
    }
    if let Some(elbo) = &found.elbo {
        text += &format!(
            "\nELBO {:.3} = reconstruction {:.3} − KL {:.3}; {} of {} code entries active",
            elbo.elbo, elbo.reconstruction, elbo.kl, elbo.active_units, elbo.latent_dim
        );
    }
    text
}
