//! `explain`: small experiments that show a point of the field, with the figures that prove it.

use std::f64::consts::PI;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use ancestral::Registry;
use ancestral::explain::{self, Map, Reached, Saturation};
use ancestral::model::{Density, DensityOptions, Latent, Model};
use ancestral::spec::cpu;
use ancestral::train::{
    DataConfig, FORMAT, Progress, RunConfig, RunFolder, TrainConfig, Training, Weights,
};
use ancestral_data::{Binarize, Dataset, Examples, OpenOptions, SplitName, Streams};
use ancestral_plot::{Image, Plot, Series, heat};
use anyhow::{Context, Result};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::args::{ExplainArgs, Topic};
use crate::output::{self, say, usage};

pub(crate) fn run(args: &ExplainArgs, data_dir: Option<&Path>) -> Result<()> {
    let name = match args.topic {
        Topic::AeVsVae => "ae-vs-vae",
        Topic::Elbo => "elbo",
        Topic::Density => "density",
        Topic::Saturation => "saturation",
        Topic::OptimalDiscriminator => "optimal-discriminator",
        Topic::TransposedConvolution => "transposed-convolution",
    };
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("explain-{name}")));
    let trains = matches!(args.topic, Topic::AeVsVae | Topic::Elbo);
    let draws = !matches!(args.topic, Topic::Density | Topic::TransposedConvolution);
    for (given, used, flag) in [
        (args.data.is_some(), trains || args.topic == Topic::Saturation, "--data"),
        (args.epochs.is_some(), trains, "--epochs"),
        (args.seed.is_some(), draws, "--seed"),
    ] {
        if given && !used {
            return Err(usage(format!("{flag}: {name} has no use for it; leave it out")));
        }
    }
    if args.epochs == Some(0) {
        return Err(usage("--epochs 0: the models of an explanation need at least 1"));
    }
    if trains {
        // Its runs would meet those of an earlier time.
        if out.exists() {
            return Err(usage(format!(
                "{} exists already; give another folder with --out",
                out.display()
            )));
        }
    }
    std::fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let found = match args.topic {
        Topic::AeVsVae => ae_vs_vae(args, &out, data_dir)?,
        Topic::Elbo => elbo(args, &out, data_dir)?,
        Topic::Density => density(&out)?,
        Topic::Saturation => saturation(args, &out, data_dir)?,
        Topic::OptimalDiscriminator => optimal_discriminator(args, &out)?,
        Topic::TransposedConvolution => transposed_convolution(&out)?,
    };
    if args.output.json {
        return output::json(&json!({ "topic": name, "out": out, "figures": found.figures }));
    }
    if !args.output.quiet {
        for line in &found.lines {
            say!("{line}")?;
        }
    }
    for picture in &found.pictures {
        output::wrote(args.output, &out.join(picture))?;
    }
    Ok(())
}

/// What an explanation found.
struct Found {
    lines: Vec<String>,
    figures: Value,
    pictures: Vec<&'static str>,
}

/// Trains a model on the data and gives it back with the weights that validation chose.
fn trained(
    args: &ExplainArgs,
    out: &Path,
    name: &str,
    settings: &str,
    data: &Dataset,
    binarize: Binarize,
) -> Result<Box<dyn Model>> {
    let train =
        format!("epochs = {}\nlearning_rate = 2e-3\nsample_count = 0", args.epochs.unwrap_or(100));
    let config = RunConfig {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: format!("ancestral explain (its {name})"),
        model: name.to_owned(),
        preset: String::new(),
        seed: args.seed(),
        from: None,
        data: DataConfig {
            name: crate::inputs::stored_name(args.data()),
            ..DataConfig::describe(data, binarize)
        },
        settings: settings.parse()?,
        train: TrainConfig::parse(&train.parse()?)?,
    };
    let path = out.join(name);
    let run = RunFolder::create(&path, config)?;
    struct Watch(ProgressBar);
    impl ancestral::train::Observer for Watch {
        fn progress(&mut self, progress: &Progress) {
            self.0.set_position((progress.share * 1000.0) as u64);
        }
    }
    let bar = output::bar(args.output, 1000, &format!("training {name}"));
    let mut training = Training::new(run, data, &Registry::standard(), &cpu())?;
    training.train(&mut Watch(bar.clone()), &AtomicBool::new(false))?;
    bar.finish_and_clear();
    drop(training);
    Ok(RunFolder::open(&path)?.load(&Registry::standard(), &cpu(), Weights::Best)?.0)
}

fn open(args: &ExplainArgs, data_dir: Option<&Path>) -> Result<Dataset> {
    let options = OpenOptions {
        data_dir: data_dir.map(Path::to_path_buf),
        seed: args.seed(),
        ..OpenOptions::default()
    };
    let data = ancestral_data::open(args.data(), &options)?;
    if data.shape.as_image().is_none() {
        return Err(usage(format!(
            "{} holds no pictures to show; take digits or mnist",
            args.data()
        )));
    }
    Ok(data)
}

fn latent_of(model: &dyn Model) -> Result<&dyn Latent> {
    model.latent().context("the model has no codes")
}

/// Entries of the codes that are compared.
const CODE: usize = 8;

/// Draws N(0, I) through the decoders of an autoencoder and of a VAE with the same layers.
fn ae_vs_vae(args: &ExplainArgs, out: &Path, data_dir: Option<&Path>) -> Result<Found> {
    let data = open(args, data_dir)?;
    let shape = data.shape.as_image().unwrap_or([1, 1, 1]);
    let ae = format!("latent_dim = {CODE}\nhidden = [200, 200]");
    let vae = format!("latent_dims = [{CODE}]\nhidden = [[200, 200]]");
    let models = [
        ("ae", trained(args, out, "ae", &ae, &data, Binarize::None)?),
        ("vae", trained(args, out, "vae", &vae, &data, Binarize::None)?),
    ];
    let test = Examples::new(&data, SplitName::Test, Binarize::None, args.seed())?;
    let shown = test.len().min(2000);
    let batch = test.batch(&(0..shown as u64).collect::<Vec<_>>(), 0);
    let n = 100usize;
    let indices: Vec<u64> = (0..n as u64).collect();
    let codes = Streams::new(args.seed()).purpose("explain", 0).normals(&indices, CODE);
    let top = data.domain.max_level().unwrap_or(1) as f32;
    let mut pictures = Vec::new();
    let mut lines = vec![
        "The same codes, drawn from N(0, I), through both decoders (decoded.png):".to_owned(),
        "the VAE was trained so that its codes look like N(0, I); the autoencoder was not."
            .to_owned(),
    ];
    let mut figures = serde_json::Map::new();
    for (name, model) in &models {
        let latent = latent_of(model.as_ref())?;
        let greys: Vec<f32> =
            latent.decode(&codes, None)?.into_iter().map(|v| v as f32 / top).collect();
        pictures.push((*name, output::grid(&greys, shape, 10)));
        let means = latent.encode(&batch)?;
        // Codes as the decoder met them in training: for the VAE, drawn from q.
        let drawn = match latent.posterior(&batch)? {
            None => means.clone(),
            Some((means, stds)) => {
                let noise = Streams::new(args.seed()).purpose("explain codes", 0);
                let noise = noise.normals(&batch.indices, CODE);
                means.iter().zip(stds).zip(noise).map(|((m, s), e)| m + s * e).collect()
            }
        };
        let (std, correlation) = spread(&drawn);
        // The two entries that say most about the example.
        let mut entries: Vec<(f64, usize)> =
            spread(&means).0.into_iter().enumerate().map(|(i, s)| (s, i)).collect();
        entries.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (a, b) = (entries[0].1, entries[1].1);
        lines.push(format!(
            "codes of {name:<3} on {shown} test examples: standard deviations {:.2} to {:.2}, \
             largest correlation of two entries {correlation:.2}",
            std.iter().copied().fold(f64::INFINITY, f64::min),
            std.iter().copied().fold(0.0, f64::max),
        ));
        figures.insert((*name).to_owned(), json!({ "std": std, "correlation": correlation }));
        let mut plot = Plot::new(
            format!("codes of {name}, and where N(0, I) puts 95 %"),
            "first entry",
            "second entry",
        );
        for class in 0..data.classes().max(1) as u32 {
            let mine = drawn
                .chunks_exact(CODE)
                .enumerate()
                .filter(|(i, _)| batch.labels.as_ref().is_none_or(|labels| labels[*i] == class));
            let points = mine.map(|(_, z)| (f64::from(z[a]), f64::from(z[b])));
            let label = data.class_names.get(class as usize).cloned().unwrap_or_default();
            plot = plot.with(Series::points(label, points).group(class as usize));
        }
        // P(|z| < r) = 1 − e^(−r²/2).
        let radius = (-2.0 * 0.05f64.ln()).sqrt();
        let circle = (0..=200).map(|i| {
            let angle = 2.0 * PI * f64::from(i) / 200.0;
            (radius * angle.cos(), radius * angle.sin())
        });
        plot.with(Series::dashed("95 % of N(0, I)", circle))
            .equal_aspect()
            .save(out.join(format!("codes-{name}.png")))?;
    }
    Image::beside(&[
        ("autoencoder: N(0, I) decoded", pictures.remove(0).1),
        ("VAE: the same codes decoded", pictures.remove(0).1),
    ])
    .save_png(out.join("decoded.png"))?;
    Ok(Found {
        lines,
        figures: Value::Object(figures),
        pictures: vec!["codes-ae.png", "codes-vae.png", "decoded.png"],
    })
}

/// Standard deviation of each entry, and the largest correlation of two of them.
fn spread(codes: &[f32]) -> (Vec<f64>, f64) {
    let n = (codes.len() / CODE) as f64;
    let columns: Vec<Vec<f64>> = (0..CODE)
        .map(|d| {
            let column = || codes.iter().skip(d).step_by(CODE).map(|&z| f64::from(z));
            let mean = column().sum::<f64>() / n;
            column().map(|z| z - mean).collect()
        })
        .collect();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>() / n;
    let std: Vec<f64> = columns.iter().map(|c| product(c, c).sqrt()).collect();
    let mut largest = 0.0f64;
    for a in 0..CODE {
        for b in 0..a {
            largest = largest.max((product(&columns[a], &columns[b]) / (std[a] * std[b])).abs());
        }
    }
    (std, largest)
}

/// Half the side of the square of codes that is integrated, and its cells a side.
const REACH: f64 = 6.0;
const CELLS: usize = 240;
/// Examples whose gap is shown, and draws of the ELBO each.
const SHOWN: usize = 12;
const DRAWS: u64 = 160_000;

/// log p(x) integrated over a two-dimensional code, beside the ELBO and the divergence of q from
/// the true posterior.
fn elbo(args: &ExplainArgs, out: &Path, data_dir: Option<&Path>) -> Result<Found> {
    let data = open(args, data_dir)?;
    let settings = "latent_dims = [2]\nhidden = [[100]]\nlikelihood = 'bernoulli'";
    let model = trained(args, out, "vae", settings, &data, Binarize::Threshold)?;
    let latent = latent_of(model.as_ref())?;
    let density: &dyn Density = model.density().context("a VAE has a bound")?;
    let test = Examples::new(&data, SplitName::Test, Binarize::Threshold, args.seed())?;
    let indices: Vec<u64> = (0..SHOWN.min(test.len()) as u64).collect();
    let batch = test.batch(&indices, 0);
    let size = data.shape.size();

    let width = 2.0 * REACH / CELLS as f64;
    let axis: Vec<f64> = (0..CELLS).map(|i| -REACH + (i as f64 + 0.5) * width).collect();
    // From the top, as a picture is drawn.
    let cells: Vec<[f64; 2]> =
        axis.iter().rev().flat_map(|&b| axis.iter().map(move |&a| [a, b])).collect();
    let mut log_joint = vec![Vec::with_capacity(cells.len()); indices.len()];
    for part in cells.chunks(4000) {
        let codes: Vec<f32> = part.iter().flatten().map(|&z| z as f32).collect();
        let means = latent.decode(&codes, None)?;
        for (z, p) in part.iter().zip(means.chunks_exact(size)) {
            let prior = -0.5 * (z[0] * z[0] + z[1] * z[1]) - (2.0 * PI).ln();
            for (x, log_joint) in batch.values.chunks_exact(size).zip(&mut log_joint) {
                let likelihood: f64 = x
                    .iter()
                    .zip(p)
                    .map(|(&x, &p)| {
                        let p = p.clamp(1e-12, 1.0 - 1e-12);
                        if x > 0.5 { p.ln() } else { (1.0 - p).ln() }
                    })
                    .sum();
                log_joint.push(prior + likelihood);
            }
        }
    }
    let (means, stds) = latent.posterior(&batch)?.context("a VAE has a posterior")?;
    let mut sums = vec![(0.0, 0.0); indices.len()];
    for seed in 0..DRAWS {
        let options = DensityOptions::new(1, seed);
        let drawn = density.log_probability(&batch, options)?.nats;
        for (sum, x) in sums.iter_mut().zip(drawn) {
            *sum = (sum.0 + x, sum.1 + x * x);
        }
    }
    let mut lines = vec![
        "log p(x) = ELBO + KL(q(z|x) ‖ p(z|x)), in nats; log p(x) and KL are integrated over the"
            .to_owned(),
        format!("two-dimensional code, the ELBO is the mean of {DRAWS} draws of the model's own:"),
        "example   log p(x)   ELBO              KL       ELBO + KL".to_owned(),
    ];
    let mut rows = Vec::new();
    let (mut gaps, mut divergences) = (Vec::new(), Vec::new());
    let mut maps = None;
    for (i, log_joint) in log_joint.iter().enumerate() {
        let max = log_joint.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let area = width * width;
        let log_p = max + (log_joint.iter().map(|l| (l - max).exp()).sum::<f64>() * area).ln();
        let log_q: Vec<f64> = cells
            .iter()
            .map(|z| {
                let terms = [0, 1].map(|d| {
                    let (mean, std) = (f64::from(means[2 * i + d]), f64::from(stds[2 * i + d]));
                    -0.5 * ((z[d] - mean) / std).powi(2) - std.ln()
                });
                terms[0] + terms[1] - (2.0 * PI).ln()
            })
            .collect();
        let kl: f64 = log_q
            .iter()
            .zip(log_joint)
            .map(|(q, joint)| q.exp() * (q - (joint - log_p)) * area)
            .sum();
        let n = DRAWS as f64;
        let elbo = sums[i].0 / n;
        let error = ((sums[i].1 / n - elbo * elbo).max(0.0) / (n - 1.0)).sqrt();
        lines.push(format!(
            "{i:>7} {log_p:>10.3} {elbo:>10.3} ± {error:.3} {kl:>8.3} {:>11.3}",
            elbo + kl
        ));
        rows.push(json!({ "log_p": log_p, "elbo": elbo, "elbo_stderr": error, "kl": kl }));
        gaps.push((i as f64, log_p - elbo));
        divergences.push((i as f64, kl));
        maps.get_or_insert_with(|| {
            // The middle of the square, [−3, 3]².
            let middle = |map: Vec<f64>| {
                let kept: Vec<f64> = map
                    .chunks_exact(CELLS)
                    .skip(CELLS / 4)
                    .take(CELLS / 2)
                    .flat_map(|row| row[CELLS / 4..CELLS * 3 / 4].iter().copied())
                    .collect();
                heat(&kept, CELLS / 2).enlarged(4)
            };
            let posterior = middle(log_joint.iter().map(|l| (l - log_p).exp()).collect());
            (posterior, middle(log_q.iter().map(|l| l.exp()).collect()))
        });
    }
    Plot::new("what the ELBO lacks is a KL", "test example", "nats")
        .with(Series::bars("KL(q(z|x) ‖ p(z|x)), integrated", divergences))
        .with(Series::points("log p(x) − ELBO", gaps))
        .save(out.join("gap.png"))?;
    let (posterior, q) = maps.context("the test split is empty")?;
    Image::beside(&[
        ("p(z|x) of example 0 on [−3, 3]²", posterior),
        ("q(z|x), the Gaussian that stands for it", q),
    ])
    .save_png(out.join("posterior.png"))?;
    Ok(Found { lines, figures: Value::Array(rows), pictures: vec!["posterior.png", "gap.png"] })
}

/// A density is no probability: it may be above 1 and depends on the unit; its area does neither.
fn density(out: &Path) -> Result<Found> {
    let normal =
        |x: f64, sigma: f64| (-0.5 * (x / sigma).powi(2)).exp() / (sigma * (2.0 * PI).sqrt());
    // Midpoint rule.
    let area = |from: f64, to: f64, sigma: f64| {
        let cells = 20_000;
        let width = (to - from) / f64::from(cells);
        (0..cells).map(|i| normal(from + (f64::from(i) + 0.5) * width, sigma) * width).sum::<f64>()
    };
    let mut plot = Plot::new("a density may be above 1; its area is 1", "x", "density p(x)");
    let mut lines =
        vec!["A density is probability per unit of x: its height is no probability.".to_owned()];
    let mut figures = Vec::new();
    for (i, sigma) in [1.0, 0.4, 0.1].into_iter().enumerate() {
        let curve = (0..=800).map(|i| {
            let x = -2.0 + 4.0 * f64::from(i) / 800.0;
            (x, normal(x, sigma))
        });
        plot = plot.with(Series::line(format!("σ = {sigma}"), curve).group(i));
        let (height, whole, near) =
            (normal(0.0, sigma), area(-8.0 * sigma, 8.0 * sigma, sigma), area(-0.05, 0.05, sigma));
        lines.push(format!(
            "N(0, {sigma}²): height at 0 is {height:.3}, the area is {whole:.4}, and \
             P(−0.05 < x < 0.05) = {near:.4}"
        ));
        figures.push(json!({ "sigma": sigma, "height": height, "area": whole, "near": near }));
    }
    lines.push(
        "The same lengths in millimetres instead of metres: heights are 1000 times smaller, \
         log-densities fall by log 1000 = 6.908 nats an entry, and no probability changes."
            .to_owned(),
    );
    let band = (0..=100).map(|i| {
        let x = -0.05 + 0.1 * f64::from(i) / 100.0;
        (x, normal(x, 0.1))
    });
    plot.with(Series::area("P(−0.05 < x < 0.05), σ = 0.1", band).group(2))
        .horizontal_marker(1.0, "1")
        .save(out.join("density.png"))?;
    Ok(Found { lines, figures: Value::Array(figures), pictures: vec!["density.png"] })
}

/// Both losses of a generator while its discriminator is trained ahead of it.
fn saturation(args: &ExplainArgs, out: &Path, data_dir: Option<&Path>) -> Result<Found> {
    let data = open(args, data_dir)?;
    let settings = Saturation { seed: args.seed(), ..Saturation::default() };
    let bar = output::bar(args.output, 1000, "training the discriminator ahead");
    let reached = explain::saturation(&data, settings, &cpu(), &mut |share| {
        bar.set_position((share * 1e3) as u64)
    })?;
    bar.finish_and_clear();
    let mut plot = Plot::new(
        "what reaches a generator while its discriminator gets ahead",
        "steps of the discriminator, the generator being held",
        "norm of the generator's gradient",
    );
    type Norm = fn(&Reached) -> f64;
    let norms: [(&str, Norm); 2] = [
        ("minimise E log(1 − D(G(z)))", |r| r.saturating),
        ("minimise −E log D(G(z))", |r| r.non_saturating),
    ];
    for (i, (name, norm)) in norms.into_iter().enumerate() {
        let points = reached.iter().map(|r| (r.step as f64, norm(r)));
        // Vermilion for what fails.
        plot = plot.with(Series::line(name, points).group(1 - i));
    }
    let mut lines = vec![
        format!(
            "A pair learns {} for {} steps; then the generator is held and a fresh discriminator",
            args.data(),
            settings.together
        ),
        "learns ahead. Norms of the generator's gradient under both losses (saturation.png):"
            .to_owned(),
        "  steps   D is right   mean D(G(z))   E log(1 − D(G(z)))   −E log D(G(z))    ratio"
            .to_owned(),
    ];
    let row = |r: &Reached| {
        format!(
            "{:>7} {:>10.2} % {:>14.2e} {:>20.2e} {:>16.2e} {:>8.1e}",
            r.step,
            100.0 * r.correct,
            r.seems_real,
            r.saturating,
            r.non_saturating,
            r.saturating / r.non_saturating
        )
    };
    let first = reached.first().context("nothing was measured")?;
    let last = reached.last().context("nothing was measured")?;
    lines.push(row(first));
    let (mut rows, mut mark) = (Vec::new(), None);
    for share in [0.9, 0.99, 0.999] {
        let Some(there) = reached.iter().find(|r| r.correct >= share) else { continue };
        let line = row(there);
        // One measurement may pass two marks.
        if lines.last() != Some(&line) {
            lines.push(line);
        }
        rows.push(json!({ "share": share, "step": there.step,
            "ratio": there.saturating / there.non_saturating }));
        mark = Some((there.step as f64, format!("D is right in {} %", 100.0 * share)));
    }
    // The last that was reached; a few hard examples may keep the discriminator from more.
    if let Some((step, label)) = mark {
        plot = plot.vertical_marker(step, label);
    }
    lines.push(row(last));
    lines.push(format!(
        "The surer D is, the less the loss of the game teaches: its gradient has the factor \
         D(G(z)) and fell to {:.1e} of what it was; that of −E log D(G(z)) has the factor \
         1 − D(G(z)) and is {:.0} times what it was.",
        last.saturating / first.saturating,
        last.non_saturating / first.non_saturating
    ));
    plot.log_y().save(out.join("saturation.png"))?;
    let curve = |loss: fn(f64) -> f64| {
        (1..400).map(move |i| {
            let d = f64::from(i) / 400.0;
            (d, loss(d))
        })
    };
    Plot::new("both losses of a generator, by how real a sample seems", "D(G(z))", "loss, in nats")
        .with(Series::line("log(1 − D(G(z)))", curve(|d| (1.0 - d).ln())).group(1))
        .with(Series::line("−log D(G(z))", curve(|d| -d.ln())).group(0))
        .save(out.join("losses.png"))?;
    let measured: Vec<Value> = reached
        .iter()
        .map(|r| {
            json!({ "step": r.step, "correct": r.correct, "seems_real": r.seems_real,
                "saturating": r.saturating, "non_saturating": r.non_saturating })
        })
        .collect();
    Ok(Found {
        lines,
        figures: json!({ "reached": rows, "measured": measured }),
        pictures: vec!["saturation.png", "losses.png"],
    })
}

/// Steps that the discriminator of two known densities is trained for.
const STEPS: u64 = 2000;

/// A trained discriminator beside p / (p + q), and its value beside the divergence.
fn optimal_discriminator(args: &ExplainArgs, out: &Path) -> Result<Found> {
    let bar = output::bar(args.output, 1000, "training the discriminator");
    let found = explain::optimal_discriminator(STEPS, args.seed(), &cpu(), &mut |share| {
        bar.set_position((share * 1e3) as u64);
    })?;
    bar.finish_and_clear();
    let shown = || found.places.iter().filter(|d| d.x.abs() < 6.0);
    Plot::new("what a discriminator learns is p / (p + q)", "x", "density, or share that is data")
        .with(Series::area("p, the data", shown().map(|d| (d.x, d.p))).group(5))
        .with(Series::area("q, the samples", shown().map(|d| (d.x, d.q))).group(4))
        .with(Series::line("p / (p + q)", shown().map(|d| (d.x, d.formula))).group(6))
        .with(Series::dashed("D(x), trained", shown().map(|d| (d.x, d.trained))).group(1))
        .y_range(0.0, 1.05)
        .save(out.join("discriminator.png"))?;
    let gap = found.optimum - found.value;
    let lines = vec![
        format!(
            "A discriminator saw draws of p and q alone, for {STEPS} steps, and came to p / (p + q)"
        ),
        format!(
            "within {:.4} on average over (p + q) / 2, and within {:.3} wherever that density is",
            found.mean, found.largest
        ),
        "above 1 % of its largest value (discriminator.png).".to_owned(),
        format!(
            "Its objective E_p log D + E_q log(1 − D) is {:.4} nats; the largest there can be is",
            found.value
        ),
        format!(
            "−log 4 + 2 JSD(p ‖ q) = {:.4} + 2 · {:.4} = {:.4}, which is {gap:.4} more.",
            -(4f64.ln()),
            found.jsd,
            found.optimum
        ),
        "So a generator that plays against the best D minimises the Jensen-Shannon divergence, \
         which is 0 only where q = p."
            .to_owned(),
    ];
    let figures = json!({ "mean": found.mean, "largest": found.largest, "value": found.value,
        "jsd": found.jsd, "optimum": found.optimum });
    Ok(Found { lines, figures, pictures: vec!["discriminator.png"] })
}

/// A 4×4 map through transposed convolutions of several strides and filters: the stretched map, the
/// output, and how many entries each output hears from.
fn transposed_convolution(out: &Path) -> Result<Found> {
    const SIDE: usize = 4;
    const CELL: usize = 14;
    // A hill, so that what becomes of it is seen.
    let hill = |i: usize| {
        let (y, x) = ((i / SIDE) as f64 - 1.2, (i % SIDE) as f64 - 1.7);
        0.15 + 0.85 * (-0.5 * (x * x + y * y)).exp()
    };
    let input = Map { side: SIDE, values: (0..SIDE * SIDE).map(hill).collect() };
    let mut lines = vec![
        "A transposed convolution puts stride − 1 zeros between the entries of a map and then \
         convolves with stride 1:"
            .to_owned(),
        "a side of n becomes (n − 1) · stride + filter. It is the matrix of the strided \
         convolution, transposed."
            .to_owned(),
    ];
    let mut figures = Vec::new();
    let mut bands = Vec::new();
    for (stride, width) in [(1, 3), (2, 3), (2, 4), (3, 4)] {
        // A tent, higher in one corner, so that turning it would show.
        let tent = |i: usize| {
            let off = |at: usize| (at as f64 - (width - 1) as f64 / 2.0).abs() / width as f64;
            (1.0 - off(i / width)) * (1.0 - off(i % width))
                + 0.1 * i as f64 / (width * width) as f64
        };
        let filter = Map { side: width, values: (0..width * width).map(tent).collect() };
        let found = explain::enlarge(&input, &filter, stride)?;
        let probe = Map {
            side: found.output.side,
            values: (0..found.output.values.len()).map(|i| (1.7 * i as f64).sin()).collect(),
        };
        let there = explain::reduce(&probe, &filter, stride)?.dot(&input);
        let back = probe.dot(&found.output);
        let apart = found.output.difference(&found.convolved);
        // Away from the rim, whose outputs hear from fewer.
        let (rim, side) = (width - 1, found.terms.side);
        let inside = |at: usize| (rim..side - rim).contains(&at);
        let inner = (0..side * side).filter(|i| inside(i / side) && inside(i % side));
        let inner: Vec<f64> = inner.map(|i| found.terms.values[i]).collect();
        let fewest = inner.iter().copied().fold(f64::INFINITY, f64::min);
        let most = inner.iter().copied().fold(0.0, f64::max);
        lines.push(format!(
            "stride {stride}, filter {width}×{width}: {SIDE}×{SIDE} stretched to {0}×{0} (with {1} \
             zeros around), output {2}×{2}; largest difference of the two ways {apart:.1e}; \
             ⟨conv y, x⟩ − ⟨y, transposed x⟩ = {3:.1e}; terms an output inside: {fewest} to {most}{4}",
            found.stretched.side,
            width - 1,
            found.output.side,
            there - back,
            if fewest < most { ", the chequerboard" } else { "" }
        ));
        figures.push(json!({
            "stride": stride, "filter": width, "input": SIDE, "stretched": found.stretched.side,
            "output": found.output.side, "difference": apart, "adjoint_difference": there - back,
            "fewest_terms": fewest, "most_terms": most,
        }));
        let map = |map: &Map| heat(&map.values, map.side).enlarged(CELL);
        bands.push((
            format!("stride {stride}, filter {width}×{width}"),
            Image::beside(&[
                (&format!("input {SIDE}×{SIDE}"), map(&input)),
                (&format!("stretched {0}×{0}", found.stretched.side), map(&found.stretched)),
                (&format!("output {0}×{0}", found.output.side), map(&found.output)),
                ("terms an output", map(&found.terms)),
            ]),
        ));
    }
    let bands: Vec<(&str, Image)> =
        bands.iter().map(|(title, band)| (title.as_str(), band.clone())).collect();
    Image::stack(&bands).with_margin(10).save_png(out.join("transposed.png"))?;
    Ok(Found { lines, figures: Value::Array(figures), pictures: vec!["transposed.png"] })
}
