//! `classify`: classes of rows by Bayes' rule, or by a classifier.

use std::path::{Path, PathBuf};

use ancestral::evaluate::{ClassMetrics, Options};
use ancestral::report;
use ancestral::run::{ClassReport, ClassifiedRows, ClassifySpec, DataQuery, DecidedBy, Priors};
use anyhow::Result;
use serde_json::{Value, json};

use crate::args::ClassifyArgs;
use crate::inputs::About;
use crate::json::{number, value};
use crate::output::{self, digits, say, shown, usage};
use crate::progress::{self, ProgressReporter};
use crate::{classification, inputs};

/// The most classes that are printed.
const SHOWN: usize = 12;

pub(crate) fn run(args: &ClassifyArgs, data_dir: Option<&Path>) -> Result<()> {
    inputs::check_counts(args.samples, 1)?;
    let mut given: Vec<Option<&Path>> = vec![Some(Path::new(&args.data))];
    given.extend(args.runs.iter().map(|run| Some(run.as_path())));
    if let Some(out) = &args.out {
        output::extension(out, &["csv"])?;
        output::check_target("--out", out, &given)?;
    }
    if let Some(folder) = &args.plot {
        output::check_target("--plot", folder, &given)?;
    }
    let split = args.split.as_deref().map(inputs::split).transpose()?;
    let spec = ClassifySpec {
        query: DataQuery {
            data: Some(args.data.clone()),
            split,
            limit: args.limit.map(|n| n.get()),
            reading: inputs::reading(&args.tables)?,
        },
        classes: args.classes.clone(),
        priors: priors(&args.priors)?,
        options: Options { samples: args.samples, seed: args.seed, members: 1, columns: false },
    };
    let mut watch = ProgressReporter::new(args.output);
    let mut session = progress::session(data_dir, &mut watch);
    let weights = inputs::weights(&args.weights)?;
    let runs = args
        .runs
        .iter()
        .map(|path| inputs::load(&session, path, weights, args.output))
        .collect::<Result<Vec<_>>>()?;
    let found = session.classify(&runs, &spec).about("rows to classify of", &args.data)?;
    watch.finish();
    if let Some(out) = &args.out {
        found.write(out)?;
    }
    let plots = match (&args.plot, &found.report) {
        (None, _) => Vec::new(),
        (Some(folder), Some(report)) => plots(folder, &found, report)?,
        (Some(_), None) => return Err(usage("--plot: the data has no labels to compare with")),
    };
    let models: Vec<&str> = runs.iter().map(|run| run.model().name()).collect();
    if args.output.json {
        return output::json(&as_json(args, &models, &found, &plots));
    }
    if args.output.quiet {
        if let Some(report) = &found.report {
            say!("{}", report.classification.accuracy)?;
        }
    } else {
        print(args, &models, &found)?;
    }
    for path in args.out.iter().chain(&plots) {
        output::wrote(args.output, path)?;
    }
    Ok(())
}

/// `training`, `equal`, `0.9,0.1` or `yes=9,no=1`.
fn priors(text: &str) -> Result<Priors> {
    let part = |part: &str| {
        let (name, number) = match part.rsplit_once('=') {
            Some((name, number)) => (Some(name.trim().to_owned()), number),
            None => (None, part),
        };
        number.trim().parse::<f64>().ok().map(|number| (name, number))
    };
    match text {
        "training" => Ok(Priors::Training),
        "equal" => Ok(Priors::Equal),
        _ => {
            let given: Option<Vec<(Option<String>, f64)>> = text.split(',').map(part).collect();
            let given =
                given.filter(|all| all.iter().all(|(n, _)| n.is_some() == all[0].0.is_some()));
            given.map(Priors::Given).ok_or_else(|| {
                usage(format!(
                    "--priors {text}: give training, equal, or numbers, as in 0.9,0.1 or yes=9,no=1"
                ))
            })
        }
    }
}

/// Saves the plots.
fn plots(folder: &Path, found: &ClassifiedRows, of: &ClassReport) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let data = &found.of.data;
    let all = [
        (
            "confusion.png",
            report::confusion_matrix(
                &format!("{data}: confusion matrix, shares of rows"),
                &found.classes,
                &of.confusion,
            ),
        ),
        ("roc.png", report::roc_curves(&format!("{data}, ROC"), &of.by_class)),
        (
            "precision-recall.png",
            report::precision_recall_curves(&format!("{data}, precision–recall"), &of.by_class),
        ),
        ("reliability.png", report::reliability_diagram(data, &of.classification)),
    ];
    let mut paths = Vec::with_capacity(all.len());
    for (name, plot) in all {
        let path = folder.join(name);
        plot.save(&path)?;
        paths.push(path);
    }
    Ok(paths)
}

/// What is said of the classes and what decided them.
fn by(found: &ClassifiedRows) -> String {
    match found.decided_by {
        DecidedBy::Exact => "Bayes' rule over exact densities".to_owned(),
        DecidedBy::Bound => "Bayes' rule over lower bounds".to_owned(),
        DecidedBy::Classifier => "a classifier".to_owned(),
    }
}

fn print(args: &ClassifyArgs, models: &[&str], found: &ClassifiedRows) -> Result<()> {
    let mut names: Vec<&str> = models.to_vec();
    names.dedup();
    say!(
        "{} of {} by {} ({})",
        output::count(found.of.n, "row"),
        found.of.data,
        by(found),
        names.join(", ")
    )?;
    if let Some(priors) = &found.priors {
        let all = found.classes.iter().zip(priors).take(SHOWN);
        let list: Vec<String> =
            all.map(|(class, p)| format!("{class} {}", digits(*p, 4))).collect();
        let more = if found.classes.len() > SHOWN { ", …" } else { "" };
        say!("class probabilities before the rows: {}{more}", list.join(", "))?;
    }
    let Some(report) = &found.report else {
        let list: Vec<String> = found
            .classes
            .iter()
            .zip(found.counts())
            .take(SHOWN)
            .map(|(class, count)| format!("{class} {count}"))
            .collect();
        say!("predicted: {}", list.join(", "))?;
        return say_lowest(found);
    };
    let split = args.split.as_deref().unwrap_or("all");
    let (low, high) = report.accuracy_interval;
    let found_classes = &report.classification;
    say!("{}", classification::sentence(found_classes, split, found.of.binarize))?;
    say!("95 % interval of the accuracy: {:.2} to {:.2} %", 100.0 * low, 100.0 * high)?;
    if let (Some(roc), Some(pr)) = (report.by_class.roc_area, report.by_class.average_precision) {
        say!(
            "area under ROC {:.4}, average precision {:.4} (means over classes)",
            roc.by_class,
            pr.by_class
        )?;
    }
    let n = found.classes.len();
    let width = found.classes.iter().map(|c| c.chars().count()).max().unwrap_or(0).clamp(5, 24);
    say!("{:>width$}  precision  recall  ROC area  average precision  n", "class")?;
    for class in report.by_class.classes.iter().take(SHOWN) {
        let text = |x: Option<f64>| x.map_or("-".to_owned(), |x| format!("{x:.4}"));
        let (roc, pr) = areas(class);
        say!(
            "{:>width$}  {:>9}  {:>6}  {:>8}  {:>17}  {}",
            class.class,
            text(class.precision),
            text(class.recall),
            text(roc),
            text(pr),
            class.n
        )?;
    }
    if n <= SHOWN {
        say!("confusion matrix (rows: true classes; columns: predicted ones)")?;
        for (class, row) in found.classes.iter().zip(report.confusion.chunks(n)) {
            let cells: Vec<String> = row.iter().map(|count| format!("{count:>6}")).collect();
            say!("{class:>width$} {}", cells.concat())?;
        }
    }
    say_lowest(found)
}

/// The areas of a class.
fn areas(class: &ClassMetrics) -> (Option<f64>, Option<f64>) {
    let area = |curve: &Option<ancestral::evaluate::Curve>| curve.as_ref().map(|curve| curve.area);
    (area(&class.roc), area(&class.precision_recall))
}

/// The rows that are like no class.
fn say_lowest(found: &ClassifiedRows) -> Result<()> {
    let Some(nats) = &found.log_probabilities else { return Ok(()) };
    let lowest = found.lowest();
    let list: Vec<String> =
        lowest.iter().map(|&row| format!("row {row} ({:.1} nats)", nats[row])).collect();
    say!("least probable of all classes together: {}", list.join(", "))
}

fn as_json(
    args: &ClassifyArgs,
    models: &[&str],
    found: &ClassifiedRows,
    plots: &[PathBuf],
) -> Value {
    let optional = |x: Option<f64>| x.map_or(Value::Null, number);
    let mut all = json!({
        "models": models,
        "runs": args.runs.iter().map(|run| shown(run)).collect::<Vec<_>>(),
        "data": found.of.data,
        "split": found.of.split,
        "binarize": found.of.binarize,
        "n": found.of.n,
        "kind": found.decided_by.as_str(),
        "classes": found.classes,
        "priors": found.priors,
        "counts": found.counts(),
        "out": args.out.as_ref().map(|path| shown(path)),
        "plots": plots.iter().map(|path| shown(path)).collect::<Vec<_>>(),
        "notes": found.of.notes,
    });
    if let Some(nats) = &found.log_probabilities {
        let mean = nats.iter().sum::<f64>() / nats.len() as f64;
        all["mean_log_probability"] = number(mean);
        all["lowest_rows"] = found.lowest().into();
    }
    let Some(report) = &found.report else { return all };
    if let Ok(Value::Object(metrics)) = value(&report.classification)
        && let Value::Object(all) = &mut all
    {
        all.extend(metrics);
    }
    let (low, high) = report.accuracy_interval;
    all["accuracy_interval"] = json!([low, high]);
    let n = found.classes.len().max(1);
    all["confusion"] = report.confusion.chunks(n).map(<[u64]>::to_vec).collect::<Vec<_>>().into();
    let classes = report.by_class.classes.iter().map(|class| {
        let (roc, pr) = areas(class);
        json!({
            "class": class.class,
            "n": class.n,
            "precision": optional(class.precision),
            "recall": optional(class.recall),
            "f1": optional(class.f1),
            "roc_area": optional(roc),
            "average_precision": optional(pr),
        })
    });
    all["by_class"] = classes.collect::<Vec<_>>().into();
    all["roc_area"] = value(&report.by_class.roc_area).unwrap_or_default();
    all["average_precision"] = value(&report.by_class.average_precision).unwrap_or_default();
    all
}
