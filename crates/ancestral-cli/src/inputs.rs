//! From what was typed to runs, data and settings.

use std::path::Path;

use ancestral::Registry;
use ancestral::model::{Model, Sampler};
use ancestral::spec::cpu;
use ancestral::train::{RunFolder, Weights, WeightsInfo};
use ancestral_data::{Background, Binarize, Dataset, Examples, OpenOptions, SplitName};
use anyhow::{Context, Result};

use crate::args::LookArgs;
use crate::output::usage;

/// `best`, `last` or `raw`.
pub(crate) fn weights(text: &str) -> Result<Weights> {
    match text {
        "best" => Ok(Weights::Best),
        "last" => Ok(Weights::Last),
        "raw" => Ok(Weights::Raw),
        other => Err(usage(format!("--weights {other}: choose best, last or raw"))),
    }
}

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
        Ok(n) if n > 0.0 && n.is_finite() => Ok(n * unit),
        _ => Err(usage(format!(
            "--time {text}: write seconds, minutes or hours, as in 90s, 10m, 2h"
        ))),
    }
}

/// The name that a run keeps its data under: a known one as it is, a path from the root, so that
/// the run finds it from anywhere.
pub(crate) fn stored_name(given: &str) -> String {
    match Path::new(given).canonicalize() {
        Ok(path) if !ancestral_data::is_known(given) => path.display().to_string(),
        _ => given.to_owned(),
    }
}

/// The path that a run is found by from anywhere.
pub(crate) fn stored_path(path: &Path) -> String {
    path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// A run with its weights.
pub(crate) struct Loaded {
    pub(crate) run: RunFolder,
    pub(crate) model: Box<dyn Model>,
    pub(crate) info: WeightsInfo,
}

/// Opens a run and loads its weights.
pub(crate) fn load(path: &Path, which: &str) -> Result<Loaded> {
    let which = weights(which)?;
    let run = RunFolder::open(path)?;
    let (model, info) = run.load(&Registry::standard(), &cpu(), which)?;
    Ok(Loaded { run, model, info })
}

impl Loaded {
    /// The data of the run, or other data that fits the model.
    pub(crate) fn examples(
        &self,
        other: Option<&str>,
        split: Option<SplitName>,
        data_dir: Option<&Path>,
    ) -> Result<(Examples, Dataset)> {
        let config = &self.run.config;
        let binarize: Binarize = config.data.binarize.parse()?;
        let data = match other {
            None => config.data.open(data_dir, config.seed)?,
            Some(name) => {
                let options = OpenOptions {
                    data_dir: data_dir.map(Path::to_path_buf),
                    seed: config.seed,
                    resize: config.data.resize.map(|[h, w]| (h, w)),
                    grey: config.data.grey,
                    background: config.data.background,
                    whole: split.is_none(),
                    ..OpenOptions::default()
                };
                let data = ancestral_data::open(name, &options)?;
                ancestral::train::adapt(data, &config.data.spec()?, binarize != Binarize::None)?
            }
        };
        // Rows that were given whole are scored as they stand: their draws are fixed.
        let seed = if split.is_none() { 0 } else { config.seed };
        let split = split.unwrap_or(SplitName::Train);
        let examples = Examples::new(&data, split, binarize, seed)?;
        Ok((examples, data))
    }
}

/// Refuses `--mean` where a sample has no mean that it is drawn around.
pub(crate) fn check_mean(sampler: &dyn Sampler, model: &str) -> Result<()> {
    if sampler.has_noise() {
        return Ok(());
    }
    Err(usage(format!("--mean: {model} gives samples without noise around a mean; leave it out")))
}

/// The examples that a command looks at.
pub(crate) fn look(
    args: &LookArgs,
    data_dir: Option<&Path>,
) -> Result<(Loaded, Examples, Dataset)> {
    let split: SplitName = args.split.parse().map_err(|e| usage(format!("--split: {e}")))?;
    let loaded = load(&args.run, &args.weights)?;
    let (examples, data) = loaded
        .examples(args.data.as_deref(), Some(split), data_dir)
        .with_context(|| format!("data of {}", args.run.display()))?;
    Ok((loaded, examples, data))
}
