//! `explain`: a concept demonstrated by a small experiment.

use std::path::{Path, PathBuf};

use ancestral::explain::{ExplainSpec, Topic};
use ancestral::train::Budget;
use anyhow::Result;
use serde_json::json;

use crate::args::{self, ExplainArgs};
use crate::output::{self, say, shown, usage};
use crate::progress::{self, ProgressReporter};

pub(crate) fn run(args: &ExplainArgs, data_dir: Option<&Path>) -> Result<()> {
    let topic = match args.topic {
        args::Topic::AeVsVae => Topic::AeVsVae,
        args::Topic::Elbo => Topic::Elbo,
        args::Topic::Density => Topic::Density,
        args::Topic::Saturation => Topic::Saturation,
        args::Topic::OptimalDiscriminator => Topic::OptimalDiscriminator,
        args::Topic::TransposedConvolution => Topic::TransposedConvolution,
        args::Topic::ReceptiveField => Topic::ReceptiveField,
        args::Topic::ColorChain => Topic::ColorChain,
        args::Topic::Likelihood => Topic::Likelihood,
        args::Topic::Rules => Topic::Rules,
        args::Topic::Kmeans => Topic::Kmeans,
        args::Topic::Dbscan => Topic::Dbscan,
        args::Topic::Som => Topic::Som,
        args::Topic::Clustering => Topic::Clustering,
        args::Topic::Supervised => Topic::Supervised,
    };
    if let Some(epochs) = args.epochs.filter(|&epochs| epochs > Budget::MOST) {
        return Err(usage(format!("--epochs {epochs}: give at most {}", Budget::MOST)));
    }
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("explain-{topic}")));
    let spec = ExplainSpec {
        data: args.data.clone(),
        epochs: args.epochs,
        seed: args.seed,
        ..ExplainSpec::new(topic, out)
    };
    let mut watch = ProgressReporter::new(args.output);
    let found = progress::session(data_dir, &mut watch).explain(&spec)?;
    watch.finish();
    if args.output.json {
        return output::json(
            &json!({ "topic": topic.as_str(), "out": shown(&spec.out), "figures": found.metrics }),
        );
    }
    if !args.output.quiet {
        for line in &found.lines {
            say!("{line}")?;
        }
    }
    for image in &found.images {
        output::wrote(args.output, image)?;
    }
    Ok(())
}
