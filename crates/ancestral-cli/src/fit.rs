//! `fit`: distributions and classifiers by maximum likelihood.

use std::path::{Path, PathBuf};

use ancestral::Registry;
use ancestral::distributions::categorical::die;
use ancestral::distributions::families::full_name;
use ancestral::distributions::fitted::is_family;
use ancestral::distributions::{coin, coin_log_likelihood};
use ancestral::model::Estimate;
use ancestral::run::{DataSource, Fit, Measured};
use ancestral_plot::{Plot, Series};
use anyhow::Result;
use serde_json::{Value, json};

use crate::args::FitArgs;
use crate::fit_common::{add_splits, print_splits, spec_of, with_error};
use crate::fit_family;
use crate::json::number;
use crate::output::{self, say, shown, usage};
use crate::progress::{self, ProgressReporter};

pub(crate) fn run(args: &FitArgs, data_dir: Option<&Path>) -> Result<()> {
    let family = full_name(&args.family);
    if family == "auto" || is_family(family) {
        return fit_family::run(args, data_dir);
    }
    for (flag, given) in [
        ("--lower", args.lower.is_some()),
        ("--weights", args.weights.is_some()),
        ("--fix", !args.fixed.is_empty()),
        ("--trials", args.trials.is_some()),
        ("--quantile", !args.quantiles.is_empty()),
        ("--above", !args.above.is_empty()),
        ("--gof", args.gof),
        ("--plot", args.plot.is_some()),
    ] {
        // A name that no model has is refused below, with the nearest one.
        if given && Registry::standard().find(family).is_ok() {
            return Err(usage(format!("{flag} is for univariate families, and {family} is none")));
        }
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
fn counts_json(
    family: &str,
    estimates: &[Estimate],
    (n, log_likelihood): (f64, f64),
    free: f64,
) -> Value {
    json!({
        "family": family, "estimates": estimates_json(estimates), "n": number(n),
        "log_likelihood": number(log_likelihood),
        "aic": number(2.0 * free - 2.0 * log_likelihood),
        "bic": number(free * n.ln() - 2.0 * log_likelihood), "converged": true,
    })
}

/// Fits the probabilities of the faces of a die and plots them with their errors.
fn fit_die(args: &FitArgs, counts: &str) -> Result<()> {
    let parsed: Option<Vec<u64>> = counts.split(',').map(|n| n.trim().parse().ok()).collect();
    let counts = parsed.ok_or_else(|| {
        usage(format!("--counts {counts}: write how often each category was seen, as in 1,4,2"))
    })?;
    let (estimates, log_likelihood) = die(&counts)?;
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from("likelihood.png"));
    output::extension(&path, &["png", "svg"])?;
    let n: f64 = counts.iter().map(|&count| count as f64).sum();
    let at = |i: usize| i as f64;
    let shares = estimates.iter().enumerate().map(|(i, e)| (at(i), e.value));
    let errors = estimates.iter().enumerate().flat_map(|(i, e)| {
        let error = e.stderr.unwrap_or(0.0);
        [(at(i), (e.value - error).max(0.0)), (at(i), e.value + error), (f64::NAN, f64::NAN)]
    });
    let equal = 1.0 / counts.len() as f64;
    Plot::new(
        format!("shares of {} categories in {n} draws, ± standard error", counts.len()),
        "category",
        "probability",
    )
    .x_names((1..=counts.len()).map(|i| i.to_string()))
    .with(Series::bars("", shares))
    .with(Series::line("", errors).group(1))
    .horizontal_marker(equal, "all equal")
    .save(&path)?;
    if args.output.json {
        let free = counts.len() as f64 - 1.0;
        let mut all = counts_json("categorical", &estimates, (n, log_likelihood), free);
        all["counts"] = counts.into();
        all["out"] = shown(&path).into();
        return output::json(&all);
    }
    if !args.output.quiet {
        print_estimates(&estimates)?;
        say!("log-likelihood at p̂: {log_likelihood:.3} nats")?;
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
        let theta = Estimate { name: "theta".to_owned(), ..estimate.clone() };
        let mut all = counts_json("bernoulli", &[theta], (tosses as f64, best), 1.0);
        all["theta"] = estimate.value.into();
        all["stderr"] = stderr.into();
        all["heads"] = heads.into();
        all["tosses"] = tosses.into();
        all["out"] = shown(&path).into();
        return output::json(&all);
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
    let spec = spec_of(args, DataSource::Named(name.to_owned()))?;
    let fit = session.fit(&spec)?;
    watch.finish();
    print(args, &fit)
}

fn print(args: &FitArgs, Fit { run, report, splits }: &Fit) -> Result<()> {
    let path = run.path().unwrap_or(Path::new(""));
    if args.output.json {
        let estimates = estimates_json(&report.estimates);
        let mut all =
            json!({ "family": run.model().name(), "run": shown(path), "estimates": estimates });
        if let Some(Measured::Likelihoods(train)) = splits.first().map(|fitted| &fitted.found) {
            let n = train.n as f64;
            // The probabilities of a column sum to 1.
            let columns = run.model().data().size();
            let (more, less) = match run.model().name() {
                "categorical" => (0, columns),
                "multinomial" => (0, 1),
                // Covariances are not listed.
                "gmm" => {
                    let settings = run.model().settings();
                    let listed = settings.get("components").and_then(toml::Value::as_integer);
                    let components = listed.map_or(1, |k| k.max(1) as usize);
                    let full =
                        settings.get("covariance").and_then(toml::Value::as_str) == Some("full");
                    let pairs = if full { columns * (columns - 1) / 2 } else { 0 };
                    (components * pairs, 1)
                }
                _ => (0, 0),
            };
            let free = (report.estimates.len() + more).saturating_sub(less) as f64;
            let log_likelihood = -train.nll_nats * n;
            all["n"] = number(n);
            all["log_likelihood"] = number(log_likelihood);
            all["aic"] = number(2.0 * free - 2.0 * log_likelihood);
            all["bic"] = number(free * n.ln() - 2.0 * log_likelihood);
            all["converged"] = true.into();
        }
        add_splits(&mut all, splits)?;
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
        print_splits(splits)?;
    }
    output::wrote(args.output, path)
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
