//! `fit`: distributions and classifiers by maximum likelihood.

use std::path::{Path, PathBuf};

use ancestral::Registry;
use ancestral::distributions::categorical::die;
use ancestral::distributions::families::full_name;
use ancestral::distributions::fitted::is_family;
use ancestral::distributions::{coin, coin_criteria};
use ancestral::model::{Criteria, Estimate, Regression};
use ancestral::regression::linear::diagnostics;
use ancestral::report;
use ancestral::run::{DataSource, Fit};
use ancestral_data::SplitName;
use anyhow::Result;
use serde_json::{Value, json};

use crate::args::FitArgs;
use crate::json::number;
use crate::output::{self, say, shown, usage};
use crate::progress::{self, ProgressReporter};

mod common;
mod family;

use common::{add_splits, print_splits, spec_of, with_error};

pub(crate) fn run(args: &FitArgs, data_dir: Option<&Path>) -> Result<()> {
    let name = full_name(&args.family);
    if name == "auto" || is_family(name) {
        return family::run(args, data_dir);
    }
    for (flag, given) in [
        ("--lower", args.lower.is_some()),
        ("--weights", args.weights.is_some()),
        ("--fix", !args.fixed.is_empty()),
        ("--free-location", args.free_location),
        ("--trials", args.trials.is_some()),
        ("--quantile", !args.quantiles.is_empty()),
        ("--above", !args.above.is_empty()),
        ("--gof", args.gof),
        ("--no-gof", args.no_gof),
        ("--in-parts", args.in_parts),
        ("--plot", args.plot.is_some() && name != "linear"),
    ] {
        // A name that no model has is refused below, with the nearest one.
        if given && Registry::standard().find(name).is_ok() {
            return Err(usage(format!("{flag} is for univariate families, and {name} is none")));
        }
    }
    if args.target.is_some() && name != "linear" && Registry::standard().find(name).is_ok() {
        return Err(usage(format!("--target is for linear, and not for {name}")));
    }
    match (&args.counts, &args.data) {
        (Some(counts), _) => fit_counts(args, counts),
        (None, Some(data)) => fit_data(args, data, data_dir),
        (None, None) => Err(usage("give --data, or --counts")),
    }
}

/// Fits a coin or a die.
fn fit_counts(args: &FitArgs, counts: &str) -> Result<()> {
    if !args.sets.is_empty() {
        return Err(usage("--set is for --data"));
    }
    match args.family.as_str() {
        "bernoulli" => fit_coin(args, counts),
        "categorical" => fit_die(args, counts),
        other => {
            Registry::standard().find(other)?;
            Err(usage(format!(
                "--counts is for bernoulli, categorical and the families of counts, and not for {other}"
            )))
        }
    }
}

/// The keys that all fits of counts have.
fn counts_json(family: &str, estimates: &[Estimate], criteria: Criteria) -> Value {
    let mut all = json!({ "family": family, "estimates": estimates_json(estimates) });
    add_criteria(&mut all, criteria);
    all
}

fn add_criteria(all: &mut Value, criteria: Criteria) {
    let Criteria { n, log_likelihood, aic, bic } = criteria;
    for (key, value) in [("n", n), ("log_likelihood", log_likelihood), ("aic", aic), ("bic", bic)] {
        all[key] = number(value);
    }
    all["converged"] = true.into();
}

/// The file of the plot of counts.
fn plot_path(args: &FitArgs) -> Result<PathBuf> {
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from("likelihood.png"));
    output::extension(&path, &["png", "svg"])?;
    Ok(path)
}

/// Fits the probabilities of the faces of a die and plots them with their errors.
fn fit_die(args: &FitArgs, counts: &str) -> Result<()> {
    let parsed: Option<Vec<u64>> = counts.split(',').map(|n| n.trim().parse().ok()).collect();
    let counts = parsed.ok_or_else(|| {
        usage(format!("--counts {counts}: write how often each category was seen, as in 1,4,2"))
    })?;
    let (estimates, criteria) = die(&counts)?;
    let path = plot_path(args)?;
    report::die_shares(&counts)?.save(&path)?;
    if args.output.json {
        let mut all = counts_json("categorical", &estimates, criteria);
        all["counts"] = counts.into();
        all["out"] = shown(&path).into();
        return output::json(&all);
    }
    if !args.output.quiet {
        print_estimates(&estimates)?;
        say!("log-likelihood at p̂: {:.3} nats", criteria.log_likelihood)?;
    }
    output::wrote(args.output, &path)
}

/// Fits one Bernoulli to the counts of a coin and plots its likelihood.
fn fit_coin(args: &FitArgs, counts: &str) -> Result<()> {
    let parsed = counts
        .split_once('/')
        .and_then(|(h, n)| Some((h.trim().parse::<u64>().ok()?, n.trim().parse::<u64>().ok()?)));
    let (heads, tosses) = parsed
        .ok_or_else(|| usage(format!("--counts {counts}: write heads/tosses, as in 900/1300")))?;
    let (estimate, criteria) = (coin(heads, tosses)?, coin_criteria(heads, tosses)?);
    let stderr = estimate.stderr.unwrap_or(0.0);
    let path = plot_path(args)?;
    report::coin_likelihood(heads, tosses)?.save(&path)?;
    if args.output.json {
        let mut all = counts_json("bernoulli", std::slice::from_ref(&estimate), criteria);
        all["theta"] = estimate.value.into();
        all["stderr"] = stderr.into();
        all["heads"] = heads.into();
        all["tosses"] = tosses.into();
        all["out"] = shown(&path).into();
        return output::json(&all);
    }
    if !args.output.quiet {
        say!("θ̂ = {:.4} ± {:.4} (standard error)", estimate.value, stderr)?;
        say!("log-likelihood at θ̂: {:.3} nats", criteria.log_likelihood)?;
    }
    output::wrote(args.output, &path)
}

fn fit_data(args: &FitArgs, name: &str, data_dir: Option<&Path>) -> Result<()> {
    let mut watch = ProgressReporter::new(args.output);
    let talk = !args.output.quiet && !args.output.json;
    let stop = progress::stop_on_interrupt(talk)?;
    let mut session = progress::session(data_dir, &mut watch).with_stop_flag(stop);
    let spec = spec_of(args, DataSource::Named(name.to_owned()))?;
    let fit = session.fit(&spec)?;
    watch.finish();
    let plots = match &args.plot {
        Some(folder) => residual_plots(folder, &fit)?,
        None => Vec::new(),
    };
    print(args, &fit, &plots)
}

/// Saves plots of the residuals of a regression in its training split.
fn residual_plots(folder: &Path, fit: &Fit) -> Result<Vec<PathBuf>> {
    let found = diagnostics(fit.run.model(), &fit.run.examples(SplitName::Train)?)?;
    std::fs::create_dir_all(folder)?;
    let mut paths = Vec::new();
    for (name, plot) in [
        ("residuals.png", report::residual_plot(&found)),
        ("quantiles.png", report::residual_quantiles(&found)),
        ("leverage.png", report::leverage_plot(&found)),
    ] {
        let path = folder.join(name);
        plot.save(&path)?;
        paths.push(path);
    }
    Ok(paths)
}

fn print(args: &FitArgs, fit: &Fit, plots: &[PathBuf]) -> Result<()> {
    let Fit { run, report, splits } = fit;
    let path = run.path().unwrap_or(Path::new(""));
    if args.output.json {
        let estimates = estimates_json(&report.estimates);
        let mut all =
            json!({ "family": run.model().name(), "run": shown(path), "estimates": estimates });
        if let Some(criteria) = fit.criteria() {
            add_criteria(&mut all, criteria);
        }
        add_splits(&mut all, splits)?;
        if let Some(converged) = report.converged {
            all["converged"] = converged.into();
            all["iterations"] = report.trace.len().into();
            all["objective"] = report.trace.last().copied().map(number).into();
        }
        if let Some(regression) = &report.regression {
            add_regression(&mut all, regression);
        }
        if !plots.is_empty() {
            all["plots"] = plots.iter().map(|path| shown(path)).collect::<Vec<_>>().into();
        }
        let notes = [run.notes(), &report.notes].concat();
        if !notes.is_empty() {
            all["notes"] = notes.into();
        }
        return output::json(&all);
    }
    if !args.output.quiet {
        match &report.regression {
            Some(regression) => print_coefficients(&report.estimates, regression)?,
            None => print_estimates(&report.estimates)?,
        }
        if let (Some(true), Some(objective)) = (report.converged, report.trace.last()) {
            let n = output::count(report.trace.len(), "iteration");
            say!("converged after {n}, objective {objective:.6} nats per example")?;
        }
        for note in &report.notes {
            say!("note: {note}")?;
        }
        print_splits(splits)?;
    }
    for path in plots {
        output::wrote(args.output, path)?;
    }
    output::wrote(args.output, path)
}

/// Adds the tests and intervals of coefficients to their estimates, and how well the predictor fits.
fn add_regression(all: &mut Value, regression: &Regression) {
    for found in &regression.coefficients {
        let estimates = all["estimates"].as_array_mut().into_iter().flatten();
        for estimate in estimates.filter(|estimate| estimate["name"] == found.name.as_str()) {
            let (low, high) = found.interval;
            estimate["statistic"] = number(found.statistic);
            estimate["p_value"] = number(found.p_value);
            estimate["interval"] = json!([number(low), number(high)]);
            if let Some((ratio, low, high)) = found.odds_ratio {
                estimate["odds_ratio"] = number(ratio);
                estimate["odds_ratio_interval"] = json!([number(low), number(high)]);
            }
        }
    }
    all["confidence"] = number(regression.confidence);
    all["degrees_of_freedom"] = regression.degrees.map_or(Value::Null, number);
    for (name, value) in &regression.metrics {
        all[*name] = number(*value);
    }
}

/// The most coefficients that are printed.
const COEFFICIENTS: usize = 30;

/// Coefficients with their errors, intervals and tests.
fn print_coefficients(estimates: &[Estimate], regression: &Regression) -> Result<()> {
    let confidence = 100.0 * regression.confidence;
    for e in estimates.iter().take(COEFFICIENTS) {
        let mut line = format!("{} = {}", e.name, with_error(e.value, e.stderr));
        let test = regression.coefficients.iter().find(|found| found.name == e.name);
        if let Some(found) = test {
            let (low, high) = found.interval;
            let [low, high, p] = [low, high, found.p_value].map(|x| output::digits(x, 3));
            line += &format!(", {confidence} % interval {low} to {high}, p = {p}");
            if let Some((ratio, low, high)) = found.odds_ratio {
                let [ratio, low, high] = [ratio, low, high].map(|x| output::digits(x, 3));
                line += &format!(", odds ratio {ratio} ({low} to {high})");
            }
        }
        say!("{line}")?;
    }
    if estimates.len() > COEFFICIENTS {
        say!("… and {} more (--json prints all)", estimates.len() - COEFFICIENTS)?;
    }
    let metrics: Vec<String> = regression
        .metrics
        .iter()
        .map(|(name, value)| {
            let name = match *name {
                "r_squared" => "R²",
                "adjusted_r_squared" => "adjusted R²",
                "residual_deviation" => "residual standard error",
                "f_statistic" => "F",
                other => other,
            };
            format!("{name} {}", output::digits(*value, 5))
        })
        .collect();
    if !metrics.is_empty() {
        let degrees = regression.degrees.map(|degrees| output::digits(degrees, 6));
        let degrees = degrees.map_or(String::new(), |d| format!(" on {d} degrees of freedom"));
        say!("{}{degrees}", metrics.join(", "))?;
    }
    Ok(())
}

/// Estimates as JSON.
fn estimates_json(estimates: &[Estimate]) -> Vec<Value> {
    let each = |e: &Estimate| {
        let stderr = e.stderr.map(number);
        json!({ "name": e.name, "value": number(e.value), "stderr": stderr })
    };
    estimates.iter().map(each).collect()
}

/// The most estimates of one kind that are printed.
const SHOWN: usize = 6;

/// The first estimates of each kind: `mean[0]` and `mean[1]` are of one.
fn print_estimates(estimates: &[Estimate]) -> Result<()> {
    let kind = |e: &Estimate| e.name.split('[').next().unwrap_or_default().to_owned();
    for group in estimates.chunk_by(|a, b| kind(a) == kind(b)) {
        for e in group.iter().take(SHOWN) {
            say!("{} = {}", e.name, with_error(e.value, e.stderr))?;
        }
        if group.len() > SHOWN {
            let more = group.len() - SHOWN;
            say!("… and {more} more of {} (--json prints all)", kind(&group[0]))?;
        }
    }
    Ok(())
}
