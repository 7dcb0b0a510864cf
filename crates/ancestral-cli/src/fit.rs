//! `fit`: distributions and classifiers by maximum likelihood.

use std::path::{Path, PathBuf};

use ancestral::distributions::{coin, coin_log_likelihood};
use ancestral::model::Estimate;
use ancestral::run::{DataRequest, DataSource, Fit, Fitted, Measured, Reading, RunSpec, Storage};
use ancestral_plot::{Plot, Series};
use anyhow::Result;
use serde_json::json;

use crate::args::FitArgs;
use crate::json::{number, value};
use crate::output::{self, say, shown, usage};
use crate::progress::{self, ProgressReporter};
use crate::{classification, evaluate, inputs};

pub(crate) fn run(args: &FitArgs, data_dir: Option<&Path>) -> Result<()> {
    match (&args.counts, &args.data) {
        (Some(counts), _) => fit_coin(args, counts),
        (None, Some(data)) => fit_data(args, data, data_dir),
        (None, None) => Err(usage("give --data, or --counts for a coin")),
    }
}

/// Fits one Bernoulli to the counts of a coin and plots its likelihood.
fn fit_coin(args: &FitArgs, counts: &str) -> Result<()> {
    if args.family != "bernoulli" {
        return Err(usage("--counts is for the model bernoulli"));
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

    // The plot shows six standard errors around the estimate.
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
            "heads": heads, "tosses": tosses, "log_likelihood": best, "out": shown(&path),
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
    let mut watch = ProgressReporter::new(args.output);
    let talk = !args.output.quiet && !args.output.json;
    let stop = progress::stop_on_interrupt(talk)?;
    let mut session = progress::session(data_dir, &mut watch).with_stop_flag(stop);
    let (image, levels) = inputs::shape(&args.shape)?;
    let Reading { text, no_labels } = inputs::reading(&args.tables)?;
    let mut spec = RunSpec {
        model: Some(args.family.clone()),
        data: DataRequest {
            source: DataSource::Named(name.to_owned()),
            all_train: args.all_train,
            fold: args.fold,
            text,
            image,
            levels,
            no_labels,
            ..DataRequest::default()
        },
        binarize: Some(inputs::binarize(&args.binarize)?),
        seed: Some(args.seed),
        storage: match &args.out {
            Some(path) => Storage::Folder(path.clone()),
            None => Storage::Within("runs".into()),
        },
        command: output::typed(),
        ..RunSpec::default()
    };
    for text in &args.sets {
        spec.assign(text)?;
    }
    let fit = session.fit(&spec)?;
    watch.finish();
    print(args, &fit)
}

fn print(args: &FitArgs, Fit { run, report, splits }: &Fit) -> Result<()> {
    let path = run.path().unwrap_or(Path::new(""));
    if args.output.json {
        let estimates: Vec<_> = report
            .estimates
            .iter()
            .map(|e| {
                let stderr = e.stderr.map(number);
                json!({ "name": e.name, "value": number(e.value), "stderr": stderr })
            })
            .collect();
        let mut all =
            json!({ "family": run.model().name(), "run": shown(path), "estimates": estimates });
        for Fitted { split, found, .. } in splits {
            all[split.as_str()] = match found {
                Measured::Likelihoods(found) => value(found)?,
                Measured::Classification(found) => value(found)?,
                Measured::Nothing => serde_json::Value::Null,
            };
        }
        if let Some(converged) = report.converged {
            all["converged"] = converged.into();
            all["iterations"] = report.trace.len().into();
            all["objective"] = report.trace.last().copied().map(number).into();
        }
        let notes = [run.notes(), &report.notes].concat();
        if !notes.is_empty() {
            all["notes"] = notes.into();
        }
        return output::json(&all);
    }
    if !args.output.quiet {
        print_estimates(&report.estimates)?;
        if let (Some(true), Some(objective)) = (report.converged, report.trace.last()) {
            let n = output::count(report.trace.len(), "iteration");
            say!("converged after {n}, objective {objective:.6} nats per example")?;
        }
        for note in &report.notes {
            say!("note: {note}")?;
        }
        for Fitted { split, binarize, found } in splits {
            let split = split.as_str();
            match found {
                Measured::Likelihoods(found) => {
                    say!("{}", evaluate::sentence(found, split, binarize))?;
                }
                Measured::Classification(found) => {
                    say!("{}", classification::sentence(found, split, binarize))?;
                }
                Measured::Nothing => {}
            }
        }
    }
    output::wrote(args.output, path)
}

/// The most estimates of one kind that are printed.
const SHOWN: usize = 6;

/// An estimate with its error, as text: six significant digits, or as many as two digits of the error
/// need.
fn with_error(estimate: &Estimate) -> String {
    let Estimate { value, stderr, .. } = estimate;
    let error = stderr.filter(|e| e.is_finite() && *e > 0.0);
    let Some(error) = error else { return output::significant(*value) };
    let more = if *value == 0.0 { 0.0 } else { (value.abs() / error).log10().floor().max(0.0) };
    format!(
        "{} ± {}",
        output::digits(*value, (more as usize + 2).clamp(6, 17)),
        output::digits(error, 2)
    )
}

/// The first estimates of each kind: `mean[0]` and `mean[1]` are of one.
fn print_estimates(estimates: &[Estimate]) -> Result<()> {
    let kind = |e: &Estimate| e.name.split('[').next().unwrap_or_default().to_owned();
    for group in estimates.chunk_by(|a, b| kind(a) == kind(b)) {
        for e in group.iter().take(SHOWN) {
            say!("{} = {}", e.name, with_error(e))?;
        }
        if group.len() > SHOWN {
            let more = group.len() - SHOWN;
            say!("… and {more} more of {} (--json prints all)", kind(&group[0]))?;
        }
    }
    Ok(())
}
