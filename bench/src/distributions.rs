//! Fits and densities on request, for `peer_distributions.py` to time beside its peers.

use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use ancestral::distributions::families::{FitOptions, Sample, by_name};
use ancestral::distributions::gmm::GmmConfig;
use ancestral::distributions::kde::{Bandwidth, KdeConfig};
use ancestral::model::{DataSpec, Density, DensityOptions, FitContext, Model, NamedTensors, fit};
use ancestral_data::{
    Batch, Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Streams, Values,
};
use anyhow::{Context, Result, bail};
use burn::tensor::TensorData;

/// Answers each line of standard input with a line: seconds, then what was asked for.
///
/// - `fit FAMILY FILE REPEATS`: the mean seconds of a fit and its log-likelihood;
/// - `mixture FILE COLUMNS START COMPONENTS STEPS`: EM from weights, means and lower Cholesky factors of the
///   covariances in the file START, and the mean log-likelihood before the last step;
/// - `kernel FILE COLUMNS BANDWIDTH ERROR QUERIES OUT`: the log-densities of the rows of QUERIES, written
///   to OUT.
///
/// Files hold doubles, of the least byte first.
pub(crate) fn serve() -> Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["fit", family, file, repeats] => family_fit(family, file, repeats.parse()?)?,
            ["mixture", file, columns, start, components, steps] => mixture(
                data(file, columns.parse()?)?,
                &numbers(start)?,
                components.parse()?,
                steps.parse()?,
            )?,
            ["kernel", file, columns, bandwidth, error, queries, to] => kernel(
                data(file, columns.parse()?)?,
                (bandwidth.parse()?, error.parse()?),
                numbers(queries)?,
                to,
            )?,
            _ => bail!("unknown request '{line}'"),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn numbers(file: impl AsRef<Path>) -> Result<Vec<f64>> {
    let bytes = std::fs::read(file)?;
    Ok(bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
}

fn data(file: &str, columns: usize) -> Result<Dataset> {
    let split = Split { values: Values::Reals(numbers(file)?), labels: None };
    Ok(Dataset::new("bench", Domain::Real, Shape::columns(columns), split, None, None)?)
}

/// With the check and the copy of the rows, as in a first fit.
fn family_fit(family: &str, file: &str, repeats: u32) -> Result<String> {
    let rows = numbers(file)?;
    let family = by_name(family).context("no such family")?;
    let options = FitOptions::default().without_intervals();
    let once = || -> Result<f64> {
        let sample = Sample::new(rows.clone())?;
        Ok(family.fit(&sample, &options)?.log_likelihood)
    };
    let mut value = once()?;
    let began = Instant::now();
    for _ in 0..repeats {
        value = once()?;
    }
    let seconds = began.elapsed().as_secs_f64() / f64::from(repeats.max(1));
    Ok(format!("{seconds} {value}"))
}

fn mixture(data: Dataset, start: &[f64], components: usize, steps: usize) -> Result<String> {
    let columns = data.shape.size();
    let spec = DataSpec::new(data.domain, data.shape.clone(), 0);
    let config = GmmConfig { components, ..GmmConfig::default() };
    let mut model = config.init(&spec)?;
    let (weights, rest) = start.split_at(components);
    let (means, factors) = rest.split_at(components * columns);
    let tensor = |values: &[f64], shape: &[usize]| TensorData::new(values.to_vec(), shape.to_vec());
    let tensors: NamedTensors = vec![
        ("model.weights".to_owned(), tensor(weights, &[components])),
        ("model.means".to_owned(), tensor(means, &[components, columns])),
        ("model.factors".to_owned(), tensor(factors, &[components, columns, columns])),
    ];
    model.load(&tensors)?;
    let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0)?;
    let never = AtomicBool::new(false);
    let context = FitContext { streams: Streams::new(0), progress: &mut |_| {}, stop: &never };
    let began = Instant::now();
    let trace = model.steps(&examples, steps, &context)?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(format!("{seconds} {}", trace.last().copied().unwrap_or(f64::NAN)))
}

fn kernel(
    data: Dataset,
    (bandwidth, error): (f64, f64),
    queries: Vec<f64>,
    to: &str,
) -> Result<String> {
    let spec = DataSpec::new(data.domain, data.shape.clone(), 0);
    let config =
        KdeConfig { relative_error: error, bandwidth: Bandwidth::Scott, ..KdeConfig::default() };
    let columns = data.shape.size();
    let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0)?;
    // Reads the rows, so that the time of building the tree and of the queries is left.
    let mut model = config.init(&spec)?;
    fit(&mut model, &examples, 0)?;
    let points = model.tensors().swap_remove(0);
    let widths = TensorData::new(vec![bandwidth; columns], [columns]);
    let tensors = vec![points, ("model.bandwidths".to_owned(), widths)];
    let batch = Batch { values: queries, ..examples.batch(&[0], 0) };
    let began = Instant::now();
    model.load(&tensors)?;
    let found = model.log_probability(&batch, DensityOptions::new(1, 0))?;
    let seconds = began.elapsed().as_secs_f64();
    let bytes: Vec<u8> = found.nats.iter().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(to, bytes)?;
    Ok(format!("{seconds} {}", found.nats.len()))
}
