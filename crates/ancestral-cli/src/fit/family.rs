//! `fit` of univariate distributions: one family, or all that suit a column.

use std::path::Path;

use ancestral::distributions::families::gof::{Bootstrap, Goodness};
use ancestral::distributions::families::inference::Derived;
use ancestral::distributions::families::{self, by_name};
use ancestral::distributions::fitted::model_name;
use ancestral::report;
use ancestral::run::{
    ColumnFit, ColumnRanking, DataSource, DistributionRequest, FamilyFit, PValues, Rows,
};
use ancestral_plot::Plot;
use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::common::{add_splits, print_splits, spec_of, with_error};
use crate::args::FitArgs;
use crate::json::number;
use crate::output::{self, say, shown, usage};
use crate::progress::{self, ProgressReporter};

/// The refused families that are printed.
const SHOWN: usize = 40;

pub(crate) fn run(args: &FitArgs, data_dir: Option<&Path>) -> Result<()> {
    let request = request(args)?;
    let source = match &args.data {
        Some(name) => DataSource::Named(name.clone()),
        None => DataSource::Default,
    };
    let mut spec = spec_of(args, source)?;
    let mut watch = ProgressReporter::new(args.output).early();
    let stop = progress::stop_on_interrupt(false)?;
    let mut session = progress::session(data_dir, &mut watch).with_stop_flag(stop);
    // A run is written by one rename.
    progress::end_at_once();
    if args.family != "auto" {
        let found = session.fit_family(&spec, &request)?;
        progress::keep_on();
        watch.finish();
        return print(args, &found);
    }
    let columns = session.fit_all_families(&spec, &request)?;
    let best = match (&args.out, columns.as_slice()) {
        (None, _) => None,
        (Some(_), [one]) => {
            let first = one.best().ok_or_else(|| usage("--out: no family could be fitted"))?;
            spec.model = Some(model_name(first.family).to_owned());
            Some(session.fit_family(&spec, &request)?)
        }
        (Some(_), _) => {
            return Err(usage(
                "--out stores the best family of one column; choose it with --column",
            ));
        }
    };
    progress::keep_on();
    watch.finish();
    print_rankings(args, &columns, best.as_ref())
}

/// What the flags ask for.
fn request(args: &FitArgs) -> Result<DistributionRequest> {
    let rows = match (&args.counts, &args.lower, &args.upper, &args.weights) {
        (Some(counts), ..) => {
            let parsed: Option<Vec<f64>> =
                counts.split(',').map(|n| n.trim().parse::<u64>().ok().map(|n| n as f64)).collect();
            Rows::Counts(parsed.ok_or_else(|| {
                usage(format!(
                    "--counts {counts}: write how often each count from the lowest on was seen, as in \
                     37,36,19,8"
                ))
            })?)
        }
        (_, Some(lower), Some(upper), weights) => {
            Rows::Censored { lower: lower.clone(), upper: upper.clone(), weights: weights.clone() }
        }
        (_, _, _, Some(weights)) => Rows::Weighted(weights.clone()),
        _ => Rows::Plain,
    };
    if args.counts.is_some() {
        let of_counts = by_name(&args.family).is_some_and(|family| family.is_discrete());
        if !(of_counts || ["binomial", "auto"].contains(&args.family.as_str())) {
            return Err(usage(format!(
                "--counts is for bernoulli, categorical and the families of counts, and {} is a density",
                args.family
            )));
        }
    }
    if args.trials.is_some() && args.family != "binomial" {
        return Err(usage("--trials is for binomial"));
    }
    let fixed = args.fixed.iter().map(|text| {
        let parsed = text
            .split_once('=')
            .and_then(|(name, value)| Some((name.trim().to_owned(), value.trim().parse().ok()?)));
        parsed.ok_or_else(|| usage(format!("--fix {text}: write NAME=VALUE, as in shape=2")))
    });
    let fixed: Vec<(String, f64)> = fixed.collect::<Result<_>>()?;
    if args.family == "auto"
        && !(fixed.is_empty()
            && args.quantiles.is_empty()
            && args.above.is_empty()
            && !args.free_location)
    {
        return Err(usage(
            "--fix, --free-location, --quantile and --above are for one family, not for auto",
        ));
    }
    Ok(DistributionRequest {
        column: args.column.clone(),
        rows,
        fixed,
        free_location: args.free_location,
        quantiles: args.quantiles.clone(),
        above: args.above.clone(),
        p_values: match (args.gof, args.no_gof) {
            (true, _) => PValues::Always,
            (_, true) => PValues::Never,
            _ => PValues::OfFewRows,
        },
        in_parts: args.in_parts,
    })
}

fn pair(ends: Option<(f64, f64)>) -> Value {
    ends.map_or(Value::Null, |(low, high)| vec![number(low), number(high)].into())
}

fn derived_json(found: &Derived) -> Value {
    json!({
        "value": number(found.value), "stderr": found.stderr.map(number),
        "interval": pair(found.interval),
    })
}

fn goodness_json(found: &Goodness) -> Value {
    let bootstrap = found.bootstrap.map(|b: Bootstrap| {
        json!({
            "samples": b.samples, "kolmogorov_smirnov": b.kolmogorov_smirnov,
            "anderson_darling": b.anderson_darling, "chi_squared": b.chi_squared,
        })
    });
    let chi_squared = found.chi_squared.map(
        |c| json!({ "statistic": number(c.statistic), "df": c.df, "p_value": number(c.p_value) }),
    );
    json!({
        "rows": number(found.rows),
        "kolmogorov_smirnov": number(found.kolmogorov_smirnov),
        "anderson_darling": found.anderson_darling.map(number),
        "chi_squared": chi_squared, "p_values": bootstrap,
    })
}

/// What is known of a fit alone.
fn fit_json(fit: &families::Fit) -> Value {
    let estimates: Vec<Value> = fit
        .estimates
        .iter()
        .map(|e| {
            json!({
                "name": e.name, "value": number(e.value), "stderr": e.stderr.map(number),
                "interval": pair(e.interval), "fixed": e.fixed,
            })
        })
        .collect();
    let boundary = fit
        .boundary
        .as_ref()
        .map(|b| json!({ "parameter": b.parameter, "value": number(b.value), "family": b.family }));
    json!({
        "family": model_name(fit.family), "estimates": estimates, "log_likelihood": number(fit.log_likelihood),
        "n": number(fit.n), "aic": number(fit.aic), "bic": number(fit.bic),
        "converged": fit.converged, "boundary": boundary, "notes": fit.notes,
    })
}

fn column_json(found: &ColumnFit) -> Value {
    let mut all = fit_json(&found.fit);
    all["column"] = found.column.clone().into();
    all["confidence"] = found.confidence.into();
    all["goodness_of_fit"] = found.goodness.as_ref().map_or(Value::Null, goodness_json);
    let tests = found.tests.iter().map(|t| {
        json!({
            "null": t.null, "restriction": t.restriction, "statistic": number(t.statistic),
            "df": t.df, "p_value": number(t.p_value), "at_edge": t.at_edge,
        })
    });
    all["likelihood_ratio_tests"] = tests.collect::<Vec<_>>().into();
    let listed = |list: &[(f64, Derived)], key: &str| -> Value {
        let each = list.iter().map(|(at, found)| {
            let mut one = derived_json(found);
            one[key] = number(*at);
            one
        });
        each.collect::<Vec<_>>().into()
    };
    all["quantiles"] = listed(&found.quantiles, "p");
    all["above"] = listed(&found.above, "x");
    all
}

/// Saves plots of each column, in a folder of its own if there are several; their paths.
fn save(
    args: &FitArgs,
    columns: &[(&str, Vec<(&'static str, Plot)>)],
) -> Result<Vec<std::path::PathBuf>> {
    let Some(folder) = &args.plot else { return Ok(Vec::new()) };
    let mut paths = Vec::new();
    for (column, plots) in columns {
        let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let own = match columns.len() {
            1 => folder.clone(),
            _ => folder.join(column.chars().map(safe).collect::<String>()),
        };
        std::fs::create_dir_all(&own)
            .with_context(|| format!("--plot {}: cannot make the folder", own.display()))?;
        for (name, plot) in plots {
            let path = own.join(name);
            plot.save(&path)?;
            paths.push(path);
        }
    }
    Ok(paths)
}

fn print(args: &FitArgs, found: &FamilyFit) -> Result<()> {
    let plots: Vec<_> = match args.plot {
        None => Vec::new(),
        Some(_) => found
            .columns
            .iter()
            .map(|c| {
                let family = c.family.as_ref();
                let name = c.column.as_str();
                (name, report::fit_plots(family, &c.fit, &c.sample, name, c.confidence))
            })
            .collect(),
    };
    let plots = save(args, &plots)?;
    let path = found.run.path().unwrap_or(Path::new(""));
    if args.output.json {
        return output::json(&json_of(found, path, &plots)?);
    }
    if !args.output.quiet {
        for column in &found.columns {
            print_column(column)?;
        }
        print_splits(&found.splits)?;
    }
    for plot in &plots {
        output::wrote(args.output, plot)?;
    }
    output::wrote(args.output, path)
}

/// One column as one object; several with the sums, and a list of them.
fn json_of(found: &FamilyFit, path: &Path, plots: &[std::path::PathBuf]) -> Result<Value> {
    let mut all = match found.columns.as_slice() {
        [one] => column_json(one),
        many => {
            let sum = |of: fn(&families::Fit) -> f64| {
                number(many.iter().map(|column| of(&column.fit)).sum::<f64>())
            };
            let estimates: Vec<Value> = many
                .iter()
                .flat_map(|column| {
                    column.fit.estimates.iter().map(|e| {
                        json!({
                            "name": format!("{}[{}]", e.name, column.column),
                            "value": number(e.value), "stderr": e.stderr.map(number),
                            "interval": pair(e.interval), "fixed": e.fixed,
                        })
                    })
                })
                .collect();
            json!({
                "family": found.run.model().name(), "estimates": estimates,
                "log_likelihood": sum(|fit| fit.log_likelihood), "aic": sum(|fit| fit.aic),
                "bic": sum(|fit| fit.bic), "n": many.first().map(|column| number(column.fit.n)),
                "converged": many.iter().all(|column| column.fit.converged),
                "columns": many.iter().map(column_json).collect::<Vec<_>>(),
            })
        }
    };
    all["run"] = shown(path).into();
    add_splits(&mut all, &found.splits)?;
    if !plots.is_empty() {
        all["plots"] = plots.iter().map(|path| shown(path)).collect::<Vec<_>>().into();
    }
    Ok(all)
}

/// An interval as text.
fn interval(ends: (f64, f64)) -> String {
    let width = ends.1 - ends.0;
    // Far from 0 the ends have the digits that their distance calls for.
    let far = |x: f64| width > 0.0 && x.abs() < 1e15 && x.abs() > 1e4 * width;
    let decimals = (2.0 - width.log10().floor()).clamp(0.0, 17.0) as usize;
    let one = |x: f64| match x.is_infinite() {
        true if x > 0.0 => "∞".to_owned(),
        true => "−∞".to_owned(),
        false if far(x) => format!("{x:.decimals$}"),
        false => output::significant(x),
    };
    format!("{} to {}", one(ends.0), one(ends.1))
}

/// A value with its error and its interval.
fn valued(value: f64, stderr: Option<f64>, ends: Option<(f64, f64)>, confidence: f64) -> String {
    let mut text = match value.is_infinite() {
        true => interval((value, value)).split(' ').next().unwrap_or_default().to_owned(),
        false => with_error(value, stderr),
    };
    if let Some(ends) = ends {
        text +=
            &format!(" ({} % interval {})", output::digits(100.0 * confidence, 4), interval(ends));
    }
    text
}

fn print_column(found: &ColumnFit) -> Result<()> {
    let ColumnFit { column, fit, confidence, .. } = found;
    let rows = output::digits(fit.n, 12);
    say!(
        "{column}: {} fitted to {rows} row{}",
        model_name(fit.family),
        if fit.n == 1.0 { "" } else { "s" }
    )?;
    for (i, e) in fit.estimates.iter().enumerate() {
        let given = if e.fixed { ", given" } else { "" };
        let about = found.family.parameters().get(i).map_or("", |p| p.about);
        let about = if about.is_empty() { String::new() } else { format!("  [{about}]") };
        let value = valued(e.value, e.stderr, e.interval, *confidence);
        say!("  {} = {value}{given}{about}", e.name)?;
    }
    say!(
        "  log-likelihood {} nats, AIC {}, BIC {}",
        output::digits(fit.log_likelihood, 9),
        output::digits(fit.aic, 9),
        output::digits(fit.bic, 9)
    )?;
    if let Some(b) = &fit.boundary {
        let at = interval((b.value, b.value));
        let at = at.split(' ').next().unwrap_or_default();
        say!("  the likelihood rises to its limit, {} = {at}: {}", b.parameter, b.family)?;
    }
    if !fit.converged {
        say!("  the search did not converge")?;
    }
    for note in &fit.notes {
        say!("  note: {note}")?;
    }
    if let Some(goodness) = &found.goodness {
        print_goodness(goodness, fit.n)?;
    }
    for t in &found.tests {
        let p = output::digits(t.p_value, 3);
        let statistic = output::digits(t.statistic, 4);
        let edge = if t.at_edge { ", at the edge of the family" } else { "" };
        say!("  against {} ({}): 2 (ℓ₁ − ℓ₀) = {statistic}, p = {p}{edge}", t.null, t.restriction)?;
    }
    for (p, q) in &found.quantiles {
        say!("  quantile {p}: {}", valued(q.value, q.stderr, q.interval, *confidence))?;
    }
    for (x, q) in &found.above {
        say!("  P(X > {x}): {}", valued(q.value, q.stderr, q.interval, *confidence))?;
    }
    Ok(())
}

fn print_goodness(found: &Goodness, n: f64) -> Result<()> {
    let p = |of: &dyn Fn(&Bootstrap) -> Option<f64>| {
        let value = found.bootstrap.as_ref().and_then(of);
        value.map_or(String::new(), |p| format!(" (p = {})", output::digits(p, 2)))
    };
    let mut parts = vec![format!(
        "Kolmogorov–Smirnov {}{}",
        output::digits(found.kolmogorov_smirnov, 3),
        p(&|b| Some(b.kolmogorov_smirnov))
    )];
    if let Some(distance) = found.anderson_darling {
        let p = p(&|b| b.anderson_darling);
        parts.push(format!("Anderson–Darling {}{p}", output::digits(distance, 3)));
    }
    if let Some(c) = found.chi_squared {
        let p = p(&|b| b.chi_squared);
        parts.push(format!("χ² {} with {} df{p}", output::digits(c.statistic, 3), c.df));
    }
    let how = match &found.bootstrap {
        Some(b) => format!("; p by {} samples of the fit", b.samples),
        None if found.rows < n => String::new(),
        None => "; --gof adds p-values".to_owned(),
    };
    let of = match found.rows < n {
        true => format!(" by {} rows", output::digits(found.rows, 12)),
        false => String::new(),
    };
    say!("  goodness of fit{of}: {}{how}", parts.join(", "))
}

fn print_rankings(
    args: &FitArgs,
    columns: &[ColumnRanking],
    best: Option<&FamilyFit>,
) -> Result<()> {
    let plots: Vec<_> = match args.plot {
        None => Vec::new(),
        Some(_) => columns
            .iter()
            .map(|c| (c.column.as_str(), report::ranking(&c.ranking, &c.sample, &c.column)))
            .collect(),
    };
    let plots = save(args, &plots)?;
    let run = best.and_then(|found| found.run.path());
    if args.output.json {
        let each: Vec<Value> = columns
            .iter()
            .map(|c| {
                let refused = c.ranking.refused.iter();
                let refused =
                    refused.map(|r| json!({ "family": model_name(r.family), "reason": r.reason }));
                json!({
                    "column": c.column, "n": number(c.sample.total()),
                    "densities": c.ranking.densities.iter().map(fit_json).collect::<Vec<_>>(),
                    "masses": c.ranking.masses.iter().map(fit_json).collect::<Vec<_>>(),
                    "refused": refused.collect::<Vec<_>>(),
                })
            })
            .collect();
        let mut all = json!({ "family": "auto", "columns": each });
        all["run"] = run.map(shown).into();
        if !plots.is_empty() {
            all["plots"] = plots.iter().map(|path| shown(path)).collect::<Vec<_>>().into();
        }
        return output::json(&all);
    }
    if !args.output.quiet {
        for column in columns {
            print_ranking(column)?;
        }
    }
    for plot in &plots {
        output::wrote(args.output, plot)?;
    }
    match run {
        Some(path) => output::wrote(args.output, path),
        None => Ok(()),
    }
}

fn print_ranking(column: &ColumnRanking) -> Result<()> {
    let ranking = &column.ranking;
    let rows = output::digits(column.sample.total(), 12);
    let count = ranking.densities.len() + ranking.masses.len();
    say!(
        "{}: {} fitted to {rows} rows, {} refused",
        column.column,
        match count {
            1 => "1 family".to_owned(),
            n => format!("{n} families"),
        },
        ranking.refused.len()
    )?;
    for (what, fits) in
        [("densities", &ranking.densities), ("masses on whole numbers", &ranking.masses)]
    {
        let Some(first) = fits.first() else { continue };
        say!("  {what}, by AIC:")?;
        for fit in fits {
            let values: Vec<String> = fit
                .estimates
                .iter()
                .take(fit.parameters.len())
                .map(|e| format!("{} {}", e.name, valued(e.value, None, None, 0.95)))
                .collect();
            let limit =
                fit.boundary.as_ref().map_or(String::new(), |b| format!(", = {}", b.family));
            say!(
                "  {:>24}  AIC {:>12}  (+{})  {}{limit}",
                model_name(fit.family),
                output::digits(fit.aic, 8),
                output::digits(fit.aic - first.aic, 4),
                values.join(", ")
            )?;
        }
    }
    for refused in ranking.refused.iter().take(SHOWN) {
        say!("  refused {}: {}", model_name(refused.family), refused.reason)?;
    }
    Ok(())
}
