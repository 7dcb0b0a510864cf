//! `fit`: plain distributions and classifiers by maximum likelihood.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use ancestral::Registry;
use ancestral::distributions::{coin, coin_log_likelihood};
use ancestral::evaluate;
use ancestral::model::{DataSpec, Estimate, Estimator, FitContext, FitReport, Init};
use ancestral::settings::{parse_assignment, unknown};
use ancestral::spec::cpu;
use ancestral::train::{DataConfig, FORMAT, RunConfig, RunFolder, TrainConfig, WeightsInfo};
use ancestral_data::{Binarize, Examples, OpenOptions, SplitName, Streams};
use ancestral_plot::{Plot, Series};
use anyhow::Result;
use serde_json::json;
use toml::Table;

use crate::args::FitArgs;
use crate::classification;
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
    registry.check_fit(&args.family, &settings, &spec, examples.len())?;
    let mut model =
        registry.build(&args.family, &settings, &spec, &Init::new(&cpu(), args.seed))?;
    let family = model.name();
    let estimator = model.estimator().ok_or_else(|| {
        usage(format!("{family} is trained step by step: use `ancestral train {family}`"))
    })?;
    let report = fit(estimator, &examples, args)?;

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

    let mut measured = Vec::new();
    for split in [SplitName::Train, SplitName::Test] {
        let of = Examples::new(&data, split, binarize, args.seed)?;
        let binarize = of.binarize().as_str();
        measured.push(if model.density().is_none() && model.classifier().is_some() {
            let found = classification::measure(model.as_ref(), &of, args.output)?;
            let text = classification::sentence(&found, split.as_str(), binarize);
            (serde_json::to_value(found)?, text)
        } else {
            let options = evaluate::Options::default();
            let mut found = evaluate::likelihoods(model.as_ref(), &of, options, &mut |_| {})?;
            found.standardise(&examples);
            let text = crate::evaluate::sentence(&found, split.as_str(), binarize);
            (serde_json::to_value(found)?, text)
        });
    }
    if args.output.json {
        let list: Vec<_> = report
            .estimates
            .iter()
            .map(|e| json!({ "name": e.name, "value": e.value, "stderr": e.stderr }))
            .collect();
        let mut all = json!({
            "family": family, "run": path, "estimates": list,
            "train": measured[0].0, "test": measured[1].0,
        });
        if let Some(converged) = report.converged {
            all["converged"] = converged.into();
            all["iterations"] = report.trace.len().into();
            all["objective"] = report.trace.last().copied().into();
        }
        if !report.notes.is_empty() {
            all["notes"] = report.notes.into();
        }
        return output::json(&all);
    }
    if !args.output.quiet {
        print_estimates(&report.estimates)?;
        if let (Some(true), Some(objective)) = (report.converged, report.trace.last()) {
            let n = report.trace.len();
            say!("converged after {n} iterations, objective {objective:.6} nats an example")?;
        }
        for note in &report.notes {
            say!("note: {note}")?;
        }
        for (_, text) in &measured {
            say!("{text}")?;
        }
    }
    output::wrote(args.output, &path)?;
    Ok(())
}

/// Fits with a bar.
fn fit(
    estimator: &mut dyn Estimator,
    examples: &Examples,
    args: &FitArgs,
) -> ancestral::Result<FitReport> {
    let bar = output::bar(args.output, 100, "fitting");
    let mut context = FitContext {
        streams: Streams::new(args.seed),
        progress: &mut |share| bar.set_position((100.0 * share) as u64),
        stop: &AtomicBool::new(false),
    };
    let report = estimator.fit(examples, &mut context);
    bar.finish_and_clear();
    report
}

/// Estimates of one kind that are printed.
const SHOWN: usize = 6;

/// Decimals of an estimate: four, or as many as show two digits of its error, or of itself where
/// there is none.
fn decimals(estimate: &Estimate) -> usize {
    let size = estimate.stderr.unwrap_or(estimate.value).abs();
    if size > 0.0 { (1.0 - size.log10().floor()).clamp(4.0, 15.0) as usize } else { 4 }
}

/// The first estimates of each kind: `mean[0]` and `mean[1]` are of one.
fn print_estimates(estimates: &[Estimate]) -> Result<()> {
    let kind = |e: &Estimate| e.name.split('[').next().unwrap_or_default().to_owned();
    for group in estimates.chunk_by(|a, b| kind(a) == kind(b)) {
        for e in group.iter().take(SHOWN) {
            let digits = decimals(e);
            match e.stderr {
                Some(stderr) => say!("{} = {:.digits$} ± {stderr:.digits$}", e.name, e.value)?,
                None => say!("{} = {:.digits$}", e.name, e.value)?,
            }
        }
        if group.len() > SHOWN {
            let more = group.len() - SHOWN;
            say!("… and {more} more of {} (--json prints all)", kind(&group[0]))?;
        }
    }
    Ok(())
}
