//! `cluster`: groups of rows that are near each other.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use ancestral::run::{
    Assigned, ClusterIndices, ClusterSpec, Clustered, Compared, DataRequest, DataSource, Reading,
    RunSpec, Session, Storage, Weights,
};
use ancestral::{Error, report};
use ancestral_data::write_csv;
use anyhow::Result;
use serde_json::{Value, json};

use crate::args::{AssignArgs, ClusterArgs, ClusterCommand, EpsArgs, MethodArgs};
use crate::inputs::{self, About};
use crate::json::number;
use crate::output::{self, Interrupted, digits, say, shown, usage};
use crate::progress::{self, ProgressReporter};

/// Clusters whose sizes are printed.
const SHOWN: usize = 15;

pub(crate) fn run(args: &ClusterArgs, data_dir: Option<&Path>) -> Result<()> {
    match &args.command {
        ClusterCommand::Kmeans(args) => cluster("kmeans", args, data_dir),
        ClusterCommand::Dbscan(args) => cluster("dbscan", args, data_dir),
        ClusterCommand::Hdbscan(args) => cluster("hdbscan", args, data_dir),
        ClusterCommand::Som(args) => cluster("som", args, data_dir),
        ClusterCommand::Gmm(args) => cluster("gmm", args, data_dir),
        ClusterCommand::Eps(args) => eps(args, data_dir),
        ClusterCommand::Assign(args) => assign(args, data_dir),
        ClusterCommand::Other(words) => {
            let model = words.first().cloned();
            let spec = ClusterSpec {
                run: RunSpec { model, ..RunSpec::default() },
                ..ClusterSpec::default()
            };
            Ok(Session::new().cluster(&spec).map(drop)?)
        }
    }
}

/// A range of numbers of clusters: `2..12`, both ends included.
fn range(text: &str) -> Option<Result<RangeInclusive<usize>>> {
    let (low, high) = text.split_once("..")?;
    let end = |text: &str| text.trim().trim_start_matches('=').parse::<usize>().ok();
    Some(match (end(low), end(high)) {
        (Some(low), Some(high)) if low >= 1 && high > low && high - low < 1000 => Ok(low..=high),
        _ => Err(usage(format!("{text}: write a range from low to high, as in 2..12"))),
    })
}

/// The request of the flags; settings that name files and ranges are for the request itself.
fn spec_of(
    method: &str,
    rows: &crate::args::RowsArgs,
    tables: &crate::args::TableArgs,
    shape: &crate::args::ShapeArgs,
) -> Result<ClusterSpec> {
    let (image, levels) = inputs::shape(shape)?;
    let Reading { text, no_labels } = inputs::reading(tables)?;
    let mut run = RunSpec {
        model: Some(method.to_owned()),
        data: DataRequest {
            source: DataSource::Named(rows.data.clone()),
            columns: rows.columns.clone(),
            text,
            image,
            levels,
            no_labels,
            ..DataRequest::default()
        },
        binarize: Some(inputs::binarize(&rows.binarize)?),
        seed: Some(rows.seed),
        command: output::typed(),
        ..RunSpec::default()
    };
    let mut spec = ClusterSpec {
        standardize: rows.standardize,
        encoder: rows.encode.clone(),
        identifiers: rows.identifiers.clone(),
        indices: true,
        ..ClusterSpec::default()
    };
    for text in &rows.sets {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        let is_file = |value: &str| {
            let value = value.to_ascii_lowercase();
            value.ends_with(".csv") || value.ends_with(".npy")
        };
        match key.trim() {
            "init" if method == "kmeans" && is_file(value) => {
                spec.centers = Some(PathBuf::from(value.trim()));
            }
            "n_clusters" | "n_components" | "components" if range(value).is_some() => {
                spec.range = range(value).transpose()?;
            }
            _ => run.assign(text)?,
        }
    }
    spec.run = run;
    Ok(spec)
}

fn cluster(method: &str, args: &MethodArgs, data_dir: Option<&Path>) -> Result<()> {
    let mut spec = spec_of(method, &args.rows, &args.tables, &args.shape)?;
    spec.weights.clone_from(&args.weights);
    spec.indices = !args.no_indices;
    spec.run.storage = match &args.out {
        Some(path) => Storage::Folder(path.clone()),
        None => Storage::Within("runs".into()),
    };
    if let Some(path) = &args.labels {
        output::ending("--labels", path, &["csv"])?;
        let inputs = [Some(Path::new(&args.rows.data)), spec.centers.as_deref()];
        output::check_target("--labels", path, &inputs)?;
    }
    let mut watch = ProgressReporter::new(args.output).early();
    let mut session = progress::session(data_dir, &mut watch);
    // The others have nothing to keep before their end.
    let text = match method {
        "kmeans" | "som" => {
            "stopping, and keeping what was found; press Ctrl-C again to quit without it"
        }
        _ => "stopping; press Ctrl-C again to quit at once",
    };
    let talk = !args.output.quiet && !args.output.json;
    session = session.with_stop_flag(progress::stop_on_interrupt_saying(talk, text)?);
    progress::end_at_once();
    let found = session.cluster(&spec);
    progress::keep_on();
    let found = match found {
        Err(Error::Interrupted) => {
            output::print_error_line(progress::NOTHING);
            return Err(Interrupted.into());
        }
        found => found?,
    };
    watch.finish();
    if let Some(path) = &args.labels {
        found.write_labels(path)?;
    }
    print(args, &found)?;
    if found.stopped { Err(Interrupted.into()) } else { Ok(()) }
}

/// Indices by the key of JSON, with what is printed of them.
fn indices_of(indices: &ClusterIndices) -> [(&'static str, &'static str, Option<f64>); 6] {
    [
        ("silhouette", "silhouette", indices.silhouette),
        ("davies_bouldin", "Davies–Bouldin", indices.davies_bouldin),
        ("calinski_harabasz", "Caliński–Harabasz", indices.calinski_harabasz),
        ("adjusted_rand", "adjusted Rand", indices.adjusted_rand),
        (
            "adjusted_mutual_information",
            "adjusted mutual information",
            indices.adjusted_mutual_information,
        ),
        (
            "normalized_mutual_information",
            "normalized mutual information",
            indices.normalized_mutual_information,
        ),
    ]
}

fn print(args: &MethodArgs, found: &Clustered) -> Result<()> {
    let Clustered { run, clustering, sizes, noise, indices, .. } = found;
    let path = run.path().unwrap_or(Path::new(""));
    let rows = found.rows();
    if args.output.json {
        let mut all = json!({
            "method": run.model().name(), "data": run.config.data.name, "rows": rows,
            "columns": found.matrix.columns(), "clusters": clustering.clusters, "sizes": sizes,
            "noise": noise, "run": shown(path),
            "labels": args.labels.as_deref().map(shown),
            "silhouette_rows": indices.silhouette.map(|_| indices.silhouette_rows),
        });
        for (key, _, value) in indices_of(indices) {
            all[key] = value.map(number).into();
        }
        for (name, value) in &clustering.values {
            all[*name] = number(*value);
        }
        if !found.compared.is_empty() {
            all["compared"] = found.compared.iter().map(compared).collect::<Vec<_>>().into();
        }
        all["notes"] = [run.notes(), &clustering.notes].concat().into();
        let files: Vec<String> = found.files.iter().map(|file| shown(file)).collect();
        all["files"] = files.into();
        return output::json(&all);
    }
    if !args.output.quiet {
        print_clusters(found)?;
    }
    if let Some(labels) = &args.labels {
        output::wrote(args.output, labels)?;
    }
    output::wrote(args.output, path)
}

/// ", 3 rows of noise"
fn in_noise(rows: usize) -> String {
    match rows {
        0 => String::new(),
        n => format!(", {} of noise", output::count(n, "row")),
    }
}

fn compared(one: &Compared) -> Value {
    json!({
        "clusters": one.clusters, "inertia": one.inertia.map(number),
        "silhouette": one.silhouette.map(number), "bic": one.bic.map(number),
    })
}

fn print_clusters(found: &Clustered) -> Result<()> {
    let Clustered { run, clustering, sizes, noise, indices, .. } = found;
    let rows = found.rows();
    if !found.compared.is_empty() {
        let by_bic = found.compared.iter().any(|one| one.bic.is_some());
        let name = if by_bic { "BIC" } else { "inertia" };
        say!("{:>8} {name:>12} {:>12}", "clusters", "silhouette")?;
        let cell = |value: Option<f64>| value.map_or("-".to_owned(), |value| digits(value, 5));
        for Compared { clusters, inertia, silhouette, bic } in &found.compared {
            let first = if by_bic { *bic } else { *inertia };
            say!("{clusters:>8} {:>12} {:>12}", cell(first), cell(*silhouette))?;
        }
    }
    let used = sizes.iter().filter(|&&size| size > 0).count();
    let kind = match run.model().name() {
        "som" => format!("{used} of {}", output::count(sizes.len(), "unit")),
        _ => output::count(clustering.clusters, "cluster"),
    };
    say!("{kind} of {}{}", output::count(rows, "row"), in_noise(*noise))?;
    if run.model().name() != "som" && !sizes.is_empty() {
        let shown = sizes.iter().take(SHOWN).map(usize::to_string).collect::<Vec<_>>().join(", ");
        let more = match sizes.len().saturating_sub(SHOWN) {
            0 => String::new(),
            n => format!(", and {n} more"),
        };
        say!("rows by cluster: {shown}{more}")?;
    }
    for (name, value) in &clustering.values {
        say!("{}: {}", name.replace('_', " "), digits(*value, 7))?;
    }
    for (key, name, value) in indices_of(indices) {
        let Some(value) = value else { continue };
        let of_rows = match key {
            "silhouette" if indices.silhouette_rows < rows - noise => {
                format!(" (of {} random rows)", indices.silhouette_rows)
            }
            _ => String::new(),
        };
        say!("{name}: {}{of_rows}", digits(value, 5))?;
    }
    Ok(())
}

fn eps(args: &EpsArgs, data_dir: Option<&Path>) -> Result<()> {
    let kind = output::extension(&args.out, &["png", "svg", "csv"])?;
    output::check_target("--out", &args.out, &[Some(Path::new(&args.rows.data))])?;
    let spec = spec_of("dbscan", &args.rows, &args.tables, &args.shape)?;
    let mut watch = ProgressReporter::new(args.output).early();
    progress::stop_on_interrupt(false)?;
    progress::end_at_once();
    let found = progress::session(data_dir, &mut watch).neighbor_distances(&spec)?;
    progress::keep_on();
    watch.finish();
    match kind {
        "csv" => write_csv(&args.out, &["distance".to_owned()], &found.distances)?,
        _ => {
            let name = Path::new(&found.data).file_name().map(Path::new);
            let name = name.unwrap_or(Path::new(&found.data)).display();
            let title = format!("distances to neighbors in {name}");
            report::neighbor_distances(&title, &found.distances, found.min_samples, found.bend)
                .save(&args.out)?;
        }
    }
    let rows = found.distances.len();
    let (median, largest) = (found.within(0.5), found.within(1.0));
    if args.output.json {
        return output::json(&json!({
            "data": found.data, "rows": rows, "min_samples": found.min_samples,
            "bend": number(found.bend), "median": number(median), "largest": number(largest),
            "out": shown(&args.out),
        }));
    }
    if !args.output.quiet {
        say!(
            "distances to neighbor {} of {}: median {}, largest {}",
            found.min_samples,
            output::count(rows, "row"),
            digits(median, 4),
            digits(largest, 4)
        )?;
        say!(
            "the curve bends at {}, a first guess of eps; {} would not be core rows",
            digits(found.bend, 4),
            output::count(found.beyond(found.bend), "row")
        )?;
    }
    output::wrote(args.output, &args.out)
}

fn assign(args: &AssignArgs, data_dir: Option<&Path>) -> Result<()> {
    output::ending("--labels", &args.labels, &["csv"])?;
    let inputs = [Some(Path::new(&args.data)), Some(args.run.as_path())];
    output::check_target("--labels", &args.labels, &inputs)?;
    let reading = inputs::reading(&args.tables)?;
    let mut watch = ProgressReporter::new(args.output).early();
    let mut session = progress::session(data_dir, &mut watch);
    let run = inputs::load(&session, &args.run, Weights::Best, args.output)?;
    progress::stop_on_interrupt(false)?;
    progress::end_at_once();
    let found = session.assign(&run, &args.data, &reading).about("run", args.run.display())?;
    progress::keep_on();
    watch.finish();
    found.write_labels(&args.labels)?;
    let Assigned { labels, sizes, noise, approximate, .. } = &found;
    if args.output.json {
        return output::json(&json!({
            "method": run.model().name(), "run": shown(&args.run), "rows": labels.len(),
            "clusters": sizes.len(), "sizes": sizes, "noise": noise, "approximate": approximate,
            "labels": shown(&args.labels),
        }));
    }
    if !args.output.quiet {
        if *approximate {
            output::print_error_line(
                "note: approximate: each row goes where its nearest clustered row is; with the new rows, \
                 hdbscan might find other clusters",
            );
        }
        say!(
            "assigned {} to {}{}",
            output::count(labels.len(), "row"),
            output::count(sizes.len(), "cluster"),
            in_noise(*noise)
        )?;
    }
    output::wrote(args.output, &args.labels)
}
