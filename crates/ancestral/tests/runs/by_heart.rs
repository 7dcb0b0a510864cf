//! Adversarial networks draw all of sixteen examples that they have learned by heart.

use ancestral::adversarial::presets::entries;
use ancestral::model::{SampleRequest, sample};
use ancestral::prelude::*;
use ancestral::run::DataSource;
use ancestral_data::{Domain, OpenOptions, Shape, Split, SplitName, Values};

use crate::{spec, train};

/// Samples that are drawn.
const DRAWN: usize = 1000;
/// Samples next to an example that show that it is drawn: a tenth of its share.
const LEAST: usize = 6;

/// Sixteen points of a grid, each so often that a batch has several of it, with their rows as classes.
fn points() -> Dataset {
    let row = |i: usize| [f64::from(i as u32 % 4) - 1.5, f64::from(i as u32 / 4 % 4) - 1.5];
    let values = Values::Reals((0..256).flat_map(row).collect());
    let labels = Some((0..256).map(|i| i / 4 % 4).collect());
    Dataset::new("points", Domain::Real, Shape::columns(2), Split { values, labels }, None, None)
        .unwrap()
}

/// The first sixteen digits, each as often.
fn images() -> Dataset {
    let digits = ancestral_data::open("digits", &OpenOptions::default()).unwrap();
    let some: Vec<usize> = (0..256).map(|i| i % 16).collect();
    let split = digits.split(SplitName::Train).unwrap().gather(&some, digits.shape.size());
    Dataset::new("images", digits.domain, digits.shape.clone(), split, None, None).unwrap()
}

/// How many of the sixteen are drawn, and the share of samples that are of one of them: at most half as far
/// from it as from any other.
fn drawn(name: &str, data: &Dataset, settings: &str, seed: u64) -> (usize, f64) {
    let mut spec = spec(name, "digits", settings).seed(seed);
    spec.data.source = DataSource::Given(data.clone());
    let run = train(&spec).run;
    let size = data.shape.size();
    let values = Examples::new(data, SplitName::Train, Binarize::None, 0).unwrap();
    let values = values.batch(&(0..16).collect::<Vec<_>>(), 0).values;
    let rows: Vec<&[f64]> = values.chunks_exact(size).collect();
    let mut counts = [0; 16];
    for row in sample(run.model(), &SampleRequest::new(DRAWN, 1)).unwrap().chunks_exact(size) {
        let apart =
            |other: &[f64]| row.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let mut near: Vec<(f64, usize)> = rows.iter().map(|row| apart(row)).zip(0..).collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        counts[near[0].1] += usize::from(near[0].0 < 0.5 * near[1].0);
    }
    let covered = counts.iter().filter(|&&n| n >= LEAST).count();
    (covered, counts.iter().sum::<usize>() as f64 / DRAWN as f64)
}

#[test]
#[ignore = "an experiment"]
fn experiment() {
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    let names = of("NAMES");
    for entry in
        entries().iter().filter(|e| names.is_empty() || names.split(',').any(|n| n == e.name))
    {
        for (what, data, settings) in
            [("points", points(), of("POINTS")), ("images", images(), of("IMAGES"))]
        {
            if settings.is_empty() || what == "points" && entry.name == "dcgan" {
                continue;
            }
            for seed in 0..of("SEEDS").parse().unwrap_or(1) {
                let began = std::time::Instant::now();
                let (covered, near) = drawn(entry.name, &data, &settings, seed);
                println!(
                    "{} {what} {seed}: {covered} of 16, {near:.3} near, {:.1} s",
                    entry.name,
                    began.elapsed().as_secs_f64()
                );
            }
        }
    }
}
