//! `evaluate --quality` and `--generated`: samples, or images of a folder, compared with data.

use std::path::Path;

use ancestral::evaluate::{
    COPYING_LIMIT, Copying, DENSITY_NEIGHBORS, PRECISION_NEIGHBORS, Quality,
};
use ancestral::report::{self, Nearest};
use ancestral::run::{
    DataQuery, DistanceReport, ImageFolder, LEAST_SAMPLES, ModesReport, QualityReport, QualitySpec,
    Weights, WeightsQuality,
};
use ancestral_data::SplitName;
use anyhow::Result;
use serde_json::json;

use crate::args::EvaluateArgs;
use crate::inputs;
use crate::inputs::About;
use crate::output::{self, say, shown, usage};
use crate::progress::{self, ProgressReporter};

/// Says so if the model of `--features` is older than its checkpoint.
fn say_behind(args: &EvaluateArgs) -> Result<()> {
    args.features.as_ref().map_or(Ok(()), |features| inputs::say_behind(features, args.output))
}

/// The samples of a run compared with a split of its data.
pub(crate) fn of_run(args: &EvaluateArgs, path: &Path, data_dir: Option<&Path>) -> Result<()> {
    let split = inputs::split(&args.split)?;
    if args.samples_count < LEAST_SAMPLES {
        return Err(usage(format!(
            "--samples-count {}: the nearest-neighbor metrics need at least {LEAST_SAMPLES} samples",
            args.samples_count
        )));
    }
    check_nearest(args)?;
    say_behind(args)?;
    let mut watch = ProgressReporter::new(args.output);
    let mut session = progress::session(data_dir, &mut watch);
    let weights = args.weights.as_deref().map(inputs::weights).transpose()?;
    if weights.is_none_or(|weights| weights == Weights::Best) {
        inputs::say_behind(path, args.output)?;
    }
    let runs = session.load_weights(path, weights)?;
    let spec = spec(args, split)?;
    if let Some(found) = session.modes(&runs, &spec)? {
        for (given, flag) in [
            (args.features.is_some(), "--features"),
            (args.nearest.is_some(), "--nearest"),
            (args.limit.is_some(), "--limit"),
        ] {
            if given {
                return Err(usage(format!(
                    "{flag}: samples of {} are evaluated by the modes that they cover; leave it out",
                    found.data
                )));
            }
        }
        return print_modes(args, path, &found);
    }
    let model = runs.first().map_or("", |(_, run)| run.model().name());
    if let Some(found) = session.distances(&runs, &spec).about("data of", path.display())? {
        watch.finish();
        if args.nearest.is_some() {
            return Err(usage(format!(
                "--nearest: no feature network fits {}; leave it out",
                found.data
            )));
        }
        return print_distances(args, (path, model), &found);
    }
    let found = session.quality(&runs, &spec).about("data of", path.display())?;
    watch.finish();
    let near = nearest(args, &found)?;
    if args.output.json {
        return output::json(&json!({
            "model": model, "run": shown(path), "data": found.data, "split": split.as_str(),
            "binarize": found.binarize, "mean": args.mean, "seed": args.seed,
            "network": found.network, "network_trained_on": found.network_trained_on,
            "samples": found.samples, "data_itself": found.data_itself, "nearest": near,
        }));
    }
    let what = format!(
        "{} {} of {} ({model})",
        args.samples_count,
        if args.mean { "means of the last conditional" } else { "samples" },
        path.display(),
    );
    let name = |of: &WeightsQuality| format!("{} weights (step {})", of.weights, of.step);
    print(args, &what, &found, near.as_ref(), &name)
}

/// The images of a folder compared with those of a data set.
pub(crate) fn of_folder(args: &EvaluateArgs, folder: &Path, data_dir: Option<&Path>) -> Result<()> {
    let split = inputs::split(&args.split)?;
    check_nearest(args)?;
    say_behind(args)?;
    let mut watch = ProgressReporter::new(args.output);
    let mut session = progress::session(data_dir, &mut watch);
    let images = ImageFolder {
        path: folder,
        gray: args.gray,
        background: args.background.as_deref().map(inputs::background).transpose()?,
    };
    let found = session
        .folder_quality(&images, &spec(args, split)?)
        .about("--generated", folder.display())?;
    watch.finish();
    let near = nearest(args, &found)?;
    let quality = found.samples.first().map(|of| &of.quality);
    if args.output.json {
        return output::json(&json!({
            "generated": shown(folder), "data": found.data,
            "split": found.split.map_or("all", SplitName::as_str),
            "seed": args.seed, "network": found.network,
            "network_trained_on": found.network_trained_on, "quality": quality, "nearest": near,
        }));
    }
    let n = output::count(quality.map_or(0, |quality| quality.n), "image");
    let what = format!("{n} of {}", folder.display());
    print(args, &what, &found, near.as_ref(), &|_| "images".to_owned())
}

fn spec(args: &EvaluateArgs, split: SplitName) -> Result<QualitySpec> {
    Ok(QualitySpec {
        count: args.samples_count,
        seed: args.seed,
        mean: args.mean,
        reference: DataQuery {
            data: args.data.clone(),
            split: Some(split),
            limit: args.limit.map(|n| n.get()),
            reading: inputs::reading(&args.tables)?,
        },
        network: args.features.clone(),
    })
}

fn check_nearest(args: &EvaluateArgs) -> Result<()> {
    match &args.nearest {
        Some(out) if out.extension().is_none_or(|e| !e.eq_ignore_ascii_case("png")) => {
            Err(usage(format!("--nearest {}: the name must end in .png", out.display())))
        }
        Some(out) => {
            let given = args.data.as_deref().map(std::path::Path::new);
            output::check_target("--nearest", out, &[given, args.run.as_deref()])
        }
        None => Ok(()),
    }
}

/// Draws the samples with their nearest training examples, if --nearest is given.
fn nearest(args: &EvaluateArgs, found: &QualityReport) -> Result<Option<Nearest>> {
    let Some(out) = &args.nearest else { return Ok(None) };
    let (image, nearest) = report::nearest_examples(&found.values, &found.reference, &found.train)?;
    image.save_png(out)?;
    Ok(Some(nearest))
}

fn print(
    args: &EvaluateArgs,
    what: &str,
    found: &QualityReport,
    near: Option<&Nearest>,
    name: &dyn Fn(&WeightsQuality) -> String,
) -> Result<()> {
    if args.output.quiet {
        let first = found.samples.first();
        return first.map_or(Ok(()), |first| say!("{}", first.quality.frechet_distance));
    }
    let part = found.split.map_or("all examples".to_owned(), |split| format!("{split} split"));
    say!(
        "{what} compared with {} examples of {}, {part}, binarization {}",
        found.n_reference,
        found.data,
        found.binarize
    )?;
    say!(
        "features of {}, a classifier trained on {}; seed {}",
        found.network,
        found.network_trained_on,
        args.seed
    )?;
    let mut columns: Vec<(String, &Quality)> =
        found.samples.iter().map(|of| (name(of), &of.quality)).collect();
    if let Some(quality) = &found.data_itself {
        columns.push((format!("{} {} examples", quality.n, SplitName::Valid), quality));
    }
    table(&found.network, &columns)?;
    if let (Some(near), Some(out)) = (near, &args.nearest) {
        say!("{}", sentence(near))?;
        output::wrote(args.output, out)?;
    }
    Ok(())
}

fn sentence(near: &Nearest) -> String {
    let reference = near.reference_median.map_or(String::new(), |median| {
        format!(", {median:.3} of {} reference examples", near.n_reference)
    });
    format!(
        "nearest training example, pixels in [0, 1]: median distance {:.3} of {} \
         samples{reference}; exact copies: {}",
        near.median, near.n, near.copies
    )
}

fn with_error(value: f64, error: Option<f64>) -> String {
    match error {
        Some(error) => format!("{value:.4} ± {error:.4}"),
        None => format!("{value:.4}"),
    }
}

fn print_distances(
    args: &EvaluateArgs,
    (path, model): (&Path, &str),
    found: &DistanceReport,
) -> Result<()> {
    let training = found.training.as_ref();
    if args.output.json {
        return output::json(&json!({
            "model": model, "run": shown(path), "data": found.data, "split": found.split.as_str(),
            "seed": args.seed, "n_reference": found.n_reference, "samples": found.samples,
            "training": training.map(|t| json!({"value": t.value, "stderr": t.stderr})),
        }));
    }
    for of in &found.samples {
        if args.output.quiet {
            say!("{}", of.energy_distance)?;
            continue;
        }
        say!(
            "energy distance {} between {} samples of {} ({model}, {} weights, step {}) and {} examples of \
             {}, {} split (0 if equal in distribution, 1 at most)",
            with_error(of.energy_distance, of.energy_stderr),
            of.n,
            path.display(),
            of.weights,
            of.step,
            found.n_reference,
            found.data,
            found.split.as_str(),
        )?;
    }
    match training {
        Some(t) if !args.output.quiet => {
            say!("training examples in the place of samples: {}", with_error(t.value, t.stderr))
        }
        _ => Ok(()),
    }
}

fn print_modes(args: &EvaluateArgs, path: &Path, found: &ModesReport) -> Result<()> {
    if args.output.json {
        return output::json(&json!({
            "run": shown(path), "data": found.data, "seed": args.seed, "std": found.std,
            "samples": found.samples,
        }));
    }
    for of in &found.samples {
        let m = &of.modes;
        if args.output.quiet {
            say!("{}", m.found)?;
            continue;
        }
        say!(
            "{} of {} modes of {} found by {} samples of {} ({} weights, step {}); {:.2} % are of \
             high quality (within 3 standard deviations, {:.3} each, of the nearest mode)",
            m.found,
            m.modes,
            found.data,
            m.n,
            path.display(),
            of.weights,
            of.step,
            100.0 * m.good,
            found.std
        )?;
    }
    Ok(())
}

/// Prints the metrics side by side, each named after its network.
fn table(network: &str, columns: &[(String, &Quality)]) -> Result<()> {
    let (near, far) = (PRECISION_NEIGHBORS, DENSITY_NEIGHBORS);
    type Cell<'a> = Box<dyn Fn(&Quality) -> Option<String> + 'a>;
    let rows: Vec<(String, Cell<'_>)> = vec![
        (
            format!("Fréchet distance ({network})"),
            Box::new(|q| {
                Some(match q.frechet_stderr {
                    Some(error) => format!("{:.3} ± {error:.3}", q.frechet_distance),
                    None => format!("{:.3}", q.frechet_distance),
                })
            }),
        ),
        (
            format!("Fréchet distance to training examples ({network})"),
            Box::new(|q| Some(format!("{:.3}", q.frechet_distance_train?))),
        ),
        (
            format!("nearer to training than held-out examples are ({network})"),
            Box::new(|q| {
                let found = q.copying?;
                Some(match found.p_value {
                    // It is below the smallest number.
                    0.0 => format!("{:.3}, p < 1e-300", found.nearer),
                    p => format!("{:.3}, p = {}", found.nearer, output::digits(p, 2)),
                })
            }),
        ),
        (
            "farther from training examples than 99.9 % of held-out ones".to_owned(),
            Box::new(|q| {
                let found = q.noise?;
                let (share, stderr) = (100.0 * found.share, 100.0 * found.stderr);
                Some(format!("{share:.2} ± {stderr:.2} %"))
            }),
        ),
        (
            format!("kernel distance ({network})"),
            Box::new(|q| Some(with_error(q.kernel_distance?, q.kernel_stderr))),
        ),
        (
            format!("precision ({network}, k = {near})"),
            Box::new(|q| Some(format!("{:.4}", q.coverage.precision))),
        ),
        (
            format!("recall ({network}, k = {near})"),
            Box::new(|q| Some(format!("{:.4}", q.coverage.recall))),
        ),
        (
            format!("density ({network}, k = {far})"),
            Box::new(|q| Some(format!("{:.4}", q.coverage.density))),
        ),
        (
            format!("coverage ({network}, k = {far})"),
            Box::new(|q| Some(format!("{:.4}", q.coverage.coverage))),
        ),
        (
            format!("classifier score ({network})"),
            Box::new(|q| Some(format!("{:.3}", q.classifier_score))),
        ),
        (
            format!("class agreement ({network})"),
            Box::new(|q| Some(with_error(q.class_agreement?, q.class_agreement_stderr))),
        ),
        (
            format!("code agreement, best assignment ({network})"),
            Box::new(|q| Some(format!("{:.4}", q.code_agreement?))),
        ),
        (format!("classes found ({network})"), Box::new(|q| Some(q.classes_found.to_string()))),
    ];
    let widths: Vec<usize> = columns.iter().map(|(title, _)| title.len().max(17)).collect();
    let wide = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let line = |name: &str, cells: Vec<String>| {
        let cells: String =
            cells.iter().zip(&widths).map(|(cell, &width)| format!("  {cell:>width$}")).collect();
        say!("{name:<wide$}{cells}")
    };
    line("", columns.iter().map(|(title, _)| title.clone()).collect())?;
    for (name, cell) in &rows {
        let cells: Vec<Option<String>> = columns.iter().map(|(_, q)| cell(q)).collect();
        if cells.iter().any(Option::is_some) {
            line(name, cells.into_iter().map(|c| c.unwrap_or_else(|| "-".to_owned())).collect())?;
        }
    }
    for (title, q) in columns {
        if q.copying.as_ref().is_some_and(Copying::found) {
            say!(
                "{title}: training examples are repeated, since samples lie nearer to them than \
                 held-out examples do (p < {COPYING_LIMIT}); the other metrics do not see copies"
            )?;
        }
    }
    let Some((_, q)) = columns.first() else { return Ok(()) };
    say!("classifier score of the {} reference examples: {:.3}", q.n_reference, q.reference_score)?;
    let (fewer, more) = (q.n.min(q.n_reference), q.n.max(q.n_reference));
    if more > 2 * fewer {
        say!(
            "{} samples and {} reference examples: recall and coverage rise with the number of \
             samples, and the Fréchet distance falls with both numbers; compare at equal numbers",
            q.n,
            q.n_reference
        )?;
    }
    Ok(())
}
