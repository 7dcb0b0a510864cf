//! `evaluate`: the likelihood of a split, or a bound on it, with standard errors; the accuracy and
//! calibration of a classifier.

use std::path::Path;

use ancestral::evaluate::{
    BayesRule, Classification, Likelihoods, Options, PARETO_LIMIT, PixelCosts,
};
use ancestral::report;
use ancestral::run::{DataQuery, Evaluation, Measured, Run, Scored, Weights};
use anyhow::Result;
use serde::Serialize;

use crate::args::EvaluateArgs;
use crate::inputs::About;
use crate::output::{self, say, usage};
use crate::progress::{self, ProgressReporter};
use crate::{classification, inputs, quality};

/// The output of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    model: &'a str,
    run: String,
    data: &'a str,
    split: &'a str,
    binarize: &'a str,
    weights: &'a str,
    step: u64,
    /// Of importance samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(flatten)]
    values: Values<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<MapReport>,
    /// What reading other data guessed or left out.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

/// The heat map of `--map`, and the costs that it shows.
#[derive(Serialize)]
struct MapReport {
    out: String,
    /// Of an image, in all and of each channel.
    bits: f64,
    channels: Vec<f64>,
    bits_per_dim: f64,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Values<'a> {
    Likelihoods(&'a Likelihoods),
    Classification(&'a Classification),
    Bayes {
        #[serde(flatten)]
        classification: &'a Classification,
        marginal_nll_nats: f64,
        marginal_nll_stderr: f64,
    },
    Joint {
        #[serde(flatten)]
        classification: &'a Classification,
        kind: &'static str,
        nll_nats: f64,
        nll_stderr: f64,
        measure: &'static str,
        bits_per_dim: Option<f64>,
        #[serde(rename = "nll_standardised")]
        nll_standardized: Option<f64>,
    },
    /// The model has no density: every metric is null.
    None {
        kind: &'static str,
        samples: usize,
        n: usize,
        nll_nats: Option<f64>,
        nll_stderr: Option<f64>,
        mc_stderr: Option<f64>,
        bits_per_dim: Option<f64>,
        #[serde(rename = "nll_standardised")]
        nll_standardized: Option<f64>,
        seconds: f64,
    },
}

impl<'a> Values<'a> {
    /// The metrics of a classifier by Bayes' rule.
    pub(crate) fn joint(found: &Likelihoods, classification: &'a Classification) -> Self {
        Self::Joint {
            classification,
            kind: found.kind,
            nll_nats: found.nll_nats,
            nll_stderr: found.nll_stderr,
            measure: found.measure,
            bits_per_dim: found.bits_per_dim,
            nll_standardized: found.nll_standardized,
        }
    }

    fn none(n: usize) -> Self {
        Self::None {
            kind: "none",
            samples: 0,
            n,
            nll_nats: None,
            nll_stderr: None,
            mc_stderr: None,
            bits_per_dim: None,
            nll_standardized: None,
            seconds: 0.0,
        }
    }
}

pub(crate) fn run(args: &EvaluateArgs, data_dir: Option<&Path>) -> Result<()> {
    let path = match (&args.generated, &args.run) {
        (Some(folder), _) => return quality::of_folder(args, folder, data_dir),
        (None, Some(run)) if args.quality => return quality::of_run(args, run, data_dir),
        (None, Some(run)) => run,
        // The parser asks for one of them.
        (None, None) => return Err(usage("give a run, or --generated")),
    };
    for (flag, given) in [("features", &args.features), ("nearest", &args.nearest)] {
        if given.is_some() {
            return Err(usage(format!("--{flag} requires --quality or --generated")));
        }
    }
    let weights = args.weights.as_deref().map_or(Ok(Weights::Best), inputs::weights)?;
    let split = inputs::split(&args.split)?;
    inputs::check_counts(args.samples.unwrap_or(1), args.orderings)?;
    let given = args.data.as_deref().map(Path::new);
    if let Some(map) = &args.map {
        output::check_target("--map", map, &[given, Some(path)])?;
        output::ending("--map", map, &["png"])?;
        if args.data.as_deref().is_some_and(ancestral_data::is_pipe) {
            return Err(usage("--map reads the data twice; give a file instead of a pipe"));
        }
        if args.orderings > 1 {
            return Err(usage("--map: the cost of a pixel is that of one ordering or mask"));
        }
    }
    let mut watch = ProgressReporter::new(args.output);
    let mut session = progress::session(data_dir, &mut watch);
    let run = inputs::load(&session, path, weights, args.output)?;
    let shape = &run.model().data().shape;
    if args.map.is_some() && shape.as_image().is_none() {
        return Err(usage(format!("--map: examples of shape {shape} are not images")));
    }
    let limit = args.limit.map(|n| n.get());
    let reading = inputs::reading(&args.tables)?;
    let query = DataQuery { data: args.data.clone(), split: Some(split), limit, reading };
    let by_model = || run.model().density().map_or(1, |density| density.default_samples());
    let samples = args.samples.unwrap_or_else(by_model);
    let options = Options { samples, seed: args.seed, members: args.orderings, columns: false };
    if args.bayes {
        let (of, found) =
            session.bayes_rule(&run, &query, options).about("data of", path.display())?;
        watch.finish();
        return bayes(args, path, weights, &run, &of, &found);
    }
    // First, so that a model without costs is refused at once.
    let costs = match &args.map {
        None => None,
        Some(_) => Some(session.pixel_costs(&run, &query).about("data of", path.display())?),
    };
    let found = session.evaluate(&run, &query, options).about("data of", path.display())?;
    watch.finish();
    let map = args.map.as_deref().zip(costs.as_ref());
    if let Some((out, costs)) = map {
        report::cost_map(costs).save_png(out)?;
    }
    print(args, path, weights, &run, &found, map)?;
    match map {
        Some((out, costs)) if !args.output.json => {
            if !args.output.quiet {
                say!("{}", costs_sentence(costs))?;
            }
            output::wrote(args.output, out)
        }
        _ => Ok(()),
    }
}

/// The costs as text.
fn costs_sentence(costs: &PixelCosts) -> String {
    let [channels, _, width] = costs.shape;
    let pixels = costs.pixels();
    let most = (0..pixels.len()).max_by(|&a, &b| pixels[a].total_cmp(&pixels[b])).unwrap_or(0);
    let of_channel = |channel| costs.channel(channel).iter().sum::<f64>();
    let parts: Vec<String> = (0..channels).map(|c| format!("{:.3}", of_channel(c))).collect();
    let parts = match channels {
        1 => String::new(),
        _ => format!(", by channel {}", parts.join(" + ")),
    };
    format!(
        "cost of pixels: {:.3} bits an image{parts}, {:.4} bits per dimension; most in row {}, \
         column {}: {:.3} bits",
        costs.total(),
        costs.bits_per_dim(),
        most / width,
        most % width,
        pixels[most]
    )
}

fn print(
    args: &EvaluateArgs,
    path: &Path,
    weights: Weights,
    run: &Run,
    Evaluation { of, found }: &Evaluation,
    map: Option<(&Path, &PixelCosts)>,
) -> Result<()> {
    let (model, step) = (run.model(), run.weights().step);
    let (weights, split) = (weights.as_str(), args.split.as_str());
    if args.output.json {
        let (values, seed) = match found {
            Measured::Likelihoods(found) => (Values::Likelihoods(found), Some(args.seed)),
            Measured::Classification(found) => (Values::Classification(found), None),
            Measured::Joint(found, classes) => (Values::joint(found, classes), None),
            Measured::Nothing => (Values::none(of.n), Some(args.seed)),
        };
        return output::json(&Report {
            model: model.name(),
            run: output::shown(path),
            data: &of.data,
            split,
            binarize: of.binarize,
            weights,
            step,
            seed,
            values,
            notes: &of.notes,
            map: map.map(|(out, costs)| MapReport {
                out: output::shown(out),
                bits: costs.total(),
                channels: (0..costs.shape[0])
                    .map(|channel| costs.channel(channel).iter().sum())
                    .collect(),
                bits_per_dim: costs.bits_per_dim(),
            }),
        });
    }
    let head = format!("{} from {} (step {step}) on {}", model.name(), path.display(), of.data);
    match found {
        Measured::Likelihoods(found) if args.output.quiet => say!("{}", found.nll_nats),
        Measured::Classification(found) | Measured::Joint(_, found) if args.output.quiet => {
            say!("{}", found.accuracy)
        }
        Measured::Likelihoods(found) => {
            say!("{head}\n{}", sentence(found, split, of.binarize))
        }
        Measured::Classification(found) => {
            say!("{head}\n{}", classification::sentence(found, split, of.binarize))
        }
        Measured::Joint(found, classes) => say!(
            "{head}\n{}\n{}",
            sentence(found, split, of.binarize),
            classification::sentence(classes, split, of.binarize)
        ),
        Measured::Nothing => {
            let instead = match model.sampler() {
                Some(_) => "; --quality evaluates its samples",
                None => "",
            };
            say!("{} has no log-probability and cannot score examples{instead}", model.name())
        }
    }
}

/// Prints the metrics of Bayes' rule.
fn bayes(
    args: &EvaluateArgs,
    path: &Path,
    weights: Weights,
    run: &Run,
    of: &Scored,
    found: &BayesRule,
) -> Result<()> {
    let (model, step, split) = (run.model(), run.weights().step, args.split.as_str());
    if args.output.json {
        return output::json(&Report {
            model: model.name(),
            run: output::shown(path),
            data: &of.data,
            split,
            binarize: of.binarize,
            weights: weights.as_str(),
            step,
            seed: None,
            map: None,
            notes: &[],
            values: Values::Bayes {
                classification: &found.classification,
                marginal_nll_nats: found.nll_nats,
                marginal_nll_stderr: found.nll_stderr,
            },
        });
    }
    if args.output.quiet {
        return say!("{}", found.classification.accuracy);
    }
    say!(
        "{} from {} (step {step}) on {}, by Bayes' rule with equal class probabilities\n{}\n\
         marginal negative log-likelihood {} nats",
        model.name(),
        path.display(),
        of.data,
        classification::sentence(&found.classification, split, of.binarize),
        output::with_error(found.nll_nats, found.nll_stderr, 3)
    )
}

/// The values as text.
pub(crate) fn sentence(found: &Likelihoods, split: &str, binarize: &str) -> String {
    let kind = match found.kind {
        "bound" => format!("upper bound, K = {} importance samples", found.samples),
        kind if found.members > 1 => format!("{kind}, {} averaged", found.members),
        kind => kind.to_owned(),
    };
    let noun = if found.measure == "mass" { "log-likelihood" } else { "log-density" };
    // A density has units.
    let scale = if found.measure == "mass" { "" } else { " (raw units)" };
    let mut text = format!(
        "{split} negative {noun}{scale} {} nats ({kind}; n = {}, binarization {binarize}",
        output::with_error(found.nll_nats, found.nll_stderr, 3),
        found.n
    );
    if found.mc_stderr > 0.0 {
        text += &format!(", Monte Carlo error {:.4}", found.mc_stderr);
    }
    text.push(')');
    if let Some(size) = found.effective_samples {
        text += &format!("\neffective sample size {size:.1} of {} (median)", found.samples);
        if let Some(share) = found.heavy_tails.filter(|&share| share > 0.0) {
            text += &format!(
                "; Pareto k̂ above {PARETO_LIMIT} for {:.0} % of the examples, whose weights have such \
                 heavy tails that their error cannot be trusted",
                100.0 * share
            );
        }
    }
    if let Some(bits) = found.bits_per_dim {
        text += &format!("\nbits per dimension {bits:.4}");
    }
    for point in &found.curve {
        text += &format!("\n{:>6} averaged: {:.3} nats", point.members, point.nll_nats);
    }
    if let Some(nll) = found.nll_standardized {
        text += &format!(
            "\nnegative log-density of standardized columns, without the log-determinant: {nll:.3} nats"
        );
    }
    if let Some(elbo) = &found.elbo {
        text += &format!(
            "\nELBO {:.3} = reconstruction {:.3} − KL {:.3}; {} of {} latent dimensions active",
            elbo.elbo, elbo.reconstruction, elbo.kl, elbo.active_units, elbo.latent_dim
        );
    }
    text
}
