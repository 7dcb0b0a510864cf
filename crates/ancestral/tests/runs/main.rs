//! Runs through the library as programs use it: what they draw, complete, measure and keep, and what
//! is refused.

#![cfg(feature = "plot")]
#![allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]

mod adversarial;
mod budgets;
mod clusters;
mod curves;
mod data;
mod interrupted;
mod latent;
mod packed;
mod quality;
mod refused;
mod repeated;
mod reproduced;
mod samples;
mod zoo;

use std::ops::Range;
use std::path::Path;

use ancestral::Result;
use ancestral::evaluate::{Likelihoods, Options};
use ancestral::prelude::*;
use ancestral::run::{Measured, Trained};
use ancestral_test_support::Image;

/// A model on some data, with settings as they are typed.
fn spec(model: &str, data: &str, settings: &str) -> RunSpec {
    let mut spec = RunSpec::named(model, data);
    for setting in settings.split_whitespace() {
        spec.assign(setting).unwrap();
    }
    spec
}

fn train(spec: &RunSpec) -> Trained {
    Session::new().train(spec).unwrap()
}

/// Asserts that wrong input is refused in these words.
#[track_caller]
fn refused<T>(result: Result<T>, words: &str) {
    let error = result.map(drop).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains(words), "{words}: {error}");
}

/// The likelihood of a split.
fn likelihoods(run: &Run, split: SplitName, options: Options) -> Likelihoods {
    let found = Session::new().evaluate(run, &DataQuery::split(split), options).unwrap();
    let Measured::Likelihoods(found) = found.found else { unreachable!("it has a density") };
    *found
}

/// Asserts the size of an image that trained weights drew, and about which share of it is ink and
/// what its mean is.
#[track_caller]
fn looks(
    image: &ancestral_plot::Image,
    size: (usize, usize),
    background: [u8; 3],
    ink: Range<f64>,
    mean: Range<f64>,
) {
    let image = Image::new(image.width(), image.height(), image.rgb());
    assert_eq!(image.size(), size);
    image.assert_looks(background, ink, mean);
}

fn weights(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("model.safetensors")).unwrap()
}

/// A table of rows in a file.
fn table(path: &Path, head: &str, n: u32, row: impl Fn(u32) -> String) {
    let rows: String = (0..n).map(row).collect();
    std::fs::write(path, format!("{head}{rows}")).unwrap();
}
