//! The peak memory of a training step, compared with the estimate before the model is built: every
//! preset with its batch size, in its own process.

use std::process::{Command, ExitCode};

use ancestral::Registry;
use ancestral::model::{BatchIterator, DataSpec, Init, Learning, ModelEntry, StepContext};
use ancestral::optim::Optimizers;
use ancestral::settings::{Settings, normalize};
use ancestral::spec::cpu;
use ancestral::train::TrainConfig;
use ancestral_data::{
    Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Streams, Values,
};
use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use crate::Args;
use crate::memory;

/// Number of steps: from the second on, all steps need the same memory.
const STEPS: u64 = 2;
/// Labels of the examples.
const CLASSES: usize = 10;

/// The shapes of data, by their names in the table.
const SHAPES: [(&str, Domain, [usize; 3]); 9] = [
    ("binarized MNIST", Domain::Binary, [1, 28, 28]),
    ("MNIST", Domain::Levels(256), [1, 28, 28]),
    ("digits", Domain::Levels(17), [1, 8, 8]),
    ("CIFAR-10", Domain::Levels(256), [3, 32, 32]),
    ("CIFAR-10 at 64", Domain::Levels(256), [3, 64, 64]),
    ("adult", Domain::Binary, [123, 0, 0]),
    ("dna", Domain::Binary, [180, 0, 0]),
    ("red wine", Domain::Real, [11, 0, 0]),
    ("rings", Domain::Real, [2, 0, 0]),
];

/// The data of a preset; without a preset, several.
fn meant_for(model: &str, preset: &str) -> &'static [&'static str] {
    match (model, preset) {
        (_, "uria-2013" | "red-wine") => &["red wine"],
        (_, "uci") => &["adult"],
        (_, "dna" | "germain-2015-dna") => &["dna"],
        (_, "convolutional") => &["digits", "MNIST", "CIFAR-10"],
        (_, "denoising" | "28x28" | "compare") | ("infogan", "mnist") => &["MNIST"],
        (_, "digits") => &["digits"],
        (_, "oord-2016") => &["CIFAR-10"],
        ("pixel-cnn" | "gated-pixel-cnn" | "row-lstm" | "diagonal-bilstm", "") => {
            &["digits", "binarized MNIST", "CIFAR-10"]
        }
        ("rnade", "") => &["red wine"],
        ("features", "") => &["MNIST", "CIFAR-10"],
        ("dcgan", "") => &["MNIST", "CIFAR-10", "CIFAR-10 at 64"],
        ("vae" | "ae", "") => &["digits", "binarized MNIST", "MNIST", "red wine", "CIFAR-10"],
        ("iwae" | "nade" | "deep-nade" | "made" | "fvsbn", "") => &["digits", "binarized MNIST"],
        (_, "") => &["rings", "digits", "CIFAR-10"],
        _ => &["binarized MNIST"],
    }
}

/// A row of the table, as the parent asks for it.
struct Case {
    entry: ModelEntry,
    preset: String,
    shape: &'static str,
}

impl Case {
    fn name(&self) -> String {
        format!("{}/{}/{}", self.entry.name, self.preset, self.shape)
    }
}

/// Every preset of every model that is trained by gradient steps, and each model without a preset.
fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for entry in Registry::standard().entries() {
        if entry.learning != Learning::GradientSteps {
            continue;
        }
        for preset in entry.presets.iter().map(|p| p.name).chain([""]) {
            for shape in meant_for(entry.name, preset) {
                all.push(Case { entry: entry.clone(), preset: preset.to_owned(), shape });
            }
        }
    }
    all
}

/// Prints the table; the exit code is 1 if an estimate is more than twice or less than half of the
/// measured memory.
pub(crate) fn table(args: &Args) -> Result<ExitCode> {
    println!("| model | preset | data | batch | estimate, MiB | measured, MiB | ratio |");
    println!("|---|---|---|---:|---:|---:|---:|");
    let mut wrong = 0;
    for case in cases() {
        let name = case.name();
        if !args.cases.is_empty() && !args.cases.iter().any(|wanted| name.contains(wanted)) {
            continue;
        }
        let output = Command::new(std::env::current_exe()?)
            .args(["--threads", &args.threads.to_string(), "--memory-estimate", &name])
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let numbers: Vec<f64> =
            text.split_whitespace().map(str::parse).collect::<Result<_, _>>().unwrap_or_default();
        let [batch, estimate, measured] = numbers[..] else {
            bail!("{name}: {text}{}", String::from_utf8_lossy(&output.stderr));
        };
        let ratio = estimate / measured;
        let holds = (0.5..=2.0).contains(&ratio);
        wrong += usize::from(!holds);
        println!(
            "| {} | {} | {} | {batch} | {estimate:.1} | {measured:.1} | {ratio:.2}{} |",
            case.entry.name,
            case.preset,
            case.shape,
            if holds { "" } else { " !" }
        );
    }
    if wrong > 0 {
        println!("{wrong} estimates are more than twice or less than half of what was measured");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the steps of a case and prints its batch size, the estimate and the measured memory, in MiB.
pub(crate) fn measure(name: &str) -> Result<()> {
    let case = cases().into_iter().find(|case| case.name() == name).context("no such case")?;
    let (settings, mut train) = preset(&case)?;
    let data = data(case.shape, 300)?;
    let spec = DataSpec::new(data.domain, data.shape.clone(), CLASSES);
    for (name, value) in (case.entry.train)(&spec) {
        train.entry(name).or_insert(value);
    }
    let train = TrainConfig::parse(&normalize(&TrainConfig::fields(), &train)?)?;
    let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0)?;
    let batch = train.batch_size.min(examples.len());

    let registry = Registry::standard();
    let size = registry.size(case.entry.name, &settings, &spec)?;
    let estimate = size.step_bytes(batch, train.optimizer, train.average_decay > 0.0);
    let before = memory::Taken::now()?;
    let mut model = registry.build(case.entry.name, &settings, &spec, &Init::new(&cpu(), 0))?;
    let model = model.trainable().context("it is trained")?;
    model.start(&examples)?;
    let mut batches = BatchIterator::new(examples, train.batch_size, 0);
    let mut optimizers = Optimizers::new(&train.optimizer_config());
    for step in 1..=STEPS {
        optimizers.begin_step(step, train.learning_rate);
        let epoch = batches.epoch();
        let mut context = StepContext {
            batches: &mut batches,
            optimizers: &mut optimizers,
            streams: Streams::new(0),
            step,
            epoch,
        };
        model.step(&mut context)?;
    }
    let measured = memory::Taken::now()?.above(&before);
    println!("{batch} {} {measured}", estimate as f64 / f64::from(1 << 20));
    Ok(())
}

/// The settings of the model and of training.
fn preset(case: &Case) -> Result<(Table, Table)> {
    let named = case.entry.presets.iter().find(|preset| preset.name == case.preset);
    let table: Table = named.map_or("", |preset| preset.settings).parse()?;
    let group = |name: &str| table.get(name).and_then(Value::as_table).cloned();
    let settings = group("settings").or_else(|| group("model")).unwrap_or_default();
    Ok((
        normalize(&(case.entry.fields)(), &settings)?,
        normalize(&TrainConfig::fields(), &group("train").unwrap_or_default())?,
    ))
}

/// Examples of a shape: binary images as sparse as MNIST's, all other data uniform.
fn data(shape: &str, count: u64) -> Result<Dataset> {
    let (_, domain, sides) =
        SHAPES.into_iter().find(|(name, ..)| *name == shape).context("no such data")?;
    let shape = match sides {
        [columns, 0, 0] => Shape::columns(columns),
        [channels, height, width] => Shape::image(channels, height, width),
    };
    let (size, uniforms) = (shape.size(), Streams::new(0).purpose("bench", 0));
    // One at a time, or the uniform numbers would dominate the memory.
    let drawn = (0..count).flat_map(|example| uniforms.uniforms(&[example], size));
    let values = match domain {
        Domain::Real => Values::Reals(drawn.map(f64::from).collect()),
        Domain::Binary => Values::Bytes(drawn.map(|u| u8::from(u < 0.13)).collect()),
        Domain::Levels(n) => Values::Bytes(drawn.map(|u| (u * n as f32) as u8).collect()),
    };
    let labels = Some((0..count).map(|i| (i % CLASSES as u64) as u32).collect());
    Ok(Dataset::new("bench", domain, shape, Split { values, labels }, None, None)?)
}
