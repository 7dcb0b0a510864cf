//! `evaluate --quality` and `--generated`: samples, or pictures of a folder, beside the data.

use std::path::{Path, PathBuf};

use ancestral::evaluate::{
    self, DENSITY_NEIGHBOURS, Drawn, Modes, Network, PRECISION_NEIGHBOURS, Quality, Rows,
};
use ancestral::model::{Classified, Model, SampleRequest};
use ancestral_data::{Binarize, Dataset, Domain, Examples, OpenOptions, SplitName, Values};
use ancestral_plot::Image;
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::EvaluateArgs;
use crate::inputs::{self, Loaded};
use crate::output::{self, say, usage};

/// Examples of which the nearest training example is looked for.
const LOOKED_AT: usize = 1000;
/// Pairs of the picture of nearest examples, and how many stand side by side.
const PAIRS: usize = 32;
const ACROSS: usize = 16;
/// What the neighbours of density and coverage take, which is most.
const LEAST: usize = DENSITY_NEIGHBOURS + 1;

/// The samples of a run beside a split of its data.
pub(crate) fn of_run(args: &EvaluateArgs, run: &Path, data_dir: Option<&Path>) -> Result<()> {
    let split: SplitName = args.split.parse().map_err(|e| usage(format!("--split: {e}")))?;
    if args.samples_count < LEAST {
        return Err(usage(format!(
            "--samples-count {}: the nearest neighbours of samples take at least {LEAST}",
            args.samples_count
        )));
    }
    check_nearest(args)?;
    let runs = weights(args, run)?;
    let (_, first) = runs.first().context("a run has weights")?;
    let spec = first.model.data().clone();
    let Some(sampler) = first.model.sampler() else {
        return Err(usage(format!("{} cannot draw examples", first.model.name())));
    };
    if args.mean {
        inputs::check_mean(sampler, first.model.name())?;
    }
    let (examples, data) = reference_examples(args, first, split, data_dir)
        .with_context(|| format!("data of {}", run.display()))?;
    let examples = limited(args, examples);
    if let Some(mixture) = ancestral_data::modes(&data.name) {
        for (given, flag) in [
            (args.features.is_some(), "--features"),
            (args.nearest.is_some(), "--nearest"),
            (args.limit.is_some(), "--limit"),
        ] {
            if given {
                return Err(usage(format!(
                    "{flag}: samples of {} are measured by the modes that they find; leave it out",
                    data.name
                )));
            }
        }
        return modes_of_run(args, run, &runs, &data, &mixture);
    }
    if spec.shape.as_image().is_none() && args.features.is_none() {
        return Err(usage(format!(
            "--quality measures pictures by the features of a network, and the modes of rings and \
             grids; {} has rows of {}, so give a network for them with --features",
            data.name, spec.shape
        )));
    }
    let loaded = network(args, &first.run.config.data.name, &data)?;
    let name = network_name(&loaded);
    let network = Network::new(&name, loaded.model.as_ref())?;
    network.check("the samples", spec.domain().unwrap_or(Domain::Real), &spec.shape)?;
    let train = Examples::new(&data, SplitName::Train, examples.binarize(), first.run.config.seed)?;
    let indices: Vec<u64> = (0..examples.len() as u64).collect();
    let bar = output::bar(args.output, indices.len() as u64, "reference");
    let reference =
        network.see_examples(&examples, &indices, &mut |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let mut found = Vec::new();
    let mut near = None;
    for (weights, loaded) in &runs {
        let model = loaded.model.as_ref();
        let (drawn, quality) = measure(args, &network, &examples, &reference, model)?;
        if let (Some(out), None) = (&args.nearest, &near) {
            near = Some(nearest(out, &drawn.values, &examples, &train)?);
        }
        found.push(Measured { weights, step: loaded.info.step, quality });
    }
    let data_itself = data_itself(args, &network, &data, &examples, &reference)?;
    let trained_on = &loaded.run.config.data.name;
    if args.output.json {
        return output::json(&json!({
            "model": first.model.name(), "run": run, "data": data.name, "split": split.as_str(),
            "binarize": examples.binarize().as_str(), "mean": args.mean, "seed": args.seed,
            "network": name,
            "network_trained_on": trained_on, "samples": found, "data_itself": data_itself.as_ref().map(|(_, quality)| quality),
            "nearest": near,
        }));
    }
    if args.output.quiet {
        return say!("{}", found[0].quality.frechet_distance);
    }
    say!(
        "{} {} of {} ({}) beside {} examples of {}, {split} split, binarisation {}",
        args.samples_count,
        if args.mean { "means of the last conditional" } else { "samples" },
        run.display(),
        first.model.name(),
        examples.len(),
        data.name,
        examples.binarize()
    )?;
    say!("features of {name}, a classifier trained on {trained_on}; seed {}", args.seed)?;
    let mut columns: Vec<(String, &Quality)> = found
        .iter()
        .map(|m| (format!("{} weights (step {})", m.weights, m.step), &m.quality))
        .collect();
    columns.extend(data_itself.as_ref().map(|(title, q)| (title.clone(), q)));
    table(&name, &columns)?;
    if let (Some(near), Some(out)) = (&near, &args.nearest) {
        say!("{}", near.sentence())?;
        output::wrote(args.output, out)?;
    }
    Ok(())
}

/// The pictures of a folder beside those of a data set.
pub(crate) fn of_folder(args: &EvaluateArgs, folder: &Path, data_dir: Option<&Path>) -> Result<()> {
    let split: SplitName = args.split.parse().map_err(|e| usage(format!("--split: {e}")))?;
    check_nearest(args)?;
    let shown = folder.display();
    if !folder.is_dir() {
        return Err(usage(format!("--generated {shown}: no such folder")));
    }
    let name = args.data.as_deref().unwrap_or_default();
    let known = ancestral_data::list(None).iter().any(|set| set.name == name);
    let folder_given = !known && Path::new(name).is_dir();
    let background = args.background.as_deref().map(inputs::background).transpose()?;
    let options = OpenOptions {
        data_dir: data_dir.map(Path::to_path_buf),
        whole: true,
        grey: args.grey && folder_given,
        background: background.filter(|_| folder_given),
        ..OpenOptions::default()
    };
    let data = ancestral_data::open(name, &options)?;
    if data.shape.as_image().is_none() {
        return Err(usage(format!("--data {name}: examples of {} are no images", data.shape)));
    }
    // A path, whatever its name.
    let path = folder.canonicalize().with_context(|| format!("--generated {shown}"))?;
    let options =
        OpenOptions { whole: true, grey: args.grey, background, ..OpenOptions::default() };
    let pictures = ancestral_data::open(&path.display().to_string(), &options)
        .with_context(|| format!("--generated {shown}"))?;
    if pictures.shape != data.shape {
        let colour = pictures.shape.dims().first() > data.shape.dims().first();
        let hint = if colour { " (--grey drops their colour)" } else { "" };
        return Err(usage(format!(
            "--generated {shown}: its pictures are {}{hint} and those of {} are {} (channels × \
             height × width); they must be the same",
            pictures.shape, data.name, data.shape
        )));
    }
    let values = all_values(&pictures)?;
    let n = values.len() / pictures.shape.size();
    if n < LEAST {
        return Err(usage(format!(
            "--generated {shown}: {n} pictures, and the nearest neighbours of pictures take at \
             least {LEAST}"
        )));
    }
    // A set without splits is measured against as a whole.
    let whole = data.split(SplitName::Test).is_err();
    let split = if whole { SplitName::Train } else { split };
    let part = if whole { "all of it" } else { &format!("{split} split") };
    let examples = limited(args, Examples::new(&data, split, Binarize::None, args.seed)?);
    let loaded = network(args, name, &data)?;
    let network_name = network_name(&loaded);
    let network = Network::new(&network_name, loaded.model.as_ref())?;
    network.check("the pictures", pictures.domain, &pictures.shape)?;
    let indices: Vec<u64> = (0..examples.len() as u64).collect();
    let reference = network.see_examples(&examples, &indices, &mut |_| {})?;
    let seen = network.see(&values, pictures.domain, &pictures.shape)?;
    let quality = evaluate::quality(&network, &seen, None, &reference, args.seed)?;
    let near = match &args.nearest {
        None => None,
        Some(out) => {
            let train = Examples::new(&data, SplitName::Train, Binarize::None, args.seed)?;
            let values = rescaled(values, pictures.domain, data.domain);
            Some(nearest(out, &values, &examples, &train)?)
        }
    };
    if args.output.json {
        return output::json(&json!({
            "generated": folder, "data": data.name, "split": if whole { "all" } else { split.as_str() },
            "seed": args.seed, "network": network_name,
            "network_trained_on": loaded.run.config.data.name, "quality": quality, "nearest": near,
        }));
    }
    if args.output.quiet {
        return say!("{}", quality.frechet_distance);
    }
    say!("{n} pictures of {shown} beside {} examples of {}, {part}", examples.len(), data.name)?;
    let trained_on = &loaded.run.config.data.name;
    say!("features of {network_name}, a classifier trained on {trained_on}; seed {}", args.seed)?;
    table(&network_name, &[("pictures".to_owned(), &quality)])?;
    if let (Some(near), Some(out)) = (&near, &args.nearest) {
        say!("{}", near.sentence())?;
        output::wrote(args.output, out)?;
    }
    Ok(())
}

/// What examples that no model made get in the place of the samples: those of validation, since a
/// network sees what it was trained on with other eyes, and test data is read for no other split.
fn data_itself(
    args: &EvaluateArgs,
    network: &Network<'_>,
    data: &Dataset,
    examples: &Examples,
    reference: &Classified,
) -> Result<Option<(String, Quality)>> {
    let split = SplitName::Valid;
    if examples.split_name() == split {
        return Ok(None);
    }
    let Ok(others) = Examples::new(data, split, examples.binarize(), args.seed) else {
        return Ok(None);
    };
    let others = others.first(args.samples_count);
    if others.len() < LEAST {
        return Ok(None);
    }
    let indices: Vec<u64> = (0..others.len() as u64).collect();
    let seen = network.see_examples(&others, &indices, &mut |_| {})?;
    let quality = evaluate::quality(network, &seen, None, reference, args.seed)?;
    Ok(Some((format!("{} {split} examples", others.len()), quality)))
}

/// What the samples of a run stand beside: examples as the model was given them, but grey beside
/// means.
fn reference_examples(
    args: &EvaluateArgs,
    loaded: &Loaded,
    split: SplitName,
    data_dir: Option<&Path>,
) -> Result<(Examples, Dataset)> {
    let (mut examples, data) = loaded.examples(args.data.as_deref(), Some(split), data_dir)?;
    if args.mean {
        examples = Examples::new(&data, split, Binarize::None, loaded.run.config.seed)?;
        if examples.domain() == Domain::Binary {
            return Err(usage(format!(
                "--mean: {} has black and white alone, beside which means are not measured",
                data.name
            )));
        }
    }
    Ok((examples, data))
}

fn request(args: &EvaluateArgs) -> SampleRequest {
    SampleRequest { mean: args.mean, ..SampleRequest::new(args.samples_count, args.seed) }
}

/// Samples of a model, in the values of the examples, and their figures.
fn measure(
    args: &EvaluateArgs,
    network: &Network<'_>,
    examples: &Examples,
    reference: &Classified,
    model: &dyn Model,
) -> Result<(Drawn, Quality)> {
    let bar = output::bar(args.output, args.samples_count as u64, "drawing");
    let mut drawn = evaluate::draw(model, &request(args), &mut |done| {
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let data = model.data();
    if let (Some(from), Some(to)) =
        (output::domain(model).max_level(), examples.domain().max_level())
        && from != to
    {
        let factor = to as f32 / from as f32;
        drawn.values.iter_mut().for_each(|value| *value = (*value as f32 * factor).into());
    }
    let seen = network.see(&drawn.values, examples.domain(), &data.shape)?;
    let asked = drawn.asked().filter(|a| a.codes > 0 || network.classes() == data.classes);
    let quality = evaluate::quality(network, &seen, asked, reference, args.seed)?;
    Ok((drawn, quality))
}

/// The figures of a run's best and last weights beside the test split, by the zoo's network.
pub(crate) fn figures(
    args: &EvaluateArgs,
    run: &Path,
    data_dir: Option<&Path>,
) -> Result<Vec<(String, Quality)>> {
    let runs = weights(args, run)?;
    let (_, first) = runs.first().context("a run has weights")?;
    let (examples, data) = reference_examples(args, first, SplitName::Test, data_dir)?;
    let loaded = network(args, &first.run.config.data.name, &data)?;
    let name = network_name(&loaded);
    let network = Network::new(&name, loaded.model.as_ref())?;
    let indices: Vec<u64> = (0..examples.len() as u64).collect();
    let reference = network.see_examples(&examples, &indices, &mut |_| {})?;
    let of = |(weights, loaded): &(&str, Loaded)| {
        let (_, quality) = measure(args, &network, &examples, &reference, loaded.model.as_ref())?;
        Ok(((*weights).to_owned(), quality))
    };
    runs.iter().map(of).collect()
}

/// The figures of some weights.
#[derive(Serialize)]
struct Measured<'a> {
    weights: &'a str,
    step: u64,
    #[serde(flatten)]
    quality: Quality,
}

/// The weights that were asked for; else the best, and the last where they are others.
fn weights<'a>(args: &'a EvaluateArgs, run: &Path) -> Result<Vec<(&'a str, Loaded)>> {
    if let Some(weights) = &args.weights {
        return Ok(vec![(weights, inputs::load(run, weights)?)]);
    }
    let best = inputs::load(run, "best")?;
    let mut all = vec![("best", best)];
    // A packed run keeps no others.
    if run.join("last.safetensors").exists() {
        let last = inputs::load(run, "last")?;
        if last.info.step != all[0].1.info.step {
            all.push(("last", last));
        }
    }
    if !all[0].1.info.best {
        all[0].0 = "last";
    }
    Ok(all)
}

fn limited(args: &EvaluateArgs, examples: Examples) -> Examples {
    match args.limit {
        Some(n) => examples.first(n.get()),
        None => examples,
    }
}

/// The figures side by side, each under the name of its network.
fn table(network: &str, columns: &[(String, &Quality)]) -> Result<()> {
    let with_error = |value: f64, error: Option<f64>| match error {
        Some(error) => format!("{value:.4} ± {error:.4}"),
        None => format!("{value:.4}"),
    };
    let (near, far) = (PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS);
    type Cell<'a> = Box<dyn Fn(&Quality) -> Option<String> + 'a>;
    let rows: Vec<(String, Cell<'_>)> = vec![
        (
            format!("Fréchet distance ({network})"),
            Box::new(|q| Some(format!("{:.3}", q.frechet_distance))),
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
            format!("class as asked for ({network})"),
            Box::new(|q| Some(with_error(q.class_agreement?, q.class_agreement_stderr))),
        ),
        (
            format!("code as class, best assignment ({network})"),
            Box::new(|q| Some(format!("{:.4}", q.code_agreement?))),
        ),
        (format!("classes drawn ({network})"), Box::new(|q| Some(q.classes_found.to_string()))),
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
    let Some((_, q)) = columns.first() else { return Ok(()) };
    say!(
        "classifier score of the {} reference examples themselves: {:.3}",
        q.n_reference,
        q.reference_score
    )?;
    let (fewer, more) = (q.n.min(q.n_reference), q.n.max(q.n_reference));
    if more > 2 * fewer {
        say!(
            "{} beside {}: recall and coverage rise with the number of samples, and the Fréchet \
             distance falls with both numbers; compare at equal ones",
            q.n,
            q.n_reference
        )?;
    }
    Ok(())
}

/// The network that was asked for, or the zoo's for this data.
fn network(args: &EvaluateArgs, asked: &str, data: &Dataset) -> Result<Loaded> {
    let path = match &args.features {
        Some(path) => path.clone(),
        None => default_network(&data.name).ok_or_else(|| {
            let how = if data.classes() < 2 {
                format!(
                    "it has no labels to train one on, so give with --features one that was trained \
                     on labelled examples of {}",
                    data.shape
                )
            } else {
                format!(
                    "train one with `ancestral train features --data {asked}` and give its run with \
                     --features"
                )
            };
            usage(format!("no network for the features of {} is here; {how}", data.name))
        })?,
    };
    inputs::load(&path, "best")
}

/// `zoo/features-…` for data of a known kind, in this folder or beside the program.
pub(crate) fn default_network(data: &str) -> Option<PathBuf> {
    let name = match data {
        "digits" => "features-digits",
        "mnist" | "binarized-mnist" => "features-mnist",
        "fashion-mnist" => "features-fashion",
        _ => return None,
    };
    let program = std::env::current_exe().unwrap_or_default();
    // The program of a checkout lies two folders below it.
    let beside = program.ancestors().skip(1).take(3).map(Path::to_path_buf);
    let folders = std::iter::once(PathBuf::new()).chain(beside);
    folders.map(|f| f.join("zoo").join(name)).find(|p| p.join("config.toml").exists())
}

/// What the network is called: its folder.
pub(crate) fn network_name(loaded: &Loaded) -> String {
    let path = loaded.run.path().canonicalize().unwrap_or_else(|_| loaded.run.path().to_owned());
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The modes that the samples of a run find.
fn modes_of_run(
    args: &EvaluateArgs,
    run: &Path,
    runs: &[(&str, Loaded)],
    data: &Dataset,
    mixture: &ancestral_data::Modes,
) -> Result<()> {
    let mut found: Vec<(&str, u64, Modes)> = Vec::new();
    for (weights, loaded) in runs {
        let model = loaded.model.as_ref();
        let Drawn { values, .. } = evaluate::draw(model, &request(args), &mut |_| {})?;
        let values = output::singles(&values);
        let rows = Rows::new(&values, 2, "samples")?;
        let modes = evaluate::modes(rows, &mixture.centres, mixture.std)?;
        found.push((weights, loaded.info.step, modes));
    }
    if args.output.json {
        let list: Vec<Value> = found
            .iter()
            .map(|(weights, step, modes)| json!({ "weights": weights, "step": step, "modes": modes }))
            .collect();
        return output::json(&json!({
            "run": run, "data": data.name, "seed": args.seed, "std": mixture.std, "samples": list,
        }));
    }
    for (weights, step, m) in &found {
        if args.output.quiet {
            say!("{}", m.found)?;
            continue;
        }
        say!(
            "{} of {} modes of {} found by {} samples of {} ({weights} weights, step {step}); \
             {:.2} % are good (within 3 deviations of {:.3} of the nearest mode)",
            m.found,
            m.modes,
            data.name,
            m.n,
            run.display(),
            100.0 * m.good,
            mixture.std
        )?;
    }
    Ok(())
}

/// How far samples are from the nearest training example, in pixels of [0, 1].
#[derive(Serialize)]
struct Nearest {
    n: usize,
    median: f64,
    n_reference: usize,
    /// Of the reference, unless that is the training examples themselves.
    reference_median: Option<f64>,
    /// Samples that are training examples.
    copies: usize,
}

impl Nearest {
    fn sentence(&self) -> String {
        let reference = self.reference_median.map_or(String::new(), |median| {
            format!(", {median:.3} of {} reference examples", self.n_reference)
        });
        format!(
            "nearest training example, pixels in [0, 1]: median distance {:.3} of {} \
             samples{reference}; {} samples are exact copies",
            self.median, self.n, self.copies
        )
    }
}

fn check_nearest(args: &EvaluateArgs) -> Result<()> {
    match &args.nearest {
        Some(out) if out.extension().is_none_or(|e| !e.eq_ignore_ascii_case("png")) => {
            Err(usage(format!("--nearest {}: the name must end in .png", out.display())))
        }
        _ => Ok(()),
    }
}

/// Draws some samples above their nearest training examples, and measures how near more of them are.
fn nearest(out: &Path, values: &[f64], reference: &Examples, train: &Examples) -> Result<Nearest> {
    let shape = train.shape();
    let Some(image) = shape.as_image() else {
        return Err(usage(format!("--nearest: examples of {shape} are no images")));
    };
    let size = shape.size();
    let unit = 1.0 / train.domain().max_level().unwrap_or(1) as f32;
    let all = |examples: &Examples, chosen: &[u64]| -> Vec<f32> {
        examples.batch(chosen, 0).values.iter().map(|&v| v as f32 * unit).collect()
    };
    // Spread, since classes may come one after another.
    let spread = |n: usize, of: usize| (0..n.min(of)).map(move |i| i * of / n.min(of));
    let n = values.len() / size;
    let rows: Vec<f32> = spread(LOOKED_AT, n)
        .flat_map(|i| values[i * size..(i + 1) * size].iter().map(|&v| v as f32 * unit))
        .collect();
    let known = all(train, &(0..train.len() as u64).collect::<Vec<_>>());
    let others: Vec<u64> = spread(LOOKED_AT, reference.len()).map(|i| i as u64).collect();
    let others = all(reference, &others);
    let known_rows = Rows::new(&known, size, "training examples")?;
    let found = evaluate::nearest(Rows::new(&rows, size, "samples")?, known_rows, 1)?;
    let of_others = evaluate::nearest(Rows::new(&others, size, "reference")?, known_rows, 1)?;
    let median = |found: &[Vec<evaluate::Neighbour>]| {
        let mut all: Vec<f64> = found.iter().flatten().map(|n| n.distance).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(0.0)
    };
    let shown: Vec<usize> = spread(PAIRS, found.len()).collect();
    let mut bands = Vec::new();
    for band in shown.chunks(ACROSS) {
        // An incomplete band is filled with white.
        let white = || std::iter::repeat_n(1.0, (ACROSS - band.len()) * size);
        let mut pair: Vec<f32> = Vec::new();
        for &i in band {
            pair.extend_from_slice(&rows[i * size..(i + 1) * size]);
        }
        pair.extend(white());
        for &i in band {
            let at = found[i][0].index;
            pair.extend_from_slice(&known[at * size..(at + 1) * size]);
        }
        pair.extend(white());
        let caption = if bands.is_empty() {
            "samples above, their nearest training examples (pixel distance) below"
        } else {
            ""
        };
        bands.push((caption, output::grid(&pair, image, ACROSS)));
    }
    Image::stack(&bands).save_png(out)?;
    Ok(Nearest {
        n: found.len(),
        median: median(&found),
        n_reference: of_others.len(),
        reference_median: (reference.split_name() != SplitName::Train).then(|| median(&of_others)),
        copies: found.iter().flatten().filter(|n| n.distance == 0.0).count(),
    })
}

/// The values of every split.
fn all_values(data: &Dataset) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    for name in [SplitName::Train, SplitName::Valid, SplitName::Test] {
        match data.split(name).map(|split| &split.values) {
            Ok(Values::Bytes(v)) => all.extend(v.iter().map(|&x| f64::from(x))),
            Ok(Values::Reals(v)) => all.extend(v.iter().map(|&x| f64::from(x))),
            Err(_) => {}
        }
    }
    Ok(all)
}

/// Levels of one domain as those of another.
fn rescaled(mut values: Vec<f64>, from: Domain, to: Domain) -> Vec<f64> {
    if let (Some(from), Some(to)) = (from.max_level(), to.max_level()) {
        let factor = to as f32 / from as f32;
        values.iter_mut().for_each(|v| *v = (*v as f32 * factor).into());
    }
    values
}
