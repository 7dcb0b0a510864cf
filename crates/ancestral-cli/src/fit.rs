//! `fit`: plain distributions by maximum likelihood.

use std::path::{Path, PathBuf};

use ancestral::Registry;
use ancestral::distributions::{coin, coin_log_likelihood};
use ancestral::evaluate;
use ancestral::model::{self, DataSpec, Estimate, Init};
use ancestral::settings::{parse_assignment, unknown};
use ancestral::spec::cpu;
use ancestral::train::{DataConfig, FORMAT, RunConfig, RunFolder, TrainConfig, WeightsInfo};
use ancestral_data::{Binarize, Examples, OpenOptions, Plot, Series, SplitName};
use anyhow::Result;
use serde_json::json;
use toml::Table;

use crate::args::FitArgs;
use crate::output::{self, say, usage};

pub(crate) fn run(args: &FitArgs, data_dir: Option<&Path>) -> Result<()> {
    match (&args.counts, &args.data) {
        (Some(counts), _) => fit_coin(args, counts),
        (None, Some(data)) => fit_data(args, data, data_dir),
        (None, None) => Err(usage("give --data, or --counts for a coin")),
    }
}

/// The coin: one Bernoulli from its counts, and its likelihood as a curve.
fn fit_coin(args: &FitArgs, counts: &str) -> Result<()> {
    if args.family != "bernoulli" {
        return Err(usage("--counts are tosses of a coin: the family is bernoulli"));
    }
    let parsed = counts
        .split_once('/')
        .and_then(|(h, n)| Some((h.trim().parse::<u64>().ok()?, n.trim().parse::<u64>().ok()?)));
    let (heads, tosses) = parsed
        .ok_or_else(|| usage(format!("--counts {counts}: write heads/tosses, as in 900/1300")))?;
    let estimate = coin(heads, tosses)?;
    let stderr = estimate.stderr.unwrap_or(0.0);
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from("likelihood.png"));
    output::extension(&path, &["png", "svg"])?;

    // Where the curve is to be seen: six standard errors around the estimate.
    let reach = (6.0 * stderr).max(0.05);
    let low = (estimate.value - reach).max(0.0);
    let high = (estimate.value + reach).min(1.0);
    let best = coin_log_likelihood(heads, tosses, estimate.value);
    let curve = (0..=400).map(|i| {
        let theta = low + (high - low) * f64::from(i) / 400.0;
        (theta, (coin_log_likelihood(heads, tosses, theta) - best).exp())
    });
    Plot::new(
        format!("likelihood of a coin with {heads} heads in {tosses} tosses"),
        "θ, the probability of heads",
        "L(θ) / L(MLE)",
    )
    .with(Series::area("", curve))
    .vertical_marker(estimate.value, format!("MLE {:.4}", estimate.value))
    .save(&path)?;

    if args.output.json {
        return output::json(&json!({
            "family": "bernoulli", "theta": estimate.value, "stderr": stderr,
            "heads": heads, "tosses": tosses, "log_likelihood": best, "out": path,
        }));
    }
    if !args.output.quiet {
        say!("θ̂ = {:.4} ± {:.4} (standard error)", estimate.value, stderr)?;
        say!("log-likelihood at θ̂: {best:.3} nats")?;
    }
    output::wrote(args.output, &path)?;
    Ok(())
}

fn fit_data(args: &FitArgs, name: &str, data_dir: Option<&Path>) -> Result<()> {
    let registry = Registry::standard();
    let entry = registry.find(&args.family)?;
    let fields = (entry.fields)();
    let mut settings = Table::new();
    for text in &args.sets {
        let (key, value) = parse_assignment(text)?;
        if !fields.iter().any(|f| f.name == key) {
            let known: Vec<&str> = fields.iter().map(|f| f.name).collect();
            return Err(unknown(&key, &known).into());
        }
        settings.insert(key, value);
    }
    let options = OpenOptions {
        data_dir: data_dir.map(Path::to_path_buf),
        seed: args.seed,
        all_train: args.all_train,
        fold: args.fold,
        ..OpenOptions::default()
    };
    let data = ancestral_data::open(name, &options)?;
    let binarize: Binarize =
        args.binarize.parse().map_err(|e| usage(format!("--binarize: {e}")))?;
    let examples = Examples::new(&data, SplitName::Train, binarize, args.seed)?;
    let mut described = DataConfig::describe(&data, binarize);
    described.all_train = args.all_train;
    described.fold = args.fold;
    described.name = crate::inputs::stored_name(name);
    let spec: DataSpec = described.spec()?;
    let mut model =
        registry.build(&args.family, &settings, &spec, &Init::new(&cpu(), args.seed))?;
    let family = model.name();
    let estimator = model.estimator().ok_or_else(|| {
        usage(format!("{family} is trained step by step: use `ancestral train {family}`"))
    })?;
    let estimates = model::fit(estimator, &examples, args.seed)?.estimates;

    let path = args.out.clone().unwrap_or_else(|| crate::train::default_folder(family, name));
    let folder = RunFolder::create(
        &path,
        RunConfig {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: crate::train::typed(),
            model: family.to_owned(),
            preset: String::new(),
            seed: args.seed,
            from: None,
            data: described,
            settings: model.settings(),
            train: TrainConfig::default(),
        },
    )?;
    folder.write_model(&model.tensors(), &WeightsInfo::default())?;

    let mut figures = Vec::new();
    for split in [SplitName::Train, SplitName::Test] {
        let measured = Examples::new(&data, split, binarize, args.seed)?;
        let options = evaluate::Options::default();
        let mut found = evaluate::likelihoods(model.as_ref(), &measured, options, &mut |_| {})?;
        found.standardise(&examples);
        figures.push((split, found));
    }
    if args.output.json {
        let list: Vec<_> = estimates
            .iter()
            .map(|e| json!({ "name": e.name, "value": e.value, "stderr": e.stderr }))
            .collect();
        return output::json(&json!({
            "family": family, "run": path, "estimates": list,
            "train": figures[0].1, "test": figures[1].1,
        }));
    }
    if !args.output.quiet {
        print_estimates(&estimates)?;
        for (split, found) in &figures {
            let binarize = examples.binarize().as_str();
            say!("{}", crate::evaluate::sentence(found, split.as_str(), binarize))?;
        }
    }
    output::wrote(args.output, &path)?;
    Ok(())
}

/// Estimates of one kind that are printed.
const SHOWN: usize = 6;

/// The first estimates of each kind: `mean[0]` and `mean[1]` are of one.
fn print_estimates(estimates: &[Estimate]) -> Result<()> {
    let kind = |e: &Estimate| e.name.split('[').next().unwrap_or_default().to_owned();
    for group in estimates.chunk_by(|a, b| kind(a) == kind(b)) {
        for e in group.iter().take(SHOWN) {
            match e.stderr {
                Some(stderr) => say!("{} = {:.4} ± {stderr:.4}", e.name, e.value)?,
                None => say!("{} = {:.4}", e.name, e.value)?,
            }
        }
        if group.len() > SHOWN {
            let more = group.len() - SHOWN;
            say!("… and {more} more of {} (--json prints all)", kind(&group[0]))?;
        }
    }
    Ok(())
}
