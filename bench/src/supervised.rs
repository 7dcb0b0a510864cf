//! Fits of classifiers and regressions on request, for `peer_supervised.py` to time beside scikit-learn.

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use ancestral::Registry;
use ancestral::model::{DataSpec, Init, fit};
use ancestral::spec::cpu;
use ancestral_data::{Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Values};
use anyhow::{Context, Result};
use toml::Table;

/// Reads rows of doubles from `DATA` and, where there is one, a file `DATA.labels` of a class each; then for
/// each line of standard input fits the model to them, classifies all of them if it can, and prints the
/// seconds of both.
pub(crate) fn serve(data: &Path, model: &str, settings: &str, columns: usize) -> Result<()> {
    let bytes = std::fs::read(data).with_context(|| format!("cannot read {}", data.display()))?;
    let (words, _) = bytes.as_chunks::<8>();
    let values: Vec<f64> = words.iter().map(|word| f64::from_le_bytes(*word)).collect();
    let labels = std::fs::read(data.with_extension("labels")).ok();
    let labels: Option<Vec<u32>> = labels.map(|bytes| bytes.into_iter().map(u32::from).collect());
    let spec = DataSpec::new(
        Domain::Real,
        Shape::columns(columns),
        labels.as_ref().and_then(|labels| labels.iter().max()).map_or(0, |most| *most as usize + 1),
    );
    let split = Split { values: Values::Reals(values), labels };
    let rows = Dataset::new("rows", Domain::Real, Shape::columns(columns), split, None, None)?;
    let rows = Examples::new(&rows, SplitName::Train, Binarize::None, 0)?;
    let all = rows.batch(&rows.indices(), 0).values;
    let settings: Table = settings.parse()?;
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        line?;
        let began = Instant::now();
        let init = Init::new(&cpu(), 0);
        let mut model = Registry::standard().build(model, &settings, &spec, &init)?;
        let report = fit(model.estimator().context("it is fitted in one call")?, &rows, 0)?;
        let fitted = began.elapsed().as_secs_f64();
        let began = Instant::now();
        let mut sum = report.estimates.first().map_or(0.0, |estimate| estimate.value);
        if let Some(classifier) = model.classifier() {
            sum += classifier.classify(&all)?.probabilities.first().copied().unwrap_or(0.0);
        }
        writeln!(out, "{fitted} {} {sum}", began.elapsed().as_secs_f64())?;
        out.flush()?;
    }
    Ok(())
}
